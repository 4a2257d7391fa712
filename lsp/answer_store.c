/* answer_store.c - see answer_store.h. */
#include "lsp/answer_store.h"

#include "core/base/limits.h"

struct store *answer_store_create(struct loop *loop, const struct settings *s)
{
    struct buf folder;
    buf_init(&folder, 4 * KIB);
    store_disk_folder(&folder);
    struct store_disk_options options = STORE_DISK_OPTIONS_INIT;
    options.folder = buf_cstr(&folder);
    struct store *store = store_disk_create(loop, &options);
    answer_store_configure(store, s);
    buf_release(&folder);
    return store;
}

void answer_store_configure(struct store *store, const struct settings *s)
{
    bool is_on = s->cache_disk && s->cache_entries > 0;
    store_disk_configure(store, is_on ? s->cache_disk_bytes : 0, s->cache_ttl_us);
}
