/* session.h - the state of one editor's connection, shared by the files that serve it.
 *
 *     NEW ──initialize──▶ RUNNING ──shutdown──▶ CLOSING ──exit──▶ on_exit(0)
 *      └──exit, end of input──▶ on_exit(1)         (from RUNNING likewise)
 *
 * Nothing expensive exists before the reply to initialize is written; the engine and what it needs
 * are made by session_wake, in the turn after. The network and the workspace are left alone until
 * `initialized` came and the editor's settings are known (session_set_out).
 *
 * One file per subject serves it: lifecycle, config, sync, ask (with inline and completion as the
 * two ways to ask), commands, status. Each sets only the fields of its own section below. */
#ifndef CRUCIBLE_LSP_SESSION_H
#define CRUCIBLE_LSP_SESSION_H

#include <pthread.h>

#include "core/base/map.h"
#include "core/engine.h"
#include "lsp/consent.h"
#include "lsp/notice.h"
#include "lsp/position.h"
#include "lsp/rpc.h"

struct session_options {
    struct loop *loop; /* keeps */
    void (*write)(str message, void *user);
    size_t (*queued)(void *user);
    void (*flush)(void *user); /* hand what was written to the editor now */
    /* The session is over; called once, later than the call that ended it. */
    void (*on_exit)(int code, void *user);
    /* The editor has the reply to initialize: time for what may come late. */
    void (*on_initialized)(void *user);
    void *user;
    const struct provider_ops *const *providers; /* keeps */
    str config_path;                             /* borrowed for good: --config, or empty */
    bool is_log_file_fixed, is_log_level_fixed;  /* by flags: settings don't change them */
};

enum session_state { SESSION_NEW, SESSION_RUNNING, SESSION_CLOSING, SESSION_OVER };

struct client { /* what initialize said of the editor */
    enum position_encoding encoding;
    char name[64];
    bool has_configuration; /* answers workspace/configuration */
    bool can_register;      /* workspace/didChangeConfiguration, dynamically */
    bool takes_markdown;    /* in a completion's documentation */
    bool takes_as_is;       /* insertTextMode 1 */
    bool takes_label_details;
    bool resolves_documentation; /* of a completion item, when it is looked at */
    bool takes_hover_markdown;
    bool takes_actions;    /* code actions as such, not only commands */
    bool resolves_edit;    /* of a code action, when it is picked; and keeps its data */
    bool resolves_command; /* the same */
    bool takes_generated_tag;
    bool takes_progress;        /* work-done progress that we begin */
    bool applies_edits;         /* workspace/applyEdit */
    bool takes_versioned_edits; /* documentChanges */
    bool shows_documents;       /* window/showDocument */
    bool shows_answers;         /* our own plugins: crucible/answer */
    bool asks_instructions;     /* our own plugins ask the person what to refactor */
    bool takes_updates;         /* our own plugins: crucible/inlineUpdate */
    bool is_plugin;             /* speaks the dialect with editorPluginInfo */
};

struct ask;
struct later;
struct task;
struct hover;
struct session_document { /* one open document */
    str key;              /* normal form of its URI; owned */
    uint64_t id;          /* in documents; 0 where it was too large to keep */
    int64_t version;      /* newest seen, if has_version */
    bool has_version;
    bool is_desynced;           /* edits were lost: no suggestions until its text comes whole */
    struct ask *asks[2];        /* by question_kind: the one that waits, or NULL */
    struct later *later;        /* what may come of the newest answer, or NULL */
    uint64_t answered_revision; /* where the newest suggestion was given */
    size_t answered_cursor;
    bool has_answer, was_explicit; /* there is one; it was asked for */
    UT_hash_handle hh;
};

struct session {
    struct session_options options;
    struct rpc *rpc; /* owned */
    enum session_state state;
    int exit_code;
    struct client client;
    uint64_t started_us;
    struct session_tether *tether; /* outlives the session while posts are due; owned jointly */

    /* -- lifecycle -- */
    bool is_initialized; /* the notification came */
    bool is_set_out;
    struct loop_watch *parent; /* owned */
    struct loop_timer *rpc_timer;
    str *folders; /* absolute paths of the workspace; owned, each too */
    size_t n_folders;

    /* -- the engine and its parts; NULL until session_wake -- */
    struct documents *documents; /* owned, from the start */
    struct predictor *predictor;
    struct upstream *upstream;
    struct store *store;
    struct engine *engine;

    /* -- config -- */
    struct settings_builder *builder; /* owned */
    struct settings *settings;        /* in force; NULL until session_wake */
    struct consent *consent;
    bool is_asking_consent;
    struct loop_timer *config_timer; /* how long the editor's settings are waited for */
    struct buf problems;             /* of settings, not shown yet */
    struct buf shown_problems;       /* last text that was shown */
    bool is_problem_due;
    pthread_mutex_t privacy_lock; /* guards `privacy`, which scanning threads read */
    struct settings *privacy;

    /* -- sync -- */
    struct session_document *by_key;
    struct session_document *last; /* the one that last_uri names */
    struct buf last_uri;           /* as the editor wrote it */
    struct buf key;                /* scratch of lookups */

