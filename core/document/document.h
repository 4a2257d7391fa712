/* document.h - the text of one open file, made for edits near the last edit.
 *
 * A gap buffer holds the text; the starts of lines are kept in a second gap array whose gap
 * follows the text's, those behind it counted from the end of the text, so that typing moves
 * neither. An edit costs its own length plus the distance to the last one.
 *
 * All offsets are bytes on code point boundaries (valid UTF-8 in, valid UTF-8 out). Lines end at
 * "\n", "\r\n" or "\r"; a document has at least one line. The line index equals, after any
 * sequence of edits, the one that would be computed from scratch. */
#ifndef CRUCIBLE_DOCUMENT_DOCUMENT_H
#define CRUCIBLE_DOCUMENT_DOCUMENT_H

#include "core/base/error.h"
#include "core/base/str.h"

struct document;

/* Copies `text` (valid UTF-8, at most DOCUMENT_MAX_BYTES). */
struct document *document_create(str text);
void document_destroy(struct document *d);

size_t document_len(const struct document *d); /* bytes */
/* Counts the edits so far. */
uint64_t document_revision(const struct document *d);
/* Replaces [start, end) by `text`; start <= end <= len, both on code point boundaries. `text` is
 * no slice of this document.
 * ERR_TOO_LARGE leaves the document as it was. */
NODISCARD enum err document_edit(struct document *d, size_t start, size_t end, str text);

size_t document_line_count(const struct document *d);
/* First byte of the line (0-based); a line past the last gives the document's length. */
size_t document_line_start(const struct document *d, size_t line);
/* End of the line's text, before its line end. */
size_t document_line_end(const struct document *d, size_t line);
/* The line that holds `offset` (the last one for the document's length). */
size_t document_line_at(const struct document *d, size_t offset);
/* Byte at offset < len. */
char document_byte(const struct document *d, size_t offset);
/* The bytes [start, end) as one slice: borrowed from the document where the gap isn't in between,
 * else copied to the end of `scratch`, which the caller sized. Valid until the next edit or change
 * of scratch. Both ends are clamped to the length. */
str document_slice(const struct document *d, size_t start, size_t end, struct buf *scratch);
/* The beginning of [start, end) that lies in one piece, all of it or up to the gap (a code point
 * boundary): for reading without a copy, in at most two steps. Borrowed until the next edit. */
str document_piece(const struct document *d, size_t start, size_t end);
/* Appends [start, end) to `out`; nothing where it doesn't fit its maximum. */
void document_copy(const struct document *d, size_t start, size_t end, struct buf *out);
/* The same with "\n" for line ends of any form. */
void document_copy_plain(const struct document *d, size_t start, size_t end, struct buf *out);
/* Largest code point boundary <= offset. */
size_t document_floor(const struct document *d, size_t offset);
/* "\r\n", "\r" or "\n": the form of the first line end, "\n" where there is none. */
str document_eol(const struct document *d);

#endif
