/* stream.c - bytes in and out of pipes, sockets, terminals and files.
 *
 * Why      An editor gets many small messages in one turn; each write(2) wakes it up once.
 * How      Writes collect in `out` and leave together at the end of the turn, or as soon as they
 *          are worth a call of their own. What the kernel doesn't take waits for the descriptor
 *          to become writable. Descriptors that can't be polled (regular files, /dev/null) are
 *          read one buffer a turn and written at once.
 * Rules    Callbacks come from the poll or from the end of a turn, never from inside
 *          loop_stream_write. A broken stream tells on_end once and drops what is written.
 *          The flags of a descriptor that is shared with other processes are put back at the end.
 */
#include "core/loop/internal.h"

#include "core/base/clock.h"
#include "core/base/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#define STREAM_WRITE_BYTES  (64u * KIB)   /* collected bytes that leave without waiting */
#define STREAM_KEEP_BYTES   (1u * MIB)    /* a drained queue larger than this is given back */
#define STREAM_MAX_QUEUED   (1024u * MIB) /* past this the stream counts as broken */
#define STREAM_DEFAULT_HIGH (64u * KIB)

struct loop_stream {
    struct loop *loop;
    union {
        uv_poll_t poll;
        uv_idle_t idle; /* of a file: active while reading is on */
    } uv;
    struct loop_stream_events events;
    int fd;             /* owned */
    int flags;          /* of the descriptor as it came */
    int watched;        /* UV_READABLE, UV_WRITABLE as libuv was told */
    bool is_file;       /* can't be polled */
    bool is_reading;    /* asked for */
    bool is_blocked;    /* the kernel takes no more: waits to become writable */
    bool is_ended;      /* on_end was called */
    bool is_broken;     /* writing is over */
    bool is_above_high; /* on_drain is due when the queue has shrunk */
    bool is_destroyed;
    bool is_dirty; /* in loop->dirty */
    struct loop_stream *prev_dirty, *next_dirty;
    enum err end_err; /* told by on_end when broken by a write */
    struct buf out;   /* bytes from out_start on are queued */
    size_t out_start;
    size_t high;
};

static bool open_handle(struct loop_stream *s);
static void watch(struct loop_stream *s);
static void on_ready(uv_poll_t *handle, int status, int events);
static void on_file_turn(uv_idle_t *handle);
static void on_closed(uv_handle_t *handle);
static void read_some(struct loop_stream *s);
static void write_queued(struct loop_stream *s);
static size_t write_now(struct loop_stream *s, str bytes);
static void break_off(struct loop_stream *s, enum err err);
static void mark_dirty(struct loop_stream *s);
static void unmark_dirty(struct loop_stream *s);
static void deliver_due(struct loop_stream *s);
static void end(struct loop_stream *s, enum err err);

enum err loop_stream_open(struct loop *loop, int fd, const struct loop_stream_events *events,
                          struct loop_stream **out)
{
    struct stat st;
    if (fstat(fd, &st) != 0 || S_ISDIR(st.st_mode)) {
        return ERR_INVALID;
    }
    struct loop_stream *s = xcalloc(1, sizeof *s);
    s->loop = loop;
    s->events = *events;
    s->fd = fd;
    s->flags = fcntl(fd, F_GETFL);
    s->high = STREAM_DEFAULT_HIGH;
    s->is_file = S_ISREG(st.st_mode);
    buf_init(&s->out, STREAM_MAX_QUEUED);
    if (!open_handle(s)) {
        xfree(s);
        return ERR_INVALID;
    }
    loop->n_open++;
    *out = s;
    return ERR_OK;
}

/* A terminal is shared with the shell, whose descriptor must not become non-blocking: it is
 * opened once more, in place. */
static void reopen_terminal(int fd, int flags)
{
    char name[256];
    if (!isatty(fd) || ttyname_r(fd, name, sizeof name) != 0) {
        return;
    }
    int own = open(name, (flags & O_ACCMODE) | O_NOCTTY | O_CLOEXEC);
    if (own >= 0) {
        (void)dup2(own, fd);
        close(own);
    }
}

