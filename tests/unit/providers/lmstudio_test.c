/* lmstudio_test.c - LM Studio: finding its models' state, loading them, asking, its odd errors. */
#include "transcript.h"

#define KIND "lmstudio"

/* -- probing -- */

static void probe_reads_the_list_of_the_newer_api(void **state)
{
    (void)state;
    struct probe p = new_probe();
    check_probe_path(KIND, &p, "/api/v1/models");
    assert_int_equal(probe_fixture(KIND, &p, "lmstudio_models_v1.json"), PROBE_READY);
    assert_int_equal(p.n_models, 3);
    assert_int_equal(p.n_slots, 4);
    assert_false(p.is_static);
    const struct model_info *m = p.models;
    assert_true(str_eq(m[0].id, STR("qwen2.5-coder-1.5b-instruct")));
    assert_true(str_eq(m[0].name, STR("qwen2.5-coder-1.5b-instruct Qwen2.5 Coder 1.5B Instruct")));
    assert_true(m[0].is_loaded);
    assert_true(str_eq(m[0].loaded_as, STR("qwen2.5-coder-1.5b-instruct:2")));
    assert_int_equal(m[0].n_ctx, 8192); /* as it was loaded, not what it could have */
    assert_int_equal(m[0].n_bytes, 986048512);
    assert_int_equal(m[0].n_params, 1500000000);
    assert_int_equal(m[0].abilities, MODEL_RAW | MODEL_CHAT);
    assert_false(m[1].is_loaded);
    assert_int_equal(m[1].loaded_as.len, 0);
    assert_int_equal(m[1].n_ctx, 262144);
    assert_int_equal(m[2].abilities, MODEL_EMBEDS);         /* embeds */
    assert_int_equal(provider_named(KIND)->ports[0], 1234); /* found by itself */
    assert_int_equal(provider_named(KIND)->ports[1], 0);
}

/* Unknown addresses are answered with status 200 and an error. */
static void probe_falls_back_to_the_older_api(void **state)
{
    (void)state;
    struct buf odd = fixture("lmstudio_unexpected.json");
    struct probe p = new_probe();
    assert_int_equal(probe_answer(KIND, &p, 200, buf_cstr(&odd)), PROBE_MORE);
    check_probe_path(KIND, &p, "/api/v0/models");
    assert_int_equal(probe_fixture(KIND, &p, "lmstudio_models_v0.json"), PROBE_READY);
    assert_int_equal(p.n_models, 3);
    assert_true(p.models[0].is_loaded && !p.models[1].is_loaded);
    assert_int_equal(p.models[0].n_ctx, 4096);
    assert_int_equal(p.models[1].abilities, MODEL_RAW | MODEL_CHAT);
    assert_int_equal(p.models[2].abilities, MODEL_EMBEDS);
    p = new_probe();
    assert_int_equal(probe_answer(KIND, &p, 404, "Not Found"), PROBE_MORE);
    assert_int_equal(probe_answer(KIND, &p, 200, buf_cstr(&odd)), PROBE_FOREIGN);
    buf_release(&odd);
}

static void probe_tells_states_apart(void **state)
{
    (void)state;
    static const struct {
        int status;
        const char *body;
        enum probe_state state;
    } cases[] = {{0, "", PROBE_FOREIGN},
                 {401, "{}", PROBE_REFUSED},
                 {403, "", PROBE_REFUSED},
                 {200, "<html>", PROBE_MORE},
                 {200, "{\"models\":{}}", PROBE_MORE},
                 {200, "{\"models\":[]}", PROBE_READY},
                 {200, "{\"models\":[7,{},{\"key\":\"\"},{\"key\":\"a\"}]}", PROBE_READY}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct probe p = new_probe();
        assert_int_equal(probe_answer(KIND, &p, cases[i].status, cases[i].body), cases[i].state);
        assert_true(p.n_models <= 1);
        assert_true((cases[i].state == PROBE_REFUSED) == (p.hint != NULL));
    }
    struct probe p = new_probe(); /* a server of another kind, with a list of its own at both */
    assert_int_equal(probe_answer(KIND, &p, 200, "{\"data\":[{\"id\":\"m\"}]}"), PROBE_MORE);
}

