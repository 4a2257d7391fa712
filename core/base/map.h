/* map.h - uthash with a keyed hash and our allocator; include this, never <uthash.h>. */
#ifndef CRUCIBLE_BASE_MAP_H
#define CRUCIBLE_BASE_MAP_H

#include "core/base/hash.h"
#include "core/base/memory.h"

#define uthash_malloc(n)                     xmalloc(n)
#define uthash_free(p, n)                    xfree(p)
#define HASH_FUNCTION(keyptr, keylen, hashv) ((hashv) = (unsigned)hash_bytes((keyptr), (keylen)))
#include <uthash.h>

#endif
