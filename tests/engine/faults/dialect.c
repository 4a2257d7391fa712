/* dialect.c - llama-server, Ollama and OpenAI: their answers, as bytes.
 *
 * How      A stream is a list of events, each a chunk of its own, its end marked so that whoever
 *          sends can pause there. Shapes are those of tests/unit/providers/fixtures. */
#include "dialect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PIECE_BYTES 4u

struct stream { /* being written */
    struct response *out;
    const struct plan *plan;
    const char *path;
    unsigned n_pieces;
};

void response_free(struct response *r)
{
    bytes_free(&r->all);
    free(r->marks);
    *r = (struct response){0};
}

static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), m = strlen(end);
    return n >= m && strcmp(s + n - m, end) == 0;
}

static bool is_chat(const char *path)
{
    return ends_with(path, "/chat/completions") || ends_with(path, "/api/chat");
}

static bool is_ollama(const char *path)
{
    return strncmp(path, "/api/", 5) == 0;
}

bool dialect_is_generation(const char *path, const char *body)
{
    static const char *const known[] = {"/infill", "/completion", "/completions", "/api/generate",
                                        "/api/chat"};
    bool is_load = ends_with(path, "/api/generate") && !strstr(body, "\"prompt\"");
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (ends_with(path, known[i])) {
            return !is_load;
        }
    }
    return false;
}

/* -- pieces -- */

static void escape(struct bytes *b, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c == '"' || c == '\\') {
            bytes_addf(b, "\\%c", c);
        } else if (c < ' ') {
            bytes_addf(b, "\\u%04x", c);
        } else {
            bytes_add(b, text + i, 1);
        }
    }
}

/* One event: framed as the path has it, and as a chunk. */
static void emit(struct stream *s, const struct bytes *json)
{
    struct response *r = s->out;
    const char *before = is_ollama(s->path) ? "" : "data: ";
    const char *after = is_ollama(s->path) ? "\n" : "\n\n";
    if (!s->plan->is_http10) {
        bytes_addf(&r->all, "%zx\r\n", strlen(before) + json->len + strlen(after));
    }
    bytes_addf(&r->all, "%s", before);
    bytes_add(&r->all, json->ptr, json->len);
    bytes_addf(&r->all, "%s%s", after, s->plan->is_http10 ? "" : "\r\n");
    r->marks = realloc(r->marks, (r->n_marks + 1) * sizeof *r->marks);
    if (!r->marks) {
        exit(1);
    }
    r->marks[r->n_marks++] = r->all.len;
}

static void emit_piece(struct stream *s, const char *text, size_t len)
{
    struct bytes json = {0};
    if (is_ollama(s->path)) {
        bytes_addf(&json,
                   "{\"model\":\"tinycode:latest\",\"created_at\":\"2026-11-23T02:19:34Z\",%s\"",
                   is_chat(s->path) ? "\"message\":{\"role\":\"assistant\",\"content\":"
                                    : "\"response\":");
        escape(&json, text, len);
        bytes_addf(&json, "\"%s,\"done\":false}", is_chat(s->path) ? "}" : "");
    } else if (is_chat(s->path)) {
        bytes_addf(&json,
                   "{\"choices\":[{\"finish_reason\":null,\"index\":0,\"delta\":{\"content\":\"");
        escape(&json, text, len);
        bytes_addf(&json,
                   "\"}}],\"created\":1795320404,\"id\":\"chatcmpl-1\",\"model\":\"tinycode\","
                   "\"object\":\"chat.completion.chunk\"}");
    } else if (ends_with(s->path, "/v1/completions")) {
        bytes_addf(&json, "{\"choices\":[{\"text\":\"");
        escape(&json, text, len);
        bytes_addf(&json,
                   "\",\"index\":0,\"logprobs\":null,\"finish_reason\":null}],\"id\":\"cmpl-1\","
                   "\"model\":\"tinycode\",\"object\":\"text_completion\"}");
    } else {
        bytes_addf(&json, "{\"index\":0,\"content\":\"");
        escape(&json, text, len);
        bytes_addf(&json,
                   "\",\"tokens\":[7],\"stop\":false,\"id_slot\":0,\"tokens_predicted\":%u,"
                   "\"tokens_evaluated\":10}",
                   s->n_pieces + 1);
    }
    s->n_pieces++;
    emit(s, &json);
    bytes_free(&json);
}

