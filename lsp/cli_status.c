/* cli_status.c - `status`: what the running servers of this user do, and why they did it.
 *
 * Why      "It suggests nothing" has a reason, and the server knows it; this asks without an
 *          editor and without a log level set beforehand.
 * How      Each server listens on a socket in the user's runtime directory and answers
 *          crucible/stats and crucible/status there in the editor's own framing. One after the
 *          other is asked, with a deadline; a socket nobody answers on is passed over.
 * Rules    The directory must be ours: in /tmp anybody could have made one of its name. Members
 *          that a server doesn't send are left out, since it may be of another version. Text from
 *          a server is cleaned before it reaches the terminal. */
#include "lsp/cli.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/base/json_write.h"
#include "core/base/limits.h"
#include "lsp/terminal.h"

#define ANSWER_WITHIN_US MS_TO_US(1500)
#define ANSWER_MAX_BYTES (4u * MIB)
#define SERVERS_MAX      64u
#define TRACE_SHOWN      12u

enum { ID_STATS = 1, ID_STATUS = 2 };

/* -- asking one server -- */

/* A message from the front of `in`: its body, and what it takes up with its header. False while it
 * isn't whole, or where its header is none. */
static bool next_message(str in, str *body, size_t *n_bytes)
{
    size_t end = str_find(in, STR("\r\n\r\n"), 0);
    if (end == SIZE_MAX) {
        return false;
    }
    str header = str_sub(in, 0, end);
    str line;
    uint64_t length = UINT64_MAX;
    while (str_next(&header, '\n', &line)) {
        size_t colon = str_find_char(line, ':', 0);
        if (colon != SIZE_MAX && str_eq_nocase(str_sub(line, 0, colon), STR("Content-Length")) &&
            !str_to_u64(str_trim(str_sub(line, colon + 1, line.len)), ANSWER_MAX_BYTES, &length)) {
            return false;
        }
    }
    if (length == UINT64_MAX || in.len - end - 4 < length) {
        return false;
    }
    *body = str_sub(in, end + 4, end + 4 + (size_t)length);
    *n_bytes = end + 4 + (size_t)length;
    return true;
}

static int connect_to(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len = strlen(path);
    if (len >= sizeof address.sun_path) {
        return -1;
    }
    memcpy(address.sun_path, path, len + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        close(fd);
        fd = -1;
    }
    return fd;
}

static bool send_questions(int fd)
{
    static const char *const bodies[] = {
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"crucible/stats\"}",
        "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"crucible/status\"}",
    };
    struct buf out = {0};
    buf_init(&out, 4 * KIB);
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        buf_appendf(&out, "Content-Length: %zu\r\n\r\n%s", strlen(bodies[i]), bodies[i]);
    }
    bool is_sent = send(fd, out.ptr, out.len, MSG_NOSIGNAL) == (ssize_t)out.len;
    buf_release(&out);
    return is_sent;
}

struct answers {
    struct buf in;     /* owned: what came and isn't read yet */
    struct buf stats;  /* owned: result of crucible/stats, JSON */
    struct buf status; /* owned: result of crucible/status */
    bool has[3];       /* by id: an answer came, be it an error */
};

static void take_message(struct answers *a, str body)
{
    struct arena arena = {0};
    struct json message;
    if (json_parse(body, &arena, &message, NULL) == ERR_OK) {
        int64_t id = json_int(json_get(message, STR("id")), 0);
        struct json result = json_get(message, STR("result"));
        if (id == ID_STATS || id == ID_STATUS) {
            a->has[id] = true;
        }
        if (json_is(result, JSON_OBJECT) && (id == ID_STATS || id == ID_STATUS)) {
            buf_append(id == ID_STATS ? &a->stats : &a->status, json_raw(result));
        }
    }
    arena_release(&arena);
}

/* Reads until both answers are there, or the deadline, or the end. */
static void read_answers(int fd, struct answers *a)
{
    uint64_t deadline_us = clock_now_us() + ANSWER_WITHIN_US;
    while (!(a->has[ID_STATS] && a->has[ID_STATUS])) {
        uint64_t now_us = clock_now_us();
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (now_us >= deadline_us || poll(&p, 1, (int)((deadline_us - now_us) / 1000) + 1) <= 0) {
            return;
        }
        char *room = buf_reserve(&a->in, 64 * KIB);
        ssize_t n = room == NULL ? 0 : read(fd, room, 64 * KIB);
        if (n <= 0) {
            return;
        }
        buf_commit(&a->in, (size_t)n);
        str body;
        size_t n_bytes;
        while (next_message(buf_str(&a->in), &body, &n_bytes)) {
            take_message(a, body);
            buf_consume(&a->in, n_bytes);
        }
    }
}

