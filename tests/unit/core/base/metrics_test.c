/* metrics_test.c - quantiles against sorted values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "core/base/hash.h"
#include "core/base/metrics.h"

static void histogram_of_nothing_is_zero(void **state)
{
    (void)state;
    struct histogram h = {0};
    assert_int_equal(histogram_quantile(&h, 0.5), 0);
    assert_int_equal(histogram_mean(&h), 0);
}

static void histogram_is_right_within_a_sixteenth(void **state)
{
    (void)state;
    for (uint64_t us = 0; us < SIZE_MAX / 4 && us < 3600000000u; us += 1 + us / 37) {
        struct histogram h = {0};
        histogram_add(&h, us);
        histogram_add(&h, UINT64_MAX); /* else the maximum would answer */
        uint64_t got = histogram_quantile(&h, 0.5);
        assert_true(got >= us);
        assert_true(got <= us + us / 16);
    }
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static void histogram_quantiles_agree_with_sorting(void **state)
{
    static uint64_t values[5000];
    static const double quantiles[] = {0, 0.01, 0.5, 0.9, 0.95, 0.99, 1};
    (void)state;
    struct histogram h = {0};
    uint64_t sum = 0;
    for (size_t i = 0; i < 5000; i++) {
        uint64_t r = hash_keyed((uint64_t[2]){3, 4}, &i, sizeof i);
        values[i] = (r >> 40) >> (r % 24); /* small ones as often as large ones */
        sum += values[i];
        histogram_add(&h, values[i]);
    }
    qsort(values, 5000, sizeof values[0], compare);
    for (size_t i = 0; i < sizeof quantiles / sizeof quantiles[0]; i++) {
        size_t rank = (size_t)(quantiles[i] * 5000 + 0.999999);
        uint64_t exact = values[rank > 0 ? rank - 1 : 0];
        uint64_t got = histogram_quantile(&h, quantiles[i]);
        assert_true(got >= exact && got <= exact + exact / 16);
    }
    assert_int_equal(histogram_mean(&h), sum / 5000);
    assert_int_equal(h.n, 5000);
    assert_int_equal(histogram_quantile(&h, 1), values[4999]);
    assert_int_equal(h.max_us, values[4999]);
}

static void histogram_takes_any_value(void **state)
{
    (void)state;
    struct histogram h = {0};
    histogram_add(&h, UINT64_MAX);
    histogram_add(&h, UINT64_MAX);
    assert_true(histogram_quantile(&h, 0.5) == UINT64_MAX);
    assert_true(histogram_mean(&h) == UINT64_MAX / 2);
    assert_true(histogram_quantile(&h, -1) == UINT64_MAX);
    assert_true(histogram_quantile(&h, 7) == UINT64_MAX);
    h = (struct histogram){0};
    h.counts[5] = UINT32_MAX;
    h.n = UINT32_MAX;
    histogram_add(&h, 5);
    assert_int_equal(h.counts[5], UINT32_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(histogram_of_nothing_is_zero),
        cmocka_unit_test(histogram_is_right_within_a_sixteenth),
        cmocka_unit_test(histogram_quantiles_agree_with_sorting),
        cmocka_unit_test(histogram_takes_any_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
