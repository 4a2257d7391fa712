/* settings.c - puts what the sources say together into immutable snapshots.
 *
 * Why      Settings come from four places at different times, some of them hostile, and a request
 *          must not see them change under it.
 * How      The builder keeps, for each source and key, the JSON text of the last good value. A put
 *          replaces those that are good, drops those that are absent, and leaves those that are
 *          bad as they were. A snapshot reads defaults and then all sources in their order with
 *          the very readers that checked them, into an arena of its own. Each project is a source
 *          of its own: since all of them only narrow, one after the other narrows as all.
 * Rules    A value that its source may not set is never stored, so a snapshot can't hold it. What
 *          depends on the source (consent, lowering) is decided by the reader, from the source. */
#include "core/settings/settings.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/limits.h"
#include "core/base/memory.h"
#include "core/settings/table.h"

#define KEYS_MAX 64u

struct values {
    char *raw[KEYS_MAX]; /* owned; JSON with comments, NULL: not set */
};
struct project {
    char *path; /* of its file; owned */
    struct values values;
    struct project *next;
};

struct settings_builder {
    struct values values[N_SETTINGS_SOURCES];
    struct project *projects; /* owned, each too; besides what was put as SETTINGS_PROJECT */
    struct report report;     /* of the last put or read */
};

struct snapshot {
    struct settings pub;
    struct arena arena;
};

/* -- snapshots in use -- */

struct settings *settings_ref(struct settings *s)
{
    s->n_refs++;
    return s;
}

void settings_unref(struct settings *s)
{
    if (!s) {
        return;
    }
    ASSERT(s->n_refs > 0);
    if (--s->n_refs == 0) {
        struct snapshot *snap = container_of(s, struct snapshot, pub);
        arena_release(&snap->arena);
        xfree(snap);
    }
}

/* `*` stands for any characters, slashes too, since models have them in their names; `?` for one.
 * One place to go back to is enough, so the work is at most the product of the lengths. */
static bool wildcard_matches(str pattern, str s)
{
    size_t p = 0, i = 0, star = SIZE_MAX, star_i = 0;
    while (i < s.len) {
        if (p < pattern.len && pattern.ptr[p] == '*') {
            star = ++p;
            star_i = i;
        } else if (p < pattern.len && (pattern.ptr[p] == '?' || pattern.ptr[p] == s.ptr[i])) {
            p++;
            i++;
        } else if (star != SIZE_MAX) {
            p = star;
            i = ++star_i;
        } else {
            return false;
        }
    }
    while (p < pattern.len && pattern.ptr[p] == '*') {
        p++;
    }
    return p == pattern.len;
}

const struct model_options *settings_model_options(const struct settings *s, str model)
{
    static const struct model_options fallback = {
        .pattern = {"", 0}, .temperature = -1, .fim = {"auto", 4}};
    for (size_t i = 0; i < s->n_model_options; i++) {
        if (wildcard_matches(s->model_options[i].pattern, model)) {
            return &s->model_options[i];
        }
    }
    return &fallback;
}

bool settings_language_is_on(const struct settings *s, str language)
{
    for (size_t i = 0; i < s->n_languages_off; i++) {
        if (str_eq(s->languages_off[i], language)) {
            return false;
        }
    }
    return true;
}

/* -- the builder -- */

struct settings_builder *settings_builder_create(void)
{
    ASSERT(settings_n_keys <= KEYS_MAX);
    return xcalloc(1, sizeof(struct settings_builder));
}

static void values_clear(struct values *values)
{
    for (size_t i = 0; i < KEYS_MAX; i++) {
        xfree(values->raw[i]);
        values->raw[i] = NULL;
    }
}

static void projects_destroy(struct project *p)
{
    while (p) {
        struct project *next = p->next;
        values_clear(&p->values);
        xfree(p->path);
        xfree(p);
        p = next;
    }
}

void settings_builder_destroy(struct settings_builder *b)
{
    if (!b) {
        return;
    }
    for (unsigned i = 0; i < N_SETTINGS_SOURCES; i++) {
        values_clear(&b->values[i]);
    }
    projects_destroy(b->projects);
    report_release(&b->report);
    xfree(b);
}

