/* llamacpp_test.c - llama-server's dialect: probing it, asking it, reading its answers. */
#include "transcript.h"

#define KIND "llamacpp"
#define ERROR_BODY(code, type, message)                                                            \
    "{\"error\":{\"code\":" #code ",\"message\":\"" message "\",\"type\":\"" type "\"}}"

static enum probe_state reply(struct probe *p, int status, const char *body)
{
    return provider_named(KIND)->probe_reply(p, status, str_from(body));
}

static void check_path(const struct probe *p, const char *path)
{
    struct http_request request;
    http_request_init(&request);
    provider_named(KIND)->probe_request(p, &request);
    assert_string_equal(buf_cstr(&request.path), path);
    assert_int_equal(request.is_post, request.body.len > 0);
    http_request_release(&request);
}

#define TOKEN(piece) "{\"id\":1,\"piece\":\"" piece "\"}"

static void probe_reads_a_recorded_server(void **state)
{
    (void)state;
    struct probe p = new_probe();
    struct buf props = fixture("llamacpp_props.json");
    struct buf models = fixture("llamacpp_models.json");
    check_path(&p, "/props");
    assert_int_equal(reply(&p, 200, buf_cstr(&props)), PROBE_MORE);
    check_path(&p, "/v1/models");
    assert_int_equal(reply(&p, 200, buf_cstr(&models)), PROBE_MORE);
    check_path(&p, "/tokenize");
    assert_int_equal(reply(&p, 200,
                           "{\"tokens\":[" TOKEN("<|fim_prefix|>") "," TOKEN(
                               "<|fim_suffix|>") "," TOKEN("<|fim_middle|>") "," TOKEN("<") "]}"),
                     PROBE_READY);
    buf_release(&props);
    buf_release(&models);
    assert_int_equal(p.n_models, 1);
    assert_true(str_eq(p.models[0].id, STR("tinycode")));
    assert_true(str_eq(p.models[0].name, STR("tinycode-4m-q8_0.gguf tinycode")));
    assert_int_equal(p.models[0].abilities, MODEL_INFILL | MODEL_RAW | MODEL_CHAT);
    assert_int_equal(p.models[0].n_params, 4196608);
    assert_int_equal(p.models[0].n_bytes, 4465664);
    assert_int_equal(p.models[0].n_ctx, 2048);
    assert_true(p.models[0].is_loaded);
    assert_int_equal(p.n_slots, 2);
    assert_true(str_eq(p.version, STR("b11669-Debian")));
}

static unsigned abilities_by(const char *tokens)
{
    struct probe p = new_probe();
    assert_int_equal(reply(&p, 200, "{\"build_info\":\"b1\",\"model_path\":\"C:\\\\m\\\\x.gguf\"}"),
                     PROBE_MORE);
    assert_int_equal(reply(&p, 404, ERROR_BODY(404, "not_found_error", "File Not Found")),
                     PROBE_MORE);
    assert_true(str_eq(p.models[0].name, STR("x.gguf")));
    assert_int_equal(reply(&p, 200, tokens), PROBE_READY);
    return p.models[0].abilities;
}

static void probe_tells_abilities_by_the_vocabulary(void **state)
{
    (void)state;
    assert_int_equal(abilities_by("{\"tokens\":[" TOKEN("<") "," TOKEN("|") "]}"), MODEL_CHAT);
    assert_int_equal(
        abilities_by("{\"tokens\":[" TOKEN("<fim_prefix>") "," TOKEN("<fim_suffix>") "]}"),
        MODEL_CHAT);
    assert_int_equal(abilities_by("{\"tokens\":[" TOKEN("[PREFIX]") "," TOKEN("[SUFFIX]") "]}"),
                     MODEL_CHAT | MODEL_RAW);
    assert_int_equal(abilities_by("{\"tokens\":[" TOKEN("\xe2\x96\x81<MID>") "," TOKEN(
                         "\xe2\x96\x81<PRE>") "," TOKEN("\xe2\x96\x81<SUF>") "]}"),
                     MODEL_CHAT | MODEL_RAW | MODEL_INFILL);
    assert_int_equal(abilities_by("{\"tokens\":[1,2,3]}"), MODEL_CHAT | MODEL_RAW);
    assert_int_equal(abilities_by("nonsense"), MODEL_CHAT | MODEL_RAW);
}

