/* exchange.c - one call to an endpoint, from the question to its end.
 *
 *     NEW -> SENT -> STREAMING -> OVER | DRAINING -> OVER
 *      |     |  +--> REFUSED ---> OVER
 *      |     +--< WAITING <-- (any of them, before the first text) | NEW
 *      +-> PREDICTING, FAILED --> OVER
 *
 * Why      Each way in which a server can fail must end in exactly one on_done with a code that
 *          the program can decide by, and none of them may come from inside exchange_start.
 * How      The dialect's codec makes the request and reads the answer; here is what is the same
 *          for all: states, deadlines, statuses, content types, cancelling, figures. What is
 *          known to fail at once, and the predictor, are answered from a timer in the next turn.
 *          An answer that has ended may have bytes to come (the end of a chunked body): it drains
 *          for a moment without a sink, so that its connection can be used again.
 *          Each attempt is admitted by the endpoint's guard and ended with it, so that breakers,
 *          budget and deadlines learn; what fails before any text may wait and be sent again.
 *          A server that refuses to write several texts at once is asked for one.
 * Rules    While a sink is called the exchange is held: a cancel from in there frees it later. */
#include "core/upstream/internal.h"

#include "core/base/clock.h"
#include "core/base/limits.h"
#include "core/base/log.h"

#define DRAIN_US MS_TO_US(250)

enum exchange_state {
    EXCHANGE_NEW,
    EXCHANGE_SENT,       /* handed to http, no status yet */
    EXCHANGE_STREAMING,  /* 200: the codec reads */
    EXCHANGE_REFUSED,    /* another status: the body is collected to explain it */
    EXCHANGE_WAITING,    /* to be sent, at retry_us */
    EXCHANGE_PREDICTING, /* the predictor answers in the next turn */
    EXCHANGE_FAILED,     /* told in the next turn */
    EXCHANGE_DRAINING,   /* on_done was called; the connection ends its response */
    EXCHANGE_OVER,
    N_EXCHANGE_STATES
};

#define TO(state) (1u << (state))

static const unsigned next_states[N_EXCHANGE_STATES] = {
    [EXCHANGE_NEW] =
        TO(EXCHANGE_SENT) | TO(EXCHANGE_WAITING) | TO(EXCHANGE_PREDICTING) | TO(EXCHANGE_FAILED),
    [EXCHANGE_SENT] = TO(EXCHANGE_STREAMING) | TO(EXCHANGE_REFUSED) | TO(EXCHANGE_WAITING) |
                      TO(EXCHANGE_FAILED) | TO(EXCHANGE_OVER),
    [EXCHANGE_STREAMING] =
        TO(EXCHANGE_DRAINING) | TO(EXCHANGE_WAITING) | TO(EXCHANGE_FAILED) | TO(EXCHANGE_OVER),
    [EXCHANGE_REFUSED] = TO(EXCHANGE_WAITING) | TO(EXCHANGE_FAILED) | TO(EXCHANGE_OVER),
    [EXCHANGE_WAITING] = TO(EXCHANGE_SENT) | TO(EXCHANGE_FAILED) | TO(EXCHANGE_OVER),
    [EXCHANGE_PREDICTING] = TO(EXCHANGE_FAILED) | TO(EXCHANGE_OVER),
    [EXCHANGE_FAILED] = TO(EXCHANGE_OVER),
    [EXCHANGE_DRAINING] = TO(EXCHANGE_OVER),
    [EXCHANGE_OVER] = 0,
};

static const char *const state_names[N_EXCHANGE_STATES] = {
    "new", "sent", "streaming", "refused", "waiting", "predicting", "failed", "draining", "over"};

