/* json_grammar_test.c - which texts are JSON, and that finding out costs what the text's length
 * says.
 *
 * With JSON_TEST_SUITE set to a directory, every file in it is checked by the first letter of its
 * name: y is accepted, n is refused, anything else must only come back. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <time.h>

#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/base/limits.h"

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

// clang-format off
static const str accepted[] = {
    /* words and numbers on their own */
    STR_INIT("null"), STR_INIT("true"), STR_INIT("false"), STR_INIT("0"), STR_INIT("-0"),
    STR_INIT("7"), STR_INIT("-7"), STR_INIT("1234567890"), STR_INIT("-90071992547409930000"),
    STR_INIT("0.5"), STR_INIT("-0.25"), STR_INIT("10.010"), STR_INIT("1e3"), STR_INIT("1E3"),
    STR_INIT("1e+3"), STR_INIT("1e-3"), STR_INIT("2.50E+07"), STR_INIT("-1.5e-08"), STR_INIT("0e0"),
    STR_INIT("0E+9"), STR_INIT("-0.0"), STR_INIT("4e00"), STR_INIT("1e400"), STR_INIT("1e-400"),
    STR_INIT("123e65"),
    STR_INIT("0.00000000000000000000000000000000000000000000000000000000000000000000001"),
    /* strings */
    STR_INIT("\"\""), STR_INIT("\"a\""), STR_INIT("\" \""), STR_INIT("\"two words\""),
    STR_INIT("\"'\""), STR_INIT("\"/\""), STR_INIT("\"\\/\""), STR_INIT("\"\\\"\""),
    STR_INIT("\"\\\\\""), STR_INIT("\"\\b\\f\\n\\r\\t\""), STR_INIT("\"\\\\n\""),
    STR_INIT("\"\\u0041\""), STR_INIT("\"\\u00e9\""), STR_INIT("\"\\uABCD\""),
    STR_INIT("\"\\uabcd\""), STR_INIT("\"\\u0000\""), STR_INIT("\"\\u001f\""),
    STR_INIT("\"\\u0022\""), STR_INIT("\"\\u005C\""), STR_INIT("\"\\ud83d\\ude00\""),
    STR_INIT("\"\\uD83D\\uDE00\""), STR_INIT("\"\\ud83d\""), STR_INIT("\"\\ude00\""),
    STR_INIT("\"\\ude00\\ud83d\""), STR_INIT("\"\\ud83dx\""), STR_INIT("\"\\ud83d\\n\""),
    STR_INIT("\"\\uFFFE\""), STR_INIT("\"\\uFFFF\""), STR_INIT("\"\\u2028\""), STR_INIT("\"\x7F\""),
    STR_INIT("\"\xC2\x80\""), STR_INIT("\"\xC3\xA9\""), STR_INIT("\"\xDF\xBF\""),
    STR_INIT("\"\xE0\xA0\x80\""), STR_INIT("\"\xE2\x82\xAC\""),
    STR_INIT("\"\xE2\x80\xA8\xE2\x80\xA9\""), STR_INIT("\"\xED\x9F\xBF\""),
    STR_INIT("\"\xEE\x80\x80\""), STR_INIT("\"\xEF\xBB\xBF\""), STR_INIT("\"\xEF\xBF\xBF\""),
    STR_INIT("\"\xF0\x90\x80\x80\""), STR_INIT("\"\xF0\x9F\x98\x80\""),
    STR_INIT("\"\xF4\x8F\xBF\xBF\""), STR_INIT("\"// no comment /* at all */\""),
    STR_INIT("\"[{,:}]\""),
    STR_INIT("\"sixteen bytes + \\\" + \xC3\xA9 + more than sixteen bytes\""),
    /* arrays */
    STR_INIT("[]"), STR_INIT("[ ]"), STR_INIT("[[]]"), STR_INIT("[[],[]]"), STR_INIT("[1]"),
    STR_INIT("[1,2]"), STR_INIT("[1 , 2]"), STR_INIT("[ 1,2 ]"), STR_INIT("[null,null]"),
    STR_INIT("[true,false,null]"), STR_INIT("[\"a\",\"b\"]"), STR_INIT("[1,\"a\",[],{}]"),
    STR_INIT("[0,-0,0.0]"), STR_INIT("[1e1,2]"), STR_INIT("[\"\"]"), STR_INIT("[{}]"),
    STR_INIT("[[[[[[[[]]]]]]]]"), STR_INIT("[1]\n"), STR_INIT("\n[1]"),
    /* objects */
    STR_INIT("{}"), STR_INIT("{ }"), STR_INIT("{\"a\":1}"), STR_INIT("{\"a\" : 1}"),
    STR_INIT("{\"a\":1,\"b\":2}"), STR_INIT("{\"a\":1,\"a\":2}"), STR_INIT("{\"a\":1,\"a\":1}"),
    STR_INIT("{\"\":0}"), STR_INIT("{\"\\u0061\":0}"), STR_INIT("{\"\\u0000\":0}"),
    STR_INIT("{\"a\":{}}"), STR_INIT("{\"a\":[]}"), STR_INIT("{\"a\":{\"b\":{\"c\":null}}}"),
    STR_INIT("{\"a\":[{\"b\":[]}]}"), STR_INIT("{\"\xC3\xA9\":\"\xC3\xA9\"}"),
    STR_INIT("{\"a\":\"b\"}"), STR_INIT("{\"a\":-1.5e2}"), STR_INIT("{\"[\":\"]\"}"),
    STR_INIT("[{\"a\":1},{\"a\":2}]"),
    /* blanks */
    STR_INIT(" 1"), STR_INIT("1 "), STR_INIT("\t1\t"), STR_INIT("\r\n1\r\n"),
    STR_INIT("\n\n[\t]\r\n "), STR_INIT("{\n  \"a\": [\n    1,\n    2\n  ]\n}\n"),
    STR_INIT("  \"a\"  "), STR_INIT("[ \t\r\n1 \t\r\n, 2 ]"),
};

