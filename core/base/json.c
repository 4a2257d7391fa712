/* json.c - reading JSON that a stranger wrote.
 *
 * Why    Everything that comes from outside is JSON: what it costs must depend on its length alone.
 * How    json_scan checks the text and counts its values, so that the token array is allocated
 *        exactly and jsmn can't fail. jsmn then writes tokens in the order of the text, a container
 *        before its content and a key before its value. One pass from the last token to the first
 *        replaces the parent link, which only jsmn needs, by the index after the token's subtree:
 *        stepping over a sibling, however large, is one addition.
 * Rules  Tokens point into the text. Strings are unescaped when somebody asks for them, not before.
 *        jsmn is used here and nowhere else. */
#include "core/base/json.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/json_scan.h"
#include "core/base/limits.h"
#include "core/base/utf8.h"

#define JSMN_STATIC
#define JSMN_PARENT_LINKS
#include <jsmn.h>

#define MAX_TEXT_BYTES (1024u * MIB) /* jsmn counts in int */

struct json_text {
    const char *ptr; /* borrowed */
    size_t len;
    jsmntok_t *tokens; /* in the arena; `parent` is the index after the subtree */
    struct arena *arena;
};

/* --- parsing --- */

enum err json_validate(str text, size_t *n_values, struct error *why)
{
    struct json_scan scan = json_scan(text);
    if (n_values) {
        *n_values = scan.n_values;
    }
    if (!scan.what) {
        return ERR_OK;
    }
    if (scan.is_too_large) {
        return error_set(why, ERR_TOO_LARGE, "JSON: %s (byte %zu)", scan.what, scan.at);
    }
    return error_set(why, ERR_PROTOCOL, "not JSON: %s (byte %zu)", scan.what, scan.at);
}

/* All that follow a token in the text have their `parent` replaced already. */
static void link_subtrees(jsmntok_t *tokens, uint32_t n)
{
    for (uint32_t i = n; i-- > 0;) {
        uint32_t after = i + 1;
        for (int k = 0; k < tokens[i].size; k++) {
            after = (uint32_t)tokens[after].parent;
        }
        tokens[i].parent = (int)after;
    }
}

enum err json_parse(str text, struct arena *arena, struct json *out, struct error *why)
{
    size_t n_values;
    *out = (struct json){0};
    if (text.len > MAX_TEXT_BYTES) {
        return error_set(why, ERR_TOO_LARGE, "JSON: longer than 1 GiB");
    }
    enum err err = json_validate(text, &n_values, why);
    if (err) {
        return err;
    }
    struct json_text *parsed = arena_alloc(arena, sizeof *parsed);
    jsmntok_t *tokens = arena_alloc(arena, n_values * sizeof *tokens);
    *parsed = (struct json_text){text.ptr, text.len, tokens, arena};
    jsmn_parser parser;
    jsmn_init(&parser);
    int n = jsmn_parse(&parser, text.ptr, text.len, tokens, (unsigned)n_values);
    if (n < 0 || (size_t)n != n_values) {
        return error_set(why, ERR_PROTOCOL, "not JSON: its values can't be told apart");
    }
    link_subtrees(tokens, (uint32_t)n_values);
    *out = (struct json){parsed, 0};
    return ERR_OK;
}

static size_t skip_string(str s, size_t i)
{
    for (i++; i < s.len && s.ptr[i] != '"'; i++) {
        if (s.ptr[i] == '\\') {
            i++;
        }
    }
    return i < s.len ? i + 1 : s.len;
}

/* The end of the comment at `i`; `i` itself where there is none, or none that ends. */
static size_t comment_end(str s, size_t i)
{
    if (s.ptr[i] != '/' || i + 1 >= s.len) {
        return i;
    }
    if (s.ptr[i + 1] == '/') {
        while (i < s.len && s.ptr[i] != '\n' && s.ptr[i] != '\r') {
            i++;
        }
        return i;
    }
    if (s.ptr[i + 1] != '*') {
        return i;
    }
    size_t end = str_find(s, STR("*/"), i + 2);
    return end == SIZE_MAX ? i : end + 2;
}

