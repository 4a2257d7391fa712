/* several.c - the other texts of a suggestion that a person asked for: what there is to choose
 * from.
 *
 * Why   Who asks for a suggestion where one is shown already wants another. A server that writes
 *       several texts to one prompt reads the prompt once, and writes them side by side.
 * How   The first text is the leg's own, and goes the way of any other. The others have a trimmer
 *       each; when the leg lands, those of its riders that asked for several get a copy. With what
 *       was shown before, and less what is the same, they go with the answer.
 * Rules The flight lands when the last of its texts has ended: its rider waits for that, but not
 *       longer than SEVERAL_US. A text that broke off isn't given. */
#include "core/engine_internal.h"

#include "core/base/clock.h"
#include "core/base/limits.h"

#define SEVERAL_US SEC_TO_US(3) /* then the first is given with those that are there */

struct several {
    unsigned n; /* texts, the leg's own (0) included */
    struct {
        struct trim *trim; /* owned */
        struct buf clean;
        bool is_over;       /* nothing more is wanted of it */
        bool is_over_there; /* or written */
        bool is_broken;
    } texts[TEXTS_MAX];
};

/* -- what there is to choose from -- */

static struct choice *choice_of(struct asked *a)
{
    if (a->choice == NULL) {
        a->choice = xcalloc(1, sizeof(*a->choice));
    }
    return a->choice;
}

void choice_destroy(struct choice *c)
{
    for (unsigned i = 0; c != NULL && i < c->n; i++) {
        buf_release(&c->texts[i].text);
    }
    xfree(c);
}

static void choice_add(struct asked *a, str text, size_t n_replace)
{
    struct choice *c = choice_of(a);
    if (text.len == 0 || c->n == CHOICE_MAX) {
        return;
    }
    struct choice_text *t = &c->texts[c->n++];
    t->n_replace = n_replace;
    buf_init(&t->text, FLIGHT_MAX_TEXT_BYTES);
    buf_append(&t->text, text);
}

/* The question goes on for others beside what is shown. */
static void note_shown(struct asked *a, struct fit_rest shown)
{
    choice_add(a, shown.text, shown.n_replace);
    choice_of(a)->has_shown = true;
}

void several_fit(struct asked *a, str closers)
{
    struct choice *c = a->choice;
    for (unsigned i = c != NULL && c->has_shown ? 1 : 0; c != NULL && i < c->n; i++) {
        struct choice_text *t = &c->texts[i];
        size_t n = unit_complete(buf_str(&t->text), 0, a->unit, true);
        struct fit_rest rest = fit_less_closers(str_sub(buf_str(&t->text), 0, n), closers);
        buf_truncate(&t->text, rest.text.len);
        t->n_replace = rest.n_replace;
    }
}

static bool is_told(const struct answer *answer, str text)
{
    bool is_found = text.len == 0 || str_eq(answer->text, text);
    for (unsigned i = 0; i < answer->n_others; i++) {
        is_found = is_found || str_eq(answer->others[i].text, text);
    }
    return is_found;
}

static void tell_other(struct answer *answer, str text, size_t n_replace)
{
    if (!is_told(answer, text)) {
        answer->others[answer->n_others++] = (struct answer_other){text, n_replace};
    }
}

void several_tell(struct engine *e, const struct asked *a, const struct choice *c,
                  struct answer *answer)
{
    struct answer_other first = {answer->text, answer->n_replace};
    if (c == NULL || (c->n == 0 && first.text.len == 0)) {
        return;
    }
    if (c->has_shown || first.text.len == 0) { /* it stays first */
        answer->text = buf_str(&c->texts[0].text);
        answer->n_replace = c->texts[0].n_replace;
        answer->source = ANSWER_MODEL;
    }
    tell_other(answer, first.text, first.n_replace);
    for (unsigned i = 0; i < c->n; i++) {
        tell_other(answer, buf_str(&c->texts[i].text), c->texts[i].n_replace);
    }
    e->stats.n_choices++;
    e->stats.n_others += answer->n_others;
    trace_why(&e->trace, a->trace, "%u to choose from", answer->n_others + 1);
}

/* -- asking -- */

