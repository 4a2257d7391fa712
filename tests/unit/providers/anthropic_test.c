/* anthropic_test.c - Anthropic's messages: named events, counts in parts, errors after status 200.
 */
#include "transcript.h"

#define KIND "anthropic"

static void probe_reads_the_list(void **state)
{
    (void)state;
    const struct provider_ops *ops = provider_named(KIND);
    struct probe p = new_probe();
    check_probe_path(KIND, &p, "/v1/models?limit=100");
    assert_int_equal(probe_fixture(KIND, &p, "anthropic_models.json"), PROBE_READY);
    assert_int_equal(p.n_models, 2);
    assert_true(str_eq(p.models[0].id, STR("claude-sonnet-4-5-20250929")));
    assert_int_equal(p.models[0].abilities, MODEL_CHAT);
    assert_string_equal(ops->key_header, "x-api-key");
    assert_string_equal(ops->headers[0], "anthropic-version: 2023-06-01");
    p = new_probe();
    assert_int_equal(probe_answer(KIND, &p, 401, "{}"), PROBE_REFUSED);
    p = new_probe();
    assert_int_equal(probe_answer(KIND, &p, 529, "{\"type\":\"error\"}"), PROBE_FOREIGN);
    assert_non_null(strstr(p.hint, "overloaded"));
}

static void encode_writes_a_message(void **state)
{
    (void)state;
    static const str stops[] = {{"\n", 1}, {"END", 3}, {" \t", 2}};
    struct buf out;
    buf_init(&out, MIB);
    struct generate g = {.shape = GENERATE_CHAT,
                         .model = STR("claude-haiku-4-5"),
                         .prompt = STR("P"),
                         .system = STR("S"),
                         .stops = stops,
                         .n_stops = 3,
                         .max_tokens = 1024,
                         .temperature = 0.2,
                         .extra_body = STR("{\"thinking\":{\"type\":\"disabled\"},\"stream\":0}")};
    assert_int_equal(encoded(KIND, &g, &out), ERR_OK);
    assert_string_equal(buf_cstr(&out),
                        "/v1/messages {\"model\":\"claude-haiku-4-5\",\"system\":\"S\","
                        "\"messages\":[{\"role\":\"user\",\"content\":\"P\"}],\"max_tokens\":1024,"
                        "\"stream\":true,\"stop_sequences\":[\"END\"],"
                        "\"thinking\":{\"type\":\"disabled\"}}");
    g.n_stops = 1; /* nothing but a line end: refused, so not sent */
    g.system = STR("");
    g.extra_body = STR("{\"max_tokens\":7,\"temperature\":1}");
    assert_int_equal(encoded(KIND, &g, &out), ERR_OK);
    assert_string_equal(buf_cstr(&out),
                        "/v1/messages {\"model\":\"claude-haiku-4-5\",\"messages\":[{\"role\":"
                        "\"user\",\"content\":\"P\"}],\"stream\":true,\"max_tokens\":7,"
                        "\"temperature\":1}");
    g.shape = GENERATE_INFILL;
    assert_int_equal(encoded(KIND, &g, &out), ERR_REJECTED);
    g.shape = GENERATE_RAW;
    assert_int_equal(encoded(KIND, &g, &out), ERR_REJECTED);
    buf_release(&out);
}

#define CHECK(stream, expected) check_stream(provider_named(KIND), STR(stream), expected)
#define NONE                    "prompt=-1 cached=-1 tokens=-1"
#define DELTA(text)                                                                                \
    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"delta\":{\"type\":"     \
    "\"text_delta\",\"text\":\"" text "\"}}\n\n"
#define STOPPED(reason)                                                                            \
    "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"" reason \
    "\"}}\n\n"

static void decode_reads_streams(void **state)
{
    (void)state;
    check_fixture(KIND, "anthropic_messages.sse", "It adds.|stop prompt=1025 cached=900 tokens=15");
    check_fixture(
        KIND, "anthropic_overloaded.sse",
        "It|status 200: the server is overloaded; ask again in a moment (\"Overloaded\")");
    check_fixture(KIND, "llamacpp_messages.sse", "```python|length prompt=26 cached=0 tokens=4");
    check_fixture(KIND, "llamacpp_messages.json", "```python|length prompt=20 cached=1 tokens=4");
}

static void decode_reads_ends(void **state)
{
    (void)state;
    CHECK(DELTA("a"), "a|cut " NONE);
    CHECK(DELTA("a") STOPPED("stop_sequence"), "a|stop " NONE);
    CHECK(DELTA("a") STOPPED("max_tokens") DELTA("late"), "a|length " NONE);
    CHECK(DELTA("a") STOPPED("model_context_window_exceeded"), "a|length " NONE);
    CHECK(DELTA("a") STOPPED("tool_use"), "a|stop " NONE);
    CHECK(DELTA("a") STOPPED("refusal"),
          "a|rejected 0: the model or its filter refuses to answer this");
    CHECK("event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n" DELTA("late"), "|cut " NONE);
    CHECK("event: ping\ndata: {\"type\":\"ping\"}\n\n", "|cut " NONE);
    CHECK("event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":{"
          "\"input_tokens\":1e300,\"cache_read_input_tokens\":-5}}}\n\n",
          "|cut " NONE);
    transcript_abort(KIND, STR(DELTA("a")), "a");
}

#define ERROR_BODY(type, message)                                                                  \
    "{\"type\":\"error\",\"error\":{\"type\":\"" type "\",\"message\":\"" message "\"},"           \
    "\"request_id\":\"req_1\"}"

static void explain_names_cause_and_next_step(void **state)
{
    (void)state;
    transcript_explanation(KIND, 529, ERROR_BODY("overloaded_error", "Overloaded"), ERR_STATUS,
                           "the server is overloaded; ask again in a moment; HTTP 529");
    transcript_explanation(KIND, 429, ERROR_BODY("rate_limit_error", "per minute"), ERR_STATUS,
                           "too many requests");
    transcript_explanation(KIND, 401, ERROR_BODY("authentication_error", "invalid x-api-key"),
                           ERR_AUTH, "apiKeyFile");
    transcript_explanation(KIND, 403, ERROR_BODY("permission_error", "no access"), ERR_AUTH,
                           "refuses the key");
    transcript_explanation(KIND, 402, ERROR_BODY("billing_error", "credit balance is too low"),
                           ERR_STATUS, "no credit left");
    transcript_explanation(KIND, 404, ERROR_BODY("not_found_error", "model: claude-9"),
                           ERR_NOT_FOUND, "model: claude-9");
    transcript_explanation(KIND, 413, ERROR_BODY("request_too_large", "exceeds the maximum"),
                           ERR_TOO_LARGE, "longer than the model's context");
    transcript_explanation(
        KIND, 400, ERROR_BODY("invalid_request_error", "prompt is too long: 2 tokens > 1 maximum"),
        ERR_TOO_LARGE, "longer than the model's context");
    transcript_explanation(KIND, 400,
                           ERROR_BODY("invalid_request_error", "`temperature` is deprecated"),
                           ERR_STATUS, "`temperature` is deprecated");
    transcript_explanation(KIND, 500, ERROR_BODY("api_error", "Internal server error"), ERR_STATUS,
                           "the server failed");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(probe_reads_the_list, release_probe),
        cmocka_unit_test(encode_writes_a_message),
        cmocka_unit_test(decode_reads_streams),
        cmocka_unit_test(decode_reads_ends),
        cmocka_unit_test(explain_names_cause_and_next_step),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
