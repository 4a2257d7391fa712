/* glob.c - path patterns.
 *
 * Why    Patterns come from settings, some of them from files of a workspace, and paths from
 *        anywhere: no pair of them may cost more than a bounded amount of work.
 * How    Two places to go back to: the last `*` of the present name, which takes one character
 *        more, and the last `**`, which takes one name more. Older ones never need to be tried
 *        again, since what comes after a later one can be reached from its first match. Work is
 *        bounded by a budget of steps all the same.
 * Rules  `**` means several names only where it is a whole name, and else what `*` means. Neither
 *        wildcards nor sets match '/'. A leading '/' of a pattern binds it to the root; a trailing
 *        '/' makes it match everything inside the directories that the rest matches. Characters
 *        are code points; a byte that is no UTF-8 is a character that equals only itself. A set
 *        without its ']' is a plain '['. */
#include "core/base/glob.h"

#include "core/base/utf8.h"

#define STEPS_MAX (1u << 18)
#define RAW_BYTE  0x110000u /* added to a byte that is no UTF-8 */

struct matcher {
    str pattern, path;
    size_t p, s;           /* where we are in both */
    size_t star_p, star_s; /* after the last `*` of this name; star_p SIZE_MAX: none */
    size_t deep_p, deep_s; /* after the last `**` and its slash; deep_p SIZE_MAX: none */
    bool is_nocase;
    unsigned *steps; /* left */
};

static uint32_t take_char(str s, size_t *i)
{
    uint32_t cp;
    size_t n = utf8_decode(str_sub(s, *i, s.len), &cp);
    if (n == 0) {
        cp = RAW_BYTE + (unsigned char)s.ptr[*i];
        n = 1;
    }
    *i += n;
    return cp;
}

