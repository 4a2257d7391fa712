/* queue.c - which question goes to which engine next.
 *
 * Why   A server with one slot that is sent five questions answers them in the order they came, the
 *       one that matters last; one with four that is sent an action on each has none left for the
 *       next key; and one that holds a single model changes it with each question that names the
 *       other.
 * How   A lane for each endpoint, an entry for each item in it, in the order of arrival. There are
 *       few of them, so everything is found by looking at all. What a slot holds is remembered by
 *       the document and the prompt's head that went there last.
 *       Where a server doesn't say how many it serves at once that is learned from the order in
 *       which text comes: one that began before the others and still goes on when they have begun
 *       is served beside them, which allows for one place more; one that hears nothing while
 *       another gets piece after piece waits in the server, so there are no more places than those
 *       that do get text, for as long as the lane lives.
 * Rules Nothing is ever started into a place that isn't there; being allowed to start comes before
 *       the order, so who may not start yet isn't overtaken. */
#include "core/request/queue.h"

#include "core/base/error.h"
#include "core/base/memory.h"

#define MANY_LANES 32u

enum entry_state { ENTRY_WAITING, ENTRY_RUNNING, ENTRY_STOPPING };

struct entry {
    struct queue_item item;
    enum entry_state state;
    uint64_t serial; /* of its arrival, over all lanes */
    uint64_t arrived_us, started_us;
    unsigned n_passes;   /* how often one that came later went first */
    int place;           /* index of its slot; -1: it goes beside, or has none */
    uint64_t first_text; /* when its text began, counted in pieces of the lane; 0: it hasn't */
    unsigned n_unheard;  /* pieces that earlier ones got since it runs, until it gets its first */
};

struct slot { /* what it was last used for */
    bool is_taken;
    uint64_t document, head, model;
    uint64_t used; /* serial of the newest start in it; 0: never */
};

struct lane {
    uint64_t endpoint;
    struct queue_lane is;
    unsigned ceiling;      /* of learned places */
    struct entry *entries; /* owned; by arrival */
    size_t n, cap;
    struct slot slots[QUEUE_MAX_SLOTS];
    uint64_t last_model; /* of the newest start */
    uint64_t n_pieces;
};

struct queue {
    struct lane **lanes; /* owned, both */
    size_t n_lanes;
    uint64_t last_serial, n_starts;
    struct queue_stats stats;
};

/* -- lanes -- */

struct queue *queue_create(void)
{
    return xcalloc(1, sizeof(struct queue));
}

void queue_destroy(struct queue *q)
{
    if (q == NULL) {
        return;
    }
    for (size_t i = 0; i < q->n_lanes; i++) {
        xfree(q->lanes[i]->entries);
        xfree(q->lanes[i]);
    }
    xfree(q->lanes);
    xfree(q);
}

static struct lane *lane_of(const struct queue *q, uint64_t endpoint)
{
    for (size_t i = 0; i < q->n_lanes; i++) {
        if (q->lanes[i]->endpoint == endpoint) {
            return q->lanes[i];
        }
    }
    return NULL;
}

/* Endpoints come and go: where there are many, one that nothing is in makes room. */
static struct lane *make_lane(struct queue *q)
{
    for (size_t i = 0; q->n_lanes >= MANY_LANES && i < q->n_lanes; i++) {
        struct lane *lane = q->lanes[i];
        if (lane->n == 0) {
            xfree(lane->entries);
            *lane = (struct lane){.n = 0};
            return lane;
        }
    }
    q->lanes = xrealloc(q->lanes, (q->n_lanes + 1) * sizeof *q->lanes);
    q->lanes[q->n_lanes] = xcalloc(1, sizeof(struct lane));
    return q->lanes[q->n_lanes++];
}

void queue_describe(struct queue *q, uint64_t endpoint, const struct queue_lane *is)
{
    ASSERT(is->n_places > 0);
    struct lane *lane = lane_of(q, endpoint);
    bool is_new = lane == NULL;
    if (is_new) {
        lane = make_lane(q);
        lane->endpoint = endpoint;
        lane->ceiling = QUEUE_LEARNED_MAX;
    }
    unsigned learned = !is_new && lane->is.is_learned ? lane->is.n_places : is->n_places;
    lane->is = *is;
    lane->is.n_places = is->is_learned ? learned : is->n_places;
}

