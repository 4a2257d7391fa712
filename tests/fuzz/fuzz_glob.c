/* fuzz_glob.c - the first line is a pattern, the rest a path; neither may hang or read too far. */
#include "core/base/glob.h"
#include "core/base/memory.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str path = str_of((const char *)data, size), pattern = {0};
    (void)str_next(&path, '\n', &pattern);
    bool is_match = glob_matches(pattern, path, false);
    ASSERT(is_match == glob_matches(pattern, path, false));
    (void)glob_matches(pattern, path, true);
    bool is_plain = pattern.len > 0;
    for (size_t i = 0; i < pattern.len; i++) {
        is_plain = is_plain && !memchr("*?[\\/", pattern.ptr[i], 5);
    }
    if (is_plain && str_find_char(path, '/', 0) == SIZE_MAX && pattern.len + path.len < 10000) {
        ASSERT(is_match == str_eq(pattern, path)); /* nothing special: plain equality */
    }
    return 0;
}
