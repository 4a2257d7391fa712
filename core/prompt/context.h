/* context.h - what of a document is sent: the window around a position.
 *
 * The window's edges move in coarse steps, at line starts, so that the head of the prompt stays
 * the same while a person types and the engine's KV cache stays warm. */
#ifndef CRUCIBLE_PROMPT_CONTEXT_H
#define CRUCIBLE_PROMPT_CONTEXT_H

#include "core/document/document.h"

struct window { /* byte offsets into the document */
    size_t start, cursor, end;
};
struct window_limits {
    size_t prefix_bytes; /* most bytes before the cursor */
    size_t suffix_bytes; /* most bytes after it */
};
#define WINDOW_LIMITS_INIT ((struct window_limits){.prefix_bytes = 6144, .suffix_bytes = 1536})

struct window window_around(const struct document *d, size_t cursor,
                            const struct window_limits *limits);

#endif
