/* glob_test.c - path patterns, against tables and against a matcher that tries everything. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "core/base/glob.h"
#include "core/base/hash.h"
#include "core/base/limits.h"

static const struct {
    const char *pattern, *path;
    bool is_match;
} cases[] = {
    /* names, at any depth */
    {"a", "a", true},
    {"a", "b", false},
    {"a", "x/y/a", true},
    {"a", "a/b", false},
    {"*.pem", "key.pem", true},
    {"*.pem", "x/key.pem", true},
    {"*.pem", "key.pem.txt", false},
    {".env*", ".env", true},
    {".env*", "x/.env.local", true},
    {".env*", "x/env", false},
    {"id_*", "id_rsa", true},
    {"*", "a/b", true},
    {"**", "a/b", true},
    {"*", "", true},
    {"", "", false},
    {"", "a", false},
    {"?", "a", true},
    {"?", "", false},
    {"?", "ab", false},
    {"?", "\xC3\xA9", true},
    {"?", "\xFF", true},
    {"a*b*c", "aXbYbZc", true},
    {"a*b*c", "aXcYb", false},
    {"*a*a*a*b", "aaaaaaaaaaaa", false},
    {"**a", "xa", true},
    {"a**b", "axxb", true},
    /* paths */
    {"/a", "a", true},
    {"/a", "x/a", false},
    {"a/b", "a/b", true},
    {"a/b", "x/a/b", false},
    {"a/*", "a/b", true},
    {"a/*", "a/b/c", false},
    {"a/*", "a/", true},
    {"a/*/c", "a/b/c", true},
    {"a/*/c", "a/b/b/c", false},
    {"a?b", "a/b", false},
    {"x/a?b", "x/a/b", false},
    {"a/b*", "a/bcd", true},
    {"a*/b", "abc/b", true},
    {"a*/b", "a/c/b", false},
    {"a/b**", "a/bc", true},
    {"a/b**", "a/bc/d", false},
    {"ollama/qwen*", "ollama/qwen2.5-coder:1.5b", true},
    {"ollama/qwen*", "work/qwen2.5", false},
    /* several names */
    {"**/a", "a", true},
    {"**/a", "x/y/a", true},
    {"**/a", "x/ya", false},
    {"a/**", "a/b", true},
    {"a/**", "a/b/c", true},
    {"a/**", "a", false},
    {"a/**", "a/", false},
    {"a/**/b", "a/b", true},
    {"a/**/b", "a/x/b", true},
    {"a/**/b", "a/x/y/b", true},
    {"a/**/b", "a/xb", false},
    {"a/**/b/*.c", "a/b/x/b/y.c", true},
    {"a/**/b/*.c", "a/b/x/y.c", false},
    {"**/a/**/b/**/c", "a/x/b/a/y/b/z/c", true},
    {"**/a/**/b/**/c", "a/x/c/b/y", false},
    {"**/*.key", "x/y/z.key", true},
    {"**/x*y/z", "xay/xby/z", true},
    {"**/**/a", "a", true},
    {"/**/a", "x/a", true},
    /* directories */
    {"a/", "a/b", true},
    {"a/", "x/a/b/c", true},
    {"a/", "a", false},
    {"a/", "x/a", false},
    {"/a/", "a/b", true},
    {"/a/", "x/a/b", false},
    {"a/b/", "a/b/c/d", true},
    {"a/b/", "x/a/b/c", false},
    {"node_*/", "web/node_modules/x/y.js", true},
    {"/", "a/b", false},
    /* sets */
    {"[abc]", "b", true},
    {"[abc]", "d", false},
    {"[a-c]x", "bx", true},
    {"[!a-c]", "d", true},
    {"[!a-c]", "b", false},
    {"[^a]", "b", true},
    {"[]]", "]", true},
    {"[]-a]", "^", true},
    {"[!]]", "]", false},
    {"[a-]", "-", true},
    {"[-a]", "-", true},
    {"[\\]]", "]", true},
    {"[\\-z]", "-", true},
    {"[\\-z]", "a", false},
    {"[", "[", true},
    {"[a", "[a", true},
    {"[a", "a", false},
    {"[]", "[]", true},
    {"[!]", "[!]", true},
    {"x/a[/]b", "x/a/b", false},
    {"x/a[!x]b", "x/a/b", false},
    {"[\xC3\xA0-\xC3\xA9]", "\xC3\xA5", true},
    {"[\xC3\xA0-\xC3\xA9]", "\xC3\xAA", false},
    {"[z-a]", "m", false},
    /* escapes */
    {"\\*", "*", true},
    {"\\*", "a", false},
    {"\\?\\[", "?[", true},
    {"a\\", "a\\", true},
    {"\\a", "a", true},
    {"\xFF", "\xFF", true},
    {"\xFF", "\xFE", false},
};

static void glob_matches_as_the_table_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        str pattern = str_from(cases[i].pattern), path = str_from(cases[i].path);
        if (glob_matches(pattern, path, false) != cases[i].is_match) {
            fail_msg("\"%s\" and \"%s\"", cases[i].pattern, cases[i].path);
        }
    }
}

