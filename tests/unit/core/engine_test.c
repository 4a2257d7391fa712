/* engine_test.c - the policy between features, flights and models, on a virtual clock.
 *
 * The loop, the clock, the upstream and the predictor are scripted here: time moves when the test
 * says so, and a model says what the test lets it say. */
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
static void turn(void)
{
    for (size_t i = 0; i < world.n_posts; i++) {
        world.post_fn[i](world.post_user[i]);
    }
    world.n_posts = 0;
}

static void pass(uint64_t ms)
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

static void answer_scout(void *user)
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

static void on_status(void *user)
{
    ((struct bed *)user)->n_status++;
}

static void bed_start(struct bed *bed, const char *text)
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

static void bed_end(struct bed *bed)
{
    engine_destroy(bed->engine);
    turn();
    documents_destroy(bed->documents);
    settings_unref(bed->settings);
}

static void on_text(str text, void *user)
{
    struct heard *h = user;
    snprintf(h->partial, sizeof(h->partial), STR_FMT, STR_ARG(text));
}

static void on_done(const struct answer *answer, const struct error *error, void *user)
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

static uint64_t ask_kind(struct bed *bed, struct heard *h, enum question_kind kind, size_t cursor)
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

static uint64_t ask(struct bed *bed, struct heard *h, size_t cursor)
{
    return ask_kind(bed, h, QUESTION_INLINE, cursor);
}

/* The newest exchange with the model. */
static struct scripted_exchange *model(void)
{
    for (size_t i = world.n_exchanges; i-- > 0;) {
        if (!world.exchanges[i].is_scout) {
            return &world.exchanges[i];
        }
    }
    fail_msg("no exchange with the model");
    return NULL;
}

static size_t n_model_calls(void)
{
    size_t n = 0;
    for (size_t i = 0; i < world.n_exchanges; i++) {
        n += !world.exchanges[i].is_scout;
    }
    return n;
}

static void say(const char *text)
{
    struct scripted_exchange *x = model();
    assert_true(x->is_open);
    x->sink.on_text(x->id, str_from(text), x->sink.user);
}

static void end(enum finish_reason reason)
{
    struct scripted_exchange *x = model();
    struct generate_end e = {.reason = reason};
    x->is_open = false;
    x->sink.on_done(x->id, &e, 1.0, NULL, x->sink.user);
    turn();
}

static void break_off(enum err code, const char *msg)
{
    struct scripted_exchange *x = model();
    struct error error;
    (void)error_set(&error, code, "%s", msg);
    x->is_open = false;
    x->sink.on_done(x->id, NULL, 0, &error, x->sink.user);
    turn();
}

static void type(struct bed *bed, size_t at, const char *text)
{
    assert_int_equal(documents_edit(bed->documents, bed->doc, at, at, str_from(text)), ERR_OK);
    turn();
}

/* -- the tests -- */

static void line_answers_as_soon_as_it_is_complete(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    bed_start(&bed, "int x = \n");
    ask(&bed, &h, 8);
    assert_string_equal(model()->prompt, "int x = |\n");
    say("compute(");
    assert_int_equal(h.n_done, 0);
    assert_string_equal(h.partial, "compute(");
    say("a);\nint");
    assert_int_equal(h.n_done, 1);
    assert_string_equal(h.text, "compute(a);");
    assert_int_equal(h.source, ANSWER_MODEL);
    bed_end(&bed);
    assert_int_equal(h.n_done, 1);
}

static void block_is_waited_for_until_the_budget(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    bed_start(&bed, "int f(void) {\n");
    ask(&bed, &h, 13);
    say("\n    a();\n");
    pass(100);
    assert_int_equal(h.n_done, 0);
    pass(200); /* the budget is 250 ms */
    assert_int_equal(h.n_done, 1);
    assert_string_equal(h.text, "\n    a();");
    bed_end(&bed);
}

static void no_text_keeps_the_request_open_until_its_limit(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    bed_start(&bed, "x = \n");
    ask(&bed, &h, 4);
    pass(4000);
    assert_int_equal(h.n_done, 0);
    say("1\n");
    assert_int_equal(h.n_done, 1);
    assert_string_equal(h.text, "1");
    ask(&bed, &h, 0);
    pass(5100);
    assert_int_equal(h.n_done, 1);
    assert_string_equal(h.text, "");
    assert_non_null(strstr(h.why, "5 s"));
    bed_end(&bed);
}

