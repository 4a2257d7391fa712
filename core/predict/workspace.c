/* workspace.c - reading the files of a folder to learn from.
 *
 * Why      A new document says little; the project around it says how things are done here.
 * How      First the tree is walked for names, sizes and times; then files are read, newest first,
 *          until a bound is reached: files, memory, time. Walking may take a third of the time,
 *          reading goes on to two thirds, the index takes the rest.
 * Rules    Hidden names, what .gitignore says (also those above the root, up to the repository's
 *          top), excluded files, open documents, links and everything that is no regular file
 *          are left out. Links are never followed below the root. */
#include "core/predict/workspace.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/hash.h"
#include "core/base/memory.h"
#include "core/predict/ignore.h"

#define MAX_DEPTH           24u
#define MAX_PATH_BYTES      4096u
#define MAX_IGNORE_BYTES    (64u << 10)
#define MAX_FOUND_PER_FILE  8u /* names remembered for each file that may be read */
#define MAX_AVERAGE_LINE    300u
#define BINARY_SAMPLE_BYTES 4096u

struct found {
    char *path;    /* owned; relative to the root */
    int64_t mtime; /* seconds */
    size_t size;
};
struct walk {
    const struct workspace_scan *scan;
    struct found *found;
    size_t n_found, cap_found;
    struct buf path; /* of the directory or file that is looked at, relative to `base` */
    size_t n_base;   /* bytes of the path from the repository's top to the root, with '/' */
    uint64_t end_us;
};

/* Written by machines, whatever their form. */
static const char *const SKIPPED_ENDINGS[] = {
    ".lock", ".map", ".svg",  ".csv", ".tsv",  ".log",     ".min.js", ".min.css", ".patch",
    ".diff", ".po",  ".json", ".sum", ".snap", ".geojson", ".ipynb",  ".pbxproj", ".xml",
};
static const char *const SKIPPED_NAMES[] = {"node_modules", "__pycache__", "venv"};

static void walk_directory(struct walk *w, int fd, const struct ignore *above, unsigned depth);

static bool is_over(const struct workspace_scan *scan, uint64_t end_us)
{
    return atomic_load_explicit(scan->is_cancelled, memory_order_relaxed) ||
           clock_now_us() >= end_us;
}

bool workspace_is_text(str text)
{
    size_t n_sample = text.len < BINARY_SAMPLE_BYTES ? text.len : BINARY_SAMPLE_BYTES;
    if (n_sample == 0 || memchr(text.ptr, '\0', n_sample) != NULL) {
        return false;
    }
    size_t n_lines = 1;
    for (size_t at = 0; (at = str_find_char(text, '\n', at)) != SIZE_MAX; at++) {
        n_lines++;
    }
    return text.len < 1024 || text.len / n_lines <= MAX_AVERAGE_LINE;
}