static const str refused[] = {
    /* nothing, and too much */
    STR_INIT(""), STR_INIT(" "), STR_INIT("\n\t\r "), STR_INIT("\0"), STR_INIT("1\0"),
    STR_INIT("[]\0"), STR_INIT("\0[]"), STR_INIT("1 2"), STR_INIT("1,2"), STR_INIT("1,"),
    STR_INIT(",1"), STR_INIT(","), STR_INIT(":"), STR_INIT("[] []"), STR_INIT("{}{}"),
    STR_INIT("[1]x"), STR_INIT("{}x"), STR_INIT("{},"), STR_INIT("[],"), STR_INIT("{}]"),
    STR_INIT("[]]"), STR_INIT("[]}"), STR_INIT("]"), STR_INIT("}"), STR_INIT("\"a\"\"b\""),
    STR_INIT("\"a\"x"), STR_INIT("nullnull"), STR_INIT("truefalse"), STR_INIT("{}#"),
    STR_INIT("\xEF\xBB\xBF{}"), STR_INIT("\xEF\xBB\xBF"), STR_INIT("\xFF\xFE[\0]\0"),
    STR_INIT("\xC2\xA0[]"), STR_INIT("\xE2\x81\xA0[]"), STR_INIT("[]\xC2\x85"), STR_INIT("\v1"),
    STR_INIT("\f[]"), STR_INIT("[\f]"), STR_INIT("[\v1]"), STR_INIT("\x1A"), STR_INIT("*"),
    STR_INIT("<a>"), STR_INIT("()"), STR_INIT("a"), STR_INIT("\xC3\xA9"), STR_INIT("\\"),
    /* words */
    STR_INIT("nul"), STR_INIT("nulL"), STR_INIT("Null"), STR_INIT("NULL"), STR_INIT("n"),
    STR_INIT("tru"), STR_INIT("True"), STR_INIT("TRUE"), STR_INIT("truth"), STR_INIT("t"),
    STR_INIT("fals"), STR_INIT("False"), STR_INIT("FALSE"), STR_INIT("falsey"), STR_INIT("f"),
    STR_INIT("nulls"), STR_INIT("undefined"), STR_INIT("NaN"), STR_INIT("-NaN"), STR_INIT("nan"),
    STR_INIT("Infinity"), STR_INIT("-Infinity"), STR_INIT("+Infinity"), STR_INIT("inf"),
    STR_INIT("[nul]"), STR_INIT("[tru"), STR_INIT("[fals]"), STR_INIT("[true1]"), STR_INIT("[yes]"),
    /* numbers */
    STR_INIT("-"), STR_INIT("+"), STR_INIT("+1"), STR_INIT("++1"), STR_INIT("--1"), STR_INIT("-+1"),
    STR_INIT("- 1"), STR_INIT("01"), STR_INIT("00"), STR_INIT("-01"), STR_INIT("-00"),
    STR_INIT("012"), STR_INIT("00.5"), STR_INIT("1."), STR_INIT("-1."), STR_INIT("0."),
    STR_INIT(".5"), STR_INIT("-.5"), STR_INIT("."), STR_INIT("1.e1"), STR_INIT("0.e1"),
    STR_INIT(".e1"), STR_INIT("1e"), STR_INIT("1E"), STR_INIT("1e+"), STR_INIT("1e-"),
    STR_INIT("1E+-1"), STR_INIT("1ee1"), STR_INIT("1e1e1"), STR_INIT("1e1.5"), STR_INIT("1.2.3"),
    STR_INIT("1..2"), STR_INIT("1.5e"), STR_INIT("1.5e+"), STR_INIT("0x1F"), STR_INIT("0x"),
    STR_INIT("0b1"), STR_INIT("0o7"), STR_INIT("1_000"), STR_INIT("1'000"), STR_INIT("1 000"),
    STR_INIT("1,5"), STR_INIT("1a"), STR_INIT("1f"), STR_INIT("1L"), STR_INIT("-a"), STR_INIT("1-"),
    STR_INIT("1+1"), STR_INIT("-1-1"), STR_INIT("e1"), STR_INIT("-e1"), STR_INIT("0e"),
    STR_INIT("0e+"), STR_INIT("1eE2"), STR_INIT("\xEF\xBC\x91"), STR_INIT("1\xC3\xA9"),
    STR_INIT("1e\xC3\xA9"), STR_INIT("-\xC3\xA9"), STR_INIT("[1.]"), STR_INIT("[-]"),
    STR_INIT("[.1]"), STR_INIT("[01]"), STR_INIT("[1e]"), STR_INIT("[+1]"), STR_INIT("[0x1]"),
    STR_INIT("[- 1]"),
    /* strings */
    STR_INIT("\""), STR_INIT("\"a"), STR_INIT("\"a\\"), STR_INIT("\"a\\\""), STR_INIT("\"\\"),
    STR_INIT("'a'"), STR_INIT("`a`"), STR_INIT("\"a\nb\""), STR_INIT("\"\n\""), STR_INIT("\"\t\""),
    STR_INIT("\"\r\""), STR_INIT("\"\0\""), STR_INIT("\"\x01\""), STR_INIT("\"\x1F\""),
    STR_INIT("\"123456789\n123456789\""), STR_INIT("\"1234567\x1F\""), STR_INIT("\"\\a\""),
    STR_INIT("\"\\v\""), STR_INIT("\"\\0\""), STR_INIT("\"\\x41\""), STR_INIT("\"\\'\""),
    STR_INIT("\"\\ \""), STR_INIT("\"\\N\""), STR_INIT("\"\\U0041\""), STR_INIT("\"\\\n\""),
    STR_INIT("\"\\\0\""), STR_INIT("\"\\\xC3\xA9\""), STR_INIT("\"\\u\""), STR_INIT("\"\\u0\""),
    STR_INIT("\"\\u00\""), STR_INIT("\"\\u004\""), STR_INIT("\"\\u004"), STR_INIT("\"\\u004G\""),
    STR_INIT("\"\\u00 41\""), STR_INIT("\"\\u-041\""), STR_INIT("\"\\uD83D\\u\""),
    STR_INIT("\"\\uD83D\\uDE0\""), STR_INIT("\"\\uD83D\\\""), STR_INIT("\"\\uD83D\\x\""),
    STR_INIT("\"\\u\xC3\xA9\x30\x30\""), STR_INIT("\\u0022a\\u0022"), STR_INIT("\"a\"b\""),
    STR_INIT("[\"a]"), STR_INIT("[\"a\", \"b]"), STR_INIT("[\"\\\"]"),
    /* bytes that are no UTF-8 */
    STR_INIT("\"\x80\""), STR_INIT("\"\xBF\""), STR_INIT("\"\xC0\x80\""), STR_INIT("\"\xC0\xAF\""),
    STR_INIT("\"\xC1\xBF\""), STR_INIT("\"\xC2\""), STR_INIT("\"\xC2"), STR_INIT("\"\xC3\x28\""),
    STR_INIT("\"\xE0\x80\x80\""), STR_INIT("\"\xE0\x9F\xBF\""), STR_INIT("\"\xE2\x82\""),
    STR_INIT("\"\xE2\x82"), STR_INIT("\"\xE2\x28\xA1\""), STR_INIT("\"\xED\xA0\x80\""),
    STR_INIT("\"\xED\xBF\xBF\""), STR_INIT("\"\xF0\x8F\xBF\xBF\""), STR_INIT("\"\xF0\x9F\x98\""),
    STR_INIT("\"\xF0\x9F\x98"), STR_INIT("\"\xF4\x90\x80\x80\""), STR_INIT("\"\xF5\x80\x80\x80\""),
    STR_INIT("\"\xFC\x80\x80\x80\x80\x80\""), STR_INIT("\"\xFE\""), STR_INIT("\"\xFF\""),
    STR_INIT("\"12345678\xFF 12345678\""), STR_INIT("[\xFF]"), STR_INIT("{\"\xFF\":1}"),
    STR_INIT("[1\xE5]"), STR_INIT("\xE5"),
    /* arrays */
    STR_INIT("["), STR_INIT("[["), STR_INIT("[1"), STR_INIT("[1,"), STR_INIT("[1,]"),
    STR_INIT("[,]"), STR_INIT("[,1]"), STR_INIT("[1,,2]"), STR_INIT("[1,,]"), STR_INIT("[,,1]"),
    STR_INIT("[1 2]"), STR_INIT("[1 true]"), STR_INIT("[\"a\" \"b\"]"), STR_INIT("[\"a\",\n"),
    STR_INIT("[1:2]"), STR_INIT("[\"a\":1]"), STR_INIT("[:]"), STR_INIT("[}"), STR_INIT("[1}"),
    STR_INIT("[1,2"), STR_INIT("[[1]"), STR_INIT("[1]]"), STR_INIT("[][]"), STR_INIT("[1;2]"),
    STR_INIT("[...]"), STR_INIT("[*]"), STR_INIT("[a"), STR_INIT("[{}"), STR_INIT("[{]}"),
    STR_INIT("[(1)]"), STR_INIT("[1,\n]"), STR_INIT("[ , ]"), STR_INIT("[\"\",]"), STR_INIT("[1]1"),
    /* objects */
    STR_INIT("{"), STR_INIT("{{"), STR_INIT("{]"), STR_INIT("{,}"), STR_INIT("{:}"),
    STR_INIT("{:1}"), STR_INIT("{1}"), STR_INIT("{\"a\"}"), STR_INIT("{\"a\":}"),
    STR_INIT("{\"a\""), STR_INIT("{\"a\":"), STR_INIT("{\"a\":1"), STR_INIT("{\"a\":1,"),
    STR_INIT("{\"a\":1,}"), STR_INIT("{\"a\":1,,}"), STR_INIT("{,\"a\":1}"),
    STR_INIT("{\"a\":1,,\"b\":2}"), STR_INIT("{\"a\" 1}"), STR_INIT("{\"a\"::1}"),
    STR_INIT("{\"a\":1:2}"), STR_INIT("{\"a\",1}"), STR_INIT("{\"a\":1 \"b\":2}"),
    STR_INIT("{\"a\":1;\"b\":2}"), STR_INIT("{\"a\"=1}"), STR_INIT("{a:1}"), STR_INIT("{'a':1}"),
    STR_INIT("{'a':'b'}"), STR_INIT("{1:1}"), STR_INIT("{null:1}"), STR_INIT("{true:1}"),
    STR_INIT("{[]:1}"), STR_INIT("{{}:1}"), STR_INIT("{\"a\":1]"), STR_INIT("{\"a\":1}}"),
    STR_INIT("{\"a\":1},"), STR_INIT("{\"a\":1}1"), STR_INIT("{\"a\":a}"),
    STR_INIT("{\"a\":1,\"b\"}"), STR_INIT("{\"a\":1,\"b\":}"), STR_INIT("{\"a\":1,b}"),
    STR_INIT("{\"a\":1,1}"), STR_INIT("{\"a:1}"), STR_INIT("{\"a\\\":1}"), STR_INIT("{\"a\":{}"),
    STR_INIT("{\"a\":[}"), STR_INIT("{\"a\":[1}]"), STR_INIT("{\"a\" \"b\"}"),
    STR_INIT("{\"a\":'b'}"), STR_INIT("{\"a\x01\":1}"), STR_INIT("{\"\\q\":1}"),
    STR_INIT("{\"a\":1}\"b\""), STR_INIT("{ , }"), STR_INIT("{\"a\":,}"),
    STR_INIT("{\"a\":\"b\"\"c\"}"), STR_INIT("{\"a\":\"b\",\"c\"\n}"), STR_INIT("{\"a\":1,\n}"),
    /* comments */
    STR_INIT("// a\n1"), STR_INIT("1 // a"), STR_INIT("/**/1"), STR_INIT("1/**/"),
    STR_INIT("[/**/]"), STR_INIT("{/**/}"), STR_INIT("{}//"), STR_INIT("{}/"), STR_INIT("/"),
    STR_INIT("# a\n1"), STR_INIT("[1,#\n2]"), STR_INIT("{\"a\":/* */1}"), STR_INIT("<!-- -->1"),
    STR_INIT("-- a\n1"),
};
// clang-format on

