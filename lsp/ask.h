/* ask.h - one editor request that waits for the engine's answer.
 *
 * The engine's on_done is the only place where it is answered: with the text, with nothing, or
 * with RequestCancelled where the document moved on or a newer request came. */
#ifndef CRUCIBLE_LSP_ASK_H
#define CRUCIBLE_LSP_ASK_H

#include "lsp/session.h"

struct ask {
    struct session *session;
    struct session_document *doc; /* NULL once it closed */
    uint64_t document;
    uint64_t revision; /* of the document when it was asked */
    enum question_kind kind;
    bool is_explicit;
    struct rpc_call *call; /* deferred */
    uint64_t question;
    size_t cursor;
    size_t start;           /* of the text that is replaced, <= cursor */
    struct buf typed;       /* what an item's text begins with; stands for [start, cursor) */
    struct buf uri;         /* as the editor wrote it; empty where nobody will need it */
    struct buf partial;     /* where the items go: the token of partial results, or empty */
    bool is_popup;          /* `typed` is the popup's selection: its range must not change */
    struct ask *next, **at; /* in session->asks */
};

/* The place a request names. */
struct ask_place {
    struct session_document *doc;
    struct open_document *open;
    size_t cursor;
    struct json params;
    str uri; /* as the editor wrote it */
};
/* Reads textDocument and position. False where the call is answered already: with an error for
 * malformed params, or with nothing, and a reason in the trace, where there is no text to ask
 * about. */
bool ask_place(struct session *s, struct rpc_call *call, enum question_kind kind,
               struct ask_place *out);
/* The same for requests whose nothing is null. */
bool ask_find_place(struct session *s, struct rpc_call *call, struct ask_place *out);
/* Defers the call and asks; a's document, kind, cursor, start and typed are the question. */
struct ask *ask_create(const struct ask_place *place, struct session *s, enum question_kind kind);
void ask_start(struct ask *a, struct rpc_call *call);
/* Frees one that was never started. */
void ask_free(struct ask *a);
/* Answers the call with an empty list, and says why in the trace. */
void ask_nothing(struct session *s, struct rpc_call *call, enum question_kind kind, str path,
                 const char *why);
/* The document closes: its asks have no document any more. */
void ask_forget_document(struct session *s, struct session_document *doc);

/* The document can't be trusted any more: its asks are cancelled. */
void ask_cancel_document(struct session *s, const struct session_document *doc);

/* Appends `text` with its "\n" written as `eol`. */
void ask_append_text(struct buf *out, str text, str eol);
/* [start, end) of the document as a range. */
void ask_write_range(const struct session *s, const struct document *d, size_t start, size_t end,
                     struct json_writer *w);
/* The command that tells us of an acceptance. */
void ask_write_command(uint64_t trace, struct json_writer *w);
/* The items that stand for `answer`, as an array; empty where there is none (NULL). */
void inline_write_items(struct ask *a, const struct open_document *doc, const struct answer *answer,
                        struct json_writer *w);
void completion_write_items(struct ask *a, const struct open_document *doc,
                            const struct answer *answer, struct json_writer *w);

#endif
