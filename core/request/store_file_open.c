/* store_file_open.c - opening the database: made, checked, hardened, set aside where it is damaged.
 *
 * Why      What lies there may be new, half made by somebody who was killed, damaged, made up, of
 *          another version or no database, and several servers may find it at the same time.
 * How      Under the folder's lock. A schema that isn't exactly ours counts as damage; damage is
 *          renamed and a new database begun, once. Two connections are opened, so that a lookup
 *          never waits for a write; a first lookup loads what SQLite loads late.
 * Rules    No triggers, views, mapped memory or attached files, and a size limit on every value.
 *          The log and its index are never removed by closing (PERSIST_WAL, NO_CKPT_ON_CLOSE):
 *          SQLite removes them by name, and by then the name may belong to a newer database. */
#include "core/request/store_file_internal.h"

#define APPLICATION   0x43724c53 /* in the file's head: whose it is */
#define SCHEMA        1          /* user_version */
#define MAX_SCHEMA    50         /* no version will ever say more: that is damage */
#define WRITE_WAIT_MS 20

static const char table_sql[] =
    "CREATE TABLE answers(id INTEGER PRIMARY KEY, used INTEGER NOT NULL, body BLOB NOT NULL)";
static const char index_sql[] = "CREATE INDEX answers_by_use ON answers(used)";

/* Walks answers_by_use, oldest first. */
#define EVICT(which)                                                                               \
    "DELETE FROM answers WHERE id IN (SELECT id FROM answers " which " ORDER BY used LIMIT ?2)"
static const char *const statements[] = {
    [SQL_BEGIN] = "BEGIN IMMEDIATE",
    [SQL_COMMIT] = "COMMIT",
    [SQL_ROLLBACK] = "ROLLBACK",
    [SQL_PUT] = "INSERT OR REPLACE INTO answers(id, used, body) VALUES(?1, ?2, ?3)",
    [SQL_TOUCH] = "UPDATE answers SET used = ?2 WHERE id = ?1",
    [SQL_EVICT_OLD] = EVICT("WHERE used < ?1"),
    [SQL_EVICT_AHEAD] = EVICT("WHERE used > ?1"),
    [SQL_EVICT] = EVICT(""),
    [SQL_PAGES] = "PRAGMA page_count",
    [SQL_FREE_PAGES] = "PRAGMA freelist_count",
};

/* -- errors -- */

enum err store_file_kind(int rc)
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

enum err store_file_fail(const struct store_file *f, sqlite3 *db, int rc, struct error *error)
{
    enum err err = store_file_kind(rc);
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

bool store_file_is_late(const struct store_file *f)
{
    return clock_now_us() > atomic_load_explicit(&f->deadline_us, memory_order_relaxed);
}

static int on_progress(void *user)
{
    return store_file_is_late(user);
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
    return store_file_fail(f, f->writer, rc, error);
}

static enum err open_writer(struct store_file *f, struct error *error)
{
    int rc = connect(f, "PRAGMA cache_size=-1024; PRAGMA journal_size_limit=1048576", &f->writer);
    enum err err = store_file_fail(f, f->writer, rc, error);
    if (err == ERR_OK && sqlite3_db_readonly(f->writer, "main") != 0) {
        err = store_file_fail(f, f->writer, SQLITE_READONLY,
                              error); /* SQLite would be content to read */
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
    return store_file_fail(f, f->writer, rc, error);
}

int store_file_bind(const struct store_file *f, const struct store_key *key, sqlite3_stmt *s)
{
    return sqlite3_bind_int64(s, 1, (sqlite3_int64)store_row_id(&f->secret, key));
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
        rc = store_file_bind(f, &nothing, f->get);
        rc = rc == SQLITE_OK ? sqlite3_step(f->get) : rc;
        (void)sqlite3_reset(f->get);
        (void)sqlite3_busy_timeout(f->reader, 0);
    }
    return store_file_fail(f, f->reader, rc, error);
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

bool store_file_is_same(struct file_identity a, struct file_identity b)
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
    bool is_damaged = suspect && store_file_is_same(*suspect, store_folder_identity(&f->folder));
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
