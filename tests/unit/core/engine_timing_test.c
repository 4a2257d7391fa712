/* engine_timing_test.c - when a model is asked: later after a deletion, earlier at a text's end. */
#include "tests/unit/core/engine_bed.h"

static void erase(struct bed *bed, size_t from, size_t to)
{
    assert_int_equal(documents_edit(bed->documents, bed->doc, from, to, STR("")), ERR_OK);
    turn();
}

static void use(struct bed *bed, const char *json)
{
    struct arena arena = {0};
    struct json v;
    struct settings_builder *b = settings_builder_create();
    assert_int_equal(json_parse(str_from(json), &arena, &v, NULL), ERR_OK);
    settings_builder_put(b, SETTINGS_USER_FILE, v);
    struct settings *s = settings_builder_snapshot(b);
    engine_configure(bed->engine, s);
    settings_unref(s);
    settings_builder_destroy(b);
    arena_release(&arena);
}

/* -- holding -- */

static void take_off_waits_after_a_deletion(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    bed_start(&bed, "x = abc\n");
    erase(&bed, 6, 7);
    ask(&bed, &h, 6);
    assert_int_equal(n_model_calls(), 0);
    pass(100);
    assert_int_equal(n_model_calls(), 0);
    pass(150);
    assert_int_equal(n_model_calls(), 1);
    say("z;\n");
    assert_string_equal(h.text, "z;");
    assert_int_equal(engine_stats(bed.engine)->n_held, 1);
    assert_int_equal(engine_stats(bed.engine)->n_held_off, 0);
    bed_end(&bed);
}

static void next_key_makes_a_held_take_off_unnecessary(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h[4];
    bed_start(&bed, "x = abcd\n");
    for (size_t i = 0; i < 4; i++) {
        erase(&bed, 7 - i, 8 - i);
        ask(&bed, &h[i], 7 - i);
        pass(80);
    }
    assert_int_equal(n_model_calls(), 0);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(h[i].n_done, 1);
        assert_int_equal(h[i].code, ERR_CANCELLED);
    }
    pass(200);
    assert_int_equal(n_model_calls(), 1);
    assert_string_equal(model()->prompt, "x = |\n");
    assert_int_equal(engine_stats(bed.engine)->n_held_off, 3);
    bed_end(&bed);
}

static void wait_is_the_rhythm_of_the_person(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    char text[65];
    memset(text, 'a', 64);
    text[64] = '\0';
    bed_start(&bed, text);
    for (size_t i = 0; i < 40; i++) { /* a key that repeats itself */
        erase(&bed, 63 - i, 64 - i);
        ask(&bed, &h, 63 - i);
        pass(30);
    }
    assert_int_equal(n_model_calls(), 0);
    pass(30); /* half as long again has passed */
    assert_int_equal(n_model_calls(), 1);
    bed_end(&bed);
}

static void model_that_is_fast_is_asked_sooner(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    bed_start(&bed, "x = abc\n");
    ask(&bed, &h, 7);
    pass(20);
    say("d;\n");
    erase(&bed, 5, 7);
    ask(&bed, &h, 5);
    assert_int_equal(n_model_calls(), 1);
    pass(21);
    assert_int_equal(n_model_calls(), 2);
    bed_end(&bed);
}

static void typing_and_commands_never_wait(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    bed_start(&bed, "x = abc\n");
    type(&bed, 7, "d");
    ask(&bed, &h, 8);
    assert_int_equal(n_model_calls(), 1);
    erase(&bed, 4, 8);
    struct question q = {.kind = QUESTION_INLINE,
                         .document = bed.doc,
                         .cursor = 4,
                         .selected_start = 4,
                         .is_explicit = true};
    struct sink sink = {.on_done = on_done, .user = &h};
    (void)engine_ask(bed.engine, &q, &sink);
    turn();
    assert_int_equal(n_model_calls(), 2);
    bed_end(&bed);
}

static void editor_that_waits_by_itself_waits_no_longer(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    bed_start(&bed, "x = abc\n");
    erase(&bed, 6, 7);
    pass(200);
    ask(&bed, &h, 6);
    assert_int_equal(n_model_calls(), 1);
    bed_end(&bed);
}

