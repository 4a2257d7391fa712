/* fuzz_provider.h - what every codec must stand, whatever a server says. */
#ifndef CRUCIBLE_TESTS_FUZZ_PROVIDER_H
#define CRUCIBLE_TESTS_FUZZ_PROVIDER_H

#include "core/base/limits.h"
#include "core/base/memory.h"
#include "core/base/utf8.h"
#include "core/upstream/provider.h"

#define FUZZ_TEXTS 3u

struct heard { /* what a sink was told */
    struct buf text;
    struct buf others[FUZZ_TEXTS]; /* where several were asked for; 0 is unused */
    bool has_ended[FUZZ_TEXTS];
    unsigned n_ends;
    struct generate_end end;
    struct error error;
};

static inline void heard_text(str utf8, void *user)
{
    struct heard *h = user;
    ASSERT(utf8.len > 0 && h->n_ends == 0 && !h->has_ended[0]);
    buf_append(&h->text, utf8);
}

static inline void heard_other(unsigned idx, str utf8, void *user)
{
    struct heard *h = user;
    ASSERT(idx > 0 && idx < FUZZ_TEXTS);
    ASSERT(utf8.len > 0 && h->n_ends == 0 && !h->has_ended[idx]);
    buf_append(&h->others[idx], utf8);
}

static inline void heard_text_end(unsigned idx, enum finish_reason reason, void *user)
{
    struct heard *h = user;
    ASSERT(idx < FUZZ_TEXTS && reason <= FINISH_LENGTH && h->n_ends == 0 && !h->has_ended[idx]);
    h->has_ended[idx] = true;
}

static inline void heard_end(const struct generate_end *end, void *user)
{
    struct heard *h = user;
    h->n_ends++;
    h->end = *end;
}

static inline void heard_error(const struct error *error, void *user)
{
    struct heard *h = user;
    h->n_ends++;
    h->error = *error;
    ASSERT(error->code != ERR_OK && utf8_is_valid(str_from(error->msg)));
}

static inline void hear(const struct provider_ops *ops, str stream, size_t step, struct heard *h)
{
    *h = (struct heard){0};
    buf_init(&h->text, 16 * MIB);
    for (unsigned i = 0; i < FUZZ_TEXTS; i++) {
        buf_init(&h->others[i], 16 * MIB);
    }
    bool is_several = (ops->capabilities & PROVIDER_SEVERAL) && stream.len % 3 == 0;
    bool is_compared = (ops->capabilities & PROVIDER_TELLS_MODEL) && stream.len % 2 == 1;
    struct decoder d = {.ops = ops,
                        .model = is_compared ? STR("qwen2.5-coder-1.5b-instruct") : STR(""),
                        .n_texts = is_several ? FUZZ_TEXTS : 1,
                        .sink = {.on_text = heard_text,
                                 .on_end = heard_end,
                                 .on_error = heard_error,
                                 .user = h,
                                 .on_other = heard_other,
                                 .on_text_end = heard_text_end}};
    ops->decode_begin(&d);
    for (size_t i = 0; i < stream.len; i += step) {
        ops->decode(&d, str_sub(stream, i, i + step));
    }
    ops->decode_finish(&d, false);
    ASSERT(h->n_ends == 1 && utf8_is_valid(buf_str(&h->text)));
}

/* What is said of loads, with the models that the same text gave. */
static inline void check_loads(const struct provider_ops *ops, int status, str body,
                               struct probe *p)
{
    if (ops->read_load) {
        (void)ops->read_load(status, body);
    }
    if (ops->read_running) {
        (void)ops->read_running(body, p->arena, p->models, p->n_models);
        for (size_t i = 0; i < p->n_models; i++) {
            ASSERT(utf8_is_valid(p->models[i].loaded_as));
        }
    }
}

/* Vectors: all of them or none. */
static inline void check_vectors(const struct provider_ops *ops, str body, size_t n_texts)
{
    struct embedding v;
    struct error why = {0};
    if (ops->read_embed && ops->read_embed(body, n_texts, &v, &why) == ERR_OK) {
        ASSERT(v.n_texts == n_texts && v.n_dims > 0 && v.n_dims <= EMBED_DIMS_MAX);
        double alike = embedding_cosine(&v, 0, n_texts - 1);
        ASSERT(alike > -1.001 && alike < 1.001);
        embedding_release(&v);
    }
}

/* The first byte picks the cutting and the status of the answer to a probe. */
static inline void check_provider(const struct provider_ops *ops, const uint8_t *data, size_t size)
{
    static const int statuses[] = {200, 503, 401, 404, 500, 302, 0, 413};
    if (size == 0) {
        return;
    }
    str body = str_of((const char *)data + 1, size - 1);
    struct heard whole, cut;
    hear(ops, body, body.len + 1, &whole);
    hear(ops, body, 1 + data[0] % 13, &cut);
    ASSERT(str_eq(buf_str(&whole.text), buf_str(&cut.text)));
    for (unsigned i = 0; i < FUZZ_TEXTS; i++) {
        ASSERT(str_eq(buf_str(&whole.others[i]), buf_str(&cut.others[i])));
        ASSERT(whole.has_ended[i] == cut.has_ended[i] && utf8_is_valid(buf_str(&cut.others[i])));
        buf_release(&whole.others[i]);
        buf_release(&cut.others[i]);
    }
    ASSERT(whole.end.reason == cut.end.reason && whole.end.n_tokens == cut.end.n_tokens);
    ASSERT(whole.error.code == cut.error.code && strcmp(whole.error.msg, cut.error.msg) == 0);
    buf_release(&whole.text);
    buf_release(&cut.text);

    struct error error;
    int status = statuses[data[0] % 8];
    ops->explain(status, body, &error);
    ASSERT(error.code != ERR_OK && utf8_is_valid(str_from(error.msg)));

    struct arena arena = {0};
    struct probe p = {.arena = &arena, .loading = -1};
    unsigned n_asked = 0;
    while (ops->probe_reply(&p, n_asked == data[0] % 4u ? status : 200, body) == PROBE_MORE) {
        ASSERT(++n_asked < 64); /* one for each model, up to a limit */
    }
    ASSERT(p.n_models <= MODELS_MAX);
    for (size_t i = 0; i < p.n_models; i++) {
        ASSERT(utf8_is_valid(p.models[i].id));
    }
    check_loads(ops, status, body, &p);
    check_vectors(ops, body, 1 + data[0] % 3);
    arena_release(&arena);
}

#endif
