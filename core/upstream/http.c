/* http.c - the one file that knows libcurl.
 *
 * Why      Prompts and keys leave the machine here, so everything that could send them elsewhere
 *          (redirects, netrc, proxies of the environment, connections of another identity, names
 *          that lead to other machines) is switched off in one place that can be read at once.
 * How      A pool is a multi handle of its own for each identity: who is talked to, as whom, and
 *          through what. A transfer is an easy handle in a pool. libcurl runs inside `act` only;
 *          its callbacks collect into the transfer, which joins the list of those that have
 *          something to tell. They are told when libcurl has returned, so an owner may start and
 *          cancel whatever it likes from inside an event. A transfer that can't be started takes
 *          the same way, from a timer.
 * Rules    A cancelled transfer leaves its multi handle at once, which closes its socket. Pools
 *          without transfers are dropped after a while. Keys, headers and bodies are never logged.
 */
#include "core/upstream/http.h"

#include "core/base/clock.h"
#include "core/base/limits.h"
#include "core/base/log.h"
#include "core/base/map.h"
#include "core/upstream/address.h"
#include "core/upstream/http_check.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#define DEFAULT_CONNECTIONS   10u
#define POOL_IDLE_US          SEC_TO_US(90)
#define CONNECTION_MAX_IDLE_S 60L
#define CONNECTION_MAX_LIFE_S 300L
#define CONNECTION_SILENCE_MS 30000u /* unacknowledged bytes: the peer is gone */
#define IDENTITY_MAX_BYTES    (128u * KIB)
#define CONTENT_TYPE_BYTES    128u
#define RESPONSE_KEEP_BYTES   (256u * KIB)
#define CONNECT_TIMEOUT_MS    3000u

struct pool { /* of connections, for one identity */
    struct http *http;
    CURLM *multi;             /* owned */
    struct loop_timer *timer; /* what libcurl wants to be woken for */
    struct loop_timer *idle;
    size_t n_transfers;
    char *identity; /* owned, wiped: holds the key */
    size_t identity_len;
    UT_hash_handle hh; /* in http->pools, by identity */
};

struct socket_watch { /* a socket of libcurl's */
    struct pool *pool;
    curl_socket_t fd;
    struct loop_poll *poll;
    int events;
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
    bool is_plain, is_loopback_only;
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
    unsigned n_connections; /* at most, in each pool */
};

static unsigned n_users; /* of libcurl's global state */

static void on_later(void *user);
static struct pool *pool_of(struct http *h, const struct http_target *target);
static void pool_limit(struct pool *pool);
static void pool_destroy(struct pool *pool);
static void act(struct pool *pool, curl_socket_t fd, int events);
static void deliver_ready(struct http *h);
static enum err transfer_prepare(struct transfer *t, const struct http_target *target,
                                 const struct http_request *request);
static void transfer_leave_pool(struct transfer *t);
static void transfer_free(struct transfer *t);
static void push_ready(struct transfer *t);
static void remove_ready(struct transfer *t);
static void explain_failure(struct transfer *t, CURLcode code);

/* -- the object -- */

struct http *http_create(struct loop *loop)
{
    struct http *h = xcalloc(1, sizeof *h);
    h->loop = loop;
    h->n_connections = DEFAULT_CONNECTIONS;
    h->later = loop_timer_create(loop, on_later, h);
    return h;
}

void http_destroy(struct http *h)
{
    struct transfer *t, *next_transfer;
    struct pool *pool, *next_pool;
    if (!h) {
        return;
    }
    ASSERT(!h->current);
    HASH_ITER(hh, h->transfers, t, next_transfer)
    {
        http_cancel(h, t->id);
    }
    bool has_used_curl = h->last_id > 0;
    HASH_ITER(hh, h->pools, pool, next_pool)
    {
        pool_destroy(pool);
    }
    loop_timer_destroy(h->later);
    xfree(h);
    if (has_used_curl && --n_users == 0) {
        curl_global_cleanup();
    }
}

