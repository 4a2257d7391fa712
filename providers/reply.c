/* reply.c - what model servers of the OpenAI family and llama-server answer.
 *
 * Why      The same text comes as `content`, `choices[].text`, `.delta.content` or
 *          `.message.content`, or as a `text_delta`; the end as `finish_reason`, `stop_type`,
 *          `stop_reason` or "[DONE]", which may be missing; a failure with status 200 in any of
 *          six shapes.
 * How      The first character decides how the body is read: '{' or '[' begins one JSON text, '<'
 *          a web page, anything else a stream of events. Each JSON text is looked at for a failure
 *          first, then for text, then for an end.
 *          Several texts come interleaved, each piece with its index; where one was asked for the
 *          others are dropped.
 * Rules    Text after a finish reason is dropped. The end is told when the stream says that it is
 *          over, since counts may come after the reason. Three broken events are a failure. */
#include "providers/reply.h"

#include <assert.h>

#include "core/base/json.h"
#include "core/base/limits.h"
#include "core/base/utf8.h"
#include "core/base/visible.h"
#include "providers/sse.h"

#define BAD_EVENTS_MAX    3u
#define SERVER_TEXT_BYTES 110u /* of a server's own words in a message */

enum mode {
    MODE_UNKNOWN, /* only blanks so far */
    MODE_EVENTS,
    MODE_WHOLE /* one JSON text */
};

struct reply {
    struct sse sse;
    struct buf whole; /* MODE_WHOLE */
    enum mode mode;
    unsigned finished; /* texts whose finish reason has come, a bit each */
    unsigned n_bad;    /* broken events */
    unsigned n_bom;    /* bytes of a BOM at the start */
    struct generate_end end;
};
static_assert(sizeof(struct reply) <= DECODER_STATE_BYTES, "fits a decoder");

static struct reply *reply_of(struct decoder *d)
{
    return (struct reply *)(void *)d->state;
}

/* -- telling -- */

static void tell_end(struct decoder *d)
{
    if (!d->is_over) {
        d->is_over = true;
        d->sink.on_end(&reply_of(d)->end, d->sink.user);
    }
}

static void tell_error(struct decoder *d, const struct error *error)
{
    if (!d->is_over) {
        d->is_over = true;
        d->sink.on_error(error, d->sink.user);
    }
}

static unsigned n_texts(const struct decoder *d)
{
    return d->n_texts > 1 ? d->n_texts : 1;
}

/* Which text a piece is of; one that wasn't asked for is n_texts. */
static unsigned read_index(const struct decoder *d, struct json piece)
{
    int64_t idx = json_int(json_get(piece, STR("index")), 0);
    return idx >= 0 && idx < (int64_t)n_texts(d) ? (unsigned)idx : n_texts(d);
}

static void tell_text(struct decoder *d, unsigned idx, str text)
{
    bool is_wanted = idx < n_texts(d) && (reply_of(d)->finished & (1u << idx)) == 0;
    if (d->is_over || !is_wanted || text.len == 0) {
        return;
    }
    if (idx == 0) {
        d->sink.on_text(text, d->sink.user);
    } else {
        d->sink.on_other(idx, text, d->sink.user);
    }
}

static void tell_nonsense(struct decoder *d, const char *what)
{
    struct error error;
    error_set(&error, ERR_PROTOCOL,
              "the server's answer is %s; check that its address and kind fit", what);
    tell_error(d, &error);
}

/* -- one JSON text -- */

static void finish(struct decoder *d, unsigned idx, enum finish_reason reason)
{
    struct reply *r = reply_of(d);
    if (d->is_over || idx >= n_texts(d) || (r->finished & (1u << idx)) != 0) {
        return;
    }
    r->finished |= 1u << idx;
    if (idx == 0) {
        r->end.reason = reason;
    }
    if (n_texts(d) > 1) {
        d->sink.on_text_end(idx, reason, d->sink.user);
    }
}

static bool is_one_of(str word, const char *const *words)
{
    for (; *words != NULL; words++) {
        if (str_eq(word, str_from(*words))) {
            return true;
        }
    }
    return false;
}

