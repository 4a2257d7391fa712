/* private.c - folders and files on disk that belong to this user alone.
 *
 * How      A folder is resolved once, and each part of what comes out is looked at: where nobody
 *          else can write, nobody else can exchange anything between the look and the use. A folder
 *          that everybody may write is fine above ours where only owners can rename in it (/tmp).
 * Rules    Never follows a link in the last part of a path; opens no file. */
#include "core/base/private.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#define OTHERS_WRITE (S_IWGRP | S_IWOTH)
#define OTHERS_ALL   (S_IRWXG | S_IRWXO)
/* Whom the kernel names as the owner of what belongs to nobody in this user namespace, the
 * system's owner among them: in sandboxes that is who owns "/". */
#define UID_UNMAPPED 65534u

static enum err check_parents(char *path, struct error *error);

static void make_folders(char *path)
{
    for (char *at = path + 1; *at; at++) {
        if (*at == '/') {
            *at = '\0';
            (void)mkdir(path, S_IRWXU);
            *at = '/';
        }
    }
    (void)mkdir(path, S_IRWXU);
}

/* The folder that `fd` is: ours, and closed to others from now on. */
static enum err check_folder(int fd, const char *path, struct error *error)
{
    struct stat st;
    if (fstat(fd, &st) != 0) {
        return error_set(error, ERR_NOT_FOUND, "%s: %s", path, strerror(errno));
    }
    if (st.st_uid != geteuid()) {
        return error_set(error, ERR_REJECTED, "%s belongs to somebody else", path);
    }
    if ((st.st_mode & OTHERS_WRITE) != 0) {
        return error_set(error, ERR_REJECTED, "others may write in %s: chmod go-rwx it", path);
    }
    if ((st.st_mode & OTHERS_ALL) != 0 && fchmod(fd, S_IRWXU) != 0) {
        return error_set(error, ERR_REJECTED, "others may read %s: chmod go-rwx it", path);
    }
    return ERR_OK;
}

enum err private_folder(const char *path, struct buf *real, int *fd, struct error *error)
{
    char resolved[PATH_MAX];
    enum err err = ERR_OK;
    if (path[0] != '/' || strlen(path) >= sizeof resolved) {
        return error_set(error, ERR_REJECTED, "%s is no absolute path", path);
    }
    char *copy = xstrndup(path, strlen(path));
    make_folders(copy);
    xfree(copy);
    *fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (*fd < 0) {
        bool is_other = errno == ELOOP || errno == ENOTDIR;
        return error_set(error, is_other ? ERR_REJECTED : ERR_NOT_FOUND, "%s: %s", path,
                         is_other ? "no folder, or a link to one" : strerror(errno));
    }
    struct stat opened, found;
    if (!realpath(path, resolved) || fstat(*fd, &opened) != 0 || lstat(resolved, &found) != 0 ||
        opened.st_ino != found.st_ino || opened.st_dev != found.st_dev) {
        err = error_set(error, ERR_REJECTED, "%s is being moved", path);
    }
    if (err == ERR_OK) {
        err = check_folder(*fd, path, error);
    }
    if (err == ERR_OK) {
        buf_clear(real);
        buf_append(real, str_from(resolved));
        err = check_parents(resolved, error);
    }
    if (err != ERR_OK) {
        close(*fd);
        *fd = -1;
    }
    return err;
}

/* Cuts `path`, which has no links, from behind. */
static enum err check_parents(char *path, struct error *error)
{
    for (char *slash = strrchr(path, '/'); slash; slash = strrchr(path, '/')) {
        bool is_root = slash == path;
        slash[is_root ? 1 : 0] = '\0';
        struct stat st;
        if (lstat(path, &st) != 0 || !S_ISDIR(st.st_mode)) {
            return error_set(error, ERR_REJECTED, "%s can't be looked at", path);
        }
        if (st.st_uid != geteuid() && st.st_uid != 0 && st.st_uid != UID_UNMAPPED) {
            return error_set(error, ERR_REJECTED, "%s belongs to somebody else", path);
        }
        if ((st.st_mode & OTHERS_WRITE) != 0 && (st.st_mode & S_ISVTX) == 0) {
            return error_set(error, ERR_REJECTED, "others may write in %s: chmod go-w it", path);
        }
        if (is_root) {
            break;
        }
    }
    return ERR_OK;
}

enum err private_file(int fd, const char *folder, const char *name, struct error *error)
{
    struct stat st;
    if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
        return error_set(error, errno == ENOENT ? ERR_NOT_FOUND : ERR_REJECTED, "%s/%s: %s", folder,
                         name, strerror(errno));
    }
    if (!S_ISREG(st.st_mode) || st.st_nlink != 1) {
        return error_set(error, ERR_REJECTED, "%s/%s is %s: remove it", folder, name,
                         S_ISREG(st.st_mode) ? "known by several names" : "no plain file");
    }
    if (st.st_uid != geteuid()) {
        return error_set(error, ERR_REJECTED, "%s/%s belongs to somebody else", folder, name);
    }
    if ((st.st_mode & OTHERS_WRITE) != 0 ||
        ((st.st_mode & OTHERS_ALL) != 0 && fchmodat(fd, name, S_IRUSR | S_IWUSR, 0) != 0)) {
        return error_set(error, ERR_REJECTED, "%s/%s is open to others: remove it", folder, name);
    }
    return ERR_OK;
}
