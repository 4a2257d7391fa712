/* demo_script_test.c - the demo's person types what is there, and takes only what is right. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/base/utf8.h"
#include "lsp/demo_script.h"

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

static uint64_t gap_after(struct demo_person *p, const char *before, const char *rest)
{
    return demo_gap_us(p, str_from(before), str_from(rest));
}

static void gaps_repeat_with_the_seed_and_are_short_inside_words(void **state)
{
    (void)state;
    enum { N = 4001 };
    static uint64_t gaps[N], pauses[N];
    struct demo_person a = demo_person(5);
    struct demo_person b = demo_person(5);
    for (size_t i = 0; i < N; i++) {
        gaps[i] = gap_after(&a, "siz", "e_t");
        pauses[i] = gap_after(&a, "size(", "text");
        assert_int_equal(gaps[i], gap_after(&b, "siz", "e_t"));
        assert_int_equal(pauses[i], gap_after(&b, "", "text"));
    }
    qsort(gaps, N, sizeof gaps[0], compare);
    qsort(pauses, N, sizeof pauses[0], compare);
    assert_in_range(gaps[N / 2], 105000, 121000);
    assert_in_range(pauses[N / 2], 230000, 260000);
    assert_true(gaps[0] >= 30000 && gaps[N - 1] < 430000);
    assert_true(pauses[0] >= 60000 && pauses[N - 1] < 1710000);
}

/* Over code the two kinds of gaps mix to about 67/94/149/270/769 ms at 10, 25, 50, 75 and 90
 * percent. */
static void gaps_over_code_are_bursts_and_pauses(void **state)
{
    (void)state;
    enum { N = 4000 };
    static uint64_t gaps[N];
    str code = STR("    if (value > limit && !is_done(list->head, value)) {\n"
                   "        list_append(&list->head, value + offset);\n    }\n");
    struct demo_person p = demo_person(7);
    size_t n = 0;
    for (size_t at = 0; n < N; at = at < code.len ? at : 0) {
        at += demo_key(str_sub(code, at, code.len), at == 0);
        gaps[n++] = demo_gap_us(&p, str_sub(code, 0, at), str_sub(code, at, code.len));
    }
    qsort(gaps, N, sizeof gaps[0], compare);
    assert_in_range(gaps[N / 10], 55000, 80000);
    assert_in_range(gaps[N / 4], 80000, 110000);
    assert_in_range(gaps[N / 2], 120000, 175000);
    assert_in_range(gaps[N * 3 / 4], 220000, 320000);
    assert_in_range(gaps[N * 9 / 10], 600000, 900000);
}

static void keys_are_counted_with_the_editors_indentation(void **state)
{
    (void)state;
    assert_int_equal(demo_keys(STR(""), false), 0);
    assert_int_equal(demo_keys(STR("a = b;\n        c"), false), 8);
    assert_int_equal(demo_keys(STR("    a"), true), 2);
    assert_int_equal(demo_keys(STR("    a"), false), 5);
}

static struct demo_choice choose(const char *ghost, const char *rest)
{
    return demo_choose(str_from(ghost), str_from(rest));
}

static void assert_choice(const char *ghost, const char *rest, enum demo_part part, size_t n)
{
    struct demo_choice c = choose(ghost, rest);
    assert_int_equal(c.part, part);
    assert_int_equal(c.n_bytes, n);
}

static void whole_suggestions_are_taken_where_they_are_right(void **state)
{
    (void)state;
    assert_choice("return 0;", "return 0;\n}\n", DEMO_WHOLE, 9);
    assert_choice("a = b;\n    c = d;", "a = b;\n    c = d;\n", DEMO_WHOLE, 17);
    assert_choice("a = b;\n    c = d;", "a = b;\r\n    c = d;\r\n", DEMO_WHOLE, 18);
    assert_int_equal(choose("a = b;", "a = b;").n_visible, 4);
}

static void right_first_line_or_word_is_taken_before_the_wrong_part(void **state)
{
    (void)state;
    assert_choice("first();\nsecond();", "first();\nother();\n", DEMO_LINE, 8);
    assert_choice("compute(value, left)", "compute(value, right)", DEMO_WORD, 7);
    assert_choice("(value, left)", "(value, right)", DEMO_WORD, 6);
    assert_choice(" = counter;", " = counter + 1;", DEMO_WORD, 10);
}

static void little_or_wrong_suggestions_are_left_alone(void **state)
{
    (void)state;
    assert_choice("", "return 0;", DEMO_NOTHING, 0);
    assert_choice("return", "", DEMO_NOTHING, 0);
    assert_choice("ret;", "return 0;", DEMO_NOTHING, 0);
    assert_choice("x);", "x);\n", DEMO_NOTHING, 0);
    assert_choice("retur", "return 0;", DEMO_NOTHING, 0);
    assert_choice("count = counter;", "counter = 1;", DEMO_NOTHING, 0);
    assert_choice("    \n   ", "    \n   x", DEMO_NOTHING, 0);
    assert_choice("\xc3\xa9\xc3\xa9", "\xc3\xa9\xc3\xa9 x", DEMO_NOTHING, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_spell_the_text_exactly),
        cmocka_unit_test(gaps_repeat_with_the_seed_and_are_short_inside_words),
        cmocka_unit_test(gaps_over_code_are_bursts_and_pauses),
        cmocka_unit_test(keys_are_counted_with_the_editors_indentation),
        cmocka_unit_test(whole_suggestions_are_taken_where_they_are_right),
        cmocka_unit_test(right_first_line_or_word_is_taken_before_the_wrong_part),
        cmocka_unit_test(little_or_wrong_suggestions_are_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
