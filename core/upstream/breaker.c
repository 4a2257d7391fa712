/* breaker.c - the circuit breaker: counting, opening, trying again.
 *
 * Why      Libraries for data centres judge by a hundred calls (Resilience4j) or by half a minute
 *          times the number of ejections (Envoy). One person makes few calls and looks at the
 *          screen meanwhile, so little evidence must do, and a mistake must be over soon.
 * How      CLOSED opens by any of four rules: of the last 20 outcomes of 60 s at least n_failures
 *          are there and half of them failed; n_failures failed in a row; three fifths of that
 *          many couldn't even connect, in a row; four fifths of at least n_failures were slow.
 *          Where n_failures is more than the ring holds only the rules "in a row" can speak.
 *          OPEN lasts min(cap, base * k) * U(0.8, 1.2), never above the cap, k being how often it
 *          opened in a row; each minute of health takes one off k.
 * Rules    One writer of the state. A ticket is the era in which it was given: a new era begins
 *          with each state and with each trial, so late results find none that is theirs. */
#include "core/upstream/breaker.h"

#include "core/base/clock.h"

#define DEFAULT_FAILURES    5u
#define DEFAULT_RECOVERY_US SEC_TO_US(60)
#define WINDOW_US           SEC_TO_US(60)
#define NEAR_BASE_US        MS_TO_US(500)
#define NEAR_CAP_US         SEC_TO_US(10)
#define FAR_BASE_US         SEC_TO_US(2)
#define FORGIVE_US          SEC_TO_US(60) /* of health take one step off the ladder */
#define BYPASS_US           SEC_TO_US(2)
#define TRIAL_MAX_US        SEC_TO_US(120)
#define SERVED_ENOUGH       2u

const char *breaker_state_name(enum breaker_state state)
{
    static const char *const names[] = {"closed", "open", "half-open", "blocked"};
    return names[state];
}

static void clear_counts(struct breaker *b)
{
    b->n_records = 0;
    b->n_failed_row = b->n_local_row = 0;
}

/* The one writer of `state`. */
static void set_state(struct breaker *b, enum breaker_state state)
{
    b->state = state;
    b->era++;
    b->has_trial = false;
    b->n_served = 0;
}

void breaker_configure(struct breaker *b, const struct breaker_options *options)
{
    b->options = *options;
    if (b->options.n_failures == 0) {
        b->options.n_failures = DEFAULT_FAILURES;
    }
    if (b->options.recovery_us == 0) {
        b->options.recovery_us = DEFAULT_RECOVERY_US;
    }
}

void breaker_init(struct breaker *b, const struct breaker_options *options)
{
    *b = (struct breaker){.state = BREAKER_CLOSED, .era = 1};
    breaker_configure(b, options);
}

/* -- opening -- */

static uint64_t open_for_us(const struct breaker *b, double dice)
{
    const struct breaker_options *o = &b->options;
    uint64_t base_us = o->is_near ? NEAR_BASE_US : FAR_BASE_US;
    uint64_t cap_us = o->is_near && o->recovery_us > NEAR_CAP_US ? NEAR_CAP_US : o->recovery_us;
    uint64_t us = b->n_opened <= cap_us / base_us ? base_us * b->n_opened : cap_us;
    us = (uint64_t)((double)us * (0.8 + 0.4 * dice));
    return us < cap_us ? us : cap_us;
}

/* Each minute of health since it closed takes one off. */
static void climb_down(struct breaker *b, uint64_t now_us)
{
    uint64_t n_steps = now_us > b->healthy_us ? (now_us - b->healthy_us) / FORGIVE_US : 0;
    b->n_opened = n_steps < b->n_opened ? b->n_opened - (unsigned)n_steps : 0;
    b->healthy_us += n_steps * FORGIVE_US;
}

static void open_up(struct breaker *b, uint64_t now_us, double dice)
{
    if (b->state == BREAKER_CLOSED) {
        climb_down(b, now_us);
    }
    if (b->n_opened < UINT32_MAX) {
        b->n_opened++;
    }
    b->n_opens++;
    b->open_until_us = now_us + open_for_us(b, dice);
    clear_counts(b);
    set_state(b, BREAKER_OPEN);
}

static const struct breaker_record *newest(const struct breaker *b)
{
    return b->n_records > 0 ? &b->ring[(b->n_records - 1) % BREAKER_RING] : NULL;
}

static void record(struct breaker *b, enum outcome outcome, uint64_t now_us)
{
    const struct breaker_record *last = newest(b);
    if (last && now_us - last->at_us > WINDOW_US) {
        b->n_failed_row = b->n_local_row = 0;
    }
    b->n_failed_row = outcome_is_failure(outcome) ? b->n_failed_row + 1 : 0;
    b->n_local_row = outcome == OUTCOME_LOCAL ? b->n_local_row + 1 : 0;
    b->ring[b->n_records++ % BREAKER_RING] = (struct breaker_record){now_us, outcome};
}

