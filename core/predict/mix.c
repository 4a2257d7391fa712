/* mix.c - how probable each next token is, from all that was learned.
 *
 * Why      One source alone is either too small (what stands before the cursor) or too foreign
 *          (the workspace); one length of context is either too vague or never seen. And the
 *          estimate has to be honest, since whether anything is shown hangs on it.
 * How      Interpolated back-off, as in PPM and hierarchical Dirichlet models (Cleary and Witten
 *          1984; MacKay and Peto 1995): level by level p = (count + back * p) / (total + back).
 *          Levels run through the orders, within each order through the classes. The constants
 *          were fitted on code that the tables had not seen (tests/eval/predict_eval.c measures).
 * Rules    No allocation; bounded work whatever was learned. */
#include "core/predict/mix.h"

#include <string.h>

#include "core/base/memory.h"

#define MAX_CANDIDATES   56u
#define MAX_PREFIX_WORDS 48u
#define MIN_PREFIX_BYTES 2u

const struct mix_params MIX_PARAMS = {
    .back = {{1.5, 4.0, 6.0, 3.5, 3.0, 2.5, 1.5, 2.0, 1.0},
             {15.0, 6.0, 7.0, 5.0, 6.0, 2.5, 6.0, 3.0, 3.0},
             {4.5, 6.0, 5.0, 3.0, 4.5, 4.5, 2.8, 2.0, 1.8}},
    .growth = {1.23, 1.32, 2.0},
    .spread = 0.05,
    .novel = 0.4,
    .novel_decay = 0.6,
    .word_weight = {1, 2, 3},
    .word_back = 12,
    .word_decay = 0.75,
    .space_novel = 0.3,
};

struct candidate {
    uint64_t hash;
    const struct ngrams *ngrams; /* where its text is */
    uint32_t word;
    bool has_space;
    uint8_t n_order; /* longest order it was seen at */
    float counts[N_MIX_CLASSES][NGRAM_N_ORDERS];
    double p;
};
struct tally {
    struct candidate items[MAX_CANDIDATES];
    size_t n;
    float totals[N_MIX_CLASSES][NGRAM_N_ORDERS];
    double escape;  /* what is left to tokens not seen in any context */
    double unknown; /* part of it for words not seen at all */
};

void mix_add(struct mix *m, const struct ngrams *ngrams, enum mix_class source_class, float weight)
{
    if (m->n_sources == MIX_MAX_SOURCES || ngrams->n_tokens == 0) {
        return;
    }
    ASSERT(m->n_ids == 0);
    struct mix_source *source = &m->sources[m->n_sources++];
    source->ngrams = ngrams;
    source->source_class = source_class;
    source->weight = weight;
    source->hidden = NULL;
    source->n_hidden = 0;
    source->home = 0;
    source->sync = 0;
}

bool mix_push(struct mix *m, uint64_t hash)
{
    if (m->n_ids == NGRAM_MAX_ORDER + MIX_MAX_STEPS) {
        return false;
    }
    for (size_t i = 0; i < m->n_sources; i++) {
        m->sources[i].ids[m->n_ids] = hash == 0 ? 0 : ngrams_word(m->sources[i].ngrams, hash);
    }
    m->n_ids++;
    return true;
}

/* -- counting -- */

static bool is_in_spans(const struct mix_span *spans, size_t n, uint32_t place)
{
    size_t lo = 0;
    size_t hi = n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (spans[mid].end <= place) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo < n && spans[lo].start <= place;
}

/* The order that the hit may count for: shorter where the longer part crosses the seam at the
 * cursor's own place, none where it is what stood there. */
static bool is_countable(const struct mix_source *s, struct ngram_hit *hit)
{
    if (s->n_hidden > 0 && is_in_spans(s->hidden, s->n_hidden, hit->place)) {
        return false;
    }
    if (s->home == 0 || hit->place < s->home) {
        return true;
    }
    if (hit->place <= s->sync) {
        return false;
    }
    while (NGRAM_ORDERS[hit->n_order] > hit->place - s->sync) {
        hit->n_order--;
    }
    return true;
}

