/* engines.c - the engine against a real model server, with and without what queues and orders.
 *
 * usage: engines mixed|typing URL MODEL OFF FILE...    prints "name value" lines
 *
 * Why      What an order is worth depends on how a server really shares its time and its cache,
 *          which no scripted one tells.
 * How      mixed: each file is a document in which somebody types, and eight of them are explained
 *          as well: all of it is asked at once, in a shuffled order, or one after the other (OFF
 *          has "serial"), after each document was typed in and asked about once. typing: in two
 *          documents by turns, a piece is typed key by key, each key asks and hears the answer;
 *          every so often something is explained meanwhile.
 * Rules    OFF names what is switched off, comma-separated: queue, head; "pinned" and "short"
 *          switch on. Without the queue each request is sent at once, in no order. Riding, the
 *          cache and the predictor are always off, so that each question is one exchange, and
 * nothing is held back because nobody takes what is suggested. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/limits.h"
#include "core/base/memory.h"
#include "core/engine.h"
#include "core/loop/loop.h"

#define MAX_DOCS      64u
#define MAX_FILE      (64u * KIB)
#define SHORT_FILE    700u /* bytes: what is written takes longer than what is read */
#define N_ACTIONS     8u
#define N_KEYS        30u
#define KEYS_A_TURN   10u
#define ACTION_TOKENS 160u
#define WATCHDOG_US   SEC_TO_US(240)

struct asked_for {
    bool is_action, is_done;
    uint64_t at_us, took_us;
    size_t n_bytes;
};

static struct {
    struct loop *loop;
    struct loop_timer *timer, *watchdog;
    struct documents *documents;
    struct settings *settings;
    struct upstream *upstream;
    struct engine *engine;
    uint64_t docs[MAX_DOCS];
    size_t n_docs;
    char *rest[MAX_DOCS]; /* owned: what is typed at `at` */
    size_t at[MAX_DOCS];
    unsigned n_open;
    bool is_serial, is_short;
} b;

static void fail(const char *what)
{
    (void)fprintf(stderr, "%s\n", what);
    exit(1);
}

static void on_watchdog(void *user)
{
    (void)user;
    fail("the server didn't answer in time");
}

/* -- setting up -- */

static void on_tick(void *user)
{
    (void)user;
    const struct endpoint *e = upstream_endpoint(b.upstream, 0);
    if (e->state == ENDPOINT_READY && e->n_models > 0) {
        loop_stop(b.loop);
    } else {
        loop_timer_set(b.timer, clock_now_us() + MS_TO_US(10));
    }
}

static struct settings *read_settings(const char *url, const char *model)
{
    char json[1024];
    (void)snprintf(json, sizeof json,
                   "{\"endpoints\": [{\"name\": \"s\", \"kind\": \"llamacpp\", \"url\": \"%s\"}],"
                   " \"models\": {\"inline\": [\"s/%s\"], \"chat\": [\"s/%s\"]},"
                   " \"modelOptions\": {\"s/*\": {\"temperature\": 0}},"
                   " \"inline\": {\"maxTokens\": 48, \"debounce\": 0, \"prefetch\": false}}",
                   url, model, model);
    struct arena arena = {0};
    struct json v;
    if (json_parse(str_from(json), &arena, &v, NULL) != ERR_OK) {
        fail("bad arguments");
    }
    struct settings_builder *builder = settings_builder_create();
    settings_builder_put(builder, SETTINGS_USER_FILE, v);
    struct settings *s = settings_builder_snapshot(builder);
    settings_builder_destroy(builder);
    arena_release(&arena);
    return s;
}

static struct engine_switches switches(const char *off)
{
    b.is_serial = strstr(off, "serial") != NULL;
    b.is_short = strstr(off, "short") != NULL;
    return (struct engine_switches){.riding = true,
                                    .cache = true,
                                    .predictor = true,
                                    .hold = true,
                                    .ahead = true,
                                    .suppress = true,
                                    .queue = strstr(off, "queue") != NULL,
                                    .head = strstr(off, "head") != NULL};
}

