/* hash.h - keyed hashing for everything that hashes bytes a peer chose.
 *
 * SipHash-1-3 (Aumasson, Bernstein 2012; the 1-3 variant as in Rust's and Ruby's tables) with a
 * key drawn once per process, so that nobody can prepare colliding keys. Values are only
 * meaningful inside this process. */
#ifndef CRUCIBLE_BASE_HASH_H
#define CRUCIBLE_BASE_HASH_H

#include "core/base/str.h"

uint64_t hash_bytes(const void *p, size_t n);
uint64_t hash_str(str s);
/* The function itself under a key of the caller's, 128 bits: the same in every process. */
uint64_t hash_keyed(const uint64_t key[2], const void *p, size_t n);
/* Order-dependent combination of two hashes. */
uint64_t hash_mix(uint64_t a, uint64_t b);
/* Fills p with n bytes of the system's randomness. */
void random_bytes(void *p, size_t n);

#endif
