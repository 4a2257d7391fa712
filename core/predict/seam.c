/* seam.c - whether a proposed text fits between what stands before and after the cursor.
 *
 * Why      Editors close brackets and quotes by themselves, and people write in the middle of
 *          lines. What was seen elsewhere goes on to the line's end; put in front of the closing
 *          bracket that is already there it would double it.
 * How      Brackets and quotes are followed through the line, without a grammar. */
#include "core/predict/seam.h"

#include <string.h>

#include "core/predict/token.h"

static bool is_closer(char c)
{
    return c == ')' || c == ']' || c == '}' || c == '"' || c == '\'' || c == '`' || c == '>';
}

static bool is_all_closers(str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (!is_closer(s.ptr[i]) && strchr(";, {:", s.ptr[i]) == NULL) {
            return false;
        }
    }
    return true;
}

/* Whether the texts agree as far as both go, and that isn't by chance alone. */
static bool is_overlap(str tail, str rest)
{
    if (!str_starts_with(tail, rest) && !str_starts_with(rest, tail)) {
        return false;
    }
    size_t n = tail.len < rest.len ? tail.len : rest.len;
    return n >= 3 || tail.len == rest.len || is_closer(rest.ptr[0]) || rest.len == n;
}

size_t seam_rest(str line, str rest)
{
    rest = str_trim(rest);
    if (rest.len == 0) {
        return line.len;
    }
    int depth = 0;
    for (size_t i = 0; i < line.len; i++) {
        char c = line.ptr[i];
        bool is_inside_word = i > 0 && token_is_word_byte(c) && token_is_word_byte(line.ptr[i - 1]);
        bool is_open_end = depth == 0 && is_closer(c) && c == rest.ptr[0];
        if (is_open_end ||
            (depth == 0 && !is_inside_word && is_overlap(str_sub(line, i, line.len), rest))) {
            return str_trim_end(str_sub(line, 0, i)).len;
        }
        depth += c == '(' || c == '[' || c == '{';
        depth -= depth > 0 && (c == ')' || c == ']' || c == '}');
    }
    return is_all_closers(rest) ? line.len : 0;
}

bool seam_is_next_line(str line, str after)
{
    str next;
    if (!str_next(&after, '\n', &next)) {
        return false;
    }
    line = str_trim_end(line);
    while (str_next(&after, '\n', &next)) {
        next = str_trim_end(next);
        if (next.len > 0) {
            return line.len > 0 && str_eq(line, next);
        }
    }
    return false;
}

static bool begins_comment(str s, size_t i)
{
    char c = s.ptr[i];
    char next = i + 1 < s.len ? s.ptr[i + 1] : ' ';
    bool is_first = str_trim(str_sub(s, 0, i)).len == 0;
    return (c == '/' && (next == '/' || next == '*')) || (c == '#' && next == ' ') ||
           (is_first && c == '*' && (next == ' ' || next == '/'));
}

/* The quote that is open behind `s`, when `open` was before it; 0 for none. '#' once a comment
 * has begun. An apostrophe within a word opens nothing. */
static char open_quote(str s, char open)
{
    for (size_t i = 0; i < s.len && open != '#'; i++) {
        char c = s.ptr[i];
        bool is_quote = c == '"' || c == '\'' || c == '`';
        bool is_apostrophe = c == '\'' && i > 0 && i + 1 < s.len &&
                             token_is_word_byte(s.ptr[i - 1]) && token_is_word_byte(s.ptr[i + 1]);
        if (open != 0) {
            i += c == '\\';
            open = c == open ? 0 : open;
        } else if (begins_comment(s, i)) {
            open = '#';
        } else if (is_quote && !is_apostrophe) {
            open = c;
        }
    }
    return open;
}

bool seam_is_sound(str line_before, str added, str rest)
{
    char before = open_quote(line_before, 0);
    char open = open_quote(added, before);
    if (open == 0 || open == '#') {
        return true;
    }
    return open == before && str_find_char(rest, open, 0) != SIZE_MAX;
}
