/* feedback.c - what the person does with what is shown, and what is worth asking for then.
 *
 * Why   A suggestion that nobody wants costs a model's time and the person's attention. What was
 *       taken, typed over or ignored says where they are wanted; what the last edit was says when.
 * How   Edits, answers and the editor's reports go to three machines of core/request: gesture (what
 *       was the last edit), shown (what became of what is on the screen), suppress (what follows).
 * Rules A question by a command is never suppressed, nor is a popup's: that is opened by typing, or
 *       by hand. After an undo or a paste there is silence; where little was ever of use only
 *       models are spared, what is known already is still shown. */
#include "core/engine_internal.h"

#include "core/base/hash.h"

void feedback_init(struct engine *e)
{
    shown_init(&e->feedback.shown);
}

void feedback_release(struct engine *e)
{
    shown_release(&e->feedback.shown);
    gestures_release(&e->feedback.gestures);
}

/* -- what became of it -- */

static void on_event(struct engine *e, const struct shown_event *event)
{
    if (!event->has_happened) {
        return;
    }
    bool is_piece = event->fate == FATE_TAKEN || event->fate == FATE_PARTLY;
    e->stats.n_fates[event->fate]++;
    if (is_piece) {
        e->stats.n_accepted++;
        e->stats.n_accepted_bytes += event->n_bytes;
        trace_why(&e->trace, event->trace, "accepted %zu bytes", event->n_bytes);
    } else {
        trace_why(&e->trace, event->trace, "%s", fate_name(event->fate));
    }
    if (event->is_telling) {
        suppress_learn(&e->feedback.suppress, event->language, event->place, event->fate);
    }
}

void feedback_on_edit(struct engine *e, const struct open_document *doc, const struct edit *edit)
{
    struct feedback *f = &e->feedback;
    struct shown_event event = shown_on_edit(&f->shown, doc, edit);
    (void)gestures_on_edit(&f->gestures, doc, edit);
    if (event.n_bytes > 0) { /* however long: it is ours */
        gestures_accepted(&f->gestures, doc->id);
    }
    on_event(e, &event);
}

void feedback_on_close(struct engine *e, uint64_t document)
{
    struct shown_event event = shown_leave(&e->feedback.shown, document);
    gestures_forget(&e->feedback.gestures, document);
    on_event(e, &event);
}

static void count_answer(struct engine *e, const struct asked *a, const struct answer *answer,
                         uint64_t now_us)
{
    struct engine_stats *s = &e->stats;
    if (answer->text.len == 0) {
        s->n_empty += a->kind != QUESTION_UPDATE;
        return;
    }
    if (a->kind == QUESTION_UPDATE) {
        s->n_updates++;
        return;
    }
    s->n_shown++;
    s->n_shown_bytes += answer->text.len;
    s->n_from_model += a->source == ANSWER_MODEL;
    s->n_from_predictor += a->source == ANSWER_PREDICTOR;
    histogram_add(&s->total, answer->total_us);
    if (e->byte_us != 0) {
        histogram_add(&s->own, now_us - e->byte_us);
    }
}

void feedback_on_answer(struct engine *e, const struct asked *a, const struct answer *answer,
                        uint64_t now_us)
{
    struct shown *shown = &e->feedback.shown;
    count_answer(e, a, answer, now_us);
    struct open_document *doc = documents_find(e->options.documents, a->document);
    if (doc == NULL || a->kind == QUESTION_CHAT) {
        return;
    }
    if (answer->text.len == 0) {
        if (a->kind == QUESTION_INLINE) {
            shown_on_silence(shown, a->document);
        }
        return;
    }
    struct shown_answer given = {.doc = doc,
                                 .cursor = a->cursor,
                                 .text = answer->text,
                                 .n_replace = answer->n_replace,
                                 .trace = a->trace,
                                 .is_entry = a->kind == QUESTION_COMPLETION,
                                 .language = hash_str(doc->language),
                                 .place = a->place};
    struct shown_event event = shown_on_answer(shown, &given);
    on_event(e, &event);
}

void engine_seen(struct engine *e, uint64_t trace)
{
    e->stats.n_seen++;
    shown_on_seen(&e->feedback.shown, trace);
}

void engine_accepted(struct engine *e, uint64_t trace, size_t n_bytes)
{
    struct shown_event event = shown_on_report(&e->feedback.shown, trace, n_bytes);
    on_event(e, &event);
}

void engine_focus(struct engine *e, uint64_t document)
{
    uint64_t left = e->feedback.shown.now.document;
    if (left != 0 && left != document) {
        struct shown_event event = shown_leave(&e->feedback.shown, left);
        on_event(e, &event);
        ahead_forget(e, left);
    }
}

/* -- what follows from it -- */

static bool is_automatic(const struct engine *e, const struct asked *a)
{
    return a->kind == QUESTION_INLINE && !a->is_explicit && !e->options.off.suppress;
}

const char *feedback_refusal(struct engine *e, const struct asked *a)
{
    if (!is_automatic(e, a) || a->selected.len > 0) {
        return NULL;
    }
    switch (gestures_at(&e->feedback.gestures, a->document, a->cursor)) {
    case GESTURE_UNDONE:
        e->stats.n_after_undo++;
        return "suppressed: after an undo";
    case GESTURE_PASTED:
        e->stats.n_after_paste++;
        return "suppressed: after a paste";
    case GESTURE_NONE:
    case GESTURE_TYPED:
    case GESTURE_ERASED:
    case GESTURE_RETYPED:
    case GESTURE_INSERTED:
        return NULL;
    }
    return NULL;
}

bool feedback_withholds(struct engine *e, const struct asked *a, const struct open_document *doc)
{
    if (!is_automatic(e, a)) {
        return false;
    }
    struct verdict v =
        suppress_judge(&e->feedback.suppress, hash_str(doc->language), a->place, e->rhythm.busy_us);
    if (v.is_withheld) {
        e->stats.n_suppressed++;
        e->stats.n_withheld++;
        trace_why(&e->trace, a->trace, "suppressed: here %u of %u were taken (%s)", v.n_used,
                  v.n_shown, place_class_name(a->place));
    }
    return v.is_withheld;
}
