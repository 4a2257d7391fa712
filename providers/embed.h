/* embed.h - vectors of texts: what is the same in all dialects that have them. */
#ifndef CRUCIBLE_PROVIDERS_EMBED_H
#define CRUCIBLE_PROVIDERS_EMBED_H

#include "core/upstream/provider.h"

/* "model" and "input" to `path`, as OpenAI has it. */
NODISCARD enum err embed_encode(const struct embed_order *o, const char *path,
                                struct http_request *out, struct error *why);
/* OpenAI's shape, `data[].embedding` with its index, and Ollama's, `embeddings[]`. */
enum err embed_read(str body, size_t n_texts, struct embedding *out, struct error *why);

#endif
