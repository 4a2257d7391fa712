/* upstream_test.c - endpoints and exchanges against a scripted server and a tiny dialect: every
 * byte of an answer is text but '.', which ends it, and '!', which is an error. */
#include "core/upstream/upstream.h"

#include "tests/unit/core/upstream/server.h"

#include <fcntl.h>
#include <sys/stat.h>

/* -- the dialect -- */

static uint16_t ports[3]; /* looked at by the dialects; set by each test */

static void tiny_probe_request(const struct probe *p, struct http_request *out)
{
    buf_append(&out->path, p->step == 0 ? STR("/probe") : STR("/models"));
}

/* "/probe" says "tiny" and "/models" one model's name. */
static enum probe_state tiny_probe_reply(struct probe *p, int status, str body)
{
    p->step++;
    if (status == 503) {
        p->loading = 0.5;
        return PROBE_LOADING;
    }
    if (status == 401) {
        return PROBE_REFUSED;
    }
    if (status != 200) {
        return PROBE_FOREIGN;
    }
    if (p->step == 1) {
        return str_eq(body, STR("tiny")) ? PROBE_MORE : PROBE_FOREIGN;
    }
    p->models = arena_alloc(p->arena, sizeof *p->models);
    p->models[0] = (struct model_info){.id = arena_dup(p->arena, body), .abilities = MODEL_INFILL};
    p->n_models = 1;
    p->version = arena_dup(p->arena, STR("1.0"));
    return PROBE_READY;
}

static void other_probe_request(const struct probe *p, struct http_request *out)
{
    (void)p;
    buf_append(&out->path, STR("/other"));
}

static enum probe_state other_probe_reply(struct probe *p, int status, str body)
{
    p->step++;
    return status == 200 && str_eq(body, STR("other")) ? PROBE_READY : PROBE_FOREIGN;
}

static enum err tiny_encode(const struct generate *g, struct http_request *out, struct error *why)
{
    if (g->shape != GENERATE_INFILL) {
        return error_set(why, ERR_REJECTED, "the tiny dialect only fills in");
    }
    out->is_post = true;
    buf_append(&out->path, STR("/fill"));
    buf_append(&out->body, g->prefix);
    return ERR_OK;
}

static int n_begun, n_finished;

static void tiny_decode_begin(struct decoder *d)
{
    d->is_over = false;
    n_begun++;
}

static void tiny_decode(struct decoder *d, str bytes)
{
    for (size_t i = 0; i < bytes.len && !d->is_over; i++) {
        if (bytes.ptr[i] == '.') {
            struct generate_end end = {.reason = FINISH_STOP, .n_tokens = 3, .n_prompt_tokens = 7};
            d->is_over = true;
            d->sink.on_end(&end, d->sink.user);
        } else if (bytes.ptr[i] == '!') {
            struct error error;
            error_set(&error, ERR_PROTOCOL, "the tiny server shouted");
            d->is_over = true;
            d->sink.on_error(&error, d->sink.user);
        } else {
            d->sink.on_text(str_of(bytes.ptr + i, 1), d->sink.user);
        }
    }
}

static void tiny_decode_finish(struct decoder *d, bool is_aborted)
{
    n_finished++;
    if (!d->is_over && !is_aborted) {
        struct generate_end end = {.reason = FINISH_NONE, .n_tokens = -1};
        d->sink.on_end(&end, d->sink.user);
    }
}

static void tiny_explain(int status, str body, struct error *out)
{
    enum err code = status == 503 ? ERR_LOADING : status == 401 ? ERR_AUTH : ERR_STATUS;
    error_set(out, code, "tiny: " STR_FMT, STR_ARG(body));
}

static const struct provider_ops tiny_ops = {.kind = "tiny",
                                             .abilities = MODEL_INFILL,
                                             .ports = ports,
                                             .max_stops = SIZE_MAX,
                                             .probe_request = tiny_probe_request,
                                             .probe_reply = tiny_probe_reply,
                                             .encode = tiny_encode,
                                             .decode_begin = tiny_decode_begin,
                                             .decode = tiny_decode,
                                             .decode_finish = tiny_decode_finish,
                                             .explain = tiny_explain};
