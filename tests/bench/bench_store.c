/* bench_store.c - what the store on disk costs: opening it, looking up, writing.
 *
 * Usage: bench_store DIR. In a folder below DIR that is made for it: creates the database and opens
 * it again; writes 20,000 answers of 300 bytes in batches of 32; looks up keys that are there and
 * keys that aren't; then the same lookups by eight processes at once, each of which asks once a
 * millisecond and writes four answers ten times a second, as busy editors would at most.
 * Prints "name value" lines, microseconds unless the name says otherwise; exit 1 where an answer
 * is missing or wrong. */
#include <stdint.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/request/store_file.h"

#define N_ENTRIES   20000u
#define N_BATCH     32u
#define N_LOOKUPS   100000u
#define N_PROCESSES 8u
#define N_PACED     1500u /* lookups of each process */
#define TTL         SEC_TO_US(3600)

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static struct store_key key_of(uint32_t n)
{
    str part = str_of((const char *)&n, sizeof n);
    return store_key_of(&part, 1);
}

static bool put(struct store_file *f, uint32_t from, uint32_t n)
{
    char text[300];
    struct store_batch batch = {0};
    struct error error = {0};
    for (uint32_t i = from; i < from + n; i++) {
        memset(text, 'a' + (int)(i % 26), sizeof text);
        struct store_key key = key_of(i);
        struct store_entry entry = {.text = str_of(text, sizeof text),
                                    .model = STR("here/a-model:7b"),
                                    .created_us = clock_wall_us()};
        (void)store_batch_put(&batch, &key, &entry);
    }
    enum err err = store_file_write(f, &batch, clock_wall_us(), &error);
    err = err == ERR_OK ? store_file_settle(f, &error) : err;
    if (err != ERR_OK && err != ERR_TIMEOUT) {
        fprintf(stderr, "bench_store: %s\n", error.msg);
    }
    store_batch_release(&batch);
    return err == ERR_OK || err == ERR_TIMEOUT;
}

/* Nanoseconds of one lookup, 0 where it didn't find what it should. */
static uint64_t look(struct store_file *f, uint32_t n, bool is_there, struct buf *room)
{
    struct store_entry entry = {0};
    struct error error;
    uint64_t began = now_ns();
    struct store_key key = key_of(n);
    enum file_found found = store_file_get(f, &key, clock_wall_us(), TTL, room, &entry, &error);
    uint64_t took = now_ns() - began;
    bool is_right = is_there
                        ? (found == FILE_HIT || found == FILE_STALE) && entry.text.len == 300 &&
                              entry.text.ptr[299] == 'a' + (int)(n % 26)
                        : found == FILE_ABSENT;
    return is_right ? took : 0;
}

static int by_size(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static void print_quantiles(const char *name, uint64_t *ns, size_t n)
{
    qsort(ns, n, sizeof *ns, by_size);
    printf("%s_p50 %.2f\n%s_p99 %.2f\n%s_max %.2f\n", name, (double)ns[n / 2] / 1e3, name,
           (double)ns[n * 99 / 100] / 1e3, name, (double)ns[n - 1] / 1e3);
}

static bool bench_lookups(struct store_file *f, const char *name, bool is_there)
{
    struct buf room;
    uint64_t *ns = xcalloc(N_LOOKUPS, sizeof *ns);
    uint32_t random = 1;
    bool is_right = true;
    buf_init(&room, STORE_MAX_SEALED_BYTES);
    for (uint32_t i = 0; i < N_LOOKUPS; i++) {
        random = random * 1664525u + 1013904223u;
        uint32_t n = (uint32_t)((uint64_t)random * N_ENTRIES >> 32);
        ns[i] = look(f, is_there ? n : n + N_ENTRIES, is_there, &room);
        is_right = is_right && ns[i] > 0;
    }
    print_quantiles(name, ns, N_LOOKUPS);
    buf_release(&room);
    xfree(ns);
    return is_right;
}

/* One of the eight: its times go down the pipe. */
static bool work_paced(const char *folder, uint32_t id, int out)
{
    struct store_file *f = NULL;
    struct error error = {0};
    struct buf room;
    static uint64_t ns[N_PACED];
    uint32_t random = id + 1;
    if (store_file_open(folder, NULL, &f, &error) != ERR_OK) {
        fprintf(stderr, "bench_store: %s\n", error.msg);
        return false;
    }
    buf_init(&room, STORE_MAX_SEALED_BYTES);
    bool is_right = true;
    for (uint32_t i = 0; i < N_PACED && is_right; i++) {
        random = random * 1664525u + 1013904223u;
        ns[i] = look(f, (uint32_t)((uint64_t)random * N_ENTRIES >> 32), true, &room);
        is_right = ns[i] > 0 && (i % 100 != id * 10 || put(f, N_ENTRIES + id * 4, 4));
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    buf_release(&room);
    store_file_close(f);
    return is_right && write(out, ns, sizeof ns) == (ssize_t)sizeof ns;
}

static bool bench_paced(const char *folder)
{
    int fds[N_PROCESSES];
    uint64_t *ns = xcalloc((size_t)N_PROCESSES * N_PACED, sizeof *ns);
    bool is_right = true;
    fflush(NULL);
    for (uint32_t i = 0; i < N_PROCESSES; i++) {
        int ends[2];
        if (pipe(ends) != 0) {
            return false;
        }
        if (fork() == 0) {
            _exit(work_paced(folder, i, ends[1]) ? 0 : 1);
        }
        close(ends[1]);
        fds[i] = ends[0];
    }
    char *at = (char *)ns;
    for (uint32_t i = 0; i < N_PROCESSES; i++) {
        for (ssize_t n; (n = read(fds[i], at, 64 * KIB)) > 0;) {
            at += n;
        }
        close(fds[i]);
    }
    for (int status; wait(&status) > 0;) {
        is_right = is_right && status == 0;
    }
    is_right = is_right && (size_t)(at - (char *)ns) == sizeof *ns * N_PROCESSES * N_PACED;
    if (is_right) {
        print_quantiles("eight", ns, (size_t)N_PROCESSES * N_PACED);
    }
    xfree(ns);
    return is_right;
}

static struct store_file *open_timed(const char *folder, const char *name)
{
    struct store_file *f = NULL;
    struct error error = {0};
    uint64_t began = now_ns();
    if (store_file_open(folder, NULL, &f, &error) != ERR_OK) {
        fprintf(stderr, "bench_store: %s\n", error.msg);
        exit(1);
    }
    printf("%s %.1f\n", name, (double)(now_ns() - began) / 1e3);
    return f;
}

int main(int argc, char **argv)
{
    char folder[4096];
    if (argc != 2) {
        fprintf(stderr, "usage: bench_store DIR\n");
        return 2;
    }
    (void)snprintf(folder, sizeof folder, "%s/store-bench", argv[1]);
    store_file_close(open_timed(folder, "create"));
    struct store_file *f = open_timed(folder, "open");
    uint64_t began = now_ns();
    bool is_right = true;
    for (uint32_t n = 0; n < N_ENTRIES && is_right; n += N_BATCH) {
        is_right = put(f, n, N_BATCH);
    }
    printf("inserts_per_s %.0f\n", N_ENTRIES / ((double)(now_ns() - began) / 1e9));
    printf("file_mb %.2f\n", (double)store_file_bytes(f) / MIB);
    is_right = is_right && bench_lookups(f, "hit", true) && bench_lookups(f, "miss", false);
    store_file_close(f);
    return is_right && bench_paced(folder) ? 0 : 1;
}
