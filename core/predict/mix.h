/* mix.h - how probable each next token is, from all that was learned.
 *
 * Sources of three classes, the nearer the more they count: what stands right before the cursor,
 * the document's learned copy, everything else. For each length of context and each class the
 * tokens seen there are counted, and the estimates are blended from the shortest, farthest to the
 * longest, nearest: a long match that says one thing outweighs what short ones say. */
#ifndef CRUCIBLE_PREDICT_MIX_H
#define CRUCIBLE_PREDICT_MIX_H

#include "core/predict/ngram.h"

#define MIX_MAX_STEPS   320u /* tokens pushed after the context */
#define MIX_MAX_SOURCES 24u

enum mix_class { MIX_WORKSPACE, MIX_DOCUMENT, MIX_SCOPE, N_MIX_CLASSES };

struct mix_params {
    /* How many places' worth the blend so far counts against the places of one level. */
    double back[N_MIX_CLASSES][NGRAM_N_ORDERS];
    double growth[N_MIX_CLASSES]; /* what twice the places say, at most 2 times as much */
    double spread;                /* how much more for each different token seen at the level */
    double novel;                 /* share of what no level explains that begins as was typed ... */
    double novel_decay;           /* ... and how it falls with each byte typed */
    double word_weight[N_MIX_CLASSES]; /* of a known word with that beginning, per occurrence ... */
    double word_back;                  /* ... against all that aren't known ... */
    double word_decay;                 /* ... which are fewer with each byte typed */
    double space_novel;                /* as novel, where only a space was typed */
};
extern const struct mix_params MIX_PARAMS;

struct mix_span {
    uint32_t start, end; /* tokens */
};
struct mix_source {
    const struct ngrams *ngrams; /* borrowed */
    enum mix_class source_class;
    float weight;                  /* of one place */
    const struct mix_span *hidden; /* borrowed, ascending: places that don't count */
    size_t n_hidden;
    /* The cursor's own place in an older copy of its document: what stood there until `sync` is
     * being replaced and doesn't count, nor does what is only seen across that seam. 0: none. */
    uint32_t home, sync;
    uint32_t ids[NGRAM_MAX_ORDER + MIX_MAX_STEPS]; /* the context in this source's words */
};
struct mix {
    const struct mix_params *params;
    struct mix_source sources[MIX_MAX_SOURCES];
    size_t n_sources;
    size_t n_ids; /* of every source */
};

enum mix_pending { /* what stands before the cursor that belongs to the token asked about */
                   MIX_NOTHING,
                   MIX_SPACE, /* one space */
                   MIX_PREFIX /* the beginning of a word, or all of it */
};
struct mix_guess {
    str text; /* of the whole token; borrows a source */
    uint64_t hash;
    double p;         /* estimated */
    bool has_space;   /* MIX_NOTHING: one space goes before it */
    unsigned n_match; /* longest context seen with it, in tokens */
};

/* {0} is an empty mix. */
void mix_add(struct mix *m, const struct ngrams *ngrams, enum mix_class source_class, float weight);
/* The context's next token. Tokens past the maximum are not taken: false. */
bool mix_push(struct mix *m, uint64_t hash);
/* The most probable next token; false where there is none. `prefix` for MIX_PREFIX. */
bool mix_best(const struct mix *m, enum mix_pending pending, str prefix, struct mix_guess *out);
/* For measuring: the probability given to the token with this text. */
double mix_probability(const struct mix *m, uint64_t hash, bool has_space);

#endif
