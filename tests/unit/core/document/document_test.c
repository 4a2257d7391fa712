/* document_test.c - edits, line rules and slices of one document, by example. */
#include "core/document/document.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "core/base/limits.h"
#include "core/base/memory.h"

static void assert_text(const struct document *d, str want)
{
    struct buf b;
    buf_init(&b, DOCUMENT_MAX_BYTES);
    document_copy(d, 0, document_len(d), &b);
    assert_int_equal(b.len, want.len);
    assert_true(str_eq(buf_str(&b), want));
    buf_release(&b);
}

static void assert_starts(const struct document *d, const size_t *want, size_t n)
{
    assert_int_equal(document_line_count(d), n);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(document_line_start(d, i), want[i]);
    }
}
#define ASSERT_STARTS(d, ...)                                                                      \
    assert_starts(d, (const size_t[]){__VA_ARGS__},                                                \
                  sizeof((const size_t[]){__VA_ARGS__}) / sizeof(size_t))

static void edit(struct document *d, size_t start, size_t end, const char *text)
{
    assert_int_equal(document_edit(d, start, end, str_from(text)), ERR_OK);
}

static void document_empty_has_one_line(void **state)
{
    (void)state;
    struct document *d = document_create(STR(""));
    assert_int_equal(document_len(d), 0);
    ASSERT_STARTS(d, 0);
    assert_int_equal(document_line_end(d, 0), 0);
    assert_int_equal(document_line_at(d, 0), 0);
    assert_int_equal(document_floor(d, 7), 0);
    edit(d, 0, 0, "x");
    assert_text(d, STR("x"));
    assert_int_equal(document_revision(d), 1);
    document_destroy(d);
    document_destroy(NULL);
}

static void document_lines_end_at_each_form(void **state)
{
    (void)state;
    struct document *d = document_create(STR("a\nbc\r\nd\re"));
    ASSERT_STARTS(d, 0, 2, 6, 8);
    const size_t ends[] = {1, 4, 7, 9};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(document_line_end(d, i), ends[i]);
    }
    assert_int_equal(document_line_start(d, 4), 9);
    assert_int_equal(document_line_end(d, 4), 9);
    const size_t lines[] = {0, 0, 1, 1, 1, 1, 2, 2, 3, 3};
    for (size_t i = 0; i < 10; i++) {
        assert_int_equal(document_line_at(d, i), lines[i]);
    }
    document_destroy(d);
}

static void document_edit_joins_and_splits_pairs(void **state)
{
    (void)state;
    struct document *d = document_create(STR("a\rb"));
    edit(d, 2, 2, "\n"); /* "\r" and "\n" become one line end */
    ASSERT_STARTS(d, 0, 3);
    edit(d, 2, 2, "x"); /* and two again */
    ASSERT_STARTS(d, 0, 2, 4);
    edit(d, 2, 3, "");
    ASSERT_STARTS(d, 0, 3);
    edit(d, 1, 2, ""); /* "\r" goes, "\n" stays */
    ASSERT_STARTS(d, 0, 2);
    edit(d, 1, 1, "\r");
    ASSERT_STARTS(d, 0, 3);
    assert_int_equal(document_line_end(d, 0), 1);
    edit(d, 2, 3, "");
    ASSERT_STARTS(d, 0, 2);
    assert_text(d, STR("a\rb"));
    document_destroy(d);
}

static void document_edit_at_a_line_start_keeps_it(void **state)
{
    (void)state;
    struct document *d = document_create(STR("one\ntwo\nthree"));
    edit(d, 4, 4, "x");
    ASSERT_STARTS(d, 0, 4, 9);
    edit(d, 0, 0, "\n");
    ASSERT_STARTS(d, 0, 1, 5, 10);
    edit(d, 0, 15, "");
    ASSERT_STARTS(d, 0);
    document_destroy(d);
}

static void document_slice_copies_only_over_the_gap(void **state)
{
    (void)state;
    struct document *d = document_create(STR("0123456789"));
    edit(d, 5, 5, "-"); /* the gap is behind the dash, at 6 */
    struct buf scratch;
    buf_init(&scratch, 64);
    assert_true(str_eq(document_slice(d, 0, 6, &scratch), STR("01234-")));
    assert_true(str_eq(document_slice(d, 6, 11, &scratch), STR("56789")));
    assert_int_equal(scratch.len, 0);
    assert_true(str_eq(document_slice(d, 4, 8, &scratch), STR("4-56")));
    assert_int_equal(scratch.len, 4);
    assert_true(str_eq(document_slice(d, 9, 999, &scratch), STR("89")));
    assert_int_equal(document_slice(d, 50, 40, &scratch).len, 0);
    assert_true(str_eq(document_piece(d, 4, 8), STR("4-")));
    assert_true(str_eq(document_piece(d, 6, 8), STR("56")));
    buf_release(&scratch);
    document_destroy(d);
}

