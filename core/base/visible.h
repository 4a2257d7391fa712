/* visible.h - which characters of a stranger's text may reach a person's screen or document.
 *
 * Text of models and servers can carry characters that show nothing but change what is read:
 * controls, terminal escape sequences, bidi controls (Trojan Source, CVE-2021-42574), zero-width
 * and tag characters, variation selectors. A filter takes one code point after the other and says
 * what becomes of each; line ends of any form become "\n". */
#ifndef CRUCIBLE_BASE_VISIBLE_H
#define CRUCIBLE_BASE_VISIBLE_H

#include "core/base/str.h"

struct visible {          /* `{0}` is a filter at the start of a text */
    unsigned char escape; /* where in an escape sequence, 0: outside */
    unsigned n_escaped;   /* code points of it so far */
    bool was_cr;          /* the last one was CR: a following LF belongs to it */
    uint32_t previous;    /* the last one that was kept */
};

/* The code point to keep for `cp`, 0 where it is dropped. */
uint32_t visible_next(struct visible *v, uint32_t cp);
/* Whether `cp` is one that is never kept, wherever it stands (escape sequences apart). */
bool visible_is_forbidden(uint32_t cp);
/* Decodes one code point at the start of `s`, which isn't empty; each sequence of bytes that is
 * no UTF-8 counts as one U+FFFD. Gives its length, 0 where it may still become one with more
 * bytes. */
size_t visible_decode(str s, uint32_t *cp);
/* Appends what is visible of `text`. */
void visible_append(struct buf *out, str text);

#endif
