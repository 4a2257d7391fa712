/* sync.c - keeps the editor's documents in step.
 *
 * Why      A suggestion for a text that isn't the editor's does damage when it is accepted; where
 *          a change was lost, saying nothing is the only right answer.
 * How      Documents by the normal form of their URI. The spelling of the last message is kept, so
 *          that typing in one file finds it by one comparison.
 * Rules    Changes apply in their order, each on the result of the one before. A version that
 *          doesn't grow, or a change that can't be read, desyncs the document: nothing is asked
 *          about it until its whole text comes again. Unknown documents are never made here. */
#include "core/base/log.h"
#include "lsp/ask.h"
#include "lsp/later.h"
#include "lsp/session.h"
#include "lsp/uri.h"

/* -- finding -- */

struct session_document *sync_find(struct session *s, str uri)
{
    if (s->last && str_eq(uri, buf_str(&s->last_uri))) {
        return s->last;
    }
    struct session_document *doc = NULL;
    if (uri_normalise(uri, &s->key, NULL) == ERR_OK) {
        HASH_FIND(hh, s->by_key, s->key.ptr, (unsigned)s->key.len, doc);
    }
    if (doc) {
        s->last = doc;
        buf_clear(&s->last_uri);
        buf_append(&s->last_uri, uri);
    }
    return doc;
}

struct open_document *sync_open(struct session *s, const struct session_document *doc)
{
    return doc->id ? documents_find(s->documents, doc->id) : NULL;
}

static struct session_document *find_named(struct session *s, struct json params)
{
    struct json uri = json_get(json_get(params, STR("textDocument")), STR("uri"));
    struct session_document *doc = sync_find(s, json_str(uri));
    if (!doc) {
        log_info(LOG_DOCUMENT, "a message about a document that isn't open");
    }
    return doc;
}

bool sync_position(struct json v, struct position *out)
{
    struct json line = json_get(v, STR("line"));
    struct json character = json_get(v, STR("character"));
    if (!json_is_int(line) || !json_is_int(character)) {
        return false;
    }
    double l = json_double(line, -1);
    double c = json_double(character, -1);
    if (l < 0 || c < 0) {
        return false;
    }
    out->line = l < UINT32_MAX ? (uint32_t)l : UINT32_MAX;
    out->character = c < UINT32_MAX ? (uint32_t)c : UINT32_MAX;
    return true;
}

bool sync_range(const struct session *s, const struct document *d, struct json range, size_t *start,
                size_t *end)
{
    struct position from, to;
    if (!sync_position(json_get(range, STR("start")), &from) ||
        !sync_position(json_get(range, STR("end")), &to)) {
        return false;
    }
    *start = position_to_offset(d, from, s->client.encoding);
    *end = position_to_offset(d, to, s->client.encoding);
    return true;
}

/* -- privacy -- */

/* The path within the URIs that show a file under another scheme ("git:/x/.env?{...}"). */
static str path_of_other(str key)
{
    size_t colon = str_find_char(key, ':', 0);
    str rest = str_sub(key, colon == SIZE_MAX ? key.len : colon + 1, key.len);
    if (str_starts_with(rest, STR("//"))) {
        size_t slash = str_find_char(rest, '/', 2);
        rest = str_sub(rest, slash == SIZE_MAX ? rest.len : slash, rest.len);
    }
    rest = str_sub(rest, 0, str_find_char(rest, '?', 0));
    return str_sub(rest, 0, str_find_char(rest, '#', 0));
}

static void mark_exclusion(struct session *s, struct session_document *doc)
{
    struct open_document *open = sync_open(s, doc);
    if (!open || !s->settings) {
        return;
    }
    str path = open->path.len > 0 ? open->path : path_of_other(doc->key);
    open->is_excluded = path.len > 0 && settings_excludes(s->settings, path);
}

void sync_update_exclusions(struct session *s)
{
    for (struct session_document *doc = s->by_key; doc; doc = doc->hh.next) {
        mark_exclusion(s, doc);
    }
}

/* -- open and close -- */

static void forget_document(struct session *s, struct session_document *doc)
{
    if (doc->id) {
        tasks_forget_document(s, doc->id);
        hovers_cancel_document(s, doc->id);
        documents_close(s->documents, doc->id);
    }
    later_drop(doc);
    ask_forget_document(s, doc);
    if (s->last == doc) {
        s->last = NULL;
    }
    HASH_DEL(s->by_key, doc);
    xfree((char *)(uintptr_t)doc->key.ptr);
    xfree(doc);
}

void sync_release(struct session *s)
{
    struct session_document *doc = NULL, *next = NULL;
    HASH_ITER(hh, s->by_key, doc, next)
    {
        forget_document(s, doc);
    }
    buf_release(&s->last_uri);
    buf_release(&s->key);
}

static void set_version(struct session_document *doc, struct json version)
{
    doc->has_version = json_is_int(version);
    doc->version = json_int(version, 0);
}

