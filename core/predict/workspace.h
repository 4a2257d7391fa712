/* workspace.h - reading the files of a folder to learn from. Runs on a thread; touches nothing
 * but what it is handed. */
#ifndef CRUCIBLE_PREDICT_WORKSPACE_H
#define CRUCIBLE_PREDICT_WORKSPACE_H

#include "core/predict/ngram.h"

struct workspace_scan {
    str root;         /* absolute path, borrowed */
    size_t max_bytes; /* of the finished index */
    size_t max_file_bytes;
    unsigned max_files;
    unsigned max_scan_ms;
    bool (*is_excluded)(str path, void *user); /* may be NULL */
    void *user;
    const uint64_t *open_paths; /* hashes of the paths of open documents, ascending; borrowed */
    size_t n_open_paths;
    const atomic_bool *is_cancelled; /* looked at often */
};
/* Fills and indexes *out, which is caller's memory to release. False if cancelled. */
bool workspace_learn(const struct workspace_scan *scan, struct ngrams *out);
/* Whether the text is something that a person wrote as text: no NUL near the beginning, lines of
 * bearable length. */
bool workspace_is_text(str text);

#endif