/* What stands from a place past the middle on is taken out, to be typed. */
static void open_file(const char *path)
{
    char *text = xmalloc(MAX_FILE + 1);
    FILE *f = fopen(path, "rb");
    size_t n = f != NULL ? fread(text, 1, MAX_FILE, f) : 0;
    if (n < 1000 || b.n_docs == MAX_DOCS) {
        fail("a file is missing or too short");
    }
    (void)fclose(f);
    n = b.is_short && n > SHORT_FILE ? SHORT_FILE : n;
    text[n] = '\0';
    size_t at = n * 2 / 3, n_out = 0;
    at = (size_t)(strchr(text + at, '\n') - text) + 1;
    n_out = n - at < N_KEYS ? n - at : N_KEYS;
    size_t i = b.n_docs++;
    b.at[i] = at;
    b.rest[i] = xstrndup(text + at, n_out);
    memmove(text + at, text + at + n_out, n - at - n_out + 1);
    if (documents_open(b.documents, str_from(path), STR("c"), str_from(text), &b.docs[i]) !=
        ERR_OK) {
        fail("a document can't be opened");
    }
    xfree(text);
}

static void begin(char **argv)
{
    b.loop = loop_create();
    b.timer = loop_timer_create(b.loop, on_tick, NULL);
    b.watchdog = loop_timer_create(b.loop, on_watchdog, NULL);
    loop_timer_set(b.watchdog, clock_now_us() + WATCHDOG_US);
    b.documents = documents_create();
    b.settings = read_settings(argv[2], argv[3]);
    struct upstream_options reach = {.providers = provider_table};
    b.upstream = upstream_create(b.loop, &reach);
    upstream_configure(b.upstream, b.settings);
    struct engine_options parts = {.loop = b.loop,
                                   .documents = b.documents,
                                   .upstream = b.upstream,
                                   .settings = b.settings,
                                   .off = switches(argv[4]),
                                   .pins_slots = strstr(argv[4], "pinned") != NULL};
    b.engine = engine_create(&parts);
    upstream_probe(b.upstream);
    on_tick(NULL);
    loop_run(b.loop);
}

static void end(void)
{
    engine_destroy(b.engine);
    upstream_destroy(b.upstream);
    documents_destroy(b.documents);
    settings_unref(b.settings);
    loop_timer_destroy(b.timer);
    loop_timer_destroy(b.watchdog);
    loop_destroy(b.loop);
    for (size_t i = 0; i < b.n_docs; i++) {
        xfree(b.rest[i]);
    }
}

/* -- asking -- */

static void on_done(const struct answer *answer, const struct error *error, void *user)
{
    struct asked_for *a = user;
    a->is_done = true;
    a->took_us = clock_now_us() - a->at_us;
    a->n_bytes = error == NULL ? answer->text.len : 0;
    b.n_open--;
    loop_stop(b.loop);
}

static void wait_for_all(void)
{
    while (b.n_open > 0) {
        loop_run(b.loop);
    }
}

static void ask(struct asked_for *a, struct question *q)
{
    struct sink sink = {.on_done = on_done, .user = a};
    *a = (struct asked_for){.is_action = q->kind == QUESTION_CHAT, .at_us = clock_now_us()};
    b.n_open++;
    (void)engine_ask(b.engine, q, &sink);
}

static void ask_typing(struct asked_for *a, size_t doc)
{
    struct question q = {.kind = QUESTION_INLINE,
                         .document = b.docs[doc],
                         .cursor = b.at[doc],
                         .selected_start = b.at[doc]};
    ask(a, &q);
}

static void ask_action(struct asked_for *a, size_t doc)
{
    struct buf prompt;
    buf_init(&prompt, PROMPT_MAX_BYTES);
    buf_append(&prompt, STR("Explain what this does:\n"));
    document_copy(documents_find(b.documents, b.docs[doc])->text, 0, 2000, &prompt);
    struct chat chat = {.system = STR("You explain code to a programmer."),
                        .prompt = buf_str(&prompt),
                        .max_tokens = ACTION_TOKENS,
                        .kind = "explain"};
    struct question q = {.kind = QUESTION_CHAT, .document = b.docs[doc], .chat = &chat};
    ask(a, &q);
    buf_release(&prompt);
}

static void type_key(size_t doc, size_t i)
{
    if (documents_edit(b.documents, b.docs[doc], b.at[doc], b.at[doc],
                       str_of(b.rest[doc] + i, 1)) != ERR_OK) {
        fail("an edit failed");
    }
    b.at[doc]++;
}

/* -- what comes out -- */

static int by_time(const void *x, const void *y)
{
    uint64_t a = *(const uint64_t *)x, c = *(const uint64_t *)y;
    return (a > c) - (a < c);
}

