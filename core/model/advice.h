/* advice.h - which model to get for the memory of this machine, and the command for it.
 *
 * A const table of models that fill in the middle well for their size. What a model needs is its
 * file, the KV cache of a 32,768-token context and the buffers for computing. */
#ifndef CRUCIBLE_MODEL_ADVICE_H
#define CRUCIBLE_MODEL_ADVICE_H

#include "core/base/str.h"
#include "core/model/hardware.h"

struct advice {
    const char *model;        /* "Qwen2.5-Coder 1.5B" */
    const char *quantization; /* of what `command` downloads: "Q8_0" */
    uint64_t file_bytes;      /* to download */
    uint64_t need_bytes;      /* in memory while it runs */
    const char *command;      /* downloads it on the first run and serves it */
    const char *tag;          /* what model registries call it, NULL for none */
};

/* The largest model that leaves at least two fifths of the available memory to everything else
 * (of half of the total where only that is known); NULL where none fits. With nothing known: the
 * smallest model that serves well. */
const struct advice *advice_for(const struct hardware_memory *memory);
/* The row at `idx`, smallest first; NULL past the last. */
const struct advice *advice_row(size_t idx);
/* "1.5 GB": decimal, as download pages say it. */
void advice_size(uint64_t bytes, struct buf *out);

#endif
