/* clock.c - the two clocks. */
#include "core/base/clock.h"

#include <time.h>

static uint64_t read_us(clockid_t clock)
{
    struct timespec now;
    if (clock_gettime(clock, &now) != 0) {
        return 0; /* only for a clock that this system doesn't have */
    }
    return SEC_TO_US(now.tv_sec) + (uint64_t)now.tv_nsec / 1000u;
}

uint64_t clock_now_us(void)
{
    return read_us(CLOCK_MONOTONIC);
}

uint64_t clock_wall_us(void)
{
    return read_us(CLOCK_REALTIME);
}
