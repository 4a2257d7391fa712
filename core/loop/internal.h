/* internal.h - what the files of core/loop share; nobody else includes it. */
#ifndef CRUCIBLE_LOOP_INTERNAL_H
#define CRUCIBLE_LOOP_INTERNAL_H

#include "core/loop/loop.h"

#include <uv.h>

#define LOOP_READ_BYTES (64u * 1024u)

struct loop_post_item {
    loop_fn *fn;
    void *user;
};

struct loop {
    uv_loop_t uv;
    uv_prepare_t prepare; /* end of a turn: posts, then what streams collected */
    uv_idle_t idle;       /* active while something is left over: the poll doesn't wait then */
    struct loop_post_item *posts; /* owned; [next_post, n_posts) wait */
    size_t next_post, n_posts, posts_cap;
    struct loop_stream *dirty; /* streams with something to do at the end of this turn */
    char *read_buffer;         /* owned, LOOP_READ_BYTES, made by the first read */
    size_t n_open;             /* handles of others that aren't destroyed yet */
};

/* stream.c: writes what streams collected in this turn and delivers what is due. */
void streams_end_turn(struct loop *loop);

#endif
