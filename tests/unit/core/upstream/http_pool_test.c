/* http_pool_test.c - whose connection a request takes, how many there are, and that none of it
 * leaks or crosses: against a server that remembers which connection carried which key. */
#include "core/upstream/http.h"

#include "core/base/limits.h"
#include "tests/unit/core/upstream/chance.h"
#include "tests/unit/core/upstream/server.h"

#include <dirent.h>
#include <errno.h>

#define N_KEYS    4
#define MAX_OPEN  3u /* connections of an identity in the random tests */
#define N_SLOTS   128
#define N_RUNNING 24

/* -- the server -- */

struct peer { /* a connection as the server sees it */
    struct bed *bed;
    struct loop_stream *stream; /* NULL: the slot is free */
    int fd;
    struct buf in;
    char key[32], owed[32]; /* who it belongs to; the request that isn't answered yet, or "" */
    bool is_over;
};

struct bed {
    struct loop *loop;
    struct http *http;
    int fd;
    uint16_t port;
    struct loop_poll *poll;
    struct peer peers[N_SLOTS];
    size_t n_accepted, n_requests;
    unsigned max_open; /* seen of one identity at a time, 0: not looked at */
    bool must_hold;    /* answers wait for answer() */
    bool must_close;   /* after each answer */
    bool is_random;
    char origin[64];
    struct http_target target;
};

static void peer_free(struct peer *p)
{
    loop_stream_destroy(p->stream);
    p->stream = NULL;
    buf_release(&p->in);
}

static bool is_open_still(const struct peer *p)
{
    char byte;
    return p->stream && !p->is_over &&
           (recv(p->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0 || errno == EAGAIN);
}

static unsigned n_open_of(const struct bed *bed, const char *key)
{
    unsigned n = 0;
    for (size_t i = 0; i < N_SLOTS; i++) {
        n += strcmp(bed->peers[i].key, key) == 0 && is_open_still(&bed->peers[i]);
    }
    return n;
}

/* The whole answer, or the rest of it where `from` isn't 0: "nonce key". */
static void answer(struct peer *p)
{
    char body[80], text[256];
    (void)snprintf(body, sizeof body, "%s %s", p->owed, p->key);
    int n = snprintf(text, sizeof text, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n%s\r\n%s",
                     strlen(body), p->bed->must_close ? "Connection: close\r\n" : "", body);
    p->owed[0] = '\0';
    if (p->bed->is_random && chance_below(4) == 0) { /* in two pieces */
        size_t cut = (size_t)chance_below((uint64_t)n);
        loop_stream_write(p->stream, str_of(text, cut));
        loop_stream_flush(p->stream, 100);
        loop_stream_write(p->stream, str_of(text + cut, (size_t)n - cut));
    } else {
        loop_stream_write(p->stream, str_of(text, (size_t)n));
    }
    loop_stream_flush(p->stream, 100);
}

static void copy_after(str text, str mark, char end, char out[32])
{
    size_t at = str_find(text, mark, 0);
    assert_true(at != SIZE_MAX);
    at += mark.len;
    size_t len = str_find_char(text, end, at) - at;
    assert_true(len > 0 && len < 32);
    (void)snprintf(out, 32, "%.*s", (int)len, text.ptr + at);
}

static void on_request(struct peer *p, str request)
{
    char key[32];
    struct bed *bed = p->bed;
    copy_after(request, STR("Authorization: Bearer "), '\r', key);
    if (p->key[0]) {
        assert_string_equal(p->key, key); /* a connection never changes hands */
    }
    assert_int_equal(p->owed[0], '\0'); /* nothing is pipelined */
    (void)snprintf(p->key, sizeof p->key, "%s", key);
    copy_after(request, STR("/n/"), ' ', p->owed);
    bed->n_requests++;
    if (bed->max_open > 0) {
        assert_true(n_open_of(bed, key) <= bed->max_open); /* 0: it has been cancelled since */
    }
    if (!bed->must_hold || (bed->is_random && chance_below(3) > 0)) {
        answer(p);
    }
}

static void on_read(str bytes, void *user)
{
    size_t len;
    struct peer *p = user;
    buf_append(&p->in, bytes);
    while (p->stream && (len = server_request_len(buf_str(&p->in))) > 0) {
        on_request(p, str_sub(buf_str(&p->in), 0, len));
        buf_consume(&p->in, len);
    }
}

static void on_end(enum err err, void *user)
{
    (void)err;
    struct peer *p = user;
    p->is_over = true;
    peer_free(p);
}

static void on_connection(int events, bool is_error, void *user)
{
    (void)events;
    (void)is_error;
    struct bed *bed = user;
    int fd = accept(bed->fd, NULL, NULL);
    struct peer *p = bed->peers;
    while (p < bed->peers + N_SLOTS && p->stream) {
        p++;
    }
    assert_true(fd >= 0 && p < bed->peers + N_SLOTS);
    *p = (struct peer){.bed = bed, .fd = fd};
    buf_init(&p->in, 1u << 20);
    struct loop_stream_events stream_events = {on_read, on_end, NULL, p};
    assert_int_equal(loop_stream_open(bed->loop, fd, &stream_events, &p->stream), ERR_OK);
    loop_stream_read(p->stream, true);
    bed->n_accepted++;
}

/* -- the bed -- */

static void setup(struct bed *bed)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof address;
    *bed = (struct bed){.loop = loop_create()};
    bed->http = http_create(bed->loop);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    bed->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(bed->fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(bed->fd, 128), 0);
    assert_int_equal(getsockname(bed->fd, (struct sockaddr *)&address, &len), 0);
    bed->port = ntohs(address.sin_port);
    bed->poll = loop_poll_create(bed->loop, bed->fd, on_connection, bed);
    loop_poll_set(bed->poll, LOOP_READABLE);
    (void)snprintf(bed->origin, sizeof bed->origin, "http://127.0.0.1:%u", (unsigned)bed->port);
    bed->target = (struct http_target){
        .origin = str_from(bed->origin), .key = STR("k0"), .is_loopback_only = true};
}

