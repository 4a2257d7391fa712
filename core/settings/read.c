/* read.c - the readers of simple values and the list of problems. */
#include "core/settings/read.h"

#include <stdarg.h>

#include "core/base/log.h"
#include "core/base/memory.h"

/* -- problems -- */

void report_clear(struct report *r)
{
    arena_release(&r->arena);
    r->n = 0;
}

void report_release(struct report *r)
{
    report_clear(r);
    xfree(r->problems);
    r->problems = NULL;
}

bool reading_problem(const struct reading *r, str path, const char *fmt, ...)
{
    struct report *report = r->report;
    if (!report || report->n >= SETTINGS_MAX_PROBLEMS) {
        return false;
    }
    char msg[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(msg, sizeof msg, fmt, args);
    va_end(args);
    if (!report->problems) {
        report->problems = xcalloc(SETTINGS_MAX_PROBLEMS, sizeof *report->problems);
    }
    report->problems[report->n++] = (struct settings_problem){
        r->source, arena_dup(&report->arena, path), arena_dup(&report->arena, str_from(msg))};
    return false;
}

str reading_member(const struct reading *r, str path, str name)
{
    return arena_printf(r->arena, STR_FMT "%s%s", STR_ARG(path), path.len > 0 ? "." : "",
                        LOG_SAFE(name));
}

str reading_item(const struct reading *r, str path, size_t idx)
{
    return arena_printf(r->arena, STR_FMT "[%zu]", STR_ARG(path), idx);
}

str reading_key(const struct reading *r, str raw)
{
    if (str_find_char(raw, '\\', 0) == SIZE_MAX) {
        return raw;
    }
    struct json v;
    str quoted = arena_printf(r->arena, "\"" STR_FMT "\"", STR_ARG(raw));
    return json_parse(quoted, r->arena, &v, NULL) == ERR_OK ? json_str(v) : raw;
}

/* -- strings -- */

static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-' || c == ':';
}

static bool has_control(str s, bool allows_lines)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        bool is_line = c == '\n' || c == '\r' || c == '\t';
        if ((c < 0x20 || c == 0x7f) && !(allows_lines && is_line)) {
            return true;
        }
    }
    return false;
}

static bool is_made_of_name_chars(str s, bool is_env)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (!is_name_char(c) || (is_env && (c == '.' || c == '-' || c == ':'))) {
            return false;
        }
    }
    return true;
}

static bool expand_path(const struct reading *r, str path, str *s)
{
    if (str_starts_with(*s, STR("~/"))) {
        str home = str_from(getenv("HOME"));
        if (home.len == 0) {
            return reading_problem(r, path, "can't be expanded: HOME is not set");
        }
        str rest = str_sub(*s, 1, s->len);
        *s = arena_printf(r->arena, STR_FMT STR_FMT, STR_ARG(home), STR_ARG(rest));
    }
    if (s->len > 0 && s->ptr[0] != '/') {
        return reading_problem(r, path, "must be an absolute path or begin with \"~/\"");
    }
    return true;
}

static bool check_string(const struct reading *r, str path, enum string_rule rule, str *s)
{
    size_t max = rule == STRING_TEXT ? SETTINGS_MAX_TEXT_BYTES : SETTINGS_MAX_STRING_BYTES;
    if (s->len > max) {
        return reading_problem(r, path, "must not be longer than %zu bytes", max);
    }
    if (has_control(*s, rule == STRING_TEXT)) {
        return reading_problem(r, path, "must not contain control characters");
    }
    switch (rule) {
    case STRING_LINE:
    case STRING_TEXT:
        return true;
    case STRING_PATH:
        return expand_path(r, path, s);
    case STRING_NAME:
        if (s->len == 0 || s->len > 64 || !is_made_of_name_chars(*s, false)) {
            return reading_problem(r, path, "must be 1 to 64 letters, digits or \"._-:\"");
        }
        return true;
    case STRING_ENV:
        if (!is_made_of_name_chars(*s, true)) {
            return reading_problem(r, path, "must be the name of an environment variable");
        }
        return true;
    }
    return true;
}