struct exchange {
    uint64_t id;
    struct upstream *upstream;
    uint64_t endpoint; /* id */
    enum exchange_state state;
    struct exchange_sink sink;
    uint64_t started_us, first_token_us, total_us; /* the latter two are deadlines */
    uint64_t gap_span_us, gap_us;                  /* longest pause, 0: any; its deadline */
    uint64_t retry_us;                             /* WAITING: until then */
    struct guard_call call;                        /* the attempt under way */
    struct http_request request;                   /* to be sent again; until text comes */
    struct http_request plain;                     /* for one text, where it asks for several */
    uint64_t transfer;                             /* of http; 0: none */
    struct decoder decoder;
    bool is_decoding; /* decode_finish is due */
    size_t n_embeds;  /* texts whose vectors are asked for; 0: a text is */
    struct buf whole; /* what has come of them */
    bool has_end;
    struct generate_end end;
    bool has_failed;
    struct error error;
    struct error first_error; /* of an attempt that was to be made again */
    int status;
    struct buf error_body;
    struct arena arena;            /* of `place` and the models */
    str guarded;                   /* the question's model */
    str model;                     /* ... where it is one to load, until it was heard of */
    struct prediction_place place; /* for the predictor */
    unsigned n_holds;              /* calls that still look at it */
    uint64_t piece_us;             /* when text came last; 0: none yet */
    UT_hash_handle hh; /* in upstream->exchanges, by id, until it is told or cancelled */
};

/* An end of which no server has said anything. */
static const struct generate_end untold = {FINISH_STOP, -1, -1, -1, -1, -1};

static void start_transfer(struct exchange *x, struct entry *en, const struct exchange_spec *spec);
static void send_request(struct exchange *x, struct entry *en);
static void start_prediction(struct exchange *x, const struct exchange_spec *spec);
static void fail_soon(struct exchange *x);
static void predict(struct exchange *x);
static void finish(struct exchange *x);
static void end_draining(struct exchange *x);
static void retire(struct exchange *x);
static void hold(struct exchange *x);
static void let_go(struct exchange *x);
static void wake_deadlines(struct upstream *u);
static void on_status(int status, str content_type, void *user);
static void on_bytes(str bytes, void *user);
static void on_done(const struct error *error, void *user);

static void set_state(struct exchange *x, enum exchange_state state)
{
    ASSERT(next_states[x->state] & TO(state));
    log_debug(LOG_UPSTREAM, "exchange=%llu endpoint=%llu: %s -> %s", (unsigned long long)x->id,
              (unsigned long long)x->endpoint, state_names[x->state], state_names[state]);
    x->state = state;
}

/* -- starting -- */

uint64_t exchange_start(struct upstream *u, const struct exchange_spec *spec,
                        const struct exchange_sink *sink)
{
    upstream_note_clocks(u, clock_now_us(), clock_wall_us());
    upstream_want(u);
    struct entry *en = upstream_entry(u, spec->endpoint);
    struct exchange *x = xcalloc(1, sizeof *x);
    x->id = ++u->last_exchange_id;
    x->upstream = u;
    x->endpoint = spec->endpoint;
    x->sink = *sink;
    x->started_us = clock_now_us();
    x->first_token_us = spec->first_token_us;
    x->total_us = spec->total_us;
    x->gap_us = x->retry_us = CLOCK_NEVER;
    buf_init(&x->error_body, HTTP_MAX_ERROR_BYTES);
    HASH_ADD(hh, u->exchanges, id, sizeof x->id, x);
    u->stats.n_exchanges++;
    u->stats.n_active++;
    if (!en) {
        error_set(&x->error, ERR_NOT_FOUND, "the endpoint is gone");
        fail_soon(x);
    } else if (en->e.ops->capabilities & PROVIDER_IN_PROCESS) {
        start_prediction(x, spec);
    } else {
        start_transfer(x, en, spec);
    }
    wake_deadlines(u);
    return x->id;
}

static void start_prediction(struct exchange *x, const struct exchange_spec *spec)
{
    if (!spec->place) {
        error_set(&x->error, ERR_INVALID, "the predictor needs a place in a text");
        fail_soon(x);
        return;
    }
    x->first_token_us = x->first_token_us == EXCHANGE_AUTO ? CLOCK_NEVER : x->first_token_us;
    x->total_us = x->total_us == EXCHANGE_AUTO ? CLOCK_NEVER : x->total_us;
    x->place = *spec->place;
    x->place.before = arena_dup(&x->arena, spec->place->before);
    x->place.after = arena_dup(&x->arena, spec->place->after);
    set_state(x, EXCHANGE_PREDICTING);
    loop_timer_set(x->upstream->soon, 0);
}

static void count_piece(struct exchange *x)
{
    struct upstream_stats *stats = &x->upstream->stats;
    uint64_t now_us = clock_now_us();
    if (x->piece_us != 0) {
        stats->n_pauses++;
        stats->pauses_us += now_us - x->piece_us;
    }
    x->piece_us = now_us;
}

