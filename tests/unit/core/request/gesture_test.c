/* gesture_test.c - edits that look alike, told apart by what the document was before. */
#include "core/request/gesture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "core/base/memory.h"

struct bed {
    struct documents *documents;
    struct gestures gestures;
    uint64_t doc;
    enum gesture newest;
};

static void on_document(const struct open_document *doc, const struct edit *edit, void *user)
{
    struct bed *bed = user;
    if (edit) {
        bed->newest = gestures_on_edit(&bed->gestures, doc, edit);
    }
}

static struct bed *start(const char *text)
{
    struct bed *bed = xcalloc(1, sizeof *bed);
    bed->documents = documents_create();
    documents_observe(bed->documents, on_document, bed);
    assert_int_equal(
        documents_open(bed->documents, STR("/a.c"), STR("c"), str_from(text), &bed->doc), ERR_OK);
    return bed;
}

static void stop(struct bed *bed)
{
    documents_destroy(bed->documents);
    gestures_release(&bed->gestures);
    xfree(bed);
}

static enum gesture put(struct bed *bed, size_t start_at, size_t end, const char *text)
{
    assert_int_equal(documents_edit(bed->documents, bed->doc, start_at, end, str_from(text)),
                     ERR_OK);
    return bed->newest;
}

static size_t type(struct bed *bed, size_t at, const char *text)
{
    for (; *text; text++, at++) {
        char one[2] = {*text, '\0'};
        assert_int_equal(put(bed, at, at, one), GESTURE_TYPED);
    }
    return at;
}

static void keys_are_typed(void **state)
{
    (void)state;
    struct bed *bed = start("int x;\n");
    assert_int_equal(put(bed, 6, 6, "y"), GESTURE_TYPED);
    assert_int_equal(put(bed, 7, 7, "\xc3\xbc"), GESTURE_TYPED);
    assert_int_equal(put(bed, 9, 9, "\n    "), GESTURE_TYPED);
    assert_int_equal(put(bed, 14, 14, "()"), GESTURE_TYPED);
    assert_int_equal(put(bed, 15, 15, "{\n        \n    }"), GESTURE_TYPED);
    assert_int_equal(put(bed, 15, 16, ""), GESTURE_ERASED);
    stop(bed);
}

static void what_editors_complete_is_no_paste(void **state)
{
    (void)state;
    struct bed *bed = start("x = str");
    assert_int_equal(put(bed, 4, 7, "string_append_all"), GESTURE_INSERTED);
    assert_int_equal(put(bed, 21, 21, "(out, text);"), GESTURE_INSERTED);
    stop(bed);
}

static void several_lines_or_a_long_one_are_pasted(void **state)
{
    (void)state;
    struct bed *bed = start("\n");
    assert_int_equal(put(bed, 0, 0, "int a = 1;\nint b = 2;\n"), GESTURE_PASTED);
    assert_int_equal(gestures_at(&bed->gestures, bed->doc, 22), GESTURE_PASTED);
    assert_int_equal(gestures_at(&bed->gestures, bed->doc, 23), GESTURE_NONE); /* went on */
    char line[120];
    memset(line, 'x', sizeof line - 1);
    line[sizeof line - 1] = '\0';
    assert_int_equal(put(bed, 0, 0, line), GESTURE_PASTED);
    assert_int_equal(put(bed, 0, 0, "y"), GESTURE_TYPED);
    stop(bed);
}

static void undoing_brings_back_what_was(void **state)
{
    (void)state;
    struct bed *bed = start("keep this = 1;\n");
    assert_int_equal(put(bed, 5, 9, ""), GESTURE_ERASED);
    assert_int_equal(put(bed, 5, 5, "this"), GESTURE_UNDONE);
    assert_int_equal(gestures_at(&bed->gestures, bed->doc, 9), GESTURE_UNDONE);
    assert_int_equal(put(bed, 5, 9, "that"), GESTURE_INSERTED); /* replaced: not what was before */
    assert_int_equal(put(bed, 5, 9, "this"), GESTURE_UNDONE);
    assert_int_equal(put(bed, 5, 9, "that"), GESTURE_UNDONE); /* redone */
    stop(bed);
}

static void typing_is_undone_in_one_edit(void **state)
{
    (void)state;
    struct bed *bed = start("a;\nb;\n");
    size_t end = type(bed, 2, " two words");
    assert_int_equal(put(bed, 2, end, ""), GESTURE_UNDONE);
    stop(bed);
}

static void correcting_while_typing_is_undone_as_a_whole(void **state)
{
    (void)state;
    struct bed *bed = start("head tail\n");
    size_t end = type(bed, 5, "the wrogn");
    assert_int_equal(put(bed, end - 2, end, ""), GESTURE_ERASED);
    (void)type(bed, end - 2, "x");
    assert_int_equal(put(bed, end - 2, end - 1, ""), GESTURE_ERASED);
    assert_int_equal(put(bed, 4, end - 2, ""), GESTURE_ERASED); /* a blank too many: not what was */
    assert_int_equal(put(bed, 4, 4, " the wro"), GESTURE_UNDONE);
    assert_int_equal(put(bed, 5, 12, ""), GESTURE_UNDONE);
    stop(bed);
}

static void deleting_a_word_is_a_key(void **state)
{
    (void)state;
    struct bed *bed = start("x\n");
    size_t end = type(bed, 1, " some word");
    assert_int_equal(put(bed, end - 4, end, ""), GESTURE_ERASED);
    assert_int_equal(put(bed, end - 9, end - 4, ""), GESTURE_ERASED);
    stop(bed);
}

