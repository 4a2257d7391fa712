/* commands.c - workspace/executeCommand, and what editors tell us of accepted text.
 *
 * Rules    Every command is answered at once, since some editors stand still until then; what it
 *          leads to follows as notifications. Arguments are numbers that we gave out. */
#include "core/base/limits.h"
#include "core/base/log.h"
#include "core/base/utf8.h"
#include "lsp/session.h"

static void do_accept(struct session *s, struct json arguments);
static void do_explain(struct session *s, struct json arguments);
static void do_fix(struct session *s, struct json arguments);
static void do_document(struct session *s, struct json arguments);
static void do_tests(struct session *s, struct json arguments);
static void do_refactor(struct session *s, struct json arguments);
static void do_switch_model(struct session *s, struct json arguments);
static void do_toggle(struct session *s, struct json arguments);
static void do_clear_cache(struct session *s, struct json arguments);
static void do_status(struct session *s, struct json arguments);

#define NAME(lit)                                                                                  \
    {                                                                                              \
        lit, sizeof(lit) - 1                                                                       \
    } /* STR() is no constant */
const str command_names[] = {NAME("crucible.accept"),      NAME("crucible.explain"),
                             NAME("crucible.fix"),         NAME("crucible.document"),
                             NAME("crucible.tests"),       NAME("crucible.refactor"),
                             NAME("crucible.switchModel"), NAME("crucible.toggle"),
                             NAME("crucible.clearCache"),  NAME("crucible.status")};
const size_t n_command_names = sizeof command_names / sizeof command_names[0];
static void (*const commands[])(struct session *s, struct json arguments) = {
    do_accept,   do_explain,      do_fix,    do_document,    do_tests,
    do_refactor, do_switch_model, do_toggle, do_clear_cache, do_status};
_Static_assert(sizeof commands / sizeof commands[0] ==
                   sizeof command_names / sizeof command_names[0],
               "one function each");

void on_execute_command(struct session *s, struct rpc_call *call)
{
    struct json name = json_get(call->params, STR("command"));
    for (size_t i = 0; i < n_command_names; i++) {
        if (json_str_eq(name, command_names[i])) {
            if (call->is_request) {
                rpc_result_null(call);
            }
            session_wake(s);
            commands[i](s, json_get(call->params, STR("arguments")));
            return;
        }
    }
    log_info(LOG_LSP, "no such command: %s", LOG_SAFE(json_str(name)));
    if (call->is_request) {
        rpc_fail(call, RPC_INVALID_PARAMS, "no such command");
    }
}

/* -- acceptance -- */

/* The trace serial in a command's arguments; 0 where there is none. */
static uint64_t read_serial(struct json arguments)
{
    struct json first = json_at(arguments, 0);
    uint64_t serial = 0;
    if (json_is(first, JSON_STRING)) {
        return str_to_u64(json_str(first), INT64_MAX, &serial) ? serial : 0;
    }
    int64_t n = json_int(first, 0);
    return n > 0 ? (uint64_t)n : 0;
}

/* The trace serial of the answer that an item was. */
static uint64_t serial_of(struct json item)
{
    return read_serial(json_get(json_get(item, STR("command")), STR("arguments")));
}

static void do_accept(struct session *s, struct json arguments)
{
    engine_accepted(s->engine, read_serial(arguments), SIZE_MAX);
}

void on_completion_shown(struct session *s, struct rpc_call *call)
{
    uint64_t serial = serial_of(json_get(call->params, STR("item")));
    if (s->engine && serial != 0) {
        engine_seen(s->engine, serial);
    }
}

void on_partially_accepted(struct session *s, struct rpc_call *call)
{
    struct json item = json_get(call->params, STR("item"));
    int64_t units = json_int(json_get(call->params, STR("acceptedLength")), 0);
    if (s->engine && units > 0) { /* UTF-16 units from the start of the text */
        str text = json_str(json_get(item, STR("insertText")));
        engine_accepted(s->engine, serial_of(item), utf8_offset_of_utf16(text, (size_t)units));
    }
}

void on_did_focus(struct session *s, struct rpc_call *call)
{
    struct json uri = json_get(json_get(call->params, STR("textDocument")), STR("uri"));
    const struct session_document *doc =
        json_is(uri, JSON_STRING) ? sync_find(s, json_str(uri)) : NULL;
    if (s->engine) {
        engine_focus(s->engine, doc ? doc->id : 0);
    }
}

/* -- what a person has a model do -- */

static void do_explain(struct session *s, struct json arguments)
{
    task_command(s, STR("explain"), arguments);
}

static void do_fix(struct session *s, struct json arguments)
{
    task_command(s, STR("fix"), arguments);
}

static void do_document(struct session *s, struct json arguments)
{
    task_command(s, STR("document"), arguments);
}

