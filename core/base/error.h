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

/* What lies behind a code where a person has to do something else for each. Nothing is decided by
 * it: it chooses words. */
enum error_cause {
    CAUSE_NONE,
    CAUSE_NOTHING_LISTENS,
    CAUSE_UNREACHABLE,  /* no way to the machine, or no answer from it */
    CAUSE_UNKNOWN_NAME, /* of the host */
    CAUSE_PROXY,
    CAUSE_NO_TLS,        /* what answers doesn't speak it */
    CAUSE_SILENT,        /* takes connections and doesn't answer */
    CAUSE_CERT_ISSUER,   /* signed by nobody who is trusted here */
    CAUSE_CERT_OWN,      /* signed by itself */
    CAUSE_CERT_HOST,     /* made for another name */
    CAUSE_CERT_EXPIRED,  /* or our clock is ahead */
    CAUSE_CERT_EARLY,    /* not valid yet, or our clock is behind */
    CAUSE_CERT_OTHER,    /* refused for another reason */
    CAUSE_CA_FILE,       /* the file of trusted issuers can't be used */
    CAUSE_CLIENT_CERT,   /* ours is wanted, or can't be used */
    CAUSE_KEY_MISSING,   /* file, variable or command give none */
    CAUSE_KEY_EXPOSED,   /* others may read its file */
    CAUSE_KEY_REFUSED,   /* by the server */
    CAUSE_CONSENT,       /* the person hasn't been asked or hasn't agreed */
    CAUSE_REDIRECT,      /* the server says to ask elsewhere */
    CAUSE_WEB_PAGE,      /* a page for browsers came */
    CAUSE_OTHER_DIALECT, /* it answers, but not as its kind does */
    N_ERROR_CAUSES
};

#define ERROR_MSG_BYTES 240

struct error {
    enum err code;
    int detail;                /* HTTP status or errno, 0 where there is none */
    enum error_cause cause;    /* CAUSE_NONE where the code says enough */
    char msg[ERROR_MSG_BYTES]; /* UTF-8, NUL-terminated, for a person */
};

/* "timeout", "connect", ...: stable words, used in logs, stats and --json. */
const char *err_name(enum err code);
/* "nothing_listens", "cert_expired", ...: stable words; "none" for CAUSE_NONE. */
const char *error_cause_name(enum error_cause cause);
/* Fills *e (which may be NULL) and returns code, so that `return error_set(e, …)` reads well. */
enum err error_set(struct error *e, enum err code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
