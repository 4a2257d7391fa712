/* settings.h - the one table of configuration, and immutable snapshots of its values.
 *
 * Sources, later wins: defaults, the user's file, initializationOptions, the editor's live
 * settings; `.crucible.json` of a workspace folder only narrows. Each key of the table says its
 * type, bounds, unit, default and who may set it. A value that doesn't fit is reported by its path
 * and reason and leaves the last good one in force.
 *
 * A snapshot never changes; a request keeps the one it began with. */
#ifndef CRUCIBLE_SETTINGS_SETTINGS_H
#define CRUCIBLE_SETTINGS_SETTINGS_H

#include "core/base/error.h"
#include "core/base/json.h"
#include "core/base/json_write.h"

enum settings_source {                     /* in the order in which they override */
                       SETTINGS_USER_FILE, /* trusted: --config, $CRUCIBLE_CONFIG,
                                              $XDG_CONFIG_HOME/crucible/config.json */
                       SETTINGS_INIT,      /* initializationOptions: project files feed them in some
                                              editors */
                       SETTINGS_LIVE,      /* workspace/configuration, didChangeConfiguration */
                       SETTINGS_PROJECT,   /* .crucible.json: narrows */
                       N_SETTINGS_SOURCES
};

#define SETTINGS_AUTO (-1) /* the value of "auto" in numbers */
enum multiline { MULTILINE_AUTO, MULTILINE_ALWAYS, MULTILINE_NEVER };
enum toggle { TOGGLE_AUTO, TOGGLE_ON, TOGGLE_OFF };
enum hover_model { HOVER_OFF, HOVER_CACHED, HOVER_ON };

struct endpoint_settings {
    str name, kind, url;
    str api_key_file, api_key_env;
    const str *api_key_command;
    size_t n_api_key_command; /* argv; none: no command */
    const str *headers;
    size_t n_headers; /* "Name: value" */
    const str *paths;
    size_t n_paths;                 /* "what\n/path": asked there instead */
    str proxy, ca_file, extra_body; /* extra_body: JSON object text or "" */
    str client_cert, client_key;    /* PEM files; without the latter the former holds both */
    const str *models;
    size_t n_models;    /* ids, where the server can't list them */
    bool needs_consent; /* remote, and not from the user's file */
};
/* Appends everything that the endpoint says, so that no two of them give the same text; whether it
 * needs consent isn't part of it. */
void endpoint_settings_write(const struct endpoint_settings *e, struct buf *out);
struct model_options { /* of the first pattern that matches "endpoint/model" */
    str pattern;
    double temperature; /* < 0: default */
    str fim;            /* "auto", "infill", or a family's name */
    const str *stops;
    size_t n_stops;
    str system;     /* of chats; empty: the program's own */
    unsigned n_ctx; /* tokens; 0: as the server has it */
};

enum action_output {
    ACTION_REPLACE, /* takes the place of the text that was asked about */
    ACTION_INSERT,  /* comes below it */
    ACTION_SHOW     /* is shown and changes nothing */
};
struct action_settings {
    str name;   /* of a built-in action whose prompt or title this is; empty: one of the person's */
    str title;  /* empty: the built-in one */
    str prompt; /* with {code}, {language}, ... as core/prompt/action.h says; empty: the built-in */
    const str *languages;
    size_t n_languages; /* ids; none: all */
    enum action_output output;
};

struct settings {
    unsigned n_refs;
    uint64_t serial; /* of this snapshot; larger is newer */

    const struct endpoint_settings *endpoints;
    size_t n_endpoints; /* none: discover */
    const str *models_inline;
    size_t n_models_inline;
    const str *models_inline_manual;
    size_t n_models_inline_manual;
    /* Whether the list comes from elsewhere than the user's file. */
    bool models_inline_is_foreign, models_inline_manual_is_foreign, models_chat_is_foreign;
    bool models_embed_is_foreign;
    const str *models_embed;
    size_t n_models_embed;
    const str *models_chat;
    size_t n_models_chat;
    const struct model_options *model_options;
    size_t n_model_options;
    const struct action_settings *actions;
    size_t n_actions;

