/* embedded.c - the built-in predictor's entry among the providers.
 *
 * Rules    In-process: it has a kind and abilities, and no codec at all. Who walks the table checks
 *          PROVIDER_IN_PROCESS before calling any of the functions. */
#include "core/upstream/provider.h"

const struct provider_ops provider_embedded = {
    .kind = "embedded",
    .capabilities = PROVIDER_IN_PROCESS | PROVIDER_ONE_MODEL,
    .abilities = MODEL_INFILL,
};
