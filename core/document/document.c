/* document.c - the text of one open file and where its lines start.
 *
 * Why      Every keystroke becomes an edit, and positions of the protocol name lines. A flat
 *          buffer moves half the file for each key, and a line index that is recomputed reads
 *          all of it.
 * How      Two gap arrays. `text` has its gap behind the last edit. `starts` holds where lines
 *          1, 2, ... start, and has its gap (the mark) at the same place in the text: entries in
 *          front of it are offsets, those behind it distances from the end of the text, which an
 *          edit in front of them doesn't change. An edit moves the gap and the mark to itself,
 *          drops the entries that it touched, and scans only what it inserted.
 * Rules    Whether a line starts at p depends on the bytes p-1 and p alone, so an edit of
 *          [start, end) can change no entry but those in [start, end], both ends included. That
 *          covers edits that join or split a "\r\n". Memory is at most 9/8 of the text and 5/4
 *          of the index, plus a constant; after a large removal it is given back. */
#include "core/document/document.h"

#include "core/base/limits.h"
#include "core/base/memory.h"

struct document {
    char *text;        /* owned; [0, gap) and [gap_end, text_cap) are the text */
    size_t gap;        /* bytes */
    size_t gap_end;    /* bytes */
    size_t text_cap;   /* bytes */
    uint32_t *starts;  /* owned; [0, mark) offsets, [mark_end, starts_cap) distances from the end */
    size_t mark;       /* entries */
    size_t mark_end;   /* entries */
    size_t starts_cap; /* entries */
    uint64_t revision;
};

_Static_assert(DOCUMENT_MAX_BYTES < UINT32_MAX, "line starts are kept in 32 bits");

#define TEXT_SPARE_BYTES 512u
#define STARTS_SPARE     64u
#define SHRINK_MIN_BYTES (64u * KIB) /* smaller buffers are never given back */
#define CONVERT_BLOCK    16u         /* entries converted at a time, so that they fill registers */
#define NEAR_STEPS       4u          /* entries looked at before a binary search */

/* -- the text -- */

static size_t text_cap_for(size_t len)
{
    return len + len / 8 + TEXT_SPARE_BYTES;
}

static void text_resize(struct document *d, size_t cap)
{
    size_t n_behind = d->text_cap - d->gap_end;
    if (cap < d->text_cap) {
        memmove(d->text + cap - n_behind, d->text + d->gap_end, n_behind);
        d->text = xrealloc(d->text, cap);
    } else {
        d->text = xrealloc(d->text, cap);
        memmove(d->text + cap - n_behind, d->text + d->gap_end, n_behind);
    }
    d->gap_end = cap - n_behind;
    d->text_cap = cap;
}

static void text_move_gap(struct document *d, size_t at)
{
    if (at < d->gap) {
        size_t n = d->gap - at;
        memmove(d->text + d->gap_end - n, d->text + at, n);
        d->gap = at;
        d->gap_end -= n;
    } else if (at > d->gap) {
        size_t n = at - d->gap;
        memmove(d->text + d->gap, d->text + d->gap_end, n);
        d->gap = at;
        d->gap_end += n;
    }
}

/* Leaves the gap right behind the inserted bytes. */
static void text_replace(struct document *d, size_t start, size_t end, str text)
{
    if (d->gap >= start && d->gap <= end) { /* the gap is inside: it swallows both sides */
        d->gap_end += end - d->gap;
        d->gap = start;
    } else if (d->gap > end) {
        text_move_gap(d, end);
        d->gap = start;
    } else {
        text_move_gap(d, start);
        d->gap_end += end - start;
    }
    if (d->gap_end - d->gap < text.len) {
        text_resize(d, text_cap_for(document_len(d) + text.len));
    }
    if (text.len > 0) {
        memcpy(d->text + d->gap, text.ptr, text.len);
        d->gap += text.len;
    }
    size_t len = document_len(d);
    if (d->text_cap > 4 * len + SHRINK_MIN_BYTES) {
        text_resize(d, text_cap_for(len));
    }
}

/* -- the starts of lines -- */

