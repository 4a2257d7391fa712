/* transcript.h - what a decoder says of a response, as one string that tests compare.
 *
 * Text pieces are joined, so that only what was said counts and not in how many calls. */
#ifndef CRUCIBLE_TESTS_PROVIDERS_TRANSCRIPT_H
#define CRUCIBLE_TESTS_PROVIDERS_TRANSCRIPT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "core/base/limits.h"
#include "core/upstream/provider.h"

static inline const struct provider_ops *provider_named(const char *kind)
{
    for (size_t i = 0; provider_table[i] != NULL; i++) {
        if (str_eq(str_from(provider_table[i]->kind), str_from(kind))) {
            return provider_table[i];
        }
    }
    fail_msg("no provider of kind %s", kind);
    return NULL;
}

static inline void transcript_text(str utf8, void *user)
{
    assert_true(utf8.len > 0);
    buf_append(user, utf8);
}

static inline void transcript_end(const struct generate_end *end, void *user)
{
    static const char *const reasons[] = {"cut", "stop", "length"};
    buf_appendf(user, "|%s prompt=%d cached=%d tokens=%d", reasons[end->reason],
                (int)end->n_prompt_tokens, (int)end->n_cached_tokens, (int)end->n_tokens);
}

static inline void transcript_error(const struct error *error, void *user)
{
    buf_appendf(user, "|%s %d: %s", err_name(error->code), error->detail, error->msg);
}

/* Of several texts: "{1}text" for each piece of another than the first. */
static inline void transcript_other(unsigned idx, str utf8, void *user)
{
    assert_true(utf8.len > 0 && idx > 0);
    buf_appendf(user, "{%u}" STR_FMT, idx, STR_ARG(utf8));
}

static inline void transcript_text_end(unsigned idx, enum finish_reason reason, void *user)
{
    buf_appendf(user, "{%u %s}", idx,
                reason == FINISH_STOP     ? "stop"
                : reason == FINISH_LENGTH ? "length"
                                          : "cut");
}

static unsigned transcript_texts; /* that were asked for; 0: one */
static str transcript_model;      /* that was asked, for dialects whose answers name it */

/* Decodes `a`, then `b` in pieces of `step` bytes. */
static inline void transcript(const struct provider_ops *ops, str a, str b, size_t step,
                              struct buf *out)
{
    struct decoder d = {.ops = ops,
                        .model = transcript_model,
                        .n_texts = transcript_texts,
                        .sink = {.on_text = transcript_text,
                                 .on_end = transcript_end,
                                 .on_error = transcript_error,
                                 .user = out,
                                 .on_other = transcript_other,
                                 .on_text_end = transcript_text_end}};
    ops->decode_begin(&d);
    ops->decode(&d, a);
    while (b.len > 0) {
        ops->decode(&d, str_sub(b, 0, step));
        b = str_sub(b, step, b.len);
    }
    ops->decode_finish(&d, false);
    assert_true(d.is_over);
}

/* However the stream is cut, the transcript is `expected`. */
static inline void check_stream(const struct provider_ops *ops, str stream, const char *expected)
{
    struct buf out;
    buf_init(&out, MIB);
    transcript(ops, stream, str_of("", 0), 1, &out);
    assert_string_equal(buf_cstr(&out), expected);
    for (size_t step = 1; step <= 7; step++) {
        buf_clear(&out);
        transcript(ops, str_of("", 0), stream, step, &out);
        assert_string_equal(buf_cstr(&out), expected);
    }
    for (size_t split = 1; split < stream.len; split++) {
        buf_clear(&out);
        transcript(ops, str_sub(stream, 0, split), str_sub(stream, split, stream.len), stream.len,
                   &out);
        assert_string_equal(buf_cstr(&out), expected);
    }
    buf_release(&out);
}

/* A file of fixtures/, to be released. */
static inline struct buf fixture(const char *name)
{
    struct buf path, text;
    buf_init(&path, KIB);
    buf_init(&text, MIB);
    buf_appendf(&path, "tests/unit/providers/fixtures/%s", name);
    FILE *file = fopen(buf_cstr(&path), "rb");
    if (file == NULL) {
        fail_msg("%s is missing; run from the root of the tree", buf_cstr(&path));
    }
    char bytes[4096];
    for (size_t n; (n = fread(bytes, 1, sizeof bytes, file)) > 0;) {
        buf_append(&text, str_of(bytes, n));
    }
    (void)fclose(file);
    buf_release(&path);
    return text;
}

