/* bench_similar.c - what likeness costs, and how well it tells edited code from other code.
 *
 * Usage: bench_similar FILE.c... Cuts the files' functions out at lines that are "{" and "}", and
 * prints "name value" lines: microseconds of a sketch and of a lookup among 500 entries (all of the
 * same head, and all of others), and the share in percent of functions that are at least 0.85 alike
 * after a comment came in, after one of their lines was doubled, and with another function's body.
 */
#include <time.h>

#include "core/base/limits.h"
#include "core/base/memory.h"
#include "core/request/similar.h"

#define N_MAX     4000u
#define N_ENTRIES 500u
#define ALIKE     0.85

static str functions[N_MAX]; /* borrow the files' text */
static size_t n_functions;

static double now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void cut(str text)
{
    size_t head = 0;
    while (n_functions < N_MAX) {
        size_t open = str_find(text, STR("\n{\n"), head);
        size_t close = open == SIZE_MAX ? SIZE_MAX : str_find(text, STR("\n}\n"), open);
        if (close == SIZE_MAX) {
            return;
        }
        size_t line = open;
        while (line > head && text.ptr[line - 1] != '\n') {
            line--;
        }
        functions[n_functions++] = str_sub(text, line, close + 3);
        head = close + 3;
    }
}

/* Puts `line`, or the line that stands there where it is empty, in at a third of the function. */
static struct buf with_line(str function, str line)
{
    struct buf out;
    buf_init(&out, MIB);
    size_t at = str_find_char(function, '\n', function.len / 3) + 1;
    size_t end = str_find_char(function, '\n', at);
    str own = end == SIZE_MAX ? STR("") : str_sub(function, at, end + 1);
    buf_append(&out, str_sub(function, 0, at));
    buf_append(&out, line.len > 0 ? line : own);
    buf_append(&out, str_sub(function, at, function.len));
    return out;
}

static struct buf with_body(str function, str other)
{
    struct buf out;
    buf_init(&out, MIB);
    buf_append(&out, str_sub(function, 0, str_find(function, STR("\n{"), 0)));
    buf_append(&out, str_sub(other, str_find(other, STR("\n{"), 0), other.len));
    return out;
}

static unsigned is_alike(str one, struct buf other)
{
    struct sketch a, b;
    sketch_take(&a, one, STR("c"));
    sketch_take(&b, buf_str(&other), STR("c"));
    buf_release(&other);
    return sketch_likeness(&a, &b) >= ALIKE;
}

static double lookup_us(bool is_same_head)
{
    struct similar *s = similar_create(N_ENTRIES);
    struct likeness subject = {.head = 1};
    for (uint64_t i = 0; i < N_ENTRIES; i++) {
        subject.head = is_same_head ? 1 : i + 2;
        sketch_take(&subject.sketch, functions[i % n_functions], STR("c"));
        similar_add(s, i + 1, &subject);
    }
    subject.head = 1;
    unsigned n_found = 0;
    double from_us = now_us();
    for (unsigned i = 0; i < 200; i++) {
        uint64_t key;
        double likeness;
        n_found += similar_find(s, &subject, ALIKE, &key, &likeness);
    }
    double us = (now_us() - from_us) / 200;
    similar_destroy(s);
    return n_found == (is_same_head ? 200 : 0) ? us : -1;
}

static void read_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    char *text = xmalloc(MIB); /* stays until the end: functions borrow it */
    size_t n = f != NULL ? fread(text, 1, MIB, f) : 0;
    if (f != NULL) {
        fclose(f);
    }
    cut(str_of(text, n));
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        read_file(argv[i]);
    }
    if (n_functions == 0) {
        fprintf(stderr, "bench_similar: no functions\n");
        return 1;
    }
    struct sketch s;
    double from_us = now_us();
    size_t n_bytes = 0;
    unsigned n_comment = 0, n_doubled = 0, n_body = 0;
    for (size_t i = 0; i < n_functions; i++) {
        sketch_take(&s, functions[i], STR("c"));
        n_bytes += functions[i].len;
    }
    double sketch_us = (now_us() - from_us) / (double)n_functions;
    for (size_t i = 0; i < n_functions; i++) {
        str f = functions[i];
        n_comment += is_alike(f, with_line(f, STR("    /* why this is so */\n")));
        n_doubled += is_alike(f, with_line(f, STR("")));
        n_body += is_alike(f, with_body(f, functions[(i + n_functions / 2) % n_functions]));
    }
    double percent = 100.0 / (double)n_functions;
    printf("functions %zu\nmean_bytes %zu\nsketch %.2f\n", n_functions, n_bytes / n_functions,
           sketch_us);
    printf("lookup_same_head %.2f\nlookup_other_heads %.2f\n", lookup_us(true), lookup_us(false));
    printf("commented %.1f\ndoubled_line %.1f\nother_body %.1f\n", n_comment * percent,
           n_doubled * percent, n_body * percent);
    return 0;
}
