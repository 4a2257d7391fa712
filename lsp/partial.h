/* partial.h - results that go to the editor as partial ones, by $/progress with a token of its own.
 *
 * An editor that sends a partialResultToken gets all of a result that way, before the reply, which
 * is empty then. Both leave in one write. */
#ifndef CRUCIBLE_LSP_PARTIAL_H
#define CRUCIBLE_LSP_PARTIAL_H

#include "lsp/rpc.h"

/* Initialises `token` with the token in the params as it is written there; empty for none. */
void partial_take(struct json params, struct buf *token);
/* The value is what is written next, up to partial_send. NULL where the editor is lost. */
struct json_writer *partial_begin(struct rpc *rpc, str token);
void partial_send(struct rpc *rpc, struct json_writer *w);

#endif
