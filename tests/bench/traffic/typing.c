/* typing.c - a person's edits, and what they will come to.
 *
 * Why   The simulated server answers with what the person really types next, so somebody has to
 *       look ahead.
 * How   From a state on, steps are applied to the empty text at the cursor for as long as they stay
 *       in it: typing, deleting, typing over a closer. What stands when the person goes elsewhere
 *       is the truth, typing mistakes corrected. Where nothing stands then, or the person deletes
 *       further back, it is the longest text that was typed.
 * Rules A step that isn't at the cursor is going elsewhere. */
#include <stdio.h>
#include <string.h>

#include "core/base/memory.h"
#include "tests/bench/traffic/traffic.h"

#define MAX_BYTES      (64u << 20)
#define MAX_LOOKAHEAD  4000u
#define LOOKAHEAD_FULL (TRUTH_BYTES + 256) /* enough that what is cut off is settled */

static bool read_file(const char *folder, const char *name, const char *suffix, struct buf *out)
{
    char path[1024];
    (void)snprintf(path, sizeof path, "%s/%s%s", folder, name, suffix);
    FILE *f = fopen(path, "rb");
    buf_init(out, MAX_BYTES);
    if (f == NULL) {
        perror(path);
        return false;
    }
    char block[65536];
    size_t n;
    while ((n = fread(block, 1, sizeof block, f)) > 0) {
        buf_append(out, str_of(block, n));
    }
    (void)fclose(f);
    return !out->is_full;
}

/* Undoes \n, \r and \\ in place; gives the new length. */
static size_t unescape(char *s, size_t n)
{
    size_t to = 0;
    for (size_t i = 0; i < n; i++) {
        char c = s[i];
        if (c == '\\' && i + 1 < n) {
            c = s[++i];
            c = c == 'n' ? '\n' : c == 'r' ? '\r' : c;
        }
        s[to++] = c;
    }
    return to;
}

static bool take_number(str *rest, uint64_t *out)
{
    str word;
    return str_next(rest, ' ', &word) && str_to_u64(word, UINT64_MAX - 1, out);
}

/* "gap_ms offset removed cursor text" */
static bool parse_step(str line, struct step *s)
{
    uint64_t gap_ms, at, n_removed, cursor;
    if (!take_number(&line, &gap_ms) || !take_number(&line, &at) ||
        !take_number(&line, &n_removed) || !take_number(&line, &cursor)) {
        return false;
    }
    char *text = line.ptr == NULL ? NULL : (char *)(uintptr_t)line.ptr;
    *s = (struct step){.gap_us = MS_TO_US(gap_ms),
                       .at = (size_t)at,
                       .n_removed = (size_t)n_removed,
                       .text = text == NULL ? STR("") : str_of(text, unescape(text, line.len)),
                       .cursor = (size_t)cursor};
    return true;
}

/* The first line: language, and "accepts" or "types". */
static bool parse_head(struct typing *t, str line)
{
    str language;
    if (!str_next(&line, ' ', &language) || language.len >= sizeof t->language) {
        return false;
    }
    memcpy(t->language, language.ptr, language.len);
    t->accepts = str_eq(line, STR("accepts"));
    return true;
}

bool typing_read(struct typing *t, const char *folder, const char *name)
{
    *t = (struct typing){.n = 0};
    (void)snprintf(t->name, sizeof t->name, "%s", name);
    if (!read_file(folder, name, ".start", &t->start) ||
        !read_file(folder, name, ".steps", &t->bytes)) {
        return false;
    }
    str rest = buf_str(&t->bytes), line;
    size_t cap = 0;
    if (!str_next(&rest, '\n', &line) || !parse_head(t, line)) {
        return false;
    }
    while (str_next(&rest, '\n', &line)) {
        if (t->n == cap) {
            cap = cap ? cap * 2 : 1024;
            t->steps = xrealloc(t->steps, cap * sizeof *t->steps);
        }
        if (line.len == 0 || !parse_step(line, &t->steps[t->n])) {
            break;
        }
        t->n++;
    }
    t->truths = xcalloc(t->n + 1, sizeof *t->truths);
    return t->n > 1;
}

void typing_release(struct typing *t)
{
    for (size_t i = 0; t->truths != NULL && i <= t->n; i++) {
        xfree(t->truths[i].text);
    }
    xfree(t->truths);
    xfree(t->steps);
    buf_release(&t->start);
    buf_release(&t->bytes);
}

size_t typing_cursor(const struct typing *t, size_t i)
{
    return i == 0 ? t->steps[0].at : t->steps[i - 1].cursor;
}

bool step_inside(const struct step *s, size_t anchor, struct buf *text, size_t *cursor)
{
    bool is_here = s->at == *cursor || s->at + s->n_removed == *cursor;
    if (!is_here || s->at < anchor || s->at + s->n_removed > anchor + text->len) {
        return false;
    }
    size_t from = s->at - anchor;
    buf_splice(text, from, from + s->n_removed, s->text);
    *cursor = s->cursor;
    return true;
}

static struct truth look_ahead(const struct typing *t, size_t i)
{
    struct buf text, longest;
    buf_init(&text, MAX_BYTES);
    buf_init(&longest, MAX_BYTES);
    size_t anchor = typing_cursor(t, i);
    size_t cursor = anchor;
    for (size_t k = i; k < t->n && k - i < MAX_LOOKAHEAD && text.len < LOOKAHEAD_FULL; k++) {
        if (!step_inside(&t->steps[k], anchor, &text, &cursor)) {
            break;
        }
        if (text.len > longest.len) {
            buf_clear(&longest);
            buf_append(&longest, buf_str(&text));
        }
    }
    str found = text.len > 0 ? buf_str(&text) : buf_str(&longest);
    size_t n = found.len < TRUTH_BYTES ? found.len : TRUTH_BYTES;
    while (n > 0 && n < found.len && ((unsigned char)found.ptr[n] & 0xC0) == 0x80) {
        n--;
    }
    struct truth truth = {.text = xstrndup(n > 0 ? found.ptr : "", n), .len = n};
    buf_release(&text);
    buf_release(&longest);
    return truth;
}

str typing_truth(struct typing *t, size_t i)
{
    ASSERT(i <= t->n);
    if (t->truths[i].text == NULL) {
        t->truths[i] = look_ahead(t, i);
    }
    return str_of(t->truths[i].text, t->truths[i].len);
}

size_t typing_steps_to(const struct typing *t, size_t i, str text)
{
    struct buf typed;
    buf_init(&typed, MAX_BYTES);
    size_t anchor = typing_cursor(t, i);
    size_t cursor = anchor;
    size_t n = 0;
    for (size_t k = i; k < t->n && k - i < MAX_LOOKAHEAD && n == 0; k++) {
        if (!step_inside(&t->steps[k], anchor, &typed, &cursor)) {
            break;
        }
        if (str_eq(buf_str(&typed), text) && cursor == anchor + text.len) {
            n = k + 1 - i;
        }
    }
    buf_release(&typed);
    return n;
}
