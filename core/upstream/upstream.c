/* upstream.c - which endpoints there are, and when each is looked at.
 *
 * How      The configuration names endpoints, or every port on loopback that some dialect is
 *          usually served on is looked at. One timer holds the next look of all of them: an
 *          endpoint that loads is asked twice a second, one that is down less and less often, one
 *          that is ready not at all until an exchange with it breaks.
 * Rules    Nothing touches the network before the first upstream_probe. on_change comes from a
 *          timer, so it is never called from inside a call. */
#include "core/upstream/internal.h"

#include "core/base/clock.h"
#include "core/base/limits.h"
#include "core/base/log.h"

#define PORTS_MAX   64u
#define SLEPT_US    SEC_TO_US(5)
#define WARM_GAP_US SEC_TO_US(1) /* between two connections opened ahead */

static void on_probe_timeout(void *user);
static void on_deadline_timeout(void *user);
static void on_load_timeout(void *user);
static void on_soon(void *user);
static void configure_list(struct upstream *u, const struct settings *s, struct entry **old,
                           size_t n_old);
static void configure_ports(struct upstream *u, struct entry **old, size_t n_old);
static void add_embedded(struct upstream *u, struct entry **old, size_t n_old);
static void configure_guards(struct upstream *u, const struct settings *s);
static void keep_figures(struct upstream *u, const struct entry *en);

struct upstream *upstream_create(struct loop *loop, const struct upstream_options *options)
{
    struct upstream *u = xcalloc(1, sizeof *u);
    u->loop = loop;
    u->options = *options;
    u->http = http_create(loop);
    u->probe_timer = loop_timer_create(loop, on_probe_timeout, u);
    u->deadline_timer = loop_timer_create(loop, on_deadline_timeout, u);
    u->load_timer = loop_timer_create(loop, on_load_timeout, u);
    u->soon = loop_timer_create(loop, on_soon, u);
    add_embedded(u, NULL, 0);
    upstream_show(u);
    return u;
}

void upstream_destroy(struct upstream *u)
{
    if (!u) {
        return;
    }
    exchanges_destroy(u);
    loads_destroy(u);
    u->may_probe = false; /* a stopped look asks for no other: its neighbours are going, too */
    for (size_t i = 0; i < u->n_entries; i++) {
        entry_destroy(u->entries[i]);
    }
    settings_unref(u->settings);
    http_destroy(u->http);
    loop_timer_destroy(u->probe_timer);
    loop_timer_destroy(u->deadline_timer);
    loop_timer_destroy(u->load_timer);
    loop_timer_destroy(u->soon);
    xfree(u->entries);
    xfree(u->shown);
    xfree(u);
}

/* -- configuring -- */

void upstream_configure(struct upstream *u, struct settings *s)
{
    struct settings *before = u->settings;
    u->settings = settings_ref(s);
    settings_unref(before);
    struct entry **old = u->entries;
    size_t n_old = u->n_entries;
    u->entries = NULL;
    u->n_entries = 0;
    u->keep_s = (s->residency_ttl_ms + 999) / 1000;
    if (s->n_endpoints > 0) {
        configure_list(u, s, old, n_old);
    } else {
        configure_ports(u, old, n_old);
    }
    add_embedded(u, old, n_old);
    configure_guards(u, s);
    for (size_t i = 0; i < n_old; i++) {
        if (old[i]) { /* nobody took it over */
            exchanges_reject(u, old[i]->e.id);
            loads_forget(u, old[i]->e.id);
            keep_figures(u, old[i]);
            entry_destroy(old[i]);
        }
    }
    xfree(old);
    upstream_show(u);
    upstream_changed(u);
    if (u->may_probe) {
        upstream_probe(u);
    }
}

static void configure_guards(struct upstream *u, const struct settings *s)
{
    struct guard_options options = {.n_failures = s->upstream_breaker_failures,
                                    .recovery_us = s->upstream_recovery_us,
                                    .n_retries = s->upstream_retries};
    uint64_t now_us = clock_now_us();
    http_set_connections(u->http, s->upstream_connections);
    for (size_t i = 0; i < u->n_entries; i++) {
        guard_configure(u->entries[i]->guard, &options, now_us);
    }
}

