/* timer.c - calling back at a time.
 *
 * How      libuv counts whole milliseconds from the time at which it last looked at its clock.
 *          Delays are rounded up and measured from now; a timer that still comes a fraction of a
 *          millisecond early waits once more, so that nobody sees a time before the one asked for.
 */
#include "core/loop/internal.h"

#include "core/base/clock.h"

struct loop_timer {
    struct loop *loop;
    uv_timer_t uv;
    loop_fn *fn;
    void *user;
    uint64_t at_us; /* armed for; CLOCK_NEVER otherwise */
};

static void on_timeout(uv_timer_t *handle);
static void on_closed(uv_handle_t *handle);

struct loop_timer *loop_timer_create(struct loop *loop, loop_fn *fn, void *user)
{
    struct loop_timer *t = xcalloc(1, sizeof *t);
    t->loop = loop;
    t->fn = fn;
    t->user = user;
    t->at_us = CLOCK_NEVER;
    ASSERT(uv_timer_init(&loop->uv, &t->uv) == 0);
    loop->n_open++;
    return t;
}

void loop_timer_destroy(struct loop_timer *t)
{
    if (!t) {
        return;
    }
    t->loop->n_open--;
    uv_close((uv_handle_t *)&t->uv, on_closed);
}

void loop_timer_set(struct loop_timer *t, uint64_t at_us)
{
    t->at_us = at_us;
    if (at_us == CLOCK_NEVER) {
        uv_timer_stop(&t->uv);
        return;
    }
    uint64_t now_us = clock_now_us();
    uint64_t delay_us = at_us > now_us ? at_us - now_us : 0;
    uv_update_time(&t->loop->uv);
    uv_timer_start(&t->uv, on_timeout, delay_us / 1000 + (delay_us % 1000 != 0), 0);
}

static void on_timeout(uv_timer_t *handle)
{
    struct loop_timer *t = container_of(handle, struct loop_timer, uv);
    if (clock_now_us() < t->at_us) {
        loop_timer_set(t, t->at_us);
        return;
    }
    t->at_us = CLOCK_NEVER;
    t->fn(t->user);
}

static void on_closed(uv_handle_t *handle)
{
    xfree(container_of(handle, struct loop_timer, uv));
}
