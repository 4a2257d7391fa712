/* route.h - which model of which endpoint answers.
 *
 * The settings' list for the role decides; where it is empty, the best that is there, on this
 * machine first. For typing: models that fill in the middle, loaded ones before others, then the
 * smallest, which answers soonest. For chat: models that follow instructions, the largest that fits
 * into ROUTE_CHAT_MAX_BYTES and this machine, loaded or not, since a person who asks can wait. What
 * sends text elsewhere, be it a remote endpoint or a model that a server of this machine forwards,
 * is only ever chosen when the configuration names it; the latter when the user's own file does. A
 * model that only follows instructions serves typing, by chat, where a list names that very model,
 * and never otherwise; one elsewhere, where such talk may cost money, when the user's own does. */
#ifndef CRUCIBLE_MODEL_ROUTE_H
#define CRUCIBLE_MODEL_ROUTE_H

#include "core/upstream/upstream.h"

/* The largest model that is chosen for chat without being named: past it, machines without a large
 * graphics card take longer than people wait. */
#define ROUTE_CHAT_MAX_BYTES (10ull * 1000 * 1000 * 1000)

enum role { ROLE_INLINE, ROLE_INLINE_MANUAL, ROLE_CHAT, ROLE_EMBED, N_ROLES };
/* For messages about a model that can't fill in the middle: how that is known, "" where it is only
 * known by its name. Static. */
const char *route_why_unfit(const struct model_info *m);
/* Of the endpoint's models the one that may be named to fill holes by chat; NULL: none follows
 * instructions. */
const struct model_info *route_chatty(const struct endpoint *ep);
/* "inline", "inlineManual", "chat", "embed": as in the settings' models. */
const char *role_name(enum role role);
/* Whether what serves it fills in the middle. */
bool role_is_typing(enum role role);
/* Whether the role is wanted: vectors only where the settings name a model for them. */
bool role_is_wanted(enum role role, const struct settings *s);

enum route_state {
    ROUTE_READY,   /* `endpoint` and what follows are set */
    ROUTE_LOADING, /* it will come: endpoint is set, its model is loading */
    ROUTE_NONE     /* nothing serves the role; `message` says what to do */
};
/* Whether a model can fill in the middle: knows the templates, which this folder doesn't. */
typedef bool route_fill_fn(const struct model_info *m);

/* What a route is for. Borrowed for the call. */
struct route_order {
    enum role role;
    str wish;
    route_fill_fn *can_fill;
    uint64_t avoid; /* id of an endpoint that has just failed: another one, or none; 0: none has */
    uint64_t apart_from; /* id of an endpoint: one that runs on another machine, as far as addresses
                          * tell; 0: any */
};

struct route {
    enum role role;
    const struct upstream *upstream;
    uint64_t avoid;
    const struct endpoint *neighbour; /* nobody on its machine; NULL: any */
    const struct endpoint *failing;   /* would serve, but keeps failing; with failing_model */
    const struct model_info *failing_model;
    const char *start_hint; /* a command that starts a server, for messages */
    bool is_own_list;       /* the names asked for come from the user: file or command line */
    route_fill_fn *can_fill;
    enum route_state state;
    uint64_t endpoint;      /* id */
    str model;              /* the server's id of it */
    str model_name;         /* what it says of itself: chooses the template */
    unsigned abilities;     /* enum model_ability */
    unsigned capabilities;  /* enum provider_capability */
    uint64_t n_ctx;         /* tokens that the model takes, 0: unknown */
    bool fills_by_chat;     /* of typing: the model only follows instructions, and is told to */
    bool is_remote;         /* text leaves this machine */
    bool needs_load;        /* a model that is preferred isn't loaded: upstream_load it */
    bool is_idle;           /* LOADING, but nobody has sent for the model yet */
    bool load_failed;       /* it is to be tried again: the last load of it failed */
    uint64_t load_endpoint; /* id; where needs_load */
    str load_model;
    double loading;                /* 0..1, < 0 unknown */
    bool allows_embedded;          /* the built-in predictor may answer */
    bool wants_embedded;           /* the settings name it alone */
    char name[128];                /* "endpoint/model", for people */
    char message[ERROR_MSG_BYTES]; /* where not READY: the state and the next step */
};
/* A model that its server would have to load first is ROUTE_LOADING, and one that couldn't be
 * loaded is passed over; `needs_load` says what to have loaded, also where another model serves
 * meanwhile. An endpoint or model that is failing is passed over, so that the next one serves until
 * it is well again: of the list, or where there is none of the nearest tier that has any. Where
 * nobody else serves what a person asks for by a command, it is READY all the same: such a question
 * is the best trial (breaker.h). `wish` is "endpoint/model", an endpoint's name, a model's id, or
 * empty for the role's list. The slices are the upstream's: valid until its next change. */
struct route route_find(const struct upstream *u, const struct settings *s,
                        const struct route_order *order);

#endif