unsigned entry_n_ctx(const struct entry *en, str model)
{
    struct buf name;
    buf_init(&name, KIB);
    buf_appendf(&name, STR_FMT "/" STR_FMT, STR_ARG(en->e.name), STR_ARG(model));
    unsigned n_ctx = settings_model_options(en->upstream->settings, buf_str(&name))->n_ctx;
    buf_release(&name);
    return n_ctx;
}

static void add_entry(struct upstream *u, struct entry *en)
{
    u->entries = xrealloc(u->entries, (u->n_entries + 1) * sizeof *u->entries);
    u->entries[u->n_entries++] = en;
}

/* Moves the entry that stays the same out of the old ones. */
static struct entry *take_over(struct entry **old, size_t n_old, str signature, uint16_t port)
{
    for (size_t i = 0; i < n_old; i++) {
        struct entry *en = old[i];
        if (en && en->port == port && str_eq(en->signature, signature)) {
            old[i] = NULL;
            return en;
        }
    }
    return NULL;
}

static void configure_list(struct upstream *u, const struct settings *s, struct entry **old,
                           size_t n_old)
{
    for (size_t i = 0; i < s->n_endpoints && u->n_entries < ENDPOINTS_MAX; i++) {
        const struct endpoint_settings *es = &s->endpoints[i];
        const struct provider_ops *ops = provider_find(u->options.providers, es->kind);
        if (!ops) {
            log_warn(LOG_UPSTREAM, "endpoint: kind=%s can't be configured", LOG_SAFE(es->kind));
            continue;
        }
        struct arena arena = {0};
        struct entry *en = take_over(old, n_old, entry_signature(es, &arena), 0);
        arena_release(&arena);
        add_entry(u, en ? en : entry_create_configured(u, es, ops));
    }
}

static bool has_port(const uint16_t *ports, size_t n, uint16_t port)
{
    for (size_t i = 0; i < n; i++) {
        if (ports[i] == port) {
            return true;
        }
    }
    return false;
}

static void configure_ports(struct upstream *u, struct entry **old, size_t n_old)
{
    uint16_t ports[PORTS_MAX];
    size_t n = 0;
    for (size_t i = 0; u->options.providers[i]; i++) {
        const struct provider_ops *ops = u->options.providers[i];
        if (ops->capabilities & PROVIDER_IN_PROCESS) {
            continue;
        }
        for (const uint16_t *port = ops->ports; port && *port && n < PORTS_MAX; port++) {
            if (!has_port(ports, n, *port)) {
                ports[n++] = *port;
            }
        }
    }
    for (size_t i = 0; i < n; i++) {
        struct entry *en = take_over(old, n_old, STR(""), ports[i]);
        add_entry(u, en ? en : entry_create_port(u, ports[i]));
    }
}

static bool is_embedded(const struct entry *en)
{
    return en->port == 0 && (en->e.ops->capabilities & PROVIDER_IN_PROCESS);
}

static void add_embedded(struct upstream *u, struct entry **old, size_t n_old)
{
    for (size_t i = 0; i < n_old; i++) {
        if (old[i] && is_embedded(old[i])) {
            add_entry(u, old[i]);
            old[i] = NULL;
            return;
        }
    }
    for (size_t i = 0; u->options.predictor && u->options.providers[i]; i++) {
        if (u->options.providers[i]->capabilities & PROVIDER_IN_PROCESS) {
            add_entry(u, entry_create_embedded(u, u->options.providers[i]));
            return;
        }
    }
}

void upstream_show(struct upstream *u)
{
    xfree(u->shown);
    u->shown = xcalloc(u->n_entries + 1, sizeof *u->shown);
    u->n_shown = 0;
    for (size_t i = 0; i < u->n_entries; i++) {
        struct entry *en = u->entries[i];
        if (en->is_shown) {
            en->e.idx = (unsigned)u->n_shown;
            u->shown[u->n_shown++] = en;
        }
    }
}

