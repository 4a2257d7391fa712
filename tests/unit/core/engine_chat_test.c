/* engine_chat_test.c - what a person asks of a model, and models that fail: the engine's part. */
#define MAX_EXCHANGES 256
#include "tests/unit/core/engine_bed.h"

struct listener {
    struct heard heard;
    char waited[ERROR_MSG_BYTES];
    bool is_cut;
};

static void on_wait_heard(str why, void *user)
{
    struct listener *l = user;
    snprintf(l->waited, sizeof(l->waited), STR_FMT, STR_ARG(why));
}

static void on_text_heard(str text, void *user)
{
    on_text(text, &((struct listener *)user)->heard);
}

static void on_done_heard(const struct answer *answer, const struct error *error, void *user)
{
    struct listener *l = user;
    l->is_cut = answer->is_cut;
    on_done(answer, error, &l->heard);
}

static uint64_t put(struct bed *bed, struct listener *l, const struct chat *chat, bool is_again)
{
    *l = (struct listener){.heard = {.n_done = 0}};
    struct question q = {
        .kind = QUESTION_CHAT, .document = bed->doc, .chat = chat, .is_again = is_again};
    struct sink sink = {
        .on_wait = on_wait_heard, .on_text = on_text_heard, .on_done = on_done_heard, .user = l};
    uint64_t id = engine_ask(bed->engine, &q, &sink);
    assert_int_equal(l->heard.n_done, 0);
    turn();
    return id;
}

static const struct chat explain = {.system = STR_INIT("be brief"),
                                    .prompt = STR_INIT("explain x"),
                                    .max_tokens = 100,
                                    .kind = "explain"};

static void start_chatting(struct bed *bed)
{
    bed_start(bed, "int x;\n");
    world.model.abilities |= MODEL_CHAT;
    world.endpoints[0].n_slots = 4; /* nobody waits for a place */
}

static void text_grows_and_the_whole_of_it_is_the_answer(void **state)
{
    (void)state;
    struct bed bed;
    struct listener l;
    start_chatting(&bed);
    put(&bed, &l, &explain, false);
    assert_string_equal(model()->prompt, "be brief|explain x");
    assert_int_equal(model()->max_tokens, 100);
    say("A num");
    assert_string_equal(l.heard.partial, "A num");
    say("ber.\n\nMore.");
    assert_int_equal(l.heard.n_done, 0); /* no line, no budget: whole */
    end(FINISH_STOP);
    assert_int_equal(l.heard.n_done, 1);
    assert_string_equal(l.heard.text, "A number.\n\nMore.");
    assert_false(l.is_cut);
    bed_end(&bed);
}

static void same_question_is_one_flight_and_then_cached(void **state)
{
    (void)state;
    struct bed bed;
    struct listener a, b, c, d;
    start_chatting(&bed);
    uint64_t first = put(&bed, &a, &explain, false);
    put(&bed, &b, &explain, false);
    assert_int_equal(n_model_calls(), 1);
    engine_cancel(bed.engine, first);
    turn();
    assert_int_equal(a.heard.code, ERR_CANCELLED);
    say("A number.");
    assert_true(model()->is_open); /* the other one rides on */
    end(FINISH_STOP);
    assert_string_equal(b.heard.text, "A number.");
    assert_int_equal(b.heard.boarded, BOARDED_FLYING);
    put(&bed, &c, &explain, false);
    assert_string_equal(c.heard.text, "A number.");
    assert_int_equal(c.heard.boarded, BOARDED_CACHED);
    assert_int_equal(n_model_calls(), 1);
    put(&bed, &d, &explain, true); /* again */
    assert_int_equal(n_model_calls(), 2);
    assert_true(model()->temperature > world.exchanges[0].temperature);
    end(FINISH_STOP);
    bed_end(&bed);
}

static void who_gives_up_on_a_hanging_model_and_asks_again_is_asked_for_anew(void **state)
{
    (void)state;
    struct bed bed;
    struct listener a, b;
    start_chatting(&bed);
    uint64_t first = put(&bed, &a, &explain, false);
    pass(1000);
    engine_cancel(bed.engine, first);
    turn();
    first = put(&bed, &a, &explain, false); /* an editor that asks twice for one pick */
    assert_int_equal(n_model_calls(), 1);
    pass(3000);
    put(&bed, &b, &explain, false);
    engine_cancel(bed.engine, first);
    turn();
    assert_true(model()->is_open); /* somebody else waits still */
    say("A number.");
    end(FINISH_STOP);
    assert_string_equal(b.heard.text, "A number.");
    struct chat other = explain;
    other.prompt = STR("explain y");
    first = put(&bed, &a, &other, false);
    pass(3000);
    engine_cancel(bed.engine, first);
    turn();
    assert_true(model()->was_cancelled);
    put(&bed, &a, &other, false);
    assert_int_equal(n_model_calls(), 3);
    bed_end(&bed);
}

