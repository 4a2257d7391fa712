/* shown.c - what becomes of the suggestion on the screen; see shown.h.
 *
 * How      One suggestion is followed: where it begins, and the rest of its text that hasn't been
 *          typed or taken yet. An edit at that place either goes on in it, or ends it. What comes
 *          in one piece without being what a key does was taken; what comes by keys was typed.
 * Rules    A piece is counted once, whether the text or a report tells of it first. */
#include "core/request/shown.h"

#include "core/request/gesture.h"

#define NO_MATCH    SIZE_MAX
#define RIGHT_BYTES 4u /* typed as suggested: from then on it was right, whatever came after */

void shown_init(struct shown *s)
{
    *s = (struct shown){.reports = false};
    buf_init(&s->now.rest, SHOWN_MAX_BYTES);
}

void shown_release(struct shown *s)
{
    buf_release(&s->now.rest);
}

/* -- the suggestion -- */

static void clear(struct shown *s)
{
    s->now.id = 0;
    s->now.document = 0;
    buf_clear(&s->now.rest);
}

/* Ends it with an fate that nobody took part in. */
static struct shown_event end(struct shown *s, enum fate fate)
{
    bool was_seen = !s->reports || s->now.is_reported;
    struct shown_event event = {.has_happened =
                                    s->now.id != 0 && !s->now.is_judged && !s->now.is_entry,
                                .fate = fate,
                                .trace = s->now.trace,
                                .is_telling = was_seen && s->now.n_gone < RIGHT_BYTES,
                                .language = s->now.language,
                                .place = s->now.place};
    clear(s);
    return event;
}

static void append_with_eol(struct buf *out, str text, str eol)
{
    size_t at = 0;
    for (size_t end; (end = str_find_char(text, '\n', at)) != SIZE_MAX; at = end + 1) {
        buf_append(out, str_sub(text, at, end));
        buf_append(out, eol);
    }
    buf_append(out, str_sub(text, at, text.len));
}

static bool agree(str a, str b)
{
    size_t n = a.len < b.len ? a.len : b.len;
    return str_eq(str_sub(a, 0, n), str_sub(b, 0, n));
}

static void remember(struct shown *s, uint64_t trace)
{
    size_t i = s->n_answers++ % SHOWN_ANSWERS;
    s->answers[i].trace = trace;
    s->answers[i].suggestion = s->now.id;
    s->answers[i].from = s->now.n_gone;
    s->answers[i].n_bytes = s->now.rest.len;
    s->answers[i].n_taken = 0;
    s->answers[i].language = s->now.language;
    s->answers[i].place = s->now.place;
}

struct shown_event shown_on_answer(struct shown *s, const struct shown_answer *a)
{
    struct buf text;
    buf_init(&text, SHOWN_MAX_BYTES);
    append_with_eol(&text, a->text, document_eol(a->doc->text));
    bool is_there = s->now.document == a->doc->id && s->now.at == a->cursor;
    bool goes_on = is_there && agree(buf_str(&s->now.rest), buf_str(&text));
    struct shown_event event = {.has_happened = false};
    if (!goes_on) {
        if (!is_there && s->now.n_gone == 0) { /* the person has gone elsewhere */
            event = end(s, FATE_IGNORED);
        }
        clear(s);
        s->now.id = ++s->last_id;
        s->now.document = a->doc->id;
        s->now.at = a->cursor;
        s->now.n_gone = 0;
        s->now.is_judged = s->now.is_reported = false;
        s->now.language = a->language;
        s->now.place = a->place;
    }
    s->now.is_entry = a->is_entry;
    s->now.n_replace = a->n_replace;
    s->now.trace = a->trace;
    buf_clear(&s->now.rest);
    buf_append(&s->now.rest, buf_str(&text));
    if (text.is_full) {
        clear(s);
    } else {
        remember(s, a->trace);
    }
    buf_release(&text);
    return event;
}

