/* breaker_test.c - the breaker on a virtual clock: its rules one by one, then random events against
 * a plain reference that remembers everything. */
#include "tests/unit/core/upstream/chance.h"

#include <string.h>

#include "core/upstream/breaker.h"

static const struct breaker_options near = {.is_near = true};
static const struct breaker_options far = {.is_near = false};

static uint64_t admit(struct breaker *b, uint64_t now_us)
{
    return breaker_admit(b, now_us, CLOCK_NEVER, false);
}

/* One call at `now_us` that ends at once. */
static void call(struct breaker *b, enum outcome outcome, uint64_t now_us)
{
    uint64_t ticket = admit(b, now_us);
    assert_int_not_equal(ticket, 0);
    breaker_report(b, ticket, outcome, now_us, 0.5);
}

static void open_with(struct breaker *b, const struct breaker_options *o, uint64_t now_us)
{
    breaker_init(b, o);
    for (int i = 0; i < 5; i++) {
        call(b, OUTCOME_SERVER, now_us);
    }
    assert_int_equal(b->state, BREAKER_OPEN);
}

/* -- closed -- */

static void fifth_failure_opens_and_four_do_not(void **state)
{
    (void)state;
    struct breaker b;
    breaker_init(&b, &far);
    for (int i = 0; i < 4; i++) {
        call(&b, OUTCOME_SERVER, 1000);
        assert_int_equal(b.state, BREAKER_CLOSED);
    }
    call(&b, OUTCOME_OVERLOAD, 1000);
    assert_int_equal(b.state, BREAKER_OPEN);
    assert_int_equal(admit(&b, 1000), 0);
    assert_int_equal(breaker_next_us(&b), 1000 + SEC_TO_US(2));
}

static void three_that_cannot_connect_open(void **state)
{
    (void)state;
    struct breaker b;
    breaker_init(&b, &near);
    call(&b, OUTCOME_OK, 1);
    call(&b, OUTCOME_OK, 1);
    call(&b, OUTCOME_OK, 1);
    call(&b, OUTCOME_LOCAL, 2);
    call(&b, OUTCOME_LOCAL, 2);
    call(&b, OUTCOME_OK, 3);
    call(&b, OUTCOME_LOCAL, 4);
    assert_int_equal(b.state, BREAKER_CLOSED);
    breaker_init(&b, &near);
    call(&b, OUTCOME_LOCAL, 1);
    call(&b, OUTCOME_LOCAL, 2);
    call(&b, OUTCOME_LOCAL, 3);
    assert_int_equal(b.state, BREAKER_OPEN);
}

static void half_of_the_window_opens_and_less_does_not(void **state)
{
    (void)state;
    struct breaker b;
    breaker_init(&b, &far);
    for (int i = 0; i < 100; i++) { /* two of five fail, never two thirds of a stretch */
        call(&b, i % 5 < 2 ? OUTCOME_SERVER : OUTCOME_OK, 1000);
        if (b.state != BREAKER_CLOSED) {
            break;
        }
    }
    /* fail fail ok ok ok fail: 3 of 6 */
    assert_int_equal(b.state, BREAKER_OPEN);
    breaker_init(&b, &far);
    for (int i = 0; i < 100; i++) { /* one of three: never half */
        call(&b, i % 3 == 2 ? OUTCOME_SERVER : OUTCOME_OK, 1000);
        assert_int_equal(b.state, BREAKER_CLOSED);
    }
}

static void old_failures_are_forgotten(void **state)
{
    (void)state;
    struct breaker b;
    breaker_init(&b, &far);
    for (uint64_t i = 0; i < 50; i++) {
        call(&b, OUTCOME_SERVER, i * SEC_TO_US(61));
        assert_int_equal(b.state, BREAKER_CLOSED);
    }
}

static void cancelled_loading_and_permanent_never_count(void **state)
{
    (void)state;
    static const enum outcome silent[] = {OUTCOME_CANCELLED, OUTCOME_LOADING, OUTCOME_PERMANENT};
    struct breaker b;
    breaker_init(&b, &near);
    for (int i = 0; i < 300; i++) {
        call(&b, silent[i % 3], 1);
        assert_int_equal(b.state, BREAKER_CLOSED);
    }
    call(&b, OUTCOME_LOCAL, 1);
    call(&b, OUTCOME_LOCAL, 1);
    call(&b, OUTCOME_CANCELLED, 1); /* nor do they break a row */
    call(&b, OUTCOME_LOCAL, 1);
    assert_int_equal(b.state, BREAKER_OPEN);
}

