/* listing.h - lists of models, as servers of the OpenAI family give them. */
#ifndef CRUCIBLE_PROVIDERS_LISTING_H
#define CRUCIBLE_PROVIDERS_LISTING_H

#include "core/base/json.h"
#include "core/upstream/provider.h"

/* Says more of a model, of which id, name and context are filled in and which counts as loaded. */
typedef void listing_fn(struct model_info *m, struct json entry, struct arena *arena);

/* Reads the answer to a GET of the list and counts p->step on. PROBE_READY too where the server
 * serves but keeps no list (404 or 405 in JSON): its models are named by the settings then. */
enum probe_state listing_read(struct probe *p, int status, str body, listing_fn *read);

#endif