static uint32_t fold(uint32_t c, bool is_nocase)
{
    return is_nocase && c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

/* One character of a set, escaped or not. */
static uint32_t take_set_char(str pattern, size_t *i)
{
    if (pattern.ptr[*i] == '\\' && *i + 1 < pattern.len) {
        ++*i;
    }
    return take_char(pattern, i);
}

static bool is_in_range(uint32_t c, uint32_t low, uint32_t high, bool is_nocase)
{
    if (c >= low && c <= high) {
        return true;
    }
    bool is_letter = (c | 0x20) >= 'a' && (c | 0x20) <= 'z' && c < 0x80;
    return is_nocase && is_letter && (c ^ 0x20) >= low && (c ^ 0x20) <= high;
}

/* The set at m->p, which is after its '['. False where it has no end; else m->p is behind it and
 * *is_match says whether `c` is in it. */
static bool take_set(struct matcher *m, uint32_t c, bool *is_match)
{
    str pattern = m->pattern;
    size_t i = m->p;
    bool is_in = false;
    bool is_negated = i < pattern.len && (pattern.ptr[i] == '!' || pattern.ptr[i] == '^');
    i += is_negated;
    for (bool is_first = true; i < pattern.len; is_first = false) {
        if (pattern.ptr[i] == ']' && !is_first) {
            m->p = i + 1;
            *is_match = is_in != is_negated;
            return true;
        }
        uint32_t low = take_set_char(pattern, &i), high = low;
        if (i + 1 < pattern.len && pattern.ptr[i] == '-' && pattern.ptr[i + 1] != ']') {
            i++;
            high = take_set_char(pattern, &i);
        }
        is_in = is_in || is_in_range(c, low, high, m->is_nocase);
        *m->steps -= *m->steps > 0;
    }
    return false;
}

/* Matches one character of the path with what stands in the pattern, and passes both. */
static bool step_char(struct matcher *m)
{
    if (m->p == m->pattern.len || m->s == m->path.len) {
        return false;
    }
    bool is_match;
    uint32_t c = take_char(m->path, &m->s);
    char wild = m->pattern.ptr[m->p];
    if (wild == '?') {
        m->p++;
        return c != '/';
    }
    if (wild == '[') {
        size_t start = m->p++;
        if (take_set(m, c, &is_match)) {
            return is_match && c != '/';
        }
        m->p = start;
    } else if (wild == '\\' && m->p + 1 < m->pattern.len) {
        m->p++;
    }
    uint32_t wanted = take_char(m->pattern, &m->p);
    if (c == '/' && wanted == '/') {
        m->star_p = SIZE_MAX; /* a `*` of an earlier name can't take a slash */
    }
    return fold(c, m->is_nocase) == fold(wanted, m->is_nocase);
}

/* Whether a `**` that is a whole name stands in the pattern. */
static bool is_deep(const struct matcher *m)
{
    const char *p = m->pattern.ptr;
    size_t at = m->p;
    return m->pattern.len - at >= 2 && p[at] == '*' && p[at + 1] == '*' &&
           (at == 0 || p[at - 1] == '/') && (at + 2 == m->pattern.len || p[at + 2] == '/');
}

/* Goes back to a wildcard that can take more; false where none can. */
static bool go_back(struct matcher *m)
{
    if (m->star_p != SIZE_MAX && m->star_s < m->path.len && m->path.ptr[m->star_s] != '/') {
        take_char(m->path, &m->star_s);
        m->p = m->star_p;
        m->s = m->star_s;
        return true;
    }
    m->star_p = SIZE_MAX;
    size_t slash = m->deep_p == SIZE_MAX ? SIZE_MAX : str_find_char(m->path, '/', m->deep_s);
    if (slash == SIZE_MAX) {
        return false;
    }
    m->deep_s = slash + 1;
    m->p = m->deep_p;
    m->s = m->deep_s;
    return true;
}

static bool match_from_root(str pattern, str path, bool is_nocase, unsigned *steps)
{
    struct matcher m = {.pattern = pattern,
                        .path = path,
                        .star_p = SIZE_MAX,
                        .deep_p = SIZE_MAX,
                        .is_nocase = is_nocase,
                        .steps = steps};
    while (m.p < pattern.len || m.s < path.len) {
        if (*steps == 0) {
            return true;
        }
        --*steps;
        if (is_deep(&m)) {
            if (m.p + 2 == pattern.len) {
                return m.s < path.len || pattern.len == 2;
            }
            m.p += 3;
            m.deep_p = m.p;
            m.deep_s = m.s;
            m.star_p = SIZE_MAX;
        } else if (m.p < pattern.len && pattern.ptr[m.p] == '*') {
            m.p++;
            m.star_p = m.p;
            m.star_s = m.s;
        } else if (!step_char(&m) && !go_back(&m)) {
            return false;
        }
    }
    return true;
}

static bool match_one(str pattern, bool is_rooted, str path, bool is_nocase, unsigned *steps)
{
    return match_from_root(pattern, is_rooted ? path : str_after_last(path, '/'), is_nocase, steps);
}

bool glob_matches(str pattern, str path, bool is_nocase)
{
    unsigned steps = STEPS_MAX;
    bool is_inside = str_ends_with(pattern, STR("/"));
    if (is_inside) {
        pattern = str_sub(pattern, 0, pattern.len - 1);
    }
    bool is_rooted = str_find_char(pattern, '/', 0) != SIZE_MAX;
    if (str_starts_with(pattern, STR("/"))) {
        pattern = str_sub(pattern, 1, pattern.len);
    }
    if (pattern.len == 0) {
        return false;
    }
    if (!is_inside) {
        return match_one(pattern, is_rooted, path, is_nocase, &steps);
    }
    size_t slash = str_find_char(path, '/', 0);
    for (; slash != SIZE_MAX; slash = str_find_char(path, '/', slash + 1)) {
        if (match_one(pattern, is_rooted, str_sub(path, 0, slash), is_nocase, &steps)) {
            return true;
        }
    }
    return false;
}