static void taken_word_that_goes_is_undone(void **state)
{
    (void)state;
    struct bed *bed = start("x = \n");
    assert_int_equal(put(bed, 4, 4, "compute"), GESTURE_INSERTED);
    assert_int_equal(put(bed, 4, 11, ""), GESTURE_ERASED); /* an editor's own: by a key */
    assert_int_equal(put(bed, 4, 4, "compute"), GESTURE_UNDONE);
    (void)type(bed, 11, ";");
    assert_int_equal(put(bed, 12, 12, "second();"), GESTURE_INSERTED);
    gestures_accepted(&bed->gestures, bed->doc);
    assert_int_equal(put(bed, 12, 21, ""), GESTURE_UNDONE);
    stop(bed);
}

static void same_letters_after_deleting_are_retyped(void **state)
{
    (void)state;
    struct bed *bed = start("count\n");
    for (size_t at = 5; at > 2; at--) {
        assert_int_equal(put(bed, at - 1, at, ""), GESTURE_ERASED);
    }
    assert_int_equal(put(bed, 2, 2, "u"), GESTURE_RETYPED);
    assert_int_equal(put(bed, 3, 3, "n"), GESTURE_RETYPED);
    assert_int_equal(put(bed, 4, 4, "d"), GESTURE_TYPED);
    stop(bed);
}

static void indenting_is_never_undone(void **state)
{
    (void)state;
    struct bed *bed = start("if x:\n");
    assert_int_equal(put(bed, 6, 6, "    "), GESTURE_TYPED);
    assert_int_equal(put(bed, 6, 10, ""), GESTURE_ERASED);
    stop(bed);
}

static void whole_texts_are_read_for_their_difference(void **state)
{
    (void)state;
    struct bed *bed = start("a = 1;\nb = 2;\n");
    assert_int_equal(put(bed, 0, 14, "a = 12;\nb = 2;\n"), GESTURE_TYPED);
    assert_int_equal(put(bed, 0, 15, "a = 12;\nb = 2;\nc = 3;\nd = 4;\n"), GESTURE_PASTED);
    assert_int_equal(put(bed, 0, 29, "a = 12;\nb = 2;\n"), GESTURE_UNDONE);
    assert_int_equal(put(bed, 0, 15, "a = 12;\nb = 2;\n"), GESTURE_UNDONE); /* no edit at all */
    stop(bed);
}

static void documents_are_told_apart(void **state)
{
    (void)state;
    struct bed *bed = start("one two\n");
    uint64_t first = bed->doc;
    assert_int_equal(put(bed, 4, 7, ""), GESTURE_ERASED);
    assert_int_equal(
        documents_open(bed->documents, STR("/b.c"), STR("c"), STR("one two\n"), &bed->doc), ERR_OK);
    assert_int_equal(put(bed, 4, 4, "two"), GESTURE_INSERTED);
    bed->doc = first;
    assert_int_equal(put(bed, 4, 4, "two"), GESTURE_UNDONE);
    gestures_forget(&bed->gestures, first);
    assert_int_equal(gestures_at(&bed->gestures, first, 7), GESTURE_NONE);
    stop(bed);
}

/* Random edits, and then the inverse of the newest one: always named, whatever came before. */
static void inverse_of_any_edit_is_found(void **state)
{
    (void)state;
    unsigned seed = (unsigned)time(NULL);
    print_message("seed %u\n", seed);
    srand(seed);
    static const char *const texts[] = {"alpha beta", "x", "foo(bar, baz)", "two\nlines here",
                                        "ab"};
    for (int round = 0; round < 300; round++) {
        struct bed *bed = start("some text to begin with\nand a second line\n");
        struct open_document *doc = documents_find(bed->documents, bed->doc);
        for (int i = 0; i < 20; i++) {
            size_t len = document_len(doc->text);
            size_t at = (size_t)rand() % (len + 1);
            size_t end = at + (size_t)rand() % (len + 1 - at < 9 ? len + 1 - at : 9);
            const char *text = texts[(size_t)rand() % 5];
            struct buf old;
            buf_init(&old, 1024);
            document_copy(doc->text, at, end, &old);
            bool is_same = str_eq(buf_str(&old), str_from(text));
            (void)put(bed, at, end, text);
            enum gesture back = put(bed, at, at + strlen(text), buf_cstr(&old));
            bool is_long = old.len > 4 && str_find_char(buf_str(&old), ' ', 0) != SIZE_MAX;
            if (is_long && !is_same) {
                assert_int_equal(back, GESTURE_UNDONE);
            }
            buf_release(&old);
        }
        stop(bed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_typed),
        cmocka_unit_test(what_editors_complete_is_no_paste),
        cmocka_unit_test(several_lines_or_a_long_one_are_pasted),
        cmocka_unit_test(undoing_brings_back_what_was),
        cmocka_unit_test(typing_is_undone_in_one_edit),
        cmocka_unit_test(correcting_while_typing_is_undone_as_a_whole),
        cmocka_unit_test(deleting_a_word_is_a_key),
        cmocka_unit_test(taken_word_that_goes_is_undone),
        cmocka_unit_test(same_letters_after_deleting_are_retyped),
        cmocka_unit_test(indenting_is_never_undone),
        cmocka_unit_test(whole_texts_are_read_for_their_difference),
        cmocka_unit_test(documents_are_told_apart),
        cmocka_unit_test(inverse_of_any_edit_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
