/* stream_test.c - reading and writing pipes, socket pairs and files through the loop. */
#include "tests/unit/core/loop/bounded.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

struct fixture {
    struct loop *loop;
    struct loop_stream *stream;
    int far; /* the other end */
    struct buf got;
    size_t n_reads;
    int n_ends, n_drains;
    enum err end_err;
    bool is_ended, is_drained;
    bool must_destroy; /* the stream destroys itself in its next callback */
};

static void destroy_if_asked(struct fixture *f)
{
    if (f->must_destroy) {
        loop_stream_destroy(f->stream);
        f->stream = NULL;
    }
}

static void on_read(str bytes, void *user)
{
    struct fixture *f = user;
    buf_append(&f->got, bytes);
    f->n_reads++;
    destroy_if_asked(f);
}

static void on_end(enum err err, void *user)
{
    struct fixture *f = user;
    f->n_ends++;
    f->end_err = err;
    f->is_ended = true;
    destroy_if_asked(f);
}

static void on_drain(void *user)
{
    struct fixture *f = user;
    f->n_drains++;
    f->is_drained = true;
    destroy_if_asked(f);
}

static void setup_fd(struct fixture *f, int fd)
{
    f->loop = loop_create();
    buf_init(&f->got, 64u << 20);
    struct loop_stream_events events = {on_read, on_end, on_drain, f};
    assert_int_equal(loop_stream_open(f->loop, fd, &events, &f->stream), ERR_OK);
}

static void setup(struct fixture *f)
{
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    *f = (struct fixture){.far = fds[1]};
    setup_fd(f, fds[0]);
}

static void teardown(struct fixture *f)
{
    loop_stream_destroy(f->stream);
    if (f->far >= 0) {
        close(f->far);
    }
    buf_release(&f->got);
    loop_destroy(f->loop);
}

static void on_turn_over(void *user)
{
    loop_stop(user);
}

/* Lets one whole turn pass. */
static void run_turn(struct loop *loop)
{
    loop_post(loop, on_turn_over, loop);
    loop_run(loop);
}

static bool has_read(void *user)
{
    return ((struct fixture *)user)->got.len > 0;
}

static void stream_reads_until_the_end(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    loop_stream_read(f.stream, true);
    assert_int_equal(write(f.far, "hello", 5), 5);
    assert_true(run_until(f.loop, has_read, &f));
    assert_string_equal(buf_cstr(&f.got), "hello");
    close(f.far);
    f.far = -1;
    wait_for(f.loop, &f.is_ended);
    run_turn(f.loop);
    assert_int_equal(f.n_ends, 1);
    assert_int_equal(f.end_err, ERR_OK);
    teardown(&f);
}

static void stream_that_is_paused_reads_nothing(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    loop_stream_read(f.stream, true);
    loop_stream_read(f.stream, false);
    assert_int_equal(write(f.far, "x", 1), 1);
    run_turn(f.loop);
    run_turn(f.loop);
    assert_int_equal(f.n_reads, 0);
    loop_stream_read(f.stream, true);
    assert_true(run_until(f.loop, has_read, &f));
    teardown(&f);
}

static void stream_may_be_destroyed_while_reading(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    f.must_destroy = true;
    loop_stream_read(f.stream, true);
    assert_int_equal(write(f.far, "x", 1), 1);
    assert_true(run_until(f.loop, has_read, &f));
    assert_null(f.stream);
    teardown(&f);
}

static void writes_of_one_turn_leave_together_by_its_end(void **state)
{
    (void)state;
    int fds[2];
    char got[64];
    struct fixture f = {.far = -1};
    /* Packets keep the borders of write(2). */
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds), 0);
    f.far = fds[1];
    setup_fd(&f, fds[0]);
    loop_stream_write(f.stream, STR("one "));
    loop_stream_write(f.stream, STR("two "));
    loop_stream_write(f.stream, STR("three"));
    assert_int_equal(loop_stream_queued(f.stream), 13);
    assert_int_equal(recv(f.far, got, sizeof got, MSG_DONTWAIT), -1);
    run_turn(f.loop);
    assert_int_equal(recv(f.far, got, sizeof got, MSG_DONTWAIT), 13);
    assert_memory_equal(got, "one two three", 13);
    assert_int_equal(loop_stream_queued(f.stream), 0);
    teardown(&f);
}

/* Reads all there is at the far end and checks that it goes on counting. */
static size_t take(struct fixture *f, size_t n_before)
{
    static unsigned char bytes[100000];
    ssize_t n;
    while ((n = recv(f->far, bytes, sizeof bytes, MSG_DONTWAIT)) > 0) {
        for (ssize_t i = 0; i < n; i++, n_before++) {
            assert_int_equal(bytes[i], (unsigned char)(n_before % 251));
        }
    }
    return n_before;
}

static void stream_queues_what_the_kernel_refuses_and_drains(void **state)
{
    (void)state;
    static char bytes[4u << 20];
    struct fixture f;
    setup(&f);
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (char)(i % 251);
    }
    loop_stream_set_high(f.stream, 100000);
    loop_stream_write(f.stream, str_of(bytes, 10));
    loop_stream_write(f.stream, str_of(bytes + 10, sizeof bytes - 10));
    assert_int_equal(f.n_drains, 0);
    assert_true(loop_stream_queued(f.stream) > 100000);
    size_t n = 0;
    for (uint64_t until_us = clock_now_us() + SEC_TO_US(5);
         n < sizeof bytes && clock_now_us() < until_us;) {
        run_turn(f.loop);
        n = take(&f, n);
    }
    assert_int_equal(n, sizeof bytes);
    assert_int_equal(f.n_drains, 1);
    assert_int_equal(loop_stream_queued(f.stream), 0);
    teardown(&f);
}

