/* subject.c - symbols, definitions and blocks by form alone; see subject.h.
 *
 * Why   A person who asks "explain this" points at a word or a line. What is meant is the function
 *       around it or the definition of the name, and a model needs the whole of that, and no more.
 * How   Blocks: from the line upwards to lines that are indented less, until one looks like the
 *       head of a definition; from there down to where the indentation falls back. Definitions:
 *       each place where the name stands as a word, judged by what stands before and behind it,
 *       from the asker's place outwards, since editors ask for menus on every move. */
#include "core/prompt/subject.h"

#include <string.h>

#include "core/base/limits.h"

#define LINE_LOOK_BYTES 512u        /* of a line, from its start */
#define HEAD_MAX_LINES  12u         /* of a head that is spread over several lines */
#define BLOCK_BYTES     (16u * KIB) /* of text that is searched for a name at once */
#define BLOCK_MARGIN    256u /* of text around it, more than a name with what stands beside */

/* -- lines -- */

struct line {
    char text[LINE_LOOK_BYTES]; /* its beginning */
    size_t len;                 /* without blanks at its end */
    size_t indent;              /* columns, a tab counts as four; SIZE_MAX: blank line */
    size_t at;                  /* where its first visible character stands in `text` */
};

static void read_line(const struct document *d, size_t n, struct line *out)
{
    size_t start = document_line_start(d, n);
    size_t end = document_line_end(d, n);
    struct buf scratch;
    buf_init(&scratch, LINE_LOOK_BYTES);
    end = end - start > LINE_LOOK_BYTES ? document_floor(d, start + LINE_LOOK_BYTES) : end;
    str text = str_trim_end(document_slice(d, start, end, &scratch));
    memcpy(out->text, text.ptr != NULL ? text.ptr : "", text.len);
    out->len = text.len;
    buf_release(&scratch);
    size_t columns = 0;
    out->at = 0;
    while (out->at < out->len && (out->text[out->at] == ' ' || out->text[out->at] == '\t')) {
        columns += out->text[out->at++] == '\t' ? 4 : 1;
    }
    out->indent = out->at < out->len ? columns : SIZE_MAX;
}

static str shown(const struct line *l)
{
    return str_of(l->text + l->at, l->len - l->at);
}

static bool is_blank(const struct line *l)
{
    return l->indent == SIZE_MAX;
}

static bool is_word_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           (unsigned char)c >= 0x80;
}

static bool begins_with_word(str s, const char *const *words)
{
    size_t n = 0;
    while (n < s.len && is_word_char(s.ptr[n])) {
        n++;
    }
    for (; n > 0 && *words != NULL; words++) { /* most differ in their first letter */
        const char *word = *words;
        if (word[0] == s.ptr[0] && strncmp(word, s.ptr, n) == 0 && word[n] == '\0') {
            return true;
        }
    }
    return false;
}

static bool begins_with_any(str s, const char *const *marks)
{
    for (; *marks != NULL; marks++) {
        if (str_starts_with(s, str_from(*marks))) {
            return true;
        }
    }
    return false;
}

static bool is_comment(str s)
{
    static const char *const marks[] = {"//", "/*", "*", "#", "--", ";", "%", NULL};
    return begins_with_any(s, marks) && !str_starts_with(s, STR("#["));
}

static bool is_attribute(str s)
{
    static const char *const marks[] = {"@", "#[", "[[", "template", NULL};
    return begins_with_any(s, marks);
}

static bool is_closer(str s)
{
    static const char *const words[] = {"end", "fi", "done", "esac", NULL};
    return s.len > 0 && (str_holds(STR("})]"), s.ptr[0]) || begins_with_word(s, words));
}

/* -- heads -- */

static bool opens_block(str s)
{
    return str_ends_with(s, STR("{")) || str_ends_with(s, STR(":")) ||
           str_ends_with(s, STR("do")) || str_ends_with(s, STR("then")) ||
           str_ends_with(s, STR("=>"));
}

static const char *const definers[] = {
    "def",       "class",  "struct",  "enum",   "union",     "fn",     "func",
    "function",  "type",   "trait",   "impl",   "interface", "mod",    "module",
    "namespace", "async",  "pub",     "export", "local",     "public", "private",
    "protected", "static", "package", "record", "object",    NULL};

