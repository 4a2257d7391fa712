/* fuzz_openai.c - hostile answers to the openai codec: streams, errors, probes. */
#include <stdint.h>

#include "fuzz_provider.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

extern const struct provider_ops provider_openai;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_provider(&provider_openai, data, size);
    return 0;
}