/* Reads a whole regular file below `dir` that is no link and not too large. */
static bool read_whole(int dir, const char *path, size_t max_bytes, struct buf *out)
{
    buf_clear(out);
    int fd = openat(dir, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    struct stat st;
    bool is_fine = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (uint64_t)st.st_size <= max_bytes;
    while (is_fine) {
        char *at = buf_reserve(out, 32768);
        ssize_t n = at != NULL ? read(fd, at, 32768) : -1;
        is_fine = n >= 0;
        if (n <= 0) {
            break;
        }
        buf_commit(out, (size_t)n);
    }
    close(fd);
    return is_fine && out->len > 0 && out->len <= max_bytes;
}

/* -- the walk -- */

static bool is_skipped_file(str name)
{
    for (size_t i = 0; i < sizeof(SKIPPED_ENDINGS) / sizeof(SKIPPED_ENDINGS[0]); i++) {
        if (str_ends_with(name, str_from(SKIPPED_ENDINGS[i]))) {
            return true;
        }
    }
    return false;
}

static bool is_skipped_directory(str name)
{
    for (size_t i = 0; i < sizeof(SKIPPED_NAMES) / sizeof(SKIPPED_NAMES[0]); i++) {
        if (str_eq(name, str_from(SKIPPED_NAMES[i]))) {
            return true;
        }
    }
    return false;
}

static int compare_found(const void *a, const void *b)
{
    const struct found *x = a;
    const struct found *y = b;
    if (x->mtime != y->mtime) {
        return x->mtime > y->mtime ? -1 : 1;
    }
    return strcmp(x->path, y->path);
}

/* Keeps the newest n, in order. */
static void keep_newest(struct walk *w, size_t n)
{
    if (w->n_found > 0) {
        qsort(w->found, w->n_found, sizeof(*w->found), compare_found);
    }
    while (w->n_found > n) {
        xfree(w->found[--w->n_found].path);
    }
}

static void remember(struct walk *w, const struct stat *st)
{
    size_t max = (size_t)w->scan->max_files * MAX_FOUND_PER_FILE + 1;
    if (w->n_found >= max) {
        keep_newest(w, max / 2);
    }
    if (w->n_found == w->cap_found) {
        w->cap_found = w->cap_found == 0 ? 256 : w->cap_found * 2;
        w->found = xrealloc(w->found, w->cap_found * sizeof(*w->found));
    }
    str path = str_sub(buf_str(&w->path), w->n_base, w->path.len);
    w->found[w->n_found++] = (struct found){
        .path = xstrndup(path.ptr, path.len),
        .mtime = (int64_t)st->st_mtime,
        .size = (size_t)st->st_size,
    };
}

static bool is_excluded(const struct workspace_scan *scan, str relative)
{
    if (scan->is_excluded == NULL) {
        return false;
    }
    struct buf path;
    buf_init(&path, scan->root.len + relative.len + 2);
    buf_append(&path, scan->root);
    buf_append_char(&path, '/');
    buf_append(&path, relative);
    bool result = scan->is_excluded(buf_str(&path), scan->user);
    buf_release(&path);
    return result;
}

/* w->path is the entry's. */
static void walk_entry(struct walk *w, int fd, const char *name, const struct ignore *ig,
                       unsigned depth)
{
    struct stat st;
    if (w->path.is_full || fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
        return;
    }
    str path = buf_str(&w->path);
    if (S_ISDIR(st.st_mode)) {
        if (depth >= MAX_DEPTH || is_skipped_directory(str_from(name)) ||
            ignore_matches(ig, path, true)) {
            return;
        }
        int inner = openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (inner >= 0) {
            walk_directory(w, inner, ig, depth + 1);
        }
    } else if (S_ISREG(st.st_mode) && st.st_size > 0 &&
               (uint64_t)st.st_size <= w->scan->max_file_bytes &&
               !is_skipped_file(str_from(name)) && !ignore_matches(ig, path, false)) {
        remember(w, &st);
    }
}

/* Takes fd. w->path is the directory's. */
static void walk_directory(struct walk *w, int fd, const struct ignore *above, unsigned depth)
{
    DIR *dir = fdopendir(fd);
    if (dir == NULL) {
        close(fd);
        return;
    }
    struct ignore *own = NULL;
    struct buf text;
    buf_init(&text, MAX_IGNORE_BYTES + 32768);
    if (read_whole(fd, ".gitignore", MAX_IGNORE_BYTES, &text)) {
        own = ignore_create(above, str_trim_end(buf_str(&w->path)), buf_str(&text));
    }
    buf_release(&text);
    size_t n_path = w->path.len;
    const struct dirent *entry;
    while (!is_over(w->scan, w->end_us) && (entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] == '.') {
            continue;
        }
        if (n_path > 0) {
            buf_append_char(&w->path, '/');
        }
        buf_append(&w->path, str_from(entry->d_name));
        walk_entry(w, fd, entry->d_name, own != NULL ? own : above, depth);
        buf_truncate(&w->path, n_path);
        w->path.is_full = false;
    }
    ignore_destroy(own);
    closedir(dir);
}

/* -- rules above the root -- */

#define MAX_ABOVE 16u

struct above {
    struct ignore *items[MAX_ABOVE + 1];
    size_t n;
};

static void add_rules(struct above *a, int dir, const char *name, str path)
{
    struct buf text;
    buf_init(&text, MAX_IGNORE_BYTES + 32768);
    if (read_whole(dir, name, MAX_IGNORE_BYTES, &text)) {
        const struct ignore *last = a->n > 0 ? a->items[a->n - 1] : NULL;
        a->items[a->n++] = ignore_create(last, path, buf_str(&text));
    }
    buf_release(&text);
}

static bool has_repository(const char *path)
{
    struct buf name;
    struct stat st;
    buf_init(&name, MAX_PATH_BYTES);
    buf_appendf(&name, "%s/.git", path);
    bool result = !name.is_full && stat(buf_cstr(&name), &st) == 0;
    buf_release(&name);
    return result;
}

