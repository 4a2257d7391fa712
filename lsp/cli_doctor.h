/* cli_doctor.h - what the files of `doctor` share: the state of one examination. */
#ifndef CRUCIBLE_LSP_CLI_DOCTOR_H
#define CRUCIBLE_LSP_CLI_DOCTOR_H

#include "core/report/doctor.h"
#include "lsp/cli_room.h"

struct checkup {
    struct cli_room room; /* owned, like the doctor */
    struct doctor *doctor;
    bool is_json, is_rich;
    bool shows_progress; /* stderr is a terminal */
    unsigned columns;
    size_t n_printed; /* findings that stand on the screen */
};

/* Prints the findings that are new, under a heading where there are any; nothing with --json. */
void checkup_show(struct checkup *c, const char *heading);
/* One line on stderr, for a person who waits. */
void checkup_tell(const struct checkup *c, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* -- cli_doctor_files.c -- */
/* Settings files and the program's folders; nothing is asked or made. */
void checkup_files(struct checkup *c);
/* The variables of the environment that name a proxy, NULL-terminated. */
#define CHECKUP_PROXIES_MAX 8u
void checkup_proxies(const char *names[CHECKUP_PROXIES_MAX]);

/* -- cli_doctor_trial.c -- */
/* Who serves a role; loads its model where it has to be; asks it for real. `is_same`: another role
 * was served by the same model, so it isn't asked again. */
void checkup_role(struct checkup *c, enum role role, bool is_same);

#endif
