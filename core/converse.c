/* converse.c - questions that a person asks: an explanation, an edit.
 *
 * Why   Who asked by a command waits as long as it takes and wants to hear what went wrong, where
 *       for typing silence is right. Everything else is the same: a question boards a flight or
 *       takes off, its model is sent for, its text comes through the trimmer.
 * How   The flight is found by a key instead of a place: the hash of what is said and to whom, or
 *       the key that the question brings. The same question asked twice at a time is one flight,
 *       asked again later it is answered from the cache; a similar one may be too (reuse.c).
 * Rules An edit of the document ends no chat: whoever asked decides what the answer is worth then.
 */
#include <stdio.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/limits.h"
#include "core/engine_internal.h"

/* Code is about 3 bytes a token; what the chat template and our own words take is kept aside. */
#define BYTES_PER_TOKEN     3u
#define TEMPLATE_TOKENS     200u
#define CAUTIOUS_CTX_TOKENS 4096u  /* where the server hasn't said what it gives */
#define ENOUGH_CTX_TOKENS   16384u /* more makes people wait without making the answer better */
#define ROOM_MIN_BYTES      1024u

struct conversation *conversation_create(const struct chat *chat)
{
    struct conversation *c = xcalloc(1, sizeof *c);
    struct buf *copies[] = {&c->system, &c->prompt, &c->rewrites, &c->identity};
    const str texts[] = {chat->system, chat->prompt, chat->rewrites, chat->identity};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        buf_init(copies[i], PROMPT_MAX_BYTES);
        buf_append(copies[i], texts[i]);
    }
    if (chat->identity.len > 0 && chat->like != NULL && chat->like->head != 0) {
        c->like = xmemdup(chat->like, sizeof *chat->like);
    }
    c->max_tokens = chat->max_tokens;
    c->is_glance = chat->is_glance;
    c->n_related = chat->n_related;
    c->is_recall = chat->is_recall;
    return c;
}

void conversation_destroy(struct conversation *c)
{
    if (c == NULL) {
        return;
    }
    buf_release(&c->system);
    buf_release(&c->prompt);
    buf_release(&c->rewrites);
    buf_release(&c->identity);
    xfree(c->like);
    xfree(c);
}

size_t engine_chat_room(const struct engine *e, str model, unsigned max_tokens)
{
    struct route r = supply_find(e, e->settings, ROLE_CHAT, model, 0);
    const struct model_options *o = settings_model_options(e->settings, str_from(r.name));
    uint64_t n = o->n_ctx > 0                                   ? o->n_ctx
                 : r.state == ROUTE_READY && r.n_ctx > 0        ? r.n_ctx
                 : r.n_ctx > 0 && r.n_ctx < CAUTIOUS_CTX_TOKENS ? r.n_ctx
                                                                : CAUTIOUS_CTX_TOKENS;
    n = n < ENOUGH_CTX_TOKENS ? n : ENOUGH_CTX_TOKENS;
    uint64_t kept = (uint64_t)max_tokens + TEMPLATE_TOKENS;
    size_t room = n > kept ? (size_t)(n - kept) * BYTES_PER_TOKEN : 0;
    return room > ROOM_MIN_BYTES ? room : ROOM_MIN_BYTES;
}

/* What makes two chats the same. */
static uint64_t key_of(const struct asked *a, const struct route *r)
{
    const struct conversation *c = a->chat;
    if (c->identity.len > 0) {
        return hash_mix(hash_str(buf_str(&c->identity)), hash_str(STR("chat by identity")));
    }
    uint64_t said = hash_mix(hash_str(buf_str(&c->system)), hash_str(buf_str(&c->prompt)));
    return hash_mix(hash_mix(said, leg_model(r)), c->max_tokens);
}

static bool board(struct engine *e, struct asked *a, uint64_t key, const struct route *r)
{
    a->boarded = flights_board_keyed(e->flights, key, a->id, clock_now_us(), &a->flight);
    if (a->boarded == BOARDED_FLYING && a->chat->is_recall) { /* isn't known yet */
        flights_leave(e->flights, a->id, true, clock_now_us());
        a->boarded = BOARDED_NONE;
    }
    if (a->boarded == BOARDED_NONE) {
        return false;
    }
    a->state = ASKED_RIDING;
    a->source = ANSWER_MODEL;
    memcpy(a->model_name, r->name, sizeof(a->model_name));
    trace_why(&e->trace, a->trace, "%s flight %llu",
              a->boarded == BOARDED_FLYING ? "boarded" : "cached:", (unsigned long long)a->flight);
    engine_queue(e, a);
    return true;
}

