/* http_check.h - what may be put into a request, and whose connection it may use; http.c only. */
#ifndef CRUCIBLE_UPSTREAM_HTTP_CHECK_H
#define CRUCIBLE_UPSTREAM_HTTP_CHECK_H

#include "core/upstream/http.h"

/* ERR_INVALID where the header would break its line, or frames the message and so isn't the
 * settings' to say. `place` is for the message, which never holds the value. */
NODISCARD enum err http_check_header(str name, str value, const char *place, struct error *why);
/* Whether `s` may stand in a request line: printable ASCII without blanks. */
bool http_is_url_text(str s);
/* Appends everything that two requests must have in common to share a connection. Holds the key. */
void http_identify(const struct http_target *target, struct buf *out);

#endif
