/* store_file.h - the answers in one SQLite database, shared by all servers of a user.
 *
 * Blocking, and knows neither loop nor clock: wall time is an argument. A file has two sides, a
 * reader (store_file_get) and a writer (all others), which two threads may use at the same time,
 * one thread each at a time. Opening and closing concern both.
 *
 * What errors mean for the caller:
 *   ERR_TIMEOUT    somebody else is writing, or has locked it: try again, or do without
 *   ERR_PROTOCOL   the file is damaged: close it and open with its identity as `suspect`
 *   ERR_NOT_FOUND  the name means another file by now: close it and open again
 *   ERR_TOO_LARGE  the disk is full
 *   ERR_CANCELLED  the deadline passed
 *   else           it can't be used: permissions, a newer version's file, input or output errors */
#ifndef CRUCIBLE_REQUEST_STORE_FILE_H
#define CRUCIBLE_REQUEST_STORE_FILE_H

#include "core/request/store_folder.h"

struct store_file;

/* Opens the database in `folder` (an absolute path), makes it where there is none, sets a damaged
 * one aside and makes another. *suspect: a file that turned out damaged; set aside if it is still
 * the one that is there. *out is the caller's. */
NODISCARD enum err store_file_open(const char *folder, const struct file_identity *suspect,
                                   struct store_file **out, struct error *error);
/* Without waiting for the disk; NULL is fine. */
void store_file_close(struct store_file *f);
struct file_identity store_file_identity(const struct store_file *f);
/* Whether opening set a damaged file aside. */
bool store_file_has_set_aside(const struct store_file *f);

/* -- the reader's side -- */

enum file_found {
    FILE_HIT,
    FILE_STALE,   /* a hit whose use should be noted: put it on a batch's list of touched ones */
    FILE_ABSENT,  /* there is none */
    FILE_EXPIRED, /* there is one, too old */
    FILE_FORGED,  /* there is one that wasn't put under this key */
    FILE_BUSY,    /* can't be known now */
    FILE_BROKEN   /* *error says why */
};
/* An entry is younger than ttl_us. One from the future (clocks jump) counts as new, and as expired
 * where it lies more than ttl_us ahead, so that none is good for ever. *out points into `room`,
 * which has a maximum of STORE_MAX_SEALED_BYTES or more. Never waits for a lock. */
enum file_found store_file_get(struct store_file *f, const struct store_key *key, uint64_t wall_us,
                               uint64_t ttl_us, struct buf *room, struct store_entry *out,
                               struct error *error);

/* -- the writer's side -- */

#define STORE_BATCH_BYTES   (1u * MIB) /* of packed entries */
#define STORE_BATCH_ENTRIES 1024u
#define STORE_BATCH_TOUCHED 256u

/* What is written at once; `{0}` is an empty one. */
struct store_batch {
    struct store_batch_item {
        struct store_key key;
        size_t start, end; /* in `packed` */
    } * items;
    size_t n, cap;
    struct buf packed;
    struct store_key *touched; /* entries that were used */
    size_t n_touched;
};
/* Copies; false where there is no room or the entry is too long. */
bool store_batch_put(struct store_batch *b, const struct store_key *key,
                     const struct store_entry *entry);
void store_batch_touch(struct store_batch *b, const struct store_key *key); /* or drops it */
void store_batch_release(struct store_batch *b);

/* Nothing on the writer's side works past this time of clock_now_us; CLOCK_NEVER at first. */
void store_file_set_deadline(struct store_file *f, uint64_t until_us);
/* Writes all of it, or nothing. The newest entry of a key stays. */
NODISCARD enum err store_file_write(struct store_file *f, const struct store_batch *batch,
                                    uint64_t wall_us, struct error *error);
/* Brings the file below max_bytes, its log included, with `incoming` bytes still to be written:
 * what is older than STORE_MAX_AGE_US goes, then what was used least recently, in bulk. */
NODISCARD enum err store_file_trim(struct store_file *f, uint64_t max_bytes, size_t incoming,
                                   uint64_t wall_us, uint64_t *n_evicted, struct error *error);
#define STORE_MAX_AGE_US (7ull * 24 * 3600 * 1000000) /* the longest cache.ttl that may be set */
NODISCARD enum err store_file_clear(struct store_file *f, struct error *error);
/* Moves the log into the database where it has grown; waits for the disk. */
NODISCARD enum err store_file_settle(struct store_file *f, struct error *error);
/* Taken on disk, as the file system says. */
uint64_t store_file_bytes(const struct store_file *f);

#endif