/* A piece of text came, of one of several or of the only one. False where nobody waits for it. */
static bool take_piece(struct exchange *x)
{
    if (x->state != EXCHANGE_STREAMING || x->has_end || x->has_failed) {
        return false;
    }
    x->first_token_us = CLOCK_NEVER;
    count_piece(x);
    guard_text(&x->call, clock_now_us());
    if (x->gap_span_us > 0) {
        x->gap_us = x->call.last_us + x->gap_span_us;
        wake_deadlines(x->upstream);
    }
    http_request_release(&x->request); /* it won't be sent again */
    http_request_release(&x->plain);
    struct entry *en = x->model.len > 0 ? upstream_entry(x->upstream, x->endpoint) : NULL;
    if (en) {
        entry_heard_model(en, x->model);
        x->model = str_of("", 0); /* once is enough */
    }
    return true;
}

static void on_text(str utf8, void *user)
{
    struct exchange *x = user;
    if (take_piece(x)) {
        x->sink.on_text(x->id, utf8, x->sink.user);
    }
}

static void on_other(unsigned idx, str utf8, void *user)
{
    struct exchange *x = user;
    if (take_piece(x)) {
        x->sink.on_other(x->id, idx, utf8, x->sink.user);
    }
}

static void on_text_end(unsigned idx, enum finish_reason reason, void *user)
{
    struct exchange *x = user;
    if (x->state == EXCHANGE_STREAMING && !x->has_failed) {
        x->sink.on_text_end(x->id, idx, reason, x->sink.user);
    }
}

static void on_decoded_end(const struct generate_end *end, void *user)
{
    struct exchange *x = user;
    x->end = *end;
    x->has_end = true;
}

static void on_decoded_error(const struct error *error, void *user)
{
    struct exchange *x = user;
    x->error = *error;
    x->has_failed = true;
}

static size_t n_bytes_of(const struct exchange_spec *spec)
{
    size_t n = 0;
    for (size_t i = 0; i < spec->n_embeds; i++) {
        n += spec->embeds[i].len;
    }
    return n;
}

/* What the guard has to know of it, and the deadlines that are left to be learned. */
static void plan_call(struct exchange *x, struct entry *en, const struct exchange_spec *spec,
                      const struct model_info *model)
{
    const struct generate *g = &spec->generate;
    bool is_asked =
        spec->kind == EXCHANGE_BY_SHAPE ? g->shape == GENERATE_CHAT : spec->kind == EXCHANGE_ASKED;
    bool is_cold = en->e.ops->encode_load ? model && !model->is_loaded && !model->is_remote
                                          : guard_is_new(en->guard, x->guarded);
    if (!model && g->model.len == 0 && en->e.n_models == 1) {
        model = &en->models[0];
    }
    if (model) {
        guard_describe(en->guard, x->guarded, model->n_params, model->n_bytes);
    }
    x->call = (struct guard_call){.is_explicit = is_asked, .is_beside = spec->is_beside};
    x->call.about =
        (struct deadline_call){.kind = g->shape == GENERATE_CHAT ? DEADLINE_CHAT : DEADLINE_INLINE,
                               .n_prompt_bytes = g->prefix.len + g->suffix.len + g->prompt.len +
                                                 g->system.len + n_bytes_of(spec),
                               .max_tokens = g->max_tokens,
                               .is_cold = is_cold};
    struct deadline_spans spans = guard_spans(en->guard, x->guarded, &x->call.about);
    if (spec->first_token_us == EXCHANGE_AUTO) {
        x->first_token_us = x->started_us + spans.first_us;
        x->gap_span_us = spans.gap_us;
    }
    if (spec->total_us == EXCHANGE_AUTO) {
        x->total_us = x->started_us + spans.total_us;
    }
}

/* When waiting for text is over at the latest. */
static uint64_t latest_us(const struct exchange *x)
{
    return x->first_token_us < x->total_us ? x->first_token_us : x->total_us;
}

/* A keystroke's call that nobody would take is given up before any work is done for it. */
static bool is_known_to_fail(struct exchange *x, struct entry *en)
{
    uint64_t now_us = clock_now_us();
    return !x->call.is_explicit && en->e.state != ENDPOINT_BLOCKED &&
           guard_wait_us(en->guard, now_us) == 0 &&
           !guard_would_admit(en->guard, x->guarded, now_us) &&
           guard_admit(en->guard, x->guarded, &x->call, now_us, latest_us(x), &x->error) != ERR_OK;
}

