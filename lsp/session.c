/* session.c - one editor's connection: made, fed, ended.
 *
 * How      Bytes go to rpc, calls come back through the table of methods. The parts that cost
 *          something are made by session_wake, which anything that needs them calls first.
 * Rules    A session is never destroyed from inside a call of its own: session_exit only marks it
 *          and posts on_exit. Posts outlive the session through the tether, which both share. */
#include "lsp/session.h"

#include "core/base/clock.h"
#include "core/base/limits.h"
#include "core/base/log.h"
#include "lsp/later.h"
#include "lsp/answer_store.h"
#include "lsp/methods.h"
#include "lsp/task.h"

struct session_tether {
    struct session *session; /* NULL once it is gone */
    unsigned n_posts;        /* that hold on to this */
};
struct session_post_item {
    struct session_tether *tether;
    void (*fn)(struct session *s);
};

static void on_call(struct rpc_call *call, void *user);
static void on_lost(const char *why, void *user);
static void on_rpc_timeout(void *user);
static void on_upstream_change(void *user);
static void on_engine_status(void *user);

struct session *session_create(const struct session_options *options)
{
    struct session *s = xcalloc(1, sizeof *s);
    s->options = *options;
    s->started_us = clock_now_us();
    s->tether = xcalloc(1, sizeof *s->tether);
    s->tether->session = s;
    struct rpc_options rpc = {.write = options->write,
                              .queued = options->queued,
                              .on_call = on_call,
                              .on_lost = on_lost,
                              .user = s,
                              .writer_user = options->user,
                              .max_message_bytes = RPC_MAX_MESSAGE_BYTES,
                              .max_out_bytes = RPC_MAX_OUT_BYTES};
    s->rpc = rpc_create(&rpc);
    s->rpc_timer = loop_timer_create(options->loop, on_rpc_timeout, s);
    s->documents = documents_create();
    s->builder = settings_builder_create();
    (void)pthread_mutex_init(&s->privacy_lock, NULL);
    buf_init(&s->problems, 16 * KIB);
    buf_init(&s->shown_problems, 16 * KIB);
    buf_init(&s->last_uri, URI_MAX_BYTES);
    buf_init(&s->key, 4 * URI_MAX_BYTES);
    buf_init(&s->status, 16 * KIB);
    return s;
}

static void drop_tether(struct session_tether *t)
{
    if (!t->session && t->n_posts == 0) {
        xfree(t);
    }
}

void session_destroy(struct session *s)
{
    if (!s) {
        return;
    }
    s->state = SESSION_OVER;
    s->is_set_out = false;
    tasks_cancel_all(s);
    engine_destroy(s->engine); /* ends what is asked: each is answered */
    s->engine = NULL;
    laters_release(s);
    store_destroy(s->store);
    upstream_destroy(s->upstream);
    predictor_destroy(s->predictor);
    rpc_destroy(s->rpc); /* lets the tasks go that wait for the editor */
    s->rpc = NULL;
    answers_release(s);
    loop_timer_destroy(s->rpc_timer);
    loop_watch_destroy(s->parent);
    sync_release(s);
    documents_destroy(s->documents);
    status_release(s);
    config_release(s);
    for (size_t i = 0; i < s->n_folders; i++) {
        xfree((char *)(uintptr_t)s->folders[i].ptr);
    }
    xfree(s->folders);
    s->tether->session = NULL;
    drop_tether(s->tether);
    xfree(s);
}

void session_feed(struct session *s, str bytes)
{
    if (s->state != SESSION_OVER) {
        rpc_feed(s->rpc, bytes);
    }
}

void session_end_of_input(struct session *s)
{
    if (!rpc_is_between(s->rpc)) {
        log_warn(LOG_LSP, "the input ended inside a message");
    }
    session_exit(s, s->state == SESSION_CLOSING ? 0 : 1);
}

/* -- posts -- */

