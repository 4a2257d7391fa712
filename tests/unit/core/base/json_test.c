/* json_test.c - looking into parsed JSON. What is JSON at all: json_grammar_test.c. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "core/base/json.h"

static struct arena arena;

static int drop_arena(void **state)
{
    (void)state;
    arena_release(&arena);
    assert_int_equal(arena.n_bytes, 0);
    return 0;
}

static struct json parse(str text)
{
    struct json v;
    struct error why = {0};
    if (json_parse(text, &arena, &v, &why) != ERR_OK) {
        fail_msg("%s", why.msg);
    }
    return v;
}

static void assert_str(str is, str should)
{
    if (!str_eq(is, should)) {
        fail_msg("\"" STR_FMT "\" instead of \"" STR_FMT "\"", STR_ARG(is), STR_ARG(should));
    }
}

static void json_type_tells_the_type(void **state)
{
    (void)state;
    struct json v = parse(STR("[null,true,false,0,-1.5,\"\",[],{}]"));
    static const enum json_type types[] = {JSON_NULL,   JSON_BOOL,   JSON_BOOL,  JSON_NUMBER,
                                           JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT};
    assert_int_equal(json_count(v), sizeof types / sizeof types[0]);
    for (size_t i = 0; i < json_count(v); i++) {
        assert_true(json_is(json_at(v, i), types[i]));
    }
    assert_true(json_is(json_at(v, json_count(v)), JSON_NONE));
    assert_true(json_is((struct json){0}, JSON_NONE));
}

static void json_get_finds_members(void **state)
{
    (void)state;
    struct json v =
        parse(STR("{\"a\":{\"x\":[1,{\"a\":2}]},\"b\":\"a\",\"\":3,\"a\":4,\"c\":[{}]}"));
    assert_int_equal(json_count(v), 5);
    assert_int_equal(
        json_int(json_get(json_at(json_get(json_get(v, STR("a")), STR("x")), 1), STR("a")), 0), 2);
    assert_str(json_str(json_get(v, STR("b"))), STR("a"));
    assert_int_equal(json_int(json_get(v, STR("")), 0), 3);
    assert_true(json_is(json_at(json_get(v, STR("c")), 0), JSON_OBJECT));
    assert_true(json_is(json_get(v, STR("x")), JSON_NONE));
    assert_true(json_is(json_get(v, STR("aa")), JSON_NONE));
}

static void json_get_finds_escaped_keys(void **state)
{
    (void)state;
    struct json v =
        parse(STR("{\"\\u0061\":1,\"x\\ny\":2,\"\\ud83d\\ude00\":3,\"b\\\\\":4,\"c\\\\n\":5}"));
    assert_int_equal(json_int(json_get(v, STR("a")), 0), 1);
    assert_int_equal(json_int(json_get(v, STR("x\ny")), 0), 2);
    assert_int_equal(json_int(json_get(v, STR("\xF0\x9F\x98\x80")), 0), 3);
    assert_int_equal(json_int(json_get(v, STR("b\\")), 0), 4);
    assert_true(json_is(json_get(v, STR("x\\ny")), JSON_NONE)); /* as it is written, not as it is */
    assert_true(json_is(json_get(v, STR("b\\\\")), JSON_NONE));
    assert_true(json_is(json_get(v, STR("x\nyz")), JSON_NONE));
    assert_true(json_is(json_get(v, STR("x\n")), JSON_NONE));
}

static void json_of_the_wrong_type_gives_fallbacks(void **state)
{
    (void)state;
    struct json s = parse(STR("\"x\"")), n = parse(STR("1")), none = {0};
    assert_true(json_is(json_get(json_at(json_get(s, STR("a")), 0), STR("b")), JSON_NONE));
    assert_true(json_is(json_at(parse(STR("{\"a\":1}")), 0), JSON_NONE));
    assert_true(json_is(json_get(parse(STR("[\"a\",1]")), STR("a")), JSON_NONE));
    assert_int_equal(json_int(s, -3), -3);
    assert_true(json_bool(n, true));
    assert_false(json_bool(none, false));
    assert_true(json_double(s, 2.5) > 2.4);
    assert_int_equal(json_str(n).len, 0);
    assert_false(json_str_eq(n, STR("1")));
    assert_int_equal(json_count(s), 0);
    assert_int_equal(json_raw(none).len, 0);
    struct json_iter it = json_iter(s);
    assert_false(json_next(&it, NULL, &none));
}

static void json_next_walks_in_order(void **state)
{
    (void)state;
    struct json v = parse(
                    STR(" { \"a\" : [1,[2],{\"z\":0}] , \"b\\n\" : {\"a\":{}} , \"c\" : 3 } ")),
                value;
    struct json_iter it = json_iter(v);
    str key;
    assert_true(json_next(&it, &key, &value));
    assert_str(key, STR("a"));
    assert_str(json_raw(value), STR("[1,[2],{\"z\":0}]"));
    assert_true(json_next(&it, &key, &value));
    assert_str(key, STR("b\\n")); /* raw */
    assert_str(json_raw(value), STR("{\"a\":{}}"));
    assert_true(json_next(&it, &key, &value));
    assert_int_equal(json_int(value, 0), 3);
    assert_false(json_next(&it, &key, &value));
    it = json_iter(json_get(v, STR("a")));
    size_t n = 0;
    while (json_next(&it, &key, &value)) {
        assert_int_equal(key.len, 0);
        n++;
    }
    assert_int_equal(n, 3);
}

