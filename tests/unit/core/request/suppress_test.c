/* suppress_test.c - classes of places, and what is withheld where little is of use. */
#include "core/request/suppress.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define C      1u
#define SECOND 1000000u

static void places_have_classes(void **state)
{
    (void)state;
    static const struct {
        const char *before, *after, *language;
        enum place_class expected;
    } cases[] = {
        {"    ", "", "c", PLACE_BLANK},
        {"x = ", "", "c", PLACE_LINE_END},
        {"f(a", ");", "c", PLACE_LINE_END},
        {"if (x) {", "", "c", PLACE_OPENER},
        {"def f():", "", "python", PLACE_OPENER},
        {"x = f", "oo(bar);", "c", PLACE_MIDDLE},
        {"x = 1; // so", "", "c", PLACE_COMMENT},
        {" * goes on", "", "c", PLACE_COMMENT},
        {"a *b = c", "", "c", PLACE_LINE_END},
        {"# so", "", "python", PLACE_COMMENT},
        {"# so", "", "c", PLACE_LINE_END},
        {"-- so", "", "sql", PLACE_COMMENT},
        {"; so", "", "scheme", PLACE_COMMENT},
        {"printf(\"so", "\");", "c", PLACE_STRING},
        {"printf(\"// \\\" so", "\");", "c", PLACE_STRING},
        {"x = \"http://a\" + ", "", "javascript", PLACE_LINE_END},
        {"c == '\"' && ", "", "c", PLACE_LINE_END},
        {"fn f<'a>(x: &'a str) ", "", "rust", PLACE_LINE_END},
        {"it's # a // title", "", "markdown", PLACE_LINE_END},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        enum place_class c = place_class_of(str_from(cases[i].before), str_from(cases[i].after),
                                            str_from(cases[i].language));
        if (c != cases[i].expected) {
            fail_msg("%s|%s is %s", cases[i].before, cases[i].after, place_class_name(c));
        }
    }
}

static void learn(struct suppress *s, enum fate fate, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        suppress_learn(s, C, PLACE_LINE_END, fate);
    }
}

static unsigned n_withheld(struct suppress *s, enum place_class place, uint64_t language,
                           uint64_t cost_us, unsigned n)
{
    unsigned n_held = 0;
    for (unsigned i = 0; i < n; i++) {
        n_held += suppress_judge(s, language, place, cost_us).is_withheld;
    }
    return n_held;
}

static void nothing_is_withheld_before_enough_is_known(void **state)
{
    (void)state;
    struct suppress s = {.n_used = 0};
    learn(&s, FATE_OVER, SUPPRESS_MIN - 1);
    assert_int_equal(n_withheld(&s, PLACE_LINE_END, C, 10 * SECOND, 100), 0);
    learn(&s, FATE_OVER, 1);
    struct verdict v = suppress_judge(&s, C, PLACE_LINE_END, SECOND);
    assert_true(v.is_withheld);
    assert_int_equal(v.n_shown, SUPPRESS_MIN);
    assert_int_equal(v.n_used, 0);
}

static void one_in_a_few_is_always_made(void **state)
{
    (void)state;
    struct suppress s = {.n_used = 0};
    learn(&s, FATE_OVER, 500);
    assert_int_equal(n_withheld(&s, PLACE_LINE_END, C, 100ull * SECOND, 100),
                     100 - 100 / SUPPRESS_EXPLORE);
}

static void what_is_of_use_is_never_withheld(void **state)
{
    (void)state;
    struct suppress s = {.n_used = 0};
    for (int i = 0; i < 100; i++) { /* one in ten, which pays whatever it costs */
        learn(&s, FATE_OVER, 9);
        learn(&s, i % 2 == 0 ? FATE_TYPED : FATE_PARTLY, 1);
        assert_int_equal(n_withheld(&s, PLACE_LINE_END, C, 100ull * SECOND, 4), 0);
    }
}

static void slow_model_has_to_be_right_more_often(void **state)
{
    (void)state;
    struct suppress s = {.n_used = 0};
    learn(&s, FATE_OVER, 29);
    learn(&s, FATE_TAKEN, 1);
    assert_int_equal(n_withheld(&s, PLACE_LINE_END, C, SECOND / 5, 40), 0);
    assert_int_equal(n_withheld(&s, PLACE_LINE_END, C, 3ull * SECOND, 40), 30);
}

static void places_and_languages_are_told_apart(void **state)
{
    (void)state;
    struct suppress s = {.n_used = 0};
    learn(&s, FATE_OVER, 60);
    assert_int_equal(n_withheld(&s, PLACE_COMMENT, C, SECOND, 40), 0);
    assert_int_equal(n_withheld(&s, PLACE_LINE_END, C + 1, SECOND, 40), 0);
    for (uint64_t other = 10; other < 10 + 2 * SUPPRESS_HABITS;
         other++) { /* crowds the oldest out */
        suppress_learn(&s, other, PLACE_LINE_END, FATE_OVER);
    }
    assert_int_equal(n_withheld(&s, PLACE_LINE_END, C, SECOND, 40), 0);
}

static void place_that_got_better_is_found_out(void **state)
{
    (void)state;
    struct suppress s = {.n_used = 0};
    learn(&s, FATE_OVER, 200);
    unsigned n_needed = 0;
    while (n_withheld(&s, PLACE_LINE_END, C, SECOND, SUPPRESS_EXPLORE) > 0) {
        learn(&s, FATE_TAKEN, 1);
        n_needed++;
    }
    assert_in_range(n_needed, 1, 8);
}

static void nobody_reacting_counts_half(void **state)
{
    (void)state;
    struct suppress s = {.n_used = 0};
    learn(&s, FATE_IGNORED, 2 * SUPPRESS_MIN - 1);
    assert_int_equal(n_withheld(&s, PLACE_LINE_END, C, SECOND, 40), 0);
    learn(&s, FATE_IGNORED, 1);
    assert_int_equal(n_withheld(&s, PLACE_LINE_END, C, SECOND, 40), 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(places_have_classes),
        cmocka_unit_test(nothing_is_withheld_before_enough_is_known),
        cmocka_unit_test(one_in_a_few_is_always_made),
        cmocka_unit_test(what_is_of_use_is_never_withheld),
        cmocka_unit_test(slow_model_has_to_be_right_more_often),
        cmocka_unit_test(places_and_languages_are_told_apart),
        cmocka_unit_test(place_that_got_better_is_found_out),
        cmocka_unit_test(nobody_reacting_counts_half),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
