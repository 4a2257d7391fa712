/* update.c - what comes after an answer was given: more of the same text, for the same place.
 *
 * Why   An answer has to come early, a text comes late: a line is shown where a block was called
 *       for, or nothing at all. Editors that can be told of more don't need another key for it.
 * How   A question that rides the flight which the answer came from, and is answered once: when
 *       more complete units are there than were shown, or silently when the flight is over. Who
 *       wants still more asks again.
 * Rules Asks no model and no predictor. An edit, a cancel or a newer question ends it. */
#include "core/engine_internal.h"

#include "core/request/fit.h"

static bool is_block_whole(const struct asked *a, const struct flight_view *view)
{
    return a->unit == UNIT_LINE || unit_complete(view->text, 0, UNIT_BLOCK, view->has_landed) > 0;
}

bool update_may_come(const struct asked *a, const struct flight_view *view, size_t n)
{
    return n == 0 || (!view->has_landed && !is_block_whole(a, view));
}

/* Length of all that may be shown by now: the unit that the place calls for, or its lines so far.
 */
static size_t ready(const struct asked *a, const struct flight_view *view)
{
    size_t n = unit_complete(view->text, 0, a->unit, view->has_landed);
    if (n > 0 || a->unit == UNIT_LINE) {
        return n > 0 ? n : unit_complete(view->text, 0, UNIT_LINE, view->is_line_whole);
    }
    for (size_t more = 1; more > 0; n += more) {
        more = unit_complete(view->text, n, UNIT_LINE, view->is_line_whole);
    }
    return n;
}

static void end_silently(struct engine *e, struct asked *a)
{
    engine_finish(e, a, (struct fit_rest){.text = STR("")}, false, NULL);
}

void update_begin(struct engine *e, struct asked *a, const struct open_document *doc)
{
    struct route r = supply_find(e, a->settings, a->role, buf_str(&a->wish), a->avoid);
    bool can_ride = place_read(a, doc) == NULL && r.state == ROUTE_READY &&
                    engine_board(e, a, doc, leg_model(&r), ANSWER_MODEL, r.name);
    if (!can_ride) {
        a->state = ASKED_REFUSED;
        engine_queue(e, a);
    }
}

void update_consider(struct engine *e, struct asked *a, uint64_t now_us)
{
    struct flight_view view = flights_view(e->flights, a->id);
    if (view.has_left) {
        end_silently(e, a);
        return;
    }
    size_t n = view.is_waiting ? 0 : ready(a, &view);
    if (n > a->n_known) {
        a->n_read = n;
        a->may_grow = update_may_come(a, &view, n);
        trace_why(&e->trace, a->trace, "grew to %zu bytes", n);
        ahead_on_answer(e, a, &view, n, now_us);
        if (!e->options.off.keep) {
            flights_note_shown(e->flights, a->flight, view.text_at + n);
        }
        engine_finish(e, a, fit_less_closers(str_sub(view.text, 0, n), view.closers), false, NULL);
    } else if (view.has_landed) {
        end_silently(e, a);
    }
}
