/* route.h - which model of which endpoint answers.
 *
 * The settings' list for the role decides; where it is empty, the best that is there: loaded
 * models that fill in the middle, on this machine first. A remote endpoint is only ever chosen
 * when the configuration names it. */
#ifndef CRUCIBLE_MODEL_ROUTE_H
#define CRUCIBLE_MODEL_ROUTE_H

#include "core/upstream/upstream.h"

enum route_state {
    ROUTE_READY,   /* `endpoint` and what follows are set */
    ROUTE_LOADING, /* it will come: endpoint is set, its model is loading */
    ROUTE_NONE     /* nothing serves the role; `message` says what to do */
};
/* Whether a model can fill in the middle: knows the templates, which this folder doesn't. */
typedef bool route_fill_fn(const struct model_info *m);

struct route {
    const char *start_hint; /* a command that starts a server, for messages */
    route_fill_fn *can_fill;
    enum route_state state;
    uint64_t endpoint;             /* id */
    str model;                     /* the server's id of it */
    str model_name;                /* what it says of itself: chooses the template */
    unsigned abilities;            /* enum model_ability */
    bool is_remote;                /* text leaves this machine */
    double loading;                /* 0..1, < 0 unknown */
    bool allows_embedded;          /* the built-in predictor may answer */
    char name[128];                /* "endpoint/model", for people */
    char message[ERROR_MSG_BYTES]; /* where not READY: the state and the next step */
};
/* `wish` is "endpoint/model", an endpoint's name, a model's id, or empty for the role's list. The
 * slices are the upstream's: valid until its next change. */
struct route route_inline(const struct upstream *u, const struct settings *s, str wish,
                          bool is_explicit, route_fill_fn *can_fill);

#endif
