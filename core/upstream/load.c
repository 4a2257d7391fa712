/* load.c - models that a server loads when they are needed, and unloads when they aren't.
 *
 *     not loaded --upstream_load--> loading --> loaded --(unused for long, or pushed out)--+
 *          ^                           |                                                   |
 *          |                           +--> failed, not tried again for 10 s .. 60 s       |
 *          +-------------------------------------------------------------------------------+
 *
 * Why      A question that finds its model unloaded has it loaded, for seconds; and the next
 *          keystroke, which cancels the question, cancels the load with it. So nothing is ever
 *          asked of a model that isn't loaded: it is loaded first, by an exchange of its own that
 *          ends with the load, with its endpoint or with the program, and with nothing else.
 * How      One record for each load under way and for each one that failed, by endpoint and model.
 *          What is known stands in the endpoint's models, where the route reads it. It grows old:
 *          a server says nothing when it unloads a model. So before a model is asked of which
 *          nothing was heard for a while, the server is asked which ones are loaded (a glance),
 *          which costs a millisecond on loopback. Nothing is asked while nobody types.
 *          Some servers answer an order to load at once: then glances tell when it is done.
 * Rules    A glance that fails leaves what was known in force: the exchange will see. After a load
 *          the server is glanced at, since it may have pushed another model out. */
#include "core/upstream/internal.h"

#include <string.h>

#include "core/base/clock.h"
#include "core/base/limits.h"
#include "core/base/log.h"

#define LOAD_TOTAL_US     SEC_TO_US(300)
#define LOAD_RETRY_US     SEC_TO_US(10)
#define LOAD_MAX_RETRY_US SEC_TO_US(60)
#define HEARD_FRESH_US    SEC_TO_US(20)
#define GLANCE_TOTAL_US   SEC_TO_US(2)
#define GLANCE_MAX_BYTES  MIB
#define LOAD_REPLY_BYTES  HTTP_MAX_ERROR_BYTES
#define LOAD_POLL_US      MS_TO_US(250)

/* A load under way, or one that failed and isn't tried again yet. */
struct load {
    struct upstream *upstream;
    struct load *next;
    uint64_t endpoint; /* id */
    struct buf model;
    uint64_t transfer; /* 0: the order was answered */
    bool is_awaited;   /* the server has begun: glances tell when it is done */
    uint64_t poll_us;  /* the next glance for it; CLOCK_NEVER while one is under way */
    int status;
    struct buf reply;
    uint64_t began_us, deadline_us, retry_us;
    unsigned n_failures; /* in a row */
    struct error error;  /* of the last failure */
};

static void on_load_status(int status, str content_type, void *user);
static void on_load_bytes(str bytes, void *user);
static void on_load_done(const struct error *error, void *user);
static void on_glance_status(int status, str content_type, void *user);
static void on_glance_bytes(str bytes, void *user);
static void on_glance_done(const struct error *error, void *user);

static bool is_under_way(const struct load *l)
{
    return l->transfer != 0 || l->is_awaited;
}

/* -- what is known -- */

struct model_info *entry_model(const struct entry *en, str id)
{
    for (size_t i = 0; i < en->e.n_models; i++) {
        if (str_eq(en->models[i].id, id)) {
            return &en->models[i];
        }
    }
    return NULL;
}

static struct load *load_find(const struct upstream *u, uint64_t endpoint, str model)
{
    for (struct load *l = u->loads; l; l = l->next) {
        if (l->endpoint == endpoint && str_eq(buf_str(&l->model), model)) {
            return l;
        }
    }
    return NULL;
}

static void load_free(struct load *l)
{
    for (struct load **at = &l->upstream->loads; *at; at = &(*at)->next) {
        if (*at == l) {
            *at = l->next;
            break;
        }
    }
    http_cancel(l->upstream->http, l->transfer);
    buf_release(&l->model);
    buf_release(&l->reply);
    xfree(l);
}

void entry_heard_model(struct entry *en, str model)
{
    struct model_info *m = en->e.ops->encode_load ? entry_model(en, model) : NULL;
    if (!m) {
        return;
    }
    m->heard_us = clock_now_us();
    if (!m->is_loaded && !m->is_loading) {
        m->is_loaded = true;
        upstream_changed(en->upstream);
    }
}

/* What the records say of each model. */
static void mark_loads(struct entry *en)
{
    for (size_t i = 0; i < en->e.n_models; i++) {
        struct model_info *m = &en->models[i];
        const struct load *l = load_find(en->upstream, en->e.id, m->id);
        m->is_loading = l && is_under_way(l);
        m->load_error = l && l->n_failures > 0 ? &l->error : NULL;
    }
}

