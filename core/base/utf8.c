/* utf8.c - UTF-8 as RFC 3629 has it.
 *
 * How    One function knows the grammar: look_at() says of the bytes at a place whether they are a
 *        code point, the beginning of one, or wrong, and how many of them belong together. Counting
 *        works on valid text, where every byte that is no continuation byte starts a code point,
 * and where a lead byte of 0xF0 and above means two UTF-16 units; so eight bytes are counted at
 *        once without looking at any of them. */
#include "core/base/utf8.h"

#include <string.h>

#include "core/base/swar.h"

#define REPLACEMENT 0xFFFDu

enum look { LOOK_VALID, LOOK_INCOMPLETE, LOOK_WRONG };

/* How many bytes the code point of this lead byte has; 0 for a byte that can't lead. */
static size_t lead_len(unsigned char c)
{
    if (c < 0x80) {
        return 1;
    }
    if (c < 0xC2 || c > 0xF4) {
        return 0;
    }
    return c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
}

/* Whether `c` may follow the lead byte: this is where overlong forms, surrogates and values past
 * U+10FFFF are refused. */
static bool second_fits(unsigned char lead, unsigned char c)
{
    unsigned char low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    unsigned char high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    return c >= low && c <= high;
}

/* *n is the number of bytes that belong together: the code point, or the longest beginning of one.
 */
static enum look look_at(const unsigned char *p, size_t len, size_t *n, uint32_t *cp)
{
    size_t want = lead_len(p[0]);
    *n = 1;
    *cp = REPLACEMENT;
    if (want == 0) {
        return LOOK_WRONG;
    }
    uint32_t value = want == 1 ? p[0] : p[0] & (0x7Fu >> want);
    for (size_t i = 1; i < want; i++) {
        if (i == len) {
            return LOOK_INCOMPLETE;
        }
        if (i == 1 ? !second_fits(p[0], p[1]) : (p[i] & 0xC0) != 0x80) {
            return LOOK_WRONG;
        }
        value = value << 6 | (p[i] & 0x3Fu);
        *n = i + 1;
    }
    *cp = value;
    return LOOK_VALID;
}

static size_t ascii_run(const char *p, size_t len)
{
    size_t i = 0;
    while (len - i >= 8 && (swar_load(p + i) & SWAR_TOPS) == 0) {
        i += 8;
    }
    while (i < len && (unsigned char)p[i] < 0x80) {
        i++;
    }
    return i;
}

bool utf8_is_valid(str s)
{
    size_t i = 0;
    while (i < s.len) {
        size_t n;
        uint32_t cp;
        i += ascii_run(s.ptr + i, s.len - i);
        if (i == s.len) {
            break;
        }
        if (look_at((const unsigned char *)s.ptr + i, s.len - i, &n, &cp) != LOOK_VALID) {
            return false;
        }
        i += n;
    }
    return true;
}

size_t utf8_decode(str s, uint32_t *cp)
{
    size_t n;
    return look_at((const unsigned char *)s.ptr, s.len, &n, cp) == LOOK_VALID ? n : 0;
}

size_t utf8_encode(uint32_t cp, char out[4])
{
    if (cp < 0x80) {
        out[0] = (char)cp;
        return 1;
    }
    if (cp < 0x800) {
        out[0] = (char)(0xC0 | cp >> 6);
        out[1] = (char)(0x80 | (cp & 0x3F));
        return 2;
    }
    if ((cp >= 0xD800 && cp <= 0xDFFF) || cp > 0x10FFFF) {
        cp = REPLACEMENT;
    }
    if (cp < 0x10000) {
        out[0] = (char)(0xE0 | cp >> 12);
        out[1] = (char)(0x80 | (cp >> 6 & 0x3F));
        out[2] = (char)(0x80 | (cp & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | cp >> 18);
    out[1] = (char)(0x80 | (cp >> 12 & 0x3F));
    out[2] = (char)(0x80 | (cp >> 6 & 0x3F));
    out[3] = (char)(0x80 | (cp & 0x3F));
    return 4;
}

size_t utf8_incomplete_tail(str s)
{
    for (size_t back = 1; back <= 3 && back <= s.len; back++) {
        const unsigned char *p = (const unsigned char *)s.ptr + s.len - back;
        size_t n;
        uint32_t cp;
        if ((*p & 0xC0) != 0x80) {
            return look_at(p, back, &n, &cp) == LOOK_INCOMPLETE ? back : 0;
        }
    }
    return 0;
}

static bool is_continuation(char c)
{
    return ((unsigned char)c & 0xC0) == 0x80;
}

size_t utf8_floor(str s, size_t n)
{
    if (n >= s.len) {
        return s.len;
    }
    while (n > 0 && is_continuation(s.ptr[n])) {
        n--;
    }
    return n;
}

/* What one byte, and what eight bytes, count: code points, or UTF-16 units. */
static inline unsigned byte_count(unsigned char c, bool is_utf16)
{
    return (c & 0xC0) == 0x80 ? 0u : is_utf16 && c >= 0xF0 ? 2u : 1u;
}

static inline unsigned word_count(uint64_t word, bool is_utf16)
{
    uint64_t high = word & SWAR_TOPS;
    if (high == 0) {
        return 8;
    }
    unsigned n = 8 - swar_count(high & ~(word << 1));
    if (is_utf16) {
        n += swar_count(high & word << 1 & word << 2 & word << 3);
    }
    return n;
}

static inline size_t count_all(str s, bool is_utf16)
{
    size_t n = 0, i = 0;
    for (; s.len - i >= 8; i += 8) {
        n += word_count(swar_load(s.ptr + i), is_utf16);
    }
    for (; i < s.len; i++) {
        n += byte_count((unsigned char)s.ptr[i], is_utf16);
    }
    return n;
}

/* The offset at which `left` have been counted. */
static inline size_t offset_of(str s, size_t left, bool is_utf16)
{
    size_t i = 0;
    while (left > 0 && s.len - i >= 8) {
        unsigned n = word_count(swar_load(s.ptr + i), is_utf16);
        if (n > left) {
            break;
        }
        left -= n;
        i += 8;
    }
    for (; i < s.len; i++) {
        unsigned n = byte_count((unsigned char)s.ptr[i], is_utf16);
        if (n > left) {
            break;
        }
        left -= n;
    }
    return i;
}

size_t utf8_utf16_len(str s)
{
    return count_all(s, true);
}

size_t utf8_count(str s)
{
    return count_all(s, false);
}

size_t utf8_offset_of_utf16(str s, size_t units)
{
    return offset_of(s, units, true);
}

size_t utf8_offset_of_count(str s, size_t count)
{
    return offset_of(s, count, false);
}

void utf8_append_repaired(struct buf *out, str s)
{
    size_t start = 0, i = 0;
    while (i < s.len) {
        size_t n;
        uint32_t cp;
        i += ascii_run(s.ptr + i, s.len - i);
        if (i == s.len) {
            break;
        }
        if (look_at((const unsigned char *)s.ptr + i, s.len - i, &n, &cp) != LOOK_VALID) {
            buf_append(out, str_sub(s, start, i));
            buf_append(out, STR("\xEF\xBF\xBD"));
            start = i + n;
        }
        i += n;
    }
    buf_append(out, str_sub(s, start, s.len));
}
