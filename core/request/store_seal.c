/* store_seal.c - an entry as bytes that are bound to their key.
 *
 * How      Head: version, kind, flags, 0, model's length (2), 0 (2), created (8), little-endian.
 *          Both hashes begin with a word that says what they are for, so that none serves for the
 *          other, and are keyed with the secret.
 * Rules    Reading stays inside the bytes whatever they say, though the seal has been checked. */
#include "core/request/store_seal.h"

#include "core/base/blake2b.h"

#define VERSION        1u
#define FLAG_MULTILINE 1u

static void put_number(unsigned char *at, uint64_t value, unsigned n_bytes)
{
    for (unsigned i = 0; i < n_bytes; i++) {
        at[i] = (unsigned char)(value >> 8 * i);
    }
}

static uint64_t get_number(const unsigned char *at, unsigned n_bytes)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < n_bytes; i++) {
        value |= (uint64_t)at[i] << 8 * i;
    }
    return value;
}

bool store_pack(const struct store_entry *entry, struct buf *out)
{
    unsigned char head[STORE_HEAD_BYTES] = {VERSION, entry->kind,
                                            entry->is_multiline ? FLAG_MULTILINE : 0};
    size_t n = sizeof head + entry->model.len + entry->text.len;
    if (entry->model.len > STORE_MAX_MODEL_BYTES || entry->text.len > FLIGHT_MAX_TEXT_BYTES ||
        n > out->max - out->len) {
        return false;
    }
    put_number(head + 4, entry->model.len, 2);
    put_number(head + 8, entry->created_us, 8);
    buf_append(out, str_of((const char *)head, sizeof head));
    buf_append(out, entry->model);
    buf_append(out, entry->text);
    return true;
}

void store_seal(const struct store_secret *secret, const struct store_key *key, str packed,
                unsigned char seal[STORE_SEAL_BYTES])
{
    struct blake2b b;
    blake2b_init(&b, STORE_SEAL_BYTES, secret->bytes, sizeof secret->bytes);
    blake2b_add(&b, "seal", 4);
    blake2b_add(&b, key->bytes, sizeof key->bytes);
    blake2b_add(&b, packed.ptr, packed.len);
    blake2b_end(&b, seal);
}

bool store_unseal(const struct store_secret *secret, const struct store_key *key, str sealed,
                  struct store_entry *out)
{
    if (sealed.len < STORE_HEAD_BYTES + STORE_SEAL_BYTES || sealed.len > STORE_MAX_SEALED_BYTES) {
        return false;
    }
    str packed = str_sub(sealed, 0, sealed.len - STORE_SEAL_BYTES);
    unsigned char seal[STORE_SEAL_BYTES];
    store_seal(secret, key, packed, seal);
    if (!blake2b_is_same(seal, packed.ptr + packed.len, sizeof seal)) {
        return false;
    }
    const unsigned char *head = (const unsigned char *)packed.ptr;
    size_t n_model = (size_t)get_number(head + 4, 2);
    if (head[0] != VERSION || n_model > packed.len - STORE_HEAD_BYTES) {
        return false;
    }
    *out = (struct store_entry){
        .model = str_sub(packed, STORE_HEAD_BYTES, STORE_HEAD_BYTES + n_model),
        .text = str_sub(packed, STORE_HEAD_BYTES + n_model, packed.len),
        .kind = head[1],
        .is_multiline = (head[2] & FLAG_MULTILINE) != 0,
        .created_us = get_number(head + 8, 8),
    };
    return true;
}

uint64_t store_row_id(const struct store_secret *secret, const struct store_key *key)
{
    struct blake2b b;
    unsigned char id[8];
    blake2b_init(&b, sizeof id, secret->bytes, sizeof secret->bytes);
    blake2b_add(&b, "row", 3);
    blake2b_add(&b, key->bytes, sizeof key->bytes);
    blake2b_end(&b, id);
    return get_number(id, sizeof id);
}