static void check_asks_for(const struct probe *p, const char *model)
{
    struct http_request request;
    http_request_init(&request);
    provider_named(KIND)->probe_request(p, &request);
    assert_string_equal(buf_cstr(&request.path), "/tokenize?autoload=false");
    assert_true(str_starts_with(buf_str(&request.body), str_from(model)));
    http_request_release(&request);
}

static void probe_lists_a_routers_models(void **state)
{
    (void)state;
    struct probe p = new_probe();
    assert_int_equal(reply(&p, 200, "{\"role\":\"router\",\"build_info\":\"b1\"}"), PROBE_MORE);
    check_path(&p, "/models");
    assert_int_equal(probe_fixture(KIND, &p, "llamacpp_router_loaded.json"), PROBE_MORE);
    check_asks_for(&p, "{\"model\":\"tiny-a\"");
    assert_int_equal(reply(&p, 200, "{}"), PROBE_READY);
    assert_int_equal(p.n_models, 3);
    assert_true(str_eq(p.models[0].id, STR("broken")) && !p.models[0].is_loaded);
    assert_true(str_eq(p.models[1].id, STR("tiny-a")) && p.models[1].is_loaded);
    assert_true(str_eq(p.models[2].id, STR("tiny-b")) && !p.models[2].is_loaded);
    assert_int_equal(p.models[1].n_ctx, 4096);
    assert_int_equal(p.models[1].n_bytes, 4465664);
    assert_false(p.is_static);
    assert_int_equal(p.dialect, 1);
    p = new_probe();
    assert_int_equal(reply(&p, 200, "{\"role\":\"router\"}"), PROBE_MORE);
    assert_int_equal(reply(&p, 200, "{\"data\":[{\"no\":1}]}"), PROBE_READY);
    assert_int_equal(p.n_models, 0);
    p = new_probe();
    assert_int_equal(reply(&p, 200, "{\"build_info\":\"b1\"}"), PROBE_MORE);
    assert_true(p.is_static);
}

#define FIM_TOKENS                                                                                 \
    "{\"tokens\":[" TOKEN("<|fim_prefix|>") "," TOKEN("<|fim_suffix|>") "," TOKEN(                 \
        "<|fim_middle|>") "]}"

/* What the tokenizer told is believed for as long as the model is the same. */
static void tokenizer_is_asked_once_for_each_model(void **state)
{
    (void)state;
    static const char *const PROPS = "{\"build_info\":\"b1\",\"model_path\":\"/m/x.gguf\"}";
    static const char *const LIST = "{\"data\":[{\"id\":\"x\",\"meta\":{\"size\":7}}]}";
    static const char *const OTHER = "{\"data\":[{\"id\":\"x\",\"meta\":{\"size\":8}}]}";
    struct probe first = new_probe();
    assert_int_equal(reply(&first, 200, PROPS), PROBE_MORE);
    assert_int_equal(reply(&first, 200, LIST), PROBE_MORE);
    assert_int_equal(reply(&first, 200, FIM_TOKENS), PROBE_READY);
    assert_true(first.models[0].tokens_told);
    assert_true(
        str_eq(first.models[0].tokens, STR("<|fim_prefix|>\n<|fim_suffix|>\n<|fim_middle|>\n")));
    static const struct model_info KNOWN = {
        .id = STR_INIT("x"),
        .name = STR_INIT("x.gguf x"),
        .n_bytes = 7,
        .tokens = STR_INIT("<|fim_prefix|>\n<|fim_suffix|>\n<|fim_middle|>\n"),
        .tokens_told = true};
    assert_true(str_eq(first.models[0].name, KNOWN.name));
    struct probe again = new_probe();
    again.known = &KNOWN;
    again.n_known = 1;
    assert_int_equal(reply(&again, 200, PROPS), PROBE_MORE);
    assert_int_equal(reply(&again, 200, LIST), PROBE_READY);
    assert_int_equal(again.models[0].abilities, MODEL_INFILL | MODEL_RAW | MODEL_CHAT);
    again = new_probe();
    again.known = &KNOWN;
    again.n_known = 1;
    assert_int_equal(reply(&again, 200, PROPS), PROBE_MORE);
    assert_int_equal(reply(&again, 200, OTHER), PROBE_MORE); /* another file of that name */
    assert_int_equal(reply(&again, 200, "{\"tokens\":[1,2]}"), PROBE_READY);
    assert_false(again.models[0].tokens_told);
}

