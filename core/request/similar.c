/* similar.c - sketches of code, their likeness, and the index of what has been answered.
 *
 * Why   An explanation stays right when a comment is added, a line reformatted or a local renamed,
 *       and mostly right when one line of twenty changes. Asking anew each time costs seconds.
 * How   MinHash in the form that keeps the s least hashes of one permutation: A. Broder, "On the
 *       resemblance and containment of documents" (1997); for functions of everyday size nothing
 *       is left out, and the estimate is the exact value. Three tokens to a shingle, because with
 *       two, functions that share a name and a habit count as the same, and with four a changed
 *       line weighs too much. A name that looks local (never called, never a type, never behind a
 *       dot, used more than once) is replaced by where it is introduced: the token before it, and
 *       the how manieth one behind that token. So renaming changes nothing, while two names that
 *       change places do. SimHash (Charikar 2002) was measured beside it and tells half-rewritten
 *       functions from edited ones less well.
 * Rules The index is searched from end to end: heads are compared first and hardly ever equal, so
 *       500 entries cost less than a table would. */
#include "core/request/similar.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/arena.h"
#include "core/base/hash.h"
#include "core/base/memory.h"

#define BATCH (2 * SIMILAR_SKETCH_HASHES)

/* -- tokens -- */

struct piece {
    uint64_t hash;
    struct word *word; /* NULL: a number, a string, punctuation */
};

struct word {
    uint64_t hash;
    unsigned n_uses;
    bool is_reserved;
    bool is_fixed;            /* isn't a local name */
    uint64_t name;            /* what stands for a local one; 0: not seen yet */
    unsigned n_introduced;    /* local names right behind it */
    struct word *next_in_row; /* in the table */
};

struct reading {
    str code, line_mark;
    bool has_blocks; /* of comments between slash and star */
    size_t at;
    struct piece *pieces;
    size_t n;
    struct word **table;
    size_t mask; /* of the table's size, a power of two */
    struct arena *arena;
};

/* Words of many languages that are no names, sorted. */
static const char *const reserved[] = {
    "False",  "None",    "True",     "and",      "as",        "async",  "auto",     "await",
    "bool",   "break",   "case",     "catch",    "char",      "class",  "const",    "continue",
    "def",    "default", "defer",    "del",      "delete",    "do",     "double",   "elif",
    "else",   "end",     "enum",     "except",   "export",    "extern", "false",    "final",
    "fn",     "for",     "func",     "function", "go",        "goto",   "if",       "impl",
    "import", "in",      "inline",   "int",      "is",        "lambda", "let",      "local",
    "long",   "match",   "mut",      "new",      "nil",       "not",    "null",     "nullptr",
    "or",     "pass",    "pub",      "raise",    "return",    "self",   "short",    "signed",
    "sizeof", "static",  "struct",   "super",    "switch",    "then",   "this",     "throw",
    "true",   "try",     "type",     "typedef",  "undefined", "union",  "unsigned", "use",
    "var",    "void",    "volatile", "while",    "with",      "yield",
};
#define N_RESERVED (sizeof reserved / sizeof reserved[0])

static bool is_reserved(str word)
{
    size_t low = 0, high = N_RESERVED;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        str other = str_from(reserved[middle]);
        size_t n = word.len < other.len ? word.len : other.len;
        int order = memcmp(word.ptr, other.ptr, n);
        order = order != 0 ? order : (word.len > other.len) - (word.len < other.len);
        if (order == 0) {
            return true;
        }
        low = order > 0 ? middle + 1 : low;
        high = order > 0 ? high : middle;
    }
    return false;
}

static bool is_word_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           (unsigned char)c >= 0x80;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static size_t line_end(str s, size_t at)
{
    size_t end = str_find_char(s, '\n', at);
    return end == SIZE_MAX ? s.len : end;
}

/* Past white space and comments. */
static void skip_silence(struct reading *r)
{
    while (r->at < r->code.len) {
        str rest = str_sub(r->code, r->at, r->code.len);
        if (is_blank(rest.ptr[0])) {
            r->at++;
        } else if (r->has_blocks && str_starts_with(rest, STR("/*"))) {
            size_t end = str_find(r->code, STR("*/"), r->at + 2);
            r->at = end == SIZE_MAX ? r->code.len : end + 2;
        } else if (str_starts_with(rest, r->line_mark)) {
            r->at = line_end(r->code, r->at);
        } else {
            return;
        }
    }
}

