/* store_folder.c - the folder of the store on disk: its lock, its secret, what is set aside.
 *
 * Why      Several servers open, find damaged and replace the same file at the same time, and each
 *          may be killed at any moment.
 * How      One lock (flock, which the kernel gives back for who dies) around everything that makes
 * or renames. Nothing here ever opens the database: closing any descriptor of it would drop the
 * locks that SQLite holds in this process. Servers that still have a file open which was set aside
 * go on with it, harmlessly, until they see that the name means another. Rules    A name is looked
 * at (private_file) before it is opened. */
#include "core/request/store_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/hash.h"
#include "core/base/private.h"

#define DATABASE     "answers.db"
#define LOG          DATABASE "-wal"
#define INDEX        DATABASE "-shm"
#define SET_ASIDE    DATABASE ".corrupt"
#define MODE         (S_IRUSR | S_IWUSR)
#define OPEN_FLAGS   (O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
#define LOCK_STEP_NS 5000000L

static enum err system_error(const struct store_folder *f, const char *name, struct error *error)
{
    int code = errno;
    bool is_full = code == ENOSPC || code == EDQUOT || code == EFBIG;
    (void)error_set(error, is_full ? ERR_TOO_LARGE : ERR_REJECTED, "%s/%s: %s", buf_cstr(&f->path),
                    name, strerror(code));
    if (error) {
        error->detail = code;
    }
    return is_full ? ERR_TOO_LARGE : ERR_REJECTED;
}

static enum err look(const struct store_folder *f, const char *name, struct error *error)
{
    return private_file(f->fd, buf_cstr(&f->path), name, error);
}

/* -- the lock -- */

static enum err lock(struct store_folder *f, struct error *error)
{
    enum err err = look(f, "lock", error);
    if (err != ERR_OK && err != ERR_NOT_FOUND) {
        return err;
    }
    f->lock_fd = openat(f->fd, "lock", O_RDWR | O_CREAT | OPEN_FLAGS, MODE);
    if (f->lock_fd < 0) {
        return system_error(f, "lock", error);
    }
    uint64_t until_us = clock_now_us() + STORE_LOCK_US;
    while (flock(f->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK && errno != EINTR) {
            return system_error(f, "lock", error);
        }
        if (clock_now_us() >= until_us) {
            return error_set(error, ERR_TIMEOUT, "another program holds %s/lock",
                             buf_cstr(&f->path));
        }
        nanosleep(&(struct timespec){.tv_nsec = LOCK_STEP_NS}, NULL);
    }
    return ERR_OK;
}

enum err store_folder_open(struct store_folder *f, const char *path, struct error *error)
{
    *f = (struct store_folder){.fd = -1, .lock_fd = -1};
    buf_init(&f->path, 8 * KIB);
    enum err err = private_folder(path, &f->path, &f->fd, error);
    return err == ERR_OK ? lock(f, error) : err;
}

void store_folder_unlock(struct store_folder *f)
{
    if (f->path.max > 0 && f->lock_fd >= 0) {
        close(f->lock_fd);
        f->lock_fd = -1;
    }
}

void store_folder_close(struct store_folder *f)
{
    store_folder_unlock(f);
    if (f->path.max > 0 && f->fd >= 0) {
        close(f->fd);
    }
    buf_release(&f->path);
    *f = (struct store_folder){.fd = -1, .lock_fd = -1};
}

/* -- the secret -- */

static bool write_secret(const struct store_folder *f, const char *name,
                         const struct store_secret *secret)
{
    int fd = openat(f->fd, name, O_WRONLY | O_CREAT | O_EXCL | OPEN_FLAGS, MODE);
    if (fd < 0) {
        return false;
    }
    size_t n = sizeof secret->bytes;
    bool is_written = write(fd, secret->bytes, n) == (ssize_t)n && fsync(fd) == 0;
    int code = errno;
    is_written = close(fd) == 0 && is_written;
    errno = code;
    return is_written;
}