static void teardown(struct bed *bed)
{
    http_destroy(bed->http);
    for (size_t i = 0; i < N_SLOTS; i++) {
        peer_free(&bed->peers[i]);
    }
    loop_poll_destroy(bed->poll);
    close(bed->fd);
    loop_destroy(bed->loop);
}

static size_t n_descriptors(void)
{
    size_t n = 0;
    DIR *dir = opendir("/proc/self/fd");
    while (dir && readdir(dir)) {
        n++;
    }
    if (dir) {
        closedir(dir);
    }
    return n;
}

/* -- requests -- */

struct ask {
    struct bed *bed;
    uint64_t id;
    unsigned nonce, key;
    bool is_running, is_done, is_cancelled;
    struct error error;
    char body[80];
    size_t n_body;
};

static void on_status(int status, str content_type, void *user)
{
    (void)content_type;
    struct ask *ask = user;
    assert_false(ask->is_cancelled || ask->is_done);
    assert_int_equal(status, 200);
}

static void on_bytes(str bytes, void *user)
{
    struct ask *ask = user;
    assert_false(ask->is_cancelled || ask->is_done);
    assert_true(ask->n_body + bytes.len < sizeof ask->body);
    memcpy(ask->body + ask->n_body, bytes.ptr, bytes.len);
    ask->n_body += bytes.len;
}

static void on_done(const struct error *error, void *user)
{
    char expected[80];
    struct ask *ask = user;
    assert_false(ask->is_cancelled || ask->is_done);
    ask->is_done = true;
    ask->is_running = false;
    ask->error = error ? *error : (struct error){0};
    if (!error) {
        (void)snprintf(expected, sizeof expected, "%u k%u", ask->nonce, ask->key);
        assert_string_equal(ask->body, expected);
    }
}

static void encode(struct http_request *request, unsigned nonce)
{
    http_request_init(request);
    buf_appendf(&request->path, "/n/%u", nonce);
}

