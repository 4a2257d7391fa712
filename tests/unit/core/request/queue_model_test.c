/* queue_model_test.c - random traffic against a naive reference.
 *
 * Items of every class come and go in three lanes: one place whose server may change models, four
 * slots that become fewer and more again, two places. The reference keeps every item that ever was
 * and finds who is next by throwing out, rule after rule, whoever isn't. Checked at each step:
 *   - who starts, who is told to stop, who is too late, and whether one is taken at all;
 *   - no more run than there are places, but for typing beside one action in a single one;
 *   - nobody is overtaken more than QUEUE_MAX_PASSES times, and slots are never shared;
 *   - each item ends exactly once.
 * SEED and ITERATIONS come from the environment. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/base/memory.h"
#include "core/request/queue.h"
#include "tests/unit/core/upstream/chance.h"

#define N_LANES   3u
#define MAX_ITEMS 20u
#define MAX_SLOTS 8u

enum known_state { GONE, WAITS, RUNS, STOPS };

struct known { /* an item, in the order of arrival */
    struct queue_item item;
    enum known_state state;
    uint64_t arrived_us, started_us;
    unsigned n_passes;
    int slot;
};

struct known_slot {
    uint64_t document, head, model;
};

static struct {
    struct queue *q;
    struct queue_lane lanes[N_LANES];
    struct known_slot slots[N_LANES][MAX_SLOTS];
    uint64_t last_model[N_LANES];
    struct known items[MAX_ITEMS];
    size_t n;
    uint64_t now_us, last_id;
    uint64_t n_came, n_ended, n_started, n_stopped, n_late, n_refused, n_beside, n_overdue;
} w;

/* -- the reference -- */

static unsigned count(size_t lane, enum queue_class class)
{
    unsigned n = 0;
    for (size_t i = 0; i < w.n; i++) {
        const struct known *k = &w.items[i];
        n += k->item.endpoint == lane + 1 && k->state >= RUNS && k->item.class == class;
    }
    return n;
}

static bool runs_other_model(size_t lane, uint64_t model)
{
    for (size_t i = 0; i < w.n; i++) {
        const struct known *k = &w.items[i];
        if (k->item.endpoint == lane + 1 && k->state >= RUNS && k->item.model != model) {
            return true;
        }
    }
    return false;
}

static bool somebody_waits(size_t lane)
{
    for (size_t i = 0; i < w.n; i++) {
        const struct known *k = &w.items[i];
        if (k->item.endpoint == lane + 1 && k->state == WAITS &&
            k->item.class != QUEUE_BACKGROUND) {
            return true;
        }
    }
    return false;
}

/* Whether it fits beside so many of each class. */
static bool has_room(const struct queue_item *it, unsigned typing, unsigned asked, unsigned back)
{
    size_t lane = (size_t)it->endpoint - 1;
    unsigned n = w.lanes[lane].n_places;
    unsigned all = typing + asked + back;
    if (it->class == QUEUE_TYPING) {
        bool would_swap = w.lanes[lane].may_swap && runs_other_model(lane, it->model);
        return all < n || (n == 1 && asked == 1 && all == 1 && !would_swap);
    }
    return all < n && (n == 1 || asked + back + 1 < n);
}

static bool can_start(const struct queue_item *it)
{
    size_t lane = (size_t)it->endpoint - 1;
    if (it->class == QUEUE_BACKGROUND && somebody_waits(lane)) {
        return false;
    }
    return has_room(it, count(lane, QUEUE_TYPING), count(lane, QUEUE_ASKED),
                    count(lane, QUEUE_BACKGROUND));
}

static bool could_start(const struct queue_item *it)
{
    size_t lane = (size_t)it->endpoint - 1;
    unsigned back = it->class == QUEUE_BACKGROUND ? count(lane, QUEUE_BACKGROUND) : 0;
    return has_room(it, count(lane, QUEUE_TYPING), count(lane, QUEUE_ASKED), back);
}

static bool is_overdue(const struct known *k)
{
    return k->item.class != QUEUE_BACKGROUND &&
           (k->n_passes >= QUEUE_MAX_PASSES ||
            (k->item.class == QUEUE_ASKED && w.now_us - k->arrived_us >= QUEUE_PATIENCE_US));
}

static bool has_model_at_work(const struct known *k)
{
    size_t lane = (size_t)k->item.endpoint - 1;
    bool is_idle = true;
    for (size_t i = 0; i < w.n; i++) {
        const struct known *other = &w.items[i];
        if (other->item.endpoint == lane + 1 && other->state >= RUNS) {
            is_idle = false;
            if (other->item.model == k->item.model) {
                return true;
            }
        }
    }
    return is_idle && (w.last_model[lane] == 0 || w.last_model[lane] == k->item.model);
}