uint64_t http_start(struct http *h, const struct http_target *target,
                    const struct http_request *request, size_t max_body,
                    const struct http_events *events)
{
    if (h->last_id == 0 && n_users++ == 0) {
        ASSERT(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
    }
    struct transfer *t = xcalloc(1, sizeof *t);
    t->id = ++h->last_id;
    t->http = h;
    t->events = *events;
    t->max_body = max_body;
    buf_init(&t->bytes, max_body);
    HASH_ADD(hh, h->transfers, id, sizeof t->id, t);
    if (transfer_prepare(t, target, request) == ERR_OK) {
        t->pool = pool_of(h, target);
        t->pool->n_transfers++;
        loop_timer_set(t->pool->idle, CLOCK_NEVER);
        ASSERT(curl_multi_add_handle(t->pool->multi, t->easy) == CURLM_OK);
        log_debug(LOG_UPSTREAM, "http: transfer=%llu started", (unsigned long long)t->id);
    } else {
        t->is_over = t->has_failed = true;
        push_ready(t);
        loop_timer_set(h->later, 0);
    }
    return t->id;
}

void http_cancel(struct http *h, uint64_t id)
{
    struct transfer *t;
    HASH_FIND(hh, h->transfers, &id, sizeof id, t);
    if (!t) {
        return;
    }
    HASH_DEL(h->transfers, t);
    remove_ready(t);
    transfer_leave_pool(t);
    t->is_cancelled = true;
    log_debug(LOG_UPSTREAM, "http: transfer=%llu cancelled", (unsigned long long)id);
    if (t != h->current) { /* else deliver frees it */
        transfer_free(t);
    }
}

static str header_of(const struct transfer *t, const char *name)
{
    struct curl_header *header = NULL;
    CURLHcode code = curl_easy_header(t->easy, name, 0, CURLH_HEADER, -1, &header);
    return code == CURLHE_OK ? str_from(header->value) : (str){0};
}

struct http_head http_head(const struct http *h)
{
    ASSERT(h->current && h->current->easy);
    str date = header_of(h->current, "Date");
    time_t date_s = date.len > 0 ? curl_getdate(date.ptr, NULL) : -1;
    return (struct http_head){.location = header_of(h->current, "Location"),
                              .date_s = date_s > 0 ? (int64_t)date_s : 0};
}

size_t http_active(const struct http *h)
{
    return HASH_COUNT(h->transfers);
}

str http_header(const struct http *h, uint64_t id, const char *name)
{
    struct transfer *t;
    struct curl_header *header;
    HASH_FIND(hh, h->transfers, &id, sizeof id, t);
    if (!t || !t->easy ||
        curl_easy_header(t->easy, name, 0, CURLH_HEADER, -1, &header) != CURLHE_OK) {
        return STR("");
    }
    return str_from(header->value);
}

void http_set_connections(struct http *h, unsigned n)
{
    struct pool *pool, *next;
    h->n_connections = n > 0 ? n : DEFAULT_CONNECTIONS;
    HASH_ITER(hh, h->pools, pool, next)
    {
        pool_limit(pool);
    }
}

/* -- telling -- */

static void push_ready(struct transfer *t)
{
    if (t->is_ready) {
        return;
    }
    struct transfer **at = &t->http->ready;
    while (*at) {
        at = &(*at)->next_ready;
    }
    *at = t;
    t->next_ready = NULL;
    t->is_ready = true;
}

static void remove_ready(struct transfer *t)
{
    for (struct transfer **at = &t->http->ready; *at; at = &(*at)->next_ready) {
        if (*at == t) {
            *at = t->next_ready;
            t->is_ready = false;
            return;
        }
    }
}

static void on_later(void *user)
{
    deliver_ready(user);
}

static void deliver_bytes(struct transfer *t)
{
    t->events.on_bytes(buf_str(&t->bytes), t->events.user);
    if (t->bytes.cap > RESPONSE_KEEP_BYTES) {
        buf_release(&t->bytes);
        buf_init(&t->bytes, t->max_body);
    } else {
        buf_clear(&t->bytes);
    }
}

static void deliver_end(struct transfer *t)
{
    HASH_DEL(t->http->transfers, t);
    log_debug(LOG_UPSTREAM, "http: transfer=%llu over status=%d bytes=%zu error=%s",
              (unsigned long long)t->id, t->status, t->n_body, err_name(t->error.code));
    t->events.on_done(t->has_failed ? &t->error : NULL, t->events.user);
}

static void deliver(struct transfer *t)
{
    t->http->current = t;
    if (t->status != 0 && !t->is_status_told) {
        t->is_status_told = true;
        t->events.on_status(t->status, str_from(t->content_type), t->events.user);
    }
    if (!t->is_cancelled && t->bytes.len > 0) {
        deliver_bytes(t);
    }
    if (!t->is_cancelled && t->is_over) {
        deliver_end(t);
    }
    t->http->current = NULL;
    if (t->is_cancelled || t->is_over) {
        transfer_free(t);
    }
}

static void deliver_ready(struct http *h)
{
    while (h->ready) {
        struct transfer *t = h->ready;
        remove_ready(t);
        deliver(t);
    }
}

/* -- pools: libcurl's timers and sockets on our loop -- */

static void collect_finished(struct pool *pool)
{
    int n_left;
    CURLMsg *msg;
    while ((msg = curl_multi_info_read(pool->multi, &n_left)) != NULL) {
        struct transfer *t = NULL;
        CURLcode code = msg->data.result; /* msg is gone after the removal */
        if (msg->msg != CURLMSG_DONE ||
            curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, (char **)&t) != CURLE_OK) {
            continue;
        }
        explain_failure(t, code);
        t->is_over = true;
        transfer_leave_pool(t);
        push_ready(t);
    }
}