void converse_tell_wait(struct engine *e, struct asked *a, const char *why)
{
    struct conversation *c = a->chat;
    if (strcmp(c->waits_for, why) == 0) {
        return;
    }
    trace_why(&e->trace, a->trace, "waiting: %s", why);
    (void)snprintf(c->waits_for, sizeof(c->waits_for), "%s", why);
    if (a->sink.on_wait != NULL) {
        a->sink.on_wait(str_from(c->waits_for), a->sink.user);
    }
}

/* No model is ready: patience where one may come, else the reason. */
static void do_without(struct engine *e, struct asked *a, const struct route *r)
{
    if (r->state == ROUTE_LOADING || !upstream_is_settled(e->options.upstream)) {
        a->state = ASKED_WAITING;
        converse_tell_wait(e, a, r->message);
        return;
    }
    struct error error;
    (void)error_set(&error, ERR_NOT_FOUND, "%s", r->message);
    engine_fail_asked(e, a, &error);
}

/* Whether the question is answered from the store, or will be if that knows of it. */
static bool board_recalled(struct engine *e, struct asked *a, const struct route *r,
                           const struct store_key *kept_by)
{
    enum store_found found = recall(e, a, kept_by);
    if (found == STORE_HIT) {
        leg_recalled_chat(e, a, key_of(a, r));
    }
    return found != STORE_MISS;
}

static void refuse_recall(struct engine *e, struct asked *a)
{
    trace_why(&e->trace, a->trace, "nothing is known of it yet");
    a->state = ASKED_REFUSED;
    engine_queue(e, a);
}

void converse(struct engine *e, struct asked *a)
{
    const struct conversation *c = a->chat;
    struct route r = {.state = ROUTE_NONE};
    bool is_by_key = c->identity.len > 0 && !a->is_again;
    struct store_key kept_by = recall_key_of_chat(e, a, &r);
    if (is_by_key && (board(e, a, key_of(a, &r), &r) || board_recalled(e, a, &r, &kept_by) ||
                      reuse_board(e, a))) {
        return;
    }
    if (c->is_recall) {
        refuse_recall(e, a);
        return;
    }
    r = supply_route(e, a);
    if (r.state != ROUTE_READY) {
        do_without(e, a, &r);
        return;
    }
    if (!supply_confirm(e, a, &r)) {
        return;
    }
    uint64_t key = key_of(a, &r);
    kept_by = recall_key_of_chat(e, a, &r);
    struct error why;
    if (!a->is_again && !is_by_key &&
        (board(e, a, key, &r) || board_recalled(e, a, &r, &kept_by))) {
        return;
    }
    if (c->n_related > 0) {
        trace_why(&e->trace, a->trace, "with code of other files (%u)", c->n_related);
    }
    if (!leg_start_chat(e, a, &r, key, &kept_by, &why)) {
        engine_fail_asked(e, a, &why);
    }
}

void converse_consider(struct engine *e, struct asked *a, uint64_t now_us)
{
    struct flight_view view = flights_view(e->flights, a->id);
    if (view.text.len > 0 && a->first_us == 0) {
        a->first_us = now_us;
        histogram_add(&e->stats.first, now_us - a->asked_us);
    }
    if (view.has_landed) {
        bool is_own = a->chat->like != NULL && a->boarded != BOARDED_SIMILAR;
        if (is_own && view.is_complete && view.text.len > 0) {
            reuse_learn(e, a, key_of(a, NULL)); /* by its identity, whoever answered */
        }
        engine_finish(e, a, (struct fit_rest){.text = view.text}, !view.is_complete, NULL);
    } else if (now_us >= a->hard_us) {
        struct error error;
        (void)error_set(&error, ERR_TIMEOUT, "the answer wasn't complete in time");
        engine_finish(e, a, (struct fit_rest){.text = STR("")}, false, &error);
    } else if (view.text.len > 0 && a->sink.on_text != NULL) {
        a->sink.on_text(view.text, a->sink.user);
    }
}