static const struct provider_ops other_ops = {.kind = "other",
                                              .ports = ports,
                                              .probe_request = other_probe_request,
                                              .probe_reply = other_probe_reply,
                                              .encode = tiny_encode,
                                              .decode_begin = tiny_decode_begin,
                                              .decode = tiny_decode,
                                              .decode_finish = tiny_decode_finish,
                                              .explain = tiny_explain};
static const struct provider_ops embedded_ops = {.kind = "embedded",
                                                 .capabilities = PROVIDER_IN_PROCESS};
static const struct provider_ops *const providers[] = {&tiny_ops, &other_ops, &embedded_ops, NULL};

/* -- the server and the fixture -- */

struct call {
    struct fixture *f;
    uint64_t id;
    struct buf text;
    int n_done;
    bool is_done, has_failed, is_started, must_cancel, is_cancelled;
    struct error error;
    struct generate_end end;
    double confidence;
};

struct fixture {
    struct loop *loop;
    struct upstream *upstream;
    struct predictor *predictor;
    struct server server;
    char url[64];
    struct endpoint_settings endpoint;
    struct settings settings;
    int probe_status, fill_status;
    const char *probe_body, *fill_type, *fill_body; /* fill_body NULL: silence */
    const char *raw;                                /* instead of a whole answer */
    size_t n_probes, n_fills;
    int n_changes;
    bool is_inside; /* a call that must not call back */
    struct call call;
};

static void on_request(struct server_connection *c, str request, void *user)
{
    struct fixture *f = user;
    if (str_find(request, STR(" /fill"), 0) != SIZE_MAX) {
        f->n_fills++;
        if (f->raw) {
            server_send(c, f->raw);
        } else if (f->fill_body) {
            server_reply(c, f->fill_status, f->fill_type, f->fill_body);
        }
    } else if (str_find(request, STR(" /models"), 0) != SIZE_MAX) {
        server_reply(c, 200, "application/json", "m1");
    } else if (str_find(request, STR(" /other"), 0) != SIZE_MAX) {
        bool is_other = strcmp(f->probe_body, "other") == 0;
        server_reply(c, is_other ? 200 : 404, "application/json", f->probe_body);
    } else {
        f->n_probes++;
        server_reply(c, f->probe_status, "application/json", f->probe_body);
    }
}

static void on_change(void *user)
{
    struct fixture *f = user;
    assert_false(f->is_inside);
    f->n_changes++;
}

static void setup(struct fixture *f)
{
    *f = (struct fixture){.loop = loop_create(),
                          .probe_status = 200,
                          .probe_body = "tiny",
                          .fill_status = 200,
                          .fill_type = "application/x-ndjson",
                          .fill_body = "hi."};
    n_begun = n_finished = 0;
    ports[0] = ports[1] = 0;
    server_start(&f->server, f->loop, 0, on_request, f);
    (void)snprintf(f->url, sizeof f->url, "http://127.0.0.1:%u", (unsigned)f->server.port);
    f->endpoint = (struct endpoint_settings){
        .name = STR("mine"), .kind = STR("tiny"), .url = str_from(f->url)};
    f->settings = (struct settings){.endpoints = &f->endpoint, .n_endpoints = 1};
    struct predictor_options predictor_options = PREDICTOR_OPTIONS_INIT;
    f->predictor = predictor_create(f->loop, &predictor_options);
    struct upstream_options options = {providers, f->predictor, on_change, f};
    f->upstream = upstream_create(f->loop, &options);
}

static void teardown(struct fixture *f)
{
    buf_release(&f->call.text);
    upstream_destroy(f->upstream);
    predictor_destroy(f->predictor);
    server_stop(&f->server);
    loop_destroy(f->loop);
    assert_int_equal(n_begun, n_finished);
}

static void configure(struct fixture *f)
{
    f->is_inside = true;
    upstream_configure(f->upstream, &f->settings);
    f->is_inside = false;
}

