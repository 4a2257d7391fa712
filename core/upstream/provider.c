/* provider.c - the request that a codec fills, and finding a codec.
 *
 * Rules    Both buffers are capped: a path by its use, a body by the largest prompt with every
 *          byte escaped and what a codec and the user's own members add. */
#include "core/upstream/provider.h"

#include <math.h>

#include "core/base/limits.h"

#define PATH_MAX_BYTES (4u * KIB)
#define BODY_MAX_BYTES (6u * PROMPT_MAX_BYTES + 64u * KIB)

void http_request_init(struct http_request *r)
{
    r->is_post = r->is_head = false;
    buf_init(&r->path, PATH_MAX_BYTES);
    buf_init(&r->body, BODY_MAX_BYTES);
}

void http_request_release(struct http_request *r)
{
    if (r == NULL) {
        return;
    }
    buf_release(&r->path);
    buf_release(&r->body);
}

const struct provider_ops *provider_find(const struct provider_ops *const *table, str kind)
{
    for (size_t i = 0; table[i] != NULL; i++) {
        bool is_own = (table[i]->capabilities & PROVIDER_IN_PROCESS) != 0;
        if (!is_own && str_eq(kind, str_from(table[i]->kind))) {
            return table[i];
        }
    }
    return NULL;
}

void embedding_release(struct embedding *v)
{
    xfree(v->values);
    *v = (struct embedding){0};
}

double embedding_cosine(const struct embedding *v, size_t a, size_t b)
{
    double dot = 0, of_a = 0, of_b = 0;
    ASSERT(a < v->n_texts && b < v->n_texts);
    for (size_t i = 0; i < v->n_dims; i++) {
        double x = (double)v->values[a * v->n_dims + i], y = (double)v->values[b * v->n_dims + i];
        dot += x * y;
        of_a += x * x;
        of_b += y * y;
    }
    return of_a > 0 && of_b > 0 ? dot / sqrt(of_a * of_b) : 0;
}

bool provider_is_answer(str content_type)
{
    str type = str_trim(str_sub(content_type, 0, str_find_char(content_type, ';', 0)));
    return type.len == 0 || str_eq_nocase(type, STR("text/event-stream")) ||
           (str_contains_nocase(type, STR("application/")) &&
            str_contains_nocase(type, STR("json")));
}