static void running_models_are_told_with_their_names(void **state)
{
    (void)state;
    const struct provider_ops *ops = provider_named(KIND);
    struct probe p = new_probe();
    assert_int_equal(probe_fixture(KIND, &p, "lmstudio_models_v1.json"), PROBE_READY);
    check_running_path(KIND, 0, "/api/v1/models");
    check_running_path(KIND, 1, "/api/v0/models");
    assert_true(ops->read_running(
        STR("{\"models\":[{\"key\":\"google/gemma-4-26b-a4b\",\"loaded_instances\":[{\"id\":"
            "\"mine\",\"config\":{\"context_length\":4096}}]},{\"key\":\"qwen2.5-coder-1.5b-"
            "instruct\",\"loaded_instances\":[]}]}"),
        &probe_arena, p.models, p.n_models));
    assert_false(p.models[0].is_loaded);
    assert_int_equal(p.models[0].loaded_as.len, 0);
    assert_true(p.models[1].is_loaded && str_eq(p.models[1].loaded_as, STR("mine")));
    assert_int_equal(p.models[1].n_ctx, 4096);
    struct buf odd = fixture("lmstudio_unexpected.json");
    assert_false(ops->read_running(buf_str(&odd), &probe_arena, p.models, p.n_models));
    assert_true(p.models[1].is_loaded);
    assert_true(ops->read_running(STR("{\"data\":[{\"id\":\"qwen2.5-coder-1.5b-instruct\","
                                      "\"state\":\"loading\"}]}"),
                                  &probe_arena, p.models, p.n_models));
    assert_true(p.models[0].is_starting && !p.models[0].is_loaded);
    buf_release(&odd);
}

/* -- asking -- */

static void encode_writes_each_shape(void **state)
{
    (void)state;
    static const str stops[] = {{"<|endoftext|>", 13}, {"b", 1}};
    struct buf out;
    buf_init(&out, MIB);
    struct generate g = {.shape = GENERATE_RAW,
                         .model = STR("m"),
                         .prompt = STR("P"),
                         .system = STR("S"),
                         .suffix = STR("never sent"),
                         .stops = stops,
                         .n_stops = 2,
                         .max_tokens = 32,
                         .temperature = 0.5,
                         .keep_s = 600,
                         .n_ctx = 8192,
                         .extra_body = STR("{\"top_k\":7,\"suffix\":\"x\",\"load\":{\"a\":1}}")};
    assert_int_equal(encoded(KIND, &g, &out), ERR_OK);
    assert_string_equal(buf_cstr(&out),
                        "/v1/completions {\"model\":\"m\",\"prompt\":\"P\",\"max_tokens\":32,"
                        "\"stream\":true,\"stream_options\":{\"include_usage\":true},"
                        "\"temperature\":0.5,\"stop\":[\"<|endoftext|>\",\"b\"],\"ttl\":600,"
                        "\"top_k\":7}");
    g.shape = GENERATE_CHAT;
    g.loaded_as = STR("m:2");
    g.dialect = 1; /* before 0.4 */
    g.n_stops = 0;
    g.temperature = -1;
    g.keep_s = 0;
    g.extra_body = STR("{\"ttl\":60}");
    assert_int_equal(encoded(KIND, &g, &out), ERR_OK);
    assert_string_equal(buf_cstr(&out),
                        "/v1/chat/completions {\"model\":\"m:2\",\"messages\":[{\"role\":"
                        "\"system\",\"content\":\"S\"},{\"role\":\"user\",\"content\":\"P\"}],"
                        "\"max_tokens\":32,\"stream\":true,\"ttl\":60}");
    g.shape = GENERATE_INFILL;
    assert_int_equal(encoded(KIND, &g, &out), ERR_REJECTED);
    g.shape = GENERATE_RAW;
    g.extra_body = STR("[]");
    assert_int_equal(encoded(KIND, &g, &out), ERR_INVALID);
    buf_release(&out);
}

static void orders_load_and_unload(void **state)
{
    (void)state;
    const struct provider_ops *ops = provider_named(KIND);
    struct load_order order = {.model = STR("m"), .keep_s = 600};
    check_order(ops->encode_load, &order, "/api/v1/models/load {\"model\":\"m\"}");
    order.n_ctx = 8192;
    order.extra_body = STR("{\"top_k\":1,\"load\":{\"flash_attention\":true,\"model\":\"x\"}}");
    check_order(ops->encode_load, &order,
                "/api/v1/models/load {\"model\":\"m\",\"context_length\":8192,"
                "\"flash_attention\":true}");
    order.extra_body = STR("{\"load\":{\"context_length\":4096}}");
    check_order(ops->encode_load, &order,
                "/api/v1/models/load {\"model\":\"m\",\"context_length\":4096}");
    check_order(ops->encode_unload, &order, "/api/v1/models/unload {\"instance_id\":\"m\"}");
    order.loaded_as = STR("m:2");
    check_order(ops->encode_unload, &order, "/api/v1/models/unload {\"instance_id\":\"m:2\"}");
    order.dialect = 1;
    check_order(ops->encode_load, &order,
                "/v1/completions {\"model\":\"m\",\"prompt\":\"\\n\",\"max_tokens\":1,"
                "\"stream\":false,\"ttl\":600}");
    check_order(ops->encode_unload, &order, NULL);
}

static void load_is_done_unless_the_answer_holds_an_error(void **state)
{
    (void)state;
    const struct provider_ops *ops = provider_named(KIND);
    struct buf done = fixture("lmstudio_load.json");
    struct buf odd = fixture("lmstudio_unexpected.json");
    assert_int_equal(ops->read_load(200, buf_str(&done)), LOAD_DONE);
    assert_int_equal(ops->read_load(200, buf_str(&odd)), LOAD_FAILED);
    assert_int_equal(ops->read_load(500, buf_str(&done)), LOAD_FAILED);
    buf_release(&done);
    buf_release(&odd);
}

