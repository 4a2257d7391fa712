/* store_file.c - the answers in one SQLite database, shared by all servers of a user.
 *
 * Why      A process may be killed at any instant, eight may write at once, and what is read may
 *          be damaged or made up: SQLite's log (WAL) sees to the first two, seals to the third.
 * How      One table, filed under a number that the key gives under the secret; an index by last
 *          use, which eviction walks. Commits don't wait for the disk (synchronous NORMAL): after a
 *          power cut the newest entries may be missing, never half there. The log is moved into the
 *          database by store_file_settle, never by a commit or by closing.
 * Rules    Nothing but a sealed row is ever given out. A transaction is short: others wait for it.
 */
#include "core/request/store_file_internal.h"

#define WRITE_TRIES 5u
#define EVICT_ROWS  64 /* in one transaction: others wait for 20 ms at most, and the log grows */
#define EMPTY_PAGES 16 /* more than a database without rows has */
#define TOUCH_S     60 /* a use is noted when the last noted one is older */
#define AHEAD_S     86400

/* -- reading -- */

static bool is_expired(uint64_t created_us, uint64_t wall_us, uint64_t ttl_us)
{
    return created_us > wall_us ? created_us - wall_us > ttl_us : wall_us - created_us >= ttl_us;
}

/* The row that the statement stands on. */
static enum file_found read_row(struct store_file *f, const struct store_key *key, struct buf *room,
                                struct store_entry *out, sqlite3_int64 *used)
{
    sqlite3_stmt *s = f->get;
    if (sqlite3_column_type(s, 0) != SQLITE_BLOB) {
        return FILE_FORGED;
    }
    const void *body = sqlite3_column_blob(s, 0);
    int n = sqlite3_column_bytes(s, 0);
    if (!body || n < 0 || (size_t)n > STORE_MAX_SEALED_BYTES) {
        return FILE_FORGED;
    }
    buf_clear(room);
    buf_append(room, str_of(body, (size_t)n));
    *used = sqlite3_column_int64(s, 1);
    return store_unseal(&f->secret, key, buf_str(room), out) ? FILE_HIT : FILE_FORGED;
}

enum file_found store_file_get(struct store_file *f, const struct store_key *key, uint64_t wall_us,
                               uint64_t ttl_us, struct buf *room, struct store_entry *out,
                               struct error *error)
{
    enum file_found found = FILE_ABSENT;
    sqlite3_int64 used = 0, now_s = (sqlite3_int64)(wall_us / SEC_TO_US(1));
    int rc = store_file_bind(f, key, f->get);
    rc = rc == SQLITE_OK ? sqlite3_step(f->get) : rc;
    if (rc == SQLITE_ROW) {
        found = read_row(f, key, room, out, &used);
        found = found == FILE_HIT && is_expired(out->created_us, wall_us, ttl_us) ? FILE_EXPIRED
                                                                                  : found;
        /* Neither of the two can overflow: used is from a row that anybody may have written. */
        bool is_noted = used <= now_s && used > now_s - TOUCH_S;
        found = found == FILE_HIT && !is_noted ? FILE_STALE : found;
    } else if (store_file_kind(rc) == ERR_TIMEOUT) {
        found = FILE_BUSY;
    } else if (rc != SQLITE_DONE) {
        (void)store_file_fail(f, f->reader, rc, error);
        found = FILE_BROKEN;
    }
    (void)sqlite3_reset(f->get); /* gives the snapshot back, so that the log can be emptied */
    return found;
}

/* -- batches -- */

bool store_batch_put(struct store_batch *b, const struct store_key *key,
                     const struct store_entry *entry)
{
    if (b->packed.max == 0) {
        buf_init(&b->packed, STORE_BATCH_BYTES);
    }
    size_t start = b->packed.len;
    if (b->n >= STORE_BATCH_ENTRIES || !store_pack(entry, &b->packed)) {
        return false;
    }
    if (b->n == b->cap) {
        b->cap = b->cap ? 2 * b->cap : 16;
        b->items = xrealloc(b->items, b->cap * sizeof *b->items);
    }
    b->items[b->n++] = (struct store_batch_item){*key, start, b->packed.len};
    return true;
}

void store_batch_touch(struct store_batch *b, const struct store_key *key)
{
    if (!b->touched) {
        b->touched = xcalloc(STORE_BATCH_TOUCHED, sizeof *b->touched);
    }
    if (b->n_touched < STORE_BATCH_TOUCHED) {
        b->touched[b->n_touched++] = *key;
    }
}

void store_batch_release(struct store_batch *b)
{
    buf_release(&b->packed);
    xfree(b->items);
    xfree(b->touched);
    *b = (struct store_batch){0};
}

/* -- writing -- */

void store_file_set_deadline(struct store_file *f, uint64_t until_us)
{
    atomic_store_explicit(&f->deadline_us, until_us, memory_order_relaxed);
}

static int run(struct store_file *f, enum statement which)
{
    int rc = sqlite3_step(f->writes[which]);
    (void)sqlite3_reset(f->writes[which]);
    return rc == SQLITE_DONE || rc == SQLITE_ROW ? SQLITE_OK : rc;
}

