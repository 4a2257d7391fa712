/* llamacpp.c - llama-server of llama.cpp, one model or router mode.
 *
 * Why      It renders the hole's template itself (/infill), keeps a KV cache per slot, and says
 *          what its vocabulary knows, so that nothing has to be guessed from a model's name.
 * How      A probe asks /props (is it one, what does it run), the list of models, and /tokenize:
 *          every spelling of the tokens around a hole in one text (vocabulary.c). With a prefix, a
 *          suffix and a middle among those that come back as one piece /infill works. What was
 *          told once isn't asked again, and who sleeps isn't asked. Of a router the models that it
 *          has awake are asked alone: any question about another would load it. It answers an
 *          order to load at once; its list says when the model is there.
 * Rules    Always streams: a request that doesn't can't be cancelled. The user's text never stands
 *          in /infill's `prompt`, which is read for control tokens; prefix and suffix are not.
 *          A router's models are only ever loaded by an order: its questions say autoload=false. */
#include "core/base/json.h"
#include "core/base/limits.h"
#include "providers/body.h"
#include "providers/embed.h"
#include "providers/figure.h"
#include "providers/reply.h"
#include "providers/vocabulary.h"

#define ASKED_MAX 8u /* tokenizers of a router that one look asks; the next one asks on */

#define TOP_K 40
#define TOP_P 0.9

enum step { STEP_PROPS, STEP_MODELS, STEP_TOKENS };

enum dialect { DIALECT_SINGLE, DIALECT_ROUTER };

/* Whose tokenizers are to be asked: models that are awake. struct probe's notes. */
struct notes {
    bool is_sleeping; /* the only one */
    size_t asked[ASKED_MAX], n_asked;
};

/* -- probing -- */

static bool is_router(const struct probe *p)
{
    return p->dialect == DIALECT_ROUTER;
}

static void encode_running(unsigned dialect, struct http_request *out)
{
    buf_append(&out->path, dialect == DIALECT_ROUTER ? STR("/models") : STR("/v1/models"));
}

/* The model that this step asks about. */
static struct model_info *asked_model(const struct probe *p)
{
    const struct notes *notes = p->notes;
    return &p->models[is_router(p) ? notes->asked[p->step - STEP_TOKENS] : 0];
}

/* A router's model that has been unloaded meanwhile stays so. */
static void encode_tokenize(const struct probe *p, struct http_request *out)
{
    struct buf text;
    buf_init(&text, 4 * KIB);
    vocabulary_append(&text);
    out->is_post = true;
    buf_append(&out->path, is_router(p) ? STR("/tokenize?autoload=false") : STR("/tokenize"));
    struct json_writer w = json_writer(&out->body);
    json_begin_object(&w);
    if (is_router(p)) {
        json_key_str(&w, STR("model"), asked_model(p)->id);
    }
    json_key_str(&w, STR("content"), buf_str(&text));
    json_key_bool(&w, STR("add_special"), false);
    json_key_bool(&w, STR("parse_special"), true);
    json_key_bool(&w, STR("with_pieces"), true);
    json_end_object(&w);
    buf_release(&text);
}

static void probe_request(const struct probe *p, struct http_request *out)
{
    switch (p->step) {
    case STEP_PROPS:
        buf_append(&out->path, STR("/props"));
        break;
    case STEP_MODELS:
        encode_running(p->dialect, out);
        break;
    default: /* STEP_TOKENS and on, one model each */
        encode_tokenize(p, out);
    }
}

static str last_name(str path)
{
    size_t at = path.len;
    while (at > 0 && path.ptr[at - 1] != '/' && path.ptr[at - 1] != '\\') {
        at--;
    }
    return str_sub(path, at, path.len);
}

static bool looks_like_llama_server(struct json props)
{
    return json_is(json_get(props, STR("default_generation_settings")), JSON_OBJECT) ||
           json_is(json_get(props, STR("build_info")), JSON_STRING) ||
           json_str_eq(json_get(props, STR("role")), STR("router"));
}

