/* rpc.c - one peer of JSON-RPC 2.0 in the form that the Language Server Protocol gives it.
 *
 * Why      "Exactly one answer for every request" has to hold in one place, not in every feature.
 * How      A message is parsed once, into an arena that is emptied after it. A call lives on the
 *          stack while its handler runs; a deferred one moves to the heap and into a table by id.
 *          Outgoing messages are written behind a gap that their header then fills from the right,
 *          so that a message is built and sent without being moved.
 * Rules    Malformed input is answered with the error that JSON-RPC has for it, and never ends
 *          the connection by itself. Answers are never dropped; notifications are, when the peer
 *          doesn't read. */
#include "lsp/rpc.h"

#include <stdio.h>

#include "core/base/clock.h"
#include "core/base/limits.h"
#include "core/base/log.h"
#include "core/base/map.h"
#include "lsp/framing.h"

#define HEADER_ROOM    40u          /* "Content-Length: " and any length */
#define OUT_KEEP_BYTES (256u * KIB) /* a larger message's buffer is given back */
#define ID_MAX         ((INT64_C(1) << 53) - 1)

struct rpc_pending { /* a deferred call */
    struct rpc_call call;
    rpc_cancel_fn *on_cancel;
    void *user;
    char *key; /* owned: 'n' and the number, or 's' and the text */
    UT_hash_handle hh;
};

struct rpc_asked { /* a request of ours */
    int64_t id;
    uint64_t deadline_us;
    rpc_reply_fn *fn;
    void *user;
    struct rpc_asked *next;
};

struct rpc {
    struct rpc_options options;
    struct framing framing;
    struct arena arena; /* of the message that is handled */
    struct arena_mark arena_start;
    struct rpc_pending *pending; /* by key */
    struct rpc_asked *asked;
    int64_t last_id;
    bool is_lost;

    struct buf out; /* the message that is written */
    struct json_writer writer;
    struct rpc_call *answering; /* whose answer it is, NULL for other messages */
    bool is_writing;
    struct rpc_stats stats;
};

/* The parts of an incoming message. */
struct envelope {
    struct json version, id, method, params, result, error;
};

static void on_message(str body, void *user);
static void on_problem(enum framing_problem problem, void *user);
static void take_message(struct rpc *r, struct json message);
static void take_call(struct rpc *r, const struct envelope *e, struct rpc_call *call);
static void take_reply(struct rpc *r, const struct envelope *e);
static void finish_asked(struct rpc *r, int64_t id, struct json result, const struct error *error);
static void forget(struct rpc_pending *p);

enum rpc_code rpc_code_of(enum err err)
{
    static const enum rpc_code codes[] = {
        [ERR_OK] = RPC_INTERNAL_ERROR,        [ERR_CANCELLED] = RPC_REQUEST_CANCELLED,
        [ERR_TIMEOUT] = RPC_REQUEST_FAILED,   [ERR_CONNECT] = RPC_REQUEST_FAILED,
        [ERR_STATUS] = RPC_REQUEST_FAILED,    [ERR_AUTH] = RPC_REQUEST_FAILED,
        [ERR_NOT_FOUND] = RPC_REQUEST_FAILED, [ERR_LOADING] = RPC_REQUEST_FAILED,
        [ERR_PROTOCOL] = RPC_REQUEST_FAILED,  [ERR_TOO_LARGE] = RPC_REQUEST_FAILED,
        [ERR_REJECTED] = RPC_REQUEST_FAILED,  [ERR_INVALID] = RPC_INVALID_PARAMS,
    };
    _Static_assert(sizeof codes / sizeof codes[0] == N_ERRS, "one code each");
    return codes[err];
}

struct rpc *rpc_create(const struct rpc_options *options)
{
    struct rpc *r = xcalloc(1, sizeof *r);
    r->options = *options;
    framing_init(&r->framing, options->max_message_bytes,
                 &(struct framing_events){on_message, on_problem, r});
    (void)arena_alloc(&r->arena, 1); /* the block that is kept between messages */
    r->arena_start = arena_mark(&r->arena);
    buf_init(&r->out, RPC_MAX_OUT_BYTES);
    return r;
}

