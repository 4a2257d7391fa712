/* engine.h - the one door: a feature hands in a question, text comes back through a sink.
 *
 * A question is answered exactly once, through on_done, always in a later turn than engine_ask
 * and never from inside a call into the engine. For keystrokes an answer without text and without
 * error is silence, and its `why` says why. A document's edit ends all questions about it that are
 * still open with ERR_CANCELLED: no answer is ever older than the newest change. */
#ifndef CRUCIBLE_ENGINE_H
#define CRUCIBLE_ENGINE_H

#include "core/base/metrics.h"
#include "core/document/documents.h"
#include "core/model/route.h"
#include "core/predict/predict.h"
#include "core/prompt/action.h"
#include "core/request/flight.h"
#include "core/request/suppress.h"
#include "core/request/queue.h"
#include "core/request/similar.h"
#include "core/request/store.h"
#include "core/request/trace.h"
#include "core/settings/settings.h"
#include "core/upstream/upstream.h"

struct engine;

enum question_kind {
    QUESTION_INLINE,     /* ghost text: may wait for the model, up to 5 s */
    QUESTION_COMPLETION, /* a popup's entry: the budget is hard, since some editors block */
    QUESTION_CHAT,       /* a person asked for an edit or an explanation: waits for the model as
                          * long as it takes, an edit of the document doesn't end it, and what goes
                          * wrong is always told */
    QUESTION_UPDATE,     /* more of an answer that was given, for the same place: rides the flight
                          * it came from, and asks nobody. An edit or a newer question ends it */
    N_QUESTION_KINDS
};
/* "inline", "completion", "chat", "update". */
const char *question_kind_name(enum question_kind kind);

/* What a QUESTION_CHAT says to the model. Borrowed for the call. */
struct chat {
    str system;   /* empty: modelOptions.system, else the program's own */
    str prompt;   /* the user message, document text included */
    str rewrites; /* text that the answer is to replace; where a secret stands in it, no model of
                   * another machine is asked, since what comes back would lack it. May be empty */
    unsigned max_tokens;
    /* What makes two questions the same where that is less than their prompt, whichever model
     * answers: a symbol and its definition, say. Empty: the prompt and the model. */
    str identity;
    /* With an identity: what it is about, so that the answer to a similar question may serve (see
     * answer.boarded). NULL, or a head of 0: only that to the same one. */
    const struct likeness *like;
    unsigned n_related; /* pieces found in other documents, in the prompt as far as they fit */
    bool is_glance;     /* shown in passing: says nothing about what was shown before */
    bool is_recall;     /* only what is known already: silence instead of asking a model */
    const char *kind;   /* the word for the trace: "explain", "fix", ...; a static string */
};
struct question { /* borrowed for the call */
    enum question_kind kind;
    uint64_t document;
    size_t cursor;           /* byte offset */
    str selected;            /* the popup's selection and where the text it stands for begins */
    size_t selected_start;   /* == cursor for none */
    bool is_explicit;        /* asked for by a command, not by typing */
    bool is_again;           /* explicit, and what is there isn't wanted */
    bool is_more;            /* explicit, and something is shown there: others are wanted, too */
    str model;               /* "endpoint/model", overrides the settings; empty: by role */
    const struct chat *chat; /* of a QUESTION_CHAT, which ignores cursor and selection */
    /* Of a QUESTION_UPDATE: the answer that it goes on from. */
    uint64_t trace;
    size_t n_read;
};

struct answer_other {
    str text;
    size_t n_replace;
};
enum answer_source { ANSWER_NONE, ANSWER_MODEL, ANSWER_PREDICTOR };
struct answer {       /* borrowed for the call of on_done */
    str text;         /* to insert at the cursor, "\n" line ends; empty: nothing to say */
    size_t n_replace; /* bytes after the cursor that it replaces, all on the cursor's line */
    enum answer_source source;
    enum boarded boarded; /* how it came: BOARDED_NONE means by a flight of its own */
    str model;            /* "endpoint/model" that wrote it */
    size_t n_read;        /* what a QUESTION_UPDATE goes on from */
    bool may_grow;        /* more of it is on the way: worth a QUESTION_UPDATE */
    /* Of a suggestion that was asked for again, or for more: others for the same place. */
    struct answer_other *others;
    unsigned n_others;
    double likeness;   /* BOARDED_SIMILAR: of its code and this question's, from 0 to 1 */
    bool is_cut;       /* of a chat: the answer broke off at a limit or went round in circles */
    str why;           /* one line, for people */
    uint64_t first_us; /* from the question to the first byte of text, 0 where none came */
    uint64_t total_us;
    uint64_t trace; /* serial of the trace record */
};
struct sink {
    /* A chat's model is on the way: `why` is one line for people. As often as it changes; may be
     * NULL. */
    void (*on_wait)(str why, void *user);
    /* The answer's text so far, growing; may be NULL. Only what also fits on_done's text. */
    void (*on_text)(str text, void *user);
    /* Exactly once, last. error NULL: see answer; else only answer->why and trace are set. */
    void (*on_done)(const struct answer *answer, const struct error *error, void *user);
    void *user;
};

/* Mechanisms that are off, so that each one's worth can be measured (tests/bench/traffic); a
 * program that serves people has them all. */
struct engine_switches {
    bool riding;    /* each question asks the model, or the cache, for itself */
    bool cache;     /* what was answered for the same window isn't found again, nor kept */
    bool predictor; /* it is never asked */
    bool hold;      /* a take-off doesn't wait for the next key after a deletion */
    bool fill;      /* a flight ends at its second line, blank or not */
    bool ahead;     /* a text that is nearly used up isn't continued before somebody asks */
    bool keep;      /* what was shown of a flight goes with it where it is aborted */
    bool suppress;  /* models are asked after an undo or a paste, and where nothing is ever taken */
    bool queue;     /* every exchange starts at once, however many are under way */
    bool head;      /* the window's start moves with each key, so that no prompt begins as the last
                     * one did */
};

