/* hole_test.c - what is asked of a model that only follows instructions, and what of its answer
 * fills the hole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "core/base/limits.h"
#include "core/prompt/hole.h"

#define MARK "<CURSOR>"

struct example {
    const char *before, *raw, *clean;
    enum hole_end end;
    const char *language; /* NULL: C */
    bool is_line;         /* a single line is called for */
};

static struct hole_spec spec_of(const struct example *e)
{
    return (struct hole_spec){.line_before = str_from(e->before),
                              .mark = STR(MARK),
                              .language = e->language != NULL ? str_from(e->language) : STR("c"),
                              .is_multiline = !e->is_line};
}

/* Feeds `raw` in two pieces, or where `step` isn't 0 in pieces of that many bytes. */
static enum hole_end clean_in_pieces(const struct hole_spec *spec, str raw, size_t split,
                                     size_t step, struct buf *out)
{
    struct hole *h = hole_create(spec);
    buf_clear(out);
    if (step > 0) {
        for (size_t i = 0; i < raw.len; i += step) {
            hole_feed(h, str_sub(raw, i, i + step), out);
        }
    } else {
        hole_feed(h, str_sub(raw, 0, split), out);
        hole_feed(h, str_sub(raw, split, raw.len), out);
    }
    hole_finish(h, out);
    hole_finish(h, out);
    enum hole_end end = hole_ended(h);
    if (end != HOLE_OPEN) {
        size_t n = out->len;
        hole_feed(h, STR("more"), out);
        hole_finish(h, out);
        assert_int_equal(out->len, n);
    }
    hole_destroy(h);
    return end;
}

/* At every place where it may be cut, and byte by byte. */
static void check(const struct example *e)
{
    struct hole_spec spec = spec_of(e);
    str raw = str_from(e->raw);
    struct buf out;
    buf_init(&out, MIB);
    for (size_t split = 0; split <= raw.len; split++) {
        enum hole_end end = clean_in_pieces(&spec, raw, split, 0, &out);
        if (end != e->end || !str_eq(buf_str(&out), str_from(e->clean))) {
            print_message("raw <%s> cut at %zu\n", e->raw, split);
        }
        assert_string_equal(buf_cstr(&out), e->clean);
        assert_int_equal(end, e->end);
    }
    assert_int_equal(clean_in_pieces(&spec, raw, 0, 1, &out), e->end);
    assert_string_equal(buf_cstr(&out), e->clean);
    buf_release(&out);
}

static void check_all(const struct example *examples, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        check(&examples[i]);
    }
}
#define CHECK(examples) check_all(examples, sizeof(examples) / sizeof((examples)[0]))

static void plain_text_is_given_as_it_is(void **state)
{
    (void)state;
    static const struct example examples[] = {
        {"    return ", "a + b;", "a + b;", HOLE_OPEN, NULL, false},
        {"x = ", " `a` ~ b\n``two``\nend\n", " `a` ~ b\n``two``\nend\n", HOLE_OPEN, NULL, false},
        {"if (x) {", "\n    y();\n}", "\n    y();\n}", HOLE_OPEN, NULL, false},
        {"", "String name = a;", "String name = a;", HOLE_OPEN, "java", false},
        {"", "Foo bar\n", "Foo bar\n", HOLE_OPEN, NULL, false},
        {"a", "", "", HOLE_EMPTY, NULL, false},
        {"a", " \n\n ", "", HOLE_EMPTY, NULL, false},
        {"x = ", "\n  1", "  1", HOLE_OPEN, NULL, true},
        {"    ", "\n\n    y();", "y();", HOLE_OPEN, NULL, false},
    };
    CHECK(examples);
}