/* Copies `text` to a block of exactly its size, so that a read behind it is seen. */
static enum err check(str text, struct error *why)
{
    char *copy = xmemdup(text.ptr, text.len);
    struct arena arena = {0};
    struct json v;
    enum err err = json_parse(str_of(copy, text.len), &arena, &v, why);
    assert_int_equal(err, json_validate(str_of(copy, text.len), NULL, NULL));
    assert_int_equal(json_is(v, JSON_NONE), err != ERR_OK);
    arena_release(&arena);
    xfree(copy);
    return err;
}

static void json_accepts_what_is_json(void **state)
{
    (void)state;
    assert_true(COUNT(accepted) >= 80);
    for (size_t i = 0; i < COUNT(accepted); i++) {
        struct error why = {0};
        if (check(accepted[i], &why) != ERR_OK) {
            fail_msg("refused: " STR_FMT ": %s", STR_ARG(accepted[i]), why.msg);
        }
    }
}

static void json_refuses_what_is_not(void **state)
{
    (void)state;
    assert_true(COUNT(refused) >= 150);
    for (size_t i = 0; i < COUNT(refused); i++) {
        struct error why = {0};
        if (check(refused[i], &why) != ERR_PROTOCOL) {
            fail_msg("not refused: no. %zu: " STR_FMT, i, STR_ARG(refused[i]));
        }
        assert_int_equal(why.code, ERR_PROTOCOL);
        assert_true(strlen(why.msg) > 0);
    }
}

