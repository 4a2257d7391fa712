/* reach_test.c - how each dialect has its servers reached: addresses that the settings leave out,
 * endings of a url that paths begin with, headers and the one that carries the key. */
#include "core/upstream/upstream.h"

#include "tests/unit/core/upstream/server.h"

struct bed {
    struct loop *loop;
    struct upstream *upstream;
    struct server server;
    char url[64];
    struct endpoint_settings endpoint;
    struct settings settings;
    const char *list, *answer;
    struct buf text;
    bool is_done;
    struct error error;
};

static void on_request(struct server_connection *c, str request, void *user)
{
    struct bed *bed = user;
    if (str_starts_with(request, STR("POST"))) {
        server_reply(c, bed->answer != NULL ? 200 : 404, "text/event-stream",
                     bed->answer != NULL ? bed->answer : "");
    } else {
        server_reply(c, 200, "application/json", bed->list);
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

static void bed_start(struct bed *bed, const char *kind, const char *list)
{
    *bed = (struct bed){.loop = loop_create(), .list = list};
    server_start(&bed->server, bed->loop, 0, on_request, bed);
    buf_init(&bed->text, 4096);
    bed->endpoint = (struct endpoint_settings){.name = STR("mine"), .kind = str_from(kind)};
    bed->settings = (struct settings){.n_refs = 1, .endpoints = &bed->endpoint, .n_endpoints = 1};
    struct upstream_options options = {provider_table, NULL, on_change, bed};
    bed->upstream = upstream_create(bed->loop, &options);
}

static void bed_end(struct bed *bed)
{
    upstream_destroy(bed->upstream);
    server_stop(&bed->server);
    loop_destroy(bed->loop);
    buf_release(&bed->text);
}

/* Configures the server's own address with `ending` behind it, and looks at it. */
static void look(struct bed *bed, const char *ending)
{
    (void)snprintf(bed->url, sizeof bed->url, "http://127.0.0.1:%u%s", (unsigned)bed->server.port,
                   ending);
    bed->endpoint.url = str_from(bed->url);
    upstream_configure(bed->upstream, &bed->settings);
    upstream_probe(bed->upstream);
    assert_true(run_until(bed->loop, is_settled, bed));
}

static void address_of_a_service_is_known(void **state)
{
    (void)state;
    static const struct {
        const char *kind, *origin;
        enum tier tier;
    } cases[] = {{"mistral", "https://api.mistral.ai:443", TIER_CLOUD},
                 {"deepseek", "https://api.deepseek.com:443", TIER_CLOUD},
                 {"anthropic", "https://api.anthropic.com:443", TIER_CLOUD},
                 {"lmstudio", "http://127.0.0.1:1234", TIER_LOOPBACK},
                 {"vllm", "http://127.0.0.1:8000", TIER_LOOPBACK},
                 {"ollama", "http://127.0.0.1:11434", TIER_LOOPBACK}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bed bed;
        bed_start(&bed, cases[i].kind, "");
        upstream_configure(bed.upstream, &bed.settings); /* nothing is looked at */
        assert_true(str_eq(ep(&bed)->origin, str_from(cases[i].origin)));
        assert_int_equal(ep(&bed)->tier, cases[i].tier);
        assert_int_equal(ep(&bed)->base_path.len, 0);
        assert_int_equal(ep(&bed)->state, ENDPOINT_UNKNOWN);
        bed_end(&bed);
    }
    struct bed bed;
    bed_start(&bed, "openai", ""); /* could be anybody */
    upstream_configure(bed.upstream, &bed.settings);
    assert_int_equal(ep(&bed)->state, ENDPOINT_BLOCKED);
    bed_end(&bed);
}

/* A default address is no way around consent. */
static void service_of_a_project_needs_consent(void **state)
{
    (void)state;
    struct bed bed;
    bed_start(&bed, "mistral", "");
    bed.endpoint.needs_consent = true;
    upstream_configure(bed.upstream, &bed.settings);
    assert_int_equal(ep(&bed)->state, ENDPOINT_BLOCKED);
    assert_non_null(strstr(ep(&bed)->error.msg, "needs your consent"));
    bed_end(&bed);
}

static void url_may_end_in_what_paths_begin_with(void **state)
{
    (void)state;
    static const struct {
        const char *kind, *ending, *request;
    } cases[] = {{"mistral", "", "GET /v1/models HTTP"},
                 {"mistral", "/v1", "GET /v1/models HTTP"},
                 {"mistral", "/gate/v1/", "GET /gate/v1/models HTTP"},
                 {"deepseek", "/beta", "GET /models HTTP"},
                 {"deepseek", "/v1", "GET /models HTTP"},
                 {"anthropic", "/v1", "GET /v1/models?limit=100 HTTP"},
                 {"vllm", "/v1", "POST /tokenize HTTP"},
                 {"lmstudio", "/v1", "GET /api/v0/models HTTP"},
                 {"lmstudio", "/api/v1", "GET /api/v0/models HTTP"},
                 {"openai", "/v1", "GET /v1/models HTTP"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bed bed;
        bed_start(&bed, cases[i].kind, "{\"data\":[{\"id\":\"m\"}]}");
        look(&bed, cases[i].ending);
        assert_int_equal(ep(&bed)->state, ENDPOINT_READY);
        assert_true(server_got(&bed.server, cases[i].request));
        bed_end(&bed);
    }
}

static void on_text(uint64_t exchange, str utf8, void *user)
{
    (void)exchange;
    buf_append(&((struct bed *)user)->text, utf8);
}

static void on_done(uint64_t exchange, const struct generate_end *end, double confidence,
                    const struct error *error, void *user)
{
    (void)exchange;
    (void)end;
    (void)confidence;
    struct bed *bed = user;
    bed->error = error ? *error : (struct error){0};
    bed->is_done = true;
}

static void chat(struct bed *bed, const char *model)
{
    struct exchange_spec spec = {.endpoint = ep(bed)->id,
                                 .generate = {.shape = GENERATE_CHAT,
                                              .model = str_from(model),
                                              .prompt = STR("P"),
                                              .max_tokens = 9,
                                              .temperature = 0.2},
                                 .first_token_us = UINT64_MAX,
                                 .total_us = UINT64_MAX};
    struct exchange_sink sink = {.on_text = on_text, .on_done = on_done, .user = bed};
    bed->is_done = false;
    buf_clear(&bed->text);
    (void)exchange_start(bed->upstream, &spec, &sink);
    wait_for(bed->loop, &bed->is_done);
}

static void key_and_version_go_in_headers_of_their_own(void **state)
{
    (void)state;
    struct bed bed;
    bed_start(&bed, "anthropic", "{\"data\":[{\"type\":\"model\",\"id\":\"claude\"}]}");
    assert_int_equal(setenv("REACH_TEST_KEY", "canary", 1), 0);
    bed.endpoint.api_key_env = STR("REACH_TEST_KEY");
    look(&bed, "");
    assert_true(server_got(&bed.server, "x-api-key: canary\r\n"));
    assert_true(server_got(&bed.server, "anthropic-version: 2023-06-01\r\n"));
    assert_false(server_got(&bed.server, "Authorization"));
    bed.answer = "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"delta\":"
                 "{\"type\":\"text_delta\",\"text\":\"hi\"}}\n\nevent: message_stop\ndata: "
                 "{\"type\":\"message_stop\"}\n\n";
    chat(&bed, "claude");
    assert_int_equal(bed.error.code, ERR_OK);
    assert_string_equal(buf_cstr(&bed.text), "hi");
    assert_true(server_got(&bed.server, "POST /v1/messages HTTP"));
    assert_true(server_got(&bed.server, "x-api-key: canary\r\n"));
    assert_true(server_got(&bed.server, "anthropic-version: 2023-06-01\r\n"));
    bed.answer = "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":"
                 "\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n";
    chat(&bed, "claude");
    assert_int_equal(bed.error.code, ERR_STATUS);
    assert_non_null(strstr(bed.error.msg, "overloaded"));
    bed_end(&bed);
}

/* A gateway may want another version: the settings' header of that name wins. */
static void headers_of_the_settings_win(void **state)
{
    (void)state;
    static const str headers[] = {{"Anthropic-Version: 2024-01-01", 29}, {"x-other: 1", 10}};
    struct bed bed;
    bed_start(&bed, "anthropic", "{\"data\":[{\"id\":\"claude\"}]}");
    bed.endpoint.headers = headers;
    bed.endpoint.n_headers = 2;
    look(&bed, "");
    assert_true(server_got(&bed.server, "Anthropic-Version: 2024-01-01\r\n"));
    assert_true(server_got(&bed.server, "x-other: 1\r\n"));
    assert_false(server_got(&bed.server, "2023-06-01"));
    bed_end(&bed);
}

/* "models" in the settings' paths is the list, query or not. */
static void configured_path_takes_the_place_of_one_with_a_query(void **state)
{
    (void)state;
    static const str paths[] = {{"models\n/list", 12}};
    struct bed bed;
    bed_start(&bed, "anthropic", "{\"data\":[{\"id\":\"claude\"}]}");
    bed.endpoint.paths = paths;
    bed.endpoint.n_paths = 1;
    look(&bed, "");
    assert_true(server_got(&bed.server, "GET /list HTTP"));
    bed_end(&bed);
}

static void answer_of_another_model_is_refused(void **state)
{
    (void)state;
    struct bed bed;
    bed_start(&bed, "lmstudio",
              "{\"models\":[{\"type\":\"llm\",\"key\":\"coder\",\"loaded_instances\":[{\"id\":"
              "\"mine\"}]}]}");
    look(&bed, "");
    bed.answer = "data: {\"model\":\"mine\",\"choices\":[{\"delta\":{\"content\":\"a\"},"
                 "\"finish_reason\":\"stop\"}]}\n\n";
    chat(&bed, "coder");
    assert_int_equal(bed.error.code, ERR_OK);
    assert_string_equal(buf_cstr(&bed.text), "a");
    assert_true(server_got(&bed.server, "\"model\":\"mine\""));
    bed.answer = "data: {\"model\":\"gemma\",\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n";
    chat(&bed, "coder");
    assert_int_equal(bed.error.code, ERR_NOT_FOUND);
    assert_int_equal(bed.text.len, 0);
    bed_end(&bed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(address_of_a_service_is_known),
        cmocka_unit_test(service_of_a_project_needs_consent),
        cmocka_unit_test(url_may_end_in_what_paths_begin_with),
        cmocka_unit_test(key_and_version_go_in_headers_of_their_own),
        cmocka_unit_test(headers_of_the_settings_win),
        cmocka_unit_test(configured_path_takes_the_place_of_one_with_a_query),
        cmocka_unit_test(answer_of_another_model_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
