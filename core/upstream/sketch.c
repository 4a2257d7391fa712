/* sketch.c - a fading histogram of whole and cut durations.
 *
 * How      S(t), the part that takes longer than t, is the product of (1 - ended / at risk) over
 *          the buckets up to t; at risk is whatever neither ended nor was cut off in a bucket
 *          before. The quantile is the first t at which S has fallen to 1 - q. A sample comes
 *          with the weight 16; when 256 of them are in, all weights are halved.
 * Rules    Only samples that ended make others fade: cancelling may not push anything out. Where
 *          cut ones alone come, they stop being counted when their own room is full. */
#include "core/upstream/sketch.h"

#define WEIGHT    16u
#define WHOLE_MAX (256u * WEIGHT)
#define CUT_MAX   (1024u * WEIGHT)
#define IS_ENOUGH 1e-9 /* what floating point may be off by */

static void fade(struct sketch *s)
{
    s->n_weight_whole = s->n_weight_cut = 0;
    s->longest_us = 0;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        s->whole[i] /= 2;
        s->cut[i] /= 2;
        s->n_weight_whole += s->whole[i];
        s->n_weight_cut += s->cut[i];
        if (s->whole[i] > 0 || s->cut[i] > 0) {
            s->longest_us = histogram_bucket_end(i);
        }
    }
}

static void note_longest(struct sketch *s, unsigned bucket)
{
    uint64_t end_us = histogram_bucket_end(bucket);
    s->longest_us = end_us > s->longest_us ? end_us : s->longest_us;
}

void sketch_add(struct sketch *s, uint64_t us)
{
    unsigned bucket = histogram_bucket(us);
    if (s->n_weight_whole + WEIGHT > WHOLE_MAX) {
        fade(s);
    }
    s->whole[bucket] = (uint16_t)(s->whole[bucket] + WEIGHT);
    s->n_weight_whole += WEIGHT;
    s->n_whole++;
    note_longest(s, bucket);
}

void sketch_add_cut(struct sketch *s, uint64_t us)
{
    unsigned bucket = histogram_bucket(us);
    s->n_cut++;
    if (s->n_weight_cut + WEIGHT <= CUT_MAX) {
        note_longest(s, bucket);
        s->cut[bucket] = (uint16_t)(s->cut[bucket] + WEIGHT);
        s->n_weight_cut += WEIGHT;
    }
}

uint64_t sketch_quantile(const struct sketch *s, double q)
{
    double left = 1, n_at_risk = (double)s->n_weight_whole + (double)s->n_weight_cut;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS && n_at_risk > 0; i++) {
        if (s->whole[i] > 0) {
            left *= 1 - s->whole[i] / n_at_risk;
            if (left <= 1 - q + IS_ENOUGH) {
                return histogram_bucket_end(i);
            }
        }
        n_at_risk -= s->whole[i] + s->cut[i];
    }
    return s->longest_us;
}

unsigned sketch_count(const struct sketch *s)
{
    return s->n_weight_whole / WEIGHT;
}