static bool is_settled(void *user)
{
    return upstream_is_settled(((struct fixture *)user)->upstream);
}

static void settle(struct fixture *f)
{
    f->is_inside = true;
    upstream_probe(f->upstream);
    f->is_inside = false;
    assert_true(run_until(f->loop, is_settled, f));
}

static const struct endpoint *first(struct fixture *f)
{
    return upstream_endpoint(f->upstream, 0);
}

static bool is_ready(void *user)
{
    return first(user)->state == ENDPOINT_READY;
}

static bool is_down(void *user)
{
    return first(user)->state == ENDPOINT_DOWN;
}

static void setup_ready(struct fixture *f)
{
    setup(f);
    configure(f);
    settle(f);
    assert_int_equal(first(f)->state, ENDPOINT_READY);
}

static void on_text(uint64_t exchange, str utf8, void *user)
{
    struct call *call = user;
    assert_true(call->is_started);
    assert_int_equal(exchange, call->id);
    assert_int_equal(call->n_done, 0);
    assert_false(call->is_cancelled);
    buf_append(&call->text, utf8);
    if (call->must_cancel) {
        call->is_cancelled = true;
        exchange_cancel(call->f->upstream, call->id);
    }
}

static void on_done(uint64_t exchange, const struct generate_end *end, double confidence,
                    const struct error *error, void *user)
{
    struct call *call = user;
    assert_true(call->is_started);
    assert_int_equal(exchange, call->id);
    assert_false(call->is_cancelled);
    assert_true((end == NULL) == (error != NULL));
    call->n_done++;
    call->is_done = true;
    call->has_failed = error != NULL;
    call->error = error ? *error : (struct error){0};
    call->end = end ? *end : (struct generate_end){0};
    call->confidence = confidence;
}

static void start_at(struct fixture *f, uint64_t endpoint, enum generate_shape shape,
                     uint64_t first_token_us, uint64_t total_us)
{
    struct prediction_place place = {.before = STR("alpha beta\nalpha "), .max_lines = 1};
    struct exchange_spec spec = {.endpoint = endpoint,
                                 .generate = {.shape = shape, .prefix = STR("int x")},
                                 .place = &place,
                                 .first_token_us = first_token_us,
                                 .total_us = total_us};
    struct exchange_sink sink = {on_text, on_done, &f->call};
    bool must_cancel = f->call.must_cancel;
    buf_release(&f->call.text);
    f->call = (struct call){.f = f, .must_cancel = must_cancel};
    buf_init(&f->call.text, 1u << 20);
    f->call.id = exchange_start(f->upstream, &spec, &sink);
    assert_int_not_equal(f->call.id, 0);
    f->call.is_started = true;
}

static void start(struct fixture *f)
{
    start_at(f, first(f)->id, GENERATE_INFILL, CLOCK_NEVER, CLOCK_NEVER);
}

static void exchange(struct fixture *f)
{
    start(f);
    wait_for(f->loop, &f->call.is_done);
    assert_int_equal(f->call.n_done, 1);
}

static void on_turn(void *user)
{
    loop_stop(user);
}

static void run_turns(struct loop *loop, int n)
{
    for (int i = 0; i < n; i++) {
        loop_post(loop, on_turn, loop);
        loop_run(loop);
    }
}

/* -- endpoints -- */

static void nothing_touches_the_network_before_the_first_probe(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    configure(&f);
    run_turns(f.loop, 5);
    assert_int_equal(first(&f)->state, ENDPOINT_UNKNOWN);
    assert_false(upstream_is_settled(f.upstream));
    assert_int_equal(f.server.n_connections, 0);
    assert_int_equal(f.n_changes, 1);
    teardown(&f);
}

