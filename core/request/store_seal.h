/* store_seal.h - an entry as bytes that are bound to their key.
 *
 * Pure. Sealed bytes are a head, the model's name, the text, and a BLAKE2b of all of it and of the
 * key under the store's secret: whoever lacks the secret can make none, and none passes under
 * another key. They aren't hidden: who may read the store reads the answers. */
#ifndef CRUCIBLE_REQUEST_STORE_SEAL_H
#define CRUCIBLE_REQUEST_STORE_SEAL_H

#include "core/base/limits.h"
#include "core/request/store.h"

#define STORE_SECRET_BYTES 32u
#define STORE_SEAL_BYTES   16u
#define STORE_HEAD_BYTES   16u
#define STORE_MAX_SEALED_BYTES                                                                     \
    (STORE_HEAD_BYTES + STORE_MAX_MODEL_BYTES + FLIGHT_MAX_TEXT_BYTES + STORE_SEAL_BYTES)

struct store_secret {
    unsigned char bytes[STORE_SECRET_BYTES];
};

/* Appends the entry without its seal; false, and nothing appended, where it is too long or `out`
 * has no room. */
bool store_pack(const struct store_entry *entry, struct buf *out);
/* The seal of packed bytes. */
void store_seal(const struct store_secret *secret, const struct store_key *key, str packed,
                unsigned char seal[STORE_SEAL_BYTES]);
/* Packed bytes and their seal. *out points into them. False where they aren't what somebody with
 * the secret put under this key. */
bool store_unseal(const struct store_secret *secret, const struct store_key *key, str sealed,
                  struct store_entry *out);
/* The number under which a store files the key: says nothing about it without the secret. */
uint64_t store_row_id(const struct store_secret *secret, const struct store_key *key);

#endif
