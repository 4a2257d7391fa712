/* http_test.c - transfers against a scripted server on loopback: what is sent, what is kept from
 * being sent, and every way in which an answer can end. */
#include "core/upstream/http.h"

#include "core/base/limits.h"
#include "tests/unit/core/upstream/server.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <netdb.h>

struct call {
    struct fixture *fixture;
    uint64_t id;
    int status, n_status, n_done;
    char content_type[64], location[64];
    int64_t date_s;
    struct buf body;
    bool is_done;
    struct error error;
    bool is_started;  /* http_start has returned */
    bool must_cancel; /* on the first bytes */
    uint64_t cancelled_us;
};

struct fixture {
    struct loop *loop;
    struct http *http;
    struct server server, other;
    char origin[64], header[300];
    str headers[1];
    struct http_target target;
    const char *script; /* what the server answers, raw */
    bool must_close, must_reset, must_stay_silent;
    struct call call;
};

static void on_request(struct server_connection *c, str request, void *user)
{
    (void)request;
    struct fixture *f = user;
    if (f->must_stay_silent) {
        return;
    }
    server_send(c, f->script);
    if (f->must_close) {
        server_close(c);
    } else if (f->must_reset) {
        loop_stream_flush(c->stream, 100);
        server_reset(c);
    }
}

#define OK_SCRIPT "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"

static void setup(struct fixture *f)
{
    *f = (struct fixture){.loop = loop_create(), .script = OK_SCRIPT};
    f->http = http_create(f->loop);
    server_start(&f->server, f->loop, 0, on_request, f);
    server_start(&f->other, f->loop, 0, on_request, f);
    (void)snprintf(f->origin, sizeof f->origin, "http://127.0.0.1:%u", (unsigned)f->server.port);
    f->target = (struct http_target){.origin = str_from(f->origin), .is_loopback_only = true};
    f->call.fixture = f;
}

static void teardown(struct fixture *f)
{
    buf_release(&f->call.body);
    http_destroy(f->http);
    server_stop(&f->server);
    server_stop(&f->other);
    loop_destroy(f->loop);
}

static void on_status(int status, str content_type, void *user)
{
    struct call *call = user;
    assert_true(call->is_started);
    assert_int_equal(call->n_done, 0);
    call->status = status;
    call->n_status++;
    struct http_head head = http_head(call->fixture->http);
    (void)snprintf(call->location, sizeof call->location, STR_FMT, STR_ARG(head.location));
    call->date_s = head.date_s;
    (void)snprintf(call->content_type, sizeof call->content_type, STR_FMT, STR_ARG(content_type));
}

static void on_bytes(str bytes, void *user)
{
    struct call *call = user;
    assert_int_equal(call->n_status, 1);
    assert_int_equal(call->n_done, 0);
    if (call->must_cancel) {
        call->cancelled_us = clock_now_us();
        http_cancel(call->fixture->http, call->id);
        call->is_done = true;
    }
    buf_append(&call->body, bytes); /* still there after the cancel */
}

static void on_done(const struct error *error, void *user)
{
    struct call *call = user;
    assert_true(call->is_started);
    call->error = error ? *error : (struct error){0};
    call->n_done++;
    call->is_done = true;
}

static void start_capped(struct fixture *f, struct call *call, const char *post, size_t max_body)
{
    struct http_request request;
    struct http_events events = {on_status, on_bytes, on_done, call, NULL};
    bool must_cancel = call->must_cancel;
    buf_release(&call->body);
    *call = (struct call){.fixture = f, .must_cancel = must_cancel};
    buf_init(&call->body, 16u << 20);
    http_request_init(&request);
    request.body.max = 16u << 20;
    buf_append(&request.path, STR("/x?y=1"));
    request.is_post = post != NULL;
    buf_append(&request.body, str_from(post));
    call->id = http_start(f->http, &f->target, &request, max_body, &events);
    call->is_started = true;
    assert_int_not_equal(call->id, 0);
    http_request_release(&request);
}

