/* chance.h - random events for tests of the policy machines, from a seed that is printed.
 *
 * SEED=n repeats a run; ITERATIONS=n asks for more or fewer events than the default: a million,
 * or a tenth of that under a sanitizer. */
#ifndef CRUCIBLE_TESTS_UPSTREAM_CHANCE_H
#define CRUCIBLE_TESTS_UPSTREAM_CHANCE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "core/base/clock.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CHANCE_ITERATIONS 100000u
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define CHANCE_ITERATIONS 100000u
#endif
#endif
#ifndef CHANCE_ITERATIONS
#define CHANCE_ITERATIONS 1000000u
#endif

static uint64_t chance_state;

static inline uint64_t chance_next(void) /* splitmix64, Steele et al. 2014 */
{
    uint64_t z = (chance_state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* 0 .. n - 1 */
static inline uint64_t chance_below(uint64_t n)
{
    return chance_next() % n;
}

/* In [0, 1). */
static inline double chance_dice(void)
{
    return (double)(chance_next() >> 11) / 9007199254740992.0;
}

/* Seeds, says with what, and gives how many events there are to be. */
static inline uint64_t chance_begin(void)
{
    const char *seed = getenv("SEED"), *n = getenv("ITERATIONS");
    chance_state = seed ? strtoull(seed, NULL, 10) : clock_wall_us();
    uint64_t n_events = n ? strtoull(n, NULL, 10) : CHANCE_ITERATIONS;
    print_message("SEED=%llu ITERATIONS=%llu\n", (unsigned long long)chance_state,
                  (unsigned long long)n_events);
    return n_events;
}

#endif
