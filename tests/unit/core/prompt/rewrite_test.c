/* rewrite_test.c - what of a model's answer may go into a file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/base/limits.h"
#include "core/prompt/rewrite.h"

#define ORIGINAL "    int total = 0;\n    return totl;"
#define FIXED    "    int total = 0;\n    return total;"

static const struct rewrite_spec replacing = {
    .original = STR_INIT(ORIGINAL),
    .before = STR_INIT("#include <stdio.h>\n\nint sum(const int *numbers, size_t n)\n{\n"),
    .after =
        STR_INIT("\n}\n\nint main(void)\n{\n    puts(\"hello\");\n    return sum(NULL, 0);\n}\n"),
    .is_whole_lines = true};

static enum err read_as(const struct rewrite_spec *spec, const char *answer, char *out,
                        struct error *why)
{
    struct buf text;
    buf_init(&text, 64 * KIB);
    enum err err = rewrite_read(spec, str_from(answer), &text, why);
    str s = buf_str(&text);
    assert_true(s.len < 4096);
    for (size_t i = 0; i < s.len; i++) {
        out[i] = s.ptr[i];
    }
    out[s.len] = '\0';
    buf_release(&text);
    return err;
}

static void code_is_found_in_what_surrounds_it(void **state)
{
    (void)state;
    static const char *const answers[] = {
        "```c\n" FIXED "\n```",
        "```\n" FIXED "\n```\n",
        "Sure! Here is the corrected code:\n\n```c\n" FIXED "\n```\n\nI renamed the variable.",
        "<think>The name is wrong. ```c\nno\n```</think>\n```c\n" FIXED "\n```",
        FIXED,
        "Here is the corrected code:\n\n" FIXED,
        "~~~\n" FIXED "\n~~~",
        "````c\n" FIXED "\n````",
        "```c\n" FIXED,                             /* never closed */
        "```c\nint total = 0;\nreturn total;\n```", /* indented anew */
        "```c\n\t\tint total = 0;\n\t\treturn total;\n```",
        "Before:\n```c\nunrelated();\n```\nAfter:\n```c\n" FIXED
        "\n```", /* the one that is like it */
        "```c\nint sum(const int *numbers, size_t n)\n{\n" FIXED
        "\n}\n```", /* with its surroundings */
        "```c\n" FIXED "\n}\n```",
    };
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        char out[4096];
        struct error why = {0};
        enum err err = read_as(&replacing, answers[i], out, &why);
        if (err != ERR_OK) {
            print_message("answer %zu: %s\n", i, why.msg);
        }
        assert_int_equal(err, ERR_OK);
        assert_string_equal(out, FIXED);
    }
}

