/* trim.c - between the model and the document: model output is hostile input.
 *
 * Why      A model goes on after what was asked for: it repeats the bracket that the editor has
 *          closed already, the line that follows, itself. What was shown can't be taken back, so
 *          each of these has to be seen before it is given.
 * How      Three stages, each taking one code point at a time, so that the way the input was cut
 *          can't matter:
 *            1. bytes -> visible code points (core/base/visible.h)
 *            2. control tokens: what may become one waits in `token`
 *            3. lines: `held` is the text that isn't given yet. After each code point everything
 *               before the earliest of these places is given:
 *                 - blanks at the end (a line end counts as blank);
 *                 - the longest tail that is a beginning of the rest of the cursor's line (KMP);
 *                 - a line that so far equals one which must not come now (a candidate: the next
 *                   line of the document, or the line that would close a loop).
 * Rules    A closer or quote that the answer itself opened is never taken for the document's.
 *          Offsets (size_t ..._at) count from the start of the answer. */
#include "core/prompt/trim.h"

#include "core/base/limits.h"
#include "core/base/memory.h"
#include "core/base/utf8.h"
#include "core/base/visible.h"
#include "core/prompt/template.h"

#define LINE_MAX_BYTES      (4u * KIB)
#define HELD_MAX_BYTES      (128u * KIB)
#define BLANK_LINES_MAX     16u /* in a row; more are a loop */
#define CHUNK_MIN_BYTES     4u  /* of what is repeated within a line */
#define CHUNK_MAX_BYTES     256u
#define CHUNK_REPEATS       16u
#define CHUNK_REPEATS_ASKED 64u /* where a person may have asked for a row of numbers */
#define N_HISTORY           5u  /* lines before the one that would close a loop of period 2 */
#define NOWHERE             SIZE_MAX

enum { NEXT_LINE, SAME_AGAIN, SAME_IN_TURNS, N_CANDIDATES };

struct candidate {
    str line; /* borrows `next` or `history` */
    bool is_alive;
};

struct trim {
    enum trim_end end;
    bool is_multiline;
    unsigned max_lines;
    size_t max_bytes;
    unsigned max_same, n_same; /* equal lines in a row: let pass, and seen */
    size_t n_clean;            /* bytes given */

    struct visible visible;
    char carry[4]; /* bytes of an unfinished code point */
    size_t n_carry;
    struct buf token; /* may become a control token */

    struct buf held; /* text that isn't given yet: [held_at, text_at) */
    size_t held_at, text_at;
    size_t visible_at; /* after the last character that isn't blank, 0: none yet */

    struct buf line; /* the current line */
    size_t line_at;  /* where its line end's blanks begin: what a cut before it leaves */
    unsigned n_lines, n_blank_lines;
    struct candidate candidates[N_CANDIDATES];
    struct buf history[N_HISTORY];      /* the last lines that weren't blank, newest first */
    int opened[3];                      /* brackets opened less closed, before the current line */
    uint16_t runs[CHUNK_MAX_BYTES + 1]; /* how long the line repeats what is p bytes before */

