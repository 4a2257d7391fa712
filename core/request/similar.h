/* similar.h - how much two pieces of code are alike, and which answered question was about code
 * like this.
 *
 * Pure. A sketch is what is kept of a piece of code: the least hashes of its shingles (three tokens
 * in a row), comments and white space left out and local names put in a form that renaming doesn't
 * change. The likeness of two sketches estimates the Jaccard similarity of the two sets of
 * shingles: exactly where both have at most SIMILAR_SKETCH_HASHES, else with a standard error of
 * at most 0.03. It says how much of the text is the same and nothing of what a change means, so it
 * serves what is read by a person who is told, and never what is put into a file. */
#ifndef CRUCIBLE_REQUEST_SIMILAR_H
#define CRUCIBLE_REQUEST_SIMILAR_H

#include "core/base/str.h"

#define SIMILAR_SHINGLE_TOKENS 3u
#define SIMILAR_SKETCH_HASHES  256u
#define SIMILAR_MAX_BYTES      (64u * 1024u) /* longer code has no sketch, and is like nothing */

struct sketch {
    unsigned n;
    bool is_whole;                         /* holds all shingles, not only the least ones */
    uint32_t least[SIMILAR_SKETCH_HASHES]; /* ascending, no two the same; of this process */
};
/* The language's id decides what a comment is; unknown ones are read like C. Code without a single
 * shingle gives an empty sketch, which is like nothing. */
void sketch_take(struct sketch *s, str code, str language);
/* From 0 to 1. */
double sketch_likeness(const struct sketch *a, const struct sketch *b);

/* What a question is about, where a similar one's answer may serve as well. */
struct likeness {
    uint64_t head; /* what has to be equal: prompt, language, symbol. 0: nothing else serves */
    struct sketch sketch;
};

/* Keys of answered questions by what they were about. */
struct similar;
struct similar *similar_create(unsigned max_entries);
void similar_destroy(struct similar *s);
/* Remembers what the answer with this key is about; the oldest one makes room. Copies. */
void similar_add(struct similar *s, uint64_t key, const struct likeness *subject);
/* The most similar one of the same head whose likeness is `threshold` or more. */
bool similar_find(const struct similar *s, const struct likeness *subject, double threshold,
                  uint64_t *key, double *likeness);
/* Its answer has gone. Unknown keys are ignored. */
void similar_forget(struct similar *s, uint64_t key);
void similar_clear(struct similar *s);
size_t similar_count(const struct similar *s);

#endif
