/* cli_doctor.c - `doctor`: is everything there, and does it work, tried for real.
 *
 * Why      "It suggests nothing" has some thirty causes, most of them outside this program. Who
 *          looks for the cause wants it named, with the next step as a command to paste.
 * How      From the ground up: files, then endpoints, then for each role a real question through
 *          the engine's door, then what running servers say, then who may be sent code. The checks
 *          themselves (core/report/doctor.h) are told facts and know the words.
 * Rules    Findings are shown as they are made, since a model may take its time. Nothing is
 *          changed, but that a model is loaded which the settings name. Exit code 1 exactly where a
 *          finding says FAIL: the main job, completing while typing, can't be done. */
#include "lsp/cli_doctor.h"

#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/limits.h"
#include "core/report/inventory.h"
#include "lsp/cli.h"
#include "lsp/cli_advice.h"
#include "lsp/terminal.h"

#define SETTLE_MS     6000u  /* longer than a look takes at most */
#define LOADING_MS    60000u /* a server that loads its one model */
#define LOOK_MS       6000u
#define FINDING_CELLS 6u
#define NEXT_CELLS    12u

/* -- showing -- */

void checkup_tell(const struct checkup *c, const char *fmt, ...)
{
    if (!c->shows_progress) {
        return;
    }
    va_list args;
    va_start(args, fmt);
    (void)vfprintf(stderr, fmt, args);
    va_end(args);
    (void)fputc('\n', stderr);
}

static const char *style_of(enum finding_status status)
{
    switch (status) {
    case FINDING_OK:
        return TERMINAL_GREEN;
    case FINDING_WARN:
        return TERMINAL_BOLD;
    case FINDING_FAIL:
        return TERMINAL_REVERSE;
    }
    return "";
}

/* "      next: words", and the command behind it, or below where it doesn't fit; that one is never
 * broken, so that it can be pasted. */
static void put_next(const struct checkup *c, const struct finding *f, struct buf *out)
{
    struct buf words;
    buf_init(&words, 8 * KIB);
    buf_append(&words, f->next);
    buf_append(&words, f->next.len > 0 && f->command.len > 0 ? STR(":") : STR(""));
    unsigned width = terminal_width(buf_str(&words), 0) + terminal_width(f->command, 0) + 1;
    buf_append(out, STR("      next: "));
    terminal_wrap(out, buf_str(&words), NEXT_CELLS, c->columns);
    if (f->command.len > 0) {
        bool fits = NEXT_CELLS + width <= c->columns;
        unsigned column = NEXT_CELLS;
        buf_append(out, fits ? STR(" ") : STR("\n            "));
        terminal_append(out, f->command, &column, UINT32_MAX);
    }
    buf_append_char(out, '\n');
    buf_release(&words);
}

static void put_finding(const struct checkup *c, const struct finding *f, struct buf *out)
{
    struct buf text;
    buf_init(&text, 16 * KIB);
    buf_appendf(&text, STR_FMT ": " STR_FMT, STR_ARG(f->subject), STR_ARG(f->finding));
    buf_appendf(out, "%s%s%s%*s", c->is_rich ? style_of(f->status) : "",
                finding_status_name(f->status), c->is_rich ? TERMINAL_PLAIN : "",
                (int)(FINDING_CELLS - strlen(finding_status_name(f->status))), "");
    terminal_wrap(out, buf_str(&text), FINDING_CELLS, c->columns);
    buf_append_char(out, '\n');
    if (f->next.len > 0 || f->command.len > 0) {
        put_next(c, f, out);
    }
    buf_release(&text);
}

void checkup_show(struct checkup *c, const char *heading)
{
    const struct finding *findings;
    size_t n = doctor_findings(c->doctor, &findings);
    if (c->is_json || n == c->n_printed) {
        return;
    }
    struct buf out;
    buf_init(&out, MIB);
    if (heading != NULL) {
        buf_appendf(&out, "%s%s%s%s\n", c->n_printed > 0 ? "\n" : "",
                    c->is_rich ? TERMINAL_BOLD : "", heading, c->is_rich ? TERMINAL_PLAIN : "");
    }
    for (; c->n_printed < n; c->n_printed++) {
        put_finding(c, &findings[c->n_printed], &out);
    }
    terminal_write(buf_str(&out));
    buf_release(&out);
}