static void other_words_are_another_flight(void **state)
{
    (void)state;
    struct bed bed;
    struct listener a, b;
    start_chatting(&bed);
    struct chat other = explain;
    other.prompt = STR("explain y");
    put(&bed, &a, &explain, false);
    put(&bed, &b, &other, false);
    assert_int_equal(n_model_calls(), 2);
    engine_destroy(bed.engine);
    bed.engine = NULL;
    assert_int_equal(a.heard.code, ERR_CANCELLED);
    assert_int_equal(b.heard.code, ERR_CANCELLED);
    turn();
    documents_destroy(bed.documents);
    settings_unref(bed.settings);
}

static void edits_end_no_chat_and_closing_does(void **state)
{
    (void)state;
    struct bed bed;
    struct listener l;
    start_chatting(&bed);
    put(&bed, &l, &explain, false);
    type(&bed, 0, "y");
    assert_int_equal(l.heard.n_done, 0);
    documents_close(bed.documents, bed.doc);
    turn();
    assert_int_equal(l.heard.code, ERR_CANCELLED);
    pass(1000);
    assert_true(model()->was_cancelled);
    bed_end(&bed);
}

static void answer_that_broke_off_is_told_and_not_kept(void **state)
{
    (void)state;
    static const enum finish_reason reasons[] = {FINISH_LENGTH, FINISH_NONE};
    for (size_t i = 0; i < 2; i++) {
        struct bed bed;
        struct listener l;
        start_chatting(&bed);
        put(&bed, &l, &explain, false);
        say("half");
        end(reasons[i]);
        assert_true(l.is_cut);
        assert_int_equal(l.heard.code, ERR_OK);
        put(&bed, &l, &explain, false);
        assert_int_equal(n_model_calls(), 2);
        end(FINISH_STOP);
        bed_end(&bed);
    }
}

static void recall_gives_what_is_known_by_its_identity_and_asks_nobody(void **state)
{
    (void)state;
    struct bed bed;
    struct listener l;
    start_chatting(&bed);
    struct chat asked = explain;
    asked.identity = STR("x = int");
    struct chat recall = asked;
    recall.is_recall = true;
    recall.prompt = STR("");
    put(&bed, &l, &recall, false);
    assert_int_equal(l.heard.n_done, 1);
    assert_string_equal(l.heard.text, "");
    put(&bed, &l, &asked, false);
    struct listener early;
    put(&bed, &early, &recall, false); /* flying isn't known yet */
    assert_string_equal(early.heard.text, "");
    say("A number.");
    end(FINISH_STOP);
    put(&bed, &l, &recall, false);
    assert_string_equal(l.heard.text, "A number.");
    assert_int_equal(n_model_calls(), 1);
    bed_end(&bed);
}

static void failures_are_told_in_words(void **state)
{
    (void)state;
    struct bed bed;
    struct listener l;
    start_chatting(&bed);
    put(&bed, &l, &explain, false);
    break_off(ERR_STATUS, "out of memory");
    assert_int_equal(l.heard.code, ERR_STATUS);
    world.model.abilities = MODEL_INFILL;
    put(&bed, &l, &explain, true);
    assert_int_equal(l.heard.code, ERR_NOT_FOUND);
    assert_non_null(strstr(l.heard.why, "models.chat"));
    bed_end(&bed);
}

static enum err encode_load(const struct load_order *o, struct http_request *out, struct error *why)
{
    (void)o;
    (void)out;
    return error_set(why, ERR_REJECTED, "never called: that it is there says enough");
}

static void model_is_sent_for_and_who_waits_hears_of_it(void **state)
{
    (void)state;
    static const struct provider_ops loading = {
        .kind = "scripted", .max_stops = SIZE_MAX, .encode_load = encode_load};
    struct bed bed;
    struct listener l;
    start_chatting(&bed);
    world.endpoints[0].ops = &loading;
    world.model.is_loaded = false;
    put(&bed, &l, &explain, false);
    assert_non_null(strstr(l.waited, "loading m"));
    assert_int_equal(n_model_calls(), 0);
    pass(60000);
    assert_int_equal(l.heard.n_done, 0); /* patient */
    world.model.is_loaded = true;
    world.model.is_loading = false;
    engine_on_upstream(bed.engine);
    say("A number.");
    end(FINISH_STOP);
    assert_string_equal(l.heard.text, "A number.");
    bed_end(&bed);
}