void shown_on_silence(struct shown *s, uint64_t document)
{
    if (s->now.document == document && !s->now.is_entry) {
        clear(s);
    }
}

struct shown_event shown_leave(struct shown *s, uint64_t document)
{
    if (s->now.id == 0 || s->now.document != document) {
        return (struct shown_event){.has_happened = false};
    }
    return end(s, FATE_IGNORED);
}

/* -- what has been taken -- */

static size_t n_taken_of(const struct shown *s, uint64_t suggestion)
{
    size_t n = 0;
    for (size_t i = 0; i < SHOWN_ANSWERS; i++) {
        bool is_of = s->answers[i].suggestion == suggestion && s->answers[i].trace != 0;
        n = is_of && s->answers[i].n_taken > n ? s->answers[i].n_taken : n;
    }
    return n;
}

static void note_taken(struct shown *s, uint64_t suggestion, size_t up_to)
{
    for (size_t i = 0; i < SHOWN_ANSWERS; i++) {
        if (s->answers[i].suggestion == suggestion) {
            s->answers[i].n_taken = up_to;
        }
    }
}

/* The next `n` bytes of the rest stand in the document now. */
static struct shown_event advance(struct shown *s, size_t n, enum fate fate, bool is_event)
{
    size_t up_to = s->now.n_gone + n;
    bool is_piece = fate == FATE_TAKEN || fate == FATE_PARTLY;
    bool is_told = is_piece && n_taken_of(s, s->now.id) >= up_to; /* by a report */
    struct shown_event event = {.has_happened = is_event && !is_told,
                                .fate = fate,
                                .trace = s->now.trace,
                                .n_bytes = is_piece ? n : 0,
                                .is_telling = !s->now.is_judged,
                                .language = s->now.language,
                                .place = s->now.place};
    s->now.is_judged = s->now.is_judged || is_event;
    if (is_piece) {
        note_taken(s, s->now.id, up_to);
    }
    s->now.n_gone = up_to;
    s->now.at += n;
    buf_consume(&s->now.rest, n);
    if (s->now.rest.len == 0) {
        clear(s);
    }
    return event;
}

/* -- edits -- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           (unsigned char)c >= 0x80;
}

static bool is_line_end(char c)
{
    return c == '\n' || c == '\r';
}

static size_t n_blank(str s)
{
    size_t n = 0;
    while (n < s.len && is_blank(s.ptr[n])) {
        n++;
    }
    return n;
}

/* How much of `rest` is there once `put` is; NO_MATCH where it says something else. */
static size_t match(str rest, str put)
{
    if (str_starts_with(rest, put)) {
        return put.len;
    }
    if (str_starts_with(put, rest)) {
        return rest.len;
    }
    bool is_line = n_blank(put) == put.len && is_line_end(put.ptr[0]) && is_line_end(rest.ptr[0]);
    if (is_line) { /* a new line, indented by the editor in its own way */
        return n_blank(rest);
    }
    bool is_pair = put.ptr[0] == rest.ptr[0] && !is_word(put.ptr[0]) && gesture_is_key(put);
    return is_pair ? 1 : NO_MATCH;
}

/* Whether a piece of so many bytes is a word, or a line: what editors accept at once. */
static bool is_piece(str rest, size_t n)
{
    return is_line_end(rest.ptr[n]) || !is_word(rest.ptr[n]) || !is_word(rest.ptr[n - 1]);
}

static bool has_all(const struct shown *s, const struct document *d, const struct edit *edit)
{
    size_t stop = s->now.at + s->now.rest.len;
    bool is_inside = edit->start >= s->now.at && edit->start + edit->n_inserted <= stop;
    struct buf scratch;
    buf_init(&scratch, SHOWN_MAX_BYTES);
    bool is_there = is_inside && stop <= document_len(d) &&
                    str_eq(document_slice(d, s->now.at, stop, &scratch), buf_str(&s->now.rest));
    buf_release(&scratch);
    return is_there;
}

