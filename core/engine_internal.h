/* engine_internal.h - what the files of the engine share: engine.c asks and answers, leg.c flies
 * (outgoing.c: with what; failover.c: and fails),
 * scout.c asks the predictor first, place.c looks at the place, lesson.c lets the predictor learn,
 * supply.c sends for models, rhythm.c and ahead.c decide when a model is asked (hedging.c: a second
 * one), feedback.c whether it is worth it, lane.c has exchanges wait for a place, update.c has what
 * comes after an answer (several.c: beside it), converse.c the questions that a person asks,
 * recall.c and reuse.c find what was answered in another run and to similar ones. */
#ifndef CRUCIBLE_ENGINE_INTERNAL_H
#define CRUCIBLE_ENGINE_INTERNAL_H

#include "core/base/map.h"
#include "core/engine.h"
#include "core/loop/loop.h"
#include "core/prompt/context.h"
#include "core/prompt/trim.h"
#include "core/request/fit.h"
#include "core/request/gesture.h"
#include "core/request/shown.h"
#include "core/request/store.h"
#include "core/request/threshold.h"
#include "core/request/unit.h"
#include "core/request/vectors.h"
#include "core/upstream/hedge.h"

/* The predictor's word alone, without asking a model: as good as or better than a small model's.
 * And its word where no model can come. tests/eval measures what the numbers mean: of answers with
 * confidence from 0.85 on about 90 % of first lines are right, from 0.7 on about 75 %. */
#define PREDICTOR_SURE 0.85
#define PREDICTOR_FAIR 0.7
#define MODEL_SURE     1u /* the keys of its flights */
#define MODEL_FAIR     2u

enum asked_state {
    ASKED_SCOUTING,  /* the predictor is being asked */
    ASKED_RECALLING, /* the disk is being asked */
    ASKED_HOLDING,   /* the next key is likely to come before an answer would: until hold_us */
    ASKED_WAITING,   /* for a model that loads, or for the first look at the endpoints */
    ASKED_RIDING,    /* aboard a flight */
    ASKED_REFUSED,   /* will be answered with silence, trace says why */
    ASKED_FAILED,    /* will be answered with `failure` */
    ASKED_CANCELLED  /* will be answered with ERR_CANCELLED */
};

/* What a chat adds to a question; owned by it. */
struct conversation {
    struct buf system, prompt, rewrites, identity;
    unsigned max_tokens;
    struct likeness *like; /* owned; NULL: only the same question's answer serves */
    double likeness;       /* of the question whose answer this one gets; 0: its own */
    bool is_glance, is_recall;
    unsigned n_related;
    bool is_judged;                  /* reuse has looked at what it says about the answer before */
    bool is_anew;                    /* what is known isn't good enough */
    char waits_for[ERROR_MSG_BYTES]; /* what the sink was told last */
};

/* The texts beside an answer's first: several.c. */
#define CHOICE_MAX (TEXTS_MAX + 1)
struct choice_text {
    struct buf text;
    size_t n_replace;
};
struct choice {
    bool has_shown; /* the first of them is what was shown there */
    unsigned n;
    struct choice_text texts[CHOICE_MAX];
};

/* What the store knows of a question. */
struct recollection {
    struct store_key key;
    uint64_t lookup; /* one that is under way; 0: none */
    bool is_known;   /* the store has been asked for `key` */
    struct buf text; /* what it said; empty: nothing */
    char model_name[128];
};

/* One open question. Its id is the rider's id as well. */
struct asked {
    uint64_t id;
    struct engine *engine;
    enum asked_state state;
    enum question_kind kind;
    enum role role;
    uint64_t document;
    size_t cursor, selected_start;
    struct buf selected; /* copies of the question's slices */
    struct buf wish;
    bool is_explicit, is_again, is_more;
    unsigned n_wanted;     /* texts to choose from; 0 and 1: one */
    struct choice *choice; /* owned; NULL: none but the first */
    enum unit unit;        /* what the place calls for */
    bool is_multiline;
    enum place_class place;
    size_t n_read;             /* bytes of the flight's text that the answer stands for */
    size_t n_known;            /* of them those that were shown before: of a QUESTION_UPDATE */
    bool may_grow;             /* the answer: more of it is on the way */
    const char *ended_as;      /* outcome for the trace where cancelled */
    struct error failure;      /* where ASKED_FAILED */
    uint64_t avoid;            /* id of an endpoint that has failed it; 0: none has */
    unsigned n_loads_met;      /* times that a server was still loading its model */
    struct conversation *chat; /* owned; NULL but for QUESTION_CHAT */
    struct settings *settings; /* the snapshot it began with */
    struct sink sink;
    uint64_t trace;
    uint64_t asked_us, budget_us, hard_us, first_us;
    uint64_t hold_us; /* where ASKED_HOLDING */
    bool was_late;    /* the budget has passed and was noted */
    uint64_t flight;
    enum boarded boarded;
    enum answer_source source;
    char model_name[128];
    struct recollection recollection;
    uint64_t scout;     /* exchange with the predictor */
    struct buf standby; /* what the predictor said */
    double confidence;
    bool is_queued;
    UT_hash_handle hh;
};

