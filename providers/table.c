/* table.c - every kind of model server that there is.
 *
 * Extending  One file with one `const struct provider_ops`, one line in each list here. The order
 * is the order in which a port that two kinds share is tried. */
#include "core/upstream/provider.h"

extern const struct provider_ops provider_llamacpp;
extern const struct provider_ops provider_ollama;
extern const struct provider_ops provider_lmstudio;
extern const struct provider_ops provider_openai;
extern const struct provider_ops provider_vllm;
extern const struct provider_ops provider_mistral;
extern const struct provider_ops provider_deepseek;
extern const struct provider_ops provider_anthropic;
extern const struct provider_ops provider_embedded;

const struct provider_ops *const provider_table[] = {
    &provider_llamacpp, &provider_ollama,   &provider_lmstudio,  &provider_openai,   &provider_vllm,
    &provider_mistral,  &provider_deepseek, &provider_anthropic, &provider_embedded, NULL,
};
