/* template.h - how each model family wants the text around a hole written.
 *
 * One table, by what a server says of its model (name, architecture). Sources of every row:
 * the model cards and reference encoders named beside it. Text of the user that spells one of a
 * family's control tokens is broken up, so that it can't forge one. */
#ifndef CRUCIBLE_PROMPT_TEMPLATE_H
#define CRUCIBLE_PROMPT_TEMPLATE_H

#include "core/base/arena.h"

struct template_family {
    const char *name;      /* "qwen-coder", "codellama", ... */
    const char *matches;   /* words separated by '|': any of them in the model's name (no case);
                            * "a+b" needs both, "!a" forbids */
    const char *pattern;   /* with %P prefix, %S suffix, %F file name, %L its language */
    const char *stops[10]; /* NULL-terminated, the first four must suffice (vLLM, OpenAI) */
};

/* The family of a model, NULL where none is known to fill in the middle. A family's own name
 * always finds it. */
const struct template_family *template_find(str model_name);
/* Whether a model with these tokens around a hole, a line each, reads the family's template as it
 * is meant: all that the template spells are among them. */
bool template_is_proven(const struct template_family *f, str tokens);
/* Appends the rendered prompt. */
void template_render(const struct template_family *f, str prefix, str suffix, str file_name,
                     struct buf *out);
/* Copies `text` to `out` with every known control token of any family broken up by a space. */
void template_neutralise(str text, struct buf *out);
/* Appends a file's name as one line of visible characters, control tokens broken up. */
void template_append_name(str file_name, struct buf *out);
/* Name of the language by the file name's extension; the extension itself where it isn't known. */
str template_language(str file_name);
/* If `text` begins with a known control token, its length, else 0. *may_become (may be NULL) tells
 * whether `text` as a whole is a proper beginning of one. */
size_t template_control_token(str text, bool *may_become);

#endif
