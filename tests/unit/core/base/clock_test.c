/* clock_test.c - the two clocks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "core/base/clock.h"

static void clock_never_goes_back(void **state)
{
    (void)state;
    uint64_t before = clock_now_us();
    assert_true(before > 0);
    for (int i = 0; i < 10000; i++) {
        uint64_t now = clock_now_us();
        assert_true(now >= before);
        before = now;
    }
    assert_true(before < CLOCK_NEVER);
}

static void clock_wall_is_the_time_of_day(void **state)
{
    (void)state;
    uint64_t before = (uint64_t)time(NULL);
    uint64_t wall = clock_wall_us() / 1000000u;
    assert_true(wall + 2 >= before && wall <= before + 5);
    assert_int_equal(MS_TO_US(3), 3000);
    assert_int_equal(SEC_TO_US(5000), 5000000000u);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clock_never_goes_back),
        cmocka_unit_test(clock_wall_is_the_time_of_day),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
