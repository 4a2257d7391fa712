/* bench_document.c - what an edit costs, beside a flat buffer that keeps no index.
 *
 * Usage: bench_document DIR replays every trace that traces.py made in DIR, and then three cases
 * of its own: edits at random places of 1.4 MB in 50,000 lines, typing at one place of it, and the
 * creation of a document of 100 MB. Each replay's text, and the line index, are checked against
 * what they should be; exit 1 where they differ. */
#include <dirent.h>
#include <stdint.h>

#include "core/base/clock.h"
#include "core/base/limits.h"
#include "core/base/memory.h"
#include "core/document/document.h"

#define N_RUNS    5u /* the fastest counts */
#define MAX_BYTES (512u * MIB)

struct step {
    size_t start, end;
    str text;
};

struct trace {
    struct buf start, end; /* text before and after */
    struct buf texts;      /* what `steps` insert */
    struct step *steps;    /* owned */
    size_t n_steps;
};

static bool read_file(const char *dir, const char *name, const char *suffix, struct buf *out)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s%s", dir, name, suffix);
    FILE *file = fopen(path, "rb");
    if (!file) {
        fprintf(stderr, "bench_document: can't read %s\n", path);
        return false;
    }
    buf_init(out, MAX_BYTES);
    char *at;
    size_t n = 1;
    while (n > 0 && (at = buf_reserve(out, 64 * KIB)) != NULL) {
        n = fread(at, 1, 64 * KIB, file);
        buf_commit(out, n);
    }
    fclose(file);
    return true;
}

/* Appends `escaped` to `out`, which has room for it, unescaped; returns what was appended. */
static str unescape(str escaped, struct buf *out)
{
    size_t before = out->len;
    for (size_t i = 0; i < escaped.len; i++) {
        char c = escaped.ptr[i];
        if (c == '\\' && i + 1 < escaped.len) {
            c = escaped.ptr[++i];
            c = (char)(c == 'n' ? '\n' : c == 'r' ? '\r' : c);
        }
        buf_append_char(out, c);
    }
    return str_sub(buf_str(out), before, out->len);
}

static bool parse_step(str line, struct buf *texts, struct step *out)
{
    str offset, removed;
    uint64_t start, n;
    if (!str_next(&line, ' ', &offset) || !str_next(&line, ' ', &removed) ||
        !str_to_u64(offset, MAX_BYTES, &start) || !str_to_u64(removed, MAX_BYTES, &n)) {
        return false;
    }
    *out = (struct step){(size_t)start, (size_t)(start + n), unescape(line, texts)};
    return true;
}

static bool trace_parse(struct trace *t, const struct buf *edits)
{
    str rest = buf_str(edits);
    size_t n_lines = 0;
    for (size_t i = 0; i < rest.len; i++) {
        n_lines += rest.ptr[i] == '\n';
    }
    t->steps = xcalloc(n_lines + 1, sizeof *t->steps);
    buf_init(&t->texts, MAX_BYTES);
    if (!buf_reserve(&t->texts, rest.len + 1)) { /* at once: the steps point into it */
        return false;
    }
    str line;
    while (t->n_steps < n_lines && str_next(&rest, '\n', &line)) {
        if (!parse_step(line, &t->texts, &t->steps[t->n_steps++])) {
            return false;
        }
    }
    return true;
}

static bool trace_load(struct trace *t, const char *dir, const char *name)
{
    struct buf edits = {0};
    bool ok = read_file(dir, name, ".start", &t->start) && read_file(dir, name, ".end", &t->end) &&
              read_file(dir, name, ".edits", &edits) && trace_parse(t, &edits);
    buf_release(&edits);
    return ok;
}

static void trace_release(struct trace *t)
{
    buf_release(&t->start);
    buf_release(&t->end);
    buf_release(&t->texts);
    xfree(t->steps);
}

/* Whether `d` holds `text` and the index that a new document of it has. */
static bool document_is(const struct document *d, str text)
{
    struct document *fresh = document_create(text);
    bool same = document_len(d) == text.len && document_line_count(d) == document_line_count(fresh);
    for (size_t i = 0; same && i < document_line_count(d); i++) {
        same = document_line_start(d, i) == document_line_start(fresh, i);
    }
    for (size_t at = 0; same && at < text.len;) {
        str piece = document_piece(d, at, text.len);
        same = memcmp(piece.ptr, text.ptr + at, piece.len) == 0;
        at += piece.len;
    }
    document_destroy(fresh);
    return same;
}

