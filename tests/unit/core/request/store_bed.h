/* store_bed.h - a folder for a store, and answers that say which key they belong to. */
#ifndef CRUCIBLE_TESTS_STORE_BED_H
#define CRUCIBLE_TESTS_STORE_BED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/hash.h"
#include "core/request/store_file.h"

#define WALL     (1700000000ull * 1000000) /* some day */
#define HOURS(n) ((uint64_t)(n)*3600u * 1000000u)

struct store_bed {
    char top[64];    /* ours to remove */
    char folder[80]; /* of the store, not made yet */
};

/* In memory where the system has such a place: nothing is to be seen of how fast a disk is. */
static inline void bed_make(struct store_bed *b)
{
    bool has_shm = access("/dev/shm", W_OK) == 0;
    (void)snprintf(b->top, sizeof b->top, "%s/store_test_XXXXXX", has_shm ? "/dev/shm" : "/tmp");
    assert_non_null(mkdtemp(b->top));
    (void)snprintf(b->folder, sizeof b->folder, "%s/crucible", b->top);
}

static inline const char *bed_path(const struct store_bed *b, const char *name)
{
    static char path[200];
    (void)snprintf(path, sizeof path, "%s/%s", b->folder, name);
    return path;
}

static inline void bed_clear_folder(const char *folder)
{
    DIR *dir = opendir(folder);
    for (struct dirent *entry; dir && (entry = readdir(dir)) != NULL;) {
        char path[400];
        (void)snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
            unlink(path) != 0) {
            (void)rmdir(path);
        }
    }
    if (dir) {
        closedir(dir);
    }
}

static inline void bed_remove(struct store_bed *b)
{
    bed_clear_folder(b->folder);
    bed_clear_folder(b->top);
    assert_int_equal(rmdir(b->top), 0);
}

static inline struct store_key key_of(unsigned n)
{
    char text[32];
    (void)snprintf(text, sizeof text, "question %u", n);
    str parts[] = {STR("prefix"), str_from(text)};
    return store_key_of(parts, 2);
}

/* "n.version:" and as many letters as the two say. */
static inline str text_of(unsigned n, unsigned version)
{
    static char text[FLIGHT_MAX_TEXT_BYTES];
    int head = snprintf(text, sizeof text, "%u.%u:", n, version);
    unsigned spread = n % 50 == 7 ? 20000 : 300;
    size_t len = (size_t)head + (n * 31 + version * 17) % spread;
    memset(text + head, 'a' + (int)((n + version) % 26), len - (size_t)head);
    return str_of(text, len);
}

/* Whether `text` is an answer that was given for key n, in whichever version. */
static inline bool is_text_of(unsigned n, str text)
{
    str head = str_sub(text, 0, str_find_char(text, ':', 0));
    str number;
    uint64_t key = 0, version = 0;
    return str_next(&head, '.', &number) && str_to_u64(number, 1u << 30, &key) && key == n &&
           str_to_u64(head, 1u << 30, &version) && str_eq(text, text_of(n, (unsigned)version));
}

static inline struct store_entry entry_of(unsigned n, unsigned version, uint64_t created_us)
{
    return (struct store_entry){.text = text_of(n, version),
                                .model = STR("here/model"),
                                .kind = (unsigned char)(n % 3),
                                .is_multiline = n % 2 == 0,
                                .created_us = created_us};
}

static inline struct store_file *open_file(const struct store_bed *b)
{
    struct store_file *f = NULL;
    struct error error = {0};
    if (store_file_open(b->folder, NULL, &f, &error) != ERR_OK) {
        fail_msg("can't open the store: %s", error.msg);
    }
    return f;
}

/* Entries [from, to) in one batch. */
static inline enum err write_range(struct store_file *f, unsigned from, unsigned to,
                                   unsigned version, uint64_t wall_us)
{
    struct store_batch batch = {0};
    struct error error = {0};
    for (unsigned n = from; n < to; n++) {
        struct store_key key = key_of(n);
        struct store_entry entry = entry_of(n, version, wall_us);
        assert_true(store_batch_put(&batch, &key, &entry));
    }
    enum err err = store_file_write(f, &batch, wall_us, &error);
    store_batch_release(&batch);
    return err;
}

/* What a lookup of key n finds; *is_right becomes false where it is an answer to something else. */
static inline enum file_found look_for(struct store_file *f, unsigned n, uint64_t wall_us,
                                       uint64_t ttl_us, bool *is_right)
{
    struct buf room;
    struct store_entry entry;
    struct error error = {0};
    struct store_key key = key_of(n);
    buf_init(&room, STORE_MAX_SEALED_BYTES);
    enum file_found found = store_file_get(f, &key, wall_us, ttl_us, &room, &entry, &error);
    if (found == FILE_HIT || found == FILE_STALE) {
        *is_right = *is_right && is_text_of(n, entry.text) &&
                    str_eq(entry.model, STR("here/model")) && entry.kind == n % 3 &&
                    entry.is_multiline == (n % 2 == 0);
    }
    buf_release(&room);
    return found;
}

/* The same; fails where the answer is wrong. */
static inline enum file_found find(struct store_file *f, unsigned n, uint64_t wall_us,
                                   uint64_t ttl_us)
{
    bool is_right = true;
    enum file_found found = look_for(f, n, wall_us, ttl_us, &is_right);
    assert_true(is_right);
    return found;
}

static inline bool is_hit(enum file_found found)
{
    return found == FILE_HIT || found == FILE_STALE;
}

/* A child process's work; gives its exit status, 128 + n where signal n ended it. */
static inline int in_child(void (*work)(void *user), void *user)
{
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        work(user);
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static inline uint64_t seed_of(const char *name)
{
    const char *given = getenv("SEED");
    uint64_t seed = 0;
    if (!given || !str_to_u64(str_from(given), UINT64_MAX, &seed)) {
        random_bytes(&seed, sizeof seed);
        seed >>= 32;
    }
    printf("%s: SEED=%llu\n", name, (unsigned long long)seed);
    return seed * 2 + 1;
}

static inline uint32_t next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 33);
}

#endif
