/* suggest.h - from token probabilities to a text worth showing. */
#ifndef CRUCIBLE_PREDICT_SUGGEST_H
#define CRUCIBLE_PREDICT_SUGGEST_H

#include "core/predict/mix.h"
#include "core/predict/predict.h"

#define SUGGEST_MAX_BEFORE_BYTES 8192u

/* Products of token probabilities, which promise a little too much; what is given out as
 * confidence is corrected (about 0.50, 0.80 and 0.70 for these). Below the first nothing is given;
 * a longer text must keep the second to be preferred to a shorter, surer one. */
#define SUGGEST_MIN_P   0.62
#define SUGGEST_SURE_P  0.85
#define SUGGEST_WHOLE_P 0.76 /* enough for a whole line */

/* Completes `m`, whose sources but the scope are added, by what stands before the cursor (built
 * into `scope`, whatever it held), and gives the text that follows. */
struct prediction suggest(struct mix *m, struct ngrams *scope, const struct prediction_place *place,
                          struct arena *arena);

/* The parts of it, for measuring: fills the scope and the context; *prefix is the typed beginning
 * of the word at the cursor. */
enum mix_pending suggest_prepare(struct mix *m, struct ngrams *scope, str before, str after,
                                 str *prefix);

#endif
