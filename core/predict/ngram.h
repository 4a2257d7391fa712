/* ngram.h - texts that were learned, and where in them a given row of tokens came before.
 *
 * Built in three steps: add texts, index, look up. From the index on it never changes, so that a
 * thread may build one and hand it over whole. Words have an id that is private to one such set;
 * between sets they are compared by the hash of their text.
 *
 * There are two indexes. ngrams_index sorts all places by what stands before them, read
 * backwards: the places that share the last k tokens are neighbours for every k, so one array
 * serves all orders and the match of any length. ngrams_chain links places with the same token
 * before them: made in no time, for a few thousand tokens. */
#ifndef CRUCIBLE_PREDICT_NGRAM_H
#define CRUCIBLE_PREDICT_NGRAM_H

#include <stdatomic.h>

#include "core/predict/token.h"

#define NGRAM_MAX_ORDER 24u  /* tokens of context that are compared */
#define NGRAM_N_ORDERS  9u   /* orders that are told apart */
#define NGRAM_MAX_HITS  192u /* places looked at for one token */

struct ngram_word {
    uint64_t hash;   /* of the text */
    uint32_t offset; /* of the text in `bytes` */
    uint32_t len;
};
struct ngram_file {
    char *path; /* owned; empty for none */
    uint64_t hash;
    uint32_t start, end; /* tokens */
};
struct ngrams {
    size_t max_bytes;
    uint32_t *tokens; /* word << 1 | has_space; word 0 stands between files and for the opaque */
    uint32_t *order;  /* indexed: places by context; chained: the place before with that token */
    uint32_t *starts; /* per word: its first in `order`, n_words + 1; chained: its last place */
    struct ngram_word *words; /* words[0] is no word */
    uint32_t *slots;          /* hash table of word ids, power of two */
    uint32_t *sorted;         /* word ids by text; indexed only */
    char *bytes;
    struct ngram_file *files;
    uint32_t n_tokens, n_words, n_slots, n_bytes, n_files;
    uint32_t cap_tokens, cap_words, cap_bytes, cap_files;
    bool is_chained;
};

/* A place whose next token is a guess. */
struct ngram_hit {
    uint32_t place;  /* tokens[place] came next */
    float weight;    /* how many places it stands for */
    uint8_t n_order; /* idx into NGRAM_ORDERS of the longest one that matches */
};
extern const uint8_t NGRAM_ORDERS[NGRAM_N_ORDERS];

/* {0} may be released. */
void ngrams_init(struct ngrams *g, size_t max_bytes);
void ngrams_release(struct ngrams *g);
void ngrams_clear(struct ngrams *g); /* keeps the memory */
/* Adds the tokens of `text`; false when the bound was reached, then it may be in part. Stops
 * early if *is_cancelled (may be NULL). *has_space_left (may be NULL): see tokenizer. */
bool ngrams_add(struct ngrams *g, str path, str text, const atomic_bool *is_cancelled,
                bool *has_space_left);
/* One of the two, once, after the last add. False if cancelled. */
bool ngrams_index(struct ngrams *g, const atomic_bool *is_cancelled);
void ngrams_chain(struct ngrams *g);

/* Memory in use. */
size_t ngrams_bytes(const struct ngrams *g);
/* 0 for an unknown word. */
uint32_t ngrams_word(const struct ngrams *g, uint64_t hash);
str ngrams_text(const struct ngrams *g, uint32_t word);
/* Places that follow the words at `context` (oldest first, 0 for one that is unknown), longest
 * matches first, at most NGRAM_MAX_HITS. */
size_t ngrams_find(const struct ngrams *g, const uint32_t *context, size_t n,
                   struct ngram_hit *hits);
/* The place whose context agrees longest with `context` read backwards; *n_match tokens agree.
 * Compares at most n. 0 where nothing agrees. Indexed only. */
uint32_t ngrams_longest(const struct ngrams *g, const uint32_t *context, size_t n,
                        uint32_t *n_match);
/* Words that begin with `prefix`, at most `max`; SIZE_MAX where there are more. */
size_t ngrams_with_prefix(const struct ngrams *g, str prefix, uint32_t *words, size_t max);
/* How often the word occurs (at least once for each known word). */
uint32_t ngrams_count(const struct ngrams *g, uint32_t word);

#endif
