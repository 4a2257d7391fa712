/* hash.c - keyed hashing.
 *
 * Why    Tables whose keys a peer chooses (URIs, model names, prompts) would become lists if the
 *        peer could choose colliding keys.
 * How    SipHash with one compression round per word and three at the end, under a key drawn at
 *        first use. Words are read little-endian.
 * Rules  A value means nothing in another process: never store one. Any thread may hash. */
#include "core/base/hash.h"

#include <pthread.h>
#include <sys/random.h>
#include <unistd.h>

#include "core/base/memory.h"
#include "core/base/swar.h"

static uint64_t process_key[2];
static pthread_once_t key_once = PTHREAD_ONCE_INIT;

struct sip {
    uint64_t v0, v1, v2, v3;
};

static inline uint64_t rotl(uint64_t x, unsigned n)
{
    return x << n | x >> (64 - n);
}

static inline void sip_round(struct sip *s)
{
    s->v0 += s->v1;
    s->v1 = rotl(s->v1, 13) ^ s->v0;
    s->v0 = rotl(s->v0, 32);
    s->v2 += s->v3;
    s->v3 = rotl(s->v3, 16) ^ s->v2;
    s->v0 += s->v3;
    s->v3 = rotl(s->v3, 21) ^ s->v0;
    s->v2 += s->v1;
    s->v1 = rotl(s->v1, 17) ^ s->v2;
    s->v2 = rotl(s->v2, 32);
}

static inline void sip_word(struct sip *s, uint64_t word)
{
    s->v3 ^= word;
    sip_round(s);
    s->v0 ^= word;
}

/* The last 0-7 bytes, with the length in the top byte. */
static inline uint64_t last_word(const unsigned char *p, size_t n_all)
{
    uint64_t word = (uint64_t)n_all << 56;
    for (size_t i = 0; i < (n_all & 7); i++) {
        word |= (uint64_t)p[i] << (8 * i);
    }
    return word;
}

static void draw_key(void)
{
    random_bytes(process_key, sizeof process_key);
}

uint64_t hash_keyed(const uint64_t key[2], const void *p, size_t n)
{
    struct sip s = {key[0] ^ 0x736f6d6570736575u, key[1] ^ 0x646f72616e646f6du,
                    key[0] ^ 0x6c7967656e657261u, key[1] ^ 0x7465646279746573u};
    const unsigned char *at = p;
    for (size_t left = n; left >= 8; left -= 8, at += 8) {
        sip_word(&s, swar_load(at));
    }
    sip_word(&s, last_word(at, n));
    s.v2 ^= 0xff;
    sip_round(&s);
    sip_round(&s);
    sip_round(&s);
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

uint64_t hash_bytes(const void *p, size_t n)
{
    pthread_once(&key_once, draw_key);
    return hash_keyed(process_key, p, n);
}

uint64_t hash_str(str s)
{
    return hash_bytes(s.ptr, s.len);
}

uint64_t hash_mix(uint64_t a, uint64_t b)
{
    uint64_t x = (a + 0x9e3779b97f4a7c15u) * 0xff51afd7ed558ccdu;
    x = (x ^ x >> 32) + b;
    x = (x ^ x >> 33) * 0xc4ceb9fe1a85ec53u;
    return x ^ x >> 29;
}

void random_bytes(void *p, size_t n)
{
    char *at = p;
    while (n > 0) {
        size_t part = n < 256 ? n : 256; /* what getentropy gives at most */
        ASSERT(getentropy(at, part) == 0);
        at += part;
        n -= part;
    }
}