static void run_post(void *user)
{
    struct session_post_item *item = user;
    struct session_tether *t = item->tether;
    t->n_posts--;
    if (t->session) {
        item->fn(t->session);
    }
    drop_tether(t);
    xfree(item);
}

void session_post(struct session *s, void (*fn)(struct session *s))
{
    struct session_post_item *item = xcalloc(1, sizeof *item);
    item->tether = s->tether;
    item->fn = fn;
    s->tether->n_posts++;
    loop_post(s->options.loop, run_post, item);
}

static void tell_exit(struct session *s)
{
    s->options.on_exit(s->exit_code, s->options.user);
}

void session_exit(struct session *s, int code)
{
    if (s->state == SESSION_OVER) {
        return;
    }
    log_info(LOG_LSP, "leaving with code %d", code);
    s->state = SESSION_OVER;
    s->exit_code = code;
    rpc_stop(s->rpc);
    session_post(s, tell_exit);
}

/* -- rpc -- */

static void on_call(struct rpc_call *call, void *user)
{
    methods_dispatch(user, call);
}

static void on_lost(const char *why, void *user)
{
    struct session *s = user;
    log_error(LOG_RPC, "giving up on the editor: %s", why);
    session_exit(s, 1);
}

static void on_rpc_timeout(void *user)
{
    struct session *s = user;
    rpc_tick(s->rpc, clock_now_us());
    session_arm_rpc(s);
}

void session_arm_rpc(struct session *s)
{
    loop_timer_set(s->rpc_timer, rpc_next_us(s->rpc));
}

void session_show(struct session *s, int type, str message)
{
    struct json_writer *w = rpc_notify(s->rpc, STR("window/showMessage"), false);
    if (w) {
        json_begin_object(w);
        json_key_int(w, STR("type"), type);
        json_key_str(w, STR("message"), message);
        json_end_object(w);
        rpc_send(s->rpc);
    }
}

void session_note(struct session *s, const char *kind, str path, const char *why)
{
    if (s->engine) {
        struct trace *t = engine_trace(s->engine);
        uint64_t now_us = clock_now_us();
        uint64_t serial = trace_begin(t, kind, path, now_us, clock_wall_us());
        trace_why(t, serial, "%s", why);
        trace_end(t, serial, "empty", now_us);
    }
}

/* -- the engine and its parts -- */

void session_wake(struct session *s)
{
    if (s->engine) {
        return;
    }
    config_load(s);
    struct predictor_options learning = PREDICTOR_OPTIONS_INIT;
    learning.max_file_bytes = s->settings->context_file_bytes;
    learning.is_excluded = config_is_excluded;
    learning.user = s;
    s->predictor = predictor_create(s->options.loop, &learning);
    struct upstream_options reach = {.providers = s->options.providers,
                                     .predictor = s->predictor,
                                     .on_change = on_upstream_change,
                                     .user = s};
    s->upstream = upstream_create(s->options.loop, &reach);
    upstream_configure(s->upstream, s->settings);
    s->store = answer_store_create(s->options.loop, s->settings);
    struct engine_options parts = {.loop = s->options.loop,
                                   .documents = s->documents,
                                   .upstream = s->upstream,
                                   .predictor = s->predictor,
                                   .settings = s->settings,
                                   .store = s->store,
                                   .on_status = on_engine_status,
                                   .user = s};
    s->engine = engine_create(&parts);
}

void session_set_out(struct session *s)
{
    if (s->is_set_out || s->state != SESSION_RUNNING) {
        return;
    }
    session_wake(s);
    s->is_set_out = true;
    config_show_problems(s);
    upstream_probe(s->upstream);
    store_warm(s->store);
    for (size_t i = 0; i < s->n_folders; i++) {
        predictor_learn_workspace(s->predictor, s->folders[i]);
    }
    config_on_consent_turn(s);
    status_changed(s);
}

static void on_upstream_change(void *user)
{
    struct session *s = user;
    if (s->engine) {
        engine_on_upstream(s->engine);
    }
    status_changed(s);
}

static void on_engine_status(void *user)
{
    status_changed(user);
}
