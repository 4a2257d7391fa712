/* endpoint.c - one endpoint: what it is asked with, and the state it is in.
 *
 *     UNKNOWN -> PROBING -> READY <-> LOADING
 *                   |         ^          |
 *                   |         v          v
 *                   +-----> DOWN <-------+        any of them -> BLOCKED
 *
 * Why      Whoever routes asks dozens of times a second where a question may go; this is the one
 *          place that knows, and the only writer of an endpoint's state.
 * Rules    DOWN looks again by itself, BLOCKED doesn't: a refused key or certificate, or consent
 *          that is missing, needs a person. A key is read at its first use and belongs to the
 *          origin that the same settings name. */
#include "core/upstream/internal.h"

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/limits.h"

#define N_ENDPOINT_STATES (ENDPOINT_BLOCKED + 1)
#define TO(state)         (1u << (state))

/* The states that may follow each state. */
static const unsigned next_states[N_ENDPOINT_STATES] = {
    [ENDPOINT_UNKNOWN] = TO(ENDPOINT_PROBING) | TO(ENDPOINT_READY) | TO(ENDPOINT_BLOCKED),
    [ENDPOINT_PROBING] =
        TO(ENDPOINT_READY) | TO(ENDPOINT_LOADING) | TO(ENDPOINT_DOWN) | TO(ENDPOINT_BLOCKED),
    [ENDPOINT_READY] = TO(ENDPOINT_LOADING) | TO(ENDPOINT_DOWN) | TO(ENDPOINT_BLOCKED),
    [ENDPOINT_LOADING] = TO(ENDPOINT_READY) | TO(ENDPOINT_DOWN) | TO(ENDPOINT_BLOCKED),
    [ENDPOINT_DOWN] = TO(ENDPOINT_READY) | TO(ENDPOINT_LOADING) | TO(ENDPOINT_BLOCKED),
    [ENDPOINT_BLOCKED] = 0, /* only other settings help: then it is another entry */
};

static struct entry *entry_create(struct upstream *u)
{
    struct entry *en = xcalloc(1, sizeof *en);
    en->upstream = u;
    en->e.id = ++u->last_endpoint_id;
    en->e.loading = -1;
    en->e.next_probe_us = CLOCK_NEVER;
    en->probe_deadline_us = CLOCK_NEVER;
    en->guard = guard_create(true);
    buf_init(&en->body, HTTP_MAX_BODY_BYTES);
    return en;
}

void entry_destroy(struct entry *en)
{
    probe_stop(en);
    loads_glance_stop(en);
    if (en->key) {
        explicit_bzero(en->key, en->key_len);
    }
    xfree(en->key);
    guard_destroy(en->guard);
    buf_release(&en->body);
    arena_release(&en->probe_arena);
    arena_release(&en->models_arena);
    arena_release(&en->arena);
    xfree(en);
}

str entry_signature(const struct endpoint_settings *s, struct arena *arena)
{
    struct buf out;
    buf_init(&out, 2 * SETTINGS_MAX_FILE_BYTES);
    endpoint_settings_write(s, &out);
    buf_append_char(&out, s->needs_consent ? '1' : '0');
    str signature = arena_dup(arena, buf_str(&out));
    buf_release(&out);
    return signature;
}

static const str *dup_list(struct arena *arena, const str *list, size_t n)
{
    str *copy = arena_alloc(arena, (n + 1) * sizeof *copy);
    for (size_t i = 0; i < n; i++) {
        copy[i] = arena_dup(arena, list[i]);
    }
    return copy;
}

/* The dialect's headers, and those of the settings, which win. */
static void set_headers(struct entry *en, const struct endpoint_settings *s)
{
    const char *const *own = en->e.ops->headers;
    size_t n_own = 0, n = 0;
    while (own && own[n_own]) {
        n_own++;
    }
    str *headers = arena_alloc(&en->arena, (n_own + s->n_headers + 1) * sizeof *headers);
    for (size_t i = 0; i < s->n_headers; i++) {
        headers[n++] = arena_dup(&en->arena, s->headers[i]);
    }
    for (size_t i = 0; i < n_own; i++) {
        str line = str_from(own[i]);
        str name = str_sub(line, 0, str_find_char(line, ':', 0) + 1);
        bool is_set = false;
        for (size_t k = 0; k < s->n_headers; k++) {
            str given = str_sub(s->headers[k], 0, name.len);
            is_set = is_set || str_eq_nocase(given, name);
        }
        if (!is_set) {
            headers[n++] = line;
        }
    }
    en->target.headers = headers;
    en->target.n_headers = n;
}

