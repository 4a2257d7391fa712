/* rpc_test.c - one answer for every request, and the right error for what is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "core/base/clock.h"
#include "core/base/limits.h"
#include "lsp/rpc.h"

struct peer {
    struct rpc *rpc;
    struct buf sent; /* bodies, one a line */
    size_t n_queued; /* what the reader is said to have left unread */
    unsigned n_lost;
    struct rpc_call *deferred[4];
    size_t n_deferred, n_cancelled;
    struct buf replies; /* what our own requests heard */
};

static void write_message(str message, void *user)
{
    struct peer *p = user;
    size_t at = str_find(message, STR("\r\n\r\n"), 0);
    uint64_t length = 0;
    assert_true(str_starts_with(message, STR("Content-Length: ")));
    assert_true(str_to_u64(str_sub(message, 16, at), SIZE_MAX, &length));
    assert_int_equal(message.len - at - 4, length);
    buf_append(&p->sent, str_sub(message, at + 4, message.len));
    buf_append_char(&p->sent, '\n');
}

static size_t queued(void *user)
{
    return ((struct peer *)user)->n_queued;
}

static void on_cancel(void *user)
{
    ((struct peer *)user)->n_cancelled++;
}

static void on_call(struct rpc_call *call, void *user)
{
    struct peer *p = user;
    if (!call->is_request) {
        if (str_eq(call->method, STR("$/cancelRequest"))) {
            rpc_cancel(p->rpc, call->params);
        }
    } else if (str_eq(call->method, STR("later"))) {
        p->deferred[p->n_deferred++] = rpc_defer(call, on_cancel, p);
    } else if (str_eq(call->method, STR("echo"))) {
        struct json_writer *w = rpc_result(call);
        if (json_is(call->params, JSON_NONE)) {
            json_put_null(w);
        } else {
            json_put_raw(w, json_raw(call->params));
        }
        rpc_send(p->rpc);
    } else {
        rpc_fail(call, RPC_METHOD_NOT_FOUND, "no");
    }
}

static void on_lost(const char *why, void *user)
{
    (void)why;
    ((struct peer *)user)->n_lost++;
}

static int create(void **state)
{
    struct peer *p = xcalloc(1, sizeof *p);
    buf_init(&p->sent, 16 * MIB);
    buf_init(&p->replies, MIB);
    p->rpc = rpc_create(&(struct rpc_options){.write = write_message,
                                              .queued = queued,
                                              .on_call = on_call,
                                              .on_lost = on_lost,
                                              .user = p,
                                              .writer_user = p,
                                              .max_message_bytes = MIB,
                                              .max_out_bytes = 8000});
    *state = p;
    return 0;
}

static int destroy(void **state)
{
    struct peer *p = *state;
    rpc_destroy(p->rpc);
    buf_release(&p->sent);
    buf_release(&p->replies);
    xfree(p);
    return 0;
}

static void feed(struct peer *p, const char *body)
{
    struct buf message;
    buf_init(&message, 16 * MIB);
    buf_appendf(&message, "Content-Length: %zu\r\n\r\n%s", strlen(body), body);
    rpc_feed(p->rpc, buf_str(&message));
    buf_release(&message);
}

/* Takes what was sent since the last call. */
static void assert_sent(struct peer *p, const char *should)
{
    assert_string_equal(buf_cstr(&p->sent), should);
    buf_clear(&p->sent);
}

static void assert_error(struct peer *p, const char *body, const char *id, int code)
{
    feed(p, body);
    char start[128];
    (void)snprintf(start, sizeof start, "{\"jsonrpc\":\"2.0\",\"id\":%s,\"error\":{\"code\":%d,",
                   id, code);
    if (!str_starts_with(buf_str(&p->sent), str_from(start)) ||
        str_find_char(buf_str(&p->sent), '\n', 0) != p->sent.len - 1) {
        fail_msg("%s gives %s", body, buf_cstr(&p->sent));
    }
    buf_clear(&p->sent);
}

#define V "\"jsonrpc\":\"2.0\""

