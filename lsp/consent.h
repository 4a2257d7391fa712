/* consent.h - what the person has said about sending code to endpoints that others named.
 *
 * An endpoint that needs consent is remote and wasn't named by the user's own file. An answer is
 * bound to its origin and to a digest of the whole setting: a setting that changes in any way is
 * asked about again. Answers live in one file of the person's own; deleting a line there takes an
 * answer back. A question that was closed without an answer isn't repeated in this process. */
#ifndef CRUCIBLE_LSP_CONSENT_H
#define CRUCIBLE_LSP_CONSENT_H

#include "core/settings/settings.h"
#include "lsp/digest.h"

struct consent;

/* "$XDG_STATE_HOME/crucible/consent.json", or below ~/.local/state; empty where there is no home.
 */
str consent_path(struct arena *arena);
/* Copies `path`; with an empty one answers are kept in memory only. */
struct consent *consent_create(str path);
void consent_destroy(struct consent *c);

/* Reads the file again and clears needs_consent of the endpoints that were allowed, in a snapshot
 * that nobody else has seen yet. */
void consent_apply(struct consent *c, struct settings *fresh);

struct consent_question {
    char origin[256]; /* "https://models.example.com:8443", as written */
    char name[128];   /* of the endpoint */
    char digest[DIGEST_HEX_BYTES];
};
/* The first endpoint without an answer; false where there is none. Marks it as asked. */
bool consent_next(struct consent *c, const struct settings *s, struct consent_question *out);
enum consent_answer { CONSENT_ALLOW, CONSENT_NEVER };
/* Keeps the answer, on disk too where that is possible (ERR_INVALID where not). */
NODISCARD enum err consent_answer(struct consent *c, const struct consent_question *q,
                                  enum consent_answer answer);

#endif
