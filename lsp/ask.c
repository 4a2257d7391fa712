/* ask.c - one editor request that waits for the engine's answer.
 *
 * Why      Ghost text and the popup's entry differ in what they write, not in how they wait.
 * How      An ask is made with the deferred call, and freed by on_done, which answers it. What
 *          makes an answer stale (an edit, a newer request, a closed document) ends the question
 *          with ERR_CANCELLED in the engine, so there is one way out.
 * Rules    A failure is silence for keystrokes; who asked explicitly is told the reason. */
#include "lsp/ask.h"

#include "core/base/clock.h"
#include "core/base/limits.h"
#include "lsp/later.h"
#include "lsp/partial.h"

static void on_done(const struct answer *answer, const struct error *error, void *user);
static void on_cancel(void *user);

static void write_items(struct ask *a, enum question_kind kind, const struct open_document *doc,
                        const struct answer *answer, struct json_writer *w)
{
    if (kind == QUESTION_INLINE) {
        inline_write_items(a, doc, answer, w);
    } else {
        completion_write_items(a, doc, answer, w);
    }
}

/* The whole result. `a` is NULL where nothing was asked, nor will be in this place. */
static void write_list(struct ask *a, enum question_kind kind, const struct open_document *doc,
                       const struct answer *answer, struct json_writer *w)
{
    json_begin_object(w);
    if (kind == QUESTION_COMPLETION) {
        json_key_bool(w, STR("isIncomplete"), a != NULL);
    }
    json_key(w, STR("items"));
    write_items(a, kind, doc, answer, w);
    json_end_object(w);
}

void ask_nothing(struct session *s, struct rpc_call *call, enum question_kind kind, str path,
                 const char *why)
{
    session_wake(s);
    session_note(s, kind == QUESTION_INLINE ? "inline" : "completion", str_after_last(path, '/'),
                 why);
    write_list(NULL, kind, NULL, NULL, rpc_result(call));
    rpc_send(s->rpc);
}

/* Why nothing can be asked about the document, or NULL. */
static const char *obstacle(struct session *s, const struct session_document *doc,
                            struct json version)
{
    if (s->is_off) {
        return "switched off by crucible.toggle";
    }
    if (!doc) {
        return "the document isn't open";
    }
    if (!doc->id) {
        return "the document is too large to be kept";
    }
    if (doc->is_desynced) {
        return "the document is out of step with the editor until its whole text comes again";
    }
    if (doc->has_version && json_is_int(version) && json_int(version, 0) != doc->version) {
        return "asked about another version of the document";
    }
    return NULL;
}

/* Reads the place; *why where there is no text to ask about. False where the call is answered. */
static bool read_place(struct session *s, struct rpc_call *call, struct ask_place *out,
                       const char **why)
{
    struct json named = json_get(call->params, STR("textDocument"));
    struct json uri = json_get(named, STR("uri"));
    struct position position;
    if (!json_is(uri, JSON_STRING)) {
        rpc_fail(call, RPC_INVALID_PARAMS, "textDocument.uri must be a string");
        return false;
    }
    if (!sync_position(json_get(call->params, STR("position")), &position)) {
        rpc_fail(call, RPC_INVALID_PARAMS,
                 "position must be an object of a line and a character, whole numbers from 0");
        return false;
    }
    struct session_document *doc = sync_find(s, json_str(uri));
    *out = (struct ask_place){.doc = doc, .params = call->params, .uri = json_str(uri)};
    *why = obstacle(s, doc, json_get(named, STR("version")));
    if (!*why) {
        out->open = sync_open(s, doc);
        out->cursor = position_to_offset(out->open->text, position, s->client.encoding);
    }
    return true;
}

bool ask_place(struct session *s, struct rpc_call *call, enum question_kind kind,
               struct ask_place *out)
{
    const char *why;
    if (!read_place(s, call, out, &why)) {
        return false;
    }
    if (why) {
        ask_nothing(s, call, kind, out->uri, why);
    }
    return !why;
}

bool ask_find_place(struct session *s, struct rpc_call *call, struct ask_place *out)
{
    const char *why;
    if (!read_place(s, call, out, &why)) {
        return false;
    }
    if (why) {
        rpc_result_null(call);
    }
    return !why;
}

struct ask *ask_create(const struct ask_place *place, struct session *s, enum question_kind kind)
{
    struct ask *a = xcalloc(1, sizeof *a);
    a->session = s;
    a->doc = place->doc;
    a->document = place->doc->id;
    a->revision = document_revision(place->open->text);
    a->kind = kind;
    a->cursor = a->start = place->cursor;
    buf_init(&a->typed, WINDOW_MAX_BYTES);
    buf_init(&a->uri, URI_MAX_BYTES);
    if (s->client.takes_updates) {
        buf_append(&a->uri, place->uri);
    }
    partial_take(place->params, &a->partial);
    return a;
}

void ask_free(struct ask *a)
{
    buf_release(&a->typed);
    buf_release(&a->uri);
    buf_release(&a->partial);
    xfree(a);
}

static void link_ask(struct ask *a)
{
    struct session *s = a->session;
    a->next = s->asks;
    a->at = &s->asks;
    if (s->asks) {
        s->asks->at = &a->next;
    }
    s->asks = a;
    a->doc->asks[a->kind] = a;
}

static void unlink_ask(struct ask *a)
{
    *a->at = a->next;
    if (a->next) {
        a->next->at = a->at;
    }
    if (a->doc && a->doc->asks[a->kind] == a) {
        a->doc->asks[a->kind] = NULL;
    }
}

