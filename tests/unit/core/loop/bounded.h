/* bounded.h - running a loop until something is so, for tests; never longer than five seconds. */
#ifndef CRUCIBLE_TESTS_BOUNDED_H
#define CRUCIBLE_TESTS_BOUNDED_H

#include "core/base/clock.h"
#include "core/loop/loop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

struct bounded {
    struct loop *loop;
    struct loop_timer *tick;
    bool (*is_so)(void *user);
    void *user;
    uint64_t until_us;
    bool has_come;
};

static inline void bounded_on_tick(void *user)
{
    struct bounded *b = user;
    b->has_come = b->is_so(b->user);
    if (b->has_come || clock_now_us() >= b->until_us) {
        loop_stop(b->loop);
    } else {
        loop_timer_set(b->tick, clock_now_us() + MS_TO_US(1));
    }
}

/* Looks once a millisecond; gives whether it came to be. */
static inline bool run_until(struct loop *loop, bool (*is_so)(void *user), void *user)
{
    struct bounded b = {
        .loop = loop, .is_so = is_so, .user = user, .until_us = clock_now_us() + SEC_TO_US(5)};
    b.tick = loop_timer_create(loop, bounded_on_tick, &b);
    loop_timer_set(b.tick, clock_now_us());
    loop_run(loop);
    loop_timer_destroy(b.tick);
    return b.has_come;
}

static inline bool bounded_is_flag(void *user)
{
    return *(bool *)user;
}

static inline void wait_for(struct loop *loop, bool *flag)
{
    assert_true(run_until(loop, bounded_is_flag, flag));
}

static inline void bounded_on_turn(void *user)
{
    loop_stop(user);
}

static inline void run_turns(struct loop *loop, int n)
{
    for (int i = 0; i < n; i++) {
        loop_post(loop, bounded_on_turn, loop);
        loop_run(loop);
    }
}

#endif
