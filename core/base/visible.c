/* visible.c - which characters of a stranger's text may reach a person's screen or document.
 *
 * Why      A server's error message ends up in a terminal and a model's answer in a source file.
 *          Both can hold characters that nobody sees and that change what the rest means.
 * How      Code points in ranges are dropped; a small automaton drops escape sequences whole
 *          (ECMA-48: CSI, the string sequences, two-character ones), but never more than a bounded
 *          piece of one line, so that a stray ESC can't swallow a text.
 * Rules    U+FE0E and U+FE0F pass after a character that has an emoji form, and nowhere else. */
#include "core/base/visible.h"

#include "core/base/utf8.h"

enum escape { OUTSIDE, AFTER_ESC, IN_CSI, IN_STRING, IN_STRING_ESC };

#define ESCAPE_MAX 256u /* code points of one sequence; what is longer is text again */

struct range {
    uint32_t first, last;
};

/* Sorted. Line ends and tabs aren't among them. */
static const struct range FORBIDDEN[] = {
    {0x0000, 0x0008},   {0x000B, 0x000C},   {0x000E, 0x001F}, /* C0 */
    {0x007F, 0x009F},                                         /* DEL, C1 */
    {0x00AD, 0x00AD},   {0x034F, 0x034F},                     /* soft hyphen, joiner */
    {0x061C, 0x061C},                                         /* Arabic letter mark */
    {0x115F, 0x1160},   {0x17B4, 0x17B5},   {0x180B, 0x180F}, /* fillers, Mongolian selectors */
    {0x200B, 0x200F},   {0x2028, 0x202E},   {0x2060, 0x206F}, /* zero width, bidi */
    {0x3164, 0x3164},   {0xD800, 0xDFFF},   {0xFDD0, 0xFDEF}, /* filler, surrogates */
    {0xFE00, 0xFE0D},   {0xFEFF, 0xFEFF},   {0xFFA0, 0xFFA0}, /* selectors, BOM */
    {0xFFF0, 0xFFFB},   {0xFFFE, 0xFFFF},                     /* annotations */
    {0x1BCA0, 0x1BCA3}, {0x1D173, 0x1D17A},                   /* shorthand, musical controls */
    {0xE0000, 0xE0FFF},                                       /* tags, selectors supplement */
};

/* Characters that U+FE0E and U+FE0F choose a form of. Digits are left out: a keycap shows without.
 */
static const struct range EMOJI[] = {
    {0x00A9, 0x00A9}, {0x00AE, 0x00AE}, {0x203C, 0x203C}, {0x2049, 0x2049},
    {0x2122, 0x2122}, {0x2139, 0x2139}, {0x2190, 0x21FF}, {0x2300, 0x23FF},
    {0x24C2, 0x24C2}, {0x25A0, 0x27BF}, {0x2900, 0x297F}, {0x2B00, 0x2BFF},
    {0x3030, 0x3030}, {0x303D, 0x303D}, {0x3297, 0x3299}, {0x1F000, 0x1FAFF},
};

static bool is_in(uint32_t cp, const struct range *ranges, size_t n)
{
    size_t low = 0;
    while (n > 0) {
        size_t half = n / 2;
        if (cp > ranges[low + half].last) {
            low += half + 1;
            n -= half + 1;
        } else if (cp < ranges[low + half].first) {
            n = half;
        } else {
            return true;
        }
    }
    return false;
}

bool visible_is_forbidden(uint32_t cp)
{
    if (cp >= 0x20 && cp < 0x7F) {
        return false;
    }
    return cp > 0x10FFFF || (cp & 0xFFFE) == 0xFFFE ||
           is_in(cp, FORBIDDEN, sizeof FORBIDDEN / sizeof *FORBIDDEN);
}

/* Takes one code point inside an escape sequence; false where it isn't part of it after all. */
static bool escape_takes(struct visible *v, uint32_t cp)
{
    bool is_line_end = cp == '\n' || cp == '\r';
    if (is_line_end || ++v->n_escaped > ESCAPE_MAX) {
        v->escape = OUTSIDE;
        return false;
    }
    switch ((enum escape)v->escape) {
    case OUTSIDE:
        return false;
    case AFTER_ESC:
        if (cp == '[') {
            v->escape = IN_CSI;
        } else if (cp == ']' || cp == 'P' || cp == 'X' || cp == '^' || cp == '_') {
            v->escape = IN_STRING;
        } else if (cp < 0x20 || cp > 0x2F) { /* intermediate bytes go on */
            v->escape = OUTSIDE;
            return cp >= 0x30 && cp <= 0x7E;
        }
        return true;
    case IN_CSI:
        if (cp < 0x20 || cp > 0x3F) {
            v->escape = OUTSIDE;
            return cp >= 0x40 && cp <= 0x7E;
        }
        return true;
    case IN_STRING:
        v->escape = cp == 0x07 || cp == 0x9C ? OUTSIDE : cp == 0x1B ? IN_STRING_ESC : IN_STRING;
        return true;
    case IN_STRING_ESC:
        v->escape = cp == '\\' ? OUTSIDE : IN_STRING;
        return true;
    }
    return false;
}

/* The state that `cp` begins, OUTSIDE where it begins no escape sequence. */
static enum escape escape_of(uint32_t cp)
{
    switch (cp) {
    case 0x1B:
        return AFTER_ESC;
    case 0x9B:
        return IN_CSI;
    case 0x90:
    case 0x98:
    case 0x9D:
    case 0x9E:
    case 0x9F:
        return IN_STRING;
    default: /* any other code point */
        return OUTSIDE;
    }
}

uint32_t visible_next(struct visible *v, uint32_t cp)
{
    bool was_cr = v->was_cr;
    v->was_cr = cp == '\r';
    if (v->escape != OUTSIDE && escape_takes(v, cp)) {
        return 0;
    }
    if (cp == '\n' && was_cr) {
        return 0;
    }
    if (cp == '\r') {
        cp = '\n';
    }
    v->escape = (unsigned char)escape_of(cp);
    v->n_escaped = 0;
    bool is_selector = cp == 0xFE0E || cp == 0xFE0F;
    if (visible_is_forbidden(cp) ||
        (is_selector && !is_in(v->previous, EMOJI, sizeof EMOJI / sizeof *EMOJI))) {
        return 0;
    }
    v->previous = cp;
    return cp;
}

size_t visible_decode(str s, uint32_t *cp)
{
    size_t n = utf8_decode(s, cp);
    if (n > 0) {
        return n;
    }
    *cp = 0xFFFD;
    if (s.len < 4 && utf8_incomplete_tail(s) == s.len) {
        return 0;
    }
    n = 1;
    while (n < 3 && n + 1 <= s.len && utf8_incomplete_tail(str_sub(s, 0, n + 1)) == n + 1) {
        n++;
    }
    return n;
}

void visible_append(struct buf *out, str text)
{
    struct visible v = {0};
    for (size_t i = 0; i < text.len;) {
        uint32_t cp;
        size_t n = visible_decode(str_sub(text, i, text.len), &cp);
        i += n > 0 ? n : text.len - i;
        uint32_t kept = visible_next(&v, cp);
        if (kept != 0) {
            char bytes[4];
            buf_append(out, str_of(bytes, utf8_encode(kept, bytes)));
        }
    }
}
