/* edits.c - brings a model's text into a document: as one versioned edit, or not at all.
 *
 * Why      An edit for a text that has become another one does damage. So every edit names the
 *          version it is for, lies in the range that was asked about, and is small enough that
 *          cursors and marks around it stay.
 * How      The text is made once, from the answer and the range as it was asked about. If the
 *          document has changed since, the person decides; the range has moved along meanwhile.
 *          Lines that stay the same at either end of the range are left out of the edit.
 * Rules    No edit without an open document, none outside of the range, no other document. */
#include <string.h>

#include "core/base/clock.h"
#include "core/base/limits.h"
#include "core/base/log.h"
#include "core/prompt/rewrite.h"
#include "lsp/ask.h"
#include "lsp/task.h"

#define APPLY_WAIT_US SEC_TO_US(120) /* some editors ask the person first */
#define CONTEXT_BYTES (8u * KIB)

static const struct open_document *document_of(const struct task *t)
{
    return documents_find(t->session->documents, t->document);
}

/* -- the text -- */

/* [start, end) with "\n" line ends, appended. */
static void append_plain(struct buf *out, const struct document *d, size_t start, size_t end)
{
    struct buf scratch;
    buf_init(&scratch, PROMPT_MAX_BYTES);
    str text = document_slice(d, start, end, &scratch);
    for (size_t i = 0; i < text.len; i++) {
        bool is_crlf = text.ptr[i] == '\r' && i + 1 < text.len && text.ptr[i + 1] == '\n';
        if (!is_crlf) {
            buf_append_char(out, text.ptr[i] == '\r' ? '\n' : text.ptr[i]);
        }
    }
    buf_release(&scratch);
}

static bool is_whole_lines(const struct document *d, struct subject_range r)
{
    size_t first = document_line_at(d, r.start);
    size_t last = document_line_at(d, r.end);
    bool begins = true;
    for (size_t i = document_line_start(d, first); i < r.start; i++) {
        begins = begins && memchr(" \t", document_byte(d, i), 2) != NULL;
    }
    return begins && (r.end == document_line_end(d, last) || r.end == document_line_start(d, last));
}

/* The leading blanks that inserted lines get: those of what stands there. */
static void append_indent(const struct task *t, const struct document *d, struct buf *out)
{
    size_t n = document_line_at(d, t->insert_at);
    bool is_inside = t->is_below && t->insert_at < t->range.end && t->insert_at > t->range.start;
    size_t last = document_line_at(d, t->range.end);
    while (is_inside && n < last) {
        size_t start = document_line_start(d, ++n);
        if (document_line_end(d, n) > start) {
            subject_indent(d, start, out);
            return;
        }
    }
    subject_indent(d, is_inside ? t->insert_at : t->range.start, out);
}

enum err edits_make(struct task *t, const struct open_document *doc, str answer, struct error *why)
{
    const struct document *d = doc->text;
    struct buf original, before, after, indent;
    buf_init(&original, PROMPT_MAX_BYTES);
    buf_init(&before, CONTEXT_BYTES + KIB);
    buf_init(&after, CONTEXT_BYTES + KIB);
    buf_init(&indent, KIB);
    bool is_insert = t->action.output == ACTION_INSERT;
    bool is_whole = is_whole_lines(d, t->range);
    size_t start = is_whole && !is_insert
                       ? document_line_start(d, document_line_at(d, t->range.start))
                       : t->range.start;
    size_t from = start > CONTEXT_BYTES ? document_floor(d, start - CONTEXT_BYTES) : 0;
    size_t to = document_len(d) - t->range.end > CONTEXT_BYTES ? t->range.end + CONTEXT_BYTES
                                                               : document_len(d);
    t->range.start = start; /* the indentation of the first line is part of what is replaced */
    append_plain(&original, d, start, t->range.end);
    append_plain(&before, d, from, start);
    append_plain(&after, d, t->range.end, document_floor(d, to));
    if (is_insert) {
        append_indent(t, d, &indent);
    }
    struct rewrite_spec spec = {.original = buf_str(&original),
                                .before = buf_str(&before),
                                .after = buf_str(&after),
                                .is_insert = is_insert,
                                .is_whole_lines = is_whole,
                                .indent = buf_str(&indent)};
    buf_clear(&t->text);
    enum err err = rewrite_read(&spec, answer, &t->text, why);
    buf_release(&original);
    buf_release(&before);
    buf_release(&after);
    buf_release(&indent);
    return err;
}

