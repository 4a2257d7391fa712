/* config.c - where settings come from in an editor, and who hears of them.
 *
 * Why      The same settings reach us in up to five ways, some of them in project files, and a
 *          wrong one must be named to the person, once, while the last good one goes on.
 * How      Each source is put into the builder when it comes. After each change one snapshot is
 *          made, consent is looked up in it, and then engine and endpoints get it.
 * Rules    The network is used only after the editor's settings are known, or two seconds have
 *          passed without them (session_set_out). Project files only narrow. */
#include <stdio.h>

#include "core/base/clock.h"
#include "core/base/limits.h"
#include "core/base/log.h"
#include "lsp/answer_store.h"
#include "lsp/ask.h"

#define PULL_WAIT_US    SEC_TO_US(2)  /* then the defaults must do for the time being */
#define PULL_GIVE_UP_US SEC_TO_US(60) /* a late answer still counts until then */

static void apply(struct session *s);
static void collect_problems(struct session *s);
static void keep_if_new(struct session *s, size_t start);
static void problems_due(struct session *s);

/* Whether `key` belongs to the dialect of other plugins, not to us. */
static bool is_foreign_key(str key)
{
    static const char *const keys[] = {"editorInfo", "editorPluginInfo", "editorConfiguration",
                                       "http",       "telemetry",        "github-enterprise"};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (str_eq(key, str_from(keys[i]))) {
            return true;
        }
    }
    return false;
}

/* What `given` says to us: its member "crucible", or all of it but what is meant for others. */
static struct json own_part(struct json given, struct arena *arena)
{
    struct json own = json_get(given, STR("crucible"));
    if (!json_is(own, JSON_NONE) || !json_is(given, JSON_OBJECT)) {
        return json_is(own, JSON_NONE) ? given : own;
    }
    struct buf text;
    buf_init(&text, RPC_MAX_MESSAGE_BYTES);
    struct json_writer w = json_writer(&text);
    bool has_foreign = false;
    json_begin_object(&w);
    struct json_iter it = json_iter(given);
    str key;
    struct json value;
    while (json_next(&it, &key, &value)) {
        if (is_foreign_key(key)) {
            has_foreign = true;
        } else {
            buf_append(&text, w.needs_comma ? STR(",\"") : STR("\""));
            buf_append(&text, key); /* raw: escaped as it came */
            buf_append(&text, STR("\":"));
            buf_append(&text, json_raw(value));
            w.needs_comma = true;
        }
    }
    json_end_object(&w);
    if (has_foreign && json_parse(arena_dup(arena, buf_str(&text)), arena, &own, NULL) != ERR_OK) {
        own = (struct json){0};
    }
    buf_release(&text);
    return has_foreign ? own : given;
}

static void put(struct session *s, enum settings_source source, struct json value)
{
    if (json_is(value, JSON_NULL)) {
        value = (struct json){0};
    }
    settings_builder_put(s->builder, source, value);
    collect_problems(s);
}

void config_put_init(struct session *s, struct json init_options)
{
    struct arena arena = {0};
    if (json_type(init_options) != JSON_NONE && json_type(init_options) != JSON_NULL) {
        put(s, SETTINGS_INIT, own_part(init_options, &arena));
    }
    arena_release(&arena);
}

/* -- files -- */

static void read_user_file(struct session *s)
{
    struct arena arena = {0};
    str path = settings_user_path(s->options.config_path, &arena);
    if (path.len > 0) {
        enum err err = settings_builder_read(s->builder, SETTINGS_USER_FILE, path.ptr);
        collect_problems(s);
        if (err == ERR_NOT_FOUND && s->options.config_path.len > 0) {
            buf_appendf(&s->problems, STR_FMT ": there is no such file\n", STR_ARG(path));
        }
    }
    arena_release(&arena);
}

static void read_projects(struct session *s)
{
    settings_builder_read_projects(s->builder, s->folders, s->n_folders);
    collect_problems(s);
}

