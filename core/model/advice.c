/* advice.c - which model to get for the memory of this machine, and the command for it.
 *
 * Why      "Install a model" is no help to a person who doesn't know which of ten thousand. Too
 *          large a one swaps or is killed; too small a one isn't worth its memory.
 * How      File sizes are parameters x 8.5 bits / 8 (Q8_0, what these commands download); the KV
 *          cache is 2 x layers x KV heads x 128 x 2 bytes a token; the buffers for computing half
 *          a gigabyte.
 * Rules    Facts only, smallest first. The predictor serves where nothing fits.
 * Extending one row per model; the unit test checks the order. */
#include "core/model/advice.h"

#define MB(n) ((uint64_t)(n)*1000000u)

/* context: 32,768 tokens at 12, 28, 36, 56 and 96 KiB a token */
static const struct advice table[] = {
    {"Qwen2.5-Coder 0.5B", "Q8_0", MB(531), MB(1450),
     "llama-server -hf ggml-org/Qwen2.5-Coder-0.5B-Q8_0-GGUF --port 8012 -ub 1024 -b 1024",
     "qwen2.5-coder:0.5b"},
    {"Qwen2.5-Coder 1.5B", "Q8_0", MB(1650), MB(3100), "llama-server --fim-qwen-1.5b-default",
     "qwen2.5-coder:1.5b"},
    {"Qwen2.5-Coder 3B", "Q8_0", MB(3290), MB(5000), "llama-server --fim-qwen-3b-default",
     "qwen2.5-coder:3b"},
    {"Qwen2.5-Coder 7B", "Q8_0", MB(8100), MB(10500), "llama-server --fim-qwen-7b-default",
     "qwen2.5-coder:7b"},
    {"Qwen3-Coder 30B-A3B", "Q8_0", MB(32500), MB(36200), "llama-server --fim-qwen-30b-default",
     NULL},
};
#define N_ROWS      (sizeof table / sizeof table[0])
#define ROW_UNKNOWN 1 /* where the memory isn't known */

const struct advice *advice_row(size_t idx)
{
    return idx < N_ROWS ? &table[idx] : NULL;
}

const struct advice *advice_for(const struct hardware_memory *memory)
{
    if (memory->total == 0 && memory->available == 0) {
        return &table[ROW_UNKNOWN];
    }
    uint64_t available = memory->available != 0 ? memory->available : memory->total / 2;
    uint64_t budget = available / 5 * 3;
    const struct advice *best = NULL;
    for (size_t i = 0; i < N_ROWS; i++) {
        if (table[i].need_bytes <= budget) {
            best = &table[i];
        }
    }
    return best;
}

void advice_size(uint64_t bytes, struct buf *out)
{
    if (bytes >= MB(9950)) {
        buf_appendf(out, "%.0f GB", (double)bytes / 1e9);
    } else if (bytes >= MB(1000)) {
        buf_appendf(out, "%.1f GB", (double)bytes / 1e9);
    } else {
        buf_appendf(out, "%.0f MB", (double)bytes / 1e6);
    }
}
