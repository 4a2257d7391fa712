/* store.h - where whole answers are kept beyond this process: on disk (store_disk.h), among a team.
 *
 * Below the flights, which are the cache in memory: asked when no flight can be boarded, told when
 * one has landed complete. A store is a convenience and behaves like one:
 *   - it answers at once or within a bound, or it counts as not knowing;
 *   - what it gives was put under that very key by somebody who had the store's secret: an entry
 *     that was exchanged, cut, flipped or made up is a miss and a count, never an answer;
 *   - nothing that happens to it is an error to anybody: it turns itself off, says why in its
 *     figures and once in the log, and tries again later.
 *
 * What comes out is still a model's output: the caller trims and filters it as if it had just come
 * in. What mustn't be kept (text with a secret in it, an answer that broke off) isn't put in.
 *
 * The loop's thread only. Every function accepts a NULL store, which knows nothing. From inside
 * on_found everything may be called but store_destroy. */
#ifndef CRUCIBLE_REQUEST_STORE_H
#define CRUCIBLE_REQUEST_STORE_H

#include "core/base/metrics.h"

/* -- keys -- */

#define STORE_KEY_BYTES 32u
/* Equal in every process and on every machine where all that the answer depends on is equal. */
struct store_key {
    unsigned char bytes[STORE_KEY_BYTES];
};
/* The BLAKE2b of the parts, their order and their lengths; nobody can find two texts of one key.
 * The key alone never leaves the process: each store hashes it once more under a secret of its own,
 * so that who reads a store can't test whether a text that he knows was asked about. */
struct store_key store_key_of(const str *parts, size_t n);

/* -- entries -- */

#define STORE_MAX_MODEL_BYTES 256u
/* A longer text (FLIGHT_MAX_TEXT_BYTES) or model name isn't kept. */
struct store_entry {
    str text;           /* clean, "\n" line ends */
    str model;          /* who said it: "endpoint/model" */
    unsigned char kind; /* of the question, as the caller numbers them: never renumber */
    bool is_multiline;
    uint64_t created_us; /* wall clock; in a store_put 0 means the present */
};

/* -- operations -- */

struct store;

enum store_found {
    STORE_MISS, /* there is none, or none that can be had in time */
    STORE_HIT,  /* *entry is it, borrowed until the next call into this store */
    STORE_LATER /* on_found will be called once, in a later turn, within STORE_LATER_US or so */
};
#define STORE_LATER_US 2000u

struct store_lookup {
    struct store_key key;
    /* The entry, borrowed for the call, or NULL for a miss. May be NULL itself: then the store
     * says STORE_MISS where it would have said STORE_LATER. */
    void (*on_found)(const struct store_entry *entry, void *user);
    void *user;
};
/* `lookup` gets a number for store_cancel where the answer is STORE_LATER; may be NULL. */
enum store_found store_get(struct store *s, const struct store_lookup *q, struct store_entry *entry,
                           uint64_t *lookup);
/* on_found won't be called any more. Unknown numbers are ignored. */
void store_cancel(struct store *s, uint64_t lookup);
/* Copies; can be found once it is written, within a second or so. Takes the place of an older one.
 */
void store_put(struct store *s, const struct store_key *key, const struct store_entry *entry);
/* Gets ready in the background, which the first get or put would do otherwise. */
void store_warm(struct store *s);
/* Forgets everything, here and on disk, in the background. */
void store_clear(struct store *s);
/* Writes what waits to be written, taking no longer than about 200 ms, cancels all lookups, frees.
 */
void store_destroy(struct store *s);

struct store_stats {
    const char *name;   /* "disk" */
    const char *state;  /* "closed", "opening", "open", "off" */
    const char *reason; /* why it is off, or was last, for a person; "" for never */
    uint64_t n_hits;
    uint64_t n_misses;   /* all lookups that gave nothing, those of the next three lines included */
    uint64_t n_expired;  /* there was one, too old */
    uint64_t n_rejected; /* there was one that isn't what was put under this key */
    uint64_t n_late;     /* not known in time */
    uint64_t n_stored, n_dropped; /* written; put but not written */
    uint64_t n_evicted, n_errors; /* n_errors: times that something made it fail */
    uint64_t n_bytes;             /* taken, as last seen */
    bool is_off_loop;             /* lookups were slow: they are made on a thread for a while */
    const struct histogram *lookup_us; /* of all lookups that looked; borrowed from the store */
};
struct store_stats store_stats(const struct store *s);

/* -- for those who write a store -- */

struct store_ops {
    enum store_found (*get)(struct store *s, const struct store_lookup *q,
                            struct store_entry *entry, uint64_t *lookup);
    void (*cancel)(struct store *s, uint64_t lookup);
    void (*put)(struct store *s, const struct store_key *key, const struct store_entry *entry);
    void (*warm)(struct store *s);
    void (*clear)(struct store *s);
    void (*destroy)(struct store *s);
    struct store_stats (*stats)(const struct store *s);
};
struct store { /* first member of each */
    const struct store_ops *ops;
};

#endif
