/* trace_test.c - the ring of decisions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/request/trace.h"

static void reasons_are_joined(void **state)
{
    (void)state;
    struct trace t = {.n = 0};
    uint64_t s = trace_begin(&t, "inline", STR("/home/me/src/main.c"), 5, 6);
    trace_why(&t, s, "boarded flight %d", 12);
    trace_why(&t, s, "landed");
    trace_end(&t, s, "shown", 9);
    const struct trace_entry *e = trace_find(&t, s);
    assert_string_equal(e->why, "boarded flight 12; landed");
    assert_string_equal(e->file, "main.c");
    assert_int_equal(e->answered_us, 9);
}

static void ring_forgets_the_oldest_and_ignores_what_it_forgot(void **state)
{
    (void)state;
    struct trace t = {.n = 0};
    uint64_t first = trace_begin(&t, "inline", STR("a"), 1, 1);
    for (int i = 0; i < TRACE_ENTRIES; i++) {
        (void)trace_begin(&t, "inline", STR("b"), 2, 2);
    }
    assert_null(trace_find(&t, first));
    trace_why(&t, first, "too late");
    trace_end(&t, first, "shown", 3);
    assert_string_equal(trace_find(&t, t.n)->why, "");
}

static void long_reasons_are_cut(void **state)
{
    (void)state;
    struct trace t = {.n = 0};
    uint64_t s = trace_begin(&t, "a kind that is far too long", STR("c"), 1, 1);
    for (int i = 0; i < 50; i++) {
        trace_why(&t, s, "reason number %d", i);
    }
    assert_true(strlen(trace_find(&t, s)->why) < TRACE_WHY_BYTES);
}

static void newest_is_written_first(void **state)
{
    (void)state;
    struct trace t = {.n = 0};
    (void)trace_begin(&t, "inline", STR("a.c"), 1000, 2000);
    uint64_t s = trace_begin(&t, "completion", STR("b.c"), 1000, 3000);
    trace_end(&t, s, "empty", 3500);
    struct buf out;
    buf_init(&out, 4096);
    struct json_writer w = json_writer(&out);
    trace_write(&t, &w, 10);
    assert_string_equal(buf_cstr(&out),
                        "[{\"serial\":2,\"wallMs\":3,\"kind\":\"completion\",\"file\":\"b.c\","
                        "\"outcome\":\"empty\",\"why\":\"\",\"ms\":2.5},"
                        "{\"serial\":1,\"wallMs\":2,\"kind\":\"inline\",\"file\":\"a.c\","
                        "\"outcome\":\"open\",\"why\":\"\"}]");
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reasons_are_joined),
        cmocka_unit_test(ring_forgets_the_oldest_and_ignores_what_it_forgot),
        cmocka_unit_test(long_reasons_are_cut),
        cmocka_unit_test(newest_is_written_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