/* Whether a line that opens a block is the head of something that has a name of its own. */
static bool is_definition_head(str s)
{
    static const char *const control[] = {
        "if",   "else",    "elif",   "for",     "foreach", "while", "switch", "do",
        "try",  "catch",   "except", "with",    "match",   "case",  "return", "unless",
        "when", "finally", "loop",   "default", "select",  "begin", "unsafe", NULL};
    if (s.len == 0 || is_closer(s) || is_comment(s) || begins_with_word(s, control)) {
        return false;
    }
    return begins_with_word(s, definers) || str_find_char(s, '(', 0) != SIZE_MAX;
}

/* The first line of the head whose last line is `n`: a list of parameters may take several. */
static size_t head_start(const struct document *d, size_t n)
{
    size_t first = n;
    for (size_t i = n; i > 0 && n - i < HEAD_MAX_LINES; i--) {
        struct line above;
        read_line(d, i - 1, &above);
        str s = shown(&above);
        if (is_blank(&above) || is_comment(s) || is_closer(s) || str_ends_with(s, STR(";")) ||
            str_ends_with(s, STR("}")) || opens_block(s)) {
            break;
        }
        first = i - 1;
        if (above.indent == 0) {
            break;
        }
    }
    return first;
}

static size_t with_attributes(const struct document *d, size_t first, size_t indent)
{
    while (first > 0) {
        struct line above;
        read_line(d, first - 1, &above);
        if (is_blank(&above) || above.indent != indent || !is_attribute(shown(&above))) {
            break;
        }
        first--;
    }
    return first;
}

/* The last line of the block whose head ends on line `n` with this indentation. */
static size_t block_end(const struct document *d, size_t n, size_t indent)
{
    size_t last = n;
    size_t n_lines = document_line_count(d);
    for (size_t i = n + 1; i < n_lines && i - n < SUBJECT_MAX_LINES; i++) {
        struct line l;
        read_line(d, i, &l);
        if (is_blank(&l)) {
            continue;
        }
        str s = shown(&l);
        bool is_inside = l.indent > indent;
        bool is_brace = l.indent == indent && str_eq(s, STR("{"));
        bool is_end = l.indent == indent && is_closer(s);
        if (!is_inside && !is_brace && !is_end) {
            break;
        }
        last = i;
        if (is_end && !opens_block(s)) {
            break;
        }
    }
    return last;
}

static struct subject_range lines_range(const struct document *d, size_t first, size_t last)
{
    return (struct subject_range){document_line_start(d, first), document_line_end(d, last)};
}

/* The line on which the head that begins on line `n` opens its block: itself, one further down
 * where brackets are still open, or the "{" below. SIZE_MAX where it opens none. */
static size_t head_last(const struct document *d, size_t n)
{
    int depth = 0;
    size_t n_lines = document_line_count(d);
    for (size_t i = n; i < n_lines && i - n < HEAD_MAX_LINES; i++) {
        struct line l;
        read_line(d, i, &l);
        str s = shown(&l);
        for (size_t k = 0; k < s.len; k++) {
            depth += s.ptr[k] == '(' || s.ptr[k] == '[';
            depth -= s.ptr[k] == ')' || s.ptr[k] == ']';
        }
        if (is_blank(&l) || str_ends_with(s, STR(";"))) {
            return SIZE_MAX;
        }
        if (depth > 0) {
            continue;
        }
        struct line below = {.indent = SIZE_MAX};
        if (i + 1 < n_lines) {
            read_line(d, i + 1, &below);
        }
        bool has_brace = !is_blank(&below) && str_eq(shown(&below), STR("{"));
        return opens_block(s) ? i : has_brace ? i + 1 : SIZE_MAX;
    }
    return SIZE_MAX;
}

/* The block whose head is the lines [first, opener]. */
static struct subject_range block_of(const struct document *d, size_t first, size_t opener)
{
    struct line head;
    read_line(d, first, &head);
    if (is_blank(&head) || !is_definition_head(shown(&head))) {
        return (struct subject_range){0};
    }
    size_t last = block_end(d, opener, head.indent);
    return lines_range(d, with_attributes(d, first, head.indent), last);
}

