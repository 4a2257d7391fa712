/* route.c - choosing the endpoint and model for a role; see route.h.
 *
 * How   Each preference is looked up in turn; the first that is ready wins, else the first that
 *       is loading. What is missing is remembered, so that the message names it.
 * Rules Never crosses a tier that the configuration hasn't named. */
#include "core/model/route.h"

#include <stdio.h>
#include <string.h>

const char *role_name(enum role role)
{
    static const char *const names[N_ROLES] = {"inline", "inlineManual", "chat", "embed"};
    return names[role];
}

bool role_is_typing(enum role role)
{
    return role == ROLE_INLINE || role == ROLE_INLINE_MANUAL;
}

bool role_is_wanted(enum role role, const struct settings *s)
{
    return role != ROLE_EMBED || s->n_models_embed > 0;
}

static bool is_embedded(const struct endpoint *ep)
{
    return (ep->ops->capabilities & PROVIDER_IN_PROCESS) != 0;
}

static void take(struct route *r, const struct endpoint *ep, const struct model_info *m)
{
    r->endpoint = ep->id;
    r->is_remote = ep->tier != TIER_LOOPBACK || (m != NULL && m->is_remote);
    r->fills_by_chat = m != NULL && role_is_typing(r->role) && !r->can_fill(m);
    str model = m != NULL ? m->id : STR("");
    (void)snprintf(r->name, sizeof(r->name), STR_FMT "%s" STR_FMT, STR_ARG(ep->name),
                   model.len > 0 ? "/" : "", STR_ARG(model));
    if (ep->state == ENDPOINT_LOADING) {
        r->state = ROUTE_LOADING;
        r->loading = ep->loading;
        (void)snprintf(r->message, sizeof(r->message), STR_FMT ": the model is loading",
                       STR_ARG(ep->name));
        return;
    }
    ASSERT(m != NULL);
    r->state = ROUTE_READY;
    r->model = m->id;
    r->model_name = m->name;
    r->abilities = m->abilities;
    r->capabilities = ep->ops->capabilities;
    r->n_ctx = m->n_ctx;
}

static bool needs_load(const struct endpoint *ep, const struct model_info *m)
{
    return ep->ops->encode_load != NULL && !m->is_loaded && !m->is_remote;
}

/* Which model serves sooner. */
static int readiness(const struct model_info *m)
{
    return m->is_loaded ? 3 : m->is_loading ? 2 : m->load_error == NULL ? 1 : 0;
}

static bool serves(const struct route *r, const struct endpoint *ep, const struct model_info *m)
{
    switch (r->role) {
    case ROLE_CHAT:
        return (m->abilities & MODEL_CHAT) != 0;
    case ROLE_EMBED:
        return ep->ops->encode_embed != NULL;
    case ROLE_INLINE:
    case ROLE_INLINE_MANUAL:
    case N_ROLES:
        break;
    }
    return r->can_fill(m);
}

/* Whether a model that only follows instructions may be told to fill holes: `name` has to be its
 * own, and not just its endpoint's. */
static bool serves_by_chat(const struct route *r, const struct endpoint *ep,
                           const struct model_info *m, str name)
{
    bool is_near = ep->tier == TIER_LOOPBACK && !m->is_remote;
    bool is_named = name.len > 0 && (str_eq(m->id, name) || str_eq(m->name, name));
    return role_is_typing(r->role) && (m->abilities & MODEL_CHAT) != 0 && is_named &&
           (is_near || r->is_own_list);
}

static bool is_better_at_typing(const struct model_info *a, const struct model_info *b)
{
    if (readiness(a) != readiness(b)) {
        return readiness(a) > readiness(b);
    }
    return a->n_bytes > 0 && a->n_bytes < b->n_bytes;
}

/* How well a model may be expected to do what it is told: not at all where it can't be loaded,
 * little where it is a base model by its name or larger than what people wait for. */
static int obedience(const struct model_info *m)
{
    if (m->load_error != NULL) {
        return 0;
    }
    return str_contains_nocase(m->id, STR("base")) || m->n_bytes > ROUTE_CHAT_MAX_BYTES ? 1 : 2;
}

static bool is_better_at_chat(const struct model_info *a, const struct model_info *b)
{
    if (obedience(a) != obedience(b)) {
        return obedience(a) > obedience(b);
    }
    bool is_small_enough = obedience(a) == 2;
    if (a->n_bytes != b->n_bytes && a->n_bytes > 0 && b->n_bytes > 0) {
        return is_small_enough ? a->n_bytes > b->n_bytes : a->n_bytes < b->n_bytes;
    }
    return readiness(a) > readiness(b);
}

/* The endpoint's best model for the role; none that sends text elsewhere without having been
 * named. */
