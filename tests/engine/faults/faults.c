/* faults.c - a model server that breaks exactly where it is told, thousands of times a second.
 *
 * Why      What a network does to an answer at its 137th byte has to be tried at every byte, and a
 *          program that is to survive it a million times has to be tried a million times.
 * How      One thread, one epoll. A request gets the answer of its dialect (dialect.c) with what
 *          the plan in force (plan.c) does to it: cut, stalled, sliced, garbled, flooded. Each
 *          connection has what is left of its response and when the next bytes of it are due.
 *
 * usage: faults [--kind llamacpp|ollama|openai] [--port N] [--seed N] [--script FILE]
 *   prints "listening on PORT seed N"; answers POST /_faults (a script, see plan.h) and
 *   GET /_faults with its figures; ends when its standard input does. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "dialect.h"
#include "plan.h"

#define REQUEST_MAX ((size_t)8 << 20)
#define FLOOD_BLOCK ((size_t)64 << 10)
#define NEVER       UINT64_MAX

enum after { AFTER_KEEP, AFTER_FIN, AFTER_RST, AFTER_STALL };

struct client {
    int fd;
    struct bytes in;
    struct response r;
    bool is_busy, is_gone, is_generation;
    size_t sent, end; /* of r.all; what lies behind `end` isn't sent */
    enum after after;
    size_t slice, first, mark; /* `first`: bytes of the first write, 0: as the others */
    uint64_t gap_us, token_us, due_us;
    struct bytes block; /* of the flood */
    size_t unit;        /* of which it is made; only whole ones are sent */
    size_t split;       /* where in r.all the flood stands */
    uint64_t flood_left, flood_sent;
    struct client *next, **at;
};

static struct {
    unsigned long long connections, open, generations, probes, whole, cut, reset, midway, stalled,
        busy, aborted, bad, bytes_out, swept, len;
} figures;

static enum kind kind = KIND_LLAMACPP;
static struct client *clients;
static struct plan *for_generations, *for_probes;
static const struct plan plain = {.cut = -1};
static int poller;

static uint64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u;
}

/* -- plans -- */

static void take_script(struct plan *list)
{
    plan_free(for_generations);
    plan_free(for_probes);
    for_generations = for_probes = NULL;
    while (list) {
        struct plan **to = list->is_for_probes ? &for_probes : &for_generations;
        struct plan *next = list->next;
        while (*to) {
            to = &(*to)->next;
        }
        *to = list;
        list->next = NULL;
        list = next;
    }
}

/* The plan for this request; plans that are used up go. */
static struct plan *next_plan(bool is_generation)
{
    struct plan **first = is_generation ? &for_generations : &for_probes;
    struct plan *p = *first;
    while (p && p->next && p->times == UINT64_MAX) {
        *first = p->next;
        p->next = NULL;
        plan_free(p);
        p = *first;
    }
    if (p && p->times == UINT64_MAX) {
        return NULL;
    }
    if (p && p->times > 0 && --p->times == 0) {
        p->times = UINT64_MAX; /* was the last time */
    }
    return p;
}

/* -- responses -- */

static void add_block(struct client *c, const char *unit, size_t len)
{
    c->unit = len;
    while (len > 0 && c->block.len + len <= FLOOD_BLOCK) {
        bytes_add(&c->block, unit, len);
    }
}

static void plan_flood(struct client *c, const struct plan *p)
{
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n",
                      header[] = "X-Flood: aaaaaaaaaaaaaaaa\r\n";
    struct response *r = &c->r;
    char *line = strstr(r->all.ptr, "\r\n");
    c->flood_left = p->flood_bytes > 0 ? p->flood_bytes : NEVER;
    switch (p->flood) {
    case FLOOD_NONE:
        c->flood_left = 0;
        break;
    case FLOOD_LINE: /* one chunk that never ends */
        r->all.len = r->body;
        bytes_addf(&r->all, "fffffffff\r\ndata: {\"content\":\"");
        c->split = c->end = r->all.len;
        add_block(c, "xxxxxxxxxxxxxxxx", 16);
        break;
    case FLOOD_EVENTS:
        c->split = r->body;
        add_block(c, r->all.ptr + r->body, r->n_marks > 0 ? r->marks[0] - r->body : 0);
        break;
    case FLOOD_HEADERS:
        c->split = line ? (size_t)(line - r->all.ptr) + 2 : 0;
        add_block(c, header, sizeof header - 1);
        break;
    case FLOOD_CONTINUES:
        c->split = 0;
        add_block(c, go_on, sizeof go_on - 1);
        break;
    }
    if (p->flood != FLOOD_NONE) {
        size_t n = c->unit;
        c->flood_left = n == 0                   ? 0
                        : c->flood_left == NEVER ? NEVER
                                                 : (c->flood_left + n - 1) / n * n;
        c->token_us = 0;
    }
}