/* The next line above `n` that is indented as far, `n` where there is none: a head's first line,
 * whose last is ") {". */
static size_t same_indent_above(const struct document *d, size_t n, size_t indent)
{
    for (size_t i = n; i > 0 && n - i < HEAD_MAX_LINES; i--) {
        struct line above;
        read_line(d, i - 1, &above);
        if (above.indent == indent) {
            return i - 1;
        }
    }
    return n;
}

/* The line that a place on a blank line belongs to: the next one above that isn't blank. */
static size_t settle_line(const struct document *d, size_t n)
{
    struct line l;
    read_line(d, n, &l);
    while (is_blank(&l) && n > 0) {
        read_line(d, --n, &l);
    }
    return n;
}

/* The block whose head begins on line `n`, or ends there; nothing for other lines. */
static struct subject_range block_headed_at(const struct document *d, size_t n,
                                            const struct line *l)
{
    str s = shown(l);
    if (str_eq(s, STR("{"))) {
        return n > 0 ? block_of(d, head_start(d, n - 1), n) : (struct subject_range){0};
    }
    if (is_closer(s) && opens_block(s)) {
        return block_of(d, same_indent_above(d, n, l->indent), n);
    }
    size_t opener = head_last(d, n);
    return opener != SIZE_MAX ? block_of(d, n, opener) : (struct subject_range){0};
}

struct subject_range subject_block(const struct document *d, size_t offset)
{
    size_t at = document_line_at(d, offset);
    size_t n = settle_line(d, at);
    struct line l;
    read_line(d, n, &l);
    size_t below = is_blank(&l) ? 0 : l.indent + 1; /* the line itself may be the head */
    for (size_t i = n + 1; i-- > 0 && n - i < SUBJECT_MAX_LINES && below > 0;) {
        read_line(d, i, &l);
        if (is_blank(&l) || l.indent >= below || is_comment(shown(&l))) {
            continue;
        }
        struct subject_range block = block_headed_at(d, i, &l);
        if (block.end > block.start) {
            bool holds = document_line_at(d, block.end) >= at;
            return holds ? block : (struct subject_range){0};
        }
        bool closes_own = i == n && is_closer(shown(&l)); /* its head has the same indentation */
        below = closes_own ? below : l.indent;
    }
    return (struct subject_range){0};
}

size_t subject_head_end(const struct document *d, struct subject_range block)
{
    size_t n = document_line_at(d, block.start);
    size_t last = document_line_at(d, block.end);
    struct line l;
    for (read_line(d, n, &l); n < last && is_attribute(shown(&l)); read_line(d, n, &l)) {
        n++;
    }
    size_t opener = head_last(d, n);
    return document_line_end(d, opener != SIZE_MAX && opener <= last ? opener : n);
}

/* -- symbols -- */

struct subject_range subject_symbol(const struct document *d, size_t offset)
{
    size_t line = document_line_at(d, offset);
    size_t from = document_line_start(d, line);
    size_t to = document_line_end(d, line);
    size_t start = offset < to ? offset : to;
    size_t end = start;
    while (start > from && offset - start < SUBJECT_MAX_NAME &&
           is_word_char(document_byte(d, start - 1))) {
        start--;
    }
    while (end < to && end - start < SUBJECT_MAX_NAME && is_word_char(document_byte(d, end))) {
        end++;
    }
    bool is_number =
        end > start && document_byte(d, start) >= '0' && document_byte(d, start) <= '9';
    start = document_floor(d, start);
    end = document_floor(d, end);
    struct subject_range none = {0, 0};
    struct subject_range word = {start, end};
    return is_number || end <= start ? none : word;
}

static str last_word(str s)
{
    s = str_trim_end(s);
    size_t n = s.len;
    while (n > 0 && is_word_char(s.ptr[n - 1])) {
        n--;
    }
    return str_sub(s, n, s.len);
}

/* Whether a body follows within some lines after `offset`, rather than a ";". */
static bool has_body(const struct document *d, size_t offset)
{
    size_t end = document_len(d);
    end = end - offset > 4 * LINE_LOOK_BYTES ? offset + 4 * LINE_LOOK_BYTES : end;
    int depth = 0;
    for (size_t i = offset; i < end; i++) {
        char c = document_byte(d, i);
        depth += c == '(' ? 1 : c == ')' ? -1 : 0;
        if (depth <= 0 && (c == '{' || c == ';')) {
            return c == '{';
        }
    }
    return false;
}