static void riding_never_waits(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    bed_start(&bed, "x = \n");
    ask(&bed, &h, 4);
    say("alpha;");
    end(FINISH_STOP);
    type(&bed, 4, "az");
    ask(&bed, &h, 6);
    erase(&bed, 5, 6);
    ask(&bed, &h, 5);
    assert_int_equal(h.n_done, 1);
    assert_string_equal(h.text, "lpha;");
    bed_end(&bed);
}

static void fixed_debounce_is_waited_for_after_every_edit(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    bed_start(&bed, "x = \n");
    use(&bed, "{\"inline\": {\"debounce\": 75}}");
    type(&bed, 4, "a");
    ask(&bed, &h, 5);
    pass(74);
    assert_int_equal(n_model_calls(), 0);
    pass(1);
    assert_int_equal(n_model_calls(), 1);
    use(&bed, "{\"inline\": {\"debounce\": 0}}");
    erase(&bed, 4, 5);
    ask(&bed, &h, 4);
    assert_int_equal(n_model_calls(), 2);
    bed_end(&bed);
}

static void held_question_ends_with_its_document(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    bed_start(&bed, "x = abc\n");
    erase(&bed, 6, 7);
    ask(&bed, &h, 6);
    documents_close(bed.documents, bed.doc);
    pass(300);
    assert_int_equal(h.n_done, 1);
    assert_int_equal(h.code, ERR_CANCELLED);
    assert_int_equal(n_model_calls(), 0);
    bed_end(&bed);
}

/* -- filling -- */

static void blank_lines_dont_end_a_flight(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    bed_start(&bed, "int a;\n");
    ask(&bed, &h, 6);
    say("\n\n");
    assert_true(model()->is_open);
    say("int b;\n\n");
    assert_string_equal(h.text, "\n\nint b;");
    assert_true(model()->is_open); /* one line past what is shown */
    say("int c;\n");
    assert_false(model()->is_open);
    bed_end(&bed);
}

static void line_that_has_only_begun_isnt_kept(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    bed_start(&bed, "x = \n\n");
    ask(&bed, &h, 4);
    say("one();\ntwo();\nthr");
    assert_false(model()->is_open);
    type(&bed, 4, "one();\ntwo");
    ask(&bed, &h, 14);
    assert_string_equal(h.text, "();");
    bed_end(&bed);
}

/* -- keeping what was shown -- */

static void shown_text_outlives_its_flight(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    bed_start(&bed, "x = \n");
    ask(&bed, &h, 4);
    say("one();\nha");
    assert_string_equal(h.text, "one();");
    pass(2100); /* nobody typed on for long: the slow rest isn't waited for */
    assert_false(model()->is_open);
    type(&bed, 4, "on");
    ask(&bed, &h, 6);
    assert_string_equal(h.text, "e();");
    assert_int_equal(n_model_calls(), 1);
    type(&bed, 6, "e();");
    ask(&bed, &h, 10); /* past what was shown nothing is known */
    assert_int_equal(n_model_calls(), 2);
    bed_end(&bed);
}

static void text_that_wasnt_shown_goes_with_its_flight(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    bed_start(&bed, "x = \n");
    uint64_t id = ask(&bed, &h, 4);
    say("on");
    engine_cancel(bed.engine, id);
    pass(300);
    assert_false(model()->is_open);
    type(&bed, 4, "o");
    ask(&bed, &h, 5);
    assert_int_equal(n_model_calls(), 2);
    bed_end(&bed);
}

static void shown_text_outlives_another_way_that_was_tried(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    bed_start(&bed, "x = \n");
    ask(&bed, &h, 4);
    say("one();\nha");
    type(&bed, 4, "oz");
    ask(&bed, &h, 6); /* takes off: the first is aborted */
    assert_int_equal(n_model_calls(), 2);
    erase(&bed, 5, 6);
    ask(&bed, &h, 5);
    assert_string_equal(h.text, "ne();");
    assert_int_equal(n_model_calls(), 2);
    bed_end(&bed);
}

