/* consent.c - what the person has said about sending code to endpoints that others named.
 *
 * Why      Project files feed an editor's settings in some editors, so that opening a repository
 *          could send its text, and the person's, anywhere.
 * How      A list of {origin, digest, answer} in memory, read from the file when settings change
 *          and written whole, to a new file that takes the old one's place.
 * Rules    The file and its folder must be the person's own and closed to others, else they are
 *          neither read nor written. What can't be parsed counts as no answer. */
#include "lsp/consent.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/limits.h"
#include "core/base/log.h"

#define CONSENTS_MAX   1000u
#define FILE_MAX_BYTES (1u * MIB)

enum verdict { VERDICT_ALLOW, VERDICT_NEVER, VERDICT_ASKED };
struct entry {
    char origin[256];
    char digest[DIGEST_HEX_BYTES];
    enum verdict verdict; /* VERDICT_ASKED: in this process only */
    bool is_on_disk;      /* the file says so: forgotten when it doesn't any more */
};
struct consent {
    char *path; /* owned; "" for none */
    struct entry *entries;
    size_t n;
};

static void load(struct consent *c);
static enum err save(struct consent *c);

str consent_path(struct arena *arena)
{
    str state = str_from(getenv("XDG_STATE_HOME"));
    str home = str_from(getenv("HOME"));
    if (state.len > 0 && state.ptr[0] == '/') {
        return arena_printf(arena, STR_FMT "/crucible/consent.json", STR_ARG(state));
    }
    if (home.len > 0 && home.ptr[0] == '/') {
        return arena_printf(arena, STR_FMT "/.local/state/crucible/consent.json", STR_ARG(home));
    }
    return STR("");
}

struct consent *consent_create(str path)
{
    struct consent *c = xcalloc(1, sizeof *c);
    c->path = xstrndup(path.len > 0 ? path.ptr : "", path.len);
    return c;
}

void consent_destroy(struct consent *c)
{
    if (c) {
        xfree(c->path);
        xfree(c->entries);
        xfree(c);
    }
}

/* -- the list -- */

static struct entry *find(struct consent *c, const char *origin, const char *digest)
{
    for (size_t i = 0; i < c->n; i++) {
        struct entry *e = &c->entries[i];
        if (strcmp(e->origin, origin) == 0 && strcmp(e->digest, digest) == 0) {
            return e;
        }
    }
    return NULL;
}

/* NULL where it can't be kept. */
static struct entry *put(struct consent *c, str origin, str digest, enum verdict verdict)
{
    struct entry fresh = {.verdict = verdict};
    if (c->n >= CONSENTS_MAX || origin.len >= sizeof fresh.origin ||
        digest.len >= sizeof fresh.digest) {
        return NULL;
    }
    memcpy(fresh.origin, origin.ptr, origin.len);
    memcpy(fresh.digest, digest.ptr, digest.len);
    struct entry *old = find(c, fresh.origin, fresh.digest);
    if (old) {
        old->verdict = verdict;
        return old;
    }
    c->entries = xrealloc(c->entries, (c->n + 1) * sizeof *c->entries);
    c->entries[c->n] = fresh;
    return &c->entries[c->n++];
}

/* -- questions -- */

/* "scheme://host:port" of a URL that the settings let pass: no user name, a plain host. */
static str origin_of(str url)
{
    size_t scheme = str_find(url, STR("://"), 0);
    return scheme == SIZE_MAX ? STR("") : str_sub(url, 0, str_find_char(url, '/', scheme + 3));
}

/* False where the endpoint has no origin that could be named. */
static bool describe(const struct endpoint_settings *e, struct consent_question *out)
{
    str origin = origin_of(e->url);
    *out = (struct consent_question){.origin = ""};
    bool is_good = origin.len > 0 && origin.len < sizeof out->origin;
    if (is_good) {
        memcpy(out->origin, origin.ptr, origin.len);
        (void)snprintf(out->name, sizeof out->name, STR_FMT, STR_ARG(e->name));
        struct buf text;
        buf_init(&text, 4 * MIB);
        endpoint_settings_write(e, &text);
        is_good = !text.is_full;
        digest_sha256(buf_str(&text), out->digest);
        buf_release(&text);
    }
    return is_good;
}

void consent_apply(struct consent *c, struct settings *fresh)
{
    bool needs_any = false;
    for (size_t i = 0; i < fresh->n_endpoints; i++) {
        needs_any = needs_any || fresh->endpoints[i].needs_consent;
    }
    if (!needs_any) {
        return;
    }
    load(c);
    for (size_t i = 0; i < fresh->n_endpoints; i++) {
        /* The snapshot is ours alone until it is handed out. */
        struct endpoint_settings *e = (struct endpoint_settings *)(uintptr_t)&fresh->endpoints[i];
        struct consent_question q;
        if (e->needs_consent && describe(e, &q)) {
            const struct entry *known = find(c, q.origin, q.digest);
            e->needs_consent = !known || known->verdict != VERDICT_ALLOW;
        }
    }
}

bool consent_next(struct consent *c, const struct settings *s, struct consent_question *out)
{
    for (size_t i = 0; i < s->n_endpoints; i++) {
        const struct endpoint_settings *e = &s->endpoints[i];
        if (e->needs_consent && describe(e, out) && !find(c, out->origin, out->digest)) {
            (void)put(c, str_from(out->origin), str_from(out->digest), VERDICT_ASKED);
            return true;
        }
    }
    return false;
}

