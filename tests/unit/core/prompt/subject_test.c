/* subject_test.c - which text a place stands for, in several languages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/base/limits.h"
#include "core/prompt/subject.h"

static const char c_text[] = "#include <stdio.h>\n"
                             "#define LIMIT(x) \\\n"
                             "    ((x) + 1)\n"
                             "\n"
                             "int add(int a, int b);\n"
                             "\n"
                             "static int add(int a,\n"
                             "               int b)\n"
                             "{\n"
                             "    for (int i = 0; i < b; i++) {\n"
                             "        a++;\n"
                             "    }\n"
                             "\n"
                             "    return a;\n"
                             "}\n"
                             "\n"
                             "struct pair {\n"
                             "    int left;\n"
                             "};\n"
                             "int main(void) {\n"
                             "    return add(LIMIT(1), 2);\n"
                             "}\n";
static const char py_text[] = "import os\n"
                              "\n"
                              "LIMIT = 3\n"
                              "\n"
                              "class Box:\n"
                              "    size = 1\n"
                              "\n"
                              "    @property\n"
                              "    def area(self,\n"
                              "             scale=1):\n"
                              "        if scale:\n"
                              "            return self.size * scale\n"
                              "\n"
                              "        return LIMIT\n"
                              "\n"
                              "\n"
                              "def main():\n"
                              "    print(Box().area)\n";
static const char rs_text[] = "#[derive(Debug)]\n"
                              "pub struct Point {\n"
                              "    x: i32,\n"
                              "}\n"
                              "\n"
                              "impl Point {\n"
                              "    #[inline]\n"
                              "    pub fn new(x: i32) -> Self {\n"
                              "        let y = x;\n"
                              "        Point { x: y }\n"
                              "    }\n"
                              "}\n";

static struct document *document;

static size_t place(const char *text, const char *mark)
{
    document_destroy(document);
    document = document_create(str_from(text));
    size_t at = str_find(str_from(text), str_from(mark), 0);
    assert_true(at != SIZE_MAX);
    return at;
}

static void expect(struct subject_range r, const char *text)
{
    struct buf out;
    buf_init(&out, 64 * KIB);
    document_copy(document, r.start, r.end, &out);
    assert_string_equal(buf_cstr(&out), text);
    buf_release(&out);
}

static int drop(void **state)
{
    (void)state;
    document_destroy(document);
    document = NULL;
    return 0;
}

static void block_is_the_function_around_a_line(void **state)
{
    (void)state;
    static const char add[] = "static int add(int a,\n               int b)\n{\n"
                              "    for (int i = 0; i < b; i++) {\n        a++;\n    }\n\n"
                              "    return a;\n}";
    static const char *const marks[] = {"a++;",       "    }\n\n",   "    return a;",
                                        "{\n    for", "}\n\nstruct", "for (int"};
    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++) {
        expect(subject_block(document, place(c_text, marks[i])), add);
    }
    expect(subject_block(document, place(c_text, "int left")), "struct pair {\n    int left;\n};");
    expect(subject_block(document, place(c_text, "int main")),
           "int main(void) {\n    return add(LIMIT(1), 2);\n}");
}

static void block_is_nothing_between_definitions(void **state)
{
    (void)state;
    static const char *const marks[] = {"#include", "int add(int a, int b);", "\nstruct"};
    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++) {
        struct subject_range r = subject_block(document, place(c_text, marks[i]));
        assert_int_equal(r.start, r.end);
    }
    struct subject_range r = subject_block(document, place(py_text, "LIMIT = 3"));
    assert_int_equal(r.start, r.end);
    document_destroy(document);
    document = document_create(STR(""));
    r = subject_block(document, 0);
    assert_int_equal(r.start, r.end);
}

static void block_of_python_and_rust_has_its_attributes(void **state)
{
    (void)state;
    static const char area[] = "    @property\n    def area(self,\n             scale=1):\n"
                               "        if scale:\n            return self.size * scale\n\n"
                               "        return LIMIT";
    expect(subject_block(document, place(py_text, "self.size * scale")), area);
    expect(subject_block(document, place(py_text, "        return LIMIT")), area);
    expect(subject_block(document, place(rs_text, "let y")),
           "    #[inline]\n    pub fn new(x: i32) -> Self {\n        let y = x;\n"
           "        Point { x: y }\n    }");
    expect(subject_block(document, place(rs_text, "x: i32,")),
           "#[derive(Debug)]\npub struct Point {\n    x: i32,\n}");
}

static void head_ends_where_the_body_begins(void **state)
{
    (void)state;
    size_t at = place(py_text, "self.size * scale");
    size_t end = subject_head_end(document, subject_block(document, at));
    expect((struct subject_range){end - 10, end}, " scale=1):");
    at = place(c_text, "return add");
    end = subject_head_end(document, subject_block(document, at));
    expect((struct subject_range){end - 5, end}, "id) {");
}

static void symbol_is_the_word_at_the_place(void **state)
{
    (void)state;
    size_t at = place(c_text, "add(LIMIT");
    expect(subject_symbol(document, at), "add");
    expect(subject_symbol(document, at + 2), "add");
    expect(subject_symbol(document, at + 3), "add"); /* right behind it */
    struct subject_range r = subject_symbol(document, place(c_text, "1), 2"));
    assert_int_equal(r.start, r.end); /* a number */
    r = subject_symbol(document, place(c_text, "{\n    for"));
    assert_int_equal(r.start, r.end);
    at = place("x = gr\xc3\xb6\xc3\x9f"
               "e + 1\n",
               "\xc3\x9f");
    expect(subject_symbol(document, at), "gr\xc3\xb6\xc3\x9f"
                                         "e");
}

