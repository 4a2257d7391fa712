/* probe.c - one look at an endpoint: is it there, what is it, which models does it have.
 *
 * How      The dialect's codec says what to request and what an answer means, request by request.
 *          A loopback port is tried with each dialect that is usually served there, until one
 *          recognises what answers. All of it shares one deadline.
 * Rules    What is known of an endpoint is replaced only by a look that came to an end. */
#include "core/upstream/internal.h"

#include "core/base/clock.h"
#include "core/base/limits.h"
#include "core/base/log.h"
#include "core/base/visible.h"

#define MODEL_ID_MAX_BYTES 256u
#define VERSION_MAX_BYTES  64u

static void send_step(struct entry *en);
static void on_status(int status, str content_type, void *user);
static void on_bytes(str bytes, void *user);
static void on_done(const struct error *error, void *user);
static void conclude(struct entry *en, enum probe_state state);

static const struct provider_ops *candidate_ops(const struct entry *en)
{
    return en->port ? en->upstream->options.providers[en->candidate] : en->e.ops;
}

static bool lists_port(const struct provider_ops *ops, uint16_t port)
{
    if (ops->capabilities & PROVIDER_IN_PROCESS) {
        return false;
    }
    for (const uint16_t *at = ops->ports; at && *at; at++) {
        if (*at == port) {
            return true;
        }
    }
    return false;
}

/* Moves on to the first dialect at or after `from` that is served on the port. */
static bool choose_candidate(struct entry *en, size_t from)
{
    const struct provider_ops *const *providers = en->upstream->options.providers;
    for (size_t i = 0; i < from; i++) {
        if (!providers[i]) {
            return false;
        }
    }
    for (size_t i = from; providers[i]; i++) {
        if (lists_port(providers[i], en->port)) {
            en->candidate = i;
            return true;
        }
    }
    return false;
}

static void begin_probe(struct entry *en)
{
    arena_release(&en->probe_arena);
    bool is_same = en->e.ops != NULL && en->e.ops == candidate_ops(en);
    en->probe = (struct probe){.arena = &en->probe_arena,
                               .known = is_same ? en->models : NULL,
                               .n_known = is_same ? en->e.n_models : 0,
                               .loading = -1};
    en->n_steps = 0;
}

static void leave(struct entry *en)
{
    key_stop(en);
    en->is_probing = false;
    en->probe_deadline_us = CLOCK_NEVER;
    arena_release(&en->probe_arena);
    buf_release(&en->body);
    buf_init(&en->body, HTTP_MAX_BODY_BYTES);
    upstream_wake_probes(en->upstream);
}

void probe_start(struct entry *en)
{
    if (en->is_probing || en->e.state == ENDPOINT_BLOCKED) {
        return;
    }
    uint64_t now_us = clock_now_us();
    en->is_probing = true;
    en->probed_us = now_us;
    en->probe_deadline_us = now_us + PROBE_TOTAL_US;
    en->e.next_probe_us = CLOCK_NEVER;
    if (en->port && !choose_candidate(en, 0)) {
        en->is_probing = false;
        return;
    }
    if (en->e.state == ENDPOINT_UNKNOWN) {
        entry_set_state(en, ENDPOINT_PROBING);
    }
    begin_probe(en);
    if (key_is_awaited(en)) {
        return;
    }
    send_step(en);
}

void probe_on_key(struct entry *en, const struct error *why)
{
    if (why->code != ERR_OK) {
        entry_block(en, why);
        leave(en);
        return;
    }
    en->probe_deadline_us = clock_now_us() + PROBE_TOTAL_US;
    upstream_wake_probes(en->upstream);
    send_step(en);
}

void probe_stop(struct entry *en)
{
    if (!en->is_probing) {
        return;
    }
    http_cancel(en->upstream->http, en->transfer);
    en->transfer = 0;
    leave(en);
}

void probe_on_deadline(struct entry *en)
{
    struct error why;
    if (en->key_process) {
        error_set(&why, ERR_AUTH, "the key command %s didn't end within %u s",
                  LOG_SAFE(en->key_command[0]), (unsigned)(KEY_COMMAND_US / SEC_TO_US(1)));
        probe_on_key(en, &why);
        return;
    }
    http_cancel(en->upstream->http, en->transfer);
    en->transfer = 0;
    error_set(&why, ERR_TIMEOUT, STR_FMT " accepts connections but doesn't answer",
              STR_ARG(en->e.origin));
    why.cause = CAUSE_SILENT;
    entry_down(en, &why);
    leave(en);
}

