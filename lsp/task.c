/* task.c - begins what a person asks a model to do, follows it, and ends it; see task.h.
 *
 * Why      Between a pick in a menu and a change in a file lie seconds in which everything may
 *          happen: the model loads, the person types, the editor asks again or goes away.
 * How      Each way through is a state; each callback knows what it may find. The engine's on_done
 *          comes once and last; requests to the editor hold the task until they are answered.
 * Rules    Whoever waits is told exactly once how it ended: by the reply to resolve, by a message,
 *          or by the edit itself. A file is never touched by half an answer. */
#include "lsp/task.h"

#include <stdio.h>

#include "core/base/clock.h"
#include "core/base/hash.h"
#include "core/base/limits.h"
#include "core/base/log.h"
#include "core/base/utf8.h"
#include "core/prompt/markdown.h"
#include "core/prompt/rewrite.h"

#define INSTRUCTION_MAX_BYTES (8u * KIB)
#define DIAGNOSTICS_MAX       32u
#define MESSAGE_LINE_BYTES    60u
#define TASKS_MAX             32u

static void on_wait(str why, void *user);
static void on_text(str text, void *user);
static void on_done(const struct answer *answer, const struct error *error, void *user);
static void on_timer(void *user);
static void on_resolve_cancelled(void *user);

/* -- reading orders -- */

static bool read_range(const struct session *s, const struct document *d, struct json range,
                       struct subject_range *out)
{
    if (!sync_range(s, d, range, &out->start, &out->end)) {
        return false;
    }
    if (out->start > out->end) {
        *out = (struct subject_range){out->end, out->start};
    }
    return true;
}

static str read_message(struct json diagnostic)
{
    struct json message = json_get(diagnostic, STR("message"));
    str text = json_is(message, JSON_OBJECT) ? json_str(json_get(message, STR("value")))
                                             : json_str(message);
    return json_is(diagnostic, JSON_STRING) ? json_str(diagnostic) : text;
}

/* What is reported, one line each: "line 3: message"; also widens an empty range to hold it. */
static str read_diagnostics(struct session *s, const struct document *d, struct json list,
                            struct arena *arena, struct subject_range *place)
{
    struct buf out;
    buf_init(&out, INSTRUCTION_MAX_BYTES);
    struct json_iter it = json_iter(list);
    struct json item;
    for (unsigned i = 0; i < DIAGNOSTICS_MAX && json_next(&it, NULL, &item); i++) {
        str message = str_trim(read_message(item));
        struct subject_range range;
        if (message.len == 0) {
            continue;
        }
        buf_append(&out, out.len > 0 ? STR("\n- ") : STR("- "));
        if (read_range(s, d, json_get(item, STR("range")), &range)) {
            size_t line = document_line_at(d, range.start);
            struct buf scratch;
            buf_init(&scratch, KIB);
            size_t start = document_line_start(d, line);
            size_t end = document_line_end(d, line);
            end = end - start > 200 ? document_floor(d, start + 200) : end;
            buf_appendf(&out, "in the line \"" STR_FMT "\": ",
                        STR_ARG(str_trim(document_slice(d, start, end, &scratch))));
            buf_release(&scratch);
            if (place->start == place->end) {
                *place = (struct subject_range){range.start, range.start};
            }
        }
        buf_append(&out, message);
    }
    str text = arena_dup(arena, buf_str(&out));
    buf_release(&out);
    return text;
}

/* Why nothing can be done with the document, or NULL. */
static const char *obstacle(struct session *s, const struct session_document *doc,
                            struct json version)
{
    if (s->is_off) {
        return "Crucible is switched off (crucible.toggle switches it on)";
    }
    if (!doc) {
        return "the document isn't open";
    }
    if (!doc->id || doc->is_desynced) {
        return "the document is too large, or out of step with the editor: open it again";
    }
    if (sync_open(s, doc)->is_excluded) {
        return "this file is excluded (privacy.exclude and the built-in patterns): no model sees "
               "it";
    }
    if (json_is_int(version) && doc->has_version && json_int(version, 0) != doc->version) {
        return "the document has changed since the action was offered: ask again";
    }
    return NULL;
}

