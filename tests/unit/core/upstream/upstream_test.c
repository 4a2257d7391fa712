/* upstream_test.c - endpoints and exchanges against a scripted server that speaks a tiny dialect.
 */
#include "tests/unit/core/upstream/bed.h"

/* -- endpoints -- */

static void nothing_touches_the_network_before_the_first_probe(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    configure(&f);
    run_turns(f.loop, 5);
    assert_int_equal(first(&f)->state, ENDPOINT_UNKNOWN);
    assert_false(upstream_is_settled(f.upstream));
    assert_int_equal(f.server.n_connections, 0);
    assert_int_equal(f.n_changes, 1);
    teardown(&f);
}

static void configured_endpoint_becomes_ready_with_its_models(void **state)
{
    (void)state;
    struct fixture f;
    str own[] = {STR("m1"), STR("m2")};
    setup(&f);
    f.endpoint.models = own;
    f.endpoint.n_models = 2;
    configure(&f);
    settle(&f);
    const struct endpoint *e = first(&f);
    assert_int_equal(upstream_count(f.upstream), 2);
    assert_int_equal(e->state, ENDPOINT_READY);
    assert_int_equal(e->tier, TIER_LOOPBACK);
    assert_false(e->is_discovered);
    assert_true(str_eq(e->name, STR("mine")));
    assert_true(str_eq(e->version, STR("1.0")));
    assert_int_equal(e->n_models, 2);
    assert_true(str_eq(e->models[0].id, STR("m1")));
    assert_true(str_eq(e->models[1].id, STR("m2")));
    assert_ptr_equal(upstream_find(f.upstream, e->id), e);
    const struct endpoint *last = upstream_endpoint(f.upstream, 1);
    assert_true(str_eq(last->name, STR("embedded")));
    assert_int_equal(last->state, ENDPOINT_READY);
    assert_null(upstream_endpoint(f.upstream, 2));
    assert_null(upstream_find(f.upstream, 999));
    teardown(&f);
}

static void endpoint_that_loads_is_asked_again_until_ready(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    f.probe_status = 503;
    configure(&f);
    settle(&f);
    assert_int_equal(first(&f)->state, ENDPOINT_LOADING);
    assert_true(first(&f)->loading == 0.5);
    f.probe_status = 200;
    assert_true(run_until(f.loop, is_ready, &f));
    assert_true(first(&f)->loading < 0);
    teardown(&f);
}

static void endpoint_that_nobody_serves_is_down_and_not_hammered(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    configure(&f);
    server_stop(&f.server);
    settle(&f);
    const struct endpoint *e = first(&f);
    assert_int_equal(e->state, ENDPOINT_DOWN);
    assert_int_equal(e->error.code, ERR_CONNECT);
    assert_in_range(e->next_probe_us - clock_now_us(), SEC_TO_US(3), SEC_TO_US(7));
    uint64_t next_us = e->next_probe_us;
    upstream_probe(f.upstream); /* less than two seconds later: nothing happens */
    run_turns(f.loop, 5);
    assert_int_equal(first(&f)->next_probe_us, next_us);
    teardown(&f);
}

static void strangers_and_refusals_are_told_apart(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    f.probe_body = "<html>";
    configure(&f);
    settle(&f);
    assert_int_equal(first(&f)->state, ENDPOINT_DOWN);
    assert_int_equal(first(&f)->error.code, ERR_PROTOCOL);
    assert_int_equal(first(&f)->error.cause, CAUSE_OTHER_DIALECT);
    f.probe_status = 401;
    f.endpoint.name = STR("again");
    configure(&f);
    settle(&f);
    assert_int_equal(first(&f)->state, ENDPOINT_BLOCKED);
    assert_int_equal(first(&f)->error.code, ERR_AUTH);
    assert_int_equal(first(&f)->error.cause, CAUSE_KEY_REFUSED);
    assert_int_equal(first(&f)->error.detail, 401);
    assert_true(first(&f)->next_probe_us == CLOCK_NEVER);
    teardown(&f);
}

