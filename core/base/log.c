/* log.c - one line, one event.
 *
 * Why    The log is read when something went wrong, so it must neither lose its shape nor make
 *        things worse: a line is written by one write(2), so that threads don't mix their lines,
 *        and a reader that doesn't read costs lines, never time.
 * How    Lines are cut to LINE_BYTES, which is below what a pipe takes in one piece, and are
 *        dropped while the other side of stderr or of a fifo has no room for one.
 * Rules  Any thread may log. log_open and log_close are for the main thread, before other threads
 *        log and after they ended. */
#include "core/base/log.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/utf8.h"

#define LINE_BYTES 1024u

static const char *const level_names[] = {"error", "warn", "info", "debug"};
static const char *const area_names[] = {
    [LOG_MAIN] = "main",         [LOG_LSP] = "lsp",           [LOG_RPC] = "rpc",
    [LOG_DOCUMENT] = "document", [LOG_SETTINGS] = "settings", [LOG_ENGINE] = "engine",
    [LOG_FLIGHT] = "flight",     [LOG_MODEL] = "model",       [LOG_UPSTREAM] = "upstream",
    [LOG_PREDICT] = "predict",   [LOG_LOOP] = "loop",         [LOG_STORE] = "store",
};
static_assert(sizeof area_names / sizeof area_names[0] == N_LOG_AREAS, "every area has a name");

static atomic_int log_fd = STDERR_FILENO;
static atomic_int max_level = LOG_WARN;

enum err log_open(const char *path)
{
    int fd = STDERR_FILENO;
    if (path && *path) {
        /* O_NONBLOCK: a fifo that nobody reads must not hold the start up. */
        fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0600);
        if (fd < 0) {
            return errno == ENOENT ? ERR_NOT_FOUND : ERR_INVALID;
        }
    }
    log_close();
    atomic_store(&log_fd, fd);
    return ERR_OK;
}

void log_close(void)
{
    int fd = atomic_exchange(&log_fd, STDERR_FILENO);
    if (fd != STDERR_FILENO) {
        close(fd);
    }
}

void log_set_level(enum log_level level)
{
    atomic_store_explicit(&max_level, (int)level, memory_order_relaxed);
}

enum log_level log_level(void)
{
    return (enum log_level)atomic_load_explicit(&max_level, memory_order_relaxed);
}

bool log_level_from(str name, enum log_level *out)
{
    for (size_t i = 0; i < sizeof level_names / sizeof level_names[0]; i++) {
        if (str_eq(name, str_from(level_names[i]))) {
            *out = (enum log_level)i;
            return true;
        }
    }
    return false;
}

bool log_is_on(enum log_level level)
{
    return level <= log_level();
}

/* "2026-01-31T12:00:00.123Z warn rpc: "; returns its length. */
static size_t write_head(char *line, enum log_level level, enum log_area area)
{
    uint64_t now_us = clock_wall_us();
    time_t seconds = (time_t)(now_us / 1000000u);
    struct tm utc;
    if (!gmtime_r(&seconds, &utc)) {
        memset(&utc, 0, sizeof utc);
    }
    size_t n = strftime(line, LINE_BYTES, "%Y-%m-%dT%H:%M:%S", &utc);
    int more =
        snprintf(line + n, LINE_BYTES - n, ".%03uZ %s %s: ", (unsigned)(now_us / 1000u % 1000u),
                 level_names[level], area_names[area]);
    return n + (size_t)(more > 0 ? more : 0);
}

/* A line stays one line, and no terminal obeys it. */
static void tame(char *text, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f) {
            text[i] = ' ';
        }
    }
}

static void send_line(const char *line, size_t n)
{
    int fd = atomic_load(&log_fd);
    struct pollfd ready = {.fd = fd, .events = POLLOUT};
    if (poll(&ready, 1, 0) != 1 || !(ready.revents & POLLOUT)) {
        return;
    }
    ssize_t done;
    do {
        done = write(fd, line, n);
    } while (done < 0 && errno == EINTR);
}

void log_write(enum log_level level, enum log_area area, const char *fmt, ...)
{
    int saved_errno = errno;
    char line[LINE_BYTES];
    va_list args;
    size_t head = write_head(line, level, area);
    size_t room = sizeof line - head - 1; /* one for the line end */
    va_start(args, fmt);
    int len = vsnprintf(line + head, room, fmt, args);
    va_end(args);
    size_t n = len > 0 ? (size_t)len : 0;
    if (n >= room) {
        n = room - 1 - 3;
        n -= utf8_incomplete_tail(str_of(line + head, n));
        static const char cut[3] = {'.', '.', '.'}; /* the line isn't a C string */
        memcpy(line + head + n, cut, sizeof cut);
        n += sizeof cut;
    }
    tame(line + head, n);
    line[head + n] = '\n';
    send_line(line, head + n + 1);
    errno = saved_errno;
}

struct log_safe log_safe(str s)
{
    static const char hex[] = "0123456789abcdef";
    struct log_safe safe = {{0}};
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        bool is_plain = c >= 0x20 && c < 0x7f && c != '\\';
        if (n + (is_plain ? 1u : 4u) > sizeof safe.text - 1 - 3) {
            memcpy(safe.text + n, "...", 3);
            break;
        }
        if (is_plain) {
            safe.text[n++] = (char)c;
        } else {
            memcpy(safe.text + n, (char[]){'\\', 'x', hex[c >> 4], hex[c & 15]}, 4);
            n += 4;
        }
    }
    return safe;
}
