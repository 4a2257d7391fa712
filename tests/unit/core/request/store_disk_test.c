/* store_disk_test.c - the store on the loop: opening late, writing in batches, failing quietly. */
#include "tests/unit/core/loop/bounded.h"
#include "tests/unit/core/request/store_bed.h"

#include <sqlite3.h>

#include "core/request/store_disk.h"

struct bed {
    struct store_bed place;
    struct loop *loop;
    struct store *store;
    struct store_disk_options options;
    uint64_t n_put; /* into this store */
    unsigned n_found, n_missed;
    bool is_wrong;
};

static void start(struct bed *b)
{
    b->options.folder = b->place.folder;
    b->store = store_disk_create(b->loop, &b->options);
    b->n_put = 0;
}

static int setup(void **state)
{
    struct bed *b = xcalloc(1, sizeof *b);
    bed_make(&b->place);
    b->loop = loop_create();
    b->options = (struct store_disk_options)STORE_DISK_OPTIONS_INIT;
    b->options.flush_us = MS_TO_US(5);
    b->options.slow_us = SEC_TO_US(1000); /* the machine may be busy with something else */
    b->options.off_us = MS_TO_US(50);
    start(b);
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    struct bed *b = *state;
    store_destroy(b->store);
    loop_destroy(b->loop);
    bed_remove(&b->place);
    xfree(b);
    return 0;
}

static bool is_open(void *user)
{
    return strcmp(store_stats(((struct bed *)user)->store).state, "open") == 0;
}

static bool is_off(void *user)
{
    return strcmp(store_stats(((struct bed *)user)->store).state, "off") == 0;
}

/* Everything that was put is written or dropped. */
static bool is_settled(void *user)
{
    struct bed *b = user;
    struct store_stats now = store_stats(b->store);
    return now.n_stored + now.n_dropped == b->n_put;
}

static void put(struct bed *b, unsigned n)
{
    struct store_key key = key_of(n);
    struct store_entry entry = entry_of(n, 1, 0);
    store_put(b->store, &key, &entry);
    b->n_put++;
}

static void put_and_wait(struct bed *b, unsigned n)
{
    put(b, n);
    assert_true(run_until(b->loop, is_settled, b));
}

static void open_store(struct bed *b)
{
    store_warm(b->store);
    assert_true(run_until(b->loop, is_open, b));
}

static enum store_found get(struct bed *b, unsigned n)
{
    struct store_lookup q = {.key = key_of(n)};
    struct store_entry entry;
    enum store_found found = store_get(b->store, &q, &entry, NULL);
    if (found == STORE_HIT) {
        assert_true(is_text_of(n, entry.text));
    }
    return found;
}

/* As another program does it: closing a descriptor of the file here would drop our locks. */
static void do_raw(void *user)
{
    const char *const *what = user; /* the path, statements */
    sqlite3 *db = NULL;
    _exit(sqlite3_open(what[0], &db) == SQLITE_OK &&
                  sqlite3_exec(db, what[1], NULL, NULL, NULL) == SQLITE_OK
              ? 0
              : 1);
}

static void run_raw(struct bed *b, const char *sql)
{
    const char *what[] = {bed_path(&b->place, "answers.db"), sql};
    assert_int_equal(in_child(do_raw, (void *)what), 0);
}

static void do_spoil(void *user)
{
    struct bed *b = user;
    char garbage[8192];
    memset(garbage, 0x5a, sizeof garbage);
    int fd = open(bed_path(&b->place, "answers.db"), O_WRONLY);
    bool is_done = fd >= 0 && pwrite(fd, garbage, sizeof garbage, 0) == sizeof garbage;
    fd = open(bed_path(&b->place, "answers.db-wal"), O_WRONLY | O_TRUNC);
    _exit(is_done && fd >= 0 ? 0 : 1);
}

/* -- at work -- */

static void nothing_is_touched_before_it_is_needed(void **state)
{
    struct bed *b = *state;
    run_turns(b->loop, 5);
    assert_int_not_equal(access(b->place.folder, F_OK), 0);
    assert_string_equal(store_stats(b->store).state, "closed");
    assert_int_equal(get(b, 1), STORE_MISS); /* without waiting for anything */
    assert_string_equal(store_stats(b->store).state, "opening");
    assert_true(run_until(b->loop, is_open, b));
}