static void read_finish_word(struct decoder *d, unsigned idx, str word)
{
    static const char *const LENGTH_WORDS[] = {
        "length",     "max_tokens",   "limit",
        "max_length", "model_length", "model_context_window_exceeded",
        NULL};
    static const char *const CUT_WORDS[] = {"abort", "cancelled", "insufficient_system_resource",
                                            NULL};
    struct error error;
    if (word.len == 0) {
        return;
    }
    bool is_error = str_eq(word, STR("error"));
    bool is_refused = str_eq(word, STR("refusal")) || str_eq(word, STR("content_filter"));
    if (idx > 0 && (is_error || is_refused)) { /* the first text may be well */
        finish(d, idx, FINISH_NONE);
        return;
    }
    if (is_error) {
        error_set(&error, ERR_STATUS, "the server broke the answer off with an error of its own");
        tell_error(d, &error);
        return;
    }
    if (is_refused) {
        error_set(&error, ERR_REJECTED, "the model or its filter refuses to answer this");
        tell_error(d, &error);
        return;
    }
    bool is_cut = is_one_of(word, CUT_WORDS);
    finish(d, idx,
           is_cut                          ? FINISH_NONE
           : is_one_of(word, LENGTH_WORDS) ? FINISH_LENGTH
                                           : FINISH_STOP);
}

static void put_count(int64_t *out, struct json n)
{
    int64_t value = json_int(n, -1);
    if (value >= 0) {
        *out = value;
    }
}

static void put_ms(double *out, struct json n)
{
    double value = json_double(n, -1);
    if (value >= 0) {
        *out = value;
    }
}

static void read_counts(struct generate_end *end, struct json event)
{
    struct json usage = json_get(event, STR("usage"));
    put_count(&end->n_prompt_tokens, json_get(usage, STR("prompt_tokens")));
    put_count(&end->n_tokens, json_get(usage, STR("completion_tokens")));
    put_count(&end->n_cached_tokens, json_get(usage, STR("prompt_cache_hit_tokens")));
    struct json details = json_get(usage, STR("prompt_tokens_details"));
    put_count(&end->n_cached_tokens, json_get(details, STR("cached_tokens")));
    struct json timings = json_get(event, STR("timings"));
    put_count(&end->n_cached_tokens, json_get(timings, STR("cache_n")));
    put_count(&end->n_tokens, json_get(timings, STR("predicted_n")));
    int64_t n_evaluated = json_int(json_get(timings, STR("prompt_n")), -1);
    if (end->n_prompt_tokens < 0 && n_evaluated >= 0) {
        end->n_prompt_tokens = n_evaluated + (end->n_cached_tokens > 0 ? end->n_cached_tokens : 0);
    }
    put_ms(&end->prompt_ms, json_get(timings, STR("prompt_ms")));
    put_ms(&end->generate_ms, json_get(timings, STR("predicted_ms")));
}

/* A content: text, or a list of parts of which some are text and others thoughts. */
static void tell_content(struct decoder *d, unsigned idx, struct json content)
{
    tell_text(d, idx, json_str(content));
    if (json_is(content, JSON_ARRAY)) {
        struct json_iter it = json_iter(content);
        struct json part;
        while (json_next(&it, NULL, &part)) {
            if (json_str_eq(json_get(part, STR("type")), STR("text"))) {
                tell_text(d, idx, json_str(json_get(part, STR("text"))));
            }
        }
    }
}

/* The OpenAI shapes; false where the event has no choices. */
static bool read_choices(struct decoder *d, struct json event)
{
    struct json choices = json_get(event, STR("choices"));
    if (!json_is(choices, JSON_ARRAY)) {
        return false;
    }
    struct json_iter it = json_iter(choices);
    struct json choice;
    while (json_next(&it, NULL, &choice)) {
        unsigned idx = read_index(d, choice);
        if (idx == n_texts(d)) {
            continue;
        }
        tell_text(d, idx, json_str(json_get(choice, STR("text"))));
        tell_content(d, idx, json_get(json_get(choice, STR("delta")), STR("content")));
        tell_content(d, idx, json_get(json_get(choice, STR("message")), STR("content")));
        read_finish_word(d, idx, json_str(json_get(choice, STR("finish_reason"))));
    }
    return true;
}