static void configured_endpoint_becomes_ready_with_its_models(void **state)
{
    (void)state;
    struct fixture f;
    str own[] = {STR("m1"), STR("m2")};
    setup(&f);
    f.endpoint.models = own;
    f.endpoint.n_models = 2;
    configure(&f);
    settle(&f);
    const struct endpoint *e = first(&f);
    assert_int_equal(upstream_count(f.upstream), 2);
    assert_int_equal(e->state, ENDPOINT_READY);
    assert_int_equal(e->tier, TIER_LOOPBACK);
    assert_false(e->is_discovered);
    assert_true(str_eq(e->name, STR("mine")));
    assert_true(str_eq(e->version, STR("1.0")));
    assert_int_equal(e->n_models, 2);
    assert_true(str_eq(e->models[0].id, STR("m1")));
    assert_true(str_eq(e->models[1].id, STR("m2")));
    assert_ptr_equal(upstream_find(f.upstream, e->id), e);
    const struct endpoint *last = upstream_endpoint(f.upstream, 1);
    assert_true(str_eq(last->name, STR("embedded")));
    assert_int_equal(last->state, ENDPOINT_READY);
    assert_null(upstream_endpoint(f.upstream, 2));
    assert_null(upstream_find(f.upstream, 999));
    teardown(&f);
}

static void endpoint_that_loads_is_asked_again_until_ready(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    f.probe_status = 503;
    configure(&f);
    settle(&f);
    assert_int_equal(first(&f)->state, ENDPOINT_LOADING);
    assert_true(first(&f)->loading == 0.5);
    f.probe_status = 200;
    assert_true(run_until(f.loop, is_ready, &f));
    assert_true(first(&f)->loading < 0);
    teardown(&f);
}

static void endpoint_that_nobody_serves_is_down_and_not_hammered(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    configure(&f);
    server_stop(&f.server);
    settle(&f);
    const struct endpoint *e = first(&f);
    assert_int_equal(e->state, ENDPOINT_DOWN);
    assert_int_equal(e->error.code, ERR_CONNECT);
    assert_in_range(e->next_probe_us - clock_now_us(), SEC_TO_US(3), SEC_TO_US(7));
    uint64_t next_us = e->next_probe_us;
    upstream_probe(f.upstream); /* less than two seconds later: nothing happens */
    run_turns(f.loop, 5);
    assert_int_equal(first(&f)->next_probe_us, next_us);
    teardown(&f);
}

static void strangers_and_refusals_are_told_apart(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    f.probe_body = "<html>";
    configure(&f);
    settle(&f);
    assert_int_equal(first(&f)->state, ENDPOINT_DOWN);
    assert_int_equal(first(&f)->error.code, ERR_PROTOCOL);
    f.probe_status = 401;
    f.endpoint.name = STR("again");
    configure(&f);
    settle(&f);
    assert_int_equal(first(&f)->state, ENDPOINT_BLOCKED);
    assert_int_equal(first(&f)->error.code, ERR_AUTH);
    assert_true(first(&f)->next_probe_us == CLOCK_NEVER);
    teardown(&f);
}

static void consent_and_bad_urls_block_without_a_byte(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    f.endpoint.needs_consent = true;
    configure(&f);
    settle(&f);
    assert_int_equal(first(&f)->state, ENDPOINT_BLOCKED);
    assert_non_null(strstr(first(&f)->error.msg, "consent"));
    exchange(&f);
    assert_int_equal(f.call.error.code, ERR_REJECTED);
    assert_int_equal(f.server.n_connections, 0);
    f.endpoint = (struct endpoint_settings){
        .name = STR("bad"), .kind = STR("tiny"), .url = STR("http://u:p@h")};
    configure(&f);
    settle(&f);
    assert_int_equal(first(&f)->state, ENDPOINT_BLOCKED);
    assert_int_equal(first(&f)->error.code, ERR_INVALID);
    teardown(&f);
}

