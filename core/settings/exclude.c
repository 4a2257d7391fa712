/* exclude.c - which files no model ever sees.
 *
 * Why      Keys and passwords lie in files with well-known names. A link with a harmless name, or
 *          ".ENV" on a disk that ignores case, must not get around that.
 * How      Patterns are matched against the path as given and against the real path behind it,
 *          ASCII case ignored. A pattern with a '/' matches at any depth; a configured pattern
 *          also hides everything below a directory that it matches.
 * Rules    In doubt a file is hidden: what can't be matched within bounds counts as matching. */
#include "core/settings/table.h"

#include <limits.h>

#include "core/base/glob.h"

/* clang-format off */
static const char *const builtin_patterns[] = {
    /* environment and settings that hold passwords */
    ".env", ".env.*", "*.env", ".envrc", "credentials", "credentials.json", "secrets.*", "*.secret",
    "*.secrets", ".npmrc", ".yarnrc.yml", ".pypirc", ".netrc", "_netrc", ".pgpass", ".my.cnf",
    ".htpasswd", ".git-credentials", ".vault-token", ".dockercfg", ".s3cfg", "*.tfvars",
    "*.tfvars.json", "*.tfstate", "*.tfstate.*", "kubeconfig", "*.kubeconfig",
    "service-account*.json",
    /* keys and stores of keys */
    "*.pem", "*.key", "*.p8", "*.p12", "*.pfx", "*.jks", "*.keystore", "*.kdb", "*.kdbx", "*.ppk",
    "*.ovpn", "*.agekey", "*.gpg", "id_rsa*", "id_dsa*", "id_ecdsa*", "id_ed25519*",
    /* directories */
    "**/.aws/**", "**/.ssh/**", "**/.gnupg/**", "**/.azure/**", "**/.config/gcloud/**",
    "**/.password-store/**", "**/.docker/config.json", "**/.kube/config", "**/.kube/cache/**",
    "**/.cargo/credentials*", "**/.gem/credentials", "**/.config/gh/hosts.yml",
    "**/.config/crucible/*.key",
};
/* clang-format on */

/* -- patterns of the configuration -- */

/* At any depth, and without a slash at the end: "/a/b/" becomes two-stars, slash, "a/b". */
static str normalised(const struct reading *r, str pattern)
{
    if (str_starts_with(pattern, STR("~/"))) {
        str home = str_from(getenv("HOME"));
        pattern = arena_printf(r->arena, STR_FMT "/" STR_FMT, STR_ARG(home),
                               STR_ARG(str_sub(pattern, 2, pattern.len)));
    }
    while (str_starts_with(pattern, STR("./"))) {
        pattern = str_sub(pattern, 2, pattern.len);
    }
    bool has_slash = str_find_char(pattern, '/', 0) != SIZE_MAX;
    while (pattern.len > 0 && pattern.ptr[pattern.len - 1] == '/') {
        pattern.len--;
    }
    while (pattern.len > 0 && pattern.ptr[0] == '/') {
        pattern = str_sub(pattern, 1, pattern.len);
    }
    if (!has_slash || str_find_char(pattern, '/', 0) == SIZE_MAX) {
        return pattern; /* one name: matches at any depth as it is */
    }
    return str_starts_with(pattern, STR("**/"))
               ? pattern
               : arena_printf(r->arena, "**/" STR_FMT, STR_ARG(pattern));
}

bool read_globs(const struct reading *r, str path, struct json v, struct setting_value *out)
{
    const str *given;
    size_t n;
    if (!read_strings(r, path, v, STRING_LINE, &given, &n)) {
        return false;
    }
    str *patterns = arena_alloc(r->arena, (n + 1) * sizeof *patterns);
    for (size_t i = 0; i < n; i++) {
        str item_path = reading_item(r, path, i);
        if (given[i].ptr[0] == '!') {
            return reading_problem(r, item_path, "can't be negated: patterns only ever hide more");
        }
        patterns[i] = normalised(r, given[i]);
        if (patterns[i].len == 0) {
            return reading_problem(r, item_path, "must be a path pattern");
        }
    }
    out->list = patterns;
    out->n_list = n;
    return true;
}

/* -- matching -- */

static bool hides(str pattern, str path)
{
    return glob_matches(pattern, path, true);
}

/* Whether the pattern matches the path or a directory above it. */
static bool hides_below(str pattern, str path)
{
    for (size_t end = path.len; end > 0;) {
        if (hides(pattern, str_sub(path, 0, end))) {
            return true;
        }
        do {
            end--;
        } while (end > 0 && path.ptr[end] != '/');
    }
    return false;
}

static bool excludes_name(const struct settings *s, str path)
{
    while (path.len > 0 && path.ptr[0] == '/') {
        path = str_sub(path, 1, path.len);
    }
    for (size_t i = 0; i < sizeof builtin_patterns / sizeof *builtin_patterns; i++) {
        if (hides(str_from(builtin_patterns[i]), path)) {
            return true;
        }
    }
    for (size_t i = 0; i < s->n_privacy_exclude; i++) {
        if (hides_below(s->privacy_exclude[i], path)) {
            return true;
        }
    }
    return false;
}

/* The path with every link on it followed. Of what doesn't exist yet (a new file) the part that
 * does is followed and the rest kept. False where there is nothing to follow or no room. */
static bool real_path(str path, char out[PATH_MAX])
{
    char copy[PATH_MAX];
    if (path.len == 0 || path.len >= sizeof copy || memchr(path.ptr, '\0', path.len)) {
        return false;
    }
    memcpy(copy, path.ptr, path.len);
    copy[path.len] = '\0';
    size_t n = path.len;
    while (!realpath(copy, out)) {
        while (n > 0 && copy[--n] != '/') {
        }
        if (n == 0) {
            return false;
        }
        copy[n] = '\0';
    }
    str rest = str_sub(path, n, path.len);
    size_t len = strlen(out);
    if (len + rest.len >= PATH_MAX) {
        return false;
    }
    memcpy(out + len, rest.ptr, rest.len);
    out[len + rest.len] = '\0';
    return true;
}

bool settings_excludes(const struct settings *s, str path)
{
    char real[PATH_MAX];
    return excludes_name(s, path) || (real_path(path, real) && excludes_name(s, str_from(real)));
}