static void flush_waits_no_longer_than_it_is_told(void **state)
{
    (void)state;
    static char bytes[4u << 20];
    struct fixture f;
    setup(&f);
    loop_stream_write(f.stream, STR("last words"));
    loop_stream_flush(f.stream, 1000);
    assert_int_equal(loop_stream_queued(f.stream), 0);
    loop_stream_write(f.stream, str_of(bytes, sizeof bytes));
    uint64_t from_us = clock_now_us();
    loop_stream_flush(f.stream, 20);
    assert_true(clock_now_us() - from_us >= MS_TO_US(20));
    assert_true(loop_stream_queued(f.stream) > 0);
    teardown(&f);
}

static void broken_stream_ends_once_and_not_from_inside_write(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    close(f.far);
    f.far = -1;
    loop_stream_write(f.stream, STR("x"));
    loop_stream_flush(f.stream, 0);
    assert_int_equal(f.n_ends, 0);
    wait_for(f.loop, &f.is_ended);
    assert_int_equal(f.end_err, ERR_CONNECT);
    loop_stream_write(f.stream, STR("y"));
    assert_int_equal(loop_stream_queued(f.stream), 0);
    run_turn(f.loop);
    assert_int_equal(f.n_ends, 1);
    teardown(&f);
}

static void reader_that_goes_away_breaks_a_blocked_pipe(void **state)
{
    (void)state;
    static char bytes[1u << 20];
    int fds[2];
    struct fixture f = {.far = -1};
    assert_int_equal(pipe(fds), 0);
    f.far = fds[0];
    setup_fd(&f, fds[1]);
    f.must_destroy = true;
    loop_stream_write(f.stream, str_of(bytes, sizeof bytes));
    run_turn(f.loop);
    close(f.far);
    f.far = -1;
    wait_for(f.loop, &f.is_ended);
    assert_int_equal(f.end_err, ERR_CONNECT);
    teardown(&f);
}

static void bytes_written_before_destroy_still_leave(void **state)
{
    (void)state;
    char got[8];
    struct fixture f;
    setup(&f);
    loop_stream_write(f.stream, STR("bye"));
    loop_stream_destroy(f.stream);
    f.stream = NULL;
    assert_int_equal(recv(f.far, got, sizeof got, MSG_DONTWAIT), 3);
    teardown(&f);
}

static void regular_files_are_read_and_written(void **state)
{
    (void)state;
    char path[] = "/tmp/stream_test_XXXXXX";
    static char bytes[200000];
    struct fixture f = {.far = -1};
    memset(bytes, 'z', sizeof bytes);
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    setup_fd(&f, fd);
    loop_stream_write(f.stream, str_of(bytes, sizeof bytes));
    loop_stream_write(f.stream, STR("!"));
    run_turn(f.loop);
    teardown(&f);
    f = (struct fixture){.far = -1};
    setup_fd(&f, open(path, O_RDONLY));
    loop_stream_read(f.stream, true);
    wait_for(f.loop, &f.is_ended);
    assert_int_equal(f.end_err, ERR_OK);
    assert_int_equal(f.got.len, sizeof bytes + 1);
    assert_int_equal(f.got.ptr[sizeof bytes], '!');
    assert_true(f.n_reads > 1);
    teardown(&f);
    unlink(path);
}

static void null_device_ends_at_once_and_swallows(void **state)
{
    (void)state;
    struct fixture f = {.far = -1};
    setup_fd(&f, open("/dev/null", O_RDWR));
    loop_stream_write(f.stream, STR("gone"));
    loop_stream_read(f.stream, true);
    wait_for(f.loop, &f.is_ended);
    assert_int_equal(f.end_err, ERR_OK);
    assert_int_equal(loop_stream_queued(f.stream), 0);
    teardown(&f);
}

static void what_is_no_stream_is_refused(void **state)
{
    (void)state;
    struct loop *loop = loop_create();
    struct loop_stream *s = NULL;
    struct loop_stream_events events = {on_read, on_end, NULL, NULL};
    int fd = open("/", O_RDONLY);
    assert_int_equal(loop_stream_open(loop, -1, &events, &s), ERR_INVALID);
    assert_int_equal(loop_stream_open(loop, fd, &events, &s), ERR_INVALID);
    assert_int_equal(close(fd), 0);
    loop_destroy(loop);
}

static void flags_of_a_shared_descriptor_are_put_back(void **state)
{
    (void)state;
    int fds[2];
    struct fixture f = {.far = -1};
    assert_int_equal(pipe(fds), 0);
    f.far = fds[0];
    int shared = dup(fds[1]);
    setup_fd(&f, fds[1]);
    assert_true(fcntl(shared, F_GETFL) & O_NONBLOCK);
    teardown(&f);
    assert_false(fcntl(shared, F_GETFL) & O_NONBLOCK);
    close(shared);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stream_reads_until_the_end),
        cmocka_unit_test(stream_that_is_paused_reads_nothing),
        cmocka_unit_test(stream_may_be_destroyed_while_reading),
        cmocka_unit_test(writes_of_one_turn_leave_together_by_its_end),
        cmocka_unit_test(stream_queues_what_the_kernel_refuses_and_drains),
        cmocka_unit_test(flush_waits_no_longer_than_it_is_told),
        cmocka_unit_test(broken_stream_ends_once_and_not_from_inside_write),
        cmocka_unit_test(reader_that_goes_away_breaks_a_blocked_pipe),
        cmocka_unit_test(bytes_written_before_destroy_still_leave),
        cmocka_unit_test(regular_files_are_read_and_written),
        cmocka_unit_test(null_device_ends_at_once_and_swallows),
        cmocka_unit_test(what_is_no_stream_is_refused),
        cmocka_unit_test(flags_of_a_shared_descriptor_are_put_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