static void who_sleeps_isnt_woken_to_be_asked(void **state)
{
    (void)state;
    struct probe p = new_probe();
    assert_int_equal(reply(&p, 200, "{\"build_info\":\"b1\",\"is_sleeping\":true}"), PROBE_MORE);
    assert_int_equal(reply(&p, 200, "{\"data\":[{\"id\":\"x\"}]}"), PROBE_READY);
    assert_false(p.models[0].tokens_told);
    assert_int_equal(p.models[0].abilities, MODEL_RAW | MODEL_CHAT);
}

/* Of a router's models only those are asked that are awake, one after the other. */
static void routers_models_are_asked_while_they_are_awake(void **state)
{
    (void)state;
    struct probe p = new_probe();
    assert_int_equal(reply(&p, 200, "{\"role\":\"router\"}"), PROBE_MORE);
    assert_int_equal(reply(&p, 200,
                           "{\"data\":[{\"id\":\"a\",\"status\":{\"value\":\"loaded\"}},"
                           "{\"id\":\"b\",\"status\":{\"value\":\"sleeping\"}},"
                           "{\"id\":\"c\",\"status\":{\"value\":\"unloaded\"}},"
                           "{\"id\":\"d\",\"status\":{\"value\":\"loaded\"}}]}"),
                     PROBE_MORE);
    check_asks_for(&p, "{\"model\":\"a\"");
    assert_int_equal(reply(&p, 503, ERROR_BODY(503, "unavailable_error", "Loading model")),
                     PROBE_MORE);
    check_asks_for(&p, "{\"model\":\"d\"");
    assert_int_equal(reply(&p, 200, FIM_TOKENS), PROBE_READY);
    assert_int_equal(p.n_models, 4);
    for (size_t i = 0; i < 3; i++) {
        assert_false(p.models[i].tokens_told);
        assert_int_equal(p.models[i].abilities, MODEL_RAW | MODEL_CHAT);
    }
    assert_int_equal(p.models[3].abilities, MODEL_INFILL | MODEL_RAW | MODEL_CHAT);
}

static void routers_list_tells_what_is_loaded(void **state)
{
    (void)state;
    const struct provider_ops *ops = provider_named(KIND);
    struct buf list = fixture("llamacpp_router_loading.json");
    struct model_info models[] = {{.id = STR("tiny-a"), .is_loaded = true},
                                  {.id = STR("tiny-b")},
                                  {.id = STR("broken"), .is_starting = true},
                                  {.id = STR("gone"), .is_loaded = true}};
    check_running_path(KIND, 1, "/models");
    assert_true(ops->read_running(buf_str(&list), NULL, models, 4));
    assert_false(models[0].is_loaded || models[0].is_starting);
    assert_true(models[1].is_starting && !models[1].is_loaded);
    assert_false(models[2].is_loaded || models[2].is_starting);
    assert_false(models[3].is_loaded);
    assert_true(ops->read_running(
        STR("{\"data\":[{\"id\":\"tiny-a\",\"status\":{\"value\":\"sleeping\"}}]}"), NULL, models,
        4));
    assert_true(models[0].is_loaded);
    assert_false(ops->read_running(STR("{\"error\":{}}"), NULL, models, 4));
    assert_true(models[0].is_loaded);
    buf_release(&list);
}