void rpc_destroy(struct rpc *r)
{
    if (!r) {
        return;
    }
    while (r->pending) {
        rpc_fail(&r->pending->call, RPC_REQUEST_CANCELLED, "the server is leaving");
    }
    while (r->asked) {
        struct error error;
        (void)error_set(&error, ERR_CANCELLED, "the connection is closed");
        finish_asked(r, r->asked->id, (struct json){0}, &error);
    }
    framing_release(&r->framing);
    arena_release(&r->arena);
    buf_release(&r->out);
    xfree(r);
}

void rpc_feed(struct rpc *r, str bytes)
{
    r->stats.n_bytes_in += bytes.len;
    framing_feed(&r->framing, bytes);
}

void rpc_stop(struct rpc *r)
{
    framing_stop(&r->framing);
}

bool rpc_is_between(const struct rpc *r)
{
    return framing_is_between(&r->framing);
}

struct rpc_stats rpc_stats(const struct rpc *r)
{
    struct rpc_stats stats = r->stats;
    stats.n_pending = HASH_COUNT(r->pending);
    return stats;
}

/* -- what comes in -- */

static void lose(struct rpc *r, const char *why)
{
    if (!r->is_lost) {
        r->is_lost = true;
        rpc_stop(r);
        r->options.on_lost(why, r->options.user);
    }
}

/* An error that belongs to no request that could be read. */
static void refuse(struct rpc *r, enum rpc_code code, const char *why)
{
    struct rpc_call nobody = {.rpc = r, .is_request = true, .id_is_null = true};
    rpc_fail(&nobody, code, "%s", why);
}

static void on_problem(enum framing_problem problem, void *user)
{
    struct rpc *r = user;
    const char *text = framing_problem_text(problem);
    r->stats.n_problems++;
    log_warn(LOG_RPC, "skipped %s", text);
    if (problem == FRAMING_LOST) {
        lose(r, text);
    } else if (problem == FRAMING_TOO_LARGE || problem == FRAMING_BAD_CHARSET) {
        refuse(r, problem == FRAMING_TOO_LARGE ? RPC_INVALID_REQUEST : RPC_PARSE_ERROR, text);
    }
}

static void on_message(str body, void *user)
{
    struct rpc *r = user;
    uint64_t start_us = clock_now_us();
    struct json message;
    struct error why;
    enum err err = json_parse(body, &r->arena, &message, &why);
    if (err != ERR_OK) {
        log_warn(LOG_RPC, "message that is no JSON: %s", LOG_SAFE(str_from(why.msg)));
        refuse(r, RPC_PARSE_ERROR, why.msg);
    } else if (!json_is(message, JSON_OBJECT)) {
        refuse(r, RPC_INVALID_REQUEST,
               json_is(message, JSON_ARRAY) ? "batches are not part of this protocol"
                                            : "a message is an object");
    } else {
        take_message(r, message);
    }
    arena_reset(&r->arena, r->arena_start);
    histogram_add(&r->stats.handled, clock_now_us() - start_us);
}

static void put_first(struct json *slot, struct json value)
{
    if (json_is(*slot, JSON_NONE)) {
        *slot = value;
    }
}

static struct envelope read_envelope(struct json message)
{
    struct envelope e = {0};
    struct json_iter it = json_iter(message);
    str key;
    struct json value;
    while (json_next(&it, &key, &value)) {
        if (str_eq(key, STR("jsonrpc"))) {
            put_first(&e.version, value);
        } else if (str_eq(key, STR("id"))) {
            put_first(&e.id, value);
        } else if (str_eq(key, STR("method"))) {
            put_first(&e.method, value);
        } else if (str_eq(key, STR("params"))) {
            put_first(&e.params, value);
        } else if (str_eq(key, STR("result"))) {
            put_first(&e.result, value);
        } else if (str_eq(key, STR("error"))) {
            put_first(&e.error, value);
        }
    }
    return e;
}

