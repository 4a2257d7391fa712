/* progress.c - work-done progress with the pace of a screen; see progress.h. */
#include "lsp/progress.h"

#include "core/base/clock.h"
#include "core/base/limits.h"

#define FRAME_US          MS_TO_US(33)
#define MESSAGE_MAX_BYTES (4u * KIB)

enum progress_state { PROGRESS_CREATING, PROGRESS_OPEN, PROGRESS_SILENT };

struct progress {
    struct session *session;
    enum progress_state state;
    bool is_ended; /* while CREATING: freed when the editor has answered */
    struct buf token, title, message, sent;
    uint64_t sent_us;
    struct loop_timer *timer; /* owned */
};

static void destroy(struct progress *p)
{
    loop_timer_destroy(p->timer);
    buf_release(&p->token);
    buf_release(&p->title);
    buf_release(&p->message);
    buf_release(&p->sent);
    xfree(p);
}

/* One $/progress; `kind` is begin, report or end. */
static void send(struct progress *p, str kind, str message)
{
    struct session *s = p->session;
    bool may_drop = str_eq(kind, STR("report"));
    struct json_writer *w = s->rpc ? rpc_notify(s->rpc, STR("$/progress"), may_drop) : NULL;
    if (!w) {
        return;
    }
    json_begin_object(w);
    json_key_str(w, STR("token"), buf_str(&p->token));
    json_key(w, STR("value"));
    json_begin_object(w);
    json_key_str(w, STR("kind"), kind);
    if (str_eq(kind, STR("begin"))) {
        json_key_str(w, STR("title"), buf_str(&p->title));
        json_key_bool(w, STR("cancellable"), true);
    }
    if (message.len > 0) {
        json_key_str(w, STR("message"), message);
    }
    json_end_object(w);
    json_end_object(w);
    rpc_send(s->rpc);
    p->sent_us = clock_now_us();
}

static void send_message(struct progress *p)
{
    str message = buf_str(&p->message);
    if (!str_eq(message, buf_str(&p->sent))) {
        buf_clear(&p->sent);
        buf_append(&p->sent, message);
        send(p, STR("report"), message);
    }
}

static void on_created(struct json result, const struct error *error, void *user)
{
    (void)result;
    struct progress *p = user;
    p->state = error ? PROGRESS_SILENT : PROGRESS_OPEN;
    if (p->session->state == SESSION_RUNNING) {
        session_arm_rpc(p->session);
        if (!error && !p->is_ended) {
            send(p, STR("begin"), buf_str(&p->message));
            buf_append(&p->sent, buf_str(&p->message));
            p->sent_us = 0; /* what comes next is sent at once */
        }
    }
    if (p->is_ended) {
        destroy(p);
    }
}

static void on_frame(void *user)
{
    send_message(user);
}

struct progress *progress_create(struct session *s, str token, str title)
{
    struct progress *p = xcalloc(1, sizeof *p);
    p->session = s;
    buf_init(&p->token, KIB);
    buf_init(&p->title, KIB);
    buf_init(&p->message, MESSAGE_MAX_BYTES);
    buf_init(&p->sent, MESSAGE_MAX_BYTES);
    buf_append(&p->token, token);
    buf_append(&p->title, title);
    p->timer = loop_timer_create(s->options.loop, on_frame, p);
    if (!s->client.takes_progress) {
        p->state = PROGRESS_SILENT;
        return p;
    }
    struct json_writer *w =
        rpc_request(s->rpc, STR("window/workDoneProgress/create"), CLOCK_NEVER, on_created, p);
    json_begin_object(w);
    json_key_str(w, STR("token"), token);
    json_end_object(w);
    rpc_send(s->rpc);
    return p;
}

void progress_report(struct progress *p, str message)
{
    buf_clear(&p->message);
    buf_append(&p->message, message);
    if (p->state != PROGRESS_OPEN) {
        return;
    }
    uint64_t now_us = clock_now_us();
    if (now_us - p->sent_us >= FRAME_US) {
        send_message(p);
    } else {
        loop_timer_set(p->timer, p->sent_us + FRAME_US);
    }
}

void progress_end(struct progress *p, str message)
{
    if (!p) {
        return;
    }
    loop_timer_set(p->timer, CLOCK_NEVER);
    if (p->state == PROGRESS_CREATING) {
        p->is_ended = true;
        return;
    }
    if (p->state == PROGRESS_OPEN && p->session->state == SESSION_RUNNING) {
        send(p, STR("end"), message);
    }
    destroy(p);
}
