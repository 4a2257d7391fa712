/* unit.h - when enough of a growing text has come to be worth showing: its complete units. */
#ifndef CRUCIBLE_REQUEST_UNIT_H
#define CRUCIBLE_REQUEST_UNIT_H

#include "core/base/str.h"

enum unit {
    UNIT_LINE, /* up to the end of the first line that isn't blank */
    UNIT_BLOCK /* up to where the indentation falls back, a blank line, or the text's end */
};

/* What the place at `line_before` (the cursor's line before it), `line_after` (after it) calls
 * for: a block after something that opens one or on an indented empty line, else a line. */
enum unit unit_for_place(str line_before, str line_after);
/* Length of the first complete unit of `text` that starts at `from`, in bytes from `from`, without
 * its final line end; 0 while none is complete. A landed text is complete at its end. */
size_t unit_complete(str text, size_t from, enum unit unit, bool has_landed);

#endif
