/* policies.c - who asks when: the table of policies, and those that aren't the engine.
 *
 * How   Plain plugins ask on each key, at once or after a fixed delay, and show the first line of
 *       the answer when it is complete. The perfect rider asks only when what was typed contradicts
 *       the last answer, or has used it up, and otherwise lives on that answer; with a memory, when
 *       no answer that was ever given leads on. It takes as many lines from the server as the
 *       engine does: one unit past what is shown.
 * Rules An answer is only shown where it was asked for. */
#include "core/base/hash.h"
#include "core/base/limits.h"
#include "core/base/memory.h"
#include "core/request/unit.h"
#include "tests/bench/traffic/traffic.h"

#define LINE_LINES  2u
#define BLOCK_LINES 24u
#define MAX_CACHED  500u

static struct {
    const struct policy *policy;
    const struct place *place;
    uint64_t job;    /* the newest, 0 for none */
    uint64_t due_us; /* when the delay is over */
    /* of the cache */
    uint64_t keys[MAX_CACHED];
    char *texts[MAX_CACHED]; /* owned */
    size_t n_cached;
    /* of the rider */
    struct buf typed; /* what stands between the answer's place and where it goes on */
    size_t anchor, cursor;
    bool is_lost; /* the person went elsewhere */
    size_t asked; /* the state that the editor asked for last */
    unsigned max_lines;
} own;

static void begin(const struct policy *p, const struct place *place)
{
    own.policy = p;
    own.place = place;
    own.job = 0;
    own.due_us = CLOCK_NEVER;
    own.n_cached = 0;
    own.is_lost = true;
    own.asked = SIZE_MAX;
    buf_init(&own.typed, 1u << 20);
}

static void end(void)
{
    for (size_t i = 0; i < own.n_cached; i++) {
        xfree(own.texts[i]);
    }
    buf_release(&own.typed);
}

static struct job_spec spec_here(const struct place *p, struct buf *before, struct buf *after)
{
    size_t len = document_len(p->doc->text);
    buf_init(before, 1u << 10);
    buf_init(after, 1u << 10);
    document_copy(p->doc->text, p->cursor < 400 ? 0 : p->cursor - 400, p->cursor, before);
    document_copy(p->doc->text, p->cursor, p->cursor + 400 < len ? p->cursor + 400 : len, after);
    return (struct job_spec){.truth = typing_truth(p->trace, p->state),
                             .before = buf_str(before),
                             .after = buf_str(after),
                             .user = (void *)(uintptr_t)p->state};
}

/* -- plain plugins -- */

static uint64_t key_here(const struct place *p)
{
    struct buf before, after;
    struct job_spec spec = spec_here(p, &before, &after);
    uint64_t key = hash_mix(hash_str(spec.before), hash_str(str_sub(spec.after, 0, 100)));
    buf_release(&before);
    buf_release(&after);
    return key;
}

static void keep(const struct place *p, str text)
{
    if (own.policy->caches && own.n_cached < MAX_CACHED) {
        own.keys[own.n_cached] = key_here(p);
        own.texts[own.n_cached++] = xstrndup(text.ptr, text.len);
    }
}

/* The first line is complete: it is shown where it was asked for, and the rest isn't wanted. */
static void plain_look(uint64_t job, bool is_done, void *user)
{
    bool unused;
    str text = server_text(job, &unused);
    size_t n = unit_complete(text, 0, UNIT_LINE, is_done);
    if (n == 0 && !is_done) {
        return;
    }
    if ((uintptr_t)user == own.place->state) {
        answer_shown(own.place, str_sub(text, 0, n), 0);
        keep(own.place, str_sub(text, 0, n));
    }
    server_cancel(job);
}

static void plain_text(uint64_t job, str text, void *user)
{
    (void)text;
    plain_look(job, false, user);
}

static void plain_done(uint64_t job, bool is_cut, void *user)
{
    (void)is_cut;
    plain_look(job, true, user);
}

static void plain_start(void)
{
    uint64_t key = own.policy->caches ? key_here(own.place) : 0;
    for (size_t i = 0; own.policy->caches && i < own.n_cached; i++) {
        if (own.keys[i] == key) {
            answer_shown(own.place, str_from(own.texts[i]), 0);
            return;
        }
    }
    struct buf before, after;
    struct job_spec spec = spec_here(own.place, &before, &after);
    spec.on_text = plain_text;
    spec.on_done = plain_done;
    own.job = server_ask(&spec);
    buf_release(&before);
    buf_release(&after);
}

static void plain_ask(const struct place *place)
{
    (void)place;
    if (own.policy->cancels && own.job != 0) {
        server_cancel(own.job);
    }
    if (own.policy->delay_us > 0) {
        own.due_us = clock_now_us() + own.policy->delay_us;
    } else {
        plain_start();
    }
}

static uint64_t plain_next_us(void)
{
    return own.due_us;
}

static void plain_timer(void)
{
    own.due_us = CLOCK_NEVER;
    plain_start();
}

/* -- the perfect rider -- */

static void rider_look(void);

static void rider_text(uint64_t job, str text, void *user)
{
    (void)text;
    (void)user;
    bool is_done;
    str said = server_text(job, &is_done);
    unsigned n_lines = 0; /* with something on them */
    str rest = said, line;
    while (str_next(&rest, '\n', &line)) {
        n_lines += rest.ptr != NULL && str_trim(line).len > 0;
    }
    if (n_lines >= own.max_lines) {
        server_cancel(job);
    }
    if (job == own.job && own.asked == own.place->state) {
        rider_look();
    }
}

