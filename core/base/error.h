/* error.h - what can go wrong, as a small closed set.
 *
 * Fallible functions return `enum err`. Failures that arrive later travel as
 * `const struct error *`, NULL meaning success. A code is what the program decides by, the message
 * is what a person reads: it names the cause and the next step, and never holds document text, a
 * prompt or a key. */
#ifndef CRUCIBLE_BASE_ERROR_H
#define CRUCIBLE_BASE_ERROR_H

#include "core/base/memory.h"
#include "core/base/str.h"

enum err {
    ERR_OK = 0,
    ERR_CANCELLED, /* by us or by the editor; never counts against an endpoint */
    ERR_TIMEOUT,   /* a deadline passed */
    ERR_CONNECT,   /* no connection: refused, unreachable, name unknown, TLS, reset */
    ERR_STATUS,    /* the server answered with a failure; detail = HTTP status */
    ERR_AUTH,      /* 401, 403: the key is missing or refused */
    ERR_NOT_FOUND, /* no such model, file, document */
    ERR_LOADING,   /* the server lives, its model is not ready yet */
    ERR_PROTOCOL,  /* a peer said something malformed, or stopped in the middle */
    ERR_TOO_LARGE, /* a limit of limits.h, or the model's context, was passed */
    ERR_REJECTED,  /* not sent: excluded, no consent, overloaded, unsupported */
    ERR_INVALID,   /* a value that makes no sense: configuration, argument */
    N_ERRS
};

#define ERROR_MSG_BYTES 240

struct error {
    enum err code;
    int detail;                /* HTTP status or errno, 0 where there is none */
    char msg[ERROR_MSG_BYTES]; /* UTF-8, NUL-terminated, for a person */
};

/* "timeout", "connect", ...: stable words, used in logs, stats and --json. */
const char *err_name(enum err code);
/* Fills *e (which may be NULL) and returns code, so that `return error_set(e, …)` reads well. */
enum err error_set(struct error *e, enum err code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
