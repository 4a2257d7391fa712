/* engine_feedback_test.c - what the engine asks for after edits of each kind, what it learns from
 * what becomes of its answers, and what it says later than its answer. */
#include "tests/unit/core/engine_bed.h"

#include "core/engine_internal.h"

static const struct engine_stats *stats(const struct bed *bed)
{
    return engine_stats(bed->engine);
}

static void replace(struct bed *bed, size_t at, size_t end_at, const char *text)
{
    assert_int_equal(documents_edit(bed->documents, bed->doc, at, end_at, str_from(text)), ERR_OK);
    turn();
}

static void ask_by_hand(struct bed *bed, struct heard *h, size_t cursor)
{
    *h = (struct heard){.n_done = 0};
    struct question q = {
        .document = bed->doc, .cursor = cursor, .selected_start = cursor, .is_explicit = true};
    (void)engine_ask(bed->engine, &q, &(struct sink){.on_done = on_done, .user = h});
    turn();
}

static void after_an_undo_nobody_is_asked_until_a_key(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    bed_start(&bed, "int total = a + b;\n");
    replace(&bed, 4, 9, "");
    replace(&bed, 4, 4, "total");
    ask(&bed, &h, 9);
    assert_int_equal(h.n_done, 1);
    assert_string_equal(h.text, "");
    assert_string_equal(h.why, "suppressed: after an undo");
    assert_int_equal(n_model_calls(), 0);
    assert_int_equal(stats(&bed)->n_after_undo, 1);
    assert_int_equal(stats(&bed)->n_suppressed, 1);
    ask_by_hand(&bed, &h, 9); /* who asks is answered */
    assert_int_equal(n_model_calls(), 1);
    say("x;\n");
    assert_string_equal(h.text, "x;");
    type(&bed, 9, "s");
    ask(&bed, &h, 10);
    assert_int_equal(n_model_calls(), 2);
    bed_end(&bed);
}

static void undone_acceptance_isnt_offered_again(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    bed_start(&bed, "x = \n");
    ask(&bed, &h, 4);
    say("compute(a);\n");
    assert_string_equal(h.text, "compute(a);");
    type(&bed, 4, "compute(a);");
    replace(&bed, 4, 15, "");
    ask(&bed, &h, 4); /* though its text is there */
    assert_string_equal(h.text, "");
    assert_string_equal(h.why, "suppressed: after an undo");
    type(&bed, 4, "c");
    ask(&bed, &h, 5);
    assert_string_equal(h.text, "ompute(a);");
    bed_end(&bed);
}

static void after_a_paste_nobody_is_asked_until_a_key(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    bed_start(&bed, "\n");
    type(&bed, 0, "int a = 1;\nint b = 2;\n");
    ask(&bed, &h, 22);
    assert_string_equal(h.why, "suppressed: after a paste");
    assert_int_equal(stats(&bed)->n_after_paste, 1);
    assert_int_equal(n_model_calls(), 0);
    type(&bed, 22, "i");
    ask(&bed, &h, 23);
    assert_int_equal(n_model_calls(), 1);
    bed_end(&bed);
}

static void accepted_block_is_no_paste(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    bed_start(&bed, "int f(void) {\n");
    ask(&bed, &h, 13);
    say("\n    alpha();\n    beta();\n    gamma();\n}");
    end(FINISH_STOP);
    assert_string_equal(h.text, "\n    alpha();\n    beta();\n    gamma();\n}");
    type(&bed, 13, h.text);
    ask(&bed, &h, 13 + strlen(h.text));
    assert_null(strstr(h.why, "suppressed"));
    assert_int_equal(stats(&bed)->n_accepted, 1);
    assert_int_equal(stats(&bed)->n_accepted_bytes, 40);
    bed_end(&bed);
}

static void retyping_rides_the_older_flight(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    bed_start(&bed, "x = \n");
    ask(&bed, &h, 4);
    say("alpha + beta;\n");
    type(&bed, 4, "a");
    ask(&bed, &h, 5);
    type(&bed, 5, "l");
    ask(&bed, &h, 6);
    replace(&bed, 5, 6, "");
    type(&bed, 5, "l");
    ask(&bed, &h, 6);
    assert_string_equal(h.text, "pha + beta;");
    assert_int_equal(n_model_calls(), 1);
    bed_end(&bed);
}

