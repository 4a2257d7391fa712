/* warm_test.c - connections that are opened before a question needs them: when, by which request,
 * and when not. The server stands for one elsewhere: it is reached as its own proxy. */
#include "core/upstream/upstream.h"

#include "tests/unit/core/upstream/server.h"

#define LIST "{\"data\":[{\"id\":\"coder\",\"object\":\"model\"}]}"

struct bed {
    struct loop *loop;
    struct upstream *upstream;
    struct server server;
    char proxy[64], url[64];
    struct endpoint_settings endpoint;
    struct settings settings;
    size_t n_heads, n_posts;
    bool must_hold; /* POSTs aren't answered */
    bool is_done;
};

static void on_request(struct server_connection *c, str request, void *user)
{
    struct bed *bed = user;
    if (str_starts_with(request, STR("HEAD"))) {
        bed->n_heads++;
        server_send(
            c, "HTTP/1.1 405 X\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n");
    } else if (str_starts_with(request, STR("GET"))) {
        server_reply(c, 200, "application/json", LIST);
    } else {
        bed->n_posts++;
        if (!bed->must_hold) {
            server_reply(c, 200, "text/event-stream", "data: [DONE]\n\n");
        }
    }
}

static void on_change(void *user)
{
    (void)user;
}

static bool is_settled(void *user)
{
    return upstream_is_settled(((struct bed *)user)->upstream);
}

static const struct endpoint *ep(const struct bed *bed)
{
    return upstream_endpoint(bed->upstream, 0);
}

static void setup_unlooked(struct bed *bed, const char *kind)
{
    *bed = (struct bed){.loop = loop_create()};
    server_start(&bed->server, bed->loop, 0, on_request, bed);
    (void)snprintf(bed->proxy, sizeof bed->proxy, "http://127.0.0.1:%u",
                   (unsigned)bed->server.port);
    assert_int_equal(setenv("WARM_TEST_KEY", "canary", 1), 0);
    bed->endpoint = (struct endpoint_settings){.name = STR("mine"),
                                               .kind = str_from(kind),
                                               .url = STR("http://models:8080/v1"),
                                               .api_key_env = STR("WARM_TEST_KEY"),
                                               .proxy = str_from(bed->proxy)};
    bed->settings = (struct settings){
        .n_refs = 1, .endpoints = &bed->endpoint, .n_endpoints = 1, .upstream_warm = true};
    struct upstream_options options = {provider_table, NULL, on_change, bed};
    bed->upstream = upstream_create(bed->loop, &options);
    upstream_configure(bed->upstream, &bed->settings);
}

static void setup(struct bed *bed)
{
    setup_unlooked(bed, "openai");
    upstream_probe(bed->upstream);
    assert_true(run_until(bed->loop, is_settled, bed));
    assert_int_equal(ep(bed)->state, ENDPOINT_READY);
    assert_int_equal(ep(bed)->tier, TIER_LAN);
}

static void teardown(struct bed *bed)
{
    upstream_destroy(bed->upstream);
    server_stop(&bed->server);
    loop_destroy(bed->loop);
}

static bool warm(struct bed *bed)
{
    return upstream_warm(bed->upstream, ep(bed)->id);
}

static bool is_warmed(void *user)
{
    return upstream_stats(((struct bed *)user)->upstream).n_connections_warmed > 0;
}

static bool has_posted(void *user)
{
    return ((struct bed *)user)->n_posts > 0;
}

static void close_all(struct bed *bed)
{
    for (size_t i = 0; i < bed->server.n_connections; i++) {
        server_close(&bed->server.connections[i]);
    }
    run_turns(bed->loop, 3);
}

static void on_text(uint64_t exchange, str utf8, void *user)
{
    (void)exchange;
    (void)utf8;
    (void)user;
}

static void on_done(uint64_t exchange, const struct generate_end *end, double confidence,
                    const struct error *error, void *user)
{
    (void)exchange;
    (void)end;
    (void)confidence;
    (void)error;
    ((struct bed *)user)->is_done = true;
}

static uint64_t ask(struct bed *bed)
{
    struct exchange_spec spec = {.endpoint = ep(bed)->id,
                                 .generate = {.shape = GENERATE_RAW,
                                              .model = STR("coder"),
                                              .prompt = STR("P"),
                                              .max_tokens = 9,
                                              .temperature = 0.2},
                                 .first_token_us = UINT64_MAX,
                                 .total_us = UINT64_MAX};
    struct exchange_sink sink = {.on_text = on_text, .on_done = on_done, .user = bed};
    bed->is_done = false;
    return exchange_start(bed->upstream, &spec, &sink);
}

