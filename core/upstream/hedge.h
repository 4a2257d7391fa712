/* hedge.h - when a second endpoint is asked the same because the first is late.
 *
 * Off unless upstream.hedge says otherwise, and never more than one call in twenty (Dean and
 * Barroso, The Tail at Scale, 2013). Only what a keystroke asked for, only to an endpoint that
 * doesn't share the first one's hardware, which the caller has to know. Pure. */
#ifndef CRUCIBLE_UPSTREAM_HEDGE_H
#define CRUCIBLE_UPSTREAM_HEDGE_H

#include <stdbool.h>
#include <stdint.h>

#define HEDGE_EVERY 20u /* calls earn one hedge */

struct hedge {         /* {0} has earned nothing yet */
    unsigned n_earned; /* calls since the last hedge that it could have paid, at most 20 * 2 */
    uint64_t n_sent;
};
struct hedge_call {
    bool is_enabled;  /* upstream.hedge */
    bool is_inline;   /* not what a person asked for explicitly: that is answered once */
    bool has_other;   /* another endpoint is there that doesn't share this one's hardware */
    bool has_text;    /* the first text came */
    uint64_t sent_us; /* when it was sent */
    uint64_t late_us; /* 95th percentile of the time to the first text; 0: unknown */
};

/* Each call that is sent, once. */
void hedge_earn(struct hedge *h);
/* When a second one would be due: the 95th percentile after it was sent, at least 150 ms; or
 * CLOCK_NEVER. Ask again when text came or a call was sent. */
uint64_t hedge_due_us(const struct hedge *h, const struct hedge_call *call);
/* It was sent. */
void hedge_spend(struct hedge *h);

#endif
