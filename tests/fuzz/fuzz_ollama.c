/* fuzz_ollama.c - hostile answers to the ollama codec: streams, errors, probes. */
#include <stdint.h>

#include "fuzz_provider.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

extern const struct provider_ops provider_ollama;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_provider(&provider_ollama, data, size);
    return 0;
}