static void entry_is_found_once_it_is_written(void **state)
{
    struct bed *b = *state;
    put(b, 1); /* before it is open */
    open_store(b);
    put_and_wait(b, 2);
    assert_int_equal(get(b, 1), STORE_HIT);
    assert_int_equal(get(b, 2), STORE_HIT);
    assert_int_equal(get(b, 3), STORE_MISS);
    struct store_stats stats = store_stats(b->store);
    assert_string_equal(stats.name, "disk");
    assert_int_equal(stats.n_hits, 2);
    assert_int_equal(stats.n_misses, 1);
    assert_int_equal(stats.n_stored, 2);
    assert_int_equal(stats.n_errors + stats.n_dropped, 0);
    assert_int_equal(stats.lookup_us->n, 3);
    assert_true(stats.n_bytes > 0);
    assert_string_equal(stats.reason, "");
}

static void what_waits_is_written_when_the_store_is_destroyed(void **state)
{
    struct bed *b = *state;
    b->options.flush_us = SEC_TO_US(1000);
    store_destroy(b->store);
    start(b);
    open_store(b);
    for (unsigned n = 0; n < 20; n++) {
        put(b, n);
    }
    store_destroy(b->store);
    start(b);
    open_store(b);
    for (unsigned n = 0; n < 20; n++) {
        assert_int_equal(get(b, n), STORE_HIT);
    }
}

static void many_entries_do_not_wait_for_the_timer(void **state)
{
    struct bed *b = *state;
    b->options.flush_us = SEC_TO_US(1000);
    store_destroy(b->store);
    start(b);
    open_store(b);
    for (unsigned n = 0; n < 192; n++) { /* the last ones make up a batch, too */
        put(b, n);
    }
    assert_true(run_until(b->loop, is_settled, b));
    assert_int_equal(get(b, 1), STORE_HIT);
}

static void store_may_be_destroyed_at_any_moment(void **state)
{
    struct bed *b = *state;
    uint64_t random = seed_of("store_may_be_destroyed_at_any_moment");
    for (unsigned round = 0; round < 150; round++) {
        unsigned n_turns = next_random(&random) % 12;
        b->options.slow_us = round % 2 ? 0 : SEC_TO_US(1000);
        b->options.flush_us = round % 3 ? 0 : MS_TO_US(1);
        store_destroy(b->store);
        start(b);
        for (unsigned turn = 0; turn < n_turns; turn++) {
            put(b, next_random(&random) % 50);
            (void)get(b, next_random(&random) % 50);
            if (next_random(&random) % 10 == 0) {
                store_clear(b->store);
            }
            run_turns(b->loop, 1);
            nanosleep(&(struct timespec){.tv_nsec = next_random(&random) % 1000000}, NULL);
        }
        if (round % 20 == 19) { /* the loop may go right after it, with jobs still out */
            store_destroy(b->store);
            loop_destroy(b->loop);
            b->loop = loop_create();
            start(b);
        }
    }
    store_destroy(b->store);
    b->options.slow_us = SEC_TO_US(1000);
    start(b);
    open_store(b);
    put_and_wait(b, 1);
    assert_int_equal(get(b, 1), STORE_HIT);
    assert_int_not_equal(access(bed_path(&b->place, "answers.db.corrupt"), F_OK), 0);
}

static void cleared_store_knows_nothing(void **state)
{
    struct bed *b = *state;
    open_store(b);
    put_and_wait(b, 1);
    put(b, 2);
    store_clear(b->store);
    assert_int_equal(get(b, 1), STORE_MISS); /* from now on */
    put_and_wait(b, 3);
    assert_int_equal(get(b, 1), STORE_MISS);
    assert_int_equal(get(b, 2), STORE_MISS);
    assert_int_equal(get(b, 3), STORE_HIT);
    /* Also where it isn't open, and by leaving. */
    store_destroy(b->store);
    start(b);
    store_clear(b->store);
    assert_true(run_until(b->loop, is_open, b));
    store_destroy(b->store);
    start(b);
    open_store(b);
    assert_int_equal(get(b, 3), STORE_MISS);
}