/* Line ends stay, so that offsets and lines of messages hold for the original. */
static void blank(char *p, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        if (p[i] != '\n' && p[i] != '\r') {
            p[i] = ' ';
        }
    }
}

/* Turns JSON with comments into JSON of the same length. */
static void strip_comments(char *p, size_t len)
{
    str s = str_of(p, len);
    size_t comma = SIZE_MAX; /* the last thing seen, if it was a comma after a value */
    char last = '\0';        /* the last thing seen */
    for (size_t i = 0; i < len;) {
        size_t end = comment_end(s, i);
        if (end > i) {
            blank(p, i, end);
            i = end;
            continue;
        }
        if (p[i] == ' ' || p[i] == '\t' || p[i] == '\n' || p[i] == '\r') {
            i++;
            continue;
        }
        if ((p[i] == ']' || p[i] == '}') && comma != SIZE_MAX) {
            p[comma] = ' ';
        }
        bool follows_value = last != '\0' && !strchr("[{,:", last);
        comma = p[i] == ',' && follows_value ? i : SIZE_MAX;
        last = p[i];
        i = p[i] == '"' ? skip_string(s, i) : i + 1;
    }
}

enum err json_parse_jsonc(str text, struct arena *arena, struct json *out, struct error *why)
{
    *out = (struct json){0};
    if (text.len > MAX_TEXT_BYTES) {
        return error_set(why, ERR_TOO_LARGE, "JSON: longer than 1 GiB");
    }
    str copy = arena_dup(arena, text);
    char *p = (char *)(uintptr_t)copy.ptr; /* ours: just made */
    if (str_starts_with(copy, STR("\xEF\xBB\xBF"))) {
        blank(p, 0, 3); /* a byte order mark, as some editors write it */
    }
    strip_comments(p, copy.len);
    return json_parse(copy, arena, out, why);
}

/* --- looking --- */

static const jsmntok_t *token_of(struct json v)
{
    return &v.text->tokens[v.idx];
}

enum json_type json_type(struct json v)
{
    if (!v.text) {
        return JSON_NONE;
    }
    const jsmntok_t *token = token_of(v);
    switch (token->type) {
    case JSMN_OBJECT:
        return JSON_OBJECT;
    case JSMN_ARRAY:
        return JSON_ARRAY;
    case JSMN_STRING:
        return JSON_STRING;
    case JSMN_PRIMITIVE:
    case JSMN_UNDEFINED:
        break;
    }
    char c = v.text->ptr[token->start];
    return c == 'n' ? JSON_NULL : c == 't' || c == 'f' ? JSON_BOOL : JSON_NUMBER;
}

bool json_is(struct json v, enum json_type type)
{
    return json_type(v) == type;
}

/* The token's text, strings without their quotes. */
static str slice_of(struct json v)
{
    const jsmntok_t *token = token_of(v);
    return str_of(v.text->ptr + token->start, (size_t)(token->end - token->start));
}

str json_raw(struct json v)
{
    if (!v.text) {
        return STR("");
    }
    str s = slice_of(v);
    return token_of(v)->type == JSMN_STRING ? str_of(s.ptr - 1, s.len + 2) : s;
}

struct json_iter json_iter(struct json v)
{
    enum json_type type = json_type(v);
    if (type != JSON_ARRAY && type != JSON_OBJECT) {
        return (struct json_iter){0};
    }
    return (struct json_iter){v.text, v.idx + 1, (uint32_t)token_of(v)->parent,
                              type == JSON_OBJECT};
}

