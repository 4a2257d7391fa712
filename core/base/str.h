/* str.h - slices and growable strings.
 *
 * `str` is a borrowed slice: it owns nothing, need not be NUL-terminated and may hold NULs.
 * `struct buf` owns its bytes, is always NUL-terminated after the first append, and has a maximum
 * that is chosen at birth: an append that would pass it is dropped whole and marks the buffer
 * full for good, so that writers append freely and check once, at the end. */
#ifndef CRUCIBLE_BASE_STR_H
#define CRUCIBLE_BASE_STR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct str {
    const char *ptr;
    size_t len; /* bytes */
} str;

#define STR(lit) ((str){("" lit), sizeof(lit) - 1})
/* The same as an initializer of static data. */
#define STR_INIT(lit)                                                                              \
    {                                                                                              \
        ("" lit), sizeof(lit) - 1                                                                  \
    }
#define STR_FMT    "%.*s"
#define STR_ARG(s) (int)((s).len), ((s).ptr ? (s).ptr : "")

/* Borrows `c`, which may be NULL (an empty slice). */
str str_from(const char *c);
str str_of(const char *ptr, size_t len);
bool str_eq(str a, str b);
/* Equal but for the case of ASCII letters. */
bool str_eq_nocase(str a, str b);
bool str_starts_with(str s, str prefix);
bool str_ends_with(str s, str suffix);
/* Whether `s` contains `needle`, ASCII case ignored. */
bool str_contains_nocase(str s, str needle);
/* Offset of the first `needle` at or after `from`, or SIZE_MAX. */
size_t str_find(str s, str needle, size_t from);
size_t str_find_char(str s, char c, size_t from);
/* Whether the byte is one of a set. */
static inline bool str_holds(str set, char c)
{
    return str_find_char(set, c, 0) != SIZE_MAX;
}
/* The slice [from, to); both are clamped to the length. */
str str_sub(str s, size_t from, size_t to);
/* Without spaces, tabs, CR and LF at both ends / at the end. */
str str_trim(str s);
str str_trim_end(str s);
/* What follows the last `c`; all of `s` where there is none. */
str str_after_last(str s, char c);
/* Cuts the next part off `*rest` at `sep`; false when nothing is left. */
bool str_next(str *rest, char sep, str *part);
/* Whole decimal number without sign; false when it isn't one or passes `max`. */
bool str_to_u64(str s, uint64_t max, uint64_t *out);

struct buf {
    char *ptr;    /* owned; NULL until the first append */
    size_t len;   /* bytes, without the terminating NUL */
    size_t cap;   /* bytes allocated */
    size_t max;   /* most bytes that `len` may reach */
    bool is_full; /* an append was dropped since the last clear */
};

/* `{0}` is a valid empty buffer that can take nothing until buf_init. */
void buf_init(struct buf *b, size_t max);
void buf_release(struct buf *b);
void buf_clear(struct buf *b); /* keeps the memory, forgets is_full */
void buf_append(struct buf *b, str s);
void buf_append_char(struct buf *b, char c);
void buf_appendf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_vappendf(struct buf *b, const char *fmt, va_list args)
    __attribute__((format(printf, 2, 0)));
/* Room for `n` more bytes at buf_end(b), or NULL where max doesn't allow them; then buf_commit. */
char *buf_reserve(struct buf *b, size_t n);
void buf_commit(struct buf *b, size_t n);
/* Removes n bytes from the front / cuts to n bytes. */
void buf_consume(struct buf *b, size_t n);
void buf_truncate(struct buf *b, size_t n);
/* Replaces [start, end) by `s`. */
void buf_splice(struct buf *b, size_t start, size_t end, str s);
/* Borrowed until the next change. */
str buf_str(const struct buf *b);
/* NUL-terminated, never NULL. */
const char *buf_cstr(const struct buf *b);

#endif
