/* inventory.h - what there is to ask, and who would be asked: endpoints, models, roles.
 *
 * Words for people where a program would keep a flag, and the same as JSON:
 *   {"endpoints": [{"name", "kind", "url", "state", "tier", "version", "discovered", "slots",
 *        "loading": 0..1 | null, "error"?, "cause"?, "message"?,
 *        "models": [{"id", "parameters", "sizeBytes", "contextTokens", "loadedContextTokens",
 *                    "loaded", "loading", "fillsMiddle", "chat", "raw", "thinks", "remote",
 *                    "error"?}]}],
 *    "roles": [{"role", "state": "ready" | "loading" | "none", "name", "endpoint", "model",
 *               "remote", "byChat", "needsLoad", "message"}]}
 * Numbers are 0 where they aren't known. Members are only ever added. */
#ifndef CRUCIBLE_REPORT_INVENTORY_H
#define CRUCIBLE_REPORT_INVENTORY_H

#include "core/base/json_write.h"
#include "core/model/route.h"

/* Who answers a question of that role now. */
struct route inventory_route(const struct upstream *u, const struct settings *s, enum role role);
/* The model that a route leads to, or has loaded first; NULL where there is none. */
const struct model_info *inventory_model(const struct upstream *u, const struct route *r);
/* "ready", "loading 43 %", "down", "needs consent", "key refused", ... */
void inventory_state(const struct endpoint *e, struct buf *out);
/* "loaded", "not loaded", "loading", "failed" (to load); "elsewhere" where text for it leaves this
 * machine, and nothing where its server has no say in it. */
const char *inventory_model_state(const struct endpoint *e, const struct model_info *m);
/* What it is good for: "fills, chat, raw"; "chat, can't fill". */
void inventory_abilities(const struct model_info *m, struct buf *out);
/* "1.5 B", "4.2 M"; nothing for 0. */
void inventory_count(uint64_t n, struct buf *out);

/* The members "endpoints" and "roles" into the object that is open. */
void inventory_write(const struct upstream *u, const struct settings *s, struct json_writer *w);

#endif