static void calls_that_are_all_slow_open(void **state)
{
    (void)state;
    struct breaker b;
    breaker_init(&b, &near);
    call(&b, OUTCOME_OK, 1);
    for (int i = 0; i < 3; i++) {
        call(&b, OUTCOME_SLOW, 1);
    }
    assert_int_equal(b.state, BREAKER_CLOSED);
    call(&b, OUTCOME_SLOW, 1);
    assert_int_equal(b.state, BREAKER_OPEN); /* four of five */
}

static void as_many_failures_as_the_settings_say(void **state)
{
    (void)state;
    static const unsigned counts[] = {1, 2, 20, 21, 300, 1000};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        struct breaker_options o = {.n_failures = counts[i]};
        struct breaker b;
        breaker_init(&b, &o);
        for (unsigned k = 0; k + 1 < counts[i]; k++) {
            call(&b, OUTCOME_SERVER, 1);
            assert_int_equal(b.state, BREAKER_CLOSED);
        }
        call(&b, OUTCOME_SERVER, 1);
        assert_int_equal(b.state, BREAKER_OPEN);
    }
}

/* -- open -- */

static void ladder_climbs_to_its_cap_and_no_further(void **state)
{
    (void)state;
    static const struct {
        struct breaker_options o;
        uint64_t base_us, cap_us;
    } cases[] = {{{.is_near = true}, MS_TO_US(500), SEC_TO_US(10)},
                 {{.is_near = false}, SEC_TO_US(2), SEC_TO_US(60)},
                 {{.recovery_us = SEC_TO_US(7)}, SEC_TO_US(2), SEC_TO_US(7)},
                 {{.recovery_us = MS_TO_US(1000), .is_near = true}, MS_TO_US(500), SEC_TO_US(1)}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct breaker b;
        uint64_t now_us = 1;
        open_with(&b, &cases[i].o, now_us);
        for (unsigned k = 1; k <= 50; k++) {
            uint64_t wanted = cases[i].base_us * k;
            wanted = wanted < cases[i].cap_us ? wanted : cases[i].cap_us;
            assert_int_equal(b.open_until_us - now_us, wanted);
            assert_int_equal(admit(&b, b.open_until_us - 1), 0);
            now_us = b.open_until_us;
            uint64_t trial = admit(&b, now_us);
            assert_int_not_equal(trial, 0);
            breaker_report(&b, trial, OUTCOME_SERVER, now_us, 0.5);
            assert_int_equal(b.state, BREAKER_OPEN);
        }
        uint64_t trial = admit(&b, now_us = b.open_until_us);
        breaker_report(&b, trial, OUTCOME_LOCAL, now_us, 0.999999);
        assert_in_range(b.open_until_us - now_us, 0, cases[i].cap_us);
        trial = admit(&b, now_us = b.open_until_us);
        breaker_report(&b, trial, OUTCOME_LOCAL, now_us, 0);
        assert_in_range(b.open_until_us - now_us, cases[i].cap_us * 8 / 10 - 1, cases[i].cap_us);
    }
}

static void minute_of_health_takes_one_step_off(void **state)
{
    (void)state;
    struct breaker b;
    open_with(&b, &far, 0);
    for (int k = 0; k < 4; k++) { /* five steps up */
        breaker_report(&b, admit(&b, b.open_until_us), OUTCOME_LOCAL, b.open_until_us, 0.5);
    }
    uint64_t now_us = b.open_until_us;
    call(&b, OUTCOME_OK, now_us);
    call(&b, OUTCOME_OK, now_us);
    assert_int_equal(b.state, BREAKER_CLOSED);
    now_us += SEC_TO_US(3 * 60) + 1;
    for (int i = 0; i < 5; i++) {
        call(&b, OUTCOME_SERVER, now_us);
    }
    assert_int_equal(b.open_until_us - now_us, SEC_TO_US(2) * 3); /* 5 - 3 + 1 */
}

