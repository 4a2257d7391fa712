/* ngram.c - texts that were learned, and where in them a given row of tokens came before.
 *
 * Why      Next-token counts for contexts of every length from 1 to 24 would be a table for each
 *          length. Sorted by reversed context, the places themselves are that table: eight bytes
 *          for a token of text, whatever the lengths, and a match of any length is found in it.
 * How      Words are interned in an open hash table. The index is sorted by its first token with
 *          counting, within that by multikey quicksort (Bentley and Sedgewick 1997) down to 24
 *          tokens. A look-up narrows the span of places token by token, each time by bisection,
 *          and then reports places from the longest context outwards, a sample of each length.
 * Rules    Word 0 matches nothing, so contexts never reach across files. The memory bound counts
 *          what the finished index needs. */
#include "core/predict/ngram.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/hash.h"
#include "core/base/memory.h"

#define SAMPLE_PLACES   28u /* of one order, in one set */
#define ENOUGH_PLACES   64u /* shorter contexts are not asked after this many */
#define CHAIN_MAX_STEPS 300u
#define TOKEN_BYTES     8u  /* tokens, order */
#define WORD_BYTES      40u /* words, slots at their emptiest, sorted, starts */
#define SORT_SMALL      10u

const uint8_t NGRAM_ORDERS[NGRAM_N_ORDERS] = {1, 2, 3, 4, 6, 8, 12, 16, 24};

/* -- life -- */

void ngrams_init(struct ngrams *g, size_t max_bytes)
{
    *g = (struct ngrams){.max_bytes = max_bytes, .n_words = 1};
}

void ngrams_release(struct ngrams *g)
{
    for (uint32_t i = 0; i < g->n_files; i++) {
        xfree(g->files[i].path);
    }
    xfree(g->tokens);
    xfree(g->order);
    xfree(g->starts);
    xfree(g->words);
    xfree(g->slots);
    xfree(g->sorted);
    xfree(g->bytes);
    xfree(g->files);
    *g = (struct ngrams){0};
}

void ngrams_clear(struct ngrams *g)
{
    for (uint32_t i = 0; i < g->n_files; i++) {
        xfree(g->files[i].path);
    }
    g->n_files = 0;
    g->n_tokens = 0;
    g->n_words = 1;
    g->n_bytes = 0;
    if (g->slots != NULL) {
        memset(g->slots, 0, g->n_slots * sizeof(*g->slots));
    }
}

size_t ngrams_bytes(const struct ngrams *g)
{
    size_t n = (size_t)g->cap_tokens * sizeof(*g->tokens) +
               (size_t)g->cap_words * sizeof(*g->words) + (size_t)g->n_slots * sizeof(*g->slots) +
               g->cap_bytes + (size_t)g->cap_files * sizeof(*g->files);
    for (uint32_t i = 0; i < g->n_files; i++) {
        n += strlen(g->files[i].path) + 1;
    }
    n += g->order != NULL ? (size_t)g->cap_tokens * sizeof(*g->order) : 0;
    n += g->starts != NULL ? ((size_t)g->cap_words + 1) * sizeof(*g->starts) : 0;
    return n + (g->sorted != NULL ? (size_t)g->n_words * sizeof(*g->sorted) : 0);
}

/* -- adding -- */

/* Makes room for one more item. */
static void *grow(void *items, uint32_t n, uint32_t *cap, size_t item_bytes)
{
    if (n < *cap) {
        return items;
    }
    *cap = *cap < 64 ? 64 : *cap + *cap / 2;
    return xrealloc(items, (size_t)*cap * item_bytes);
}

static size_t finished_bytes(const struct ngrams *g)
{
    return (size_t)g->n_tokens * TOKEN_BYTES + (size_t)g->n_words * WORD_BYTES + g->n_bytes +
           (size_t)g->n_files * (sizeof(*g->files) + 64);
}

static void rehash(struct ngrams *g)
{
    g->n_slots = g->n_slots == 0 ? 256 : g->n_slots * 2;
    xfree(g->slots);
    g->slots = xcalloc(g->n_slots, sizeof(*g->slots));
    for (uint32_t word = 1; word < g->n_words; word++) {
        uint32_t i = (uint32_t)g->words[word].hash & (g->n_slots - 1);
        while (g->slots[i] != 0) {
            i = (i + 1) & (g->n_slots - 1);
        }
        g->slots[i] = word;
    }
}

