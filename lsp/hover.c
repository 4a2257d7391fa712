/* hover.c - textDocument/hover: what is known of the symbol at the cursor.
 *
 * Why      Editors ask for hovers whenever the cursor rests. A model is asked by that only where
 *          the settings say so (hover.model "on"); else a hover shows what was explained before.
 * How      The question is the one that `explain` asks about the symbol: its key is the symbol and
 *          its definition's text, so that moving code loses nothing. Where only a similar text was
 *          explained, the hover says so.
 * Rules    Nothing known is null, so that no other server's hover is hidden by ours. A newer hover,
 *          an edit and a cancel end the one that waits. Failures are silent; the trace has them. */
#include "core/base/clock.h"
#include "core/base/limits.h"
#include "core/prompt/action.h"
#include "core/prompt/markdown.h"
#include "core/prompt/rewrite.h"
#include "lsp/ask.h"
#include "lsp/task.h"

struct hover {
    struct session *session;
    struct rpc_call *call; /* deferred */
    uint64_t document, question;
    struct subject_range symbol;
    struct hover *next, **at;
};

static void write_hover(const struct hover *h, const struct open_document *doc,
                        const struct answer *answer, struct json_writer *w)
{
    bool is_markdown = h->session->client.takes_hover_markdown;
    struct buf text;
    buf_init(&text, 4 * FLIGHT_MAX_TEXT_BYTES);
    struct buf said;
    buf_init(&said, 2 * FLIGHT_MAX_TEXT_BYTES);
    buf_append(&said, rewrite_spoken(answer->text));
    answers_note(answer, &said);
    if (is_markdown) {
        markdown_append(&text, buf_str(&said));
    } else {
        buf_append(&text, buf_str(&said));
    }
    buf_release(&said);
    json_begin_object(w);
    json_key(w, STR("contents"));
    json_begin_object(w);
    json_key_str(w, STR("kind"), is_markdown ? STR("markdown") : STR("plaintext"));
    json_key_str(w, STR("value"), str_trim_end(buf_str(&text)));
    json_end_object(w);
    json_key(w, STR("range"));
    ask_write_range(h->session, doc->text, h->symbol.start, h->symbol.end, w);
    json_end_object(w);
    buf_release(&text);
}

static void on_done(const struct answer *answer, const struct error *error, void *user)
{
    struct hover *h = user;
    struct session *s = h->session;
    const struct open_document *doc = documents_find(s->documents, h->document);
    if (error && error->code == ERR_CANCELLED) {
        rpc_fail(h->call, RPC_REQUEST_CANCELLED, "the request was cancelled or superseded");
    } else if (error || !doc || str_trim(rewrite_spoken(answer->text)).len == 0) {
        rpc_result_null(h->call);
    } else {
        write_hover(h, doc, answer, rpc_result(h->call));
        rpc_send(s->rpc);
    }
    *h->at = h->next;
    if (h->next) {
        h->next->at = h->at;
    }
    xfree(h);
}

static void on_cancel(void *user)
{
    struct hover *h = user;
    engine_cancel(h->session->engine, h->question);
}

void hovers_cancel_document(struct session *s, uint64_t document)
{
    for (struct hover *h = s->hovers; h; h = h->next) {
        if (h->document == document) {
            engine_cancel(s->engine, h->question);
        }
    }
}

static struct hover *hover_create(struct session *s, struct rpc_call *call,
                                  const struct ask_place *place, struct subject_range symbol)
{
    struct hover *h = xcalloc(1, sizeof *h);
    h->session = s;
    h->document = place->doc->id;
    h->symbol = symbol;
    h->call = rpc_defer(call, on_cancel, h);
    h->next = s->hovers;
    h->at = &s->hovers;
    if (h->next) {
        h->next->at = &h->next;
    }
    s->hovers = h;
    return h;
}

/* Asks what `explain` would ask. */
static void ask(struct hover *h, const struct open_document *doc, const struct action *explain,
                struct subject_range range)
{
    struct session *s = h->session;
    struct likeness like;
    struct buf prompt, identity, symbol;
    buf_init(&prompt, PROMPT_MAX_BYTES);
    buf_init(&identity, PROMPT_MAX_BYTES);
    buf_init(&symbol, KIB);
    struct action_place place = {
        .doc = doc,
        .start = range.start,
        .end = range.end,
        .symbol = document_slice(doc->text, h->symbol.start, h->symbol.end, &symbol)};
    struct action_related related[ACTION_RELATED_MAX];
    place.related = related;
    bool is_recall = s->settings->hover == HOVER_CACHED;
    place.n_related = is_recall ? 0 : engine_related(s->engine, &place, related);
    unsigned max_tokens = action_max_tokens(explain, &place);
    size_t room = is_recall ? SIZE_MAX : engine_chat_room(s->engine, STR(""), max_tokens);
    struct error why;
    bool fits = is_recall || action_render(explain, &place, room, &prompt, &why) == ERR_OK;
    action_identity(explain, &place, &identity, &like);
    struct chat chat = {.system = action_system(),
                        .prompt = buf_str(&prompt),
                        .max_tokens = max_tokens,
                        .identity = buf_str(&identity),
                        .like = &like,
                        .n_related = (unsigned)place.n_related,
                        .is_glance = true,
                        .is_recall = is_recall || !fits,
                        .kind = "hover"};
    struct question q = {.kind = QUESTION_CHAT, .document = h->document, .chat = &chat};
    h->question = engine_ask(s->engine, &q, &(struct sink){.on_done = on_done, .user = h});
    buf_release(&prompt);
    buf_release(&identity);
    buf_release(&symbol);
}

void on_hover(struct session *s, struct rpc_call *call)
{
    struct ask_place place;
    session_wake(s);
    if (s->settings->hover == HOVER_OFF) {
        rpc_result_null(call);
        return;
    }
    if (!ask_find_place(s, call, &place)) {
        return;
    }
    struct action explain;
    struct subject_range at = {place.cursor, place.cursor};
    struct subject_range symbol = {0};
    struct subject_range range = {0};
    if (!place.open->is_excluded && action_find(s->settings, STR("explain"), &explain)) {
        range = action_subject(&explain, place.open->text, at, &symbol);
    }
    if (range.start == range.end || symbol.start == symbol.end) {
        rpc_result_null(call);
        return;
    }
    hovers_cancel_document(s, place.doc->id);
    ask(hover_create(s, call, &place, symbol), place.open, &explain, range);
}