static void start(struct fixture *f, struct call *call)
{
    start_capped(f, call, NULL, 1u << 20);
}

static void fetch(struct fixture *f)
{
    start(f, &f->call);
    wait_for(f->loop, &f->call.is_done);
    assert_int_equal(f->call.n_done, 1);
    assert_int_equal(http_active(f->http), 0);
}

static void fetch_script(struct fixture *f, const char *script)
{
    f->script = script;
    fetch(f);
}

/* -- what is sent -- */

static void get_tells_status_type_and_body(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    f.target.base_path = STR("/base");
    fetch(&f);
    assert_int_equal(f.call.error.code, ERR_OK);
    assert_int_equal(f.call.status, 200);
    assert_string_equal(f.call.content_type, "application/json");
    assert_string_equal(buf_cstr(&f.call.body), "{}");
    assert_true(server_got(&f.server, "GET /base/x?y=1 HTTP/1.1\r\n"));
    assert_true(server_got(&f.server, "Host: 127.0.0.1:"));
    assert_false(server_got(&f.server, "Accept-Encoding"));
    assert_false(server_got(&f.server, "Authorization"));
    assert_false(server_got(&f.server, "Cookie"));
    teardown(&f);
}

static void post_sends_json_without_waiting_for_leave(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    char *large = xcalloc(1, (3u << 20) + 1);
    memset(large, 'a', 3u << 20);
    start_capped(&f, &f.call, large, 100);
    xfree(large);
    wait_for(f.loop, &f.call.is_done);
    assert_int_equal(f.call.error.code, ERR_OK);
    assert_true(server_got(&f.server, "POST /x"));
    assert_true(server_got(&f.server, "Content-Type: application/json\r\n"));
    assert_true(server_got(&f.server, "Content-Length: 3145728\r\n"));
    assert_false(server_got(&f.server, "Expect"));
    teardown(&f);
}

static void connection_is_kept_for_the_next_request(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    for (int i = 0; i < 5; i++) {
        fetch(&f);
    }
    assert_int_equal(f.server.n_requests, 5);
    assert_int_equal(f.server.n_connections, 1);
    teardown(&f);
}

static void connection_that_died_meanwhile_is_replaced(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    fetch(&f);
    server_close(&f.server.connections[0]);
    fetch(&f);
    assert_int_equal(f.call.error.code, ERR_OK);
    assert_int_equal(f.server.n_connections, 2);
    teardown(&f);
}

static void identities_never_share_a_connection(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    f.target.key = STR("first");
    fetch(&f);
    assert_true(server_got(&f.server, "Authorization: Bearer first\r\n"));
    f.target.key = STR("second");
    fetch(&f);
    assert_true(server_got(&f.server, "Authorization: Bearer second\r\n"));
    f.target.key_header = STR("x-api-key");
    fetch(&f);
    assert_true(server_got(&f.server, "\r\nx-api-key: second\r\n"));
    assert_false(server_got(&f.server, "Authorization"));
    assert_int_equal(f.server.n_connections, 3);
    f.target.key_header = STR("");
    fetch(&f);
    assert_int_equal(f.server.n_connections, 3);
    teardown(&f);
}

static bool has_two(void *user)
{
    return ((struct fixture *)user)->server.n_connections == 2;
}

static bool has_three(void *user)
{
    return ((struct fixture *)user)->server.n_connections == 3;
}

