/* rpc.h - one peer of JSON-RPC 2.0 in the form that the Language Server Protocol gives it.
 *
 * Bytes come in through rpc_feed, messages go out through the writer of the options; no sockets
 * and no clock are known here. Requests may be answered in any order.
 *
 *     message ──▶ on_call ──▶ answered inside the call            (most)
 *                     └─────▶ rpc_defer ─▶ answered later         (what waits for a model)
 *                                  └─▶ on_cancel, then answered all the same
 *
 * Rules: each request is answered exactly once, which is asserted: the handler answers or defers,
 * and who deferred answers. Whatever can't be understood is answered here and never seen by the
 * handler. One message is written at a time: between a begin and rpc_send nothing else is sent. */
#ifndef CRUCIBLE_LSP_RPC_H
#define CRUCIBLE_LSP_RPC_H

#include "core/base/json.h"
#include "core/base/json_write.h"
#include "core/base/metrics.h"

enum rpc_code { /* the numbers of the protocol */
                RPC_PARSE_ERROR = -32700,
                RPC_INVALID_REQUEST = -32600,
                RPC_METHOD_NOT_FOUND = -32601,
                RPC_INVALID_PARAMS = -32602,
                RPC_INTERNAL_ERROR = -32603,
                RPC_NOT_INITIALIZED = -32002,
                RPC_REQUEST_FAILED = -32803,
                RPC_CONTENT_MODIFIED = -32801,
                RPC_REQUEST_CANCELLED = -32800
};
/* The one table from our errors to theirs. */
enum rpc_code rpc_code_of(enum err err);

struct rpc;

/* One incoming request or notification. */
struct rpc_call {
    struct rpc *rpc;
    /* Valid while on_call runs; a deferred call has none of them. */
    str method;
    struct json params;  /* object, array or JSON_NONE */
    struct arena *arena; /* for what is built on the way */
    /* private from here on */
    bool is_request;
    bool is_answered;
    bool is_deferred;
    bool is_cancelled;
    bool id_is_null;
    bool id_is_string;
    int64_t id_number;
    str id_text; /* owned by a deferred call */
    struct rpc_pending *pending;
};

typedef void rpc_cancel_fn(void *user);
/* The answer to a request of ours: error NULL means success. Both valid for the call. */
typedef void rpc_reply_fn(struct json result, const struct error *error, void *user);

#define STALE_MAX_BYTES (256u * 1024u)

struct rpc_options {
    /* One whole message with its header. */
    void (*write)(str message, void *user);
    /* Bytes written that the peer hasn't read yet. */
    size_t (*queued)(void *user);
    /* A request (call->is_request) or notification. */
    void (*on_call)(struct rpc_call *call, void *user);
    /* The peer speaks something else, or doesn't read: say goodbye. Once. */
    void (*on_lost)(const char *why, void *user);
    void *user;
    void *writer_user; /* of write and queued */
    size_t max_message_bytes;
    /* Queued bytes that mean the peer is gone. Notifications that may be dropped are from an eighth
     * of it on, or from STALE_MAX_BYTES: who reads again wants the newest, not all that was. */
    size_t max_out_bytes;
};

struct rpc *rpc_create(const struct rpc_options *options);
/* Answers what is deferred with RequestCancelled, and tells our own requests ERR_CANCELLED. */
void rpc_destroy(struct rpc *r);
void rpc_feed(struct rpc *r, str bytes);
/* Nothing more is read. May be called from a handler. */
void rpc_stop(struct rpc *r);
/* Whether the input may end here without cutting a message off. */
bool rpc_is_between(const struct rpc *r);

/* -- answering -- */
/* The result is the one value that is written next, up to rpc_send. */
struct json_writer *rpc_result(struct rpc_call *call);
void rpc_result_null(struct rpc_call *call);
void rpc_fail(struct rpc_call *call, enum rpc_code code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Keeps the request open: gives what has to be answered later, which frees it. on_cancel is called
 * at most once, when the peer wants it no longer; the answer is still owed. */
struct rpc_call *rpc_defer(struct rpc_call *call, rpc_cancel_fn *on_cancel, void *user);
/* As if the peer had cancelled each open request. */
void rpc_cancel_all(struct rpc *r);
/* Handler of $/cancelRequest. */
void rpc_cancel(struct rpc *r, struct json params);

/* -- speaking -- */
/* Params are the one value that is written next, up to rpc_send. NULL where a notification that
 * may be dropped is dropped, since the peer doesn't read. */
struct json_writer *rpc_notify(struct rpc *r, str method, bool may_drop);
struct json_writer *rpc_request(struct rpc *r, str method, uint64_t deadline_us, rpc_reply_fn *fn,
                                void *user);
/* Ends and sends the message that was begun. */
void rpc_send(struct rpc *r);

/* -- time: for requests of ours that nobody answers -- */
uint64_t rpc_next_us(const struct rpc *r);
void rpc_tick(struct rpc *r, uint64_t now_us);

struct rpc_stats {
    uint64_t n_requests, n_notifications, n_cancels, n_errors, n_problems, n_dropped;
    uint64_t n_bytes_in, n_bytes_out;
    size_t n_pending;
    struct histogram handled; /* from a whole message to the end of its handler */
};
struct rpc_stats rpc_stats(const struct rpc *r);

#endif
