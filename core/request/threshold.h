/* threshold.h - from which likeness on an answer serves another question, learned from the person.
 *
 * Pure: events in, a number out. Whoever is shown a similar question's answer and asks again at
 * once has refused it, and the threshold rises; whoever lets it stand has accepted it, and the
 * threshold sinks a little, but only where the likeness was near it: that nearly equal code was
 * good enough says nothing of less equal code. A weighted staircase (C. Kaernbach, "Simple
 * adaptive testing with the weighted up-down method", 1991): the steps are such that it settles
 * where THRESHOLD_REFUSED_SHARE of what is shown near it is refused. */
#ifndef CRUCIBLE_REQUEST_THRESHOLD_H
#define CRUCIBLE_REQUEST_THRESHOLD_H

#include <stdbool.h>
#include <stdint.h>

#define THRESHOLD_FLOOR         0.80
#define THRESHOLD_CEILING       0.97
#define THRESHOLD_STEP          0.04 /* up and down together */
#define THRESHOLD_REFUSED_SHARE 0.05
#define THRESHOLD_NEAR          0.05 /* above the threshold: tells something about it */

struct threshold {
    double value, start; /* from 0 to 1 */
    double floor, ceiling;
    bool is_adaptive;
    uint64_t n_accepted, n_refused;
};
/* What the settings say. What was learned is kept as long as they say the same. A start outside of
 * the bounds moves the bound there. */
void threshold_configure(struct threshold *t, double start, bool is_adaptive);
/* From 1 on only equal questions count as the same. */
bool threshold_is_off(const struct threshold *t);
void threshold_accepted(struct threshold *t, double likeness);
void threshold_refused(struct threshold *t);

#endif