static size_t starts_count(const struct document *d)
{
    return d->starts_cap - (d->mark_end - d->mark);
}

static size_t starts_at(const struct document *d, size_t idx)
{
    if (idx < d->mark) {
        return d->starts[idx];
    }
    return document_len(d) - d->starts[idx - d->mark + d->mark_end];
}

static void starts_resize(struct document *d, size_t cap)
{
    size_t n_behind = d->starts_cap - d->mark_end;
    size_t to = cap - n_behind;
    if (cap < d->starts_cap) {
        memmove(d->starts + to, d->starts + d->mark_end, n_behind * sizeof *d->starts);
        d->starts = xrealloc(d->starts, cap * sizeof *d->starts);
    } else {
        d->starts = xrealloc(d->starts, cap * sizeof *d->starts);
        memmove(d->starts + to, d->starts + d->mark_end, n_behind * sizeof *d->starts);
    }
    d->mark_end = to;
    d->starts_cap = cap;
}

static void starts_reserve(struct document *d, size_t n)
{
    if (d->mark_end - d->mark < n) {
        size_t count = starts_count(d);
        starts_resize(d, count + count / 4 + n + STARTS_SPARE);
    }
}

static void starts_push(struct document *d, size_t offset)
{
    starts_reserve(d, 1);
    d->starts[d->mark++] = (uint32_t)offset;
}

/* How many of the entries in front of the mark are < offset. Looks near the mark first. */
static size_t starts_front_below(const struct document *d, size_t offset)
{
    size_t high = d->mark;
    for (unsigned i = 0; i < NEAR_STEPS; i++) {
        if (high == 0 || d->starts[high - 1] < offset) {
            return high;
        }
        high--;
    }
    size_t low = 0;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (d->starts[mid] < offset) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low;
}

/* How many of the entries behind the mark are < offset. Looks near the mark first. */
static size_t starts_behind_below(const struct document *d, size_t offset)
{
    const uint32_t *behind = d->starts + d->mark_end;
    size_t len = document_len(d);
    size_t high = d->starts_cap - d->mark_end;
    size_t low = 0;
    for (unsigned i = 0; i < NEAR_STEPS; i++) {
        if (low == high || len - behind[low] >= offset) {
            return low;
        }
        low++;
    }
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (len - behind[mid] < offset) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low;
}

/* to[i] = len - from[i]: the one conversion between offsets and distances, in both directions.
 * Blocks are read whole before they are written, so overlap is fine as long as the walk goes away
 * from where it writes: upwards when `to` is below `from`, downwards when it is above. */
static void convert_block(uint32_t *to, const uint32_t *from, uint32_t len)
{
    uint32_t block[CONVERT_BLOCK];
    memcpy(block, from, sizeof block);
    for (size_t i = 0; i < CONVERT_BLOCK; i++) {
        block[i] = len - block[i];
    }
    memcpy(to, block, sizeof block);
}

static void starts_convert_up(uint32_t *to, const uint32_t *from, size_t n, uint32_t len)
{
    size_t i = n;
    for (; i >= CONVERT_BLOCK; i -= CONVERT_BLOCK) {
        convert_block(to + i - CONVERT_BLOCK, from + i - CONVERT_BLOCK, len);
    }
    while (i > 0) {
        i--;
        to[i] = len - from[i];
    }
}

static void starts_convert_down(uint32_t *to, const uint32_t *from, size_t n, uint32_t len)
{
    size_t i = 0;
    for (; i + CONVERT_BLOCK <= n; i += CONVERT_BLOCK) {
        convert_block(to + i, from + i, len);
    }
    for (; i < n; i++) {
        to[i] = len - from[i];
    }
}

/* Moves the mark to an edit of [start, end) that is about to be made and drops the entries in
 * [start, end]. */
