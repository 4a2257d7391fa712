/* guard.c - breakers, budget, gate, deadlines and health of one endpoint, wired together.
 *
 * How      A record for each model that was ever asked, by its name. What an end says is told to
 *          those whom it concerns: that nobody is there, or that it has too much to do, to the
 *          endpoint's breaker; that an answer is broken or late, to the model's; success to both.
 * Rules    The machines are pure; here is the one place that throws their dice.
 *          404 of a model opens its breaker at once instead of blocking it, since nobody tells us
 *          when it has been fetched after all. */
#include "core/upstream/guard.h"

#include "core/base/clock.h"
#include "core/base/limits.h"
#include "core/base/log.h"
#include "core/base/map.h"

#define TRIAL_LOOK_US MS_TO_US(500)

struct guarded_model {
    struct breaker breaker;
    struct deadline *deadline; /* owned */
    struct error cause;        /* of the last failure */
    bool is_heard;             /* text came from it since we run */
    char *name;                /* owned */
    size_t name_len;
    UT_hash_handle hh; /* in guard->models, by name, oldest first */
};

struct guard {
    struct guard_options options;
    bool is_near;
    bool is_stranger; /* what answers there is no model server */
    struct breaker breaker;
    struct error cause;
    struct retry_budget budget;
    struct retry_gate gate;
    struct health health;
    struct guarded_model *models;
    struct guard_figures figures;
    uint64_t n_opens_gone; /* of models that are forgotten */
    uint64_t dice;
};

/* What it spreads is no secret: one draw of the system's randomness is enough for each guard. */
static double throw_dice(struct guard *g)
{
    g->dice = hash_mix(g->dice, 1);
    return (double)(g->dice >> 32) / 4294967296.0;
}

static struct breaker_options breaker_options(const struct guard *g)
{
    return (struct breaker_options){g->options.n_failures, g->options.recovery_us, g->is_near};
}

struct guard *guard_create(bool is_near)
{
    struct guard *g = xcalloc(1, sizeof *g);
    g->is_near = is_near;
    random_bytes(&g->dice, sizeof g->dice);
    struct breaker_options options = breaker_options(g);
    breaker_init(&g->breaker, &options);
    retry_budget_init(&g->budget);
    health_init(&g->health, is_near);
    return g;
}

static void forget_model(struct guard *g, struct guarded_model *m)
{
    HASH_DEL(g->models, m);
    g->n_opens_gone += m->breaker.n_opens;
    deadline_destroy(m->deadline);
    xfree(m->name);
    xfree(m);
}

void guard_destroy(struct guard *g)
{
    while (g && g->models) {
        forget_model(g, g->models);
    }
    xfree(g);
}

void guard_configure(struct guard *g, const struct guard_options *options, uint64_t now_us)
{
    struct guarded_model *m, *next;
    g->options = *options;
    struct breaker_options for_breakers = breaker_options(g);
    breaker_configure(&g->breaker, &for_breakers);
    breaker_unblock(&g->breaker, now_us);
    HASH_ITER(hh, g->models, m, next)
    {
        breaker_configure(&m->breaker, &for_breakers);
        breaker_unblock(&m->breaker, now_us);
    }
}

static struct guarded_model *find_model(const struct guard *g, str name)
{
    struct guarded_model *m = NULL;
    HASH_FIND(hh, g->models, name.ptr ? name.ptr : "", name.len, m);
    return m;
}

static struct guarded_model *model_of(struct guard *g, str name)
{
    struct guarded_model *m = find_model(g, name);
    if (m) {
        return m;
    }
    if (HASH_COUNT(g->models) >= MODELS_MAX) {
        forget_model(g, g->models);
    }
    m = xcalloc(1, sizeof *m);
    m->name = xstrndup(name.ptr ? name.ptr : "", name.len);
    m->name_len = name.len;
    m->deadline = deadline_create();
    struct breaker_options options = breaker_options(g);
    breaker_init(&m->breaker, &options);
    HASH_ADD_KEYPTR(hh, g->models, m->name, m->name_len, m);
    return m;
}

/* -- admitting -- */

uint64_t guard_wait_us(const struct guard *g, uint64_t now_us)
{
    return retry_gate_wait_us(&g->gate, now_us);
}

/* When it is worth asking again. A trial that is out may end at any time, long before the latest.
 */
static uint64_t soonest_us(const struct breaker *b, uint64_t now_us)
{
    uint64_t at_us = breaker_next_us(b);
    bool is_tried = b->state == BREAKER_HALF_OPEN && b->has_trial;
    return is_tried && at_us > now_us + TRIAL_LOOK_US ? now_us + TRIAL_LOOK_US : at_us;
}