/* The end of what is quoted from `at` on; of a quote that isn't closed on its line, the quote. */
static size_t quoted_end(str s, size_t at)
{
    char quote = s.ptr[at];
    const char three[] = {quote, quote, quote};
    if (str_starts_with(str_sub(s, at, s.len), str_of(three, 3))) {
        size_t end = str_find(s, str_of(three, 3), at + 3);
        return end == SIZE_MAX ? s.len : end + 3;
    }
    for (size_t i = at + 1; i < s.len; i++) {
        if (s.ptr[i] == '\\') {
            i++;
        } else if (s.ptr[i] == quote) {
            return i + 1;
        } else if (s.ptr[i] == '\n' && quote != '`') {
            break;
        }
    }
    return at + 1;
}

static size_t operator_end(str s, size_t at)
{
    static const char pairs[] = "->::==!=<=>=&&||++--<<>>+=-=*=/=%=&=|=^=:==>";
    for (size_t i = 0; at + 1 < s.len && i + 1 < sizeof pairs; i += 2) {
        if (s.ptr[at] == pairs[i] && s.ptr[at + 1] == pairs[i + 1]) {
            return at + 2;
        }
    }
    return at + 1;
}

static struct word *word_of(struct reading *r, str text)
{
    uint64_t hash = hash_str(text);
    struct word **row = &r->table[hash & r->mask];
    for (struct word *w = *row; w != NULL; w = w->next_in_row) {
        if (w->hash == hash) {
            return w;
        }
    }
    struct word *w = arena_alloc(r->arena, sizeof *w);
    w->hash = hash;
    w->is_reserved = is_reserved(text);
    w->is_fixed = w->is_reserved || text.ptr[0] < 'a' || text.ptr[0] > 'z';
    w->next_in_row = *row;
    *row = w;
    return w;
}

static bool next_piece(struct reading *r, struct piece *out)
{
    skip_silence(r);
    if (r->at >= r->code.len) {
        return false;
    }
    size_t from = r->at;
    char c = r->code.ptr[from];
    bool is_number = is_digit(c);
    while (r->at < r->code.len &&
           (is_word_byte(r->code.ptr[r->at]) || (is_number && r->code.ptr[r->at] == '.'))) {
        r->at++;
    }
    if (r->at == from) {
        bool is_quote = str_find_char(STR("\"'`"), c, 0) != SIZE_MAX;
        r->at = is_quote ? quoted_end(r->code, from) : operator_end(r->code, from);
    }
    str text = str_sub(r->code, from, r->at);
    *out = (struct piece){.word = NULL};
    if (is_word_byte(c) && !is_number) {
        out->word = word_of(r, text);
        out->word->n_uses++;
    }
    out->hash = out->word != NULL ? out->word->hash : hash_str(text);
    return true;
}

/* -- local names -- */

/* What stands beside a word may show that it is a function, a type or a member. */
static void find_fixed(struct reading *r)
{
    const uint64_t call = hash_str(STR("("));
    const uint64_t members[] = {hash_str(STR(".")), hash_str(STR("->")), hash_str(STR("::"))};
    for (size_t i = 0; i < r->n; i++) {
        struct word *w = r->pieces[i].word;
        if (w == NULL || w->is_fixed) {
            continue;
        }
        const struct piece *next = i + 1 < r->n ? &r->pieces[i + 1] : NULL;
        uint64_t before = i > 0 ? r->pieces[i - 1].hash : 0;
        bool is_member = before == members[0] || before == members[1] || before == members[2];
        bool is_type = next != NULL && next->word != NULL && !next->word->is_reserved;
        bool is_called = next != NULL && next->hash == call;
        w->is_fixed = is_member || is_type || is_called;
    }
}

