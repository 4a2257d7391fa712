/* engine.c - a model server whose tokens come at once: what is left is the client's own time.
 *
 * Speaks what the benchmark needs of llama-server: /health, /props, /v1/models, /tokenize, and
 * /infill, /completion and /v1/chat/completions as streams. Each generation for typing is one line
 * of random words, token by token, then a line end, then one more line; each chat is words.
 *
 * usage: engine PORT_FILE STAMP_FILE [instant|hold|late [short|steady|stamped]]
 *   instant  everything at once
 *   hold     one line and its end, then nothing, the stream stays open
 *   late     the line; 10 ms later its end, right before which the time (CLOCK_MONOTONIC, ns) is
 *            put into STAMP_FILE, which is mapped
 *   short    chats: some words at once, and the end
 *   steady   chats: 50 words a second for ever
 *   stamped  chats: after 100 ms the first word, right before which the stamp is put, then 12 more,
 *            20 ms apart, and the end
 * The port it listens on, on loopback, is written to PORT_FILE. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { WORDS = 16, REQUEST_MAX = 1 << 20 };

static const char *mode = "instant";
static const char *chat_mode = "short";
static _Atomic uint64_t *stamp;
static _Atomic uint64_t rng = 88172645463325252u;

static uint64_t draw(void)
{
    uint64_t x = atomic_fetch_add(&rng, 0x9e3779b97f4a7c15u);
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void sleep_ms(unsigned ms)
{
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    nanosleep(&t, NULL);
}

static int send_all(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);
        if (n <= 0) {
            return 0;
        }
        bytes += n;
        len -= (size_t)n;
    }
    return 1;
}

static int send_json(int fd, const char *json)
{
    char out[2048];
    int n = snprintf(out, sizeof out,
                     "HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-8\r\n"
                     "Content-Length: %zu\r\n\r\n%s",
                     strlen(json), json);
    return send_all(fd, out, (size_t)n);
}

/* Appends one event as a chunk. */
static size_t event(char *out, size_t cap, const char *json)
{
    return (size_t)snprintf(out, cap, "%zx\r\ndata: %s\n\n\r\n", strlen(json) + 8, json);
}

static size_t token(char *out, size_t cap, const char *text)
{
    char json[256];
    (void)snprintf(json, sizeof json,
                   "{\"index\":0,\"content\":\"%s\",\"tokens\":[],\"stop\":false,\"id_slot\":0,"
                   "\"tokens_predicted\":1,\"tokens_evaluated\":10}",
                   text);
    return event(out, cap, json);
}

static size_t words(char *out, size_t cap)
{
    size_t len = 0;
    for (int i = 0; i < WORDS; i++) {
        char word[32];
        (void)snprintf(word, sizeof word, "%sw%05x", i > 0 ? " " : "",
                       (unsigned)(draw() & 0xfffff));
        len += token(out + len, cap - len, word);
    }
    return len;
}

static size_t ending(char *out, size_t cap)
{
    size_t len = event(out, cap,
                       "{\"index\":0,\"content\":\"\",\"tokens\":[],\"id_slot\":0,\"stop\":true,"
                       "\"stop_type\":\"eos\",\"stopping_word\":\"\",\"tokens_predicted\":34,"
                       "\"tokens_evaluated\":10,\"tokens_cached\":10,\"truncated\":false,"
                       "\"timings\":{\"cache_n\":0,\"prompt_n\":10,\"prompt_ms\":1.0,"
                       "\"predicted_n\":34,\"predicted_ms\":1.0}}");
    return len + (size_t)snprintf(out + len, cap - len, "0\r\n\r\n");
}

static size_t stream_head(char *out, size_t cap)
{
    return (size_t)snprintf(out, cap,
                            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                            "Transfer-Encoding: chunked\r\n\r\n");
}

