/* guard_test.c - the policies at work: exchanges with a server that fails in every way.
 */
#include "tests/unit/core/upstream/bed.h"

#include "core/base/limits.h"
#include "core/upstream/guard.h"
#include "core/upstream/internal.h"

#define ANSWER_500 "HTTP/1.1 500 X\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nwrong"
#define ANSWER_429(header)                                                                         \
    "HTTP/1.1 429 X\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n" header                             \
    "\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\nbusy"
#define HALF_AN_ANSWER                                                                             \
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\nhi"
#define ALWAYS SIZE_MAX

static void setup_with(struct fixture *f, unsigned n_retries, enum exchange_kind kind)
{
    setup(f);
    f->kind = kind;
    f->settings.upstream_retries = n_retries;
    configure(f);
    settle(f);
    assert_int_equal(first(f)->state, ENDPOINT_READY);
}

/* -- the breaker -- */

static void endpoint_that_keeps_failing_is_left_alone_and_tried_again(void **state)
{
    (void)state;
    struct fixture f;
    setup_with(&f, 0, EXCHANGE_TYPING);
    f.n_bad = 5;
    f.bad_raw = ANSWER_500;
    for (int i = 0; i < 5; i++) {
        assert_true(upstream_would_admit(f.upstream, first(&f)->id, STR("")));
        exchange(&f);
        assert_int_equal(f.call.error.code, ERR_STATUS);
    }
    assert_false(upstream_would_admit(f.upstream, first(&f)->id, STR("")));
    assert_string_equal(upstream_pace(f.upstream, first(&f)->id, STR("")).breaker, "open");
    for (int i = 0; i < 20; i++) {
        exchange(&f);
        if (!f.call.has_failed) {
            break; /* half a second may be over on a busy machine */
        }
        assert_int_equal(f.call.error.code, ERR_REJECTED);
        assert_non_null(strstr(f.call.error.msg, "wrong"));
        assert_int_equal(f.n_fills, 5);
    }
    for (int n_good = 0; n_good < 2;) { /* two trials serve, and it is as before */
        exchange(&f);
        n_good += !f.call.has_failed;
    }
    assert_string_equal(upstream_pace(f.upstream, first(&f)->id, STR("")).breaker, "closed");
    struct upstream_stats stats = upstream_stats(f.upstream);
    assert_int_equal(stats.n_opened, 1);
    assert_true(stats.n_refused > 0);
    assert_int_equal(stats.n_active, 0);
    teardown(&f);
}

static void one_model_that_fails_leaves_the_others_alone(void **state)
{
    (void)state;
    struct guard *g = guard_create(true);
    struct guard_options options = {.n_retries = 3};
    struct error error = {.code = ERR_STATUS, .detail = 500, .msg = "it crashed"}, why;
    struct guard_end end = {.error = &error};
    guard_configure(g, &options, 1);
    for (uint64_t now_us = 1; now_us < 6; now_us++) {
        struct guard_call c = {.is_out = false};
        assert_int_equal(guard_admit(g, STR("a"), &c, now_us, CLOCK_NEVER, &why), ERR_OK);
        guard_end(g, STR("a"), &c, &end, now_us);
        guard_end(g, STR("a"), &c, &end, now_us); /* it isn't out any more: nothing */
    }
    assert_false(guard_would_admit(g, STR("a"), 7));
    assert_true(guard_would_admit(g, STR("b"), 7));
    error = (struct error){.code = ERR_CONNECT, .detail = 111, .msg = "nobody listens"};
    for (uint64_t now_us = 7; now_us < 10; now_us++) {
        struct guard_call c = {.is_out = false};
        assert_int_equal(guard_admit(g, STR("b"), &c, now_us, CLOCK_NEVER, &why), ERR_OK);
        guard_end(g, STR("b"), &c, &end, now_us);
    }
    assert_false(guard_would_admit(g, STR("c"), 11)); /* nobody is there for any of them */
    struct guard_call c = {.is_out = false};
    assert_int_equal(guard_admit(g, STR("c"), &c, 11, CLOCK_NEVER, &why), ERR_REJECTED);
    assert_non_null(strstr(why.msg, "nobody listens"));
    assert_false(c.is_out);
    guard_resume(g, 12);
    assert_true(guard_would_admit(g, STR("c"), 12));
    assert_int_equal(guard_figures(g).n_opened, 2);
    guard_destroy(g);
}

