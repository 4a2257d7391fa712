/* leg.c - one flight's call to a model: window out, clean text in.
 *
 * Why   Between a flight, which is pure text, and an exchange, which is pure bytes, stands what
 *       makes the one from the other: what is sent (outgoing.c), and what of the answer is kept.
 * How   leg_start takes off and starts the exchange. Text that comes back goes through the
 *       trimmer into the flight; when the trimmer has enough, the exchange is closed. */
#include <stdio.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/limits.h"
#include "core/base/log.h"
#include "core/engine_internal.h"
#include "core/outgoing.h"
#include "core/prompt/hole.h"

#define CHAT_MAX_SAME   12u
#define LINE_MAX_LINES  2u /* one unit past what is shown; blank ones don't count */
#define BLOCK_MAX_LINES 24u

/* -- what comes back -- */

void leg_note_riders(struct engine *e, uint64_t flight, const char *why)
{
    size_t n;
    uint64_t *riders = engine_riders(e, flight, &n);
    for (size_t i = 0; i < n; i++) {
        struct asked *a = engine_find(e, riders[i]);
        if (a != NULL) {
            trace_why(&e->trace, a->trace, "%s", why);
        }
    }
    xfree(riders);
}

/* Whether the text is all that the model had to say. What serves typing is good at any length; of
 * what a person asked for half is none. */
static bool is_whole(struct engine *e, const struct leg *leg, enum finish_reason reason)
{
    enum trim_end ended = trim_ended(leg->trim);
    if (!leg->is_chat) {
        return reason != FINISH_NONE;
    }
    if (ended != TRIM_FINISHED && ended != TRIM_CONTROL_TOKEN) {
        leg_note_riders(e, leg->flight, trim_end_reason(ended));
    } else if (reason == FINISH_LENGTH) {
        leg_note_riders(e, leg->flight, "cut off at the most tokens that were asked for");
    } else if (reason == FINISH_NONE) {
        leg_note_riders(e, leg->flight, "the stream broke off");
    } else {
        return true;
    }
    return false;
}

void leg_discard(struct leg *leg)
{
    several_release(leg);
    hole_destroy(leg->hole);
    trim_destroy(leg->trim);
    buf_release(&leg->clean);
    xfree(leg);
}

static void leg_free(struct engine *e, struct leg *leg)
{
    HASH_DELETE(hh, e->legs, leg);
    if (!leg->is_chat) {
        rhythm_on_end(e, clock_now_us() - leg->began_us);
    }
    lane_left(e, leg);
    leg_discard(leg);
}

void leg_cancel(struct engine *e, struct leg *leg)
{
    exchange_cancel(e->options.upstream, leg->exchange);
    leg_free(e, leg);
}

static struct leg *leg_find(struct engine *e, uint64_t exchange)
{
    struct leg *leg;
    HASH_FIND(hh, e->legs, &exchange, sizeof(exchange), leg);
    return leg;
}

size_t leg_enough(const struct leg *leg, str text, const struct trim *trim)
{
    unsigned n = 0;
    for (size_t at = 0; leg->max_lines > 0 && at < text.len;) {
        size_t eol = str_find_char(text, '\n', at);
        size_t end = eol == SIZE_MAX ? text.len : eol;
        bool is_whole = eol != SIZE_MAX || trim_is_at_line_end(trim);
        n += is_whole && str_trim(str_sub(text, at, end)).len > 0;
        if (n == leg->max_lines) {
            return end;
        }
        at = end + 1;
    }
    return 0;
}

/* Gives the flight what has come to be clean since; false where that is enough. */
static bool feed(struct engine *e, struct leg *leg, size_t n_before)
{
    size_t n_enough = leg_enough(leg, buf_str(&leg->clean), leg->trim);
    if (n_enough > 0) {
        buf_truncate(&leg->clean, n_enough);
    }
    str all = buf_str(&leg->clean);
    flights_feed(e->flights, leg->flight, str_sub(all, n_before, all.len),
                 n_enough > 0 || trim_is_at_line_end(leg->trim));
    return n_enough == 0;
}

/* Nothing more will come. Frees the leg. */
static void leg_land(struct engine *e, struct leg *leg, bool is_complete, uint64_t now_us)
{
    if (is_complete) {
        recall_keep(e, leg);
    }
    several_give(e, leg);
    uint64_t flight = leg->flight;
    leg_free(e, leg);
    flights_land(e->flights, flight, is_complete, now_us);
}

