/* vocabulary.c - which tokens around a hole a model's own tokenizer has.
 *
 * Why      Names lie: a model that was tuned for talk keeps its family's name and may have lost its
 *          family's tokens. A template rendered for it is then read as text, and answered so.
 * How      One text holds every spelling. Pieces that equal a spelling are kept with the model, a
 *          line each. A model is the same as in an earlier look where id, name and size are.
 * Extending A spelling of a new family is one row here; core/prompt/template.c holds its template.
 */
#include "providers/vocabulary.h"

#include "core/base/limits.h"

#define BAR "\xEF\xBD\x9C" /* U+FF5C */
#define LOW "\xE2\x96\x81" /* U+2581 */

#define PIECES_MAX 4096u /* that our short text can come in */

enum role { ROLE_PREFIX, ROLE_SUFFIX, ROLE_MIDDLE, N_ROLES };

/* What llama-server itself recognises; its /infill needs one row of each role. */
static const char *const SPELLINGS[][N_ROLES] = {
    {"<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"},
    {"<fim_prefix>", "<fim_suffix>", "<fim_middle>"},
    {"<fim-prefix>", "<fim-suffix>", "<fim-middle>"},
    {"<" BAR "fim" LOW "begin" BAR ">", "<" BAR "fim" LOW "hole" BAR ">",
     "<" BAR "fim" LOW "end" BAR ">"},
    {LOW "<PRE>", LOW "<SUF>", LOW "<MID>"},
    {"<PRE>", "<SUF>", "<MID>"},
    {"<|code_prefix|>", "<|code_suffix|>", "<|code_middle|>"},
    {"<|prefix|>", "<|suffix|>", "<|middle|>"},
};
#define N_SPELLINGS (sizeof SPELLINGS / sizeof *SPELLINGS)

/* Others, of models that fill holes by a prompt that we render. The middle may be missing. */
static const char *const RAW_SPELLINGS[][N_ROLES] = {
    {"[PREFIX]", "[SUFFIX]", NULL},
    {"<[fim-prefix]>", "<[fim-suffix]>", "<[fim-middle]>"},
};
#define N_RAW_SPELLINGS (sizeof RAW_SPELLINGS / sizeof *RAW_SPELLINGS)

/* All of them, one after the other; NULL where there is none. */
#define N_ALL ((N_SPELLINGS + N_RAW_SPELLINGS) * N_ROLES)
static const char *spelling_at(size_t i)
{
    size_t row = i / N_ROLES;
    return row < N_SPELLINGS ? SPELLINGS[row][i % N_ROLES]
                             : RAW_SPELLINGS[row - N_SPELLINGS][i % N_ROLES];
}

void vocabulary_append(struct buf *text)
{
    for (size_t i = 0; i < N_ALL; i++) {
        buf_append(text, spelling_at(i) != NULL ? str_from(spelling_at(i)) : STR(""));
    }
}

static str piece_of(struct json token)
{
    return json_str(json_is(token, JSON_OBJECT) ? json_get(token, STR("piece")) : token);
}

static bool has_piece(struct json pieces, const char *spelling)
{
    struct json_iter it = json_iter(pieces);
    struct json token;
    while (json_next(&it, NULL, &token)) {
        if (str_eq(piece_of(token), str_from(spelling))) {
            return true;
        }
    }
    return false;
}

bool vocabulary_read(struct json pieces, struct arena *arena, struct model_info *m)
{
    size_t n = json_count(pieces);
    struct json first = json_at(pieces, 0);
    bool is_told = json_is(first, JSON_STRING) || json_is(json_get(first, STR("id")), JSON_NUMBER);
    if (n == 0 || n > PIECES_MAX || !is_told) {
        return false;
    }
    struct buf lines;
    buf_init(&lines, 4 * KIB);
    for (size_t i = 0; i < N_ALL; i++) {
        if (spelling_at(i) != NULL && has_piece(pieces, spelling_at(i))) {
            buf_appendf(&lines, "%s\n", spelling_at(i));
        }
    }
    m->tokens = arena_dup(arena, buf_str(&lines));
    m->tokens_told = true;
    buf_release(&lines);
    return true;
}

bool vocabulary_recall(const struct probe *p, struct model_info *m)
{
    for (size_t i = 0; i < p->n_known && !m->tokens_told; i++) {
        const struct model_info *known = &p->known[i];
        if (known->tokens_told && str_eq(known->id, m->id) && str_eq(known->name, m->name) &&
            known->n_bytes == m->n_bytes) {
            m->tokens = arena_dup(p->arena, known->tokens);
            m->tokens_told = true;
        }
    }
    return m->tokens_told;
}

static bool has_token(const struct model_info *m, const char *spelling)
{
    str rest = m->tokens;
    str line;
    while (spelling != NULL && str_next(&rest, '\n', &line)) {
        if (str_eq(line, str_from(spelling))) {
            return true;
        }
    }
    return false;
}

bool vocabulary_has_all(const struct model_info *m)
{
    unsigned roles = 0;
    for (size_t i = 0; i < N_SPELLINGS; i++) {
        for (size_t role = 0; role < N_ROLES; role++) {
            roles |= has_token(m, SPELLINGS[i][role]) ? 1u << role : 0;
        }
    }
    return roles == (1u << N_ROLES) - 1;
}

bool vocabulary_has_raw(const struct model_info *m)
{
    for (size_t i = 0; i < N_RAW_SPELLINGS; i++) {
        if (has_token(m, RAW_SPELLINGS[i][ROLE_PREFIX]) &&
            has_token(m, RAW_SPELLINGS[i][ROLE_SUFFIX])) {
            return true;
        }
    }
    return false;
}
