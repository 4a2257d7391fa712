/* json_scan.c - is this text JSON, and how many values does it hold?
 *
 * Why    jsmn takes much that is no JSON, and its time can grow with the square of the nesting. So
 *        nothing reaches it that hasn't been found correct, and shallow, here.
 * How    One pass, one state, and one bit per open bracket that says whether it is an object.
 *        Inside strings, bytes that need no look are passed eight at a time.
 * Rules  RFC 8259 to the letter: no byte order mark, no control characters in strings, valid UTF-8
 *        everywhere. Unpaired surrogates as \u escapes are grammar, and so accepted. Work is linear
 *        in the text, memory constant, nothing recurses. */
#include "core/base/json_scan.h"

#include <assert.h>
#include <string.h>

#include "core/base/json.h"
#include "core/base/swar.h"
#include "core/base/utf8.h"

static_assert(JSON_MAX_DEPTH % 64 == 0, "whole words of bits");

enum want {
    WANT_VALUE,
    WANT_FIRST_ITEM, /* after '[': a value or ']' */
    WANT_FIRST_KEY,  /* after '{': a key or '}' */
    WANT_KEY,        /* after a comma in an object */
    WANT_NEXT        /* after a value: a comma, a closing bracket or the end */
};

struct scan {
    const char *at, *end;
    uint64_t is_object[JSON_MAX_DEPTH / 64]; /* one bit per open bracket */
    unsigned depth;
    size_t n_values;
    const char *what;
    bool is_too_large;
};

static bool fail(struct scan *s, const char *what)
{
    s->what = what;
    return false;
}

static bool fail_too_large(struct scan *s, const char *what)
{
    s->is_too_large = true;
    return fail(s, what);
}

static inline void skip_blanks(struct scan *s)
{
    while (s->at < s->end &&
           (*s->at == ' ' || *s->at == '\n' || *s->at == '\r' || *s->at == '\t')) {
        s->at++;
    }
}

static inline bool is_digit_at(const struct scan *s)
{
    return s->at < s->end && *s->at >= '0' && *s->at <= '9';
}

static inline void skip_digits(struct scan *s)
{
    while (is_digit_at(s)) {
        s->at++;
    }
}

static bool scan_number(struct scan *s)
{
    if (*s->at == '-') {
        s->at++;
    }
    if (!is_digit_at(s)) {
        return fail(s, "expected a digit");
    }
    if (*s->at == '0') {
        s->at++; /* a digit after it is found wrong by the state that follows */
    } else {
        skip_digits(s);
    }
    if (s->at < s->end && *s->at == '.') {
        s->at++;
        if (!is_digit_at(s)) {
            return fail(s, "expected a digit after the point");
        }
        skip_digits(s);
    }
    if (s->at < s->end && (*s->at == 'e' || *s->at == 'E')) {
        s->at++;
        if (s->at < s->end && (*s->at == '+' || *s->at == '-')) {
            s->at++;
        }
        if (!is_digit_at(s)) {
            return fail(s, "expected a digit in the exponent");
        }
        skip_digits(s);
    }
    return true;
}

