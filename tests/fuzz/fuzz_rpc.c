/* fuzz_rpc.c - a session hears any messages, and answers each request exactly once.
 *
 * The input's lines are bodies of messages; each is framed and fed to a real session whose engine
 * has no model server to talk to. At the end each request that could be read has one answer. */
#include "core/base/limits.h"
#include "core/base/log.h"
#include "lsp/session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t n_answers;

static void on_write(str message, void *user)
{
    (void)user;
    struct arena arena = {0};
    struct json body;
    size_t at = str_find(message, STR("\r\n\r\n"), 0);
    ASSERT(at != SIZE_MAX);
    enum err err = json_parse(str_sub(message, at + 4, message.len), &arena, &body, NULL);
    ASSERT(err == ERR_OK && json_str_eq(json_get(body, STR("jsonrpc")), STR("2.0")));
    bool has_id = json_type(json_get(body, STR("id"))) != JSON_NONE;
    n_answers += has_id && json_type(json_get(body, STR("method"))) == JSON_NONE;

    arena_release(&arena);
}

static size_t none_queued(void *user)
{
    (void)user;
    return 0;
}

static void ignore(void *user)
{
    (void)user;
}

static void ignore_exit(int code, void *user)
{
    (void)code;
    (void)user;
}

static void stop(void *user)
{
    loop_stop(user);
}

/* Runs what is posted by now. */
static void turn(struct loop *loop)
{
    loop_post(loop, stop, loop);
    loop_run(loop);
}

static struct session *open_session(struct loop *loop)
{
    static const struct provider_ops *const no_providers[] = {NULL};
    return session_create(&(struct session_options){.loop = loop,
                                                    .write = on_write,
                                                    .queued = none_queued,
                                                    .flush = ignore,
                                                    .on_exit = ignore_exit,
                                                    .providers = no_providers,
                                                    .config_path = STR("/dev/null"),
                                                    .is_log_file_fixed = true,
                                                    .is_log_level_fixed = true});
}

/* Whether the body is a request whose method and id are well-formed. Processes and folders of
 * this machine are none of a fuzzer's business: such bodies are left out. */
static bool is_request(str line, bool *is_left_out)
{
    struct arena arena = {0};
    struct json body;
    bool is_one = false;
    *is_left_out = str_find(line, STR("processId"), 0) != SIZE_MAX ||
                   str_find(line, STR("older"), 0) != SIZE_MAX ||
                   str_find(line, STR("root"), 0) != SIZE_MAX ||
                   str_find(line, STR("\\u"), 0) != SIZE_MAX;
    if (json_parse(line, &arena, &body, NULL) == ERR_OK && json_is(body, JSON_OBJECT)) {
        is_one = json_type(json_get(body, STR("id"))) != JSON_NONE &&
                 json_is(json_get(body, STR("method")), JSON_STRING);
    }
    arena_release(&arena);
    return is_one;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    log_set_level(LOG_ERROR);
    (void)unsetenv("HOME"); /* no file of this user is read or written */
    (void)unsetenv("XDG_STATE_HOME");
    n_answers = 0;
    size_t n_requests = 0;
    struct loop *loop = loop_create();
    struct session *s = open_session(loop);
    str rest = str_of((const char *)data, size);
    str line;
    struct buf message;
    buf_init(&message, 4 * MIB);
    while (str_next(&rest, '\n', &line)) {
        bool is_left_out;
        bool is_one = is_request(line, &is_left_out);
        if (is_left_out || s->state == SESSION_OVER) {
            continue;
        }
        n_requests += is_one;
        buf_clear(&message);
        buf_appendf(&message, "Content-Length: %zu\r\n\r\n", line.len);
        buf_append(&message, line);
        session_feed(s, buf_str(&message));
        if (line.len % 3 == 0) {
            turn(loop);
        }
    }
    session_end_of_input(s);
    turn(loop);
    session_destroy(s);
    turn(loop);
    loop_destroy(loop);
    buf_release(&message);
    ASSERT(n_answers >= n_requests);
    return 0;
}
