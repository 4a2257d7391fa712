/* inline.c - textDocument/inlineCompletion: ghost text.
 *
 * Rules    An item always has a range, on one line: without one, editors guess the word at the
 *          cursor. With a popup open the item replaces exactly the popup's range and begins with
 *          its selection, else it isn't shown. Nothing to say is an empty list, never an error. */
#include "core/base/limits.h"
#include "lsp/ask.h"

enum { TRIGGER_INVOKED = 1 };

/* Reads what the popup has selected. False where the item could never fit it. */
static bool take_popup(struct ask *a, const struct ask_place *place, struct json selected)
{
    struct json range = json_get(selected, STR("range"));
    struct position from, to;
    if (!json_is(selected, JSON_OBJECT)) {
        return true;
    }
    if (!sync_position(json_get(range, STR("start")), &from) ||
        !sync_position(json_get(range, STR("end")), &to)) {
        return false;
    }
    const struct document *d = place->open->text;
    enum position_encoding encoding = a->session->client.encoding;
    a->start = position_to_offset(d, from, encoding);
    size_t end = position_to_offset(d, to, encoding);
    buf_append(&a->typed, json_str(json_get(selected, STR("text"))));
    a->is_popup = true;
    return end == a->cursor && a->start <= a->cursor && !a->typed.is_full &&
           document_line_at(d, a->start) == document_line_at(d, a->cursor);
}

void on_inline_completion(struct session *s, struct rpc_call *call)
{
    struct ask_place place;
    s->has_asked_inline = true;
    if (!ask_place(s, call, QUESTION_INLINE, &place)) {
        return;
    }
    struct json context = json_get(call->params, STR("context"));
    struct ask *a = ask_create(&place, s, QUESTION_INLINE);
    a->is_explicit = json_int(json_get(context, STR("triggerKind")), 0) == TRIGGER_INVOKED;
    if (!take_popup(a, &place, json_get(context, STR("selectedCompletionInfo")))) {
        ask_free(a);
        ask_nothing(s, call, QUESTION_INLINE, place.open->path,
                    "the popup's selection isn't at the cursor");
        return;
    }
    ask_start(a, call);
}

/* The popup's range can't grow over what the text replaces, so that is left to stand. */
static bool spare_rest(const struct open_document *doc, const struct ask *a, size_t n_replace,
                       str *text)
{
    struct buf scratch;
    buf_init(&scratch, WINDOW_MAX_BYTES);
    str rest = document_slice(doc->text, a->cursor, a->cursor + n_replace, &scratch);
    bool fits = str_ends_with(*text, rest);
    if (fits) {
        text->len -= rest.len;
    }
    buf_release(&scratch);
    return fits && text->len > 0;
}

static void write_item(struct ask *a, const struct open_document *doc, str text, size_t n_replace,
                       uint64_t trace, struct json_writer *w)
{
    size_t end = a->cursor + n_replace;
    if (a->is_popup && n_replace > 0) {
        end = a->cursor;
        if (!spare_rest(doc, a, n_replace, &text)) {
            return;
        }
    }
    struct buf whole;
    buf_init(&whole, 2 * FLIGHT_MAX_TEXT_BYTES + WINDOW_MAX_BYTES);
    buf_append(&whole, buf_str(&a->typed));
    ask_append_text(&whole, text, document_eol(doc->text));
    json_begin_object(w);
    json_key_str(w, STR("insertText"), buf_str(&whole));
    json_key(w, STR("range"));
    ask_write_range(a->session, doc->text, a->start, end, w);
    json_key(w, STR("command"));
    ask_write_command(trace, w);
    json_end_object(w);
    buf_release(&whole);
}

void inline_write_items(struct ask *a, const struct open_document *doc, const struct answer *answer,
                        struct json_writer *w)
{
    json_begin_array(w);
    if (answer && doc) {
        write_item(a, doc, answer->text, answer->n_replace, answer->trace, w);
    }
    for (unsigned i = 0; answer && doc && i < answer->n_others; i++) {
        const struct answer_other *other = &answer->others[i];
        write_item(a, doc, other->text, other->n_replace, answer->trace, w);
    }
    json_end_array(w);
}
