/* status.c - what a person is told at a glance: who serves, and what to do where nobody does. */
#include "core/engine_internal.h"

struct engine_status engine_status(struct engine *e)
{
    e->shown_route = supply_find(e, e->settings, ROLE_INLINE, STR(""), 0);
    const struct route *r = &e->shown_route;
    struct engine_status s = {.is_busy = e->legs != NULL || e->lanes.waiting != NULL,
                              .loading = r->state == ROUTE_LOADING ? r->loading : -1.0,
                              .message = str_from(r->message),
                              .why = str_from(e->last_why),
                              .model = str_from(r->name)};
    const struct endpoint *ep = upstream_find(e->options.upstream, r->endpoint);
    s.endpoint = ep != NULL ? ep->name : STR("embedded");
    switch (r->state) {
    case ROUTE_READY:
        s.mood = MOOD_NORMAL;
        break;
    case ROUTE_LOADING:
        s.mood = r->is_idle ? MOOD_NORMAL : MOOD_LOADING;
        break;
    case ROUTE_NONE:
        s.mood = r->wants_embedded ? MOOD_NORMAL : MOOD_WARNING;
        s.model = r->allows_embedded ? STR("embedded") : STR("");
        break;
    }
    if (!e->settings->inline_enabled) {
        s.mood = MOOD_INACTIVE;
        s.message = STR("completions are off (inline.enabled); actions aren't");
    }
    return s;
}
