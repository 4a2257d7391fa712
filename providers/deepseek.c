/* deepseek.c - DeepSeek's API: filling holes in beta, and chat.
 *
 * Why      A hole is asked about at another path (/beta/completions) with fields for both sides,
 *          and its models think before they answer a chat unless they are told not to.
 * How      The list has names alone; every model fills holes but those that reason always. Under
 *          load it sends comments into a stream and blank lines before a whole answer, which the
 *          reader skips.
 * Rules    4096 tokens are the limit, of the text around a hole as well as of what fills it: the
 * text is cut to what fits whatever its tokens, and so is max_tokens. 16 stop strings at most.
 */
#include "core/base/utf8.h"
#include "providers/body.h"
#include "providers/listing.h"
#include "providers/reply.h"

#define MAX_STOPS      16u
#define MAX_FIM_TOKENS 4096u
#define PREFIX_BYTES   3000u /* a token has a byte at least */
#define SUFFIX_BYTES   1000u

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
    bool is_reasoner = str_contains_nocase(m->id, STR("reasoner"));
    bool is_plain = str_contains_nocase(m->id, STR("deepseek-chat"));
    m->abilities = is_reasoner ? MODEL_CHAT : MODEL_INFILL | MODEL_CHAT;
    if (!is_reasoner && !is_plain) {
        m->abilities |= MODEL_THINKS;
    }
}

static enum probe_state probe_reply(struct probe *p, int status, str body)
{
    return listing_read(p, status, body, read_model);
}

/* -- asking -- */

static str last_bytes(str text, size_t n)
{
    size_t start = text.len > n ? text.len - n : 0;
    while (start > 0 && start < text.len && utf8_floor(text, start) != start) {
        start++;
    }
    return str_sub(text, start, text.len);
}

static void put_hole(struct body *b, const struct generate *g)
{
    str prefix = last_bytes(g->prefix, PREFIX_BYTES);
    str suffix = g->suffix.len > SUFFIX_BYTES
                     ? str_sub(g->suffix, 0, utf8_floor(g->suffix, SUFFIX_BYTES))
                     : g->suffix;
    json_key_str(&b->w, STR("prompt"), prefix.len > 0 ? prefix : STR("\n"));
    if (suffix.len > 0) {
        json_key_str(&b->w, STR("suffix"), suffix);
    }
    body_int(b, STR("max_tokens"), g->max_tokens < MAX_FIM_TOKENS ? g->max_tokens : MAX_FIM_TOKENS);
}

static void put_chat(struct body *b, const struct generate *g)
{
    body_messages(b, g);
    body_int(b, STR("max_tokens"), g->max_tokens);
    if (g->thinks && body_wants(b, STR("thinking"))) {
        body_raw(b, STR("thinking"), STR("{\"type\":\"disabled\"}"));
    }
}

static enum err encode(const struct generate *g, struct http_request *out, struct error *why)
{
    static const char *const FIXED[] = {"model", "stream", "prompt", "suffix", "messages", NULL};
    if (g->shape == GENERATE_RAW) {
        return error_set(why, ERR_REJECTED,
                         "DeepSeek takes no rendered prompts; set the model's "
                         "modelOptions.fim to \"auto\"");
    }
    struct body b;
    enum err err = body_begin(&b, out, g->extra_body, why);
    if (err == ERR_OK) {
        json_key_str(&b.w, STR("model"), g->model);
        if (g->shape == GENERATE_CHAT) {
            buf_append(&out->path, STR("/chat/completions"));
            put_chat(&b, g);
        } else {
            buf_append(&out->path, STR("/beta/completions"));
            put_hole(&b, g);
        }
        json_key_bool(&b.w, STR("stream"), true);
        body_usage(&b);
        if (g->temperature >= 0) {
            body_double(&b, STR("temperature"), g->temperature);
        }
        body_stops(&b, g, MAX_STOPS);
    }
    enum err end = body_end(&b, out, FIXED, err == ERR_OK ? why : NULL);
    return err != ERR_OK ? err : end;
}

static const char *const URL_ENDINGS[] = {"/v1", "/beta", NULL};

const struct provider_ops provider_deepseek = {
    .kind = "deepseek",
    .abilities = MODEL_INFILL | MODEL_CHAT,
    .max_stops = MAX_STOPS,
    .default_url = "https://api.deepseek.com",
    .url_endings = URL_ENDINGS,
    .warm_request = "HEAD /models",
    .probe_request = probe_request,
    .probe_reply = probe_reply,
    .encode = encode,
    .decode_begin = reply_begin,
    .decode = reply_decode,
    .decode_finish = reply_finish,
    .explain = reply_explain,
};