struct engine_options {
    struct loop *loop; /* keeps, like all pointers here */
    struct documents *documents;
    struct upstream *upstream;
    struct predictor *predictor;
    struct settings *settings; /* takes a reference of its own */
    struct store *store;       /* where answers are kept beyond this process; NULL: nowhere */
    /* What people are told has changed: busy, model, loading, message. Not from inside a call. */
    void (*on_status)(void *user);
    void *user;
    struct engine_switches off;
    /* Where a server has slots, each document's typing has its own. Only for who has the server for
     * itself: a slot that another program is at work in is waited for, whoever else is idle. */
    bool pins_slots;
};
struct engine *engine_create(const struct engine_options *options);
/* Ends open questions with ERR_CANCELLED first. */
void engine_destroy(struct engine *e);
void engine_configure(struct engine *e, struct settings *s); /* takes a reference */
/* From now on this model ("endpoint/model") serves the role, whatever the settings say; empty: as
 * they say. */
void engine_prefer(struct engine *e, enum role role, str model);
/* Whether anything may be asked that no question asks for; it may at first. */
void engine_switch(struct engine *e, bool is_on);
/* The endpoints' states changed (upstream's on_change). */
void engine_on_upstream(struct engine *e);

/* Gives the question's id, never 0. */
uint64_t engine_ask(struct engine *e, const struct question *q, const struct sink *sink);
/* on_done(ERR_CANCELLED) follows in a later turn; unknown ids are ignored. */
void engine_cancel(struct engine *e, uint64_t question);
/* What other open documents hold that means something like what the place is about, as far as a
 * model of models.embed has said so: the likest first, ACTION_RELATED_MAX at most. Borrowed until a
 * document is edited or closed. */
size_t engine_related(struct engine *e, const struct action_place *p, struct action_related *out);
/* How many bytes of `chat.prompt` the model that would be asked now takes, with room left for
 * `max_tokens` of answer; a safe guess where no model is there. `model` as in a question. */
size_t engine_chat_room(const struct engine *e, str model, unsigned max_tokens);
/* What an editor tells of an answer (its trace serial): it is on the screen; its first `n_bytes`
 * are in the document now (SIZE_MAX: all of it). What it doesn't tell is read from the edits, and
 * each piece counts once. Unknown serials are ignored. */
void engine_seen(struct engine *e, uint64_t trace);
void engine_accepted(struct engine *e, uint64_t trace, size_t n_bytes);
/* The person turned to this document; 0: to none. */
void engine_focus(struct engine *e, uint64_t document);

enum engine_mood { MOOD_NORMAL, MOOD_LOADING, MOOD_WARNING, MOOD_INACTIVE };
struct engine_status { /* strings borrowed until the next call into the engine */
    bool is_busy;
    enum engine_mood mood;
    str model; /* "endpoint/model" that serves typing now, or "embedded" */
    str endpoint;
    double loading; /* 0..1, < 0: unknown or not loading */
    str message;    /* one line: state, and the next step where something is missing */
    str why;        /* of the last request */
};
struct engine_status engine_status(struct engine *e);

struct engine_stats {
    uint64_t n_questions, n_shown, n_empty, n_superseded, n_cancelled, n_failed;
    uint64_t n_from_model, n_from_predictor, n_suppressed;
    uint64_t n_after_undo, n_after_paste, n_withheld; /* of the suppressed; withheld: no model */
    uint64_t n_failed_over; /* questions that a second endpoint was asked after the first failed */
    uint64_t n_hedged, n_hedged_won; /* calls that a second endpoint got as well; it was first */
    uint64_t n_accepted, n_accepted_bytes, n_shown_bytes;
    uint64_t n_fates[N_FATES];        /* of what was shown, as far as known */
    uint64_t n_seen;                  /* answers that the editor said it shows */
    uint64_t n_updates;               /* answers that grew after they were given */
    uint64_t n_held;                  /* take-offs that waited for the next key */
    uint64_t n_held_off;              /* of them those that it made unnecessary */
    uint64_t n_ahead, n_ahead_wanted; /* texts continued before somebody asked; that were read on */
    uint64_t n_choices, n_others;     /* answers to choose from; texts beside their first */
    uint64_t n_embeddings, n_embedded;  /* exchanges for vectors; texts that they were made of */
    uint64_t n_related;                 /* pieces of other documents that went with a question */
    uint64_t n_waited;                  /* exchanges that a place had to become free for */
    struct histogram first, total, own; /* own: from the byte that completes a unit to on_done */
    struct histogram waited;            /* for a place, of those */
};
const struct engine_stats *engine_stats(const struct engine *e);
struct trace *engine_trace(struct engine *e);
struct flights_stats engine_flights(const struct engine *e);
struct queue_stats engine_lanes(const struct engine *e);
/* How many exchanges with an endpoint are started at a time by now; 0: there was none yet. */
unsigned engine_places(const struct engine *e, uint64_t endpoint);
/* In memory and in the store. */
void engine_clear_cache(struct engine *e);
struct similar_stats {
    bool is_on, is_adaptive;
    double threshold;               /* the present one */
    size_t n_entries;               /* answers that may serve */
    uint64_t n_hits;                /* served to a similar question */
    uint64_t n_accepted, n_refused; /* of these, as far as is known: let stand, asked again */
};
struct similar_stats engine_similar(const struct engine *e);

#endif
