/* outgoing.h - what a model is sent for a question: text, shape and options. */
#ifndef CRUCIBLE_OUTGOING_H
#define CRUCIBLE_OUTGOING_H

#include "core/engine_internal.h"

struct template_family;

/* The text as it is sent; owned here until the exchange has copied it. */
struct outgoing {
    struct buf prefix, suffix, prompt;
    struct buf mark, system;              /* where the model fills by chat */
    const struct template_family *family; /* NULL: the server renders */
    str stops[16];
    struct generate generate;
    size_t n_redacted; /* secrets that were blanked */
};
/* Of a question about a place; n_texts as in struct generate, one where the model fills by chat. */
void outgoing_fill(struct outgoing *out, const struct asked *a, const struct route *r,
                   const struct prompt_window *w, const struct open_document *doc,
                   unsigned n_texts);
/* Of a chat: what is said, secrets blanked where it leaves this machine. False where that would
 * spoil the answer; *why says so then. */
NODISCARD bool outgoing_fill_chat(struct outgoing *out, const struct asked *a,
                                  const struct route *r, struct error *why);
/* Also of one that is only zeroed. */
void outgoing_release(struct outgoing *out);

#endif