static const char *const naming[] = {
    "def",  "class", "struct",    "enum",   "union",  "fn",          "func", "function",
    "type", "trait", "interface", "mod",    "module", "namespace",   "let",  "const",
    "var",  "val",   "define",    "record", "object", "macro_rules", "impl", NULL};

static bool is_typed_end(char c)
{
    return is_word_char(c) || (c != '\0' && strchr("*&>", c) != NULL);
}

/* Whether the name at [start, end) of the text may be defined there: false for nearly all of the
 * places where something is merely used, so that only the others are looked at closely. Where the
 * text doesn't show it, it may. */
static bool may_define(str text, size_t start, size_t end)
{
    while (end < text.len && (text.ptr[end] == ' ' || text.ptr[end] == '\t')) {
        end++;
    }
    while (start > 0 && (text.ptr[start - 1] == ' ' || text.ptr[start - 1] == '\t')) {
        start--;
    }
    if (start == 0 || end == text.len) {
        return true;
    }
    char before = text.ptr[start - 1];
    char after = text.ptr[end];
    bool is_first = before == '\n' || before == '\r';
    return (after == '(' && is_typed_end(before)) || (after == '=' && is_first) ||
           (is_word_char(before) && begins_with_word(last_word(str_sub(text, 0, start)), naming));
}

/* Whether the name at [start, end) is being defined there. */
static bool defines(const struct document *d, size_t start, size_t end)
{
    size_t n = document_line_at(d, start);
    struct line l;
    read_line(d, n, &l);
    size_t line_start = document_line_start(d, n);
    if (end - line_start > l.len) {
        return false;
    }
    str before = str_sub(str_of(l.text, l.len), 0, start - line_start);
    str after = str_trim(str_sub(str_of(l.text, l.len), end - line_start, l.len));
    str word = last_word(before);
    if (begins_with_word(word, naming)) {
        return !str_ends_with(str_of(l.text, l.len), STR(";")) || !str_eq(word, STR("struct"));
    }
    before = str_trim(before);
    bool is_first = before.len == 0;
    if (is_first && l.indent == 0 && str_starts_with(after, STR("=")) &&
        !str_starts_with(after, STR("=="))) {
        return true;
    }
    bool is_typed = !is_first && is_typed_end(before.ptr[before.len - 1]);
    static const char *const not_types[] = {"return", "else", "new", "case", "goto", "await", NULL};
    return str_starts_with(after, STR("(")) && is_typed && !begins_with_word(word, not_types) &&
           has_body(d, end);
}

/* From the line that defines something to the end of what it defines. */
static struct subject_range definition_at(const struct document *d, size_t offset)
{
    size_t n = document_line_at(d, offset);
    struct line l;
    read_line(d, n, &l);
    bool is_macro = str_starts_with(shown(&l), STR("#"));
    if (is_macro) {
        while (n + 1 < document_line_count(d) && str_ends_with(shown(&l), STR("\\"))) {
            read_line(d, ++n, &l);
        }
        return lines_range(d, document_line_at(d, offset), n);
    }
    size_t opener = head_last(d, n);
    size_t last = opener != SIZE_MAX ? block_end(d, opener, l.indent) : n;
    return lines_range(d, with_attributes(d, n, l.indent), last);
}

/* Looks at the name's places that begin in the block: the last one that defines it with
 * `wants_last`, else the first; SIZE_MAX where none does. *n_places goes down with each. */
static size_t find_in_block(const struct document *d, str name, struct subject_range block,
                            bool wants_last, size_t *n_places)
{
    size_t found = SIZE_MAX;
    size_t len = document_len(d);
    size_t from = block.start > BLOCK_MARGIN ? block.start - BLOCK_MARGIN : 0;
    size_t to = len - block.end > BLOCK_MARGIN ? block.end + BLOCK_MARGIN : len;
    struct buf scratch;
    buf_init(&scratch, BLOCK_BYTES + 2 * BLOCK_MARGIN);
    str text = document_slice(d, from, to, &scratch);
    size_t stop = block.end - from;
    for (size_t at = str_find(text, name, block.start - from); at < stop;
         at = str_find(text, name, at + 1)) {
        size_t end = at + name.len;
        bool is_word = (at == 0 || !is_word_char(text.ptr[at - 1])) &&
                       (end == text.len || !is_word_char(text.ptr[end]));
        *n_places -= is_word && *n_places > 0;
        if (is_word && may_define(text, at, end) && defines(d, from + at, from + end)) {
            found = from + at;
            if (!wants_last) {
                break;
            }
        }
    }
    buf_release(&scratch);
    return found;
}

