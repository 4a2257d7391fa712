/* store_fault_test.c - whatever lies where the store should be: never a wrong answer, never an end.
 *
 * STORE_SOAK=1 flips every byte instead of some. */
#include "tests/unit/core/request/store_bed.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/resource.h>
#ifdef __linux__
#include <sys/mount.h>
#endif

#define TTL HOURS(1)
#define N   100u /* entries of a sample */

static int setup(void **state)
{
    struct store_bed *b = xcalloc(1, sizeof *b);
    bed_make(b);
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    bed_remove(*state);
    xfree(*state);
    return 0;
}

static void write_file(const char *path, str bytes)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes.ptr, bytes.len), bytes.len);
    close(fd);
}

static void read_file(const char *path, struct buf *out)
{
    buf_init(out, 64 * MIB);
    int fd = open(path, O_RDONLY);
    assert_true(fd >= 0);
    for (ssize_t n = 1; n > 0;) {
        char *room = buf_reserve(out, 64 * KIB);
        n = read(fd, room, 64 * KIB);
        buf_commit(out, n > 0 ? (size_t)n : 0);
    }
    close(fd);
}

/* A database of N entries, all of it in one file. */
static void make_sample(const struct store_bed *b, struct buf *out)
{
    sqlite3 *db = NULL;
    struct store_file *f = open_file(b);
    assert_int_equal(write_range(f, 0, N, 1, WALL), ERR_OK);
    store_file_close(f);
    assert_int_equal(sqlite3_open(bed_path(b, "answers.db"), &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "PRAGMA wal_checkpoint(TRUNCATE)", NULL, NULL, NULL), 0);
    sqlite3_close(db);
    read_file(bed_path(b, "answers.db"), out);
}

static void restore_sample(const struct store_bed *b, const struct buf *sample)
{
    (void)unlink(bed_path(b, "answers.db-wal"));
    (void)unlink(bed_path(b, "answers.db-shm"));
    (void)unlink(bed_path(b, "answers.db.corrupt"));
    write_file(bed_path(b, "answers.db"), buf_str(sample));
}

struct tally {
    unsigned n_hits, n_forged, n_absent, n_broken, n_refused;
};

/* Looks for all entries, writes, trims, and looks again: find() fails where an answer is wrong. */
static void use(const struct store_bed *b, struct tally *t)
{
    struct store_file *f = NULL;
    struct error error = {0};
    uint64_t n_evicted;
    if (store_file_open(b->folder, NULL, &f, &error) != ERR_OK) {
        assert_true(error.msg[0] != '\0');
        t->n_refused++;
        return;
    }
    for (unsigned n = 0; n < N; n++) {
        enum file_found found = find(f, n, WALL, TTL);
        t->n_hits += is_hit(found);
        t->n_forged += found == FILE_FORGED;
        t->n_absent += found == FILE_ABSENT;
        t->n_broken += found == FILE_BROKEN;
    }
    (void)write_range(f, 40, 60, 2, WALL);
    enum err err = store_file_trim(f, 48 * KIB, 4096, WALL, &n_evicted, &error);
    (void)err;
    for (unsigned n = 0; n < N; n++) {
        (void)find(f, n, WALL, TTL);
    }
    struct file_identity suspect = store_file_identity(f);
    store_file_close(f);
    /* Whatever it was, another can be begun. */
    assert_int_equal(store_file_open(b->folder, &suspect, &f, &error), ERR_OK);
    assert_int_equal(write_range(f, 0, 1, 3, WALL), ERR_OK);
    assert_true(is_hit(find(f, 0, WALL, TTL)));
    store_file_close(f);
}