/* One flight's exchange with a model. */
struct leg {
    uint64_t exchange; /* 0: it waits for a place */
    uint64_t flight;
    uint64_t endpoint; /* id */
    bool is_chat;      /* a person waits for the whole of it */
    bool is_multiline;
    bool is_kept; /* landed whole it goes to the store, by `key` */
    struct store_key key;
    enum queue_class class;
    uint64_t document;  /* of typing; 0: none */
    uint64_t pace;      /* key of what is known of how long such legs take */
    unsigned max_lines; /* lines with something on them that are enough; 0: the trimmer knows */
    struct hole *hole;  /* what a model says that fills by chat goes through it first; else NULL */
    struct trim *trim;
    struct buf clean;        /* all clean text so far */
    struct several *several; /* its other texts, owned; NULL: it has none */
    bool is_over, is_whole;  /* its own text has ended before the others; is all there was */
    uint64_t began_us;
    bool has_begun; /* to answer */
    char name[128]; /* "endpoint/model" */
    enum unit unit; /* what its place calls for */
    bool is_beside; /* its server has it wait for another of ours: it teaches nothing of pace */
    /* hedging.c */
    bool is_twin;      /* its flight's second one */
    bool is_hedged;    /* its flight has had two */
    bool has_no_other; /* no other endpoint can be asked, as far as is known */
    uint64_t late_us;  /* what 95 of 100 such calls take to begin; 0: unknown, or no keystroke's */
    UT_hash_handle hh;
};

/* How long legs of one kind take with one model. */
struct pace {
    uint64_t key;      /* 0: unused */
    uint64_t first_us; /* from the start to the first text, smoothed; 0: unknown */
    uint64_t takes_us; /* ... to the end */
};

/* Legs that wait for a place at their endpoint: lane.c. */
#define LANE_PACES 16u
struct lanes {
    struct queue *queue;
    struct waiting *waiting; /* owned */
    struct pace paces[LANE_PACES];
    unsigned next_pace; /* the one that is forgotten next */
};

/* How the person types, and how fast the model begins to answer: rhythm.c. */
struct rhythm {
    uint64_t document;
    uint64_t edited_us; /* the newest edit */
    bool is_erasing;    /* it took away more than it put in */
    uint64_t gap_us;    /* from a deletion to the next edit, smoothed; 0: not known yet */
    uint64_t first_us;  /* from asking a model to its first text, smoothed; 0: not known yet */
    uint64_t busy_us;   /* how long one request keeps a model busy, smoothed; 0: not known yet */
};

/* What the person does with what is shown, and what follows from it: feedback.c. */
struct feedback {
    struct gestures gestures;
    struct shown shown;
    struct suppress suppress;
};

/* The place whose text may be continued before somebody asks: ahead.c. */
struct ahead {
    uint64_t due_us; /* CLOCK_NEVER: there is none */
    uint64_t document, flight;
    size_t cursor;
    struct buf rest; /* what is shown there, to the end of the flight's text */
    size_t end_at;   /* the length of that text */
    bool is_multiline;
    struct settings *settings; /* a reference of its own, where there is a place */
    uint64_t newest_flight;    /* that was continued; 0: none */
    size_t newest_at;          /* the length of its text then */
    double worth;              /* the share of continued texts that were read on, smoothed */
};

