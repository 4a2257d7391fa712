/* figure.h - numbers that model servers give of their models. */
#ifndef CRUCIBLE_PROVIDERS_FIGURE_H
#define CRUCIBLE_PROVIDERS_FIGURE_H

#include "core/base/json.h"

/* A count, 0 where there is none or a nonsensical one. */
uint64_t figure_count(struct json n);
/* Parameters as people write them: "4.20M", "7.6B"; as far as two or three digits tell. 0 where
 * the text says something else. */
uint64_t figure_params(str text);

#endif
