/* demo.c - `demo FILE`: ten seconds of typing replayed in the terminal, and what it cost.
 *
 * Why      Whether the thing works on this machine, with this person's code, should be seen
 *          before an editor is configured.
 * How      A region of the file is taken out of the in-memory document (the file isn't touched)
 *          and typed again: a timer presses keys at human gaps, each key is an edit and a
 *          question, as an editor sends them. An answer appears as ghost text. It is typed along
 *          until the person has seen it, which takes a while; then what it says rightly is
 *          accepted, as much at once as an editor has a key for. A long one stops the typing.
 * Rules    The predictor has seen the document without the region, and what is on disk not at all.
 *          Everything ends with the deadline or the text, and gives the terminal back, also on
 *          SIGINT and SIGTERM. */
#include "lsp/demo.h"

#include <signal.h>

#include "core/base/clock.h"
#include "core/base/limits.h"
#include "core/base/utf8.h"
#include "lsp/cli.h"
#include "lsp/demo_region.h"
#include "lsp/demo_script.h"
#include "lsp/demo_view.h"

#define WARM_UP_MS       2000u /* at most: the first look at the machine and the workspace */
#define DEFAULT_SECONDS  10u
#define MAX_SECONDS      600u
#define BYTES_PER_SECOND 45u           /* more than can be written */
#define NEXT_WORD_US     MS_TO_US(150) /* between two accepting keys */
#define NEWS_US          MS_TO_US(700) /* how long it says what was accepted */
#define SEED             20u

struct demo {
    struct cli_room room;
    struct demo_figures figures;
    struct demo_view view;
    struct demo_person person;
    const char *file;               /* as the person calls it */
    struct loop_timer *key;         /* owned: the next keystroke */
    struct loop_signal *signals[3]; /* owned */
    str truth;                      /* what was taken out; borrows room.text */
    size_t n_done;                  /* of it, typed or accepted */
    size_t cursor;                  /* in the document */
    struct buf ghost;               /* owned: shown at the cursor, empty for none */
    uint64_t ghost_trace;           /* of the answer it came with */
    bool is_noticed;                /* the person looks at it ... */
    uint64_t decided_us;            /* ... and has made up their mind by then */
    uint64_t natural_us;            /* when the next key comes without any ghost text */
    uint64_t pressed_us;            /* the last key */
    uint64_t start_us, end_us;
    uint64_t news_until_us;
    struct buf last;    /* owned: the line about the last answer */
    struct buf figured; /* owned: the line of figures */
    struct buf title;   /* owned */
    bool is_interrupted;
};

static str rest_of(const struct demo *d)
{
    return str_sub(d->truth, d->n_done, d->truth.len);
}

/* -- showing -- */

static void draw(struct demo *d)
{
    const struct demo_figures *f = &d->figures;
    buf_clear(&d->figured);
    buf_appendf(&d->figured, " saved %lld %%: %llu keys for %llu characters, %llu accepted; ",
                (long long)demo_saved_percent(f), (unsigned long long)f->n_keys,
                (unsigned long long)demo_written(f), (unsigned long long)f->n_accepts);
    buf_appendf(&d->figured, "%llu asked", (unsigned long long)f->n_asked);
    if (f->latency.n > 0) {
        buf_appendf(&d->figured, ", median %.1f ms",
                    (double)histogram_quantile(&f->latency, 0.5) / 1000);
    }
    buf_append(&d->figured, STR(" "));
    const struct open_document *doc = documents_find(d->room.documents, d->room.document);
    struct demo_scene scene = {.text = doc->text,
                               .cursor = d->cursor,
                               .ghost = buf_str(&d->ghost),
                               .title = buf_str(&d->title),
                               .last = buf_str(&d->last),
                               .figures = buf_str(&d->figured)};
    demo_view_draw(&d->view, &scene);
}

/* The line about the last answer; news of what was accepted stay for a while. */
static bool begin_last(struct demo *d, uint64_t now_us)
{
    if (now_us < d->news_until_us) {
        return false;
    }
    buf_clear(&d->last);
    buf_append_char(&d->last, ' ');
    return true;
}

/* Why an answer is what it is, for somebody who sees this for the first time. */
static void append_why(struct demo *d, const struct answer *a)
{
    switch (a->boarded) {
    case BOARDED_FLYING:
    case BOARDED_LANDED:
        buf_append(&d->last, STR("you type what it said, nothing was asked anew"));
        return;
    case BOARDED_CACHED:
    case BOARDED_SIMILAR:
        buf_append(&d->last, STR("from the cache"));
        return;
    case BOARDED_NONE:
        break;
    }
    if (a->source == ANSWER_MODEL) {
        buf_append(&d->last, STR("a call to the model"));
    } else {
        buf_append(&d->last, a->why);
    }
}