/* What was filed under an older secret can't be found any more, and goes as it ages. */
static enum err make_secret(const struct store_folder *f, struct store_secret *secret,
                            struct error *error)
{
    static const char fresh[] = "secret.new";
    random_bytes(secret->bytes, sizeof secret->bytes);
    (void)unlinkat(f->fd, fresh, 0); /* of somebody who was killed */
    if (!write_secret(f, fresh, secret) || renameat(f->fd, fresh, f->fd, "secret") != 0) {
        enum err err = system_error(f, "secret", error);
        (void)unlinkat(f->fd, fresh, 0);
        return err;
    }
    return ERR_OK;
}

enum err store_folder_secret(const struct store_folder *f, struct store_secret *secret,
                             struct error *error)
{
    enum err err = look(f, "secret", error);
    if (err == ERR_NOT_FOUND) {
        return make_secret(f, secret, error);
    }
    if (err != ERR_OK) {
        return err;
    }
    int fd = openat(f->fd, "secret", O_RDONLY | OPEN_FLAGS);
    if (fd < 0) {
        return system_error(f, "secret", error);
    }
    unsigned char bytes[STORE_SECRET_BYTES + 1];
    ssize_t n = read(fd, bytes, sizeof bytes);
    close(fd);
    if (n != STORE_SECRET_BYTES) {
        return make_secret(f, secret, error);
    }
    memcpy(secret->bytes, bytes, sizeof secret->bytes);
    return ERR_OK;
}

/* -- the database -- */

enum err store_folder_prepare(const struct store_folder *f, struct error *error)
{
    static const char *const companions[] = {LOG, INDEX};
    enum err err = look(f, DATABASE, error);
    bool is_new = err == ERR_NOT_FOUND;
    for (size_t i = 0; i < 2 && (err == ERR_OK || err == ERR_NOT_FOUND); i++) {
        if (is_new && unlinkat(f->fd, companions[i], 0) != 0 && errno != ENOENT) {
            return system_error(f, companions[i], error);
        }
        err = look(f, companions[i], error);
    }
    if (err != ERR_OK && err != ERR_NOT_FOUND) {
        return err;
    }
    if (is_new) { /* SQLite gives the companions the mode of the database */
        int fd = openat(f->fd, DATABASE, O_RDWR | O_CREAT | O_EXCL | OPEN_FLAGS, MODE);
        if (fd < 0) {
            return system_error(f, DATABASE, error);
        }
        close(fd);
    }
    return ERR_OK;
}

enum err store_folder_set_aside(const struct store_folder *f, struct error *error)
{
    if (renameat(f->fd, DATABASE, f->fd, SET_ASIDE) != 0 && errno != ENOENT) {
        return system_error(f, DATABASE, error);
    }
    (void)unlinkat(f->fd, LOG, 0); /* what is left of them prepare removes, or refuses */
    (void)unlinkat(f->fd, INDEX, 0);
    return ERR_OK;
}

struct file_identity store_folder_identity(const struct store_folder *f)
{
    struct stat st;
    if (fstatat(f->fd, DATABASE, &st, AT_SYMLINK_NOFOLLOW) != 0) {
        return (struct file_identity){0};
    }
    return (struct file_identity){(uint64_t)st.st_dev, (uint64_t)st.st_ino};
}

bool store_folder_may_write(const struct store_folder *f)
{
    return faccessat(f->fd, DATABASE, W_OK, AT_EACCESS) == 0;
}

uint64_t store_folder_bytes(const struct store_folder *f)
{
    static const char *const names[] = {DATABASE, LOG};
    uint64_t n_bytes = 0;
    for (size_t i = 0; i < 2; i++) {
        struct stat st;
        if (fstatat(f->fd, names[i], &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_size > 0) {
            n_bytes += (uint64_t)st.st_size;
        }
    }
    return n_bytes;
}

void store_folder_database(const struct store_folder *f, struct buf *out)
{
    buf_append(out, buf_str(&f->path));
    buf_append(out, STR("/" DATABASE));
}