/* Text was put in at the suggestion's place. */
static struct shown_event take(struct shown *s, str put)
{
    str rest = buf_str(&s->now.rest);
    size_t n = match(rest, put);
    if (n == NO_MATCH) {
        return end(s, FATE_OVER);
    }
    if (is_line_end(put.ptr[0]) && n_blank(put) == put.len) { /* its indentation is another one */
        s->now.at = s->now.at + put.len - n;
    }
    bool is_key = gesture_is_key(put);
    if (n == rest.len) {
        return advance(s, n, is_key ? FATE_TYPED : FATE_TAKEN, !is_key || !s->now.is_judged);
    }
    if (!is_key && is_piece(rest, n)) {
        return advance(s, n, FATE_PARTLY, true);
    }
    bool is_line = is_line_end(rest.ptr[n]) && n_blank(put) < put.len;
    return advance(s, n, FATE_TYPED, is_line && !s->now.is_judged);
}

struct shown_event shown_on_edit(struct shown *s, const struct open_document *doc,
                                 const struct edit *edit)
{
    struct shown_event nothing = {.has_happened = false};
    size_t edit_end = edit->start + edit->n_removed;
    if (s->now.id == 0 || s->now.document != doc->id || s->now.rest.len == 0 ||
        edit->n_removed + edit->n_inserted == 0) {
        return nothing;
    }
    if (edit_end < s->now.at) {
        s->now.at = s->now.at + edit->n_inserted - edit->n_removed;
        return nothing;
    }
    struct buf scratch;
    buf_init(&scratch, SHOWN_MAX_BYTES + 4);
    str put = document_slice(
        doc->text, edit->start,
        edit->start + (edit->n_inserted <= SHOWN_MAX_BYTES ? edit->n_inserted : SHOWN_MAX_BYTES),
        &scratch);
    struct shown_event event = nothing;
    if (!gesture_is_key(put) && has_all(s, doc->text, edit)) {
        event = advance(s, s->now.rest.len, FATE_TAKEN, true);
    } else if (edit->start == s->now.at && put.len > 0 && edit->n_removed <= s->now.n_replace) {
        event = take(s, put);
    } else if (edit->start <= s->now.at) {
        event = end(s, FATE_IGNORED);
    }
    buf_release(&scratch);
    return event;
}

/* -- reports -- */

struct shown_event shown_on_report(struct shown *s, uint64_t trace, size_t n_bytes)
{
    struct shown_event event = {.has_happened = false};
    for (size_t i = 0; i < SHOWN_ANSWERS && trace != 0; i++) {
        if (s->answers[i].trace != trace) {
            continue;
        }
        bool is_whole = n_bytes >= s->answers[i].n_bytes;
        size_t n = is_whole ? s->answers[i].n_bytes : n_bytes;
        size_t up_to = s->answers[i].from + n;
        size_t before = s->answers[i].n_taken;
        if (up_to <= before) {
            return event;
        }
        bool is_now = s->now.id == s->answers[i].suggestion;
        before = before > s->answers[i].from ? before : s->answers[i].from;
        event = (struct shown_event){.has_happened = true,
                                     .fate = is_whole ? FATE_TAKEN : FATE_PARTLY,
                                     .trace = trace,
                                     .n_bytes = up_to - before,
                                     .is_telling = is_now && !s->now.is_judged,
                                     .language = s->answers[i].language,
                                     .place = s->answers[i].place};
        s->now.is_judged = s->now.is_judged || is_now;
        note_taken(s, s->answers[i].suggestion, up_to);
        return event;
    }
    return event;
}

void shown_on_seen(struct shown *s, uint64_t trace)
{
    s->reports = true;
    for (size_t i = 0; i < SHOWN_ANSWERS && s->now.id != 0; i++) {
        if (s->answers[i].trace == trace && s->answers[i].suggestion == s->now.id) {
            s->now.is_reported = true;
        }
    }
}