/* The only place where libcurl works on transfers. */
static void act(struct pool *pool, curl_socket_t fd, int events)
{
    int n_running;
    struct http *h = pool->http;
    (void)curl_multi_socket_action(pool->multi, fd, events, &n_running);
    collect_finished(pool);
    deliver_ready(h);
}

static void on_pool_timeout(void *user)
{
    act(user, CURL_SOCKET_TIMEOUT, 0);
}

static void on_pool_idle_timeout(void *user)
{
    pool_destroy(user);
}

static int on_timer_wanted(CURLM *multi, long timeout_ms, void *user)
{
    (void)multi;
    struct pool *pool = user;
    uint64_t at_us = timeout_ms < 0 ? CLOCK_NEVER : clock_now_us() + MS_TO_US(timeout_ms);
    loop_timer_set(pool->timer, at_us);
    return 0;
}

static void on_socket_ready(int events, bool is_error, void *user)
{
    struct socket_watch *w = user;
    if (is_error) { /* libcurl finds out what it is by reading; until then it stays watched */
        loop_poll_set(w->poll, w->events);
    }
    int bits = (events & LOOP_READABLE ? CURL_CSELECT_IN : 0) |
               (events & LOOP_WRITABLE ? CURL_CSELECT_OUT : 0);
    act(w->pool, w->fd, bits);
}

static int on_socket_wanted(CURL *easy, curl_socket_t fd, int what, void *user, void *assigned)
{
    (void)easy;
    struct pool *pool = user;
    struct socket_watch *w = assigned;
    if (what == CURL_POLL_REMOVE) {
        if (w) {
            loop_poll_destroy(w->poll);
            xfree(w);
            curl_multi_assign(pool->multi, fd, NULL);
        }
        return 0;
    }
    if (!w) {
        w = xcalloc(1, sizeof *w);
        *w = (struct socket_watch){.pool = pool, .fd = fd};
        w->poll = loop_poll_create(pool->http->loop, fd, on_socket_ready, w);
        if (!w->poll) {
            xfree(w);
            return -1;
        }
        curl_multi_assign(pool->multi, fd, w);
    }
    w->events =
        (what & CURL_POLL_IN ? LOOP_READABLE : 0) | (what & CURL_POLL_OUT ? LOOP_WRITABLE : 0);
    loop_poll_set(w->poll, w->events);
    return 0;
}

