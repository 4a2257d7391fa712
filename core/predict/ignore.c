/* ignore.c - the rules of .gitignore files: which paths of a tree don't count.
 *
 * Why      What a project ignores is made by machines or private: nobody wants it proposed.
 * Rules    The number of rules is bounded; those past the bound are dropped from the end of the
 *          file. Patterns are matched by glob_matches, which can't hang. */
#include "core/predict/ignore.h"

#include "core/base/glob.h"
#include "core/base/memory.h"

#define IGNORE_MAX_RULES 2000u

struct rule {
    str pattern; /* borrows the text */
    bool is_negated, is_dir_only;
    bool is_anchored; /* matched from the directory of the file on */
};
struct ignore {
    const struct ignore *above;
    char *dir;  /* owned */
    char *text; /* owned */
    struct rule *rules;
    size_t dir_len, n_rules;
};

/* Spaces at the end don't count unless a backslash stands before. */
static str trim_line(str line)
{
    if (str_ends_with(line, STR("\r"))) {
        line.len--;
    }
    while (line.len > 0 && line.ptr[line.len - 1] == ' ' &&
           !(line.len > 1 && line.ptr[line.len - 2] == '\\')) {
        line.len--;
    }
    return line;
}

static bool parse_rule(str line, struct rule *out)
{
    line = trim_line(line);
    if (line.len == 0 || line.ptr[0] == '#') {
        return false;
    }
    *out = (struct rule){.is_negated = line.ptr[0] == '!'};
    line = str_sub(line, out->is_negated, line.len);
    if (str_starts_with(line, STR("\\#")) || str_starts_with(line, STR("\\!"))) {
        line = str_sub(line, 1, line.len);
    }
    out->is_dir_only = str_ends_with(line, STR("/"));
    while (str_ends_with(line, STR("/"))) {
        line.len--;
    }
    out->is_anchored = str_find_char(line, '/', 0) != SIZE_MAX;
    out->pattern = str_sub(line, str_starts_with(line, STR("/")), line.len);
    return out->pattern.len > 0;
}

struct ignore *ignore_create(const struct ignore *above, str dir, str text)
{
    struct ignore *ig = xcalloc(1, sizeof(*ig));
    ig->above = above;
    ig->dir = xstrndup(dir.ptr, dir.len);
    ig->dir_len = dir.len;
    ig->text = xstrndup(text.ptr, text.len);
    size_t cap = 0;
    str rest = str_of(ig->text, text.len);
    str line;
    struct rule rule;
    while (ig->n_rules < IGNORE_MAX_RULES && str_next(&rest, '\n', &line)) {
        if (!parse_rule(line, &rule)) {
            continue;
        }
        if (ig->n_rules == cap) {
            cap = cap == 0 ? 16 : cap * 2;
            ig->rules = xrealloc(ig->rules, cap * sizeof(*ig->rules));
        }
        ig->rules[ig->n_rules++] = rule;
    }
    return ig;
}

void ignore_destroy(struct ignore *ig)
{
    if (ig == NULL) {
        return;
    }
    xfree(ig->dir);
    xfree(ig->text);
    xfree(ig->rules);
    xfree(ig);
}

/* `path` is relative to the directory of the rule's file. */
static bool rule_matches(const struct rule *rule, str path, bool is_dir)
{
    if (rule->is_dir_only && !is_dir) {
        return false;
    }
    bool is_one_name = str_find_char(rule->pattern, '/', 0) == SIZE_MAX;
    if (rule->is_anchored && is_one_name && str_find_char(path, '/', 0) != SIZE_MAX) {
        return false;
    }
    return glob_matches(rule->pattern, path, false);
}

bool ignore_matches(const struct ignore *ig, str path, bool is_dir)
{
    for (; ig != NULL; ig = ig->above) {
        size_t skip = ig->dir_len > 0 ? ig->dir_len + 1 : 0;
        if (path.len <= skip) {
            continue;
        }
        str inside = str_sub(path, skip, path.len);
        for (size_t i = ig->n_rules; i-- > 0;) {
            if (rule_matches(&ig->rules[i], inside, is_dir)) {
                return !ig->rules[i].is_negated;
            }
        }
    }
    return false;
}