static enum err refuse(struct guard *g, const struct breaker *b, const struct error *cause,
                       uint64_t now_us, struct error *why)
{
    uint64_t until_us = soonest_us(b, now_us);
    g->figures.n_refused++;
    if (until_us == CLOCK_NEVER || until_us <= now_us) {
        error_set(why, ERR_REJECTED, "%.200s", cause->msg);
    } else {
        error_set(why, ERR_REJECTED, "%.180s (asked again in %llu s)", cause->msg,
                  (unsigned long long)((until_us - now_us + 999999) / 1000000));
    }
    why->cause = cause->cause;
    why->detail = cause->detail;
    return ERR_REJECTED;
}

enum err guard_admit(struct guard *g, str model, struct guard_call *c, uint64_t now_us,
                     uint64_t deadline_us, struct error *why)
{
    struct guarded_model *m = model_of(g, model);
    uint64_t ticket = breaker_admit(&g->breaker, now_us, deadline_us, c->is_explicit);
    if (ticket == 0) {
        return refuse(g, &g->breaker, &g->cause, now_us, why);
    }
    uint64_t model_ticket = breaker_admit(&m->breaker, now_us, deadline_us, c->is_explicit);
    if (model_ticket == 0) { /* the endpoint's slot is given back */
        breaker_report(&g->breaker, ticket, OUTCOME_CANCELLED, now_us, 0);
        return refuse(g, &m->breaker, &m->cause, now_us, why);
    }
    c->is_out = true;
    c->n_made++;
    c->sent_us = now_us;
    c->first_us = c->last_us = c->gap_us = 0;
    c->n_pieces = 0;
    c->is_forbidden = c->has_after = false;
    c->endpoint_ticket = ticket;
    c->model_ticket = model_ticket;
    return ERR_OK;
}

bool guard_would_admit(const struct guard *g, str model, uint64_t now_us)
{
    const struct guarded_model *m = find_model(g, model);
    return guard_wait_us(g, now_us) == 0 && breaker_would_admit(&g->breaker, now_us) &&
           (!m || breaker_would_admit(&m->breaker, now_us));
}

uint64_t guard_trial_us(const struct guard *g, str model, uint64_t now_us)
{
    const struct guarded_model *m = find_model(g, model);
    uint64_t wait_us = guard_wait_us(g, now_us);
    uint64_t at_us = wait_us > 0 ? now_us + wait_us : 0;
    const struct breaker *both[] = {&g->breaker, m ? &m->breaker : NULL};
    for (size_t i = 0; i < 2; i++) {
        if (both[i] && !breaker_would_admit(both[i], now_us)) {
            uint64_t next_us = soonest_us(both[i], now_us);
            at_us = next_us > at_us ? next_us : at_us;
        }
    }
    return at_us;
}

void guard_text(struct guard_call *c, uint64_t now_us)
{
    uint64_t gap_us = c->n_pieces > 0 ? now_us - c->last_us : 0;
    c->gap_us = gap_us > c->gap_us ? gap_us : c->gap_us;
    c->first_us = c->n_pieces > 0 ? c->first_us : now_us;
    c->last_us = now_us;
    c->n_pieces++;
}

bool guard_resend(struct guard *g, struct guard_call *c)
{
    bool may = retry_resend(&g->budget);
    c->n_made += may;
    return may;
}

bool guard_is_spent(const struct guard *g)
{
    return !retry_budget_allows(&g->budget);
}

void guard_pushback(struct guard_call *c, str retry_after, str date, str should_retry)
{
    c->has_after = retry_after_read(retry_after, date, &c->after_us);
    c->is_forbidden = str_eq_nocase(str_trim(should_retry), STR("false"));
}

/* -- ending -- */

/* What it says about the endpoint: whether somebody is there who has time. */
static enum outcome endpoint_view(const struct error *error, enum outcome outcome)
{
    bool is_absent = error && error->code == ERR_CONNECT;
    bool is_said = outcome == OUTCOME_OK || outcome == OUTCOME_OVERLOAD;
    return is_said || is_absent ? outcome : OUTCOME_CANCELLED;
}

/* What it says about the model: whether it serves. */
static enum outcome model_view(const struct error *error, enum outcome outcome)
{
    bool is_absent = error && error->code == ERR_CONNECT;
    return is_absent || outcome == OUTCOME_OVERLOAD ? OUTCOME_CANCELLED : outcome;
}