static void servers_on_known_ports_are_found_and_named(void **state)
{
    (void)state;
    struct fixture f, g;
    char name[32];
    setup(&g); /* only its server is used, as a second one of the same kind */
    setup(&f);
    ports[0] = f.server.port;
    ports[1] = g.server.port;
    f.settings.n_endpoints = 0;
    configure(&f);
    assert_int_equal(upstream_count(f.upstream), 1);
    upstream_probe(f.upstream);
    for (uint64_t until_us = clock_now_us() + SEC_TO_US(5);
         !upstream_is_settled(f.upstream) && clock_now_us() < until_us;) {
        run_turns(f.loop, 1);
        run_turns(g.loop, 1);
    }
    assert_int_equal(upstream_count(f.upstream), 3);
    (void)snprintf(name, sizeof name, "tiny-%u", (unsigned)g.server.port);
    if (str_eq(first(&f)->name, STR("tiny"))) {
        assert_true(str_eq(upstream_endpoint(f.upstream, 1)->name, str_from(name)));
    } else {
        assert_true(str_eq(upstream_endpoint(f.upstream, 1)->name, STR("tiny")));
    }
    assert_true(first(&f)->is_discovered);
    assert_true(str_eq(upstream_endpoint(f.upstream, 2)->name, STR("embedded")));
    teardown(&f);
    teardown(&g);
}

static void each_dialect_of_a_port_is_tried(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    ports[0] = f.server.port;
    f.settings.n_endpoints = 0;
    f.probe_body = "other";
    configure(&f);
    settle(&f);
    assert_int_equal(upstream_count(f.upstream), 2);
    assert_true(str_eq(first(&f)->name, STR("other")));
    teardown(&f);
}

static void ports_where_nothing_known_answers_stay_hidden(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    ports[0] = f.server.port;
    f.settings.n_endpoints = 0;
    f.probe_body = "a web page";
    configure(&f);
    settle(&f);
    assert_int_equal(upstream_count(f.upstream), 1);
    assert_true(str_eq(first(&f)->name, STR("embedded")));
    teardown(&f);
}

static void endpoints_that_stay_the_same_keep_their_state(void **state)
{
    (void)state;
    struct fixture f;
    setup_ready(&f);
    uint64_t id = first(&f)->id;
    size_t n_probes = f.n_probes;
    configure(&f);
    assert_int_equal(first(&f)->id, id);
    assert_int_equal(first(&f)->state, ENDPOINT_READY);
    run_turns(f.loop, 3);
    assert_int_equal(f.n_probes, n_probes);
    f.fill_body = NULL;
    start(&f);
    f.endpoint.name = STR("renamed");
    configure(&f);
    assert_int_equal(f.call.n_done, 0);
    wait_for(f.loop, &f.call.is_done);
    assert_int_equal(f.call.error.code, ERR_REJECTED);
    assert_int_not_equal(first(&f)->id, id);
    assert_null(upstream_find(f.upstream, id));
    teardown(&f);
}

/* -- keys -- */

static void write_key(const char *path, const char *text, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, mode);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

static void key_file_is_read_trimmed_and_must_be_private(void **state)
{
    (void)state;
    struct fixture f;
    char dir[] = "/tmp/upstream_test_XXXXXX", path[64];
    setup(&f);
    assert_non_null(mkdtemp(dir));
    (void)snprintf(path, sizeof path, "%s/key", dir);
    f.endpoint.api_key_file = str_from(path);
    write_key(path, "  canary\n", 0640);
    configure(&f);
    settle(&f);
    assert_int_equal(first(&f)->state, ENDPOINT_BLOCKED);
    assert_non_null(strstr(first(&f)->error.msg, "chmod 600"));
    assert_null(strstr(first(&f)->error.msg, "canary"));
    assert_int_equal(f.server.n_connections, 0);
    write_key(path, "  canary\n", 0600);
    f.endpoint.name = STR("again");
    configure(&f);
    settle(&f);
    assert_int_equal(first(&f)->state, ENDPOINT_READY);
    assert_true(server_got(&f.server, "Authorization: Bearer canary\r\n"));
    unlink(path);
    rmdir(dir);
    teardown(&f);
}