static void document_slice_past_the_scratch_maximum_is_empty(void **state)
{
    (void)state;
    struct document *d = document_create(STR("0123456789"));
    edit(d, 5, 5, "-");
    struct buf scratch;
    buf_init(&scratch, 3);
    assert_int_equal(document_slice(d, 0, 11, &scratch).len, 0);
    buf_release(&scratch);
    document_destroy(d);
}

static void document_floor_finds_code_points(void **state)
{
    (void)state;
    struct document *d = document_create(STR("a\xC3\xA9\xF0\x9F\x98\x80z"));
    const size_t want[] = {0, 1, 1, 3, 3, 3, 3, 7, 8, 8};
    for (size_t i = 0; i < 10; i++) {
        assert_int_equal(document_floor(d, i), want[i]);
    }
    document_destroy(d);
}

static void document_eol_is_the_first_form(void **state)
{
    (void)state;
    static const struct {
        const char *text, *eol;
    } rows[] = {{"", "\n"},         {"abc", "\n"},    {"a\r\nb\n", "\r\n"}, {"\nb\r\n", "\n"},
                {"a\rb\r\n", "\r"}, {"\r\n", "\r\n"}, {"\r\r\n", "\r"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct document *d = document_create(str_from(rows[i].text));
        assert_true(str_eq(document_eol(d), str_from(rows[i].eol)));
        document_destroy(d);
    }
}

static void document_edit_replaces_everything(void **state)
{
    (void)state;
    struct document *d = document_create(STR("a\nb\nc"));
    edit(d, 1, 1, "z");
    assert_int_equal(document_edit(d, 0, document_len(d), STR("x\r\ny")), ERR_OK);
    assert_text(d, STR("x\r\ny"));
    ASSERT_STARTS(d, 0, 3);
    assert_int_equal(document_revision(d), 2);
    document_destroy(d);
}

static void document_edit_past_the_maximum_changes_nothing(void **state)
{
    (void)state;
    struct document *d = document_create(STR("ab\n"));
    str huge = {"", (size_t)DOCUMENT_MAX_BYTES}; /* its bytes are never looked at */
    assert_int_equal(document_edit(d, 1, 1, huge), ERR_TOO_LARGE);
    huge.len = SIZE_MAX;
    assert_int_equal(document_edit(d, 0, 3, huge), ERR_TOO_LARGE);
    assert_text(d, STR("ab\n"));
    ASSERT_STARTS(d, 0, 3);
    assert_int_equal(document_revision(d), 0);
    document_destroy(d);
}

static void document_survives_growing_and_shrinking(void **state)
{
    (void)state;
    struct buf text;
    buf_init(&text, 8 * MIB);
    for (unsigned i = 0; i < 100000; i++) {
        buf_appendf(&text, "line %u\r\n", i);
    }
    struct document *d = document_create(STR("head\ntail"));
    assert_int_equal(document_edit(d, 5, 5, buf_str(&text)), ERR_OK);
    assert_int_equal(document_line_count(d), 100002);
    assert_int_equal(document_line_end(d, 1), 11);
    edit(d, 0, document_len(d) - 4, "");
    assert_text(d, STR("tail"));
    ASSERT_STARTS(d, 0);
    buf_release(&text);
    document_destroy(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(document_empty_has_one_line),
        cmocka_unit_test(document_lines_end_at_each_form),
        cmocka_unit_test(document_edit_joins_and_splits_pairs),
        cmocka_unit_test(document_edit_at_a_line_start_keeps_it),
        cmocka_unit_test(document_slice_copies_only_over_the_gap),
        cmocka_unit_test(document_slice_past_the_scratch_maximum_is_empty),
        cmocka_unit_test(document_floor_finds_code_points),
        cmocka_unit_test(document_eol_is_the_first_form),
        cmocka_unit_test(document_edit_replaces_everything),
        cmocka_unit_test(document_edit_past_the_maximum_changes_nothing),
        cmocka_unit_test(document_survives_growing_and_shrinking),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
