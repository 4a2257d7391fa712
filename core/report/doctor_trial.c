/* doctor_trial.c - findings about what a model does when it is asked for real.
 *
 * Why      A model that chats where it should complete, or that needs ten seconds for a line, looks
 *          in the editor like one that isn't there.
 * How      Real questions were asked; here is what the answers mean. The documents that were asked
 *          about have holes whose content any model that fills in the middle can tell.
 * Rules    What a model said is quoted: cleaned, and cut. */
#include "core/report/doctor_internal.h"

#include "core/base/limits.h"
#include "core/base/utf8.h"

#define QUOTED_BYTES  60u /* of a model's answer */
#define SLOW_FIRST_MS 2000u
#define SLOW_TOKENS_S 10u /* from here on a line takes longer than a person waits */
#define MIN_PAUSES    2u  /* fewer say nothing about a rate */
#define GIVEN_UP_MS   4900u

/* -- holes -- */

static const struct doctor_hole holes[] = {
    {"sum.py",
     "def add(a, b):\n    \"\"\"Return the sum of a and b.\"\"\"\n    return ",
     "\n\n\nprint(add(1, 2))\n",
     {"a+b", "b+a", NULL}},
    {"days.js",
     "const days = ['Monday', 'Tuesday', 'Wednesday', ",
     "'Friday', 'Saturday', 'Sunday'];\n",
     {"Thursday", NULL, NULL}},
    {"max.c",
     "/* The larger of two numbers. */\nint max(int a, int b)\n{\n    return a > b ? ",
     ";\n}\n",
     {"a:b", NULL, NULL}},
};
_Static_assert(sizeof holes / sizeof holes[0] == DOCTOR_MAX_TRIES, "a try for each hole");

const struct doctor_hole *doctor_hole(size_t idx)
{
    return idx < DOCTOR_MAX_TRIES ? &holes[idx] : NULL;
}

static void without_blanks(str text, struct buf *out)
{
    for (size_t i = 0; i < text.len; i++) {
        if (str_find_char(STR(" \t\r\n"), text.ptr[i], 0) == SIZE_MAX) {
            buf_append_char(out, text.ptr[i]);
        }
    }
}

/* How people are spoken to, and how markup begins; nothing that code begins with. */
static bool is_talk(str text)
{
    static const char *const beginnings[] = {
        "```",  "Sure",   "Here", "Certainly", "Of course", "I ",       "I'm",   "To ",
        "The ", "This ",  "You ", "It looks",  "Okay",      "Ok,",      "Yes,",  "<think",
        "<|",   "[INST]", "###",  "**",        "Based on",  "It seems", "Let's", "As an"};
    for (size_t i = 0; i < sizeof beginnings / sizeof beginnings[0]; i++) {
        if (str_starts_with(text, str_from(beginnings[i]))) {
            return true;
        }
    }
    return str_find(text, STR("```"), 0) != SIZE_MAX;
}

/* Whether the text begins with the document's own first line: it was written anew. */
static bool is_rewritten(const struct doctor_hole *hole, str text)
{
    str before = str_from(hole->before);
    str first = str_trim(str_sub(before, 0, str_find_char(before, '\n', 0)));
    return str_starts_with(text, first);
}

enum hole_verdict doctor_judge(const struct doctor_hole *hole, str text)
{
    str trimmed = str_trim(text);
    if (trimmed.len == 0) {
        return HOLE_NOTHING;
    }
    if (is_talk(trimmed) || is_rewritten(hole, trimmed)) {
        return HOLE_CHAT;
    }
    struct buf dense;
    buf_init(&dense, FLIGHT_MAX_TEXT_BYTES);
    without_blanks(trimmed, &dense);
    bool is_right = false;
    for (size_t i = 0; hole->answers[i] != NULL; i++) {
        is_right = is_right || str_find(buf_str(&dense), str_from(hole->answers[i]), 0) != SIZE_MAX;
    }
    buf_release(&dense);
    return is_right ? HOLE_RIGHT : HOLE_CODE;
}

/* -- trials -- */

static str quoted(str text)
{
    text = str_trim(text);
    return str_sub(text, 0, text.len > QUOTED_BYTES ? utf8_floor(text, QUOTED_BYTES) : text.len);
}

static const char *dots(str text)
{
    return str_trim(text).len > QUOTED_BYTES ? "..." : "";
}

