/* cli_complete.c - `complete FILE:LINE:COL`: one inline completion, streamed to the terminal.
 *
 * Why      The shortest way from "it suggests nothing" to the reason: one question, the whole
 *          path, and on stderr who answered, how long it took and why.
 * How      The place is checked, the engines are looked at (at most 1.5 s, and up to a minute
 *          while a model loads), then one explicit question is asked through the engine's door.
 * Rules    stdout carries the suggestion alone (or one JSON object); so it can be piped. */
#include "lsp/cli.h"

#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/json_write.h"
#include "core/base/limits.h"
#include "lsp/cli_advice.h"
#include "lsp/cli_room.h"
#include "lsp/terminal.h"

#define SETTLE_MS         1500u
#define LOADING_MS        60000u
#define MODEL_MS          300000u /* a large model from a slow disk */
#define PROGRESS_EVERY_US SEC_TO_US(1)

struct complete {
    struct cli_room room;
    const char *model, *config;
    bool is_json;
    struct buf file; /* owned: FILE of FILE:LINE:COL */
    uint64_t line, column;
    size_t cursor;
    /* while a model loads */
    uint64_t next_progress_us;
    /* the answer */
    struct buf shown; /* owned: text so far */
    size_t n_written; /* of it, to stdout */
    bool is_done;
    bool is_second_try, must_try_again; /* a model was on its way when nothing came */
    int code;
};

/* Splits "FILE:LINE:COL" from its end, so that a file's name may hold colons. */
static bool parse_place(struct complete *c, const char *arg)
{
    str rest = str_from(arg);
    uint64_t *parts[] = {&c->column, &c->line};
    for (size_t i = 0; i < 2; i++) {
        size_t colon = rest.len;
        while (colon > 0 && rest.ptr[colon - 1] != ':') {
            colon--;
        }
        if (colon == 0 || !str_to_u64(str_sub(rest, colon, rest.len), UINT32_MAX, parts[i]) ||
            *parts[i] == 0) {
            return false;
        }
        rest = str_sub(rest, 0, colon - 1);
    }
    buf_append(&c->file, rest);
    return rest.len > 0 && !c->file.is_full;
}

/* Turns line and column into an offset, or says what is wrong with them. */
static int find_cursor(struct complete *c)
{
    const struct document *d = documents_find(c->room.documents, c->room.document)->text;
    size_t n_lines = document_line_count(d);
    if (c->line > n_lines) {
        return cli_fail("%s has lines 1 to %zu, not %llu", buf_cstr(&c->file), n_lines,
                        (unsigned long long)c->line);
    }
    size_t start = document_line_start(d, (size_t)c->line - 1);
    size_t len = document_line_end(d, (size_t)c->line - 1) - start;
    if (c->column > len + 1) {
        return cli_fail("line %llu of %s has columns 1 to %zu, not %llu",
                        (unsigned long long)c->line, buf_cstr(&c->file), len + 1,
                        (unsigned long long)c->column);
    }
    c->cursor = start + (size_t)c->column - 1;
    if (document_floor(d, c->cursor) != c->cursor) {
        return cli_fail("column %llu of line %llu is inside a character; it begins at column %zu "
                        "(columns count bytes)",
                        (unsigned long long)c->column, (unsigned long long)c->line,
                        document_floor(d, c->cursor) - start + 1);
    }
    return CLI_OK;
}

static bool is_ready_to_ask(struct cli_room *room, void *user)
{
    return cli_room_is_settled(room, user) && !predictor_is_learning(room->predictor);
}

/* -- the model that was asked for -- */

static bool is_named(const struct endpoint *e, str wish)
{
    return str_eq(wish, e->name) || (wish.len > e->name.len && str_starts_with(wish, e->name) &&
                                     wish.ptr[e->name.len] == '/');
}

