/* lane.c - exchanges start when there is a place for them at their endpoint.
 *
 * Why   A flight takes off at once, so that others can ride it from the first key on. Its exchange
 *       is work for a server that may be busy: with an action that takes a minute, with what was
 *       asked in another document, with a text continued in case somebody wants it.
 * How   The queue (core/request/queue.h) decides, this carries it out: lane_enter hands it a leg;
 *       the legs that it says may start depart, in the same call where a place is free, and what
 *       has to give way is closed. What waits keeps a copy of what is to be sent. How long legs
 *       take is learned for each model and class, so that a keystroke whose text couldn't come in
 *       time isn't sent at all.
 *       A server that says how many slots it has is given as many exchanges at a time; of others
 *       on this machine or near it that is learned, and a remote service takes a few. Which slot
 *       a prompt goes to is the server's to choose, since it knows what each holds and who else is
 *       at work in it; engine_options.pins_slots is for who has a server for itself.
 * Rules A flight stands in the queue once: its second leg (hedging.c) goes at once. Nobody is told
 *       anything from inside lane_enter, which runs inside engine_ask: what has become too late is
 *       told in lanes_tick. A text that somebody rides isn't background. */
#include <stdio.h>

#include "core/base/clock.h"
#include "core/base/limits.h"
#include "core/base/log.h"
#include "core/engine_internal.h"

#define TYPING_US    SEC_TO_US(5) /* who types looks at what comes later no more */
#define CLOUD_PLACES 4u
#define HEAD_BYTES   512u
#define SMOOTHING    4u          /* a new value counts one part in so many */
#define NOTICED_US   MS_TO_US(1) /* shorter waits are none */

struct waiting {
    struct leg *leg; /* owned, until it departs */
    struct exchange_spec spec;
    struct arena arena; /* of what `spec` points to */
    struct waiting *next;
};

void lanes_init(struct engine *e)
{
    e->lanes.queue = queue_create();
}

static void waiting_free(struct waiting *w)
{
    arena_release(&w->arena);
    xfree(w);
}

void lanes_release(struct engine *e)
{
    while (e->lanes.waiting != NULL) {
        struct waiting *w = e->lanes.waiting;
        e->lanes.waiting = w->next;
        leg_discard(w->leg);
        waiting_free(w);
    }
    queue_destroy(e->lanes.queue);
    e->lanes.queue = NULL;
}

/* Takes the one of a flight off the list; NULL: it has none. The caller frees it. */
static struct waiting *unlink_waiting(struct engine *e, uint64_t flight)
{
    for (struct waiting **at = &e->lanes.waiting; *at != NULL; at = &(*at)->next) {
        struct waiting *w = *at;
        if (w->leg->flight == flight) {
            *at = w->next;
            return w;
        }
    }
    return NULL;
}

/* -- how long it takes -- */

static struct pace *pace_of(struct engine *e, uint64_t key)
{
    for (size_t i = 0; i < LANE_PACES; i++) {
        if (e->lanes.paces[i].key == key) {
            return &e->lanes.paces[i];
        }
    }
    return NULL;
}

static struct pace *pace_to_learn(struct engine *e, uint64_t key)
{
    struct pace *p = pace_of(e, key);
    if (p == NULL) {
        p = &e->lanes.paces[e->lanes.next_pace++ % LANE_PACES];
        *p = (struct pace){.key = key};
    }
    return p;
}

/* Has the queue looked at where something may wait in it. */
static void look_again(struct engine *e)
{
    if (e->lanes.waiting != NULL || e->related.place != 0) {
        engine_post(e);
    }
}

void lane_on_text(struct engine *e, const struct leg *leg)
{
    if (leg->is_twin) {
        return;
    }
    if (!leg->has_begun && !leg->is_beside) {
        struct pace *p = pace_to_learn(e, leg->pace);
        p->first_us = metrics_smoothed(p->first_us, clock_now_us() - leg->began_us, SMOOTHING);
    }
    queue_text(e->lanes.queue, leg->flight);
    look_again(e); /* it may have shown that there are more places */
}

void lane_left(struct engine *e, const struct leg *leg)
{
    if (leg->is_twin) {
        return;
    }
    uint64_t now_us = clock_now_us();
    if (leg->has_begun && !leg->is_beside) {
        struct pace *p = pace_to_learn(e, leg->pace);
        p->takes_us = metrics_smoothed(p->takes_us, now_us - leg->began_us, SMOOTHING);
    }
    queue_done(e->lanes.queue, leg->flight, now_us);
    look_again(e); /* not now: this may be inside of what the flights are doing */
}

/* -- what the queue is told -- */

