/* fit.h - does what was typed agree with a suggestion, and what is left of it?
 *
 * Pure functions of text, the textual half of the boarding rule (flight.h): U is what was typed
 * since the anchor, C what stands between the cursor and the flight's suffix. */
#ifndef CRUCIBLE_REQUEST_FIT_H
#define CRUCIBLE_REQUEST_FIT_H

#include "core/base/str.h"

enum fit {
    FIT_NO,      /* U contradicts the text */
    FIT_WAITING, /* agrees as far as the text goes, which is shorter than U */
    FIT_YES      /* U is the beginning of the text */
};
/* Compares `typed` with the beginning of `clean` ("\n" line ends). Line ends of any form are
 * equal; blanks after a line end aren't compared. On FIT_YES *rest is the offset in `clean` of
 * what follows. A landed text that is too short is FIT_NO. */
enum fit fit_typed(str clean, str typed, bool has_landed, size_t *rest);

/* Whether `closers` is empty or consists of closers that `typed` opened, in order, blanks and
 * line ends between them ignored. */
bool fit_closers(str typed, str closers);

struct fit_rest {
    str text;         /* to be put in at the cursor */
    size_t n_replace; /* bytes of `closers` that `text` stands for: 0 or all of them */
};
/* What of `rest` is to be put in where `closers` stand after the cursor already. */
struct fit_rest fit_less_closers(str rest, str closers);

#endif