static void find_error(struct doctor *d, const struct upstream *u, const struct route *r,
                       const struct error *error)
{
    const struct endpoint *e = doctor_endpoint_of(u, r);
    str subject = str_from(r->name);
    struct buf command;
    buf_init(&command, KIB);
    if (error->code == ERR_TOO_LARGE) {
        doctor_find(d, "trial.too_large", doctor_failing(r), subject, "%s", error->msg);
        doctor_next(d, "%s",
                    e != NULL && e->ops->context_hint != NULL
                        ? e->ops->context_hint
                        : "start its server with a larger context");
    } else if (error->code == ERR_REJECTED && error->cause == CAUSE_NONE &&
               role_is_typing(r->role)) {
        doctor_find(d, "model.cannot_fill", doctor_failing(r), subject,
                    "can't fill in the middle: %s", error->msg);
        doctor_advise(d, e, 0, "get one that can");
    } else if (error->code == ERR_NOT_FOUND && e != NULL &&
               doctor_options(d)->get_command != NULL &&
               doctor_options(d)->get_command(str_from(e->ops->kind), r->model, &command)) {
        doctor_find(d, "model.missing", doctor_failing(r), subject, "%s", error->msg);
        doctor_next(d, "get it");
        doctor_command(d, "%s", buf_cstr(&command));
    } else if (error->code == ERR_AUTH) {
        doctor_find(d, "trial.key_refused", doctor_failing(r), subject,
                    "refuses the key (status %d)", error->detail);
        doctor_next(d, "correct the endpoint's key; one that may list models need not be allowed "
                       "to ask them");
    } else {
        doctor_find(d, "trial.failed", doctor_failing(r), subject, "%s", error->msg);
        doctor_next(d, "the server's own log says more");
    }
    buf_release(&command);
}

static void find_nothing_said(struct doctor *d, const struct upstream *u, const struct route *r,
                              const struct doctor_trial *t)
{
    if (t->total_ms >= GIVEN_UP_MS) {
        const struct endpoint *e = doctor_endpoint_of(u, r);
        const struct model_info *m = doctor_model_of(u, r);
        doctor_find(d, "trial.too_slow", doctor_failing(r), str_from(r->name),
                    "gave no text within 5 s, and nobody waits longer while typing");
        doctor_advise(d, e, m != NULL ? m->n_bytes : 0,
                      "see what else uses the machine, or take a smaller model");
        return;
    }
    doctor_find(d, "trial.nothing", doctor_failing(r), str_from(r->name),
                "said nothing in %u places whose continuation is obvious (" STR_FMT ")", t->n_tries,
                STR_ARG(t->why));
    doctor_advise(d, doctor_endpoint_of(u, r), 0, "take a model that fills in the middle");
}

static void check_speed(struct doctor *d, const struct upstream *u, const struct route *r,
                        const struct doctor_trial *t)
{
    const struct endpoint *e = doctor_endpoint_of(u, r);
    const struct model_info *m = doctor_model_of(u, r);
    bool has_rate = t->n_pauses >= MIN_PAUSES && t->pauses_us > 0;
    double rate = has_rate ? (double)t->n_pauses * 1e6 / (double)t->pauses_us : 0;
    bool is_slow = (has_rate && rate < SLOW_TOKENS_S) || t->first_ms >= SLOW_FIRST_MS;
    if (!has_rate && !is_slow) {
        return;
    }
    char tokens[48] = "";
    if (has_rate) {
        (void)snprintf(tokens, sizeof tokens,
                       rate < 100 ? ", then %.1f tokens/s" : ", then %.0f tokens/s", rate);
    }
    doctor_find(d, is_slow ? "speed.slow" : "speed", is_slow ? FINDING_WARN : FINDING_OK,
                str_from(r->name), "first text after %llu ms%s", (unsigned long long)t->first_ms,
                tokens);
    if (is_slow) {
        doctor_advise(d, e, m != NULL ? m->n_bytes : 0,
                      "see what else uses the machine, or take a smaller model");
    }
}

