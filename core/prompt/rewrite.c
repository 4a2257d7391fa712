/* rewrite.c - which part of a model's answer is code that may go into the file; see rewrite.h.
 *
 * How   The thinking is cut off; of several fenced blocks the one most like the original is taken
 *       (of an insertion the first); an answer without a fence is code unless it reads like prose.
 *       Lines of the surroundings that the model repeated at either end are cut. What then looks
 *       like a patch, or still holds the surroundings, is refused. At last the text is moved to
 *       the original's indentation.
 * Rules Half an answer never comes here: whoever calls knows that it is whole. */
#include "core/prompt/rewrite.h"

#include <string.h>

#include "core/base/limits.h"

#define ECHO_MAX_LINES 400u
#define BLOCKS_MAX     32u

/* -- lines -- */

static str first_line(str text)
{
    return str_sub(text, 0, str_find_char(text, '\n', 0));
}

static str after_line(str text)
{
    size_t n = str_find_char(text, '\n', 0);
    return n == SIZE_MAX ? str_sub(text, text.len, text.len) : str_sub(text, n + 1, text.len);
}

static bool is_blank(str s)
{
    return str_trim(s).len == 0;
}

static str without_blank_lines(str text)
{
    while (text.len > 0 && is_blank(first_line(text))) {
        text = after_line(text);
    }
    return str_trim_end(text);
}

/* -- thinking, fences -- */

str rewrite_spoken(str answer)
{
    static const char *const tags[][2] = {
        {"<think>", "</think>"}, {"<thinking>", "</thinking>"}, {"<thought>", "</thought>"}};
    str said = str_trim(answer);
    for (size_t i = 0; i < sizeof tags / sizeof tags[0]; i++) {
        str close = str_from(tags[i][1]);
        if (!str_starts_with(said, str_from(tags[i][0]))) {
            continue;
        }
        size_t end = str_find(said, close, 0);
        return end == SIZE_MAX ? str_sub(said, said.len, said.len)
                               : str_trim(str_sub(said, end + close.len, said.len));
    }
    return answer;
}

/* How many fence characters a line begins with; 0 for no fence. *is_bare: nothing stands behind. */
static size_t fence_of(str line, char *mark, bool *is_bare)
{
    str s = str_trim(line);
    size_t n = 0;
    while (n < s.len && s.ptr[n] == s.ptr[0] && (s.ptr[0] == '`' || s.ptr[0] == '~')) {
        n++;
    }
    *mark = s.len > 0 ? s.ptr[0] : '\0';
    *is_bare = n == s.len;
    return n >= 3 ? n : 0;
}

/* Cuts the next fenced block off `*rest`: its content, and whether it was closed. False for none.
 */
static bool next_block(str *rest, str *content)
{
    while (rest->len > 0) {
        char mark = 0;
        bool is_bare = false;
        size_t n = fence_of(first_line(*rest), &mark, &is_bare);
        *rest = after_line(*rest);
        if (n == 0) {
            continue;
        }
        str begin = *rest;
        while (rest->len > 0) {
            char own = 0;
            size_t k = fence_of(first_line(*rest), &own, &is_bare);
            size_t len = (size_t)(rest->ptr - begin.ptr);
            *rest = after_line(*rest);
            if (k >= n && own == mark && is_bare) {
                *content = str_sub(begin, 0, len);
                return true;
            }
        }
        *content = begin; /* never closed: some models don't, and the answer ended by itself */
        return true;
    }
    return false;
}

str rewrite_growing(str answer)
{
    str rest = rewrite_spoken(answer);
    str content;
    str said = rest;
    return next_block(&rest, &content) ? content : said;
}

/* -- likeness -- */

/* How many of a's lines that aren't blank stand in `b` too, in hundredths. */
static unsigned shared_lines(str a, str b)
{
    unsigned n = 0;
    unsigned n_shared = 0;
    for (str rest = a; rest.len > 0; rest = after_line(rest)) {
        str line = str_trim(first_line(rest));
        if (line.len == 0) {
            continue;
        }
        n++;
        for (str other = b; other.len > 0; other = after_line(other)) {
            if (str_eq(str_trim(first_line(other)), line)) {
                n_shared++;
                break;
            }
        }
    }
    return n > 0 ? n_shared * 100 / n : 0;
}

