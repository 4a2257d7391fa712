/* later.h - more of an answer that the editor has: crucible/inlineUpdate.
 *
 * Only for editors that say they take it. There is at most one for a document: of its newest
 * answer, for as long as the document and the question stay the newest. */
#ifndef CRUCIBLE_LSP_LATER_H
#define CRUCIBLE_LSP_LATER_H

#include "lsp/ask.h"

/* Whether more may come of the answer that `a` was given, and the editor wants to hear of it. */
bool later_is_wanted(const struct ask *a, const struct answer *answer);
/* Takes `a`, which has been answered. */
void later_begin(struct ask *a, const struct answer *answer);
/* The document closes, or is asked about anew. */
void later_drop(struct session_document *doc);
/* After the engine is gone. */
void laters_release(struct session *s);

#endif
