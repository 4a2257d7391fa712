/* key.c - an endpoint's key: from a file that only its owner reads, from the environment, or from
 * what a command prints.
 *
 * Rules    Files and the environment are read when the key is needed; a command takes its time, so
 *          it runs before the first look at the endpoint and is asked once. Failures name the file,
 *          the variable or the command, never what was read. */
#include "core/upstream/internal.h"

#include "core/base/clock.h"
#include "core/base/limits.h"
#include "core/base/log.h"

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

static enum err check_mode(int fd, const char *path, struct error *why)
{
    struct stat st;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        return error_set(why, ERR_AUTH, "the key file %s is no file", path);
    }
    if (st.st_mode & 077) {
        error_set(why, ERR_AUTH, "others may read the key file: run chmod 600 %s", path);
        why->cause = CAUSE_KEY_EXPOSED;
        return ERR_AUTH;
    }
    return ERR_OK;
}

static enum err read_fd(int fd, const char *path, char **key, size_t *len, struct error *why)
{
    char text[KEY_MAX_BYTES];
    if (check_mode(fd, path, why) != ERR_OK) {
        return ERR_AUTH;
    }
    ssize_t n = read(fd, text, sizeof text);
    if (n == (ssize_t)sizeof text) {
        explicit_bzero(text, sizeof text);
        return error_set(why, ERR_AUTH, "the key file %s is too long for a key", path);
    }
    enum err err = n < 0 ? ERR_AUTH : take_key(str_of(text, n < 0 ? 0 : (size_t)n), key, len);
    explicit_bzero(text, sizeof text);
    return err == ERR_OK ? ERR_OK : error_set(why, ERR_AUTH, "the key file %s holds no key", path);
}

static enum err open_file(str file, char path[KEY_PATH_BYTES], int *fd, struct error *why)
{
    if (!expand_path(file, path)) {
        return error_set(why, ERR_AUTH, "the path of the key file is too long");
    }
    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (*fd < 0) {
        return error_set(why, ERR_AUTH,
                         errno == ENOENT ? "the key file %s isn't there"
                                         : "the key file %s can't be read",
                         path);
    }
    return ERR_OK;
}

static enum err read_file(str file, char **key, size_t *len, struct error *why)
{
    int fd = -1;
    char path[KEY_PATH_BYTES];
    enum err err = open_file(file, path, &fd, why);
    if (err == ERR_OK) {
        err = read_fd(fd, path, key, len, why);
        close(fd);
    }
    return err;
}

enum err key_check_client(const struct http_target *target, struct error *why)
{
    int fd = -1;
    char path[KEY_PATH_BYTES];
    str file = target->client_key.len > 0 ? target->client_key : target->client_cert;
    enum err err = file.len > 0 ? open_file(file, path, &fd, why) : ERR_OK;
    if (file.len > 0 && err == ERR_OK) {
        err = check_mode(fd, path, why);
        close(fd);
    }
    if (err != ERR_OK && why->cause == CAUSE_NONE) {
        why->cause = CAUSE_CLIENT_CERT;
    }
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
    enum err err = ERR_OK;
    *key = NULL;
    *len = 0;
    if (file.len > 0) {
        err = read_file(file, key, len, why);
    } else if (env.len > 0) {
        err = read_env(env, key, len, why);
    } else {
        *key = xstrndup("", 0);
    }
    if (err != ERR_OK && why->cause == CAUSE_NONE) {
        why->cause = CAUSE_KEY_MISSING;
    }
    return err;
}

/* -- by a command -- */

static void on_command_done(int status, str output, void *user)
{
    struct error why = {0};
    struct entry *en = user;
    if (status != 0) {
        error_set(&why, ERR_AUTH, "the key command %s %s %d", LOG_SAFE(en->key_command[0]),
                  status < 0 ? "was ended by signal" : "failed with exit status",
                  status < 0 ? -status : status);
    } else if (take_key(output, &en->key, &en->key_len) != ERR_OK) {
        xfree(en->key);
        en->key = NULL;
        error_set(&why, ERR_AUTH, "the key command %s printed no key",
                  LOG_SAFE(en->key_command[0]));
    }
    why.cause = why.code != ERR_OK ? CAUSE_KEY_MISSING : CAUSE_NONE;
    key_stop(en);
    probe_on_key(en, &why);
}

static void on_command_missing(void *user)
{
    struct error why = {0};
    struct entry *en = user;
    error_set(&why, ERR_AUTH, "the key command %s can't be run", LOG_SAFE(en->key_command[0]));
    why.cause = CAUSE_KEY_MISSING;
    probe_on_key(en, &why);
}

bool key_is_awaited(struct entry *en)
{
    if (en->key || en->n_key_command == 0) {
        return false;
    }
    if (!en->key_process) {
        en->probe_deadline_us = clock_now_us() + KEY_COMMAND_US;
        en->key_process = loop_process_start(en->upstream->loop, en->key_command, en->n_key_command,
                                             on_command_done, en);
    }
    if (!en->key_process) {
        on_command_missing(en);
    }
    return true;
}

void key_stop(struct entry *en)
{
    loop_process_destroy(en->key_process);
    en->key_process = NULL;
}
