/* demo.h - what a run of the demo comes to, for the parts that show it. */
#ifndef CRUCIBLE_LSP_DEMO_H
#define CRUCIBLE_LSP_DEMO_H

#include "core/base/metrics.h"
#include "lsp/cli_room.h"

/* Characters are counted as the keys that type them: the indentation that an editor puts after a
 * line end comes with that. */
struct demo_figures {
    uint64_t run_us;
    size_t first_line, last_line; /* from 1; where it was typed */
    uint64_t n_keys;              /* pressed, accepting included */
    uint64_t n_accepts;           /* of them */
    uint64_t n_accepted;          /* characters that came by accepting */
    uint64_t n_typed;             /* characters that came by typing */
    uint64_t n_suggestions;       /* different ones that were shown */
    uint64_t n_wrong;             /* of them, given up since something else was typed */
    uint64_t n_asked;             /* questions to the engine */
    uint64_t n_from_model;        /* answers by a generation of their own */
    uint64_t n_from_predictor;
    uint64_t n_riding; /* answers out of a suggestion that was there or on its way */
    uint64_t n_cached;
    uint64_t n_empty;
    uint64_t n_superseded; /* the next key came first */
    uint64_t n_failed;
    uint64_t n_upstream;      /* calls to model servers */
    struct histogram latency; /* of answers with text */
    struct histogram calls;   /* of those of them that came by a model call of their own */
    char model[128];          /* the last model that answered, "" for none */
    char last_why[160];       /* of the last question without an answer */
};
uint64_t demo_written(const struct demo_figures *f); /* characters, however they came */
/* Keys that weren't pressed, and how many percent of all they are. */
int64_t demo_saved(const struct demo_figures *f);
int64_t demo_saved_percent(const struct demo_figures *f);

/* The table at the end, or one JSON object. `file` as the person calls it. */
void demo_report(const struct demo_figures *f, const struct cli_room *room, const char *file,
                 struct buf *out);
void demo_report_json(const struct demo_figures *f, const struct cli_room *room, struct buf *out);

/* Who answered, and how to get a model where none did. */
void demo_report_engine(const struct demo_figures *f, const struct cli_room *room, struct buf *out);

/* The configuration of each editor that is installed, with our own path where the program isn't
 * in PATH. */
void demo_editors(struct buf *out);

#endif
