/* redact.c - secrets that stand in text on its way to another machine.
 *
 * Why      A window around the cursor can hold a key that its owner pasted there for a moment; once
 *          sent it has to be counted as known to others.
 * How      One walk over the text. At each place that starts a word the table of issued prefixes is
 *          asked; "://" is looked at for a password, '=' ':' and '>' for an assignment to a name
 *          that says secret, "-----" for a private key.
 * Rules    Linear: what was read for a shape that didn't fit is bounded or never read again from a
 *          later start. Where the text ends inside a secret of known prefix, a few characters of
 *          it are enough.
 * Extending  One row in SHAPES for a token with a prefix, one word in NAMES. */
#include "core/prompt/redact.h"

#define REPLACEMENT     STR("REDACTED")
#define VALUE_MIN_BYTES 16u  /* shorter values of assignments are left alone */
#define VALUE_MAX_BYTES 512u /* looked at; the whole of a longer one is replaced */
#define NAME_MAX_BYTES  64u
#define TYPE_MAX_BYTES  32u
#define CUT_MIN_BYTES   4u  /* of a token at the text's end */
#define KEY_MIN_RUN     24u /* base64 characters in a row that make the body of a key */

enum charset { /* of what follows a prefix, one bit each */
               UPPER = 1,
               LOWER = 2,
               DIGIT = 4,
               DASH = 8,  /* '-' */
               LINE = 16, /* '_' */
               DOT = 32,
               BASE64 = 64, /* '+', '/', '=' */
               ALNUM = UPPER | LOWER | DIGIT,
               WORD = ALNUM | DASH | LINE
};

struct shape {
    const char *prefix;
    unsigned charset;
    unsigned min, max; /* bytes after the prefix; max 0: any number */
    bool needs_digit;  /* words of the language may have the same beginning */
};

static const struct shape SHAPES[] = {
    {"AKIA", UPPER | DIGIT, 16, 16, false}, /* AWS */
    {"ASIA", UPPER | DIGIT, 16, 16, false},
    {"ABIA", UPPER | DIGIT, 16, 16, false},
    {"ACCA", UPPER | DIGIT, 16, 16, false},
    {"ghp_", ALNUM, 30, 0, false}, /* GitHub */
    {"gho_", ALNUM, 30, 0, false},
    {"ghu_", ALNUM, 30, 0, false},
    {"ghs_", ALNUM, 30, 0, false},
    {"ghr_", ALNUM, 30, 0, false},
    {"github_pat_", ALNUM | LINE, 22, 0, true},
    {"glpat-", WORD | DOT, 20, 0, false}, /* GitLab */
    {"gldt-", WORD, 20, 0, true},
    {"glrt-", WORD, 20, 0, true},
    {"glptt-", WORD, 20, 0, true},
    {"sk-ant-", WORD, 20, 0, true}, /* model servers */
    {"sk-proj-", WORD, 20, 0, true},
    {"sk-svcacct-", WORD, 20, 0, true},
    {"sk-admin-", WORD, 20, 0, true},
    {"sk-or-v1-", ALNUM, 32, 0, true},
    {"sk-", ALNUM, 20, 0, true},
    {"gsk_", ALNUM, 32, 0, true},
    {"xai-", ALNUM, 40, 0, true},
    {"pplx-", ALNUM, 32, 0, true},
    {"r8_", ALNUM, 30, 0, true},
    {"hf_", ALNUM, 30, 0, false},
    {"AIza", WORD, 35, 35, false}, /* Google */
    {"ya29.", WORD, 20, 0, true},
    {"GOCSPX-", WORD, 20, 0, false},
    {"xoxb-", ALNUM | DASH, 10, 0, true}, /* Slack */
    {"xoxa-", ALNUM | DASH, 10, 0, true},
    {"xoxp-", ALNUM | DASH, 10, 0, true},
    {"xoxr-", ALNUM | DASH, 10, 0, true},
    {"xoxs-", ALNUM | DASH, 10, 0, true},
    {"xoxe-", ALNUM | DASH, 10, 0, true},
    {"xapp-", ALNUM | DASH, 10, 0, true},
    {"npm_", ALNUM, 36, 0, false}, /* packages */
    {"pypi-", WORD, 32, 0, true},
    {"rubygems_", LOWER | DIGIT, 48, 48, false},
    {"dckr_pat_", WORD, 20, 0, false},
    {"sk_live_", ALNUM, 16, 0, false}, /* Stripe */
    {"sk_test_", ALNUM, 16, 0, false},
    {"rk_live_", ALNUM, 16, 0, false},
    {"rk_test_", ALNUM, 16, 0, false},
    {"whsec_", ALNUM | BASE64, 24, 0, false},
    {"SG.", WORD | DOT, 60, 0, true}, /* SendGrid */
    {"sq0csp-", WORD, 22, 0, false},
    {"sq0atp-", WORD, 22, 0, false},
    {"dop_v1_", LOWER | DIGIT, 64, 64, false},
    {"doo_v1_", LOWER | DIGIT, 64, 64, false},
    {"shpat_", ALNUM, 32, 0, false},
    {"shpss_", ALNUM, 32, 0, false},
    {"lin_api_", ALNUM, 32, 0, false},
    {"glsa_", ALNUM | LINE, 32, 0, true},
    {"figd_", WORD, 32, 0, true},
    {"ATATT3", WORD | BASE64, 60, 0, false},
    {"PMAK-", ALNUM | DASH, 50, 0, true},
    {"NRAK-", ALNUM, 27, 0, false},
    {"hvs.", WORD, 24, 0, false},
    {"AGE-SECRET-KEY-1", UPPER | DIGIT, 58, 58, false},
};
#define N_SHAPES (sizeof SHAPES / sizeof *SHAPES)

