/* cli_advice.h - in words and commands: how a person gets a model onto this machine. */
#ifndef CRUCIBLE_LSP_CLI_ADVICE_H
#define CRUCIBLE_LSP_CLI_ADVICE_H

#include "core/base/str.h"

/* Whether a program of that name is in PATH. */
bool cli_can_run(const char *name);
/* Appends two or three lines: the model for this machine's memory and the command that gets and
 * serves it, by a program that is installed where there is one. */
void cli_advise(struct buf *out);
/* Appends the command that makes `model` available at an endpoint of this kind; false where we
 * know none. The name is quoted for a shell where it needs it. */
bool cli_advise_get(str kind, str model, struct buf *out);

#endif