static void definition_is_found_by_its_form(void **state)
{
    (void)state;
    size_t at = place(c_text, "add(LIMIT");
    struct subject_range r = subject_definition(document, STR("add"), at);
    assert_int_equal(r.start, str_find(str_from(c_text), STR("static int add"), 0));
    expect(subject_definition(document, STR("LIMIT"), at), "#define LIMIT(x) \\\n    ((x) + 1)");
    expect(subject_definition(document, STR("pair"), at), "struct pair {\n    int left;\n};");
    at = place(py_text, "print");
    expect(subject_definition(document, STR("LIMIT"), at), "LIMIT = 3");
    r = subject_definition(document, STR("area"), at);
    assert_int_equal(r.start, str_find(str_from(py_text), STR("    @property"), 0));
    at = place(rs_text, "Point { x: y }");
    expect(subject_definition(document, STR("new"), at),
           "    #[inline]\n    pub fn new(x: i32) -> Self {\n        let y = x;\n"
           "        Point { x: y }\n    }");
    r = subject_definition(document, STR("nowhere"), at);
    assert_int_equal(r.start, r.end);
}

static void comment_is_an_instruction(void **state)
{
    (void)state;
    static const struct {
        const char *text, *comment;
    } rows[] = {
        {"// make it\n// faster\nint f(void);\n", "make it faster"},
        {"/* make it faster */ int f(void);\n", "make it faster"},
        {"/*\n * make it\n * faster\n */\nint f;\n", "make it faster"},
        {"    # use a dict\n    x = []\n", "use a dict"},
        {"-- use ipairs\nfor i = 1, 3 do\n", "use ipairs"},
        {"#include <x.h>\n", ""},
        {"#[inline]\nfn f() {}\n", ""},
        {"int f(void); // not at the start\n", ""},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        document_destroy(document);
        document = document_create(str_from(rows[i].text));
        struct buf out;
        buf_init(&out, KIB);
        subject_comment(document, 0, document_len(document), &out);
        assert_string_equal(buf_cstr(&out), rows[i].comment);
        buf_release(&out);
    }
}

/* Whatever the text: no crash, ranges inside of it, whole lines. */
static void ranges_are_sound_for_any_text(void **state)
{
    (void)state;
    static const char alphabet[] = "{}()[]:;,.=# \t\n\n\nabif@/*\"";
    uint64_t seed = 20261125;
    print_message("seed %llu\n", (unsigned long long)seed);
    for (int round = 0; round < 3000; round++) {
        char text[400];
        size_t len = 0;
        while (len < sizeof text - 1) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            text[len++] = alphabet[(seed >> 33) % (sizeof alphabet - 1)];
        }
        document_destroy(document);
        document = document_create(str_of(text, len));
        size_t at = (seed >> 20) % (len + 1);
        struct subject_range ranges[] = {subject_block(document, at), subject_symbol(document, at),
                                         subject_definition(document, STR("a"), at),
                                         subject_definition(document, STR("if"), at)};
        for (size_t i = 0; i < 4; i++) {
            assert_true(ranges[i].start <= ranges[i].end && ranges[i].end <= len);
        }
        assert_true(subject_head_end(document, ranges[0]) <= len);
    }
}

