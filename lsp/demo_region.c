/* demo_region.c - which part of a file the demo types again. Pure.
 *
 * Why      Ten seconds show forty characters or so. Typed at a random place they may all be a
 *          comment, or names that occur nowhere else: no suggestion is possible there, by anybody.
 *          What a person sees in a day is better shown by code that resembles its file.
 * How      The text is cut into words and signs. For each run of four of them the first and the
 *          last place where it occurs are kept, so that for any region it is known which of its
 *          words follow on three that also stand outside of it. The beginnings of blocks (found by
 *          indentation alone, so that every language with blocks works) are compared by the share
 *          of such words; more than FAMILIAR_ENOUGH doesn't count, so that copies aren't preferred,
 *          and among equals the one nearest to the middle is taken.
 * Rules    The region begins and ends at line ends, never inside a character. Time and memory are
 *          bounded: of a larger text only the SCAN_MAX_BYTES in the middle are looked at. */
#include "lsp/demo_region.h"

#include "core/base/hash.h"
#include "core/base/memory.h"

#define SCAN_MAX_BYTES   ((size_t)1 << 20)
#define REGION_MIN_BYTES 24u
#define BLOCK_MIN_BYTES  40u
#define RUN              4u  /* tokens: three that stand before, and the one that follows */
#define FAMILIAR_ENOUGH  60u /* percent */
#define NOT_A_RUN        UINT32_MAX

struct line {
    size_t start, end; /* without the line end */
    size_t indent;
    bool is_blank;
};

/* Reads the line at `start`; false past the end. */
static bool read_line(str text, size_t start, struct line *out)
{
    if (start >= text.len) {
        return false;
    }
    size_t end = str_find_char(text, '\n', start);
    end = end == SIZE_MAX ? text.len : end;
    size_t indent = start;
    while (indent < end && (text.ptr[indent] == ' ' || text.ptr[indent] == '\t')) {
        indent++;
    }
    size_t shown = end > start && text.ptr[end - 1] == '\r' ? end - 1 : end;
    *out = (struct line){
        .start = start, .end = shown, .indent = indent - start, .is_blank = indent >= shown};
    return true;
}

static size_t next_start(str text, const struct line *l)
{
    size_t end = str_find_char(text, '\n', l->end);
    return end == SIZE_MAX ? text.len : end + 1;
}

static size_t line_start_before(str text, size_t at)
{
    while (at > 0 && text.ptr[at - 1] != '\n') {
        at--;
    }
    return at;
}

/* -- what the file is written in -- */

struct token {
    uint32_t start, len; /* bytes, from the beginning of the scan */
    uint32_t run;        /* idx of the run of RUN tokens that ends here; NOT_A_RUN near the top */
    uint64_t hash;
};
struct run {
    uint64_t hash;        /* 0: a free slot */
    uint32_t first, last; /* idx of tokens that end it */
};
struct phrases {
    size_t offset;        /* of the scanned part in the text */
    struct token *tokens; /* owned */
    struct run *runs;     /* owned: hash table, n_runs a power of two */
    uint32_t n_tokens, n_runs;
};

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           (unsigned char)c >= 0x80;
}

static void cut_tokens(struct phrases *p, str scan)
{
    p->tokens = xcalloc(scan.len + 1, sizeof(*p->tokens));
    for (size_t at = 0; at < scan.len;) {
        size_t end = at + 1;
        if ((unsigned char)scan.ptr[at] <= ' ') {
            at = end;
            continue;
        }
        while (is_word(scan.ptr[at]) && end < scan.len && is_word(scan.ptr[end])) {
            end++;
        }
        p->tokens[p->n_tokens++] = (struct token){.start = (uint32_t)at,
                                                  .len = (uint32_t)(end - at),
                                                  .run = NOT_A_RUN,
                                                  .hash = hash_str(str_sub(scan, at, end))};
        at = end;
    }
}

/* Notes that the run of tokens that ends at `last` occurs there. */
static void note_run(struct phrases *p, uint32_t last)
{
    uint64_t hash = 0;
    for (uint32_t i = last + 1 - RUN; i <= last; i++) {
        hash = hash_mix(hash, p->tokens[i].hash);
    }
    hash = hash != 0 ? hash : 1;
    uint32_t at = (uint32_t)hash & (p->n_runs - 1);
    while (p->runs[at].hash != 0 && p->runs[at].hash != hash) {
        at = (at + 1) & (p->n_runs - 1);
    }
    if (p->runs[at].hash == 0) {
        p->runs[at] = (struct run){.hash = hash, .first = last};
    }
    p->runs[at].last = last;
    p->tokens[last].run = at;
}

static void phrases_init(struct phrases *p, str text)
{
    size_t begin = 0;
    if (text.len > SCAN_MAX_BYTES) {
        begin = line_start_before(text, (text.len - SCAN_MAX_BYTES) / 2);
    }
    *p = (struct phrases){.offset = begin, .n_runs = 16};
    cut_tokens(p, str_sub(text, begin, begin + SCAN_MAX_BYTES));
    while (p->n_runs < 2 * p->n_tokens) {
        p->n_runs *= 2;
    }
    p->runs = xcalloc(p->n_runs, sizeof(*p->runs));
    for (uint32_t i = RUN - 1; i < p->n_tokens; i++) {
        note_run(p, i);
    }
}

