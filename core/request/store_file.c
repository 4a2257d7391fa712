/* store_file.c - the answers in one SQLite database, shared by all servers of a user.
 *
 * Why      A process may be killed at any instant, eight may write at once, and what is read may
 *          be damaged or made up: SQLite's log (WAL) sees to the first two, seals to the third.
 * How      One table, filed under a number that the key gives under the secret; an index by last
 *          use, which eviction walks. Two connections, so that a lookup never waits for a write.
 *          Commits don't wait for the disk (synchronous NORMAL): after a power cut the newest
 *          entries may be missing, never half there. The log is moved into the database by
 *          store_file_settle, never by a commit or by closing.
 * Rules    The file is treated as hostile: no triggers, views, mapped memory or schema but ours,
 *          and a size limit on every value. Nothing but a sealed row is ever given out.
 *          The log and its index are never removed by closing (PERSIST_WAL, NO_CKPT_ON_CLOSE):
 *          SQLite removes them by name, and by then the name may belong to a newer database. */
#include "core/request/store_file.h"

#include <sqlite3.h>
#include <stdatomic.h>

#include "core/base/clock.h"

#define APPLICATION   0x43724c53 /* in the file's head: whose it is */
#define SCHEMA        1          /* user_version */
#define MAX_SCHEMA    50         /* no version will ever say more: that is damage */
#define WRITE_WAIT_MS 20
#define WRITE_TRIES   5u
#define LOG_BYTES                                                                                  \
    (2u * MIB)         /* what the log may take of the bound; it is emptied from half of it on */
#define EVICT_ROWS  64 /* in one transaction: others wait for 20 ms at most, and the log grows */
#define EMPTY_PAGES 16 /* more than a database without rows has */
#define TOUCH_S     60 /* a use is noted when the last noted one is older */
#define AHEAD_S     86400

static const char table_sql[] =
    "CREATE TABLE answers(id INTEGER PRIMARY KEY, used INTEGER NOT NULL, body BLOB NOT NULL)";
