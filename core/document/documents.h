/* documents.h - the open documents, by id, and who is told of their edits.
 *
 * Ids are never used twice. Only the loop's thread touches a document; threads get copies. */
#ifndef CRUCIBLE_DOCUMENT_DOCUMENTS_H
#define CRUCIBLE_DOCUMENT_DOCUMENTS_H

#include "core/document/document.h"

#define EDIT_KEPT_BYTES 1024u

/* What one edit did: [start, start + n_removed) became n_inserted bytes. Where both texts begin or
 * end alike, what is alike is no part of it: an editor that sends the whole text for each key has
 * typed one letter. */
struct edit {
    size_t start;
    size_t n_removed;
    size_t n_inserted;
    str removed; /* what went, where that was at most EDIT_KEPT_BYTES; else empty. Borrowed */
};

struct open_document {
    uint64_t id;  /* never 0 */
    str path;     /* absolute, as a file name; empty for what is no file */
    str language; /* the editor's language id, may be empty */
    struct document *text;
    bool is_excluded; /* by privacy.exclude: no model ever sees it */
};

/* Called after each edit / before a document is forgotten (edit NULL). */
typedef void documents_fn(const struct open_document *doc, const struct edit *edit, void *user);

struct documents;
struct documents *documents_create(void);
void documents_destroy(struct documents *ds);
/* One observer: the engine. */
void documents_observe(struct documents *ds, documents_fn *fn, void *user);
/* Copies path, language and text. ERR_TOO_LARGE past DOCUMENT_MAX_BYTES or DOCUMENTS_MAX. */
NODISCARD enum err documents_open(struct documents *ds, str path, str language, str text,
                                  uint64_t *out_id);
void documents_close(struct documents *ds, uint64_t id);
/* Borrowed until the document closes; NULL for an unknown id. */
struct open_document *documents_find(struct documents *ds, uint64_t id);
/* The one that was opened next after the open one with that id, 0 for the first; NULL: there is
 * none. Borrowed likewise. */
struct open_document *documents_next(struct documents *ds, uint64_t id);
/* document_edit, then the observer. */
NODISCARD enum err documents_edit(struct documents *ds, uint64_t id, size_t start, size_t end,
                                  str text);
size_t documents_count(const struct documents *ds);

#endif
