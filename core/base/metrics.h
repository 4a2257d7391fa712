/* metrics.h - counters and quantiles, kept on this machine.
 *
 * Latencies go into a log-linear histogram (HDR layout: Tene's HdrHistogram, 16 sub-buckets per
 * power of two, so quantiles are right within 6.25 %), 1 us to about 1 hour. Not thread-safe: the
 * loop's thread only. */
#ifndef CRUCIBLE_BASE_METRICS_H
#define CRUCIBLE_BASE_METRICS_H

#include "core/base/str.h"

#define HISTOGRAM_BUCKETS 512

struct histogram {
    uint32_t counts[HISTOGRAM_BUCKETS];
    uint64_t n;
    uint64_t sum_us;
    uint64_t max_us;
};

void histogram_add(struct histogram *h, uint64_t us);
/* q in 0..1; 0 where nothing was added. Microseconds. */
uint64_t histogram_quantile(const struct histogram *h, double q);
uint64_t histogram_mean(const struct histogram *h);

/* The layout itself, for what keeps other things by bucket. */
unsigned histogram_bucket(uint64_t us);
/* The largest value of a bucket; the last one takes whatever is larger, too: UINT64_MAX. */
uint64_t histogram_bucket_end(unsigned bucket);

/* An average that follows: a new value counts one part in `parts`. `old` 0: there is none yet. */
static inline uint64_t metrics_smoothed(uint64_t old, uint64_t value, unsigned parts)
{
    return old == 0 ? value : old - old / parts + value / parts;
}

#endif
