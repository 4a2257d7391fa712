/* position.h - positions of the protocol and byte offsets of a document.
 *
 * A position is a line and a character, counted in the units that client and server agreed on.
 * Both directions accept anything: what lies outside is clamped as the protocol says, and no
 * result is ever between a "\r" and its "\n" or inside a code point. */
#ifndef CRUCIBLE_LSP_POSITION_H
#define CRUCIBLE_LSP_POSITION_H

#include "core/document/document.h"

enum position_encoding { POSITION_UTF8, POSITION_UTF16, POSITION_UTF32, N_POSITION_ENCODINGS };

struct position {
    uint32_t line;      /* 0-based */
    uint32_t character; /* units of the encoding, from the start of the line */
};

/* "utf-8", "utf-16", "utf-32". */
str position_encoding_name(enum position_encoding encoding);

/* A line past the last gives the document's end, a character past the line's text its end (before
 * the line end), the middle of a surrogate pair or UTF-8 sequence the start of its code point. */
size_t position_to_offset(const struct document *d, struct position pos,
                          enum position_encoding encoding);
/* Past the end is the end; inside a code point is its start; behind a line's text its end. */
struct position position_from_offset(const struct document *d, size_t offset,
                                     enum position_encoding encoding);
/* Length of valid UTF-8 in units of the encoding. */
size_t position_units(str s, enum position_encoding encoding);

#endif
