/* process.c - running a command and hearing what it prints.
 *
 * How      libuv starts it without a shell, with nothing to read and its stderr dropped. The end is
 *          told when the process has ended and its output has, whichever comes last.
 * Rules    What it prints may be a secret: the buffer has its full size from the start, so that no
 *          copies stay behind, and is wiped. A process that nobody wants any more is killed, and
 *          its handle waits for its end, so that no zombie stays. */
#include "core/loop/internal.h"

#include <signal.h>

struct loop_process {
    struct loop *loop;
    uv_process_t uv;
    uv_pipe_t pipe;
    loop_process_fn *fn; /* NULL once it was called or nobody wants to hear */
    void *user;
    char output[LOOP_PROCESS_OUTPUT_BYTES];
    size_t n_output;
    int status;
    bool has_exited, is_started;
    bool is_at_end;     /* of the output */
    unsigned n_handles; /* not closed yet */
    bool is_destroyed;
};

static void on_ended(uv_process_t *handle, int64_t status, int signum);
static void on_room_wanted(uv_handle_t *handle, size_t wanted, uv_buf_t *room);
static void on_output(uv_stream_t *stream, ssize_t n, const uv_buf_t *room);
static void on_closed(uv_handle_t *handle);
static void close_pipe(struct loop_process *p);
static void tell(struct loop_process *p);

static char **copy_argv(const str *argv, size_t n)
{
    char **copy = xcalloc(n + 1, sizeof *copy);
    for (size_t i = 0; i < n; i++) {
        copy[i] = xstrndup(argv[i].ptr, argv[i].len);
    }
    return copy;
}

static void free_argv(char **argv)
{
    for (size_t i = 0; argv[i]; i++) {
        xfree(argv[i]);
    }
    xfree(argv);
}

static int spawn(struct loop_process *p, const str *argv, size_t n)
{
    uv_stdio_container_t stdio[3] = {
        {.flags = UV_IGNORE},
        {.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE, .data.stream = (uv_stream_t *)&p->pipe},
        {.flags = UV_IGNORE}};
    char **args = copy_argv(argv, n);
    uv_process_options_t options = {
        .file = args[0], .args = args, .exit_cb = on_ended, .stdio = stdio, .stdio_count = 3};
    int rc = uv_spawn(&p->loop->uv, &p->uv, &options);
    free_argv(args);
    return rc;
}

struct loop_process *loop_process_start(struct loop *loop, const str *argv, size_t n,
                                        loop_process_fn *fn, void *user)
{
    struct loop_process *p = xcalloc(1, sizeof *p);
    p->loop = loop;
    p->fn = fn;
    p->user = user;
    p->n_handles = 2;
    ASSERT(n > 0 && uv_pipe_init(&loop->uv, &p->pipe, 0) == 0);
    loop->n_open++;
    p->is_started = spawn(p, argv, n) == 0;
    if (!p->is_started || uv_read_start((uv_stream_t *)&p->pipe, on_room_wanted, on_output) != 0) {
        p->fn = NULL;
        loop_process_destroy(p);
        return NULL;
    }
    return p;
}

void loop_process_destroy(struct loop_process *p)
{
    if (!p) {
        return;
    }
    p->fn = NULL;
    p->is_destroyed = true;
    p->loop->n_open--;
    explicit_bzero(p->output, sizeof p->output);
    close_pipe(p);
    if (p->is_started && !p->has_exited) {
        (void)uv_process_kill(&p->uv, SIGKILL); /* on_ended closes it */
    } else {
        uv_close((uv_handle_t *)&p->uv, on_closed);
    }
}

static void on_ended(uv_process_t *handle, int64_t status, int signum)
{
    struct loop_process *p = container_of(handle, struct loop_process, uv);
    p->has_exited = true;
    p->status = signum ? -signum : (int)status;
    if (p->is_destroyed) {
        uv_close((uv_handle_t *)&p->uv, on_closed);
    } else {
        tell(p);
    }
}

static void on_room_wanted(uv_handle_t *handle, size_t wanted, uv_buf_t *room)
{
    (void)wanted;
    struct loop_process *p = container_of((uv_pipe_t *)handle, struct loop_process, pipe);
    size_t n_room = sizeof p->output - p->n_output;
    *room = uv_buf_init(p->output + p->n_output, (unsigned)n_room); /* none: the reading ends */
}

static void on_output(uv_stream_t *stream, ssize_t n, const uv_buf_t *room)
{
    (void)room;
    struct loop_process *p = container_of((uv_pipe_t *)stream, struct loop_process, pipe);
    if (n >= 0) {
        p->n_output += (size_t)n;
        return;
    }
    close_pipe(p);
    tell(p);
}

static void close_pipe(struct loop_process *p)
{
    if (!uv_is_closing((uv_handle_t *)&p->pipe)) {
        p->is_at_end = true;
        uv_close((uv_handle_t *)&p->pipe, on_closed);
    }
}

static void tell(struct loop_process *p)
{
    loop_process_fn *fn = p->fn;
    if (fn && p->has_exited && p->is_at_end) {
        p->fn = NULL;
        fn(p->status, str_of(p->output, p->n_output), p->user);
    }
}

static void on_closed(uv_handle_t *handle)
{
    struct loop_process *p = handle->type == UV_PROCESS
                                 ? container_of((uv_process_t *)handle, struct loop_process, uv)
                                 : container_of((uv_pipe_t *)handle, struct loop_process, pipe);
    if (--p->n_handles == 0) {
        xfree(p);
    }
}
