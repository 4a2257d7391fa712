/* demo.c - `demo FILE`: ten seconds of typing replayed in the terminal, and what it cost.
 *
 * Why      Whether the thing works on this machine, with this person's code, should be seen
 *          before an editor is configured.
 * How      A region of the file is taken out of the in-memory document (the file isn't touched)
 *          and typed again: a timer presses keys at human gaps, each key is an edit and a
 *          question, as an editor sends them. An answer appears as ghost text; where it says
 *          what was meant, it is accepted after a short pause, or typed along.
 * Rules    The predictor has seen the document without the region, and what is on disk not at all.
 *          Everything ends with the deadline or the text, and gives the terminal back, also on
 *          SIGINT and SIGTERM. */
#include "lsp/demo.h"

#include <signal.h>

#include "core/base/clock.h"
#include "core/base/limits.h"
#include "core/base/utf8.h"
#include "lsp/cli.h"
#include "lsp/demo_script.h"
#include "lsp/demo_view.h"

#define WARM_UP_MS      600u /* the first look at the machine, before the first key */
#define DEFAULT_SECONDS 10u
#define MAX_SECONDS     600u
#define SEED            20u

struct demo {
    struct cli_room room;
    struct demo_figures figures;
    struct demo_view view;
    struct demo_person person;
    struct loop_timer *key;         /* owned: the next keystroke */
    struct loop_signal *signals[3]; /* owned */
    str truth;                      /* what was taken out; borrows room.text */
    size_t n_done;                  /* of it, typed or accepted */
    size_t cursor;                  /* in the document */
    struct buf ghost;               /* owned: shown at the cursor, empty for none */
    uint64_t ghost_trace;           /* of the answer it came with */
    size_t n_acceptable;            /* of the truth, when the next key is the accepting one */
    uint64_t start_us, end_us;
    struct buf status; /* owned */
    bool is_interrupted;
};

static str rest_of(const struct demo *d)
{
    return str_sub(d->truth, d->n_done, d->truth.len);
}

/* -- showing -- */

static void draw(struct demo *d)
{
    struct engine_status s = engine_status(d->room.engine);
    const struct demo_figures *f = &d->figures;
    buf_clear(&d->status);
    buf_appendf(&d->status, " " STR_FMT "  keys %llu  accepted %llu  saved %lld  asked %llu ",
                STR_ARG(s.model), (unsigned long long)f->n_keys, (unsigned long long)f->n_accepts,
                (long long)f->n_accepted - (long long)f->n_accepts, (unsigned long long)f->n_asked);
    if (f->latency.n > 0) {
        buf_appendf(&d->status, " median %.1f ms ",
                    (double)histogram_quantile(&f->latency, 0.5) / 1000);
    }
    if (s.mood == MOOD_LOADING) {
        buf_append(&d->status, STR(" the model is loading "));
    }
    const struct open_document *doc = documents_find(d->room.documents, d->room.document);
    struct demo_scene scene = {.text = doc->text,
                               .cursor = d->cursor,
                               .ghost = buf_str(&d->ghost),
                               .title = d->room.path,
                               .status = buf_str(&d->status)};
    demo_view_draw(&d->view, &scene);
}

/* -- asking -- */

static void count_answer(struct demo *d, const struct answer *a)
{
    struct demo_figures *f = &d->figures;
    if (a->text.len == 0) {
        f->n_empty++;
        (void)snprintf(f->last_why, sizeof f->last_why, STR_FMT, STR_ARG(a->why));
        return;
    }
    histogram_add(&f->latency, a->total_us);
    if (a->source == ANSWER_MODEL) {
        (void)snprintf(f->model, sizeof f->model, STR_FMT, STR_ARG(a->model));
    }
    if (a->boarded == BOARDED_CACHED) {
        f->n_cached++;
    } else if (a->boarded != BOARDED_NONE) {
        f->n_riding++;
    } else if (a->source == ANSWER_MODEL) {
        f->n_from_model++;
    } else {
        f->n_from_predictor++;
    }
}

static void show_answer(struct demo *d, const struct answer *a, uint64_t now_us)
{
    char how[200];
    bool is_new = !str_eq(a->text, buf_str(&d->ghost));
    buf_clear(&d->ghost);
    buf_append(&d->ghost, a->text);
    d->ghost_trace = a->trace;
    if (is_new && a->text.len > 0) {
        (void)snprintf(how, sizeof how, STR_FMT "%s, %.2f ms", STR_ARG(a->model),
                       a->boarded == BOARDED_NONE ? "" : ", riding", (double)a->total_us / 1000);
        demo_view_event(&d->view, "shown", a->text, str_from(how), now_us);
    }
}

