/* hedge.c - a second call where the first is late, within a budget of one in twenty. */
#include "core/upstream/hedge.h"

#include "core/base/clock.h"
#include "core/base/memory.h"

#define HEDGE_MIN_US MS_TO_US(150)
#define SAVED_MAX    (2 * HEDGE_EVERY)

void hedge_earn(struct hedge *h)
{
    h->n_earned += h->n_earned < SAVED_MAX;
}

uint64_t hedge_due_us(const struct hedge *h, const struct hedge_call *call)
{
    bool may = call->is_enabled && call->is_inline && call->has_other && !call->has_text &&
               call->late_us > 0 && h->n_earned >= HEDGE_EVERY;
    uint64_t after_us = call->late_us > HEDGE_MIN_US ? call->late_us : HEDGE_MIN_US;
    return may ? call->sent_us + after_us : CLOCK_NEVER;
}

void hedge_spend(struct hedge *h)
{
    ASSERT(h->n_earned >= HEDGE_EVERY);
    h->n_earned -= HEDGE_EVERY;
    h->n_sent++;
}
