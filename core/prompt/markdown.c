/* markdown.c - writes a model's Markdown anew, without anything that acts; see markdown.h.
 *
 * Why      Renderers differ in what they make of clever input. A filter that looks for what is bad
 *          loses against them; so nothing is kept but what is written here again.
 * How      Fences are put at column 0 in the form in which they came, since an indented one may be
 *          read as something else; their content is kept as it is. Everything else goes through
 *          one line at a time: code spans that begin and end on it are kept, backslash escapes are
 *          resolved, addresses become code spans, and `[ ] < > ! & @` and lone backticks are
 *          escaped (CommonMark 0.31, sections 2.4, 4.5, 6.1). Without brackets there is no link, no
 *          image and no reference; without `<` no HTML and no autolink. */
#include "core/prompt/markdown.h"

#include <string.h>

static size_t run_length(str s, size_t at, char c)
{
    size_t n = 0;
    while (at + n < s.len && s.ptr[at + n] == c) {
        n++;
    }
    return n;
}

static void append_times(struct buf *out, char c, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        buf_append_char(out, c);
    }
}

/* -- fences -- */

struct fence {
    size_t n; /* characters; 0: no fence */
    char mark;
    size_t indent; /* blanks before it */
    str info;      /* behind it */
};

static struct fence read_fence(str line)
{
    struct fence f = {0};
    while (f.indent < line.len && (line.ptr[f.indent] == ' ' || line.ptr[f.indent] == '\t')) {
        f.indent++;
    }
    f.mark = f.indent < line.len ? line.ptr[f.indent] : '\0';
    size_t n = f.mark == '`' || f.mark == '~' ? run_length(line, f.indent, f.mark) : 0;
    f.info = str_trim(str_sub(line, f.indent + n, line.len));
    bool is_fence = n >= 3 && (f.mark == '~' || str_find_char(f.info, '`', 0) == SIZE_MAX);
    f.n = is_fence ? n : 0;
    return f;
}

static void append_language(struct buf *out, str info)
{
    for (size_t i = 0; i < info.len && i < 32; i++) {
        char c = info.ptr[i];
        bool may_stand = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                         (c >= '0' && c <= '9') || (c != '\0' && strchr("+#-_.", c) != NULL);
        if (!may_stand) {
            break;
        }
        buf_append_char(out, c);
    }
}

/* A line of a block, without as many blanks as stood before its fence. */
static void append_code_line(struct buf *out, str line, size_t indent)
{
    size_t n = 0;
    while (n < indent && n < line.len && (line.ptr[n] == ' ' || line.ptr[n] == '\t')) {
        n++;
    }
    buf_append(out, str_sub(line, n, line.len));
    buf_append_char(out, '\n');
}

/* -- text -- */

static bool is_punctuation(char c)
{
    return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') ||
           (c >= '{' && c <= '~');
}

static void append_literal(struct buf *out, char c)
{
    if (c != '\0' && strchr("[]<>!&@\\`", c) != NULL) {
        buf_append_char(out, '\\');
    }
    buf_append_char(out, c);
}

/* The end of the code span whose backticks stand at `at`, behind its last one; 0 where it doesn't
 * end on this line. */
static size_t span_end(str line, size_t at, size_t n)
{
    for (size_t i = at + n; i < line.len;) {
        size_t k = run_length(line, i, '`');
        if (k == n) {
            return i + k;
        }
        i += k > 0 ? k : 1;
    }
    return 0;
}

static bool is_address_char(char c)
{
    return (unsigned char)c > ' ' && strchr("<>`\"'[](){}|\\", c) == NULL;
}

static bool is_scheme_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' ||
           c == '.' || c == '-';
}

/* Length of the address that begins at `at` ("scheme:rest", "//rest", "www.rest"), 0 where none
 * does. */