/* Takes the url apart; what the dialect's own paths begin with isn't part of it. */
static enum err set_url(struct entry *en, str url, struct error *why)
{
    const struct provider_ops *ops = en->e.ops;
    if (url.len == 0 && ops->default_url) {
        url = str_from(ops->default_url);
    }
    enum err err = http_parse_url(url, &en->arena, &en->e.origin, &en->e.base_path, why);
    for (size_t i = 0; err == ERR_OK && ops->url_endings && ops->url_endings[i]; i++) {
        str ending = str_from(ops->url_endings[i]);
        if (str_ends_with(en->e.base_path, ending)) {
            en->e.base_path.len -= ending.len;
            break;
        }
    }
    return err;
}

static void set_reach(struct entry *en)
{
    en->e.tier = http_is_loopback(en->e.origin) ? TIER_LOOPBACK
                 : http_is_lan(en->e.origin)    ? TIER_LAN
                                                : TIER_CLOUD;
    en->target.origin = en->e.origin;
    en->target.base_path = en->e.base_path;
    en->target.is_loopback_only = en->e.tier == TIER_LOOPBACK;
    en->target.connect_timeout_ms = en->e.tier == TIER_LOOPBACK ? 1000 : 3000;
    guard_destroy(en->guard);
    en->guard = guard_create(en->e.tier == TIER_LOOPBACK);
}

struct entry *entry_create_configured(struct upstream *u, const struct endpoint_settings *s,
                                      const struct provider_ops *ops)
{
    struct error why = {0};
    struct entry *en = entry_create(u);
    struct arena *arena = &en->arena;
    en->is_shown = true;
    en->signature = entry_signature(s, arena);
    en->e.ops = ops;
    en->e.name = arena_dup(arena, s->name.len > 0 ? s->name : s->kind);
    en->key_file = arena_dup(arena, s->api_key_file);
    en->key_env = arena_dup(arena, s->api_key_env);
    en->key_command = dup_list(arena, s->api_key_command, s->n_api_key_command);
    bool is_read = s->api_key_file.len > 0 || s->api_key_env.len > 0; /* these come first */
    en->n_key_command = is_read ? 0 : s->n_api_key_command;
    en->paths = dup_list(arena, s->paths, s->n_paths);
    en->n_paths = s->n_paths;
    en->extra_body = arena_dup(arena, s->extra_body);
    en->configured_models = dup_list(arena, s->models, s->n_models);
    en->n_configured_models = s->n_models;
    set_headers(en, s);
    en->target.key_header = str_from(ops->key_header);
    en->target.proxy = arena_dup(arena, s->proxy);
    en->target.ca_file = arena_dup(arena, s->ca_file);
    en->target.client_cert = arena_dup(arena, s->client_cert);
    en->target.client_key = arena_dup(arena, s->client_key);
    if (set_url(en, s->url, &why) != ERR_OK) {
        entry_block(en, &why);
        return en;
    }
    set_reach(en);
    if (s->needs_consent) {
        error_set(&why, ERR_REJECTED, STR_FMT " at " STR_FMT " needs your consent",
                  STR_ARG(en->e.name), STR_ARG(en->e.origin));
        why.cause = CAUSE_CONSENT;
        entry_block(en, &why);
    }
    return en;
}

struct entry *entry_create_port(struct upstream *u, uint16_t port)
{
    struct entry *en = entry_create(u);
    en->port = port;
    en->e.ops = u->options.providers[0]; /* until a look says which it is */
    en->e.is_discovered = true;
    en->e.origin = arena_printf(&en->arena, "http://127.0.0.1:%u", (unsigned)port);
    set_reach(en);
    return en;
}

struct entry *entry_create_embedded(struct upstream *u, const struct provider_ops *ops)
{
    struct entry *en = entry_create(u);
    en->is_shown = true;
    en->e.ops = ops;
    en->e.name = str_from(ops->kind);
    entry_set_state(en, ENDPOINT_READY);
    return en;
}