static bool is_better_block(const struct rewrite_spec *spec, str a, str b)
{
    unsigned like_a = shared_lines(a, spec->original);
    unsigned like_b = shared_lines(b, spec->original);
    return like_a != like_b ? like_a > like_b : a.len > b.len;
}

/* False where the answer has no fenced block at all. */
static bool choose_block(const struct rewrite_spec *spec, str said, str *code)
{
    str rest = said;
    str content;
    bool has_any = false;
    *code = str_sub(said, 0, 0);
    for (unsigned i = 0; i < BLOCKS_MAX && next_block(&rest, &content); i++) {
        bool is_better =
            is_blank(*code) || (!spec->is_insert && is_better_block(spec, content, *code));
        *code = is_better ? content : *code;
        has_any = true;
    }
    return has_any;
}

/* -- prose and patches -- */

/* Whether a line reads like a sentence: words, and nothing that only code has. */
static bool is_sentence(str line)
{
    line = str_trim(line);
    size_t n_words = 0;
    bool was_letter = false;
    for (size_t i = 0; i < line.len; i++) {
        char c = line.ptr[i];
        if (str_holds(STR("{}[]<>=|&\\$"), c) || (c == ';' && i + 1 == line.len)) {
            return false;
        }
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '\'' ||
                         (unsigned char)c >= 0x80;
        n_words += is_letter && !was_letter;
        was_letter = is_letter;
    }
    static const char *const comments[] = {"//", "/*", "*", "#", "--", "\"\"\"", ";"};
    for (size_t i = 0; i < sizeof comments / sizeof comments[0]; i++) {
        if (str_starts_with(line, str_from(comments[i]))) {
            return false;
        }
    }
    return n_words >= 3;
}

static bool reads_like_prose(str text)
{
    unsigned n = 0;
    unsigned n_sentences = 0;
    for (str rest = text; rest.len > 0; rest = after_line(rest)) {
        str line = first_line(rest);
        n += !is_blank(line);
        n_sentences += is_sentence(line);
    }
    return n_sentences * 2 > n;
}

/* "Here is the corrected code:" and its like, before code without a fence. */
static str without_preamble(str text)
{
    str line = str_trim(first_line(text));
    bool is_greeting = is_sentence(line) && str_ends_with(line, STR(":")) && line.ptr[0] >= 'A' &&
                       line.ptr[0] <= 'Z';
    return is_greeting && after_line(text).len > 0 ? without_blank_lines(after_line(text)) : text;
}

static bool is_patch(str text)
{
    bool has_hunk =
        str_starts_with(text, STR("@@ ")) || str_find(text, STR("\n@@ "), 0) != SIZE_MAX;
    bool has_head = str_starts_with(text, STR("--- ")) || str_starts_with(text, STR("diff --git"));
    return has_hunk || has_head;
}

/* -- what was repeated of the surroundings -- */

/* The last lines of a text, in their order; gives how many. */
static size_t last_lines(str text, str *out, size_t max)
{
    size_t n = 0;
    for (str rest = text; rest.len > 0; rest = after_line(rest)) {
        if (n == max) {
            memmove(out, out + 1, (max - 1) * sizeof *out);
            n--;
        }
        out[n++] = str_trim(first_line(rest));
    }
    return n;
}

/* The text behind `n` lines that it begins with; itself where it begins otherwise. */
static str behind_lines(str text, const str *lines, size_t n)
{
    str rest = text;
    for (size_t i = 0; i < n; i++) {
        if (rest.len == 0 || !str_eq(str_trim(first_line(rest)), lines[i])) {
            return text;
        }
        rest = after_line(rest);
    }
    return rest;
}

