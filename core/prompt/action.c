/* action.c - the built-in actions, and how an action becomes a message to a model.
 *
 * Why      What is said decides what comes back. The words stand here in one table, where they can
 *          be read, shown (`crucible-ls ask --list`) and replaced by the settings.
 * How      A prompt's words in braces are replaced one by one. Code stands between fences that
 *          nothing inside can end. What stands around the code gets the room that is left.
 * Extending A built-in action is one row here and its name in the settings' reader. */
#include "core/prompt/action.h"

#include <string.h>

#include "core/base/hash.h"
#include "core/base/limits.h"
#include "core/prompt/template.h"

#define CONTEXT_BEFORE_BYTES 3072u /* of what stands around the code */
#define CONTEXT_AFTER_BYTES  1024u
#define FENCE_BYTES          256u /* of fences, names and line ends around one piece of code */
#define SHOW_TOKENS          1024u
#define EDIT_MIN_TOKENS      512u
#define EDIT_MAX_TOKENS      4096u
#define BYTES_PER_TOKEN      3u

#define CODE_ALONE " Answer with that alone, in one fenced code block, without any explanation."

static const struct action builtin[] = {
    {.name = STR_INIT("explain"),
     .title = STR_INIT("Explain"),
     .output = ACTION_SHOW,
     .prompt = STR_INIT(
         "Explain {what} to a programmer who reads it for the first time. First say in one "
         "sentence what it is for. Then say what isn't obvious: inputs and results, errors, side "
         "effects, traps. At most 150 words of Markdown; don't repeat the code.\n\n{code}\n"
         "{context}")},
    {.name = STR_INIT("fix"),
     .title = STR_INIT("Fix"),
     .output = ACTION_REPLACE,
     .prompt = STR_INIT("These problems are reported in the code below:\n{diagnostics}\n\nFix them "
                        "with the smallest change that does it, and leave everything else as it "
                        "is, comments and formatting too.\n\n{code}\n{context}\nWrite the whole "
                        "corrected code, which will stand in the place of the code "
                        "above." CODE_ALONE)},
    {.name = STR_INIT("document"),
     .title = STR_INIT("Document"),
     .output = ACTION_INSERT,
     .prompt = STR_INIT("Write the documentation comment for the code below, in the form that is "
                        "usual in {language}. Say what callers have to know, briefly.\n\n{code}\n"
                        "{context}\nWrite the comment without the code." CODE_ALONE)},
    {.name = STR_INIT("tests"),
     .title = STR_INIT("Write tests"),
     .output = ACTION_INSERT,
     .prompt =
         STR_INIT("Write unit tests in {language} for the code below, with the framework that "
                  "the file uses, or else the usual one. Test what it promises, and the "
                  "edges.\n\n{code}\n{context}\nWrite the tests without the code that is "
                  "tested." CODE_ALONE)},
    {.name = STR_INIT("refactor"),
     .title = STR_INIT("Refactor"),
     .output = ACTION_REPLACE,
     .prompt = STR_INIT("Change the code below as follows: {instruction}\nLeave everything else as "
                        "it is.\n\n{code}\n{context}\nWrite the whole changed code, which will "
                        "stand in the place of the code above." CODE_ALONE)},
};
#define N_BUILTIN (sizeof builtin / sizeof builtin[0])

str action_system(void)
{
    return STR("You help a programmer inside an editor. Do exactly what is asked, no more. Code "
               "that you write takes the place of code in a file, so it is complete and has no "
               "gaps, no line numbers and no marks of a patch.");
}

/* -- the table -- */

/* The idx-th of the person's own actions. */
static const struct action_settings *own_at(const struct settings *s, size_t idx)
{
    for (size_t i = 0; i < s->n_actions; i++) {
        if (s->actions[i].name.len == 0 && idx-- == 0) {
            return &s->actions[i];
        }
    }
    return NULL;
}

size_t action_count(const struct settings *s)
{
    size_t n = N_BUILTIN;
    for (size_t i = 0; i < s->n_actions; i++) {
        n += s->actions[i].name.len == 0;
    }
    return n;
}