static void glob_ignores_case_when_told(void **state)
{
    (void)state;
    assert_false(glob_matches(STR(".env"), STR(".ENV"), false));
    assert_true(glob_matches(STR(".env"), STR("x/.ENV"), true));
    assert_true(glob_matches(STR("*.PEM"), STR("key.pem"), true));
    assert_true(glob_matches(STR("[a-c]X"), STR("Bx"), true));
    assert_true(glob_matches(STR("[A-C]"), STR("b"), true));
    assert_false(glob_matches(STR("[!a-c]"), STR("B"), true));
    assert_false(glob_matches(STR("[[-`]"), STR("{"), true));
    assert_false(glob_matches(STR("@"), STR("`"), true));
}

/* Tries everything; for short texts over a few characters only. */
static bool try_all(const char *p, const char *s, bool is_name_start)
{
    if (is_name_start && p[0] == '*' && p[1] == '*' && (p[2] == '/' || p[2] == '\0')) {
        if (p[2] == '\0') {
            return *s != '\0';
        }
        bool is_match = try_all(p + 3, s, true);
        for (; !is_match && *s; s++) {
            is_match = *s == '/' && try_all(p + 3, s + 1, true);
        }
        return is_match;
    }
    if (*p == '\0') {
        return *s == '\0';
    }
    if (*p == '*') {
        return try_all(p + 1, s, false) || (*s && *s != '/' && try_all(p, s + 1, false));
    }
    if (*s == '\0' || (*p == '?' ? *s == '/' : *p != *s)) {
        return false;
    }
    return try_all(p + 1, s + 1, *p == '/');
}

static void fill(char *text, uint64_t r, const char *alphabet, size_t n_letters)
{
    size_t len = 1 + r % 9;
    r /= 9;
    for (size_t i = 0; i < len; i++, r /= n_letters) {
        text[i] = alphabet[r % n_letters];
    }
    text[len] = '\0';
}

static void glob_agrees_with_trying_everything(void **state)
{
    (void)state;
    const char *given = getenv("SEED"), *rounds = getenv("ITERATIONS");
    uint64_t seed = given ? strtoull(given, NULL, 10) : hash_str(STR("glob"));
    print_message("SEED=%llu\n", (unsigned long long)seed);
    size_t n_matches = 0;
    for (unsigned long i = rounds ? strtoul(rounds, NULL, 10) : 300000; i > 0; i--) {
        /* A slash at the front makes it a pattern from the root. */
        char pattern[12] = "/", path[12];
        seed = hash_keyed((uint64_t[2]){5, 6}, &seed, sizeof seed);
        fill(pattern + 1, seed, "*a*/b?", 6);
        fill(path, hash_mix(seed, 1), "ab/", 3);
        if (str_ends_with(str_from(pattern), STR("/")) || strcmp(pattern + 1, "**") == 0) {
            continue;
        }
        bool is_match = try_all(pattern + 1, path, true);
        n_matches += is_match;
        if (glob_matches(str_from(pattern), str_from(path), false) != is_match) {
            fail_msg("\"%s\" and \"%s\": %d", pattern, path, is_match);
        }
    }
    assert_true(rounds || n_matches > 1000);
}

static void fill_with(struct buf *b, str head, size_t n, str part, str tail)
{
    buf_clear(b);
    buf_append(b, head);
    for (size_t i = 0; i < n; i++) {
        buf_append(b, part);
    }
    buf_append(b, tail);
}

static void glob_work_is_bounded(void **state)
{
    (void)state;
    struct buf pattern, path;
    buf_init(&pattern, MIB);
    buf_init(&path, MIB);
    fill_with(&path, STR(""), 50000, STR("a"), STR(""));
    fill_with(&pattern, STR("*"), 3000, STR("a"), STR("b"));
    bool is_one_name = glob_matches(buf_str(&pattern), buf_str(&path), false);
    fill_with(&path, STR(""), 50000, STR("a/"), STR(""));
    fill_with(&pattern, STR("**/"), 3000, STR("a/"), STR("b"));
    bool is_many_names = glob_matches(buf_str(&pattern), buf_str(&path), false);
    fill_with(&pattern, STR("/"), 3000, STR("**/a/"), STR("b/"));
    bool is_directories = glob_matches(buf_str(&pattern), buf_str(&path), false);
    fill_with(&path, STR(""), 100000, STR("["), STR(""));
    bool is_sets = glob_matches(buf_str(&path), buf_str(&path), false);
    buf_release(&pattern);
    buf_release(&path);
    assert_true(is_one_name && is_many_names && is_directories &&
                is_sets); /* the budget's answer */
}

static void glob_takes_long_paths_within_its_budget(void **state)
{
    (void)state;
    struct buf path;
    buf_init(&path, MIB);
    fill_with(&path, STR(""), 400, STR("directory/"), STR("file.c"));
    bool is_right = glob_matches(STR("**/dir*/**/*y/*.c"), buf_str(&path), false);
    bool is_wrong = glob_matches(STR("**/dir*/**/*y/*.h"), buf_str(&path), false);
    buf_release(&path);
    assert_true(is_right);
    assert_false(is_wrong);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(glob_matches_as_the_table_says),
        cmocka_unit_test(glob_ignores_case_when_told),
        cmocka_unit_test(glob_agrees_with_trying_everything),
        cmocka_unit_test(glob_work_is_bounded),
        cmocka_unit_test(glob_takes_long_paths_within_its_budget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
