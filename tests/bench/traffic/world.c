/* world.c - virtual time, and the engine's way to the simulated server and the predictor.
 *
 * How   The world of the engine's unit tests, its exchanges being jobs of the server here. The
 *       predictor is the real one, its jobs done at once.
 * Rules Nothing reads a real clock: a run depends on its trace, policy and seed alone. */
#include "core/base/memory.h"
#include "tests/bench/traffic/traffic.h"

struct own_answer { /* of the predictor, until the next turn */
    uint64_t exchange;
    struct exchange_sink sink;
    struct buf text;
    double confidence;
    bool is_open;
};
#define MAX_OWN_ANSWERS 8u
#define WORLD_FIELDS                                                                               \
    struct own_answer own_answers[MAX_OWN_ANSWERS];                                                \
    uint64_t last_own;
#include "tests/unit/core/world.h"

#define OWN_BIT ((uint64_t)1 << 40) /* tells the predictor's exchanges from jobs */

static const struct place *where; /* the person is; borrowed */
static struct predictor *predictor;

void world_start(void)
{
    world_begin();
}

void world_turn(void)
{
    turn();
}

/* -- exchanges -- */

static void on_job_text(uint64_t job, str text, void *user)
{
    const struct exchange_sink *sink = user;
    sink->on_text(job, text, sink->user);
    turn();
}

static void on_job_done(uint64_t job, bool is_cut, void *user)
{
    const struct exchange_sink *sink = user;
    struct generate_end end = {.reason = is_cut ? FINISH_LENGTH : FINISH_STOP};
    sink->on_done(job, &end, 1, NULL, sink->user);
    turn();
}

static void give_own_answer(void *user)
{
    struct own_answer *own = user;
    if (own->is_open) {
        own->is_open = false;
        struct generate_end end = {.reason = FINISH_STOP};
        if (own->text.len > 0) {
            own->sink.on_text(own->exchange, buf_str(&own->text), own->sink.user);
        }
        own->sink.on_done(own->exchange, &end, own->confidence, NULL, own->sink.user);
    }
    buf_release(&own->text);
    own->exchange = 0;
}

static uint64_t ask_predictor(const struct exchange_spec *spec, const struct exchange_sink *sink)
{
    struct own_answer *own = NULL;
    for (size_t i = 0; i < MAX_OWN_ANSWERS; i++) {
        own = world.own_answers[i].exchange == 0 ? &world.own_answers[i] : own;
    }
    ASSERT(own != NULL);
    struct arena arena = {0};
    struct prediction p = predictor_suggest(predictor, spec->place, &arena);
    *own = (struct own_answer){.exchange = OWN_BIT | ++world.last_own,
                               .sink = *sink,
                               .confidence = p.confidence,
                               .is_open = true};
    buf_init(&own->text, FLIGHT_MAX_TEXT_BYTES);
    buf_append(&own->text, p.text);
    struct job_spec job = {.truth = p.text,
                           .before = spec->place->before,
                           .after = spec->place->after,
                           .is_own = true};
    (void)server_ask(&job);
    arena_release(&arena);
    loop_post(NULL, give_own_answer, own);
    return own->exchange;
}

/* What of the text that is sent doesn't stand before the person's cursor: what a text is continued
 * from. Slice of `prefix`. */
static str lead_of(str prefix)
{
    size_t n = where->cursor < 64 ? where->cursor : 64;
    struct buf near;
    buf_init(&near, 64);
    document_copy(where->doc->text, where->cursor - n, where->cursor, &near);
    size_t at = prefix.len;
    while (at > n && !str_ends_with(str_sub(prefix, 0, at), buf_str(&near))) {
        at--;
    }
    buf_release(&near);
    return str_sub(prefix, at, prefix.len);
}

/* What the server knows of what follows: at the person's place, or at one further on where the
 * person comes there; else something that nobody types. */
static str truth_after(str lead)
{
    str truth = typing_truth(where->trace, where->state);
    if (lead.len == 0) {
        return truth;
    }
    if (!str_starts_with(truth, lead)) {
        return STR("qz_elsewhere();\nqz_elsewhere();");
    }
    size_t steps = typing_steps_to(where->trace, where->state, lead);
    return steps > 0 ? typing_truth(where->trace, where->state + steps)
                     : str_sub(truth, lead.len, truth.len);
}