static void person_who_asks_goes_past_once_in_two_seconds(void **state)
{
    (void)state;
    struct breaker b;
    open_with(&b, &far, 1);
    uint64_t trial = breaker_admit(&b, 10, CLOCK_NEVER, true);
    assert_int_not_equal(trial, 0);
    assert_int_equal(breaker_admit(&b, 11, CLOCK_NEVER, true), 0); /* there is one trial */
    breaker_report(&b, trial, OUTCOME_SERVER, 12, 0.5);
    assert_int_equal(b.state, BREAKER_OPEN);
    assert_int_equal(breaker_admit(&b, 13, CLOCK_NEVER, true), 0);
    assert_int_equal(breaker_admit(&b, 9 + SEC_TO_US(2), CLOCK_NEVER, true), 0);
    assert_int_not_equal(breaker_admit(&b, 10 + SEC_TO_US(2), CLOCK_NEVER, true), 0);
}

static void sign_of_life_and_waking_up_half_open(void **state)
{
    (void)state;
    struct breaker b;
    open_with(&b, &far, 1);
    breaker_alive(&b);
    assert_int_equal(b.state, BREAKER_HALF_OPEN);
    call(&b, OUTCOME_LOCAL, 2);
    assert_int_equal(b.state, BREAKER_OPEN);
    breaker_resume(&b, 3);
    assert_int_equal(b.state, BREAKER_HALF_OPEN);
    call(&b, OUTCOME_OK, 4);
    assert_int_equal(b.state, BREAKER_HALF_OPEN); /* one isn't enough */
    call(&b, OUTCOME_OK, 4);
    assert_int_equal(b.state, BREAKER_CLOSED);
    breaker_alive(&b);
    assert_int_equal(b.state, BREAKER_CLOSED);
}

static void calls_that_a_sleep_broke_do_not_count(void **state)
{
    (void)state;
    struct breaker b;
    uint64_t tickets[8];
    breaker_init(&b, &near);
    for (int i = 0; i < 8; i++) {
        tickets[i] = admit(&b, 1);
    }
    breaker_resume(&b, 2);
    for (int i = 0; i < 8; i++) {
        breaker_report(&b, tickets[i], OUTCOME_LOCAL, 3, 0.5);
    }
    assert_int_equal(b.state, BREAKER_CLOSED);
}

/* -- half-open -- */

static void one_trial_at_a_time_and_a_cancelled_one_frees_its_slot(void **state)
{
    (void)state;
    struct breaker b;
    open_with(&b, &near, 1);
    uint64_t now_us = b.open_until_us;
    uint64_t trial = admit(&b, now_us);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(admit(&b, now_us + 1), 0);
    }
    breaker_report(&b, trial, OUTCOME_CANCELLED, now_us + 2, 0.5);
    assert_int_equal(b.state, BREAKER_HALF_OPEN);
    trial = admit(&b, now_us + 3);
    assert_int_not_equal(trial, 0);
    breaker_report(&b, trial, OUTCOME_LOADING, now_us + 4, 0.5); /* lives: neither good nor bad */
    assert_int_equal(b.state, BREAKER_HALF_OPEN);
    assert_int_not_equal(admit(&b, now_us + 5), 0);
}

static void trial_that_nobody_ends_loses_its_slot_and_its_say(void **state)
{
    (void)state;
    struct breaker b;
    open_with(&b, &near, 1);
    uint64_t now_us = b.open_until_us;
    uint64_t lost = breaker_admit(&b, now_us, now_us + SEC_TO_US(3), false);
    assert_int_equal(breaker_next_us(&b), now_us + SEC_TO_US(3));
    assert_int_equal(admit(&b, now_us + SEC_TO_US(3) - 1), 0);
    uint64_t next = admit(&b, now_us + SEC_TO_US(3));
    assert_int_not_equal(next, 0);
    breaker_report(&b, lost, OUTCOME_LOCAL, now_us + SEC_TO_US(4), 0.5);
    assert_int_equal(b.state, BREAKER_HALF_OPEN);
    assert_true(b.has_trial);
    breaker_report(&b, next, OUTCOME_OK, now_us + SEC_TO_US(5), 0.5);
    assert_int_equal(b.n_served, 1);
    next = admit(&b, now_us + SEC_TO_US(6)); /* without a deadline: two minutes */
    assert_int_equal(breaker_next_us(&b), now_us + SEC_TO_US(126));
    assert_int_not_equal(next, 0);
}

