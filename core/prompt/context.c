/* context.c - the window around a position.
 *
 * Why   Engines reuse their KV cache for the longest common prefix of prompts. A window whose
 *       start slides with the cursor shares nothing with the one before.
 * How   The start is the first line start at or after a multiple of a coarse step, chosen so that
 *       at least two thirds of the allowance are used; it stays put until the cursor has moved a
 *       whole step. The end is the last line end within the allowance.
 */
#include "core/prompt/context.h"

static size_t start_of(const struct document *d, size_t cursor, size_t max)
{
    if (cursor <= max) {
        return 0;
    }
    size_t step = max / 3 ? max / 3 : 1;
    size_t low = cursor - max;
    size_t edge = (low + step - 1) / step * step; /* moves in whole steps */
    size_t line = document_line_at(d, edge);
    size_t start = document_line_start(d, line);
    if (start < edge) {
        start = document_line_start(d, line + 1);
    }
    if (start > cursor) { /* one line longer than the allowance */
        start = document_floor(d, edge);
    }
    return start;
}

static size_t end_of(const struct document *d, size_t cursor, size_t max)
{
    size_t len = document_len(d);
    if (len - cursor <= max) {
        return len;
    }
    size_t edge = cursor + max;
    size_t line = document_line_at(d, edge);
    size_t end = document_line_start(d, line);
    if (end <= cursor) { /* the cursor's own line is longer than the allowance */
        end = document_floor(d, edge);
    }
    return end;
}

struct window window_around(const struct document *d, size_t cursor,
                            const struct window_limits *limits)
{
    if (limits->is_sliding) {
        size_t len = document_len(d), from = cursor, to = len - cursor;
        from = cursor > limits->prefix_bytes ? limits->prefix_bytes : from;
        to = to > limits->suffix_bytes ? limits->suffix_bytes : to;
        return (struct window){.start = document_floor(d, cursor - from),
                               .cursor = cursor,
                               .end = document_floor(d, cursor + to)};
    }
    return (struct window){.start = start_of(d, cursor, limits->prefix_bytes),
                           .cursor = cursor,
                           .end = end_of(d, cursor, limits->suffix_bytes)};
}
