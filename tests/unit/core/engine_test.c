/* engine_test.c - the policy between features, flights and models, on a virtual clock. */
#include "tests/unit/core/engine_bed.h"

static void line_answers_as_soon_as_it_is_complete(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    bed_start(&bed, "int x = \n");
    ask(&bed, &h, 8);
    assert_string_equal(model()->prompt, "int x = |\n");
    say("compute(");
    assert_int_equal(h.n_done, 0);
    assert_string_equal(h.partial, "compute(");
    say("a);\nint");
    assert_int_equal(h.n_done, 1);
    assert_string_equal(h.text, "compute(a);");
    assert_int_equal(h.source, ANSWER_MODEL);
    bed_end(&bed);
    assert_int_equal(h.n_done, 1);
}

static void block_is_waited_for_until_the_budget(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    bed_start(&bed, "int f(void) {\n");
    ask(&bed, &h, 13);
    say("\n    a();\n");
    pass(100);
    assert_int_equal(h.n_done, 0);
    pass(200); /* the budget is 250 ms */
    assert_int_equal(h.n_done, 1);
    assert_string_equal(h.text, "\n    a();");
    bed_end(&bed);
}

static void no_text_keeps_the_request_open_until_its_limit(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    bed_start(&bed, "x = \n");
    ask(&bed, &h, 4);
    pass(4000);
    assert_int_equal(h.n_done, 0);
    say("1\n");
    assert_int_equal(h.n_done, 1);
    assert_string_equal(h.text, "1");
    ask(&bed, &h, 0);
    pass(5100);
    assert_int_equal(h.n_done, 1);
    assert_string_equal(h.text, "");
    assert_non_null(strstr(h.why, "5 s"));
    bed_end(&bed);
}

static void typing_through_asks_the_model_once(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    bed_start(&bed, "x = \n");
    ask(&bed, &h, 4);
    say("alpha + beta;");
    end(FINISH_STOP);
    assert_string_equal(h.text, "alpha + beta;");
    const char *typed = "alpha + be";
    for (size_t i = 0; typed[i] != '\0'; i++) {
        char one[2] = {typed[i], '\0'};
        type(&bed, 4 + i, one);
        ask(&bed, &h, 5 + i);
        assert_int_equal(h.n_done, 1);
        assert_string_equal(h.text, &"alpha + beta;"[i + 1]);
        assert_int_equal(h.boarded, BOARDED_LANDED);
    }
    assert_int_equal(n_model_calls(), 1);
    bed_end(&bed);
}

static void edit_cancels_and_the_next_request_rides(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h, later;
    bed_start(&bed, "x = \n");
    ask(&bed, &h, 4);
    type(&bed, 4, "a");
    assert_int_equal(h.n_done, 1);
    assert_int_equal(h.code, ERR_CANCELLED);
    assert_true(model()->is_open);
    ask(&bed, &later, 5);
    assert_int_equal(later.n_done, 0);
    say("alpha;\n");
    assert_int_equal(later.n_done, 1);
    assert_string_equal(later.text, "lpha;");
    assert_int_equal(later.boarded, BOARDED_FLYING);
    assert_int_equal(n_model_calls(), 1);
    bed_end(&bed);
}

static void disagreeing_rider_gets_a_flight_of_its_own(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    bed_start(&bed, "x = \n");
    ask(&bed, &h, 4);
    type(&bed, 4, "z");
    ask(&bed, &h, 5);
    say("alpha"); /* not what was typed */
    assert_int_equal(n_model_calls(), 2);
    assert_true(world.exchanges[0].is_scout || world.exchanges[0].was_cancelled);
    assert_string_equal(model()->prompt, "x = z|\n");
    say("eta;\n");
    assert_string_equal(h.text, "eta;");
    bed_end(&bed);
}

static void newer_request_supersedes_the_older(void **state)
{
    (void)state;
    struct bed bed;
    struct heard older, newer;
    bed_start(&bed, "x = \n");
    ask(&bed, &older, 4);
    ask(&bed, &newer, 4);
    assert_int_equal(older.n_done, 1);
    assert_int_equal(older.code, ERR_CANCELLED);
    say("1;\n");
    assert_int_equal(newer.n_done, 1);
    assert_string_equal(newer.text, "1;");
    assert_int_equal(n_model_calls(), 1);
    bed_end(&bed);
}

