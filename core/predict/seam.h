/* seam.h - whether a proposed text fits between what stands before and after the cursor. */
#ifndef CRUCIBLE_PREDICT_SEAM_H
#define CRUCIBLE_PREDICT_SEAM_H

#include "core/base/str.h"

/* How much of `line`, proposed for the end of the current one, may be kept in front of `rest`,
 * the text that already stands behind the cursor: up to where it begins to repeat it. 0 where it
 * doesn't lead up to it. */
size_t seam_rest(str line, str rest);
/* Whether `line` (whole, with its indentation) is the next line of `after` that isn't empty. */
bool seam_is_next_line(str line, str after);
/* Whether no string is open behind `added`, but for one that `rest` closes. */
bool seam_is_sound(str line_before, str added, str rest);

#endif
