/* openai_test.c - the OpenAI dialect and its many variants. */
#include "transcript.h"

#define KIND                    "openai"
#define CHECK(stream, expected) check_stream(provider_named(KIND), STR(stream), expected)
#define NONE                    "prompt=-1 cached=-1 tokens=-1"

static void probe_reads_lists_of_models(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        size_t n_models;
    } cases[] = {
        {"{\"object\":\"list\",\"data\":[{\"id\":\"a\",\"max_model_len\":8192},{\"id\":\"b\"}]}",
         2},
        {"[{\"id\":\"a\",\"context_length\":8192}]", 1},
        {"{\"data\":[]}", 0},
        {"{\"data\":[1,null,{\"id\":7},{\"id\":\"a\",\"max_model_len\":8192}]}", 1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct arena arena = {0};
        struct probe p = {.arena = &arena, .loading = -1};
        assert_int_equal(provider_named(KIND)->probe_reply(&p, 200, str_from(cases[i].body)),
                         PROBE_READY);
        assert_int_equal(p.n_models, cases[i].n_models);
        if (p.n_models > 0) {
            assert_true(str_eq(p.models[0].id, STR("a")));
            assert_int_equal(p.models[0].n_ctx, 8192);
            assert_int_equal(p.models[0].abilities, MODEL_RAW | MODEL_CHAT);
        }
        arena_release(&arena);
    }
}

static void probe_caps_the_list(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct probe p = {.arena = &arena, .loading = -1};
    struct buf body;
    buf_init(&body, MIB);
    buf_append(&body, STR("[{}"));
    for (size_t i = 0; i < 2 * MODELS_MAX; i++) {
        buf_append(&body, STR(",{\"id\":\"m\"}"));
    }
    buf_append(&body, STR("]"));
    assert_int_equal(provider_named(KIND)->probe_reply(&p, 200, buf_str(&body)), PROBE_READY);
    assert_int_equal(p.n_models, MODELS_MAX);
    buf_release(&body);
    arena_release(&arena);
}

static void probe_tells_states_apart(void **state)
{
    (void)state;
    static const struct {
        int status;
        const char *body;
        enum probe_state state;
    } cases[] = {{401, "", PROBE_REFUSED},
                 {403, "{}", PROBE_REFUSED},
                 {503, "{\"error\":\"Loading model\"}", PROBE_LOADING},
                 {503, "{\"error\":\"busy\"}", PROBE_FOREIGN},
                 {404, "{\"detail\":\"Not Found\"}", PROBE_READY},
                 {404, "not found", PROBE_FOREIGN},
                 {200, "<html>", PROBE_FOREIGN},
                 {200, "{\"data\":{}}", PROBE_FOREIGN},
                 {301, "", PROBE_FOREIGN},
                 {0, "", PROBE_FOREIGN}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct arena arena = {0};
        struct probe p = {.arena = &arena, .loading = -1};
        assert_int_equal(
            provider_named(KIND)->probe_reply(&p, cases[i].status, str_from(cases[i].body)),
            cases[i].state);
        arena_release(&arena);
    }
}

static void encode_writes_each_shape(void **state)
{
    (void)state;
    static const str stops[] = {{"a", 1}, {"b", 1}, {"c", 1}, {"d", 1}, {"e", 1}};
    struct buf out;
    buf_init(&out, MIB);
    struct generate g = {.shape = GENERATE_RAW,
                         .model = STR("m"),
                         .prompt = STR("P"),
                         .suffix = STR("never sent"),
                         .stops = stops,
                         .n_stops = 5,
                         .max_tokens = 32,
                         .temperature = 0.5,
                         .slot = 3,
                         .extra_body = STR("{\"top_p\":0.5,\"suffix\":\"x\"}")};
    assert_int_equal(encoded(KIND, &g, &out), ERR_OK);
    assert_string_equal(buf_cstr(&out),
                        "/completions {\"model\":\"m\",\"prompt\":\"P\",\"max_tokens\":32,"
                        "\"stream\":true,\"temperature\":0.5,\"stop\":[\"a\",\"b\",\"c\",\"d\"],"
                        "\"top_p\":0.5}");
    g.shape = GENERATE_CHAT;
    g.n_stops = 0;
    g.temperature = -1;
    g.extra_body = STR("{\"max_completion_tokens\":9}");
    assert_int_equal(encoded(KIND, &g, &out), ERR_OK);
    assert_string_equal(buf_cstr(&out),
                        "/chat/completions {\"model\":\"m\",\"messages\":[{\"role\":\"user\","
                        "\"content\":\"P\"}],\"stream\":true,\"max_completion_tokens\":9}");
    g.shape = GENERATE_INFILL;
    assert_int_equal(encoded(KIND, &g, &out), ERR_REJECTED);
    buf_release(&out);
}

