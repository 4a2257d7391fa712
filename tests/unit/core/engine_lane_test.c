/* engine_lane_test.c - exchanges that wait for a place, give way, and are not sent at all. */
#include "tests/unit/core/engine_bed.h"

static const struct provider_ops slot_ops = {
    .kind = "slots", .max_stops = SIZE_MAX, .capabilities = PROVIDER_SLOTS};

static void start(struct bed *bed, unsigned n_slots)
{
    bed_start(bed, "x = \n");
    world.model.abilities |= MODEL_CHAT;
    world.endpoints[0].n_slots = n_slots;
}

/* A document whose questions are another person's, as it were. */
static uint64_t open_other(struct bed *bed, const char *path, const char *text)
{
    uint64_t doc;
    assert_int_equal(documents_open(bed->documents, str_from(path), STR("c"), str_from(text), &doc),
                     ERR_OK);
    return doc;
}

static uint64_t ask_in(struct bed *bed, struct heard *h, uint64_t doc, size_t cursor)
{
    uint64_t own = bed->doc;
    bed->doc = doc;
    uint64_t id = ask(bed, h, cursor);
    bed->doc = own;
    return id;
}

struct waiter {
    struct heard heard;
    char waits[128];
};

static void on_wait(str why, void *user)
{
    struct waiter *w = user;
    snprintf(w->waits, sizeof w->waits, STR_FMT, STR_ARG(why));
}

static void on_chat_done(const struct answer *answer, const struct error *error, void *user)
{
    on_done(answer, error, &((struct waiter *)user)->heard);
}

static uint64_t explain(struct bed *bed, struct waiter *w, const char *what)
{
    *w = (struct waiter){.waits = ""};
    struct chat chat = {.prompt = str_from(what), .max_tokens = 100, .kind = "explain"};
    struct question q = {.kind = QUESTION_CHAT, .document = bed->doc, .chat = &chat};
    struct sink sink = {.on_wait = on_wait, .on_done = on_chat_done, .user = w};
    uint64_t id = engine_ask(bed->engine, &q, &sink);
    turn();
    return id;
}

/* The exchange that was started as the n-th, predictor's aside, counted from 1. */
static struct scripted_exchange *model_call(size_t n)
{
    for (size_t i = 0; i < world.n_exchanges; i++) {
        if (!world.exchanges[i].is_scout && --n == 0) {
            return &world.exchanges[i];
        }
    }
    fail_msg("there was no such call");
    return NULL;
}

static void say_to(struct scripted_exchange *x, const char *text)
{
    x->sink.on_text(x->id, str_from(text), x->sink.user);
    turn();
}

static void typing_elsewhere_waits_for_the_only_slot(void **state)
{
    (void)state;
    struct bed bed;
    struct heard first, second;
    start(&bed, 1);
    uint64_t other = open_other(&bed, "/w/b.c", "y = \n");
    ask(&bed, &first, 4);
    ask_in(&bed, &second, other, 4);
    assert_int_equal(n_model_calls(), 1);
    assert_true(engine_status(bed.engine).is_busy);
    pass(120);
    say("one();");
    end(FINISH_STOP);
    assert_string_equal(first.text, "one();");
    assert_int_equal(n_model_calls(), 2);
    assert_string_equal(model()->prompt, "y = |\n"); /* was kept while it waited */
    say("two();");
    end(FINISH_STOP);
    assert_string_equal(second.text, "two();");
    assert_non_null(strstr(second.why, "waited 120 ms for a free slot"));
    assert_int_equal(engine_stats(bed.engine)->n_waited, 1);
    assert_int_equal(engine_lanes(bed.engine).n_waiting + engine_lanes(bed.engine).n_running, 0);
    bed_end(&bed);
}

static void question_that_waits_can_be_taken_back(void **state)
{
    (void)state;
    struct bed bed;
    struct heard first, second;
    start(&bed, 1);
    uint64_t other = open_other(&bed, "/w/b.c", "y = \n");
    ask(&bed, &first, 4);
    uint64_t id = ask_in(&bed, &second, other, 4);
    engine_cancel(bed.engine, id);
    turn();
    assert_int_equal(second.code, ERR_CANCELLED);
    pass(1000); /* the grace */
    assert_int_equal(engine_lanes(bed.engine).n_waiting, 0);
    say("one();");
    end(FINISH_STOP);
    assert_int_equal(n_model_calls(), 1);
    assert_false(engine_status(bed.engine).is_busy);
    bed_end(&bed);
}

