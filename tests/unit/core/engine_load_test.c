/* engine_load_test.c - models that have to be loaded before they are asked, and the engine. */
#include "tests/unit/core/engine_bed.h"

static enum err encode_load(const struct load_order *l, struct http_request *out, struct error *why)
{
    (void)l;
    (void)out;
    return error_set(why, ERR_REJECTED, "never called: that it is there says enough");
}

static const struct provider_ops loading_ops = {
    .kind = "scripted", .max_stops = SIZE_MAX, .encode_load = encode_load};
static void start_unloaded(struct bed *bed)
{
    bed_start(bed, "x = \n");
    world.endpoints[0].ops = &loading_ops;
    world.model.is_loaded = false;
}

static void model_that_isnt_loaded_is_sent_for_and_waited_for(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    start_unloaded(&bed);
    assert_int_equal(engine_status(bed.engine).mood, MOOD_NORMAL);
    ask(&bed, &h, 4);
    assert_int_equal(world.n_loads, 1);
    assert_int_equal(n_model_calls(), 0); /* a question would load it, and its cancel stop that */
    assert_int_equal(engine_status(bed.engine).mood, MOOD_LOADING);
    ask(&bed, &h, 4);
    assert_int_equal(world.n_loads, 1);
    world.model.is_loaded = true;
    world.model.is_loading = false;
    engine_on_upstream(bed.engine);
    say("42;\n");
    assert_string_equal(h.text, "42;");
    assert_non_null(strstr(h.why, "loading m"));
    bed_end(&bed);
}

static void predictor_answers_while_a_model_is_sent_for(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    start_unloaded(&bed);
    world.prediction = "maybe();";
    world.confidence = 0.75;
    ask(&bed, &h, 4);
    assert_string_equal(h.text, "maybe();");
    assert_int_equal(world.n_loads, 1);
    bed_end(&bed);
}

static void model_that_cant_be_loaded_is_silence_with_the_reason(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    struct error error;
    start_unloaded(&bed);
    (void)error_set(&error, ERR_STATUS, "it needs more memory");
    world.model.load_error = &error;
    ask(&bed, &h, 4);
    assert_int_equal(world.n_loads, 1); /* the upstream knows when it is worth trying again */
    assert_int_equal(h.n_done, 1);
    assert_string_equal(h.text, "");
    assert_non_null(strstr(h.why, "it needs more memory"));
    assert_int_equal(engine_status(bed.engine).mood, MOOD_WARNING);
    assert_non_null(strstr(engine_status(bed.engine).message.ptr, "it needs more memory"));
    assert_true(world.n_refreshes > 0);
    bed_end(&bed);
}

static void doubtful_model_is_asked_once_it_is_confirmed(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    bed_start(&bed, "x = \n");
    world.is_doubtful = true;
    world.prediction = "maybe();";
    world.confidence = 0.75;
    ask(&bed, &h, 4);
    assert_int_equal(h.n_done, 0);
    assert_int_equal(n_model_calls(), 0);
    world.is_doubtful = false;
    engine_on_upstream(bed.engine);
    say("42;\n");
    assert_string_equal(h.text, "42;");
    world.is_doubtful = true;
    ask(&bed, &h, 0);
    pass(300); /* nobody says: the budget is over */
    assert_string_equal(h.text, "maybe();");
    bed_end(&bed);
}

static void model_is_loaded_once_before_anybody_types(void **state)
{
    (void)state;
    struct bed bed;
    start_unloaded(&bed);
    world.endpoints[0].state = ENDPOINT_PROBING;
    engine_on_upstream(bed.engine);
    assert_int_equal(world.n_loads, 0); /* another endpoint may turn out to be ready */
    world.endpoints[0].state = ENDPOINT_READY;
    engine_on_upstream(bed.engine);
    assert_int_equal(world.n_loads, 1);
    world.model.is_loading = false; /* somebody has unloaded it again */
    engine_on_upstream(bed.engine);
    assert_int_equal(world.n_loads, 1);
    bed_end(&bed);
    start_unloaded(&bed);
    bed.settings->residency_preload = false;
    engine_on_upstream(bed.engine);
    assert_int_equal(world.n_loads, 0);
    bed_end(&bed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(model_that_isnt_loaded_is_sent_for_and_waited_for),
        cmocka_unit_test(predictor_answers_while_a_model_is_sent_for),
        cmocka_unit_test(model_that_cant_be_loaded_is_silence_with_the_reason),
        cmocka_unit_test(doubtful_model_is_asked_once_it_is_confirmed),
        cmocka_unit_test(model_is_loaded_once_before_anybody_types),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
