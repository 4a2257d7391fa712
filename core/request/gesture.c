/* gesture.c - what the person's newest edit was; see gesture.h.
 *
 * Why      Right after an undo or a paste nobody waits for a suggestion: who took something back
 *          doesn't want it offered again, and who pasted reads what came.
 * How      Going backwards from the newest edit, the edits that touch one another are joined into
 *          one: the text at [at, at + n) came in place of `old`. Where an edit turns such a text
 *          into its `old` again, it has undone them. Where what has been typed since a deletion is
 *          how `old` begins, it is typed again.
 * Rules    A letter or a word that goes again is a key, not an undo: text can't tell them apart,
 * and a key is the likelier, unless it was a suggestion that went. A change of blanks alone is an
 * editor's indenting. */
#include "core/request/gesture.h"

#include "core/base/utf8.h"

#define OLD_MAX_BYTES   (2u * EDIT_KEPT_BYTES)
#define PASTE_MIN_BYTES 80u /* of one line, blanks not counted */
#define PASTE_MIN_LINES 2u  /* with something on them */
#define INSERT_MAX_BYTES                                                                           \
    (64u * 1024u) /* of an insertion that is looked at; a longer one is a paste */

/* The edits from some past one to the newest, as one. */
struct joined {
    size_t at, n;   /* what stands there now */
    struct buf old; /* what it stands for */
};

static struct gesture_lane *find_lane(const struct gestures *g, uint64_t document)
{
    for (size_t i = 0; i < GESTURE_DOCUMENTS; i++) {
        if (g->lanes[i].document == document) {
            return (struct gesture_lane *)(uintptr_t)&g->lanes[i];
        }
    }
    return NULL;
}

static void clear_lane(struct gesture_lane *lane)
{
    for (size_t i = 0; i < GESTURE_EDITS; i++) {
        buf_release(&lane->edits[i].removed);
    }
    *lane = (struct gesture_lane){.document = 0};
}

static struct gesture_lane *take_lane(struct gestures *g, uint64_t document)
{
    struct gesture_lane *lane = find_lane(g, document);
    if (!lane) {
        lane = &g->lanes[0];
        for (size_t i = 1; i < GESTURE_DOCUMENTS; i++) {
            lane = g->lanes[i].used < lane->used ? &g->lanes[i] : lane;
        }
        clear_lane(lane);
        lane->document = document;
    }
    lane->used = ++g->n_used;
    return lane;
}

void gestures_release(struct gestures *g)
{
    for (size_t i = 0; i < GESTURE_DOCUMENTS; i++) {
        clear_lane(&g->lanes[i]);
    }
}

void gestures_forget(struct gestures *g, uint64_t document)
{
    struct gesture_lane *lane = find_lane(g, document);
    if (lane) {
        clear_lane(lane);
    }
}

/* -- joining -- */

/* Joins one more, older edit to the front; false where it lies apart, or its text isn't known. */
static bool join(struct joined *j, const struct past_edit *e)
{
    size_t m = j->old.len;
    size_t end = e->start + e->n_inserted;
    bool is_known = e->n_removed == e->removed.len;
    if (!is_known || e->start > j->at + m || end < j->at) {
        return false;
    }
    size_t before = e->start > j->at ? e->start - j->at : 0;
    size_t behind = j->at + m > end ? j->at + m - end : 0;
    buf_splice(&j->old, before, m - behind, buf_str(&e->removed));
    j->n += j->at > e->start ? j->at - e->start : 0;
    j->n += end > j->at + m ? end - (j->at + m) : 0;
    j->at = e->start < j->at ? e->start : j->at;
    return !j->old.is_full;
}

static bool stands_at(const struct document *d, size_t at, str text)
{
    struct buf scratch;
    buf_init(&scratch, OLD_MAX_BYTES);
    bool is_same = at + text.len <= document_len(d) &&
                   str_eq(document_slice(d, at, at + text.len, &scratch), text);
    buf_release(&scratch);
    return is_same;
}

/* Whether `edit`, which has been made, turned the joined edits' text into what was before it. */
static bool is_inverse(const struct joined *j, const struct document *d, const struct edit *edit)
{
    return edit->start >= j->at && edit->start + edit->n_removed <= j->at + j->n &&
           j->n + edit->n_inserted == j->old.len + edit->n_removed &&
           stands_at(d, j->at, buf_str(&j->old));
}

/* Whether the joined text, which stands in the document, is how the old one began. */
static bool is_again(const struct joined *j, const struct document *d)
{
    return j->n > 0 && j->n <= j->old.len &&
           stands_at(d, j->at, str_sub(buf_str(&j->old), 0, j->n));
}

static const struct past_edit *past(const struct gesture_lane *lane, size_t back)
{
    return &lane->edits[(lane->n - 1 - back) % GESTURE_EDITS];
}

static size_t n_past(const struct gesture_lane *lane)
{
    return lane->n < GESTURE_EDITS ? lane->n : GESTURE_EDITS;
}

/* One word, or less: what a single key deletes, too. */
static bool is_word_at_most(str s)
{
    s = str_trim(s);
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] == ' ' || s.ptr[i] == '\t' || s.ptr[i] == '\n') {
            return false;
        }
    }
    return true;
}

