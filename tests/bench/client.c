/* client.c - an editor with a stopwatch.
 *
 * usage: client WHAT [-p] [-f] [-b FOLDER] [-s STAMP_FILE] SERVER [ARGUMENT]...
 *
 * Starts the server on pipes, does one thing, prints figures as "name value" lines in microseconds
 * (memory in KB), and ends the server in the protocol's way.
 *   start     spawn to the initialize reply; memory then, and 300 ms after `initialized`
 *   version   spawn to the exit of SERVER --version
 *   echo      round trip of a request that nobody knows, one at a time and 400 at once
 *   change    1,000 edits in 1.4 MB of 50,000 lines and an echo, near and far from each other
 *   ride      an edit and an inline completion that follows the last suggestion, as a pair
 *   own       from the stamp of the engine (before it sends the end of a line) to the reply
 *   action    code actions in 50,000 lines of C, asked for by hand and by the editor itself
 *   hover     hovers on what was explained, on what wasn't, and on the commonest word
 *   first     from the stamp of the engine (before an explanation's first token) to the first
 *             progress report and the first part of the answer
 * -p pins client and server to one CPU; -f says that the server is the floor, which answers with
 * an echo; -b types (ride, own) while an explanation streams and the workspace FOLDER is learned.
 */
#include "tests/bench/client.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { N_LINES = 50000, LINE_BYTES = 28, N_CHANGES = 1000, N_BATCH = 400 };

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
    await_exit();
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
    put_open("plaintext", text);
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

/* A document of one line, and what else shall go on while somebody types in it. */
static void open_small(void)
{
    put_open("plaintext", "a first line\\n");
    flush_out();
    echo();
    if (setup.folder != NULL) {
        explain_meanwhile();
    }
}

static void measure_ride(void)
{
    enum { N = 4000 };
    static double us[N];
    char text[1024];
    size_t n = 0;
    size_t n_wrong = 0;
    unsigned line = 1;
    start_session();
    open_small();
    if (setup.is_floor) {
        n = type_plain(us, N);
    }
    while (n < N && n_wrong < N && ask_fresh(&line, text, sizeof text)) {
        learn_meanwhile();
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
    const char *own = find("\"ownUs\":{");
    const char *p50 = own != NULL ? strstr(own, "\"p50\":") : NULL;
    if (p50 != NULL) {
        printf("own_reported_us %.1f\n", strtod(p50 + 6, NULL));
    }
    drop_message();
}

static void measure_own(const char *stamp_path)
{
    enum { N = 200 };
    static double us[N];
    const volatile uint64_t *stamp = map_stamp(stamp_path);
    char text[1024];
    size_t n = 0;
    unsigned line = 1;
    start_session();
    open_small();
    if (!ask_fresh(&line, text, sizeof text)) {
        die("the engine's text never comes");
    }
    for (int i = 0; i < 2 * N && n < N; i++) {
        char other[32];
        learn_meanwhile();
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

static void measure(const char *what, const char *stamp_path)
{
    if (strcmp(what, "start") == 0) {
        measure_start();
    } else if (strcmp(what, "version") == 0) {
        measure_version();
    } else if (strcmp(what, "echo") == 0) {
        measure_echo();
    } else if (strcmp(what, "change") == 0) {
        measure_change();
    } else if (strcmp(what, "ride") == 0) {
        measure_ride();
    } else if (strcmp(what, "own") == 0) {
        measure_own(stamp_path);
    } else if (strcmp(what, "action") == 0) {
        measure_action();
    } else if (strcmp(what, "hover") == 0) {
        measure_hover();
    } else if (strcmp(what, "first") == 0) {
        measure_first(stamp_path);
    } else {
        die("what?");
    }
}

int main(int argc, char **argv)
{
    const char *stamp_path = "";
    int opt;
    if (argc < 3) {
        fprintf(stderr, "usage: client start|version|echo|change|ride|own|action|hover|first [-p] "
                        "[-f] [-b FOLDER] [-s STAMP] SERVER\n");
        return 2;
    }
    const char *what = argv[1];
    optind = 2;
    while ((opt = getopt(argc, argv, "+ps:fb:")) != -1) {
        if (opt == 'p') {
            pin();
        } else if (opt == 's') {
            stamp_path = optarg;
        } else if (opt == 'f') {
            setup.is_floor = true;
        } else if (opt == 'b') {
            setup.folder = optarg;
            setup.is_full = true;
        }
    }
    server = argv + optind;
    signal(SIGPIPE, SIG_IGN);
    measure(what, stamp_path);
    return 0;
}