static uint32_t *find_slot(const struct ngrams *g, uint64_t hash)
{
    uint32_t i = (uint32_t)hash & (g->n_slots - 1);
    while (g->slots[i] != 0 && g->words[g->slots[i]].hash != hash) {
        i = (i + 1) & (g->n_slots - 1);
    }
    return &g->slots[i];
}

uint32_t ngrams_word(const struct ngrams *g, uint64_t hash)
{
    return g->n_slots == 0 ? 0 : *find_slot(g, hash);
}

static uint32_t intern(struct ngrams *g, str text)
{
    if (g->n_words + g->n_words / 2 >= g->n_slots) {
        rehash(g);
    }
    uint64_t hash = hash_str(text);
    uint32_t *slot = find_slot(g, hash);
    if (*slot != 0) {
        return *slot;
    }
    g->words = grow(g->words, g->n_words, &g->cap_words, sizeof(*g->words));
    if (g->n_bytes + text.len > g->cap_bytes) {
        g->cap_bytes = (g->n_bytes + (uint32_t)text.len) * 3 / 2 + 256;
        g->bytes = xrealloc(g->bytes, g->cap_bytes);
    }
    memcpy(g->bytes + g->n_bytes, text.ptr, text.len);
    g->words[g->n_words] = (struct ngram_word){hash, g->n_bytes, (uint32_t)text.len};
    g->n_bytes += (uint32_t)text.len;
    *slot = g->n_words;
    return g->n_words++;
}

static void push_token(struct ngrams *g, uint32_t token)
{
    g->tokens = grow(g->tokens, g->n_tokens, &g->cap_tokens, sizeof(*g->tokens));
    g->tokens[g->n_tokens++] = token;
}

static bool is_set(const atomic_bool *flag)
{
    return flag != NULL && atomic_load_explicit(flag, memory_order_relaxed);
}

bool ngrams_add(struct ngrams *g, str path, str text, const atomic_bool *is_cancelled,
                bool *has_space_left)
{
    struct tokenizer t;
    struct token token;
    bool is_whole = true;
    tokenizer_init(&t, text, indentation_of(text));
    push_token(g, 0);
    uint32_t start = g->n_tokens;
    while (tokenizer_next(&t, &token)) {
        if (finished_bytes(g) + 256 > g->max_bytes ||
            (g->n_tokens % 1024 == 0 && is_set(is_cancelled))) {
            is_whole = false;
            break;
        }
        uint32_t word = token.kind == TOKEN_OPAQUE ? 0 : intern(g, token.text);
        push_token(g, word == 0 ? 0 : word << 1 | token.has_space);
    }
    if (has_space_left != NULL) {
        *has_space_left = t.has_space_left;
    }
    if (path.len > 0) {
        g->files = grow(g->files, g->n_files, &g->cap_files, sizeof(*g->files));
        g->files[g->n_files++] =
            (struct ngram_file){xstrndup(path.ptr, path.len), hash_str(path), start, g->n_tokens};
    }
    return is_whole;
}

/* -- the sorted index -- */

/* The word `depth` tokens before the place, 0 past the beginning. */
static inline uint32_t word_before(const struct ngrams *g, uint32_t place, uint32_t depth)
{
    return place > depth ? g->tokens[place - 1 - depth] >> 1 : 0;
}

static bool is_less(const struct ngrams *g, uint32_t a, uint32_t b, uint32_t depth)
{
    for (; depth < NGRAM_MAX_ORDER; depth++) {
        uint32_t word_a = word_before(g, a, depth);
        uint32_t word_b = word_before(g, b, depth);
        if (word_a != word_b) {
            return word_a < word_b;
        }
        if (word_a == 0) {
            break;
        }
    }
    return a < b;
}

static void sort_small(const struct ngrams *g, uint32_t *places, size_t n, uint32_t depth)
{
    for (size_t i = 1; i < n; i++) {
        uint32_t place = places[i];
        size_t k = i;
        for (; k > 0 && is_less(g, place, places[k - 1], depth); k--) {
            places[k] = places[k - 1];
        }
        places[k] = place;
    }
}

static uint32_t median_word(const struct ngrams *g, const uint32_t *places, size_t n,
                            uint32_t depth)
{
    uint32_t a = word_before(g, places[n / 4], depth);
    uint32_t b = word_before(g, places[n / 2], depth);
    uint32_t c = word_before(g, places[n - 1 - n / 4], depth);
    if (a > b) {
        uint32_t swap = a;
        a = b;
        b = swap;
    }
    return c < a ? a : c > b ? b : c;
}

