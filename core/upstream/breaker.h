/* breaker.h - whether somebody who keeps failing is asked at all (Nygard's circuit breaker).
 *
 *     CLOSED --(failures)--> OPEN --(its time is over, a sign of life, resume)--> HALF_OPEN
 *       ^                     ^                                                    |    |
 *       |                     +-------------(the trial failed)---------------------+    |
 *       +-------------------------------(two trials served)----------------------------+
 *     any of them --breaker_block--> BLOCKED --breaker_unblock--> CLOSED
 *
 * Why a keystroke must not wait for a server that is known not to answer, and a server that comes
 * back must be noticed without being overrun. One breaker for an endpoint, one for each of its
 * models. Pure: `now_us` is the caller's clock (monotonic), `dice` its randomness in [0, 1).
 *
 * Each call that is admitted gets a ticket and gives it back with what became of it, exactly once.
 * Results that come late, of calls from before the state changed, say nothing any more. */
#ifndef CRUCIBLE_UPSTREAM_BREAKER_H
#define CRUCIBLE_UPSTREAM_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

#include "core/upstream/outcome.h"

#define BREAKER_RING 20u /* outcomes that are looked back upon */

enum breaker_state {
    BREAKER_CLOSED,    /* everything is admitted */
    BREAKER_OPEN,      /* nothing is, until its time is over */
    BREAKER_HALF_OPEN, /* one call at a time is, as a trial */
    BREAKER_BLOCKED    /* nothing is, until a person changes something */
};
/* "closed", "open", "half-open", "blocked". */
const char *breaker_state_name(enum breaker_state state);

struct breaker_options {
    unsigned n_failures;  /* upstream.breakerFailures; 0: 5 */
    uint64_t recovery_us; /* upstream.breakerRecovery: longest time open; 0: 60 s */
    bool is_near;         /* on this machine: from 0.5 s to 10 s, else from 2 s */
};

struct breaker_record {
    uint64_t at_us;
    enum outcome outcome;
};

struct breaker { /* everybody else only reads; {0} isn't one: breaker_init */
    struct breaker_options options;
    enum breaker_state state;
    uint64_t era;                             /* the ticket that counts now; never 0 */
    struct breaker_record ring[BREAKER_RING]; /* in CLOSED; the newest is at n_records - 1 */
    uint64_t n_records;                       /* ever put into the ring since it was cleared */
    unsigned n_failed_row, n_local_row;       /* in a row, none 60 s after the one before */
    unsigned n_opened;                        /* in a row: how far up the ladder */
    uint64_t healthy_us;                      /* CLOSED: the ladder is climbed down from here on */
    uint64_t open_until_us;
    uint64_t bypassed_us;    /* when an explicit call last went past OPEN, 0: never */
    bool has_trial;          /* HALF_OPEN: the one slot is taken */
    uint64_t trial_until_us; /* ... at the latest until */
    unsigned n_served;       /* HALF_OPEN: trials that served */
    uint64_t n_opens, n_refused;
};

void breaker_init(struct breaker *b, const struct breaker_options *options);
/* Other options from now on; what was counted stays. */
void breaker_configure(struct breaker *b, const struct breaker_options *options);

/* A ticket for one call, or 0: it must not be made. `deadline_us` is when the call ends at the
 * latest (CLOCK_NEVER: unknown, counted as two minutes), so that a trial whose end nobody reports
 * gives its slot back. An explicit action of a person goes past OPEN, as the trial, once in 2 s. */
uint64_t breaker_admit(struct breaker *b, uint64_t now_us, uint64_t deadline_us, bool is_explicit);
/* What became of the call. Cancelled, loading and permanent ones only give the slot back. */
void breaker_report(struct breaker *b, uint64_t ticket, enum outcome outcome, uint64_t now_us,
                    double dice);
/* Whether breaker_admit would give a ticket; changes nothing. */
bool breaker_would_admit(const struct breaker *b, uint64_t now_us);

/* A cheap look found it alive. That it lives doesn't say that it serves: OPEN becomes HALF_OPEN,
 * nothing more. */
void breaker_alive(struct breaker *b);
/* The machine slept (the caller saw its clocks part by more than 5 s), or the network changed:
 * what was learned before is no longer true. */
void breaker_resume(struct breaker *b, uint64_t now_us);
/* OPEN at once, whatever was counted: what is asked for isn't there. */
void breaker_trip(struct breaker *b, uint64_t now_us, double dice);
/* Key or certificate refused. */
void breaker_block(struct breaker *b);
/* The configuration changed. Nothing where it isn't blocked. */
void breaker_unblock(struct breaker *b, uint64_t now_us);

/* When OPEN ends or the trial's slot is freed; CLOCK_NEVER where time alone changes nothing. */
uint64_t breaker_next_us(const struct breaker *b);

#endif