/* For vectors, of the model that `g` names. */
static bool encode_embed(struct exchange *x, struct entry *en, const struct exchange_spec *spec,
                         const struct generate *g)
{
    struct embed_order order = {.model = g->loaded_as.len > 0 ? g->loaded_as : g->model,
                                .texts = spec->embeds,
                                .n_texts = spec->n_embeds,
                                .keep_s = g->keep_s,
                                .n_ctx = g->n_ctx,
                                .extra_body = g->extra_body,
                                .dialect = g->dialect};
    ASSERT(spec->n_embeds > 0 && spec->n_embeds <= EMBED_TEXTS_MAX);
    x->n_embeds = spec->n_embeds;
    buf_init(&x->whole, HTTP_MAX_BODY_BYTES);
    http_request_init(&x->request);
    if (!en->e.ops->encode_embed) {
        error_set(&x->error, ERR_REJECTED, "servers of kind %s make no vectors of texts",
                  en->e.ops->kind);
        return false;
    }
    bool is_made = en->e.ops->encode_embed(&order, &x->request, &x->error) == ERR_OK;
    x->request.is_post = true;
    entry_set_path(en, &x->request.path);
    return is_made;
}

static bool encode(struct exchange *x, struct entry *en, const struct generate *g,
                   struct http_request *out)
{
    http_request_init(out);
    bool is_made = en->e.ops->encode(g, out, &x->error) == ERR_OK;
    entry_set_path(en, &out->path);
    return is_made;
}

/* The request, and where it asks for several texts the one that asks for the first alone: should
 * the server refuse. False where there is none; x->error says why. */
static bool encode_both(struct exchange *x, struct entry *en, const struct generate *g)
{
    struct generate one = *g;
    ASSERT(g->n_texts <= TEXTS_MAX);
    one.n_texts = 1;
    x->decoder.n_texts = g->n_texts;
    return encode(x, en, g, &x->request) && (g->n_texts <= 1 || encode(x, en, &one, &x->plain));
}

static void start_transfer(struct exchange *x, struct entry *en, const struct exchange_spec *spec)
{
    struct generate generate = spec->generate;
    if (generate.extra_body.len == 0) {
        generate.extra_body = en->extra_body;
    }
    const struct model_info *model = entry_model(en, generate.model);
    generate.thinks = model && (model->abilities & MODEL_THINKS);
    generate.keep_s = x->upstream->keep_s;
    generate.n_ctx = entry_n_ctx(en, generate.model);
    generate.loaded_as = model ? model->loaded_as : STR("");
    generate.dialect = en->dialect;
    if (en->e.ops->capabilities & PROVIDER_TELLS_MODEL) {
        str called = generate.loaded_as.len > 0 ? generate.loaded_as : generate.model;
        x->decoder.model = arena_dup(&x->arena, called);
    }
    x->guarded = arena_dup(&x->arena, generate.model);
    if (en->e.ops->encode_load) {
        x->model = x->guarded;
    }
    plan_call(x, en, spec, model);
    if (is_known_to_fail(x, en)) {
        fail_soon(x);
        return;
    }
    bool is_made =
        spec->embeds ? encode_embed(x, en, spec, &generate) : encode_both(x, en, &generate);
    if (!is_made) {
        fail_soon(x);
        return;
    }
    x->decoder.ops = en->e.ops;
    x->decoder.sink = (struct decode_sink){.on_text = on_text,
                                           .on_end = on_decoded_end,
                                           .on_error = on_decoded_error,
                                           .user = x,
                                           .on_other = on_other,
                                           .on_text_end = on_text_end};
    send_request(x, en);
}

static void wait_until(struct exchange *x, uint64_t at_us)
{
    x->retry_us = at_us;
    set_state(x, EXCHANGE_WAITING);
    wake_deadlines(x->upstream);
}

/* The endpoint asked to be left alone: a person's call waits for that, a keystroke's doesn't. */
static void wait_for_gate(struct exchange *x, const struct entry *en, uint64_t open_us)
{
    if (x->call.is_explicit && open_us < latest_us(x)) {
        wait_until(x, open_us);
        return;
    }
    error_set(&x->error, ERR_REJECTED,
              STR_FMT " has too much to do and asked to be left alone for %llu s more",
              STR_ARG(en->e.name),
              (unsigned long long)((open_us - clock_now_us() + 999999) / 1000000));
    fail_soon(x);
}

