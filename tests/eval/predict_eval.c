/* predict_eval.c - how good the built-in predictor is on code it hasn't seen.
 *
 * Usage    predict_eval [--every N] [--editing] [--show] FILE...
 * How      The files are dealt into five folds. For each, the workspace is learned from the other
 *          four, and the fold's files are written again: every N-th line is asked about at its
 *          beginning and at one place inside it, and then typed key by key, accepting what is
 *          right and sure. The document's own learned copy is what stands above, in steps of a
 *          hundred lines, as if the person paused there. With --editing the file is complete but
 *          for the line being written and the two below it.
 * Prints   Points asked and answered, precision of the first line by confidence, keystrokes saved,
 *          time per suggestion. A first line is right when the true rest of the line begins with
 *          it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/metrics.h"
#include "core/predict/suggest.h"

#define N_FOLDS      5u
#define N_BUCKETS    7u
#define LEARN_LINES  100u
#define HIDDEN_LINES 3u
#define SHOWN        0.8

struct file {
    str path, text;
};
struct bucket {
    double from;
    unsigned n, n_right, n_whole;
};
struct tally {
    struct bucket buckets[N_BUCKETS];
    unsigned n_asked, n_answered, n_shown, n_shown_right;
    unsigned n_lines, n_lines_right; /* further lines proposed by sure suggestions */
    unsigned n_chars, n_keys, n_wrong_shown;
    struct histogram took;
};
struct eval {
    struct file *files;
    size_t n_files;
    unsigned every;
    bool is_editing, is_shown;
    struct ngrams workspace, own, scope;
    struct mix *mix;
    struct tally tally;
    uint64_t seed;
};

static uint32_t next_random(struct eval *e, uint32_t below)
{
    e->seed = e->seed * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)(e->seed >> 33) % below;
}

static bool read_file(const char *path, struct file *out)
{
    FILE *f = fopen(path, "rb");
    if (f == NULL) {
        return false;
    }
    struct buf text;
    buf_init(&text, 1u << 20);
    char *at;
    size_t n = 1;
    while (n > 0 && (at = buf_reserve(&text, 4096)) != NULL) {
        n = fread(at, 1, 4096, f);
        buf_commit(&text, n);
    }
    fclose(f);
    *out = (struct file){str_from(path), buf_str(&text)};
    return text.len > 0;
}

static struct prediction ask(struct eval *e, str before, str after, unsigned max_lines,
                             struct arena *arena)
{
    uint64_t start = clock_now_us();
    e->mix->n_sources = 0;
    e->mix->n_ids = 0;
    e->mix->params = &MIX_PARAMS;
    mix_add(e->mix, &e->workspace, MIX_WORKSPACE, 1);
    mix_add(e->mix, &e->own, MIX_DOCUMENT, 1);
    struct prediction_place place = {.before = before, .after = after, .max_lines = max_lines};
    struct prediction p = suggest(e->mix, &e->scope, &place, arena);
    histogram_add(&e->tally.took, clock_now_us() - start);
    return p;
}

static str line_end_cut(str s)
{
    return str_sub(s, 0, str_find_char(s, '\n', 0));
}

/* Whether each further line is the true one. */
static void count_lines(struct tally *t, str proposed, str truth)
{
    str line;
    str true_line;
    bool is_right = str_next(&proposed, '\n', &line) && str_next(&truth, '\n', &true_line) &&
                    str_eq(str_trim_end(line), str_trim_end(true_line));
    while (str_next(&proposed, '\n', &line)) {
        is_right =
            is_right && str_next(&truth, '\n', &true_line) && str_eq(line, str_trim_end(true_line));
        t->n_lines++;
        t->n_lines_right += is_right;
    }
}

static void show(str before, const struct prediction *p, str truth, bool is_right)
{
    printf("%.2f %s\n" STR_FMT "[" STR_FMT "]\n  true: " STR_FMT "\n", p->confidence,
           is_right ? "right" : "wrong",
           STR_ARG(str_sub(before, before.len > 60 ? before.len - 60 : 0, before.len)),
           STR_ARG(p->text), STR_ARG(line_end_cut(truth)));
}