static void settings_count_from_the_next_lookup_on(void **state)
{
    struct bed *b = *state;
    open_store(b);
    put_and_wait(b, 1);
    assert_int_equal(get(b, 1), STORE_HIT);
    store_disk_configure(b->store, b->options.max_bytes, 0);
    assert_int_equal(get(b, 1), STORE_MISS);
    assert_int_equal(store_stats(b->store).n_expired, 1);
    store_disk_configure(b->store, 0, b->options.ttl_us);
    assert_int_equal(get(b, 1), STORE_MISS);
    put(b, 2);
    assert_int_equal(store_stats(b->store).n_dropped, 1);
    store_disk_configure(b->store, b->options.max_bytes, b->options.ttl_us);
    assert_int_equal(get(b, 1), STORE_HIT);
}

static void small_store_evicts(void **state)
{
    struct bed *b = *state;
    open_store(b);
    store_disk_configure(b->store, 512 * KIB, b->options.ttl_us);
    for (unsigned n = 0; n < 3000; n += 100) {
        for (unsigned i = n; i < n + 100; i++) {
            put(b, i);
        }
        assert_true(run_until(b->loop, is_settled, b));
    }
    assert_true(store_stats(b->store).n_evicted > 500);
    assert_true(store_stats(b->store).n_bytes < 1 * MIB);
}

static void too_long_a_text_is_dropped(void **state)
{
    struct bed *b = *state;
    char *text = xcalloc(1, FLIGHT_MAX_TEXT_BYTES + 1);
    struct store_key key = key_of(1);
    struct store_entry entry = {.text = str_of(text, FLIGHT_MAX_TEXT_BYTES + 1)};
    store_put(b->store, &key, &entry);
    assert_int_equal(store_stats(b->store).n_dropped, 1);
    xfree(text);
}

static void no_store_knows_nothing(void **state)
{
    struct store_lookup q = {.key = key_of(1)};
    struct store_entry entry = entry_of(1, 1, 0);
    (void)state;
    assert_int_equal(store_get(NULL, &q, &entry, NULL), STORE_MISS);
    store_put(NULL, &q.key, &entry);
    store_cancel(NULL, 1);
    store_warm(NULL);
    store_clear(NULL);
    assert_string_equal(store_stats(NULL).state, "closed");
    assert_int_equal(histogram_quantile(store_stats(NULL).lookup_us, 0.5), 0);
    store_destroy(NULL);
}

/* -- slow disks -- */

static void on_found(const struct store_entry *entry, void *user)
{
    struct bed *b = user;
    b->n_found += entry != NULL;
    b->n_missed += entry == NULL;
    b->is_wrong = b->is_wrong || (entry && !is_text_of(1, entry->text));
}

static enum store_found get_later(struct bed *b, unsigned n, uint64_t *lookup)
{
    struct store_lookup q = {.key = key_of(n), .on_found = on_found, .user = b};
    struct store_entry entry;
    return store_get(b->store, &q, &entry, lookup);
}

static bool has_answered(void *user)
{
    struct bed *b = user;
    return b->n_found + b->n_missed > 0;
}

static void make_slow(struct bed *b)
{
    b->options.slow_us = 0; /* every lookup is */
    store_destroy(b->store);
    start(b);
    open_store(b);
    put_and_wait(b, 1);
    assert_int_equal(get_later(b, 1, NULL), STORE_HIT); /* the first one shows it */
    assert_true(store_stats(b->store).is_off_loop);
}

static void slow_lookups_leave_the_loop(void **state)
{
    struct bed *b = *state;
    make_slow(b);
    bool has_found = false; /* on a busy machine it may come late, which is a miss */
    for (unsigned i = 0; i < 200 && !has_found; i++) {
        b->n_found = b->n_missed = 0;
        assert_int_equal(get_later(b, 1, NULL), STORE_LATER);
        assert_false(has_answered(b));
        assert_true(run_until(b->loop, has_answered, b));
        has_found = b->n_found == 1;
    }
    assert_true(has_found);
    assert_false(b->is_wrong);
    b->n_found = b->n_missed = 0;
    assert_int_equal(get_later(b, 2, NULL), STORE_LATER);
    assert_true(run_until(b->loop, has_answered, b));
    assert_int_equal(b->n_missed, 1);
    assert_int_equal(get(b, 1), STORE_MISS); /* whoever can't wait */
}

