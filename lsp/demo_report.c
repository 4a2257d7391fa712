/* demo_report.c - what the demo comes to: a table, or JSON, and what to do next.
 *
 * Why      Ghost text that looks good may still have cost more than it saved; the figures say.
 * How      All figures were counted while it ran; here they are only written down.
 * Rules    A figure nobody measured isn't printed. */
#include "core/base/clock.h"
#include "core/base/json_write.h"
#include "lsp/cli_advice.h"
#include "lsp/demo.h"

#define SLOW_US MS_TO_US(700) /* the next key is here before that, mostly */

uint64_t demo_written(const struct demo_figures *f)
{
    return f->n_accepted + f->n_typed;
}

int64_t demo_saved(const struct demo_figures *f)
{
    return (int64_t)demo_written(f) - (int64_t)f->n_keys;
}

int64_t demo_saved_percent(const struct demo_figures *f)
{
    int64_t n_written = (int64_t)demo_written(f);
    return n_written > 0 ? (demo_saved(f) * 100 + n_written / 2) / n_written : 0;
}

__attribute__((format(printf, 3, 4))) static void row(struct buf *out, const char *label,
                                                      const char *fmt, ...)
{
    char text[256];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    buf_appendf(out, "  %-12s %s\n", label, text);
}

static bool is_predictor_alone(const struct settings *s)
{
    return s->n_models_inline == 1 && str_eq(s->models_inline[0], STR("embedded"));
}

void demo_report_engine(const struct demo_figures *f, const struct cli_room *room, struct buf *out)
{
    const struct endpoint *e = cli_room_endpoint(room, ENDPOINT_READY);
    if (f->model[0] != '\0') {
        bool is_slow = f->calls.n > 0 && histogram_quantile(&f->calls, 0.5) > SLOW_US;
        buf_appendf(out, "engine: %s%s\n", f->model,
                    is_slow ? "; it is slow here, a smaller one would show more\n" : "");
        if (is_slow) {
            cli_advise(out);
        }
        return;
    }
    if (is_predictor_alone(room->settings)) {
        buf_append(out, STR("engine: built-in predictor, as configured\n"));
        return;
    }
    if (e != NULL) {
        buf_appendf(out,
                    "engine: built-in predictor; " STR_FMT " at " STR_FMT
                    " gave no text for these places\n",
                    STR_ARG(e->name), STR_ARG(e->origin));
        if (f->last_why[0] != '\0') {
            buf_appendf(out, "the last one: %s\n", f->last_why);
        }
        return;
    }
    e = cli_room_endpoint(room, ENDPOINT_LOADING);
    if (e != NULL) {
        buf_appendf(out,
                    "engine: built-in predictor, while " STR_FMT " at " STR_FMT
                    " was loading its model\n",
                    STR_ARG(e->name), STR_ARG(e->origin));
        return;
    }
    buf_append(out, STR("engine: built-in predictor (no model server answers)\n\n"));
    cli_advise(out);
}

static void append_answers(struct buf *out, const struct demo_figures *f)
{
    const struct {
        uint64_t n;
        const char *what;
    } parts[] = {{f->n_from_model, "by a model call"},
                 {f->n_from_predictor, "by the predictor"},
                 {f->n_riding, "riding along with a suggestion"},
                 {f->n_cached, "from the cache"},
                 {f->n_empty, "with nothing to say"},
                 {f->n_superseded, "overtaken by the next key"},
                 {f->n_failed, "failed"}};
    row(out, "requests", "%6llu  to the engine, %llu calls to a model server",
        (unsigned long long)f->n_asked, (unsigned long long)f->n_upstream);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (parts[i].n > 0) {
            row(out, "", "%6llu  %s", (unsigned long long)parts[i].n, parts[i].what);
        }
    }
}

void demo_report(const struct demo_figures *f, const struct cli_room *room, const char *file,
                 struct buf *out)
{
    (void)room;
    buf_appendf(out, "\n%.1f s of typing in %s, lines %zu to %zu\n", (double)f->run_us / 1e6, file,
                f->first_line, f->last_line);
    row(out, "written", "%6llu  characters with %llu keys: %lld saved, %lld %%",
        (unsigned long long)demo_written(f), (unsigned long long)f->n_keys,
        (long long)demo_saved(f), (long long)demo_saved_percent(f));
    row(out, "accepted", "%6llu  times, %llu characters", (unsigned long long)f->n_accepts,
        (unsigned long long)f->n_accepted);
    row(out, "suggestions", "%6llu  shown, %llu of them wrong",
        (unsigned long long)f->n_suggestions, (unsigned long long)f->n_wrong);
    append_answers(out, f);
    if (f->latency.n > 0) {
        row(out, "latency", "%6.1f  ms from key to suggestion, median; p95 %.1f ms",
            (double)histogram_quantile(&f->latency, 0.5) / 1000,
            (double)histogram_quantile(&f->latency, 0.95) / 1000);
    }
    if (f->calls.n > 0) {
        row(out, "", "%6.1f  ms where a model was called, median; p95 %.1f ms",
            (double)histogram_quantile(&f->calls, 0.5) / 1000,
            (double)histogram_quantile(&f->calls, 0.95) / 1000);
    }
}

void demo_report_json(const struct demo_figures *f, const struct cli_room *room, struct buf *out)
{
    const struct {
        const char *key;
        uint64_t n;
    } counts[] = {
        {"firstLine", f->first_line},
        {"lastLine", f->last_line},
        {"keystrokes", f->n_keys},
        {"accepts", f->n_accepts},
        {"acceptedCharacters", f->n_accepted},
        {"typedCharacters", f->n_typed},
        {"suggestions", f->n_suggestions},
        {"wrong", f->n_wrong},
        {"asked", f->n_asked},
        {"fromModel", f->n_from_model},
        {"fromPredictor", f->n_from_predictor},
        {"riding", f->n_riding},
        {"cached", f->n_cached},
        {"empty", f->n_empty},
        {"superseded", f->n_superseded},
        {"failed", f->n_failed},
        {"upstream", f->n_upstream},
    };
    struct json_writer w = json_writer(out);
    json_begin_object(&w);
    json_key_str(&w, STR("file"), room->path);
    json_key_double(&w, STR("seconds"), (double)f->run_us / 1e6);
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        json_key_int(&w, str_from(counts[i].key), (int64_t)counts[i].n);
    }
    json_key_int(&w, STR("savedCharacters"), demo_saved(f));
    json_key_int(&w, STR("savedPercent"), demo_saved_percent(f));
    json_key(&w, STR("latencyMs"));
    json_begin_object(&w);
    json_key_double(&w, STR("p50"), (double)histogram_quantile(&f->latency, 0.5) / 1000);
    json_key_double(&w, STR("p95"), (double)histogram_quantile(&f->latency, 0.95) / 1000);
    json_end_object(&w);
    json_key_str(&w, STR("engine"), f->model[0] != '\0' ? str_from(f->model) : STR("embedded"));
    json_end_object(&w);
    buf_append_char(out, '\n');
}