static void router_loads_and_unloads_by_orders(void **state)
{
    (void)state;
    const struct provider_ops *ops = provider_named(KIND);
    struct load_order order = {
        .model = STR("a"), .dialect = 1, .keep_s = 600, .extra_body = STR("{\"x\":1}")};
    check_order(ops->encode_load, &order, "/models/load {\"model\":\"a\"}");
    check_order(ops->encode_unload, &order, "/models/unload {\"model\":\"a\"}");
    order.dialect = 0;
    check_order(ops->encode_load, &order, NULL);
    check_order(ops->encode_unload, &order, NULL);
    assert_int_equal(ops->read_load(200, STR("{\"success\":true}")), LOAD_UNDER_WAY);
    assert_int_equal(ops->read_load(400, STR(ERROR_BODY(400, "invalid_request_error",
                                                        "model is already running"))),
                     LOAD_UNDER_WAY);
    assert_int_equal(ops->read_load(404, STR(ERROR_BODY(404, "not_found_error", "File Not Found"))),
                     LOAD_FAILED);
    assert_int_equal(ops->read_load(500, STR("")), LOAD_FAILED);
}

/* A question never loads: the model may have had to make room since it was last heard of. */
static void question_to_a_router_loads_nothing(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, MIB);
    for (unsigned shape = GENERATE_INFILL; shape <= GENERATE_CHAT; shape++) {
        struct generate g = {.shape = (enum generate_shape)shape,
                             .model = STR("a"),
                             .temperature = -1,
                             .slot = -1,
                             .dialect = 1};
        assert_int_equal(encoded(KIND, &g, &out), ERR_OK);
        assert_non_null(strstr(buf_cstr(&out), "?autoload=false {\"model\":\"a\""));
    }
    buf_release(&out);
}

static void probe_tells_states_apart(void **state)
{
    (void)state;
    struct probe p = new_probe();
    assert_int_equal(reply(&p, 503, ERROR_BODY(503, "unavailable_error", "Loading model")),
                     PROBE_LOADING);
    assert_int_equal(reply(&p, 503, "<html>down</html>"), PROBE_FOREIGN);
    assert_int_equal(reply(&p, 401, ERROR_BODY(401, "authentication_error", "Invalid API Key")),
                     PROBE_REFUSED);
    assert_int_equal(reply(&p, 403, ""), PROBE_REFUSED);
    assert_int_equal(reply(&p, 0, ""), PROBE_FOREIGN);
    assert_int_equal(reply(&p, 302, ""), PROBE_FOREIGN);
    assert_int_equal(reply(&p, 404, "404 page not found"), PROBE_FOREIGN);
    assert_int_equal(reply(&p, 200, "<html></html>"), PROBE_FOREIGN);
    p = new_probe();
    assert_int_equal(reply(&p, 200, "{\"version\":\"0.9\"}"), PROBE_FOREIGN);
    p = new_probe();
    assert_int_equal(reply(&p, 200, "{\"build_info\":\"b1\"}"), PROBE_MORE);
    assert_int_equal(reply(&p, 401, ""), PROBE_REFUSED);
}

