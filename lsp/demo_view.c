/* demo_view.c - what the demo shows while it runs: a window on a terminal, else lines.
 *
 * Why      On a terminal the ghost text should look as it does in an editor; in a log each thing
 *          that happened should be one line that can be read and searched.
 * How      The window is a few lines around the cursor, drawn as one frame: the text as it is,
 *          what was accepted in green, the ghost text dimmed at the cursor, further ghost lines
 *          below it pushing the rest down.
 * Rules    Nothing here changes the document. All text goes through terminal_append. */
#include "lsp/demo_view.h"

#include "core/base/limits.h"
#include "core/base/utf8.h"

#define WINDOW_LINES 15u
#define STATUS_LINES 2u
#define GUTTER       6u

void demo_view_init(struct demo_view *v, enum demo_view_kind kind, uint64_t now_us)
{
    *v = (struct demo_view){.kind = kind, .start_us = now_us};
    buf_init(&v->typed, 64 * KIB);
}

void demo_view_release(struct demo_view *v)
{
    if (v->kind == DEMO_VIEW_WINDOW) {
        terminal_leave(&v->frame);
    }
    buf_release(&v->typed);
}

void demo_view_resized(struct demo_view *v)
{
    if (v->kind == DEMO_VIEW_WINDOW) {
        terminal_restart(&v->frame);
    }
}

/* -- the window -- */

struct canvas {
    struct buf out;         /* owned */
    struct buf scratch;     /* owned: for slices of the document */
    unsigned columns, rows; /* the frame's */
    unsigned left;          /* columns of the line at hand that are scrolled out */
    unsigned n_lines;
};

/* Appends a slice, with the escape sequence `style` around it where there is one. */
static void put(struct canvas *c, str text, const char *style, unsigned *column)
{
    if (style != NULL) {
        buf_append(&c->out, str_from(style));
    }
    terminal_append(&c->out, text, column, c->columns);
    if (style != NULL) {
        buf_append(&c->out, STR(TERMINAL_PLAIN));
    }
}

/* The same for text of the file, right of the numbers; *column counts from the line's start. */
static void put_text(struct canvas *c, str text, const char *style, unsigned *column)
{
    unsigned shown = c->columns > GUTTER ? c->columns - GUTTER : 0;
    if (text.len == 0) {
        return;
    }
    if (style != NULL) {
        buf_append(&c->out, str_from(style));
    }
    terminal_append_from(&c->out, text, column, c->left, c->left + shown);
    if (style != NULL) {
        buf_append(&c->out, STR(TERMINAL_PLAIN));
    }
}

static void end_line(struct canvas *c)
{
    buf_append_char(&c->out, '\n');
    c->n_lines++;
}

static bool has_room(const struct canvas *c)
{
    return c->n_lines + STATUS_LINES < c->rows;
}

static str slice(struct canvas *c, const struct document *d, size_t start, size_t end)
{
    buf_clear(&c->scratch);
    return document_slice(d, start, end, &c->scratch);
}

/* The number in front of a line, and whether some of the line is scrolled out. */
static void put_number(struct canvas *c, size_t line)
{
    unsigned column = 0;
    char number[24];
    (void)snprintf(number, sizeof number, "%4zu %c", (line + 1) % 10000, c->left > 0 ? '<' : ' ');
    put(c, str_from(number), TERMINAL_DIM, &column);
}

/* [start, end) of the document, which is on one line; what was accepted of it in its colour. */
static void put_range(struct canvas *c, const struct demo_view *v, const struct demo_scene *s,
                      struct demo_span range, unsigned *column)
{
    for (size_t i = 0; i < v->n_accepted && range.start < range.end; i++) {
        struct demo_span own = v->accepted[i];
        if (own.end <= range.start || own.start >= range.end) {
            continue;
        }
        own.start = own.start > range.start ? own.start : range.start;
        own.end = own.end < range.end ? own.end : range.end;
        put_text(c, slice(c, s->text, range.start, own.start), NULL, column);
        put_text(c, slice(c, s->text, own.start, own.end), TERMINAL_GREEN, column);
        range.start = own.end;
    }
    put_text(c, slice(c, s->text, range.start, range.end), NULL, column);
}

/* How far the cursor's line is scrolled, in steps, so that the cursor is seen and some ghost text
 * behind it. */
static unsigned left_of(struct canvas *c, const struct demo_scene *s)
{
    unsigned step = c->columns > 3 * GUTTER ? (c->columns - GUTTER) / 3 : GUTTER;
    size_t start = document_line_start(s->text, document_line_at(s->text, s->cursor));
    unsigned at = terminal_width(slice(c, s->text, start, s->cursor), 0);
    return at < 2 * step ? 0 : (at / step - 1) * step;
}

