/* framing_test.c - the same events for every way of cutting, and what is done with bad headers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "core/base/limits.h"
#include "core/base/memory.h"
#include "lsp/framing.h"

#define MAX_BODY 64u

struct record {
    struct buf text; /* "<body>" and "!problem" in their order */
};

static void on_message(str body, void *user)
{
    struct record *r = user;
    buf_appendf(&r->text, "<" STR_FMT ">", STR_ARG(body));
}

static void on_problem(enum framing_problem problem, void *user)
{
    static const char *const names[] = {
        [FRAMING_GARBAGE] = "garbage",   [FRAMING_HEADER_TOO_LARGE] = "header",
        [FRAMING_BAD_LENGTH] = "length", [FRAMING_TWO_LENGTHS] = "two",
        [FRAMING_NO_LENGTH] = "none",    [FRAMING_BAD_CHARSET] = "charset",
        [FRAMING_TOO_LARGE] = "large",   [FRAMING_LOST] = "lost"};
    struct record *r = user;
    buf_appendf(&r->text, "!%s", names[problem]);
}

/* The events of `stream`, fed in pieces that end at a, at b, and then every `step` bytes. */
static struct buf events_of(str stream, size_t a, size_t b, size_t step)
{
    struct record r;
    struct framing f;
    buf_init(&r.text, 16 * MIB);
    framing_init(&f, MAX_BODY, &(struct framing_events){on_message, on_problem, &r});
    framing_feed(&f, str_sub(stream, 0, a));
    framing_feed(&f, str_sub(stream, a, b));
    for (size_t at = b; at < stream.len; at += step) {
        framing_feed(&f, str_sub(stream, at, at + step));
    }
    framing_release(&f);
    return r.text;
}

static void assert_events(str stream, const char *should)
{
    struct buf whole = events_of(stream, 0, 0, SIZE_MAX / 2);
    if (!str_eq(buf_str(&whole), str_from(should))) {
        fail_msg("%s instead of %s", buf_cstr(&whole), should);
    }
    buf_release(&whole);
}

#define H(n) "Content-Length: " #n "\r\n\r\n"

static const struct {
    const char *stream, *events;
} table[] = {
    {H(2) "{}", "<{}>"},
    {H(2) "{}" H(3) "[1]", "<{}><[1]>"},
    {"content-length:2\r\n\r\n{}", "<{}>"},
    {"CONTENT-LENGTH :  2 \t\r\nX-Other: y\r\n\r\n{}", "<{}>"},
    {"Content-Length: 2\n\n{}", "<{}>"},
    {"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}", "<{}>"},
    {"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}" H(1) "1", "!two<1>"},
    {"\r\n\r\n" H(2) "{}", "<{}>"},
    {H(0) H(1) "7", "<><7>"},
    {"Content-Length: -1\r\n\r\n" H(1) "1", "!length<1>"},
    {"Content-Length: +5\r\n\r\n" H(1) "1", "!length<1>"},
    {"Content-Length: 0x10\r\n\r\n" H(1) "1", "!length<1>"},
    {"Content-Length: 5abc\r\n\r\n" H(1) "1", "!length<1>"},
    {"Content-Length:\r\n\r\n" H(1) "1", "!length<1>"},
    {"Content-Length: 99999999999999999999\r\n\r\n" H(1) "1", "!length<1>"},
    {"Content-Length: 1099511627777\r\n\r\n" H(1) "1", "!length<1>"},
    {"garbage\n" H(1) "1", "!garbage<1>"},
    {"{\"jsonrpc\":\"2.0\"}" H(1) "1", "!garbage<1>"},
    {"cContent-Content-Length: 1\r\n\r\n1", "!none"},
    {"?cContent-Content-Length: 1\r\n\r\n1", "!garbage<1>"},
    {"X: 1\r\n\r\n" H(1) "1", "!none<1>"},
    {"X: 1\r\n\r\nX: 1\r\n\r\nX: 1\r\n\r\n" H(1) "1X: 1\r\n\r\n" H(1) "2",
     "!none!none!none<1>!none<2>"},
    {"X: 1\r\n\r\nX: 1\r\n\r\nX: 1\r\n\r\nX: 1\r\n\r\n", "!none!none!none!lost"},
    {"Content-Type: application/vscode-jsonrpc; charset=utf8\r\n" H(1) "1", "<1>"},
    {"Content-Type: a; charset=\"UTF-8\"; b=c\r\n" H(1) "1", "<1>"},
    {"Content-Type: a; charset=utf-16\r\n" H(4) "1234" H(1) "1", "!charset<1>"},
    {H(65) "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" H(1) "1",
     "!large<1>"},
    {H(64) "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" H(1) "1",
     "<aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa><1>"},
};

static void framing_reads_each_header(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        assert_events(str_from(table[i].stream), table[i].events);
    }
}

