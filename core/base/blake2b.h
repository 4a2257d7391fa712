/* blake2b.h - BLAKE2b (RFC 7693): a cryptographic hash, with a key or without.
 *
 * For what is stored or leaves the process, where hash.h's values mean nothing: without a key it
 * binds to a content that others may choose, with a key only who has it can say or check a value.
 * 8 KiB take about 14 us. */
#ifndef CRUCIBLE_BASE_BLAKE2B_H
#define CRUCIBLE_BASE_BLAKE2B_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BLAKE2B_MAX_BYTES 64u /* of a value, and of a key */

struct blake2b { /* in the caller's memory; nothing to release */
    uint64_t h[8];
    uint64_t n_compressed; /* bytes, the key's block included */
    unsigned char block[128];
    size_t n_block;
    size_t n_out;
};

/* n_out is 1 to BLAKE2B_MAX_BYTES, n_key 0 (no key) to BLAKE2B_MAX_BYTES. */
void blake2b_init(struct blake2b *b, size_t n_out, const void *key, size_t n_key);
void blake2b_add(struct blake2b *b, const void *p, size_t n);
/* Writes the n_out bytes and wipes *b. */
void blake2b_end(struct blake2b *b, void *out);
/* Whether n bytes are the same, in a time that doesn't tell where they differ. */
bool blake2b_is_same(const void *a, const void *b, size_t n);

#endif
