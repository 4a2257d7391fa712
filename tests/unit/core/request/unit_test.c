/* unit_test.c - complete units of growing texts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/request/unit.h"

static void place(const char *before, const char *after, enum unit want)
{
    assert_int_equal(unit_for_place(str_from(before), str_from(after)), want);
}

static void places_after_openers_call_for_blocks(void **state)
{
    (void)state;
    place("int main(void) {", "", UNIT_BLOCK);
    place("int main(void) {", "}", UNIT_BLOCK);
    place("def f(x):", "", UNIT_BLOCK);
    place("    ", "", UNIT_BLOCK);
    place("x => ", "", UNIT_BLOCK);
    place("", "", UNIT_LINE);
    place("int x = ", "", UNIT_LINE);
    place("foo(", ")", UNIT_LINE);
    place("if (a) {", " else {", UNIT_LINE);
}

static void complete(const char *text, enum unit unit, bool landed, const char *want)
{
    size_t n = unit_complete(str_from(text), 0, unit, landed);
    assert_int_equal(n, strlen(want));
    assert_memory_equal(text, want, n);
}

static void line_is_complete_at_its_end(void **state)
{
    (void)state;
    complete("", UNIT_LINE, false, "");
    complete("return", UNIT_LINE, false, "");
    complete("return x;\n", UNIT_LINE, false, "return x;");
    complete("return x;", UNIT_LINE, true, "return x;");
    complete("a;\nb;\n", UNIT_LINE, false, "a;");
}

static void blank_lines_complete_nothing(void **state)
{
    (void)state;
    complete("\n", UNIT_LINE, false, "");
    complete("\n    x", UNIT_LINE, false, "");
    complete("\n    x;\n", UNIT_LINE, false, "\n    x;");
    complete("  \n ", UNIT_LINE, true, "");
}

static void block_ends_where_indentation_falls_back(void **state)
{
    (void)state;
    complete("\n    a;\n    b;\n", UNIT_BLOCK, false, "");
    complete("\n    a;\n    b;\n}\n", UNIT_BLOCK, false, "\n    a;\n    b;\n}");
    complete("\n    a;\n    b;\n}", UNIT_BLOCK, false, "");
    complete("\n    a;\n    b;\nint", UNIT_BLOCK, false, "\n    a;\n    b;");
    complete("\n    a;\n    b", UNIT_BLOCK, true, "\n    a;\n    b");
    complete("a = 1\n    b = 2\n\n    c = 3\n", UNIT_BLOCK, false, "a = 1\n    b = 2");
}

/* What is complete stays complete and doesn't change when more text comes. */
static void complete_units_are_stable(void **state)
{
    (void)state;
    const char *text = "\n    if (x) {\n        y();\n    }\n    return 0;\n}\n\nint z;\n";
    for (enum unit unit = UNIT_LINE; unit <= UNIT_BLOCK; unit++) {
        size_t first = 0;
        for (size_t n = 0; n <= strlen(text); n++) {
            size_t got = unit_complete(str_of(text, n), 0, unit, false);
            if (first == 0) {
                first = got;
            } else {
                assert_int_equal(got, first);
            }
        }
        assert_true(first > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(places_after_openers_call_for_blocks),
        cmocka_unit_test(line_is_complete_at_its_end),
        cmocka_unit_test(blank_lines_complete_nothing),
        cmocka_unit_test(block_ends_where_indentation_falls_back),
        cmocka_unit_test(complete_units_are_stable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