static void fences_are_taken_off(void **state)
{
    (void)state;
    static const struct example examples[] = {
        {"x = ", "```\na;\n```", "a;", HOLE_FENCE_CLOSED, NULL, false},
        {"x = ", "```c\na;\n```\nThis adds.", "a;", HOLE_FENCE_CLOSED, NULL, false},
        {"x = ", "\n  ```objective-c \r\na;\r\n  ``` \r\n", "a;\r", HOLE_FENCE_CLOSED, NULL, false},
        {"x = ", "~~~\na;\n```\nb;\n~~~\n", "a;\n```\nb;", HOLE_FENCE_CLOSED, NULL, false},
        {"x = ", "````\na;\n```\nb;\n`````", "a;\n```\nb;", HOLE_FENCE_CLOSED, NULL, false},
        {"x = ", "```\na;\n```c\n", "a;\n```c\n", HOLE_OPEN, NULL, false},
        {"x = ", "```a + b;```", "a + b;", HOLE_FENCE_CLOSED, NULL, false},
        {"x = ", "```" MARK "```", "", HOLE_FENCE_CLOSED, NULL, false},
        {"x = ", "```\n```", "", HOLE_FENCE_CLOSED, NULL, false},
        {"x = ", "```c\na;\nb;", "a;\nb;", HOLE_OPEN, NULL, false}, /* cut off */
        {"x = ", "```python", "", HOLE_EMPTY, NULL, false},
        {"x = ", "a;\n```\nThat is all.", "a;", HOLE_FENCE_CLOSED, NULL, false},
    };
    CHECK(examples);
}

static void documents_that_hold_fences_keep_them(void **state)
{
    (void)state;
    static const struct example examples[] = {
        {"", "See:\n```c\na;\n```\nDone.", "See:\n```c\na;\n```\nDone.", HOLE_OPEN, "markdown",
         false},
        {"", "```c\na;\n```\n", "```c\na;\n```\n", HOLE_OPEN, "markdown", false},
        {"", "```markdown\n# A\n```\n", "# A", HOLE_FENCE_CLOSED, "markdown", false},
    };
    CHECK(examples);
}

static void lines_that_are_said_once_more_are_taken_off(void **state)
{
    (void)state;
    static const struct example examples[] = {
        {"    return a", "    return a + b;", " + b;", HOLE_OPEN, NULL, false},
        {"    return a", "return a + b;", " + b;", HOLE_OPEN, NULL, false},
        {"    return a", "```c\n  return a + b;\n```", " + b;", HOLE_FENCE_CLOSED, NULL, false},
        {"    return a", "return b;", "return b;", HOLE_OPEN, NULL, false},
        {"    return a", "return", "return", HOLE_OPEN, NULL, false},
        {"    ", "    x();\n    y();", "x();\n    y();", HOLE_OPEN, NULL, false},
        {"    ", "  x();", "  x();", HOLE_OPEN, NULL, false},
        {"(", "(a) + b)", "(a) + b)", HOLE_OPEN, NULL, false}, /* too short to tell */
        {"step();", "\nstep();", "\nstep();", HOLE_OPEN, NULL, false},
    };
    CHECK(examples);
}

static void explanations_are_refused(void **state)
{
    (void)state;
    static const struct example examples[] = {
        {"x = ", "Sure! Here is the code:\n```c\na;\n```", "", HOLE_EXPLAINS, NULL, false},
        {"x = ", "Here's the completed line:\n\na;", "", HOLE_EXPLAINS, NULL, false},
        {"x = ", "i'm sorry, but", "", HOLE_EXPLAINS, NULL, false},
        {"x = ", "The function adds two numbers.\na;", "", HOLE_EXPLAINS, NULL, false},
        {"x = ", "The function adds two numbers.", "", HOLE_EXPLAINS, NULL, false},
        {"x = ", "\n\nYou can use a loop", "", HOLE_EXPLAINS, NULL, false},
        {"x = ", "sure.value();", "sure.value();", HOLE_OPEN, NULL, false},
        {"x = ", "The", "The", HOLE_OPEN, NULL, false},
        {"x = ", "here;", "here;", HOLE_OPEN, NULL, false},
        /* sentences where they belong */
        {"// ", "The function adds two numbers.", "The function adds two numbers.", HOLE_OPEN, NULL,
         false},
        {"x = \"", "The following can't be read.\"", "The following can't be read.\"", HOLE_OPEN,
         NULL, false},
        {"", "You can use a loop.\nYes.", "You can use a loop.\nYes.", HOLE_OPEN, "markdown",
         false},
        {"// ", "Sure! Here you are:", "", HOLE_EXPLAINS, NULL, false},
        {"", "Certainly, this is it.", "", HOLE_EXPLAINS, "markdown", false},
    };
    CHECK(examples);
}