static inline void swap_places(uint32_t *a, uint32_t *b)
{
    uint32_t swap = *a;
    *a = *b;
    *b = swap;
}

/* Multikey quicksort: the middle part shares one more token. Recursion goes into the two smaller
 * parts, so its depth is logarithmic plus the 24 tokens. */
static void sort_places(const struct ngrams *g, uint32_t *places, size_t n, uint32_t depth,
                        const atomic_bool *is_cancelled)
{
    while (n > SORT_SMALL && depth < NGRAM_MAX_ORDER) {
        if (n > 4096 && is_set(is_cancelled)) {
            return;
        }
        uint32_t pivot = median_word(g, places, n, depth);
        size_t less = 0;
        size_t more = n;
        for (size_t i = 0; i < more;) {
            uint32_t word = word_before(g, places[i], depth);
            if (word < pivot) {
                swap_places(&places[i++], &places[less++]);
            } else if (word > pivot) {
                swap_places(&places[i], &places[--more]);
            } else {
                i++;
            }
        }
        struct {
            uint32_t *places;
            size_t n;
            uint32_t depth;
        } parts[3] = {{places, less, depth},
                      {places + less, pivot == 0 ? 0 : more - less, depth + 1},
                      {places + more, n - more, depth}};
        size_t largest = parts[0].n > parts[1].n ? 0 : 1;
        largest = parts[2].n > parts[largest].n ? 2 : largest;
        for (size_t i = 0; i < 3; i++) {
            if (i != largest && parts[i].n > 1) {
                sort_places(g, parts[i].places, parts[i].n, parts[i].depth, is_cancelled);
            }
        }
        places = parts[largest].places;
        n = parts[largest].n;
        depth = parts[largest].depth;
    }
    if (n <= SORT_SMALL) {
        sort_small(g, places, n, depth);
    }
}

struct sortable {
    const char *ptr;
    uint32_t len, word;
};

static int compare_texts(const void *a, const void *b)
{
    const struct sortable *x = a;
    const struct sortable *y = b;
    int order = memcmp(x->ptr, y->ptr, x->len < y->len ? x->len : y->len);
    return order != 0 ? order : (x->len > y->len) - (x->len < y->len);
}

static void sort_words(struct ngrams *g)
{
    struct sortable *items = xcalloc(g->n_words, sizeof(*items));
    for (uint32_t word = 1; word < g->n_words; word++) {
        items[word] = (struct sortable){g->bytes + g->words[word].offset, g->words[word].len, word};
    }
    qsort(items + 1, g->n_words - 1, sizeof(*items), compare_texts);
    g->sorted = xcalloc(g->n_words, sizeof(*g->sorted));
    for (uint32_t i = 1; i < g->n_words; i++) {
        g->sorted[i - 1] = items[i].word;
    }
    xfree(items);
}

static void trim_memory(struct ngrams *g)
{
    g->cap_tokens = g->n_tokens + 1;
    g->tokens = xrealloc(g->tokens, g->cap_tokens * sizeof(*g->tokens));
    g->cap_words = g->n_words + 1;
    g->words = xrealloc(g->words, g->cap_words * sizeof(*g->words));
    g->cap_bytes = g->n_bytes + 1;
    g->bytes = xrealloc(g->bytes, g->cap_bytes);
    g->cap_files = g->n_files + 1;
    g->files = xrealloc(g->files, g->cap_files * sizeof(*g->files));
}

/* Places by the token before them, in order of place; starts[w] is where word w's begin. */
static void sort_by_last_token(struct ngrams *g)
{
    g->starts = xcalloc((size_t)g->cap_words + 1, sizeof(*g->starts));
    g->order = xcalloc(g->cap_tokens, sizeof(*g->order));
    for (uint32_t place = 0; place < g->n_tokens; place++) {
        g->starts[word_before(g, place, 0) + 1]++;
    }
    for (uint32_t word = 0; word < g->n_words; word++) {
        g->starts[word + 1] += g->starts[word];
    }
    for (uint32_t place = 0; place < g->n_tokens; place++) {
        g->order[g->starts[word_before(g, place, 0)]++] = place;
    }
    for (uint32_t word = g->n_words; word > 0; word--) {
        g->starts[word] = g->starts[word - 1];
    }
    g->starts[0] = 0;
}

