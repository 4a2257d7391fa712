/* outgoing.c - what a model is sent for a question; see outgoing.h.
 *
 * How   The window around the cursor is cut, redacted where it leaves the machine, and rendered for
 *       the model's family, or left to the server that does it better. */
#include "core/outgoing.h"

#include <string.h>

#include "core/base/clock.h"
#include "core/base/limits.h"
#include "core/base/log.h"
#include "core/prompt/hole.h"
#include "core/prompt/redact.h"
#include "core/prompt/template.h"

#define READ_WITHIN_US      SEC_TO_US(1) /* longer than that nobody waits for a suggestion */
#define WINDOW_MIN_PREFIX   512u
#define DEFAULT_TEMPERATURE 0.1
#define CHAT_TEMPERATURE    0.2

/* -- windows -- */

/* Models have learned from "\n"; what comes back is put in with the document's own line ends. */
static void unify_line_ends(struct buf *b)
{
    size_t n = 0;
    for (size_t i = 0; i < b->len; i++) {
        char c = b->ptr[i];
        if (c == '\r' && i + 1 < b->len && b->ptr[i + 1] == '\n') {
            continue;
        }
        b->ptr[n++] = c == '\r' ? '\n' : c;
    }
    buf_truncate(b, n);
}

void prompt_window_take(struct prompt_window *w, const struct asked *a,
                        const struct open_document *doc, const struct window_limits *limits,
                        uint64_t model)
{
    w->window = window_around(doc->text, a->cursor, limits);
    if (w->window.start > a->selected_start) {
        w->window.start = a->selected_start;
    }
    buf_init(&w->prefix, WINDOW_MAX_BYTES);
    buf_init(&w->suffix, WINDOW_MAX_BYTES);
    document_copy(doc->text, w->window.start, a->selected_start, &w->prefix);
    buf_append(&w->prefix, buf_str(&a->selected));
    document_copy(doc->text, a->cursor, w->window.end, &w->suffix);
    if (memchr(buf_cstr(&w->prefix), '\r', w->prefix.len) != NULL ||
        memchr(buf_cstr(&w->suffix), '\r', w->suffix.len) != NULL) {
        unify_line_ends(&w->prefix);
        unify_line_ends(&w->suffix);
    }
    w->hash = hash_mix(hash_mix(hash_str(buf_str(&w->prefix)), hash_str(buf_str(&w->suffix))),
                       hash_mix(model, a->is_multiline));
}

void prompt_window_release(struct prompt_window *w)
{
    buf_release(&w->prefix);
    buf_release(&w->suffix);
}

bool leg_can_fill(const struct model_info *m)
{
    if ((m->abilities & (MODEL_INFILL | MODEL_RAW)) != MODEL_RAW) { /* asked at every keystroke */
        return (m->abilities & MODEL_INFILL) != 0;
    }
    const struct template_family *by_name = template_find(m->name);
    const struct template_family *family = by_name != NULL ? by_name : template_find(m->id);
    return family != NULL && (!m->tokens_told || template_is_proven(family, m->tokens));
}

uint64_t leg_model(const struct route *r)
{
    return hash_mix(r->endpoint, hash_str(r->model));
}

/* Whether the server is left to render its model's template. */
static bool renders_itself(const struct route *r, const struct model_options *o)
{
    return (r->abilities & MODEL_INFILL) != 0 &&
           (str_eq(o->fim, STR("auto")) || str_eq(o->fim, STR("infill")) || o->fim.len == 0);
}

struct window_limits leg_limits(const struct engine *e, const struct asked *a,
                                const struct route *r)
{
    const struct model_options *o = settings_model_options(a->settings, str_from(r->name));
    struct window_limits limits = renders_itself(r, o) ? WINDOW_LIMITS_INIT : WINDOW_LIMITS_WIDE;
    size_t can_read =
        upstream_prompt_bytes(e->options.upstream, r->endpoint, r->model, READ_WITHIN_US);
    /* By halves, so that the window's edges stay where they are while the measured speed wavers. */
    while (limits.prefix_bytes + limits.suffix_bytes > can_read &&
           limits.prefix_bytes > WINDOW_MIN_PREFIX) {
        limits.prefix_bytes /= 2;
        limits.suffix_bytes /= 2;
    }
    limits.is_sliding = e->options.off.head;
    return limits;
}

static const struct template_family *family_of(const struct route *r, const struct model_options *o)
{
    bool is_named =
        !str_eq(o->fim, STR("auto")) && !str_eq(o->fim, STR("infill")) && o->fim.len > 0;
    if (is_named) {
        return template_find(o->fim);
    }
    const struct template_family *by_name = template_find(r->model_name);
    return by_name != NULL ? by_name : template_find(r->model);
}

/* Breaks up what the server would read as a control token. */
static void neutralise_in_place(struct buf *b)
{
    struct buf out;
    buf_init(&out, WINDOW_MAX_BYTES * 2);
    template_neutralise(buf_str(b), &out);
    buf_release(b);
    *b = out;
}

static void copy_window(struct outgoing *out, const struct prompt_window *w)
{
    buf_init(&out->prefix, WINDOW_MAX_BYTES * 2);
    buf_init(&out->suffix, WINDOW_MAX_BYTES * 2);
    buf_init(&out->prompt, PROMPT_MAX_BYTES);
    buf_append(&out->prefix, buf_str(&w->prefix));
    buf_append(&out->suffix, buf_str(&w->suffix));
}

