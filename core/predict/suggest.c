/* suggest.c - from token probabilities to a text worth showing.
 *
 * Why      People take a suggestion in with one glance or are disturbed by it; a short one that is
 *          right beats a long one that is half right.
 * How      The most probable token is taken again and again and the probabilities multiplied.
 *          The line is then cut where the product is still high, at a token's end, outside of
 *          strings and before what already stands after the cursor. Only a line that is sure up to
 *          its end is followed by further ones, and only while a long match carries them.
 * Rules    Bounded steps; text only ever consists of whole tokens that were learned. */
#include "core/predict/suggest.h"

#include <string.h>

#include "core/base/hash.h"
#include "core/predict/seam.h"

#define MAX_LINE_TOKENS 48u
#define MAX_TEXT_BYTES  4096u
#define MAX_LINE_BYTES  240u
#define MIN_VISIBLE     3u
#define MIN_STEP_P      0.3
/* Further lines need a match of this many tokens and these probabilities. */
#define BLOCK_MIN_MATCH  8u
#define BLOCK_MIN_STEP_P 0.85
#define BLOCK_MIN_P      0.65
/* Finding the cursor's place in an older copy of its document. */
#define HOME_CONTEXT        64u
#define HOME_MIN_MATCH      8u
#define SYNC_TOKENS         8u
#define SYNC_MAX_BYTES      512u
#define SYNC_MAX_TOKENS     4096u
#define SYNC_UNKNOWN_TOKENS 128u

struct step {
    size_t end; /* of the text with this token */
    double p;   /* of the line up to here */
};
struct draft {
    struct mix *mix;
    struct buf text;
    struct indentation style;
    unsigned column; /* indentation of the line being written */
    struct step steps[MAX_LINE_TOKENS];
    size_t n_steps;
    str line_before; /* of the cursor's line */
    str rest;        /* of the cursor's line */
    str after;
};

/* -- where the cursor stood in the learned copy of its own document -- */

static bool is_line_end(const struct ngrams *g, uint32_t token)
{
    return token > 1 && ngrams_text(g, token >> 1).ptr[0] == '\n';
}

/* The words of the lines before the cursor's, at most HOME_CONTEXT, in the words of `own`. */
static size_t lines_before(const struct ngrams *scope, const struct ngrams *own,
                           uint32_t ids[HOME_CONTEXT])
{
    uint32_t end = scope->n_tokens;
    while (end > 1 && !is_line_end(scope, scope->tokens[end - 1])) {
        end--;
    }
    while (end > 1 && is_line_end(scope, scope->tokens[end - 1])) {
        end--;
    }
    uint32_t start = end > HOME_CONTEXT + 1 ? end - HOME_CONTEXT : 1;
    size_t n = 0;
    for (uint32_t i = start; i < end; i++) {
        uint32_t word = scope->tokens[i] >> 1;
        ids[n++] = word == 0 ? 0 : ngrams_word(own, scope->words[word].hash);
    }
    return n;
}

/* The first tokens after the cursor that are no line ends. */
static size_t tokens_after(const struct ngrams *own, str after, struct indentation style,
                           uint32_t ids[SYNC_TOKENS])
{
    struct tokenizer t;
    struct token token;
    size_t n = 0;
    tokenizer_init(&t, str_sub(after, 0, SYNC_MAX_BYTES), style);
    while (n < SYNC_TOKENS && tokenizer_next(&t, &token)) {
        bool is_end = token.kind == TOKEN_LINE || token.kind == TOKEN_EMPTY;
        if (token.kind == TOKEN_BLANK || token.kind == TOKEN_OPAQUE || (n == 0 && is_end)) {
            continue;
        }
        if (is_end && n >= 3) {
            break;
        }
        ids[n++] = ngrams_word(own, hash_str(token.text));
    }
    return n;
}

static uint32_t find_sync(const struct ngrams *own, uint32_t home, const uint32_t *ids, size_t n)
{
    uint32_t end = own->n_tokens - home > SYNC_MAX_TOKENS ? home + SYNC_MAX_TOKENS : own->n_tokens;
    for (uint32_t at = home; n > 0 && at + n <= end; at++) {
        size_t k = 0;
        while (k < n && own->tokens[at + k] >> 1 == ids[k] && ids[k] != 0) {
            k++;
        }
        if (k == n) {
            return at;
        }
    }
    return own->n_tokens - home > SYNC_UNKNOWN_TOKENS ? home + SYNC_UNKNOWN_TOKENS : own->n_tokens;
}

static void find_home(struct mix_source *source, const struct ngrams *scope, str after,
                      struct indentation style)
{
    uint32_t ids[HOME_CONTEXT];
    size_t n = lines_before(scope, source->ngrams, ids);
    uint32_t n_match;
    uint32_t home = ngrams_longest(source->ngrams, ids, n, &n_match);
    if (home == 0 || (n_match < HOME_MIN_MATCH && n_match < n)) {
        return;
    }
    uint32_t next[SYNC_TOKENS];
    size_t n_next = tokens_after(source->ngrams, after, style, next);
    source->home = home;
    source->sync = find_sync(source->ngrams, home, next, n_next);
}