/* -- looking -- */

void upstream_probe(struct upstream *u)
{
    uint64_t now_us = clock_now_us();
    u->may_probe = true;
    for (size_t i = 0; i < u->n_entries; i++) {
        struct entry *en = u->entries[i];
        bool is_wanted = en->e.state == ENDPOINT_UNKNOWN || en->e.state == ENDPOINT_DOWN;
        bool is_due = en->probed_us == 0 || now_us - en->probed_us >= PROBE_MIN_GAP_US;
        if (is_wanted && is_due && !en->is_probing) {
            probe_start(en);
        }
    }
    upstream_wake_probes(u);
}

void upstream_refresh(struct upstream *u)
{
    uint64_t now_us = clock_now_us();
    upstream_note_clocks(u, now_us, clock_wall_us());
    upstream_want(u);
    for (size_t i = 0; i < u->n_entries; i++) {
        struct entry *en = u->entries[i];
        bool may_differ =
            en->e.state == ENDPOINT_READY && en->e.ops->encode_load && !en->e.is_static;
        if (u->may_probe && may_differ && now_us - en->probed_us >= PROBE_REFRESH_US) {
            probe_start(en);
        }
    }
    upstream_wake_probes(u);
}

void upstream_look_again(struct upstream *u)
{
    u->may_probe = true;
    for (size_t i = 0; i < u->n_entries; i++) {
        struct entry *en = u->entries[i];
        if (en->e.state == ENDPOINT_READY && !is_embedded(en)) {
            probe_start(en);
        }
    }
    upstream_wake_probes(u);
}

void upstream_want(struct upstream *u)
{
    uint64_t now_us = clock_now_us();
    bool is_sooner = false;
    for (size_t i = 0; i < u->n_entries; i++) {
        struct entry *en = u->entries[i];
        uint64_t next_us = CLOCK_NEVER;
        if (en->e.state == ENDPOINT_DOWN && !en->is_probing) {
            next_us = guard_want(en->guard, now_us);
        }
        if (next_us < en->e.next_probe_us) {
            en->e.next_probe_us = next_us;
            is_sooner = true;
        }
    }
    if (is_sooner) {
        upstream_wake_probes(u);
    }
}

void upstream_note_clocks(struct upstream *u, uint64_t now_us, uint64_t wall_us)
{
    uint64_t offset_us = wall_us - now_us; /* may wrap: differences are what counts */
    int64_t drift_us = (int64_t)(offset_us - u->clock_offset_us);
    if (u->clock_offset_us != 0 && drift_us > (int64_t)SLEPT_US) {
        log_info(LOG_UPSTREAM, "clocks: %lld ms were slept through", (long long)drift_us / 1000);
        upstream_resume(u);
    }
    u->clock_offset_us = offset_us;
}

unsigned upstream_texts(const struct upstream *u, uint64_t endpoint, unsigned n_wanted)
{
    const struct entry *en = upstream_entry(u, endpoint);
    if (!en || en->refuses_several || !(en->e.ops->capabilities & PROVIDER_SEVERAL)) {
        return 1;
    }
    bool has_slots = en->e.ops->capabilities & PROVIDER_SLOTS;
    unsigned most = has_slots && en->e.n_slots < TEXTS_MAX ? en->e.n_slots : TEXTS_MAX;
    unsigned n = n_wanted < most ? n_wanted : most;
    return n > 1 ? n : 1;
}

void upstream_resume(struct upstream *u)
{
    uint64_t now_us = clock_now_us();
    http_forget_idle(u->http);
    for (size_t i = 0; i < u->n_entries; i++) {
        struct entry *en = u->entries[i];
        guard_resume(en->guard, now_us);
        if (u->may_probe && en->e.state == ENDPOINT_DOWN && !en->is_probing) {
            en->e.next_probe_us = now_us;
        }
    }
    upstream_wake_probes(u);
}

bool upstream_is_looking(const struct upstream *u)
{
    for (size_t i = 0; i < u->n_entries; i++) {
        if (u->entries[i]->is_probing) {
            return true;
        }
    }
    return false;
}

