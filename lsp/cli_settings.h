/* cli_settings.h - the settings as a command reads them: the person's own file, then the
 * workspace's, which narrows. What an editor would add isn't known here. */
#ifndef CRUCIBLE_LSP_CLI_SETTINGS_H
#define CRUCIBLE_LSP_CLI_SETTINGS_H

#include "core/settings/settings.h"

struct cli_settings_file {
    str path;                                /* empty: there is no home to look in */
    enum err err;                            /* of reading it; ERR_NOT_FOUND where it isn't there */
    const struct settings_problem *problems; /* what in it can't be used */
    size_t n_problems;
};
struct cli_settings {
    struct arena arena; /* owned: of every string here */
    struct cli_settings_file user, project;
    const char *named_by;   /* "--config", "$CRUCIBLE_CONFIG"; NULL: the usual place */
    struct settings *own;   /* owned reference: what the person's file says by itself */
    struct settings *whole; /* owned reference: what is in force in that workspace */
};

/* Reads both; `config` NULL: the usual file. Nothing is printed, and what can't be read counts as
 * empty: the fields say so. */
void cli_settings_read(struct cli_settings *s, const char *config, str root);
/* One line on stderr for each problem of the person's file. CLI_FAILED where a file that was named
 * can't be used as a whole, else CLI_OK. */
int cli_settings_tell(const struct cli_settings *s);
void cli_settings_release(struct cli_settings *s);

#endif
