/* fuzz_sse.c - any stream of bytes, read whole and in pieces: the events are the same.
 *
 * The first byte picks the cutting. */
#include <stdint.h>

#include "core/base/limits.h"
#include "core/base/memory.h"
#include "providers/sse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool note(const struct sse_event *event, void *user)
{
    struct buf *out = user;
    buf_appendf(out, "%zu:", event->name.len);
    buf_append(out, event->name);
    buf_appendf(out, ":%zu:%d:", event->data.len, event->is_oversized);
    buf_append(out, event->data);
    return !str_starts_with(event->data, STR("stop"));
}

static void run(str stream, size_t step, struct buf *out)
{
    struct sse s;
    sse_init(&s);
    for (size_t i = 0; i < stream.len; i += step) {
        sse_feed(&s, str_sub(stream, i, i + step), note, out);
    }
    sse_finish(&s, note, out);
    sse_release(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    str stream = str_of((const char *)data + 1, size - 1);
    struct buf whole, cut;
    buf_init(&whole, 64 * MIB);
    buf_init(&cut, 64 * MIB);
    run(stream, stream.len + 1, &whole);
    run(stream, 1 + data[0] % 17, &cut);
    ASSERT(str_eq(buf_str(&whole), buf_str(&cut)));
    buf_release(&whole);
    buf_release(&cut);
    return 0;
}
