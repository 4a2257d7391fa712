/* run.c - one policy over one trace: the person types, the editor asks, the screen is looked at.
 *
 * How   Time passes to each step, with stops at 100, 200 and 400 ms into its pause to look at the
 *       screen, and at 300 ms, when a person who takes suggestions may take a right one: the steps
 *       that it stands for are left out then.
 * Rules Only pauses count that are followed by typing something visible at the cursor: before a
 * jump or a deletion nothing can be right. A suggestion is taken by a dice of the seed and the
 * state alone, so that every policy meets the same person. */
#include <stdio.h>

#include "core/base/limits.h"
#include "core/base/memory.h"
#include "tests/bench/traffic/traffic.h"

#define PAUSE_US       MS_TO_US(75)
#define ACCEPT_US      MS_TO_US(300) /* into a pause: read, found right, taken */
#define ACCEPT_PERCENT 70u
#define ACCEPT_MIN     4u /* bytes that are worth a Tab */

struct score score;

static struct {
    const struct policy *policy;
    const struct client *client;
    struct place place;
    uint64_t client_us; /* when the editor asks */
    uint64_t seed;
} now;

static void on_client(void)
{
    now.policy->ask(&now.place);
}

static void pass_until(uint64_t at_us)
{
    world_pass_until(at_us, now.policy, on_client, &now.client_us);
}

void answer_shown(const struct place *place, str text, size_t n_replace)
{
    const struct document *d = place->doc->text;
    struct buf before, after;
    buf_init(&before, DOCUMENT_MAX_BYTES);
    buf_init(&after, DOCUMENT_MAX_BYTES);
    (void)n_replace; /* what it replaces are closers, which may stand before the rest anyway */
    document_copy(d, 0, place->cursor, &before);
    document_copy(d, place->cursor, document_len(d), &after);
    if (text.len > 0 && !server_note_shown(buf_str(&before), text, buf_str(&after))) {
        score.n_wrong++;
    }
    screen_show(text);
    buf_release(&before);
    buf_release(&after);
}

/* The editor hears of a change that has been made. Edits of one moment are one change to it. */
static void after_step(const struct step *s)
{
    const struct typing *t = now.place.trace;
    if (now.policy->on_step != NULL) {
        now.policy->on_step(s, &now.place);
    }
    world_turn();
    if (now.place.state < t->n && t->steps[now.place.state].gap_us == 0) {
        return;
    }
    if (now.client->delay_us == 0) {
        now.policy->ask(&now.place);
    } else {
        now.client_us = clock_now_us() + now.client->delay_us;
    }
}

/* Does a step, which leads over `n` of the trace's. */
static void do_step(const struct step *s, size_t n)
{
    screen_on_step(s, now.place.cursor);
    now.place.state += n;
    now.place.cursor = s->cursor;
    enum err err = documents_edit(now.place.documents, now.place.doc->id, s->at,
                                  s->at + s->n_removed, s->text);
    ASSERT(err == ERR_OK);
    after_step(s);
}

static void sample(size_t i)
{
    const struct typing *t = now.place.trace;
    const struct step *next = &t->steps[now.place.state];
    str truth = typing_truth(now.place.trace, now.place.state);
    if (str_trim(truth).len > 0 && next->text.len > 0 && next->at == now.place.cursor &&
        next->n_removed == 0) {
        score.n_pauses[i]++;
        score.n_right[i] += screen_is_right(truth);
    }
}

/* The person looks at the suggestion; true where it was taken. */
static bool may_accept(void)
{
    str text = screen_text();
    uint64_t dice = (now.place.state + 1) * 0x9e3779b97f4a7c15u ^ now.seed;
    dice = (dice ^ (dice >> 29)) * 0xbf58476d1ce4e5b9u;
    if (!now.place.trace->accepts || text.len < ACCEPT_MIN ||
        (dice >> 33) % 100 >= ACCEPT_PERCENT) {
        return false;
    }
    size_t n = typing_steps_to(now.place.trace, now.place.state, text);
    if (n == 0) {
        return false;
    }
    char *copy = xstrndup(text.ptr, text.len);
    struct step s = {.at = now.place.cursor,
                     .text = str_of(copy, text.len),
                     .cursor = now.place.cursor + text.len};
    score.n_accepted++;
    do_step(&s, n);
    xfree(copy);
    return true;
}

/* The pause before the next step, looked into. */
static void pause(uint64_t from_us, uint64_t gap_us)
{
    static const uint64_t at_us[N_SAMPLES] = {MS_TO_US(100), MS_TO_US(200), MS_TO_US(400)};
    for (size_t i = 0; i < N_SAMPLES && gap_us >= PAUSE_US; i++) {
        if (at_us[i] > ACCEPT_US && gap_us >= ACCEPT_US) {
            pass_until(from_us + ACCEPT_US);
            if (may_accept()) { /* it would still have stood there, right */
                score.n_pauses[i] += at_us[i] <= gap_us;
                score.n_right[i] += at_us[i] <= gap_us;
                return;
            }
        }
        if (at_us[i] <= gap_us) {
            pass_until(from_us + at_us[i]);
            sample(i);
        }
    }
    pass_until(from_us + gap_us);
    do_step(&now.place.trace->steps[now.place.state], 1);
}

static void begin(struct typing *t)
{
    world_start();
    screen_begin();
    score = (struct score){.n_steps = t->n};
    now.place = (struct place){.trace = t, .documents = documents_create()};
    now.place.cursor = typing_cursor(t, 0);
    now.client_us = CLOCK_NEVER;
    uint64_t id = 0;
    char path[128];
    (void)snprintf(path, sizeof path, "/w/%s", t->name);
    enum err err = documents_open(now.place.documents, str_from(path), str_from(t->language),
                                  buf_str(&t->start), &id);
    ASSERT(err == ERR_OK);
    now.place.doc = documents_find(now.place.documents, id);
}

struct score run(struct typing *t, const struct policy *p, const struct client *client,
                 const struct habits *habits)
{
    server_begin(habits);
    begin(t);
    now.policy = p;
    now.client = client;
    now.seed = habits->seed;
    p->begin(p, &now.place);
    while (now.place.state < t->n) {
        pause(clock_now_us(), t->steps[now.place.state].gap_us);
    }
    pass_until(clock_now_us() + SEC_TO_US(6));
    p->end();
    struct server_count c = server_count();
    score.n_requests = c.n_requests;
    score.n_tokens = c.n_tokens;
    score.n_unshown = c.n_unshown;
    documents_destroy(now.place.documents);
    screen_end();
    server_end();
    return score;
}