struct action action_at(const struct settings *s, size_t idx)
{
    if (idx >= N_BUILTIN) {
        const struct action_settings *own = own_at(s, idx - N_BUILTIN);
        if (own == NULL) {
            return (struct action){0};
        }
        return (struct action){.title = own->title,
                               .prompt = own->prompt,
                               .output = own->output,
                               .languages = own->languages,
                               .n_languages = own->n_languages};
    }
    struct action a = builtin[idx];
    for (size_t i = 0; i < s->n_actions; i++) {
        const struct action_settings *said = &s->actions[i];
        if (str_eq(said->name, a.name)) {
            a.title = said->title.len > 0 ? said->title : a.title;
            a.prompt = said->prompt.len > 0 ? said->prompt : a.prompt;
            a.languages = said->n_languages > 0 ? said->languages : a.languages;
            a.n_languages = said->n_languages > 0 ? said->n_languages : a.n_languages;
        }
    }
    return a;
}

bool action_find(const struct settings *s, str name, struct action *out)
{
    for (size_t i = 0; name.len > 0 && i < action_count(s); i++) {
        *out = action_at(s, i);
        if (str_eq(out->name.len > 0 ? out->name : out->title, name)) {
            return true;
        }
    }
    return false;
}

bool action_serves(const struct action *a, str language)
{
    for (size_t i = 0; i < a->n_languages; i++) {
        if (str_eq(a->languages[i], language)) {
            return true;
        }
    }
    return a->n_languages == 0;
}

static bool is_named(const struct action *a, const char *name)
{
    return str_eq(a->name, str_from(name));
}

/* -- what it is about -- */

static struct subject_range whole_lines(const struct document *d, struct subject_range r)
{
    return (struct subject_range){document_line_start(d, document_line_at(d, r.start)),
                                  document_line_end(d, document_line_at(d, r.end))};
}

static bool is_blank_text(const struct document *d, struct subject_range r)
{
    for (size_t i = r.start; i < r.end; i++) {
        if (!str_holds(STR(" \t\r\n"), document_byte(d, i))) {
            return false;
        }
    }
    return true;
}

/* A piece of one line: what an editor names when it asks about what is reported there, and too
 * little to mend anything in. */
static bool is_piece_of_line(const struct document *d, struct subject_range place)
{
    size_t line = document_line_at(d, place.start);
    struct subject_range before = {document_line_start(d, line), place.start};
    struct subject_range after = {place.end, document_line_end(d, line)};
    return place.end <= after.end && !(is_blank_text(d, before) && is_blank_text(d, after));
}

struct subject_range action_subject(const struct action *a, const struct document *d,
                                    struct subject_range place, struct subject_range *symbol)
{
    *symbol = (struct subject_range){0};
    if (is_named(a, "fix") && is_piece_of_line(d, place)) {
        place.end = place.start;
    }
    if (place.end > place.start) {
        struct subject_range nothing = {0, 0};
        return is_blank_text(d, place) ? nothing : place;
    }
    if (is_named(a, "explain")) {
        *symbol = subject_symbol(d, place.start);
        char name[SUBJECT_MAX_NAME + 8];
        struct buf scratch;
        buf_init(&scratch, sizeof name);
        str word = document_slice(d, symbol->start, symbol->end, &scratch);
        struct subject_range definition = subject_definition(d, word, place.start);
        buf_release(&scratch);
        if (definition.end > definition.start) {
            return definition;
        }
    }
    struct subject_range block = subject_block(d, place.start);
    struct subject_range line = whole_lines(d, place);
    bool serves_lines = is_named(a, "explain") || is_named(a, "fix");
    bool has_line = serves_lines && !is_blank_text(d, line);
    return block.end > block.start ? block : has_line ? line : (struct subject_range){0};
}

static bool documents_inside(str language)
{
    return str_eq(language, STR("python"));
}

size_t action_insert_at(const struct action *a, const struct action_place *p, bool *is_below)
{
    const struct document *d = p->doc->text;
    struct subject_range range = {p->start, p->end};
    *is_below = true;
    if (!is_named(a, "document")) {
        return document_line_end(d, document_line_at(d, p->end));
    }
    if (documents_inside(p->doc->language)) {
        return subject_head_end(d, range);
    }
    *is_below = false;
    return document_line_start(d, document_line_at(d, p->start));
}

unsigned action_max_tokens(const struct action *a, const struct action_place *p)
{
    if (a->output == ACTION_SHOW) {
        return SHOW_TOKENS;
    }
    size_t n = (p->end - p->start) / BYTES_PER_TOKEN * 2 + EDIT_MIN_TOKENS;
    return n < EDIT_MAX_TOKENS ? (unsigned)n : EDIT_MAX_TOKENS;
}