void on_did_open(struct session *s, struct rpc_call *call)
{
    struct json item = json_get(call->params, STR("textDocument"));
    struct json uri = json_get(item, STR("uri"));
    struct json text = json_get(item, STR("text"));
    session_wake(s); /* before the scratch key is used: it reads settings */
    str path;
    if (!json_is(uri, JSON_STRING) || !json_is(text, JSON_STRING) ||
        uri_normalise(json_str(uri), &s->key, &path) != ERR_OK) {
        log_warn(LOG_DOCUMENT, "didOpen without an URI or a text");
        return;
    }
    struct session_document *doc;
    HASH_FIND(hh, s->by_key, s->key.ptr, (unsigned)s->key.len, doc);
    if (doc) {
        log_info(LOG_DOCUMENT, "opened a second time");
        forget_document(s, doc);
    }
    doc = xcalloc(1, sizeof *doc);
    doc->key = str_of(xstrndup(s->key.ptr, s->key.len), s->key.len);
    set_version(doc, json_get(item, STR("version")));
    if (documents_open(s->documents, path, json_str(json_get(item, STR("languageId"))),
                       json_str(text), &doc->id) != ERR_OK) {
        log_warn(LOG_DOCUMENT, "too large, or too many: not kept");
        doc->id = 0;
    }
    HASH_ADD_KEYPTR(hh, s->by_key, doc->key.ptr, (unsigned)doc->key.len, doc);
    mark_exclusion(s, doc);
}

void on_did_close(struct session *s, struct rpc_call *call)
{
    struct session_document *doc = find_named(s, call->params);
    if (doc) {
        forget_document(s, doc);
    }
}

/* -- change -- */

static void desync(struct session *s, struct session_document *doc, const char *why)
{
    if (!doc->is_desynced) {
        log_warn(LOG_DOCUMENT, "document=%llu out of step: %s", (unsigned long long)doc->id, why);
    }
    doc->is_desynced = true;
    ask_cancel_document(s, doc);
}

static bool is_whole(struct json change)
{
    struct json range = json_get(change, STR("range"));
    return (json_is(range, JSON_NONE) || json_is(range, JSON_NULL)) &&
           json_is(json_get(change, STR("text")), JSON_STRING);
}

static bool has_whole(struct json changes)
{
    struct json_iter it = json_iter(changes);
    struct json change;
    while (json_next(&it, NULL, &change)) {
        if (is_whole(change)) {
            return true;
        }
    }
    return false;
}

/* One edit of the editor's, for everybody who keeps places in the document. */
static enum err edit(struct session *s, struct session_document *doc, size_t start, size_t end,
                     str text)
{
    enum err err = documents_edit(s->documents, doc->id, start, end, text);
    if (err == ERR_OK && (s->tasks || s->hovers)) {
        struct edit done = {.start = start, .n_removed = end - start, .n_inserted = text.len};
        tasks_on_edit(s, doc->id, &done);
        hovers_cancel_document(s, doc->id);
    }
    return err;
}

static enum err apply_whole(struct session *s, struct session_document *doc, str text)
{
    struct open_document *open = sync_open(s, doc);
    enum err err = edit(s, doc, 0, document_len(open->text), text);
    doc->is_desynced = doc->is_desynced && err != ERR_OK;
    return err;
}

/* One change with a range. */
static enum err apply_part(struct session *s, struct session_document *doc, struct json change)
{
    struct json range = json_get(change, STR("range"));
    struct json text = json_get(change, STR("text"));
    struct position from, to;
    if (!json_is(text, JSON_STRING) || !sync_position(json_get(range, STR("start")), &from) ||
        !sync_position(json_get(range, STR("end")), &to)) {
        return ERR_INVALID;
    }
    struct open_document *open = sync_open(s, doc);
    size_t start = position_to_offset(open->text, from, s->client.encoding);
    size_t end = position_to_offset(open->text, to, s->client.encoding);
    if (start > end) {
        size_t swapped = start;
        start = end;
        end = swapped;
    }
    return edit(s, doc, start, end, json_str(text));
}

/* Whether the version says that nothing was lost; whole texts heal in any case. */
static bool check_version(struct session *s, struct session_document *doc, struct json version,
                          bool heals)
{
    if (!json_is_int(version)) {
        return true;
    }
    int64_t n = json_int(version, 0);
    bool is_newer = !doc->has_version || n > doc->version;
    if (!is_newer && !heals) {
        desync(s, doc, "the version doesn't grow");
        return false;
    }
    doc->has_version = true;
    doc->version = n;
    return true;
}

void on_did_change(struct session *s, struct rpc_call *call)
{
    struct json named = json_get(call->params, STR("textDocument"));
    struct json changes = json_get(call->params, STR("contentChanges"));
    struct session_document *doc = sync_find(s, json_str(json_get(named, STR("uri"))));
    if (!doc || !doc->id) {
        log_info(LOG_DOCUMENT, "a change to a document that isn't open");
        return;
    }
    if (!json_is(changes, JSON_ARRAY)) {
        desync(s, doc, "a change that can't be read");
        return;
    }
    if (!check_version(s, doc, json_get(named, STR("version")), has_whole(changes))) {
        return;
    }
    struct json_iter it = json_iter(changes);
    struct json change;
    while (json_next(&it, NULL, &change)) {
        enum err err = ERR_OK;
        if (is_whole(change)) {
            err = apply_whole(s, doc, json_str(json_get(change, STR("text"))));
        } else if (!doc->is_desynced) {
            err = apply_part(s, doc, change);
        }
        if (err != ERR_OK) {
            desync(s, doc, err == ERR_TOO_LARGE ? "too large" : "a change that can't be read");
        }
    }
}