void doctor_check_trial(struct doctor *d, const struct upstream *u, const struct route *r,
                        const struct doctor_trial *t)
{
    str said[4] = {{0}};
    unsigned n[4] = {0};
    if (t->error != NULL) {
        find_error(d, u, r, t->error);
        return;
    }
    for (unsigned i = 0; i < t->n_tries && i < DOCTOR_MAX_TRIES; i++) {
        enum hole_verdict v = t->tries[i].verdict;
        said[v] = n[v]++ == 0 ? t->tries[i].text : said[v];
    }
    str subject = str_from(r->name);
    if (n[HOLE_RIGHT] > 0) {
        doctor_find(d, "trial", FINDING_OK, subject,
                    "filled a hole rightly (\"" STR_FMT "%s\") in %llu ms",
                    STR_ARG(quoted(said[HOLE_RIGHT])), dots(said[HOLE_RIGHT]),
                    (unsigned long long)t->total_ms);
    } else if (n[HOLE_CHAT] > 0 && n[HOLE_CHAT] >= n[HOLE_CODE]) {
        doctor_find(d, "model.cannot_fill", doctor_failing(r), subject,
                    "doesn't fill in the middle, it talks; it said: \"" STR_FMT "%s\"",
                    STR_ARG(quoted(said[HOLE_CHAT])), dots(said[HOLE_CHAT]));
        doctor_advise(d, doctor_endpoint_of(u, r), 0, "take one that does");
    } else if (n[HOLE_CODE] > 0) {
        doctor_find(d, "trial.wrong", FINDING_WARN, subject,
                    "answers in %llu ms, though not with what was obvious; it said: \"" STR_FMT
                    "%s\"",
                    (unsigned long long)t->total_ms, STR_ARG(quoted(said[HOLE_CODE])),
                    dots(said[HOLE_CODE]));
        doctor_advise(d, doctor_endpoint_of(u, r), 0, "very small models do that; a better one");
    } else {
        find_nothing_said(d, u, r, t);
        return;
    }
    check_speed(d, u, r, t);
}

void doctor_check_chat(struct doctor *d, const struct route *r, const struct doctor_trial *t,
                       str expected)
{
    str subject = str_from(r->name);
    str text = t->n_tries > 0 ? t->tries[0].text : STR("");
    if (t->error != NULL) {
        doctor_find(d, "trial.chat", FINDING_WARN, subject, "chat: %s", t->error->msg);
        doctor_next(d, "name another model in models.chat");
        doctor_command(d, "crucible-ls models");
    } else if (str_contains_nocase(text, expected)) {
        doctor_find(d, "trial.chat", FINDING_OK, subject, "chat: did as it was told in %llu ms",
                    (unsigned long long)t->total_ms);
    } else if (str_trim(text).len > 0) {
        doctor_find(d, "trial.chat", FINDING_WARN, subject,
                    "chat: answers, though not as it was told; it said: \"" STR_FMT "%s\"",
                    STR_ARG(quoted(text)), dots(text));
        doctor_next(d, "for explanations and edits name a model that follows instructions in "
                       "models.chat");
    } else {
        doctor_find(d, "trial.chat", FINDING_WARN, subject, "chat: said nothing (" STR_FMT ")",
                    STR_ARG(t->why));
        doctor_next(d, "name another model in models.chat");
        doctor_command(d, "crucible-ls models");
    }
}

void doctor_check_vectors(struct doctor *d, const struct route *r, const struct doctor_vectors *v)
{
    str subject = str_from(r->name);
    if (v->error != NULL) {
        doctor_find(d, "trial.embed", FINDING_WARN, subject, "vectors: %s",
                    v->error->code == ERR_REJECTED ? "its server makes none with this model"
                                                   : v->error->msg);
        doctor_next(d, "name a model that makes vectors in models.embed (a llama-server has to be "
                       "started with --embeddings)");
    } else if (v->alike <= v->other) {
        doctor_find(d, "trial.embed", FINDING_WARN, subject,
                    "vectors: %zu numbers each, but texts of one meaning are no nearer to each "
                    "other (%.2f) than to another one (%.2f)",
                    v->n_dims, v->alike, v->other);
        doctor_next(d, "name a model that is made for vectors in models.embed");
    } else {
        doctor_find(d, "trial.embed", FINDING_OK, subject,
                    "vectors: %zu numbers for each of three texts in %llu ms; what means the same "
                    "is near (%.2f, another one %.2f)",
                    v->n_dims, (unsigned long long)v->took_ms, v->alike, v->other);
    }
}