static void cancelled_request_is_answered_and_its_flight_ends_after_the_grace(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    bed_start(&bed, "x = \n");
    uint64_t id = ask(&bed, &h, 4);
    engine_cancel(bed.engine, id);
    assert_int_equal(h.n_done, 0);
    turn();
    assert_int_equal(h.n_done, 1);
    assert_int_equal(h.code, ERR_CANCELLED);
    assert_true(model()->is_open);
    pass(300);
    assert_false(model()->is_open);
    assert_true(model()->was_cancelled);
    bed_end(&bed);
}

static void popup_budget_is_hard(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    bed_start(&bed, "x = \n");
    ask_kind(&bed, &h, QUESTION_COMPLETION, 4);
    pass(251);
    assert_int_equal(h.n_done, 1);
    assert_string_equal(h.text, "");
    bed_end(&bed);
}

static void popup_and_ghost_text_share_a_flight(void **state)
{
    (void)state;
    struct bed bed;
    struct heard ghost, popup;
    bed_start(&bed, "x = \n");
    ask(&bed, &ghost, 4);
    ask_kind(&bed, &popup, QUESTION_COMPLETION, 4);
    assert_int_equal(ghost.n_done, 0);
    say("42;\n");
    assert_string_equal(ghost.text, "42;");
    assert_string_equal(popup.text, "42;");
    assert_int_equal(n_model_calls(), 1);
    bed_end(&bed);
}

static void sure_predictor_answers_without_a_model(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    bed_start(&bed, "x = \n");
    world.prediction = "seen_before();";
    world.confidence = 0.95;
    ask(&bed, &h, 4);
    assert_int_equal(h.n_done, 1);
    assert_string_equal(h.text, "seen_before();");
    assert_int_equal(h.source, ANSWER_PREDICTOR);
    assert_int_equal(n_model_calls(), 0);
    type(&bed, 4, "seen");
    world.prediction = NULL;
    ask(&bed, &h, 8);
    assert_string_equal(h.text, "_before();");
    assert_int_equal(n_model_calls(), 0);
    bed_end(&bed);
}

static void fair_predictor_leaves_the_reply_to_the_model(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    bed_start(&bed, "x = \n");
    world.prediction = "maybe();";
    world.confidence = 0.75;
    ask(&bed, &h, 4);
    assert_int_equal(h.n_done, 0);
    say("certain();\n");
    assert_string_equal(h.text, "certain();");
    bed_end(&bed);
}

static void predictor_serves_while_the_model_loads(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    bed_start(&bed, "x = \n");
    world.endpoints[0].state = ENDPOINT_LOADING;
    world.endpoints[0].loading = 0.43;
    world.prediction = "maybe();";
    world.confidence = 0.75;
    ask(&bed, &h, 4);
    assert_int_equal(h.n_done, 1);
    assert_string_equal(h.text, "maybe();");
    assert_int_equal(engine_status(bed.engine).mood, MOOD_LOADING);
    world.prediction = NULL;
    ask(&bed, &h, 0);
    assert_int_equal(h.n_done, 0); /* it may still come */
    pass(5100);
    assert_string_equal(h.text, "");
    assert_non_null(strstr(h.why, "loading"));
    bed_end(&bed);
}

static void model_that_becomes_ready_serves_who_waited(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    bed_start(&bed, "x = \n");
    world.endpoints[0].state = ENDPOINT_LOADING;
    ask(&bed, &h, 4);
    assert_int_equal(h.n_done, 0);
    world.endpoints[0].state = ENDPOINT_READY;
    engine_on_upstream(bed.engine);
    say("42;\n");
    assert_string_equal(h.text, "42;");
    bed_end(&bed);
}

static void first_look_at_the_endpoints_is_waited_for(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    bed_start(&bed, "x = \n");
    world.endpoints[0].state = ENDPOINT_PROBING;
    world.prediction = "maybe();";
    world.confidence = 0.75;
    ask(&bed, &h, 4);
    assert_int_equal(h.n_done, 0);
    world.endpoints[0].state = ENDPOINT_DOWN;
    engine_on_upstream(bed.engine);
    turn();
    assert_string_equal(h.text, "maybe();");
    world.endpoints[0].state = ENDPOINT_PROBING;
    ask(&bed, &h, 0);
    pass(300); /* the budget is over */
    assert_string_equal(h.text, "maybe();");
    bed_end(&bed);
}

static void failure_is_silence_with_a_reason_or_the_predictors_word(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    bed_start(&bed, "x = \n");
    ask(&bed, &h, 4);
    break_off(ERR_CONNECT, "nothing listens there");
    assert_int_equal(h.n_done, 1);
    assert_int_equal(h.code, ERR_OK);
    assert_string_equal(h.text, "");
    assert_non_null(strstr(h.why, "nothing listens there"));
    world.prediction = "maybe();";
    world.confidence = 0.75;
    ask(&bed, &h, 4);
    break_off(ERR_PROTOCOL, "cut");
    assert_string_equal(h.text, "maybe();");
    assert_int_equal(h.n_done, 1);
    bed_end(&bed);
}

