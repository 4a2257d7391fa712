/* http_fault.c - what libcurl's failures mean, in words for a person and a cause for the program.
 *
 * Rules    Neither a key nor the proxy's URL, which may hold a password, gets into a message. */
#include "core/upstream/http_internal.h"

#include "core/base/log.h"

#include <errno.h>

/* A person's words, and which of them they are. */
static void fail_as(struct transfer *t, enum err code, enum error_cause cause, const char *fmt)
{
    error_set(&t->error, code, "%s %s", t->place, fmt);
    t->error.cause = cause;
}

void http_explain_proxy(struct transfer *t, long status)
{
    if (status == 407) {
        error_set(&t->error, ERR_AUTH,
                  "the proxy for %s wants a user name and password, or other ones", t->place);
    } else {
        error_set(&t->error, ERR_CONNECT, "the proxy for %s refuses to connect to it (status %ld)",
                  t->place, status);
    }
    t->error.cause = CAUSE_PROXY;
    t->error.detail = (int)status;
}

/* No connection to the proxy, or none through it. */
static void explain_proxy_failure(struct transfer *t, const char *what)
{
    error_set(&t->error, ERR_CONNECT, "the proxy for %s %s", t->place, what);
    t->error.cause = CAUSE_PROXY;
}

static void explain_connect(struct transfer *t)
{
    if (t->is_by_proxy) {
        explain_proxy_failure(t, "can't be reached");
        return;
    }
    long os_errno = 0;
    curl_easy_getinfo(t->easy, CURLINFO_OS_ERRNO, &os_errno);
    if (os_errno == ECONNREFUSED) {
        error_set(&t->error, ERR_CONNECT, "nothing listens on %s - is the server running?",
                  t->place);
        t->error.cause = CAUSE_NOTHING_LISTENS;
    } else {
        fail_as(t, ERR_CONNECT, CAUSE_UNREACHABLE, "can't be reached from here");
    }
    t->error.detail = (int)os_errno;
}

static void explain_no_tls(struct transfer *t)
{
    error_set(&t->error, ERR_CONNECT, "no secure connection to %s - does it speak https?",
              t->place);
    t->error.cause = CAUSE_NO_TLS;
}

/* A server of plain http may wait for the end of what it takes for a request. */
static void explain_timeout(struct transfer *t)
{
    if (str_contains_nocase(str_from(t->curl_message), STR("SSL connection"))) {
        explain_no_tls(t);
    } else {
        fail_as(t, ERR_CONNECT, CAUSE_UNREACHABLE, "doesn't answer - is the machine reachable?");
    }
}

/* What a server says in the alert that ends a handshake, in the words of OpenSSL. Under TLS 1.3 it
 * comes when we take the handshake for done. */
static bool is_cert_wanted(const struct transfer *t)
{
    static const char *const alerts[] = {"alert certificate", "alert bad certificate",
                                         "alert unknown ca", "alert handshake failure"};
    for (size_t i = 0; i < sizeof alerts / sizeof alerts[0]; i++) {
        if (str_contains_nocase(str_from(t->curl_message), str_from(alerts[i]))) {
            return true;
        }
    }
    return false;
}

static void explain_client_cert(struct transfer *t)
{
    error_set(&t->error, ERR_AUTH,
              t->has_client_cert ? "%s refuses our certificate; see clientCert"
                                 : "%s wants a certificate of ours; see clientCert",
              t->place);
    t->error.cause = CAUSE_CLIENT_CERT;
}

/* Nothing came on a connection that was just made. With TLS the reason may be the certificate of
 * ours: some servers close without a word, and the word of others is lost where the request that we
 * were sending meets a closed door, which hardly anything else explains. */
static void explain_no_answer(struct transfer *t, CURLcode code)
{
    long n_connects = 0;
    curl_easy_getinfo(t->easy, CURLINFO_NUM_CONNECTS, &n_connects);
    bool is_new = !t->is_plain && n_connects > 0;
    bool is_at_door = is_new && code == CURLE_SEND_ERROR;
    const char *why = t->has_client_cert && is_at_door ? "; it may refuse our certificate"
                      : is_new && !t->has_client_cert  ? "; it may want a certificate of ours"
                                                       : "";
    error_set(&t->error, ERR_CONNECT, "%s closed the connection without an answer%s%s", t->place,
              why, why[0] ? ", see clientCert" : "");
    if (is_at_door) {
        t->error.cause = CAUSE_CLIENT_CERT;
    }
}

