/* scout.c - the quick question to the built-in predictor, before a model is asked.
 *
 * Why   Where the predictor is sure it is right as often as a small model is, and there at once.
 * How   An exchange with the endpoint that is ourselves. Sure: its text lands as a flight of its
 *       own. Else it is kept as the stand-in for when no model can come, and the question departs.
 */
#include "core/base/clock.h"
#include "core/engine_internal.h"

static void on_scout_text(uint64_t exchange, str utf8, void *user)
{
    (void)exchange;
    (void)user;
    struct engine *e = user;
    for (struct asked *a = e->asked; a != NULL; a = a->hh.next) {
        if (a->scout == exchange) {
            buf_append(&a->standby, utf8);
        }
    }
}

static void on_scout_done(uint64_t exchange, const struct generate_end *end, double confidence,
                          const struct error *error, void *user)
{
    (void)end;
    struct engine *e = user;
    struct asked *a = e->asked;
    while (a != NULL && a->scout != exchange) {
        a = a->hh.next;
    }
    if (a == NULL) {
        return;
    }
    a->scout = 0;
    a->confidence = error == NULL ? confidence : 0.0;
    struct open_document *doc = documents_find(e->options.documents, a->document);
    if (doc != NULL && a->state == ASKED_SCOUTING && !a->is_explicit && a->standby.len > 0 &&
        a->confidence >= PREDICTOR_SURE) {
        trace_why(&e->trace, a->trace, "built-in predictor, %.0f %% sure", a->confidence * 100.0);
        leg_embedded(e, a, doc, MODEL_SURE);
        engine_queue(e, a);
    } else if (a->state == ASKED_SCOUTING) {
        engine_depart(e, a);
    }
    engine_arm(e);
}

bool scout_send(struct engine *e, struct asked *a, const struct open_document *doc)
{
    const struct endpoint *own = NULL;
    for (size_t i = 0; i < upstream_count(e->options.upstream); i++) {
        const struct endpoint *ep = upstream_endpoint(e->options.upstream, i);
        own = (ep->ops->capabilities & PROVIDER_IN_PROCESS) ? ep : own;
    }
    if (own == NULL || e->options.off.predictor) {
        return false;
    }
    struct prompt_window w;
    struct window_limits limits = WINDOW_LIMITS_WIDE;
    prompt_window_take(&w, a, doc, &limits, MODEL_FAIR);
    struct prediction_place place = {.document = a->document,
                                     .before = buf_str(&w.prefix),
                                     .after = buf_str(&w.suffix),
                                     .max_lines = a->is_multiline ? 8 : 1};
    struct exchange_spec spec = {.endpoint = own->id,
                                 .generate = {.slot = -1, .temperature = -1},
                                 .place = &place,
                                 .first_token_us = CLOCK_NEVER,
                                 .total_us = CLOCK_NEVER};
    struct exchange_sink sink = {.on_text = on_scout_text, .on_done = on_scout_done, .user = e};
    a->state = ASKED_SCOUTING;
    a->scout = exchange_start(e->options.upstream, &spec, &sink);
    prompt_window_release(&w);
    return true;
}