static bool may_resend(void *user)
{
    struct exchange *x = user;
    return guard_resend(upstream_entry(x->upstream, x->endpoint)->guard, &x->call);
}

/* One attempt, the first or another, where the endpoint's guard allows it. */
static void send_request(struct exchange *x, struct entry *en)
{
    struct http_target target;
    struct http_events events = {on_status, on_bytes, on_done, x, may_resend};
    uint64_t now_us = clock_now_us(), wait_us = guard_wait_us(en->guard, now_us);
    if (entry_target(en, &target, &x->error) != ERR_OK) {
        fail_soon(x);
        return;
    }
    if (wait_us > 0) {
        wait_for_gate(x, en, now_us + wait_us);
        return;
    }
    if (guard_admit(en->guard, x->guarded, &x->call, now_us, latest_us(x), &x->error) != ERR_OK) {
        x->error = x->call.n_made > 0 ? x->first_error : x->error; /* it says more */
        fail_soon(x);
        return;
    }
    target.must_connect = guard_is_spent(en->guard);
    x->upstream->stats.n_bytes_out += x->request.body.len;
    x->transfer = http_start(x->upstream->http, &target, &x->request, HTTP_MAX_BODY_BYTES, &events);
    set_state(x, EXCHANGE_SENT);
}

static void send_again(struct exchange *x)
{
    ASSERT(x->state == EXCHANGE_WAITING);
    x->retry_us = CLOCK_NEVER;
    send_request(x, upstream_entry(x->upstream, x->endpoint)); /* there: see exchanges_reject */
}

/* -- what is answered in the next turn -- */

static void fail_soon(struct exchange *x)
{
    x->has_failed = true;
    x->retry_us = CLOCK_NEVER;
    set_state(x, EXCHANGE_FAILED);
    loop_timer_set(x->upstream->soon, 0);
}

/* The oldest one that waits for this turn; those that it starts wait for the next. */
static struct exchange *next_soon(struct upstream *u, uint64_t last_id)
{
    struct exchange *x, *next, *found = NULL;
    HASH_ITER(hh, u->exchanges, x, next)
    {
        bool is_waiting = x->state == EXCHANGE_FAILED || x->state == EXCHANGE_PREDICTING;
        if (is_waiting && x->n_holds == 0 && x->id <= last_id && (!found || x->id < found->id)) {
            found = x;
        }
    }
    return found;
}

void exchanges_run_soon(struct upstream *u)
{
    struct exchange *x;
    uint64_t last_id = u->last_exchange_id;
    while ((x = next_soon(u, last_id)) != NULL) {
        hold(x);
        if (x->state == EXCHANGE_PREDICTING) {
            predict(x);
        } else {
            finish(x);
        }
        let_go(x);
    }
}

static bool is_wanted(const struct exchange *x)
{
    return x->state != EXCHANGE_OVER && x->state != EXCHANGE_DRAINING;
}

static void predict(struct exchange *x)
{
    uint64_t from_us = clock_now_us();
    struct prediction prediction =
        predictor_suggest(x->upstream->options.predictor, &x->place, &x->arena);
    double took_ms = (double)(clock_now_us() - from_us) / 1000;
    struct generate_end end = untold;
    end.generate_ms = took_ms;
    if (prediction.text.len > 0) {
        x->sink.on_text(x->id, prediction.text, x->sink.user);
    }
    if (is_wanted(x)) { /* its sink may have cancelled it */
        retire(x);
        set_state(x, EXCHANGE_OVER);
        x->sink.on_done(x->id, &end, prediction.confidence, NULL, x->sink.user);
    }
}

/* -- what http tells -- */

