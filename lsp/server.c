/* server.c - serves one editor on stdin and stdout.
 *
 * Why      The process around the session: descriptors, signals, the socket, the way out.
 * How      stdout's descriptor moves to a private one and stderr takes its place, so that nothing
 *          that prints can break the protocol. Then one loop runs until the session says its code.
 * Rules    No core files and no tracing by others: keys and people's code are in this memory. On
 *          the way out every part is destroyed, which proves that each has an owner. */
#include "lsp/server.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

#include "core/base/limits.h"
#include "lsp/socket.h"

#define LAST_WORDS_MS 100u

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define IS_SANITIZED 1
#endif
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IS_SANITIZED 1
#endif
#ifndef IS_SANITIZED
#define IS_SANITIZED 0
#endif

enum { N_SIGNALS = 3 };

struct server;
struct caught {
    struct server *server;
    int signum;
    struct loop_signal *signal; /* owned */
};
struct server {
    struct loop *loop;
    struct loop_stream *in, *out;
    struct session *session;
    struct door *door;
    struct caught caught[N_SIGNALS];
    int code;
};

static void harden(void)
{
    (void)signal(SIGPIPE, SIG_IGN);
    (void)setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
#ifdef __linux__
    if (!IS_SANITIZED) { /* their leak check traces the process */
        (void)prctl(PR_SET_DUMPABLE, 0);
    }
#endif
}

/* A private copy of `fd`, which becomes what `stand_in` is. */
static int take_over(int fd, int stand_in)
{
    int own = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (own >= 0 && stand_in >= 0) {
        (void)dup2(stand_in, fd);
    }
    return own;
}

/* -- the session's side -- */

static void write_message(str message, void *user)
{
    struct server *server = user;
    loop_stream_write(server->out, message);
}

static size_t n_queued(void *user)
{
    const struct server *server = user;
    return loop_stream_queued(server->out);
}

static void flush(void *user)
{
    struct server *server = user;
    loop_stream_flush(server->out, 0);
}

static void on_exit_code(int code, void *user)
{
    struct server *server = user;
    server->code = code;
    loop_stop(server->loop);
}

static void on_initialized_session(void *user)
{
    struct server *server = user;
    server->door = socket_open(server->loop, server->session);
}

/* -- the streams' side -- */

static void on_in_read(str bytes, void *user)
{
    struct server *server = user;
    session_feed(server->session, bytes);
}

static void on_in_end(enum err err, void *user)
{
    (void)err;
    struct server *server = user;
    session_end_of_input(server->session);
}

static void on_out_read(str bytes, void *user)
{
    (void)bytes;
    (void)user;
}

static void on_out_end(enum err err, void *user)
{
    (void)err;
    struct server *server = user;
    session_end_of_input(server->session);
}

static void on_signal(void *user)
{
    struct caught *caught = user;
    log_info(LOG_MAIN, "signal %d", caught->signum);
    session_exit(caught->server->session, 128 + caught->signum);
}

/* -- life -- */

static bool open_streams(struct server *server)
{
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int in = take_over(STDIN_FILENO, null);
    int out = take_over(STDOUT_FILENO, STDERR_FILENO);
    if (null >= 0) {
        close(null);
    }
    struct loop_stream_events in_events = {
        .on_read = on_in_read, .on_end = on_in_end, .user = server};
    struct loop_stream_events out_events = {
        .on_read = on_out_read, .on_end = on_out_end, .user = server};
    if (in < 0 || out < 0 ||
        loop_stream_open(server->loop, in, &in_events, &server->in) != ERR_OK ||
        loop_stream_open(server->loop, out, &out_events, &server->out) != ERR_OK) {
        log_error(LOG_MAIN, "stdin or stdout can't be used");
        return false;
    }
    loop_stream_set_high(server->out, RPC_MAX_OUT_BYTES);
    return true;
}

static void watch_signals(struct server *server)
{
    static const int signums[N_SIGNALS] = {SIGTERM, SIGINT, SIGHUP};
    for (int i = 0; i < N_SIGNALS; i++) {
        struct caught *caught = &server->caught[i];
        caught->server = server;
        caught->signum = signums[i];
        caught->signal = loop_signal_create(server->loop, signums[i], on_signal, caught);
    }
}

static bool open_log(const struct server_options *options)
{
    enum log_level level;
    if (options->log_level && !log_level_from(str_from(options->log_level), &level)) {
        log_error(LOG_MAIN, "--log-level is error, warn, info or debug");
        return false;
    }
    if (options->log_level) {
        log_set_level(level);
    }
    if (options->log_path && log_open(options->log_path) != ERR_OK) {
        log_error(LOG_MAIN, "--log: the file can't be opened, going on with stderr");
    }
    return true;
}

static void stop_loop(void *loop)
{
    loop_stop(loop);
}

static void close_all(struct server *server)
{
    socket_close(server->door);
    session_destroy(server->session);
    if (server->out) {
        loop_stream_flush(server->out, LAST_WORDS_MS);
    }
    loop_stream_destroy(server->in);
    loop_stream_destroy(server->out);
    for (int i = 0; i < N_SIGNALS; i++) {
        loop_signal_destroy(server->caught[i].signal);
    }
    loop_post(server->loop, stop_loop, server->loop); /* posts that are left hold memory */
    loop_run(server->loop);
    loop_destroy(server->loop);
    log_close();
}

int server_run(const struct server_options *options)
{
    struct server server = {.code = 1};
    harden();
    if (!open_log(options)) {
        return 2;
    }
    server.loop = loop_create();
    if (open_streams(&server)) {
        server.session = session_create(
            &(struct session_options){.loop = server.loop,
                                      .write = write_message,
                                      .queued = n_queued,
                                      .flush = flush,
                                      .on_exit = on_exit_code,
                                      .on_initialized = on_initialized_session,
                                      .user = &server,
                                      .providers = options->providers,
                                      .config_path = str_from(options->config_path),
                                      .is_log_file_fixed = options->log_path != NULL,
                                      .is_log_level_fixed = options->log_level != NULL});
        watch_signals(&server);
        loop_stream_read(server.in, true);
        loop_run(server.loop);
    }
    close_all(&server);
    return server.code;
}
