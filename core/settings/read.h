/* read.h - checking one configuration value and turning it into C, inside core/settings only.
 *
 * Every reader takes the value's path, reports what is wrong with it there, and returns whether
 * the value can be used. A problem that leaves the rest usable (an unknown member, a member that
 * this source may not set) is reported too and costs only that part. Messages never repeat a
 * value, since values may be secrets. */
#ifndef CRUCIBLE_SETTINGS_READ_H
#define CRUCIBLE_SETTINGS_READ_H

#include "core/settings/settings.h"

#define SETTINGS_MAX_PROBLEMS     100u /* later ones are dropped */
#define SETTINGS_MAX_STRING_BYTES 4096u
#define SETTINGS_MAX_TEXT_BYTES   (16u * 1024u) /* prompts and the like */
#define SETTINGS_MAX_ITEMS        256u          /* of a list */

struct report {
    struct arena arena;                /* of the paths and messages */
    struct settings_problem *problems; /* owned */
    size_t n;
};
void report_clear(struct report *r);
void report_release(struct report *r);

struct reading {
    struct arena *arena;         /* borrowed; what is read lives there */
    struct report *report;       /* borrowed; NULL: silent */
    enum settings_source source; /* where the value comes from */
};

/* Adds a problem at `path` and returns false. */
bool reading_problem(const struct reading *r, str path, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* "path.name", the name escaped and shortened for a person. */
str reading_member(const struct reading *r, str path, str name);
str reading_item(const struct reading *r, str path, size_t idx);
/* The text of an object's key as json_next gives it, unescaped. */
str reading_key(const struct reading *r, str raw);

enum string_rule {
    STRING_LINE, /* no control characters */
    STRING_TEXT, /* line ends and tabs too, longer */
    STRING_PATH, /* absolute, or below "~/", which is expanded; or empty */
    STRING_NAME, /* not empty: letters, digits, and "._-:" */
    STRING_ENV   /* name of an environment variable, or empty */
};
bool read_string(const struct reading *r, str path, struct json v, enum string_rule rule, str *out);
/* An array of strings that aren't empty. */
bool read_strings(const struct reading *r, str path, struct json v, enum string_rule rule,
                  const str **out, size_t *n_out);
bool read_bool(const struct reading *r, str path, struct json v, bool *out);
/* {} of strings as a list of "name<separator>value". Names are HTTP tokens. */
bool read_pairs(const struct reading *r, str path, struct json v, const char *separator,
                const str **out, size_t *n_out);
bool read_object_type(const struct reading *r, str path, struct json v);
/* Milliseconds of "500ms", "60s", "10m", "2h", "1d"; false for anything else. */
bool duration_from(str s, double *out_ms);

#endif
