/* fit_test.c - agreement of typed text with a suggestion. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/request/fit.h"

static void check(const char *clean, const char *typed, bool landed, enum fit want,
                  const char *rest)
{
    size_t at = 0;
    assert_int_equal(fit_typed(str_from(clean), str_from(typed), landed, &at), want);
    if (want == FIT_YES) {
        assert_string_equal(clean + at, rest);
    }
}

static void typed_beginning_fits(void **state)
{
    (void)state;
    check("return x;", "", false, FIT_YES, "return x;");
    check("return x;", "ret", false, FIT_YES, "urn x;");
    check("return x;", "return x;", true, FIT_YES, "");
    check("return x;", "res", false, FIT_NO, NULL);
    check("h\xc3\xa9llo", "h\xc3\xa9", false, FIT_YES, "llo");
}

static void longer_text_waits_until_landed(void **state)
{
    (void)state;
    check("ret", "return", false, FIT_WAITING, NULL);
    check("ret", "return", true, FIT_NO, NULL);
    check("", "r", false, FIT_WAITING, NULL);
    check("rex", "return", false, FIT_NO, NULL);
}

static void line_ends_of_any_form_are_equal(void **state)
{
    (void)state;
    check("{\n    a;\n}", "{\r\n", false, FIT_YES, "    a;\n}");
    check("{\n    a;\n}", "{\r", false, FIT_YES, "    a;\n}");
    check("a\nb", "a\n\n", false, FIT_NO, NULL);
}

static void blanks_after_a_line_end_are_not_compared(void **state)
{
    (void)state;
    check("{\n    a;", "{\n  ", false, FIT_YES, "  a;");
    check("{\n    a;", "{\n\t", false, FIT_YES, "a;");
    check("{\n    a;", "{\n        ", false, FIT_YES, "a;");
    check("{\n    a;", "{\n\ta", false, FIT_YES, ";");
    check("x = 1", "x  = 1", false, FIT_NO, NULL);
    check("a\n    \n    b", "a\n\n    b", false, FIT_YES, "");
}

static void closers_are_those_that_were_opened(void **state)
{
    (void)state;
    assert_true(fit_closers(STR("foo"), STR("")));
    assert_true(fit_closers(STR("foo("), STR(")")));
    assert_true(fit_closers(STR("foo(["), STR("])")));
    assert_true(fit_closers(STR("foo([a]"), STR(")")));
    assert_true(fit_closers(STR("print(\""), STR("\")")));
    assert_true(fit_closers(STR("if x {"), STR("\n}")));
    assert_true(fit_closers(STR("if (a < b && f("), STR("))")));
    assert_false(fit_closers(STR("foo"), STR(")")));
    assert_false(fit_closers(STR("foo()"), STR(")")));
    assert_false(fit_closers(STR("foo(["), STR(")]")));
    assert_false(fit_closers(STR("foo("), STR(");")));
    assert_false(fit_closers(STR("say(\"(\""), STR("))")));
}

static void less(const char *rest, const char *closers, const char *want, size_t n_replace)
{
    struct fit_rest got = fit_less_closers(str_from(rest), str_from(closers));
    assert_int_equal(got.text.len, strlen(want));
    assert_memory_equal(got.text.ptr, want, got.text.len);
    assert_int_equal(got.n_replace, n_replace);
}

static void closers_that_stand_already_are_taken_off(void **state)
{
    (void)state;
    less("a, b)", "", "a, b)", 0);
    less("a, b)", ")", "a, b", 0);
    less("f(x), b)", ")", "f(x), b", 0);
    less("f(x)", ")", "f(x)", 0);
    less("a, b", ")", "a, b", 0);
    less("\"a)\", b)", ")", "\"a)\", b", 0);
    less("hello\")", "\")", "hello", 0);
    less("\n    return 1;\n}", "\n}", "\n    return 1;", 0);
}

static void closers_in_the_middle_are_replaced(void **state)
{
    (void)state;
    less("a, b);", ")", "a, b);", 1);
    less("a])] = 1", "])", "a])] = 1", 2);
    less("x;\n}\nelse {", "\n}", "x;", 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(typed_beginning_fits),
        cmocka_unit_test(longer_text_waits_until_landed),
        cmocka_unit_test(line_ends_of_any_form_are_equal),
        cmocka_unit_test(blanks_after_a_line_end_are_not_compared),
        cmocka_unit_test(closers_are_those_that_were_opened),
        cmocka_unit_test(closers_that_stand_already_are_taken_off),
        cmocka_unit_test(closers_in_the_middle_are_replaced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
