/* deadline.c - spans of waiting, learned.
 *
 * Why      A constant that suits a graphics card kills every answer of a CPU, and one that suits
 *          a CPU lets a person stare at a dead server for a minute and a half.
 * How      A cell of sketches for each kind and class of prompt size, made when it is first needed.
 *          A cell with fewer than 8 samples asks those of larger prompts (which take longer), then
 *          the size of the model: a CPU of four cores reads some 10^11 / parameters tokens in a
 *          second and makes as many as it can move the weights through 10 GB/s of memory; loading
 *          goes by 100 MB/s of a slow disk. After two deadlines in a row that passed all spans are
 *          doubled, until text comes again: what was learned may be of another day.
 * Rules    What came before a cut counts as what it is; what was cut off only ever lengthens. */
#include "core/upstream/deadline.h"

#include "core/base/clock.h"
#include "core/base/limits.h"
#include "core/base/memory.h"
#include "core/upstream/sketch.h"

#define N_CLASSES         4u
#define SAMPLES_ENOUGH    8u
#define QUANTILE          0.95
#define LATE_ENOUGH       2u
#define FAST_PROMPT_SPEED 200.0 /* tokens in a second; below one of the two it is a CPU's pace */
#define FAST_TEXT_SPEED   20.0
#define BYTES_PER_TOKEN   3.5 /* of code, until measured */
#define READ_MIN_TOKENS   32.0
#define LONGEST_US        SEC_TO_US(3600)
#define PROMPT_MIN_BYTES  KIB

/* Guesses by size. */
#define UNKNOWN_PARAMS    7e9
#define BYTES_PER_PARAM   0.6  /* at four and a half bits */
#define READS_PARAMS      1e11 /* parameters times tokens in a second, of four cores */
#define MOVES_BYTES       1e10 /* in a second, through memory */
#define LOADS_BYTES       1e8  /* in a second, from a slow disk */
#define LOAD_UNKNOWN_S    80.0 /* plus half is two minutes */
#define LOAD_EXTRA_S      5.0
#define INLINE_MAX_TOKENS 128.0
#define CHAT_MAX_TOKENS   512.0

struct range {
    uint64_t min_us, max_us;
};
struct ranges {
    struct range span; /* of the first text and of the whole */
    struct range gap;
};

static const struct ranges ranges[2][N_DEADLINE_KINDS] = {
    /* a CPU's pace */
    {[DEADLINE_INLINE] = {{SEC_TO_US(15), SEC_TO_US(60)}, {SEC_TO_US(3), SEC_TO_US(30)}},
     [DEADLINE_CHAT] = {{SEC_TO_US(60), SEC_TO_US(300)}, {SEC_TO_US(3), SEC_TO_US(30)}},
     [DEADLINE_LOAD] = {{SEC_TO_US(30), SEC_TO_US(300)}, {SEC_TO_US(30), SEC_TO_US(300)}}},
    /* fast */
    {[DEADLINE_INLINE] = {{SEC_TO_US(2), SEC_TO_US(15)}, {SEC_TO_US(1), SEC_TO_US(10)}},
     [DEADLINE_CHAT] = {{SEC_TO_US(10), SEC_TO_US(90)}, {SEC_TO_US(1), SEC_TO_US(10)}},
     [DEADLINE_LOAD] = {{SEC_TO_US(30), SEC_TO_US(300)}, {SEC_TO_US(30), SEC_TO_US(300)}}},
};

struct cell {
    struct sketch first, gap, total;
};

struct deadline {
    struct cell *cells[DEADLINE_LOAD][N_CLASSES]; /* owned; NULL until needed */
    struct sketch *load;                          /* owned; NULL until needed */
    struct sketch *read;                          /* owned; us for 1000 tokens of prompt */
    bool is_read_reported;                        /* ... as servers say, not as it seems */
    double n_params, n_bytes;                     /* 0: unknown */
    double n_text_tokens, text_s;                 /* fading sums */
    double n_prompt_bytes, n_prompt_tokens;
    unsigned n_late; /* in a row */
};

const char *deadline_kind_name(enum deadline_kind kind)
{
    static const char *const names[N_DEADLINE_KINDS] = {"inline", "chat", "load"};
    return names[kind];
}

