/* lifecycle.c - how an editor says hello, and how it says goodbye.
 *
 * Rules    What the editor says of itself is only believed where it has the right type; everything
 *          else is as if it weren't there. The reply to initialize goes out before anything is
 *          made that costs time. */
#include <stdio.h>

#include "core/base/log.h"
#include "core/base/utf8.h"
#include "lsp/session.h"
#include "lsp/uri.h"

#include "core/base/limits.h"

#define FOLDERS_MAX 64u

static struct json path2(struct json v, str a, str b)
{
    return json_get(json_get(v, a), b);
}

static bool list_has(struct json list, str word)
{
    struct json_iter it = json_iter(list);
    struct json item;
    while (json_next(&it, NULL, &item)) {
        if (json_str_eq(item, word)) {
            return true;
        }
    }
    return false;
}

static bool list_has_int(struct json list, int64_t n)
{
    struct json_iter it = json_iter(list);
    struct json item;
    while (json_next(&it, NULL, &item)) {
        if (json_int(item, n - 1) == n) {
            return true;
        }
    }
    return false;
}

/* UTF-8 costs nothing, so it is taken whenever it is offered; UTF-16 needs no offer. Clients of the
 * plugin dialect take UTF-16 for granted. */
static enum position_encoding choose_encoding(struct json offered, bool is_plugin)
{
    if (is_plugin) {
        return POSITION_UTF16;
    }
    if (list_has(offered, STR("utf-8"))) {
        return POSITION_UTF8;
    }
    bool only_utf32 = list_has(offered, STR("utf-32")) && !list_has(offered, STR("utf-16"));
    return only_utf32 ? POSITION_UTF32 : POSITION_UTF16;
}

/* What the editor can do with code actions, edits, progress and documents of ours. */
static void read_action_client(struct client *c, struct json caps)
{
    struct json action = path2(caps, STR("textDocument"), STR("codeAction"));
    struct json workspace = json_get(caps, STR("workspace"));
    struct json window = json_get(caps, STR("window"));
    struct json resolved = path2(action, STR("resolveSupport"), STR("properties"));
    bool keeps_data = json_bool(json_get(action, STR("dataSupport")), false);
    c->takes_actions = json_is(json_get(action, STR("codeActionLiteralSupport")), JSON_OBJECT);
    c->resolves_edit = keeps_data && list_has(resolved, STR("edit"));
    c->resolves_command = keeps_data && list_has(resolved, STR("command"));
    c->takes_generated_tag = list_has_int(path2(action, STR("tagSupport"), STR("valueSet")), 1);
    c->applies_edits = json_bool(json_get(workspace, STR("applyEdit")), false);
    c->takes_versioned_edits =
        json_bool(path2(workspace, STR("workspaceEdit"), STR("documentChanges")), false);
    c->takes_progress = json_bool(json_get(window, STR("workDoneProgress")), false);
    c->shows_documents = json_bool(path2(window, STR("showDocument"), STR("support")), false);
}

/* What only our own plugins say of themselves. */
static void read_own_client(struct client *c, struct json own)
{
    c->shows_answers = json_bool(json_get(own, STR("answers")), false);
    c->asks_instructions = json_bool(json_get(own, STR("instructions")), false);
    c->takes_updates = json_bool(json_get(own, STR("inlineUpdates")), false);
}

static void read_client(struct client *c, struct json params)
{
    struct json caps = json_get(params, STR("capabilities"));
    struct json workspace = json_get(caps, STR("workspace"));
    struct json item =
        path2(json_get(caps, STR("textDocument")), STR("completion"), STR("completionItem"));
    struct json offered = path2(caps, STR("general"), STR("positionEncodings"));
    c->is_plugin =
        json_is(path2(params, STR("initializationOptions"), STR("editorPluginInfo")), JSON_OBJECT);
    c->encoding = choose_encoding(offered, c->is_plugin);
    c->has_configuration = json_bool(json_get(workspace, STR("configuration")), false);
    c->can_register = json_bool(
        path2(workspace, STR("didChangeConfiguration"), STR("dynamicRegistration")), false);
    c->takes_markdown = list_has(json_get(item, STR("documentationFormat")), STR("markdown"));
    c->takes_as_is = list_has_int(path2(item, STR("insertTextModeSupport"), STR("valueSet")), 1);
    c->takes_label_details = json_bool(json_get(item, STR("labelDetailsSupport")), false);
    read_action_client(c, caps);
    read_own_client(c, path2(caps, STR("experimental"), STR("crucible")));
    struct json resolved = path2(item, STR("resolveSupport"), STR("properties"));
    c->resolves_documentation = list_has(resolved, STR("documentation"));
    struct json hover = path2(caps, STR("textDocument"), STR("hover"));
    c->takes_hover_markdown = list_has(json_get(hover, STR("contentFormat")), STR("markdown"));
    str name = json_str(path2(params, STR("clientInfo"), STR("name")));
    name = str_sub(name, 0, utf8_floor(name, name.len < 63 ? name.len : 63));
    (void)snprintf(c->name, sizeof c->name, STR_FMT, STR_ARG(name));
    /* It honours versions without saying so. */
    c->takes_versioned_edits = c->takes_versioned_edits || str_eq(name, STR("Neovim"));
}