static void on_done(const struct answer *a, const struct error *error, void *user)
{
    struct demo *d = user;
    uint64_t now_us = clock_now_us();
    if (error != NULL) {
        if (error->code == ERR_CANCELLED) {
            d->figures.n_superseded++;
        } else {
            d->figures.n_failed++;
            (void)snprintf(d->figures.last_why, sizeof d->figures.last_why, "%.159s", error->msg);
        }
        return;
    }
    bool was_shown = d->ghost.len > 0;
    count_answer(d, a);
    show_answer(d, a, now_us);
    /* A suggestion that only grew shorter by what was typed was decided about before. */
    size_t n = a->n_replace == 0 ? demo_acceptable(a->text, rest_of(d)) : 0;
    if (n > 0 && !(was_shown && a->boarded != BOARDED_NONE) && demo_notices(&d->person)) {
        d->n_acceptable = n;
        loop_timer_set(d->key, now_us + demo_decide_us(&d->person));
    }
    draw(d);
}

static void ask(struct demo *d)
{
    struct question q = {.kind = QUESTION_INLINE,
                         .document = d->room.document,
                         .cursor = d->cursor,
                         .selected_start = d->cursor};
    struct sink sink = {.on_done = on_done, .user = d};
    d->figures.n_asked++;
    engine_ask(d->room.engine, &q, &sink);
}

/* -- the keys -- */

/* Puts the next n bytes of the truth at the cursor. */
static bool write_text(struct demo *d, size_t n)
{
    str text = str_sub(rest_of(d), 0, n);
    if (documents_edit(d->room.documents, d->room.document, d->cursor, d->cursor, text) != ERR_OK) {
        return false;
    }
    d->n_done += n;
    d->cursor += n;
    d->n_acceptable = 0;
    d->figures.n_keys++;
    return true;
}

static void accept_ghost(struct demo *d, uint64_t now_us)
{
    str text = str_sub(rest_of(d), 0, d->n_acceptable);
    demo_view_event(&d->view, "accepted", text, (struct str){0}, now_us);
    uint64_t trace = d->ghost_trace;
    buf_clear(&d->ghost);
    if (write_text(d, text.len)) {
        d->figures.n_accepts++;
        d->figures.n_accepted += utf8_count(text);
        engine_accepted(d->room.engine, trace, text.len);
    }
}

/* The ghost text gives way to what is typed: shorter where it said so, else gone. */
static void type_over_ghost(struct demo *d, str key)
{
    if (str_starts_with(buf_str(&d->ghost), key)) {
        buf_consume(&d->ghost, key.len);
    } else {
        buf_clear(&d->ghost);
    }
}

static void type_key(struct demo *d, uint64_t now_us)
{
    str rest = rest_of(d);
    bool is_line_start = d->n_done == 0;
    str key = str_sub(rest, 0, demo_key(rest, is_line_start));
    type_over_ghost(d, key);
    demo_view_typed(&d->view, key, now_us);
    if (write_text(d, key.len)) {
        d->figures.n_typed += utf8_count(key);
    }
}

static void on_key_timeout(void *user)
{
    struct demo *d = user;
    uint64_t now_us = clock_now_us();
    if (now_us >= d->end_us || d->n_done == d->truth.len) {
        loop_stop(d->room.loop);
        return;
    }
    if (d->n_acceptable > 0) {
        accept_ghost(d, now_us);
    } else {
        type_key(d, now_us);
    }
    ask(d);
    str rest = rest_of(d);
    bool is_next_line = rest.len > 0 && (rest.ptr[0] == '\n' || rest.ptr[0] == '\r');
    uint64_t next_us = now_us + demo_gap_us(&d->person, is_next_line);
    loop_timer_set(d->key, next_us < d->end_us ? next_us : d->end_us);
    draw(d);
}

/* -- the run -- */

static void on_interrupt(void *user)
{
    struct demo *d = user;
    d->is_interrupted = true;
    loop_stop(d->room.loop);
}

static void on_resize(void *user)
{
    struct demo *d = user;
    demo_view_resized(&d->view);
    draw(d);
}

static bool is_warm(struct cli_room *room, void *user)
{
    const struct demo *d = user;
    return d->is_interrupted ||
           (cli_room_is_settled(room, NULL) && !predictor_is_learning(room->predictor));
}

