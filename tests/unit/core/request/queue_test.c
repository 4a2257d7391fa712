/* queue_test.c - who goes next, one rule at a time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/base/memory.h"
#include "core/request/queue.h"

#define SEC 1000000u

static uint64_t now_us = 1000 * SEC;

static struct queue *queue_of(unsigned n_places)
{
    struct queue *q = queue_create();
    queue_describe(q, 1, &(struct queue_lane){.n_places = n_places, .has_slots = true});
    return q;
}

static struct queue_item item(uint64_t id, enum queue_class class)
{
    return (struct queue_item){
        .id = id, .endpoint = 1, .model = 7, .class = class, .deadline_us = UINT64_MAX};
}

static void add(struct queue *q, uint64_t id, enum queue_class class)
{
    struct queue_item it = item(id, class);
    assert_true(queue_add(q, &it, now_us));
}

/* What starts next; 0: nothing does. */
static uint64_t next(struct queue *q)
{
    struct queue_order order;
    if (!queue_next(q, now_us, &order)) {
        return 0;
    }
    assert_int_equal(order.what, QUEUE_START);
    return order.id;
}

static void done(struct queue *q, uint64_t id)
{
    queue_done(q, id, now_us);
}

static void typing_goes_newest_first_and_what_was_asked_for_oldest_first(void **state)
{
    (void)state;
    struct queue *q = queue_of(1);
    add(q, 1, QUEUE_TYPING);
    assert_int_equal(next(q), 1);
    add(q, 2, QUEUE_ASKED);
    add(q, 3, QUEUE_TYPING);
    add(q, 4, QUEUE_ASKED);
    add(q, 5, QUEUE_TYPING);
    assert_int_equal(next(q), 0);
    done(q, 1);
    assert_int_equal(next(q), 5);
    done(q, 5);
    assert_int_equal(next(q), 3);
    done(q, 3);
    assert_int_equal(next(q), 2);
    done(q, 2);
    assert_int_equal(next(q), 4);
    queue_destroy(q);
}

static void one_place_is_always_left_for_typing(void **state)
{
    (void)state;
    struct queue *q = queue_of(3);
    for (uint64_t id = 1; id <= 3; id++) {
        add(q, id, QUEUE_ASKED);
    }
    assert_int_equal(next(q), 1);
    assert_int_equal(next(q), 2);
    assert_int_equal(next(q), 0);
    add(q, 4, QUEUE_TYPING);
    assert_int_equal(next(q), 4);
    done(q, 1);
    assert_int_equal(next(q), 3);
    queue_destroy(q);
}

static void typing_goes_out_beside_an_action_in_a_single_place(void **state)
{
    (void)state;
    struct queue *q = queue_of(1);
    add(q, 1, QUEUE_ASKED);
    assert_int_equal(next(q), 1);
    add(q, 2, QUEUE_TYPING);
    struct queue_order order;
    assert_true(queue_next(q, now_us, &order));
    assert_int_equal(order.id, 2);
    assert_true(order.is_beside);
    add(q, 3, QUEUE_TYPING); /* one is enough */
    add(q, 4, QUEUE_ASKED);
    assert_int_equal(next(q), 0);
    done(q, 2);
    assert_int_equal(next(q), 3);
    done(q, 3);
    done(q, 1);
    assert_true(queue_next(q, now_us, &order));
    assert_int_equal(order.id, 4);
    assert_false(order.is_beside);
    queue_destroy(q);
}

static void who_takes_several_places_leaves_the_rest(void **state)
{
    (void)state;
    struct queue *q = queue_of(4);
    struct queue_item several = item(1, QUEUE_TYPING);
    several.n_places = 3;
    assert_true(queue_add(q, &several, now_us));
    assert_int_equal(next(q), 1);
    add(q, 2, QUEUE_ASKED);
    assert_int_equal(next(q), 2);
    add(q, 3, QUEUE_TYPING);
    assert_int_equal(next(q), 0);
    done(q, 1);
    assert_int_equal(next(q), 3);
    several.id = 4; /* however many are free: it is served in turn */
    assert_true(queue_add(q, &several, now_us));
    assert_int_equal(next(q), 4);
    add(q, 5, QUEUE_TYPING);
    assert_int_equal(next(q), 0);
    queue_destroy(q);
}

