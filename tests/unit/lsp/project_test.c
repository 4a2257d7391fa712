/* project_test.c - two narrowings joined narrow as both. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "core/base/limits.h"
#include "lsp/project.h"

static void assert_join(const char *a, const char *b, const char *should)
{
    struct arena arena = {0};
    struct json left, right;
    struct buf out;
    buf_init(&out, MIB);
    assert_int_equal(json_parse(str_from(a), &arena, &left, NULL), ERR_OK);
    assert_int_equal(json_parse(str_from(b), &arena, &right, NULL), ERR_OK);
    struct json_writer w = json_writer(&out);
    project_join(left, right, &w);
    assert_string_equal(buf_cstr(&out), should);
    buf_release(&out);
    arena_release(&arena);
}

static void project_join_takes_the_narrower_value(void **state)
{
    (void)state;
    assert_join("true", "false", "false");
    assert_join("false", "true", "false");
    assert_join("true", "true", "true");
    assert_join("3", "2.5", "2.5");
    assert_join("1", "2", "1");
}

static void project_join_puts_lists_one_after_the_other(void **state)
{
    (void)state;
    assert_join("[\"a\",1]", "[\"b\"]", "[\"a\",1,\"b\"]");
    assert_join("[]", "[]", "[]");
}

static void project_join_goes_into_objects(void **state)
{
    (void)state;
    assert_join("{\"enable\":true,\"limits\":{\"x\":5,\"y\":1}}",
                "{\"exclude\":[\"s\"],\"limits\":{\"x\":4,\"z\":2}}",
                "{\"enable\":true,\"limits\":{\"x\":4,\"y\":1,\"z\":2},\"exclude\":[\"s\"]}");
}

static void project_join_keeps_the_first_of_different_kinds(void **state)
{
    (void)state;
    assert_join("\"a\"", "\"b\"", "\"a\"");
    assert_join("1", "[1]", "1");
    assert_join("null", "true", "null");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(project_join_takes_the_narrower_value),
        cmocka_unit_test(project_join_puts_lists_one_after_the_other),
        cmocka_unit_test(project_join_goes_into_objects),
        cmocka_unit_test(project_join_keeps_the_first_of_different_kinds),
    };
    return cmocka_run_group_tests_name("project", tests, NULL, NULL);
}
