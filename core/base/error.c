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

const char *error_cause_name(enum error_cause cause)
{
    static const char *const words[] = {
        [CAUSE_NONE] = "none",
        [CAUSE_NOTHING_LISTENS] = "nothing_listens",
        [CAUSE_UNREACHABLE] = "unreachable",
        [CAUSE_UNKNOWN_NAME] = "unknown_name",
        [CAUSE_PROXY] = "proxy",
        [CAUSE_NO_TLS] = "no_tls",
        [CAUSE_SILENT] = "silent",
        [CAUSE_CERT_ISSUER] = "cert_issuer",
        [CAUSE_CERT_OWN] = "cert_own",
        [CAUSE_CERT_HOST] = "cert_host",
        [CAUSE_CERT_EXPIRED] = "cert_expired",
        [CAUSE_CERT_EARLY] = "cert_early",
        [CAUSE_CERT_OTHER] = "cert_other",
        [CAUSE_CA_FILE] = "ca_file",
        [CAUSE_CLIENT_CERT] = "client_cert",
        [CAUSE_KEY_MISSING] = "key_missing",
        [CAUSE_KEY_EXPOSED] = "key_exposed",
        [CAUSE_KEY_REFUSED] = "key_refused",
        [CAUSE_CONSENT] = "consent",
        [CAUSE_REDIRECT] = "redirect",
        [CAUSE_WEB_PAGE] = "web_page",
        [CAUSE_OTHER_DIALECT] = "other_dialect",
    };
    static_assert(sizeof words / sizeof words[0] == N_ERROR_CAUSES, "every cause has a word");
    return (unsigned)cause < N_ERROR_CAUSES ? words[cause] : "unknown";
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
    e->cause = CAUSE_NONE;
    memcpy(e->msg, msg, sizeof msg);
    return code;
}