/* The nearest folder at or above the root that is a repository's top, else the root. */
static size_t top_of(str root)
{
    struct buf path;
    buf_init(&path, MAX_PATH_BYTES);
    buf_append(&path, root);
    while (path.len > 1 && !has_repository(buf_cstr(&path))) {
        size_t n = path.len;
        while (n > 0 && path.ptr[n - 1] != '/') {
            n--;
        }
        buf_truncate(&path, n > 0 ? n - 1 : 0);
    }
    size_t top = path.len > 1 ? path.len : root.len;
    buf_release(&path);
    return top;
}

/* Reads the rules of all folders from the repository's top down to the one above the root. */
static void read_above(str root, size_t top, struct above *a)
{
    for (size_t n = top; a->n < MAX_ABOVE;) {
        char *path = xstrndup(root.ptr, n);
        int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        xfree(path);
        if (fd >= 0) {
            if (n == top) {
                add_rules(a, fd, ".git/info/exclude", STR(""));
            }
            if (n < root.len) {
                add_rules(a, fd, ".gitignore", n > top ? str_sub(root, top + 1, n) : STR(""));
            }
            close(fd);
        }
        if (n >= root.len) {
            return;
        }
        size_t next = str_find_char(root, '/', n + 1);
        n = next == SIZE_MAX ? root.len : next;
    }
}

/* -- reading -- */

static bool is_open(const struct workspace_scan *scan, uint64_t hash)
{
    for (size_t i = 0; i < scan->n_open_paths; i++) {
        if (scan->open_paths[i] == hash) {
            return true;
        }
    }
    return false;
}

/* False when no further file fits. */
static bool learn_file(const struct workspace_scan *scan, int root, const char *relative,
                       struct buf *text, struct ngrams *out)
{
    struct buf path;
    buf_init(&path, scan->root.len + strlen(relative) + 2);
    buf_append(&path, scan->root);
    buf_append_char(&path, '/');
    buf_append(&path, str_from(relative));
    bool has_room = true;
    if (!is_open(scan, hash_str(buf_str(&path))) && !is_excluded(scan, str_from(relative)) &&
        read_whole(root, relative, scan->max_file_bytes, text) &&
        workspace_is_text(buf_str(text))) {
        has_room = ngrams_add(out, buf_str(&path), buf_str(text), scan->is_cancelled, NULL);
    }
    buf_release(&path);
    return has_room;
}

static void learn_found(struct walk *w, int root, struct ngrams *out)
{
    struct buf text;
    buf_init(&text, w->scan->max_file_bytes + 65536);
    for (size_t i = 0; i < w->n_found && out->n_files < w->scan->max_files; i++) {
        if (is_over(w->scan, w->end_us) ||
            !learn_file(w->scan, root, w->found[i].path, &text, out)) {
            break;
        }
    }
    buf_release(&text);
}

static void walk_root(struct walk *w, int root)
{
    struct above above = {{NULL}, 0};
    size_t top = top_of(w->scan->root);
    read_above(w->scan->root, top, &above);
    buf_append(&w->path, str_sub(w->scan->root, top + 1, w->scan->root.len));
    w->n_base = w->path.len > 0 ? w->path.len + 1 : 0;
    const struct ignore *last = above.n > 0 ? above.items[above.n - 1] : NULL;
    int fd = openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        walk_directory(w, fd, last, 0);
    }
    for (size_t i = 0; i < above.n; i++) {
        ignore_destroy(above.items[i]);
    }
}

bool workspace_learn(const struct workspace_scan *scan, struct ngrams *out)
{
    uint64_t start = clock_now_us();
    struct walk w = {.scan = scan, .end_us = start + MS_TO_US(scan->max_scan_ms) / 3};
    buf_init(&w.path, MAX_PATH_BYTES);
    ngrams_init(out, scan->max_bytes);
    char *path = xstrndup(scan->root.ptr, scan->root.len);
    int root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    xfree(path);
    if (root >= 0) {
        walk_root(&w, root);
        keep_newest(&w, w.n_found);
        w.end_us = start + MS_TO_US(scan->max_scan_ms) * 2 / 3;
        learn_found(&w, root, out);
        close(root);
    }
    for (size_t i = 0; i < w.n_found; i++) {
        xfree(w.found[i].path);
    }
    xfree(w.found);
    buf_release(&w.path);
    return ngrams_index(out, scan->is_cancelled);
}
