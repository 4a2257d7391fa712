/* ndjson.h - JSON texts one to a line, as they come off the wire in pieces of any size.
 *
 * Blank lines are skipped; the last line may lack its end. */
#ifndef CRUCIBLE_PROVIDERS_NDJSON_H
#define CRUCIBLE_PROVIDERS_NDJSON_H

#include "core/base/str.h"

/* `line` is without blanks at both ends, valid for the call, and empty where it was longer than
 * HTTP_MAX_LINE_BYTES. Gives false to have nothing more read. */
typedef bool (*ndjson_fn)(str line, bool is_oversized, void *user);

struct ndjson {
    struct buf line; /* of which the end hasn't come */
    bool is_stopped; /* the callback gave false */
};

void ndjson_init(struct ndjson *n);
void ndjson_release(struct ndjson *n);
/* Calls `on_line` for each line that is whole by now. */
void ndjson_feed(struct ndjson *n, str bytes, ndjson_fn on_line, void *user);
/* The stream is over: gives a last line that lacks its end. */
void ndjson_finish(struct ndjson *n, ndjson_fn on_line, void *user);

#endif
