/* client_ask.c - the stopwatch on what people ask for: code actions, hovers, explanations.
 *
 * Why  A menu that opens late is felt as much as a late letter. Menus and hovers are to be had at
 *      once wherever no model is needed, and where one is, its first word is to be seen at once.
 * How  A document of 50,000 lines of small C functions, edited in its middle (where people ask is
 *      where they have just typed) so that no look at the text is luckier than it would be. */
#include "tests/bench/client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N_FUNCTIONS = 8334, FUNCTION_LINES = 6, MIDDLE = N_FUNCTIONS / 2, NAME_COLUMN = 11 };
enum { BY_HAND = 1, BY_ITSELF = 2 };

/* Function i begins on line i * FUNCTION_LINES, its name at NAME_COLUMN. */
static void open_code(void)
{
    size_t cap = (size_t)N_FUNCTIONS * 160;
    char *text = malloc(cap);
    size_t len = 0;
    if (text == NULL) {
        die("out of memory");
    }
    for (int i = 0; i < N_FUNCTIONS; i++) {
        len += (size_t)snprintf(text + len, cap - len,
                                "static int count_%05d(const struct list *l, int n)\\n{\\n"
                                "    int sum = l->n + n * %d;\\n    return sum > 0 ? sum : n;\\n"
                                "}\\n\\n",
                                i, i);
    }
    put_open("c", text);
    free(text);
    flush_out();
    echo();
    put_change(MIDDLE * FUNCTION_LINES + 2, 0, " ");
    flush_out();
    sleep_ms(1500); /* whatever is learned of it in the background, and the engine is found */
}

static double round_trip_us(void)
{
    uint64_t start_ns = now_ns();
    flush_out();
    await(last_id);
    return (double)(now_ns() - start_ns) / 1e3;
}

/* -- code actions -- */

static void put_action(unsigned line, int trigger)
{
    char reports[5 * 200];
    size_t len = 0;
    for (unsigned i = 0; i < 5; i++) {
        len += (size_t)snprintf(reports + len, sizeof reports - len,
                                "%s{\"range\":{\"start\":{\"line\":%u,\"character\":4},\"end\":"
                                "{\"line\":%u,\"character\":9}},\"severity\":1,\"source\":\"cc\","
                                "\"message\":\"'sum' undeclared %u\"}",
                                i > 0 ? "," : "", line + i / 3, line + i / 3, i);
    }
    put("{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"textDocument/codeAction\",\"params\":"
        "{\"textDocument\":{\"uri\":\"" URI "\"},\"range\":{\"start\":{\"line\":%u,\"character\":8}"
        ",\"end\":{\"line\":%u,\"character\":8}},\"context\":{\"diagnostics\":[%s],"
        "\"triggerKind\":%d}}}",
        ++last_id, line, line, reports, trigger);
}

void measure_action(void)
{
    enum { N = 600 };
    static double us[2][N];
    size_t n_wrong = 0;
    setup.is_full = true;
    start_session();
    open_code();
    for (unsigned i = 0; i < N; i++) {
        for (int trigger = BY_HAND; trigger <= BY_ITSELF; trigger++) {
            put_action((MIDDLE + i % 60) * FUNCTION_LINES + 2, trigger);
            us[trigger - 1][i] = round_trip_us();
            bool is_right =
                find("Fix: 'sum'") != NULL && (find("Explain") != NULL) == (trigger == BY_HAND);
            n_wrong += !setup.is_floor && !is_right;
            drop_message();
        }
    }
    print_quantiles("by_hand", us[0], N);
    print_quantiles("by_itself", us[1], N);
    printf("wrong %zu\n", n_wrong);
    end_server();
}

/* -- explanations and hovers -- */

/* Reads up to a part of an answer; with `is_done` up to the last one. */
static void await_answer(bool is_done)
{
    for (;;) {
        next_message();
        bool has_come = is_notification("crucible/answer");
        bool is_last = has_come && find("\"done\":true") != NULL;
        if (is_last && find("\"error\":") != NULL) {
            die("an explanation failed");
        }
        drop_message();
        if (has_come && (is_last || !is_done)) {
            return;
        }
    }
}

