/* ollama_test.c - Ollama's own API: probing it, having models loaded, asking, reading answers. */
#include "transcript.h"

#define KIND "ollama"

static enum probe_state reply(struct probe *p, int status, const char *body)
{
    return provider_named(KIND)->probe_reply(p, status, str_from(body));
}

static void check_request(const struct probe *p, const char *expected)
{
    struct http_request request;
    struct buf text;
    http_request_init(&request);
    buf_init(&text, MIB);
    provider_named(KIND)->probe_request(p, &request);
    buf_appendf(&text, "%s%s%s", buf_cstr(&request.path), request.is_post ? " " : "",
                buf_cstr(&request.body));
    assert_string_equal(buf_cstr(&text), expected);
    assert_int_equal(request.is_post, request.body.len > 0);
    buf_release(&text);
    http_request_release(&request);
}

/* -- probing -- */

static void probe_reads_a_recorded_server(void **state)
{
    (void)state;
    struct probe p = new_probe();
    struct buf tags = fixture("ollama_tags.json");
    struct buf running = fixture("ollama_ps.json");
    check_request(&p, "/api/version");
    assert_int_equal(reply(&p, 200, "{\"version\":\"0.33.0\"}"), PROBE_MORE);
    check_request(&p, "/api/tags");
    assert_int_equal(reply(&p, 200, buf_cstr(&tags)), PROBE_MORE);
    check_request(&p, "/api/ps");
    assert_int_equal(reply(&p, 200, buf_cstr(&running)), PROBE_READY); /* the list said it all */
    buf_release(&tags);
    buf_release(&running);
    assert_true(str_eq(p.version, STR("0.33.0")));
    assert_int_equal(p.n_models, 2);
    const struct model_info *code = &p.models[0], *chat = &p.models[1];
    assert_true(str_eq(code->id, STR("tinycode:latest")));
    assert_true(str_eq(code->name, STR("tinycode")));
    assert_int_equal(code->abilities, MODEL_INFILL | MODEL_RAW | MODEL_CHAT);
    assert_int_equal(code->n_params, 4200000);
    assert_int_equal(code->n_bytes, 4595142);
    assert_int_equal(code->n_ctx, 4096);
    assert_true(code->is_loaded && !code->is_remote);
    assert_int_equal(chat->abilities, MODEL_RAW | MODEL_CHAT);
    assert_false(chat->is_loaded);
}

static void probe_of_older_servers_asks_about_each_model(void **state)
{
    (void)state;
    struct probe p = new_probe();
    struct buf show = fixture("ollama_show.json");
    assert_int_equal(reply(&p, 200, "{\"version\":\"0.5.0\"}"), PROBE_MORE);
    assert_int_equal(reply(&p, 200,
                           "{\"models\":[{\"name\":\"a:latest\",\"size\":7},{\"no\":1},"
                           "{\"name\":\"b:7b\",\"capabilities\":[\"completion\",\"thinking\"]},"
                           "{\"name\":\"c\"},{\"name\":\"d\"},{\"name\":\"e\"}]}"),
                     PROBE_MORE);
    assert_int_equal(reply(&p, 404, "404 page not found"), PROBE_MORE); /* /api/ps is missing */
    check_request(&p, "/api/show {\"model\":\"a:latest\"}");
    assert_int_equal(reply(&p, 200, buf_cstr(&show)), PROBE_MORE);
    check_request(&p, "/api/show {\"model\":\"c\"}");
    assert_int_equal(reply(&p, 404, "{\"error\":\"model 'c' not found\"}"), PROBE_MORE);
    assert_int_equal(reply(&p, 200, "{\"template\":\"{{ .Prompt }}{{ .Suffix }}\"}"), PROBE_MORE);
    assert_int_equal(reply(&p, 200, "{\"capabilities\":[\"embedding\"]}"), PROBE_READY);
    buf_release(&show);
    assert_int_equal(p.n_models, 5);
    assert_int_equal(p.models[0].abilities, MODEL_INFILL | MODEL_RAW | MODEL_CHAT);
    assert_int_equal(p.models[0].n_params, 4196608);
    assert_int_equal(p.models[0].n_ctx, 4096);
    assert_int_equal(p.models[1].abilities, MODEL_RAW | MODEL_CHAT | MODEL_THINKS);
    assert_int_equal(p.models[2].abilities, MODEL_RAW | MODEL_CHAT); /* as far as known */
    assert_int_equal(p.models[3].abilities, MODEL_INFILL | MODEL_RAW | MODEL_CHAT);
    assert_int_equal(p.models[4].abilities, MODEL_EMBEDS);
}

