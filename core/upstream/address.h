/* address.h - how far away an address is. Decided by the address itself, not by what a name
 * promises, wherever a socket is about to be connected. */
#ifndef CRUCIBLE_UPSTREAM_ADDRESS_H
#define CRUCIBLE_UPSTREAM_ADDRESS_H

#include "core/base/str.h"

enum address_reach {
    ADDRESS_LOOPBACK, /* 127.0.0.0/8, ::1 */
    ADDRESS_LAN,      /* private and link-local addresses */
    ADDRESS_PUBLIC    /* everything else */
};

struct sockaddr;
enum address_reach address_reach(const struct sockaddr *address);
/* Of a host as it stands in an origin: an address, "[" address "]", or a name. Of names only
 * `localhost` is loopback, and `*.local` and names without a dot are taken for the own network's.
 */
enum address_reach address_reach_of_host(str host);

#endif
