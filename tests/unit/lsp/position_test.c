/* position_test.c - what the protocol says of positions that fit and of those that don't. */
#include "lsp/position.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define EMOJI "\xF0\x9F\x98\x80" /* 4 bytes, 2 UTF-16 units, 1 code point */
#define EURO  "\xE2\x82\xAC"     /* 3, 1, 1 */

struct row {
    uint32_t line, character;
    size_t utf8, utf16, utf32; /* byte offsets for the same numbers in each encoding */
};

/* "a😀€b" CRLF "x" CR "" LF-less end */
static const char text[] = "a" EMOJI EURO "b\r\nx\ry";
static const struct row rows[] = {
    {0, 0, 0, 0, 0},    {0, 1, 1, 1, 1},
    {0, 2, 1, 1, 5},    {0, 3, 1, 5, 8},
    {0, 4, 1, 8, 9},    {0, 5, 5, 9, 9},
    {0, 6, 5, 9, 9},    {0, 7, 5, 9, 9},
    {0, 8, 8, 9, 9},    {0, 9, 9, 9, 9},
    {0, 10, 9, 9, 9},   {0, UINT32_MAX, 9, 9, 9},
    {1, 0, 11, 11, 11}, {1, 1, 12, 12, 12},
    {1, 2, 12, 12, 12}, {2, 0, 13, 13, 13},
    {2, 1, 14, 14, 14}, {2, UINT32_MAX, 14, 14, 14},
    {3, 0, 14, 14, 14}, {UINT32_MAX, UINT32_MAX, 14, 14, 14},
};

/* Runs the table with the gap at every code point boundary. */
static void position_to_offset_clamps(void **state)
{
    (void)state;
    struct document *d = document_create(str_from(text));
    for (size_t gap = 0; gap <= sizeof text - 1; gap++) {
        size_t at = document_floor(d, gap);
        assert_int_equal(document_edit(d, at, at, STR("#")), ERR_OK);
        assert_int_equal(document_edit(d, at, at + 1, STR("")), ERR_OK);
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            struct position pos = {rows[i].line, rows[i].character};
            assert_int_equal(position_to_offset(d, pos, POSITION_UTF8), rows[i].utf8);
            assert_int_equal(position_to_offset(d, pos, POSITION_UTF16), rows[i].utf16);
            assert_int_equal(position_to_offset(d, pos, POSITION_UTF32), rows[i].utf32);
        }
    }
    document_destroy(d);
}

static void assert_position(struct position got, uint32_t line, uint32_t character)
{
    assert_int_equal(got.line, line);
    assert_int_equal(got.character, character);
}

static void position_from_offset_clamps(void **state)
{
    (void)state;
    struct document *d = document_create(str_from(text));
    assert_position(position_from_offset(d, 3, POSITION_UTF8), 0, 1);
    assert_position(position_from_offset(d, 9, POSITION_UTF8), 0, 9);
    assert_position(position_from_offset(d, 9, POSITION_UTF16), 0, 5);
    assert_position(position_from_offset(d, 9, POSITION_UTF32), 0, 4);
    assert_position(position_from_offset(d, 10, POSITION_UTF16), 0, 5); /* before the LF of CRLF */
    assert_position(position_from_offset(d, 11, POSITION_UTF16), 1, 0);
    assert_position(position_from_offset(d, 12, POSITION_UTF16), 1, 1);
    assert_position(position_from_offset(d, 13, POSITION_UTF16), 2, 0);
    assert_position(position_from_offset(d, SIZE_MAX, POSITION_UTF16), 2, 1);
    document_destroy(d);
}

static void position_round_trips_on_code_points(void **state)
{
    (void)state;
    struct document *d = document_create(str_from(text));
    for (size_t i = 0; i <= document_len(d); i++) {
        if (document_floor(d, i) != i || i == 10) {
            continue;
        }
        for (unsigned e = 0; e < N_POSITION_ENCODINGS; e++) {
            enum position_encoding encoding = (enum position_encoding)e;
            struct position pos = position_from_offset(d, i, encoding);
            assert_int_equal(position_to_offset(d, pos, encoding), i);
        }
    }
    document_destroy(d);
}

static void position_in_empty_document_is_its_start(void **state)
{
    (void)state;
    struct document *d = document_create(STR(""));
    for (unsigned e = 0; e < N_POSITION_ENCODINGS; e++) {
        enum position_encoding encoding = (enum position_encoding)e;
        assert_int_equal(position_to_offset(d, (struct position){0, 3}, encoding), 0);
        assert_position(position_from_offset(d, 5, encoding), 0, 0);
    }
    document_destroy(d);
}

static void position_encoding_has_names(void **state)
{
    (void)state;
    assert_true(str_eq(position_encoding_name(POSITION_UTF8), STR("utf-8")));
    assert_true(str_eq(position_encoding_name(POSITION_UTF16), STR("utf-16")));
    assert_true(str_eq(position_encoding_name(POSITION_UTF32), STR("utf-32")));
}

static void position_units_counts(void **state)
{
    (void)state;
    str s = str_from("a" EMOJI EURO);
    assert_int_equal(position_units(s, POSITION_UTF8), 8);
    assert_int_equal(position_units(s, POSITION_UTF16), 4);
    assert_int_equal(position_units(s, POSITION_UTF32), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(position_to_offset_clamps),
        cmocka_unit_test(position_from_offset_clamps),
        cmocka_unit_test(position_round_trips_on_code_points),
        cmocka_unit_test(position_in_empty_document_is_its_start),
        cmocka_unit_test(position_encoding_has_names),
        cmocka_unit_test(position_units_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