static void refused_key_blocks_all_and_forbidden_model_itself(void **state)
{
    (void)state;
    struct guard *g = guard_create(false);
    struct guard_options options = {.n_retries = 3};
    struct error error = {.code = ERR_AUTH, .detail = 403, .msg = "not for you"}, why;
    struct guard_end end = {.error = &error};
    struct guard_call c = {.is_explicit = true};
    guard_configure(g, &options, 1);
    assert_int_equal(guard_admit(g, STR("a"), &c, 1, CLOCK_NEVER, &why), ERR_OK);
    guard_end(g, STR("a"), &c, &end, 1);
    assert_int_equal(guard_admit(g, STR("a"), &c, SEC_TO_US(9999), CLOCK_NEVER, &why),
                     ERR_REJECTED);
    assert_int_equal(guard_admit(g, STR("b"), &c, SEC_TO_US(9999), CLOCK_NEVER, &why), ERR_OK);
    error.detail = 401;
    guard_end(g, STR("b"), &c, &end, SEC_TO_US(9999));
    assert_int_equal(guard_admit(g, STR("c"), &c, SEC_TO_US(99999), CLOCK_NEVER, &why),
                     ERR_REJECTED);
    assert_string_equal(why.msg, "not for you");
    guard_configure(g, &options, SEC_TO_US(99999));
    assert_int_equal(guard_admit(g, STR("a"), &c, SEC_TO_US(99999), CLOCK_NEVER, &why), ERR_OK);
    guard_destroy(g);
}

static bool is_filled(void *user)
{
    struct fixture *f = user;
    return f->n_fills >= 1;
}

static void cancelling_opens_nothing(void **state)
{
    (void)state;
    struct fixture f;
    setup_with(&f, 3, EXCHANGE_TYPING);
    f.fill_body = NULL;
    for (int i = 0; i < 40; i++) {
        f.n_fills = 0;
        start(&f);
        assert_true(run_until(f.loop, is_filled, &f));
        exchange_cancel(f.upstream, f.call.id);
    }
    f.fill_body = "hi.";
    exchange(&f);
    assert_false(f.call.has_failed);
    assert_int_equal(upstream_stats(f.upstream).n_opened, 0);
    teardown(&f);
}

/* -- trying again -- */

static void what_a_person_asked_for_is_tried_again(void **state)
{
    (void)state;
    struct fixture f;
    setup_with(&f, 3, EXCHANGE_ASKED);
    f.n_bad = 3;
    f.bad_raw = ANSWER_500;
    exchange(&f);
    assert_false(f.call.has_failed);
    assert_string_equal(buf_cstr(&f.call.text), "hi");
    assert_int_equal(f.n_fills, 4);
    assert_int_equal(upstream_stats(f.upstream).n_retries, 3);
    assert_int_equal(upstream_stats(f.upstream).n_exchanges, 1);
    assert_int_equal(upstream_stats(f.upstream).n_failed, 0);
    run_turns(f.loop, 5);
    assert_int_equal(f.call.n_done, 1);
    teardown(&f);
}

static void attempts_end_and_the_last_failure_is_told(void **state)
{
    (void)state;
    struct fixture f;
    setup_with(&f, 2, EXCHANGE_ASKED);
    f.n_bad = ALWAYS;
    f.bad_raw = ANSWER_500;
    exchange(&f);
    assert_int_equal(f.call.error.code, ERR_STATUS);
    assert_int_equal(f.call.error.detail, 500);
    assert_int_equal(f.n_fills, 3);
    teardown(&f);
}

static void broken_answers_are_made_again_until_text_was_shown(void **state)
{
    (void)state;
    struct fixture f;
    setup_with(&f, 3, EXCHANGE_ASKED);
    f.n_bad = 1;
    f.is_bad_closed = true;
    f.bad_raw = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n";
    exchange(&f);
    assert_false(f.call.has_failed);
    assert_int_equal(f.n_fills, 2);
    f.n_bad = 3;
    f.bad_raw = HALF_AN_ANSWER;
    exchange(&f);
    assert_true(f.call.has_failed);
    assert_string_equal(buf_cstr(&f.call.text), "hi"); /* once */
    assert_int_equal(f.n_fills, 3);
    teardown(&f);
}

