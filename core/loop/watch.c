/* watch.c - the end of another process, and signals.
 *
 * How      Where the kernel has pidfds, one becomes readable when the process ends. Elsewhere a
 *          timer asks once a second whether the process is still there. */
#include "core/loop/internal.h"

#include "core/base/clock.h"

#include <errno.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#define WATCH_PERIOD_US SEC_TO_US(1)

struct loop_watch {
    pid_t pid;
    int pidfd; /* owned; -1: asks by timer */
    struct loop_poll *poll;
    struct loop_timer *timer;
    loop_fn *fn;
    void *user;
};

static int pidfd_of(pid_t pid)
{
#ifdef SYS_pidfd_open
    return (int)syscall(SYS_pidfd_open, pid, 0);
#else
    (void)pid;
    errno = ENOSYS;
    return -1;
#endif
}

static bool is_alive(pid_t pid)
{
    return kill(pid, 0) == 0 || errno != ESRCH;
}

static void on_pidfd(int events, bool is_error, void *user)
{
    (void)events;
    (void)is_error;
    struct loop_watch *w = user;
    loop_poll_set(w->poll, 0);
    w->fn(w->user);
}

static void on_period(void *user)
{
    struct loop_watch *w = user;
    if (is_alive(w->pid)) {
        loop_timer_set(w->timer, clock_now_us() + WATCH_PERIOD_US);
    } else {
        w->fn(w->user);
    }
}

enum err loop_watch_process(struct loop *loop, int64_t pid, loop_fn *fn, void *user,
                            struct loop_watch **out)
{
    pid_t own_pid = (pid_t)pid;
    if (pid <= 0 || own_pid != pid || !is_alive(own_pid)) {
        return ERR_NOT_FOUND;
    }
    struct loop_watch *w = xcalloc(1, sizeof *w);
    w->pid = own_pid;
    w->fn = fn;
    w->user = user;
    w->pidfd = pidfd_of(own_pid);
    if (w->pidfd >= 0) {
        w->poll = loop_poll_create(loop, w->pidfd, on_pidfd, w);
    }
    if (w->poll) {
        loop_poll_set(w->poll, LOOP_READABLE);
    } else {
        w->timer = loop_timer_create(loop, on_period, w);
        loop_timer_set(w->timer, clock_now_us() + WATCH_PERIOD_US);
    }
    *out = w;
    return ERR_OK;
}

void loop_watch_destroy(struct loop_watch *w)
{
    if (!w) {
        return;
    }
    loop_poll_destroy(w->poll);
    loop_timer_destroy(w->timer);
    if (w->pidfd >= 0) {
        close(w->pidfd);
    }
    xfree(w);
}

struct loop_signal {
    struct loop *loop;
    uv_signal_t uv;
    loop_fn *fn;
    void *user;
};

static void on_signal(uv_signal_t *handle, int signum)
{
    (void)signum;
    struct loop_signal *s = container_of(handle, struct loop_signal, uv);
    s->fn(s->user);
}

static void on_signal_closed(uv_handle_t *handle)
{
    xfree(container_of(handle, struct loop_signal, uv));
}

struct loop_signal *loop_signal_create(struct loop *loop, int signum, loop_fn *fn, void *user)
{
    struct loop_signal *s = xcalloc(1, sizeof *s);
    s->loop = loop;
    s->fn = fn;
    s->user = user;
    ASSERT(uv_signal_init(&loop->uv, &s->uv) == 0);
    ASSERT(uv_signal_start(&s->uv, on_signal, signum) == 0);
    loop->n_open++;
    return s;
}

void loop_signal_destroy(struct loop_signal *s)
{
    if (!s) {
        return;
    }
    s->loop->n_open--;
    uv_close((uv_handle_t *)&s->uv, on_signal_closed);
}
