/* bed.h - an upstream beside a scripted server, for tests.
 *
 * The server speaks a tiny dialect: every byte of an answer is text but '.', which ends it, and
 * '!', which is an error. */
#ifndef CRUCIBLE_TESTS_UPSTREAM_BED_H
#define CRUCIBLE_TESTS_UPSTREAM_BED_H

#include "core/upstream/upstream.h"

#include "tests/unit/core/upstream/server.h"

/* -- the dialect -- */

static uint16_t ports[3]; /* looked at by the dialects; set by each test */

static inline void tiny_probe_request(const struct probe *p, struct http_request *out)
{
    buf_append(&out->path, p->step == 0 ? STR("/probe") : STR("/models"));
}

/* "/probe" says "tiny" and "/models" one model's name. */
static inline enum probe_state tiny_probe_reply(struct probe *p, int status, str body)
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

static inline void other_probe_request(const struct probe *p, struct http_request *out)
{
    (void)p;
    buf_append(&out->path, STR("/other"));
}

static inline enum probe_state other_probe_reply(struct probe *p, int status, str body)
{
    p->step++;
    return status == 200 && str_eq(body, STR("other")) ? PROBE_READY : PROBE_FOREIGN;
}

static inline enum err tiny_encode(const struct generate *g, struct http_request *out,
                                   struct error *why)
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

static inline void tiny_decode_begin(struct decoder *d)
{
    d->is_over = false;
    n_begun++;
}

static inline void tiny_decode(struct decoder *d, str bytes)
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

static inline void tiny_decode_finish(struct decoder *d, bool is_aborted)
{
    n_finished++;
    if (!d->is_over && !is_aborted) {
        struct generate_end end = {.reason = FINISH_NONE, .n_tokens = -1};
        d->sink.on_end(&end, d->sink.user);
    }
}

static inline void tiny_explain(int status, str body, struct error *out)
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
    const char *models_body;
    const char *probe_body, *fill_type, *fill_body; /* fill_body NULL: silence */
    const char *raw;                                /* instead of a whole answer */
    const char *probe_raw;                          /* the same to /probe */
    size_t n_bad;                                   /* fills answered by ... */
    const char *bad_raw;                            /* ... this first; NULL: silence */
    bool is_bad_closed;                             /* ... after which the connection ends */
    enum exchange_kind kind;                        /* of what is started */
    size_t n_probes, n_fills;
    int n_changes;
    bool is_inside; /* a call that must not call back */
    struct call call;
};

static inline void on_request(struct server_connection *c, str request, void *user)
{
    struct fixture *f = user;
    if (str_find(request, STR(" /fill"), 0) != SIZE_MAX) {
        f->n_fills++;
        if (f->n_fills <= f->n_bad) {
            if (f->bad_raw) {
                server_send(c, f->bad_raw);
            }
            if (f->is_bad_closed) {
                server_close(c);
            }
        } else if (f->raw) {
            server_send(c, f->raw);
        } else if (f->fill_body) {
            server_reply(c, f->fill_status, f->fill_type, f->fill_body);
        }
    } else if (str_find(request, STR(" /models"), 0) != SIZE_MAX) {
        server_reply(c, 200, "application/json", f->models_body);
    } else if (str_find(request, STR(" /other"), 0) != SIZE_MAX) {
        bool is_other = strcmp(f->probe_body, "other") == 0;
        server_reply(c, is_other ? 200 : 404, "application/json", f->probe_body);
    } else {
        f->n_probes++;
        if (f->probe_raw) {
            server_send(c, f->probe_raw);
            return;
        }
        server_reply(c, f->probe_status, "application/json", f->probe_body);
    }
}

static inline void on_change(void *user)
{
    struct fixture *f = user;
    assert_false(f->is_inside);
    f->n_changes++;
}

static inline void setup(struct fixture *f)
{
    *f = (struct fixture){.loop = loop_create(),
                          .probe_status = 200,
                          .probe_body = "tiny",
                          .models_body = "m1",
                          .fill_status = 200,
                          .fill_type = "application/x-ndjson",
                          .fill_body = "hi."};
    n_begun = n_finished = 0;
    ports[0] = ports[1] = 0;
    server_start(&f->server, f->loop, 0, on_request, f);
    (void)snprintf(f->url, sizeof f->url, "http://127.0.0.1:%u", (unsigned)f->server.port);
    f->endpoint = (struct endpoint_settings){
        .name = STR("mine"), .kind = STR("tiny"), .url = str_from(f->url)};
    f->settings = (struct settings){.n_refs = 1, .endpoints = &f->endpoint, .n_endpoints = 1};
    struct predictor_options predictor_options = PREDICTOR_OPTIONS_INIT;
    f->predictor = predictor_create(f->loop, &predictor_options);
    struct upstream_options options = {providers, f->predictor, on_change, f};
    f->upstream = upstream_create(f->loop, &options);
}

static inline void teardown(struct fixture *f)
{
    buf_release(&f->call.text);
    upstream_destroy(f->upstream);
    predictor_destroy(f->predictor);
    server_stop(&f->server);
    loop_destroy(f->loop);
    assert_int_equal(n_begun, n_finished);
}

static inline void configure(struct fixture *f)
{
    f->is_inside = true;
    upstream_configure(f->upstream, &f->settings);
    f->is_inside = false;
}

static inline bool is_settled(void *user)
{
    return upstream_is_settled(((struct fixture *)user)->upstream);
}

static inline void settle(struct fixture *f)
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

static inline bool is_ready(void *user)
{
    return first(user)->state == ENDPOINT_READY;
}

static inline bool is_down(void *user)
{
    return first(user)->state == ENDPOINT_DOWN;
}

static inline void setup_ready(struct fixture *f)
{
    setup(f);
    configure(f);
    settle(f);
    assert_int_equal(first(f)->state, ENDPOINT_READY);
}

static inline void on_text(uint64_t exchange, str utf8, void *user)
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

static inline void on_done(uint64_t exchange, const struct generate_end *end, double confidence,
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

static inline void start_at(struct fixture *f, uint64_t endpoint, enum generate_shape shape,
                            uint64_t first_token_us, uint64_t total_us)
{
    struct prediction_place place = {.before = STR("alpha beta\nalpha "), .max_lines = 1};
    struct exchange_spec spec = {.endpoint = endpoint,
                                 .kind = f->kind,
                                 .generate = {.shape = shape, .prefix = STR("int x")},
                                 .place = &place,
                                 .first_token_us = first_token_us,
                                 .total_us = total_us};
    struct exchange_sink sink = {.on_text = on_text, .on_done = on_done, .user = &f->call};
    bool must_cancel = f->call.must_cancel;
    buf_release(&f->call.text);
    f->call = (struct call){.f = f, .must_cancel = must_cancel};
    buf_init(&f->call.text, 1u << 20);
    f->call.id = exchange_start(f->upstream, &spec, &sink);
    assert_int_not_equal(f->call.id, 0);
    f->call.is_started = true;
}

static inline void start(struct fixture *f)
{
    start_at(f, first(f)->id, GENERATE_INFILL, CLOCK_NEVER, CLOCK_NEVER);
}

static inline void exchange(struct fixture *f)
{
    start(f);
    wait_for(f->loop, &f->call.is_done);
    assert_int_equal(f->call.n_done, 1);
}

#endif
