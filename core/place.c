/* place.c - where a question stands: what the place calls for, and whether it is worth asking.
 *
 * Why   Noise is worse than silence: in an excluded file, a huge one, or the middle of a word no
 *       model is asked, and the reason is kept for who wants to know.
 * Rules Looks at the cursor's line alone, and at a bounded part of it. */
#include "core/base/limits.h"
#include "core/engine_internal.h"

#define LINE_PEEK_BYTES 4096u /* how much of the cursor's line is looked at */

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           (unsigned char)c >= 0x80;
}

static bool is_closers_only(str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (str_find_char(STR(" \t)]}>\"'`,;:"), s.ptr[i], 0) == SIZE_MAX) {
            return false;
        }
    }
    return true;
}

/* Reads the cursor's line and decides what the place calls for. */
static void read_line(struct asked *a, const struct open_document *doc, char *before, char *after)
{
    const struct document *d = doc->text;
    struct buf scratch;
    buf_init(&scratch, 4 * LINE_PEEK_BYTES);
    size_t line = document_line_at(d, a->cursor);
    size_t start = document_line_start(d, line);
    size_t end = document_line_end(d, line);
    start = a->cursor - start > LINE_PEEK_BYTES ? a->cursor - LINE_PEEK_BYTES : start;
    end = end > a->cursor + LINE_PEEK_BYTES ? a->cursor + LINE_PEEK_BYTES : end;
    end = end < a->cursor ? a->cursor : end;
    str left = document_slice(d, start, a->cursor, &scratch);
    *before = left.len > 0 ? left.ptr[left.len - 1] : '\n';
    struct buf tail;
    buf_init(&tail, 4 * LINE_PEEK_BYTES);
    str right = document_slice(d, a->cursor, end, &tail);
    *after = right.len > 0 ? right.ptr[0] : '\n';
    enum multiline mode = a->settings->inline_multiline;
    a->is_multiline = mode != MULTILINE_NEVER && is_closers_only(right);
    a->unit =
        mode == MULTILINE_ALWAYS && a->is_multiline ? UNIT_BLOCK : unit_for_place(left, right);
    if (!a->is_multiline) {
        a->unit = UNIT_LINE;
    }
    a->place = place_class_of(left, right, doc->language);
    buf_release(&scratch);
    buf_release(&tail);
}

/* Why a question isn't worth asking, or NULL. */
static const char *refusal(const struct asked *a, const struct open_document *doc)
{
    const struct settings *s = a->settings;
    if (doc == NULL) {
        return "suppressed: the document isn't open";
    }
    if (doc->is_excluded) {
        return "suppressed: excluded file, no model ever sees it (privacy.exclude)";
    }
    if (document_len(doc->text) > s->inline_file_bytes) {
        return "suppressed: the file is larger than limits.inlineFileMb";
    }
    if (a->kind == QUESTION_INLINE && !s->inline_enabled) {
        return "suppressed: switched off (inline.enabled)";
    }
    if (!a->is_explicit && s->inline_manual_only) {
        return "suppressed: only when asked (inline.trigger)";
    }
    return settings_language_is_on(s, doc->language) ? NULL
                                                     : "suppressed: switched off for this language";
}

const char *place_read(struct asked *a, const struct open_document *doc)
{
    const char *reason = refusal(a, doc);
    if (reason != NULL) {
        return reason;
    }
    ASSERT(a->cursor <= document_len(doc->text) && a->selected_start <= a->cursor);
    char before = '\n';
    char after = '\n';
    read_line(a, doc, &before, &after);
    bool is_inside = is_word(before) && is_word(after);
    return is_inside && !a->is_explicit ? "suppressed: middle of a word" : NULL;
}
