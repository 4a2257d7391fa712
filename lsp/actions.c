/* actions.c - textDocument/codeAction: what could be done here, as titles.
 *
 * Why      Editors ask on every move of the cursor. So no model is asked: the titles follow from
 *          the place alone, and the text is made when one is picked.
 * How      Each action carries all that its task needs as an argument: in its `data` where the
 *          editor can resolve an edit later, else in the argument of its command.
 * Rules    When the editor asks by itself, only fixes for what is reported are offered: a light
 *          bulb that always burns says nothing. Never preferred, never of a source kind. */
#include "core/base/clock.h"
#include "core/base/limits.h"
#include "lsp/ask.h"
#include "lsp/partial.h"
#include "lsp/task.h"

#define TITLE_MAX_BYTES 80u

enum { TRIGGER_AUTOMATIC = 2 };

struct offer {
    struct session *session;
    struct session_document *doc;
    struct open_document *open;
    struct json range, diagnostics, only;
    struct subject_range place;
    bool is_automatic;
    str uri;
    str instruction; /* what the selection's first comment says */
};

static str kind_of(const struct action *a)
{
    if (str_eq(a->name, STR("fix"))) {
        return STR("quickfix");
    }
    if (str_eq(a->name, STR("document"))) {
        return STR("refactor.rewrite.document");
    }
    if (str_eq(a->name, STR("tests"))) {
        return STR("refactor.rewrite.tests");
    }
    return a->output == ACTION_SHOW ? STR("crucible.explain") : STR("refactor.rewrite.crucible");
}

/* Kinds are a hierarchy by dots: "refactor" asks for "refactor.rewrite" too. */
static bool is_kind_wanted(struct json only, str kind)
{
    if (!json_is(only, JSON_ARRAY)) {
        return true;
    }
    struct json_iter it = json_iter(only);
    struct json item;
    while (json_next(&it, NULL, &item)) {
        str wanted = json_str(item);
        bool is_prefix = str_starts_with(kind, wanted) &&
                         (kind.len == wanted.len || kind.ptr[wanted.len] == '.');
        if (json_is(item, JSON_STRING) && (wanted.len == 0 || is_prefix)) {
            return true;
        }
    }
    return false;
}

static bool has_reports(const struct offer *o)
{
    return json_is(o->diagnostics, JSON_ARRAY) && json_count(o->diagnostics) > 0;
}

static bool is_refactor(const struct action *a)
{
    return str_eq(a->name, STR("refactor"));
}

static bool is_offered(const struct offer *o, const struct action *a)
{
    bool is_fix = str_eq(a->name, STR("fix"));
    struct subject_range symbol;
    if (!action_serves(a, o->open->language) || !is_kind_wanted(o->only, kind_of(a)) ||
        (o->is_automatic && !is_fix) || (is_fix && !has_reports(o))) {
        return false;
    }
    if (is_refactor(a) && o->instruction.len == 0 && !o->session->client.asks_instructions) {
        return false;
    }
    struct subject_range r = action_subject(a, o->open->text, o->place, &symbol);
    return r.end > r.start || is_fix;
}

/* -- writing -- */

static void append_title(const struct offer *o, const struct action *a, struct buf *out)
{
    buf_append(out, a->title);
    if (str_eq(a->name, STR("fix"))) {
        struct json message = json_get(json_at(o->diagnostics, 0), STR("message"));
        str text = json_is(message, JSON_OBJECT) ? json_str(json_get(message, STR("value")))
                                                 : json_str(message);
        text = str_trim(str_sub(text, 0, str_find_char(text, '\n', 0)));
        size_t n = json_count(o->diagnostics);
        bool is_long = text.len > TITLE_MAX_BYTES;
        text.len = is_long ? TITLE_MAX_BYTES : text.len;
        while (is_long && text.len > 0 && ((unsigned char)text.ptr[text.len] & 0xC0) == 0x80) {
            text.len--;
        }
        buf_appendf(out, ": " STR_FMT "%s", STR_ARG(text), is_long ? "\xe2\x80\xa6" : "");
        if (n > 1) {
            buf_appendf(out, " (and %zu more)", n - 1);
        }
    } else if (is_refactor(a) && o->session->client.asks_instructions) {
        buf_append(out, STR("\xe2\x80\xa6"));
    } else if (is_refactor(a)) {
        bool is_long = o->instruction.len > TITLE_MAX_BYTES;
        size_t n = is_long ? TITLE_MAX_BYTES : o->instruction.len;
        while (is_long && n > 0 && ((unsigned char)o->instruction.ptr[n] & 0xC0) == 0x80) {
            n--;
        }
        buf_appendf(out, ": " STR_FMT "%s", STR_ARG(str_sub(o->instruction, 0, n)),
                    is_long ? "\xe2\x80\xa6" : "");
    }
    buf_append(out, STR(" (Crucible)"));
}

