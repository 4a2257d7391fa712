/* stats.h - every figure there is, as JSON: for crucible/stats, `status --json` and pages. */
#ifndef CRUCIBLE_REPORT_STATS_H
#define CRUCIBLE_REPORT_STATS_H

#include "core/engine.h"

struct stats_sources { /* borrowed for the call; NULL: left out */
    struct engine *engine;
    const struct store *store;
    const struct upstream *upstream;
    const struct predictor *predictor;
    const struct documents *documents;
    size_t max_trace; /* records of the last requests */
};

/* Writes the members "status", "engine", "flights", "dedup", "store", "upstream", "predictor",
 * "documents", "endpoints" and "trace" into the object that the writer has open. */
void stats_write(const struct stats_sources *from, struct json_writer *w);
/* The members of the status into the open object: kind, busy, model, endpoint, loading (a number
 * from 0 to 1, or null), message, why. */
void stats_write_status(struct engine *engine, struct json_writer *w);
/* {"n", "mean", "p50", "p95", "p99", "max"}, each divided by `unit_us`. */
void stats_write_histogram(const struct histogram *h, double unit_us, struct json_writer *w);

#endif