static void starts_drop(struct document *d, size_t start, size_t end)
{
    uint32_t len = (uint32_t)document_len(d);
    size_t n_front = d->mark;
    size_t n_kept = starts_front_below(d, start);
    if (n_kept < n_front) {
        size_t n_upto = n_kept; /* entries <= end: as a rule none or one are dropped */
        while (n_upto < n_front && d->starts[n_upto] <= end) {
            n_upto++;
        }
        size_t n_moved = n_front - n_upto;
        d->mark_end -= n_moved;
        starts_convert_up(d->starts + d->mark_end, d->starts + n_upto, n_moved, len);
        d->mark = n_kept;
        if (n_moved > 0) {
            return; /* everything behind is past `end` too */
        }
    }
    size_t n_before = n_kept < n_front ? 0 : starts_behind_below(d, start);
    size_t n_upto = starts_behind_below(d, end + 1);
    starts_convert_down(d->starts + d->mark, d->starts + d->mark_end, n_before, len);
    d->mark += n_before;
    d->mark_end += n_upto;
}

/* -- finding line ends -- */

#define EACH_BYTE(b) ((uint64_t)(b)*0x0101010101010101u)

/* 0x80 in each byte of `word` that is 0, exactly. */
static uint64_t zero_bytes(uint64_t word)
{
    return ~(((word & EACH_BYTE(0x7f)) + EACH_BYTE(0x7f)) | word | EACH_BYTE(0x7f));
}

/* 0x80 in each byte that is CR or LF, the first byte of the text lowest. */
static uint64_t line_end_bytes(const char *p)
{
    uint64_t word;
    memcpy(&word, p, sizeof word);
    if (((word - EACH_BYTE(0x10)) & ~word & EACH_BYTE(0x80)) == 0) {
        return 0; /* no byte below 0x10 at all: nearly every word of source code */
    }
    uint64_t hits = zero_bytes(word ^ EACH_BYTE('\n')) | zero_bytes(word ^ EACH_BYTE('\r'));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    hits = __builtin_bswap64(hits);
#endif
    return hits;
}

/* The byte at `offset`, or -1 at the end of the text. */
static int byte_or_end(const struct document *d, size_t offset)
{
    return offset < document_len(d) ? (unsigned char)document_byte(d, offset) : -1;
}

/* Pushes the line that starts behind the byte at `offset`, if that byte ends one. */
static void scan_byte(struct document *d, size_t offset)
{
    char c = d->text[offset];
    if (c == '\n' || (c == '\r' && byte_or_end(d, offset + 1) != '\n')) {
        starts_push(d, offset + 1);
    }
}

/* Pushes the lines that start in [start, end]; the gap is at `end`. */
static void starts_scan(struct document *d, size_t start, size_t end)
{
    size_t at = start;
    if (start > 0) {
        scan_byte(d, start - 1);
    }
    for (; end - at >= 8; at += 8) {
        for (uint64_t hits = line_end_bytes(d->text + at); hits != 0; hits &= hits - 1) {
            scan_byte(d, at + (size_t)__builtin_ctzll(hits) / 8);
        }
    }
    for (; at < end; at++) {
        scan_byte(d, at);
    }
}

/* -- life -- */

static void document_fill(struct document *d, str text)
{
    d->text_cap = text_cap_for(text.len);
    d->text = xmalloc(d->text_cap);
    d->starts_cap = text.len / 32 + STARTS_SPARE;
    d->starts = xmalloc(d->starts_cap * sizeof *d->starts);
    if (text.len > 0) {
        memcpy(d->text, text.ptr, text.len);
    }
    d->gap = text.len;
    d->gap_end = d->text_cap;
    d->mark = 0;
    d->mark_end = d->starts_cap;
    starts_scan(d, 0, text.len);
}

struct document *document_create(str text)
{
    ASSERT(text.len <= DOCUMENT_MAX_BYTES);
    struct document *d = xcalloc(1, sizeof *d);
    document_fill(d, text);
    return d;
}

void document_destroy(struct document *d)
{
    if (!d) {
        return;
    }
    xfree(d->text);
    xfree(d->starts);
    xfree(d);
}

size_t document_len(const struct document *d)
{
    return d->text_cap - (d->gap_end - d->gap);
}

uint64_t document_revision(const struct document *d)
{
    return d->revision;
}