static void late_results_of_another_era_say_nothing(void **state)
{
    (void)state;
    struct breaker b;
    breaker_init(&b, &near);
    uint64_t old = admit(&b, 1);
    for (int i = 0; i < 5; i++) {
        call(&b, OUTCOME_SERVER, 1);
    }
    uint64_t until_us = b.open_until_us;
    breaker_report(&b, old, OUTCOME_LOCAL, 2, 0.5);
    assert_int_equal(b.open_until_us, until_us);
    uint64_t trial = admit(&b, until_us);
    breaker_report(&b, old, OUTCOME_OK, until_us, 0.5);
    assert_int_equal(b.n_served, 0);
    assert_true(b.has_trial);
    breaker_report(&b, trial, OUTCOME_OK, until_us, 0.5);
    breaker_report(&b, trial, OUTCOME_OK, until_us, 0.5); /* twice the same: once */
    assert_int_equal(b.state, BREAKER_HALF_OPEN);
}

static void what_is_not_there_opens_at_once(void **state)
{
    (void)state;
    struct breaker b;
    breaker_init(&b, &near);
    breaker_trip(&b, 1, 0.5);
    assert_int_equal(b.state, BREAKER_OPEN);
    uint64_t until_us = b.open_until_us;
    breaker_trip(&b, 2, 0.5);
    assert_int_equal(b.open_until_us, until_us);
    assert_int_not_equal(admit(&b, until_us), 0);
    breaker_trip(&b, until_us, 0.5);
    assert_int_equal(b.open_until_us - until_us, MS_TO_US(1000));
    breaker_block(&b);
    breaker_trip(&b, until_us, 0.5);
    assert_int_equal(b.state, BREAKER_BLOCKED);
}

/* -- blocked -- */

static void blocked_stays_until_it_is_unblocked(void **state)
{
    (void)state;
    struct breaker b;
    breaker_init(&b, &near);
    breaker_unblock(&b, 1);
    uint64_t old = admit(&b, 1);
    breaker_block(&b);
    breaker_alive(&b);
    breaker_resume(&b, 2);
    breaker_report(&b, old, OUTCOME_OK, 2, 0.5);
    assert_int_equal(admit(&b, SEC_TO_US(86400)), 0);
    assert_int_equal(breaker_admit(&b, SEC_TO_US(86400), CLOCK_NEVER, true), 0);
    assert_true(breaker_next_us(&b) == CLOCK_NEVER);
    breaker_unblock(&b, 5);
    assert_int_equal(b.state, BREAKER_CLOSED);
    assert_int_not_equal(admit(&b, 6), 0);
}

/* -- against the reference -- */

/* Remembers every outcome since it last closed and judges by looking at all of them. */
struct reference {
    enum breaker_state state;
    unsigned least;
    bool is_near;
    uint64_t recovery_us;
    struct breaker_record all[512];
    size_t n_all;
    uint64_t current; /* ticket whose word counts; all of one number while closed */
    unsigned n_opened, n_served;
    uint64_t until_us, healthy_us, bypassed_us, trial_until_us;
    bool has_trial;
};

static bool is_bad(enum outcome o)
{
    return o == OUTCOME_LOCAL || o == OUTCOME_SERVER || o == OUTCOME_OVERLOAD;
}

/* Outcomes at the end of the list that `is` holds for, none a minute after the one before. */
static unsigned row(const struct reference *r, bool only_local)
{
    unsigned n = 0;
    for (size_t i = r->n_all; i > 0; i--) {
        const struct breaker_record *at = &r->all[i - 1];
        bool is_member = only_local ? at->outcome == OUTCOME_LOCAL : is_bad(at->outcome);
        bool is_near = i == r->n_all || r->all[i].at_us - at->at_us <= SEC_TO_US(60);
        if (!is_member || !is_near) {
            break;
        }
        n++;
    }
    return n;
}