static void probe_asks_about_a_bounded_number_of_models(void **state)
{
    (void)state;
    struct probe p = new_probe();
    struct buf tags;
    buf_init(&tags, MIB);
    buf_append(&tags, STR("{\"models\":[{}"));
    for (size_t i = 0; i < 2 * MODELS_MAX; i++) {
        buf_append(&tags, STR(",{\"name\":\"m\"}"));
    }
    buf_append(&tags, STR("]}"));
    assert_int_equal(reply(&p, 200, "{\"version\":\"1\"}"), PROBE_MORE);
    assert_int_equal(reply(&p, 200, buf_cstr(&tags)), PROBE_MORE);
    buf_release(&tags);
    assert_int_equal(p.n_models, MODELS_MAX);
    unsigned n_shows = 0;
    for (const char *body = "{\"models\":[]}"; reply(&p, 200, body) == PROBE_MORE; body = "{}") {
        n_shows++;
    }
    assert_int_equal(n_shows, 32);
}

static void probe_knows_what_is_forwarded(void **state)
{
    (void)state;
    struct probe p = new_probe();
    assert_int_equal(reply(&p, 200, "{\"version\":\"1\"}"), PROBE_MORE);
    assert_int_equal(
        reply(&p, 200,
              "{\"models\":[{\"name\":\"a\",\"remote_host\":\"https://ollama.com:443\"},"
              "{\"name\":\"b:480b-cloud\"},{\"name\":\"c:cloud\"},{\"name\":\"cloudy:7b\","
              "\"capabilities\":[\"completion\"],\"details\":{\"parameter_size\":\"7.6B\"}}]}"),
        PROBE_MORE);
    assert_int_equal(reply(&p, 200, "{\"models\":[]}"), PROBE_READY);
    for (size_t i = 0; i < 3; i++) {
        assert_true(p.models[i].is_remote && p.models[i].is_loaded);
    }
    assert_false(p.models[3].is_remote || p.models[3].is_loaded);
    assert_true(p.models[3].n_params == 7600000000u);
}

static void probe_tells_states_apart(void **state)
{
    (void)state;
    static const struct {
        int status;
        const char *body;
        enum probe_state state;
    } cases[] = {{401, "", PROBE_REFUSED},
                 {403, "", PROBE_FOREIGN}, /* the host name */
                 {404, "404 page not found", PROBE_FOREIGN},
                 {200, "<html>", PROBE_FOREIGN},
                 {200, "{\"version\":7}", PROBE_FOREIGN},
                 {200, "[]", PROBE_FOREIGN},
                 {302, "{\"version\":\"1\"}", PROBE_FOREIGN},
                 {0, "", PROBE_FOREIGN}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct probe p = new_probe();
        assert_int_equal(reply(&p, cases[i].status, cases[i].body), cases[i].state);
    }
    struct probe p = new_probe();
    assert_int_equal(reply(&p, 200, "{\"version\":\"1\"}"), PROBE_MORE);
    assert_int_equal(reply(&p, 500, "{\"error\":\"x\"}"), PROBE_FOREIGN);
    p = new_probe();
    assert_int_equal(reply(&p, 200, "{\"version\":\"1\"}"), PROBE_MORE);
    assert_int_equal(reply(&p, 200, "{\"models\":null}"), PROBE_FOREIGN);
    p = new_probe();
    assert_int_equal(reply(&p, 200, "{\"version\":\"1\"}"), PROBE_MORE);
    assert_int_equal(reply(&p, 200, "{\"models\":[]}"), PROBE_MORE);
    assert_int_equal(reply(&p, 200, "{\"models\":[]}"), PROBE_READY);
    assert_int_equal(p.n_models, 0);
}

