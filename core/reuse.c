/* reuse.c - answers a question of a person by what was said to a similar one.
 *
 * Why   Between two looks at a function a comment comes in or a name changes, and an explanation
 *       that took seconds to write would be lost, though it is as right as before.
 * How   Each answered question that says what it is about leaves a sketch. Where the same question
 *       hasn't been answered, the answer to the most similar one serves, from the threshold on;
 *       the answer says so. What the person does next tells whether that was good: a command for
 *       the same symbol within half a minute refuses it and is asked anew, anything else lets it
 *       stand.
 * Rules Only what is read and changes nothing. A similar answer is never the measure for the next
 *       one: likeness is always to the code that was really explained. */
#include "core/base/clock.h"
#include "core/engine_internal.h"

#define ENTRIES_MAX 500u
#define AGAIN_US    SEC_TO_US(30) /* asking until then means the answer that was shown */

void reuse_init(struct engine *e)
{
    e->reuse.similar = similar_create(ENTRIES_MAX);
    reuse_configure(e);
}

void reuse_release(struct engine *e)
{
    similar_destroy(e->reuse.similar);
}

void reuse_configure(struct engine *e)
{
    threshold_configure(&e->reuse.threshold, e->settings->similarity_threshold,
                        e->settings->similarity_adaptive);
}

/* What asking this says about the similar answer that was shown last. */
static void judge(struct engine *e, struct conversation *c, uint64_t now_us)
{
    struct reuse *r = &e->reuse;
    bool is_same = r->shown_head == c->like->head;
    bool is_soon = now_us - r->shown_us < AGAIN_US;
    if (c->is_judged || r->shown_head == 0) {
        return;
    }
    c->is_judged = true;
    if (is_same && is_soon && c->is_glance) {
        return; /* looks at it once more */
    }
    if (is_same && is_soon) {
        threshold_refused(&r->threshold);
        c->is_anew = true;
    } else {
        threshold_accepted(&r->threshold, r->shown_likeness);
    }
    r->shown_head = 0;
}

/* The most similar one whose answer is still there. */
static bool board(struct engine *e, struct asked *a, uint64_t now_us)
{
    struct conversation *c = a->chat;
    struct reuse *r = &e->reuse;
    uint64_t key = 0;
    double likeness = 0;
    while (similar_find(r->similar, c->like, r->threshold.value, &key, &likeness)) {
        if (flights_board_similar(e->flights, key, a->id, now_us, &a->flight) == BOARDED_SIMILAR) {
            c->likeness = likeness;
            return true;
        }
        similar_forget(r->similar, key);
    }
    return false;
}

bool reuse_board(struct engine *e, struct asked *a)
{
    struct reuse *r = &e->reuse;
    uint64_t now_us = clock_now_us();
    if (a->chat->like == NULL || threshold_is_off(&r->threshold)) {
        return false;
    }
    judge(e, a->chat, now_us);
    if (a->chat->is_anew || !board(e, a, now_us)) {
        return false;
    }
    a->boarded = BOARDED_SIMILAR;
    a->state = ASKED_RIDING;
    a->source = ANSWER_MODEL;
    r->n_hits++;
    r->shown_head = a->chat->like->head;
    r->shown_likeness = a->chat->likeness;
    r->shown_us = now_us;
    trace_why(&e->trace, a->trace, "similar: flight %llu, %.2f", (unsigned long long)a->flight,
              a->chat->likeness);
    engine_queue(e, a);
    return true;
}

void reuse_learn(struct engine *e, const struct asked *a, uint64_t key)
{
    if (a->chat->like != NULL && !threshold_is_off(&e->reuse.threshold)) {
        similar_add(e->reuse.similar, key, a->chat->like);
    }
}

struct similar_stats engine_similar(const struct engine *e)
{
    const struct threshold *t = &e->reuse.threshold;
    return (struct similar_stats){.is_on = !threshold_is_off(t),
                                  .is_adaptive = t->is_adaptive,
                                  .threshold = t->value,
                                  .n_entries = similar_count(e->reuse.similar),
                                  .n_hits = e->reuse.n_hits,
                                  .n_accepted = t->n_accepted,
                                  .n_refused = t->n_refused};
}
