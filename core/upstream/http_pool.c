/* http_pool.c - the connections of one identity: libcurl's multi handle on our loop.
 *
 * Why      Keys are headers, and to libcurl a connection is the same whoever's key went over it
 *          (it compares host, proxy and TLS settings, not even the client's private key). So each
 *          identity has a multi handle of its own: what isn't in it can't be used again.
 * How      libcurl grows a pool as far as it is let, takes the oldest connection that is free, and
 *          closes those that nobody needed for `idle_s` when the next transfer starts. A pool that
 *          stays without transfers for that long is dropped as a whole. Sockets are opened and
 *          closed by us, so each is known: one that libcurl wants to hear of is in use, the others
 *          are idle.
 * Rules    An idle connection on which anything is heard is over: the end is the server's good
 *          right, a byte would be read as the beginning of the next answer. libcurl notices the
 *          one, but not everywhere the other, so it is ended here before each start.
 *          A descriptor is only touched while it is the socket that was opened: libcurl closes
 *          some without a word (attempts that failed), and numbers are given out again. */
#include "core/upstream/http_internal.h"

#include "core/base/clock.h"
#include "core/base/limits.h"
#include "core/upstream/http_check.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONNECTION_SILENCE_MS 30000u /* unacknowledged bytes: the peer is gone */
#define STRAY_MAX_READS       64

struct connection { /* a socket of libcurl's */
    struct pool *pool;
    curl_socket_t fd;
    struct loop_poll *poll; /* NULL: libcurl doesn't want to hear of it */
    int events;
    bool is_counted; /* opened by pool_open_socket; else it is of libcurl's own works */
    ino_t inode;     /* of a counted one */
    uint64_t opened_us, idle_us;
    UT_hash_handle hh; /* in pool->connections, by fd */
};

static void on_socket_ready(int events, bool is_error, void *user);

/* -- the sockets that there are -- */

static struct connection *connection_of(struct pool *pool, curl_socket_t fd)
{
    struct connection *c;
    HASH_FIND(hh, pool->connections, &fd, sizeof fd, c);
    return c;
}

static struct connection *connection_add(struct pool *pool, curl_socket_t fd)
{
    struct connection *c = xcalloc(1, sizeof *c);
    c->pool = pool;
    c->fd = fd;
    HASH_ADD(hh, pool->connections, fd, sizeof c->fd, c);
    return c;
}

static void connection_drop(struct connection *c)
{
    struct pool *pool = c->pool;
    pool->http->stats.n_closed += c->is_counted;
    HASH_DEL(pool->connections, c);
    loop_poll_destroy(c->poll);
    xfree(c);
}

static bool is_there(const struct connection *c)
{
    struct stat st;
    return fstat(c->fd, &st) == 0 && S_ISSOCK(st.st_mode) && st.st_ino == c->inode;
}

static bool is_idle(const struct connection *c)
{
    return c->is_counted && !c->poll;
}

/* Forgets those that libcurl has closed without saying so. */
static void reap(struct pool *pool)
{
    struct connection *c, *next;
    HASH_ITER(hh, pool->connections, c, next)
    {
        if (is_idle(c) && !is_there(c)) {
            connection_drop(c);
        }
    }
}

/* The number of a socket that is gone is given out again: what is known of the old one goes, too.
 * Gives what libcurl wanted to hear of it, as it may take the new one for the same. */
static int forget_number(struct http *h, const struct pool *own, curl_socket_t fd)
{
    int events = 0;
    for (struct pool *pool = h->pools; pool; pool = pool->hh.next) {
        struct connection *c = connection_of(pool, fd);
        if (c) {
            events = pool == own && c->poll ? c->events : 0;
            connection_drop(c);
        }
    }
    return events;
}

static bool watch(struct connection *c, int events)
{
    c->poll = c->poll ? c->poll : loop_poll_create(c->pool->http->loop, c->fd, on_socket_ready, c);
    c->events = events;
    if (c->poll) {
        loop_poll_set(c->poll, events);
    }
    return c->poll != NULL;
}

curl_socket_t pool_open_socket(struct pool *pool, const struct curl_sockaddr *to)
{
    struct stat st;
    int fd = socket(to->family, to->socktype, to->protocol);
    if (fd < 0 || fstat(fd, &st) != 0) {
        return CURL_SOCKET_BAD;
    }
    (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
#ifdef TCP_USER_TIMEOUT
    unsigned silence_ms = CONNECTION_SILENCE_MS;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &silence_ms, sizeof silence_ms);
#endif
    int events = forget_number(pool->http, pool, fd);
    struct connection *c = connection_add(pool, fd);
    c->is_counted = true;
    c->inode = st.st_ino;
    c->opened_us = c->idle_us = clock_now_us();
    pool->http->stats.n_opened++;
    if (events != 0) {
        (void)watch(c, events);
    }
    return fd;
}

int pool_close_socket(void *user, curl_socket_t fd)
{
    struct connection *c = connection_of(user, fd);
    if (c) {
        connection_drop(c);
    }
    return close(fd);
}

/* -- which of them can be trusted -- */

/* Nothing is to be read: neither an end nor a byte that nobody asked for. */
static bool is_quiet(const struct connection *c)
{
    char byte;
    return recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
           (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR);
}

/* libcurl finds it at its end, and closes it, before the next transfer could use it. */
static void end_idle(const struct connection *c)
{
    char stray[4096];
    (void)shutdown(c->fd, SHUT_RDWR);
    for (int i = 0; i < STRAY_MAX_READS; i++) {
        if (recv(c->fd, stray, sizeof stray, MSG_DONTWAIT) <= 0) {
            return;
        }
    }
}

