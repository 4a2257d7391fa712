/* fit.c - agreement of typed text with a suggestion.
 *
 * Why   Ghost text that blinks away when a person types exactly what it says is the first
 *       complaint about every tool of this kind; editors make it worse by closing brackets and
 *       indenting on their own. Both are agreement, and are judged here and nowhere else.
 * Rules Linear in what was typed, whole code points by construction (both sides are valid UTF-8
 *       and compared byte by byte). */
#include "core/request/fit.h"

#define MAX_OPEN 64u /* openers that are kept; deeper nesting counts as "not opened here" */

static bool is_blank_char(char c)
{
    return c == ' ' || c == '\t';
}

/* Length of the line end at `at`, 0 where there is none. */
static size_t eol_len(str s, size_t at)
{
    if (at < s.len && s.ptr[at] == '\r') {
        return at + 1 < s.len && s.ptr[at + 1] == '\n' ? 2 : 1;
    }
    return at < s.len && s.ptr[at] == '\n' ? 1 : 0;
}

static size_t skip_blanks(str s, size_t at)
{
    while (at < s.len && is_blank_char(s.ptr[at])) {
        at++;
    }
    return at;
}

/* Both stand after a line end: passes the blanks. A person who has typed only the beginning of
 * the text's own indentation still gets the rest of it. */
static void pass_indent(str typed, size_t *u, str clean, size_t *t)
{
    size_t u_end = skip_blanks(typed, *u);
    size_t t_end = skip_blanks(clean, *t);
    str u_blanks = str_sub(typed, *u, u_end);
    str t_blanks = str_sub(clean, *t, t_end);
    bool is_start = u_end == typed.len && str_starts_with(t_blanks, u_blanks);
    *t = is_start ? *t + u_blanks.len : t_end;
    *u = u_end;
}

enum fit fit_typed(str clean, str typed, bool has_landed, size_t *rest)
{
    size_t u = 0;
    size_t t = 0;
    while (u < typed.len) {
        if (t >= clean.len) {
            return has_landed ? FIT_NO : FIT_WAITING;
        }
        size_t eol = eol_len(typed, u);
        if (eol > 0 && clean.ptr[t] == '\n') {
            u += eol;
            t++;
            pass_indent(typed, &u, clean, &t);
        } else if (eol == 0 && typed.ptr[u] == clean.ptr[t]) {
            u++;
            t++;
        } else {
            return FIT_NO;
        }
    }
    *rest = t;
    return FIT_YES;
}

static char closer_of(char opener)
{
    switch (opener) {
    case '(':
        return ')';
    case '[':
        return ']';
    case '{':
        return '}';
    case '<':
        return '>';
    case '"':
    case '\'':
    case '`':
        return opener;
    default:
        return '\0';
    }
}

static bool is_quote(char c)
{
    return c == '"' || c == '\'' || c == '`';
}

/* The closers that are still owed after `typed`, innermost last. */
struct owed {
    char closer[MAX_OPEN];
    size_t n;
};

static void owe(struct owed *o, char c)
{
    char top = o->n > 0 ? o->closer[o->n - 1] : '\0';
    if (c == top) {
        o->n--;
    } else if (is_quote(top)) {
        return; /* inside a string nothing else counts */
    } else if (closer_of(c) != '\0' && o->n < MAX_OPEN) {
        o->closer[o->n++] = closer_of(c);
    }
}

static struct owed owed_after(str typed)
{
    struct owed o = {.n = 0};
    for (size_t i = 0; i < typed.len; i++) {
        if (typed.ptr[i] == '\\' && o.n > 0 && is_quote(o.closer[o.n - 1])) {
            i++;
        } else {
            owe(&o, typed.ptr[i]);
        }
    }
    return o;
}

bool fit_closers(str typed, str closers)
{
    if (closers.len == 0) {
        return true;
    }
    struct owed o = owed_after(typed);
    for (size_t i = 0; i < closers.len; i++) {
        char c = closers.ptr[i];
        if (is_blank_char(c) || c == '\n' || c == '\r') {
            continue;
        }
        /* "<" is an operator more often than a bracket: it may be owed without being closed. */
        while (o.n > 0 && o.closer[o.n - 1] == '>' && c != '>') {
            o.n--;
        }
        if (o.n == 0 || o.closer[--o.n] != c) {
            return false;
        }
    }
    return true;
}

/* End of the string that opens at `at`, where it closes on the same line; else at + 1. */
static size_t skip_string(str s, size_t at)
{
    char quote = s.ptr[at];
    for (size_t i = at + 1; i < s.len && s.ptr[i] != '\n'; i++) {
        if (s.ptr[i] == '\\') {
            i++;
        } else if (s.ptr[i] == quote) {
            return i + 1;
        }
    }
    return at + 1;
}

/* Where `rest` closes the innermost bracket or string that was opened before it began, `first`
 * being its closer; SIZE_MAX where it doesn't. */
static size_t find_unbalanced(str rest, char first)
{
    size_t depth = 0;
    for (size_t i = 0; i < rest.len;) {
        char c = rest.ptr[i];
        if (is_quote(first)) {
            if (c == first) {
                return i;
            }
            i += c == '\\' ? 2 : 1;
        } else if (is_quote(c)) {
            i = skip_string(rest, i);
        } else {
            if (c == first && depth == 0) {
                return i;
            }
            depth += closer_of(c) == first;
            depth -= c == first;
            i++;
        }
    }
    return SIZE_MAX;
}

static bool is_space(char c)
{
    return is_blank_char(c) || c == '\n' || c == '\r';
}

/* If `closers` stands at `at` in `rest` (blanks ignored on both sides), the offset behind it. */
static size_t closers_end(str rest, size_t at, str closers)
{
    for (size_t i = 0; i < closers.len; i++) {
        if (is_space(closers.ptr[i])) {
            continue;
        }
        while (at < rest.len && is_space(rest.ptr[at]) && rest.ptr[at] != closers.ptr[i]) {
            at++;
        }
        if (at >= rest.len || rest.ptr[at] != closers.ptr[i]) {
            return SIZE_MAX;
        }
        at++;
    }
    return at;
}

struct fit_rest fit_less_closers(str rest, str closers)
{
    str visible = str_trim(closers);
    if (visible.len == 0) {
        return (struct fit_rest){.text = rest};
    }
    size_t at = find_unbalanced(rest, visible.ptr[0]);
    size_t end = at == SIZE_MAX ? SIZE_MAX : closers_end(rest, at, closers);
    if (end == SIZE_MAX) {
        return (struct fit_rest){.text = rest};
    }
    bool is_last = str_trim(str_sub(rest, end, rest.len)).len == 0;
    bool is_one_line = eol_len(closers, 0) == 0 && str_find_char(closers, '\n', 0) == SIZE_MAX &&
                       str_find_char(closers, '\r', 0) == SIZE_MAX;
    if (!is_last && is_one_line) {
        return (struct fit_rest){.text = rest, .n_replace = closers.len};
    }
    str text = str_sub(rest, 0, at);
    return (struct fit_rest){.text = is_one_line ? text : str_trim_end(text)};
}
