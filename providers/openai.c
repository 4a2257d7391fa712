/* openai.c - any server that speaks the OpenAI dialect: /completions and /chat/completions.
 *
 * Why      The common denominator: what nearly every server offers, and nothing that some refuse.
 * How      Paths are relative to the endpoint's base path, which ends in "/v1" with most. Holes are
 *          filled by a rendered prompt.
 * Rules    `suffix` is never sent: servers ignore it silently, refuse it, or mean different things.
 *          Four stop strings at most, since more are an error in vLLM and OpenAI. Members that only
 *          some servers know are left to the user's extraBody. */
#include "providers/body.h"
#include "providers/embed.h"
#include "providers/listing.h"
#include "providers/reply.h"

#define MAX_STOPS 4u

/* -- probing -- */

static void probe_request(const struct probe *p, struct http_request *out)
{
    (void)p; /* a single question */
    buf_append(&out->path, STR("/models"));
}

static void read_model(struct model_info *m, struct json entry, struct arena *arena)
{
    (void)entry;
    (void)arena;
    m->abilities = MODEL_RAW | MODEL_CHAT; /* nothing says more */
}

static enum probe_state probe_reply(struct probe *p, int status, str body)
{
    return listing_read(p, status, body, read_model);
}

/* -- asking -- */

static enum err encode(const struct generate *g, struct http_request *out, struct error *why)
{
    static const char *const FIXED[] = {"model", "stream", "prompt", "messages", "suffix", NULL};
    if (g->shape == GENERATE_INFILL) {
        return error_set(why, ERR_REJECTED,
                         "servers of kind openai fill holes by a rendered prompt or by chat only");
    }
    struct body b;
    enum err err = body_begin(&b, out, g->extra_body, why);
    if (err == ERR_OK) {
        json_key_str(&b.w, STR("model"), g->model);
        if (g->shape == GENERATE_CHAT) {
            buf_append(&out->path, STR("/chat/completions"));
            body_messages(&b, g);
        } else {
            buf_append(&out->path, STR("/completions"));
            json_key_str(&b.w, STR("prompt"), g->prompt);
            body_texts(&b, g);
        }
        if (body_wants(&b, STR("max_completion_tokens"))) {
            body_int(&b, STR("max_tokens"), g->max_tokens);
        }
        json_key_bool(&b.w, STR("stream"), true);
        if (g->temperature >= 0) {
            body_double(&b, STR("temperature"), g->temperature);
        }
        body_stops(&b, g, MAX_STOPS);
    }
    enum err end = body_end(&b, out, FIXED, err == ERR_OK ? why : NULL);
    return err != ERR_OK ? err : end;
}

static enum err encode_embed(const struct embed_order *o, struct http_request *out,
                             struct error *why)
{
    return embed_encode(o, "/embeddings", out, why);
}

const struct provider_ops provider_openai = {
    .kind = "openai",
    .capabilities = PROVIDER_SEVERAL,
    .abilities = MODEL_RAW | MODEL_CHAT,
    .ports = NULL,
    .max_stops = MAX_STOPS,
    .warm_request = "HEAD /models",
    .probe_request = probe_request,
    .probe_reply = probe_reply,
    .encode = encode,
    .encode_embed = encode_embed,
    .read_embed = embed_read,
    .decode_begin = reply_begin,
    .decode = reply_decode,
    .decode_finish = reply_finish,
    .explain = reply_explain,
};