static void pool_limit(struct pool *pool)
{
    long n = (long)pool->http->n_connections;
    curl_multi_setopt(pool->multi, CURLMOPT_MAX_HOST_CONNECTIONS, n);
    curl_multi_setopt(pool->multi, CURLMOPT_MAXCONNECTS, n);
}

static struct pool *pool_create(struct http *h, struct buf *identity)
{
    struct pool *pool = xcalloc(1, sizeof *pool);
    pool->http = h;
    pool->identity = xmemdup(identity->ptr, identity->len);
    pool->identity_len = identity->len;
    pool->timer = loop_timer_create(h->loop, on_pool_timeout, pool);
    pool->idle = loop_timer_create(h->loop, on_pool_idle_timeout, pool);
    pool->multi = curl_multi_init();
    ASSERT(pool->multi);
    curl_multi_setopt(pool->multi, CURLMOPT_SOCKETFUNCTION, on_socket_wanted);
    curl_multi_setopt(pool->multi, CURLMOPT_SOCKETDATA, pool);
    curl_multi_setopt(pool->multi, CURLMOPT_TIMERFUNCTION, on_timer_wanted);
    curl_multi_setopt(pool->multi, CURLMOPT_TIMERDATA, pool);
    pool_limit(pool);
    curl_multi_setopt(pool->multi, CURLMOPT_PIPELINING, CURLPIPE_NOTHING);
    HASH_ADD_KEYPTR(hh, h->pools, pool->identity, pool->identity_len, pool);
    return pool;
}

static struct pool *pool_of(struct http *h, const struct http_target *target)
{
    struct buf identity;
    struct pool *pool;
    buf_init(&identity, IDENTITY_MAX_BYTES);
    http_identify(target, &identity);
    ASSERT(!identity.is_full); /* transfer_prepare refuses targets of that size */
    HASH_FIND(hh, h->pools, identity.ptr, identity.len, pool);
    if (!pool) {
        pool = pool_create(h, &identity);
    }
    explicit_bzero(identity.ptr, identity.cap);
    buf_release(&identity);
    return pool;
}

static void pool_destroy(struct pool *pool)
{
    ASSERT(pool->n_transfers == 0);
    HASH_DEL(pool->http->pools, pool);
    curl_multi_cleanup(pool->multi); /* may still ask for its sockets and timers */
    loop_timer_destroy(pool->timer);
    loop_timer_destroy(pool->idle);
    explicit_bzero(pool->identity, pool->identity_len);
    xfree(pool->identity);
    xfree(pool);
}

/* -- one transfer: what libcurl calls -- */

static size_t on_header(char *ptr, size_t size, size_t n, void *user)
{
    struct transfer *t = user;
    size_t len = size * n;
    long status = 0;
    char *content_type = NULL;
    t->n_header_bytes += len;
    if (t->n_header_bytes > HTTP_MAX_HEADER_BYTES) {
        error_set(&t->error, ERR_TOO_LARGE, "%s sent more than %u KiB of headers", t->place,
                  HTTP_MAX_HEADER_BYTES / KIB);
        return 0;
    }
    bool is_end = len <= 2 && (ptr[0] == '\r' || ptr[0] == '\n');
    if (!is_end || t->status != 0) {
        return len;
    }
    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status < 200) { /* another header block follows */
        return len;
    }
    curl_easy_getinfo(t->easy, CURLINFO_CONTENT_TYPE, &content_type);
    (void)snprintf(t->content_type, sizeof t->content_type, "%s", content_type ? content_type : "");
    t->status = (int)status;
    push_ready(t);
    return len;
}