/* Each answer is typed over at once. */
static void refuse_answers(struct bed *bed, struct heard *h, int n)
{
    for (int i = 0; i < n; i++) {
        world.n_exchanges = 0;
        char line[32];
        int len = snprintf(line, sizeof line, "v%d = \n", i) - 1;
        type(bed, 0, line);
        ask(bed, h, (size_t)len);
        if (n_model_calls() == 0) {
            return;
        }
        say("nonsense();\n");
        type(bed, (size_t)len, "z");
        pass(3000);
    }
}

static void little_use_spares_the_model(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    bed_start(&bed, "\n");
    refuse_answers(&bed, &h, 40);
    assert_int_equal(n_model_calls(), 0);
    assert_string_equal(h.text, "");
    assert_non_null(strstr(h.why, "suppressed: here 0 of 25 were taken"));
    assert_int_equal(stats(&bed)->n_withheld, 1);
    assert_int_equal(stats(&bed)->n_fates[FATE_OVER], 25);
    ask_by_hand(&bed, &h, 6);
    assert_int_equal(n_model_calls(), 1);
    bed_end(&bed);
}

static void reports_and_text_count_one_acceptance(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    bed_start(&bed, "x = \n");
    ask(&bed, &h, 4);
    say("compute(a);\n");
    uint64_t trace = engine_trace(bed.engine)->n;
    engine_seen(bed.engine, trace);
    type(&bed, 4, "compute(a);");
    engine_accepted(bed.engine, trace, SIZE_MAX);
    engine_accepted(bed.engine, trace, 3);
    engine_accepted(bed.engine, trace + 100, SIZE_MAX);
    assert_int_equal(stats(&bed)->n_accepted, 1);
    assert_int_equal(stats(&bed)->n_accepted_bytes, 11);
    assert_int_equal(stats(&bed)->n_fates[FATE_TAKEN], 1);
    assert_int_equal(stats(&bed)->n_seen, 1);
    assert_non_null(strstr(trace_find(engine_trace(bed.engine), trace)->why, "accepted 11 bytes"));
    bed_end(&bed);
}

static void other_documents_focus_ends_what_is_shown(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    bed_start(&bed, "x = \n");
    ask(&bed, &h, 4);
    say("compute(a);\n");
    engine_focus(bed.engine, bed.doc);
    assert_int_equal(stats(&bed)->n_fates[FATE_IGNORED], 0);
    engine_focus(bed.engine, 0);
    assert_int_equal(stats(&bed)->n_fates[FATE_IGNORED], 1);
    bed_end(&bed);
}

/* -- what comes after an answer -- */

struct more {
    struct bed *bed;
    struct heard heard;
    uint64_t trace;
    size_t n_read;
    bool may_grow;
};

static void on_more(const struct answer *answer, const struct error *error, void *user)
{
    struct more *m = user;
    on_done(answer, error, &m->heard);
    m->trace = answer->trace;
    m->n_read = answer->n_read;
    m->may_grow = answer->may_grow;
}

static void ask_more(struct bed *bed, struct more *m, enum question_kind kind, size_t cursor)
{
    struct question q = {.kind = kind,
                         .document = bed->doc,
                         .cursor = cursor,
                         .selected_start = cursor,
                         .trace = m->trace,
                         .n_read = m->n_read};
    m->heard = (struct heard){.n_done = 0};
    (void)engine_ask(bed->engine, &q, &(struct sink){.on_done = on_more, .user = m});
    turn();
}

static void update_gives_the_block_that_follows_its_line(void **state)
{
    (void)state;
    struct bed bed;
    struct more m = {.trace = 0};
    bed_start(&bed, "int f(void) {\n");
    ask_more(&bed, &m, QUESTION_INLINE, 13);
    say("\n    a();\n");
    pass(300);
    assert_string_equal(m.heard.text, "\n    a();");
    assert_true(m.may_grow);
    uint64_t trace = m.trace;
    ask_more(&bed, &m, QUESTION_UPDATE, 13);
    assert_int_equal(m.heard.n_done, 0);
    say("    b(");
    assert_int_equal(m.heard.n_done, 0);
    say(");\n");
    assert_int_equal(m.heard.n_done, 1);
    assert_string_equal(m.heard.text, "\n    a();\n    b();");
    assert_int_equal(m.trace, trace);
    assert_true(m.may_grow);
    ask_more(&bed, &m, QUESTION_UPDATE, 13);
    say("}\n\nint");
    assert_string_equal(m.heard.text, "\n    a();\n    b();\n}");
    assert_false(m.may_grow);
    assert_int_equal(n_model_calls(), 1);
    assert_int_equal(stats(&bed)->n_questions, 1);
    assert_int_equal(stats(&bed)->n_shown, 1);
    assert_int_equal(stats(&bed)->n_updates, 2);
    type(&bed, 13, m.heard.text);
    assert_int_equal(stats(&bed)->n_fates[FATE_TAKEN], 1);
    bed_end(&bed);
}

