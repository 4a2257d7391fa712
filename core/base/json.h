/* json.h - reading JSON that a stranger wrote.
 *
 * A linear scanner validates everything first (RFC 8259 grammar, UTF-8, nesting, size, number of
 * values); only then jsmn, with parent links, turns the text into tokens. Neither recurses, and
 * both are linear in the text. Values borrow the text and the arena.
 *
 * A `struct json` is a value inside a parsed text. Looking into a value of the wrong type gives
 * the JSON_NONE value, whose accessors give fallbacks: a chain of json_get needs one check at its
 * end. With duplicate keys the first one counts. */
#ifndef CRUCIBLE_BASE_JSON_H
#define CRUCIBLE_BASE_JSON_H

#include "core/base/arena.h"
#include "core/base/error.h"

enum json_type {
    JSON_NONE, /* absent */
    JSON_NULL,
    JSON_BOOL,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT
};

struct json {
    const struct json_text *text; /* what it is part of; NULL for JSON_NONE */
    uint32_t idx;                 /* token index */
};

#define JSON_MAX_DEPTH  128
#define JSON_MAX_VALUES (1u << 24) /* values and keys of one text: bounds the tokens' memory */
/* Checks one JSON text without building anything. *n_values (may be NULL) gets the number of
 * values and keys. ERR_PROTOCOL with the offset in the message, or ERR_TOO_LARGE. */
NODISCARD enum err json_validate(str text, size_t *n_values, struct error *why);
/* Parses `text`, which must outlive *out, as must the arena. Errors as json_validate, and
 * ERR_TOO_LARGE past 1 GiB. */
NODISCARD enum err json_parse(str text, struct arena *arena, struct json *out, struct error *why);
/* As json_parse, with C and C++ comments and commas before a closing bracket allowed (settings). */
NODISCARD enum err json_parse_jsonc(str text, struct arena *arena, struct json *out,
                                    struct error *why);

enum json_type json_type(struct json v);
bool json_is(struct json v, enum json_type type);
/* Member of an object / element of an array, JSON_NONE where there is none. */
struct json json_get(struct json object, str key);
struct json json_at(struct json array, size_t idx);
size_t json_count(struct json v); /* elements or members */
/* Walks an array or object: start with `struct json_iter it = json_iter(v);`. O(1) a step. */
struct json_iter {
    const struct json_text *text;
    uint32_t next, end;
    bool is_object;
};
struct json_iter json_iter(struct json v);
bool json_next(struct json_iter *it, str *key, struct json *value); /* key (raw, may be NULL) */

/* Unescaped string; borrows the text where nothing had to be unescaped, else lives in the arena
 * of json_parse. Unpaired surrogates become U+FFFD. Empty for other types. */
str json_str(struct json v);
/* Whether a string value equals `s` (no unescaping cost where none is needed). */
bool json_str_eq(struct json v, str s);
bool json_bool(struct json v, bool fallback);
double json_double(struct json v, double fallback);
/* Whole numbers only ("1.0" and "1e2" are whole, "1.5" isn't); out of range gives the fallback. */
int64_t json_int(struct json v, int64_t fallback);
bool json_is_int(struct json v);
/* The value's own bytes in the text (strings with their quotes). */
str json_raw(struct json v);

#endif