/* Ids are strings or whole numbers, written as such. */
static bool read_id(struct json id, struct rpc_call *call)
{
    if (json_is(id, JSON_STRING)) {
        call->id_is_string = true;
        call->id_text = json_str(id);
        return true;
    }
    str raw = json_raw(id);
    call->id_number = json_int(id, INT64_MIN);
    return json_is(id, JSON_NUMBER) && json_is_int(id) && call->id_number <= ID_MAX &&
           call->id_number >= -ID_MAX && !memchr(raw.ptr, '.', raw.len) &&
           !memchr(raw.ptr, 'e', raw.len) && !memchr(raw.ptr, 'E', raw.len);
}

static void take_message(struct rpc *r, struct json message)
{
    struct envelope e = read_envelope(message);
    struct rpc_call call = {.rpc = r, .params = e.params, .arena = &r->arena, .is_request = true};
    bool has_id = json_type(e.id) != JSON_NONE;
    if (json_is(e.method, JSON_NONE) && has_id &&
        json_is(e.result, JSON_NONE) != json_is(e.error, JSON_NONE)) {
        take_reply(r, &e);
        return;
    }
    if (has_id && !read_id(e.id, &call)) {
        refuse(r, RPC_INVALID_REQUEST, "an id is a string or a whole number");
        return;
    }
    call.id_is_null = !has_id;
    if (!json_str_eq(e.version, STR("2.0"))) {
        rpc_fail(&call, RPC_INVALID_REQUEST, "jsonrpc must be \"2.0\"");
    } else if (!json_is(e.method, JSON_STRING)) {
        rpc_fail(&call, RPC_INVALID_REQUEST, "a message needs a method, or a result or an error");
    } else if (json_type(e.params) != JSON_NONE && json_type(e.params) != JSON_NULL &&
               json_type(e.params) != JSON_OBJECT && json_type(e.params) != JSON_ARRAY) {
        rpc_fail(&call, RPC_INVALID_REQUEST, "params must be an object or an array");
    } else {
        call.is_request = has_id;
        take_call(r, &e, &call);
    }
}

/* The key of an id in the table of pending requests, in `arena`. */
static str id_key(const struct rpc_call *call, struct arena *arena)
{
    if (!call->id_is_string) {
        return arena_printf(arena, "n%lld", (long long)call->id_number);
    }
    char *key = arena_alloc(arena, call->id_text.len + 1);
    key[0] = 's';
    if (call->id_text.len > 0) {
        memcpy(key + 1, call->id_text.ptr, call->id_text.len);
    }
    return str_of(key, call->id_text.len + 1);
}

static struct rpc_pending *find_pending(struct rpc *r, const struct rpc_call *call)
{
    if (!r->pending) {
        return NULL;
    }
    str key = id_key(call, &r->arena);
    struct rpc_pending *found;
    HASH_FIND(hh, r->pending, key.ptr, (unsigned)key.len, found);
    return found;
}

static void take_call(struct rpc *r, const struct envelope *e, struct rpc_call *call)
{
    call->method = json_str(e->method);
    if (json_is(e->params, JSON_NULL)) {
        call->params = (struct json){0};
    }
    if (!call->is_request) {
        r->stats.n_notifications++;
        r->options.on_call(call, r->options.user);
        return;
    }
    r->stats.n_requests++;
    if (find_pending(r, call)) {
        rpc_fail(call, RPC_INVALID_REQUEST, "a request with this id is still open");
        return;
    }
    if (HASH_COUNT(r->pending) >= RPC_MAX_PENDING) {
        rpc_fail(call, RPC_REQUEST_FAILED, "too many open requests");
        return;
    }
    r->options.on_call(call, r->options.user);
    ASSERT(call->is_answered != call->is_deferred);
}

static void take_reply(struct rpc *r, const struct envelope *e)
{
    int64_t id = json_int(e->id, -1);
    if (json_is(e->error, JSON_NONE)) {
        finish_asked(r, id, e->result, NULL);
        return;
    }
    str msg = json_str(json_get(e->error, STR("message")));
    struct error error;
    (void)error_set(&error, ERR_REJECTED, "the editor answered: " STR_FMT,
                    STR_ARG(str_sub(msg, 0, 160)));
    finish_asked(r, id, (struct json){0}, &error);
}