static void same_window_is_served_from_the_cache(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    bed_start(&bed, "x = \n");
    ask(&bed, &h, 4);
    say("1;");
    end(FINISH_STOP);
    documents_close(bed.documents, bed.doc);
    assert_int_equal(
        documents_open(bed.documents, STR("/w/b.c"), STR("c"), STR("x = \n"), &bed.doc), ERR_OK);
    ask(&bed, &h, 4);
    assert_string_equal(h.text, "1;");
    assert_int_equal(h.boarded, BOARDED_CACHED);
    assert_int_equal(n_model_calls(), 1);
    bed_end(&bed);
}

static void broken_off_text_answers_but_isnt_cached(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    bed_start(&bed, "x = \n");
    ask(&bed, &h, 4);
    say("half a li");
    end(FINISH_NONE);
    assert_int_equal(h.n_done, 1);
    ask(&bed, &h, 4);
    assert_int_equal(n_model_calls(), 2);
    bed_end(&bed);
}

static void explicit_request_doesnt_take_an_old_no_for_an_answer(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    bed_start(&bed, "x = \n");
    ask(&bed, &h, 4);
    end(FINISH_STOP);
    assert_string_equal(h.text, "");
    ask(&bed, &h, 4); /* typing takes it */
    assert_int_equal(n_model_calls(), 1);
    struct question q = {
        .kind = QUESTION_INLINE, .document = bed.doc, .cursor = 4, .is_explicit = true};
    struct sink sink = {.on_text = on_text, .on_done = on_done, .user = &h};
    (void)engine_ask(bed.engine, &q, &sink);
    turn();
    assert_int_equal(n_model_calls(), 2);
    say("1;\n");
    assert_string_equal(h.text, "1;");
    bed_end(&bed);
}

static void excluded_and_huge_documents_are_never_sent(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    bed_start(&bed, "KEY=\n");
    documents_find(bed.documents, bed.doc)->is_excluded = true;
    ask(&bed, &h, 4);
    assert_int_equal(h.n_done, 1);
    assert_non_null(strstr(h.why, "excluded"));
    assert_int_equal(world.n_exchanges, 0);
    bed_end(&bed);
}

static struct settings *settings_of(const char *json)
{
    struct arena arena = {0};
    struct json v;
    struct settings_builder *b = settings_builder_create();
    assert_int_equal(json_parse(str_from(json), &arena, &v, NULL), ERR_OK);
    settings_builder_put(b, SETTINGS_USER_FILE, v);
    struct settings *s = settings_builder_snapshot(b);
    settings_builder_destroy(b);
    arena_release(&arena);
    return s;
}

static void secrets_are_blanked_for_other_machines_alone(void **state)
{
    (void)state;
#define SECRET                                                                                     \
    "gh"                                                                                           \
    "p_aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0eF3hJ6"
    static const char sent[] = "a = '" SECRET "';\nx = |\nb = '" SECRET "';\n";
    static const char blanked[] = "a = 'REDACTED';\nx = |\nb = 'REDACTED';\n";
    static const struct {
        enum tier tier;
        bool is_remote; /* the model, behind a server on loopback */
        const char *settings, *prompt;
    } rows[] = {
        {TIER_LOOPBACK, false, "{}", sent},
        {TIER_LAN, false, "{}", blanked},
        {TIER_CLOUD, false, "{}", blanked},
        {TIER_LOOPBACK, true, "{\"models\": {\"inline\": [\"sim/m\"]}}", blanked},
        {TIER_CLOUD, false, "{\"privacy\": {\"redactSecrets\": false}}", sent},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct bed bed;
        struct heard h;
        bed_start(&bed, "a = '" SECRET "';\nx = \nb = '" SECRET "';\n");
        world.endpoints[0].tier = rows[i].tier;
        world.model.is_remote = rows[i].is_remote;
        struct settings *s = settings_of(rows[i].settings);
        engine_configure(bed.engine, s);
        ask(&bed, &h, strlen("a = '" SECRET "';\nx = "));
        assert_string_equal(model()->prompt, rows[i].prompt);
        settings_unref(s);
        bed_end(&bed);
    }
}

