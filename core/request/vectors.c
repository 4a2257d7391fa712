/* vectors.c - vectors by hash, the least recently used make room.
 *
 * How   Kept at unit length, so that likeness is one sum of products. The hash table keeps its
 *       order: whoever is asked for goes to its end. */
#include "core/request/vectors.h"

#include <math.h>

#include "core/base/map.h"
#include "core/base/memory.h"

struct vector {
    uint64_t key;
    UT_hash_handle hh;
    float values[];
};

struct vectors {
    struct vector *by_key; /* owned; least recently used first */
    uint64_t model;
    size_t n_dims, max_bytes;
};

struct vectors *vectors_create(size_t max_bytes)
{
    struct vectors *v = xcalloc(1, sizeof *v);
    v->max_bytes = max_bytes;
    return v;
}

static void forget(struct vectors *v, struct vector *one)
{
    HASH_DEL(v->by_key, one);
    xfree(one);
}

static void forget_all(struct vectors *v)
{
    while (v->by_key) {
        forget(v, v->by_key);
    }
}

void vectors_destroy(struct vectors *v)
{
    if (v) {
        forget_all(v);
        xfree(v);
    }
}

void vectors_of_model(struct vectors *v, uint64_t model)
{
    if (v->model != model) {
        forget_all(v);
        v->model = model;
    }
}

static struct vector *peek(const struct vectors *v, uint64_t key)
{
    struct vector *one;
    HASH_FIND(hh, v->by_key, &key, sizeof key, one);
    return one;
}

static struct vector *find(struct vectors *v, uint64_t key)
{
    struct vector *one = peek(v, key);
    if (one && one->hh.next) {
        HASH_DEL(v->by_key, one);
        HASH_ADD(hh, v->by_key, key, sizeof one->key, one);
    }
    return one;
}

static size_t bytes_of(size_t n_dims)
{
    return sizeof(struct vector) + n_dims * sizeof(float);
}

void vectors_put(struct vectors *v, uint64_t key, const float *values, size_t n_dims)
{
    if (n_dims != v->n_dims) {
        forget_all(v);
        v->n_dims = n_dims;
    }
    struct vector *one = find(v, key);
    if (!one) {
        while (v->by_key && (vectors_count(v) + 1) * bytes_of(n_dims) > v->max_bytes) {
            forget(v, v->by_key);
        }
        one = xcalloc(1, bytes_of(n_dims));
        one->key = key;
        HASH_ADD(hh, v->by_key, key, sizeof one->key, one);
    }
    double sum = 0;
    for (size_t i = 0; i < n_dims; i++) {
        sum += (double)values[i] * (double)values[i];
    }
    double length = sqrt(sum);
    for (size_t i = 0; i < n_dims; i++) {
        one->values[i] = length > 0 ? (float)((double)values[i] / length) : 0;
    }
}

bool vectors_has(struct vectors *v, uint64_t key)
{
    return find(v, key) != NULL;
}

double vectors_likeness(const struct vectors *v, uint64_t a, uint64_t b)
{
    const struct vector *x = peek(v, a), *y = peek(v, b);
    double sum = 0;
    for (size_t i = 0; x && y && i < v->n_dims; i++) {
        sum += (double)x->values[i] * (double)y->values[i];
    }
    return sum > 1 ? 1 : sum < -1 ? -1 : sum;
}

size_t vectors_room(const struct vectors *v)
{
    return v->by_key ? v->max_bytes / bytes_of(v->n_dims) : SIZE_MAX;
}

size_t vectors_count(const struct vectors *v)
{
    return HASH_COUNT(v->by_key);
}