enum err task_read_order(struct session *s, str name, struct json argument, struct arena *arena,
                         struct task_order *out, struct error *why)
{
    *out = (struct task_order){.uri = json_str(json_get(argument, STR("uri")))};
    str own = json_str(json_get(argument, STR("action")));
    out->doc = sync_find(s, out->uri);
    const char *reason = obstacle(s, out->doc, json_get(argument, STR("version")));
    struct subject_range place;
    if (!action_find(s->settings, own.len > 0 ? own : name, &out->action)) {
        return error_set(why, ERR_NOT_FOUND, "there is no such action");
    }
    if (reason) {
        return error_set(why, ERR_REJECTED, "%s", reason);
    }
    out->open = sync_open(s, out->doc);
    const struct document *d = out->open->text;
    if (!read_range(s, d, json_get(argument, STR("range")), &place)) {
        return error_set(why, ERR_INVALID, "the argument needs a uri and a range");
    }
    out->instruction = str_trim(json_str(json_get(argument, STR("instruction"))));
    out->diagnostics =
        read_diagnostics(s, d, json_get(argument, STR("diagnostics")), arena, &place);
    out->range = action_subject(&out->action, d, place, &out->symbol);
    if (out->instruction.len > INSTRUCTION_MAX_BYTES) {
        return error_set(why, ERR_TOO_LARGE, "the instruction is longer than %u bytes",
                         INSTRUCTION_MAX_BYTES);
    }
    if (out->range.start == out->range.end) {
        return error_set(why, ERR_INVALID, "there is nothing here to ask about: select some code");
    }
    return ERR_OK;
}

/* -- beginning -- */

static struct action copy_action(const struct action *a, struct arena *arena)
{
    return (struct action){.name = arena_dup(arena, a->name),
                           .title = arena_dup(arena, a->title),
                           .prompt = arena_dup(arena, a->prompt),
                           .output = a->output};
}

static str title_of(struct task *t, const struct task_order *o)
{
    struct buf scratch;
    buf_init(&scratch, KIB);
    str symbol = document_slice(o->open->text, o->symbol.start, o->symbol.end, &scratch);
    str file = str_after_last(o->open->path, '/');
    str what = symbol.len > 0 ? symbol : file;
    str title = arena_printf(&t->arena, STR_FMT "%s" STR_FMT, STR_ARG(o->action.title),
                             what.len > 0 ? " " : "", STR_ARG(what));
    buf_release(&scratch);
    return title;
}

static struct task *task_create(struct session *s, const struct task_order *o)
{
    struct task *t = xcalloc(1, sizeof *t);
    t->session = s;
    t->id = ++s->last_task;
    t->action = copy_action(&o->action, &t->arena);
    t->token = arena_printf(&t->arena, "crucible/%llu", (unsigned long long)t->id);
    t->title = title_of(t, o);
    t->uri = arena_dup(&t->arena, o->uri);
    t->document = o->doc->id;
    t->revision = document_revision(o->open->text);
    t->range = o->range;
    t->timer = loop_timer_create(s->options.loop, on_timer, t);
    buf_init(&t->text, 4 * FLIGHT_MAX_TEXT_BYTES);
    buf_init(&t->answer, 4 * FLIGHT_MAX_TEXT_BYTES);
    t->next = s->tasks;
    t->at = &s->tasks;
    if (t->next) {
        t->next->at = &t->next;
    }
    s->tasks = t;
    s->n_tasks++;
    return t;
}

static void task_free(struct task *t)
{
    struct session *s = t->session;
    *t->at = t->next;
    if (t->next) {
        t->next->at = t->at;
    }
    s->n_tasks--;
    loop_timer_destroy(t->timer);
    loop_timer_destroy(t->frame);
    buf_release(&t->text);
    buf_release(&t->answer);
    arena_release(&t->arena);
    xfree(t);
}

void task_let_go(struct task *t)
{
    if (t->state == TASK_OVER && t->n_asked == 0 && t->question == 0) {
        task_free(t);
    }
}

