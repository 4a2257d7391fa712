/* route_test.c - which endpoint and model serve a role. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/model/route.h"

static struct endpoint endpoints[4];
static size_t n_endpoints;
static const struct provider_ops plain = {.kind = "openai"};
static const struct provider_ops single = {.kind = "llamacpp", .capabilities = PROVIDER_ONE_MODEL};
static const struct provider_ops own = {.kind = "embedded", .capabilities = PROVIDER_IN_PROCESS};
static enum err encode_load(const struct load_order *l, struct http_request *out, struct error *why)
{
    (void)l;
    (void)out;
    return error_set(why, ERR_REJECTED, "never called: that it is there says enough");
}

static const struct provider_ops loads = {
    .kind = "ollama", .encode_load = encode_load, .start_hint = "get-a-coder"};
static struct model_info coder = {.abilities = MODEL_INFILL | MODEL_RAW, .is_loaded = true};
static struct model_info chat = {.abilities = MODEL_CHAT, .is_loaded = true};

size_t upstream_count(const struct upstream *u)
{
    (void)u;
    return n_endpoints;
}

const struct endpoint *upstream_endpoint(const struct upstream *u, size_t idx)
{
    (void)u;
    return &endpoints[idx];
}

const struct endpoint *upstream_find(const struct upstream *u, uint64_t id)
{
    for (size_t i = 0; i < upstream_count(u); i++) {
        if (endpoints[i].id == id) {
            return &endpoints[i];
        }
    }
    return NULL;
}

const char *upstream_start_hint(const struct upstream *u)
{
    (void)u;
    return "start-it";
}

bool upstream_is_settled(const struct upstream *u)
{
    (void)u;
    return true;
}

static uint64_t failing; /* id of an endpoint; 0: none is */

bool upstream_would_admit(const struct upstream *u, uint64_t endpoint, str model)
{
    (void)u;
    (void)model;
    return endpoint != failing;
}

const char *endpoint_state_name(enum endpoint_state state)
{
    return state == ENDPOINT_DOWN ? "down" : "?";
}

static bool can_fill(const struct model_info *m)
{
    return (m->abilities & MODEL_INFILL) != 0;
}

static void put(const char *name, const struct provider_ops *ops, enum endpoint_state state,
                enum tier tier, const struct model_info *m)
{
    endpoints[n_endpoints] = (struct endpoint){.idx = (unsigned)n_endpoints,
                                               .id = n_endpoints + 1,
                                               .name = str_from(name),
                                               .ops = ops,
                                               .state = state,
                                               .tier = tier,
                                               .models = m,
                                               .n_models = m != NULL,
                                               .loading = 0.5};
    n_endpoints++;
}

static struct route route_for(const str *names, size_t n, const char *wish)
{
    struct settings s = {.models_inline = names, .n_models_inline = n};
    return route_find(
        NULL, &s,
        &(struct route_order){.role = ROLE_INLINE, .wish = str_from(wish), .can_fill = can_fill});
}

static int clear(void **state)
{
    (void)state;
    n_endpoints = 0;
    failing = 0;
    coder.is_loaded = true;
    coder.is_loading = false;
    coder.load_error = NULL;
    coder.id = STR("coder");
    coder.name = STR("qwen2.5-coder");
    chat.id = STR("chat");
    chat.name = STR("llama-3");
    return 0;
}

static void nearest_ready_model_is_taken(void **state)
{
    (void)state;
    put("cloud", &plain, ENDPOINT_READY, TIER_CLOUD, &coder);
    put("near", &single, ENDPOINT_READY, TIER_LOOPBACK, &coder);
    put("embedded", &own, ENDPOINT_READY, TIER_LOOPBACK, NULL);
    struct route r = route_for(NULL, 0, "");
    assert_int_equal(r.state, ROUTE_READY);
    assert_string_equal(r.name, "near/coder");
    assert_false(r.is_remote);
    assert_true(r.allows_embedded);
}

static void named_preference_wins_and_may_be_remote(void **state)
{
    (void)state;
    put("cloud", &plain, ENDPOINT_READY, TIER_CLOUD, &coder);
    put("near", &single, ENDPOINT_READY, TIER_LOOPBACK, &coder);
    str names[] = {STR("cloud/coder")};
    struct route r = route_for(names, 1, "");
    assert_string_equal(r.name, "cloud/coder");
    assert_true(r.is_remote);
    assert_false(r.allows_embedded);
}