static void keystrokes_are_not_made_again_by_us(void **state)
{
    (void)state;
    struct fixture f;
    setup_with(&f, 3, EXCHANGE_TYPING);
    f.n_bad = 1;
    f.bad_raw = ANSWER_500;
    exchange(&f);
    assert_int_equal(f.call.error.code, ERR_STATUS);
    assert_int_equal(f.n_fills, 1);
    server_stop(&f.server);
    exchange(&f); /* nothing was sent: once more, at once */
    assert_int_equal(f.call.error.code, ERR_CONNECT);
    assert_int_equal(upstream_stats(f.upstream).n_retries, 1);
    teardown(&f);
}

/* A kept connection that dies under a request is no fault of the request: libcurl makes it once
 * more on another one. That is an attempt like any other. */
static void resending_on_another_connection_is_one_of_the_attempts(void **state)
{
    (void)state;
    struct fixture f;
    setup_with(&f, 3, EXCHANGE_ASKED); /* the look has left a connection */
    f.n_bad = ALWAYS;
    f.is_bad_closed = true;
    exchange(&f);
    assert_int_equal(f.call.error.code, ERR_CONNECT);
    assert_int_equal(f.n_fills, 4);
    assert_int_equal(upstream_stats(f.upstream).n_retries, 3);
    teardown(&f);
}

static void keystroke_survives_a_kept_connection_that_died(void **state)
{
    (void)state;
    struct fixture f;
    setup_with(&f, 0, EXCHANGE_TYPING);
    f.n_bad = 1;
    f.is_bad_closed = true;
    exchange(&f);
    assert_false(f.call.has_failed);
    assert_int_equal(f.n_fills, 2);
    assert_int_equal(upstream_stats(f.upstream).n_retries, 1);
    teardown(&f);
}

/* Where the budget is used up a request takes a connection of its own: nothing there to die. */
static void nothing_is_resent_beyond_the_budget(void **state)
{
    (void)state;
    struct fixture f;
    struct retry_budget b;
    setup_with(&f, 0, EXCHANGE_TYPING);
    retry_budget_init(&b);
    size_t n_open = f.server.n_connections;
    for (unsigned i = 0; retry_budget_allows(&b); i++) { /* of a model each: no breaker opens */
        char model[8];
        struct error error = {.code = ERR_STATUS, .detail = 500}, why;
        struct guard_call c = {0};
        struct guard_end end = {.error = &error};
        struct guard *g = upstream_entry(f.upstream, first(&f)->id)->guard;
        (void)snprintf(model, sizeof model, "m%u", i);
        assert_int_equal(guard_admit(g, str_from(model), &c, i, CLOCK_NEVER, &why), ERR_OK);
        guard_end(g, str_from(model), &c, &end, i);
        retry_budget_hear(&b, OUTCOME_SERVER);
    }
    f.n_bad = 1;
    f.is_bad_closed = true;
    exchange(&f);
    assert_int_equal(f.call.error.code, ERR_CONNECT);
    assert_int_equal(f.n_fills, 1);
    assert_int_equal(f.server.n_connections, n_open + 1);
    teardown(&f);
}

static void server_may_forbid_it(void **state)
{
    (void)state;
    struct fixture f;
    setup_with(&f, 3, EXCHANGE_ASKED);
    f.n_bad = 1;
    f.bad_raw = ANSWER_429("X-Should-Retry: false");
    exchange(&f);
    assert_int_equal(f.call.error.detail, 429);
    assert_int_equal(f.n_fills, 1);
    teardown(&f);
}