unsigned queue_places(const struct queue *q, uint64_t endpoint)
{
    const struct lane *lane = lane_of(q, endpoint);
    return lane != NULL ? lane->is.n_places : 0;
}

static struct entry *find(const struct queue *q, uint64_t id, struct lane **lane)
{
    for (size_t i = 0; i < q->n_lanes; i++) {
        for (size_t k = 0; k < q->lanes[i]->n; k++) {
            if (q->lanes[i]->entries[k].item.id == id) {
                *lane = q->lanes[i];
                return &q->lanes[i]->entries[k];
            }
        }
    }
    return NULL;
}

static void take_out(struct lane *lane, struct entry *e)
{
    size_t at = (size_t)(e - lane->entries);
    if (e->state != ENTRY_WAITING && e->place >= 0) {
        lane->slots[e->place].is_taken = false;
    }
    for (size_t i = at + 1; i < lane->n; i++) {
        lane->entries[i - 1] = lane->entries[i];
    }
    lane->n--;
}

/* -- who may start -- */

struct taken { /* places */
    unsigned n_all, by[N_QUEUE_CLASSES];
    bool is_other_model; /* one of those that run has another than the item's */
};

static struct taken count_taken(const struct lane *lane, uint64_t model)
{
    struct taken t = {.n_all = 0};
    for (size_t i = 0; i < lane->n; i++) {
        const struct entry *e = &lane->entries[i];
        if (e->state != ENTRY_WAITING) {
            unsigned n = e->item.n_places > 1 ? e->item.n_places : 1;
            t.n_all += n;
            t.by[e->item.class] += n;
            t.is_other_model = t.is_other_model || e->item.model != model;
        }
    }
    return t;
}

static bool has_wanted(const struct lane *lane)
{
    for (size_t i = 0; i < lane->n; i++) {
        const struct entry *e = &lane->entries[i];
        if (e->state == ENTRY_WAITING && e->item.class != QUEUE_BACKGROUND) {
            return true;
        }
    }
    return false;
}

/* Whether an item could start with those places taken, whoever else waits. */
static bool fits(const struct lane *lane, const struct queue_item *item, const struct taken *t)
{
    unsigned n = lane->is.n_places;
    unsigned n_others = t->by[QUEUE_ASKED] + t->by[QUEUE_BACKGROUND];
    unsigned most_others = n > 1 ? n - 1 : 1;
    if (item->class != QUEUE_TYPING) {
        return t->n_all < n && n_others < most_others;
    }
    bool may_go_beside = n == 1 && t->n_all == 1 && t->by[QUEUE_ASKED] == 1 &&
                         !(lane->is.may_swap && t->is_other_model);
    return t->n_all < n || may_go_beside;
}

static bool may_start(const struct lane *lane, const struct queue_item *item)
{
    struct taken t = count_taken(lane, item->model);
    return fits(lane, item, &t) && (item->class != QUEUE_BACKGROUND || !has_wanted(lane));
}

/* -- in which order -- */

static bool is_overdue(const struct entry *e, uint64_t now_us)
{
    switch (e->item.class) {
    case QUEUE_TYPING:
        return e->n_passes >= QUEUE_MAX_PASSES;
    case QUEUE_ASKED:
        return e->n_passes >= QUEUE_MAX_PASSES || now_us - e->arrived_us >= QUEUE_PATIENCE_US;
    case QUEUE_BACKGROUND:
    case N_QUEUE_CLASSES:
        break;
    }
    return false;
}

/* Whether its model is the one at work: nothing has to be loaded for it. */
static bool is_at_work(const struct lane *lane, uint64_t model)
{
    bool is_idle = true;
    for (size_t i = 0; i < lane->n; i++) {
        const struct entry *e = &lane->entries[i];
        if (e->state != ENTRY_WAITING) {
            is_idle = false;
            if (e->item.model == model) {
                return true;
            }
        }
    }
    return is_idle && (lane->last_model == model || lane->last_model == 0);
}

static unsigned n_slots(const struct lane *lane)
{
    return lane->is.n_places < QUEUE_MAX_SLOTS ? lane->is.n_places : QUEUE_MAX_SLOTS;
}

