/* fuzz_anthropic.c - hostile answers to the anthropic codec: streams, errors, probes. */
#include <stdint.h>

#include "fuzz_provider.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

extern const struct provider_ops provider_anthropic;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_provider(&provider_anthropic, data, size);
    return 0;
}