/* -- the edit -- */

struct change {
    size_t start, end; /* of the document, byte offsets */
    struct buf text;   /* owned; with the document's line ends */
};

/* Whether a line end begins at `i`: one of two bytes isn't cut. */
static bool is_line_end(str text, size_t i)
{
    bool is_second = text.ptr[i] == '\n' && i > 0 && text.ptr[i - 1] == '\r';
    return (text.ptr[i] == '\n' || text.ptr[i] == '\r') && !is_second;
}

/* Leaves out the lines that stay as they are at both ends. */
static void shrink(struct change *c, const struct document *d)
{
    str text = buf_str(&c->text);
    struct buf scratch;
    buf_init(&scratch, PROMPT_MAX_BYTES);
    str old = document_slice(d, c->start, c->end, &scratch);
    size_t n_head = 0;
    for (size_t i = 0; i < text.len && i < old.len && old.ptr[i] == text.ptr[i]; i++) {
        n_head = text.ptr[i] == '\n' ? i + 1 : n_head;
    }
    size_t n_tail = 0; /* from a line end on, which stays */
    for (size_t i = 1; i <= text.len - n_head && i <= old.len - n_head; i++) {
        if (old.ptr[old.len - i] != text.ptr[text.len - i]) {
            break;
        }
        bool is_end = is_line_end(text, text.len - i) && is_line_end(old, old.len - i);
        n_tail = is_end ? i : n_tail;
    }
    c->start += n_head;
    c->end -= n_tail;
    buf_truncate(&c->text, text.len - n_tail);
    buf_consume(&c->text, n_head);
    buf_release(&scratch);
}

static void make_change(const struct task *t, const struct document *d, struct change *c)
{
    str eol = document_eol(d);
    buf_init(&c->text, RPC_MAX_MESSAGE_BYTES / 8);
    if (t->action.output == ACTION_REPLACE) {
        c->start = t->range.start;
        c->end = t->range.end;
        ask_append_text(&c->text, buf_str(&t->text), eol);
        shrink(c, d);
        return;
    }
    bool is_documentation = str_eq(t->action.name, STR("document"));
    c->start = c->end = t->insert_at;
    buf_append(&c->text, t->is_below ? eol : STR(""));
    buf_append(&c->text, t->is_below && !is_documentation ? eol : STR("")); /* an empty line */
    ask_append_text(&c->text, buf_str(&t->text), eol);
    buf_append(&c->text, t->is_below ? STR("") : eol);
}

static void write_text_edits(const struct task *t, const struct document *d, struct json_writer *w)
{
    struct change c;
    make_change(t, d, &c);
    json_begin_array(w);
    json_begin_object(w);
    json_key(w, STR("range"));
    ask_write_range(t->session, d, c.start, c.end, w);
    json_key_str(w, STR("newText"), buf_str(&c.text));
    json_end_object(w);
    json_end_array(w);
    buf_release(&c.text);
}

static void write_document_changes(const struct task *t, const struct open_document *doc,
                                   struct json_writer *w)
{
    struct session_document *named = sync_find(t->session, t->uri);
    json_key(w, STR("documentChanges"));
    json_begin_array(w);
    json_begin_object(w);
    json_key(w, STR("textDocument"));
    json_begin_object(w);
    json_key_str(w, STR("uri"), t->uri);
    json_key(w, STR("version"));
    if (named && named->has_version) {
        json_put_int(w, named->version);
    } else {
        json_put_null(w);
    }
    json_end_object(w);
    json_key(w, STR("edits"));
    write_text_edits(t, doc->text, w);
    json_end_object(w);
    json_end_array(w);
}

void edits_write(const struct task *t, const struct open_document *doc, struct json_writer *w)
{
    json_begin_object(w);
    if (t->session->client.takes_versioned_edits) {
        write_document_changes(t, doc, w);
    } else {
        json_key(w, STR("changes"));
        json_begin_object(w);
        json_key(w, t->uri);
        write_text_edits(t, doc->text, w);
        json_end_object(w);
    }
    json_end_object(w);
}