static void key_of_the_environment_must_be_there(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    f.endpoint.api_key_env = STR("UPSTREAM_TEST_KEY");
    unsetenv("UPSTREAM_TEST_KEY");
    configure(&f);
    settle(&f);
    assert_int_equal(first(&f)->state, ENDPOINT_BLOCKED);
    assert_non_null(strstr(first(&f)->error.msg, "UPSTREAM_TEST_KEY"));
    assert_int_equal(setenv("UPSTREAM_TEST_KEY", "from-env", 1), 0);
    f.endpoint.name = STR("again");
    configure(&f);
    settle(&f);
    assert_true(server_got(&f.server, "Authorization: Bearer from-env\r\n"));
    teardown(&f);
}

/* -- exchanges -- */

static void exchange_gives_text_and_one_end(void **state)
{
    (void)state;
    struct fixture f;
    setup_ready(&f);
    exchange(&f);
    assert_false(f.call.has_failed);
    assert_string_equal(buf_cstr(&f.call.text), "hi");
    assert_int_equal(f.call.end.reason, FINISH_STOP);
    assert_true(f.call.confidence == 1);
    assert_true(server_got(&f.server, "\r\n\r\nint x"));
    struct upstream_stats stats = upstream_stats(f.upstream);
    assert_int_equal(stats.n_exchanges, 1);
    assert_int_equal(stats.n_active, 0);
    assert_int_equal(stats.n_tokens, 3);
    assert_int_equal(stats.n_prompt_tokens, 7);
    assert_int_equal(stats.n_bytes_out, 5);
    assert_int_equal(stats.n_bytes_in, 3);
    teardown(&f);
}

static bool has_text(void *user)
{
    return ((struct fixture *)user)->call.text.len > 0;
}

static void end_is_told_before_the_response_is_whole(void **state)
{
    (void)state;
    struct fixture f;
    setup_ready(&f);
    f.raw =
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
        "3\r\nhi.\r\n";
    exchange(&f);
    assert_int_equal(upstream_stats(f.upstream).n_active, 0);
    server_send(&f.server.connections[0], "0\r\n\r\n");
    run_turns(f.loop, 10);
    f.raw = NULL;
    exchange(&f); /* over the same connection */
    assert_int_equal(f.server.n_connections, 1);
    teardown(&f);
}

static bool is_first_closed(void *user)
{
    return ((struct fixture *)user)->server.connections[0].is_closed;
}

static void response_that_never_ends_is_not_waited_for(void **state)
{
    (void)state;
    struct fixture f;
    setup_ready(&f);
    f.raw =
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
        "3\r\nhi.\r\n";
    exchange(&f);
    assert_true(run_until(f.loop, is_first_closed, &f));
    teardown(&f);
}

static void cut_off_answers_say_so(void **state)
{
    (void)state;
    struct fixture f;
    setup_ready(&f);
    f.fill_body = "half";
    exchange(&f);
    assert_false(f.call.has_failed);
    assert_int_equal(f.call.end.reason, FINISH_NONE);
    f.fill_body = "ab!cd";
    exchange(&f);
    assert_int_equal(f.call.error.code, ERR_PROTOCOL);
    assert_string_equal(buf_cstr(&f.call.text), "ab");
    assert_int_equal(first(&f)->state, ENDPOINT_READY);
    teardown(&f);
}

static void refusals_are_explained_by_the_dialect(void **state)
{
    (void)state;
    struct fixture f;
    setup_ready(&f);
    f.fill_status = 500;
    f.fill_body = "out of memory";
    exchange(&f);
    assert_int_equal(f.call.error.code, ERR_STATUS);
    assert_int_equal(f.call.error.detail, 500);
    assert_string_equal(f.call.error.msg, "tiny: out of memory");
    f.fill_status = 307;
    exchange(&f);
    assert_int_equal(f.call.error.code, ERR_STATUS);
    assert_non_null(strstr(f.call.error.msg, "settings"));
    assert_int_equal(first(&f)->state, ENDPOINT_READY);
    f.fill_status = 503;
    f.probe_status = 503;
    exchange(&f);
    assert_int_equal(f.call.error.code, ERR_LOADING);
    assert_int_equal(first(&f)->state, ENDPOINT_LOADING);
    f.probe_status = 200;
    assert_true(run_until(f.loop, is_ready, &f));
    f.fill_status = 401;
    exchange(&f);
    assert_int_equal(f.call.error.code, ERR_AUTH);
    assert_int_equal(first(&f)->state, ENDPOINT_BLOCKED);
    teardown(&f);
}