static void tell_answer(struct demo *d, const struct answer *a, uint64_t now_us)
{
    if (!begin_last(d, now_us)) {
        return;
    }
    if (a->text.len > 0) {
        buf_appendf(&d->last, "ghost text by " STR_FMT " in %.1f ms: ", STR_ARG(a->model),
                    (double)a->total_us / 1000);
        append_why(d, a);
    } else if (cli_room_endpoint(&d->room, ENDPOINT_READY) == NULL) {
        buf_append(&d->last,
                   STR("nothing to suggest: the predictor isn't sure, no model is there"));
    } else {
        buf_appendf(&d->last, "nothing to suggest: " STR_FMT, STR_ARG(a->why));
    }
}

static void tell_error(struct demo *d, const struct error *error, uint64_t now_us)
{
    if (!begin_last(d, now_us)) {
        return;
    }
    if (error->code == ERR_CANCELLED) {
        struct engine_status s = engine_status(d->room.engine);
        buf_appendf(&d->last, "asking " STR_FMT "%s", STR_ARG(s.model),
                    s.mood == MOOD_LOADING ? ", which is loading" : "");
    } else {
        buf_appendf(&d->last, "failed: %s", error->msg);
    }
}

static void tell_accepted(struct demo *d, const struct demo_choice *choice, uint64_t now_us)
{
    static const char *const parts[] = {"nothing", "all of it", "a line of it", "a word of it"};
    char how[64];
    (void)snprintf(how, sizeof how, "%s, %zu characters with one key", parts[choice->part],
                   demo_keys(str_sub(rest_of(d), 0, choice->n_bytes), d->n_done == 0));
    buf_clear(&d->last);
    buf_appendf(&d->last, " accepted %s", how);
    d->news_until_us = now_us + NEWS_US;
    demo_view_event(&d->view, "accepted", str_sub(rest_of(d), 0, choice->n_bytes), str_from(how),
                    now_us);
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
        histogram_add(&f->calls, a->total_us);
    } else {
        f->n_from_predictor++;
    }
}

/* A suggestion that only went on, or grew shorter by what was typed, was looked at before. */
static void show_answer(struct demo *d, const struct answer *a, uint64_t now_us)
{
    char how[200];
    bool is_known = d->ghost.len > 0 && str_starts_with(a->text, buf_str(&d->ghost));
    buf_clear(&d->ghost);
    if (a->n_replace == 0) {
        buf_append(&d->ghost, a->text);
    }
    d->ghost_trace = a->trace;
    if (is_known || d->ghost.len == 0) {
        return;
    }
    d->figures.n_suggestions++;
    d->is_noticed = demo_notices(&d->person);
    d->decided_us = now_us + demo_decide_us(&d->person);
    (void)snprintf(how, sizeof how, STR_FMT "%s, %.1f ms", STR_ARG(a->model),
                   a->boarded == BOARDED_NONE ? "" : ", riding", (double)a->total_us / 1000);
    demo_view_event(&d->view, "shown", a->text, str_from(how), now_us);
}

/* Sets the next key: at its own time, or when the suggestion that is shown is decided for. */
static void plan(struct demo *d)
{
    uint64_t at_us = d->natural_us;
    struct demo_choice choice = demo_choose(buf_str(&d->ghost), rest_of(d));
    if (d->is_noticed && choice.part != DEMO_NOTHING) {
        uint64_t earliest_us = d->pressed_us + NEXT_WORD_US;
        uint64_t accept_us = d->decided_us > earliest_us ? d->decided_us : earliest_us;
        bool is_caught = choice.n_visible >= DEMO_CATCH_MIN;
        at_us = is_caught || accept_us < at_us ? accept_us : at_us;
    }
    loop_timer_set(d->key, at_us < d->end_us ? at_us : d->end_us);
}