/* Opens the file without the region. */
static int open_without(struct demo *d, const struct demo_region *region)
{
    struct buf text = {0};
    buf_init(&text, DOCUMENT_MAX_BYTES);
    buf_append(&text, str_sub(d->room.text, 0, region->start));
    buf_append(&text, str_sub(d->room.text, region->end, d->room.text.len));
    d->truth = str_sub(d->room.text, region->start, region->end);
    d->cursor = region->start;
    int code = cli_room_open(&d->room, buf_str(&text));
    buf_release(&text);
    return code;
}

/* The answers to the last questions are over with the run. */
static void count_upstream(struct demo *d)
{
    struct upstream_stats u = upstream_stats(d->room.upstream);
    struct predictor_stats p = predictor_stats(d->room.predictor);
    d->figures.n_upstream = u.n_exchanges > p.n_asked ? u.n_exchanges - p.n_asked : 0;
}

static void run(struct demo *d, uint64_t seconds, enum demo_view_kind kind)
{
    static const int signums[] = {SIGINT, SIGTERM, SIGWINCH};
    for (size_t i = 0; i < 3; i++) {
        d->signals[i] = loop_signal_create(d->room.loop, signums[i],
                                           signums[i] == SIGWINCH ? on_resize : on_interrupt, d);
    }
    demo_view_init(&d->view, kind, clock_now_us());
    draw(d);
    cli_room_wait(&d->room, WARM_UP_MS, is_warm, d);
    d->start_us = clock_now_us();
    d->end_us = d->start_us + SEC_TO_US(seconds);
    d->key = loop_timer_create(d->room.loop, on_key_timeout, d);
    loop_timer_set(d->key, d->start_us);
    if (!d->is_interrupted) {
        loop_run(d->room.loop);
    }
    d->figures.run_us = clock_now_us() - d->start_us;
    count_upstream(d);
    buf_clear(&d->ghost);
    draw(d);
    demo_view_release(&d->view);
    loop_timer_destroy(d->key);
    for (size_t i = 0; i < 3; i++) {
        loop_signal_destroy(d->signals[i]);
    }
}

static int demo(struct demo *d, const char *file, const char *config, uint64_t seconds,
                bool is_json)
{
    int code = cli_room_init(&d->room, file, config);
    if (code != CLI_OK) {
        return code;
    }
    struct demo_region region;
    if (!demo_region_find(d->room.text, &region)) {
        return cli_fail("%s: too short for typing in it", file);
    }
    code = open_without(d, &region);
    if (code != CLI_OK) {
        return code;
    }
    run(d, seconds,
        is_json              ? DEMO_VIEW_SILENT
        : terminal_is_rich() ? DEMO_VIEW_WINDOW
                             : DEMO_VIEW_LINES);
    struct buf out = {0};
    buf_init(&out, MIB);
    if (is_json) {
        demo_report_json(&d->figures, &d->room, &out);
    } else {
        demo_report(&d->figures, &d->room, &out);
    }
    terminal_write(buf_str(&out));
    buf_release(&out);
    return d->is_interrupted ? CLI_FAILED : CLI_OK;
}

int cli_demo(int argc, char **argv)
{
    const char *seconds_text = NULL;
    const char *config = NULL;
    const char *file = NULL;
    bool is_json = false;
    struct cli_option options[] = {{"--seconds", &seconds_text, NULL},
                                   {"--config", &config, NULL},
                                   {"--json", NULL, &is_json},
                                   {NULL, NULL, NULL}};
    int code = cli_parse(argc, argv, options, &file, 1);
    if (code != CLI_OK) {
        return code;
    }
    uint64_t seconds = DEFAULT_SECONDS;
    if (file == NULL) {
        return cli_misused("demo needs a FILE of source code");
    }
    if (seconds_text != NULL &&
        (!str_to_u64(str_from(seconds_text), MAX_SECONDS, &seconds) || seconds == 0)) {
        return cli_misused("--seconds takes a whole number from 1 to %u", MAX_SECONDS);
    }
    struct demo d = {.person = demo_person(SEED)};
    buf_init(&d.ghost, FLIGHT_MAX_TEXT_BYTES);
    buf_init(&d.status, 4 * KIB);
    code = demo(&d, file, config, seconds, is_json);
    cli_room_release(&d.room);
    buf_release(&d.ghost);
    buf_release(&d.status);
    return code;
}