void upstream_wake_probes(struct upstream *u)
{
    uint64_t next_us = CLOCK_NEVER;
    for (size_t i = 0; i < u->n_entries && u->may_probe; i++) {
        const struct entry *en = u->entries[i];
        uint64_t at_us = en->is_probing ? en->probe_deadline_us : en->e.next_probe_us;
        next_us = at_us < next_us ? at_us : next_us;
    }
    loop_timer_set(u->probe_timer, next_us);
}

static void on_probe_timeout(void *user)
{
    struct upstream *u = user;
    uint64_t now_us = clock_now_us();
    for (size_t i = 0; i < u->n_entries; i++) {
        struct entry *en = u->entries[i];
        if (en->is_probing && now_us >= en->probe_deadline_us) {
            probe_on_deadline(en);
        } else if (!en->is_probing && now_us >= en->e.next_probe_us) {
            probe_start(en);
        }
    }
    upstream_wake_probes(u);
}

static void on_deadline_timeout(void *user)
{
    exchanges_on_deadline(user);
}

static void on_load_timeout(void *user)
{
    loads_on_deadline(user);
}

void upstream_changed(struct upstream *u)
{
    u->has_changed = true;
    loop_timer_set(u->soon, 0);
}

static void on_soon(void *user)
{
    struct upstream *u = user;
    exchanges_run_soon(u);
    if (u->has_changed) {
        u->has_changed = false;
        if (u->options.on_change) {
            u->options.on_change(u->options.user);
        }
    }
}

/* -- asking -- */

size_t upstream_count(const struct upstream *u)
{
    return u->n_shown;
}

const struct endpoint *upstream_endpoint(const struct upstream *u, size_t idx)
{
    return idx < u->n_shown ? &u->shown[idx]->e : NULL;
}

size_t upstream_place_count(const struct upstream *u)
{
    return u->n_entries;
}

const struct endpoint *upstream_place(const struct upstream *u, size_t idx)
{
    return idx < u->n_entries ? &u->entries[idx]->e : NULL;
}

struct entry *upstream_entry(const struct upstream *u, uint64_t id)
{
    for (size_t i = 0; i < u->n_shown; i++) {
        if (u->shown[i]->e.id == id) {
            return u->shown[i];
        }
    }
    return NULL;
}

const struct endpoint *upstream_find(const struct upstream *u, uint64_t id)
{
    const struct entry *en = upstream_entry(u, id);
    return en ? &en->e : NULL;
}

bool upstream_is_settled(const struct upstream *u)
{
    for (size_t i = 0; i < u->n_entries; i++) {
        enum endpoint_state state = u->entries[i]->e.state;
        if (state == ENDPOINT_UNKNOWN || state == ENDPOINT_PROBING) {
            return false;
        }
    }
    return true;
}

static void add_figures(struct upstream_stats *s, const struct entry *en)
{
    struct guard_figures f = guard_figures(en->guard);
    s->n_retries += f.n_retries;
    s->n_unafforded += f.n_unafforded;
    s->n_refused += f.n_refused;
    s->n_opened += f.n_opened;
    s->n_late += f.n_late;
}

/* Of an endpoint that goes. */
static void keep_figures(struct upstream *u, const struct entry *en)
{
    add_figures(&u->stats, en);
}

struct upstream_stats upstream_stats(const struct upstream *u)
{
    struct upstream_stats s = u->stats;
    for (size_t i = 0; i < u->n_entries; i++) {
        add_figures(&s, u->entries[i]);
    }
    struct http_stats http = http_stats(u->http);
    s.n_connections = http.n_open;
    s.n_connections_idle = http.n_idle;
    s.n_connections_opened = http.n_opened;
    s.n_connections_closed = http.n_closed;
    s.n_connections_reused = http.n_reused;
    s.n_connections_warmed = http.n_warmed;
    return s;
}

static void encode_warm(const struct entry *en, struct http_request *out)
{
    str rest = str_from(en->e.ops->warm_request), method;
    ASSERT(str_next(&rest, ' ', &method));
    out->is_head = str_eq(method, STR("HEAD"));
    buf_append(&out->path, rest);
    entry_set_path(en, &out->path);
}

