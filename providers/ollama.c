/* ollama.c - Ollama's own API, which says and takes what its OpenAI dialect can't.
 *
 * Why      Only here holes are filled by the template that the model came with (`suffix`), prompts
 *          that are rendered already stay as they are (`raw`), models are loaded without being
 *          asked anything, and the server says which ones are.
 * How      A probe asks for the version (is it one), the list of models, those that are loaded,
 *          and, of each whose entry in the list lacks it, what it can do. Nothing of this loads a
 *          model. Answers are JSON objects, one to a line.
 * Rules    No option is sent that decides how a model is loaded (num_ctx, num_batch, num_thread,
 *          ...): one that differs from another editor's reloads the model, each time. What a user's
 *          `extraBody` says of them goes into loads and questions alike.
 *          An empty prompt is an order to load, and an empty suffix turns a hole into a chat: both
 *          are sent as a line end at least. Thinking is on unless it is switched off. */
#include <assert.h>
#include <string.h>

#include "core/base/json.h"
#include "core/base/limits.h"
#include "providers/body.h"
#include "providers/embed.h"
#include "providers/figure.h"
#include "providers/ndjson.h"
#include "providers/reply.h"

#define MAX_SHOWS     32u /* models that are asked for what they can do */
#define MAX_BAD_LINES 3u
#define LATEST        STR(":latest")

enum step { STEP_VERSION, STEP_TAGS, STEP_RUNNING, STEP_SHOW };

/* -- probing -- */

/* What a look remembers from answer to answer. */
struct notes {
    bool *is_unknown; /* of each model: what it can do wasn't in the list */
    size_t next;      /* the model that is asked about */
    unsigned n_shows;
};

static void encode_running(unsigned dialect, struct http_request *out)
{
    (void)dialect; /* there is one */
    buf_append(&out->path, STR("/api/ps"));
}

static void encode_show(const struct probe *p, struct http_request *out)
{
    const struct notes *notes = p->notes;
    out->is_post = true;
    buf_append(&out->path, STR("/api/show"));
    struct json_writer w = json_writer(&out->body);
    json_begin_object(&w);
    json_key_str(&w, STR("model"), p->models[notes->next].id);
    json_end_object(&w);
}

static void probe_request(const struct probe *p, struct http_request *out)
{
    switch (p->step) {
    case STEP_VERSION:
        buf_append(&out->path, STR("/api/version"));
        break;
    case STEP_TAGS:
        buf_append(&out->path, STR("/api/tags"));
        break;
    case STEP_RUNNING:
        encode_running(p->dialect, out);
        break;
    default: /* STEP_SHOW, once for each model that needs it */
        encode_show(p, out);
    }
}

static unsigned abilities_of(struct json capabilities)
{
    unsigned abilities = 0;
    struct json_iter it = json_iter(capabilities);
    struct json word;
    while (json_next(&it, NULL, &word)) {
        if (json_str_eq(word, STR("completion"))) {
            abilities |= MODEL_RAW | MODEL_CHAT;
        } else if (json_str_eq(word, STR("insert"))) {
            abilities |= MODEL_RAW | MODEL_INFILL;
        } else if (json_str_eq(word, STR("thinking"))) {
            abilities |= MODEL_THINKS;
        } else if (json_str_eq(word, STR("embedding"))) {
            abilities |= MODEL_EMBEDS;
        }
    }
    return abilities;
}

static bool is_forwarded(struct json entry, str id)
{
    return json_str(json_get(entry, STR("remote_host"))).len > 0 ||
           json_str(json_get(entry, STR("remote_model"))).len > 0 ||
           str_ends_with(id, STR(":cloud")) || str_ends_with(id, STR("-cloud"));
}

static void read_model(struct probe *p, struct json entry)
{
    struct notes *notes = p->notes;
    str id = json_str(json_get(entry, STR("model")));
    id = id.len > 0 ? id : json_str(json_get(entry, STR("name")));
    if (id.len == 0) {
        return;
    }
    struct model_info *m = &p->models[p->n_models];
    struct json details = json_get(entry, STR("details"));
    struct json capabilities = json_get(entry, STR("capabilities"));
    m->id = arena_dup(p->arena, id);
    m->name = str_ends_with(m->id, LATEST) ? str_sub(m->id, 0, m->id.len - LATEST.len) : m->id;
    m->n_bytes = figure_count(json_get(entry, STR("size")));
    m->n_params = figure_params(json_str(json_get(details, STR("parameter_size"))));
    m->n_ctx = figure_count(json_get(details, STR("context_length")));
    m->is_remote = is_forwarded(entry, id);
    m->is_loaded = m->is_remote; /* there is nothing to load here */
    bool is_known = json_is(capabilities, JSON_ARRAY);
    m->abilities = is_known ? abilities_of(capabilities) : MODEL_RAW | MODEL_CHAT;
    notes->is_unknown[p->n_models] = !is_known && !m->is_remote;
    p->n_models++;
}

