/* utf8.h - UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing past U+10FFFF. */
#ifndef CRUCIBLE_BASE_UTF8_H
#define CRUCIBLE_BASE_UTF8_H

#include "core/base/str.h"

/* Whether all of `s` is valid. */
bool utf8_is_valid(str s);
/* Decodes one code point at s.ptr[0]; returns its length in bytes, 0 where the bytes are invalid
 * or incomplete (*cp is then U+FFFD). s.len > 0. */
size_t utf8_decode(str s, uint32_t *cp);
/* Writes 1-4 bytes; surrogates and values past U+10FFFF become U+FFFD. */
size_t utf8_encode(uint32_t cp, char out[4]);
/* How many bytes at the end of `s` are the beginning of a code point that may still complete
 * (0-3). */
size_t utf8_incomplete_tail(str s);
/* Largest offset <= n that doesn't cut a code point of `s` (which is valid). */
size_t utf8_floor(str s, size_t n);
/* UTF-16 code units of valid `s`; eight bytes at a time where it is ASCII. */
size_t utf8_utf16_len(str s);
/* Code points of valid `s`. */
size_t utf8_count(str s);
/* Byte offset of the given UTF-16 unit / code point in valid `s`, clamped to s.len. A unit in the
 * middle of a surrogate pair gives the start of its code point. */
size_t utf8_offset_of_utf16(str s, size_t units);
size_t utf8_offset_of_count(str s, size_t count);
/* Appends `s` to `out` with each invalid byte sequence replaced by one U+FFFD. */
void utf8_append_repaired(struct buf *out, str s);

#endif
