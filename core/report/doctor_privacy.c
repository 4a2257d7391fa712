/* doctor_privacy.c - findings about who may be sent code, and what running servers may not use.
 *
 * Rules    One finding for each endpoint, with the rule that lets it have text, so that whoever
 *          reads them knows all addresses that there are. */
#include "core/report/doctor_internal.h"

#include "core/base/limits.h"

static const char *tier_words(enum tier tier)
{
    switch (tier) {
    case TIER_LOOPBACK:
        return "on this machine";
    case TIER_LAN:
        return "on another machine of this network";
    case TIER_CLOUD:
        return "on the internet";
    }
    return "elsewhere";
}

static bool lists(const str *names, size_t n, str endpoint, str model)
{
    struct buf whole;
    buf_init(&whole, KIB);
    buf_appendf(&whole, STR_FMT "/" STR_FMT, STR_ARG(endpoint), STR_ARG(model));
    bool has = false;
    for (size_t i = 0; i < n; i++) {
        has = has || str_eq(names[i], buf_str(&whole)) || str_eq(names[i], model);
    }
    buf_release(&whole);
    return has;
}

/* Whether the person's own file names the model, in any role. */
static bool is_named(const struct settings *s, const struct endpoint *e, const struct model_info *m)
{
    return (!s->models_inline_is_foreign &&
            lists(s->models_inline, s->n_models_inline, e->name, m->id)) ||
           (!s->models_inline_manual_is_foreign &&
            lists(s->models_inline_manual, s->n_models_inline_manual, e->name, m->id)) ||
           (!s->models_chat_is_foreign &&
            lists(s->models_chat, s->n_models_chat, e->name, m->id)) ||
           (!s->models_embed_is_foreign &&
            lists(s->models_embed, s->n_models_embed, e->name, m->id));
}

static void find_forwarding(struct doctor *d, const struct settings *s, const struct endpoint *e)
{
    for (size_t i = 0; i < e->n_models; i++) {
        const struct model_info *m = &e->models[i];
        if (!m->is_remote || e->tier != TIER_LOOPBACK) {
            continue;
        }
        bool is_used = is_named(s, e, m);
        doctor_find(d, "privacy.forwarded", FINDING_OK, m->id,
                    STR_FMT " forwards it to another machine: %s", STR_ARG(e->name),
                    is_used ? "used, since your own file names it"
                            : "never used, since your own file doesn't name it");
    }
}

static bool is_reached(const struct endpoint *e)
{
    return (e->ops->capabilities & PROVIDER_IN_PROCESS) == 0 && e->state != ENDPOINT_BLOCKED;
}

static void find_endpoint(struct doctor *d, const struct settings *s, const struct endpoint *e)
{
    bool is_near = e->tier == TIER_LOOPBACK;
    bool is_risky = !is_near && !s->privacy_redact;
    if (e->state == ENDPOINT_BLOCKED) {
        doctor_find(d, "privacy.endpoint", FINDING_OK, e->name, STR_FMT ": sent nothing, blocked",
                    STR_ARG(e->origin));
        return;
    }
    doctor_find(d, "privacy.endpoint", is_risky ? FINDING_WARN : FINDING_OK, e->name,
                STR_FMT ", %s: may be sent code, since %s%s", STR_ARG(e->origin),
                tier_words(e->tier),
                is_near ? (e->is_discovered ? "it was found here" : "the settings name it")
                        : "your own file names it",
                is_near    ? ""
                : is_risky ? "; privacy.redactSecrets is off"
                           : "; what looks like a secret is blanked");
    if (is_risky) {
        doctor_next(d, "have what looks like a secret blanked before it leaves");
        doctor_command(d, "\"privacy\": { \"redactSecrets\": true }");
    }
}

void doctor_check_privacy(struct doctor *d, const struct upstream *u, const struct settings *s)
{
    bool leaves = false;
    for (size_t i = 0; i < upstream_count(u); i++) {
        const struct endpoint *e = upstream_endpoint(u, i);
        if ((e->ops->capabilities & PROVIDER_IN_PROCESS) == 0) {
            find_endpoint(d, s, e);
            find_forwarding(d, s, e);
        }
        leaves = leaves || (is_reached(e) && e->tier != TIER_LOOPBACK);
        for (size_t m = 0; m < e->n_models; m++) {
            leaves = leaves || (e->models[m].is_remote && is_named(s, e, &e->models[m]));
        }
    }
    if (!leaves) {
        doctor_find(d, "privacy.nothing_leaves", FINDING_OK, STR("privacy"),
                    "no code leaves this machine");
    }
    doctor_find(d, "privacy.exclude", FINDING_OK, STR("privacy"),
                "never sent anywhere: files like .env, *.pem, *.key, id_*%s",
                s->n_privacy_exclude > 0 ? ", and those of privacy.exclude" : "");
}

/* -- what a running server knows -- */

static void find_blocked(struct doctor *d, str server, struct json endpoint)
{
    struct json cause = json_get(endpoint, STR("cause"));
    str name = json_str(json_get(endpoint, STR("name")));
    str origin = json_str(json_get(endpoint, STR("origin")));
    bool wants_consent = json_str_eq(cause, STR("consent"));
    if (wants_consent) {
        doctor_find(d, "server.consent", FINDING_WARN, server,
                    "may not use " STR_FMT " at " STR_FMT ": it is another machine, and an editor "
                    "or project names it, not you",
                    STR_ARG(name), STR_ARG(origin));
        doctor_next(d, "choose Allow when the editor asks, or name it in your own settings");
        doctor_command(
            d, "\"endpoints\": [{ \"name\": \"" STR_FMT "\", \"url\": \"" STR_FMT "\", ... }]",
            STR_ARG(name), STR_ARG(origin));
    } else {
        doctor_find(d, "server.blocked", FINDING_WARN, server, "can't use " STR_FMT ": " STR_FMT,
                    STR_ARG(name), STR_ARG(json_str(json_get(endpoint, STR("message")))));
        doctor_next(d, "once that is corrected, let it read its settings again: restart it");
    }
}

void doctor_check_server(struct doctor *d, struct json stats)
{
    struct json server = json_get(stats, STR("server"));
    struct json status = json_get(stats, STR("status"));
    struct buf name;
    buf_init(&name, KIB);
    buf_appendf(&name, "server %lld", (long long)json_int(json_get(server, STR("pid")), 0));
    str editor = json_str(json_get(server, STR("editor")));
    str model = json_str(json_get(status, STR("model")));
    bool is_warning = json_str_eq(json_get(status, STR("kind")), STR("warning"));
    doctor_find(d, "server", is_warning ? FINDING_WARN : FINDING_OK, buf_str(&name),
                "running%s" STR_FMT "; %s" STR_FMT, editor.len > 0 ? " for " : "", STR_ARG(editor),
                is_warning      ? ""
                : model.len > 0 ? "typing is served by "
                                : "nothing serves typing",
                STR_ARG(is_warning ? json_str(json_get(status, STR("message"))) : model));
    if (is_warning) {
        doctor_next(d, "see the other findings; what its last requests did and why");
        doctor_command(d, "crucible-ls status");
    }
    struct json_iter it = json_iter(json_get(stats, STR("endpoints")));
    struct json endpoint;
    while (json_next(&it, NULL, &endpoint)) {
        if (json_str_eq(json_get(endpoint, STR("state")), STR("blocked"))) {
            find_blocked(d, buf_str(&name), endpoint);
        }
    }
    buf_release(&name);
}
