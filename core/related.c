/* related.c - what other open documents hold that means something like the code in question.
 *
 * Why   Who asks to have a call explained or fixed seldom has the called function in the same file.
 * How   Open documents are cut into chunks; a model that makes vectors (models.embed) says of each
 *       what it means, several in one exchange, in the background: when nobody has typed for a
 *       while, and when a place is free that nobody else wants. A question then finds the chunks
 *       that point where its own do. It never waits for that: what isn't known yet is left out.
 * Rules Nobody is asked unless models.embed names who. What is excluded stays out, and so does what
 *       stands near a secret. A text that hasn't changed isn't sent twice. */
#include "core/base/clock.h"
#include "core/base/limits.h"
#include "core/base/log.h"
#include "core/engine_internal.h"
#include "core/prompt/chunk.h"
#include "core/prompt/redact.h"

#define PAUSE_US           SEC_TO_US(2)  /* without an edit */
#define AGAIN_US           SEC_TO_US(60) /* after a failure */
#define VECTORS_BYTES      (16u * MIB)
#define FILE_BYTES         (256u * KIB) /* of larger ones nothing */
#define CHUNKS_MAX         2000u        /* of all documents together, the oldest first */
#define OWN_MAX            4u           /* chunks of the code in question that are looked at */
#define SECRET_REACH_BYTES (8u * KIB)
#define LIKE_ENOUGH        0.5 /* cosine: what models for code give to what belongs together */

/* Of the queue's ids: flights count up from 1. */
#define PLACE_BIT (UINT64_C(1) << 63)

struct related_chunk {
    uint64_t key; /* of its text; 0: says nothing, or what isn't to be said */
    struct subject_range range;
};
struct related_file {
    uint64_t document, revision;
    struct related_chunk *chunks; /* owned */
    size_t n;
    UT_hash_handle hh;
};

void related_init(struct engine *e)
{
    e->related.vectors = vectors_create(VECTORS_BYTES);
    e->related.due_us = CLOCK_NEVER;
}

static void forget_file(struct related *r, struct related_file *f)
{
    HASH_DEL(r->files, f);
    xfree(f->chunks);
    xfree(f);
}

/* Nothing is under way any more. */
static void leave(struct engine *e)
{
    struct related *r = &e->related;
    if (r->exchange != 0) {
        exchange_cancel(e->options.upstream, r->exchange);
    }
    if (r->place != 0) {
        queue_done(e->lanes.queue, r->place, clock_now_us());
    }
    r->exchange = r->place = 0;
}

void related_configure(struct engine *e)
{
    while (e->related.files != NULL) { /* what is to stay out is decided when they are cut */
        forget_file(&e->related, e->related.files);
    }
}

void related_release(struct engine *e)
{
    leave(e);
    related_configure(e);
    vectors_destroy(e->related.vectors);
}

/* -- chunks -- */

static bool is_fit(const struct engine *e, const struct open_document *doc)
{
    size_t len = document_len(doc->text);
    return !doc->is_excluded && len > 0 && len <= FILE_BYTES &&
           len <= e->settings->context_file_bytes;
}

static size_t n_secrets(str text)
{
    struct buf scratch;
    buf_init(&scratch, 2 * FILE_BYTES);
    size_t n = redact(text, &scratch);
    buf_release(&scratch);
    return n;
}

/* A chunk may be the middle of a key, which nobody knows for one without its first line. */
static bool is_near_secret(str text, size_t start, size_t end)
{
    size_t from = start > SECRET_REACH_BYTES ? start - SECRET_REACH_BYTES : 0;
    return n_secrets(str_sub(text, from, end + SECRET_REACH_BYTES)) > 0;
}

static void cut(struct related_file *f, const struct document *d, bool is_wary)
{
    struct buf scratch;
    size_t cap = 0;
    buf_init(&scratch, FILE_BYTES);
    str text = document_slice(d, 0, document_len(d), &scratch);
    is_wary = is_wary && n_secrets(text) > 0;
    f->n = 0;
    for (size_t at = 0; at < text.len;) {
        size_t end = chunk_end(d, at);
        if (f->n == cap) {
            cap = cap > 0 ? cap * 2 : 16;
            f->chunks = xrealloc(f->chunks, cap * sizeof *f->chunks);
        }
        bool is_silent =
            !chunk_says_something(d, at, end) || (is_wary && is_near_secret(text, at, end));
        uint64_t key = is_silent ? 0 : hash_str(str_sub(text, at, end));
        f->chunks[f->n++] = (struct related_chunk){key, {at, end}};
        at = end;
    }
    f->revision = document_revision(d);
    buf_release(&scratch);
}

