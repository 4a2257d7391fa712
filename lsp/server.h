/* server.h - serves one editor on stdin and stdout until it leaves. */
#ifndef CRUCIBLE_LSP_SERVER_H
#define CRUCIBLE_LSP_SERVER_H

#include "core/base/log.h"
#include "core/upstream/provider.h"

struct server_options { /* all borrowed */
    const struct provider_ops *const *providers;
    const char *config_path; /* --config, or NULL */
    const char *log_path;    /* --log, or NULL: settings decide */
    const char *log_level;   /* --log-level, or NULL: settings decide */
};

/* Gives the exit code: 0 after shutdown and exit, 1 when the editor went without a word, 128 + n
 * after signal n, 2 for options that make no sense. */
int server_run(const struct server_options *options);

#endif