static void show_end(const struct checkup *c)
{
    size_t n_fail = doctor_count(c->doctor, FINDING_FAIL);
    size_t n_warn = doctor_count(c->doctor, FINDING_WARN);
    struct buf out;
    buf_init(&out, MIB);
    if (c->is_json) {
        struct json_writer w = json_writer(&out);
        doctor_write_json(c->doctor, &w);
    } else if (n_fail > 0) {
        buf_appendf(&out, "\nNo model completes what you type: %zu FAIL, %zu warn.", n_fail,
                    n_warn);
    } else if (n_warn > 0) {
        buf_appendf(&out, "\nA model completes what you type; %zu thing%s to look at.", n_warn,
                    n_warn == 1 ? "" : "s");
    } else {
        buf_append(&out, STR("\nEverything is ok."));
    }
    buf_append_char(&out, '\n');
    terminal_write(buf_str(&out));
    buf_release(&out);
}

/* -- endpoints -- */

static bool is_own(const struct endpoint *e)
{
    return (e->ops->capabilities & PROVIDER_IN_PROCESS) != 0;
}

static bool has_loaded(struct cli_room *room, void *user)
{
    (void)user;
    return cli_room_endpoint(room, ENDPOINT_LOADING) == NULL;
}

static const struct endpoint_settings *settings_of(const struct settings *s, str name)
{
    for (size_t i = 0; i < s->n_endpoints; i++) {
        if (str_eq(s->endpoints[i].name, name)) {
            return &s->endpoints[i];
        }
    }
    return NULL;
}

static void examine_kinds(struct checkup *c)
{
    const struct settings *s = c->room.settings;
    for (size_t i = 0; i < s->n_endpoints; i++) {
        if (provider_find(provider_table, s->endpoints[i].kind) == NULL) {
            doctor_check_kind(c->doctor, &s->endpoints[i]);
        }
    }
}

/* Whether typing is to be served by anything but the predictor. */
static bool wants_model(const struct settings *s)
{
    bool wants = s->n_models_inline == 0;
    for (size_t i = 0; i < s->n_models_inline; i++) {
        wants = wants || !str_eq(s->models_inline[i], STR("embedded"));
    }
    return wants;
}

static void examine_endpoints(struct checkup *c)
{
    struct cli_room *room = &c->room;
    cli_room_start(room);
    cli_room_wait(room, SETTLE_MS, cli_room_is_settled, NULL);
    if (cli_room_endpoint(room, ENDPOINT_LOADING) != NULL) {
        checkup_tell(c, "a server is loading its model ...");
        cli_room_wait(room, LOADING_MS, has_loaded, NULL);
    }
    struct route r = inventory_route(room->upstream, room->settings, ROLE_INLINE);
    bool is_needed = r.state == ROUTE_NONE && wants_model(room->settings);
    examine_kinds(c);
    for (size_t i = 0; i < upstream_count(room->upstream); i++) {
        const struct endpoint *e = upstream_endpoint(room->upstream, i);
        if (!is_own(e)) {
            doctor_check_endpoint(c->doctor, e, settings_of(room->settings, e->name), is_needed);
        }
    }
    if (room->settings->n_endpoints == 0) {
        doctor_check_ports(c->doctor, room->upstream, is_needed);
    }
    const char *proxies[CHECKUP_PROXIES_MAX];
    checkup_proxies(proxies);
    doctor_check_proxies(c->doctor, room->upstream, room->settings, proxies);
    checkup_show(c, "endpoints");
}

/* -- models -- */

/* How the models stand whose servers choose a context at each load, before anything is asked. */
struct standing {
    uint64_t endpoint; /* id */
    str model;         /* in the room's arena */
    uint64_t loaded_ctx;
};

static size_t note_standings(struct checkup *c, struct standing *out, size_t max)
{
    size_t n = 0;
    for (size_t i = 0; i < upstream_count(c->room.upstream); i++) {
        const struct endpoint *e = upstream_endpoint(c->room.upstream, i);
        for (size_t m = 0; m < e->n_models && n < max; m++) {
            if (e->models[m].loaded_ctx > 0) {
                out[n++] = (struct standing){e->id, arena_dup(&c->room.arena, e->models[m].id),
                                             e->models[m].loaded_ctx};
            }
        }
    }
    return n;
}

