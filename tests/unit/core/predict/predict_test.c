/* predict_test.c - what is suggested where, and what is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "core/base/clock.h"
#include "core/base/memory.h"
#include "core/predict/predict.h"

struct fixture {
    struct loop *loop;
    struct loop_timer *timer;
    struct predictor *predictor;
    struct arena arena;
    char root[64];
};

static void on_tick(void *user)
{
    struct fixture *f = user;
    if (predictor_is_learning(f->predictor)) {
        loop_timer_set(f->timer, clock_now_us() + 1000);
    } else {
        loop_stop(f->loop);
    }
}

static void wait_learned(struct fixture *f)
{
    loop_timer_set(f->timer, clock_now_us());
    loop_run(f->loop);
    assert_false(predictor_is_learning(f->predictor));
}

static int setup_with(void **state, const struct predictor_options *options)
{
    struct fixture *f = xcalloc(1, sizeof(*f));
    f->loop = loop_create();
    f->timer = loop_timer_create(f->loop, on_tick, f);
    f->predictor = predictor_create(f->loop, options);
    *state = f;
    return 0;
}

static int setup(void **state)
{
    return setup_with(state, &PREDICTOR_OPTIONS_INIT);
}

static int setup_small(void **state)
{
    struct predictor_options options = PREDICTOR_OPTIONS_INIT;
    options.max_bytes = 400000;
    return setup_with(state, &options);
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    predictor_destroy(f->predictor);
    loop_timer_destroy(f->timer);
    loop_destroy(f->loop);
    arena_release(&f->arena);
    if (f->root[0] != '\0') {
        char command[128];
        (void)snprintf(command, sizeof(command), "rm -rf %s", f->root);
        assert_int_equal(system(command), 0);
    }
    xfree(f);
    return 0;
}

static struct prediction ask(struct fixture *f, uint64_t document, const char *before,
                             const char *after, unsigned max_lines)
{
    struct prediction_place place = {document, str_from(before), str_from(after), max_lines};
    return predictor_suggest(f->predictor, &place, &f->arena);
}

static void expect(struct prediction p, const char *text)
{
    assert_string_equal(p.text.len > 0 ? p.text.ptr : "", text);
    assert_true(p.confidence >= 0 && p.confidence <= 1);
    assert_true(p.text.len == 0 || p.confidence >= 0.5);
}

/* A beginning of `text`, of `n_least` bytes at least. */
static void expect_some(struct prediction p, const char *text, size_t n_least)
{
    if (!str_starts_with(str_from(text), p.text) || p.text.len < n_least) {
        assert_string_equal(p.text.len > 0 ? p.text.ptr : "", text);
    }
    assert_true(p.confidence >= 0.5 && p.confidence <= 1);
}

