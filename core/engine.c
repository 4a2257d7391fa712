/* engine.c - questions in, answers out: the policy between features, flights and models.
 *
 * Why   A feature wants one thing: the text for this place, or silence with a reason. Everything
 *       that decides between riding, the cache, the predictor and a model stands here, once.
 * How   engine_ask refuses, boards, or asks the predictor (the scout). Then: sure → its text;
 *       a model is ready → take off; else the predictor's fair word, or silence. A rider is
 *       answered at the first complete unit of what its place calls for; from its budget on at the
 *       first complete line; at its hard limit with what there is.
 * Rules on_done is only called from the loop: from the posted turn, the timer, or an exchange's
 *       events. An edit cancels the document's questions before anything else sees the text. */
#include <stdio.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/limits.h"
#include "core/base/log.h"
#include "core/engine_internal.h"

#define INLINE_HARD_US  SEC_TO_US(5)
#define CHAT_HARD_US    SEC_TO_US(900) /* a load from a slow disk, and a long answer on a CPU */
#define HANGING_US      SEC_TO_US(2)   /* a person who gives up after that has waited in vain */
#define CACHE_MAX_BYTES (8u * MIB)

/* -- questions -- */

struct asked *engine_find(struct engine *e, uint64_t id)
{
    struct asked *a;
    HASH_FIND(hh, e->asked, &id, sizeof(id), a);
    return a;
}

static void asked_free(struct engine *e, struct asked *a)
{
    HASH_DELETE(hh, e->asked, a);
    if (a->scout != 0) {
        exchange_cancel(e->options.upstream, a->scout);
    }
    buf_release(&a->selected);
    buf_release(&a->wish);
    buf_release(&a->standby);
    conversation_destroy(a->chat);
    choice_destroy(a->choice);
    settings_unref(a->settings);
    recall_forget(e, a);
    buf_release(&a->recollection.text);
    xfree(a);
}

static struct open_document *document_of(struct engine *e, const struct asked *a)
{
    return documents_find(e->options.documents, a->document);
}

struct boarding engine_place(const struct asked *a, const struct open_document *doc, uint64_t model)
{
    return (struct boarding){.doc = doc,
                             .cursor = a->cursor,
                             .selected = buf_str(&a->selected),
                             .selected_start = a->selected_start,
                             .model = model,
                             .is_multiline = a->is_multiline};
}

/* -- the posted turn -- */

static void consider(struct engine *e, struct asked *a, uint64_t now_us);

static void engine_turn(void *user)
{
    struct tether *tether = user;
    struct engine *e = tether->engine;
    tether->is_posted = false;
    if (e == NULL) {
        xfree(tether);
        return;
    }
    uint64_t *ids = e->queue;
    size_t n = e->n_queue;
    e->queue = NULL;
    e->n_queue = e->cap_queue = 0;
    uint64_t now_us = clock_now_us();
    for (size_t i = 0; i < n; i++) {
        struct asked *a = engine_find(e, ids[i]);
        if (a != NULL) {
            a->is_queued = false;
            consider(e, a, now_us);
        }
    }
    xfree(ids);
    lanes_tick(e, now_us);
    engine_note_busy(e);
    engine_arm(e);
}

void engine_post(struct engine *e)
{
    if (!e->tether->is_posted) {
        e->tether->is_posted = true;
        loop_post(e->options.loop, engine_turn, e->tether);
    }
}

void engine_queue(struct engine *e, struct asked *a)
{
    if (a->is_queued) {
        return;
    }
    a->is_queued = true;
    if (e->n_queue == e->cap_queue) {
        e->cap_queue = e->cap_queue ? e->cap_queue * 2 : 16;
        e->queue = xrealloc(e->queue, e->cap_queue * sizeof(*e->queue));
    }
    e->queue[e->n_queue++] = a->id;
    engine_post(e);
}

/* -- answering -- */

static const char *outcome_of(const struct asked *a, const struct answer *answer,
                              const struct error *error)
{
    if (error != NULL) {
        return error->code == ERR_CANCELLED ? a->ended_as : "error";
    }
    return answer->text.len > 0 ? "shown" : "empty";
}