static void on_status(int status, str content_type, void *user)
{
    struct exchange *x = user;
    x->status = status;
    if (status != 200) {
        struct http *h = x->upstream->http;
        guard_pushback(&x->call, http_header(h, x->transfer, "Retry-After"),
                       http_header(h, x->transfer, "Date"),
                       http_header(h, x->transfer, "X-Should-Retry"));
        set_state(x, EXCHANGE_REFUSED);
        return;
    }
    if (!provider_is_answer(content_type)) {
        error_set(&x->error, ERR_PROTOCOL, "not a model server (got %s)", LOG_SAFE(content_type));
        x->error.cause = CAUSE_WEB_PAGE;
        x->has_failed = true;
        x->call.is_forbidden = true; /* it will be none the next time either */
        hold(x);
        finish(x);
        let_go(x);
        return;
    }
    set_state(x, EXCHANGE_STREAMING);
    if (x->n_embeds == 0) {
        x->is_decoding = true;
        x->decoder.ops->decode_begin(&x->decoder);
    }
}

static void on_bytes(str bytes, void *user)
{
    struct exchange *x = user;
    x->upstream->stats.n_bytes_in += bytes.len;
    if (x->state == EXCHANGE_REFUSED) {
        size_t n_room = HTTP_MAX_ERROR_BYTES - x->error_body.len;
        buf_append(&x->error_body, str_sub(bytes, 0, n_room));
        return;
    }
    if (x->n_embeds > 0 && take_piece(x)) {
        buf_append(&x->whole, bytes);
    }
    if (x->state != EXCHANGE_STREAMING || x->n_embeds > 0) {
        return;
    }
    hold(x);
    x->decoder.ops->decode(&x->decoder, bytes);
    if (is_wanted(x) && (x->has_end || x->has_failed)) {
        finish(x);
    }
    let_go(x);
}

static void explain_status(struct exchange *x)
{
    x->has_failed = true;
    if (x->status >= 300 && x->status < 400) {
        error_set(&x->error, ERR_STATUS,
                  "the server sends us elsewhere (status %d): put the final url into the settings",
                  x->status);
        x->error.cause = CAUSE_REDIRECT;
    } else {
        x->decoder.ops->explain(x->status, buf_str(&x->error_body), &x->error);
    }
    if (x->error.code == ERR_OK) {
        error_set(&x->error, ERR_STATUS, "the server answered with status %d", x->status);
    }
    x->error.detail = x->status;
}

/* The whole answer is there. */
static void take_vectors(struct exchange *x)
{
    struct embedding v;
    if (x->decoder.ops->read_embed(buf_str(&x->whole), x->n_embeds, &v, &x->error) != ERR_OK) {
        x->has_failed = true;
        return;
    }
    x->has_end = true;
    x->end = untold;
    x->sink.on_vectors(x->id, &v, x->sink.user);
    embedding_release(&v);
}

static void on_done(const struct error *error, void *user)
{
    struct exchange *x = user;
    x->transfer = 0;
    if (x->state == EXCHANGE_DRAINING) {
        end_draining(x);
        return;
    }
    hold(x);
    if (x->state == EXCHANGE_REFUSED) {
        explain_status(x);
    } else if (error) {
        x->error = *error;
        x->has_failed = true;
    } else if (x->n_embeds > 0) {
        take_vectors(x);
    } else if (x->is_decoding) {
        x->is_decoding = false;
        x->decoder.ops->decode_finish(&x->decoder, false);
        bool is_nothing = x->call.n_pieces == 0 && x->end.reason == FINISH_NONE;
        if ((!x->has_end || is_nothing) && !x->has_failed && is_wanted(x)) {
            error_set(&x->error, ERR_PROTOCOL, "the answer stopped without an end");
            x->has_failed = true;
            x->has_end = false;
        }
    }
    if (is_wanted(x)) {
        finish(x);
    }
    let_go(x);
}

/* -- ending -- */

static void count_end(struct upstream *u, const struct exchange *x)
{
    if (x->has_failed) {
        u->stats.n_failed++;
        return;
    }
    u->stats.n_tokens += x->end.n_tokens > 0 ? (uint64_t)x->end.n_tokens : 0;
    u->stats.n_prompt_tokens += x->end.n_prompt_tokens > 0 ? (uint64_t)x->end.n_prompt_tokens : 0;
    u->stats.n_cached_tokens += x->end.n_cached_tokens > 0 ? (uint64_t)x->end.n_cached_tokens : 0;
}

/* Takes it out of what can be found and counted as active. */
static void retire(struct exchange *x)
{
    HASH_DEL(x->upstream->exchanges, x);
    if (x->state != EXCHANGE_DRAINING) {
        x->upstream->stats.n_active--;
    }
    http_cancel(x->upstream->http, x->transfer);
    x->transfer = 0;
}

