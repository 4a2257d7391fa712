/* trim_test.c - what of a model's answer reaches the document. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "core/base/limits.h"
#include "core/base/memory.h"
#include "core/base/utf8.h"
#include "core/base/visible.h"
#include "core/prompt/trim.h"

static uint64_t random_state;

static uint64_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static uint64_t from_environment(const char *name, uint64_t fallback)
{
    uint64_t n = fallback;
    const char *value = getenv(name);
    return value != NULL && str_to_u64(str_from(value), UINT64_MAX, &n) ? n : fallback;
}

/* Feeds `raw` in pieces of `step` bytes (0: of random sizes) and gives the clean text. */
static enum trim_end trim_in_steps(const struct trim_spec *spec, str raw, size_t step, bool is_cut,
                                   struct buf *clean)
{
    struct trim *t = trim_create(spec);
    while (raw.len > 0) {
        size_t n = step > 0 ? step : 1 + next_random() % 9;
        size_t before = clean->len;
        trim_feed(t, str_sub(raw, 0, n), clean);
        assert_true(clean->len >= before);
        assert_true(utf8_is_valid(buf_str(clean)));
        raw = str_sub(raw, n, raw.len);
    }
    trim_finish(t, is_cut, clean);
    enum trim_end end = trim_ended(t);
    assert_true(end != TRIM_OPEN);
    trim_finish(t, is_cut, clean);
    trim_feed(t, STR("more"), clean);
    trim_destroy(t);
    return end;
}

struct example {
    const char *before, *suffix, *raw, *clean;
    enum trim_end end;
    bool is_multiline;
    unsigned max_lines;
    size_t max_bytes;
};

static void check_example(const struct example *e)
{
    struct trim_spec spec = {.line_before = str_from(e->before),
                             .suffix = str_from(e->suffix),
                             .is_multiline = e->is_multiline,
                             .max_lines = e->max_lines,
                             .max_bytes = e->max_bytes};
    for (size_t step = 1; step < 50; step++) {
        struct buf clean;
        buf_init(&clean, MIB);
        enum trim_end end = trim_in_steps(&spec, str_from(e->raw), step, false, &clean);
        assert_string_equal(buf_cstr(&clean), e->clean);
        assert_string_equal(trim_end_reason(end), trim_end_reason(e->end));
        buf_release(&clean);
    }
}

#define CHECK(before, suffix, raw, clean, end, is_multiline)                                       \
    check_example(&(struct example){before, suffix, raw, clean, end, is_multiline, 0, 0})
#define CHECK_LIMITS(before, suffix, raw, clean, end, max_lines, max_bytes)                        \
    check_example(&(struct example){before, suffix, raw, clean, end, true, max_lines, max_bytes})

static void trim_ends_a_single_line_at_its_end(void **state)
{
    (void)state;
    CHECK("x = ", "\n", "1 + 2\nfoo", "1 + 2", TRIM_LINE, false);
    CHECK("x = ", "\n", "1 + 2  \r\nfoo", "1 + 2", TRIM_LINE, false);
    CHECK("x = ", "\n", "1 + 2\rfoo", "1 + 2", TRIM_LINE, false);
    CHECK("x = ", "\n", "1 + 2", "1 + 2", TRIM_FINISHED, false);
    CHECK("x = ", "\n", "\nfoo", "", TRIM_LINE, false);
    CHECK("x = ", "\n", "   ", "", TRIM_FINISHED, false);
    CHECK("x = ", "\n", "", "", TRIM_FINISHED, false);
}

static void trim_makes_line_ends_one(void **state)
{
    (void)state;
    CHECK("", "", "a\r\nb\rc\nd", "a\nb\nc\nd", TRIM_FINISHED, true);
    CHECK("", "", "a\n\n\r\nb\n\n", "a\n\n\nb", TRIM_FINISHED, true);
    CHECK("", "int main", "#include <x>\n", "#include <x>\n", TRIM_FINISHED, true);
    CHECK("f(", "b)", "a, ", "a, ", TRIM_FINISHED, false);
}

