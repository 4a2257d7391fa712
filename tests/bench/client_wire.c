/* client_wire.c - the editor's end of the pipes: messages, the server's life, figures.
 *
 * Why  Everything that is measured needs the same conversation, and none of it may cost much
 *      beside what is measured: one buffer each way, no parsing but for a key's place. */
#include "tests/bench/client.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

struct setup setup;
char **server;
int last_id;
uint64_t arrived_ns;

static pid_t pid;
static int to_server, from_server;
static char *in; /* bytes that came; the body of the newest message is at in + body */
static size_t in_len, in_cap, body, body_len, n_consumed;
static char *out;
static int version = 1; /* of the document */
static size_t out_len, out_cap;

void die(const char *what)
{
    fprintf(stderr, "client: %s\n", what);
    if (pid > 0) {
        kill(pid, SIGKILL);
    }
    exit(1);
}

uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void sleep_ms(unsigned ms)
{
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    nanosleep(&t, NULL);
}

const volatile uint64_t *map_stamp(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    void *at = fd >= 0 ? mmap(NULL, 8, PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;
    if (at == MAP_FAILED) {
        die("no stamp file");
    }
    close(fd);
    return at;
}

/* -- messages out -- */

static void *grow(void *p, size_t *cap, size_t need)
{
    if (need > *cap) {
        *cap = need * 2;
        p = realloc(p, *cap);
        if (p == NULL) {
            die("out of memory");
        }
    }
    return p;
}

void put(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    out = grow(out, &out_cap, out_len + (size_t)n + 64);
    out_len += (size_t)sprintf(out + out_len, "Content-Length: %d\r\n\r\n", n);
    out_len += (size_t)vsprintf(out + out_len, fmt, again);
    va_end(again);
}

void flush_out(void)
{
    for (size_t at = 0; at < out_len;) {
        ssize_t n = write(to_server, out + at, out_len - at);
        if (n <= 0) {
            die("the server has gone");
        }
        at += (size_t)n;
    }
    out_len = 0;
}

void put_echo(void)
{
    put("{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"bench/unknown\",\"params\":{}}", ++last_id);
}

void put_change(unsigned line, unsigned column, const char *text)
{
    put("{\"jsonrpc\":\"2.0\",\"method\":\"textDocument/didChange\",\"params\":{\"textDocument\":"
        "{\"uri\":\"" URI "\",\"version\":%d},\"contentChanges\":[{\"range\":{\"start\":{\"line\":"
        "%u,\"character\":%u},\"end\":{\"line\":%u,\"character\":%u}},\"text\":\"%s\"}]}}",
        ++version, line, column, line, column, text);
}

void put_inline(unsigned line, unsigned column)
{
    put("{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"textDocument/inlineCompletion\",\"params\":"
        "{\"textDocument\":{\"uri\":\"" URI "\"},\"position\":{\"line\":%u,\"character\":%u},"
        "\"context\":{\"triggerKind\":2}}}",
        ++last_id, line, column);
}

void put_open(const char *language, const char *text)
{
    put("{\"jsonrpc\":\"2.0\",\"method\":\"textDocument/didOpen\",\"params\":{\"textDocument\":"
        "{\"uri\":\"" URI "\",\"languageId\":\"%s\",\"version\":1,\"text\":\"%s\"}}}",
        language, text);
}

void put_explain(unsigned line, unsigned column)
{
    put("{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"workspace/executeCommand\",\"params\":"
        "{\"command\":\"crucible.explain\",\"arguments\":[{\"uri\":\"" URI "\",\"range\":{"
        "\"start\":{\"line\":%u,\"character\":%u},\"end\":{\"line\":%u,\"character\":%u}}}]}}",
        ++last_id, line, column, line, column);
}

/* -- messages in -- */

static void read_message(void)
{
    for (;;) {
        const char *end = in_len > 0 ? memmem(in, in_len, "\r\n\r\n", 4) : NULL;
        if (end != NULL) {
            const char *length = memmem(in, in_len, "Content-Length:", 15);
            body = (size_t)(end - in) + 4;
            body_len = length != NULL ? strtoul(length + 15, NULL, 10) : 0;
            if (in_len >= body + body_len) {
                n_consumed = body + body_len;
                return;
            }
        }
        in = grow(in, &in_cap, in_len + 65537);
        ssize_t n = read(from_server, in + in_len, 65536);
        if (in_len == 0) {
            arrived_ns = now_ns();
        }
        if (n <= 0) {
            die("the server has ended");
        }
        in_len += (size_t)n;
        in[in_len] = '\0';
    }
}

void drop_message(void)
{
    memmove(in, in + n_consumed, in_len - n_consumed);
    in_len -= n_consumed;
}

/* The value of a key at the outermost level of the body, NULL where it isn't there. */
static const char *member(const char *key)
{
    const char *end = in + body + body_len;
    size_t key_len = strlen(key);
    int depth = 0;
    for (const char *p = in + body; p < end; p++) {
        if (*p == '"') {
            const char *start = ++p;
            while (p < end && *p != '"') {
                p += *p == '\\' ? 2 : 1;
            }
            if (depth == 1 && (size_t)(p - start) == key_len && p + 1 < end && p[1] == ':' &&
                memcmp(start, key, key_len) == 0) {
                return p + 2;
            }
        } else if (*p == '{' || *p == '[') {
            depth++;
        } else if (*p == '}' || *p == ']') {
            depth--;
        }
    }
    return NULL;
}

void next_message(void)
{
    for (;;) {
        read_message();
        const char *its_id = member("id");
        if (its_id == NULL || member("method") == NULL) {
            return;
        }
        int len = (int)strcspn(its_id, ",}");
        put("{\"jsonrpc\":\"2.0\",\"id\":%.*s,\"result\":null}", len, its_id);
        flush_out();
        drop_message();
    }
}

void await(int id)
{
    for (;;) {
        next_message();
        const char *its_id = member("id");
        if (its_id != NULL && atoi(its_id) == id) {
            return;
        }
        drop_message();
    }
}

const char *find(const char *text)
{
    return memmem(in + body, body_len, text, strlen(text));
}

bool is_notification(const char *method)
{
    const char *its_method = member("method");
    size_t len = strlen(method);
    return its_method != NULL && strncmp(its_method + 1, method, len) == 0 &&
           its_method[len + 1] == '"';
}

bool suggestion(char *text, size_t cap)
{
    const char *end = in + body + body_len;
    const char *p = memmem(in + body, body_len, "\"insertText\":\"", 14);
    size_t len = 0;
    if (p == NULL) {
        return false;
    }
    for (p += 14; p < end && *p != '"' && len + 1 < cap; p++) {
        text[len++] = *p == '\\' && *++p == 'n' ? '\n' : *p;
    }
    text[len] = '\0';
    return len > 0;
}

/* -- the server's life -- */

void spawn_server(void)
{
    int down[2], up[2];
    if (pipe2(down, O_CLOEXEC) != 0 || pipe2(up, O_CLOEXEC) != 0) {
        die("no pipes");
    }
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, down[0], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, up[1], STDOUT_FILENO);
    if (posix_spawnp(&pid, server[0], &actions, NULL, server, environ) != 0) {
        die("can't start the server");
    }
    posix_spawn_file_actions_destroy(&actions);
    close(down[0]);
    close(up[1]);
    to_server = down[1];
    from_server = up[0];
}

