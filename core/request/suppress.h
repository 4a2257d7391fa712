/* suppress.h - whether an automatic request is worth making here, learned from what became of the
 * ones before.
 *
 * Pure: fates in, a verdict out. Places are told apart by their class and the language. What is
 * learned lives as long as the program. */
#ifndef CRUCIBLE_REQUEST_SUPPRESS_H
#define CRUCIBLE_REQUEST_SUPPRESS_H

#include "core/base/str.h"

enum place_class {
    PLACE_BLANK,    /* an empty line, or its indentation */
    PLACE_LINE_END, /* behind text, with nothing after the cursor but closers */
    PLACE_OPENER,   /* the same, behind what opens a block or a list */
    PLACE_MIDDLE,   /* text goes on after the cursor */
    PLACE_COMMENT,
    PLACE_STRING,
    N_PLACE_CLASSES
};
/* "a blank line", ...: as it is told to people. */
const char *place_class_name(enum place_class c);
/* What the cursor's line says of the place. */
enum place_class place_class_of(str before, str after, str language);

/* What became of a suggestion that was on the screen. */
enum fate {
    FATE_TAKEN,   /* put in whole */
    FATE_PARTLY,  /* a word or a line of it */
    FATE_TYPED,   /* its first line was typed by hand: it was right */
    FATE_OVER,    /* something else was typed */
    FATE_IGNORED, /* the person went elsewhere, or deleted */
    N_FATES
};
const char *fate_name(enum fate f);

#define SUPPRESS_HABITS 96u
#define SUPPRESS_MIN    25u /* fates, before anything is withheld */
#define SUPPRESS_EXPLORE                                                                           \
    4u /* where requests are withheld, one in so many is made: that is the floor, and how it is    \
          found out that the place has got better */

struct suppress {
    struct suppress_habit {
        uint64_t key;         /* of class and language, 0: unused */
        unsigned n_half;      /* fates, twice: one may count half */
        unsigned n_used_half; /* of them taken or typed */
        unsigned n_asked;     /* since something was withheld first */
        uint64_t used;        /* a count: the least recently used one gives its place up */
    } habits[SUPPRESS_HABITS];
    uint64_t n_used;
};
struct verdict {
    bool is_withheld;
    unsigned n_shown, n_used; /* what it rests on */
};

void suppress_learn(struct suppress *s, uint64_t language, enum place_class place, enum fate fate);
/* Judges one automatic request. `cost_us` is how long a model is busy with one, smoothed; 0 where
 * that isn't known. */
struct verdict suppress_judge(struct suppress *s, uint64_t language, enum place_class place,
                              uint64_t cost_us);

#endif