/* SQLite itself waits for WRITE_WAIT_MS; a few times of that is all that an answer is worth. */
static int begin(struct store_file *f)
{
    int rc = SQLITE_BUSY;
    for (unsigned i = 0;
         i < WRITE_TRIES && store_file_kind(rc) == ERR_TIMEOUT && !store_file_is_late(f); i++) {
        rc = run(f, SQL_BEGIN);
    }
    return rc;
}

/* Commits where rc is good, else takes everything back; gives what was wrong first. */
static int end(struct store_file *f, int rc)
{
    rc = rc == SQLITE_OK ? run(f, SQL_COMMIT) : rc;
    if (rc != SQLITE_OK && !sqlite3_get_autocommit(f->writer)) {
        (void)run(f, SQL_ROLLBACK);
    }
    return rc;
}

static int put(struct store_file *f, const struct store_batch *b,
               const struct store_batch_item *item, sqlite3_int64 now_s, struct buf *sealed)
{
    unsigned char seal[STORE_SEAL_BYTES];
    str packed = str_sub(buf_str(&b->packed), item->start, item->end);
    store_seal(&f->secret, &item->key, packed, seal);
    buf_clear(sealed);
    buf_append(sealed, packed);
    buf_append(sealed, str_of((const char *)seal, sizeof seal));
    sqlite3_stmt *s = f->writes[SQL_PUT];
    (void)store_file_bind(f, &item->key, s);
    (void)sqlite3_bind_int64(s, 2, now_s);
    (void)sqlite3_bind_blob(s, 3, sealed->ptr, (int)sealed->len, SQLITE_STATIC);
    int rc = run(f, SQL_PUT);
    (void)sqlite3_bind_null(s, 3);
    return rc;
}

static int touch(struct store_file *f, const struct store_key *key, sqlite3_int64 now_s)
{
    (void)store_file_bind(f, key, f->writes[SQL_TOUCH]);
    (void)sqlite3_bind_int64(f->writes[SQL_TOUCH], 2, now_s);
    return run(f, SQL_TOUCH);
}

static enum err check_name(const struct store_file *f, struct error *error)
{
    return store_file_is_same(f->identity, store_folder_identity(&f->folder))
               ? ERR_OK
               : error_set(error, ERR_NOT_FOUND, "%s: the file was removed or replaced",
                           buf_cstr(&f->folder.path));
}

enum err store_file_write(struct store_file *f, const struct store_batch *batch, uint64_t wall_us,
                          struct error *error)
{
    enum err err = check_name(f, error);
    if (err != ERR_OK || batch->n + batch->n_touched == 0) {
        return err;
    }
    sqlite3_int64 now_s = (sqlite3_int64)(wall_us / SEC_TO_US(1));
    struct buf sealed;
    buf_init(&sealed, STORE_MAX_SEALED_BYTES);
    int rc = begin(f);
    if (rc == SQLITE_OK) {
        for (size_t i = 0; i < batch->n_touched && rc == SQLITE_OK; i++) {
            rc = touch(f, &batch->touched[i], now_s);
        }
        for (size_t i = 0; i < batch->n && rc == SQLITE_OK; i++) {
            rc = put(f, batch, &batch->items[i], now_s, &sealed);
        }
        rc = end(f, rc);
    }
    buf_release(&sealed);
    return store_file_fail(f, f->writer, rc, error);
}

/* -- growing and shrinking -- */

static int count_of(struct store_file *f, enum statement which, uint64_t *out)
{
    sqlite3_stmt *s = f->writes[which];
    int rc = sqlite3_step(s);
    *out = rc == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(s, 0) : 0;
    (void)sqlite3_reset(s);
    return rc == SQLITE_ROW ? SQLITE_OK : rc;
}

static int pages_in_use(struct store_file *f, uint64_t *out)
{
    uint64_t n = 0, n_free = 0;
    int rc = count_of(f, SQL_PAGES, &n);
    rc = rc == SQLITE_OK ? count_of(f, SQL_FREE_PAGES, &n_free) : rc;
    *out = n > n_free ? n - n_free : 0;
    return rc;
}