static void secret_to_rewrite_goes_to_no_other_machine(void **state)
{
    (void)state;
    struct bed bed;
    struct listener l;
    start_chatting(&bed);
    world.endpoints[0].tier = TIER_CLOUD;
    struct chat edit = explain;
    edit.prompt = STR("tidy: key = \"AKIAIOSFODNN7EXAMPLE\"");
    edit.rewrites = STR("key = \"AKIAIOSFODNN7EXAMPLE\"");
    put(&bed, &l, &edit, false);
    assert_int_equal(l.heard.code, ERR_REJECTED);
    assert_int_equal(n_model_calls(), 0);
    edit.rewrites = STR("");
    put(&bed, &l, &edit, false);
    assert_null(strstr(model()->prompt, "AKIA")); /* blanked */
    world.endpoints[0].tier = TIER_LOOPBACK;
    edit.rewrites = STR("key = \"AKIAIOSFODNN7EXAMPLE\"");
    put(&bed, &l, &edit, true); /* afresh: the blanked one is no answer to this */
    assert_non_null(strstr(model()->prompt, "AKIA")); /* nobody else sees it here */
    bed_end(&bed);
}

/* -- failing over -- */

static void add_spare(void)
{
    world.has_spare = true;
    world.endpoints[2] = world.endpoints[0];
    world.endpoints[2].idx = 2;
    world.endpoints[2].id = 3;
    world.endpoints[2].name = STR("spare");
}

static void who_fails_is_replaced_before_any_text(void **state)
{
    (void)state;
    struct bed bed;
    struct listener l;
    struct heard h;
    start_chatting(&bed);
    add_spare();
    put(&bed, &l, &explain, false);
    assert_int_equal(model()->endpoint, 1);
    break_off(ERR_CONNECT, "nobody is there");
    assert_int_equal(l.heard.n_done, 0);
    assert_int_equal(model()->endpoint, 3);
    say("A number.");
    end(FINISH_STOP);
    assert_string_equal(l.heard.text, "A number.");
    assert_non_null(strstr(l.heard.why, "asking spare/m instead"));
    ask(&bed, &h, 6);
    break_off(ERR_TIMEOUT, "no text");
    assert_int_equal(model()->endpoint, 3);
    say(" /* number */\n");
    assert_string_equal(h.text, " /* number */");
    assert_int_equal(engine_stats(bed.engine)->n_failed_over, 2);
    bed_end(&bed);
}

/* Where everybody fails a tenth is added to what is sent, once what was saved up is gone. */
static void failing_over_adds_a_tenth_at_most(void **state)
{
    (void)state;
    enum { N_ASKED = 120, SAVED = 10 };
    struct bed bed;
    struct listener l;
    uint64_t n_before = 0;
    start_chatting(&bed);
    add_spare();
    for (unsigned i = 0; i < N_ASKED; i++) {
        put(&bed, &l, &explain, true);
        break_off(ERR_CONNECT, "nobody is there");
        if (l.heard.n_done == 0) {
            break_off(ERR_CONNECT, "nobody is there either");
        }
        assert_int_equal(l.heard.n_done, 1);
        uint64_t n = engine_stats(bed.engine)->n_failed_over;
        assert_true(n == i + 1 || i + 1 >= SAVED); /* the first aren't refused */
        assert_true(n - n_before <= 1);
        n_before = n;
    }
    assert_in_range(n_before, SAVED + N_ASKED / 10,
                    (10 * SAVED + N_ASKED) / 9); /* they earn, too */
    bed_end(&bed);
}

static void second_failure_and_one_after_text_are_told(void **state)
{
    (void)state;
    struct bed bed;
    struct listener l;
    start_chatting(&bed);
    add_spare();
    put(&bed, &l, &explain, false);
    break_off(ERR_CONNECT, "nobody is there");
    break_off(ERR_CONNECT, "nobody is here either");
    assert_int_equal(l.heard.code, ERR_CONNECT);
    assert_int_equal(n_model_calls(), 2);
    put(&bed, &l, &explain, true);
    say("A num");
    break_off(ERR_CONNECT, "cut");
    assert_int_equal(l.heard.code, ERR_CONNECT);
    assert_int_equal(n_model_calls(), 3);
    bed_end(&bed);
}

static void all_riders_of_a_failed_flight_share_the_next(void **state)
{
    (void)state;
    struct bed bed;
    struct listener a, b;
    start_chatting(&bed);
    add_spare();
    put(&bed, &a, &explain, false);
    put(&bed, &b, &explain, false);
    break_off(ERR_CONNECT, "nobody is there");
    assert_int_equal(n_model_calls(), 2);
    say("A number.");
    end(FINISH_STOP);
    assert_string_equal(a.heard.text, "A number.");
    assert_string_equal(b.heard.text, "A number.");
    bed_end(&bed);
}

static void farther_tier_is_never_the_replacement(void **state)
{
    (void)state;
    struct bed bed;
    struct listener l;
    start_chatting(&bed);
    add_spare();
    world.endpoints[2].tier = TIER_CLOUD;
    put(&bed, &l, &explain, false);
    break_off(ERR_CONNECT, "nobody is there");
    assert_int_equal(l.heard.code, ERR_CONNECT);
    assert_int_equal(n_model_calls(), 1);
    bed_end(&bed);
}