/* -- the context -- */

static size_t typed_bytes(str before)
{
    size_t n = 0;
    while (n < before.len && n <= TOKEN_MAX_BYTES &&
           token_is_word_byte(before.ptr[before.len - 1 - n])) {
        n++;
    }
    return n;
}

/* Takes the last token back where it may be the beginning of a longer operator. */
static str take_operator(struct ngrams *scope, str before)
{
    uint32_t word = scope->n_tokens > 1 ? scope->tokens[scope->n_tokens - 1] >> 1 : 0;
    str text = word != 0 ? ngrams_text(scope, word) : STR("");
    if (!token_may_grow(text) || !str_ends_with(before, text)) {
        return STR("");
    }
    scope->n_tokens--;
    return str_sub(before, before.len - text.len, before.len);
}

enum mix_pending suggest_prepare(struct mix *m, struct ngrams *scope, str before, str after,
                                 str *prefix)
{
    bool has_space_left = false;
    size_t n_typed = typed_bytes(before);
    *prefix = str_sub(before, before.len - n_typed, before.len);
    str text = str_sub(before, 0, before.len - n_typed);
    ngrams_clear(scope);
    (void)ngrams_add(scope, STR(""), text, NULL, &has_space_left);
    if (n_typed == 0 && !has_space_left) {
        *prefix = take_operator(scope, before);
        n_typed = prefix->len;
    }
    ngrams_chain(scope);
    mix_add(m, scope, MIX_SCOPE, 1);
    for (size_t i = 0; i < m->n_sources; i++) {
        if (m->sources[i].source_class == MIX_DOCUMENT) {
            find_home(&m->sources[i], scope, after, indentation_of(before));
        }
    }
    uint32_t n = scope->n_tokens;
    for (uint32_t i = n > NGRAM_MAX_ORDER ? n - NGRAM_MAX_ORDER : 0; i < n; i++) {
        (void)mix_push(m, scope->tokens[i] >> 1 ? scope->words[scope->tokens[i] >> 1].hash : 0);
    }
    return n_typed > 0 ? MIX_PREFIX : has_space_left ? MIX_SPACE : MIX_NOTHING;
}

/* -- writing -- */

static void write_token(struct draft *d, const struct mix_guess *guess, enum mix_pending pending,
                        size_t n_typed)
{
    if (guess->text.ptr[0] == '\n') {
        buf_append_char(&d->text, '\n');
        if (guess->text.len > 1) {
            d->column = token_line_column(guess->text, d->style, d->column);
            indentation_append(d->style, d->column, &d->text);
        }
        return;
    }
    if (pending == MIX_NOTHING && guess->has_space) {
        buf_append_char(&d->text, ' ');
    }
    buf_append(&d->text, str_sub(guess->text, n_typed, guess->text.len));
}

/* Writes the rest of the cursor's line as far as it is probable at all; true where its end was
 * reached. *end is then the line end to come. */
static bool write_first_line(struct draft *d, enum mix_pending pending, str prefix,
                             struct mix_guess *end)
{
    double p = 1;
    for (size_t i = 0; i < MAX_LINE_TOKENS && d->text.len < MAX_LINE_BYTES; i++) {
        struct mix_guess guess;
        if (!mix_best(d->mix, pending, prefix, &guess)) {
            return false;
        }
        if (guess.text.ptr[0] == '\n') {
            *end = guess;
            return true;
        }
        p *= guess.p;
        if (guess.p < MIN_STEP_P || p < SUGGEST_MIN_P || !mix_push(d->mix, guess.hash)) {
            return false;
        }
        write_token(d, &guess, pending, prefix.len);
        d->steps[d->n_steps++] = (struct step){d->text.len, p};
        pending = MIX_NOTHING;
        prefix = STR("");
    }
    return false;
}

static size_t n_visible(str s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        n += c > ' ' && (c & 0xC0) != 0x80;
    }
    return n;
}

static bool is_worth(const struct draft *d, size_t end)
{
    str line = str_sub(buf_str(&d->text), 0, end);
    return n_visible(line) >= MIN_VISIBLE && seam_is_sound(d->line_before, line, d->rest);
}

/* Where to cut the first line, 0 for nothing at all: at its end where that is nearly sure, else
 * behind the longest part that is sure, else the longest that is probable. */
static size_t choose_cut(const struct draft *d, bool is_ended, double *p)
{
    size_t limit = seam_rest(buf_str(&d->text), d->rest);
    size_t best = 0;
    *p = 0;
    for (size_t i = 0; i < d->n_steps; i++) {
        size_t start = i == 0 ? 0 : d->steps[i - 1].end;
        size_t end = d->steps[i].end < limit ? d->steps[i].end : limit;
        end = str_trim_end(str_sub(buf_str(&d->text), 0, end)).len;
        bool is_end = is_ended && i == d->n_steps - 1 && d->steps[i].p >= SUGGEST_WHOLE_P;
        bool is_surer = d->steps[i].p >= SUGGEST_SURE_P || *p < SUGGEST_SURE_P || is_end;
        if (start < limit && end > best && is_surer && is_worth(d, end)) {
            best = end;
            *p = d->steps[i].p;
        }
    }
    return best;
}

