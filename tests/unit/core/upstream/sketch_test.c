/* sketch_test.c - quantiles with cut samples, against sorted lists and a plain Kaplan-Meier. */
#include "tests/unit/core/upstream/chance.h"

#include <string.h>

#include "core/upstream/sketch.h"

static void nothing_is_zero(void **state)
{
    (void)state;
    struct sketch s = {0};
    assert_int_equal(sketch_quantile(&s, 0.95), 0);
    assert_int_equal(sketch_count(&s), 0);
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static uint64_t random_us(void)
{
    return chance_below(1ull << (4 + chance_below(28)));
}

static void whole_samples_give_the_sorted_value(void **state)
{
    (void)state;
    uint64_t n_rounds = chance_begin() / 1000;
    for (uint64_t round = 0; round < n_rounds; round++) {
        struct sketch s = {0};
        uint64_t values[256];
        size_t n = 1 + (size_t)chance_below(256);
        for (size_t i = 0; i < n; i++) {
            values[i] = random_us();
            sketch_add(&s, values[i]);
        }
        qsort(values, n, sizeof values[0], compare);
        assert_int_equal(sketch_count(&s), n);
        for (size_t percent = 5; percent < 100; percent += 15) {
            size_t at = (n * percent + 99) / 100; /* the smallest k with k >= q * n */
            uint64_t exact = values[at - 1], got = sketch_quantile(&s, (double)percent / 100);
            assert_true(got >= exact);
            assert_true(got <= exact + exact / 16);
        }
    }
}

static void cut_samples_move_the_rest_up(void **state)
{
    (void)state;
    struct sketch s = {0};
    for (uint64_t i = 1; i <= 9; i++) {
        sketch_add(&s, i);
    }
    assert_int_equal(sketch_quantile(&s, 0.5), 5);
    /* four that took at least 4.5: of the five above, each stands for nearly two now */
    for (int i = 0; i < 4; i++) {
        sketch_add_cut(&s, 4);
    }
    /* S(4) = 9/13, S(5) = 9/13 * 4/5 = .55, S(6) = .41 */
    assert_int_equal(sketch_quantile(&s, 0.5), 6);
    for (int i = 0; i < 1000; i++) {
        sketch_add_cut(&s, 15);
    }
    assert_int_equal(sketch_quantile(&s, 0.5), 15); /* nobody can say: at least that */
}

/* The shape that learning from what is left gets wrong: half are slow, and people cancel those. */
static void slow_calls_that_are_cancelled_are_not_forgotten(void **state)
{
    (void)state;
    struct sketch with = {0}, without = {0};
    (void)chance_begin();
    for (int i = 0; i < 200; i++) {
        bool is_slow = chance_below(2) == 0;
        bool is_cancelled = is_slow && chance_below(10) != 0;
        uint64_t us = is_slow ? 900000 + chance_below(200000) : 90000 + chance_below(20000);
        if (!is_cancelled) {
            sketch_add(&with, us);
            sketch_add(&without, us);
        } else {
            sketch_add_cut(&with, 300000);
        }
    }
    assert_true(sketch_quantile(&without, 0.75) < 120000);
    assert_true(sketch_quantile(&with, 0.75) > 800000);
}

static void old_samples_fade(void **state)
{
    (void)state;
    struct sketch s = {0};
    for (int i = 0; i < 3000; i++) {
        sketch_add(&s, 8000000);
    }
    for (int i = 0; i < 2500; i++) {
        sketch_add(&s, 20000);
    }
    assert_in_range(sketch_quantile(&s, 0.95), 20000, 21250);
    assert_in_range(s.longest_us, 20000, 21250);
    assert_true(sketch_count(&s) <= 256);
}

/* -- against the reference -- */

#define MAX_DISTINCT 80

struct weight {
    uint64_t end_us;
    unsigned whole, cut;
};

static struct weight *weight_of(struct weight *list, size_t *n, uint64_t us)
{
    uint64_t end_us = histogram_bucket_end(histogram_bucket(us));
    size_t at = 0;
    while (at < *n && list[at].end_us < end_us) {
        at++;
    }
    if (at == *n || list[at].end_us != end_us) {
        assert_true(*n < MAX_DISTINCT);
        memmove(list + at + 1, list + at, (*n - at) * sizeof *list);
        list[at] = (struct weight){.end_us = end_us};
        ++*n;
    }
    return &list[at];
}

static uint64_t plain_quantile(const struct weight *list, size_t n, double q)
{
    double left = 1;
    uint64_t longest = 0;
    for (size_t i = 0; i < n; i++) {
        double n_at_risk = 0;
        for (size_t k = i; k < n; k++) {
            n_at_risk += list[k].whole + list[k].cut;
        }
        if (list[i].whole > 0) {
            left *= 1 - list[i].whole / n_at_risk;
            if (left <= 1 - q + 1e-9) { /* as near as floating point tells */
                return list[i].end_us;
            }
        }
        longest = list[i].whole + list[i].cut > 0 ? list[i].end_us : longest;
    }
    return longest;
}

static unsigned sum(const struct weight *list, size_t n, bool of_cut)
{
    unsigned total = 0;
    for (size_t i = 0; i < n; i++) {
        total += of_cut ? list[i].cut : list[i].whole;
    }
    return total;
}

static void random_samples_agree_with_a_plain_estimator(void **state)
{
    (void)state;
    uint64_t n_events = chance_begin(), durations[60];
    struct weight list[MAX_DISTINCT];
    struct sketch s = {0};
    size_t n = 0;
    unsigned cutting = 50;
    for (size_t i = 0; i < 60; i++) {
        durations[i] = random_us();
    }
    for (uint64_t i = 0; i < n_events; i++) {
        uint64_t us = durations[chance_below(60)];
        cutting = chance_below(1000) == 0 ? (unsigned)chance_below(100) : cutting;
        if (chance_below(100) < cutting) {
            uint64_t before = sketch_quantile(&s, 0.95);
            sketch_add_cut(&s, us);
            assert_true(sketch_quantile(&s, 0.95) >= before); /* never shorter */
            if (sum(list, n, true) + 16 <= 16 * 1024) {
                weight_of(list, &n, us)->cut += 16;
            }
        } else {
            if (sum(list, n, false) + 16 > 16 * 256) {
                for (size_t k = 0; k < n; k++) {
                    list[k].whole /= 2;
                    list[k].cut /= 2;
                }
            }
            sketch_add(&s, us);
            weight_of(list, &n, us)->whole += 16;
        }
        if (chance_below(16) == 0) {
            double q = 0.05 + 0.9 * chance_dice();
            assert_int_equal(sketch_quantile(&s, q), plain_quantile(list, n, q));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_zero),
        cmocka_unit_test(whole_samples_give_the_sorted_value),
        cmocka_unit_test(cut_samples_move_the_rest_up),
        cmocka_unit_test(slow_calls_that_are_cancelled_are_not_forgotten),
        cmocka_unit_test(old_samples_fade),
        cmocka_unit_test(random_samples_agree_with_a_plain_estimator),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
