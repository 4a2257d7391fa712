/* demo_script.h - what the person of the demo types, how fast, and what they accept. Pure.
 *
 * Nothing here knows the engine: the true text and the ghost text come in, decisions come out. The
 * same seed gives the same person. */
#ifndef CRUCIBLE_LSP_DEMO_SCRIPT_H
#define CRUCIBLE_LSP_DEMO_SCRIPT_H

#include "core/base/str.h"

#define DEMO_ACCEPT_MIN 4u /* characters that make accepting worth a key */

struct demo_region { /* bytes of the file that are typed again */
    size_t start, end;
};
/* Chooses whole lines of code near the middle of the file: the body of a block where there is one,
 * and what follows until there is enough to type. False where the file is too short. */
bool demo_region_find(str text, struct demo_region *out);

struct demo_person {
    uint64_t rng; /* never 0 */
};
struct demo_person demo_person(uint64_t seed);
/* Bytes of the next keystroke at the beginning of `rest`: one character; a line end together with
 * the next line's indentation, which editors put there; `is_line_start`: the indentation. */
size_t demo_key(str rest, bool is_line_start);
/* Time until the next keystroke: median 110 ms, half of them between 85 and 160 ms, longer before
 * a new line. */
uint64_t demo_gap_us(struct demo_person *p, bool is_line_start);
/* How long it takes to see a suggestion and to decide for it. */
uint64_t demo_decide_us(struct demo_person *p);
/* Whether this suggestion is noticed; the others are typed along. */
bool demo_notices(struct demo_person *p);
/* Bytes of `rest`, the true text, that the ghost text gives right and that are worth accepting:
 * all of the ghost text, else its right lines, else its right words; 0 for fewer than
 * DEMO_ACCEPT_MIN characters. Line ends of any form are equal. */
size_t demo_acceptable(str ghost, str rest);

#endif
