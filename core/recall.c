/* recall.c - answers that were given before, in another run or another editor.
 *
 * Why   What a model has said once needn't be computed again after a restart.
 * How   Asked where no flight can be boarded, before a model is; told when a flight has landed
 *       whole. The key is made of all that the answer depends on, texts and not their hashes, since
 *       it outlives the process that could tell two apart. What is found lands as a flight of its
 *       own, through the same trimmer.
 * Rules A text with a secret in it isn't kept, nor the answer to one that had a secret blanked.
 *       A question waits for the disk for two milliseconds at most. */
#include <stdio.h>

#include "core/base/limits.h"
#include "core/engine_internal.h"
#include "core/prompt/redact.h"

/* What the key's form is called: another one whenever the parts mean something else. */
#define KEY_FILL     "fill 1"
#define KEY_CHAT     "chat 1"
#define KEY_IDENTITY "identity 1"

/* Of what is kept, in store_entry.kind. */
enum { KEPT_FILL = 1, KEPT_CHAT = 2 };

/* -- keys -- */

/* Who answers and how, beside what is sent. */
static str manner_of(const struct asked *a, const struct route *r, char *out, size_t n)
{
    const struct model_options *o = settings_model_options(a->settings, str_from(r->name));
    bool is_chat = a->kind == QUESTION_CHAT;
    unsigned max_tokens = is_chat ? a->chat->max_tokens : a->settings->inline_max_tokens;
    (void)snprintf(out, n, "%u %d %d %g %llu " STR_FMT, max_tokens, a->is_multiline, (int)a->unit,
                   o->temperature, (unsigned long long)o->n_ctx, STR_ARG(o->fim));
    return str_from(out);
}

static str origin_of(const struct engine *e, const struct route *r)
{
    const struct endpoint *ep = upstream_find(e->options.upstream, r->endpoint);
    return ep != NULL ? ep->origin : STR("");
}

struct store_key recall_key_of_fill(const struct engine *e, const struct asked *a,
                                    const struct route *r, const struct prompt_window *w)
{
    char manner[160];
    const str parts[] = {STR(KEY_FILL),
                         origin_of(e, r),
                         r->model,
                         r->model_name,
                         manner_of(a, r, manner, sizeof(manner)),
                         buf_str(&w->prefix),
                         buf_str(&w->suffix)};
    return store_key_of(parts, sizeof(parts) / sizeof(parts[0]));
}

struct store_key recall_key_of_chat(const struct engine *e, const struct asked *a,
                                    const struct route *r)
{
    const struct conversation *c = a->chat;
    if (c->identity.len > 0) { /* whichever model answers */
        const str parts[] = {STR(KEY_IDENTITY), buf_str(&c->identity)};
        return store_key_of(parts, sizeof(parts) / sizeof(parts[0]));
    }
    char manner[160];
    const struct model_options *o = settings_model_options(a->settings, str_from(r->name));
    const str parts[] = {STR(KEY_CHAT),
                         origin_of(e, r),
                         r->model,
                         r->model_name,
                         manner_of(a, r, manner, sizeof(manner)),
                         o->system,
                         buf_str(&c->system),
                         buf_str(&c->prompt)};
    return store_key_of(parts, sizeof(parts) / sizeof(parts[0]));
}

/* -- asking -- */

static unsigned char kind_of(const struct asked *a)
{
    return a->kind == QUESTION_CHAT ? KEPT_CHAT : KEPT_FILL;
}

/* True where there was something that this question can be answered with. */
static bool take_entry(struct asked *a, const struct store_entry *entry)
{
    struct recollection *k = &a->recollection;
    k->is_known = true;
    if (entry == NULL || entry->kind != kind_of(a) || entry->text.len == 0) {
        return false;
    }
    buf_append(&k->text, entry->text);
    (void)snprintf(k->model_name, sizeof(k->model_name), STR_FMT, STR_ARG(entry->model));
    return true;
}

static void on_found(const struct store_entry *entry, void *user)
{
    struct asked *a = user;
    a->recollection.lookup = 0;
    (void)take_entry(a, entry);
    engine_queue(a->engine, a);
}

enum store_found recall(struct engine *e, struct asked *a, const struct store_key *key)
{
    struct recollection *k = &a->recollection;
    if (e->options.store == NULL || a->is_again || e->options.off.cache) {
        return STORE_MISS;
    }
    bool is_same = memcmp(k->key.bytes, key->bytes, sizeof(key->bytes)) == 0;
    if (!k->is_known || !is_same) {
        recall_forget(e, a);
        k->key = *key;
        struct store_lookup q = {.key = *key, .on_found = on_found, .user = a};
        struct store_entry entry;
        switch (store_get(e->options.store, &q, &entry, &k->lookup)) {
        case STORE_HIT:
            (void)take_entry(a, &entry);
            break;
        case STORE_MISS:
            (void)take_entry(a, NULL);
            break;
        case STORE_LATER:
            a->state = ASKED_RECALLING;
            return STORE_LATER;
        }
    }
    return k->text.len > 0 ? STORE_HIT : STORE_MISS;
}

void recall_forget(struct engine *e, struct asked *a)
{
    struct recollection *k = &a->recollection;
    if (k->lookup != 0) {
        store_cancel(e->options.store, k->lookup);
    }
    k->lookup = 0;
    k->is_known = false;
    buf_release(&k->text);
    buf_init(&k->text, FLIGHT_MAX_TEXT_BYTES);
}

/* -- keeping -- */

void recall_keep(struct engine *e, const struct leg *leg)
{
    str text = buf_str(&leg->clean);
    if (e->options.store == NULL || !leg->is_kept || text.len == 0) {
        return;
    }
    struct buf scratch;
    buf_init(&scratch, 2 * FLIGHT_MAX_TEXT_BYTES);
    bool is_clean = redact(text, &scratch) == 0;
    buf_release(&scratch);
    if (is_clean) {
        struct store_entry entry = {.text = text,
                                    .model = str_from(leg->name),
                                    .kind = leg->is_chat ? KEPT_CHAT : KEPT_FILL,
                                    .is_multiline = leg->is_multiline};
        store_put(e->options.store, &leg->key, &entry);
    }
}