bool json_next(struct json_iter *it, str *key, struct json *value)
{
    if (it->next >= it->end) {
        return false;
    }
    struct json v = {it->text, it->next};
    it->next = (uint32_t)token_of(v)->parent; /* a key's subtree holds its value */
    if (key) {
        *key = it->is_object ? slice_of(v) : STR("");
    }
    v.idx += it->is_object;
    *value = v;
    return true;
}

size_t json_count(struct json v)
{
    enum json_type type = json_type(v);
    return type == JSON_ARRAY || type == JSON_OBJECT ? (size_t)token_of(v)->size : 0;
}

struct json json_at(struct json array, size_t idx)
{
    struct json_iter it = json_iter(array);
    struct json value;
    if (it.is_object || idx >= json_count(array)) {
        return (struct json){0};
    }
    while (json_next(&it, NULL, &value)) {
        if (idx-- == 0) {
            return value;
        }
    }
    return (struct json){0};
}

/* --- strings --- */

static uint32_t hex4(const char *p)
{
    uint32_t n = 0;
    for (int i = 0; i < 4; i++) {
        unsigned c = (unsigned char)p[i];
        n = n << 4 | (c <= '9' ? c - '0' : (c | 0x20u) - 'a' + 10);
    }
    return n;
}

/* The character that the escape at `i` stands for; *i moves behind the escape. */
static size_t unescape_one(str raw, size_t *i, char out[4])
{
    static const char pairs[] = "b\bf\fn\nr\rt\t";
    char c = raw.ptr[*i + 1];
    if (c != 'u') {
        const char *pair = memchr(pairs, c, sizeof pairs - 1);
        out[0] = pair ? pair[1] : c;
        *i += 2;
        return 1;
    }
    uint32_t cp = hex4(raw.ptr + *i + 2);
    *i += 6;
    bool is_high = cp >= 0xD800 && cp <= 0xDBFF;
    if (is_high && str_starts_with(str_sub(raw, *i, raw.len), STR("\\u"))) {
        uint32_t low = hex4(raw.ptr + *i + 2);
        if (low >= 0xDC00 && low <= 0xDFFF) {
            cp = 0x10000 + ((cp - 0xD800) << 10) + (low - 0xDC00);
            *i += 6;
        }
    }
    return utf8_encode(cp, out);
}

static str unescape(str raw, size_t first, struct arena *arena)
{
    char *to = arena_alloc(arena, raw.len + 1); /* escapes are longer than what they stand for */
    size_t n = 0, i = 0, backslash = first;
    for (;;) {
        size_t end = backslash == SIZE_MAX ? raw.len : backslash;
        memcpy(to + n, raw.ptr + i, end - i);
        n += end - i;
        i = end;
        if (backslash == SIZE_MAX) {
            return str_of(to, n);
        }
        char c[4];
        size_t n_out = unescape_one(raw, &i, c);
        memcpy(to + n, c, n_out);
        n += n_out;
        backslash = i < raw.len && raw.ptr[i] == '\\' ? i : str_find_char(raw, '\\', i);
    }
}

str json_str(struct json v)
{
    if (!json_is(v, JSON_STRING)) {
        return STR("");
    }
    str raw = slice_of(v);
    size_t backslash = str_find_char(raw, '\\', 0);
    return backslash == SIZE_MAX ? raw : unescape(raw, backslash, v.text->arena);
}

/* Whether `raw`, unescaped, is `s`. */
static bool unescaped_eq(str raw, str s)
{
    if (raw.len < s.len) { /* an escape makes it shorter, never longer */
        return false;
    }
    bool is_unlike = s.len > 0 && raw.ptr[0] != s.ptr[0] && raw.ptr[0] != '\\';
    if (is_unlike || str_find_char(raw, '\\', 0) == SIZE_MAX) {
        return !is_unlike && str_eq(raw, s);
    }
    size_t i = 0, k = 0;
    while (i < raw.len) {
        char c[4] = {raw.ptr[i]};
        size_t n = 1;
        if (c[0] == '\\') {
            n = unescape_one(raw, &i, c);
        } else {
            i++;
        }
        if (n > s.len - k || memcmp(s.ptr + k, c, n) != 0) {
            return false;
        }
        k += n;
    }
    return k == s.len;
}