static double hover_us(unsigned line, unsigned column, bool is_known, size_t *n_wrong)
{
    put("{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"textDocument/hover\",\"params\":"
        "{\"textDocument\":{\"uri\":\"" URI "\"},\"position\":{\"line\":%u,\"character\":%u}}}",
        ++last_id, line, column);
    double us = round_trip_us();
    *n_wrong += !setup.is_floor && (find("\"contents\":") != NULL) != is_known;
    drop_message();
    return us;
}

void measure_hover(void)
{
    enum { N = 600 };
    static double known[N], unknown[N], common[N];
    size_t n_wrong = 0;
    setup.is_full = true;
    start_session();
    open_code();
    if (!setup.is_floor) {
        put_explain(MIDDLE * FUNCTION_LINES, NAME_COLUMN + 3);
        flush_out();
        await_answer(true);
    }
    for (unsigned i = 0; i < N; i++) {
        unsigned other = (MIDDLE + 1 + i % 60) * FUNCTION_LINES;
        known[i] = hover_us(MIDDLE * FUNCTION_LINES, NAME_COLUMN + i % 11, true, &n_wrong);
        unknown[i] = hover_us(other, NAME_COLUMN + i % 11, false, &n_wrong);
        common[i] = hover_us(other + 2, 5, false, &n_wrong); /* "int" */
    }
    print_quantiles("known", known, N);
    print_quantiles("unknown", unknown, N);
    print_quantiles("common", common, N);
    printf("wrong %zu\n", n_wrong);
    end_server();
}

/* Notes in *us the time since the stamp, where it isn't noted yet. */
static void note_first(double *us, const volatile uint64_t *stamp)
{
    uint64_t stamped_ns = *stamp;
    if (*us < 0 && stamped_ns != 0 && arrived_ns > stamped_ns) {
        *us = (double)(arrived_ns - stamped_ns) / 1e3;
    }
}

/* One explanation; the times of its first report with text and of its first part. */
static void follow_answer(const volatile uint64_t *stamp, double *report_us, double *part_us)
{
    bool is_done = false;
    *report_us = *part_us = -1;
    while (!is_done) {
        next_message();
        bool is_report = is_notification("$/progress") && find("\"kind\":\"report\"") != NULL &&
                         find("line: w") != NULL;
        bool is_part = is_notification("crucible/answer") && find("\"text\":\"w") != NULL;
        is_done = is_notification("crucible/answer") && find("\"done\":true") != NULL;
        if (is_report) {
            note_first(report_us, stamp);
        }
        if (is_part) {
            note_first(part_us, stamp);
        }
        drop_message();
    }
}

void measure_first(const char *stamp_path)
{
    enum { N = 20 };
    double report[N], part[N];
    size_t n_reports = 0;
    size_t n_parts = 0;
    const volatile uint64_t *stamp = map_stamp(stamp_path);
    setup.is_full = true;
    start_session();
    open_code();
    for (unsigned i = 0; i < N; i++) {
        double report_us, part_us;
        put_explain((MIDDLE + i) * FUNCTION_LINES, NAME_COLUMN);
        flush_out();
        follow_answer(stamp, &report_us, &part_us);
        if (report_us >= 0) {
            report[n_reports++] = report_us;
        }
        if (part_us >= 0) {
            part[n_parts++] = part_us;
        }
    }
    print_quantiles("report", report, n_reports);
    print_quantiles("part", part, n_parts);
    printf("wrong %zu\n", 2 * (size_t)N - n_reports - n_parts);
    end_server();
}

/* -- what goes on while somebody types -- */

void explain_meanwhile(void)
{
    put_explain(0, 0);
    flush_out();
    await_answer(false);
}

void learn_meanwhile(void)
{
    if (setup.folder == NULL) {
        return;
    }
    put("{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"crucible/stats\"}", ++last_id);
    flush_out();
    await(last_id);
    bool is_learning = find("\"learning\":true") != NULL;
    drop_message();
    if (!is_learning) {
        put("{\"jsonrpc\":\"2.0\",\"method\":\"workspace/didChangeWorkspaceFolders\",\"params\":"
            "{\"event\":{\"removed\":[{\"uri\":\"file://%s\",\"name\":\"bench\"}],\"added\":"
            "[{\"uri\":\"file://%s\",\"name\":\"bench\"}]}}}",
            setup.folder, setup.folder);
        flush_out();
    }
}