static void running_models_are_told(void **state)
{
    (void)state;
    const struct provider_ops *ops = provider_named(KIND);
    struct model_info models[] = {{.id = STR("a:1"), .is_loaded = true, .loaded_ctx = 8192},
                                  {.id = STR("b:latest"), .n_ctx = 32768},
                                  {.id = STR("c:cloud"), .is_remote = true, .is_loaded = true}};
    struct http_request request;
    http_request_init(&request);
    ops->encode_running(0, &request);
    assert_string_equal(buf_cstr(&request.path), "/api/ps");
    assert_false(request.is_post);
    http_request_release(&request);
    assert_true(ops->read_running(STR("{\"models\":[{\"name\":\"b:latest\",\"model\":\"b:latest\","
                                      "\"context_length\":4096},{\"name\":\"x\"},7]}"),
                                  &probe_arena, models, 3));
    assert_false(models[0].is_loaded);
    assert_true(models[1].is_loaded && models[1].n_ctx == 4096);
    assert_int_equal(models[0].loaded_ctx, 0);
    assert_int_equal(models[1].loaded_ctx, 4096);
    assert_true(models[2].is_loaded);
    assert_false(ops->read_running(STR("{\"error\":\"x\"}"), &probe_arena, models, 3));
    assert_false(ops->read_running(STR("{\"models\":[}"), &probe_arena, models, 3));
    assert_true(models[1].is_loaded);
}

/* -- asking -- */

static void encode_writes_each_shape(void **state)
{
    (void)state;
    static const str stops[] = {{"\n", 1}, {"b", 1}, {"c", 1}, {"d", 1}, {"e", 1}};
    struct buf out;
    buf_init(&out, MIB);
    struct generate g = {.shape = GENERATE_INFILL,
                         .model = STR("m:1b"),
                         .prefix = STR("a\n"),
                         .suffix = STR("\"b\""),
                         .prompt = STR("P"),
                         .system = STR("S"),
                         .stops = stops,
                         .n_stops = 5,
                         .max_tokens = 32,
                         .temperature = 0.1,
                         .keep_s = 600,
                         .thinks = true,
                         .slot = 1};
    assert_int_equal(encoded(KIND, &g, &out), ERR_OK);
    assert_string_equal(
        buf_cstr(&out),
        "/api/generate {\"model\":\"m:1b\",\"prompt\":\"a\\n\",\"suffix\":\"\\\"b\\\"\","
        "\"stream\":true,\"think\":false,\"options\":{\"num_predict\":32,\"temperature\":0.1,"
        "\"stop\":[\"\\n\",\"b\",\"c\",\"d\",\"e\"]},\"keep_alive\":600}");
    g.shape = GENERATE_RAW;
    g.temperature = -1;
    g.n_stops = 0;
    g.thinks = false;
    g.keep_s = 0;
    assert_int_equal(encoded(KIND, &g, &out), ERR_OK);
    assert_string_equal(buf_cstr(&out),
                        "/api/generate {\"model\":\"m:1b\",\"prompt\":\"P\",\"raw\":true,"
                        "\"stream\":true,\"options\":{\"num_predict\":32}}");
    g.shape = GENERATE_CHAT;
    assert_int_equal(encoded(KIND, &g, &out), ERR_OK);
    assert_string_equal(buf_cstr(&out),
                        "/api/chat {\"model\":\"m:1b\",\"messages\":[{\"role\":\"system\","
                        "\"content\":\"S\"},{\"role\":\"user\",\"content\":\"P\"}],"
                        "\"stream\":true,\"options\":{\"num_predict\":32}}");
    buf_release(&out);
}

