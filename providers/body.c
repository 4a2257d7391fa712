/* body.c - request bodies with members of the user's own.
 *
 * Why      Servers differ in what else they want to be told (penalties, lanes, thinking switched
 *          off), and a user's `extraBody` says it. A name that stands twice in one object means
 *          different things to different servers.
 * How      Our members are left out where the user has one of the same name; the fixed ones, which
 *          an answer couldn't be read or cancelled without, are left out of the user's instead.
 * Rules    The user's object was valid JSON when it was configured; it is checked again here, since
 *          what is copied goes out as it is. */
#include "providers/body.h"

enum err body_begin(struct body *b, struct http_request *out, str extra, struct error *why)
{
    *b = (struct body){0};
    out->is_post = true;
    b->w = json_writer(&out->body);
    json_begin_object(&b->w);
    if (str_trim(extra).len == 0) {
        return ERR_OK;
    }
    enum err err = json_parse(extra, &b->arena, &b->extra, NULL);
    if (err != ERR_OK || !json_is(b->extra, JSON_OBJECT)) {
        b->extra = (struct json){0};
        return error_set(why, ERR_INVALID,
                         "the endpoint's extraBody is no JSON object; correct it");
    }
    return ERR_OK;
}

bool body_wants(const struct body *b, str key)
{
    return json_is(json_get(b->extra, key), JSON_NONE);
}

void body_int(struct body *b, str key, int64_t n)
{
    if (body_wants(b, key)) {
        json_key_int(&b->w, key, n);
    }
}

void body_double(struct body *b, str key, double d)
{
    if (body_wants(b, key)) {
        json_key_double(&b->w, key, d);
    }
}

void body_bool(struct body *b, str key, bool is_set)
{
    if (body_wants(b, key)) {
        json_key_bool(&b->w, key, is_set);
    }
}

void body_raw(struct body *b, str key, str value)
{
    struct buf member;
    buf_init(&member, b->w.out->max);
    buf_append_char(&member, '"');
    buf_append(&member, key);
    buf_append(&member, STR("\":"));
    buf_append(&member, value);
    json_put_raw(&b->w, buf_str(&member));
    buf_release(&member);
}

void body_usage(struct body *b)
{
    if (body_wants(b, STR("stream_options"))) {
        body_raw(b, STR("stream_options"), STR("{\"include_usage\":true}"));
    }
}

void body_stops(struct body *b, const struct generate *g, size_t max)
{
    size_t n = g->n_stops < max ? g->n_stops : max;
    if (n == 0 || !body_wants(b, STR("stop"))) {
        return;
    }
    json_key(&b->w, STR("stop"));
    json_begin_array(&b->w);
    for (size_t i = 0; i < n; i++) {
        json_put_str(&b->w, g->stops[i]);
    }
    json_end_array(&b->w);
}

void body_texts(struct body *b, const struct generate *g)
{
    if (g->n_texts > 1) {
        body_int(b, STR("n"), g->n_texts);
    }
}

void body_input(struct body *b, const struct embed_order *o)
{
    json_key(&b->w, STR("input"));
    json_begin_array(&b->w);
    for (size_t i = 0; i < o->n_texts; i++) {
        json_put_str(&b->w, o->texts[i]);
    }
    json_end_array(&b->w);
}

static void put_message(struct json_writer *w, str role, str content)
{
    json_begin_object(w);
    json_key_str(w, STR("role"), role);
    json_key_str(w, STR("content"), content);
    json_end_object(w);
}

void body_messages(struct body *b, const struct generate *g)
{
    json_key(&b->w, STR("messages"));
    json_begin_array(&b->w);
    if (g->system.len > 0) {
        put_message(&b->w, STR("system"), g->system);
    }
    put_message(&b->w, STR("user"), g->prompt);
    json_end_array(&b->w);
}

static bool is_fixed(struct json extra, str raw_key, const char *const *fixed)
{
    for (; *fixed != NULL; fixed++) {
        /* An escaped spelling of a fixed name is found by looking the name up. */
        if (str_eq(raw_key, str_from(*fixed)) ||
            (str_find_char(raw_key, '\\', 0) != SIZE_MAX &&
             !json_is(json_get(extra, str_from(*fixed)), JSON_NONE))) {
            return true;
        }
    }
    return false;
}

enum err body_end(struct body *b, struct http_request *out, const char *const *fixed,
                  struct error *why)
{
    struct json_iter it = json_iter(b->extra);
    str key;
    struct json value;
    while (json_next(&it, &key, &value)) {
        if (!is_fixed(b->extra, key, fixed)) {
            body_raw(b, key, json_raw(value)); /* as it was written, escapes and all */
        }
    }
    json_end_object(&b->w);
    arena_release(&b->arena);
    if (out->body.is_full || out->path.is_full) {
        return error_set(why, ERR_TOO_LARGE, "the request is too large; lower the context limits");
    }
    return ERR_OK;
}
