/* server.c - a model server of one slot that knows what the person will type.
 *
 * Why   Policies can only be compared where each of them meets the same answers at the same cost.
 * How   Jobs wait in order for the slot. A job's first token comes a while after it got the
 *       slot, each further one a shorter while later, 4 bytes each. A cancelled job frees the slot
 * 25 ms later. All jobs are kept: what was shown of which answer is found by comparing text, so
 * that an answer that fits no job's place is noticed (the check is this program's own). Rules A
 * share of the answers can be made wrong at a place that depends on the seed and the job's place
 * alone, so that every policy meets the same mistakes. */
#include <string.h>

#include "core/base/memory.h"
#include "tests/bench/traffic/traffic.h"

#define CANCEL_US        MS_TO_US(25)
#define NEAR_BYTES       256u
#define WRONG_FROM_BYTES 24u
#define MAX_CLOSERS      64u

enum job_state { JOB_QUEUED, JOB_RUNNING, JOB_OVER };

struct job {
    struct job_spec spec;
    enum job_state state;
    char *text; /* owned: all that will be said */
    size_t len, given;
    size_t lead; /* bytes of the text that an earlier answer said */
    unsigned n_tokens;
    bool is_cut; /* by the limit of tokens */
    char before[NEAR_BYTES], after[NEAR_BYTES];
    size_t n_before, n_after;
    size_t shown_from, shown_to; /* of the text, what was on the screen; equal for nothing */
    uint64_t next_us;            /* of a running one */
};

static struct {
    struct job *jobs; /* owned; ids are places in it plus one */
    size_t n, cap;
    size_t first_waiting; /* no job before it is queued */
    size_t running;       /* its id, 0 for none */
    uint64_t free_us;     /* when the slot is free, where nothing runs */
    struct habits habits;
} server;

void server_begin(const struct habits *habits)
{
    memset(&server, 0, sizeof server);
    server.habits = *habits;
}

void server_end(void)
{
    for (size_t i = 0; i < server.n; i++) {
        xfree(server.jobs[i].text);
    }
    xfree(server.jobs);
    memset(&server, 0, sizeof server);
}

static struct job *job_of(uint64_t id)
{
    ASSERT(id >= 1 && id <= server.n);
    return &server.jobs[id - 1];
}

/* The same number for the same place under the same seed: FNV-1a with a finish. */
static uint64_t dice(const struct job *j)
{
    uint64_t h = 0xcbf29ce484222325u ^ server.habits.seed;
    for (size_t i = 0; i < j->n_before; i++) {
        h = (h ^ (unsigned char)j->before[i]) * 0x100000001b3u;
    }
    h ^= h >> 31;
    h *= 0x9e3779b97f4a7c15u;
    return h ^ (h >> 29);
}

/* A wrong answer is right up to somewhere in its beginning, then something else to the end of the
 * line. */
static void spoil(struct job *j)
{
    uint64_t h = dice(j);
    if (h % 100 >= server.habits.wrong_percent || j->len == 0) {
        return;
    }
    size_t at = (size_t)(h >> 32) % (j->len < WRONG_FROM_BYTES ? j->len : WRONG_FROM_BYTES);
    while (at > 0 && ((unsigned char)j->text[at] & 0xC0) == 0x80) {
        at--;
    }
    char *text = xmalloc(at + 16);
    memcpy(text, j->text, at);
    memcpy(text + at, "qz_other(value);", 16);
    xfree(j->text);
    j->text = text;
    j->len = at + 16;
}

static void keep_near(struct job *j, const struct job_spec *spec)
{
    j->n_before = spec->before.len < NEAR_BYTES ? spec->before.len : NEAR_BYTES;
    j->n_after = spec->after.len < NEAR_BYTES ? spec->after.len : NEAR_BYTES;
    memcpy(j->before, spec->before.ptr + spec->before.len - j->n_before, j->n_before);
    memcpy(j->after, spec->after.ptr, j->n_after);
}

static size_t typed_since(const struct job *j, str before, str text);
static bool is_after_same(const struct job *j, str after);

/* An answer that goes on from one that was given is one with it: its place is that one's, and what
 * was said there comes first. */
