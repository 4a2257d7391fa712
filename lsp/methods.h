/* methods.h - the one table of what an editor may call. */
#ifndef CRUCIBLE_LSP_METHODS_H
#define CRUCIBLE_LSP_METHODS_H

#include "lsp/session.h"

enum method_kind { METHOD_REQUEST, METHOD_NOTIFICATION, METHOD_EITHER };
enum method_class {
    METHOD_AT_ONCE, /* answered inside the handler, in microseconds */
    METHOD_NEWEST,  /* waits for text; a newer one for the same document supersedes it */
    METHOD_PATIENT  /* waits for text; a person has asked for each */
};
struct method {
    str name;
    enum method_kind kind;
    enum method_class class;
    void (*handler)(struct session *s, struct rpc_call *call); /* NULL: accepted and ignored */
};
/* NULL for a method that isn't served. */
const struct method *method_find(str name);
/* Handles one call: the state of the session decides what is allowed. */
void methods_dispatch(struct session *s, struct rpc_call *call);

#endif