static bool has_failed_enough(const struct breaker *b, uint64_t now_us)
{
    unsigned n = 0, n_failed = 0, n_slow = 0, least = b->options.n_failures;
    uint64_t n_kept = b->n_records < BREAKER_RING ? b->n_records : BREAKER_RING;
    for (uint64_t i = 0; i < n_kept; i++) {
        const struct breaker_record *r = &b->ring[i];
        if (now_us - r->at_us <= WINDOW_US) {
            n++;
            n_failed += outcome_is_failure(r->outcome);
            n_slow += r->outcome == OUTCOME_SLOW;
        }
    }
    unsigned least_local = (unsigned)((3 * (uint64_t)least + 4) / 5);
    return b->n_failed_row >= least || b->n_local_row >= least_local ||
           (n >= least && (2 * n_failed >= n || 5 * n_slow >= 4 * n));
}

/* -- admitting -- */

static void half_open(struct breaker *b)
{
    set_state(b, BREAKER_HALF_OPEN);
}

static uint64_t give_trial(struct breaker *b, uint64_t now_us, uint64_t deadline_us)
{
    uint64_t latest_us = now_us + TRIAL_MAX_US;
    b->era++;
    b->has_trial = true;
    b->trial_until_us = deadline_us < latest_us && deadline_us > now_us ? deadline_us : latest_us;
    return b->era;
}

static bool is_slot_free(const struct breaker *b, uint64_t now_us)
{
    return !b->has_trial || now_us >= b->trial_until_us;
}

uint64_t breaker_admit(struct breaker *b, uint64_t now_us, uint64_t deadline_us, bool is_explicit)
{
    bool may_bypass = is_explicit && (b->bypassed_us == 0 || now_us - b->bypassed_us >= BYPASS_US);
    switch (b->state) {
    case BREAKER_CLOSED:
        return b->era;
    case BREAKER_OPEN:
        if (now_us >= b->open_until_us) {
            half_open(b);
            return give_trial(b, now_us, deadline_us);
        }
        if (may_bypass) {
            b->bypassed_us = now_us;
            half_open(b);
            return give_trial(b, now_us, deadline_us);
        }
        break;
    case BREAKER_HALF_OPEN:
        if (is_slot_free(b, now_us)) {
            return give_trial(b, now_us, deadline_us);
        }
        break;
    case BREAKER_BLOCKED:
        break;
    }
    b->n_refused++;
    return 0;
}

bool breaker_would_admit(const struct breaker *b, uint64_t now_us)
{
    switch (b->state) {
    case BREAKER_CLOSED:
        return true;
    case BREAKER_OPEN:
        return now_us >= b->open_until_us;
    case BREAKER_HALF_OPEN:
        return is_slot_free(b, now_us);
    case BREAKER_BLOCKED:
        return false;
    }
    return false;
}

/* -- hearing -- */

static bool counts(enum outcome outcome)
{
    return outcome == OUTCOME_OK || outcome == OUTCOME_SLOW || outcome_is_failure(outcome);
}

static void hear_trial(struct breaker *b, enum outcome outcome, uint64_t now_us, double dice)
{
    b->has_trial = false;
    if (outcome_is_failure(outcome)) {
        open_up(b, now_us, dice);
    } else if (counts(outcome) && ++b->n_served >= SERVED_ENOUGH) {
        clear_counts(b);
        b->healthy_us = now_us;
        set_state(b, BREAKER_CLOSED);
    }
}

void breaker_report(struct breaker *b, uint64_t ticket, enum outcome outcome, uint64_t now_us,
                    double dice)
{
    if (ticket != b->era) {
        return;
    }
    if (b->state == BREAKER_HALF_OPEN && b->has_trial) {
        hear_trial(b, outcome, now_us, dice);
    } else if (b->state == BREAKER_CLOSED && counts(outcome)) {
        record(b, outcome, now_us);
        if (outcome != OUTCOME_OK && has_failed_enough(b, now_us)) {
            open_up(b, now_us, dice);
        }
    }
}

void breaker_alive(struct breaker *b)
{
    if (b->state == BREAKER_OPEN) {
        half_open(b);
    }
}

void breaker_resume(struct breaker *b, uint64_t now_us)
{
    switch (b->state) {
    case BREAKER_CLOSED:
        clear_counts(b); /* calls that the sleep broke aren't the server's fault */
        b->healthy_us = now_us;
        b->era++;
        break;
    case BREAKER_OPEN:
    case BREAKER_HALF_OPEN:
        half_open(b);
        break;
    case BREAKER_BLOCKED:
        break;
    }
}

void breaker_trip(struct breaker *b, uint64_t now_us, double dice)
{
    if (b->state == BREAKER_CLOSED || b->state == BREAKER_HALF_OPEN) {
        open_up(b, now_us, dice);
    }
}

void breaker_block(struct breaker *b)
{
    if (b->state != BREAKER_BLOCKED) {
        set_state(b, BREAKER_BLOCKED);
    }
}

void breaker_unblock(struct breaker *b, uint64_t now_us)
{
    if (b->state == BREAKER_BLOCKED) {
        clear_counts(b);
        b->n_opened = 0;
        b->healthy_us = now_us;
        set_state(b, BREAKER_CLOSED);
    }
}

uint64_t breaker_next_us(const struct breaker *b)
{
    switch (b->state) {
    case BREAKER_OPEN:
        return b->open_until_us;
    case BREAKER_HALF_OPEN:
        return b->has_trial ? b->trial_until_us : CLOCK_NEVER;
    case BREAKER_CLOSED:
    case BREAKER_BLOCKED:
        break;
    }
    return CLOCK_NEVER;
}