static bool is_held(const struct lane *lane, const struct queue_item *item)
{
    for (unsigned i = 0; item->head != 0 && i < n_slots(lane); i++) {
        const struct slot *s = &lane->slots[i];
        if (!s->is_taken && s->head == item->head && s->model == item->model) {
            return true;
        }
    }
    return false;
}

static bool goes_by_age(const struct entry *a, const struct entry *b)
{
    return a->item.class == QUEUE_TYPING ? a->serial > b->serial : a->serial < b->serial;
}

/* Whether `a` goes before `b`; both may start. */
static bool goes_before(const struct lane *lane, const struct entry *a, const struct entry *b,
                        uint64_t now_us)
{
    bool late_a = is_overdue(a, now_us), late_b = is_overdue(b, now_us);
    if (late_a || late_b) {
        return late_a && late_b ? a->serial < b->serial : late_a;
    }
    if (a->item.class != b->item.class) {
        return a->item.class < b->item.class;
    }
    bool works_a = is_at_work(lane, a->item.model), works_b = is_at_work(lane, b->item.model);
    if (works_a != works_b) {
        return works_a;
    }
    bool held_a = is_held(lane, &a->item), held_b = is_held(lane, &b->item);
    if (a->item.class != QUEUE_TYPING && held_a != held_b) {
        return held_a;
    }
    return goes_by_age(a, b);
}

static struct entry *pick(const struct lane *lane, uint64_t now_us)
{
    struct entry *best = NULL;
    for (size_t i = 0; i < lane->n; i++) {
        struct entry *e = &lane->entries[i];
        if (e->state == ENTRY_WAITING && may_start(lane, &e->item) &&
            (best == NULL || goes_before(lane, e, best, now_us))) {
            best = e;
        }
    }
    return best;
}

/* -- where -- */

/* How well a free slot suits the item; the larger the better. */
static unsigned suits(const struct slot *s, const struct queue_item *item)
{
    bool is_same = s->used > 0 && s->model == item->model;
    if (is_same && item->document != 0 && s->document == item->document) {
        return 4;
    }
    if (is_same && item->head != 0 && s->head == item->head) {
        return 3;
    }
    return s->used == 0 ? 2 : s->document == 0 ? 1 : 0; /* not one that is kept for typing */
}

/* The slot for the item, the one that was used longest ago of those that suit as well; -1: it goes
 * beside. */
static int choose_slot(const struct lane *lane, const struct queue_item *item, bool *is_warm)
{
    int best = -1;
    for (unsigned i = 0; i < n_slots(lane); i++) {
        const struct slot *s = &lane->slots[i];
        if (s->is_taken) {
            continue;
        }
        unsigned now = suits(s, item);
        unsigned before = best >= 0 ? suits(&lane->slots[best], item) : 0;
        if (best < 0 || now > before || (now == before && s->used < lane->slots[best].used)) {
            best = (int)i;
        }
    }
    *is_warm = best >= 0 && suits(&lane->slots[best], item) >= 3;
    return best;
}

/* -- coming -- */

static size_t n_waiting(const struct lane *lane)
{
    size_t n = 0;
    for (size_t i = 0; i < lane->n; i++) {
        n += lane->entries[i].state == ENTRY_WAITING;
    }
    return n;
}

/* How long until the first of those that run is expected to be through. */
static uint64_t soonest_us(const struct lane *lane, uint64_t now_us)
{
    uint64_t soonest = UINT64_MAX;
    for (size_t i = 0; i < lane->n; i++) {
        const struct entry *e = &lane->entries[i];
        if (e->state != ENTRY_WAITING) {
            uint64_t end_us = e->started_us + e->item.takes_us;
            uint64_t left_us = end_us > now_us ? end_us - now_us : 0;
            soonest = left_us < soonest ? left_us : soonest;
        }
    }
    return soonest == UINT64_MAX ? 0 : soonest;
}

/* A place that background work has is as good as free. */
static bool could_start(const struct lane *lane, const struct queue_item *item)
{
    struct taken t = count_taken(lane, item->model);
    if (item->class != QUEUE_BACKGROUND) {
        t.n_all -= t.by[QUEUE_BACKGROUND];
        t.by[QUEUE_BACKGROUND] = 0;
    }
    return fits(lane, item, &t);
}

static uint64_t latest_start_us(const struct queue_item *item)
{
    if (item->deadline_us == UINT64_MAX) {
        return UINT64_MAX;
    }
    return item->deadline_us > item->first_us ? item->deadline_us - item->first_us : 0;
}