/* What pieces of the open documents mean: related.c. */
#define RELATED_BATCH 16u /* texts in one exchange */
struct related {
    struct vectors *vectors;    /* owned */
    struct related_file *files; /* owned */
    uint64_t model;             /* that the vectors are of */
    bool is_off;
    uint64_t due_us;          /* CLOCK_NEVER: nothing is to be done */
    uint64_t not_before_us;   /* after a failure; 0: there was none */
    uint64_t place, n_places; /* in the queue; 0: none. How many there were */
    uint64_t exchange;        /* under way; 0: none */
    uint64_t keys[RELATED_BATCH];
};

/* Lets a posted turn find out that the engine has gone. */
struct tether {
    struct engine *engine;
    bool is_posted;
};

/* What is known of answers that may serve similar questions. */
struct reuse {
    struct similar *similar; /* owned */
    struct threshold threshold;
    uint64_t n_hits;
    /* The newest similar answer that was shown, until it is known what the person thinks of it. */
    uint64_t shown_head; /* 0: none */
    double shown_likeness;
    uint64_t shown_us;
};

/* When a document's text should be learned (again). */
struct lesson {
    uint64_t document;
    uint64_t learned_revision; /* UINT64_MAX: never */
    uint64_t due_us;           /* CLOCK_NEVER: nothing new */
    UT_hash_handle hh;
};

struct engine {
    struct engine_options options;
    struct settings *settings;
    struct flights *flights;
    struct reuse reuse;
    struct loop_timer *timer;
    struct tether *tether;
    struct asked *asked;
    struct leg *legs;
    struct lesson *lessons;
    uint64_t last_id;
    uint64_t *queue; /* ids of questions to look at in the next turn */
    size_t n_queue, cap_queue;
    uint64_t byte_us; /* when the bytes being handled came; 0 outside */
    struct rhythm rhythm;
    struct ahead ahead;
    struct feedback feedback;
    struct lanes lanes;
    struct related related;
    struct hedge hedge;
    unsigned n_spare_tenths; /* what exchanges have earned for failing over, a tenth of one each */
    struct trace trace;
    struct engine_stats stats;
    bool was_busy;
    struct buf preferred[N_ROLES]; /* models that were switched to; empty: as the settings say */
    uint64_t warmed; /* hash of the model that was loaded before it was asked for; 0: none */
    struct route shown_route; /* of the last engine_status */
    char last_why[TRACE_WHY_BYTES];
};

/* -- engine.c -- */
struct asked *engine_find(struct engine *e, uint64_t id);
/* Has a turn come, for whatever is to be looked at then. */
void engine_post(struct engine *e);
/* Looks at a question in the next turn. */
void engine_queue(struct engine *e, struct asked *a);
/* Ends it in the next turn with an error. */
void engine_fail_asked(struct engine *e, struct asked *a, const struct error *error);
/* The one place where a question ends. `given` may be the flight's: it is used before leaving. */
void engine_finish(struct engine *e, struct asked *a, struct fit_rest given, bool is_cut,
                   const struct error *error);
/* Sets the timer for whatever is due next. */
void engine_arm(struct engine *e);
/* Ids of all questions aboard a flight, a copy: whoever is answered leaves it. The caller frees it
 * with xfree. */
uint64_t *engine_riders(const struct engine *e, uint64_t flight, size_t *n);
/* The flight's text or state changed: its riders are looked at now. */
void engine_look(struct engine *e, uint64_t flight);
/* The predictor's word, where no model's can come: cleaned and cut like any other. False where it
 * has none. */
bool engine_stand_in(struct engine *e, struct asked *a);
void engine_note_busy(struct engine *e);
/* Boards a flight of the document that leads through its place; false where there is none. */
bool engine_board(struct engine *e, struct asked *a, const struct open_document *doc,
                  uint64_t model, enum answer_source source, const char *name);
/* Takes off to the model, if one is there. */
void engine_depart(struct engine *e, struct asked *a);
struct boarding engine_place(const struct asked *a, const struct open_document *doc,
                             uint64_t model);

/* -- failover.c -- */
#define SPARE_TENTHS_MAX 100u /* of exchanges; an engine begins with so many */
/* An exchange with a model has started. */
void failover_earn(struct engine *e);
/* The flight failed at this endpoint, and goes: its riders take off to another one where there is
 * one; or wait, if a person asked and it will be well in a moment; or get the predictor's word, or
 * silence and the reason. */
void engine_fail(struct engine *e, uint64_t flight, uint64_t endpoint, const struct error *error);

