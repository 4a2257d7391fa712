/* token.c - source text as a row of tokens, the same for every language.
 *
 * Why      The predictor compares what was written with what is being written. Compared by
 *          characters, a change of indentation or of one blank would hide that two places are
 *          the same; a grammar for each language would be slow and never complete.
 * How      One pass without memory: blanks are skipped and counted, then the longest token that
 *          fits is cut off. Line ends look ahead to the next line's first visible character.
 * Rules    Blanks at a line's end vanish. Carriage returns count as blanks. Every byte of the
 *          text is looked at a bounded number of times. */
#include "core/predict/token.h"

#include <stdio.h>
#include <string.h>

#include "core/base/utf8.h"

#define INDENTATION_SAMPLE_BYTES 16384u
#define BLANK_MAX_BYTES          40u
#define COLUMN_MAX               400u

static const char OPERATORS[][4] = {
    "...", "===", "!==", "<<=", ">>=", "**=", "\"\"\"", "'''", "```", "->", "==", "!=", "<=",
    ">=",  "&&",  "||",  "++",  "--",  "+=",  "-=",     "*=",  "/=",  "%=", "|=", "&=", "^=",
    "<<",  ">>",  "::",  ":=",  "=>",  "//",  "/*",     "*/",  "**",  "??", "?.", "..",
};

static size_t blank_run(str s, size_t from);
static unsigned columns_of(str blanks);

bool token_is_word_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '$' || (unsigned char)c >= 0x80;
}

/* -- indentation -- */

/* The step that most lines go in by; columns 2 to 8. */
static unsigned most_frequent_step(const unsigned counts[9])
{
    unsigned best = 0;
    for (unsigned step = 2; step <= 8; step++) {
        if (counts[step] > (best ? counts[best] : 0)) {
            best = step;
        }
    }
    return best ? best : 4;
}

struct indentation indentation_of(str text)
{
    str rest = str_sub(text, 0, INDENTATION_SAMPLE_BYTES);
    unsigned n_tabbed = 0;
    unsigned n_spaced = 0;
    unsigned counts[9] = {0};
    unsigned previous = 0;
    str line;
    while (str_next(&rest, '\n', &line)) {
        size_t n = blank_run(line, 0);
        if (n == line.len) {
            continue;
        }
        unsigned column = columns_of(str_sub(line, 0, n));
        n_tabbed += n > 0 && line.ptr[0] == '\t';
        n_spaced += n > 1 && line.ptr[0] == ' ';
        if (column > previous && column - previous <= 8) {
            counts[column - previous]++;
        }
        previous = column;
    }
    if (n_tabbed > n_spaced) {
        return (struct indentation){TOKEN_TAB_COLUMNS, true};
    }
    return (struct indentation){most_frequent_step(counts), false};
}

void indentation_append(struct indentation style, unsigned column, struct buf *out)
{
    unsigned n_tabs = style.is_tabs ? column / TOKEN_TAB_COLUMNS : 0;
    for (unsigned i = 0; i < n_tabs; i++) {
        buf_append_char(out, '\t');
    }
    for (unsigned i = n_tabs * TOKEN_TAB_COLUMNS; i < column; i++) {
        buf_append_char(out, ' ');
    }
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v';
}

static size_t blank_run(str s, size_t from)
{
    size_t n = 0;
    while (from + n < s.len && is_blank(s.ptr[from + n])) {
        n++;
    }
    return n;
}

static unsigned columns_of(str blanks)
{
    unsigned column = 0;
    for (size_t i = 0; i < blanks.len && column < COLUMN_MAX; i++) {
        if (blanks.ptr[i] == '\t') {
            column += TOKEN_TAB_COLUMNS - column % TOKEN_TAB_COLUMNS;
        } else if (blanks.ptr[i] == ' ') {
            column++;
        }
    }
    return column;
}

unsigned token_line_column(str line, struct indentation style, unsigned column)
{
    if (line.len < 3) {
        return column;
    }
    bool is_columns = line.ptr[line.len - 1] == 'c';
    uint64_t n = 0;
    if (!str_to_u64(str_sub(line, 2, line.len - is_columns), COLUMN_MAX, &n)) {
        return column;
    }
    unsigned change = (unsigned)n * (is_columns ? 1 : style.step);
    if (line.ptr[1] == '-') {
        return change > column ? 0 : column - change;
    }
    return column + change > COLUMN_MAX ? COLUMN_MAX : column + change;
}

/* -- tokens -- */

void tokenizer_init(struct tokenizer *t, str text, struct indentation style)
{
    size_t n = blank_run(text, 0);
    *t = (struct tokenizer){.text = text, .at = n, .style = style};
    t->column = columns_of(str_sub(text, 0, n));
    if (t->style.step == 0) {
        t->style.step = 4;
    }
}