/* Renders the prompt and asks the engine. */
static enum err ask(struct task *t, const struct task_order *o, struct error *why)
{
    struct session *s = t->session;
    const struct document *d = o->open->text;
    struct likeness like;
    struct buf prompt, identity, symbol, original;
    buf_init(&prompt, PROMPT_MAX_BYTES);
    buf_init(&identity, PROMPT_MAX_BYTES);
    buf_init(&symbol, KIB);
    buf_init(&original, PROMPT_MAX_BYTES);
    struct action_place place = {.doc = o->open,
                                 .start = o->range.start,
                                 .end = o->range.end,
                                 .symbol =
                                     document_slice(d, o->symbol.start, o->symbol.end, &symbol),
                                 .instruction = o->instruction,
                                 .diagnostics = o->diagnostics};
    struct action_related related[ACTION_RELATED_MAX];
    place.related = related;
    place.n_related = engine_related(s->engine, &place, related);
    unsigned max_tokens = action_max_tokens(&t->action, &place);
    size_t room = engine_chat_room(s->engine, STR(""), max_tokens);
    enum err err = action_render(&t->action, &place, room, &prompt, why);
    if (err == ERR_OK) {
        action_identity(&t->action, &place, &identity, &like);
        t->insert_at = action_insert_at(&t->action, &place, &t->is_below);
        t->prompt_hash = hash_str(buf_str(&prompt));
        struct chat chat = {.system = action_system(),
                            .prompt = buf_str(&prompt),
                            .max_tokens = max_tokens,
                            .identity = buf_str(&identity),
                            .like = &like,
                            .n_related = (unsigned)place.n_related,
                            .kind = t->action.output == ACTION_SHOW ? "explain" : "edit"};
        if (t->action.output == ACTION_REPLACE) {
            chat.rewrites = document_slice(d, o->range.start, o->range.end, &original);
        }
        /* Whoever asks for the same again after it was applied has undone it. */
        struct question q = {.kind = QUESTION_CHAT,
                             .document = t->document,
                             .chat = &chat,
                             .is_again = t->prompt_hash == s->applied_prompt};
        t->question = engine_ask(
            s->engine, &q,
            &(struct sink){.on_wait = on_wait, .on_text = on_text, .on_done = on_done, .user = t});
    }
    buf_release(&prompt);
    buf_release(&identity);
    buf_release(&symbol);
    buf_release(&original);
    return err;
}

void task_begin(struct session *s, const struct task_order *o, struct rpc_call *resolve, str item)
{
    struct task *t = task_create(s, o);
    struct error why;
    t->resolve = resolve ? rpc_defer(resolve, on_resolve_cancelled, t) : NULL;
    t->item = arena_dup(&t->arena, item);
    t->is_picked = resolve == NULL;
    if (t->resolve) {
        loop_timer_set(t->timer, clock_now_us() + TASK_RESOLVE_US);
    }
    str title = arena_printf(&t->arena, "Crucible: " STR_FMT, STR_ARG(t->title));
    t->progress = progress_create(s, t->token, title);
    progress_report(t->progress, STR("asking"));
    if (s->n_tasks > TASKS_MAX) {
        (void)error_set(&why, ERR_REJECTED, "%u actions are running already: wait, or cancel some",
                        TASKS_MAX);
        task_fail(t, &why);
    } else if (ask(t, o, &why) != ERR_OK) {
        task_fail(t, &why);
    }
}

/* -- ending -- */

void task_end(struct task *t, str last_word)
{
    if (t->state == TASK_OVER) {
        return;
    }
    t->state = TASK_OVER;
    loop_timer_set(t->timer, CLOCK_NEVER);
    progress_end(t->progress, last_word);
    t->progress = NULL;
    if (t->question != 0 && t->session->engine) {
        engine_cancel(t->session->engine, t->question);
    }
    task_let_go(t);
}