void entry_set_state(struct entry *en, enum endpoint_state state)
{
    enum endpoint_state old = en->e.state;
    if (old == state) {
        return;
    }
    ASSERT(next_states[old] & TO(state));
    en->e.state = state;
    log_debug(LOG_UPSTREAM, "endpoint=%llu name=%s port=%u: %s -> %s", (unsigned long long)en->e.id,
              LOG_SAFE(en->e.name), (unsigned)en->port, endpoint_state_name(old),
              endpoint_state_name(state));
    upstream_changed(en->upstream);
}

void entry_down(struct entry *en, const struct error *why)
{
    bool is_stranger = why->code == ERR_PROTOCOL;
    en->e.error = *why;
    en->e.loading = -1;
    en->e.next_probe_us = guard_looked(en->guard, false, is_stranger, clock_now_us());
    entry_set_state(en, ENDPOINT_DOWN);
}

void entry_block(struct entry *en, const struct error *why)
{
    en->e.error = *why;
    en->e.loading = -1;
    en->e.next_probe_us = CLOCK_NEVER;
    guard_block(en->guard);
    entry_set_state(en, ENDPOINT_BLOCKED);
}

enum err entry_target(struct entry *en, struct http_target *out, struct error *why)
{
    if (en->e.state == ENDPOINT_BLOCKED) {
        return error_set(why, ERR_REJECTED, "%s", en->e.error.msg);
    }
    if (!en->key && en->n_key_command > 0) {
        return error_set(why, ERR_REJECTED, "the key of " STR_FMT " isn't there yet",
                         STR_ARG(en->e.name));
    }
    if (!en->key) {
        enum err err = key_check_client(&en->target, why);
        if (err == ERR_OK) {
            err = key_read(en->key_file, en->key_env, &en->key, &en->key_len, why);
        }
        if (err != ERR_OK) {
            xfree(en->key);
            en->key = NULL;
            entry_block(en, why);
            return err;
        }
    }
    *out = en->target;
    out->key = str_of(en->key, en->key_len);
    return ERR_OK;
}

void entry_set_path(const struct entry *en, struct buf *path)
{
    str given = str_sub(buf_str(path), 0, str_find_char(buf_str(path), '?', 0));
    bool is_chat = str_ends_with(given, STR("/chat/completions"));
    str what = is_chat ? STR("chat") : str_after_last(given, '/');
    for (size_t i = 0; i < en->n_paths; i++) {
        str pair = en->paths[i], name;
        if (str_next(&pair, '\n', &name) && str_eq(name, what)) {
            buf_clear(path);
            buf_append(path, pair);
            return;
        }
    }
}

#define KEY_SHOWN_BYTES 8u /* so much of a key is one too many */

void entry_hide_key(const struct entry *en, struct error *error)
{
    size_t n = en->key_len < KEY_SHOWN_BYTES ? en->key_len : KEY_SHOWN_BYTES;
    size_t at = n > 0 ? str_find(str_from(error->msg), str_of(en->key, n), 0) : SIZE_MAX;
    if (at != SIZE_MAX) {
        (void)snprintf(error->msg + at, sizeof error->msg - at, "...");
    }
}

/* Looks again soon, though not in a tight circle with exchanges that keep failing. */
static void look_again(struct entry *en, uint64_t gap_us)
{
    uint64_t now_us = clock_now_us(), earliest_us = en->probed_us + gap_us;
    en->e.next_probe_us = earliest_us > now_us ? earliest_us : now_us;
    upstream_wake_probes(en->upstream);
}

void entry_heard(struct entry *en, const struct error *error)
{
    enum endpoint_state state = en->e.state;
    if (state == ENDPOINT_BLOCKED || state == ENDPOINT_UNKNOWN || state == ENDPOINT_PROBING) {
        return;
    }
    if (!error) {
        if (state != ENDPOINT_READY && !en->is_probing) {
            look_again(en, PROBE_FAILED_GAP_US); /* it serves after all */
        }
    } else if (error->code == ERR_CONNECT) {
        entry_down(en, error);
        look_again(en, PROBE_FAILED_GAP_US);
    } else if (error->code == ERR_LOADING) {
        entry_set_state(en, ENDPOINT_LOADING);
        en->e.error = *error;
        look_again(en, PROBE_LOADING_US);
    } else if (error->code == ERR_NOT_FOUND && en->e.ops->encode_load) {
        look_again(en, PROBE_REFRESH_US);                         /* its models come and go */
    } else if (error->code == ERR_AUTH && error->detail != 403) { /* 403 may be of one model */
        probe_stop(en);
        entry_block(en, error);
    }
}