void engine_finish(struct engine *e, struct asked *a, struct fit_rest given, bool is_cut,
                   const struct error *error)
{
    uint64_t now_us = clock_now_us();
    struct answer answer = {.text = given.text,
                            .n_replace = given.n_replace,
                            .source = given.text.len > 0 ? a->source : ANSWER_NONE,
                            .boarded = a->boarded,
                            .n_read = a->n_read,
                            .may_grow = a->may_grow,
                            .likeness = a->chat != NULL ? a->chat->likeness : 0,
                            .is_cut = is_cut,
                            .first_us = a->first_us ? a->first_us - a->asked_us : 0,
                            .total_us = now_us - a->asked_us,
                            .trace = a->trace};
    struct buf text = {0};
    buf_init(&text, FLIGHT_MAX_TEXT_BYTES);
    buf_append(&text, given.text);
    answer.text = buf_str(&text);
    struct answer_other others[CHOICE_MAX];
    struct choice *choice = a->choice; /* outlives the question */
    a->choice = NULL;
    answer.others = others;
    if (error == NULL || error->code != ERR_CANCELLED) {
        several_tell(e, a, choice, &answer);
        error = answer.text.len > 0 ? NULL : error;
    }
    const char *outcome = outcome_of(a, &answer, error);
    bool is_same = a->kind == QUESTION_UPDATE && answer.text.len == 0; /* nothing more came */
    if (error == NULL) {
        feedback_on_answer(e, a, &answer, now_us);
    } else if (is_same) {
        outcome = "";
    } else if (error->code != ERR_CANCELLED) {
        e->stats.n_failed++;
    } else if (strcmp(outcome, "superseded") == 0) {
        e->stats.n_superseded++;
    } else {
        e->stats.n_cancelled++;
    }
    if (!is_same) {
        trace_end(&e->trace, a->trace, outcome, now_us);
    }
    const struct trace_entry *entry = trace_find(&e->trace, a->trace);
    char why[TRACE_WHY_BYTES] = "";
    if (entry != NULL) {
        memcpy(why, entry->why, sizeof(why));
        memcpy(e->last_why, entry->why, sizeof(e->last_why));
    }
    answer.why = str_from(why);
    char model_name[sizeof(a->model_name)];
    memcpy(model_name, a->model_name, sizeof(model_name));
    answer.model = str_from(model_name);
    struct sink sink = a->sink;
    flights_leave(e->flights, a->id, error == NULL, now_us);
    asked_free(e, a);
    sink.on_done(&answer, error, sink.user);
    choice_destroy(choice);
    buf_release(&text);
}

static void finish_silent(struct engine *e, struct asked *a)
{
    engine_finish(e, a, (struct fit_rest){.text = STR("")}, false, NULL);
}

void engine_fail_asked(struct engine *e, struct asked *a, const struct error *error)
{
    a->state = ASKED_FAILED;
    a->failure = *error;
    trace_why(&e->trace, a->trace, "%s", error->msg);
    engine_queue(e, a);
}

static void finish_cancelled(struct engine *e, struct asked *a)
{
    struct error error;
    (void)error_set(&error, ERR_CANCELLED, "%s", a->ended_as);
    engine_finish(e, a, (struct fit_rest){.text = STR("")}, false, &error);
}

bool engine_stand_in(struct engine *e, struct asked *a)
{
    struct open_document *doc = document_of(e, a);
    if (doc == NULL || a->standby.len == 0 || a->confidence < PREDICTOR_FAIR) {
        return false;
    }
    flights_leave(e->flights, a->id, true, clock_now_us());
    trace_why(&e->trace, a->trace, "built-in predictor stands in, %.0f %% sure",
              a->confidence * 100.0);
    leg_embedded(e, a, doc, a->confidence >= PREDICTOR_SURE ? MODEL_SURE : MODEL_FAIR);
    buf_clear(&a->standby); /* at most once */
    engine_queue(e, a);
    return true;
}

