/* cli.h - the program's commands besides serving an editor.
 *
 * Lines and columns are 1-based, columns in bytes. Exit codes: 0 done, 1 it could not be done (a
 * line on stderr says why), 2 the command line makes no sense, 130 ended by Ctrl-C. */
#ifndef CRUCIBLE_LSP_CLI_H
#define CRUCIBLE_LSP_CLI_H

#include "core/base/error.h"
#include "core/base/str.h"

enum { CLI_OK = 0, CLI_FAILED = 1, CLI_USAGE = 2, CLI_INTERRUPTED = 130 };

/* Runs the command of argv[1] and gives the exit code. */
int cli_run(int argc, char **argv);

/* -- for the commands' own files -- */

/* One line on stderr, "crucible-ls: " before it. Gives CLI_FAILED. */
int cli_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* The same and a pointer to --help. Gives CLI_USAGE. */
int cli_misused(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* What cli_fail said last, as {"error": {"code", "message"}} on stdout: for commands with --json,
 * whose readers shouldn't have to look at stderr. Gives `code`. */
int cli_fail_json(int code);

struct json_writer;
/* Ends the object that a command writes for --json, `error` in it where that isn't NULL, and puts
 * what `out` holds on stdout. Releases `out`. */
void cli_write_json(struct json_writer *w, const struct error *error, struct buf *out);

struct cli_option {     /* one flag that a command knows; the table ends with a NULL name */
    const char *name;   /* "--model" */
    const char **value; /* gets the next argument, or what follows '='; NULL for a switch */
    bool *is_set;       /* of a switch */
};
/* Reads argv[2..]: options in any place, and up to `max` other arguments into `rest` (a lone "--"
 * ends the options). CLI_OK, or CLI_USAGE after a message. */
int cli_parse(int argc, char **argv, const struct cli_option *options, const char **rest, int max);

/* Asks each running server of this user for its figures (the answer to crucible/stats, JSON, which
 * is borrowed for the call); gives how many answered. A line on stderr for one that doesn't. */
unsigned cli_servers_ask(void (*on_stats)(str stats, void *user), void *user);

int cli_complete(int argc, char **argv);
int cli_ask(int argc, char **argv);
int cli_status(int argc, char **argv);
int cli_models(int argc, char **argv);
int cli_doctor(int argc, char **argv);
int cli_demo(int argc, char **argv);

#endif