/* Whether `e` has the model that `wish` ("endpoint/model", an endpoint, a model) stands for. */
static bool has_wished(const struct endpoint *e, str wish)
{
    if (str_eq(wish, e->name)) {
        return true;
    }
    str model = is_named(e, wish) ? str_sub(wish, e->name.len + 1, wish.len) : wish;
    for (size_t i = 0; i < e->n_models; i++) {
        if (str_eq(e->models[i].id, model) || str_eq(e->models[i].name, model)) {
            return true;
        }
    }
    return false;
}

static const struct endpoint *find_wished(const struct complete *c, bool by_name_alone)
{
    str wish = str_from(c->model);
    for (size_t i = 0; i < upstream_count(c->room.upstream); i++) {
        const struct endpoint *e = upstream_endpoint(c->room.upstream, i);
        if (by_name_alone ? is_named(e, wish) : has_wished(e, wish)) {
            return e;
        }
    }
    return NULL;
}

static void list_models(const struct complete *c, struct buf *out)
{
    for (size_t i = 0; i < upstream_count(c->room.upstream); i++) {
        const struct endpoint *e = upstream_endpoint(c->room.upstream, i);
        if (e->state != ENDPOINT_READY) {
            continue;
        }
        for (size_t m = 0; m < e->n_models && m < 20; m++) {
            buf_appendf(out, "\n  " STR_FMT "/" STR_FMT, STR_ARG(e->name),
                        STR_ARG(e->models[m].id));
        }
    }
}

/* Says which models there are and which command gets the one that was asked for. */
static int fail_model(const struct complete *c)
{
    struct buf out = {0};
    buf_init(&out, 16 * KIB);
    const struct endpoint *e = find_wished(c, true);
    str model = str_from(c->model);
    buf_appendf(&out, "no model \"%s\" here", c->model);
    if (e != NULL && e->state != ENDPOINT_READY) {
        buf_appendf(&out, ": " STR_FMT " is %s%s%s", STR_ARG(e->name),
                    endpoint_state_name(e->state), e->error.msg[0] != '\0' ? ": " : "",
                    e->error.msg);
    }
    if (e == NULL) {
        e = cli_room_endpoint(&c->room, ENDPOINT_READY);
    } else if (model.len > e->name.len) {
        model = str_sub(model, e->name.len + 1, model.len);
    }
    buf_append(&out, STR("\nThere are:"));
    list_models(c, &out);
    buf_append(&out, STR("\n  embedded\n"));
    size_t len = out.len;
    buf_append(&out, STR("To get it:  "));
    if (e == NULL || !cli_advise_get(str_from(e->ops->kind), model, &out)) {
        buf_truncate(&out, len);
        cli_advise(&out);
    }
    int code = cli_fail(STR_FMT, STR_ARG(str_trim_end(buf_str(&out))));
    buf_release(&out);
    return code;
}

/* -- a model that loads -- */

static const struct endpoint *awaited(const struct complete *c)
{
    if (c->model != NULL) {
        const struct endpoint *e = find_wished(c, false);
        e = e == NULL ? find_wished(c, true) : e;
        return e != NULL && e->state == ENDPOINT_LOADING ? e : NULL;
    }
    return cli_room_endpoint(&c->room, ENDPOINT_READY) != NULL
               ? NULL
               : cli_room_endpoint(&c->room, ENDPOINT_LOADING);
}

/* A model that its server is loading for us, or NULL; *where gets its endpoint. */
static const struct model_info *find_loading(const struct cli_room *room,
                                             const struct endpoint **where)
{
    for (size_t i = 0; i < upstream_count(room->upstream); i++) {
        *where = upstream_endpoint(room->upstream, i);
        for (size_t m = 0; m < (*where)->n_models; m++) {
            if ((*where)->models[m].is_loading) {
                return &(*where)->models[m];
            }
        }
    }
    return NULL;
}

static bool has_come(struct cli_room *room, void *user)
{
    struct complete *c = user;
    const struct endpoint *e;
    const struct model_info *m = find_loading(room, &e);
    uint64_t now_us = clock_now_us();
    if (m != NULL && now_us >= c->next_progress_us) {
        fprintf(stderr, "waiting: " STR_FMT " is loading " STR_FMT "\n", STR_ARG(e->name),
                STR_ARG(m->id));
        c->next_progress_us = now_us + PROGRESS_EVERY_US;
    }
    return m == NULL;
}

