/* reply.h - what model servers of the OpenAI family and llama-server answer.
 *
 * Their dialects differ in fields, not in kind: text that grows, a reason at its end, counts, and
 * failures in half a dozen shapes. One decoder reads them all, by what each event holds, so that a
 * proxy between two dialects can't confuse it. The functions have the signatures of provider_ops.
 */
#ifndef CRUCIBLE_PROVIDERS_REPLY_H
#define CRUCIBLE_PROVIDERS_REPLY_H

#include "core/upstream/provider.h"

void reply_begin(struct decoder *d);
void reply_decode(struct decoder *d, str bytes);
/* An aborted response gives nothing any more; whoever aborted it knows why. */
void reply_finish(struct decoder *d, bool is_aborted);
/* Explains a failed response by its status, or by its body alone (status 200: an error in it). */
void reply_explain(int status, str body, struct error *out);
/* Appends a server's own words to a message, in brackets and quotation marks: some of their first
 * line, visible characters only. Nothing where there are none. */
void reply_quote(struct buf *out, str message);
/* Whether a failed response says that a model is still being loaded. */
bool reply_is_loading(int status, str body);

#endif