static void middle_of_a_word_is_suppressed(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    bed_start(&bed, "counter\n");
    ask(&bed, &h, 3);
    assert_int_equal(h.n_done, 1);
    assert_non_null(strstr(h.why, "middle of a word"));
    assert_int_equal(world.n_exchanges, 0);
    bed_end(&bed);
}

static void closers_that_stand_are_not_repeated(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    bed_start(&bed, "x = f;\n");
    ask(&bed, &h, 5);
    say("(a, b)");
    type(&bed, 5, "()");
    ask(&bed, &h, 6);
    end(FINISH_STOP);
    assert_string_equal(h.text, "a, b");
    assert_int_equal(h.n_replace, 0);
    bed_end(&bed);
}

static void line_ends_are_sent_as_models_know_them(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    bed_start(&bed, "int a;\r\nx = \r\ny\r");
    ask(&bed, &h, 12);
    assert_string_equal(model()->prompt, "int a;\nx = |\ny\n");
    say("1;\nz");
    assert_string_equal(h.text, "1;");
    bed_end(&bed);
}

static void destroying_ends_open_questions(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    bed_start(&bed, "x = \n");
    ask(&bed, &h, 4);
    bed_end(&bed);
    assert_int_equal(h.n_done, 1);
    assert_int_equal(h.code, ERR_CANCELLED);
}

static void stats_and_trace_tell_what_happened(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    bed_start(&bed, "x = \n");
    ask(&bed, &h, 4);
    say("1;\n");
    const struct engine_stats *s = engine_stats(bed.engine);
    assert_int_equal(s->n_questions, 1);
    assert_int_equal(s->n_shown, 1);
    assert_int_equal(s->n_from_model, 1);
    struct trace *t = engine_trace(bed.engine);
    const struct trace_entry *e = trace_find(t, t->n);
    assert_string_equal(e->outcome, "shown");
    assert_string_equal(e->file, "a.c");
    assert_non_null(strstr(e->why, "sim/m"));
    bed_end(&bed);
}

static void typing_opens_a_connection_to_another_machine(void **state)
{
    (void)state;
    struct bed bed;
    bed_start(&bed, "int x;\n");
    type(&bed, 6, " ");
    assert_int_equal(world.n_warmed, 0); /* who would answer is on this machine */
    world.endpoints[0].tier = TIER_LAN;
    type(&bed, 6, " ");
    assert_int_equal(world.n_warmed, 1);
    documents_find(bed.documents, bed.doc)->is_excluded = true;
    type(&bed, 6, " ");
    assert_int_equal(world.n_warmed, 1); /* nothing of it will be sent */
    bed_end(&bed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(line_answers_as_soon_as_it_is_complete),
        cmocka_unit_test(block_is_waited_for_until_the_budget),
        cmocka_unit_test(no_text_keeps_the_request_open_until_its_limit),
        cmocka_unit_test(typing_through_asks_the_model_once),
        cmocka_unit_test(edit_cancels_and_the_next_request_rides),
        cmocka_unit_test(disagreeing_rider_gets_a_flight_of_its_own),
        cmocka_unit_test(newer_request_supersedes_the_older),
        cmocka_unit_test(cancelled_request_is_answered_and_its_flight_ends_after_the_grace),
        cmocka_unit_test(popup_budget_is_hard),
        cmocka_unit_test(popup_and_ghost_text_share_a_flight),
        cmocka_unit_test(sure_predictor_answers_without_a_model),
        cmocka_unit_test(fair_predictor_leaves_the_reply_to_the_model),
        cmocka_unit_test(predictor_serves_while_the_model_loads),
        cmocka_unit_test(model_that_becomes_ready_serves_who_waited),
        cmocka_unit_test(first_look_at_the_endpoints_is_waited_for),
        cmocka_unit_test(failure_is_silence_with_a_reason_or_the_predictors_word),
        cmocka_unit_test(same_window_is_served_from_the_cache),
        cmocka_unit_test(broken_off_text_answers_but_isnt_cached),
        cmocka_unit_test(explicit_request_doesnt_take_an_old_no_for_an_answer),
        cmocka_unit_test(excluded_and_huge_documents_are_never_sent),
        cmocka_unit_test(secrets_are_blanked_for_other_machines_alone),
        cmocka_unit_test(middle_of_a_word_is_suppressed),
        cmocka_unit_test(closers_that_stand_are_not_repeated),
        cmocka_unit_test(line_ends_are_sent_as_models_know_them),
        cmocka_unit_test(destroying_ends_open_questions),
        cmocka_unit_test(stats_and_trace_tell_what_happened),
        cmocka_unit_test(typing_opens_a_connection_to_another_machine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