static const struct model_info *best_model(const struct route *r, const struct endpoint *ep)
{
    const struct model_info *best = NULL;
    for (size_t i = 0; i < ep->n_models; i++) {
        const struct model_info *m = &ep->models[i];
        bool is_near = !m->is_remote || ep->tier != TIER_LOOPBACK;
        if (!is_near || !serves(r, ep, m)) {
            continue;
        }
        bool is_better = best == NULL || (r->role == ROLE_CHAT ? is_better_at_chat(m, best)
                                                               : is_better_at_typing(m, best));
        best = is_better ? m : best;
    }
    return best;
}

static const struct model_info *find_model(const struct endpoint *ep, str id)
{
    for (size_t i = 0; i < ep->n_models; i++) {
        if (str_eq(ep->models[i].id, id)) {
            return &ep->models[i];
        }
    }
    for (size_t i = 0; i < ep->n_models; i++) { /* as the server also understands it */
        if (str_eq(ep->models[i].name, id)) {
            return &ep->models[i];
        }
    }
    return NULL;
}

static const struct endpoint *find_endpoint(const struct upstream *u, str name)
{
    for (size_t i = 0; i < upstream_count(u); i++) {
        const struct endpoint *ep = upstream_endpoint(u, i);
        if (str_eq(ep->name, name)) {
            return ep;
        }
    }
    return NULL;
}

