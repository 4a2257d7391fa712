/* token_test.c - cutting code into tokens. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/base/memory.h"
#include "core/predict/token.h"

/* All tokens, each in brackets, with a leading `_` where a space stands before it. */
static void write_tokens(str text, struct buf *out)
{
    struct tokenizer t;
    struct token token;
    buf_init(out, 1u << 20);
    tokenizer_init(&t, text, indentation_of(text));
    while (tokenizer_next(&t, &token)) {
        const char *space = token.has_space ? "_" : "";
        if (token.kind == TOKEN_OPAQUE) {
            buf_appendf(out, "[%s?]", space);
        } else if (token.text.ptr[0] == '\n') {
            buf_appendf(out, "[\\n" STR_FMT "]", STR_ARG(str_sub(token.text, 1, token.text.len)));
        } else {
            buf_appendf(out, "[%s" STR_FMT "]", space, STR_ARG(token.text));
        }
    }
}

static void expect_tokens(const char *text, const char *expected)
{
    struct buf out;
    write_tokens(str_from(text), &out);
    assert_string_equal(buf_cstr(&out), expected);
    buf_release(&out);
}

static void token_splits_words_numbers_and_operators(void **state)
{
    (void)state;
    expect_tokens("a->b2 += 0x1F+1.5e3;", "[a][->][b2][_+=][_0x1F][+][1.5e3][;]");
    expect_tokens("x = y(\"hi there\")", "[x][_=][_y][(][\"][hi][_there][\"][)]");
    expect_tokens("a...b", "[a][...][b]");
}

static void token_writes_indentation_as_change(void **state)
{
    (void)state;
    expect_tokens("if x:\n    y\n    z\n\nw", "[if][_x][:][\\n+1][y][\\n+0][z][\\n][\\n-1][w]");
    expect_tokens("a {\n\tb {\n\t\tc\n\t}\n}",
                  "[a][_{][\\n+1][b][_{][\\n+1][c][\\n-1][}][\\n-1][}]");
}

static void token_keeps_alignment_in_columns(void **state)
{
    (void)state;
    expect_tokens("f {\n    call(a,\n         b);\n    x\n}",
                  "[f][_{][\\n+1][call][(][a][,][\\n+5c][b][)][;][\\n-5c][x][\\n-1][}]");
}

static void token_ignores_blanks_at_line_ends(void **state)
{
    (void)state;
    expect_tokens("a  \r\nb\t\nc", "[a][\\n+0][b][\\n+0][c]");
}

static void token_keeps_runs_of_blanks_within_lines(void **state)
{
    (void)state;
    expect_tokens("int   x", "[int][   ][x]");
    expect_tokens("int\tx", "[int][\t][x]");
    expect_tokens("int\t", "[int][\t]");
}

static void token_takes_utf8_words_whole(void **state)
{
    (void)state;
    expect_tokens("gr\xC3\xB6\xC3\x9F"
                  "e = \xE5\x90\x8D;",
                  "[gr\xC3\xB6\xC3\x9F"
                  "e][_=][_\xE5\x90\x8D][;]");
}

static void token_hides_invalid_and_tricky_text(void **state)
{
    (void)state;
    expect_tokens("a \xFF\xFE b", "[a][_?][_b]");
    expect_tokens("a\xE2\x80\xAE"
                  "b c",
                  "[?][_c]");
    expect_tokens("a\x01"
                  "b",
                  "[a][?][b]");
}

static void token_hides_huge_words(void **state)
{
    (void)state;
    char text[400];
    memset(text, 'q', sizeof(text));
    text[300] = ' ';
    text[301] = 'r';
    text[302] = '\0';
    expect_tokens(text, "[?][_r]");
}

static void token_tells_of_a_space_left_over(void **state)
{
    (void)state;
    struct tokenizer t;
    struct token token;
    tokenizer_init(&t, STR("return "), (struct indentation){4, false});
    assert_true(tokenizer_next(&t, &token));
    assert_false(tokenizer_next(&t, &token));
    assert_true(t.has_space_left);
}

static void operators_may_grow(void **state)
{
    (void)state;
    assert_true(token_may_grow(STR("-")));
    assert_true(token_may_grow(STR("<<")));
    assert_false(token_may_grow(STR("->")));
    assert_false(token_may_grow(STR(";")));
    assert_false(token_may_grow(STR("")));
}

static void indentation_is_recognised(void **state)
{
    (void)state;
    struct indentation two = indentation_of(STR("a\n  b\n    c\nd\n  e\n"));
    assert_int_equal(two.step, 2);
    assert_false(two.is_tabs);
    assert_true(indentation_of(STR("a\n\tb\n\tc\n  d\n")).is_tabs);
    assert_int_equal(indentation_of(STR("")).step, 4);
}

static void line_columns_follow_the_change(void **state)
{
    (void)state;
    struct indentation style = {4, false};
    assert_int_equal(token_line_column(STR("\n+1"), style, 4), 8);
    assert_int_equal(token_line_column(STR("\n-2"), style, 4), 0);
    assert_int_equal(token_line_column(STR("\n+5c"), style, 4), 9);
    assert_int_equal(token_line_column(STR("\n"), style, 4), 4);
    assert_int_equal(token_line_column(STR("\n+99999999999"), style, 4), 4);
}

/* Whatever the bytes, the tokenizer ends and its tokens lie in order within the text. */
static void token_survives_any_bytes(void **state)
{
    (void)state;
    uint32_t seed = 12345;
    char text[257];
    static const char alphabet[] = "ab1 \t\n\r\"'{}();.\xC3\xA9\xFF\x00_-=";
    for (unsigned i = 0; i < 3000; i++) {
        size_t n = 0;
        for (; n < sizeof(text) - 1; n++) {
            seed = seed * 1664525u + 1013904223u;
            text[n] = alphabet[(seed >> 16) % (sizeof(alphabet) - 1)];
        }
        struct tokenizer t;
        struct token token;
        size_t last = 0;
        unsigned n_tokens = 0;
        tokenizer_init(&t, str_of(text, n), indentation_of(str_of(text, n)));
        while (tokenizer_next(&t, &token)) {
            assert_true(t.at >= last && t.at <= n);
            last = t.at;
            assert_true(++n_tokens <= 2 * n);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(token_splits_words_numbers_and_operators),
        cmocka_unit_test(token_writes_indentation_as_change),
        cmocka_unit_test(token_keeps_alignment_in_columns),
        cmocka_unit_test(token_ignores_blanks_at_line_ends),
        cmocka_unit_test(token_keeps_runs_of_blanks_within_lines),
        cmocka_unit_test(token_takes_utf8_words_whole),
        cmocka_unit_test(token_hides_invalid_and_tricky_text),
        cmocka_unit_test(token_hides_huge_words),
        cmocka_unit_test(token_tells_of_a_space_left_over),
        cmocka_unit_test(operators_may_grow),
        cmocka_unit_test(indentation_is_recognised),
        cmocka_unit_test(line_columns_follow_the_change),
        cmocka_unit_test(token_survives_any_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
