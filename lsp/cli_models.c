/* cli_models.c - `models`: the endpoints, their models, and which of them does what.
 *
 * Why      Which model answers is decided from the settings, from what is installed and from what
 *          is loaded; nobody should have to work that out in their head.
 * How      The endpoints are looked at like by a server that has just started; then one block per
 *          endpoint, its models as a table, and below them who serves each role, or why nobody.
 * Rules    Nothing is loaded and nothing generated. Lines fit the terminal: what is too long is cut
 *          with an ellipsis, never wrapped into the next column. */
#include "lsp/cli.h"

#include "core/base/clock.h"
#include "core/base/limits.h"
#include "core/model/advice.h"
#include "core/report/inventory.h"
#include "lsp/cli_advice.h"
#include "lsp/cli_room.h"
#include "lsp/terminal.h"

#define SETTLE_MS 6000u /* longer than a look takes at most */

struct models {
    struct cli_room room;
    bool is_json, is_rich;
    unsigned columns; /* of the terminal */
    struct buf out;   /* owned */
    uint64_t began_us;
};

/* -- cells -- */

/* Appends `text` in exactly `width` cells, cut with an ellipsis where it is longer. */
static void put_cell(struct models *m, str text, unsigned width)
{
    unsigned column = 0;
    if (terminal_width(text, 0) > width && width > 0) {
        terminal_append(&m->out, text, &column, width - 1);
        buf_append(&m->out, STR("\xe2\x80\xa6"));
        column++;
    } else {
        terminal_append(&m->out, text, &column, width);
    }
    for (; column < width; column++) {
        buf_append_char(&m->out, ' ');
    }
}

static void put_right(struct models *m, str text, unsigned width)
{
    for (unsigned n = terminal_width(text, 0); n < width; n++) {
        buf_append_char(&m->out, ' ');
    }
    put_cell(m, text, terminal_width(text, 0) < width ? terminal_width(text, 0) : width);
}

static void end_line(struct models *m)
{
    while (m->out.len > 0 && m->out.ptr[m->out.len - 1] == ' ') {
        buf_truncate(&m->out, m->out.len - 1);
    }
    buf_append_char(&m->out, '\n');
}

static void style(struct models *m, const char *sequence)
{
    if (m->is_rich) {
        buf_append(&m->out, str_from(sequence));
    }
}

/* The rest of a line, wrapped at blanks below where it begins. */
static void put_text(struct models *m, str text, unsigned indent)
{
    buf_append(&m->out, STR(""));
    struct buf wrapped = {0};
    buf_init(&wrapped, 16 * KIB);
    terminal_wrap(&wrapped, text, indent, m->columns);
    buf_append(&m->out, buf_str(&wrapped));
    buf_append_char(&m->out, '\n');
    buf_release(&wrapped);
}

/* -- one endpoint -- */

#define STATE_CELLS   10u /* "not loaded" */
#define PARAMS_CELLS  6u
#define SIZE_CELLS    7u
#define CONTEXT_CELLS 7u
#define DOES_CELLS    16u /* "fills, chat, raw" */
#define MODEL_INDENT  4u
#define MODEL_MIN     16u

static unsigned name_cells(const struct models *m, const struct endpoint *e)
{
    unsigned widest = 5;
    for (size_t i = 0; i < e->n_models; i++) {
        unsigned width = terminal_width(e->models[i].id, 0);
        widest = width > widest ? width : widest;
    }
    unsigned others = MODEL_INDENT + PARAMS_CELLS + SIZE_CELLS + CONTEXT_CELLS + STATE_CELLS +
                      DOES_CELLS + 5 * 2; /* two blanks between columns */
    unsigned room = m->columns > others + MODEL_MIN ? m->columns - others : MODEL_MIN;
    return widest < room ? widest : room;
}