/* The argument that a task is begun with. */
static void write_argument(const struct offer *o, const struct action *a, struct json_writer *w)
{
    json_begin_object(w);
    json_key_str(w, STR("uri"), o->uri);
    json_key(w, STR("range"));
    json_put_raw(w, json_raw(o->range));
    if (o->doc->has_version) {
        json_key_int(w, STR("version"), o->doc->version);
    }
    json_key_str(w, STR("name"), a->name);
    if (a->name.len == 0) {
        json_key_str(w, STR("action"), a->title);
    }
    if (is_refactor(a) && !o->session->client.asks_instructions) {
        json_key_str(w, STR("instruction"), o->instruction);
    }
    if (str_eq(a->name, STR("fix"))) {
        json_key(w, STR("diagnostics"));
        json_put_raw(w, json_raw(o->diagnostics));
    }
    json_end_object(w);
}

static void write_command(const struct offer *o, const struct action *a, str title,
                          struct json_writer *w)
{
    struct buf name;
    buf_init(&name, KIB);
    buf_appendf(&name, "crucible." STR_FMT, STR_ARG(a->name.len > 0 ? a->name : STR("refactor")));
    json_begin_object(w);
    json_key_str(w, STR("title"), title);
    json_key_str(w, STR("command"), buf_str(&name));
    json_key(w, STR("arguments"));
    json_begin_array(w);
    write_argument(o, a, w);
    json_end_array(w);
    json_end_object(w);
    buf_release(&name);
}

static void write_action(const struct offer *o, const struct action *a, struct json_writer *w)
{
    const struct client *c = &o->session->client;
    struct buf title;
    buf_init(&title, 2 * KIB);
    append_title(o, a, &title);
    if (!c->takes_actions) {
        write_command(o, a, buf_str(&title), w);
        buf_release(&title);
        return;
    }
    bool needs_person = is_refactor(a) && c->asks_instructions;
    json_begin_object(w);
    json_key_str(w, STR("title"), buf_str(&title));
    json_key_str(w, STR("kind"), kind_of(a));
    if (str_eq(a->name, STR("fix"))) {
        json_key(w, STR("diagnostics"));
        json_put_raw(w, json_raw(o->diagnostics));
    }
    if (c->takes_generated_tag) {
        json_key(w, STR("tags"));
        json_put_raw(w, STR("[1]"));
    }
    if (c->resolves_edit && a->output != ACTION_SHOW && !needs_person) {
        json_key(w, STR("data"));
        write_argument(o, a, w);
    } else {
        json_key(w, STR("command"));
        write_command(o, a, buf_str(&title), w);
    }
    json_end_object(w);
    buf_release(&title);
}

/* -- asking -- */

/* Whether anything can be offered for the document now. */
static bool is_open_to_offers(struct session *s, const struct session_document *doc)
{
    return !s->is_off && doc && doc->id && !doc->is_desynced && !sync_open(s, doc)->is_excluded;
}

/* All that is offered, as an array. */
static void write_offers(const struct offer *o, struct json_writer *w)
{
    json_begin_array(w);
    for (size_t i = 0; i < action_count(o->session->settings); i++) {
        struct action a = action_at(o->session->settings, i);
        if (is_offered(o, &a)) {
            write_action(o, &a, w);
        }
    }
    json_end_array(w);
}

static void reply(const struct offer *o, struct rpc_call *call, bool has_offers)
{
    struct rpc *rpc = o->session->rpc;
    struct buf token;
    partial_take(call->params, &token);
    struct json_writer *w = NULL;
    if (has_offers && token.len > 0 && (w = partial_begin(rpc, buf_str(&token)))) {
        write_offers(o, w);
        partial_send(rpc, w);
        has_offers = false; /* they have been given */
    }
    w = rpc_result(call);
    if (has_offers) {
        write_offers(o, w);
    } else {
        json_put_raw(w, STR("[]"));
    }
    rpc_send(rpc);
    buf_release(&token);
}

void on_code_action(struct session *s, struct rpc_call *call)
{
    struct json context = json_get(call->params, STR("context"));
    struct json uri = json_get(json_get(call->params, STR("textDocument")), STR("uri"));
    struct offer o = {.session = s,
                      .range = json_get(call->params, STR("range")),
                      .diagnostics = json_get(context, STR("diagnostics")),
                      .only = json_get(context, STR("only")),
                      .uri = json_str(uri)};
    if (!json_is(uri, JSON_STRING)) {
        rpc_fail(call, RPC_INVALID_PARAMS, "textDocument.uri must be a string");
        return;
    }
    session_wake(s);
    o.is_automatic = json_int(json_get(context, STR("triggerKind")), 0) == TRIGGER_AUTOMATIC;
    o.doc = sync_find(s, o.uri);
    struct buf instruction;
    buf_init(&instruction, KIB);
    bool is_open = is_open_to_offers(s, o.doc);
    if (is_open) {
        o.open = sync_open(s, o.doc);
        is_open = sync_range(s, o.open->text, o.range, &o.place.start, &o.place.end) &&
                  o.place.start <= o.place.end;
    }
    if (is_open && o.place.end > o.place.start) {
        subject_comment(o.open->text, o.place.start, o.place.end, &instruction);
        o.instruction = buf_str(&instruction);
    }
    reply(&o, call, is_open);
    buf_release(&instruction);
}