/* No text that is JSON is JSON without its last byte, numbers and trailing blanks apart. */
static void json_refuses_every_beginning(void **state)
{
    (void)state;
    str text = STR("{\"a\":[1,true,{\"\\u00e9\":\"\xF0\x9F\x98\x80\"},null,-1.5e+2],\"b\":{}}");
    for (size_t n = 0; n < text.len; n++) {
        assert_int_equal(check(str_sub(text, 0, n), NULL), ERR_PROTOCOL);
    }
    assert_int_equal(check(text, NULL), ERR_OK);
}

/* Every byte at every place of a string's first words: what is found does not depend on where. */
static void json_strings_treat_each_byte_alike_everywhere(void **state)
{
    (void)state;
    for (int byte = 0; byte < 256; byte++) {
        bool is_plain = byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\';
        for (size_t at = 1; at < 20; at++) {
            char text[21];
            memset(text, 'x', sizeof text);
            text[0] = text[20] = '"';
            text[at] = (char)byte;
            enum err err = json_validate(str_of(text, sizeof text), NULL, NULL);
            assert_int_equal(err == ERR_OK, is_plain);
        }
    }
}

static void nest(struct buf *out, size_t n, char open, char close)
{
    for (size_t i = 0; i < n; i++) {
        buf_append_char(out, open);
    }
    for (size_t i = 0; i < n && close; i++) {
        buf_append_char(out, close);
    }
}