static void note(const struct breaker *b, enum breaker_state before, str model)
{
    if (b->state != before) {
        log_info(LOG_UPSTREAM, "breaker: model=%s %s -> %s", LOG_SAFE(model),
                 breaker_state_name(before), breaker_state_name(b->state));
    }
}

static void tell_breakers(struct guard *g, struct guarded_model *m, const struct guard_call *c,
                          const struct error *error, enum outcome outcome, uint64_t now_us)
{
    enum breaker_state endpoint_before = g->breaker.state, model_before = m->breaker.state;
    enum outcome of_endpoint = endpoint_view(error, outcome);
    enum outcome of_model = model_view(error, outcome);
    if (error && outcome_is_failure(of_endpoint)) {
        g->cause = *error;
    }
    bool is_about_model =
        outcome_is_failure(of_model) || outcome == OUTCOME_MISSING || outcome == OUTCOME_REFUSED;
    if (error && is_about_model) {
        m->cause = *error;
    }
    breaker_report(&g->breaker, c->endpoint_ticket, of_endpoint, now_us, throw_dice(g));
    breaker_report(&m->breaker, c->model_ticket, of_model, now_us, throw_dice(g));
    if (outcome == OUTCOME_MISSING) {
        breaker_trip(&m->breaker, now_us, throw_dice(g));
    } else if (outcome == OUTCOME_REFUSED && error->detail == 403) { /* may be of one model */
        breaker_block(&m->breaker);
    } else if (outcome == OUTCOME_REFUSED) {
        g->cause = *error;
        guard_block(g);
    }
    note(&g->breaker, endpoint_before, STR("(all)"));
    note(&m->breaker, model_before, str_of(m->name, m->name_len));
}

static void learn(struct guarded_model *m, const struct guard_call *c, const struct guard_end *end,
                  bool is_late, uint64_t now_us)
{
    bool is_whole = !end->error && !end->is_cancelled;
    if (c->is_beside || (!is_whole && !end->is_cancelled && !is_late)) {
        return; /* it waited, or failed: that says nothing about how long it would have taken */
    }
    bool has_first = c->n_pieces > 0;
    uint64_t open_gap_us = has_first && !is_whole ? now_us - c->last_us : 0;
    struct deadline_sample s = {.has_first = has_first,
                                .is_whole = is_whole,
                                .is_late = is_late,
                                .first_us = (has_first ? c->first_us : now_us) - c->sent_us,
                                .gap_us = open_gap_us > c->gap_us ? open_gap_us : c->gap_us,
                                .total_us = now_us - c->sent_us,
                                .n_pieces = c->n_pieces,
                                .n_prompt_tokens = -1,
                                .n_cached_tokens = -1,
                                .n_tokens = -1,
                                .prompt_ms = -1,
                                .generate_ms = -1};
    if (end->said && is_whole) {
        s.n_prompt_tokens = end->said->n_prompt_tokens;
        s.n_cached_tokens = end->said->n_cached_tokens;
        s.n_tokens = end->said->n_tokens;
        s.prompt_ms = end->said->prompt_ms;
        s.generate_ms = end->said->generate_ms;
    }
    if (is_whole && !has_first) {
        s.has_first = s.first_us > 0; /* an empty answer began when it ended */
    }
    deadline_hear(m->deadline, &c->about, &s);
    m->is_heard = m->is_heard || s.has_first;
}

/* A model that may be loading is late only when loading has had its time, too. */
static bool may_be_loading(const struct guarded_model *m, const struct guard_call *c,
                           uint64_t now_us)
{
    return c->about.is_cold && c->n_pieces == 0 &&
           now_us - c->sent_us < deadline_spans(m->deadline, &c->about).first_us;
}

void guard_end(struct guard *g, str model, struct guard_call *c, const struct guard_end *end,
               uint64_t now_us)
{
    if (!c->is_out) {
        return;
    }
    struct guarded_model *m = model_of(g, model);
    bool is_late = end->error && end->error->code == ERR_TIMEOUT && !end->is_cancelled;
    enum outcome outcome = end->is_cancelled ? OUTCOME_CANCELLED : outcome_of(end->error);
    if (is_late && may_be_loading(m, c, now_us)) {
        outcome = OUTCOME_LOADING;
    } else if (is_late && c->is_beside && c->n_pieces == 0) {
        outcome = OUTCOME_CANCELLED;
    }
    c->is_out = false;
    g->figures.n_late += is_late;
    tell_breakers(g, m, c, end->error, outcome, now_us);
    retry_budget_hear(&g->budget, outcome);
    if (outcome == OUTCOME_OVERLOAD && c->has_after) {
        retry_gate_close(&g->gate, c->after_us, now_us);
    }
    bool is_warm = c->n_pieces > 0 && !c->about.is_cold && !c->is_beside;
    bool is_hanging = is_late && outcome == OUTCOME_LOCAL; /* somebody is there */
    health_hear(&g->health, is_hanging ? OUTCOME_SERVER : outcome,
                is_warm ? c->first_us - c->sent_us : 0, now_us, throw_dice(g));
    learn(m, c, end, is_late, now_us);
}

