/* upstream.c - what the way through core/upstream costs beside libcurl alone, on the same server.
 *
 * Why      Between an editor and a model stand policies, codecs and a loop. All of them together
 *          may not be felt.
 * How      "one": one request after the other on one connection that is kept; a hundred by our
 *          way, a hundred by a plain easy handle, and so on, so that whatever else the machine
 *          does meets both. "many": ten streams to each of some servers at once, whose words are
 *          the times at which they were sent; by our way, then by a plain multi handle.
 *
 * usage: upstream one N PORT | upstream many ROUNDS PORT...        prints "name value" lines */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#include "core/base/clock.h"
#include "core/base/metrics.h"
#include "core/loop/loop.h"
#include "core/upstream/upstream.h"

#define STREAMS      10u /* at once, to each server */
#define SERVERS_MAX  16u
#define BLOCK        100u
#define STAMP_DIGITS 16u

struct bench {
    struct loop *loop;
    struct upstream *upstream;
    struct endpoint_settings endpoints[SERVERS_MAX];
    char urls[SERVERS_MAX][64], names[SERVERS_MAX][8];
    struct settings settings;
    size_t n_servers;
    size_t n_open, n_failed, n_words;
    struct buf body;         /* of a request, as our codec writes it */
    struct histogram *words; /* how old words were when they came */
};

static struct generate question(void)
{
    return (struct generate){.shape = GENERATE_INFILL,
                             .prefix = STR("int count(int n)\n{\n    return "),
                             .suffix = STR("\n}\n"),
                             .model = STR("tinycode"),
                             .max_tokens = 128,
                             .temperature = 0.1,
                             .slot = -1};
}

static void fail(const char *why)
{
    fprintf(stderr, "upstream: %s\n", why);
    exit(1);
}

/* -- words -- */

/* Every whole "t<16 digits>;" in `text`, which begins at a word's beginning. */
static void take_words(struct bench *b, str text)
{
    uint64_t now_us = clock_now_us(), sent_us;
    for (size_t at = 0; (at = str_find_char(text, 't', at)) != SIZE_MAX; at++) {
        str digits = str_sub(text, at + 1, at + 1 + STAMP_DIGITS);
        if (digits.len == STAMP_DIGITS && str_to_u64(digits, UINT64_MAX, &sent_us)) {
            histogram_add(b->words, now_us > sent_us ? now_us - sent_us : 0);
            b->n_words++;
        }
    }
}

/* -- our way -- */

static void on_text(uint64_t exchange, str utf8, void *user)
{
    (void)exchange;
    take_words(user, utf8);
}

static void on_done(uint64_t exchange, const struct generate_end *end, double confidence,
                    const struct error *error, void *user)
{
    (void)exchange, (void)end, (void)confidence;
    struct bench *b = user;
    b->n_failed += error != NULL;
    if (--b->n_open == 0) {
        loop_stop(b->loop);
    }
}

static void start_one(struct bench *b, size_t server)
{
    struct exchange_spec spec = {.endpoint = upstream_endpoint(b->upstream, server)->id,
                                 .generate = question(),
                                 .first_token_us = EXCHANGE_AUTO,
                                 .total_us = EXCHANGE_AUTO};
    struct exchange_sink sink = {.on_text = on_text, .on_done = on_done, .user = b};
    b->n_open++;
    (void)exchange_start(b->upstream, &spec, &sink);
}

static void on_change(void *user)
{
    struct bench *b = user;
    if (upstream_is_settled(b->upstream)) {
        loop_stop(b->loop);
    }
}

static void set_up(struct bench *b, char **ports, size_t n)
{
    *b = (struct bench){.loop = loop_create(), .n_servers = n};
    for (size_t i = 0; i < n; i++) {
        (void)snprintf(b->urls[i], sizeof b->urls[i], "http://127.0.0.1:%s", ports[i]);
        (void)snprintf(b->names[i], sizeof b->names[i], "s%zu", i);
        b->endpoints[i] = (struct endpoint_settings){
            .name = str_from(b->names[i]), .kind = STR("llamacpp"), .url = str_from(b->urls[i])};
    }
    b->settings = (struct settings){.n_refs = 1, .endpoints = b->endpoints, .n_endpoints = n};
    struct upstream_options options = {
        .providers = provider_table, .on_change = on_change, .user = b};
    b->upstream = upstream_create(b->loop, &options);
    upstream_configure(b->upstream, &b->settings);
    upstream_probe(b->upstream);
    loop_run(b->loop);
    for (size_t i = 0; i < n; i++) {
        if (upstream_endpoint(b->upstream, i)->state != ENDPOINT_READY) {
            fail("an endpoint isn't ready");
        }
    }
    struct http_request request;
    struct generate generate = question();
    struct error why;
    http_request_init(&request);
    if (upstream_endpoint(b->upstream, 0)->ops->encode(&generate, &request, &why) != ERR_OK) {
        fail(why.msg);
    }
    buf_init(&b->body, 1u << 20);
    buf_append(&b->body, buf_str(&request.body));
    http_request_release(&request);
    b->words = xcalloc(1, sizeof *b->words);
}