static void endpoint_that_keeps_failing_is_passed_over(void **state)
{
    (void)state;
    struct bed bed;
    struct listener l;
    start_chatting(&bed);
    add_spare();
    world.failing = 1;
    put(&bed, &l, &explain, false);
    assert_int_equal(model()->endpoint, 3);
    end(FINISH_STOP);
    world.has_spare = false;
    struct heard h;
    size_t n = n_model_calls();
    ask(&bed, &h, 6);
    assert_int_equal(n_model_calls(), n);
    assert_non_null(strstr(h.why, "left alone"));
    put(&bed, &l, &explain, true); /* a person's question is the trial */
    assert_int_equal(model()->endpoint, 1);
    bed_end(&bed);
}

static void everybody_aboard_hears_of_a_failure_and_of_an_answer(void **state)
{
    (void)state;
    struct bed bed;
    static struct listener many[200];
    start_chatting(&bed);
    for (unsigned round = 0; round < 2; round++) {
        put(&bed, &many[0], &explain, true);
        for (size_t i = 1; i < 200; i++) {
            put(&bed, &many[i], &explain, false);
        }
        if (round == 0) {
            break_off(ERR_CONNECT, "nobody is there");
        } else {
            say("A number.");
            end(FINISH_STOP);
        }
        for (size_t i = 0; i < 200; i++) {
            assert_int_equal(many[i].heard.n_done, 1);
            assert_int_equal(many[i].heard.code, round == 0 ? ERR_CONNECT : ERR_OK);
        }
    }
    assert_int_equal(n_model_calls(), 2);
    bed_end(&bed);
}

static void persons_question_waits_until_a_failing_server_may_be_tried(void **state)
{
    (void)state;
    struct bed bed;
    struct listener l;
    start_chatting(&bed);
    put(&bed, &l, &explain, false);
    world.trial_us = world.now_us + SEC_TO_US(2);
    break_off(ERR_REJECTED, "it keeps failing");
    assert_int_equal(l.heard.n_done, 0);
    assert_string_equal(l.waited, "it keeps failing");
    pass(1900);
    assert_int_equal(n_model_calls(), 1);
    pass(200);
    assert_int_equal(n_model_calls(), 2);
    say("A number.");
    end(FINISH_STOP);
    assert_string_equal(l.heard.text, "A number.");
    /* Not for ever, and not where time changes nothing. */
    put(&bed, &l, &explain, true);
    world.trial_us = CLOCK_NEVER;
    break_off(ERR_REJECTED, "the key was refused");
    assert_int_equal(l.heard.code, ERR_REJECTED);
    put(&bed, &l, &explain, true);
    for (unsigned i = 0; l.heard.n_done == 0; i++) {
        assert_true(i < 40);
        world.trial_us = world.now_us + SEC_TO_US(1);
        break_off(ERR_REJECTED, "it keeps failing");
        pass(1001);
    }
    assert_int_equal(l.heard.code, ERR_REJECTED);
    put(&bed, &l, &explain, true);
    break_off(ERR_CONNECT, "nobody is there"); /* who was asked in vain isn't asked again */
    assert_int_equal(l.heard.code, ERR_CONNECT);
    bed_end(&bed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_grows_and_the_whole_of_it_is_the_answer),
        cmocka_unit_test(same_question_is_one_flight_and_then_cached),
        cmocka_unit_test(who_gives_up_on_a_hanging_model_and_asks_again_is_asked_for_anew),
        cmocka_unit_test(other_words_are_another_flight),
        cmocka_unit_test(edits_end_no_chat_and_closing_does),
        cmocka_unit_test(answer_that_broke_off_is_told_and_not_kept),
        cmocka_unit_test(recall_gives_what_is_known_by_its_identity_and_asks_nobody),
        cmocka_unit_test(failures_are_told_in_words),
        cmocka_unit_test(model_is_sent_for_and_who_waits_hears_of_it),
        cmocka_unit_test(secret_to_rewrite_goes_to_no_other_machine),
        cmocka_unit_test(who_fails_is_replaced_before_any_text),
        cmocka_unit_test(failing_over_adds_a_tenth_at_most),
        cmocka_unit_test(second_failure_and_one_after_text_are_told),
        cmocka_unit_test(all_riders_of_a_failed_flight_share_the_next),
        cmocka_unit_test(farther_tier_is_never_the_replacement),
        cmocka_unit_test(endpoint_that_keeps_failing_is_passed_over),
        cmocka_unit_test(everybody_aboard_hears_of_a_failure_and_of_an_answer),
        cmocka_unit_test(persons_question_waits_until_a_failing_server_may_be_tried),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
