/* embed_test.c - vectors of texts, as each dialect has them. */
#include "tests/unit/providers/transcript.h"

#include <math.h>

static const str texts[] = {STR_INIT("a\n"), STR_INIT("\"b\"")};

static void check_embedding(const char *kind, const char *expected)
{
    struct embed_order order = {
        .model = STR("m"), .texts = texts, .n_texts = 2, .keep_s = 60, .n_ctx = 512};
    struct http_request request;
    struct error why = {0};
    http_request_init(&request);
    assert_int_equal(provider_named(kind)->encode_embed(&order, &request, &why), ERR_OK);
    struct buf out;
    buf_init(&out, MIB);
    buf_appendf(&out, "%s %s", buf_cstr(&request.path), buf_cstr(&request.body));
    assert_string_equal(buf_cstr(&out), expected);
    buf_release(&out);
    http_request_release(&request);
}

static void each_dialect_orders_in_its_way(void **state)
{
    (void)state;
    static const char *const same[] = {"llamacpp", "lmstudio", "vllm", "mistral"};
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        check_embedding(same[i],
                        "/v1/embeddings {\"model\":\"m\",\"input\":[\"a\\n\",\"\\\"b\\\"\"]}");
    }
    check_embedding("openai", "/embeddings {\"model\":\"m\",\"input\":[\"a\\n\",\"\\\"b\\\"\"]}");
    check_embedding("ollama", "/api/embed {\"model\":\"m\",\"input\":[\"a\\n\",\"\\\"b\\\"\"],"
                              "\"truncate\":true,\"keep_alive\":60,\"options\":{\"num_ctx\":512}}");
    assert_null((void *)(uintptr_t)provider_named("anthropic")->encode_embed);
    assert_null((void *)(uintptr_t)provider_named("deepseek")->encode_embed);
}

/* The rows as "1 2|3 4", or the error. */
static void check_read(const char *body, size_t n_texts, const char *expected)
{
    struct embedding v;
    struct error why = {0};
    struct buf out;
    buf_init(&out, KIB);
    enum err err = provider_named("openai")->read_embed(str_from(body), n_texts, &v, &why);
    for (size_t i = 0; err == ERR_OK && i < v.n_texts * v.n_dims; i++) {
        const char *before = i == 0 ? "" : i % v.n_dims == 0 ? "|" : " ";
        buf_appendf(&out, "%s%g", before, (double)v.values[i]);
    }
    if (err != ERR_OK) {
        assert_null(v.values);
        buf_appendf(&out, "%s", why.msg);
    }
    if (str_find(buf_str(&out), str_from(expected), 0) == SIZE_MAX) {
        fail_msg("%s: \"%s\" isn't in \"%s\"", body, expected, buf_cstr(&out));
    }
    embedding_release(&v);
    buf_release(&out);
}

static void rows_are_read_in_their_order_or_not_at_all(void **state)
{
    (void)state;
    check_read("{\"embeddings\":[[1,2],[3,4.5]]}", 2, "1 2|3 4.5");
    check_read(
        "{\"data\":[{\"index\":1,\"embedding\":[3,4]},{\"index\":0,\"embedding\":[1,-2e-3]}]}", 2,
        "1 -0.002|3 4");
    check_read("{\"data\":[{\"embedding\":[[1,2]]}]}", 1, "1 2"); /* an older llama-server's */
    check_read("{\"embeddings\":[[1,2]]}", 2, "more or fewer");
    check_read("{\"embeddings\":[[1,2],[3]]}", 2, "of one length");
    check_read("{\"embeddings\":[[1,2],[3,4,5]]}", 2, "of one length");
    check_read("{\"embeddings\":[[1,2],[3,\"4\"]]}", 2, "rows of numbers");
    check_read("{\"embeddings\":[[1,2],[3,1e39]]}", 2, "rows of numbers"); /* no float */
    check_read("{\"embeddings\":[[1,2],[3,null]]}", 2, "rows of numbers");
    check_read("{\"embeddings\":[[]]}", 1, "empty");
    check_read("{\"embeddings\":[]}", 1, "more or fewer");
    check_read("{\"data\":[{\"index\":0,\"embedding\":[1]},{\"index\":0,\"embedding\":[2]}]}", 2,
               "its own");
    check_read("{\"data\":[{\"index\":7,\"embedding\":[1]}]}", 1, "its own");
    check_read("{\"data\":[{\"index\":-1,\"embedding\":[1]}]}", 1, "its own");
    check_read("{\"data\":[{\"index\":0,\"embedding\":\"AACAPw==\"}]}", 1, "empty");
    check_read("{\"data\":{}}", 1, "missing");
    check_read("{", 1, "broken JSON");
    check_read("", 1, "broken JSON");
}

static void row_that_is_too_long_is_refused(void **state)
{
    (void)state;
    struct buf body;
    buf_init(&body, MIB);
    buf_append(&body, STR("{\"embeddings\":[["));
    for (size_t i = 0; i <= EMBED_DIMS_MAX; i++) {
        buf_append(&body, i == 0 ? STR("1") : STR(",1"));
    }
    buf_append(&body, STR("]]}"));
    check_read(buf_cstr(&body), 1, "too long");
    buf_release(&body);
}

static void recorded_answer_is_read(void **state)
{
    (void)state;
    struct buf body = fixture("llamacpp_embeddings.json");
    struct embedding v;
    struct error why = {0};
    assert_int_equal(provider_named("llamacpp")->read_embed(buf_str(&body), 2, &v, &why), ERR_OK);
    assert_int_equal(v.n_texts, 2);
    assert_int_equal(v.n_dims, 256);
    assert_true(fabs(embedding_cosine(&v, 0, 0) - 1) < 1e-6);
    assert_true(fabs(embedding_cosine(&v, 0, 1)) < 1);
    embedding_release(&v);
    buf_release(&body);
}

static void alike_is_the_cosine(void **state)
{
    (void)state;
    float values[] = {1, 0, 0, 2, -3, 0, 0, 0};
    struct embedding v = {values, 4, 2};
    assert_true(fabs(embedding_cosine(&v, 0, 1)) < 1e-9);
    assert_true(fabs(embedding_cosine(&v, 0, 2) + 1) < 1e-9);
    assert_true(embedding_cosine(&v, 0, 3) >= 0 && embedding_cosine(&v, 0, 3) <= 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_dialect_orders_in_its_way),
        cmocka_unit_test(rows_are_read_in_their_order_or_not_at_all),
        cmocka_unit_test(row_that_is_too_long_is_refused),
        cmocka_unit_test(recorded_answer_is_read),
        cmocka_unit_test(alike_is_the_cosine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