static void answers_init(struct answers *a)
{
    *a = (struct answers){0};
    buf_init(&a->in, ANSWER_MAX_BYTES + 64 * KIB);
    buf_init(&a->stats, ANSWER_MAX_BYTES);
    buf_init(&a->status, ANSWER_MAX_BYTES);
}

static void answers_release(struct answers *a)
{
    buf_release(&a->in);
    buf_release(&a->stats);
    buf_release(&a->status);
}

/* -- printing -- */

/* Appends a member as text; false where it isn't there. */
static bool put_text(struct buf *out, struct json object, str key)
{
    struct json v = json_get(object, key);
    unsigned column = 0;
    switch (json_type(v)) {
    case JSON_STRING:
        terminal_append(out, json_str(v), &column, 400);
        return json_str(v).len > 0;
    case JSON_NUMBER:
    case JSON_BOOL:
        terminal_append(out, json_raw(v), &column, 40);
        return true;
    case JSON_NONE:
    case JSON_NULL:
    case JSON_ARRAY:
    case JSON_OBJECT:
        return false;
    }
    return false;
}

/* A member's name as words: "fromModel" is "from model". */
static void put_name(struct buf *out, const char *name)
{
    for (; *name != '\0'; name++) {
        if (*name >= 'A' && *name <= 'Z') {
            buf_append_char(out, ' ');
            buf_append_char(out, (char)(*name - 'A' + 'a'));
        } else {
            buf_append_char(out, *name);
        }
    }
}

/* "  label   a 1, b 2": the members of `keys` that are there; nothing where none is. */
static void put_row(struct buf *out, const char *label, struct json object, const char *const *keys)
{
    size_t start = out->len;
    bool has_any = false;
    buf_appendf(out, "  %-11s", label);
    for (; *keys != NULL; keys++) {
        size_t before = out->len;
        buf_append(out, has_any ? STR(", ") : STR(""));
        put_name(out, *keys);
        buf_append_char(out, ' ');
        if (put_text(out, object, str_from(*keys))) {
            has_any = true;
        } else {
            buf_truncate(out, before);
        }
    }
    if (has_any) {
        buf_append_char(out, '\n');
    } else {
        buf_truncate(out, start);
    }
}

static void put_endpoint(struct buf *out, struct json e)
{
    static const char *const keys[] = {"state", "tier", "origin", "message"};
    buf_append(out, STR("  endpoint   "));
    (void)put_text(out, e, STR("name"));
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        size_t before = out->len;
        buf_append(out, i == 0 ? STR(": ") : STR(", "));
        if (!put_text(out, e, str_from(keys[i]))) {
            buf_truncate(out, before);
        }
    }
    struct json models = json_get(e, STR("models"));
    struct json_iter it = json_iter(models);
    struct json model;
    for (int n = 0; json_next(&it, NULL, &model) && n < 8; n++) {
        buf_append(out, n == 0 ? STR("; models ") : STR(", "));
        (void)put_text(out, model, STR("id"));
        if (json_bool(json_get(model, STR("loaded")), false)) {
            buf_append(out, STR(" (loaded)"));
        }
    }
    buf_append_char(out, '\n');
}

static void put_quantiles(struct buf *out, const char *label, struct json q)
{
    static const char *const keys[] = {"p50", "p95", "p99", NULL};
    put_row(out, label, q, keys);
}

static void put_counters(struct buf *out, struct json stats)
{
    static const char *const asked[] = {"questions", "shown",      "empty",  "superseded",
                                        "cancelled", "suppressed", "failed", NULL};
    static const char *const from[] = {"fromModel", "fromPredictor", "accepted", "acceptedBytes",
                                       NULL};
    static const char *const flights[] = {
        "takenOff", "boardedFlying", "boardedLanded", "boardedCached",
        "aborted",  "flying",        "landed",        NULL};
    static const char *const upstream[] = {"exchanges", "cancelled",    "failed",       "active",
                                           "tokens",    "promptTokens", "cachedTokens", NULL};
    static const char *const predictor[] = {"files", "tokens", "bytes", "asked", "answered", NULL};
    struct json engine = json_get(stats, STR("engine"));
    put_row(out, "requests", engine, asked);
    put_row(out, "answers", engine, from);
    put_row(out, "flights", json_get(stats, STR("flights")), flights);
    put_row(out, "upstream", json_get(stats, STR("upstream")), upstream);
    put_row(out, "predictor", json_get(stats, STR("predictor")), predictor);
    put_quantiles(out, "first ms", json_get(engine, STR("firstMs")));
    put_quantiles(out, "total ms", json_get(engine, STR("totalMs")));
    put_quantiles(out, "own us", json_get(engine, STR("ownUs")));
}