static void on_done(const struct answer *a, const struct error *error, void *user)
{
    struct demo *d = user;
    uint64_t now_us = clock_now_us();
    if (error == NULL) {
        count_answer(d, a);
        show_answer(d, a, now_us);
        tell_answer(d, a, now_us);
        plan(d);
        draw(d);
        return;
    }
    if (error->code == ERR_CANCELLED) {
        d->figures.n_superseded++;
    } else {
        d->figures.n_failed++;
        (void)snprintf(d->figures.last_why, sizeof d->figures.last_why, "%.159s", error->msg);
    }
    tell_error(d, error, now_us);
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

/* Puts the next n bytes of the truth at the cursor; gives the keys that typing them takes, 0
 * where they have no room. */
static size_t write_text(struct demo *d, size_t n, uint64_t now_us)
{
    str text = str_sub(rest_of(d), 0, n);
    size_t n_keys = demo_keys(text, d->n_done == 0);
    if (documents_edit(d->room.documents, d->room.document, d->cursor, d->cursor, text) != ERR_OK) {
        return 0;
    }
    d->n_done += n;
    d->cursor += n;
    d->pressed_us = now_us;
    d->figures.n_keys++;
    return n_keys;
}

/* The ghost text gives way to what is written: shorter where it said so, else gone. */
static void write_over_ghost(struct demo *d, str text, size_t n_ghost)
{
    if (d->ghost.len == 0) {
        return;
    }
    if (n_ghost > 0 || str_starts_with(buf_str(&d->ghost), text)) {
        buf_consume(&d->ghost, n_ghost > 0 ? n_ghost : text.len);
        return;
    }
    d->figures.n_wrong++;
    buf_clear(&d->ghost);
}

static void accept_ghost(struct demo *d, const struct demo_choice *choice, uint64_t now_us)
{
    str text = str_sub(rest_of(d), 0, choice->n_bytes);
    tell_accepted(d, choice, now_us);
    size_t n_ghost = choice->part == DEMO_WHOLE ? d->ghost.len : text.len;
    write_over_ghost(d, text, n_ghost);
    uint64_t trace = d->ghost_trace;
    size_t n_keys = write_text(d, text.len, now_us);
    if (n_keys > 0) {
        d->figures.n_accepts++;
        d->figures.n_accepted += n_keys;
        demo_view_accepted(&d->view, d->cursor - text.len, d->cursor);
        engine_accepted(d->room.engine, trace, text.len);
    }
}

static void type_key(struct demo *d, uint64_t now_us)
{
    str rest = rest_of(d);
    str key = str_sub(rest, 0, demo_key(rest, d->n_done == 0));
    write_over_ghost(d, key, 0);
    demo_view_typed(&d->view, key, now_us);
    d->figures.n_typed += write_text(d, key.len, now_us);
}

static void on_key_timeout(void *user)
{
    struct demo *d = user;
    uint64_t now_us = clock_now_us();
    if (now_us >= d->end_us || d->n_done == d->truth.len) {
        loop_stop(d->room.loop);
        return;
    }
    struct demo_choice choice = demo_choose(buf_str(&d->ghost), rest_of(d));
    if (choice.part != DEMO_NOTHING && d->is_noticed && now_us >= d->decided_us) {
        accept_ghost(d, &choice, now_us);
    } else {
        type_key(d, now_us);
    }
    ask(d);
    str before = str_sub(d->truth, 0, d->n_done);
    d->natural_us = now_us + demo_gap_us(&d->person, before, rest_of(d));
    plan(d);
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

static size_t count_lines(str text)
{
    size_t n = 0;
    for (size_t i = 0; i < text.len; i++) {
        n += text.ptr[i] == '\n' ? 1 : 0;
    }
    return n;
}

/* Opens the file without the region. */
static int open_without(struct demo *d, const struct demo_region *region)
{
    d->figures.first_line = 1 + count_lines(str_sub(d->room.text, 0, region->start));
    d->figures.last_line =
        d->figures.first_line + count_lines(str_sub(d->room.text, region->start, region->end));
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
    buf_appendf(&d->title, " %s:%zu  %llu s of typing; what was accepted is green", d->file,
                d->figures.first_line, (unsigned long long)seconds);
    buf_append(&d->last, STR(" learning the workspace, looking for model servers"));
    draw(d);
    cli_room_wait(&d->room, WARM_UP_MS, is_warm, d);
    d->start_us = clock_now_us();
    d->view.start_us = d->start_us;
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

static int prepare(struct demo *d, const char *file, const char *config, uint64_t seconds)
{
    d->file = file;
    int code = cli_room_init(&d->room, file, config);
    if (code != CLI_OK) {
        return code;
    }
    struct demo_region region;
    if (!demo_region_find(d->room.text, seconds * BYTES_PER_SECOND, &region)) {
        return cli_fail("%s: too short to be typed in; name a file of source code", file);
    }
    return open_without(d, &region);
}

/* What it came to; after Ctrl-C nobody wants to read on. */
static void report(const struct demo *d, bool is_json)
{
    struct buf out = {0};
    buf_init(&out, MIB);
    if (is_json) {
        demo_report_json(&d->figures, &d->room, &out);
    } else {
        demo_report(&d->figures, &d->room, d->file, &out);
        if (!d->is_interrupted) {
            demo_report_engine(&d->figures, &d->room, &out);
            demo_editors(&out);
        }
    }
    terminal_write(buf_str(&out));
    buf_release(&out);
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
    buf_init(&d.title, 8 * KIB);
    buf_init(&d.last, 4 * KIB);
    buf_init(&d.figured, 4 * KIB);
    code = prepare(&d, file, config, seconds);
    if (code == CLI_OK) {
        run(&d, seconds,
            is_json              ? DEMO_VIEW_SILENT
            : terminal_is_rich() ? DEMO_VIEW_WINDOW
                                 : DEMO_VIEW_LINES);
        report(&d, is_json);
        code = d.is_interrupted ? CLI_INTERRUPTED : CLI_OK;
    } else if (is_json) {
        (void)cli_fail_json(code);
    }
    cli_room_release(&d.room);
    buf_release(&d.ghost);
    buf_release(&d.title);
    buf_release(&d.last);
    buf_release(&d.figured);
    return code;
}
