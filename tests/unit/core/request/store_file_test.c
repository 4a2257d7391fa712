/* store_file_test.c - the database by itself: what it gives, how it ages, shrinks and is shared. */
#include "tests/unit/core/request/store_bed.h"

#include <errno.h>
#include <sqlite3.h>
#include <sys/file.h>

#define TTL  HOURS(1)
#define YEAR HOURS(24ull * 365)

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

static sqlite3 *open_raw(const struct store_bed *b)
{
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(bed_path(b, "answers.db"), &db), SQLITE_OK);
    return db;
}

static void run_raw(const struct store_bed *b, const char *sql)
{
    sqlite3 *db = open_raw(b);
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK) {
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    }
    sqlite3_close(db);
}

static void file_gives_what_was_put_also_after_reopening(void **state)
{
    struct store_bed *b = *state;
    struct store_file *f = open_file(b);
    assert_int_equal(find(f, 1, WALL, TTL), FILE_ABSENT);
    assert_int_equal(write_range(f, 0, 60, 1, WALL), ERR_OK);
    for (unsigned n = 0; n < 60; n++) {
        assert_int_equal(find(f, n, WALL, TTL), FILE_HIT);
    }
    assert_int_equal(find(f, 60, WALL, TTL), FILE_ABSENT);
    store_file_close(f);
    f = open_file(b);
    assert_false(store_file_has_set_aside(f));
    for (unsigned n = 0; n < 60; n++) {
        assert_int_equal(find(f, n, WALL, TTL), FILE_HIT);
    }
    store_file_close(f);
}

static void newest_entry_of_a_key_stays(void **state)
{
    struct store_bed *b = *state;
    struct store_file *f = open_file(b);
    struct store_batch batch = {0};
    struct buf room;
    struct store_entry entry;
    struct error error;
    struct store_key key = key_of(1);
    for (unsigned version = 1; version <= 3; version++) {
        entry = entry_of(1, version, WALL);
        assert_true(store_batch_put(&batch, &key, &entry));
    }
    assert_int_equal(store_file_write(f, &batch, WALL, &error), ERR_OK);
    buf_init(&room, STORE_MAX_SEALED_BYTES);
    assert_int_equal(store_file_get(f, &key, WALL, TTL, &room, &entry, &error), FILE_HIT);
    assert_true(str_eq(entry.text, text_of(1, 3)));
    buf_release(&room);
    store_batch_release(&batch);
    store_file_close(f);
}

static void largest_text_fits_and_batches_are_bounded(void **state)
{
    struct store_bed *b = *state;
    struct store_file *f = open_file(b);
    struct store_batch batch = {0};
    struct error error;
    char *text = xcalloc(1, FLIGHT_MAX_TEXT_BYTES);
    struct store_entry entry = {.text = str_of(text, FLIGHT_MAX_TEXT_BYTES), .created_us = WALL};
    unsigned n = 0;
    for (struct store_key key = key_of(n); store_batch_put(&batch, &key, &entry);
         key = key_of(++n)) {
    }
    assert_in_range(n, 10, 16); /* 1 MiB */
    assert_int_equal(store_file_write(f, &batch, WALL, &error), ERR_OK);
    struct buf room;
    struct store_key key = key_of(n - 1);
    buf_init(&room, STORE_MAX_SEALED_BYTES);
    assert_int_equal(store_file_get(f, &key, WALL, TTL, &room, &entry, &error), FILE_HIT);
    assert_int_equal(entry.text.len, FLIGHT_MAX_TEXT_BYTES);
    buf_release(&room);
    store_batch_release(&batch);
    xfree(text);
    store_file_close(f);
}

