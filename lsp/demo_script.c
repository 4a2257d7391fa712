/* demo_script.c - what the person of the demo types, how fast, and what they accept. Pure.
 *
 * Why      A demonstration persuades when nothing about it is arranged: a real file, real gaps
 *          between keys, and suggestions that are taken only where they say what was meant.
 * How      Gaps are drawn from quantiles measured on recorded typing, by a generator with a seed
 *          (xorshift64*, Vigna 2016). The region is found by indentation alone, so that every
 *          language with blocks works.
 * Rules    The region begins and ends at line ends, never inside a character. */
#include "lsp/demo_script.h"

#include "core/base/utf8.h"

#define WANTED_BYTES     450u /* more than ten seconds can type */
#define BLOCK_MIN_BYTES  120u
#define BLOCK_MAX_BYTES  4000u
#define REGION_MIN_BYTES 24u

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

static bool opens_block(str text, const struct line *l)
{
    return !l->is_blank && l->end > l->start &&
           (text.ptr[l->end - 1] == '{' || text.ptr[l->end - 1] == ':');
}

/* The lines after `head` that are indented deeper than it, up to the last that isn't blank. */
static struct demo_region block_after(str text, const struct line *head)
{
    struct demo_region body = {next_start(text, head), next_start(text, head)};
    struct line l;
    for (size_t at = body.start; read_line(text, at, &l); at = next_start(text, &l)) {
        if (l.is_blank) {
            continue;
        }
        if (l.indent <= head->indent) {
            break;
        }
        body.end = l.end;
    }
    return body;
}

/* Share of the block's lines that are comments, in percent. */
static size_t comment_share(str text, struct demo_region r)
{
    size_t n_lines = 0;
    size_t n_comments = 0;
    struct line l;
    for (size_t at = r.start; at < r.end && read_line(text, at, &l); at = next_start(text, &l)) {
        char c = l.is_blank ? ' ' : text.ptr[l.start + l.indent];
        n_lines += l.is_blank ? 0 : 1;
        n_comments += c == '*' || c == '#' || c == '/' ? 1 : 0;
    }
    return n_lines > 0 ? n_comments * 100 / n_lines : 100;
}

static size_t distance(size_t a, size_t b)
{
    return a > b ? a - b : b - a;
}

/* The best block: near the middle, outermost, long enough, code. */
static bool find_block(str text, struct demo_region *out)
{
    size_t best = SIZE_MAX;
    struct line l;
    for (size_t at = 0; read_line(text, at, &l); at = next_start(text, &l)) {
        /* Deeper heads are parts of blocks that were looked at before. */
        if (!opens_block(text, &l) || l.indent > 8) {
            continue;
        }
        struct demo_region r = block_after(text, &l);
        size_t len = r.end - r.start;
        if (len < BLOCK_MIN_BYTES || len > BLOCK_MAX_BYTES) {
            continue;
        }
        size_t score = distance((r.start + r.end) / 2, text.len / 2) + l.indent * 200 +
                       comment_share(text, r) * text.len / 100 +
                       (len < WANTED_BYTES / 2 ? text.len / 8 : 0);
        if (score < best) {
            best = score;
            *out = r;
        }
    }
    return best != SIZE_MAX;
}

/* Without any block: from the line in the middle on. */
static struct demo_region middle_line(str text)
{
    size_t start = text.len / 2;
    while (start > 0 && text.ptr[start - 1] != '\n') {
        start--;
    }
    start = text.len - start < WANTED_BYTES && text.len < 2 * WANTED_BYTES ? 0 : start;
    return (struct demo_region){start, start};
}

bool demo_region_find(str text, struct demo_region *out)
{
    struct demo_region r;
    if (!find_block(text, &r)) {
        r = middle_line(text);
    }
    struct line l;
    size_t at = r.end;
    while (r.end - r.start < WANTED_BYTES && read_line(text, at, &l)) {
        r.end = l.is_blank ? r.end : l.end;
        at = next_start(text, &l);
    }
    *out = r;
    return r.end - r.start >= REGION_MIN_BYTES;
}

/* -- the person -- */

struct demo_person demo_person(uint64_t seed)
{
    return (struct demo_person){.rng = seed != 0 ? seed : 1};
}

/* Uniform in 0..n-1. */
static uint64_t draw(struct demo_person *p, uint64_t n)
{
    p->rng ^= p->rng >> 12;
    p->rng ^= p->rng << 25;
    p->rng ^= p->rng >> 27;
    return ((p->rng * 0x2545f4914f6cdd1dull) >> 33) % n;
}

uint64_t demo_gap_us(struct demo_person *p, bool is_line_start)
{
    /* Milliseconds at each tenth of the distribution. */
    static const unsigned tenths[] = {48, 66, 80, 90, 100, 110, 124, 146, 180, 250, 420};
    uint64_t at = draw(p, 1000);
    uint64_t low = tenths[at / 100];
    uint64_t high = tenths[at / 100 + 1];
    uint64_t us = low * 1000 + (high - low) * (at % 100) * 10;
    return is_line_start ? us + 120000 : us;
}

uint64_t demo_decide_us(struct demo_person *p)
{
    return 240000 + draw(p, 200000);
}

bool demo_notices(struct demo_person *p)
{
    return draw(p, 10) < 8;
}

static size_t blanks_at(str s, size_t from)
{
    size_t end = from;
    while (end < s.len && (s.ptr[end] == ' ' || s.ptr[end] == '\t')) {
        end++;
    }
    return end - from;
}

size_t demo_key(str rest, bool is_line_start)
{
    if (rest.len == 0) {
        return 0;
    }
    size_t line_end = rest.ptr[0] == '\n' ? 1 : 0;
    line_end = str_starts_with(rest, STR("\r\n")) ? 2 : line_end;
    if (line_end > 0) {
        return line_end + blanks_at(rest, line_end);
    }
    size_t blanks = is_line_start ? blanks_at(rest, 0) : 0;
    if (blanks > 0) {
        return blanks;
    }
    uint32_t cp;
    size_t len = utf8_decode(rest, &cp);
    return len > 0 ? len : 1;
}

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           (unsigned char)c >= 0x80;
}

/* Whether a word ends between the bytes at at - 1 and at. */
static bool is_word_end(str s, size_t at)
{
    return at >= s.len || !(is_word(s.ptr[at - 1]) && is_word(s.ptr[at]));
}

static size_t count_visible(str s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++) {
        n += (unsigned char)s.ptr[i] > ' ' ? 1 : 0;
    }
    return n;
}

size_t demo_acceptable(str ghost, str rest)
{
    size_t g = 0;
    size_t r = 0;
    size_t lines = 0; /* right up to the end of a line */
    size_t words = 0; /* right up to the end of a word */
    while (g < ghost.len && r < rest.len) {
        bool is_crlf = rest.ptr[r] == '\r' && r + 1 < rest.len && rest.ptr[r + 1] == '\n';
        bool is_line_end = rest.ptr[r] == '\n' || is_crlf;
        if (ghost.ptr[g] == '\n' && is_line_end) {
            lines = r;
            g++;
            r += is_crlf ? 2 : 1;
            continue;
        }
        if (ghost.ptr[g] != rest.ptr[r]) {
            break;
        }
        g++;
        r++;
        if (is_word_end(ghost, g) && is_word_end(rest, r)) {
            words = r;
        }
    }
    bool is_whole = g == ghost.len && is_word_end(rest, r > 0 ? r : 1);
    size_t n = is_whole ? r : lines > 0 ? lines : words;
    return count_visible(str_sub(rest, 0, n)) >= DEMO_ACCEPT_MIN ? n : 0;
}
