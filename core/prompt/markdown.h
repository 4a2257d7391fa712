/* markdown.h - explanations as Markdown that can't act.
 *
 * A model's Markdown may hold images that an editor loads (and so tells somebody what is read),
 * links that look like others, HTML, command links. Nothing of that is passed on: the text is taken
 * apart line by line and written anew, with code blocks, code spans, emphasis, lists, headings and
 * tables, and every character that could begin anything else escaped. Addresses are shown as code.
 * Pure and linear. */
#ifndef CRUCIBLE_PROMPT_MARKDOWN_H
#define CRUCIBLE_PROMPT_MARKDOWN_H

#include "core/base/str.h"

/* Appends `text` (valid UTF-8, "\n" line ends) as safe Markdown. A code block that is open at the
 * end is closed. */
void markdown_append(struct buf *out, str text);
/* Appends `code` as a fenced block that nothing inside can end; `language` is cut to what may stand
 * behind a fence. */
void markdown_append_code(struct buf *out, str code, str language);

#endif
