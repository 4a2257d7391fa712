/* doctor_model.c - findings about models: which one serves what, does enough text go in, is it
 * loaded, and who else wants it.
 *
 * Rules    Only what concerns typing can FAIL. What to get instead comes from the table of models,
 *          by this machine's memory. */
#include "core/report/doctor_internal.h"

#include "core/base/limits.h"
#include "core/model/advice.h"
#include "core/prompt/context.h"
#include "core/prompt/template.h"

#define BYTES_PER_TOKEN 3u  /* of code, rather few */
#define TEMPLATE_TOKENS 32u /* what goes around a window */
#define SLOW_LOAD_MS    10000u

enum finding_status doctor_failing(const struct route *r)
{
    return r->role == ROLE_INLINE ? FINDING_FAIL : FINDING_WARN;
}

const struct endpoint *doctor_endpoint_of(const struct upstream *u, const struct route *r)
{
    return upstream_find(u, r->state == ROUTE_READY || !r->needs_load ? r->endpoint
                                                                      : r->load_endpoint);
}

static const struct model_info *model_of(const struct endpoint *e, str id)
{
    for (size_t i = 0; e != NULL && i < e->n_models; i++) {
        if (str_eq(e->models[i].id, id) || str_eq(e->models[i].name, id)) {
            return &e->models[i];
        }
    }
    return NULL;
}

const struct model_info *doctor_model_of(const struct upstream *u, const struct route *r)
{
    return model_of(doctor_endpoint_of(u, r), r->state == ROUTE_READY ? r->model : r->load_model);
}

/* -- which one to get instead -- */

/* The largest of the list that fits this machine and is smaller than `max_bytes` (0: any). */
static const struct advice *better_model(const struct doctor *d, uint64_t max_bytes)
{
    const struct advice *best = advice_for(&doctor_options(d)->memory);
    if (max_bytes == 0 || best == NULL || best->file_bytes < max_bytes) {
        return best;
    }
    best = NULL;
    const struct advice *row;
    for (size_t i = 0; (row = advice_row(i)) != NULL && row->file_bytes < max_bytes; i++) {
        best = row;
    }
    return best;
}

/* "do it with Qwen2.5-Coder 1.5B (1.7 GB)" and the command that gets it for that endpoint. */
void doctor_advise(struct doctor *d, const struct endpoint *e, uint64_t max_bytes, const char *what)
{
    const struct advice *a = better_model(d, max_bytes);
    const struct doctor_options *o = doctor_options(d);
    if (a == NULL) {
        doctor_next(d, "%s", what);
        return;
    }
    struct buf command, size;
    buf_init(&command, KIB);
    buf_init(&size, 64);
    advice_size(a->file_bytes, &size);
    bool has_tag = e != NULL && a->tag != NULL && o->get_command != NULL &&
                   o->get_command(str_from(e->ops->kind), str_from(a->tag), &command);
    doctor_next(d, "%s: for this machine %s (%s)", what, a->model, buf_cstr(&size));
    doctor_command(d, "%s", has_tag ? buf_cstr(&command) : a->command);
    buf_release(&command);
    buf_release(&size);
}

/* -- roles -- */

static const char *id_of(const struct route *r)
{
    switch (r->role) {
    case ROLE_INLINE:
        return "role.inline";
    case ROLE_INLINE_MANUAL:
        return "role.inlineManual";
    case ROLE_CHAT:
        return "role.chat";
    case ROLE_EMBED:
        return "role.embed";
    case N_ROLES:
        break;
    }
    return "role";
}

struct names {
    const str *list;
    size_t n;
};

static struct names names_of(const struct settings *s, enum role role)
{
    switch (role) {
    case ROLE_INLINE:
        return (struct names){s->models_inline, s->n_models_inline};
    case ROLE_INLINE_MANUAL:
        return (struct names){s->models_inline_manual, s->n_models_inline_manual};
    case ROLE_CHAT:
        return (struct names){s->models_chat, s->n_models_chat};
    case ROLE_EMBED:
        return (struct names){s->models_embed, s->n_models_embed};
    case N_ROLES:
        break;
    }
    return (struct names){NULL, 0};
}

static const struct endpoint *find_endpoint(const struct upstream *u, str name)
{
    for (size_t i = 0; i < upstream_count(u); i++) {
        if (str_eq(upstream_endpoint(u, i)->name, name)) {
            return upstream_endpoint(u, i);
        }
    }
    return NULL;
}