static void busy_server_is_left_alone_as_long_as_it_says(void **state)
{
    (void)state;
    struct fixture f;
    setup_with(&f, 3, EXCHANGE_TYPING);
    f.n_bad = 1;
    f.bad_raw = ANSWER_429("Retry-After: Sun, 06 Nov 1994 08:49:38 GMT");
    uint64_t from_us = clock_now_us();
    exchange(&f);
    assert_int_equal(f.call.error.detail, 429);
    exchange(&f); /* a keystroke doesn't wait for that */
    if (clock_now_us() - from_us < SEC_TO_US(1)) {
        assert_int_equal(f.call.error.code, ERR_REJECTED);
        assert_int_equal(f.n_fills, 1);
    }
    f.kind = EXCHANGE_ASKED;
    exchange(&f); /* a person does */
    assert_false(f.call.has_failed);
    assert_int_equal(f.n_fills, 2);
    assert_true(clock_now_us() - from_us >= SEC_TO_US(1));
    f.n_bad = 3;
    f.bad_raw = ANSWER_429("Retry-After: 7200");
    exchange(&f); /* though not for hours */
    assert_int_equal(f.call.error.detail, 429);
    start_at(&f, first(&f)->id, GENERATE_INFILL, CLOCK_NEVER, clock_now_us() + SEC_TO_US(20));
    wait_for(f.loop, &f.call.is_done);
    assert_int_equal(f.call.error.code, ERR_REJECTED);
    assert_non_null(strstr(f.call.error.msg, "left alone for"));
    teardown(&f);
}

static void deadline_holds_for_all_attempts_together(void **state)
{
    (void)state;
    struct fixture f;
    setup_with(&f, 10, EXCHANGE_ASKED);
    f.n_bad = ALWAYS;
    f.bad_raw = ANSWER_429("Retry-After: 2");
    uint64_t from_us = clock_now_us();
    start_at(&f, first(&f)->id, GENERATE_INFILL, CLOCK_NEVER, from_us + SEC_TO_US(1));
    wait_for(f.loop, &f.call.is_done);
    assert_int_equal(f.call.error.detail, 429); /* at once: waiting would be in vain */
    assert_int_equal(f.n_fills, 1);
    teardown(&f);
}

static bool is_waiting(void *user)
{
    struct fixture *f = user;
    return upstream_stats(f->upstream).n_retries == 1;
}

static void cancel_between_attempts_is_silent(void **state)
{
    (void)state;
    struct fixture f;
    setup_with(&f, 3, EXCHANGE_ASKED);
    f.n_bad = 1;
    f.bad_raw = ANSWER_429("Retry-After: 1");
    start(&f);
    assert_true(run_until(f.loop, is_waiting, &f));
    exchange_cancel(f.upstream, f.call.id);
    assert_int_equal(upstream_stats(f.upstream).n_active, 0);
    f.call.is_cancelled = true; /* on_done would fail */
    run_turns(f.loop, 5);
    assert_int_equal(f.n_fills, 1);
    teardown(&f);
}

static void endpoint_that_goes_between_attempts_ends_it(void **state)
{
    (void)state;
    struct fixture f;
    setup_with(&f, 3, EXCHANGE_ASKED);
    f.n_bad = 1;
    f.bad_raw = ANSWER_429("Retry-After: 1");
    start(&f);
    assert_true(run_until(f.loop, is_waiting, &f));
    f.endpoint.name = STR("renamed");
    configure(&f);
    assert_int_equal(f.call.n_done, 0);
    wait_for(f.loop, &f.call.is_done);
    assert_int_equal(f.call.error.code, ERR_REJECTED);
    assert_int_equal(upstream_stats(f.upstream).n_retries, 1); /* figures outlive endpoints */
    run_turns(f.loop, 5);
    assert_int_equal(f.call.n_done, 1);
    teardown(&f);
}

static void destroy_between_attempts_is_silent(void **state)
{
    (void)state;
    struct fixture f;
    setup_with(&f, 3, EXCHANGE_ASKED);
    f.n_bad = 1;
    f.bad_raw = ANSWER_429("Retry-After: 1");
    start(&f);
    assert_true(run_until(f.loop, is_waiting, &f));
    teardown(&f);
    assert_int_equal(f.call.n_done, 0);
}

/* -- deadlines that are learned -- */

