/* table.c - the one table of configuration keys.
 *
 * Rules     Keys that decide where code and keys go aren't set by a project at all, and some only
 *           by the user's file: a file of a project reaches the editor's settings, too, in some
 *           editors. Rows with FIELD_NONE are known and checked, but no field of struct settings
 *           holds them yet.
 * Extending A row here; where it has a value that code reads, a field in settings.h. */
#include "core/settings/table.h"

#define USER    (1u << SETTINGS_USER_FILE)
#define EDITOR  (USER | 1u << SETTINGS_INIT | 1u << SETTINGS_LIVE)
#define PROJECT (1u << SETTINGS_PROJECT)
#define ALL     (EDITOR | PROJECT)

#define HOUR_MS (3600.0 * 1000)
#define DAY_MS  (24 * HOUR_MS)

#define AT(member) .offset = offsetof(struct settings, member)
#define LIST(member)                                                                               \
    .field = FIELD_LIST, AT(member), .n_offset = offsetof(struct settings, n_##member)

/* clang-format off */
const struct setting settings_table[] = {
    {"enable", SETTING_BOOL, PROJECT, SETTING_OFF_ONLY, .field = FIELD_ENABLE,
     .help = "false: nothing is offered in this folder (projects only)"},
    {"exclude", SETTING_GLOBS, PROJECT, LIST(privacy_exclude),
     .help = "path patterns that no model ever sees (projects only)"},

    {"endpoints", SETTING_ENDPOINTS, EDITOR, LIST(endpoints),
     .help = "model servers; absent: those found on this machine"},
    {"models.inline", SETTING_LIST, EDITOR, .fallback = "[]", LIST(models_inline),
     .help = "\"endpoint/model\" in order of preference; empty: the best that fits"},
    {"models.inlineManual", SETTING_LIST, EDITOR, .fallback = "[]", LIST(models_inline_manual),
     .help = "the same when asked explicitly; empty: as models.inline"},
    {"models.chat", SETTING_LIST, EDITOR, .fallback = "[]", LIST(models_chat),
     .help = "the same for actions and explanations"},
    {"models.embed", SETTING_LIST, EDITOR, .fallback = "[]", LIST(models_embed),
     .help = "models that make vectors of texts: code of other open files that means something "
             "alike goes with actions and explanations; empty: none does"},
    {"modelOptions", SETTING_MODEL_OPTIONS, EDITOR, .fallback = "{}", LIST(model_options),
     .help = "by \"endpoint/model\" pattern: numCtx, temperature, stop, fim, system"},

    {"inline.enabled", SETTING_BOOL, EDITOR, .fallback = "true", .field = FIELD_BOOL,
     AT(inline_enabled), .help = "offer inline completions"},
    {"inline.trigger", SETTING_WORD, EDITOR, .words = "auto|manual", .fallback = "\"auto\"",
     .field = FIELD_BOOL, AT(inline_manual_only), .help = "while typing, or only when asked"},
    {"inline.debounce", SETTING_DURATION, EDITOR, SETTING_AUTO_OK, 0, 10000,
     .fallback = "\"auto\"", .field = FIELD_INT, AT(inline_debounce_ms),
     .help = "pause in typing before a model is asked; auto: after deleting, as the person's "
             "rhythm has it"},
    {"inline.budget", SETTING_DURATION, EDITOR, 0, 0, 10000, .fallback = "250",
     .field = FIELD_UNSIGNED, AT(inline_budget_ms),
     .help = "from here on the first complete unit of text is shown"},
    {"inline.maxTokens", SETTING_NUMBER, EDITOR, SETTING_WHOLE | SETTING_LOWERS, 1, 8192,
     .unit = "tokens", .fallback = "128", .field = FIELD_UNSIGNED, AT(inline_max_tokens),
     .help = "longest inline completion"},
    {"inline.candidates", SETTING_NUMBER, EDITOR, SETTING_WHOLE | SETTING_LOWERS, 1, 5,
     .unit = "texts", .fallback = "3", .field = FIELD_UNSIGNED, AT(inline_candidates),
     .help = "suggestions to choose from, where one is asked for again"},
    {"inline.multiline", SETTING_WORD, EDITOR, .words = "auto|always|never",
     .fallback = "\"auto\"", .field = FIELD_ENUM, AT(inline_multiline),
     .help = "completions of more than one line"},
    {"inline.prefetch", SETTING_BOOL, EDITOR, .fallback = "true", .field = FIELD_BOOL,
     AT(inline_prefetch), .help = "ask for what follows before it is asked for"},
    {"completion.enabled", SETTING_WORD, EDITOR, .words = "auto|true|false",
     .fallback = "\"auto\"", .field = FIELD_ENUM, AT(completion_enabled),
     .help = "an item in the completion list; auto: off in editors with inline completions"},
    {"hover.model", SETTING_WORD, EDITOR, .words = "off|cached|on", .fallback = "\"cached\"",
     .field = FIELD_ENUM, AT(hover), .help = "explanations on hover"},
    {"actions", SETTING_ACTIONS, EDITOR, .fallback = "[]", LIST(actions),
     .help = "own code actions: title, prompt, languages, output; with name: explain, fix, "
             "document, tests or refactor in other words"},

    {"residency.maxLoadedModels", SETTING_NUMBER, EDITOR,
     SETTING_AUTO_OK | SETTING_WHOLE | SETTING_LOWERS, 1, 64, .unit = "models",
     .fallback = "\"auto\"", .help = "most models kept loaded at a time"},
    {"residency.modelTtl", SETTING_DURATION, EDITOR, 0, 0, 7 * DAY_MS, .fallback = "\"10m\"",
     .field = FIELD_U64, AT(residency_ttl_ms),
     .help = "how long an unused model stays loaded; 0: as its server likes"},
    {"residency.preloadEnabled", SETTING_BOOL, EDITOR, .fallback = "true", .field = FIELD_BOOL,
     AT(residency_preload),
     .help = "load models before they are needed"},
    {"residency.persistentModels", SETTING_LIST, EDITOR, .fallback = "[]",
     .help = "\"endpoint/model\" that is never unloaded"},
    {"residency.vramBudgetMb", SETTING_NUMBER, EDITOR, SETTING_AUTO_OK | SETTING_WHOLE, 1, 4194304,
     .unit = "MB", .fallback = "\"auto\"", .help = "memory of the graphics card for models"},
    {"dedup.similarityThreshold", SETTING_NUMBER, EDITOR, 0, 0, 1, .fallback = "0.85",
     .field = FIELD_DOUBLE, AT(similarity_threshold),
     .help = "from this likeness of code on an explanation serves again; 1: only of the same code"},
    {"dedup.adaptive", SETTING_BOOL, EDITOR, .fallback = "true", .field = FIELD_BOOL,
     AT(similarity_adaptive), .help = "let the threshold follow what is accepted"},

    {"cache.entries", SETTING_NUMBER, EDITOR, SETTING_WHOLE | SETTING_LOWERS, 0, 100000,
     .unit = "answers", .fallback = "500", .field = FIELD_UNSIGNED, AT(cache_entries),
     .help = "answers kept in memory"},
    {"cache.ttl", SETTING_DURATION, EDITOR, SETTING_LOWERS, 0, 7 * DAY_MS, .fallback = "\"5m\"",
     .field = FIELD_U64, AT(cache_ttl_us), .scale = 1000, .help = "how long an answer is kept"},
    {"cache.disk", SETTING_BOOL, EDITOR, .fallback = "true", .field = FIELD_BOOL, AT(cache_disk),
     .help = "keep answers on disk"},
    {"cache.diskMaxMb", SETTING_NUMBER, EDITOR, SETTING_WHOLE | SETTING_LOWERS, 0, 1048576,
     .unit = "MB", .fallback = "256", .field = FIELD_U64, AT(cache_disk_bytes), .scale = 1048576,
     .help = "most that they may take there"},
    {"cache.shared", SETTING_STRING, USER, .fallback = "\"\"",
     .help = "\"valkey://host:6379\": a cache shared by a team"},
    {"cache.sharedKeyFile", SETTING_PATH, USER, .fallback = "\"\"",
     .help = "the team's key, which seals its entries"},

    {"upstream.maxConnections", SETTING_NUMBER, EDITOR, SETTING_WHOLE | SETTING_LOWERS, 1, 256,
     .unit = "connections", .fallback = "10", .field = FIELD_UNSIGNED, AT(upstream_connections),
     .help = "to one endpoint at a time"},
    {"upstream.retries", SETTING_NUMBER, EDITOR, SETTING_WHOLE | SETTING_LOWERS, 0, 10,
     .unit = "times", .fallback = "3", .field = FIELD_UNSIGNED, AT(upstream_retries),
     .help = "a failed call is tried again"},
    {"upstream.breakerFailures", SETTING_NUMBER, EDITOR, SETTING_WHOLE, 1, 1000,
     .unit = "failures", .fallback = "5", .field = FIELD_UNSIGNED, AT(upstream_breaker_failures),
     .help = "in a row until an endpoint is left alone"},
    {"upstream.breakerRecovery", SETTING_DURATION, EDITOR, 0, 1000, DAY_MS,
     .fallback = "\"60s\"", .field = FIELD_U64, AT(upstream_recovery_us), .scale = 1000,
     .help = "how long it is left alone at most; at most 10 s on this machine"},
    {"upstream.warm", SETTING_BOOL, EDITOR, .fallback = "true", .field = FIELD_BOOL,
     AT(upstream_warm), .help = "open a connection to a server elsewhere when typing begins"},
    {"upstream.hedge", SETTING_BOOL, EDITOR, .fallback = "false", .field = FIELD_BOOL,
     AT(upstream_hedge), .help = "ask a second endpoint where the first is late"},

    {"privacy.exclude", SETTING_GLOBS, ALL, .fallback = "[]", LIST(privacy_exclude),
     .help = "path patterns that no model ever sees, added to the built-in ones"},
    {"privacy.redactSecrets", SETTING_BOOL, ALL, SETTING_ON_ONLY, .fallback = "true",
     .field = FIELD_BOOL, AT(privacy_redact), .help = "keys and tokens in the text are blanked"},
    {"limits.inlineFileMb", SETTING_NUMBER, EDITOR, SETTING_LOWERS, 0, 1024, .unit = "MB",
     .fallback = "10", .field = FIELD_SIZE, AT(inline_file_bytes), .scale = 1048576,
     .help = "larger files get no inline completions"},
    {"limits.contextFileMb", SETTING_NUMBER, EDITOR, SETTING_LOWERS, 0, 1024, .unit = "MB",
     .fallback = "1", .field = FIELD_SIZE, AT(context_file_bytes), .scale = 1048576,
     .help = "larger files are no context for others"},
    {"statistics.enabled", SETTING_BOOL, EDITOR, .fallback = "true",
     .help = "figures, kept on this machine alone"},
    {"dashboard.enabled", SETTING_BOOL, USER, .fallback = "false",
     .help = "a page with live figures on this machine"},
    {"dashboard.port", SETTING_NUMBER, USER, SETTING_AUTO_OK | SETTING_WHOLE, 1, 65535,
     .unit = "(port)", .fallback = "\"auto\"", .help = "where it listens on loopback"},
    {"log.file", SETTING_PATH, USER, .fallback = "\"\"", .field = FIELD_STR, AT(log_file),
     .help = "where log lines go; empty: stderr"},
    {"log.level", SETTING_WORD, EDITOR, .words = "error|warn|info|debug", .fallback = "\"warn\"",
     .field = FIELD_STR, AT(log_level), .help = "how much is logged"},
    {"languages", SETTING_LANGUAGES, ALL, .fallback = "{}",
     .help = "by language id: {\"inline\": false} switches it off"},
};
/* clang-format on */
const size_t settings_n_keys = sizeof settings_table / sizeof *settings_table;

bool setting_may(const struct setting *s, enum settings_source source)
{
    bool is_lowering = source == SETTINGS_PROJECT && (s->flags & SETTING_LOWERS);
    return is_lowering || (s->sources & (1u << source)) != 0;
}

/* -- finding -- */

const struct setting *setting_find(str path)
{
    for (size_t i = 0; i < settings_n_keys; i++) {
        if (str_eq(path, str_from(settings_table[i].path))) {
            return &settings_table[i];
        }
    }
    return NULL;
}

static str group_of(str path)
{
    size_t dot = str_find_char(path, '.', 0);
    return dot == SIZE_MAX ? STR("") : str_sub(path, 0, dot);
}

bool setting_is_group(str name)
{
    for (size_t i = 0; i < settings_n_keys; i++) {
        if (name.len > 0 && str_eq(group_of(str_from(settings_table[i].path)), name)) {
            return true;
        }
    }
    return false;
}

#define NEAREST_MAX_BYTES 48u

/* Levenshtein's distance, ASCII case ignored; both at most NEAREST_MAX_BYTES long. */
static size_t distance(str a, str b)
{
    size_t row[NEAREST_MAX_BYTES + 1];
    for (size_t j = 0; j <= b.len; j++) {
        row[j] = j;
    }
    for (size_t i = 1; i <= a.len; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            bool is_same = str_eq_nocase(str_sub(a, i - 1, i), str_sub(b, j - 1, j));
            size_t change = diagonal + (is_same ? 0 : 1);
            size_t step = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
            diagonal = row[j];
            row[j] = change < step ? change : step;
        }
    }
    return row[b.len];
}