static void json_str_unescapes(void **state)
{
    static const str cases[][2] = {
        {STR_INIT("\"\""), STR_INIT("")},
        {STR_INIT("\"plain\""), STR_INIT("plain")},
        {STR_INIT("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""), STR_INIT("\"\\/\b\f\n\r\t")},
        {STR_INIT("\"a\\nb\\nc\""), STR_INIT("a\nb\nc")},
        {STR_INIT("\"\\\\n\""), STR_INIT("\\n")},
        {STR_INIT("\"\\u0041\\u00e9\\u20AC\""), STR_INIT("A\xC3\xA9\xE2\x82\xAC")},
        {STR_INIT("\"\\uD83D\\ude00!\""), STR_INIT("\xF0\x9F\x98\x80!")},
        {STR_INIT("\"\\ud83d\""), STR_INIT("\xEF\xBF\xBD")},
        {STR_INIT("\"\\ude00\\ud83d\""), STR_INIT("\xEF\xBF\xBD\xEF\xBF\xBD")},
        {STR_INIT("\"\\ud83d\\ud83d\\ude00\""), STR_INIT("\xEF\xBF\xBD\xF0\x9F\x98\x80")},
        {STR_INIT("\"\\ud83d\\u0041\""), STR_INIT("\xEF\xBF\xBD"
                                                  "A")},
        {STR_INIT("\"\\ud83d\\n\""), STR_INIT("\xEF\xBF\xBD\n")},
        {STR_INIT("\"a\\u0000b\""), STR_INIT("a\0b")},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct json v = parse(cases[i][0]);
        assert_str(json_str(v), cases[i][1]);
        assert_true(json_str_eq(v, cases[i][1]));
        assert_str(json_raw(v), cases[i][0]);
        assert_false(json_str_eq(v, STR("other")));
    }
}

static void json_str_borrows_what_has_no_escapes(void **state)
{
    (void)state;
    str text = STR("\"plain\"");
    struct json v = parse(text);
    size_t n_bytes = arena.n_bytes;
    assert_ptr_equal(json_str(v).ptr, text.ptr + 1);
    assert_int_equal(arena.n_bytes, n_bytes);
}

static void json_int_takes_whole_numbers(void **state)
{
    static const struct {
        str text;
        int64_t value; /* 77: none */
    } cases[] = {
        {STR_INIT("0"), 0},
        {STR_INIT("-0"), 0},
        {STR_INIT("-0.0e5"), 0},
        {STR_INIT("12"), 12},
        {STR_INIT("-12"), -12},
        {STR_INIT("1.0"), 1},
        {STR_INIT("1.000"), 1},
        {STR_INIT("1e2"), 100},
        {STR_INIT("1E+2"), 100},
        {STR_INIT("1.5e1"), 15},
        {STR_INIT("1.25E2"), 125},
        {STR_INIT("1500e-2"), 15},
        {STR_INIT("0.5e1"), 5},
        {STR_INIT("0.00002e5"), 2},
        {STR_INIT("0e999999999999999999999"), 0},
        {STR_INIT("0.0e-99999999999"), 0},
        {STR_INIT("9223372036854775807"), INT64_MAX},
        {STR_INIT("-9223372036854775808"), INT64_MIN},
        {STR_INIT("922337203685477580.7e1"), INT64_MAX},
        {STR_INIT("1.5"), 77},
        {STR_INIT("15e-1"), 77},
        {STR_INIT("0.1"), 77},
        {STR_INIT("1e-1"), 77},
        {STR_INIT("9223372036854775808"), 77},
        {STR_INIT("-9223372036854775809"), 77},
        {STR_INIT("1e19"), 77},
        {STR_INIT("1e400"), 77},
        {STR_INIT("1e99999999999999999999"), 77},
        {STR_INIT("1e-99999999999999999999"), 77},
        {STR_INIT("18446744073709551617"), 77},
        {STR_INIT("1000000000000000000000000e-23"), 10},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct json v = parse(cases[i].text);
        if (json_int(v, 77) != cases[i].value) {
            fail_msg(STR_FMT, STR_ARG(cases[i].text));
        }
        assert_int_equal(json_is_int(v), cases[i].value != 77);
    }
}

static void json_double_reads_numbers(void **state)
{
    (void)state;
    assert_float_equal(json_double(parse(STR("0.1")), 9), 0.1, 1e-17);
    assert_float_equal(json_double(parse(STR("-12e-1")), 9), -1.2, 1e-15);
    assert_float_equal(json_double(parse(STR("[2.5]")), 9), 9, 0);
    assert_float_equal(json_double(parse(STR("1e400")), 9), 9, 0);
    assert_float_equal(json_double(parse(STR("1e-400")), 9), 0, 0);
    struct buf b;
    buf_init(&b, 1000);
    buf_append(&b, STR("0.5"));
    for (int i = 0; i < 200; i++) {
        buf_append_char(&b, '0');
    }
    assert_float_equal(json_double(parse(buf_str(&b)), 9), 0.5, 0);
    buf_release(&b);
}