static void ask_point(struct eval *e, str before, str after, str truth)
{
    struct tally *t = &e->tally;
    struct arena arena = {0};
    struct prediction p = ask(e, before, after, 8, &arena);
    t->n_asked++;
    if (p.text.len > 0) {
        str first = line_end_cut(p.text);
        str rest = str_trim_end(line_end_cut(truth));
        bool is_right = str_starts_with(rest, first);
        size_t i = N_BUCKETS - 1;
        while (i > 0 && p.confidence < t->buckets[i].from) {
            i--;
        }
        t->n_answered++;
        t->buckets[i].n++;
        t->buckets[i].n_right += is_right;
        t->buckets[i].n_whole += str_eq(first, rest);
        t->n_shown += p.confidence >= SHOWN;
        t->n_shown_right += p.confidence >= SHOWN && is_right;
        if (p.confidence >= SHOWN) {
            count_lines(t, p.text, truth);
        }
        if (e->is_shown) {
            show(before, &p, truth, is_right);
        }
    }
    arena_release(&arena);
}

/* Types one line, accepting what is sure and right. */
static void type_line(struct eval *e, str text, size_t start, size_t end, str after)
{
    struct tally *t = &e->tally;
    size_t at = start;
    bool was_wrong = false;
    while (at < end) {
        struct arena arena = {0};
        struct prediction p = ask(e, str_sub(text, 0, at), after, 1, &arena);
        bool is_shown = p.text.len > 0 && p.confidence >= SHOWN;
        bool is_right = is_shown && str_starts_with(str_sub(text, at, end), p.text);
        size_t n = is_right ? p.text.len : 1;
        t->n_chars += (unsigned)n;
        t->n_keys++;
        t->n_wrong_shown += is_shown && !is_right && !was_wrong;
        was_wrong = is_shown && !is_right;
        at += n;
        arena_release(&arena);
    }
}

static void learn_own(struct eval *e, str above, str below)
{
    struct buf text;
    buf_init(&text, 2u << 20);
    buf_append(&text, above);
    buf_append(&text, below);
    ngrams_release(&e->own);
    ngrams_init(&e->own, 8u << 20);
    (void)ngrams_add(&e->own, STR(""), buf_str(&text), NULL, NULL);
    (void)ngrams_index(&e->own, NULL);
    buf_release(&text);
}

static size_t skip_lines(str text, size_t at, unsigned n)
{
    while (n-- > 0 && at < text.len) {
        at = str_find_char(text, '\n', at);
        at = at == SIZE_MAX ? text.len : at + 1;
    }
    return at;
}

static void ask_line(struct eval *e, str text, size_t start, size_t end)
{
    size_t first = start;
    while (first < end && (text.ptr[first] == ' ' || text.ptr[first] == '\t')) {
        first++;
    }
    if (first == end) {
        return;
    }
    str after = STR("\n");
    if (e->is_editing) {
        size_t next = skip_lines(text, end + 1, HIDDEN_LINES - 1);
        after = str_sub(text, next > 0 ? next - 1 : 0, text.len);
        learn_own(e, str_sub(text, 0, start), str_sub(text, next, text.len));
    }
    size_t middle = first + 1 + next_random(e, (uint32_t)(end - first));
    ask_point(e, str_sub(text, 0, first), after, str_sub(text, first, text.len));
    if (middle < end && ((unsigned char)text.ptr[middle] & 0xC0) != 0x80) {
        ask_point(e, str_sub(text, 0, middle), after, str_sub(text, middle, text.len));
    }
    type_line(e, text, first, end, after);
}

static void write_again(struct eval *e, str text)
{
    unsigned n_lines = 0;
    ngrams_release(&e->own);
    for (size_t start = 0; start < text.len;) {
        size_t end = str_find_char(text, '\n', start);
        end = end == SIZE_MAX ? text.len : end;
        if (!e->is_editing && n_lines % LEARN_LINES == 0) {
            learn_own(e, str_sub(text, 0, start), STR(""));
        }
        if (n_lines++ > 10 && next_random(e, e->every) == 0) {
            ask_line(e, text, start, end);
        }
        start = end + 1;
    }
}

