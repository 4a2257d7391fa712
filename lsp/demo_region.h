/* demo_region.h - which part of a file the demo types again. Pure. */
#ifndef CRUCIBLE_LSP_DEMO_REGION_H
#define CRUCIBLE_LSP_DEMO_REGION_H

#include "core/base/str.h"

struct demo_region { /* bytes of the file that are typed again */
    size_t start, end;
};
/* Chooses whole lines of code, about `wanted` bytes from the beginning of a block: one that is
 * written in phrases which the rest of the file has too, near the middle. Without any block the
 * lines in the middle. False where the file is too short. */
bool demo_region_find(str text, size_t wanted, struct demo_region *out);

#endif
