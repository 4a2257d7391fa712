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
    bool is_sliding;     /* the edges move with the cursor, to measure what it is worth that they
                          * usually don't */
};
/* What goes to a server that renders the template itself and may cut to its batch: llama.cpp's
 * /infill keeps 3/4 of n_batch tokens of the prefix and 1/4 of the suffix, 768 and 256 with its own
 * presets for completion (-b 1024), at about 3.2 bytes a token of code. A window that is cut there
 * slides with each key and is evaluated anew each time. */
#define WINDOW_LIMITS_INIT ((struct window_limits){.prefix_bytes = 2400, .suffix_bytes = 800})
/* What is looked at where nothing cuts: our own templates, the predictor. */
#define WINDOW_LIMITS_WIDE ((struct window_limits){.prefix_bytes = 6144, .suffix_bytes = 1536})

struct window window_around(const struct document *d, size_t cursor,
                            const struct window_limits *limits);

#endif