/* -- workspace folders -- */

static size_t find_folder(const struct session *s, str path)
{
    for (size_t i = 0; i < s->n_folders; i++) {
        if (str_eq(s->folders[i], path)) {
            return i;
        }
    }
    return SIZE_MAX;
}

static void add_folder_path(struct session *s, str path)
{
    while (path.len > 1 && path.ptr[path.len - 1] == '/') {
        path.len--;
    }
    if (path.len < 2 || path.ptr[0] != '/' || s->n_folders >= FOLDERS_MAX ||
        memchr(path.ptr, '\0', path.len) || find_folder(s, path) != SIZE_MAX) {
        return;
    }
    s->folders = xrealloc(s->folders, (s->n_folders + 1) * sizeof *s->folders);
    s->folders[s->n_folders++] = str_of(xstrndup(path.ptr, path.len), path.len);
    if (s->is_set_out) {
        predictor_learn_workspace(s->predictor, s->folders[s->n_folders - 1]);
    }
}

static void add_folder(struct session *s, struct json uri)
{
    str path;
    if (uri_normalise(json_str(uri), &s->key, &path) == ERR_OK) {
        add_folder_path(s, path);
    }
}

static void remove_folder(struct session *s, struct json uri)
{
    str path;
    if (uri_normalise(json_str(uri), &s->key, &path) != ERR_OK) {
        return;
    }
    while (path.len > 1 && path.ptr[path.len - 1] == '/') {
        path.len--;
    }
    size_t idx = find_folder(s, path);
    if (idx != SIZE_MAX) {
        xfree((char *)(uintptr_t)s->folders[idx].ptr);
        s->folders[idx] = s->folders[--s->n_folders];
    }
}

static void each_folder(struct session *s, struct json folders,
                        void (*fn)(struct session *s, struct json uri))
{
    struct json_iter it = json_iter(folders);
    struct json folder;
    while (json_next(&it, NULL, &folder)) {
        fn(s, json_get(folder, STR("uri")));
    }
}

static void read_folders(struct session *s, struct json params)
{
    each_folder(s, json_get(params, STR("workspaceFolders")), add_folder);
    if (s->n_folders == 0) {
        add_folder(s, json_get(params, STR("rootUri")));
    }
    if (s->n_folders == 0) {
        add_folder_path(s, json_str(json_get(params, STR("rootPath"))));
    }
}

void on_folders_changed(struct session *s, struct rpc_call *call)
{
    struct json event = json_get(call->params, STR("event"));
    each_folder(s, json_get(event, STR("removed")), remove_folder);
    each_folder(s, json_get(event, STR("added")), add_folder);
    config_reload_projects(s);
}

/* -- hello -- */

static void put_sync(struct json_writer *w)
{
    json_key(w, STR("textDocumentSync"));
    json_begin_object(w);
    json_key_bool(w, STR("openClose"), true);
    json_key_int(w, STR("change"), 2);
    json_key_bool(w, STR("save"), false);
    json_end_object(w);
}

static void put_completion(struct json_writer *w)
{
    static const char triggers[] = ".:>(,=/ {[";
    json_key(w, STR("completionProvider"));
    json_begin_object(w);
    json_key_bool(w, STR("resolveProvider"), true);
    json_key(w, STR("triggerCharacters"));
    json_begin_array(w);
    for (const char *c = triggers; *c; c++) {
        json_put_str(w, str_of(c, 1));
    }
    json_end_array(w);
    json_end_object(w);
}

static void put_actions(const struct client *c, struct json_writer *w)
{
    static const char *const kinds[] = {"quickfix", "refactor.rewrite.document",
                                        "refactor.rewrite.tests", "refactor.rewrite.crucible",
                                        "crucible.explain"};
    json_key(w, STR("codeActionProvider"));
    if (!c->takes_actions) {
        json_put_bool(w, true);
        return;
    }
    json_begin_object(w);
    json_key(w, STR("codeActionKinds"));
    json_begin_array(w);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        json_put_str(w, str_from(kinds[i]));
    }
    json_end_array(w);
    json_key_bool(w, STR("resolveProvider"), true);
    json_end_object(w);
}