static void trim_drops_what_nobody_sees(void **state)
{
    (void)state;
    CHECK("", "", "a\x1b[31mb\x1b[0m", "ab", TRIM_FINISHED, false);
    CHECK("", "",
          "a\x1b]0;title\x07"
          "b\x1b]8;;x\x1b\\c",
          "abc", TRIM_FINISHED, false);
    CHECK("", "", "a\x1b]0;never ends\nb", "a\nb", TRIM_FINISHED, true);
    CHECK("", "",
          "a\x01\x7f\xc2\x85"
          "b",
          "ab", TRIM_FINISHED, false);
    CHECK("", "",
          "if (\xe2\x80\xae"
          "x\xe2\x81\xa6)",
          "if (x)", TRIM_FINISHED, false);
    CHECK("", "",
          "a\xe2\x80\x8b\xef\xbb\xbf\xf3\xa0\x81\x81"
          "b",
          "ab", TRIM_FINISHED, false);
    CHECK("", "", "a\xef\xb8\x8f\xe2\x9d\xa4\xef\xb8\x8f", "a\xe2\x9d\xa4\xef\xb8\x8f",
          TRIM_FINISHED, false);
    CHECK("", "",
          "a\xff"
          "b\xe2\x82"
          "c",
          "a\xef\xbf\xbd"
          "b\xef\xbf\xbd"
          "c",
          TRIM_FINISHED, false);
    CHECK("", "", "caf\xc3\xa9 \xf0\x9f\x98\x80", "caf\xc3\xa9 \xf0\x9f\x98\x80", TRIM_FINISHED,
          false);
}

static void trim_ends_at_control_tokens(void **state)
{
    (void)state;
    CHECK("", "", "return x;<|endoftext|>int", "return x;", TRIM_CONTROL_TOKEN, false);
    CHECK("", "", "a <EOT>", "a", TRIM_CONTROL_TOKEN, false);
    CHECK("", "", "a<<|fim_middle|>", "a<", TRIM_CONTROL_TOKEN, false);
    CHECK("", "", "a\n<|file_sep|>b", "a", TRIM_CONTROL_TOKEN, true);
    CHECK("", "",
          "a<\xef\xbd\x9c"
          "fim\xe2\x96\x81hole\xef\xbd\x9c>b",
          "a", TRIM_CONTROL_TOKEN, false);
    CHECK("", "", "a[PREFIX]b", "a", TRIM_CONTROL_TOKEN, false);
    CHECK("", "", "a < b && c <| d[PRE]", "a < b && c <| d[PRE]", TRIM_FINISHED, false);
    CHECK("", "", "vector<s> v; a <", "vector<s> v; a <", TRIM_FINISHED, false);
    CHECK("foo(", ")", "a, b)<|im_end|>", "a, b", TRIM_REPEATS_REST, false);
}

static void trim_drops_the_rest_of_the_line(void **state)
{
    (void)state;
    CHECK("foo(", ")", "a, b)", "a, b", TRIM_REPEATS_REST, false);
    CHECK("foo(", ");\n", "a, b);\nbar", "a, b", TRIM_REPEATS_REST, false);
    CHECK("foo(", ") ;  \r\n", "a) ;  ", "a", TRIM_REPEATS_REST, false);
    CHECK("if (", ") {\n", "x > 1) {\n    y();\n", "x > 1", TRIM_REPEATS_REST, true);
    CHECK("foo(", ")", "a) + g(b)", "a) + g(b", TRIM_REPEATS_REST, false);
    CHECK("x = ", ";", ";", "", TRIM_REPEATS_REST, false);
    CHECK("ret", "urn x;", "urn x;", "", TRIM_REPEATS_REST, false);
    CHECK("", "aab", "aaab", "a", TRIM_REPEATS_REST, false);
    CHECK("", "aab", "aaba", "aaba", TRIM_FINISHED, false);
    CHECK("call(", ");", "function () {\n  x();\n});", "function () {\n  x();\n}",
          TRIM_REPEATS_REST, true);
    CHECK("call(", ");", "a,\n  b);\n", "a,\n  b", TRIM_REPEATS_REST, true);
}

static void trim_keeps_closers_of_its_own(void **state)
{
    (void)state;
    CHECK("foo(", ")", "f(x)", "f(x)", TRIM_FINISHED, false);
    CHECK("foo(", ")", "f(x))", "f(x)", TRIM_REPEATS_REST, false);
    CHECK("s = \"", "\"", "abc\"", "abc", TRIM_REPEATS_REST, false);
    CHECK("s = ", "\"", "\"abc\"", "\"abc\"", TRIM_FINISHED, false);
    CHECK("namespace x {", "\n}", "\nint f() {\n    return 1;\n}\n",
          "\nint f() {\n    return 1;\n}", TRIM_FINISHED, true);
}

