/* workspace_test.c - the scan: what is read, what is ignored, bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <utime.h>
#include <unistd.h>
#include <cmocka.h>

#include "core/base/hash.h"
#include "core/base/memory.h"
#include "core/predict/ignore.h"
#include "core/predict/workspace.h"

struct tree {
    char root[64];
    struct ngrams ngrams;
    atomic_bool is_cancelled;
    struct workspace_scan scan;
};

static void run(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void run(const char *fmt, ...)
{
    char command[512];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(command, sizeof(command), fmt, args);
    va_end(args);
    assert_int_equal(system(command), 0);
}

static int setup(void **state)
{
    struct tree *t = xcalloc(1, sizeof(*t));
    (void)snprintf(t->root, sizeof(t->root), "/tmp/crucible-workspace-XXXXXX");
    assert_non_null(mkdtemp(t->root));
    t->scan = (struct workspace_scan){
        .root = str_from(t->root),
        .max_bytes = 4u << 20,
        .max_file_bytes = 100000,
        .max_files = 100,
        .max_scan_ms = 60000,
        .is_cancelled = &t->is_cancelled,
    };
    *state = t;
    return 0;
}

static int teardown(void **state)
{
    struct tree *t = *state;
    ngrams_release(&t->ngrams);
    run("rm -rf %s", t->root);
    xfree(t);
    return 0;
}

static void put(const struct tree *t, const char *name, const char *text)
{
    char path[256];
    (void)snprintf(path, sizeof(path), "%s/%s", t->root, name);
    for (char *at = path + 1; (at = strchr(at, '/')) != NULL; at++) {
        *at = '\0';
        (void)mkdir(path, 0700);
        *at = '/';
    }
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static void learn(struct tree *t)
{
    ngrams_release(&t->ngrams);
    assert_true(workspace_learn(&t->scan, &t->ngrams));
}

static bool knows(const struct tree *t, const char *word)
{
    return ngrams_word(&t->ngrams, hash_str(str_from(word))) != 0;
}

static void scan_learns_what_it_finds(void **state)
{
    struct tree *t = *state;
    put(t, "a.c", "int alpha;\n");
    put(t, "deep/er/b.py", "beta = 1\n");
    learn(t);
    assert_true(knows(t, "alpha"));
    assert_true(knows(t, "beta"));
    assert_int_equal(t->ngrams.n_files, 2);
}

static void scan_respects_gitignore(void **state)
{
    struct tree *t = *state;
    put(t, ".gitignore", "# made\n/build\n*.gen.c\n!keep.gen.c\nlogs/\ndocs/*.txt\n\\#odd\n");
    put(t, "build/one.c", "word_one");
    put(t, "src/build/two.c", "word_two");
    put(t, "src/x.gen.c", "word_three");
    put(t, "src/keep.gen.c", "word_four");
    put(t, "src/logs/five.c", "word_five");
    put(t, "src/logs.c", "word_six");
    put(t, "docs/seven.txt", "word_seven");
    put(t, "src/docs/eight.txt", "word_eight");
    put(t, "#odd", "word_nine");
    learn(t);
    assert_false(knows(t, "word_one"));
    assert_true(knows(t, "word_two"));
    assert_false(knows(t, "word_three"));
    assert_true(knows(t, "word_four"));
    assert_false(knows(t, "word_five"));
    assert_true(knows(t, "word_six"));
    assert_false(knows(t, "word_seven"));
    assert_true(knows(t, "word_eight"));
    assert_false(knows(t, "word_nine"));
}

static void scan_respects_nested_gitignore(void **state)
{
    struct tree *t = *state;
    put(t, ".gitignore", "*.tmp.c\n");
    put(t, "sub/.gitignore", "!mine.tmp.c\n/local.c\n");
    put(t, "sub/mine.tmp.c", "word_mine");
    put(t, "sub/other.tmp.c", "word_other");
    put(t, "sub/local.c", "word_local");
    put(t, "sub/inner/local.c", "word_inner");
    put(t, "mine.tmp.c", "word_top");
    learn(t);
    assert_true(knows(t, "word_mine"));
    assert_false(knows(t, "word_other"));
    assert_false(knows(t, "word_local"));
    assert_true(knows(t, "word_inner"));
    assert_false(knows(t, "word_top"));
}

static void scan_respects_rules_above_its_root(void **state)
{
    struct tree *t = *state;
    put(t, ".git/info/exclude", "private.c\n");
    put(t, ".gitignore", "/sub/out\nsecret*\n");
    put(t, "sub/out/a.c", "word_out");
    put(t, "sub/secret.c", "word_secret");
    put(t, "sub/private.c", "word_private");
    put(t, "sub/fine.c", "word_fine");
    char root[80];
    (void)snprintf(root, sizeof(root), "%s/sub", t->root);
    t->scan.root = str_from(root);
    learn(t);
    assert_false(knows(t, "word_out"));
    assert_false(knows(t, "word_secret"));
    assert_false(knows(t, "word_private"));
    assert_true(knows(t, "word_fine"));
}

static void scan_skips_hidden_binary_and_machine_made(void **state)
{
    struct tree *t = *state;
    put(t, ".hidden/a.c", "word_hidden");
    put(t, ".env", "word_env");
    put(t, "node_modules/x/index.js", "word_modules");
    put(t, "x.min.js", "word_minified");
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/binary.c", t->root);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite("word_binary\0x", 1, 13, f), 13);
    assert_int_equal(fclose(f), 0);
    char line[4000];
    memset(line, 'x', sizeof(line));
    memcpy(line, "word_line ", 10);
    line[sizeof(line) - 1] = '\0';
    put(t, "line.js", line);
    put(t, "fine.js", "word_fine");
    learn(t);
    assert_int_equal(t->ngrams.n_files, 1);
    assert_true(knows(t, "word_fine"));
}

static void scan_follows_no_links(void **state)
{
    struct tree *t = *state;
    put(t, "outside/secret.c", "word_secret");
    put(t, "inside/fine.c", "word_fine");
    run("ln -s ../outside %s/inside/link && ln -s ../outside/secret.c %s/inside/link.c", t->root,
        t->root);
    run("mkfifo %s/inside/pipe.c", t->root);
    char root[80];
    (void)snprintf(root, sizeof(root), "%s/inside", t->root);
    t->scan.root = str_from(root);
    learn(t);
    assert_false(knows(t, "word_secret"));
    assert_true(knows(t, "word_fine"));
}

static bool is_secret(str path, void *user)
{
    (void)user;
    return path.ptr[0] == '/' && str_ends_with(path, STR("/keys/a.c"));
}

static void scan_asks_for_exclusions(void **state)
{
    struct tree *t = *state;
    put(t, "keys/a.c", "word_secret");
    put(t, "keys/b.c", "word_fine");
    t->scan.is_excluded = is_secret;
    learn(t);
    assert_false(knows(t, "word_secret"));
    assert_true(knows(t, "word_fine"));
}

static void scan_leaves_open_documents_out(void **state)
{
    struct tree *t = *state;
    put(t, "open.c", "word_open");
    put(t, "closed.c", "word_closed");
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/open.c", t->root);
    uint64_t hash = hash_str(str_from(path));
    t->scan.open_paths = &hash;
    t->scan.n_open_paths = 1;
    learn(t);
    assert_false(knows(t, "word_open"));
    assert_true(knows(t, "word_closed"));
}

static void scan_takes_the_newest_files_first(void **state)
{
    struct tree *t = *state;
    for (unsigned i = 0; i < 40; i++) {
        char name[32];
        char text[32];
        (void)snprintf(name, sizeof(name), "f%u.c", i);
        (void)snprintf(text, sizeof(text), "word_%u", i);
        put(t, name, text);
        char path[128];
        (void)snprintf(path, sizeof(path), "%s/%s", t->root, name);
        struct utimbuf times = {1000000 + i, 1000000 + i};
        assert_int_equal(utime(path, &times), 0);
    }
    t->scan.max_files = 3;
    learn(t);
    assert_int_equal(t->ngrams.n_files, 3);
    assert_true(knows(t, "word_39"));
    assert_true(knows(t, "word_37"));
    assert_false(knows(t, "word_36"));
}

static void scan_respects_the_size_of_files(void **state)
{
    struct tree *t = *state;
    put(t, "large.c", "word_large large large");
    put(t, "small.c", "word_small");
    t->scan.max_file_bytes = 12;
    learn(t);
    assert_false(knows(t, "word_large"));
    assert_true(knows(t, "word_small"));
}

static void scan_stops_when_cancelled(void **state)
{
    struct tree *t = *state;
    put(t, "a.c", "word_a");
    atomic_store(&t->is_cancelled, true);
    assert_false(workspace_learn(&t->scan, &t->ngrams));
}

static void scan_of_nothing_is_harmless(void **state)
{
    struct tree *t = *state;
    t->scan.root = STR("/nonexistent/folder");
    learn(t);
    assert_int_equal(t->ngrams.n_files, 0);
}

static void ignore_keeps_escaped_blanks(void **state)
{
    (void)state;
    struct ignore *ig = ignore_create(NULL, STR(""), STR("plain  \r\nblank\\ \n\\!bang\n!\n/\n"));
    assert_true(ignore_matches(ig, STR("plain"), false));
    assert_true(ignore_matches(ig, STR("!bang"), false));
    assert_false(ignore_matches(ig, STR("other"), false));
    assert_false(ignore_matches(NULL, STR("plain"), false));
    ignore_destroy(ig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(scan_learns_what_it_finds, setup, teardown),
        cmocka_unit_test_setup_teardown(scan_respects_gitignore, setup, teardown),
        cmocka_unit_test_setup_teardown(scan_respects_nested_gitignore, setup, teardown),
        cmocka_unit_test_setup_teardown(scan_respects_rules_above_its_root, setup, teardown),
        cmocka_unit_test_setup_teardown(scan_skips_hidden_binary_and_machine_made, setup, teardown),
        cmocka_unit_test_setup_teardown(scan_follows_no_links, setup, teardown),
        cmocka_unit_test_setup_teardown(scan_asks_for_exclusions, setup, teardown),
        cmocka_unit_test_setup_teardown(scan_leaves_open_documents_out, setup, teardown),
        cmocka_unit_test_setup_teardown(scan_takes_the_newest_files_first, setup, teardown),
        cmocka_unit_test_setup_teardown(scan_respects_the_size_of_files, setup, teardown),
        cmocka_unit_test_setup_teardown(scan_stops_when_cancelled, setup, teardown),
        cmocka_unit_test_setup_teardown(scan_of_nothing_is_harmless, setup, teardown),
        cmocka_unit_test(ignore_keeps_escaped_blanks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