/* The connection ended where there should have been more. */
static void explain_break(struct transfer *t, CURLcode code)
{
    long status = 0;
    curl_easy_getinfo(t->easy, CURLINFO_HTTP_CONNECTCODE, &status);
    if (is_cert_wanted(t)) {
        explain_client_cert(t);
    } else if (status >= 300) {
        http_explain_proxy(t, status);
    } else if (t->status != 0) {
        error_set(&t->error, ERR_PROTOCOL, "%s closed the connection in the middle of its answer",
                  t->place);
    } else {
        explain_no_answer(t, code);
    }
}

/* By the words of the TLS libraries that libcurl is built with (OpenSSL's, LibreSSL's, and
 * libcurl's own for the name); its numbers differ from library to library. */
static enum error_cause certificate_cause(str why)
{
    static const struct {
        const char *words;
        enum error_cause cause;
    } known[] = {
        {"has expired", CAUSE_CERT_EXPIRED},
        {"not yet valid", CAUSE_CERT_EARLY},
        {"self-signed certificate in", CAUSE_CERT_ISSUER}, /* at the end of a chain: its root */
        {"self signed certificate in", CAUSE_CERT_ISSUER},
        {"self-signed", CAUSE_CERT_OWN},
        {"self signed", CAUSE_CERT_OWN},
        {"local issuer", CAUSE_CERT_ISSUER},
        {"unable to verify the first", CAUSE_CERT_ISSUER},
        {"subject name", CAUSE_CERT_HOST},
        {"host name", CAUSE_CERT_HOST},
        {"hostname", CAUSE_CERT_HOST},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (str_contains_nocase(why, str_from(known[i].words))) {
            return known[i].cause;
        }
    }
    return CAUSE_CERT_OTHER;
}

static void explain_certificate(struct transfer *t, CURLcode code)
{
    long proxy_result = 0;
    char *text = t->curl_message[0] ? t->curl_message : NULL;
    str why = text ? str_from(text) : str_from(curl_easy_strerror(code));
    curl_easy_getinfo(t->easy, CURLINFO_PROXY_SSL_VERIFYRESULT, &proxy_result);
    error_set(&t->error, ERR_AUTH, "the certificate of %s%s is refused (%s); see caFile",
              proxy_result != 0 ? "the proxy for " : "", t->place, LOG_SAFE(why));
    t->error.cause = code == CURLE_SSL_CACERT_BADFILE ? CAUSE_CA_FILE : certificate_cause(why);
}

void http_explain(struct transfer *t, CURLcode code)
{
    t->has_failed = code != CURLE_OK || t->status == 0;
    if (!t->has_failed || t->error.code != ERR_OK) {
        return; /* a callback of ours knows better what it was */
    }
    switch ((int)code) {
    case CURLE_COULDNT_CONNECT:
        explain_connect(t);
        break;
    case CURLE_COULDNT_RESOLVE_HOST:
        error_set(&t->error, ERR_CONNECT, "the name in %s is unknown - check the url", t->place);
        t->error.cause = CAUSE_UNKNOWN_NAME;
        break;
    case CURLE_COULDNT_RESOLVE_PROXY:
        explain_proxy_failure(t, "has an unknown name");
        break;
    case CURLE_PROXY: /* of the SOCKS kind */
        explain_proxy_failure(t, "refuses us, or can't connect to it");
        break;
    case CURLE_SSL_CERTPROBLEM:
        error_set(
            &t->error, ERR_AUTH,
            "clientCert or clientKey for %s can't be used: PEM without a passphrase is needed",
            t->place);
        t->error.cause = CAUSE_CLIENT_CERT;
        break;
    case CURLE_OPERATION_TIMEDOUT:
        explain_timeout(t);
        break;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
        explain_certificate(t, code);
        break;
    case CURLE_SSL_CONNECT_ERROR:
        if (is_cert_wanted(t)) {
            explain_client_cert(t);
        } else {
            explain_no_tls(t);
        }
        break;
    case CURLE_PARTIAL_FILE:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_GOT_NOTHING:
        explain_break(t, code);
        break;
    default:
        error_set(&t->error, ERR_PROTOCOL, "%s doesn't speak proper HTTP (%s)", t->place,
                  curl_easy_strerror(code));
        break;
    }
}