static void typing_waits_where_it_would_have_the_model_changed(void **state)
{
    (void)state;
    struct queue *q = queue_of(1);
    queue_describe(q, 1, &(struct queue_lane){.n_places = 1, .may_swap = true});
    add(q, 1, QUEUE_ASKED);
    assert_int_equal(next(q), 1);
    struct queue_item other = item(2, QUEUE_TYPING);
    other.model = 8;
    assert_true(queue_add(q, &other, now_us));
    assert_int_equal(next(q), 0);
    add(q, 3, QUEUE_TYPING); /* of the model that is there */
    assert_int_equal(next(q), 3);
    done(q, 1);
    done(q, 3);
    assert_int_equal(next(q), 2);
    queue_destroy(q);
}

static void model_at_work_goes_before_a_swap_until_somebody_is_overdue(void **state)
{
    (void)state;
    struct queue *q = queue_of(1);
    add(q, 1, QUEUE_ASKED);
    assert_int_equal(next(q), 1);
    struct queue_item other = item(2, QUEUE_ASKED);
    other.model = 8;
    assert_true(queue_add(q, &other, now_us));
    uint64_t id = 3;
    unsigned n_passes = 0;
    for (uint64_t running = 1; running != 2 && n_passes < 100; n_passes++) {
        add(q, id++, QUEUE_ASKED);
        done(q, running);
        running = next(q);
        assert_true(running != 0);
    }
    assert_int_equal(n_passes, QUEUE_MAX_PASSES + 1);
    assert_int_equal(queue_stats(q).n_swaps_avoided, QUEUE_MAX_PASSES);
    queue_destroy(q);
}

static void asked_for_is_overdue_after_a_while_of_typing(void **state)
{
    (void)state;
    struct queue *q = queue_of(1);
    add(q, 1, QUEUE_TYPING);
    assert_int_equal(next(q), 1);
    add(q, 2, QUEUE_ASKED);
    now_us += QUEUE_PATIENCE_US;
    add(q, 3, QUEUE_TYPING);
    done(q, 1);
    assert_int_equal(next(q), 2);
    queue_destroy(q);
}

static void background_takes_what_nobody_wants_and_gives_way(void **state)
{
    (void)state;
    struct queue *q = queue_of(2);
    struct queue_order order;
    add(q, 1, QUEUE_BACKGROUND);
    add(q, 2, QUEUE_BACKGROUND);
    assert_int_equal(next(q), 1);
    assert_int_equal(next(q), 0); /* the other place is kept for typing */
    add(q, 3, QUEUE_TYPING);
    assert_int_equal(next(q), 3);
    add(q, 4, QUEUE_TYPING);
    assert_true(queue_next(q, now_us, &order));
    assert_true(order.what == QUEUE_STOP && order.id == 1);
    assert_int_equal(next(q), 0); /* until it has */
    done(q, 1);
    assert_int_equal(next(q), 4);
    done(q, 3);
    done(q, 4);
    assert_int_equal(next(q), 2);
    assert_int_equal(queue_stats(q).n_stopped, 1);
    queue_destroy(q);
}

static void what_somebody_came_to_want_is_no_background(void **state)
{
    (void)state;
    struct queue *q = queue_of(1);
    struct queue_order order;
    add(q, 1, QUEUE_BACKGROUND);
    assert_int_equal(next(q), 1);
    queue_raise(q, 1, QUEUE_TYPING, 0);
    add(q, 2, QUEUE_TYPING);
    assert_false(queue_next(q, now_us, &order));
    queue_raise(q, 99, QUEUE_TYPING, 0); /* unknown */
    done(q, 1);
    assert_int_equal(next(q), 2);
    queue_destroy(q);
}

static void what_cannot_come_in_time_is_not_taken(void **state)
{
    (void)state;
    struct queue *q = queue_of(1);
    struct queue_item first = item(1, QUEUE_TYPING);
    first.takes_us = 6 * SEC;
    assert_true(queue_add(q, &first, now_us));
    assert_int_equal(next(q), 1);
    struct queue_item second = item(2, QUEUE_TYPING);
    second.deadline_us = now_us + 5 * SEC;
    second.first_us = SEC;
    assert_false(queue_would_take(q, &second, now_us));
    assert_false(queue_add(q, &second, now_us));
    assert_int_equal(queue_stats(q).n_dropped, 1);
    now_us += 2 * SEC; /* the one that runs is through in 4 s */
    second.deadline_us = now_us + 5 * SEC;
    assert_true(queue_add(q, &second, now_us));
    queue_destroy(q);
}