enum err consent_answer(struct consent *c, const struct consent_question *q,
                        enum consent_answer answer)
{
    load(c); /* another editor may have written meanwhile */
    struct entry *e = put(c, str_from(q->origin), str_from(q->digest),
                          answer == CONSENT_ALLOW ? VERDICT_ALLOW : VERDICT_NEVER);
    if (e) {
        e->is_on_disk = false;
    }
    return save(c);
}

/* -- the file -- */

static bool is_ours(const struct stat *st)
{
    return st->st_uid == geteuid() && (st->st_mode & 022) == 0;
}

/* A read-only descriptor of the folder, made where it is missing; -1 where it can't be trusted. */
static int open_folder(const struct consent *c, bool may_create)
{
    const char *slash = strrchr(c->path, '/');
    if (!slash || slash == c->path) {
        return -1;
    }
    char *folder = xstrndup(c->path, (size_t)(slash - c->path));
    for (char *at = folder + 1; may_create && *at; at++) {
        if (*at == '/') {
            *at = '\0';
            (void)mkdir(folder, 0700);
            *at = '/';
        }
    }
    if (may_create) {
        (void)mkdir(folder, 0700);
    }
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct stat st;
    if (fd >= 0 && (fstat(fd, &st) != 0 || !is_ours(&st))) {
        log_warn(LOG_SETTINGS, "%s isn't yours alone: consent isn't kept",
                 LOG_SAFE(str_from(folder)));
        close(fd);
        fd = -1;
    }
    xfree(folder);
    return fd;
}

static const char *file_name(const struct consent *c)
{
    return strrchr(c->path, '/') + 1;
}

/* The whole file; false where it is missing or not to be trusted. */
static bool read_file(const struct consent *c, struct buf *out)
{
    int folder = open_folder(c, false);
    if (folder < 0) {
        return false;
    }
    int fd = openat(folder, file_name(c), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    close(folder);
    struct stat st;
    bool is_good = fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && is_ours(&st) &&
                   st.st_size <= (off_t)FILE_MAX_BYTES;
    char *room = is_good ? buf_reserve(out, (size_t)st.st_size + 1) : NULL;
    ssize_t n = room ? read(fd, room, (size_t)st.st_size) : -1;
    if (n > 0) {
        buf_commit(out, (size_t)n);
    }
    if (fd >= 0) {
        close(fd);
    }
    return n > 0;
}

static void load(struct consent *c)
{
    size_t n_kept = 0;
    for (size_t i = 0; i < c->n; i++) { /* of what it holds, the file is the truth */
        if (!c->entries[i].is_on_disk) {
            c->entries[n_kept++] = c->entries[i];
        }
    }
    c->n = n_kept;
    struct buf text;
    struct arena arena = {0};
    struct json root;
    buf_init(&text, FILE_MAX_BYTES + 1);
    if (c->path[0] && read_file(c, &text) &&
        json_parse(buf_str(&text), &arena, &root, NULL) == ERR_OK) {
        struct json_iter it = json_iter(json_get(root, STR("consents")));
        struct json item;
        while (json_next(&it, NULL, &item)) {
            struct json answer = json_get(item, STR("answer"));
            bool is_allowed = json_str_eq(answer, STR("allow"));
            if (is_allowed || json_str_eq(answer, STR("never"))) {
                struct entry *e = put(c, json_str(json_get(item, STR("origin"))),
                                      json_str(json_get(item, STR("digest"))),
                                      is_allowed ? VERDICT_ALLOW : VERDICT_NEVER);
                if (e) {
                    e->is_on_disk = true;
                }
            }
        }
    }
    arena_release(&arena);
    buf_release(&text);
}

static void write_entries(const struct consent *c, struct buf *out)
{
    struct json_writer w = json_writer(out);
    json_begin_object(&w);
    json_key_int(&w, STR("version"), 1);
    json_key(&w, STR("consents"));
    json_begin_array(&w);
    for (size_t i = 0; i < c->n; i++) {
        const struct entry *e = &c->entries[i];
        if (e->verdict != VERDICT_ASKED) {
            json_begin_object(&w);
            json_key_str(&w, STR("origin"), str_from(e->origin));
            json_key_str(&w, STR("digest"), str_from(e->digest));
            json_key_str(&w, STR("answer"),
                         e->verdict == VERDICT_ALLOW ? STR("allow") : STR("never"));
            json_end_object(&w);
        }
    }
    json_end_array(&w);
    json_end_object(&w);
    buf_append_char(out, '\n');
}

static enum err save(struct consent *c)
{
    int folder = c->path[0] ? open_folder(c, true) : -1;
    if (folder < 0) {
        return ERR_INVALID;
    }
    char fresh[64];
    (void)snprintf(fresh, sizeof fresh, ".consent-%ld.tmp", (long)getpid());
    (void)unlinkat(folder, fresh, 0);
    int fd = openat(folder, fresh, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    struct buf text;
    buf_init(&text, FILE_MAX_BYTES);
    write_entries(c, &text);
    bool is_written = fd >= 0 && !text.is_full &&
                      write(fd, text.ptr, text.len) == (ssize_t)text.len && fsync(fd) == 0;
    if (fd >= 0) {
        is_written = close(fd) == 0 && is_written;
    }
    is_written = is_written && renameat(folder, fresh, folder, file_name(c)) == 0;
    if (!is_written) {
        log_warn(LOG_SETTINGS, "the consent can't be kept: %s", strerror(errno));
        (void)unlinkat(folder, fresh, 0);
    }
    for (size_t i = 0; i < c->n && is_written; i++) {
        c->entries[i].is_on_disk = c->entries[i].verdict != VERDICT_ASKED;
    }
    buf_release(&text);
    close(folder);
    return is_written ? ERR_OK : ERR_INVALID;
}
