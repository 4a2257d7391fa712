/* hardware.h - how much memory this machine has, as far as this process may use it.
 *
 * In a container the kernel's figures are those of the whole host; what counts is the smallest
 * limit of the control groups above us. The parsers are pure; hardware_memory alone reads files. */
#ifndef CRUCIBLE_MODEL_HARDWARE_H
#define CRUCIBLE_MODEL_HARDWARE_H

#include "core/base/str.h"

struct hardware_memory { /* bytes; 0: unknown */
    uint64_t total;
    uint64_t available; /* what can be used without swapping */
    bool is_limited;    /* by a control group, below what the machine has */
};

/* Reads the figures of this machine. Unknown ones stay 0. */
struct hardware_memory hardware_memory(void);

/* The text of /proc/meminfo. Kernels without MemAvailable get MemFree + Buffers + Cached. False,
 * and *out untouched, where no total is in it. */
bool hardware_parse_meminfo(str text, struct hardware_memory *out);
/* The number in a control group's file (memory.max, memory.current and the older names); false for
 * "max" and for anything that is no number. */
bool hardware_parse_group_value(str text, uint64_t *out);
/* A field of memory.stat ("inactive_file 1234"); 0 where it isn't there. */
uint64_t hardware_parse_group_stat(str text, str field);
/* Our place in the hierarchy from /proc/self/cgroup: the path of the line "0::PATH" (version 2) or
 * of the memory controller (version 1, *is_v1). Borrows `text`; empty where there is none. */
str hardware_parse_group_path(str text, bool *is_v1);
/* Narrows *m by one group's limit and use; `reclaimable` bytes of the use can be given back. */
void hardware_limit(struct hardware_memory *m, uint64_t limit, uint64_t used, uint64_t reclaimable);

#endif
