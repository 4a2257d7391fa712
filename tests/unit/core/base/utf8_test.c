/* utf8_test.c - UTF-8, against its definition and against a slow but obvious decoder. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "core/base/hash.h"
#include "core/base/utf8.h"

static bool is_scalar(uint32_t cp)
{
    return cp <= 0x10FFFF && (cp < 0xD800 || cp > 0xDFFF);
}

static void utf8_round_trips_every_code_point(void **state)
{
    (void)state;
    for (uint32_t cp = 0; cp < 0x110100; cp++) {
        char bytes[4];
        uint32_t back;
        size_t n = utf8_encode(cp, bytes);
        assert_true(utf8_is_valid(str_of(bytes, n)));
        assert_int_equal(utf8_decode(str_of(bytes, n), &back), n);
        assert_int_equal(back, is_scalar(cp) ? cp : 0xFFFD);
        for (size_t k = 1; k < n; k++) {
            assert_int_equal(utf8_decode(str_of(bytes, k), &back), 0);
            assert_int_equal(back, 0xFFFD);
            assert_int_equal(utf8_incomplete_tail(str_of(bytes, k)), k);
        }
        assert_int_equal(utf8_incomplete_tail(str_of(bytes, n)), 0);
    }
}

/* Every sequence of three bytes, and what it decodes to, worked out from the values. */
static void utf8_refuses_what_encodes_nothing(void **state)
{
    (void)state;
    for (uint32_t all = 0x800000; all < 0x1000000; all++) {
        char b[3] = {(char)(all >> 16), (char)(all >> 8), (char)all};
        unsigned char lead = (unsigned char)b[0];
        bool is_two = lead >= 0xC2 && lead <= 0xDF && (b[1] & 0xC0) == 0x80;
        uint32_t cp =
            (lead & 0x0Fu) << 12 | ((unsigned)b[1] & 0x3Fu) << 6 | ((unsigned)b[2] & 0x3Fu);
        bool is_three = (lead & 0xF0) == 0xE0 && (b[1] & 0xC0) == 0x80 && (b[2] & 0xC0) == 0x80 &&
                        cp >= 0x800 && is_scalar(cp);
        uint32_t got;
        size_t n = utf8_decode(str_of(b, 3), &got);
        if (n != (is_two ? 2u : is_three ? 3u : 0u)) {
            fail_msg("%06x", (unsigned)all);
        }
    }
}

static void utf8_refuses_wrong_four_byte_forms(void **state)
{
    static const char *const wrong[] = {"\xF0\x8F\xBF\xBF",
                                        "\xF4\x90\x80\x80",
                                        "\xF5\x80\x80\x80",
                                        "\xF0\x9F\x98\x28",
                                        "\xF0\x9F\x28\x80",
                                        "\xF8\x88\x80\x80\x80",
                                        "\xFF",
                                        "\xFE",
                                        "\x80"};
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        uint32_t cp;
        assert_int_equal(utf8_decode(str_from(wrong[i]), &cp), 0);
        assert_false(utf8_is_valid(str_from(wrong[i])));
    }
    assert_true(utf8_is_valid(STR("\xF0\x90\x80\x80\xF4\x8F\xBF\xBF")));
}

static void utf8_incomplete_tail_sees_only_what_may_complete(void **state)
{
    (void)state;
    assert_int_equal(utf8_incomplete_tail(STR("")), 0);
    assert_int_equal(utf8_incomplete_tail(STR("abc")), 0);
    assert_int_equal(utf8_incomplete_tail(STR("ab\xE2")), 1);
    assert_int_equal(utf8_incomplete_tail(STR("ab\xE2\x82")), 2);
    assert_int_equal(utf8_incomplete_tail(STR("\xF0\x9F\x98")), 3);
    assert_int_equal(utf8_incomplete_tail(STR("\xE0\x80")), 0); /* overlong, whatever follows */
    assert_int_equal(utf8_incomplete_tail(STR("\xED\xA0")), 0);
    assert_int_equal(utf8_incomplete_tail(STR("\xF4\x90")), 0);
    assert_int_equal(utf8_incomplete_tail(STR("\xC1")), 0);
    assert_int_equal(utf8_incomplete_tail(STR("\x80\x80\x80")), 0);
    assert_int_equal(utf8_incomplete_tail(STR("\xC3\xA9")), 0);
}

static void utf8_floor_keeps_characters_whole(void **state)
{
    (void)state;
    str s = STR("a\xC3\xA9\xF0\x9F\x98\x80");
    static const size_t floors[] = {0, 1, 1, 3, 3, 3, 3, 7, 7};
    for (size_t n = 0; n < sizeof floors / sizeof floors[0]; n++) {
        assert_int_equal(utf8_floor(s, n), floors[n]);
    }
}

static uint64_t seed;