/* Somebody else's settling, or reading, is no reason to wait: the next time will do. */
static int settle(struct store_file *f)
{
    if (f->log_pages < 0 || (uint64_t)f->log_pages < f->max_log_pages) {
        return SQLITE_OK;
    }
    f->log_pages = 0;
    int rc = sqlite3_wal_checkpoint_v2(f->writer, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    return store_file_kind(rc) == ERR_TIMEOUT ? SQLITE_OK : rc;
}

/* One bulk; *n is how many rows went. */
static int evict(struct store_file *f, enum statement which, sqlite3_int64 bound, uint64_t *n)
{
    *n = 0;
    if (which != SQL_EVICT) {
        (void)sqlite3_bind_int64(f->writes[which], 1, bound);
    }
    (void)sqlite3_bind_int64(f->writes[which], 2, EVICT_ROWS);
    int rc = begin(f);
    if (rc == SQLITE_OK) {
        rc = run(f, which);
        *n = rc == SQLITE_OK ? (uint64_t)sqlite3_changes(f->writer) : 0;
        rc = end(f, rc);
    }
    return rc;
}

/* What is older than any setting allows, and what was used in a future that the clock has left,
 * which would else outlive everything that is used from now on. */
static int evict_outdated(struct store_file *f, uint64_t wall_us, uint64_t *n_evicted)
{
    sqlite3_int64 now_s = (sqlite3_int64)(wall_us / SEC_TO_US(1));
    const struct {
        enum statement which;
        sqlite3_int64 bound;
    } bounds[] = {{SQL_EVICT_OLD, now_s - (sqlite3_int64)(STORE_MAX_AGE_US / SEC_TO_US(1))},
                  {SQL_EVICT_AHEAD, now_s + AHEAD_S}};
    int rc = SQLITE_OK;
    for (size_t i = 0; i < 2 && rc == SQLITE_OK; i++) {
        uint64_t n = EVICT_ROWS;
        while (rc == SQLITE_OK && n >= EVICT_ROWS) {
            rc = evict(f, bounds[i].which, bounds[i].bound, &n);
            *n_evicted += n;
        }
    }
    return rc;
}

/* Gives pages back to the file system until the file has at most n_pages. */
static int shrink(struct store_file *f, uint64_t n_pages)
{
    uint64_t n = 0, n_free = 0;
    int rc = count_of(f, SQL_PAGES, &n);
    rc = rc == SQLITE_OK ? count_of(f, SQL_FREE_PAGES, &n_free) : rc;
    if (rc != SQLITE_OK || n <= n_pages || n_free == 0) {
        return rc;
    }
    char sql[64];
    uint64_t too_many = n - n_pages < n_free ? n - n_pages : n_free;
    (void)snprintf(sql, sizeof sql, "PRAGMA incremental_vacuum(%llu)",
                   (unsigned long long)too_many);
    return sqlite3_exec(f->writer, sql, NULL, NULL, NULL);
}

/* Until at most n_pages are in use, or nothing is there that could go. */
static int evict_down_to(struct store_file *f, uint64_t n_pages, uint64_t *n_evicted)
{
    uint64_t used = 0, n = 1;
    int rc = pages_in_use(f, &used);
    while (rc == SQLITE_OK && used > n_pages && n > 0) {
        rc = evict(f, SQL_EVICT, 0, &n);
        *n_evicted += n;
        rc = rc == SQLITE_OK ? settle(f) : rc;
        rc = rc == SQLITE_OK ? pages_in_use(f, &used) : rc;
    }
    /* It takes more than an empty one does, but its index names nothing: that isn't its index. */
    return rc == SQLITE_OK && n == 0 && used > EMPTY_PAGES ? SQLITE_CORRUPT : rc;
}

enum err store_file_trim(struct store_file *f, uint64_t max_bytes, size_t incoming,
                         uint64_t wall_us, uint64_t *n_evicted, struct error *error)
{
    uint64_t log_bytes = max_bytes / 4 < LOG_BYTES ? max_bytes / 4 : LOG_BYTES;
    uint64_t most = (max_bytes - log_bytes) / f->page_bytes;
    uint64_t wanted = incoming / f->page_bytes + 1;
    uint64_t used = 0;
    f->max_log_pages = log_bytes / 2 / f->page_bytes;
    *n_evicted = 0;
    int rc = evict_outdated(f, wall_us, n_evicted);
    rc = rc == SQLITE_OK ? pages_in_use(f, &used) : rc;
    if (rc == SQLITE_OK && used + wanted > most) {
        uint64_t low = most - most / 8;
        rc = evict_down_to(f, low > wanted ? low - wanted : 0, n_evicted);
    }
    rc = rc == SQLITE_OK ? shrink(f, most) : rc;
    return store_file_fail(f, f->writer, rc, error);
}

enum err store_file_clear(struct store_file *f, struct error *error)
{
    enum err err = check_name(f, error);
    if (err != ERR_OK) {
        return err;
    }
    int rc = begin(f);
    if (rc == SQLITE_OK) {
        rc = sqlite3_exec(f->writer, "DELETE FROM answers", NULL, NULL, NULL);
        rc = end(f, rc);
    }
    rc = rc == SQLITE_OK ? shrink(f, 0) : rc;
    /* The log holds old pages. Others who read just now may keep it from being emptied. */
    if (rc == SQLITE_OK) {
        rc = sqlite3_wal_checkpoint_v2(f->writer, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
        rc = store_file_kind(rc) == ERR_TIMEOUT ? SQLITE_OK : rc;
    }
    return store_file_fail(f, f->writer, rc, error);
}

enum err store_file_settle(struct store_file *f, struct error *error)
{
    return store_file_fail(f, f->writer, settle(f), error);
}

uint64_t store_file_bytes(const struct store_file *f)
{
    return store_folder_bytes(&f->folder);
}