static void start(struct bed *bed, struct ask *ask, unsigned nonce, unsigned key)
{
    static const char *const keys[N_KEYS] = {"k0", "k1", "k2", "k3"};
    struct http_request request;
    struct http_events events = {on_status, on_bytes, on_done, ask, NULL};
    *ask = (struct ask){.bed = bed, .nonce = nonce, .key = key, .is_running = true};
    encode(&request, nonce);
    bed->target.key = str_from(keys[key]);
    ask->id = http_start(bed->http, &bed->target, &request, 1000, &events);
    http_request_release(&request);
}

static void fetch(struct bed *bed, unsigned nonce)
{
    struct ask ask;
    start(bed, &ask, nonce, 0);
    wait_for(bed->loop, &ask.is_done);
    assert_int_equal(ask.error.code, ERR_OK);
}

static bool warm(struct bed *bed)
{
    struct http_request request;
    encode(&request, 999);
    bool is_opened = http_warm(bed->http, &bed->target, &request);
    http_request_release(&request);
    return is_opened;
}

static bool is_quiet(void *user)
{
    return http_active(((struct bed *)user)->http) == 0;
}

static bool has_two_requests(void *user)
{
    return ((struct bed *)user)->n_requests == 2;
}

static void answer_all(struct bed *bed)
{
    for (size_t i = 0; i < N_SLOTS; i++) {
        if (bed->peers[i].stream && bed->peers[i].owed[0]) {
            answer(&bed->peers[i]);
        }
    }
}

/* -- figures, trust, age -- */

static void figures_say_what_became_of_connections(void **state)
{
    (void)state;
    struct bed bed;
    setup(&bed);
    fetch(&bed, 1);
    fetch(&bed, 2);
    struct http_stats s = http_stats(bed.http);
    assert_int_equal(s.n_open, 1);
    assert_int_equal(s.n_idle, 1);
    assert_int_equal(s.n_opened, 1);
    assert_int_equal(s.n_reused, 1);
    assert_int_equal(s.n_closed, 0);
    bed.must_hold = true;
    struct ask ask;
    bed.n_requests = 1;
    start(&bed, &ask, 3, 0);
    assert_true(run_until(bed.loop, has_two_requests, &bed));
    s = http_stats(bed.http);
    assert_int_equal(s.n_open, 1);
    assert_int_equal(s.n_idle, 0);
    http_cancel(bed.http, ask.id);
    s = http_stats(bed.http);
    assert_int_equal(s.n_open, 0);
    assert_int_equal(s.n_closed, 1);
    assert_int_equal(s.n_reused, 2);
    teardown(&bed);
}

static void attempts_that_fail_leave_nothing_behind(void **state)
{
    (void)state;
    struct bed bed;
    struct ask ask;
    setup(&bed);
    bed.target.origin = STR("http://127.0.0.1:1"); /* nobody is there */
    size_t n_before = 0;
    for (unsigned i = 0; i < 20; i++) {
        start(&bed, &ask, i, 0);
        wait_for(bed.loop, &ask.is_done);
        assert_int_equal(ask.error.code, ERR_CONNECT);
        n_before = i == 0 ? n_descriptors() : n_before;
    }
    assert_int_equal(n_descriptors(), n_before);
    struct http_stats s = http_stats(bed.http);
    assert_int_equal(s.n_open, 0);
    assert_int_equal(s.n_opened, s.n_closed);
    teardown(&bed);
}

/* What a server sends though nobody asked would be read as the next answer. */
static void stray_answer_reaches_no_request(void **state)
{
    (void)state;
    struct bed bed;
    setup(&bed);
    fetch(&bed, 1);
    struct peer *p = &bed.peers[0];
    loop_stream_write(p->stream, STR("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"));
    loop_stream_flush(p->stream, 100);
    fetch(&bed, 2); /* asserts that the body is its own */
    assert_int_equal(bed.n_accepted, 2);
    fetch(&bed, 3);
    assert_int_equal(bed.n_accepted, 2);
    teardown(&bed);
}