static void everything_is_closed_to_others(void **state)
{
    static const char *const names[] = {"answers.db", "answers.db-wal", "answers.db-shm", "secret",
                                        "lock"};
    struct store_bed *b = *state;
    struct stat st;
    mode_t old = umask(0);
    struct store_file *f = open_file(b);
    assert_int_equal(write_range(f, 0, 3, 1, WALL), ERR_OK);
    umask(old);
    assert_int_equal(stat(b->folder, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        assert_int_equal(stat(bed_path(b, names[i]), &st), 0);
        assert_int_equal(st.st_mode & 07777, 0600);
    }
    store_file_close(f);
}

/* -- ageing -- */

static void entries_age_by_the_wall_clock(void **state)
{
    struct store_file *f = open_file(*state);
    assert_int_equal(write_range(f, 0, 1, 1, WALL), ERR_OK);
    assert_true(is_hit(find(f, 0, WALL + TTL - 1, TTL)));
    assert_int_equal(find(f, 0, WALL + TTL, TTL), FILE_EXPIRED);
    assert_int_equal(find(f, 0, WALL + YEAR, TTL), FILE_EXPIRED);
    assert_int_equal(find(f, 0, WALL, 0), FILE_EXPIRED);
    store_file_close(f);
}

static void entries_of_the_future_are_new_and_not_good_for_ever(void **state)
{
    struct store_file *f = open_file(*state);
    assert_int_equal(write_range(f, 0, 1, 1, WALL), ERR_OK);
    assert_true(is_hit(find(f, 0, WALL - TTL, TTL))); /* the clock was set back a little */
    assert_int_equal(find(f, 0, WALL - TTL - 1, TTL), FILE_EXPIRED);
    assert_int_equal(find(f, 0, WALL - YEAR, TTL), FILE_EXPIRED);
    assert_int_equal(find(f, 0, 0, TTL), FILE_EXPIRED);
    /* What is put after the clock was set back by a year takes the place of what lies ahead. */
    assert_int_equal(write_range(f, 0, 1, 2, WALL - YEAR), ERR_OK);
    assert_int_equal(find(f, 0, WALL - YEAR, TTL), FILE_HIT);
    store_file_close(f);
}

static void use_is_noted_once_a_minute(void **state)
{
    struct store_file *f = open_file(*state);
    struct store_batch batch = {0};
    struct error error;
    struct store_key key = key_of(0);
    assert_int_equal(write_range(f, 0, 1, 1, WALL), ERR_OK);
    assert_int_equal(find(f, 0, WALL + SEC_TO_US(59), TTL), FILE_HIT);
    assert_int_equal(find(f, 0, WALL + SEC_TO_US(61), TTL), FILE_STALE);
    store_batch_touch(&batch, &key);
    assert_int_equal(store_file_write(f, &batch, WALL + SEC_TO_US(61), &error), ERR_OK);
    assert_int_equal(find(f, 0, WALL + SEC_TO_US(62), TTL), FILE_HIT);
    /* It is as old as it was. */
    assert_int_equal(find(f, 0, WALL + TTL, TTL), FILE_EXPIRED);
    store_batch_release(&batch);
    store_file_close(f);
}

/* -- size -- */

#define SMALL (512u * KIB)

static void trim(struct store_file *f, uint64_t max_bytes, uint64_t wall_us, uint64_t *n_evicted)
{
    struct error error = {0};
    if (store_file_trim(f, max_bytes, 64 * KIB, wall_us, n_evicted, &error) != ERR_OK ||
        store_file_settle(f, &error) != ERR_OK) {
        fail_msg("%s", error.msg);
    }
}

static void file_stays_below_its_bound_and_keeps_what_is_used(void **state)
{
    struct store_file *f = open_file(*state);
    struct store_batch used = {0};
    struct error error;
    uint64_t wall_us = WALL, n_evicted = 0, n_all = 0;
    struct store_key key = key_of(3);
    store_batch_touch(&used, &key);
    for (unsigned n = 0; n < 20000; n += 50) {
        trim(f, SMALL, wall_us, &n_evicted);
        n_all += n_evicted;
        assert_int_equal(write_range(f, n, n + 50, 1, wall_us), ERR_OK);
        assert_int_equal(store_file_write(f, &used, wall_us, &error), ERR_OK);
        /* One bulk and one batch may stand in the log beyond it. */
        assert_true(store_file_bytes(f) <= SMALL + 512 * KIB);
        wall_us += SEC_TO_US(1);
    }
    trim(f, SMALL, wall_us, &n_evicted);
    assert_true(n_all > 15000);
    assert_true(is_hit(find(f, 3, wall_us, TTL)));
    assert_true(is_hit(find(f, 19999, wall_us, TTL)));
    assert_int_equal(find(f, 4, wall_us, TTL), FILE_ABSENT);
    store_batch_release(&used);
    store_file_close(f);
}

static void smaller_bound_gives_the_disk_back(void **state)
{
    struct store_bed *b = *state;
    struct store_file *f = open_file(b);
    struct stat st;
    uint64_t n_evicted = 0;
    for (unsigned n = 0; n < 4000; n += 400) {
        assert_int_equal(write_range(f, n, n + 400, 1, WALL + n), ERR_OK);
    }
    trim(f, 64 * MIB, WALL, &n_evicted);
    assert_int_equal(n_evicted, 0);
    assert_int_equal(stat(bed_path(b, "answers.db"), &st), 0);
    assert_true(st.st_size > SMALL);
    trim(f, SMALL, WALL, &n_evicted);
    assert_true(n_evicted > 0);
    store_file_close(f);
    run_raw(b, "PRAGMA wal_checkpoint(TRUNCATE)");
    assert_int_equal(stat(bed_path(b, "answers.db"), &st), 0);
    assert_true(st.st_size <= SMALL);
}

static void outdated_entries_go_whatever_the_clock_did(void **state)
{
    struct store_file *f = open_file(*state);
    uint64_t n_evicted = 0;
    assert_int_equal(write_range(f, 0, 600, 1, WALL), ERR_OK);
    assert_int_equal(write_range(f, 600, 1200, 1, WALL + YEAR), ERR_OK); /* the clock was wrong */
    assert_int_equal(write_range(f, 1200, 1210, 1, WALL + HOURS(1)), ERR_OK);
    trim(f, 64 * MIB, WALL + HOURS(2), &n_evicted);
    assert_int_equal(n_evicted, 600);
    assert_true(is_hit(find(f, 1, WALL + HOURS(2), HOURS(3))));
    trim(f, 64 * MIB, WALL + STORE_MAX_AGE_US + SEC_TO_US(1), &n_evicted);
    assert_int_equal(n_evicted, 600);
    assert_true(is_hit(find(f, 1205, WALL + STORE_MAX_AGE_US, STORE_MAX_AGE_US)));
    store_file_close(f);
}

static bool folder_contains(const struct store_bed *b, str needle)
{
    static const char *const names[] = {"answers.db", "answers.db-wal", "answers.db-shm"};
    bool is_there = false;
    for (size_t i = 0; i < 3; i++) {
        struct buf text;
        buf_init(&text, 16 * MIB);
        int fd = open(bed_path(b, names[i]), O_RDONLY);
        for (ssize_t n = 1; fd >= 0 && n > 0;) {
            char *room = buf_reserve(&text, 64 * KIB);
            n = room ? read(fd, room, 64 * KIB) : 0;
            buf_commit(&text, n > 0 ? (size_t)n : 0);
        }
        is_there = is_there || str_find(buf_str(&text), needle, 0) != SIZE_MAX;
        buf_release(&text);
        close(fd);
    }
    return is_there;
}

/* Files are read while no connection of this process is open: closing them drops its locks. */
static void clearing_leaves_no_text_behind(void **state)
{
    struct store_bed *b = *state;
    struct store_file *f = open_file(b);
    struct error error = {0};
    assert_int_equal(write_range(f, 100, 400, 1, WALL), ERR_OK);
    store_file_close(f);
    assert_true(folder_contains(b, STR("250.1:")));
    f = open_file(b);
    assert_int_equal(store_file_clear(f, &error), ERR_OK);
    assert_int_equal(find(f, 250, WALL, TTL), FILE_ABSENT);
    store_file_close(f);
    assert_false(folder_contains(b, STR("250.1:")));
    f = open_file(b);
    assert_int_equal(write_range(f, 250, 251, 2, WALL), ERR_OK);
    assert_true(is_hit(find(f, 250, WALL, TTL)));
    store_file_close(f);
}

/* -- sharing -- */

static void writer_that_is_shut_out_gives_up_and_readers_go_on(void **state)
{
    struct store_bed *b = *state;
    struct store_file *f = open_file(b);
    assert_int_equal(write_range(f, 0, 3, 1, WALL), ERR_OK);
    sqlite3 *db = open_raw(b);
    assert_int_equal(sqlite3_exec(db, "BEGIN EXCLUSIVE", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(write_range(f, 3, 4, 1, WALL), ERR_TIMEOUT);
    assert_true(is_hit(find(f, 1, WALL, TTL)));
    assert_int_equal(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    assert_int_equal(write_range(f, 3, 4, 1, WALL), ERR_OK);
    assert_true(is_hit(find(f, 3, WALL, TTL)));
    store_file_close(f);
}

static void lock_of_another_program_is_an_error_that_passes(void **state)
{
    struct store_bed *b = *state;
    struct store_file *f = NULL;
    struct error error = {0};
    store_file_close(open_file(b));
    int fd = open(bed_path(b, "lock"), O_RDWR);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    assert_int_equal(store_file_open(b->folder, NULL, &f, &error), ERR_TIMEOUT);
    assert_null(f);
    close(fd);
    store_file_close(open_file(b));
    /* A program that keeps the database for itself. */
    sqlite3 *db = open_raw(b);
    assert_int_equal(sqlite3_exec(db,
                                  "PRAGMA journal_mode=DELETE; PRAGMA locking_mode=EXCLUSIVE; "
                                  "BEGIN EXCLUSIVE",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    assert_int_equal(store_file_open(b->folder, NULL, &f, &error), ERR_TIMEOUT);
    sqlite3_close(db);
    store_file_close(open_file(b));
}

static void removed_or_replaced_file_is_noticed_by_the_writer(void **state)
{
    struct store_bed *b = *state;
    struct store_file *f = open_file(b);
    assert_int_equal(write_range(f, 0, 3, 1, WALL), ERR_OK);
    assert_int_equal(unlink(bed_path(b, "answers.db")), 0);
    assert_int_equal(write_range(f, 3, 4, 1, WALL), ERR_NOT_FOUND);
    struct store_file *other = open_file(b);
    assert_int_equal(write_range(f, 3, 4, 1, WALL), ERR_NOT_FOUND);
    assert_int_equal(write_range(other, 3, 4, 1, WALL), ERR_OK);
    /* Closing the old one takes nothing from the new. */
    store_file_close(f);
    f = open_file(b);
    assert_int_equal(write_range(f, 5, 6, 1, WALL), ERR_OK);
    assert_true(is_hit(find(other, 5, WALL, TTL)));
    assert_true(is_hit(find(f, 3, WALL, TTL)));
    assert_int_equal(find(f, 0, WALL, TTL), FILE_ABSENT);
    store_file_close(f);
    store_file_close(other);
}

static void deadline_ends_what_is_under_way(void **state)
{
    struct store_file *f = open_file(*state);
    struct error error = {0};
    store_file_set_deadline(f, clock_now_us());
    assert_int_not_equal(write_range(f, 0, 100, 1, WALL), ERR_OK);
    store_file_set_deadline(f, CLOCK_NEVER);
    assert_int_equal(find(f, 5, WALL, TTL), FILE_ABSENT);
    assert_int_equal(write_range(f, 0, 100, 1, WALL), ERR_OK);
    assert_int_equal(store_file_clear(f, &error), ERR_OK);
    store_file_close(f);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(file_gives_what_was_put_also_after_reopening),
        TEST(newest_entry_of_a_key_stays),
        TEST(largest_text_fits_and_batches_are_bounded),
        TEST(everything_is_closed_to_others),
        TEST(entries_age_by_the_wall_clock),
        TEST(entries_of_the_future_are_new_and_not_good_for_ever),
        TEST(use_is_noted_once_a_minute),
        TEST(file_stays_below_its_bound_and_keeps_what_is_used),
        TEST(smaller_bound_gives_the_disk_back),
        TEST(outdated_entries_go_whatever_the_clock_did),
        TEST(clearing_leaves_no_text_behind),
        TEST(writer_that_is_shut_out_gives_up_and_readers_go_on),
        TEST(lock_of_another_program_is_an_error_that_passes),
        TEST(removed_or_replaced_file_is_noticed_by_the_writer),
        TEST(deadline_ends_what_is_under_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