static void flipped_byte_anywhere_gives_no_wrong_answer(void **state)
{
    struct store_bed *b = *state;
    struct buf sample;
    struct tally t = {0};
    uint64_t random = seed_of("flipped_byte_anywhere_gives_no_wrong_answer");
    bool is_soak = getenv("STORE_SOAK") != NULL;
    size_t n_flips = 0;
    make_sample(b, &sample);
    for (size_t at = 0; at < sample.len;) {
        char old = sample.ptr[at];
        static const char flips[] = {0x01, (char)0x80, (char)0xff};
        sample.ptr[at] ^= flips[next_random(&random) % 3];
        restore_sample(b, &sample);
        use(b, &t);
        sample.ptr[at] = old;
        n_flips++;
        /* The first page has everything that decides about the file. */
        at += is_soak || at < 112 ? 1 : 1 + next_random(&random) % (at < 4096 ? 16 : 128);
    }
    printf("%zu of %zu bytes: %u hits, %u forged, %u absent, %u broken, %u refused\n", n_flips,
           sample.len, t.n_hits, t.n_forged, t.n_absent, t.n_broken, t.n_refused);
    assert_true(t.n_forged > 0 && t.n_hits > n_flips * N / 2);
    buf_release(&sample);
}

/* The same for the log, in which everything still stands. */
static void flipped_byte_in_the_log_gives_no_wrong_answer(void **state)
{
    struct store_bed *b = *state;
    struct buf log, database;
    struct tally t = {0};
    uint64_t random = seed_of("flipped_byte_in_the_log_gives_no_wrong_answer");
    bool is_soak = getenv("STORE_SOAK") != NULL;
    struct store_file *f = open_file(b);
    assert_int_equal(write_range(f, 0, N, 1, WALL), ERR_OK);
    store_file_close(f);
    read_file(bed_path(b, "answers.db-wal"), &log);
    read_file(bed_path(b, "answers.db"), &database);
    for (size_t at = 0; at < log.len;) {
        restore_sample(b, &database);
        log.ptr[at] ^= 0x10;
        write_file(bed_path(b, "answers.db-wal"), buf_str(&log));
        log.ptr[at] ^= 0x10;
        use(b, &t);
        at += is_soak || at < 32 ? 1 : 1 + next_random(&random) % 256;
    }
    buf_release(&log);
    buf_release(&database);
}

static void truncated_file_gives_no_wrong_answer(void **state)
{
    struct store_bed *b = *state;
    struct buf sample;
    struct tally t = {0};
    make_sample(b, &sample);
    for (size_t len = 0; len < sample.len; len += len < 200 ? 25 : 1024 - len % 1024 + len % 7) {
        struct buf cut = {.ptr = sample.ptr, .len = len};
        restore_sample(b, &cut);
        use(b, &t);
    }
    buf_release(&sample);
}

static void file_of_something_else_is_set_aside(void **state)
{
    struct store_bed *b = *state;
    static const char *const texts[] = {"x", "SQLite format 3", "{\"not\": \"a database\"}\n"};
    store_file_close(open_file(b));
    for (size_t i = 0; i < 3; i++) {
        struct buf text;
        buf_init(&text, 64 * KIB);
        for (unsigned n = 0; n < 500; n++) {
            buf_append(&text, str_from(texts[i]));
        }
        restore_sample(b, &text);
        struct store_file *f = open_file(b);
        assert_true(store_file_has_set_aside(f));
        assert_int_equal(write_range(f, 0, 5, 1, WALL), ERR_OK);
        assert_true(is_hit(find(f, 4, WALL, TTL)));
        store_file_close(f);
        struct buf kept;
        read_file(bed_path(b, "answers.db.corrupt"), &kept);
        assert_true(str_eq(buf_str(&kept), buf_str(&text)));
        buf_release(&kept);
        buf_release(&text);
    }
}

static void empty_file_is_begun(void **state)
{
    struct store_bed *b = *state;
    struct buf nothing = {0};
    store_file_close(open_file(b));
    restore_sample(b, &nothing);
    struct store_file *f = open_file(b);
    assert_false(store_file_has_set_aside(f));
    assert_int_equal(write_range(f, 0, 5, 1, WALL), ERR_OK);
    assert_true(is_hit(find(f, 4, WALL, TTL)));
    store_file_close(f);
}

static void suspect_is_set_aside_by_the_first_who_finds_it(void **state)
{
    struct store_bed *b = *state;
    struct error error = {0};
    struct store_file *a = open_file(b), *c = open_file(b), *fresh = NULL;
    assert_int_equal(write_range(a, 0, 5, 1, WALL), ERR_OK);
    struct file_identity suspect = store_file_identity(a);
    store_file_close(a);
    assert_int_equal(store_file_open(b->folder, &suspect, &a, &error), ERR_OK);
    assert_true(store_file_has_set_aside(a));
    assert_int_equal(write_range(a, 0, 5, 2, WALL), ERR_OK);
    store_file_close(c);
    assert_int_equal(store_file_open(b->folder, &suspect, &fresh, &error), ERR_OK);
    assert_false(store_file_has_set_aside(fresh));
    assert_true(is_hit(find(fresh, 1, WALL, TTL)));
    store_file_close(fresh);
    store_file_close(a);
}