static int generate(int fd)
{
    char out[32768];
    size_t len = stream_head(out, sizeof out);
    len += words(out + len, sizeof out - len);
    if (strcmp(mode, "late") == 0) {
        if (!send_all(fd, out, len)) {
            return 0;
        }
        sleep_ms(10);
        len = token(out, sizeof out, "\\n");
        atomic_store(stamp, now_ns());
        if (!send_all(fd, out, len)) {
            return 0;
        }
        sleep_ms(10);
        len = 0;
    } else {
        len += token(out + len, sizeof out - len, "\\n");
    }
    if (strcmp(mode, "hold") == 0) {
        char byte;
        /* Until the client closes. */
        return send_all(fd, out, len) && recv(fd, &byte, 1, 0) > 0 && 0;
    }
    len += words(out + len, sizeof out - len);
    len += token(out + len, sizeof out - len, "\\n");
    len += ending(out + len, sizeof out - len);
    return send_all(fd, out, len);
}

/* -- chats -- */

static size_t chat_event(char *out, size_t cap, const char *choices, const char *more)
{
    char json[1024];
    (void)snprintf(json, sizeof json,
                   "{\"choices\":[%s],\"created\":1795320404,\"model\":\"bench-model\","
                   "\"system_fingerprint\":\"b1-bench\",\"object\":\"chat.completion.chunk\"%s,"
                   "\"id\":\"chatcmpl-bench\"}",
                   choices, more);
    return event(out, cap, json);
}

/* The i-th word, with a line end after each eighth. */
static size_t chat_word(char *out, size_t cap, int i)
{
    char choice[160];
    (void)snprintf(choice, sizeof choice,
                   "{\"finish_reason\":null,\"index\":0,\"delta\":{\"content\":\"%sw%05x\"}}",
                   i == 0       ? ""
                   : i % 8 == 0 ? "\\n"
                                : " ",
                   (unsigned)(draw() & 0xfffff));
    return chat_event(out, cap, choice, "");
}

static size_t chat_end(char *out, size_t cap)
{
    size_t len = chat_event(out, cap, "{\"finish_reason\":\"stop\",\"index\":0,\"delta\":{}}", "");
    len += chat_event(out + len, cap - len, "",
                      ",\"usage\":{\"completion_tokens\":13,\"prompt_tokens\":10,"
                      "\"total_tokens\":23},\"timings\":{\"cache_n\":0,\"prompt_n\":10,"
                      "\"prompt_ms\":1.0,\"predicted_n\":13,\"predicted_ms\":1.0}");
    return len + (size_t)snprintf(out + len, cap - len, "e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n");
}

static int chat(int fd)
{
    char out[8192];
    bool is_short = strcmp(chat_mode, "short") == 0;
    bool is_stamped = strcmp(chat_mode, "stamped") == 0;
    size_t len = stream_head(out, sizeof out);
    len += chat_event(out + len, sizeof out - len,
                      "{\"finish_reason\":null,\"index\":0,\"delta\":{\"role\":\"assistant\","
                      "\"content\":null}}",
                      "");
    for (int i = 0; i < 13 || (!is_short && !is_stamped); i++) {
        if (!is_short) {
            if (!send_all(fd, out, len)) {
                return 0;
            }
            sleep_ms(is_stamped && i == 0 ? 100 : 20);
            len = 0;
        }
        len += chat_word(out + len, sizeof out - len, i);
        if (is_stamped && i == 0) {
            atomic_store(stamp, now_ns());
        }
    }
    len += chat_end(out + len, sizeof out - len);
    return send_all(fd, out, len);
}

/* -- requests -- */

/* Each control token of the body as one token with its spelling; what a client asks to find out
 * whether the model fills in the middle. */
static int tokenize(int fd, const char *body)
{
    char json[1024];
    size_t len = (size_t)snprintf(json, sizeof json, "{\"tokens\":[");
    int id = 0;
    for (const char *at = body; (at = strstr(at, "<|fim_")) != NULL && len < 900;) {
        const char *end = strstr(at, "|>");
        int n = end != NULL && end - at < 32 ? (int)(end - at) + 2 : 6;
        len += (size_t)snprintf(json + len, sizeof json - len, "%s{\"id\":%d,\"piece\":\"%.*s\"}",
                                id > 0 ? "," : "", id + 1, n, at);
        id++;
        at += n;
    }
    (void)snprintf(json + len, sizeof json - len, "]}");
    return send_json(fd, json);
}

