/* framing.h - cuts a stream of bytes into the messages of the base protocol.
 *
 * A push parser: bytes in pieces of any size in, whole bodies out; the same events for every way
 * of cutting. A body that lies whole in one piece is handed on without a copy.
 *
 *     HEADER ──blank line──▶ BODY ──n bytes──▶ HEADER          on_message
 *       │ └──body too long or unreadable──▶ DRAIN ──▶ HEADER   on_problem
 *       └──anything that is no header──▶ SCAN ──"Content-Length:"──▶ HEADER
 *
 * What is wrong with the stream never ends it, except header blocks without a length that follow
 * each other: then the peer speaks something else. */
#ifndef CRUCIBLE_LSP_FRAMING_H
#define CRUCIBLE_LSP_FRAMING_H

#include "core/base/str.h"

enum framing_problem {
    FRAMING_GARBAGE,          /* bytes that are no header: skipped up to the next length */
    FRAMING_HEADER_TOO_LARGE, /* a block past RPC_MAX_HEADER_BYTES: skipped likewise */
    FRAMING_BAD_LENGTH,       /* no number, or an absurd one: skipped likewise */
    FRAMING_TWO_LENGTHS,      /* two that differ: skipped likewise */
    FRAMING_NO_LENGTH,        /* a header block without one: skipped */
    FRAMING_BAD_CHARSET,      /* another charset than UTF-8: the body was drained */
    FRAMING_TOO_LARGE,        /* a body past the maximum was drained */
    FRAMING_LOST,             /* FRAMING_MAX_HEADLESS blocks without a length in a row: hopeless */
    N_FRAMING_PROBLEMS
};
/* For logs and replies. */
const char *framing_problem_text(enum framing_problem problem);

#define FRAMING_MAX_HEADLESS 3u /* header blocks without a length in a row that are tolerated */

struct framing_events {
    void (*on_message)(str body, void *user); /* body: valid for the call; may be empty */
    void (*on_problem)(enum framing_problem problem, void *user); /* drained bodies: at their end */
    void *user;
};

enum framing_state { FRAMING_HEADER, FRAMING_BODY, FRAMING_DRAIN, FRAMING_SCAN };

struct framing { /* private; embed it */
    struct framing_events events;
    size_t max_body_bytes;
    enum framing_state state;
    bool is_stopped;

    struct buf line;       /* the part of a header line that came in earlier pieces */
    size_t n_header_bytes; /* of this header block so far */
    uint64_t length;       /* of the body, if has_length */
    bool has_length;
    bool has_fields; /* the block has at least one line */
    bool is_foreign; /* another charset */
    unsigned n_headless;

    struct buf body;     /* the part of a body that came in earlier pieces */
    uint64_t n_left;     /* of a body that is drained */
    size_t scan_matched; /* letters of "content-length:" seen */
};

void framing_init(struct framing *f, size_t max_body_bytes, const struct framing_events *events);
void framing_release(struct framing *f);
void framing_feed(struct framing *f, str bytes);
/* No event comes any more; may be called from inside one. */
void framing_stop(struct framing *f);
/* Whether the stream may end here without cutting anything off. */
bool framing_is_between(const struct framing *f);

#endif