bool upstream_warm(struct upstream *u, uint64_t endpoint)
{
    struct entry *en = upstream_entry(u, endpoint);
    struct error why = {0};
    struct http_target target;
    uint64_t now_us = clock_now_us();
    if (!en || !u->settings || !u->settings->upstream_warm || en->e.state != ENDPOINT_READY ||
        !en->e.ops->warm_request || guard_wait_us(en->guard, now_us) > 0) {
        return false;
    }
    bool is_near = en->e.tier == TIER_LOOPBACK && str_starts_with(en->e.origin, STR("http://"));
    bool is_early = en->warmed_us != 0 && now_us - en->warmed_us < WARM_GAP_US;
    if (is_near || is_early || entry_target(en, &target, &why) != ERR_OK) {
        return false;
    }
    struct http_request request;
    http_request_init(&request);
    encode_warm(en, &request);
    bool is_opened = http_warm(u->http, &target, &request);
    http_request_release(&request);
    en->warmed_us = is_opened ? now_us : en->warmed_us;
    return is_opened;
}

bool upstream_would_admit(const struct upstream *u, uint64_t endpoint, str model)
{
    const struct entry *en = upstream_entry(u, endpoint);
    return en && guard_would_admit(en->guard, model, clock_now_us());
}

uint64_t upstream_trial_us(const struct upstream *u, uint64_t endpoint, str model)
{
    const struct entry *en = upstream_entry(u, endpoint);
    return en ? guard_trial_us(en->guard, model, clock_now_us()) : CLOCK_NEVER;
}

size_t upstream_prompt_bytes(const struct upstream *u, uint64_t endpoint, str model,
                             uint64_t within_us)
{
    const struct entry *en = upstream_entry(u, endpoint);
    const struct deadline *d = en ? guard_deadline(en->guard, model) : NULL;
    return d ? deadline_prompt_bytes(d, within_us) : WINDOW_MAX_BYTES;
}

uint64_t upstream_late_us(const struct upstream *u, uint64_t endpoint, str model,
                          size_t n_prompt_bytes)
{
    const struct entry *en = upstream_entry(u, endpoint);
    const struct deadline *d = en ? guard_deadline(en->guard, model) : NULL;
    struct deadline_call about = {.kind = DEADLINE_INLINE, .n_prompt_bytes = n_prompt_bytes};
    return d ? deadline_late_us(d, &about) : 0;
}

struct upstream_pace upstream_pace(const struct upstream *u, uint64_t endpoint, str model)
{
    const struct entry *en = upstream_entry(u, endpoint);
    const struct deadline *d = en ? guard_deadline(en->guard, model) : NULL;
    struct upstream_pace pace = {.health = "unknown", .breaker = "closed"};
    if (en) {
        pace.health = health_state_name(guard_health(en->guard));
        pace.breaker = breaker_state_name(guard_breaker(en->guard, model)->state);
    }
    if (d) {
        struct deadline_call about = {.kind = DEADLINE_INLINE, .n_prompt_bytes = 8 * (size_t)KIB};
        struct deadline_spans spans = deadline_spans(d, &about);
        pace.prompt_speed = deadline_prompt_speed(d);
        pace.text_speed = deadline_text_speed(d);
        pace.first_us = spans.first_us;
        pace.gap_us = spans.gap_us;
        pace.total_us = spans.total_us;
    }
    return pace;
}

const char *endpoint_state_name(enum endpoint_state state)
{
    static const char *const names[] = {"unknown", "probing", "ready",
                                        "loading", "down",    "blocked"};
    return names[state];
}

const char *tier_name(enum tier tier)
{
    static const char *const names[] = {"loopback", "lan", "cloud"};
    return names[tier];
}

const char *upstream_start_hint(const struct upstream *u)
{
    for (size_t i = 0; u->options.providers[i]; i++) {
        if (u->options.providers[i]->start_hint) {
            return u->options.providers[i]->start_hint;
        }
    }
    return "see the README";
}
