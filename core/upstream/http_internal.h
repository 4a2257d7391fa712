/* http_internal.h - what the files that know libcurl share; nobody else includes it. */
#ifndef CRUCIBLE_UPSTREAM_HTTP_INTERNAL_H
#define CRUCIBLE_UPSTREAM_HTTP_INTERNAL_H

#include "core/base/map.h"
#include "core/upstream/http.h"

#include <curl/curl.h>

#define IDENTITY_MAX_BYTES    (128u * KIB)
#define CONTENT_TYPE_BYTES    128u
#define CONNECTION_MAX_LIFE_S 300L /* since it was opened */

struct pool { /* of connections, for one identity */
    struct http *http;
    CURLM *multi;             /* owned */
    struct loop_timer *timer; /* what libcurl wants to be woken for */
    struct loop_timer *idle;
    size_t n_transfers;
    struct transfer *warming; /* one of them, that nobody asked for yet; or NULL */
    struct connection *connections;
    char *identity; /* owned, wiped: holds the key */
    size_t identity_len;
    UT_hash_handle hh; /* in http->pools, by identity */
};

struct transfer {
    uint64_t id;
    struct http *http;
    struct pool *pool; /* NULL where it was never started, or has left */
    CURL *easy;        /* owned */
    struct curl_slist *headers;
    struct http_events events;
    char *place;        /* "127.0.0.1:8080", for messages; owned */
    char *request_body; /* owned */
    bool is_plain, is_loopback_only, must_connect;
    bool is_by_proxy; /* as far as can be told: of the settings, or to another port */
    bool has_client_cert;
    bool is_sent; /* libcurl was about to send the request, at least once */
    size_t max_body, n_body, n_header_bytes;
    struct buf bytes; /* came since the last on_bytes */
    int status;       /* 0 until the headers are complete */
    char content_type[CONTENT_TYPE_BYTES];
    char curl_message[CURL_ERROR_SIZE];
    struct error error; /* ours, of a callback: why it ended itself */
    bool is_over, has_failed;
    bool is_status_told, is_cancelled, is_ready;
    struct transfer *next_ready;
    UT_hash_handle hh; /* in http->transfers, by id */
};

struct http {
    struct loop *loop;
    struct loop_timer *later; /* tells of transfers that were refused at their start */
    struct transfer *transfers;
    struct transfer *ready;   /* have something to tell, oldest first */
    struct transfer *current; /* is being told of */
    struct pool *pools;
    uint64_t last_id;
    unsigned n_connections;  /* at most, in each pool */
    unsigned idle_s;         /* longest that an unused connection is kept */
    struct http_stats stats; /* but for what is counted when asked for */
};

/* http.c: the only place where libcurl works on transfers. */
void http_act(struct pool *pool, curl_socket_t fd, int events);

/* http_pool.c */
struct pool *pool_of(struct http *h, const struct http_target *target);
void pool_limit(struct pool *pool); /* to http->n_connections */
/* Closes its connections. Transfers have left before. */
void pool_destroy(struct pool *pool);
void pool_join(struct pool *pool, struct transfer *t);
void pool_leave(struct pool *pool, struct transfer *t);
/* A socket that is counted, -1 where there is none. */
curl_socket_t pool_open_socket(struct pool *pool, const struct curl_sockaddr *to);
int pool_close_socket(void *pool, curl_socket_t fd); /* for libcurl */
/* Ends the idle connections that the peer has closed, or says something on that nobody asked. */
void pool_distrust(struct pool *pool);
/* Ends all idle ones. */
void pool_forget(struct pool *pool);
/* Whether a request that was started now would find a connection, or none may be opened. */
bool pool_has_spare(struct pool *pool);
void pool_count(struct pool *pool, struct http_stats *stats);

/* http_fault.c */
/* Says in t->error what libcurl's code means for a person. */
void http_explain(struct transfer *t, CURLcode code);
/* The proxy answered in the server's place. */
void http_explain_proxy(struct transfer *t, long status);

#endif