static void put_trace(struct buf *out, struct json trace)
{
    static const char *const keys[] = {"kind", "file", "outcome", "ms"};
    static const int widths[] = {11, 24, 11, 8};
    struct json_iter it = json_iter(trace);
    struct json entry;
    for (unsigned n = 0; json_next(&it, NULL, &entry) && n < TRACE_SHOWN; n++) {
        buf_append(out, n == 0 ? STR("  last       ") : STR("             "));
        for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
            size_t before = out->len;
            (void)put_text(out, entry, str_from(keys[i]));
            buf_appendf(out, "%*s ",
                        before + (size_t)widths[i] > out->len
                            ? (int)(before + (size_t)widths[i] - out->len)
                            : 0,
                        "");
        }
        (void)put_text(out, entry, STR("why"));
        buf_append_char(out, '\n');
    }
}

/* ", running for 5 min" */
static void put_uptime(struct buf *out, struct json server)
{
    int64_t ms = json_int(json_get(server, STR("uptimeMs")), -1);
    if (ms < 0) {
        return;
    }
    if (ms < 120000) {
        buf_appendf(out, ", running for %lld s", (long long)(ms / 1000));
    } else if (ms < 7200000) {
        buf_appendf(out, ", running for %lld min", (long long)(ms / 60000));
    } else {
        buf_appendf(out, ", running for %lld h", (long long)(ms / 3600000));
    }
}

/* "server 4711 of Neovim, version 0.1.0, running for 5 s" */
static void put_heading(struct buf *out, struct json server)
{
    static const char *const keys[] = {"pid", "editor", "version"};
    static const char *const before[] = {" ", " of ", ", version "};
    buf_append(out, STR("server"));
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        size_t start = out->len;
        buf_append(out, str_from(before[i]));
        if (!put_text(out, server, str_from(keys[i]))) {
            buf_truncate(out, start);
        }
    }
    put_uptime(out, server);
    buf_append_char(out, '\n');
}

static void put_server(struct buf *out, struct json stats, struct json status)
{
    static const char *const server_keys[] = {"workspace", NULL};
    static const char *const status_keys[] = {"kind", "busy", "model", "endpoint", "loading", NULL};
    struct json server = json_get(stats, STR("server"));
    put_heading(out, server);
    put_row(out, "program", server, server_keys);
    put_row(out, "status", status, status_keys);
    static const char *const words[] = {"message", "why"};
    bool is_same =
        str_eq(json_str(json_get(status, STR("message"))), json_str(json_get(status, STR("why"))));
    for (size_t i = 0; i < (is_same ? 1 : sizeof words / sizeof words[0]); i++) {
        size_t start = out->len;
        buf_appendf(out, "  %-11s", words[i]);
        if (put_text(out, status, str_from(words[i]))) {
            buf_append_char(out, '\n');
        } else {
            buf_truncate(out, start);
        }
    }
    struct json_iter it = json_iter(json_get(stats, STR("endpoints")));
    struct json endpoint;
    while (json_next(&it, NULL, &endpoint)) {
        put_endpoint(out, endpoint);
    }
    put_counters(out, stats);
    put_trace(out, json_get(stats, STR("trace")));
}

/* One server's answers as text, or as an object that joins the array. */
static void put_answers(struct buf *out, const struct answers *a, bool is_json)
{
    struct arena arena = {0};
    struct json stats = {0};
    struct json status = {0};
    (void)(json_parse(buf_str(&a->stats), &arena, &stats, NULL) == ERR_OK);
    (void)(json_parse(buf_str(&a->status), &arena, &status, NULL) == ERR_OK);
    if (!is_json) {
        bool has_status = json_is(status, JSON_OBJECT);
        put_server(out, stats, has_status ? status : json_get(stats, STR("status")));
    } else if (json_is(stats, JSON_OBJECT)) {
        buf_append(out, buf_str(&a->stats));
    } else {
        buf_append(out, STR("{\"status\":"));
        buf_append(out, json_is(status, JSON_OBJECT) ? buf_str(&a->status) : STR("null"));
        buf_append_char(out, '}');
    }
    arena_release(&arena);
}

/* -- all servers -- */