/* -- deciding who answers -- */

/* No model is there right now: the predictor's word, or patience where one may come, or silence. */
static void do_without(struct engine *e, struct asked *a, const struct route *r)
{
    bool is_settled = upstream_is_settled(e->options.upstream);
    bool may_come = r->state == ROUTE_LOADING || !is_settled;
    if (a->state != ASKED_WAITING) {
        trace_why(&e->trace, a->trace, "%s%s", may_come ? "waiting: " : "", r->message);
    }
    /* Editors ask once per edit: during the first look a model may still fill the one reply. */
    bool is_patient = !is_settled && clock_now_us() < a->budget_us;
    if (!is_patient && engine_stand_in(e, a)) {
        return;
    }
    a->state = may_come ? ASKED_WAITING : ASKED_REFUSED;
    if (!may_come && a->is_explicit) {
        struct error error;
        (void)error_set(&error, ERR_NOT_FOUND, "%s", r->message);
        engine_fail_asked(e, a, &error);
    } else if (!may_come) {
        engine_queue(e, a);
    }
}

/* Whether the take-off waits, since the next key is likely to make it unnecessary. */
static bool must_hold(struct engine *e, struct asked *a)
{
    uint64_t until_us = rhythm_hold_us(e, a);
    if (until_us <= clock_now_us()) {
        return false;
    }
    a->hold_us = until_us;
    a->state = ASKED_HOLDING;
    e->stats.n_held++;
    return true;
}

/* No flight of this run has the text: the store may, else the model is asked. */
static void depart_anew(struct engine *e, struct asked *a, const struct open_document *doc,
                        const struct route *r, const struct prompt_window *w)
{
    struct store_key key = recall_key_of_fill(e, a, r, w);
    enum store_found found = recall(e, a, &key);
    if (found == STORE_HIT) {
        leg_recalled(e, a, doc, r, w);
    } else if (found == STORE_MISS && must_hold(e, a)) {
        trace_why(&e->trace, a->trace, "waits for the next key");
    } else if (found == STORE_MISS && feedback_withholds(e, a, doc)) {
        a->state = ASKED_REFUSED;
        engine_queue(e, a);
    } else if (found == STORE_MISS && !leg_start(e, a, doc, r, w, &key) && !engine_stand_in(e, a)) {
        a->state = ASKED_REFUSED;
        engine_queue(e, a);
    }
}

void engine_depart(struct engine *e, struct asked *a)
{
    if (a->kind == QUESTION_CHAT) {
        converse(e, a);
        return;
    }
    struct open_document *doc = document_of(e, a);
    if (doc == NULL) { /* closed: its questions have been cancelled */
        return;
    }
    struct route r = supply_route(e, a);
    if (r.state != ROUTE_READY) {
        do_without(e, a, &r);
        return;
    }
    if (!supply_confirm(e, a, &r)) {
        return;
    }
    uint64_t model = leg_model(&r);
    struct boarding place = engine_place(a, doc, model);
    struct prompt_window w;
    struct window_limits limits = leg_limits(e, a, &r);
    prompt_window_take(&w, a, doc, &limits, model);
    if (!a->is_again && !e->options.off.cache) {
        a->boarded =
            flights_board_cached(e->flights, &place, w.hash, a->id, clock_now_us(), &a->flight);
    }
    if (a->boarded == BOARDED_CACHED) {
        a->state = ASKED_RIDING;
        a->source = ANSWER_MODEL;
        memcpy(a->model_name, r.name, sizeof(a->model_name));
        trace_why(&e->trace, a->trace, "cached: flight %llu", (unsigned long long)a->flight);
        engine_queue(e, a);
    } else {
        depart_anew(e, a, doc, &r, &w);
    }
    prompt_window_release(&w);
}

