/* action.h - what a person can have done to code: the built-in actions and their own, and how each
 * is said to a model.
 *
 * A prompt is text with words in braces: {code} (the text that is asked about, fenced), {what} (in
 * words: "the symbol `x`" or "the code below"), {language}, {file}, {instruction}, {diagnostics},
 * {context} (what stands around the code, fenced). A prompt that doesn't hold {code} gets it at its
 * end, as do {context}, a given instruction, and the form in which the answer is wanted. */
#ifndef CRUCIBLE_PROMPT_ACTION_H
#define CRUCIBLE_PROMPT_ACTION_H

#include "core/document/documents.h"
#include "core/prompt/subject.h"
#include "core/request/similar.h"
#include "core/settings/settings.h"

struct action {
    str name;   /* "explain", "fix", "document", "tests", "refactor"; empty: the person's own */
    str title;  /* "Explain" */
    str prompt; /* with the words above */
    enum action_output output;
    const str *languages; /* ids; none: all */
    size_t n_languages;
};

/* The actions that the settings know: the built-in ones, in the person's words where there are
 * any, then the person's own. Strings are borrowed from the settings. */
size_t action_count(const struct settings *s);
struct action action_at(const struct settings *s, size_t idx);
/* By a built-in name, or by the title of the person's own. */
bool action_find(const struct settings *s, str name, struct action *out);
bool action_serves(const struct action *a, str language);

/* Code of another open document that means something like it. */
struct action_related {
    const struct open_document *doc;
    struct subject_range range;
};
#define ACTION_RELATED_MAX 3u
/* What an action is about; borrowed. */
struct action_place {
    const struct open_document *doc;
    size_t start, end;                    /* the text that is asked about, byte offsets */
    str symbol;                           /* the name that is meant; may be empty */
    str instruction;                      /* the person's words; may be empty */
    str diagnostics;                      /* lines of what is reported; may be empty */
    const struct action_related *related; /* the likest first */
    size_t n_related;
};
/* What an action without a selection is about ("fix": also with one within a line): the block
 * around the place, of "explain" the symbol's definition where there is one, of "fix" at least the
 * place's line. Nothing where there is nothing to ask about. `symbol` gets the symbol's range where
 * that is what is meant. */
struct subject_range action_subject(const struct action *a, const struct document *d,
                                    struct subject_range place, struct subject_range *symbol);
/* Where an ACTION_INSERT puts its text: above the text that was asked about for documentation
 * (below the head in languages that document inside), else below it. Always a line's start or end;
 * *is_below tells which. */
size_t action_insert_at(const struct action *a, const struct action_place *p, bool *is_below);
/* Writes the user message, at most `room` bytes of it: what is related is left out first, then what
 * stands around is cut. Control tokens of models in the text are broken up. ERR_TOO_LARGE where the
 * code alone doesn't fit. */
NODISCARD enum err action_render(const struct action *a, const struct action_place *p, size_t room,
                                 struct buf *out, struct error *why);
/* Where an answer goes. */
struct action_target {
    struct subject_range range; /* the text that was asked about */
    size_t insert_at;           /* of inserts: action_insert_at's */
    bool is_below;
};
/* The text that goes into the document, of a whole answer: with "\n" line ends, indented as its
 * place is. The range is widened to whole lines where the text replaces whole lines. Errors as
 * rewrite_read. */
NODISCARD enum err action_read(const struct action *a, const struct document *d,
                               struct action_target *target, str answer, struct buf *out,
                               struct error *why);
/* What is said to every model before, unless modelOptions.system says something else. */
str action_system(void);
/* How many tokens an answer may take. */
unsigned action_max_tokens(const struct action *a, const struct action_place *p);
/* What makes two explanations the same: the symbol and its definition, blanks apart, or the code.
 * Appended to `out`; nothing for actions that change the text. `like` (may be NULL) gets what a
 * similar question's answer is judged by; a head of 0 where only the same question's serves: all
 * but the built-in "explain" of a symbol without an instruction. */
void action_identity(const struct action *a, const struct action_place *p, struct buf *out,
                     struct likeness *like);

#endif