static void find_missing(struct doctor *d, const struct endpoint *e, str model,
                         enum finding_status status, enum role role)
{
    struct buf command;
    buf_init(&command, KIB);
    const struct doctor_options *o = doctor_options(d);
    bool is_known =
        o->get_command != NULL && o->get_command(str_from(e->ops->kind), model, &command);
    doctor_find(d, "model.missing", status, e->name,
                "has no model " STR_FMT ", which models.%s names", STR_ARG(model), role_name(role));
    if (is_known) {
        doctor_next(d, "get it");
        doctor_command(d, "%s", buf_cstr(&command));
    } else {
        doctor_next(d, "name one that it has in models.%s; it has", role_name(role));
        doctor_command(d, "crucible-ls models");
    }
    buf_release(&command);
}

/* One name of the role's list: does it lead anywhere? */
static void check_name(struct doctor *d, const struct upstream *u, str name,
                       enum finding_status status, enum role role)
{
    size_t slash = str_find_char(name, '/', 0);
    str first = str_sub(name, 0, slash);
    const struct endpoint *e = find_endpoint(u, name);
    if (e != NULL) {
        return;
    }
    e = slash == SIZE_MAX ? NULL : find_endpoint(u, first);
    if (e != NULL) {
        str model = str_sub(name, slash + 1, name.len);
        bool is_any = (e->ops->capabilities & PROVIDER_ONE_MODEL) != 0 && e->n_models == 1;
        if (e->state == ENDPOINT_READY && !is_any && model_of(e, model) == NULL) {
            find_missing(d, e, model, status, role);
        }
        return;
    }
    for (size_t i = 0; i < upstream_count(u); i++) { /* a model's id alone */
        if (model_of(upstream_endpoint(u, i), name) != NULL) {
            return;
        }
    }
    doctor_find(d, "model.no_endpoint", status, name,
                "models.%s names it, and no endpoint is called " STR_FMT, role_name(role),
                STR_ARG(first));
    doctor_next(d, "correct the name, or start that server");
    doctor_command(d, "crucible-ls models");
}

static bool names_predictor_alone(struct names names)
{
    bool is_alone = names.n > 0;
    for (size_t i = 0; i < names.n; i++) {
        is_alone = is_alone && str_eq(names.list[i], STR("embedded"));
    }
    return is_alone;
}

/* Whether the role's list leaves it open that this endpoint serves. */
static bool is_meant(struct names names, const struct endpoint *e)
{
    bool is = names.n == 0;
    for (size_t i = 0; i < names.n; i++) {
        str name = names.list[i];
        bool is_whole =
            name.len == e->name.len || (name.len > e->name.len && name.ptr[e->name.len] == '/');
        is = is || (is_whole && str_starts_with(name, e->name));
    }
    return is;
}

/* A server that is ready and whose models all can't do it; NULL where there is none. */
static const struct endpoint *find_unfit(const struct upstream *u, const struct route *r,
                                         struct names names)
{
    for (size_t i = 0; i < upstream_count(u); i++) {
        const struct endpoint *e = upstream_endpoint(u, i);
        bool is_fit = !is_meant(names, e);
        for (size_t m = 0; m < e->n_models; m++) {
            is_fit = is_fit || !role_is_typing(r->role) || r->can_fill(&e->models[m]);
        }
        bool is_own = (e->ops->capabilities & PROVIDER_IN_PROCESS) != 0;
        if (!is_own && e->state == ENDPOINT_READY && e->n_models > 0 && !is_fit) {
            return e;
        }
    }
    return NULL;
}

/* Whether some model server lives: else all that is wrong has been said of the endpoints. */
static bool has_any(const struct upstream *u)
{
    bool has = false;
    for (size_t i = 0; i < upstream_count(u); i++) {
        const struct endpoint *e = upstream_endpoint(u, i);
        bool is_own = (e->ops->capabilities & PROVIDER_IN_PROCESS) != 0;
        has = has || (!is_own && (e->state == ENDPOINT_READY || e->state == ENDPOINT_LOADING));
    }
    return has;
}

/* One that only follows instructions fills by chat, slower, where it is named. */
static void advise_about_unfit(struct doctor *d, const struct endpoint *e, enum role role)
{
    const struct model_info *chatty = route_chatty(e);
    struct buf what;
    buf_init(&what, KIB);
    if (chatty != NULL) {
        buf_appendf(&what,
                    "name " STR_FMT "/" STR_FMT " in models.%s of your own settings, to have "
                    "it fill by chat, slower, or ",
                    STR_ARG(e->name), STR_ARG(chatty->id), role_name(role));
    }
    buf_append(&what, STR("get one that can"));
    doctor_advise(d, e, 0, buf_cstr(&what));
    buf_release(&what);
}

