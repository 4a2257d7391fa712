/* fuzz_llamacpp.c - hostile answers to the llamacpp codec: streams, errors, probes. */
#include <stdint.h>

#include "fuzz_provider.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

extern const struct provider_ops provider_llamacpp;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_provider(&provider_llamacpp, data, size);
    return 0;
}