static void line_that_is_all_doesnt_grow(void **state)
{
    (void)state;
    struct bed bed;
    struct more m = {.trace = 0};
    bed_start(&bed, "x = \n");
    ask_more(&bed, &m, QUESTION_INLINE, 4);
    say("one();\nmo");
    assert_string_equal(m.heard.text, "one();");
    assert_false(m.may_grow);
    bed_end(&bed);
}

static void update_gives_what_came_after_the_limit(void **state)
{
    (void)state;
    struct bed bed;
    struct more m = {.trace = 0};
    bed_start(&bed, "x = \n");
    ask_more(&bed, &m, QUESTION_INLINE, 4);
    pass(5100);
    assert_string_equal(m.heard.text, "");
    assert_true(m.may_grow);
    ask_more(&bed, &m, QUESTION_UPDATE, 4);
    pass(8000); /* the flight isn't given up while somebody waits for it */
    assert_int_equal(m.heard.n_done, 0);
    say("late();\n");
    assert_string_equal(m.heard.text, "late();");
    assert_int_equal(n_model_calls(), 1);
    bed_end(&bed);
}

static void edit_ends_an_update(void **state)
{
    (void)state;
    struct bed bed;
    struct more m = {.trace = 0};
    bed_start(&bed, "int f(void) {\n");
    ask_more(&bed, &m, QUESTION_INLINE, 13);
    say("\n    a();\n");
    pass(300);
    ask_more(&bed, &m, QUESTION_UPDATE, 13);
    type(&bed, 0, "/");
    assert_int_equal(m.heard.n_done, 1);
    assert_int_equal(m.heard.code, ERR_CANCELLED);
    assert_int_equal(stats(&bed)->n_cancelled + stats(&bed)->n_superseded, 0);
    bed_end(&bed);
}

static void newer_question_ends_an_update(void **state)
{
    (void)state;
    struct bed bed;
    struct more m = {.trace = 0};
    struct heard h;
    bed_start(&bed, "int f(void) {\n");
    ask_more(&bed, &m, QUESTION_INLINE, 13);
    say("\n    a();\n");
    pass(300);
    ask_more(&bed, &m, QUESTION_UPDATE, 13);
    ask(&bed, &h, 13);
    assert_int_equal(m.heard.code, ERR_CANCELLED);
    bed_end(&bed);
}

static void update_of_nothing_is_silent(void **state)
{
    (void)state;
    struct bed bed;
    struct more m = {.trace = 0};
    bed_start(&bed, "x = \n");
    ask_more(&bed, &m, QUESTION_UPDATE, 4);
    assert_int_equal(m.heard.n_done, 1);
    assert_int_equal(m.heard.code, ERR_OK);
    assert_string_equal(m.heard.text, "");
    assert_int_equal(n_model_calls(), 0);
    ask_more(&bed, &m, QUESTION_INLINE, 4);
    pass(5100);
    ask_more(&bed, &m, QUESTION_UPDATE, 4);
    break_off(ERR_CONNECT, "gone");
    assert_int_equal(m.heard.n_done, 1);
    assert_string_equal(m.heard.text, "");
    bed_end(&bed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(after_an_undo_nobody_is_asked_until_a_key),
        cmocka_unit_test(undone_acceptance_isnt_offered_again),
        cmocka_unit_test(after_a_paste_nobody_is_asked_until_a_key),
        cmocka_unit_test(accepted_block_is_no_paste),
        cmocka_unit_test(retyping_rides_the_older_flight),
        cmocka_unit_test(little_use_spares_the_model),
        cmocka_unit_test(reports_and_text_count_one_acceptance),
        cmocka_unit_test(other_documents_focus_ends_what_is_shown),
        cmocka_unit_test(update_gives_the_block_that_follows_its_line),
        cmocka_unit_test(line_that_is_all_doesnt_grow),
        cmocka_unit_test(update_gives_what_came_after_the_limit),
        cmocka_unit_test(edit_ends_an_update),
        cmocka_unit_test(newer_question_ends_an_update),
        cmocka_unit_test(update_of_nothing_is_silent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
