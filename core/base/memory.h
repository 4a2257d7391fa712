/* memory.h - allocation that cannot fail.
 *
 * A desktop daemon that runs out of memory has nothing better to do than to end cleanly, so these
 * abort with the size asked for. In exchange nothing that a peer sends sizes an allocation
 * unchecked: every growable thing has a maximum (limits.h). malloc and free are used in core/base
 * and nowhere else; `make check` looks. */
#ifndef CRUCIBLE_BASE_MEMORY_H
#define CRUCIBLE_BASE_MEMORY_H

#include <stddef.h>

#define NODISCARD __attribute__((warn_unused_result))

/* Each gives memory that the caller frees with xfree. Sizes in bytes; 0 gives a unique pointer. */
void *xmalloc(size_t n_bytes);
void *xcalloc(size_t n_items, size_t item_bytes);
void *xrealloc(void *old, size_t n_bytes);
/* Gives a copy of n bytes at `from`. */
void *xmemdup(const void *from, size_t n_bytes);
/* Gives a NUL-terminated copy of n bytes. */
char *xstrndup(const char *from, size_t n_bytes);
/* Frees; NULL is fine. */
void xfree(void *p);

/* The struct that embeds `member` at `ptr`. */
#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/* Our own mistakes only: stays on in release, prints and aborts. Bytes of a peer never reach one.
 */
#define ASSERT(cond) ((cond) ? (void)0 : assert_failed(#cond, __FILE__, __LINE__))
void assert_failed(const char *cond, const char *file, int line) __attribute__((noreturn));

#endif