static str leaf_of(str path)
{
    size_t dot = str_find_char(path, '.', 0);
    return dot == SIZE_MAX ? path : str_sub(path, dot + 1, path.len);
}

str setting_nearest(str path)
{
    str best = {0};
    size_t best_distance = leaf_of(path).len / 3 + 2;
    for (size_t i = 0; path.len <= NEAREST_MAX_BYTES && i < settings_n_keys; i++) {
        str known = str_from(settings_table[i].path);
        str group = group_of(known);
        size_t d = distance(path, known);
        size_t by_leaf = distance(leaf_of(path), leaf_of(known)) + 1; /* in the wrong group */
        size_t by_group = group.len > 0 ? distance(path, group) : SIZE_MAX;
        d = by_leaf < d ? by_leaf : d;
        if (by_group < d && by_group < best_distance) {
            best = group;
            best_distance = by_group;
        } else if (d < best_distance) {
            best = known;
            best_distance = d;
        }
    }
    return best;
}

void reading_unknown(const struct reading *r, str path, str nearest)
{
    if (nearest.len > 0) {
        reading_problem(r, path, "is not a known key; did you mean \"" STR_FMT "\"?",
                        STR_ARG(nearest));
    } else {
        reading_problem(r, path, "is not a known key");
    }
}

/* -- reading -- */