static void find_nobody(struct doctor *d, const struct upstream *u, const struct route *r,
                        struct names names)
{
    const struct endpoint *unfit = find_unfit(u, r, names);
    str subject = str_from(role_name(r->role));
    if (unfit != NULL) {
        doctor_find(d, "model.cannot_fill", doctor_failing(r), subject,
                    "nobody serves it: the model of " STR_FMT " (" STR_FMT
                    "%s) can't fill in the middle%s",
                    STR_ARG(unfit->name), STR_ARG(unfit->models[0].id),
                    unfit->n_models > 1 ? ", ..." : "", route_why_unfit(&unfit->models[0]));
        advise_about_unfit(d, unfit, r->role);
    } else if (!has_any(u)) {
        doctor_find(d, id_of(r), doctor_failing(r), subject,
                    "%s, since no model server can be asked (see above)",
                    r->allows_embedded ? "the built-in predictor alone serves it"
                                       : "nobody serves it");
    } else {
        doctor_find(d, id_of(r), doctor_failing(r), subject, "nobody serves it%s%s",
                    r->message[0] != '\0' ? ": " : "", r->message);
        doctor_next(d, "see what is said of the endpoints, and what they have");
        doctor_command(d, "crucible-ls models");
    }
}

void doctor_check_role(struct doctor *d, const struct upstream *u, const struct settings *s,
                       const struct route *r)
{
    struct names names = names_of(s, r->role);
    str subject = str_from(role_name(r->role));
    bool is_served = r->state != ROUTE_NONE;
    for (size_t i = 0; i < names.n; i++) {
        if (!str_eq(names.list[i], STR("embedded"))) {
            check_name(d, u, names.list[i], is_served ? FINDING_WARN : doctor_failing(r), r->role);
        }
    }
    if (r->state == ROUTE_READY) {
        doctor_find(d, id_of(r), FINDING_OK, subject, "%s serves it%s%s", r->name,
                    r->fills_by_chat ? " by chat, since it can't fill in the middle" : "",
                    r->is_remote ? "; text leaves this machine" : "");
    } else if (r->state == ROUTE_LOADING) {
        doctor_find(d, id_of(r), FINDING_OK, subject, "%s is to serve it%s, and isn't loaded",
                    r->name, r->fills_by_chat ? " by chat" : "");
    } else if (names_predictor_alone(names) && role_is_typing(r->role)) {
        doctor_find(d, id_of(r), FINDING_OK, subject,
                    "the built-in predictor serves it, as configured");
    } else {
        find_nobody(d, u, r, names);
    }
}

/* -- template -- */

void doctor_check_template(struct doctor *d, const struct upstream *u, const struct settings *s,
                           const struct route *r)
{
    const struct model_info *m = doctor_model_of(u, r);
    str fim = settings_model_options(s, str_from(r->name))->fim;
    bool is_own_choice = fim.len > 0 && !str_eq(fim, STR("auto")) && !str_eq(fim, STR("infill"));
    if (m == NULL || !role_is_typing(r->role) || r->fills_by_chat || !is_own_choice) {
        return;
    }
    const struct template_family *family = template_find(fim);
    if (family != NULL && (!m->tokens_told || template_is_proven(family, m->tokens))) {
        return;
    }
    doctor_find(d, "model.template", doctor_failing(r), str_from(r->name),
                family == NULL ? "modelOptions says fim \"" STR_FMT "\", which names no template"
                               : "its tokenizer doesn't know the tokens of the template \"" STR_FMT
                                 "\", which modelOptions says in fim: it would read them as text",
                STR_ARG(fim));
    doctor_next(
        d, "take fim out of your own modelOptions: what the model says of itself decides then");
}

/* -- context -- */

static uint64_t window_tokens(const struct route *r, const struct settings *s,
                              const struct model_options *o)
{
    bool is_server_rendered =
        (r->abilities & MODEL_INFILL) != 0 &&
        (o->fim.len == 0 || str_eq(o->fim, STR("auto")) || str_eq(o->fim, STR("infill")));
    struct window_limits limits = is_server_rendered ? WINDOW_LIMITS_INIT : WINDOW_LIMITS_WIDE;
    return (limits.prefix_bytes + limits.suffix_bytes) / BYTES_PER_TOKEN + s->inline_max_tokens +
           TEMPLATE_TOKENS;
}

