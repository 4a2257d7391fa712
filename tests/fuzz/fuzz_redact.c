/* fuzz_redact.c - any text: what is given differs from it in the secrets alone. */
#include <stdint.h>

#include "core/base/limits.h"
#include "core/base/memory.h"
#include "core/prompt/redact.h"
#include "core/prompt/template.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str text = str_of((const char *)data, size);
    str mark = STR("REDACTED");
    struct buf out, broken, again;
    buf_init(&out, 64 * MIB);
    buf_init(&broken, 64 * MIB);
    buf_init(&again, 64 * MIB);
    size_t n = redact(text, &out);
    size_t n_marks = 0;
    for (size_t at = str_find(buf_str(&out), mark, 0); at != SIZE_MAX;
         at = str_find(buf_str(&out), mark, at + mark.len)) {
        n_marks++;
    }
    ASSERT(n_marks >= n);
    ASSERT(n > 0 || str_eq(buf_str(&out), text));
    /* around a cursor anywhere: each side is as it was where nothing was found */
    size_t at = size > 0 ? data[size / 2] % (size + 1) : 0;
    struct buf after;
    buf_init(&after, 64 * MIB);
    buf_clear(&out);
    n = redact_around(str_sub(text, 0, at), str_sub(text, at, size), &out, &after);
    ASSERT(n > 0 || (str_eq(buf_str(&out), str_sub(text, 0, at)) &&
                     str_eq(buf_str(&after), str_sub(text, at, size))));
    buf_release(&after);
    /* the other filter on the way out: breaking tokens twice changes nothing more */
    template_neutralise(text, &broken);
    template_neutralise(buf_str(&broken), &again);
    ASSERT(str_eq(buf_str(&broken), buf_str(&again)));
    buf_release(&out);
    buf_release(&broken);
    buf_release(&again);
    return 0;
}