/* -- going ahead -- */

/* Two lines that a limit cut: "one();\nsecond();" */
static void fly_two_lines(struct bed *bed, struct heard *h)
{
    ask(bed, h, 4);
    say("one();\nsecond();\nt");
    assert_false(model()->is_open);
    assert_string_equal(h->text, "one();");
    assert_int_equal(n_model_calls(), 1);
}

/* The person takes "one();" and pauses over "\nsecond();". */
static void pause_at_the_end(struct bed *bed, struct heard *h)
{
    fly_two_lines(bed, h);
    type(bed, 4, "one();");
    ask(bed, h, 10);
    assert_string_equal(h->text, "\nsecond();");
    pass(149);
    assert_int_equal(n_model_calls(), 1);
    pass(2);
}

static void text_is_continued_when_the_person_pauses_at_its_end(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    bed_start(&bed, "x = \n\nint y;\n");
    pause_at_the_end(&bed, &h);
    assert_int_equal(n_model_calls(), 2);
    assert_string_equal(model()->prompt, "x = one();\nsecond();|\n\nint y;\n");
    say("\nthree();\nfour();\nf");
    type(&bed, 10, "\nsecond();");
    ask(&bed, &h, 20);
    assert_string_equal(h.text, "\nthree();");
    assert_int_equal(h.boarded, BOARDED_LANDED);
    assert_int_equal(n_model_calls(), 2);
    assert_int_equal(engine_stats(bed.engine)->n_ahead, 1);
    assert_int_equal(engine_stats(bed.engine)->n_ahead_wanted, 1);
    bed_end(&bed);
}

static void who_comes_to_the_end_first_waits_for_the_rest(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    bed_start(&bed, "x = \n");
    pause_at_the_end(&bed, &h);
    type(&bed, 10, "\nsecond();");
    ask(&bed, &h, 20);
    assert_int_equal(h.n_done, 0);
    assert_int_equal(n_model_calls(), 2);
    say("\nthree();\n");
    assert_string_equal(h.text, "\nthree();");
    assert_int_equal(h.boarded, BOARDED_FLYING);
    bed_end(&bed);
}

static void few_bytes_left_are_continued_at_once(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    bed_start(&bed, "x = \n");
    fly_two_lines(&bed, &h);
    type(&bed, 4, "one();\n");
    ask(&bed, &h, 11);
    assert_string_equal(h.text, "second();");
    type(&bed, 11, "seco");
    ask(&bed, &h, 15);
    assert_string_equal(h.text, "nd();");
    pass(0);
    assert_int_equal(n_model_calls(), 2);
    bed_end(&bed);
}

static void text_that_ended_by_itself_isnt_continued(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    bed_start(&bed, "x = \n");
    ask(&bed, &h, 4);
    say("one();");
    end(FINISH_STOP);
    assert_string_equal(h.text, "one();");
    pass(1000);
    assert_int_equal(n_model_calls(), 1);
    bed_end(&bed);
}

static void edit_forgets_the_place(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    bed_start(&bed, "x = \n\n");
    fly_two_lines(&bed, &h);
    type(&bed, 4, "one();");
    ask(&bed, &h, 10);
    type(&bed, 12, "z");
    pass(1000);
    assert_int_equal(n_model_calls(), 1);
    bed_end(&bed);
}

static void only_a_free_slot_is_taken_for_it(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h, other;
    uint64_t first;
    bed_start(&bed, "x = \n");
    fly_two_lines(&bed, &h);
    first = bed.doc;
    assert_int_equal(
        documents_open(bed.documents, STR("/w/b.c"), STR("c"), STR("y = \n"), &bed.doc), ERR_OK);
    ask(&bed, &other, 4);
    bed.doc = first;
    type(&bed, 4, "one();");
    ask(&bed, &h, 10);
    pass(1000);
    assert_int_equal(n_model_calls(), 2);
    world.endpoints[0].n_slots = 2;
    type(&bed, 10, "\n");
    ask(&bed, &h, 11);
    pass(1000);
    assert_int_equal(n_model_calls(), 3);
    bed_end(&bed);
}