void several_want(struct engine *e, struct asked *a, const struct route *r)
{
    bool is_wanted = (a->is_again || a->is_more) && a->kind == QUESTION_INLINE;
    unsigned n_most =
        is_wanted && a->selected.len == 0 && !r->fills_by_chat ? a->settings->inline_candidates : 1;
    unsigned n =
        r->state == ROUTE_READY ? upstream_texts(e->options.upstream, r->endpoint, n_most) : 1;
    a->n_wanted = n;
    a->is_more = a->is_more && n > 1;
    if (n > 1) {
        a->budget_us = a->asked_us + SEVERAL_US;
    }
}

bool several_take_shown(struct engine *e, struct asked *a)
{
    struct flight_view view = flights_view(e->flights, a->id);
    size_t n = view.is_waiting || view.has_left
                   ? 0
                   : unit_complete(view.text, 0, a->unit, view.has_landed);
    if (n == 0) {
        n = view.is_waiting ? 0 : unit_complete(view.text, 0, UNIT_LINE, view.is_line_whole);
    }
    if (n == 0) {
        a->n_wanted = 1;
        return false;
    }
    note_shown(a, fit_less_closers(str_sub(view.text, 0, n), view.closers));
    flights_leave(e->flights, a->id, true, clock_now_us());
    a->boarded = BOARDED_NONE;
    a->is_again = true;
    return true;
}

/* -- a leg's other texts -- */

void several_begin(struct leg *leg, unsigned n, struct trim *(*make)(void *user), void *user)
{
    ASSERT(n > 1 && n <= TEXTS_MAX);
    leg->several = xcalloc(1, sizeof(*leg->several));
    leg->several->n = n;
    for (unsigned i = 1; i < n; i++) {
        leg->several->texts[i].trim = make(user);
        buf_init(&leg->several->texts[i].clean, FLIGHT_MAX_TEXT_BYTES);
    }
}

void several_release(struct leg *leg)
{
    struct several *s = leg->several;
    for (unsigned i = 1; s != NULL && i < s->n; i++) {
        trim_destroy(s->texts[i].trim);
        buf_release(&s->texts[i].clean);
    }
    xfree(s);
    leg->several = NULL;
}

void several_on_text(struct leg *leg, unsigned idx, str utf8)
{
    struct several *s = leg->several;
    if (s->texts[idx].is_over) {
        return;
    }
    struct buf *clean = &s->texts[idx].clean;
    trim_feed(s->texts[idx].trim, utf8, clean);
    size_t n_enough = leg_enough(leg, buf_str(clean), s->texts[idx].trim);
    if (n_enough > 0) {
        buf_truncate(clean, n_enough);
    }
    s->texts[idx].is_over = n_enough > 0 || trim_ended(s->texts[idx].trim) != TRIM_OPEN;
}

void several_on_end(struct leg *leg, unsigned idx, enum finish_reason reason)
{
    struct several *s = leg->several;
    ASSERT(idx < s->n);
    s->texts[idx].is_over_there = true;
    if (idx != 0 && !s->texts[idx].is_over) {
        trim_finish(s->texts[idx].trim, reason != FINISH_STOP, &s->texts[idx].clean);
        s->texts[idx].is_over = true;
        s->texts[idx].is_broken = reason == FINISH_NONE;
    }
}

bool several_is_open(const struct leg *leg)
{
    const struct several *s = leg->several;
    for (unsigned i = 1; s != NULL && i < s->n; i++) {
        if (!s->texts[i].is_over) {
            return true;
        }
    }
    return false;
}

bool several_is_open_there(const struct leg *leg)
{
    const struct several *s = leg->several;
    for (unsigned i = 0; s != NULL && i < s->n; i++) {
        if (!s->texts[i].is_over_there) {
            return true;
        }
    }
    return s == NULL;
}

void several_give(struct engine *e, const struct leg *leg)
{
    const struct several *s = leg->several;
    if (s == NULL) {
        return;
    }
    size_t n_riders;
    uint64_t *riders = engine_riders(e, leg->flight, &n_riders);
    for (size_t i = 0; i < n_riders; i++) {
        struct asked *a = engine_find(e, riders[i]);
        for (unsigned j = 1; a != NULL && a->n_wanted > 1 && j < s->n; j++) {
            bool is_whole = s->texts[j].is_over && !s->texts[j].is_broken;
            choice_add(a, is_whole ? buf_str(&s->texts[j].clean) : STR(""), 0);
        }
    }
    xfree(riders);
}
