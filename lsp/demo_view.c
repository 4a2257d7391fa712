/* demo_view.c - what the demo shows while it runs: a window on a terminal, else lines.
 *
 * Why      On a terminal the ghost text should look as it does in an editor; in a log each thing
 *          that happened should be one line that can be read and searched.
 * How      The window is a few lines around the cursor, drawn as one frame: the text as it is, the
 *          ghost text dimmed at the cursor, further ghost lines below it pushing the rest down.
 * Rules    Nothing here changes the document. All text goes through terminal_append. */
#include "lsp/demo_view.h"

#include "core/base/limits.h"
#include "core/base/memory.h"

#define WINDOW_LINES 14u
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
    struct buf out;     /* owned */
    struct buf scratch; /* owned: for slices of the document */
    unsigned columns, rows, n_lines;
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

static void end_line(struct canvas *c)
{
    buf_append_char(&c->out, '\n');
    c->n_lines++;
}

static str slice(struct canvas *c, const struct document *d, size_t start, size_t end)
{
    buf_clear(&c->scratch);
    return document_slice(d, start, end, &c->scratch);
}

static void put_number(struct canvas *c, size_t line, unsigned *column)
{
    char number[24];
    (void)snprintf(number, sizeof number, "%4zu  ", line + 1);
    put(c, str_from(number), TERMINAL_DIM, column);
}

/* The cursor's line with the ghost text in it, and the ghost text's further lines. */
static void put_cursor_line(struct canvas *c, const struct demo_scene *s, size_t line)
{
    const struct document *d = s->text;
    unsigned column = 0;
    str ghost = s->ghost;
    str part = {0};
    put_number(c, line, &column);
    put(c, slice(c, d, document_line_start(d, line), s->cursor), NULL, &column);
    put(c, STR("|"), TERMINAL_BOLD, &column);
    bool has_more = ghost.len > 0 && str_next(&ghost, '\n', &part);
    put(c, part, TERMINAL_DIM, &column);
    put(c, slice(c, d, s->cursor, document_line_end(d, line)), NULL, &column);
    end_line(c);
    while (has_more && ghost.len > 0 && c->n_lines + 2 < c->rows && str_next(&ghost, '\n', &part)) {
        column = 0;
        put(c, STR("      "), NULL, &column);
        put(c, part, TERMINAL_DIM, &column);
        end_line(c);
    }
}

static void put_window(struct canvas *c, const struct demo_scene *s)
{
    const struct document *d = s->text;
    size_t cursor_line = document_line_at(d, s->cursor);
    size_t above = (c->rows - 3) * 2 / 3;
    size_t line = cursor_line > above ? cursor_line - above : 0;
    for (; c->n_lines + 2 < c->rows && line < document_line_count(d); line++) {
        unsigned column = 0;
        if (line == cursor_line) {
            put_cursor_line(c, s, line);
            continue;
        }
        put_number(c, line, &column);
        put(c, slice(c, d, document_line_start(d, line), document_line_end(d, line)), NULL,
            &column);
        end_line(c);
    }
    while (c->n_lines + 2 < c->rows) {
        end_line(c);
    }
}

void demo_view_draw(struct demo_view *v, const struct demo_scene *s)
{
    if (v->kind != DEMO_VIEW_WINDOW) {
        return;
    }
    struct canvas c = {0};
    terminal_size(&c.columns, &c.rows);
    c.rows = c.rows > WINDOW_LINES + 1 ? WINDOW_LINES : c.rows > 5 ? c.rows - 1 : 4;
    buf_init(&c.out, MIB);
    buf_init(&c.scratch, DOCUMENT_MAX_BYTES);
    unsigned column = 0;
    put(&c, s->title, TERMINAL_BOLD, &column);
    end_line(&c);
    put_window(&c, s);
    column = 0;
    put(&c, s->status, TERMINAL_REVERSE, &column);
    end_line(&c);
    terminal_draw(&v->frame, buf_str(&c.out));
    buf_release(&c.out);
    buf_release(&c.scratch);
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