static void describe(struct engine *e, uint64_t endpoint)
{
    const struct endpoint *ep = upstream_find(e->options.upstream, endpoint);
    struct queue_lane lane = {.n_places = CLOUD_PLACES};
    if (ep != NULL) {
        bool is_near = ep->tier != TIER_CLOUD;
        bool is_told = ep->n_slots > 0;
        lane.n_places = is_told ? ep->n_slots : is_near ? 1 : CLOUD_PLACES;
        lane.is_learned = !is_told && is_near;
        lane.has_slots =
            e->options.pins_slots && is_told && (ep->ops->capabilities & PROVIDER_SLOTS) != 0;
        /* What loads on order has the model loaded before it is asked; another server that lists
         * several may change them as they are asked. */
        lane.may_swap =
            is_near && ep->n_models > 1 && ep->ops->encode_load == NULL && !ep->is_static;
    }
    queue_describe(e->lanes.queue, endpoint, &lane);
}

static struct queue_item item_of(struct engine *e, uint64_t endpoint, str model, uint64_t pace,
                                 enum queue_class class)
{
    const struct pace *p = pace_of(e, pace);
    struct queue_item item = {.endpoint = endpoint,
                              .model = hash_str(model),
                              .class = class,
                              .deadline_us = CLOCK_NEVER,
                              .takes_us = p != NULL ? p->takes_us : 0};
    if (class == QUEUE_TYPING) {
        item.deadline_us = clock_now_us() + TYPING_US;
        item.first_us = p != NULL ? p->first_us : 0;
        /* However slow it was: where nothing is in the way it is asked, since only that tells
         * whether it still is. */
        item.first_us = item.first_us < TYPING_US / 2 ? item.first_us : TYPING_US / 2;
    }
    return item;
}

bool lane_takes(struct engine *e, const struct asked *a, const struct route *r)
{
    if (e->options.off.queue) {
        return true;
    }
    describe(e, r->endpoint);
    uint64_t pace = hash_mix(leg_model(r), QUEUE_TYPING);
    struct queue_item item = item_of(e, r->endpoint, r->model, pace, QUEUE_TYPING);
    bool is_taken = queue_would_take(e->lanes.queue, &item, clock_now_us());
    if (!is_taken) {
        queue_count_dropped(e->lanes.queue);
        trace_why(&e->trace, a->trace, "not sent: %s is busy, its text could not come in time",
                  r->name);
    }
    return is_taken;
}

static uint64_t head_of(const struct generate *g)
{
    switch (g->shape) {
    case GENERATE_INFILL:
        return hash_str(str_sub(g->prefix, 0, HEAD_BYTES));
    case GENERATE_RAW:
        return hash_str(str_sub(g->prompt, 0, HEAD_BYTES));
    case GENERATE_CHAT:
        return hash_mix(hash_str(g->system), hash_str(str_sub(g->prompt, 0, HEAD_BYTES)));
    }
    return 0;
}

/* -- what the queue says -- */

static bool has_riders(const struct engine *e, uint64_t flight)
{
    uint64_t rider;
    return flights_riders(e->flights, flight, &rider, 1) > 0;
}

static void start(struct engine *e, const struct queue_order *order)
{
    if (order->id == e->related.place) {
        related_start(e);
        return;
    }
    struct waiting *w = unlink_waiting(e, order->id);
    ASSERT(w != NULL);
    if (w->leg->class == QUEUE_ASKED && !has_riders(e, order->id)) { /* taken back meanwhile */
        lane_left(e, w->leg);
        leg_discard(w->leg);
        waiting_free(w);
        flights_drop(e->flights, order->id);
        return;
    }
    w->spec.generate.slot = order->slot;
    w->leg->is_beside = w->spec.is_beside = order->is_beside;
    if (order->waited_us >= NOTICED_US) {
        char why[TRACE_WHY_BYTES];
        (void)snprintf(why, sizeof why, "waited %llu ms for a free slot",
                       (unsigned long long)order->waited_us / 1000);
        leg_note_riders(e, order->id, why);
        e->stats.n_waited++;
        histogram_add(&e->stats.waited, order->waited_us);
    }
    leg_depart(e, w->leg, &w->spec);
    waiting_free(w);
}

static void stop(struct engine *e, uint64_t flight)
{
    if (flight == e->related.place) {
        related_give_way(e);
        return;
    }
    if (has_riders(e, flight)) { /* it is wanted after all */
        queue_raise(e->lanes.queue, flight, QUEUE_TYPING, 0);
        return;
    }
    log_debug(LOG_FLIGHT, "flight=%llu gives way", (unsigned long long)flight);
    leg_give_way(e, flight);
}

static void carry_out(struct engine *e)
{
    struct queue_order order;
    while (queue_next(e->lanes.queue, clock_now_us(), &order)) {
        switch (order.what) {
        case QUEUE_START:
            start(e, &order);
            break;
        case QUEUE_STOP:
            stop(e, order.id);
            break;
        }
    }
}