struct deadline *deadline_create(void)
{
    return xcalloc(1, sizeof(struct deadline));
}

void deadline_destroy(struct deadline *d)
{
    if (!d) {
        return;
    }
    for (unsigned kind = 0; kind < DEADLINE_LOAD; kind++) {
        for (unsigned i = 0; i < N_CLASSES; i++) {
            xfree(d->cells[kind][i]);
        }
    }
    xfree(d->load);
    xfree(d->read);
    xfree(d);
}

void deadline_describe(struct deadline *d, uint64_t n_params, uint64_t n_bytes)
{
    d->n_params = n_params > 0 ? (double)n_params : (double)n_bytes / BYTES_PER_PARAM;
    d->n_bytes = n_bytes > 0 ? (double)n_bytes : (double)n_params * BYTES_PER_PARAM;
}

static unsigned class_of(size_t n_prompt_bytes)
{
    return n_prompt_bytes <= 2 * (size_t)KIB    ? 0
           : n_prompt_bytes <= 8 * (size_t)KIB  ? 1
           : n_prompt_bytes <= 32 * (size_t)KIB ? 2
                                                : 3;
}

/* The sketches to go by: of this class or the next larger one that has enough; NULL: none. */
static const struct cell *cell_of(const struct deadline *d, const struct deadline_call *call)
{
    for (unsigned i = class_of(call->n_prompt_bytes); i < N_CLASSES; i++) {
        const struct cell *c = d->cells[call->kind][i];
        if (c && sketch_count(&c->first) >= SAMPLES_ENOUGH) {
            return c;
        }
    }
    return NULL;
}

/* -- speeds -- */

static double guessed_prompt_speed(double n_params)
{
    return READS_PARAMS / n_params;
}

static double guessed_text_speed(double n_bytes)
{
    return MOVES_BYTES / n_bytes;
}

static bool is_read_measured(const struct deadline *d)
{
    return d->read && sketch_count(d->read) > 0;
}

double deadline_prompt_speed(const struct deadline *d)
{
    if (is_read_measured(d)) {
        /* What only seems so is fast where the server had most of the prompt already. */
        uint64_t us = sketch_quantile(d->read, d->is_read_reported ? 0.5 : 0.9);
        return 1e9 / (double)(us > 0 ? us : 1);
    }
    return d->n_params > 0 ? guessed_prompt_speed(d->n_params) : 0;
}

double deadline_text_speed(const struct deadline *d)
{
    if (d->text_s > 0) {
        return d->n_text_tokens / d->text_s;
    }
    return d->n_bytes > 0 ? guessed_text_speed(d->n_bytes) : 0;
}

static bool is_fast(const struct deadline *d)
{
    bool reads = !is_read_measured(d) || deadline_prompt_speed(d) >= FAST_PROMPT_SPEED;
    bool writes = d->text_s <= 0 || deadline_text_speed(d) >= FAST_TEXT_SPEED;
    return reads && writes && (is_read_measured(d) || d->text_s > 0);
}

size_t deadline_prompt_bytes(const struct deadline *d, uint64_t within_us)
{
    double speed = deadline_prompt_speed(d);
    double per_token =
        d->n_prompt_tokens > 0 ? d->n_prompt_bytes / d->n_prompt_tokens : BYTES_PER_TOKEN;
    double n = speed * ((double)within_us / 1e6) * per_token;
    if (speed <= 0 || n >= WINDOW_MAX_BYTES) {
        return WINDOW_MAX_BYTES;
    }
    return n > PROMPT_MIN_BYTES ? (size_t)n : PROMPT_MIN_BYTES;
}

/* -- spans -- */

static uint64_t clamp_us(double us, struct range r)
{
    return us >= (double)r.max_us ? r.max_us : us <= (double)r.min_us ? r.min_us : (uint64_t)us;
}

static double plus_half(double us)
{
    return us * 1.5;
}

static double learned_us(const struct sketch *s)
{
    return (double)sketch_quantile(s, QUANTILE);
}

static double growth(const struct deadline *d)
{
    return d->n_late >= LATE_ENOUGH ? 2 : 1;
}