static void runtime_directory(struct buf *out)
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    if (runtime != NULL && runtime[0] == '/') {
        buf_appendf(out, "%s/crucible", runtime);
    } else {
        buf_appendf(out, "/tmp/crucible-%u", (unsigned)getuid());
    }
}

typedef void answers_fn(const struct answers *a, void *user);

/* Asks the server on one socket; true where it answered. */
static bool ask_server(const char *path, answers_fn *fn, void *user)
{
    int fd = connect_to(path);
    if (fd < 0) {
        return false;
    }
    struct answers a;
    answers_init(&a);
    if (send_questions(fd)) {
        read_answers(fd, &a);
    }
    close(fd);
    bool has_answered = a.stats.len > 0 || a.status.len > 0;
    if (has_answered) {
        fn(&a, user);
    } else {
        (void)cli_fail("%s: a server is there and doesn't answer", path);
    }
    answers_release(&a);
    return has_answered;
}

static unsigned ask_all(const char *directory, answers_fn *fn, void *user)
{
    DIR *dir = opendir(directory);
    if (dir == NULL) {
        return 0;
    }
    unsigned n_servers = 0;
    struct buf path = {0};
    buf_init(&path, 8 * KIB);
    const struct dirent *entry;
    while (n_servers < SERVERS_MAX && (entry = readdir(dir)) != NULL) {
        if (!str_ends_with(str_from(entry->d_name), STR(".sock"))) {
            continue;
        }
        buf_clear(&path);
        buf_appendf(&path, "%s/%s", directory, entry->d_name);
        n_servers += ask_server(buf_cstr(&path), fn, user) ? 1 : 0;
    }
    closedir(dir);
    buf_release(&path);
    return n_servers;
}

struct printing {
    struct buf *out;
    bool is_json, has_any;
};

static void print_answers(const struct answers *a, void *user)
{
    struct printing *p = user;
    if (p->has_any) {
        buf_append(p->out, p->is_json ? STR(",") : STR("\n"));
    }
    p->has_any = true;
    put_answers(p->out, a, p->is_json);
}

struct listening {
    void (*on_stats)(str stats, void *user);
    void *user;
};

static void pass_stats(const struct answers *a, void *user)
{
    const struct listening *l = user;
    if (a->stats.len > 0) {
        l->on_stats(buf_str(&a->stats), l->user);
    }
}

/* Whether the directory is there, and ours; *is_foreign: there, and not ours. */
static bool is_own_directory(const char *directory, bool *is_foreign)
{
    struct stat st;
    bool is_there = lstat(directory, &st) == 0;
    *is_foreign = is_there && (!S_ISDIR(st.st_mode) || st.st_uid != getuid());
    return is_there && !*is_foreign;
}

unsigned cli_servers_ask(void (*on_stats)(str stats, void *user), void *user)
{
    struct buf directory = {0};
    bool is_foreign;
    struct listening listening = {on_stats, user};
    buf_init(&directory, 8 * KIB);
    runtime_directory(&directory);
    unsigned n = is_own_directory(buf_cstr(&directory), &is_foreign)
                     ? ask_all(buf_cstr(&directory), pass_stats, &listening)
                     : 0;
    buf_release(&directory);
    return n;
}

static int show_status(const char *directory, bool is_json)
{
    bool is_foreign;
    bool is_there = is_own_directory(directory, &is_foreign);
    if (is_foreign) {
        return cli_fail("%s isn't a directory of yours: not looked into", directory);
    }
    struct buf out = {0};
    struct printing printing = {&out, is_json, false};
    buf_init(&out, SERVERS_MAX * MIB);
    buf_append(&out, is_json ? STR("[") : STR(""));
    unsigned n_servers = is_there ? ask_all(directory, print_answers, &printing) : 0;
    if (is_json) {
        buf_append(&out, STR("]\n"));
    } else if (n_servers == 0) {
        buf_append(&out, STR("no server is running (an editor starts one; see README.md)\n"));
    }
    terminal_write(buf_str(&out));
    buf_release(&out);
    return CLI_OK;
}

int cli_status(int argc, char **argv)
{
    bool is_json = false;
    struct cli_option options[] = {{"--json", NULL, &is_json}, {NULL, NULL, NULL}};
    const char *rest[1];
    int code = cli_parse(argc, argv, options, rest, 0);
    if (code != CLI_OK) {
        return code;
    }
    struct buf directory = {0};
    buf_init(&directory, 8 * KIB);
    runtime_directory(&directory);
    code = show_status(buf_cstr(&directory), is_json);
    buf_release(&directory);
    return code;
}