/* Cuts the lines off the beginning that are the last ones above the place, as many as there are. */
static str without_echo_above(const struct rewrite_spec *spec, str text)
{
    str lines[ECHO_MAX_LINES];
    size_t n = last_lines(str_trim_end(spec->before), lines, ECHO_MAX_LINES);
    str original = str_trim(first_line(spec->original));
    for (size_t i = 0; i < n; i++) {
        bool is_telling = false;
        for (size_t k = i; k < n; k++) {
            is_telling = is_telling || lines[k].len > 3;
        }
        str rest = behind_lines(text, lines + i, n - i);
        if (is_telling && rest.ptr != text.ptr && !str_eq(lines[i], original)) {
            return without_blank_lines(rest);
        }
    }
    return text;
}

/* Brackets opened less closed. */
static int balance(str text)
{
    int n = 0;
    for (size_t i = 0; i < text.len; i++) {
        n += str_holds(STR("({["), text.ptr[i]);
        n -= str_holds(STR(")}]"), text.ptr[i]);
    }
    return n;
}

/* The same for the lines below, at its end. A closer alone is only cut where it is one too many. */
static str without_echo_below(const struct rewrite_spec *spec, str text)
{
    str want = without_blank_lines(spec->after);
    for (str rest = text; rest.len > 0; rest = after_line(rest)) {
        str a = rest;
        str b = want;
        bool is_same = b.len > 0;
        while (a.len > 0 && b.len > 0 && is_same) {
            is_same = str_eq(str_trim(first_line(a)), str_trim(first_line(b)));
            a = after_line(a);
            b = after_line(b);
        }
        str kept = str_trim_end(str_sub(text, 0, (size_t)(rest.ptr - text.ptr)));
        bool is_telling = str_trim(rest).len > 6;
        if (is_same && a.len == 0 && kept.len > 0 &&
            (is_telling || balance(kept) == balance(spec->original))) {
            return kept;
        }
    }
    return text;
}

/* Whether a line that isn't indented begins something with a body: the text's own definition of it
 * would stand beside the document's. */
static bool is_head(str line, str below)
{
    bool is_indented = line.len > 0 && (line.ptr[0] == ' ' || line.ptr[0] == '\t');
    bool opens = str_ends_with(str_trim_end(line), STR("{")) ||
                 str_ends_with(str_trim_end(line), STR(":")) ||
                 str_eq(str_trim(first_line(below)), STR("{"));
    return !is_indented && opens && line.len > 6;
}

/* Whether what stands around the original, and not in it, stands in the text: the head of something
 * else, or three lines in a row. */
static bool holds_surroundings(const struct rewrite_spec *spec, str text)
{
    const str sides[] = {spec->before, spec->after};
    for (size_t i = 0; i < 2; i++) {
        unsigned run = 0;
        for (str rest = sides[i]; rest.len > 0; rest = after_line(rest)) {
            str line = str_trim(first_line(rest));
            if (line.len <= 3) {
                continue;
            }
            bool is_there = str_find(text, line, 0) != SIZE_MAX &&
                            str_find(spec->original, line, 0) == SIZE_MAX;
            run = is_there ? run + 1 : 0;
            if (run >= 3 || (is_there && is_head(first_line(rest), after_line(rest)))) {
                return true;
            }
        }
    }
    return false;
}

/* -- indentation -- */

static str indent_of(str line)
{
    size_t n = 0;
    while (n < line.len && (line.ptr[n] == ' ' || line.ptr[n] == '\t')) {
        n++;
    }
    return str_sub(line, 0, n);
}

/* What the lines have in common at their beginnings. */
static str common_indent(str text)
{
    str common = {0};
    bool is_first = true;
    for (str rest = text; rest.len > 0; rest = after_line(rest)) {
        str line = first_line(rest);
        if (is_blank(line)) {
            continue;
        }
        str own = indent_of(line);
        size_t n = 0;
        while (!is_first && n < own.len && n < common.len && own.ptr[n] == common.ptr[n]) {
            n++;
        }
        common = is_first ? own : str_sub(common, 0, n);
        is_first = false;
    }
    return common;
}