/* -- converse.c -- */
struct conversation *conversation_create(const struct chat *chat);
void conversation_destroy(struct conversation *c);
/* Boards, waits for a model, or takes off. */
void converse(struct engine *e, struct asked *a);
/* The sink hears, once, what it waits for. */
void converse_tell_wait(struct engine *e, struct asked *a, const char *why);
/* Looks at a chat that rides: tells its sink the text, and ends it with the flight. */
void converse_consider(struct engine *e, struct asked *a, uint64_t now_us);

/* -- reuse.c -- */
void reuse_init(struct engine *e);
void reuse_release(struct engine *e);
/* The settings are others. */
void reuse_configure(struct engine *e);
/* Has the chat ride a landed flight whose question was like its own; true where there is one. */
bool reuse_board(struct engine *e, struct asked *a);
/* The chat was answered whole by a flight of this key, its own. */
void reuse_learn(struct engine *e, const struct asked *a, uint64_t key);

/* -- supply.c -- */
/* Who would answer: by the settings, or the model that was switched to where `wish` is empty. */
struct route supply_find(const struct engine *e, const struct settings *s, enum role role, str wish,
                         uint64_t avoid);
/* Who else would answer it, on another machine than this endpoint. */
struct route supply_find_apart(const struct engine *e, const struct asked *a, uint64_t from);
/* The same for a question. A model that has to be loaded first is sent for; where there is none at
 * all, endpoints whose models come and go are looked at again. */
struct route supply_route(struct engine *e, const struct asked *a);
/* Whether the model is still loaded, as far as anybody knows; else the question waits until the
 * server has said so. */
bool supply_confirm(struct engine *e, struct asked *a, const struct route *r);
/* Somebody types: opens a connection to who would answer, where that takes a while. */
void supply_reach_out(struct engine *e);
/* Has the model loaded that would serve typing, once. */
void supply_warm_up(struct engine *e);

/* -- scout.c -- */
/* Asks the predictor first; false where it isn't there. */
bool scout_send(struct engine *e, struct asked *a, const struct open_document *doc);

/* -- place.c -- */
/* Fills in what the place calls for (unit, is_multiline); gives why the question isn't worth
 * asking, or NULL. `doc` may be NULL. */
const char *place_read(struct asked *a, const struct open_document *doc);

/* -- lesson.c -- */
/* A document is asked about: it will be learned. */
void lesson_begin(struct engine *e, uint64_t document, uint64_t now_us);
/* True where the timer has to be set anew. */
bool lesson_on_edit(struct engine *e, uint64_t document, uint64_t now_us);
void lesson_forget(struct engine *e, uint64_t document);
uint64_t lessons_next_us(const struct engine *e);
void lessons_tick(struct engine *e, uint64_t now_us);
void lessons_release(struct engine *e);

/* -- rhythm.c -- */
void rhythm_on_edit(struct engine *e, uint64_t document, const struct edit *edit, uint64_t now_us);
/* A model has begun to answer, so long after it was asked. */
void rhythm_on_first(struct engine *e, uint64_t first_us);
/* A model was busy so long with one request. */
void rhythm_on_end(struct engine *e, uint64_t busy_us);
/* Until when a take-off for the question waits; a time that has passed for not at all. */
uint64_t rhythm_hold_us(const struct engine *e, const struct asked *a);

/* -- feedback.c -- */
void feedback_init(struct engine *e);
void feedback_release(struct engine *e);
void feedback_on_edit(struct engine *e, const struct open_document *doc, const struct edit *edit);
void feedback_on_close(struct engine *e, uint64_t document);
/* The question is answered, for the figures too; the text may be empty. */
void feedback_on_answer(struct engine *e, const struct asked *a, const struct answer *answer,
                        uint64_t now_us);
/* Why an automatic question gets no answer here, whoever could give it; or NULL. */
const char *feedback_refusal(struct engine *e, const struct asked *a);
/* Whether no model is asked for it, since little of what was shown in such places was of use; the
 * trace says so then. */
bool feedback_withholds(struct engine *e, const struct asked *a, const struct open_document *doc);

/* -- update.c -- */
/* Boards the flight that the answer came from. */
void update_begin(struct engine *e, struct asked *a, const struct open_document *doc);
/* Looks at one that rides: answers it when there is more than what was shown. */
void update_consider(struct engine *e, struct asked *a, uint64_t now_us);
/* Whether more will come of an answer with the first `n` bytes of the view's text. */
bool update_may_come(const struct asked *a, const struct flight_view *view, size_t n);

