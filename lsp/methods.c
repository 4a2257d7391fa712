/* methods.c - the one table of what an editor may call, and who may call it when.
 *
 * How      The table is short: a method is found by its length first, then its bytes.
 * Extending A method is one line here and one handler in the file of its subject. */
#include "lsp/methods.h"

#include "core/base/log.h"

static void on_cancel(struct session *s, struct rpc_call *call);

#define NAME(lit)                                                                                  \
    {                                                                                              \
        lit, sizeof(lit) - 1                                                                       \
    } /* STR() is no constant */
static const struct method methods[] = {
    {NAME("textDocument/didChange"), METHOD_NOTIFICATION, METHOD_AT_ONCE, on_did_change},
    {NAME("textDocument/inlineCompletion"), METHOD_REQUEST, METHOD_NEWEST, on_inline_completion},
    {NAME("textDocument/completion"), METHOD_REQUEST, METHOD_NEWEST, on_completion},
    {NAME("$/cancelRequest"), METHOD_NOTIFICATION, METHOD_AT_ONCE, on_cancel},
    {NAME("textDocument/didOpen"), METHOD_NOTIFICATION, METHOD_AT_ONCE, on_did_open},
    {NAME("textDocument/didClose"), METHOD_NOTIFICATION, METHOD_AT_ONCE, on_did_close},
    {NAME("textDocument/didSave"), METHOD_NOTIFICATION, METHOD_AT_ONCE, NULL},
    {NAME("completionItem/resolve"), METHOD_REQUEST, METHOD_AT_ONCE, on_completion_resolve},
    {NAME("textDocument/hover"), METHOD_REQUEST, METHOD_NEWEST, on_hover},
    {NAME("textDocument/codeAction"), METHOD_REQUEST, METHOD_AT_ONCE, on_code_action},
    {NAME("codeAction/resolve"), METHOD_REQUEST, METHOD_PATIENT, on_code_action_resolve},
    {NAME("workspace/executeCommand"), METHOD_EITHER, METHOD_AT_ONCE, on_execute_command},
    {NAME("workspace/didChangeConfiguration"), METHOD_NOTIFICATION, METHOD_AT_ONCE,
     on_configuration_changed},
    {NAME("workspace/didChangeWorkspaceFolders"), METHOD_NOTIFICATION, METHOD_AT_ONCE,
     on_folders_changed},
    {NAME("workspace/didChangeWatchedFiles"), METHOD_NOTIFICATION, METHOD_AT_ONCE, NULL},
    {NAME("window/workDoneProgress/cancel"), METHOD_NOTIFICATION, METHOD_AT_ONCE,
     on_progress_cancel},
    {NAME("textDocument/didFocus"), METHOD_NOTIFICATION, METHOD_AT_ONCE, on_did_focus},
    {NAME("textDocument/didShowCompletion"), METHOD_NOTIFICATION, METHOD_AT_ONCE,
     on_completion_shown},
    {NAME("textDocument/didPartiallyAcceptCompletion"), METHOD_NOTIFICATION, METHOD_AT_ONCE,
     on_partially_accepted},
    {NAME("crucible/status"), METHOD_REQUEST, METHOD_AT_ONCE, on_status_request},
    {NAME("crucible/stats"), METHOD_REQUEST, METHOD_AT_ONCE, on_stats_request},
    {NAME("initialize"), METHOD_REQUEST, METHOD_AT_ONCE, on_initialize},
    {NAME("initialized"), METHOD_NOTIFICATION, METHOD_AT_ONCE, on_initialized},
    {NAME("shutdown"), METHOD_REQUEST, METHOD_AT_ONCE, on_shutdown},
    {NAME("exit"), METHOD_NOTIFICATION, METHOD_AT_ONCE, on_exit_notice},
};

const struct method *method_find(str name)
{
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        if (str_eq(methods[i].name, name)) {
            return &methods[i];
        }
    }
    return NULL;
}

static void on_cancel(struct session *s, struct rpc_call *call)
{
    rpc_cancel(s->rpc, call->params);
}

static void dispatch_request(struct session *s, const struct method *m, struct rpc_call *call)
{
    bool is_initialize = m && m->handler == on_initialize;
    if (s->state == SESSION_NEW && !is_initialize) {
        rpc_fail(call, RPC_NOT_INITIALIZED, "initialize comes first");
    } else if (s->state == SESSION_CLOSING || s->state == SESSION_OVER) {
        rpc_fail(call, RPC_INVALID_REQUEST, "the server is shutting down");
    } else if (s->state == SESSION_RUNNING && is_initialize) {
        rpc_fail(call, RPC_INVALID_REQUEST, "initialize came already");
    } else if (!m || m->kind == METHOD_NOTIFICATION) {
        log_debug(LOG_RPC, "no such request: %s", LOG_SAFE(call->method));
        rpc_fail(call, RPC_METHOD_NOT_FOUND, "no such request: " STR_FMT,
                 STR_ARG(str_sub(call->method, 0, 100)));
    } else {
        m->handler(s, call);
        ASSERT(call->is_answered || m->class != METHOD_AT_ONCE);
    }
}

static void dispatch_notification(struct session *s, const struct method *m, struct rpc_call *call)
{
    bool is_exit = m && m->handler == on_exit_notice;
    if (!is_exit && s->state != SESSION_RUNNING) {
        log_debug(LOG_RPC, "ignored outside of a session: %s", LOG_SAFE(call->method));
    } else if (!m || m->kind == METHOD_REQUEST) {
        log_debug(LOG_RPC, "ignored notification: %s", LOG_SAFE(call->method));
    } else if (m->handler) {
        m->handler(s, call);
    }
}

void methods_dispatch(struct session *s, struct rpc_call *call)
{
    const struct method *m = method_find(call->method);
    if (call->is_request) {
        dispatch_request(s, m, call);
    } else {
        dispatch_notification(s, m, call);
    }
}
