/* doctor_internal.h - what the files of the checks share; nobody else includes it. */
#ifndef CRUCIBLE_REPORT_DOCTOR_INTERNAL_H
#define CRUCIBLE_REPORT_DOCTOR_INTERNAL_H

#include "core/report/doctor.h"

/* -- doctor.c -- */
/* Adds a finding; `id` is static. */
void doctor_find(struct doctor *d, const char *id, enum finding_status status, str subject,
                 const char *fmt, ...) __attribute__((format(printf, 5, 6)));
/* What to do about the finding that was added last. */
void doctor_next(struct doctor *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void doctor_command(struct doctor *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Appends `word` as a shell takes it. */
void doctor_quote(str word, struct buf *out);
const struct doctor_options *doctor_options(const struct doctor *d);

/* -- doctor_ports.c -- */
/* "127.0.0.1:8080" */
str doctor_place(const struct endpoint *e);
/* Appends a command that starts a server, with the port where it takes one. */
void doctor_put_run_hint(const char *hint, str port, struct buf *out);

/* -- doctor_model.c -- */
/* FAIL for what concerns typing, else warn. */
enum finding_status doctor_failing(const struct route *r);
/* Where a route leads, or would once its model is loaded; NULL for nowhere. */
const struct endpoint *doctor_endpoint_of(const struct upstream *u, const struct route *r);
/* Its model as the endpoint lists it; NULL where it doesn't. */
const struct model_info *doctor_model_of(const struct upstream *u, const struct route *r);
/* As the next step: `what`, with the model of the list that fits this machine and is smaller than
 * `max_bytes` (0: any), and the command that gets it for that endpoint (NULL: for any). */
void doctor_advise(struct doctor *d, const struct endpoint *e, uint64_t max_bytes,
                   const char *what);

#endif
