/* inventory.c - what there is to ask, and who would be asked.
 *
 * Rules    Says what is known and asks nobody. Where a number isn't known there is none: a guess
 *          would be taken for a fact. */
#include "core/report/inventory.h"

#include "core/base/limits.h"
#include "core/engine_internal.h"

struct route inventory_route(const struct upstream *u, const struct settings *s, enum role role)
{
    return route_find(
        u, s, &(struct route_order){.role = role, .wish = STR(""), .can_fill = leg_can_fill});
}

const struct model_info *inventory_model(const struct upstream *u, const struct route *r)
{
    bool is_there = r->state == ROUTE_READY;
    const struct endpoint *e = upstream_find(u, is_there ? r->endpoint : r->load_endpoint);
    str id = is_there ? r->model : r->load_model;
    for (size_t i = 0; e != NULL && i < e->n_models; i++) {
        if (str_eq(e->models[i].id, id)) {
            return &e->models[i];
        }
    }
    return NULL;
}

/* What keeps an endpoint from being tried, in two words. */
static const char *blocked_word(enum error_cause cause)
{
    static const char *const words[N_ERROR_CAUSES] = {
        [CAUSE_CONSENT] = "needs consent",           [CAUSE_KEY_REFUSED] = "key refused",
        [CAUSE_KEY_MISSING] = "key missing",         [CAUSE_KEY_EXPOSED] = "key exposed",
        [CAUSE_CA_FILE] = "caFile unusable",         [CAUSE_CLIENT_CERT] = "clientCert needed",
        [CAUSE_CERT_ISSUER] = "certificate refused", [CAUSE_CERT_OWN] = "certificate refused",
        [CAUSE_CERT_HOST] = "certificate refused",   [CAUSE_CERT_EXPIRED] = "certificate refused",
        [CAUSE_CERT_EARLY] = "certificate refused",  [CAUSE_CERT_OTHER] = "certificate refused",
    };
    return words[cause] != NULL ? words[cause] : "blocked";
}

void inventory_state(const struct endpoint *e, struct buf *out)
{
    if (e->state == ENDPOINT_LOADING && e->loading >= 0) {
        buf_appendf(out, "loading %.0f %%", e->loading * 100);
    } else if (e->state == ENDPOINT_BLOCKED) {
        buf_appendf(out, "%s", blocked_word(e->error.cause));
    } else if (e->state == ENDPOINT_UNKNOWN || e->state == ENDPOINT_PROBING) {
        buf_append(out, STR("no answer yet"));
    } else {
        buf_appendf(out, "%s", endpoint_state_name(e->state));
    }
}

const char *inventory_model_state(const struct endpoint *e, const struct model_info *m)
{
    if (m->is_remote || e->tier != TIER_LOOPBACK) {
        return "elsewhere";
    }
    if (m->is_loading) {
        return "loading";
    }
    if (m->load_error != NULL) {
        return "failed";
    }
    bool has_say = e->ops->encode_load != NULL || e->n_models > 1;
    return m->is_loaded ? "loaded" : has_say ? "not loaded" : "";
}

void inventory_abilities(const struct model_info *m, struct buf *out)
{
    bool fills = leg_can_fill(m);
    bool chats = (m->abilities & MODEL_CHAT) != 0;
    bool is_raw = (m->abilities & MODEL_RAW) != 0 && (fills || !chats); /* else of no use to us */
    const struct {
        bool is_so;
        const char *word;
    } words[] = {{fills, "fills"},
                 {chats, "chat"},
                 {is_raw, "raw"},
                 {(m->abilities & MODEL_EMBEDS) != 0, "embeds"},
                 {!fills && (chats || is_raw), "can't fill"}};
    bool has_any = false;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (words[i].is_so) {
            buf_appendf(out, "%s%s", has_any ? ", " : "", words[i].word);
            has_any = true;
        }
    }
}

void inventory_count(uint64_t n, struct buf *out)
{
    if (n >= 9950000000u) {
        buf_appendf(out, "%.0f B", (double)n / 1e9);
    } else if (n >= 1000000000u) {
        buf_appendf(out, "%.1f B", (double)n / 1e9);
    } else if (n >= 9950000u) {
        buf_appendf(out, "%.0f M", (double)n / 1e6);
    } else if (n > 0) {
        buf_appendf(out, "%.1f M", (double)n / 1e6);
    }
}

/* -- as JSON -- */