static void lookups_that_wait_are_each_answered_once(void **state)
{
    struct bed *b = *state;
    uint64_t lookups[100] = {0};
    unsigned n_later = 0;
    make_slow(b);
    for (unsigned i = 0; i < 100; i++) {
        n_later += get_later(b, 1, &lookups[i]) == STORE_LATER;
    }
    assert_int_equal(n_later, 64);
    for (unsigned i = 0; i < 10; i++) { /* some by their numbers, some that never were */
        store_cancel(b->store, lookups[i * 9]);
    }
    store_cancel(b->store, 123456);
    uint64_t until_us = clock_now_us() + SEC_TO_US(5);
    while (b->n_found + b->n_missed < 56 && clock_now_us() < until_us) {
        run_turns(b->loop, 1);
    }
    run_turns(b->loop, 20);
    assert_int_equal(b->n_found + b->n_missed, 56);
    assert_false(b->is_wrong);
}

static void on_thread(void *user)
{
    (void)user;
    nanosleep(&(struct timespec){.tv_nsec = 300000000}, NULL);
}

static void on_slept(bool is_cancelled, void *user)
{
    (void)is_cancelled;
    (void)user;
}

static void lookup_is_a_miss_where_no_thread_is_free(void **state)
{
    struct bed *b = *state;
    make_slow(b);
    for (int i = 0; i < 4; i++) {
        loop_job_start(b->loop, on_thread, on_slept, NULL);
    }
    uint64_t began_us = clock_now_us();
    assert_int_equal(get_later(b, 1, NULL), STORE_LATER);
    assert_true(run_until(b->loop, has_answered, b));
    assert_int_equal(b->n_missed, 1);
    assert_true(clock_now_us() - began_us < MS_TO_US(250));
    assert_int_equal(store_stats(b->store).n_late, 1);
    /* What waits behind the same jobs is taken back and written at once. */
    put(b, 2);
    store_destroy(b->store);
    assert_true(clock_now_us() - began_us < MS_TO_US(280));
    b->options.slow_us = SEC_TO_US(1000);
    start(b);
    open_store(b);
    assert_int_equal(get(b, 2), STORE_HIT);
}

/* -- trouble -- */

static void unusable_folder_turns_it_off_for_a_while(void **state)
{
    struct bed *b = *state;
    assert_int_equal(mkdir(b->place.folder, 0700), 0);
    assert_int_equal(chmod(b->place.folder, 0777), 0);
    put(b, 1);
    assert_true(run_until(b->loop, is_off, b));
    struct store_stats stats = store_stats(b->store);
    assert_non_null(strstr(stats.reason, b->place.folder));
    assert_non_null(strstr(stats.reason, "chmod"));
    assert_int_equal(stats.n_errors, 1);
    assert_int_equal(stats.n_dropped, 1);
    assert_int_equal(get(b, 1), STORE_MISS);
    assert_int_equal(chmod(b->place.folder, 0700), 0);
    uint64_t until_us = clock_now_us() + SEC_TO_US(5);
    while (!is_open(b) && clock_now_us() < until_us) { /* somebody asks now and then */
        assert_int_equal(get(b, 1), STORE_MISS);
        run_turns(b->loop, 1);
    }
    put_and_wait(b, 1);
    assert_int_equal(get(b, 1), STORE_HIT);
}

static void store_without_a_folder_is_off(void **state)
{
    struct bed *b = *state;
    struct store_disk_options options = b->options;
    store_destroy(b->store);
    options.folder = "";
    b->store = store_disk_create(b->loop, &options);
    store_warm(b->store);
    assert_true(run_until(b->loop, is_off, b));
}

static void damage_is_set_aside_while_the_store_is_open(void **state)
{
    struct bed *b = *state;
    b->options.off_us = SEC_TO_US(1000);
    store_destroy(b->store);
    start(b);
    open_store(b);
    for (unsigned n = 0; n < 60; n++) {
        put(b, n);
    }
    put_and_wait(b, 60);
    store_destroy(b->store); /* so that pages have to be read again */
    start(b);
    open_store(b);
    assert_int_equal(in_child(do_spoil, b), 0);
    uint64_t until_us = clock_now_us() + SEC_TO_US(5);
    while (access(bed_path(&b->place, "answers.db.corrupt"), F_OK) != 0 &&
           clock_now_us() < until_us) {
        put(b, 70);
        (void)get(b, 1); /* checks what it gives */
        run_turns(b->loop, 1);
    }
    assert_true(run_until(b->loop, is_open, b));
    assert_true(store_stats(b->store).n_errors > 0);
    assert_non_null(strstr(store_stats(b->store).reason, "damaged"));
    put_and_wait(b, 80);
    assert_int_equal(get(b, 80), STORE_HIT);
    /* A second time within the while it stays off: a new file each time mends nothing. */
    assert_int_equal(in_child(do_spoil, b), 0);
    until_us = clock_now_us() + SEC_TO_US(5);
    while (!is_off(b) && clock_now_us() < until_us) {
        put(b, 90);
        (void)get(b, 1);
        run_turns(b->loop, 1);
    }
    assert_true(is_off(b));
}

