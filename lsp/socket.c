/* socket.c - the door for onlookers of a serving process.
 *
 * Why      A person who wonders what the server does shouldn't need the editor to find out.
 * How      Each connection is one rpc over one stream, served from the session's own figures.
 * Rules    The folder must be the user's own and closed to others, or there is no door. A
 *          connection is freed from its stream's callbacks only, never from inside its rpc. */
#include "lsp/socket.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/limits.h"
#include "core/base/log.h"

#define CONNECTIONS_MAX   32u
#define REQUEST_MAX_BYTES (64u * KIB)
#define ANSWERS_MAX_BYTES (4u * MIB)

struct onlooker { /* one connection */
    struct door *door;
    struct loop_stream *stream; /* owned */
    struct rpc *rpc;            /* owned */
    bool is_lost;
    struct onlooker *next, **at;
};
struct door {
    struct loop *loop;
    struct session *session;
    struct loop_listener *listener; /* owned */
    struct onlooker *onlookers;
    unsigned n_onlookers;
};

void socket_folder(struct buf *out)
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    if (runtime && runtime[0] == '/') {
        buf_appendf(out, "%s/crucible", runtime);
    } else {
        buf_appendf(out, "/tmp/crucible-%u", (unsigned)geteuid());
    }
}

/* -- connections -- */

static void drop(struct onlooker *o)
{
    *o->at = o->next;
    if (o->next) {
        o->next->at = o->at;
    }
    o->door->n_onlookers--;
    rpc_destroy(o->rpc);
    loop_stream_destroy(o->stream);
    xfree(o);
}

static void on_read(str bytes, void *user)
{
    struct onlooker *o = user;
    rpc_feed(o->rpc, bytes);
    if (o->is_lost) {
        drop(o);
    }
}

static void on_end(enum err err, void *user)
{
    (void)err;
    drop(user);
}

static void write_message(str message, void *user)
{
    struct onlooker *o = user;
    loop_stream_write(o->stream, message);
}

static size_t n_queued(void *user)
{
    const struct onlooker *o = user;
    return loop_stream_queued(o->stream);
}

static void on_lost(const char *why, void *user)
{
    struct onlooker *o = user;
    log_info(LOG_RPC, "an onlooker is dropped: %s", why);
    o->is_lost = true;
}

static void on_call(struct rpc_call *call, void *user)
{
    struct onlooker *o = user;
    if (!call->is_request) {
        return;
    }
    if (str_eq(call->method, STR("crucible/stats"))) {
        stats_write_all(o->door->session, rpc_result(call));
        rpc_send(o->rpc);
    } else if (str_eq(call->method, STR("crucible/status"))) {
        status_write(o->door->session, rpc_result(call));
        rpc_send(o->rpc);
    } else {
        rpc_fail(call, RPC_METHOD_NOT_FOUND,
                 "this socket knows crucible/stats and crucible/status");
    }
}

static void on_accept(int fd, void *user)
{
    struct door *d = user;
    if (d->n_onlookers >= CONNECTIONS_MAX) {
        close(fd);
        return;
    }
    struct onlooker *o = xcalloc(1, sizeof *o);
    o->door = d;
    struct loop_stream_events events = {.on_read = on_read, .on_end = on_end, .user = o};
    if (loop_stream_open(d->loop, fd, &events, &o->stream) != ERR_OK) {
        close(fd);
        xfree(o);
        return;
    }
    o->rpc = rpc_create(&(struct rpc_options){.write = write_message,
                                              .queued = n_queued,
                                              .on_call = on_call,
                                              .on_lost = on_lost,
                                              .user = o,
                                              .writer_user = o,
                                              .max_message_bytes = REQUEST_MAX_BYTES,
                                              .max_out_bytes = ANSWERS_MAX_BYTES});
    o->next = d->onlookers;
    o->at = &d->onlookers;
    if (o->next) {
        o->next->at = &o->next;
    }
    d->onlookers = o;
    d->n_onlookers++;
    loop_stream_read(o->stream, true);
}

/* -- the folder -- */

/* A descriptor of the folder, made where it is missing; -1 where it isn't ours alone. */
static int open_folder(const char *folder)
{
    (void)mkdir(folder, 0700);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct stat st;
    if (fd >= 0 && (fstat(fd, &st) != 0 || st.st_uid != geteuid() || (st.st_mode & 077) != 0)) {
        close(fd);
        fd = -1;
    }
    return fd;
}

bool socket_make_folder(void)
{
    struct buf path;
    buf_init(&path, 4 * KIB);
    socket_folder(&path);
    int fd = open_folder(buf_cstr(&path));
    buf_release(&path);
    return fd >= 0 && close(fd) == 0;
}

/* The process that a name like "1234.sock" or "explanation-1234-5.md" belongs to, 0 for others. */
static pid_t pid_of(const char *name)
{
    str s = str_from(name);
    str explanation = STR("explanation-");
    uint64_t pid = 0;
    if (str_ends_with(s, STR(".sock"))) {
        s = str_sub(s, 0, s.len - 5);
    } else if (str_starts_with(s, explanation)) {
        s = str_sub(s, explanation.len, str_find_char(s, '-', explanation.len));
    }
    return str_to_u64(s, INT32_MAX, &pid) ? (pid_t)pid : 0;
}

/* Takes fd. */
static void remove_stale(int fd)
{
    DIR *dir = fdopendir(fd);
    if (!dir) {
        close(fd);
        return;
    }
    const struct dirent *entry;
    while ((entry = readdir(dir))) {
        pid_t pid = pid_of(entry->d_name);
        if (pid > 0 && kill(pid, 0) != 0 && errno == ESRCH) {
            (void)unlinkat(dirfd(dir), entry->d_name, 0);
        }
    }
    closedir(dir);
}

struct door *socket_open(struct loop *loop, struct session *session)
{
    struct buf path;
    buf_init(&path, 4 * KIB);
    socket_folder(&path);
    struct door *d = xcalloc(1, sizeof *d);
    d->loop = loop;
    d->session = session;
    int fd = open_folder(buf_cstr(&path));
    enum err err = ERR_INVALID;
    if (fd >= 0) {
        remove_stale(fd);
        buf_appendf(&path, "/%ld.sock", (long)getpid());
        err = loop_listen(loop, buf_cstr(&path), on_accept, d, &d->listener);
    }
    if (err != ERR_OK) {
        log_warn(LOG_LSP, "no socket for `status`: %s isn't usable", LOG_SAFE(buf_str(&path)));
        xfree(d);
        d = NULL;
    }
    buf_release(&path);
    return d;
}

void socket_close(struct door *d)
{
    if (!d) {
        return;
    }
    while (d->onlookers) {
        drop(d->onlookers);
    }
    loop_listener_destroy(d->listener);
    xfree(d);
}
