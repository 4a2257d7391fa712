/* visible_test.c - which characters reach a screen or a document. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "core/base/limits.h"
#include "core/base/visible.h"

static void check(const char *text, const char *expected)
{
    struct buf out;
    buf_init(&out, KIB);
    visible_append(&out, str_from(text));
    assert_string_equal(buf_cstr(&out), expected);
    buf_release(&out);
}

static void visible_makes_line_ends_one(void **state)
{
    (void)state;
    check("a\r\nb\rc\nd\r\r\n", "a\nb\nc\nd\n\n");
    check("\ta", "\ta");
}

static void visible_drops_escape_sequences_whole(void **state)
{
    (void)state;
    check("a\x1b[1;31mb\x1b[0m", "ab");
    check("a\x1b]0;t\x07"
          "b\x1b]0;t\x1b\\c",
          "abc");
    check("a\x1b(Bb\x1b=c", "abc");
    check("a\xc2\x9b"
          "31mb",
          "ab");
    check("a\x1b[3\nb", "a\nb");
    check("a\x1b", "a");
    check("a\x1b[\xc3\xa9z", "a\xc3\xa9z");
}

static void visible_lets_no_escape_swallow_a_text(void **state)
{
    (void)state;
    struct buf text, out;
    buf_init(&text, MIB);
    buf_init(&out, MIB);
    buf_append(&text, STR("\x1b]"));
    for (size_t i = 0; i < 1000; i++) {
        buf_append_char(&text, 'x');
    }
    visible_append(&out, buf_str(&text));
    assert_in_range(out.len, 700, 999);
    buf_release(&text);
    buf_release(&out);
}

static void visible_keeps_selectors_after_emoji_only(void **state)
{
    (void)state;
    check("\xe2\x9d\xa4\xef\xb8\x8f", "\xe2\x9d\xa4\xef\xb8\x8f");
    check("a\xef\xb8\x8f", "a");
    check("1\xef\xb8\x8f\xe2\x83\xa3", "1\xe2\x83\xa3");
    check("\xe2\x9d\xa4\xef\xb8\x8f\xef\xb8\x8f", "\xe2\x9d\xa4\xef\xb8\x8f");
}

static void visible_forbids_what_hides(void **state)
{
    (void)state;
    static const uint32_t forbidden[] = {
        0x0,     0x8,     0xB,     0x1B,    0x7F,    0x80,    0x9F,   0xAD,   0x61C,
        0x200B,  0x200D,  0x200F,  0x2028,  0x202A,  0x202E,  0x2060, 0x2064, 0x2066,
        0x2069,  0x3164,  0xFE00,  0xFEFF,  0xFFF9,  0xFFFF,  0xD800, 0xDFFF, 0xFDD0,
        0x1FFFE, 0xE0001, 0xE007F, 0xE0100, 0xE01EF, 0x110000};
    static const uint32_t allowed[] = {0x9,    0xA,    0x20,   0x7E,   0xA0,    0xE9,   0x4E2D,
                                       0x2190, 0x3000, 0xFFFD, 0xE000, 0x1F600, 0x20000};
    for (size_t i = 0; i < sizeof forbidden / sizeof *forbidden; i++) {
        assert_true(visible_is_forbidden(forbidden[i]));
    }
    for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++) {
        assert_false(visible_is_forbidden(allowed[i]));
    }
}

static void visible_decode_groups_wrong_bytes(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t n;
    } cases[] = {{"a", 1},
                 {"\xc3\xa9", 2},
                 {"\xc3", 0},
                 {"\xe2\x82", 0},
                 {"\xe2\x82z", 2},
                 {"\xff\xff", 1},
                 {"\xf0\x9f\x98", 0},
                 {"\xf0\x9f\x98z", 3},
                 {"\xe0\x80\x80", 1},
                 {"\xed\xa0\x80", 1},
                 {"\x80\x80", 1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint32_t cp;
        assert_int_equal(visible_decode(str_from(cases[i].bytes), &cp), cases[i].n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(visible_makes_line_ends_one),
        cmocka_unit_test(visible_drops_escape_sequences_whole),
        cmocka_unit_test(visible_lets_no_escape_swallow_a_text),
        cmocka_unit_test(visible_keeps_selectors_after_emoji_only),
        cmocka_unit_test(visible_forbids_what_hides),
        cmocka_unit_test(visible_decode_groups_wrong_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