static void emit_end(struct stream *s)
{
    struct bytes json = {0};
    unsigned n = s->n_pieces;
    if (is_ollama(s->path)) {
        bytes_addf(
            &json,
            "{\"model\":\"tinycode:latest\",\"created_at\":\"2026-11-23T02:19:34Z\",%s,\"done\":"
            "true,"
            "\"done_reason\":\"stop\",\"prompt_eval_count\":10,\"prompt_eval_duration\":2860000,"
            "\"eval_count\":%u,\"eval_duration\":2644000}",
            is_chat(s->path) ? "\"message\":{\"role\":\"assistant\",\"content\":\"\"}"
                             : "\"response\":\"\"",
            n);
    } else if (is_chat(s->path) || ends_with(s->path, "/v1/completions")) {
        bytes_addf(
            &json,
            "{\"choices\":[{\"finish_reason\":\"stop\",\"index\":0,%s}],\"model\":\"tinycode\","
            "\"usage\":{\"completion_tokens\":%u,\"prompt_tokens\":10,\"total_tokens\":%u}}",
            is_chat(s->path) ? "\"delta\":{}" : "\"text\":\"\"", n, n + 10);
        emit(s, &json);
        json.len = 0;
        bytes_addf(&json, "[DONE]");
    } else {
        bytes_addf(
            &json,
            "{\"index\":0,\"content\":\"\",\"tokens\":[],\"id_slot\":0,\"stop\":true,"
            "\"model\":\"tinycode\",\"tokens_predicted\":%u,\"tokens_evaluated\":10,"
            "\"truncated\":false,\"stop_type\":\"eos\",\"stopping_word\":\"\",\"tokens_cached\":10,"
            "\"timings\":{\"cache_n\":0,\"prompt_n\":10,\"prompt_ms\":4.4,\"predicted_n\":%u,"
            "\"predicted_ms\":3.1}}",
            n, n);
    }
    emit(s, &json);
    bytes_free(&json);
}

/* -- headers -- */

static void begin(struct response *r, const struct plan *p, int status, const char *type,
                  long length)
{
    bytes_addf(&r->all, "HTTP/1.%d %d %s\r\nServer: faults\r\n", p->is_http10 ? 0 : 1, status,
               status == 200 ? "OK" : "Failed");
    bytes_addf(&r->all, "Content-Type: %s\r\n", p->type.len > 0 ? p->type.ptr : type);
    if (p->headers.len > 0) {
        bytes_add(&r->all, p->headers.ptr, p->headers.len);
    }
    if (p->is_http10) {
        r->is_last = true;
    } else if (length < 0) {
        bytes_addf(&r->all, "Transfer-Encoding: chunked\r\n");
    } else {
        bytes_addf(&r->all, "Content-Length: %ld\r\n", length);
    }
    bytes_addf(&r->all, "\r\n");
    r->body = r->all.len;
}

static void answer_body(struct response *r, const struct plan *p, int status, const char *type,
                        const char *body, size_t len)
{
    begin(r, p, status, type, p->chunk > 0 ? -1 : (long)len);
    if (p->chunk == 0) {
        bytes_add(&r->all, body, len);
        return;
    }
    for (size_t at = 0; at < len; at += p->chunk) {
        size_t n = len - at < p->chunk ? len - at : p->chunk;
        bytes_addf(&r->all, "%zx\r\n", n);
        bytes_add(&r->all, body + at, n);
        bytes_addf(&r->all, "\r\n");
    }
    bytes_addf(&r->all, "0\r\n\r\n");
}

/* -- answers -- */

/* The last word of the request that begins with "nonce"; for a person's question as a block of
 * code. */
static void find_nonce(const char *path, const char *body, struct bytes *text)
{
    const char *last = NULL;
    for (const char *at = body; (at = strstr(at, "nonce")) != NULL; at++) {
        last = at;
    }
    size_t n = last ? strspn(last, "abcdefghijklmnopqrstuvwxyz0123456789") : 0;
    bytes_addf(text, is_chat(path) ? "```c\n(%.*s);\n```\n" : "(%.*s);", (int)n, last ? last : "");
}

static void generate(const char *path, const char *body, const struct plan *p, struct response *r)
{
    struct stream s = {r, p, path, 0};
    struct bytes text = {0};
    begin(r, p, 200, is_ollama(path) ? "application/x-ndjson" : "text/event-stream", -1);
    if (p->is_echo) {
        find_nonce(path, body, &text);
    } else {
        bytes_add(&text, p->has_text ? p->text.ptr : "0;", p->has_text ? p->text.len : 2);
    }
    for (unsigned i = 0; i < p->stamps; i++) {
        emit_piece(&s, STAMP, sizeof STAMP - 1);
    }
    for (size_t at = 0; at < text.len && p->stamps == 0;) {
        size_t n = text.len - at < PIECE_BYTES ? text.len - at : PIECE_BYTES;
        while (at + n < text.len && ((unsigned char)text.ptr[at + n] & 0xc0) == 0x80) {
            n++;
        }
        emit_piece(&s, text.ptr + at, n);
        at += n;
    }
    if (!p->has_no_end) {
        emit_end(&s);
    }
    if (!p->is_http10) {
        bytes_addf(&r->all, "0\r\n\r\n");
    }
    bytes_free(&text);
}

