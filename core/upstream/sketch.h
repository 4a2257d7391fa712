/* sketch.h - a quantile of durations some of which were cut off before they ended.
 *
 * Who cancels what is slow and then learns from what is left learns that everything is fast. So a
 * call that was cut off after t counts as "at least t": the Kaplan-Meier estimator (1958) over the
 * buckets of metrics.h (HDR layout, right within 6.25 %). A cut sample never makes a quantile
 * smaller, whenever it comes. Old samples fade: after 256 new ones an old one has a quarter of its
 * weight. */
#ifndef CRUCIBLE_UPSTREAM_SKETCH_H
#define CRUCIBLE_UPSTREAM_SKETCH_H

#include "core/base/metrics.h"

struct sketch {                            /* {0} is an empty one */
    uint16_t whole[HISTOGRAM_BUCKETS];     /* weight of what ended in this bucket */
    uint16_t cut[HISTOGRAM_BUCKETS];       /* ... was cut off in it */
    uint32_t n_weight_whole, n_weight_cut; /* sums of both */
    uint64_t longest_us;                   /* of all that still has weight, about */
    uint64_t n_whole, n_cut;               /* ever added */
};

void sketch_add(struct sketch *s, uint64_t us);
/* One that would have taken longer than `us`. */
void sketch_add_cut(struct sketch *s, uint64_t us);
/* q in (0, 1), in microseconds; 0 where nothing was added. Where so much was cut off that nobody
 * can say: the longest that was seen, cut or whole, which is a lower bound. */
uint64_t sketch_quantile(const struct sketch *s, double q);
/* How many samples there were that ended, faded ones counted as what is left of them. */
unsigned sketch_count(const struct sketch *s);

#endif
