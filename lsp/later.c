/* later.c - more of an answer that the editor has; see later.h.
 *
 * Why      LSP has one answer for each request. It has to come early, when a line of the text is
 *          there or nothing yet; what comes then would wait for the next key.
 * How      A question to the engine that rides on with the text (QUESTION_UPDATE). What it brings
 *          goes out as one notification; while more may come, the next question follows it, not
 *          before EVERY_US are over.
 * Rules    An edit or a newer request ends the engine's question with ERR_CANCELLED, and with it
 *          this. Nothing is sent for a text that has changed. Where the editor doesn't read, what
 *          is sent may be dropped: the next key brings it. */
#include "lsp/later.h"

#include "core/base/clock.h"
#include "core/base/limits.h"

#define EVERY_US MS_TO_US(100)

struct later {
    struct ask *ask; /* the place; owned */
    bool is_explicit;
    uint64_t question; /* open, or 0 */
    uint64_t trace;
    size_t n_read;
    struct loop_timer *timer; /* to the next question; owned, NULL before the first */
    struct later *next, **at; /* in session->laters */
};

static void destroy(struct later *l)
{
    struct session_document *doc = l->ask->doc;
    if (doc && doc->later == l) {
        doc->later = NULL;
    }
    *l->at = l->next;
    if (l->next) {
        l->next->at = l->at;
    }
    loop_timer_destroy(l->timer);
    ask_free(l->ask);
    xfree(l);
}

bool later_is_wanted(const struct ask *a, const struct answer *answer)
{
    const struct session *s = a->session;
    bool has_shown = answer->text.len > 0;
    return s->client.takes_updates && s->state == SESSION_RUNNING && a->doc && answer->may_grow &&
           (a->kind == QUESTION_INLINE || !has_shown);
}

static void send(struct later *l, const struct open_document *doc, const struct answer *answer)
{
    struct ask *a = l->ask;
    struct session *s = a->session;
    struct json_writer *w = rpc_notify(s->rpc, STR("crucible/inlineUpdate"), true);
    if (!w) {
        return;
    }
    struct position p = position_from_offset(doc->text, a->cursor, s->client.encoding);
    json_begin_object(w);
    json_key_str(w, STR("uri"), buf_str(&a->uri));
    if (a->doc->has_version) {
        json_key_int(w, STR("version"), a->doc->version);
    }
    json_key(w, STR("position"));
    json_begin_object(w);
    json_key_int(w, STR("line"), p.line);
    json_key_int(w, STR("character"), p.character);
    json_end_object(w);
    json_key(w, STR("items"));
    inline_write_items(a, doc, answer, w);
    json_end_object(w);
    rpc_send(s->rpc);
}

static void ask_on(struct later *l);

static void on_timeout(void *user)
{
    ask_on(user);
}

static void on_done(const struct answer *answer, const struct error *error, void *user)
{
    struct later *l = user;
    struct ask *a = l->ask;
    struct session *s = a->session;
    const struct open_document *doc = documents_find(s->documents, a->document);
    l->question = 0;
    bool is_stale = !a->doc || !doc || document_revision(doc->text) != a->revision ||
                    s->state != SESSION_RUNNING;
    if (error || is_stale || answer->text.len == 0) {
        destroy(l);
        return;
    }
    send(l, doc, answer);
    if (!answer->may_grow) {
        destroy(l);
        return;
    }
    l->n_read = answer->n_read;
    if (!l->timer) {
        l->timer = loop_timer_create(s->options.loop, on_timeout, l);
    }
    loop_timer_set(l->timer, clock_now_us() + EVERY_US);
}

static void ask_on(struct later *l)
{
    const struct ask *a = l->ask;
    struct session *s = a->session;
    const struct open_document *doc = documents_find(s->documents, a->document);
    if (!a->doc || !doc || document_revision(doc->text) != a->revision || !s->engine) {
        destroy(l);
        return;
    }
    struct question q = {.kind = QUESTION_UPDATE,
                         .document = a->document,
                         .cursor = a->cursor,
                         .selected_start = a->cursor,
                         .is_explicit = l->is_explicit,
                         .trace = l->trace,
                         .n_read = l->n_read};
    if (a->is_popup) {
        q.selected = buf_str(&a->typed);
        q.selected_start = a->start;
    }
    l->question = engine_ask(s->engine, &q, &(struct sink){.on_done = on_done, .user = l});
}

void later_begin(struct ask *a, const struct answer *answer)
{
    struct session *s = a->session;
    struct later *l = xcalloc(1, sizeof *l);
    l->ask = a;
    l->is_explicit = a->is_explicit;
    l->trace = answer->trace;
    l->n_read = answer->n_read;
    if (a->kind == QUESTION_COMPLETION) { /* ghost text stands at the cursor alone */
        a->start = a->cursor;
        buf_clear(&a->typed);
    }
    later_drop(a->doc);
    a->doc->later = l;
    l->next = s->laters;
    l->at = &s->laters;
    if (l->next) {
        l->next->at = &l->next;
    }
    s->laters = l;
    ask_on(l);
}

void later_drop(struct session_document *doc)
{
    struct later *l = doc->later;
    if (!l) {
        return;
    }
    doc->later = NULL;
    if (l->question) {
        l->ask->doc = NULL; /* its end follows from the engine's */
        engine_cancel(l->ask->session->engine, l->question);
    } else {
        destroy(l);
    }
}

void laters_release(struct session *s)
{
    while (s->laters) {
        destroy(s->laters);
    }
}