static void phrases_release(struct phrases *p)
{
    xfree(p->tokens);
    xfree(p->runs);
}

/* Idx of the first token at or after an offset of the text. */
static uint32_t token_at(const struct phrases *p, size_t offset)
{
    uint32_t low = 0;
    uint32_t high = p->n_tokens;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (p->tokens[middle].start + p->offset < offset) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* Of the first `judged` bytes of a region, how many percent follow on words that stand outside of
 * it too, with the same word behind them. */
static size_t familiar_share(const struct phrases *p, struct demo_region r, size_t judged)
{
    uint32_t first = token_at(p, r.start);
    uint32_t end = token_at(p, r.end);
    size_t n_bytes = 0;
    size_t n_familiar = 0;
    for (uint32_t i = first; i < end && n_bytes < judged; i++) {
        const struct token *t = &p->tokens[i];
        n_bytes += t->len;
        if (t->run == NOT_A_RUN) {
            continue;
        }
        const struct run *run = &p->runs[t->run];
        n_familiar += run->first < first || run->last >= end + RUN - 1 ? t->len : 0;
    }
    return n_bytes > 0 ? n_familiar * 100 / n_bytes : 0;
}

/* -- the choice -- */

static bool opens_block(str text, const struct line *l)
{
    return !l->is_blank && l->end > l->start &&
           (text.ptr[l->end - 1] == '{' || text.ptr[l->end - 1] == ':');
}

/* The lines from `start` on that are indented deeper than `indent` (SIZE_MAX: all lines), until
 * there are `wanted` bytes. */
static struct demo_region lines_from(str text, size_t start, size_t indent, size_t wanted)
{
    struct demo_region r = {start, start};
    struct line l;
    for (size_t at = start; r.end - r.start < wanted && read_line(text, at, &l);
         at = next_start(text, &l)) {
        if (!l.is_blank && indent != SIZE_MAX && l.indent <= indent) {
            break;
        }
        r.end = l.is_blank ? r.end : l.end;
    }
    return r;
}

/* Share of a region's lines that are comments, in percent. */
static size_t comment_share(str text, struct demo_region r)
{
    size_t n_lines = 0;
    size_t n_comments = 0;
    struct line l;
    for (size_t at = r.start; at < r.end && read_line(text, at, &l); at = next_start(text, &l)) {
        char c = l.is_blank ? ' ' : text.ptr[l.start + l.indent];
        n_lines += l.is_blank ? 0 : 1;
        n_comments += c == '*' || c == '#' || c == '/' || c == '"' ? 1 : 0;
    }
    return n_lines > 0 ? n_comments * 100 / n_lines : 100;
}

static size_t distance(size_t a, size_t b)
{
    return a > b ? a - b : b - a;
}

/* The more the better. */
static size_t worth(str text, const struct phrases *p, struct demo_region r, size_t wanted)
{
    size_t familiar = familiar_share(p, r, wanted * 2 / 5);
    familiar = familiar < FAMILIAR_ENOUGH ? familiar : FAMILIAR_ENOUGH;
    size_t code = 100 - comment_share(text, r);
    size_t off_middle = distance((r.start + r.end) / 2, text.len / 2) * 100 / text.len;
    return 50 + (50 + 3 * familiar) * code / 100 - off_middle / 2;
}

/* The inside of the block that is worth most, of those with `enough` bytes; of a long one its
 * beginning. False where there is none. */
static bool find_block(str text, const struct phrases *p, size_t enough, size_t wanted,
                       struct demo_region *out)
{
    size_t best = 0;
    struct line l;
    for (size_t at = p->offset; at < p->offset + SCAN_MAX_BYTES && read_line(text, at, &l);
         at = next_start(text, &l)) {
        if (!opens_block(text, &l)) {
            continue;
        }
        struct demo_region r = lines_from(text, next_start(text, &l), l.indent, wanted);
        size_t score = r.end - r.start >= enough ? worth(text, p, r, wanted) : 0;
        if (score > best) {
            best = score;
            *out = r;
        }
    }
    return best > 0;
}

bool demo_region_find(str text, size_t wanted, struct demo_region *out)
{
    struct phrases p;
    phrases_init(&p, text);
    struct demo_region r;
    bool is_found = find_block(text, &p, wanted / 3, wanted, &r);
    if (!is_found && find_block(text, &p, BLOCK_MIN_BYTES, wanted, &r)) {
        is_found = true; /* a short one, and what follows it */
        r = lines_from(text, r.start, SIZE_MAX, wanted);
    }
    phrases_release(&p);
    if (!is_found) {
        size_t middle = text.len < 2 * wanted ? 0 : line_start_before(text, text.len / 2);
        r = lines_from(text, middle, SIZE_MAX, wanted);
    }
    *out = r;
    return r.end - r.start >= REGION_MIN_BYTES;
}