void task_fail(struct task *t, const struct error *error)
{
    struct session *s = t->session;
    str message = str_from(error->msg);
    log_info(LOG_LSP, "task=%llu failed: %s %d", (unsigned long long)t->id, err_name(error->code),
             error->detail);
    if (t->resolve) {
        struct rpc_call *call = t->resolve;
        t->resolve = NULL;
        rpc_fail(call, error->code == ERR_CANCELLED ? RPC_REQUEST_CANCELLED : RPC_REQUEST_FAILED,
                 "Crucible: %s", error->msg);
    } else if (error->code != ERR_CANCELLED && s->state == SESSION_RUNNING &&
               !answers_fail(t, message)) {
        struct buf text;
        buf_init(&text, 2 * KIB);
        buf_appendf(&text, "Crucible, " STR_FMT ": " STR_FMT, STR_ARG(t->title), STR_ARG(message));
        session_show(s, 1, buf_str(&text));
        buf_release(&text);
    }
    task_end(t, error->code == ERR_CANCELLED ? STR("cancelled") : STR("failed"));
}

void task_cancel(struct task *t)
{
    struct error error;
    (void)error_set(&error, ERR_CANCELLED, "cancelled");
    if (t->state != TASK_OVER && t->action.output == ACTION_SHOW) {
        (void)answers_fail(t, STR("cancelled"));
    }
    if (t->state != TASK_OVER) {
        task_fail(t, &error);
    }
}

static void on_resolve_cancelled(void *user)
{
    task_cancel(user);
}

/* -- resolving -- */

/* The code action as it came, with one more member of this name, which `value` is; or as it came.
 */
static void reply_item(struct task *t, str name, str value)
{
    struct rpc_call *call = t->resolve;
    struct buf out;
    buf_init(&out, RPC_MAX_MESSAGE_BYTES);
    str inner = str_trim(str_sub(t->item, 1, t->item.len - 1));
    buf_append_char(&out, '{');
    buf_append(&out, inner);
    if (name.len > 0) {
        buf_appendf(&out, "%s\"" STR_FMT "\":", inner.len > 0 ? "," : "", STR_ARG(name));
        buf_append(&out, value);
    }
    buf_append_char(&out, '}');
    t->resolve = NULL;
    json_put_raw(rpc_result(call), buf_str(&out));
    rpc_send(t->session->rpc);
    buf_release(&out);
}

static void reply_edit(struct task *t, const struct open_document *doc)
{
    struct buf edit;
    buf_init(&edit, RPC_MAX_MESSAGE_BYTES);
    struct json_writer w = json_writer(&edit);
    edits_write(t, doc, &w);
    reply_item(t, STR("edit"), buf_str(&edit));
    buf_release(&edit);
}

/* The editor goes on with the command, which finds the task by its id. */
static void reply_command(struct task *t)
{
    struct buf command;
    buf_init(&command, 4 * KIB);
    struct json_writer w = json_writer(&command);
    json_begin_object(&w);
    json_key_str(&w, STR("title"), t->title);
    json_key_str(&w, STR("command"), STR("crucible.refactor"));
    json_key(&w, STR("arguments"));
    json_begin_array(&w);
    json_begin_object(&w);
    json_key_int(&w, STR("task"), (int64_t)t->id);
    json_end_object(&w);
    json_end_array(&w);
    json_end_object(&w);
    reply_item(t, STR("command"), buf_str(&command));
    buf_release(&command);
}

static void on_timer(void *user)
{
    struct task *t = user;
    if (t->resolve && t->session->client.resolves_command) {
        reply_command(t);
        loop_timer_set(t->timer, clock_now_us() + TASK_HELD_US);
    } else if (!t->resolve && !t->is_picked) {
        log_info(LOG_LSP, "task=%llu: nobody picked it", (unsigned long long)t->id);
        task_cancel(t);
    }
}

bool task_go_on(struct session *s, uint64_t id)
{
    for (struct task *t = s->tasks; t; t = t->next) {
        if (t->id == id && t->state != TASK_OVER) {
            t->is_picked = true;
            loop_timer_set(t->timer, CLOCK_NEVER);
            if (t->state == TASK_HELD) {
                edits_apply(t);
            }
            return true;
        }
    }
    return false;
}

/* -- following -- */

static void on_wait(str why, void *user)
{
    struct task *t = user;
    if (t->state == TASK_ASKING) {
        progress_report(t->progress, why);
    }
}