/* Parts of names that secrets are assigned to. */
static const char *const NAMES[] = {"password",   "passwd",         "passphrase", "pwd",
                                    "secret",     "token",          "api_key",    "apikey",
                                    "api-key",    "access_key",     "accesskey",  "private_key",
                                    "privatekey", "accountkey",     "auth_key",   "authkey",
                                    "credential", "encryption_key", "signing_key"};

struct scan {
    str text;
    size_t given; /* everything before it is in `out` */
    size_t n_found;
    struct buf *out;
    size_t cursor;     /* a place in `text` */
    size_t out_cursor; /* where it is in `out`; SIZE_MAX until it is known */
};

/* -- characters -- */

static unsigned charset_of(char c)
{
    if (c >= 'a' && c <= 'z') {
        return LOWER;
    }
    if (c >= 'A' && c <= 'Z') {
        return UPPER;
    }
    if (c >= '0' && c <= '9') {
        return DIGIT;
    }
    switch (c) {
    case '-':
        return DASH;
    case '_':
        return LINE;
    case '.':
        return DOT;
    case '+':
    case '/':
    case '=':
        return BASE64;
    default: /* in no token */
        return 0;
    }
}

/* End of the run of characters of `charset` from `at`. */
static size_t run_end(str text, size_t at, unsigned charset)
{
    while (at < text.len && (charset_of(text.ptr[at]) & charset) != 0) {
        at++;
    }
    return at;
}

static size_t count_in(str text, unsigned charset)
{
    size_t n = 0;
    for (size_t i = 0; i < text.len; i++) {
        n += (charset_of(text.ptr[i]) & charset) != 0;
    }
    return n;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool starts_at(str text, size_t at, str what)
{
    return str_starts_with(str_sub(text, at, text.len), what);
}

/* Gives the text before `end` as it is. */
static void give(struct scan *s, size_t end)
{
    if (s->out_cursor == SIZE_MAX && s->cursor <= end) {
        s->out_cursor = s->out->len + (s->cursor - s->given);
    }
    buf_append(s->out, str_sub(s->text, s->given, end));
    s->given = end;
}

/* Replaces [start, end). */
static void replace(struct scan *s, size_t start, size_t end)
{
    give(s, start);
    buf_append(s->out, REPLACEMENT);
    s->given = end;
    s->n_found++;
    if (s->out_cursor == SIZE_MAX && s->cursor < end) { /* in the middle of it */
        s->out_cursor = s->out->len;
    }
}

/* -- tokens with a prefix. Each looks at one place and gives where the secret ends, 0 for none --
 */

static size_t shape_end(const struct shape *shape, str text, size_t at)
{
    size_t start = at + str_from(shape->prefix).len;
    str looked_at = str_sub(text, 0, start + VALUE_MAX_BYTES);
    size_t end = run_end(looked_at, start, shape->charset);
    size_t n = end - start;
    bool is_cut = end == text.len && n >= CUT_MIN_BYTES;
    if ((n < shape->min && !is_cut) || (shape->max > 0 && n > shape->max)) {
        return 0;
    }
    if (shape->needs_digit && count_in(str_sub(text, start, end), DIGIT) == 0) {
        return 0;
    }
    return run_end(text, end, shape->charset);
}

static size_t token_end(str text, size_t at)
{
    for (size_t i = 0; i < N_SHAPES; i++) {
        if (SHAPES[i].prefix[0] != text.ptr[at] ||
            !starts_at(text, at, str_from(SHAPES[i].prefix))) {
            continue;
        }
        size_t end = shape_end(&SHAPES[i], text, at);
        if (end > 0) {
            return end;
        }
    }
    return 0;
}

static bool is_hex(str s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'))) {
            return false;
        }
    }
    return s.len > 0;
}

