/* glob.h - path patterns: `*` and `?` within a name, `**` across names, [sets], as in gitignore.
 * No recursion on input length and a step budget, so that no pattern can hang the program. */
#ifndef CRUCIBLE_BASE_GLOB_H
#define CRUCIBLE_BASE_GLOB_H

#include "core/base/str.h"

/* Whether `path` ('/'-separated, no leading '/') matches. A pattern without '/' is matched
 * against the last name; with is_nocase ASCII case is ignored. A pattern that uses up the step
 * budget counts as matching (for exclusions the safe side). */
bool glob_matches(str pattern, str path, bool is_nocase);

#endif
