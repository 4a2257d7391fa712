/* predict.h - the built-in predictor: what this person's own code suggests comes next.
 *
 * It learns from the workspace (a bounded scan on a thread), from open documents (re-learned on a
 * thread while the person pauses) and, at the moment of asking, from the text around the cursor.
 * It answers in well under a millisecond, with nothing when it isn't sure.
 * All functions belong to the loop's thread. */
#ifndef CRUCIBLE_PREDICT_PREDICT_H
#define CRUCIBLE_PREDICT_PREDICT_H

#include "core/base/arena.h"
#include "core/loop/loop.h"

struct predictor;

struct predictor_options {
    size_t max_bytes;      /* memory of everything learned */
    size_t max_file_bytes; /* larger files are not learned from */
    unsigned max_files;    /* of the workspace */
    unsigned max_scan_ms;  /* for one scan of the workspace */
    /* Whether a workspace file (absolute path) must not be read: excluded by privacy. Called on
     * the scanning thread; must be thread-safe. May be NULL. */
    bool (*is_excluded)(str path, void *user);
    void *user;
};
#define PREDICTOR_OPTIONS_INIT                                                                     \
    ((struct predictor_options){.max_bytes = 24u << 20,                                            \
                                .max_file_bytes = 1u << 20,                                        \
                                .max_files = 2000,                                                 \
                                .max_scan_ms = 3000})

struct predictor *predictor_create(struct loop *loop, const struct predictor_options *options);
/* Waits for running jobs to notice, then frees. */
void predictor_destroy(struct predictor *p);

/* Scans `root` (absolute path; .gitignore, hidden and binary files respected) in the background,
 * newest files first where the bounds don't allow all. Replaces what was learned of that root.
 * A scan never reads files that are open as documents (their buffers are learned instead). */
void predictor_learn_workspace(struct predictor *p, str root);
/* Forgets at once what was learned of all roots, which may be scanned again. */
void predictor_forget_workspaces(struct predictor *p);
/* Learns (again) from the text of an open document; `path` may be empty. Copies both. Cheap on
 * the loop's thread but for the copy: call it in pauses, not on each edit. */
void predictor_learn_document(struct predictor *p, uint64_t document, str path, str text);
void predictor_forget_document(struct predictor *p, uint64_t document);
/* Whether anything is still being learned. */
bool predictor_is_learning(const struct predictor *p);

struct prediction_place {
    uint64_t document;  /* its own learned text counts more; 0 for none */
    str before;         /* text before the cursor, the more the better up to 8 KiB */
    str after;          /* text after the cursor, at least the rest of the line */
    unsigned max_lines; /* 1: the rest of the line only */
};
struct prediction {
    str text;          /* empty: not sure of anything; "\n" line ends; lives in the arena */
    double confidence; /* 0..1: estimated probability that the first line is what comes */
};
/* Never fails; takes well under a millisecond. */
struct prediction predictor_suggest(struct predictor *p, const struct prediction_place *place,
                                    struct arena *arena);

struct predictor_stats {
    size_t n_files, n_tokens, n_bytes; /* learned from the workspace; memory in use */
    uint64_t n_asked, n_answered;
};
struct predictor_stats predictor_stats(const struct predictor *p);

#endif
