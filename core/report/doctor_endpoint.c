/* doctor_endpoint.c - findings about endpoints: is it there, does it let us in.
 *
 * Why      "Can't connect" has a dozen reasons, and each has another remedy.
 * How      An endpoint's error says which of them it was (enum error_cause); a table has the words
 *          and the next step of each, and some have more to say. */
#include "core/report/doctor_internal.h"

#include <stdio.h>

#include "core/base/limits.h"

#define CLOCK_MAX_S 300 /* what certificates and tokens stand */

static str port_of(const struct endpoint *e)
{
    return str_after_last(e->origin, ':');
}

/* "2026-11-25 22:47 UTC" */
static void put_time(int64_t at_s, char out[32])
{
    time_t at = (time_t)at_s;
    struct tm parts;
    if (gmtime_r(&at, &parts) == NULL || strftime(out, 32, "%Y-%m-%d %H:%M UTC", &parts) == 0) {
        (void)snprintf(out, 32, "an unknown time");
    }
}

/* -- what to do, by cause -- */

static void command_to_run(struct doctor *d, const struct endpoint *e)
{
    const char *hint = e->ops->run_hint != NULL ? e->ops->run_hint : e->ops->start_hint;
    if (hint == NULL || e->tier != TIER_LOOPBACK) {
        doctor_next(d, "start its server%s, or correct its url",
                    e->tier == TIER_LOOPBACK ? "" : " on that machine");
        return;
    }
    struct buf text;
    buf_init(&text, KIB);
    doctor_put_run_hint(hint, port_of(e), &text);
    bool is_told = str_find(str_from(hint), STR("%PORT"), 0) != SIZE_MAX;
    doctor_next(d, "start its server%s", is_told ? "" : " so that it listens there");
    doctor_command(d, "%s", buf_cstr(&text));
    buf_release(&text);
}

static void find_nothing(struct doctor *d, enum finding_status status, const struct endpoint *e)
{
    doctor_find(d, "endpoint.nothing_listens", status, e->name,
                "nothing listens on " STR_FMT " (%s)", STR_ARG(doctor_place(e)), e->ops->kind);
    command_to_run(d, e);
}

static void find_key(struct doctor *d, enum finding_status status, const struct endpoint *e,
                     const struct endpoint_settings *es)
{
    bool has_file = es != NULL && es->api_key_file.len > 0;
    bool has_key =
        has_file || (es != NULL && (es->api_key_env.len > 0 || es->n_api_key_command > 0));
    if (e->error.cause == CAUSE_KEY_EXPOSED) {
        struct buf word;
        buf_init(&word, 16 * KIB);
        doctor_quote(has_file ? es->api_key_file : STR(""), &word);
        doctor_find(d, "endpoint.key_exposed", status, e->name,
                    "others may read its key file, so it isn't used");
        doctor_next(d, "close it to them");
        doctor_command(d, "chmod 600 %s", buf_cstr(&word));
        buf_release(&word);
    } else if (e->error.cause == CAUSE_KEY_MISSING) {
        doctor_find(d, "endpoint.key_missing", status, e->name, "%s", e->error.msg);
        doctor_next(d, "put the key, and nothing else, there (mode 600 where it is a file)");
    } else if (has_key) {
        doctor_find(d, "endpoint.key_refused", status, e->name,
                    STR_FMT " refuses the key (status %d)", STR_ARG(doctor_place(e)),
                    e->error.detail);
        doctor_next(d, "correct the key: %s " STR_FMT " must give it alone, without \"Bearer\"",
                    has_file ? "apiKeyFile" : "apiKeyEnv or apiKeyCommand",
                    STR_ARG(has_file ? es->api_key_file : STR("")));
    } else {
        doctor_find(d, "endpoint.key_refused", status, e->name,
                    STR_FMT " wants a key (status %d), and the settings have none",
                    STR_ARG(doctor_place(e)), e->error.detail);
        doctor_next(d, "put it into a file of mode 600, and in your own settings");
        doctor_command(d, "\"apiKeyFile\": \"~/.config/crucible/" STR_FMT ".key\"",
                       STR_ARG(e->name));
    }
}