/* -- what somebody has written into the database -- */

static void run_raw(const struct store_bed *b, const char *sql)
{
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(bed_path(b, "answers.db"), &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK) {
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    }
    sqlite3_close(db);
}

static const char swap_sql[] =
    "CREATE TEMP TABLE t AS SELECT id, lead(body, 1, zeroblob(9)) OVER (ORDER BY id) AS body "
    "FROM answers; UPDATE answers SET body = (SELECT body FROM t WHERE t.id = answers.id)";

static void rows_that_were_tampered_with_are_no_answers(void **state)
{
    static const char *const deeds[] = {
        /* each body under the id of its neighbour */
        swap_sql,
        "UPDATE answers SET body = substr(body, 1, length(body) - 1)",
        "UPDATE answers SET body = substr(body, 1, 20)",
        "UPDATE answers SET body = body || x'00'",
        "UPDATE answers SET body = zeroblob(100)",
        "UPDATE answers SET body = x''",
        "UPDATE answers SET body = 'text'",
        "UPDATE answers SET body = 17",
        "UPDATE answers SET body = zeroblob(100000)",
    };
    struct store_bed *b = *state;
    for (size_t i = 0; i < sizeof deeds / sizeof deeds[0]; i++) {
        struct store_file *f = open_file(b);
        assert_int_equal(write_range(f, 0, 20, 1, WALL), ERR_OK);
        run_raw(b, deeds[i]);
        for (unsigned n = 0; n < 20; n++) {
            assert_int_equal(find(f, n, WALL, TTL), FILE_FORGED);
        }
        /* What is put now takes their place. */
        assert_int_equal(write_range(f, 0, 20, 2, WALL), ERR_OK);
        assert_true(is_hit(find(f, 7, WALL, TTL)));
        store_file_close(f);
    }
}

static void enormous_row_is_damage(void **state)
{
    struct store_bed *b = *state;
    struct store_file *f = open_file(b);
    assert_int_equal(write_range(f, 0, 3, 1, WALL), ERR_OK);
    run_raw(b, "UPDATE answers SET body = zeroblob(50000000)");
    assert_int_equal(find(f, 1, WALL, TTL), FILE_BROKEN);
    store_file_close(f);
}

static void times_that_cannot_be_do_no_harm(void **state)
{
    struct store_bed *b = *state;
    struct store_file *f = open_file(b);
    uint64_t n_evicted = 0;
    struct error error;
    assert_int_equal(write_range(f, 0, 3, 1, WALL), ERR_OK);
    run_raw(b, "UPDATE answers SET used = 9223372036854775807");
    assert_int_equal(find(f, 1, WALL, TTL), FILE_STALE);
    run_raw(b, "UPDATE answers SET used = -9223372036854775807 - 1");
    assert_int_equal(find(f, 1, WALL, TTL), FILE_STALE);
    run_raw(b, "UPDATE answers SET used = 'yesterday'");
    assert_int_equal(find(f, 1, WALL, TTL), FILE_STALE);
    assert_int_equal(store_file_trim(f, 1 * MIB, 0, WALL, &n_evicted, &error), ERR_OK);
    assert_int_equal(n_evicted, 3);
    store_file_close(f);
}

static void schema_that_is_not_ours_is_set_aside(void **state)
{
    static const char *const deeds[] = {
        "CREATE TRIGGER t AFTER INSERT ON answers BEGIN DELETE FROM answers; END",
        "CREATE VIEW v AS SELECT * FROM answers",
        "CREATE TABLE more(x)",
        "DROP INDEX answers_by_use",
        "ALTER TABLE answers ADD COLUMN note",
        "DROP TABLE answers",
        "PRAGMA application_id=7",
        "PRAGMA user_version=0",
    };
    struct store_bed *b = *state;
    for (size_t i = 0; i < sizeof deeds / sizeof deeds[0]; i++) {
        store_file_close(open_file(b));
        run_raw(b, deeds[i]);
        struct store_file *f = open_file(b);
        assert_true(store_file_has_set_aside(f));
        assert_int_equal(write_range(f, 0, 3, 1, WALL), ERR_OK);
        assert_true(is_hit(find(f, 2, WALL, TTL)));
        store_file_close(f);
    }
}

