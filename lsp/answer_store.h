/* answer_store.h - the disk cache as the settings want it. */
#ifndef CRUCIBLE_LSP_ANSWER_STORE_H
#define CRUCIBLE_LSP_ANSWER_STORE_H

#include "core/request/store_disk.h"
#include "core/settings/settings.h"

/* Touches no disk, nor does it later where cache.disk is off. Never NULL; store_destroy it before
 * the loop. */
struct store *answer_store_create(struct loop *loop, const struct settings *s);
void answer_store_configure(struct store *store, const struct settings *s);

#endif