/* Appends the text with each run of blanks as one: moving or indenting code changes nothing. */
static void append_squeezed(struct buf *out, str text)
{
    bool was_blank = true;
    for (size_t i = 0; i < text.len; i++) {
        bool is_blank = str_holds(STR(" \t\r\n"), text.ptr[i]);
        if (!is_blank || !was_blank) {
            buf_append_char(out, is_blank ? ' ' : text.ptr[i]);
        }
        was_blank = is_blank;
    }
}

/* What a person asks in words of their own may turn on a single character. */
static void read_likeness(const struct action *a, const struct action_place *p, str head, str code,
                          struct likeness *like)
{
    if (is_named(a, "explain") && p->symbol.len > 0 && p->instruction.len == 0) {
        like->head = hash_str(head);
        sketch_take(&like->sketch, code, p->doc->language);
    }
}

void action_identity(const struct action *a, const struct action_place *p, struct buf *out,
                     struct likeness *like)
{
    size_t from = out->len;
    if (like != NULL) {
        like->head = 0;
    }
    if (a->output != ACTION_SHOW) {
        return;
    }
    buf_appendf(out, STR_FMT "\n" STR_FMT "\n", STR_ARG(p->doc->language), STR_ARG(a->prompt));
    buf_appendf(out, STR_FMT "\n" STR_FMT "\n", STR_ARG(p->symbol), STR_ARG(p->instruction));
    struct buf scratch;
    buf_init(&scratch, PROMPT_MAX_BYTES);
    str code = document_slice(p->doc->text, p->start, p->end, &scratch);
    if (like != NULL) {
        read_likeness(a, p, str_sub(buf_str(out), from, out->len), code, like);
    }
    append_squeezed(out, code);
    buf_release(&scratch);
}

/* -- rendering -- */

static size_t longest_run(str text, char c)
{
    size_t longest = 0;
    size_t run = 0;
    for (size_t i = 0; i < text.len; i++) {
        run = text.ptr[i] == c ? run + 1 : 0;
        longest = run > longest ? run : longest;
    }
    return longest;
}

static void append_fence(struct buf *out, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        buf_append_char(out, '`');
    }
}

/* The text with "\n" line ends and broken control tokens, between fences. */
static void append_code(struct buf *out, const struct document *d, size_t start, size_t end,
                        str language)
{
    struct buf raw, plain;
    buf_init(&raw, PROMPT_MAX_BYTES);
    buf_init(&plain, PROMPT_MAX_BYTES);
    document_copy_plain(d, start, end, &plain);
    template_neutralise(buf_str(&plain), &raw);
    size_t n = longest_run(buf_str(&raw), '`') + 1;
    n = n < 3 ? 3 : n;
    append_fence(out, n);
    buf_append(out, language);
    buf_append_char(out, '\n');
    buf_append(out, buf_str(&raw));
    buf_append(out, raw.len > 0 && raw.ptr[raw.len - 1] == '\n' ? STR("") : STR("\n"));
    append_fence(out, n);
    buf_append_char(out, '\n');
    buf_release(&raw);
    buf_release(&plain);
}

/* As many as fit. */
static void append_related(struct buf *out, const struct action_place *p, size_t room)
{
    for (size_t i = 0; i < p->n_related; i++) {
        const struct action_related *r = &p->related[i];
        size_t n = r->range.end - r->range.start + FENCE_BYTES;
        if (n > room) {
            return;
        }
        room -= n;
        buf_appendf(out, "Code of " STR_FMT " that may belong to it, for orientation only:\n",
                    STR_ARG(str_after_last(r->doc->path, '/')));
        append_code(out, r->doc->text, r->range.start, r->range.end, r->doc->language);
    }
}

static void append_context(struct buf *out, const struct action_place *p, size_t room)
{
    const struct document *d = p->doc->text;
    size_t before = room / 4 * 3 < CONTEXT_BEFORE_BYTES ? room / 4 * 3 : CONTEXT_BEFORE_BYTES;
    size_t after = room / 4 < CONTEXT_AFTER_BYTES ? room / 4 : CONTEXT_AFTER_BYTES;
    size_t from = p->start > before ? p->start - before : 0;
    size_t to = document_len(d) - p->end > after ? p->end + after : document_len(d);
    if (from > 0) { /* whole lines */
        from = document_line_start(d, document_line_at(d, from) + 1);
        from = from < p->start ? from : p->start;
    }
    to = to < document_len(d) ? document_line_start(d, document_line_at(d, to)) : to;
    struct subject_range above = {from, p->start};
    struct subject_range below = {p->end, to > p->end ? to : p->end};
    size_t shown = above.end - above.start + below.end - below.start;
    if (!is_blank_text(d, above)) {
        buf_append(out, STR("What stands above it, for orientation only:\n"));
        append_code(out, d, above.start, above.end, p->doc->language);
    }
    if (!is_blank_text(d, below)) {
        buf_append(out, STR("What stands below it, for orientation only:\n"));
        append_code(out, d, below.start, below.end, p->doc->language);
    }
    append_related(out, p, room > shown ? room - shown : 0);
}

