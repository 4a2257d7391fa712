/* table.h - the one table of configuration keys, inside core/settings only.
 *
 * A row says everything about a key: its type and bounds, who may set it, its default as JSON, and
 * the field of struct settings that it fills. Checks, defaults, snapshots and --help are driven by
 * it, so a new key is a new row (and a reader in special.c where its shape is its own). */
#ifndef CRUCIBLE_SETTINGS_TABLE_H
#define CRUCIBLE_SETTINGS_TABLE_H

#include "core/settings/read.h"

enum setting_type {
    SETTING_BOOL,
    SETTING_NUMBER,
    SETTING_DURATION, /* a number of milliseconds, or a string with a unit */
    SETTING_WORD,     /* one of `words`; true and false are words too where they are listed */
    SETTING_STRING,
    SETTING_PATH,
    SETTING_LIST,  /* of strings */
    SETTING_GLOBS, /* of path patterns; those of all sources are joined */
    SETTING_ENDPOINTS,
    SETTING_MODEL_OPTIONS,
    SETTING_ACTIONS,
    SETTING_LANGUAGES /* joined language by language */
};

enum setting_field {             /* what `offset` points at */
                     FIELD_NONE, /* checked, but nothing reads it yet */
                     FIELD_BOOL, /* for words: whether it is the second one */
                     FIELD_ENUM, /* index of the word */
                     FIELD_INT,  /* for numbers that may be SETTINGS_AUTO */
                     FIELD_UNSIGNED,
                     FIELD_SIZE,
                     FIELD_U64,
                     FIELD_DOUBLE,
                     FIELD_STR,
                     FIELD_LIST,  /* pointer at `offset`, count at `n_offset` */
                     FIELD_ENABLE /* false switches everything off that comes by itself */
};

enum setting_flag {
    SETTING_AUTO_OK = 1,  /* "auto" is a value: SETTINGS_AUTO */
    SETTING_WHOLE = 2,    /* no fractions */
    SETTING_LOWERS = 4,   /* a project may set it, and only lower it */
    SETTING_ON_ONLY = 8,  /* false is for the user's file alone */
    SETTING_OFF_ONLY = 16 /* true is no value */
};

struct setting {
    const char *path;
    enum setting_type type;
    unsigned sources; /* bits 1 << enum settings_source */
    unsigned flags;
    double min, max;      /* numbers in their unit, durations in milliseconds */
    const char *unit;     /* of numbers: "tokens" */
    const char *words;    /* "a|b|c" */
    const char *fallback; /* the default as JSON; NULL: absent */
    enum setting_field field;
    size_t offset, n_offset; /* into struct settings */
    double scale;            /* field = value * scale; 0 counts as 1 */
    const char *help;        /* one line */
};

extern const struct setting settings_table[];
extern const size_t settings_n_keys;

/* The row of `path`, or NULL. */
const struct setting *setting_find(str path);
/* Whether some key is `name`.something. */
bool setting_is_group(str name);
/* The known key or group that is most like `path`, or empty where none is. */
str setting_nearest(str path);
bool setting_may(const struct setting *s, enum settings_source source);

/* One value, as its type has it; the others stay zero. */
struct setting_value {
    bool is_on;      /* bool */
    double number;   /* number, duration (ms), word (its index); SETTINGS_AUTO for "auto" */
    str string;      /* string, path, word */
    const str *list; /* list, globs */
    size_t n_list;
    const struct endpoint_settings *endpoints;
    size_t n_endpoints;
    const struct model_options *model_options;
    size_t n_model_options;
    const struct action_settings *actions;
    size_t n_actions;
    const struct language_switch *languages;
    size_t n_languages;
};
struct language_switch {
    str id;
    bool is_on;
};

/* Checks `v` against its row and reads it. */
bool setting_read(const struct setting *s, const struct reading *r, struct json v,
                  struct setting_value *out);

/* The types with a shape of their own (endpoints.c, special.c). */
bool read_endpoints(const struct reading *r, str path, struct json v, struct setting_value *out);
bool read_model_options(const struct reading *r, str path, struct json v,
                        struct setting_value *out);
bool read_actions(const struct reading *r, str path, struct json v, struct setting_value *out);
bool read_languages(const struct reading *r, str path, struct json v, struct setting_value *out);
/* Patterns in the form that settings_excludes wants (exclude.c). */
bool read_globs(const struct reading *r, str path, struct json v, struct setting_value *out);
/* "is not a known key", with `nearest` suggested where it isn't empty. */
void reading_unknown(const struct reading *r, str path, str nearest);

#endif