/* "12 lines: the last one". */
static void report_growth(struct task *t, str text)
{
    size_t n_lines = text.len > 0;
    size_t start = 0;
    str last = str_of("", 0);
    for (size_t i = 0; i <= text.len; i++) {
        if (i < text.len && text.ptr[i] != '\n') {
            continue;
        }
        str line = str_trim(str_sub(text, start, i));
        last = line.len > 0 ? line : last;
        n_lines += i < text.len;
        start = i + 1;
    }
    last = str_sub(last, 0,
                   utf8_floor(last, last.len < MESSAGE_LINE_BYTES ? last.len : MESSAGE_LINE_BYTES));
    struct buf message;
    buf_init(&message, KIB);
    buf_appendf(&message, "%zu line%s: " STR_FMT, n_lines, n_lines == 1 ? "" : "s", STR_ARG(last));
    progress_report(t->progress, buf_str(&message));
    buf_release(&message);
}

static void on_text(str text, void *user)
{
    struct task *t = user;
    if (t->state != TASK_ASKING) {
        return;
    }
    if (t->action.output == ACTION_SHOW) {
        str spoken = rewrite_spoken(text);
        report_growth(t, spoken.len > 0 ? spoken : STR("thinking"));
        if (spoken.len > 0) {
            answers_show(t, spoken, false);
        }
    } else {
        report_growth(t, rewrite_growing(text));
    }
}

/* What broke the answer off, in the engine's words. */
static void fail_cut(struct task *t, const struct answer *answer)
{
    struct error error;
    str reason = str_trim(str_after_last(answer->why, ';'));
    (void)error_set(&error, ERR_PROTOCOL,
                    "the answer broke off before its end (" STR_FMT "); nothing was changed. "
                    "Select less, or name another model in models.chat",
                    STR_ARG(reason));
    task_fail(t, &error);
}

static void finish_show(struct task *t, const struct answer *answer)
{
    struct buf whole;
    buf_init(&whole, 2 * FLIGHT_MAX_TEXT_BYTES);
    buf_append(&whole, rewrite_spoken(answer->text));
    if (str_trim(buf_str(&whole)).len == 0) {
        struct error error;
        (void)error_set(&error, ERR_PROTOCOL, "the model answered with nothing: ask again");
        buf_release(&whole);
        task_fail(t, &error);
        return;
    }
    answers_note(answer, &whole);
    buf_append(&whole, answer->is_cut ? STR("\n\n*(The answer broke off here.)*") : STR(""));
    answers_show(t, buf_str(&whole), true);
    buf_release(&whole);
    if (t->resolve) {
        reply_item(t, STR(""), STR(""));
    }
    task_end(t, STR("done"));
}

static void finish_edit(struct task *t, const struct answer *answer)
{
    struct session *s = t->session;
    struct error why;
    const struct open_document *doc = documents_find(s->documents, t->document);
    if (!doc) {
        (void)error_set(&why, ERR_REJECTED, "the document was closed; nothing was changed");
        task_fail(t, &why);
    } else if (answer->is_cut) {
        fail_cut(t, answer);
    } else if (edits_make(t, doc, answer->text, &why) != ERR_OK) {
        task_fail(t, &why);
    } else if (t->resolve && !t->has_moved) {
        s->applied_prompt = t->prompt_hash;
        reply_edit(t, doc);
        task_end(t, STR("done"));
    } else {
        if (t->resolve) { /* it has to be asked first, which is no part of resolving */
            reply_item(t, STR(""), STR(""));
            t->is_picked = true;
        }
        t->state = TASK_HELD;
        progress_report(t->progress, STR("ready"));
        if (t->is_picked) {
            edits_apply(t);
        }
    }
}

static void on_done(const struct answer *answer, const struct error *error, void *user)
{
    struct task *t = user;
    t->question = 0;
    if (t->state == TASK_OVER) {
        task_let_go(t);
        return;
    }
    if (error && t->is_closed) {
        struct error why;
        (void)error_set(&why, ERR_REJECTED, "the document was closed; nothing was changed");
        task_fail(t, &why);
    } else if (error) {
        task_fail(t, error);
    } else if (t->action.output == ACTION_SHOW) {
        finish_show(t, answer);
    } else {
        finish_edit(t, answer);
    }
}

/* -- what happens around -- */

