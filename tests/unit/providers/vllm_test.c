/* vllm_test.c - vLLM: its list, its sleep, its limits and the ways in which it fails. */
#include "transcript.h"

#define KIND "vllm"

static void probe_reads_list_sleep_and_version(void **state)
{
    (void)state;
    struct probe p = new_probe();
    check_probe_path(KIND, &p, "/v1/models");
    assert_int_equal(probe_fixture(KIND, &p, "vllm_models.json"), PROBE_MORE);
    check_probe_path(KIND, &p, "/is_sleeping");
    assert_int_equal(probe_answer(KIND, &p, 404, "{\"detail\":\"Not Found\"}"), PROBE_MORE);
    check_probe_path(KIND, &p, "/version");
    assert_int_equal(probe_answer(KIND, &p, 200, "{\"version\":\"0.13.0\"}"), PROBE_MORE);
    struct http_request request;
    http_request_init(&request);
    provider_named(KIND)->probe_request(&p, &request);
    assert_true(request.is_post);
    assert_string_equal(buf_cstr(&request.path), "/tokenize");
    assert_true(
        str_starts_with(buf_str(&request.body), STR("{\"model\":\"coder\",\"prompt\":\"<|fim")));
    http_request_release(&request);
    assert_int_equal(probe_answer(KIND, &p, 200, "{\"count\":3,\"tokens\":[1,2,3]}"), PROBE_READY);
    assert_false(p.models[0].tokens_told); /* an older server: the name is believed */
    assert_int_equal(p.n_models, 2);
    assert_true(str_eq(p.models[0].id, STR("coder")));
    assert_true(str_eq(p.models[0].name, STR("Qwen2.5-Coder-7B coder"))); /* tells the family */
    assert_int_equal(p.models[0].n_ctx, 16384);
    assert_int_equal(p.models[0].abilities, MODEL_RAW | MODEL_CHAT);
    assert_int_equal(p.models[1].n_ctx, 0);
    assert_true(p.models[0].is_loaded && p.models[1].is_loaded);
    assert_true(p.is_static);
    assert_true(str_eq(p.version, STR("0.13.0")));
}

static enum probe_state look(struct probe *p, const char *list)
{
    assert_int_equal(probe_answer(KIND, p, 200, list), PROBE_MORE);
    assert_int_equal(probe_answer(KIND, p, 404, ""), PROBE_MORE);
    return probe_answer(KIND, p, 200, "{\"version\":\"0.13.0\"}");
}

static void tokenizer_is_asked_once(void **state)
{
    (void)state;
    static const char *const LIST = "{\"data\":[{\"id\":\"m\"},{\"id\":\"adapter\"}]}";
    struct probe p = new_probe();
    assert_int_equal(look(&p, LIST), PROBE_MORE);
    assert_int_equal(
        probe_answer(KIND, &p, 200,
                     "{\"count\":4,\"tokens\":[1,2,3,4],\"token_strs\":[\"<fim_prefix>\","
                     "\"<fim_suffix>\",\"<fim_middle>\",\"<|\"]}"),
        PROBE_READY);
    for (size_t i = 0; i < 2; i++) {
        assert_true(p.models[i].tokens_told);
        assert_true(str_eq(p.models[i].tokens, STR("<fim_prefix>\n<fim_suffix>\n<fim_middle>\n")));
    }
    static const struct model_info KNOWN[] = {
        {.id = STR_INIT("m"), .name = STR_INIT("m"), .tokens_told = true},
        {.id = STR_INIT("adapter"), .name = STR_INIT("adapter"), .tokens_told = true}};
    p = new_probe();
    p.known = KNOWN;
    p.n_known = 2;
    assert_int_equal(look(&p, LIST), PROBE_READY);
    assert_true(p.models[1].tokens_told);
    p = new_probe();
    p.known = KNOWN;
    p.n_known = 2;
    assert_int_equal(look(&p, "{\"data\":[{\"id\":\"other\"}]}"), PROBE_MORE);
}

static void probe_knows_a_sleeper(void **state)
{
    (void)state;
    static const char *const answers[] = {"{\"is_sleeping\":true}", "{\"is_sleeping\":false}"};
    for (size_t i = 0; i < 2; i++) {
        struct probe p = new_probe();
        assert_int_equal(probe_answer(KIND, &p, 200, "{\"data\":[{\"id\":\"m\"}]}"), PROBE_MORE);
        assert_int_equal(probe_answer(KIND, &p, 200, answers[i]), PROBE_MORE);
        assert_int_equal(probe_answer(KIND, &p, 404, ""), PROBE_MORE);
        assert_int_equal(probe_answer(KIND, &p, 404, ""), PROBE_READY);
        assert_false(p.is_static);
        assert_int_equal(p.models[0].is_loaded, i == 1);
    }
}

static void probe_tells_states_apart(void **state)
{
    (void)state;
    static const struct {
        int status;
        const char *body;
        enum probe_state state;
    } cases[] = {{401, "{\"error\":\"Unauthorized\"}", PROBE_REFUSED},
                 {0, "", PROBE_FOREIGN},
                 {404, "<html>", PROBE_FOREIGN},
                 {503, "{}", PROBE_FOREIGN},
                 {200, "{\"data\":{}}", PROBE_FOREIGN}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct probe p = new_probe();
        assert_int_equal(probe_answer(KIND, &p, cases[i].status, cases[i].body), cases[i].state);
        assert_true((cases[i].status == 503) == (p.hint != NULL));
    }
    assert_null(provider_named(KIND)->ports); /* nothing is looked at unasked */
}

