/* put.h - giving a builder what a source says, for tests. */
#ifndef CRUCIBLE_TESTS_PUT_H
#define CRUCIBLE_TESTS_PUT_H

#include "core/settings/settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static inline void put(struct settings_builder *b, enum settings_source source, const char *json)
{
    struct arena arena = {0};
    struct json v;
    struct error why = {0};
    if (json_parse_jsonc(str_from(json), &arena, &v, &why) != ERR_OK) {
        fail_msg("%s: %s", json, why.msg);
    }
    settings_builder_put(b, source, v);
    arena_release(&arena);
}

static inline size_t n_problems(const struct settings_builder *b)
{
    const struct settings_problem *problems;
    return settings_builder_problems(b, &problems);
}

#endif