/* A line that was finished may stay: it isn't what follows anyway, and no loop. */
static bool may_keep_line(const struct draft *d, size_t kept)
{
    str line = str_after_last(buf_str(&d->text), '\n');
    str previous = str_after_last(str_sub(buf_str(&d->text), 0, kept), '\n');
    return !seam_is_next_line(line, d->after) && !str_eq(line, previous);
}

/* Goes on behind a finished first line; gives the length up to the last line worth keeping. */
static size_t write_block(struct draft *d, struct mix_guess guess, double p, unsigned max_lines)
{
    size_t kept = d->text.len;
    unsigned n_lines = 1;
    bool is_visible = false;
    while (d->text.len < MAX_TEXT_BYTES - MAX_LINE_BYTES) {
        p *= guess.p;
        if (guess.n_match < BLOCK_MIN_MATCH || guess.p < BLOCK_MIN_STEP_P || p < BLOCK_MIN_P) {
            break;
        }
        if (guess.text.ptr[0] == '\n') {
            if (is_visible && !may_keep_line(d, kept)) {
                break;
            }
            kept = is_visible ? d->text.len : kept;
            if (n_lines++ >= max_lines) {
                break;
            }
        }
        is_visible = guess.text.ptr[0] != '\n';
        write_token(d, &guess, MIX_NOTHING, 0);
        if (!mix_push(d->mix, guess.hash) || !mix_best(d->mix, MIX_NOTHING, STR(""), &guess)) {
            break;
        }
    }
    return kept;
}

static unsigned indentation_column(str line)
{
    struct tokenizer t;
    tokenizer_init(&t, line, (struct indentation){4, false});
    return t.column;
}

/* How often the first line was right, for each product of its tokens' probabilities: measured on
 * code that wasn't learned. */
static double honest(double p)
{
    static const double from[] = {0, 0.62, 0.76, 0.85, 0.925, 1};
    static const double to[] = {0, 0.50, 0.70, 0.80, 0.84, 0.92};
    size_t i = 1;
    while (i < sizeof(from) / sizeof(from[0]) - 1 && p > from[i]) {
        i++;
    }
    return to[i - 1] + (p - from[i - 1]) / (from[i] - from[i - 1]) * (to[i] - to[i - 1]);
}

static struct prediction finish(const struct draft *d, size_t n, double p, struct arena *arena)
{
    str text = str_trim_end(str_sub(buf_str(&d->text), 0, n));
    return (struct prediction){.text = arena_dup(arena, text), .confidence = honest(p)};
}

static struct prediction draft_suggestion(struct draft *d, enum mix_pending pending, str prefix,
                                          unsigned max_lines, struct arena *arena)
{
    struct mix_guess end;
    double p;
    bool is_ended = write_first_line(d, pending, prefix, &end);
    size_t whole = d->text.len;
    size_t cut = choose_cut(d, is_ended, &p);
    struct arena_mark mark = arena_mark(arena);
    str line = arena_printf(arena, STR_FMT STR_FMT, STR_ARG(d->line_before),
                            STR_ARG(str_sub(buf_str(&d->text), 0, cut)));
    bool is_next = seam_is_next_line(line, d->after);
    arena_reset(arena, mark);
    if (cut == 0 || is_next) {
        return (struct prediction){0};
    }
    if (is_ended && cut == whole && max_lines > 1 && str_trim(d->rest).len == 0) {
        cut = write_block(d, end, p, max_lines);
    }
    return finish(d, cut, p, arena);
}

struct prediction suggest(struct mix *m, struct ngrams *scope, const struct prediction_place *place,
                          struct arena *arena)
{
    str before = str_sub(place->before,
                         place->before.len > SUGGEST_MAX_BEFORE_BYTES
                             ? place->before.len - SUGGEST_MAX_BEFORE_BYTES
                             : 0,
                         place->before.len);
    str prefix;
    enum mix_pending pending = suggest_prepare(m, scope, before, place->after, &prefix);
    if (prefix.len > TOKEN_MAX_BYTES) {
        return (struct prediction){0};
    }
    struct draft *d = arena_alloc(arena, sizeof(*d));
    d->mix = m;
    d->style = indentation_of(before);
    d->line_before = str_after_last(before, '\n');
    d->column = indentation_column(d->line_before);
    d->after = place->after;
    d->rest = str_sub(place->after, 0, str_find_char(place->after, '\n', 0));
    buf_init(&d->text, MAX_TEXT_BYTES);
    struct prediction out =
        draft_suggestion(d, pending, prefix, place->max_lines > 0 ? place->max_lines : 1, arena);
    buf_release(&d->text);
    return out;
}