bool engine_board(struct engine *e, struct asked *a, const struct open_document *doc,
                  uint64_t model, enum answer_source source, const char *name)
{
    if (e->options.off.riding) {
        return false;
    }
    struct boarding place = engine_place(a, doc, model);
    enum boarded boarded = flights_board(e->flights, &place, a->id, clock_now_us(), &a->flight);
    if (boarded == BOARDED_NONE) {
        return false;
    }
    a->boarded = boarded;
    a->state = ASKED_RIDING;
    a->source = source;
    str author = flights_author(e->flights, a->flight);
    (void)snprintf(a->model_name, sizeof(a->model_name), STR_FMT,
                   STR_ARG(author.len > 0 ? author : str_from(name)));
    trace_why(&e->trace, a->trace, "boarded flight %llu%s", (unsigned long long)a->flight,
              boarded == BOARDED_LANDED ? ", landed" : "");
    lane_on_boarded(e, a);
    engine_queue(e, a);
    return true;
}

/* Boards, or sends the scout, or takes off. */
static void begin(struct engine *e, struct asked *a, const struct open_document *doc)
{
    struct route r = supply_find(e, a->settings, a->role, buf_str(&a->wish), a->avoid);
    bool is_ready = r.state == ROUTE_READY;
    bool is_boarded =
        !a->is_again && is_ready && engine_board(e, a, doc, leg_model(&r), ANSWER_MODEL, r.name);
    several_want(e, a, &r);
    if (is_boarded && !(a->is_more && several_take_shown(e, a))) {
        return;
    }
    if (!a->is_again && r.allows_embedded && !a->is_explicit &&
        (engine_board(e, a, doc, MODEL_SURE, ANSWER_PREDICTOR, "embedded") ||
         (!is_ready && engine_board(e, a, doc, MODEL_FAIR, ANSWER_PREDICTOR, "embedded")))) {
        return;
    }
    bool skips_scout = a->is_again && is_ready; /* something else is wanted, and a model can come */
    if (skips_scout || !r.allows_embedded || !scout_send(e, a, doc)) {
        engine_depart(e, a);
    }
}

/* -- looking at a question -- */

/* Length of what may be shown of `text` by now; 0 for not yet. */
static size_t due(const struct asked *a, const struct flight_view *view, uint64_t now_us)
{
    if (a->n_wanted > 1 && !view->has_landed && now_us < a->budget_us) { /* the others come, too */
        return 0;
    }
    bool takes_line = a->unit == UNIT_LINE || now_us >= a->budget_us;
    size_t n = unit_complete(view->text, 0, a->unit, view->has_landed);
    if (n == 0 && takes_line) {
        n = unit_complete(view->text, 0, UNIT_LINE, view->is_line_whole);
    }
    return n;
}

static void consider_riding(struct engine *e, struct asked *a, uint64_t now_us)
{
    struct flight_view view = flights_view(e->flights, a->id);
    if (view.has_left) {
        trace_why(&e->trace, a->trace, "flight %llu went another way",
                  (unsigned long long)a->flight);
        flights_leave(e->flights, a->id, false, now_us);
        a->boarded = BOARDED_NONE;
        engine_depart(e, a);
        return;
    }
    if (view.text.len > 0 && a->first_us == 0) {
        a->first_us = now_us;
        histogram_add(&e->stats.first, now_us - a->asked_us);
    }
    bool waits_for_others = a->n_wanted > 1 && !view.has_landed;
    if (waits_for_others && now_us >= a->budget_us && leg_hurry(e, a->flight)) {
        return;
    }
    size_t n = view.is_waiting ? 0 : due(a, &view, now_us);
    if (n > 0) {
        several_fit(a, view.closers);
        a->n_read = n;
        a->may_grow = a->choice == NULL && update_may_come(a, &view, n);
        ahead_on_answer(e, a, &view, n, now_us);
        if (!e->options.off.keep) {
            flights_note_shown(e->flights, a->flight, view.text_at + n);
        }
        engine_finish(e, a, fit_less_closers(str_sub(view.text, 0, n), view.closers), false, NULL);
    } else if (view.has_landed && a->is_explicit && a->boarded != BOARDED_NONE) {
        trace_why(&e->trace, a->trace, "nothing was there, asking again");
        flights_leave(e->flights, a->id, false, now_us);
        a->boarded = BOARDED_NONE;
        a->is_again = true;
        engine_depart(e, a);
    } else if (view.has_landed) {
        trace_why(&e->trace, a->trace, "%s has nothing to add here",
                  a->source == ANSWER_PREDICTOR ? "the predictor" : "the model");
        finish_silent(e, a);
    } else if (now_us >= a->hard_us) {
        trace_why(&e->trace, a->trace, "%s",
                  a->kind == QUESTION_INLINE ? "nothing came within 5 s"
                                             : "nothing came within the budget");
        if (!engine_stand_in(e, a)) {
            a->may_grow = true; /* it flies on, for whoever is still there when it comes */
            finish_silent(e, a);
        }
    } else if (view.text.len > 0 && a->sink.on_text != NULL) {
        a->sink.on_text(fit_less_closers(view.text, view.closers).text, a->sink.user);
    }
}

