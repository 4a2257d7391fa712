/* trace.h - what was decided for each of the last requests, and why.
 *
 * A ring of short records: no document text, only names, numbers and reasons. */
#ifndef CRUCIBLE_REQUEST_TRACE_H
#define CRUCIBLE_REQUEST_TRACE_H

#include "core/base/json_write.h"

#define TRACE_ENTRIES   64
#define TRACE_WHY_BYTES 160

struct trace_entry {
    uint64_t serial;           /* of the request; 0: unused */
    uint64_t asked_us;         /* clock_now_us */
    uint64_t wall_us;          /* for people */
    uint64_t answered_us;      /* 0 while open */
    char kind[16];             /* "inline", "completion" */
    char file[64];             /* last name of the path */
    char outcome[16];          /* "shown", "empty", "superseded", "cancelled", "error" */
    char why[TRACE_WHY_BYTES]; /* "boarded flight 12", "suppressed: excluded file", ... joined by ";
                                  " */
};
struct trace {
    struct trace_entry entries[TRACE_ENTRIES];
    uint64_t n;
};

/* Starts a record; its serial stays valid until the ring comes round. */
uint64_t trace_begin(struct trace *t, const char *kind, str path, uint64_t now_us,
                     uint64_t wall_us);
/* Adds a reason. */
void trace_why(struct trace *t, uint64_t serial, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void trace_end(struct trace *t, uint64_t serial, const char *outcome, uint64_t now_us);
const struct trace_entry *trace_find(const struct trace *t, uint64_t serial);
/* An array of the records, newest first, at most `max`. */
void trace_write(const struct trace *t, struct json_writer *w, size_t max);

#endif