static enum probe_state read_props(struct probe *p, struct json props)
{
    if (!looks_like_llama_server(props)) {
        return PROBE_FOREIGN;
    }
    p->version = arena_dup(p->arena, json_str(json_get(props, STR("build_info"))));
    struct notes *notes = arena_alloc(p->arena, sizeof *notes);
    notes->is_sleeping = json_bool(json_get(props, STR("is_sleeping")), false);
    p->notes = notes;
    uint64_t n_slots = figure_count(json_get(props, STR("total_slots")));
    p->n_slots = n_slots < 1024 ? (unsigned)n_slots : 1024;
    if (json_str_eq(json_get(props, STR("role")), STR("router"))) {
        p->dialect = DIALECT_ROUTER;
        return PROBE_MORE;
    }
    p->is_static = true;
    struct model_info *model = arena_alloc(p->arena, sizeof *model);
    str path = json_str(json_get(props, STR("model_path")));
    model->name = arena_dup(p->arena, last_name(path));
    model->id = arena_dup(p->arena, json_str(json_get(props, STR("model_alias"))));
    model->n_ctx =
        figure_count(json_get(json_get(props, STR("default_generation_settings")), STR("n_ctx")));
    model->abilities = MODEL_CHAT | MODEL_RAW;
    model->is_loaded = true;
    p->models = model;
    p->n_models = 1;
    return PROBE_MORE;
}

static void read_meta(struct model_info *model, struct json entry)
{
    struct json meta = json_get(entry, STR("meta"));
    model->n_params = figure_count(json_get(meta, STR("n_params")));
    model->n_bytes = figure_count(json_get(meta, STR("size")));
    if (model->n_ctx == 0) {
        model->n_ctx = figure_count(json_get(meta, STR("n_ctx")));
    }
    if (model->n_ctx == 0) {
        model->n_ctx = figure_count(json_get(meta, STR("n_ctx_train")));
    }
}

/* The file's name and what the server calls the model: either may tell the family. */
static str joined_name(struct arena *arena, str file, str id)
{
    if (file.len == 0 || str_eq(file, id)) {
        return id;
    }
    return id.len == 0 ? file
                       : arena_printf(arena, STR_FMT " " STR_FMT, STR_ARG(file), STR_ARG(id));
}

/* Without pieces nothing is told: the template is then chosen by the model's name. */
static void conclude_tokens(struct model_info *m)
{
    if (!m->tokens_told || vocabulary_has_raw(m)) {
        m->abilities = MODEL_CHAT | MODEL_RAW;
    } else {
        m->abilities = MODEL_CHAT;
    }
    if (vocabulary_has_all(m)) {
        m->abilities = MODEL_CHAT | MODEL_RAW | MODEL_INFILL;
    }
}

/* Whether the model's tokenizer is still to be asked. */
static bool wants_tokens(const struct probe *p, struct model_info *m)
{
    bool is_known = vocabulary_recall(p, m);
    conclude_tokens(m);
    return !is_known;
}

static enum probe_state read_single(struct probe *p, struct json reply)
{
    struct model_info *model = &p->models[0];
    struct json entry = json_at(json_get(reply, STR("data")), 0);
    str id = json_str(json_get(entry, STR("id")));
    if (id.len > 0) {
        model->id = arena_dup(p->arena, id);
    }
    read_meta(model, entry);
    model->name = joined_name(p->arena, model->name, last_name(model->id));
    const struct notes *notes = p->notes;
    return wants_tokens(p, model) && !notes->is_sleeping ? PROBE_MORE : PROBE_READY;
}

static void read_status(struct model_info *model, struct json entry)
{
    struct json status = json_get(json_get(entry, STR("status")), STR("value"));
    model->is_loaded = json_str_eq(status, STR("loaded")) || json_str_eq(status, STR("sleeping"));
    model->is_starting =
        json_str_eq(status, STR("loading")) || json_str_eq(status, STR("downloading"));
}

/* Only who is awake is asked: any other question would load or wake the model. */
static void note_asked(struct probe *p, struct model_info *m, struct json entry)
{
    struct notes *notes = p->notes;
    struct json status = json_get(json_get(entry, STR("status")), STR("value"));
    if (wants_tokens(p, m) && json_str_eq(status, STR("loaded")) && notes->n_asked < ASKED_MAX) {
        notes->asked[notes->n_asked++] = (size_t)(m - p->models);
    }
}

