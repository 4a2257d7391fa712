/* lmstudio.c - LM Studio: its own API for models, the OpenAI dialect for questions.
 *
 * Why      Only its own API says which models are loaded, and loads one so that it stays: a model
 *          that is loaded by being asked goes after an hour, or as soon as another one is asked,
 *          since the server keeps a single one of that kind.
 * How      A probe reads GET /api/v1/models, or /api/v0/models of a server before 0.4, which can
 *          only be made to load a model by asking it for one token. Questions go to
 *          /v1/completions, which applies no template, with our own around the hole, and to
 *          /v1/chat/completions.
 * Rules    A path that it doesn't know is answered with status 200 and an error: only what has the
 *          shape of a list is one. A question is sent to a loaded model by the name that it is
 *          loaded under, with a `ttl` in case it has gone meanwhile; an answer of another model is
 *          refused. What an order loads stays until somebody unloads it: there is no ttl for it.
 *          A prompt that is being read can't be broken off, so a cancel frees the server late.
 *          In the user's `extraBody` the member `load` holds what decides how a model is loaded. */
#include "core/base/limits.h"
#include "providers/body.h"
#include "providers/embed.h"
#include "providers/figure.h"
#include "providers/reply.h"

enum dialect { DIALECT_V1, DIALECT_V0 };

enum step { STEP_V1, STEP_V0 };

#define OLD_TTL_S 3600u /* what a server before 0.4 takes where it is told nothing */

/* -- probing -- */

static void encode_running(unsigned dialect, struct http_request *out)
{
    buf_append(&out->path, dialect == DIALECT_V0 ? STR("/api/v0/models") : STR("/api/v1/models"));
}

static void probe_request(const struct probe *p, struct http_request *out)
{
    encode_running(p->step == STEP_V1 ? DIALECT_V1 : DIALECT_V0, out);
}

/* The list, by its shape; JSON_NONE where it is none. */
static struct json list_of(struct json reply, unsigned dialect)
{
    struct json list = json_get(reply, dialect == DIALECT_V0 ? STR("data") : STR("models"));
    return json_is(list, JSON_ARRAY) ? list : (struct json){0};
}

static str id_of(struct json entry, unsigned dialect)
{
    return json_str(json_get(entry, dialect == DIALECT_V0 ? STR("id") : STR("key")));
}

/* Whether it is loaded, and under which name; the name is the id's or the arena's. */
static void read_state(struct model_info *m, struct json entry, struct arena *arena)
{
    struct json first = json_at(json_get(entry, STR("loaded_instances")), 0);
    str name = json_str(json_get(first, STR("id")));
    uint64_t n_ctx = figure_count(json_get(json_get(first, STR("config")), STR("context_length")));
    m->is_loaded =
        json_is(first, JSON_OBJECT) || json_str_eq(json_get(entry, STR("state")), STR("loaded"));
    m->is_starting = json_str_eq(json_get(entry, STR("state")), STR("loading"));
    if (str_eq(name, m->id)) {
        m->loaded_as = STR("");
    } else if (!str_eq(name, m->loaded_as)) {
        m->loaded_as = arena_dup(arena, name);
    }
    n_ctx = n_ctx > 0 ? n_ctx : figure_count(json_get(entry, STR("loaded_context_length")));
    m->loaded_ctx = m->is_loaded ? n_ctx : 0;
    m->n_ctx = n_ctx > 0 ? n_ctx : m->n_ctx;
}

static void read_model(struct probe *p, struct json entry)
{
    str id = id_of(entry, p->dialect);
    if (id.len == 0) {
        return;
    }
    struct model_info *m = &p->models[p->n_models++];
    str title = json_str(json_get(entry, STR("display_name")));
    bool is_embedding = str_starts_with(json_str(json_get(entry, STR("type"))), STR("embedding"));
    m->id = arena_dup(p->arena, id);
    m->name = title.len == 0
                  ? m->id
                  : arena_printf(p->arena, STR_FMT " " STR_FMT, STR_ARG(id), STR_ARG(title));
    m->abilities = is_embedding ? MODEL_EMBEDS : MODEL_RAW | MODEL_CHAT;
    m->n_bytes = figure_count(json_get(entry, STR("size_bytes")));
    m->n_params = figure_params(json_str(json_get(entry, STR("params_string"))));
    m->n_ctx = figure_count(json_get(entry, STR("max_context_length")));
    read_state(m, entry, p->arena);
    struct json instance = json_at(json_get(entry, STR("loaded_instances")), 0);
    uint64_t n_slots = figure_count(json_get(json_get(instance, STR("config")), STR("parallel")));
    if (n_slots > 0 && n_slots < 1024) {
        p->n_slots = (unsigned)n_slots;
    }
}

static enum probe_state read_list(struct probe *p, struct json list)
{
    size_t n = json_count(list);
    p->models = arena_alloc(p->arena, (n < MODELS_MAX ? n : MODELS_MAX) * sizeof *p->models);
    p->n_models = 0;
    struct json_iter it = json_iter(list);
    struct json entry;
    while (p->n_models < MODELS_MAX && json_next(&it, NULL, &entry)) {
        read_model(p, entry);
    }
    p->version = p->dialect == DIALECT_V0 ? STR("API v0") : STR("API v1");
    return PROBE_READY;
}