static void typing_through_asks_the_model_once(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    bed_start(&bed, "x = \n");
    ask(&bed, &h, 4);
    say("alpha + beta;");
    end(FINISH_STOP);
    assert_string_equal(h.text, "alpha + beta;");
    const char *typed = "alpha + be";
    for (size_t i = 0; typed[i] != '\0'; i++) {
        char one[2] = {typed[i], '\0'};
        type(&bed, 4 + i, one);
        ask(&bed, &h, 5 + i);
        assert_int_equal(h.n_done, 1);
        assert_string_equal(h.text, &"alpha + beta;"[i + 1]);
        assert_int_equal(h.boarded, BOARDED_LANDED);
    }
    assert_int_equal(n_model_calls(), 1);
    bed_end(&bed);
}

static void edit_cancels_and_the_next_request_rides(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h, later;
    bed_start(&bed, "x = \n");
    ask(&bed, &h, 4);
    type(&bed, 4, "a");
    assert_int_equal(h.n_done, 1);
    assert_int_equal(h.code, ERR_CANCELLED);
    assert_true(model()->is_open);
    ask(&bed, &later, 5);
    assert_int_equal(later.n_done, 0);
    say("alpha;\n");
    assert_int_equal(later.n_done, 1);
    assert_string_equal(later.text, "lpha;");
    assert_int_equal(later.boarded, BOARDED_FLYING);
    assert_int_equal(n_model_calls(), 1);
    bed_end(&bed);
}

static void disagreeing_rider_gets_a_flight_of_its_own(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    bed_start(&bed, "x = \n");
    ask(&bed, &h, 4);
    type(&bed, 4, "z");
    ask(&bed, &h, 5);
    say("alpha"); /* not what was typed */
    assert_int_equal(n_model_calls(), 2);
    assert_true(world.exchanges[0].is_scout || world.exchanges[0].was_cancelled);
    assert_string_equal(model()->prompt, "x = z|\n");
    say("eta;\n");
    assert_string_equal(h.text, "eta;");
    bed_end(&bed);
}

static void newer_request_supersedes_the_older(void **state)
{
    (void)state;
    struct bed bed;
    struct heard older, newer;
    bed_start(&bed, "x = \n");
    ask(&bed, &older, 4);
    ask(&bed, &newer, 4);
    assert_int_equal(older.n_done, 1);
    assert_int_equal(older.code, ERR_CANCELLED);
    say("1;\n");
    assert_int_equal(newer.n_done, 1);
    assert_string_equal(newer.text, "1;");
    assert_int_equal(n_model_calls(), 1);
    bed_end(&bed);
}

static void cancelled_request_is_answered_and_its_flight_ends_after_the_grace(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    bed_start(&bed, "x = \n");
    uint64_t id = ask(&bed, &h, 4);
    engine_cancel(bed.engine, id);
    assert_int_equal(h.n_done, 0);
    turn();
    assert_int_equal(h.n_done, 1);
    assert_int_equal(h.code, ERR_CANCELLED);
    assert_true(model()->is_open);
    pass(300);
    assert_false(model()->is_open);
    assert_true(model()->was_cancelled);
    bed_end(&bed);
}

static void popup_budget_is_hard(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    bed_start(&bed, "x = \n");
    ask_kind(&bed, &h, QUESTION_COMPLETION, 4);
    pass(251);
    assert_int_equal(h.n_done, 1);
    assert_string_equal(h.text, "");
    bed_end(&bed);
}

static void popup_and_ghost_text_share_a_flight(void **state)
{
    (void)state;
    struct bed bed;
    struct heard ghost, popup;
    bed_start(&bed, "x = \n");
    ask(&bed, &ghost, 4);
    ask_kind(&bed, &popup, QUESTION_COMPLETION, 4);
    assert_int_equal(ghost.n_done, 0);
    say("42;\n");
    assert_string_equal(ghost.text, "42;");
    assert_string_equal(popup.text, "42;");
    assert_int_equal(n_model_calls(), 1);
    bed_end(&bed);
}

static void sure_predictor_answers_without_a_model(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    bed_start(&bed, "x = \n");
    world.prediction = "seen_before();";
    world.confidence = 0.95;
    ask(&bed, &h, 4);
    assert_int_equal(h.n_done, 1);
    assert_string_equal(h.text, "seen_before();");
    assert_int_equal(h.source, ANSWER_PREDICTOR);
    assert_int_equal(n_model_calls(), 0);
    type(&bed, 4, "seen");
    world.prediction = NULL;
    ask(&bed, &h, 8);
    assert_string_equal(h.text, "_before();");
    assert_int_equal(n_model_calls(), 0);
    bed_end(&bed);
}

