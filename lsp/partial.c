/* partial.c - partial results; see partial.h.
 *
 * Rules    A token is a string or a whole number; anything else is as if it weren't there. What is
 *          given this way is never dropped: the reply counts on it. */
#include "lsp/partial.h"

#define TOKEN_MAX_BYTES 1024u

void partial_take(struct json params, struct buf *token)
{
    struct json given = json_get(params, STR("partialResultToken"));
    buf_init(token, TOKEN_MAX_BYTES);
    bool is_token = json_is(given, JSON_STRING) || json_is_int(given);
    if (is_token && json_raw(given).len <= TOKEN_MAX_BYTES) {
        buf_append(token, json_raw(given));
    }
}

struct json_writer *partial_begin(struct rpc *rpc, str token)
{
    struct json_writer *w = rpc_notify(rpc, STR("$/progress"), false);
    if (w) {
        json_begin_object(w);
        json_key(w, STR("token"));
        json_put_raw(w, token);
        json_key(w, STR("value"));
    }
    return w;
}

void partial_send(struct rpc *rpc, struct json_writer *w)
{
    json_end_object(w);
    rpc_send(rpc);
}
