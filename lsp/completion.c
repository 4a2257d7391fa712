/* completion.c - textDocument/completion: the suggestion as one entry of the popup.
 *
 * Why      For editors that know no ghost text, and only for them unless asked for: in the others
 *          the same text would stand twice.
 * Rules    One item, sorted last, never preselected: it doesn't push itself before what the
 *          language's own server knows. Its edit stays on the cursor's line and contains the
 *          position. The filter begins with the typed word, since some editors filter by it. */
#include "core/base/limits.h"
#include "core/base/utf8.h"
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
    ask_start(a, call, false);
}

void on_completion_resolve(struct session *s, struct rpc_call *call)
{
    if (!json_is(json_get(call->params, STR("label")), JSON_STRING)) {
        rpc_fail(call, RPC_INVALID_PARAMS, "a completion item is an object with a label");
        return;
    }
    json_put_raw(rpc_result(call), json_raw(call->params));
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

static size_t longest_ticks(str text)
{
    size_t longest = 0;
    size_t run = 0;
    for (size_t i = 0; i < text.len; i++) {
        run = text.ptr[i] == '`' ? run + 1 : 0;
        longest = run > longest ? run : longest;
    }
    return longest;
}

/* A fenced block that nothing inside can end. */
static void append_fenced(struct buf *out, str text, str language)
{
    size_t n_ticks = longest_ticks(text) + 1;
    n_ticks = n_ticks < 3 ? 3 : n_ticks;
    for (size_t i = 0; i < n_ticks; i++) {
        buf_append_char(out, '`');
    }
    for (size_t i = 0; i < language.len && i < 32; i++) {
        char c = language.ptr[i];
        if ((is_word_byte(c) && (unsigned char)c < 0x80) || c == '+' || c == '#' || c == '-') {
            buf_append_char(out, c);
        }
    }
    buf_append_char(out, '\n');
    buf_append(out, text);
    buf_append_char(out, '\n');
    for (size_t i = 0; i < n_ticks; i++) {
        buf_append_char(out, '`');
    }
}

static void write_documentation(const struct ask *a, const struct open_document *doc, str text,
                                struct json_writer *w)
{
    bool is_markdown = a->session->client.takes_markdown;
    struct buf whole;
    buf_init(&whole, 4 * FLIGHT_MAX_TEXT_BYTES);
    if (is_markdown) {
        append_fenced(&whole, text, doc->language);
    } else {
        buf_append(&whole, text);
    }
    json_key(w, STR("documentation"));
    json_begin_object(w);
    json_key_str(w, STR("kind"), is_markdown ? STR("markdown") : STR("plaintext"));
    json_key_str(w, STR("value"), buf_str(&whole));
    json_end_object(w);
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
    write_documentation(a, doc, buf_str(&text), w);
    json_key(w, STR("command"));
    ask_write_command(answer->trace, w);
    json_end_object(w);
    buf_release(&text);
}

void completion_write(struct ask *a, const struct open_document *doc, const struct answer *answer,
                      struct json_writer *w)
{
    json_begin_object(w);
    json_key_bool(w, STR("isIncomplete"), a != NULL);
    json_key(w, STR("items"));
    json_begin_array(w);
    if (answer && doc) {
        write_item(a, doc, answer, w);
    }
    json_end_array(w);
    json_end_object(w);
}
