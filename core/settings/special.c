/* special.c - the keys with a shape of their own but for endpoints: modelOptions, actions and
 * languages. */
#include "core/settings/table.h"

/* Reads one member of an object; false where the whole value can't be used. */
typedef bool member_fn(const struct reading *r, str path, str name, struct json v, void *user);

static bool each_member(const struct reading *r, str path, struct json v, member_fn *fn, void *user)
{
    if (!read_object_type(r, path, v)) {
        return false;
    }
    struct json_iter it = json_iter(v);
    struct json value;
    str key;
    while (json_next(&it, &key, &value)) {
        str name = reading_key(r, key);
        if (!json_is(value, JSON_NULL) &&
            !fn(r, reading_member(r, path, name), name, value, user)) {
            return false;
        }
    }
    return true;
}

/* -- modelOptions -- */

#define NUM_CTX_MIN     256
#define NUM_CTX_MAX     16777216
#define MAX_TEMPERATURE 2.0

static bool read_model_option(const struct reading *r, str path, str name, struct json v,
                              void *user)
{
    struct model_options *options = user;
    if (str_eq(name, STR("temperature"))) {
        double t = json_double(v, -1);
        if (!json_is(v, JSON_NUMBER) || t < 0 || t > MAX_TEMPERATURE) {
            return reading_problem(r, path, "must be a number from 0 to %g", MAX_TEMPERATURE);
        }
        options->temperature = t;
        return true;
    }
    if (str_eq(name, STR("numCtx"))) {
        int64_t n = json_int(v, 0);
        bool is_auto = json_str_eq(v, STR("auto"));
        options->n_ctx = is_auto || n < NUM_CTX_MIN ? 0 : (unsigned)n;
        return is_auto || (json_is_int(v) && n >= NUM_CTX_MIN && n <= NUM_CTX_MAX) ||
               reading_problem(r, path,
                               "must be a whole number of tokens from %d to %d, or \"auto\"",
                               NUM_CTX_MIN, NUM_CTX_MAX);
    }
    if (str_eq(name, STR("fim"))) {
        return read_string(r, path, v, STRING_NAME, &options->fim);
    }
    if (str_eq(name, STR("stop"))) {
        return read_strings(r, path, v, STRING_TEXT, &options->stops, &options->n_stops);
    }
    if (str_eq(name, STR("system"))) {
        return read_string(r, path, v, STRING_TEXT, &options->system);
    }
    reading_unknown(r, path, (str){0});
    return true;
}

struct model_options_list {
    struct model_options *items;
    size_t n;
};

static bool read_pattern(const struct reading *r, str path, str name, struct json v, void *user)
{
    struct model_options_list *list = user;
    struct model_options *options = &list->items[list->n++];
    if (name.len == 0 || name.len > SETTINGS_MAX_STRING_BYTES) {
        return reading_problem(r, path, "must have a pattern for \"endpoint/model\" as its key");
    }
    *options = (struct model_options){
        .pattern = arena_dup(r->arena, name), .temperature = -1, .fim = STR("auto")};
    return each_member(r, path, v, read_model_option, options);
}

bool read_model_options(const struct reading *r, str path, struct json v, struct setting_value *out)
{
    if (json_is(v, JSON_OBJECT) && json_count(v) > SETTINGS_MAX_ITEMS) {
        return reading_problem(r, path, "must have at most %u patterns", SETTINGS_MAX_ITEMS);
    }
    struct model_options_list list = {
        arena_alloc(r->arena, (json_count(v) + 1) * sizeof *list.items), 0};
    if (!each_member(r, path, v, read_pattern, &list)) {
        return false;
    }
    out->model_options = list.items;
    out->n_model_options = list.n;
    return true;
}

/* -- actions -- */

static bool read_output(const struct reading *r, str path, struct json v, enum action_output *out)
{
    static const char *const words[] = {
        [ACTION_REPLACE] = "replace", [ACTION_INSERT] = "insert", [ACTION_SHOW] = "show"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (json_str_eq(v, str_from(words[i]))) {
            *out = (enum action_output)i;
            return true;
        }
    }
    return reading_problem(r, path, "must be one of replace|insert|show");
}

