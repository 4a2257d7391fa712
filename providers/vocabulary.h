/* vocabulary.h - which tokens around a hole a model's own tokenizer has.
 *
 * A server that tokenizes is sent every spelling of them in one text. Those that come back as one
 * piece each are tokens of the model; a template that is made of others is text to it. Nothing is
 * generated, loaded or woken for it, and what a look has learned the next one recalls. */
#ifndef CRUCIBLE_PROVIDERS_VOCABULARY_H
#define CRUCIBLE_PROVIDERS_VOCABULARY_H

#include "core/base/json.h"
#include "core/upstream/provider.h"

/* Appends the text that is to be tokenized. */
void vocabulary_append(struct buf *text);
/* Reads the pieces, strings or objects with a member "piece", into the model's `tokens`. False
 * where they don't tell: then nothing is changed. */
bool vocabulary_read(struct json pieces, struct arena *arena, struct model_info *m);
/* Takes over what an earlier look has learned of the same model; false: nothing. */
bool vocabulary_recall(const struct probe *p, struct model_info *m);
/* Whether one spelling each of prefix, suffix and middle is among the model's tokens. */
bool vocabulary_has_all(const struct model_info *m);
/* Whether a pair is that only prompts of our own rendering use. */
bool vocabulary_has_raw(const struct model_info *m);

#endif