static void decode_reads_recorded_streams(void **state)
{
    (void)state;
    check_fixture(KIND, "openai_completions.sse", "void *)(void|length prompt=3 cached=2 tokens=4");
    check_fixture(KIND, "openai_chat_usage.sse", "```python|length prompt=14 cached=13 tokens=4");
    check_fixture(KIND, "openai_completions.json",
                  "void *)(void|length prompt=3 cached=2 tokens=4");
    check_fixture(KIND, "openai_chat.json", "```python|length prompt=14 cached=13 tokens=4");
    check_fixture(KIND, "vllm_error.sse",
                  "int|status 500: the server failed; its own log says more; HTTP 500 "
                  "(\"EngineCore encountered an issue\")");
    check_fixture(KIND, "openrouter_keepalive.sse", "x = 1|stop prompt=7 cached=2 tokens=3");
    check_fixture(KIND, "deepseek_whole.json", "\xc3\xa9|length prompt=4 cached=3 tokens=1");
}

static void decode_tells_several_texts_apart(void **state)
{
    (void)state;
    check_fixture(KIND, "openai_completions_several.sse",
                  " # is set to a b|length prompt=10 cached=0 tokens=6"); /* one was asked for */
    transcript_texts = 3;
    check_fixture(KIND, "openai_completions_several.sse",
                  "{1} #{2} # #{1} type{2} make is{1}:{2} the set{1} {2} last to{1} #{2} line a{1} "
                  "B{1 length}{2} with{2 length} b{0 length}|length prompt=10 cached=0 tokens=6");
    check_fixture(
        KIND, "openai_completions_several.json",
        " # is set to a b{0 length}{1} # type:  # B{1 length}{2} # make the last line with"
        "{2 length}|length prompt=10 cached=9 tokens=6");
    CHECK("data: {\"choices\":[{\"index\":1,\"text\":\"b\",\"finish_reason\":\"content_filter\"},"
          "{\"index\":0,\"text\":\"a\",\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n",
          "{1}b{1 cut}a{0 stop}|stop " NONE);
    transcript_texts = 0;
}

static void decode_reads_ends(void **state)
{
    (void)state;
    CHECK("data: {\"choices\":[{\"text\":\"a\",\"finish_reason\":null}]}\n\n", "a|cut " NONE);
    CHECK("data: {\"choices\":[{\"text\":\"a\",\"finish_reason\":\"stop\"}]}\n\n", "a|stop " NONE);
    CHECK("data: {\"choices\":[{\"text\":\"a\",\"finish_reason\":\"\"}]}\n\ndata: [DONE]\n\n",
          "a|cut " NONE);
    CHECK("data: {\"choices\":[{\"text\":\"a\",\"finish_reason\":\"length\"}]}\n\n"
          "data: {\"choices\":[{\"text\":\"b\"}]}\n\n"
          "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":1}}\n\n",
          "a|length prompt=5 cached=-1 tokens=1");
    CHECK("data: [DONE]\n\ndata: {\"choices\":[{\"text\":\"a\"}]}\n\n", "|cut " NONE);
    CHECK("data:[DONE] \r\n", "|cut " NONE);
    CHECK("data: {\"choices\":[{\"index\":1,\"text\":\"b\"},{\"index\":0,\"text\":\"a\"}]}\n\n",
          "a|cut " NONE);
    CHECK("data: {\"choices\":[{\"delta\":{}},{\"delta\":{\"content\":null}}]}\n\n", "|cut " NONE);
    CHECK("data: {\"choices\":[{\"text\":\"a\",\"finish_reason\":\"error\"}]}\n\n",
          "a|status 0: the server broke the answer off with an error of its own");
}

static void decode_reads_errors_of_every_shape(void **state)
{
    (void)state;
    CHECK("data: {\"error\":{\"message\":\"m\",\"code\":503}}\n\n",
          "|status 503: the server failed; its own log says more; HTTP 503 (\"m\")");
    CHECK("data: {\"error\":\"m\",\"error_type\":\"overloaded\"}\n\n",
          "|status 200: the server is overloaded; ask again in a moment (\"m\")");
    CHECK("data: {\"object\":\"error\",\"message\":\"m\",\"code\":401}\n\n",
          "|auth 401: the server refuses the key; set the endpoint's apiKeyFile, apiKeyEnv or "
          "apiKeyCommand; HTTP 401");
    CHECK("{\"message\":\"Requests rate limit exceeded\",\"code\":429}",
          "|status 429: the server has too many requests or the account's quota is used up; wait "
          "or raise it; HTTP 429 (\"Requests rate limit exceeded\")");
    CHECK("{\"detail\":[{\"msg\":\"bad\"}]}",
          "|status 200: the server refuses the request; check the endpoint's kind and settings "
          "(\"bad\")");
    CHECK("event: error\ndata: {\"message\":\"m\",\"choices\":[]}\n\n",
          "|status 200: the server refuses the request; check the endpoint's kind and settings "
          "(\"m\")");
    CHECK("data: {\"error\":{\"message\":\"This model's maximum context length is 8\","
          "\"code\":\"context_length_exceeded\"}}",
          "|too_large 200: the prompt is longer than the model's context; start the server with a "
          "larger one (\"This model's maximum context length is 8\")");
    CHECK("data: {\"error\":null,\"choices\":[{\"text\":\"a\",\"finish_reason\":\"stop\"}]}\n\n",
          "a|stop " NONE);
}