static size_t shift_mark(size_t mark, const struct edit *e, bool stays_before)
{
    if (mark < e->start || (mark == e->start && stays_before)) {
        return mark;
    }
    size_t end = e->start + e->n_removed;
    return mark >= end    ? mark - e->n_removed + e->n_inserted
           : stays_before ? e->start
                          : e->start + e->n_inserted;
}

void tasks_on_edit(struct session *s, uint64_t document, const struct edit *edit)
{
    for (struct task *t = s->tasks; t; t = t->next) {
        if (t->document == document) {
            t->has_moved = true;
            t->range.start = shift_mark(t->range.start, edit, false);
            t->range.end = shift_mark(t->range.end, edit, true);
            t->range.end = t->range.end < t->range.start ? t->range.start : t->range.end;
            t->insert_at = shift_mark(t->insert_at, edit, t->is_below);
        }
    }
}

void tasks_forget_document(struct session *s, uint64_t document)
{
    struct task *next = NULL;
    for (struct task *t = s->tasks; t; t = next) {
        next = t->next;
        if (t->document == document && document != 0) {
            t->is_closed = true;
            if (t->state == TASK_HELD) {
                task_cancel(t);
            }
        }
    }
}

void tasks_cancel_all(struct session *s)
{
    struct task *next = NULL;
    for (struct task *t = s->tasks; t; t = next) {
        next = t->next;
        task_cancel(t);
    }
}

void on_progress_cancel(struct session *s, struct rpc_call *call)
{
    str token = json_str(json_get(call->params, STR("token")));
    for (struct task *t = s->tasks; t; t = t->next) {
        if (str_eq(t->token, token)) {
            task_cancel(t);
            return;
        }
    }
}

/* -- codeAction/resolve -- */

/* The order in the code action's data; false where it holds none, or is no edit to wait for. */
static bool wants_text(struct json item)
{
    struct json data = json_get(item, STR("data"));
    return json_is(data, JSON_OBJECT) && json_is(json_get(data, STR("uri")), JSON_STRING) &&
           json_is(json_get(item, STR("edit")), JSON_NONE) &&
           json_is(json_get(item, STR("command")), JSON_NONE);
}

void on_code_action_resolve(struct session *s, struct rpc_call *call)
{
    struct task_order order;
    struct error why;
    if (!json_is(call->params, JSON_OBJECT)) {
        rpc_fail(call, RPC_INVALID_PARAMS, "a code action is an object");
        return;
    }
    session_wake(s);
    if (!wants_text(call->params)) {
        json_put_raw(rpc_result(call), json_raw(call->params));
        rpc_send(s->rpc);
        return;
    }
    struct json data = json_get(call->params, STR("data"));
    str name = json_str(json_get(data, STR("name")));
    if (task_read_order(s, name, data, call->arena, &order, &why) != ERR_OK) {
        rpc_fail(call, rpc_code_of(why.code), "Crucible: %s", why.msg);
        return;
    }
    task_begin(s, &order, call, json_raw(call->params));
}

/* -- commands -- */

void task_command(struct session *s, str name, struct json arguments)
{
    struct arena arena = {0};
    struct task_order order;
    struct error why;
    struct json argument = json_at(arguments, 0);
    struct json id = json_get(argument, STR("task"));
    if (json_is_int(id)) {
        if (!task_go_on(s, (uint64_t)json_int(id, 0))) {
            session_show(s, 2, STR("Crucible: the action has ended meanwhile; ask again"));
        }
        return;
    }
    bool is_refactor = str_eq(name, STR("refactor"));
    bool is_named = json_is(json_get(argument, STR("action")), JSON_STRING);
    enum err err = task_read_order(s, name, argument, &arena, &order, &why);
    if (err == ERR_OK && is_refactor && !is_named && order.instruction.len == 0) {
        err = error_set(&why, ERR_INVALID,
                        "what shall be changed? Write it as a comment at the beginning of the "
                        "selection, and refactor that");
    }
    if (err == ERR_OK) {
        task_begin(s, &order, NULL, STR(""));
    } else {
        struct buf message;
        buf_init(&message, 2 * KIB);
        buf_appendf(&message, "Crucible: %s", why.msg);
        session_show(s, 1, buf_str(&message));
        buf_release(&message);
    }
    arena_release(&arena);
}