static void endpoint_that_became_ready_is_warm(void **state)
{
    (void)state;
    struct bed bed;
    setup(&bed);
    assert_false(warm(&bed)); /* the look has left its connection */
    ask(&bed);
    wait_for(bed.loop, &bed.is_done);
    assert_int_equal(bed.server.n_connections, 1);
    assert_int_equal(bed.n_heads, 0);
    teardown(&bed);
}

static void connection_is_back_before_the_question(void **state)
{
    (void)state;
    struct bed bed;
    setup(&bed);
    close_all(&bed); /* the server has waited long enough */
    assert_true(warm(&bed));
    assert_false(warm(&bed)); /* it is on its way */
    assert_true(run_until(bed.loop, is_warmed, &bed));
    assert_int_equal(bed.n_heads, 1);
    assert_true(server_got(&bed.server, "HEAD http://models:8080/v1/models HTTP/1.1\r\n"));
    assert_true(server_got(&bed.server, "Authorization: Bearer canary\r\n"));
    assert_int_equal(bed.server.n_connections, 2);
    ask(&bed);
    wait_for(bed.loop, &bed.is_done);
    assert_int_equal(bed.server.n_connections, 2); /* it waited for no other */
    struct upstream_stats s = upstream_stats(bed.upstream);
    assert_int_equal(s.n_connections_warmed, 1);
    assert_int_equal(s.n_connections_opened, 2);
    assert_int_equal(s.n_connections_idle, s.n_connections);
    close_all(&bed);
    assert_false(warm(&bed)); /* a server that closes at once isn't knocked at all the time */
    teardown(&bed);
}

/* A cancel closes its connection, and the keystroke that it was for asks next. */
static void cancelled_question_leaves_a_warm_place(void **state)
{
    (void)state;
    struct bed bed;
    setup(&bed);
    bed.must_hold = true;
    uint64_t id = ask(&bed);
    assert_true(run_until(bed.loop, has_posted, &bed));
    exchange_cancel(bed.upstream, id);
    assert_true(run_until(bed.loop, is_warmed, &bed));
    bed.must_hold = false;
    ask(&bed);
    wait_for(bed.loop, &bed.is_done);
    assert_int_equal(bed.server.n_connections, 2);
    teardown(&bed);
}

static void nothing_is_opened_where_it_is_of_no_use(void **state)
{
    (void)state;
    struct bed bed;
    setup(&bed);
    close_all(&bed);
    assert_false(upstream_warm(bed.upstream, 12345));
    bed.settings.upstream_warm = false;
    assert_false(warm(&bed));
    bed.settings.upstream_warm = true;
    assert_true(warm(&bed));
    teardown(&bed);

    setup_unlooked(&bed, "openai");
    assert_false(warm(&bed)); /* nobody knows whether it is there */
    teardown(&bed);

    setup(&bed); /* on this machine, by plain http */
    (void)snprintf(bed.url, sizeof bed.url, "http://127.0.0.1:%u", (unsigned)bed.server.port);
    bed.endpoint.url = str_from(bed.url);
    bed.endpoint.proxy = STR("");
    upstream_configure(bed.upstream, &bed.settings);
    assert_true(run_until(bed.loop, is_settled, &bed));
    assert_int_equal(ep(&bed)->state, ENDPOINT_READY);
    close_all(&bed);
    assert_false(warm(&bed));
    teardown(&bed);
}

static void machine_that_slept_trusts_no_connection(void **state)
{
    (void)state;
    struct bed bed;
    setup(&bed);
    upstream_resume(bed.upstream);
    ask(&bed);
    wait_for(bed.loop, &bed.is_done);
    assert_int_equal(bed.server.n_connections, 2);
    teardown(&bed);
}

static void every_dialect_has_a_request_that_costs_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; provider_table[i]; i++) {
        str request = str_from(provider_table[i]->warm_request);
        if (provider_table[i]->capabilities & PROVIDER_IN_PROCESS) {
            assert_int_equal(request.len, 0);
            continue;
        }
        assert_true(str_starts_with(request, STR("GET /")) ||
                    str_starts_with(request, STR("HEAD /")));
        assert_true(str_find(request, STR("completion"), 0) == SIZE_MAX);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(endpoint_that_became_ready_is_warm),
        cmocka_unit_test(connection_is_back_before_the_question),
        cmocka_unit_test(cancelled_question_leaves_a_warm_place),
        cmocka_unit_test(nothing_is_opened_where_it_is_of_no_use),
        cmocka_unit_test(machine_that_slept_trusts_no_connection),
        cmocka_unit_test(every_dialect_has_a_request_that_costs_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