void loads_mark(struct entry *en)
{
    uint64_t now_us = clock_now_us();
    mark_loads(en);
    for (size_t i = 0; i < en->e.n_models; i++) {
        struct model_info *m = &en->models[i];
        m->is_loaded = m->is_loaded && !m->is_loading; /* some servers list it from the start */
        m->heard_us = m->is_loaded ? now_us : 0;
    }
}

/* -- time -- */

static void wake_loads(struct upstream *u)
{
    uint64_t next_us = CLOCK_NEVER;
    for (const struct load *l = u->loads; l; l = l->next) {
        next_us = is_under_way(l) && l->deadline_us < next_us ? l->deadline_us : next_us;
        next_us = l->is_awaited && l->poll_us < next_us ? l->poll_us : next_us;
    }
    for (size_t i = 0; i < u->n_entries; i++) {
        const struct entry *en = u->entries[i];
        bool is_sooner = en->glance != 0 && en->glance_deadline_us < next_us;
        next_us = is_sooner ? en->glance_deadline_us : next_us;
    }
    loop_timer_set(u->load_timer, next_us);
}

/* -- loading -- */

static enum err encode_load(const struct entry *en, str model, struct http_request *out,
                            struct error *why)
{
    struct load_order order = {.model = model,
                               .keep_s = en->upstream->keep_s,
                               .n_ctx = entry_n_ctx(en, model),
                               .extra_body = en->extra_body,
                               .dialect = en->dialect};
    return en->e.ops->encode_load(&order, out, why);
}

static struct load *load_create(struct upstream *u, uint64_t endpoint, str model)
{
    struct load *l = xcalloc(1, sizeof *l);
    l->upstream = u;
    l->endpoint = endpoint;
    buf_init(&l->model, model.len);
    buf_append(&l->model, model);
    buf_init(&l->reply, LOAD_REPLY_BYTES);
    l->next = u->loads;
    u->loads = l;
    return l;
}

/* Remembers the failure and when to try again: 10, 20, 40, 60 s later. */
static void fail(struct load *l, const struct error *why)
{
    unsigned shift = l->n_failures < 3 ? l->n_failures : 3;
    uint64_t wait_us = LOAD_RETRY_US << shift;
    wait_us = wait_us < LOAD_MAX_RETRY_US ? wait_us : LOAD_MAX_RETRY_US;
    l->transfer = 0;
    l->is_awaited = false;
    l->error = *why;
    l->n_failures++;
    l->retry_us = clock_now_us() + wait_us;
    log_warn(LOG_UPSTREAM, "load: endpoint=%llu model=%s failed: %s: %s",
             (unsigned long long)l->endpoint, LOG_SAFE(buf_str(&l->model)), err_name(why->code),
             why->msg);
}

/* The models say what has become of a load. */
static void tell(struct upstream *u, uint64_t endpoint)
{
    struct entry *en = upstream_entry(u, endpoint);
    if (en) {
        mark_loads(en);
        upstream_changed(u);
    }
    wake_loads(u);
}

static void start(struct load *l, struct entry *en)
{
    struct upstream *u = l->upstream;
    struct error why = {0};
    struct http_target target;
    struct http_request request;
    struct http_events events = {on_load_status, on_load_bytes, on_load_done, l, NULL};
    http_request_init(&request);
    l->status = 0;
    buf_clear(&l->reply);
    l->began_us = clock_now_us();
    l->deadline_us = l->began_us + LOAD_TOTAL_US;
    if (entry_target(en, &target, &why) == ERR_OK &&
        encode_load(en, buf_str(&l->model), &request, &why) == ERR_OK) {
        entry_set_path(en, &request.path);
        l->transfer = http_start(u->http, &target, &request, HTTP_MAX_BODY_BYTES, &events);
        log_info(LOG_UPSTREAM, "load: endpoint=%llu model=%s", (unsigned long long)l->endpoint,
                 LOG_SAFE(buf_str(&l->model)));
    } else {
        fail(l, &why);
    }
    http_request_release(&request);
}

void upstream_load(struct upstream *u, uint64_t endpoint, str model)
{
    struct entry *en = upstream_entry(u, endpoint);
    const struct model_info *m = en && en->e.ops->encode_load ? entry_model(en, model) : NULL;
    if (!m || m->is_loaded || en->e.state != ENDPOINT_READY) {
        return;
    }
    struct load *l = load_find(u, endpoint, model);
    if (l && (is_under_way(l) || clock_now_us() < l->retry_us)) {
        return;
    }
    start(l ? l : load_create(u, endpoint, model), en);
    tell(u, endpoint);
}