static void decode_reads_what_gateways_say(void **state)
{
    (void)state;
    check_fixture(KIND, "openrouter_error.sse",
                  "x|status 502: the server failed; its own log says more; HTTP 502 (\"Provider "
                  "disconnected unexpectedly\")");
    check_fixture(KIND, "tgi_completions.sse", "int x|stop " NONE);
    check_fixture(KIND, "tgi_error.sse",
                  "int|status 200: the server failed; its own log says more (\"Incomplete "
                  "generation\")");
    check_fixture(KIND, "llamaswap_loading.sse", "It adds.|stop " NONE);
    CHECK("{\"error\":{\"code\":402,\"message\":\"Insufficient credits\"}}",
          "|status 402: the account has no credit left; top it up, or name another endpoint; HTTP "
          "402 (\"Insufficient credits\")");
    CHECK("data: {\"choices\":[{\"delta\":{\"content\":\"a\"},\"finish_reason\":"
          "\"content_filter\"}]}\n\n",
          "a|rejected 0: the model or its filter refuses to answer this");
}

static void explain_knows_gateways(void **state)
{
    (void)state;
    transcript_explanation(KIND, 429,
                           "{\"error\":\"Model is overloaded\",\"error_type\":"
                           "\"overloaded\"}",
                           ERR_STATUS, "the server is overloaded");
    transcript_explanation(KIND, 422,
                           "{\"error\":\"Input validation error: `inputs` must have less than 4096 "
                           "tokens\",\"error_type\":\"validation\"}",
                           ERR_TOO_LARGE, "longer than the model's context");
    transcript_explanation(KIND, 424,
                           "{\"error\":\"Request failed during generation\",\"error_type\":"
                           "\"generation\"}",
                           ERR_STATUS, "the server failed");
    transcript_explanation(KIND, 429,
                           "{\"error\":{\"code\":429,\"message\":\"Provider returned error\","
                           "\"metadata\":{\"raw\":\"x is temporarily rate-limited upstream\","
                           "\"provider_name\":\"X\"}}}",
                           ERR_STATUS, "too many requests");
    transcript_explanation(KIND, 402, "{\"error\":{\"code\":402,\"message\":\"Insufficient\"}}",
                           ERR_STATUS, "no credit left");
    transcript_explanation(KIND, 429,
                           "{\"error\":{\"message\":\"You exceeded your current quota\",\"type\":"
                           "\"insufficient_quota\",\"code\":\"insufficient_quota\"}}",
                           ERR_STATUS, "no credit left");
    transcript_explanation(KIND, 400,
                           "{\"error\":\"could not find suitable inference handler for coder\","
                           "\"src\":\"llama-swap\"}",
                           ERR_NOT_FOUND, "no such model");
    transcript_explanation(KIND, 404,
                           "{\"error\":\"no model id could be identified\",\"src\":\"llama-swap\"}",
                           ERR_NOT_FOUND, "no such model");
    transcript_explanation(KIND, 502,
                           "{\"error\":\"unspecific error: upstream command exited prematurely\","
                           "\"src\":\"llama-swap\"}",
                           ERR_STATUS, "upstream command exited prematurely");
}

static void decode_refuses_what_is_no_model_server(void **state)
{
    (void)state;
    CHECK(" \n<!doctype html><html>", "|protocol 0: the server's answer is a web page; check that "
                                      "its address and kind fit");
    CHECK("{\"choices\":[", "|protocol 0: the server's answer is broken JSON; check that its "
                            "address and kind fit");
    CHECK("[1,2]", "|protocol 0: the server's answer is broken JSON; check that its address and "
                   "kind fit");
    CHECK("\xef\xbb\xbf\n{\"choices\":[{\"text\":\"a\",\"finish_reason\":\"stop\"}]}",
          "a|stop " NONE);
}

static void embedded_has_no_codec(void **state)
{
    (void)state;
    const struct provider_ops *ops = provider_named("embedded");
    assert_true(ops->capabilities & PROVIDER_IN_PROCESS);
    assert_null((void *)(uintptr_t)ops->encode);
    assert_null(ops->ports);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(probe_reads_lists_of_models),
        cmocka_unit_test(probe_caps_the_list),
        cmocka_unit_test(probe_tells_states_apart),
        cmocka_unit_test(encode_writes_each_shape),
        cmocka_unit_test(decode_reads_recorded_streams),
        cmocka_unit_test(decode_tells_several_texts_apart),
        cmocka_unit_test(decode_reads_ends),
        cmocka_unit_test(decode_reads_errors_of_every_shape),
        cmocka_unit_test(decode_reads_what_gateways_say),
        cmocka_unit_test(explain_knows_gateways),
        cmocka_unit_test(decode_refuses_what_is_no_model_server),
        cmocka_unit_test(embedded_has_no_codec),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