static void fair_predictor_leaves_the_reply_to_the_model(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    bed_start(&bed, "x = \n");
    world.prediction = "maybe();";
    world.confidence = 0.75;
    ask(&bed, &h, 4);
    assert_int_equal(h.n_done, 0);
    say("certain();\n");
    assert_string_equal(h.text, "certain();");
    bed_end(&bed);
}

static void predictor_serves_while_the_model_loads(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    bed_start(&bed, "x = \n");
    world.endpoints[0].state = ENDPOINT_LOADING;
    world.endpoints[0].loading = 0.43;
    world.prediction = "maybe();";
    world.confidence = 0.75;
    ask(&bed, &h, 4);
    assert_int_equal(h.n_done, 1);
    assert_string_equal(h.text, "maybe();");
    assert_int_equal(engine_status(bed.engine).mood, MOOD_LOADING);
    world.prediction = NULL;
    ask(&bed, &h, 0);
    assert_int_equal(h.n_done, 0); /* it may still come */
    pass(5100);
    assert_string_equal(h.text, "");
    assert_non_null(strstr(h.why, "loading"));
    bed_end(&bed);
}

static void model_that_becomes_ready_serves_who_waited(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    bed_start(&bed, "x = \n");
    world.endpoints[0].state = ENDPOINT_LOADING;
    ask(&bed, &h, 4);
    assert_int_equal(h.n_done, 0);
    world.endpoints[0].state = ENDPOINT_READY;
    engine_on_upstream(bed.engine);
    say("42;\n");
    assert_string_equal(h.text, "42;");
    bed_end(&bed);
}

static void first_look_at_the_endpoints_is_waited_for(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    bed_start(&bed, "x = \n");
    world.endpoints[0].state = ENDPOINT_PROBING;
    world.prediction = "maybe();";
    world.confidence = 0.75;
    ask(&bed, &h, 4);
    assert_int_equal(h.n_done, 0);
    world.endpoints[0].state = ENDPOINT_DOWN;
    engine_on_upstream(bed.engine);
    turn();
    assert_string_equal(h.text, "maybe();");
    world.endpoints[0].state = ENDPOINT_PROBING;
    ask(&bed, &h, 0);
    pass(300); /* the budget is over */
    assert_string_equal(h.text, "maybe();");
    bed_end(&bed);
}

static void failure_is_silence_with_a_reason_or_the_predictors_word(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    bed_start(&bed, "x = \n");
    ask(&bed, &h, 4);
    break_off(ERR_CONNECT, "nothing listens there");
    assert_int_equal(h.n_done, 1);
    assert_int_equal(h.code, ERR_OK);
    assert_string_equal(h.text, "");
    assert_non_null(strstr(h.why, "nothing listens there"));
    world.prediction = "maybe();";
    world.confidence = 0.75;
    ask(&bed, &h, 4);
    break_off(ERR_PROTOCOL, "cut");
    assert_string_equal(h.text, "maybe();");
    assert_int_equal(h.n_done, 1);
    bed_end(&bed);
}

static void same_window_is_served_from_the_cache(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    bed_start(&bed, "x = \n");
    ask(&bed, &h, 4);
    say("1;");
    end(FINISH_STOP);
    documents_close(bed.documents, bed.doc);
    assert_int_equal(
        documents_open(bed.documents, STR("/w/b.c"), STR("c"), STR("x = \n"), &bed.doc), ERR_OK);
    ask(&bed, &h, 4);
    assert_string_equal(h.text, "1;");
    assert_int_equal(h.boarded, BOARDED_CACHED);
    assert_int_equal(n_model_calls(), 1);
    bed_end(&bed);
}

static void broken_off_text_answers_but_isnt_cached(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    bed_start(&bed, "x = \n");
    ask(&bed, &h, 4);
    say("half a li");
    end(FINISH_NONE);
    assert_int_equal(h.n_done, 1);
    ask(&bed, &h, 4);
    assert_int_equal(n_model_calls(), 2);
    bed_end(&bed);
}

static void explicit_request_doesnt_take_an_old_no_for_an_answer(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    bed_start(&bed, "x = \n");
    ask(&bed, &h, 4);
    end(FINISH_STOP);
    assert_string_equal(h.text, "");
    ask(&bed, &h, 4); /* typing takes it */
    assert_int_equal(n_model_calls(), 1);
    struct question q = {
        .kind = QUESTION_INLINE, .document = bed.doc, .cursor = 4, .is_explicit = true};
    struct sink sink = {.on_text = on_text, .on_done = on_done, .user = &h};
    (void)engine_ask(bed.engine, &q, &sink);
    turn();
    assert_int_equal(n_model_calls(), 2);
    say("1;\n");
    assert_string_equal(h.text, "1;");
    bed_end(&bed);
}