static void rpc_answers_requests(void **state)
{
    struct peer *p = *state;
    feed(p, "{" V ",\"id\":1,\"method\":\"echo\",\"params\":[1,\"\\u00e9\"]}");
    assert_sent(p, "{" V ",\"id\":1,\"result\":[1,\"\\u00e9\"]}\n");
    feed(p, "{" V ",\"id\":\"a\\n\",\"method\":\"e\\u0063ho\",\"params\":null}");
    assert_sent(p, "{" V ",\"id\":\"a\\n\",\"result\":null}\n");
    feed(p, "{" V ",\"id\":\"\",\"method\":\"echo\"}");
    assert_sent(p, "{" V ",\"id\":\"\",\"result\":null}\n");
    feed(p, "{" V ",\"id\":-9007199254740991,\"method\":\"echo\"}");
    assert_sent(p, "{" V ",\"id\":-9007199254740991,\"result\":null}\n");
    feed(p, "{" V ",\"method\":\"nobody\"}");
    assert_sent(p, "");
}

static void rpc_names_what_is_wrong(void **state)
{
    struct peer *p = *state;
    static const struct {
        const char *body, *id;
        int code;
    } table[] = {
        {"", "null", RPC_PARSE_ERROR},
        {"{", "null", RPC_PARSE_ERROR},
        {"{\"a\":\"\xff\"}", "null", RPC_PARSE_ERROR},
        {"[]", "null", RPC_INVALID_REQUEST},
        {"[{" V ",\"id\":1,\"method\":\"echo\"}]", "null", RPC_INVALID_REQUEST},
        {"null", "null", RPC_INVALID_REQUEST},
        {"7", "null", RPC_INVALID_REQUEST},
        {"{}", "null", RPC_INVALID_REQUEST},
        {"{\"id\":1,\"method\":\"echo\"}", "1", RPC_INVALID_REQUEST},
        {"{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"echo\"}", "1", RPC_INVALID_REQUEST},
        {"{" V ",\"id\":1,\"method\":7}", "1", RPC_INVALID_REQUEST},
        {"{" V ",\"id\":1}", "1", RPC_INVALID_REQUEST},
        {"{" V ",\"id\":1,\"result\":1,\"error\":{}}", "1", RPC_INVALID_REQUEST},
        {"{" V ",\"id\":1.5,\"method\":\"echo\"}", "null", RPC_INVALID_REQUEST},
        {"{" V ",\"id\":1.0,\"method\":\"echo\"}", "null", RPC_INVALID_REQUEST},
        {"{" V ",\"id\":1e2,\"method\":\"echo\"}", "null", RPC_INVALID_REQUEST},
        {"{" V ",\"id\":9007199254740992,\"method\":\"echo\"}", "null", RPC_INVALID_REQUEST},
        {"{" V ",\"id\":99999999999999999999,\"method\":\"echo\"}", "null", RPC_INVALID_REQUEST},
        {"{" V ",\"id\":null,\"method\":\"echo\"}", "null", RPC_INVALID_REQUEST},
        {"{" V ",\"id\":{},\"method\":\"echo\"}", "null", RPC_INVALID_REQUEST},
        {"{" V ",\"id\":true,\"method\":\"echo\"}", "null", RPC_INVALID_REQUEST},
        {"{" V ",\"id\":\"s\",\"method\":\"echo\",\"params\":\"x\"}", "\"s\"", RPC_INVALID_REQUEST},
        {"{" V ",\"method\":\"echo\",\"params\":3}", "null", RPC_INVALID_REQUEST},
        {"{" V ",\"id\":2,\"method\":\"nobody\"}", "2", RPC_METHOD_NOT_FOUND},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        assert_error(p, table[i].body, table[i].id, table[i].code);
    }
    assert_int_equal(p->n_lost, 0);
}