/* An empty prompt is an order to load, and an empty suffix makes it a chat. */
static void encode_never_sends_an_empty_text(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, MIB);
    struct generate g = {
        .shape = GENERATE_INFILL, .model = STR("m"), .temperature = -1, .max_tokens = 1};
    assert_int_equal(encoded(KIND, &g, &out), ERR_OK);
    assert_string_equal(buf_cstr(&out),
                        "/api/generate {\"model\":\"m\",\"prompt\":\"\\n\",\"suffix\":\"\\n\","
                        "\"stream\":true,\"options\":{\"num_predict\":1}}");
    g.shape = GENERATE_RAW;
    assert_int_equal(encoded(KIND, &g, &out), ERR_OK);
    assert_non_null(strstr(buf_cstr(&out), "\"prompt\":\"\\n\",\"raw\":true"));
    buf_release(&out);
}

static void encode_joins_the_users_members(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, MIB);
    struct generate g = {.shape = GENERATE_INFILL,
                         .model = STR("m"),
                         .prefix = STR("a"),
                         .suffix = STR("b"),
                         .temperature = 0.1,
                         .max_tokens = 1,
                         .keep_s = 600,
                         .thinks = true};
    g.extra_body = STR("{\"options\":{\"num_ctx\":8192,\"temperature\":0, \"st\\u006fp\":[\"x\"]},"
                       "\"keep_alive\":\"24h\",\"think\":\"low\",\"raw\":true,\"truncate\":false}");
    assert_int_equal(encoded(KIND, &g, &out), ERR_OK);
    assert_string_equal(
        buf_cstr(&out),
        "/api/generate {\"model\":\"m\",\"prompt\":\"a\",\"suffix\":\"b\",\"stream\":true,"
        "\"options\":{\"num_predict\":1,\"num_ctx\":8192,\"temperature\":0,\"st\\u006fp\":[\"x\"]},"
        "\"keep_alive\":\"24h\",\"think\":\"low\",\"truncate\":false}");
    g.extra_body = STR("[1]");
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
    struct generate g = {.shape = GENERATE_RAW, .prompt = buf_str(&text)};
    assert_int_equal(encoded(KIND, &g, &out), ERR_TOO_LARGE);
    buf_release(&out);
    buf_release(&text);
}

static void check_load(const char *extra, uint64_t keep_s, const char *expected)
{
    struct http_request request;
    struct error why = {0};
    struct load_order order = {
        .model = STR("m:1b"), .keep_s = keep_s, .extra_body = str_from(extra)};
    http_request_init(&request);
    assert_int_equal(provider_named(KIND)->encode_load(&order, &request, &why), ERR_OK);
    assert_true(request.is_post);
    assert_string_equal(buf_cstr(&request.path), "/api/generate");
    assert_string_equal(buf_cstr(&request.body), expected);
    http_request_release(&request);
}

static void load_has_no_prompt_and_the_users_options(void **state)
{
    (void)state;
    check_load("", 600, "{\"model\":\"m:1b\",\"stream\":false,\"keep_alive\":600}");
    check_load("", 0, "{\"model\":\"m:1b\",\"stream\":false}");
    check_load("{\"options\":{\"num_ctx\":8192},\"keep_alive\":0,\"prompt\":\"x\"}", 600,
               "{\"model\":\"m:1b\",\"stream\":false,\"options\":{\"num_ctx\":8192}}");
}

static void unload_is_a_load_with_no_time_to_stay(void **state)
{
    (void)state;
    struct http_request request;
    struct error why = {0};
    struct load_order order = {.model = STR("m:1b"), .keep_s = 600, .n_ctx = 8192};
    http_request_init(&request);
    assert_int_equal(provider_named(KIND)->encode_unload(&order, &request, &why), ERR_OK);
    assert_true(request.is_post);
    assert_string_equal(buf_cstr(&request.path), "/api/generate");
    assert_string_equal(buf_cstr(&request.body),
                        "{\"model\":\"m:1b\",\"stream\":false,\"keep_alive\":0}");
    http_request_release(&request);
}

/* -- reading answers -- */

