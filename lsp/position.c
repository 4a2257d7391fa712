/* position.c - converts between the protocol's positions and byte offsets.
 *
 * Why      An offset that is wrong by one code unit shifts every edit after an emoji for good.
 * How      The document's line index finds the line; only that line's text is counted, in the one
 *          or two pieces in which it lies in memory, eight bytes at a time where it is ASCII. */
#include "lsp/position.h"

#include "core/base/utf8.h"

static const char *const encoding_names[] = {"utf-8", "utf-16", "utf-32"};
_Static_assert(sizeof encoding_names / sizeof *encoding_names == N_POSITION_ENCODINGS,
               "every encoding has a name");

str position_encoding_name(enum position_encoding encoding)
{
    return str_from(encoding_names[encoding]);
}

size_t position_units(str s, enum position_encoding encoding)
{
    switch (encoding) {
    case POSITION_UTF16:
        return utf8_utf16_len(s);
    case POSITION_UTF32:
        return utf8_count(s);
    case POSITION_UTF8:
    case N_POSITION_ENCODINGS:
        break;
    }
    return s.len;
}

static size_t offset_of_units(str s, size_t units, enum position_encoding encoding)
{
    return encoding == POSITION_UTF16 ? utf8_offset_of_utf16(s, units)
                                      : utf8_offset_of_count(s, units);
}

size_t position_to_offset(const struct document *d, struct position pos,
                          enum position_encoding encoding)
{
    if (pos.line >= document_line_count(d)) {
        return document_len(d);
    }
    size_t at = document_line_start(d, pos.line);
    size_t end = document_line_end(d, pos.line);
    size_t units = pos.character;
    if (encoding == POSITION_UTF8) {
        return units < end - at ? document_floor(d, at + units) : end;
    }
    while (at < end) {
        str piece = document_piece(d, at, end);
        size_t within = offset_of_units(piece, units, encoding);
        at += within;
        if (within < piece.len || at == end) {
            break;
        }
        units -= position_units(piece, encoding);
    }
    return at;
}

struct position position_from_offset(const struct document *d, size_t offset,
                                     enum position_encoding encoding)
{
    offset = document_floor(d, offset);
    size_t line = document_line_at(d, offset);
    size_t at = document_line_start(d, line);
    size_t end = document_line_end(d, line);
    end = offset < end ? offset : end;
    size_t units = 0;
    while (at < end) {
        str piece = document_piece(d, at, end);
        units += position_units(piece, encoding);
        at += piece.len;
    }
    return (struct position){(uint32_t)line, (uint32_t)units};
}
