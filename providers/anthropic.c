/* anthropic.c - Anthropic's messages: chat, by which holes are filled too where a list says so.
 *
 * Why      Its key goes in a header of its own, a version of the API along with it, and its streams
 *          are named events without an end mark.
 * How      The events are read where all others are (reply.c), by what each one holds.
 * Rules    `max_tokens` is required. No temperature is sent: newer models refuse one, and who wants
 *          it has extraBody. Stop strings of blanks alone are refused, so they stay here. An error
 *          may come as an event after status 200, most often that the server is overloaded. */
#include "providers/body.h"
#include "providers/listing.h"
#include "providers/reply.h"

/* -- probing -- */

static void probe_request(const struct probe *p, struct http_request *out)
{
    (void)p; /* a single question */
    buf_append(&out->path, STR("/v1/models?limit=100"));
}

static void read_model(struct model_info *m, struct json entry, struct arena *arena)
{
    (void)entry;
    (void)arena;
    m->abilities = MODEL_CHAT;
}

static enum probe_state probe_reply(struct probe *p, int status, str body)
{
    return listing_read(p, status, body, read_model);
}

/* -- asking -- */

static void put_messages(struct body *b, const struct generate *g)
{
    if (g->system.len > 0 && body_wants(b, STR("system"))) {
        json_key_str(&b->w, STR("system"), g->system);
    }
    struct generate alone = *g;
    alone.system = STR("");
    body_messages(b, &alone);
}

static void put_stops(struct body *b, const struct generate *g)
{
    bool has_any = false;
    for (size_t i = 0; i < g->n_stops; i++) {
        has_any = has_any || str_trim(g->stops[i]).len > 0;
    }
    if (!has_any || !body_wants(b, STR("stop_sequences"))) {
        return;
    }
    json_key(&b->w, STR("stop_sequences"));
    json_begin_array(&b->w);
    for (size_t i = 0; i < g->n_stops; i++) {
        if (str_trim(g->stops[i]).len > 0) {
            json_put_str(&b->w, g->stops[i]);
        }
    }
    json_end_array(&b->w);
}

static enum err encode(const struct generate *g, struct http_request *out, struct error *why)
{
    static const char *const FIXED[] = {"model", "stream", "messages", NULL};
    if (g->shape != GENERATE_CHAT) {
        return error_set(why, ERR_REJECTED,
                         "Anthropic's models chat and don't fill holes; name another one in "
                         "models.inline");
    }
    struct body b;
    enum err err = body_begin(&b, out, g->extra_body, why);
    if (err == ERR_OK) {
        buf_append(&out->path, STR("/v1/messages"));
        json_key_str(&b.w, STR("model"), g->model);
        put_messages(&b, g);
        body_int(&b, STR("max_tokens"), g->max_tokens);
        json_key_bool(&b.w, STR("stream"), true);
        put_stops(&b, g);
    }
    enum err end = body_end(&b, out, FIXED, err == ERR_OK ? why : NULL);
    return err != ERR_OK ? err : end;
}

static const char *const URL_ENDINGS[] = {"/v1", NULL};
static const char *const HEADERS[] = {"anthropic-version: 2023-06-01", NULL};

const struct provider_ops provider_anthropic = {
    .kind = "anthropic",
    .abilities = MODEL_CHAT,
    .max_stops = SIZE_MAX,
    .default_url = "https://api.anthropic.com",
    .url_endings = URL_ENDINGS,
    .key_header = "x-api-key",
    .headers = HEADERS,
    .warm_request = "HEAD /v1/models",
    .probe_request = probe_request,
    .probe_reply = probe_reply,
    .encode = encode,
    .decode_begin = reply_begin,
    .decode = reply_decode,
    .decode_finish = reply_finish,
    .explain = reply_explain,
};