size_t settings_builder_problems(const struct settings_builder *b,
                                 const struct settings_problem **out)
{
    *out = b->report.problems;
    return b->report.n;
}

/* One walk over what a source says. */
struct put {
    struct values *values;
    struct reading reading;
    bool is_seen[KEYS_MAX]; /* keys that keep or get a value */
};

static void put_key(struct put *put, const struct setting *s, struct json v)
{
    size_t idx = (size_t)(s - settings_table);
    struct setting_value value;
    str path = str_from(s->path);
    if (json_is(v, JSON_NULL)) {
        return; /* as if absent: editors send null for what isn't set */
    }
    if (put->is_seen[idx]) {
        reading_problem(&put->reading, path, "is given twice; the first one counts");
        return;
    }
    if (!setting_may(s, put->reading.source)) {
        bool is_user_only = s->sources == 1u << SETTINGS_USER_FILE;
        reading_problem(&put->reading, path,
                        is_user_only ? "can only be set in the user's own file"
                        : put->reading.source == SETTINGS_PROJECT
                            ? "can't be set by a project, which may only narrow"
                            : "can only be set by a project's file");
        return;
    }
    put->is_seen[idx] = true;
    if (setting_read(s, &put->reading, v, &value)) {
        char **raw = &put->values->raw[idx];
        str text = json_raw(v);
        xfree(*raw);
        *raw = xstrndup(text.ptr, text.len);
    }
}

static void put_unknown(struct put *put, str path)
{
    /* Looking for what was meant costs more than saying so. */
    bool is_heard = put->reading.report->n < SETTINGS_MAX_PROBLEMS;
    reading_unknown(&put->reading, path, is_heard ? setting_nearest(path) : (str){0});
}

/* The value of a group isn't an object: its keys stay as they were. */
static void keep_group(struct put *put, str group)
{
    for (size_t i = 0; i < settings_n_keys; i++) {
        str path = str_from(settings_table[i].path);
        if (str_starts_with(path, group) && path.len > group.len && path.ptr[group.len] == '.') {
            put->is_seen[i] = true;
        }
    }
}

static void put_group(struct put *put, str group, struct json v)
{
    if (json_is(v, JSON_NULL)) {
        return;
    }
    if (!read_object_type(&put->reading, group, v)) {
        keep_group(put, group);
        return;
    }
    struct json_iter it = json_iter(v);
    struct json member;
    str key;
    while (json_next(&it, &key, &member)) {
        str path = reading_member(&put->reading, group, reading_key(&put->reading, key));
        const struct setting *s = setting_find(path);
        if (s) {
            put_key(put, s, member);
        } else {
            put_unknown(put, path);
        }
    }
}

static void put_all(struct put *put, struct json value)
{
    struct json_iter it = json_iter(value);
    struct json member;
    str key;
    while (json_next(&it, &key, &member)) {
        key = reading_key(&put->reading, key);
        const struct setting *s = setting_find(key);
        if (s && str_find_char(key, '.', 0) == SIZE_MAX) {
            put_key(put, s, member);
        } else if (setting_is_group(key)) {
            put_group(put, key, member);
        } else if (!str_eq(key, STR("$schema"))) { /* what editors complete the file by */
            put_unknown(put, reading_member(&put->reading, STR(""), key));
        }
    }
    for (size_t i = 0; i < settings_n_keys; i++) {
        if (!put->is_seen[i]) {
            xfree(put->values->raw[i]);
            put->values->raw[i] = NULL;
        }
    }
}

static void put_value(struct settings_builder *b, struct values *values,
                      enum settings_source source, struct json value)
{
    struct arena scratch = {0};
    struct put put = {.values = values, .reading = {&scratch, &b->report, source}};
    if (json_is(value, JSON_NONE) || json_is(value, JSON_NULL)) {
        values_clear(values);
    } else if (json_raw(value).len > SETTINGS_MAX_FILE_BYTES) {
        reading_problem(&put.reading, STR(""), "must not be longer than %u KiB",
                        SETTINGS_MAX_FILE_BYTES / KIB);
    } else if (read_object_type(&put.reading, STR(""), value)) {
        put_all(&put, value);
    }
    arena_release(&scratch);
}