static enum probe_state read_tags(struct probe *p, struct json reply)
{
    struct json list = json_get(reply, STR("models"));
    if (!json_is(list, JSON_ARRAY)) {
        return PROBE_FOREIGN;
    }
    size_t n = json_count(list);
    n = n < MODELS_MAX ? n : MODELS_MAX;
    struct notes *notes = arena_alloc(p->arena, sizeof *notes);
    notes->is_unknown = arena_alloc(p->arena, n * sizeof *notes->is_unknown);
    p->notes = notes;
    p->models = arena_alloc(p->arena, n * sizeof *p->models);
    p->n_models = 0;
    struct json_iter it = json_iter(list);
    struct json entry;
    while (p->n_models < n && json_next(&it, NULL, &entry)) {
        read_model(p, entry);
    }
    return PROBE_MORE;
}

static struct model_info *model_of(struct json entry, struct model_info *models, size_t n)
{
    struct json name = json_get(entry, STR("model"));
    name = json_is(name, JSON_STRING) ? name : json_get(entry, STR("name"));
    for (size_t i = 0; i < n; i++) {
        if (json_str_eq(name, models[i].id)) {
            return &models[i];
        }
    }
    return NULL;
}

static bool take_running(struct json reply, struct model_info *models, size_t n_models)
{
    struct json list = json_get(reply, STR("models"));
    if (!json_is(list, JSON_ARRAY)) {
        return false;
    }
    for (size_t i = 0; i < n_models; i++) {
        models[i].is_loaded = models[i].is_remote;
        models[i].loaded_ctx = 0;
    }
    struct json_iter it = json_iter(list);
    struct json entry;
    while (json_next(&it, NULL, &entry)) {
        struct model_info *m = model_of(entry, models, n_models);
        uint64_t n_ctx = figure_count(json_get(entry, STR("context_length")));
        if (m != NULL) {
            m->is_loaded = true;
            m->n_ctx = n_ctx > 0 ? n_ctx : m->n_ctx;
            m->loaded_ctx = n_ctx;
        }
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

/* `<architecture>.context_length`: the one member of that name. */
static uint64_t trained_context(struct json info)
{
    struct json_iter it = json_iter(info);
    struct json value;
    str key;
    while (json_next(&it, &key, &value)) {
        if (str_ends_with(key, STR(".context_length"))) {
            return figure_count(value);
        }
    }
    return 0;
}

static void read_show(struct model_info *m, struct json reply)
{
    struct json info = json_get(reply, STR("model_info"));
    struct json capabilities = json_get(reply, STR("capabilities"));
    uint64_t n_params = figure_count(json_get(info, STR("general.parameter_count")));
    m->n_params = n_params > 0 ? n_params : m->n_params;
    m->n_ctx = m->n_ctx > 0 ? m->n_ctx : trained_context(info);
    if (json_is(capabilities, JSON_ARRAY)) {
        m->abilities = abilities_of(capabilities);
    } else if (str_find(json_str(json_get(reply, STR("template"))), STR(".Suffix"), 0) !=
               SIZE_MAX) { /* older servers leave it to be seen */
        m->abilities |= MODEL_INFILL;
    }
    if (is_forwarded(reply, m->id)) {
        m->is_remote = m->is_loaded = true;
    }
}

/* Finds the next model to ask about, at or after notes->next. */
static enum probe_state seek_unknown(struct probe *p)
{
    struct notes *notes = p->notes;
    while (notes->next < p->n_models && !notes->is_unknown[notes->next]) {
        notes->next++;
    }
    if (notes->next == p->n_models || notes->n_shows == MAX_SHOWS) {
        return PROBE_READY;
    }
    notes->n_shows++;
    return PROBE_MORE;
}

/* Reads the answer to the current step; `reply` is JSON_NONE unless it came with status 200. */
static enum probe_state read_step(struct probe *p, struct json reply)
{
    switch (p->step) {
    case STEP_VERSION:
        p->version = arena_dup(p->arena, json_str(json_get(reply, STR("version"))));
        return p->version.len > 0 ? PROBE_MORE : PROBE_FOREIGN;
    case STEP_TAGS:
        return read_tags(p, reply);
    case STEP_RUNNING:
        (void)take_running(reply, p->models, p->n_models); /* older servers don't say */
        return seek_unknown(p);
    default: { /* STEP_SHOW: a model that has gone meanwhile is asked about for nothing */
        struct notes *notes = p->notes;
        read_show(&p->models[notes->next++], reply);
        return seek_unknown(p);
    }
    }
}

static enum probe_state probe_reply(struct probe *p, int status, str body)
{
    if (status == 401) {
        return PROBE_REFUSED;
    }
    if (status != 200 && p->step < STEP_RUNNING) {
        return PROBE_FOREIGN;
    }
    struct arena arena = {0};
    struct json reply = {0};
    if (status != 200 || json_parse(body, &arena, &reply, NULL) != ERR_OK) {
        reply = (struct json){0};
    }
    enum probe_state state = read_step(p, reply);
    arena_release(&arena);
    p->step++;
    return state;
}

/* -- asking -- */

static str or_line_end(str text)
{
    return text.len > 0 ? text : STR("\n");
}

static void put_shape(struct body *b, const struct generate *g, struct http_request *out)
{
    json_key_str(&b->w, STR("model"), g->model);
    switch (g->shape) {
    case GENERATE_INFILL:
        buf_append(&out->path, STR("/api/generate"));
        json_key_str(&b->w, STR("prompt"), or_line_end(g->prefix));
        json_key_str(&b->w, STR("suffix"), or_line_end(g->suffix));
        break;
    case GENERATE_RAW:
        buf_append(&out->path, STR("/api/generate"));
        json_key_str(&b->w, STR("prompt"), or_line_end(g->prompt));
        json_key_bool(&b->w, STR("raw"), true);
        break;
    case GENERATE_CHAT:
        buf_append(&out->path, STR("/api/chat"));
        body_messages(b, g);
        break;
    }
}

/* The options that the user's own members hold, as they were written. */
static void put_own_options(struct body *b, struct json own)
{
    struct json_iter it = json_iter(own);
    struct json value;
    str key;
    while (json_next(&it, &key, &value)) {
        body_raw(b, key, json_raw(value));
    }
}

static bool is_free(struct json own, str key)
{
    return json_is(json_get(own, key), JSON_NONE);
}

/* The same in everything that is asked of a model: another number loads it anew. */
static void put_context(struct json_writer *w, struct json own, unsigned n_ctx)
{
    if (n_ctx > 0 && is_free(own, STR("num_ctx"))) {
        json_key_int(w, STR("num_ctx"), n_ctx);
    }
}

static void put_options(struct body *b, const struct generate *g)
{
    struct json own = json_get(b->extra, STR("options"));
    json_key(&b->w, STR("options"));
    json_begin_object(&b->w);
    if (is_free(own, STR("num_predict"))) {
        json_key_int(&b->w, STR("num_predict"), g->max_tokens);
    }
    if (g->temperature >= 0 && is_free(own, STR("temperature"))) {
        json_key_double(&b->w, STR("temperature"), g->temperature);
    }
    if (g->n_stops > 0 && is_free(own, STR("stop"))) {
        json_key(&b->w, STR("stop"));
        json_begin_array(&b->w);
        for (size_t i = 0; i < g->n_stops; i++) {
            json_put_str(&b->w, g->stops[i]);
        }
        json_end_array(&b->w);
    }
    put_context(&b->w, own, g->n_ctx);
    put_own_options(b, own);
    json_end_object(&b->w);
}

static void put_keep(struct body *b, uint64_t keep_s)
{
    if (keep_s > 0) {
        body_int(b, STR("keep_alive"), (int64_t)keep_s);
    }
}

/* Names that a question can't do without, or that would make something else of it. */
static const char *const FIXED[] = {"model",    "stream", "prompt",  "suffix",  "raw", "messages",
                                    "template", "system", "context", "options", NULL};

static enum err encode(const struct generate *g, struct http_request *out, struct error *why)
{
    struct body b;
    enum err err = body_begin(&b, out, g->extra_body, why);
    if (err == ERR_OK) {
        put_shape(&b, g, out);
        json_key_bool(&b.w, STR("stream"), true);
        if (g->thinks) {
            body_bool(&b, STR("think"), false);
        }
        put_options(&b, g);
        put_keep(&b, g->keep_s);
    }
    enum err end = body_end(&b, out, FIXED, err == ERR_OK ? why : NULL);
    return err != ERR_OK ? err : end;
}

/* Without a prompt; of the user's members only those that decide how the model is loaded. */
static enum err encode_load(const struct load_order *l, struct http_request *out, struct error *why)
{
    struct body b;
    enum err err = body_begin(&b, out, l->extra_body, why);
    if (err == ERR_OK) {
        struct json own = json_get(b.extra, STR("options"));
        buf_append(&out->path, STR("/api/generate"));
        json_key_str(&b.w, STR("model"), l->model);
        json_key_bool(&b.w, STR("stream"), false);
        put_keep(&b, l->keep_s);
        if (json_is(own, JSON_OBJECT) || l->n_ctx > 0) {
            json_key(&b.w, STR("options"));
            json_begin_object(&b.w);
            put_context(&b.w, own, l->n_ctx);
            put_own_options(&b, own);
            json_end_object(&b.w);
        }
    }
    b.extra = (struct json){0}; /* its own keep_alive of 0 would unload instead */
    enum err end = body_end(&b, out, FIXED, err == ERR_OK ? why : NULL);
    return err != ERR_OK ? err : end;
}

/* A text that is too long is cut. */
static enum err encode_embed(const struct embed_order *o, struct http_request *out,
                             struct error *why)
{
    static const char *const FIXED_NAMES[] = {"model", "input", "truncate", "options", NULL};
    struct body b;
    enum err err = body_begin(&b, out, o->extra_body, why);
    if (err == ERR_OK) {
        buf_append(&out->path, STR("/api/embed"));
        json_key_str(&b.w, STR("model"), o->model);
        body_input(&b, o);
        json_key_bool(&b.w, STR("truncate"), true);
        put_keep(&b, o->keep_s);
        if (o->n_ctx > 0) {
            json_key(&b.w, STR("options"));
            json_begin_object(&b.w);
            json_key_int(&b.w, STR("num_ctx"), (int64_t)o->n_ctx);
            json_end_object(&b.w);
        }
    }
    enum err end = body_end(&b, out, FIXED_NAMES, err == ERR_OK ? why : NULL);
    return err != ERR_OK ? err : end;
}

/* An order to load with no time to stay. What runs is finished first. */
static enum err encode_unload(const struct load_order *l, struct http_request *out,
                              struct error *why)
{
    (void)why; /* nothing can go wrong */
    out->is_post = true;
    buf_append(&out->path, STR("/api/generate"));
    struct json_writer w = json_writer(&out->body);
    json_begin_object(&w);
    json_key_str(&w, STR("model"), l->model);
    json_key_bool(&w, STR("stream"), false);
    json_key_int(&w, STR("keep_alive"), 0);
    json_end_object(&w);
    return ERR_OK;
}

/* -- reading answers -- */

struct answer {
    struct ndjson lines;
    struct generate_end end;
    unsigned n_good, n_bad; /* lines */
};
static_assert(sizeof(struct answer) <= DECODER_STATE_BYTES, "fits a decoder");

static struct answer *answer_of(struct decoder *d)
{
    return (struct answer *)(void *)d->state;
}

static void tell_end(struct decoder *d)
{
    if (!d->is_over) {
        d->is_over = true;
        d->sink.on_end(&answer_of(d)->end, d->sink.user);
    }
}

static void tell_error(struct decoder *d, const struct error *error)
{
    if (!d->is_over) {
        d->is_over = true;
        d->sink.on_error(error, d->sink.user);
    }
}

static void tell_nonsense(struct decoder *d)
{
    struct error error;
    error_set(&error, ERR_PROTOCOL,
              "the server's answer isn't lines of JSON; check that its address and kind fit");
    tell_error(d, &error);
}

static void tell_text(struct decoder *d, struct json text)
{
    str utf8 = json_str(text);
    if (!d->is_over && utf8.len > 0) {
        d->sink.on_text(utf8, d->sink.user);
    }
}

static double ms_of(struct json ns)
{
    double value = json_double(ns, -1);
    return value >= 0 ? value / 1e6 : -1;
}

/* "load" and "unload" say that the prompt was taken for an order: nothing was generated. */
static void read_end(struct decoder *d, struct json event)
{
    struct generate_end *end = &answer_of(d)->end;
    struct json reason = json_get(event, STR("done_reason"));
    bool is_order = json_str_eq(reason, STR("load")) || json_str_eq(reason, STR("unload"));
    end->reason = json_str_eq(reason, STR("length")) ? FINISH_LENGTH
                  : is_order                         ? FINISH_NONE
                                                     : FINISH_STOP;
    end->n_prompt_tokens = json_int(json_get(event, STR("prompt_eval_count")), -1);
    end->n_tokens = json_int(json_get(event, STR("eval_count")), -1);
    end->prompt_ms = ms_of(json_get(event, STR("prompt_eval_duration")));
    end->generate_ms = ms_of(json_get(event, STR("eval_duration")));
    tell_end(d);
}

static void explain_broken_off(struct json body, struct error *out);

static void read_event(struct decoder *d, struct json event)
{
    struct json error = json_get(event, STR("error"));
    if (!json_is(error, JSON_NONE) && !json_is(error, JSON_NULL)) {
        struct error why;
        explain_broken_off(event, &why);
        tell_error(d, &why);
        return;
    }
    tell_text(d, json_get(event, STR("response")));
    tell_text(d, json_get(json_get(event, STR("message")), STR("content")));
    if (json_bool(json_get(event, STR("done")), false)) {
        read_end(d, event);
    }
}

static bool on_line(str line, bool is_oversized, void *user)
{
    struct decoder *d = user;
    struct answer *a = answer_of(d);
    struct arena arena = {0};
    struct json event;
    if (!is_oversized && json_parse(line, &arena, &event, NULL) == ERR_OK &&
        json_is(event, JSON_OBJECT)) {
        a->n_good++;
        read_event(d, event);
    } else {
        a->n_bad++;
        if (a->n_bad == MAX_BAD_LINES) {
            tell_nonsense(d);
        }
    }
    arena_release(&arena);
    return !d->is_over;
}

static void decode_begin(struct decoder *d)
{
    struct answer *a = answer_of(d);
    d->is_over = false;
    memset(d->state, 0, sizeof d->state);
    ndjson_init(&a->lines);
    a->end = (struct generate_end){.reason = FINISH_NONE,
                                   .n_prompt_tokens = -1,
                                   .n_cached_tokens = -1,
                                   .n_tokens = -1,
                                   .prompt_ms = -1,
                                   .generate_ms = -1};
}

static void decode(struct decoder *d, str bytes)
{
    if (!d->is_over) {
        ndjson_feed(&answer_of(d)->lines, bytes, on_line, d);
    }
}

/* A stream may end without saying so: a model that repeats itself is stopped in silence. */
static void decode_finish(struct decoder *d, bool is_aborted)
{
    struct answer *a = answer_of(d);
    if (!is_aborted && !d->is_over) {
        ndjson_finish(&a->lines, on_line, d);
        if (a->n_bad > 0 && a->n_good == 0) {
            tell_nonsense(d);
        }
        tell_end(d);
    }
    d->is_over = true;
    ndjson_release(&a->lines);
    memset(d->state, 0, sizeof d->state);
}

/* -- explaining failures -- */

/* What stands between the first two quotation marks of a kind. */
static str quoted(str message)
{
    for (size_t i = 0; i < message.len; i++) {
        char c = message.ptr[i];
        if (c == '\'' || c == '"') {
            size_t end = str_find_char(message, c, i + 1);
            return end == SIZE_MAX ? str_of("", 0) : str_sub(message, i + 1, end);
        }
    }
    return str_of("", 0);
}

/* A model's name in a message, fit for a command line: nothing but what names are made of. */
static bool is_plain_name(str name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                        (c >= '0' && c <= '9') || str_find_char(STR("._:/-"), c, 0) != SIZE_MAX;
        if (!is_plain) {
            return false;
        }
    }
    return name.len > 0 && name.len <= 80 && name.ptr[0] != '-';
}

static void explain_missing(str message, struct error *out)
{
    str name = quoted(message);
    if (is_plain_name(name)) {
        error_set(out, ERR_NOT_FOUND,
                  "the server has no model " STR_FMT "; get it with: ollama pull " STR_FMT,
                  STR_ARG(name), STR_ARG(name));
    } else {
        error_set(out, ERR_NOT_FOUND,
                  "the server has no such model; get it with: ollama pull NAME");
    }
}

static void set_quoting(struct error *out, enum err code, const char *advice, str message)
{
    struct buf text;
    buf_init(&text, ERROR_MSG_BYTES - 1);
    buf_appendf(&text, "%s", advice);
    reply_quote(&text, message);
    error_set(out, code, "%s", buf_cstr(&text));
    buf_release(&text);
}

/* What is this server's own way of failing; false for everything else. */
static bool explain_own(int status, struct json body, str message, struct error *out)
{
    if (!json_is(json_get(body, STR("signin_url")), JSON_NONE)) {
        error_set(out, ERR_REJECTED,
                  "this model runs elsewhere and its server wants you signed in: ollama signin");
    } else if (status == 403 && message.len == 0) {
        error_set(out, ERR_STATUS,
                  "the server refuses the host name it is reached by (HTTP 403); put localhost or "
                  "its IP address into the endpoint's url");
    } else if (status == 403) {
        set_quoting(out, ERR_REJECTED, "the server may not run this model", message);
    } else if (status != 500 && str_contains_nocase(message, STR("model")) &&
               str_contains_nocase(message, STR("not found"))) {
        explain_missing(message, out);
    } else if (str_contains_nocase(message, STR("does not support insert"))) {
        set_quoting(out, ERR_REJECTED,
                    "the model can't fill in the middle: its template has no place for what "
                    "follows; choose one that does",
                    message);
    } else if (str_contains_nocase(message, STR("does not support"))) {
        set_quoting(out, ERR_REJECTED, "the model can't do this; choose another one", message);
    } else if (status == 499) {
        error_set(out, ERR_STATUS, "the server gave the request up before it began");
    } else if (status == 503 && str_contains_nocase(message, STR("server busy"))) {
        error_set(out, ERR_STATUS,
                  "the server is overloaded: too many models wait to be loaded; HTTP 503");
    } else {
        return false;
    }
    out->detail = status;
    return true;
}

static void explain_json(int status, struct json body, struct error *out)
{
    str message = json_str(json_get(body, STR("error")));
    if (!explain_own(status, body, message, out)) {
        reply_explain(status, json_raw(body), out);
    }
}

/* A failure after the first text: the status was 200. */
static void explain_broken_off(struct json body, struct error *out)
{
    explain_json(200, body, out);
    if (out->code == ERR_STATUS) {
        set_quoting(out, ERR_STATUS, "the server broke the answer off",
                    json_str(json_get(body, STR("error"))));
        out->detail = 200;
    }
}

static void explain(int status, str body, struct error *out)
{
    struct arena arena = {0};
    struct json json = {0};
    body = str_trim(body);
    if (json_parse(body, &arena, &json, NULL) == ERR_OK && json_is(json, JSON_OBJECT)) {
        explain_json(status, json, out);
    } else if (body.len > 0 || !explain_own(status, (struct json){0}, body, out)) {
        reply_explain(status, body, out);
    }
    arena_release(&arena);
}

static const uint16_t PORTS[] = {11434, 0};

const struct provider_ops provider_ollama = {
    .kind = "ollama",
    .start_hint = "ollama pull qwen2.5-coder:1.5b",
    .run_hint = "ollama serve",
    .context_hint = "set numCtx in modelOptions, or OLLAMA_CONTEXT_LENGTH for the server",
    .capabilities = PROVIDER_READS_TOKENS,
    .abilities = MODEL_INFILL | MODEL_RAW | MODEL_CHAT,
    .ports = PORTS,
    .max_stops = SIZE_MAX,
    .default_url = "http://127.0.0.1:11434",
    .warm_request = "GET /api/version",
    .probe_request = probe_request,
    .probe_reply = probe_reply,
    .encode = encode,
    .encode_embed = encode_embed,
    .read_embed = embed_read,
    .decode_begin = decode_begin,
    .decode = decode,
    .decode_finish = decode_finish,
    .explain = explain,
    .encode_load = encode_load,
    .encode_unload = encode_unload,
    .encode_running = encode_running,
    .read_running = read_running,
};