static void put(struct fixture *f, const char *name, const char *text)
{
    if (f->root[0] == '\0') {
        (void)snprintf(f->root, sizeof(f->root), "/tmp/crucible-predict-XXXXXX");
        assert_non_null(mkdtemp(f->root));
    }
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/%s", f->root, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void learn_root(struct fixture *f)
{
    predictor_learn_workspace(f->predictor, str_from(f->root));
    assert_true(predictor_is_learning(f->predictor));
    wait_learned(f);
}

#define LOOP(body)                                                                                 \
    "for (size_t i = 0; i < list->n_items; i++) {\n    " body "(&list->items[i]);\n}\n"
#define LOOPS                                                                                      \
    LOOP("item_release")                                                                           \
    LOOP("item_print")                                                                             \
    LOOP("item_count")                                                                             \
    LOOP("check")                                                                                  \
    LOOP("item_sort")                                                                              \
    LOOP("item_add") LOOP("visit") LOOP("item_find") LOOP("mark") LOOP("item_sweep")

/* The line as it stands in a file: among others, again and again. */
#define SEEN(line)                                                                                 \
    "begin(a);\n" line "\nif (x) {\n    " line "\n}\n" line "\nend = b;\nwhile (y) {\n    " line   \
    "\n}\nreturn c;\n" line "\nwith(d);\n" line "\n"

static void suggest_completes_a_line_seen_above(void **state)
{
    struct fixture *f = *state;
    expect_some(ask(f, 0, LOOPS "for (size_t i = 0; i < li", "\n", 1), "st->n_items; i++) {", 12);
    expect_some(ask(f, 0, LOOPS "for (size_t i = 0", "\n", 1), "; i < list->n_items; i++) {", 12);
    expect(ask(f, 0, LOOPS LOOPS "for (size_t i = 0; i < list->", "\n", 1), "n_items; i++) {");
}

static void suggest_says_nothing_in_a_fresh_text(void **state)
{
    struct fixture *f = *state;
    expect(ask(f, 0, "", "", 8), "");
    expect(ask(f, 0, "int main(void) {\n    ret", "", 8), "");
    expect(ask(f, 0, "the quick brown fox ", "", 8), "");
}

static void suggest_keeps_the_indentation_of_its_place(void **state)
{
    struct fixture *f = *state;
    static const char seen[] =
        "if (err != ERR_OK) {\n    log_error(err, name);\n    goto out;\n}\n";
    struct buf text;
    buf_init(&text, 4096);
    for (unsigned i = 0; i < 6; i++) {
        buf_appendf(&text, "step%u(a);\nresult = step_run(&a, &b, &c, d[1]);\n%s", i, seen);
    }
    buf_appendf(&text,
                "f {\n    step3(a);\n    result = step_run(&a, &b, &c, d[1]);\n    if (err ");
    struct prediction p = ask(f, 0, buf_cstr(&text), "\n", 8);
    expect(p, "!= ERR_OK) {\n        log_error(err, name);\n        goto out;\n    }");
    assert_true(p.confidence >= 0.7);
    expect(ask(f, 0, buf_cstr(&text), "\n", 1), "!= ERR_OK) {");
    expect(ask(f, 0, buf_cstr(&text), "\n", 2), "!= ERR_OK) {\n        log_error(err, name);");
    buf_release(&text);
}

static void suggest_leaves_out_what_stands_behind(void **state)
{
    struct fixture *f = *state;
    static const char before[] = LOOPS LOOPS "for (size_t i = 0; i < list->";
    expect(ask(f, 0, before, ") {\n", 1), "n_items; i++");
    expect(ask(f, 0, before, "n_items; i++) {\n", 1), "");
    expect(ask(f, 0, before, " + totally(different);\n", 1), "");
    expect(ask(f, 0, before, "\nfor (size_t i = 0; i < list->n_items; i++) {\n", 1), "");
}

static void suggest_prefers_the_scope_to_the_workspace(void **state)
{
    struct fixture *f = *state;
    put(f, "a.c", SEEN("connection_open(server, timeout_default);"));
    learn_root(f);
    expect_some(ask(f, 0, "connection_open(ser", "\n", 1), "ver, timeout_default);", 3);
    expect_some(ask(f, 0,
                    SEEN("connection_open(server, my_patience);")
                        SEEN("connection_open(server, my_patience);") "connection_open(ser",
                    "\n", 1),
                "ver, my_patience);", 5);
}

static void workspace_is_learned_again_and_replaced(void **state)
{
    struct fixture *f = *state;
    put(f, "a.c", SEEN("alpha_function(first_argument);"));
    learn_root(f);
    expect_some(ask(f, 0, "alpha_fun", "", 1), "ction(first_argument);", 5);
    assert_int_equal(predictor_stats(f->predictor).n_files, 1);
    put(f, "a.c", SEEN("beta_function(second_argument);"));
    learn_root(f);
    expect(ask(f, 0, "alpha_fun", "", 1), "");
    expect_some(ask(f, 0, "beta_fun", "", 1), "ction(second_argument);", 5);
}

static void workspace_that_is_forgotten_is_forgotten_at_once(void **state)
{
    struct fixture *f = *state;
    put(f, "a.c", SEEN("alpha_function(first_argument);"));
    learn_root(f);
    predictor_learn_workspace(f->predictor, str_from(f->root)); /* under way: is dropped */
    predictor_forget_workspaces(f->predictor);
    expect(ask(f, 0, "alpha_fun", "", 1), "");
    wait_learned(f);
    expect(ask(f, 0, "alpha_fun", "", 1), "");
    assert_int_equal(predictor_stats(f->predictor).n_files, 0);
    learn_root(f);
    expect_some(ask(f, 0, "alpha_fun", "", 1), "ction(first_argument);", 5);
}

static bool is_private(str path, void *user)
{
    (void)user;
    return str_ends_with(path, STR("private.c"));
}

static int setup_private(void **state)
{
    struct predictor_options options = PREDICTOR_OPTIONS_INIT;
    options.is_excluded = is_private;
    return setup_with(state, &options);
}

static void excluded_and_ignored_files_are_never_proposed(void **state)
{
    struct fixture *f = *state;
    put(f, "private.c", SEEN("secret_token(private_value);"));
    put(f, "made.c", SEEN("made_by_machine(private_value);"));
    put(f, ".gitignore", "made.c\n");
    put(f, "fine.c", SEEN("fine_function(public_value);"));
    learn_root(f);
    expect(ask(f, 0, "secret_to", "", 1), "");
    expect(ask(f, 0, "made_by", "", 1), "");
    expect_some(ask(f, 0, "fine_fun", "", 1), "ction(public_value);", 5);
}

static void opened_files_count_by_their_buffer(void **state)
{
    struct fixture *f = *state;
    put(f, "a.c", SEEN("stale_function(on_disk);"));
    learn_root(f);
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/a.c", f->root);
    predictor_learn_document(f->predictor, 5, str_from(path),
                             STR(SEEN("fresh_function(in_buffer);")));
    wait_learned(f);
    expect(ask(f, 0, "x;\nx = stale_function(", "", 1), "");
    expect_some(ask(f, 0, "x;\nfresh_fun", "", 1), "ction(in_buffer);", 5);
    predictor_forget_document(f->predictor, 5);
    expect(ask(f, 0, "x;\nfresh_fun", "", 1), "");
    expect_some(ask(f, 0, "x;\nstale_fun", "", 1), "ction(on_disk);", 5);
}

/* What was just deleted doesn't come back from the copy that was learned before. */
static void deleted_text_is_not_proposed_again(void **state)
{
    struct fixture *f = *state;
    static const char above[] = "int first_value = read_first(input);\n"
                                "int second_value = read_second(input);\n";
    static const char below[] = "int third_value = read_third(input);\nfinish(input);\n";
    struct buf text;
    buf_init(&text, 4096);
    buf_appendf(&text, "%sremove_me_please(first_value, second_value);\n%s", above, below);
    predictor_learn_document(f->predictor, 7, STR(""), buf_str(&text));
    wait_learned(f);
    buf_clear(&text);
    buf_appendf(&text, "\n%s", below);
    struct prediction p = ask(f, 7, above, buf_cstr(&text), 1);
    assert_false(str_contains_nocase(p.text, STR("remove")));
    struct buf typed;
    buf_init(&typed, 4096);
    buf_appendf(&typed, "%sremove_me_please(", above);
    expect(ask(f, 7, buf_cstr(&typed), buf_cstr(&text), 1), "");
    /* Elsewhere the same text is a fair guess. */
    expect_some(ask(f, 0, buf_cstr(&typed), "\n", 1), "first_value, second_value);", 10);
    buf_release(&typed);
    buf_release(&text);
}

static void documents_are_forgotten(void **state)
{
    struct fixture *f = *state;
    predictor_learn_document(f->predictor, 1, STR("/x/a.c"),
                             STR(SEEN("omega_function(argument_one);")));
    wait_learned(f);
    expect_some(ask(f, 2, "omega_fun", "", 1), "ction(argument_one);", 5);
    predictor_forget_document(f->predictor, 1);
    predictor_forget_document(f->predictor, 99);
    expect(ask(f, 2, "omega_fun", "", 1), "");
}

static void forgetting_while_learning_is_safe(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i < 20; i++) {
        predictor_learn_document(f->predictor, i % 3, STR("/x/a.c"), STR("omega_function(arg);\n"));
        if (i % 4 == 3) {
            predictor_forget_document(f->predictor, i % 3);
        }
    }
    wait_learned(f);
    predictor_forget_document(f->predictor, 0);
    predictor_forget_document(f->predictor, 1);
    predictor_forget_document(f->predictor, 2);
    expect(ask(f, 9, "omega_fun", "", 1), "");
}

