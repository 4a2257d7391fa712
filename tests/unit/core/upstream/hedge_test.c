/* hedge_test.c - when a second endpoint is asked, and how often at most. */
#include "tests/unit/core/upstream/chance.h"

#include "core/upstream/hedge.h"

static struct hedge_call late_call(void)
{
    return (struct hedge_call){.is_enabled = true,
                               .is_inline = true,
                               .has_other = true,
                               .sent_us = SEC_TO_US(5),
                               .late_us = MS_TO_US(400)};
}

static struct hedge rich(void)
{
    struct hedge h = {0};
    for (unsigned i = 0; i < HEDGE_EVERY; i++) {
        hedge_earn(&h);
    }
    return h;
}

static void due_when_95_of_100_would_have_begun(void **state)
{
    (void)state;
    struct hedge h = rich(), poor = {0};
    struct hedge_call call = late_call();
    assert_int_equal(hedge_due_us(&h, &call), SEC_TO_US(5) + MS_TO_US(400));
    assert_int_equal(hedge_due_us(&poor, &call), CLOCK_NEVER);
    call.late_us = 1; /* a fast one isn't late by milliseconds */
    assert_int_equal(hedge_due_us(&h, &call), SEC_TO_US(5) + MS_TO_US(150));
    call.late_us = 0;
    assert_int_equal(hedge_due_us(&h, &call), CLOCK_NEVER);
    call = late_call();
    call.has_text = true;
    assert_int_equal(hedge_due_us(&h, &call), CLOCK_NEVER);
}

/* Every call pays a twentieth of a second one into a purse that holds two. Without its size the
 * purse would hold S(n) = calls - 20 hedges; what didn't go in is by how much S was ever above it
 * (Skorokhod's reflection). */
static void budget_is_what_its_history_says(void **state)
{
    (void)state;
    uint64_t n_events = chance_begin(), n_calls = 0, n_hedges = 0;
    int64_t most = 0;
    bool is_busy = false;
    struct hedge h = {0};
    for (uint64_t i = 0; i < n_events; i++) {
        int64_t sum = (int64_t)n_calls - 20 * (int64_t)n_hedges;
        most = sum - 40 > most ? sum - 40 : most;
        is_busy = chance_below(500) == 0 ? !is_busy : is_busy; /* times in which much is late */
        struct hedge_call call = {.is_enabled = chance_below(20) != 0,
                                  .is_inline = chance_below(10) != 0,
                                  .has_other = chance_below(10) != 0,
                                  .has_text = chance_below(is_busy ? 20 : 2) == 0,
                                  .sent_us = chance_below(SEC_TO_US(100000)),
                                  .late_us =
                                      chance_below(10) == 0 ? 0 : chance_below(SEC_TO_US(3))};
        bool may = call.is_enabled && call.is_inline && call.has_other && !call.has_text &&
                   call.late_us != 0 && sum - most >= 20;
        uint64_t late_us = call.late_us < 150000 ? 150000 : call.late_us;
        assert_int_equal(hedge_due_us(&h, &call), may ? call.sent_us + late_us : CLOCK_NEVER);
        if (may && chance_below(3) != 0) {
            hedge_spend(&h);
            n_hedges++;
        } else {
            hedge_earn(&h);
            n_calls++;
        }
        assert_int_equal(h.n_sent, n_hedges);
        assert_true(n_hedges * 20 <= n_calls); /* at most 5 % more load, from the first call on */
    }
    assert_true(n_hedges > n_events / 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(due_when_95_of_100_would_have_begun),
        cmocka_unit_test(budget_is_what_its_history_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
