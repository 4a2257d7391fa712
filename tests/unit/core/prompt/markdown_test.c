/* markdown_test.c - Markdown written anew: what stays as it is, and what is shown instead of done.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/base/limits.h"
#include "core/prompt/markdown.h"

static void expect(const char *said, const char *written)
{
    struct buf out;
    buf_init(&out, 64 * KIB);
    markdown_append(&out, str_from(said));
    assert_string_equal(buf_cstr(&out), written);
    buf_release(&out);
}

static void plain_markdown_stays_as_it_is(void **state)
{
    (void)state;
    static const char *const same[] = {
        "# Title\n\nSome **bold** and *other* text with `code`.\n",
        "- one\n- two\n  1. three\n\n> quoted\n",
        "| a | b |\n|---|---|\n| 1 | 2 |\n",
        "```c\nint x = a[i] < b ? *p : !q;\n```\n",
        "~~~\n```\n~~~\n",
        "std::string and a ? b : c at 10:30\n",
        "---\n",
    };
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        expect(same[i], same[i]);
    }
    expect("", "");
}

static void what_could_act_is_shown(void **state)
{
    (void)state;
    expect("![x](y)", "\\!\\[x\\](y)\n");
    expect("[a](command:b)", "\\[a\\](`command:b`)\n");
    expect("<b>", "\\<b\\>\n");
    expect("see https://a.b/c, www.d.e.", "see `https://a.b/c,` `www.d.e.`\n");
    expect("//a.b/c", "`//a.b/c`\n");
    expect("me@a.b", "me\\@a.b\n");
    expect("a `b` ` c", "a `b` \\` c\n");
    expect("\\[a\\](b)", "\\[a\\](b)\n");
    expect("\\\\[a](b)", "\\\\\\[a\\](b)\n");
    expect("&lt;", "\\&lt;\n");
    expect("> ```", "> \\`\\`\\`\n");
}

static void code_blocks_stand_at_the_margin_and_are_closed(void **state)
{
    (void)state;
    expect("- a\n    ```c\n    int x;\n      int y;\n    ```\n[b](c)",
           "- a\n```c\nint x;\n  int y;\n```\n\\[b\\](c)\n");
    expect("```c\nint x;", "```c\nint x;\n```\n");
    expect("````\n```\n[a](b)\n````\n", "````\n```\n[a](b)\n````\n");
    expect("``` a`b\n[c](d)", "\\`\\`\\` a\\`b\n\\[c\\](d)\n");
    expect("```c evil\" onload=\nx\n```", "```c\nx\n```\n");
}

static void fence_of_code_is_longer_than_what_is_inside(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, KIB);
    markdown_append_code(&out, STR("a ```` b"), STR("c++ x"));
    assert_string_equal(buf_cstr(&out), "`````c++\na ```` b\n`````");
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_markdown_stays_as_it_is),
        cmocka_unit_test(what_could_act_is_shown),
        cmocka_unit_test(code_blocks_stand_at_the_margin_and_are_closed),
        cmocka_unit_test(fence_of_code_is_longer_than_what_is_inside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