static void on_load_status(int status, str content_type, void *user)
{
    (void)content_type;
    struct load *l = user;
    l->status = status;
}

static void on_load_bytes(str bytes, void *user)
{
    struct load *l = user;
    buf_append(&l->reply, str_sub(bytes, 0, LOAD_REPLY_BYTES - l->reply.len));
}

static void glance(struct entry *en);

/* The model is there; its record goes. */
static void finish(struct load *l, struct entry *en)
{
    struct model_info *m = entry_model(en, buf_str(&l->model));
    log_info(LOG_UPSTREAM, "load: endpoint=%llu model=%s took=%llums",
             (unsigned long long)l->endpoint, LOG_SAFE(buf_str(&l->model)),
             (unsigned long long)(clock_now_us() - l->began_us) / 1000);
    guard_loaded(en->guard, buf_str(&l->model), clock_now_us() - l->began_us, false);
    if (m) {
        m->is_loaded = true;
        m->heard_us = clock_now_us();
    }
    load_free(l);
}

static void succeed(struct load *l, struct entry *en)
{
    finish(l, en);
    loads_glance_stop(en); /* one that is under way may not know of it yet */
    glance(en);
}

static void await(struct load *l, struct entry *en)
{
    l->is_awaited = true;
    l->poll_us = clock_now_us() + LOAD_POLL_US;
    loads_glance_stop(en);
}

static enum load_state read_load(const struct load *l, const struct entry *en)
{
    if (en->e.ops->read_load) {
        return en->e.ops->read_load(l->status, buf_str(&l->reply));
    }
    return l->status == 200 ? LOAD_DONE : LOAD_FAILED;
}

static void fail_answered(struct load *l, struct entry *en, const struct error *error)
{
    struct error why = {0};
    if (error) {
        why = *error;
    } else {
        en->e.ops->explain(l->status, buf_str(&l->reply), &why);
    }
    entry_hide_key(en, &why);
    fail(l, &why);
    entry_heard(en, &why);
}

static void on_load_done(const struct error *error, void *user)
{
    struct load *l = user;
    struct upstream *u = l->upstream;
    uint64_t endpoint = l->endpoint;
    struct entry *en = upstream_entry(u, endpoint);
    l->transfer = 0;
    if (!en) { /* forgotten before: can't be */
        load_free(l);
        return;
    }
    switch (error ? LOAD_FAILED : read_load(l, en)) {
    case LOAD_DONE:
        succeed(l, en);
        break;
    case LOAD_UNDER_WAY:
        await(l, en);
        break;
    case LOAD_FAILED:
        fail_answered(l, en, error);
        break;
    }
    tell(u, endpoint);
}

/* -- glancing -- */

void loads_glance_stop(struct entry *en)
{
    http_cancel(en->upstream->http, en->glance);
    en->glance = 0;
    buf_release(&en->glance_body);
}

static void glance(struct entry *en)
{
    struct error why = {0};
    struct http_target target;
    struct http_request request;
    struct http_events events = {on_glance_status, on_glance_bytes, on_glance_done, en, NULL};
    if (en->glance != 0 || entry_target(en, &target, &why) != ERR_OK) {
        return;
    }
    http_request_init(&request);
    en->e.ops->encode_running(en->dialect, &request);
    entry_set_path(en, &request.path);
    buf_init(&en->glance_body, GLANCE_MAX_BYTES);
    en->glance_status = 0;
    en->glance_deadline_us = clock_now_us() + GLANCE_TOTAL_US;
    en->glance = http_start(en->upstream->http, &target, &request, GLANCE_MAX_BYTES, &events);
    http_request_release(&request);
    wake_loads(en->upstream);
}

void loads_doubt(struct entry *en)
{
    if (en->e.ops->encode_running && !en->e.is_static && en->e.state == ENDPOINT_READY) {
        glance(en);
    }
}

bool upstream_confirm_loaded(struct upstream *u, uint64_t endpoint, str model)
{
    struct entry *en = upstream_entry(u, endpoint);
    const struct model_info *m = en && en->e.ops->encode_running ? entry_model(en, model) : NULL;
    if (!m || en->e.is_static || m->is_remote || !m->is_loaded ||
        clock_now_us() - m->heard_us < HEARD_FRESH_US) {
        return true;
    }
    glance(en);
    return en->glance == 0; /* it can't be asked: the exchange will tell why */
}

