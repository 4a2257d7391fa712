/* demo_script.h - what the person of the demo types, how fast, and what they accept. Pure.
 *
 * Nothing here knows the engine: the true text and the ghost text come in, decisions come out. The
 * same seed gives the same person. */
#ifndef CRUCIBLE_LSP_DEMO_SCRIPT_H
#define CRUCIBLE_LSP_DEMO_SCRIPT_H

#include "core/base/str.h"

#define DEMO_ACCEPT_MIN 4u  /* characters that make accepting worth a key */
#define DEMO_CATCH_MIN  10u /* characters that make a person stop typing and look */

struct demo_person {
    uint64_t rng; /* never 0 */
};
struct demo_person demo_person(uint64_t seed);
/* Bytes of the next keystroke at the beginning of `rest`: one character; a line end together with
 * the next line's indentation, which editors put there; `is_line_start`: the indentation. */
size_t demo_key(str rest, bool is_line_start);
/* Keystrokes that typing all of `text` takes. */
size_t demo_keys(str text, bool is_line_start);
/* Time until the next keystroke, between what stands before the cursor and what comes: half of
 * them between 94 and 270 ms; short inside a word, long at its end, at signs and at line ends. */
uint64_t demo_gap_us(struct demo_person *p, str before, str rest);
/* How long it takes to see a suggestion and to decide for it. */
uint64_t demo_decide_us(struct demo_person *p);
/* Whether this suggestion is noticed; the others are typed along. */
bool demo_notices(struct demo_person *p);

enum demo_part { DEMO_NOTHING, DEMO_WHOLE, DEMO_LINE, DEMO_WORD };
struct demo_choice { /* what one key accepts, as editors have keys for */
    enum demo_part part;
    size_t n_bytes;   /* of the true text */
    size_t n_visible; /* characters of it, without blanks */
};
/* What of the ghost text is accepted where `rest`, the true text, is meant: all of it if it is
 * right, else its first line, else its first word; nothing for fewer than DEMO_ACCEPT_MIN
 * characters. Line ends of any form are equal. */
struct demo_choice demo_choose(str ghost, str rest);

#endif
