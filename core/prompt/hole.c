/* hole.c - cleaning what a model that follows instructions says for a hole.
 *
 * Why      Models that were taught to talk wrap code in fences, begin the line anew and explain
 *          themselves, whatever they are told. A fence or an apology as ghost text is worse than
 *          none.
 * How      A machine over a small buffer of what can't be told yet. LEADS: blanks and the mark
 *          before the text. OPENS: the line of an opening fence. SPEAKS: is the first line said to
 *          a person? DROPS: line ends before the text. REPEATS: is it the cursor's line once more?
 * GIVES: the text itself, up to a closing fence or the mark. Each step consumes something, goes on,
 * or waits for more. Rules    No step looks at how the input was cut: it waits until what it
 * decides by is there, and what it waits for is bounded by the constants below, so that the buffer
 * is. */
#include "core/prompt/hole.h"

#include <string.h>

#include "core/base/limits.h"
#include "core/base/memory.h"
#include "core/prompt/template.h"

#define PIECE_BYTES  4096u /* of input that is looked at at once */
#define LEAD_BYTES   512u  /* of blanks that are waited through */
#define INFO_BYTES   256u  /* of a fence's line */
#define SPEECH_BYTES 512u  /* of a first line that may be a sentence */
#define REPEAT_BYTES 2048u /* of a line that is recognised when it is repeated */
#define REPEAT_MIN   3u    /* less than that is repeated by chance */
#define FENCE_MIN    3u
#define MIN_WORDS    4u /* of a sentence */

enum state {
    STATE_LEADS,
    STATE_OPENS,
    STATE_SPEAKS,
    STATE_DROPS,
    STATE_REPEATS,
    STATE_GIVES,
    STATE_OVER
};
enum step { STEP_AGAIN, STEP_WAIT };

struct hole {
    struct buf line, mark;
    bool is_multiline;
    bool is_prose;      /* the document speaks to people itself */
    bool may_say;       /* the cursor stands in a comment or a string: a sentence is fine there */
    bool is_line_start; /* nothing of the text's first line has been consumed */
    char fence;         /* around the text; '\0': none */
    size_t fence_len;
    enum state state;
    enum hole_end end;
    struct buf held;
};

/* -- what is said -- */

void hole_mark(const struct hole_text *t, struct buf *out)
{
    size_t start = out->len;
    buf_append(out, STR("<CURSOR>"));
    for (unsigned n = 1;; n++) {
        str mark = str_sub(buf_str(out), start, out->len);
        if (str_find(t->prefix, mark, 0) == SIZE_MAX && str_find(t->suffix, mark, 0) == SIZE_MAX) {
            return;
        }
        buf_truncate(out, start);
        buf_appendf(out, "<CURSOR_%u>", n);
    }
}

void hole_system(str mark, struct buf *out)
{
    buf_appendf(out,
                "You complete text inside an editor. The user sends part of a file in which the "
                "mark " STR_FMT " stands where the cursor is. Answer with the exact text that is "
                "to be put in the place of the mark, and with nothing else: no explanation, no "
                "code fence, nothing of what stands before or after the mark. Keep the file's "
                "style and indentation. Write what the place calls for, often the rest of one "
                "line, and stop. If nothing belongs there, answer with nothing.",
                STR_ARG(mark));
}

static str language_of(str language, str file_name)
{
    return language.len > 0 ? language : template_language(file_name);
}

void hole_message(const struct hole_text *t, str mark, struct buf *out)
{
    buf_append(out, STR("File: "));
    template_append_name(t->file_name, out);
    buf_append(out, STR("\nLanguage: "));
    template_append_name(language_of(t->language, t->file_name), out);
    buf_append(out, STR("\n\n"));
    template_neutralise(t->prefix, out);
    buf_append(out, mark);
    template_neutralise(t->suffix, out);
}

/* -- what the place is like -- */

static bool is_prose(str language)
{
    static const char *const IDS[] = {"markdown", "plaintext", "text",     "txt",
                                      "md",       "rst",       "asciidoc", "restructuredtext",
                                      "latex",    "tex",       "org",      "git-commit",
                                      "mdx",      "quarto",    "typst",    "gitcommit",
                                      "cucumber", "gherkin",   "feature"};
    for (size_t i = 0; i < sizeof IDS / sizeof *IDS; i++) {
        if (str_eq_nocase(language, str_from(IDS[i]))) {
            return true;
        }
    }
    return false;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static size_t count_char(str s, char c)
{
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++) {
        n += s.ptr[i] == c;
    }
    return n;
}

