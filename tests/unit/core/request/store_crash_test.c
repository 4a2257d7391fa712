/* store_crash_test.c - processes that share a store and are killed in the middle of anything.
 *
 * STORE_KILLS=1000 kills as often (50); STORE_SECONDS=60 shares for as long (2). */
#include "tests/unit/core/request/store_bed.h"

#include <signal.h>
#include <sqlite3.h>

#define TTL         HOURS(1)
#define N_KEYS      2000u
#define N_PROCESSES 8u
#define MAX_BYTES   (1u * MIB)

/* How a child ended that saw something that mustn't be. */
enum { WRONG_ANSWER = 3, BROKEN, CANNOT_OPEN, CANNOT_WRITE, SET_ASIDE, NO_HITS };

static unsigned number_of(const char *name, unsigned otherwise)
{
    uint64_t n;
    const char *given = getenv(name);
    return given && str_to_u64(str_from(given), 1000000, &n) ? (unsigned)n : otherwise;
}

/* In a child: what a server does, all at once. Ends the process where anything is wrong. */
static void work(struct store_file *f, uint64_t *random, unsigned *n_hits)
{
    unsigned from = next_random(random) % (N_KEYS - 10), n = next_random(random) % N_KEYS;
    uint64_t n_evicted = 0, wall_us = clock_wall_us();
    struct error error = {0};
    bool is_right = true;
    enum err err = ERR_OK;
    switch (next_random(random) % 8) {
    case 0:
    case 1:
        err = write_range(f, from, from + 1 + next_random(random) % 10, next_random(random) % 99,
                          wall_us);
        break;
    case 2:
        err = store_file_trim(f, MAX_BYTES, 10000, wall_us, &n_evicted, &error);
        err = err == ERR_OK ? store_file_settle(f, &error) : err;
        break;
    default: {
        enum file_found found = look_for(f, n, wall_us, TTL, &is_right);
        if (found == FILE_BROKEN || found == FILE_FORGED) {
            fprintf(stderr, "lookup: %d\n", (int)found);
            _exit(BROKEN);
        }
        *n_hits += is_hit(found);
    }
    }
    if (!is_right) {
        _exit(WRONG_ANSWER);
    }
    if (err != ERR_OK && err != ERR_TIMEOUT) {
        fprintf(stderr, "%s: %s\n", err_name(err), error.msg);
        _exit(CANNOT_WRITE);
    }
}

static struct store_file *open_in_child(const struct store_bed *b)
{
    struct store_file *f = NULL;
    struct error error = {0};
    enum err err = ERR_TIMEOUT;
    for (int i = 0; i < 40 && err == ERR_TIMEOUT; i++) {
        err = store_file_open(b->folder, NULL, &f, &error);
    }
    if (err != ERR_OK) {
        fprintf(stderr, "%s\n", error.msg);
        _exit(CANNOT_OPEN);
    }
    if (store_file_has_set_aside(f)) {
        _exit(SET_ASIDE);
    }
    return f;
}

static pid_t start_child(const struct store_bed *b, uint64_t seed, uint64_t until_us)
{
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        uint64_t random = seed;
        unsigned n_hits = 0;
        while (clock_now_us() < until_us) {
            struct store_file *f = open_in_child(b);
            for (unsigned i = 0; i < 500 && clock_now_us() < until_us; i++) {
                work(f, &random, &n_hits);
            }
            store_file_close(f);
        }
        _exit(n_hits > 0 ? 0 : NO_HITS);
    }
    assert_true(pid > 0);
    return pid;
}

