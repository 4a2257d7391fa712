/* engine_several_test.c - several texts to choose from, where a suggestion is asked for once more.
 */
#include "tests/unit/core/engine_bed.h"

static void ask_as(struct bed *bed, struct heard *h, size_t cursor, bool is_again, bool is_more)
{
    *h = (struct heard){.n_done = 0};
    struct question q = {.kind = QUESTION_INLINE,
                         .document = bed->doc,
                         .cursor = cursor,
                         .selected_start = cursor,
                         .is_explicit = true,
                         .is_again = is_again,
                         .is_more = is_more};
    struct sink sink = {.on_text = on_text, .on_done = on_done, .user = h};
    (void)engine_ask(bed->engine, &q, &sink);
    turn();
}

static void say_other(unsigned idx, const char *text)
{
    struct scripted_exchange *x = model();
    assert_true(x->is_open);
    x->sink.on_other(x->id, idx, str_from(text), x->sink.user);
}

static void end_one(unsigned idx, enum finish_reason reason)
{
    struct scripted_exchange *x = model();
    x->sink.on_text_end(x->id, idx, reason, x->sink.user);
    turn();
}

static void start(struct bed *bed)
{
    bed_start(bed, "int x = ;\n");
    world.n_texts = 4;
}

static void again_gives_several(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    start(&bed);
    ask_as(&bed, &h, 8, true, false);
    assert_int_equal(model()->n_texts, 3); /* inline.candidates */
    assert_true(model()->temperature > 0.3);
    say("1");
    say_other(1, "2");
    say_other(2, "1");
    end_one(0, FINISH_STOP);
    end_one(1, FINISH_STOP);
    assert_int_equal(h.n_done, 0);
    end_one(2, FINISH_STOP);
    end(FINISH_STOP);
    assert_int_equal(h.n_done, 1);
    assert_string_equal(h.text, "1");
    assert_string_equal(h.others, "|2"); /* what is the same is said once */
    assert_int_equal(engine_stats(bed.engine)->n_choices, 1);
    assert_int_equal(engine_stats(bed.engine)->n_others, 1);
    bed_end(&bed);
}

static void what_is_shown_stays_first(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    start(&bed);
    ask(&bed, &h, 8);
    assert_int_equal(model()->n_texts, 1); /* typing wants one */
    say("1");
    end(FINISH_STOP);
    assert_string_equal(h.text, "1");
    ask_as(&bed, &h, 8, false, true);
    assert_int_equal(h.n_done, 0);
    assert_int_equal(n_model_calls(), 2);
    say("2");
    say_other(1, "3");
    say_other(2, "1");
    end(FINISH_STOP); /* of an answer that says nothing of each */
    assert_int_equal(h.n_done, 1);
    assert_string_equal(h.text, "1");
    assert_string_equal(h.others, "|2");
    bed_end(&bed);
}

static void what_is_shown_survives_a_failure(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    start(&bed);
    ask(&bed, &h, 8);
    say("1");
    end(FINISH_STOP);
    ask_as(&bed, &h, 8, false, true);
    break_off(ERR_STATUS, "out of memory");
    assert_int_equal(h.n_done, 1);
    assert_int_equal(h.code, ERR_OK);
    assert_string_equal(h.text, "1");
    assert_string_equal(h.others, "");
    bed_end(&bed);
}

static void a_failure_of_the_rest_keeps_the_first(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    start(&bed);
    ask_as(&bed, &h, 8, true, false);
    say("1");
    say_other(1, "2");
    say_other(2, "3");
    end_one(1, FINISH_STOP);
    end_one(0, FINISH_STOP);
    break_off(ERR_STATUS, "out of memory");
    assert_int_equal(h.n_done, 1);
    assert_int_equal(h.code, ERR_OK);
    assert_string_equal(h.text, "1");
    assert_string_equal(h.others, "|2"); /* the third broke off */
    bed_end(&bed);
}

static void nobody_waits_for_the_last_for_ever(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    start(&bed);
    ask_as(&bed, &h, 8, true, false);
    say("1");
    say_other(1, "2");
    end_one(0, FINISH_STOP);
    end_one(1, FINISH_STOP);
    pass(2900);
    assert_int_equal(h.n_done, 0);
    pass(200);
    assert_int_equal(h.n_done, 1);
    assert_string_equal(h.text, "1");
    assert_string_equal(h.others, "|2");
    assert_true(model()->was_cancelled);
    bed_end(&bed);
}

static void trimmed_to_the_end_closes_the_exchange(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    start(&bed);
    ask_as(&bed, &h, 8, true, false);
    say("1;\n\nint y;\nint z;\n");
    assert_true(model()->is_open); /* the others aren't there */
    say_other(1, "2;\n\nint y;\nint z;\n");
    assert_true(model()->is_open);
    say_other(2, "3;\n\nint y;\nint z;\n");
    turn();
    assert_true(model()->was_cancelled);
    assert_int_equal(h.n_done, 1);
    assert_string_equal(h.text, "1"); /* the ";" stands there */
    assert_string_equal(h.others, "|2|3");
    bed_end(&bed);
}

static void one_at_a_time_rides_as_before(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    start(&bed);
    world.n_texts = 1;
    ask(&bed, &h, 8);
    say("1");
    end(FINISH_STOP);
    ask_as(&bed, &h, 8, false, true);
    assert_int_equal(h.n_done, 1);
    assert_string_equal(h.text, "1");
    assert_int_equal(n_model_calls(), 1);
    ask_as(&bed, &h, 8, true, false);
    assert_int_equal(model()->n_texts, 1);
    say("2");
    end(FINISH_STOP);
    assert_string_equal(h.text, "2");
    assert_int_equal(engine_stats(bed.engine)->n_choices, 0);
    bed_end(&bed);
}

static void an_edit_ends_it(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    start(&bed);
    ask_as(&bed, &h, 8, true, false);
    say("1");
    say_other(1, "2");
    type(&bed, 8, "9");
    assert_int_equal(h.n_done, 1);
    assert_int_equal(h.code, ERR_CANCELLED);
    pass(1000);
    assert_true(model()->was_cancelled);
    bed_end(&bed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(again_gives_several),
        cmocka_unit_test(what_is_shown_stays_first),
        cmocka_unit_test(what_is_shown_survives_a_failure),
        cmocka_unit_test(a_failure_of_the_rest_keeps_the_first),
        cmocka_unit_test(nobody_waits_for_the_last_for_ever),
        cmocka_unit_test(trimmed_to_the_end_closes_the_exchange),
        cmocka_unit_test(one_at_a_time_rides_as_before),
        cmocka_unit_test(an_edit_ends_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
