/* failover.c - what becomes of questions whose model has failed them.
 *
 * Why   A server that dies is no reason for silence where another one is there, and for somebody
 *       who asked by a command none to give up where it will be back in a moment.
 * How   Whoever has seen no text yet takes off once more, to the next endpoint of the role, as long
 *       as that adds no more than a tenth to what is sent; ten are saved up at most. A person's
 *       question that wasn't even sent waits for the endpoint's next trial, and one whose server is
 *       still loading until it has. Else the predictor's word, or silence and the reason. */
#include <stdio.h>

#include "core/base/clock.h"
#include "core/engine_internal.h"

#define PATIENCE_US   SEC_TO_US(15) /* a server of this machine is tried every 10 s at least */
#define LOADS_MET_MAX 2u
#define TRIAL_MIN_US  MS_TO_US(500)

void failover_earn(struct engine *e)
{
    e->n_spare_tenths += e->n_spare_tenths < SPARE_TENTHS_MAX;
}

/* Sending what was sent before is paid for: where everybody fails, load mustn't double. */
static bool spend(struct engine *e, const struct error *error)
{
    bool was_sent = error->code != ERR_REJECTED;
    if (was_sent && e->n_spare_tenths < 10) {
        return false;
    }
    e->n_spare_tenths -= was_sent ? 10 : 0;
    return true;
}

/* Whether the question takes off to another endpoint instead: nobody has seen text of this one. */
static bool fail_over(struct engine *e, struct asked *a, uint64_t endpoint,
                      const struct error *error)
{
    bool is_first = a->avoid == 0;
    if (!is_first || a->first_us != 0 || clock_now_us() >= a->hard_us) {
        return false;
    }
    struct route r = supply_find(e, a->settings, a->role, buf_str(&a->wish), endpoint);
    if (r.state != ROUTE_READY || !spend(e, error)) {
        return false;
    }
    a->avoid = endpoint;
    a->boarded = BOARDED_NONE;
    e->stats.n_failed_over++;
    trace_why(&e->trace, a->trace, "asking %s instead", r.name);
    engine_depart(e, a);
    return true;
}

/* Whether a person's question is put again to the same endpoint: it wasn't sent, since the endpoint
 * is left alone for a moment. */
static bool wait_for_trial(struct engine *e, struct asked *a, uint64_t endpoint,
                           const struct error *error)
{
    uint64_t now_us = clock_now_us();
    str name = str_from(a->model_name);
    size_t slash = str_find_char(name, '/', 0);
    str model = slash == SIZE_MAX ? STR("") : str_sub(name, slash + 1, name.len);
    uint64_t trial_us = upstream_trial_us(e->options.upstream, endpoint, model);
    bool was_sent = error->code != ERR_REJECTED || trial_us <= now_us;
    trial_us = trial_us > now_us + TRIAL_MIN_US ? trial_us : now_us + TRIAL_MIN_US;
    if (a->kind != QUESTION_CHAT || a->first_us != 0 || was_sent ||
        trial_us > a->asked_us + PATIENCE_US) {
        return false;
    }
    a->state = ASKED_HOLDING;
    a->hold_us = trial_us;
    a->avoid = 0;
    a->boarded = BOARDED_NONE;
    converse_tell_wait(e, a, error->msg);
    return true;
}

/* Whether a person's question waits until its server has loaded its model, which it hadn't yet: the
 * endpoint is looked at until it has. One that says it has, and hasn't, is believed twice. */
static bool wait_for_load(struct engine *e, struct asked *a, const struct error *error)
{
    if (a->kind != QUESTION_CHAT || a->first_us != 0 || error->code != ERR_LOADING ||
        a->n_loads_met == LOADS_MET_MAX) {
        return false;
    }
    a->n_loads_met++;
    a->avoid = 0;
    a->boarded = BOARDED_NONE;
    engine_depart(e, a);
    return true;
}

void engine_fail(struct engine *e, uint64_t flight, uint64_t endpoint, const struct error *error)
{
    size_t n;
    uint64_t *riders = engine_riders(e, flight, &n);
    flights_drop(e->flights, flight); /* nobody boards it again */
    for (size_t i = 0; i < n; i++) {
        struct asked *a = engine_find(e, riders[i]);
        if (a == NULL || a->state == ASKED_CANCELLED) {
            continue;
        }
        trace_why(&e->trace, a->trace, "%s", error->msg);
        if (!fail_over(e, a, endpoint, error) && !wait_for_trial(e, a, endpoint, error) &&
            !wait_for_load(e, a, error) && !engine_stand_in(e, a)) {
            engine_finish(e, a, (struct fit_rest){.text = STR("")}, false,
                          a->is_explicit ? error : NULL);
        }
    }
    xfree(riders);
}