void settings_builder_put(struct settings_builder *b, enum settings_source source,
                          struct json value)
{
    report_clear(&b->report);
    put_value(b, &b->values[source], source, value);
}

/* -- reading files -- */

/* Reads a regular file of at most SETTINGS_MAX_FILE_BYTES; *err is then ERR_OK. */
static int read_whole(const char *path, struct buf *out, enum err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* so that no FIFO can hold us */
    struct stat st;
    *err = ERR_INVALID;
    if (fd < 0) {
        *err = errno == ENOENT || errno == ENOTDIR ? ERR_NOT_FOUND : ERR_INVALID;
        return errno;
    }
    int failure = fstat(fd, &st) != 0 ? errno : S_ISREG(st.st_mode) ? 0 : EINVAL;
    while (failure == 0) {
        char *at = buf_reserve(out, 4 * KIB);
        ssize_t n = at ? read(fd, at, 4 * KIB) : 0;
        if (!at || (n < 0 && errno != EINTR)) {
            failure = at ? errno : EFBIG;
        } else if (n == 0) {
            break;
        } else if (n > 0) {
            buf_commit(out, (size_t)n);
        }
    }
    close(fd);
    *err = failure == 0 ? ERR_OK : ERR_INVALID;
    return failure;
}

/* Puts JSON text; an empty one is an empty object. */
static enum err put_text(struct settings_builder *b, struct values *values,
                         enum settings_source source, str text)
{
    struct arena arena = {0};
    struct error why = {0};
    struct json value;
    if (str_starts_with(text, STR("\xEF\xBB\xBF"))) {
        text = str_sub(text, 3, text.len);
    }
    text = str_trim(text).len == 0 ? STR("{}") : text;
    enum err err = json_parse_jsonc(text, &arena, &value, &why);
    if (err == ERR_OK) {
        put_value(b, values, source, value);
    } else {
        struct reading reading = {&arena, &b->report, source};
        reading_problem(&reading, STR(""), "the file is not JSON: %s", why.msg);
        err = ERR_INVALID;
    }
    arena_release(&arena);
    return err;
}

static enum err read_values(struct settings_builder *b, struct values *values,
                            enum settings_source source, const char *path)
{
    struct buf text;
    enum err err;
    buf_init(&text, SETTINGS_MAX_FILE_BYTES + 4 * KIB);
    int failure = read_whole(path, &text, &err);
    struct reading reading = {NULL, &b->report, source};
    if (err == ERR_OK && text.len > SETTINGS_MAX_FILE_BYTES) {
        err = ERR_INVALID;
        failure = EFBIG;
    }
    if (err == ERR_OK) {
        err = put_text(b, values, source, buf_str(&text));
    } else if (err == ERR_NOT_FOUND) {
        values_clear(values);
    } else {
        reading_problem(&reading, STR(""), "the file can't be read: %s", strerror(failure));
    }
    buf_release(&text);
    return err;
}

enum err settings_builder_read(struct settings_builder *b, enum settings_source source,
                               const char *path)
{
    report_clear(&b->report);
    return read_values(b, &b->values[source], source, path);
}

/* Takes the project of `path` off the list, or makes one. */
static struct project *take_project(struct project **list, str path)
{
    for (struct project **at = list; *at; at = &(*at)->next) {
        struct project *p = *at;
        if (str_eq(str_from(p->path), path)) {
            *at = p->next;
            p->next = NULL;
            return p;
        }
    }
    struct project *p = xcalloc(1, sizeof *p);
    p->path = xstrndup(path.ptr, path.len);
    return p;
}