static void join(struct job *j, const struct job_spec *spec, struct buf *text)
{
    for (size_t i = server.n - 1; i-- > 0;) {
        const struct job *p = &server.jobs[i];
        size_t typed = p->given > 0 && is_after_same(p, spec->after)
                           ? typed_since(p, spec->before, spec->lead)
                           : SIZE_MAX;
        if (typed != SIZE_MAX) {
            buf_append(text, str_sub(spec->before, spec->before.len - typed, spec->before.len));
            buf_append(text, spec->lead);
            memcpy(j->before, p->before, p->n_before);
            memcpy(j->after, p->after, p->n_after);
            j->n_before = p->n_before;
            j->n_after = p->n_after;
            break;
        }
    }
    j->lead = j->given = text->len;
}

static struct job *add_job(const struct job_spec *spec)
{
    if (server.n == server.cap) {
        server.cap = server.cap ? server.cap * 2 : 1024;
        server.jobs = xrealloc(server.jobs, server.cap * sizeof *server.jobs);
    }
    struct job *j = &server.jobs[server.n++];
    *j = (struct job){.spec = *spec, .text = xstrndup(spec->truth.ptr, spec->truth.len)};
    j->len = spec->truth.len;
    j->is_cut = spec->truth.len + TOKEN_BYTES > TRUTH_BYTES;
    return j;
}

uint64_t server_ask(const struct job_spec *spec)
{
    struct job *j = add_job(spec);
    keep_near(j, spec);
    if (spec->is_own) {
        j->state = JOB_OVER;
        j->given = j->len;
        return server.n;
    }
    spoil(j);
    size_t eol = str_find_char(str_of(j->text, j->len), '\n', 0);
    if (spec->stops_at_line && eol != SIZE_MAX) {
        j->len = eol;
        j->is_cut = false;
    }
    if (spec->lead.len > 0) {
        struct buf text;
        buf_init(&text, 1u << 20);
        join(j, spec, &text);
        buf_append(&text, str_of(j->text, j->len));
        xfree(j->text);
        j->text = xstrndup(text.ptr, text.len);
        j->len = text.len;
        buf_release(&text);
    }
    return server.n;
}

static void free_slot(uint64_t id, uint64_t at_us)
{
    if (server.running == id) {
        server.running = 0;
        server.free_us = at_us;
    }
}

void server_cancel(uint64_t id)
{
    struct job *j = job_of(id);
    if (j->state != JOB_OVER) {
        j->state = JOB_OVER;
        free_slot(id, clock_now_us() + CANCEL_US);
    }
}

static size_t first_waiting(void)
{
    while (server.first_waiting < server.n &&
           server.jobs[server.first_waiting].state != JOB_QUEUED) {
        server.first_waiting++;
    }
    return server.first_waiting;
}

uint64_t server_next_us(void)
{
    if (server.running != 0) {
        return job_of(server.running)->next_us;
    }
    return first_waiting() < server.n ? server.free_us : CLOCK_NEVER;
}

static void finish(uint64_t id)
{
    struct job *j = job_of(id);
    j->state = JOB_OVER;
    free_slot(id, clock_now_us());
    j->spec.on_done(id, j->is_cut, j->spec.user);
}

/* One token. The asker may cancel, or ask anew, from inside. */
static void say_token(uint64_t id)
{
    struct job *j = job_of(id);
    size_t from = j->given;
    size_t to = from + TOKEN_BYTES < j->len ? from + TOKEN_BYTES : j->len;
    while (to < j->len && ((unsigned char)j->text[to] & 0xC0) == 0x80) {
        to++;
    }
    j->given = to;
    j->n_tokens += to > from;
    j->next_us += server.habits.token_us;
    if (to > from) {
        j->spec.on_text(id, str_of(j->text + from, to - from), j->spec.user);
    }
    j = job_of(id); /* others may have been added */
    if (j->state == JOB_RUNNING && j->given == j->len) {
        finish(id);
    }
}

void server_step(void)
{
    if (server.running != 0) {
        say_token(server.running);
        return;
    }
    size_t idx = first_waiting();
    if (idx < server.n) {
        server.jobs[idx].state = JOB_RUNNING;
        server.jobs[idx].next_us = clock_now_us() + server.habits.first_us;
        server.running = idx + 1;
    }
}