static void consider_waiting(struct engine *e, struct asked *a, uint64_t now_us)
{
    if (a->kind == QUESTION_CHAT) {
        if (now_us >= a->hard_us) {
            struct error error;
            (void)error_set(&error, ERR_TIMEOUT, "no model was ready within %u minutes",
                            (unsigned)(CHAT_HARD_US / SEC_TO_US(60)));
            engine_fail_asked(e, a, &error);
        }
        return;
    }
    if (now_us >= a->budget_us && engine_stand_in(e, a)) {
        return;
    }
    if (now_us >= a->hard_us && a->is_explicit) {
        struct route r = supply_find(e, a->settings, a->role, buf_str(&a->wish), a->avoid);
        struct error error;
        (void)error_set(&error, ERR_LOADING, "%s", r.message);
        engine_fail_asked(e, a, &error);
    } else if (now_us >= a->hard_us) {
        finish_silent(e, a);
    }
}

static void consider_holding(struct engine *e, struct asked *a, uint64_t now_us)
{
    if (now_us >= a->hard_us) {
        finish_silent(e, a);
    } else if (now_us >= a->hold_us) {
        engine_depart(e, a);
    }
}

static void consider(struct engine *e, struct asked *a, uint64_t now_us)
{
    switch (a->state) {
    case ASKED_SCOUTING:
        break;
    case ASKED_RECALLING:
        if (a->recollection.lookup == 0) {
            engine_depart(e, a);
        }
        break;
    case ASKED_HOLDING:
        consider_holding(e, a, now_us);
        break;
    case ASKED_WAITING:
        consider_waiting(e, a, now_us);
        break;
    case ASKED_RIDING:
        if (a->kind == QUESTION_CHAT) {
            converse_consider(e, a, now_us);
        } else if (a->kind == QUESTION_UPDATE) {
            update_consider(e, a, now_us);
        } else {
            consider_riding(e, a, now_us);
        }
        break;
    case ASKED_REFUSED:
        finish_silent(e, a);
        break;
    case ASKED_FAILED: {
        struct error failure = a->failure; /* outlives the question */
        engine_finish(e, a, (struct fit_rest){.text = STR("")}, false, &failure);
        break;
    }
    case ASKED_CANCELLED:
        finish_cancelled(e, a);
        break;
    }
}

uint64_t *engine_riders(const struct engine *e, uint64_t flight, size_t *n)
{
    *n = flights_riders(e->flights, flight, NULL, 0);
    uint64_t *riders = xcalloc(*n + 1, sizeof *riders);
    (void)flights_riders(e->flights, flight, riders, *n);
    return riders;
}

void engine_look(struct engine *e, uint64_t flight)
{
    size_t n;
    uint64_t *riders = engine_riders(e, flight, &n);
    uint64_t now_us = clock_now_us();
    for (size_t i = 0; i < n; i++) {
        struct asked *a = engine_find(e, riders[i]);
        if (a != NULL) {
            consider(e, a, now_us);
        }
    }
    xfree(riders);
}