static void do_remove(void *user)
{
    struct bed *b = user;
    bed_clear_folder(b->place.folder);
    _exit(rmdir(b->place.folder) == 0 ? 0 : 1);
}

static void removed_folder_is_made_again(void **state)
{
    struct bed *b = *state;
    open_store(b);
    put_and_wait(b, 1);
    assert_int_equal(in_child(do_remove, b), 0);
    put_and_wait(b, 2); /* notices it */
    assert_true(run_until(b->loop, is_open, b));
    put_and_wait(b, 3);
    assert_int_equal(get(b, 3), STORE_HIT);
    assert_int_equal(get(b, 1), STORE_MISS);
    assert_int_equal(access(bed_path(&b->place, "answers.db"), F_OK), 0);
}

static void forged_rows_are_counted(void **state)
{
    struct bed *b = *state;
    open_store(b);
    put_and_wait(b, 1);
    run_raw(b, "UPDATE answers SET body = zeroblob(200)");
    assert_int_equal(get(b, 1), STORE_MISS);
    assert_int_equal(store_stats(b->store).n_rejected, 1);
    assert_int_equal(store_stats(b->store).n_misses, 1);
    assert_string_equal(store_stats(b->store).state, "open");
}

static void locked_file_drops_a_batch_and_goes_on(void **state)
{
    struct bed *b = *state;
    open_store(b);
    put_and_wait(b, 1);
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(bed_path(&b->place, "answers.db"), &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN EXCLUSIVE", NULL, NULL, NULL), SQLITE_OK);
    put_and_wait(b, 2);
    assert_int_equal(get(b, 1), STORE_HIT);
    struct store_stats stats = store_stats(b->store);
    assert_int_equal(stats.n_dropped, 1);
    assert_string_equal(stats.state, "open");
    sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
    sqlite3_close(db);
    put_and_wait(b, 2);
    assert_int_equal(get(b, 2), STORE_HIT);
}

static void folder_comes_from_the_environment(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 4096);
    setenv("XDG_CACHE_HOME", "/x/cache", 1);
    setenv("HOME", "/home/me", 1);
    store_disk_folder(&out);
    assert_string_equal(buf_cstr(&out), "/x/cache/crucible");
    buf_clear(&out);
    setenv("XDG_CACHE_HOME", "relative", 1); /* the specification says: ignore it */
    store_disk_folder(&out);
    assert_string_equal(buf_cstr(&out), "/home/me/.cache/crucible");
    buf_clear(&out);
    unsetenv("XDG_CACHE_HOME");
    unsetenv("HOME");
    store_disk_folder(&out);
    assert_string_equal(buf_cstr(&out), "");
    buf_release(&out);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(nothing_is_touched_before_it_is_needed),
        TEST(entry_is_found_once_it_is_written),
        TEST(what_waits_is_written_when_the_store_is_destroyed),
        TEST(many_entries_do_not_wait_for_the_timer),
        TEST(store_may_be_destroyed_at_any_moment),
        TEST(cleared_store_knows_nothing),
        TEST(settings_count_from_the_next_lookup_on),
        TEST(small_store_evicts),
        TEST(too_long_a_text_is_dropped),
        TEST(no_store_knows_nothing),
        TEST(slow_lookups_leave_the_loop),
        TEST(lookups_that_wait_are_each_answered_once),
        TEST(lookup_is_a_miss_where_no_thread_is_free),
        TEST(unusable_folder_turns_it_off_for_a_while),
        TEST(store_without_a_folder_is_off),
        TEST(damage_is_set_aside_while_the_store_is_open),
        TEST(removed_folder_is_made_again),
        TEST(forged_rows_are_counted),
        TEST(locked_file_drops_a_batch_and_goes_on),
        TEST(folder_comes_from_the_environment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
