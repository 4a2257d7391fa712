/* endpoints.c - the list of model servers: who may name one, and with what.
 *
 * Why      An endpoint decides where code goes, and its key, proxy and CA who can read it. A file
 *          of a project that could pair the user's key with an address of its own would have it.
 * How      One table of members. Those marked guarded count from the user's file alone; elsewhere
 *          they are reported and left out, unless they are empty. An endpoint of another source
 *          that isn't plainly on this machine is marked as needing consent: also one without a
 *          URL, since the default address of its kind isn't known here.
 * Rules    A key is only ever found beside the URL that it is for. */
#include "core/base/limits.h"
#include "core/settings/origin.h"
#include "core/settings/table.h"

enum member_type {
    MEMBER_NAME,
    MEMBER_PROXY,
    MEMBER_URL,
    MEMBER_PATH,
    MEMBER_ENV,
    MEMBER_LIST,
    MEMBER_HEADERS,
    MEMBER_PATHS,
    MEMBER_JSON
};

struct member {
    const char *name;
    enum member_type type;
    bool is_guarded;
    size_t offset, n_offset; /* into struct endpoint_settings */
};

#define AT(m)   offsetof(struct endpoint_settings, m)
#define LIST(m) AT(m), AT(n_##m)

static const struct member members[] = {
    {"name", MEMBER_NAME, false, AT(name), 0},
    {"kind", MEMBER_NAME, false, AT(kind), 0},
    {"url", MEMBER_URL, false, AT(url), 0},
    {"apiKeyFile", MEMBER_PATH, true, AT(api_key_file), 0},
    {"apiKeyEnv", MEMBER_ENV, true, AT(api_key_env), 0},
    {"apiKeyCommand", MEMBER_LIST, true, LIST(api_key_command)},
    {"headers", MEMBER_HEADERS, true, LIST(headers)},
    {"paths", MEMBER_PATHS, true, LIST(paths)},
    {"extraBody", MEMBER_JSON, true, AT(extra_body), 0},
    {"proxy", MEMBER_PROXY, true, AT(proxy), 0},
    {"caFile", MEMBER_PATH, true, AT(ca_file), 0},
    {"clientCert", MEMBER_PATH, true, AT(client_cert), 0},
    {"clientKey", MEMBER_PATH, true, AT(client_key), 0},
    {"models", MEMBER_LIST, false, LIST(models)},
};

static const struct member *find_member(str name)
{
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        if (str_eq(name, str_from(members[i].name))) {
            return &members[i];
        }
    }
    return NULL;
}

/* The member that differs from `name` by case alone, begins with it, or is its beginning. */
static str nearest_member(str name)
{
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        str known = str_from(members[i].name);
        size_t n = name.len < known.len ? name.len : known.len;
        if (n > 2 && str_eq_nocase(str_sub(name, 0, n), str_sub(known, 0, n))) {
            return known;
        }
    }
    return (str){0};
}

static bool is_empty(struct json v)
{
    return json_is(v, JSON_NULL) || (json_is(v, JSON_STRING) && json_str(v).len == 0) ||
           ((json_is(v, JSON_ARRAY) || json_is(v, JSON_OBJECT)) && json_count(v) == 0);
}

static bool read_url(const struct reading *r, str path, struct json v, str *out)
{
    if (!read_string(r, path, v, STRING_LINE, out)) {
        return false;
    }
    if (out->len > 0 && origin_place(*out) == ORIGIN_INVALID) {
        return reading_problem(r, path,
                               "must be an http:// or https:// address without user name, "
                               "query or fragment");
    }
    return true;
}

/* Forms that curl knows; the rest of it may hold a password, so it is never repeated. */
static bool read_proxy(const struct reading *r, str path, struct json v, str *out)
{
    static const char *const schemes[] = {"http://",   "https://",   "socks5h://",
                                          "socks5://", "socks4a://", "socks4://"};
    if (!read_string(r, path, v, STRING_LINE, out)) {
        return false;
    }
    bool is_known = out->len == 0 || str_find(*out, STR("://"), 0) == SIZE_MAX;
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        str scheme = str_from(schemes[i]);
        is_known = is_known || str_eq_nocase(str_sub(*out, 0, scheme.len), scheme);
    }
    return is_known || reading_problem(r, path,
                                       "must begin with http://, https:// or socks5h:// (curl's "
                                       "other kinds of SOCKS are taken, too)");
}

static bool read_paths(const struct reading *r, str path, struct json v, const str **pairs,
                       size_t *n)
{
    if (!read_pairs(r, path, v, "\n", pairs, n)) {
        return false;
    }
    for (size_t i = 0; i < *n; i++) {
        str pair = (*pairs)[i];
        size_t slash = str_find_char(pair, '\n', 0) + 1;
        if (slash >= pair.len || pair.ptr[slash] != '/') {
            return reading_problem(r, path, "must hold paths that begin with \"/\"");
        }
    }
    return true;
}