static void garble(struct response *r, unsigned permille)
{
    for (size_t i = 0; permille > 0 && i < r->all.len; i++) {
        if (dice(1000) < permille) {
            r->all.ptr[i] = (char)(r->all.ptr[i] ^ (char)(1 + dice(255)));
        }
    }
}

static void cut_at(struct client *c, size_t at, enum after after)
{
    c->end = at < c->r.all.len ? at : c->r.all.len;
    c->after = after;
    bool is_midway = c->r.n_marks > 0 && c->end >= c->r.marks[0];
    figures.cut += after == AFTER_FIN;
    figures.reset += after == AFTER_RST;
    figures.stalled += after == AFTER_STALL;
    figures.midway += is_midway;
}

static void plan_cut(struct client *c, struct plan *p)
{
    static const enum after afters[] = {AFTER_FIN, AFTER_RST, AFTER_STALL};
    size_t at = p->cut >= 0 ? (size_t)p->cut + (p->is_cut_body ? c->r.body : 0) : SIZE_MAX;
    figures.len = c->r.all.len;
    if (at != SIZE_MAX) {
        cut_at(c, at, afters[p->how]);
    }
    if (!p->is_sweep) {
        return;
    }
    bool is_through = at != SIZE_MAX ? at + 1 >= c->r.all.len : p->split + 1 >= c->r.all.len;
    if (at != SIZE_MAX) {
        p->cut = is_through ? 0 : p->cut + 1;
    } else {
        p->split = is_through ? 1 : p->split + 1;
    }
    figures.swept += is_through;
}

/* What chance does to a generation: 0 or the status it gets instead. */
static int draw_fault(const struct plan *p, enum after *after)
{
    uint64_t n = dice(1000);
    *after = n < p->mix_rst ? AFTER_RST : n < p->mix_rst + p->mix_stall ? AFTER_STALL : AFTER_KEEP;
    bool is_busy = *after == AFTER_KEEP && n < p->mix_rst + p->mix_stall + p->mix_busy;
    figures.busy += is_busy;
    return is_busy ? 503 : 0;
}

static void begin_response(struct client *c, const char *path, const char *body)
{
    c->is_generation = dialect_is_generation(path, body);
    struct plan *p = next_plan(c->is_generation), copy = plain;
    p = p ? p : &copy;
    enum after after;
    int status = draw_fault(p, &after);
    status = status ? status : p->status ? p->status : 200;
    *(c->is_generation ? &figures.generations : &figures.probes) += 1;
    response_free(&c->r);
    dialect_answer(kind, path, body, p, status, &c->r);
    bytes_add(&c->r.all, p->tail.ptr ? p->tail.ptr : "", p->tail.len);
    c->is_busy = true;
    c->sent = c->mark = 0;
    c->end = c->r.all.len;
    c->after = c->r.is_last || p->is_close ? AFTER_FIN : AFTER_KEEP;
    c->slice = p->slice;
    c->first = p->split;
    c->gap_us = p->gap_us;
    c->token_us = p->token_us;
    c->due_us = now_us() + p->delay_us;
    garble(&c->r, p->garble);
    plan_flood(c, p);
    plan_cut(c, p);
    if (after != AFTER_KEEP) {
        cut_at(c, dice(3) == 0 ? 0 : (size_t)dice(c->r.all.len), after);
    }
}

/* -- connections -- */

static void watch(const struct client *c, bool wants_out)
{
    struct epoll_event e = {.events = EPOLLIN | EPOLLRDHUP | (wants_out ? (uint32_t)EPOLLOUT : 0),
                            .data.ptr = (void *)(uintptr_t)c};
    (void)epoll_ctl(poller, EPOLL_CTL_MOD, c->fd, &e);
}