/* -- time -- */

static void on_timer(void *user)
{
    struct engine *e = user;
    uint64_t now_us = clock_now_us();
    struct asked *a, *next;
    HASH_ITER(hh, e->asked, a, next)
    {
        bool is_late = now_us >= a->budget_us && !a->was_late;
        bool is_held = a->state == ASKED_HOLDING && now_us >= a->hold_us;
        if (is_late || is_held || now_us >= a->hard_us) {
            a->was_late = a->was_late || now_us >= a->budget_us;
            consider(e, a, now_us);
        }
    }
    hedging_tick(e, now_us);
    ahead_tick(e, now_us);
    lessons_tick(e, now_us);
    related_tick(e, now_us);
    flights_tick(e->flights, now_us);
    lanes_tick(e, now_us);
    engine_note_busy(e);
    engine_arm(e);
}

void engine_arm(struct engine *e)
{
    uint64_t at_us = flights_next_us(e->flights);
    for (const struct asked *a = e->asked; a != NULL; a = a->hh.next) {
        uint64_t own_us = a->was_late ? a->hard_us : a->budget_us;
        own_us = a->state == ASKED_HOLDING && a->hold_us < own_us ? a->hold_us : own_us;
        at_us = own_us < at_us ? own_us : at_us;
    }
    at_us = e->ahead.due_us < at_us ? e->ahead.due_us : at_us;
    uint64_t related_us = related_next_us(e);
    at_us = related_us < at_us ? related_us : at_us;
    uint64_t lane_us = lanes_next_us(e);
    at_us = lane_us < at_us ? lane_us : at_us;
    uint64_t hedge_us = hedging_next_us(e);
    at_us = hedge_us < at_us ? hedge_us : at_us;
    uint64_t lesson_us = lessons_next_us(e);
    loop_timer_set(e->timer, lesson_us < at_us ? lesson_us : at_us);
}

/* -- documents -- */

static void cancel(struct engine *e, struct asked *a, const char *ended_as, uint64_t now_us)
{
    if (a->state == ASKED_CANCELLED) {
        return;
    }
    bool was_hanging = a->kind == QUESTION_CHAT && a->state == ASKED_RIDING && a->first_us == 0 &&
                       now_us - a->asked_us >= HANGING_US;
    flights_leave(e->flights, a->id, a->kind == QUESTION_UPDATE, now_us);
    if (was_hanging && flights_riders(e->flights, a->flight, NULL, 0) == 0) {
        leg_give_way(e, a->flight); /* who asks once more doesn't want to wait for the same */
    }
    e->stats.n_held_off += a->state == ASKED_HOLDING;
    a->state = ASKED_CANCELLED;
    a->ended_as = ended_as;
    engine_queue(e, a);
}

static void on_document(const struct open_document *doc, const struct edit *edit, void *user)
{
    struct engine *e = user;
    uint64_t now_us = clock_now_us();
    for (struct asked *a = e->asked; a != NULL; a = a->hh.next) {
        if (a->document == doc->id && (a->kind != QUESTION_CHAT || edit == NULL)) {
            cancel(e, a, edit != NULL ? "superseded" : "cancelled", now_us);
        }
    }
    ahead_forget(e, doc->id);
    if (edit != NULL) {
        feedback_on_edit(e, doc, edit);
        if (!doc->is_excluded) {
            supply_reach_out(e);
        }
        rhythm_on_edit(e, doc->id, edit, now_us);
        flights_on_edit(e->flights, doc, edit, now_us);
        related_rest(e);
        if (lesson_on_edit(e, doc->id, now_us)) {
            engine_arm(e);
        }
    } else {
        flights_on_close(e->flights, doc->id);
        feedback_on_close(e, doc->id);
        lesson_forget(e, doc->id);
        related_forget(e, doc->id);
    }
}

/* -- the door -- */

const char *question_kind_name(enum question_kind kind)
{
    static const char *const names[N_QUESTION_KINDS] = {"inline", "completion", "chat", "update"};
    return names[kind];
}

