/* replay.c - feeds files to a fuzz target without a fuzzer: what was found once stays found.
 *
 * Why      libFuzzer needs clang; the corpora are tests like any other and run with every compiler
 *          and sanitizer.
 * How      Each argument is a file or a directory of files; each file is one input. It is copied
 *          to a block of exactly its size, so that a sanitizer sees every read past its end.
 * Rules    A corpus that is missing or empty is a failure, since it would test nothing. */
#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>

#include "core/base/memory.h"
#include "core/base/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REPLAY_MAX_FILE_BYTES (64u << 20)

static size_t n_inputs;

static bool replay_file(const char *path, size_t n_bytes)
{
    FILE *file = fopen(path, "rb");
    if (!file || n_bytes > REPLAY_MAX_FILE_BYTES) {
        fprintf(stderr, "%s: can't be read\n", path);
        if (file) {
            (void)fclose(file);
        }
        return false;
    }
    uint8_t *data = xmalloc(n_bytes);
    size_t n_read = fread(data, 1, n_bytes, file);
    (void)fclose(file);
    (void)LLVMFuzzerTestOneInput(data, n_read);
    xfree(data);
    n_inputs++;
    return true;
}

static bool replay_directory(const char *path)
{
    DIR *dir = opendir(path);
    bool is_ok = dir != NULL;
    struct dirent *entry;
    while (dir && (entry = readdir(dir)) != NULL) {
        struct buf name;
        struct stat st;
        buf_init(&name, 4096);
        buf_appendf(&name, "%s/%s", path, entry->d_name);
        if (stat(buf_cstr(&name), &st) == 0 && S_ISREG(st.st_mode)) {
            is_ok = replay_file(buf_cstr(&name), (size_t)st.st_size) && is_ok;
        }
        buf_release(&name);
    }
    if (dir) {
        (void)closedir(dir);
    }
    return is_ok;
}

int main(int argc, char **argv)
{
    bool is_ok = true;
    for (int i = 1; i < argc; i++) {
        struct stat st;
        if (stat(argv[i], &st) != 0) {
            fprintf(stderr, "%s: %s\n", argv[i], strerror(errno));
            is_ok = false;
        } else if (S_ISDIR(st.st_mode)) {
            is_ok = replay_directory(argv[i]) && is_ok;
        } else {
            is_ok = replay_file(argv[i], (size_t)st.st_size) && is_ok;
        }
    }
    printf("%zu inputs\n", n_inputs);
    return is_ok && n_inputs > 0 ? 0 : 1;
}
