/* health.c - averages of what calls report, looks at what is in trouble, the order of endpoints.
 *
 * How      Failures are averaged exponentially (a quarter for the newest), times to the first text
 *          twice, with a short and a long memory; one is slow when the short one is three times
 *          the long one. Each state is left at another threshold than it is entered by, so that
 *          the word that people see doesn't flicker.
 * Rules    Cancelled, loading and permanent ends say nothing. A look never makes GOOD: it makes
 *          UNKNOWN, and the next call decides. */
#include "core/upstream/health.h"

#include "core/base/clock.h"

#define FAILING_WEIGHT 0.25
#define FAILING_ENTER  0.5
#define FAILING_LEAVE  0.25
#define FAST_WEIGHT    0.25
#define USUAL_WEIGHT   (1.0 / 64)
#define SLOW_ENTER     3.0
#define SLOW_LEAVE     2.0
#define SLOW_MIN_US    1e6 /* sooner than that nobody is slow */
#define HEARD_ENOUGH   4u
#define LOCAL_ENOUGH   3u
#define WANTED_US      SEC_TO_US(60)
#define BACKOFF_US     SEC_TO_US(5)
#define BACKOFF_MAX_US SEC_TO_US(60)
#define NEAR_MIN_US    SEC_TO_US(1)
#define NEAR_SPREAD_US MS_TO_US(800)
#define FAR_MIN_US     SEC_TO_US(5)
#define FAR_SPREAD_US  SEC_TO_US(4)

const char *health_state_name(enum health_state state)
{
    static const char *const names[N_HEALTH_STATES] = {"good",    "unknown", "slow",
                                                       "failing", "down",    "blocked"};
    return names[state];
}

void health_init(struct health *h, bool is_near)
{
    *h = (struct health){.state = HEALTH_UNKNOWN, .is_near = is_near, .next_us = CLOCK_NEVER};
}

/* -- looks -- */

static bool is_in_trouble(const struct health *h)
{
    return h->state == HEALTH_FAILING || h->state == HEALTH_DOWN;
}

static uint64_t eager_us(const struct health *h, double dice)
{
    return h->is_near ? NEAR_MIN_US + (uint64_t)(dice * (double)NEAR_SPREAD_US)
                      : FAR_MIN_US + (uint64_t)(dice * (double)FAR_SPREAD_US);
}

static uint64_t patient_us(const struct health *h, double dice)
{
    unsigned n_before = h->n_vain_looks > 0 ? h->n_vain_looks - 1 : 0;
    unsigned shift = n_before < 5 ? n_before : 5;
    uint64_t us = BACKOFF_US << shift;
    us = us < BACKOFF_MAX_US ? us : BACKOFF_MAX_US;
    return (uint64_t)((double)us * (0.8 + 0.4 * dice));
}

static void plan(struct health *h, uint64_t now_us, double dice)
{
    bool is_wanted = h->wanted_us > 0 && now_us - h->wanted_us <= WANTED_US;
    h->next_us = !is_in_trouble(h) ? CLOCK_NEVER
                 : is_wanted       ? now_us + eager_us(h, dice)
                                   : now_us + patient_us(h, dice);
}

void health_looked(struct health *h, bool is_alive, uint64_t now_us, double dice)
{
    if (h->state == HEALTH_BLOCKED) {
        return;
    }
    if (is_alive) {
        h->n_vain_looks = 0;
        h->n_local_row = 0;
        if (is_in_trouble(h)) {
            h->state = HEALTH_UNKNOWN;
            h->failing = 0;
            h->n_heard = 0;
        }
    } else {
        h->n_vain_looks++;
        h->state = HEALTH_DOWN;
    }
    plan(h, now_us, dice);
}

void health_want(struct health *h, uint64_t now_us, double dice)
{
    h->wanted_us = now_us > 0 ? now_us : 1;
    uint64_t at_us = now_us + eager_us(h, dice);
    if (h->next_us != CLOCK_NEVER && at_us < h->next_us) {
        h->next_us = at_us;
    }
}