static void send_step(struct entry *en)
{
    struct error why = {0};
    struct http_target target;
    struct http_request request;
    struct http_events events = {on_status, on_bytes, on_done, en, NULL};
    if (entry_target(en, &target, &why) != ERR_OK) {
        leave(en);
        return;
    }
    http_request_init(&request);
    candidate_ops(en)->probe_request(&en->probe, &request);
    entry_set_path(en, &request.path);
    buf_clear(&en->body);
    en->status = 0;
    en->is_web_page = false;
    en->location[0] = '\0';
    en->e.redirect = STR("");
    en->n_steps++;
    en->transfer = http_start(en->upstream->http, &target, &request, HTTP_MAX_BODY_BYTES, &events);
    http_request_release(&request);
}

/* Where a redirect leads, as it would be put into the settings: without what we asked for. */
static void note_location(struct entry *en, str location)
{
    struct http_request asked;
    struct buf url;
    http_request_init(&asked);
    candidate_ops(en)->probe_request(&en->probe, &asked);
    entry_set_path(en, &asked.path);
    buf_init(&url, sizeof en->location - 1);
    if (str_starts_with(location, STR("/"))) {
        buf_append(&url, en->e.origin);
    }
    visible_append(&url, location);
    if (str_ends_with(buf_str(&url), buf_str(&asked.path))) {
        buf_truncate(&url, url.len - asked.path.len);
    }
    (void)snprintf(en->location, sizeof en->location, "%s", buf_cstr(&url));
    en->e.redirect = str_from(en->location);
    buf_release(&url);
    http_request_release(&asked);
}

static void on_status(int status, str content_type, void *user)
{
    struct entry *en = user;
    struct http_head head = http_head(en->upstream->http);
    en->status = status;
    en->is_web_page = str_contains_nocase(content_type, STR("text/html"));
    if (status >= 300 && status < 400 && head.location.len > 0) {
        note_location(en, head.location);
    }
    if (head.date_s != 0) {
        en->e.knows_clock = true;
        en->e.clock_ahead_s = head.date_s - (int64_t)(clock_wall_us() / SEC_TO_US(1));
    }
}

static void on_bytes(str bytes, void *user)
{
    struct entry *en = user;
    buf_append(&en->body, bytes);
}

static void on_done(const struct error *error, void *user)
{
    struct entry *en = user;
    en->transfer = 0;
    if (error &&
        (error->code == ERR_AUTH || error->code == ERR_REJECTED || error->code == ERR_INVALID)) {
        entry_block(en, error);
        leave(en);
        return;
    }
    if (error && error->code == ERR_CONNECT) {
        entry_down(en, error);
        leave(en);
        return;
    }
    if (error) { /* something is there, but didn't end what it said */
        en->status = 0;
        buf_clear(&en->body);
    }
    enum probe_state state =
        candidate_ops(en)->probe_reply(&en->probe, en->status, buf_str(&en->body));
    if (state == PROBE_MORE && en->n_steps < PROBE_MAX_STEPS) {
        send_step(en);
    } else {
        conclude(en, state);
    }
}

static bool has_model(const struct model_info *models, size_t n, str id)
{
    for (size_t i = 0; i < n; i++) {
        if (str_eq(models[i].id, id)) {
            return true;
        }
    }
    return false;
}

/* Ids are shown to people: one that can't be read isn't offered. None at all is one, too. */
static bool is_readable(str id)
{
    struct buf visible;
    buf_init(&visible, MODEL_ID_MAX_BYTES);
    visible_append(&visible, id);
    bool is_same = str_eq(buf_str(&visible), id) && !visible.is_full &&
                   str_find_char(id, '\n', 0) == SIZE_MAX && str_find_char(id, '\t', 0) == SIZE_MAX;
    buf_release(&visible);
    return is_same;
}

/* What the look found, and the models that the configuration names besides. */
static void publish_models(struct entry *en)
{
    struct probe *p = &en->probe;
    size_t n = 0;
    size_t n_room = p->n_models + en->n_configured_models;
    struct model_info *models = arena_alloc(&en->probe_arena, (n_room + 1) * sizeof *models);
    for (size_t i = 0; i < p->n_models && n < MODELS_MAX; i++) {
        if (is_readable(p->models[i].id)) {
            models[n++] = p->models[i];
        }
    }
    for (size_t i = 0; i < en->n_configured_models && n < MODELS_MAX; i++) {
        str id = en->configured_models[i];
        if (!has_model(models, n, id)) {
            models[n++] = (struct model_info){
                .id = id, .name = id, .abilities = en->e.ops->abilities, .is_loaded = p->is_static};
        }
    }
    en->models = models;
    en->e.models = models;
    en->e.n_models = n;
    en->e.version = str_sub(p->version, 0, VERSION_MAX_BYTES);
    en->e.n_slots = p->n_slots;
    en->dialect = p->dialect;
    en->e.is_static = p->is_static || !en->e.ops->encode_load;
    arena_release(&en->models_arena);
    en->models_arena = en->probe_arena;
    en->probe_arena = (struct arena){0};
    loads_mark(en);
}