static void redirects_and_pages_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *raw, *redirect;
        enum error_cause cause;
    } cases[] = {
        {"HTTP/1.1 301 X\r\nLocation: https://h/v1/probe\r\nContent-Length: 0\r\n\r\n",
         "https://h/v1", CAUSE_REDIRECT},
        {"HTTP/1.1 302 X\r\nLocation: https://h/lo\x1bgin\r\nContent-Length: 0\r\n\r\n", NULL,
         CAUSE_REDIRECT},
        {"HTTP/1.1 200 X\r\nContent-Type: Text/HTML; x\r\nContent-Length: 2\r\n\r\n<x", "",
         CAUSE_WEB_PAGE},
        {"HTTP/1.1 302 X\r\nContent-Length: 0\r\n\r\n", "", CAUSE_OTHER_DIALECT},
    };
    struct fixture f;
    setup(&f);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char name[8];
        (void)snprintf(name, sizeof name, "n%zu", i);
        f.endpoint.name = str_from(name);
        f.probe_raw = cases[i].raw;
        configure(&f);
        settle(&f);
        assert_int_equal(first(&f)->state, ENDPOINT_DOWN);
        assert_int_equal(first(&f)->error.cause, cases[i].cause);
        if (cases[i].redirect) {
            assert_true(str_eq(first(&f)->redirect, str_from(cases[i].redirect)));
        }
        assert_null(strchr(first(&f)->error.msg, '\x1b'));
    }
    teardown(&f);
}