static size_t on_body(char *ptr, size_t size, size_t n, void *user)
{
    struct transfer *t = user;
    size_t len = size * n;
    if (len > t->max_body - t->n_body) {
        error_set(&t->error, ERR_TOO_LARGE, "%s sent more than %zu bytes", t->place, t->max_body);
        return 0;
    }
    t->n_body += len;
    buf_append(&t->bytes, str_of(ptr, len));
    push_ready(t);
    return len;
}

static curl_socket_t on_open_socket(void *user, curlsocktype purpose, struct curl_sockaddr *to)
{
    (void)purpose;
    struct transfer *t = user;
    enum address_reach reach = address_reach(&to->addr);
    if (t->is_loopback_only && reach != ADDRESS_LOOPBACK) {
        error_set(&t->error, ERR_REJECTED,
                  "%s leads to another machine; only this machine may be asked", t->place);
        return CURL_SOCKET_BAD;
    }
    if (t->is_plain && reach == ADDRESS_PUBLIC) {
        error_set(&t->error, ERR_REJECTED,
                  "%s leads out of this network, where plain http isn't safe: use https", t->place);
        return CURL_SOCKET_BAD;
    }
    int fd = socket(to->family, to->socktype, to->protocol);
    if (fd >= 0) {
        (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
#ifdef TCP_USER_TIMEOUT
        unsigned silence_ms = CONNECTION_SILENCE_MS;
        (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &silence_ms, sizeof silence_ms);
#endif
    }
    return fd;
}

/* -- one transfer: its birth -- */

static enum err add_header(struct transfer *t, str name, str value)
{
    struct buf line;
    value = str_trim(value);
    enum err err = http_check_header(name, value, t->place, &t->error);
    if (err != ERR_OK) {
        return err;
    }
    buf_init(&line, HTTP_MAX_HEADER_BYTES);
    buf_appendf(&line, STR_FMT ": " STR_FMT, STR_ARG(name), STR_ARG(value));
    struct curl_slist *longer =
        line.is_full ? NULL : curl_slist_append(t->headers, buf_cstr(&line));
    t->headers = longer ? longer : t->headers;
    if (line.ptr) {
        explicit_bzero(line.ptr, line.cap);
    }
    buf_release(&line);
    return longer ? ERR_OK
                  : error_set(&t->error, ERR_TOO_LARGE, "a header for %s is too long", t->place);
}

static enum err add_headers(struct transfer *t, const struct http_target *target, bool is_post)
{
    enum err err = ERR_OK;
    size_t n_bytes = target->key.len + target->key_header.len + target->proxy.len +
                     target->ca_file.len + target->origin.len;
    struct curl_slist *first = curl_slist_append(NULL, "Expect:"); /* no waiting for "100" */
    ASSERT(first);
    t->headers = first;
    if (is_post) {
        err = add_header(t, STR("Content-Type"), STR("application/json"));
    }
    for (size_t i = 0; i < target->n_headers && err == ERR_OK; i++) {
        str line = target->headers[i];
        size_t colon = str_find_char(line, ':', 0);
        n_bytes += line.len + 24; /* its length is spelled out in the identity */
        err = add_header(t, str_sub(line, 0, colon),
                         colon == SIZE_MAX ? STR("") : str_sub(line, colon + 1, line.len));
    }
    if (err == ERR_OK && n_bytes > IDENTITY_MAX_BYTES / 2) {
        err = error_set(&t->error, ERR_TOO_LARGE, "the headers for %s are too long", t->place);
    }
    if (err != ERR_OK || target->key.len == 0) {
        return err;
    }
    if (target->key_header.len > 0) {
        return add_header(t, target->key_header, target->key);
    }
    if (target->key.len > HTTP_MAX_HEADER_BYTES / 2) {
        return error_set(&t->error, ERR_TOO_LARGE, "the key for %s is too long", t->place);
    }
    struct buf bearer;
    buf_init(&bearer, HTTP_MAX_HEADER_BYTES);
    buf_append(&bearer, STR("Bearer "));
    buf_append(&bearer, target->key); /* whole, so that it is checked as a whole */
    err = add_header(t, STR("Authorization"), buf_str(&bearer));
    explicit_bzero(bearer.ptr, bearer.cap);
    buf_release(&bearer);
    return err;
}

static void set_text(CURL *easy, CURLoption option, str value)
{
    char *text = xstrndup(value.ptr ? value.ptr : "", value.len);
    curl_easy_setopt(easy, option, text); /* copies */
    xfree(text);
}

static void set_callbacks(struct transfer *t)
{
    curl_easy_setopt(t->easy, CURLOPT_PRIVATE, t);
    curl_easy_setopt(t->easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(t->easy, CURLOPT_HEADERDATA, t);
    curl_easy_setopt(t->easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(t->easy, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(t->easy, CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
    curl_easy_setopt(t->easy, CURLOPT_OPENSOCKETDATA, t);
    curl_easy_setopt(t->easy, CURLOPT_ERRORBUFFER, t->curl_message);
}

/* Nothing may lead a request anywhere but where it was sent. */
static void set_bounds(CURL *easy)
{
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_UNRESTRICTED_AUTH, 0L);
    curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, "https");
    curl_easy_setopt(easy, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_HTTP09_ALLOWED, 0L);
    curl_easy_setopt(easy, CURLOPT_HTTP_CONTENT_DECODING, 0L);
    curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L); /* never wait for a resolver thread */
    curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, 30L);
    curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, CONNECTION_MAX_IDLE_S);
    curl_easy_setopt(easy, CURLOPT_MAXLIFETIME_CONN, CONNECTION_MAX_LIFE_S);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "crucible-ls");
}