/* Twilio: SK and 32 hexadecimal digits; Mailgun: key- and as many. */
static size_t hex_key_end(str text, size_t at)
{
    size_t n_prefix = starts_at(text, at, STR("SK")) ? 2 : starts_at(text, at, STR("key-")) ? 4 : 0;
    if (n_prefix == 0) {
        return 0;
    }
    size_t end = run_end(text, at + n_prefix, ALNUM);
    bool is_key = end - at - n_prefix == 32 && is_hex(str_sub(text, at + n_prefix, end));
    return is_key ? end : 0;
}

/* JSON Web Token: three parts in base64url, the first two of them JSON objects. */
static size_t jwt_end(str text, size_t at)
{
    if (!starts_at(text, at, STR("eyJ"))) {
        return 0;
    }
    size_t end = run_end(text, at, WORD);
    if (end == text.len) {
        return end - at >= 16 && count_in(str_sub(text, at, end), DIGIT) > 0 ? end : 0;
    }
    if (end - at < 10 || !starts_at(text, end, STR(".eyJ"))) {
        return 0;
    }
    end = run_end(text, end + 1, WORD);
    return end < text.len && text.ptr[end] == '.' ? run_end(text, end + 1, WORD) : end;
}

/* Hooks whose address is the secret. */
static size_t hook_end(str text, size_t at)
{
    static const char *const HOOKS[] = {"hooks.slack.com/services/", "discord.com/api/webhooks/",
                                        "discordapp.com/api/webhooks/",
                                        "hooks.slack.com/workflows/"};
    for (size_t i = 0; i < sizeof HOOKS / sizeof *HOOKS; i++) {
        str hook = str_from(HOOKS[i]);
        if (starts_at(text, at, hook)) {
            size_t end = run_end(text, at + hook.len, WORD | BASE64);
            return end - at - hook.len >= 8 ? end : 0;
        }
    }
    return 0;
}

/* "Bearer ..." and "Basic ..." of headers; *start gets where the value begins. */
static bool is_random(str value);
static size_t bearer_end(str text, size_t at, size_t *start)
{
    size_t n = starts_at(text, at, STR("Bearer ")) ? 7 : starts_at(text, at, STR("Basic ")) ? 6 : 0;
    if (n == 0) {
        return 0;
    }
    *start = at + n;
    size_t end = run_end(text, *start, WORD | DOT | BASE64);
    size_t n_looked = end - *start < VALUE_MAX_BYTES ? end - *start : VALUE_MAX_BYTES;
    return is_random(str_sub(text, *start, *start + n_looked)) ? end : 0;
}

/* -- assignments -- */

/* Number of words in `value`: runs of small letters with a capital before them, of capitals, of
 * digits. Text has few of them for its length, random characters many. */
static size_t count_words(str value)
{
    size_t n = 0;
    unsigned last = 0;
    for (size_t i = 0; i < value.len; i++) {
        unsigned set = charset_of(value.ptr[i]) & ALNUM;
        bool goes_on = set == last || (set == LOWER && last == UPPER);
        n += set != 0 && !goes_on;
        /* "XUtn" is two words: the last capital belongs to the small letters */
        n += set == LOWER && last == UPPER && i >= 2 && (charset_of(value.ptr[i - 2]) & UPPER) != 0;
        last = set;
    }
    return n;
}