static void json_nesting_ends_at_its_limit(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, MIB);
    nest(&b, JSON_MAX_DEPTH, '[', ']');
    assert_int_equal(check(buf_str(&b), NULL), ERR_OK);
    buf_clear(&b);
    nest(&b, JSON_MAX_DEPTH + 1, '[', ']');
    assert_int_equal(check(buf_str(&b), NULL), ERR_TOO_LARGE);
    buf_clear(&b);
    for (size_t i = 0; i < JSON_MAX_DEPTH; i++) {
        buf_append(&b, STR("{\"a\":"));
    }
    buf_append(&b, STR("1"));
    for (size_t i = 0; i < JSON_MAX_DEPTH; i++) {
        buf_append(&b, STR("}"));
    }
    assert_int_equal(check(buf_str(&b), NULL), ERR_OK);
    buf_release(&b);
}

static void json_refuses_endless_nesting(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, MIB);
    nest(&b, 200000, '[', ']');
    assert_int_equal(check(buf_str(&b), NULL), ERR_TOO_LARGE);
    buf_clear(&b);
    nest(&b, 200000, '[', '\0');
    assert_int_equal(check(buf_str(&b), NULL), ERR_TOO_LARGE);
    buf_clear(&b);
    for (int i = 0; i < 100000; i++) {
        buf_append(&b, STR("[{\"\":"));
    }
    assert_int_equal(check(buf_str(&b), NULL), ERR_TOO_LARGE);
    buf_release(&b);
}