static void connections_are_no_more_than_told(void **state)
{
    (void)state;
    struct fixture f;
    struct call calls[3] = {{0}};
    setup(&f);
    f.must_stay_silent = true;
    http_set_connections(f.http, 2);
    for (int i = 0; i < 3; i++) {
        calls[i].fixture = &f;
        start(&f, &calls[i]);
    }
    assert_true(run_until(f.loop, has_two, &f));
    run_turns(f.loop, 20);
    assert_int_equal(f.server.n_connections, 2);
    http_cancel(f.http, calls[0].id); /* the one that waits takes its place */
    assert_true(run_until(f.loop, has_three, &f));
    for (int i = 0; i < 3; i++) {
        http_cancel(f.http, calls[i].id);
        assert_int_equal(calls[i].n_done, 0);
        buf_release(&calls[i].body);
    }
    teardown(&f);
}

static void headers_of_the_endpoint_are_sent(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    f.headers[0] = STR("X-Team:  blue ");
    f.target.headers = f.headers;
    f.target.n_headers = 1;
    fetch(&f);
    assert_true(server_got(&f.server, "\r\nX-Team: blue\r\n"));
    teardown(&f);
}

/* -- what is kept from being sent -- */

static void redirects_lead_nowhere(void **state)
{
    (void)state;
    static const int statuses[] = {301, 302, 303, 307, 308};
    struct fixture f;
    char script[200];
    setup(&f);
    f.target.key = STR("canary");
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        (void)snprintf(
            script, sizeof script,
            "HTTP/1.1 %d X\r\nLocation: http://127.0.0.1:%u/\r\nContent-Length: 0\r\n\r\n",
            statuses[i], (unsigned)f.other.port);
        fetch_script(&f, script);
        assert_int_equal(f.call.status, statuses[i]);
        assert_int_equal(f.call.error.code, ERR_OK);
    }
    run_turns(f.loop, 5);
    assert_int_equal(f.other.n_connections, 0);
    teardown(&f);
}

static void head_says_where_to_and_when(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    fetch_script(&f, "HTTP/1.1 301 X\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nLocation: /new/x\r\n"
                     "Content-Length: 0\r\n\r\n");
    assert_string_equal(f.call.location, "/new/x");
    assert_int_equal(f.call.date_s, 784111777);
    fetch_script(&f, OK_SCRIPT);
    assert_string_equal(f.call.location, "");
    assert_int_equal(f.call.date_s, 0);
    fetch_script(&f, "HTTP/1.1 200 OK\r\nDate: yesterday\r\nContent-Length: 0\r\n\r\n");
    assert_int_equal(f.call.date_s, 0);
    teardown(&f);
}

static void netrc_is_not_looked_at(void **state)
{
    (void)state;
    struct fixture f;
    char dir[] = "/tmp/http_test_XXXXXX", path[64];
    setup(&f);
    assert_non_null(mkdtemp(dir));
    (void)snprintf(path, sizeof path, "%s/.netrc", dir);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs("machine 127.0.0.1 login canary password canary\n", file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(setenv("HOME", dir, 1), 0);
    fetch(&f);
    assert_false(server_got(&f.server, "Authorization"));
    unlink(path);
    rmdir(dir);
    teardown(&f);
}

static void proxies_of_the_environment_are_not_asked_for_loopback(void **state)
{
    (void)state;
    struct fixture f;
    char proxy[64];
    setup(&f);
    (void)snprintf(proxy, sizeof proxy, "http://127.0.0.1:%u", (unsigned)f.other.port);
    assert_int_equal(setenv("http_proxy", proxy, 1), 0);
    assert_int_equal(setenv("ALL_PROXY", proxy, 1), 0);
    f.target.proxy = str_from(proxy);
    fetch(&f);
    assert_int_equal(f.call.status, 200);
    assert_int_equal(f.other.n_connections, 0);
    unsetenv("http_proxy");
    unsetenv("ALL_PROXY");
    teardown(&f);
}

static void headers_with_line_breaks_are_refused_unsent(void **state)
{
    (void)state;
    static const str bad[] = {{"X-A: b\r\nX-C: d", 14},
                              {"X-A: b\nX", 8},
                              {"X-A", 3},
                              {"X-A: ", 5},
                              {": b", 3},
                              {"X A: b", 6},
                              {"X-A: b\0c", 8},
                              {"Content-Length: 3", 17},
                              {"accept-encoding: gzip", 21}};
    struct fixture f;
    setup(&f);
    f.target.headers = f.headers;
    f.target.n_headers = 1;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        f.headers[0] = bad[i];
        fetch(&f);
        assert_int_equal(f.call.error.code, ERR_INVALID);
    }
    f.target.n_headers = 0;
    f.target.key = STR("key\r\nX-Injected: 1");
    fetch(&f);
    assert_int_equal(f.call.error.code, ERR_INVALID);
    assert_null(strstr(f.call.error.msg, "Injected"));
    assert_int_equal(f.server.n_connections, 0);
    teardown(&f);
}

