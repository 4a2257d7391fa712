/* project.h - the `.crucible.json` files of several workspace folders as one. */
#ifndef CRUCIBLE_LSP_PROJECT_H
#define CRUCIBLE_LSP_PROJECT_H

#include "core/base/json.h"
#include "core/base/json_write.h"

/* Joins two values that each can only narrow into one that narrows as both: the smaller number,
 * false before true, lists one after the other, objects member by member, else `a`. */
void project_join(struct json a, struct json b, struct json_writer *w);

#endif