static void web_pages_are_no_answers(void **state)
{
    (void)state;
    struct fixture f;
    setup_ready(&f);
    f.fill_type = "text/html; charset=utf-8";
    exchange(&f);
    assert_int_equal(f.call.error.code, ERR_PROTOCOL);
    assert_non_null(strstr(f.call.error.msg, "text/html"));
    assert_int_equal(f.call.text.len, 0);
    teardown(&f);
}

static void shape_that_cannot_be_sent_fails_in_a_later_turn(void **state)
{
    (void)state;
    struct fixture f;
    setup_ready(&f);
    start_at(&f, first(&f)->id, GENERATE_CHAT, CLOCK_NEVER, CLOCK_NEVER);
    wait_for(f.loop, &f.call.is_done);
    assert_int_equal(f.call.error.code, ERR_REJECTED);
    start_at(&f, 4711, GENERATE_INFILL, CLOCK_NEVER, CLOCK_NEVER);
    wait_for(f.loop, &f.call.is_done);
    assert_int_equal(f.call.error.code, ERR_NOT_FOUND);
    teardown(&f);
}

static void broken_connection_takes_the_endpoint_down_and_looks_again(void **state)
{
    (void)state;
    struct fixture f;
    setup_ready(&f);
    uint16_t port = f.server.port;
    server_stop(&f.server);
    exchange(&f);
    assert_int_equal(f.call.error.code, ERR_CONNECT);
    assert_true(run_until(f.loop, is_down, &f));
    assert_in_range(first(&f)->next_probe_us, 0, clock_now_us() + SEC_TO_US(1));
    server_start(&f.server, f.loop, port, on_request, &f);
    assert_true(run_until(f.loop, is_ready, &f));
    teardown(&f);
}

static void deadlines_end_with_timeout(void **state)
{
    (void)state;
    struct fixture f;
    setup_ready(&f);
    f.fill_body = NULL;
    uint64_t now_us = clock_now_us();
    start_at(&f, first(&f)->id, GENERATE_INFILL, now_us + MS_TO_US(30), CLOCK_NEVER);
    wait_for(f.loop, &f.call.is_done);
    assert_int_equal(f.call.error.code, ERR_TIMEOUT);
    assert_true(clock_now_us() - now_us >= MS_TO_US(30));
    /* text has come: only the whole is bounded now */
    f.raw = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\nhi";
    now_us = clock_now_us();
    start_at(&f, first(&f)->id, GENERATE_INFILL, now_us + SEC_TO_US(4), now_us + MS_TO_US(60));
    assert_true(run_until(f.loop, has_text, &f));
    wait_for(f.loop, &f.call.is_done);
    assert_int_equal(f.call.error.code, ERR_TIMEOUT);
    assert_true(clock_now_us() - now_us >= MS_TO_US(60));
    assert_int_equal(first(&f)->state, ENDPOINT_READY);
    teardown(&f);
}

static bool is_filled(void *user)
{
    return ((struct fixture *)user)->n_fills > 0;
}

static void cancel_is_silent_and_closes(void **state)
{
    (void)state;
    struct fixture f;
    setup_ready(&f);
    f.fill_body = NULL;
    start(&f);
    assert_true(run_until(f.loop, is_filled, &f));
    exchange_cancel(f.upstream, f.call.id);
    exchange_cancel(f.upstream, f.call.id);
    exchange_cancel(f.upstream, 4711);
    assert_true(run_until(f.loop, is_first_closed, &f));
    assert_int_equal(f.call.n_done, 0);
    assert_int_equal(upstream_stats(f.upstream).n_active, 0);
    assert_int_equal(upstream_stats(f.upstream).n_cancelled, 1);
    teardown(&f);
}

static bool is_cancelled(void *user)
{
    return ((struct fixture *)user)->call.is_cancelled;
}