static void plain_http_stays_in_this_network(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    f.target.is_loopback_only = false;
    f.target.origin = STR("http://93.184.216.34:80");
    fetch(&f);
    assert_int_equal(f.call.error.code, ERR_REJECTED);
    assert_non_null(strstr(f.call.error.msg, "https"));
    teardown(&f);
}

static void loopback_only_is_decided_by_the_address(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    f.target.origin = STR("http://10.255.255.1:80");
    fetch(&f);
    assert_int_equal(f.call.error.code, ERR_REJECTED);
    assert_non_null(strstr(f.call.error.msg, "only this machine"));
    f.target.origin = STR("https://93.184.216.34:443");
    fetch(&f);
    assert_int_equal(f.call.error.code, ERR_REJECTED);
    teardown(&f);
}

#ifdef __linux__ /* elsewhere libraries don't look names up in the program */

static const char *box_is_at[2]; /* what box.local resolves to; NULL: nothing more */

typedef int ask_fn(const char *, const char *, const struct addrinfo *, struct addrinfo **);

/* In the place of the C library's, for libcurl, too. */
int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                struct addrinfo **out)
{
    ask_fn *ask;
    *(void **)&ask = dlsym(RTLD_NEXT, "getaddrinfo");
    if (!name || strcmp(name, "box.local") != 0) {
        return ask(name, service, hints, out);
    }
    int err = ask(box_is_at[0], service, hints, out);
    struct addrinfo *last = err == 0 ? *out : NULL;
    while (last && last->ai_next) {
        last = last->ai_next;
    }
    return last && box_is_at[1] ? ask(box_is_at[1], service, hints, &last->ai_next) : err;
}

/* Names are looked up once in a while: one more key is one more identity, which does so at once. */
static void fetch_from_box(struct fixture *f, const char *first, const char *second,
                           const char *key)
{
    box_is_at[0] = first;
    box_is_at[1] = second;
    f->target.key = str_from(key);
    fetch(f);
}

static void name_that_moves_is_judged_by_where_it_leads_now(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    (void)snprintf(f.origin, sizeof f.origin, "http://box.local:%u", (unsigned)f.server.port);
    f.target.origin = str_from(f.origin);
    f.target.is_loopback_only = false;
    fetch_from_box(&f, "127.0.0.1", NULL, "a");
    assert_int_equal(f.call.error.code, ERR_OK);
    uint64_t n_opened = http_stats(f.http).n_opened;
    fetch_from_box(&f, "93.184.216.34", NULL, "b");
    assert_int_equal(f.call.error.code, ERR_REJECTED);
    assert_non_null(strstr(f.call.error.msg, "leads out of this network"));
    fetch_from_box(&f, "::ffff:93.184.216.34", "2606:2800:220:1::1", "c");
    assert_int_equal(f.call.error.code, ERR_REJECTED);
    assert_int_equal(http_stats(f.http).n_opened, n_opened); /* not a packet */
    fetch_from_box(&f, "93.184.216.34", "127.0.0.1", "d");   /* of two the one that may be asked */
    assert_int_equal(f.call.error.code, ERR_OK);
    fetch_from_box(&f, "93.184.216.34", NULL, "a"); /* its connection leads where it led */
    assert_int_equal(f.call.error.code, ERR_OK);
    assert_int_equal(f.server.n_requests, 3);
    f.target.is_loopback_only = true;
    fetch_from_box(&f, "192.168.7.7", NULL, "e");
    assert_int_equal(f.call.error.code, ERR_REJECTED);
    assert_non_null(strstr(f.call.error.msg, "only this machine"));
    assert_int_equal(http_stats(f.http).n_opened, n_opened + 1);
    teardown(&f);
}