/* Tells the guard; false where no attempt was under way. */
static bool end_attempt(struct exchange *x, struct entry *en, bool is_cancelled)
{
    bool was_out = x->call.is_out;
    struct guard_end end = {.error = x->has_failed ? &x->error : NULL,
                            .said = x->has_end ? &x->end : NULL,
                            .is_cancelled = is_cancelled};
    guard_end(en->guard, x->guarded, &x->call, &end, clock_now_us());
    return was_out;
}

static void end_decoding(struct exchange *x)
{
    if (x->is_decoding) {
        x->is_decoding = false;
        x->decoder.ops->decode_finish(&x->decoder, true);
    }
}

/* Forgets the attempt that has just failed, and waits for the next. */
static void begin_anew(struct exchange *x, uint64_t at_us)
{
    http_cancel(x->upstream->http, x->transfer);
    x->transfer = 0;
    end_decoding(x);
    x->first_error = x->error;
    x->error = (struct error){0};
    x->has_failed = x->has_end = false;
    x->status = 0;
    buf_clear(&x->error_body);
    buf_clear(&x->whole);
    wait_until(x, at_us);
}

/* Whether the attempt that has just failed is made again: it waits, as if it hadn't been. */
static bool try_again(struct exchange *x, struct entry *en)
{
    uint64_t now_us = clock_now_us();
    struct retry_decision d =
        guard_retry(en->guard, x->guarded, &x->call, &x->error, latest_us(x), now_us);
    log_debug(LOG_UPSTREAM, "exchange=%llu attempt=%u %s: %s", (unsigned long long)x->id,
              x->call.n_made, err_name(x->error.code), d.why);
    if (d.at_us == CLOCK_NEVER) {
        return false;
    }
    begin_anew(x, d.at_us);
    return true;
}

/* Whether the server may have refused it for asking for several texts: then it is asked for one,
 * from now on at once. What is wrong with that it will say. */
static bool ask_for_one(struct exchange *x, struct entry *en)
{
    bool is_refused = x->status == 400 || x->status == 422 || x->status == 501;
    if (x->decoder.n_texts <= 1 || !is_refused) {
        return false;
    }
    en->refuses_several = true;
    http_request_release(&x->request);
    x->request = x->plain;
    x->plain = (struct http_request){0};
    x->decoder.n_texts = 1;
    begin_anew(x, clock_now_us());
    return true;
}

/* Tells the sink how it ended, unless it is tried again. The caller holds the exchange. */
static void finish(struct exchange *x)
{
    struct upstream *u = x->upstream;
    struct entry *en = upstream_entry(u, x->endpoint);
    if (en) {
        entry_hide_key(en, &x->error);
        bool was_out = end_attempt(x, en, false);
        if (was_out && x->has_failed && (ask_for_one(x, en) || try_again(x, en))) {
            return;
        }
        entry_heard(en, x->has_failed ? &x->error : NULL);
        if (x->has_failed && x->error.code == ERR_NOT_FOUND) {
            loads_doubt(en);
        }
    }
    count_end(u, x);
    if (x->has_failed || x->transfer == 0) {
        retire(x);
        set_state(x, EXCHANGE_OVER);
    } else { /* it stays to be found, for the deadline and for a cancel */
        set_state(x, EXCHANGE_DRAINING);
        u->stats.n_active--;
        x->first_token_us = x->gap_us = CLOCK_NEVER;
        x->total_us = clock_now_us() + DRAIN_US;
        wake_deadlines(u);
    }
    x->sink.on_done(x->id, x->has_failed ? NULL : &x->end, 1, x->has_failed ? &x->error : NULL,
                    x->sink.user);
}

/* Its sink has heard the end long since. */
static void end_draining(struct exchange *x)
{
    hold(x);
    retire(x);
    set_state(x, EXCHANGE_OVER);
    let_go(x);
}

void exchange_cancel(struct upstream *u, uint64_t id)
{
    struct exchange *x;
    HASH_FIND(hh, u->exchanges, &id, sizeof id, x);
    if (!x || x->state == EXCHANGE_DRAINING) {
        return;
    }
    u->stats.n_cancelled++;
    struct entry *en = upstream_entry(u, x->endpoint);
    if (en) {
        (void)end_attempt(x, en, true);
    }
    bool is_cut = x->transfer != 0; /* with its connection, and the next keystroke wants one */
    hold(x);
    retire(x);
    x->state = EXCHANGE_OVER; /* from any state */
    if (is_cut) {
        (void)upstream_warm(u, x->endpoint);
    }
    let_go(x);
}