static enum probe_state read_router(struct probe *p, struct json reply)
{
    struct json list = json_get(reply, STR("data"));
    if (!json_is(list, JSON_ARRAY)) {
        return PROBE_FOREIGN;
    }
    size_t n = json_count(list);
    p->models = arena_alloc(p->arena, (n < MODELS_MAX ? n : MODELS_MAX) * sizeof *p->models);
    struct json_iter it = json_iter(list);
    struct json entry;
    while (p->n_models < MODELS_MAX && json_next(&it, NULL, &entry)) {
        str id = json_str(json_get(entry, STR("id")));
        if (id.len == 0) {
            continue;
        }
        struct model_info *model = &p->models[p->n_models++];
        model->id = arena_dup(p->arena, id);
        model->name = model->id;
        model->abilities = MODEL_CHAT | MODEL_RAW;
        read_status(model, entry);
        read_meta(model, entry);
        if (model->n_ctx == 0) {
            model->n_ctx = figure_count(json_get(entry, STR("context_length")));
        }
        note_asked(p, model, entry);
    }
    const struct notes *notes = p->notes;
    return notes->n_asked > 0 ? PROBE_MORE : PROBE_READY;
}

static bool take_running(struct json list, struct model_info *models, size_t n_models)
{
    if (!json_is(list, JSON_ARRAY)) {
        return false;
    }
    for (size_t i = 0; i < n_models; i++) {
        models[i].is_loaded = models[i].is_starting = false;
    }
    struct json_iter it = json_iter(list);
    struct json entry;
    while (json_next(&it, NULL, &entry)) {
        struct json id = json_get(entry, STR("id"));
        for (size_t i = 0; i < n_models; i++) {
            if (json_str_eq(id, models[i].id)) {
                read_status(&models[i], entry);
            }
        }
    }
    return true;
}

static bool read_running(str body, struct arena *arena, struct model_info *models, size_t n_models)
{
    (void)arena; /* a loaded model keeps its name */
    struct arena scratch = {0};
    struct json reply;
    bool is_told = json_parse(body, &scratch, &reply, NULL) == ERR_OK &&
                   take_running(json_get(reply, STR("data")), models, n_models);
    arena_release(&scratch);
    return is_told;
}

static enum probe_state read_tokens(struct probe *p, struct json reply)
{
    const struct notes *notes = p->notes;
    struct model_info *model = asked_model(p);
    (void)vocabulary_read(json_get(reply, STR("tokens")), p->arena, model);
    conclude_tokens(model);
    bool has_more = is_router(p) && p->step - STEP_TOKENS + 1 < notes->n_asked;
    return has_more ? PROBE_MORE : PROBE_READY;
}

/* Reads the answer to the current step; `reply` is JSON_NONE unless it came with status 200. */
static enum probe_state read_step(struct probe *p, struct json reply)
{
    switch (p->step) {
    case STEP_PROPS:
        return read_props(p, reply);
    case STEP_MODELS:
        return is_router(p) ? read_router(p, reply) : read_single(p, reply);
    default: /* STEP_TOKENS and on */
        return read_tokens(p, reply);
    }
}

static enum probe_state probe_reply(struct probe *p, int status, str body)
{
    bool is_of_one = is_router(p) && p->step >= STEP_TOKENS; /* says nothing of the router itself */
    if (!is_of_one && (status == 401 || status == 403)) {
        return PROBE_REFUSED;
    }
    if (!is_of_one && reply_is_loading(status, body)) {
        p->loading = -1;
        return PROBE_LOADING;
    }
    if (!is_of_one && status != 200 && (status < 400 || p->step == STEP_PROPS)) {
        return PROBE_FOREIGN;
    }
    struct arena arena = {0};
    struct json reply = {0};
    if (status == 200 && json_parse(body, &arena, &reply, NULL) != ERR_OK) {
        reply = (struct json){0};
    }
    enum probe_state state = read_step(p, reply);
    arena_release(&arena);
    p->step++;
    return state;
}

/* -- asking -- */

static void put_shape(struct body *b, const struct generate *g, struct http_request *out)
{
    switch (g->shape) {
    case GENERATE_INFILL:
        buf_append(&out->path, STR("/infill"));
        json_key_str(&b->w, STR("input_prefix"), g->prefix);
        json_key_str(&b->w, STR("input_suffix"), g->suffix);
        json_key_str(&b->w, STR("prompt"), str_of("", 0));
        break;
    case GENERATE_RAW:
        buf_append(&out->path, STR("/completion"));
        json_key_str(&b->w, STR("prompt"), g->prompt);
        break;
    case GENERATE_CHAT:
        buf_append(&out->path, STR("/v1/chat/completions"));
        body_messages(b, g);
        break;
    }
}

