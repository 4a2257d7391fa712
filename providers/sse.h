/* sse.h - server-sent events, as they come off the wire in pieces of any size.
 *
 * Lines end with LF, CR or CRLF; one blank after the colon belongs to the syntax; `data` lines are
 * joined with "\n"; comments and unknown fields are skipped; a BOM at the start is, too. A blank
 * line ends an event; the stream's end does as well, since some servers forget the last one. */
#ifndef CRUCIBLE_PROVIDERS_SSE_H
#define CRUCIBLE_PROVIDERS_SSE_H

#include "core/base/str.h"

struct sse_event { /* slices valid for the call */
    str name;      /* of its `event` line, empty without */
    str data;
    bool is_oversized; /* a line or the whole passed HTTP_MAX_LINE_BYTES: data is empty */
};
/* Gives false to have nothing more read. */
typedef bool (*sse_fn)(const struct sse_event *event, void *user);

struct sse {
    struct buf line; /* of which the end hasn't come */
    struct buf name, data;
    bool has_data;     /* a `data` line has come since the last event */
    bool is_oversized; /* something of this event didn't fit */
    bool was_cr;       /* a following LF belongs to it */
    bool is_past_bom;  /* the first line is over */
    bool is_stopped;   /* the callback gave false */
};

void sse_init(struct sse *s);
void sse_release(struct sse *s);
/* Calls `on_event` for each event that is whole by now. */
void sse_feed(struct sse *s, str bytes, sse_fn on_event, void *user);
/* The stream is over: gives a last event that lacks its blank line. */
void sse_finish(struct sse *s, sse_fn on_event, void *user);

#endif
