/* arena.h - memory that is dropped all at once.
 *
 * One arena per editor request: created on arrival, passed down as a parameter, dropped after the
 * reply. Arena memory never enters anything that lives longer. A mark and a reset to it serve as
 * scratch space. `{0}` is an empty arena. */
#ifndef CRUCIBLE_BASE_ARENA_H
#define CRUCIBLE_BASE_ARENA_H

#include "core/base/str.h"

struct arena {
    struct arena_block *head; /* newest block, owned */
    size_t n_bytes;           /* allocated from the system */
};
struct arena_mark {
    struct arena_block *block;
    size_t used;
};

void arena_release(struct arena *a);
/* Zeroed, aligned for any type, valid until release or a reset to an earlier mark. */
void *arena_alloc(struct arena *a, size_t n_bytes);
str arena_dup(struct arena *a, str s); /* NUL-terminated copy */
str arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
struct arena_mark arena_mark(const struct arena *a);
void arena_reset(struct arena *a, struct arena_mark mark);

#endif
