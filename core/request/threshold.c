/* threshold.c - the staircase of threshold.h.
 *
 * Why   How much alike is alike enough differs between people and their code; what they do with
 *       what they are shown tells.
 * Rules The value never leaves its bounds, and never moves where the settings forbid it. */
#include "core/request/threshold.h"

void threshold_configure(struct threshold *t, double start, bool is_adaptive)
{
    bool is_same = t->start == start && t->is_adaptive == is_adaptive && t->ceiling > 0;
    if (is_same) {
        return;
    }
    t->start = t->value = start;
    t->is_adaptive = is_adaptive;
    t->floor = start < THRESHOLD_FLOOR ? start : THRESHOLD_FLOOR;
    t->ceiling = start > THRESHOLD_CEILING ? start : THRESHOLD_CEILING;
}

bool threshold_is_off(const struct threshold *t)
{
    return t->start >= 1.0;
}

static void move(struct threshold *t, double by)
{
    double to = t->value + by;
    if (t->is_adaptive) {
        t->value = to < t->floor ? t->floor : to > t->ceiling ? t->ceiling : to;
    }
}

void threshold_accepted(struct threshold *t, double likeness)
{
    t->n_accepted++;
    if (likeness < t->value + THRESHOLD_NEAR) {
        move(t, -THRESHOLD_STEP * THRESHOLD_REFUSED_SHARE);
    }
}

void threshold_refused(struct threshold *t)
{
    t->n_refused++;
    move(t, THRESHOLD_STEP * (1.0 - THRESHOLD_REFUSED_SHARE));
}
