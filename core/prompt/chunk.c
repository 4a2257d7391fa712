/* chunk.c - where one piece of a text ends and the next begins.
 *
 * How   Line by line, the best place so far in hand: behind an empty line is better than anywhere,
 *       and of two as good the later one. */
#include "core/prompt/chunk.h"

enum worth { WORTH_NOTHING, WORTH_BLANK, WORTH_OUTERMOST };

static bool is_blank_line(const struct document *d, size_t line)
{
    size_t end = document_line_end(d, line);
    for (size_t at = document_line_start(d, line); at < end; at++) {
        char c = document_byte(d, at);
        if (c != ' ' && c != '\t') {
            return false;
        }
    }
    return true;
}

/* Whether something of the outermost level begins there; what closes or goes on doesn't. */
static bool begins_outermost(const struct document *d, size_t line)
{
    size_t at = document_line_start(d, line);
    if (at == document_line_end(d, line)) {
        return false;
    }
    char c = document_byte(d, at);
    return c != ' ' && c != '\t' && c != '}' && c != ')' && c != ']' && c != '{';
}

static enum worth worth_of(const struct document *d, size_t line)
{
    if (!is_blank_line(d, line - 1) || is_blank_line(d, line)) {
        return WORTH_NOTHING;
    }
    return begins_outermost(d, line) ? WORTH_OUTERMOST : WORTH_BLANK;
}

size_t chunk_end(const struct document *d, size_t start)
{
    size_t n_lines = document_line_count(d), len = document_len(d);
    size_t best = 0; /* 0: none yet */
    enum worth best_worth = WORTH_NOTHING;
    for (size_t line = document_line_at(d, start) + 1; line < n_lines; line++) {
        size_t at = document_line_start(d, line);
        if (at - start > CHUNK_MAX_BYTES && best > 0) {
            return best;
        }
        enum worth worth = at - start >= CHUNK_ENOUGH_BYTES ? worth_of(d, line) : WORTH_NOTHING;
        if (worth == WORTH_OUTERMOST) {
            return at;
        }
        if (worth >= best_worth) {
            best = at;
            best_worth = worth;
        }
    }
    return len - start > CHUNK_MAX_BYTES && best > 0 ? best : len;
}

bool chunk_says_something(const struct document *d, size_t start, size_t end)
{
    for (size_t at = start; at < end; at++) {
        unsigned char c = (unsigned char)document_byte(d, at);
        bool is_letter = (c | 0x20u) >= 'a' && (c | 0x20u) <= 'z';
        if (is_letter || c >= 0x80) {
            return true;
        }
    }
    return false;
}
