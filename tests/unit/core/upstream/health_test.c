/* health_test.c - words for states, looks at what is in trouble, the order of endpoints, hedging.
 */
#include "tests/unit/core/upstream/chance.h"

#include "core/upstream/health.h"
#include "core/upstream/hedge.h"

static void hear(struct health *h, enum outcome outcome, uint64_t first_us, int n)
{
    for (int i = 0; i < n; i++) {
        health_hear(h, outcome, first_us, 1000, 0.5);
    }
}

static void calls_decide_the_word(void **state)
{
    (void)state;
    struct health h;
    health_init(&h, true);
    assert_string_equal(health_state_name(h.state), "unknown");
    hear(&h, OUTCOME_CANCELLED, 0, 10);
    hear(&h, OUTCOME_LOADING, 0, 10);
    hear(&h, OUTCOME_PERMANENT, 0, 10);
    assert_int_equal(h.state, HEALTH_UNKNOWN);
    hear(&h, OUTCOME_OK, MS_TO_US(400), 100);
    assert_int_equal(h.state, HEALTH_GOOD);
    hear(&h, OUTCOME_SERVER, 0, 2);
    assert_int_equal(h.state, HEALTH_GOOD);
    hear(&h, OUTCOME_SERVER, 0, 1);
    assert_string_equal(health_state_name(h.state), "failing");
    hear(&h, OUTCOME_OK, MS_TO_US(400), 2);
    assert_int_equal(h.state, HEALTH_FAILING); /* it doesn't flicker */
    hear(&h, OUTCOME_OK, MS_TO_US(400), 2);
    assert_int_equal(h.state, HEALTH_GOOD);
    hear(&h, OUTCOME_OK, SEC_TO_US(4), 2);
    assert_string_equal(health_state_name(h.state), "slow");
    hear(&h, OUTCOME_OK, MS_TO_US(400), 8);
    assert_int_equal(h.state, HEALTH_GOOD);
    hear(&h, OUTCOME_LOCAL, 0, 3);
    assert_string_equal(health_state_name(h.state), "down");
    health_block(&h);
    hear(&h, OUTCOME_OK, 1, 10);
    health_looked(&h, true, 1, 0.5);
    assert_string_equal(health_state_name(h.state), "blocked");
    assert_true(h.next_us == CLOCK_NEVER);
}

static void good_ones_are_never_looked_at(void **state)
{
    (void)state;
    struct health h;
    health_init(&h, true);
    assert_true(h.next_us == CLOCK_NEVER);
    hear(&h, OUTCOME_OK, MS_TO_US(100), 50);
    health_want(&h, 1000, 0.5);
    assert_true(h.next_us == CLOCK_NEVER);
    hear(&h, OUTCOME_LOCAL, 0, 3);
    assert_in_range(h.next_us, SEC_TO_US(1), SEC_TO_US(2));
    health_looked(&h, true, SEC_TO_US(2), 0.5);
    assert_int_equal(h.state, HEALTH_UNKNOWN); /* it lives; whether it serves a call will say */
    assert_true(h.next_us == CLOCK_NEVER);
}

static void unwanted_ones_are_looked_at_less_and_less(void **state)
{
    (void)state;
    struct health h;
    uint64_t now_us = SEC_TO_US(1000), last_us = 0;
    health_init(&h, true);
    health_looked(&h, false, now_us, 0.5);
    for (int i = 0; i < 10; i++) {
        uint64_t wait_us = h.next_us - now_us;
        assert_true(wait_us >= last_us);
        assert_in_range(wait_us, SEC_TO_US(5), SEC_TO_US(72));
        last_us = wait_us;
        now_us = h.next_us;
        health_looked(&h, false, now_us, 0.5);
    }
    assert_int_equal(last_us, SEC_TO_US(60));
    health_want(&h, now_us, 0.5);
    assert_true(h.next_us - now_us < SEC_TO_US(2)); /* brought forward */
}

/* A server dies and comes back at random moments while somebody types. */
static void recovery_is_noticed_in_time(void **state)
{
    (void)state;
    uint64_t n_events = chance_begin(), now_us = SEC_TO_US(10), back_us = 0, n_back = 0;
    uint64_t n_looks = 0, died_us = 0;
    bool is_alive = true;
    struct health h;
    health_init(&h, true);
    for (uint64_t i = 0; i < n_events; i++) {
        now_us += chance_below(MS_TO_US(150));
        if (chance_below(400) == 0) {
            bool was_alive = is_alive;
            is_alive = !is_alive;
            back_us = is_alive ? now_us : 0;
            died_us = was_alive ? now_us : died_us;
            if (chance_below(10) == 0) {
                health_init(&h, chance_below(2) == 0);
            }
        }
        health_want(&h, now_us, chance_dice());
        if (now_us >= h.next_us) {
            n_looks++;
            health_looked(&h, is_alive, now_us, chance_dice());
        } else if (h.state != HEALTH_DOWN && h.state != HEALTH_FAILING) {
            health_hear(&h, is_alive ? OUTCOME_OK : OUTCOME_LOCAL, MS_TO_US(50), now_us,
                        chance_dice());
        }
        bool is_trusted = h.state != HEALTH_DOWN && h.state != HEALTH_FAILING;
        if (is_alive && is_trusted && back_us > 0) {
            /* the step of this test is what it may be later */
            assert_true(now_us - back_us <= SEC_TO_US(h.is_near ? 2 : 10));
            n_back++;
            back_us = 0;
        }
        assert_true(back_us == 0 || now_us - back_us <= SEC_TO_US(h.is_near ? 2 : 10));
    }
    assert_true(n_back > n_events / 2000);
    assert_true(n_looks * SEC_TO_US(1) <= now_us); /* never more than one in a second */
}

