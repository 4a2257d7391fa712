/* str.c - slices and growable strings.
 *
 * How    A slice with length 0 may have a NULL pointer, so every call into the C library is kept
 *        from it. A buffer doubles; the terminating NUL is not counted in `len` nor in `max`.
 * Rules  What is appended must not be a slice of the same buffer: growing may move it. */
#include "core/base/str.h"

#include <stdio.h>
#include <string.h>

#include "core/base/memory.h"

#define BUF_FIRST_BYTES 64u

str str_from(const char *c)
{
    return str_of(c, c ? strlen(c) : 0);
}

str str_of(const char *ptr, size_t len)
{
    return (str){ptr, len};
}

bool str_eq(str a, str b)
{
    return a.len == b.len &&
           (a.len == 0 || (a.ptr != NULL && b.ptr != NULL && memcmp(a.ptr, b.ptr, a.len) == 0));
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

static bool eq_nocase(const char *a, const char *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (lower(a[i]) != lower(b[i])) {
            return false;
        }
    }
    return true;
}

bool str_eq_nocase(str a, str b)
{
    return a.len == b.len && eq_nocase(a.ptr, b.ptr, a.len);
}

bool str_starts_with(str s, str prefix)
{
    return s.len >= prefix.len && str_eq(str_of(s.ptr, prefix.len), prefix);
}

bool str_ends_with(str s, str suffix)
{
    return s.len >= suffix.len && str_eq(str_sub(s, s.len - suffix.len, s.len), suffix);
}

bool str_contains_nocase(str s, str needle)
{
    for (size_t i = 0; i + needle.len <= s.len; i++) {
        if (needle.len == 0 || eq_nocase(s.ptr + i, needle.ptr, needle.len)) {
            return true;
        }
    }
    return false;
}

size_t str_find(str s, str needle, size_t from)
{
    if (from > s.len || needle.len > s.len - from) {
        return SIZE_MAX;
    }
    if (needle.len == 0) {
        return from;
    }
    const char *hit = memmem(s.ptr + from, s.len - from, needle.ptr, needle.len);
    return hit ? (size_t)(hit - s.ptr) : SIZE_MAX;
}

size_t str_find_char(str s, char c, size_t from)
{
    if (from >= s.len) {
        return SIZE_MAX;
    }
    const char *hit = memchr(s.ptr + from, c, s.len - from);
    return hit ? (size_t)(hit - s.ptr) : SIZE_MAX;
}