static bool scan_word(struct scan *s, str word)
{
    if (!str_starts_with(str_of(s->at, (size_t)(s->end - s->at)), word)) {
        return fail(s, "expected a value");
    }
    s->at += word.len;
    return true;
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* At a backslash. */
static bool scan_escape(struct scan *s)
{
    s->at++;
    if (s->at == s->end) {
        return fail(s, "the string has no end");
    }
    char c = *s->at;
    if (c != 'u') {
        if (c == '\0' || !strchr("\"\\/bfnrt", c)) {
            return fail(s, "unknown escape");
        }
        s->at++;
        return true;
    }
    s->at++;
    for (int i = 0; i < 4; i++, s->at++) {
        if (s->at == s->end || !is_hex(*s->at)) {
            return fail(s, "expected four hexadecimal digits");
        }
    }
    return true;
}

/* To the next quote, backslash, control character or byte that isn't ASCII. */
static inline void skip_plain(struct scan *s)
{
    while (s->end - s->at >= 8) {
        uint64_t special = swar_json_special(swar_load(s->at));
        if (special) {
            s->at += swar_first(special);
            return;
        }
        s->at += 8;
    }
    while (s->at < s->end) {
        unsigned char c = (unsigned char)*s->at;
        if (c == '"' || c == '\\' || c < 0x20 || c >= 0x80) {
            return;
        }
        s->at++;
    }
}

/* At the opening quote. */
static bool scan_string(struct scan *s)
{
    s->at++;
    for (;;) {
        skip_plain(s);
        if (s->at == s->end) {
            return fail(s, "the string has no end");
        }
        if (*s->at == '"') {
            s->at++;
            return true;
        }
        if (*s->at == '\\') {
            if (!scan_escape(s)) {
                return false;
            }
            continue;
        }
        uint32_t cp;
        size_t n = utf8_decode(str_of(s->at, (size_t)(s->end - s->at)), &cp);
        if (n == 0) {
            return fail(s, "invalid UTF-8");
        }
        if (cp < 0x20) {
            return fail(s, "control character in a string");
        }
        s->at += n;
    }
}

static bool open_bracket(struct scan *s, bool is_object)
{
    if (s->depth == JSON_MAX_DEPTH) {
        return fail_too_large(s, "nested too deeply");
    }
    uint64_t bit = (uint64_t)1 << (s->depth % 64);
    uint64_t *word = &s->is_object[s->depth / 64];
    *word = is_object ? *word | bit : *word & ~bit;
    s->depth++;
    s->at++;
    return true;
}

static void close_bracket(struct scan *s)
{
    s->depth--;
    s->at++;
}

static bool is_in_object(const struct scan *s)
{
    unsigned top = s->depth - 1;
    return s->is_object[top / 64] >> (top % 64) & 1;
}

static bool count_value(struct scan *s)
{
    s->n_values++;
    return s->n_values <= JSON_MAX_VALUES || fail_too_large(s, "too many values");
}

static bool scan_value(struct scan *s, enum want *want)
{
    *want = WANT_NEXT;
    if (!count_value(s)) {
        return false;
    }
    switch (*s->at) {
    case '"':
        return scan_string(s);
    case '{':
        *want = WANT_FIRST_KEY;
        return open_bracket(s, true);
    case '[':
        *want = WANT_FIRST_ITEM;
        return open_bracket(s, false);
    case 't':
        return scan_word(s, STR("true"));
    case 'f':
        return scan_word(s, STR("false"));
    case 'n':
        return scan_word(s, STR("null"));
    default:
        if (*s->at == '-' || is_digit_at(s)) {
            return scan_number(s);
        }
        return fail(s, "expected a value");
    }
}

/* A key and its colon. */
static bool scan_key(struct scan *s, enum want *want)
{
    if (*s->at != '"') {
        return fail(s, "expected a key");
    }
    if (!count_value(s) || !scan_string(s)) {
        return false;
    }
    skip_blanks(s);
    if (s->at == s->end || *s->at != ':') {
        return fail(s, "expected a colon");
    }
    s->at++;
    *want = WANT_VALUE;
    return true;
}

static bool scan_after_value(struct scan *s, enum want *want)
{
    if (s->depth == 0) {
        return fail(s, "expected the end");
    }
    bool is_object = is_in_object(s);
    if (*s->at == ',') {
        s->at++;
        *want = is_object ? WANT_KEY : WANT_VALUE;
        return true;
    }
    if (*s->at != (is_object ? '}' : ']')) {
        return fail(s, is_object ? "expected a comma or }" : "expected a comma or ]");
    }
    close_bracket(s);
    return true;
}

/* One step from state to state; there is a byte to look at. */
static bool scan_step(struct scan *s, enum want *want)
{
    switch (*want) {
    case WANT_FIRST_ITEM:
        if (*s->at != ']') {
            return scan_value(s, want);
        }
        close_bracket(s);
        *want = WANT_NEXT;
        return true;
    case WANT_VALUE:
        return scan_value(s, want);
    case WANT_FIRST_KEY:
        if (*s->at != '}') {
            return scan_key(s, want);
        }
        close_bracket(s);
        *want = WANT_NEXT;
        return true;
    case WANT_KEY:
        return scan_key(s, want);
    case WANT_NEXT:
        return scan_after_value(s, want);
    }
    return false;
}

struct json_scan json_scan(str text)
{
    struct scan s = {.at = text.ptr, .end = text.ptr ? text.ptr + text.len : NULL};
    enum want want = WANT_VALUE;
    for (;;) {
        skip_blanks(&s);
        if (s.at == s.end || !scan_step(&s, &want)) {
            break;
        }
    }
    if (!s.what && (want != WANT_NEXT || s.depth > 0)) {
        s.what = "it ends too early";
    }
    size_t at = text.ptr ? (size_t)(s.at - text.ptr) : 0;
    return (struct json_scan){s.n_values, at, s.what, s.is_too_large};
}