static void what_waited_too_long_is_given_up_unless_it_is_wanted_for_longer(void **state)
{
    (void)state;
    struct queue *q = queue_of(1);
    add(q, 1, QUEUE_TYPING);
    assert_int_equal(next(q), 1);
    struct queue_item second = item(2, QUEUE_TYPING);
    second.deadline_us = now_us + 5 * SEC;
    second.first_us = SEC;
    assert_true(queue_add(q, &second, now_us));
    second.id = 3;
    assert_true(queue_add(q, &second, now_us));
    queue_raise(q, 3, QUEUE_TYPING, now_us + 9 * SEC);
    assert_int_equal(queue_next_us(q), now_us + 4 * SEC + 1);
    uint64_t id;
    assert_false(queue_late(q, now_us + 4 * SEC, &id));
    now_us += 4 * SEC + 1;
    assert_true(queue_late(q, now_us, &id));
    assert_int_equal(id, 2);
    assert_false(queue_late(q, now_us, &id));
    done(q, 1);
    assert_int_equal(next(q), 3);
    assert_true(queue_next_us(q) == UINT64_MAX);
    queue_destroy(q);
}

static int slot_of_start(struct queue *q, uint64_t id, enum queue_class class, uint64_t document,
                         uint64_t head)
{
    struct queue_item it = item(id, class);
    it.document = document;
    it.head = head;
    struct queue_order order;
    assert_true(queue_add(q, &it, now_us));
    assert_true(queue_next(q, now_us, &order) && order.id == id);
    return order.slot;
}

static void document_stays_in_its_slot_and_others_keep_out(void **state)
{
    (void)state;
    struct queue *q = queue_of(2);
    int slot = slot_of_start(q, 1, QUEUE_TYPING, 5, 50);
    done(q, 1);
    int other = slot_of_start(q, 2, QUEUE_ASKED, 0, 60);
    assert_true(slot >= 0 && other >= 0 && slot != other);
    done(q, 2);
    for (uint64_t id = 3; id < 9; id++) {
        /* The window moved, so that the prompt begins in another way: it is still that document. */
        assert_int_equal(slot_of_start(q, id, QUEUE_TYPING, 5, id), slot);
        done(q, id);
        assert_int_equal(slot_of_start(q, id + 10, QUEUE_ASKED, 0, 60), other);
        done(q, id + 10);
    }
    assert_int_equal(queue_stats(q).n_kept_warm, 12);
    queue_describe(q, 1, &(struct queue_lane){.n_places = 1, .has_slots = true});
    assert_int_equal(slot_of_start(q, 30, QUEUE_TYPING, 5, 50), -1); /* nothing to choose from */
    queue_destroy(q);
}

static void prompt_that_a_slot_holds_goes_first_among_those_who_wait(void **state)
{
    (void)state;
    struct queue *q = queue_of(1);
    (void)slot_of_start(q, 1, QUEUE_ASKED, 0, 60);
    struct queue_item it = item(2, QUEUE_ASKED);
    it.head = 70;
    assert_true(queue_add(q, &it, now_us));
    it.id = 3;
    it.head = 60;
    assert_true(queue_add(q, &it, now_us));
    done(q, 1);
    assert_int_equal(next(q), 3);
    queue_destroy(q);
}

static struct queue *learning(void)
{
    struct queue *q = queue_create();
    queue_describe(q, 1, &(struct queue_lane){.n_places = 1, .is_learned = true});
    return q;
}

static void places_are_learned_from_text_that_comes_side_by_side(void **state)
{
    (void)state;
    struct queue *q = learning();
    add(q, 1, QUEUE_ASKED);
    assert_int_equal(next(q), 1);
    queue_text(q, 1);
    add(q, 2, QUEUE_TYPING);
    assert_int_equal(next(q), 2);
    queue_text(q, 2);
    assert_int_equal(queue_places(q, 1), 1);
    queue_text(q, 1); /* goes on while the other one has begun */
    assert_int_equal(queue_places(q, 1), 3);
    add(q, 3, QUEUE_ASKED);
    assert_int_equal(next(q), 3);
    queue_text(q, 3);
    queue_text(q, 1);
    assert_int_equal(queue_places(q, 1), QUEUE_LEARNED_MAX);
    /* The next look at the endpoint doesn't undo that. */
    queue_describe(q, 1, &(struct queue_lane){.n_places = 1, .is_learned = true});
    assert_int_equal(queue_places(q, 1), QUEUE_LEARNED_MAX);
    queue_destroy(q);
}