/* The lane doesn't hold `edit` yet. */
static bool has_undone(const struct gesture_lane *lane, const struct document *d,
                       const struct edit *edit)
{
    struct joined j = {.at = 0};
    buf_init(&j.old, OLD_MAX_BYTES);
    bool is_found = false;
    bool is_key = edit->n_inserted == 0 && is_word_at_most(edit->removed); /* Ctrl+Backspace, say */
    for (size_t back = 0; back < n_past(lane) && !is_found; back++) {
        const struct past_edit *e = past(lane, back);
        if (is_key && (back > 0 || !e->is_taken)) {
            break;
        }
        if (back == 0) { /* nothing lies between it and what it meets */
            j.at = e->start + e->n_inserted;
        }
        if (!join(&j, e)) {
            break;
        }
        is_found = is_inverse(&j, d, edit);
    }
    buf_release(&j.old);
    return is_found;
}

/* The lane holds the edit already. */
static bool has_retyped(const struct gesture_lane *lane, const struct document *d)
{
    struct joined j = {.at = past(lane, 0)->start + past(lane, 0)->n_inserted};
    buf_init(&j.old, OLD_MAX_BYTES);
    bool is_found = false;
    for (size_t back = 0; back < n_past(lane) && !is_found; back++) {
        if (!join(&j, past(lane, back))) {
            break;
        }
        is_found = is_again(&j, d);
    }
    buf_release(&j.old);
    return is_found;
}

/* -- what is put in -- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static size_t n_visible(str s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++) {
        n += !is_blank(s.ptr[i]);
    }
    return n;
}

static bool is_one_letter(str s)
{
    return s.len > 0 && s.len <= 4 && utf8_floor(s, s.len - 1) == 0;
}

/* "()", and what editors put between braces: "{\n    \n}" comes as one edit or two. */
static bool is_pair(str s)
{
    static const char *const pairs[] = {"()", "[]", "{}", "\"\"", "''", "``", "<>"};
    if (s.len < 2 || n_visible(s) != 2) {
        return false;
    }
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        if (s.ptr[0] == pairs[i][0] && s.ptr[s.len - 1] == pairs[i][1]) {
            return true;
        }
    }
    return false;
}

bool gesture_is_key(str typed)
{
    return is_one_letter(typed) || is_pair(typed) || n_visible(typed) == 0;
}

static bool is_paste(str put)
{
    size_t n_lines = 0;
    str rest = put, line;
    while (str_next(&rest, '\n', &line)) {
        n_lines += n_visible(line) > 1; /* a lone brace is an editor's closing */
    }
    return n_lines >= PASTE_MIN_LINES || n_visible(put) >= PASTE_MIN_BYTES;
}

static enum gesture name_put(str put, bool is_long)
{
    if (is_long || is_paste(put)) {
        return GESTURE_PASTED;
    }
    return gesture_is_key(put) ? GESTURE_TYPED : GESTURE_INSERTED;
}

static void note(struct gesture_lane *lane, const struct edit *edit)
{
    struct past_edit *e = &lane->edits[lane->n++ % GESTURE_EDITS];
    e->start = edit->start;
    e->n_inserted = edit->n_inserted;
    e->n_removed = edit->n_removed;
    e->is_taken = false;
    buf_release(&e->removed);
    buf_init(&e->removed, EDIT_KEPT_BYTES);
    buf_append(&e->removed, edit->removed);
    lane->start = edit->start;
    lane->end = edit->start + edit->n_inserted;
}

enum gesture gestures_on_edit(struct gestures *g, const struct open_document *doc,
                              const struct edit *edit)
{
    struct gesture_lane *lane = take_lane(g, doc->id);
    if (edit->n_inserted == 0 && edit->n_removed == 0) {
        return lane->newest;
    }
    struct buf scratch;
    buf_init(&scratch, INSERT_MAX_BYTES);
    bool is_long = edit->n_inserted > INSERT_MAX_BYTES;
    str put =
        is_long ? STR("")
                : document_slice(doc->text, edit->start, edit->start + edit->n_inserted, &scratch);
    bool is_more = (put.len > 0 && !is_one_letter(put)) ||
                   (edit->n_removed > 0 && !is_one_letter(edit->removed));
    bool is_seen = n_visible(put) > 0 || n_visible(edit->removed) > 0;
    bool is_undone = is_more && is_seen && has_undone(lane, doc->text, edit);
    note(lane, edit);
    if (is_undone) {
        lane->newest = GESTURE_UNDONE;
    } else if (edit->n_inserted == 0) {
        lane->newest = GESTURE_ERASED;
    } else {
        lane->newest = name_put(put, is_long);
        if (lane->newest == GESTURE_TYPED && n_visible(put) > 0 && has_retyped(lane, doc->text)) {
            lane->newest = GESTURE_RETYPED;
        }
    }
    buf_release(&scratch);
    return lane->newest;
}

void gestures_accepted(struct gestures *g, uint64_t document)
{
    struct gesture_lane *lane = find_lane(g, document);
    if (lane && lane->n > 0) {
        lane->newest = GESTURE_INSERTED;
        lane->edits[(lane->n - 1) % GESTURE_EDITS].is_taken = true;
    }
}

enum gesture gestures_at(const struct gestures *g, uint64_t document, size_t cursor)
{
    const struct gesture_lane *lane = find_lane(g, document);
    return lane && cursor >= lane->start && cursor <= lane->end ? lane->newest : GESTURE_NONE;
}