static void put_model(struct models *m, const struct endpoint *e, const struct model_info *info,
                      unsigned name_width)
{
    struct buf cell = {0};
    buf_init(&cell, KIB);
    put_cell(m, STR(""), MODEL_INDENT);
    put_cell(m, info->id, name_width);
    buf_append(&m->out, STR("  "));
    inventory_count(info->n_params, &cell);
    put_right(m, buf_str(&cell), PARAMS_CELLS);
    buf_append(&m->out, STR("  "));
    buf_clear(&cell);
    if (info->n_bytes > 0) {
        advice_size(info->n_bytes, &cell);
    }
    put_right(m, buf_str(&cell), SIZE_CELLS);
    buf_append(&m->out, STR("  "));
    buf_clear(&cell);
    if (info->n_ctx > 0) {
        buf_appendf(&cell, "%llu", (unsigned long long)info->n_ctx);
    }
    put_right(m, buf_str(&cell), CONTEXT_CELLS);
    buf_append(&m->out, STR("  "));
    put_cell(m, str_from(inventory_model_state(e, info)), STATE_CELLS);
    buf_append(&m->out, STR("  "));
    buf_clear(&cell);
    inventory_abilities(info, &cell);
    put_cell(m, buf_str(&cell), DOES_CELLS);
    end_line(m);
    buf_release(&cell);
}

static void put_model_heading(struct models *m, unsigned name_width)
{
    style(m, TERMINAL_DIM);
    put_cell(m, STR(""), MODEL_INDENT);
    put_cell(m, STR("model"), name_width);
    buf_append(&m->out, STR("  "));
    put_right(m, STR("params"), PARAMS_CELLS);
    buf_append(&m->out, STR("  "));
    put_right(m, STR("on disk"), SIZE_CELLS);
    buf_append(&m->out, STR("  "));
    put_right(m, STR("context"), CONTEXT_CELLS);
    buf_append(&m->out, STR("  "));
    put_cell(m, STR("state"), STATE_CELLS);
    buf_append(&m->out, STR("  does"));
    style(m, TERMINAL_PLAIN);
    buf_append_char(&m->out, '\n');
}

static void put_endpoint(struct models *m, const struct endpoint *e)
{
    struct buf line = {0};
    buf_init(&line, 8 * KIB);
    inventory_state(e, &line);
    style(m, TERMINAL_BOLD);
    unsigned column = 0;
    terminal_append(&m->out, e->name, &column, 400);
    style(m, TERMINAL_PLAIN);
    buf_append(&m->out, STR(": "));
    column += 2 + terminal_width(buf_str(&line), 0);
    style(m, e->state == ENDPOINT_READY ? TERMINAL_GREEN : TERMINAL_BOLD);
    buf_append(&m->out, buf_str(&line));
    style(m, TERMINAL_PLAIN);
    buf_clear(&line);
    buf_appendf(&line, "%s at " STR_FMT STR_FMT ", %s", e->ops->kind, STR_ARG(e->origin),
                STR_ARG(e->base_path), tier_name(e->tier));
    if (e->version.len > 0) {
        buf_appendf(&line, ", version " STR_FMT, STR_ARG(e->version));
    }
    buf_append(&line, e->is_discovered ? STR(", found by itself") : STR(""));
    bool fits = column + 2 + terminal_width(buf_str(&line), 0) <= m->columns;
    buf_append(&m->out, fits ? STR(", ") : STR("\n    "));
    put_text(m, buf_str(&line), MODEL_INDENT);
    if (e->state != ENDPOINT_READY && e->error.msg[0] != '\0') {
        buf_append(&m->out, STR("    "));
        put_text(m, str_from(e->error.msg), MODEL_INDENT);
    }
    buf_release(&line);
    unsigned width = name_cells(m, e);
    for (size_t i = 0; i < e->n_models; i++) {
        if (i == 0) {
            put_model_heading(m, width);
        }
        put_model(m, e, &e->models[i], width);
    }
    if (e->n_models == 0 && e->state == ENDPOINT_READY) {
        buf_append(&m->out, STR("    it has no models\n"));
    }
}

/* -- who does what -- */

#define ROLE_CELLS 14u

