/* similar_test.c - what counts as alike, how exact the estimate is, the index. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "core/base/hash.h"
#include "core/base/limits.h"
#include "core/base/memory.h"
#include "core/request/similar.h"

static double alike_in(const char *language, const char *one, const char *other)
{
    struct sketch a, b;
    sketch_take(&a, str_from(one), str_from(language));
    sketch_take(&b, str_from(other), str_from(language));
    double likeness = sketch_likeness(&a, &b);
    assert_true(likeness == sketch_likeness(&b, &a));
    assert_true(likeness >= 0 && likeness <= 1);
    return likeness;
}

static double alike(const char *one, const char *other)
{
    return alike_in("c", one, other);
}

#define SUM                                                                                        \
    "int sum(const int *numbers, int n)\n{\n    int total = 0;\n"                                  \
    "    for (int i = 0; i < n; i++) {\n        total += numbers[i];\n    }\n"                     \
    "    return total;\n}\n"

static void renamed_local_changes_nothing(void **state)
{
    (void)state;
    assert_true(alike(SUM, "int sum(const int *numbers, int n)\n{\n    int acc = 0;\n"
                           "    for (int i = 0; i < n; i++) {\n        acc += numbers[i];\n    }\n"
                           "    return acc;\n}\n") == 1);
    assert_true(alike(SUM, "int sum(const int *v, int len)\n{\n    int acc = 0;\n"
                           "    for (int k = 0; k < len; k++) {\n        acc += v[k];\n    }\n"
                           "    return acc;\n}\n") == 1);
    assert_true(alike_in("python",
                         "def total(xs, start):\n    found = start\n    for x in xs:\n"
                         "        found += x\n    return found\n",
                         "def total(values, first):\n    acc = first\n    for v in values:\n"
                         "        acc += v\n    return acc\n") == 1);
}

static void names_that_mean_something_do_change_it(void **state)
{
    (void)state;
    const char *code = "void f(struct list *l)\n{\n    l->head = make(l); size_t n = l->head;\n"
                       "    if (n > MAX) { l->head = make(n); }\n}\n";
    const char *others[] = {
        /* another member, another function, another type, another constant */
        "void f(struct list *l)\n{\n    l->tail = make(l); size_t n = l->tail;\n"
        "    if (n > MAX) { l->tail = make(n); }\n}\n",
        "void f(struct list *l)\n{\n    l->head = find(l); size_t n = l->head;\n"
        "    if (n > MAX) { l->head = find(n); }\n}\n",
        "void f(struct tree *l)\n{\n    l->head = make(l); size_t n = l->head;\n"
        "    if (n > MAX) { l->head = make(n); }\n}\n",
        "void f(struct list *l)\n{\n    l->head = make(l); size_t n = l->head;\n"
        "    if (n > MIN) { l->head = make(n); }\n}\n"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        assert_true(alike(code, others[i]) < 1);
    }
}

static void locals_that_change_places_do_change_it(void **state)
{
    (void)state;
    assert_true(alike("int f(int a, int b) { return a - b; }",
                      "int f(int a, int b) { return b - a; }") < 1);
}

static void comments_are_silent_in_their_language(void **state)
{
    (void)state;
    assert_true(alike("int a = f(b, c);", "int a = /* why */ f(b, // so\n c);") == 1);
    assert_true(alike_in("python", "a = f(b)\nc = 2\n", "a = f(b)  # why\n# so\nc = 2\n") == 1);
    assert_true(alike_in("lua", "local a = f(b)\nc = 2\n", "local a = f(b) -- why\nc = 2\n") == 1);
    assert_true(alike_in("haskell", "a = f b\n", "a = f b -- why\n") == 1);
    /* what is none there */
    assert_true(alike_in("python", "a = b // c\nd = 1\n", "a = b\nd = 1\n") < 1);
    assert_true(alike("#define A 1\nint b = A;\n", "int b = A;\n") < 1);
    assert_true(alike("puts(\"// a\"); f(1);", "puts(\"// b\"); f(1);") < 1);
    assert_true(alike("puts(\"/*\"); f(1); g(\"*/\");", "puts(\"/*\"); f(2); g(\"*/\");") < 1);
    assert_true(alike_in("python", "a = '# b'\nc = 1\n", "a = '# d'\nc = 1\n") < 1);
}

static void layout_changes_nothing(void **state)
{
    (void)state;
    assert_true(alike(SUM, "int sum(const int*numbers,int n){int total=0;for(int i=0;i<n;i++)\r\n"
                           "\t{total+=numbers[i];}\r\n\treturn total;}") == 1);
}

static void changed_line_weighs_by_what_stands_around(void **state)
{
    (void)state;
    struct buf a, b;
    buf_init(&a, 64 * KIB);
    buf_init(&b, 64 * KIB);
    for (int i = 0; i < 20; i++) {
        buf_appendf(&a, "    step_%d(state, %d);\n", i, i * 7);
        buf_appendf(&b, "    step_%d(state, %d);\n", i, i == 9 ? 1000 : i * 7);
    }
    double likeness = alike(buf_cstr(&a), buf_cstr(&b));
    assert_true(likeness > 0.85 && likeness < 1);
    buf_release(&a);
    buf_release(&b);
    assert_true(alike("int f(int a) { return g(a); }", "int f(int a) { return h(a) + 1; }") < 0.85);
}