static struct candidate *find_candidate(struct tally *t, const struct ngrams *g, uint32_t token,
                                        bool is_space_open)
{
    uint32_t word = token >> 1;
    bool has_space = !is_space_open && (token & 1) != 0;
    uint64_t hash = g->words[word].hash;
    for (size_t i = 0; i < t->n; i++) {
        if (t->items[i].hash == hash && t->items[i].has_space == has_space) {
            return &t->items[i];
        }
    }
    if (t->n == MAX_CANDIDATES) {
        return NULL;
    }
    struct candidate *c = &t->items[t->n++];
    *c = (struct candidate){.hash = hash, .ngrams = g, .word = word, .has_space = has_space};
    return c;
}

static void count_source(struct tally *t, const struct mix_source *s, size_t n_ids,
                         bool is_space_open)
{
    struct ngram_hit hits[NGRAM_MAX_HITS];
    size_t n_context = n_ids < NGRAM_MAX_ORDER ? n_ids : NGRAM_MAX_ORDER;
    size_t n = ngrams_find(s->ngrams, s->ids + n_ids - n_context, n_context, hits);
    for (size_t i = 0; i < n; i++) {
        uint32_t token = s->ngrams->tokens[hits[i].place];
        if (!is_countable(s, &hits[i])) {
            continue;
        }
        float weight = hits[i].weight * s->weight;
        uint8_t order = hits[i].n_order;
        t->totals[s->source_class][order] += weight;
        struct candidate *c = token < 2 ? NULL : find_candidate(t, s->ngrams, token, is_space_open);
        if (c != NULL) {
            c->counts[s->source_class][order] += weight;
            c->n_order = order > c->n_order ? order : c->n_order;
        }
    }
}

/* What was seen at an order was seen at all shorter ones too. */
static void add_up(float counts[N_MIX_CLASSES][NGRAM_N_ORDERS])
{
    for (size_t k = 0; k < N_MIX_CLASSES; k++) {
        for (size_t i = NGRAM_N_ORDERS - 1; i > 0; i--) {
            counts[k][i - 1] += counts[k][i];
        }
    }
}

static void count_all(struct tally *t, const struct mix *m, bool is_space_open)
{
    t->n = 0;
    t->unknown = 1;
    memset(t->totals, 0, sizeof(t->totals));
    for (size_t i = m->n_sources; i-- > 0;) {
        count_source(t, &m->sources[i], m->n_ids, is_space_open);
    }
    add_up(t->totals);
    for (size_t i = 0; i < t->n; i++) {
        add_up(t->items[i].counts);
    }
}

/* -- words that begin as was typed, whatever stands before them -- */

/* Their share of what no level explains; the blend starts from it. */
static void count_words(struct tally *t, const struct mix *m, str prefix, double share)
{
    uint32_t words[MAX_PREFIX_WORDS];
    double unknown = m->params->word_back;
    for (size_t i = MIN_PREFIX_BYTES; i < prefix.len; i++) {
        unknown *= m->params->word_decay;
    }
    double sum = unknown;
    for (size_t i = m->n_sources; i-- > 0;) {
        const struct mix_source *s = &m->sources[i];
        size_t n = ngrams_with_prefix(s->ngrams, prefix, words, MAX_PREFIX_WORDS);
        double weight = (double)s->weight * m->params->word_weight[s->source_class];
        if (n == SIZE_MAX) {
            sum += MAX_PREFIX_WORDS * weight;
            continue;
        }
        for (size_t k = 0; k < n; k++) {
            double count = weight * ngrams_count(s->ngrams, words[k]);
            struct candidate *c = find_candidate(t, s->ngrams, words[k] << 1, true);
            sum += count;
            if (c != NULL) {
                c->p += count;
            }
        }
    }
    for (size_t i = 0; i < t->n; i++) {
        t->items[i].p *= share / sum;
    }
    t->unknown = unknown / sum;
}

/* -- blending -- */

/* Places are no independent witnesses: code is copied. n >= 1. */
static double damped(double n, double growth)
{
    double result = 1;
    for (; n >= 2; n /= 2) {
        result *= growth;
    }
    return result * (1 + (growth - 1) * (n - 1));
}

static void blend_level(struct tally *t, const struct mix_params *params, size_t k, size_t order)
{
    double total = (double)t->totals[k][order];
    if (total <= 0) {
        return;
    }
    unsigned n_different = 0;
    for (size_t i = 0; i < t->n; i++) {
        n_different += t->items[i].counts[k][order] > 0;
    }
    double more = n_different > 1 ? params->spread * (double)(n_different - 1) : 0;
    double scale = total > 1 ? damped(total, params->growth[k]) / total : 1;
    double back = params->back[k][order] * (1 + more);
    total *= scale;
    for (size_t i = 0; i < t->n; i++) {
        struct candidate *c = &t->items[i];
        c->p = ((double)c->counts[k][order] * scale + back * c->p) / (total + back);
    }
    t->escape *= back / (total + back);
}