/* Gives local names what renaming doesn't change. */
static void rename_locals(struct reading *r)
{
    unsigned n_behind[256] = {0}; /* other tokens, by their hash */
    for (size_t i = 0; i < r->n; i++) {
        struct piece *p = &r->pieces[i];
        if (p->word == NULL || p->word->is_fixed || p->word->n_uses < 2) {
            continue;
        }
        if (p->word->name == 0) {
            const struct piece *before = i > 0 ? &r->pieces[i - 1] : NULL;
            bool is_behind_word = before != NULL && before->word != NULL;
            uint64_t behind = before != NULL ? before->hash : 0;
            unsigned *n = is_behind_word ? &before->word->n_introduced : &n_behind[behind & 255];
            p->word->name = hash_mix(behind, ++*n) | 1;
        }
        p->hash = p->word->name;
    }
}

/* -- sketches -- */

static str line_mark_of(str language)
{
    static const struct {
        const char *mark, *languages;
    } marks[] = {
        {"#", " python ruby shellscript sh bash perl r julia elixir yaml toml makefile cmake nim "
              "powershell coffeescript dockerfile gdscript tcl "},
        {"--", " lua sql haskell ada elm vhdl "},
        {";", " clojure scheme lisp emacs-lisp racket asm "},
        {"%", " erlang latex tex matlab prolog "},
    };
    char name[32] = " ";
    if (language.len == 0 || language.len > sizeof name - 3) {
        return STR("//");
    }
    memcpy(name + 1, language.ptr, language.len);
    name[language.len + 1] = ' ';
    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++) {
        if (strstr(marks[i].languages, name) != NULL) {
            return str_from(marks[i].mark);
        }
    }
    return STR("//");
}

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* Sorts, keeps one of each, and cuts to what a sketch holds; *is_whole falls where that drops any.
 */
static size_t settle(uint32_t *hashes, size_t n, bool *is_whole)
{
    size_t kept = 0;
    qsort(hashes, n, sizeof *hashes, compare);
    for (size_t i = 0; i < n; i++) {
        if (kept == 0 || hashes[kept - 1] != hashes[i]) {
            hashes[kept++] = hashes[i];
        }
    }
    if (kept > SIMILAR_SKETCH_HASHES) {
        *is_whole = false;
        kept = SIMILAR_SKETCH_HASHES;
    }
    return kept;
}

/* What is above the greatest of a full sketch can't come into it. */
static void take_least(const struct reading *r, struct sketch *s)
{
    uint32_t hashes[BATCH] = {0};
    size_t n = 0;
    uint32_t cut = UINT32_MAX;
    for (size_t i = 0; i + SIMILAR_SHINGLE_TOKENS <= r->n; i++) {
        uint64_t shingle = 0;
        for (size_t k = 0; k < SIMILAR_SHINGLE_TOKENS; k++) {
            shingle = hash_mix(shingle, r->pieces[i + k].hash);
        }
        if ((uint32_t)shingle > cut) {
            s->is_whole = false;
            continue;
        }
        hashes[n++] = (uint32_t)shingle;
        if (n == BATCH) {
            n = settle(hashes, n, &s->is_whole);
            cut = n == SIMILAR_SKETCH_HASHES ? hashes[n - 1] : cut;
        }
    }
    s->n = (unsigned)settle(hashes, n, &s->is_whole);
    memcpy(s->least, hashes, s->n * sizeof hashes[0]);
}

void sketch_take(struct sketch *s, str code, str language)
{
    struct arena arena = {0};
    struct reading r = {.code = code, .line_mark = line_mark_of(language), .arena = &arena};
    s->n = 0;
    s->is_whole = true;
    if (code.len == 0 || code.len > SIMILAR_MAX_BYTES) {
        return;
    }
    r.has_blocks = !str_eq(r.line_mark, STR("#"));
    size_t n_rows = 64;
    while (n_rows < code.len / 8) {
        n_rows *= 2;
    }
    r.mask = n_rows - 1;
    r.table = arena_alloc(&arena, n_rows * sizeof(struct word *));
    r.pieces = arena_alloc(&arena, code.len * sizeof *r.pieces);
    while (next_piece(&r, &r.pieces[r.n])) {
        r.n++;
    }
    find_fixed(&r);
    rename_locals(&r);
    take_least(&r, s);
    arena_release(&arena);
}

/* How many hashes may be in one sketch alone where the likeness is still `at_least`. Of sets with
 * m members apart, 2 |union| is |a| + |b| + m, and the likeness is 1 - m / |union|. */
