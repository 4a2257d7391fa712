/* http_url_test.c - which URLs are taken, how, and how far away what they name is. */
#include "core/upstream/http.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void good_urls_are_taken_apart(void **state)
{
    (void)state;
    static const char *const good[][3] = {
        {"http://127.0.0.1:8080", "http://127.0.0.1:8080", ""},
        {"HTTPS://Models.Example.COM/v1/", "https://models.example.com:443", "/v1"},
        {"http://localhost", "http://localhost:80", ""},
        {"http://[::1]:11434/", "http://[::1]:11434", ""},
        {"http://gpu_box.local:1/a/b//", "http://gpu_box.local:1", "/a/b"},
        {"https://h/%20", "https://h:443", "/%20"},
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct arena arena = {0};
        struct error why;
        str origin, base;
        assert_int_equal(http_parse_url(str_from(good[i][0]), &arena, &origin, &base, &why),
                         ERR_OK);
        assert_true(str_eq(origin, str_from(good[i][1])));
        assert_true(str_eq(base, str_from(good[i][2])));
        arena_release(&arena);
    }
}

static void bad_urls_are_refused_with_a_reason(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "127.0.0.1:8080",
        "ftp://h",
        "file:///etc/passwd",
        "http://",
        "http:///x",
        "http://user@h",
        "http://user:pw@h",
        "http://h?x=1",
        "http://h/#x",
        "http://h:0",
        "http://h:65536",
        "http://h:",
        "http://h:8a",
        "http://h:-1",
        "http://h:80:80",
        "http://[::1",
        "http://[]",
        "http://[::1]x",
        "http://h/a b",
        "http://h/a\r\nX: y",
        "http://h\\@evil/",
        "http://h/\\..\\",
        "http://h/a/../b",
        "http://h/..",
        "http://h\xc3\xa9",
        "http://h%2eexample",
        "http://0.0.0.0:11434",
        "http://[::]:1",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct arena arena = {0};
        struct error why = {0};
        str origin, base;
        assert_int_equal(http_parse_url(str_from(bad[i]), &arena, &origin, &base, &why),
                         ERR_INVALID);
        assert_int_equal(why.code, ERR_INVALID);
        assert_true(strlen(why.msg) > 10);
        arena_release(&arena);
    }
}

static void origins_are_sorted_by_reach(void **state)
{
    (void)state;
    static const char *const loopback[] = {"http://127.0.0.1:1", "http://127.9.9.9:1",
                                           "http://[::1]:1", "https://localhost:1",
                                           "http://[::ffff:127.0.0.1]:1"};
    static const char *const lan[] = {
        "http://10.1.2.3:1",    "http://172.16.0.1:1",  "http://172.31.9.9:1",
        "http://192.168.1.1:1", "http://169.254.1.1:1", "http://[fe80::1]:1",
        "http://[fd00::1]:1",   "http://gpu.local:1",   "http://gpubox:1"};
    static const char *const world[] = {"https://example.com:443",
                                        "http://172.32.0.1:1",
                                        "http://11.0.0.1:1",
                                        "http://[2001:db8::1]:1",
                                        "http://localhost.evil.example:1",
                                        "http://127.0.0.1.example.com:1",
                                        "http://2130706433:1"};
    for (size_t i = 0; i < sizeof loopback / sizeof loopback[0]; i++) {
        assert_true(http_is_loopback(str_from(loopback[i])));
        assert_false(http_is_lan(str_from(loopback[i])));
    }
    for (size_t i = 0; i < sizeof lan / sizeof lan[0]; i++) {
        assert_false(http_is_loopback(str_from(lan[i])));
        assert_true(http_is_lan(str_from(lan[i])));
    }
    for (size_t i = 0; i < sizeof world / sizeof world[0]; i++) {
        assert_false(http_is_loopback(str_from(world[i])));
        assert_false(http_is_lan(str_from(world[i])));
    }
    assert_false(http_is_loopback(STR("")));
    assert_false(http_is_lan(STR("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_urls_are_taken_apart),
        cmocka_unit_test(bad_urls_are_refused_with_a_reason),
        cmocka_unit_test(origins_are_sorted_by_reach),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
