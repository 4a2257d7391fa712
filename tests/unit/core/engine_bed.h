/* engine_bed.h - a scripted world for tests of the engine, on a virtual clock.
 *
 * The loop, the clock, the upstream and the predictor are scripted here: time moves when the test
 * says so, and a model says what the test lets it say. It defines what the engine links against,
 * so each program includes it once. */
#ifndef CRUCIBLE_TESTS_ENGINE_BED_H
#define CRUCIBLE_TESTS_ENGINE_BED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "core/base/clock.h"
#include "core/base/limits.h"
#include "core/engine.h"

/* -- the scripted world -- */

#define MAX_POSTS     64
#define MAX_EXCHANGES 64

struct scripted_exchange {
    uint64_t id;
    struct exchange_sink sink;
    bool is_scout, is_open, was_cancelled;
    char prompt[4096];
    size_t n_stops;
    unsigned max_tokens;
};

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
    struct loop_timer timer;
    struct endpoint endpoints[2];
    struct model_info model;
    struct scripted_exchange exchanges[MAX_EXCHANGES];
    size_t n_exchanges;
    const char *prediction;
    double confidence;
    bool is_doubtful; /* the model hasn't been heard of for long */
    unsigned n_loads, n_refreshes;
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
    assert_true(world.n_posts < MAX_POSTS);
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

static inline void pass(uint64_t ms)
{
    uint64_t until_us = world.now_us + MS_TO_US(ms);
    turn();
    while (world.timer.at_us <= until_us) {
        world.now_us = world.timer.at_us > world.now_us ? world.timer.at_us : world.now_us;
        world.timer.at_us = CLOCK_NEVER;
        world.timer.fn(world.timer.user);
        turn();
    }
    world.now_us = until_us;
}

static const struct provider_ops model_ops = {.kind = "scripted", .max_stops = SIZE_MAX};
static const struct provider_ops own_ops = {.kind = "embedded",
                                            .capabilities = PROVIDER_IN_PROCESS};

const char *endpoint_state_name(enum endpoint_state state)
{
    return state == ENDPOINT_DOWN ? "down" : "other";
}

size_t upstream_count(const struct upstream *u)
{
    (void)u;
    return 2;
}

const struct endpoint *upstream_endpoint(const struct upstream *u, size_t idx)
{
    (void)u;
    return &world.endpoints[idx];
}

const struct endpoint *upstream_find(const struct upstream *u, uint64_t id)
{
    (void)u;
    return id == 1 || id == 2 ? &world.endpoints[id - 1] : NULL;
}

const char *upstream_start_hint(const struct upstream *u)
{
    (void)u;
    return "start-it";
}

bool upstream_is_settled(const struct upstream *u)
{
    (void)u;
    return world.endpoints[0].state != ENDPOINT_PROBING;
}

void upstream_load(struct upstream *u, uint64_t endpoint, str model)
{
    (void)u;
    assert_int_equal(endpoint, 1);
    assert_true(str_eq(model, world.model.id));
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

static inline void answer_scout(void *user)
{
    struct scripted_exchange *x = user;
    if (x->was_cancelled) {
        return;
    }
    x->is_open = false;
    struct generate_end end = {.reason = FINISH_STOP};
    if (world.prediction != NULL) {
        x->sink.on_text(x->id, str_from(world.prediction), x->sink.user);
    }
    x->sink.on_done(x->id, &end, world.prediction != NULL ? world.confidence : 0, NULL,
                    x->sink.user);
}

uint64_t exchange_start(struct upstream *u, const struct exchange_spec *spec,
                        const struct exchange_sink *sink)
{
    (void)u;
    assert_true(world.n_exchanges < MAX_EXCHANGES);
    struct scripted_exchange *x = &world.exchanges[world.n_exchanges++];
    *x = (struct scripted_exchange){.id = world.n_exchanges,
                                    .sink = *sink,
                                    .is_open = true,
                                    .is_scout = spec->endpoint == 2,
                                    .n_stops = spec->generate.n_stops,
                                    .max_tokens = spec->generate.max_tokens};
    if (x->is_scout) {
        loop_post(NULL, answer_scout, x);
    } else {
        snprintf(x->prompt, sizeof(x->prompt), STR_FMT "|" STR_FMT, STR_ARG(spec->generate.prefix),
                 STR_ARG(spec->generate.suffix));
    }
    return x->id;
}

void exchange_cancel(struct upstream *u, uint64_t id)
{
    (void)u;
    assert_true(id >= 1 && id <= world.n_exchanges);
    world.exchanges[id - 1].is_open = false;
    world.exchanges[id - 1].was_cancelled = true;
}

void predictor_learn_document(struct predictor *p, uint64_t document, str path, str text)
{
    (void)p;
    (void)document;
    (void)path;
    (void)text;
}

void predictor_forget_document(struct predictor *p, uint64_t document)
{
    (void)p;
    (void)document;
}

/* -- the bed -- */

struct heard {
    unsigned n_done;
    enum err code;
    char text[512], why[TRACE_WHY_BYTES], partial[512];
    size_t n_replace;
    enum answer_source source;
    enum boarded boarded;
};

struct bed {
    struct loop loop;
    struct upstream upstream;
    struct documents *documents;
    struct settings *settings;
    struct engine *engine;
    uint64_t doc;
    unsigned n_status;
};

static inline void on_status(void *user)
{
    ((struct bed *)user)->n_status++;
}

static inline void bed_start(struct bed *bed, const char *text)
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
    *bed = (struct bed){.documents = documents_create()};
    struct settings_builder *b = settings_builder_create();
    bed->settings = settings_builder_snapshot(b);
    settings_builder_destroy(b);
    struct engine_options options = {.loop = &bed->loop,
                                     .documents = bed->documents,
                                     .upstream = &bed->upstream,
                                     .settings = bed->settings,
                                     .on_status = on_status,
                                     .user = bed};
    bed->engine = engine_create(&options);
    assert_int_equal(
        documents_open(bed->documents, STR("/w/a.c"), STR("c"), str_from(text), &bed->doc), ERR_OK);
}

