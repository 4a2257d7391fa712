/* listing.c - lists of models, as servers of the OpenAI family give them.
 *
 * How      An array of objects with an `id`, bare or as the member `data`. What else an entry says
 *          differs from server to server; the codec reads it. */
#include "providers/listing.h"

#include "core/base/limits.h"
#include "providers/figure.h"
#include "providers/reply.h"

static uint64_t context_of(struct json entry)
{
    static const char *const KEYS[] = {"max_model_len", "context_length", "context_window",
                                       "max_context_length", NULL};
    for (const char *const *key = KEYS; *key != NULL; key++) {
        uint64_t n = figure_count(json_get(entry, str_from(*key)));
        if (n > 0) {
            return n;
        }
    }
    return 0;
}

static void read_entry(struct probe *p, struct json entry, listing_fn *read)
{
    str id = json_str(json_get(entry, STR("id")));
    if (id.len == 0) {
        return;
    }
    struct model_info *model = &p->models[p->n_models++];
    model->id = arena_dup(p->arena, id);
    model->name = model->id;
    model->n_ctx = context_of(entry);
    model->is_loaded = true;
    read(model, entry, p->arena);
}

static enum probe_state read_list(struct probe *p, struct json reply, listing_fn *read)
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
        read_entry(p, entry, read);
    }
    return PROBE_READY;
}

enum probe_state listing_read(struct probe *p, int status, str body, listing_fn *read)
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
        state = read_list(p, reply, read);
    } else if ((status == 404 || status == 405) && is_json && json_is(reply, JSON_OBJECT)) {
        state = PROBE_READY;
    } else if (status == 429 || status >= 500) {
        p->hint = "it is overloaded, or fails; it is looked at again";
    }
    arena_release(&arena);
    p->step++;
    return state;
}
