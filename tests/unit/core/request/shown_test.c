/* shown_test.c - what becomes of a suggestion, read from edits and from reports. */
#include "core/request/shown.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include "core/base/memory.h"

struct bed {
    struct documents *documents;
    struct shown shown;
    uint64_t doc;
    struct shown_event last; /* the newest edit's */
};

static void on_document(const struct open_document *doc, const struct edit *edit, void *user)
{
    struct bed *bed = user;
    if (edit) {
        bed->last = shown_on_edit(&bed->shown, doc, edit);
    }
}

static struct bed *start(const char *text)
{
    struct bed *bed = xcalloc(1, sizeof *bed);
    bed->documents = documents_create();
    shown_init(&bed->shown);
    documents_observe(bed->documents, on_document, bed);
    assert_int_equal(
        documents_open(bed->documents, STR("/a.c"), STR("c"), str_from(text), &bed->doc), ERR_OK);
    return bed;
}

static void stop(struct bed *bed)
{
    documents_observe(bed->documents, NULL, NULL);
    documents_destroy(bed->documents);
    shown_release(&bed->shown);
    xfree(bed);
}

static struct shown_event answer(struct bed *bed, size_t cursor, const char *text, size_t n_replace,
                                 uint64_t trace)
{
    struct shown_answer a = {.doc = documents_find(bed->documents, bed->doc),
                             .cursor = cursor,
                             .text = str_from(text),
                             .n_replace = n_replace,
                             .trace = trace};
    return shown_on_answer(&bed->shown, &a);
}

static void edit(struct bed *bed, size_t at, size_t end, const char *text)
{
    assert_int_equal(documents_edit(bed->documents, bed->doc, at, end, str_from(text)), ERR_OK);
}

static void expect(const struct shown_event *event, enum fate fate, size_t n_bytes)
{
    assert_true(event->has_happened);
    assert_int_equal(event->fate, fate);
    assert_int_equal(event->n_bytes, n_bytes);
}

static void whole_text_at_once_was_taken(void **state)
{
    (void)state;
    struct bed *bed = start("x = \n");
    assert_false(answer(bed, 4, "compute(a);", 0, 7).has_happened);
    edit(bed, 4, 4, "compute(a);");
    expect(&bed->last, FATE_TAKEN, 11);
    assert_int_equal(bed->last.trace, 7);
    assert_true(bed->last.is_telling);
    assert_false(shown_on_report(&bed->shown, 7, SIZE_MAX).has_happened); /* known already */
    stop(bed);
}

static void taking_over_closers_was_taking(void **state)
{
    (void)state;
    struct bed *bed = start("f()\n");
    (void)answer(bed, 2, "a, b);", 1, 7);
    edit(bed, 2, 3, "a, b);");
    expect(&bed->last, FATE_TAKEN, 6);
    stop(bed);
}

static void lines_end_as_the_documents(void **state)
{
    (void)state;
    struct bed *bed = start("{\r\n\r\n}\r\n");
    (void)answer(bed, 3, "a();\nb();", 0, 7);
    edit(bed, 3, 3, "a();\r\nb();");
    expect(&bed->last, FATE_TAKEN, 10);
    stop(bed);
}

static void words_and_lines_are_parts(void **state)
{
    (void)state;
    struct bed *bed = start("x = \n");
    (void)answer(bed, 4, "compute(a);\nnext();", 0, 7);
    edit(bed, 4, 4, "compute");
    expect(&bed->last, FATE_PARTLY, 7);
    assert_true(bed->last.is_telling);
    edit(bed, 11, 11, "(a);");
    expect(&bed->last, FATE_PARTLY, 4);
    assert_false(bed->last.is_telling); /* one suggestion, one lesson */
    edit(bed, 15, 15, "\nnext();");
    expect(&bed->last, FATE_TAKEN, 8);
    stop(bed);
}

static void typing_it_by_hand_says_that_it_was_right(void **state)
{
    (void)state;
    struct bed *bed = start("x = \n");
    (void)answer(bed, 4, "ab;\nc", 0, 7);
    edit(bed, 4, 4, "a");
    assert_false(bed->last.has_happened);
    assert_false(answer(bed, 5, "b;\nc", 0, 8).has_happened); /* the same one goes on */
    edit(bed, 5, 5, "b");
    edit(bed, 6, 6, ";");
    expect(&bed->last, FATE_TYPED, 0);
    edit(bed, 7, 7, "\n");
    assert_false(bed->last.has_happened);
    stop(bed);
}

static void brackets_closed_by_the_editor_are_typed(void **state)
{
    (void)state;
    struct bed *bed = start("f\n");
    (void)answer(bed, 1, "(a, b)", 0, 7);
    edit(bed, 1, 1, "()");
    assert_false(bed->last.has_happened);
    (void)answer(bed, 2, "a, b", 0, 8);
    edit(bed, 2, 2, "a, b");
    expect(&bed->last, FATE_TAKEN, 4);
    stop(bed);
}

static void indentation_of_the_editor_agrees(void **state)
{
    (void)state;
    struct bed *bed = start("{\n");
    (void)answer(bed, 1, "\n    go();", 0, 7);
    edit(bed, 1, 1, "\n\t");
    assert_false(bed->last.has_happened);
    edit(bed, 3, 3, "go();");
    expect(&bed->last, FATE_TAKEN, 5);
    stop(bed);
}