static void put_options(struct body *b, const struct generate *g)
{
    body_int(b, g->shape == GENERATE_CHAT ? STR("max_tokens") : STR("n_predict"), g->max_tokens);
    json_key_bool(&b->w, STR("stream"), true);
    body_bool(b, STR("cache_prompt"), true);
    if (g->slot >= 0) {
        body_int(b, STR("id_slot"), g->slot);
    }
    if (g->temperature >= 0) {
        body_double(b, STR("temperature"), g->temperature);
    }
    if (g->shape != GENERATE_CHAT) {
        body_int(b, STR("top_k"), TOP_K);
        body_double(b, STR("top_p"), TOP_P);
        body_texts(b, g);
    }
    body_stops(b, g, SIZE_MAX);
}

static enum err encode(const struct generate *g, struct http_request *out, struct error *why)
{
    static const char *const FIXED[] = {"model",        "stream",       "prompt", "messages",
                                        "input_prefix", "input_suffix", NULL};
    struct body b;
    enum err err = body_begin(&b, out, g->extra_body, why);
    if (err == ERR_OK) {
        if (g->model.len > 0) {
            json_key_str(&b.w, STR("model"), g->model);
        }
        put_shape(&b, g, out);
        if (g->dialect == DIALECT_ROUTER) {
            buf_append(&out->path, STR("?autoload=false"));
        }
        put_options(&b, g);
    }
    enum err end = body_end(&b, out, FIXED, err == ERR_OK ? why : NULL);
    return err != ERR_OK ? err : end;
}

/* -- loading -- */

static enum err encode_order(const struct load_order *l, const char *path, struct http_request *out,
                             struct error *why)
{
    if (l->dialect != DIALECT_ROUTER) {
        return error_set(why, ERR_REJECTED,
                         "this llama-server has one model for as long as it runs; a router of its "
                         "kind loads others: llama-server --models-dir FOLDER");
    }
    out->is_post = true;
    buf_append(&out->path, str_from(path));
    struct json_writer w = json_writer(&out->body);
    json_begin_object(&w);
    json_key_str(&w, STR("model"), l->model);
    json_end_object(&w);
    return ERR_OK;
}

static enum err encode_load(const struct load_order *l, struct http_request *out, struct error *why)
{
    return encode_order(l, "/models/load", out, why);
}

static enum err encode_unload(const struct load_order *l, struct http_request *out,
                              struct error *why)
{
    return encode_order(l, "/models/unload", out, why);
}

/* A model that somebody else has had loaded, or is having loaded, is as good. */
static enum load_state read_load(int status, str body)
{
    bool is_begun =
        status == 200 || (status == 400 && str_contains_nocase(body, STR("already running")));
    return is_begun ? LOAD_UNDER_WAY : LOAD_FAILED;
}

static void explain(int status, str body, struct error *out)
{
    reply_explain(status, body, out);
    if (status == 400 && str_contains_nocase(body, STR("model is not loaded"))) {
        error_set(out, ERR_NOT_FOUND,
                  "the router has unloaded this model meanwhile; it is loaded again when it is "
                  "asked next");
        out->detail = status;
    } else if (status == 500 && str_contains_nocase(body, STR("model limit reached"))) {
        error_set(out, ERR_STATUS,
                  "the router has as many models loaded as it may, all of them busy; start it with "
                  "a larger --models-max");
        out->detail = status;
    }
}

static const uint16_t PORTS[] = {8080, 8012, 9931, 0};

static enum err encode_embed(const struct embed_order *o, struct http_request *out,
                             struct error *why)
{
    return embed_encode(o, "/v1/embeddings", out, why);
}

const struct provider_ops provider_llamacpp = {
    .kind = "llamacpp",
    .start_hint = "llama-server --fim-qwen-1.5b-default",
    .run_hint = "llama-server --fim-qwen-1.5b-default --port %PORT",
    .context_hint = "start llama-server with a larger -c (its -np slots share it)",
    .capabilities = PROVIDER_SLOTS | PROVIDER_ONE_MODEL | PROVIDER_SEVERAL,
    .abilities = MODEL_INFILL | MODEL_RAW | MODEL_CHAT,
    .ports = PORTS,
    .max_stops = SIZE_MAX,
    .default_url = "http://127.0.0.1:8080",
    .warm_request = "GET /health",
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
