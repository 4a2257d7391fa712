/* deepseek_test.c - DeepSeek: holes within their limit, chats without thoughts, its keep-alives. */
#include "transcript.h"

#include "core/base/json.h"
#include "core/base/utf8.h"

#define KIND "deepseek"

static void probe_tells_models_apart_by_their_names(void **state)
{
    (void)state;
    struct probe p = new_probe();
    check_probe_path(KIND, &p, "/models");
    assert_int_equal(probe_fixture(KIND, &p, "deepseek_models.json"), PROBE_READY);
    assert_int_equal(p.n_models, 3);
    assert_int_equal(p.models[0].abilities, MODEL_INFILL | MODEL_CHAT);
    assert_int_equal(p.models[1].abilities, MODEL_CHAT);
    assert_int_equal(p.models[2].abilities, MODEL_INFILL | MODEL_CHAT | MODEL_THINKS);
    p = new_probe();
    assert_int_equal(probe_answer(KIND, &p, 401, "{}"), PROBE_REFUSED);
    p = new_probe();
    assert_int_equal(probe_answer(KIND, &p, 503, "{\"error\":{}}"), PROBE_FOREIGN);
    assert_non_null(p.hint);
}

static void encode_asks_about_a_hole_or_chats(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, MIB);
    struct generate g = {.shape = GENERATE_INFILL,
                         .model = STR("deepseek-chat"),
                         .prefix = STR("a"),
                         .suffix = STR("b"),
                         .prompt = STR("P"),
                         .max_tokens = 5000,
                         .temperature = 0.1,
                         .thinks = true};
    assert_int_equal(encoded(KIND, &g, &out), ERR_OK);
    assert_string_equal(buf_cstr(&out),
                        "/beta/completions {\"model\":\"deepseek-chat\",\"prompt\":\"a\","
                        "\"suffix\":\"b\",\"max_tokens\":4096,\"stream\":true,"
                        "\"stream_options\":{\"include_usage\":true},\"temperature\":0.1}");
    g.shape = GENERATE_CHAT;
    g.temperature = -1;
    assert_int_equal(encoded(KIND, &g, &out), ERR_OK);
    assert_string_equal(buf_cstr(&out),
                        "/chat/completions {\"model\":\"deepseek-chat\",\"messages\":[{\"role\":"
                        "\"user\",\"content\":\"P\"}],\"max_tokens\":5000,\"thinking\":{\"type\":"
                        "\"disabled\"},\"stream\":true,\"stream_options\":{\"include_usage\":"
                        "true}}");
    g.extra_body = STR("{\"thinking\":{\"type\":\"enabled\"}}");
    assert_int_equal(encoded(KIND, &g, &out), ERR_OK);
    assert_null(strstr(buf_cstr(&out), "disabled"));
    g.shape = GENERATE_RAW;
    assert_int_equal(encoded(KIND, &g, &out), ERR_REJECTED);
    buf_release(&out);
}

/* What is sent of a long text lies at the hole, is whole characters, and fits the limit. */
static void encode_cuts_the_text_to_the_limit(void **state)
{
    (void)state;
    struct buf text, out;
    struct arena arena = {0};
    struct json body;
    buf_init(&text, MIB);
    buf_init(&out, MIB);
    for (size_t i = 0; i < 3000; i++) {
        buf_append(&text, STR("\xe2\x82\xac"));
    }
    for (size_t more = 0; more < 4; more++) {
        struct generate g = {.prefix = buf_str(&text),
                             .suffix = str_sub(buf_str(&text), 0, 999 + 3 * more),
                             .max_tokens = 1,
                             .temperature = -1};
        assert_int_equal(encoded(KIND, &g, &out), ERR_OK);
        str json = str_sub(buf_str(&out), str_find_char(buf_str(&out), '{', 0), out.len);
        assert_int_equal(json_parse(json, &arena, &body, NULL), ERR_OK);
        str prompt = json_str(json_get(body, STR("prompt")));
        str suffix = json_str(json_get(body, STR("suffix")));
        assert_true(utf8_is_valid(prompt) && utf8_is_valid(suffix));
        assert_true(prompt.len > 2990 && suffix.len > 990);
        assert_true(prompt.len + suffix.len <= 4096);
        assert_true(str_ends_with(buf_str(&text), prompt));
        assert_true(str_starts_with(buf_str(&text), suffix));
        buf_append_char(&text, 'x');
    }
    arena_release(&arena);
    buf_release(&text);
    buf_release(&out);
}

static void decode_reads_past_what_keeps_the_line_alive(void **state)
{
    (void)state;
    check_fixture(KIND, "deepseek_fim.sse", "a + b;|stop prompt=20 cached=16 tokens=5");
    check_fixture(KIND, "deepseek_whole.json", "\xc3\xa9|length prompt=4 cached=3 tokens=1");
    check_stream(provider_named(KIND), STR(": keep-alive\n\n: keep-alive\n\n"),
                 "|cut prompt=-1 cached=-1 tokens=-1");
    check_stream(provider_named(KIND),
                 STR("data: {\"choices\":[{\"delta\":{\"content\":null,\"reasoning_content\":"
                     "\"hm\"}}]}\n\ndata: {\"choices\":[{\"delta\":{\"content\":\"a\"},"
                     "\"finish_reason\":\"insufficient_system_resource\"}]}\n\ndata: [DONE]\n\n"),
                 "a|cut prompt=-1 cached=-1 tokens=-1");
    transcript_abort(KIND, STR("data: {\"choices\":[{\"text\":\"a\"}]}\n\n"), "a");
}

#define ERROR_BODY(type, message)                                                                  \
    "{\"error\":{\"message\":\"" message "\",\"type\":\"" type "\",\"param\":null,\"code\":"       \
    "\"invalid_request_error\"}}"

static void explain_names_cause_and_next_step(void **state)
{
    (void)state;
    transcript_explanation(KIND, 402, ERROR_BODY("unknown_error", "Insufficient Balance"),
                           ERR_STATUS, "no credit left");
    transcript_explanation(KIND, 401, ERROR_BODY("authentication_error", "Your api key is sk-1"),
                           ERR_AUTH, "apiKeyFile");
    transcript_explanation(KIND, 400, ERROR_BODY("invalid_request_error", "Model Not Exist"),
                           ERR_NOT_FOUND, "Model Not Exist");
    transcript_explanation(KIND, 422, ERROR_BODY("invalid_request_error", "Invalid max_tokens"),
                           ERR_STATUS, "Invalid max_tokens");
    transcript_explanation(KIND, 429, ERROR_BODY("rate_limit", "slow down"), ERR_STATUS,
                           "too many requests");
    transcript_explanation(KIND, 503, ERROR_BODY("service_unavailable", "Server overloaded"),
                           ERR_STATUS, "the server is overloaded");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(probe_tells_models_apart_by_their_names, release_probe),
        cmocka_unit_test(encode_asks_about_a_hole_or_chats),
        cmocka_unit_test(encode_cuts_the_text_to_the_limit),
        cmocka_unit_test(decode_reads_past_what_keeps_the_line_alive),
        cmocka_unit_test(explain_names_cause_and_next_step),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