#endif

/* -- how answers end -- */

static void nobody_listening_is_said_plainly(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    server_stop(&f.server);
    uint64_t from_us = clock_now_us();
    fetch(&f);
    assert_true(clock_now_us() - from_us < SEC_TO_US(1));
    assert_int_equal(f.call.error.code, ERR_CONNECT);
    assert_non_null(strstr(f.call.error.msg, "nothing listens on 127.0.0.1:"));
    assert_int_equal(f.call.error.cause, CAUSE_NOTHING_LISTENS);
    teardown(&f);
}

static void connecting_takes_no_longer_than_told(void **state)
{
    (void)state;
    struct fixture f;
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof address;
    int fillers[8];
    setup(&f);
    /* A full backlog drops what knocks. */
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int full = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(full, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(full, 0), 0);
    assert_int_equal(getsockname(full, (struct sockaddr *)&address, &len), 0);
    for (size_t i = 0; i < 8; i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)connect(fillers[i], (struct sockaddr *)&address, sizeof address);
    }
    (void)snprintf(f.origin, sizeof f.origin, "http://127.0.0.1:%u",
                   (unsigned)ntohs(address.sin_port));
    f.target.origin = str_from(f.origin);
    f.target.connect_timeout_ms = 50;
    uint64_t from_us = clock_now_us();
    fetch(&f);
    uint64_t took_us = clock_now_us() - from_us;
    assert_int_equal(f.call.error.code, ERR_CONNECT);
    assert_in_range(took_us, MS_TO_US(40), SEC_TO_US(1));
    for (size_t i = 0; i < 8; i++) {
        close(fillers[i]);
    }
    close(full);
    teardown(&f);
}