static void say(struct route *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void say(struct route *r, const char *fmt, ...)
{
    if (r->message[0] != '\0') {
        return; /* the first preference's reason is the one that matters */
    }
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(r->message, sizeof(r->message), fmt, args);
    va_end(args);
}

static void say_down(struct route *r, const struct endpoint *ep)
{
    if (ep->error.msg[0] != '\0') {
        say(r, STR_FMT ": %s", STR_ARG(ep->name), ep->error.msg);
    } else {
        say(r, STR_FMT ": %s", STR_ARG(ep->name), endpoint_state_name(ep->state));
    }
}

const char *route_why_unfit(const struct model_info *m)
{
    return m->tokens_told && m->tokens.len == 0 ? " (its tokenizer knows no tokens for holes)" : "";
}

const struct model_info *route_chatty(const struct endpoint *ep)
{
    for (size_t i = 0; i < ep->n_models; i++) {
        if ((ep->models[i].abilities & MODEL_CHAT) != 0) {
            return &ep->models[i];
        }
    }
    return NULL;
}

/* Typing: `m` is the model asked for, NULL where it was the endpoint. */
static void say_cannot_fill(struct route *r, const struct endpoint *ep, const struct model_info *m,
                            const char *hint)
{
    const struct model_info *chatty = m == NULL ? route_chatty(ep) : m;
    bool may_chat = chatty != NULL && (chatty->abilities & MODEL_CHAT) != 0;
    bool is_far = may_chat && (ep->tier != TIER_LOOPBACK || chatty->is_remote);
    char by_chat[80] = ""; /* so that the whole fits into a message */
    if (may_chat) {
        int n = snprintf(
            by_chat, sizeof by_chat, "; or by chat: name " STR_FMT "/" STR_FMT " in %smodels.%s",
            STR_ARG(ep->name), STR_ARG(chatty->id), is_far ? "your own " : "", role_name(r->role));
        by_chat[0] = n >= (int)sizeof by_chat ? '\0' : by_chat[0]; /* a name cut off is none */
    }
    say(r, STR_FMT ": its model can't fill in the middle%s; one that can: %s%s", STR_ARG(ep->name),
        route_why_unfit(m == NULL ? &ep->models[0] : m), hint, by_chat);
}

static void say_unfit(struct route *r, const struct endpoint *ep, const struct model_info *m,
                      const char *hint)
{
    if (r->role == ROLE_CHAT) {
        say(r,
            STR_FMT ": none of its models follows instructions; name one that does in models.chat",
            STR_ARG(ep->name));
    } else if (r->role == ROLE_EMBED) {
        say(r, STR_FMT ": servers of kind %s make no vectors of texts", STR_ARG(ep->name),
            ep->ops->kind);
    } else {
        say_cannot_fill(r, ep, m, hint);
    }
}

/* The model is the one, but its server has to load it first. One that failed before is sent for
 * again only where no other preference can be. */
static void take_unloaded(struct route *r, const struct endpoint *ep, const struct model_info *m)
{
    bool has_failed = m->load_error != NULL && !m->is_loading;
    if (!r->needs_load || (r->load_failed && !has_failed)) {
        r->needs_load = true;
        r->load_failed = has_failed;
        r->load_endpoint = ep->id;
        r->load_model = m->id;
    }
    if (has_failed) {
        say(r, STR_FMT ": " STR_FMT " can't be loaded: %s", STR_ARG(ep->name), STR_ARG(m->id),
            m->load_error->msg);
    } else if (r->state == ROUTE_NONE) {
        take(r, ep, m);
        r->state = ROUTE_LOADING;
        r->is_idle = !m->is_loading;
        (void)snprintf(r->message, sizeof(r->message), STR_FMT ": %s" STR_FMT "%s",
                       STR_ARG(ep->name), r->is_idle ? "" : "loading ", STR_ARG(m->id),
                       r->is_idle ? " isn't loaded; the first request loads it" : "");
    }
}

static str host_of(str origin)
{
    size_t scheme = str_find(origin, STR("://"), 0);
    str rest = scheme == SIZE_MAX ? origin : str_sub(origin, scheme + 3, origin.len);
    bool is_ipv6 = rest.len > 0 && rest.ptr[0] == '[';
    size_t from = is_ipv6 ? str_find_char(rest, ']', 0) : 0;
    return from == SIZE_MAX ? rest : str_sub(rest, 0, str_find_char(rest, ':', from));
}

/* Whether they run on two machines, as far as addresses tell. */
static bool are_apart(const struct endpoint *a, const struct endpoint *b)
{
    bool are_here = a->tier == TIER_LOOPBACK && b->tier == TIER_LOOPBACK;
    return !are_here && !str_eq_nocase(host_of(a->origin), host_of(b->origin));
}

static bool is_avoided(const struct route *r, const struct endpoint *ep)
{
    return (r->avoid != 0 && ep->id == r->avoid) ||
           (r->neighbour != NULL && !are_apart(r->neighbour, ep));
}

/* Takes `ep` (with `model`, or its best one) if it is ready or loading; true when that settles
 * the route, that is when it is ready. */
static bool try_endpoint(struct route *r, const struct endpoint *ep, str model)
{
    if (is_avoided(r, ep)) {
        return false;
    }
    if (ep->state == ENDPOINT_LOADING && r->state == ROUTE_NONE) {
        take(r, ep, NULL);
        return false;
    }
    if (ep->state != ENDPOINT_READY) {
        say_down(r, ep);
        return false;
    }
    const struct model_info *m = model.len > 0 ? find_model(ep, model) : best_model(r, ep);
    if (m == NULL && (ep->ops->capabilities & PROVIDER_ONE_MODEL) && ep->n_models == 1) {
        m = &ep->models[0]; /* such a server answers with what it runs, whatever it is asked for */
    }
    if (m == NULL && model.len > 0) {
        say(r, STR_FMT " has no model " STR_FMT "; the ones it has: crucible-ls models",
            STR_ARG(ep->name), STR_ARG(model));
        return false;
    }
    const char *hint = ep->ops->start_hint != NULL ? ep->ops->start_hint : r->start_hint;
    if (ep->n_models == 0) {
        say(r, STR_FMT " has no models yet; get one: %s", STR_ARG(ep->name), hint);
        return false;
    }
    if (m == NULL || !(serves(r, ep, m) || serves_by_chat(r, ep, m, model))) {
        say_unfit(r, ep, m, hint);
        return false;
    }
    if (m->is_remote && ep->tier == TIER_LOOPBACK && !r->is_own_list) {
        say(r, STR_FMT "/" STR_FMT " sends text to another machine: your own file has to name it",
            STR_ARG(ep->name), STR_ARG(m->id));
        return false;
    }
    if (needs_load(ep, m)) {
        take_unloaded(r, ep, m);
        return false;
    }
    if (!upstream_would_admit(r->upstream, ep->id, m->id)) {
        say(r,
            STR_FMT "/" STR_FMT " keeps failing and is left alone for a while; why: "
                    "crucible-ls doctor",
            STR_ARG(ep->name), STR_ARG(m->id));
        if (r->failing == NULL) {
            r->failing = ep;
            r->failing_model = m;
        }
        return false;
    }
    r->message[0] = '\0';
    take(r, ep, m);
    return true;
}

/* "endpoint/model" split at the first slash, or an endpoint's name alone. */
static bool try_name(struct route *r, const struct upstream *u, str name)
{
    const struct endpoint *ep = find_endpoint(u, name);
    if (ep != NULL) {
        return !is_embedded(ep) && try_endpoint(r, ep, STR(""));
    }
    size_t slash = str_find_char(name, '/', 0);
    str first = slash == SIZE_MAX ? name : str_sub(name, 0, slash);
    ep = slash == SIZE_MAX ? NULL : find_endpoint(u, first);
    if (ep != NULL) {
        return try_endpoint(r, ep, str_sub(name, slash + 1, name.len));
    }
    for (size_t i = 0; i < upstream_count(u); i++) { /* a model's id alone */
        ep = upstream_endpoint(u, i);
        if (!is_embedded(ep) && ep->tier == TIER_LOOPBACK && find_model(ep, name) != NULL) {
            return try_endpoint(r, ep, name);
        }
    }
    say(r, "no endpoint is called " STR_FMT "; start its server, or correct models.%s",
        STR_ARG(first), role_name(r->role));
    return false;
}

/* Without a list: the nearest tier that there is, and no other, since nobody has named one. */
static void try_nearest(struct route *r, const struct upstream *u)
{
    enum tier nearest = TIER_CLOUD;
    for (size_t i = 0; i < upstream_count(u); i++) {
        const struct endpoint *ep = upstream_endpoint(u, i);
        nearest = !is_embedded(ep) && ep->tier < nearest ? ep->tier : nearest;
    }
    for (size_t i = 0; i < upstream_count(u); i++) {
        const struct endpoint *ep = upstream_endpoint(u, i);
        if (!is_embedded(ep) && ep->tier == nearest && try_endpoint(r, ep, STR(""))) {
            return;
        }
    }
}

/* What the settings say of a role. */
struct preference {
    const str *names;
    size_t n;
    bool is_foreign; /* from elsewhere than the user's file */
};

static struct preference preference_of(const struct settings *s, enum role role)
{
    struct preference typing = {s->models_inline, s->n_models_inline, s->models_inline_is_foreign};
    switch (role) {
    case ROLE_INLINE_MANUAL:
        if (s->n_models_inline_manual > 0) {
            return (struct preference){s->models_inline_manual, s->n_models_inline_manual,
                                       s->models_inline_manual_is_foreign};
        }
        return typing;
    case ROLE_CHAT:
        return (struct preference){s->models_chat, s->n_models_chat, s->models_chat_is_foreign};
    case ROLE_EMBED:
        return (struct preference){s->models_embed, s->n_models_embed, s->models_embed_is_foreign};
    case ROLE_INLINE:
    case N_ROLES:
        break;
    }
    return typing;
}

/* Tries what the list names, in its order; whether it names anything but the predictor. */
static bool try_list(struct route *r, const struct upstream *u, const struct preference *list)
{
    bool is_settled = false;
    bool names_engine = false;
    r->allows_embedded = false;
    for (size_t i = 0; i < list->n; i++) {
        bool is_own = str_eq(list->names[i], STR("embedded"));
        r->allows_embedded = r->allows_embedded || is_own;
        names_engine = names_engine || !is_own;
        is_settled = is_settled || (!is_own && try_name(r, u, list->names[i]));
    }
    return names_engine;
}

static void say_nothing_there(struct route *r, const struct upstream *u, bool names_engine)
{
    if (r->role == ROLE_EMBED && upstream_is_settled(u)) {
        say(r, "models.embed names none that is there");
    } else if (!names_engine && role_is_typing(r->role)) {
        say(r, "the built-in predictor serves, as configured");
    } else if (!names_engine) {
        say(r, "models.chat names the built-in predictor alone, which only completes");
    } else if (upstream_is_settled(u)) {
        say(r, "no model server found on this machine; start one, for example: %s", r->start_hint);
    } else {
        say(r, "looking for model servers on this machine");
    }
}

struct route route_find(const struct upstream *u, const struct settings *s,
                        const struct route_order *order)
{
    enum role role = order->role;
    str wish = order->wish;
    struct route r = {.role = role,
                      .upstream = u,
                      .avoid = order->avoid,
                      .neighbour = order->apart_from ? upstream_find(u, order->apart_from) : NULL,
                      .start_hint = upstream_start_hint(u),
                      .can_fill = order->can_fill,
                      .state = ROUTE_NONE,
                      .loading = -1.0,
                      .allows_embedded = true};
    struct preference list = preference_of(s, role);
    r.is_own_list = wish.len > 0 || !list.is_foreign;
    if (wish.len > 0) {
        list.names = &wish;
        list.n = 1;
    }
    bool names_engine = true;
    if (list.n > 0) {
        names_engine = try_list(&r, u, &list);
    } else if (role != ROLE_EMBED) { /* for vectors nobody is asked unnamed */
        try_nearest(&r, u);
        r.needs_load = r.needs_load && r.state != ROUTE_READY; /* what is there is good enough */
    }
    r.allows_embedded = r.allows_embedded && role_is_typing(role);
    r.wants_embedded = r.allows_embedded && !names_engine;
    if (r.state == ROUTE_NONE && role != ROLE_INLINE && r.failing != NULL) {
        r.message[0] = '\0';
        take(&r, r.failing, r.failing_model);
    }
    if (r.state == ROUTE_NONE) {
        say_nothing_there(&r, u, names_engine);
    }
    return r;
}