static void connection_closed_meanwhile_is_not_used(void **state)
{
    (void)state;
    struct bed bed;
    setup(&bed);
    for (unsigned i = 0; i < 10; i++) { /* as llama-server does after five idle seconds */
        fetch(&bed, i);
        peer_free(&bed.peers[0]);
    }
    assert_int_equal(bed.n_accepted, 10);
    assert_int_equal(bed.n_requests, 10); /* none was lost and sent again */
    teardown(&bed);
}

static void forgotten_connections_are_not_used_again(void **state)
{
    (void)state;
    struct bed bed;
    struct ask held;
    setup(&bed);
    bed.must_hold = true;
    start(&bed, &held, 1, 0);
    bed.n_requests = 1;
    assert_true(run_until(bed.loop, has_two_requests, &bed));
    bed.must_hold = false;
    fetch(&bed, 2);
    http_forget_idle(bed.http);
    fetch(&bed, 3);
    assert_int_equal(bed.n_accepted, 3);
    answer_all(&bed); /* what runs isn't touched */
    wait_for(bed.loop, &held.is_done);
    assert_int_equal(held.error.code, ERR_OK);
    teardown(&bed);
}

static bool has_one_open(void *user)
{
    return http_stats(((struct bed *)user)->http).n_open == 1;
}

static bool has_none_open(void *user)
{
    return http_stats(((struct bed *)user)->http).n_open == 0;
}

/* Grows with what runs at a time, shrinks to what was needed since, and to nothing. */
static void pool_follows_the_load(void **state)
{
    (void)state;
    struct bed bed;
    struct ask asks[5];
    setup(&bed);
    http_set_idle(bed.http, 1);
    bed.must_hold = true;
    for (unsigned i = 0; i < 5; i++) {
        start(&bed, &asks[i], i, 0);
    }
    for (uint64_t until_us = clock_now_us() + SEC_TO_US(5);
         bed.n_requests < 5 && clock_now_us() < until_us;) {
        run_turns(bed.loop, 1);
    }
    assert_int_equal(http_stats(bed.http).n_open, 5);
    bed.must_hold = false;
    answer_all(&bed);
    assert_true(run_until(bed.loop, is_quiet, &bed));
    assert_int_equal(http_stats(bed.http).n_idle, 5);
    uint64_t until_us = clock_now_us() + SEC_TO_US(4);
    unsigned nonce = 100;
    while (!has_one_open(&bed) && clock_now_us() < until_us) {
        fetch(&bed, nonce++); /* one at a time: one connection is enough */
        usleep(20000);
    }
    assert_true(has_one_open(&bed));
    assert_int_equal(bed.n_accepted, 5); /* the one that was in use stayed */
    assert_true(run_until(bed.loop, has_none_open, &bed));
    teardown(&bed);
}

/* -- warming -- */

static void warmed_connection_carries_the_next_request(void **state)
{
    (void)state;
    struct bed bed;
    setup(&bed);
    assert_true(warm(&bed));
    assert_false(warm(&bed)); /* it is under way */
    assert_true(run_until(bed.loop, is_quiet, &bed));
    assert_int_equal(bed.n_accepted, 1);
    assert_false(warm(&bed)); /* it is there */
    fetch(&bed, 1);
    assert_int_equal(bed.n_accepted, 1);
    struct http_stats s = http_stats(bed.http);
    assert_int_equal(s.n_warmed, 1);
    assert_int_equal(s.n_reused, 1);
    assert_int_equal(bed.n_requests, 2);
    peer_free(&bed.peers[0]);
    run_turns(bed.loop, 3);
    assert_true(warm(&bed)); /* the server has closed it */
    assert_true(run_until(bed.loop, is_quiet, &bed));
    assert_int_equal(bed.n_accepted, 2);
    teardown(&bed);
}

