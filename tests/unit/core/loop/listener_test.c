/* listener_test.c - the Unix socket that status and the dashboard read from. */
#include "tests/unit/core/loop/bounded.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

struct fixture {
    struct loop *loop;
    struct loop_listener *listener;
    char dir[32], path[64];
    int n_accepted;
    bool has_accepted, must_destroy;
};

static void setup(struct fixture *f)
{
    *f = (struct fixture){.loop = loop_create(), .dir = "/tmp/listener_test_XXXXXX"};
    assert_non_null(mkdtemp(f->dir));
    (void)snprintf(f->path, sizeof f->path, "%s/s", f->dir);
}

static void teardown(struct fixture *f)
{
    loop_listener_destroy(f->listener);
    loop_destroy(f->loop);
    unlink(f->path);
    assert_int_equal(rmdir(f->dir), 0);
}

static void on_accept(int fd, void *user)
{
    struct fixture *f = user;
    f->n_accepted++;
    f->has_accepted = true;
    close(fd);
    if (f->must_destroy) {
        loop_listener_destroy(f->listener);
        f->listener = NULL;
    }
}

static enum err start(struct fixture *f)
{
    return loop_listen(f->loop, f->path, on_accept, f, &f->listener);
}

static int dial(struct fixture *f)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", f->path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static void listener_accepts_and_removes_its_file(void **state)
{
    (void)state;
    struct fixture f;
    struct stat st;
    setup(&f);
    assert_int_equal(start(&f), ERR_OK);
    assert_int_equal(stat(f.path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    int fd = dial(&f);
    assert_true(fd >= 0);
    wait_for(f.loop, &f.has_accepted);
    assert_int_equal(f.n_accepted, 1);
    close(fd);
    loop_listener_destroy(f.listener);
    f.listener = NULL;
    assert_int_not_equal(stat(f.path, &st), 0);
    teardown(&f);
}

static void listener_may_be_destroyed_while_accepting(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    assert_int_equal(start(&f), ERR_OK);
    f.must_destroy = true;
    int one = dial(&f), two = dial(&f);
    wait_for(f.loop, &f.has_accepted);
    assert_int_equal(f.n_accepted, 1);
    close(one);
    close(two);
    teardown(&f);
}

static void socket_that_nobody_answers_on_is_replaced(void **state)
{
    (void)state;
    struct fixture f;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    setup(&f);
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", f.path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    close(fd);
    assert_int_equal(start(&f), ERR_OK);
    close(dial(&f));
    wait_for(f.loop, &f.has_accepted);
    teardown(&f);
}

static void socket_that_lives_and_other_files_are_left_alone(void **state)
{
    (void)state;
    struct fixture f;
    struct loop_listener *second = NULL;
    setup(&f);
    assert_int_equal(start(&f), ERR_OK);
    assert_int_equal(loop_listen(f.loop, f.path, on_accept, &f, &second), ERR_REJECTED);
    close(dial(&f));
    wait_for(f.loop, &f.has_accepted);
    loop_listener_destroy(f.listener);
    f.listener = NULL;
    FILE *file = fopen(f.path, "w");
    assert_non_null(file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(start(&f), ERR_REJECTED);
    assert_int_equal(access(f.path, F_OK), 0);
    teardown(&f);
}

static void paths_that_cannot_be_are_refused(void **state)
{
    (void)state;
    struct fixture f;
    char path[300];
    setup(&f);
    memset(path, 'a', sizeof path);
    path[sizeof path - 1] = '\0';
    assert_int_equal(loop_listen(f.loop, path, on_accept, &f, &f.listener), ERR_INVALID);
    assert_int_equal(loop_listen(f.loop, "", on_accept, &f, &f.listener), ERR_INVALID);
    (void)snprintf(path, sizeof path, "%s/no/s", f.dir);
    assert_int_equal(loop_listen(f.loop, path, on_accept, &f, &f.listener), ERR_NOT_FOUND);
    teardown(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(listener_accepts_and_removes_its_file),
        cmocka_unit_test(listener_may_be_destroyed_while_accepting),
        cmocka_unit_test(socket_that_nobody_answers_on_is_replaced),
        cmocka_unit_test(socket_that_lives_and_other_files_are_left_alone),
        cmocka_unit_test(paths_that_cannot_be_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