static size_t count_distinct(str value)
{
    bool is_seen[256] = {false};
    size_t n = 0;
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.ptr[i];
        n += !is_seen[c];
        is_seen[c] = true;
    }
    return n;
}

/* How many separate groups of digits. */
static size_t count_numbers(str value)
{
    size_t n = 0;
    for (size_t i = 0; i < value.len; i++) {
        bool is_digit = charset_of(value.ptr[i]) == DIGIT;
        n += is_digit && (i == 0 || charset_of(value.ptr[i - 1]) != DIGIT);
    }
    return n;
}

/* Whether `value` looks drawn, not written. */
static bool is_random(str value)
{
    size_t n_alnum = count_in(value, ALNUM);
    if (value.len < VALUE_MIN_BYTES || n_alnum < 12 || count_distinct(value) < 9) {
        return false;
    }
    size_t n_numbers = count_numbers(value);
    bool has_upper = count_in(value, UPPER) > 0;
    bool has_separator = count_in(value, DASH | LINE | DOT) > 0;
    if (n_numbers == 0 && (!has_upper || has_separator)) {
        return false;
    }
    if (!has_upper && has_separator && n_numbers < 4) {
        return false; /* words-and-2-numbers */
    }
    size_t n_words = count_words(value);
    return n_numbers == 0 ? n_alnum * 10 <= n_words * 27 : n_alnum * 10 <= n_words * 34;
}

static bool says_secret(str name)
{
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++) {
        if (str_contains_nocase(name, str_from(NAMES[i]))) {
            return true;
        }
    }
    return false;
}

static size_t back_over_blanks(str text, size_t at)
{
    for (unsigned n = 0; n < NAME_MAX_BYTES && at > 0 && is_blank(text.ptr[at - 1]); n++) {
        at--;
    }
    return at;
}

/* The name that ends before `at`: `name`, `"name"`, `name[8]`, `x["name"]`. *start gets where it
 * begins. */
static str name_before(str text, size_t at, size_t *start)
{
    at = back_over_blanks(text, at);
    if (at > 0 && text.ptr[at - 1] == ']') {
        size_t open = at - 1;
        while (open > 0 && at - open < TYPE_MAX_BYTES + 2 && text.ptr[open - 1] != '[' &&
               text.ptr[open - 1] != '"' && text.ptr[open - 1] != '\'') {
            open--;
        }
        bool is_index = open > 0 && text.ptr[open - 1] == '[';
        at = is_index ? open - 1 : at - 1; /* name[8]: before the bracket; ["name"]: before it */
    }
    if (at > 0 && (text.ptr[at - 1] == '"' || text.ptr[at - 1] == '\'')) {
        at--;
    }
    size_t end = at;
    while (at > 0 && end - at < NAME_MAX_BYTES &&
           (charset_of(text.ptr[at - 1]) & (WORD | DOT)) != 0) {
        at--;
    }
    *start = at;
    return str_sub(text, at, end);
}

/* Whether the sign at `at` assigns to a name that says secret; a type may stand between. */
static bool assigns_secret(str text, size_t at)
{
    size_t start;
    size_t end = at;
    while (end > 0 && at - end < 2 && (text.ptr[end - 1] == ':' || text.ptr[end - 1] == '=')) {
        end--; /* := and == */
    }
    str name = name_before(text, end, &start);
    if (says_secret(name)) {
        return true;
    }
    size_t before = back_over_blanks(text, start);
    if (name.len == 0 || name.len > TYPE_MAX_BYTES || before == 0) {
        return false;
    }
    if (text.ptr[before - 1] == ':') { /* name: type = value */
        return says_secret(name_before(text, before - 1, &start));
    }
    /* name type = value */
    return before < start && text.ptr[at] == '=' && says_secret(name_before(text, before, &start));
}

static bool is_value_char(char c)
{
    return charset_of(c) != 0 || (c != '\0' && strchr("!@#$%^&*~?", c) != NULL);
}

/* Whether the text at `end` ends an unquoted value: not a call, an index or more of a name. */
static bool ends_value(str text, size_t end)
{
    return end == text.len || strchr(" \t\r\n,;<&)}\"'", text.ptr[end]) != NULL;
}