static bool must_open(const struct reference *r, uint64_t now_us)
{
    unsigned n = 0, n_bad = 0, n_slow = 0;
    for (size_t i = r->n_all > 20 ? r->n_all - 20 : 0; i < r->n_all; i++) {
        if (now_us - r->all[i].at_us <= SEC_TO_US(60)) {
            n++;
            n_bad += is_bad(r->all[i].outcome);
            n_slow += r->all[i].outcome == OUTCOME_SLOW;
        }
    }
    bool by_rate = n >= r->least && n_bad >= n - n_bad;
    bool by_slowness = n >= r->least && n_slow * 10 >= n * 8;
    return by_rate || by_slowness || row(r, false) >= r->least || row(r, true) * 5 >= r->least * 3;
}

static void reference_open(struct reference *r, uint64_t now_us, double dice)
{
    while (r->state == BREAKER_CLOSED && now_us - r->healthy_us >= SEC_TO_US(60)) {
        r->healthy_us += SEC_TO_US(60);
        r->n_opened -= r->n_opened > 0;
    }
    uint64_t base_us = r->is_near ? 500000 : 2000000;
    uint64_t cap_us = r->is_near && r->recovery_us > 10000000 ? 10000000 : r->recovery_us;
    uint64_t us = base_us * ++r->n_opened;
    us = us > cap_us ? cap_us : us;
    us = (uint64_t)((double)us * (0.8 + 0.4 * dice));
    r->until_us = now_us + (us > cap_us ? cap_us : us);
    r->state = BREAKER_OPEN;
    r->n_all = 0;
    r->has_trial = false;
    r->current = 0;
}

static void reference_hear(struct reference *r, enum outcome outcome, uint64_t now_us, double dice)
{
    bool is_counted = outcome == OUTCOME_OK || outcome == OUTCOME_SLOW || is_bad(outcome);
    if (r->state == BREAKER_HALF_OPEN) {
        r->has_trial = false;
        r->current = 0;
        if (is_bad(outcome)) {
            reference_open(r, now_us, dice);
        } else if (is_counted && ++r->n_served == 2) {
            r->state = BREAKER_CLOSED;
            r->healthy_us = now_us;
            r->n_all = 0;
        }
    } else if (r->state == BREAKER_CLOSED && is_counted) {
        if (r->n_all == 512) {
            memmove(r->all, r->all + 256, 256 * sizeof r->all[0]);
            r->n_all = 256;
        }
        r->all[r->n_all++] = (struct breaker_record){now_us, outcome};
        if (outcome != OUTCOME_OK && must_open(r, now_us)) {
            reference_open(r, now_us, dice);
        }
    }
}

/* 0 refused, 1 admitted, 2 admitted as the trial */
static int reference_admit(struct reference *r, uint64_t now_us, uint64_t deadline_us,
                           bool is_explicit)
{
    bool is_due = r->state == BREAKER_OPEN && now_us >= r->until_us;
    bool is_free = r->state == BREAKER_HALF_OPEN && (!r->has_trial || now_us >= r->trial_until_us);
    bool is_bypass = r->state == BREAKER_OPEN && !is_due && is_explicit &&
                     (r->bypassed_us == 0 || now_us - r->bypassed_us >= SEC_TO_US(2));
    if (r->state == BREAKER_CLOSED) {
        return 1;
    }
    if (!is_due && !is_free && !is_bypass) {
        return 0;
    }
    if (is_bypass) {
        r->bypassed_us = now_us;
    }
    if (r->state == BREAKER_OPEN) {
        r->state = BREAKER_HALF_OPEN;
        r->n_served = 0;
    }
    r->has_trial = true;
    r->trial_until_us = now_us + SEC_TO_US(120);
    r->trial_until_us = deadline_us < r->trial_until_us ? deadline_us : r->trial_until_us;
    return 2;
}

static void reference_shake(struct reference *r, int what, uint64_t now_us)
{
    bool is_shaken = what != 0 || r->state == BREAKER_OPEN; /* 0 alive, 1 resume */
    if (is_shaken && (r->state == BREAKER_OPEN || r->state == BREAKER_HALF_OPEN)) {
        r->state = BREAKER_HALF_OPEN;
        r->has_trial = false;
        r->n_served = 0;
        r->current = 0;
    } else if (what == 1 && r->state == BREAKER_CLOSED) {
        r->n_all = 0;
        r->healthy_us = now_us;
    }
}