static void jsonc_allows_comments_and_trailing_commas(void **state)
{
    static const str cases[][2] = {
        {STR_INIT("// head\n{\"a\":1}"), STR_INIT("{\"a\":1}")},
        {STR_INIT("\xEF\xBB\xBF{\"a\":1}"), STR_INIT("{\"a\":1}")},
        {STR_INIT("[1,]"), STR_INIT("[1 ]")},
        {STR_INIT("[1,/* x */]"), STR_INIT("[1        ]")},
        {STR_INIT("[1, // x\n]"), STR_INIT("[1      \n]")},
        {STR_INIT("{\"a\":1,}"), STR_INIT("{\"a\":1 }")},
        {STR_INIT("[[],{},]"), STR_INIT("[[],{} ]")},
        {STR_INIT("[\"// a\",\"/* b */\",\"c,\"]"), STR_INIT("[\"// a\",\"/* b */\",\"c,\"]")},
        {STR_INIT("[\"\\\"// a\"]"), STR_INIT("[\"\\\"// a\"]")},
        {STR_INIT("[1/**/,/***/2]"), STR_INIT("[1    ,     2]")},
        {STR_INIT("[1/*\n*/]"), STR_INIT("[1  \n  ]")},
        {STR_INIT("1 // end"), STR_INIT("1")},
        {STR_INIT("1 /* / */ "), STR_INIT("1")},
        {STR_INIT("[1,\"]\",]"), STR_INIT("[1,\"]\" ]")},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct json v;
        assert_int_equal(json_parse_jsonc(cases[i][0], &arena, &v, NULL), ERR_OK);
        assert_str(json_raw(v), cases[i][1]);
    }
}

static void jsonc_is_strict_otherwise(void **state)
{
    static const str cases[] = {
        STR_INIT(""),       STR_INIT("// only"), STR_INIT("[,]"),          STR_INIT("{,}"),
        STR_INIT("[1,,]"),  STR_INIT("[,1]"),    STR_INIT("{\"a\":,}"),    STR_INIT("[1]/"),
        STR_INIT("[1]/*"),  STR_INIT("[1]/*/"),  STR_INIT("/[1]"),         STR_INIT("{a:1}"),
        STR_INIT("'a'"),    STR_INIT("\"a"),     STR_INIT("\"a\\"),        STR_INIT("1,"),
        STR_INIT("[1/2]"),  STR_INIT("# x\n1"),  STR_INIT("{\"a\"/**/,}"), STR_INIT("[1,}"),
        STR_INIT("[1 2,]"), STR_INIT("[/**/,]"), STR_INIT("tr/**/ue"),     STR_INIT("1/**/2"),
        STR_INIT("[1,/*]"),
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct json v;
        if (json_parse_jsonc(cases[i], &arena, &v, NULL) != ERR_PROTOCOL) {
            fail_msg("accepted: " STR_FMT, STR_ARG(cases[i]));
        }
        assert_true(json_is(v, JSON_NONE));
    }
}

static void json_errors_say_where(void **state)
{
    (void)state;
    struct error why = {0};
    struct json v;
    assert_int_equal(json_parse(STR("[1, x]"), &arena, &v, &why), ERR_PROTOCOL);
    assert_string_equal(why.msg, "not JSON: expected a value (byte 4)");
    assert_int_equal(json_parse_jsonc(STR("/* a */ [1"), &arena, &v, &why), ERR_PROTOCOL);
    assert_string_equal(why.msg, "not JSON: it ends too early (byte 10)");
    assert_int_equal(json_validate(str_of(NULL, 0), NULL, &why), ERR_PROTOCOL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(json_type_tells_the_type, drop_arena),
        cmocka_unit_test_teardown(json_get_finds_members, drop_arena),
        cmocka_unit_test_teardown(json_get_finds_escaped_keys, drop_arena),
        cmocka_unit_test_teardown(json_of_the_wrong_type_gives_fallbacks, drop_arena),
        cmocka_unit_test_teardown(json_next_walks_in_order, drop_arena),
        cmocka_unit_test_teardown(json_str_unescapes, drop_arena),
        cmocka_unit_test_teardown(json_str_borrows_what_has_no_escapes, drop_arena),
        cmocka_unit_test_teardown(json_int_takes_whole_numbers, drop_arena),
        cmocka_unit_test_teardown(json_double_reads_numbers, drop_arena),
        cmocka_unit_test_teardown(jsonc_allows_comments_and_trailing_commas, drop_arena),
        cmocka_unit_test_teardown(jsonc_is_strict_otherwise, drop_arena),
        cmocka_unit_test_teardown(json_errors_say_where, drop_arena),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