static size_t most_apart(const struct sketch *a, const struct sketch *b, double at_least)
{
    bool is_exact = a->is_whole && b->is_whole;
    double most = is_exact ? (1 - at_least) * (a->n + b->n) / (1 + at_least)
                           : (1 - at_least) * SIMILAR_SKETCH_HASHES;
    return (size_t)(most + 1e-6);
}

/* Of the least hashes of both together, as many as both sketches vouch for: how many are in both. 0
 * as soon as it can't be `at_least` any more. */
static double likeness_from(const struct sketch *a, const struct sketch *b, double at_least)
{
    size_t i = 0, j = 0, n = 0, n_both = 0;
    bool is_exact = a->is_whole && b->is_whole;
    size_t max_apart = most_apart(a, b, at_least);
    while (i < a->n || j < b->n) {
        /* Past the end of a sketch that left some out nothing is known. */
        if ((!is_exact && n == SIMILAR_SKETCH_HASHES) || (i == a->n && !a->is_whole) ||
            (j == b->n && !b->is_whole)) {
            break;
        }
        bool is_a = j == b->n || (i < a->n && a->least[i] <= b->least[j]);
        bool is_b = i == a->n || (j < b->n && b->least[j] <= a->least[i]);
        n_both += is_a && is_b;
        n++;
        i += is_a;
        j += is_b;
        if (n - n_both > max_apart) {
            return 0.0;
        }
    }
    return a->n > 0 && b->n > 0 ? (double)n_both / (double)n : 0.0;
}

double sketch_likeness(const struct sketch *a, const struct sketch *b)
{
    return likeness_from(a, b, 0);
}

/* -- the index -- */

struct entry {
    uint64_t key, head;
    uint64_t serial;       /* larger is newer */
    struct sketch *sketch; /* owned */
};

struct similar {
    struct entry *entries;
    size_t n, max;
    uint64_t last_serial;
};

struct similar *similar_create(unsigned max_entries)
{
    ASSERT(max_entries > 0);
    struct similar *s = xcalloc(1, sizeof *s);
    s->entries = xcalloc(max_entries, sizeof s->entries[0]);
    s->max = max_entries;
    return s;
}

void similar_clear(struct similar *s)
{
    while (s->n > 0) {
        xfree(s->entries[--s->n].sketch);
    }
}

void similar_destroy(struct similar *s)
{
    if (s == NULL) {
        return;
    }
    similar_clear(s);
    xfree(s->entries);
    xfree(s);
}

/* The entry of this key, a new one, or the one that was added longest ago. */
static struct entry *entry_for(struct similar *s, uint64_t key)
{
    struct entry *oldest = &s->entries[0];
    for (size_t i = 0; i < s->n; i++) {
        if (s->entries[i].key == key) {
            return &s->entries[i];
        }
        oldest = s->entries[i].serial < oldest->serial ? &s->entries[i] : oldest;
    }
    return s->n < s->max ? &s->entries[s->n++] : oldest;
}

void similar_add(struct similar *s, uint64_t key, const struct likeness *subject)
{
    if (subject->head == 0 || subject->sketch.n == 0) {
        return;
    }
    struct entry *e = entry_for(s, key);
    struct sketch *old = e->sketch;
    *e = (struct entry){.key = key,
                        .head = subject->head,
                        .serial = ++s->last_serial,
                        .sketch = xmemdup(&subject->sketch, sizeof subject->sketch)};
    xfree(old);
}

bool similar_find(const struct similar *s, const struct likeness *subject, double threshold,
                  uint64_t *key, double *likeness)
{
    bool is_found = false;
    for (size_t i = 0; subject->head != 0 && i < s->n; i++) {
        const struct entry *e = &s->entries[i];
        if (e->head != subject->head) {
            continue;
        }
        double found = likeness_from(e->sketch, &subject->sketch, threshold);
        if (found >= threshold && (!is_found || found > *likeness)) {
            is_found = true;
            *key = e->key;
            *likeness = found;
        }
    }
    return is_found;
}

void similar_forget(struct similar *s, uint64_t key)
{
    for (size_t i = 0; i < s->n; i++) {
        if (s->entries[i].key == key) {
            xfree(s->entries[i].sketch);
            s->entries[i] = s->entries[--s->n];
            s->entries[s->n] = (struct entry){0};
            return;
        }
    }
}

size_t similar_count(const struct similar *s)
{
    return s->n;
}
