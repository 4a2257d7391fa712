/* supply.c - sends for models that their servers load when they are needed.
 *
 * Why   Loading takes seconds. A question that came upon an unloaded model would start it, and its
 *       cancel, which is the next keystroke, would stop it. So a load is never a question's: it is
 *       asked for beside it, and the question waits, or is answered by the predictor.
 * Rules Before anybody types a model is loaded once: who unloads it afterwards, by hand or by
 *       another program, has a reason. Typing sends for it again. */
#include "core/engine_internal.h"

struct route supply_find(const struct engine *e, const struct settings *s, enum role role, str wish,
                         uint64_t avoid)
{
    struct route_order order = {.role = role,
                                .wish = wish.len > 0 ? wish : buf_str(&e->preferred[role]),
                                .can_fill = leg_can_fill,
                                .avoid = avoid};
    return route_find(e->options.upstream, s, &order);
}

struct route supply_find_apart(const struct engine *e, const struct asked *a, uint64_t from)
{
    struct route_order order = {.role = a->role,
                                .wish = a->wish.len > 0 ? buf_str(&a->wish)
                                                        : buf_str(&e->preferred[a->role]),
                                .can_fill = leg_can_fill,
                                .avoid = from,
                                .apart_from = from};
    return route_find(e->options.upstream, a->settings, &order);
}

struct route supply_route(struct engine *e, const struct asked *a)
{
    struct upstream *u = e->options.upstream;
    str wish = buf_str(&a->wish);
    struct route r = supply_find(e, a->settings, a->role, wish, a->avoid);
    if (r.needs_load) {
        upstream_load(u, r.load_endpoint, r.load_model);
        r = supply_find(e, a->settings, a->role, wish, a->avoid);
    }
    if (r.state == ROUTE_NONE) {
        upstream_refresh(u);
    }
    return r;
}

bool supply_confirm(struct engine *e, struct asked *a, const struct route *r)
{
    if (upstream_confirm_loaded(e->options.upstream, r->endpoint, r->model)) {
        return true;
    }
    trace_why(&e->trace, a->trace, "waiting: is %s still loaded?", r->name);
    a->state = ASKED_WAITING; /* for milliseconds, so nobody stands in before the budget */
    return false;
}

/* Whether any text can leave this machine: most people's can't, and a route costs microseconds. */
static bool has_remote(const struct upstream *u)
{
    for (size_t i = 0; i < upstream_count(u); i++) {
        const struct endpoint *ep = upstream_endpoint(u, i);
        if (ep->tier != TIER_LOOPBACK && ep->state == ENDPOINT_READY) {
            return true;
        }
    }
    return false;
}

void supply_reach_out(struct engine *e)
{
    if (!e->settings->inline_enabled || e->settings->inline_manual_only ||
        !has_remote(e->options.upstream)) {
        return;
    }
    struct route r = supply_find(e, e->settings, ROLE_INLINE, STR(""), 0);
    if (r.state == ROUTE_READY && r.is_remote) {
        (void)upstream_warm(e->options.upstream, r.endpoint);
    }
}

void supply_warm_up(struct engine *e)
{
    const struct settings *s = e->settings;
    struct upstream *u = e->options.upstream;
    if (!s->residency_preload || !s->inline_enabled || s->inline_manual_only ||
        !upstream_is_settled(u)) {
        return;
    }
    struct route r = supply_find(e, s, ROLE_INLINE, STR(""), 0);
    uint64_t model = hash_mix(r.load_endpoint, hash_str(r.load_model));
    if (r.needs_load && model != e->warmed) {
        e->warmed = model;
        upstream_load(u, r.load_endpoint, r.load_model);
    }
}
