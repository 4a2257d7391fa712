/* key.c - an endpoint's key, from a file that only its owner reads or from the environment. */
#include "core/upstream/internal.h"

#include "core/base/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY_MAX_BYTES  (8u * KIB)
#define KEY_PATH_BYTES 4096u

static enum err take_key(str text, char **key, size_t *len)
{
    text = str_trim(text);
    *key = xstrndup(text.ptr ? text.ptr : "", text.len);
    *len = text.len;
    return text.len > 0 ? ERR_OK : ERR_AUTH;
}

/* Whether `path` fits with "~/" made the home folder. */
static bool expand_path(str file, char path[KEY_PATH_BYTES])
{
    const char *home = str_starts_with(file, STR("~/")) ? getenv("HOME") : NULL;
    str rest = home ? str_sub(file, 1, file.len) : file;
    int n = snprintf(path, KEY_PATH_BYTES, "%s" STR_FMT, home ? home : "", STR_ARG(rest));
    return n > 0 && n < (int)KEY_PATH_BYTES;
}

static enum err read_fd(int fd, const char *path, char **key, size_t *len, struct error *why)
{
    struct stat st;
    char text[KEY_MAX_BYTES];
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        return error_set(why, ERR_AUTH, "the key file %s is no file", path);
    }
    if (st.st_mode & 077) {
        return error_set(why, ERR_AUTH, "others may read the key file: run chmod 600 %s", path);
    }
    ssize_t n = read(fd, text, sizeof text);
    enum err err = n < 0 ? ERR_AUTH : take_key(str_of(text, n < 0 ? 0 : (size_t)n), key, len);
    explicit_bzero(text, sizeof text);
    return err == ERR_OK ? ERR_OK : error_set(why, ERR_AUTH, "the key file %s holds no key", path);
}

static enum err read_file(str file, char **key, size_t *len, struct error *why)
{
    char path[KEY_PATH_BYTES];
    if (!expand_path(file, path)) {
        return error_set(why, ERR_AUTH, "the path of the key file is too long");
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        return error_set(why, ERR_AUTH,
                         errno == ENOENT ? "the key file %s isn't there"
                                         : "the key file %s can't be read",
                         path);
    }
    enum err err = read_fd(fd, path, key, len, why);
    close(fd);
    return err;
}

static enum err read_env(str env, char **key, size_t *len, struct error *why)
{
    char *name = xstrndup(env.ptr, env.len);
    enum err err = take_key(str_from(getenv(name)), key, len);
    if (err != ERR_OK) {
        error_set(why, err, "the environment variable %s, which should hold the key, isn't set",
                  name);
    }
    xfree(name);
    return err;
}

/* Gives an empty key where neither is configured. On failure *key may be set too. */
enum err key_read(str file, str env, char **key, size_t *len, struct error *why)
{
    *key = NULL;
    *len = 0;
    if (file.len > 0) {
        return read_file(file, key, len, why);
    }
    if (env.len > 0) {
        return read_env(env, key, len, why);
    }
    *key = xstrndup("", 0);
    return ERR_OK;
}
