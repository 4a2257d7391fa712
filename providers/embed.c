/* embed.c - vectors of texts: what is the same in all dialects that have them.
 *
 * Rules    An answer is taken whole or not at all: as many rows as texts were sent, all of one
 *          length, every number finite. A server's index decides about the order. */
#include "providers/embed.h"

#include <math.h>

#include "core/base/json.h"
#include "core/base/limits.h"
#include "providers/body.h"

enum err embed_encode(const struct embed_order *o, const char *path, struct http_request *out,
                      struct error *why)
{
    static const char *const FIXED[] = {"model", "input", "stream", "encoding_format", NULL};
    struct body b;
    enum err err = body_begin(&b, out, o->extra_body, why);
    if (err == ERR_OK) {
        buf_append(&out->path, str_from(path));
        json_key_str(&b.w, STR("model"), o->model);
        body_input(&b, o);
    }
    enum err end = body_end(&b, out, FIXED, err == ERR_OK ? why : NULL);
    return err != ERR_OK ? err : end;
}

static enum err refuse(struct error *why, const char *what)
{
    return error_set(why, ERR_PROTOCOL,
                     "the server's vectors are %s; is it a model that makes any?", what);
}

/* The numbers of one row; false where they aren't what they have to be. */
static bool read_row(struct json list, struct embedding *out, size_t row)
{
    struct json_iter it = json_iter(list);
    struct json number;
    for (size_t i = 0; i < out->n_dims; i++) {
        double value = json_next(&it, NULL, &number) ? json_double(number, NAN) : NAN;
        if (!isfinite(value) || !isfinite((float)value)) {
            return false;
        }
        out->values[row * out->n_dims + i] = (float)value;
    }
    return !json_next(&it, NULL, &number);
}

/* llama-server's older ones have a list around each row. */
static struct json row_of(struct json entry)
{
    struct json row = json_is(entry, JSON_OBJECT) ? json_get(entry, STR("embedding")) : entry;
    struct json inner = json_at(row, 0);
    return json_is(inner, JSON_ARRAY) ? inner : row;
}

static enum err read_rows(struct json list, size_t n_texts, struct embedding *out,
                          struct error *why)
{
    size_t n_dims = json_count(row_of(json_at(list, 0)));
    bool has_come[EMBED_TEXTS_MAX] = {false};
    if (json_count(list) != n_texts) {
        return refuse(why, "more or fewer than the texts");
    }
    if (n_dims == 0 || n_dims > EMBED_DIMS_MAX) {
        return refuse(why, "empty or too long");
    }
    *out = (struct embedding){.n_texts = n_texts, .n_dims = n_dims};
    out->values = xcalloc(n_texts * n_dims, sizeof *out->values);
    struct json_iter it = json_iter(list);
    struct json entry;
    for (size_t i = 0; json_next(&it, NULL, &entry); i++) {
        int64_t idx = json_int(json_get(entry, STR("index")), (int64_t)i);
        if (idx < 0 || idx >= (int64_t)n_texts || has_come[idx] ||
            !read_row(row_of(entry), out, (size_t)idx)) {
            embedding_release(out);
            return refuse(why, "no rows of numbers, of one length and each its own");
        }
        has_come[idx] = true;
    }
    return ERR_OK;
}

enum err embed_read(str body, size_t n_texts, struct embedding *out, struct error *why)
{
    struct arena arena = {0};
    struct json reply;
    enum err err = ERR_OK;
    ASSERT(n_texts > 0 && n_texts <= EMBED_TEXTS_MAX);
    *out = (struct embedding){0};
    if (json_parse(body, &arena, &reply, NULL) != ERR_OK) {
        err = refuse(why, "broken JSON");
    } else {
        struct json data = json_get(reply, STR("data"));
        struct json list = json_is(data, JSON_ARRAY) ? data : json_get(reply, STR("embeddings"));
        err =
            json_is(list, JSON_ARRAY) ? read_rows(list, n_texts, out, why) : refuse(why, "missing");
    }
    arena_release(&arena);
    return err;
}