void config_load(struct session *s)
{
    struct arena arena = {0};
    s->consent = consent_create(consent_path(&arena));
    arena_release(&arena);
    read_user_file(s);
    read_projects(s);
    apply(s);
}

void config_reload_projects(struct session *s)
{
    session_wake(s);
    read_projects(s);
    apply(s);
}

/* -- snapshots -- */

static void set_privacy(struct session *s, struct settings *fresh)
{
    (void)pthread_mutex_lock(&s->privacy_lock);
    s->privacy = fresh;
    (void)pthread_mutex_unlock(&s->privacy_lock);
}

bool config_is_excluded(str path, void *session)
{
    struct session *s = session;
    (void)pthread_mutex_lock(&s->privacy_lock);
    bool is_excluded = !s->privacy || settings_excludes(s->privacy, path);
    (void)pthread_mutex_unlock(&s->privacy_lock);
    return is_excluded;
}

static void apply_log(const struct session *s)
{
    enum log_level level;
    if (!s->options.is_log_level_fixed && log_level_from(s->settings->log_level, &level)) {
        log_set_level(level);
    }
    if (!s->options.is_log_file_fixed) {
        char *path = xstrndup(s->settings->log_file.len > 0 ? s->settings->log_file.ptr : "",
                              s->settings->log_file.len);
        if (log_open(path) != ERR_OK) {
            log_warn(LOG_SETTINGS, "log.file can't be opened");
        }
        xfree(path);
    }
}

/* Names the endpoints whose kind this program doesn't speak, and the kinds that it does. */
static void check_kinds(struct session *s)
{
    const struct provider_ops *const *table = s->options.providers;
    for (size_t i = 0; table != NULL && i < s->settings->n_endpoints; i++) {
        const struct endpoint_settings *es = &s->settings->endpoints[i];
        if (provider_find(table, es->kind) != NULL) {
            continue;
        }
        size_t start = s->problems.len;
        buf_appendf(&s->problems,
                    "endpoints: " STR_FMT " is of kind " STR_FMT ", which isn't one of",
                    STR_ARG(es->name), STR_ARG(es->kind));
        for (size_t k = 0; table[k] != NULL; k++) {
            bool is_own = (table[k]->capabilities & PROVIDER_IN_PROCESS) != 0;
            buf_appendf(&s->problems, "%s%s", is_own ? "" : " ", is_own ? "" : table[k]->kind);
        }
        buf_append_char(&s->problems, '\n');
        keep_if_new(s, start);
    }
    problems_due(s);
}

static bool is_same_exclusion(const struct settings *a, const struct settings *b)
{
    bool is_same = a->n_privacy_exclude == b->n_privacy_exclude;
    for (size_t i = 0; is_same && i < a->n_privacy_exclude; i++) {
        is_same = str_eq(a->privacy_exclude[i], b->privacy_exclude[i]);
    }
    return is_same;
}

/* What was learned of a file that is hidden from now on isn't proposed any more. */
static void forget_hidden(struct session *s)
{
    for (struct session_document *doc = s->by_key; doc; doc = doc->hh.next) {
        const struct open_document *open = sync_open(s, doc);
        if (open && open->is_excluded) {
            predictor_forget_document(s->predictor, doc->id);
            ask_cancel_document(s, doc);
        }
    }
    predictor_forget_workspaces(s->predictor);
    engine_clear_cache(s->engine); /* holds what the predictor said, too */
    for (size_t i = 0; s->is_set_out && i < s->n_folders; i++) {
        predictor_learn_workspace(s->predictor, s->folders[i]);
    }
}