/* At a '\n'. An empty line takes this line end alone; its own is the next token. */
static void take_line_end(struct tokenizer *t, struct token *out)
{
    t->at++;
    size_t n = blank_run(t->text, t->at);
    if (t->at + n < t->text.len && t->text.ptr[t->at + n] == '\n') {
        *out = (struct token){TOKEN_EMPTY, false, STR("\n")};
        t->at += n;
        return;
    }
    unsigned column = columns_of(str_sub(t->text, t->at, t->at + n));
    int change = (int)column - (int)t->column;
    int step = (int)t->style.step;
    int len = change % step == 0 ? snprintf(t->line, sizeof(t->line), "\n%+d", change / step)
                                 : snprintf(t->line, sizeof(t->line), "\n%+dc", change);
    t->at += n;
    t->column = column;
    *out = (struct token){TOKEN_LINE, false, str_of(t->line, (size_t)len)};
}

/* Invisible characters and those that turn the direction of text have no place in code that is
 * proposed to somebody. */
static bool is_tricky(uint32_t cp)
{
    return cp == 0xAD || cp == 0x61C || (cp >= 0x80 && cp <= 0x9F) ||
           (cp >= 0x200B && cp <= 0x200F) || (cp >= 0x2028 && cp <= 0x202E) ||
           (cp >= 0x2060 && cp <= 0x206F) || cp == 0xFEFF || (cp >= 0xFFF0 && cp <= 0xFFFF) ||
           cp >= 0xE0000;
}

static bool is_plain_utf8(str s)
{
    while (s.len > 0) {
        uint32_t cp = (unsigned char)s.ptr[0];
        size_t n = cp < 0x80 ? 1 : utf8_decode(s, &cp);
        if (n == 0 || is_tricky(cp)) {
            return false;
        }
        s = str_sub(s, n, s.len);
    }
    return true;
}

static enum token_kind take_word(struct tokenizer *t)
{
    str text = t->text;
    size_t start = t->at;
    bool has_high = false;
    bool is_number = text.ptr[start] >= '0' && text.ptr[start] <= '9';
    size_t i = start;
    while (i < text.len) {
        char c = text.ptr[i];
        bool is_point = is_number && c == '.' && i + 1 < text.len && text.ptr[i + 1] >= '0' &&
                        text.ptr[i + 1] <= '9';
        if (!token_is_word_byte(c) && !is_point) {
            break;
        }
        has_high |= (unsigned char)c >= 0x80;
        i++;
    }
    t->at = i;
    if (i - start > TOKEN_MAX_BYTES || (has_high && !is_plain_utf8(str_sub(text, start, i)))) {
        return TOKEN_OPAQUE;
    }
    return is_number ? TOKEN_NUMBER : TOKEN_WORD;
}

static enum token_kind take_punctuation(struct tokenizer *t)
{
    str rest = str_sub(t->text, t->at, t->text.len);
    unsigned char c = (unsigned char)rest.ptr[0];
    t->at++;
    if (c < 0x20 || c == 0x7F) {
        return TOKEN_OPAQUE;
    }
    if (rest.len < 2 || token_is_word_byte(rest.ptr[1]) || (unsigned char)rest.ptr[1] <= ' ') {
        return TOKEN_PUNCTUATION;
    }
    for (size_t i = 0; i < sizeof(OPERATORS) / sizeof(OPERATORS[0]); i++) {
        if (OPERATORS[i][0] == rest.ptr[0] && str_starts_with(rest, str_from(OPERATORS[i]))) {
            t->at += strlen(OPERATORS[i]) - 1;
            break;
        }
    }
    return TOKEN_PUNCTUATION;
}

bool token_may_grow(str text)
{
    for (size_t i = 0; text.len > 0 && i < sizeof(OPERATORS) / sizeof(OPERATORS[0]); i++) {
        str operator= str_from(OPERATORS[i]);
        if (operator.len> text.len && str_starts_with(operator, text)) {
            return true;
        }
    }
    return false;
}

bool tokenizer_next(struct tokenizer *t, struct token *out)
{
    size_t n = blank_run(t->text, t->at);
    size_t start = t->at + n;
    bool is_blank_token = n >= 2 || (n == 1 && t->text.ptr[start - 1] != ' ');
    if (start >= t->text.len && !is_blank_token) {
        t->has_space_left = n == 1;
        t->at = t->text.len;
        return false;
    }
    t->at = start;
    if (start < t->text.len && t->text.ptr[start] == '\n') {
        take_line_end(t, out);
        return true;
    }
    if (is_blank_token) {
        bool is_kept = n <= BLANK_MAX_BYTES && memchr(t->text.ptr + start - n, '\r', n) == NULL;
        out->kind = is_kept ? TOKEN_BLANK : TOKEN_OPAQUE;
        out->has_space = false;
        out->text = is_kept ? str_sub(t->text, start - n, start) : STR("");
        return true;
    }
    out->has_space = n == 1;
    bool is_word = token_is_word_byte(t->text.ptr[start]);
    out->kind = is_word ? take_word(t) : take_punctuation(t);
    out->text = out->kind == TOKEN_OPAQUE ? STR("") : str_sub(t->text, start, t->at);
    return true;
}