static void sleep_is_asked_about_and_ended_by_orders(void **state)
{
    (void)state;
    const struct provider_ops *ops = provider_named(KIND);
    struct model_info models[] = {{.id = STR("a"), .is_loaded = true}, {.id = STR("b")}};
    check_running_path(KIND, 1, "/is_sleeping");
    assert_true(ops->read_running(STR("{\"is_sleeping\":true}"), NULL, models, 2));
    assert_false(models[0].is_loaded || models[1].is_loaded);
    assert_true(ops->read_running(STR("{\"is_sleeping\":false}"), NULL, models, 2));
    assert_true(models[0].is_loaded && models[1].is_loaded);
    assert_false(ops->read_running(STR("{\"detail\":\"Not Found\"}"), NULL, models, 2));
    assert_true(models[0].is_loaded);
    struct load_order order = {.model = STR("a"), .dialect = 1, .keep_s = 600};
    check_order(ops->encode_load, &order, "/wake_up ");
    check_order(ops->encode_unload, &order, "/sleep?level=1 ");
    order.dialect = 0;
    check_order(ops->encode_load, &order, NULL);
    check_order(ops->encode_unload, &order, NULL);
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
                         .extra_body = STR("{\"priority\":1,\"suffix\":\"x\"}")};
    assert_int_equal(encoded(KIND, &g, &out), ERR_OK);
    assert_string_equal(buf_cstr(&out),
                        "/v1/completions {\"model\":\"m\",\"prompt\":\"P\","
                        "\"skip_special_tokens\":false,\"max_tokens\":32,\"stream\":true,"
                        "\"stream_options\":{\"include_usage\":true},\"temperature\":0.5,"
                        "\"stop\":[\"a\",\"b\",\"c\",\"d\"],\"priority\":1}");
    g.shape = GENERATE_CHAT;
    g.n_stops = 0;
    g.temperature = -1;
    g.extra_body = STR("{\"max_completion_tokens\":9}");
    assert_int_equal(encoded(KIND, &g, &out), ERR_OK);
    assert_string_equal(buf_cstr(&out),
                        "/v1/chat/completions {\"model\":\"m\",\"messages\":[{\"role\":\"user\","
                        "\"content\":\"P\"}],\"stream\":true,\"stream_options\":"
                        "{\"include_usage\":true},\"max_completion_tokens\":9}");
    g.shape = GENERATE_INFILL;
    assert_int_equal(encoded(KIND, &g, &out), ERR_REJECTED);
    buf_release(&out);
}

static void decode_reads_streams(void **state)
{
    (void)state;
    check_fixture(KIND, "vllm_completions.sse", "a + b;|stop prompt=33 cached=32 tokens=4");
    check_fixture(KIND, "vllm_abort.sse", "a|cut prompt=-1 cached=-1 tokens=-1");
    check_fixture(KIND, "vllm_error.sse",
                  "int|status 500: the server failed; its own log says more; HTTP 500 "
                  "(\"EngineCore encountered an issue\")");
    check_stream(provider_named(KIND),
                 STR("data: {\"object\":\"error\",\"message\":\"m\",\"type\":\"BadRequestError\","
                     "\"param\":null,\"code\":400}\n\ndata: [DONE]\n\n"),
                 "|status 400: the server refuses the request; check the endpoint's kind and "
                 "settings; HTTP 400 (\"m\")");
    transcript_abort(KIND, STR("data: {\"choices\":[{\"text\":\"a\"}]}\n\n"), "a");
}

static void explain_reads_both_shapes_of_errors(void **state)
{
    (void)state;
    transcript_explanation(KIND, 404,
                           "{\"error\":{\"message\":\"The model `x` does not exist.\",\"type\":"
                           "\"NotFoundError\",\"param\":\"model\",\"code\":404}}",
                           ERR_NOT_FOUND, "The model `x` does not exist.");
    transcript_explanation(KIND, 400,
                           "{\"object\":\"error\",\"message\":\"This model's maximum context "
                           "length is 4096 tokens. However, you requested 5000 tokens\",\"type\":"
                           "\"BadRequestError\",\"param\":null,\"code\":400}",
                           ERR_TOO_LARGE, "longer than the model's context");
    transcript_explanation(KIND, 400,
                           "{\"error\":{\"message\":\"The decoder prompt (length 5000) is longer "
                           "than the maximum model length of 4096.\",\"code\":400}}",
                           ERR_TOO_LARGE, "longer than the model's context");
    transcript_explanation(KIND, 422, "{\"detail\":[{\"loc\":[\"body\"],\"msg\":\"too many\"}]}",
                           ERR_STATUS, "too many");
    transcript_explanation(KIND, 401, "{\"error\":\"Unauthorized\"}", ERR_AUTH, "apiKeyFile");
    transcript_explanation(KIND, 500, "Internal Server Error", ERR_STATUS, "its own log");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(probe_reads_list_sleep_and_version, release_probe),
        cmocka_unit_test_teardown(tokenizer_is_asked_once, release_probe),
        cmocka_unit_test_teardown(probe_knows_a_sleeper, release_probe),
        cmocka_unit_test_teardown(probe_tells_states_apart, release_probe),
        cmocka_unit_test(sleep_is_asked_about_and_ended_by_orders),
        cmocka_unit_test(encode_writes_each_shape),
        cmocka_unit_test(decode_reads_streams),
        cmocka_unit_test(explain_reads_both_shapes_of_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