void settings_builder_read_projects(struct settings_builder *b, const str *folders, size_t n)
{
    struct arena arena = {0};
    struct project *old = b->projects;
    b->projects = NULL;
    report_clear(&b->report);
    for (size_t i = 0; i < n; i++) {
        struct project *p = take_project(
            &old, arena_printf(&arena, STR_FMT "/.crucible.json", STR_ARG(folders[i])));
        (void)read_values(b, &p->values, SETTINGS_PROJECT, p->path);
        p->next = b->projects;
        b->projects = p;
    }
    projects_destroy(old);
    arena_release(&arena);
}

str settings_user_path(str flag, struct arena *arena)
{
    str named = str_from(getenv("CRUCIBLE_CONFIG"));
    str config = str_from(getenv("XDG_CONFIG_HOME"));
    str home = str_from(getenv("HOME"));
    if (flag.len > 0 || named.len > 0) {
        return arena_dup(arena, flag.len > 0 ? flag : named);
    }
    if (config.len > 0 && config.ptr[0] == '/') {
        return arena_printf(arena, STR_FMT "/crucible/config.json", STR_ARG(config));
    }
    return home.len > 0
               ? arena_printf(arena, STR_FMT "/.config/crucible/config.json", STR_ARG(home))
               : arena_dup(arena, STR(""));
}

/* -- making snapshots -- */

static void apply_list(const struct setting *s, struct settings *out,
                       const struct setting_value *value, struct arena *arena)
{
    char *base = (char *)out;
    size_t *n = (size_t *)(void *)(base + s->n_offset);
    if (s->type == SETTING_ENDPOINTS) {
        out->endpoints = value->endpoints;
        *n = value->n_endpoints;
    } else if (s->type == SETTING_MODEL_OPTIONS) {
        out->model_options = value->model_options;
        *n = value->n_model_options;
    } else if (s->type == SETTING_ACTIONS) {
        out->actions = value->actions;
        *n = value->n_actions;
    } else if (s->type == SETTING_GLOBS) {
        const str **list = (const str **)(void *)(base + s->offset);
        str *joined = arena_alloc(arena, (*n + value->n_list + 1) * sizeof *joined);
        for (size_t i = 0; i < *n + value->n_list; i++) {
            joined[i] = i < *n ? (*list)[i] : value->list[i - *n];
        }
        *list = joined;
        *n += value->n_list;
    } else {
        const str **list = (const str **)(void *)(base + s->offset);
        *list = value->list;
        *n = value->n_list;
    }
}

/* Each language that is named is taken off the list, and put back where it is switched off. */
static void apply_languages(struct settings *out, const struct setting_value *value,
                            struct arena *arena)
{
    size_t n = 0;
    str *off = arena_alloc(arena, (out->n_languages_off + value->n_languages + 1) * sizeof *off);
    for (size_t i = 0; i < out->n_languages_off; i++) {
        bool is_named = false;
        for (size_t j = 0; j < value->n_languages; j++) {
            is_named = is_named || str_eq(out->languages_off[i], value->languages[j].id);
        }
        if (!is_named) {
            off[n++] = out->languages_off[i];
        }
    }
    for (size_t j = 0; j < value->n_languages; j++) {
        if (!value->languages[j].is_on) {
            off[n++] = value->languages[j].id;
        }
    }
    out->languages_off = off;
    out->n_languages_off = n;
}

/* Writes a number into its field; a project's only where it is lower. */
static void apply_number(const struct setting *s, void *field, double number, bool is_project)
{
    double scaled = number * (s->scale > 0 ? s->scale : 1);
    if (s->field == FIELD_UNSIGNED) {
        unsigned *n = field;
        *n = is_project && *n < scaled ? *n : (unsigned)scaled;
    } else if (s->field == FIELD_SIZE) {
        size_t *n = field;
        *n = is_project && (double)*n < scaled ? *n : (size_t)scaled;
    } else {
        uint64_t *n = field;
        *n = is_project && (double)*n < scaled ? *n : (uint64_t)scaled;
    }
}

