/* progress.h - the work-done progress of one task, as the server begins it.
 *
 *     CREATING --the editor agrees--> OPEN --progress_end--> gone
 *         └------it refuses, or can't-----> SILENT ---------┘
 *
 * Reports reach the editor at most once a frame (33 ms), the first one at once, the last one in any
 * case. Nothing is sent before the editor has agreed; what was said last until then is sent first.
 */
#ifndef CRUCIBLE_LSP_PROGRESS_H
#define CRUCIBLE_LSP_PROGRESS_H

#include "lsp/session.h"

struct progress;

/* Asks the editor for a progress with this token (borrowed) and title. Never NULL. */
struct progress *progress_create(struct session *s, str token, str title);
/* Says how far it is; one line. */
void progress_report(struct progress *p, str message);
/* Ends it with a last word, and frees it; NULL is fine. */
void progress_end(struct progress *p, str message);

#endif
