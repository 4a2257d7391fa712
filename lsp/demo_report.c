/* demo_report.c - what the demo comes to: a table, or JSON, and what to do next.
 *
 * Why      Ghost text that looks good may still have cost more than it saved; the figures say.
 * How      All figures were counted while it ran; here they are only written down.
 * Rules    A figure nobody measured isn't printed. */
#include "core/base/json_write.h"
#include "lsp/cli_advice.h"
#include "lsp/demo.h"

/* Characters that didn't have to be typed: accepting costs a key as well. */
static int64_t saved(const struct demo_figures *f)
{
    return (int64_t)f->n_accepted - (int64_t)f->n_accepts;
}

static void row(struct buf *out, const char *label, uint64_t n, const char *remark)
{
    buf_appendf(out, "  %-34s %8llu  %s\n", label, (unsigned long long)n, remark);
}

static bool is_predictor_alone(const struct settings *s)
{
    return s->n_models_inline == 1 && str_eq(s->models_inline[0], STR("embedded"));
}

static void append_engine(struct buf *out, const struct demo_figures *f,
                          const struct cli_room *room)
{
    const struct endpoint *e = cli_room_endpoint(room, ENDPOINT_READY);
    if (f->model[0] != '\0') {
        buf_appendf(out, "  engine: %s\n", f->model);
        return;
    }
    if (is_predictor_alone(room->settings)) {
        buf_append(out, STR("  engine: built-in predictor, as configured\n"));
        return;
    }
    if (e != NULL) {
        buf_appendf(out,
                    "  engine: built-in predictor; " STR_FMT " at " STR_FMT
                    " gave no text for these places\n",
                    STR_ARG(e->name), STR_ARG(e->origin));
        if (f->last_why[0] != '\0') {
            buf_appendf(out, "  the last one: %s\n", f->last_why);
        }
        return;
    }
    e = cli_room_endpoint(room, ENDPOINT_LOADING);
    if (e != NULL) {
        buf_appendf(out,
                    "  engine: built-in predictor, while " STR_FMT " at " STR_FMT
                    " was loading its model\n",
                    STR_ARG(e->name), STR_ARG(e->origin));
        return;
    }
    buf_append(out, STR("  engine: built-in predictor (no model server answers)\n\n"));
    cli_advise(out);
}

void demo_report(const struct demo_figures *f, const struct cli_room *room, struct buf *out)
{
    buf_appendf(out, "\n%.1f s of typing in " STR_FMT "\n\n", (double)f->run_us / 1e6,
                STR_ARG(room->path));
    row(out, "keystrokes", f->n_keys, "");
    row(out, "  of them accepting", f->n_accepts, "");
    unsigned long long n_written = f->n_accepted + f->n_typed;
    buf_appendf(out, "  %-34s %8lld  of %llu written\n", "characters saved", (long long)saved(f),
                n_written);
    row(out, "requests asked", f->n_asked, "");
    row(out, "  answered by a model call", f->n_from_model, "");
    row(out, "  answered by the predictor", f->n_from_predictor, "");
    row(out, "  riding a suggestion that was there", f->n_riding, "");
    row(out, "  from the cache", f->n_cached, "");
    row(out, "  nothing to say", f->n_empty, "");
    row(out, "  overtaken by the next key", f->n_superseded, "");
    if (f->n_failed > 0) {
        row(out, "  failed", f->n_failed, f->last_why);
    }
    row(out, "requests to a model server", f->n_upstream, "");
    if (f->latency.n > 0) {
        buf_appendf(out, "  %-34s %8.2f  ms, p95 %.2f ms\n", "suggestion after the key, median",
                    (double)histogram_quantile(&f->latency, 0.5) / 1000,
                    (double)histogram_quantile(&f->latency, 0.95) / 1000);
    }
    append_engine(out, f, room);
    demo_editors(out);
}

void demo_report_json(const struct demo_figures *f, const struct cli_room *room, struct buf *out)
{
    const struct {
        const char *key;
        uint64_t n;
    } counts[] = {
        {"keystrokes", f->n_keys},
        {"accepts", f->n_accepts},
        {"acceptedCharacters", f->n_accepted},
        {"typedCharacters", f->n_typed},
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
    json_key_int(&w, STR("savedCharacters"), saved(f));
    json_key(&w, STR("latencyMs"));
    json_begin_object(&w);
    json_key_double(&w, STR("p50"), (double)histogram_quantile(&f->latency, 0.5) / 1000);
    json_key_double(&w, STR("p95"), (double)histogram_quantile(&f->latency, 0.95) / 1000);
    json_end_object(&w);
    json_key_str(&w, STR("engine"), f->model[0] != '\0' ? str_from(f->model) : STR("embedded"));
    json_end_object(&w);
    buf_append_char(out, '\n');
}