static inline void check_fixture(const char *kind, const char *name, const char *expected)
{
    struct buf text = fixture(name);
    check_stream(provider_named(kind), buf_str(&text), expected);
    buf_release(&text);
}

/* What the provider encodes, as "path body". */
static inline enum err encoded(const char *kind, const struct generate *g, struct buf *out)
{
    struct http_request request;
    struct error why = {0};
    http_request_init(&request);
    enum err err = provider_named(kind)->encode(g, &request, &why);
    assert_true(err == ERR_OK || why.msg[0] != '\0');
    buf_clear(out);
    buf_appendf(out, "%s %s", buf_cstr(&request.path), buf_cstr(&request.body));
    http_request_release(&request);
    return err;
}

/* Decodes `bytes` and breaks off: exactly `want` has been said by then, and nothing after. */
static inline void transcript_abort(const char *kind, str bytes, const char *want)
{
    const struct provider_ops *ops = provider_named(kind);
    struct buf out;
    buf_init(&out, KIB);
    struct decoder d = {.ops = ops,
                        .sink = {.on_text = transcript_text,
                                 .on_end = transcript_end,
                                 .on_error = transcript_error,
                                 .user = &out}};
    ops->decode_begin(&d);
    ops->decode(&d, bytes);
    ops->decode_finish(&d, true);
    assert_string_equal(buf_cstr(&out), want);
    buf_release(&out);
}

/* A response of this status is an error of this code whose message holds `part`. */
static inline void transcript_explanation(const char *kind, int status, const char *body,
                                          enum err code, const char *part)
{
    struct error error;
    provider_named(kind)->explain(status, str_from(body), &error);
    assert_string_equal(err_name(error.code), err_name(code));
    assert_int_equal(error.detail, status);
    if (str_find(str_from(error.msg), str_from(part), 0) == SIZE_MAX) {
        fail_msg("\"%s\" isn't in \"%s\"", part, error.msg);
    }
}

/* -- probes and orders -- */

static struct arena probe_arena;

static inline struct probe new_probe(void)
{
    arena_release(&probe_arena);
    return (struct probe){.arena = &probe_arena, .loading = -1};
}

static inline int release_probe(void **state)
{
    (void)state;
    arena_release(&probe_arena);
    return 0;
}

static inline enum probe_state probe_answer(const char *kind, struct probe *p, int status,
                                            const char *body)
{
    return provider_named(kind)->probe_reply(p, status, str_from(body));
}

static inline enum probe_state probe_fixture(const char *kind, struct probe *p, const char *name)
{
    struct buf body = fixture(name);
    enum probe_state state = probe_answer(kind, p, 200, buf_cstr(&body));
    buf_release(&body);
    return state;
}

/* The next request of a probe is this path, by GET. */
static inline void check_probe_path(const char *kind, const struct probe *p, const char *path)
{
    struct http_request request;
    http_request_init(&request);
    provider_named(kind)->probe_request(p, &request);
    assert_string_equal(buf_cstr(&request.path), path);
    assert_false(request.is_post);
    assert_int_equal(request.body.len, 0);
    http_request_release(&request);
}

typedef enum err order_fn(const struct load_order *l, struct http_request *out, struct error *why);

/* What an order is encoded as: "path body"; NULL: it is refused with a reason. */
static inline void check_order(order_fn *encode, const struct load_order *order,
                               const char *expected)
{
    struct http_request request;
    struct buf text;
    struct error why = {0};
    http_request_init(&request);
    buf_init(&text, MIB);
    enum err err = encode(order, &request, &why);
    if (expected == NULL) {
        assert_int_equal(err, ERR_REJECTED);
        assert_true(why.msg[0] != '\0');
    } else {
        assert_int_equal(err, ERR_OK);
        assert_true(request.is_post);
        buf_appendf(&text, "%s %s", buf_cstr(&request.path), buf_cstr(&request.body));
        assert_string_equal(buf_cstr(&text), expected);
    }
    buf_release(&text);
    http_request_release(&request);
}

static inline void check_running_path(const char *kind, unsigned dialect, const char *path)
{
    struct http_request request;
    http_request_init(&request);
    provider_named(kind)->encode_running(dialect, &request);
    assert_string_equal(buf_cstr(&request.path), path);
    assert_false(request.is_post);
    http_request_release(&request);
}

#endif