static void marks_are_no_text(void **state)
{
    (void)state;
    static const struct example examples[] = {
        {"x = ", MARK "a;", "a;", HOLE_OPEN, NULL, false},
        {"x = ", "a;" MARK "\n}", "a;", HOLE_MARK_REPEATED, NULL, false},
        {"x = ", "a <CUR> b <", "a <CUR> b <", HOLE_OPEN, NULL, false},
        {"x = ", "x = a;\n" MARK, "a;\n", HOLE_MARK_REPEATED, NULL, false},
    };
    CHECK(examples);
}

static void text_is_given_as_it_comes(void **state)
{
    (void)state;
    struct example e = {.before = "x = "};
    struct hole_spec spec = spec_of(&e);
    struct hole *h = hole_create(&spec);
    struct buf out;
    buf_init(&out, KIB);
    hole_feed(h, STR("```c"), &out);
    assert_int_equal(out.len, 0);
    hole_feed(h, STR("\nadd(a,"), &out);
    assert_string_equal(buf_cstr(&out), "add(a,");
    hole_feed(h, STR(" b);"), &out);
    assert_string_equal(buf_cstr(&out), "add(a, b);");
    hole_feed(h, STR("\n"), &out);
    assert_string_equal(buf_cstr(&out), "add(a, b);"); /* a fence may follow */
    hole_feed(h, STR("y"), &out);
    assert_string_equal(buf_cstr(&out), "add(a, b);\ny");
    hole_destroy(h);
    buf_release(&out);
}

/* However much of one thing comes, nothing grows without end and all of it counts the same. */
static void long_runs_are_bounded(void **state)
{
    (void)state;
    static const char *const UNITS[] = {"`", " ", "\n", "~", "A b ", "```\n", "x\n`", MARK, "\t\n"};
    static const char *const HEADS[] = {"", "```\n", "a\n", "```c"};
    char befores[3000];
    memset(befores, ' ', sizeof befores);
    befores[2040] = '\0';
    struct buf raw, whole, cut;
    buf_init(&raw, MIB);
    buf_init(&whole, MIB);
    buf_init(&cut, MIB);
    for (size_t i = 0; i < sizeof UNITS / sizeof *UNITS * 4; i++) {
        struct example e = {.before = i % 2 == 0 ? befores : "x = "};
        struct hole_spec spec = spec_of(&e);
        buf_clear(&raw);
        buf_append(&raw, str_from(HEADS[i % 4]));
        while (raw.len < 40000) {
            buf_append(&raw, str_from(UNITS[i / 4]));
        }
        buf_append(&raw, STR("end"));
        enum hole_end end = clean_in_pieces(&spec, buf_str(&raw), raw.len, 0, &whole);
        static const size_t STEPS[] = {1, 7, 255, 511, 512, 513, 4095, 4097};
        for (size_t s = 0; s < sizeof STEPS / sizeof *STEPS; s++) {
            assert_int_equal(clean_in_pieces(&spec, buf_str(&raw), 0, STEPS[s], &cut), end);
            assert_true(str_eq(buf_str(&whole), buf_str(&cut)));
        }
    }
    buf_release(&raw);
    buf_release(&whole);
    buf_release(&cut);
}