static void cancel_from_inside_text_is_the_last_that_is_heard(void **state)
{
    (void)state;
    struct fixture f;
    setup_ready(&f);
    f.fill_body = "abc.";
    f.call.must_cancel = true;
    start(&f);
    assert_true(run_until(f.loop, is_cancelled, &f));
    run_turns(f.loop, 5);
    assert_string_equal(buf_cstr(&f.call.text), "a");
    assert_int_equal(f.call.n_done, 0);
    teardown(&f);
}

static void predictor_answers_in_a_later_turn(void **state)
{
    (void)state;
    struct fixture f;
    setup_ready(&f);
    start_at(&f, upstream_endpoint(f.upstream, 1)->id, GENERATE_INFILL, CLOCK_NEVER, CLOCK_NEVER);
    assert_int_equal(f.call.n_done, 0);
    wait_for(f.loop, &f.call.is_done);
    assert_false(f.call.has_failed);
    assert_true(f.call.confidence >= 0 && f.call.confidence <= 1);
    assert_int_equal(f.n_fills, 0);
    start_at(&f, upstream_endpoint(f.upstream, 1)->id, GENERATE_INFILL, CLOCK_NEVER, CLOCK_NEVER);
    exchange_cancel(f.upstream, f.call.id);
    run_turns(f.loop, 3);
    assert_int_equal(f.call.n_done, 0);
    teardown(&f);
}

static void destroy_silences_what_flies(void **state)
{
    (void)state;
    struct fixture f;
    setup_ready(&f);
    f.raw = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\nhi";
    start(&f);
    assert_true(run_until(f.loop, has_text, &f));
    teardown(&f);
    assert_int_equal(f.call.n_done, 0);
}

/* Every entry's look is under way: stopping one may not touch those that went before. */
static void destroy_stops_looks_that_are_under_way(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    ports[0] = f.server.port;
    f.settings.n_endpoints = 0;
    configure(&f);
    upstream_probe(f.upstream);
    assert_false(upstream_is_settled(f.upstream));
    ports[1] = f.server.port;
    teardown(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_touches_the_network_before_the_first_probe),
        cmocka_unit_test(configured_endpoint_becomes_ready_with_its_models),
        cmocka_unit_test(endpoint_that_loads_is_asked_again_until_ready),
        cmocka_unit_test(endpoint_that_nobody_serves_is_down_and_not_hammered),
        cmocka_unit_test(strangers_and_refusals_are_told_apart),
        cmocka_unit_test(consent_and_bad_urls_block_without_a_byte),
        cmocka_unit_test(servers_on_known_ports_are_found_and_named),
        cmocka_unit_test(each_dialect_of_a_port_is_tried),
        cmocka_unit_test(ports_where_nothing_known_answers_stay_hidden),
        cmocka_unit_test(endpoints_that_stay_the_same_keep_their_state),
        cmocka_unit_test(key_file_is_read_trimmed_and_must_be_private),
        cmocka_unit_test(key_of_the_environment_must_be_there),
        cmocka_unit_test(exchange_gives_text_and_one_end),
        cmocka_unit_test(end_is_told_before_the_response_is_whole),
        cmocka_unit_test(response_that_never_ends_is_not_waited_for),
        cmocka_unit_test(cut_off_answers_say_so),
        cmocka_unit_test(refusals_are_explained_by_the_dialect),
        cmocka_unit_test(web_pages_are_no_answers),
        cmocka_unit_test(shape_that_cannot_be_sent_fails_in_a_later_turn),
        cmocka_unit_test(broken_connection_takes_the_endpoint_down_and_looks_again),
        cmocka_unit_test(deadlines_end_with_timeout),
        cmocka_unit_test(cancel_is_silent_and_closes),
        cmocka_unit_test(cancel_from_inside_text_is_the_last_that_is_heard),
        cmocka_unit_test(predictor_answers_in_a_later_turn),
        cmocka_unit_test(destroy_silences_what_flies),
        cmocka_unit_test(destroy_stops_looks_that_are_under_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
