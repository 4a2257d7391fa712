/* outcome.h - how a call to an endpoint ended, as far as its policies care.
 *
 * Errors name causes for people; breaker, retry and health decide by these few classes alone.
 * Local failures and those of the server are told apart because they say different things: the
 * former that nobody is there, the latter that somebody is who can't serve. */
#ifndef CRUCIBLE_UPSTREAM_OUTCOME_H
#define CRUCIBLE_UPSTREAM_OUTCOME_H

#include "core/base/error.h"

enum outcome {
    OUTCOME_OK,
    OUTCOME_SLOW,      /* it served, later than it had been learned to */
    OUTCOME_LOCAL,     /* no connection, none left, or a deadline passed */
    OUTCOME_SERVER,    /* 5xx, or an answer that is broken */
    OUTCOME_OVERLOAD,  /* 408, 425, 429, 503, 529: it would like to be left alone */
    OUTCOME_PERMANENT, /* asking again gives the same: 3xx, 4xx, too large, not sent at all */
    OUTCOME_REFUSED,   /* 401, 403, certificate: a person has to change something */
    OUTCOME_MISSING,   /* the model isn't there */
    OUTCOME_LOADING,   /* it lives; its model is on the way */
    OUTCOME_CANCELLED, /* by us: says nothing about the endpoint */
    N_OUTCOMES
};

/* The class of an error; NULL is success. */
enum outcome outcome_of(const struct error *error);
/* "ok", "slow", ...: for logs. */
const char *outcome_name(enum outcome outcome);
/* Whether it counts against who was asked: LOCAL, SERVER, OVERLOAD. */
bool outcome_is_failure(enum outcome outcome);

#endif