static void file_of_a_newer_version_is_left_alone(void **state)
{
    struct store_bed *b = *state;
    struct store_file *f = open_file(b);
    struct error error = {0};
    assert_int_equal(write_range(f, 0, 3, 1, WALL), ERR_OK);
    store_file_close(f);
    run_raw(b, "PRAGMA user_version=2; ALTER TABLE answers ADD COLUMN mood");
    assert_int_equal(store_file_open(b->folder, NULL, &f, &error), ERR_INVALID);
    assert_non_null(strstr(error.msg, "newer version"));
    assert_int_not_equal(access(bed_path(b, "answers.db.corrupt"), F_OK), 0);
    run_raw(b, "INSERT INTO answers(id, used, body, mood) VALUES(1, 2, x'03', 4)");
}

static void secret_of_another_length_is_made_anew(void **state)
{
    struct store_bed *b = *state;
    struct store_file *f = open_file(b);
    assert_int_equal(write_range(f, 0, 3, 1, WALL), ERR_OK);
    store_file_close(f);
    static const size_t lengths[] = {0, 31, 33};
    for (size_t i = 0; i < 3; i++) {
        char bytes[33] = {0};
        write_file(bed_path(b, "secret"), str_of(bytes, lengths[i]));
        f = open_file(b);
        assert_int_equal(find(f, 1, WALL, TTL), FILE_ABSENT);
        assert_int_equal(write_range(f, 0, 3, 1, WALL), ERR_OK);
        store_file_close(f);
        f = open_file(b);
        assert_true(is_hit(find(f, 1, WALL, TTL)));
        store_file_close(f);
    }
}

/* -- what isn't a file of ours -- */

static void assert_refused(const struct store_bed *b)
{
    struct store_file *f = NULL;
    struct error error = {0};
    enum err err = store_file_open(b->folder, NULL, &f, &error);
    if (err == ERR_OK) {
        fail_msg("the store was opened");
    }
    assert_int_equal(err, ERR_REJECTED);
    assert_null(f);
    assert_non_null(strstr(error.msg, b->top)); /* says where */
}

static const char *const our_files[] = {"answers.db", "answers.db-wal", "answers.db-shm", "secret",
                                        "lock"};

static void links_pipes_and_folders_are_refused(void **state)
{
    struct store_bed *b = *state;
    char target[100];
    (void)snprintf(target, sizeof target, "%s/target", b->top);
    for (size_t i = 0; i < sizeof our_files / sizeof our_files[0]; i++) {
        const char *path = bed_path(b, our_files[i]);
        store_file_close(open_file(b));
        path = bed_path(b, our_files[i]);
        write_file(target, STR("precious"));
        (void)unlink(path);
        assert_int_equal(symlink(target, path), 0);
        assert_refused(b);
        path = bed_path(b, our_files[i]);
        assert_int_equal(unlink(path), 0);
        assert_int_equal(link(target, path), 0);
        assert_refused(b);
        path = bed_path(b, our_files[i]);
        assert_int_equal(unlink(path), 0);
        assert_int_equal(mkfifo(path, 0600), 0);
        assert_refused(b);
        path = bed_path(b, our_files[i]);
        assert_int_equal(unlink(path), 0);
        assert_int_equal(mkdir(path, 0700), 0);
        assert_refused(b);
        assert_int_equal(rmdir(bed_path(b, our_files[i])), 0);
        struct buf text;
        read_file(target, &text);
        assert_string_equal(buf_cstr(&text), "precious");
        buf_release(&text);
    }
    store_file_close(open_file(b));
}

