/* token.h - source text as a row of tokens, the same for every language.
 *
 * Words, numbers, punctuation (a few operators of two or three characters are one token), runs of
 * blanks, and line ends. A single space is no token: it is a property of the token behind it. A
 * line end carries the change of indentation, in steps where it is a whole number of them, so
 * that what was seen at one depth is recognised at another and in files with other habits.
 * Strings and comments are not special: their words are tokens as well. */
#ifndef CRUCIBLE_PREDICT_TOKEN_H
#define CRUCIBLE_PREDICT_TOKEN_H

#include "core/base/str.h"

#define TOKEN_MAX_BYTES   64 /* longer words are opaque */
#define TOKEN_TAB_COLUMNS 8

enum token_kind {
    TOKEN_WORD,
    TOKEN_NUMBER,
    TOKEN_PUNCTUATION,
    TOKEN_BLANK,  /* two or more blanks, or a tab, between tokens of a line */
    TOKEN_LINE,   /* line end and the next line's indentation: "\n+1", "\n-2", "\n+5c" */
    TOKEN_EMPTY,  /* line end before an empty line: "\n" */
    TOKEN_OPAQUE, /* not to be learned: overlong, control characters, invalid or tricky UTF-8 */
};

struct token {
    enum token_kind kind;
    bool has_space; /* one space before it */
    str text;       /* borrows the text, or the tokenizer until the next call; empty if opaque */
};

struct indentation {
    unsigned step; /* columns */
    bool is_tabs;
};
/* The habit of `text`; four spaces where nothing is indented. */
struct indentation indentation_of(str text);
/* Appends the white space that reaches `column`. */
void indentation_append(struct indentation style, unsigned column, struct buf *out);

struct tokenizer {
    str text; /* borrowed */
    size_t at;
    struct indentation style;
    unsigned column;     /* indentation of the current line */
    bool has_space_left; /* at the end: one space follows the last token */
    char line[16];       /* text of a TOKEN_LINE */
};
void tokenizer_init(struct tokenizer *t, str text, struct indentation style);
bool tokenizer_next(struct tokenizer *t, struct token *out);

/* Column that a line has whose TOKEN_LINE is `line`, after one at `column`. */
unsigned token_line_column(str line, struct indentation style, unsigned column);
bool token_is_word_byte(char c);
/* Whether a longer operator begins with `text`. */
bool token_may_grow(str text);

#endif