static void encode_writes_each_shape(void **state)
{
    (void)state;
    static const str stops[] = {{"a", 1}, {"b", 1}, {"c", 1}, {"d", 1}, {"e", 1}};
    struct buf out;
    buf_init(&out, MIB);
    struct generate g = {.shape = GENERATE_INFILL,
                         .prefix = STR("a<|fim_middle|>\n"),
                         .suffix = STR("\"b\""),
                         .prompt = STR("P"),
                         .system = STR("S"),
                         .stops = stops,
                         .n_stops = 5,
                         .max_tokens = 32,
                         .temperature = 0.1,
                         .slot = 1};
    assert_int_equal(encoded(KIND, &g, &out), ERR_OK);
    assert_string_equal(
        buf_cstr(&out),
        "/infill {\"input_prefix\":\"a<|fim_middle|>\\n\",\"input_suffix\":\"\\\"b\\\"\","
        "\"prompt\":\"\",\"n_predict\":32,\"stream\":true,\"cache_prompt\":true,\"id_slot\":1,"
        "\"temperature\":0.1,\"top_k\":40,\"top_p\":0.9,\"stop\":[\"a\",\"b\",\"c\",\"d\",\"e\"]}");
    g.shape = GENERATE_RAW;
    g.temperature = -1;
    g.slot = -1;
    g.n_stops = 0;
    g.model = STR("m");
    assert_int_equal(encoded(KIND, &g, &out), ERR_OK);
    assert_string_equal(buf_cstr(&out),
                        "/completion {\"model\":\"m\",\"prompt\":\"P\",\"n_predict\":32,\"stream\":"
                        "true,\"cache_prompt\":true,\"top_k\":40,\"top_p\":0.9}");
    g.n_texts = 3;
    assert_int_equal(encoded(KIND, &g, &out), ERR_OK);
    assert_string_equal(buf_cstr(&out),
                        "/completion {\"model\":\"m\",\"prompt\":\"P\",\"n_predict\":32,\"stream\":"
                        "true,\"cache_prompt\":true,\"top_k\":40,\"top_p\":0.9,\"n\":3}");
    g.shape = GENERATE_CHAT;
    assert_int_equal(encoded(KIND, &g, &out), ERR_OK);
    assert_string_equal(buf_cstr(&out),
                        "/v1/chat/completions "
                        "{\"model\":\"m\",\"messages\":[{\"role\":\"system\",\"content\":\"S\"}"
                        ",{\"role\":\"user\",\"content\":\"P\"}],\"max_tokens\":32,\"stream\":true,"
                        "\"cache_prompt\":true}");
    buf_release(&out);
}

static void encode_joins_the_users_members(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, MIB);
    struct generate g = {.shape = GENERATE_INFILL, .slot = -1, .temperature = -1, .max_tokens = 1};
    g.extra_body = STR(" {\"top_k\": 1, \"stream\":false, \"prompt\":\"x\", \"stre\\u0061m\":0, "
                       "\"a\\n\":[1, {\"b\":2}]} ");
    assert_int_equal(encoded(KIND, &g, &out), ERR_OK);
    assert_string_equal(buf_cstr(&out),
                        "/infill {\"input_prefix\":\"\",\"input_suffix\":\"\",\"prompt\":\"\","
                        "\"n_predict\":1,\"stream\":true,\"cache_prompt\":true,\"top_p\":0.9,"
                        "\"top_k\":1}");
    g.extra_body = STR("{\"a\\n\":[1, {\"b\":2}]}");
    assert_int_equal(encoded(KIND, &g, &out), ERR_OK);
    assert_true(str_ends_with(buf_str(&out), STR(",\"a\\n\":[1, {\"b\":2}]}")));
    g.extra_body = STR("[1]");
    assert_int_equal(encoded(KIND, &g, &out), ERR_INVALID);
    g.extra_body = STR("{");
    assert_int_equal(encoded(KIND, &g, &out), ERR_INVALID);
    buf_release(&out);
}

static void encode_refuses_what_is_too_large(void **state)
{
    (void)state;
    struct buf out, text;
    buf_init(&out, 8 * MIB);
    buf_init(&text, 8 * MIB);
    for (size_t i = 0; i < 2 * MIB; i++) {
        buf_append_char(&text, 'x');
    }
    struct generate g = {.shape = GENERATE_RAW, .prompt = buf_str(&text), .slot = -1};
    assert_int_equal(encoded(KIND, &g, &out), ERR_TOO_LARGE);
    buf_release(&out);
    buf_release(&text);
}

static void decode_reads_recorded_streams(void **state)
{
    (void)state;
    check_fixture(KIND, "llamacpp_infill_eos.sse",
                  "r->next = n->next;|stop prompt=21 cached=0 tokens=9");
    check_fixture(KIND, "llamacpp_infill_limit.sse", "e_t *|length prompt=11 cached=10 tokens=4");
    check_fixture(KIND, "llamacpp_completion.sse",
                  "\n        \"\"\"\n        Return the name|length prompt=7 cached=0 tokens=6");
    check_fixture(KIND, "openai_chat_usage.sse", "```python|length prompt=14 cached=13 tokens=4");
}