static void clock_of_the_server_is_compared(void **state)
{
    (void)state;
    char raw[200];
    char date[64];
    struct tm parts;
    struct fixture f;
    setup(&f);
    time_t then = time(NULL) + 7200;
    assert_non_null(gmtime_r(&then, &parts));
    assert_int_not_equal(strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", &parts), 0);
    (void)snprintf(raw, sizeof raw, "HTTP/1.1 200 X\r\nDate: %s\r\nContent-Length: 4\r\n\r\ntiny",
                   date);
    f.probe_raw = raw;
    configure(&f);
    settle(&f);
    assert_int_equal(first(&f)->state, ENDPOINT_READY);
    assert_true(first(&f)->knows_clock);
    assert_in_range(first(&f)->clock_ahead_s, 7100, 7201);
    teardown(&f);
}

static void look_again_is_for_what_is_ready(void **state)
{
    (void)state;
    struct fixture f;
    setup_ready(&f);
    size_t n = f.n_probes;
    f.models_body = "m2";
    upstream_look_again(f.upstream);
    assert_true(upstream_is_looking(f.upstream));
    while (upstream_is_looking(f.upstream)) {
        run_turns(f.loop, 1);
    }
    assert_int_equal(f.n_probes, n + 1);
    assert_true(str_eq(first(&f)->models[0].id, STR("m2")));
    assert_int_equal(upstream_place_count(f.upstream), 2);
    assert_true(upstream_place(f.upstream, 0) == first(&f));
    assert_null(upstream_place(f.upstream, 2));
    teardown(&f);
}

static void pauses_between_pieces_are_counted(void **state)
{
    (void)state;
    struct fixture f;
    setup_ready(&f);
    exchange(&f); /* "hi." are two pieces */
    assert_int_equal(upstream_stats(f.upstream).n_pauses, 1);
    f.fill_body = "long text.";
    exchange(&f);
    assert_int_equal(upstream_stats(f.upstream).n_pauses, 1 + 8);
    teardown(&f);
}

static void consent_and_bad_urls_block_without_a_byte(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    f.endpoint.needs_consent = true;
    configure(&f);
    settle(&f);
    assert_int_equal(first(&f)->state, ENDPOINT_BLOCKED);
    assert_non_null(strstr(first(&f)->error.msg, "consent"));
    assert_int_equal(first(&f)->error.cause, CAUSE_CONSENT);
    exchange(&f);
    assert_int_equal(f.call.error.code, ERR_REJECTED);
    assert_int_equal(f.server.n_connections, 0);
    f.endpoint = (struct endpoint_settings){
        .name = STR("bad"), .kind = STR("tiny"), .url = STR("http://u:p@h")};
    configure(&f);
    settle(&f);
    assert_int_equal(first(&f)->state, ENDPOINT_BLOCKED);
    assert_int_equal(first(&f)->error.code, ERR_INVALID);
    teardown(&f);
}

static void servers_on_known_ports_are_found_and_named(void **state)
{
    (void)state;
    struct fixture f, g;
    char name[32];
    setup(&g); /* only its server is used, as a second one of the same kind */
    setup(&f);
    ports[0] = f.server.port;
    ports[1] = g.server.port;
    f.settings.n_endpoints = 0;
    configure(&f);
    assert_int_equal(upstream_count(f.upstream), 1);
    upstream_probe(f.upstream);
    for (uint64_t until_us = clock_now_us() + SEC_TO_US(5);
         !upstream_is_settled(f.upstream) && clock_now_us() < until_us;) {
        run_turns(f.loop, 1);
        run_turns(g.loop, 1);
    }
    assert_int_equal(upstream_count(f.upstream), 3);
    (void)snprintf(name, sizeof name, "tiny-%u", (unsigned)g.server.port);
    if (str_eq(first(&f)->name, STR("tiny"))) {
        assert_true(str_eq(upstream_endpoint(f.upstream, 1)->name, str_from(name)));
    } else {
        assert_true(str_eq(upstream_endpoint(f.upstream, 1)->name, STR("tiny")));
    }
    assert_true(first(&f)->is_discovered);
    assert_true(str_eq(upstream_endpoint(f.upstream, 2)->name, STR("embedded")));
    teardown(&f);
    teardown(&g);
}

static void each_dialect_of_a_port_is_tried(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    ports[0] = f.server.port;
    f.settings.n_endpoints = 0;
    f.probe_body = "other";
    configure(&f);
    settle(&f);
    assert_int_equal(upstream_count(f.upstream), 2);
    assert_true(str_eq(first(&f)->name, STR("other")));
    teardown(&f);
}

static void ports_where_nothing_known_answers_stay_hidden(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    ports[0] = f.server.port;
    f.settings.n_endpoints = 0;
    f.probe_body = "a web page";
    configure(&f);
    settle(&f);
    assert_int_equal(upstream_count(f.upstream), 1);
    assert_true(str_eq(first(&f)->name, STR("embedded")));
    assert_int_equal(upstream_place_count(f.upstream), 2); /* hidden, and looked at all the same */
    assert_int_equal(upstream_place(f.upstream, 0)->name.len, 0);
    assert_int_equal(upstream_place(f.upstream, 0)->error.cause, CAUSE_OTHER_DIALECT);
    teardown(&f);
}

static void endpoints_that_stay_the_same_keep_their_state(void **state)
{
    (void)state;
    struct fixture f;
    setup_ready(&f);
    uint64_t id = first(&f)->id;
    size_t n_probes = f.n_probes;
    configure(&f);
    assert_int_equal(first(&f)->id, id);
    assert_int_equal(first(&f)->state, ENDPOINT_READY);
    run_turns(f.loop, 3);
    assert_int_equal(f.n_probes, n_probes);
    f.fill_body = NULL;
    start(&f);
    f.endpoint.name = STR("renamed");
    configure(&f);
    assert_int_equal(f.call.n_done, 0);
    wait_for(f.loop, &f.call.is_done);
    assert_int_equal(f.call.error.code, ERR_REJECTED);
    assert_int_not_equal(first(&f)->id, id);
    assert_null(upstream_find(f.upstream, id));
    teardown(&f);
}

static void paths_of_the_configuration_are_asked(void **state)
{
    (void)state;
    struct fixture f;
    str paths[] = {STR("fill\n/own/fill"), STR("models\n/own/models"), STR("chat\n/never")};
    setup(&f);
    f.endpoint.paths = paths;
    f.endpoint.n_paths = 3;
    configure(&f);
    settle(&f);
    assert_true(server_got(&f.server, "GET /own/models HTTP/1.1\r\n"));
    exchange(&f);
    assert_false(f.call.has_failed);
    assert_true(server_got(&f.server, "POST /own/fill HTTP/1.1\r\n"));
    teardown(&f);
}

static void model_that_cant_be_read_isnt_offered(void **state)
{
    (void)state;
    static const char *const bodies[] = {"a\x1b[2Jb",
                                         "a\xe2\x80\xae"
                                         "b",
                                         "a\nb", "\xff", NULL};
    for (size_t i = 0; bodies[i]; i++) {
        struct fixture f;
        setup(&f);
        f.models_body = bodies[i];
        configure(&f);
        settle(&f);
        assert_int_equal(first(&f)->state, ENDPOINT_READY);
        assert_int_equal(first(&f)->n_models, 0);
        teardown(&f);
    }
}

/* -- exchanges -- */

static void exchange_gives_text_and_one_end(void **state)
{
    (void)state;
    struct fixture f;
    setup_ready(&f);
    exchange(&f);
    assert_false(f.call.has_failed);
    assert_string_equal(buf_cstr(&f.call.text), "hi");
    assert_int_equal(f.call.end.reason, FINISH_STOP);
    assert_true(f.call.confidence == 1);
    assert_true(server_got(&f.server, "\r\n\r\nint x"));
    struct upstream_stats stats = upstream_stats(f.upstream);
    assert_int_equal(stats.n_exchanges, 1);
    assert_int_equal(stats.n_active, 0);
    assert_int_equal(stats.n_tokens, 3);
    assert_int_equal(stats.n_prompt_tokens, 7);
    assert_int_equal(stats.n_bytes_out, 5);
    assert_int_equal(stats.n_bytes_in, 3);
    teardown(&f);
}

static bool has_text(void *user)
{
    return ((struct fixture *)user)->call.text.len > 0;
}

static void end_is_told_before_the_response_is_whole(void **state)
{
    (void)state;
    struct fixture f;
    setup_ready(&f);
    f.raw =
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
        "3\r\nhi.\r\n";
    exchange(&f);
    assert_int_equal(upstream_stats(f.upstream).n_active, 0);
    server_send(&f.server.connections[0], "0\r\n\r\n");
    run_turns(f.loop, 10);
    f.raw = NULL;
    exchange(&f); /* over the same connection */
    assert_int_equal(f.server.n_connections, 1);
    teardown(&f);
}

static bool is_first_closed(void *user)
{
    return ((struct fixture *)user)->server.connections[0].is_closed;
}

static void response_that_never_ends_is_not_waited_for(void **state)
{
    (void)state;
    struct fixture f;
    setup_ready(&f);
    f.raw =
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
        "3\r\nhi.\r\n";
    exchange(&f);
    assert_true(run_until(f.loop, is_first_closed, &f));
    teardown(&f);
}

static void cut_off_answers_say_so(void **state)
{
    (void)state;
    struct fixture f;
    setup_ready(&f);
    f.fill_body = "half";
    exchange(&f);
    assert_false(f.call.has_failed);
    assert_int_equal(f.call.end.reason, FINISH_NONE);
    f.fill_body = ""; /* nothing, not even an end: that is no answer */
    exchange(&f);
    assert_int_equal(f.call.error.code, ERR_PROTOCOL);
    f.fill_body = "."; /* nothing to say */
    exchange(&f);
    assert_false(f.call.has_failed);
    f.fill_body = "ab!cd";
    exchange(&f);
    assert_int_equal(f.call.error.code, ERR_PROTOCOL);
    assert_string_equal(buf_cstr(&f.call.text), "ab");
    assert_int_equal(first(&f)->state, ENDPOINT_READY);
    teardown(&f);
}

static void refusals_are_explained_by_the_dialect(void **state)
{
    (void)state;
    struct fixture f;
    setup_ready(&f);
    f.fill_status = 500;
    f.fill_body = "out of memory";
    exchange(&f);
    assert_int_equal(f.call.error.code, ERR_STATUS);
    assert_int_equal(f.call.error.detail, 500);
    assert_string_equal(f.call.error.msg, "tiny: out of memory");
    f.fill_status = 307;
    exchange(&f);
    assert_int_equal(f.call.error.code, ERR_STATUS);
    assert_non_null(strstr(f.call.error.msg, "settings"));
    assert_int_equal(first(&f)->state, ENDPOINT_READY);
    f.fill_status = 503;
    f.probe_status = 503;
    exchange(&f);
    assert_int_equal(f.call.error.code, ERR_LOADING);
    assert_int_equal(first(&f)->state, ENDPOINT_LOADING);
    f.probe_status = 200;
    assert_true(run_until(f.loop, is_ready, &f));
    f.fill_status = 401;
    exchange(&f);
    assert_int_equal(f.call.error.code, ERR_AUTH);
    assert_int_equal(first(&f)->state, ENDPOINT_BLOCKED);
    teardown(&f);
}

static void web_pages_are_no_answers(void **state)
{
    (void)state;
    struct fixture f;
    setup_ready(&f);
    f.fill_type = "text/html; charset=utf-8";
    exchange(&f);
    assert_int_equal(f.call.error.code, ERR_PROTOCOL);
    assert_non_null(strstr(f.call.error.msg, "text/html"));
    assert_int_equal(f.call.text.len, 0);
    teardown(&f);
}

static void shape_that_cannot_be_sent_fails_in_a_later_turn(void **state)
{
    (void)state;
    struct fixture f;
    setup_ready(&f);
    start_at(&f, first(&f)->id, GENERATE_CHAT, CLOCK_NEVER, CLOCK_NEVER);
    wait_for(f.loop, &f.call.is_done);
    assert_int_equal(f.call.error.code, ERR_REJECTED);
    start_at(&f, 4711, GENERATE_INFILL, CLOCK_NEVER, CLOCK_NEVER);
    wait_for(f.loop, &f.call.is_done);
    assert_int_equal(f.call.error.code, ERR_NOT_FOUND);
    teardown(&f);
}

static void broken_connection_takes_the_endpoint_down_and_looks_again(void **state)
{
    (void)state;
    struct fixture f;
    setup_ready(&f);
    uint16_t port = f.server.port;
    server_stop(&f.server);
    exchange(&f);
    assert_int_equal(f.call.error.code, ERR_CONNECT);
    assert_true(run_until(f.loop, is_down, &f));
    assert_in_range(first(&f)->next_probe_us, 0, clock_now_us() + SEC_TO_US(1));
    server_start(&f.server, f.loop, port, on_request, &f);
    assert_true(run_until(f.loop, is_ready, &f));
    teardown(&f);
}

static void deadlines_end_with_timeout(void **state)
{
    (void)state;
    struct fixture f;
    setup_ready(&f);
    f.fill_body = NULL;
    uint64_t now_us = clock_now_us();
    start_at(&f, first(&f)->id, GENERATE_INFILL, now_us + MS_TO_US(30), CLOCK_NEVER);
    wait_for(f.loop, &f.call.is_done);
    assert_int_equal(f.call.error.code, ERR_TIMEOUT);
    assert_true(clock_now_us() - now_us >= MS_TO_US(30));
    /* text has come: only the whole is bounded now */
    f.raw = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\nhi";
    now_us = clock_now_us();
    start_at(&f, first(&f)->id, GENERATE_INFILL, now_us + SEC_TO_US(4), now_us + MS_TO_US(60));
    assert_true(run_until(f.loop, has_text, &f));
    wait_for(f.loop, &f.call.is_done);
    assert_int_equal(f.call.error.code, ERR_TIMEOUT);
    assert_true(clock_now_us() - now_us >= MS_TO_US(60));
    assert_int_equal(first(&f)->state, ENDPOINT_READY);
    teardown(&f);
}

static bool is_filled(void *user)
{
    return ((struct fixture *)user)->n_fills > 0;
}

static void cancel_is_silent_and_closes(void **state)
{
    (void)state;
    struct fixture f;
    setup_ready(&f);
    f.fill_body = NULL;
    start(&f);
    assert_true(run_until(f.loop, is_filled, &f));
    exchange_cancel(f.upstream, f.call.id);
    exchange_cancel(f.upstream, f.call.id);
    exchange_cancel(f.upstream, 4711);
    assert_true(run_until(f.loop, is_first_closed, &f));
    assert_int_equal(f.call.n_done, 0);
    assert_int_equal(upstream_stats(f.upstream).n_active, 0);
    assert_int_equal(upstream_stats(f.upstream).n_cancelled, 1);
    teardown(&f);
}

static bool is_cancelled(void *user)
{
    return ((struct fixture *)user)->call.is_cancelled;
}

static void cancel_from_inside_text_is_the_last_that_is_heard(void **state)
{
    (void)state;
    struct fixture f;
    setup_ready(&f);
    f.fill_body = "abc.";
    f.call.must_cancel = true;
    start(&f);
    assert_true(run_until(f.loop, is_cancelled, &f));
    run_turns(f.loop, 5);
    assert_string_equal(buf_cstr(&f.call.text), "a");
    assert_int_equal(f.call.n_done, 0);
    teardown(&f);
}

static void predictor_answers_in_a_later_turn(void **state)
{
    (void)state;
    struct fixture f;
    setup_ready(&f);
    start_at(&f, upstream_endpoint(f.upstream, 1)->id, GENERATE_INFILL, CLOCK_NEVER, CLOCK_NEVER);
    assert_int_equal(f.call.n_done, 0);
    wait_for(f.loop, &f.call.is_done);
    assert_false(f.call.has_failed);
    assert_true(f.call.confidence >= 0 && f.call.confidence <= 1);
    assert_int_equal(f.n_fills, 0);
    start_at(&f, upstream_endpoint(f.upstream, 1)->id, GENERATE_INFILL, CLOCK_NEVER, CLOCK_NEVER);
    exchange_cancel(f.upstream, f.call.id);
    run_turns(f.loop, 3);
    assert_int_equal(f.call.n_done, 0);
    teardown(&f);
}

static void destroy_silences_what_flies(void **state)
{
    (void)state;
    struct fixture f;
    setup_ready(&f);
    f.raw = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\nhi";
    start(&f);
    assert_true(run_until(f.loop, has_text, &f));
    teardown(&f);
    assert_int_equal(f.call.n_done, 0);
}

/* Every entry's look is under way: stopping one may not touch those that went before. */
static void destroy_stops_looks_that_are_under_way(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    ports[0] = f.server.port;
    f.settings.n_endpoints = 0;
    configure(&f);
    upstream_probe(f.upstream);
    assert_false(upstream_is_settled(f.upstream));
    ports[1] = f.server.port;
    teardown(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_touches_the_network_before_the_first_probe),
        cmocka_unit_test(configured_endpoint_becomes_ready_with_its_models),
        cmocka_unit_test(endpoint_that_loads_is_asked_again_until_ready),
        cmocka_unit_test(endpoint_that_nobody_serves_is_down_and_not_hammered),
        cmocka_unit_test(strangers_and_refusals_are_told_apart),
        cmocka_unit_test(redirects_and_pages_are_named),
        cmocka_unit_test(clock_of_the_server_is_compared),
        cmocka_unit_test(look_again_is_for_what_is_ready),
        cmocka_unit_test(pauses_between_pieces_are_counted),
        cmocka_unit_test(consent_and_bad_urls_block_without_a_byte),
        cmocka_unit_test(servers_on_known_ports_are_found_and_named),
        cmocka_unit_test(each_dialect_of_a_port_is_tried),
        cmocka_unit_test(ports_where_nothing_known_answers_stay_hidden),
        cmocka_unit_test(endpoints_that_stay_the_same_keep_their_state),
        cmocka_unit_test(paths_of_the_configuration_are_asked),
        cmocka_unit_test(model_that_cant_be_read_isnt_offered),
        cmocka_unit_test(exchange_gives_text_and_one_end),
        cmocka_unit_test(end_is_told_before_the_response_is_whole),
        cmocka_unit_test(response_that_never_ends_is_not_waited_for),
        cmocka_unit_test(cut_off_answers_say_so),
        cmocka_unit_test(refusals_are_explained_by_the_dialect),
        cmocka_unit_test(web_pages_are_no_answers),
        cmocka_unit_test(shape_that_cannot_be_sent_fails_in_a_later_turn),
        cmocka_unit_test(broken_connection_takes_the_endpoint_down_and_looks_again),
        cmocka_unit_test(deadlines_end_with_timeout),
        cmocka_unit_test(cancel_is_silent_and_closes),
        cmocka_unit_test(cancel_from_inside_text_is_the_last_that_is_heard),
        cmocka_unit_test(predictor_answers_in_a_later_turn),
        cmocka_unit_test(destroy_silences_what_flies),
        cmocka_unit_test(destroy_stops_looks_that_are_under_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
