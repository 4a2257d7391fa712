/* cli_room.h - a file, an engine and a loop in one room: what `complete` and `demo` work with.
 *
 * The same parts as a served session has, wired for one document and no editor. */
#ifndef CRUCIBLE_LSP_CLI_ROOM_H
#define CRUCIBLE_LSP_CLI_ROOM_H

#include "core/base/arena.h"
#include "core/engine.h"

struct cli_room {
    struct arena arena;        /* owned, for the paths and the text */
    struct settings *settings; /* owned reference */
    struct loop *loop;         /* owned, like all parts */
    struct documents *documents;
    struct predictor *predictor;
    struct upstream *upstream;
    struct engine *engine;
    str path;                   /* absolute, links resolved; in the arena */
    str root;                   /* nearest folder with .git above it, else the file's own */
    str text;                   /* of the file as it is on disk; in the arena */
    uint64_t document;          /* id of the open document */
    struct loop_timer *waiting; /* owned: while cli_room_wait waits */
    bool (*is_enough)(struct cli_room *room, void *user);
    void *user;
    uint64_t wait_until_us;
};

/* Reads the file and the settings (config NULL: the user's own), without creating anything else.
 * CLI_OK, or CLI_FAILED after a message: missing, no regular file, too large, not UTF-8,
 * excluded. */
int cli_room_init(struct cli_room *room, const char *file, const char *config);
/* Opens `text` as the document, starts the parts and looks for engines. The predictor learns
 * `text` for this document, and of the workspace everything but this file. */
int cli_room_open(struct cli_room *room, str text);
/* Runs the loop until is_enough says so (asked every 10 ms) or timeout_ms have passed. */
void cli_room_wait(struct cli_room *room, unsigned timeout_ms,
                   bool (*is_enough)(struct cli_room *room, void *user), void *user);
/* Ready for cli_room_wait: every endpoint has been looked at. */
bool cli_room_is_settled(struct cli_room *room, void *user);
/* The first endpoint besides the predictor in that state, NULL for none. */
const struct endpoint *cli_room_endpoint(const struct cli_room *room, enum endpoint_state state);
/* Zeroed and half-made rooms are fine. */
void cli_room_release(struct cli_room *room);

#endif
