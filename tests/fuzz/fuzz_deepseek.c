/* fuzz_deepseek.c - hostile answers to the deepseek codec: streams, errors, probes. */
#include <stdint.h>

#include "fuzz_provider.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

extern const struct provider_ops provider_deepseek;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_provider(&provider_deepseek, data, size);
    return 0;
}