static void document_that_is_closed_takes_its_question_along(void **state)
{
    (void)state;
    struct bed bed;
    struct heard first, second;
    start(&bed, 1);
    uint64_t other = open_other(&bed, "/w/b.c", "y = \n");
    ask(&bed, &first, 4);
    ask_in(&bed, &second, other, 4);
    documents_close(bed.documents, other);
    turn();
    assert_int_equal(second.code, ERR_CANCELLED);
    assert_int_equal(engine_lanes(bed.engine).n_waiting, 0);
    bed_end(&bed);
}

static void engine_ends_with_questions_that_wait(void **state)
{
    (void)state;
    struct bed bed;
    struct heard first, second;
    start(&bed, 1);
    uint64_t other = open_other(&bed, "/w/b.c", "y = \n");
    ask(&bed, &first, 4);
    ask_in(&bed, &second, other, 4);
    bed_end(&bed);
    assert_int_equal(second.n_done, 1);
    assert_int_equal(second.code, ERR_CANCELLED);
}

static void action_never_delays_a_keystroke(void **state)
{
    (void)state;
    for (unsigned n_slots = 0; n_slots <= 2; n_slots++) {
        struct bed bed;
        struct waiter one, two;
        struct heard h;
        start(&bed, n_slots);
        explain(&bed, &one, "explain x");
        explain(&bed, &two, "explain y");
        assert_int_equal(n_model_calls(), 1);
        assert_string_equal(one.waits, "");
        assert_string_equal(two.waits, "waits until sim/m is free");
        ask(&bed, &h, 4);
        assert_int_equal(n_model_calls(), 2);
        assert_string_equal(model()->prompt, "x = |\n");
        say_to(model_call(2), "one();\n");
        assert_string_equal(h.text, "one();");
        assert_int_equal(two.heard.n_done, 0);
        bed_end(&bed);
    }
}

static void actions_go_one_after_the_other(void **state)
{
    (void)state;
    struct bed bed;
    struct waiter one, two, three;
    start(&bed, 2);
    explain(&bed, &one, "explain x");
    explain(&bed, &two, "explain y");
    uint64_t id = explain(&bed, &three, "explain z");
    say("It is x.");
    end(FINISH_STOP);
    assert_string_equal(one.heard.text, "It is x.");
    assert_int_equal(n_model_calls(), 2);
    assert_string_equal(model()->prompt, "|explain y");
    engine_cancel(bed.engine, id);
    turn();
    say("It is y.");
    end(FINISH_STOP);
    assert_string_equal(two.heard.text, "It is y.");
    assert_int_equal(n_model_calls(), 2); /* nobody waits for the third */
    assert_int_equal(engine_lanes(bed.engine).n_waiting + engine_lanes(bed.engine).n_running, 0);
    bed_end(&bed);
}

/* A text that goes on before somebody asks, in the bed's document. */
static void go_ahead(struct bed *bed, struct heard *h)
{
    ask(bed, h, 4);
    say("one();\nsecond();\nt");
    type(bed, 4, "one();");
    ask(bed, h, 10);
    assert_string_equal(h->text, "\nsecond();");
    pass(151);
    assert_int_equal(n_model_calls(), 2);
    assert_true(model()->is_open);
}

static void text_continued_ahead_gives_way(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h, other;
    start(&bed, 1);
    uint64_t doc = open_other(&bed, "/w/b.c", "y = \n");
    go_ahead(&bed, &h);
    struct scripted_exchange *ahead = model();
    ask_in(&bed, &other, doc, 4);
    assert_true(ahead->was_cancelled);
    assert_int_equal(n_model_calls(), 3);
    assert_int_equal(engine_lanes(bed.engine).n_stopped, 1);
    say("two();");
    end(FINISH_STOP);
    assert_string_equal(other.text, "two();");
    /* What was there of the text still is. */
    ask(&bed, &h, 10);
    assert_string_equal(h.text, "\nsecond();");
    assert_int_equal(n_model_calls(), 3);
    bed_end(&bed);
}

static void text_continued_ahead_that_somebody_rides_stays(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h, other;
    start(&bed, 1);
    uint64_t doc = open_other(&bed, "/w/b.c", "y = \n");
    go_ahead(&bed, &h);
    struct scripted_exchange *ahead = model();
    type(&bed, 10, "\nsecond();");
    ask(&bed, &h, 20);
    assert_int_equal(h.n_done, 0);
    ask_in(&bed, &other, doc, 4);
    assert_false(ahead->was_cancelled);
    assert_int_equal(n_model_calls(), 2);
    say("\nthird();\nfourth();\nf");
    assert_string_equal(h.text, "\nthird();");
    turn();
    assert_int_equal(n_model_calls(), 3);
    bed_end(&bed);
}

