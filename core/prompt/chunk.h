/* chunk.h - a text cut into pieces that mean something by themselves.
 *
 * A chunk is whole lines: a function or two, a group of declarations, a paragraph. It ends where
 * something new begins on the outermost level, once it has CHUNK_ENOUGH_BYTES; without such a place
 * at an empty line, else where CHUNK_MAX_BYTES are full; a longer line is a chunk of its own. Where
 * a chunk begins, what stands above it doesn't matter, so an edit leaves the others as they are.
 * Pure. */
#ifndef CRUCIBLE_PROMPT_CHUNK_H
#define CRUCIBLE_PROMPT_CHUNK_H

#include "core/document/document.h"

#define CHUNK_ENOUGH_BYTES 400u
#define CHUNK_MAX_BYTES    1600u

/* The end of the chunk that begins at `start`, the start of a line: the start of another line
 * behind it, or the document's end. */
size_t chunk_end(const struct document *d, size_t start);
/* Whether there is anything but blanks and brackets in it. */
bool chunk_says_something(const struct document *d, size_t start, size_t end);

#endif
