/* metrics.c - a log-linear histogram.
 *
 * How    Values below 16 us have a bucket each. Above, every power of two has 16 buckets, so a
 *        bucket is at most a sixteenth of its values wide. A quantile answers with the upper end
 *        of its bucket: never less than the truth, and at most 6.25 % more.
 * Rules  Counts stop at their maximum instead of wrapping round. */
#include "core/base/metrics.h"

#define SUB_BITS 4u
#define SUBS     (1u << SUB_BITS)

unsigned histogram_bucket(uint64_t us)
{
    if (us < SUBS) {
        return (unsigned)us;
    }
    unsigned power = 63u - (unsigned)__builtin_clzll(us);
    unsigned sub = (unsigned)(us >> (power - SUB_BITS)) & (SUBS - 1);
    unsigned bucket = (power - SUB_BITS + 1) * SUBS + sub;
    return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

uint64_t histogram_bucket_end(unsigned bucket)
{
    if (bucket < SUBS) {
        return bucket;
    }
    if (bucket == HISTOGRAM_BUCKETS - 1) {
        return UINT64_MAX; /* it takes what is larger than all buckets, too */
    }
    unsigned shift = bucket / SUBS - 1;
    return (((uint64_t)SUBS + bucket % SUBS + 1) << shift) - 1;
}

void histogram_add(struct histogram *h, uint64_t us)
{
    uint32_t *count = &h->counts[histogram_bucket(us)];
    if (*count == UINT32_MAX) {
        return;
    }
    ++*count;
    h->n++;
    h->sum_us = us > UINT64_MAX - h->sum_us ? UINT64_MAX : h->sum_us + us;
    h->max_us = us > h->max_us ? us : h->max_us;
}

uint64_t histogram_quantile(const struct histogram *h, double q)
{
    if (h->n == 0) {
        return 0;
    }
    double wanted = (q > 0 ? q < 1 ? q : 1 : 0) * (double)h->n;
    uint64_t seen = 0;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += h->counts[i];
        if (seen > 0 && (double)seen >= wanted) {
            uint64_t us = histogram_bucket_end(i);
            return us < h->max_us ? us : h->max_us;
        }
    }
    return h->max_us;
}

uint64_t histogram_mean(const struct histogram *h)
{
    return h->n ? h->sum_us / h->n : 0;
}