static uint64_t standing_of(const struct standing *list, size_t n, uint64_t endpoint, str model)
{
    for (size_t i = 0; i < n; i++) {
        if (list[i].endpoint == endpoint && str_eq(list[i].model, model)) {
            return list[i].loaded_ctx;
        }
    }
    return 0;
}

static bool has_looked(struct cli_room *room, void *user)
{
    (void)user;
    return !upstream_is_looking(room->upstream);
}

static void examine_contention(struct checkup *c, const struct standing *before, size_t n_before)
{
    struct cli_room *room = &c->room;
    upstream_look_again(room->upstream);
    cli_room_wait(room, LOOK_MS, has_looked, NULL);
    for (size_t i = 0; i < upstream_count(room->upstream); i++) {
        const struct endpoint *e = upstream_endpoint(room->upstream, i);
        for (size_t m = 0; e->state == ENDPOINT_READY && m < e->n_models; m++) {
            const struct model_info *info = &e->models[m];
            str name = arena_printf(&room->arena, STR_FMT "/" STR_FMT, STR_ARG(e->name),
                                    STR_ARG(info->id));
            struct doctor_context facts = {.endpoint = e->name,
                                           .model = info->id,
                                           .wanted =
                                               settings_model_options(room->settings, name)->n_ctx,
                                           .before = standing_of(before, n_before, e->id, info->id),
                                           .after = info->loaded_ctx};
            doctor_check_contention(c->doctor, &facts);
        }
    }
}

static void examine_models(struct checkup *c)
{
    struct standing before[MODELS_MAX];
    size_t n_before = note_standings(c, before, MODELS_MAX);
    char asked[128] = "";
    for (int role = 0; role < N_ROLES; role++) {
        struct route r = inventory_route(c->room.upstream, c->room.settings, (enum role)role);
        bool is_typing = role_is_typing((enum role)role);
        checkup_role(c, (enum role)role, is_typing && strcmp(asked, r.name) == 0);
        if (is_typing) {
            memcpy(asked, r.name, sizeof asked);
        }
        checkup_show(c, role == 0 ? "models, asked for real" : NULL);
    }
    examine_contention(c, before, n_before);
    checkup_show(c, NULL);
}

/* -- running servers -- */

static void on_stats(str stats, void *user)
{
    struct checkup *c = user;
    struct arena arena = {0};
    struct json value;
    if (json_parse(stats, &arena, &value, NULL) == ERR_OK) {
        doctor_check_server(c->doctor, value);
    }
    arena_release(&arena);
}

static int examine(struct checkup *c)
{
    checkup_files(c);
    checkup_show(c, "settings and folders");
    examine_endpoints(c);
    examine_models(c);
    if (cli_servers_ask(on_stats, c) > 0) {
        checkup_show(c, "running servers");
    }
    doctor_check_privacy(c->doctor, c->room.upstream, c->room.settings);
    checkup_show(c, "what is sent where");
    show_end(c);
    return doctor_count(c->doctor, FINDING_FAIL) > 0 ? CLI_FAILED : CLI_OK;
}

int cli_doctor(int argc, char **argv)
{
    struct checkup c = {.is_rich = terminal_is_rich()};
    const char *config = NULL;
    struct cli_option options[] = {
        {"--config", &config, NULL}, {"--json", NULL, &c.is_json}, {NULL, NULL, NULL}};
    const char *rest[1];
    int code = cli_parse(argc, argv, options, rest, 0);
    if (code != CLI_OK) {
        return code;
    }
    unsigned rows;
    terminal_size(&c.columns, &rows);
    c.shows_progress = isatty(STDERR_FILENO) == 1;
    struct doctor_options parts = {.get_command = cli_advise_get,
                                   .can_run = cli_can_run,
                                   .memory = hardware_memory(),
                                   .providers = provider_table,
                                   .now_s = (int64_t)(clock_wall_us() / SEC_TO_US(1))};
    c.doctor = doctor_create(&parts);
    cli_room_init_bare(&c.room, config);
    code = examine(&c);
    cli_room_release(&c.room);
    doctor_destroy(c.doctor);
    return code;
}