#define CHECK(stream, expected) check_stream(provider_named(KIND), STR(stream), expected)
#define NONE                    "prompt=-1 cached=-1 tokens=-1"

static void decode_tells_several_texts_apart(void **state)
{
    (void)state;
    check_fixture(KIND, "llamacpp_infill_several.sse",
                  "ef(\"B\", b|length prompt=26 cached=0 tokens=6"); /* one was asked for */
    transcript_texts = 3;
    check_fixture(KIND, "llamacpp_infill_several.sse",
                  "e{1}r{2}sf{1},{2},(\"{1} b{2} bB{1}){2}):\",{1 stop}{2 stop} b{0 length}|length "
                  "prompt=26 cached=0 tokens=6");
    CHECK("data: null\n\ndata: {\"index\":1,\"content\":\"b\"}\n\n"
          "data: {\"index\":7,\"content\":\"x\"}\n\ndata: {\"index\":-1,\"content\":\"x\"}\n\n"
          "data: {\"index\":3,\"content\":\"x\",\"stop\":true}\n\n"
          "data: {\"index\":1,\"stop\":true}\n\ndata: {\"index\":1,\"content\":\"late\"}\n\n"
          "data: {\"index\":1,\"stop\":true}\n\n"
          "data: {\"index\":0,\"content\":\"a\",\"stop\":true}\n\n",
          "{1}b{1 stop}a{0 stop}|stop " NONE); /* the third never ended */
    CHECK("data: {\"content\":\"a\",\"stop\":true}\n\n", "a{0 stop}|stop " NONE);
    transcript_texts = 0;
}

static void decode_tells_how_a_stream_ended(void **state)
{
    (void)state;
    CHECK("data: {\"content\":\"a\",\"stop\":false}\n\n", "a|cut " NONE);
    CHECK("data: {\"content\":\"a\",\"stop\":true,\"stop_type\":\"eos\"}\n\n", "a|stop " NONE);
    CHECK("data: {\"content\":\"\",\"stop\":true,\"stop_type\":\"limit\"}", "|length " NONE);
    CHECK("data: {\"content\":\"\",\"stop\":true,\"stopped_limit\":true}", "|length " NONE);
    CHECK("data: {\"content\":\"a\",\"stop\":true}\n\ndata: {\"content\":\"b\"}\n\n",
          "a|stop " NONE);
    CHECK(": ping\r\n\r\n:\r\n\r\n", "|cut " NONE);
    CHECK("", "|cut " NONE);
    CHECK("{\"content\":\"whole\\n\",\"stop\":true,\"stop_type\":\"word\",\"tokens_predicted\":3}",
          "whole\n|stop prompt=-1 cached=-1 tokens=3");
}

static void decode_reads_errors_inside_a_stream(void **state)
{
    (void)state;
    CHECK("data: {\"content\":\"a\"}\n\ndata: {\"error\":{\"code\":500,\"message\":\"boom\","
          "\"type\":\"server_error\"}}\n\n",
          "a|status 500: the server failed; its own log says more; HTTP 500 (\"boom\")");
    CHECK("error: {\"code\":500,\"message\":\"x\"}\n\n",
          "|status 500: the server failed; its own log says more; HTTP 500 (\"x\")");
}

static void decode_skips_two_broken_events(void **state)
{
    (void)state;
    CHECK("data: {\n\ndata: {\"content\":\"a\"}\n\ndata: 7\n\ndata: {\"content\":\"b\"}\n\n",
          "ab|cut " NONE);
    CHECK("data: {\n\ndata: [\n\ndata: {\"content\":\"a\"}\n\ndata: x\n\ndata: "
          "{\"content\":\"b\"}\n\n",
          "a|protocol 0: the server's answer is a stream of broken events; check that its address "
          "and kind fit");
}

