/* log_test.c - the shape of lines, and that logging never waits. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "core/base/log.h"

static char directory[64];
static char path[96];
static struct buf text;

static int set_up(void **state)
{
    (void)state;
    snprintf(directory, sizeof directory, "/tmp/crucible-log-XXXXXX");
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof path, "%s/log", directory);
    buf_init(&text, 16u << 20);
    log_set_level(LOG_WARN);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    log_close();
    unlink(path);
    rmdir(directory);
    buf_release(&text);
    return 0;
}

static str read_log(void)
{
    FILE *file = fopen(path, "rb");
    char part[4096];
    size_t n;
    assert_non_null(file);
    buf_clear(&text);
    while ((n = fread(part, 1, sizeof part, file)) > 0) {
        buf_append(&text, str_of(part, n));
    }
    (void)fclose(file);
    return buf_str(&text);
}

static void log_lines_have_time_level_area(void **state)
{
    (void)state;
    struct stat st;
    assert_int_equal(log_open(path), ERR_OK);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    log_warn(LOG_RPC, "request=%d failed", 7);
    str line = read_log();
    assert_int_equal(line.ptr[10], 'T');
    assert_true(str_eq(str_sub(line, 23, line.len), STR("Z warn rpc: request=7 failed\n")));
    assert_int_equal(line.ptr[19], '.');
}

static void log_appends_to_what_is_there(void **state)
{
    (void)state;
    assert_int_equal(log_open(path), ERR_OK);
    log_error(LOG_MAIN, "one");
    assert_int_equal(log_open(path), ERR_OK);
    log_error(LOG_MAIN, "two");
    str all = read_log();
    assert_true(str_find(all, STR("one\n"), 0) < str_find(all, STR("two\n"), 0));
    assert_true(str_find(all, STR("two\n"), 0) != SIZE_MAX);
}

static int n_evaluated;

static int evaluate(void)
{
    return ++n_evaluated;
}

static void log_levels_filter(void **state)
{
    (void)state;
    enum log_level level;
    assert_int_equal(log_open(path), ERR_OK);
    log_debug(LOG_LOOP, "hidden %d", evaluate());
    assert_int_equal(n_evaluated, 0);
    assert_true(log_level_from(STR("debug"), &level) && level == LOG_DEBUG);
    assert_false(log_level_from(STR("Debug"), &level) || log_level_from(STR(""), &level));
    log_set_level(LOG_DEBUG);
    assert_int_equal(log_level(), LOG_DEBUG);
    log_debug(LOG_LOOP, "shown %d", evaluate());
    str all = read_log();
    assert_true(str_find(all, STR("hidden"), 0) == SIZE_MAX);
    assert_true(str_find(all, STR("debug loop: shown 1\n"), 0) != SIZE_MAX);
    log_set_level(LOG_ERROR);
    assert_false(log_is_on(LOG_WARN));
    assert_true(log_is_on(LOG_ERROR));
}

static void log_lines_stay_one_line(void **state)
{
    (void)state;
    char longer[3000];
    memset(longer, 'x', sizeof longer);
    longer[sizeof longer - 1] = '\0';
    assert_int_equal(log_open(path), ERR_OK);
    log_error(LOG_MAIN, "a\nb\r\x1b[31m\t\x7f");
    log_error(LOG_MAIN, "%s", longer);
    str rest = read_log(), line;
    assert_true(str_next(&rest, '\n', &line));
    assert_true(str_ends_with(line, STR("main: a b  [31m  ")));
    assert_true(str_next(&rest, '\n', &line));
    assert_true(str_ends_with(line, STR("xxx...")));
    assert_int_equal(line.len, 1023 - 1);
    assert_false(str_next(&rest, '\n', &line));
}

static void log_keeps_errno(void **state)
{
    (void)state;
    assert_int_equal(log_open(path), ERR_OK);
    errno = ENOTTY;
    log_error(LOG_MAIN, "x");
    assert_int_equal(errno, ENOTTY);
}

static void log_open_refuses_what_cannot_be_written(void **state)
{
    (void)state;
    assert_int_equal(log_open(directory), ERR_INVALID);
    assert_int_equal(log_open("/nonexistent/directory/log"), ERR_NOT_FOUND);
    assert_int_equal(log_open(NULL), ERR_OK);
    assert_int_equal(log_open(""), ERR_OK);
}

static void log_never_waits_for_a_reader(void **state)
{
    (void)state;
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_not_equal(log_open(path), ERR_OK); /* nobody reads: it must not wait for one */
    int reader = open(path, O_RDONLY | O_NONBLOCK);
    assert_true(reader >= 0);
    assert_int_equal(log_open(path), ERR_OK);
    for (int i = 0; i < 20000; i++) { /* many times what a pipe holds */
        log_error(LOG_MAIN, "line %d", i);
    }
    char part[64] = "";
    assert_true(read(reader, part, sizeof part - 1) > 40);
    assert_non_null(strstr(part, "main: line 0\n"));
    close(reader);
}

static void *log_many(void *user)
{
    for (int i = 0; i < 2000; i++) {
        log_error(LOG_LOOP, "thread=%s some text that is long enough to be cut in two",
                  (char *)user);
    }
    return NULL;
}

static void log_lines_of_threads_do_not_mix(void **state)
{
    (void)state;
    pthread_t threads[3];
    char names[3][2] = {"a", "b", "c"};
    assert_int_equal(log_open(path), ERR_OK);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, log_many, names[i]), 0);
    }
    for (int i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
    }
    str rest = read_log(), line;
    size_t n = 0;
    for (; str_next(&rest, '\n', &line); n++) {
        assert_int_equal(line.ptr[23], 'Z');
        assert_true(str_ends_with(line, STR("cut in two")));
        assert_true(str_find(line, STR("thread="), 0) == str_find(line, STR("loop: "), 0) + 6);
    }
    assert_int_equal(n, 3 * 2000);
}

static void log_safe_escapes_and_shortens(void **state)
{
    (void)state;
    assert_string_equal(LOG_SAFE(STR("initialize")), "initialize");
    assert_string_equal(LOG_SAFE(STR("a\n\xC3\xA9\\")), "a\\x0a\\xc3\\xa9\\x5c");
    assert_string_equal(LOG_SAFE(str_from(NULL)), "");
    char longer[200];
    memset(longer, 'y', sizeof longer);
    struct log_safe safe = log_safe(str_of(longer, sizeof longer));
    assert_int_equal(strlen(safe.text), LOG_SAFE_BYTES - 1);
    assert_true(str_ends_with(str_from(safe.text), STR("y...")));
    memset(longer, '\n', sizeof longer);
    safe = log_safe(str_of(longer, sizeof longer));
    assert_true(str_ends_with(str_from(safe.text), STR("\\x0a...")));
}

#define LOG_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LOG_TEST(log_lines_have_time_level_area),
        LOG_TEST(log_appends_to_what_is_there),
        LOG_TEST(log_levels_filter),
        LOG_TEST(log_lines_stay_one_line),
        LOG_TEST(log_keeps_errno),
        LOG_TEST(log_open_refuses_what_cannot_be_written),
        LOG_TEST(log_never_waits_for_a_reader),
        LOG_TEST(log_lines_of_threads_do_not_mix),
        LOG_TEST(log_safe_escapes_and_shortens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
