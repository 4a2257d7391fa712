/* hedging.c - a second endpoint is asked the same where the first one is late.
 *
 * Why   A server that answers 95 of 100 questions at once may take seconds for the next: another
 *       program holds the card, a cloud sends it to a busy machine. Whoever types is gone by then.
 * How   A keystroke's leg without text is late when 95 of 100 such calls would have begun. Then
 *       the flight gets a second leg, its twin, to whom the route leads without the first one's
 *       machine: the same place, cut, redacted and rendered for that model. The first text
 *       decides which of both goes on; the other is cancelled, which no endpoint is blamed for.
 *       What fails or ends without text meanwhile leaves the flight to the other.
 * Rules Only where upstream.hedge is on, only for typing, at most one call in twenty (hedge.h),
 *       only to another machine: two servers that share the hardware would make each other later.
 *       A twin is the one replacement that a question gets: where both have failed, nobody else is
 *       asked. What a twin wrote is ridden in its document and kept nowhere. */
#include <stdio.h>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/engine_internal.h"

/* -- legs of a flight, and who is aboard -- */

static struct leg *other_of(const struct engine *e, const struct leg *leg)
{
    for (struct leg *other = e->legs; other != NULL; other = other->hh.next) {
        if (other != leg && other->flight == leg->flight) {
            return other;
        }
    }
    return NULL;
}

typedef void rider_fn(struct engine *e, struct asked *a, const struct leg *leg);

static void for_riders(struct engine *e, const struct leg *leg, rider_fn *fn)
{
    size_t n;
    uint64_t *riders = engine_riders(e, leg->flight, &n);
    for (size_t i = 0; i < n; i++) {
        struct asked *a = engine_find(e, riders[i]);
        if (a != NULL) {
            fn(e, a, leg);
        }
    }
    xfree(riders);
}

/* One that typing asked, and that hasn't been sent elsewhere yet; NULL: there is none. */
static struct asked *typing_rider(const struct engine *e, const struct leg *leg)
{
    size_t n;
    uint64_t *riders = engine_riders(e, leg->flight, &n);
    struct asked *found = NULL;
    for (size_t i = 0; i < n && found == NULL; i++) {
        struct asked *a = NULL;
        HASH_FIND(hh, e->asked, &riders[i], sizeof(riders[i]), a);
        if (a != NULL && a->kind != QUESTION_CHAT && !a->is_explicit && a->avoid == 0) {
            found = a;
        }
    }
    xfree(riders);
    return found;
}

/* -- when -- */

void hedging_plan(struct engine *e, struct leg *leg, const struct asked *a,
                  const struct generate *generate)
{
    struct leg *first = other_of(e, leg);
    if (first != NULL) {
        leg->is_twin = leg->is_hedged = first->is_hedged = true;
        return;
    }
    if (a->kind == QUESTION_CHAT || a->is_explicit || a->id == 0) {
        return;
    }
    hedge_earn(&e->hedge);
    if (e->settings->upstream_hedge) {
        size_t n_bytes = generate->prefix.len + generate->suffix.len + generate->prompt.len;
        leg->late_us =
            upstream_late_us(e->options.upstream, leg->endpoint, generate->model, n_bytes);
    }
}

static uint64_t due_us(const struct engine *e, const struct leg *leg)
{
    struct hedge_call call = {.is_enabled = e->settings->upstream_hedge,
                              .is_inline = !leg->is_hedged,
                              .has_other = !leg->has_no_other,
                              .has_text = leg->has_begun,
                              .sent_us = leg->began_us,
                              .late_us = leg->late_us};
    return hedge_due_us(&e->hedge, &call);
}

uint64_t hedging_next_us(const struct engine *e)
{
    uint64_t at_us = CLOCK_NEVER;
    for (const struct leg *leg = e->legs; leg != NULL; leg = leg->hh.next) {
        uint64_t own_us = due_us(e, leg);
        at_us = own_us < at_us && typing_rider(e, leg) != NULL ? own_us : at_us;
    }
    return at_us;
}

static void say_late(struct engine *e, struct asked *a, const struct leg *twin)
{
    trace_why(&e->trace, a->trace, "late: asking %s as well", twin->name);
}

static void ask_other(struct engine *e, struct leg *leg, const struct asked *a)
{
    struct upstream *u = e->options.upstream;
    leg->has_no_other = true; /* until the endpoints change */
    struct route r = supply_find_apart(e, a, leg->endpoint);
    if (r.state != ROUTE_READY || !upstream_confirm_loaded(u, r.endpoint, r.model) ||
        !leg_start_twin(e, leg, a, &r)) {
        return;
    }
    hedge_spend(&e->hedge);
    e->stats.n_hedged++;
    log_info(LOG_FLIGHT, "flight=%llu is late: a second endpoint is asked",
             (unsigned long long)leg->flight);
    for_riders(e, other_of(e, leg), say_late);
}

void hedging_tick(struct engine *e, uint64_t now_us)
{
    struct leg *leg, *next;
    HASH_ITER(hh, e->legs, leg, next)
    {
        const struct asked *a = due_us(e, leg) <= now_us ? typing_rider(e, leg) : NULL;
        if (a != NULL) {
            ask_other(e, leg, a);
        }
    }
}

void hedging_on_upstream(struct engine *e)
{
    for (struct leg *leg = e->legs; leg != NULL; leg = leg->hh.next) {
        leg->has_no_other = false;
    }
}

/* -- which one goes on -- */

static void name_author(struct engine *e, struct asked *a, const struct leg *twin)
{
    (void)snprintf(a->model_name, sizeof(a->model_name), "%s", twin->name);
    trace_why(&e->trace, a->trace, "%s answers", twin->name);
}

static void take_over(struct engine *e, const struct leg *twin)
{
    e->stats.n_hedged_won++;
    flights_note_author(e->flights, twin->flight, str_from(twin->name));
    for_riders(e, twin, name_author);
}

void hedging_on_first(struct engine *e, struct leg *leg)
{
    struct leg *other = leg->is_hedged ? other_of(e, leg) : NULL;
    if (other != NULL) {
        leg_cancel(e, other);
    }
    if (leg->is_twin) {
        take_over(e, leg);
    }
}

static void say_over(struct engine *e, struct asked *a, const struct leg *leg)
{
    trace_why(&e->trace, a->trace, "nothing from %s", leg->name);
}

static void send_nowhere_else(struct engine *e, struct asked *a, const struct leg *leg)
{
    (void)e;
    a->avoid = leg->endpoint;
}

bool hedging_on_end(struct engine *e, const struct leg *leg, const struct error *error)
{
    if (!leg->is_hedged) {
        return false;
    }
    if (other_of(e, leg) != NULL) {
        log_info(LOG_FLIGHT, "flight=%llu goes on with one of two: %s",
                 (unsigned long long)leg->flight,
                 error != NULL ? err_name(error->code) : "no text");
        for_riders(e, leg, say_over);
        return true;
    }
    if (error != NULL) {
        for_riders(e, leg, send_nowhere_else);
    } else if (leg->is_twin && !leg->has_begun) {
        take_over(e, leg);
    }
    return false;
}
