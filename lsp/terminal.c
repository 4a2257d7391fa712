/* terminal.c - what the commands need to know of the terminal, and frames drawn in place.
 *
 * Why      A few escape sequences are all that a redrawn window needs; a library for full-screen
 *          programs would be linked for two commands.
 * How      A frame moves the cursor up by the lines it drew last, writes each line and clears the
 *          rest of it, and clears what is below. Wrapping is off while it draws, so that a width
 *          we misjudge garbles one line and not the count of lines. One write per frame.
 * Rules    Sequences: ECMA-48 CUU, EL, ED, SGR and the DEC modes 7 and 25, known everywhere. */
#include "lsp/terminal.h"

#include <errno.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "core/base/limits.h"
#include "core/base/utf8.h"

#define TAB_CELLS 4u

bool terminal_is_rich(void)
{
    const char *no_color = getenv("NO_COLOR");
    const char *term = getenv("TERM");
    if (no_color != NULL && no_color[0] != '\0') {
        return false;
    }
    if (term == NULL || term[0] == '\0' || strcmp(term, "dumb") == 0) {
        return false;
    }
    return isatty(STDOUT_FILENO) == 1;
}

void terminal_size(unsigned *columns, unsigned *rows)
{
    struct winsize size = {0};
    bool is_known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0;
    *columns = is_known && size.ws_col > 0 ? size.ws_col : 80;
    *rows = is_known && size.ws_row > 0 ? size.ws_row : 24;
}

/* Cells of one code point: the East Asian wide ranges and emoji two, combining marks none. */
static unsigned cells_of(uint32_t cp)
{
    if ((cp >= 0x300 && cp <= 0x36f) || (cp >= 0x200b && cp <= 0x200f) ||
        (cp >= 0xfe00 && cp <= 0xfe0f) || (cp >= 0x20d0 && cp <= 0x20ff)) {
        return 0;
    }
    if ((cp >= 0x1100 && cp <= 0x115f) || (cp >= 0x2e80 && cp <= 0xa4cf) ||
        (cp >= 0xac00 && cp <= 0xd7a3) || (cp >= 0xf900 && cp <= 0xfaff) ||
        (cp >= 0xfe30 && cp <= 0xfe6f) || (cp >= 0xff00 && cp <= 0xff60) ||
        (cp >= 0xffe0 && cp <= 0xffe6) || (cp >= 0x1f300 && cp <= 0x1faff) ||
        (cp >= 0x20000 && cp <= 0x3fffd)) {
        return 2;
    }
    return 1;
}

/* Controls of both sets, and what turns the direction of the text. */
static bool is_shown(uint32_t cp)
{
    return cp >= 0x20 && !(cp >= 0x7f && cp <= 0x9f) && !(cp >= 0x202a && cp <= 0x202e) &&
           !(cp >= 0x2066 && cp <= 0x2069) && !(cp >= 0xe0000 && cp <= 0xe007f);
}

/* Appends one character of n cells, or the part of it that is in view: blanks. */
static void append_cells(struct buf *out, str one, unsigned n, unsigned *column, unsigned left)
{
    if (*column >= left) {
        buf_append(out, one);
    }
    for (unsigned i = 0; *column < left && i < n; i++) {
        buf_append(out, *column + i >= left ? STR(" ") : STR(""));
    }
    *column += n;
}

void terminal_append_from(struct buf *out, str text, unsigned *column, unsigned left,
                          unsigned columns)
{
    while (text.len > 0) {
        uint32_t cp;
        size_t len = utf8_decode(text, &cp);
        str one = str_sub(text, 0, len > 0 ? len : 1);
        text = str_sub(text, one.len, text.len);
        if (len == 0) {
            one = STR("\xef\xbf\xbd");
        }
        if (cp == '\t') {
            unsigned n = TAB_CELLS - *column % TAB_CELLS;
            for (; n > 0 && *column < columns; n--) {
                append_cells(out, STR(" "), 1, column, left);
            }
        } else if (is_shown(cp)) {
            unsigned n = cells_of(cp);
            if (*column + n > columns) {
                return;
            }
            append_cells(out, one, n, column, left);
        }
    }
}

void terminal_append(struct buf *out, str text, unsigned *column, unsigned columns)
{
    terminal_append_from(out, text, column, 0, columns);
}

