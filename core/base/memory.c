/* memory.c - allocation that cannot fail.
 *
 * Why    memory.h. The message is written without stdio's buffers, since those may need memory.
 * Rules  the only file, with core/base's own, that calls malloc, realloc and free. */
#include "core/base/memory.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void write_stderr(const char *text, int len)
{
    if (len > 0) {
        ssize_t n = write(STDERR_FILENO, text, (size_t)len);
        (void)n; /* about to abort: there is nobody left to tell */
    }
}

static void out_of_memory(size_t n_items, size_t item_bytes) __attribute__((noreturn));
static void out_of_memory(size_t n_items, size_t item_bytes)
{
    char text[96];
    int len = snprintf(text, sizeof text, "crucible: out of memory: %zu x %zu bytes\n", n_items,
                       item_bytes);
    write_stderr(text, len);
    abort();
}

void *xmalloc(size_t n_bytes)
{
    void *p = malloc(n_bytes ? n_bytes : 1);
    if (!p) {
        out_of_memory(1, n_bytes);
    }
    return p;
}

void *xcalloc(size_t n_items, size_t item_bytes)
{
    if (item_bytes && n_items > SIZE_MAX / item_bytes) {
        out_of_memory(n_items, item_bytes);
    }
    void *p = n_items && item_bytes ? calloc(n_items, item_bytes) : calloc(1, 1);
    if (!p) {
        out_of_memory(n_items, item_bytes);
    }
    return p;
}

void *xrealloc(void *old, size_t n_bytes)
{
    void *p = realloc(old, n_bytes ? n_bytes : 1);
    if (!p) {
        out_of_memory(1, n_bytes);
    }
    return p;
}

void *xmemdup(const void *from, size_t n_bytes)
{
    void *p = xmalloc(n_bytes);
    if (n_bytes) {
        memcpy(p, from, n_bytes);
    }
    return p;
}

char *xstrndup(const char *from, size_t n_bytes)
{
    if (n_bytes == SIZE_MAX) {
        out_of_memory(1, n_bytes);
    }
    char *p = xmalloc(n_bytes + 1);
    if (n_bytes) {
        memcpy(p, from, n_bytes);
    }
    p[n_bytes] = '\0';
    return p;
}

void xfree(void *p)
{
    free(p);
}

void assert_failed(const char *cond, const char *file, int line)
{
    char text[512];
    int len =
        snprintf(text, sizeof text, "crucible: %s:%d: this should hold: %s\n", file, line, cond);
    write_stderr(text, len < (int)sizeof text ? len : (int)sizeof text - 1);
    abort();
}
