/* world.h - the clock, the loop and the endpoints of a world that stands still until it is told.
 *
 * Tests of the engine and the replay of typing (tests/bench/traffic) move time themselves. This
 * defines what the engine links against but for its exchanges and the predictor, which whoever
 * includes it scripts in their own way; so each program includes it once. WORLD_FIELDS, if defined
 * before, is what they keep in `world` beside. */
#ifndef CRUCIBLE_TESTS_WORLD_H
#define CRUCIBLE_TESTS_WORLD_H

#include <string.h>

#include "core/base/clock.h"
#include "core/base/limits.h"
#include "core/engine.h"

#ifndef WORLD_FIELDS
#define WORLD_FIELDS
#endif
#define MAX_POSTS 64

struct loop {
    int unused;
};
struct loop_timer {
    loop_fn *fn;
    void *user;
    uint64_t at_us;
};
struct upstream {
    int unused;
};

static struct {
    uint64_t now_us;
    loop_fn *post_fn[MAX_POSTS];
    void *post_user[MAX_POSTS];
    size_t n_posts;
    struct loop_timer timer;      /* the engine has one */
    struct endpoint endpoints[4]; /* a model's, the predictor's, and spare ones */
    bool has_spare, has_third;
    struct model_info model;
    bool is_doubtful; /* the model hasn't been heard of for long */
    unsigned n_loads, n_refreshes, n_warmed;
    uint64_t trial_us; /* when a call that fails now is worth a try */
    uint64_t late_us;  /* what 95 of 100 answers take to begin at most; 0: unknown */
    unsigned n_texts;  /* that the model's server writes at once; 0: one */
    uint64_t failing;  /* id of an endpoint that would refuse; 0: none */
    WORLD_FIELDS
} world;

uint64_t clock_now_us(void)
{
    return world.now_us;
}

uint64_t clock_wall_us(void)
{
    return world.now_us;
}

void loop_post(struct loop *loop, loop_fn *fn, void *user)
{
    (void)loop;
    ASSERT(world.n_posts < MAX_POSTS);
    world.post_fn[world.n_posts] = fn;
    world.post_user[world.n_posts++] = user;
}

struct loop_timer *loop_timer_create(struct loop *loop, loop_fn *fn, void *user)
{
    (void)loop;
    world.timer = (struct loop_timer){.fn = fn, .user = user, .at_us = CLOCK_NEVER};
    return &world.timer;
}

void loop_timer_destroy(struct loop_timer *t)
{
    t->at_us = CLOCK_NEVER;
}

void loop_timer_set(struct loop_timer *t, uint64_t at_us)
{
    t->at_us = at_us;
}

/* One turn: everything posted, also what is posted meanwhile. */
static inline void turn(void)
{
    for (size_t i = 0; i < world.n_posts; i++) {
        world.post_fn[i](world.post_user[i]);
    }
    world.n_posts = 0;
}

/* The engine's timer has come: time goes on to it, and it fires. */
static inline void ring(void)
{
    world.now_us = world.timer.at_us > world.now_us ? world.timer.at_us : world.now_us;
    world.timer.at_us = CLOCK_NEVER;
    world.timer.fn(world.timer.user);
    turn();
}

static inline void pass(uint64_t ms)
{
    uint64_t until_us = world.now_us + MS_TO_US(ms);
    turn();
    while (world.timer.at_us <= until_us) {
        ring();
    }
    world.now_us = until_us;
}

static const struct provider_ops model_ops = {.kind = "scripted", .max_stops = SIZE_MAX};
static const struct provider_ops own_ops = {.kind = "embedded",
                                            .capabilities = PROVIDER_IN_PROCESS};

/* Forgets everything; then a model that is loaded, `sim/m`, and the predictor. */
static inline void world_begin(void)
{
    memset(&world, 0, sizeof(world));
    world.now_us = SEC_TO_US(100);
    world.model = (struct model_info){
        .id = STR("m"), .name = STR("m"), .abilities = MODEL_INFILL, .is_loaded = true};
    world.endpoints[0] = (struct endpoint){.idx = 0,
                                           .id = 1,
                                           .name = STR("sim"),
                                           .ops = &model_ops,
                                           .state = ENDPOINT_READY,
                                           .models = &world.model,
                                           .n_models = 1,
                                           .loading = -1};
    world.endpoints[1] = (struct endpoint){
        .idx = 1, .id = 2, .name = STR("embedded"), .ops = &own_ops, .state = ENDPOINT_READY};
}

const char *endpoint_state_name(enum endpoint_state state)
{
    return state == ENDPOINT_DOWN ? "down" : "other";
}

size_t upstream_count(const struct upstream *u)
{
    (void)u;
    return world.has_third ? 4 : world.has_spare ? 3 : 2;
}

const struct endpoint *upstream_endpoint(const struct upstream *u, size_t idx)
{
    (void)u;
    return &world.endpoints[idx];
}

const struct endpoint *upstream_find(const struct upstream *u, uint64_t id)
{
    return id >= 1 && id <= upstream_count(u) ? &world.endpoints[id - 1] : NULL;
}

const char *upstream_start_hint(const struct upstream *u)
{
    (void)u;
    return "start-it";
}

bool upstream_would_admit(const struct upstream *u, uint64_t endpoint, str model)
{
    (void)u;
    (void)model;
    return endpoint != world.failing;
}

size_t upstream_prompt_bytes(const struct upstream *u, uint64_t endpoint, str model,
                             uint64_t within_us)
{
    (void)u;
    (void)endpoint;
    (void)model;
    (void)within_us;
    return WINDOW_MAX_BYTES;
}

uint64_t upstream_late_us(const struct upstream *u, uint64_t endpoint, str model,
                          size_t n_prompt_bytes)
{
    (void)u;
    (void)endpoint;
    (void)model;
    ASSERT(n_prompt_bytes > 0);
    return world.late_us;
}

unsigned upstream_texts(const struct upstream *u, uint64_t endpoint, unsigned n_wanted)
{
    (void)u;
    unsigned n = endpoint == 1 && world.n_texts > 0 ? world.n_texts : 1;
    return n_wanted < n ? n_wanted : n;
}

bool upstream_is_settled(const struct upstream *u)
{
    (void)u;
    return world.endpoints[0].state != ENDPOINT_PROBING;
}

uint64_t upstream_trial_us(const struct upstream *u, uint64_t endpoint, str model)
{
    (void)u;
    (void)endpoint;
    (void)model;
    return world.trial_us;
}

bool upstream_warm(struct upstream *u, uint64_t endpoint)
{
    (void)u;
    (void)endpoint;
    world.n_warmed++;
    return true;
}

void upstream_load(struct upstream *u, uint64_t endpoint, str model)
{
    (void)u;
    ASSERT(endpoint == 1 && str_eq(model, world.model.id));
    world.n_loads += !world.model.is_loading;
    world.model.is_loading = world.model.load_error == NULL; /* else not yet again */
}

bool upstream_confirm_loaded(struct upstream *u, uint64_t endpoint, str model)
{
    (void)u;
    (void)endpoint;
    (void)model;
    return !world.is_doubtful;
}

void upstream_refresh(struct upstream *u)
{
    (void)u;
    world.n_refreshes++;
}

#endif
