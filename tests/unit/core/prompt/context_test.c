/* context_test.c - the window around a position: within its limits, at line starts, standing still.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/prompt/context.h"

static const struct window_limits limits = {.prefix_bytes = 300, .suffix_bytes = 100};

static struct document *lines(size_t n)
{
    struct document *d = document_create(STR(""));
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(document_edit(d, document_len(d), document_len(d), STR("line of text\n")),
                         0);
    }
    return d;
}

static void small_document_is_sent_whole(void **state)
{
    (void)state;
    struct document *d = lines(5);
    struct window w = window_around(d, 20, &limits);
    assert_int_equal(w.start, 0);
    assert_int_equal(w.end, document_len(d));
    document_destroy(d);
}

static void window_keeps_its_limits_and_line_starts(void **state)
{
    (void)state;
    struct document *d = lines(500);
    for (size_t cursor = 0; cursor <= document_len(d); cursor += 7) {
        struct window w = window_around(d, cursor, &limits);
        assert_true(w.start <= cursor && cursor <= w.end);
        assert_true(cursor - w.start <= limits.prefix_bytes);
        assert_true(w.end - cursor <= limits.suffix_bytes);
        assert_true(cursor < limits.prefix_bytes || cursor - w.start >= limits.prefix_bytes / 2);
        assert_int_equal(w.start % 13, 0);
        assert_true(w.end == document_len(d) || w.end % 13 == 0);
    }
    document_destroy(d);
}

static void window_start_moves_in_coarse_steps(void **state)
{
    (void)state;
    struct document *d = lines(500);
    size_t moves = 0, last = 0;
    for (size_t cursor = 1000; cursor < 3000; cursor++) {
        size_t start = window_around(d, cursor, &limits).start;
        moves += start != last;
        last = start;
    }
    assert_true(moves <= 2000 / 100 + 2);
    document_destroy(d);
}

static void lines_longer_than_the_window_are_cut_on_code_points(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 1u << 20);
    for (size_t i = 0; i < 4000; i++) {
        buf_append(&b, STR("\xe2\x82\xac"));
    }
    struct document *d = document_create(buf_str(&b));
    for (size_t cursor = 0; cursor <= b.len; cursor += 3 * 17) {
        struct window w = window_around(d, cursor, &limits);
        assert_int_equal(w.start % 3, 0);
        assert_int_equal(w.end % 3, 0);
        assert_true(cursor - w.start <= limits.prefix_bytes &&
                    w.end - cursor <= limits.suffix_bytes);
    }
    document_destroy(d);
    buf_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_document_is_sent_whole),
        cmocka_unit_test(window_keeps_its_limits_and_line_starts),
        cmocka_unit_test(window_start_moves_in_coarse_steps),
        cmocka_unit_test(lines_longer_than_the_window_are_cut_on_code_points),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
