/* listener.c - a Unix socket of this user that others of the same user connect to.
 *
 * Rules    The socket's file is 0600 and is removed with the listener, unless somebody put another
 *          one in its place. A file that is no socket is never touched. */
#include "core/loop/internal.h"

#include "core/base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define LISTEN_BACKLOG       64
#define ACCEPTS_MAX_PER_TURN 16
/* How long no connection is taken when the process has run out of descriptors. */
#define ACCEPT_PAUSE_US MS_TO_US(100)

struct loop_listener {
    int fd; /* owned */
    struct loop_poll *poll;
    struct loop_timer *pause;
    loop_accept_fn *fn;
    void *user;
    char *path; /* owned */
    dev_t dev;  /* of the file that bind made */
    ino_t ino;
    bool is_destroyed; /* while in on_connection, which frees it at its end */
    bool is_accepting;
};

static enum err bind_path(int fd, const char *path);
static bool is_abandoned(const struct sockaddr_un *address);
static void on_connection(int events, bool is_error, void *user);
static void on_pause_over(void *user);
static void listener_free(struct loop_listener *l);

enum err loop_listen(struct loop *loop, const char *path, loop_accept_fn *fn, void *user,
                     struct loop_listener **out)
{
    struct stat st;
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (fd < 0) {
        return ERR_REJECTED;
    }
    (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    (void)fchmod(fd, 0600); /* on Linux the mode that bind gives the file */
    enum err err = bind_path(fd, path);
    if (err != ERR_OK) {
        close(fd);
        return err;
    }
    struct loop_poll *poll = NULL;
    struct loop_listener *l = xcalloc(1, sizeof *l);
    if (chmod(path, 0600) == 0 && lstat(path, &st) == 0 && listen(fd, LISTEN_BACKLOG) == 0) {
        poll = loop_poll_create(loop, fd, on_connection, l);
    }
    if (!poll) {
        unlink(path);
        close(fd);
        xfree(l);
        return ERR_REJECTED;
    }
    *l = (struct loop_listener){.fd = fd,
                                .poll = poll,
                                .fn = fn,
                                .user = user,
                                .dev = st.st_dev,
                                .ino = st.st_ino,
                                .path = xstrndup(path, strlen(path))};
    l->pause = loop_timer_create(loop, on_pause_over, l);
    loop_poll_set(poll, LOOP_READABLE);
    *out = l;
    return ERR_OK;
}

void loop_listener_destroy(struct loop_listener *l)
{
    struct stat st;
    if (!l) {
        return;
    }
    loop_poll_destroy(l->poll);
    loop_timer_destroy(l->pause);
    close(l->fd);
    if (lstat(l->path, &st) == 0 && st.st_dev == l->dev && st.st_ino == l->ino) {
        unlink(l->path);
    }
    l->is_destroyed = true;
    if (!l->is_accepting) {
        listener_free(l);
    }
}

static void listener_free(struct loop_listener *l)
{
    xfree(l->path);
    xfree(l);
}

static enum err bind_path(int fd, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len = strlen(path);
    if (len == 0 || len >= sizeof address.sun_path) {
        return ERR_INVALID;
    }
    memcpy(address.sun_path, path, len + 1);
    const struct sockaddr *to = (const struct sockaddr *)&address;
    if (bind(fd, to, sizeof address) == 0) {
        return ERR_OK;
    }
    if (errno != EADDRINUSE) {
        return errno == ENOENT ? ERR_NOT_FOUND : ERR_REJECTED;
    }
    if (!is_abandoned(&address) || unlink(path) != 0) {
        return ERR_REJECTED;
    }
    return bind(fd, to, sizeof address) == 0 ? ERR_OK : ERR_REJECTED;
}

/* Whether a socket of ours is left behind by a process that is gone. */
static bool is_abandoned(const struct sockaddr_un *address)
{
    struct stat st;
    if (lstat(address->sun_path, &st) != 0 || !S_ISSOCK(st.st_mode) || st.st_uid != geteuid()) {
        return false;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (fd < 0) {
        return false;
    }
    (void)fcntl(fd, F_SETFL, O_NONBLOCK);
    int rc = connect(fd, (const struct sockaddr *)address, sizeof *address);
    bool is_refused = rc != 0 && errno == ECONNREFUSED;
    close(fd);
    return is_refused;
}

static void on_connection(int events, bool is_error, void *user)
{
    (void)events;
    (void)is_error;
    struct loop_listener *l = user;
    l->is_accepting = true;
    for (int i = 0; i < ACCEPTS_MAX_PER_TURN && !l->is_destroyed; i++) {
        int fd = accept(l->fd, NULL, NULL);
        if (fd >= 0) {
            (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
            l->fn(fd, l->user);
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            break;
        } else if (errno != EINTR && errno != ECONNABORTED) {
            loop_poll_set(l->poll, 0);
            loop_timer_set(l->pause, clock_now_us() + ACCEPT_PAUSE_US);
            break;
        }
    }
    l->is_accepting = false;
    if (l->is_destroyed) {
        listener_free(l);
    }
}

static void on_pause_over(void *user)
{
    struct loop_listener *l = user;
    loop_poll_set(l->poll, LOOP_READABLE);
}
