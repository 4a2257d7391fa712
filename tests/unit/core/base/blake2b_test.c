/* blake2b_test.c - the hash beside RFC 7693 and another implementation of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "core/base/blake2b.h"
#include "core/base/str.h"

static const char *hex(const unsigned char *p, size_t n)
{
    static char text[2 * BLAKE2B_MAX_BYTES + 1];
    for (size_t i = 0; i < n; i++) {
        (void)snprintf(text + 2 * i, 3, "%02x", p[i]);
    }
    return text;
}

static void blake2b_gives_the_published_value(void **state)
{
    (void)state;
    struct blake2b b;
    unsigned char out[64];
    blake2b_init(&b, sizeof out, NULL, 0);
    blake2b_add(&b, "abc", 3);
    blake2b_end(&b, out);
    assert_string_equal(hex(out, sizeof out),
                        "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d1"
                        "7d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923");
}

/* Bytes (7 i + 3), hashed by the implementation of Python's standard library. */
static const struct {
    size_t n;
    const char *plain; /* 32 bytes, no key */
    const char *keyed; /* 16 bytes, the key 0, 1, ... 31 */
} cases[] = {
    {0, "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8",
     "3daf97bce7888fd59773c66bf647459c"},
    {1, "e88bd757ad5b9bedf372d8d3f0cf6c962a469db61a265f6418e1ffed86da29ec",
     "682b64a2070da39e4aaadc6ab1fbae02"},
    {127, "c9ae3859964b35f04c54b36d33cf299d7290ee621005d28e51598a943560aaaa",
     "acd16ac52209cf491f859dd8f7995ada"},
    {128, "f0501d06597880592bc49234eef100ec1ff349058d0e9d9b753504e24af86dd6",
     "7071ce5c0cfb5ef3bdc893e8607b660d"},
    {129, "a34a4e1e03c541dfbf3099c4b6c143c022ced65c28bd7e8a10e0a098461aecf0",
     "9bce8b2cd4dea0b9619e31c5dc438e5f"},
    {255, "f2d64a40e9412a3414161ff6250075225418fd7c271c1123e162e1bca0de9f93",
     "12d3480bfd682b8d2af3fcaf328797d1"},
    {256, "d93ebb9c802f5630ab22516fd82b6c21bc8bd551d531349b715f046ed11ed871",
     "4b0f032e23f9a39fda85f9a636576afd"},
    {257, "4ce481b24d387422d2bc2baa03d1afd55a1327939ff537c71eb9b38709268649",
     "41958f8086d166321ed6a0c4ec79a10c"},
    {1000, "d62b6c768ce1afc8367e0498ab2f8e3f7c178c35b1429f14c4604b545d200f52",
     "839dc0c87424ee1de01087ea7c75b2ca"},
};

static void agree(size_t i, size_t piece)
{
    unsigned char data[1000], key[32], out[32];
    struct blake2b plain, keyed;
    for (size_t at = 0; at < sizeof data; at++) {
        data[at] = (unsigned char)(at * 7 + 3);
    }
    for (size_t at = 0; at < sizeof key; at++) {
        key[at] = (unsigned char)at;
    }
    blake2b_init(&plain, 32, NULL, 0);
    blake2b_init(&keyed, 16, key, sizeof key);
    for (size_t at = 0; at < cases[i].n; at += piece) {
        size_t left = cases[i].n - at;
        blake2b_add(&plain, data + at, left < piece ? left : piece);
        blake2b_add(&keyed, data + at, left < piece ? left : piece);
    }
    blake2b_end(&plain, out);
    assert_string_equal(hex(out, 32), cases[i].plain);
    blake2b_end(&keyed, out);
    assert_string_equal(hex(out, 16), cases[i].keyed);
}

static void blake2b_agrees_with_another_implementation_however_cut(void **state)
{
    static const size_t pieces[] = {1, 3, 64, 127, 128, 129, 1000};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (size_t j = 0; j < sizeof pieces / sizeof pieces[0]; j++) {
            agree(i, pieces[j]);
        }
    }
}

static void blake2b_compares_whole_values(void **state)
{
    (void)state;
    assert_true(blake2b_is_same("same", "same", 4));
    assert_false(blake2b_is_same("same", "sane", 4));
    assert_false(blake2b_is_same("same", "samE", 4));
    assert_true(blake2b_is_same("a", "b", 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blake2b_gives_the_published_value),
        cmocka_unit_test(blake2b_agrees_with_another_implementation_however_cut),
        cmocka_unit_test(blake2b_compares_whole_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