/* Fifty editors wait for one server. */
static void looks_of_many_are_spread(void **state)
{
    (void)state;
    enum { N = 50, SECONDS = 60 };
    static unsigned looks[10 * SECONDS + 20];
    (void)chance_begin();
    struct health all[N];
    for (int i = 0; i < N; i++) { /* all see it die in the same moment */
        health_init(&all[i], true);
        health_want(&all[i], 1, 0);
        health_looked(&all[i], false, 1, chance_dice());
    }
    for (uint64_t now_us = 1; now_us < SEC_TO_US(SECONDS); now_us += MS_TO_US(10)) {
        for (int i = 0; i < N; i++) {
            if (now_us >= all[i].next_us) {
                looks[now_us / MS_TO_US(100)]++;
                health_looked(&all[i], false, now_us, chance_dice());
            }
        }
    }
    for (int tenth = 100; tenth < 10 * (SECONDS - 1); tenth++) { /* mixed by now: 3.5 on average */
        assert_true(looks[tenth] <= 18);
    }
}

/* -- the order -- */

static void nobody_is_asked_whom_the_user_has_not_named(void **state)
{
    (void)state;
    size_t order[4];
    struct health_candidate list[] = {
        {.is_named = true, .place = 0, .tier = 0, .state = HEALTH_DOWN},
        {.is_named = false, .tier = 2, .state = HEALTH_GOOD},
        {.is_named = false, .tier = 0, .state = HEALTH_GOOD},
        {.is_named = true, .place = 1, .tier = 1, .state = HEALTH_BLOCKED}};
    assert_int_equal(health_order(list, 4, order), 1);
    assert_int_equal(order[0], 0);
    list[0].is_named = list[3].is_named = false;
    list[0].state = HEALTH_DOWN;
    assert_int_equal(health_order(list, 4, order), 2); /* this machine alone */
    assert_int_equal(order[0], 2);
    assert_int_equal(order[1], 0);
}

static void random_orders_keep_the_rules(void **state)
{
    (void)state;
    uint64_t n_events = chance_begin() / 4;
    for (uint64_t round = 0; round < n_events; round++) {
        struct health_candidate list[8];
        size_t order[8], n = (size_t)chance_below(9);
        bool has_names = false;
        for (size_t i = 0; i < n; i++) {
            list[i] =
                (struct health_candidate){.is_named = chance_below(3) == 0,
                                          .place = (unsigned)chance_below(4),
                                          .tier = (unsigned)chance_below(3),
                                          .state = (enum health_state)chance_below(N_HEALTH_STATES),
                                          .expected_us = chance_below(4) * 100};
            has_names = has_names || list[i].is_named;
        }
        size_t n_order = health_order(list, n, order), n_wanted = 0;
        for (size_t i = 0; i < n; i++) {
            bool is_allowed = list[i].is_named || (!has_names && list[i].tier == 0);
            n_wanted += is_allowed && list[i].state != HEALTH_BLOCKED;
        }
        assert_int_equal(n_order, n_wanted);
        for (size_t i = 0; i < n_order; i++) {
            const struct health_candidate *a = &list[order[i]];
            assert_true(has_names ? a->is_named : a->tier == 0);
            assert_true(a->state != HEALTH_BLOCKED);
            for (size_t k = i + 1; k < n_order; k++) {
                const struct health_candidate *b = &list[order[k]];
                assert_int_not_equal(order[i], order[k]);
                assert_true(a->state <= b->state);
                bool is_same = a->state == b->state;
                assert_true(!is_same || !a->is_named || a->place <= b->place);
                is_same = is_same && (!a->is_named || a->place == b->place);
                assert_true(!is_same || a->tier <= b->tier);
                is_same = is_same && a->tier == b->tier;
                assert_true(!is_same || a->expected_us == b->expected_us ||
                            (a->expected_us > 0 &&
                             (b->expected_us == 0 || a->expected_us < b->expected_us)));
                is_same = is_same && a->expected_us == b->expected_us;
                assert_true(!is_same || order[i] < order[k]);
            }
        }
    }
}

/* -- hedging -- */

static void hedges_are_one_in_twenty_at_most(void **state)
{
    (void)state;
    uint64_t n_calls = chance_begin();
    struct hedge h = {0};
    for (uint64_t i = 1; i <= n_calls; i++) {
        struct hedge_call call = {.is_enabled = chance_below(20) != 0,
                                  .is_inline = chance_below(4) != 0,
                                  .has_other = chance_below(4) != 0,
                                  .has_text = chance_below(4) == 0,
                                  .sent_us = i * 1000,
                                  .late_us = chance_below(3) * MS_TO_US(100)};
        hedge_earn(&h);
        uint64_t due_us = hedge_due_us(&h, &call);
        bool may = call.is_enabled && call.is_inline && call.has_other && !call.has_text &&
                   call.late_us > 0;
        assert_true(may || due_us == CLOCK_NEVER);
        if (due_us != CLOCK_NEVER) {
            uint64_t late_us = call.late_us > MS_TO_US(150) ? call.late_us : MS_TO_US(150);
            assert_int_equal(due_us, call.sent_us + late_us);
            hedge_spend(&h);
        }
        assert_true(h.n_sent * 20 <= i);
    }
    assert_true(h.n_sent > n_calls / 25);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_decide_the_word),
        cmocka_unit_test(good_ones_are_never_looked_at),
        cmocka_unit_test(unwanted_ones_are_looked_at_less_and_less),
        cmocka_unit_test(recovery_is_noticed_in_time),
        cmocka_unit_test(looks_of_many_are_spread),
        cmocka_unit_test(nobody_is_asked_whom_the_user_has_not_named),
        cmocka_unit_test(random_orders_keep_the_rules),
        cmocka_unit_test(hedges_are_one_in_twenty_at_most),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
