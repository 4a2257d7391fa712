/* demo_script_test.c - the demo's person types what is there, and takes only what is right. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/base/limits.h"
#include "core/base/utf8.h"
#include "lsp/demo_script.h"

static str take(str text, struct demo_region r)
{
    return str_sub(text, r.start, r.end);
}

/* A file of `n` functions in C with ten statements each. */
static void write_c(struct buf *out, int n)
{
    for (int f = 0; f < n; f++) {
        buf_appendf(out, "static int function_%d(int value)\n{\n", f);
        for (int i = 0; i < 10; i++) {
            buf_appendf(out, "    int local_%d = compute(value, %d);\n", i, f);
        }
        buf_append(out, STR("    return 0;\n}\n\n"));
    }
}

static void region_is_a_body_in_the_middle(void **state)
{
    (void)state;
    struct buf text = {0};
    buf_init(&text, MIB);
    write_c(&text, 9);
    struct demo_region r;
    assert_true(demo_region_find(buf_str(&text), &r));
    str body = take(buf_str(&text), r);
    assert_true(str_starts_with(body, STR("    int local_0 = compute(value, ")));
    assert_int_equal(text.ptr[r.start - 1], '\n');
    assert_int_equal(text.ptr[r.end], '\n');
    assert_true(r.start > text.len / 4 && r.end < text.len);
    assert_true(body.len >= 400);
    buf_release(&text);
}

static void region_of_python_is_found_by_indentation(void **state)
{
    (void)state;
    struct buf text = {0};
    buf_init(&text, MIB);
    for (int i = 0; i < 6; i++) {
        buf_appendf(&text, "def f%d(a, b):\n", i);
        for (int line = 0; line < 12; line++) {
            buf_appendf(&text, "    total = total + a * b - %d  # \xc3\xa4\n", line);
        }
        buf_append(&text, STR("\n"));
    }
    struct demo_region r;
    assert_true(demo_region_find(buf_str(&text), &r));
    assert_true(str_starts_with(take(buf_str(&text), r), STR("    total")));
    assert_true(utf8_is_valid(take(buf_str(&text), r)));
    buf_release(&text);
}

static void region_of_prose_is_lines_from_the_middle(void **state)
{
    (void)state;
    struct buf text = {0};
    buf_init(&text, MIB);
    for (int i = 0; i < 200; i++) {
        buf_appendf(&text, "This is sentence %d of a text without code.\r\n", i);
    }
    struct demo_region r;
    assert_true(demo_region_find(buf_str(&text), &r));
    assert_true(str_starts_with(take(buf_str(&text), r), STR("This is")));
    assert_int_equal(text.ptr[r.end], '\r');
    buf_release(&text);
}

static void region_of_nothing_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "\n", "int x;\n", "{\n}\n", "\n\n\n\n\n\n\n\n\n"};
    struct demo_region r;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_false(demo_region_find(str_from(texts[i]), &r));
    }
}

static void keys_spell_the_text_exactly(void **state)
{
    (void)state;
    str text = STR("    if (\xc3\xa9) {\r\n        x = 1;\n\n\tend\xf0\x9f\x98\x80");
    size_t at = 0;
    size_t n_keys = 0;
    while (at < text.len) {
        size_t n = demo_key(str_sub(text, at, text.len), at == 0);
        assert_true(n > 0);
        assert_true(utf8_is_valid(str_sub(text, at, at + n)));
        at += n;
        n_keys++;
    }
    assert_int_equal(at, text.len);
    /* indentation, 8 characters, line end, 6, line end, line end with tab, 4 */
    assert_int_equal(n_keys, 1 + 8 + 1 + 6 + 1 + 1 + 4);
    assert_int_equal(demo_key(str_sub(text, text.len, text.len), false), 0);
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static void gaps_have_a_human_median_and_repeat_with_the_seed(void **state)
{
    (void)state;
    enum { N = 4001 };
    static uint64_t gaps[N];
    struct demo_person a = demo_person(5);
    struct demo_person b = demo_person(5);
    for (size_t i = 0; i < N; i++) {
        gaps[i] = demo_gap_us(&a, false);
        assert_int_equal(gaps[i], demo_gap_us(&b, false));
    }
    qsort(gaps, N, sizeof gaps[0], compare);
    assert_in_range(gaps[N / 2], 100000, 120000);
    assert_in_range(gaps[0], 40000, 60000);
    assert_true(gaps[N - 1] < 450000);
}

static size_t acceptable(const char *ghost, const char *rest)
{
    return demo_acceptable(str_from(ghost), str_from(rest));
}

static void whole_suggestions_are_taken_where_they_are_right(void **state)
{
    (void)state;
    assert_int_equal(acceptable("return 0;", "return 0;\n}\n"), 9);
    assert_int_equal(acceptable("a = b;\n    c = d;", "a = b;\n    c = d;\n"), 17);
    assert_int_equal(acceptable("a = b;\n    c = d;", "a = b;\r\n    c = d;\r\n"), 18);
}

static void right_lines_and_words_are_taken_before_the_wrong_part(void **state)
{
    (void)state;
    assert_int_equal(acceptable("first();\nsecond();", "first();\nother();\n"), 8);
    assert_int_equal(acceptable("compute(value, left)", "compute(value, right)"), 15);
    assert_int_equal(acceptable("count = counter;", "count = counted;"), 8);
}

static void little_or_wrong_suggestions_are_left_alone(void **state)
{
    (void)state;
    assert_int_equal(acceptable("", "return 0;"), 0);
    assert_int_equal(acceptable("return", ""), 0);
    assert_int_equal(acceptable("ret;", "return 0;"), 0);
    assert_int_equal(acceptable("x);", "x);\n"), 0);
    assert_int_equal(acceptable("retur", "return 0;"), 0);
    assert_int_equal(acceptable("    \n   ", "    \n   x"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(region_is_a_body_in_the_middle),
        cmocka_unit_test(region_of_python_is_found_by_indentation),
        cmocka_unit_test(region_of_prose_is_lines_from_the_middle),
        cmocka_unit_test(region_of_nothing_is_refused),
        cmocka_unit_test(keys_spell_the_text_exactly),
        cmocka_unit_test(gaps_have_a_human_median_and_repeat_with_the_seed),
        cmocka_unit_test(whole_suggestions_are_taken_where_they_are_right),
        cmocka_unit_test(right_lines_and_words_are_taken_before_the_wrong_part),
        cmocka_unit_test(little_or_wrong_suggestions_are_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