static void print_times(const char *name, const struct asked_for *all, size_t n, bool is_action)
{
    uint64_t *took = xcalloc(n, sizeof *took);
    size_t k = 0, n_texts = 0;
    for (size_t i = 0; i < n; i++) {
        if (all[i].is_action == is_action && all[i].is_done) {
            took[k++] = all[i].took_us;
            n_texts += all[i].n_bytes > 0;
        }
    }
    qsort(took, k, sizeof *took, by_time);
    printf("%s_n %zu\n%s_texts %zu\n", name, k, name, n_texts);
    if (k > 0) {
        printf("%s_p50_us %llu\n%s_p95_us %llu\n%s_most_us %llu\n", name,
               (unsigned long long)took[k / 2], name, (unsigned long long)took[k * 95 / 100], name,
               (unsigned long long)took[k - 1]);
    }
    xfree(took);
}

static void print_queue(uint64_t took_us)
{
    struct queue_stats q = engine_lanes(b.engine);
    printf("took_us %llu\nwaited %llu\ndropped %llu\nkept_warm %llu\nexchanges %llu\n",
           (unsigned long long)took_us, (unsigned long long)engine_stats(b.engine)->n_waited,
           (unsigned long long)q.n_dropped, (unsigned long long)q.n_kept_warm,
           (unsigned long long)upstream_stats(b.upstream).n_exchanges);
}

/* -- the two runs -- */

static void run_mixed(void)
{
    size_t n = b.n_docs + N_ACTIONS;
    struct asked_for *all = xcalloc(n, sizeof *all);
    size_t *order = xcalloc(n, sizeof *order);
    srand(7);
    for (size_t i = 0; i < n; i++) {
        size_t at = (size_t)rand() % (i + 1);
        order[i] = order[at];
        order[at] = i;
    }
    for (size_t i = 0; i < b.n_docs;
         i++) { /* people have been at work: the server knows the texts */
        type_key(i, 0);
        ask_typing(&all[i], i);
        wait_for_all();
        type_key(i, 1);
    }
    loop_timer_set(b.timer, clock_now_us() + MS_TO_US(500)); /* and what flew on has landed */
    loop_run(b.loop);
    uint64_t from_us = clock_now_us();
    for (size_t i = 0; i < n; i++) {
        if (order[i] < b.n_docs) {
            ask_typing(&all[order[i]], order[i]);
        } else {
            ask_action(&all[order[i]], order[i] - b.n_docs);
        }
        if (b.is_serial) {
            wait_for_all();
        }
    }
    wait_for_all();
    print_queue(clock_now_us() - from_us);
    print_times("typing", all, n, false);
    print_times("action", all, n, true);
    xfree(all);
    xfree(order);
}

static void run_typing(void)
{
    struct asked_for all[2 * N_KEYS + N_ACTIONS] = {{.is_done = false}};
    size_t n = 0, n_actions = 0, typed[2] = {0};
    uint64_t from_us = clock_now_us();
    for (unsigned turn = 0; turn < 2 * N_KEYS / KEYS_A_TURN; turn++) {
        size_t doc = turn % 2;
        if (turn % 2 == 0 && n_actions < N_ACTIONS) {
            ask_action(&all[2 * N_KEYS + n_actions], 2 + n_actions);
            n_actions++;
        }
        for (unsigned k = 0; k < KEYS_A_TURN && b.rest[doc][typed[doc]] != '\0'; k++) {
            type_key(doc, typed[doc]++);
            struct asked_for *a = &all[n++];
            ask_typing(a, doc);
            while (!a->is_done) {
                loop_run(b.loop);
            }
        }
    }
    wait_for_all();
    print_queue(clock_now_us() - from_us);
    print_times("typing", all, 2 * N_KEYS, false);
    print_times("action", all + 2 * N_KEYS, N_ACTIONS, true);
}

int main(int argc, char **argv)
{
    if (argc < 6 + (int)N_ACTIONS + 2) {
        fail("usage: engines mixed|typing URL MODEL OFF FILE... (ten at least)");
    }
    begin(argv);
    for (int i = 5; i < argc; i++) {
        open_file(argv[i]);
    }
    if (strcmp(argv[1], "mixed") == 0) {
        run_mixed();
    } else {
        run_typing();
    }
    end();
    return 0;
}