static const char index_sql[] = "CREATE INDEX answers_by_use ON answers(used)";

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
static const char *const statements[] = {
    [SQL_BEGIN] = "BEGIN IMMEDIATE",
    [SQL_COMMIT] = "COMMIT",
    [SQL_ROLLBACK] = "ROLLBACK",
    [SQL_PUT] = "INSERT OR REPLACE INTO answers(id, used, body) VALUES(?1, ?2, ?3)",
    [SQL_TOUCH] = "UPDATE answers SET used = ?2 WHERE id = ?1",
    [SQL_EVICT_OLD] = "DELETE FROM answers WHERE id IN (SELECT id FROM answers WHERE used < ?1 "
                      "ORDER BY used LIMIT ?2)",
    [SQL_EVICT_AHEAD] = "DELETE FROM answers WHERE id IN (SELECT id FROM answers WHERE used > ?1 "
                        "ORDER BY used LIMIT ?2)",
    [SQL_EVICT] = "DELETE FROM answers WHERE id IN (SELECT id FROM answers ORDER BY used LIMIT ?2)",
    [SQL_PAGES] = "PRAGMA page_count",
    [SQL_FREE_PAGES] = "PRAGMA freelist_count",
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

static int row_key(const struct store_file *f, const struct store_key *key, sqlite3_stmt *s);

/* -- errors -- */

static enum err kind_of(int rc)
{
    switch (rc & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return ERR_OK;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return ERR_TIMEOUT;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_ERROR: /* our statements are right: it is the schema that isn't ours */
    case SQLITE_SCHEMA:
    case SQLITE_TOOBIG:
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
        return ERR_PROTOCOL;
    case SQLITE_FULL:
        return ERR_TOO_LARGE;
    case SQLITE_INTERRUPT:
        return ERR_CANCELLED;
    default: /* a set that grows; nothing else can be mended by what we do */
        return rc == SQLITE_IOERR_CORRUPTFS || rc == SQLITE_IOERR_SHORT_READ ? ERR_PROTOCOL
                                                                             : ERR_REJECTED;
    }
}

static enum err fail(const struct store_file *f, sqlite3 *db, int rc, struct error *error)
{
    enum err err = kind_of(rc);
    int code = db ? sqlite3_system_errno(db) : 0;
    if (rc == SQLITE_READONLY && store_folder_may_write(&f->folder)) {
        err = ERR_PROTOCOL; /* only its head says so */
    } else if (rc == SQLITE_READONLY_DBMOVED) {
        err = ERR_NOT_FOUND;
    }
    bool is_io = err == ERR_REJECTED && code != 0;
    if (err == ERR_OK) {
        return ERR_OK;
    }
    (void)error_set(error, err, "%s: %s%s%s", buf_cstr(&f->folder.path), sqlite3_errstr(rc),
                    is_io ? ": " : "", is_io ? strerror(code) : "");
    if (error) {
        error->detail = rc;
    }
    return err;
}

/* -- opening -- */

static int on_progress(void *user)
{
    struct store_file *f = user;
    return clock_now_us() > atomic_load_explicit(&f->deadline_us, memory_order_relaxed);
}

static int on_log(void *user, sqlite3 *db, const char *name, int n_pages)
{
    struct store_file *f = user;
    (void)db;
    (void)name;
    f->log_pages = n_pages;
    return SQLITE_OK;
}

static void harden(sqlite3 *db)
{
    int persist = 1;
    (void)sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    (void)sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    (void)sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
    (void)sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
    (void)sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    (void)sqlite3_file_control(db, "main", SQLITE_FCNTL_PERSIST_WAL, &persist);
    (void)sqlite3_limit(db, SQLITE_LIMIT_LENGTH, (int)(4 * STORE_MAX_SEALED_BYTES));
    (void)sqlite3_limit(db, SQLITE_LIMIT_SQL_LENGTH, 4096);
    (void)sqlite3_limit(db, SQLITE_LIMIT_ATTACHED, 0);
    (void)sqlite3_limit(db, SQLITE_LIMIT_WORKER_THREADS, 0);
    (void)sqlite3_wal_autocheckpoint(db, 0);
}

static int connect(const struct store_file *f, const char *pragmas, sqlite3 **out)
{
    struct buf path;
    buf_init(&path, 16 * KIB);
    store_folder_database(&f->folder, &path);
    int rc = sqlite3_open_v2(buf_cstr(&path), out,
                             SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW |
                                 SQLITE_OPEN_PRIVATECACHE,
                             NULL);
    buf_release(&path);
    if (rc == SQLITE_OK) {
        (void)sqlite3_extended_result_codes(*out, 1);
        (void)sqlite3_busy_timeout(*out, WRITE_WAIT_MS);
        harden(*out);
        rc = sqlite3_exec(*out,
                          "PRAGMA mmap_size=0; PRAGMA cell_size_check=ON; PRAGMA "
                          "temp_store=MEMORY; PRAGMA synchronous=NORMAL",
                          NULL, NULL, NULL);
    }
    return rc == SQLITE_OK ? sqlite3_exec(*out, pragmas, NULL, NULL, NULL) : rc;
}

/* The first column of the only row of `sql`, 0 where it has none. */
static int number_of(sqlite3 *db, const char *sql, sqlite3_int64 *out)
{
    sqlite3_stmt *s = NULL;
    int rc = sqlite3_prepare_v2(db, sql, -1, &s, NULL);
    *out = 0;
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(s);
        *out = rc == SQLITE_ROW ? sqlite3_column_int64(s, 0) : 0;
        rc = rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
    }
    (void)sqlite3_finalize(s);
    return rc;
}

/* Whether the schema is exactly ours: what else there is could run when we don't expect it. */
static int check_schema(sqlite3 *db)
{
    static const char sql[] = "SELECT sql FROM sqlite_schema ORDER BY type DESC";
    static const char *const ours[] = {table_sql, index_sql};
    sqlite3_stmt *s = NULL;
    int n = 0;
    int rc = sqlite3_prepare_v2(db, sql, -1, &s, NULL);
    while (rc == SQLITE_OK && (rc = sqlite3_step(s)) == SQLITE_ROW) {
        const char *text = (const char *)sqlite3_column_text(s, 0);
        rc = n < 2 && text && strcmp(text, ours[n]) == 0 ? SQLITE_OK : SQLITE_CORRUPT;
        n++;
    }
    (void)sqlite3_finalize(s);
    return rc == SQLITE_DONE && n == 2 ? SQLITE_OK : rc == SQLITE_DONE ? SQLITE_CORRUPT : rc;
}

static int create_schema(sqlite3 *db)
{
    char sql[640];
    (void)snprintf(sql, sizeof sql,
                   "PRAGMA auto_vacuum=INCREMENTAL; PRAGMA journal_mode=WAL; BEGIN IMMEDIATE; "
                   "%s; %s; PRAGMA application_id=%d; PRAGMA user_version=%d; COMMIT",
                   table_sql, index_sql, APPLICATION, SCHEMA);
    return sqlite3_exec(db, sql, NULL, NULL, NULL);
}

/* Whose it is and of which version; makes it ours where it is nobody's yet: new, or left by
 * somebody who was killed while making it. */