/* Closes it now; it is freed when the turn is over. */
static void hang_up(struct client *c, bool is_reset)
{
    struct linger linger = {.l_onoff = 1};
    if (c->is_gone) {
        return;
    }
    if (is_reset) {
        (void)setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    }
    close(c->fd);
    c->is_gone = true;
    c->is_busy = false;
    figures.open--;
}

static void sweep_gone(void)
{
    for (struct client *c = clients, *next; c; c = next) {
        next = c->next;
        if (c->is_gone) {
            *c->at = c->next;
            if (c->next) {
                c->next->at = c->at;
            }
            response_free(&c->r);
            bytes_free(&c->in);
            bytes_free(&c->block);
            free(c);
        }
    }
}

static void finish(struct client *c)
{
    c->block.len = 0;
    switch (c->after) {
    case AFTER_KEEP:
        figures.whole++;
        c->is_busy = false;
        break;
    case AFTER_FIN:
        hang_up(c, false);
        break;
    case AFTER_RST:
        hang_up(c, true);
        break;
    case AFTER_STALL:
        c->due_us = NEVER;
        break;
    }
}

/* Bytes that go out in the next write: up to the cut, a slice, a mark, or the flood. */
static size_t next_piece(const struct client *c)
{
    size_t to = c->end;
    if (c->flood_left > 0 && c->sent < c->split && c->split < to) {
        to = c->split;
    }
    if (c->sent < c->first && c->first < to) {
        to = c->first;
    }
    if (c->slice > 0 && to - c->sent > c->slice) {
        to = c->sent + c->slice;
    }
    if (c->token_us > 0 && c->mark < c->r.n_marks && c->r.marks[c->mark] < to) {
        to = c->r.marks[c->mark];
    }
    return to - c->sent;
}

static ssize_t send_some(struct client *c, const char *from, size_t n)
{
    ssize_t sent = send(c->fd, from, n, MSG_NOSIGNAL);
    if (sent < 0 && (errno == EAGAIN || errno == EINTR)) {
        watch(c, true);
        c->due_us = NEVER;
        return -1;
    }
    if (sent < 0) {
        figures.aborted += c->is_generation;
        hang_up(c, false);
        return -1;
    }
    figures.bytes_out += (unsigned long long)sent;
    return sent;
}

/* One write of the flood; false where it has to wait. */
static bool pour(struct client *c)
{
    size_t at = (size_t)(c->flood_sent % c->block.len), n = c->block.len - at;
    ssize_t sent = send_some(c, c->block.ptr + at, n < c->flood_left ? n : (size_t)c->flood_left);
    if (sent < 0) {
        return false;
    }
    c->flood_sent += (uint64_t)sent;
    c->flood_left -= c->flood_left == NEVER ? 0 : (uint64_t)sent;
    return true;
}

/* Puts the time into the words that are about to go. */
static void stamp(struct client *c, size_t n)
{
    static const char word[] = STAMP;
    char *at = c->r.all.ptr + c->sent, *end = at + n;
    while (c->token_us > 0 &&
           (at = memmem(at, (size_t)(end - at), word, sizeof word - 1)) != NULL) {
        char digits[STAMP_DIGITS + 1];
        (void)snprintf(digits, sizeof digits, "%016llu", (unsigned long long)now_us());
        memcpy(at + 1, digits, STAMP_DIGITS);
        at += sizeof word - 1;
    }
}

static void push(struct client *c)
{
    for (unsigned n_writes = 0; c->is_busy && now_us() >= c->due_us; n_writes++) {
        bool is_flooding = c->flood_left > 0 && c->sent >= c->split;
        size_t n = is_flooding ? 0 : next_piece(c);
        if (!is_flooding && n == 0) {
            finish(c);
            return;
        }
        if (n_writes >= 64) {
            watch(c, true); /* others have their turn */
            return;
        }
        if (is_flooding && !pour(c)) {
            return;
        }
        stamp(c, n);
        ssize_t sent = is_flooding ? 0 : send_some(c, c->r.all.ptr + c->sent, n);
        if (sent < 0) {
            return;
        }
        c->sent += (size_t)sent;
        bool is_at_mark = c->mark < c->r.n_marks && c->sent == c->r.marks[c->mark];
        c->mark += is_at_mark;
        c->due_us = now_us() + (is_at_mark && c->mark < c->r.n_marks ? c->token_us : 0) +
                    (is_flooding ? 0 : c->gap_us);
    }
}