static void check_file(const struct store_bed *b)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *s = NULL;
    assert_int_equal(sqlite3_open(bed_path(b, "answers.db"), &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &s, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    assert_string_equal((const char *)sqlite3_column_text(s, 0), "ok");
    sqlite3_finalize(s);
    sqlite3_close(db);
}

/* Ends a child that works; it would have ended before where it had found something wrong. */
static void end_child(pid_t pid)
{
    int status = 0;
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (!WIFSIGNALED(status)) {
        fail_msg("the process ended by itself: %d", WEXITSTATUS(status));
    }
}

static void pause_us(unsigned us)
{
    nanosleep(&(struct timespec){.tv_nsec = (long)us * 1000}, NULL);
}

static void killed_process_damages_nothing(void **state)
{
    (void)state;
    struct store_bed b;
    uint64_t random = seed_of("killed_process_damages_nothing");
    unsigned n_kills = number_of("STORE_KILLS", 50);
    unsigned n_hits = 0;
    bed_make(&b);
    for (unsigned i = 0; i < n_kills; i++) {
        /* One that goes on while another is killed, every other time. */
        uint64_t until_us = clock_now_us() + SEC_TO_US(10);
        pid_t victim = start_child(&b, next_random(&random), until_us);
        pid_t other = i % 2 ? start_child(&b, next_random(&random), until_us) : 0;
        pause_us(next_random(&random) % (i % 4 == 0 ? 3000 : 20000)); /* some while opening */
        end_child(victim);
        if (other) {
            pause_us(2000);
            end_child(other);
        }
        struct store_file *f = open_file(&b);
        assert_false(store_file_has_set_aside(f));
        for (unsigned k = 0; k < 50; k++) {
            enum file_found found = find(f, next_random(&random) % N_KEYS, clock_wall_us(), TTL);
            assert_true(found != FILE_BROKEN && found != FILE_FORGED);
            n_hits += is_hit(found);
        }
        assert_int_equal(write_range(f, 0, 3, i, clock_wall_us()), ERR_OK);
        store_file_close(f);
        if (i % 10 == 9) {
            check_file(&b);
        }
    }
    printf("%u kills, %u hits\n", n_kills, n_hits);
    assert_true(n_hits > 0);
    check_file(&b);
    bed_remove(&b);
}

static void process_killed_while_beginning_leaves_no_damage(void **state)
{
    (void)state;
    uint64_t random = seed_of("process_killed_while_beginning_leaves_no_damage");
    unsigned n_kills = number_of("STORE_KILLS", 50);
    for (unsigned i = 0; i < n_kills; i++) {
        struct store_bed b;
        bed_make(&b);
        pid_t victim = start_child(&b, next_random(&random), clock_now_us() + SEC_TO_US(10));
        pause_us(next_random(&random) % 6000);
        end_child(victim);
        struct store_file *f = open_file(&b);
        assert_false(store_file_has_set_aside(f));
        assert_int_equal(write_range(f, 0, 3, 1, clock_wall_us()), ERR_OK);
        assert_true(is_hit(find(f, 1, clock_wall_us(), TTL)));
        store_file_close(f);
        bed_remove(&b);
    }
}

static void eight_processes_share_a_file(void **state)
{
    (void)state;
    struct store_bed b;
    uint64_t random = seed_of("eight_processes_share_a_file");
    pid_t pids[N_PROCESSES];
    uint64_t until_us = clock_now_us() + SEC_TO_US(number_of("STORE_SECONDS", 2));
    bed_make(&b); /* all of them find nothing and begin it */
    for (unsigned i = 0; i < N_PROCESSES; i++) {
        pids[i] = start_child(&b, next_random(&random), until_us);
    }
    for (unsigned i = 0; i < N_PROCESSES; i++) {
        int status = 0;
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_int_equal(status, 0);
    }
    check_file(&b);
    bed_remove(&b);
}

/* All find the same damage; one sets it aside, the others take what that one began. */
static void processes_that_find_damage_agree_on_a_new_file(void **state)
{
    (void)state;
    struct store_bed b;
    bed_make(&b);
    for (unsigned round = 0; round < 5; round++) {
        store_file_close(open_file(&b));
        int fd = open(bed_path(&b, "answers.db"), O_WRONLY | O_TRUNC);
        assert_int_equal(write(fd, "no database, no database", 24), 24);
        close(fd);
        assert_int_equal(unlink(bed_path(&b, "answers.db-wal")), 0); /* it would mend it */
        pid_t pids[N_PROCESSES];
        fflush(NULL);
        for (unsigned i = 0; i < N_PROCESSES; i++) {
            pids[i] = fork();
            if (pids[i] == 0) {
                struct store_file *f = NULL;
                struct error error = {0};
                if (store_file_open(b.folder, NULL, &f, &error) != ERR_OK) {
                    _exit(CANNOT_OPEN);
                }
                enum err err = ERR_TIMEOUT;
                for (int tries = 0; tries < 50 && err == ERR_TIMEOUT; tries++) {
                    err = write_range(f, i, i + 1, 1, WALL);
                }
                bool has_set_aside = store_file_has_set_aside(f);
                store_file_close(f);
                _exit(err != ERR_OK ? CANNOT_WRITE : has_set_aside ? SET_ASIDE : 0);
            }
        }
        unsigned n_set_aside = 0;
        for (unsigned i = 0; i < N_PROCESSES; i++) {
            int status = 0;
            assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
            assert_true(WIFEXITED(status));
            assert_true(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == SET_ASIDE);
            n_set_aside += WEXITSTATUS(status) == SET_ASIDE;
        }
        assert_int_equal(n_set_aside, 1);
        struct store_file *f = open_file(&b);
        for (unsigned i = 0; i < N_PROCESSES; i++) {
            assert_true(is_hit(find(f, i, WALL, TTL)));
        }
        store_file_close(f);
    }
    bed_remove(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_process_damages_nothing),
        cmocka_unit_test(process_killed_while_beginning_leaves_no_damage),
        cmocka_unit_test(eight_processes_share_a_file),
        cmocka_unit_test(processes_that_find_damage_agree_on_a_new_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