static void what_others_may_write_is_refused_what_they_may_read_is_closed(void **state)
{
    struct store_bed *b = *state;
    struct stat st;
    for (size_t i = 0; i < sizeof our_files / sizeof our_files[0]; i++) {
        store_file_close(open_file(b));
        assert_int_equal(chmod(bed_path(b, our_files[i]), 0620), 0);
        assert_refused(b);
        assert_int_equal(chmod(bed_path(b, our_files[i]), 0644), 0);
        store_file_close(open_file(b));
        assert_int_equal(stat(bed_path(b, our_files[i]), &st), 0);
        assert_int_equal(st.st_mode & 07777, 0600);
    }
    assert_int_equal(chmod(b->folder, 0770), 0);
    assert_refused(b);
    assert_int_equal(chmod(b->folder, 0755), 0);
    store_file_close(open_file(b));
    assert_int_equal(stat(b->folder, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    assert_int_equal(chmod(b->top, 0777), 0);
    assert_refused(b);
    assert_int_equal(chmod(b->top, 01777), 0); /* as /tmp: nobody renames what others own */
    store_file_close(open_file(b));
    assert_int_equal(chmod(b->top, 0700), 0);
}

static void folder_that_is_a_link_is_refused_a_parent_may_be_one(void **state)
{
    struct store_bed *b = *state;
    struct store_bed other = *b;
    store_file_close(open_file(b));
    (void)snprintf(other.folder, sizeof other.folder, "%s/link", b->top);
    assert_int_equal(symlink(b->folder, other.folder), 0);
    assert_refused(&other);
    assert_int_equal(unlink(other.folder), 0);
    assert_int_equal(symlink(b->top, other.folder), 0);
    (void)snprintf(other.folder, sizeof other.folder, "%s/link/crucible", b->top);
    store_file_close(open_file(&other));
    write_file(bed_path(b, "plain"), STR("x"));
    (void)snprintf(other.folder, sizeof other.folder, "%s/crucible/plain", b->top);
    assert_refused(&other);
    (void)snprintf(other.folder, sizeof other.folder, "%.40s/crucible/plain/x", b->top);
    assert_refused(&other);
}

static void what_belongs_to_somebody_else_is_refused(void **state)
{
    struct store_bed *b = *state;
    if (geteuid() != 0) {
        skip(); /* only the system's owner can give things away */
    }
    store_file_close(open_file(b));
    assert_int_equal(chown(bed_path(b, "answers.db"), 12345, 12345), 0);
    assert_refused(b);
    assert_int_equal(chown(bed_path(b, "answers.db"), 0, 0), 0);
    assert_int_equal(chown(b->folder, 12345, 12345), 0);
    assert_refused(b);
    assert_int_equal(chown(b->folder, 0, 0), 0);
    assert_int_equal(chown(b->top, 12345, 12345), 0);
    assert_refused(b);
    assert_int_equal(chown(b->top, 0, 0), 0);
}

/* -- disks that don't take anything -- */

#define SOMEBODY 54321 /* a user for whom permissions count */

static void use_read_only(void *user)
{
    struct store_bed *b = user;
    if (geteuid() == 0 && (setgid(SOMEBODY) != 0 || setuid(SOMEBODY) != 0)) {
        _exit(9);
    }
    struct store_file *f = NULL;
    struct error error = {0};
    enum err err = store_file_open(b->folder, NULL, &f, &error);
    _exit(err == ERR_REJECTED && error.msg[0] ? 0 : 1);
}

static void read_only_folder_is_an_error_that_names_it(void **state)
{
    struct store_bed *b = *state;
    uid_t owner = geteuid() == 0 ? SOMEBODY : geteuid();
    assert_int_equal(chmod(b->top, 0711), 0);
    assert_int_equal(mkdir(b->folder, 0700), 0);
    for (int round = 0; round < 2; round++) { /* without and with a database */
        for (size_t i = 0; i < sizeof our_files / sizeof our_files[0]; i++) {
            if (geteuid() == 0 && round == 1) {
                assert_int_equal(chown(bed_path(b, our_files[i]), owner, owner), 0);
            }
        }
        if (round == 1) {
            assert_int_equal(chmod(bed_path(b, "answers.db"), 0400), 0);
        }
        if (geteuid() == 0) {
            assert_int_equal(chown(b->folder, owner, owner), 0);
        }
        assert_int_equal(chmod(b->folder, 0500), 0);
        assert_int_equal(in_child(use_read_only, b), 0);
        assert_int_equal(chmod(b->folder, 0700), 0);
        if (geteuid() == 0) {
            assert_int_equal(chown(b->folder, 0, 0), 0);
        }
        if (round == 0) {
            store_file_close(open_file(b));
        }
    }
}

/* Writes until the disk is full; then what is there can still be read, and is right. */
static void fill(const struct store_bed *b)
{
    struct store_file *f = NULL;
    struct error error = {0};
    enum err err = store_file_open(b->folder, NULL, &f, &error);
    unsigned n = 0;
    while (err == ERR_OK && n < 20000) {
        err = write_range(f, n, n + 40, 1, WALL);
        n += 40;
    }
    if (err != ERR_TOO_LARGE && err != ERR_REJECTED) {
        _exit(2);
    }
    for (unsigned i = 0; f && i < n; i++) {
        enum file_found found = find(f, i, WALL, TTL);
        if (i + 40 < n && !is_hit(found)) {
            _exit(3);
        }
    }
    store_file_close(f);
}

static void fill_below_a_limit(void *user)
{
    static const rlim_t limits[] = {0, 10, 4096, 9000, 40000, 200000};
    struct store_bed *b = user;
    signal(SIGXFSZ, SIG_IGN); /* as loop_create does */
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        struct rlimit limit = {limits[i], RLIM_INFINITY};
        if (setrlimit(RLIMIT_FSIZE, &limit) != 0) {
            _exit(9);
        }
        fill(b);
        limit.rlim_cur = RLIM_INFINITY;
        (void)setrlimit(RLIMIT_FSIZE, &limit);
        struct store_file *f = open_file(b); /* as soon as there is room */
        if (write_range(f, 0, 20, 2, WALL) != ERR_OK || !is_hit(find(f, 3, WALL, TTL))) {
            _exit(4);
        }
        store_file_close(f);
        bed_clear_folder(b->folder);
    }
    _exit(0);
}

static void files_that_may_not_grow_are_an_error_that_passes(void **state)
{
    assert_int_equal(in_child(fill_below_a_limit, *state), 0);
}

#define NO_MOUNTS 77

static void fill_a_small_disk(void *user)
{
#ifdef __linux__
    static const char *const sizes[] = {"size=8k", "size=44k", "size=64k", "size=256k", "size=1m"};
    struct store_bed *b = user;
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) {
        _exit(NO_MOUNTS);
    }
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        if (mount("none", b->top, "tmpfs", 0, sizes[i]) != 0 || chmod(b->top, 0700) != 0) {
            _exit(NO_MOUNTS);
        }
        fill(b);
        (void)umount(b->top);
    }
    _exit(0);
