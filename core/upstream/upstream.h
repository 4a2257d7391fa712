/* upstream.h - the endpoints, what is known of them, and exchanges with them.
 *
 * An endpoint is a place that models are reached at: a server of the configuration, one found on
 * loopback, or the built-in predictor (`embedded`, always there, always ready). An exchange is one
 * call to an endpoint. Its sink hears text as it comes and then on_done exactly once, last, never
 * from inside exchange_start; after exchange_cancel nothing more is heard. */
#ifndef CRUCIBLE_UPSTREAM_UPSTREAM_H
#define CRUCIBLE_UPSTREAM_UPSTREAM_H

#include "core/predict/predict.h"
#include "core/settings/settings.h"
#include "core/upstream/provider.h"

struct upstream;

enum endpoint_state {
    ENDPOINT_UNKNOWN, /* not looked at yet */
    ENDPOINT_PROBING, /* being asked what it is, nothing known before */
    ENDPOINT_READY,
    ENDPOINT_LOADING, /* lives; its model is on the way */
    ENDPOINT_DOWN,    /* nothing answers, or nonsense: looked at again from time to time */
    ENDPOINT_BLOCKED  /* key refused, certificate refused, no consent: not tried until settings
                         change */
};
const char *endpoint_state_name(enum endpoint_state state);

enum tier { TIER_LOOPBACK, TIER_LAN, TIER_CLOUD };
const char *tier_name(enum tier tier);

struct endpoint { /* read-only for everybody else */
    unsigned idx; /* place in upstream_endpoint(); valid until the next on_change */
    uint64_t id;  /* never used twice */
    str name;     /* of the configuration, or the kind where found by itself, with
                   * "-PORT" where two of a kind were found */
    const struct provider_ops *ops;
    str origin, base_path; /* empty for the predictor */
    enum tier tier;
    bool is_discovered;
    bool is_static; /* everything it has is loaded, for as long as the server runs: also of a kind
                     * that could load (encode_load) */
    enum endpoint_state state;
    struct error error; /* why it is down or blocked */
    double loading;     /* 0..1 while loading, < 0 unknown */
    const struct model_info *models;
    size_t n_models;
    unsigned n_slots;
    str version;
    uint64_t next_probe_us;
    str redirect;          /* a URL that it sends us to instead; empty: it doesn't */
    bool knows_clock;      /* the server has said what time it is */
    int64_t clock_ahead_s; /* by how much its clock is ahead of ours, < 0: behind */
};

struct upstream_options {
    const struct provider_ops *const *providers; /* keeps */
    struct predictor *predictor;                 /* keeps; NULL: no embedded endpoint */
    /* Some endpoint's state or models changed; never from inside a call. */
    void (*on_change)(void *user);
    void *user;
};

struct upstream *upstream_create(struct loop *loop, const struct upstream_options *options);
void upstream_destroy(struct upstream *u);
/* Uses the endpoints of `s` (or discovers them where it names none). Endpoints that stay the same
 * keep their state; exchanges with those that go end with ERR_REJECTED. */
void upstream_configure(struct upstream *u, struct settings *s); /* takes a reference */
/* Looks at every endpoint that is unknown or down, now, unless that was done less than 2 s ago.
 * Until the first call nothing touches the network. */
void upstream_probe(struct upstream *u);
size_t upstream_count(const struct upstream *u);
const struct endpoint *upstream_endpoint(const struct upstream *u, size_t idx);
const struct endpoint *upstream_find(const struct upstream *u, uint64_t id);
/* A command that starts a model server this program can talk to, for people. */
const char *upstream_start_hint(const struct upstream *u);
/* Every place that is looked at: the endpoints, and ports of this machine where none was found
 * (their names are empty, `ops` is the dialect that was tried last). */
size_t upstream_place_count(const struct upstream *u);
const struct endpoint *upstream_place(const struct upstream *u, size_t idx);
/* Looks at every endpoint that is ready once more, however fresh what is known of it: for a person
 * who wants to know how its models are now. */
void upstream_look_again(struct upstream *u);
/* Whether some look is under way. */
bool upstream_is_looking(const struct upstream *u);
/* Whether the first look at every endpoint is over (nothing is UNKNOWN or PROBING). */
bool upstream_is_settled(const struct upstream *u);

/* -- models that a server loads when they are needed -- */
/* Has the model loaded by an exchange of its own that nobody's cancel reaches; on_change follows
 * when that begins and when it is over. Does nothing while it is loaded or loading, where the
 * endpoint isn't ready or has no such model, and for a while (10 s, then longer) after a failure.
 */
void upstream_load(struct upstream *u, uint64_t endpoint, str model);
/* Whether the model can be asked without being loaded for it, as far as anybody knows. Where
 * nothing was heard of it for 20 s the server is asked first: false, and on_change follows. */
bool upstream_confirm_loaded(struct upstream *u, uint64_t endpoint, str model);
/* Looks again, at most every 10 s, at endpoints that are ready and whose list of models may have
 * changed: a person who misses one gets it meanwhile. Those that are down are looked at more often
 * for a minute, too. */
void upstream_refresh(struct upstream *u);

/* -- what is known of how they do -- */
/* Whether a keystroke's exchange would be sent, or is known to fail. */
bool upstream_would_admit(const struct upstream *u, uint64_t endpoint, str model);
/* When one that would fail now is worth a try; CLOCK_NEVER where time alone changes nothing, a time
 * that has passed where it would be sent. */
