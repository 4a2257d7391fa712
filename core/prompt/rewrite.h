/* rewrite.h - from a model's answer to the text that goes into a document.
 *
 * A model that was asked for code says more than that: it thinks aloud, greets, wraps, repeats what
 * stands around, answers with a patch or with prose. Here is decided what of it is the code, or
 * that none of it may go into the file. Pure; the answer has passed the trimmer before. */
#ifndef CRUCIBLE_PROMPT_REWRITE_H
#define CRUCIBLE_PROMPT_REWRITE_H

#include "core/base/error.h"

struct rewrite_spec { /* borrowed; all with "\n" line ends */
    str original;     /* the text that was asked about */
    str before;       /* some of what stands above and below it */
    str after;
    bool is_insert;      /* the answer stands beside the original, not in its place */
    bool is_whole_lines; /* the original is; its indentation is the answer's */
    str indent;          /* for inserts: the leading blanks of its lines */
};

/* Appends what goes into the document, without a line end at its end unless the original has one.
 * ERR_PROTOCOL with a message for the person where the answer is no such text: empty, prose, a
 * patch, more than was asked about, the original itself. */
NODISCARD enum err rewrite_read(const struct rewrite_spec *spec, str answer, struct buf *out,
                                struct error *why);
/* The answer without what a model thought aloud at its beginning ("<think>..."); empty while it
 * still thinks. */
str rewrite_spoken(str answer);
/* The code of the answer so far, for people who watch it grow: from the first fence on. */
str rewrite_growing(str answer);

#endif