static void learned_deadline_ends_what_hangs(void **state)
{
    (void)state;
    struct fixture f;
    setup_with(&f, 3, EXCHANGE_TYPING);
    f.fill_body = "a long enough answer to see how fast it is written.";
    for (int i = 0; i < 30; i++) {
        start_at(&f, first(&f)->id, GENERATE_INFILL, EXCHANGE_AUTO, EXCHANGE_AUTO);
        wait_for(f.loop, &f.call.is_done);
        assert_false(f.call.has_failed);
    }
    uint64_t span_us = upstream_pace(f.upstream, first(&f)->id, STR("")).first_us;
    assert_in_range(span_us, SEC_TO_US(2), SEC_TO_US(60));
    f.fill_body = NULL;
    uint64_t from_us = clock_now_us();
    start_at(&f, first(&f)->id, GENERATE_INFILL, from_us + MS_TO_US(50), EXCHANGE_AUTO);
    wait_for(f.loop, &f.call.is_done);
    assert_int_equal(f.call.error.code, ERR_TIMEOUT);
    f.raw = HALF_AN_ANSWER; /* text stops: the pause has a deadline */
    start_at(&f, first(&f)->id, GENERATE_INFILL, EXCHANGE_AUTO, CLOCK_NEVER);
    wait_for(f.loop, &f.call.is_done);
    assert_int_equal(f.call.error.code, ERR_TIMEOUT);
    assert_non_null(strstr(f.call.error.msg, "stopped coming"));
    assert_int_equal(upstream_stats(f.upstream).n_late, 2);
    assert_int_equal(upstream_prompt_bytes(f.upstream, 4711, STR(""), 1), WINDOW_MAX_BYTES);
    teardown(&f);
}

/* Ten calls of typing, each given up as late. */
static void be_late(struct guard *g, bool is_beside, uint64_t *now_us)
{
    struct error late;
    (void)error_set(&late, ERR_TIMEOUT, "no text came");
    struct guard_end end = {.error = &late};
    for (int i = 0; i < 10; i++) {
        struct guard_call c = {.about = {.kind = DEADLINE_INLINE}, .is_beside = is_beside};
        struct error why;
        if (guard_admit(g, STR("m"), &c, *now_us, CLOCK_NEVER, &why) == ERR_OK) {
            *now_us += SEC_TO_US(20);
            guard_end(g, STR("m"), &c, &end, *now_us);
        }
    }
}

static void waiting_for_another_call_of_ours_is_no_fault_of_the_model(void **state)
{
    (void)state;
    struct guard *g = guard_create(true);
    guard_configure(g, &(struct guard_options){.n_failures = 5, .recovery_us = SEC_TO_US(60)}, 1);
    struct deadline_call call = {.kind = DEADLINE_INLINE};
    uint64_t now_us = SEC_TO_US(1000);
    uint64_t first_us = guard_spans(g, STR("m"), &call).first_us;
    be_late(g, true, &now_us);
    assert_true(guard_would_admit(g, STR("m"), now_us));
    assert_int_equal(guard_spans(g, STR("m"), &call).first_us, first_us);
    be_late(g, false, &now_us);
    assert_false(guard_would_admit(g, STR("m"), now_us));
    assert_true(guard_spans(g, STR("m"), &call).first_us > first_us);
    guard_destroy(g);
}

/* A trial may hang as long as an answer may take; whoever waits for its end looks now and then. */
static void end_of_a_trial_is_looked_for_soon(void **state)
{
    (void)state;
    struct guard *g = guard_create(true);
    guard_configure(g, &(struct guard_options){.n_failures = 5, .recovery_us = SEC_TO_US(60)}, 1);
    uint64_t now_us = SEC_TO_US(1000);
    struct error why;
    be_late(g, false, &now_us);
    uint64_t trial_us = guard_trial_us(g, STR("m"), now_us);
    assert_in_range(trial_us, now_us + 1, now_us + SEC_TO_US(10));
    now_us = trial_us;
    struct guard_call trial = {.about = {.kind = DEADLINE_CHAT}}, other = trial;
    assert_int_equal(guard_admit(g, STR("m"), &trial, now_us, now_us + SEC_TO_US(60), &why),
                     ERR_OK);
    assert_int_equal(guard_admit(g, STR("m"), &other, now_us, now_us + SEC_TO_US(60), &why),
                     ERR_REJECTED);
    assert_non_null(strstr(why.msg, "asked again in 1 s"));
    assert_in_range(guard_trial_us(g, STR("m"), now_us), now_us + 1, now_us + SEC_TO_US(1));
    guard_end(g, STR("m"), &trial, &(struct guard_end){.error = NULL}, now_us + 1000);
    assert_int_equal(guard_trial_us(g, STR("m"), now_us + 1000), 0);
    guard_destroy(g);
}

