/* action_read.c - a model's answer as text for the place that was asked about.
 *
 * How   Here is known what the place looks like: whether it is whole lines, how they are indented,
 *       what stands around. Which part of the answer is code, core/prompt/rewrite decides. */
#include <string.h>

#include "core/base/limits.h"
#include "core/prompt/action.h"
#include "core/prompt/rewrite.h"

#define AROUND_BYTES (8u * KIB)

static bool is_whole_lines(const struct document *d, struct subject_range r)
{
    size_t first = document_line_at(d, r.start);
    size_t last = document_line_at(d, r.end);
    bool begins = true;
    for (size_t i = document_line_start(d, first); i < r.start; i++) {
        begins = begins && str_holds(STR(" \t"), document_byte(d, i));
    }
    return begins && (r.end == document_line_end(d, last) || r.end == document_line_start(d, last));
}

/* The leading blanks that inserted lines get: those of what stands there. */
static void append_indent(const struct document *d, const struct action_target *t, struct buf *out)
{
    size_t n = document_line_at(d, t->insert_at);
    size_t last = document_line_at(d, t->range.end);
    bool is_inside = t->is_below && t->insert_at > t->range.start && t->insert_at < t->range.end;
    while (is_inside && n < last) {
        size_t start = document_line_start(d, ++n);
        if (document_line_end(d, n) > start) {
            subject_indent(d, start, out);
            return;
        }
    }
    subject_indent(d, is_inside ? t->insert_at : t->range.start, out);
}

enum err action_read(const struct action *a, const struct document *d, struct action_target *t,
                     str answer, struct buf *out, struct error *why)
{
    struct buf original, before, after, indent;
    buf_init(&original, PROMPT_MAX_BYTES);
    buf_init(&before, AROUND_BYTES + KIB);
    buf_init(&after, AROUND_BYTES + KIB);
    buf_init(&indent, KIB);
    bool is_insert = a->output == ACTION_INSERT;
    bool is_whole = is_whole_lines(d, t->range);
    if (is_whole && !is_insert) { /* the first line's indentation is replaced, too */
        t->range.start = document_line_start(d, document_line_at(d, t->range.start));
    }
    size_t start = t->range.start;
    size_t end = t->range.end;
    size_t from = start > AROUND_BYTES ? document_floor(d, start - AROUND_BYTES) : 0;
    size_t to = document_len(d) - end > AROUND_BYTES ? document_floor(d, end + AROUND_BYTES)
                                                     : document_len(d);
    document_copy_plain(d, start, end, &original);
    document_copy_plain(d, from, start, &before);
    document_copy_plain(d, end, to, &after);
    if (is_insert) {
        append_indent(d, t, &indent);
    }
    struct rewrite_spec spec = {.original = buf_str(&original),
                                .before = buf_str(&before),
                                .after = buf_str(&after),
                                .is_insert = is_insert,
                                .is_whole_lines = is_whole,
                                .indent = buf_str(&indent)};
    enum err err = rewrite_read(&spec, answer, out, why);
    buf_release(&original);
    buf_release(&before);
    buf_release(&after);
    buf_release(&indent);
    return err;
}