static bool is_slot_free(size_t lane, int slot)
{
    for (size_t i = 0; i < w.n; i++) {
        const struct known *k = &w.items[i];
        if (k->item.endpoint == lane + 1 && k->state >= RUNS && k->slot == slot) {
            return false;
        }
    }
    return true;
}

static bool is_head_held(const struct known *k)
{
    size_t lane = (size_t)k->item.endpoint - 1;
    for (unsigned i = 0; i < w.lanes[lane].n_places && k->item.head != 0; i++) {
        const struct known_slot *s = &w.slots[lane][i];
        if (s->head == k->item.head && s->model == k->item.model && is_slot_free(lane, (int)i)) {
            return true;
        }
    }
    return false;
}

/* Strikes out those for whom the fact doesn't hold, where it holds for any. */
static void keep_those(bool *in, bool (*fact)(const struct known *k))
{
    bool any = false;
    for (size_t i = 0; i < w.n; i++) {
        any = any || (in[i] && fact(&w.items[i]));
    }
    for (size_t i = 0; any && i < w.n; i++) {
        in[i] = in[i] && fact(&w.items[i]);
    }
}

static bool is_typing(const struct known *k)
{
    return k->item.class == QUEUE_TYPING;
}

static bool is_asked(const struct known *k)
{
    return k->item.class == QUEUE_ASKED;
}

static bool is_held_in_order_of_age(const struct known *k)
{
    return k->item.class != QUEUE_TYPING && is_head_held(k);
}

/* Who is next in the lane; NULL: nobody may start. */
static struct known *who_is_next(size_t lane)
{
    bool in[MAX_ITEMS] = {false};
    bool any_overdue = false;
    for (size_t i = 0; i < w.n; i++) {
        const struct known *k = &w.items[i];
        in[i] = k->item.endpoint == lane + 1 && k->state == WAITS && can_start(&k->item);
        any_overdue = any_overdue || (in[i] && is_overdue(k));
    }
    if (any_overdue) {
        keep_those(in, is_overdue);
    } else {
        keep_those(in, is_typing);
        keep_those(in, is_asked); /* of others than typing */
        keep_those(in, has_model_at_work);
        keep_those(in, is_held_in_order_of_age);
    }
    struct known *oldest = NULL, *newest = NULL;
    for (size_t i = 0; i < w.n; i++) {
        if (in[i]) {
            oldest = oldest == NULL ? &w.items[i] : oldest;
            newest = &w.items[i];
        }
    }
    return newest != NULL && newest->item.class == QUEUE_TYPING && !any_overdue ? newest : oldest;
}

/* Which background work has to go; NULL: none. */
static struct known *who_gives_way(size_t lane)
{
    struct known *newest = NULL;
    bool is_needed = false;
    for (size_t i = 0; i < w.n; i++) {
        struct known *k = &w.items[i];
        if (k->item.endpoint != lane + 1) {
            continue;
        }
        if (k->state == STOPS) {
            return NULL;
        }
        is_needed = is_needed || (k->state == WAITS && k->item.class != QUEUE_BACKGROUND &&
                                  !can_start(&k->item) && could_start(&k->item));
        newest = k->state == RUNS && k->item.class == QUEUE_BACKGROUND ? k : newest;
    }
    return is_needed ? newest : NULL;
}

static uint64_t must_start_by(const struct queue_item *it)
{
    return it->deadline_us == UINT64_MAX ? UINT64_MAX : it->deadline_us - it->first_us;
}

static bool is_in_time(const struct queue_item *it)
{
    uint64_t from_us = UINT64_MAX;
    for (size_t i = 0; i < w.n; i++) {
        const struct known *k = &w.items[i];
        if (k->item.endpoint == it->endpoint && k->state >= RUNS) {
            uint64_t end_us = k->started_us + k->item.takes_us;
            end_us = end_us > w.now_us ? end_us : w.now_us;
            from_us = end_us < from_us ? end_us : from_us;
        }
    }
    from_us = could_start(it) || from_us == UINT64_MAX ? w.now_us : from_us;
    return from_us <= must_start_by(it);
}

static struct known *known_of(uint64_t id)
{
    for (size_t i = 0; i < w.n; i++) {
        if (w.items[i].item.id == id) {
            return &w.items[i];
        }
    }
    fail_msg("item %llu isn't there", (unsigned long long)id);
    return NULL;
}

static void forget(struct known *k)
{
    size_t at = (size_t)(k - w.items);
    for (size_t i = at + 1; i < w.n; i++) {
        w.items[i - 1] = w.items[i];
    }
    w.n--;
    w.n_ended++;
}