static void other_body_is_unlike(void **state)
{
    (void)state;
    assert_true(alike(SUM, "int sum(const int *numbers, int n)\n{\n    struct tree *t = plant();\n"
                           "    while (!is_grown(t)) {\n        water(t, numbers, n);\n    }\n"
                           "    return weigh(t);\n}\n") < 0.5);
}

static void nothing_is_like_nothing(void **state)
{
    (void)state;
    assert_true(alike("", "") == 0);
    assert_true(alike("a b", "a b") == 0); /* not one shingle */
    assert_true(alike("// only a remark", "// only a remark") == 0);
    assert_true(alike(SUM, "") == 0);
}

/* The numbers from 1 on, and from some point on others: the true value is known. */
static double numbers_alike(unsigned n_same, unsigned n)
{
    struct buf a, b;
    buf_init(&a, SIMILAR_MAX_BYTES);
    buf_init(&b, SIMILAR_MAX_BYTES);
    for (unsigned i = 1; i <= n; i++) {
        buf_appendf(&a, "%u ", i);
        buf_appendf(&b, "%u ", i <= n_same ? i : i + 50000);
    }
    assert_false(a.is_full || b.is_full);
    double likeness = alike(buf_cstr(&a), buf_cstr(&b));
    buf_release(&a);
    buf_release(&b);
    return likeness;
}

static double truth(unsigned n_same, unsigned n)
{
    return (n_same - 2.0) / (2 * (n - 2.0) - (n_same - 2.0));
}

static void short_code_is_measured_exactly(void **state)
{
    (void)state;
    for (unsigned n_same = 3; n_same <= 250; n_same++) {
        assert_true(numbers_alike(n_same, 250) == truth(n_same, 250));
    }
}

/* Hashes are keyed anew in each process: five standard errors of the estimate are allowed. */
static void long_code_is_estimated(void **state)
{
    (void)state;
    const unsigned same[] = {9000, 8500, 8000, 5000, 1000};
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        double error = numbers_alike(same[i], 9000) - truth(same[i], 9000);
        assert_true(error < 0.16 && error > -0.16);
    }
    assert_true(numbers_alike(9000, 9000) == 1);
}

static void hostile_text_is_read_to_its_end(void **state)
{
    (void)state;
    const char *texts[] = {"\"",   "'",      "`",       "/*",        "//",    "\\",
                           "\"\\", "\"\"\"", "/*/",     "\"\"\"a\\", "a = '", "\n\"x\n\"",
                           "--",   "#",      "1.2.3..", "\xff\xfe"};
    const char *languages[] = {"c", "python", "lua", "",
                               "a-language-with-a-very-long-name-indeed-yes"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        for (size_t k = 0; k < sizeof languages / sizeof languages[0]; k++) {
            (void)alike_in(languages[k], texts[i], SUM);
        }
    }
    uint64_t seed;
    random_bytes(&seed, sizeof seed);
    print_message("seed %llu\n", (unsigned long long)seed);
    for (unsigned round = 0; round < 2000; round++) {
        static const char some[] = "ab1_ \n\t\"'`/*#-.>:({;\\\xc3\xa4";
        char text[64];
        size_t n = 0;
        while (n < sizeof text) {
            seed = hash_mix(seed, n + 1);
            text[n++] = some[seed % (sizeof some - 1)];
        }
        struct sketch s;
        char *exact = xmemdup(text, n); /* reading past it is seen by the sanitizer */
        sketch_take(&s, str_of(exact, n), STR("c"));
        assert_true(s.n == 0 || sketch_likeness(&s, &s) == 1);
        xfree(exact);
    }
}

static void too_long_code_is_like_nothing(void **state)
{
    (void)state;
    char *text = xmalloc(SIMILAR_MAX_BYTES + 1);
    for (size_t i = 0; i <= SIMILAR_MAX_BYTES; i++) {
        text[i] = "a;b+"[i % 4];
    }
    struct sketch s;
    sketch_take(&s, str_of(text, SIMILAR_MAX_BYTES), STR("c"));
    assert_true(s.n > 0);
    sketch_take(&s, str_of(text, SIMILAR_MAX_BYTES + 1), STR("c"));
    assert_int_equal(s.n, 0);
    xfree(text);
}

/* -- the index -- */

static struct likeness about(uint64_t head, const char *code)
{
    struct likeness subject = {.head = head};
    sketch_take(&subject.sketch, str_from(code), STR("c"));
    return subject;
}

