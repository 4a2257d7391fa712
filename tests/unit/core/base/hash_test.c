/* hash_test.c - keyed hashing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "core/base/hash.h"
#include "core/base/map.h"

/* The first comes from the function's published vectors; the others were computed with another
 * implementation of it, under a key of zeros. */
static void hash_is_siphash(void **state)
{
    static const uint64_t published[2] = {0x0706050403020100u, 0x0f0e0d0c0b0a0908u};
    static const uint64_t zero[2];
    static const struct {
        size_t n;
        uint64_t hash;
    } cases[] = {{1, 0x407448d2b89b1813u}, {7, 0x6db12aae9070f506u},  {8, 0x3f7b849c0b8e35eau},
                 {9, 0xf89b34a3d11eb6e5u}, {16, 0x94f60d3d29e6a312u}, {36, 0xfe9ee02c60cec362u}};
    static const char text[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    (void)state;
    assert_true(hash_keyed(published, "", 0) == 0xabac0158050fc4dcu);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_true(hash_keyed(zero, text, cases[i].n) == cases[i].hash);
    }
}

static void hash_depends_on_bytes_alone(void **state)
{
    (void)state;
    char a[64] = {0}, b[65] = {0};
    for (size_t n = 0; n <= 64; n++) {
        assert_true(hash_bytes(a, n) == hash_bytes(b + 1, n));
        assert_true(n == 0 || hash_bytes(a, n) != hash_bytes(a, n - 1));
    }
    assert_true(hash_str(STR("abc")) == hash_bytes("abc", 3));
    assert_true(hash_str(STR("abc")) != hash_str(STR("abd")));
    assert_true(hash_str(str_from(NULL)) == hash_str(STR("")));
    assert_true(hash_str(STR("abc")) != hash_keyed((uint64_t[2]){0, 0}, "abc", 3));
}

static void hash_every_bit_counts(void **state)
{
    (void)state;
    unsigned char text[24] = "twenty-four bytes, text";
    uint64_t before = hash_bytes(text, sizeof text);
    for (size_t bit = 0; bit < sizeof text * 8; bit++) {
        text[bit / 8] ^= (unsigned char)(1u << bit % 8);
        int n_changed = __builtin_popcountll(before ^ hash_bytes(text, sizeof text));
        assert_in_range(n_changed, 10, 54);
        text[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
}

static void hash_mix_depends_on_the_order(void **state)
{
    (void)state;
    uint64_t a = hash_str(STR("a")), b = hash_str(STR("b"));
    assert_true(hash_mix(a, b) != hash_mix(b, a));
    assert_true(hash_mix(a, b) == hash_mix(a, b));
    assert_true(hash_mix(0, 0) != 0 && hash_mix(0, 1) != hash_mix(1, 0));
    assert_true(hash_mix(a, a) != hash_mix(b, b));
}

static void random_bytes_fill_all(void **state)
{
    (void)state;
    unsigned char a[1001] = {0}, or_of_all[1000] = {0};
    for (int i = 0; i < 16; i++) {
        random_bytes(a, 1000);
        for (int k = 0; k < 1000; k++) {
            or_of_all[k] |= a[k];
        }
    }
    assert_int_equal(a[1000], 0);
    for (int k = 0; k < 1000; k++) {
        assert_int_not_equal(or_of_all[k], 0);
    }
    random_bytes(a, 0);
}

struct entry {
    uint32_t key;
    UT_hash_handle hh;
};

static void map_finds_what_was_put_in(void **state)
{
    (void)state;
    struct entry *map = NULL, *found = NULL, *next;
    for (uint32_t i = 0; i < 1000; i++) {
        struct entry *entry = xcalloc(1, sizeof *entry);
        entry->key = i * 7;
        HASH_ADD(hh, map, key, sizeof entry->key, entry);
    }
    uint32_t key = 700;
    HASH_FIND(hh, map, &key, sizeof key, found);
    assert_true(found && found->key == 700);
    key = 701;
    HASH_FIND(hh, map, &key, sizeof key, found);
    assert_null(found);
    HASH_ITER(hh, map, found, next)
    {
        HASH_DEL(map, found);
        xfree(found);
    }
    assert_null(map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hash_is_siphash),       cmocka_unit_test(hash_depends_on_bytes_alone),
        cmocka_unit_test(hash_every_bit_counts), cmocka_unit_test(hash_mix_depends_on_the_order),
        cmocka_unit_test(random_bytes_fill_all), cmocka_unit_test(map_finds_what_was_put_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