static void rider_done(uint64_t job, bool is_cut, void *user)
{
    (void)is_cut;
    (void)user;
    if (job == own.job && own.asked == own.place->state) {
        rider_look();
    }
}

static void set_unit(const struct place *p)
{
    struct buf before, after;
    struct job_spec spec = spec_here(p, &before, &after);
    str rest = str_sub(spec.after, 0, str_find_char(spec.after, '\n', 0));
    enum unit unit = unit_for_place(str_after_last(spec.before, '\n'), rest);
    own.max_lines = unit == UNIT_BLOCK ? BLOCK_LINES : LINE_LINES;
    buf_release(&before);
    buf_release(&after);
}

static void rider_start(void)
{
    struct buf before, after;
    if (own.job != 0) {
        server_cancel(own.job);
    }
    set_unit(own.place);
    struct job_spec spec = spec_here(own.place, &before, &after);
    spec.on_text = rider_text;
    spec.on_done = rider_done;
    own.job = server_ask(&spec);
    own.anchor = own.cursor = own.place->cursor;
    own.is_lost = false;
    buf_clear(&own.typed);
    buf_release(&before);
    buf_release(&after);
}

/* What an earlier answer says here, if one does. Borrowed from the server. */
static str recall(bool *is_done)
{
    const struct document *d = own.place->doc->text;
    struct buf before, after;
    size_t typed = 0;
    buf_init(&before, DOCUMENT_MAX_BYTES);
    buf_init(&after, DOCUMENT_MAX_BYTES);
    document_copy(d, 0, own.place->cursor, &before);
    document_copy(d, own.place->cursor, document_len(d), &after);
    uint64_t job = server_recall(buf_str(&before), buf_str(&after), &typed);
    str said = job != 0 ? server_text(job, is_done) : STR("");
    buf_release(&before);
    buf_release(&after);
    return str_sub(said, typed, said.len);
}

/* Shows what follows what was typed, or asks where nothing can. */
static void rider_look(void)
{
    bool is_done = true;
    str said = own.job != 0 ? server_text(own.job, &is_done) : STR("");
    str typed = str_sub(buf_str(&own.typed), 0, own.cursor - own.anchor);
    size_t both = typed.len < said.len ? typed.len : said.len;
    bool agrees = !own.is_lost && str_eq(str_sub(typed, 0, both), str_sub(said, 0, both));
    bool is_used_up = is_done && typed.len >= said.len && typed.len > 0;
    bool is_over = own.job == 0 || !agrees || is_used_up;
    str rest = is_over && own.policy->remembers ? recall(&is_done) : str_sub(said, both, said.len);
    if (is_over && (!own.policy->remembers || rest.len == 0)) {
        rider_start();
        return;
    }
    size_t n = own.policy->streams ? rest.len : unit_complete(rest, 0, UNIT_LINE, is_done);
    if (n > 0) {
        answer_shown(own.place, str_sub(rest, 0, n), 0);
    }
}

static void rider_step(const struct step *s, const struct place *place)
{
    (void)place;
    own.is_lost = own.is_lost || !step_inside(s, own.anchor, &own.typed, &own.cursor);
}

static void rider_ask(const struct place *place)
{
    own.asked = place->state;
    rider_look();
}

/* -- all of them -- */

#define PLAIN                                                                                      \
    .begin = begin, .end = end, .ask = plain_ask, .next_us = plain_next_us, .on_timer = plain_timer
#define RIDER .begin = begin, .end = end, .ask = rider_ask, .on_step = rider_step
#define OURS  .begin = ours_begin, .end = ours_end, .ask = ours_ask, .is_ours = true

const struct policy policies[] = {
    {.name = "perfect rider", RIDER, .is_for_all = true},
    {.name = "perfect rider, shown as it comes", RIDER, .is_for_all = true, .streams = true},
    {.name = "perfect rider with a memory", RIDER, .is_for_all = true, .remembers = true},
    {.name = "each key", PLAIN, .is_for_all = true},
    {.name = "each key, cancelling", PLAIN, .cancels = true},
    {.name = "debounce 200 ms", PLAIN, .cancels = true, .delay_us = MS_TO_US(200)},
    {.name = "debounce 350 ms, exact cache",
     PLAIN,
     .cancels = true,
     .caches = true,
     .delay_us = MS_TO_US(350)},
    {.name = "Crucible", OURS, .is_for_all = true},
    {.name = "  without riding", OURS, .off = {.riding = true}},
    {.name = "  without the cache", OURS, .off = {.cache = true}},
    {.name = "  without the predictor", OURS, .off = {.predictor = true}},
    {.name = "  without holding", OURS, .off = {.hold = true}},
    {.name = "  without filling", OURS, .off = {.fill = true}},
    {.name = "  without going ahead", OURS, .off = {.ahead = true}},
    {.name = "  without keeping what was shown", OURS, .off = {.keep = true}},
    {.name = "  without suppressing", OURS, .off = {.suppress = true}},
    {.name = "  with none of the last four",
     OURS,
     .off = {.hold = true, .fill = true, .ahead = true, .keep = true}},
};
const size_t n_policies = sizeof policies / sizeof *policies;