static void blend(struct tally *t, const struct mix_params *params)
{
    t->escape = 1;
    for (size_t order = 0; order < NGRAM_N_ORDERS; order++) {
        for (size_t k = 0; k < N_MIX_CLASSES; k++) {
            blend_level(t, params, k, order);
        }
    }
}

static bool is_possible(const struct candidate *c, enum mix_pending pending, str prefix)
{
    switch (pending) {
    case MIX_NOTHING:
        return true;
    case MIX_SPACE:
        return c->has_space;
    case MIX_PREFIX:
        return str_starts_with(ngrams_text(c->ngrams, c->word), prefix);
    }
    return false;
}

/* What tokens seen in no context have of the probability, given that they begin as was typed. */
static double novel_share(const struct mix_params *params, enum mix_pending pending, size_t n_typed)
{
    switch (pending) {
    case MIX_NOTHING:
        return 0;
    case MIX_SPACE:
        return params->space_novel;
    case MIX_PREFIX:
        break;
    }
    double share = params->novel;
    for (size_t i = 0; i < n_typed; i++) {
        share *= params->novel_decay;
    }
    return share;
}

/* How often the blend was right on code it hadn't seen, for each probability that it stated, by
 * the length of the match: up to 3 tokens, up to 8, longer. */
static double calibrated(const struct candidate *c, double p)
{
    enum { N_KNOTS = 12 };
    static const double from[N_KNOTS] = {0,     0.55,  0.65,  0.75,   0.825,  0.876,
                                         0.926, 0.966, 0.985, 0.9975, 0.9997, 1};
    static const double to[3][N_KNOTS] = {
        {0, 0.49, 0.60, 0.74, 0.80, 0.85, 0.87, 0.92, 0.965, 0.985, 0.99, 0.995},
        {0, 0.54, 0.67, 0.77, 0.835, 0.87, 0.925, 0.955, 0.975, 0.987, 0.998, 0.999},
        {0, 0.50, 0.65, 0.80, 0.86, 0.88, 0.95, 0.967, 0.985, 0.991, 0.999, 0.9995}};
    const double *line = to[c->n_order <= 2 ? 0 : c->n_order <= 5 ? 1 : 2];
    size_t i = 1;
    while (i < N_KNOTS - 1 && p > from[i]) {
        i++;
    }
    double part = (p - from[i - 1]) / (from[i] - from[i - 1]);
    return line[i - 1] + (part > 1 ? 1 : part) * (line[i] - line[i - 1]);
}

bool mix_best(const struct mix *m, enum mix_pending pending, str prefix, struct mix_guess *out)
{
    struct tally t;
    double share = novel_share(m->params, pending, prefix.len);
    count_all(&t, m, pending == MIX_PREFIX);
    if (pending == MIX_PREFIX && prefix.len >= MIN_PREFIX_BYTES) {
        count_words(&t, m, prefix, share);
    }
    blend(&t, m->params);
    const struct candidate *best = NULL;
    double sum = t.escape * t.unknown * share;
    for (size_t i = 0; i < t.n; i++) {
        struct candidate *c = &t.items[i];
        if (is_possible(c, pending, prefix)) {
            sum += c->p;
            best = best == NULL || c->p > best->p ? c : best;
        }
    }
    if (best == NULL || best->p <= 0) {
        return false;
    }
    double p = pending == MIX_NOTHING ? best->p : best->p / sum;
    *out = (struct mix_guess){.text = ngrams_text(best->ngrams, best->word),
                              .hash = best->hash,
                              .p = calibrated(best, p),
                              .has_space = best->has_space,
                              .n_match = NGRAM_ORDERS[best->n_order]};
    return true;
}

double mix_probability(const struct mix *m, uint64_t hash, bool has_space)
{
    struct tally t;
    count_all(&t, m, false);
    blend(&t, m->params);
    for (size_t i = 0; i < t.n; i++) {
        if (t.items[i].hash == hash && t.items[i].has_space == has_space) {
            return t.items[i].p;
        }
    }
    return 0;
}