static const char *probe_of(enum kind kind, const char *path)
{
    static const struct {
        enum kind kind;
        const char *path, *body;
    } known[] = {
        {KIND_LLAMACPP, "/health", "{\"status\":\"ok\"}"},
        {KIND_LLAMACPP, "/props",
         "{\"default_generation_settings\":{\"id\":0,\"n_ctx\":4096},\"total_slots\":4,"
         "\"model_alias\":\"tinycode\",\"model_path\":\"/models/"
         "tinycode.gguf\",\"chat_template\":\"\","
         "\"build_info\":\"b11669\",\"is_sleeping\":false}"},
        {KIND_LLAMACPP, "/v1/models",
         "{\"object\":\"list\",\"data\":[{\"id\":\"tinycode\",\"object\":\"model\",\"created\":"
         "1795320404,"
         "\"owned_by\":\"llamacpp\",\"meta\":{\"n_ctx_train\":4096,\"n_params\":4200000,\"size\":"
         "8526912}}]}"},
        {KIND_LLAMACPP, "/tokenize", "{\"tokens\":[1]}"},
        {KIND_OPENAI, "/v1/models",
         "{\"object\":\"list\",\"data\":[{\"id\":\"qwen2.5-coder\",\"object\":\"model\",\"owned_"
         "by\":"
         "\"me\"}]}"},
        {KIND_OLLAMA, "/api/version", "{\"version\":\"0.33.0\"}"},
        {KIND_OLLAMA, "/api/tags",
         "{\"models\":[{\"name\":\"tinycode:latest\",\"model\":\"tinycode:latest\",\"size\":"
         "4595142,"
         "\"digest\":\"c418\",\"details\":{\"family\":\"llama\",\"parameter_size\":\"4.20M\","
         "\"quantization_level\":\"Q8_0\",\"context_length\":4096},\"capabilities\":["
         "\"completion\",\"insert\"]}]}"},
        {KIND_OLLAMA, "/api/ps",
         "{\"models\":[{\"name\":\"tinycode:latest\",\"model\":\"tinycode:latest\",\"size\":"
         "4595142,"
         "\"expires_at\":\"2036-11-23T02:29:34Z\",\"size_vram\":0,\"context_length\":4096}]}"},
        {KIND_OLLAMA, "/api/show",
         "{\"template\":\"{{ .Prompt }}\",\"details\":{\"family\":\"llama\"},\"model_info\":"
         "{\"general.architecture\":\"llama\",\"llama.context_length\":4096},\"capabilities\":"
         "[\"completion\",\"insert\"]}"},
        {KIND_OLLAMA, "/api/generate",
         "{\"model\":\"tinycode:latest\",\"response\":\"\",\"done\":true,\"done_reason\":"
         "\"load\"}"},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (known[i].kind == kind && strcmp(known[i].path, path) == 0) {
            return known[i].body;
        }
    }
    return NULL;
}

static const char *error_of(enum kind kind)
{
    return kind == KIND_OLLAMA ? "{\"error\":\"it failed as told\"}"
                               : "{\"error\":{\"code\":500,\"message\":\"it failed as told\","
                                 "\"type\":\"server_error\"}}";
}

void dialect_answer(enum kind kind, const char *path, const char *body, const struct plan *p,
                    int status, struct response *out)
{
    const char *probe = probe_of(kind, path);
    bool is_stream = dialect_is_generation(path, body);
    const char *type =
        is_stream && status == 200 && !is_ollama(path) ? "text/event-stream" : "application/json";
    if (p->raw.len > 0) {
        bytes_add(&out->all, p->raw.ptr, p->raw.len);
        char *end = strstr(out->all.ptr, "\r\n\r\n");
        out->body = end ? (size_t)(end - out->all.ptr) + 4 : out->all.len;
    } else if (p->has_body) {
        answer_body(out, p, status, type, p->body.ptr, p->body.len);
    } else if (status != 200) {
        answer_body(out, p, status, "application/json", error_of(kind), strlen(error_of(kind)));
    } else if (is_stream) {
        generate(path, body, p, out);
    } else if (probe) {
        answer_body(out, p, status, "application/json", probe, strlen(probe));
    } else {
        const char *lost = "{\"error\":{\"code\":404,\"message\":\"File Not "
                           "Found\",\"type\":\"not_found_error\"}}";
        answer_body(out, p, 404, "application/json", lost, strlen(lost));
    }
}