static void destroying_while_learning_is_safe(void **state)
{
    struct fixture *f = *state;
    put(f, "a.c", LOOPS);
    for (unsigned i = 0; i < 8; i++) {
        predictor_learn_workspace(f->predictor, str_from(f->root));
        predictor_learn_document(f->predictor, i, STR(""), STR(LOOPS));
    }
    assert_true(predictor_is_learning(f->predictor));
    predictor_destroy(f->predictor);
    f->predictor = NULL;
}

static void memory_stays_within_bounds(void **state)
{
    struct fixture *f = *state;
    struct buf text;
    buf_init(&text, 1u << 20);
    for (unsigned i = 0; i < 12000; i++) {
        buf_appendf(&text, "name%u = call(%u, other%u);\n", i, i, i % 77);
    }
    put(f, "a.c", buf_cstr(&text));
    put(f, "b.c", buf_cstr(&text));
    learn_root(f);
    for (unsigned i = 0; i < 12; i++) {
        predictor_learn_document(f->predictor, i, STR(""), buf_str(&text));
    }
    wait_learned(f);
    struct predictor_stats s = predictor_stats(f->predictor);
    assert_true(s.n_tokens > 5000);
    assert_true(s.n_bytes <= 400000 + 4096);
    buf_release(&text);
}

