/* fuzz_hole.c - a talkative model's answer for a hole, whole and in pieces.
 *
 * The first byte picks what kind of place it is, the second the cutting; the text up to the first
 * 0xFF is the line before the cursor, the rest is the answer. However it is cut, what is left is
 * the same, never holds the mark, and is never longer than the answer. */
#include <stdint.h>

#include "core/base/limits.h"
#include "core/base/memory.h"
#include "core/prompt/hole.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum hole_end run(const struct hole_spec *spec, str raw, size_t step, struct buf *clean)
{
    struct hole *h = hole_create(spec);
    for (size_t i = 0; i < raw.len; i += step) {
        hole_feed(h, str_sub(raw, i, i + step), clean);
    }
    hole_finish(h, clean);
    enum hole_end end = hole_ended(h);
    hole_destroy(h);
    return end;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) {
        return 0;
    }
    str rest = str_of((const char *)data + 2, size - 2);
    size_t mark = str_find_char(rest, (char)0xFF, 0);
    str raw = str_sub(rest, mark == SIZE_MAX ? 0 : mark + 1, rest.len);
    struct hole_spec spec = {.line_before = str_sub(rest, 0, mark == SIZE_MAX ? 0 : mark),
                             .mark = STR("<CURSOR>"),
                             .language = (data[0] & 2) != 0 ? STR("markdown") : STR("c"),
                             .is_multiline = (data[0] & 1) != 0};
    struct buf whole, cut;
    buf_init(&whole, 4 * MIB);
    buf_init(&cut, 4 * MIB);
    enum hole_end end = run(&spec, raw, raw.len + 1, &whole);
    ASSERT(run(&spec, raw, 1 + data[1] % 13, &cut) == end);
    ASSERT(str_eq(buf_str(&whole), buf_str(&cut)));
    ASSERT(whole.len <= raw.len);
    ASSERT(end != HOLE_EXPLAINS || whole.len == 0);
    ASSERT(str_find(buf_str(&whole), spec.mark, 0) == SIZE_MAX);
    buf_release(&whole);
    buf_release(&cut);
    return 0;
}
