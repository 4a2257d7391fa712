/* json_write_test.c - what is written is JSON, and reads back as what it was. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "core/base/json.h"
#include "core/base/json_write.h"

static struct buf out;
static struct arena arena;

static int set_up(void **state)
{
    (void)state;
    buf_init(&out, 1u << 20);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    buf_release(&out);
    arena_release(&arena);
    return 0;
}

static struct json read_back(void)
{
    struct json v;
    assert_int_equal(json_parse(buf_str(&out), &arena, &v, NULL), ERR_OK);
    return v;
}

static void json_writer_puts_commas(void **state)
{
    (void)state;
    struct json_writer w = json_writer(&out);
    json_begin_object(&w);
    json_key(&w, STR("a"));
    json_begin_array(&w);
    json_put_int(&w, -1);
    json_begin_object(&w);
    json_end_object(&w);
    json_begin_array(&w);
    json_end_array(&w);
    json_put_null(&w);
    json_put_str(&w, STR("x"));
    json_end_array(&w);
    json_key_str(&w, STR("b"), STR("y"));
    json_key_int(&w, STR("c"), INT64_MIN);
    json_key_bool(&w, STR("d"), true);
    json_key_double(&w, STR("e"), 0.5);
    json_key(&w, STR("f"));
    json_put_raw(&w, STR("[1]"));
    json_key_bool(&w, STR("\n"), false);
    json_end_object(&w);
    assert_int_equal(w.depth, 0);
    assert_string_equal(buf_cstr(&out),
                        "{\"a\":[-1,{},[],null,\"x\"],\"b\":\"y\",\"c\":-9223372036854775808,"
                        "\"d\":true,\"e\":0.5,\"f\":[1],\"\\n\":false}");
    assert_int_equal(json_count(read_back()), 7);
}

static void json_escape_escapes_what_must_be(void **state)
{
    static const struct {
        str text;
        const char *json;
    } cases[] = {
        {STR_INIT(""), "\"\""},
        {STR_INIT("plain text of some length"), "\"plain text of some length\""},
        {STR_INIT("\"\\/"), "\"\\\"\\\\/\""},
        {STR_INIT("\b\f\n\r\t"), "\"\\b\\f\\n\\r\\t\""},
        {STR_INIT("\0\x01\x1F\x7F"), "\"\\u0000\\u0001\\u001f\x7F\""},
        {STR_INIT("\xC3\xA9\xF0\x9F\x98\x80"), "\"\xC3\xA9\xF0\x9F\x98\x80\""},
        {STR_INIT("a\xFF\"\xE2\x82"), "\"a\xEF\xBF\xBD\\\"\xEF\xBF\xBD\""},
        {STR_INIT("1234567\n12345678\n"), "\"1234567\\n12345678\\n\""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        buf_clear(&out);
        json_escape(&out, cases[i].text);
        assert_string_equal(buf_cstr(&out), cases[i].json);
    }
    buf_clear(&out);
    json_escape(&out, (str){0});
    assert_string_equal(buf_cstr(&out), "\"\"");
}

static void json_escape_round_trips_every_byte(void **state)
{
    (void)state;
    for (int byte = 0; byte < 0x80; byte++) {
        for (size_t at = 0; at < 20; at++) {
            char text[20];
            memset(text, 'x', sizeof text);
            text[at] = (char)byte;
            buf_clear(&out);
            json_escape(&out, str_of(text, sizeof text));
            assert_true(json_str_eq(read_back(), str_of(text, sizeof text)));
        }
    }
}

static void json_put_double_reads_back_the_same(void **state)
{
    static const double numbers[] = {0,
                                     1,
                                     -1,
                                     0.1,
                                     1.0 / 3,
                                     1e21,
                                     1e300,
                                     5e-324,
                                     -2.5,
                                     1e-7,
                                     123456789012345678.0,
                                     0.7,
                                     100000.0,
                                     1e15,
                                     4.35e17,
                                     2.2250738585072014e-308};
    (void)state;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        buf_clear(&out);
        struct json_writer w = json_writer(&out);
        json_put_double(&w, numbers[i]);
        double back = json_double(read_back(), 77);
        assert_memory_equal(&back, &numbers[i], sizeof back);
    }
    buf_clear(&out);
    struct json_writer w = json_writer(&out);
    json_begin_array(&w);
    json_put_double(&w, 0.1);
    json_put_double(&w, (double)NAN);
    json_put_double(&w, (double)INFINITY);
    json_put_double(&w, -(double)INFINITY);
    json_end_array(&w);
    assert_string_equal(buf_cstr(&out), "[0.1,null,null,null]");
}

static void json_writer_notices_a_full_buffer(void **state)
{
    (void)state;
    struct buf small;
    buf_init(&small, 10);
    struct json_writer w = json_writer(&small);
    json_begin_array(&w);
    json_put_str(&w, STR("0123456789"));
    json_end_array(&w);
    assert_true(small.is_full);
    assert_true(small.len <= 10);
    buf_release(&small);
}

#define WRITE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WRITE_TEST(json_writer_puts_commas),
        WRITE_TEST(json_escape_escapes_what_must_be),
        WRITE_TEST(json_escape_round_trips_every_byte),
        WRITE_TEST(json_put_double_reads_back_the_same),
        WRITE_TEST(json_writer_notices_a_full_buffer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