/* -- coming back -- */

static void keep_typing(struct fixture *f)
{
    start_at(f, upstream_endpoint(f->upstream, 1)->id, GENERATE_INFILL, EXCHANGE_AUTO,
             EXCHANGE_AUTO);
    wait_for(f->loop, &f->call.is_done);
    assert_false(f->call.has_failed);
}

static void server_that_comes_back_is_noticed_while_somebody_types(void **state)
{
    (void)state;
    struct fixture f;
    setup_with(&f, 0, EXCHANGE_TYPING);
    uint16_t port = f.server.port;
    server_stop(&f.server);
    exchange(&f);
    assert_true(run_until(f.loop, is_down, &f));
    for (int i = 0; i < 3; i++) { /* looks in vain: alone they'd be 5, 10, 20 s apart by now */
        keep_typing(&f);
        uint64_t next_us = first(&f)->next_probe_us, now_us = clock_now_us();
        assert_true(next_us <= now_us + SEC_TO_US(2));
        while (first(&f)->next_probe_us == next_us && clock_now_us() < now_us + SEC_TO_US(4)) {
            run_turns(f.loop, 1);
        }
    }
    server_start(&f.server, f.loop, port, on_request, &f);
    keep_typing(&f);
    assert_true(run_until(f.loop, is_ready, &f));
    exchange(&f);
    assert_false(f.call.has_failed);
    teardown(&f);
}

static const char *breaker_word(struct fixture *f)
{
    return upstream_pace(f->upstream, first(f)->id, STR("")).breaker;
}

static void sleep_of_the_machine_gives_everybody_another_chance(void **state)
{
    (void)state;
    struct fixture f;
    uint64_t now_us = clock_now_us(), wall_us = clock_wall_us();
    setup_with(&f, 0, EXCHANGE_TYPING);
    f.n_bad = ALWAYS;
    f.bad_raw = ANSWER_500;
    while (upstream_would_admit(f.upstream, first(&f)->id, STR(""))) {
        exchange(&f);
    }
    for (int i = 0; i < 50; i++) { /* time passes, and the clocks don't quite agree */
        now_us += SEC_TO_US(3600);
        wall_us += SEC_TO_US(3604);
        upstream_note_clocks(f.upstream, now_us, wall_us);
        assert_string_equal(breaker_word(&f), "open");
    }
    wall_us -= SEC_TO_US(86400); /* somebody sets the clock back */
    upstream_note_clocks(f.upstream, now_us, wall_us);
    assert_string_equal(breaker_word(&f), "open");
    upstream_note_clocks(f.upstream, now_us + 1, wall_us + SEC_TO_US(8 * 3600));
    assert_string_equal(breaker_word(&f), "half-open");
    teardown(&f);
}

/* -- cost -- */

static void refusing_costs_next_to_nothing(void **state)
{
    (void)state;
    struct guard *g = guard_create(true);
    struct guard_options options = {.n_retries = 3};
    struct error error = {.code = ERR_CONNECT, .msg = "nobody listens"}, why;
    struct guard_end end = {.error = &error};
    enum { N = 100000 };
    guard_configure(g, &options, 1);
    for (int i = 0; i < 3; i++) {
        struct guard_call c = {.is_out = false};
        assert_int_equal(guard_admit(g, STR("qwen2.5-coder:1.5b"), &c, 1, CLOCK_NEVER, &why),
                         ERR_OK);
        guard_end(g, STR("qwen2.5-coder:1.5b"), &c, &end, 1);
    }
    struct guard_call c = {.is_out = false};
    uint64_t from_us = clock_now_us(), n_refused = 0;
    for (int i = 0; i < N; i++) {
        n_refused +=
            guard_admit(g, STR("qwen2.5-coder:1.5b"), &c, 2, CLOCK_NEVER, &why) == ERR_REJECTED;
    }
    uint64_t refused_ns = (clock_now_us() - from_us) * 1000 / N;
    assert_int_equal(n_refused, N);
    struct breaker b;
    struct breaker_options o = {.is_near = true};
    breaker_init(&b, &o);
    uint64_t sum = 0;
    from_us = clock_now_us();
    for (int i = 0; i < N; i++) {
        sum += breaker_admit(&b, (uint64_t)i, CLOCK_NEVER, false);
    }
    uint64_t admit_ns = (clock_now_us() - from_us) * 1000 / N;
    print_message("a refusal with its message %llu ns, breaker_admit %llu ns (%llu)\n",
                  (unsigned long long)refused_ns, (unsigned long long)admit_ns,
                  (unsigned long long)sum);
    assert_true(refused_ns < 50000);
    guard_destroy(g);
}