uint64_t upstream_trial_us(const struct upstream *u, uint64_t endpoint, str model);
/* How many bytes of prompt the model reads within so long, as far as that was measured; 1 KiB to
 * WINDOW_MAX_BYTES, which is also the answer where nothing is known. */
size_t upstream_prompt_bytes(const struct upstream *u, uint64_t endpoint, str model,
                             uint64_t within_us);
/* What 95 of 100 of typing's answers take to begin at most, of a prompt so large; 0: unknown. */
uint64_t upstream_late_us(const struct upstream *u, uint64_t endpoint, str model,
                          size_t n_prompt_bytes);
struct upstream_pace {                   /* of a model at an endpoint, for people */
    const char *health;                  /* "good", "slow", "failing", "down", ... */
    const char *breaker;                 /* "closed", "open", "half-open", "blocked" */
    double prompt_speed, text_speed;     /* tokens in a second; 0: unknown */
    uint64_t first_us, gap_us, total_us; /* how long typing would wait for it, of 8 KiB of prompt */
};
struct upstream_pace upstream_pace(const struct upstream *u, uint64_t endpoint, str model);
/* -- connections -- */
/* A person begins to type, and what they type may be sent there: opens a connection for it, unless
 * one is idle. Does nothing where upstream.warm is off, the endpoint isn't ready or asked to be
 * left alone, its dialect has no request that costs the server nothing, or it is on this machine,
 * where connecting takes less than that request. Cheap: may be called at every keystroke. Gives
 * whether one is opened. A cancelled exchange, whose connection is gone, does it by itself. */
bool upstream_warm(struct upstream *u, uint64_t endpoint);

/* The network changed, say, so that what failed before may work now. That the machine has slept is
 * found out at the next exchange. */
void upstream_resume(struct upstream *u);

/* -- exchanges -- */
enum exchange_kind {
    EXCHANGE_BY_SHAPE, /* GENERATE_CHAT: asked for, else typing */
    EXCHANGE_TYPING,   /* a keystroke asked: hardly ever made again, the next one asks anyway */
    EXCHANGE_ASKED     /* a person did: made again where that may help, and they wait for it */
};
#define EXCHANGE_AUTO 0u /* a deadline that is learned from how long such exchanges take */

struct exchange_spec { /* borrowed for the call */
    uint64_t endpoint; /* id */
    enum exchange_kind kind;
    struct generate generate;
    const struct prediction_place *place; /* for the in-process endpoint */
    /* Vectors instead of a text: `generate` says the model alone, and the sink needs on_vectors.
     * ERR_REJECTED where the dialect has none. */
    const str *embeds; /* EMBED_TEXTS_MAX at most; NULL: a text */
    size_t n_embeds;
    uint64_t first_token_us; /* deadline for the first byte of text, absolute; CLOCK_NEVER for none.
                              * Where it is EXCHANGE_AUTO, pauses within the text have one, too. */
    uint64_t total_us;       /* deadline for the whole, of all attempts together */
    bool is_beside; /* it waits inside the server for another one of ours: that its text is late
                     * says nothing of the model */
};
struct exchange_sink {
    void (*on_text)(uint64_t exchange, str utf8, void *user);
    /* end is NULL where error isn't. confidence: of the predictor's answer, 1 for models. */
    void (*on_done)(uint64_t exchange, const struct generate_end *end, double confidence,
                    const struct error *error, void *user);
    void *user;
    /* As in decode_sink; needed where several texts are asked for. A server that was wrong about
     * taking that ends none but the first. */
    void (*on_other)(uint64_t exchange, unsigned idx, str utf8, void *user);
    void (*on_text_end)(uint64_t exchange, unsigned idx, enum finish_reason reason, void *user);
    /* Before on_done, in place of any text. Borrowed for the call. */
    void (*on_vectors)(uint64_t exchange, const struct embedding *v, void *user);
};
/* How many texts to one prompt, `n_wanted` at most, an exchange may ask of the endpoint; 1 where it
 * writes one at a time, as far as anybody knows. */
unsigned upstream_texts(const struct upstream *u, uint64_t endpoint, unsigned n_wanted);
/* Gives the exchange's id (never 0). Where the spec's extra_body is empty the endpoint's is sent.
 * A spec that can't be sent fails through on_done; so does one to an endpoint or model that is
 * known to fail, with ERR_REJECTED, the cause and no byte sent. What fails before any text may be
 * sent again meanwhile, as retry.h says. */
uint64_t exchange_start(struct upstream *u, const struct exchange_spec *spec,
                        const struct exchange_sink *sink);
/* Closes it at once; its sink hears nothing more. Unknown ids are ignored. */
void exchange_cancel(struct upstream *u, uint64_t id);

struct upstream_stats {
    uint64_t n_exchanges, n_cancelled, n_failed, n_tokens, n_prompt_tokens, n_cached_tokens,
        n_bytes_in, n_bytes_out;
    uint64_t n_active;
    /* How fast text comes: pauses between two pieces of one answer (of most servers a piece is a
     * token), and how long they were together. */
    uint64_t n_pauses, pauses_us;
    uint64_t n_retries, n_unafforded; /* attempts made again; those that no budget was left for */
    uint64_t n_refused, n_opened;     /* calls that breakers stopped; times that one opened */
    uint64_t n_late;                  /* ended by a deadline */
    uint64_t n_connections, n_connections_idle; /* now */
    uint64_t n_connections_opened, n_connections_closed, n_connections_reused, n_connections_warmed;
};
struct upstream_stats upstream_stats(const struct upstream *u);

#endif