static void unnamed_endpoint_isnt_used_when_the_named_one_is_down(void **state)
{
    (void)state;
    put("near", &single, ENDPOINT_DOWN, TIER_LOOPBACK, NULL);
    put("cloud", &plain, ENDPOINT_READY, TIER_CLOUD, &coder);
    (void)error_set(&endpoints[0].error, ERR_CONNECT, "nothing listens");
    str names[] = {STR("near/coder"), STR("embedded")};
    struct route r = route_for(names, 2, "");
    assert_int_equal(r.state, ROUTE_NONE);
    assert_non_null(strstr(r.message, "nothing listens"));
    assert_true(r.allows_embedded);
}

static void loading_is_reported_and_a_later_ready_one_serves(void **state)
{
    (void)state;
    put("slow", &single, ENDPOINT_LOADING, TIER_LOOPBACK, NULL);
    struct route r = route_for(NULL, 0, "");
    assert_int_equal(r.state, ROUTE_LOADING);
    assert_true(r.loading == 0.5);
    put("near", &single, ENDPOINT_READY, TIER_LOOPBACK, &coder);
    r = route_for(NULL, 0, "");
    assert_int_equal(r.state, ROUTE_READY);
    assert_string_equal(r.message, "");
}

static void chat_model_cant_fill(void **state)
{
    (void)state;
    put("near", &plain, ENDPOINT_READY, TIER_LOOPBACK, &chat);
    struct route r = route_for(NULL, 0, "");
    assert_int_equal(r.state, ROUTE_NONE);
    assert_non_null(strstr(r.message, "can't fill in the middle; one that can: start-it"));
    assert_non_null(strstr(r.message, "; or by chat: name near/chat in models.inline"));
}

static void tokenizer_that_was_asked_is_the_reason(void **state)
{
    (void)state;
    struct model_info raw = {
        .id = STR("base"), .abilities = MODEL_RAW, .is_loaded = true, .tokens_told = true};
    put("near", &plain, ENDPOINT_READY, TIER_LOOPBACK, &raw);
    struct route r = route_for(NULL, 0, "");
    assert_non_null(strstr(r.message, "(its tokenizer knows no tokens for holes)"));
    assert_null(strstr(r.message, "by chat"));
    raw.tokens = STR("<fim>"); /* others than its template's: not for want of any */
    r = route_for(NULL, 0, "");
    assert_null(strstr(r.message, "tokenizer"));
}

static void filling_by_chat_elsewhere_takes_ones_own_file(void **state)
{
    (void)state;
    put("cloud", &plain, ENDPOINT_READY, TIER_CLOUD, &chat);
    str names[] = {STR("cloud")};
    struct route r = route_for(names, 1, "");
    assert_int_equal(r.state, ROUTE_NONE);
    assert_non_null(strstr(r.message, "name cloud/chat in your own models.inline"));
}

static void missing_names_are_named(void **state)
{
    (void)state;
    put("near", &plain, ENDPOINT_READY, TIER_LOOPBACK, &coder);
    struct route r = route_for(NULL, 0, "near/other");
    assert_int_equal(r.state, ROUTE_NONE);
    assert_non_null(strstr(r.message, "no model other"));
    r = route_for(NULL, 0, "nowhere/x");
    assert_non_null(strstr(r.message, "nowhere"));
    r = route_for(NULL, 0, "coder");
    assert_int_equal(r.state, ROUTE_READY);
}

static void unloaded_model_is_wanted_and_another_serves_meanwhile(void **state)
{
    (void)state;
    coder.is_loaded = false;
    put("slow", &loads, ENDPOINT_READY, TIER_LOOPBACK, &coder);
    struct route r = route_for(NULL, 0, "");
    assert_int_equal(r.state, ROUTE_LOADING);
    assert_true(r.needs_load && r.is_idle && r.load_endpoint == 1);
    assert_true(str_eq(r.load_model, STR("coder")));
    assert_string_equal(r.name, "slow/coder");
    coder.is_loading = true;
    r = route_for(NULL, 0, "");
    assert_false(r.is_idle);
    assert_string_equal(r.message, "slow: loading coder");
    static struct model_info ready = {
        .id = {"r", 1}, .name = {"r", 1}, .abilities = MODEL_INFILL, .is_loaded = true};
    put("near", &single, ENDPOINT_READY, TIER_LOOPBACK, &ready);
    r = route_for(NULL, 0, "");
    assert_int_equal(r.state, ROUTE_READY);
    assert_false(r.needs_load); /* nobody has named the other one */
    str names[] = {STR("slow"), STR("near")};
    r = route_for(names, 2, "");
    assert_string_equal(r.name, "near/r");
    assert_true(r.needs_load && r.load_endpoint == 1);
}