/* Whether what follows on this line is rather a comment's or a string's text. */
static bool is_said_here(str line)
{
    static const char *const MARKS[] = {"//", "/*", "#", "--", "<!--"};
    str text = str_trim(line);
    for (size_t i = 0; i < sizeof MARKS / sizeof *MARKS; i++) {
        if (str_find(text, str_from(MARKS[i]), 0) != SIZE_MAX) {
            return true;
        }
    }
    bool is_begun = text.len > 0 && strchr("*;\"", text.ptr[0]) != NULL;
    return is_begun || count_char(text, '"') % 2 == 1 || count_char(text, '\'') % 2 == 1;
}

struct hole *hole_create(const struct hole_spec *spec)
{
    struct hole *h = xcalloc(1, sizeof(*h));
    buf_init(&h->line, REPEAT_BYTES);
    buf_init(&h->mark, KIB);
    buf_init(&h->held, 4 * PIECE_BYTES);
    if (spec->line_before.len <= REPEAT_BYTES) {
        buf_append(&h->line, spec->line_before);
    }
    buf_append(&h->mark, spec->mark);
    h->is_multiline = spec->is_multiline;
    h->is_prose = is_prose(language_of(spec->language, spec->file_name));
    h->may_say = is_said_here(spec->line_before);
    return h;
}

void hole_destroy(struct hole *h)
{
    if (h != NULL) {
        buf_release(&h->line);
        buf_release(&h->mark);
        buf_release(&h->held);
        xfree(h);
    }
}

/* -- steps -- */

static enum step move(struct hole *h, size_t n_consumed, enum state next)
{
    buf_consume(&h->held, n_consumed);
    h->state = next;
    return STEP_AGAIN;
}

static enum step finish(struct hole *h, enum hole_end why)
{
    h->end = why;
    return move(h, h->held.len, STATE_OVER);
}

/* Blanks at the beginning, line ends too. *is_all: there is nothing else yet, and more may come. */
static size_t count_lead(str text, bool is_last, bool *is_all)
{
    size_t n = 0;
    while (n < text.len && n < LEAD_BYTES && (is_blank(text.ptr[n]) || text.ptr[n] == '\n')) {
        n++;
    }
    *is_all = n == text.len && n < LEAD_BYTES && !is_last;
    return n;
}

static size_t count_run(str text, size_t at, char c)
{
    size_t n = 0;
    while (at + n < text.len && text.ptr[at + n] == c) {
        n++;
    }
    return n;
}

/* Whether `text` begins with the mark; *may_become: or will, when more has come. */
static bool is_at_mark(const struct hole *h, str text, bool is_last, bool *may_become)
{
    str mark = buf_str(&h->mark);
    *may_become = !is_last && text.len < mark.len && str_starts_with(mark, text);
    return mark.len > 0 && str_starts_with(text, mark);
}

static enum step lead(struct hole *h, bool is_last)
{
    str text = buf_str(&h->held);
    bool is_all, may_become;
    size_t n = count_lead(text, is_last, &is_all);
    if (is_all) {
        return STEP_WAIT;
    }
    if (n == text.len || n == LEAD_BYTES) {
        return finish(h, HOLE_EMPTY);
    }
    str rest = str_sub(text, n, text.len);
    if (is_at_mark(h, rest, is_last, &may_become)) {
        h->is_line_start = false;
        return move(h, n + h->mark.len, STATE_DROPS);
    }
    char c = rest.ptr[0];
    size_t run = c == '`' || c == '~' ? count_run(rest, 0, c) : 0;
    if (may_become || (run > 0 && run == rest.len && run < INFO_BYTES && !is_last)) {
        return STEP_WAIT;
    }
    h->is_line_start = true;
    if (run < FENCE_MIN) {
        return move(h, 0, STATE_SPEAKS);
    }
    if (run >= INFO_BYTES) {
        return finish(h, HOLE_EMPTY);
    }
    h->fence = c;
    h->fence_len = run;
    return move(h, n, STATE_OPENS);
}