static enum probe_state probe_reply(struct probe *p, int status, str body)
{
    if (status == 401 || status == 403) {
        p->hint = "make a token in its Developer page, and put it into the endpoint's apiKeyFile";
        return PROBE_REFUSED;
    }
    struct arena arena = {0};
    struct json reply = {0};
    p->dialect = p->step == STEP_V1 ? DIALECT_V1 : DIALECT_V0;
    struct json list = {0};
    if (status == 200 && json_parse(body, &arena, &reply, NULL) == ERR_OK) {
        list = list_of(reply, p->dialect);
    }
    enum probe_state state = PROBE_FOREIGN;
    if (json_is(list, JSON_ARRAY)) {
        state = read_list(p, list);
    } else if (p->step == STEP_V1 && status != 0) {
        state = PROBE_MORE;
    }
    arena_release(&arena);
    p->step++;
    return state;
}

static bool take_running(struct json reply, struct arena *arena, struct model_info *models,
                         size_t n_models)
{
    unsigned dialect = json_is(json_get(reply, STR("data")), JSON_ARRAY) ? DIALECT_V0 : DIALECT_V1;
    struct json list = list_of(reply, dialect);
    if (!json_is(list, JSON_ARRAY)) {
        return false;
    }
    for (size_t i = 0; i < n_models; i++) {
        models[i].is_loaded = models[i].is_starting = false;
    }
    struct json_iter it = json_iter(list);
    struct json entry;
    while (json_next(&it, NULL, &entry)) {
        str id = id_of(entry, dialect);
        for (size_t i = 0; i < n_models; i++) {
            if (str_eq(id, models[i].id)) {
                read_state(&models[i], entry, arena);
            }
        }
    }
    return true;
}

static bool read_running(str body, struct arena *arena, struct model_info *models, size_t n_models)
{
    struct arena scratch = {0};
    struct json reply;
    bool is_told = json_parse(body, &scratch, &reply, NULL) == ERR_OK &&
                   take_running(reply, arena, models, n_models);
    arena_release(&scratch);
    return is_told;
}

/* -- asking -- */

static void put_shape(struct body *b, const struct generate *g, struct http_request *out)
{
    json_key_str(&b->w, STR("model"), g->loaded_as.len > 0 ? g->loaded_as : g->model);
    if (g->shape == GENERATE_CHAT) {
        buf_append(&out->path, STR("/v1/chat/completions"));
        body_messages(b, g);
    } else {
        buf_append(&out->path, STR("/v1/completions"));
        json_key_str(&b->w, STR("prompt"), g->prompt);
    }
}

static enum err encode(const struct generate *g, struct http_request *out, struct error *why)
{
    static const char *const FIXED[] = {"model",  "stream", "prompt", "messages",
                                        "suffix", "load",   NULL};
    if (g->shape == GENERATE_INFILL) {
        return error_set(why, ERR_REJECTED,
                         "LM Studio fills holes by a rendered prompt or by chat only");
    }
    struct body b;
    enum err err = body_begin(&b, out, g->extra_body, why);
    if (err == ERR_OK) {
        put_shape(&b, g, out);
        body_int(&b, STR("max_tokens"), g->max_tokens);
        json_key_bool(&b.w, STR("stream"), true);
        if (g->dialect == DIALECT_V1) {
            body_usage(&b);
        }
        if (g->temperature >= 0) {
            body_double(&b, STR("temperature"), g->temperature);
        }
        body_stops(&b, g, SIZE_MAX);
        if (g->keep_s > 0) {
            body_int(&b, STR("ttl"), (int64_t)g->keep_s);
        }
    }
    enum err end = body_end(&b, out, FIXED, err == ERR_OK ? why : NULL);
    return err != ERR_OK ? err : end;
}

/* -- loading -- */

/* What decides how it is loaded: ours, and the members of the user's `load`. */
static void put_load(struct body *b, const struct load_order *l)
{
    struct json own = json_get(b->extra, STR("load"));
    json_key_str(&b->w, STR("model"), l->model);
    if (l->n_ctx > 0 && json_is(json_get(own, STR("context_length")), JSON_NONE)) {
        json_key_int(&b->w, STR("context_length"), l->n_ctx);
    }
    struct json_iter it = json_iter(own);
    struct json value;
    str key;
    while (json_next(&it, &key, &value)) {
        if (!str_eq(key, STR("model"))) {
            body_raw(b, key, json_raw(value));
        }
    }
}

/* A server before 0.4 is asked for a single token, and told how long to keep the model. */
static void put_old_load(struct body *b, const struct load_order *l)
{
    json_key_str(&b->w, STR("model"), l->model);
    json_key_str(&b->w, STR("prompt"), STR("\n"));
    json_key_int(&b->w, STR("max_tokens"), 1);
    json_key_bool(&b->w, STR("stream"), false);
    json_key_int(&b->w, STR("ttl"), (int64_t)(l->keep_s > 0 ? l->keep_s : OLD_TTL_S));
}

