/* threshold_test.c - the staircase: what moves it, what doesn't, where it settles. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/base/hash.h"
#include "core/request/threshold.h"

static struct threshold at(double start, bool is_adaptive)
{
    struct threshold t = {0};
    threshold_configure(&t, start, is_adaptive);
    return t;
}

static void refusal_raises_more_than_acceptance_lowers(void **state)
{
    (void)state;
    struct threshold t = at(0.85, true);
    threshold_refused(&t);
    double up = t.value - 0.85;
    assert_true(up > 0);
    threshold_accepted(&t, t.value);
    double down = 0.85 + up - t.value;
    assert_true(down > 0 && up > 15 * down);
    assert_int_equal(t.n_refused, 1);
    assert_int_equal(t.n_accepted, 1);
}

static void nearly_equal_code_says_nothing_about_the_threshold(void **state)
{
    (void)state;
    struct threshold t = at(0.85, true);
    for (int i = 0; i < 1000; i++) {
        threshold_accepted(&t, 1.0);
    }
    assert_true(t.value == 0.85);
    assert_int_equal(t.n_accepted, 1000);
}

static void value_stays_within_its_bounds(void **state)
{
    (void)state;
    struct threshold t = at(0.85, true);
    for (int i = 0; i < 1000; i++) {
        threshold_refused(&t);
    }
    assert_true(t.value == THRESHOLD_CEILING);
    for (int i = 0; i < 1000; i++) {
        threshold_accepted(&t, t.value);
    }
    assert_true(t.value == THRESHOLD_FLOOR);
}

static void start_outside_of_the_bounds_moves_them(void **state)
{
    (void)state;
    struct threshold high = at(0.99, true);
    assert_true(high.value == 0.99 && !threshold_is_off(&high));
    threshold_refused(&high);
    assert_true(high.value == 0.99);
    struct threshold low = at(0.5, true);
    threshold_accepted(&low, 0.5);
    assert_true(low.value == 0.5);
    threshold_refused(&low);
    assert_true(low.value > 0.5);
}

static void switched_off_and_fixed(void **state)
{
    (void)state;
    struct threshold t = at(1, true);
    assert_true(threshold_is_off(&t));
    t = at(0.85, false);
    assert_false(threshold_is_off(&t));
    threshold_refused(&t);
    threshold_accepted(&t, 0.85);
    assert_true(t.value == 0.85);
    assert_int_equal(t.n_refused, 1); /* counted all the same */
}

static void same_settings_keep_what_was_learned(void **state)
{
    (void)state;
    struct threshold t = at(0.85, true);
    threshold_refused(&t);
    double learned = t.value;
    threshold_configure(&t, 0.85, true);
    assert_true(t.value == learned);
    threshold_configure(&t, 0.9, true);
    assert_true(t.value == 0.9);
    struct threshold none = {0};
    threshold_configure(&none, 0, false); /* what it says already, but was never said */
    assert_true(none.ceiling == THRESHOLD_CEILING && none.floor == 0);
}

/* A person who takes what is at least `demand` alike and is shown all that the threshold lets
 * through: the value comes to stay near the demand. */
static double settles_at(double demand, uint64_t seed, double *refused_share)
{
    struct threshold t = at(0.85, true);
    unsigned n_late = 0, n_refused = 0;
    double sum = 0;
    for (unsigned i = 0; i < 20000; i++) {
        seed = hash_mix(seed, i);
        double likeness = 0.75 + (double)(seed >> 11) / 9007199254740992.0 * 0.25;
        if (likeness < t.value) {
            continue;
        }
        bool is_refused = likeness < demand;
        if (is_refused) {
            threshold_refused(&t);
        } else {
            threshold_accepted(&t, likeness);
        }
        if (i >= 10000) {
            n_late++;
            n_refused += is_refused;
            sum += t.value;
        }
    }
    *refused_share = (double)n_refused / n_late;
    return sum / n_late;
}

static void it_settles_at_what_the_person_wants(void **state)
{
    (void)state;
    uint64_t seed;
    random_bytes(&seed, sizeof seed);
    print_message("seed %llu\n", (unsigned long long)seed);
    const double demands[] = {0.83, 0.87, 0.91, 0.95};
    for (size_t i = 0; i < sizeof demands / sizeof demands[0]; i++) {
        double share = 0;
        double value = settles_at(demands[i], seed, &share);
        print_message("demand %.2f: settles at %.3f, %.1f %% refused\n", demands[i], value,
                      100 * share);
        assert_true(value > demands[i] - 0.03 && value < demands[i] + 0.03);
        assert_true(share < 0.08);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refusal_raises_more_than_acceptance_lowers),
        cmocka_unit_test(nearly_equal_code_says_nothing_about_the_threshold),
        cmocka_unit_test(value_stays_within_its_bounds),
        cmocka_unit_test(start_outside_of_the_bounds_moves_them),
        cmocka_unit_test(switched_off_and_fixed),
        cmocka_unit_test(same_settings_keep_what_was_learned),
        cmocka_unit_test(it_settles_at_what_the_person_wants),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