/* -- what is checked -- */

static void check_places(size_t lane)
{
    unsigned typing = count(lane, QUEUE_TYPING), asked = count(lane, QUEUE_ASKED);
    unsigned back = count(lane, QUEUE_BACKGROUND), n = w.lanes[lane].n_places;
    bool is_beside = n == 1 && typing == 1 && asked == 1 && back == 0;
    assert_true(typing + asked + back <= n || is_beside);
    assert_true(n == 1 || asked + back < n);
    w.n_beside += is_beside;
}

static void check_slot(const struct known *k, const struct queue_order *order)
{
    size_t lane = (size_t)k->item.endpoint - 1;
    if (!w.lanes[lane].has_slots || w.lanes[lane].n_places == 1) {
        assert_int_equal(order->slot, -1);
        return;
    }
    assert_true(order->slot >= 0 && (unsigned)order->slot < w.lanes[lane].n_places);
    assert_true(is_slot_free(lane, order->slot));
    bool is_kept = false; /* for this document, a slot that is free */
    for (unsigned i = 0; i < w.lanes[lane].n_places; i++) {
        is_kept =
            is_kept || (w.slots[lane][i].document == k->item.document &&
                        w.slots[lane][i].model == k->item.model && is_slot_free(lane, (int)i));
    }
    if (k->item.document != 0 && is_kept) {
        assert_int_equal(w.slots[lane][order->slot].document, k->item.document);
    }
}

static void take_start(struct known *k, const struct queue_order *order)
{
    size_t lane = (size_t)k->item.endpoint - 1;
    assert_int_equal(order->waited_us, w.now_us - k->arrived_us);
    check_slot(k, order);
    for (struct known *other = w.items; other < k; other++) { /* who came before it */
        if (other->item.endpoint == lane + 1 && other->state == WAITS && can_start(&other->item)) {
            other->n_passes++;
            assert_true(other->item.class == QUEUE_BACKGROUND ||
                        other->n_passes <= QUEUE_MAX_PASSES);
        }
    }
    w.n_overdue += is_overdue(k);
    bool fits =
        count(lane, QUEUE_TYPING) + count(lane, QUEUE_ASKED) + count(lane, QUEUE_BACKGROUND) <
        w.lanes[lane].n_places;
    k->state = RUNS;
    k->started_us = w.now_us;
    k->slot = w.lanes[lane].n_places == 1 ? (fits ? 0 : -1) : order->slot;
    if (k->slot >= 0) {
        w.slots[lane][k->slot] = (struct known_slot){k->item.document, k->item.head, k->item.model};
    }
    w.last_model[lane] = k->item.model;
    w.n_started++;
    check_places(lane);
}

static void follow_orders(unsigned most)
{
    for (unsigned n = 0; n < most; n++) {
        struct known *start = NULL, *stop = NULL;
        for (size_t lane = 0; lane < N_LANES && start == NULL && stop == NULL; lane++) {
            start = who_is_next(lane);
            stop = start == NULL ? who_gives_way(lane) : NULL;
        }
        struct queue_order order;
        bool is_given = queue_next(w.q, w.now_us, &order);
        assert_int_equal(is_given, start != NULL || stop != NULL);
        if (!is_given) {
            return;
        }
        if (start != NULL) {
            assert_int_equal(order.what, QUEUE_START);
            assert_int_equal(order.id, start->item.id);
            take_start(start, &order);
        } else {
            assert_int_equal(order.what, QUEUE_STOP);
            assert_int_equal(order.id, stop->item.id);
            stop->state = STOPS;
            w.n_stopped++;
        }
    }
}

/* -- what happens -- */

static void come(void)
{
    size_t lane = (size_t)chance_below(N_LANES);
    uint64_t dice = chance_below(10);
    struct queue_item it = {.id = ++w.last_id,
                            .endpoint = lane + 1,
                            .model = 1 + chance_below(2),
                            .class = dice < 5   ? QUEUE_TYPING
                                     : dice < 8 ? QUEUE_ASKED
                                                : QUEUE_BACKGROUND,
                            .takes_us = chance_below(4000000),
                            .deadline_us = UINT64_MAX};
    if (it.class == QUEUE_TYPING) {
        it.document = 1 + chance_below(3);
        it.first_us = chance_below(500000);
        it.deadline_us = w.now_us + 500000 + chance_below(4500000);
    }
    it.head =
        lane < 2 ? chance_below(4) : 0; /* where slots aren't told nobody sees who holds what */
    bool is_taken = is_in_time(&it);
    assert_int_equal(queue_would_take(w.q, &it, w.now_us), is_taken);
    assert_int_equal(queue_add(w.q, &it, w.now_us), is_taken);
    w.n_refused += !is_taken;
    if (is_taken) {
        w.items[w.n++] =
            (struct known){.item = it, .state = WAITS, .arrived_us = w.now_us, .slot = -1};
        w.n_came++;
    }
}