static void aborted_continuation_leaves_the_text_as_it_was(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    bed_start(&bed, "x = \n");
    pause_at_the_end(&bed, &h);
    type(&bed, 10, "zzz");
    ask(&bed, &h, 13); /* what takes off now ends it */
    assert_int_equal(n_model_calls(), 3);
    assert_true(world.exchanges[model()->id - 3].was_cancelled ||
                world.exchanges[model()->id - 2].was_cancelled);
    erase(&bed, 10, 13);
    ask(&bed, &h, 10);
    assert_string_equal(h.text, "\nsecond();");
    assert_int_equal(h.boarded, BOARDED_LANDED);
    bed_end(&bed);
}

static void failed_continuation_leaves_the_text_as_it_was(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    bed_start(&bed, "x = \n");
    pause_at_the_end(&bed, &h);
    type(&bed, 10, "\n");
    ask(&bed, &h, 11);
    assert_string_equal(h.text, "second();");
    break_off(ERR_CONNECT, "gone");
    type(&bed, 11, "s");
    ask(&bed, &h, 12);
    assert_string_equal(h.text, "econd();");
    assert_int_equal(n_model_calls(), 2);
    bed_end(&bed);
}

static void pauses_stop_to_count_where_nothing_came_of_them(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    bed_start(&bed, "x = \n");
    for (size_t i = 0; i < 8; i++) {
        use(&bed, "{\"cache\": {\"entries\": 500}}");
        engine_clear_cache(bed.engine);
        ask(&bed, &h, 4);
        say("one();\nsecond();\nt");
        type(&bed, 4, "one();");
        ask(&bed, &h, 10);
        pass(200);
        erase(&bed, 4, 10); /* never that way */
        type(&bed, 4, "u"); /* after what looks like an undo nobody is asked until a key */
        erase(&bed, 4, 5);
        pass(3000);
    }
    assert_in_range(engine_stats(bed.engine)->n_ahead, 1, 4);
    assert_int_equal(engine_stats(bed.engine)->n_ahead_wanted, 0);
    bed_end(&bed);
}

static void prefetch_can_be_switched_off(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    bed_start(&bed, "x = \n");
    use(&bed, "{\"inline\": {\"prefetch\": false}}");
    pause_at_the_end(&bed, &h);
    assert_int_equal(n_model_calls(), 1);
    bed_end(&bed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(take_off_waits_after_a_deletion),
        cmocka_unit_test(next_key_makes_a_held_take_off_unnecessary),
        cmocka_unit_test(wait_is_the_rhythm_of_the_person),
        cmocka_unit_test(model_that_is_fast_is_asked_sooner),
        cmocka_unit_test(typing_and_commands_never_wait),
        cmocka_unit_test(editor_that_waits_by_itself_waits_no_longer),
        cmocka_unit_test(riding_never_waits),
        cmocka_unit_test(fixed_debounce_is_waited_for_after_every_edit),
        cmocka_unit_test(held_question_ends_with_its_document),
        cmocka_unit_test(blank_lines_dont_end_a_flight),
        cmocka_unit_test(line_that_has_only_begun_isnt_kept),
        cmocka_unit_test(shown_text_outlives_its_flight),
        cmocka_unit_test(text_that_wasnt_shown_goes_with_its_flight),
        cmocka_unit_test(shown_text_outlives_another_way_that_was_tried),
        cmocka_unit_test(text_is_continued_when_the_person_pauses_at_its_end),
        cmocka_unit_test(who_comes_to_the_end_first_waits_for_the_rest),
        cmocka_unit_test(few_bytes_left_are_continued_at_once),
        cmocka_unit_test(text_that_ended_by_itself_isnt_continued),
        cmocka_unit_test(edit_forgets_the_place),
        cmocka_unit_test(only_a_free_slot_is_taken_for_it),
        cmocka_unit_test(aborted_continuation_leaves_the_text_as_it_was),
        cmocka_unit_test(failed_continuation_leaves_the_text_as_it_was),
        cmocka_unit_test(pauses_stop_to_count_where_nothing_came_of_them),
        cmocka_unit_test(prefetch_can_be_switched_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
