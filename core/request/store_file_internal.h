/* store_file_internal.h - one open database, between the file that opens it and the one that uses
 * it.
 */
#ifndef CRUCIBLE_REQUEST_STORE_FILE_INTERNAL_H
#define CRUCIBLE_REQUEST_STORE_FILE_INTERNAL_H

#include <sqlite3.h>
#include <stdatomic.h>

#include "core/base/clock.h"
#include "core/request/store_file.h"

#define LOG_BYTES (2u * MIB) /* of the log in the bound; it is emptied from half of it on */

/* What the writer's side says to SQLite; texts in store_file_open.c. */
enum statement {
    SQL_BEGIN,
    SQL_COMMIT,
    SQL_ROLLBACK,
    SQL_PUT,
    SQL_TOUCH,
    SQL_EVICT_OLD,
    SQL_EVICT_AHEAD,
    SQL_EVICT,
    SQL_PAGES,
    SQL_FREE_PAGES,
    N_STATEMENTS
};
struct store_file {
    struct store_folder folder; /* without its lock once it is open */
    struct file_identity identity;
    struct store_secret secret;
    bool has_set_aside;

    sqlite3 *reader;
    sqlite3_stmt *get;

    sqlite3 *writer;
    sqlite3_stmt *writes[N_STATEMENTS];
    uint64_t page_bytes;
    int log_pages;          /* in the log, as of the last commit */
    uint64_t max_log_pages; /* from here on it is emptied */
    _Atomic uint64_t deadline_us;
};

/* What a result code of SQLite means to the caller; ERR_OK for rows and ends of them, too. */
enum err store_file_kind(int rc);
/* The same, with words for a person. `db`: where it happened. */
enum err store_file_fail(const struct store_file *f, sqlite3 *db, int rc, struct error *error);
/* Binds the key's number to the statement's first parameter. */
int store_file_bind(const struct store_file *f, const struct store_key *key, sqlite3_stmt *s);
/* Whether the deadline of the writer's side has passed. */
bool store_file_is_late(const struct store_file *f);
bool store_file_is_same(struct file_identity a, struct file_identity b);

#endif