/* Its chunks as it is now; NULL: it isn't looked at. */
static struct related_file *file_of(struct engine *e, const struct open_document *doc)
{
    struct related *r = &e->related;
    struct related_file *f;
    HASH_FIND(hh, r->files, &doc->id, sizeof doc->id, f);
    if (!is_fit(e, doc)) {
        if (f != NULL) {
            forget_file(r, f);
        }
        return NULL;
    }
    if (f == NULL) {
        f = xcalloc(1, sizeof *f);
        f->document = doc->id;
        f->revision = document_revision(doc->text) + 1;
        HASH_ADD(hh, r->files, document, sizeof f->document, f);
    }
    if (f->revision != document_revision(doc->text)) {
        xfree(f->chunks);
        f->chunks = NULL;
        cut(f, doc->text, e->settings->privacy_redact);
    }
    return f;
}

/* -- asking -- */

struct batch {
    str texts[RELATED_BATCH];
    struct buf copies[RELATED_BATCH];
    size_t n;
};

static void batch_release(struct batch *b)
{
    for (size_t i = 0; i < b->n; i++) {
        buf_release(&b->copies[i]);
    }
}

static bool is_in(const struct related *r, size_t n, uint64_t key)
{
    for (size_t i = 0; i < n; i++) {
        if (r->keys[i] == key) {
            return true;
        }
    }
    return false;
}

static void add(struct batch *b, const struct document *d, struct subject_range range)
{
    struct buf *copy = &b->copies[b->n];
    size_t end = range.end - range.start > CHUNK_MAX_BYTES
                     ? document_floor(d, range.start + CHUNK_MAX_BYTES)
                     : range.end;
    buf_init(copy, CHUNK_MAX_BYTES);
    document_copy(d, range.start, end, copy);
    b->texts[b->n] = buf_str(copy);
    b->n++;
}

/* The next texts that no vector is known of; `b` NULL: only whether there are any. */
static bool gather(struct engine *e, struct batch *b)
{
    struct related *r = &e->related;
    size_t n = 0, room = vectors_room(r->vectors); /* more would push each other out for ever */
    room = room < CHUNKS_MAX ? room : CHUNKS_MAX;
    for (struct open_document *doc = documents_next(e->options.documents, 0); doc != NULL;
         doc = documents_next(e->options.documents, doc->id)) {
        const struct related_file *f = file_of(e, doc);
        for (size_t i = 0; f != NULL && i < f->n && n < RELATED_BATCH && room > 0; i++) {
            uint64_t key = f->chunks[i].key;
            room -= key != 0;
            if (key == 0 || vectors_has(r->vectors, key) || is_in(r, n, key)) {
                continue;
            }
            if (b == NULL) {
                return true;
            }
            r->keys[n++] = key;
            add(b, doc->text, f->chunks[i].range);
        }
    }
    return n > 0;
}

static void on_vectors(uint64_t exchange, const struct embedding *v, void *user)
{
    (void)exchange;
    struct engine *e = user;
    for (size_t i = 0; i < v->n_texts; i++) {
        vectors_put(e->related.vectors, e->related.keys[i], v->values + i * v->n_dims, v->n_dims);
    }
    e->stats.n_embedded += v->n_texts;
}

static void on_done(uint64_t exchange, const struct generate_end *end, double confidence,
                    const struct error *error, void *user)
{
    (void)exchange, (void)end, (void)confidence;
    struct engine *e = user;
    e->related.exchange = 0;
    leave(e);
    if (error != NULL) {
        log_info(LOG_ENGINE, "vectors: %s", err_name(error->code));
    }
    e->related.not_before_us = error != NULL ? clock_now_us() + AGAIN_US : 0;
    related_wake(e, 0);
    engine_post(e); /* others may have waited for its place */
}

/* Who is to be asked; false: nobody can be. */
static bool find_route(struct engine *e, struct route *out)
{
    *out = supply_find(e, e->settings, ROLE_EMBED, STR(""), 0);
    if (out->needs_load) {
        upstream_load(e->options.upstream, out->load_endpoint, out->load_model);
        *out = supply_find(e, e->settings, ROLE_EMBED, STR(""), 0);
    }
    return out->state == ROUTE_READY &&
           upstream_confirm_loaded(e->options.upstream, out->endpoint, out->model);
}

void related_start(struct engine *e)
{
    struct related *r = &e->related;
    struct batch b = {.n = 0};
    struct route to;
    bool may_ask = find_route(e, &to) && hash_mix(to.endpoint, hash_str(to.model)) == r->model;
    if (!may_ask || !gather(e, &b)) {
        leave(e);
        return;
    }
    struct exchange_spec spec = {.endpoint = to.endpoint,
                                 .kind = EXCHANGE_TYPING, /* nobody waits for it */
                                 .generate = {.model = to.model, .slot = -1},
                                 .embeds = b.texts,
                                 .n_embeds = b.n,
                                 .first_token_us = EXCHANGE_AUTO,
                                 .total_us = EXCHANGE_AUTO};
    struct exchange_sink sink = {.on_done = on_done, .user = e, .on_vectors = on_vectors};
    e->stats.n_embeddings++;
    r->exchange = exchange_start(e->options.upstream, &spec, &sink);
    batch_release(&b);
}