static void write_model(const struct model_info *m, struct json_writer *w)
{
    json_begin_object(w);
    json_key_str(w, STR("id"), m->id);
    json_key_count(w, STR("parameters"), m->n_params);
    json_key_count(w, STR("sizeBytes"), m->n_bytes);
    json_key_count(w, STR("contextTokens"), m->n_ctx);
    json_key_count(w, STR("loadedContextTokens"), m->loaded_ctx);
    json_key_bool(w, STR("loaded"), m->is_loaded);
    json_key_bool(w, STR("loading"), m->is_loading);
    json_key_bool(w, STR("fillsMiddle"), leg_can_fill(m));
    json_key_bool(w, STR("chat"), (m->abilities & MODEL_CHAT) != 0);
    json_key_bool(w, STR("raw"), (m->abilities & MODEL_RAW) != 0);
    json_key_bool(w, STR("embeds"), (m->abilities & MODEL_EMBEDS) != 0);
    json_key_bool(w, STR("thinks"), (m->abilities & MODEL_THINKS) != 0);
    json_key_bool(w, STR("remote"), m->is_remote);
    if (m->load_error != NULL) {
        json_key_str(w, STR("error"), str_from(m->load_error->msg));
    }
    json_end_object(w);
}

static void write_endpoint(const struct endpoint *e, struct json_writer *w)
{
    struct buf url;
    buf_init(&url, KIB * 4);
    buf_append(&url, e->origin);
    buf_append(&url, e->base_path);
    json_begin_object(w);
    json_key_str(w, STR("name"), e->name);
    json_key_str(w, STR("kind"), str_from(e->ops->kind));
    json_key_str(w, STR("url"), buf_str(&url));
    json_key_str(w, STR("state"), str_from(endpoint_state_name(e->state)));
    json_key_str(w, STR("tier"), str_from(tier_name(e->tier)));
    json_key_str(w, STR("version"), e->version);
    json_key_bool(w, STR("discovered"), e->is_discovered);
    json_key_count(w, STR("slots"), e->n_slots);
    json_key(w, STR("loading"));
    if (e->loading < 0) {
        json_put_null(w);
    } else {
        json_put_double(w, e->loading);
    }
    if (e->error.code != ERR_OK) {
        json_key_str(w, STR("error"), str_from(err_name(e->error.code)));
        json_key_str(w, STR("cause"), str_from(error_cause_name(e->error.cause)));
        json_key_str(w, STR("message"), str_from(e->error.msg));
    }
    json_key(w, STR("models"));
    json_begin_array(w);
    for (size_t i = 0; i < e->n_models; i++) {
        write_model(&e->models[i], w);
    }
    json_end_array(w);
    json_end_object(w);
    buf_release(&url);
}

static const char *state_word(enum route_state state)
{
    switch (state) {
    case ROUTE_READY:
        return "ready";
    case ROUTE_LOADING:
        return "loading";
    case ROUTE_NONE:
        return "none";
    }
    return "none";
}

static void write_role(const struct upstream *u, const struct settings *s, enum role role,
                       struct json_writer *w)
{
    struct route r = inventory_route(u, s, role);
    const struct endpoint *e = upstream_find(u, r.endpoint);
    const struct model_info *m = inventory_model(u, &r);
    json_begin_object(w);
    json_key_str(w, STR("role"), str_from(role_name(role)));
    json_key_str(w, STR("state"), str_from(state_word(r.state)));
    json_key_str(w, STR("name"), str_from(r.name));
    json_key_str(w, STR("endpoint"), e != NULL ? e->name : STR(""));
    json_key_str(w, STR("model"), m != NULL ? m->id : STR(""));
    json_key_bool(w, STR("remote"), r.is_remote);
    json_key_bool(w, STR("byChat"), r.fills_by_chat);
    json_key_bool(w, STR("needsLoad"), r.needs_load);
    json_key_str(w, STR("message"), str_from(r.message));
    json_end_object(w);
}

void inventory_write(const struct upstream *u, const struct settings *s, struct json_writer *w)
{
    json_key(w, STR("endpoints"));
    json_begin_array(w);
    for (size_t i = 0; i < upstream_count(u); i++) {
        write_endpoint(upstream_endpoint(u, i), w);
    }
    json_end_array(w);
    json_key(w, STR("roles"));
    json_begin_array(w);
    for (int role = 0; role < N_ROLES; role++) {
        if (role_is_wanted((enum role)role, s)) {
            write_role(u, s, (enum role)role, w);
        }
    }
    json_end_array(w);
}
