/* engine_bed.h - a scripted world for tests of the engine, on a virtual clock.
 *
 * Time moves when the test says so (world.h), and models and the predictor, scripted here, say what
 * the test lets them say. It defines what the engine links against, so each program includes it
 * once. */
#ifndef CRUCIBLE_TESTS_ENGINE_BED_H
#define CRUCIBLE_TESTS_ENGINE_BED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "core/engine.h"

/* -- what models and the predictor say -- */

#ifndef MAX_EXCHANGES
#define MAX_EXCHANGES 64
#endif

struct scripted_exchange {
    uint64_t id;
    struct exchange_sink sink;
    uint64_t endpoint;
    bool is_scout, is_open, was_cancelled;
    char prompt[4096]; /* prefix|suffix, or system|message of a chat */
    double temperature;
    enum generate_shape shape;
    size_t n_stops;
    unsigned max_tokens;
    int slot;
    unsigned n_texts;
    size_t n_embeds; /* texts whose vectors it is for: the prompt, each with a "|" behind it */
    char model[64];
};

#define WORLD_FIELDS                                                                               \
    struct scripted_exchange exchanges[MAX_EXCHANGES];                                             \
    size_t n_exchanges;                                                                            \
    const char *prediction;                                                                        \
    double confidence;
#include "tests/unit/core/world.h"

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
                                    .endpoint = spec->endpoint,
                                    .temperature = spec->generate.temperature,
                                    .n_stops = spec->generate.n_stops,
                                    .max_tokens = spec->generate.max_tokens,
                                    .slot = spec->generate.slot,
                                    .n_texts = spec->generate.n_texts,
                                    .shape = spec->generate.shape};
    snprintf(x->model, sizeof(x->model), STR_FMT, STR_ARG(spec->generate.model));
    x->n_embeds = spec->n_embeds;
    for (size_t i = 0, at = 0; i < spec->n_embeds && at < sizeof x->prompt; i++) {
        at += (size_t)snprintf(x->prompt + at, sizeof x->prompt - at, STR_FMT "|",
                               STR_ARG(spec->embeds[i]));
    }
    if (x->is_scout) {
        loop_post(NULL, answer_scout, x);
    } else if (spec->n_embeds == 0) {
        bool is_chat = spec->generate.shape == GENERATE_CHAT;
        str first = is_chat ? spec->generate.system : spec->generate.prefix;
        str second = is_chat ? spec->generate.prompt : spec->generate.suffix;
        snprintf(x->prompt, sizeof(x->prompt), STR_FMT "|" STR_FMT, STR_ARG(first),
                 STR_ARG(second));
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
    char text[512], why[TRACE_WHY_BYTES], partial[512], model[128];
    size_t n_replace;
    enum answer_source source;
    enum boarded boarded;
    char others[512]; /* each after a "|" */
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

static inline void bed_start_with(struct bed *bed, const char *text, struct store *store)
{
    world_begin();
    *bed = (struct bed){.documents = documents_create()};
    struct settings_builder *b = settings_builder_create();
    bed->settings = settings_builder_snapshot(b);
    settings_builder_destroy(b);
    struct engine_options options = {.loop = &bed->loop,
                                     .documents = bed->documents,
                                     .upstream = &bed->upstream,
                                     .settings = bed->settings,
                                     .store = store,
                                     .on_status = on_status,
                                     .user = bed};
    bed->engine = engine_create(&options);
    assert_int_equal(
        documents_open(bed->documents, STR("/w/a.c"), STR("c"), str_from(text), &bed->doc), ERR_OK);
}

static inline void bed_start(struct bed *bed, const char *text)
{
    bed_start_with(bed, text, NULL);
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
    snprintf(h->model, sizeof(h->model), STR_FMT, STR_ARG(answer->model));
    snprintf(h->why, sizeof(h->why), STR_FMT, STR_ARG(answer->why));
    for (unsigned i = 0; i < answer->n_others; i++) {
        size_t len = strlen(h->others);
        snprintf(h->others + len, sizeof(h->others) - len, "|" STR_FMT,
                 STR_ARG(answer->others[i].text));
    }
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