/* Makes what came clean; `is_last`: nothing more will. A hole that is filled ends the text. */
static void hear(struct engine *e, struct leg *leg, str utf8, bool is_last)
{
    if (leg->hole == NULL) {
        trim_feed(leg->trim, utf8, &leg->clean);
        return;
    }
    struct buf said;
    buf_init(&said, HTTP_MAX_BODY_BYTES);
    hole_feed(leg->hole, utf8, &said);
    if (is_last) {
        hole_finish(leg->hole, &said);
    }
    trim_feed(leg->trim, buf_str(&said), &leg->clean);
    buf_release(&said);
    enum hole_end ended = hole_ended(leg->hole);
    if (ended != HOLE_OPEN) {
        trim_finish(leg->trim, false, &leg->clean);
    }
    if (ended == HOLE_EXPLAINS) { /* the next time it may do better */
        leg->is_kept = false;
        leg_note_riders(e, leg->flight, hole_end_reason(ended));
    }
}

/* Text of the leg came, its own or another. */
static void note_text(struct engine *e, struct leg *leg)
{
    e->byte_us = clock_now_us();
    if (!leg->has_begun && !leg->is_chat) {
        rhythm_on_first(e, e->byte_us - leg->began_us);
    }
    lane_on_text(e, leg);
    if (!leg->has_begun) {
        hedging_on_first(e, leg);
    }
    leg->has_begun = true;
}

static void close_and_land(struct engine *e, struct leg *leg)
{
    uint64_t flight = leg->flight;
    exchange_cancel(e->options.upstream, leg->exchange);
    leg_land(e, leg, leg->is_whole, clock_now_us());
    engine_look(e, flight);
}

/* Its own text has ended: it lands, unless another text is wanted, or the exchange is about to end
 * by itself. */
static void end_leg(struct engine *e, struct leg *leg)
{
    if (leg->is_over && !several_is_open(leg) && several_is_open_there(leg)) {
        close_and_land(e, leg);
    }
}

bool leg_hurry(struct engine *e, uint64_t flight)
{
    for (struct leg *leg = e->legs; leg != NULL; leg = leg->hh.next) {
        if (leg->flight == flight && leg->is_over) {
            close_and_land(e, leg);
            return true;
        }
    }
    return false;
}

static void on_text(uint64_t exchange, str utf8, void *user)
{
    struct engine *e = user;
    struct leg *leg = leg_find(e, exchange);
    if (leg == NULL || leg->is_over) {
        return;
    }
    note_text(e, leg);
    size_t n_before = leg->clean.len;
    hear(e, leg, utf8, false);
    bool is_enough = !feed(e, leg, n_before);
    uint64_t flight = leg->flight;
    enum trim_end ended = trim_ended(leg->trim);
    if (ended != TRIM_OPEN || is_enough) {
        log_debug(LOG_FLIGHT, "flight=%llu ended: %s", (unsigned long long)flight,
                  is_enough ? "enough" : trim_end_reason(ended));
        if (!leg->is_chat && (is_enough || ended == TRIM_LIMIT)) {
            flights_note_cut(e->flights, flight);
        }
        leg->is_over = true;
        leg->is_whole = is_whole(e, leg, FINISH_STOP);
        end_leg(e, leg);
    }
    engine_look(e, flight);
    e->byte_us = 0;
    engine_note_busy(e);
    engine_arm(e);
}

/* The server has ended the leg's own text. */
static void end_text(struct engine *e, struct leg *leg, enum finish_reason reason)
{
    if (leg->is_over) {
        return;
    }
    size_t n_before = leg->clean.len;
    hear(e, leg, STR(""), true);
    trim_finish(leg->trim, reason != FINISH_STOP, &leg->clean);
    (void)feed(e, leg, n_before);
    leg->is_over = true;
    leg->is_whole = is_whole(e, leg, reason);
    if (!leg->is_chat && reason == FINISH_LENGTH) {
        flights_note_cut(e->flights, leg->flight);
    }
}

