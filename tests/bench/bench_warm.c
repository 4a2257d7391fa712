/* bench_warm.c - what a connection that is opened ahead is worth: the time to the first piece of
 * text of the first question after a pause, with upstream.warm and without.
 *
 * Usage: bench_warm URL CA_FILE ROUNDS LEAD_MS. URL is an https one of a llama-server, or of what
 * plays one. Each round has one question with warming and one without, in turns: all idle
 * connections are given up, a keystroke comes (upstream_warm), and LEAD_MS later the question that
 * it leads to. Prints "name value" lines, microseconds; exit 1 where an answer is missing. */
#include <stdio.h>
#include <stdlib.h>

#include "core/base/clock.h"
#include "core/upstream/upstream.h"

#define MAX_ROUNDS 1000u
#define TIMEOUT_US SEC_TO_US(20)

struct bench {
    struct loop *loop;
    struct loop_timer *timer;
    struct upstream *upstream;
    bool is_done, has_failed;
    uint64_t text_us; /* when the first piece came, 0: not yet */
};

static void on_change(void *user)
{
    struct bench *b = user;
    if (upstream_is_settled(b->upstream)) {
        loop_stop(b->loop);
    }
}

static void on_timeout(void *user)
{
    loop_stop(((struct bench *)user)->loop);
}

static void run_for(struct bench *b, uint64_t us)
{
    loop_timer_set(b->timer, clock_now_us() + us);
    loop_run(b->loop);
    loop_timer_set(b->timer, CLOCK_NEVER);
}

static void on_text(uint64_t exchange, str utf8, void *user)
{
    (void)exchange;
    (void)utf8;
    struct bench *b = user;
    b->text_us = b->text_us == 0 ? clock_now_us() : b->text_us;
}

static void on_done(uint64_t exchange, const struct generate_end *end, double confidence,
                    const struct error *error, void *user)
{
    (void)exchange;
    (void)end;
    (void)confidence;
    struct bench *b = user;
    b->has_failed = error != NULL;
    b->is_done = true;
    if (error) {
        fprintf(stderr, "bench_warm: %s\n", error->msg);
    }
    loop_stop(b->loop);
}

/* Microseconds to the first text, 0 where there was none. */
static uint64_t ask(struct bench *b, uint64_t endpoint)
{
    struct exchange_spec spec = {.endpoint = endpoint,
                                 .generate = {.shape = GENERATE_INFILL,
                                              .prefix = STR("int main(void)\n{\n    return "),
                                              .suffix = STR(";\n}\n"),
                                              .max_tokens = 8,
                                              .temperature = 0,
                                              .slot = -1},
                                 .first_token_us = CLOCK_NEVER,
                                 .total_us = clock_now_us() + TIMEOUT_US};
    struct exchange_sink sink = {.on_text = on_text, .on_done = on_done, .user = b};
    b->is_done = false;
    b->text_us = 0;
    uint64_t from_us = clock_now_us();
    (void)exchange_start(b->upstream, &spec, &sink);
    while (!b->is_done) {
        loop_run(b->loop);
    }
    return b->has_failed || b->text_us == 0 ? 0 : b->text_us - from_us;
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static void report(const char *name, uint64_t *values, unsigned n)
{
    qsort(values, n, sizeof *values, compare);
    printf("%s_p50 %llu\n%s_p95 %llu\n", name, (unsigned long long)values[n / 2], name,
           (unsigned long long)values[n * 95 / 100]);
}

static bool measure(struct bench *b, struct settings *s, unsigned n_rounds, uint64_t lead_us)
{
    static uint64_t values[2][MAX_ROUNDS]; /* without, with */
    uint64_t endpoint = upstream_endpoint(b->upstream, 0)->id;
    for (unsigned i = 0; i < 2 * n_rounds; i++) {
        bool is_warm = i % 2 == 1;
        s->upstream_warm = is_warm;
        run_for(b, SEC_TO_US(1)); /* the answer drains; no two are opened ahead within a second */
        upstream_resume(b->upstream);
        if (upstream_warm(b->upstream, endpoint) != is_warm) {
            fprintf(stderr, "bench_warm: upstream.warm does nothing\n");
            return false;
        }
        run_for(b, lead_us);
        values[is_warm][i / 2] = ask(b, endpoint);
        if (values[is_warm][i / 2] == 0) {
            return false;
        }
    }
    report("cold_first_us", values[0], n_rounds);
    report("warm_first_us", values[1], n_rounds);
    return true;
}

int main(int argc, char **argv)
{
    unsigned long n_rounds = argc == 5 ? strtoul(argv[3], NULL, 10) : 0;
    if (n_rounds == 0 || n_rounds > MAX_ROUNDS) {
        fprintf(stderr, "usage: bench_warm URL CA_FILE ROUNDS LEAD_MS\n");
        return 2;
    }
    struct bench b = {.loop = loop_create()};
    struct endpoint_settings endpoint = {.name = STR("sim"),
                                         .kind = STR("llamacpp"),
                                         .url = str_from(argv[1]),
                                         .ca_file = str_from(argv[2])};
    struct settings settings = {.n_refs = 1, .endpoints = &endpoint, .n_endpoints = 1};
    struct upstream_options options = {provider_table, NULL, on_change, &b};
    b.timer = loop_timer_create(b.loop, on_timeout, &b);
    b.upstream = upstream_create(b.loop, &options);
    upstream_configure(b.upstream, &settings);
    upstream_probe(b.upstream);
    run_for(&b, TIMEOUT_US);
    bool is_ready = upstream_endpoint(b.upstream, 0)->state == ENDPOINT_READY;
    bool is_good = is_ready &&
                   measure(&b, &settings, (unsigned)n_rounds, MS_TO_US(strtoul(argv[4], NULL, 10)));
    if (!is_ready) {
        fprintf(stderr, "bench_warm: %s\n", upstream_endpoint(b.upstream, 0)->error.msg);
    }
    upstream_destroy(b.upstream);
    loop_timer_destroy(b.timer);
    loop_destroy(b.loop);
    return is_good ? 0 : 1;
}