static void model_that_cant_be_loaded_is_passed_over(void **state)
{
    (void)state;
    struct error error;
    (void)error_set(&error, ERR_STATUS, "it needs more memory");
    coder.is_loaded = false;
    coder.load_error = &error;
    put("slow", &loads, ENDPOINT_READY, TIER_LOOPBACK, &coder);
    struct route r = route_for(NULL, 0, "");
    assert_int_equal(r.state, ROUTE_NONE);
    assert_true(r.needs_load); /* to be tried again when its time has come */
    assert_string_equal(r.message, "slow: coder can't be loaded: it needs more memory");
    static struct model_info next = {.id = {"n", 1}, .name = {"n", 1}, .abilities = MODEL_INFILL};
    put("next", &loads, ENDPOINT_READY, TIER_LOOPBACK, &next);
    str names[] = {STR("slow"), STR("next")};
    r = route_for(names, 2, "");
    assert_true(r.needs_load && str_eq(r.load_model, STR("n"))); /* else it would never be */
    assert_string_equal(r.name, "next/n");
    str reversed[] = {STR("next"), STR("slow")};
    assert_true(str_eq(route_for(reversed, 2, "").load_model, STR("n")));
    next.load_error = &error;
    assert_true(str_eq(route_for(names, 2, "").load_model, STR("coder")));
    next.load_error = NULL;
}

static void best_of_several_is_loaded_or_small(void **state)
{
    (void)state;
    static struct model_info several[4] = {
        {.id = {"embed", 5}, .n_bytes = 1, .is_loaded = true},
        {.id = {"large", 5}, .abilities = MODEL_INFILL, .n_bytes = 9},
        {.id = {"small", 5}, .abilities = MODEL_INFILL, .n_bytes = 2},
        {.id = {"cloud", 5}, .abilities = MODEL_INFILL, .is_loaded = true, .is_remote = true}};
    put("slow", &loads, ENDPOINT_READY, TIER_LOOPBACK, several);
    endpoints[0].n_models = 4;
    assert_true(str_eq(route_for(NULL, 0, "").load_model, STR("small")));
    several[1].is_loaded = true;
    assert_string_equal(route_for(NULL, 0, "").name, "slow/large");
    several[1].is_loaded = false;
}

static void forwarded_model_is_used_only_where_the_user_names_it(void **state)
{
    (void)state;
    static struct model_info cloud = {
        .id = {"coder:cloud", 11}, .abilities = MODEL_INFILL, .is_loaded = true, .is_remote = true};
    put("slow", &loads, ENDPOINT_READY, TIER_LOOPBACK, &cloud);
    assert_int_equal(route_for(NULL, 0, "").state, ROUTE_NONE);
    str endpoint[] = {STR("slow")}, named[] = {STR("slow/coder:cloud")}, bare[] = {cloud.id};
    assert_int_equal(route_for(endpoint, 1, "").state, ROUTE_NONE);
    struct route r = route_for(named, 1, "");
    assert_int_equal(r.state, ROUTE_READY);
    assert_true(r.is_remote);
    assert_false(r.needs_load);
    assert_true(route_for(bare, 1, "").is_remote);
    struct settings foreign = {
        .models_inline = named, .n_models_inline = 1, .models_inline_is_foreign = true};
    r = route_find(
        NULL, &foreign,
        &(struct route_order){.role = ROLE_INLINE, .wish = STR(""), .can_fill = can_fill});
    assert_int_equal(r.state, ROUTE_NONE);
    assert_non_null(strstr(r.message, "another machine"));
    assert_int_equal(route_find(NULL, &foreign,
                                &(struct route_order){
                                    .role = ROLE_INLINE, .wish = named[0], .can_fill = can_fill})
                         .state,
                     ROUTE_READY);
}

static void other_name_of_a_model_finds_it(void **state)
{
    (void)state;
    coder.id = STR("coder:latest");
    put("slow", &loads, ENDPOINT_READY, TIER_LOOPBACK, &coder);
    str names[] = {STR("slow/qwen2.5-coder")};
    struct route r = route_for(names, 1, "");
    assert_true(str_eq(r.model, STR("coder:latest")));
}