static void trim_ends_before_the_next_line(void **state)
{
    (void)state;
    CHECK("int f(void) {", "\n}\n", "\n    return 1;\n}\nint g", "\n    return 1;",
          TRIM_REPEATS_NEXT, true);
    CHECK("    a();", "\n\n    b();\n", "\n    c();\n\n    b();\n    d();", "\n    c();",
          TRIM_REPEATS_NEXT, true);
    CHECK("    a();", "\n    b();\n", " c();\n    b();", " c();", TRIM_REPEATS_NEXT, true);
    CHECK("    a();", "\n    b();\n", " c();\n    b(1);", " c();\n    b(1);", TRIM_FINISHED, true);
    CHECK("    a();", "\n    b();\n", " c();\n  b();", " c();\n  b();", TRIM_FINISHED, true);
    CHECK("    ", "\n    return x;\n", "return x;\n", "", TRIM_REPEATS_NEXT, false);
    CHECK("    ", "\n    return x;\n", "return y;\n", "return y;", TRIM_LINE, false);
    CHECK("    ", "\n    return x;\n", "return", "return", TRIM_FINISHED, false);
    CHECK("foo(", ")\n}\n", "\n  a,\n  b)\n}\n", "\n  a,\n  b", TRIM_REPEATS_NEXT, true);
}

static void trim_ends_where_it_loops(void **state)
{
    (void)state;
    CHECK("", "", "a;\nb;\nb;\nb;\nb;\n", "a;\nb;\nb;", TRIM_LOOPS, true);
    CHECK("", "", "a\nb\na\nb\na\nb\na\nb\n", "a\nb\na\nb\na", TRIM_LOOPS, true);
    CHECK("", "", "b;\nb;\nb; x\nb;", "b;\nb;\nb; x\nb;", TRIM_FINISHED, true);
    CHECK("", "", "x\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\ny", "x", TRIM_LOOPS, true);
    CHECK("", "", "// -------------------------------------------------------------------------",
          "// -------------------------------------------------------------------------",
          TRIM_FINISHED, false);
    struct buf raw, clean;
    buf_init(&raw, MIB);
    buf_init(&clean, MIB);
    for (int i = 0; i < 100; i++) {
        buf_append(&raw, STR("self.path, "));
    }
    struct trim_spec spec = {.is_multiline = true};
    assert_int_equal(trim_in_steps(&spec, buf_str(&raw), 3, false, &clean), TRIM_LOOPS);
    assert_in_range(clean.len, 100, 16 * 11);
    buf_release(&raw);
    buf_release(&clean);
}

static void trim_ends_at_its_limits(void **state)
{
    (void)state;
    CHECK_LIMITS("", "", "a\nb\nc\nd", "a\nb", TRIM_LIMIT, 2, 0);
    CHECK_LIMITS("", "", "abcdef", "abc", TRIM_LIMIT, 0, 3);
    CHECK_LIMITS("", "",
                 "ab\xc3\xa9"
                 "d",
                 "ab", TRIM_LIMIT, 0, 3);
    CHECK_LIMITS("foo(", ")", "\n  a,\n  b)\n  c", "\n  a,\n  b", TRIM_REPEATS_REST, 3, 0);
    struct buf raw, clean;
    buf_init(&raw, MIB);
    buf_init(&clean, MIB);
    random_state = 88172645463325252u;
    for (int i = 0; i < 6000; i++) {
        buf_append_char(&raw, (char)('a' + next_random() % 26));
    }
    struct trim_spec spec = {.is_multiline = true};
    assert_int_equal(trim_in_steps(&spec, buf_str(&raw), 100, false, &clean), TRIM_LIMIT);
    assert_int_equal(clean.len, 4 * KIB);
    buf_release(&raw);
    buf_release(&clean);
}

static void trim_of_a_cut_stream_gives_whole_code_points(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"caf\xc3", "caf"}, {"a <|fim_", "a"}, {"if (a <", "if (a <"}, {"foo(b", "foo(b"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct trim_spec spec = {.suffix = STR("\n}\n"), .is_multiline = true};
        struct buf clean;
        buf_init(&clean, KIB);
        trim_in_steps(&spec, str_from(cases[i][0]), 1, true, &clean);
        assert_string_equal(buf_cstr(&clean), cases[i][1]);
        buf_release(&clean);
    }
}

