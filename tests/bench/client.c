/* client.c - an editor with a stopwatch.
 *
 * usage: client start|version|echo|change|ride|own [-p] [-s STAMP_FILE] SERVER [ARGUMENT]...
 *
 * Starts the server on pipes, does one thing, prints figures as "name value" lines in microseconds
 * (memory in KB), and ends the server in the protocol's way.
 *   start     spawn to the initialize reply; memory then, and 300 ms after `initialized`
 *   version   spawn to the exit of SERVER --version
 *   echo      round trip of a request that nobody knows, one at a time and 400 at once
 *   change    1,000 edits in 1.4 MB of 50,000 lines and an echo, near and far from each other
 *   ride      an edit and an inline completion that follows the last suggestion, as a pair
 *   own       from the stamp of the engine (before it sends the end of a line) to the reply
 * -p pins client and server to one CPU. */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define URI "file:///bench/bench.txt"
enum { N_LINES = 50000, LINE_BYTES = 28, N_CHANGES = 1000, N_BATCH = 400 };

extern char **environ;

static char **server;
static pid_t pid;
static int to_server, from_server;
static char *in; /* bytes that came; the body of the last message is at in + body */
static size_t in_len, in_cap, body, body_len, n_consumed;
static uint64_t arrived_ns; /* when the last message's first byte was read */
static char *out;
static size_t out_len, out_cap;
static int last_id;

static void die(const char *what)
{
    fprintf(stderr, "client: %s\n", what);
    if (pid > 0) {
        kill(pid, SIGKILL);
    }
    exit(1);
}

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void sleep_ms(unsigned ms)
{
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    nanosleep(&t, NULL);
}

static void pin(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) {
        for (int cpu = CPU_SETSIZE - 1; cpu >= 0; cpu--) {
            if (CPU_ISSET(cpu, &set)) {
                CPU_ZERO(&set);
                CPU_SET(cpu, &set);
                (void)sched_setaffinity(0, sizeof set, &set);
                return;
            }
        }
    }
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

/* Appends a message to what is sent next. */
__attribute__((format(printf, 1, 2))) static void put(const char *fmt, ...)
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

static void flush_out(void)
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

static void put_echo(void)
{
    put("{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"bench/unknown\",\"params\":{}}", ++last_id);
}

static int version = 1;
static void put_change(unsigned line, unsigned column, const char *text)
{
    put("{\"jsonrpc\":\"2.0\",\"method\":\"textDocument/didChange\",\"params\":{\"textDocument\":"
        "{\"uri\":\"" URI "\",\"version\":%d},\"contentChanges\":[{\"range\":{\"start\":{\"line\":"
        "%u,\"character\":%u},\"end\":{\"line\":%u,\"character\":%u}},\"text\":\"%s\"}]}}",
        ++version, line, column, line, column, text);
}

static void put_inline(unsigned line, unsigned column)
{
    put("{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"textDocument/inlineCompletion\",\"params\":"
        "{\"textDocument\":{\"uri\":\"" URI "\"},\"position\":{\"line\":%u,\"character\":%u},"
        "\"context\":{\"triggerKind\":2}}}",
        ++last_id, line, column);
}

static void put_open(const char *text)
{
    put("{\"jsonrpc\":\"2.0\",\"method\":\"textDocument/didOpen\",\"params\":{\"textDocument\":"
        "{\"uri\":\"" URI "\",\"languageId\":\"plaintext\",\"version\":1,\"text\":\"%s\"}}}",
        text);
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
        in = grow(in, &in_cap, in_len + 65536);
        ssize_t n = read(from_server, in + in_len, 65536);
        if (in_len == 0) {
            arrived_ns = now_ns();
        }
        if (n <= 0) {
            die("the server has ended");
        }
        in_len += (size_t)n;
    }
}

static void drop_message(void)
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

/* Reads up to the reply to `id`, which stays at `body` until drop_message; answers the server's
 * own requests with null. */
static void await(int id)
{
    for (;;) {
        read_message();
        const char *its_id = member("id");
        bool is_request = member("method") != NULL;
        if (its_id != NULL && !is_request && atoi(its_id) == id) {
            return;
        }
        if (its_id != NULL && is_request) {
            int len = (int)strcspn(its_id, ",}");
            put("{\"jsonrpc\":\"2.0\",\"id\":%.*s,\"result\":null}", len, its_id);
            flush_out();
        }
        drop_message();
    }
}

/* Copies the reply's first insertText; false where there is none. */
static bool suggestion(char *text, size_t cap)
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

static void spawn_server(void)
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

static void initialize(void)
{
    put("{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"initialize\",\"params\":{\"processId\":%d,"
        "\"clientInfo\":{\"name\":\"bench\"},\"rootUri\":null,\"capabilities\":{\"general\":"
        "{\"positionEncodings\":[\"utf-8\"]},\"textDocument\":{\"inlineCompletion\":{}}}}}",
        ++last_id, (int)getpid());
    flush_out();
    await(last_id);
    drop_message();
}

