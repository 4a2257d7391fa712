/* uri.h - one normal form for the URIs that name documents.
 *
 * Editors write the same file in several ways: "file:///c%3A/x", "FILE:///C:/x". The key of a
 * document is the normal form: lower-case scheme; of files the decoded absolute path without dot
 * segments; of everything else the text with its percent-escapes in upper case and unreserved
 * characters decoded. Links are not looked through: two names of one file are two documents. */
#ifndef CRUCIBLE_LSP_URI_H
#define CRUCIBLE_LSP_URI_H

#include "core/base/error.h"
#include "core/base/str.h"

/* Writes the normal form into `key` (cleared first). *path (may be NULL) gets the absolute path
 * within `key` of a file on this machine (bytes, not always UTF-8), else an empty slice.
 * ERR_INVALID for what is no URI, for an encoded NUL and past URI_MAX_BYTES. Characters after a
 * stray '%' are kept as they are. */
NODISCARD enum err uri_normalise(str uri, struct buf *key, str *path);

#endif