static bool read_number(const struct setting *s, const struct reading *r, struct json v,
                        double *out)
{
    bool is_duration = s->type == SETTING_DURATION;
    bool is_whole = (s->flags & SETTING_WHOLE) != 0;
    if ((s->flags & SETTING_AUTO_OK) && json_str_eq(v, STR("auto"))) {
        *out = SETTINGS_AUTO;
        return true;
    }
    double n = json_double(v, s->min - 1);
    bool is_read = json_is(v, JSON_NUMBER) && (!is_whole || json_is_int(v));
    if (is_duration && json_is(v, JSON_STRING)) {
        is_read = duration_from(json_str(v), &n);
    }
    if (is_read && n >= s->min && n <= s->max) {
        *out = n;
        return true;
    }
    str path = str_from(s->path);
    const char *or_auto = (s->flags & SETTING_AUTO_OK) ? ", or \"auto\"" : "";
    if (is_duration) {
        return reading_problem(r, path,
                               "must be a number of milliseconds from %.0f to %.0f, or a string "
                               "like \"500ms\", \"60s\", \"10m\", \"2h\"%s",
                               s->min, s->max, or_auto);
    }
    return reading_problem(r, path, "must be a %snumber%s%s from %g to %.0f%s",
                           is_whole ? "whole " : "", s->unit ? " of " : "", s->unit ? s->unit : "",
                           s->min, s->max, or_auto);
}