static void decode_gives_nothing_after_an_abort(void **state)
{
    (void)state;
    transcript_abort(KIND, STR("data: {\"content\":\"a\"}\n\ndata: {\"content\":\"b\"}"), "a");
}

static void explain_names_cause_and_next_step(void **state)
{
    (void)state;
    transcript_explanation(KIND, 503, ERROR_BODY(503, "unavailable_error", "Loading model"),
                           ERR_LOADING, "still loading");
    transcript_explanation(KIND, 401,
                           ERROR_BODY(401, "authentication_error", "Invalid API Key sk-1"),
                           ERR_AUTH, "apiKeyFile");
    transcript_explanation(KIND, 403, "", ERR_AUTH, "refuses the key");
    transcript_explanation(KIND, 400,
                           ERROR_BODY(400, "exceed_context_size_error",
                                      "request (28001 tokens) exceeds the available context size"),
                           ERR_TOO_LARGE, "longer than the model's context");
    transcript_explanation(KIND, 400,
                           ERROR_BODY(400, "invalid_request_error", "model 'x' not found"),
                           ERR_NOT_FOUND, "model 'x' not found");
    transcript_explanation(KIND, 400,
                           ERROR_BODY(400, "invalid_request_error", "model is not loaded"),
                           ERR_NOT_FOUND, "it is loaded again when it is asked next");
    transcript_explanation(KIND, 500,
                           ERROR_BODY(500, "server_error", "model limit reached, try again later"),
                           ERR_STATUS, "--models-max");
    transcript_explanation(KIND, 404, "404 page not found", ERR_NOT_FOUND,
                           "no such model or address");
    transcript_explanation(
        KIND, 501, ERROR_BODY(501, "not_supported_error", "Infill is not supported by this model"),
        ERR_REJECTED, "fills in the middle");
    transcript_explanation(KIND, 302, "", ERR_STATUS, "redirects are not followed");
    transcript_explanation(KIND, 429, "{\"message\":\"slow down\"}", ERR_STATUS,
                           "too many requests");
    transcript_explanation(KIND, 500, "{\"error\":\"a\\u001b[31mb\\u202e\\nc\"}", ERR_STATUS,
                           "(\"ab\")");
    transcript_explanation(KIND, 502, "<html><h1>Bad gateway</h1></html>", ERR_STATUS, "web page");
    transcript_explanation(KIND, 500, "not \xff utf-8", ERR_STATUS, "not \xef\xbf\xbd utf-8");
    transcript_explanation(KIND, 422, "{\"detail\":[{\"loc\":[],\"msg\":\"field required\"}]}",
                           ERR_STATUS, "field required");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(probe_reads_a_recorded_server, release_probe),
        cmocka_unit_test_teardown(probe_tells_abilities_by_the_vocabulary, release_probe),
        cmocka_unit_test_teardown(tokenizer_is_asked_once_for_each_model, release_probe),
        cmocka_unit_test_teardown(who_sleeps_isnt_woken_to_be_asked, release_probe),
        cmocka_unit_test_teardown(routers_models_are_asked_while_they_are_awake, release_probe),
        cmocka_unit_test_teardown(probe_lists_a_routers_models, release_probe),
        cmocka_unit_test(routers_list_tells_what_is_loaded),
        cmocka_unit_test(router_loads_and_unloads_by_orders),
        cmocka_unit_test(question_to_a_router_loads_nothing),
        cmocka_unit_test_teardown(probe_tells_states_apart, release_probe),
        cmocka_unit_test(encode_writes_each_shape),
        cmocka_unit_test(encode_joins_the_users_members),
        cmocka_unit_test(encode_refuses_what_is_too_large),
        cmocka_unit_test(decode_reads_recorded_streams),
        cmocka_unit_test(decode_tells_several_texts_apart),
        cmocka_unit_test(decode_tells_how_a_stream_ended),
        cmocka_unit_test(decode_reads_errors_inside_a_stream),
        cmocka_unit_test(decode_skips_two_broken_events),
        cmocka_unit_test(decode_gives_nothing_after_an_abort),
        cmocka_unit_test(explain_names_cause_and_next_step),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
