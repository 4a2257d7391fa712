/* server.h - a scripted HTTP server on loopback, for tests; lives on the test's own loop. */
#ifndef CRUCIBLE_TESTS_SERVER_H
#define CRUCIBLE_TESTS_SERVER_H

#include "tests/unit/core/loop/bounded.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#define SERVER_MAX_CONNECTIONS 64

struct server;
struct server_connection {
    struct server *server;
    struct loop_stream *stream; /* NULL once the test closed it */
    int fd;
    struct buf in;
    bool is_closed; /* by the other side */
    uint64_t closed_us;
};
/* Called with each complete request, "GET /x HTTP/1.1\r\n..." and its body. */
typedef void server_fn(struct server_connection *c, str request, void *user);

struct server {
    struct loop *loop;
    int fd;
    uint16_t port;
    struct loop_poll *poll;
    server_fn *fn;
    void *user;
    struct server_connection connections[SERVER_MAX_CONNECTIONS];
    size_t n_connections, n_requests;
    struct buf last_request;
};

static inline void server_on_end(enum err err, void *user)
{
    (void)err;
    struct server_connection *c = user;
    c->is_closed = true;
    c->closed_us = clock_now_us();
}

/* Bytes of the complete request at the beginning of `in`, 0 while there is none. */
static inline size_t server_request_len(str in)
{
    size_t head = str_find(in, STR("\r\n\r\n"), 0);
    size_t at = str_find(in, STR("Content-Length: "), 0);
    uint64_t n_body = 0;
    if (head == SIZE_MAX) {
        return 0;
    }
    if (at < head) {
        str value = str_sub(in, at + 16, str_find(in, STR("\r\n"), at));
        assert_true(str_to_u64(value, 1u << 30, &n_body));
    }
    return in.len >= head + 4 + n_body ? head + 4 + (size_t)n_body : 0;
}

static inline void server_on_read(str bytes, void *user)
{
    struct server_connection *c = user;
    size_t len;
    buf_append(&c->in, bytes);
    while (c->stream && (len = server_request_len(buf_str(&c->in))) > 0) {
        buf_clear(&c->server->last_request);
        buf_append(&c->server->last_request, str_sub(buf_str(&c->in), 0, len));
        buf_consume(&c->in, len);
        c->server->n_requests++;
        if (c->server->fn) {
            c->server->fn(c, buf_str(&c->server->last_request), c->server->user);
        }
    }
}

static inline void server_on_connection(int events, bool is_error, void *user)
{
    (void)events;
    (void)is_error;
    struct server *s = user;
    int fd = accept(s->fd, NULL, NULL), one = 1;
    if (fd < 0) {
        return;
    }
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    assert_true(s->n_connections < SERVER_MAX_CONNECTIONS);
    struct server_connection *c = &s->connections[s->n_connections++];
    *c = (struct server_connection){.server = s, .fd = fd};
    buf_init(&c->in, 16u << 20);
    struct loop_stream_events stream_events = {server_on_read, server_on_end, NULL, c};
    assert_int_equal(loop_stream_open(s->loop, fd, &stream_events, &c->stream), ERR_OK);
    loop_stream_read(c->stream, true);
}

/* Listens on a free port, or on `port` where it isn't 0. */
static inline void server_start(struct server *s, struct loop *loop, uint16_t port, server_fn *fn,
                                void *user)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    socklen_t len = sizeof address;
    int one = 1;
    *s = (struct server){.loop = loop, .fn = fn, .user = user};
    buf_init(&s->last_request, 16u << 20);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    s->fd = socket(AF_INET, SOCK_STREAM, 0);
    (void)setsockopt(s->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    assert_int_equal(bind(s->fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(s->fd, 64), 0);
    assert_int_equal(getsockname(s->fd, (struct sockaddr *)&address, &len), 0);
    s->port = ntohs(address.sin_port);
    s->poll = loop_poll_create(loop, s->fd, server_on_connection, s);
    loop_poll_set(s->poll, LOOP_READABLE);
}

static inline void server_close(struct server_connection *c)
{
    loop_stream_destroy(c->stream);
    c->stream = NULL;
}

/* Ends the connection with a reset. */
static inline void server_reset(struct server_connection *c)
{
    struct linger linger = {.l_onoff = 1};
    (void)setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    server_close(c);
}

/* Closes everything: nobody listens on the port any more. */
static inline void server_stop(struct server *s)
{
    if (!s->poll) {
        return;
    }
    for (size_t i = 0; i < s->n_connections; i++) {
        server_close(&s->connections[i]);
        buf_release(&s->connections[i].in);
    }
    loop_poll_destroy(s->poll);
    s->poll = NULL;
    close(s->fd);
    buf_release(&s->last_request);
}

static inline void server_send(struct server_connection *c, const char *text)
{
    loop_stream_write(c->stream, str_from(text));
}

/* A whole response. */
static inline void server_reply(struct server_connection *c, int status, const char *content_type,
                                const char *body)
{
    struct buf out;
    buf_init(&out, 16u << 20);
    buf_appendf(&out, "HTTP/1.1 %d X\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n%s", status,
                content_type, strlen(body), body);
    loop_stream_write(c->stream, buf_str(&out));
    buf_release(&out);
}

static inline bool server_got(const struct server *s, const char *text)
{
    return str_contains_nocase(buf_str(&s->last_request), str_from(text));
}

#endif