static void trim_never_gives_forbidden_code_points(void **state)
{
    (void)state;
    struct trim_spec spec = {.is_multiline = true};
    for (uint32_t cp = 1; cp <= 0x10FFFF; cp += cp < 0x3000 || cp >= 0xE0000 ? 1 : 7) {
        char raw[8] = "xx";
        if (cp >= 0xD800 && cp < 0xE000) {
            continue;
        }
        size_t n = utf8_encode(cp, raw + 1);
        raw[1 + n] = 'y';
        struct buf clean;
        buf_init(&clean, KIB);
        trim_in_steps(&spec, str_of(raw, n + 2), 1, false, &clean);
        bool is_kept = str_find(buf_str(&clean), str_of(raw + 1, n), 0) != SIZE_MAX;
        assert_true(!is_kept || !visible_is_forbidden(cp));
        buf_release(&clean);
        cp += cp > 0xE1000 ? 0x1000 : 0;
    }
}

static void append_random_piece(struct buf *raw)
{
    static const char *const pieces[] = {"a",
                                         "b()",
                                         ")",
                                         "}",
                                         "\n",
                                         "\n    ",
                                         " ",
                                         "\r\n",
                                         "<",
                                         "<|fim_",
                                         "middle|>",
                                         "<|endoftext|>",
                                         "foo(x);",
                                         "    return x;",
                                         "\xc3\xa9",
                                         "\xff",
                                         "\xe2\x82",
                                         "\x1b[1",
                                         "m",
                                         "\xe2\x80\xae",
                                         ");",
                                         "}\n",
                                         "x, ",
                                         "\"",
                                         "\xf0\x9f\x98\x80",
                                         "[PRE",
                                         "FIX]",
                                         "\t",
                                         "return x;\n"};
    buf_append(raw, str_from(pieces[next_random() % (sizeof pieces / sizeof *pieces)]));
}

static void trim_doesnt_depend_on_the_cutting(void **state)
{
    (void)state;
    uint64_t seed = from_environment("SEED", (uint64_t)time(NULL));
    uint64_t n = from_environment("ITERATIONS", 3000);
    static const char *const suffixes[] = {")\n}\n", "\n    return x;\n}", "", ");\n\n  foo(x);",
                                           "\"\r\n}\r\n"};
    print_message("SEED=%llu\n", (unsigned long long)seed);
    random_state = seed * 2 + 88172645463325253u;
    for (uint64_t i = 0; i < n; i++) {
        struct trim_spec spec = {.line_before = next_random() % 2 ? STR("    ") : STR("x("),
                                 .suffix = str_from(suffixes[next_random() % 5]),
                                 .is_multiline = next_random() % 4 > 0,
                                 .max_lines = (unsigned)(next_random() % 8),
                                 .max_bytes = next_random() % 4 ? 0 : next_random() % 60};
        struct buf raw, whole, cut;
        buf_init(&raw, MIB);
        buf_init(&whole, MIB);
        buf_init(&cut, MIB);
        for (uint64_t k = next_random() % 40; k > 0; k--) {
            append_random_piece(&raw);
        }
        bool is_cut = next_random() % 2;
        enum trim_end end = trim_in_steps(&spec, buf_str(&raw), raw.len + 1, is_cut, &whole);
        assert_int_equal(trim_in_steps(&spec, buf_str(&raw), 0, is_cut, &cut), end);
        assert_true(str_eq(buf_str(&whole), buf_str(&cut)));
        buf_release(&raw);
        buf_release(&whole);
        buf_release(&cut);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trim_ends_a_single_line_at_its_end),
        cmocka_unit_test(trim_makes_line_ends_one),
        cmocka_unit_test(trim_drops_what_nobody_sees),
        cmocka_unit_test(trim_ends_at_control_tokens),
        cmocka_unit_test(trim_drops_the_rest_of_the_line),
        cmocka_unit_test(trim_keeps_closers_of_its_own),
        cmocka_unit_test(trim_ends_before_the_next_line),
        cmocka_unit_test(trim_ends_where_it_loops),
        cmocka_unit_test(trim_ends_at_its_limits),
        cmocka_unit_test(trim_of_a_cut_stream_gives_whole_code_points),
        cmocka_unit_test(trim_never_gives_forbidden_code_points),
        cmocka_unit_test(trim_doesnt_depend_on_the_cutting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
