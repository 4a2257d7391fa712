/* cppcheck.h - what cppcheck is told instead of <uthash.h>, which it doesn't read: how a loop over
 * a table sets its variable. */
#ifndef CRUCIBLE_CHECK_CPPCHECK_H
#define CRUCIBLE_CHECK_CPPCHECK_H

#define HASH_ITER(hh, head, el, tmp) for (el = (head), tmp = el; el; el = tmp)

#endif
