/* outcome.c - classes of what became of a call. */
#include "core/upstream/outcome.h"

static enum outcome of_status(int status)
{
    if (status == 408 || status == 425 || status == 429 || status == 503 || status == 529) {
        return OUTCOME_OVERLOAD;
    }
    bool is_unable = status == 501 || status == 505; /* and will be the next time */
    return status >= 500 && !is_unable ? OUTCOME_SERVER : OUTCOME_PERMANENT;
}

enum outcome outcome_of(const struct error *error)
{
    if (!error) {
        return OUTCOME_OK;
    }
    switch (error->code) {
    case ERR_OK:
        return OUTCOME_OK;
    case ERR_CANCELLED:
        return OUTCOME_CANCELLED;
    case ERR_TIMEOUT:
    case ERR_CONNECT:
        return OUTCOME_LOCAL;
    case ERR_STATUS:
        return of_status(error->detail);
    case ERR_AUTH:
        return OUTCOME_REFUSED;
    case ERR_NOT_FOUND:
        return OUTCOME_MISSING;
    case ERR_LOADING:
        return OUTCOME_LOADING;
    case ERR_PROTOCOL:
        return OUTCOME_SERVER;
    case ERR_TOO_LARGE:
    case ERR_REJECTED:
    case ERR_INVALID:
    case N_ERRS:
        return OUTCOME_PERMANENT;
    }
    return OUTCOME_PERMANENT;
}

const char *outcome_name(enum outcome outcome)
{
    static const char *const names[N_OUTCOMES] = {"ok",       "slow",      "local",   "server",
                                                  "overload", "permanent", "refused", "missing",
                                                  "loading",  "cancelled"};
    return names[outcome];
}

bool outcome_is_failure(enum outcome outcome)
{
    return outcome == OUTCOME_LOCAL || outcome == OUTCOME_SERVER || outcome == OUTCOME_OVERLOAD;
}
