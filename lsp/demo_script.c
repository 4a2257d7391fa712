/* demo_script.c - what the person of the demo types, how fast, and what they accept. Pure.
 *
 * Why      A demonstration persuades when nothing about it is arranged: a real file, real gaps
 *          between keys, and suggestions that are taken only where they say what was meant.
 * How      Gaps inside of words are the quantiles measured on recorded typing (a post in the
 *          editing traces of J. Gentle, CC BY 4.0). Elsewhere they are stretched, since code is
 *          thought about more, so that over code all together have 67/94/149/270/769 ms at 10, 25,
 *          50, 75 and 90 percent. A generator with a seed draws them (xorshift64*, Vigna 2016).
 * Rules    One key accepts what an editor's key accepts: all, a line, or a word. */
#include "lsp/demo_script.h"

#include "core/base/utf8.h"

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

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           (unsigned char)c >= 0x80;
}

uint64_t demo_gap_us(struct demo_person *p, str before, str rest)
{
    /* Milliseconds at each tenth of the distribution. */
    static const unsigned in_word[] = {31, 56, 71, 87, 101, 113, 134, 156, 182, 247, 420};
    static const unsigned between[] = {67, 105, 135, 160, 195, 245, 320, 460, 760, 1150, 1700};
    bool is_in_word =
        before.len > 0 && is_word(before.ptr[before.len - 1]) && rest.len > 0 && is_word(*rest.ptr);
    const unsigned *tenths = is_in_word ? in_word : between;
    uint64_t at = draw(p, 1000);
    uint64_t low = tenths[at / 100];
    uint64_t high = tenths[at / 100 + 1];
    return low * 1000 + (high - low) * (at % 100) * 10;
}

uint64_t demo_decide_us(struct demo_person *p)
{
    return 240000 + draw(p, 200000);
}

bool demo_notices(struct demo_person *p)
{
    return draw(p, 10) < 9;
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

size_t demo_keys(str text, bool is_line_start)
{
    size_t n = 0;
    while (text.len > 0) {
        text = str_sub(text, demo_key(text, is_line_start), text.len);
        is_line_start = false;
        n++;
    }
    return n;
}

/* -- accepting -- */

/* Whether a word ends between the bytes at at - 1 and at. */
static bool is_word_end(str s, size_t at)
{
    return at >= s.len || at == 0 || !(is_word(s.ptr[at - 1]) && is_word(s.ptr[at]));
}

static size_t count_visible(str s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++) {
        n += (unsigned char)s.ptr[i] > ' ' && ((unsigned char)s.ptr[i] & 0xc0) != 0x80 ? 1 : 0;
    }
    return n;
}

/* Bytes of both that are the same text, line ends of any form being equal. */
struct agreement {
    size_t ghost, rest;
    size_t line; /* of rest, up to the first line end; 0 where there is none */
};

static struct agreement agree(str ghost, str rest)
{
    struct agreement a = {0};
    while (a.ghost < ghost.len && a.rest < rest.len) {
        bool is_crlf = str_starts_with(str_sub(rest, a.rest, rest.len), STR("\r\n"));
        if (ghost.ptr[a.ghost] == '\n' && (is_crlf || rest.ptr[a.rest] == '\n')) {
            a.line = a.line == 0 ? a.rest : a.line;
            a.rest += is_crlf ? 2 : 1;
        } else if (ghost.ptr[a.ghost] == rest.ptr[a.rest]) {
            a.rest++;
        } else {
            return a;
        }
        a.ghost++;
    }
    return a;
}

/* Bytes up to the end of the first word of `s`, with what stands before it on the line. */
static size_t first_word(str s)
{
    size_t end = 0;
    while (end < s.len && !is_word(s.ptr[end]) && s.ptr[end] != '\n' && s.ptr[end] != '\r') {
        end++;
    }
    while (end < s.len && is_word(s.ptr[end])) {
        end++;
    }
    return end;
}

static struct demo_choice chosen(enum demo_part part, str text)
{
    size_t n_visible = count_visible(text);
    if (n_visible < DEMO_ACCEPT_MIN) {
        return (struct demo_choice){DEMO_NOTHING, 0, 0};
    }
    return (struct demo_choice){part, text.len, n_visible};
}

struct demo_choice demo_choose(str ghost, str rest)
{
    struct agreement a = agree(ghost, rest);
    if (a.ghost == ghost.len && is_word_end(rest, a.rest)) {
        return chosen(DEMO_WHOLE, str_sub(rest, 0, a.rest));
    }
    if (a.line > 0) {
        struct demo_choice line = chosen(DEMO_LINE, str_sub(rest, 0, a.line));
        if (line.part != DEMO_NOTHING) {
            return line;
        }
    }
    size_t word = first_word(ghost);
    bool is_right = word <= a.rest && word <= a.ghost && is_word_end(rest, word);
    return chosen(DEMO_WORD, str_sub(rest, 0, is_right ? word : 0));
}