static bool read_builtin(const struct reading *r, str path, struct json v, str *out)
{
    static const char *const names[] = {"explain", "fix", "document", "tests", "refactor"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (json_str_eq(v, str_from(names[i]))) {
            *out = str_from(names[i]);
            return true;
        }
    }
    return reading_problem(r, path, "must be one of explain|fix|document|tests|refactor");
}

static bool read_action_member(const struct reading *r, str path, str name, struct json v,
                               void *user)
{
    struct action_settings *action = user;
    if (str_eq(name, STR("name"))) {
        return read_builtin(r, path, v, &action->name);
    }
    if (str_eq(name, STR("title"))) {
        return read_string(r, path, v, STRING_LINE, &action->title);
    }
    if (str_eq(name, STR("prompt"))) {
        return read_string(r, path, v, STRING_TEXT, &action->prompt);
    }
    if (str_eq(name, STR("languages"))) {
        return read_strings(r, path, v, STRING_LINE, &action->languages, &action->n_languages);
    }
    if (str_eq(name, STR("output"))) {
        return read_output(r, path, v, &action->output);
    }
    reading_unknown(r, path, (str){0});
    return true;
}

bool read_actions(const struct reading *r, str path, struct json v, struct setting_value *out)
{
    if (!json_is(v, JSON_ARRAY) || json_count(v) > SETTINGS_MAX_ITEMS) {
        return reading_problem(r, path, "must be a list of at most %u actions", SETTINGS_MAX_ITEMS);
    }
    struct action_settings *actions = arena_alloc(r->arena, (json_count(v) + 1) * sizeof *actions);
    struct json_iter it = json_iter(v);
    struct json item;
    size_t n = 0;
    while (json_next(&it, NULL, &item)) {
        struct action_settings *action = &actions[n];
        str item_path = reading_item(r, path, n++);
        if (!each_member(r, item_path, item, read_action_member, action)) {
            return false;
        }
        bool is_own = action->name.len == 0;
        if (is_own && (action->title.len == 0 || action->prompt.len == 0)) {
            return reading_problem(r, item_path,
                                   "must have a \"title\" and a \"prompt\", or the \"name\" of "
                                   "a built-in action");
        }
    }
    out->actions = actions;
    out->n_actions = n;
    return true;
}

/* -- languages -- */

struct language_list {
    struct language_switch *items;
    size_t n;
};

static bool read_language_member(const struct reading *r, str path, str name, struct json v,
                                 void *user)
{
    struct language_switch *language = user;
    if (!str_eq(name, STR("inline"))) {
        reading_unknown(r, path, str_eq_nocase(name, STR("inline")) ? STR("inline") : (str){0});
        return true;
    }
    if (!read_bool(r, path, v, &language->is_on)) {
        return false;
    }
    if (language->is_on && r->source == SETTINGS_PROJECT) {
        return reading_problem(r, path, "can only be false here");
    }
    return true;
}

static bool read_language(const struct reading *r, str path, str name, struct json v, void *user)
{
    struct language_list *list = user;
    struct language_switch *language = &list->items[list->n++];
    *language = (struct language_switch){arena_dup(r->arena, name), true};
    if (!each_member(r, path, v, read_language_member, language)) {
        return false;
    }
    struct json given = json_get(v, STR("inline"));
    if (json_is(given, JSON_NONE) || json_is(given, JSON_NULL)) {
        list->n--; /* says nothing, so it switches nothing on either */
    }
    return true;
}

bool read_languages(const struct reading *r, str path, struct json v, struct setting_value *out)
{
    if (json_is(v, JSON_OBJECT) && json_count(v) > SETTINGS_MAX_ITEMS) {
        return reading_problem(r, path, "must have at most %u languages", SETTINGS_MAX_ITEMS);
    }
    struct language_list list = {arena_alloc(r->arena, (json_count(v) + 1) * sizeof *list.items),
                                 0};
    if (!each_member(r, path, v, read_language, &list)) {
        return false;
    }
    out->languages = list.items;
    out->n_languages = list.n;
    return true;
}
