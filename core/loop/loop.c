/* loop.c - turns, and the queue of things to do before the next wait.
 *
 * Why      Callbacks that come from inside the call that started the work make every caller
 *          reentrant. A post moves them out, and still runs before the loop waits for anything.
 * How      One turn is: timers, then the prepare handle (posts, in order, then the bytes that
 *          streams collected), then the poll with the callbacks of descriptors and jobs, then the
 *          close callbacks. Posts made by posts run in the same turn up to a bound; what is left
 *          keeps the idle handle active, so that the next poll only looks and doesn't wait.
 * Rules    The process ignores SIGPIPE and SIGXFSZ: a reader that went away, or a file that may not
 *          grow any more, is an error of write(2).
 *          Posts that wait when the loop is destroyed are dropped: their owners are gone. */
#include "core/loop/internal.h"

#include <signal.h>

/* Posts made by posts that may run in one turn before descriptors get theirs. */
#define POSTS_MAX_EXTRA 1000u
#define POSTS_KEEP_CAP  1024u

static void on_prepare(uv_prepare_t *handle);
static void on_idle(uv_idle_t *handle);
static void drain_posts(struct loop *loop);

struct loop *loop_create(void)
{
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    struct loop *loop = xcalloc(1, sizeof *loop);
    ASSERT(uv_loop_init(&loop->uv) == 0);
    loop->uv.data = loop;
    ASSERT(uv_prepare_init(&loop->uv, &loop->prepare) == 0);
    ASSERT(uv_idle_init(&loop->uv, &loop->idle) == 0);
    ASSERT(uv_prepare_start(&loop->prepare, on_prepare) == 0);
    return loop;
}

void loop_destroy(struct loop *loop)
{
    if (!loop) {
        return;
    }
    ASSERT(loop->n_open == 0);
    uv_close((uv_handle_t *)&loop->prepare, NULL);
    uv_close((uv_handle_t *)&loop->idle, NULL);
    /* Returns when the last close callback has run and the last job has reported; the first call
     * may only take back a loop_stop that nobody was left to obey. */
    while (uv_run(&loop->uv, UV_RUN_DEFAULT) != 0) {
    }
    ASSERT(uv_loop_close(&loop->uv) == 0);
    xfree(loop->posts);
    xfree(loop->read_buffer);
    xfree(loop);
}

void loop_run(struct loop *loop)
{
    (void)uv_run(&loop->uv, UV_RUN_DEFAULT);
}

void loop_stop(struct loop *loop)
{
    uv_stop(&loop->uv);
}

void loop_post(struct loop *loop, loop_fn *fn, void *user)
{
    if (loop->n_posts == loop->posts_cap) {
        loop->posts_cap = loop->posts_cap ? loop->posts_cap * 2 : 16;
        loop->posts = xrealloc(loop->posts, loop->posts_cap * sizeof *loop->posts);
    }
    loop->posts[loop->n_posts++] = (struct loop_post_item){fn, user};
}

static void on_prepare(uv_prepare_t *handle)
{
    struct loop *loop = handle->loop->data;
    drain_posts(loop);
    streams_end_turn(loop);
    if (loop->n_posts > 0 || loop->dirty) {
        uv_idle_start(&loop->idle, on_idle);
    } else {
        uv_idle_stop(&loop->idle);
    }
}

/* Being active is all that the handle is for. */
static void on_idle(uv_idle_t *handle)
{
    (void)handle;
}

static void drain_posts(struct loop *loop)
{
    size_t bound = loop->n_posts + POSTS_MAX_EXTRA;
    while (loop->next_post < loop->n_posts && loop->next_post < bound) {
        struct loop_post_item item = loop->posts[loop->next_post++];
        item.fn(item.user);
    }
    size_t n_left = loop->n_posts - loop->next_post;
    if (n_left > 0) {
        memmove(loop->posts, loop->posts + loop->next_post, n_left * sizeof *loop->posts);
    } else if (loop->posts_cap > POSTS_KEEP_CAP) {
        xfree(loop->posts);
        loop->posts = NULL;
        loop->posts_cap = 0;
    }
    loop->n_posts = n_left;
    loop->next_post = 0;
}
