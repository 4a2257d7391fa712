/* completion.c - textDocument/completion: the suggestion as one entry of the popup.
 *
 * Why      For editors that know no ghost text, and only for them unless asked for: in the others
 *          the same text would stand twice.
 * Rules    One item, sorted last, never preselected: it doesn't push itself before what the
 *          language's own server knows. Its edit stays on the cursor's line and contains the
 *          position. The filter begins with the typed word, since some editors filter by it. */
#include "core/base/limits.h"
#include "core/base/utf8.h"
#include "core/prompt/markdown.h"
#include "lsp/ask.h"

#define LABEL_MAX_BYTES 72u
#define WORD_MAX_BYTES  256u

static bool is_word_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '$' || (unsigned char)c >= 0x80;
}

/* In these languages a name may hold hyphens, and editors look for the whole of it. */
static bool has_hyphens(str language)
{
    static const char *const ids[] = {"lisp",   "emacs-lisp", "elisp", "common-lisp", "scheme",
                                      "racket", "clojure",    "css",   "scss",        "less"};
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        if (str_eq(language, str_from(ids[i]))) {
            return true;
        }
    }
    return false;
}

static void take_word(struct ask *a, const struct open_document *open)
{
    const struct document *d = open->text;
    bool takes_hyphens = has_hyphens(open->language);
    size_t line_start = document_line_start(d, document_line_at(d, a->cursor));
    while (a->start > line_start && a->cursor - a->start < WORD_MAX_BYTES &&
           (is_word_byte(document_byte(d, a->start - 1)) ||
            (takes_hyphens && document_byte(d, a->start - 1) == '-'))) {
        a->start--;
    }
    size_t whole = document_floor(d, a->start);
    a->start = whole;
    document_copy(d, a->start, a->cursor, &a->typed);
}

static bool is_wanted(const struct session *s)
{
    switch (s->settings->completion_enabled) {
    case TOGGLE_ON:
        return true;
    case TOGGLE_OFF:
        return false;
    case TOGGLE_AUTO:
        return !s->has_asked_inline;
    }
    return false;
}

void on_completion(struct session *s, struct rpc_call *call)
{
    struct ask_place place;
    if (!ask_place(s, call, QUESTION_COMPLETION, &place)) {
        return;
    }
    session_wake(s);
    if (!is_wanted(s)) {
        ask_nothing(s, call, QUESTION_COMPLETION, place.open->path,
                    s->has_asked_inline ? "the editor shows inline completions (completion.enabled)"
                                        : "switched off (completion.enabled)");
        return;
    }
    struct ask *a = ask_create(&place, s, QUESTION_COMPLETION);
    take_word(a, place.open);
    ask_start(a, call);
}

static void write_documentation(const struct session *s, str text, str language,
                                struct json_writer *w)
{
    bool is_markdown = s->client.takes_markdown;
    struct buf whole;
    buf_init(&whole, 4 * FLIGHT_MAX_TEXT_BYTES);
    if (is_markdown) {
        markdown_append_code(&whole, text, language);
    } else {
        buf_append(&whole, text);
    }
    json_begin_object(w);
    json_key_str(w, STR("kind"), is_markdown ? STR("markdown") : STR("plaintext"));
    json_key_str(w, STR("value"), buf_str(&whole));
    json_end_object(w);
    buf_release(&whole);
}

/* The item as it came, its whole text as documentation. All that this takes is in the item. */
static void write_resolved(const struct session *s, struct json item, struct json_writer *w)
{
    str text = json_str(json_get(json_get(item, STR("textEdit")), STR("newText")));
    str language = json_str(json_get(json_get(item, STR("data")), STR("language")));
    struct buf out, documentation;
    buf_init(&out, RPC_MAX_MESSAGE_BYTES);
    buf_init(&documentation, RPC_MAX_MESSAGE_BYTES);
    struct json_writer inner = json_writer(&documentation);
    write_documentation(s, text, language, &inner);
    str raw = json_raw(item);
    buf_append(&out, str_trim_end(str_sub(raw, 0, raw.len - 1)));
    buf_append(&out, STR(",\"documentation\":"));
    buf_append(&out, buf_str(&documentation));
    buf_append_char(&out, '}');
    json_put_raw(w, buf_str(&out));
    buf_release(&out);
    buf_release(&documentation);
}