static uint64_t load_span_us(const struct deadline *d)
{
    double us =
        d->n_bytes > 0 ? (LOAD_EXTRA_S + d->n_bytes / LOADS_BYTES) * 1e6 : LOAD_UNKNOWN_S * 1e6;
    if (d->load) {
        /* Where the size is known it stays the least: what was quick had been read before. */
        bool may_shrink = sketch_count(d->load) >= SAMPLES_ENOUGH && d->n_bytes <= 0;
        double seen_us = learned_us(d->load);
        us = may_shrink || seen_us > us ? seen_us : us;
    }
    return clamp_us(plus_half(us) * growth(d), ranges[0][DEADLINE_LOAD].span);
}

static double max_tokens_of(const struct deadline_call *call)
{
    return call->max_tokens > 0          ? (double)call->max_tokens
           : call->kind == DEADLINE_CHAT ? CHAT_MAX_TOKENS
                                         : INLINE_MAX_TOKENS;
}

/* What is to be feared of a model of that size on a CPU. */
static struct deadline_spans guess(const struct deadline *d, const struct deadline_call *call)
{
    double n_params = d->n_params > 0 ? d->n_params : UNKNOWN_PARAMS;
    double n_bytes = d->n_bytes > 0 ? d->n_bytes : UNKNOWN_PARAMS * BYTES_PER_PARAM;
    double n_tokens = (double)call->n_prompt_bytes / BYTES_PER_TOKEN;
    double first_us = n_tokens / guessed_prompt_speed(n_params) * 1e6;
    double gap_us = 1e6 / guessed_text_speed(n_bytes);
    return (struct deadline_spans){(uint64_t)first_us, (uint64_t)(4 * gap_us),
                                   (uint64_t)(first_us + max_tokens_of(call) * gap_us)};
}

/* The longer of what the cell says, where it has enough whole samples to be believed alone. */
static uint64_t choose_us(const struct sketch *s, uint64_t guessed_us)
{
    uint64_t seen_us = s ? sketch_quantile(s, QUANTILE) : 0;
    bool is_known = s && sketch_count(s) >= SAMPLES_ENOUGH;
    seen_us = seen_us < LONGEST_US ? seen_us : LONGEST_US;
    return is_known || seen_us > guessed_us ? seen_us : guessed_us;
}

struct deadline_spans deadline_spans(const struct deadline *d, const struct deadline_call *call)
{
    if (call->kind == DEADLINE_LOAD) {
        uint64_t us = load_span_us(d);
        return (struct deadline_spans){us, us, us};
    }
    const struct ranges *r = &ranges[is_fast(d)][call->kind];
    const struct cell *c = cell_of(d, call);
    c = c ? c : d->cells[call->kind][class_of(call->n_prompt_bytes)];
    struct deadline_spans base = guess(d, call);
    base.first_us = choose_us(c ? &c->first : NULL, base.first_us);
    base.gap_us = choose_us(c ? &c->gap : NULL, base.gap_us);
    base.total_us = choose_us(c ? &c->total : NULL, base.total_us);
    double factor = growth(d);
    struct deadline_spans out = {clamp_us(plus_half((double)base.first_us) * factor, r->span),
                                 clamp_us(plus_half((double)base.gap_us) * factor, r->gap),
                                 clamp_us(plus_half((double)base.total_us) * factor, r->span)};
    double speed = deadline_text_speed(d);
    if (speed > 0) { /* a long answer that comes at its usual pace isn't late */
        uint64_t writes_us = (uint64_t)(plus_half(max_tokens_of(call) / speed * 1e6));
        writes_us = out.first_us + (writes_us < LONGEST_US ? writes_us : LONGEST_US);
        out.total_us = writes_us > out.total_us ? writes_us : out.total_us;
    }
    out.total_us = out.total_us > out.first_us ? out.total_us : out.first_us;
    if (call->is_cold) {
        uint64_t load_us = load_span_us(d);
        out.first_us += load_us;
        out.total_us += load_us;
    }
    return out;
}

uint64_t deadline_usual_us(const struct deadline *d, const struct deadline_call *call)
{
    if (call->kind == DEADLINE_LOAD) {
        return d->load ? sketch_quantile(d->load, 0.5) : 0;
    }
    const struct cell *c = cell_of(d, call);
    return c ? sketch_quantile(&c->first, 0.5) : 0;
}

