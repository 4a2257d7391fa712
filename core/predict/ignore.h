/* ignore.h - the rules of .gitignore files: which paths of a tree don't count.
 *
 * One list for each directory that has such a file, linked to the one above. Later rules beat
 * earlier ones, deeper files beat those above; `!` takes a path back in, a trailing `/` means
 * directories alone, a `/` elsewhere ties the pattern to the file's own directory. */
#ifndef CRUCIBLE_PREDICT_IGNORE_H
#define CRUCIBLE_PREDICT_IGNORE_H

#include "core/base/str.h"

struct ignore;

/* Parses the text of the file in `dir` (relative to the tree's top, no slash at the end, empty
 * for the top itself). Copies both; borrows `above` (may be NULL), which must outlive it. */
struct ignore *ignore_create(const struct ignore *above, str dir, str text);
void ignore_destroy(struct ignore *ig); /* not the ones above */
/* Whether `path` (relative to the top) is ignored. Whoever walks a tree asks for each directory
 * on the way and doesn't enter ignored ones. `ig` may be NULL. */
bool ignore_matches(const struct ignore *ig, str path, bool is_dir);

#endif
