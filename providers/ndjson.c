/* ndjson.c - JSON texts one to a line, as they come off the wire in pieces of any size.
 *
 * How      Bytes gather in `line` until its end comes; a line that comes in one piece is read
 *          where it lies. Everything is decided on whole lines, so that cutting can't matter.
 * Rules    The buffer is capped. What doesn't fit is dropped to its end and told as oversized. */
#include "providers/ndjson.h"

#include "core/base/limits.h"

void ndjson_init(struct ndjson *n)
{
    *n = (struct ndjson){0};
    buf_init(&n->line, HTTP_MAX_LINE_BYTES);
}

void ndjson_release(struct ndjson *n)
{
    if (n != NULL) {
        buf_release(&n->line);
    }
}

static void end_line(struct ndjson *n, str line, bool is_oversized, ndjson_fn on_line, void *user)
{
    line = is_oversized ? str_of("", 0) : str_trim(line);
    if (is_oversized || line.len > 0) {
        n->is_stopped = !on_line(line, is_oversized, user);
    }
}

void ndjson_feed(struct ndjson *n, str bytes, ndjson_fn on_line, void *user)
{
    while (bytes.len > 0 && !n->is_stopped) {
        size_t end = str_find_char(bytes, '\n', 0);
        str piece = str_sub(bytes, 0, end);
        if (end == SIZE_MAX) {
            buf_append(&n->line, piece);
            return;
        }
        if (n->line.len == 0 && !n->line.is_full) {
            end_line(n, piece, piece.len > n->line.max, on_line, user);
        } else {
            buf_append(&n->line, piece);
            end_line(n, buf_str(&n->line), n->line.is_full, on_line, user);
        }
        buf_clear(&n->line);
        bytes = str_sub(bytes, end + 1, bytes.len);
    }
}

void ndjson_finish(struct ndjson *n, ndjson_fn on_line, void *user)
{
    if (!n->is_stopped && (n->line.len > 0 || n->line.is_full)) {
        end_line(n, buf_str(&n->line), n->line.is_full, on_line, user);
        buf_clear(&n->line);
    }
}
