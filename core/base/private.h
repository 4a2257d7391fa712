/* private.h - folders and files on disk that belong to this user alone.
 *
 * What is kept there may be code, and what is read back is believed, so everything that others
 * could have put there or could change is refused: links, foreign owners, what others may write,
 * anything that is no plain file. What others may merely read is closed to them. Error messages
 * name the path and what to do. */
#ifndef CRUCIBLE_BASE_PRIVATE_H
#define CRUCIBLE_BASE_PRIVATE_H

#include "core/base/error.h"

/* Opens `path` (absolute), made with mode 0700 where it is missing, its parents too. *real gets the
 * path without links: parents may be links, the folder itself may not; nobody but the user and the
 * system's owner can exchange any part of it. *fd is the caller's, read-only, closed on exec.
 * ERR_REJECTED where it can't be trusted, ERR_NOT_FOUND where it can't be made or opened. */
NODISCARD enum err private_folder(const char *path, struct buf *real, int *fd, struct error *error);

/* Whether `name` in that folder may be opened: ERR_OK for a plain file of the user's with this one
 * name, ERR_NOT_FOUND where there is none, else ERR_REJECTED. Opens nothing, since to close a
 * file is to lose the process's locks on it. `folder` is the path, for the message. */
NODISCARD enum err private_file(int fd, const char *folder, const char *name, struct error *error);

#endif
