/* loop_test.c - turns, posts, timers, polls, jobs, processes and signals. */
#include "tests/unit/core/loop/bounded.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct fixture {
    struct loop *loop;
    char trace[64];
    size_t n;
    bool is_done;
    uint64_t at_us;
    struct loop_timer *timer;
};

static struct fixture fixture_create(void)
{
    return (struct fixture){.loop = loop_create()};
}

static void note(struct fixture *f, char c)
{
    f->trace[f->n++] = c;
}

static void note_b(void *user)
{
    note(user, 'b');
}

static void note_c_and_stop(void *user)
{
    struct fixture *f = user;
    note(f, 'c');
    loop_stop(f->loop);
}

static void note_a_and_post_c(void *user)
{
    struct fixture *f = user;
    note(f, 'a');
    loop_post(f->loop, note_c_and_stop, f);
    note(f, '.');
}

static void posts_run_in_order_and_never_inside_the_call(void **state)
{
    (void)state;
    struct fixture f = fixture_create();
    loop_post(f.loop, note_a_and_post_c, &f);
    loop_post(f.loop, note_b, &f);
    assert_int_equal(f.n, 0);
    loop_run(f.loop);
    assert_string_equal(f.trace, "a.bc");
    loop_destroy(f.loop);
}

static void post_again(void *user)
{
    struct fixture *f = user;
    if (!f->is_done) {
        loop_post(f->loop, post_again, f);
    }
}

static void set_done(void *user)
{
    ((struct fixture *)user)->is_done = true;
}

static void posts_that_post_for_ever_do_not_starve_timers(void **state)
{
    (void)state;
    struct fixture f = fixture_create();
    f.timer = loop_timer_create(f.loop, set_done, &f);
    loop_timer_set(f.timer, clock_now_us() + MS_TO_US(5));
    loop_post(f.loop, post_again, &f);
    wait_for(f.loop, &f.is_done);
    loop_timer_destroy(f.timer);
    loop_destroy(f.loop);
}

static void posts_left_at_the_end_are_dropped(void **state)
{
    (void)state;
    struct fixture f = fixture_create();
    loop_post(f.loop, set_done, &f);
    loop_destroy(f.loop);
    assert_false(f.is_done);
}

static void take_time(void *user)
{
    struct fixture *f = user;
    f->at_us = clock_now_us();
    f->is_done = true;
}

static void timer_is_never_early(void **state)
{
    (void)state;
    struct fixture f = fixture_create();
    f.timer = loop_timer_create(f.loop, take_time, &f);
    for (unsigned i = 0; i < 10; i++) {
        uint64_t at_us = clock_now_us() + 300u * i;
        f.is_done = false;
        loop_timer_set(f.timer, at_us);
        wait_for(f.loop, &f.is_done);
        assert_true(f.at_us >= at_us);
    }
    loop_timer_destroy(f.timer);
    loop_destroy(f.loop);
}

static void timer_that_is_disarmed_stays_silent(void **state)
{
    (void)state;
    struct fixture f = fixture_create(), other = {.loop = f.loop};
    f.timer = loop_timer_create(f.loop, set_done, &f);
    other.timer = loop_timer_create(f.loop, set_done, &other);
    loop_timer_set(f.timer, clock_now_us() + MS_TO_US(1));
    loop_timer_set(f.timer, CLOCK_NEVER);
    loop_timer_set(other.timer, clock_now_us() + MS_TO_US(5));
    wait_for(f.loop, &other.is_done);
    assert_false(f.is_done);
    loop_timer_destroy(f.timer);
    loop_timer_destroy(other.timer);
    loop_destroy(f.loop);
}

static void destroy_own_timer(void *user)
{
    struct fixture *f = user;
    f->is_done = true;
    loop_timer_destroy(f->timer);
}

static void timer_may_be_destroyed_by_its_callback(void **state)
{
    (void)state;
    struct fixture f = fixture_create();
    f.timer = loop_timer_create(f.loop, destroy_own_timer, &f);
    loop_timer_set(f.timer, 0);
    wait_for(f.loop, &f.is_done);
    loop_destroy(f.loop);
}

struct poll_fixture {
    int seen;
    bool is_done;
};

static void on_poll(int events, bool is_error, void *user)
{
    (void)is_error;
    struct poll_fixture *p = user;
    p->seen |= events;
    p->is_done = true;
}

static void poll_tells_readable_and_writable(void **state)
{
    (void)state;
    int fds[2];
    struct loop *loop = loop_create();
    struct poll_fixture p = {0};
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    struct loop_poll *poll = loop_poll_create(loop, fds[0], on_poll, &p);
    assert_non_null(poll);
    loop_poll_set(poll, LOOP_WRITABLE);
    wait_for(loop, &p.is_done);
    assert_int_equal(p.seen, LOOP_WRITABLE);
    p = (struct poll_fixture){0};
    assert_int_equal(write(fds[1], "x", 1), 1);
    loop_poll_set(poll, LOOP_READABLE);
    wait_for(loop, &p.is_done);
    assert_int_equal(p.seen, LOOP_READABLE);
    loop_poll_destroy(poll);
    close(fds[0]);
    close(fds[1]);
    loop_destroy(loop);
}

