/* hardware_test.c - the figures of the kernel, read right; wrong ones change nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/model/hardware.h"

#define GIB (1024ull * 1024 * 1024)

static void meminfo_gives_total_and_available(void **state)
{
    (void)state;
    struct hardware_memory m = {0};
    assert_true(hardware_parse_meminfo(STR("MemTotal:       16384000 kB\nMemFree:  100 kB\n"
                                           "MemAvailable:    8192000 kB\nBuffers: 7 kB\n"),
                                       &m));
    assert_int_equal(m.total, 16384000ull * 1024);
    assert_int_equal(m.available, 8192000ull * 1024);
    assert_false(m.is_limited);
}

static void meminfo_of_an_old_kernel_adds_up_what_is_free(void **state)
{
    (void)state;
    struct hardware_memory m = {0};
    assert_true(hardware_parse_meminfo(
        STR("MemTotal: 1000 kB\nMemFree: 100 kB\nBuffers: 20 kB\nCached: 3 kB\nSwapCached: 9 kB\n"),
        &m));
    assert_int_equal(m.available, 123 * 1024);
}

static void meminfo_without_total_leaves_figures_alone(void **state)
{
    (void)state;
    static const char *const texts[] = {"",
                                        "MemTotal",
                                        "MemTotal: kB",
                                        "MemTotal: -4 kB",
                                        "MemTotal: 99999999999999999999999 kB",
                                        "MemAvailable: 10 kB\n",
                                        "\n\n:\n"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct hardware_memory m = {.total = 7, .available = 5};
        assert_false(hardware_parse_meminfo(str_from(texts[i]), &m));
        assert_int_equal(m.total, 7);
        assert_int_equal(m.available, 5);
    }
}

static void meminfo_never_has_more_available_than_total(void **state)
{
    (void)state;
    struct hardware_memory m = {0};
    assert_true(hardware_parse_meminfo(STR("MemTotal: 10 kB\nMemAvailable: 11 kB\n"), &m));
    assert_int_equal(m.available, m.total);
}

static void group_value_is_a_number_or_no_limit(void **state)
{
    (void)state;
    uint64_t value = 3;
    assert_false(hardware_parse_group_value(STR("max\n"), &value));
    assert_false(hardware_parse_group_value(STR(""), &value));
    assert_int_equal(value, 3);
    assert_true(hardware_parse_group_value(STR("2147483648\n"), &value));
    assert_int_equal(value, 2147483648u);
}

static void group_stat_finds_whole_names(void **state)
{
    (void)state;
    str text = STR("anon 5\ntotal_inactive_file 4\ninactive_file 1234\nactive_file 9\n");
    assert_int_equal(hardware_parse_group_stat(text, STR("inactive_file")), 1234);
    assert_int_equal(hardware_parse_group_stat(text, STR("inactive")), 0);
    assert_int_equal(hardware_parse_group_stat(text, STR("total_inactive_file")), 4);
}

static void group_path_prefers_the_memory_controller(void **state)
{
    (void)state;
    bool is_v1 = true;
    str path = hardware_parse_group_path(STR("0::/user.slice/a.scope\n"), &is_v1);
    assert_true(str_eq(path, STR("/user.slice/a.scope")));
    assert_false(is_v1);
    path =
        hardware_parse_group_path(STR("12:cpu,cpuacct:/x\n5:memory:/docker/abc\n0::/y\n"), &is_v1);
    assert_true(str_eq(path, STR("/docker/abc")));
    assert_true(is_v1);
    path = hardware_parse_group_path(STR("garbage\n1:\n"), &is_v1);
    assert_int_equal(path.len, 0);
}

static void limit_narrows_and_never_widens(void **state)
{
    (void)state;
    struct hardware_memory m = {.total = 16 * GIB, .available = 8 * GIB};
    hardware_limit(&m, 32 * GIB, GIB, 0);
    assert_false(m.is_limited);
    assert_int_equal(m.total, 16 * GIB);
    hardware_limit(&m, 4 * GIB, 3 * GIB, 2 * GIB);
    assert_true(m.is_limited);
    assert_int_equal(m.total, 4 * GIB);
    assert_int_equal(m.available, 3 * GIB);
    hardware_limit(&m, 2 * GIB, 5 * GIB, 0);
    assert_int_equal(m.available, 0);
}

static void this_machine_has_memory(void **state)
{
    (void)state;
    struct hardware_memory m = hardware_memory();
    assert_true(m.total > 0);
    assert_true(m.available <= m.total);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(meminfo_gives_total_and_available),
        cmocka_unit_test(meminfo_of_an_old_kernel_adds_up_what_is_free),
        cmocka_unit_test(meminfo_without_total_leaves_figures_alone),
        cmocka_unit_test(meminfo_never_has_more_available_than_total),
        cmocka_unit_test(group_value_is_a_number_or_no_limit),
        cmocka_unit_test(group_stat_finds_whole_names),
        cmocka_unit_test(group_path_prefers_the_memory_controller),
        cmocka_unit_test(limit_narrows_and_never_widens),
        cmocka_unit_test(this_machine_has_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
