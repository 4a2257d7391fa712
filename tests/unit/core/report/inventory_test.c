/* inventory_test.c - states and figures in words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/base/limits.h"
#include "core/report/inventory.h"

static enum err encode_load(const struct load_order *l, struct http_request *out, struct error *why)
{
    (void)l;
    (void)out;
    return error_set(why, ERR_REJECTED, "never called: that it is there says enough");
}

static const struct provider_ops plain = {.kind = "plain"};
static const struct provider_ops shelf = {.kind = "shelf", .encode_load = encode_load};

static void states_are_words(void **state)
{
    (void)state;
    static const struct {
        enum endpoint_state state;
        enum error_cause cause;
        double loading;
        const char *words;
    } cases[] = {
        {ENDPOINT_READY, CAUSE_NONE, -1, "ready"},
        {ENDPOINT_LOADING, CAUSE_NONE, 0.43, "loading 43 %"},
        {ENDPOINT_LOADING, CAUSE_NONE, -1, "loading"},
        {ENDPOINT_DOWN, CAUSE_NOTHING_LISTENS, -1, "down"},
        {ENDPOINT_UNKNOWN, CAUSE_NONE, -1, "no answer yet"},
        {ENDPOINT_BLOCKED, CAUSE_CONSENT, -1, "needs consent"},
        {ENDPOINT_BLOCKED, CAUSE_KEY_REFUSED, -1, "key refused"},
        {ENDPOINT_BLOCKED, CAUSE_CERT_EXPIRED, -1, "certificate refused"},
        {ENDPOINT_BLOCKED, CAUSE_NONE, -1, "blocked"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf out;
        struct endpoint e = {.ops = &plain, .state = cases[i].state, .loading = cases[i].loading};
        e.error.cause = cases[i].cause;
        buf_init(&out, KIB);
        inventory_state(&e, &out);
        assert_string_equal(buf_cstr(&out), cases[i].words);
        buf_release(&out);
    }
}

static void counts_have_two_digits_or_more(void **state)
{
    (void)state;
    static const struct {
        uint64_t n;
        const char *words;
    } cases[] = {{0, ""},
                 {4196608, "4.2 M"},
                 {494000000, "494 M"},
                 {1543714304, "1.5 B"},
                 {9949000000u, "9.9 B"},
                 {30532122624u, "31 B"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf out;
        buf_init(&out, KIB);
        inventory_count(cases[i].n, &out);
        assert_string_equal(buf_cstr(&out), cases[i].words);
        buf_release(&out);
    }
}

static void models_say_where_they_are(void **state)
{
    (void)state;
    struct error error = {.code = ERR_STATUS};
    struct model_info m = {.id = STR("m")};
    struct endpoint e = {.ops = &shelf, .n_models = 1};
    assert_string_equal(inventory_model_state(&e, &m), "not loaded");
    m.is_loading = true;
    m.load_error = &error;
    assert_string_equal(inventory_model_state(&e, &m), "loading");
    m.is_loading = false;
    assert_string_equal(inventory_model_state(&e, &m), "failed");
    m.load_error = NULL;
    m.is_loaded = true;
    assert_string_equal(inventory_model_state(&e, &m), "loaded");
    m.is_remote = true;
    assert_string_equal(inventory_model_state(&e, &m), "elsewhere");
    m.is_remote = m.is_loaded = false;
    e.ops = &plain; /* it names its one model and says no more */
    assert_string_equal(inventory_model_state(&e, &m), "");
    e.tier = TIER_CLOUD;
    assert_string_equal(inventory_model_state(&e, &m), "elsewhere");
}

static void abilities_are_listed(void **state)
{
    (void)state;
    struct buf out;
    struct model_info m = {.id = STR("m"), .name = STR("m"), .abilities = MODEL_CHAT | MODEL_RAW};
    buf_init(&out, KIB);
    inventory_abilities(&m, &out);
    assert_string_equal(buf_cstr(&out), "chat, can't fill");
    buf_clear(&out);
    m.name = STR("qwen2.5-coder"); /* we know how it wants a hole written */
    inventory_abilities(&m, &out);
    assert_string_equal(buf_cstr(&out), "fills, chat, raw");
    buf_clear(&out);
    m.tokens_told = true; /* and its tokenizer doesn't know it */
    inventory_abilities(&m, &out);
    assert_string_equal(buf_cstr(&out), "chat, can't fill");
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(states_are_words),
        cmocka_unit_test(counts_have_two_digits_or_more),
        cmocka_unit_test(models_say_where_they_are),
        cmocka_unit_test(abilities_are_listed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
