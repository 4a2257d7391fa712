/* str_test.c - slices and growable strings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "core/base/memory.h"
#include "core/base/str.h"

static void assert_str(str is, const char *should)
{
    if (!str_eq(is, str_from(should))) {
        fail_msg("\"" STR_FMT "\" instead of \"%s\"", STR_ARG(is), should);
    }
}

static void str_compares(void **state)
{
    (void)state;
    str none = {0};
    assert_true(str_eq(none, STR("")) && str_eq(str_from(NULL), none));
    assert_true(str_eq(STR("a\0b"), STR("a\0b")) && !str_eq(STR("a\0b"), STR("a\0c")));
    assert_false(str_eq(STR("a"), STR("ab")));
    assert_true(str_eq_nocase(STR("aZ@[`{"), STR("Az@[`{")));
    assert_false(str_eq_nocase(STR("@"), STR("`")) || str_eq_nocase(STR("["), STR("{")));
    assert_false(str_eq_nocase(STR("\xC3\xA9"), STR("\xC3\x89")));
    assert_true(str_starts_with(STR("abc"), STR("ab")) && str_starts_with(none, none));
    assert_false(str_starts_with(STR("a"), STR("ab")));
    assert_true(str_ends_with(STR("abc"), STR("bc")) && str_ends_with(STR("abc"), none));
    assert_false(str_ends_with(STR("c"), STR("bc")) || str_ends_with(none, STR("c")));
}

static void str_finds(void **state)
{
    (void)state;
    str none = {0};
    assert_int_equal(str_find(STR("abcabc"), STR("bc"), 0), 1);
    assert_int_equal(str_find(STR("abcabc"), STR("bc"), 2), 4);
    assert_int_equal(str_find(STR("abcabc"), STR("bc"), 5), SIZE_MAX);
    assert_int_equal(str_find(STR("abc"), STR("bc"), 99), SIZE_MAX);
    assert_int_equal(str_find(STR("abc"), none, 3), 3);
    assert_int_equal(str_find(none, STR("a"), 0), SIZE_MAX);
    assert_int_equal(str_find_char(STR("a.b."), '.', 2), 3);
    assert_int_equal(str_find_char(STR("a.b"), '.', 3), SIZE_MAX);
    assert_int_equal(str_find_char(none, '.', 0), SIZE_MAX);
    assert_true(str_contains_nocase(STR("Qwen2.5-Coder"), STR("coder")));
    assert_true(str_contains_nocase(none, none));
    assert_false(str_contains_nocase(STR("code"), STR("coder")));
}

static void str_cuts(void **state)
{
    (void)state;
    str none = {0};
    assert_str(str_sub(STR("abcd"), 1, 3), "bc");
    assert_str(str_sub(STR("abcd"), 2, 99), "cd");
    assert_str(str_sub(STR("abcd"), 9, 99), "");
    assert_str(str_sub(STR("abcd"), 3, 1), "");
    assert_str(str_sub(none, 0, 1), "");
    assert_str(str_trim(STR(" \t\r\n a b \n")), "a b");
    assert_str(str_trim(STR(" \n")), "");
    assert_str(str_trim_end(STR(" a \r\n")), " a");
    assert_str(str_trim(none), "");
}

static void str_next_splits(void **state)
{
    (void)state;
    str rest = STR("a,,bc,"), part;
    assert_true(str_next(&rest, ',', &part));
    assert_str(part, "a");
    assert_true(str_next(&rest, ',', &part));
    assert_str(part, "");
    assert_true(str_next(&rest, ',', &part));
    assert_str(part, "bc");
    assert_false(str_next(&rest, ',', &part));
    rest = STR("x");
    assert_true(str_next(&rest, ',', &part));
    assert_str(part, "x");
    assert_false(str_next(&rest, ',', &part));
}

static void str_to_u64_takes_only_numbers(void **state)
{
    static const char *const wrong[] = {"",
                                        "-1",
                                        "+1",
                                        " 1",
                                        "1 ",
                                        "1a",
                                        "0x1",
                                        "1.0",
                                        "18446744073709551616",
                                        "99999999999999999999999"};
    uint64_t n = 5;
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_false(str_to_u64(str_from(wrong[i]), UINT64_MAX, &n));
        assert_int_equal(n, 5);
    }
    assert_true(str_to_u64(STR("18446744073709551615"), UINT64_MAX, &n) && n == UINT64_MAX);
    assert_true(str_to_u64(STR("007"), 7, &n) && n == 7);
    assert_false(str_to_u64(STR("8"), 7, &n));
}

static void buf_grows_and_stays_terminated(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 100000);
    assert_string_equal(buf_cstr(&b), "");
    for (int i = 0; i < 10000; i++) {
        buf_append(&b, STR("0123456789"));
        assert_int_equal(b.ptr[b.len], '\0');
    }
    assert_int_equal(b.len, 100000);
    assert_false(b.is_full);
    buf_append_char(&b, 'x');
    assert_true(b.is_full);
    assert_int_equal(b.len, 100000);
    assert_true(b.cap <= 100001);
    buf_release(&b);
    buf_release(&b);
    buf_release(NULL);
}

static void buf_full_stays_full_until_cleared(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 4);
    buf_append(&b, STR("abc"));
    buf_append(&b, STR("de"));
    buf_append(&b, STR("f"));
    buf_appendf(&b, "%d", 1);
    assert_true(b.is_full && b.len == 3);
    assert_null(buf_reserve(&b, 0));
    buf_clear(&b);
    assert_false(b.is_full);
    buf_append(&b, STR("wxyz"));
    assert_string_equal(buf_cstr(&b), "wxyz");
    buf_release(&b);
    struct buf zero = {0};
    buf_append(&zero, STR(""));
    assert_false(zero.is_full);
    buf_append(&zero, STR("a"));
    assert_true(zero.is_full);
    assert_null(zero.ptr);
}

static void buf_without_a_limit_takes_all(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, SIZE_MAX);
    buf_append(&b, STR("abc"));
    assert_string_equal(buf_cstr(&b), "abc");
    assert_null(buf_reserve(&b, SIZE_MAX));
    assert_true(b.is_full);
    buf_release(&b);
}

static void buf_appendf_formats_whole_or_not_at_all(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 100);
    buf_appendf(&b, "%d-%s", 42, "x");
    assert_string_equal(buf_cstr(&b), "42-x");
    buf_appendf(&b, "%80s", "y");
    assert_int_equal(b.len, 84);
    buf_appendf(&b, "%50s", "z");
    assert_true(b.is_full);
    assert_int_equal(b.len, 84);
    assert_int_equal(strlen(buf_cstr(&b)), 84);
    buf_release(&b);
    buf_init(&b, 10);
    buf_appendf(&b, "%s", "");
    buf_appendf(&b, "%s", "0123456789");
    assert_string_equal(buf_cstr(&b), "0123456789");
    buf_release(&b);
}

static void buf_reserve_and_commit_fill_in_place(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 8);
    char *to = buf_reserve(&b, 8);
    assert_non_null(to);
    memcpy(to, "abcdefgh", 8);
    buf_commit(&b, 3);
    assert_string_equal(buf_cstr(&b), "abc");
    assert_null(buf_reserve(&b, 6));
    buf_release(&b);
}

static void buf_splices(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 10);
    buf_splice(&b, 0, 0, STR(""));
    buf_splice(&b, 0, 0, STR("hello"));
    buf_splice(&b, 1, 4, STR("a"));
    assert_string_equal(buf_cstr(&b), "hao");
    buf_splice(&b, 3, 3, STR("!!"));
    buf_splice(&b, 0, 1, STR("ciao c"));
    assert_string_equal(buf_cstr(&b), "ciao cao!!");
    buf_splice(&b, 0, 0, STR("x"));
    assert_true(b.is_full);
    assert_string_equal(buf_cstr(&b), "ciao cao!!");
    buf_clear(&b);
    buf_append(&b, STR("abcdef"));
    buf_splice(&b, 0, 6, STR(""));
    assert_string_equal(buf_cstr(&b), "");
    buf_append(&b, STR("abcdef"));
    buf_consume(&b, 2);
    assert_string_equal(buf_cstr(&b), "cdef");
    buf_consume(&b, 0);
    buf_truncate(&b, 1);
    assert_string_equal(buf_cstr(&b), "c");
    buf_release(&b);
}

static void str_after_last_takes_what_follows(void **state)
{
    (void)state;
    assert_true(str_eq(str_after_last(STR("/a/b.c"), '/'), STR("b.c")));
    assert_true(str_eq(str_after_last(STR("a/"), '/'), STR("")));
    assert_true(str_eq(str_after_last(STR("abc"), '/'), STR("abc")));
    assert_true(str_eq(str_after_last((str){0}, '/'), STR("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(str_after_last_takes_what_follows),
        cmocka_unit_test(str_compares),
        cmocka_unit_test(str_finds),
        cmocka_unit_test(str_cuts),
        cmocka_unit_test(str_next_splits),
        cmocka_unit_test(str_to_u64_takes_only_numbers),
        cmocka_unit_test(buf_grows_and_stays_terminated),
        cmocka_unit_test(buf_full_stays_full_until_cleared),
        cmocka_unit_test(buf_without_a_limit_takes_all),
        cmocka_unit_test(buf_appendf_formats_whole_or_not_at_all),
        cmocka_unit_test(buf_reserve_and_commit_fill_in_place),
        cmocka_unit_test(buf_splices),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