#define MAX_FLYING 8

struct flying {
    uint64_t ticket;
    uint64_t era; /* of the reference: which one this call belongs to */
};

struct world {
    struct breaker b;
    struct reference r;
    uint64_t now_us, era; /* grows when calls of before stop counting */
    struct flying flying[MAX_FLYING];
    size_t n_flying;
    uint64_t n_admitted, n_refused, n_opened, n_closed;
};

static void begin_world(struct world *w)
{
    struct breaker_options o = {.n_failures = (unsigned)chance_below(25),
                                .recovery_us = chance_below(3) * SEC_TO_US(30),
                                .is_near = chance_below(2) == 0};
    breaker_init(&w->b, &o);
    w->r = (struct reference){.least = o.n_failures ? o.n_failures : 5,
                              .recovery_us = o.recovery_us ? o.recovery_us : SEC_TO_US(60),
                              .is_near = o.is_near};
    w->n_flying = 0;
    w->era++;
}

static void step_admit(struct world *w)
{
    bool is_explicit = chance_below(4) == 0;
    uint64_t deadline_us =
        chance_below(3) == 0 ? CLOCK_NEVER : w->now_us + 1 + chance_below(SEC_TO_US(150));
    bool would = breaker_would_admit(&w->b, w->now_us);
    int wanted = reference_admit(&w->r, w->now_us, deadline_us, is_explicit);
    uint64_t ticket = breaker_admit(&w->b, w->now_us, deadline_us, is_explicit);
    assert_int_equal(ticket != 0, wanted != 0);
    assert_true(is_explicit || would == (ticket != 0));
    w->n_admitted += ticket != 0;
    w->n_refused += ticket == 0;
    w->era += wanted == 2;
    if (ticket != 0) {
        if (w->n_flying == MAX_FLYING) { /* its end is never heard: a leak the breaker survives */
            memmove(w->flying, w->flying + 1, (MAX_FLYING - 1) * sizeof w->flying[0]);
            w->n_flying--;
        }
        w->flying[w->n_flying++] = (struct flying){ticket, w->era};
    }
}

static void step_report(struct world *w, unsigned badness)
{
    if (w->n_flying == 0) {
        return;
    }
    size_t at = (size_t)chance_below(w->n_flying);
    struct flying f = w->flying[at];
    w->flying[at] = w->flying[--w->n_flying];
    enum outcome outcome = chance_below(100) < badness
                               ? (enum outcome)(OUTCOME_LOCAL + (int)chance_below(3))
                               : (enum outcome)chance_below(N_OUTCOMES);
    outcome = chance_below(3) == 0 ? OUTCOME_OK : outcome;
    double dice = chance_dice();
    enum breaker_state before = w->r.state;
    if (f.era == w->era) {
        bool was_trial = before == BREAKER_HALF_OPEN;
        reference_hear(&w->r, outcome, w->now_us, dice);
        w->era += was_trial || w->r.state != before;
    }
    breaker_report(&w->b, f.ticket, outcome, w->now_us, dice);
    w->n_opened += w->r.state == BREAKER_OPEN && before != BREAKER_OPEN;
    w->n_closed += w->r.state == BREAKER_CLOSED && before != BREAKER_CLOSED;
}

static void step_shake(struct world *w)
{
    int what = (int)chance_below(2);
    enum breaker_state before = w->r.state;
    reference_shake(&w->r, what, w->now_us);
    w->era += what == 1 || w->r.state != before;
    if (what == 0) {
        breaker_alive(&w->b);
    } else {
        breaker_resume(&w->b, w->now_us);
    }
}

