/* mistral_test.c - Mistral: what its list says of models, holes, answers, refusals. */
#include "transcript.h"

#define KIND "mistral"

static void probe_reads_what_each_model_can_do(void **state)
{
    (void)state;
    struct probe p = new_probe();
    check_probe_path(KIND, &p, "/v1/models");
    assert_int_equal(probe_fixture(KIND, &p, "mistral_models.json"), PROBE_READY);
    assert_int_equal(p.n_models, 4);
    assert_int_equal(p.models[0].abilities, MODEL_INFILL | MODEL_CHAT);
    assert_int_equal(p.models[0].n_ctx, 256000);
    assert_int_equal(p.models[1].abilities, MODEL_CHAT);
    assert_int_equal(p.models[2].abilities, 0);
    assert_int_equal(p.models[3].abilities, MODEL_INFILL | MODEL_CHAT); /* by its name */
}

static void probe_of_a_host_without_a_list_finds_codestral(void **state)
{
    (void)state;
    static const char *const bodies[] = {"{\"detail\":\"Not Found\"}", "404 page not found"};
    for (size_t i = 0; i < 2; i++) {
        struct probe p = new_probe();
        assert_int_equal(probe_answer(KIND, &p, 404, bodies[i]), PROBE_READY);
        assert_int_equal(p.n_models, 1);
        assert_true(str_eq(p.models[0].id, STR("codestral-latest")));
        assert_int_equal(p.models[0].abilities, MODEL_INFILL | MODEL_CHAT);
    }
}

static void probe_tells_states_apart(void **state)
{
    (void)state;
    struct probe p = new_probe();
    assert_int_equal(probe_answer(KIND, &p, 401, "{\"detail\":\"Unauthorized\"}"), PROBE_REFUSED);
    assert_non_null(strstr(p.hint, "https://codestral.mistral.ai"));
    p = new_probe();
    assert_int_equal(probe_answer(KIND, &p, 429, "{}"), PROBE_FOREIGN);
    assert_non_null(strstr(p.hint, "overloaded"));
    p = new_probe();
    assert_int_equal(probe_answer(KIND, &p, 0, ""), PROBE_FOREIGN);
    assert_null(p.hint);
}

static void encode_asks_about_a_hole_or_chats(void **state)
{
    (void)state;
    static const str stops[] = {{"\n", 1}};
    struct buf out;
    buf_init(&out, MIB);
    struct generate g = {.shape = GENERATE_INFILL,
                         .model = STR("codestral-latest"),
                         .prefix = STR("a[PREFIX]"),
                         .suffix = STR("\"b\""),
                         .prompt = STR("P"),
                         .stops = stops,
                         .n_stops = 1,
                         .max_tokens = 32,
                         .temperature = 0.1,
                         .slot = 1,
                         .keep_s = 600,
                         .extra_body = STR("{\"random_seed\":7,\"suffix\":\"x\"}")};
    assert_int_equal(encoded(KIND, &g, &out), ERR_OK);
    assert_string_equal(buf_cstr(&out),
                        "/v1/fim/completions {\"model\":\"codestral-latest\",\"prompt\":"
                        "\"a[PREFIX]\",\"suffix\":\"\\\"b\\\"\",\"max_tokens\":32,\"stream\":true,"
                        "\"temperature\":0.1,\"stop\":[\"\\n\"],\"random_seed\":7}");
    g.prefix = g.suffix = g.extra_body = STR("");
    g.n_stops = 0;
    g.temperature = -1;
    assert_int_equal(encoded(KIND, &g, &out), ERR_OK);
    assert_string_equal(buf_cstr(&out),
                        "/v1/fim/completions {\"model\":\"codestral-latest\",\"prompt\":\"\\n\","
                        "\"max_tokens\":32,\"stream\":true}");
    g.shape = GENERATE_CHAT;
    assert_int_equal(encoded(KIND, &g, &out), ERR_OK);
    assert_string_equal(buf_cstr(&out),
                        "/v1/chat/completions {\"model\":\"codestral-latest\",\"messages\":[{"
                        "\"role\":\"user\",\"content\":\"P\"}],\"max_tokens\":32,\"stream\":true}");
    g.shape = GENERATE_RAW;
    assert_int_equal(encoded(KIND, &g, &out), ERR_REJECTED);
    buf_release(&out);
}

static void decode_reads_streams(void **state)
{
    (void)state;
    check_fixture(KIND, "mistral_fim.sse", "a + b|stop prompt=17 cached=-1 tokens=4");
    check_fixture(KIND, "mistral_thinks.sse", "It adds.|length prompt=9 cached=-1 tokens=3");
    check_stream(provider_named(KIND),
                 STR("{\"id\":\"c\",\"choices\":[{\"index\":0,\"message\":{\"content\":\"a\"},"
                     "\"finish_reason\":\"length\"}],\"usage\":{\"prompt_tokens\":2,"
                     "\"completion_tokens\":1}}"),
                 "a|length prompt=2 cached=-1 tokens=1");
    check_stream(provider_named(KIND),
                 STR("data: {\"choices\":[{\"delta\":{\"content\":\"a\"},\"finish_reason\":"
                     "\"error\"}]}\n\n"),
                 "a|status 0: the server broke the answer off with an error of its own");
    transcript_abort(KIND, STR("data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n"), "a");
}

static void explain_reads_flat_and_listed_errors(void **state)
{
    (void)state;
    transcript_explanation(KIND, 429,
                           "{\"object\":\"error\",\"message\":\"Rate limit exceeded\",\"type\":"
                           "\"rate_limited\",\"param\":null,\"code\":\"1300\","
                           "\"raw_status_code\":429}",
                           ERR_STATUS, "quota is used up");
    transcript_explanation(KIND, 429, "{\"message\":\"Requests rate limit exceeded\"}", ERR_STATUS,
                           "Requests rate limit exceeded");
    transcript_explanation(KIND, 422,
                           "{\"detail\":[{\"type\":\"extra_forbidden\",\"loc\":[\"body\","
                           "\"seed\"],\"msg\":\"Extra inputs are not permitted\",\"input\":7}]}",
                           ERR_STATUS, "Extra inputs are not permitted");
    transcript_explanation(KIND, 400,
                           "{\"object\":\"error\",\"message\":\"Invalid model: x\",\"type\":"
                           "\"invalid_model\",\"param\":null,\"code\":\"1500\"}",
                           ERR_NOT_FOUND, "Invalid model: x");
    transcript_explanation(KIND, 400,
                           "{\"object\":\"error\",\"message\":\"Prompt contains 40000 tokens, too "
                           "large for model with 32768 maximum context length\"}",
                           ERR_TOO_LARGE, "longer than the model's context");
    transcript_explanation(KIND, 401, "{\"detail\":\"Unauthorized\"}", ERR_AUTH, "apiKeyFile");
    transcript_explanation(KIND, 503, "upstream connect error", ERR_STATUS, "the server failed");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(probe_reads_what_each_model_can_do, release_probe),
        cmocka_unit_test_teardown(probe_of_a_host_without_a_list_finds_codestral, release_probe),
        cmocka_unit_test_teardown(probe_tells_states_apart, release_probe),
        cmocka_unit_test(encode_asks_about_a_hole_or_chats),
        cmocka_unit_test(decode_reads_streams),
        cmocka_unit_test(explain_reads_flat_and_listed_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