    bool inline_enabled;
    bool inline_manual_only; /* inline.trigger: "manual" */
    int inline_debounce_ms;  /* pause in typing before a model is asked, or SETTINGS_AUTO */
    bool inline_prefetch;    /* texts are continued before somebody asks */
    unsigned inline_budget_ms;
    unsigned inline_max_tokens;
    unsigned inline_candidates;
    enum multiline inline_multiline;
    enum toggle completion_enabled;
    enum hover_model hover;
    bool residency_preload;      /* load models before they are needed */
    uint64_t residency_ttl_ms;   /* how long an unused one stays; 0: as its server likes */
    double similarity_threshold; /* from 0 to 1, which is off: what counts as the same question */
    bool similarity_adaptive;    /* it follows what is accepted */
    unsigned cache_entries;
    uint64_t cache_ttl_us;
    unsigned upstream_connections;      /* to one endpoint at a time; 0: as by default */
    unsigned upstream_retries;          /* times that a failed call is made again */
    unsigned upstream_breaker_failures; /* until an endpoint is left alone; 0: as by default */
    uint64_t upstream_recovery_us;      /* for at most so long; 0: as by default */
    bool upstream_warm;                 /* connections are opened ahead of need */
    bool upstream_hedge;                /* a second endpoint is asked where the first is late */
    bool cache_disk;
    uint64_t cache_disk_bytes; /* most that answers on disk may take */
    const str *privacy_exclude;
    size_t n_privacy_exclude; /* added to the built-in ones */
    bool privacy_redact;
    size_t inline_file_bytes, context_file_bytes;
    const str *languages_off;
    size_t n_languages_off; /* ids with inline: false */
    str log_file;
    str log_level;
};

struct settings *settings_ref(struct settings *s);
void settings_unref(struct settings *s);
/* "qwen*"-like patterns of modelOptions against "endpoint/model"; never NULL. */
const struct model_options *settings_model_options(const struct settings *s, str model);
bool settings_language_is_on(const struct settings *s, str language);
/* Whether privacy.exclude and the built-in patterns hide `path`; looks at the real path behind
 * links as well, without regard to case. Thread-safe. */
bool settings_excludes(const struct settings *s, str path);

/* -- making snapshots -- */
struct settings_builder;
struct settings_problem { /* one thing that is wrong, for a person */
    enum settings_source source;
    str path; /* "inline.budget" */
    str msg;  /* "must be a number of milliseconds from 0 to 10000" */
};
struct settings_builder *settings_builder_create(void);
void settings_builder_destroy(struct settings_builder *b);
/* Replaces what `source` says (an object of at most SETTINGS_MAX_FILE_BYTES, or JSON_NONE for
 * nothing); copies. Problems are kept until the next put or read. Keys that `source` may not set
 * are reported and ignored. */
void settings_builder_put(struct settings_builder *b, enum settings_source source,
                          struct json value);
/* Reads a file of JSON with comments as `source`. ERR_NOT_FOUND where it isn't there; a malformed
 * file is a problem and keeps what the source said before. */
NODISCARD enum err settings_builder_read(struct settings_builder *b, enum settings_source source,
                                         const char *path);
/* Reads the `.crucible.json` of each folder, which all narrow, and forgets those of other folders.
 * A malformed file keeps what it said before; a missing one says nothing. */
void settings_builder_read_projects(struct settings_builder *b, const str *folders, size_t n);
size_t settings_builder_problems(const struct settings_builder *b,
                                 const struct settings_problem **out);
/* A new snapshot of everything put so far; the caller's reference. */
struct settings *settings_builder_snapshot(struct settings_builder *b);

/* The path of the user's file: `flag` if given, else the environment's. In the arena. */
str settings_user_path(str flag, struct arena *arena);
/* One line per key of the table, for --help. */
void settings_describe(struct buf *out);

#endif
