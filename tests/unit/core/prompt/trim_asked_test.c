/* trim_asked_test.c - what a person has asked for may repeat itself more than a completion. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/base/limits.h"
#include "core/prompt/trim.h"

static enum trim_end feed_times(const char *piece, unsigned n, unsigned max_same, size_t *n_given)
{
    struct trim *t = trim_create(&(struct trim_spec){.is_multiline = true, .max_same = max_same});
    struct buf clean;
    buf_init(&clean, 64 * KIB);
    for (unsigned i = 0; i < n; i++) {
        trim_feed(t, str_from(piece), &clean);
    }
    trim_finish(t, false, &clean);
    enum trim_end end = trim_ended(t);
    *n_given = clean.len;
    trim_destroy(t);
    buf_release(&clean);
    return end;
}

static void equal_lines_pass_up_to_a_number(void **state)
{
    (void)state;
    size_t n;
    assert_int_equal(feed_times("    0, 0, 0,\n", 8, 0, &n), TRIM_LOOPS);
    assert_int_equal(feed_times("    0, 0, 0,\n", 8, 12, &n), TRIM_FINISHED);
    assert_int_equal(n, 8 * 13 - 1);
    assert_int_equal(feed_times("    0, 0, 0,\n", 40, 12, &n), TRIM_LOOPS);
    assert_true(n <= 13 * 13);
}

static void rows_of_numbers_pass_and_endless_ones_dont(void **state)
{
    (void)state;
    size_t n;
    assert_int_equal(feed_times("0x00, ", 30, 0, &n), TRIM_LOOPS);
    assert_int_equal(feed_times("0x00, ", 30, 12, &n), TRIM_FINISHED);
    assert_int_equal(feed_times("0x00, ", 300, 12, &n), TRIM_LOOPS);
    assert_int_equal(feed_times("-", 300, 12, &n), TRIM_FINISHED); /* a ruler */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_lines_pass_up_to_a_number),
        cmocka_unit_test(rows_of_numbers_pass_and_endless_ones_dont),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