/* -- requests -- */

static void answer_control(struct client *c, const char *body, size_t len)
{
    char bad[64] = "";
    struct plan *list = len > 0 ? plan_read(body, len, bad) : NULL;
    if (list) {
        take_script(list);
    }
    struct bytes json = {0};
    bytes_addf(
        &json,
        "{\"bad\":\"%s\",\"connections\":%llu,\"open\":%llu,\"generations\":%llu,\"probes\":%llu,"
        "\"whole\":%llu,\"cut\":%llu,\"reset\":%llu,\"midway\":%llu,\"stalled\":%llu,\"busy\":%llu,"
        "\"aborted\":%llu,\"garbage\":%llu,\"bytes\":%llu,\"swept\":%llu,\"len\":%llu}",
        bad, figures.connections, figures.open, figures.generations, figures.probes, figures.whole,
        figures.cut, figures.reset, figures.midway, figures.stalled, figures.busy, figures.aborted,
        figures.bad, figures.bytes_out, figures.swept, figures.len);
    response_free(&c->r);
    bytes_addf(&c->r.all, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s", json.len, json.ptr);
    bytes_free(&json);
    *c = (struct client){.fd = c->fd,
                         .in = c->in,
                         .r = c->r,
                         .is_busy = true,
                         .end = c->r.all.len,
                         .block = c->block,
                         .next = c->next,
                         .at = c->at};
}

/* How long the request is that `in` begins with; 0: not whole yet. */
static size_t request_length(const struct client *c, size_t *head)
{
    const char *end = c->in.len > 0 ? strstr(c->in.ptr, "\r\n\r\n") : NULL;
    if (!end) {
        return 0;
    }
    *head = (size_t)(end - c->in.ptr) + 4;
    size_t len = 0;
    for (const char *line = c->in.ptr; line && line < end; line = strstr(line, "\r\n")) {
        line += *line == '\r' ? 2 : 0;
        if (strncasecmp(line, "Content-Length:", 15) == 0) {
            len = strtoul(line + 15, NULL, 10);
        }
    }
    return *head + len <= c->in.len ? *head + len : 0;
}

static void serve_next(struct client *c)
{
    size_t head, len;
    while (!c->is_gone && !c->is_busy && (len = request_length(c, &head)) > 0) {
        char path[128] = "", kept = c->in.ptr[len];
        if (sscanf(c->in.ptr, "%*15s %127[^ ?\r\n]", path) != 1) {
            figures.bad++;
            hang_up(c, false);
            return;
        }
        c->in.ptr[len] = '\0';
        if (strncmp(path, "/_faults", 8) == 0) {
            answer_control(c, c->in.ptr + head, len - head);
        } else {
            begin_response(c, path, c->in.ptr + head);
        }
        c->in.ptr[len] = kept;
        memmove(c->in.ptr, c->in.ptr + len, c->in.len - len + 1);
        c->in.len -= len;
        push(c);
    }
}

static void hear(struct client *c)
{
    char block[65536];
    ssize_t n = recv(c->fd, block, sizeof block, 0);
    if (n > 0 && c->in.len + (size_t)n < REQUEST_MAX) {
        bytes_add(&c->in, block, (size_t)n);
        serve_next(c);
    } else if (n > 0 || n == 0 || (errno != EAGAIN && errno != EINTR)) {
        figures.aborted += c->is_busy && c->is_generation;
        hang_up(c, false);
    }
}

static void accept_all(int listener)
{
    int fd, one = 1;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct client *c = calloc(1, sizeof *c);
        if (!c) {
            exit(1);
        }
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        *c = (struct client){.fd = fd, .next = clients, .at = &clients};
        if (clients) {
            clients->at = &c->next;
        }
        clients = c;
        struct epoll_event e = {.events = EPOLLIN | EPOLLRDHUP, .data.ptr = c};
        (void)epoll_ctl(poller, EPOLL_CTL_ADD, fd, &e);
        figures.connections++;
        figures.open++;
    }
}

/* -- the loop -- */

