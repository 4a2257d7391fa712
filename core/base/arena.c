/* arena.c - memory that is dropped all at once.
 *
 * Why    A request builds many small strings whose end is the same moment. One arena per request
 *        makes that moment one call, and makes leaks on error paths impossible.
 * How    A chain of blocks, newest first, each twice as large as the one before it up to a bound;
 *        what is larger than a block gets one of its own size. A reset frees the blocks that are
 *        newer than the mark, but keeps the largest of them, within reason, as a spare behind the
 *        head, so that scratch space in a loop costs no allocation after its first round.
 * Rules  Blocks come zeroed from the system; `dirty` says up to where that no longer holds, so that
 *        only memory that is used a second time is zeroed by hand. */
#include "core/base/arena.h"

#include <stdalign.h>
#include <stdio.h>
#include <string.h>

#include "core/base/memory.h"

#define FIRST_BLOCK_BYTES 1024u
#define LAST_BLOCK_BYTES  (256u * 1024u)
#define SPARE_MAX_BYTES   (64u * 1024u)

struct arena_block {
    struct arena_block *older;
    struct arena_block *spare; /* empty block to use next, or NULL; owned */
    size_t cap;                /* of data */
    size_t used;
    size_t dirty; /* data before it may not be zero */
    alignas(max_align_t) char data[];
};

static size_t round_up(size_t n)
{
    return (n + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
}

static void drop_block(struct arena *a, struct arena_block *block)
{
    if (block) {
        a->n_bytes -= sizeof *block + block->cap;
        xfree(block);
    }
}

void arena_release(struct arena *a)
{
    if (!a) {
        return;
    }
    while (a->head) {
        struct arena_block *block = a->head;
        a->head = block->older;
        drop_block(a, block->spare);
        drop_block(a, block);
    }
}

static struct arena_block *new_block(struct arena *a, size_t n)
{
    size_t whole = FIRST_BLOCK_BYTES;
    if (a->head) {
        whole = (sizeof(struct arena_block) + a->head->cap) * 2;
        whole = whole < LAST_BLOCK_BYTES ? whole : LAST_BLOCK_BYTES;
    }
    if (whole - sizeof(struct arena_block) < n) {
        whole = sizeof(struct arena_block) + n;
    }
    struct arena_block *block = xcalloc(1, whole);
    block->cap = whole - sizeof *block;
    a->n_bytes += whole;
    return block;
}

static void push_block(struct arena *a, size_t n)
{
    struct arena_block *block = a->head ? a->head->spare : NULL;
    if (a->head) {
        a->head->spare = NULL;
    }
    if (block && block->cap < n) {
        drop_block(a, block);
        block = NULL;
    }
    if (!block) {
        block = new_block(a, n);
    }
    block->older = a->head;
    a->head = block;
}

void *arena_alloc(struct arena *a, size_t n_bytes)
{
    ASSERT(n_bytes <= SIZE_MAX / 4);
    size_t n = round_up(n_bytes ? n_bytes : 1);
    if (!a->head || n > a->head->cap - a->head->used) {
        push_block(a, n);
    }
    struct arena_block *block = a->head;
    char *p = block->data + block->used;
    if (block->used < block->dirty) {
        size_t old = block->dirty - block->used;
        memset(p, 0, old < n ? old : n);
    }
    block->used += n;
    if (block->dirty < block->used) {
        block->dirty = block->used;
    }
    return p;
}

str arena_dup(struct arena *a, str s)
{
    char *p = arena_alloc(a, s.len + 1);
    if (s.len > 0) {
        memcpy(p, s.ptr, s.len);
    }
    return str_of(p, s.len);
}

str arena_printf(struct arena *a, const char *fmt, ...)
{
    char first[256]; /* most are short: formatted once */
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int len = vsnprintf(first, sizeof first, fmt, args);
    va_end(args);
    ASSERT(len >= 0);
    char *p = arena_alloc(a, (size_t)len + 1);
    if (len < (int)sizeof first) {
        memcpy(p, first, (size_t)len);
    } else {
        vsnprintf(p, (size_t)len + 1, fmt, again);
    }
    va_end(again);
    return str_of(p, (size_t)len);
}

struct arena_mark arena_mark(const struct arena *a)
{
    return (struct arena_mark){a->head, a->head ? a->head->used : 0};
}

/* Takes the blocks newer than `until` off; gives the one worth keeping, emptied, or NULL. */
static struct arena_block *pop_until(struct arena *a, const struct arena_block *until)
{
    struct arena_block *keep = NULL;
    while (a->head != until) {
        struct arena_block *block = a->head;
        ASSERT(block); /* else the mark is of another arena, or newer than an earlier reset */
        a->head = block->older;
        drop_block(a, block->spare);
        block->spare = NULL;
        if (block->cap <= SPARE_MAX_BYTES && (!keep || block->cap > keep->cap)) {
            struct arena_block *worse = keep;
            keep = block;
            block = worse;
        }
        drop_block(a, block);
    }
    if (keep) {
        keep->older = NULL;
        keep->used = 0;
    }
    return keep;
}

void arena_reset(struct arena *a, struct arena_mark mark)
{
    struct arena_block *keep = pop_until(a, mark.block);
    if (!a->head) {
        a->head = keep;
        return;
    }
    ASSERT(mark.used <= a->head->used);
    a->head->used = mark.used;
    if (keep) {
        drop_block(a, a->head->spare);
        a->head->spare = keep;
    }
}
