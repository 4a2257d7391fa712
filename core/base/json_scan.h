/* json_scan.h - the strict half of json.h; used by core/base/json.c only. */
#ifndef CRUCIBLE_BASE_JSON_SCAN_H
#define CRUCIBLE_BASE_JSON_SCAN_H

#include "core/base/str.h"

struct json_scan {
    size_t n_values;  /* values and keys */
    size_t at;        /* offset where it stopped */
    const char *what; /* what is wrong there; NULL: nothing */
    bool is_too_large;
};

/* Checks one JSON text: grammar, UTF-8, nesting and number of values. */
struct json_scan json_scan(str text);

#endif
