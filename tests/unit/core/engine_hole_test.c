/* engine_hole_test.c - typing that is served by a model which only follows instructions. */
#include "tests/unit/core/engine_bed.h"

/* The model of `sim` talks, and the settings name it for typing. */
static void start(struct bed *bed, const char *text)
{
    static const char *const KEYS = "{\"models\":{\"inline\":[\"sim/m\"]}}";
    struct arena arena = {0};
    struct json value;
    bed_start(bed, text);
    world.model.abilities = MODEL_CHAT;
    struct settings_builder *b = settings_builder_create();
    assert_int_equal(json_parse(str_from(KEYS), &arena, &value, NULL), ERR_OK);
    settings_builder_put(b, SETTINGS_USER_FILE, value);
    struct settings *s = settings_builder_snapshot(b);
    engine_configure(bed->engine, s);
    settings_unref(bed->settings);
    bed->settings = s;
    settings_builder_destroy(b);
    arena_release(&arena);
}

static void hole_is_asked_for_in_words(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    start(&bed, "int x = \nint y;\n");
    ask(&bed, &h, 8);
    assert_int_equal(model()->shape, GENERATE_CHAT);
    assert_int_equal(model()->n_stops, 0); /* a line's end would stop a fence */
    assert_non_null(strstr(model()->prompt, "the mark <CURSOR> stands"));
    assert_non_null(
        strstr(model()->prompt, "|File: a.c\nLanguage: c\n\nint x = <CURSOR>\nint y;\n"));
    bed_end(&bed);
}

static void what_is_around_the_answer_isnt_shown(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    start(&bed, "int x = \nint y;\n");
    ask(&bed, &h, 8);
    say("```c\n");
    assert_string_equal(h.partial, "");
    say("int x = comp");
    assert_string_equal(h.partial, "comp"); /* as it comes */
    say("ute(a);\n``");
    say("`\nThis computes x.");
    turn();
    assert_int_equal(h.n_done, 1);
    assert_string_equal(h.text, "compute(a);");
    assert_int_equal(h.source, ANSWER_MODEL);
    assert_true(model()->was_cancelled);
    bed_end(&bed);
}

static void answer_of_several_lines_ends_with_its_fence(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    start(&bed, "int f(void) {\n");
    ask(&bed, &h, 13);
    say("```c\nint f(void) {\n    a();\n}\n```");
    assert_int_equal(h.n_done, 0); /* more may follow the fence */
    end(FINISH_STOP);
    assert_int_equal(h.n_done, 1);
    assert_string_equal(h.text, "\n    a();\n}");
    bed_end(&bed);
}

static void explanation_is_silence_with_a_reason(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    start(&bed, "int x = \n");
    ask(&bed, &h, 8);
    say("Sure! Here is");
    turn();
    assert_int_equal(h.n_done, 1);
    assert_string_equal(h.text, "");
    assert_true(model()->was_cancelled);
    bed_end(&bed);
}

static void typing_on_rides_the_same_answer(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    start(&bed, "x = \n");
    ask(&bed, &h, 4);
    say("```\nalpha + beta;\n```\n");
    end(FINISH_STOP);
    assert_string_equal(h.text, "alpha + beta;");
    type(&bed, 4, "al");
    ask(&bed, &h, 6);
    assert_string_equal(h.text, "pha + beta;");
    assert_int_equal(n_model_calls(), 1);
    bed_end(&bed);
}

static void model_that_isnt_named_is_never_asked(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    bed_start(&bed, "x = \n");
    world.model.abilities = MODEL_CHAT;
    ask(&bed, &h, 4);
    pass(6000);
    assert_int_equal(n_model_calls(), 0);
    assert_int_equal(h.n_done, 1);
    bed_end(&bed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hole_is_asked_for_in_words),
        cmocka_unit_test(what_is_around_the_answer_isnt_shown),
        cmocka_unit_test(answer_of_several_lines_ends_with_its_fence),
        cmocka_unit_test(explanation_is_silence_with_a_reason),
        cmocka_unit_test(typing_on_rides_the_same_answer),
        cmocka_unit_test(model_that_isnt_named_is_never_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