static void append_what(struct buf *out, const struct action_place *p)
{
    if (p->symbol.len > 0) {
        buf_appendf(out, "`" STR_FMT "`, as the code below defines or uses it,",
                    STR_ARG(p->symbol));
    } else {
        buf_append(out, STR("the code below"));
    }
}

static void append_word(struct buf *out, str word, const struct action_place *p, size_t room)
{
    str language = p->doc->language.len > 0 ? p->doc->language : STR("the file's language");
    if (str_eq(word, STR("code"))) {
        append_code(out, p->doc->text, p->start, p->end, p->doc->language);
    } else if (str_eq(word, STR("what"))) {
        append_what(out, p);
    } else if (str_eq(word, STR("language"))) {
        buf_append(out, language);
    } else if (str_eq(word, STR("file"))) {
        buf_append(out, str_after_last(p->doc->path, '/'));
    } else if (str_eq(word, STR("instruction"))) {
        buf_append(out, p->instruction);
    } else if (str_eq(word, STR("diagnostics"))) {
        buf_append(out, p->diagnostics.len > 0 ? p->diagnostics
                                               : STR("(none was given; look for what is wrong)"));
    } else if (str_eq(word, STR("context"))) {
        append_context(out, p, room);
    } else {
        buf_appendf(out, "{" STR_FMT "}", STR_ARG(word));
    }
}

static bool holds(str prompt, const char *word)
{
    return str_find(prompt, str_from(word), 0) != SIZE_MAX;
}

static void append_prompt(struct buf *out, str prompt, const struct action_place *p, size_t room)
{
    while (prompt.len > 0) {
        size_t open = str_find_char(prompt, '{', 0);
        size_t close = open == SIZE_MAX ? SIZE_MAX : str_find_char(prompt, '}', open);
        buf_append(out, str_sub(prompt, 0, close == SIZE_MAX ? prompt.len : open));
        if (close == SIZE_MAX) {
            return;
        }
        append_word(out, str_sub(prompt, open + 1, close), p, room);
        prompt = str_sub(prompt, close + 1, prompt.len);
    }
}

/* What a person's prompt leaves out. */
static void append_missing(struct buf *out, const struct action *a, const struct action_place *p,
                           size_t room)
{
    if (p->instruction.len > 0 && !holds(a->prompt, "{instruction}")) {
        buf_appendf(out, "\n\n" STR_FMT, STR_ARG(p->instruction));
    }
    if (!holds(a->prompt, "{code}")) {
        buf_append(out, STR("\n\n"));
        append_word(out, STR("code"), p, room);
    }
    if (!holds(a->prompt, "{context}")) {
        append_context(out, p, room);
    }
    if (a->name.len == 0 && a->output != ACTION_SHOW) {
        buf_append(out, a->output == ACTION_REPLACE
                            ? STR("\nWrite the whole code that will stand in the place of the code "
                                  "above." CODE_ALONE)
                            : STR("\nWrite what will be put in below the code above." CODE_ALONE));
    }
}

enum err action_render(const struct action *a, const struct action_place *p, size_t room,
                       struct buf *out, struct error *why)
{
    size_t fixed = a->prompt.len + p->instruction.len + p->diagnostics.len + 3 * FENCE_BYTES;
    size_t code = p->end - p->start;
    room = room < PROMPT_MAX_BYTES / 2 ? room : PROMPT_MAX_BYTES / 2;
    if (fixed + code > room) {
        return error_set(why, ERR_TOO_LARGE,
                         "%zu bytes of code are more than the model takes (about %zu): select "
                         "less, or give it more context (modelOptions, numCtx)",
                         code, room > fixed ? room - fixed : 0);
    }
    append_prompt(out, a->prompt, p, room - fixed - code);
    append_missing(out, a, p, room - fixed - code);
    return out->is_full ? error_set(why, ERR_TOO_LARGE, "the prompt is too long") : ERR_OK;
}