bool queue_would_take(const struct queue *q, const struct queue_item *item, uint64_t now_us)
{
    const struct lane *lane = lane_of(q, item->endpoint);
    uint64_t wait_us = 0;
    if (lane != NULL && !could_start(lane, item)) {
        wait_us = soonest_us(lane, now_us);
    }
    return (lane == NULL || n_waiting(lane) < QUEUE_MAX_WAITING) &&
           now_us + wait_us <= latest_start_us(item);
}

bool queue_add(struct queue *q, const struct queue_item *item, uint64_t now_us)
{
    struct lane *lane = lane_of(q, item->endpoint);
    ASSERT(lane != NULL && item->id != 0);
    if (!queue_would_take(q, item, now_us)) {
        q->stats.n_dropped++;
        return false;
    }
    if (lane->n == lane->cap) {
        lane->cap = lane->cap ? lane->cap * 2 : 8;
        lane->entries = xrealloc(lane->entries, lane->cap * sizeof *lane->entries);
    }
    lane->entries[lane->n++] = (struct entry){
        .item = *item, .serial = ++q->last_serial, .arrived_us = now_us, .place = -1};
    q->stats.n_added++;
    return true;
}

void queue_count_dropped(struct queue *q)
{
    q->stats.n_dropped++;
}

/* -- going -- */

/* What `e`'s start does to those that were there before it; true where one of another model would
 * have been next by its age. */
static bool overtake(struct lane *lane, const struct entry *e)
{
    bool is_swap_avoided = false;
    bool is_at_work_now = is_at_work(lane, e->item.model);
    for (size_t i = 0; i < lane->n; i++) {
        struct entry *other = &lane->entries[i];
        if (other == e || other->state != ENTRY_WAITING || !may_start(lane, &other->item)) {
            continue;
        }
        other->n_passes += other->serial < e->serial;
        is_swap_avoided =
            is_swap_avoided || (is_at_work_now && other->item.class == e->item.class &&
                                other->item.model != e->item.model && goes_by_age(other, e));
    }
    return is_swap_avoided;
}

static void start(struct queue *q, struct lane *lane, struct entry *e, uint64_t now_us,
                  struct queue_order *out)
{
    bool is_warm;
    struct taken taken = count_taken(lane, e->item.model);
    q->stats.n_swaps_avoided += overtake(lane, e);
    e->place = choose_slot(lane, &e->item, &is_warm);
    e->state = ENTRY_RUNNING;
    e->started_us = now_us;
    if (e->place >= 0) {
        lane->slots[e->place] = (struct slot){.is_taken = true,
                                              .document = e->item.document,
                                              .head = e->item.head,
                                              .model = e->item.model,
                                              .used = ++q->n_starts};
    }
    lane->last_model = e->item.model;
    q->stats.n_started++;
    q->stats.n_kept_warm += is_warm && lane->is.has_slots;
    *out = (struct queue_order){.what = QUEUE_START,
                                .id = e->item.id,
                                .slot = lane->is.has_slots && lane->is.n_places > 1 ? e->place : -1,
                                .waited_us = now_us - e->arrived_us,
                                .is_beside = taken.n_all >= lane->is.n_places};
}

/* Background work whose place is needed: the newest, which has done least. */
static struct entry *to_stop(const struct lane *lane)
{
    struct entry *newest = NULL;
    bool is_needed = false, is_stopping = false;
    for (size_t i = 0; i < lane->n; i++) {
        struct entry *e = &lane->entries[i];
        bool is_wanted = e->state == ENTRY_WAITING && e->item.class != QUEUE_BACKGROUND;
        is_needed =
            is_needed || (is_wanted && !may_start(lane, &e->item) && could_start(lane, &e->item));
        is_stopping = is_stopping || e->state == ENTRY_STOPPING;
        if (e->state == ENTRY_RUNNING && e->item.class == QUEUE_BACKGROUND) {
            newest = e;
        }
    }
    return is_needed && !is_stopping ? newest : NULL;
}