static void random_answers_are_cut_anywhere(void **state)
{
    (void)state;
    static const char *const WORDS[] = {"```", "`", "\n",     "c",    " ", "return ", "x = ", MARK,
                                        "<CU", "~", "Sure! ", "The ", ".", "    ",    "a;",   "\r"};
    const char *given = getenv("SEED");
    unsigned seed = given != NULL ? (unsigned)strtoul(given, NULL, 10) : 20260901u;
    print_message("SEED=%u\n", seed);
    struct buf raw, whole, cut;
    buf_init(&raw, KIB);
    buf_init(&whole, KIB * 4);
    buf_init(&cut, KIB * 4);
    for (unsigned round = 0; round < 4000; round++) {
        struct example e = {.before = round % 3 == 0 ? "    " : "  x = return ",
                            .language = round % 5 == 0 ? "markdown" : NULL,
                            .is_line = round % 2 == 0};
        struct hole_spec spec = spec_of(&e);
        buf_clear(&raw);
        for (unsigned n = 0; n < 14; n++) {
            seed = seed * 1103515245u + 12345u;
            buf_append(&raw, str_from(WORDS[(seed >> 16) % 16]));
        }
        enum hole_end end = clean_in_pieces(&spec, buf_str(&raw), raw.len, 0, &whole);
        for (size_t step = 1; step < 6; step++) {
            enum hole_end in_steps = clean_in_pieces(&spec, buf_str(&raw), 0, step, &cut);
            assert_string_equal(buf_cstr(&whole), buf_cstr(&cut));
            assert_int_equal(in_steps, end);
        }
        assert_true(str_find(buf_str(&whole), STR(MARK), 0) == SIZE_MAX);
    }
    buf_release(&raw);
    buf_release(&whole);
    buf_release(&cut);
}

static void the_mark_occurs_nowhere_else(void **state)
{
    (void)state;
    struct buf mark;
    buf_init(&mark, KIB);
    struct hole_text t = {.prefix = STR("a"), .suffix = STR("b")};
    hole_mark(&t, &mark);
    assert_string_equal(buf_cstr(&mark), "<CURSOR>");
    buf_clear(&mark);
    t = (struct hole_text){.prefix = STR("<CURSOR> <CURSOR_2>"), .suffix = STR("<CURSOR_1>")};
    hole_mark(&t, &mark);
    assert_string_equal(buf_cstr(&mark), "<CURSOR_3>");
    buf_release(&mark);
}

static void the_message_says_file_and_language(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 4 * KIB);
    struct hole_text t = {.prefix = STR("int a = "),
                          .suffix = STR(";\n<|im_end|>"),
                          .file_name = STR("a\nb.c"),
                          .language = STR("")};
    hole_message(&t, STR(MARK), &out);
    assert_string_equal(buf_cstr(&out),
                        "File: a b.c\nLanguage: C\n\nint a = " MARK ";\n< |im_end|>");
    buf_clear(&out);
    t.language = STR("cpp");
    hole_message(&t, STR(MARK), &out);
    assert_non_null(strstr(buf_cstr(&out), "Language: cpp\n"));
    buf_clear(&out);
    hole_system(STR("<CURSOR_7>"), &out);
    assert_non_null(strstr(buf_cstr(&out), "mark <CURSOR_7> stands"));
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_text_is_given_as_it_is),
        cmocka_unit_test(fences_are_taken_off),
        cmocka_unit_test(documents_that_hold_fences_keep_them),
        cmocka_unit_test(lines_that_are_said_once_more_are_taken_off),
        cmocka_unit_test(explanations_are_refused),
        cmocka_unit_test(marks_are_no_text),
        cmocka_unit_test(text_is_given_as_it_comes),
        cmocka_unit_test(long_runs_are_bounded),
        cmocka_unit_test(random_answers_are_cut_anywhere),
        cmocka_unit_test(the_mark_occurs_nowhere_else),
        cmocka_unit_test(the_message_says_file_and_language),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
