/* notice.h - what a person who types is told of failures: each cause once in ten minutes.
 *
 * Somebody whose model server is gone asks for suggestions all the same, by a key that is as quick
 * as any other. What failed is told the first time; the status shows it from then on. Failures of
 * actions aren't counted here: who picked one waits for it, and is told each time. */
#ifndef CRUCIBLE_LSP_NOTICE_H
#define CRUCIBLE_LSP_NOTICE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/error.h"

#define NOTICE_EVERY_US 600000000ull
#define NOTICES_KEPT    32u

struct notices { /* {0} is none so far */
    struct notice {
        uint64_t endpoint; /* hash of its name */
        enum err code;
        enum error_cause cause;
        int detail;
        uint64_t told_us;
    } kept[NOTICES_KEPT];
    unsigned n_kept;
};

/* Whether this failure is to be told now, which is noted then. `endpoint` is its name, empty where
 * none was asked. A call that wasn't made because the ones before it failed (ERR_REJECTED) has
 * their cause, whatever their code was. */
bool notice_is_due(struct notices *n, str endpoint, const struct error *error, uint64_t now_us);

#endif