bool queue_next(struct queue *q, uint64_t now_us, struct queue_order *out)
{
    for (size_t i = 0; i < q->n_lanes; i++) {
        struct lane *lane = q->lanes[i];
        struct entry *e = pick(lane, now_us);
        if (e != NULL) {
            start(q, lane, e, now_us, out);
            return true;
        }
        e = to_stop(lane);
        if (e != NULL) {
            e->state = ENTRY_STOPPING;
            q->stats.n_stopped++;
            *out = (struct queue_order){.what = QUEUE_STOP, .id = e->item.id, .slot = -1};
            return true;
        }
    }
    return false;
}

bool queue_late(struct queue *q, uint64_t now_us, uint64_t *id)
{
    for (size_t i = 0; i < q->n_lanes; i++) {
        struct lane *lane = q->lanes[i];
        for (size_t k = 0; k < lane->n; k++) {
            struct entry *e = &lane->entries[k];
            if (e->state == ENTRY_WAITING && now_us > latest_start_us(&e->item)) {
                *id = e->item.id;
                take_out(lane, e);
                q->stats.n_dropped++;
                return true;
            }
        }
    }
    return false;
}

uint64_t queue_next_us(const struct queue *q)
{
    uint64_t next_us = UINT64_MAX;
    for (size_t i = 0; i < q->n_lanes; i++) {
        for (size_t k = 0; k < q->lanes[i]->n; k++) {
            const struct entry *e = &q->lanes[i]->entries[k];
            uint64_t at_us = latest_start_us(&e->item);
            if (e->state == ENTRY_WAITING && at_us < next_us) {
                next_us = at_us;
            }
        }
    }
    return next_us == UINT64_MAX ? next_us : next_us + 1;
}

/* -- while it runs -- */

/* Text came for `e`: it is served beside those that began after it. */
static void learn_served(struct lane *lane, const struct entry *e)
{
    unsigned n_served = 1;
    for (size_t i = 0; i < lane->n; i++) {
        n_served += lane->entries[i].first_text > e->first_text;
    }
    if (n_served >= lane->is.n_places && n_served > 1) {
        unsigned more = n_served + 1;
        lane->is.n_places = more < lane->ceiling ? more : lane->ceiling;
    }
}

/* ... and one that was sent after it and hears nothing waits inside the server. */
static void learn_starved(struct lane *lane, const struct entry *e)
{
    unsigned n_heard = 0;
    bool is_starved = false;
    for (size_t i = 0; i < lane->n; i++) {
        struct entry *other = &lane->entries[i];
        n_heard += other->first_text > 0;
        if (other->state != ENTRY_WAITING && other->first_text == 0 &&
            other->started_us >= e->started_us) {
            is_starved = ++other->n_unheard == QUEUE_STARVED_AFTER || is_starved;
        }
    }
    if (is_starved) {
        lane->ceiling = n_heard < lane->ceiling ? n_heard : lane->ceiling;
        lane->is.n_places = lane->is.n_places < lane->ceiling ? lane->is.n_places : lane->ceiling;
    }
}

void queue_text(struct queue *q, uint64_t id)
{
    struct lane *lane;
    struct entry *e = find(q, id, &lane);
    if (e == NULL || e->state == ENTRY_WAITING) {
        return;
    }
    lane->n_pieces++;
    if (e->first_text == 0) {
        e->first_text = lane->n_pieces;
    }
    if (lane->is.is_learned) {
        learn_served(lane, e);
        learn_starved(lane, e);
    }
}

void queue_done(struct queue *q, uint64_t id, uint64_t now_us)
{
    (void)now_us;
    struct lane *lane;
    struct entry *e = find(q, id, &lane);
    if (e != NULL) {
        take_out(lane, e);
    }
}

void queue_raise(struct queue *q, uint64_t id, enum queue_class class, uint64_t deadline_us)
{
    struct lane *lane;
    struct entry *e = find(q, id, &lane);
    if (e == NULL) {
        return;
    }
    if (class < e->item.class) {
        e->item.class = class;
        e->state = e->state == ENTRY_STOPPING ? ENTRY_RUNNING : e->state;
    }
    e->item.deadline_us = deadline_us > e->item.deadline_us ? deadline_us : e->item.deadline_us;
}

struct queue_stats queue_stats(const struct queue *q)
{
    struct queue_stats s = q->stats;
    for (size_t i = 0; i < q->n_lanes; i++) {
        size_t n = n_waiting(q->lanes[i]);
        s.n_waiting += n;
        s.n_running += q->lanes[i]->n - n;
    }
    return s;
}