struct job_fixture {
    struct loop *loop;
    pthread_t loop_thread;
    atomic_bool may_go, was_on_loop;
    atomic_int n_worked;
    int n_done, n_cancelled;
};

static void on_work(void *user)
{
    struct job_fixture *j = user;
    if (pthread_equal(pthread_self(), j->loop_thread)) {
        atomic_store(&j->was_on_loop, true);
    }
    atomic_fetch_add(&j->n_worked, 1);
    while (!atomic_load(&j->may_go)) {
        usleep(100);
    }
}

static void on_job_done(bool is_cancelled, void *user)
{
    struct job_fixture *j = user;
    assert_true(pthread_equal(pthread_self(), j->loop_thread));
    j->n_done++;
    j->n_cancelled += is_cancelled;
}

static bool jobs_are_done(void *user)
{
    struct job_fixture *j = user;
    return j->n_done == 10;
}

static void jobs_work_on_a_thread_and_report_once_on_the_loop(void **state)
{
    (void)state;
    struct job_fixture j = {.loop = loop_create(), .loop_thread = pthread_self()};
    struct loop_job *jobs[10];
    for (size_t i = 0; i < 10; i++) { /* more than there are threads: the last ones wait */
        jobs[i] = loop_job_start(j.loop, on_work, on_job_done, &j);
    }
    loop_job_cancel(jobs[9]);
    loop_job_cancel(NULL);
    atomic_store(&j.may_go, true);
    assert_true(run_until(j.loop, jobs_are_done, &j));
    assert_int_equal(j.n_cancelled, 1);
    assert_int_equal(atomic_load(&j.n_worked), 9);
    assert_false(atomic_load(&j.was_on_loop));
    loop_destroy(j.loop);
}

static void jobs_that_run_are_waited_for_at_the_end(void **state)
{
    (void)state;
    struct job_fixture j = {.loop = loop_create(), .loop_thread = pthread_self()};
    atomic_store(&j.may_go, true);
    (void)loop_job_start(j.loop, on_work, on_job_done, &j);
    loop_destroy(j.loop);
    assert_int_equal(j.n_done, 1);
}

static void watch_sees_a_process_end(void **state)
{
    (void)state;
    struct fixture f = fixture_create();
    struct loop_watch *w = NULL;
    int go[2];
    char byte;
    assert_int_equal(pipe(go), 0);
    pid_t pid = fork();
    if (pid == 0) {
        close(go[1]);
        _exit(read(go[0], &byte, 1) == 0 ? 0 : 1);
    }
    close(go[0]);
    assert_int_equal(loop_watch_process(f.loop, pid, set_done, &f, &w), ERR_OK);
    close(go[1]);
    wait_for(f.loop, &f.is_done);
    loop_watch_destroy(w);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_int_equal(loop_watch_process(f.loop, pid, set_done, &f, &w), ERR_NOT_FOUND);
    assert_int_equal(loop_watch_process(f.loop, 0, set_done, &f, &w), ERR_NOT_FOUND);
    assert_int_equal(loop_watch_process(f.loop, -1, set_done, &f, &w), ERR_NOT_FOUND);
    assert_int_equal(loop_watch_process(f.loop, INT64_MAX, set_done, &f, &w), ERR_NOT_FOUND);
    loop_destroy(f.loop);
}

static void signal_reaches_its_callback(void **state)
{
    (void)state;
    struct fixture f = fixture_create();
    struct loop_signal *s = loop_signal_create(f.loop, SIGUSR2, set_done, &f);
    raise(SIGUSR2);
    wait_for(f.loop, &f.is_done);
    loop_signal_destroy(s);
    loop_destroy(f.loop);
}

static void destroy_accepts_null(void **state)
{
    (void)state;
    loop_timer_destroy(NULL);
    loop_stream_destroy(NULL);
    loop_listener_destroy(NULL);
    loop_poll_destroy(NULL);
    loop_watch_destroy(NULL);
    loop_signal_destroy(NULL);
    loop_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(posts_run_in_order_and_never_inside_the_call),
        cmocka_unit_test(posts_that_post_for_ever_do_not_starve_timers),
        cmocka_unit_test(posts_left_at_the_end_are_dropped),
        cmocka_unit_test(timer_is_never_early),
        cmocka_unit_test(timer_that_is_disarmed_stays_silent),
        cmocka_unit_test(timer_may_be_destroyed_by_its_callback),
        cmocka_unit_test(poll_tells_readable_and_writable),
        cmocka_unit_test(jobs_work_on_a_thread_and_report_once_on_the_loop),
        cmocka_unit_test(jobs_that_run_are_waited_for_at_the_end),
        cmocka_unit_test(watch_sees_a_process_end),
        cmocka_unit_test(signal_reaches_its_callback),
        cmocka_unit_test(destroy_accepts_null),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