static void rpc_keeps_deferred_requests_until_they_are_answered(void **state)
{
    struct peer *p = *state;
    feed(p, "{" V ",\"id\":1,\"method\":\"later\"}");
    feed(p, "{" V ",\"id\":\"1\",\"method\":\"later\"}");
    assert_int_equal(rpc_stats(p->rpc).n_pending, 2);
    assert_sent(p, "");
    rpc_result_null(p->deferred[1]);
    assert_sent(p, "{" V ",\"id\":\"1\",\"result\":null}\n");
    rpc_fail(p->deferred[0], RPC_REQUEST_FAILED, "no %s", "luck");
    assert_sent(p, "{" V ",\"id\":1,\"error\":{\"code\":-32803,\"message\":\"no luck\"}}\n");
    assert_int_equal(rpc_stats(p->rpc).n_pending, 0);
}

static void rpc_refuses_an_id_that_is_in_use(void **state)
{
    struct peer *p = *state;
    feed(p, "{" V ",\"id\":1,\"method\":\"later\"}");
    assert_error(p, "{" V ",\"id\":1,\"method\":\"echo\"}", "1", RPC_INVALID_REQUEST);
    rpc_result_null(p->deferred[0]);
    assert_sent(p, "{" V ",\"id\":1,\"result\":null}\n");
    feed(p, "{" V ",\"id\":1,\"method\":\"echo\"}");
    assert_sent(p, "{" V ",\"id\":1,\"result\":null}\n");
}

#define CANCEL(id) "{" V ",\"method\":\"$/cancelRequest\",\"params\":{\"id\":" id "}}"

static void rpc_cancels_the_very_request(void **state)
{
    struct peer *p = *state;
    feed(p, "{" V ",\"id\":1,\"method\":\"later\"}");
    static const char *const others[] = {CANCEL("2"), CANCEL("\"1\""), CANCEL("null"), CANCEL("[]"),
                                         CANCEL("1.5")};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        feed(p, others[i]);
    }
    feed(p, "{" V ",\"method\":\"$/cancelRequest\"}");
    assert_int_equal(p->n_cancelled, 0);
    feed(p, CANCEL("1"));
    feed(p, CANCEL("1"));
    assert_int_equal(p->n_cancelled, 1);
    rpc_fail(p->deferred[0], RPC_REQUEST_CANCELLED, "cancelled");
    feed(p, CANCEL("1"));
    assert_int_equal(p->n_cancelled, 1);
    buf_clear(&p->sent);
}

static void rpc_answers_what_is_open_when_it_goes(void **state)
{
    struct peer *p = *state;
    feed(p, "{" V ",\"id\":1,\"method\":\"later\"}");
    rpc_destroy(p->rpc);
    p->rpc = NULL;
    assert_sent(p, "{" V ",\"id\":1,\"error\":{\"code\":-32800,"
                   "\"message\":\"the server is leaving\"}}\n");
}

static void on_reply(struct json result, const struct error *error, void *user)
{
    struct peer *p = user;
    buf_appendf(&p->replies, "%s " STR_FMT ";", error ? err_name(error->code) : "ok",
                STR_ARG(json_raw(result)));
}

static void ask(struct peer *p, uint64_t deadline_us)
{
    json_put_null(rpc_request(p->rpc, STR("give"), deadline_us, on_reply, p));
    rpc_send(p->rpc);
}

static void rpc_hands_answers_to_who_asked(void **state)
{
    struct peer *p = *state;
    ask(p, CLOCK_NEVER);
    ask(p, CLOCK_NEVER);
    assert_sent(p, "{" V ",\"id\":1,\"method\":\"give\",\"params\":null}\n"
                   "{" V ",\"id\":2,\"method\":\"give\",\"params\":null}\n");
    feed(p, "{" V ",\"id\":2,\"result\":[5]}");
    feed(p, "{" V ",\"id\":2,\"result\":[6]}");
    feed(p, "{" V ",\"id\":\"1\",\"result\":[7]}");
    feed(p, "{" V ",\"id\":1,\"error\":{\"code\":1,\"message\":\"x\"}}");
    assert_string_equal(buf_cstr(&p->replies), "ok [5];rejected ;");
    assert_sent(p, "");
}