/* Where a Markdown document is written, a fence with a language is part of it. */
static bool is_wrapper(const struct hole *h, str info)
{
    return !h->is_prose || info.len == 0 || is_prose(info);
}

/* The line of an opening fence; or the whole text between two of them on one line. */
static enum step open_fence(struct hole *h, bool is_last, struct buf *out)
{
    str text = buf_str(&h->held);
    str line = str_sub(text, h->fence_len, h->fence_len + INFO_BYTES);
    for (size_t i = 0; i < line.len; i++) {
        if (line.ptr[i] == '\n') {
            if (!is_wrapper(h, str_trim(str_sub(line, 0, i)))) {
                h->fence = '\0';
                return move(h, 0, STATE_GIVES);
            }
            return move(h, h->fence_len + i + 1, STATE_DROPS);
        }
        size_t run = count_run(line, i, h->fence);
        if (i + run == line.len && run > 0 && line.len < INFO_BYTES && !is_last) {
            return STEP_WAIT;
        }
        if (run >= h->fence_len) {
            size_t mark = str_find(str_sub(line, 0, i), buf_str(&h->mark), 0);
            buf_append(out, str_sub(line, 0, mark < i ? mark : i));
            return finish(h, HOLE_FENCE_CLOSED);
        }
        i += run > 0 ? run - 1 : 0;
    }
    return line.len < INFO_BYTES && !is_last ? STEP_WAIT : finish(h, HOLE_EMPTY);
}

/* -- is it said to a person -- */

/* How answers begin that are about the code instead of being it. Those that are about the asking
 * are refused everywhere; the others may well stand in a comment or in prose. */
static const struct {
    const char *text;
    bool is_about_asking;
} OPENINGS[] = {
    {"sure,", true},           {"sure!", true},
    {"certainly,", true},      {"certainly!", true},
    {"absolutely!", true},     {"of course,", true},
    {"of course!", true},      {"okay,", true},
    {"i'm sorry", true},       {"i am sorry", true},
    {"as an ai", true},        {"here is the", false},
    {"here is your", false},   {"here is a", false},
    {"here's the", false},     {"here's your", false},
    {"here's a", false},       {"here are the", false},
    {"sorry, ", false},        {"i can't ", false},
    {"i cannot ", false},      {"i'll ", false},
    {"i will ", false},        {"i would ", false},
    {"i've ", false},          {"i have ", false},
    {"i'm ", false},           {"i need ", false},
    {"i don't ", false},       {"it looks like", false},
    {"it seems ", false},      {"based on the", false},
    {"looking at the", false}, {"let me explain", false},
    {"let me help", false},    {"let me complete", false},
    {"to complete ", false},   {"to fill ", false},
    {"the missing ", false},   {"the text that", false},
    {"the code that", false},  {"the cursor ", false},
    {"the mark ", false},      {"the following ", false},
    {"the completed ", false}, {"the completion ", false},
    {"unfortunately", false},  {"you can ", false},
    {"you should ", false},    {"below is ", false},
    {"this code ", false},     {"this completes", false},
};
#define N_OPENINGS (sizeof OPENINGS / sizeof *OPENINGS)

static bool is_opening(const struct hole *h, str text, bool *may_become)
{
    *may_become = false;
    for (size_t i = 0; i < N_OPENINGS; i++) {
        str opening = str_from(OPENINGS[i].text);
        if ((h->is_prose || h->may_say) && !OPENINGS[i].is_about_asking) {
            continue;
        }
        if (str_eq_nocase(str_sub(text, 0, opening.len), opening)) {
            return true;
        }
        *may_become = *may_become || (text.len < opening.len &&
                                      str_eq_nocase(str_sub(opening, 0, text.len), text));
    }
    return false;
}

/* Letters of any script, and what sentences are made of beside them. */
static bool is_of_speech(char c)
{
    bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     (c & 0x80) != 0;
    return is_letter || str_holds(STR(" ,.:;!?'-\"`\r"), c);
}

static bool is_sentence(str line)
{
    str text = str_trim(line);
    size_t n_words = 1 + count_char(text, ' ');
    return n_words >= MIN_WORDS && text.len > 0 && str_holds(STR(".:!?"), text.ptr[text.len - 1]);
}

