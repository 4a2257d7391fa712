/* guard.h - the policies of one endpoint together: whether it is asked, whether again, how long it
 * is waited for, how it is doing. Inside core/upstream only.
 *
 * The endpoint has a breaker for whether anybody is there, each of its models one for whether it
 * serves: one model that crashes leaves the others alone, and a server that is gone is gone for all
 * of them. An exchange is one or more attempts; each is admitted, and ended exactly once. */
#ifndef CRUCIBLE_UPSTREAM_GUARD_H
#define CRUCIBLE_UPSTREAM_GUARD_H

#include "core/upstream/breaker.h"
#include "core/upstream/deadline.h"
#include "core/upstream/health.h"
#include "core/upstream/provider.h"
#include "core/upstream/retry.h"

struct guard_options {
    unsigned n_failures;  /* upstream.breakerFailures; 0: as by default */
    uint64_t recovery_us; /* upstream.breakerRecovery; 0: as by default */
    unsigned n_retries;   /* upstream.retries */
};

struct guard; /* of one endpoint */

struct guard_figures {
    uint64_t n_refused, n_opened;     /* calls not made, times that a breaker opened */
    uint64_t n_retries, n_unafforded; /* attempts made again; those that the budget forbade */
    uint64_t n_late;                  /* calls that a deadline ended */
};

struct guard *guard_create(bool is_near);
void guard_destroy(struct guard *g);
/* The settings changed: what was blocked may be tried again. */
void guard_configure(struct guard *g, const struct guard_options *options, uint64_t now_us);

/* -- one attempt -- */

struct guard_call { /* the exchange's; {0} is one that isn't out */
    struct deadline_call about;
    bool is_explicit;
    bool is_beside; /* waits for another call first: nothing is learned from how long it takes */
    bool is_out;    /* admitted, and not ended */
    unsigned n_made;
    uint64_t sent_us, first_us, last_us; /* absolute; first_us 0: no text yet */
    uint64_t gap_us;                     /* the longest so far */
    unsigned n_pieces;
    bool is_forbidden, has_after; /* what the response's headers said */
    uint64_t after_us;
    uint64_t endpoint_ticket, model_ticket;
};
struct guard_end {
    const struct error *error;       /* NULL: it served */
    const struct generate_end *said; /* the server's own figures; NULL: none */
    bool is_cancelled;               /* `error` doesn't count */
};

/* How long the endpoint has asked to be left alone; 0: it hasn't. */
uint64_t guard_wait_us(const struct guard *g, uint64_t now_us);
/* ERR_REJECTED, with the cause, where it must not be made. Costs microseconds and no I/O. */
NODISCARD enum err guard_admit(struct guard *g, str model, struct guard_call *c, uint64_t now_us,
                               uint64_t deadline_us, struct error *why);
/* Changes nothing: whether a keystroke's call would be made. */
bool guard_would_admit(const struct guard *g, str model, uint64_t now_us);
/* When it would: 0 means at once, CLOCK_NEVER that time alone changes nothing. Soon while a trial
 * is out, whose end nobody knows: ask again then. */
uint64_t guard_trial_us(const struct guard *g, str model, uint64_t now_us);
void guard_text(struct guard_call *c, uint64_t now_us);
/* Whether the attempt under way may go on on another connection, since the kept one that it was
 * sent on has died; that counts as one more. */
bool guard_resend(struct guard *g, struct guard_call *c);
/* Whether an attempt had better be sent on a new connection, so that none can die under it: the
 * budget has nothing for making it again. */
bool guard_is_spent(const struct guard *g);
/* What the response's headers say; each may be empty. */
void guard_pushback(struct guard_call *c, str retry_after, str date, str should_retry);
/* Nothing where it isn't out. */
void guard_end(struct guard *g, str model, struct guard_call *c, const struct guard_end *end,
               uint64_t now_us);
/* Of an attempt that has just ended with `error`. */
struct retry_decision guard_retry(struct guard *g, str model, const struct guard_call *c,
                                  const struct error *error, uint64_t deadline_us, uint64_t now_us);

/* -- waiting -- */

/* What the list says of the model's size; 0: unknown. */
void guard_describe(struct guard *g, str model, uint64_t n_params, uint64_t n_bytes);
/* A load by itself: how long it may take, and how long it took. */
uint64_t guard_load_span_us(struct guard *g, str model);
void guard_loaded(struct guard *g, str model, uint64_t took_us, bool is_late);
/* Whether nothing was ever heard of the model: it may have to be loaded first. */
bool guard_is_new(const struct guard *g, str model);
struct deadline_spans guard_spans(struct guard *g, str model, const struct deadline_call *about);
/* What is known of a model's pace; NULL where nothing is. */
const struct deadline *guard_deadline(const struct guard *g, str model);
/* The endpoint's where that isn't closed, else the model's. */
const struct breaker *guard_breaker(const struct guard *g, str model);

/* -- looks -- */

/* A look came to its end. Gives when to look again: CLOCK_NEVER where it answered. A stranger
 * who holds the port isn't to be bothered often. */
uint64_t guard_looked(struct guard *g, bool is_alive, bool is_stranger, uint64_t now_us);
/* Somebody is at work: when to look again at an endpoint that is down. */
uint64_t guard_want(struct guard *g, uint64_t now_us);
void guard_block(struct guard *g);
/* The machine slept. */
void guard_resume(struct guard *g, uint64_t now_us);
enum health_state guard_health(const struct guard *g);
struct guard_figures guard_figures(const struct guard *g);

#endif