static void tear_down(struct bench *b)
{
    upstream_destroy(b->upstream);
    loop_destroy(b->loop);
    buf_release(&b->body);
    xfree(b->words);
}

/* -- plain libcurl -- */

static size_t on_plain_bytes(char *bytes, size_t size, size_t n, void *user)
{
    struct bench *b = user;
    if (b->words) {
        take_words(b, str_of(bytes, size * n));
    }
    return size * n;
}

static CURL *plain_handle(struct bench *b, size_t server, struct curl_slist *headers)
{
    char url[96];
    CURL *easy = curl_easy_init();
    (void)snprintf(url, sizeof url, "%s/infill", b->urls[server]);
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, buf_cstr(&b->body));
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)b->body.len);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_plain_bytes);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, b);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    return easy;
}

static void run_plain_streams(struct bench *b, struct curl_slist *headers)
{
    CURLM *multi = curl_multi_init();
    CURL *handles[SERVERS_MAX * STREAMS];
    int n_running = 1, n_left;
    size_t n = b->n_servers * STREAMS;
    for (size_t i = 0; i < n; i++) {
        handles[i] = plain_handle(b, i % b->n_servers, headers);
        curl_multi_add_handle(multi, handles[i]);
    }
    while (n_running > 0) {
        curl_multi_perform(multi, &n_running);
        curl_multi_poll(multi, NULL, 0, 1000, NULL);
    }
    for (CURLMsg *m; (m = curl_multi_info_read(multi, &n_left)) != NULL;) {
        b->n_failed += m->data.result != CURLE_OK;
    }
    for (size_t i = 0; i < n; i++) {
        curl_multi_remove_handle(multi, handles[i]);
        curl_easy_cleanup(handles[i]);
    }
    curl_multi_cleanup(multi);
}

/* -- the two measurements -- */

static int by_size(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static void print_times(const char *name, uint64_t *us, size_t n)
{
    qsort(us, n, sizeof *us, by_size);
    printf("%s_us %llu\n%s_p99_us %llu\n", name, (unsigned long long)us[n / 2], name,
           (unsigned long long)us[n * 99 / 100]);
}

static uint64_t ours_once(struct bench *b)
{
    uint64_t from_us = clock_now_us();
    start_one(b, 0);
    loop_run(b->loop);
    return clock_now_us() - from_us;
}

static uint64_t plain_once(struct bench *b, CURL *easy)
{
    uint64_t from_us = clock_now_us();
    b->n_failed += curl_easy_perform(easy) != CURLE_OK;
    return clock_now_us() - from_us;
}

static void measure_one(struct bench *b, size_t n, struct curl_slist *headers)
{
    uint64_t *ours = xcalloc(n, sizeof *ours), *plain = xcalloc(n, sizeof *plain);
    CURL *easy = plain_handle(b, 0, headers);
    for (size_t i = 0; i < BLOCK; i++) {
        (void)ours_once(b);
        (void)plain_once(b, easy);
    }
    for (size_t i = 0; i < n; i++) {
        ours[i] = ours_once(b);
        if (i % BLOCK == BLOCK - 1) {
            for (size_t k = i + 1 - BLOCK; k <= i; k++) {
                plain[k] = plain_once(b, easy);
            }
        }
    }
    print_times("ours", ours, n);
    print_times("plain", plain, n / BLOCK * BLOCK);
    curl_easy_cleanup(easy);
    xfree(ours);
    xfree(plain);
}

static void print_words(struct bench *b, const char *name)
{
    printf("%s_p50_us %llu\n%s_p99_us %llu\n%s_words %zu\n", name,
           (unsigned long long)histogram_quantile(b->words, 0.5), name,
           (unsigned long long)histogram_quantile(b->words, 0.99), name, b->n_words);
    *b->words = (struct histogram){0};
    b->n_words = 0;
}

static void measure_many(struct bench *b, size_t n_rounds, struct curl_slist *headers)
{
    for (size_t i = 0; i < n_rounds; i++) {
        for (size_t k = 0; k < b->n_servers * STREAMS; k++) {
            start_one(b, k % b->n_servers);
        }
        loop_run(b->loop);
    }
    print_words(b, "ours");
    for (size_t i = 0; i < n_rounds; i++) {
        run_plain_streams(b, headers);
    }
    print_words(b, "plain");
}

int main(int argc, char **argv)
{
    struct bench b;
    if (argc < 4 || (size_t)argc - 3 > SERVERS_MAX) {
        fail("usage: upstream one|many N PORT...");
    }
    size_t n = strtoul(argv[2], NULL, 10);
    set_up(&b, argv + 3, (size_t)argc - 3);
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
    if (strcmp(argv[1], "one") == 0) {
        measure_one(&b, n, headers);
    } else {
        measure_many(&b, n, headers);
    }
    printf("failed %zu\n", b.n_failed);
    curl_slist_free_all(headers);
    tear_down(&b);
    return 0;
}