void related_give_way(struct engine *e)
{
    leave(e);
    related_wake(e, PAUSE_US);
}

void related_tick(struct engine *e, uint64_t now_us)
{
    struct related *r = &e->related;
    struct route to;
    if (r->due_us > now_us || r->place != 0) {
        return;
    }
    r->due_us = CLOCK_NEVER;
    if (!role_is_wanted(ROLE_EMBED, e->settings) || !find_route(e, &to)) {
        return; /* it is looked at again when an endpoint changes */
    }
    r->model = hash_mix(to.endpoint, hash_str(to.model));
    vectors_of_model(r->vectors, r->model);
    if (gather(e, NULL)) {
        r->place = ++r->n_places | PLACE_BIT;
        lane_reserve(e, r->place, &to);
    }
}

/* -- when -- */

void related_wake(struct engine *e, uint64_t after_us)
{
    struct related *r = &e->related;
    if (role_is_wanted(ROLE_EMBED, e->settings) && !r->is_off) {
        uint64_t at_us = clock_now_us() + after_us;
        r->due_us = at_us > r->not_before_us ? at_us : r->not_before_us;
    }
}

void engine_switch(struct engine *e, bool is_on)
{
    e->related.is_off = !is_on;
    if (is_on) {
        related_wake(e, PAUSE_US);
    } else {
        leave(e);
        e->related.due_us = CLOCK_NEVER;
    }
    engine_arm(e);
}

void related_rest(struct engine *e)
{
    bool was_idle = e->related.due_us == CLOCK_NEVER;
    related_wake(e, PAUSE_US);
    if (was_idle && e->related.due_us != CLOCK_NEVER) {
        engine_arm(e);
    }
}

uint64_t related_next_us(const struct engine *e)
{
    return e->related.place == 0 ? e->related.due_us : CLOCK_NEVER;
}

void related_forget(struct engine *e, uint64_t document)
{
    struct related_file *f;
    HASH_FIND(hh, e->related.files, &document, sizeof document, f);
    if (f != NULL) {
        forget_file(&e->related, f);
    }
}

/* -- finding -- */

/* The likest so far, in order. */
struct found {
    struct action_related *pieces;
    double like[ACTION_RELATED_MAX];
    size_t n;
};

static void consider(struct found *found, const struct open_document *doc,
                     struct subject_range range, double like)
{
    size_t at = found->n;
    while (at > 0 && found->like[at - 1] < like) {
        at--;
    }
    if (at == ACTION_RELATED_MAX) {
        return;
    }
    found->n += found->n < ACTION_RELATED_MAX;
    for (size_t i = found->n - 1; i > at; i--) {
        found->pieces[i] = found->pieces[i - 1];
        found->like[i] = found->like[i - 1];
    }
    found->pieces[at] = (struct action_related){doc, range};
    found->like[at] = like;
}

static size_t own_keys(const struct related_file *f, size_t start, size_t end, uint64_t *keys)
{
    size_t n = 0;
    for (size_t i = 0; i < f->n && n < OWN_MAX; i++) {
        const struct related_chunk *c = &f->chunks[i];
        if (c->key != 0 && c->range.end > start && c->range.start < end) {
            keys[n++] = c->key;
        }
    }
    return n;
}

size_t engine_related(struct engine *e, const struct action_place *p, struct action_related *out)
{
    struct related *r = &e->related;
    struct found found = {.pieces = out};
    uint64_t keys[OWN_MAX];
    if (!role_is_wanted(ROLE_EMBED, e->settings) || vectors_count(r->vectors) == 0) {
        return 0;
    }
    const struct related_file *own = file_of(e, p->doc);
    size_t n_keys = own != NULL ? own_keys(own, p->start, p->end, keys) : 0;
    for (struct open_document *doc = documents_next(e->options.documents, 0);
         doc != NULL && n_keys > 0; doc = documents_next(e->options.documents, doc->id)) {
        const struct related_file *f = doc->id != p->doc->id ? file_of(e, doc) : NULL;
        for (size_t i = 0; f != NULL && i < f->n; i++) {
            double likest = 0;
            for (size_t k = 0; k < n_keys && f->chunks[i].key != 0; k++) {
                double like = vectors_likeness(r->vectors, keys[k], f->chunks[i].key);
                likest = like > likest ? like : likest;
            }
            if (likest >= LIKE_ENOUGH) {
                consider(&found, doc, f->chunks[i].range, likest);
            }
        }
    }
    e->stats.n_related += found.n;
    return found.n;
}
