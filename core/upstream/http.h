/* http.h - the one rim to the network: libcurl's multi socket interface on our loop.
 *
 * HTTP/1.1 with keep-alive; no redirects (a 3xx is an answer like any other), no netrc, no cookies,
 * no Accept-Encoding, no proxy for loopback; plain http stays on this machine and its own network,
 * decided by the address that is connected to. Header, line and body sizes are capped (limits.h).
 * One pool of connections per identity (origin, key, headers, proxy, CA, client certificate): none
 * is ever shared across two. libcurl is initialised by the first transfer, and its own threads
 * resolve names. Cancelling closes the socket in the same turn. */
#ifndef CRUCIBLE_UPSTREAM_HTTP_H
#define CRUCIBLE_UPSTREAM_HTTP_H

#include "core/loop/loop.h"
#include "core/upstream/provider.h"

struct http;

/* Who is talked to and as whom; borrowed for http_start, copied inside. */
struct http_target {
    str origin;         /* "http://127.0.0.1:8080", no path */
    str base_path;      /* "" or "/v1" */
    str key;            /* sent as "Authorization: Bearer", empty for none; never logged */
    str key_header;     /* another header's name for the key, empty: Authorization */
    const str *headers; /* "Name: value", more of them */
    size_t n_headers;
    str proxy;       /* URL, may hold a password, never logged; empty: as the environment says */
    str ca_file;     /* PEM of a private CA, empty: as the environment says, or the system's */
    str client_cert; /* PEM that shows the server who we are; empty: none */
    str client_key;  /* PEM of its key, without a passphrase; empty: in client_cert */
    bool is_loopback_only; /* refuse to connect to anything but this machine, whatever the name says
                            */
    unsigned connect_timeout_ms;
    bool must_connect; /* rather than use a connection that was kept */
};

struct http_events { /* in this order; none from inside http_start */
    /* The status line and headers have come. `content_type` is borrowed for the call. */
    void (*on_status)(int status, str content_type, void *user);
    void (*on_bytes)(str bytes, void *user);
    /* The response is whole (error NULL) or failed; once, last; not after http_cancel. Where no
     * connection came about, so that nothing was sent, the error is ERR_CONNECT and its detail the
     * errno of connecting. */
    void (*on_done)(const struct error *error, void *user);
    void *user;
    /* The kept connection that the request was sent on has died before a byte of an answer: whether
     * it may be sent on another one. Before on_status, from inside libcurl: nothing of http.h may
     * be called. May be NULL, which is yes. */
    bool (*may_resend)(void *user);
};

struct http *http_create(struct loop *loop);
/* Cancels what runs, closes all connections. Not from inside an event. */
void http_destroy(struct http *h);
/* Starts a transfer and gives its id (never 0). Takes nothing; copies target and request.
 * max_body caps the response's bytes. */
uint64_t http_start(struct http *h, const struct http_target *target,
                    const struct http_request *request, size_t max_body,
                    const struct http_events *events);
struct http_head {  /* what else the response's headers said */
    str location;   /* of a redirect: an absolute URL, or a path; borrowed, empty for none */
    int64_t date_s; /* the server's clock, seconds since 1970; 0: not said */
};
/* Of the transfer that on_status is called for; only from inside that call. */
struct http_head http_head(const struct http *h);
/* No event of the transfer comes any more; its socket is closed. Unknown ids are ignored. */
void http_cancel(struct http *h, uint64_t id);
size_t http_active(const struct http *h);
/* A header of the transfer's response by its name; empty where there is none. Asked for from
 * inside on_status, borrowed for that long. */
str http_header(const struct http *h, uint64_t id, const char *name);
/* At most so many connections for one identity, 0: the default (10). */
void http_set_connections(struct http *h, unsigned n);

/* Splits an URL into origin ("scheme://host:port", lower case, port always present) and base path
 * (no trailing slash). ERR_INVALID with a reason for other schemes, user names, query strings. */
NODISCARD enum err http_parse_url(str url, struct arena *arena, str *origin, str *base_path,
                                  struct error *why);
/* Whether an origin names this machine: 127.0.0.0/8, ::1, localhost. */
bool http_is_loopback(str origin);
/* Whether an origin names this machine's own network: private and link-local addresses, *.local,
 * names without a dot. */
bool http_is_lan(str origin);

/* -- connections -- */
/* An idle one is closed after so long, with all of its identity after as long without a transfer.
 * 0: the default (60). */
void http_set_idle(struct http *h, unsigned seconds);
/* Opens one for a request to come, by sending `request`, whose answer nobody hears of, unless
 * there is an idle one, one is being opened so already, or there are as many as may be. Gives
 * whether it is opened. The request must cost the server nothing. */
bool http_warm(struct http *h, const struct http_target *target,
               const struct http_request *request);
/* No idle one is trusted any more, and none used again: the machine has slept, say. */
void http_forget_idle(struct http *h);
struct http_stats {
    uint64_t n_open, n_idle;     /* now; n_open counts the idle ones, too */
    uint64_t n_opened, n_closed; /* ever; also of attempts to connect that failed */
    uint64_t n_reused;           /* transfers that needn't open one */
    uint64_t n_warmed;           /* opened ahead of need, and answered on */
};
struct http_stats http_stats(const struct http *h);

#endif
