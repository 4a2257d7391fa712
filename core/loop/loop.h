/* loop.h - the event loop: the only place that knows libuv.
 *
 * Everything here runs on one thread, the loop's, except the work function of a job. Callbacks
 * are never called from inside the call that started the work, always in a later turn.
 * Handles are created and destroyed; destroy accepts NULL, stops all callbacks at once and frees
 * when the loop is done with the handle, so an owner may destroy from inside any callback.
 * Times are microseconds of clock_now_us(); timers are accurate to about a millisecond. */
#ifndef CRUCIBLE_LOOP_LOOP_H
#define CRUCIBLE_LOOP_LOOP_H

#include "core/base/error.h"

struct loop;
typedef void loop_fn(void *user);

/* Ignores SIGPIPE and SIGXFSZ from now on: a reader that went away is an error of the stream, a
 * file at its size limit (RLIMIT_FSIZE) an error of who writes it. */
struct loop *loop_create(void);
/* Runs the closing callbacks, waits for jobs that run (their done is called), frees. ASSERTs that
 * every handle was destroyed before. */
void loop_destroy(struct loop *loop);
/* Runs until loop_stop. */
void loop_run(struct loop *loop);
void loop_stop(struct loop *loop);
/* Calls fn(user) once, later in this turn, before the loop waits for events; in order of posting.
 * There is no way to take a post back: use an id, or a flag that fn checks. What still waits when
 * the loop is destroyed is dropped. */
void loop_post(struct loop *loop, loop_fn *fn, void *user);

/* -- timers -- */
struct loop_timer;
/* fn is called each time the timer fires. */
struct loop_timer *loop_timer_create(struct loop *loop, loop_fn *fn, void *user);
void loop_timer_destroy(struct loop_timer *t);
/* (Re)arms for the absolute time at_us; CLOCK_NEVER disarms. Once per arming. */
void loop_timer_set(struct loop_timer *t, uint64_t at_us);

/* -- byte streams: pipes, sockets, terminals, files -- */
struct loop_stream;
struct loop_stream_events {
    /* Bytes, valid during the call. */
    void (*on_read)(str bytes, void *user);
    /* No more bytes will come: end of file (err ERR_OK) or a broken stream. Once, last. */
    void (*on_end)(enum err err, void *user);
    /* Queued bytes have fallen to half of `high` or less; may be NULL. */
    void (*on_drain)(void *user);
    void *user;
};
/* Takes over fd (its own, non-blocking where it can be) and closes it in the end. ERR_INVALID
 * where fd is nothing that can be read or written; it is left alone then. */
NODISCARD enum err loop_stream_open(struct loop *loop, int fd,
                                    const struct loop_stream_events *events,
                                    struct loop_stream **out);
/* Starts (continues) / pauses reading. */
void loop_stream_read(struct loop_stream *s, bool is_on);
/* Copies the bytes; they leave by the end of this turn, in order, with as few system calls as it
 * takes (at once where 64 KiB have gathered). A broken stream drops everything silently after its
 * on_end, which is never called from in here. */
void loop_stream_write(struct loop_stream *s, str bytes);
/* Bytes queued in this process. */
size_t loop_stream_queued(const struct loop_stream *s);
/* Bytes queued above which on_drain will be due; 64 KiB unless told. */
void loop_stream_set_high(struct loop_stream *s, size_t high);
/* Waits (blocking, up to timeout_ms) until the queue has been written: for the last words. */
void loop_stream_flush(struct loop_stream *s, unsigned timeout_ms);
/* Writes once more what the kernel takes; the rest of the queue is lost. */
void loop_stream_destroy(struct loop_stream *s);

/* -- Unix sockets -- */
struct loop_listener;
typedef void loop_accept_fn(int fd, void *user); /* takes fd */
/* Binds and listens on `path` (0600; an old socket nobody answers on is replaced). ERR_INVALID
 * where the path is too long, ERR_NOT_FOUND where its folder isn't there, else ERR_REJECTED. */
NODISCARD enum err loop_listen(struct loop *loop, const char *path, loop_accept_fn *fn, void *user,
                               struct loop_listener **out);
void loop_listener_destroy(struct loop_listener *l); /* removes the socket's file */

/* -- readiness of a descriptor that somebody else reads and writes (libcurl's sockets) -- */
struct loop_poll;
enum { LOOP_READABLE = 1, LOOP_WRITABLE = 2 };
/* After an error polling is stopped until the next loop_poll_set. */
typedef void loop_poll_fn(int events, bool is_error, void *user);
/* NULL where fd is of a kind that can't be polled. */
struct loop_poll *loop_poll_create(struct loop *loop, int fd, loop_poll_fn *fn, void *user);
void loop_poll_set(struct loop_poll *p, int events); /* 0 stops */
void loop_poll_destroy(struct loop_poll *p);         /* doesn't close fd */

/* -- work on a thread -- */
struct loop_job;
/* work(user) runs on a thread of the pool; then done(is_cancelled, user) on the loop, exactly
 * once, even after loop_job_cancel (is_cancelled true where work never ran). */
struct loop_job *loop_job_start(struct loop *loop, loop_fn *work,
                                void (*done)(bool is_cancelled, void *user), void *user);
void loop_job_cancel(struct loop_job *job); /* only before done was called; NULL is fine */

/* -- commands -- */
struct loop_process;
#define LOOP_PROCESS_OUTPUT_BYTES 8192u /* what is printed past it is as the end of the output */
/* `status` is the exit status, or minus the signal that ended it; `output` is borrowed. */
typedef void loop_process_fn(int status, str output, void *user);
/* Runs argv, found through PATH, without a shell; fn is called once, when it has ended. NULL where
 * it can't be started. Copies. */
struct loop_process *loop_process_start(struct loop *loop, const str *argv, size_t n,
                                        loop_process_fn *fn, void *user);
/* Kills it where it still runs, and wipes what it printed. */
void loop_process_destroy(struct loop_process *p);

/* -- the world around -- */
/* fn is called once when process `pid` ends (pidfd; polled every second where there is none).
 * ERR_NOT_FOUND where no such process exists in our namespace: then nothing is watched. */
struct loop_watch;
NODISCARD enum err loop_watch_process(struct loop *loop, int64_t pid, loop_fn *fn, void *user,
                                      struct loop_watch **out);
void loop_watch_destroy(struct loop_watch *w);
/* fn is called for each delivery of the signal. */
struct loop_signal;
struct loop_signal *loop_signal_create(struct loop *loop, int signum, loop_fn *fn, void *user);
void loop_signal_destroy(struct loop_signal *s);

#endif