static struct asked *asked_create(struct engine *e, const struct question *q,
                                  const struct sink *sink, uint64_t now_us)
{
    struct asked *a = xcalloc(1, sizeof(*a));
    a->id = ++e->last_id;
    a->engine = e;
    a->kind = q->kind;
    a->document = q->document;
    a->cursor = q->cursor;
    a->selected_start = q->selected.len > 0 ? q->selected_start : q->cursor;
    a->is_explicit = q->is_explicit;
    a->is_again = q->is_again;
    a->is_more = q->is_more && !q->is_again;
    a->n_known = q->n_read;
    a->trace = q->trace;
    a->ended_as = "cancelled";
    a->settings = settings_ref(e->settings);
    a->sink = *sink;
    a->asked_us = now_us;
    a->budget_us = now_us + MS_TO_US(a->settings->inline_budget_ms);
    a->hard_us = q->kind == QUESTION_COMPLETION ? a->budget_us : now_us + INLINE_HARD_US;
    if (q->kind == QUESTION_UPDATE) {
        a->budget_us = a->hard_us = CLOCK_NEVER; /* it ends with its flight */
    }
    if (q->kind == QUESTION_CHAT) {
        a->role = ROLE_CHAT;
        a->is_explicit = true;
        a->chat = conversation_create(q->chat);
        a->budget_us = a->hard_us = now_us + CHAT_HARD_US;
    } else {
        a->role = q->is_explicit ? ROLE_INLINE_MANUAL : ROLE_INLINE;
    }
    buf_init(&a->selected, WINDOW_MAX_BYTES);
    buf_init(&a->wish, KIB);
    buf_init(&a->standby, FLIGHT_MAX_TEXT_BYTES);
    buf_init(&a->recollection.text, FLIGHT_MAX_TEXT_BYTES);
    buf_append(&a->selected, q->selected);
    buf_append(&a->wish, q->model);
    HASH_ADD(hh, e->asked, id, sizeof(a->id), a);
    return a;
}

static void supersede(struct engine *e, const struct asked *newer, uint64_t now_us)
{
    for (struct asked *a = e->asked; a != NULL; a = a->hh.next) {
        bool is_same = a->kind == newer->kind && a->kind != QUESTION_CHAT;
        bool is_older = a->kind == QUESTION_UPDATE && newer->kind != QUESTION_CHAT;
        if (a != newer && a->document == newer->document && (is_same || is_older)) {
            cancel(e, a, "superseded", now_us);
        }
    }
}

uint64_t engine_ask(struct engine *e, const struct question *q, const struct sink *sink)
{
    uint64_t now_us = clock_now_us();
    struct open_document *doc = documents_find(e->options.documents, q->document);
    struct asked *a = asked_create(e, q, sink, now_us);
    uint64_t id = a->id;
    if (q->kind == QUESTION_UPDATE) {
        supersede(e, a, now_us);
        update_begin(e, a, doc);
        return id;
    }
    e->stats.n_questions++;
    related_rest(e);
    const char *kind = q->kind == QUESTION_CHAT ? q->chat->kind : question_kind_name(q->kind);
    a->trace =
        trace_begin(&e->trace, kind, doc != NULL ? doc->path : STR(""), now_us, clock_wall_us());
    supersede(e, a, now_us);
    if (a->kind == QUESTION_CHAT) {
        converse(e, a);
        engine_arm(e);
        return id;
    }
    const char *reason = place_read(a, doc);
    reason = reason != NULL ? reason : feedback_refusal(e, a);
    if (reason != NULL) {
        e->stats.n_suppressed++;
        trace_why(&e->trace, a->trace, "%s", reason);
        a->state = ASKED_REFUSED;
        engine_queue(e, a);
        return id;
    }
    lesson_begin(e, doc->id, now_us);
    begin(e, a, doc);
    engine_arm(e);
    return id;
}

void engine_cancel(struct engine *e, uint64_t question)
{
    struct asked *a = engine_find(e, question);
    if (a != NULL) {
        cancel(e, a, "cancelled", clock_now_us());
        engine_arm(e);
    }
}

