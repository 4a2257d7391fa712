/* digest.h - SHA-256 (FIPS 180-4), for what must stay bound to a content that others can choose. */
#ifndef CRUCIBLE_LSP_DIGEST_H
#define CRUCIBLE_LSP_DIGEST_H

#include "core/base/str.h"

#define DIGEST_HEX_BYTES 65

/* Writes 64 lower-case hexadecimal digits and a NUL. */
void digest_sha256(str s, char out[DIGEST_HEX_BYTES]);

#endif
