/* retry.h - whether a call that failed is made again, and when.
 *
 * Two kinds of calls: what a person asked for explicitly is tried up to upstream.retries times
 * more, with pauses; what a keystroke asked for at most once more, and only where the request
 * provably never reached the application, since the next keystroke asks anyway. Nobody tries again
 * after text was shown, past the deadline, or where the budget of the endpoint is used up: a server
 * in trouble must not get more work for it. Pure: clock and randomness are arguments.
 *
 * This is the one layer that retries; nothing above it does, and below it only libcurl, where a
 * kept connection has died under a request before a byte of an answer: that is an attempt like any
 * other, and asks here first. */
#ifndef CRUCIBLE_UPSTREAM_RETRY_H
#define CRUCIBLE_UPSTREAM_RETRY_H

#include "core/upstream/outcome.h"

/* -- the budget: gRPC's throttle (gRFC A6) -- */

/* Ten tokens; a failure costs one, a success earns a tenth, and nothing is tried again unless more
 * than half are left. So all retries together are fewer than 5 + successes / 10. */
struct retry_budget {
    unsigned n_tenths;
    uint64_t n_given, n_denied; /* retries allowed, and those that the budget forbade */
};
void retry_budget_init(struct retry_budget *b); /* full */
/* Each attempt's end, before retry_decide. Only what counts as the server's failure costs. */
void retry_budget_hear(struct retry_budget *b, enum outcome outcome);
bool retry_budget_allows(const struct retry_budget *b);
/* Whether a request whose kept connection has died may be sent once more, on another one. Costs
 * what a failure does, and is counted as decided. */
bool retry_resend(struct retry_budget *b);

/* -- what servers say: Retry-After (RFC 9110, 10.2.3) -- */

#define RETRY_AFTER_MAX_US 60000000ull /* the longest that a server may silence us for */

/* Reads seconds, or a date in any of HTTP's three forms. A date is compared with `date`, the
 * response's own Date, since our clock may be another; a past one is 0. False where it can't be
 * read (negative, fractions, words, a date without a Date): then one's own pauses are used. */
bool retry_after_read(str value, str date, uint64_t *wait_us);

/* A whole endpoint that is left alone because it asked for that. {0} is open. */
struct retry_gate {
    uint64_t until_us;
};
/* At most RETRY_AFTER_MAX_US; never shortens. */
void retry_gate_close(struct retry_gate *g, uint64_t wait_us, uint64_t now_us);
/* How long it is still closed; 0: open. */
uint64_t retry_gate_wait_us(const struct retry_gate *g, uint64_t now_us);

/* -- the decision -- */

struct retry_failure { /* of the attempt that has just ended */
    enum outcome outcome;
    unsigned n_made;      /* attempts made, this one included */
    unsigned n_retries;   /* upstream.retries */
    bool is_explicit;     /* a person asked for it, not a keystroke */
    bool has_shown;       /* some of its text went to the caller */
    bool has_left;        /* the request may have reached the application */
    bool is_forbidden;    /* the server said: x-should-retry: false */
    bool has_after;       /* it said when: `after_us` */
    uint64_t after_us;    /* from now; not clamped: longer than the most isn't waited for */
    uint64_t deadline_us; /* absolute, of the whole call; CLOCK_NEVER: none */
    uint64_t expected_us; /* what an answer usually takes to begin; 0: unknown */
};
struct retry_decision {
    uint64_t at_us;  /* absolute; CLOCK_NEVER: not again */
    const char *why; /* for people; static */
};
/* Counts in the budget what it decides. `dice` in [0, 1). */
struct retry_decision retry_decide(struct retry_budget *b, const struct retry_failure *f,
                                   uint64_t now_us, double dice);

#endif