static void on_other(uint64_t exchange, unsigned idx, str utf8, void *user)
{
    struct engine *e = user;
    struct leg *leg = leg_find(e, exchange);
    if (leg == NULL) {
        return;
    }
    note_text(e, leg);
    several_on_text(leg, idx, utf8);
    end_leg(e, leg);
    e->byte_us = 0;
    engine_note_busy(e);
    engine_arm(e);
}

static void on_text_end(uint64_t exchange, unsigned idx, enum finish_reason reason, void *user)
{
    struct engine *e = user;
    struct leg *leg = leg_find(e, exchange);
    if (leg == NULL) {
        return;
    }
    if (idx == 0) {
        end_text(e, leg, reason);
    }
    several_on_end(leg, idx, reason);
    end_leg(e, leg);
    engine_note_busy(e);
    engine_arm(e);
}

static void on_done(uint64_t exchange, const struct generate_end *end, double confidence,
                    const struct error *error, void *user)
{
    (void)confidence;
    struct engine *e = user;
    struct leg *leg = leg_find(e, exchange);
    if (leg == NULL) {
        return;
    }
    uint64_t now_us = clock_now_us();
    uint64_t flight = leg->flight;
    if (hedging_on_end(e, leg, error)) {
        leg_free(e, leg);
    } else if (error != NULL && leg->is_over) { /* others broke off */
        leg_land(e, leg, leg->is_whole, now_us);
        engine_look(e, flight);
    } else if (error != NULL) {
        /* Not the message: a server may quote the prompt in it. */
        log_info(LOG_FLIGHT, "flight=%llu failed: %s %d", (unsigned long long)flight,
                 err_name(error->code), error->detail);
        uint64_t endpoint = leg->endpoint;
        leg_free(e, leg);
        engine_fail(e, flight, endpoint, error);
    } else {
        e->byte_us = now_us;
        end_text(e, leg, end->reason);
        leg_land(e, leg, leg->is_whole, now_us);
        engine_look(e, flight);
        e->byte_us = 0;
    }
    engine_note_busy(e);
    engine_arm(e);
}

/* -- taking off -- */

static bool counts_lines(const struct engine *e, const struct asked *a)
{
    return a->is_multiline && a->unit == UNIT_LINE && !e->options.off.fill;
}

/* Text of the cursor's line before it; `scratch` may hold it. */
static str line_before(const struct asked *a, const struct open_document *doc,
                       const struct prompt_window *w, struct buf *scratch)
{
    size_t line = document_line_start(doc->text, document_line_at(doc->text, a->cursor));
    size_t from = a->cursor - line > WINDOW_MAX_BYTES / 2 ? a->cursor : line;
    bool goes_on = a->selected.len > 0 && a->selected_start == a->cursor;   /* from a text */
    bool is_behind = a->selected.len == 0 && a->selected_start < a->cursor; /* what was typed */
    if (goes_on || is_behind) {
        return str_after_last(buf_str(&w->prefix), '\n');
    }
    return document_slice(doc->text, from, a->cursor, scratch);
}

/* NULL where the model is left to fill in its own way. */
static struct hole *make_hole(const struct asked *a, const struct open_document *doc,
                              const struct route *r, const struct prompt_window *w, str mark)
{
    if (!r->fills_by_chat) {
        return NULL;
    }
    struct buf scratch;
    buf_init(&scratch, WINDOW_MAX_BYTES);
    struct hole_spec spec = {.line_before = line_before(a, doc, w, &scratch),
                             .mark = mark,
                             .language = doc->language,
                             .file_name = str_after_last(doc->path, '/'),
                             .is_multiline = a->is_multiline};
    struct hole *hole = hole_create(&spec);
    buf_release(&scratch);
    return hole;
}

static struct trim *make_trim(const struct engine *e, const struct asked *a,
                              const struct open_document *doc, const struct prompt_window *w)
{
    struct buf scratch;
    buf_init(&scratch, WINDOW_MAX_BYTES);
    bool is_block = a->unit == UNIT_BLOCK || counts_lines(e, a);
    unsigned lines = is_block ? BLOCK_MAX_LINES : LINE_MAX_LINES;
    struct trim_spec spec = {.line_before = line_before(a, doc, w, &scratch),
                             .suffix = buf_str(&w->suffix),
                             .is_multiline = a->is_multiline,
                             .max_lines = a->is_multiline ? lines : 1,
                             .max_bytes = FLIGHT_MAX_TEXT_BYTES / 2};
    struct trim *trim = trim_create(&spec);
    buf_release(&scratch);
    return trim;
}