/* Replaces the value after the sign at `at`; gives where the walk goes on, 0 for no secret. */
static size_t redact_value(struct scan *s, size_t at)
{
    str text = s->text;
    size_t start = at + 1;
    while (start < text.len && start - at < 4 && strchr("=>:", text.ptr[start]) != NULL) {
        start++;
    }
    while (start < text.len && start - at < NAME_MAX_BYTES && is_blank(text.ptr[start])) {
        start++;
    }
    char quote = start < text.len ? text.ptr[start] : '\0';
    bool is_quoted = quote == '"' || quote == '\'' || quote == '`';
    start += is_quoted;
    size_t end = start;
    while (end < text.len && end - start < VALUE_MAX_BYTES && is_value_char(text.ptr[end])) {
        end++;
    }
    bool is_whole = end == text.len || end - start == VALUE_MAX_BYTES ||
                    (is_quoted ? text.ptr[end] == quote : ends_value(text, end));
    str value = str_sub(text, start, end);
    bool is_plain = is_quoted || count_numbers(value) > 0;
    if (!is_whole || !is_plain || !is_random(value)) {
        return 0;
    }
    while (end < text.len && is_value_char(text.ptr[end])) {
        end++;
    }
    replace(s, start, end);
    return end;
}

static size_t redact_assignment(struct scan *s, size_t at)
{
    if (!assigns_secret(s->text, at)) {
        return 0;
    }
    return redact_value(s, at);
}

/* -- addresses -- */

/* scheme://user:password@host, at its "://". */
static size_t redact_address(struct scan *s, size_t at)
{
    str text = s->text;
    size_t start = at + 3;
    size_t colon = 0, sign = 0;
    for (size_t i = start; i < text.len && strchr("/?#\"'`<> \t\r\n\\", text.ptr[i]) == NULL; i++) {
        if (text.ptr[i] == ':' && colon == 0) {
            colon = i;
        }
        if (text.ptr[i] == '@') {
            sign = i;
        }
    }
    if (colon == 0 || sign < colon + 2) {
        return 0;
    }
    str password = str_sub(text, colon + 1, sign);
    bool is_placeholder = password.ptr[0] == '$' || password.ptr[0] == '{' ||
                          str_find_char(password, '{', 0) != SIZE_MAX ||
                          str_eq(password, STR("%s")) || str_eq(password, STR("%v"));
    if (is_placeholder) {
        return 0;
    }
    replace(s, colon + 1, sign);
    return sign;
}

/* -- private keys -- */

static bool is_key_char(char c)
{
    return (charset_of(c) & (ALNUM | BASE64)) != 0;
}

/* Whether a line "-----BEGIN ... PRIVATE KEY...-----" starts at `at`; *end gets its end. */
static bool is_key_mark(str text, size_t at, str word, size_t *end)
{
    if (!starts_at(text, at, STR("-----")) || !starts_at(text, at + 5, word)) {
        return false;
    }
    size_t from = at + 5 + word.len;
    size_t dashes = run_end(text, from, UPPER | DIGIT);
    while (dashes < text.len &&
           (text.ptr[dashes] == ' ' || (charset_of(text.ptr[dashes]) & (UPPER | DIGIT)) != 0) &&
           dashes - from < NAME_MAX_BYTES) {
        dashes++;
    }
    str title = str_sub(text, from, dashes);
    *end = dashes + 5;
    return str_find(title, STR("PRIVATE KEY"), 0) != SIZE_MAX &&
           (dashes == text.len || starts_at(text, dashes, STR("-----")));
}

/* The body after the BEGIN line: base64 and what source code puts between its lines. Gives where
 * it ends (after an END line where there is one), 0 where no key stands there. */