void pool_distrust(struct pool *pool)
{
    reap(pool);
    for (struct connection *c = pool->connections; c; c = c->hh.next) {
        if (is_idle(c) && !is_quiet(c)) {
            end_idle(c);
        }
    }
}

void pool_forget(struct pool *pool)
{
    reap(pool);
    for (struct connection *c = pool->connections; c; c = c->hh.next) {
        if (is_idle(c)) {
            end_idle(c);
        }
    }
}

/* Whether libcurl would still take it in a moment, by its age. */
static bool is_fresh(const struct connection *c, uint64_t now_us)
{
    uint64_t idle_us = SEC_TO_US((uint64_t)c->pool->http->idle_s);
    return now_us - c->idle_us < idle_us - idle_us / 10 &&
           now_us - c->opened_us < SEC_TO_US((uint64_t)CONNECTION_MAX_LIFE_S - 10);
}

bool pool_has_spare(struct pool *pool)
{
    uint64_t now_us = clock_now_us();
    size_t n_live = 0;
    reap(pool);
    for (struct connection *c = pool->connections; c; c = c->hh.next) {
        n_live += c->is_counted && (c->poll || (is_fresh(c, now_us) && is_quiet(c)));
    }
    return n_live > pool->n_transfers || pool->n_transfers >= pool->http->n_connections;
}

void pool_count(struct pool *pool, struct http_stats *stats)
{
    reap(pool);
    for (struct connection *c = pool->connections; c; c = c->hh.next) {
        stats->n_open += c->is_counted;
        stats->n_idle += is_idle(c);
    }
}

/* -- libcurl's timers and sockets on our loop -- */

static void on_pool_timeout(void *user)
{
    http_act(user, CURL_SOCKET_TIMEOUT, 0);
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
    struct connection *c = user;
    if (is_error) { /* libcurl finds out what it is by reading; until then it stays watched */
        loop_poll_set(c->poll, c->events);
    }
    int bits = (events & LOOP_READABLE ? CURL_CSELECT_IN : 0) |
               (events & LOOP_WRITABLE ? CURL_CSELECT_OUT : 0);
    http_act(c->pool, c->fd, bits);
}

static void on_socket_unwanted(struct connection *c)
{
    loop_poll_destroy(c->poll);
    c->poll = NULL;
    c->idle_us = clock_now_us();
    if (!c->is_counted) {
        connection_drop(c);
    }
}

static int on_socket_wanted(CURL *easy, curl_socket_t fd, int what, void *user, void *assigned)
{
    (void)easy;
    (void)assigned;
    struct pool *pool = user;
    struct connection *c = connection_of(pool, fd);
    if (what == CURL_POLL_REMOVE) {
        if (c) {
            on_socket_unwanted(c);
        }
        return 0;
    }
    int events =
        (what & CURL_POLL_IN ? LOOP_READABLE : 0) | (what & CURL_POLL_OUT ? LOOP_WRITABLE : 0);
    return watch(c ? c : connection_add(pool, fd), events) ? 0 : -1;
}

/* -- the pool -- */

void pool_limit(struct pool *pool)
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

struct pool *pool_of(struct http *h, const struct http_target *target)
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

void pool_destroy(struct pool *pool)
{
    ASSERT(pool->n_transfers == 0);
    HASH_DEL(pool->http->pools, pool);
    curl_multi_cleanup(pool->multi); /* may still ask for its sockets and timers */
    while (pool->connections) {
        connection_drop(pool->connections);
    }
    loop_timer_destroy(pool->timer);
    loop_timer_destroy(pool->idle);
    explicit_bzero(pool->identity, pool->identity_len);
    xfree(pool->identity);
    xfree(pool);
}

void pool_join(struct pool *pool, struct transfer *t)
{
    if (pool->warming && pool->n_transfers >= pool->http->n_connections) {
        http_cancel(pool->http, pool->warming->id); /* nobody waits for that one */
    }
    if (t->must_connect) {
        pool_forget(pool); /* else each such would leave one more */
    } else {
        pool_distrust(pool);
    }
    t->pool = pool;
    curl_easy_setopt(t->easy, CURLOPT_CLOSESOCKETDATA, pool); /* outlives the connection */
    pool->n_transfers++;
    loop_timer_set(pool->idle, CLOCK_NEVER);
    ASSERT(curl_multi_add_handle(pool->multi, t->easy) == CURLM_OK);
}

/* What the transfer has to say about its connection, before it leaves it. */
static void count_transfer(struct pool *pool, const struct transfer *t)
{
    long n_connects = 0, n_bytes = 0;
    (void)curl_easy_getinfo(t->easy, CURLINFO_NUM_CONNECTS, &n_connects);
    (void)curl_easy_getinfo(t->easy, CURLINFO_REQUEST_SIZE, &n_bytes);
    pool->http->stats.n_reused += n_connects == 0 && n_bytes > 0;
    pool->http->stats.n_warmed += t == pool->warming && n_connects > 0 && t->status != 0;
}

/* Takes it out of libcurl's hands; where it isn't finished this closes its socket. */
void pool_leave(struct pool *pool, struct transfer *t)
{
    count_transfer(pool, t);
    (void)curl_multi_remove_handle(pool->multi, t->easy);
    t->pool = NULL;
    pool->warming = t == pool->warming ? NULL : pool->warming;
    if (--pool->n_transfers == 0) {
        loop_timer_set(pool->idle, clock_now_us() + SEC_TO_US((uint64_t)pool->http->idle_s));
    }
}
