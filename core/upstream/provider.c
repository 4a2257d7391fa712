/* provider.c - the request that a codec fills, and finding a codec.
 *
 * Rules    Both buffers are capped: a path by its use, a body by the largest prompt with every
 *          byte escaped and what a codec and the user's own members add. */
#include "core/upstream/provider.h"

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