static int read_version(sqlite3 *db, sqlite3_int64 *application, sqlite3_int64 *version)
{
    sqlite3_int64 n_objects = 0;
    int rc = number_of(db, "PRAGMA application_id", application);
    rc = rc == SQLITE_OK ? number_of(db, "PRAGMA user_version", version) : rc;
    rc = rc == SQLITE_OK ? number_of(db, "SELECT count(*) FROM sqlite_schema", &n_objects) : rc;
    if (rc == SQLITE_OK && n_objects == 0 && *application == 0 && *version == 0) {
        rc = create_schema(db);
        *application = APPLICATION;
        *version = SCHEMA;
    }
    return rc;
}

/* A database of a newer version is left alone: its server may be running beside this one. */
static enum err check_version(struct store_file *f, struct error *error)
{
    sqlite3_int64 version = 0, application = 0;
    int rc = read_version(f->writer, &application, &version);
    if (rc == SQLITE_OK && application == APPLICATION && version > SCHEMA &&
        version <= MAX_SCHEMA) {
        return error_set(error, ERR_INVALID, "%s was made by a newer version",
                         buf_cstr(&f->folder.path));
    }
    if (rc == SQLITE_OK && (application != APPLICATION || version != SCHEMA)) {
        rc = SQLITE_NOTADB;
    }
    rc = rc == SQLITE_OK ? check_schema(f->writer) : rc;
    if (rc == SQLITE_OK) { /* where memory can't be shared it stays as it is, and is slower */
        rc = sqlite3_exec(f->writer, "PRAGMA journal_mode=WAL", NULL, NULL, NULL);
    }
    return fail(f, f->writer, rc, error);
}

static enum err open_writer(struct store_file *f, struct error *error)
{
    int rc = connect(f, "PRAGMA cache_size=-1024; PRAGMA journal_size_limit=1048576", &f->writer);
    enum err err = fail(f, f->writer, rc, error);
    if (err == ERR_OK && sqlite3_db_readonly(f->writer, "main") != 0) {
        err = fail(f, f->writer, SQLITE_READONLY, error); /* SQLite would be content to read */
    }
    if (err == ERR_OK) {
        err = check_version(f, error);
    }
    if (err != ERR_OK) {
        return err;
    }
    for (unsigned i = 0; i < N_STATEMENTS && rc == SQLITE_OK; i++) {
        rc = sqlite3_prepare_v3(f->writer, statements[i], -1, SQLITE_PREPARE_PERSISTENT,
                                &f->writes[i], NULL);
    }
    sqlite3_int64 page_bytes = 0;
    rc = rc == SQLITE_OK ? number_of(f->writer, "PRAGMA page_size", &page_bytes) : rc;
    f->page_bytes = (uint64_t)page_bytes;
    f->max_log_pages = page_bytes > 0 ? LOG_BYTES / 2 / f->page_bytes : 1;
    sqlite3_progress_handler(f->writer, 1000, on_progress, f);
    (void)sqlite3_wal_hook(f->writer, on_log, f);
    return fail(f, f->writer, rc, error);
}

/* A first lookup loads the schema, so that the loop's thread never does. */
static enum err open_reader(struct store_file *f, struct error *error)
{
    int rc = connect(f, "PRAGMA cache_size=-512; PRAGMA query_only=ON", &f->reader);
    if (rc == SQLITE_OK) {
        rc = sqlite3_prepare_v3(f->reader, "SELECT body, used FROM answers WHERE id = ?1", -1,
                                SQLITE_PREPARE_PERSISTENT, &f->get, NULL);
    }
    if (rc == SQLITE_OK) {
        static const struct store_key nothing;
        rc = row_key(f, &nothing, f->get);
        rc = rc == SQLITE_OK ? sqlite3_step(f->get) : rc;
        (void)sqlite3_reset(f->get);
        (void)sqlite3_busy_timeout(f->reader, 0);
    }
    return fail(f, f->reader, rc, error);
}

static void disconnect(struct store_file *f)
{
    (void)sqlite3_finalize(f->get);
    f->get = NULL;
    for (unsigned i = 0; i < N_STATEMENTS; i++) {
        (void)sqlite3_finalize(f->writes[i]);
        f->writes[i] = NULL;
    }
    (void)sqlite3_close(f->reader);
    (void)sqlite3_close(f->writer);
    f->reader = f->writer = NULL;
}

static enum err open_both(struct store_file *f, struct error *error)
{
    enum err err = store_folder_prepare(&f->folder, error);
    if (err == ERR_OK) {
        f->identity = store_folder_identity(&f->folder);
        err = open_writer(f, error);
    }
    return err == ERR_OK ? open_reader(f, error) : err;
}