/* Anthropic counts what its cache read and wrote apart from the rest of the input. */
static void read_message_counts(struct generate_end *end, struct json usage)
{
    int64_t n_input = json_int(json_get(usage, STR("input_tokens")), -1);
    int64_t n_written = json_int(json_get(usage, STR("cache_creation_input_tokens")), 0);
    int64_t n_read = json_int(json_get(usage, STR("cache_read_input_tokens")), 0);
    bool is_sane = n_written >= 0 && n_written < INT32_MAX && n_read >= 0 && n_read < INT32_MAX;
    if (n_input >= 0 && n_input < INT32_MAX && is_sane) {
        end->n_prompt_tokens = n_input + n_written + n_read;
        end->n_cached_tokens = n_read;
    }
    put_count(&end->n_tokens, json_get(usage, STR("output_tokens")));
}

/* The shapes of Anthropic's messages; false where the event's type is none of theirs. */
static bool read_message(struct decoder *d, struct json event)
{
    struct generate_end *end = &reply_of(d)->end;
    struct json type = json_get(event, STR("type"));
    struct json delta = json_get(event, STR("delta"));
    if (json_str_eq(type, STR("message_start"))) {
        read_message_counts(end, json_get(json_get(event, STR("message")), STR("usage")));
    } else if (json_str_eq(type, STR("content_block_delta"))) {
        tell_text(d, 0, json_str(json_get(delta, STR("text"))));
    } else if (json_str_eq(type, STR("message_delta"))) {
        read_message_counts(end, json_get(event, STR("usage")));
        read_finish_word(d, 0, json_str(json_get(delta, STR("stop_reason"))));
    } else if (json_str_eq(type, STR("message_stop"))) {
        tell_end(d);
    } else if (json_str_eq(type, STR("message"))) {
        tell_content(d, 0, json_get(event, STR("content")));
        read_message_counts(end, json_get(event, STR("usage")));
        read_finish_word(d, 0, json_str(json_get(event, STR("stop_reason"))));
    } else {
        return false;
    }
    return true;
}

/* llama-server's own shape: content, and everything else in the event that has "stop": true. */
static void read_native(struct decoder *d, struct json event)
{
    struct reply *r = reply_of(d);
    unsigned idx = read_index(d, event);
    tell_text(d, idx, json_str(json_get(event, STR("content"))));
    if (!json_bool(json_get(event, STR("stop")), false)) {
        return;
    }
    put_count(&r->end.n_prompt_tokens, json_get(event, STR("tokens_evaluated")));
    put_count(&r->end.n_tokens, json_get(event, STR("tokens_predicted")));
    bool is_limit = json_str_eq(json_get(event, STR("stop_type")), STR("limit")) ||
                    json_bool(json_get(event, STR("stopped_limit")), false);
    finish(d, idx, is_limit ? FINISH_LENGTH : FINISH_STOP);
    if (r->finished == (1u << n_texts(d)) - 1) {
        tell_end(d);
    }
}

static void explain_json(int status, struct json body, struct error *out);

static bool is_error(struct json event, str name)
{
    struct json error = json_get(event, STR("error"));
    if (json_is(error, JSON_OBJECT) || (json_is(error, JSON_STRING) && json_str(error).len > 0)) {
        return true;
    }
    if (str_eq(name, STR("error")) || json_str_eq(json_get(event, STR("object")), STR("error"))) {
        return true;
    }
    bool has_text = json_is(json_get(event, STR("choices")), JSON_ARRAY) ||
                    json_is(json_get(event, STR("content")), JSON_STRING);
    return !has_text && (json_is(json_get(event, STR("message")), JSON_STRING) ||
                         !json_is(json_get(event, STR("detail")), JSON_NONE));
}

/* Whether either name holds the other, without owner and without what tells two of a name apart:
 * "qwen/coder-7b", "coder-7b", "coder-7b:2" and "coder-7b@q4_k_m" are the same. */
static bool is_same_model(str a, str b)
{
    str names[] = {str_after_last(a, '/'), str_after_last(b, '/')};
    for (size_t i = 0; i < 2; i++) {
        names[i] = str_sub(names[i], 0, str_find_char(names[i], ':', 0));
        names[i] = str_sub(names[i], 0, str_find_char(names[i], '@', 0));
    }
    return str_contains_nocase(names[0], names[1]) || str_contains_nocase(names[1], names[0]);
}