/* `[item,item,...]` */
static void repeat(struct buf *out, size_t n, str item)
{
    buf_clear(out);
    buf_append_char(out, '[');
    for (size_t i = 0; i < n; i++) {
        buf_append(out, item);
        buf_append_char(out, i + 1 < n ? ',' : ']');
    }
}

static void json_takes_many_siblings(void **state)
{
    (void)state;
    struct buf b;
    struct arena arena = {0};
    struct json root, v;
    buf_init(&b, 16 * MIB);
    repeat(&b, 200000, STR("[[1],{\"a\":2}]"));
    assert_int_equal(json_parse(buf_str(&b), &arena, &root, NULL), ERR_OK);
    struct json_iter it = json_iter(root);
    size_t n = 0;
    for (; json_next(&it, NULL, &v); n++) {
        assert_int_equal(json_int(json_get(json_at(v, 1), STR("a")), 0), 2);
    }
    assert_int_equal(n, 200000);
    assert_int_equal(json_count(root), 200000);
    arena_release(&arena);
    buf_release(&b);
}

static void json_bounds_the_number_of_values(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 64 * MIB);
    repeat(&b, JSON_MAX_VALUES - 1, STR("1"));
    size_t n_values = 0;
    assert_int_equal(json_validate(buf_str(&b), &n_values, NULL), ERR_OK);
    assert_int_equal(n_values, JSON_MAX_VALUES);
    repeat(&b, JSON_MAX_VALUES, STR("1"));
    assert_int_equal(json_validate(buf_str(&b), NULL, NULL), ERR_TOO_LARGE);
    buf_release(&b);
}

/* What this thread has worked, not what the machine did meanwhile. */
static uint64_t worked_us(void)
{
    struct timespec t;
    assert_int_equal(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t), 0);
    return SEC_TO_US((uint64_t)t.tv_sec) + (uint64_t)t.tv_nsec / 1000;
}

