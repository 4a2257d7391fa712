/* hole.h - a hole in a text, filled by a model that only follows instructions.
 *
 * Such a model is shown the text with a mark in the place of the hole and told to answer with what
 * replaces it. It often answers with more: a fence around the code, the beginning of the line once
 * more, an explanation. What it says therefore goes through a hole before anything else reads it
 * (the trimmer does afterwards). It
 *   - takes off a fence around the answer, its language word too, and what follows the fence;
 *   - takes off the line's beginning before the cursor, or its indentation, said once more;
 *   - takes off the mark, and ends the text where the mark comes later;
 *   - refuses an answer that begins by explaining: then there is no text at all.
 * Text is given on as it comes; only what may be one of these is held back. Cutting the input at
 * other places never changes the result. */
#ifndef CRUCIBLE_PROMPT_HOLE_H
#define CRUCIBLE_PROMPT_HOLE_H

#include "core/base/str.h"

/* -- what is said -- */

/* Borrowed for the call. */
struct hole_text {
    str prefix, suffix; /* around the hole */
    str file_name;      /* without its folders */
    str language;       /* the editor's id of it; empty: as the file's name says */
};
/* Appends the mark that is put into the text: one that occurs in neither part of it. */
void hole_mark(const struct hole_text *t, struct buf *out);
/* What is said before everything else, about the hole that `mark` stands for. */
void hole_system(str mark, struct buf *out);
/* Appends the message: the file's name and language and the text with the mark in it. Control
 * tokens of models in the text are broken up. */
void hole_message(const struct hole_text *t, str mark, struct buf *out);

/* -- what comes back -- */

enum hole_end {                    /* why nothing more will be given */
                HOLE_OPEN,         /* more may come */
                HOLE_FENCE_CLOSED, /* the fence around the answer, or one after it */
                HOLE_MARK_REPEATED,
                HOLE_EXPLAINS, /* it speaks to the person instead of filling the hole */
                HOLE_EMPTY     /* nothing but blanks, or a fence's line without an end */
};
/* "an explanation instead of code", ...: for the trace of why. */
const char *hole_end_reason(enum hole_end end);

struct hole_spec {
    str line_before; /* text of the cursor's line before the cursor */
    str mark;
    str language;      /* as in struct hole_text: prose may explain, and Markdown hold fences */
    str file_name;     /* where the language is empty */
    bool is_multiline; /* else line ends before the text are dropped */
};

struct hole;
struct hole *hole_create(const struct hole_spec *spec); /* copies what it needs */
void hole_destroy(struct hole *h);
/* Appends to `out` what is clean so far. */
void hole_feed(struct hole *h, str raw, struct buf *out);
/* The answer is over: gives what was held back, if it may be given. */
void hole_finish(struct hole *h, struct buf *out);
enum hole_end hole_ended(const struct hole *h);

#endif