struct retry_decision guard_retry(struct guard *g, str model, const struct guard_call *c,
                                  const struct error *error, uint64_t deadline_us, uint64_t now_us)
{
    bool has_left = error->code != ERR_CONNECT || error->detail == 0;
    struct retry_failure f = {.outcome = outcome_of(error),
                              .n_made = c->n_made,
                              .n_retries = g->options.n_retries,
                              .is_explicit = c->is_explicit,
                              .has_shown = c->n_pieces > 0,
                              .has_left = has_left,
                              .is_forbidden = c->is_forbidden,
                              .has_after = c->has_after,
                              .after_us = c->after_us,
                              .deadline_us = deadline_us,
                              .expected_us =
                                  deadline_usual_us(model_of(g, model)->deadline, &c->about)};
    return retry_decide(&g->budget, &f, now_us, throw_dice(g));
}

/* -- waiting -- */

void guard_describe(struct guard *g, str model, uint64_t n_params, uint64_t n_bytes)
{
    deadline_describe(model_of(g, model)->deadline, n_params, n_bytes);
}

static const struct deadline_call loading = {.kind = DEADLINE_LOAD};

uint64_t guard_load_span_us(struct guard *g, str model)
{
    return deadline_spans(model_of(g, model)->deadline, &loading).total_us;
}

void guard_loaded(struct guard *g, str model, uint64_t took_us, bool is_late)
{
    struct deadline_sample s = {.is_whole = !is_late, .is_late = is_late, .total_us = took_us};
    deadline_hear(model_of(g, model)->deadline, &loading, &s);
}

bool guard_is_new(const struct guard *g, str model)
{
    const struct guarded_model *m = find_model(g, model);
    return !m || !m->is_heard;
}

struct deadline_spans guard_spans(struct guard *g, str model, const struct deadline_call *about)
{
    return deadline_spans(model_of(g, model)->deadline, about);
}

const struct deadline *guard_deadline(const struct guard *g, str model)
{
    const struct guarded_model *m = find_model(g, model);
    return m ? m->deadline : NULL;
}

const struct breaker *guard_breaker(const struct guard *g, str model)
{
    const struct guarded_model *m = find_model(g, model);
    bool is_endpoints = !m || g->breaker.state != BREAKER_CLOSED;
    return is_endpoints ? &g->breaker : &m->breaker;
}

/* -- looks -- */

uint64_t guard_looked(struct guard *g, bool is_alive, bool is_stranger, uint64_t now_us)
{
    g->is_stranger = is_stranger;
    g->health.wanted_us = is_stranger ? 0 : g->health.wanted_us;
    health_looked(&g->health, is_alive, now_us, throw_dice(g));
    if (is_alive) {
        breaker_alive(&g->breaker);
    }
    return g->health.next_us;
}

uint64_t guard_want(struct guard *g, uint64_t now_us)
{
    if (!g->is_stranger) {
        health_want(&g->health, now_us, throw_dice(g));
    }
    return g->health.next_us;
}

void guard_block(struct guard *g)
{
    breaker_block(&g->breaker);
    health_block(&g->health);
}

void guard_resume(struct guard *g, uint64_t now_us)
{
    struct guarded_model *m, *next;
    breaker_resume(&g->breaker, now_us);
    g->gate = (struct retry_gate){0};
    HASH_ITER(hh, g->models, m, next)
    {
        breaker_resume(&m->breaker, now_us);
        m->is_heard = false; /* it may have been unloaded meanwhile */
    }
}

enum health_state guard_health(const struct guard *g)
{
    return g->health.state;
}

struct guard_figures guard_figures(const struct guard *g)
{
    struct guard_figures f = g->figures;
    struct guarded_model *m, *next;
    f.n_opened = g->breaker.n_opens + g->n_opens_gone;
    f.n_retries = g->budget.n_given;
    f.n_unafforded = g->budget.n_denied;
    HASH_ITER(hh, g->models, m, next)
    {
        f.n_opened += m->breaker.n_opens;
    }
    return f;
}