static bool is_loaded(struct cli_room *room, void *user)
{
    struct complete *c = user;
    const struct endpoint *e = awaited(c);
    uint64_t now_us = clock_now_us();
    if (e != NULL && now_us >= c->next_progress_us) {
        fprintf(stderr, "waiting: " STR_FMT " is loading its model", STR_ARG(e->name));
        if (e->loading >= 0) {
            fprintf(stderr, ", %.0f %%", e->loading * 100);
        }
        fputc('\n', stderr);
        c->next_progress_us = now_us + PROGRESS_EVERY_US;
    }
    (void)room;
    return e == NULL;
}

static int choose_model(struct complete *c)
{
    if (awaited(c) != NULL) {
        cli_room_wait(&c->room, LOADING_MS, is_loaded, c);
    }
    if (c->model != NULL && strcmp(c->model, "embedded") != 0 && find_wished(c, false) == NULL) {
        return fail_model(c);
    }
    return CLI_OK;
}

/* -- the answer -- */

/* Writes what of c->shown isn't out yet, cleaned line by line. */
static void write_shown(struct complete *c)
{
    if (c->is_json) {
        return;
    }
    terminal_write_text(str_sub(buf_str(&c->shown), c->n_written, c->shown.len));
    c->n_written = c->shown.len;
}

static void on_text(str text, void *user)
{
    struct complete *c = user;
    buf_clear(&c->shown);
    buf_append(&c->shown, text);
    write_shown(c);
}

static const char *source_name(enum answer_source source)
{
    switch (source) {
    case ANSWER_NONE:
        return "none";
    case ANSWER_MODEL:
        return "model";
    case ANSWER_PREDICTOR:
        return "predictor";
    }
    return "none";
}

static const char *boarded_name(enum boarded boarded)
{
    switch (boarded) {
    case BOARDED_NONE:
        return "fresh";
    case BOARDED_FLYING:
        return "flying";
    case BOARDED_LANDED:
        return "landed";
    case BOARDED_CACHED:
        return "cached";
    case BOARDED_SIMILAR:
        return "similar";
    }
    return "fresh";
}

static void print_json(const struct complete *c, const struct answer *a, const struct error *error)
{
    struct buf out = {0};
    buf_init(&out, MIB);
    struct json_writer w = json_writer(&out);
    json_begin_object(&w);
    json_key_str(&w, STR("file"), c->room.path);
    json_key_int(&w, STR("line"), (int64_t)c->line);
    json_key_int(&w, STR("column"), (int64_t)c->column);
    json_key_str(&w, STR("text"), error == NULL ? a->text : (str){0});
    json_key_int(&w, STR("replace"), error == NULL ? (int64_t)a->n_replace : 0);
    json_key_str(&w, STR("source"), str_from(source_name(error == NULL ? a->source : ANSWER_NONE)));
    json_key_str(&w, STR("model"), error == NULL ? a->model : (str){0});
    json_key_str(&w, STR("cache"), str_from(boarded_name(error == NULL ? a->boarded : 0)));
    json_key_double(&w, STR("firstMs"), error == NULL ? (double)a->first_us / 1000 : 0);
    json_key_double(&w, STR("totalMs"), error == NULL ? (double)a->total_us / 1000 : 0);
    json_key_str(&w, STR("why"), a->why);
    cli_write_json(&w, error, &out);
}

/* The model's endpoint: "endpoint/model" up to the first slash. */
static str endpoint_of(str model)
{
    return str_sub(model, 0, str_find_char(model, '/', 0));
}

