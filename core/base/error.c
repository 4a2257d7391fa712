/* error.c - names of the codes, and filling a struct error. */
#include "core/base/error.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "core/base/utf8.h"

static const char *const names[] = {
    [ERR_OK] = "ok",
    [ERR_CANCELLED] = "cancelled",
    [ERR_TIMEOUT] = "timeout",
    [ERR_CONNECT] = "connect",
    [ERR_STATUS] = "status",
    [ERR_AUTH] = "auth",
    [ERR_NOT_FOUND] = "not_found",
    [ERR_LOADING] = "loading",
    [ERR_PROTOCOL] = "protocol",
    [ERR_TOO_LARGE] = "too_large",
    [ERR_REJECTED] = "rejected",
    [ERR_INVALID] = "invalid",
};
static_assert(sizeof names / sizeof names[0] == N_ERRS, "every code has a name");

const char *err_name(enum err code)
{
    return (unsigned)code < N_ERRS ? names[code] : "unknown";
}

enum err error_set(struct error *e, enum err code, const char *fmt, ...)
{
    if (!e) {
        return code;
    }
    va_list args;
    char msg[ERROR_MSG_BYTES] = {0}; /* the arguments may point into e->msg */
    va_start(args, fmt);
    int len = vsnprintf(msg, sizeof msg, fmt, args);
    va_end(args);
    if (len >= (int)sizeof msg) { /* cut: not through the middle of a character */
        size_t n = sizeof msg - 1;
        msg[n - utf8_incomplete_tail(str_of(msg, n))] = '\0';
    } else if (len < 0) {
        msg[0] = '\0';
    }
    e->code = code;
    e->detail = 0;
    memcpy(e->msg, msg, sizeof msg);
    return code;
}
