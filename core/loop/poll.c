/* poll.c - telling the owner of a descriptor when it can be read or written. */
#include "core/loop/internal.h"

struct loop_poll {
    struct loop *loop;
    uv_poll_t uv;
    loop_poll_fn *fn;
    void *user;
    int events;  /* asked for */
    int watched; /* as libuv was told */
};

static void on_ready(uv_poll_t *handle, int status, int events);
static void on_closed(uv_handle_t *handle);

struct loop_poll *loop_poll_create(struct loop *loop, int fd, loop_poll_fn *fn, void *user)
{
    struct loop_poll *p = xcalloc(1, sizeof *p);
    p->loop = loop;
    p->fn = fn;
    p->user = user;
    if (uv_poll_init(&loop->uv, &p->uv, fd) != 0) {
        xfree(p);
        return NULL;
    }
    loop->n_open++;
    return p;
}

void loop_poll_set(struct loop_poll *p, int events)
{
    p->events = events;
    int wanted =
        (events & LOOP_READABLE ? UV_READABLE : 0) | (events & LOOP_WRITABLE ? UV_WRITABLE : 0);
    if (wanted == p->watched) {
        return;
    }
    p->watched = wanted;
    if (wanted == 0) {
        uv_poll_stop(&p->uv);
    } else {
        (void)uv_poll_start(&p->uv, wanted, on_ready);
    }
}

void loop_poll_destroy(struct loop_poll *p)
{
    if (!p) {
        return;
    }
    p->loop->n_open--;
    uv_close((uv_handle_t *)&p->uv, on_closed);
}

static void on_ready(uv_poll_t *handle, int status, int events)
{
    struct loop_poll *p = container_of(handle, struct loop_poll, uv);
    int ready =
        (events & UV_READABLE ? LOOP_READABLE : 0) | (events & UV_WRITABLE ? LOOP_WRITABLE : 0);
    /* With an error libuv has stopped the handle; what was asked for is tried once, the read or
     * write then says what is wrong. */
    if (status < 0) {
        p->watched = 0;
    }
    p->fn(status < 0 ? p->events : ready, status < 0, p->user);
}

static void on_closed(uv_handle_t *handle)
{
    xfree(container_of(handle, struct loop_poll, uv));
}