static void find_certificate(struct doctor *d, enum finding_status status, const struct endpoint *e,
                             const struct endpoint_settings *es)
{
    static const struct {
        enum error_cause cause;
        const char *id, *finding, *next;
        bool wants_ca;
    } known[] = {
        {CAUSE_CERT_ISSUER, "endpoint.cert_issuer",
         "is signed by an authority that this machine doesn't know",
         "put that authority's certificate into a file and name it", true},
        {CAUSE_CERT_OWN, "endpoint.cert_own", "is self-signed: nobody vouches for it",
         "get it from whoever runs the server, and name it as the one to trust", true},
        {CAUSE_CERT_HOST, "endpoint.cert_host", "is made for another host than the url names",
         "put the name that it is made for into url; caFile doesn't help here", false},
        {CAUSE_CERT_EXPIRED, "endpoint.cert_expired", "has expired",
         "have it renewed on the server, or set this machine's clock if that is wrong", false},
        {CAUSE_CERT_EARLY, "endpoint.cert_early", "isn't valid yet",
         "set this machine's clock if that is wrong; else wait, or have it made anew", false},
    };
    char now[32];
    put_time(doctor_options(d)->now_s, now);
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (known[i].cause == e->error.cause) {
            bool is_by_clock = !known[i].wants_ca && known[i].cause != CAUSE_CERT_HOST;
            doctor_find(d, known[i].id, status, e->name, "the certificate of " STR_FMT " %s%s%s",
                        STR_ARG(doctor_place(e)), known[i].finding,
                        is_by_clock ? "; here it is " : "", is_by_clock ? now : "");
            doctor_next(d, "%s", known[i].next);
            if (known[i].wants_ca) {
                doctor_command(d, "\"caFile\": \"/path/to/ca.pem\"");
            }
            return;
        }
    }
    doctor_find(d, e->error.cause == CAUSE_CA_FILE ? "endpoint.ca_file" : "endpoint.cert_other",
                status, e->name, "%s", e->error.msg);
    if (e->error.cause == CAUSE_CA_FILE) {
        doctor_next(d, "correct caFile (" STR_FMT "): it must be a readable file of PEM text",
                    STR_ARG(es != NULL ? es->ca_file : STR("")));
    } else {
        doctor_next(d, "have the server's certificate corrected; caFile names an own authority");
    }
}

static void find_redirect(struct doctor *d, enum finding_status status, const struct endpoint *e)
{
    doctor_find(d, "endpoint.redirect", status, e->name,
                STR_FMT " sends us elsewhere, and redirects are never followed",
                STR_ARG(doctor_place(e)));
    if (e->redirect.len > 0) {
        doctor_next(d, "if you trust that address, make it the endpoint's");
        doctor_command(d, "\"url\": \"" STR_FMT "\"", STR_ARG(e->redirect));
    } else {
        doctor_next(d, "put the final address into url");
    }
}

/* The rest: the message that the error has, and one line of advice. */
static void find_other(struct doctor *d, enum finding_status status, const struct endpoint *e)
{
    static const struct {
        const char *id, *next;
    } known[N_ERROR_CAUSES] = {
        [CAUSE_UNREACHABLE] = {"endpoint.unreachable",
                               "check that the machine is on and lets that port in; behind a proxy "
                               "set the endpoint's proxy"},
        [CAUSE_UNKNOWN_NAME] = {"endpoint.unknown_name", "correct the host name in url"},
        [CAUSE_PROXY] = {"endpoint.proxy", "correct the proxy"},
        [CAUSE_CLIENT_CERT] = {"endpoint.client_cert",
                               "name PEM files that the server's owner gave you, without a "
                               "passphrase, as clientCert and clientKey"},
        [CAUSE_NO_TLS] = {"endpoint.no_tls",
                          "on this machine or its network plain http will do: http:// in url"},
        [CAUSE_SILENT] = {"endpoint.silent",
                          "restart that server; its own log says what it is busy with"},
        [CAUSE_CONSENT] = {"endpoint.consent",
                           "answer the editor's question, or name it in your own settings"},
        [CAUSE_OTHER_DIALECT] = {"endpoint.other_dialect", "correct its kind, or its url"},
    };
    const char *id = known[e->error.cause].id;
    bool is_ours = e->error.code == ERR_INVALID || e->error.code == ERR_REJECTED;
    if (id != NULL) {
        doctor_find(d, id, status, e->name, "%s", e->error.msg);
        doctor_next(d, "%s", known[e->error.cause].next);
    } else if (is_ours) { /* nothing was sent */
        doctor_find(d, "endpoint.refused", status, e->name, "%s", e->error.msg);
        doctor_next(d, "correct its entry in the settings");
    } else {
        doctor_find(d, "endpoint.down", status, e->name, "%s", e->error.msg);
        doctor_next(d, "the server's own log says more");
    }
}

static void find_page(struct doctor *d, enum finding_status status, const struct endpoint *e)
{
    doctor_find(d, "endpoint.web_page", status, e->name.len > 0 ? e->name : doctor_place(e),
                "something else listens on " STR_FMT ": a web page came, no model server",
                STR_ARG(doctor_place(e)));
    doctor_next(d, "stop that program, or put the model server's own address into url");
}