struct trim_source {
    const struct engine *e;
    const struct asked *a;
    const struct open_document *doc;
    const struct prompt_window *w;
};
static struct trim *make_other_trim(void *user)
{
    const struct trim_source *s = user;
    return make_trim(s->e, s->a, s->doc, s->w);
}

static uint64_t take_off(struct engine *e, struct asked *a, const struct open_document *doc,
                         const struct prompt_window *w, uint64_t model, bool is_instant,
                         uint64_t now_us)
{
    struct boarding place = engine_place(a, doc, model);
    struct flight_spec spec = {.place = &place,
                               .window_start = w->window.start,
                               .window_end = w->window.end,
                               .window_hash = w->hash,
                               .is_instant = is_instant};
    return flights_take_off(e->flights, &spec, a->id, now_us);
}

void leg_depart(struct engine *e, struct leg *leg, const struct exchange_spec *spec)
{
    struct exchange_sink sink = {.on_text = on_text,
                                 .on_done = on_done,
                                 .user = e,
                                 .on_other = on_other,
                                 .on_text_end = on_text_end};
    leg->began_us = clock_now_us();
    failover_earn(e);
    leg->exchange = exchange_start(e->options.upstream, spec, &sink);
    HASH_ADD(hh, e->legs, exchange, sizeof(leg->exchange), leg);
}

/* Nobody stands behind a question without an id: it asks for what may be wanted next. */
static enum queue_class class_of(const struct asked *a)
{
    if (a->kind == QUESTION_CHAT) {
        return QUEUE_ASKED;
    }
    return a->id == 0 ? QUEUE_BACKGROUND : QUEUE_TYPING;
}

/* Of a flight that has just taken off for `a`, to be sent. Takes `trim`. What comes is kept by
 * `kept_by`, where that isn't NULL. */
static struct leg *leg_create(const struct engine *e, const struct asked *a, const struct route *r,
                              uint64_t flight, struct trim *trim, const struct store_key *kept_by)
{
    struct leg *leg = xcalloc(1, sizeof(*leg));
    leg->trim = trim;
    leg->is_chat = a->kind == QUESTION_CHAT;
    leg->is_multiline = a->is_multiline || leg->is_chat;
    leg->is_kept = kept_by != NULL;
    if (leg->is_kept) {
        leg->key = *kept_by;
    }
    leg->endpoint = r->endpoint;
    leg->class = class_of(a);
    leg->document = leg->is_chat ? 0 : a->document;
    leg->pace = hash_mix(leg_model(r), leg->class);
    leg->max_lines = counts_lines(e, a) ? LINE_MAX_LINES : 0;
    buf_init(&leg->clean, FLIGHT_MAX_TEXT_BYTES);
    memcpy(leg->name, r->name, sizeof(leg->name));
    leg->flight = flight;
    leg->unit = a->unit;
    return leg;
}

/* Starts its exchange when its turn comes. Takes the leg, which may be gone afterwards. */
static void leg_send(struct engine *e, struct leg *leg, const struct asked *a,
                     const struct exchange_spec *spec)
{
    hedging_plan(e, leg, a, &spec->generate);
    if (leg->is_twin) { /* its flight has had its turn */
        leg_depart(e, leg, spec);
    } else {
        lane_enter(e, leg, spec);
    }
}

static void ride(struct asked *a, const struct route *r, uint64_t flight)
{
    a->flight = flight;
    a->state = ASKED_RIDING;
    a->source = ANSWER_MODEL;
    memcpy(a->model_name, r->name, sizeof(a->model_name));
}

/* How long it may take is learned from how long such calls take. */
static struct exchange_spec exchange_of(const struct asked *a, const struct route *r,
                                        const struct outgoing *out)
{
    return (struct exchange_spec){.endpoint = r->endpoint,
                                  .kind = a->is_explicit ? EXCHANGE_ASKED : EXCHANGE_TYPING,
                                  .generate = out->generate,
                                  .first_token_us = EXCHANGE_AUTO,
                                  .total_us = EXCHANGE_AUTO};
}