static void initialized(void)
{
    put("{\"jsonrpc\":\"2.0\",\"method\":\"initialized\",\"params\":{}}");
    flush_out();
}

static void echo(void)
{
    put_echo();
    flush_out();
    await(last_id);
    drop_message();
}

static void end_server(void)
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

static void start_session(void)
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

static void print_quantiles(const char *name, double *us, size_t n)
{
    qsort(us, n, sizeof us[0], compare);
    printf("%s_n %zu\n", name, n);
    if (n > 0) {
        printf("%s_us %.3f\n%s_p99_us %.3f\n", name, us[n / 2], name, us[n * 99 / 100]);
    }
}

static void print_memory(const char *name)
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

static void measure_start(void)
{
    uint64_t start_ns = now_ns();
    spawn_server();
    initialize();
    printf("start_us %.1f\n", (double)(arrived_ns - start_ns) / 1e3);
    print_memory("rss");
    initialized();
    sleep_ms(300);
    print_memory("rss_later");
    end_server();
}

static void measure_version(void)
{
    char flag[] = "--version";
    char *argv[] = {server[0], flag, NULL};
    server = argv;
    uint64_t start_ns = now_ns();
    spawn_server();
    int status;
    waitpid(pid, &status, 0);
    printf("version_us %.1f\n", (double)(now_ns() - start_ns) / 1e3);
}

static void measure_echo(void)
{
    enum { N = 4000, N_BURSTS = 15 };
    static double us[N];
    start_session();
    sleep_ms(100);
    for (size_t i = 0; i < N; i++) {
        uint64_t start_ns = now_ns();
        echo();
        us[i] = (double)(now_ns() - start_ns) / 1e3;
    }
    print_quantiles("echo", us, N);
    for (size_t burst = 0; burst < N_BURSTS; burst++) {
        int first = last_id + 1;
        for (int i = 0; i < N_BATCH; i++) {
            put_echo();
        }
        uint64_t start_ns = now_ns();
        flush_out();
        for (int i = 0; i < N_BATCH; i++) {
            await(first + i);
            drop_message();
        }
        us[burst] = (double)(now_ns() - start_ns) / 1e3 / N_BATCH;
    }
    print_quantiles("pipelined", us, N_BURSTS);
    end_server();
}

static void open_large(void)
{
    char *text = malloc((size_t)N_LINES * (LINE_BYTES + 1) + 1);
    size_t len = 0;
    for (int i = 0; text != NULL && i < N_LINES; i++) {
        len += (size_t)sprintf(text + len, "line %06d = some_value;", i);
        text[len++] = '\\';
        text[len++] = 'n';
    }
    if (text == NULL) {
        die("out of memory");
    }
    text[len] = '\0';
    put_open(text);
    free(text);
    flush_out();
    echo();
    sleep_ms(1500); /* whatever is learned of it in the background */
}

static double change_batch(bool is_far, unsigned round)
{
    for (unsigned i = 0; i < N_CHANGES; i++) {
        unsigned line = is_far ? (i * 30011u + round * 7u) % N_LINES : 25000u;
        put_change(line, is_far ? 3 : i % 50, "x");
    }
    put_echo();
    uint64_t start_ns = now_ns();
    flush_out();
    await(last_id);
    double us = (double)(now_ns() - start_ns) / 1e3 / N_CHANGES;
    drop_message();
    return us;
}

static void measure_change(void)
{
    enum { N = 9 };
    double near[N], far[N];
    start_session();
    open_large();
    for (unsigned i = 0; i < N; i++) {
        near[i] = change_batch(false, i);
        far[i] = change_batch(true, i);
    }
    print_quantiles("near", near, N);
    print_quantiles("far", far, N);
    end_server();
}

/* -- with an engine -- */

/* Asks on the empty last line until the engine answers; false where it never does. */
static bool ask_fresh(unsigned *line, char *text, size_t cap)
{
    for (int attempt = 0; attempt < 40; attempt++) {
        put_inline(*line, 0);
        flush_out();
        await(last_id);
        bool is_there = suggestion(text, cap) && text[0] == 'w' && strlen(text) > 40;
        drop_message();
        if (is_there) {
            return true;
        }
        sleep_ms(50);
        put_change((*line)++, 0, "other\\n");
        flush_out();
    }
    return false;
}