static void spare_is_opened_beside_what_runs(void **state)
{
    (void)state;
    struct bed bed;
    struct ask held, next;
    setup(&bed);
    http_set_connections(bed.http, 2);
    bed.must_hold = true;
    start(&bed, &held, 1, 0);
    bed.n_requests = 1;
    assert_true(run_until(bed.loop, has_two_requests, &bed));
    bed.must_hold = false;
    assert_true(warm(&bed));
    run_turns(bed.loop, 2);
    while (http_active(bed.http) > 1) {
        run_turns(bed.loop, 1);
    }
    http_cancel(bed.http, held.id); /* its connection is gone, the next question has one */
    start(&bed, &next, 2, 0);
    wait_for(bed.loop, &next.is_done);
    assert_int_equal(next.error.code, ERR_OK);
    assert_int_equal(bed.n_accepted, 2);
    teardown(&bed);
}

static void warming_never_takes_a_requests_place(void **state)
{
    (void)state;
    struct bed bed;
    struct ask ask;
    setup(&bed);
    http_set_connections(bed.http, 1);
    bed.must_hold = true;
    assert_true(warm(&bed));
    bed.n_requests = 1;
    assert_true(run_until(bed.loop, has_two_requests, &bed)); /* and isn't answered */
    bed.must_hold = false;
    start(&bed, &ask, 1, 0);
    assert_false(warm(&bed)); /* there are as many as may be */
    wait_for(bed.loop, &ask.is_done);
    assert_int_equal(ask.error.code, ERR_OK);
    assert_int_equal(http_stats(bed.http).n_warmed, 0);
    teardown(&bed);
}

static void warming_that_fails_is_silent(void **state)
{
    (void)state;
    struct bed bed;
    setup(&bed);
    bed.target.origin = STR("http://127.0.0.1:1");
    assert_true(warm(&bed));
    assert_true(run_until(bed.loop, is_quiet, &bed));
    assert_int_equal(http_stats(bed.http).n_warmed, 0);
    bed.target.key = STR("a\nb");
    assert_false(warm(&bed));
    run_turns(bed.loop, 3);
    assert_true(
        warm(&(struct bed){.http = bed.http, .target = {.origin = STR("http://127.0.0.1:1")}}));
    teardown(&bed); /* while it is under way */
}

/* -- against a naive reference -- */

/* What should be running, and for how many of them an answer may be expected. */
struct reference {
    struct ask asks[N_RUNNING];
    size_t n_running;
    unsigned nonce;
};

static void step(struct bed *bed, struct reference *r)
{
    struct ask *ask = &r->asks[chance_below(N_RUNNING)];
    struct peer *p = &bed->peers[chance_below(N_SLOTS)];
    switch (chance_below(10)) {
    case 0:
    case 1:
    case 2:
    case 3:
        if (!ask->is_running) {
            start(bed, ask, ++r->nonce, (unsigned)chance_below(N_KEYS));
        }
        break;
    case 4:
    case 5:
        if (ask->is_running) {
            ask->is_running = false;
            ask->is_cancelled = true;
            http_cancel(bed->http, ask->id);
        }
        break;
    case 6:
        bed->target.key = STR("k1");
        (void)warm(bed);
        break;
    case 7:
        if (p->stream && p->owed[0]) {
            answer(p);
        }
        break;
    case 8: /* an idle connection ends, or says what nobody asked */
        if (p->stream && !p->owed[0] && chance_below(2) == 0) {
            peer_free(p);
        } else if (p->stream && !p->owed[0] && http_active(bed->http) == 0) {
            loop_stream_write(p->stream, STR("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"));
            loop_stream_flush(p->stream, 100);
        }
        break;
    case 9:
        run_turns(bed->loop, (int)chance_below(4));
        break;
    }
}

static size_t n_running(const struct reference *r)
{
    size_t n = 0;
    for (size_t i = 0; i < N_RUNNING; i++) {
        n += r->asks[i].is_running;
    }
    return n;
}