static bool is_of_another_model(struct decoder *d, struct json event)
{
    str name = json_str(json_get(event, STR("model")));
    if (d->model.len == 0 || name.len == 0 || is_same_model(d->model, name)) {
        return false;
    }
    struct error error;
    struct buf text;
    buf_init(&text, ERROR_MSG_BYTES - 1);
    buf_append(&text, STR("another model answered than was asked; is it loaded there?"));
    reply_quote(&text, name);
    error_set(&error, ERR_NOT_FOUND, "%s", buf_cstr(&text));
    buf_release(&text);
    tell_error(d, &error);
    return true;
}

static void read_event(struct decoder *d, str name, struct json event)
{
    if (is_of_another_model(d, event)) {
        return;
    }
    if (is_error(event, name)) {
        struct error error;
        explain_json(200, event, &error);
        tell_error(d, &error);
        return;
    }
    read_counts(&reply_of(d)->end, event);
    if (!read_choices(d, event) && !read_message(d, event)) {
        read_native(d, event);
    }
}

/* False where `text` is no JSON object. */
static bool read_text(struct decoder *d, str name, str text)
{
    struct arena arena = {0};
    struct json event;
    bool is_event = json_parse(text, &arena, &event, NULL) == ERR_OK && json_is(event, JSON_OBJECT);
    if (is_event) {
        read_event(d, name, event);
    }
    arena_release(&arena);
    return is_event;
}

/* -- the stream -- */

static bool on_event(const struct sse_event *event, void *user)
{
    struct decoder *d = user;
    struct reply *r = reply_of(d);
    str data = str_trim(event->data);
    if (str_starts_with(data, STR("[DONE]"))) {
        tell_end(d);
    } else if (event->is_oversized ||
               (data.len > 0 && !str_eq(data, STR("null")) && !read_text(d, event->name, data))) {
        r->n_bad++;
        if (r->n_bad >= BAD_EVENTS_MAX) {
            tell_nonsense(d, "a stream of broken events");
        }
    }
    return !d->is_over;
}

void reply_begin(struct decoder *d)
{
    struct reply *r = reply_of(d);
    d->is_over = false;
    memset(d->state, 0, sizeof d->state);
    sse_init(&r->sse);
    buf_init(&r->whole, HTTP_MAX_BODY_BYTES);
    r->end = (struct generate_end){.reason = FINISH_NONE,
                                   .n_prompt_tokens = -1,
                                   .n_cached_tokens = -1,
                                   .n_tokens = -1,
                                   .prompt_ms = -1,
                                   .generate_ms = -1};
}

/* Skips blanks and a BOM and decides by the first other character. */
static str find_mode(struct decoder *d, str bytes)
{
    static const char BOM[] = "\xEF\xBB\xBF";
    struct reply *r = reply_of(d);
    size_t i = 0;
    for (; i < bytes.len && r->mode == MODE_UNKNOWN; i++) {
        char c = bytes.ptr[i];
        if (r->n_bom < 3 && c == BOM[r->n_bom]) {
            r->n_bom++;
            continue;
        }
        if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
            continue;
        }
        if (c == '<') {
            tell_nonsense(d, "a web page");
            return str_of("", 0);
        }
        r->mode = c == '{' || c == '[' ? MODE_WHOLE : MODE_EVENTS;
        return str_sub(bytes, i, bytes.len);
    }
    return str_of("", 0);
}

void reply_decode(struct decoder *d, str bytes)
{
    struct reply *r = reply_of(d);
    if (d->is_over) {
        return;
    }
    if (r->mode == MODE_UNKNOWN) {
        bytes = find_mode(d, bytes);
    }
    if (r->mode == MODE_EVENTS) {
        sse_feed(&r->sse, bytes, on_event, d);
    } else if (r->mode == MODE_WHOLE) {
        buf_append(&r->whole, bytes);
    }
}

static void finish_whole(struct decoder *d)
{
    struct reply *r = reply_of(d);
    if (r->whole.is_full) {
        struct error error;
        error_set(&error, ERR_TOO_LARGE, "the server's answer is larger than %u MiB",
                  HTTP_MAX_BODY_BYTES / MIB);
        tell_error(d, &error);
    } else if (!read_text(d, str_of("", 0), buf_str(&r->whole))) {
        tell_nonsense(d, "broken JSON");
    }
}