static void run_due(void)
{
    for (struct client *c = clients; c; c = c->next) {
        if (c->is_busy && now_us() >= c->due_us) {
            push(c);
            serve_next(c);
        }
    }
}

static void wait_for_work(void)
{
    uint64_t next_us = NEVER, from_us = now_us();
    for (const struct client *c = clients; c; c = c->next) {
        next_us = c->is_busy && c->due_us < next_us ? c->due_us : next_us;
    }
    uint64_t wait_us = next_us > from_us ? next_us - from_us : 0;
    struct timespec t = {.tv_sec = (time_t)(wait_us / 1000000),
                         .tv_nsec = (long)(wait_us % 1000000) * 1000};
    struct pollfd p = {.fd = poller, .events = POLLIN};
    (void)ppoll(&p, 1, next_us == NEVER ? NULL : &t, NULL);
}

static bool turn(int listener)
{
    struct epoll_event events[256];
    wait_for_work();
    int n = epoll_wait(poller, events, 256, 0);
    for (int i = 0; i < n; i++) {
        struct client *c = events[i].data.ptr;
        if (!c) {
            accept_all(listener);
        } else if (events[i].data.ptr == &poller) { /* standard input has ended */
            return false;
        } else if (!c->is_gone && (events[i].events & ~(uint32_t)EPOLLOUT)) {
            hear(c);
        }
        if (c && c != (void *)&poller && !c->is_gone && (events[i].events & EPOLLOUT)) {
            watch(c, false);
            c->due_us = c->due_us == NEVER && c->sent < c->end ? 0 : c->due_us;
            c->due_us = c->flood_left > 0 ? 0 : c->due_us;
            push(c);
            serve_next(c);
        }
    }
    run_due();
    sweep_gone();
    return true;
}

static int listen_on(unsigned port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    socklen_t len = sizeof address;
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(fd, 1024) != 0 || getsockname(fd, (struct sockaddr *)&address, &len) != 0) {
        perror("faults");
        exit(1);
    }
    figures.len = ntohs(address.sin_port);
    return fd;
}

static void read_script(const char *name)
{
    struct bytes text = {0};
    char block[4096], bad[64];
    FILE *file = fopen(name, "rb");
    size_t n;
    while (file && (n = fread(block, 1, sizeof block, file)) > 0) {
        bytes_add(&text, block, n);
    }
    struct plan *list = plan_read(text.ptr ? text.ptr : "", text.len, bad);
    if (!file || !list) {
        fprintf(stderr, "faults: %s: %s\n", name, file ? bad : "can't be read");
        exit(2);
    }
    (void)fclose(file);
    bytes_free(&text);
    take_script(list);
}

int main(int argc, char **argv)
{
    static const char *const kinds[] = {"llamacpp", "ollama", "openai"};
    uint64_t seed = (uint64_t)time(NULL) ^ ((uint64_t)getpid() << 20);
    unsigned port = 0;
    const char *script = NULL;
    for (int i = 1; i + 1 < argc; i += 2) {
        port = strcmp(argv[i], "--port") == 0 ? (unsigned)strtoul(argv[i + 1], NULL, 10) : port;
        seed = strcmp(argv[i], "--seed") == 0 ? strtoull(argv[i + 1], NULL, 10) : seed;
        script = strcmp(argv[i], "--script") == 0 ? argv[i + 1] : script;
        for (int k = 0; k < 3 && strcmp(argv[i], "--kind") == 0; k++) {
            kind = strcmp(argv[i + 1], kinds[k]) == 0 ? (enum kind)k : kind;
        }
    }
    dice_seed(seed);
    if (script) {
        read_script(script);
    }
    (void)signal(SIGPIPE, SIG_IGN);
    poller = epoll_create1(EPOLL_CLOEXEC);
    int listener = listen_on(port);
    struct epoll_event e = {.events = EPOLLIN};
    (void)epoll_ctl(poller, EPOLL_CTL_ADD, listener, &e);
    e.data.ptr = &poller;
    (void)epoll_ctl(poller, EPOLL_CTL_ADD, STDIN_FILENO, &e);
    printf("listening on %llu seed %llu\n", figures.len, (unsigned long long)seed);
    (void)fflush(stdout);
    while (turn(listener)) {
    }
    return 0;
}