/* The last place before `near` that defines the name. */
static size_t find_above(const struct document *d, str name, size_t near)
{
    size_t n_places = SUBJECT_MAX_PLACES;
    size_t stop = near > SUBJECT_SEARCH_BYTES ? near - SUBJECT_SEARCH_BYTES : 0;
    size_t found = SIZE_MAX;
    for (size_t end = near; end > stop && found == SIZE_MAX && n_places > 0;) {
        size_t start = end - stop > BLOCK_BYTES ? end - BLOCK_BYTES : stop;
        found = find_in_block(d, name, (struct subject_range){start, end}, true, &n_places);
        end = start;
    }
    return found;
}

/* The first place from `near` on that defines the name. */
static size_t find_below(const struct document *d, str name, size_t near)
{
    size_t n_places = SUBJECT_MAX_PLACES;
    size_t len = document_len(d);
    size_t stop = len - near > SUBJECT_SEARCH_BYTES ? near + SUBJECT_SEARCH_BYTES : len;
    size_t found = SIZE_MAX;
    for (size_t start = near; start < stop && found == SIZE_MAX && n_places > 0;) {
        size_t end = stop - start > BLOCK_BYTES ? start + BLOCK_BYTES : stop;
        found = find_in_block(d, name, (struct subject_range){start, end}, false, &n_places);
        start = end;
    }
    return found;
}

struct subject_range subject_definition(const struct document *d, str name, size_t near)
{
    if (name.len == 0 || name.len > SUBJECT_MAX_NAME) {
        return (struct subject_range){0};
    }
    size_t line_end = document_line_end(d, document_line_at(d, near));
    size_t at = find_above(d, name, line_end);
    at = at == SIZE_MAX ? find_below(d, name, line_end) : at;
    struct subject_range nothing = {0, 0};
    return at == SIZE_MAX ? nothing : definition_at(d, at);
}

/* -- comments, indentation -- */

/* Takes the mark of a comment off the beginning of a line; false where it has none. */
static bool strip_mark(str *s)
{
    static const char *const marks[] = {"///",  "//!", "//", "/**", "/*",     "*", "##", "#",
                                        "--[[", "--",  ";;", ";",   "\"\"\"", "%", NULL};
    for (const char *const *mark = marks; *mark != NULL; mark++) {
        if (str_starts_with(*s, str_from(*mark))) {
            *s = str_sub(*s, strlen(*mark), s->len);
            return true;
        }
    }
    return false;
}

void subject_comment(const struct document *d, size_t start, size_t end, struct buf *out)
{
    static const char *const no_comments[] = {"#include", "#define", "#if",    "#endif", "#[",
                                              "#else",    "#pragma", "#undef", NULL};
    size_t n = document_line_at(d, start);
    size_t last = document_line_at(d, end);
    for (; n <= last; n++) {
        struct line l;
        read_line(d, n, &l);
        str s = shown(&l);
        if (is_blank(&l) && out->len == 0) {
            continue;
        }
        if (str_starts_with(s, STR("*/")) || begins_with_any(s, no_comments) || !strip_mark(&s)) {
            break;
        }
        size_t close = str_find(s, STR("*/"), 0);
        s = str_trim(str_sub(s, 0, close));
        if (s.len > 0) {
            buf_append(out, out->len > 0 ? STR(" ") : STR(""));
            buf_append(out, s);
        }
        if (close != SIZE_MAX) {
            break;
        }
    }
}

void subject_indent(const struct document *d, size_t offset, struct buf *out)
{
    struct line l;
    read_line(d, document_line_at(d, offset), &l);
    buf_append(out, str_of(l.text, is_blank(&l) ? l.len : l.at));
}