static void rpc_gives_up_on_answers_at_their_deadline(void **state)
{
    struct peer *p = *state;
    assert_true(rpc_next_us(p->rpc) == CLOCK_NEVER);
    ask(p, 2000);
    ask(p, 1000);
    ask(p, CLOCK_NEVER);
    assert_int_equal(rpc_next_us(p->rpc), 1000);
    rpc_tick(p->rpc, 999);
    assert_string_equal(buf_cstr(&p->replies), "");
    rpc_tick(p->rpc, 2000);
    assert_string_equal(buf_cstr(&p->replies), "timeout ;timeout ;");
    assert_true(rpc_next_us(p->rpc) == CLOCK_NEVER);
    rpc_destroy(p->rpc);
    p->rpc = NULL;
    assert_string_equal(buf_cstr(&p->replies), "timeout ;timeout ;cancelled ;");
}

static void rpc_drops_notifications_before_answers(void **state)
{
    struct peer *p = *state;
    p->n_queued = 1001; /* more than an eighth */
    assert_null(rpc_notify(p->rpc, STR("status"), true));
    struct json_writer *w = rpc_notify(p->rpc, STR("needed"), false);
    json_put_null(w);
    rpc_send(p->rpc);
    feed(p, "{" V ",\"id\":1,\"method\":\"echo\"}");
    assert_sent(p, "{" V ",\"method\":\"needed\",\"params\":null}\n"
                   "{" V ",\"id\":1,\"result\":null}\n");
    assert_int_equal(p->n_lost, 0);
    assert_int_equal(rpc_stats(p->rpc).n_dropped, 1);
}

static void rpc_gives_up_on_a_peer_that_never_reads(void **state)
{
    struct peer *p = *state;
    p->n_queued = 8001;
    feed(p, "{" V ",\"id\":1,\"method\":\"echo\"}");
    feed(p, "{" V ",\"id\":2,\"method\":\"echo\"}");
    assert_int_equal(p->n_lost, 1);
    assert_sent(p, "{" V ",\"id\":1,\"result\":null}\n");
    assert_null(rpc_notify(p->rpc, STR("needed"), false));
}

static void rpc_maps_every_error(void **state)
{
    (void)state;
    for (int err = ERR_OK; err < N_ERRS; err++) {
        assert_true(rpc_code_of((enum err)err) <= RPC_NOT_INITIALIZED);
    }
    assert_int_equal(rpc_code_of(ERR_CANCELLED), RPC_REQUEST_CANCELLED);
    assert_int_equal(rpc_code_of(ERR_INVALID), RPC_INVALID_PARAMS);
}

static void rpc_refuses_a_message_that_is_too_large(void **state)
{
    struct peer *p = *state;
    struct buf message;
    buf_init(&message, 4 * MIB);
    buf_appendf(&message, "Content-Length: %u\r\n\r\n", MIB + 1);
    for (size_t i = 0; i <= MIB; i++) {
        buf_append_char(&message, 'x');
    }
    rpc_feed(p->rpc, buf_str(&message));
    buf_release(&message);
    assert_true(
        str_starts_with(buf_str(&p->sent), STR("{" V ",\"id\":null,\"error\":{\"code\":-32600,")));
    buf_clear(&p->sent);
    feed(p, "{" V ",\"id\":1,\"method\":\"echo\"}");
    assert_sent(p, "{" V ",\"id\":1,\"result\":null}\n");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, create, destroy)
    const struct CMUnitTest tests[] = {
        TEST(rpc_answers_requests),
        TEST(rpc_names_what_is_wrong),
        TEST(rpc_keeps_deferred_requests_until_they_are_answered),
        TEST(rpc_refuses_an_id_that_is_in_use),
        TEST(rpc_cancels_the_very_request),
        TEST(rpc_answers_what_is_open_when_it_goes),
        TEST(rpc_hands_answers_to_who_asked),
        TEST(rpc_gives_up_on_answers_at_their_deadline),
        TEST(rpc_drops_notifications_before_answers),
        TEST(rpc_gives_up_on_a_peer_that_never_reads),
        TEST(rpc_maps_every_error),
        TEST(rpc_refuses_a_message_that_is_too_large),
    };
    return cmocka_run_group_tests_name("rpc", tests, NULL, NULL);
}
