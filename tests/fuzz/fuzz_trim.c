/* fuzz_trim.c - a hostile model's answer, whole and in pieces.
 *
 * The first byte picks the limits, the second the cutting; the text up to the first 0xFF stands
 * around the cursor (its first line before it), the rest is the answer. However it is cut, the
 * clean text is the same, valid, within its limits and free of forbidden characters. */
#include <stdint.h>

#include "core/base/limits.h"
#include "core/base/memory.h"
#include "core/base/utf8.h"
#include "core/base/visible.h"
#include "core/prompt/trim.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum trim_end run(const struct trim_spec *spec, str raw, size_t step, bool is_cut,
                         struct buf *clean)
{
    struct trim *t = trim_create(spec);
    for (size_t i = 0; i < raw.len; i += step) {
        size_t before = clean->len;
        trim_feed(t, str_sub(raw, i, i + step), clean);
        ASSERT(clean->len >= before);
    }
    trim_finish(t, is_cut, clean);
    enum trim_end end = trim_ended(t);
    trim_destroy(t);
    return end;
}

static void check_clean(const struct trim_spec *spec, str clean)
{
    ASSERT(utf8_is_valid(clean));
    ASSERT(spec->max_bytes == 0 || clean.len <= spec->max_bytes);
    ASSERT(spec->is_multiline || str_find_char(clean, '\n', 0) == SIZE_MAX);
    for (size_t i = 0; i < clean.len;) {
        uint32_t cp;
        i += utf8_decode(str_sub(clean, i, clean.len), &cp);
        ASSERT(!visible_is_forbidden(cp));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) {
        return 0;
    }
    str rest = str_of((const char *)data + 2, size - 2);
    str around, before;
    size_t mark = str_find_char(rest, (char)0xFF, 0);
    around = str_sub(rest, 0, mark == SIZE_MAX ? 0 : mark);
    str raw = str_sub(rest, mark == SIZE_MAX ? 0 : mark + 1, rest.len);
    (void)str_next(&around, '\n', &before);
    struct trim_spec spec = {.line_before = around.len > 0 ? before : str_of("", 0),
                             .suffix = around,
                             .is_multiline = (data[0] & 1) != 0,
                             .max_lines = data[0] >> 1 & 7,
                             .max_bytes = (data[0] & 16) != 0 ? data[0] >> 5 : 0};
    bool is_cut = (data[1] & 1) != 0;
    struct buf whole, cut;
    buf_init(&whole, 4 * MIB);
    buf_init(&cut, 4 * MIB);
    enum trim_end end = run(&spec, raw, raw.len + 1, is_cut, &whole);
    ASSERT(run(&spec, raw, 1 + data[1] % 13, is_cut, &cut) == end);
    ASSERT(str_eq(buf_str(&whole), buf_str(&cut)));
    ASSERT(end != TRIM_OPEN);
    check_clean(&spec, buf_str(&whole));
    buf_release(&whole);
    buf_release(&cut);
    return 0;
}
