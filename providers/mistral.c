/* mistral.c - Mistral's API: filling holes with Codestral, and chat.
 *
 * Why      Its models' weights have moved on from the template that is published; the API fills
 *          holes itself (/v1/fim/completions), which no other dialect can ask for.
 * How      The list says of each model whether it fills holes and whether it chats. Answers have
 *          the shape of a chat's, also those about a hole.
 * Rules    No `stream_options` and no `seed`: unknown members are refused (its own name for a seed
 *          is `random_seed`, for the user's extraBody). codestral.mistral.ai takes a key of its own
 *          and may keep no list: it has one model. */
#include "providers/body.h"
#include "providers/embed.h"
#include "providers/listing.h"
#include "providers/reply.h"

#define CODESTRAL STR("codestral-latest")

/* -- probing -- */

static void probe_request(const struct probe *p, struct http_request *out)
{
    (void)p; /* a single question */
    buf_append(&out->path, STR("/v1/models"));
}

/* Where the list doesn't say, the name does. */
static void read_model(struct model_info *m, struct json entry, struct arena *arena)
{
    (void)arena;
    struct json can = json_get(entry, STR("capabilities"));
    bool is_codestral =
        str_contains_nocase(m->id, STR("codestral")) && !str_contains_nocase(m->id, STR("embed"));
    m->abilities = json_bool(json_get(can, STR("completion_chat")), true) ? MODEL_CHAT : 0;
    if (json_bool(json_get(can, STR("completion_fim")), is_codestral)) {
        m->abilities |= MODEL_INFILL;
    }
}

static enum probe_state probe_reply(struct probe *p, int status, str body)
{
    enum probe_state state = listing_read(p, status, body, read_model);
    bool has_no_list = status == 404 || status == 405;
    if (state == PROBE_REFUSED) {
        p->hint = "a key for Codestral alone belongs to the url https://codestral.mistral.ai";
    }
    if (has_no_list && (state == PROBE_READY || state == PROBE_FOREIGN)) {
        p->models = arena_alloc(p->arena, sizeof *p->models);
        p->models[0] = (struct model_info){.id = CODESTRAL,
                                           .name = CODESTRAL,
                                           .abilities = MODEL_INFILL | MODEL_CHAT,
                                           .is_loaded = true};
        p->n_models = 1;
        state = PROBE_READY;
    }
    return state;
}

/* -- asking -- */

/* An empty prompt is refused, and an empty suffix is none. */
static void put_hole(struct body *b, const struct generate *g)
{
    json_key_str(&b->w, STR("prompt"), g->prefix.len > 0 ? g->prefix : STR("\n"));
    if (g->suffix.len > 0) {
        json_key_str(&b->w, STR("suffix"), g->suffix);
    }
}

static enum err encode(const struct generate *g, struct http_request *out, struct error *why)
{
    static const char *const FIXED[] = {"model", "stream", "prompt", "suffix", "messages", NULL};
    if (g->shape == GENERATE_RAW) {
        return error_set(why, ERR_REJECTED,
                         "Mistral takes no rendered prompts; set the model's "
                         "modelOptions.fim to \"auto\"");
    }
    struct body b;
    enum err err = body_begin(&b, out, g->extra_body, why);
    if (err == ERR_OK) {
        json_key_str(&b.w, STR("model"), g->model);
        if (g->shape == GENERATE_CHAT) {
            buf_append(&out->path, STR("/v1/chat/completions"));
            body_messages(&b, g);
        } else {
            buf_append(&out->path, STR("/v1/fim/completions"));
            put_hole(&b, g);
        }
        body_int(&b, STR("max_tokens"), g->max_tokens);
        json_key_bool(&b.w, STR("stream"), true);
        if (g->temperature >= 0) {
            body_double(&b, STR("temperature"), g->temperature);
        }
        body_stops(&b, g, SIZE_MAX);
    }
    enum err end = body_end(&b, out, FIXED, err == ERR_OK ? why : NULL);
    return err != ERR_OK ? err : end;
}

static const char *const URL_ENDINGS[] = {"/v1", NULL};

static enum err encode_embed(const struct embed_order *o, struct http_request *out,
                             struct error *why)
{
    return embed_encode(o, "/v1/embeddings", out, why);
}

const struct provider_ops provider_mistral = {
    .kind = "mistral",
    .abilities = MODEL_INFILL | MODEL_CHAT,
    .max_stops = SIZE_MAX,
    .default_url = "https://api.mistral.ai",
    .url_endings = URL_ENDINGS,
    .warm_request = "HEAD /v1/models",
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
