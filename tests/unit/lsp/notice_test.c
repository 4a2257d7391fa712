/* notice_test.c - each cause is told once in ten minutes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "lsp/notice.h"

static bool is_due(struct notices *n, const char *endpoint, enum err code, int detail,
                   uint64_t now_us)
{
    struct error error = {.code = code, .detail = detail};
    return notice_is_due(n, str_from(endpoint), &error, now_us);
}

static void cause_is_told_once_in_ten_minutes(void **state)
{
    (void)state;
    struct notices n = {0};
    assert_true(is_due(&n, "a", ERR_STATUS, 500, 1));
    for (uint64_t us = 2; us < NOTICE_EVERY_US; us += NOTICE_EVERY_US / 100) {
        assert_false(is_due(&n, "a", ERR_STATUS, 500, us));
    }
    assert_true(is_due(&n, "a", ERR_STATUS, 500, NOTICE_EVERY_US + 1));
    assert_false(is_due(&n, "a", ERR_STATUS, 500, NOTICE_EVERY_US + 2));
}

static void other_endpoints_and_causes_are_told(void **state)
{
    (void)state;
    struct notices n = {0};
    assert_true(is_due(&n, "a", ERR_STATUS, 500, 1));
    assert_true(is_due(&n, "b", ERR_STATUS, 500, 1));
    assert_true(is_due(&n, "a", ERR_STATUS, 503, 1));
    assert_true(is_due(&n, "a", ERR_TIMEOUT, 0, 1));
    assert_true(is_due(&n, "a", ERR_CONNECT, 0, 1));
    struct error error = {.code = ERR_CONNECT, .cause = CAUSE_NOTHING_LISTENS};
    assert_true(notice_is_due(&n, STR("a"), &error, 1));
    assert_false(is_due(&n, "a", ERR_TIMEOUT, 0, 2));
}

static void refusal_has_the_cause_of_the_failure(void **state)
{
    (void)state;
    struct notices n = {0};
    assert_true(is_due(&n, "a", ERR_STATUS, 500, 1));
    assert_false(is_due(&n, "a", ERR_REJECTED, 500, 2));
    assert_true(is_due(&n, "a", ERR_REJECTED, 502, 2));
    assert_false(is_due(&n, "a", ERR_STATUS, 502, 3));
}

static void no_more_are_kept_than_there_is_room_for(void **state)
{
    (void)state;
    struct notices n = {0};
    for (int i = 0; i < 1000; i++) {
        assert_true(is_due(&n, "a", ERR_STATUS, i, (uint64_t)i + 1));
    }
    assert_int_equal(n.n_kept, NOTICES_KEPT);
    assert_false(is_due(&n, "a", ERR_STATUS, 999, 2000)); /* the newest ones are still known */
    assert_false(is_due(&n, "a", ERR_STATUS, 1000 - (int)NOTICES_KEPT, 2000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cause_is_told_once_in_ten_minutes),
        cmocka_unit_test(other_endpoints_and_causes_are_told),
        cmocka_unit_test(refusal_has_the_cause_of_the_failure),
        cmocka_unit_test(no_more_are_kept_than_there_is_room_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