/* Types along one suggestion, a character a pair; appends the times of right answers. */
static size_t type_along(unsigned line, const char *text, double *us, size_t n, size_t max,
                         size_t *n_wrong)
{
    size_t len = strlen(text);
    for (unsigned i = 0; i + 8 < len && n < max; i++) {
        char key[2] = {text[i], '\0'};
        char next[1024];
        put_change(line, i, key);
        put_inline(line, i + 1);
        uint64_t start_ns = now_ns();
        flush_out();
        await(last_id);
        double took = (double)(now_ns() - start_ns) / 1e3;
        if (suggestion(next, sizeof next) && strcmp(next, text + i + 1) == 0) {
            us[n++] = took;
        } else {
            ++*n_wrong;
        }
        drop_message();
    }
    return n;
}

/* Without an engine behind it (the floor): the same pairs, answered by an echo. */
static size_t type_plain(double *us, size_t max)
{
    for (unsigned i = 0; i < max; i++) {
        put_change(1, i % 90, "w");
        put_inline(1, i % 90 + 1);
        uint64_t start_ns = now_ns();
        flush_out();
        await(last_id);
        us[i] = (double)(now_ns() - start_ns) / 1e3;
        drop_message();
    }
    return max;
}

static void measure_ride(bool is_floor)
{
    enum { N = 2000 };
    static double us[N];
    char text[1024];
    size_t n = 0;
    size_t n_wrong = 0;
    unsigned line = 1;
    start_session();
    put_open("a first line\\n");
    flush_out();
    echo();
    if (is_floor) {
        n = type_plain(us, N);
    }
    while (n < N && n_wrong < N && ask_fresh(&line, text, sizeof text)) {
        n = type_along(line, text, us, n, N, &n_wrong);
        /* Whatever stands there now, the next one begins on a line of its own. */
        put_change(line, 0, "x\\n");
        line++;
        put_change(line, 0, "other\\n");
        line++;
        put_change(line, 0, "\\n");
        flush_out();
    }
    print_quantiles("ride", us, n);
    printf("ride_wrong %zu\n", n_wrong);
    end_server();
}

static void print_own_figure(void)
{
    put("{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"crucible/stats\"}", ++last_id);
    flush_out();
    await(last_id);
    const char *own = memmem(in + body, body_len, "\"ownUs\":{", 9);
    const char *p50 =
        own != NULL ? memmem(own, (size_t)(in + body + body_len - own), "\"p50\":", 6) : NULL;
    if (p50 != NULL) {
        printf("own_reported_us %.1f\n", strtod(p50 + 6, NULL));
    }
    drop_message();
}

static void measure_own(const char *stamp_path)
{
    enum { N = 200 };
    static double us[N];
    int fd = open(stamp_path, O_RDONLY);
    const volatile uint64_t *stamp =
        fd >= 0 ? mmap(NULL, 8, PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;
    if (stamp == MAP_FAILED) {
        die("no stamp file");
    }
    char text[1024];
    size_t n = 0;
    unsigned line = 1;
    start_session();
    put_open("a first line\\n");
    flush_out();
    echo();
    if (!ask_fresh(&line, text, sizeof text)) {
        die("the engine's text never comes");
    }
    for (int i = 0; i < 2 * N && n < N; i++) {
        char other[32];
        (void)snprintf(other, sizeof other, "other %d\\n", i);
        put_change(line++, 0, other);
        put_inline(line, 0);
        flush_out();
        await(last_id);
        uint64_t stamped_ns = *stamp;
        if (suggestion(text, sizeof text) && text[0] == 'w' && stamped_ns < arrived_ns &&
            arrived_ns - stamped_ns < 9000000) {
            us[n++] = (double)(arrived_ns - stamped_ns) / 1e3;
        }
        drop_message();
    }
    print_quantiles("own", us, n);
    print_own_figure();
    end_server();
}

int main(int argc, char **argv)
{
    const char *stamp_path = "";
    int opt;
    if (argc < 3) {
        fprintf(stderr,
                "usage: client start|version|echo|change|ride|own [-p] [-s STAMP] SERVER\n");
        return 2;
    }
    const char *what = argv[1];
    bool is_floor = false;
    optind = 2;
    while ((opt = getopt(argc, argv, "+ps:f")) != -1) {
        if (opt == 'p') {
            pin();
        } else if (opt == 's') {
            stamp_path = optarg;
        } else if (opt == 'f') {
            is_floor = true; /* answers with an echo, not with suggestions */
        }
    }
    server = argv + optind;
    signal(SIGPIPE, SIG_IGN);
    if (strcmp(what, "start") == 0) {
        measure_start();
    } else if (strcmp(what, "version") == 0) {
        measure_version();
    } else if (strcmp(what, "echo") == 0) {
        measure_echo();
    } else if (strcmp(what, "change") == 0) {
        measure_change();
    } else if (strcmp(what, "ride") == 0) {
        measure_ride(is_floor);
    } else if (strcmp(what, "own") == 0) {
        measure_own(stamp_path);
    } else {
        die("what?");
    }
    return 0;
}