/* One snapshot of what all sources say, for everybody. */
static void apply(struct session *s)
{
    struct settings *old = s->settings;
    s->settings = settings_builder_snapshot(s->builder);
    consent_apply(s->consent, s->settings);
    check_kinds(s);
    set_privacy(s, s->settings);
    apply_log(s);
    sync_update_exclusions(s);
    if (s->engine) {
        upstream_configure(s->upstream, s->settings);
        answer_store_configure(s->store, s->settings);
        engine_configure(s->engine, s->settings);
        if (!is_same_exclusion(old, s->settings)) {
            forget_hidden(s);
        }
    }
    settings_unref(old);
    if (s->is_set_out) {
        upstream_probe(s->upstream);
        config_on_consent_turn(s);
    }
    status_changed(s);
}

void config_release(struct session *s)
{
    loop_timer_destroy(s->config_timer);
    settings_builder_destroy(s->builder);
    set_privacy(s, NULL);
    settings_unref(s->settings);
    consent_destroy(s->consent);
    (void)pthread_mutex_destroy(&s->privacy_lock);
    buf_release(&s->problems);
    buf_release(&s->shown_problems);
}

/* -- problems -- */

void config_show_problems(struct session *s)
{
    s->is_problem_due = false;
    str text = str_trim_end(buf_str(&s->problems));
    bool is_news = text.len > 0 && !str_eq(text, buf_str(&s->shown_problems));
    if (is_news) {
        struct buf message;
        buf_init(&message, 20 * KIB);
        buf_append(&message,
                   STR("Crucible: settings that can't be used (the last good ones stay):\n"));
        buf_append(&message, text);
        session_show(s, 2, buf_str(&message));
        buf_release(&message);
        buf_clear(&s->shown_problems);
        buf_append(&s->shown_problems, text);
    }
    buf_clear(&s->problems);
}

/* Drops the problem that begins at `start` where it was said already. */
static void keep_if_new(struct session *s, size_t start)
{
    str all = buf_str(&s->problems);
    if (str_find(all, str_sub(all, start, all.len), 0) < start) {
        buf_truncate(&s->problems, start);
    }
}

/* Shows what has gathered, in a later turn; before the session is set out it waits for that. */
static void problems_due(struct session *s)
{
    if (s->problems.len > 0 && s->is_set_out && !s->is_problem_due) {
        s->is_problem_due = true;
        session_post(s, config_show_problems);
    }
}

/* Keeps what the builder complains about; shown at once for all sources that came together. */
static void collect_problems(struct session *s)
{
    static const char *const sources[] = {[SETTINGS_USER_FILE] = "configuration file",
                                          [SETTINGS_INIT] = "initializationOptions",
                                          [SETTINGS_LIVE] = "editor settings",
                                          [SETTINGS_PROJECT] = ".crucible.json"};
    const struct settings_problem *problems;
    size_t n = settings_builder_problems(s->builder, &problems);
    for (size_t i = 0; i < n; i++) {
        const struct settings_problem *p = &problems[i];
        log_warn(LOG_SETTINGS, "%s: %s: %s", sources[p->source], LOG_SAFE(p->path),
                 LOG_SAFE(p->msg));
        size_t start = s->problems.len;
        if (p->path.len > 0) {
            buf_appendf(&s->problems, STR_FMT ": ", STR_ARG(p->path));
        }
        buf_appendf(&s->problems, STR_FMT " (%s)\n", STR_ARG(p->msg), sources[p->source]);
        keep_if_new(s, start);
    }
    problems_due(s);
}

/* -- the editor's settings -- */

static void on_pulled(struct json result, const struct error *error, void *user)
{
    struct session *s = user;
    session_arm_rpc(s);
    if (s->state != SESSION_RUNNING) {
        return;
    }
    if (!error) {
        put(s, SETTINGS_LIVE, json_at(result, 0));
        session_wake(s);
        apply(s);
    } else {
        log_info(LOG_SETTINGS, "the editor gives no settings: %s", error->msg);
    }
    session_set_out(s);
}

static void on_pull_timeout(void *user)
{
    struct session *s = user;
    if (!s->is_set_out) {
        log_info(LOG_SETTINGS, "the editor's settings don't come: going on without them");
        session_set_out(s);
    }
}