void on_completion_resolve(struct session *s, struct rpc_call *call)
{
    struct json item = call->params;
    if (!json_is(json_get(item, STR("label")), JSON_STRING)) {
        rpc_fail(call, RPC_INVALID_PARAMS, "a completion item is an object with a label");
        return;
    }
    bool is_ours = json_is(json_get(json_get(item, STR("data")), STR("language")), JSON_STRING) &&
                   json_is(json_get(item, STR("documentation")), JSON_NONE);
    struct json_writer *w = rpc_result(call);
    if (is_ours) {
        write_resolved(s, item, w);
    } else {
        json_put_raw(w, json_raw(item));
    }
    rpc_send(s->rpc);
}

/* -- the item -- */

/* One line that says what the text begins with. */
static void append_label(struct buf *out, str typed, str text)
{
    struct buf whole;
    buf_init(&whole, FLIGHT_MAX_TEXT_BYTES + WORD_MAX_BYTES);
    buf_append(&whole, typed);
    buf_append(&whole, text);
    str all = str_trim(buf_str(&whole));
    str line = str_trim_end(str_sub(all, 0, str_find_char(all, '\n', 0)));
    bool is_cut = line.len < all.len;
    if (line.len > LABEL_MAX_BYTES) {
        line.len = utf8_floor(line, LABEL_MAX_BYTES);
        is_cut = true;
    }
    for (size_t i = 0; i < line.len; i++) {
        buf_append_char(out, line.ptr[i] == '\t' ? ' ' : line.ptr[i]);
    }
    buf_append(out, is_cut ? STR(" \xe2\x80\xa6") : STR(""));
    if (out->len == 0) {
        buf_append(out, STR("\xe2\x80\xa6"));
    }
    buf_release(&whole);
}

static void write_label(const struct ask *a, const struct answer *answer, struct json_writer *w)
{
    struct buf label;
    buf_init(&label, KIB);
    append_label(&label, buf_str(&a->typed), answer->text);
    json_key_str(w, STR("label"), buf_str(&label));
    buf_release(&label);
    if (a->session->client.takes_label_details) {
        json_key(w, STR("labelDetails"));
        json_begin_object(w);
        json_key_str(w, STR("description"), STR("crucible"));
        json_end_object(w);
    }
}

static void write_edit(const struct ask *a, const struct open_document *doc,
                       const struct answer *answer, str text, struct json_writer *w)
{
    json_key(w, STR("textEdit"));
    json_begin_object(w);
    json_key(w, STR("range"));
    ask_write_range(a->session, doc->text, a->start, a->cursor + answer->n_replace, w);
    json_key_str(w, STR("newText"), text);
    json_end_object(w);
    if (a->session->client.takes_as_is) {
        json_key_int(w, STR("insertTextMode"), 1); /* its indentation is right already */
    }
}

static void write_item(const struct ask *a, const struct open_document *doc,
                       const struct answer *answer, struct json_writer *w)
{
    struct buf text; /* with the document's line ends */
    buf_init(&text, 2 * FLIGHT_MAX_TEXT_BYTES + WORD_MAX_BYTES);
    buf_append(&text, buf_str(&a->typed));
    ask_append_text(&text, answer->text, document_eol(doc->text));
    str first = buf_str(&text);
    first = str_sub(first, 0, str_find_char(first, '\n', 0));
    first = str_sub(first, 0, str_find_char(first, '\r', 0));
    json_begin_object(w);
    write_label(a, answer, w);
    json_key_int(w, STR("kind"), 1);
    json_key_str(w, STR("detail"), answer->model);
    json_key_str(w, STR("sortText"), STR("\x7f\x7f"));
    json_key_str(w, STR("filterText"), first.len > 0 ? str_trim_end(first) : buf_str(&text));
    write_edit(a, doc, answer, buf_str(&text), w);
    if (a->session->client.resolves_documentation) {
        json_key(w, STR("data"));
        json_begin_object(w);
        json_key_str(w, STR("language"), doc->language);
        json_end_object(w);
    } else {
        json_key(w, STR("documentation"));
        write_documentation(a->session, buf_str(&text), doc->language, w);
    }
    json_key(w, STR("command"));
    ask_write_command(answer->trace, w);
    json_end_object(w);
    buf_release(&text);
}

void completion_write_items(struct ask *a, const struct open_document *doc,
                            const struct answer *answer, struct json_writer *w)
{
    json_begin_array(w);
    if (answer && doc) {
        write_item(a, doc, answer, w);
    }
    json_end_array(w);
}
