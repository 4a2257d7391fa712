/* internal.h - what the files of the upstream share; nobody else includes it. */
#ifndef CRUCIBLE_UPSTREAM_INTERNAL_H
#define CRUCIBLE_UPSTREAM_INTERNAL_H

#include "core/base/map.h"
#include "core/loop/loop.h"
#include "core/upstream/guard.h"
#include "core/upstream/http.h"
#include "core/upstream/upstream.h"

#define PROBE_TOTAL_US      SEC_TO_US(5)
#define PROBE_LOADING_US    MS_TO_US(500)
#define PROBE_MIN_GAP_US    SEC_TO_US(2)  /* between two looks that somebody asked for */
#define PROBE_FAILED_GAP_US MS_TO_US(500) /* between a look and the one after a broken exchange */
#define KEY_COMMAND_US      SEC_TO_US(10)
#define PROBE_MAX_STEPS     300u          /* requests of one look: one per model of a long list */
#define PROBE_REFRESH_US    SEC_TO_US(10) /* between two looks for models that are missing */

/* An endpoint with what only the upstream knows of it. An entry of a loopback port is hidden
 * until something has answered there. */
struct entry {
    struct endpoint e;
    struct upstream *upstream;
    str signature;      /* of its settings: same signature, same endpoint; in `arena` */
    struct arena arena; /* of what never changes */
    bool is_shown;
    struct guard *guard; /* owned; its policies */

    /* what it is asked with */
    struct http_target target; /* but for the key */
    uint64_t warmed_us;        /* when a connection was last opened ahead, 0: never */
    str key_file, key_env;
    const str *key_command;
    size_t n_key_command;
    char *key; /* owned, wiped; NULL until the first use */
    size_t key_len;
    struct loop_process *key_process; /* owned; runs the command before the first look */
    const str *paths;                 /* "what\n/path" */
    size_t n_paths;
    str extra_body;
    const str *configured_models;
    size_t n_configured_models;

    /* the look that is under way or was the last */
    uint16_t port; /* looked at on loopback; 0 for a configured endpoint */
    bool is_probing;
    size_t candidate; /* index into the providers */
    unsigned n_steps;
    uint64_t transfer; /* 0: none */
    int status;
    bool is_web_page;   /* the last answer was */
    char location[256]; /* where it sent us, cleaned; "" for nowhere */
    struct buf body;
    struct probe probe;
    struct arena probe_arena;  /* of the look under way */
    struct arena models_arena; /* of e.models and e.version */
    uint64_t probed_us;        /* when the last look began, 0: never */
    uint64_t probe_deadline_us;

    unsigned dialect;     /* struct probe's, of the last look */
    bool refuses_several; /* it was asked for several texts at once */

    /* load.c's: which models are loaded right now */
    struct model_info *models; /* e.models, to be written */
    uint64_t glance;           /* the transfer that asks; 0: none */
    int glance_status;
    uint64_t glance_deadline_us;
    struct buf glance_body;
};

struct exchange;
struct load;

struct upstream {
    struct loop *loop;
    struct upstream_options options; /* providers, predictor: kept */
    struct http *http;
    struct entry **entries; /* owned; configured or looked at, the predictor's last */
    size_t n_entries;
    struct entry **shown; /* upstream_endpoint's order */
    size_t n_shown;
    uint64_t last_endpoint_id, last_exchange_id;
    bool may_probe;   /* upstream_probe was called */
    bool has_changed; /* on_change is due */
    struct loop_timer *probe_timer, *deadline_timer, *load_timer, *soon;
    struct exchange *exchanges; /* uthash, by id */
    struct load *loads;         /* a list: loads under way, and those that failed */
    struct settings *settings;  /* a reference; NULL until upstream_configure */
    uint64_t keep_s;            /* residency.modelTtl */
    uint64_t clock_offset_us;   /* of the wall clock from the monotonic one; 0: not compared yet */
    struct upstream_stats stats;
};

/* upstream.c */
/* Somebody is at work: what is down is looked at more often. */
void upstream_want(struct upstream *u);
/* Compares the clocks with how they stood the last time: where the wall clock has run on by more
 * than 5 s while the other stood still, the machine has slept, or was told another time, which
 * does no harm. Then upstream_resume. */
void upstream_note_clocks(struct upstream *u, uint64_t now_us, uint64_t wall_us);
void upstream_changed(struct upstream *u);     /* on_change in a later turn */
void upstream_show(struct upstream *u);        /* rebuilds `shown` */
void upstream_wake_probes(struct upstream *u); /* re-arms the timer for the next look */
struct entry *upstream_entry(const struct upstream *u, uint64_t id);
/* modelOptions.numCtx of a model, 0: as the server has it. */
unsigned entry_n_ctx(const struct entry *en, str model);

/* endpoint.c */
struct entry *entry_create_configured(struct upstream *u, const struct endpoint_settings *s,
                                      const struct provider_ops *ops);
struct entry *entry_create_port(struct upstream *u, uint16_t port);
struct entry *entry_create_embedded(struct upstream *u, const struct provider_ops *ops);
void entry_destroy(struct entry *en);
/* The one writer of e.state. */
void entry_set_state(struct entry *en, enum endpoint_state state);
/* Sets error and state at once, and when to look again. */
void entry_down(struct entry *en, const struct error *why);
void entry_block(struct entry *en, const struct error *why);
/* The target with its key, read at the first use. */
NODISCARD enum err entry_target(struct entry *en, struct http_target *out, struct error *why);
/* Puts the configured path in the place of the dialect's. They are called by the last name of it:
 * "models", "infill", "completions"; "chat" for ".../chat/completions". */
void entry_set_path(const struct entry *en, struct buf *path);
/* Cuts a message off where it begins to repeat the key. */
void entry_hide_key(const struct entry *en, struct error *error);
/* What an exchange's failure says about the endpoint. */
void entry_heard(struct entry *en, const struct error *error);
/* The text that is the same for equal settings; in the arena. */
str entry_signature(const struct endpoint_settings *s, struct arena *arena);

/* key.c */
NODISCARD enum err key_read(str file, str env, char **key, size_t *len, struct error *why);
/* ERR_AUTH where the file that holds the client certificate's key is missing or open to others. */
NODISCARD enum err key_check_client(const struct http_target *target, struct error *why);
/* Whether a command has to run first: starts it, unless it runs, and goes on with
 * probe_on_key when it has ended. False where there is nothing to wait for. */
bool key_is_awaited(struct entry *en);
void key_stop(struct entry *en);

/* probe.c */
void probe_start(struct entry *en);
void probe_stop(struct entry *en);
void probe_on_deadline(struct entry *en);
/* The command has said the key, or why->code says what went wrong. */
void probe_on_key(struct entry *en, const struct error *why);

/* exchange.c */
void exchanges_reject(struct upstream *u, uint64_t endpoint); /* it is gone */
void exchanges_destroy(struct upstream *u);
void exchanges_run_soon(struct upstream *u);
void exchanges_on_deadline(struct upstream *u);

/* load.c */
struct model_info *entry_model(const struct entry *en, str id); /* NULL where there is none */
/* Text of the model came: it is loaded. */
void entry_heard_model(struct entry *en, str model);
/* Writes what is known of loads into the models, which are new. */
void loads_mark(struct entry *en);
/* The server has no such model, or not any more: asks which ones are loaded. */
void loads_doubt(struct entry *en);
void loads_glance_stop(struct entry *en);
void loads_forget(struct upstream *u, uint64_t endpoint); /* it is gone */
void loads_destroy(struct upstream *u);
void loads_on_deadline(struct upstream *u);

#endif
