/* banned.h - functions that never belong here; included by force into every file (Makefile).
 * What to use instead: str, buf, str_to_u64, snprintf through buf_appendf. */
#ifndef CRUCIBLE_BASE_BANNED_H
#define CRUCIBLE_BASE_BANNED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#undef alloca
#undef sprintf
#pragma GCC poison strcpy strcat strncpy strncat sprintf vsprintf strtok gets atoi atol atof       \
    gmtime localtime alloca

#endif