static void go(void)
{
    if (w.n == 0) {
        return;
    }
    struct known *k = &w.items[chance_below(w.n)];
    if (k->state == WAITS && chance_below(4) > 0) {
        return; /* those who run end more often than others give up */
    }
    queue_done(w.q, k->item.id, w.now_us);
    queue_done(w.q, k->item.id, w.now_us); /* once more does nothing */
    forget(k);
}

static void raise_one(void)
{
    if (w.n > 0) {
        struct known *k = &w.items[chance_below(w.n)];
        uint64_t deadline_us = w.now_us + chance_below(5000000) + k->item.first_us;
        queue_raise(w.q, k->item.id, QUEUE_TYPING, deadline_us);
        if (k->item.class != QUEUE_TYPING) {
            k->item.class = QUEUE_TYPING;
            k->state = k->state == STOPS ? RUNS : k->state;
        }
        k->item.deadline_us = deadline_us > k->item.deadline_us ? deadline_us : k->item.deadline_us;
    }
}

static void pass_time(void)
{
    w.now_us += chance_below(20) == 0 ? chance_below(12000000) : chance_below(200000);
    uint64_t next_us = UINT64_MAX, id;
    for (size_t i = 0; i < w.n; i++) {
        uint64_t at_us = must_start_by(&w.items[i].item);
        if (w.items[i].state == WAITS && at_us < next_us) {
            next_us = at_us;
        }
    }
    assert_true(queue_next_us(w.q) == (next_us == UINT64_MAX ? next_us : next_us + 1));
    while (queue_late(w.q, w.now_us, &id)) {
        struct known *k = known_of(id);
        assert_int_equal(k->state, WAITS);
        assert_true(must_start_by(&k->item) < w.now_us);
        forget(k);
        w.n_late++;
    }
    for (size_t i = 0; i < w.n; i++) {
        assert_true(w.items[i].state != WAITS || must_start_by(&w.items[i].item) >= w.now_us);
    }
}

/* The second lane's server is started anew, with another number of slots: nothing is under way. */
static void change_lane(void)
{
    for (size_t i = w.n; i-- > 0;) {
        if (w.items[i].item.endpoint == 2) {
            queue_done(w.q, w.items[i].item.id, w.now_us);
            forget(&w.items[i]);
        }
    }
    w.lanes[1].n_places = 1 + (unsigned)chance_below(4);
    queue_describe(w.q, 2, &w.lanes[1]);
}

static void step(void)
{
    uint64_t dice = chance_below(1000);
    if (dice < 380 && w.n < MAX_ITEMS) {
        come();
    } else if (dice < 800) {
        go();
    } else if (dice < 950) {
        pass_time();
    } else if (dice < 999) {
        raise_one();
    } else {
        change_lane();
    }
    follow_orders(chance_below(3) == 0 ? 1 : MAX_ITEMS); /* the caller may be slow */
}

static void queue_agrees_with_the_reference(void **state)
{
    (void)state;
    uint64_t n = chance_begin();
    w.q = queue_create();
    w.now_us = 1000000;
    w.lanes[0] = (struct queue_lane){.n_places = 1, .may_swap = true};
    w.lanes[1] = (struct queue_lane){.n_places = 4, .has_slots = true};
    w.lanes[2] = (struct queue_lane){.n_places = 2};
    for (size_t i = 0; i < N_LANES; i++) {
        queue_describe(w.q, i + 1, &w.lanes[i]);
    }
    for (uint64_t i = 0; i < n; i++) {
        step();
    }
    struct queue_stats s = queue_stats(w.q);
    assert_int_equal(s.n_added, w.n_came);
    assert_int_equal(s.n_started, w.n_started);
    assert_int_equal(s.n_stopped, w.n_stopped);
    assert_int_equal(s.n_dropped, w.n_late + w.n_refused);
    assert_int_equal(s.n_waiting + s.n_running, w.n);
    assert_int_equal(w.n_came, w.n_ended + w.n);
    /* Each of what this is about did happen. */
    assert_true(w.n_stopped > 0 && w.n_late > 0 && w.n_refused > 0 && w.n_beside > 0 &&
                w.n_overdue > 0 && s.n_swaps_avoided > 0 && s.n_kept_warm > 0);
    queue_destroy(w.q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(queue_agrees_with_the_reference)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
