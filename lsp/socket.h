/* socket.h - the door for `crucible-ls status` and other onlookers of a serving process.
 *
 * A Unix socket named after the process, in a folder of the user's own: the editor's framing,
 * requests crucible/stats and crucible/status, nothing that changes anything. */
#ifndef CRUCIBLE_LSP_SOCKET_H
#define CRUCIBLE_LSP_SOCKET_H

#include "lsp/session.h"

struct door;

/* "$XDG_RUNTIME_DIR/crucible", else "/tmp/crucible-UID". */
void socket_folder(struct buf *out);
/* Makes it (0700) where it is missing; false where it isn't ours alone. */
bool socket_make_folder(void);
/* Makes the folder, removes sockets whose processes are gone, listens. NULL where that
 * isn't possible, with a line in the log. Keeps both. */
struct door *socket_open(struct loop *loop, struct session *session);
/* Closes all connections and removes the socket. */
void socket_close(struct door *d);

#endif