bool leg_start(struct engine *e, struct asked *a, const struct open_document *doc,
               const struct route *r, const struct prompt_window *w, const struct store_key *key)
{
    if (!lane_takes(e, a, r)) {
        return false;
    }
    uint64_t now_us = clock_now_us();
    struct outgoing out = {.family = NULL};
    outgoing_fill(&out, a, r, w, doc,
                  upstream_texts(e->options.upstream, r->endpoint, a->n_wanted));
    struct exchange_spec spec = exchange_of(a, r, &out);
    uint64_t flight = take_off(e, a, doc, w, leg_model(r), false, now_us);
    ride(a, r, flight);
    trace_why(&e->trace, a->trace, "flight %llu to %s%s, %zu+%zu bytes", (unsigned long long)flight,
              r->name, r->fills_by_chat ? " by chat" : "", w->prefix.len, w->suffix.len);
    struct leg *leg =
        leg_create(e, a, r, flight, make_trim(e, a, doc, w), out.n_redacted > 0 ? NULL : key);
    leg->hole = make_hole(a, doc, r, w, buf_str(&out.mark));
    if (spec.generate.n_texts > 1) {
        struct trim_source source = {e, a, doc, w};
        several_begin(leg, spec.generate.n_texts, make_other_trim, &source);
    }
    leg_send(e, leg, a, &spec);
    outgoing_release(&out);
    engine_note_busy(e);
    return true;
}

bool leg_continue(struct engine *e, const struct asked *a, const struct open_document *doc,
                  const struct route *r, const struct prompt_window *w, uint64_t flight)
{
    uint64_t now_us = clock_now_us();
    if (!flights_continue(e->flights, flight, now_us)) {
        return false;
    }
    struct outgoing out = {.family = NULL};
    outgoing_fill(&out, a, r, w, doc, 1);
    struct exchange_spec spec = exchange_of(a, r, &out);
    struct leg *leg = leg_create(e, a, r, flight, make_trim(e, a, doc, w), NULL);
    leg->hole = make_hole(a, doc, r, w, buf_str(&out.mark));
    leg_send(e, leg, a, &spec);
    outgoing_release(&out);
    engine_note_busy(e);
    return true;
}

bool leg_start_twin(struct engine *e, const struct leg *first, const struct asked *rider,
                    const struct route *r)
{
    struct flight_place at;
    bool is_placed = flights_place(e->flights, first->flight, &at);
    struct open_document *doc =
        is_placed ? documents_find(e->options.documents, at.document) : NULL;
    if (doc == NULL) {
        return false;
    }
    /* As it was asked when the flight took off, wherever the document has moved that to. */
    struct asked a = {.id = rider->id,
                      .kind = rider->kind,
                      .role = rider->role,
                      .document = at.document,
                      .cursor = at.suffix,
                      .selected_start = at.anchor,
                      .unit = first->unit,
                      .is_multiline = first->is_multiline,
                      .settings = rider->settings};
    buf_init(&a.selected, WINDOW_MAX_BYTES);
    buf_append(&a.selected, at.text);
    struct prompt_window w;
    struct window_limits limits = leg_limits(e, &a, r);
    prompt_window_take(&w, &a, doc, &limits, leg_model(r));
    struct outgoing out = {.family = NULL};
    outgoing_fill(&out, &a, r, &w, doc, 1);
    struct exchange_spec spec = exchange_of(&a, r, &out);
    struct leg *leg = leg_create(e, &a, r, first->flight, make_trim(e, &a, doc, &w), NULL);
    leg->hole = make_hole(&a, doc, r, &w, buf_str(&out.mark));
    leg_send(e, leg, &a, &spec);
    outgoing_release(&out);
    prompt_window_release(&w);
    buf_release(&a.selected);
    return true;
}

/* -- chats -- */

static struct trim *make_chat_trim(void)
{
    struct trim_spec spec = {
        .is_multiline = true, .max_same = CHAT_MAX_SAME, .max_bytes = FLIGHT_MAX_TEXT_BYTES / 2};
    return trim_create(&spec);
}