static void nothing_is_held_before_learning(void **state)
{
    struct fixture *f = *state;
    assert_true(predictor_stats(f->predictor).n_bytes < 100000);
}

static void large_documents_are_not_learned(void **state)
{
    struct fixture *f = *state;
    struct buf text;
    buf_init(&text, 3u << 20);
    while (text.len <= 1u << 20) {
        buf_append(&text, STR("huge_function(argument);\n"));
    }
    predictor_learn_document(f->predictor, 1, STR(""), buf_str(&text));
    assert_false(predictor_is_learning(f->predictor));
    expect(ask(f, 2, "huge_fun", "", 1), "");
    buf_release(&text);
}

static void suggest_completes_utf8_words(void **state)
{
    struct fixture *f = *state;
    expect_some(ask(f, 0,
                    SEEN("gr\xC3\xB6\xC3\x9F"
                         "e_lesen(\xC3\xBC"
                         "bergabe);") "gr\xC3\xB6",
                    "\n", 1),
                "\xC3\x9F"
                "e_lesen(\xC3\xBC"
                "bergabe);",
                9);
}

static void suggest_survives_huge_lines(void **state)
{
    struct fixture *f = *state;
    struct buf text;
    buf_init(&text, 1u << 20);
    for (unsigned i = 0; i < 60000; i++) {
        buf_append(&text, STR("a,b;"));
    }
    struct prediction p = ask(f, 0, buf_cstr(&text), "\n", 50);
    assert_true(p.text.len <= 4096);
    buf_clear(&text);
    for (unsigned i = 0; i < 60000; i++) {
        buf_append_char(&text, 'x');
    }
    expect(ask(f, 0, buf_cstr(&text), buf_cstr(&text), 50), "");
    buf_release(&text);
}

static void suggest_closes_the_strings_it_opens(void **state)
{
    struct fixture *f = *state;
    struct prediction p =
        ask(f, 0,
            "log(\"value of first item\", a);\nlog(\"value of second item\", b);\n"
            "log(\"value of third item\", c);\nlog(\"value of fourth item\", d);\n"
            "lo",
            "\n", 1);
    size_t n_quotes = 0;
    for (size_t i = 0; i < p.text.len; i++) {
        n_quotes += p.text.ptr[i] == '"';
    }
    assert_int_equal(n_quotes % 2, 0);
}

static void suggest_finishes_operators(void **state)
{
    struct fixture *f = *state;
    expect_some(ask(f, 0, LOOPS LOOPS "for (size_t i = 0; i < list-", "\n", 1), ">n_items; i++) {",
                8);
}

static void stats_count_what_was_asked(void **state)
{
    struct fixture *f = *state;
    (void)ask(f, 0, "", "", 1);
    (void)ask(f, 0, LOOPS "for (size_t i = 0", "\n", 1);
    struct predictor_stats s = predictor_stats(f->predictor);
    assert_int_equal(s.n_asked, 2);
    assert_int_equal(s.n_answered, 1);
}

#define WITH(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(suggest_completes_a_line_seen_above),
        WITH(suggest_says_nothing_in_a_fresh_text),
        WITH(suggest_keeps_the_indentation_of_its_place),
        WITH(suggest_leaves_out_what_stands_behind),
        WITH(suggest_prefers_the_scope_to_the_workspace),
        WITH(workspace_is_learned_again_and_replaced),
        WITH(workspace_that_is_forgotten_is_forgotten_at_once),
        cmocka_unit_test_setup_teardown(excluded_and_ignored_files_are_never_proposed,
                                        setup_private, teardown),
        WITH(opened_files_count_by_their_buffer),
        WITH(deleted_text_is_not_proposed_again),
        WITH(documents_are_forgotten),
        WITH(forgetting_while_learning_is_safe),
        WITH(destroying_while_learning_is_safe),
        cmocka_unit_test_setup_teardown(memory_stays_within_bounds, setup_small, teardown),
        WITH(nothing_is_held_before_learning),
        WITH(large_documents_are_not_learned),
        WITH(suggest_completes_utf8_words),
        WITH(suggest_survives_huge_lines),
        WITH(suggest_closes_the_strings_it_opens),
        WITH(suggest_finishes_operators),
        WITH(stats_count_what_was_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