unsigned terminal_width(str text, unsigned column)
{
    unsigned start = column;
    struct buf nothing = {0};
    buf_init(&nothing, KIB);
    terminal_append_from(&nothing, text, &column, UINT32_MAX / 2, UINT32_MAX / 2);
    buf_release(&nothing);
    return column - start;
}

void terminal_write_text(str text)
{
    struct buf out = {0};
    buf_init(&out, 4 * text.len + KIB);
    while (text.len > 0) {
        size_t end = 0;
        while (end < text.len && text.ptr[end] != '\n' && text.ptr[end] != '\t') {
            end++;
        }
        unsigned column = 0;
        terminal_append(&out, str_sub(text, 0, end), &column, UINT32_MAX);
        if (end < text.len) {
            buf_append_char(&out, text.ptr[end++]);
        }
        text = str_sub(text, end, text.len);
    }
    terminal_write(buf_str(&out));
    buf_release(&out);
}

static void break_line(struct buf *out, unsigned indent, unsigned *column)
{
    buf_appendf(out, "\n%*s", (int)indent, "");
    *column = indent;
}

void terminal_wrap(struct buf *out, str text, unsigned indent, unsigned columns)
{
    str line;
    unsigned column = indent;
    bool is_first = true;
    while (str_next(&text, '\n', &line)) {
        if (!is_first) {
            break_line(out, indent, &column);
        }
        is_first = false;
        str word;
        bool is_line_start = true;
        while (str_next(&line, ' ', &word)) {
            unsigned width = terminal_width(word, 0) + (is_line_start ? 0 : 1);
            if (!is_line_start && column + width > columns) {
                break_line(out, indent, &column);
            } else if (!is_line_start) {
                buf_append_char(out, ' ');
                column++;
            }
            is_line_start = false;
            terminal_append(out, word, &column, UINT32_MAX);
        }
    }
}

void terminal_write(str bytes)
{
    while (bytes.len > 0) {
        ssize_t n = write(STDOUT_FILENO, bytes.ptr, bytes.len);
        if (n > 0) {
            bytes = str_sub(bytes, (size_t)n, bytes.len);
        } else if (n < 0 && errno == EAGAIN) {
            struct pollfd p = {.fd = STDOUT_FILENO, .events = POLLOUT};
            (void)poll(&p, 1, 1000);
        } else if (n < 0 && errno != EINTR) {
            return;
        }
    }
}

/* Keys pressed while a frame is drawn would be echoed into it. A process in the background may
 * not change the terminal: it would be stopped. */
static void quieten(struct terminal_frame *f)
{
    if (tcgetpgrp(STDOUT_FILENO) != getpgrp() || tcgetattr(STDOUT_FILENO, &f->was) != 0) {
        return;
    }
    struct termios quiet = f->was;
    quiet.c_lflag &= ~(tcflag_t)(ECHO | ICANON);
    quiet.c_cc[VSUSP] = _POSIX_VDISABLE;
    quiet.c_cc[VQUIT] = _POSIX_VDISABLE;
    f->is_quiet = tcsetattr(STDOUT_FILENO, TCSANOW, &quiet) == 0;
}

void terminal_draw(struct terminal_frame *f, str lines)
{
    struct buf out = {0};
    buf_init(&out, MIB);
    if (!f->is_hidden) {
        buf_append(&out, STR("\x1b[?25l"));
        f->is_hidden = true;
        quieten(f);
    }
    if (f->n_lines > 0) {
        buf_appendf(&out, "\x1b[%uA", f->n_lines);
    }
    buf_append(&out, STR("\r\x1b[?7l"));
    f->n_lines = 0;
    str line;
    while (lines.len > 0 && str_next(&lines, '\n', &line)) {
        buf_append(&out, line);
        buf_append(&out, STR(TERMINAL_PLAIN "\x1b[K\r\n"));
        f->n_lines++;
    }
    buf_append(&out, STR("\x1b[J\x1b[?7h"));
    terminal_write(buf_str(&out));
    buf_release(&out);
}

void terminal_restart(struct terminal_frame *f)
{
    terminal_write(STR("\x1b[2J\x1b[H"));
    f->n_lines = 0;
}

void terminal_leave(struct terminal_frame *f)
{
    if (f->is_hidden) {
        terminal_write(STR(TERMINAL_PLAIN "\x1b[?7h\x1b[?25h"));
        f->is_hidden = false;
    }
    if (f->is_quiet) {
        (void)tcsetattr(STDOUT_FILENO, TCSAFLUSH, &f->was);
        f->is_quiet = false;
    }
}