void initialize(void)
{
    /* What our own plugins say of themselves beside what every editor says. */
    static const char more[] =
        ",\"codeAction\":{\"codeActionLiteralSupport\":{\"codeActionKind\":{\"valueSet\":[]}},"
        "\"dataSupport\":true,\"resolveSupport\":{\"properties\":[\"edit\",\"command\"]}},"
        "\"hover\":{\"contentFormat\":[\"markdown\"]}},\"window\":{\"workDoneProgress\":true},"
        "\"experimental\":{\"crucible\":{\"answers\":true,\"instructions\":true}}";
    char folder[512] = "null";
    if (setup.folder != NULL) {
        (void)snprintf(folder, sizeof folder, "[{\"uri\":\"file://%s\",\"name\":\"bench\"}]",
                       setup.folder);
    }
    put("{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"initialize\",\"params\":{\"processId\":%d,"
        "\"clientInfo\":{\"name\":\"bench\"},\"rootUri\":null,\"workspaceFolders\":%s,"
        "\"capabilities\":{\"general\":{\"positionEncodings\":[\"utf-8\"]},\"textDocument\":"
        "{\"inlineCompletion\":{}%s}}}",
        ++last_id, (int)getpid(), folder, setup.is_full ? more : "}");
    flush_out();
    await(last_id);
    drop_message();
}

void initialized(void)
{
    put("{\"jsonrpc\":\"2.0\",\"method\":\"initialized\",\"params\":{}}");
    flush_out();
}

void echo(void)
{
    put_echo();
    flush_out();
    await(last_id);
    drop_message();
}

void end_server(void)
{
    put("{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"shutdown\"}", ++last_id);
    flush_out();
    await(last_id);
    drop_message();
    put("{\"jsonrpc\":\"2.0\",\"method\":\"exit\"}");
    flush_out();
    int status;
    waitpid(pid, &status, 0);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        pid = 0;
        die("the server didn't end well");
    }
}

void await_exit(void)
{
    int status;
    waitpid(pid, &status, 0);
}

void start_session(void)
{
    spawn_server();
    initialize();
    initialized();
}

/* -- figures -- */

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return x < y ? -1 : x > y;
}

void print_quantiles(const char *name, double *us, size_t n)
{
    qsort(us, n, sizeof us[0], compare);
    printf("%s_n %zu\n", name, n);
    if (n > 0) {
        printf("%s_us %.3f\n%s_p99_us %.3f\n", name, us[n / 2], name, us[n * 99 / 100]);
        printf("%s_most_us %.3f\n", name, us[n - 1]);
    }
}

void print_memory(const char *name)
{
    char path[64];
    char line[256];
    (void)snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *status = fopen(path, "r");
    while (status != NULL && fgets(line, sizeof line, status) != NULL) {
        if (strncmp(line, "VmRSS:", 6) == 0) {
            printf("%s_kb %ld\n", name, strtol(line + 6, NULL, 10));
        }
    }
    if (status != NULL) {
        fclose(status);
    }
}