static size_t address_length(str line, size_t at)
{
    bool is_inside = at > 0 && is_scheme_char(line.ptr[at - 1]);
    str rest = str_sub(line, at, line.len);
    size_t n = 0;
    while (n < rest.len && is_scheme_char(rest.ptr[n])) {
        n++;
    }
    bool has_scheme = n > 1 && n + 1 < rest.len && rest.ptr[n] == ':' &&
                      is_address_char(rest.ptr[n + 1]) && rest.ptr[n + 1] != ':';
    bool is_www = str_eq_nocase(str_sub(rest, 0, 4), STR("www."));
    bool is_bare = str_starts_with(rest, STR("//")) && rest.len > 2 && is_scheme_char(rest.ptr[2]);
    bool is_number = n > 0 && rest.ptr[0] >= '0' && rest.ptr[0] <= '9'; /* "10:30" */
    if (is_inside || is_number || (!has_scheme && !is_www && !is_bare)) {
        return 0;
    }
    while (n < rest.len && is_address_char(rest.ptr[n])) {
        n++;
    }
    while (n < rest.len && (rest.ptr[n] == ':' || is_address_char(rest.ptr[n]))) {
        n++;
    }
    return n;
}

/* A code span; two that touch would be read as one with longer marks. */
static void append_span(struct buf *out, str span, size_t n_marks)
{
    bool touches = out->len > 0 && out->ptr[out->len - 1] == '`';
    buf_append(out, touches ? STR(" ") : STR(""));
    append_times(out, '`', n_marks);
    buf_append(out, span);
    append_times(out, '`', n_marks);
}

static void append_text_line(struct buf *out, str line)
{
    for (size_t i = 0; i < line.len;) {
        char c = line.ptr[i];
        size_t n = run_length(line, i, '`');
        /* At a line's start some renderers would take three for a fence. */
        bool looks_fenced = n >= 3 && str_trim(str_sub(line, 0, i)).len == 0;
        size_t end = n > 0 && !looks_fenced ? span_end(line, i, n) : 0;
        size_t n_address = n == 0 ? address_length(line, i) : 0;
        if (end > 0) {
            append_span(out, str_sub(line, i + n, end - n), n);
            i = end;
        } else if (n > 0) {
            for (size_t k = 0; k < n; k++) {
                append_literal(out, '`');
            }
            i += n;
        } else if (n_address > 0) {
            append_span(out, str_sub(line, i, i + n_address), 1);
            i += n_address;
        } else if (c == '\\' && i + 1 < line.len && is_punctuation(line.ptr[i + 1])) {
            buf_append_char(out, '\\');
            buf_append_char(out, line.ptr[i + 1]);
            i += 2;
        } else {
            bool quotes = c == '>' && str_trim(str_sub(line, 0, i)).len == 0;
            if (quotes) {
                buf_append_char(out, c); /* a quotation */
            } else {
                append_literal(out, c);
            }
            i++;
        }
    }
    buf_append_char(out, '\n');
}

/* -- all of it -- */

void markdown_append(struct buf *out, str text)
{
    struct fence open = {0};
    while (text.len > 0) {
        size_t n = str_find_char(text, '\n', 0);
        str line = str_sub(text, 0, n);
        text = n == SIZE_MAX ? str_sub(text, text.len, text.len) : str_sub(text, n + 1, text.len);
        struct fence f = read_fence(line);
        bool closes = open.n > 0 && f.n >= open.n && f.mark == open.mark && f.info.len == 0;
        if (closes || (open.n == 0 && f.n > 0)) {
            append_times(out, f.mark, closes ? open.n : f.n);
            append_language(out, f.info);
            buf_append_char(out, '\n');
            open = f;
            if (closes) {
                memset(&open, 0, sizeof open);
            }
        } else if (open.n > 0) {
            append_code_line(out, line, open.indent);
        } else {
            append_text_line(out, line);
        }
    }
    if (open.n > 0) {
        append_times(out, open.mark, open.n);
        buf_append_char(out, '\n');
    }
}

void markdown_append_code(struct buf *out, str code, str language)
{
    size_t longest = 2;
    for (size_t i = 0; i < code.len;) {
        size_t n = run_length(code, i, '`');
        longest = n > longest ? n : longest;
        i += n > 0 ? n : 1;
    }
    append_times(out, '`', longest + 1);
    append_language(out, language);
    buf_append_char(out, '\n');
    buf_append(out, code);
    buf_append_char(out, '\n');
    append_times(out, '`', longest + 1);
}
