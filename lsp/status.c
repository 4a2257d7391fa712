/* status.c - tells the editor what goes on, and answers who asks for figures.
 *
 * Rules    At most ten notifications a second, and none that says what the last one said. They
 *          may be dropped when the editor doesn't read. */
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/limits.h"
#include "core/report/stats.h"
#include "lsp/session.h"

#define STATUS_EVERY_US MS_TO_US(100)
#define TRACE_RECORDS   64u

void status_write(struct session *s, struct json_writer *w)
{
    session_wake(s);
    json_begin_object(w);
    if (s->is_off) {
        json_key_str(w, STR("kind"), STR("inactive"));
        json_key_bool(w, STR("busy"), false);
        json_key_str(w, STR("model"), STR(""));
        json_key_str(w, STR("endpoint"), STR(""));
        json_key(w, STR("loading"));
        json_put_null(w);
        json_key_str(w, STR("message"), STR("switched off for this session (crucible.toggle)"));
        json_key_str(w, STR("why"), engine_status(s->engine).why);
    } else {
        stats_write_status(s->engine, w);
    }
    json_end_object(w);
}

/* For editor plugins that know the older notification. */
static void send_dialect(struct session *s)
{
    static const char *const kinds[] = {[MOOD_NORMAL] = "Normal",
                                        [MOOD_LOADING] = "Normal",
                                        [MOOD_WARNING] = "Warning",
                                        [MOOD_INACTIVE] = "Inactive"};
    struct engine_status status = engine_status(s->engine);
    struct json_writer *w = rpc_notify(s->rpc, STR("didChangeStatus"), true);
    if (w) {
        json_begin_object(w);
        json_key_bool(w, STR("busy"), status.is_busy);
        json_key_str(w, STR("message"), status.message);
        json_key_str(w, STR("kind"), str_from(s->is_off ? "Inactive" : kinds[status.mood]));
        json_end_object(w);
        rpc_send(s->rpc);
    }
}

static void send_status(struct session *s)
{
    struct buf text;
    buf_init(&text, 16 * KIB);
    struct json_writer w = json_writer(&text);
    status_write(s, &w);
    if (!text.is_full && !str_eq(buf_str(&text), buf_str(&s->status))) {
        struct json_writer *out = rpc_notify(s->rpc, STR("crucible/status"), true);
        if (out) {
            json_put_raw(out, buf_str(&text));
            rpc_send(s->rpc);
            buf_clear(&s->status);
            buf_append(&s->status, buf_str(&text));
        }
        if (s->client.is_plugin) {
            send_dialect(s);
        }
    }
    buf_release(&text);
}

static void on_status_timeout(void *user)
{
    struct session *s = user;
    s->is_status_due = false;
    if (s->state == SESSION_RUNNING && s->engine) {
        s->status_us = clock_now_us();
        send_status(s);
    }
}

void status_changed(struct session *s)
{
    if (s->is_status_due || !s->is_set_out || s->state != SESSION_RUNNING) {
        return;
    }
    if (!s->status_timer) {
        s->status_timer = loop_timer_create(s->options.loop, on_status_timeout, s);
    }
    s->is_status_due = true;
    uint64_t now_us = clock_now_us();
    uint64_t next_us = s->status_us + STATUS_EVERY_US;
    loop_timer_set(s->status_timer, next_us > now_us ? next_us : now_us);
}

void status_release(struct session *s)
{
    loop_timer_destroy(s->status_timer);
    buf_release(&s->status);
}

/* -- requests -- */

static void write_server(const struct session *s, struct json_writer *w)
{
    json_key(w, STR("server"));
    json_begin_object(w);
    json_key_int(w, STR("pid"), getpid());
    json_key_str(w, STR("version"), str_from(CRUCIBLE_VERSION));
    json_key_str(w, STR("editor"), str_from(s->client.name));
    json_key_int(w, STR("uptimeMs"), (int64_t)((clock_now_us() - s->started_us) / 1000));
    json_key_str(w, STR("workspace"), s->n_folders > 0 ? s->folders[0] : STR(""));
    json_end_object(w);
}

static void write_rpc(const struct session *s, struct json_writer *w)
{
    struct rpc_stats stats = rpc_stats(s->rpc);
    json_key(w, STR("rpc"));
    json_begin_object(w);
    json_key_int(w, STR("requests"), (int64_t)stats.n_requests);
    json_key_int(w, STR("notifications"), (int64_t)stats.n_notifications);
    json_key_int(w, STR("cancels"), (int64_t)stats.n_cancels);
    json_key_int(w, STR("errors"), (int64_t)stats.n_errors);
    json_key_int(w, STR("problems"), (int64_t)stats.n_problems);
    json_key_int(w, STR("dropped"), (int64_t)stats.n_dropped);
    json_key_int(w, STR("pending"), (int64_t)stats.n_pending);
    json_key_int(w, STR("bytesIn"), (int64_t)stats.n_bytes_in);
    json_key_int(w, STR("bytesOut"), (int64_t)stats.n_bytes_out);
    json_key(w, STR("handledUs"));
    stats_write_histogram(&stats.handled, 1, w);
    json_end_object(w);
}

void stats_write_all(struct session *s, struct json_writer *w)
{
    session_wake(s);
    json_begin_object(w);
    write_server(s, w);
    stats_write(&(struct stats_sources){.engine = s->engine,
                                        .store = s->store,
                                        .upstream = s->upstream,
                                        .predictor = s->predictor,
                                        .documents = s->documents,
                                        .max_trace = TRACE_RECORDS},
                w);
    write_rpc(s, w);
    json_end_object(w);
}

void on_status_request(struct session *s, struct rpc_call *call)
{
    session_wake(s);
    status_write(s, rpc_result(call));
    rpc_send(s->rpc);
}

void on_stats_request(struct session *s, struct rpc_call *call)
{
    session_wake(s);
    stats_write_all(s, rpc_result(call));
    rpc_send(s->rpc);
}