static void run_fold(struct eval *e, size_t fold)
{
    ngrams_init(&e->workspace, 64u << 20);
    for (size_t i = 0; i < e->n_files; i++) {
        if (i % N_FOLDS != fold) {
            (void)ngrams_add(&e->workspace, e->files[i].path, e->files[i].text, NULL, NULL);
        }
    }
    uint64_t start = clock_now_us();
    (void)ngrams_index(&e->workspace, NULL);
    if (fold == 0) {
        printf("workspace: %u tokens, %u words, %zu KiB, indexed in %.0f ms\n",
               e->workspace.n_tokens, e->workspace.n_words, ngrams_bytes(&e->workspace) / 1024,
               (double)(clock_now_us() - start) / 1000);
    }
    for (size_t i = fold; i < e->n_files; i += N_FOLDS) {
        write_again(e, e->files[i].text);
    }
    ngrams_release(&e->workspace);
}

static double percent(unsigned n, unsigned of)
{
    return of == 0 ? 0 : 100.0 * n / of;
}

static void print_table(const struct tally *t)
{
    printf("points asked %u, answered %.1f %%, sure (>= %.2f) %.1f %%\n", t->n_asked,
           percent(t->n_answered, t->n_asked), SHOWN, percent(t->n_shown, t->n_asked));
    printf("confidence   answers   first line right   of these whole\n");
    for (size_t i = 0; i < N_BUCKETS; i++) {
        const struct bucket *b = &t->buckets[i];
        printf("from %.2f   %8u   %14.1f %%   %12.1f %%\n", b->from, b->n,
               percent(b->n_right, b->n), percent(b->n_whole, b->n_right));
    }
    printf("sure ones right %.1f %%; their further lines: %u, right %.1f %%\n",
           percent(t->n_shown_right, t->n_shown), t->n_lines,
           percent(t->n_lines_right, t->n_lines));
    printf("typing: %u characters with %u keys (%.1f %% saved), wrong ones shown per 100 "
           "characters: %.2f\n",
           t->n_chars, t->n_keys, percent(t->n_chars - t->n_keys, t->n_chars),
           percent(t->n_wrong_shown, t->n_chars));
    printf("microseconds per suggestion: p50 %llu, p99 %llu, max %llu\n",
           (unsigned long long)histogram_quantile(&t->took, 0.5),
           (unsigned long long)histogram_quantile(&t->took, 0.99),
           (unsigned long long)t->took.max_us);
}

int main(int argc, char **argv)
{
    static struct eval e = {.every = 20, .seed = 1};
    static const double from[N_BUCKETS] = {0, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9};
    for (size_t i = 0; i < N_BUCKETS; i++) {
        e.tally.buckets[i].from = from[i];
    }
    e.files = xcalloc((size_t)argc, sizeof(*e.files));
    e.mix = xcalloc(1, sizeof(*e.mix));
    ngrams_init(&e.scope, 1u << 20);
    for (int i = 1; i < argc; i++) {
        uint64_t n;
        if (strcmp(argv[i], "--editing") == 0) {
            e.is_editing = true;
        } else if (strcmp(argv[i], "--show") == 0) {
            e.is_shown = true;
        } else if (strcmp(argv[i], "--every") == 0 && i + 1 < argc &&
                   str_to_u64(str_from(argv[i + 1]), 100000, &n) && n > 0) {
            e.every = (unsigned)n;
            i++;
        } else if (read_file(argv[i], &e.files[e.n_files])) {
            e.n_files++;
        }
    }
    printf("files: %zu%s\n", e.n_files, e.is_editing ? ", editing" : "");
    for (size_t fold = 0; fold < N_FOLDS; fold++) {
        run_fold(&e, fold);
    }
    print_table(&e.tally);
    for (size_t i = 0; i < e.n_files; i++) {
        xfree((void *)(uintptr_t)e.files[i].text.ptr);
    }
    ngrams_release(&e.own);
    ngrams_release(&e.scope);
    xfree(e.mix);
    xfree(e.files);
    return 0;
}