static uint64_t replay_document(const struct trace *t, bool *is_right)
{
    struct document *d = document_create(buf_str(&t->start));
    uint64_t began = clock_now_us();
    enum err err = ERR_OK;
    for (size_t i = 0; i < t->n_steps && err == ERR_OK; i++) {
        err = document_edit(d, t->steps[i].start, t->steps[i].end, t->steps[i].text);
    }
    uint64_t took = clock_now_us() - began;
    *is_right = *is_right && err == ERR_OK && document_is(d, buf_str(&t->end));
    document_destroy(d);
    return took;
}

static uint64_t replay_flat(const struct trace *t, bool *is_right)
{
    struct buf flat;
    buf_init(&flat, MAX_BYTES);
    buf_append(&flat, buf_str(&t->start));
    uint64_t began = clock_now_us();
    for (size_t i = 0; i < t->n_steps; i++) {
        buf_splice(&flat, t->steps[i].start, t->steps[i].end, t->steps[i].text);
    }
    uint64_t took = clock_now_us() - began;
    *is_right = *is_right && str_eq(buf_str(&flat), buf_str(&t->end));
    buf_release(&flat);
    return took;
}

static uint64_t fastest(uint64_t (*replay)(const struct trace *, bool *), const struct trace *t,
                        bool *is_right)
{
    uint64_t best = CLOCK_NEVER;
    for (unsigned i = 0; i < N_RUNS; i++) {
        uint64_t us = replay(t, is_right);
        best = us < best ? us : best;
    }
    return best > 0 ? best : 1;
}

static void print_head(void)
{
    printf("%-24s %9s | %12s %9s | %12s %9s\n", "trace", "edits", "document/s", "ns/edit", "flat/s",
           "ns/edit");
}

static bool bench_trace(const char *name, const struct trace *t)
{
    bool is_right = true;
    double n = (double)t->n_steps;
    double us = (double)fastest(replay_document, t, &is_right);
    double flat_us = (double)fastest(replay_flat, t, &is_right);
    printf("%-24s %9zu | %12.0f %9.1f | %12.0f %9.1f%s\n", name, t->n_steps, n / us * 1e6,
           us / n * 1e3, n / flat_us * 1e6, flat_us / n * 1e3, is_right ? "" : "  WRONG RESULT");
    return is_right;
}

/* -- cases of its own -- */

#define N_LINES 50000u
#define N_JUMPS 20000u

/* 28 bytes a line; each step is one typed byte, at a random place or always on. */
static bool bench_large(const char *name, bool is_jumping)
{
    struct trace t = {0};
    buf_init(&t.start, MAX_BYTES);
    buf_init(&t.end, MAX_BYTES);
    for (unsigned i = 0; i < N_LINES; i++) {
        buf_append(&t.start, STR("    value = compute(input);\n"));
    }
    buf_append(&t.end, buf_str(&t.start));
    t.steps = xcalloc(N_JUMPS, sizeof *t.steps);
    t.n_steps = N_JUMPS;
    uint32_t random = 1;
    for (unsigned i = 0; i < N_JUMPS; i++) {
        random = random * 1664525u + 1013904223u;
        size_t at = is_jumping ? (size_t)((uint64_t)random * t.end.len >> 32) : N_LINES * 14u + i;
        t.steps[i] = (struct step){at, at, STR("x")};
        buf_splice(&t.end, at, at, STR("x"));
    }
    bool is_right = bench_trace(name, &t);
    trace_release(&t);
    return is_right;
}

static void bench_create(void)
{
    struct buf text;
    buf_init(&text, MAX_BYTES);
    while (text.len < 100u * MIB) {
        buf_append(&text, STR("    value = compute(input);\n"));
    }
    uint64_t began = clock_now_us();
    struct document *d = document_create(buf_str(&text));
    uint64_t took = clock_now_us() - began;
    printf("create %zu MiB, %zu lines: %.1f ms\n", text.len / MIB, document_line_count(d),
           (double)took / 1e3);
    document_destroy(d);
    buf_release(&text);
}

static bool bench_dir(const char *path)
{
    struct dirent **entries = NULL;
    int n = scandir(path, &entries, NULL, alphasort);
    bool is_right = n > 0;
    for (int i = 0; i < n; i++) {
        str name = str_from(entries[i]->d_name);
        if (str_ends_with(name, STR(".edits"))) {
            entries[i]->d_name[name.len - strlen(".edits")] = '\0';
            struct trace t = {0};
            is_right = trace_load(&t, path, entries[i]->d_name) &&
                       bench_trace(entries[i]->d_name, &t) && is_right;
            trace_release(&t);
        }
        xfree(entries[i]);
    }
    xfree((void *)entries);
    return is_right;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: bench_document DIR (made by traces.py)\n");
        return 2;
    }
    print_head();
    bool is_right = bench_dir(argv[1]);
    is_right = bench_large("1.4 MB, typing", false) && is_right;
    is_right = bench_large("1.4 MB, random places", true) && is_right;
    bench_create();
    return is_right ? 0 : 1;
}