static void something_else_is_typed_over(void **state)
{
    (void)state;
    struct bed *bed = start("x = \n");
    (void)answer(bed, 4, "compute(a);", 0, 7);
    edit(bed, 4, 4, "z");
    expect(&bed->last, FATE_OVER, 0);
    assert_true(bed->last.is_telling);
    edit(bed, 5, 5, "z");
    assert_false(bed->last.has_happened); /* once */
    (void)answer(bed, 6, "compute(a);", 0, 8);
    edit(bed, 6, 6, "c");
    edit(bed, 7, 7, "o");
    edit(bed, 8, 8, "m");
    edit(bed, 9, 9, "p");
    edit(bed, 10, 10, "z");
    expect(&bed->last, FATE_OVER, 0);
    assert_false(bed->last.is_telling); /* it was right for a while */
    stop(bed);
}

static void going_elsewhere_ignores_it(void **state)
{
    (void)state;
    struct bed *bed = start("x = \ny = \n");
    (void)answer(bed, 4, "compute(a);", 0, 7);
    struct shown_event event = answer(bed, 9, "other();", 0, 8);
    expect(&event, FATE_IGNORED, 0);
    assert_int_equal(event.trace, 7);
    assert_false(answer(bed, 9, "another();", 0, 9).has_happened); /* the place is the same */
    event = shown_leave(&bed->shown, bed->doc);
    expect(&event, FATE_IGNORED, 0);
    assert_false(shown_leave(&bed->shown, bed->doc).has_happened);
    stop(bed);
}

static void entries_of_a_popup_are_never_ignored(void **state)
{
    (void)state;
    struct bed *bed = start("x = co\n");
    struct shown_answer a = {.doc = documents_find(bed->documents, bed->doc),
                             .cursor = 6,
                             .text = STR("mpute(a);"),
                             .trace = 7,
                             .is_entry = true};
    (void)shown_on_answer(&bed->shown, &a);
    edit(bed, 6, 6, "z");
    assert_false(bed->last.has_happened);
    edit(bed, 6, 7, "");
    (void)shown_on_answer(&bed->shown, &a);
    edit(bed, 4, 6, "compute(a);"); /* the word is replaced */
    expect(&bed->last, FATE_TAKEN, 9);
    stop(bed);
}

static void edits_before_it_move_it(void **state)
{
    (void)state;
    struct bed *bed = start("a\nx = \n");
    (void)answer(bed, 6, "compute(a);", 0, 7);
    edit(bed, 0, 0, "#include <a>\n");
    assert_false(bed->last.has_happened);
    edit(bed, 19, 19, "compute(a);");
    expect(&bed->last, FATE_TAKEN, 11);
    stop(bed);
}

static void reports_count_what_the_text_didnt_tell(void **state)
{
    (void)state;
    struct bed *bed = start("x = \n");
    (void)answer(bed, 4, "compute(a);", 0, 7);
    struct shown_event event = shown_on_report(&bed->shown, 7, 7);
    expect(&event, FATE_PARTLY, 7);
    edit(bed, 4, 4, "compute");
    assert_false(bed->last.has_happened);
    assert_false(shown_on_report(&bed->shown, 7, 7).has_happened);
    event = shown_on_report(&bed->shown, 7, SIZE_MAX);
    expect(&event, FATE_TAKEN, 4);
    assert_false(shown_on_report(&bed->shown, 99, SIZE_MAX).has_happened);
    assert_false(shown_on_report(&bed->shown, 0, SIZE_MAX).has_happened);
    stop(bed);
}

static void older_answer_of_the_same_text_is_reported_once(void **state)
{
    (void)state;
    struct bed *bed = start("x = \n");
    (void)answer(bed, 4, "compute(a);", 0, 7);
    edit(bed, 4, 4, "c");
    (void)answer(bed, 5, "ompute(a);", 0, 8);
    edit(bed, 5, 5, "ompute(a);");
    expect(&bed->last, FATE_TAKEN, 10);
    assert_false(shown_on_report(&bed->shown, 7, SIZE_MAX).has_happened); /* it showed this one */
    stop(bed);
}

static void what_an_editor_doesnt_show_teaches_nothing(void **state)
{
    (void)state;
    struct bed *bed = start("x = \n");
    (void)answer(bed, 4, "compute(a);", 0, 7);
    shown_on_seen(&bed->shown, 7);
    edit(bed, 4, 4, "z");
    assert_true(bed->last.has_happened && bed->last.is_telling);
    (void)answer(bed, 5, "compute(a);", 0, 8);
    edit(bed, 5, 5, "z");
    assert_true(bed->last.has_happened && !bed->last.is_telling);
    stop(bed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_text_at_once_was_taken),
        cmocka_unit_test(taking_over_closers_was_taking),
        cmocka_unit_test(lines_end_as_the_documents),
        cmocka_unit_test(words_and_lines_are_parts),
        cmocka_unit_test(typing_it_by_hand_says_that_it_was_right),
        cmocka_unit_test(brackets_closed_by_the_editor_are_typed),
        cmocka_unit_test(indentation_of_the_editor_agrees),
        cmocka_unit_test(something_else_is_typed_over),
        cmocka_unit_test(going_elsewhere_ignores_it),
        cmocka_unit_test(entries_of_a_popup_are_never_ignored),
        cmocka_unit_test(edits_before_it_move_it),
        cmocka_unit_test(reports_count_what_the_text_didnt_tell),
        cmocka_unit_test(older_answer_of_the_same_text_is_reported_once),
        cmocka_unit_test(what_an_editor_doesnt_show_teaches_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