bool leg_start_chat(struct engine *e, struct asked *a, const struct route *r, uint64_t key,
                    const struct store_key *kept_by, struct error *why)
{
    uint64_t now_us = clock_now_us();
    struct outgoing out = {.family = NULL};
    bool may_go = outgoing_fill_chat(&out, a, r, why);
    if (may_go) {
        struct exchange_spec spec = exchange_of(a, r, &out);
        uint64_t flight = flights_take_off_keyed(e->flights, key, a->id, now_us);
        ride(a, r, flight);
        trace_why(&e->trace, a->trace, "flight %llu to %s, %zu bytes", (unsigned long long)flight,
                  r->name, out.generate.prompt.len);
        leg_send(e,
                 leg_create(e, a, r, flight, make_chat_trim(), out.n_redacted > 0 ? NULL : kept_by),
                 a, &spec);
        engine_note_busy(e);
    }
    outgoing_release(&out);
    return may_go;
}

/* -- what is there already -- */

/* Has the question's flight land at once with `text`, as if it had just come. Takes `trim`. */
static void land_at_once(struct engine *e, const struct asked *a, struct trim *trim,
                         unsigned max_lines, str text)
{
    struct leg leg = {.flight = a->flight, .trim = trim, .max_lines = max_lines};
    buf_init(&leg.clean, FLIGHT_MAX_TEXT_BYTES);
    trim_feed(trim, text, &leg.clean);
    trim_finish(trim, false, &leg.clean);
    bool is_enough = !feed(e, &leg, 0);
    if (a->kind != QUESTION_CHAT && (is_enough || trim_ended(trim) == TRIM_LIMIT)) {
        flights_note_cut(e->flights, a->flight);
    }
    flights_land(e->flights, a->flight, true, clock_now_us());
    buf_release(&leg.clean);
    trim_destroy(trim);
}

void leg_embedded(struct engine *e, struct asked *a, const struct open_document *doc,
                  uint64_t model)
{
    struct prompt_window w;
    struct window_limits limits = WINDOW_LIMITS_WIDE;
    prompt_window_take(&w, a, doc, &limits, model);
    a->flight = take_off(e, a, doc, &w, model, true, clock_now_us());
    land_at_once(e, a, make_trim(e, a, doc, &w), 0, buf_str(&a->standby));
    prompt_window_release(&w);
    a->state = ASKED_RIDING;
    a->source = ANSWER_PREDICTOR;
    (void)snprintf(a->model_name, sizeof(a->model_name), "embedded");
}

static void ride_recalled(struct engine *e, struct asked *a)
{
    a->boarded = BOARDED_CACHED;
    a->state = ASKED_RIDING;
    a->source = ANSWER_MODEL;
    memcpy(a->model_name, a->recollection.model_name, sizeof(a->model_name));
    trace_why(&e->trace, a->trace, "cached on disk: flight %llu", (unsigned long long)a->flight);
    engine_queue(e, a);
}

void leg_recalled(struct engine *e, struct asked *a, const struct open_document *doc,
                  const struct route *r, const struct prompt_window *w)
{
    a->flight = take_off(e, a, doc, w, leg_model(r), true, clock_now_us());
    unsigned max_lines = counts_lines(e, a) ? LINE_MAX_LINES : 0;
    land_at_once(e, a, make_trim(e, a, doc, w), max_lines, buf_str(&a->recollection.text));
    ride_recalled(e, a);
}

void leg_recalled_chat(struct engine *e, struct asked *a, uint64_t key)
{
    a->flight = flights_take_off_keyed(e->flights, key, a->id, clock_now_us());
    land_at_once(e, a, make_chat_trim(), 0, buf_str(&a->recollection.text));
    ride_recalled(e, a);
}

void leg_abort(uint64_t flight, void *user)
{
    struct engine *e = user;
    struct leg *leg, *next;
    HASH_ITER(hh, e->legs, leg, next)
    {
        if (leg->flight == flight) {
            log_debug(LOG_FLIGHT, "flight=%llu aborted", (unsigned long long)flight);
            leg_cancel(e, leg);
        }
    }
    (void)lane_abort(e, flight);
}

void leg_give_way(struct engine *e, uint64_t flight)
{
    leg_abort(flight, e);
    flights_drop(e->flights, flight);
}

void legs_release(struct engine *e)
{
    struct leg *leg, *next;
    HASH_ITER(hh, e->legs, leg, next)
    {
        leg_cancel(e, leg);
    }
}
