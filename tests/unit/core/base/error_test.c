/* error_test.c - codes, their names, their messages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "core/base/error.h"
#include "core/base/utf8.h"

static void error_names_are_distinct(void **state)
{
    (void)state;
    for (int i = 0; i < N_ERRS; i++) {
        assert_true(strlen(err_name((enum err)i)) > 0);
        for (int k = 0; k < i; k++) {
            assert_string_not_equal(err_name((enum err)i), err_name((enum err)k));
        }
    }
    assert_string_equal(err_name(ERR_TOO_LARGE), "too_large");
    assert_string_equal(err_name(N_ERRS), "unknown");
}

static void causes_have_distinct_words(void **state)
{
    (void)state;
    for (int i = 0; i < N_ERROR_CAUSES; i++) {
        for (int j = 0; j < i; j++) {
            assert_string_not_equal(error_cause_name((enum error_cause)i),
                                    error_cause_name((enum error_cause)j));
        }
    }
    assert_string_equal(error_cause_name(CAUSE_NOTHING_LISTENS), "nothing_listens");
}

static void error_set_fills_and_returns(void **state)
{
    (void)state;
    struct error e = {.detail = 5, .cause = CAUSE_PROXY};
    assert_int_equal(error_set(&e, ERR_TIMEOUT, "after %d ms", 3), ERR_TIMEOUT);
    assert_int_equal(e.code, ERR_TIMEOUT);
    assert_int_equal(e.detail, 0);
    assert_int_equal(e.cause, CAUSE_NONE);
    assert_string_equal(e.msg, "after 3 ms");
    assert_int_equal(error_set(&e, ERR_CONNECT, "again: %s", e.msg), ERR_CONNECT);
    assert_string_equal(e.msg, "again: after 3 ms");
    assert_int_equal(error_set(NULL, ERR_AUTH, "x"), ERR_AUTH);
}

static void error_messages_are_cut_between_characters(void **state)
{
    (void)state;
    for (int pad = 0; pad < 4; pad++) {
        char text[400];
        struct error e;
        memset(text, 'x', (size_t)pad);
        for (size_t i = (size_t)pad; i + 4 < sizeof text; i += 4) {
            memcpy(text + i, "\xF0\x9F\x98\x80", 5);
        }
        assert_int_equal(error_set(&e, ERR_INVALID, "%s", text), ERR_INVALID);
        assert_true(utf8_is_valid(str_from(e.msg)));
        assert_true(strlen(e.msg) > ERROR_MSG_BYTES - 5);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(error_names_are_distinct),
        cmocka_unit_test(causes_have_distinct_words),
        cmocka_unit_test(error_set_fills_and_returns),
        cmocka_unit_test(error_messages_are_cut_between_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
