/* retry_test.c - budget, Retry-After and decisions, against plain rules on a virtual clock. */
#include "tests/unit/core/upstream/chance.h"

#include <string.h>
#include <time.h>

#include "core/upstream/retry.h"

/* -- classes -- */

static void errors_fall_into_classes(void **state)
{
    (void)state;
    static const struct {
        enum err code;
        int detail;
        enum outcome outcome;
    } cases[] = {
        {ERR_OK, 0, OUTCOME_OK},
        {ERR_CANCELLED, 0, OUTCOME_CANCELLED},
        {ERR_TIMEOUT, 0, OUTCOME_LOCAL},
        {ERR_CONNECT, 111, OUTCOME_LOCAL},
        {ERR_AUTH, 401, OUTCOME_REFUSED},
        {ERR_AUTH, 0, OUTCOME_REFUSED},
        {ERR_NOT_FOUND, 404, OUTCOME_MISSING},
        {ERR_LOADING, 503, OUTCOME_LOADING},
        {ERR_PROTOCOL, 0, OUTCOME_SERVER},
        {ERR_TOO_LARGE, 413, OUTCOME_PERMANENT},
        {ERR_REJECTED, 0, OUTCOME_PERMANENT},
        {ERR_INVALID, 0, OUTCOME_PERMANENT},
        {ERR_STATUS, 500, OUTCOME_SERVER},
        {ERR_STATUS, 501, OUTCOME_PERMANENT},
        {ERR_STATUS, 502, OUTCOME_SERVER},
        {ERR_STATUS, 503, OUTCOME_OVERLOAD},
        {ERR_STATUS, 504, OUTCOME_SERVER},
        {ERR_STATUS, 529, OUTCOME_OVERLOAD},
        {ERR_STATUS, 429, OUTCOME_OVERLOAD},
        {ERR_STATUS, 408, OUTCOME_OVERLOAD},
        {ERR_STATUS, 400, OUTCOME_PERMANENT},
        {ERR_STATUS, 422, OUTCOME_PERMANENT},
        {ERR_STATUS, 307, OUTCOME_PERMANENT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct error e = {.code = cases[i].code, .detail = cases[i].detail};
        assert_int_equal(outcome_of(&e), cases[i].outcome);
    }
    assert_int_equal(outcome_of(NULL), OUTCOME_OK);
    for (int i = 0; i < N_OUTCOMES; i++) {
        assert_true(strlen(outcome_name((enum outcome)i)) > 1);
    }
}

/* -- Retry-After -- */

#define DATE "Sun, 06 Nov 1994 08:49:37 GMT"

static void retry_after_is_read_in_all_its_forms(void **state)
{
    (void)state;
    static const struct {
        const char *value, *date;
        int64_t seconds; /* -1: can't be read */
    } cases[] = {
        {"0", "", 0},
        {"7", DATE, 7},
        {" 120\t", "", 120},
        {"1000000000", "", 315360000}, /* ten years: for ever */
        {"99999999999999999999999999", "", 315360000},
        {"-1", DATE, -1},
        {"+1", DATE, -1},
        {"1.5", DATE, -1},
        {"1e9", DATE, -1},
        {"0x10", DATE, -1},
        {"", DATE, -1},
        {"soon", DATE, -1},
        {"NaN", DATE, -1},
        {"Sun, 06 Nov 1994 08:50:07 GMT", DATE, 30},
        {"Mon, 07 Nov 1994 08:49:37 GMT", DATE, 86400},
        {"Sun, 06 Nov 1994 08:49:07 GMT", DATE, 0}, /* past */
        {"Sunday, 06-Nov-94 08:50:07 GMT", DATE, 30},
        {"Sun Nov  6 08:50:07 1994", DATE, 30},
        {"Sun Nov 16 08:49:37 1994", DATE, 864000},
        {"Fri, 01 Mar 1996 00:00:00 GMT", "Wed, 28 Feb 1996 00:00:00 GMT", 2 * 86400},
        {"Thu, 01 Mar 2001 00:00:00 GMT", "Wed, 28 Feb 2001 00:00:00 GMT", 86400},
        {"Thu, 01 Mar 2100 00:00:00 GMT", "Wed, 28 Feb 2100 00:00:00 GMT", 86400},
        {"Sat, 01 Jan 2000 00:00:00 GMT", "Fri, 31 Dec 1999 23:59:59 GMT", 1},
        {"Sun, 06 Nov 1994 08:50:07 GMT", "", -1}, /* our clock isn't asked */
        {"Sun, 06 Nov 1994 08:50:07 GMT", "yesterday", -1},
        {"Sun, 06 Nov 1994 08:50:07 CET", DATE, -1},
        {"Sun, 06 Foo 1994 08:50:07 GMT", DATE, -1},
        {"Sun, 06 anF 1994 08:50:07 GMT", DATE, -1},
        {"Sun, 00 Nov 1994 08:50:07 GMT", DATE, -1},
        {"Sun, 06 Nov 1994 25:50:07 GMT", DATE, -1},
        {"Sun, 06 Nov 1994 08:5x:07 GMT", DATE, -1},
        {"Sun, 06 Nov 1960 08:50:07 GMT", DATE, -1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t us = 42;
        bool is_read = retry_after_read(str_from(cases[i].value), str_from(cases[i].date), &us);
        assert_int_equal(is_read, cases[i].seconds >= 0);
        assert_int_equal(us, is_read ? SEC_TO_US(cases[i].seconds) : 42);
    }
}

/* Every day of four centuries, against the C library. */
static void dates_agree_with_the_c_library(void **state)
{
    (void)state;
    uint64_t n_days = chance_begin() / 10;
    for (uint64_t i = 0; i < n_days; i++) {
        char text[3][40], epoch[] = "Thu, 01 Jan 1970 00:00:00 GMT";
        uint64_t us;
        time_t at = (time_t)chance_below(9ull * 365 * 86400);
        struct tm tm;
        (void)gmtime_r(&at, &tm);
        (void)strftime(text[0], sizeof text[0], "%a, %d %b %Y %H:%M:%S GMT", &tm);
        (void)strftime(text[1], sizeof text[1], "%A, %d-%b-YY %H:%M:%S GMT", &tm);
        char *year = strstr(text[1], "YY");
        year[0] = (char)('0' + tm.tm_year % 100 / 10);
        year[1] = (char)('0' + tm.tm_year % 10);
        (void)strftime(text[2], sizeof text[2], "%a %b %e %H:%M:%S %Y", &tm);
        for (int k = 0; k < 3; k++) {
            assert_true(retry_after_read(str_from(text[k]), str_from(epoch), &us));
            assert_int_equal(us, SEC_TO_US(at));
        }
    }
    for (uint64_t i = 0; i < n_days / 4; i++) { /* far ones: by differences of a day */
        char day[40], next[40];
        uint64_t us;
        time_t at = (time_t)(chance_below(146097ull) * 86400 + chance_below(86400));
        time_t after = at + 86400;
        struct tm tm;
        (void)gmtime_r(&at, &tm);
        (void)strftime(day, sizeof day, "%a, %d %b %Y %H:%M:%S GMT", &tm);
        (void)gmtime_r(&after, &tm);
        (void)strftime(next, sizeof next, "%a, %d %b %Y %H:%M:%S GMT", &tm);
        assert_true(retry_after_read(str_from(next), str_from(day), &us));
        assert_int_equal(us, SEC_TO_US(86400));
    }
}

/* Whatever comes: it is read or it isn't, and never past the longest. */
static void garbage_is_survived(void **state)
{
    (void)state;
    static const char alphabet[] = "0123456789 ,:-GMTSunNovJaFeb.e+\t\x80\xff";
    uint64_t n = chance_begin() / 5;
    for (uint64_t i = 0; i < n; i++) {
        char text[32];
        char model[] = "Sun, 06 Nov 1994 08:49:37 GMT";
        size_t len = (size_t)chance_below(sizeof text);
        uint64_t us = 0;
        for (size_t k = 0; k < len; k++) {
            text[k] = alphabet[chance_below(sizeof alphabet - 1)];
        }
        for (int k = 0; k < 2; k++) { /* nearly a date */
            model[chance_below(sizeof model - 1)] = alphabet[chance_below(sizeof alphabet - 1)];
        }
        (void)retry_after_read(str_of(text, len), STR(DATE), &us);
        assert_true(us <= SEC_TO_US(315360000));
        (void)retry_after_read(str_from(model), STR(DATE), &us);
        assert_true(us <= SEC_TO_US(315360000));
        (void)retry_after_read(STR(DATE), str_from(model), &us);
        assert_true(us <= SEC_TO_US(315360000));
    }
}

static void gate_is_closed_for_a_minute_at_most_and_never_shortened(void **state)
{
    (void)state;
    struct retry_gate g = {0};
    assert_int_equal(retry_gate_wait_us(&g, 5), 0);
    retry_gate_close(&g, SEC_TO_US(1000000000), 10);
    assert_int_equal(retry_gate_wait_us(&g, 10), SEC_TO_US(60));
    retry_gate_close(&g, SEC_TO_US(1), 10);
    assert_int_equal(retry_gate_wait_us(&g, 10 + SEC_TO_US(59)), SEC_TO_US(1));
    assert_int_equal(retry_gate_wait_us(&g, 10 + SEC_TO_US(60)), 0);
    retry_gate_close(&g, 0, SEC_TO_US(100));
    assert_int_equal(retry_gate_wait_us(&g, SEC_TO_US(100)), 0);
}

/* -- decisions -- */

static const struct retry_failure action = {.outcome = OUTCOME_SERVER,
                                            .n_made = 1,
                                            .n_retries = 3,
                                            .is_explicit = true,
                                            .has_left = true,
                                            .deadline_us = CLOCK_NEVER};

static uint64_t decide(struct retry_failure f, double dice)
{
    struct retry_budget b;
    retry_budget_init(&b);
    return retry_decide(&b, &f, 1000, dice).at_us;
}

static void action_is_tried_three_times_more_with_longer_pauses(void **state)
{
    (void)state;
    static const uint64_t most_ms[] = {100, 200, 400, 800, 1600, 2000, 2000};
    struct retry_failure f = action;
    for (f.n_made = 1; f.n_made <= 3; f.n_made++) {
        uint64_t most_us = MS_TO_US(most_ms[f.n_made - 1]);
        assert_int_equal(decide(f, 0), 1000);
        assert_in_range(decide(f, 0.999999), 1000 + most_us * 99 / 100, 1000 + most_us);
    }
    assert_true(decide(f, 0.5) == CLOCK_NEVER);
    f.n_retries = 10;
    for (f.n_made = 1; f.n_made <= 7; f.n_made++) {
        assert_int_equal(decide(f, 0.5), 1000 + MS_TO_US(most_ms[f.n_made - 1]) / 2);
    }
    f.n_made = 1;
    f.n_retries = 0;
    assert_true(decide(f, 0.5) == CLOCK_NEVER);
}

static void keystroke_is_sent_again_once_and_only_if_it_never_left(void **state)
{
    (void)state;
    struct retry_failure f = action;
    f.is_explicit = false;
    f.outcome = OUTCOME_LOCAL;
    assert_true(decide(f, 0.5) == CLOCK_NEVER);
    f.has_left = false;
    assert_int_equal(decide(f, 0.5), 1000); /* at once */
    f.n_made = 2;
    assert_true(decide(f, 0.5) == CLOCK_NEVER);
    f.n_made = 1;
    f.n_retries = 0;
    assert_true(decide(f, 0.5) == CLOCK_NEVER);
}

static void what_stands_against_it_is_said(void **state)
{
    (void)state;
    struct retry_budget b;
    struct retry_failure f = action;
    retry_budget_init(&b);
    f.has_shown = true;
    assert_non_null(strstr(retry_decide(&b, &f, 1, 0.5).why, "shown"));
    f = action;
    f.is_forbidden = true;
    assert_non_null(strstr(retry_decide(&b, &f, 1, 0.5).why, "doesn't want"));
    f = action;
    f.deadline_us = 1;
    assert_non_null(strstr(retry_decide(&b, &f, 1, 0.5).why, "time"));
    f.deadline_us = SEC_TO_US(2);
    f.expected_us = SEC_TO_US(2);
    assert_non_null(strstr(retry_decide(&b, &f, 1, 0.5).why, "time"));
    for (int i = 0; i < N_OUTCOMES; i++) {
        f = action;
        f.outcome = (enum outcome)i;
        bool is_again = retry_decide(&b, &f, 1, 0.5).at_us != CLOCK_NEVER;
        assert_int_equal(is_again, outcome_is_failure(f.outcome));
    }
}

static void server_that_says_when_is_taken_at_its_word(void **state)
{
    (void)state;
    struct retry_failure f = action;
    f.outcome = OUTCOME_OVERLOAD;
    f.has_after = true;
    f.after_us = SEC_TO_US(4);
    assert_int_equal(decide(f, 0), 1000 + SEC_TO_US(4));
    assert_in_range(decide(f, 0.99), 1000 + SEC_TO_US(4), 1000 + SEC_TO_US(4) + MS_TO_US(100));
    f.deadline_us = 1000 + SEC_TO_US(4);
    assert_true(decide(f, 0) == CLOCK_NEVER); /* fails at once instead of waiting in vain */
    f.after_us = 0;
    assert_int_equal(decide(f, 0), 1000);
    f.deadline_us = CLOCK_NEVER;
    f.after_us = SEC_TO_US(61);
    assert_true(decide(f, 0) == CLOCK_NEVER);
}

static void budget_stops_retries_when_much_fails(void **state)
{
    (void)state;
    struct retry_budget b;
    unsigned n = 0;
    retry_budget_init(&b);
    for (int i = 0; i < 100; i++) {
        retry_budget_hear(&b, OUTCOME_SERVER);
        n += retry_decide(&b, &action, 1, 0.5).at_us != CLOCK_NEVER;
    }
    assert_int_equal(n, 4);
    assert_int_equal(b.n_given, 4);
    assert_int_equal(b.n_denied, 96);
    for (int i = 0; i < 51; i++) {
        assert_false(retry_budget_allows(&b));
        retry_budget_hear(&b, OUTCOME_PERMANENT); /* neither costs nor earns */
        retry_budget_hear(&b, OUTCOME_CANCELLED);
        retry_budget_hear(&b, OUTCOME_OK);
    }
    assert_true(retry_budget_allows(&b));
}

/* -- against plain rules -- */

static struct retry_failure random_failure(uint64_t now_us)
{
    struct retry_failure f = {.outcome = (enum outcome)chance_below(N_OUTCOMES),
                              .n_made = 1 + (unsigned)chance_below(6),
                              .n_retries = (unsigned)chance_below(5),
                              .is_explicit = chance_below(2) == 0,
                              .has_shown = chance_below(4) == 0,
                              .has_left = chance_below(2) == 0,
                              .is_forbidden = chance_below(8) == 0,
                              .has_after = chance_below(4) == 0,
                              .after_us = chance_below(SEC_TO_US(100)),
                              .expected_us = chance_below(SEC_TO_US(3))};
    f.deadline_us = chance_below(4) == 0 ? CLOCK_NEVER : now_us + chance_below(SEC_TO_US(90));
    f.deadline_us -= chance_below(8) == 0 && f.deadline_us > SEC_TO_US(95) ? SEC_TO_US(90) : 0;
    return f;
}

/* Whether the rules allow it, written as they are said. */
static bool may_retry(const struct retry_failure *f, double tokens, uint64_t at_us)
{
    bool is_retryable = f->outcome == OUTCOME_LOCAL || f->outcome == OUTCOME_SERVER ||
                        f->outcome == OUTCOME_OVERLOAD;
    bool is_in_time = f->deadline_us == CLOCK_NEVER || at_us + f->expected_us < f->deadline_us;
    bool has_tries = f->is_explicit ? f->n_made < 1 + f->n_retries
                                    : f->n_made == 1 && f->n_retries > 0 && !f->has_left;
    bool is_patient = !f->has_after || f->after_us <= SEC_TO_US(60);
    return is_retryable && is_patient && !f->has_shown && !f->is_forbidden && has_tries &&
           is_in_time && tokens > 5.05;
}

static uint64_t plain_pause_us(const struct retry_failure *f, double dice)
{
    double most = 100000;
    for (unsigned i = 1; i < f->n_made; i++) {
        most = most * 2 > 2000000 ? 2000000 : most * 2;
    }
    return !f->is_explicit ? 0
           : f->has_after  ? f->after_us + (uint64_t)(100000 * dice)
                           : (uint64_t)(most * dice);
}

static void random_failures_agree_with_the_rules(void **state)
{
    (void)state;
    uint64_t n_events = chance_begin(), now_us = SEC_TO_US(1000);
    uint64_t n_again = 0, n_ok = 0;
    double tokens = 10;
    unsigned badness = 10;
    struct retry_budget b;
    retry_budget_init(&b);
    for (uint64_t i = 0; i < n_events; i++) {
        now_us += chance_below(MS_TO_US(50));
        badness = chance_below(500) == 0 ? (unsigned)chance_below(101) : badness;
        struct retry_failure f = random_failure(now_us);
        if (chance_below(100) >= badness) {
            f.outcome = OUTCOME_OK;
        }
        bool is_ok = f.outcome == OUTCOME_OK || f.outcome == OUTCOME_SLOW;
        bool is_bad = f.outcome == OUTCOME_LOCAL || f.outcome == OUTCOME_SERVER ||
                      f.outcome == OUTCOME_OVERLOAD;
        tokens += is_ok ? 0.1 : is_bad ? -1 : 0;
        tokens = tokens < 0.05 ? 0 : tokens > 10 ? 10 : tokens;
        n_ok += is_ok;
        double dice = chance_dice();
        uint64_t at_us = now_us + plain_pause_us(&f, dice);
        retry_budget_hear(&b, f.outcome);
        struct retry_decision d = retry_decide(&b, &f, now_us, dice);
        assert_int_equal(d.at_us != CLOCK_NEVER, may_retry(&f, tokens, at_us));
        if (d.at_us != CLOCK_NEVER) {
            assert_int_equal(d.at_us, at_us);
            assert_true(d.at_us < f.deadline_us);
            n_again++;
        }
        assert_true(n_again * 10 <= 50 + n_ok); /* the promise: a tenth, and five at first */
    }
    assert_int_equal(b.n_given, n_again);
    assert_true(n_again > n_events / 10000);
    print_message("retries %llu of %llu successes\n", (unsigned long long)n_again,
                  (unsigned long long)n_ok);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_fall_into_classes),
        cmocka_unit_test(retry_after_is_read_in_all_its_forms),
        cmocka_unit_test(dates_agree_with_the_c_library),
        cmocka_unit_test(garbage_is_survived),
        cmocka_unit_test(gate_is_closed_for_a_minute_at_most_and_never_shortened),
        cmocka_unit_test(action_is_tried_three_times_more_with_longer_pauses),
        cmocka_unit_test(keystroke_is_sent_again_once_and_only_if_it_never_left),
        cmocka_unit_test(what_stands_against_it_is_said),
        cmocka_unit_test(server_that_says_when_is_taken_at_its_word),
        cmocka_unit_test(budget_stops_retries_when_much_fails),
        cmocka_unit_test(random_failures_agree_with_the_rules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