/* The cursor's line with the ghost text in it, and the ghost text's further lines. */
static void put_cursor_line(struct canvas *c, const struct demo_view *v, const struct demo_scene *s,
                            size_t line)
{
    const struct document *d = s->text;
    unsigned column = 0;
    str ghost = s->ghost;
    str part = {0};
    c->left = left_of(c, s);
    put_number(c, line);
    put_range(c, v, s, (struct demo_span){document_line_start(d, line), s->cursor}, &column);
    bool has_ghost = ghost.len > 0 && str_next(&ghost, '\n', &part);
    str under = part; /* the cursor stands on the first character, as in an editor */
    uint32_t cp;
    under.len = part.len > 0 ? utf8_decode(part, &cp) : 0;
    put_text(c, under.len > 0 ? under : STR(" "), TERMINAL_CURSOR, &column);
    put_text(c, str_sub(part, under.len, part.len), TERMINAL_DIM, &column);
    put_text(c, slice(c, d, s->cursor, document_line_end(d, line)), NULL, &column);
    end_line(c);
    c->left = 0;
    while (has_ghost && ghost.len > 0 && has_room(c) && str_next(&ghost, '\n', &part)) {
        buf_append(&c->out, STR("      "));
        column = 0;
        put_text(c, part, TERMINAL_DIM, &column);
        end_line(c);
    }
}

static void put_lines(struct canvas *c, const struct demo_view *v, const struct demo_scene *s)
{
    const struct document *d = s->text;
    size_t cursor_line = document_line_at(d, s->cursor);
    size_t above = (c->rows - 1 - STATUS_LINES) * 2 / 3;
    size_t line = cursor_line > above ? cursor_line - above : 0;
    for (; has_room(c) && line < document_line_count(d); line++) {
        unsigned column = 0;
        if (line == cursor_line) {
            put_cursor_line(c, v, s, line);
            continue;
        }
        put_number(c, line);
        put_range(c, v, s,
                  (struct demo_span){document_line_start(d, line), document_line_end(d, line)},
                  &column);
        end_line(c);
    }
    while (has_room(c)) {
        end_line(c);
    }
}

static void put_status(struct canvas *c, str text, const char *style)
{
    unsigned column = 0;
    put(c, text, style, &column);
    end_line(c);
}

void demo_view_draw(struct demo_view *v, const struct demo_scene *s)
{
    if (v->kind != DEMO_VIEW_WINDOW) {
        return;
    }
    struct canvas c = {0};
    terminal_size(&c.columns, &c.rows);
    c.rows = c.rows > WINDOW_LINES + 1 ? WINDOW_LINES : c.rows > 6 ? c.rows - 1 : 5;
    buf_init(&c.out, MIB);
    buf_init(&c.scratch, DOCUMENT_MAX_BYTES);
    put_status(&c, s->title, TERMINAL_BOLD);
    put_lines(&c, v, s);
    put_status(&c, s->last, NULL);
    put_status(&c, s->figures, TERMINAL_REVERSE);
    terminal_draw(&v->frame, buf_str(&c.out));
    buf_release(&c.out);
    buf_release(&c.scratch);
}

void demo_view_accepted(struct demo_view *v, size_t start, size_t end)
{
    if (v->n_accepted > 0 && v->accepted[v->n_accepted - 1].end == start) {
        v->accepted[v->n_accepted - 1].end = end;
    } else if (v->n_accepted < DEMO_VIEW_MAX_SPANS) {
        v->accepted[v->n_accepted++] = (struct demo_span){start, end};
    }
}

/* -- lines -- */

/* Text in quotes with its line ends visible. */
static void append_quoted(struct buf *out, str text)
{
    buf_append_char(out, '"');
    str line;
    bool is_first = true;
    while (str_next(&text, '\n', &line)) {
        unsigned column = 0;
        buf_append(out, is_first ? STR("") : STR("\\n"));
        terminal_append(out, line, &column, 4096);
        is_first = false;
    }
    buf_append_char(out, '"');
}

static void print_line(const struct demo_view *v, const char *what, str text, str how,
                       uint64_t now_us)
{
    struct buf out = {0};
    buf_init(&out, 256 * KIB);
    buf_appendf(&out, "%7.3f  %-9s", (double)(now_us - v->start_us) / 1e6, what);
    append_quoted(&out, text);
    if (how.len > 0) {
        buf_appendf(&out, "  (" STR_FMT ")", STR_ARG(how));
    }
    buf_append_char(&out, '\n');
    terminal_write(buf_str(&out));
    buf_release(&out);
}

static void flush_typed(struct demo_view *v, uint64_t now_us)
{
    if (v->typed.len > 0) {
        print_line(v, "typed", buf_str(&v->typed), (str){0}, now_us);
        buf_clear(&v->typed);
    }
}

void demo_view_typed(struct demo_view *v, str key, uint64_t now_us)
{
    if (v->kind != DEMO_VIEW_LINES) {
        return;
    }
    buf_append(&v->typed, key);
    if (str_find_char(key, '\n', 0) != SIZE_MAX) {
        flush_typed(v, now_us);
    }
}

void demo_view_event(struct demo_view *v, const char *what, str text, str how, uint64_t now_us)
{
    if (v->kind != DEMO_VIEW_LINES) {
        return;
    }
    flush_typed(v, now_us);
    print_line(v, what, text, how, now_us);
}
