/* store_folder.h - the folder of the store on disk: its lock, its secret, what is set aside.
 *
 * Blocking, for a thread. All servers of a user share the folder:
 *
 *     lock             held while somebody opens the store, so that one at a time makes or mends it
 *     secret           32 random bytes, made once: keys and seals depend on them
 *     answers.db       the database, with answers.db-wal and answers.db-shm beside it
 *     answers.db.corrupt   the last one that turned out damaged */
#ifndef CRUCIBLE_REQUEST_STORE_FOLDER_H
#define CRUCIBLE_REQUEST_STORE_FOLDER_H

#include "core/base/error.h"
#include "core/request/store_seal.h"

/* Names a file for good: a database that has another isn't the one that was opened. */
struct file_identity {
    uint64_t device, inode; /* both 0: none */
};

struct store_folder {
    int fd;
    int lock_fd;
    struct buf path; /* without links */
};

/* Makes the folder where it is missing and takes its lock, waiting up to STORE_LOCK_US.
 * ERR_REJECTED where it can't be trusted, ERR_TIMEOUT where somebody else has the lock. What was
 * opened is released by store_folder_close, also after an error. */
NODISCARD enum err store_folder_open(struct store_folder *f, const char *path, struct error *error);
void store_folder_unlock(struct store_folder *f);
void store_folder_close(struct store_folder *f); /* gives the lock back, too; {0} is fine */
#define STORE_LOCK_US 500000u

/* Reads the secret; makes one where there is none, or none of the right length. */
NODISCARD enum err store_folder_secret(const struct store_folder *f, struct store_secret *secret,
                                       struct error *error);
/* Sees to it that there is a database file, maybe empty, which may be opened by its path. */
NODISCARD enum err store_folder_prepare(const struct store_folder *f, struct error *error);
/* Renames the database to its `.corrupt` name; the one that had that name is gone. */
NODISCARD enum err store_folder_set_aside(const struct store_folder *f, struct error *error);
/* Of the database's file now; zeros where there is none. */
struct file_identity store_folder_identity(const struct store_folder *f);
/* Whether the system lets us write the database's file. */
bool store_folder_may_write(const struct store_folder *f);
/* Bytes that the database takes with its log. */
uint64_t store_folder_bytes(const struct store_folder *f);
/* Appends the database's path. */
void store_folder_database(const struct store_folder *f, struct buf *out);

#endif