static void one_that_hears_nothing_beside_another_takes_no_place(void **state)
{
    (void)state;
    struct queue *q = learning();
    add(q, 1, QUEUE_ASKED);
    assert_int_equal(next(q), 1);
    queue_text(q, 1);
    add(q, 2, QUEUE_TYPING);
    assert_int_equal(next(q), 2);
    for (unsigned i = 0; i < QUEUE_STARVED_AFTER; i++) {
        queue_text(q, 1);
    }
    assert_int_equal(queue_places(q, 1), 1);
    done(q, 1);
    queue_text(q, 2);
    add(q, 3, QUEUE_ASKED);
    assert_int_equal(next(q), 0);
    done(q, 2);
    assert_int_equal(next(q), 3);
    /* Even what seems to come side by side: the server took turns before. */
    queue_text(q, 3);
    add(q, 4, QUEUE_TYPING);
    assert_int_equal(next(q), 4);
    queue_text(q, 4);
    queue_text(q, 3);
    assert_int_equal(queue_places(q, 1), 1);
    queue_destroy(q);
}

static void lanes_do_not_hinder_one_another(void **state)
{
    (void)state;
    struct queue *q = queue_of(1);
    queue_describe(q, 2, &(struct queue_lane){.n_places = 1});
    add(q, 1, QUEUE_TYPING);
    struct queue_item elsewhere = item(2, QUEUE_BACKGROUND);
    elsewhere.endpoint = 2;
    assert_true(queue_add(q, &elsewhere, now_us));
    assert_int_equal(next(q), 1);
    assert_int_equal(next(q), 2);
    struct queue_stats s = queue_stats(q);
    assert_true(s.n_running == 2 && s.n_waiting == 0 && s.n_added == 2 && s.n_started == 2);
    queue_destroy(q);
}

static void no_more_than_so_many_wait(void **state)
{
    (void)state;
    struct queue *q = queue_of(1);
    for (uint64_t id = 1; id <= QUEUE_MAX_WAITING; id++) {
        add(q, id, QUEUE_ASKED);
    }
    struct queue_item one_more = item(1000, QUEUE_ASKED);
    assert_false(queue_add(q, &one_more, now_us));
    done(q, 5); /* also one that waits */
    assert_true(queue_add(q, &one_more, now_us));
    queue_destroy(q);
    queue_destroy(NULL);
}

/* Endpoints come and go, and what was known of them goes as well. */
static void lanes_of_endpoints_that_have_gone_are_used_again(void **state)
{
    (void)state;
    struct queue *q = queue_of(2);
    for (uint64_t endpoint = 2; endpoint < 200; endpoint++) {
        queue_describe(q, endpoint, &(struct queue_lane){.n_places = 3});
    }
    assert_int_equal(queue_places(q, 199), 3);
    assert_int_equal(queue_places(q, 1), 0);
    queue_destroy(q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(typing_goes_newest_first_and_what_was_asked_for_oldest_first),
        cmocka_unit_test(one_place_is_always_left_for_typing),
        cmocka_unit_test(typing_goes_out_beside_an_action_in_a_single_place),
        cmocka_unit_test(who_takes_several_places_leaves_the_rest),
        cmocka_unit_test(typing_waits_where_it_would_have_the_model_changed),
        cmocka_unit_test(model_at_work_goes_before_a_swap_until_somebody_is_overdue),
        cmocka_unit_test(asked_for_is_overdue_after_a_while_of_typing),
        cmocka_unit_test(background_takes_what_nobody_wants_and_gives_way),
        cmocka_unit_test(what_somebody_came_to_want_is_no_background),
        cmocka_unit_test(what_cannot_come_in_time_is_not_taken),
        cmocka_unit_test(what_waited_too_long_is_given_up_unless_it_is_wanted_for_longer),
        cmocka_unit_test(document_stays_in_its_slot_and_others_keep_out),
        cmocka_unit_test(prompt_that_a_slot_holds_goes_first_among_those_who_wait),
        cmocka_unit_test(places_are_learned_from_text_that_comes_side_by_side),
        cmocka_unit_test(one_that_hears_nothing_beside_another_takes_no_place),
        cmocka_unit_test(lanes_do_not_hinder_one_another),
        cmocka_unit_test(no_more_than_so_many_wait),
        cmocka_unit_test(lanes_of_endpoints_that_have_gone_are_used_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