static enum step listen(struct hole *h, bool is_last)
{
    str text = buf_str(&h->held);
    bool is_all, may_become;
    size_t lead = count_lead(text, is_last, &is_all);
    str line = str_sub(text, lead, lead + SPEECH_BYTES);
    if (is_opening(h, line, &may_become)) {
        return finish(h, HOLE_EXPLAINS);
    }
    if (may_become && !is_last && str_find_char(line, '\n', 0) == SIZE_MAX) {
        return STEP_WAIT;
    }
    bool is_capital = line.len > 0 && line.ptr[0] >= 'A' && line.ptr[0] <= 'Z';
    if (h->is_prose || h->may_say || !is_capital) {
        return move(h, 0, STATE_DROPS);
    }
    for (size_t i = 0; i < line.len; i++) {
        if (line.ptr[i] == '\n') {
            line = str_sub(line, 0, i);
            return is_sentence(line) ? finish(h, HOLE_EXPLAINS) : move(h, 0, STATE_DROPS);
        }
        if (!is_of_speech(line.ptr[i])) {
            return move(h, 0, STATE_DROPS);
        }
    }
    if (line.len == SPEECH_BYTES || (is_last && is_sentence(line))) {
        return finish(h, HOLE_EXPLAINS);
    }
    return is_last ? move(h, 0, STATE_DROPS) : STEP_WAIT;
}

/* -- is it the line once more -- */

/* Takes off what is there of `repeated` at `from`; STEP_WAIT where it may still come whole. */
static enum step take_off(struct hole *h, size_t from, str repeated, bool is_last)
{
    str rest = str_sub(buf_str(&h->held), from, h->held.len);
    if (str_starts_with(rest, repeated)) {
        h->is_line_start = false;
        return move(h, from + repeated.len, STATE_GIVES);
    }
    if (!is_last && rest.len < repeated.len && str_starts_with(repeated, rest)) {
        return STEP_WAIT;
    }
    return move(h, 0, STATE_GIVES);
}

static size_t indent_of(str line)
{
    size_t n = 0;
    while (n < line.len && is_blank(line.ptr[n])) {
        n++;
    }
    return n;
}

/* Just behind the last line end of what begins `text`. */
static size_t ends_of(str text)
{
    size_t n = 0;
    for (size_t i = 0; i < text.len; i++) {
        n = text.ptr[i] == '\n' ? i + 1 : n;
    }
    return n;
}

/* Line ends before the text belong to it only where the cursor's line has something on it. */
static enum step drop(struct hole *h, bool is_last)
{
    str line = buf_str(&h->line);
    bool is_all;
    size_t lead = count_lead(buf_str(&h->held), is_last, &is_all);
    if (is_all) {
        return STEP_WAIT;
    }
    bool is_noise = !h->is_multiline || indent_of(line) == line.len;
    size_t n = is_noise ? ends_of(str_sub(buf_str(&h->held), 0, lead)) : 0;
    return move(h, n, STATE_REPEATS);
}

static enum step compare(struct hole *h, bool is_last)
{
    str line = buf_str(&h->line);
    size_t indent = indent_of(line);
    bool is_all;
    size_t lead = count_lead(buf_str(&h->held), is_last, &is_all);
    if (is_all) {
        return STEP_WAIT;
    }
    if (ends_of(str_sub(buf_str(&h->held), 0, lead)) > 0) {
        return move(h, 0, STATE_GIVES); /* it goes on in the next line */
    }
    if (indent == line.len) {
        return line.len > 0 ? take_off(h, 0, line, is_last) : move(h, 0, STATE_GIVES);
    }
    str text = str_sub(line, indent, line.len);
    bool is_long = str_trim(text).len >= REPEAT_MIN;
    return is_long ? take_off(h, lead, text, is_last) : move(h, 0, STATE_GIVES);
}

/* -- the text -- */

/* Blanks from `at`; LEAD_BYTES: so many that it is no fence's line. */
static size_t count_blanks(str text, size_t at)
{
    size_t n = 0;
    while (at + n < text.len && n < LEAD_BYTES && is_blank(text.ptr[at + n])) {
        n++;
    }
    return n;
}