/* -- cancelling -- */

static void cancel_pending(struct rpc_pending *p)
{
    if (!p->call.is_cancelled) {
        p->call.is_cancelled = true;
        if (p->on_cancel) {
            p->on_cancel(p->user);
        }
    }
}

void rpc_cancel(struct rpc *r, struct json params)
{
    struct rpc_call call = {0};
    if (!read_id(json_get(params, STR("id")), &call)) {
        return;
    }
    struct rpc_pending *p = find_pending(r, &call);
    if (p) {
        r->stats.n_cancels++;
        cancel_pending(p);
    }
}

void rpc_cancel_all(struct rpc *r)
{
    struct rpc_pending *p = NULL, *next = NULL;
    HASH_ITER(hh, r->pending, p, next)
    {
        cancel_pending(p);
    }
}

struct rpc_call *rpc_defer(struct rpc_call *call, rpc_cancel_fn *on_cancel, void *user)
{
    struct rpc *r = call->rpc;
    ASSERT(call->is_request && !call->is_answered && !call->is_deferred);
    call->is_deferred = true;
    struct rpc_pending *p = xcalloc(1, sizeof *p);
    str key = id_key(call, &r->arena);
    p->key = xmemdup(key.ptr, key.len);
    p->on_cancel = on_cancel;
    p->user = user;
    p->call = (struct rpc_call){
        .rpc = r, .is_request = true, .is_deferred = true, .id_number = call->id_number};
    p->call.id_is_string = call->id_is_string;
    if (call->id_is_string) {
        p->call.id_text = str_of(p->key + 1, key.len - 1);
    }
    p->call.pending = p;
    HASH_ADD_KEYPTR(hh, r->pending, p->key, (unsigned)key.len, p);
    return &p->call;
}

static void forget(struct rpc_pending *p)
{
    HASH_DEL(p->call.rpc->pending, p);
    xfree(p->key);
    xfree(p);
}

/* -- what goes out -- */

static struct json_writer *begin(struct rpc *r)
{
    ASSERT(!r->is_writing);
    r->is_writing = true;
    buf_clear(&r->out);
    (void)buf_reserve(&r->out, HEADER_ROOM);
    buf_commit(&r->out, HEADER_ROOM);
    r->writer = json_writer(&r->out);
    json_begin_object(&r->writer);
    json_key(&r->writer, STR("jsonrpc"));
    json_put_raw(&r->writer, STR("\"2.0\""));
    return &r->writer;
}

static struct json_writer *begin_answer(struct rpc_call *call)
{
    struct rpc *r = call->rpc;
    ASSERT(call->is_request && !call->is_answered);
    call->is_answered = true;
    r->answering = call;
    struct json_writer *w = begin(r);
    json_key(w, STR("id"));
    if (call->id_is_null) {
        json_put_null(w);
    } else if (call->id_is_string) {
        json_put_str(w, call->id_text);
    } else {
        json_put_int(w, call->id_number);
    }
    return w;
}

struct json_writer *rpc_result(struct rpc_call *call)
{
    struct json_writer *w = begin_answer(call);
    json_key(w, STR("result"));
    return w;
}

void rpc_result_null(struct rpc_call *call)
{
    json_put_null(rpc_result(call));
    rpc_send(call->rpc);
}

static void write_error(struct rpc_call *call, enum rpc_code code, str message)
{
    struct json_writer *w = begin_answer(call);
    json_key(w, STR("error"));
    json_begin_object(w);
    json_key_int(w, STR("code"), code);
    json_key_str(w, STR("message"), message);
    json_end_object(w);
    call->rpc->stats.n_errors++;
    rpc_send(call->rpc);
}

void rpc_fail(struct rpc_call *call, enum rpc_code code, const char *fmt, ...)
{
    char message[512];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(message, sizeof message, fmt, args);
    va_end(args);
    size_t len = n < 0 ? 0 : (size_t)n;
    write_error(call, code, str_of(message, len < sizeof message ? len : sizeof message - 1));
}