static void print_details(const struct answer *a, str why)
{
    if (a->source == ANSWER_NONE) {
        fprintf(stderr, "nothing to suggest\n");
    } else {
        fprintf(stderr, "engine: " STR_FMT "\n", STR_ARG(endpoint_of(a->model)));
        fprintf(stderr, "model:  " STR_FMT "\n", STR_ARG(a->model));
        fprintf(stderr, "cache:  %s\n", boarded_name(a->boarded));
        fprintf(stderr, "time:   first text %.1f ms, whole %.1f ms\n", (double)a->first_us / 1000,
                (double)a->total_us / 1000);
    }
    fprintf(stderr, "why:    " STR_FMT "\n", STR_ARG(why));
}

static void on_done(const struct answer *a, const struct error *error, void *user)
{
    struct complete *c = user;
    const struct endpoint *where;
    c->is_done = true;
    c->must_try_again = error == NULL && a->text.len == 0 && !c->is_second_try &&
                        find_loading(&c->room, &where) != NULL;
    if (c->must_try_again) {
        return;
    }
    if (error != NULL) {
        c->code = CLI_FAILED;
    }
    if (c->is_json) {
        print_json(c, a, error);
        return;
    }
    if (error == NULL) {
        on_text(a->text, c);
    }
    if (c->n_written > 0) {
        terminal_write(STR("\n"));
    }
    if (error != NULL) {
        (void)cli_fail("%s (%s)", error->msg, err_name(error->code));
        fprintf(stderr, "why:    " STR_FMT "\n", STR_ARG(a->why));
    } else {
        print_details(a, a->why);
    }
}

static bool is_answered(struct cli_room *room, void *user)
{
    (void)room;
    return ((const struct complete *)user)->is_done;
}

static void ask(struct complete *c)
{
    struct question q = {.kind = QUESTION_INLINE,
                         .document = c->room.document,
                         .cursor = c->cursor,
                         .selected_start = c->cursor,
                         .is_explicit = true,
                         .model = str_from(c->model)};
    struct sink sink = {.on_text = on_text, .on_done = on_done, .user = c};
    engine_ask(c->room.engine, &q, &sink);
    /* The engine ends every question by itself; the bound is for a mistake of ours. */
    cli_room_wait(&c->room, LOADING_MS, is_answered, c);
    if (!c->is_done) {
        c->code = cli_fail("no answer within a minute");
    } else if (c->must_try_again) { /* leaving would stop the load */
        c->is_second_try = true;
        c->is_done = false;
        cli_room_wait(&c->room, MODEL_MS, has_come, c);
        ask(c);
    }
}

static int complete(struct complete *c, const char *place)
{
    if (!parse_place(c, place)) {
        return cli_misused("\"%s\" is no FILE:LINE:COL, such as main.c:12:5; both count from 1",
                           place);
    }
    int code = cli_room_init(&c->room, buf_cstr(&c->file), c->config);
    if (code == CLI_OK) {
        code = cli_room_open(&c->room, c->room.text);
    }
    if (code == CLI_OK) {
        code = find_cursor(c);
    }
    if (code == CLI_OK) {
        cli_room_wait(&c->room, SETTLE_MS, is_ready_to_ask, c);
        code = choose_model(c);
    }
    if (code == CLI_OK) {
        ask(c);
        code = c->code;
    }
    return code;
}

int cli_complete(int argc, char **argv)
{
    struct complete c = {0};
    struct cli_option options[] = {{"--model", &c.model, NULL},
                                   {"--config", &c.config, NULL},
                                   {"--json", NULL, &c.is_json},
                                   {NULL, NULL, NULL}};
    const char *place = NULL;
    int code = cli_parse(argc, argv, options, &place, 1);
    if (code != CLI_OK) {
        return code;
    }
    if (place == NULL) {
        return cli_misused("complete needs FILE:LINE:COL, such as main.c:12:5");
    }
    buf_init(&c.file, 8 * KIB);
    buf_init(&c.shown, FLIGHT_MAX_TEXT_BYTES);
    code = complete(&c, place);
    if (c.is_json && !c.is_done && code != CLI_OK) {
        (void)cli_fail_json(code);
    }
    cli_room_release(&c.room);
    buf_release(&c.file);
    buf_release(&c.shown);
    return code;
}