void reply_finish(struct decoder *d, bool is_aborted)
{
    struct reply *r = reply_of(d);
    if (!is_aborted && !d->is_over) {
        if (r->mode == MODE_WHOLE) {
            finish_whole(d);
        } else if (r->mode == MODE_EVENTS) {
            sse_finish(&r->sse, on_event, d);
        }
        tell_end(d);
    }
    d->is_over = true;
    sse_release(&r->sse);
    buf_release(&r->whole);
    memset(d->state, 0, sizeof d->state);
}

/* -- explaining failures -- */

/* What a server says, in whichever shape; empty where nothing is said. */
static str message_of(struct json body)
{
    struct json error = json_get(body, STR("error"));
    struct json detail = json_get(body, STR("detail"));
    const struct json candidates[] = {
        json_get(error, STR("message")),  error,
        json_get(body, STR("message")),   json_get(json_at(detail, 0), STR("msg")),
        json_get(detail, STR("message")), detail};
    for (size_t i = 0; i < sizeof candidates / sizeof *candidates; i++) {
        str message = json_str(candidates[i]);
        if (message.len > 0) {
            return message;
        }
    }
    return str_of("", 0);
}

/* The machine's word for it: type or code. */
static bool kind_contains(struct json body, str word)
{
    struct json error = json_get(body, STR("error"));
    const struct json candidates[] = {json_get(error, STR("type")), json_get(error, STR("code")),
                                      json_get(body, STR("type")), json_get(body, STR("code")),
                                      json_get(body, STR("error_type"))};
    for (size_t i = 0; i < sizeof candidates / sizeof *candidates; i++) {
        if (str_contains_nocase(json_str(candidates[i]), word)) {
            return true;
        }
    }
    return false;
}

/* A status of 200 says nothing: the body may have a number of its own. */
static int status_of(int status, struct json body)
{
    if (status != 200) {
        return status;
    }
    int64_t code = json_int(json_get(json_get(body, STR("error")), STR("code")), 0);
    code = code != 0 ? code : json_int(json_get(body, STR("code")), 0);
    return code >= 300 && code < 600 ? (int)code : 200;
}

static bool contains_any(str text, const char *const *words)
{
    for (; *words != NULL; words++) {
        if (str_contains_nocase(text, str_from(*words))) {
            return true;
        }
    }
    return false;
}

static bool is_too_large(int status, struct json body, str message)
{
    static const char *const WORDS[] = {"context size",
                                        "context length",
                                        "context window",
                                        "maximum context",
                                        "maximum model length",
                                        "prompt is too long",
                                        "too many tokens",
                                        "must have less than",
                                        "`max_new_tokens` must be",
                                        NULL}; /* the last two: TGI */
    return status == 413 || kind_contains(body, STR("exceed_context")) ||
           kind_contains(body, STR("context_length")) || contains_any(message, WORDS);
}

static bool is_unknown_model(int status, struct json body, str message)
{
    static const char *const WORDS[] = {"not found",  "does not exist", "unknown model",
                                        "not loaded", "no such model",  "not exist",
                                        NULL};
    return status == 404 || kind_contains(body, STR("model_not_found")) ||
           str_contains_nocase(message, STR("no model id")) || /* llama-swap, as the next */
           str_contains_nocase(message, STR("inference handler")) ||
           kind_contains(body, STR("invalid_model")) ||
           (str_contains_nocase(message, STR("model")) && contains_any(message, WORDS));
}

static bool is_unauthorised(int status, struct json body)
{
    return status == 401 || status == 403 || kind_contains(body, STR("authentication")) ||
           kind_contains(body, STR("invalid_api_key")) || kind_contains(body, STR("permission"));
}

static bool is_loading(int status, str message)
{
    static const char *const WORDS[] = {"loading model", "model is loading", "still loading",
                                        "currently loading", NULL};
    return (status == 503 || status == 200) && contains_any(message, WORDS);
}

static enum err code_of(int status, struct json body, str message)
{
    if (is_loading(status, message)) {
        return ERR_LOADING;
    }
    if (is_unauthorised(status, body)) {
        return ERR_AUTH;
    }
    if (is_too_large(status, body, message)) {
        return ERR_TOO_LARGE;
    }
    if (status == 501 || kind_contains(body, STR("not_supported"))) {
        return ERR_REJECTED;
    }
    return is_unknown_model(status, body, message) ? ERR_NOT_FOUND : ERR_STATUS;
}