/* -- applying -- */

static void on_applied(struct json result, const struct error *error, void *user)
{
    struct task *t = user;
    struct session *s = t->session;
    t->n_asked--;
    bool is_there = s->state == SESSION_RUNNING && t->state == TASK_APPLYING;
    if (s->state == SESSION_RUNNING) {
        session_arm_rpc(s);
    }
    struct error why;
    if (!is_there) {
        task_let_go(t);
    } else if (error && error->code == ERR_TIMEOUT) {
        (void)error_set(&why, ERR_TIMEOUT, "the editor didn't say whether it applied the change");
        task_fail(t, &why);
    } else if (error || !json_bool(json_get(result, STR("applied")), true)) {
        str reason =
            error ? str_from(error->msg) : json_str(json_get(result, STR("failureReason")));
        (void)error_set(&why, ERR_REJECTED, "the editor didn't apply the change%s" STR_FMT,
                        reason.len > 0 ? ": " : "", STR_ARG(str_sub(reason, 0, 160)));
        task_fail(t, &why);
    } else {
        s->applied_prompt = t->prompt_hash;
        task_end(t, STR("done"));
    }
}

static void send_edit(struct task *t)
{
    struct session *s = t->session;
    struct error why;
    const struct open_document *doc = document_of(t);
    if (!doc || t->is_closed) {
        (void)error_set(&why, ERR_REJECTED, "the document was closed; nothing was changed");
        task_fail(t, &why);
        return;
    }
    if (!s->client.applies_edits) {
        (void)error_set(&why, ERR_REJECTED, "this editor takes no edits from a language server");
        task_fail(t, &why);
        return;
    }
    t->state = TASK_APPLYING;
    t->n_asked++;
    struct json_writer *w = rpc_request(s->rpc, STR("workspace/applyEdit"),
                                        clock_now_us() + APPLY_WAIT_US, on_applied, t);
    json_begin_object(w);
    json_key_str(w, STR("label"), t->title);
    json_key(w, STR("edit"));
    edits_write(t, doc, w);
    json_end_object(w);
    rpc_send(s->rpc);
    session_arm_rpc(s);
}

static void on_decided(struct json result, const struct error *error, void *user)
{
    struct task *t = user;
    t->n_asked--;
    bool is_there = t->session->state == SESSION_RUNNING && t->state == TASK_DECIDING;
    if (t->session->state == SESSION_RUNNING) {
        session_arm_rpc(t->session);
    }
    if (!is_there) {
        task_let_go(t);
    } else if (!error && json_str_eq(json_get(result, STR("title")), STR("Apply anyway"))) {
        send_edit(t);
    } else {
        task_end(t, STR("discarded"));
    }
}

static void put_button(struct json_writer *w, str title)
{
    json_begin_object(w);
    json_key_str(w, STR("title"), title);
    json_end_object(w);
}

/* The document has moved on: the person decides. */
static void ask_person(struct task *t)
{
    struct session *s = t->session;
    struct buf message;
    buf_init(&message, 2 * KIB);
    buf_appendf(&message,
                "Crucible, " STR_FMT ": the document has changed since this was asked for, so "
                "nothing was applied.",
                STR_ARG(t->title));
    t->state = TASK_DECIDING;
    t->n_asked++;
    struct json_writer *w =
        rpc_request(s->rpc, STR("window/showMessageRequest"), CLOCK_NEVER, on_decided, t);
    json_begin_object(w);
    json_key_int(w, STR("type"), 2);
    json_key_str(w, STR("message"), buf_str(&message));
    json_key(w, STR("actions"));
    json_begin_array(w);
    put_button(w, STR("Apply anyway"));
    put_button(w, STR("Discard"));
    json_end_array(w);
    json_end_object(w);
    rpc_send(s->rpc);
    buf_release(&message);
}

void edits_apply(struct task *t)
{
    if (t->has_moved) {
        ask_person(t);
    } else {
        send_edit(t);
    }
}