static void excluded_and_huge_documents_are_never_sent(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    bed_start(&bed, "KEY=\n");
    documents_find(bed.documents, bed.doc)->is_excluded = true;
    ask(&bed, &h, 4);
    assert_int_equal(h.n_done, 1);
    assert_non_null(strstr(h.why, "excluded"));
    assert_int_equal(world.n_exchanges, 0);
    bed_end(&bed);
}

static void middle_of_a_word_is_suppressed(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    bed_start(&bed, "counter\n");
    ask(&bed, &h, 3);
    assert_int_equal(h.n_done, 1);
    assert_non_null(strstr(h.why, "middle of a word"));
    assert_int_equal(world.n_exchanges, 0);
    bed_end(&bed);
}

static void closers_that_stand_are_not_repeated(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    bed_start(&bed, "x = f;\n");
    ask(&bed, &h, 5);
    say("(a, b)");
    type(&bed, 5, "()");
    ask(&bed, &h, 6);
    end(FINISH_STOP);
    assert_string_equal(h.text, "a, b");
    assert_int_equal(h.n_replace, 0);
    bed_end(&bed);
}

static void line_ends_are_sent_as_models_know_them(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    bed_start(&bed, "int a;\r\nx = \r\ny\r");
    ask(&bed, &h, 12);
    assert_string_equal(model()->prompt, "int a;\nx = |\ny\n");
    say("1;\nz");
    assert_string_equal(h.text, "1;");
    bed_end(&bed);
}

static void destroying_ends_open_questions(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    bed_start(&bed, "x = \n");
    ask(&bed, &h, 4);
    bed_end(&bed);
    assert_int_equal(h.n_done, 1);
    assert_int_equal(h.code, ERR_CANCELLED);
}

static void stats_and_trace_tell_what_happened(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    bed_start(&bed, "x = \n");
    ask(&bed, &h, 4);
    say("1;\n");
    const struct engine_stats *s = engine_stats(bed.engine);
    assert_int_equal(s->n_questions, 1);
    assert_int_equal(s->n_shown, 1);
    assert_int_equal(s->n_from_model, 1);
    struct trace *t = engine_trace(bed.engine);
    const struct trace_entry *e = trace_find(t, t->n);
    assert_string_equal(e->outcome, "shown");
    assert_string_equal(e->file, "a.c");
    assert_non_null(strstr(e->why, "sim/m"));
    bed_end(&bed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(line_answers_as_soon_as_it_is_complete),
        cmocka_unit_test(block_is_waited_for_until_the_budget),
        cmocka_unit_test(no_text_keeps_the_request_open_until_its_limit),
        cmocka_unit_test(typing_through_asks_the_model_once),
        cmocka_unit_test(edit_cancels_and_the_next_request_rides),
        cmocka_unit_test(disagreeing_rider_gets_a_flight_of_its_own),
        cmocka_unit_test(newer_request_supersedes_the_older),
        cmocka_unit_test(cancelled_request_is_answered_and_its_flight_ends_after_the_grace),
        cmocka_unit_test(popup_budget_is_hard),
        cmocka_unit_test(popup_and_ghost_text_share_a_flight),
        cmocka_unit_test(sure_predictor_answers_without_a_model),
        cmocka_unit_test(fair_predictor_leaves_the_reply_to_the_model),
        cmocka_unit_test(predictor_serves_while_the_model_loads),
        cmocka_unit_test(model_that_becomes_ready_serves_who_waited),
        cmocka_unit_test(first_look_at_the_endpoints_is_waited_for),
        cmocka_unit_test(failure_is_silence_with_a_reason_or_the_predictors_word),
        cmocka_unit_test(same_window_is_served_from_the_cache),
        cmocka_unit_test(broken_off_text_answers_but_isnt_cached),
        cmocka_unit_test(explicit_request_doesnt_take_an_old_no_for_an_answer),
        cmocka_unit_test(excluded_and_huge_documents_are_never_sent),
        cmocka_unit_test(middle_of_a_word_is_suppressed),
        cmocka_unit_test(closers_that_stand_are_not_repeated),
        cmocka_unit_test(line_ends_are_sent_as_models_know_them),
        cmocka_unit_test(destroying_ends_open_questions),
        cmocka_unit_test(stats_and_trace_tell_what_happened),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