/* What a status, or where an answer has begun an error's type, says of the server. */
static const char *advice_of_server(int status, struct json body, str message)
{
    if (status == 402 || kind_contains(body, STR("insufficient_quota")) ||
        kind_contains(body, STR("billing"))) {
        return "the account has no credit left; top it up, or name another endpoint";
    }
    if (status == 529 || kind_contains(body, STR("overloaded")) ||
        (status == 503 && str_contains_nocase(message, STR("overloaded")))) {
        return "the server is overloaded; ask again in a moment";
    }
    if (status == 429 || kind_contains(body, STR("rate_limit"))) {
        return "the server has too many requests or the account's quota is used up; wait or raise "
               "it";
    }
    bool is_its_own = kind_contains(body, STR("api_error")) ||
                      kind_contains(body, STR("server_error")) ||
                      kind_contains(body, STR("internal")) ||
                      kind_contains(body, STR("generation")); /* TGI's, also "incomplete_" */
    return status >= 500 || is_its_own ? "the server failed; its own log says more" : NULL;
}

static const char *advice(enum err code, int status, struct json body, str message)
{
    switch (code) {
    case ERR_LOADING:
        return "the server is still loading its model; it will be asked again";
    case ERR_AUTH:
        return "the server refuses the key; set the endpoint's apiKeyFile, apiKeyEnv or "
               "apiKeyCommand";
    case ERR_TOO_LARGE:
        return "the prompt is longer than the model's context; start the server with a larger one";
    case ERR_REJECTED:
        return "the server can't do this with its model; choose one that fills in the middle";
    case ERR_NOT_FOUND:
        return "the server has no such model or address; see `crucible-ls status`";
    default: /* a status that speaks for itself */
        break;
    }
    if (status >= 300 && status < 400) {
        return "the server redirects, and redirects are not followed; set the endpoint's final URL";
    }
    const char *of_server = advice_of_server(status, body, message);
    return of_server ? of_server
                     : "the server refuses the request; check the endpoint's kind and settings";
}

void reply_quote(struct buf *out, str message)
{
    struct buf visible;
    buf_init(&visible, HTTP_MAX_ERROR_BYTES * 3);
    visible_append(&visible, str_sub(message, 0, HTTP_MAX_ERROR_BYTES));
    str line = str_trim(buf_str(&visible));
    line = str_trim(str_sub(line, 0, str_find_char(line, '\n', 0)));
    bool is_cut = line.len > SERVER_TEXT_BYTES;
    line = str_sub(line, 0, is_cut ? utf8_floor(line, SERVER_TEXT_BYTES) : line.len);
    if (line.len > 0) {
        buf_appendf(out, " (\"" STR_FMT "%s\")", STR_ARG(line), is_cut ? "..." : "");
    }
    buf_release(&visible);
}

static void explain(int status, enum err code, struct json body, str message, struct error *out)
{
    struct buf text;
    buf_init(&text, ERROR_MSG_BYTES - 1);
    buf_appendf(&text, "%s", advice(code, status, body, message));
    if (status >= 100 && status != 200) {
        buf_appendf(&text, "; HTTP %d", status);
    }
    /* A refused key is sometimes quoted back. */
    if (code != ERR_AUTH) {
        reply_quote(&text, message);
    }
    error_set(out, code, "%s", buf_cstr(&text));
    out->detail = status;
    buf_release(&text);
}

static void explain_json(int status, struct json body, struct error *out)
{
    str message = message_of(body);
    status = status_of(status, body);
    explain(status, code_of(status, body, message), body, message, out);
}

void reply_explain(int status, str body, struct error *out)
{
    struct arena arena = {0};
    struct json json;
    body = str_trim(body);
    if (json_parse(body, &arena, &json, NULL) == ERR_OK && !json_is(json, JSON_STRING)) {
        explain_json(status, json, out);
    } else {
        bool is_page = body.len > 0 && body.ptr[0] == '<';
        str message = is_page ? STR("it answers with a web page") : body;
        struct json none = {0};
        explain(status, code_of(status, none, message), none, message, out);
    }
    arena_release(&arena);
}

bool reply_is_loading(int status, str body)
{
    struct error error;
    reply_explain(status, body, &error);
    return status == 503 && error.code == ERR_LOADING;
}