bool ngrams_index(struct ngrams *g, const atomic_bool *is_cancelled)
{
    trim_memory(g);
    sort_by_last_token(g);
    for (uint32_t word = 1; word < g->n_words; word++) {
        if (is_set(is_cancelled)) {
            return false;
        }
        sort_places(g, g->order + g->starts[word], g->starts[word + 1] - g->starts[word], 1,
                    is_cancelled);
    }
    sort_words(g);
    return !is_set(is_cancelled);
}

void ngrams_chain(struct ngrams *g)
{
    g->is_chained = true;
    xfree(g->order);
    xfree(g->starts);
    g->order = xcalloc((size_t)g->cap_tokens, sizeof(*g->order));
    g->starts = xcalloc((size_t)g->cap_words + 1, sizeof(*g->starts));
    for (uint32_t place = 1; place < g->n_tokens; place++) {
        uint32_t word = word_before(g, place, 0);
        g->order[place] = g->starts[word];
        g->starts[word] = place;
    }
}

/* -- looking up -- */

str ngrams_text(const struct ngrams *g, uint32_t word)
{
    return str_of(g->bytes + g->words[word].offset, g->words[word].len);
}

uint32_t ngrams_count(const struct ngrams *g, uint32_t word)
{
    if (!g->is_chained) {
        uint32_t n = g->starts[word + 1] - g->starts[word];
        return n > 0 ? n : 1;
    }
    uint32_t n = 0;
    for (uint32_t place = g->starts[word]; place != 0 && n < 64; place = g->order[place]) {
        n++;
    }
    return n > 0 ? n : 1;
}

/* idx of the longest order that `n` agreeing tokens allow; n >= 1. */
static uint8_t order_of(uint32_t n)
{
    uint8_t i = NGRAM_N_ORDERS - 1;
    while (NGRAM_ORDERS[i] > n) {
        i--;
    }
    return i;
}

/* How many tokens before `place` agree with the end of `context`. */
static uint32_t agreement(const struct ngrams *g, uint32_t place, const uint32_t *context, size_t n,
                          uint32_t from)
{
    uint32_t depth = from;
    while (depth < n && context[n - 1 - depth] != 0 &&
           word_before(g, place, depth) == context[n - 1 - depth]) {
        depth++;
    }
    return depth;
}

static size_t find_chained(const struct ngrams *g, const uint32_t *context, size_t n,
                           struct ngram_hit *hits)
{
    size_t n_hits = 0;
    unsigned n_steps = 0;
    uint32_t limit = (uint32_t)(n < NGRAM_MAX_ORDER ? n : NGRAM_MAX_ORDER);
    uint32_t place = g->starts[context[n - 1]];
    for (; place != 0 && n_hits < NGRAM_MAX_HITS && n_steps < CHAIN_MAX_STEPS; n_steps++) {
        uint32_t depth = agreement(g, place, context + n - limit, limit, 1);
        hits[n_hits++] = (struct ngram_hit){place, 1, order_of(depth)};
        place = g->order[place];
    }
    return n_hits;
}

struct span {
    uint32_t lo, hi;
};

/* The part of `s`, whose places agree in `depth` tokens, that agrees in `word` as well. */
static struct span narrow(const struct ngrams *g, struct span s, uint32_t depth, uint32_t word)
{
    uint32_t lo = s.lo;
    uint32_t hi = s.hi;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (word_before(g, g->order[mid], depth) < word) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    struct span out = {lo, lo};
    hi = s.hi;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (word_before(g, g->order[mid], depth) <= word) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    out.hi = lo;
    return out;
}

/* Spans of all orders; gives how many are not empty. */
static unsigned find_spans(const struct ngrams *g, const uint32_t *context, size_t n,
                           struct span spans[NGRAM_N_ORDERS])
{
    uint32_t word = context[n - 1];
    struct span s = {g->starts[word], g->starts[word + 1]};
    unsigned n_orders = 0;
    uint32_t limit = (uint32_t)(n < NGRAM_MAX_ORDER ? n : NGRAM_MAX_ORDER);
    for (uint32_t depth = 1; s.lo < s.hi; depth++) {
        if (NGRAM_ORDERS[n_orders] == depth) {
            spans[n_orders++] = s;
        }
        if (depth >= limit || context[n - 1 - depth] == 0) {
            break;
        }
        s = narrow(g, s, depth, context[n - 1 - depth]);
    }
    return n_orders;
}