struct json_writer *rpc_notify(struct rpc *r, str method, bool may_drop)
{
    size_t most = r->options.max_out_bytes / 8;
    most = most < STALE_MAX_BYTES ? most : STALE_MAX_BYTES;
    if (r->is_lost || (may_drop && r->options.queued(r->options.writer_user) > most)) {
        r->stats.n_dropped++;
        return NULL;
    }
    struct json_writer *w = begin(r);
    json_key_str(w, STR("method"), method);
    json_key(w, STR("params"));
    return w;
}

struct json_writer *rpc_request(struct rpc *r, str method, uint64_t deadline_us, rpc_reply_fn *fn,
                                void *user)
{
    struct rpc_asked *asked = xcalloc(1, sizeof *asked);
    *asked = (struct rpc_asked){++r->last_id, deadline_us, fn, user, r->asked};
    r->asked = asked;
    struct json_writer *w = begin(r);
    json_key_int(w, STR("id"), asked->id);
    json_key_str(w, STR("method"), method);
    json_key(w, STR("params"));
    return w;
}

/* Fills the gap before the body with its header, and gives the whole. */
static str seal(struct buf *out)
{
    char header[HEADER_ROOM + 1];
    int n = snprintf(header, sizeof header, "Content-Length: %zu\r\n\r\n", out->len - HEADER_ROOM);
    ASSERT(n > 0 && (unsigned)n <= HEADER_ROOM);
    char *start = out->ptr + HEADER_ROOM - n;
    memcpy(start, header, (size_t)n);
    return str_of(start, out->len - HEADER_ROOM + (size_t)n);
}

void rpc_send(struct rpc *r)
{
    json_end_object(&r->writer);
    ASSERT(r->is_writing && r->writer.depth == 0);
    r->is_writing = false;
    struct rpc_call *call = r->answering;
    r->answering = NULL;
    if (r->out.is_full) {
        log_error(LOG_RPC, "a message of more than %u bytes isn't sent", RPC_MAX_OUT_BYTES);
        if (call) {
            call->is_answered = false;
            write_error(call, RPC_INTERNAL_ERROR, STR("the answer is too large"));
        }
        return;
    }
    str message = seal(&r->out);
    r->stats.n_bytes_out += message.len;
    if (!r->is_lost) {
        r->options.write(message, r->options.writer_user);
    }
    if (r->out.cap > OUT_KEEP_BYTES) {
        buf_release(&r->out);
        buf_init(&r->out, RPC_MAX_OUT_BYTES);
    }
    if (call && call->pending) {
        forget(call->pending);
    }
    if (r->options.queued(r->options.writer_user) > r->options.max_out_bytes) {
        lose(r, "the peer doesn't read");
    }
}

/* -- requests of ours -- */

static void finish_asked(struct rpc *r, int64_t id, struct json result, const struct error *error)
{
    for (struct rpc_asked **at = &r->asked; *at; at = &(*at)->next) {
        struct rpc_asked *asked = *at;
        if (asked->id == id) {
            *at = asked->next;
            asked->fn(result, error, asked->user);
            xfree(asked);
            return;
        }
    }
    log_debug(LOG_RPC, "answer to nothing that was asked");
}

uint64_t rpc_next_us(const struct rpc *r)
{
    uint64_t next_us = CLOCK_NEVER;
    for (const struct rpc_asked *asked = r->asked; asked; asked = asked->next) {
        next_us = asked->deadline_us < next_us ? asked->deadline_us : next_us;
    }
    return next_us;
}

void rpc_tick(struct rpc *r, uint64_t now_us)
{
    while (rpc_next_us(r) <= now_us) {
        for (struct rpc_asked *asked = r->asked; asked; asked = asked->next) {
            if (asked->deadline_us <= now_us) {
                struct error error;
                (void)error_set(&error, ERR_TIMEOUT, "the editor didn't answer");
                finish_asked(r, asked->id, (struct json){0}, &error);
                break;
            }
        }
    }
}
