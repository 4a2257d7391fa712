/* key_test.c - where an endpoint's key comes from, and whom it reaches. */
#include "tests/unit/core/upstream/bed.h"

#include <fcntl.h>
#include <sys/stat.h>

static void write_key(const char *path, const char *text, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, mode);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

static void key_file_is_read_trimmed_and_must_be_private(void **state)
{
    (void)state;
    struct fixture f;
    char dir[] = "/tmp/upstream_test_XXXXXX", path[64];
    setup(&f);
    assert_non_null(mkdtemp(dir));
    (void)snprintf(path, sizeof path, "%s/key", dir);
    f.endpoint.api_key_file = str_from(path);
    write_key(path, "  canary\n", 0640);
    configure(&f);
    settle(&f);
    assert_int_equal(first(&f)->state, ENDPOINT_BLOCKED);
    assert_non_null(strstr(first(&f)->error.msg, "chmod 600"));
    assert_int_equal(first(&f)->error.cause, CAUSE_KEY_EXPOSED);
    assert_null(strstr(first(&f)->error.msg, "canary"));
    assert_int_equal(f.server.n_connections, 0);
    write_key(path, "  canary\n", 0600);
    f.endpoint.name = STR("again");
    configure(&f);
    settle(&f);
    assert_int_equal(first(&f)->state, ENDPOINT_READY);
    assert_true(server_got(&f.server, "Authorization: Bearer canary\r\n"));
    unlink(path);
    rmdir(dir);
    teardown(&f);
}

static void key_of_the_environment_must_be_there(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    f.endpoint.api_key_env = STR("UPSTREAM_TEST_KEY");
    unsetenv("UPSTREAM_TEST_KEY");
    configure(&f);
    settle(&f);
    assert_int_equal(first(&f)->state, ENDPOINT_BLOCKED);
    assert_non_null(strstr(first(&f)->error.msg, "UPSTREAM_TEST_KEY"));
    assert_int_equal(setenv("UPSTREAM_TEST_KEY", "from-env", 1), 0);
    f.endpoint.name = STR("again");
    configure(&f);
    settle(&f);
    assert_true(server_got(&f.server, "Authorization: Bearer from-env\r\n"));
    teardown(&f);
}

/* Runs `script` as the command and settles. */
static void settle_with_command(struct fixture *f, const char *script)
{
    static str argv[3];
    argv[0] = STR("sh");
    argv[1] = STR("-c");
    argv[2] = str_from(script);
    setup(f);
    f->endpoint.api_key_command = argv;
    f->endpoint.n_api_key_command = 3;
    configure(f);
    settle(f);
}

static void key_of_a_command_is_asked_for_once(void **state)
{
    (void)state;
    struct fixture f;
    char path[] = "/tmp/upstream_test_XXXXXX", script[128];
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    (void)snprintf(script, sizeof script, "echo x >>%s; sleep 0.05; echo ' canary'", path);
    settle_with_command(&f, script);
    assert_int_equal(first(&f)->state, ENDPOINT_READY);
    assert_true(server_got(&f.server, "Authorization: Bearer canary\r\n"));
    exchange(&f);
    assert_true(server_got(&f.server, "Authorization: Bearer canary\r\n"));
    configure(&f); /* the same settings: the same endpoint, and its key */
    exchange(&f);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, 2);
    unlink(path);
    teardown(&f);
}

static void key_command_that_fails_is_named_and_sends_nothing(void **state)
{
    (void)state;
    static const struct {
        const char *script, *says;
    } rows[] = {
        {"echo canary; exit 3", "failed with exit status 3"},
        {"kill -KILL $$", "was ended by signal 9"},
        {"echo", "printed no key"},
        {"exec yes canary", "the key command sh"}, /* too long for a key */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fixture f;
        settle_with_command(&f, rows[i].script);
        assert_int_equal(first(&f)->state, ENDPOINT_BLOCKED);
        assert_int_equal(first(&f)->error.code, ERR_AUTH);
        assert_non_null(strstr(first(&f)->error.msg, rows[i].says));
        assert_non_null(strstr(first(&f)->error.msg, "sh"));
        assert_null(strstr(first(&f)->error.msg, "canary"));
        assert_int_equal(f.server.n_connections, 0);
        teardown(&f);
    }
}

static void key_command_that_isnt_there_is_named(void **state)
{
    (void)state;
    struct fixture f;
    str argv[] = {STR("/nowhere/no-such-command")};
    setup(&f);
    f.endpoint.api_key_command = argv;
    f.endpoint.n_api_key_command = 1;
    configure(&f);
    settle(&f);
    assert_int_equal(first(&f)->state, ENDPOINT_BLOCKED);
    assert_non_null(strstr(first(&f)->error.msg, "no-such-command can't be run"));
    teardown(&f);
}

static void key_command_ends_with_its_endpoint(void **state)
{
    (void)state;
    struct fixture f;
    str argv[] = {STR("sleep"), STR("30")};
    setup(&f);
    f.endpoint.api_key_command = argv;
    f.endpoint.n_api_key_command = 2;
    configure(&f);
    upstream_probe(f.upstream);
    assert_int_equal(first(&f)->state, ENDPOINT_PROBING);
    start(&f); /* nothing is sent meanwhile */
    wait_for(f.loop, &f.call.is_done);
    assert_int_equal(f.call.error.code, ERR_REJECTED);
    assert_int_equal(f.server.n_connections, 0);
    teardown(&f);
}

static void server_that_repeats_the_key_is_cut_short(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    assert_int_equal(setenv("UPSTREAM_TEST_KEY", "canary-1234567890", 1), 0);
    f.endpoint.api_key_env = STR("UPSTREAM_TEST_KEY");
    configure(&f);
    settle(&f);
    f.fill_status = 500;
    f.fill_body = "bad key canary-12345678 here";
    exchange(&f);
    assert_true(f.call.has_failed);
    assert_string_equal(f.call.error.msg, "tiny: bad key ...");
    teardown(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(key_file_is_read_trimmed_and_must_be_private),
        cmocka_unit_test(key_of_the_environment_must_be_there),
        cmocka_unit_test(key_of_a_command_is_asked_for_once),
        cmocka_unit_test(key_command_that_fails_is_named_and_sends_nothing),
        cmocka_unit_test(key_command_that_isnt_there_is_named),
        cmocka_unit_test(key_command_ends_with_its_endpoint),
        cmocka_unit_test(server_that_repeats_the_key_is_cut_short),
    };
    return cmocka_run_group_tests_name("key", tests, NULL, NULL);
}
