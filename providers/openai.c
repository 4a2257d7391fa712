/* openai.c - any server that speaks the OpenAI dialect: /completions and /chat/completions.
 *
 * Why      The common denominator: what nearly every server offers, and nothing that some refuse.
 * How      Paths are relative to the endpoint's base path, which ends in "/v1" with most. Holes are
 *          filled by a rendered prompt.
 * Rules    `suffix` is never sent: servers ignore it silently, refuse it, or mean different things.
 *          Four stop strings at most, since more are an error in vLLM and OpenAI. Members that only
 *          some servers know are left to the user's extraBody. */
#include "core/base/json.h"
#include "core/base/limits.h"
#include "providers/body.h"
#include "providers/reply.h"

#define MAX_STOPS 4u

/* -- probing -- */

static void probe_request(const struct probe *p, struct http_request *out)
{
    (void)p; /* a single question */
    buf_append(&out->path, STR("/models"));
}

static uint64_t first_count(struct json entry, const char *const *keys)
{
    for (; *keys != NULL; keys++) {
        int64_t n = json_int(json_get(entry, str_from(*keys)), 0);
        if (n > 0) {
            return (uint64_t)n;
        }
    }
    return 0;
}

static void read_model(struct probe *p, struct json entry)
{
    static const char *const CONTEXT_KEYS[] = {"max_model_len", "context_length", "context_window",
                                               "max_context_length", NULL};
    str id = json_str(json_get(entry, STR("id")));
    if (id.len == 0) {
        return;
    }
    struct model_info *model = &p->models[p->n_models++];
    model->id = arena_dup(p->arena, id);
    model->name = model->id;
    model->abilities = MODEL_RAW | MODEL_CHAT;
    model->n_ctx = first_count(entry, CONTEXT_KEYS);
    model->is_loaded = true;
}

static enum probe_state read_models(struct probe *p, struct json reply)
{
    struct json list = json_is(reply, JSON_ARRAY) ? reply : json_get(reply, STR("data"));
    if (!json_is(list, JSON_ARRAY)) {
        return PROBE_FOREIGN;
    }
    size_t n = json_count(list);
    p->models = arena_alloc(p->arena, (n < MODELS_MAX ? n : MODELS_MAX) * sizeof *p->models);
    p->n_models = 0;
    struct json_iter it = json_iter(list);
    struct json entry;
    while (p->n_models < MODELS_MAX && json_next(&it, NULL, &entry)) {
        read_model(p, entry);
    }
    return PROBE_READY;
}

static enum probe_state probe_reply(struct probe *p, int status, str body)
{
    if (status == 401 || status == 403) {
        return PROBE_REFUSED;
    }
    if (reply_is_loading(status, body)) {
        p->loading = -1;
        return PROBE_LOADING;
    }
    struct arena arena = {0};
    struct json reply = {0};
    bool is_json = json_parse(body, &arena, &reply, NULL) == ERR_OK;
    enum probe_state state = PROBE_FOREIGN;
    if (status == 200 && is_json) {
        state = read_models(p, reply);
    } else if ((status == 404 || status == 405) && is_json && json_is(reply, JSON_OBJECT)) {
        state = PROBE_READY; /* it serves, but keeps no list: the settings name its models */
    }
    arena_release(&arena);
    p->step++;
    return state;
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

const struct provider_ops provider_openai = {
    .kind = "openai",
    .capabilities = 0,
    .abilities = MODEL_RAW | MODEL_CHAT,
    .ports = NULL,
    .max_stops = MAX_STOPS,
    .probe_request = probe_request,
    .probe_reply = probe_reply,
    .encode = encode,
    .decode_begin = reply_begin,
    .decode = reply_decode,
    .decode_finish = reply_finish,
    .explain = reply_explain,
};
