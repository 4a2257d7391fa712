/* clock.h - the two clocks. Machines with a policy take `now_us` as an argument; only the rim
 * reads a clock. Both in microseconds. */
#ifndef CRUCIBLE_BASE_CLOCK_H
#define CRUCIBLE_BASE_CLOCK_H

#include <stdint.h>

/* Monotonic, from an arbitrary point; stands still while the machine sleeps. */
uint64_t clock_now_us(void);
/* Since 1970, for what is stored on disk or shown to people; may jump. */
uint64_t clock_wall_us(void);

#define CLOCK_NEVER  UINT64_MAX /* "no deadline", later than everything */
#define MS_TO_US(ms) ((uint64_t)(ms)*1000u)
#define SEC_TO_US(s) ((uint64_t)(s)*1000000u)

#endif