str str_sub(str s, size_t from, size_t to)
{
    to = to < s.len ? to : s.len;
    from = from < to ? from : to;
    return str_of(s.ptr ? s.ptr + from : NULL, to - from);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

str str_trim(str s)
{
    while (s.len > 0 && is_blank(s.ptr[0])) {
        s.ptr++;
        s.len--;
    }
    return str_trim_end(s);
}

str str_trim_end(str s)
{
    while (s.len > 0 && is_blank(s.ptr[s.len - 1])) {
        s.len--;
    }
    return s;
}

str str_after_last(str s, char c)
{
    size_t at = s.len;
    while (at > 0 && s.ptr[at - 1] != c) {
        at--;
    }
    return str_sub(s, at, s.len);
}

bool str_next(str *rest, char sep, str *part)
{
    if (rest->len == 0) {
        return false;
    }
    size_t at = str_find_char(*rest, sep, 0);
    size_t end = at == SIZE_MAX ? rest->len : at;
    *part = str_sub(*rest, 0, end);
    *rest = str_sub(*rest, at == SIZE_MAX ? end : end + 1, rest->len);
    return true;
}

bool str_to_u64(str s, uint64_t max, uint64_t *out)
{
    uint64_t n = 0;
    if (s.len == 0) {
        return false;
    }
    for (size_t i = 0; i < s.len; i++) {
        unsigned digit = (unsigned)(unsigned char)s.ptr[i] - '0';
        if (digit > 9 || n > (UINT64_MAX - digit) / 10) {
            return false;
        }
        n = n * 10 + digit;
    }
    if (n > max) {
        return false;
    }
    *out = n;
    return true;
}

void buf_init(struct buf *b, size_t max)
{
    *b = (struct buf){.max = max < SIZE_MAX ? max : SIZE_MAX - 1};
}

void buf_release(struct buf *b)
{
    if (b) {
        xfree(b->ptr);
        *b = (struct buf){.max = b->max};
    }
}

void buf_clear(struct buf *b)
{
    b->is_full = false;
    buf_truncate(b, 0);
}

/* `needed` counts the NUL and is at most max + 1. */
static void grow(struct buf *b, size_t needed)
{
    size_t cap = b->cap ? b->cap : BUF_FIRST_BYTES;
    while (cap < needed) {
        cap = cap <= SIZE_MAX / 2 ? cap * 2 : needed;
    }
    if (cap > b->max + 1) {
        cap = b->max + 1;
    }
    b->ptr = xrealloc(b->ptr, cap);
    b->cap = cap;
    b->ptr[b->len] = '\0';
}

char *buf_reserve(struct buf *b, size_t n)
{
    if (b->is_full || n > b->max - b->len) {
        b->is_full = true;
        return NULL;
    }
    if (b->len + n + 1 > b->cap) {
        grow(b, b->len + n + 1);
    }
    return b->ptr + b->len;
}

void buf_commit(struct buf *b, size_t n)
{
    if (n > 0) {
        ASSERT(n < b->cap - b->len);
        b->len += n;
        b->ptr[b->len] = '\0';
    }
}

void buf_append(struct buf *b, str s)
{
    if (s.len == 0) {
        return;
    }
    char *to = buf_reserve(b, s.len);
    if (to) {
        memcpy(to, s.ptr, s.len);
        buf_commit(b, s.len);
    }
}

void buf_append_char(struct buf *b, char c)
{
    char *to = buf_reserve(b, 1);
    if (to) {
        *to = c;
        buf_commit(b, 1);
    }
}

void buf_appendf(struct buf *b, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    buf_vappendf(b, fmt, args);
    va_end(args);
}

void buf_vappendf(struct buf *b, const char *fmt, va_list args)
{
    va_list again;
    size_t room = b->ptr && !b->is_full ? b->cap - b->len : 0;
    va_copy(again, args);
    int len = vsnprintf(room ? b->ptr + b->len : NULL, room, fmt, args);
    ASSERT(len >= 0);
    if ((size_t)len < room) {
        b->len += (size_t)len;
    } else {
        if (room) {
            b->ptr[b->len] = '\0'; /* until it is sure that it fits */
        }
        char *to = len > 0 ? buf_reserve(b, (size_t)len) : NULL;
        if (to) {
            vsnprintf(to, (size_t)len + 1, fmt, again);
            buf_commit(b, (size_t)len);
        }
    }
    va_end(again);
}

void buf_consume(struct buf *b, size_t n)
{
    ASSERT(n <= b->len);
    if (n > 0) {
        memmove(b->ptr, b->ptr + n, b->len - n);
        buf_truncate(b, b->len - n);
    }
}

void buf_truncate(struct buf *b, size_t n)
{
    ASSERT(n <= b->len);
    b->len = n;
    if (b->ptr) {
        b->ptr[n] = '\0';
    }
}

void buf_splice(struct buf *b, size_t start, size_t end, str s)
{
    ASSERT(start <= end && end <= b->len);
    size_t removed = end - start;
    if (s.len > removed && !buf_reserve(b, s.len - removed)) {
        return;
    }
    if (b->is_full || !b->ptr) {
        return;
    }
    memmove(b->ptr + start + s.len, b->ptr + end, b->len - end);
    if (s.len > 0) {
        memcpy(b->ptr + start, s.ptr, s.len);
    }
    b->len = b->len - removed + s.len;
    b->ptr[b->len] = '\0';
}

str buf_str(const struct buf *b)
{
    return str_of(b->ptr, b->len);
}

const char *buf_cstr(const struct buf *b)
{
    return b->ptr ? b->ptr : "";
}