static void check_against(struct bed *bed, const struct reference *r)
{
    struct http_stats s = http_stats(bed->http);
    size_t n = n_running(r);
    assert_in_range(http_active(bed->http), n, n + 1); /* a warming one isn't the reference's */
    assert_true(s.n_open <= (uint64_t)MAX_OPEN * N_KEYS);
    assert_true(s.n_idle <= s.n_open);
    assert_int_equal(s.n_open, s.n_opened - s.n_closed);
}

static void settle(struct bed *bed)
{
    for (uint64_t until_us = clock_now_us() + SEC_TO_US(10);
         http_active(bed->http) > 0 && clock_now_us() < until_us;) {
        answer_all(bed);
        run_turns(bed->loop, 1);
    }
    assert_int_equal(http_active(bed->http), 0);
}

static void random_lives_of_several_identities(void **state)
{
    (void)state;
    size_t n_before = n_descriptors();
    uint64_t n_steps = chance_begin() / 10;
    for (unsigned round = 0; round < 10; round++) {
        struct bed bed;
        struct reference r = {.nonce = 0};
        setup(&bed);
        bed.is_random = true;
        bed.must_hold = true;
        bed.max_open = MAX_OPEN;
        http_set_connections(bed.http, MAX_OPEN);
        for (uint64_t i = 0; i < n_steps; i++) {
            step(&bed, &r);
            if (i % 10 == 0) {
                check_against(&bed, &r);
            }
        }
        settle(&bed);
        assert_int_equal(n_running(&r), 0);
        check_against(&bed, &r);
        assert_true(bed.n_requests > n_steps / 10);
        teardown(&bed);
        assert_int_equal(n_descriptors(), n_before);
    }
}

/* Ten thousand requests, each with a number that comes back. */
static void no_answer_reaches_another_request(void **state)
{
    (void)state;
    struct bed bed;
    static struct ask asks[N_RUNNING];
    unsigned n_started = 0, n_done = 0, n_cancelled = 0;
    size_t n_before = n_descriptors();
    (void)chance_begin();
    setup(&bed);
    bed.is_random = true;
    bed.must_hold = true;
    memset(asks, 0, sizeof asks);
    while (n_started < 10000) {
        struct ask *ask = &asks[chance_below(N_RUNNING)];
        if (!ask->is_running) {
            n_done += ask->is_done && ask->error.code == ERR_OK;
            start(&bed, ask, ++n_started, (unsigned)chance_below(N_KEYS));
        } else if (chance_below(3) == 0) {
            ask->is_running = false;
            ask->is_cancelled = true;
            http_cancel(bed.http, ask->id);
            n_cancelled++;
        }
        if (chance_below(4) == 0) {
            answer_all(&bed);
        }
        run_turns(bed.loop, (int)chance_below(3));
    }
    settle(&bed);
    assert_true(n_cancelled > 1000 && n_done > 1000);
    struct http_stats s = http_stats(bed.http);
    print_message("%u requests: %u answered, %u cancelled, %llu on a used connection, %llu "
                  "connections\n",
                  n_started, n_done, n_cancelled, (unsigned long long)s.n_reused,
                  (unsigned long long)s.n_opened);
    teardown(&bed);
    assert_int_equal(n_descriptors(), n_before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(figures_say_what_became_of_connections),
        cmocka_unit_test(attempts_that_fail_leave_nothing_behind),
        cmocka_unit_test(stray_answer_reaches_no_request),
        cmocka_unit_test(connection_closed_meanwhile_is_not_used),
        cmocka_unit_test(forgotten_connections_are_not_used_again),
        cmocka_unit_test(pool_follows_the_load),
        cmocka_unit_test(warmed_connection_carries_the_next_request),
        cmocka_unit_test(spare_is_opened_beside_what_runs),
        cmocka_unit_test(warming_never_takes_a_requests_place),
        cmocka_unit_test(warming_that_fails_is_silent),
        cmocka_unit_test(random_lives_of_several_identities),
        cmocka_unit_test(no_answer_reaches_another_request),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