static enum err encode_load(const struct load_order *l, struct http_request *out, struct error *why)
{
    static const char *const NONE[] = {NULL};
    struct body b;
    enum err err = body_begin(&b, out, l->extra_body, why);
    if (err == ERR_OK && l->dialect == DIALECT_V1) {
        buf_append(&out->path, STR("/api/v1/models/load"));
        put_load(&b, l);
    } else if (err == ERR_OK) {
        buf_append(&out->path, STR("/v1/completions"));
        put_old_load(&b, l);
    }
    b.extra = (struct json){0}; /* the others are for questions */
    enum err end = body_end(&b, out, NONE, err == ERR_OK ? why : NULL);
    return err != ERR_OK ? err : end;
}

static enum err encode_unload(const struct load_order *l, struct http_request *out,
                              struct error *why)
{
    if (l->dialect != DIALECT_V1) {
        return error_set(why, ERR_REJECTED,
                         "LM Studio before 0.4 can't be told to unload a model; run: lms unload");
    }
    out->is_post = true;
    buf_append(&out->path, STR("/api/v1/models/unload"));
    struct json_writer w = json_writer(&out->body);
    json_begin_object(&w);
    json_key_str(&w, STR("instance_id"), l->loaded_as.len > 0 ? l->loaded_as : l->model);
    json_end_object(&w);
    return ERR_OK;
}

/* Status 200 may carry an error. An answer that is longer than what is kept of one has none. */
static enum load_state read_load(int status, str body)
{
    if (status != 200) {
        return LOAD_FAILED;
    }
    struct arena arena = {0};
    struct json reply = {0};
    bool has_failed = json_parse(body, &arena, &reply, NULL) == ERR_OK &&
                      !json_is(json_get(reply, STR("error")), JSON_NONE);
    arena_release(&arena);
    return has_failed ? LOAD_FAILED : LOAD_DONE;
}

/* -- failures -- */

static void set_quoting(struct error *out, enum err code, const char *advice, str message)
{
    struct buf text;
    buf_init(&text, ERROR_MSG_BYTES - 1);
    buf_append(&text, str_from(advice));
    reply_quote(&text, message);
    error_set(out, code, "%s", buf_cstr(&text));
    buf_release(&text);
}

/* What is this server's own way of failing; false for everything else. */
static bool explain_own(str type, str message, struct error *out)
{
    if (str_contains_nocase(message, STR("unexpected endpoint or method"))) {
        set_quoting(out, ERR_NOT_FOUND,
                    "this version of LM Studio doesn't know the address; update it, or correct "
                    "the endpoint's url",
                    message);
    } else if (str_contains_nocase(message, STR("insufficient system resources")) ||
               str_contains_nocase(message, STR("model loading was stopped"))) {
        set_quoting(out, ERR_STATUS,
                    "there isn't enough memory for this model; unload another one, or choose a "
                    "smaller one",
                    message);
    } else if (str_contains_nocase(message, STR("no models loaded"))) {
        error_set(out, ERR_NOT_FOUND,
                  "no model is loaded, and loading when asked is switched off; run: lms load");
    } else if (str_eq(type, STR("model_not_found"))) {
        set_quoting(out, ERR_NOT_FOUND, "the server has no such model; get it with: lms get NAME",
                    message);
    } else if (str_contains_nocase(message, STR("failed to load model"))) {
        set_quoting(out, ERR_STATUS, "the model can't be loaded", message);
    } else {
        return false;
    }
    return true;
}

static void explain(int status, str body, struct error *out)
{
    struct arena arena = {0};
    struct json reply = {0};
    if (json_parse(body, &arena, &reply, NULL) != ERR_OK) {
        reply = (struct json){0};
    }
    struct json error = json_get(reply, STR("error"));
    str message = json_str(json_get(error, STR("message")));
    message = message.len > 0 ? message : json_str(error);
    if (explain_own(json_str(json_get(error, STR("type"))), message, out)) {
        out->detail = status;
    } else {
        reply_explain(status, body, out);
    }
    arena_release(&arena);
}

static const uint16_t PORTS[] = {1234, 0};
static const char *const URL_ENDINGS[] = {"/api/v1", "/api/v0", "/v1", NULL};

static enum err encode_embed(const struct embed_order *o, struct http_request *out,
                             struct error *why)
{
    return embed_encode(o, "/v1/embeddings", out, why);
}

const struct provider_ops provider_lmstudio = {
    .kind = "lmstudio",
    .start_hint = "lms get qwen2.5-coder-1.5b",
    .run_hint = "lms server start --port %PORT",
    .context_hint = "set numCtx in modelOptions, or load it with a larger context in LM Studio",
    .capabilities = PROVIDER_TELLS_MODEL,
    .abilities = MODEL_RAW | MODEL_CHAT,
    .ports = PORTS,
    .max_stops = SIZE_MAX,
    .default_url = "http://127.0.0.1:1234",
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
    .explain = explain,
    .encode_load = encode_load,
    .read_load = read_load,
    .encode_unload = encode_unload,
    .encode_running = encode_running,
    .read_running = read_running,
};