static void what_could_not_come_in_time_is_not_sent(void **state)
{
    (void)state;
    struct bed bed;
    struct heard first, second;
    start(&bed, 1);
    uint64_t other = open_other(&bed, "/w/b.c", "y = \n");
    ask_kind(&bed, &first, QUESTION_INLINE, 4);
    pass(1000);
    say("one(");
    pass(3850); /* so long an answer takes, as far as anybody knows */
    say("1);");
    end(FINISH_STOP);
    assert_string_equal(first.text, "one(1);");
    type(&bed, 4, "f");
    ask(&bed, &first, 5);
    assert_int_equal(n_model_calls(), 2);
    ask_in(&bed, &second, other, 4);
    assert_int_equal(second.n_done, 1); /* silence at once, rather than after 5 s */
    assert_int_equal(second.code, ERR_OK);
    assert_non_null(strstr(second.why, "not sent: sim/m is busy"));
    assert_int_equal(n_model_calls(), 2);
    assert_int_equal(engine_lanes(bed.engine).n_dropped, 1);
    bed_end(&bed);
}

static void slow_model_that_is_idle_is_asked_all_the_same(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    start(&bed, 1);
    ask(&bed, &h, 4);
    pass(4900);
    say("one();");
    end(FINISH_STOP);
    type(&bed, 4, "f");
    ask(&bed, &h, 5);
    assert_int_equal(n_model_calls(), 2);
    bed_end(&bed);
}

/* The bed's engine anew, with these. */
static void use_options(struct bed *bed, struct engine_switches off, bool pins_slots)
{
    struct engine_options options = {.loop = &bed->loop,
                                     .documents = bed->documents,
                                     .upstream = &bed->upstream,
                                     .settings = bed->settings,
                                     .off = off,
                                     .pins_slots = pins_slots};
    engine_destroy(bed->engine);
    bed->engine = engine_create(&options);
}

static void without_the_queue_everything_goes_at_once(void **state)
{
    (void)state;
    struct bed bed;
    struct waiter one, two;
    start(&bed, 1);
    use_options(&bed, (struct engine_switches){.queue = true}, false);
    explain(&bed, &one, "explain x");
    explain(&bed, &two, "explain y");
    assert_int_equal(n_model_calls(), 2);
    bed_end(&bed);
}

static void typing_stays_in_its_slot_where_nobody_else_uses_them(void **state)
{
    (void)state;
    struct bed bed;
    struct waiter w;
    struct heard h;
    start(&bed, 2);
    world.endpoints[0].ops = &slot_ops;
    use_options(&bed, (struct engine_switches){.queue = false}, true);
    ask(&bed, &h, 4);
    int slot = model()->slot;
    assert_in_range(slot, 0, 1);
    say("one();");
    end(FINISH_STOP);
    explain(&bed, &w, "explain x");
    assert_int_equal(model()->slot, 1 - slot);
    type(&bed, 4, "f");
    ask(&bed, &h, 5);
    assert_int_equal(model()->slot, slot);
    bed_end(&bed);
    start(&bed, 2);
    world.endpoints[0].ops = &slot_ops;
    ask(&bed, &h, 4);
    assert_int_equal(model()->slot, -1); /* the server knows better */
    bed_end(&bed);
}

static void places_of_a_server_that_does_not_say_are_learned(void **state)
{
    (void)state;
    struct bed bed;
    struct waiter one, two;
    struct heard h;
    start(&bed, 0);
    explain(&bed, &one, "explain x");
    explain(&bed, &two, "explain y");
    say_to(model_call(1), "It");
    ask(&bed, &h, 4); /* goes out beside it */
    say("one");
    assert_int_equal(n_model_calls(), 2);
    say_to(model_call(1), " is");
    assert_int_equal(n_model_calls(), 3);
    assert_string_equal(model()->prompt, "|explain y");
    assert_int_equal(engine_places(bed.engine, 1), 3);
    bed_end(&bed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(typing_elsewhere_waits_for_the_only_slot),
        cmocka_unit_test(question_that_waits_can_be_taken_back),
        cmocka_unit_test(document_that_is_closed_takes_its_question_along),
        cmocka_unit_test(engine_ends_with_questions_that_wait),
        cmocka_unit_test(action_never_delays_a_keystroke),
        cmocka_unit_test(actions_go_one_after_the_other),
        cmocka_unit_test(text_continued_ahead_gives_way),
        cmocka_unit_test(text_continued_ahead_that_somebody_rides_stays),
        cmocka_unit_test(what_could_not_come_in_time_is_not_sent),
        cmocka_unit_test(slow_model_that_is_idle_is_asked_all_the_same),
        cmocka_unit_test(without_the_queue_everything_goes_at_once),
        cmocka_unit_test(typing_stays_in_its_slot_where_nobody_else_uses_them),
        cmocka_unit_test(places_of_a_server_that_does_not_say_are_learned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
