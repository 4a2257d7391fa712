/* fuzz_retry.c - the first line is a Retry-After, the rest a Date: both are a server's to say.
 *
 * What is read has a bound; seconds don't depend on the date; a gate is never closed for longer
 * than its most. */
#include "core/base/memory.h"
#include "core/upstream/retry.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t wait_us = 0, again_us = 0;
    str date = str_of((const char *)data, size), value = {0};
    struct retry_gate gate = {0};
    (void)str_next(&date, '\n', &value);
    bool is_read = retry_after_read(value, date, &wait_us);
    ASSERT(is_read || wait_us == 0);
    ASSERT(wait_us <= 10ull * 366 * 86400 * 1000000);
    if (retry_after_read(value, STR(""), &again_us)) { /* seconds */
        ASSERT(is_read && again_us == wait_us);
    }
    if (is_read) {
        retry_gate_close(&gate, wait_us, 1);
        ASSERT(retry_gate_wait_us(&gate, 1) <= RETRY_AFTER_MAX_US);
    }
    return 0;
}
