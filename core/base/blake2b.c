/* blake2b.c - BLAKE2b as RFC 7693 lays it down.
 *
 * How    Blocks of 128 bytes are mixed into eight words; the last block waits in `block` until it
 * is known to be the last, since it is mixed with a mark. A key is a first block of its own. */
#include "core/base/blake2b.h"

#include <string.h>

#include "core/base/memory.h"
#include "core/base/swar.h"

#define BLOCK_BYTES 128u
#define N_ROUNDS    12u

static const uint64_t start[8] = {
    0x6a09e667f3bcc908u, 0xbb67ae8584caa73bu, 0x3c6ef372fe94f82bu, 0xa54ff53a5f1d36f1u,
    0x510e527fade682d1u, 0x9b05688c2b3e6c1fu, 0x1f83d9abfb41bd6bu, 0x5be0cd19137e2179u,
};

/* Which words of the block a round takes, in the order in which it takes them. */
static const unsigned char order[10][16] = {
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
    {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
    {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4},
    {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
    {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13},
    {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
    {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11},
    {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
    {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5},
    {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0},
};

static inline uint64_t rotr(uint64_t x, unsigned n)
{
    return x >> n | x << (64 - n);
}

static inline void mix(uint64_t *a, uint64_t *b, uint64_t *c, uint64_t *d, const uint64_t words[2])
{
    *a += *b + words[0];
    *d = rotr(*d ^ *a, 32);
    *c += *d;
    *b = rotr(*b ^ *c, 24);
    *a += *b + words[1];
    *d = rotr(*d ^ *a, 16);
    *c += *d;
    *b = rotr(*b ^ *c, 63);
}

static void compress(struct blake2b *b, const unsigned char *block, bool is_last)
{
    uint64_t m[16], v[16];
    for (unsigned i = 0; i < 16; i++) {
        m[i] = swar_load(block + (size_t)i * 8);
    }
    memcpy(v, b->h, sizeof b->h);
    memcpy(v + 8, start, sizeof start);
    v[12] ^= b->n_compressed;
    v[14] = is_last ? ~v[14] : v[14];
    for (unsigned round = 0; round < N_ROUNDS; round++) {
        const unsigned char *s = order[round % 10];
        for (unsigned i = 0; i < 4; i++) { /* the columns */
            mix(&v[i], &v[4 + i], &v[8 + i], &v[12 + i],
                (const uint64_t[2]){m[s[2 * i]], m[s[2 * i + 1]]});
        }
        for (unsigned i = 0; i < 4; i++) { /* the diagonals */
            mix(&v[i], &v[4 + (i + 1) % 4], &v[8 + (i + 2) % 4], &v[12 + (i + 3) % 4],
                (const uint64_t[2]){m[s[8 + 2 * i]], m[s[9 + 2 * i]]});
        }
    }
    for (unsigned i = 0; i < 8; i++) {
        b->h[i] ^= v[i] ^ v[8 + i];
    }
}

void blake2b_init(struct blake2b *b, size_t n_out, const void *key, size_t n_key)
{
    ASSERT(n_out > 0 && n_out <= BLAKE2B_MAX_BYTES && n_key <= BLAKE2B_MAX_BYTES);
    *b = (struct blake2b){.n_out = n_out};
    memcpy(b->h, start, sizeof start);
    b->h[0] ^= 0x01010000u ^ (uint64_t)n_key << 8 ^ n_out;
    if (n_key > 0) {
        memcpy(b->block, key, n_key);
        b->n_block = BLOCK_BYTES;
    }
}

void blake2b_add(struct blake2b *b, const void *p, size_t n)
{
    const unsigned char *at = p;
    while (n > 0) {
        if (b->n_block == BLOCK_BYTES) { /* more follows: it isn't the last */
            b->n_compressed += BLOCK_BYTES;
            compress(b, b->block, false);
            b->n_block = 0;
        }
        for (; b->n_block == 0 && n > BLOCK_BYTES; at += BLOCK_BYTES, n -= BLOCK_BYTES) {
            b->n_compressed += BLOCK_BYTES;
            compress(b, at, false);
        }
        size_t room = BLOCK_BYTES - b->n_block;
        size_t part = n < room ? n : room;
        memcpy(b->block + b->n_block, at, part);
        b->n_block += part;
        at += part;
        n -= part;
    }
}

void blake2b_end(struct blake2b *b, void *out)
{
    memset(b->block + b->n_block, 0, BLOCK_BYTES - b->n_block);
    b->n_compressed += b->n_block;
    compress(b, b->block, true);
    unsigned char all[BLAKE2B_MAX_BYTES];
    for (unsigned i = 0; i < sizeof all; i++) {
        all[i] = (unsigned char)(b->h[i / 8] >> 8 * (i % 8));
    }
    memcpy(out, all, b->n_out);
    explicit_bzero(b, sizeof *b);
}

bool blake2b_is_same(const void *a, const void *b, size_t n)
{
    const unsigned char *one = a, *other = b;
    unsigned differ = 0;
    for (size_t i = 0; i < n; i++) {
        differ |= (unsigned)(one[i] ^ other[i]);
    }
    return differ == 0;
}