static bool read_word(const struct setting *s, const struct reading *r, struct json v,
                      struct setting_value *out)
{
    str given =
        json_is(v, JSON_BOOL) ? str_from(json_bool(v, false) ? "true" : "false") : json_str(v);
    str rest = str_from(s->words);
    str word;
    for (unsigned i = 0; str_next(&rest, '|', &word); i++) {
        bool is_bool = str_eq(word, STR("true")) || str_eq(word, STR("false"));
        if (str_eq(word, given) && json_is(v, is_bool ? JSON_BOOL : JSON_STRING)) {
            out->number = i;
            out->string = word;
            return true;
        }
    }
    return reading_problem(r, str_from(s->path), "must be one of %s", s->words);
}

static bool read_switch(const struct setting *s, const struct reading *r, struct json v,
                        struct setting_value *out)
{
    str path = str_from(s->path);
    if (!read_bool(r, path, v, &out->is_on)) {
        return false;
    }
    if (out->is_on && (s->flags & SETTING_OFF_ONLY)) {
        return reading_problem(r, path, "can only be false here");
    }
    if (!out->is_on && (s->flags & SETTING_ON_ONLY) && r->source != SETTINGS_USER_FILE) {
        return reading_problem(r, path, "can only be switched off in the user's own file");
    }
    return true;
}

