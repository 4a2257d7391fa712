/* cli_room.h - settings, an engine and a loop in one room: what the commands work with.
 *
 * The same parts as a served session has, wired without an editor: around one file
 * (cli_room_init, cli_room_open), or without any (cli_room_init_bare, cli_room_start). */
#ifndef CRUCIBLE_LSP_CLI_ROOM_H
#define CRUCIBLE_LSP_CLI_ROOM_H

#include "core/base/arena.h"
#include "core/engine.h"
#include "lsp/cli_settings.h"

struct cli_room {
    struct arena arena;        /* owned, for the paths and the text */
    struct cli_settings read;  /* owned: where the settings come from */
    struct settings *settings; /* owned reference: what is in force */
    struct loop *loop;         /* owned, like all parts */
    struct documents *documents;
    struct predictor *predictor;
    struct upstream *upstream;
    struct store *store;
    struct engine *engine;
    str path;                   /* absolute, links resolved; in the arena; empty without a file */
    str root;                   /* nearest folder with .git above it, else the file's own; without
                                 * a file by the current one */
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
/* Reads the settings of the current folder, and prints nothing: room->read has the problems. No
 * model will be loaded unasked. */
void cli_room_init_bare(struct cli_room *room, const char *config);
/* Starts the parts and looks for engines; no document is open, nothing is learned. */
void cli_room_start(struct cli_room *room);
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