static void server_without_models_says_how_to_get_one(void **state)
{
    (void)state;
    put("slow", &loads, ENDPOINT_READY, TIER_LOOPBACK, NULL);
    assert_string_equal(route_for(NULL, 0, "").message,
                        "slow has no models yet; get one: get-a-coder");
}

static struct route route_to_chat(uint64_t avoid)
{
    struct settings s = {.n_models_chat = 0};
    return route_find(
        NULL, &s,
        &(struct route_order){
            .role = ROLE_CHAT, .wish = STR(""), .can_fill = can_fill, .avoid = avoid});
}

static void nobody_crosses_a_tier_that_no_list_names(void **state)
{
    (void)state;
    put("near", &plain, ENDPOINT_DOWN, TIER_LOOPBACK, &coder);
    put("cloud", &plain, ENDPOINT_READY, TIER_CLOUD, &coder);
    assert_int_equal(route_for(NULL, 0, "").state, ROUTE_NONE); /* down isn't absent */
    str names[] = {STR("near"), STR("cloud")};
    assert_string_equal(route_for(names, 2, "").name, "cloud/coder");
}

static void failing_endpoint_is_passed_over_while_another_is_well(void **state)
{
    (void)state;
    put("near", &plain, ENDPOINT_READY, TIER_LOOPBACK, &coder);
    put("spare", &plain, ENDPOINT_READY, TIER_LOOPBACK, &coder);
    failing = 1;
    assert_string_equal(route_for(NULL, 0, "").name, "spare/coder");
    str names[] = {STR("near"), STR("spare")};
    assert_string_equal(route_for(names, 2, "").name, "spare/coder");
    failing = 0;
    assert_string_equal(route_for(names, 2, "").name, "near/coder");
}

static void who_has_just_failed_is_avoided(void **state)
{
    (void)state;
    put("near", &plain, ENDPOINT_READY, TIER_LOOPBACK, &chat);
    assert_int_equal(route_to_chat(1).state, ROUTE_NONE);
    put("spare", &plain, ENDPOINT_READY, TIER_LOOPBACK, &chat);
    assert_string_equal(route_to_chat(1).name, "spare/chat");
    assert_string_equal(route_to_chat(2).name, "near/chat");
}

static void talk_goes_to_the_largest_that_people_wait_for(void **state)
{
    (void)state;
    static struct model_info several[5] = {
        {.id = {"small", 5}, .abilities = MODEL_CHAT, .n_bytes = 1000, .is_loaded = true},
        {.id = {"fair", 4}, .abilities = MODEL_CHAT, .n_bytes = 5000},
        {.id = {"fair-base", 9}, .abilities = MODEL_CHAT, .n_bytes = 6000},
        {.id = {"huge", 4}, .abilities = MODEL_CHAT, .n_bytes = ROUTE_CHAT_MAX_BYTES + 1},
        {.id = {"coder", 5}, .abilities = MODEL_INFILL, .n_bytes = 9000}};
    put("slow", &loads, ENDPOINT_READY, TIER_LOOPBACK, several);
    endpoints[0].n_models = 5;
    struct route r = route_to_chat(0);
    assert_true(r.needs_load && str_eq(r.load_model, STR("fair")));
    static struct error error;
    (void)error_set(&error, ERR_STATUS, "it needs more memory");
    several[1].load_error = &error;
    assert_string_equal(route_to_chat(0).name, "slow/small");
}

/* What only follows instructions is told to fill where its own name stands in the list. */
static void chat_model_fills_only_where_it_is_named_itself(void **state)
{
    (void)state;
    static const str by_model[] = {STR_INIT("talk/chat")};
    static const str by_own_name[] = {STR_INIT("talk/llama-3")};
    static const str by_id[] = {STR_INIT("chat")};
    static const str by_endpoint[] = {STR_INIT("talk")};
    put("talk", &plain, ENDPOINT_READY, TIER_LOOPBACK, &chat);
    const str *named[] = {by_model, by_own_name, by_id};
    for (size_t i = 0; i < 3; i++) {
        struct route r = route_for(named[i], 1, "");
        assert_int_equal(r.state, ROUTE_READY);
        assert_true(r.fills_by_chat);
        assert_string_equal(r.name, "talk/chat");
    }
    assert_true(route_for(NULL, 0, "talk/chat").fills_by_chat);
    assert_int_equal(route_for(by_endpoint, 1, "").state, ROUTE_NONE);
    assert_int_equal(route_for(NULL, 0, "").state, ROUTE_NONE);
    chat.abilities = 0; /* an embedding */
    assert_int_equal(route_for(by_model, 1, "").state, ROUTE_NONE);
    chat.abilities = MODEL_CHAT;
    endpoints[0].ops = &single; /* which answers to any name, but wasn't named so */
    static const str other[] = {STR_INIT("talk/other")};
    assert_int_equal(route_for(other, 1, "").state, ROUTE_NONE);
    static const str both[] = {STR_INIT("talk/chat"), STR_INIT("code")};
    put("code", &plain, ENDPOINT_READY, TIER_LOOPBACK, &coder);
    endpoints[0].state = ENDPOINT_DOWN;
    struct route r = route_for(both, 2, "");
    assert_int_equal(r.state, ROUTE_READY);
    assert_false(r.fills_by_chat); /* the next one fills in its own way */
}