bool read_string(const struct reading *r, str path, struct json v, enum string_rule rule, str *out)
{
    if (!json_is(v, JSON_STRING)) {
        return reading_problem(r, path, "must be a string");
    }
    str s = json_str(v);
    if (!check_string(r, path, rule, &s)) {
        return false;
    }
    *out = arena_dup(r->arena, s);
    return true;
}

bool read_strings(const struct reading *r, str path, struct json v, enum string_rule rule,
                  const str **out, size_t *n_out)
{
    size_t n = json_count(v);
    if (!json_is(v, JSON_ARRAY) || n > SETTINGS_MAX_ITEMS) {
        return reading_problem(r, path, "must be a list of at most %u strings", SETTINGS_MAX_ITEMS);
    }
    str *items = arena_alloc(r->arena, (n + 1) * sizeof *items);
    struct json_iter it = json_iter(v);
    struct json item;
    for (size_t i = 0; i < n && json_next(&it, NULL, &item); i++) {
        str item_path = reading_item(r, path, i);
        if (!read_string(r, item_path, item, rule, &items[i])) {
            return false;
        }
        if (items[i].len == 0) {
            return reading_problem(r, item_path, "must not be empty");
        }
    }
    *out = items;
    *n_out = n;
    return true;
}

bool read_bool(const struct reading *r, str path, struct json v, bool *out)
{
    if (!json_is(v, JSON_BOOL)) {
        return reading_problem(r, path, "must be true or false");
    }
    *out = json_bool(v, false);
    return true;
}

/* -- objects -- */

bool read_object_type(const struct reading *r, str path, struct json v)
{
    return json_is(v, JSON_OBJECT) || reading_problem(r, path, "must be an object");
}

static bool is_token(str s) /* RFC 9110, section 5.6.2 */
{
    for (size_t i = 0; i < s.len; i++) {
        if (!is_name_char(s.ptr[i]) || s.ptr[i] == ':') {
            if (s.ptr[i] == '\0' || !strchr("!#$%&'*+^`|~", s.ptr[i])) {
                return false;
            }
        }
    }
    return s.len > 0 && s.len <= 256;
}

bool read_pairs(const struct reading *r, str path, struct json v, const char *separator,
                const str **out, size_t *n_out)
{
    size_t n = json_count(v);
    if (!json_is(v, JSON_OBJECT) || n > SETTINGS_MAX_ITEMS) {
        return reading_problem(r, path, "must be an object of at most %u strings",
                               SETTINGS_MAX_ITEMS);
    }
    str *pairs = arena_alloc(r->arena, (n + 1) * sizeof *pairs);
    struct json_iter it = json_iter(v);
    struct json value;
    str key;
    for (size_t i = 0; i < n && json_next(&it, &key, &value); i++) {
        str text = STR("");
        str name = reading_key(r, key);
        str member = reading_member(r, path, name);
        if (!is_token(name)) {
            return reading_problem(r, member, "has a name that can't be used");
        }
        if (!read_string(r, member, value, STRING_LINE, &text)) {
            return false;
        }
        pairs[i] =
            arena_printf(r->arena, STR_FMT "%s" STR_FMT, STR_ARG(name), separator, STR_ARG(text));
    }
    *out = pairs;
    *n_out = n;
    return true;
}

/* -- durations -- */

bool duration_from(str s, double *out_ms)
{
    static const struct {
        const char *name;
        double ms;
    } units[] = {{"ms", 1}, {"s", 1e3}, {"m", 60e3}, {"h", 3600e3}, {"d", 86400e3}};
    size_t n_digits = 0;
    while (n_digits < s.len && s.ptr[n_digits] >= '0' && s.ptr[n_digits] <= '9') {
        n_digits++;
    }
    uint64_t count;
    if (!str_to_u64(str_sub(s, 0, n_digits), 1000000000, &count)) {
        return false;
    }
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (str_eq(str_sub(s, n_digits, s.len), str_from(units[i].name))) {
            *out_ms = (double)count * units[i].ms;
            return true;
        }
    }
    return false;
}