static void check_world(const struct world *w)
{
    assert_int_equal(w->b.state, w->r.state);
    switch (w->b.state) {
    case BREAKER_CLOSED:
        break;
    case BREAKER_OPEN:
        assert_int_equal(breaker_next_us(&w->b), w->r.until_us);
        assert_in_range(breaker_next_us(&w->b) - w->now_us + SEC_TO_US(600), 1, SEC_TO_US(660));
        break;
    case BREAKER_HALF_OPEN:
        assert_int_equal(w->b.has_trial, w->r.has_trial);
        assert_true(!w->b.has_trial || breaker_next_us(&w->b) == w->r.trial_until_us);
        break;
    case BREAKER_BLOCKED:
        fail();
    }
}

static void random_events_agree_with_the_reference(void **state)
{
    (void)state;
    uint64_t n_events = chance_begin();
    struct world w = {.now_us = 1};
    unsigned badness = 50;
    begin_world(&w);
    for (uint64_t i = 0; i < n_events; i++) {
        if (chance_below(2000) == 0) {
            begin_world(&w);
        }
        badness = chance_below(100) == 0 ? (unsigned)chance_below(101) : badness;
        uint64_t step_us = chance_below(20) == 0 ? SEC_TO_US(40) : MS_TO_US(400);
        w.now_us += chance_below(step_us);
        uint64_t event = chance_below(100);
        if (event < 48) {
            step_admit(&w);
        } else if (event < 98) {
            step_report(&w, badness);
        } else {
            step_shake(&w);
        }
        check_world(&w);
    }
    /* the run has been everywhere */
    assert_true(w.n_admitted > n_events / 10);
    assert_true(w.n_refused > n_events / 100);
    assert_true(w.n_opened > n_events / 1000);
    assert_true(w.n_closed > n_events / 10000);
    print_message("admitted %llu refused %llu opened %llu closed %llu\n",
                  (unsigned long long)w.n_admitted, (unsigned long long)w.n_refused,
                  (unsigned long long)w.n_opened, (unsigned long long)w.n_closed);
}

/* Whatever happens, there is a way back: a server that serves from now on is served again. */
static void every_state_has_an_exit(void **state)
{
    (void)state;
    struct world w = {.now_us = 1};
    (void)chance_begin();
    for (int round = 0; round < 300; round++) {
        begin_world(&w);
        for (int i = 0; i < 200; i++) {
            w.now_us += chance_below(MS_TO_US(300));
            (chance_below(2) == 0 ? step_admit : step_shake)(&w);
            step_report(&w, 90);
        }
        uint64_t from_us = w.now_us;
        for (int i = 0; w.b.state != BREAKER_CLOSED; i++) {
            assert_true(i < 4 + 2);
            uint64_t ticket = admit(&w.b, w.now_us);
            if (ticket != 0) {
                breaker_report(&w.b, ticket, OUTCOME_OK, w.now_us, 0.5);
            } else {
                w.now_us = breaker_next_us(&w.b);
                assert_true(w.now_us != CLOCK_NEVER);
            }
        }
        assert_true(w.now_us - from_us <= SEC_TO_US(120));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fifth_failure_opens_and_four_do_not),
        cmocka_unit_test(three_that_cannot_connect_open),
        cmocka_unit_test(half_of_the_window_opens_and_less_does_not),
        cmocka_unit_test(old_failures_are_forgotten),
        cmocka_unit_test(cancelled_loading_and_permanent_never_count),
        cmocka_unit_test(calls_that_are_all_slow_open),
        cmocka_unit_test(as_many_failures_as_the_settings_say),
        cmocka_unit_test(ladder_climbs_to_its_cap_and_no_further),
        cmocka_unit_test(minute_of_health_takes_one_step_off),
        cmocka_unit_test(person_who_asks_goes_past_once_in_two_seconds),
        cmocka_unit_test(sign_of_life_and_waking_up_half_open),
        cmocka_unit_test(calls_that_a_sleep_broke_do_not_count),
        cmocka_unit_test(one_trial_at_a_time_and_a_cancelled_one_frees_its_slot),
        cmocka_unit_test(trial_that_nobody_ends_loses_its_slot_and_its_say),
        cmocka_unit_test(late_results_of_another_era_say_nothing),
        cmocka_unit_test(what_is_not_there_opens_at_once),
        cmocka_unit_test(blocked_stays_until_it_is_unblocked),
        cmocka_unit_test(random_events_agree_with_the_reference),
        cmocka_unit_test(every_state_has_an_exit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