static bool read_member(const struct reading *r, str path, const struct member *m, struct json v,
                        struct endpoint_settings *e)
{
    str *text = (str *)(void *)((char *)e + m->offset);
    const str **list = (const str **)(void *)((char *)e + m->offset);
    size_t *n_list = (size_t *)(void *)((char *)e + m->n_offset);
    switch (m->type) {
    case MEMBER_NAME:
        return read_string(r, path, v, STRING_NAME, text);
    case MEMBER_PROXY:
        return read_proxy(r, path, v, text);
    case MEMBER_URL:
        return read_url(r, path, v, text);
    case MEMBER_PATH:
        return read_string(r, path, v, STRING_PATH, text);
    case MEMBER_ENV:
        return read_string(r, path, v, STRING_ENV, text);
    case MEMBER_LIST:
        return read_strings(r, path, v, STRING_LINE, list, n_list);
    case MEMBER_HEADERS:
        return read_pairs(r, path, v, ": ", list, n_list);
    case MEMBER_PATHS:
        return read_paths(r, path, v, list, n_list);
    case MEMBER_JSON:
        if (!read_object_type(r, path, v)) {
            return false;
        }
        *text = json_count(v) > 0 ? arena_dup(r->arena, json_raw(v)) : (str){0};
        return true;
    }
    return false;
}

/* A problem that leaves the endpoint usable, or nothing. */
static bool is_refused(const struct reading *r, str path, const struct member *m, str name,
                       struct json v)
{
    if (!m) {
        reading_unknown(r, path, nearest_member(name));
        return true;
    }
    if (!m->is_guarded || r->source == SETTINGS_USER_FILE) {
        return json_is(v, JSON_NULL);
    }
    if (!is_empty(v)) {
        reading_problem(r, path, "can only be set in the user's own file; it is left out");
    }
    return true;
}

static bool read_endpoint(const struct reading *r, str path, struct json v,
                          struct endpoint_settings *e)
{
    if (!read_object_type(r, path, v)) {
        return false;
    }
    struct json_iter it = json_iter(v);
    struct json value;
    str key;
    unsigned seen = 0; /* bits by member */
    while (json_next(&it, &key, &value)) {
        const struct member *m = find_member(key);
        unsigned bit = m ? 1u << (m - members) : 0;
        str member_path = reading_member(r, path, reading_key(r, key));
        if (seen & bit) {
            reading_problem(r, member_path, "is given twice; the first one counts");
            continue;
        }
        seen |= bit;
        if (!is_refused(r, member_path, m, key, value) &&
            !read_member(r, member_path, m, value, e)) {
            return false;
        }
    }
    if (e->name.len == 0 || e->kind.len == 0) {
        return reading_problem(r, path, "must have a \"%s\"", e->name.len == 0 ? "name" : "kind");
    }
    if (e->client_key.len > 0 && e->client_cert.len == 0) {
        return reading_problem(r, path, "has a \"clientKey\" and must have its \"clientCert\"");
    }
    e->needs_consent = r->source != SETTINGS_USER_FILE && origin_place(e->url) != ORIGIN_LOOPBACK;
    return true;
}

bool read_endpoints(const struct reading *r, str path, struct json v, struct setting_value *out)
{
    size_t n = json_count(v);
    if (!json_is(v, JSON_ARRAY) || n > ENDPOINTS_MAX) {
        return reading_problem(r, path, "must be a list of at most %u endpoints", ENDPOINTS_MAX);
    }
    struct endpoint_settings *list = arena_alloc(r->arena, (n + 1) * sizeof *list);
    struct json_iter it = json_iter(v);
    struct json item;
    for (size_t i = 0; i < n && json_next(&it, NULL, &item); i++) {
        str item_path = reading_item(r, path, i);
        if (!read_endpoint(r, item_path, item, &list[i])) {
            return false;
        }
        for (size_t j = 0; j < i; j++) {
            if (str_eq(list[i].name, list[j].name)) {
                return reading_problem(r, reading_member(r, item_path, STR("name")),
                                       "is the name of an endpoint before it");
            }
        }
    }
    out->endpoints = list;
    out->n_endpoints = n;
    return true;
}

/* -- written out -- */

/* Every part with its length before it. */
static void write_list(struct buf *out, const str *items, size_t n)
{
    buf_appendf(out, "%zu[", n);
    for (size_t i = 0; i < n; i++) {
        buf_appendf(out, "%zu:", items[i].len);
        buf_append(out, items[i]);
    }
}

void endpoint_settings_write(const struct endpoint_settings *e, struct buf *out)
{
    const str parts[] = {e->name,  e->kind,    e->url,        e->api_key_file, e->api_key_env,
                         e->proxy, e->ca_file, e->extra_body, e->client_cert,  e->client_key};
    write_list(out, parts, sizeof parts / sizeof parts[0]);
    write_list(out, e->api_key_command, e->n_api_key_command);
    write_list(out, e->headers, e->n_headers);
    write_list(out, e->paths, e->n_paths);
    write_list(out, e->models, e->n_models);
}