static bool is_same_file(struct file_identity a, struct file_identity b)
{
    return a.inode == b.inode && a.device == b.device && (a.inode != 0 || a.device != 0);
}

static enum err open_in_folder(struct store_file *f, const struct file_identity *suspect,
                               struct error *error)
{
    enum err err = store_folder_secret(&f->folder, &f->secret, error);
    if (err != ERR_OK) {
        return err;
    }
    bool is_damaged = suspect && is_same_file(*suspect, store_folder_identity(&f->folder));
    if (!is_damaged) {
        err = open_both(f, error);
        is_damaged = err == ERR_PROTOCOL;
    }
    if (is_damaged) { /* one new beginning; where that one is damaged, too, it isn't the file */
        disconnect(f);
        f->has_set_aside = true;
        err = store_folder_set_aside(&f->folder, error);
        err = err == ERR_OK ? open_both(f, error) : err;
    }
    return err;
}

enum err store_file_open(const char *folder, const struct file_identity *suspect,
                         struct store_file **out, struct error *error)
{
    struct store_file *f = xcalloc(1, sizeof *f);
    atomic_store(&f->deadline_us, CLOCK_NEVER);
    enum err err = store_folder_open(&f->folder, folder, error);
    if (err == ERR_OK) {
        err = open_in_folder(f, suspect, error);
    }
    store_folder_unlock(&f->folder);
    if (err != ERR_OK) {
        store_file_close(f);
        f = NULL;
    }
    *out = f;
    return err;
}

void store_file_close(struct store_file *f)
{
    if (f) {
        disconnect(f);
        store_folder_close(&f->folder);
        explicit_bzero(&f->secret, sizeof f->secret);
        xfree(f);
    }
}

struct file_identity store_file_identity(const struct store_file *f)
{
    return f->identity;
}

bool store_file_has_set_aside(const struct store_file *f)
{
    return f->has_set_aside;
}

/* -- reading -- */

static int row_key(const struct store_file *f, const struct store_key *key, sqlite3_stmt *s)
{
    return sqlite3_bind_int64(s, 1, (sqlite3_int64)store_row_id(&f->secret, key));
}

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
    int rc = row_key(f, key, f->get);
    rc = rc == SQLITE_OK ? sqlite3_step(f->get) : rc;
    if (rc == SQLITE_ROW) {
        found = read_row(f, key, room, out, &used);
        found = found == FILE_HIT && is_expired(out->created_us, wall_us, ttl_us) ? FILE_EXPIRED
                                                                                  : found;
        /* Neither of the two can overflow: used is from a row that anybody may have written. */
        bool is_noted = used <= now_s && used > now_s - TOUCH_S;
        found = found == FILE_HIT && !is_noted ? FILE_STALE : found;
    } else if (kind_of(rc) == ERR_TIMEOUT) {
        found = FILE_BUSY;
    } else if (rc != SQLITE_DONE) {
        (void)fail(f, f->reader, rc, error);
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
    for (unsigned i = 0; i < WRITE_TRIES && kind_of(rc) == ERR_TIMEOUT && !on_progress(f); i++) {
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
    (void)row_key(f, &item->key, s);
    (void)sqlite3_bind_int64(s, 2, now_s);
    (void)sqlite3_bind_blob(s, 3, sealed->ptr, (int)sealed->len, SQLITE_STATIC);
    int rc = run(f, SQL_PUT);
    (void)sqlite3_bind_null(s, 3);
    return rc;
}

static int touch(struct store_file *f, const struct store_key *key, sqlite3_int64 now_s)
{
    (void)row_key(f, key, f->writes[SQL_TOUCH]);
    (void)sqlite3_bind_int64(f->writes[SQL_TOUCH], 2, now_s);
    return run(f, SQL_TOUCH);
}

static enum err check_name(const struct store_file *f, struct error *error)
{
    return is_same_file(f->identity, store_folder_identity(&f->folder))
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
    return fail(f, f->writer, rc, error);
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
    return kind_of(rc) == ERR_TIMEOUT ? SQLITE_OK : rc;
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
    return fail(f, f->writer, rc, error);
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
        rc = kind_of(rc) == ERR_TIMEOUT ? SQLITE_OK : rc;
    }
    return fail(f, f->writer, rc, error);
}

enum err store_file_settle(struct store_file *f, struct error *error)
{
    return fail(f, f->writer, settle(f), error);
}

uint64_t store_file_bytes(const struct store_file *f)
{
    return store_folder_bytes(&f->folder);
}
