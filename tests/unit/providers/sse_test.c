/* sse_test.c - server-sent events in pieces of any size. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "core/base/limits.h"
#include "providers/sse.h"

static bool note(const struct sse_event *event, void *user)
{
    struct buf *out = user;
    buf_appendf(out, "(" STR_FMT ":" STR_FMT "%s)", STR_ARG(event->name), STR_ARG(event->data),
                event->is_oversized ? "oversized" : "");
    return !str_eq(event->data, STR("stop"));
}

static void read_in_steps(str stream, size_t split, size_t step, struct buf *out)
{
    struct sse s;
    sse_init(&s);
    buf_clear(out);
    sse_feed(&s, str_sub(stream, 0, split), note, out);
    for (size_t i = split; i < stream.len; i += step) {
        sse_feed(&s, str_sub(stream, i, i + step), note, out);
    }
    sse_finish(&s, note, out);
    sse_release(&s);
}

static void check_events(const char *stream, const char *expected)
{
    struct buf out;
    buf_init(&out, 8 * MIB);
    str text = str_from(stream);
    for (size_t split = 0; split <= text.len; split++) {
        read_in_steps(text, split, text.len, &out);
        assert_string_equal(buf_cstr(&out), expected);
        read_in_steps(text, split, 1, &out);
        assert_string_equal(buf_cstr(&out), expected);
    }
    buf_release(&out);
}

static void sse_ends_lines_in_any_form(void **state)
{
    (void)state;
    check_events("data: a\n\ndata: b\n\n", "(:a)(:b)");
    check_events("data: a\r\n\r\ndata: b\r\n\r\n", "(:a)(:b)");
    check_events("data: a\r\rdata: b\r\r", "(:a)(:b)");
    check_events("data: a\r\n\ndata: b\n\r\n", "(:a)(:b)");
    check_events("\n\n\r\n\rdata: a\n\n\n\n", "(:a)");
}

static void sse_reads_fields(void **state)
{
    (void)state;
    check_events("event: ping\ndata:  x\n\n", "(ping: x)");
    check_events("data:x\ndata\ndata: y\n\n", "(:x\n\ny)");
    check_events(": comment\n:\n\nid: 3\nretry: 5\ndata: a:b\n\n", "(:a:b)");
    check_events("datax: 1\nDATA: 2\n\ndata: 3\n\n", "(:3)");
    check_events("event: a\n\ndata: b\n\n", "(:b)");
    check_events("event: a\nevent: b\ndata:\n\n", "(b:)");
    check_events("error: {}\n\n", "(:{})");
}

static void sse_skips_one_bom(void **state)
{
    (void)state;
    check_events("\xef\xbb\xbf"
                 "data: a\n\n",
                 "(:a)");
    check_events("data: a\n\n\xef\xbb\xbf"
                 "data: b\n\n",
                 "(:a)");
}

static void sse_gives_the_last_event_without_its_blank_line(void **state)
{
    (void)state;
    check_events("data: a", "(:a)");
    check_events("data: a\n", "(:a)");
    check_events("data: a\r", "(:a)");
    check_events("data: a\n\nevent: x\ndata: \xc3\xa9", "(:a)(x:\xc3\xa9)");
    check_events("", "");
    check_events(":", "");
}

static void sse_stops_when_told(void **state)
{
    (void)state;
    check_events("data: a\n\ndata: stop\n\ndata: b\n\n", "(:a)(:stop)");
    check_events("data: stop", "(:stop)");
}

static void sse_marks_what_is_too_large(void **state)
{
    (void)state;
    struct buf stream, out;
    buf_init(&stream, 8 * MIB);
    buf_init(&out, 8 * MIB);
    buf_append(&stream, STR("data: "));
    for (size_t i = 0; i < HTTP_MAX_LINE_BYTES; i++) {
        buf_append_char(&stream, 'x');
    }
    buf_append(&stream, STR("\n\ndata: a\n\n"));
    for (size_t i = 0; i < 3; i++) { /* lines that fit, an event that doesn't */
        buf_append(&stream, STR("data: "));
        for (size_t k = 0; k < HTTP_MAX_LINE_BYTES / 2; k++) {
            buf_append_char(&stream, 'y');
        }
        buf_append(&stream, STR("\n"));
    }
    buf_append(&stream, STR("\ndata: b\n\n"));
    static const size_t steps[] = {1, 7, 4096, 1000003, 8 * MIB};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        read_in_steps(buf_str(&stream), 0, steps[i], &out);
        assert_string_equal(buf_cstr(&out), "(:oversized)(:a)(:oversized)(:b)");
    }
    buf_release(&stream);
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sse_ends_lines_in_any_form),
        cmocka_unit_test(sse_reads_fields),
        cmocka_unit_test(sse_skips_one_bom),
        cmocka_unit_test(sse_gives_the_last_event_without_its_blank_line),
        cmocka_unit_test(sse_stops_when_told),
        cmocka_unit_test(sse_marks_what_is_too_large),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