/* Whether the line of `text` that begins at `at` ends the answer: *is_end, unless STEP_WAIT. */
static enum step look_for_end(const struct hole *h, str text, size_t at, bool is_last, bool *is_end)
{
    *is_end = false;
    bool is_bare = h->fence == '\0'; /* it may yet wrap up what it believes to have opened */
    size_t n_blanks = count_blanks(text, at);
    if ((is_bare && h->is_prose) || n_blanks == LEAD_BYTES) {
        return STEP_AGAIN;
    }
    size_t run = count_run(text, at + n_blanks, is_bare ? '`' : h->fence);
    size_t after = at + n_blanks + run;
    size_t n_fence = is_bare ? FENCE_MIN : h->fence_len;
    if (run >= (is_bare ? FENCE_MIN : INFO_BYTES)) {
        *is_end = true;
        return STEP_AGAIN;
    }
    if (after == text.len && !is_last) {
        return STEP_WAIT;
    }
    if (run < n_fence) {
        return STEP_AGAIN;
    }
    size_t n_more = count_blanks(text, after);
    if (after + n_more == text.len && n_more < LEAD_BYTES && !is_last) {
        return STEP_WAIT;
    }
    *is_end =
        n_more < LEAD_BYTES && (after + n_more == text.len || text.ptr[after + n_more] == '\n');
    return STEP_AGAIN;
}

static enum step give(struct hole *h, bool is_last, struct buf *out)
{
    str text = buf_str(&h->held);
    bool is_end = false, may_become = false;
    size_t n = 0;
    if (h->is_line_start && h->fence != '\0') {
        if (look_for_end(h, text, 0, is_last, &is_end) == STEP_WAIT) {
            return STEP_WAIT;
        }
        if (is_end) {
            return finish(h, HOLE_FENCE_CLOSED);
        }
    }
    h->is_line_start = false;
    for (; n < text.len; n++) {
        str rest = str_sub(text, n, text.len);
        if (is_at_mark(h, rest, is_last, &may_become)) {
            buf_append(out, str_sub(text, 0, n));
            return finish(h, HOLE_MARK_REPEATED);
        }
        if (may_become ||
            (rest.ptr[0] == '\n' && look_for_end(h, text, n + 1, is_last, &is_end) == STEP_WAIT)) {
            break;
        }
        if (is_end) {
            buf_append(out, str_sub(text, 0, n));
            return finish(h, HOLE_FENCE_CLOSED);
        }
    }
    buf_append(out, str_sub(text, 0, n));
    buf_consume(&h->held, n);
    return STEP_WAIT;
}

static enum step step(struct hole *h, bool is_last, struct buf *out)
{
    switch (h->state) {
    case STATE_LEADS:
        return lead(h, is_last);
    case STATE_OPENS:
        return open_fence(h, is_last, out);
    case STATE_SPEAKS:
        return listen(h, is_last);
    case STATE_DROPS:
        return drop(h, is_last);
    case STATE_REPEATS:
        return compare(h, is_last);
    case STATE_GIVES:
        return give(h, is_last, out);
    case STATE_OVER:
        buf_clear(&h->held);
        return STEP_WAIT;
    }
    return STEP_WAIT;
}

void hole_feed(struct hole *h, str raw, struct buf *out)
{
    for (size_t i = 0; i < raw.len && h->state != STATE_OVER; i += PIECE_BYTES) {
        buf_append(&h->held, str_sub(raw, i, i + PIECE_BYTES));
        while (step(h, false, out) == STEP_AGAIN) {
        }
    }
}

void hole_finish(struct hole *h, struct buf *out)
{
    while (step(h, true, out) == STEP_AGAIN) {
    }
}

enum hole_end hole_ended(const struct hole *h)
{
    return h->end;
}

const char *hole_end_reason(enum hole_end end)
{
    static const char *const REASONS[] = {
        [HOLE_OPEN] = "open",
        [HOLE_FENCE_CLOSED] = "the code block's end",
        [HOLE_MARK_REPEATED] = "repeats the mark at the cursor",
        [HOLE_EXPLAINS] = "an explanation instead of text for the hole",
        [HOLE_EMPTY] = "nothing but blanks",
    };
    return REASONS[end];
}
