/* ahead.c - texts that are nearly used up are continued before somebody asks.
 *
 * Why   A flight ends one unit past what is shown. Who takes the last of it, or types to its end,
 *       would wait for a whole answer just when everything was right.
 * How   When an answer reaches to the end of a text that was cut by a limit of ours, its place is
 *       noted. It is due at once where only a few bytes are left, else when the person pauses over
 *       it, as who is about to take it does. Then the flight takes off again (flights_continue):
 *       the model is asked for what follows the text, as if it stood in the document already, and
 *       what comes is more of the same text, ridden like all of it.
 * Rules An edit forgets the place; the answer that follows it notes a new one. Where the server's
 *       slots are all taken nothing is continued: they are for who asked. Pausing is only taken for
 * a sign where it has been one: `worth` follows what became of the texts continued before. */
#include <string.h>

#include "core/base/clock.h"
#include "core/base/limits.h"
#include "core/engine_internal.h"

#define NEAR_BYTES  8u
#define PAUSE_US    MS_TO_US(150)
#define WORTH_FIRST 0.5
#define WORTH_MIN   0.35
#define WORTH_STEP  0.2 /* how much one case counts */

void ahead_init(struct engine *e)
{
    e->ahead.due_us = CLOCK_NEVER;
    e->ahead.worth = WORTH_FIRST;
    buf_init(&e->ahead.rest, FLIGHT_MAX_TEXT_BYTES);
}

static void forget(struct ahead *h)
{
    h->due_us = CLOCK_NEVER;
    settings_unref(h->settings);
    h->settings = NULL;
    buf_clear(&h->rest);
}

void ahead_release(struct engine *e)
{
    forget(&e->ahead);
    buf_release(&e->ahead.rest);
}

void ahead_forget(struct engine *e, uint64_t document)
{
    if (e->ahead.document == document) {
        forget(&e->ahead);
    }
}

static void learn(struct ahead *h, bool was_wanted)
{
    h->worth += ((was_wanted ? 1.0 : 0.0) - h->worth) * WORTH_STEP;
    h->newest_flight = 0;
}

void ahead_on_answer(struct engine *e, const struct asked *a, const struct flight_view *view,
                     size_t n, uint64_t now_us)
{
    struct ahead *h = &e->ahead;
    if (h->newest_flight == a->flight && view->text_at + n > h->newest_at) {
        e->stats.n_ahead_wanted++;
        learn(h, true);
    }
    forget(h);
    bool is_last = str_trim(str_sub(view->text, n, view->text.len)).len == 0;
    if (e->options.off.ahead || !a->settings->inline_prefetch || a->kind != QUESTION_INLINE ||
        a->source != ANSWER_MODEL || !view->has_landed || !view->is_cut || !is_last ||
        view->closers.len > 0 || a->selected.len > 0) {
        return;
    }
    bool is_near = n <= NEAR_BYTES;
    if (!is_near && h->worth < WORTH_MIN) {
        return;
    }
    h->due_us = is_near ? now_us : now_us + PAUSE_US;
    h->document = a->document;
    h->flight = a->flight;
    h->cursor = a->cursor;
    h->end_at = view->text_at + view->text.len;
    h->is_multiline = a->is_multiline;
    h->settings = settings_ref(a->settings);
    buf_append(&h->rest, view->text);
}

/* A question that stands where the text ends. Borrows the place. */
static struct asked at_the_end(const struct ahead *h)
{
    return (struct asked){.kind = QUESTION_INLINE,
                          .role = ROLE_INLINE,
                          .document = h->document,
                          .cursor = h->cursor,
                          .selected_start = h->cursor,
                          .selected = h->rest,
                          .is_multiline = h->is_multiline,
                          .settings = h->settings};
}

/* Whether a slot of the endpoint is free, as far as this program's own exchanges take them. */
static bool has_slot(const struct engine *e, uint64_t endpoint)
{
    const struct endpoint *ep = upstream_find(e->options.upstream, endpoint);
    unsigned n_slots = ep != NULL && ep->n_slots > 0 ? ep->n_slots : 1;
    return HASH_COUNT(e->legs) < n_slots;
}

static void set_out(struct engine *e, struct open_document *doc)
{
    struct ahead *h = &e->ahead;
    struct asked end = at_the_end(h);
    struct route r = supply_find(e, h->settings, end.role, STR(""), 0);
    if (r.state != ROUTE_READY || !has_slot(e, r.endpoint)) {
        return;
    }
    struct prompt_window w;
    struct window_limits limits = leg_limits(e, &end, &r);
    prompt_window_take(&w, &end, doc, &limits, leg_model(&r));
    str line_after = str_sub(buf_str(&w.suffix), 0, str_find_char(buf_str(&w.suffix), '\n', 0));
    str line_before = str_after_last(buf_str(&w.prefix), '\n');
    end.unit = end.is_multiline ? unit_for_place(line_before, line_after) : UNIT_LINE;
    if (h->newest_flight != 0) {
        learn(h, false);
    }
    if (leg_continue(e, &end, doc, &r, &w, h->flight)) {
        e->stats.n_ahead++;
        h->newest_flight = h->flight;
        h->newest_at = h->end_at;
    }
    prompt_window_release(&w);
}

void ahead_tick(struct engine *e, uint64_t now_us)
{
    struct ahead *h = &e->ahead;
    if (h->due_us > now_us) {
        return;
    }
    struct open_document *doc = documents_find(e->options.documents, h->document);
    if (doc != NULL) {
        set_out(e, doc);
    }
    forget(h);
}