void config_pull(struct session *s)
{
    if (!s->client.has_configuration) {
        session_set_out(s);
        return;
    }
    uint64_t now_us = clock_now_us();
    struct json_writer *w =
        rpc_request(s->rpc, STR("workspace/configuration"), now_us + PULL_GIVE_UP_US, on_pulled, s);
    json_begin_object(w);
    json_key(w, STR("items"));
    json_begin_array(w);
    json_begin_object(w);
    json_key_str(w, STR("section"), STR("crucible"));
    json_end_object(w);
    json_end_array(w);
    json_end_object(w);
    rpc_send(s->rpc);
    session_arm_rpc(s);
    if (!s->config_timer) {
        s->config_timer = loop_timer_create(s->options.loop, on_pull_timeout, s);
        loop_timer_set(s->config_timer, now_us + PULL_WAIT_US);
    }
}

void on_configuration_changed(struct session *s, struct rpc_call *call)
{
    struct json given = json_get(call->params, STR("settings"));
    struct arena arena = {0};
    struct json own = own_part(given, &arena);
    bool is_empty = json_is(own, JSON_NONE) || json_is(own, JSON_NULL) ||
                    (json_is(own, JSON_OBJECT) && json_count(own) == 0);
    if (is_empty && s->client.has_configuration) {
        config_pull(s); /* "something changed": what, has to be asked */
    } else {
        session_wake(s);
        put(s, SETTINGS_LIVE, own);
        apply(s);
    }
    arena_release(&arena);
}

/* -- consent -- */

struct consent_asked {
    struct session *session;
    struct consent_question question;
};

static void on_consent_answered(struct json result, const struct error *error, void *user)
{
    struct consent_asked *asked = user;
    struct session *s = asked->session;
    struct json title = json_get(result, STR("title"));
    bool is_allowed = json_str_eq(title, STR("Allow"));
    session_arm_rpc(s);
    s->is_asking_consent = false;
    if (!error && s->state == SESSION_RUNNING) {
        if (is_allowed || json_str_eq(title, STR("Never"))) {
            log_info(LOG_SETTINGS, "consent for %s: %s", asked->question.origin,
                     is_allowed ? "given" : "refused");
            if (consent_answer(s->consent, &asked->question,
                               is_allowed ? CONSENT_ALLOW : CONSENT_NEVER) != ERR_OK) {
                log_warn(LOG_SETTINGS, "the answer holds for this session only");
            }
        }
        if (is_allowed) {
            apply(s); /* asks the next question too */
        } else {
            config_on_consent_turn(s);
        }
    }
    xfree(asked);
}

static void put_action(struct json_writer *w, str title)
{
    json_begin_object(w);
    json_key_str(w, STR("title"), title);
    json_end_object(w);
}

void config_on_consent_turn(struct session *s)
{
    struct consent_question q;
    if (s->is_asking_consent || !consent_next(s->consent, s->settings, &q)) {
        return;
    }
    s->is_asking_consent = true;
    struct consent_asked *asked = xcalloc(1, sizeof *asked);
    asked->session = s;
    asked->question = q;
    char message[640];
    (void)snprintf(message, sizeof message,
                   "Crucible: may your code be sent to %s? The endpoint \"%s\" was named by this "
                   "editor's or project's settings, not by your own configuration file.",
                   q.origin, q.name);
    struct json_writer *w = rpc_request(s->rpc, STR("window/showMessageRequest"), CLOCK_NEVER,
                                        on_consent_answered, asked);
    json_begin_object(w);
    json_key_int(w, STR("type"), 2);
    json_key_str(w, STR("message"), str_from(message));
    json_key(w, STR("actions"));
    json_begin_array(w);
    put_action(w, STR("Allow"));
    put_action(w, STR("Never"));
    json_end_array(w);
    json_end_object(w);
    rpc_send(s->rpc);
}