    /* -- asking -- */
    struct ask *asks; /* all that wait for the engine */
    bool has_asked_inline;
    struct later *laters;   /* answers that more may come of */
    struct notices notices; /* failures that whoever typed was told of */

    /* -- actions and hovers -- */
    struct task *tasks;
    unsigned n_tasks;
    uint64_t last_task;
    uint64_t applied_prompt; /* hash of what led to the last edit: asked again, it is undone */
    struct hover *hovers;
    unsigned n_answer_files; /* explanations that were written to files */

    /* -- commands and status -- */
    bool is_off; /* by crucible.toggle */
    struct loop_timer *status_timer;
    bool is_status_due;
    uint64_t status_us; /* when it was last sent */
    struct buf status;  /* as it was last sent */
};

/* -- session.c -- */
struct session *session_create(const struct session_options *options);
/* Answers what is open, then frees everything. */
void session_destroy(struct session *s);
void session_feed(struct session *s, str bytes);
/* The editor closed its end. */
void session_end_of_input(struct session *s);
/* Ends it: on_exit follows in a later turn. Later calls change nothing. */
void session_exit(struct session *s, int code);
/* Makes the engine and its parts, once. */
void session_wake(struct session *s);
/* Lets the network and the workspace be used, once: the settings are known. */
void session_set_out(struct session *s);
/* Calls fn(session) later in this turn, if the session lives then. */
void session_post(struct session *s, void (*fn)(struct session *s));
/* Arms the timer for requests of ours; after each rpc_request. */
void session_arm_rpc(struct session *s);
/* Why nothing was asked, where the engine wasn't reached: one record of the trace. */
void session_note(struct session *s, const char *kind, str path, const char *why);
/* Sends window/showMessage; type 1 error, 2 warning, 3 info. */
void session_show(struct session *s, int type, str message);

/* -- lifecycle.c: handlers -- */
void on_initialize(struct session *s, struct rpc_call *call);
void on_initialized(struct session *s, struct rpc_call *call);
void on_shutdown(struct session *s, struct rpc_call *call);
void on_exit_notice(struct session *s, struct rpc_call *call);
void on_folders_changed(struct session *s, struct rpc_call *call);

/* -- config.c -- */
void config_put_init(struct session *s, struct json init_options);
/* Reads the user's file and the folders', and makes the first snapshot. */
void config_load(struct session *s);
/* Asks the editor; session_set_out follows. */
void config_pull(struct session *s);
/* The folders have changed. */
void config_reload_projects(struct session *s);
void config_on_consent_turn(struct session *s);
void config_show_problems(struct session *s);
bool config_is_excluded(str path, void *session); /* any thread */
void config_release(struct session *s);
void on_configuration_changed(struct session *s, struct rpc_call *call);

/* -- sync.c -- */
struct session_document *sync_find(struct session *s, str uri);
/* The text of an open document; NULL where it wasn't kept. */
struct open_document *sync_open(struct session *s, const struct session_document *doc);
/* Marks which documents are hidden by privacy settings. */
void sync_update_exclusions(struct session *s);
void sync_release(struct session *s);
/* {"line", "character"}: false where it is no position. Too large numbers are clamped. */
bool sync_position(struct json v, struct position *out);
/* The byte offsets of an LSP range in the document, backward ones included. */
bool sync_range(const struct session *s, const struct document *d, struct json range, size_t *start,
                size_t *end);
void on_did_open(struct session *s, struct rpc_call *call);
void on_did_change(struct session *s, struct rpc_call *call);
void on_did_close(struct session *s, struct rpc_call *call);

/* -- inline.c, completion.c -- */
void on_inline_completion(struct session *s, struct rpc_call *call);
void on_completion(struct session *s, struct rpc_call *call);
void on_completion_resolve(struct session *s, struct rpc_call *call);

/* -- actions.c -- */
void on_code_action(struct session *s, struct rpc_call *call);

/* -- task.c -- */
void on_code_action_resolve(struct session *s, struct rpc_call *call);
void on_progress_cancel(struct session *s, struct rpc_call *call);
/* Begins what a command names, or goes on with it; what is wrong is shown. */
void task_command(struct session *s, str name, struct json arguments);
void tasks_on_edit(struct session *s, uint64_t document, const struct edit *edit);
void tasks_forget_document(struct session *s, uint64_t document);
void tasks_cancel_all(struct session *s);

/* -- hover.c -- */
void on_hover(struct session *s, struct rpc_call *call);
/* Nothing is said of a text that is another one by now. */
void hovers_cancel_document(struct session *s, uint64_t document);

/* -- commands.c -- */
extern const str command_names[];
extern const size_t n_command_names;
void on_execute_command(struct session *s, struct rpc_call *call);
void on_completion_shown(struct session *s, struct rpc_call *call);
void on_partially_accepted(struct session *s, struct rpc_call *call);
void on_did_focus(struct session *s, struct rpc_call *call);

/* -- status.c -- */
/* Something has changed: the editor hears of it soon, at most ten times a second. */
void status_changed(struct session *s);
void status_write(struct session *s, struct json_writer *w);
void stats_write_all(struct session *s, struct json_writer *w);
void status_release(struct session *s);
void on_status_request(struct session *s, struct rpc_call *call);
void on_stats_request(struct session *s, struct rpc_call *call);

#endif