uint64_t deadline_late_us(const struct deadline *d, const struct deadline_call *call)
{
    const struct cell *c = call->kind != DEADLINE_LOAD ? cell_of(d, call) : NULL;
    return c ? sketch_quantile(&c->first, QUANTILE) : 0;
}

/* -- hearing -- */

static uint64_t bounded(uint64_t us)
{
    return us < LONGEST_US ? us : LONGEST_US;
}

static void add(struct sketch *s, uint64_t us, bool is_whole)
{
    if (is_whole) {
        sketch_add(s, bounded(us));
    } else {
        sketch_add_cut(s, bounded(us));
    }
}

static void make(struct sketch **s)
{
    if (!*s) {
        *s = xcalloc(1, sizeof **s);
    }
}

/* How fast the prompt was read: as the server says, or by what it took until text came. */
static void hear_reading(struct deadline *d, const struct deadline_call *call,
                         const struct deadline_sample *s)
{
    bool is_reported = s->prompt_ms > 0 && s->n_prompt_tokens > 0;
    double n_cached = s->n_cached_tokens > 0 ? (double)s->n_cached_tokens : 0;
    double n = s->n_prompt_tokens > 0 ? (double)s->n_prompt_tokens
                                      : (double)call->n_prompt_bytes / BYTES_PER_TOKEN;
    double us = is_reported ? s->prompt_ms * 1000 : (double)s->first_us;
    n -= is_reported || s->n_prompt_tokens > 0 ? n_cached : 0;
    if (s->n_prompt_tokens > 0 && call->n_prompt_bytes > 0) {
        d->n_prompt_bytes = 0.9 * d->n_prompt_bytes + (double)call->n_prompt_bytes;
        d->n_prompt_tokens = 0.9 * d->n_prompt_tokens + (double)s->n_prompt_tokens;
    }
    if (n < READ_MIN_TOKENS || us <= 0 || (d->is_read_reported && !is_reported)) {
        return;
    }
    make(&d->read);
    if (is_reported && !d->is_read_reported) {
        *d->read = (struct sketch){0};
        d->is_read_reported = true;
    }
    double for_1000 = us / n * 1000;
    sketch_add(d->read, bounded(for_1000 < 4e9 ? (uint64_t)for_1000 : LONGEST_US));
}

static void hear_writing(struct deadline *d, const struct deadline_sample *s)
{
    bool is_reported = s->generate_ms > 0 && s->n_tokens > 1;
    double n = s->n_tokens > 0 ? (double)s->n_tokens : (double)s->n_pieces;
    double took_s = is_reported ? s->generate_ms / 1000 : (double)(s->total_us - s->first_us) / 1e6;
    if (n < 2 || took_s <= 0) {
        return;
    }
    d->n_text_tokens = 0.9 * d->n_text_tokens + n;
    d->text_s = 0.9 * d->text_s + took_s;
}

static void hear_load(struct deadline *d, uint64_t us, bool is_whole)
{
    make(&d->load);
    add(d->load, us, is_whole);
}

void deadline_hear(struct deadline *d, const struct deadline_call *call,
                   const struct deadline_sample *s)
{
    d->n_late = s->is_late ? d->n_late + 1 : s->has_first || s->is_whole ? 0 : d->n_late;
    if (call->kind == DEADLINE_LOAD) {
        hear_load(d, s->total_us, s->is_whole);
        return;
    }
    if (call->is_cold) { /* it says how long loading takes, nothing of how fast it is then */
        hear_load(d, s->first_us, s->has_first);
    } else {
        struct cell **c = &d->cells[call->kind][class_of(call->n_prompt_bytes)];
        *c = *c ? *c : xcalloc(1, sizeof **c);
        add(&(*c)->first, s->first_us, s->has_first);
        add(&(*c)->total, s->total_us, s->is_whole);
        if (s->has_first) {
            add(&(*c)->gap, s->gap_us, s->is_whole);
            hear_reading(d, call, s);
        }
    }
    if (s->has_first && s->total_us >= s->first_us) {
        hear_writing(d, s);
    }
}