static void put_workspace(struct json_writer *w)
{
    json_key(w, STR("executeCommandProvider"));
    json_begin_object(w);
    json_key(w, STR("commands"));
    json_begin_array(w);
    for (size_t i = 0; i < n_command_names; i++) {
        json_put_str(w, command_names[i]);
    }
    json_end_array(w);
    json_end_object(w);
    json_key(w, STR("workspace"));
    json_begin_object(w);
    json_key(w, STR("workspaceFolders"));
    json_begin_object(w);
    json_key_bool(w, STR("supported"), true);
    json_key_bool(w, STR("changeNotifications"), true);
    json_end_object(w);
    json_end_object(w);
}

static void reply_hello(struct session *s, struct rpc_call *call)
{
    struct json_writer *w = rpc_result(call);
    json_begin_object(w);
    json_key(w, STR("capabilities"));
    json_begin_object(w);
    json_key_str(w, STR("positionEncoding"), position_encoding_name(s->client.encoding));
    put_sync(w);
    json_key_bool(w, STR("inlineCompletionProvider"), true);
    put_completion(w);
    json_key_bool(w, STR("hoverProvider"), true);
    put_actions(&s->client, w);
    put_workspace(w);
    json_end_object(w);
    json_key(w, STR("serverInfo"));
    json_begin_object(w);
    json_key_str(w, STR("name"), STR("crucible"));
    json_key_str(w, STR("version"), STR(CRUCIBLE_VERSION));
    json_end_object(w);
    json_end_object(w);
    rpc_send(s->rpc);
}

static void on_parent_gone(void *user)
{
    struct session *s = user;
    log_info(LOG_LSP, "the editor's process is gone");
    session_exit(s, s->state == SESSION_CLOSING ? 0 : 1);
}

static void after_hello(struct session *s)
{
    if (s->state != SESSION_RUNNING) {
        return;
    }
    session_wake(s);
    if (s->options.on_initialized) {
        s->options.on_initialized(s->options.user);
    }
}

/* A process that isn't there (another container's, say) is no reason to leave. */
static void watch_parent(struct session *s, struct json pid)
{
    int64_t n = json_int(pid, 0);
    if (n > 0 && loop_watch_process(s->options.loop, n, on_parent_gone, s, &s->parent) != ERR_OK) {
        log_info(LOG_LSP, "the editor's process isn't visible from here: not watched");
    }
}

void on_initialize(struct session *s, struct rpc_call *call)
{
    read_client(&s->client, call->params);
    s->state = SESSION_RUNNING;
    watch_parent(s, json_get(call->params, STR("processId")));
    reply_hello(s, call);
    s->options.flush(s->options.user);
    read_folders(s, call->params);
    config_put_init(s, json_get(call->params, STR("initializationOptions")));
    log_info(LOG_LSP, "editor %s, positions in %s", LOG_SAFE(str_from(s->client.name)),
             position_encoding_name(s->client.encoding).ptr);
    session_post(s, after_hello);
}

static void on_registered(struct json result, const struct error *error, void *user)
{
    (void)result;
    if (error) {
        log_info(LOG_LSP, "didChangeConfiguration isn't registered: %s", error->msg);
    }
    session_arm_rpc(user);
}

static void register_configuration(struct session *s)
{
    struct json_writer *w =
        rpc_request(s->rpc, STR("client/registerCapability"), UINT64_MAX, on_registered, s);
    json_begin_object(w);
    json_key(w, STR("registrations"));
    json_begin_array(w);
    json_begin_object(w);
    json_key_str(w, STR("id"), STR("crucible-configuration"));
    json_key_str(w, STR("method"), STR("workspace/didChangeConfiguration"));
    json_key(w, STR("registerOptions"));
    json_begin_object(w);
    json_key_str(w, STR("section"), STR("crucible"));
    json_end_object(w);
    json_end_object(w);
    json_end_array(w);
    json_end_object(w);
    rpc_send(s->rpc);
}

void on_initialized(struct session *s, struct rpc_call *call)
{
    (void)call;
    if (s->is_initialized) {
        return;
    }
    s->is_initialized = true;
    session_wake(s);
    if (s->client.can_register) {
        register_configuration(s);
    }
    config_pull(s);
}

/* -- goodbye -- */

void on_shutdown(struct session *s, struct rpc_call *call)
{
    tasks_cancel_all(s);
    s->state = SESSION_CLOSING;
    rpc_cancel_all(s->rpc);
    rpc_result_null(call);
}

void on_exit_notice(struct session *s, struct rpc_call *call)
{
    (void)call;
    session_exit(s, s->state == SESSION_CLOSING ? 0 : 1);
}