static void put_role(struct models *m, enum role role)
{
    struct route r = inventory_route(m->room.upstream, m->room.settings, role);
    struct buf text = {0};
    buf_init(&text, 2 * KIB);
    put_cell(m, str_from(role_name(role)), ROLE_CELLS - 2);
    buf_append(&m->out, STR("  "));
    if (r.state == ROUTE_READY) {
        buf_appendf(&text, "%s%s%s", r.name, r.fills_by_chat ? ", by chat" : "",
                    r.is_remote ? "; text leaves this machine" : "");
    } else if (r.allows_embedded) {
        buf_appendf(&text, "embedded: %s", r.message);
    } else {
        buf_appendf(&text, "nobody: %s", r.message);
    }
    put_text(m, buf_str(&text), ROLE_CELLS);
    buf_release(&text);
}

/* Where nothing was found: what was looked at, and how a person gets a server. */
static void put_nothing(struct models *m)
{
    buf_append(&m->out, STR("no model server is there. Looked at, on this machine: "));
    bool is_first = true;
    for (size_t i = 0; provider_table[i] != NULL; i++) {
        for (const uint16_t *port = provider_table[i]->ports; port != NULL && *port != 0; port++) {
            buf_appendf(&m->out, "%s%u", is_first ? "" : ", ", (unsigned)*port);
            is_first = false;
        }
    }
    buf_append(&m->out, STR("\n\n"));
    cli_advise(&m->out);
}

static void show(struct models *m)
{
    const struct upstream *u = m->room.upstream;
    size_t n_shown = 0;
    for (size_t i = 0; i < upstream_count(u); i++) {
        const struct endpoint *e = upstream_endpoint(u, i);
        if ((e->ops->capabilities & PROVIDER_IN_PROCESS) == 0) {
            buf_append(&m->out, n_shown++ > 0 ? STR("\n") : STR(""));
            put_endpoint(m, e);
        }
    }
    if (n_shown == 0) {
        put_nothing(m);
    }
    buf_append_char(&m->out, '\n');
    style(m, TERMINAL_DIM);
    put_cell(m, STR("role"), ROLE_CELLS - 2);
    buf_append(&m->out, STR("  who serves it"));
    style(m, TERMINAL_PLAIN);
    buf_append_char(&m->out, '\n');
    for (int role = 0; role < N_ROLES; role++) {
        if (role_is_wanted((enum role)role, m->room.settings)) {
            put_role(m, (enum role)role);
        }
    }
}

static void show_json(struct models *m)
{
    struct json_writer w = json_writer(&m->out);
    json_begin_object(&w);
    inventory_write(m->room.upstream, m->room.settings, &w);
    json_key_int(&w, STR("tookMs"), (int64_t)((clock_now_us() - m->began_us) / 1000));
    json_end_object(&w);
    buf_append_char(&m->out, '\n');
}

static int run(struct models *m, const char *config)
{
    m->began_us = clock_now_us();
    cli_room_init_bare(&m->room, config);
    int code = cli_settings_tell(&m->room.read);
    if (code != CLI_OK) {
        return m->is_json ? cli_fail_json(code) : code;
    }
    cli_room_start(&m->room);
    cli_room_wait(&m->room, SETTLE_MS, cli_room_is_settled, NULL);
    if (m->is_json) {
        show_json(m);
    } else {
        show(m);
    }
    terminal_write(buf_str(&m->out));
    return CLI_OK;
}

int cli_models(int argc, char **argv)
{
    struct models m = {.is_rich = terminal_is_rich()};
    const char *config = NULL;
    struct cli_option options[] = {
        {"--config", &config, NULL}, {"--json", NULL, &m.is_json}, {NULL, NULL, NULL}};
    const char *rest[1];
    int code = cli_parse(argc, argv, options, rest, 0);
    if (code != CLI_OK) {
        return code;
    }
    unsigned rows;
    terminal_size(&m.columns, &rows);
    buf_init(&m.out, 8 * MIB);
    code = run(&m, config);
    cli_room_release(&m.room);
    buf_release(&m.out);
    return code;
}
