/* redact.h - secrets that stand in text on its way to another machine.
 *
 * High-confidence shapes only (provider-issued tokens with their fixed prefixes, PEM private
 * keys, URLs with passwords, assignments of long random values to names like password or
 * secret): a miss costs a secret, a false hit costs a little context. */
#ifndef CRUCIBLE_PROMPT_REDACT_H
#define CRUCIBLE_PROMPT_REDACT_H

#include "core/base/str.h"

/* Appends `text` with each secret replaced by "REDACTED" and returns how many there were. A secret
 * that is cut by the end of `text` is found too where its shape allows. Linear. */
size_t redact(str text, struct buf *out);
/* The same for the text before and after a cursor, which may stand in the middle of a secret: what
 * stands for that one goes to `out_before`. */
size_t redact_around(str before, str after, struct buf *out_before, struct buf *out_after);

#endif