/* Whether the newest suggestion was for this very place. */
static bool is_shown(const struct ask *a)
{
    const struct session_document *doc = a->doc;
    return a->kind == QUESTION_INLINE && doc->has_answer && doc->answered_revision == a->revision &&
           doc->answered_cursor == a->cursor;
}

void ask_start(struct ask *a, struct rpc_call *call)
{
    struct session *s = a->session;
    session_wake(s);
    struct ask *older = a->doc->asks[a->kind];
    if (older) {
        engine_cancel(s->engine, older->question);
    }
    later_drop(a->doc);
    bool is_wanted_anew = a->is_explicit && is_shown(a);
    struct question q = {.kind = a->kind,
                         .document = a->document,
                         .cursor = a->cursor,
                         .selected_start = a->cursor,
                         .is_explicit = a->is_explicit,
                         .is_again = is_wanted_anew && a->doc->was_explicit,
                         .is_more = is_wanted_anew && !a->doc->was_explicit};
    if (a->is_popup) {
        q.selected = buf_str(&a->typed);
        q.selected_start = a->start;
    }
    a->call = rpc_defer(call, on_cancel, a);
    link_ask(a);
    a->question = engine_ask(s->engine, &q, &(struct sink){.on_done = on_done, .user = a});
}

static void on_cancel(void *user)
{
    struct ask *a = user;
    engine_cancel(a->session->engine, a->question);
}

void ask_forget_document(struct session *s, struct session_document *doc)
{
    for (struct ask *a = s->asks; a; a = a->next) {
        if (a->doc == doc) {
            a->doc = NULL;
        }
    }
}

void ask_cancel_document(struct session *s, const struct session_document *doc)
{
    for (struct ask *a = s->asks; a; a = a->next) {
        if (a->doc == doc) {
            engine_cancel(s->engine, a->question);
        }
    }
}

/* -- answering -- */

/* Silence; who asked by a command hears why, if that wasn't said a moment ago. */
static void answer_nothing(struct ask *a, const struct answer *answer, const struct error *error)
{
    struct session *s = a->session;
    str endpoint = str_sub(answer->model, 0, str_find_char(answer->model, '/', 0));
    write_list(a, a->kind, NULL, NULL, rpc_result(a->call));
    rpc_send(s->rpc);
    if (a->is_explicit && error && notice_is_due(&s->notices, endpoint, error, clock_now_us())) {
        struct buf message;
        buf_init(&message, 2 * KIB);
        str why = error->msg[0] ? str_from(error->msg) : answer->why;
        buf_appendf(&message, "Crucible has no suggestion: " STR_FMT, STR_ARG(why));
        session_show(s, 2, buf_str(&message));
        buf_release(&message);
    }
}

static void answer_text(struct ask *a, const struct open_document *doc, const struct answer *answer)
{
    struct session *s = a->session;
    struct json_writer *w = NULL;
    if (a->partial.len > 0 && (w = partial_begin(s->rpc, buf_str(&a->partial)))) {
        write_items(a, a->kind, doc, answer, w);
        partial_send(s->rpc, w);
        answer = NULL; /* it has been given */
    }
    write_list(a, a->kind, doc, answer, rpc_result(a->call));
    rpc_send(s->rpc);
    if (a->kind == QUESTION_INLINE) {
        a->doc->answered_revision = a->revision;
        a->doc->answered_cursor = a->cursor;
        a->doc->has_answer = true;
        a->doc->was_explicit = a->is_explicit;
    }
}

static void on_done(const struct answer *answer, const struct error *error, void *user)
{
    struct ask *a = user;
    struct session *s = a->session;
    const struct open_document *doc = documents_find(s->documents, a->document);
    bool is_stale = !a->doc || !doc || document_revision(doc->text) != a->revision;
    if (is_stale || (error && error->code == ERR_CANCELLED)) {
        rpc_fail(a->call, RPC_REQUEST_CANCELLED, "the request was cancelled or superseded");
    } else if (error || answer->text.len == 0) {
        answer_nothing(a, answer, error);
    } else {
        answer_text(a, doc, answer);
    }
    unlink_ask(a);
    if (!is_stale && !error && later_is_wanted(a, answer)) {
        later_begin(a, answer); /* takes it */
    } else {
        ask_free(a);
    }
}

/* -- parts of items -- */

static void write_position(struct position p, struct json_writer *w)
{
    json_begin_object(w);
    json_key_int(w, STR("line"), p.line);
    json_key_int(w, STR("character"), p.character);
    json_end_object(w);
}

void ask_write_range(const struct session *s, const struct document *d, size_t start, size_t end,
                     struct json_writer *w)
{
    json_begin_object(w);
    json_key(w, STR("start"));
    write_position(position_from_offset(d, start, s->client.encoding), w);
    json_key(w, STR("end"));
    write_position(position_from_offset(d, end, s->client.encoding), w);
    json_end_object(w);
}

void ask_write_command(uint64_t trace, struct json_writer *w)
{
    json_begin_object(w);
    json_key_str(w, STR("title"), STR("Accepted"));
    json_key_str(w, STR("command"), STR("crucible.accept"));
    json_key(w, STR("arguments"));
    json_begin_array(w);
    json_put_int(w, (int64_t)trace);
    json_end_array(w);
    json_end_object(w);
}

void ask_append_text(struct buf *out, str text, str eol)
{
    if (str_eq(eol, STR("\n"))) {
        buf_append(out, text);
        return;
    }
    size_t at = 0;
    while (at < text.len) {
        size_t end = str_find_char(text, '\n', at);
        buf_append(out, str_sub(text, at, end == SIZE_MAX ? text.len : end));
        if (end == SIZE_MAX) {
            break;
        }
        buf_append(out, eol);
        at = end + 1;
    }
}
