/* vectors.h - what pieces of text mean, as numbers that a model has made of them.
 *
 * Pure. By the text's hash, so that a text that moves or comes back keeps its vector. Of one model
 * at a time, since numbers of two can't be compared. Bounded in bytes: those that were asked for
 * longest ago (vectors_has) make room. */
#ifndef CRUCIBLE_REQUEST_VECTORS_H
#define CRUCIBLE_REQUEST_VECTORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vectors;
struct vectors *vectors_create(size_t max_bytes);
void vectors_destroy(struct vectors *v);
/* Which model they are of: those of another one are forgotten. */
void vectors_of_model(struct vectors *v, uint64_t model);
/* Copies. One of all zeros has no direction: it is like nothing. Where the number of dimensions
 * isn't that of the others, they are forgotten. */
void vectors_put(struct vectors *v, uint64_t key, const float *values, size_t n_dims);
bool vectors_has(struct vectors *v, uint64_t key);
/* The cosine of the angle between the two, from -1 to 1; 0 where one isn't known. */
double vectors_likeness(const struct vectors *v, uint64_t a, uint64_t b);
size_t vectors_count(const struct vectors *v);
/* How many there is room for; SIZE_MAX until one is there. */
size_t vectors_room(const struct vectors *v);

#endif
