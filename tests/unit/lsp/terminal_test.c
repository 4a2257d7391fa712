/* terminal_test.c - breaking lines for a terminal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/base/limits.h"
#include "lsp/terminal.h"

static void assert_wrapped(const char *text, unsigned indent, unsigned columns, const char *wanted)
{
    struct buf out;
    buf_init(&out, KIB);
    terminal_wrap(&out, str_from(text), indent, columns);
    assert_string_equal(buf_cstr(&out), wanted);
    buf_release(&out);
}

static void lines_are_broken_at_blanks(void **state)
{
    (void)state;
    assert_wrapped("one two three", 0, 80, "one two three");
    assert_wrapped("one two three", 2, 9, "one two\n  three");
    assert_wrapped("one two three", 2, 8, "one\n  two\n  three");
    assert_wrapped("", 2, 8, "");
}

static void words_stay_whole_and_line_ends_stay(void **state)
{
    (void)state;
    assert_wrapped("a verylongwordthatdoesntfit b", 2, 10, "a\n  verylongwordthatdoesntfit\n  b");
    assert_wrapped("one\ntwo three", 1, 80, "one\n two three");
}

static void wide_characters_count_two_cells(void **state)
{
    (void)state;
    assert_wrapped("\xe4\xbd\xa0\xe5\xa5\xbd ab", 0, 6, "\xe4\xbd\xa0\xe5\xa5\xbd\nab");
    assert_wrapped("\xe4\xbd\xa0\xe5\xa5\xbd ab", 0, 7, "\xe4\xbd\xa0\xe5\xa5\xbd ab");
}

static void controls_are_dropped(void **state)
{
    (void)state;
    assert_wrapped("a\x1b[31mb\x07", 0, 80, "a[31mb");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_broken_at_blanks),
        cmocka_unit_test(words_stay_whole_and_line_ends_stay),
        cmocka_unit_test(wide_characters_count_two_cells),
        cmocka_unit_test(controls_are_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