bool setting_read(const struct setting *s, const struct reading *r, struct json v,
                  struct setting_value *out)
{
    str path = str_from(s->path);
    *out = (struct setting_value){0};
    switch (s->type) {
    case SETTING_BOOL:
        return read_switch(s, r, v, out);
    case SETTING_NUMBER:
    case SETTING_DURATION:
        return read_number(s, r, v, &out->number);
    case SETTING_WORD:
        return read_word(s, r, v, out);
    case SETTING_STRING:
        return read_string(r, path, v, STRING_LINE, &out->string);
    case SETTING_PATH:
        return read_string(r, path, v, STRING_PATH, &out->string);
    case SETTING_LIST:
        return read_strings(r, path, v, STRING_LINE, &out->list, &out->n_list);
    case SETTING_GLOBS:
        return read_globs(r, path, v, out);
    case SETTING_ENDPOINTS:
        return read_endpoints(r, path, v, out);
    case SETTING_MODEL_OPTIONS:
        return read_model_options(r, path, v, out);
    case SETTING_ACTIONS:
        return read_actions(r, path, v, out);
    case SETTING_LANGUAGES:
        return read_languages(r, path, v, out);
    }
    return false;
}

/* -- describing -- */

static const char *type_name(const struct setting *s)
{
    static const char *const names[] = {
        [SETTING_BOOL] = "true|false",
        [SETTING_NUMBER] = "number",
        [SETTING_DURATION] = "duration",
        [SETTING_STRING] = "string",
        [SETTING_PATH] = "path",
        [SETTING_LIST] = "list",
        [SETTING_GLOBS] = "patterns",
        [SETTING_ENDPOINTS] = "list",
        [SETTING_MODEL_OPTIONS] = "object",
        [SETTING_ACTIONS] = "list",
        [SETTING_LANGUAGES] = "object",
    };
    return s->type == SETTING_WORD ? s->words : names[s->type];
}

void settings_describe(struct buf *out)
{
    for (size_t i = 0; i < settings_n_keys; i++) {
        const struct setting *s = &settings_table[i];
        bool is_bounded = s->type == SETTING_NUMBER || s->type == SETTING_DURATION;
        buf_appendf(out, "%-26s %-18s %-9s %s", s->path, type_name(s),
                    s->fallback ? s->fallback : "-", s->help);
        if (is_bounded) {
            buf_appendf(out, " (%g to %.0f%s%s)", s->min, s->max, s->unit ? " " : "",
                        s->unit                       ? s->unit
                        : s->type == SETTING_DURATION ? " ms"
                                                      : "");
        }
        buf_appendf(out, "%s\n", s->sources == USER ? " [user's file only]" : "");
    }
}