static uint32_t random_below(uint32_t n)
{
    seed = hash_keyed((uint64_t[2]){1, 2}, &seed, sizeof seed);
    return (uint32_t)(seed >> 32) % n;
}

static void append_random_char(struct buf *b)
{
    static const uint32_t tops[] = {0x80, 0x80, 0x800, 0x10000, 0x110000};
    char bytes[4];
    uint32_t cp = random_below(tops[random_below(5)]);
    buf_append(b, str_of(bytes, utf8_encode(cp, bytes)));
}

/* Walks `s` one character at a time and compares every offset on the way. */
static void check_counts(str s)
{
    size_t units = 0, count = 0, at = 0;
    while (at < s.len) {
        uint32_t cp;
        size_t n = utf8_decode(str_sub(s, at, s.len), &cp);
        assert_int_equal(utf8_offset_of_utf16(s, units), at);
        assert_int_equal(utf8_offset_of_count(s, count), at);
        if (cp >= 0x10000) {
            assert_int_equal(utf8_offset_of_utf16(s, units + 1), at);
        }
        units += cp >= 0x10000 ? 2 : 1;
        count++;
        at += n;
    }
    assert_int_equal(utf8_utf16_len(s), units);
    assert_int_equal(utf8_count(s), count);
    assert_int_equal(utf8_offset_of_utf16(s, units), s.len);
    assert_int_equal(utf8_offset_of_count(s, count + 100), s.len);
    assert_int_equal(utf8_offset_of_utf16(s, SIZE_MAX), s.len);
}

static void utf8_counts_like_a_walk(void **state)
{
    (void)state;
    const char *given = getenv("SEED"), *rounds = getenv("ITERATIONS");
    seed = given ? strtoull(given, NULL, 10) : hash_str(STR("seed"));
    print_message("SEED=%llu\n", (unsigned long long)seed);
    for (unsigned long i = rounds ? strtoul(rounds, NULL, 10) : 3000; i > 0; i--) {
        struct buf b;
        buf_init(&b, 1000);
        for (uint32_t n = random_below(40); n > 0; n--) {
            append_random_char(&b);
        }
        check_counts(buf_str(&b));
        buf_release(&b);
    }
}

static void assert_repaired(str bad, const char *should)
{
    struct buf b;
    buf_init(&b, 1000);
    utf8_append_repaired(&b, bad);
    assert_string_equal(buf_cstr(&b), should);
    buf_release(&b);
}

#define R "\xEF\xBF\xBD"

static void utf8_repair_replaces_each_wrong_sequence(void **state)
{
    (void)state;
    assert_repaired(STR(""), "");
    assert_repaired(STR("plain \xC3\xA9 \xF0\x9F\x98\x80"), "plain \xC3\xA9 \xF0\x9F\x98\x80");
    assert_repaired(STR("a\xFF"
                        "b"),
                    "a" R "b");
    assert_repaired(STR("\xE2\x82"), R); /* a beginning counts once */
    assert_repaired(STR("\xE2\x82"
                        "a"),
                    R "a");
    assert_repaired(STR("\xE2\x28\xA1"), R "(" R);
    assert_repaired(STR("\xED\xA0\x80"), R R R); /* no byte of it could go on */
    assert_repaired(STR("\xC0\x80"), R R);
    assert_repaired(STR("\xF0\x9F\x98\xF0\x9F\x98\x80"), R "\xF0\x9F\x98\x80");
    assert_repaired(STR("12345678\x80"
                        "12345678"),
                    "12345678" R "12345678");
}

static void utf8_repair_gives_valid_text(void **state)
{
    (void)state;
    seed = hash_str(STR("repair"));
    for (int i = 0; i < 3000; i++) {
        char bytes[40];
        random_bytes(bytes, sizeof bytes);
        struct buf once, twice;
        buf_init(&once, 1000);
        buf_init(&twice, 1000);
        utf8_append_repaired(&once, str_of(bytes, random_below(sizeof bytes)));
        assert_true(utf8_is_valid(buf_str(&once)));
        utf8_append_repaired(&twice, buf_str(&once));
        assert_true(str_eq(buf_str(&once), buf_str(&twice)));
        buf_release(&once);
        buf_release(&twice);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(utf8_round_trips_every_code_point),
        cmocka_unit_test(utf8_refuses_what_encodes_nothing),
        cmocka_unit_test(utf8_refuses_wrong_four_byte_forms),
        cmocka_unit_test(utf8_incomplete_tail_sees_only_what_may_complete),
        cmocka_unit_test(utf8_floor_keeps_characters_whole),
        cmocka_unit_test(utf8_counts_like_a_walk),
        cmocka_unit_test(utf8_repair_replaces_each_wrong_sequence),
        cmocka_unit_test(utf8_repair_gives_valid_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