static void broken_answers_are_told_from_missing_ones(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    f.must_close = true;
    fetch_script(&f, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n123");
    assert_int_equal(f.call.error.code, ERR_PROTOCOL);
    assert_string_equal(buf_cstr(&f.call.body), "123");
    fetch_script(&f, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
    assert_int_equal(f.call.error.code, ERR_PROTOCOL);
    fetch_script(&f, "");
    assert_int_equal(f.call.error.code, ERR_CONNECT);
    fetch_script(&f, "nonsense\r\n\r\n");
    assert_int_equal(f.call.error.code, ERR_PROTOCOL);
    fetch_script(&f, "HTTP/1.0 200 OK\r\n\r\nuntil the end");
    assert_int_equal(f.call.error.code, ERR_OK);
    assert_string_equal(buf_cstr(&f.call.body), "until the end");
    f.must_close = false;
    f.must_reset = true;
    fetch_script(&f, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
    assert_int_equal(f.call.error.code, ERR_PROTOCOL);
    fetch_script(&f, "");
    assert_int_equal(f.call.error.code, ERR_CONNECT);
    teardown(&f);
}

static void interim_answers_are_skipped(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    fetch_script(&f, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nX: y\r\n\r\n" OK_SCRIPT);
    assert_int_equal(f.call.status, 200);
    assert_int_equal(f.call.n_status, 1);
    assert_string_equal(buf_cstr(&f.call.body), "{}");
    teardown(&f);
}

static void bodies_are_capped(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    f.script = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
               "a\r\n0123456789\r\na\r\n0123456789\r\n";
    start_capped(&f, &f.call, NULL, 19);
    wait_for(f.loop, &f.call.is_done);
    assert_int_equal(f.call.error.code, ERR_TOO_LARGE);
    f.script = "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n01234567890123456789";
    start_capped(&f, &f.call, NULL, 20);
    wait_for(f.loop, &f.call.is_done);
    assert_int_equal(f.call.error.code, ERR_OK);
    assert_int_equal(f.call.body.len, 20);
    teardown(&f);
}

static void headers_are_capped(void **state)
{
    (void)state;
    struct fixture f;
    struct buf script;
    setup(&f);
    buf_init(&script, 1u << 20);
    buf_append(&script, STR("HTTP/1.1 200 OK\r\n"));
    for (int i = 0; i < 8000; i++) {
        buf_appendf(&script, "X-%d: aaaaaaaaaa\r\n", i);
    }
    buf_append(&script, STR("\r\n"));
    fetch_script(&f, buf_cstr(&script));
    assert_int_equal(f.call.error.code, ERR_TOO_LARGE);
    assert_int_equal(f.call.n_status, 0);
    buf_release(&script);
    teardown(&f);
}

static void encodings_that_nobody_asked_for_stay_raw(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    fetch_script(&f, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nrawb");
    assert_int_equal(f.call.error.code, ERR_OK);
    assert_string_equal(buf_cstr(&f.call.body), "rawb");
    teardown(&f);
}

static void https_to_a_plain_server_fails(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    f.must_close = true;
    (void)snprintf(f.origin, sizeof f.origin, "https://127.0.0.1:%u", (unsigned)f.server.port);
    f.target.origin = str_from(f.origin);
    start(&f, &f.call);
    for (uint64_t until_us = clock_now_us() + SEC_TO_US(5);
         f.server.n_connections == 0 && clock_now_us() < until_us;) {
        run_turns(f.loop, 1);
    }
    server_send(&f.server.connections[0], "HTTP/1.1 400 Bad\r\n\r\n");
    wait_for(f.loop, &f.call.is_done);
    assert_int_equal(f.call.error.code, ERR_CONNECT);
    assert_non_null(strstr(f.call.error.msg, "https"));
    assert_int_equal(f.call.error.cause, CAUSE_NO_TLS);
    teardown(&f);
}

/* -- cancelling -- */

static bool is_requested(void *user)
{
    return ((struct fixture *)user)->server.n_requests > 0;
}

static bool is_closed(void *user)
{
    return ((struct fixture *)user)->server.connections[0].is_closed;
}

static void cancel_closes_the_socket_at_once(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    f.must_stay_silent = true;
    start(&f, &f.call);
    assert_true(run_until(f.loop, is_requested, &f));
    uint64_t from_us = clock_now_us();
    http_cancel(f.http, f.call.id);
    assert_int_equal(http_active(f.http), 0);
    assert_true(run_until(f.loop, is_closed, &f));
    assert_in_range(f.server.connections[0].closed_us - from_us, 0, MS_TO_US(10));
    assert_int_equal(f.call.n_done, 0);
    http_cancel(f.http, f.call.id);
    http_cancel(f.http, 12345);
    teardown(&f);
}

static void cancel_in_the_middle_of_a_stream_closes_the_socket(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    f.script = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n";
    f.call.must_cancel = true;
    start(&f, &f.call);
    wait_for(f.loop, &f.call.is_done);
    assert_string_equal(buf_cstr(&f.call.body), "abc");
    assert_true(run_until(f.loop, is_closed, &f));
    assert_in_range(f.server.connections[0].closed_us - f.call.cancelled_us, 0, MS_TO_US(10));
    run_turns(f.loop, 3);
    assert_int_equal(f.call.n_done, 0);
    teardown(&f);
}

static void cancel_of_a_refused_transfer_keeps_it_silent(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    f.target.key = STR("a\nb");
    start(&f, &f.call);
    http_cancel(f.http, f.call.id);
    run_turns(f.loop, 3);
    assert_int_equal(f.call.n_done, 0);
    teardown(&f);
}

static void destroy_cancels_what_runs(void **state)
{
    (void)state;
    struct fixture f;
    struct call second = {0};
    setup(&f);
    f.must_stay_silent = true;
    start(&f, &f.call);
    start(&f, &second);
    assert_int_equal(http_active(f.http), 2);
    assert_true(run_until(f.loop, is_requested, &f));
    buf_release(&second.body);
    teardown(&f);
    assert_int_equal(f.call.n_done, 0);
    assert_int_equal(second.n_done, 0);
}

struct chain { /* starts the next transfer from inside the end of the one before */
    struct fixture *f;
    int n_left;
    bool is_done;
};

static void chain_start(struct chain *chain);

static void on_chain_status(int status, str content_type, void *user)
{
    (void)status;
    (void)content_type;
    (void)user;
}

static void on_chain_bytes(str bytes, void *user)
{
    (void)bytes;
    (void)user;
}

static void on_chain_done(const struct error *error, void *user)
{
    struct chain *chain = user;
    assert_null(error);
    if (--chain->n_left > 0) {
        chain_start(chain);
    } else {
        chain->is_done = true;
    }
}

static void chain_start(struct chain *chain)
{
    struct http_request request;
    struct http_events events = {on_chain_status, on_chain_bytes, on_chain_done, chain, NULL};
    http_request_init(&request);
    buf_append(&request.path, STR("/"));
    http_start(chain->f->http, &chain->f->target, &request, 1000, &events);
    http_request_release(&request);
}

static void next_may_start_from_inside_the_end(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    struct chain chain = {.f = &f, .n_left = 20};
    chain_start(&chain);
    wait_for(f.loop, &chain.is_done);
    assert_int_equal(f.server.n_connections, 1);
    assert_int_equal(f.server.n_requests, 20);
    teardown(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(get_tells_status_type_and_body),
        cmocka_unit_test(post_sends_json_without_waiting_for_leave),
        cmocka_unit_test(connection_is_kept_for_the_next_request),
        cmocka_unit_test(connection_that_died_meanwhile_is_replaced),
        cmocka_unit_test(identities_never_share_a_connection),
        cmocka_unit_test(connections_are_no_more_than_told),
        cmocka_unit_test(headers_of_the_endpoint_are_sent),
        cmocka_unit_test(redirects_lead_nowhere),
        cmocka_unit_test(head_says_where_to_and_when),
        cmocka_unit_test(netrc_is_not_looked_at),
        cmocka_unit_test(proxies_of_the_environment_are_not_asked_for_loopback),
        cmocka_unit_test(headers_with_line_breaks_are_refused_unsent),
        cmocka_unit_test(plain_http_stays_in_this_network),
        cmocka_unit_test(loopback_only_is_decided_by_the_address),
#ifdef __linux__
        cmocka_unit_test(name_that_moves_is_judged_by_where_it_leads_now),
#endif
        cmocka_unit_test(nobody_listening_is_said_plainly),
        cmocka_unit_test(connecting_takes_no_longer_than_told),
        cmocka_unit_test(broken_answers_are_told_from_missing_ones),
        cmocka_unit_test(interim_answers_are_skipped),
        cmocka_unit_test(bodies_are_capped),
        cmocka_unit_test(headers_are_capped),
        cmocka_unit_test(encodings_that_nobody_asked_for_stay_raw),
        cmocka_unit_test(https_to_a_plain_server_fails),
        cmocka_unit_test(cancel_closes_the_socket_at_once),
        cmocka_unit_test(cancel_in_the_middle_of_a_stream_closes_the_socket),
        cmocka_unit_test(cancel_of_a_refused_transfer_keeps_it_silent),
        cmocka_unit_test(destroy_cancels_what_runs),
        cmocka_unit_test(next_may_start_from_inside_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