static void do_tests(struct session *s, struct json arguments)
{
    task_command(s, STR("tests"), arguments);
}

static void do_refactor(struct session *s, struct json arguments)
{
    task_command(s, STR("refactor"), arguments);
}

/* -- the others -- */

static void do_toggle(struct session *s, struct json arguments)
{
    (void)arguments;
    s->is_off = !s->is_off;
    if (s->engine) {
        engine_switch(s->engine, !s->is_off);
    }
    session_show(s, 3, s->is_off ? STR("Crucible is off for this session") : STR("Crucible is on"));
    status_changed(s);
}

static void do_clear_cache(struct session *s, struct json arguments)
{
    (void)arguments;
    engine_clear_cache(s->engine);
    status_changed(s);
}

static void do_status(struct session *s, struct json arguments)
{
    (void)arguments;
    struct engine_status status = engine_status(s->engine);
    struct buf line;
    buf_init(&line, 4 * KIB);
    buf_append(&line, s->is_off ? STR("Crucible is off (crucible.toggle)") : STR("Crucible: "));
    if (!s->is_off) {
        buf_append(&line, status.message);
    }
    if (status.model.len > 0 && !s->is_off) {
        buf_appendf(&line, " [" STR_FMT "]", STR_ARG(status.model));
    }
    if (status.why.len > 0) {
        buf_appendf(&line, "; last request: " STR_FMT, STR_ARG(status.why));
    }
    session_show(s, 3, buf_str(&line));
    buf_release(&line);
    buf_clear(&s->status); /* and the notification, changed or not */
    status_changed(s);
}

/* -- switching models -- */

#define MODELS_SHOWN 24u

struct switching {
    struct session *session;
    enum role role;
};

static void switch_model(struct session *s, enum role role, str model)
{
    struct buf line;
    buf_init(&line, 2 * KIB);
    engine_prefer(s->engine, role, model);
    buf_appendf(&line, "Crucible: " STR_FMT " is for %s now, in this session", STR_ARG(model),
                role == ROLE_CHAT ? "actions and explanations" : "typing");
    session_show(s, 3, buf_str(&line));
    buf_release(&line);
    status_changed(s);
}

static void on_model_chosen(struct json result, const struct error *error, void *user)
{
    struct switching *w = user;
    str model = json_str(json_get(result, STR("title")));
    if (w->session->state == SESSION_RUNNING) {
        session_arm_rpc(w->session);
        if (!error && model.len > 0) {
            switch_model(w->session, w->role, model);
        }
    }
    xfree(w);
}

static void put_models(const struct endpoint *ep, enum role role, unsigned *n,
                       struct json_writer *w)
{
    for (size_t m = 0; m < ep->n_models && *n < MODELS_SHOWN; m++) {
        bool serves = role != ROLE_CHAT || (ep->models[m].abilities & MODEL_CHAT) != 0;
        if (!serves || ep->state != ENDPOINT_READY) {
            continue;
        }
        struct buf name;
        buf_init(&name, KIB);
        buf_appendf(&name, STR_FMT "/" STR_FMT, STR_ARG(ep->name), STR_ARG(ep->models[m].id));
        json_begin_object(w);
        json_key_str(w, STR("title"), buf_str(&name));
        json_end_object(w);
        buf_release(&name);
        ++*n;
    }
}

/* The person chooses among the models that are there. */
static void offer_models(struct session *s, enum role role)
{
    struct switching *chosen = xcalloc(1, sizeof *chosen);
    unsigned n = 0;
    chosen->session = s;
    chosen->role = role;
    struct json_writer *w =
        rpc_request(s->rpc, STR("window/showMessageRequest"), UINT64_MAX, on_model_chosen, chosen);
    json_begin_object(w);
    json_key_int(w, STR("type"), 3);
    json_key_str(w, STR("message"),
                 role == ROLE_CHAT ? STR("Crucible: which model for actions and explanations?")
                                   : STR("Crucible: which model for typing?"));
    json_key(w, STR("actions"));
    json_begin_array(w);
    for (size_t i = 0; i < upstream_count(s->upstream); i++) {
        put_models(upstream_endpoint(s->upstream, i), role, &n, w);
    }
    json_end_array(w);
    json_end_object(w);
    rpc_send(s->rpc);
}

static void do_switch_model(struct session *s, struct json arguments)
{
    struct json argument = json_at(arguments, 0);
    str model = json_str(json_get(argument, STR("model")));
    bool is_chat = json_str_eq(json_get(argument, STR("role")), STR("chat"));
    if (model.len > 0) {
        switch_model(s, is_chat ? ROLE_CHAT : ROLE_INLINE, model);
    } else {
        offer_models(s, is_chat ? ROLE_CHAT : ROLE_INLINE);
    }
}
