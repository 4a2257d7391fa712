/* notice.c - which failures have been told already. */
#include "lsp/notice.h"

#include "core/base/hash.h"

static bool is_same_cause(const struct notice *a, const struct notice *b)
{
    bool is_same_code = a->code == b->code || a->code == ERR_REJECTED || b->code == ERR_REJECTED;
    return a->endpoint == b->endpoint && is_same_code && a->cause == b->cause &&
           a->detail == b->detail;
}

/* Where the next one is kept: in place of the oldest once all places are taken. */
static struct notice *place_for_new(struct notices *n)
{
    struct notice *oldest = &n->kept[0];
    if (n->n_kept < NOTICES_KEPT) {
        return &n->kept[n->n_kept++];
    }
    for (unsigned i = 1; i < NOTICES_KEPT; i++) {
        oldest = n->kept[i].told_us < oldest->told_us ? &n->kept[i] : oldest;
    }
    return oldest;
}

bool notice_is_due(struct notices *n, str endpoint, const struct error *error, uint64_t now_us)
{
    struct notice fresh = {hash_str(endpoint), error->code, error->cause, error->detail, now_us};
    for (unsigned i = 0; i < n->n_kept; i++) {
        struct notice *told = &n->kept[i];
        if (!is_same_cause(told, &fresh)) {
            continue;
        }
        bool is_due = now_us - told->told_us >= NOTICE_EVERY_US;
        told->told_us = is_due ? now_us : told->told_us;
        return is_due;
    }
    *place_for_new(n) = fresh;
    return true;
}