static void what_is_no_edit_is_refused_in_words(void **state)
{
    (void)state;
    static const struct {
        const char *answer, *says;
    } rows[] = {
        {"", "nothing"},
        {" \n\t\n", "nothing"},
        {"<think>hm, what is this", "nothing"},
        {"```c\n```", "empty"},
        {"```c\n" ORIGINAL "\n```", "as it is"},
        {"The variable is called total, not totl. You should rename it.", "prose"},
        {"I'm sorry, but I can't help with that.", "prose"},
        {"```diff\n--- a/x.c\n+++ b/x.c\n@@ -1,2 +1,2 @@\n-    return totl;\n+    return "
         "total;\n```",
         "patch"},
        {"```c\n#include <stdio.h>\n\nint sum(const int *numbers, size_t n)\n{\n" FIXED
         "\n}\n\nint main(void)\n{\n    puts(\"bye\");\n    puts(\"hello\");\n    return sum(NULL, "
         "0);\n"
         "}\nint more;\n```",
         "more than was asked"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char out[4096];
        struct error why = {0};
        if (read_as(&replacing, rows[i].answer, out, &why) != ERR_PROTOCOL) {
            fail_msg("row %zu gives: %s", i, out);
        }
        if (str_find(str_from(why.msg), str_from(rows[i].says), 0) == SIZE_MAX) {
            fail_msg("row %zu says: %s", i, why.msg);
        }
    }
}

static void part_of_a_line_stays_on_its_line(void **state)
{
    (void)state;
    struct rewrite_spec spec = {
        .original = STR("a + b"), .before = STR("x = "), .after = STR(";\n")};
    char out[4096];
    struct error why;
    assert_int_equal(read_as(&spec, "```c\nadd(a, b)\n```", out, &why), ERR_OK);
    assert_string_equal(out, "add(a, b)");
}

static void insertion_gets_the_indentation_of_its_place(void **state)
{
    (void)state;
    struct rewrite_spec spec = {
        .original = STR("    def area(self):"), .is_insert = true, .indent = STR("        ")};
    char out[4096];
    struct error why;
    assert_int_equal(
        read_as(&spec, "```python\n\"\"\"The area.\n\n  In square metres.\n\"\"\"\n```", out, &why),
        ERR_OK);
    assert_string_equal(out,
                        "        \"\"\"The area.\n\n          In square metres.\n        \"\"\"");
    assert_int_equal(
        read_as(&spec, "```python\ndef area(self):\n    \"\"\"The area.\"\"\"\n```", out, &why),
        ERR_OK); /* without what stands there already */
    assert_string_equal(out, "        \"\"\"The area.\"\"\"");
    assert_int_equal(read_as(&spec, "```python\ndef area(self):\n```", out, &why), ERR_PROTOCOL);
    assert_int_equal(read_as(&spec, "```python\nfirst()\n```\n```python\nsecond()\n```", out, &why),
                     ERR_OK);
    assert_string_equal(out, "        first()");
}

static void line_of_an_object_is_cut_out_of_the_whole(void **state)
{
    (void)state;
    struct rewrite_spec spec = {.original = STR("  \"b\": 2,,"),
                                .before = STR("{\n  \"a\": 1,\n"),
                                .after = STR("\n  \"c\": 3\n}\n"),
                                .is_whole_lines = true};
    char out[4096];
    struct error why;
    assert_int_equal(
        read_as(&spec, "```json\n{\n  \"a\": 1,\n  \"b\": 2,\n  \"c\": 3\n}\n```", out, &why),
        ERR_OK);
    assert_string_equal(out, "  \"b\": 2,");
}

static void last_line_end_is_the_originals(void **state)
{
    (void)state;
    struct rewrite_spec spec = replacing;
    spec.original = STR(ORIGINAL "\n");
    char out[4096];
    struct error why;
    assert_int_equal(read_as(&spec, "```c\n" FIXED "\n\n\n```", out, &why), ERR_OK);
    assert_string_equal(out, FIXED "\n");
}

static void growing_code_is_seen_without_what_is_said_around_it(void **state)
{
    (void)state;
    static const struct {
        const char *answer, *shown;
    } rows[] = {{"", ""},
                {"<think>hm", ""},
                {"Sure", "Sure"},
                {"Sure:\n```c\nint", "int"},
                {"```c\nint x;\n```\nDone.", "int x;\n"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        str shown = rewrite_growing(str_from(rows[i].answer));
        assert_true(str_eq(shown, str_from(rows[i].shown)));
    }
}

static void any_answer_is_taken_or_refused(void **state)
{
    (void)state;
    static const char *const pieces[] = {
        "```", "```c\n",  "\n",       "~~~",         "    int total = 0;",
        "}",   "<think>", "</think>", "Here it is:", "return totl;",
        " ",   "\t",      "@@ ",      "--- a",       "\xc3\xa9",
        "{"};
    uint64_t seed = 20261125;
    print_message("seed %llu\n", (unsigned long long)seed);
    for (int round = 0; round < 20000; round++) {
        struct buf answer;
        buf_init(&answer, 4 * KIB);
        for (int i = 0; i < 14; i++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            buf_append(&answer, str_from(pieces[(seed >> 33) % 16]));
            buf_append(&answer, (seed >> 40) % 2 ? STR("\n") : STR(""));
        }
        char out[4096];
        struct error why = {0};
        enum err err = read_as(&replacing, buf_cstr(&answer), out, &why);
        assert_true(err == ERR_OK || (err == ERR_PROTOCOL && why.msg[0] != '\0'));
        assert_true(err != ERR_OK || out[0] != '\0');
        buf_release(&answer);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(code_is_found_in_what_surrounds_it),
        cmocka_unit_test(what_is_no_edit_is_refused_in_words),
        cmocka_unit_test(part_of_a_line_stays_on_its_line),
        cmocka_unit_test(insertion_gets_the_indentation_of_its_place),
        cmocka_unit_test(line_of_an_object_is_cut_out_of_the_whole),
        cmocka_unit_test(last_line_end_is_the_originals),
        cmocka_unit_test(growing_code_is_seen_without_what_is_said_around_it),
        cmocka_unit_test(any_answer_is_taken_or_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