static void on_glance_status(int status, str content_type, void *user)
{
    (void)content_type;
    struct entry *en = user;
    en->glance_status = status;
}

static void on_glance_bytes(str bytes, void *user)
{
    struct entry *en = user;
    buf_append(&en->glance_body, bytes);
}

/* What a glance says of the loads that are awaited. */
static void settle_awaited(struct entry *en, bool is_told)
{
    struct load *next;
    for (struct load *l = en->upstream->loads; l; l = next) {
        next = l->next;
        if (l->endpoint != en->e.id || !l->is_awaited) {
            continue;
        }
        const struct model_info *m = entry_model(en, buf_str(&l->model));
        if (is_told && m && m->is_loaded) {
            finish(l, en);
        } else if (is_told && (!m || !m->is_starting)) {
            struct error why;
            error_set(&why, ERR_STATUS,
                      "the server gave up loading it; the server's own log says why");
            fail(l, &why);
        } else {
            l->poll_us = clock_now_us() + LOAD_POLL_US;
        }
    }
    mark_loads(en);
}

/* A model that is being loaded, or that a server forwards, isn't what a glance is about. */
static void take_glance(struct entry *en, bool is_told)
{
    uint64_t now_us = clock_now_us();
    loads_glance_stop(en);
    settle_awaited(en, is_told);
    for (size_t i = 0; i < en->e.n_models; i++) {
        struct model_info *m = &en->models[i];
        m->is_loaded = (m->is_loaded && !m->is_loading) || m->is_remote;
        m->heard_us = m->is_loaded ? now_us : m->heard_us;
    }
    log_debug(LOG_UPSTREAM, "glance: endpoint=%llu told=%d", (unsigned long long)en->e.id, is_told);
    upstream_changed(en->upstream);
    wake_loads(en->upstream);
}

static void on_glance_done(const struct error *error, void *user)
{
    struct entry *en = user;
    bool is_told = !error && en->glance_status == 200 &&
                   en->e.ops->read_running(buf_str(&en->glance_body), &en->models_arena, en->models,
                                           en->e.n_models);
    en->glance = 0;
    if (error) {
        entry_heard(en, error);
    }
    take_glance(en, is_told);
}

/* -- deadlines, and the end -- */

static struct load *next_late(const struct upstream *u, uint64_t now_us)
{
    struct load *l = u->loads;
    while (l && (!is_under_way(l) || now_us < l->deadline_us)) {
        l = l->next;
    }
    return l;
}

/* Glances for the loads whose time has come. */
static void poll_awaited(struct upstream *u, uint64_t now_us)
{
    for (struct load *l = u->loads; l; l = l->next) {
        struct entry *en = upstream_entry(u, l->endpoint);
        if (l->is_awaited && now_us >= l->poll_us && en) {
            l->poll_us = CLOCK_NEVER;
            glance(en);
            l->poll_us = en->glance != 0 ? CLOCK_NEVER : now_us + LOAD_POLL_US;
        }
    }
}

void loads_on_deadline(struct upstream *u)
{
    uint64_t now_us = clock_now_us();
    struct load *l;
    while ((l = next_late(u, now_us)) != NULL) {
        struct error why;
        error_set(&why, ERR_TIMEOUT, "it wasn't loaded after %u minutes",
                  (unsigned)(LOAD_TOTAL_US / SEC_TO_US(60)));
        http_cancel(u->http, l->transfer);
        const struct entry *en = upstream_entry(u, l->endpoint);
        if (en) {
            guard_loaded(en->guard, buf_str(&l->model), now_us - l->began_us, true);
        }
        fail(l, &why);
        tell(u, l->endpoint);
    }
    for (size_t i = 0; i < u->n_entries; i++) {
        struct entry *en = u->entries[i];
        if (en->glance != 0 && now_us >= en->glance_deadline_us) {
            take_glance(en, false);
        }
    }
    poll_awaited(u, now_us);
    wake_loads(u);
}

void loads_forget(struct upstream *u, uint64_t endpoint)
{
    struct entry *en = upstream_entry(u, endpoint);
    struct load *l = u->loads;
    while (l) {
        struct load *next = l->next;
        if (l->endpoint == endpoint) {
            load_free(l);
        }
        l = next;
    }
    if (en) {
        loads_glance_stop(en);
        mark_loads(en); /* nothing points at what has gone */
    }
}

void loads_destroy(struct upstream *u)
{
    while (u->loads) {
        load_free(u->loads);
    }
}