static void index_finds_the_most_similar_of_the_same_head(void **state)
{
    (void)state;
    struct similar *s = similar_create(10);
    struct likeness near = about(1, "a(1); b(2); c(3); d(4); e(5); f(6); g(7); h(8); i(9); j(0);");
    struct likeness far = about(1, "a(1); b(2); c(3); d(4); e(5); f(6); g(7); h(8); x(9); y(0);");
    struct likeness other = about(2, "a(1); b(2); c(3); d(4); e(5); f(6); g(7); h(8); i(9); k(0);");
    similar_add(s, 11, &far);
    similar_add(s, 12, &near);
    similar_add(s, 13, &other);
    struct likeness asked = about(1, "a(1); b(2); c(3); d(4); e(5); f(6); g(7); h(8); i(9); k(0);");
    uint64_t key = 0;
    double likeness = 0;
    assert_true(similar_find(s, &asked, 0.5, &key, &likeness));
    assert_int_equal(key, 12);
    assert_true(likeness == sketch_likeness(&asked.sketch, &near.sketch));
    assert_true(similar_find(s, &asked, likeness, &key, &likeness)); /* the bound is inside */
    assert_false(similar_find(s, &asked, likeness + 0.001, &key, &likeness));
    similar_forget(s, 12);
    assert_true(similar_find(s, &asked, 0.5, &key, &likeness));
    assert_int_equal(key, 11);
    asked.head = 3;
    assert_false(similar_find(s, &asked, 0, &key, &likeness));
    similar_clear(s);
    assert_int_equal(similar_count(s), 0);
    similar_destroy(s);
}

/* What is left out of a comparison early must never be what would have been found. */
static void every_threshold_finds_what_is_alike_enough(void **state)
{
    (void)state;
    for (unsigned n = 100; n <= 1000; n += 300) { /* whole sketches, and cut ones */
        for (unsigned n_same = n / 2; n_same <= n; n_same += n / 10) {
            struct buf a, b;
            buf_init(&a, SIMILAR_MAX_BYTES);
            buf_init(&b, SIMILAR_MAX_BYTES);
            for (unsigned i = 1; i <= n; i++) {
                buf_appendf(&a, "%u ", i);
                buf_appendf(&b, i <= n_same ? "%u " : "x%u y ", i);
            }
            struct similar *s = similar_create(1);
            struct likeness known = about(1, buf_cstr(&a));
            struct likeness asked = about(1, buf_cstr(&b));
            similar_add(s, 5, &known);
            double truth = sketch_likeness(&known.sketch, &asked.sketch);
            for (unsigned i = 0; i <= 100; i++) {
                uint64_t key = 0;
                double likeness = -1;
                bool is_found = similar_find(s, &asked, i / 100.0, &key, &likeness);
                assert_int_equal(is_found, truth >= i / 100.0);
                assert_true(!is_found || likeness == truth);
            }
            assert_true(truth == 0 || similar_find(s, &asked, truth, &(uint64_t){0}, &truth));
            similar_destroy(s);
            buf_release(&a);
            buf_release(&b);
        }
    }
}

static void full_index_lets_the_oldest_go(void **state)
{
    (void)state;
    struct similar *s = similar_create(3);
    struct likeness subject = about(0, "a(1); b(2);");
    for (uint64_t i = 1; i <= 3; i++) {
        subject.head = i;
        similar_add(s, i, &subject);
    }
    subject.head = 1;
    similar_add(s, 1, &subject); /* again: it is the newest now */
    subject.head = 4;
    similar_add(s, 4, &subject);
    assert_int_equal(similar_count(s), 3);
    for (uint64_t i = 1; i <= 4; i++) {
        uint64_t key = 0;
        double likeness = 0;
        subject.head = i;
        assert_int_equal(similar_find(s, &subject, 0.9, &key, &likeness), i != 2);
    }
    similar_destroy(s);
}

static void nothing_to_compare_isnt_remembered(void **state)
{
    (void)state;
    struct similar *s = similar_create(3);
    struct likeness headless = about(0, "a(1); b(2);");
    struct likeness empty = about(1, "");
    similar_add(s, 1, &headless);
    similar_add(s, 2, &empty);
    assert_int_equal(similar_count(s), 0);
    similar_destroy(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(renamed_local_changes_nothing),
        cmocka_unit_test(names_that_mean_something_do_change_it),
        cmocka_unit_test(locals_that_change_places_do_change_it),
        cmocka_unit_test(comments_are_silent_in_their_language),
        cmocka_unit_test(layout_changes_nothing),
        cmocka_unit_test(changed_line_weighs_by_what_stands_around),
        cmocka_unit_test(other_body_is_unlike),
        cmocka_unit_test(nothing_is_like_nothing),
        cmocka_unit_test(short_code_is_measured_exactly),
        cmocka_unit_test(long_code_is_estimated),
        cmocka_unit_test(hostile_text_is_read_to_its_end),
        cmocka_unit_test(too_long_code_is_like_nothing),
        cmocka_unit_test(index_finds_the_most_similar_of_the_same_head),
        cmocka_unit_test(every_threshold_finds_what_is_alike_enough),
        cmocka_unit_test(full_index_lets_the_oldest_go),
        cmocka_unit_test(nothing_to_compare_isnt_remembered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