enum err document_edit(struct document *d, size_t start, size_t end, str text)
{
    size_t len = document_len(d);
    ASSERT(start <= end && end <= len);
    if (text.len > DOCUMENT_MAX_BYTES - (len - (end - start))) {
        return ERR_TOO_LARGE;
    }
    starts_drop(d, start, end);
    text_replace(d, start, end, text);
    starts_scan(d, start, start + text.len);
    size_t n_starts = starts_count(d);
    if (d->starts_cap > 4 * n_starts + SHRINK_MIN_BYTES / sizeof *d->starts) {
        starts_resize(d, n_starts + n_starts / 4 + STARTS_SPARE);
    }
    d->revision++;
    return ERR_OK;
}

/* -- lines -- */

size_t document_line_count(const struct document *d)
{
    return starts_count(d) + 1;
}

size_t document_line_start(const struct document *d, size_t line)
{
    if (line == 0) {
        return 0;
    }
    return line <= starts_count(d) ? starts_at(d, line - 1) : document_len(d);
}

size_t document_line_end(const struct document *d, size_t line)
{
    if (line >= starts_count(d)) {
        return document_len(d);
    }
    size_t next = starts_at(d, line);
    bool is_pair =
        next >= 2 && document_byte(d, next - 1) == '\n' && document_byte(d, next - 2) == '\r';
    return next - (is_pair ? 2 : 1);
}

size_t document_line_at(const struct document *d, size_t offset)
{
    if (d->mark > 0 && d->starts[d->mark - 1] > offset) {
        return starts_front_below(d, offset + 1);
    }
    return d->mark + starts_behind_below(d, offset + 1);
}

str document_eol(const struct document *d)
{
    if (starts_count(d) == 0) {
        return STR("\n");
    }
    size_t end = document_line_end(d, 0);
    if (document_byte(d, end) == '\n') {
        return STR("\n");
    }
    return starts_at(d, 0) - end == 2 ? STR("\r\n") : STR("\r");
}

/* -- text -- */

char document_byte(const struct document *d, size_t offset)
{
    ASSERT(offset < document_len(d));
    return offset < d->gap ? d->text[offset] : d->text[offset - d->gap + d->gap_end];
}

str document_piece(const struct document *d, size_t start, size_t end)
{
    size_t len = document_len(d);
    end = end < len ? end : len;
    start = start < end ? start : end;
    if (start < d->gap) {
        return str_of(d->text + start, (end < d->gap ? end : d->gap) - start);
    }
    return str_of(d->text + (start - d->gap + d->gap_end), end - start);
}

str document_slice(const struct document *d, size_t start, size_t end, struct buf *scratch)
{
    size_t len = document_len(d);
    end = end < len ? end : len;
    start = start < end ? start : end;
    str piece = document_piece(d, start, end);
    if (piece.len == end - start) {
        return piece;
    }
    size_t before = scratch->len;
    document_copy(d, start, end, scratch);
    return str_sub(buf_str(scratch), before, scratch->len);
}

void document_copy(const struct document *d, size_t start, size_t end, struct buf *out)
{
    size_t len = document_len(d);
    end = end < len ? end : len;
    start = start < end ? start : end;
    char *to = buf_reserve(out, end - start);
    if (!to) {
        return;
    }
    for (size_t at = start; at < end;) {
        str piece = document_piece(d, at, end);
        memcpy(to + (at - start), piece.ptr, piece.len);
        at += piece.len;
    }
    buf_commit(out, end - start);
}

void document_copy_plain(const struct document *d, size_t start, size_t end, struct buf *out)
{
    char before = '\0';
    while (start < end) {
        str piece = document_piece(d, start, end);
        for (size_t i = 0; i < piece.len; i++) {
            char c = piece.ptr[i];
            if (c != '\n' || before != '\r') {
                buf_append_char(out, c == '\r' ? '\n' : c);
            }
            before = c;
        }
        start = piece.len > 0 ? start + piece.len : end;
    }
}

size_t document_floor(const struct document *d, size_t offset)
{
    size_t len = document_len(d);
    if (offset >= len) {
        return len;
    }
    while (offset > 0 && ((unsigned char)document_byte(d, offset) & 0xC0u) == 0x80u) {
        offset--;
    }
    return offset;
}