/* -- legs -- */

static void keep_copy(struct waiting *w)
{
    struct generate *g = &w->spec.generate;
    str *texts[] = {&g->model,  &g->prefix,     &g->suffix,   &g->prompt,
                    &g->system, &g->extra_body, &g->loaded_as};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        *texts[i] = arena_dup(&w->arena, *texts[i]);
    }
    str *stops = arena_alloc(&w->arena, (g->n_stops + 1) * sizeof *stops);
    for (size_t i = 0; i < g->n_stops; i++) {
        stops[i] = arena_dup(&w->arena, g->stops[i]);
    }
    g->stops = stops;
}

/* Who asked by a command hears that it isn't forgotten. */
static void tell_wait(struct engine *e, const struct leg *leg)
{
    uint64_t rider;
    if (flights_riders(e->flights, leg->flight, &rider, 1) == 0) {
        return;
    }
    struct asked *a = engine_find(e, rider);
    if (a != NULL && a->chat != NULL && a->sink.on_wait != NULL) {
        char why[sizeof leg->name + 64];
        (void)snprintf(why, sizeof why, "waits until %s is free", leg->name);
        a->sink.on_wait(str_from(why), a->sink.user);
    }
}

void lane_enter(struct engine *e, struct leg *leg, const struct exchange_spec *spec)
{
    if (e->options.off.queue) {
        leg_depart(e, leg, spec);
        return;
    }
    describe(e, spec->endpoint);
    struct queue_item item =
        item_of(e, spec->endpoint, spec->generate.model, leg->pace, leg->class);
    item.id = leg->flight;
    item.document = leg->document;
    item.head = head_of(&spec->generate);
    item.n_places = spec->generate.n_texts;
    if (!queue_add(e->lanes.queue, &item, clock_now_us())) {
        log_warn(LOG_FLIGHT, "flight=%llu: too many wait, it goes at once",
                 (unsigned long long)leg->flight);
        leg_depart(e, leg, spec);
        return;
    }
    struct waiting *w = xcalloc(1, sizeof *w);
    w->leg = leg;
    w->spec = *spec;
    w->next = e->lanes.waiting;
    e->lanes.waiting = w;
    uint64_t flight = leg->flight;
    carry_out(e); /* it may have departed, and be gone */
    for (w = e->lanes.waiting; w != NULL && w->leg->flight != flight;) {
        w = w->next;
    }
    if (w != NULL) {
        keep_copy(w);
        tell_wait(e, w->leg);
    }
}

void lane_reserve(struct engine *e, uint64_t id, const struct route *r)
{
    describe(e, r->endpoint);
    uint64_t pace = hash_mix(leg_model(r), QUEUE_BACKGROUND);
    struct queue_item item = item_of(e, r->endpoint, r->model, pace, QUEUE_BACKGROUND);
    item.id = id;
    if (e->options.off.queue) {
        related_start(e);
    } else if (queue_add(e->lanes.queue, &item, clock_now_us())) {
        carry_out(e);
    } else {
        related_give_way(e);
    }
}

bool lane_abort(struct engine *e, uint64_t flight)
{
    struct waiting *w = unlink_waiting(e, flight);
    if (w == NULL) {
        return false;
    }
    lane_left(e, w->leg);
    leg_discard(w->leg);
    waiting_free(w);
    return true;
}

void lane_on_boarded(struct engine *e, const struct asked *a)
{
    if (a->boarded == BOARDED_FLYING) {
        queue_raise(e->lanes.queue, a->flight, QUEUE_TYPING, clock_now_us() + TYPING_US);
    }
}

/* -- what people ask about it -- */

struct queue_stats engine_lanes(const struct engine *e)
{
    return queue_stats(e->lanes.queue);
}

unsigned engine_places(const struct engine *e, uint64_t endpoint)
{
    return queue_places(e->lanes.queue, endpoint);
}

/* -- time -- */

uint64_t lanes_next_us(const struct engine *e)
{
    return queue_next_us(e->lanes.queue);
}

void lanes_tick(struct engine *e, uint64_t now_us)
{
    uint64_t flight;
    while (queue_late(e->lanes.queue, now_us, &flight)) {
        struct waiting *w = unlink_waiting(e, flight);
        ASSERT(w != NULL);
        struct error error;
        (void)error_set(&error, ERR_REJECTED, "%s was busy, its text could not come in time",
                        w->leg->name);
        uint64_t endpoint = w->leg->endpoint;
        leg_discard(w->leg);
        waiting_free(w);
        engine_fail(e, flight, endpoint, &error);
    }
    carry_out(e);
}