static inline void bed_end(struct bed *bed)
{
    engine_destroy(bed->engine);
    turn();
    documents_destroy(bed->documents);
    settings_unref(bed->settings);
}

static inline void on_text(str text, void *user)
{
    struct heard *h = user;
    snprintf(h->partial, sizeof(h->partial), STR_FMT, STR_ARG(text));
}

static inline void on_done(const struct answer *answer, const struct error *error, void *user)
{
    struct heard *h = user;
    h->n_done++;
    h->code = error != NULL ? error->code : ERR_OK;
    h->source = answer->source;
    h->boarded = answer->boarded;
    h->n_replace = answer->n_replace;
    snprintf(h->text, sizeof(h->text), STR_FMT, STR_ARG(answer->text));
    snprintf(h->why, sizeof(h->why), STR_FMT, STR_ARG(answer->why));
}

static inline uint64_t ask_kind(struct bed *bed, struct heard *h, enum question_kind kind,
                                size_t cursor)
{
    *h = (struct heard){.n_done = 0};
    struct question q = {
        .kind = kind, .document = bed->doc, .cursor = cursor, .selected_start = cursor};
    struct sink sink = {.on_text = on_text, .on_done = on_done, .user = h};
    uint64_t id = engine_ask(bed->engine, &q, &sink);
    assert_int_equal(h->n_done, 0); /* never from inside */
    turn();
    return id;
}

static inline uint64_t ask(struct bed *bed, struct heard *h, size_t cursor)
{
    return ask_kind(bed, h, QUESTION_INLINE, cursor);
}

/* The newest exchange with the model. */
static inline struct scripted_exchange *model(void)
{
    for (size_t i = world.n_exchanges; i-- > 0;) {
        if (!world.exchanges[i].is_scout) {
            return &world.exchanges[i];
        }
    }
    fail_msg("no exchange with the model");
    return NULL;
}

static inline size_t n_model_calls(void)
{
    size_t n = 0;
    for (size_t i = 0; i < world.n_exchanges; i++) {
        n += !world.exchanges[i].is_scout;
    }
    return n;
}

static inline void say(const char *text)
{
    struct scripted_exchange *x = model();
    assert_true(x->is_open);
    x->sink.on_text(x->id, str_from(text), x->sink.user);
}

static inline void end(enum finish_reason reason)
{
    struct scripted_exchange *x = model();
    struct generate_end e = {.reason = reason};
    x->is_open = false;
    x->sink.on_done(x->id, &e, 1.0, NULL, x->sink.user);
    turn();
}

static inline void break_off(enum err code, const char *msg)
{
    struct scripted_exchange *x = model();
    struct error error;
    (void)error_set(&error, code, "%s", msg);
    x->is_open = false;
    x->sink.on_done(x->id, NULL, 0, &error, x->sink.user);
    turn();
}

static inline void type(struct bed *bed, size_t at, const char *text)
{
    assert_int_equal(documents_edit(bed->documents, bed->doc, at, at, str_from(text)), ERR_OK);
    turn();
}

#endif
