/* http.c - transfers: the one rim to the network.
 *
 * Why      Prompts and keys leave the machine here, so everything that could send them elsewhere
 *          (redirects, netrc, proxies of the environment, connections of another identity, names
 *          that lead to other machines) is switched off in one place that can be read at once.
 * How      A transfer is an easy handle of libcurl's in a pool (http_pool.c). libcurl runs inside
 *          http_act only; its callbacks collect into the transfer, which joins the list of those
 *          that have something to tell. They are told when libcurl has returned, so an owner may
 *          start and cancel whatever it likes from inside an event. A transfer that can't be
 *          started takes the same way, from a timer.
 *          Warming is a transfer that nobody listens to: libcurl keeps no connection that it
 *          opened without a request (CONNECT_ONLY ones aren't used again, and those of a transfer
 *          that is stopped before its request are closed), so a request that costs the server
 *          nothing has to be made.
 * Rules    A cancelled transfer leaves its multi handle at once, which closes its socket. Pools
 *          without transfers are dropped after a while. Keys, headers and bodies are never logged.
 */
#include "core/upstream/http_internal.h"

#include "core/base/clock.h"
#include "core/base/limits.h"
#include "core/base/log.h"
#include "core/upstream/address.h"
#include "core/upstream/http_check.h"

#include <netinet/in.h>

#define DEFAULT_CONNECTIONS 10u
#define DEFAULT_IDLE_S      60u
#define RESPONSE_KEEP_BYTES (256u * KIB)
#define CONNECT_TIMEOUT_MS  3000u
#define WARM_TIMEOUT_MS     5000L

static unsigned n_users; /* of libcurl's global state */

static void on_later(void *user);
static void deliver_ready(struct http *h);
static enum err transfer_prepare(struct transfer *t, const struct http_target *target,
                                 const struct http_request *request);
static void transfer_free(struct transfer *t);
static void push_ready(struct transfer *t);
static void remove_ready(struct transfer *t);

/* -- the object -- */

