/* origin.h - where an endpoint's URL leads, judged by its text alone, inside core/settings only. */
#ifndef CRUCIBLE_SETTINGS_ORIGIN_H
#define CRUCIBLE_SETTINGS_ORIGIN_H

#include "core/base/str.h"

enum origin_place { ORIGIN_INVALID, ORIGIN_LOOPBACK, ORIGIN_REMOTE };

/* Only http and https, no user name, no query or fragment, and only such hosts as every URL parser
 * reads alike. Loopback are "localhost", 127.0.0.0/8 in its usual form, and [::1], nothing else. */
enum origin_place origin_place(str url);

#endif