void doctor_check_context(struct doctor *d, const struct upstream *u, const struct settings *s,
                          const struct route *r)
{
    const struct endpoint *e = doctor_endpoint_of(u, r);
    const struct model_info *m = doctor_model_of(u, r);
    const struct model_options *o = settings_model_options(s, str_from(r->name));
    if (m == NULL || !role_is_typing(r->role)) {
        return;
    }
    bool is_chosen_at_load = e->ops->encode_load != NULL && !e->is_static;
    uint64_t has = o->n_ctx > 0 ? o->n_ctx : is_chosen_at_load ? m->loaded_ctx : m->n_ctx;
    uint64_t needs = window_tokens(r, s, o);
    if (has == 0) {
        return;
    }
    if (has >= needs) {
        doctor_find(d, "context", FINDING_OK, str_from(r->name),
                    "a context of %llu tokens holds a full window and its answer (%llu)",
                    (unsigned long long)has, (unsigned long long)needs);
        return;
    }
    doctor_find(d, "context", FINDING_WARN, str_from(r->name),
                "takes %llu tokens, and a full window with its answer needs about %llu: in longer "
                "files it will refuse, or see half",
                (unsigned long long)has, (unsigned long long)needs);
    if (o->n_ctx > 0) {
        doctor_next(d, "in your own settings");
        doctor_command(d, "\"modelOptions\": { \"%s\": { \"numCtx\": %llu } }", r->name,
                       (unsigned long long)(needs + 1023) / 1024 * 1024);
    } else {
        doctor_next(d, "%s: %llu tokens or more",
                    e->ops->context_hint != NULL ? e->ops->context_hint
                                                 : "start its server with a larger context",
                    (unsigned long long)(needs + 1023) / 1024 * 1024);
    }
}

/* -- loading -- */

void doctor_check_load(struct doctor *d, const struct route *r, const struct doctor_load *load)
{
    str subject = str_from(r->name);
    double seconds = (double)load->took_ms / 1000;
    if (load->error != NULL) {
        doctor_find(d, "load.failed", doctor_failing(r), subject, "can't be loaded: %s",
                    load->error->msg);
        doctor_advise(d, NULL, 0,
                      "its server's log says more; where memory is short, a smaller one");
    } else if (!load->is_over) {
        doctor_find(d, "load.slow", doctor_failing(r), subject, "is still loading after %.0f s",
                    seconds);
        doctor_advise(d, NULL, 0, "wait, and run this again, or take a smaller one");
    } else if (load->took_ms >= SLOW_LOAD_MS) {
        doctor_find(d, "load.slow", FINDING_WARN, subject,
                    "wasn't loaded, and took %.0f s: so long is the first answer after a pause",
                    seconds);
        doctor_next(d, "keep it loaded for longer");
        doctor_command(d, "\"residency\": { \"modelTtl\": \"4h\" }");
    } else {
        doctor_find(d, "load", FINDING_OK, subject, "wasn't loaded; loaded now, in %.1f s",
                    seconds);
    }
}

/* -- two programs, one model -- */

/* What has become of a model that somebody asks another context of; false where nothing has. */
static bool find_contention(struct doctor *d, const struct doctor_context *c, str name)
{
    unsigned long long before = c->before, after = c->after, wanted = c->wanted;
    if (wanted > 0 && before == wanted && after > 0 && after != wanted) {
        doctor_find(d, "contention", FINDING_WARN, name,
                    "modelOptions asks for a context of %llu tokens, and now it is loaded with "
                    "%llu: another program has loaded it anew during this check, as each of us "
                    "does for the other",
                    wanted, after);
    } else if (wanted > 0 && after > 0 && after != wanted) {
        doctor_find(d, "contention.given", FINDING_WARN, name,
                    "modelOptions asks for a context of %llu tokens, and it is loaded with %llu: "
                    "its server gives it no more, or another program loads it with a number of "
                    "its own",
                    wanted, after);
    } else if (wanted > 0 && before > 0 && before != wanted) {
        doctor_find(d, "contention", FINDING_WARN, name,
                    "was loaded with a context of %llu tokens and had to be loaded anew for the "
                    "%llu of modelOptions; unless that number is new, another program asks for "
                    "its own, and each loads it anew for itself",
                    before, wanted);
    } else if (before > 0 && after > 0 && after != before) {
        doctor_find(d, "contention", FINDING_WARN, name,
                    "was loaded anew during this check, with a context of %llu tokens instead of "
                    "%llu: two programs ask for different numbers",
                    after, before);
    } else {
        return false;
    }
    return true;
}

void doctor_check_contention(struct doctor *d, const struct doctor_context *c)
{
    struct buf name;
    buf_init(&name, KIB);
    buf_appendf(&name, STR_FMT "/" STR_FMT, STR_ARG(c->endpoint), STR_ARG(c->model));
    if (find_contention(d, c, buf_str(&name))) {
        doctor_next(d, "let neither of them name a number (numCtx \"auto\" here, num_ctx left out "
                       "there), or both the same");
        doctor_command(d, "\"modelOptions\": { \"" STR_FMT "\": { \"numCtx\": \"auto\" } }",
                       STR_ARG(buf_str(&name)));
    } else if (c->before > 0 && c->after == 0) {
        doctor_find(d, "contention.unloaded", FINDING_WARN, buf_str(&name),
                    "was unloaded during this check: another model took its place, or another "
                    "program sent it away");
        doctor_next(d, "let the server keep more models loaded, or use the same one everywhere");
    }
    buf_release(&name);
}