/* Appends the text with `indent` in the place of what its lines have in common. */
static void append_indented(struct buf *out, str text, str indent)
{
    size_t n_common = common_indent(text).len;
    bool is_first = true;
    for (str rest = text; rest.len > 0; rest = after_line(rest)) {
        str line = str_trim_end(first_line(rest));
        buf_append(out, is_first ? STR("") : STR("\n"));
        if (line.len > 0) {
            buf_append(out, indent);
            buf_append(out, str_sub(line, n_common, line.len));
        }
        is_first = false;
    }
}

/* -- what was repeated of the original beside an insertion -- */

/* The first line of `*rest` that isn't blank, trimmed and taken off; empty at the end. */
static str take_line(str *rest)
{
    str line = {0};
    while (rest->len > 0 && line.len == 0) {
        line = str_trim(first_line(*rest));
        *rest = after_line(*rest);
    }
    return line;
}

/* Appends the text without the original's lines, as far as they come in their order: who was asked
 * for a comment alone often writes the function below it again. */
static void append_without_original(struct buf *out, str text, str original)
{
    str expected = take_line(&original);
    for (str rest = text; rest.len > 0; rest = after_line(rest)) {
        str line = first_line(rest);
        if (expected.len > 0 && str_eq(str_trim(line), expected)) {
            expected = take_line(&original);
        } else {
            buf_append(out, line);
            buf_append_char(out, '\n');
        }
    }
}

/* -- all of it -- */

static enum err refuse(struct error *why, const char *what)
{
    return error_set(why, ERR_PROTOCOL,
                     "%s; nothing was changed. Ask again, or name a model that "
                     "follows instructions better in models.chat",
                     what);
}

/* Finds the code of the answer, or refuses. */
static enum err find_code(const struct rewrite_spec *spec, str answer, str *code, struct error *why)
{
    str said = rewrite_spoken(answer);
    if (is_blank(said)) {
        return refuse(why, "the model answered with nothing");
    }
    if (!choose_block(spec, said, code)) {
        *code = without_preamble(without_blank_lines(said));
        if (reads_like_prose(*code)) {
            return refuse(why, "the model answered in prose, not with code");
        }
    }
    *code = without_blank_lines(*code);
    if (is_blank(*code)) {
        return refuse(why, "the model answered with an empty block of code");
    }
    if (is_patch(*code) && !is_patch(without_blank_lines(spec->original))) {
        return refuse(why, "the model answered with a patch, not with code");
    }
    return ERR_OK;
}

static enum err read_insertion(const struct rewrite_spec *spec, str code, struct buf *out,
                               struct error *why)
{
    struct buf own;
    buf_init(&own, out->max);
    append_without_original(&own, code, spec->original);
    str text = without_blank_lines(buf_str(&own));
    enum err err = ERR_OK;
    if (is_blank(text)) {
        err = refuse(why, "the model wrote what stands there already");
    } else {
        append_indented(out, text, spec->indent);
        err = out->is_full ? refuse(why, "the answer is too long") : ERR_OK;
    }
    buf_release(&own);
    return err;
}

enum err rewrite_read(const struct rewrite_spec *spec, str answer, struct buf *out,
                      struct error *why)
{
    str code = STR("");
    enum err err = find_code(spec, answer, &code, why);
    if (err != ERR_OK) {
        return err;
    }
    if (spec->is_insert) {
        return read_insertion(spec, code, out, why);
    }
    if (spec->is_whole_lines) {
        code = without_echo_below(spec, without_echo_above(spec, code));
    }
    if (is_blank(code) || holds_surroundings(spec, code)) {
        return refuse(why, "the model wrote more than was asked about");
    }
    size_t start = out->len;
    if (spec->is_whole_lines) {
        append_indented(out, code, common_indent(spec->original));
    } else {
        buf_append(out, str_trim(code));
    }
    str written = str_sub(buf_str(out), start, out->len);
    if (str_eq(str_trim_end(written), str_trim_end(spec->original))) {
        return error_set(why, ERR_PROTOCOL, "the model left the code as it is");
    }
    bool ends_line = str_ends_with(spec->original, STR("\n"));
    buf_append(out, ends_line ? STR("\n") : STR(""));
    return out->is_full ? refuse(why, "the answer is too long") : ERR_OK;
}
