/* vllm.c - vLLM: raw completions of the one model that it serves, and its sleep.
 *
 * Why      The OpenAI dialect reaches it too, but doesn't know that it may be asleep, hides the
 *          tokens that would stop a text in the middle, and guesses at its context.
 * How      A probe reads the list (the model and its LoRA adapters, with max_model_len), asks
 *          /is_sleeping, which only a server with VLLM_SERVER_DEV_MODE=1 has, the version, and
 *          once what its tokenizer makes of the tokens around a hole (vocabulary.c). A
 *          server that sleeps is woken by an order like any model that has to be loaded.
 * Rules    Four stop strings at most: more are refused. `suffix` is never sent: it isn't supported.
 *          Rendered prompts ask for special tokens to be shown, since one that is hidden matches no
 *          stop string. `max_tokens` always goes along: it would be 16. Level 2 of sleep throws the
 *          weights away; waking from it takes a reload that only the server's owner can order.
 *          No port is looked at unasked: on 8000 other people's programs are under development. */
#include "core/base/limits.h"
#include "providers/body.h"
#include "providers/embed.h"
#include "providers/listing.h"
#include "providers/reply.h"
#include "providers/vocabulary.h"

#define MAX_STOPS 4u

enum dialect { DIALECT_AWAKE, DIALECT_SLEEPER };

enum step { STEP_MODELS, STEP_SLEEPING, STEP_VERSION, STEP_TOKENS };

/* -- probing -- */

static void encode_running(unsigned dialect, struct http_request *out)
{
    (void)dialect; /* others are never asked: nothing of theirs is unloaded */
    buf_append(&out->path, STR("/is_sleeping"));
}

/* Answered by the server's front, whether the model sleeps or not. */
static void encode_tokenize(const struct probe *p, struct http_request *out)
{
    struct buf text;
    buf_init(&text, 4 * KIB);
    vocabulary_append(&text);
    out->is_post = true;
    buf_append(&out->path, STR("/tokenize"));
    struct json_writer w = json_writer(&out->body);
    json_begin_object(&w);
    json_key_str(&w, STR("model"), p->models[0].id);
    json_key_str(&w, STR("prompt"), buf_str(&text));
    json_key_bool(&w, STR("add_special_tokens"), false);
    json_key_bool(&w, STR("return_token_strs"), true);
    json_end_object(&w);
    buf_release(&text);
}

static void probe_request(const struct probe *p, struct http_request *out)
{
    switch (p->step) {
    case STEP_MODELS:
        buf_append(&out->path, STR("/v1/models"));
        break;
    case STEP_SLEEPING:
        encode_running(p->dialect, out);
        break;
    case STEP_VERSION:
        buf_append(&out->path, STR("/version"));
        break;
    default: /* STEP_TOKENS is the last */
        encode_tokenize(p, out);
    }
}

static void read_model(struct model_info *m, struct json entry, struct arena *arena)
{
    str root = json_str(json_get(entry, STR("root"))); /* what is served under another name */
    bool is_renamed = root.len > 0 && !str_eq(root, m->id);
    m->name = is_renamed ? arena_printf(arena, STR_FMT " " STR_FMT,
                                        STR_ARG(str_after_last(root, '/')), STR_ARG(m->id))
                         : m->id;
    m->abilities = MODEL_RAW | MODEL_CHAT;
}

static bool take_running(struct json reply, struct model_info *models, size_t n_models)
{
    struct json sleeps = json_get(reply, STR("is_sleeping"));
    if (!json_is(sleeps, JSON_BOOL)) {
        return false;
    }
    for (size_t i = 0; i < n_models; i++) {
        models[i].is_loaded = !json_bool(sleeps, false);
    }
    return true;
}

static bool read_running(str body, struct arena *arena, struct model_info *models, size_t n_models)
{
    (void)arena; /* a loaded model keeps its name */
    struct arena scratch = {0};
    struct json reply;
    bool is_told =
        json_parse(body, &scratch, &reply, NULL) == ERR_OK && take_running(reply, models, n_models);
    arena_release(&scratch);
    return is_told;
}

/* Whether nothing is left to be asked of the tokenizer. */
static bool recall_tokens(struct probe *p)
{
    bool is_known = true;
    for (size_t i = 0; i < p->n_models; i++) {
        is_known = vocabulary_recall(p, &p->models[i]) && is_known;
    }
    return is_known;
}

/* The adapters share the tokenizer of the model under them. Older servers tell no pieces: then the
 * name goes on to be believed. */
static void read_tokens(struct probe *p, struct json reply)
{
    struct model_info *first = &p->models[0];
    bool is_told = vocabulary_read(json_get(reply, STR("token_strs")), p->arena, first);
    for (size_t i = 1; is_told && i < p->n_models; i++) {
        p->models[i].tokens = first->tokens;
        p->models[i].tokens_told = true;
    }
}

