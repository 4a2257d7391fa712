/* store.c - what all stores share: their keys, and the way to the one that was made. */
#include "core/request/store.h"

#include "core/base/blake2b.h"
#include "core/base/limits.h"

struct store_key store_key_of(const str *parts, size_t n)
{
    static const char purpose[] = "crucible answer 1"; /* a new number makes all keys new */
    struct store_key key = {{0}};
    struct blake2b b;
    blake2b_init(&b, sizeof key.bytes, NULL, 0);
    blake2b_add(&b, purpose, sizeof purpose);
    for (size_t i = 0; i < n; i++) {
        unsigned char len[8];
        for (unsigned byte = 0; byte < sizeof len; byte++) {
            len[byte] = (unsigned char)((uint64_t)parts[i].len >> 8 * byte);
        }
        blake2b_add(&b, len, sizeof len);
        blake2b_add(&b, parts[i].ptr, parts[i].len);
    }
    blake2b_end(&b, key.bytes);
    return key;
}

enum store_found store_get(struct store *s, const struct store_lookup *q, struct store_entry *entry,
                           uint64_t *lookup)
{
    return s ? s->ops->get(s, q, entry, lookup) : STORE_MISS;
}

void store_cancel(struct store *s, uint64_t lookup)
{
    if (s) {
        s->ops->cancel(s, lookup);
    }
}

void store_put(struct store *s, const struct store_key *key, const struct store_entry *entry)
{
    if (s) {
        s->ops->put(s, key, entry);
    }
}

void store_warm(struct store *s)
{
    if (s) {
        s->ops->warm(s);
    }
}

void store_clear(struct store *s)
{
    if (s) {
        s->ops->clear(s);
    }
}

void store_destroy(struct store *s)
{
    if (s) {
        s->ops->destroy(s);
    }
}

struct store_stats store_stats(const struct store *s)
{
    static const struct histogram nothing;
    return s ? s->ops->stats(s)
             : (struct store_stats){
                   .name = "", .state = "closed", .reason = "", .lookup_us = &nothing};
}