/* -- life cycle -- */

struct engine *engine_create(const struct engine_options *options)
{
    struct engine *e = xcalloc(1, sizeof(*e));
    e->options = *options;
    e->settings = settings_ref(options->settings);
    struct flights_options fo = {.cache_entries = e->settings->cache_entries,
                                 .cache_bytes = CACHE_MAX_BYTES,
                                 .cache_ttl_us = e->settings->cache_ttl_us,
                                 .on_abort = leg_abort,
                                 .user = e};
    e->flights = flights_create(&fo);
    reuse_init(e);
    e->timer = loop_timer_create(options->loop, on_timer, e);
    for (size_t i = 0; i < N_ROLES; i++) {
        buf_init(&e->preferred[i], KIB);
    }
    e->tether = xcalloc(1, sizeof(*e->tether));
    e->tether->engine = e;
    ahead_init(e);
    e->n_spare_tenths = SPARE_TENTHS_MAX;
    feedback_init(e);
    lanes_init(e);
    related_init(e);
    documents_observe(options->documents, on_document, e);
    return e;
}

void engine_destroy(struct engine *e)
{
    if (e == NULL) {
        return;
    }
    documents_observe(e->options.documents, NULL, NULL);
    struct asked *a, *next;
    HASH_ITER(hh, e->asked, a, next)
    {
        finish_cancelled(e, a);
    }
    legs_release(e);
    related_release(e);
    lanes_release(e);
    flights_destroy(e->flights);
    reuse_release(e);
    lessons_release(e);
    ahead_release(e);
    feedback_release(e);
    loop_timer_destroy(e->timer);
    for (size_t i = 0; i < N_ROLES; i++) {
        buf_release(&e->preferred[i]);
    }
    settings_unref(e->settings);
    e->tether->engine = NULL;
    if (!e->tether->is_posted) {
        xfree(e->tether);
    }
    xfree(e->queue);
    xfree(e);
}

void engine_configure(struct engine *e, struct settings *s)
{
    struct settings *old = e->settings;
    e->settings = settings_ref(s);
    settings_unref(old);
    flights_configure(e->flights, s->cache_entries, s->cache_ttl_us);
    reuse_configure(e);
    related_configure(e);
    engine_on_upstream(e);
}

void engine_prefer(struct engine *e, enum role role, str model)
{
    buf_clear(&e->preferred[role]);
    buf_append(&e->preferred[role], model);
    if (role == ROLE_INLINE) { /* who asks by hand while typing means the same */
        buf_clear(&e->preferred[ROLE_INLINE_MANUAL]);
        buf_append(&e->preferred[ROLE_INLINE_MANUAL], model);
    }
    engine_on_upstream(e);
}

static void notify(struct engine *e)
{
    if (e->options.on_status != NULL) {
        e->options.on_status(e->options.user);
    }
}

void engine_on_upstream(struct engine *e)
{
    supply_warm_up(e);
    hedging_on_upstream(e);
    related_wake(e, 0);
    struct asked *a, *next;
    HASH_ITER(hh, e->asked, a, next)
    {
        if (a->state == ASKED_WAITING) {
            engine_depart(e, a);
        }
    }
    engine_arm(e);
    notify(e);
}

void engine_note_busy(struct engine *e)
{
    bool is_busy = e->legs != NULL || e->lanes.waiting != NULL;
    if (is_busy != e->was_busy) {
        e->was_busy = is_busy;
        notify(e);
    }
}

/* -- what people ask about it -- */

const struct engine_stats *engine_stats(const struct engine *e)
{
    return &e->stats;
}

struct trace *engine_trace(struct engine *e)
{
    return &e->trace;
}

struct flights_stats engine_flights(const struct engine *e)
{
    return flights_stats(e->flights);
}

void engine_clear_cache(struct engine *e)
{
    flights_clear_cache(e->flights);
    store_clear(e->options.store);
    similar_clear(e->reuse.similar);
}