/* The answers after the list; none has to be there. */
static enum probe_state read_more(struct probe *p, struct json reply)
{
    if (p->step == STEP_SLEEPING) {
        bool has_sleep = take_running(reply, p->models, p->n_models);
        p->dialect = has_sleep ? DIALECT_SLEEPER : DIALECT_AWAKE;
        p->is_static = !has_sleep;
        return PROBE_MORE;
    }
    if (p->step == STEP_VERSION) {
        p->version = arena_dup(p->arena, json_str(json_get(reply, STR("version"))));
        return recall_tokens(p) ? PROBE_READY : PROBE_MORE;
    }
    read_tokens(p, reply);
    return PROBE_READY;
}

static enum probe_state probe_reply(struct probe *p, int status, str body)
{
    if (p->step == STEP_MODELS) {
        enum probe_state state = listing_read(p, status, body, read_model);
        return state == PROBE_READY ? PROBE_MORE : state;
    }
    struct arena arena = {0};
    struct json reply = {0};
    if (status != 200 || json_parse(body, &arena, &reply, NULL) != ERR_OK) {
        reply = (struct json){0};
    }
    enum probe_state state = read_more(p, reply);
    arena_release(&arena);
    p->step++;
    return state;
}

/* -- asking -- */

static void put_shape(struct body *b, const struct generate *g, struct http_request *out)
{
    json_key_str(&b->w, STR("model"), g->model);
    if (g->shape == GENERATE_CHAT) {
        buf_append(&out->path, STR("/v1/chat/completions"));
        body_messages(b, g);
    } else {
        buf_append(&out->path, STR("/v1/completions"));
        json_key_str(&b->w, STR("prompt"), g->prompt);
        body_texts(b, g);
        body_bool(b, STR("skip_special_tokens"), false);
    }
}

static enum err encode(const struct generate *g, struct http_request *out, struct error *why)
{
    static const char *const FIXED[] = {"model", "stream", "prompt", "messages", "suffix", NULL};
    if (g->shape == GENERATE_INFILL) {
        return error_set(why, ERR_REJECTED,
                         "vLLM fills holes by a rendered prompt or by chat only");
    }
    struct body b;
    enum err err = body_begin(&b, out, g->extra_body, why);
    if (err == ERR_OK) {
        put_shape(&b, g, out);
        if (body_wants(&b, STR("max_completion_tokens"))) {
            body_int(&b, STR("max_tokens"), g->max_tokens);
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

/* -- waking and putting to sleep -- */

static enum err encode_order(const struct load_order *l, const char *path, struct http_request *out,
                             struct error *why)
{
    if (l->dialect != DIALECT_SLEEPER) {
        return error_set(why, ERR_REJECTED,
                         "this vLLM serves one model for as long as it runs; with "
                         "VLLM_SERVER_DEV_MODE=1 and --enable-sleep-mode it can sleep");
    }
    out->is_post = true;
    buf_append(&out->path, str_from(path));
    return ERR_OK;
}

static enum err encode_load(const struct load_order *l, struct http_request *out, struct error *why)
{
    return encode_order(l, "/wake_up", out, why);
}

/* Level 1: the weights wait in the machine's memory. */
static enum err encode_unload(const struct load_order *l, struct http_request *out,
                              struct error *why)
{
    return encode_order(l, "/sleep?level=1", out, why);
}

static const char *const URL_ENDINGS[] = {"/v1", NULL};

static enum err encode_embed(const struct embed_order *o, struct http_request *out,
                             struct error *why)
{
    return embed_encode(o, "/v1/embeddings", out, why);
}

const struct provider_ops provider_vllm = {
    .kind = "vllm",
    .start_hint = "vllm serve Qwen/Qwen2.5-Coder-1.5B",
    .run_hint = "vllm serve Qwen/Qwen2.5-Coder-1.5B --port %PORT",
    .context_hint = "start vLLM with a larger --max-model-len",
    .capabilities = PROVIDER_SEVERAL,
    .abilities = MODEL_RAW | MODEL_CHAT,
    .max_stops = MAX_STOPS,
    .default_url = "http://127.0.0.1:8000",
    .url_endings = URL_ENDINGS,
    .warm_request = "GET /version",
    .probe_request = probe_request,
    .probe_reply = probe_reply,
    .encode = encode,
    .encode_embed = encode_embed,
    .read_embed = embed_read,
    .decode_begin = reply_begin,
    .decode = reply_decode,
    .decode_finish = reply_finish,
    .explain = reply_explain,
    .encode_load = encode_load,
    .encode_unload = encode_unload,
    .encode_running = encode_running,
    .read_running = read_running,
};