static bool open_handle(struct loop_stream *s)
{
    if (!s->is_file) {
        reopen_terminal(s->fd, s->flags);
        if (uv_poll_init(&s->loop->uv, &s->uv.poll, s->fd) == 0) {
            return true;
        }
        s->is_file = true;
    }
    return uv_idle_init(&s->loop->uv, &s->uv.idle) == 0;
}

void loop_stream_read(struct loop_stream *s, bool is_on)
{
    s->is_reading = is_on && !s->is_ended;
    watch(s);
}

void loop_stream_write(struct loop_stream *s, str bytes)
{
    if (s->is_broken || bytes.len == 0) {
        return;
    }
    if (loop_stream_queued(s) == 0 && bytes.len >= STREAM_WRITE_BYTES) {
        bytes = str_sub(bytes, write_now(s, bytes), bytes.len);
    }
    if (!s->is_broken && bytes.len > 0) {
        buf_append(&s->out, bytes);
        if (s->out.is_full) {
            break_off(s, ERR_TOO_LARGE);
        } else if (loop_stream_queued(s) >= STREAM_WRITE_BYTES && !s->is_blocked) {
            write_queued(s);
        }
    }
    s->is_above_high = s->is_above_high || loop_stream_queued(s) > s->high;
    mark_dirty(s);
}

size_t loop_stream_queued(const struct loop_stream *s)
{
    return s->out.len - s->out_start;
}

void loop_stream_set_high(struct loop_stream *s, size_t high)
{
    s->high = high;
}

void loop_stream_flush(struct loop_stream *s, unsigned timeout_ms)
{
    uint64_t until_us = clock_now_us() + MS_TO_US(timeout_ms);
    write_queued(s);
    while (loop_stream_queued(s) > 0 && !s->is_broken) {
        uint64_t now_us = clock_now_us();
        if (now_us >= until_us) {
            break;
        }
        struct pollfd pollfd = {.fd = s->fd, .events = POLLOUT};
        (void)poll(&pollfd, 1, (int)((until_us - now_us + 999) / 1000));
        write_queued(s);
    }
    mark_dirty(s);
}

void loop_stream_destroy(struct loop_stream *s)
{
    if (!s) {
        return;
    }
    write_queued(s);
    unmark_dirty(s);
    s->is_destroyed = true;
    s->loop->n_open--;
    uv_close(s->is_file ? (uv_handle_t *)&s->uv.idle : (uv_handle_t *)&s->uv.poll, on_closed);
    if (s->flags >= 0 && !(s->flags & O_NONBLOCK)) {
        (void)fcntl(s->fd, F_SETFL, s->flags);
    }
    close(s->fd);
    buf_release(&s->out);
}

static void on_closed(uv_handle_t *handle)
{
    xfree(container_of(handle, struct loop_stream, uv));
}

void streams_end_turn(struct loop *loop)
{
    size_t n_due = 0; /* those that join meanwhile wait for the next turn */
    for (struct loop_stream *s = loop->dirty; s; s = s->next_dirty) {
        n_due++;
    }
    for (; n_due > 0 && loop->dirty; n_due--) {
        struct loop_stream *s = loop->dirty;
        unmark_dirty(s);
        write_queued(s);
        watch(s);
        deliver_due(s);
    }
}

/* Tells libuv what this stream waits for. */
static void watch(struct loop_stream *s)
{
    if (s->is_destroyed) {
        return;
    }
    if (s->is_file) {
        if (s->is_reading) {
            uv_idle_start(&s->uv.idle, on_file_turn);
        } else {
            uv_idle_stop(&s->uv.idle);
        }
        return;
    }
    int events = (s->is_reading ? UV_READABLE : 0) | (s->is_blocked ? UV_WRITABLE : 0);
    if (events == s->watched) {
        return;
    }
    s->watched = events;
    if (events == 0) {
        uv_poll_stop(&s->uv.poll);
    } else {
        (void)uv_poll_start(&s->uv.poll, events, on_ready);
    }
}

