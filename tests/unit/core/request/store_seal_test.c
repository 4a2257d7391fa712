/* store_seal_test.c - keys that depend on all their parts, entries that are bound to their key. */
#include "tests/unit/core/request/store_bed.h"

static bool is_same_key(struct store_key a, struct store_key b)
{
    return memcmp(a.bytes, b.bytes, sizeof a.bytes) == 0;
}

static void keys_depend_on_parts_order_and_bounds(void **state)
{
    (void)state;
    str a[] = {STR("ab"), STR("c")}, b[] = {STR("a"), STR("bc")}, c[] = {STR("c"), STR("ab")};
    str d[] = {STR("ab"), STR("c"), STR("")};
    assert_true(is_same_key(store_key_of(a, 2), store_key_of(a, 2)));
    assert_false(is_same_key(store_key_of(a, 2), store_key_of(b, 2)));
    assert_false(is_same_key(store_key_of(a, 2), store_key_of(c, 2)));
    assert_false(is_same_key(store_key_of(a, 2), store_key_of(d, 3)));
    /* The same in every process and version: entries on disk would be lost else. */
    struct store_key key = store_key_of(a, 2);
    assert_int_equal(key.bytes[0], 0x49);
    assert_int_equal(key.bytes[31], 0x83);
}

static const struct store_secret secret = {{1, 2, 3}}, other_secret = {{1, 2, 4}};

static void seal(unsigned n, struct buf *out)
{
    unsigned char bytes[STORE_SEAL_BYTES];
    struct store_key key = key_of(n);
    struct store_entry entry = entry_of(n, 1, WALL);
    buf_init(out, STORE_MAX_SEALED_BYTES);
    assert_true(store_pack(&entry, out));
    store_seal(&secret, &key, buf_str(out), bytes);
    buf_append(out, str_of((const char *)bytes, sizeof bytes));
}

static void sealed_entry_comes_back_whole(void **state)
{
    (void)state;
    struct buf sealed;
    struct store_entry entry;
    struct store_key key = key_of(8);
    seal(8, &sealed);
    assert_true(store_unseal(&secret, &key, buf_str(&sealed), &entry));
    assert_true(str_eq(entry.text, text_of(8, 1)));
    assert_true(str_eq(entry.model, STR("here/model")));
    assert_int_equal(entry.kind, 2);
    assert_true(entry.is_multiline);
    assert_true(entry.created_us == WALL);
    buf_release(&sealed);
}

static void sealed_entry_is_refused_under_another_key_or_secret(void **state)
{
    (void)state;
    struct buf sealed;
    struct store_entry entry;
    struct store_key key = key_of(8), other = key_of(9);
    seal(8, &sealed);
    assert_false(store_unseal(&secret, &other, buf_str(&sealed), &entry));
    assert_false(store_unseal(&other_secret, &key, buf_str(&sealed), &entry));
    assert_true(store_row_id(&secret, &key) != store_row_id(&other_secret, &key));
    assert_true(store_row_id(&secret, &key) != store_row_id(&secret, &other));
    buf_release(&sealed);
}

static void flipped_cut_or_longer_entry_is_refused(void **state)
{
    (void)state;
    struct buf sealed;
    struct store_entry entry;
    struct store_key key = key_of(8);
    seal(8, &sealed);
    for (size_t bit = 0; bit < sealed.len * 8; bit++) {
        sealed.ptr[bit / 8] ^= (char)(1 << bit % 8);
        assert_false(store_unseal(&secret, &key, buf_str(&sealed), &entry));
        sealed.ptr[bit / 8] ^= (char)(1 << bit % 8);
    }
    for (size_t len = 0; len < sealed.len; len++) {
        assert_false(store_unseal(&secret, &key, str_of(sealed.ptr, len), &entry));
    }
    buf_append_char(&sealed, 'x');
    assert_false(store_unseal(&secret, &key, buf_str(&sealed), &entry));
    buf_release(&sealed);
}

/* Packed by somebody who has the secret, and wrong all the same. */
static void well_sealed_nonsense_stays_inside_its_bytes(void **state)
{
    (void)state;
    uint64_t random = seed_of("well_sealed_nonsense_stays_inside_its_bytes");
    struct store_key key = key_of(1);
    for (unsigned round = 0; round < 20000; round++) {
        char bytes[64];
        unsigned char mark[STORE_SEAL_BYTES];
        size_t n = next_random(&random) % (sizeof bytes - sizeof mark + 1);
        for (size_t i = 0; i < n; i++) {
            bytes[i] = (char)(i == 0 ? 1 : next_random(&random));
        }
        if (n > 5 && round % 2 == 0) { /* a model of a length that is about right */
            bytes[4] = (char)(next_random(&random) % 64);
            bytes[5] = 0;
        }
        store_seal(&secret, &key, str_of(bytes, n), mark);
        char *sealed = xmalloc(n + sizeof mark); /* so that a sanitizer sees its end */
        memcpy(sealed, bytes, n);
        memcpy(sealed + n, mark, sizeof mark);
        struct store_entry entry;
        if (store_unseal(&secret, &key, str_of(sealed, n + sizeof mark), &entry)) {
            assert_int_equal(entry.model.len + entry.text.len + STORE_HEAD_BYTES, n);
            assert_ptr_equal(entry.model.ptr, sealed + STORE_HEAD_BYTES);
        }
        xfree(sealed);
    }
}

static void too_long_an_entry_is_not_packed(void **state)
{
    (void)state;
    struct buf out;
    char *long_text = xcalloc(1, FLIGHT_MAX_TEXT_BYTES + 1);
    buf_init(&out, 1u << 20);
    struct store_entry entry = {.text = str_of(long_text, FLIGHT_MAX_TEXT_BYTES + 1)};
    assert_false(store_pack(&entry, &out));
    entry.text.len--;
    assert_true(store_pack(&entry, &out));
    entry = (struct store_entry){.model = str_of(long_text, STORE_MAX_MODEL_BYTES + 1)};
    size_t before = out.len;
    assert_false(store_pack(&entry, &out));
    assert_int_equal(out.len, before);
    xfree(long_text);
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_depend_on_parts_order_and_bounds),
        cmocka_unit_test(sealed_entry_comes_back_whole),
        cmocka_unit_test(sealed_entry_is_refused_under_another_key_or_secret),
        cmocka_unit_test(flipped_cut_or_longer_entry_is_refused),
        cmocka_unit_test(well_sealed_nonsense_stays_inside_its_bytes),
        cmocka_unit_test(too_long_an_entry_is_not_packed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