static void find_failure(struct doctor *d, const struct endpoint *e,
                         const struct endpoint_settings *es, bool is_needed)
{
    enum finding_status status = is_needed ? FINDING_FAIL : FINDING_WARN;
    switch (e->error.cause) {
    case CAUSE_NOTHING_LISTENS:
        find_nothing(d, status, e);
        break;
    case CAUSE_KEY_MISSING:
    case CAUSE_KEY_EXPOSED:
    case CAUSE_KEY_REFUSED:
        find_key(d, status, e, es);
        break;
    case CAUSE_CERT_ISSUER:
    case CAUSE_CERT_OWN:
    case CAUSE_CERT_HOST:
    case CAUSE_CERT_EXPIRED:
    case CAUSE_CERT_EARLY:
    case CAUSE_CERT_OTHER:
    case CAUSE_CA_FILE:
        find_certificate(d, status, e, es);
        break;
    case CAUSE_REDIRECT:
        find_redirect(d, status, e);
        break;
    case CAUSE_WEB_PAGE:
        find_page(d, status, e);
        break;
    case CAUSE_NONE:
    case CAUSE_UNREACHABLE:
    case CAUSE_UNKNOWN_NAME:
    case CAUSE_PROXY:
    case CAUSE_CLIENT_CERT:
    case CAUSE_NO_TLS:
    case CAUSE_SILENT:
    case CAUSE_CONSENT:
    case CAUSE_OTHER_DIALECT:
    case N_ERROR_CAUSES:
        find_other(d, status, e);
        break;
    }
}

static void check_clock(struct doctor *d, const struct endpoint *e)
{
    int64_t off_s = e->clock_ahead_s < 0 ? -e->clock_ahead_s : e->clock_ahead_s;
    if (!e->knows_clock || off_s <= CLOCK_MAX_S) {
        return;
    }
    char here[32], there[32];
    put_time(doctor_options(d)->now_s, here);
    put_time(doctor_options(d)->now_s + e->clock_ahead_s, there);
    doctor_find(d, "clock", FINDING_WARN, e->name,
                "its clock says %s, this machine's %s: certificates and tokens that are fine count "
                "as expired, or as not valid yet",
                there, here);
    doctor_next(d, "set the clock that is wrong (time servers do it by themselves: NTP)");
}

void doctor_check_endpoint(struct doctor *d, const struct endpoint *e,
                           const struct endpoint_settings *es, bool is_needed)
{
    switch (e->state) {
    case ENDPOINT_READY:
        doctor_find(d, "endpoint.ready", FINDING_OK, e->name,
                    "%s at " STR_FMT STR_FMT " answers%s" STR_FMT ", %zu model%s", e->ops->kind,
                    STR_ARG(e->origin), STR_ARG(e->base_path),
                    e->version.len > 0 ? ", version " : "", STR_ARG(e->version), e->n_models,
                    e->n_models == 1 ? "" : "s");
        break;
    case ENDPOINT_LOADING:
        doctor_find(d, "endpoint.loading", is_needed ? FINDING_FAIL : FINDING_WARN, e->name,
                    "%s at " STR_FMT " is still loading its model", e->ops->kind,
                    STR_ARG(e->origin));
        doctor_next(d, "wait, and run this again; if it never ends the server's log says why");
        break;
    case ENDPOINT_UNKNOWN:
    case ENDPOINT_PROBING:
        doctor_find(d, "endpoint.silent", is_needed ? FINDING_FAIL : FINDING_WARN, e->name,
                    STR_FMT " hasn't answered in time", STR_ARG(doctor_place(e)));
        doctor_next(d, "restart that server; its own log says what it is busy with");
        break;
    case ENDPOINT_DOWN:
    case ENDPOINT_BLOCKED:
        find_failure(d, e, es, is_needed);
        break;
    }
    check_clock(d, e);
}

void doctor_check_kind(struct doctor *d, const struct endpoint_settings *es)
{
    struct buf kinds;
    buf_init(&kinds, KIB);
    const struct provider_ops *const *all = doctor_options(d)->providers;
    for (size_t i = 0; all != NULL && all[i] != NULL; i++) {
        if ((all[i]->capabilities & PROVIDER_IN_PROCESS) == 0) {
            buf_appendf(&kinds, "%s%s", kinds.len > 0 ? ", " : "", all[i]->kind);
        }
    }
    doctor_find(d, "endpoint.kind", FINDING_WARN, es->name,
                "is of kind " STR_FMT ", which isn't one of %s", STR_ARG(es->kind),
                buf_cstr(&kinds));
    doctor_next(d, "correct its kind; most other servers speak openai's dialect");
    buf_release(&kinds);
}
