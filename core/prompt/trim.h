/* trim.h - between the model and the document: model output is hostile input.
 *
 * A trimmer takes the raw text of one answer in pieces of any size and appends clean text, which
 * only ever grows: what may still turn out to be cut is held back. It
 *   - holds back split code points, replaces invalid UTF-8, makes every line end "\n";
 *   - drops control characters, escape sequences, bidi controls, zero-width and tag characters,
 *     variation selectors outside emoji (Trojan Source, CVE-2021-42574, and its kin);
 *   - ends the text at any model family's control token;
 *   - ends it where it begins to repeat what stands after the cursor: the rest of the line
 *     (duplicated brackets) or the next lines;
 *   - ends it where it repeats itself: the same line again and again;
 *   - ends a single-line answer at the line's end, and any answer at its limits.
 * Cutting the input at other places never changes the result. */
#ifndef CRUCIBLE_PROMPT_TRIM_H
#define CRUCIBLE_PROMPT_TRIM_H

#include "core/base/str.h"

enum trim_end {                     /* why nothing more will be added */
                TRIM_OPEN,          /* more may come */
                TRIM_LINE,          /* single line: its end was reached */
                TRIM_CONTROL_TOKEN, /* the model spoke in its own tokens */
                TRIM_REPEATS_REST,  /* repeats the rest of the line */
                TRIM_REPEATS_NEXT,  /* repeats the next line */
                TRIM_LOOPS,         /* repeats itself */
                TRIM_LIMIT,         /* max_lines or max_bytes */
                TRIM_FINISHED       /* the stream was over */
};
/* "repeats the next line", ...: for the trace of why. */
const char *trim_end_reason(enum trim_end end);

struct trim_spec {
    str line_before; /* text of the cursor's line before the anchor */
    str suffix;      /* document text after the anchor; at least a few lines */
    bool is_multiline;
    unsigned max_lines; /* lines begun, 0: no limit */
    size_t max_bytes;   /* of clean text, 0: no limit of its own */
    /* Equal lines in a row that are let pass, 0: two. Where it is set, only more of them than that
     * count as a loop: what a person has asked for may hold tables and rows of numbers. */
    unsigned max_same;
};

struct trim;
struct trim *trim_create(const struct trim_spec *spec); /* copies what it needs */
void trim_destroy(struct trim *t);
/* Appends clean text to `clean`, which is always the same buffer and holds what came before. */
void trim_feed(struct trim *t, str raw, struct buf *clean);
/* The stream is over: gives what was held back, if it may be given. is_cut: it broke off, so a
 * half line at the end is only given as far as it is sound. */
void trim_finish(struct trim *t, bool is_cut, struct buf *clean);
enum trim_end trim_ended(const struct trim *t);
/* Whether the last line given is whole: its line end has come and is held back, since what follows
 * may turn out to repeat the document. */
bool trim_is_at_line_end(const struct trim *t);

#endif