/* A list of models that may name one which sends text elsewhere: who says so matters. */
static void note_origin(struct settings *out, const void *list, enum settings_source source)
{
    if (list == (const void *)&out->models_inline) {
        out->models_inline_is_foreign = source != SETTINGS_USER_FILE;
    } else if (list == (const void *)&out->models_inline_manual) {
        out->models_inline_manual_is_foreign = source != SETTINGS_USER_FILE;
    } else if (list == (const void *)&out->models_chat) {
        out->models_chat_is_foreign = source != SETTINGS_USER_FILE;
    } else if (list == (const void *)&out->models_embed) {
        out->models_embed_is_foreign = source != SETTINGS_USER_FILE;
    }
}

static void apply(const struct setting *s, enum settings_source source, struct settings *out,
                  const struct setting_value *value, struct arena *arena)
{
    void *field = (char *)out + s->offset;
    int index = (int)value->number;
    switch (s->field) {
    case FIELD_NONE:
        if (s->type == SETTING_LANGUAGES) {
            apply_languages(out, value, arena);
        }
        break;
    case FIELD_BOOL:
        *(bool *)field = s->type == SETTING_WORD ? index == 1 : value->is_on;
        break;
    case FIELD_ENUM:
    case FIELD_INT:
        memcpy(field, &index, sizeof index);
        break;
    case FIELD_UNSIGNED:
    case FIELD_SIZE:
    case FIELD_U64:
        apply_number(s, field, value->number, source == SETTINGS_PROJECT);
        break;
    case FIELD_DOUBLE:
        *(double *)field = value->number * (s->scale > 0 ? s->scale : 1);
        break;
    case FIELD_STR:
        *(str *)field = value->string;
        break;
    case FIELD_LIST:
        apply_list(s, out, value, arena);
        note_origin(out, field, source);
        break;
    case FIELD_ENABLE:
        out->inline_enabled = false;
        out->completion_enabled = TOGGLE_OFF;
        out->hover = HOVER_OFF;
        break;
    }
}

_Static_assert(sizeof(enum toggle) == sizeof(int), "FIELD_ENUM writes an int");
_Static_assert(MULTILINE_AUTO == 0 && MULTILINE_NEVER == 2 && TOGGLE_AUTO == 0 && TOGGLE_OFF == 2 &&
                   HOVER_OFF == 0 && HOVER_ON == 2,
               "the words of the table are in the order of the enums");

static void apply_text(const struct setting *s, enum settings_source source, const char *text,
                       struct snapshot *snap)
{
    struct reading reading = {&snap->arena, NULL, source};
    struct setting_value value;
    struct json v;
    str copy = arena_dup(&snap->arena, str_from(text)); /* values borrow it */
    enum err err = json_parse_jsonc(copy, &snap->arena, &v, NULL);
    ASSERT(err == ERR_OK); /* it was taken out of a text that parsed */
    if (setting_read(s, &reading, v, &value)) {
        apply(s, source, &snap->pub, &value, &snap->arena);
    }
}

static void apply_values(const struct values *values, enum settings_source source,
                         struct snapshot *snap)
{
    for (size_t i = 0; i < settings_n_keys; i++) {
        if (values->raw[i]) {
            apply_text(&settings_table[i], source, values->raw[i], snap);
        }
    }
}

struct settings *settings_builder_snapshot(struct settings_builder *b)
{
    static uint64_t last_serial;
    struct snapshot *snap = xcalloc(1, sizeof *snap);
    snap->pub.n_refs = 1;
    snap->pub.serial = ++last_serial;
    for (size_t i = 0; i < settings_n_keys; i++) {
        if (settings_table[i].fallback) {
            apply_text(&settings_table[i], SETTINGS_USER_FILE, settings_table[i].fallback, snap);
        }
    }
    for (unsigned source = 0; source < N_SETTINGS_SOURCES; source++) {
        apply_values(&b->values[source], (enum settings_source)source, snap);
    }
    for (const struct project *p = b->projects; p; p = p->next) {
        apply_values(&p->values, SETTINGS_PROJECT, snap);
    }
    return &snap->pub;
}