struct http *http_create(struct loop *loop)
{
    struct http *h = xcalloc(1, sizeof *h);
    h->loop = loop;
    h->n_connections = DEFAULT_CONNECTIONS;
    h->idle_s = DEFAULT_IDLE_S;
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

static struct transfer *transfer_create(struct http *h, size_t max_body,
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
    return t;
}

uint64_t http_start(struct http *h, const struct http_target *target,
                    const struct http_request *request, size_t max_body,
                    const struct http_events *events)
{
    struct transfer *t = transfer_create(h, max_body, events);
    if (transfer_prepare(t, target, request) == ERR_OK) {
        pool_join(pool_of(h, target), t);
        log_debug(LOG_UPSTREAM, "http: transfer=%llu started", (unsigned long long)t->id);
    } else {
        t->is_over = t->has_failed = true;
        push_ready(t);
        loop_timer_set(h->later, 0);
    }
    return t->id;
}

static void on_warm_status(int status, str content_type, void *user)
{
    (void)status;
    (void)content_type;
    (void)user;
}

static void on_warm_bytes(str bytes, void *user)
{
    (void)bytes;
    (void)user;
}

static void on_warm_done(const struct error *error, void *user)
{
    (void)error; /* whoever needs the connection will hear of it */
    (void)user;
}

bool http_warm(struct http *h, const struct http_target *target, const struct http_request *request)
{
    static const struct http_events events = {on_warm_status, on_warm_bytes, on_warm_done, NULL,
                                              NULL};
    struct transfer *t = transfer_create(h, HTTP_MAX_BODY_BYTES, &events);
    struct pool *pool = transfer_prepare(t, target, request) == ERR_OK ? pool_of(h, target) : NULL;
    if (!pool || pool->warming || pool_has_spare(pool)) {
        http_cancel(h, t->id);
        return false;
    }
    curl_easy_setopt(t->easy, CURLOPT_FRESH_CONNECT, 1L);
    curl_easy_setopt(t->easy, CURLOPT_TIMEOUT_MS, WARM_TIMEOUT_MS);
    pool->warming = t;
    pool_join(pool, t);
    log_debug(LOG_UPSTREAM, "http: transfer=%llu opens a connection ahead",
              (unsigned long long)t->id);
    return true;
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
    if (t->pool) {
        pool_leave(t->pool, t);
    }
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

void http_set_idle(struct http *h, unsigned seconds)
{
    h->idle_s = seconds > 0 ? seconds : DEFAULT_IDLE_S;
}

void http_forget_idle(struct http *h)
{
    struct pool *pool, *next;
    HASH_ITER(hh, h->pools, pool, next)
    {
        pool_forget(pool);
    }
}

struct http_stats http_stats(const struct http *h)
{
    struct http_stats now = {0};
    for (struct pool *pool = h->pools; pool; pool = pool->hh.next) {
        pool_count(pool, &now); /* may find that some are closed */
    }
    struct http_stats stats = h->stats;
    stats.n_open = now.n_open;
    stats.n_idle = now.n_idle;
    return stats;
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

/* -- libcurl at work -- */

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
        http_explain(t, code);
        t->is_over = true;
        pool_leave(pool, t);
        push_ready(t);
    }
}

void http_act(struct pool *pool, curl_socket_t fd, int events)
{
    int n_running;
    struct http *h = pool->http;
    (void)curl_multi_socket_action(pool->multi, fd, events, &n_running);
    collect_finished(pool);
    deliver_ready(h);
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
    if (status == 407) {
        http_explain_proxy(t, status);
        return 0;
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

/* Whether it isn't the port of the origin that is connected to. */
static bool is_other_port(const struct transfer *t, const struct sockaddr *to)
{
    uint64_t port = 0;
    bool is_known = str_to_u64(str_after_last(str_from(t->place), ':'), 65535, &port);
    uint16_t be = to->sa_family == AF_INET6
                      ? ((const struct sockaddr_in6 *)(const void *)to)->sin6_port
                      : ((const struct sockaddr_in *)(const void *)to)->sin_port;
    return is_known && port != ntohs(be);
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
    t->is_by_proxy = t->is_by_proxy || is_other_port(t, &to->addr);
    return pool_open_socket(t->pool, to);
}

/* About to send the request: for a second time where the connection was a kept one that has died.
 */
static int on_send(void *user, char *to_ip, char *from_ip, int to_port, int from_port)
{
    (void)to_ip;
    (void)from_ip;
    (void)to_port;
    (void)from_port;
    struct transfer *t = user;
    bool is_again = t->is_sent;
    t->is_sent = true;
    if (!is_again || !t->events.may_resend || t->events.may_resend(t->events.user)) {
        return CURL_PREREQFUNC_OK;
    }
    error_set(&t->error, ERR_CONNECT, "%s closed the connection without an answer", t->place);
    return CURL_PREREQFUNC_ABORT;
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
                     target->ca_file.len + target->client_cert.len + target->client_key.len +
                     target->origin.len;
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
    curl_easy_setopt(t->easy, CURLOPT_CLOSESOCKETFUNCTION, pool_close_socket);
    curl_easy_setopt(t->easy, CURLOPT_PREREQFUNCTION, on_send);
    curl_easy_setopt(t->easy, CURLOPT_PREREQDATA, t);
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
    curl_easy_setopt(easy, CURLOPT_PROXY_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(easy, CURLOPT_PROXY_SSL_VERIFYHOST, 2L);
    curl_easy_setopt(easy, CURLOPT_HEADEROPT, (long)CURLHEADER_SEPARATE); /* no key to a proxy */
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L); /* never wait for a resolver thread */
    curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, 30L);
    curl_easy_setopt(easy, CURLOPT_MAXLIFETIME_CONN, CONNECTION_MAX_LIFE_S);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "crucible-ls");
}

/* Who is trusted: the endpoint's own file, or what the environment names to curl. A proxy's
 * certificate is looked at in the same light. */
static void set_trust(CURL *easy, str ca_file)
{
    const char *bundle = getenv("CURL_CA_BUNDLE"), *file = getenv("SSL_CERT_FILE"),
               *dir = getenv("SSL_CERT_DIR");
    bool has_bundle = bundle && bundle[0];
    if (ca_file.len == 0 && !has_bundle && dir && dir[0]) {
        set_text(easy, CURLOPT_CAPATH, str_from(dir));
        set_text(easy, CURLOPT_PROXY_CAPATH, str_from(dir));
    }
    ca_file = ca_file.len > 0 ? ca_file : str_from(has_bundle ? bundle : file);
    if (ca_file.len > 0) {
        set_text(easy, CURLOPT_CAINFO, ca_file);
        set_text(easy, CURLOPT_PROXY_CAINFO, ca_file);
    }
}

static void set_client_cert(CURL *easy, const struct http_target *target)
{
    set_text(easy, CURLOPT_SSLCERT, target->client_cert);
    if (target->client_key.len > 0) {
        set_text(easy, CURLOPT_SSLKEY, target->client_key);
    }
    curl_easy_setopt(easy, CURLOPT_KEYPASSWD, ""); /* else the terminal is asked for it */
}

static void set_target(struct transfer *t, const struct http_target *target)
{
    unsigned timeout_ms =
        target->connect_timeout_ms ? target->connect_timeout_ms : CONNECT_TIMEOUT_MS;
    curl_easy_setopt(t->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)timeout_ms);
    curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->headers);
    curl_easy_setopt(t->easy, CURLOPT_MAXAGE_CONN, (long)t->http->idle_s);
    if (target->is_loopback_only || http_is_loopback(target->origin)) {
        curl_easy_setopt(t->easy, CURLOPT_PROXY, ""); /* not the environment's either */
    } else if (target->proxy.len > 0) {
        set_text(t->easy, CURLOPT_PROXY, target->proxy);
        t->is_by_proxy = true;
    }
    set_trust(t->easy, target->ca_file);
    t->has_client_cert = target->client_cert.len > 0;
    if (t->has_client_cert) {
        set_client_cert(t->easy, target);
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
    if (request->is_head) {
        curl_easy_setopt(t->easy, CURLOPT_NOBODY, 1L);
    }
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
    t->must_connect = target->must_connect;
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
