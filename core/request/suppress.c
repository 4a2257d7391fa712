/* suppress.c - whether an automatic request is worth making; see suppress.h.
 *
 * Why      In some places nearly nothing is ever taken: the middle of prose, say. Each request
 *          there costs a model's time, and each suggestion the person's attention.
 * How      Each class of place in each language counts what was shown and what of it was of use;
 *          old fates fade. The share, smoothed towards a usual one, is compared with what a
 *          request costs: a slow model has to be right more often.
 * Rules    Being typed by hand counts as much as being taken: the text was right. A suggestion that
 *          nobody reacted to counts half. Little is withheld wrongly: it takes SUPPRESS_MIN
 *          fates, the share that is asked for never passes RATE_MAX, and one request in
 *          SUPPRESS_EXPLORE is always made. */
#include "core/request/suppress.h"

#include "core/base/hash.h"

#define FADE_AT       80u  /* fates, halves: then all counts are halved */
#define PRIOR_SHOWN   5.0  /* the smoothing: so many fates more, */
#define PRIOR_USED    1.0  /* so many of them of use */
#define RATE_BASE     0.04 /* the share of use that pays for a request that costs no time, */
#define RATE_A_SECOND 0.03 /* more for each second, */
#define RATE_MAX      0.10 /* and at most */

const char *place_class_name(enum place_class c)
{
    static const char *const names[N_PLACE_CLASSES] = {"a blank line",    "the end of a line",
                                                       "after an opener", "the middle of a line",
                                                       "a comment",       "a string"};
    return names[c];
}

const char *fate_name(enum fate f)
{
    static const char *const names[N_FATES] = {"taken", "partly taken", "typed", "typed over",
                                               "ignored"};
    return names[f];
}

/* -- places -- */

static bool is_one_of(str language, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (str_eq(language, str_from(names[i]))) {
            return true;
        }
    }
    return false;
}

/* What begins a comment that goes to the line's end; NULL where prose is all there is. */
static const char *line_comment(str language)
{
    static const char *const hash[] = {"python",   "ruby",       "shellscript", "sh",    "bash",
                                       "perl",     "yaml",       "toml",        "r",     "make",
                                       "makefile", "dockerfile", "cmake",       "elixir"};
    static const char *const dash[] = {"lua", "sql", "haskell", "ada"};
    static const char *const semicolon[] = {"lisp",    "emacs-lisp", "elisp", "common-lisp",
                                            "clojure", "scheme",     "racket"};
    static const char *const none[] = {"markdown", "plaintext", "text", "html", "xml", "latex"};
    if (is_one_of(language, hash, sizeof hash / sizeof hash[0])) {
        return "#";
    }
    if (is_one_of(language, dash, sizeof dash / sizeof dash[0])) {
        return "--";
    }
    if (is_one_of(language, semicolon, sizeof semicolon / sizeof semicolon[0])) {
        return ";";
    }
    return is_one_of(language, none, sizeof none / sizeof none[0]) ? NULL : "//";
}

/* Reads a line up to the cursor: whether it stands in a comment, or in a string. */
static enum place_class read_inside(str before, str comment)
{
    char quote = '\0';
    for (size_t i = 0; i < before.len; i++) {
        char c = before.ptr[i];
        if (quote != '\0') {
            i += c == '\\';
            quote = c == quote ? '\0' : quote;
        } else if (str_starts_with(str_sub(before, i, before.len), comment)) {
            return PLACE_COMMENT;
        } else if (c == '"' || c == '`') {
            quote = c;
        } else if (c == '\'') { /* an apostrophe, a lifetime and a digit mark close nothing */
            size_t end = str_find_char(before, '\'', i + 1);
            i = end == SIZE_MAX ? i : end;
        }
    }
    return quote != '\0' ? PLACE_STRING : N_PLACE_CLASSES;
}

static bool is_closers_only(str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (str_find_char(STR(" \t)]}>\"'`,;:"), s.ptr[i], 0) == SIZE_MAX) {
            return false;
        }
    }
    return true;
}

enum place_class place_class_of(str before, str after, str language)
{
    str left = str_trim(before);
    const char *comment = line_comment(language);
    if (left.len == 0 && str_trim(after).len == 0) {
        return PLACE_BLANK;
    }
    if (comment) {
        bool is_block =
            comment[0] == '/' && (str_starts_with(left, STR("/*")) || str_eq(left, STR("*")) ||
                                  str_starts_with(left, STR("* ")));
        enum place_class inside = is_block ? PLACE_COMMENT : read_inside(before, str_from(comment));
        if (inside != N_PLACE_CLASSES) {
            return inside;
        }
    }
    if (!is_closers_only(after)) {
        return PLACE_MIDDLE;
    }
    char last = left.len > 0 ? left.ptr[left.len - 1] : '\0';
    bool is_opener = last == '{' || last == '(' || last == '[' || last == ':';
    return is_opener ? PLACE_OPENER : PLACE_LINE_END;
}

/* -- habits -- */

static struct suppress_habit *find_habit(struct suppress *s, uint64_t language,
                                         enum place_class place)
{
    uint64_t key = hash_mix(language, (uint64_t)place + 1) | 1;
    struct suppress_habit *oldest = &s->habits[0];
    for (size_t i = 0; i < SUPPRESS_HABITS; i++) {
        struct suppress_habit *h = &s->habits[i];
        if (h->key == key) {
            h->used = ++s->n_used;
            return h;
        }
        oldest = h->used < oldest->used ? h : oldest;
    }
    *oldest = (struct suppress_habit){.key = key, .used = ++s->n_used};
    return oldest;
}

void suppress_learn(struct suppress *s, uint64_t language, enum place_class place, enum fate fate)
{
    struct suppress_habit *h = find_habit(s, language, place);
    bool is_used = fate <= FATE_TYPED;
    h->n_half += fate == FATE_IGNORED ? 1 : 2;
    h->n_used_half += is_used ? 2 : 0;
    if (h->n_half >= 2 * FADE_AT) {
        h->n_half /= 2;
        h->n_used_half /= 2;
    }
}

struct verdict suppress_judge(struct suppress *s, uint64_t language, enum place_class place,
                              uint64_t cost_us)
{
    struct suppress_habit *h = find_habit(s, language, place);
    struct verdict v = {.n_shown = h->n_half / 2, .n_used = h->n_used_half / 2};
    double share =
        ((double)h->n_used_half / 2 + PRIOR_USED) / ((double)h->n_half / 2 + PRIOR_SHOWN);
    double wanted = RATE_BASE + RATE_A_SECOND * (double)cost_us / 1e6;
    wanted = wanted < RATE_MAX ? wanted : RATE_MAX;
    if (v.n_shown >= SUPPRESS_MIN && share < wanted) {
        v.is_withheld = ++h->n_asked % SUPPRESS_EXPLORE != 0;
    }
    return v;
}