static void framing_is_blind_to_cuts(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        str stream = str_from(table[i].stream);
        for (size_t a = 0; a <= stream.len; a++) {
            for (size_t b = a; b <= stream.len; b += 1 + b % 3) {
                struct buf events = events_of(stream, a, b, 1 + a % 5);
                assert_string_equal(buf_cstr(&events), table[i].events);
                buf_release(&events);
            }
        }
    }
}

static void framing_rejects_a_nul_in_a_header(void **state)
{
    (void)state;
    assert_events(STR("Content-Length: 2\0\r\n\r\n" H(1) "1"), "!length<1>");
    assert_events(STR("X\0: 2\r\n\r\n" H(1) "1"), "!garbage<1>");
}

/* A stream of `n` times `part`, then a message. */
static struct buf flood(const char *part, size_t n)
{
    struct buf stream;
    buf_init(&stream, 64 * MIB);
    for (size_t i = 0; i < n; i++) {
        buf_append(&stream, str_from(part));
    }
    buf_append(&stream, STR("\r\n\r\n" H(1) "1"));
    return stream;
}

static void framing_bounds_a_header_block(void **state)
{
    (void)state;
    static const char *const parts[] = {"X: y\r\n", "x", "{", "Content-Length: ", "content-", "\0"};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        struct buf stream = flood(parts[i], 100000);
        struct buf whole = events_of(buf_str(&stream), 0, 0, SIZE_MAX / 2);
        struct buf cut = events_of(buf_str(&stream), 8191, 8193, 4097);
        struct buf bytes = events_of(buf_str(&stream), 0, 0, 1);
        assert_string_equal(buf_cstr(&whole), buf_cstr(&cut));
        assert_string_equal(buf_cstr(&whole), buf_cstr(&bytes));
        assert_true(str_ends_with(buf_str(&whole), STR("<1>")));
        buf_release(&stream);
        buf_release(&whole);
        buf_release(&cut);
        buf_release(&bytes);
    }
}

static void framing_finds_a_length_behind_long_garbage(void **state)
{
    (void)state;
    struct buf stream;
    buf_init(&stream, MIB);
    for (size_t i = 0; i < 5000; i++) {
        buf_append_char(&stream, '{');
    }
    buf_append(&stream, STR(H(1) "1"));
    for (size_t i = 0; i < 5000; i++) {
        buf_append_char(&stream, '{');
    }
    assert_events(buf_str(&stream), "!garbage<1>");
    buf_release(&stream);
}

static void stop_at_first(str body, void *user)
{
    (void)body;
    framing_stop(user);
}

static void never(enum framing_problem problem, void *user)
{
    (void)user;
    fail_msg("problem %d", (int)problem);
}

static void framing_stops_from_inside_an_event(void **state)
{
    (void)state;
    struct framing f;
    framing_init(&f, MAX_BODY, &(struct framing_events){stop_at_first, never, &f});
    framing_feed(&f, STR(H(1) "1"
                              "\0garbage\n"));
    framing_feed(&f, STR("garbage\n"));
    framing_release(&f);
}

static void framing_knows_whether_it_is_between_messages(void **state)
{
    (void)state;
    struct record r;
    struct framing f;
    buf_init(&r.text, KIB);
    framing_init(&f, MAX_BODY, &(struct framing_events){on_message, on_problem, &r});
    assert_true(framing_is_between(&f));
    framing_feed(&f, STR("C"));
    assert_false(framing_is_between(&f));
    framing_feed(&f, STR("ontent-Length: 2\r\n\r\n"));
    assert_false(framing_is_between(&f));
    framing_feed(&f, STR("{}"));
    assert_true(framing_is_between(&f));
    framing_release(&f);
    buf_release(&r.text);
}

static void framing_gives_large_bodies_back(void **state)
{
    (void)state;
    struct record r;
    struct framing f;
    size_t n = 1 * MIB;
    buf_init(&r.text, 4 * MIB);
    framing_init(&f, 2 * MIB, &(struct framing_events){on_message, on_problem, &r});
    char *body = xcalloc(1, n);
    memset(body, 'a', n);
    framing_feed(&f, STR("Content-Length: 1048576\r\n\r\n"));
    assert_true(f.body.cap < 4096); /* nothing is allocated by the word of a length */
    framing_feed(&f, str_of(body, n / 2));
    framing_feed(&f, str_of(body, n / 2));
    assert_int_equal(r.text.len, n + 2);
    assert_int_equal(f.body.cap, 0);
    xfree(body);
    framing_release(&f);
    buf_release(&r.text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(framing_reads_each_header),
        cmocka_unit_test(framing_is_blind_to_cuts),
        cmocka_unit_test(framing_rejects_a_nul_in_a_header),
        cmocka_unit_test(framing_bounds_a_header_block),
        cmocka_unit_test(framing_finds_a_length_behind_long_garbage),
        cmocka_unit_test(framing_stops_from_inside_an_event),
        cmocka_unit_test(framing_knows_whether_it_is_between_messages),
        cmocka_unit_test(framing_gives_large_bodies_back),
    };
    return cmocka_run_group_tests_name("framing", tests, NULL, NULL);
}