static void on_ready(uv_poll_t *handle, int status, int events)
{
    struct loop_stream *s = container_of(handle, struct loop_stream, uv.poll);
    if (status < 0) { /* libuv has stopped the handle: read and write say what it is */
        events = UV_READABLE | UV_WRITABLE;
        s->watched = 0;
    }
    if ((events & UV_WRITABLE) && s->is_blocked) {
        write_queued(s);
        deliver_due(s);
    }
    if ((events & UV_READABLE) && s->is_reading && !s->is_destroyed) {
        read_some(s);
    }
    watch(s);
}

static void on_file_turn(uv_idle_t *handle)
{
    struct loop_stream *s = container_of(handle, struct loop_stream, uv.idle);
    read_some(s);
    watch(s);
}

static void read_some(struct loop_stream *s)
{
    struct loop *loop = s->loop;
    if (!loop->read_buffer) {
        loop->read_buffer = xmalloc(LOOP_READ_BYTES);
    }
    ssize_t n;
    do {
        n = read(s->fd, loop->read_buffer, LOOP_READ_BYTES);
    } while (n < 0 && errno == EINTR);
    if (n > 0) {
        s->events.on_read(str_of(loop->read_buffer, (size_t)n), s->events.user);
    } else if (n == 0) {
        end(s, ERR_OK);
    } else if (errno != EAGAIN && errno != EWOULDBLOCK) {
        break_off(s, ERR_CONNECT);
        end(s, ERR_CONNECT);
    }
}

static void write_queued(struct loop_stream *s)
{
    size_t n_queued = loop_stream_queued(s);
    if (n_queued == 0 || s->is_broken) {
        return;
    }
    s->out_start += write_now(s, str_of(s->out.ptr + s->out_start, n_queued));
    if (s->out_start < s->out.len) {
        if (s->out_start > s->out.len / 2) {
            buf_consume(&s->out, s->out_start);
            s->out_start = 0;
        }
        return;
    }
    s->out_start = 0;
    if (s->out.cap > STREAM_KEEP_BYTES) {
        buf_release(&s->out);
        buf_init(&s->out, STREAM_MAX_QUEUED);
    } else {
        buf_clear(&s->out);
    }
}

/* Gives the bytes that the kernel took; the stream is blocked or broken where it took fewer. */
static size_t write_now(struct loop_stream *s, str bytes)
{
    size_t n_written = 0;
    s->is_blocked = false;
    while (n_written < bytes.len) {
        ssize_t n = write(s->fd, bytes.ptr + n_written, bytes.len - n_written);
        if (n >= 0) {
            n_written += (size_t)n;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            s->is_blocked = true;
            break;
        } else if (errno != EINTR) {
            break_off(s, ERR_CONNECT);
            return bytes.len;
        }
    }
    return n_written;
}

static void break_off(struct loop_stream *s, enum err err)
{
    s->is_broken = true;
    s->is_blocked = false;
    s->is_above_high = false;
    s->end_err = err;
    buf_clear(&s->out);
    s->out_start = 0;
    mark_dirty(s);
}

static void mark_dirty(struct loop_stream *s)
{
    if (s->is_dirty || s->is_destroyed) {
        return;
    }
    struct loop_stream **at = &s->loop->dirty;
    s->prev_dirty = NULL;
    while (*at) {
        s->prev_dirty = *at;
        at = &(*at)->next_dirty;
    }
    *at = s;
    s->next_dirty = NULL;
    s->is_dirty = true;
}

static void unmark_dirty(struct loop_stream *s)
{
    if (!s->is_dirty) {
        return;
    }
    *(s->prev_dirty ? &s->prev_dirty->next_dirty : &s->loop->dirty) = s->next_dirty;
    if (s->next_dirty) {
        s->next_dirty->prev_dirty = s->prev_dirty;
    }
    s->prev_dirty = s->next_dirty = NULL;
    s->is_dirty = false;
}

static void deliver_due(struct loop_stream *s)
{
    if (s->is_broken) {
        end(s, s->end_err);
    } else if (s->is_above_high && loop_stream_queued(s) <= s->high / 2) {
        s->is_above_high = false;
        if (s->events.on_drain) {
            s->events.on_drain(s->events.user);
        }
    }
}

static void end(struct loop_stream *s, enum err err)
{
    s->is_reading = false;
    if (!s->is_ended && !s->is_destroyed) {
        s->is_ended = true;
        s->events.on_end(err, s->events.user);
    }
}