static void hold(struct exchange *x)
{
    x->n_holds++;
}

static void let_go(struct exchange *x)
{
    if (--x->n_holds > 0 || x->state != EXCHANGE_OVER) {
        return;
    }
    end_decoding(x);
    http_request_release(&x->request);
    http_request_release(&x->plain);
    buf_release(&x->error_body);
    buf_release(&x->whole);
    arena_release(&x->arena);
    xfree(x);
}

/* -- deadlines -- */

static void wake_deadlines(struct upstream *u)
{
    uint64_t next_us = CLOCK_NEVER;
    struct exchange *x, *next;
    HASH_ITER(hh, u->exchanges, x, next)
    {
        next_us = x->first_token_us < next_us ? x->first_token_us : next_us;
        next_us = x->total_us < next_us ? x->total_us : next_us;
        next_us = x->gap_us < next_us ? x->gap_us : next_us;
        next_us = x->retry_us < next_us ? x->retry_us : next_us;
    }
    loop_timer_set(u->deadline_timer, next_us);
}

static void time_out(struct exchange *x, uint64_t now_us)
{
    unsigned long long waited_ms = (now_us - x->started_us) / 1000;
    if (x->state == EXCHANGE_DRAINING) {
        end_draining(x);
        return;
    }
    if (x->state == EXCHANGE_FAILED) {
        x->first_token_us = x->total_us = x->gap_us = CLOCK_NEVER; /* is told in this turn anyway */
        return;
    }
    if (now_us >= x->total_us) {
        error_set(&x->error, ERR_TIMEOUT, "the answer wasn't complete after %llu ms", waited_ms);
    } else if (now_us >= x->gap_us) {
        error_set(&x->error, ERR_TIMEOUT, "its text stopped coming %llu ms ago",
                  (unsigned long long)(now_us - x->call.last_us) / 1000);
    } else {
        error_set(&x->error, ERR_TIMEOUT, "no text came within %llu ms", waited_ms);
    }
    x->has_failed = true;
    hold(x);
    finish(x);
    let_go(x);
}

static struct exchange *next_late(struct upstream *u, uint64_t now_us)
{
    struct exchange *x, *next;
    HASH_ITER(hh, u->exchanges, x, next)
    {
        if (now_us >= x->first_token_us || now_us >= x->total_us || now_us >= x->gap_us) {
            return x;
        }
    }
    return NULL;
}

/* The oldest one that waits to be sent, and may be now. */
static struct exchange *next_due(struct upstream *u, uint64_t now_us)
{
    struct exchange *x, *next, *found = NULL;
    HASH_ITER(hh, u->exchanges, x, next)
    {
        bool is_due = x->state == EXCHANGE_WAITING && now_us >= x->retry_us;
        found = is_due && (!found || x->id < found->id) ? x : found;
    }
    return found;
}

void exchanges_on_deadline(struct upstream *u)
{
    struct exchange *x;
    uint64_t now_us = clock_now_us();
    while ((x = next_late(u, now_us)) != NULL) {
        time_out(x, now_us);
    }
    while ((x = next_due(u, now_us)) != NULL) {
        send_again(x); /* may wait again, but later than now */
    }
    wake_deadlines(u);
}

/* -- endpoints that go, and the end of all -- */

void exchanges_reject(struct upstream *u, uint64_t endpoint)
{
    struct exchange *x, *next;
    HASH_ITER(hh, u->exchanges, x, next)
    {
        if (x->endpoint != endpoint || x->state == EXCHANGE_DRAINING ||
            x->state == EXCHANGE_FAILED) {
            continue;
        }
        http_cancel(u->http, x->transfer);
        x->transfer = 0;
        error_set(&x->error, ERR_REJECTED, "the settings changed: its endpoint is gone");
        fail_soon(x);
    }
}

void exchanges_destroy(struct upstream *u)
{
    struct exchange *x, *next;
    HASH_ITER(hh, u->exchanges, x, next)
    {
        ASSERT(x->n_holds == 0);
        hold(x);
        retire(x);
        x->state = EXCHANGE_OVER;
        let_go(x);
    }
}