static int answer(int fd, const char *request, const char *body)
{
    if (strncmp(request, "POST /infill", 12) == 0 ||
        strncmp(request, "POST /completion", 16) == 0) {
        return generate(fd);
    }
    if (strncmp(request, "POST /v1/chat/completions", 25) == 0) {
        return chat(fd);
    }
    if (strncmp(request, "POST /tokenize", 14) == 0) {
        return tokenize(fd, body);
    }
    if (strncmp(request, "GET /props", 10) == 0) {
        return send_json(fd, "{\"default_generation_settings\":{\"id\":0,\"n_ctx\":8192,"
                             "\"params\":{\"n_predict\":-1}},\"total_slots\":4,"
                             "\"model_alias\":\"bench-model\","
                             "\"model_path\":\"/models/bench-model.gguf\",\"chat_template\":\"\","
                             "\"bos_token\":\"\",\"eos_token\":\"<|endoftext|>\","
                             "\"build_info\":\"b1-bench\",\"is_sleeping\":false}");
    }
    if (strstr(request, "/models") != NULL) {
        return send_json(fd, "{\"object\":\"list\",\"data\":[{\"id\":\"bench-model\","
                             "\"object\":\"model\",\"created\":1,\"owned_by\":\"llamacpp\","
                             "\"meta\":{\"vocab_type\":2,\"n_vocab\":4096,\"n_ctx_train\":8192,"
                             "\"n_embd\":256,\"n_params\":1500000000,\"size\":1650000000}}]}");
    }
    return send_json(fd, "{\"status\":\"ok\"}");
}

static void *serve(void *arg)
{
    int fd = (int)(intptr_t)arg;
    int one = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    char *in = malloc(REQUEST_MAX + 1);
    size_t len = 0;
    ssize_t n;
    while (in != NULL && (n = recv(fd, in + len, REQUEST_MAX - len, 0)) > 0) {
        len += (size_t)n;
        in[len] = '\0';
        char *body = strstr(in, "\r\n\r\n");
        if (body == NULL) {
            continue;
        }
        const char *length = strcasestr(in, "\r\ncontent-length:");
        size_t total = (size_t)(body + 4 - in) +
                       (length != NULL && length < body ? strtoul(length + 17, NULL, 10) : 0);
        if (len < total) {
            continue;
        }
        *body = '\0';
        if (!answer(fd, in, body + 4)) {
            break;
        }
        memmove(in, in + total, len - total);
        len -= total;
    }
    free(in);
    close(fd);
    return NULL;
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        return 2;
    }
    mode = argc > 3 ? argv[3] : mode;
    chat_mode = argc > 4 ? argv[4] : chat_mode;
    signal(SIGPIPE, SIG_IGN);
    int fd = open(argv[2], O_RDWR | O_CREAT, 0600);
    if (fd < 0 || ftruncate(fd, 8) != 0) {
        return 1;
    }
    stamp = mmap(NULL, 8, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    if (stamp == MAP_FAILED || bind(listener, (struct sockaddr *)&at, sizeof at) != 0 ||
        listen(listener, 64) != 0 || getsockname(listener, (struct sockaddr *)&at, &len) != 0) {
        return 1;
    }
    FILE *port = fopen(argv[1], "w");
    if (port == NULL || fprintf(port, "%u\n", ntohs(at.sin_port)) < 0 || fclose(port) != 0) {
        return 1;
    }
    int client;
    while ((client = accept(listener, NULL, NULL)) >= 0) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, serve, (void *)(intptr_t)client) == 0) {
            pthread_detach(thread);
        }
    }
    return 0;
}