static size_t key_end(str text, size_t at)
{
    size_t run = 0, longest = 0;
    size_t i = at;
    size_t end = at;
    for (; i < text.len; i++) {
        char c = text.ptr[i];
        if (is_key_char(c)) {
            run++;
            longest = run > longest ? run : longest;
            end = i + 1;
            continue;
        }
        run = 0;
        size_t mark_end;
        if (c == '-' && starts_at(text, i, STR("-----"))) {
            bool is_end = is_key_mark(text, i, STR("END "), &mark_end);
            end = is_end ? mark_end : end;
            break;
        }
        if (strchr(" \t\r\n\"'\\,:;-.()#*|", c) == NULL) {
            break;
        }
    }
    if (end > text.len) {
        end = text.len;
    }
    bool is_cut = i >= text.len;
    return longest >= KEY_MIN_RUN || (is_cut && end > at) ? end : 0;
}

/* A window can start inside a key: whole lines of base64 before an END line. */
static size_t key_start(const struct scan *s, size_t end_mark)
{
    size_t start = end_mark;
    size_t longest = 0, run = 0;
    for (size_t i = end_mark; i > s->given; i--) {
        char c = s->text.ptr[i - 1];
        if (!is_key_char(c) && strchr("\r\n\"\\", c) == NULL) {
            break;
        }
        run = is_key_char(c) ? run + 1 : 0;
        longest = run > longest ? run : longest;
        start = i - 1;
    }
    return longest >= KEY_MIN_RUN ? start : end_mark;
}

static size_t redact_key(struct scan *s, size_t at)
{
    size_t end;
    if (is_key_mark(s->text, at, STR("BEGIN "), &end) && end <= s->text.len) {
        size_t body = end;
        end = key_end(s->text, body);
        if (end > 0) {
            replace(s, at, end);
        }
        return end;
    }
    if (is_key_mark(s->text, at, STR("END "), &end) && end <= s->text.len) {
        size_t start = key_start(s, at);
        if (start < at) {
            replace(s, start, end);
            return end;
        }
    }
    return 0;
}

/* -- the walk -- */

static bool starts_word(str text, size_t at)
{
    return at == 0 || (charset_of(text.ptr[at - 1]) & WORD) == 0 ||
           /* "\nghp_..." in source: the letter belongs to the escape */
           (at >= 2 && text.ptr[at - 2] == '\\');
}

static size_t redact_word(struct scan *s, size_t at)
{
    size_t start = at;
    size_t end = token_end(s->text, at);
    end = end > 0 ? end : hex_key_end(s->text, at);
    end = end > 0 ? end : jwt_end(s->text, at);
    end = end > 0 ? end : hook_end(s->text, at);
    end = end > 0 ? end : bearer_end(s->text, at, &start);
    if (end > 0) {
        replace(s, start, end);
    }
    return end;
}

/* Where the walk goes on after a secret at `at`, 0 where none starts there. */
static size_t redact_at(struct scan *s, size_t at)
{
    char c = s->text.ptr[at];
    size_t end = 0;
    if (c == ':' && starts_at(s->text, at, STR("://"))) {
        return redact_address(s, at);
    }
    if (c == '=' || c == ':' || c == '>') {
        return redact_assignment(s, at);
    }
    if (c == '-' && starts_at(s->text, at, STR("-----"))) {
        end = redact_key(s, at);
    }
    if (end == 0 && (charset_of(c) & ALNUM) != 0 && starts_word(s->text, at)) {
        end = redact_word(s, at);
    }
    return end;
}

static size_t walk(struct scan *s)
{
    for (size_t i = 0; i < s->text.len;) {
        size_t end = redact_at(s, i);
        i = end > i ? end : i + 1;
    }
    give(s, s->text.len);
    return s->n_found;
}

size_t redact(str text, struct buf *out)
{
    struct scan s = {.text = text, .out = out};
    return walk(&s);
}

size_t redact_around(str before, str after, struct buf *out_before, struct buf *out_after)
{
    struct buf whole, clean;
    buf_init(&whole, before.len + after.len);
    buf_append(&whole, before);
    buf_append(&whole, after);
    buf_init(&clean, out_before->max + out_after->max);
    struct scan s = {
        .text = buf_str(&whole), .out = &clean, .cursor = before.len, .out_cursor = SIZE_MAX};
    size_t n = walk(&s);
    /* What is being typed ends at the cursor: it is looked at as such, too. */
    n += redact(str_sub(buf_str(&clean), 0, s.out_cursor), out_before);
    buf_append(out_after, str_sub(buf_str(&clean), s.out_cursor, clean.len));
    buf_release(&whole);
    buf_release(&clean);
    return n;
}