str server_text(uint64_t id, bool *is_done)
{
    const struct job *j = job_of(id);
    *is_done = j->state == JOB_OVER;
    return str_of(j->text, j->given);
}

/* -- what was shown -- */

/* Without the blanks after line ends, which nobody compares. */
static void add_normal(struct buf *out, str s, bool *after_eol)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (c == '\r' || (*after_eol && (c == ' ' || c == '\t'))) {
            continue;
        }
        *after_eol = c == '\n';
        buf_append_char(out, c);
    }
}

static bool is_beginning(const struct job *j, str typed, str text)
{
    struct buf said, claimed;
    buf_init(&said, 1u << 20);
    buf_init(&claimed, 1u << 20);
    bool after_eol = false;
    add_normal(&said, str_of(j->text, j->given), &after_eol);
    after_eol = false;
    add_normal(&claimed, typed, &after_eol);
    add_normal(&claimed, text, &after_eol);
    bool is_it = str_starts_with(buf_str(&said), buf_str(&claimed));
    buf_release(&said);
    buf_release(&claimed);
    return is_it;
}

/* After the cursor stands what stood there when the job was asked, maybe behind some closers. */
static bool is_after_same(const struct job *j, str after)
{
    for (size_t skip = 0; skip <= MAX_CLOSERS && skip <= after.len; skip++) {
        str rest = str_sub(after, skip, after.len);
        bool is_end_same = j->n_after == NEAR_BYTES || rest.len == j->n_after;
        if (is_end_same && rest.len >= j->n_after && memcmp(rest.ptr, j->after, j->n_after) == 0) {
            return true;
        }
    }
    return false;
}

/* How much was typed since the job's place, SIZE_MAX where `before` doesn't come from there. */
static size_t typed_since(const struct job *j, str before, str text)
{
    size_t most = j->given + NEAR_BYTES; /* blanks after line ends may be more than were said */
    for (size_t n = 0; n <= most && n + j->n_before <= before.len; n++) {
        size_t at = before.len - n;
        if (j->n_before < NEAR_BYTES && at != j->n_before) {
            continue;
        }
        if (memcmp(before.ptr + at - j->n_before, j->before, j->n_before) == 0 &&
            is_beginning(j, str_sub(before, at, before.len), text)) {
            return n;
        }
    }
    return SIZE_MAX;
}

uint64_t server_recall(str before, str after, size_t *typed)
{
    for (size_t i = server.n; i-- > 0;) {
        const struct job *j = &server.jobs[i];
        if (j->given > 0 && !j->spec.is_own && is_after_same(j, after)) {
            *typed = typed_since(j, before, STR(""));
            if (*typed < j->given) {
                return i + 1;
            }
        }
    }
    return 0;
}

bool server_note_shown(str before, str text, str after)
{
    for (size_t i = server.n; i-- > 0;) {
        struct job *j = &server.jobs[i];
        if (j->given == j->lead || !is_after_same(j, after)) {
            continue;
        }
        size_t typed = typed_since(j, before, text);
        if (typed == SIZE_MAX) {
            continue;
        }
        size_t to = typed + text.len < j->given ? typed + text.len : j->given;
        bool is_first = j->shown_from == j->shown_to;
        j->shown_from = is_first || typed < j->shown_from ? typed : j->shown_from;
        j->shown_to = to > j->shown_to ? to : j->shown_to;
        return true;
    }
    return false;
}

struct server_count server_count(void)
{
    struct server_count c = {.n_requests = 0};
    for (size_t i = 0; i < server.n; i++) {
        const struct job *j = &server.jobs[i];
        if (j->spec.is_own) {
            continue;
        }
        c.n_requests++;
        c.n_tokens += j->n_tokens;
        size_t from = j->shown_from > j->lead ? j->shown_from : j->lead;
        size_t shown = j->shown_to > from ? j->shown_to - from + TOKEN_BYTES - 1 : 0;
        uint64_t n_shown = shown / TOKEN_BYTES;
        c.n_unshown += n_shown < j->n_tokens ? j->n_tokens - n_shown : 0;
    }
    return c;
}