static bool is_name_taken(const struct upstream *u, str name)
{
    for (size_t i = 0; i < u->n_shown; i++) {
        if (str_eq(u->shown[i]->e.name, name)) {
            return true;
        }
    }
    return false;
}

/* A port turned out to be served: it becomes an endpoint that others see. */
static void show_found(struct entry *en)
{
    struct upstream *u = en->upstream;
    const struct provider_ops *ops = candidate_ops(en);
    if (!en->port || (en->is_shown && en->e.ops == ops)) {
        return;
    }
    if (en->is_shown) { /* another kind of server has taken the port */
        exchanges_reject(u, en->e.id);
        loads_forget(u, en->e.id);
        en->e.id = ++u->last_endpoint_id;
        en->is_shown = false;
        upstream_show(u);
    }
    en->e.ops = ops;
    en->e.name = str_from(ops->kind);
    if (is_name_taken(u, en->e.name)) {
        en->e.name = arena_printf(&en->arena, "%s-%u", ops->kind, (unsigned)en->port);
    }
    en->is_shown = true;
    upstream_show(u);
}

static void conclude_ready(struct entry *en)
{
    show_found(en);
    publish_models(en);
    (void)guard_looked(en->guard, true, false, clock_now_us());
    en->e.loading = -1;
    en->e.error = (struct error){0};
    entry_set_state(en, ENDPOINT_READY);
    upstream_changed(en->upstream); /* the models may be others */
}

static void conclude_loading(struct entry *en)
{
    show_found(en);
    (void)guard_looked(en->guard, true, false, clock_now_us());
    en->e.loading = en->probe.loading;
    error_set(&en->e.error, ERR_LOADING, STR_FMT " is loading its model", STR_ARG(en->e.name));
    en->e.next_probe_us = clock_now_us() + PROBE_LOADING_US;
    entry_set_state(en, ENDPOINT_LOADING);
    upstream_changed(en->upstream);
}

static void conclude_foreign(struct entry *en)
{
    struct error why;
    enum error_cause cause = en->is_web_page ? CAUSE_WEB_PAGE : CAUSE_OTHER_DIALECT;
    if (en->location[0] != '\0') {
        error_set(&why, ERR_PROTOCOL, STR_FMT " sends us elsewhere (status %d): put %s into url",
                  STR_ARG(en->e.origin), en->status, en->location);
        cause = CAUSE_REDIRECT;
    } else if (en->port) {
        error_set(&why, ERR_PROTOCOL, "what answers on " STR_FMT " is no model server that we know",
                  STR_ARG(en->e.origin));
    } else if (en->probe.hint) {
        error_set(&why, ERR_PROTOCOL, STR_FMT " answers (status %d): %s", STR_ARG(en->e.origin),
                  en->status, en->probe.hint);
    } else {
        error_set(&why, ERR_PROTOCOL,
                  STR_FMT " answers (status %d), but not as %s does - check url and kind",
                  STR_ARG(en->e.origin), en->status, en->e.ops->kind);
    }
    why.cause = cause;
    entry_down(en, &why);
}

/* The server has no list of its models, and the configuration has one. */
static bool is_unlisted(const struct entry *en)
{
    bool has_no_list = en->status == 404 || en->status == 405 || en->status == 501;
    return has_no_list && en->n_configured_models > 0;
}

static void conclude(struct entry *en, enum probe_state state)
{
    struct error why;
    switch (state) {
    case PROBE_READY:
        conclude_ready(en);
        break;
    case PROBE_LOADING:
        conclude_loading(en);
        break;
    case PROBE_REFUSED:
        show_found(en);
        error_set(&why, ERR_AUTH, STR_FMT " at " STR_FMT " refuses the key, or wants one%s%s",
                  STR_ARG(en->e.name), STR_ARG(en->e.origin), en->probe.hint ? ": " : "",
                  en->probe.hint ? en->probe.hint : "");
        why.cause = CAUSE_KEY_REFUSED;
        why.detail = en->status;
        entry_block(en, &why);
        break;
    case PROBE_MORE: /* more and more: no list is that long */
    case PROBE_FOREIGN:
        if (en->port && choose_candidate(en, en->candidate + 1)) {
            begin_probe(en);
            send_step(en);
            return;
        }
        if (is_unlisted(en)) {
            en->probe.n_models = 0;
            conclude_ready(en);
        } else {
            conclude_foreign(en);
        }
        break;
    }
    leave(en);
}