/* -- answers -- */

static void decode_reads_streams(void **state)
{
    (void)state;
    check_fixture(KIND, "lmstudio_completions.sse", "a + b;|stop prompt=41 cached=-1 tokens=5");
    check_fixture(KIND, "lmstudio_chat.sse", "It adds.|length prompt=-1 cached=-1 tokens=-1");
    check_fixture(KIND, "lmstudio_error.sse",
                  "a|status 200: the server failed; its own log says more (\"Model unloaded.\")");
}

#define CHUNK(model) "data: {\"model\":\"" model "\",\"choices\":[{\"text\":\"a\"}]}\n\n"

/* Where one model is loaded LM Studio answers with that one, whichever was asked. */
static void decode_refuses_the_answer_of_another_model(void **state)
{
    (void)state;
    static const char *const same[] = {CHUNK("coder-7b"),         CHUNK("qwen/coder-7b"),
                                       CHUNK("coder-7b:2"),       CHUNK("Coder-7B"),
                                       CHUNK("coder-7b@q4_k_m"),  CHUNK(""),
                                       CHUNK("coder-7b-instruct")};
    const struct provider_ops *ops = provider_named(KIND);
    transcript_model = STR("publisher/coder-7b");
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        check_stream(ops, str_from(same[i]), "a|cut prompt=-1 cached=-1 tokens=-1");
    }
    check_stream(ops, STR(CHUNK("gemma-3-1b-it:2")),
                 "|not_found 0: another model answered than was asked; is it loaded there? "
                 "(\"gemma-3-1b-it:2\")");
    check_stream(ops, STR("{\"model\":\"gemma\",\"choices\":[{\"text\":\"a\"}]}"),
                 "|not_found 0: another model answered than was asked; is it loaded there? "
                 "(\"gemma\")");
    transcript_model = STR("");
    check_stream(ops, STR(CHUNK("any")), "a|cut prompt=-1 cached=-1 tokens=-1");
}

static void decode_gives_nothing_after_an_abort(void **state)
{
    (void)state;
    transcript_abort(KIND, STR(CHUNK("m") "data: {\"choices\":[{\"text\":\"b\"}]}"), "a");
}

#define NATIVE(type, message)                                                                      \
    "{\"error\":{\"type\":\"" type "\",\"message\":\"" message "\",\"code\":null}}"

static void explain_names_cause_and_next_step(void **state)
{
    (void)state;
    transcript_explanation(KIND, 200, "{\"error\":\"Unexpected endpoint or method. (POST /x)\"}",
                           ERR_NOT_FOUND, "update it, or correct the endpoint's url");
    transcript_explanation(KIND, 404, NATIVE("model_not_found", "Model 'x' not found"),
                           ERR_NOT_FOUND, "lms get");
    transcript_explanation(
        KIND, 404,
        "{\"error\":{\"message\":\"No models loaded. Please load a model in the developer page or "
        "use the `lms load` command.\",\"type\":\"invalid_request_error\",\"param\":\"model\"}}",
        ERR_NOT_FOUND, "run: lms load");
    transcript_explanation(
        KIND, 404,
        "{\"error\":{\"message\":\"Failed to load model \\\"x\\\". Error: Model loading aborted "
        "due to insufficient system resources. Overloading the system will\"}}",
        ERR_STATUS, "isn't enough memory");
    transcript_explanation(KIND, 500, "{\"error\":\"Failed to load model: exit code 1\"}",
                           ERR_STATUS, "can't be loaded");
    transcript_explanation(KIND, 401, "", ERR_AUTH, "apiKeyFile");
    transcript_explanation(KIND, 400, NATIVE("invalid_request", "bad \\u001b[1mfield"), ERR_STATUS,
                           "(\"bad field\")");
    transcript_explanation(KIND, 502, "<html>", ERR_STATUS, "web page");
    transcript_explanation(KIND, 500, "not \xff utf-8", ERR_STATUS, "not \xef\xbf\xbd utf-8");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(probe_reads_the_list_of_the_newer_api, release_probe),
        cmocka_unit_test_teardown(probe_falls_back_to_the_older_api, release_probe),
        cmocka_unit_test_teardown(probe_tells_states_apart, release_probe),
        cmocka_unit_test_teardown(running_models_are_told_with_their_names, release_probe),
        cmocka_unit_test(encode_writes_each_shape),
        cmocka_unit_test(orders_load_and_unload),
        cmocka_unit_test(load_is_done_unless_the_answer_holds_an_error),
        cmocka_unit_test(decode_reads_streams),
        cmocka_unit_test(decode_refuses_the_answer_of_another_model),
        cmocka_unit_test(decode_gives_nothing_after_an_abort),
        cmocka_unit_test(explain_names_cause_and_next_step),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
