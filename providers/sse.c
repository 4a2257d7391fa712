/* sse.c - server-sent events, as they come off the wire in pieces of any size.
 *
 * Why      A network cuts anywhere: inside a code point, between CR and LF, inside the word `data`.
 * How      Bytes gather in `line` until its end comes, whole lines gather in `name` and `data`
 *          until a blank line comes. Everything else is decided on whole lines, so that cutting
 *          can't matter. A line that comes in one piece is read where it lies.
 * Rules    Buffers are capped. What doesn't fit is dropped to its end and the event marked. */
#include "providers/sse.h"

#include "core/base/limits.h"

#define BOM STR("\xEF\xBB\xBF")

void sse_init(struct sse *s)
{
    *s = (struct sse){0};
    buf_init(&s->line, HTTP_MAX_LINE_BYTES);
    buf_init(&s->name, KIB);
    buf_init(&s->data, HTTP_MAX_LINE_BYTES);
}

void sse_release(struct sse *s)
{
    if (s == NULL) {
        return;
    }
    buf_release(&s->line);
    buf_release(&s->name);
    buf_release(&s->data);
}

static void end_event(struct sse *s, sse_fn on_event, void *user)
{
    bool is_oversized = s->is_oversized || s->data.is_full;
    if (s->has_data || is_oversized) {
        struct sse_event event = {.name = buf_str(&s->name),
                                  .data = is_oversized ? str_of("", 0) : buf_str(&s->data),
                                  .is_oversized = is_oversized};
        s->is_stopped = !on_event(&event, user);
    }
    buf_clear(&s->name);
    buf_clear(&s->data);
    s->has_data = s->is_oversized = false;
}

static void take_field(struct sse *s, str name, str value)
{
    /* Older builds of llama-server put a failure into a field of its own. */
    if (str_eq(name, STR("data")) || str_eq(name, STR("error"))) {
        if (s->has_data) {
            buf_append_char(&s->data, '\n');
        }
        buf_append(&s->data, value);
        s->has_data = true;
    } else if (str_eq(name, STR("event"))) {
        buf_clear(&s->name);
        buf_append(&s->name, value);
    }
}

static void end_line(struct sse *s, str line, sse_fn on_event, void *user)
{
    if (!s->is_past_bom) {
        s->is_past_bom = true;
        line = str_starts_with(line, BOM) ? str_sub(line, BOM.len, line.len) : line;
    }
    if (s->line.is_full) {
        s->is_oversized = true;
        return;
    }
    if (line.len == 0) {
        end_event(s, on_event, user);
        return;
    }
    size_t colon = str_find_char(line, ':', 0);
    if (colon == SIZE_MAX) {
        take_field(s, line, str_of("", 0));
        return;
    }
    size_t value = colon + 1;
    value += value < line.len && line.ptr[value] == ' ';
    take_field(s, str_sub(line, 0, colon), str_sub(line, value, line.len)); /* ":..." has no name */
}

static bool is_line_end(char c)
{
    return c == '\n' || c == '\r';
}

void sse_feed(struct sse *s, str bytes, sse_fn on_event, void *user)
{
    size_t i = 0;
    while (i < bytes.len && !s->is_stopped) {
        if (s->was_cr && bytes.ptr[i] == '\n') {
            i++;
        }
        s->was_cr = false;
        size_t end = i;
        while (end < bytes.len && !is_line_end(bytes.ptr[end])) {
            end++;
        }
        str piece = str_sub(bytes, i, end);
        if (end == bytes.len) {
            buf_append(&s->line, piece);
            return;
        }
        bool is_whole = s->line.len == 0 && !s->line.is_full && piece.len <= s->line.max;
        if (!is_whole) {
            buf_append(&s->line, piece);
        }
        s->was_cr = bytes.ptr[end] == '\r';
        end_line(s, is_whole ? piece : buf_str(&s->line), on_event, user);
        buf_clear(&s->line);
        i = end + 1;
    }
}

void sse_finish(struct sse *s, sse_fn on_event, void *user)
{
    if (s->is_stopped) {
        return;
    }
    if (s->line.len > 0 || s->line.is_full) {
        end_line(s, buf_str(&s->line), on_event, user);
        buf_clear(&s->line);
    }
    if (!s->is_stopped) {
        end_event(s, on_event, user);
    }
}