/* -- ahead.c -- */
void ahead_init(struct engine *e);
void ahead_release(struct engine *e);
/* The question is about to be answered with the first `n` bytes of the view's text. */
void ahead_on_answer(struct engine *e, const struct asked *a, const struct flight_view *view,
                     size_t n, uint64_t now_us);
/* Whatever was planned for the document isn't wanted any more. */
void ahead_forget(struct engine *e, uint64_t document);
void ahead_tick(struct engine *e, uint64_t now_us);

/* -- lane.c -- */
void lanes_init(struct engine *e);
void lanes_release(struct engine *e); /* what waits is gone */
/* Whether a keystroke's text would come in time; where it wouldn't the trace says why. */
bool lane_takes(struct engine *e, const struct asked *a, const struct route *r);
/* A place for work in the background that is no leg's: related_start is called when there is one,
 * which may be at once. queue_done gives it back. */
void lane_reserve(struct engine *e, uint64_t id, const struct route *r);
/* Starts the leg's exchange as soon as there is a place for it. Takes the leg; what `spec` points
 * to is borrowed for the call. */
void lane_enter(struct engine *e, struct leg *leg, const struct exchange_spec *spec);
/* Text came for it; its exchange is over. */
void lane_on_text(struct engine *e, const struct leg *leg);
void lane_left(struct engine *e, const struct leg *leg);
/* Takes out one that waits; false where that flight has none. */
bool lane_abort(struct engine *e, uint64_t flight);
/* A question for typing has boarded a flight: what that waits or works for isn't background. */
void lane_on_boarded(struct engine *e, const struct asked *a);
uint64_t lanes_next_us(const struct engine *e);
void lanes_tick(struct engine *e, uint64_t now_us);

/* -- related.c -- */
void related_init(struct engine *e);
void related_release(struct engine *e);
/* The settings have changed. */
void related_configure(struct engine *e);
/* There may be something to do; whatever was planned is done then. */
void related_wake(struct engine *e, uint64_t after_us);
/* Somebody is at work: not before a pause. */
void related_rest(struct engine *e);
uint64_t related_next_us(const struct engine *e);
void related_forget(struct engine *e, uint64_t document);
/* The place that it has reserved is there; is needed by somebody else. */
void related_start(struct engine *e);
void related_give_way(struct engine *e);
void related_tick(struct engine *e, uint64_t now_us);

/* -- hedging.c -- */
/* The leg is about to begin, of what `a` asks; a flight's second one is its twin. */
void hedging_plan(struct engine *e, struct leg *leg, const struct asked *a,
                  const struct generate *generate);
/* Its first text has come: it goes on, and the flight's other one is cancelled. */
void hedging_on_first(struct engine *e, struct leg *leg);
/* It is over (error NULL: by itself); true where the flight goes on with the other one. */
bool hedging_on_end(struct engine *e, const struct leg *leg, const struct error *error);
/* Others may be there now. */
void hedging_on_upstream(struct engine *e);
uint64_t hedging_next_us(const struct engine *e);
void hedging_tick(struct engine *e, uint64_t now_us);

/* -- several.c -- */
void choice_destroy(struct choice *c); /* may be NULL */
/* Who asks for a suggestion once more, or where one is shown, wants to choose: as many as `r`'s
 * server writes at once. */
void several_want(struct engine *e, struct asked *a, const struct route *r);
/* What the flight that it has boarded shows there by now goes with the answer, and others are asked
 * for; false where nothing is shown. */
bool several_take_shown(struct engine *e, struct asked *a);
/* Cuts what it was given as its place calls for; `closers` as in a flight's view. */
void several_fit(struct asked *a, str closers);
/* Adds to an answer whose `others` has room for CHOICE_MAX; what it adds is `c`'s. */
void several_tell(struct engine *e, const struct asked *a, const struct choice *c,
                  struct answer *answer);
/* Of a leg that asks for `n` texts; `make` gives a trimmer for each of the others. */
void several_begin(struct leg *leg, unsigned n, struct trim *(*make)(void *user), void *user);
void several_release(struct leg *leg);
void several_on_text(struct leg *leg, unsigned idx, str utf8);
/* The server has ended one of its texts, 0 being the leg's own. */
void several_on_end(struct leg *leg, unsigned idx, enum finish_reason reason);
/* Whether more is wanted of some other text; whether the server is still at some text. */
bool several_is_open(const struct leg *leg);
bool several_is_open_there(const struct leg *leg);
/* The leg lands: its riders get the others that they asked for. */
void several_give(struct engine *e, const struct leg *leg);

