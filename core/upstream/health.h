/* health.h - how an endpoint is doing, judged by the calls that are made anyway; when to look at
 * one that isn't; and in which order endpoints are tried.
 *
 * The breaker decides about the next call; health is what people read and what the order of
 * endpoints goes by. Healthy endpoints are never looked at: calls say enough (passive outlier
 * detection, as Envoy's). A look is a cheap poll that loads no model. Pure: `now_us` is the
 * caller's clock, `dice` its randomness in [0, 1). */
#ifndef CRUCIBLE_UPSTREAM_HEALTH_H
#define CRUCIBLE_UPSTREAM_HEALTH_H

#include "core/upstream/outcome.h"

enum health_state { /* in the order in which they are preferred */
                    HEALTH_GOOD,
                    HEALTH_UNKNOWN, /* nothing was heard yet */
                    HEALTH_SLOW,    /* it serves, three times as slowly as it used to */
                    HEALTH_FAILING, /* half of the calls or more fail */
                    HEALTH_DOWN,    /* nobody is there */
                    HEALTH_BLOCKED, /* a person has to change something: never tried */
                    N_HEALTH_STATES
};
/* "good", "unknown", "slow", "failing", "down", "blocked". */
const char *health_state_name(enum health_state state);

struct health { /* everybody else only reads */
    enum health_state state;
    bool is_near;          /* on this machine: looks are cheap */
    unsigned n_heard;      /* calls that said something */
    double failing;        /* part of the last calls that failed; recent ones weigh more */
    double fast_us;        /* average time to the first text, of the last few */
    double usual_us;       /* ... of the last hundred or so */
    unsigned n_local_row;  /* in a row that found nobody */
    unsigned n_vain_looks; /* in a row */
    uint64_t wanted_us;    /* when somebody last wanted it; 0: never */
    uint64_t next_us;      /* the next look; CLOCK_NEVER: none is needed */
};

void health_init(struct health *h, bool is_near);
/* A call's end. first_us: until its first text, 0 where none came or the model was cold. */
void health_hear(struct health *h, enum outcome outcome, uint64_t first_us, uint64_t now_us,
                 double dice);
/* What a look found. It may lift DOWN, and only that: who answers a look may still fail to serve.
 */
void health_looked(struct health *h, bool is_alive, uint64_t now_us, double dice);
/* Somebody would like to use it: while that was within a minute, an endpoint that is in trouble is
 * looked at every 1 to 1.8 s (near) or 5 to 9 s, so that it is back within 2 s or 10 s of its
 * recovery; otherwise after 5 s, doubling up to a minute, a fifth more or less. */
void health_want(struct health *h, uint64_t now_us, double dice);
void health_block(struct health *h);

/* -- the order -- */

struct health_candidate {
    bool is_named;  /* the settings' list for the role names it */
    unsigned place; /* ... at this place */
    unsigned tier;  /* 0 this machine, larger is farther */
    enum health_state state;
    uint64_t expected_us; /* usual time to the first text; 0: unknown */
};
/* Fills `order` with the indices of those that may be asked, best first, and gives how many. Where
 * the list names any, nobody else is ever asked; where it names none, only this machine. That
 * holds however dead the allowed ones are. Among those: by state, then by the list's order, then
 * the nearer, the sooner, the earlier in `list`. */
size_t health_order(const struct health_candidate *list, size_t n, size_t *order);

#endif