    str rest;                    /* of the cursor's line, borrows rest_copy */
    str next;                    /* the next line, borrows next_copy */
    char *rest_copy, *next_copy; /* owned */
    uint16_t *fallback;          /* KMP's table for `rest`, owned */
    size_t n_matched;            /* longest tail of the line that begins `rest` */
    size_t rest_at;              /* where a whole `rest` stands at the line's end, or NOWHERE */
    size_t rest_before_at;       /* the same, on the line before, while this one is held */
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

const char *trim_end_reason(enum trim_end end)
{
    switch (end) {
    case TRIM_OPEN:
        return "still open";
    case TRIM_LINE:
        return "end of the line";
    case TRIM_CONTROL_TOKEN:
        return "control token";
    case TRIM_REPEATS_REST:
        return "repeats the rest of the line";
    case TRIM_REPEATS_NEXT:
        return "repeats the next line";
    case TRIM_LOOPS:
        return "repeats itself";
    case TRIM_LIMIT:
        return "limit reached";
    case TRIM_FINISHED:
        return "finished";
    }
    return "unknown";
}

/* -- what stands after the cursor -- */

/* Cuts the first line off `rest`, without its end of any form. */
static str next_line(str *rest)
{
    size_t n = 0;
    while (n < rest->len && rest->ptr[n] != '\n' && rest->ptr[n] != '\r') {
        n++;
    }
    str line = str_sub(*rest, 0, n);
    if (n < rest->len) {
        n += n + 1 < rest->len && rest->ptr[n] == '\r' && rest->ptr[n + 1] == '\n' ? 2 : 1;
    }
    *rest = str_sub(*rest, n, rest->len);
    return line;
}

static void prepare_rest(struct trim *t, str rest)
{
    rest = str_trim(rest);
    if (rest.len == 0 || rest.len > LINE_MAX_BYTES || !utf8_is_valid(rest)) {
        return;
    }
    t->rest_copy = xstrndup(rest.ptr, rest.len);
    t->rest = str_of(t->rest_copy, rest.len);
    t->fallback = xcalloc(rest.len, sizeof *t->fallback);
    size_t k = 0;
    for (size_t i = 1; i < rest.len; i++) {
        while (k > 0 && rest.ptr[i] != rest.ptr[k]) {
            k = t->fallback[k - 1];
        }
        k += rest.ptr[i] == rest.ptr[k];
        t->fallback[i] = (uint16_t)k;
    }
}

static void prepare_next(struct trim *t, str lines)
{
    while (lines.len > 0) {
        str line = str_trim_end(next_line(&lines));
        if (line.len > 0) {
            if (line.len <= LINE_MAX_BYTES) {
                t->next_copy = xstrndup(line.ptr, line.len);
                t->next = str_of(t->next_copy, line.len);
            }
            return;
        }
    }
}

/* On a blank line the first line of the answer may be the next line, too. */
static void expect_on_first_line(struct trim *t, str line_before)
{
    bool is_whole_line = str_trim(line_before).len == 0 && t->rest.len == 0;
    if (is_whole_line && t->next.len > line_before.len && str_starts_with(t->next, line_before)) {
        t->candidates[NEXT_LINE] = (struct candidate){
            .line = str_sub(t->next, line_before.len, t->next.len), .is_alive = true};
    }
}

struct trim *trim_create(const struct trim_spec *spec)
{
    struct trim *t = xcalloc(1, sizeof *t);
    t->is_multiline = spec->is_multiline;
    t->max_lines = spec->max_lines;
    t->max_bytes = spec->max_bytes > 0 ? spec->max_bytes : SIZE_MAX;
    t->max_same = spec->max_same;
    t->n_lines = 1;
    t->rest_at = t->rest_before_at = NOWHERE;
    buf_init(&t->token, 256);
    buf_init(&t->held, HELD_MAX_BYTES);
    buf_init(&t->line, LINE_MAX_BYTES + 8);
    for (size_t i = 0; i < N_HISTORY; i++) {
        buf_init(&t->history[i], LINE_MAX_BYTES + 8);
    }
    str suffix = spec->suffix;
    prepare_rest(t, next_line(&suffix));
    prepare_next(t, suffix);
    expect_on_first_line(t, spec->line_before);
    return t;
}

void trim_destroy(struct trim *t)
{
    if (t == NULL) {
        return;
    }
    buf_release(&t->token);
    buf_release(&t->held);
    buf_release(&t->line);
    for (size_t i = 0; i < N_HISTORY; i++) {
        buf_release(&t->history[i]);
    }
    xfree(t->rest_copy);
    xfree(t->next_copy);
    xfree(t->fallback);
    xfree(t);
}

enum trim_end trim_ended(const struct trim *t)
{
    return t->end;
}

bool trim_is_at_line_end(const struct trim *t)
{
    return t->visible_at > 0 && t->held_at == t->visible_at &&
           str_find_char(buf_str(&t->held), '\n', 0) != NOWHERE &&
           str_trim(buf_str(&t->held)).len == 0;
}

/* -- brackets and quotes -- */

static int bracket_kind(char c, bool *is_opener)
{
    switch (c) {
    case '(':
    case ')':
        *is_opener = c == '(';
        return 0;
    case '[':
    case ']':
        *is_opener = c == '[';
        return 1;
    case '{':
    case '}':
        *is_opener = c == '{';
        return 2;
    default: /* no bracket */
        return -1;
    }
}

static int opened_in(str text, int kind)
{
    int n = 0;
    for (size_t i = 0; i < text.len; i++) {
        bool is_opener = false;
        if (bracket_kind(text.ptr[i], &is_opener) == kind) {
            n += is_opener ? 1 : -1;
        }
    }
    return n;
}

/* Whether the closer or quote that `repeated` begins with belongs to the answer: it was opened in
 * what stands before, which is earlier lines and `line`. */
static bool is_own_closer(const struct trim *t, str line, str repeated)
{
    char c = repeated.ptr[0];
    bool is_opener = false;
    int kind = bracket_kind(c, &is_opener);
    if (kind >= 0) {
        return !is_opener && t->opened[kind] + opened_in(line, kind) > 0;
    }
    bool is_open = false;
    for (size_t i = 0; (c == '"' || c == '\'' || c == '`') && i < line.len; i++) {
        is_open ^= line.ptr[i] == c;
    }
    return is_open;
}

/* -- giving -- */

/* Gives everything before `at`, as far as max_bytes allows. */
static void give(struct trim *t, size_t at, struct buf *clean)
{
    if (at <= t->held_at) {
        return;
    }
    str text = str_sub(buf_str(&t->held), 0, at - t->held_at);
    size_t room = t->max_bytes - t->n_clean;
    if (text.len > room) {
        text = str_sub(text, 0, utf8_floor(text, room));
        t->end = TRIM_LIMIT;
    }
    buf_append(clean, text);
    t->n_clean += text.len;
    buf_consume(&t->held, at - t->held_at);
    t->held_at = at;
}

/* The answer ends: what stands before `at` is given. */
static void end_at(struct trim *t, size_t at, enum trim_end end, struct buf *clean)
{
    give(t, at, clean);
    t->end = t->end == TRIM_OPEN ? end : t->end;
}

/* Where the rest of the cursor's line is repeated at the end of the current line, or NOWHERE. */
static size_t repeated_rest_at(const struct trim *t)
{
    if (t->rest_at == NOWHERE) {
        return NOWHERE;
    }
    size_t line_start = t->text_at - t->line.len;
    str before = str_sub(buf_str(&t->line), 0, t->rest_at - line_start);
    return is_own_closer(t, before, t->rest) ? NOWHERE : t->rest_at;
}

/* The candidate that the current line equals, blanks at its end apart, or -1. */
static int matched_candidate(const struct trim *t)
{
    str line = str_trim_end(buf_str(&t->line));
    for (int i = 0; i < N_CANDIDATES; i++) {
        const struct candidate *c = &t->candidates[i];
        if (!c->is_alive || !str_eq(line, c->line)) {
            continue;
        }
        str start = str_trim(line);
        if (i != NEXT_LINE || !is_own_closer(t, str_of("", 0), start)) {
            return i;
        }
    }
    return -1;
}

/* Ends at the current line if it repeats what it must not; false where it may stay. */
static bool end_if_repeated(struct trim *t, struct buf *clean)
{
    int i = matched_candidate(t);
    if (i < 0) {
        return false;
    }
    size_t at = t->line_at;
    if (i == NEXT_LINE && t->rest_before_at < at) {
        at = t->rest_before_at;
    }
    end_at(t, at, i == NEXT_LINE ? TRIM_REPEATS_NEXT : TRIM_LOOPS, clean);
    return true;
}

/* The answer ends here by itself or by a limit. Blanks at its end matter only where text follows
 * on the line. */
static void end_here(struct trim *t, enum trim_end end, struct buf *clean)
{
    if (end_if_repeated(t, clean)) {
        return;
    }
    bool is_blank_line = str_trim(buf_str(&t->line)).len == 0;
    size_t at = is_blank_line ? t->rest_before_at : repeated_rest_at(t);
    if (at != NOWHERE) {
        end_at(t, at, TRIM_REPEATS_REST, clean);
        return;
    }
    bool keeps_blanks = t->rest.len > 0 && t->visible_at > 0;
    end_at(t, keeps_blanks ? t->text_at : t->visible_at, end, clean);
}

/* -- lines -- */

static void remember_line(struct trim *t)
{
    struct buf oldest = t->history[N_HISTORY - 1];
    memmove(&t->history[1], &t->history[0], (N_HISTORY - 1) * sizeof *t->history);
    t->history[0] = oldest;
    buf_clear(&t->history[0]);
    buf_append(&t->history[0], str_trim_end(buf_str(&t->line)));
}

static bool was_same(const struct trim *t, size_t a, size_t b)
{
    str line = buf_str(&t->history[a]);
    return line.len > 0 && str_eq(line, buf_str(&t->history[b]));
}

static void expect(struct trim *t, int i, bool is_alive, str line)
{
    t->candidates[i] = (struct candidate){.line = line, .is_alive = is_alive};
}

static void expect_on_new_line(struct trim *t)
{
    expect(t, NEXT_LINE, t->next.len > 0, t->next);
    if (t->max_same > 0) {
        t->n_same = was_same(t, 0, 1) ? t->n_same + 1 : 1;
        expect(t, SAME_AGAIN, t->n_same >= t->max_same, buf_str(&t->history[0]));
        return;
    }
    expect(t, SAME_AGAIN, was_same(t, 0, 1), buf_str(&t->history[0]));
    bool is_turn = was_same(t, 0, 2) && was_same(t, 2, 4) && was_same(t, 1, 3);
    expect(t, SAME_IN_TURNS, is_turn, buf_str(&t->history[1]));
}

static void begin_line(struct trim *t)
{
    str line = buf_str(&t->line);
    for (int kind = 0; kind < 3; kind++) {
        t->opened[kind] += opened_in(line, kind);
    }
    if (str_trim(line).len > 0) {
        remember_line(t);
        t->n_blank_lines = 0;
        t->rest_before_at = repeated_rest_at(t);
        t->line_at = t->visible_at;
    } else {
        t->n_blank_lines++;
    }
    t->n_lines++;
    buf_clear(&t->line);
    memset(t->runs, 0, sizeof t->runs);
    t->n_matched = 0;
    t->rest_at = NOWHERE;
    expect_on_new_line(t);
}

static void on_line_end(struct trim *t, struct buf *clean)
{
    if (end_if_repeated(t, clean)) {
        return;
    }
    bool is_first = t->n_lines == 1;
    if (is_first && repeated_rest_at(t) != NOWHERE) {
        end_at(t, repeated_rest_at(t), TRIM_REPEATS_REST, clean);
    } else if (!t->is_multiline) {
        end_here(t, TRIM_LINE, clean);
    } else if (t->max_lines > 0 && t->n_lines >= t->max_lines) {
        end_here(t, TRIM_LIMIT, clean);
    } else if (t->n_blank_lines >= BLANK_LINES_MAX) {
        end_here(t, TRIM_LOOPS, clean);
    } else {
        begin_line(t);
        buf_append_char(&t->held, '\n');
        t->text_at++;
    }
}

/* Whether the line has come to consist of one chunk again and again. Shorter chunks than
 * CHUNK_MIN_BYTES are rulers and tables. */
static bool repeats_chunk(struct trim *t)
{
    const char *line = t->line.ptr;
    size_t i = t->line.len - 1;
    size_t longest_short = 0;
    size_t repeats = t->max_same > 0 ? CHUNK_REPEATS_ASKED : CHUNK_REPEATS;
    for (size_t p = 1; p <= CHUNK_MAX_BYTES && p <= i; p++) {
        t->runs[p] = line[i] == line[i - p] ? (uint16_t)(t->runs[p] + 1) : 0;
        if (p < CHUNK_MIN_BYTES) {
            longest_short = t->runs[p] > longest_short ? t->runs[p] : longest_short;
        } else if (t->runs[p] >= (repeats - 1) * p && t->runs[p] > longest_short) {
            return true;
        }
    }
    return false;
}

static void match_candidates(struct trim *t, size_t at, char c)
{
    for (size_t i = 0; i < N_CANDIDATES; i++) {
        struct candidate *k = &t->candidates[i];
        k->is_alive = k->is_alive && (at < k->line.len ? k->line.ptr[at] == c : is_blank(c));
    }
}

static void match_rest(struct trim *t, char c)
{
    str rest = t->rest;
    if (rest.len == 0) {
        return;
    }
    if (t->n_matched == rest.len) {
        t->n_matched = t->fallback[rest.len - 1];
    }
    while (t->n_matched > 0 && rest.ptr[t->n_matched] != c) {
        t->n_matched = t->fallback[t->n_matched - 1];
    }
    t->n_matched += rest.ptr[t->n_matched] == c;
    if (t->n_matched == rest.len) {
        t->rest_at = t->text_at - rest.len;
    } else if (!is_blank(c)) {
        t->rest_at = NOWHERE;
    }
}

/* Everything before it can be given: nothing that may still come takes it back. */
static size_t safe_until(const struct trim *t)
{
    size_t at = t->visible_at;
    if (t->text_at - t->n_matched < at) {
        at = t->text_at - t->n_matched;
    }
    if (t->rest_at < at) {
        at = t->rest_at;
    }
    bool is_held = str_trim(buf_str(&t->line)).len == 0;
    for (size_t i = 0; i < N_CANDIDATES; i++) {
        is_held = is_held || t->candidates[i].is_alive;
    }
    if (is_held) {
        at = t->line_at < at ? t->line_at : at;
        at = t->rest_before_at < at ? t->rest_before_at : at;
    }
    return at;
}

/* One visible code point that is no part of a control token. */
static void on_text(struct trim *t, str bytes, struct buf *clean)
{
    if (bytes.ptr[0] == '\n') {
        on_line_end(t, clean);
        return;
    }
    if (t->line.len + bytes.len > LINE_MAX_BYTES || t->held.len + bytes.len > HELD_MAX_BYTES - 8) {
        end_here(t, TRIM_LIMIT, clean);
        return;
    }
    bool is_loop = false;
    buf_append(&t->held, bytes);
    for (size_t i = 0; i < bytes.len; i++) {
        buf_append_char(&t->line, bytes.ptr[i]);
        t->text_at++;
        match_candidates(t, t->line.len - 1, bytes.ptr[i]);
        match_rest(t, bytes.ptr[i]);
        is_loop = repeats_chunk(t) || is_loop;
    }
    if (!is_blank(bytes.ptr[0])) {
        t->visible_at = t->text_at;
    }
    give(t, safe_until(t), clean);
    if (is_loop && t->end == TRIM_OPEN) {
        t->end = TRIM_LOOPS;
    }
}

/* -- control tokens, code points, bytes -- */

/* Passes on what can't become a control token any more; everything where is_last. */
static void settle_token(struct trim *t, bool is_last, struct buf *clean)
{
    while (t->token.len > 0 && t->end == TRIM_OPEN) {
        bool may_become = false;
        if (template_control_token(buf_str(&t->token), &may_become) > 0) {
            end_here(t, TRIM_CONTROL_TOKEN, clean);
            return;
        }
        if (may_become && !is_last) {
            return;
        }
        uint32_t cp;
        char bytes[4];
        size_t n = utf8_decode(buf_str(&t->token), &cp);
        n = utf8_encode(cp, bytes) == n ? n : 1;
        buf_consume(&t->token, n);
        on_text(t, str_of(bytes, n), clean);
    }
}

static void on_code_point(struct trim *t, uint32_t cp, struct buf *clean)
{
    char bytes[4];
    str encoded = str_of(bytes, utf8_encode(cp, bytes));
    bool may_start = cp == '<' || cp == '[' || cp == 0x2581;
    if (t->token.len == 0 && !may_start) {
        on_text(t, encoded, clean);
        return;
    }
    buf_append(&t->token, encoded);
    settle_token(t, false, clean);
}

/* Takes the code points of `raw`, which has at least one byte; gives how many bytes were used. */
static size_t take(struct trim *t, str raw, struct buf *clean)
{
    size_t i = 0;
    while (i < raw.len && t->end == TRIM_OPEN) {
        uint32_t cp;
        size_t n = visible_decode(str_sub(raw, i, raw.len), &cp);
        if (n == 0) {
            break;
        }
        i += n;
        uint32_t kept = visible_next(&t->visible, cp);
        if (kept != 0) {
            on_code_point(t, kept, clean);
        }
    }
    return i;
}

void trim_feed(struct trim *t, str raw, struct buf *clean)
{
    while (t->n_carry > 0 && raw.len > 0 && t->end == TRIM_OPEN) {
        t->carry[t->n_carry++] = raw.ptr[0];
        raw = str_sub(raw, 1, raw.len);
        size_t used = take(t, str_of(t->carry, t->n_carry), clean);
        t->n_carry -= used;
        memmove(t->carry, t->carry + used, t->n_carry);
    }
    if (raw.len == 0 || t->end != TRIM_OPEN) {
        return;
    }
    size_t used = take(t, raw, clean);
    if (t->end == TRIM_OPEN) {
        t->n_carry = raw.len - used;
        memcpy(t->carry, raw.ptr + used, t->n_carry);
    }
}

void trim_finish(struct trim *t, bool is_cut, struct buf *clean)
{
    if (t->end != TRIM_OPEN) {
        return;
    }
    if (t->n_carry > 0 && !is_cut) {
        on_code_point(t, 0xFFFD, clean);
    }
    /* A lone '<' is text; more of a control token than that was about to be one. */
    if (!is_cut || t->token.len == 1) {
        settle_token(t, true, clean);
    }
    if (t->end == TRIM_OPEN) {
        end_here(t, TRIM_FINISHED, clean);
    }
}
