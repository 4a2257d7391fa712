/* terminal.h - what the commands need to know of the terminal, and frames drawn in place.
 *
 * Colours and cursor movement only where stdout is a terminal, NO_COLOR isn't set and TERM isn't
 * "dumb". Text that comes from files and models is cleaned before it reaches the terminal. */
#ifndef CRUCIBLE_LSP_TERMINAL_H
#define CRUCIBLE_LSP_TERMINAL_H

#include <termios.h>

#include "core/base/str.h"

#define TERMINAL_BOLD    "\x1b[1m"
#define TERMINAL_DIM     "\x1b[2m"
#define TERMINAL_GREEN   "\x1b[32m"
#define TERMINAL_REVERSE "\x1b[7m"
#define TERMINAL_CURSOR  "\x1b[2;7m"
#define TERMINAL_PLAIN   "\x1b[0m"

/* Whether escape sequences may be written to stdout. */
bool terminal_is_rich(void);
/* Columns and rows of stdout's terminal, 80 x 24 where they can't be told. */
void terminal_size(unsigned *columns, unsigned *rows);
/* Appends `text` as it may be shown: no control characters (a tab becomes blanks up to the next
 * multiple of four, counted from *column), cut at `columns`. Advances *column by the cells used;
 * wide characters count two. Line ends are for the caller. */
void terminal_append(struct buf *out, str text, unsigned *column, unsigned columns);
/* The same for a view that is scrolled sideways: cells before column `left` are counted and left
 * out. */
void terminal_append_from(struct buf *out, str text, unsigned *column, unsigned left,
                          unsigned columns);
/* Cells that the text takes from `column` on. */
unsigned terminal_width(str text, unsigned column);
/* Writes lines of text to stdout as they may be shown; tabs and line ends stay. */
void terminal_write_text(str text);
/* Appends `text` broken at blanks so that no line passes `columns`, as far as its words allow; the
 * first line begins at column `indent`, the others are indented by it. Line ends in `text` are
 * kept. Cleaned like by terminal_append. */
void terminal_wrap(struct buf *out, str text, unsigned indent, unsigned columns);
/* Writes all of it to stdout, around short writes. */
void terminal_write(str bytes);

/* A block of lines that is drawn again and again at the same place. `{0}` is nothing drawn. While
 * it is drawn the cursor is hidden and keys aren't echoed; Ctrl-C works, Ctrl-Z and Ctrl-\ don't,
 * since they would leave the terminal like that. */
struct terminal_frame {
    unsigned n_lines; /* drawn last time; the cursor stands below them */
    bool is_hidden;   /* the cursor is */
    bool is_quiet;    /* keys aren't echoed; `was` is how it was */
    struct termios was;
};
/* Draws `lines`, each ended by "\n" and no wider than the terminal, over what was drawn last. */
void terminal_draw(struct terminal_frame *f, str lines);
/* After a resize nothing is known of what the terminal did with the old lines: clears and starts
 * again at the top. */
void terminal_restart(struct terminal_frame *f);
/* Gives the terminal back: the cursor below the frame, which stays. Keys pressed meanwhile are
 * dropped, so that no shell runs them. */
void terminal_leave(struct terminal_frame *f);

#endif