static void set_target(struct transfer *t, const struct http_target *target)
{
    unsigned timeout_ms =
        target->connect_timeout_ms ? target->connect_timeout_ms : CONNECT_TIMEOUT_MS;
    curl_easy_setopt(t->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)timeout_ms);
    curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->headers);
    if (target->is_loopback_only || http_is_loopback(target->origin)) {
        curl_easy_setopt(t->easy, CURLOPT_PROXY, ""); /* not the environment's either */
    } else if (target->proxy.len > 0) {
        set_text(t->easy, CURLOPT_PROXY, target->proxy);
    }
    if (target->ca_file.len > 0) {
        set_text(t->easy, CURLOPT_CAINFO, target->ca_file);
    }
}

static enum err set_request(struct transfer *t, const struct http_target *target,
                            const struct http_request *request)
{
    struct buf url;
    str path = buf_str(&request->path);
    if (request->path.is_full || request->body.is_full) {
        return error_set(&t->error, ERR_TOO_LARGE, "the request for %s is too long", t->place);
    }
    if (!http_is_url_text(path) || !http_is_url_text(target->base_path)) {
        return error_set(&t->error, ERR_INVALID, "the path for %s isn't a path", t->place);
    }
    buf_init(&url, 16 * KIB);
    buf_append(&url, target->origin);
    buf_append(&url, target->base_path);
    buf_append(&url, path);
    CURLcode code =
        url.is_full ? CURLE_URL_MALFORMAT : curl_easy_setopt(t->easy, CURLOPT_URL, buf_cstr(&url));
    buf_release(&url);
    if (request->is_post) {
        str body = buf_str(&request->body);
        t->request_body = xstrndup(body.ptr ? body.ptr : "", body.len);
        curl_easy_setopt(t->easy, CURLOPT_POST, 1L);
        curl_easy_setopt(t->easy, CURLOPT_POSTFIELDS, t->request_body);
        curl_easy_setopt(t->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.len);
    }
    return code == CURLE_OK ? ERR_OK
                            : error_set(&t->error, ERR_INVALID, "%s has no usable url", t->place);
}