#else
    (void)user;
    _exit(NO_MOUNTS);
#endif
}

static void full_disk_is_an_error_and_what_is_there_stays(void **state)
{
    int status = in_child(fill_a_small_disk, *state);
    if (status == NO_MOUNTS) {
        skip();
    }
    assert_int_equal(status, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(flipped_byte_anywhere_gives_no_wrong_answer),
        TEST(flipped_byte_in_the_log_gives_no_wrong_answer),
        TEST(truncated_file_gives_no_wrong_answer),
        TEST(file_of_something_else_is_set_aside),
        TEST(empty_file_is_begun),
        TEST(suspect_is_set_aside_by_the_first_who_finds_it),
        TEST(rows_that_were_tampered_with_are_no_answers),
        TEST(enormous_row_is_damage),
        TEST(times_that_cannot_be_do_no_harm),
        TEST(schema_that_is_not_ours_is_set_aside),
        TEST(file_of_a_newer_version_is_left_alone),
        TEST(secret_of_another_length_is_made_anew),
        TEST(links_pipes_and_folders_are_refused),
        TEST(what_others_may_write_is_refused_what_they_may_read_is_closed),
        TEST(folder_that_is_a_link_is_refused_a_parent_may_be_one),
        TEST(what_belongs_to_somebody_else_is_refused),
        TEST(read_only_folder_is_an_error_that_names_it),
        TEST(files_that_may_not_grow_are_an_error_that_passes),
        TEST(full_disk_is_an_error_and_what_is_there_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