static void decode_reads_recorded_streams(void **state)
{
    (void)state;
    check_fixture(KIND, "ollama_infill.ndjson",
                  "r->next = n->next;|stop prompt=17 cached=-1 tokens=9");
    check_fixture(KIND, "ollama_raw.ndjson", "e_t *|length prompt=9 cached=-1 tokens=4");
    check_fixture(KIND, "ollama_chat.ndjson", "```py|length prompt=12 cached=-1 tokens=3");
    check_fixture(KIND, "ollama_load.json", "|cut prompt=-1 cached=-1 tokens=-1");
    /* A model that repeats itself is stopped without a word. */
    check_fixture(KIND, "ollama_repeat.ndjson",
                  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa|cut prompt=-1 cached=-1 tokens=-1");
}

#define CHECK(stream, expected) check_stream(provider_named(KIND), STR(stream), expected)
#define NONE                    "prompt=-1 cached=-1 tokens=-1"

static void decode_tells_how_a_stream_ended(void **state)
{
    (void)state;
    CHECK("{\"response\":\"a\",\"done\":false}\n", "a|cut " NONE);
    CHECK("{\"response\":\"a\",\"done\":false}", "a|cut " NONE);
    CHECK("{\"response\":\"a\",\"done\":true,\"done_reason\":\"stop\"}", "a|stop " NONE);
    CHECK("{\"response\":\"\",\"done\":true}\n", "|stop " NONE);
    CHECK("{\"response\":\"\",\"done\":true,\"done_reason\":\"unload\"}\n", "|cut " NONE);
    CHECK("{\"done\":true,\"done_reason\":\"length\"}\n{\"response\":\"late\"}\n", "|length " NONE);
    CHECK("\r\n\n{\"response\":\"\\u00e9\\n\"}\r\n{\"thinking\":\"hm\",\"response\":\"\"}\n",
          "\xc3\xa9\n|cut " NONE);
    CHECK("", "|cut " NONE);
}

static void decode_reads_errors_inside_a_stream(void **state)
{
    (void)state;
    CHECK("{\"response\":\"a\"}\n{\"error\":\"the runner \\u001b[31mcrashed\"}\n",
          "a|status 200: the server broke the answer off (\"the runner crashed\")");
    CHECK("{\"error\":\"model 'x' not found\"}\n",
          "|not_found 200: the server has no model x; get it with: ollama pull x");
    CHECK("{\"error\":{\"message\":\"odd\"}}\n", "|status 200: the server broke the answer off");
    CHECK("{\"response\":\"a\",\"error\":null}\n", "a|cut " NONE);
}

static void decode_skips_two_broken_lines(void **state)
{
    (void)state;
    CHECK("{\n{\"response\":\"a\"}\n[1]\n{\"response\":\"b\"}\n", "ab|cut " NONE);
    CHECK("{\nx\n{\"response\":\"a\"}\n7\n{\"response\":\"b\"}\n",
          "a|protocol 0: the server's answer isn't lines of JSON; check that its address and kind "
          "fit");
    CHECK("<html>\n",
          "|protocol 0: the server's answer isn't lines of JSON; check that its address "
          "and kind fit");
}

static void decode_drops_a_line_that_never_ends(void **state)
{
    (void)state;
    const struct provider_ops *ops = provider_named(KIND);
    struct buf stream, out;
    buf_init(&stream, 4 * MIB);
    buf_init(&out, MIB);
    buf_append(&stream, STR("{\"response\":\"a\"}\n{\"response\":\""));
    for (size_t i = 0; i < HTTP_MAX_LINE_BYTES; i++) {
        buf_append_char(&stream, 'x');
    }
    buf_append(&stream, STR("\"}\n{\"response\":\"b\",\"done\":true}\n"));
    transcript(ops, buf_str(&stream), STR(""), 1, &out);
    assert_string_equal(buf_cstr(&out), "ab|stop " NONE);
    buf_clear(&out);
    transcript(ops, STR(""), buf_str(&stream), 4000, &out);
    assert_string_equal(buf_cstr(&out), "ab|stop " NONE);
    buf_release(&stream);
    buf_release(&out);
}

static void decode_gives_nothing_after_an_abort(void **state)
{
    (void)state;
    transcript_abort(KIND, STR("{\"response\":\"a\"}\n{\"response\":\"b\"}"), "a");
}

/* -- failures -- */

static void explain_names_cause_and_next_step(void **state)
{
    (void)state;
    transcript_explanation(KIND, 404, "{\"error\":\"model 'qwen2.5-coder:1.5b' not found\"}",
                           ERR_NOT_FOUND, "ollama pull qwen2.5-coder:1.5b");
    transcript_explanation(KIND, 404,
                           "{\"error\":\"model \\\"a/b\\\" not found, try pulling it first\"}",
                           ERR_NOT_FOUND, "ollama pull a/b");
    transcript_explanation(KIND, 404, "{\"error\":\"model 'x; rm -r ~' not found\"}", ERR_NOT_FOUND,
                           "ollama pull NAME");
    transcript_explanation(KIND, 404, "404 page not found", ERR_NOT_FOUND,
                           "no such model or address");
    transcript_explanation(
        KIND, 400,
        "{\"error\":\"registry.ollama.ai/library/tinychat:latest does not support insert\"}",
        ERR_REJECTED, "can't fill in the middle");
    transcript_explanation(KIND, 400, "{\"error\":\"\\\"m\\\" does not support generate\"}",
                           ERR_REJECTED, "choose another one");
    transcript_explanation(KIND, 403, "", ERR_STATUS, "host name");
    transcript_explanation(KIND, 403, "{\"error\":\"remote inference is unavailable\"}",
                           ERR_REJECTED, "remote inference is unavailable");
    transcript_explanation(KIND, 401, "{\"error\":\"unauthorized\",\"signin_url\":\"https://x\"}",
                           ERR_REJECTED, "ollama signin");
    transcript_explanation(KIND, 401, "", ERR_AUTH, "apiKeyFile");
    transcript_explanation(KIND, 499, "{\"error\":\"request canceled\"}", ERR_STATUS,
                           "gave the request up");
    transcript_explanation(
        KIND, 503,
        "{\"error\":\"server busy, please try again.  maximum pending requests exceeded\"}",
        ERR_STATUS, "overloaded");
    transcript_explanation(KIND, 500,
                           "{\"error\":\"model requires more \\u001b[1mmemory\\u202e\\nx\"}",
                           ERR_STATUS, "(\"model requires more memory\")");
    transcript_explanation(KIND, 400,
                           "{\"error\":\"the prompt is longer than the context length currently "
                           "available\"}",
                           ERR_TOO_LARGE, "longer than the model's context");
    transcript_explanation(KIND, 502, "<html>Bad gateway</html>", ERR_STATUS, "web page");
    transcript_explanation(KIND, 500, "not \xff utf-8", ERR_STATUS, "not \xef\xbf\xbd utf-8");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(probe_reads_a_recorded_server, release_probe),
        cmocka_unit_test_teardown(probe_of_older_servers_asks_about_each_model, release_probe),
        cmocka_unit_test_teardown(probe_asks_about_a_bounded_number_of_models, release_probe),
        cmocka_unit_test_teardown(probe_knows_what_is_forwarded, release_probe),
        cmocka_unit_test_teardown(probe_tells_states_apart, release_probe),
        cmocka_unit_test(running_models_are_told),
        cmocka_unit_test(encode_writes_each_shape),
        cmocka_unit_test(encode_never_sends_an_empty_text),
        cmocka_unit_test(encode_joins_the_users_members),
        cmocka_unit_test(encode_refuses_what_is_too_large),
        cmocka_unit_test(load_has_no_prompt_and_the_users_options),
        cmocka_unit_test(unload_is_a_load_with_no_time_to_stay),
        cmocka_unit_test(decode_reads_recorded_streams),
        cmocka_unit_test(decode_tells_how_a_stream_ended),
        cmocka_unit_test(decode_reads_errors_inside_a_stream),
        cmocka_unit_test(decode_skips_two_broken_lines),
        cmocka_unit_test(decode_drops_a_line_that_never_ends),
        cmocka_unit_test(decode_gives_nothing_after_an_abort),
        cmocka_unit_test(explain_names_cause_and_next_step),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
