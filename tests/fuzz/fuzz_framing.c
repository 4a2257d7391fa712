/* fuzz_framing.c - any bytes, cut in two ways, give the same events. */
#include "core/base/limits.h"
#include "core/base/memory.h"
#include "lsp/framing.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_message(str body, void *user)
{
    struct buf *events = user;
    buf_append_char(events, 'm');
    buf_append(events, body);
}

static void on_problem(enum framing_problem problem, void *user)
{
    buf_append_char(user, (char)('0' + (int)problem));
}

static struct buf run(str stream, size_t step)
{
    struct buf events;
    struct framing f;
    buf_init(&events, 64 * MIB);
    framing_init(&f, 4 * KIB, &(struct framing_events){on_message, on_problem, &events});
    for (size_t at = 0; at < stream.len; at += step) {
        framing_feed(&f, str_sub(stream, at, at + step));
    }
    framing_release(&f);
    return events;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1) {
        return 0;
    }
    str stream = str_of((const char *)data + 1, size - 1);
    struct buf whole = run(stream, size);
    struct buf cut = run(stream, (size_t)data[0] % 17 + 1);
    ASSERT(str_eq(buf_str(&whole), buf_str(&cut)));
    buf_release(&whole);
    buf_release(&cut);
    return 0;
}