static uint64_t draw(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return *seed >> 33;
}

/* Appends uses of `name`, other words and definitions; notes where the definitions begin. */
static size_t grow_text(struct buf *text, uint64_t *seed, size_t *defined_at, size_t max)
{
    size_t n = 0;
    while (text->len < 400u * KIB) {
        uint64_t what = draw(seed) % 64;
        if (what == 0 && n < max && draw(seed) % 32 == 0) {
            defined_at[n++] = text->len;
            buf_append(text, STR("def name(x):\n    return x\n"));
        } else if (what < 4) {
            buf_append(text, STR("y = name(3) + rename(name)\n"));
        } else {
            buf_appendf(text, "%.*s()\n", (int)(draw(seed) % 40) + 1,
                        "some_other_word_that_is_called_without_name_s");
        }
    }
    return n;
}

static void definition_is_the_nearest_above_else_below(void **state)
{
    (void)state;
    uint64_t seed = 20261126;
    print_message("seed %llu\n", (unsigned long long)seed);
    for (int round = 0; round < 12; round++) {
        struct buf text;
        size_t defined_at[64];
        buf_init(&text, MIB);
        size_t n = grow_text(&text, &seed, defined_at, 64);
        document_destroy(document);
        document = document_create(buf_str(&text));
        for (int look = 0; look < 50; look++) {
            size_t near = draw(&seed) % (text.len + 1);
            size_t line_end = document_line_end(document, document_line_at(document, near));
            size_t above = SIZE_MAX;
            size_t below = SIZE_MAX;
            for (size_t i = 0; i < n; i++) {
                bool is_near = defined_at[i] + 4 + SUBJECT_SEARCH_BYTES >= line_end &&
                               defined_at[i] + 4 < line_end + SUBJECT_SEARCH_BYTES;
                above = is_near && defined_at[i] < line_end ? defined_at[i] : above;
                below = is_near && defined_at[i] >= line_end && below == SIZE_MAX ? defined_at[i]
                                                                                  : below;
            }
            size_t expected = above != SIZE_MAX ? above : below;
            struct subject_range r = subject_definition(document, STR("name"), near);
            assert_true(expected == SIZE_MAX ? r.start == r.end : r.start == expected);
            assert_true(expected == SIZE_MAX || r.end == expected + 25);
            /* The gap goes where somebody types. */
            size_t at = draw(&seed) % (text.len + 1);
            assert_int_equal(document_edit(document, at, at, STR("z")), ERR_OK);
            assert_int_equal(document_edit(document, at, at + 1, STR("")), ERR_OK);
        }
        buf_release(&text);
    }
}

static void definition_isnt_looked_for_behind_thousands_of_uses(void **state)
{
    (void)state;
    struct buf text;
    buf_init(&text, MIB);
    buf_append(&text, STR("def name(x):\n    return x\n"));
    for (unsigned i = 0; i < SUBJECT_MAX_PLACES - 2; i++) {
        buf_append(&text, STR("y = name\n"));
    }
    document = document_create(buf_str(&text));
    struct subject_range r = subject_definition(document, STR("name"), text.len);
    assert_true(r.start == 0 && r.end == 25);
    for (unsigned i = 0; i < 2 * SUBJECT_MAX_PLACES; i++) {
        buf_append(&text, STR("y = name\n"));
    }
    document_destroy(document);
    document = document_create(buf_str(&text));
    r = subject_definition(document, STR("name"), text.len);
    assert_true(r.start == r.end);
    buf_release(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(block_is_the_function_around_a_line, drop),
        cmocka_unit_test_teardown(block_is_nothing_between_definitions, drop),
        cmocka_unit_test_teardown(block_of_python_and_rust_has_its_attributes, drop),
        cmocka_unit_test_teardown(head_ends_where_the_body_begins, drop),
        cmocka_unit_test_teardown(symbol_is_the_word_at_the_place, drop),
        cmocka_unit_test_teardown(definition_is_found_by_its_form, drop),
        cmocka_unit_test_teardown(definition_is_the_nearest_above_else_below, drop),
        cmocka_unit_test_teardown(definition_isnt_looked_for_behind_thousands_of_uses, drop),
        cmocka_unit_test_teardown(comment_is_an_instruction, drop),
        cmocka_unit_test_teardown(ranges_are_sound_for_any_text, drop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