/* The fastest of some rounds, so that other programs on the machine count little. */
static uint64_t parse_us(str text)
{
    uint64_t best = UINT64_MAX;
    for (int i = 0; i < 5; i++) {
        struct arena arena = {0};
        struct json v;
        uint64_t start = worked_us();
        assert_int_equal(json_parse(text, &arena, &v, NULL), ERR_OK);
        uint64_t us = worked_us() - start;
        best = us < best ? us : best;
        arena_release(&arena);
    }
    return best + 1;
}

/* Four times the text may cost up to ten times the work here (caches, a busy machine), which
 * linear work stays far below, and which quadratic work, with its factor of sixteen, passes. */
static void json_work_grows_with_the_text(void **state)
{
    static const str items[] = {STR_INIT("1"),
                                STR_INIT("[1]"),
                                STR_INIT("[]"),
                                STR_INIT("{}"),
                                STR_INIT("\"\\n\\u00e9\xC3\xA9\""),
                                STR_INIT("{\"a\":{\"b\":[1,2,3]},\"c\":null}"),
                                STR_INIT("[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]")};
    struct buf small, large;
    (void)state;
    buf_init(&small, 64 * MIB);
    buf_init(&large, 64 * MIB);
    for (size_t i = 0; i < COUNT(items); i++) {
        repeat(&small, 20000, items[i]);
        repeat(&large, 80000, items[i]);
        uint64_t once = parse_us(buf_str(&small)), four = parse_us(buf_str(&large));
        if (four > once * 10 + 2000) {
            fail_msg(STR_FMT ": %u us, then %u us for four times as much", STR_ARG(items[i]),
                     (unsigned)once, (unsigned)four);
        }
    }
    buf_release(&small);
    buf_release(&large);
}

static void read_file(const char *path, struct buf *out)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    char part[4096];
    size_t n;
    buf_clear(out);
    while ((n = fread(part, 1, sizeof part, file)) > 0) {
        buf_append(out, str_of(part, n));
    }
    (void)fclose(file);
    assert_false(out->is_full);
}

static void json_agrees_with_the_test_suite(void **state)
{
    (void)state;
    const char *root = getenv("JSON_TEST_SUITE");
    DIR *dir = root ? opendir(root) : NULL;
    if (!dir) {
        skip();
    }
    size_t n_accepted = 0, n_refused = 0, n_free = 0;
    struct buf text, path;
    buf_init(&text, MIB);
    buf_init(&path, 4096);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        if (!str_ends_with(str_from(entry->d_name), STR(".json"))) {
            continue;
        }
        buf_clear(&path);
        buf_appendf(&path, "%s/%s", root, entry->d_name);
        read_file(buf_cstr(&path), &text);
        bool is_ok = check(buf_str(&text), NULL) == ERR_OK;
        if ((entry->d_name[0] == 'y' && !is_ok) || (entry->d_name[0] == 'n' && is_ok)) {
            fail_msg("%s %s", entry->d_name, is_ok ? "accepted" : "refused");
        }
        n_accepted += entry->d_name[0] == 'y';
        n_refused += entry->d_name[0] == 'n';
        n_free += entry->d_name[0] != 'y' && entry->d_name[0] != 'n';
    }
    print_message("%zu accepted, %zu refused, %zu either way\n", n_accepted, n_refused, n_free);
    assert_true(n_accepted > 0 && n_refused > 0);
    closedir(dir);
    buf_release(&text);
    buf_release(&path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_accepts_what_is_json),
        cmocka_unit_test(json_refuses_what_is_not),
        cmocka_unit_test(json_refuses_every_beginning),
        cmocka_unit_test(json_strings_treat_each_byte_alike_everywhere),
        cmocka_unit_test(json_nesting_ends_at_its_limit),
        cmocka_unit_test(json_refuses_endless_nesting),
        cmocka_unit_test(json_takes_many_siblings),
        cmocka_unit_test(json_bounds_the_number_of_values),
        cmocka_unit_test(json_work_grows_with_the_text),
        cmocka_unit_test(json_agrees_with_the_test_suite),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
