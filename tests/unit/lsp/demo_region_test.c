/* demo_region_test.c - the demo types code, where the file has some that resembles the rest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/base/limits.h"
#include "core/base/utf8.h"
#include "lsp/demo_region.h"

#define WANTED 450

static str take(str text, struct demo_region r)
{
    return str_sub(text, r.start, r.end);
}

/* A file of `n` functions in C with ten statements each. */
static void write_c(struct buf *out, int n)
{
    for (int f = 0; f < n; f++) {
        buf_appendf(out, "static int function_%d(int value)\n{\n", f);
        for (int i = 0; i < 10; i++) {
            buf_appendf(out, "    int local_%d = compute(value, %d);\n", i, f);
        }
        buf_append(out, STR("    return 0;\n}\n\n"));
    }
}

static void region_is_a_body_in_the_middle(void **state)
{
    (void)state;
    struct buf text = {0};
    buf_init(&text, MIB);
    write_c(&text, 9);
    struct demo_region r;
    assert_true(demo_region_find(buf_str(&text), WANTED, &r));
    str body = take(buf_str(&text), r);
    assert_true(str_starts_with(body, STR("    int local_0 = compute(value, ")));
    assert_int_equal(text.ptr[r.start - 1], '\n');
    assert_int_equal(text.ptr[r.end], '\n');
    assert_true(r.start > text.len / 4 && r.end < text.len);
    assert_true(body.len >= 300 && str_find(body, STR("}"), 0) == SIZE_MAX);
    buf_release(&text);
}

static void region_of_python_is_found_by_indentation(void **state)
{
    (void)state;
    struct buf text = {0};
    buf_init(&text, MIB);
    for (int i = 0; i < 6; i++) {
        buf_appendf(&text, "def f%d(a, b):\n", i);
        for (int line = 0; line < 12; line++) {
            buf_appendf(&text, "    total = total + a * b - %d  # \xc3\xa4\n", line);
        }
        buf_append(&text, STR("\n"));
    }
    struct demo_region r;
    assert_true(demo_region_find(buf_str(&text), WANTED, &r));
    assert_true(str_starts_with(take(buf_str(&text), r), STR("    total")));
    assert_true(utf8_is_valid(take(buf_str(&text), r)));
    buf_release(&text);
}

static void region_of_prose_is_lines_from_the_middle(void **state)
{
    (void)state;
    struct buf text = {0};
    buf_init(&text, MIB);
    for (int i = 0; i < 200; i++) {
        buf_appendf(&text, "This is sentence %d of a text without code.\r\n", i);
    }
    struct demo_region r;
    assert_true(demo_region_find(buf_str(&text), WANTED, &r));
    assert_true(str_starts_with(take(buf_str(&text), r), STR("This is")));
    assert_int_equal(text.ptr[r.end], '\r');
    buf_release(&text);
}

static void region_of_nothing_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "\n", "int x;\n", "{\n}\n", "\n\n\n\n\n\n\n\n\n"};
    struct demo_region r;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_false(demo_region_find(str_from(texts[i]), WANTED, &r));
    }
}

static void region_resembles_the_rest_of_the_file(void **state)
{
    (void)state;
    struct buf text = {0};
    buf_init(&text, MIB);
    for (int f = 0; f < 9; f++) {
        buf_appendf(&text, "static void f%d(struct list *list)\n{\n", f);
        for (int i = 0; i < 8; i++) {
            if (f == 2 || f == 6) {
                buf_append(&text, STR("    list_append(list, list->head->next, value);\n"));
            } else {
                buf_appendf(&text, "    word%d_%d /= other%d_%d %% third%d_%d;\n", f, i, f, i, f,
                            i);
            }
        }
        buf_append(&text, STR("}\n\n"));
    }
    struct demo_region r;
    assert_true(demo_region_find(buf_str(&text), WANTED, &r));
    assert_true(str_starts_with(take(buf_str(&text), r), STR("    list_append(")));
    buf_release(&text);
}

static void region_is_no_comment(void **state)
{
    (void)state;
    struct buf text = {0};
    buf_init(&text, MIB);
    for (int f = 0; f < 4; f++) {
        buf_appendf(&text, "def f%d():\n", f);
        for (int i = 0; i < 12; i++) {
            buf_append(&text, f == 3 ? STR("    call(first, second, third)\n")
                                     : STR("    # words that everybody writes here\n"));
        }
    }
    struct demo_region r;
    assert_true(demo_region_find(buf_str(&text), WANTED, &r));
    assert_true(str_starts_with(take(buf_str(&text), r), STR("    call(")));
    buf_release(&text);
}

/* Of a text that is too large to be looked at as a whole, only the middle is. */
static void region_of_a_large_file_is_found_in_its_middle(void **state)
{
    (void)state;
    struct buf text = {0};
    buf_init(&text, 4 * MIB);
    while (text.len < 3 * MIB) {
        write_c(&text, 50);
    }
    struct demo_region r;
    assert_true(demo_region_find(buf_str(&text), WANTED, &r));
    assert_in_range(r.start, text.len / 4, text.len * 3 / 4);
    assert_int_equal(text.ptr[r.start - 1], '\n');
    buf_release(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(region_is_a_body_in_the_middle),
        cmocka_unit_test(region_of_python_is_found_by_indentation),
        cmocka_unit_test(region_of_prose_is_lines_from_the_middle),
        cmocka_unit_test(region_of_nothing_is_refused),
        cmocka_unit_test(region_resembles_the_rest_of_the_file),
        cmocka_unit_test(region_is_no_comment),
        cmocka_unit_test(region_of_a_large_file_is_found_in_its_middle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