/* Elsewhere such talk may cost money with every key: no project's file can order it. */
static void chat_model_elsewhere_fills_only_where_the_user_says_so(void **state)
{
    (void)state;
    static const str named[] = {STR_INIT("cloud/chat")};
    put("cloud", &plain, ENDPOINT_READY, TIER_CLOUD, &chat);
    struct settings s = {
        .models_inline = named, .n_models_inline = 1, .models_inline_is_foreign = true};
    struct route_order order = {.role = ROLE_INLINE, .wish = STR(""), .can_fill = can_fill};
    assert_int_equal(route_find(NULL, &s, &order).state, ROUTE_NONE);
    s.models_inline_is_foreign = false;
    assert_true(route_find(NULL, &s, &order).fills_by_chat);
    order.role = ROLE_INLINE_MANUAL;
    assert_true(route_find(NULL, &s, &order).fills_by_chat);
    struct settings talk = {.models_chat = named, .n_models_chat = 1};
    order.role = ROLE_CHAT;
    assert_false(route_find(NULL, &talk, &order).fills_by_chat);
}

/* One that has to be loaded first is sent for like any other, and said to fill by chat. */
static void unloaded_chat_model_that_is_named_is_wanted(void **state)
{
    (void)state;
    static const str named[] = {STR_INIT("local/chat")};
    chat.is_loaded = false;
    put("local", &loads, ENDPOINT_READY, TIER_LOOPBACK, &chat);
    struct route r = route_for(named, 1, "");
    chat.is_loaded = true;
    assert_int_equal(r.state, ROUTE_LOADING);
    assert_true(r.needs_load && r.fills_by_chat);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(nearest_ready_model_is_taken, clear),
        cmocka_unit_test_setup(named_preference_wins_and_may_be_remote, clear),
        cmocka_unit_test_setup(unnamed_endpoint_isnt_used_when_the_named_one_is_down, clear),
        cmocka_unit_test_setup(loading_is_reported_and_a_later_ready_one_serves, clear),
        cmocka_unit_test_setup(chat_model_cant_fill, clear),
        cmocka_unit_test_setup(tokenizer_that_was_asked_is_the_reason, clear),
        cmocka_unit_test_setup(filling_by_chat_elsewhere_takes_ones_own_file, clear),
        cmocka_unit_test_setup(missing_names_are_named, clear),
        cmocka_unit_test_setup(unloaded_model_is_wanted_and_another_serves_meanwhile, clear),
        cmocka_unit_test_setup(model_that_cant_be_loaded_is_passed_over, clear),
        cmocka_unit_test_setup(best_of_several_is_loaded_or_small, clear),
        cmocka_unit_test_setup(forwarded_model_is_used_only_where_the_user_names_it, clear),
        cmocka_unit_test_setup(other_name_of_a_model_finds_it, clear),
        cmocka_unit_test_setup(server_without_models_says_how_to_get_one, clear),
        cmocka_unit_test_setup(nobody_crosses_a_tier_that_no_list_names, clear),
        cmocka_unit_test_setup(failing_endpoint_is_passed_over_while_another_is_well, clear),
        cmocka_unit_test_setup(who_has_just_failed_is_avoided, clear),
        cmocka_unit_test_setup(chat_model_fills_only_where_it_is_named_itself, clear),
        cmocka_unit_test_setup(chat_model_elsewhere_fills_only_where_the_user_says_so, clear),
        cmocka_unit_test_setup(unloaded_chat_model_that_is_named_is_wanted, clear),
        cmocka_unit_test_setup(talk_goes_to_the_largest_that_people_wait_for, clear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
