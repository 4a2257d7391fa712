/* swar.h - eight bytes at a time in one 64-bit word; used inside core/base only.
 *
 * Masks have the top bit of a byte set where the byte has the property. Where a mask comes from a
 * subtraction, borrows can set bits of bytes above a true one: the lowest set bit is exact, as is
 * "none". */
#ifndef CRUCIBLE_BASE_SWAR_H
#define CRUCIBLE_BASE_SWAR_H

#include <stdint.h>
#include <string.h>

#define SWAR_ONES 0x0101010101010101u
#define SWAR_TOPS 0x8080808080808080u

/* The first byte ends up lowest on every machine. */
static inline uint64_t swar_load(const void *p)
{
    uint64_t word;
    memcpy(&word, p, sizeof word);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}

static inline uint64_t swar_equal(uint64_t word, unsigned char c)
{
    uint64_t diff = word ^ (SWAR_ONES * c);
    return (diff - SWAR_ONES) & ~diff & SWAR_TOPS;
}

/* Bytes below `c`, which is at most 0x80. */
static inline uint64_t swar_below(uint64_t word, unsigned char c)
{
    return (word - SWAR_ONES * c) & ~word & SWAR_TOPS;
}

/* Index of the lowest byte of a mask that isn't 0. */
static inline unsigned swar_first(uint64_t mask)
{
    return (unsigned)__builtin_ctzll(mask) / 8u;
}

/* How many bytes of an exact mask are set. */
static inline unsigned swar_count(uint64_t mask)
{
    return (unsigned)(((mask >> 7) * SWAR_ONES) >> 56);
}

/* What a JSON string can't hold as it is: quotes, backslashes, controls; and all but ASCII. */
static inline uint64_t swar_json_special(uint64_t word)
{
    return swar_equal(word, '"') | swar_equal(word, '\\') | swar_below(word, 0x20) |
           (word & SWAR_TOPS);
}

#endif
