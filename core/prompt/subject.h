/* subject.h - what a person means by a place in a text: the symbol there, its definition, the block
 * around it.
 *
 * Found by indentation, brackets and the words that definitions begin with, which serves every
 * language a little and needs no grammar. All work is bounded: at most SUBJECT_MAX_LINES lines are
 * looked at for a block; for a definition SUBJECT_SEARCH_BYTES before and behind the place, and of
 * a name that is everywhere about the SUBJECT_MAX_PLACES nearest. Ranges are byte offsets; those of
 * blocks and definitions are whole lines without the last line's end. */
#ifndef CRUCIBLE_PROMPT_SUBJECT_H
#define CRUCIBLE_PROMPT_SUBJECT_H

#include "core/document/document.h"

#define SUBJECT_MAX_LINES    2000u
#define SUBJECT_SEARCH_BYTES (256u * 1024u)
#define SUBJECT_MAX_PLACES   2048u /* where a name stands, before and behind each */
#define SUBJECT_MAX_NAME     128u  /* bytes of a symbol */

struct subject_range {
    size_t start, end; /* start == end: nothing */
};

/* The identifier that `offset` stands in or right behind of; nothing where there is none. */
struct subject_range subject_symbol(const struct document *d, size_t offset);
/* The definition of `name` that is nearest above `near`, else the first one below it. */
struct subject_range subject_definition(const struct document *d, str name, size_t near);
/* The innermost function, class or the like that `offset` stands in, its attributes included;
 * nothing on top level. */
struct subject_range subject_block(const struct document *d, size_t offset);
/* Where the head of the block at `start` ends: the end of the line with its "{" or ":", for what
 * is put in as its first line. */
size_t subject_head_end(const struct document *d, struct subject_range block);
/* The first comment of [start, end), its marks taken off and its lines joined: what somebody wrote
 * there as an instruction. Appends nothing where the text doesn't begin with a comment. */
void subject_comment(const struct document *d, size_t start, size_t end, struct buf *out);
/* The leading blanks of the line that holds `offset`, appended to `out`. */
void subject_indent(const struct document *d, size_t offset, struct buf *out);

#endif