uint64_t exchange_start(struct upstream *u, const struct exchange_spec *spec,
                        const struct exchange_sink *sink)
{
    static struct exchange_sink engine_sink; /* the engine's legs all have the same */
    (void)u;
    if (spec->endpoint == 2) {
        return ask_predictor(spec, sink);
    }
    engine_sink = *sink;
    bool stops_at_line = false;
    for (size_t i = 0; i < spec->generate.n_stops; i++) {
        stops_at_line = stops_at_line || str_eq(spec->generate.stops[i], STR("\n"));
    }
    const struct document *d = where->doc->text;
    str prefix = spec->generate.prefix;
    str lead = lead_of(prefix);
    struct buf before, after;
    buf_init(&before, DOCUMENT_MAX_BYTES);
    buf_init(&after, DOCUMENT_MAX_BYTES);
    document_copy(d, 0, where->cursor, &before);
    document_copy(d, where->cursor, document_len(d), &after);
    ASSERT(str_ends_with(buf_str(&before), str_sub(prefix, 0, prefix.len - lead.len)) &&
           str_starts_with(buf_str(&after), spec->generate.suffix));
    struct job_spec job = {.truth = truth_after(lead),
                           .lead = lead,
                           .before = buf_str(&before),
                           .after = buf_str(&after),
                           .stops_at_line = stops_at_line,
                           .on_text = on_job_text,
                           .on_done = on_job_done,
                           .user = &engine_sink};
    uint64_t id = server_ask(&job);
    buf_release(&before);
    buf_release(&after);
    return id;
}

void exchange_cancel(struct upstream *u, uint64_t id)
{
    (void)u;
    if ((id & OWN_BIT) == 0) {
        server_cancel(id);
        return;
    }
    for (size_t i = 0; i < MAX_OWN_ANSWERS; i++) {
        struct own_answer *own = &world.own_answers[i];
        own->is_open = own->is_open && own->exchange != id;
    }
}

struct loop_job *loop_job_start(struct loop *loop, loop_fn *work,
                                void (*done)(bool is_cancelled, void *user), void *user)
{
    (void)loop;
    work(user);
    done(false, user);
    return NULL;
}

/* -- time -- */

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

void world_pass_until(uint64_t until_us, const struct policy *p, void (*on_client)(void),
                      uint64_t *client_us)
{
    turn();
    for (;;) {
        uint64_t policy_us = p->next_us != NULL ? p->next_us() : CLOCK_NEVER;
        uint64_t engine_us = world.timer.fn != NULL ? world.timer.at_us : CLOCK_NEVER;
        uint64_t server_us = server_next_us();
        uint64_t at_us = least(least(server_us, policy_us), least(engine_us, *client_us));
        if (at_us > until_us) {
            break;
        }
        world.now_us = at_us > world.now_us ? at_us : world.now_us;
        if (at_us == server_us) {
            server_step();
        } else if (at_us == engine_us) {
            ring();
        } else if (at_us == policy_us) {
            p->on_timer();
        } else {
            *client_us = CLOCK_NEVER;
            on_client();
        }
        turn();
    }
    world.now_us = until_us > world.now_us ? until_us : world.now_us;
}

/* -- the engine in this world -- */

struct engine *world_engine(struct documents *documents, struct settings *settings,
                            const struct place *place, const struct engine_switches *off)
{
    static struct loop loop;
    static struct upstream upstream;
    where = place;
    struct predictor_options options = PREDICTOR_OPTIONS_INIT;
    predictor = predictor_create(&loop, &options);
    struct engine_options eo = {.loop = &loop,
                                .documents = documents,
                                .upstream = &upstream,
                                .predictor = predictor,
                                .settings = settings,
                                .off = *off};
    return engine_create(&eo);
}

void world_engine_end(struct engine *e)
{
    engine_destroy(e);
    turn();
    predictor_destroy(predictor);
    world.timer.fn = NULL;
}