/* -- recall.c -- */
struct prompt_window;
struct store_key recall_key_of_fill(const struct engine *e, const struct asked *a,
                                    const struct route *r, const struct prompt_window *w);
/* A chat with an identity needs no route. */
struct store_key recall_key_of_chat(const struct engine *e, const struct asked *a,
                                    const struct route *r);
/* What the store knows: a->recollection has it at STORE_HIT; at STORE_LATER the question is
 * looked at again when the store has answered. */
enum store_found recall(struct engine *e, struct asked *a, const struct store_key *key);
void recall_forget(struct engine *e, struct asked *a);
/* The leg's flight has landed whole. */
void recall_keep(struct engine *e, const struct leg *leg);

/* -- leg.c -- */
/* What would be sent for a question. */
struct prompt_window {
    struct window window;
    struct buf prefix, suffix;
    uint64_t hash; /* of the text, `model` and the line limit */
};
void prompt_window_take(struct prompt_window *w, const struct asked *a,
                        const struct open_document *doc, const struct window_limits *limits,
                        uint64_t model);
void prompt_window_release(struct prompt_window *w);
/* Whether a model can fill in the middle: by its server's own means, or by a template of ours. */
bool leg_can_fill(const struct model_info *m);
/* How much text a route's model is sent. */
struct window_limits leg_limits(const struct engine *e, const struct asked *a,
                                const struct route *r);
/* Hash of who would answer. */
uint64_t leg_model(const struct route *r);
/* Takes off with the question aboard and starts the exchange, now or when there is a place for it.
 * What comes back is kept by `key`. False where its text couldn't come in time; the trace says why
 * then. */
bool leg_start(struct engine *e, struct asked *a, const struct open_document *doc,
               const struct route *r, const struct prompt_window *w, const struct store_key *key);
/* Has the text of a flight that has landed cut continued; `a` stands at its end, what isn't in the
 * document being its selection. False where it can't be. */
bool leg_continue(struct engine *e, const struct asked *a, const struct open_document *doc,
                  const struct route *r, const struct prompt_window *w, uint64_t flight);
/* Has the text of a flight that nothing has come for yet written by a second model, too, the
 * question being aboard. False where it can't be. */
bool leg_start_twin(struct engine *e, const struct leg *first, const struct asked *rider,
                    const struct route *r);
/* Lands the flight whose own text is there, without the others; false where it isn't. */
bool leg_hurry(struct engine *e, uint64_t flight);
/* Closes its exchange, and forgets it. */
void leg_cancel(struct engine *e, struct leg *leg);
/* The same for a chat: takes off by `key`, and sends what is said. False where it may not be sent;
 * *why says so then. */
bool leg_start_chat(struct engine *e, struct asked *a, const struct route *r, uint64_t key,
                    const struct store_key *kept_by, struct error *why);
/* Lands what the store knows of the question as a flight of its own, the question aboard. */
void leg_recalled(struct engine *e, struct asked *a, const struct open_document *doc,
                  const struct route *r, const struct prompt_window *w);
void leg_recalled_chat(struct engine *e, struct asked *a, uint64_t key);
/* Lands the predictor's text as a flight of its own, the question aboard. */
void leg_embedded(struct engine *e, struct asked *a, const struct open_document *doc,
                  uint64_t model);
/* Starts the exchange of a leg whose turn it is. Takes the leg. */
void leg_depart(struct engine *e, struct leg *leg, const struct exchange_spec *spec);
/* Forgets a leg that has no exchange. */
void leg_discard(struct leg *leg);
/* Closes the exchange of a flight that nobody is aboard of; it lands as it was before. */
void leg_give_way(struct engine *e, uint64_t flight);
/* Where the last line of `text` ends that the leg's place is given; 0: it hasn't come. */
size_t leg_enough(const struct leg *leg, str text, const struct trim *trim);
/* Says to everybody aboard why something is as it is. */
void leg_note_riders(struct engine *e, uint64_t flight, const char *why);
/* The flights' on_abort. */
void leg_abort(uint64_t flight, void *user);
/* Closes every exchange. */
void legs_release(struct engine *e);

#endif