static enum err transfer_prepare(struct transfer *t, const struct http_target *target,
                                 const struct http_request *request)
{
    size_t scheme = str_find(target->origin, STR("://"), 0);
    str place = scheme == SIZE_MAX ? target->origin
                                   : str_sub(target->origin, scheme + 3, target->origin.len);
    t->place = xstrndup(place.ptr ? place.ptr : "", place.len);
    t->is_loopback_only = target->is_loopback_only;
    t->is_plain = str_starts_with(target->origin, STR("http://"));
    if (t->is_plain && !http_is_loopback(target->origin) && !http_is_lan(target->origin)) {
        return error_set(&t->error, ERR_REJECTED,
                         "%s is out of this network, where plain http isn't safe: use https",
                         t->place);
    }
    enum err err = add_headers(t, target, request->is_post);
    if (err != ERR_OK) {
        return err;
    }
    t->easy = curl_easy_init();
    ASSERT(t->easy);
    set_callbacks(t);
    set_bounds(t->easy);
    set_target(t, target);
    return set_request(t, target, request);
}

/* -- one transfer: its end -- */

/* Takes it out of libcurl's hands; where it isn't finished this closes its socket. */
static void transfer_leave_pool(struct transfer *t)
{
    struct pool *pool = t->pool;
    if (!pool) {
        return;
    }
    (void)curl_multi_remove_handle(pool->multi, t->easy);
    t->pool = NULL;
    if (--pool->n_transfers == 0) {
        loop_timer_set(pool->idle, clock_now_us() + POOL_IDLE_US);
    }
}

static void transfer_free(struct transfer *t)
{
    if (t->easy) {
        curl_easy_cleanup(t->easy);
    }
    for (struct curl_slist *line = t->headers; line; line = line->next) {
        explicit_bzero(line->data, strlen(line->data));
    }
    curl_slist_free_all(t->headers);
    buf_release(&t->bytes);
    xfree(t->request_body);
    xfree(t->place);
    xfree(t);
}

/* A person's words, and which of them they are. */
static void fail_as(struct transfer *t, enum err code, enum error_cause cause, const char *fmt)
{
    error_set(&t->error, code, "%s %s", t->place, fmt);
    t->error.cause = cause;
}

static void explain_connect(struct transfer *t)
{
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

/* The connection ended where there should have been more. */
static void explain_break(struct transfer *t)
{
    if (t->status != 0) {
        error_set(&t->error, ERR_PROTOCOL, "%s closed the connection in the middle of its answer",
                  t->place);
    } else {
        error_set(&t->error, ERR_CONNECT, "%s closed the connection without an answer", t->place);
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
    char *text = t->curl_message[0] ? t->curl_message : NULL;
    str why = text ? str_from(text) : str_from(curl_easy_strerror(code));
    error_set(&t->error, ERR_AUTH, "the certificate of %s is refused (%s); see caFile", t->place,
              LOG_SAFE(why));
    t->error.cause = code == CURLE_SSL_CACERT_BADFILE ? CAUSE_CA_FILE : certificate_cause(why);
}

static void explain_failure(struct transfer *t, CURLcode code)
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
        error_set(&t->error, ERR_CONNECT, "the proxy for %s has an unknown name", t->place);
        t->error.cause = CAUSE_PROXY;
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
        explain_no_tls(t);
        break;
    case CURLE_PARTIAL_FILE:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_GOT_NOTHING:
        explain_break(t);
        break;
    default:
        error_set(&t->error, ERR_PROTOCOL, "%s doesn't speak proper HTTP (%s)", t->place,
                  curl_easy_strerror(code));
        break;
    }
}
