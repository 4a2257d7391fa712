/* unit.c - complete units of a growing text.
 *
 * Why   Half a line is noise, a whole block is what the place after "{" calls for. Editors render
 *       one answer per request, so the moment at which a text is worth showing decides both how
 *       fast and how good a suggestion feels.
 * How   A line is complete when its line end has come. A block is complete when a line begins
 *       that is indented less than the block's first line, or equally to it after a blank line.
 * Rules Purely textual: languages differ, indentation hardly does. */
#include "core/request/unit.h"

static bool is_blank(str s)
{
    return str_trim(s).len == 0;
}

static size_t indent_of(str line)
{
    size_t n = 0;
    for (size_t i = 0; i < line.len && (line.ptr[i] == ' ' || line.ptr[i] == '\t'); i++) {
        n += line.ptr[i] == '\t' ? 8 - n % 8 : 1;
    }
    return n;
}

enum unit unit_for_place(str line_before, str line_after)
{
    str before = str_trim_end(line_before);
    if (!is_blank(line_after) && !str_eq(str_trim(line_after), STR("}"))) {
        return UNIT_LINE;
    }
    if (before.len == 0) {
        return line_before.len > 0 ? UNIT_BLOCK : UNIT_LINE;
    }
    char last = before.ptr[before.len - 1];
    bool opens = last == '{' || last == ':' || str_ends_with(before, STR("=>")) ||
                 str_ends_with(before, STR(" do")) || str_ends_with(before, STR(" then"));
    return opens ? UNIT_BLOCK : UNIT_LINE;
}

/* End of the line that starts at `at`: the offset of its line end, or the text's length. */
static size_t line_end(str text, size_t at)
{
    size_t end = str_find_char(text, '\n', at);
    return end == SIZE_MAX ? text.len : end;
}

/* Offset of the end of the first line that isn't blank; SIZE_MAX while there is none. */
static size_t first_line(str text, size_t from, bool has_landed)
{
    for (size_t at = from; at < text.len;) {
        size_t end = line_end(text, at);
        bool is_whole = end < text.len || has_landed;
        if (!is_blank(str_sub(text, at, end))) {
            return is_whole ? end : SIZE_MAX;
        }
        at = end + 1;
    }
    return SIZE_MAX;
}

/* Start of the line that ends at `end`. */
static size_t line_start(str text, size_t end, size_t from)
{
    while (end > from && text.ptr[end - 1] != '\n') {
        end--;
    }
    return end;
}

static size_t block_end(str text, size_t from, bool has_landed)
{
    size_t last = first_line(text, from, has_landed);
    if (last == SIZE_MAX) {
        return SIZE_MAX;
    }
    size_t start = line_start(text, last, from);
    /* The first line's own indentation is only in the text where it begins after a line end. */
    size_t indent = start > from ? indent_of(str_sub(text, start, last)) : SIZE_MAX;
    bool after_blank = false;
    for (size_t at = last + 1; at < text.len; at = line_end(text, at) + 1) {
        size_t end = line_end(text, at);
        str line = str_sub(text, at, end);
        if (is_blank(line)) {
            if (end == text.len) {
                break;
            }
            after_blank = true;
            continue;
        }
        size_t own = indent_of(line);
        if (indent == SIZE_MAX) {
            indent = own;
        }
        bool is_closer =
            own < indent && str_find_char(STR("}])"), str_trim(line).ptr[0], 0) != SIZE_MAX;
        if (own < indent && is_closer && (end < text.len || has_landed)) {
            return end; /* the closer belongs to the block */
        }
        if (is_closer && end == text.len) {
            return SIZE_MAX; /* the closer's line is still growing */
        }
        if (own < indent || (after_blank && own == indent)) {
            return last;
        }
        if (end == text.len && !has_landed) {
            return SIZE_MAX;
        }
        last = end;
    }
    return has_landed ? last : SIZE_MAX;
}

size_t unit_complete(str text, size_t from, enum unit unit, bool has_landed)
{
    size_t end =
        unit == UNIT_LINE ? first_line(text, from, has_landed) : block_end(text, from, has_landed);
    return end == SIZE_MAX ? 0 : end - from;
}
