/* fuzz_settings.c - hostile settings from every source, then a snapshot and its use.
 *
 * The first byte picks the source, the rest is JSON with comments. Whatever it says: nothing of a
 * project gets past what it may narrow, no guarded member comes from anywhere but the user's file,
 * and the bounds of the table hold. */
#include <stdint.h>

#include "core/base/limits.h"
#include "core/base/memory.h"
#include "core/settings/settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_endpoints(const struct settings *s, enum settings_source source)
{
    ASSERT(s->n_endpoints <= ENDPOINTS_MAX);
    ASSERT(source != SETTINGS_PROJECT || (s->n_endpoints == 0 && s->n_models_inline == 0));
    for (size_t i = 0; i < s->n_endpoints; i++) {
        const struct endpoint_settings *e = &s->endpoints[i];
        ASSERT(e->name.len > 0 && e->kind.len > 0);
        ASSERT(source == SETTINGS_USER_FILE ||
               e->api_key_file.len + e->api_key_env.len + e->n_api_key_command + e->n_headers +
                       e->proxy.len + e->ca_file.len + e->client_cert.len + e->client_key.len +
                       e->extra_body.len ==
                   0);
        ASSERT(source == SETTINGS_USER_FILE || e->needs_consent ||
               str_contains_nocase(e->url, STR("://127.")) ||
               str_contains_nocase(e->url, STR("://[::1]")) ||
               str_contains_nocase(e->url, STR("://localhost")));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    enum settings_source source = (enum settings_source)(data[0] % N_SETTINGS_SOURCES);
    struct settings_builder *b = settings_builder_create();
    struct arena arena = {0};
    struct json v;
    if (json_parse_jsonc(str_of((const char *)data + 1, size - 1), &arena, &v, NULL) == ERR_OK) {
        settings_builder_put(b, source, v);
    }
    arena_release(&arena);
    struct settings *s = settings_builder_snapshot(b);
    check_endpoints(s, source);
    ASSERT(s->inline_budget_ms <= 10000 && s->inline_max_tokens >= 1 &&
           s->inline_max_tokens <= 8192);
    ASSERT(source == SETTINGS_USER_FILE || (s->privacy_redact && s->log_file.len == 0));
    ASSERT(settings_excludes(s, STR("/nowhere/.env")));
    (void)settings_excludes(s, STR("/nowhere/src/main.c"));
    ASSERT(settings_model_options(s, STR("a/b")) != NULL);
    const struct settings_problem *problems;
    ASSERT(settings_builder_problems(b, &problems) <= 100);
    settings_unref(s);
    settings_builder_destroy(b);
    return 0;
}