/* Replaces secrets, also one that the cursor stands in the middle of; gives how many there were. */
static size_t redact_outgoing(struct outgoing *out)
{
    struct buf prefix, suffix;
    buf_init(&prefix, WINDOW_MAX_BYTES * 2);
    buf_init(&suffix, WINDOW_MAX_BYTES * 2);
    size_t n = redact_around(buf_str(&out->prefix), buf_str(&out->suffix), &prefix, &suffix);
    buf_release(&out->prefix);
    buf_release(&out->suffix);
    out->prefix = prefix;
    out->suffix = suffix;
    return n;
}

static void add_stops(struct outgoing *out, const struct asked *a, const struct model_options *o)
{
    struct generate *g = &out->generate;
    if (!a->is_multiline) {
        out->stops[g->n_stops++] = STR("\n");
    }
    for (size_t i = 0; i < o->n_stops && g->n_stops < 4; i++) {
        out->stops[g->n_stops++] = o->stops[i];
    }
    for (size_t i = 0; out->family != NULL && out->family->stops[i] != NULL && g->n_stops < 16;
         i++) {
        out->stops[g->n_stops++] = str_from(out->family->stops[i]);
    }
    g->stops = out->stops;
}

/* The hole as an instruction. The trimmer knows where the answer ends: a line's end as a stop would
 * stop an answer in a fence before it has begun. */
static void tell_to_fill(struct outgoing *out, const struct model_options *o,
                         const struct open_document *doc)
{
    struct hole_text text = {.prefix = buf_str(&out->prefix),
                             .suffix = buf_str(&out->suffix),
                             .file_name = str_after_last(doc->path, '/'),
                             .language = doc->language};
    struct generate *g = &out->generate;
    buf_init(&out->mark, KIB);
    buf_init(&out->system, 4 * KIB);
    hole_mark(&text, &out->mark);
    hole_system(buf_str(&out->mark), &out->system);
    hole_message(&text, buf_str(&out->mark), &out->prompt);
    g->shape = GENERATE_CHAT;
    g->system = buf_str(&out->system);
    g->prompt = buf_str(&out->prompt);
    g->stops = o->stops;
    g->n_stops = o->n_stops;
}

void outgoing_fill(struct outgoing *out, const struct asked *a, const struct route *r,
                   const struct prompt_window *w, const struct open_document *doc, unsigned n_texts)
{
    const struct model_options *o = settings_model_options(a->settings, str_from(r->name));
    copy_window(out, w);
    if (r->is_remote && a->settings->privacy_redact) {
        out->n_redacted = redact_outgoing(out);
        log_info(LOG_ENGINE, "question=%llu redacted=%zu", (unsigned long long)a->id,
                 out->n_redacted);
    }
    struct generate *g = &out->generate;
    out->family = r->fills_by_chat || renders_itself(r, o) ? NULL : family_of(r, o);
    g->shape = out->family != NULL ? GENERATE_RAW : GENERATE_INFILL;
    g->model = r->model;
    g->max_tokens = a->settings->inline_max_tokens;
    g->temperature = o->temperature >= 0 ? o->temperature : DEFAULT_TEMPERATURE;
    if (a->is_again) {
        g->temperature = g->temperature < 0.6 ? 0.8 : g->temperature + 0.2;
    }
    g->n_texts = r->fills_by_chat ? 1 : n_texts;
    g->slot = -1;
    if (r->fills_by_chat) {
        tell_to_fill(out, o, doc);
        return;
    }
    add_stops(out, a, o);
    if (out->family == NULL && (r->capabilities & PROVIDER_READS_TOKENS)) {
        neutralise_in_place(&out->prefix);
        neutralise_in_place(&out->suffix);
    }
    if (out->family != NULL) {
        template_render(out->family, buf_str(&out->prefix), buf_str(&out->suffix),
                        str_after_last(doc->path, '/'), &out->prompt);
    }
    g->prefix = buf_str(&out->prefix);
    g->suffix = buf_str(&out->suffix);
    g->prompt = buf_str(&out->prompt);
}

bool outgoing_fill_chat(struct outgoing *out, const struct asked *a, const struct route *r,
                        struct error *why)
{
    const struct conversation *c = a->chat;
    const struct model_options *o = settings_model_options(a->settings, str_from(r->name));
    bool redacts = r->is_remote && a->settings->privacy_redact;
    struct generate *g = &out->generate;
    buf_init(&out->prompt, PROMPT_MAX_BYTES);
    buf_init(&out->prefix, WINDOW_MAX_BYTES * 2);
    if (redacts && redact(buf_str(&c->rewrites), &out->prefix) > 0) {
        (void)error_set(why, ERR_REJECTED,
                        "what looks like a secret stands in the text to rewrite, and %s is on "
                        "another machine: select less, or name a model of this machine in "
                        "models.chat",
                        r->name);
        return false;
    }
    if (redacts) {
        out->n_redacted = redact(buf_str(&c->prompt), &out->prompt);
    } else {
        buf_append(&out->prompt, buf_str(&c->prompt));
    }
    g->shape = GENERATE_CHAT;
    g->model = r->model;
    g->prompt = buf_str(&out->prompt);
    g->system = o->system.len > 0 ? o->system : buf_str(&c->system);
    g->max_tokens = c->max_tokens;
    g->temperature = o->temperature >= 0 ? o->temperature : CHAT_TEMPERATURE;
    if (a->is_again) {
        g->temperature = g->temperature < 0.6 ? 0.8 : g->temperature + 0.2;
    }
    g->slot = -1;
    g->stops = o->stops;
    g->n_stops = o->n_stops;
    return true;
}

void outgoing_release(struct outgoing *out)
{
    buf_release(&out->prefix);
    buf_release(&out->suffix);
    buf_release(&out->prompt);
    buf_release(&out->mark);
    buf_release(&out->system);
}