/* A sample of [lo, hi) spread evenly; the last ones are the newest of their kind. */
static size_t sample(const struct ngrams *g, struct span s, size_t max, uint8_t order,
                     struct ngram_hit *hits)
{
    size_t n = s.hi - s.lo;
    size_t n_taken = n < max ? n : max;
    for (size_t i = 0; i < n_taken; i++) {
        size_t at = n_taken == n ? i : i * n / n_taken;
        hits[i] = (struct ngram_hit){g->order[s.lo + at], (float)n / (float)n_taken, order};
    }
    return n_taken;
}

size_t ngrams_find(const struct ngrams *g, const uint32_t *context, size_t n,
                   struct ngram_hit *hits)
{
    if (n == 0 || context[n - 1] == 0 || g->starts == NULL) {
        return 0;
    }
    if (g->is_chained) {
        return find_chained(g, context, n, hits);
    }
    struct span spans[NGRAM_N_ORDERS];
    unsigned n_orders = find_spans(g, context, n, spans);
    struct span inner = {0, 0};
    size_t n_hits = 0;
    for (unsigned i = n_orders; i-- > 0 && n_hits < ENOUGH_PLACES;) {
        struct span s = spans[i];
        bool is_first = inner.lo == inner.hi;
        struct span left = {s.lo, is_first ? s.hi : inner.lo};
        n_hits += sample(g, left, is_first ? SAMPLE_PLACES : SAMPLE_PLACES / 2, (uint8_t)i,
                         hits + n_hits);
        if (!is_first) {
            struct span right = {inner.hi, s.hi};
            n_hits += sample(g, right, SAMPLE_PLACES / 2, (uint8_t)i, hits + n_hits);
        }
        inner = s;
    }
    return n_hits;
}

uint32_t ngrams_longest(const struct ngrams *g, const uint32_t *context, size_t n,
                        uint32_t *n_match)
{
    *n_match = 0;
    if (n == 0 || context[n - 1] == 0 || g->starts == NULL) {
        return 0;
    }
    struct span s = {g->starts[context[n - 1]], g->starts[context[n - 1] + 1]};
    uint32_t limit = (uint32_t)(n < NGRAM_MAX_ORDER ? n : NGRAM_MAX_ORDER);
    for (uint32_t depth = 1; depth < limit && context[n - 1 - depth] != 0; depth++) {
        struct span inner = narrow(g, s, depth, context[n - 1 - depth]);
        if (inner.lo == inner.hi) {
            break;
        }
        s = inner;
    }
    uint32_t best = 0;
    for (uint32_t i = s.lo; i < s.hi && i < s.lo + 32; i++) {
        uint32_t agree = agreement(g, g->order[i], context, n, 0);
        if (agree >= *n_match) {
            *n_match = agree;
            best = g->order[i];
        }
    }
    return best;
}

static int compare_prefix(const struct ngrams *g, uint32_t word, str prefix)
{
    str text = ngrams_text(g, word);
    size_t n = text.len < prefix.len ? text.len : prefix.len;
    int order = memcmp(text.ptr, prefix.ptr, n);
    return order != 0 || text.len >= prefix.len ? order : -1;
}

static size_t prefix_unsorted(const struct ngrams *g, str prefix, uint32_t *words, size_t max)
{
    size_t n = 0;
    for (uint32_t word = 1; word < g->n_words; word++) {
        if (str_starts_with(ngrams_text(g, word), prefix)) {
            if (n == max) {
                return SIZE_MAX;
            }
            words[n++] = word;
        }
    }
    return n;
}

size_t ngrams_with_prefix(const struct ngrams *g, str prefix, uint32_t *words, size_t max)
{
    if (g->sorted == NULL) {
        return prefix_unsorted(g, prefix, words, max);
    }
    uint32_t lo = 0;
    uint32_t hi = g->n_words - 1;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (compare_prefix(g, g->sorted[mid], prefix) < 0) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    size_t n = 0;
    for (; lo < g->n_words - 1 && compare_prefix(g, g->sorted[lo], prefix) == 0; lo++) {
        if (n == max) {
            return SIZE_MAX;
        }
        words[n++] = g->sorted[lo];
    }
    return n;
}