void health_block(struct health *h)
{
    h->state = HEALTH_BLOCKED;
    h->next_us = CLOCK_NEVER;
}

/* -- calls -- */

static double blend(double old, double sample, double weight, unsigned n_before)
{
    double first_weight = 1.0 / (n_before + 1.0); /* until there are enough: the plain mean */
    double w = first_weight > weight ? first_weight : weight;
    return old + (sample - old) * w;
}

static bool is_slow(const struct health *h)
{
    double factor = h->state == HEALTH_SLOW ? SLOW_LEAVE : SLOW_ENTER;
    return h->n_heard >= HEARD_ENOUGH && h->fast_us >= SLOW_MIN_US &&
           h->fast_us >= factor * h->usual_us;
}

static bool is_failing(const struct health *h)
{
    double limit = h->state == HEALTH_FAILING ? FAILING_LEAVE : FAILING_ENTER;
    return h->n_heard >= HEARD_ENOUGH && h->failing >= limit;
}

void health_hear(struct health *h, enum outcome outcome, uint64_t first_us, uint64_t now_us,
                 double dice)
{
    bool has_failed = outcome_is_failure(outcome);
    if (h->state == HEALTH_BLOCKED ||
        (!has_failed && outcome != OUTCOME_OK && outcome != OUTCOME_SLOW)) {
        return;
    }
    h->failing = blend(h->failing, has_failed ? 1 : 0, FAILING_WEIGHT, h->n_heard);
    if (!has_failed && first_us > 0) {
        h->fast_us = h->fast_us > 0 ? blend(h->fast_us, (double)first_us, FAST_WEIGHT, h->n_heard)
                                    : (double)first_us;
        h->usual_us = h->usual_us > 0
                          ? blend(h->usual_us, (double)first_us, USUAL_WEIGHT, h->n_heard)
                          : (double)first_us;
    }
    h->n_heard += h->n_heard < UINT32_MAX;
    h->n_local_row = outcome == OUTCOME_LOCAL ? h->n_local_row + 1 : 0;
    h->state = h->n_local_row >= LOCAL_ENOUGH ? HEALTH_DOWN
               : is_failing(h)                ? HEALTH_FAILING
               : is_slow(h)                   ? HEALTH_SLOW
                                              : HEALTH_GOOD;
    if (!is_in_trouble(h)) {
        h->n_vain_looks = 0;
        h->next_us = CLOCK_NEVER;
    } else if (h->next_us == CLOCK_NEVER) {
        plan(h, now_us, dice);
    }
}

/* -- the order -- */

static bool comes_before(const struct health_candidate *a, const struct health_candidate *b)
{
    if (a->state != b->state) {
        return a->state < b->state;
    }
    if (a->is_named && a->place != b->place) {
        return a->place < b->place;
    }
    if (a->tier != b->tier) {
        return a->tier < b->tier;
    }
    uint64_t a_us = a->expected_us > 0 ? a->expected_us : CLOCK_NEVER;
    uint64_t b_us = b->expected_us > 0 ? b->expected_us : CLOCK_NEVER;
    return a_us < b_us;
}

size_t health_order(const struct health_candidate *list, size_t n, size_t *order)
{
    size_t n_order = 0;
    bool has_names = false;
    for (size_t i = 0; i < n; i++) {
        has_names = has_names || list[i].is_named;
    }
    for (size_t i = 0; i < n; i++) {
        bool is_allowed = has_names ? list[i].is_named : list[i].tier == 0;
        if (!is_allowed || list[i].state == HEALTH_BLOCKED) {
            continue;
        }
        size_t at = n_order++;
        while (at > 0 && comes_before(&list[i], &list[order[at - 1]])) {
            order[at] = order[at - 1];
            at--;
        }
        order[at] = i;
    }
    return n_order;
}