/* The whole way of a keystroke's exchange with an endpoint whose breaker is open. */
static void keystroke_to_a_dead_endpoint_costs_next_to_nothing(void **state)
{
    (void)state;
    struct fixture f;
    enum { N = 200 };
    setup_with(&f, 0, EXCHANGE_TYPING);
    f.n_bad = ALWAYS;
    f.bad_raw = ANSWER_500;
    while (upstream_would_admit(f.upstream, first(&f)->id, STR(""))) {
        exchange(&f);
    }
    char *prefix = xmalloc(16 * KIB);
    memset(prefix, 'x', 16 * KIB);
    struct exchange_spec spec = {
        .endpoint = first(&f)->id,
        .generate = {.shape = GENERATE_INFILL, .prefix = str_of(prefix, 16 * KIB)},
        .first_token_us = CLOCK_NEVER,
        .total_us = CLOCK_NEVER};
    struct exchange_sink sink = {.on_text = on_text, .on_done = on_done, .user = &f.call};
    uint64_t n_fills = f.n_fills, from_us = clock_now_us();
    for (int i = 0; i < N; i++) {
        buf_release(&f.call.text);
        f.call = (struct call){.f = &f};
        buf_init(&f.call.text, KIB);
        f.call.id = exchange_start(f.upstream, &spec, &sink);
        f.call.is_started = true;
        while (!f.call.is_done) {
            run_turns(f.loop, 1);
        }
        assert_true(f.call.has_failed);
    }
    print_message("a refused exchange from start to end: %.1f us on average\n",
                  (double)(clock_now_us() - from_us) / N);
    assert_true(f.n_fills - n_fills <= 2); /* trials, where half a second went by */
    xfree(prefix);
    teardown(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(endpoint_that_keeps_failing_is_left_alone_and_tried_again),
        cmocka_unit_test(one_model_that_fails_leaves_the_others_alone),
        cmocka_unit_test(refused_key_blocks_all_and_forbidden_model_itself),
        cmocka_unit_test(cancelling_opens_nothing),
        cmocka_unit_test(what_a_person_asked_for_is_tried_again),
        cmocka_unit_test(attempts_end_and_the_last_failure_is_told),
        cmocka_unit_test(broken_answers_are_made_again_until_text_was_shown),
        cmocka_unit_test(keystrokes_are_not_made_again_by_us),
        cmocka_unit_test(resending_on_another_connection_is_one_of_the_attempts),
        cmocka_unit_test(keystroke_survives_a_kept_connection_that_died),
        cmocka_unit_test(nothing_is_resent_beyond_the_budget),
        cmocka_unit_test(server_may_forbid_it),
        cmocka_unit_test(busy_server_is_left_alone_as_long_as_it_says),
        cmocka_unit_test(deadline_holds_for_all_attempts_together),
        cmocka_unit_test(cancel_between_attempts_is_silent),
        cmocka_unit_test(endpoint_that_goes_between_attempts_ends_it),
        cmocka_unit_test(destroy_between_attempts_is_silent),
        cmocka_unit_test(learned_deadline_ends_what_hangs),
        cmocka_unit_test(waiting_for_another_call_of_ours_is_no_fault_of_the_model),
        cmocka_unit_test(end_of_a_trial_is_looked_for_soon),
        cmocka_unit_test(server_that_comes_back_is_noticed_while_somebody_types),
        cmocka_unit_test(sleep_of_the_machine_gives_everybody_another_chance),
        cmocka_unit_test(refusing_costs_next_to_nothing),
        cmocka_unit_test(keystroke_to_a_dead_endpoint_costs_next_to_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