bool json_str_eq(struct json v, str s)
{
    return json_is(v, JSON_STRING) && unescaped_eq(slice_of(v), s);
}

struct json json_get(struct json object, str key)
{
    struct json_iter it = json_iter(object);
    struct json value;
    str name;
    while (it.is_object && json_next(&it, &name, &value)) {
        if (unescaped_eq(name, key)) {
            return value;
        }
    }
    return (struct json){0};
}

/* --- numbers and truth --- */

bool json_bool(struct json v, bool fallback)
{
    return json_is(v, JSON_BOOL) ? slice_of(v).ptr[0] == 't' : fallback;
}

double json_double(struct json v, double fallback)
{
    if (!json_is(v, JSON_NUMBER)) {
        return fallback;
    }
    str s = slice_of(v);
    char text[64];
    const char *p = text; /* strtod wants an end */
    if (s.len < sizeof text) {
        memcpy(text, s.ptr, s.len);
        text[s.len] = '\0';
    } else {
        p = arena_dup(v.text->arena, s).ptr;
    }
    double d = strtod(p, NULL);
    return isfinite(d) ? d : fallback;
}

/* The exponent at the front of `s`, bounded far beyond what a text of digits could make up for. */
static int64_t exponent_of(str s)
{
    bool is_minus = s.len > 0 && s.ptr[0] == '-';
    int64_t n = 0;
    for (size_t i = s.len > 0 && (is_minus || s.ptr[0] == '+'); i < s.len; i++) {
        n = n * 10 + (s.ptr[i] - '0');
        n = n < 4 * (int64_t)MAX_TEXT_BYTES ? n : 4 * (int64_t)MAX_TEXT_BYTES;
    }
    return is_minus ? -n : n;
}

static bool push_digit(uint64_t *n, unsigned digit)
{
    if (*n > (UINT64_MAX - digit) / 10) {
        return false;
    }
    *n = *n * 10 + digit;
    return true;
}

/* The whole number that the digits `s`, with a point perhaps, times ten to `exponent` make. */
static bool whole_of(str s, int64_t exponent, uint64_t *out)
{
    size_t point = str_find_char(s, '.', 0);
    int64_t n_whole = (int64_t)(point == SIZE_MAX ? s.len : point) + exponent; /* digits to take */
    int64_t seen = 0;
    *out = 0;
    for (size_t i = 0; i < s.len; i++) {
        unsigned digit = (unsigned)(unsigned char)s.ptr[i] - '0';
        if (i == point) {
            continue;
        }
        if (seen++ < n_whole ? !push_digit(out, digit) : digit != 0) {
            return false;
        }
    }
    for (; *out != 0 && seen < n_whole; seen++) {
        if (!push_digit(out, 0)) {
            return false;
        }
    }
    return true;
}

static bool int_of(struct json v, int64_t *out)
{
    if (!json_is(v, JSON_NUMBER)) {
        return false;
    }
    str s = slice_of(v);
    bool is_minus = s.ptr[0] == '-';
    s = str_sub(s, is_minus, s.len);
    size_t e = 0;
    while (e < s.len && s.ptr[e] != 'e' && s.ptr[e] != 'E') {
        e++;
    }
    uint64_t n;
    if (!whole_of(str_sub(s, 0, e), exponent_of(str_sub(s, e + 1, s.len)), &n) ||
        n > (uint64_t)INT64_MAX + is_minus) {
        return false;
    }
    *out = is_minus ? (int64_t)(0 - n) : (int64_t)n;
    return true;
}

int64_t json_int(struct json v, int64_t fallback)
{
    int64_t n;
    return int_of(v, &n) ? n : fallback;
}

bool json_is_int(struct json v)
{
    int64_t n;
    return int_of(v, &n);
}
