/* doctor_test.c - what each fact is called, how bad it is, and what it says to do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/base/limits.h"
#include "core/report/doctor.h"

/* -- a world without a network -- */

static enum err encode_load(const struct load_order *l, struct http_request *out, struct error *why)
{
    (void)l;
    (void)out;
    return error_set(why, ERR_REJECTED, "never called: that it is there says enough");
}

static const uint16_t some_ports[] = {8080, 8012, 0};
static const uint16_t other_ports[] = {11434, 0};
static const struct provider_ops single = {.kind = "single",
                                           .capabilities = PROVIDER_ONE_MODEL,
                                           .ports = some_ports,
                                           .start_hint = "start-it",
                                           .run_hint = "run-it --port %PORT now",
                                           .context_hint = "raise the context"};
static const struct provider_ops shelf = {
    .kind = "shelf", .ports = other_ports, .run_hint = "shelf serve", .encode_load = encode_load};
static const struct provider_ops plain = {.kind = "plain"};
static const struct provider_ops own = {.kind = "embedded", .capabilities = PROVIDER_IN_PROCESS};
static const struct provider_ops *const table[] = {&single, &shelf, &plain, &own, NULL};

static struct endpoint places[4];
static size_t n_places;

size_t upstream_place_count(const struct upstream *u)
{
    (void)u;
    return n_places;
}

const struct endpoint *upstream_place(const struct upstream *u, size_t idx)
{
    (void)u;
    return &places[idx];
}

/* Places without a name are ports where nothing was found. */
size_t upstream_count(const struct upstream *u)
{
    size_t n = 0;
    (void)u;
    for (size_t i = 0; i < n_places; i++) {
        n += places[i].name.len > 0;
    }
    return n;
}

const struct endpoint *upstream_endpoint(const struct upstream *u, size_t idx)
{
    (void)u;
    for (size_t i = 0; i < n_places; i++) {
        if (places[i].name.len > 0 && idx-- == 0) {
            return &places[i];
        }
    }
    return NULL;
}

const struct endpoint *upstream_find(const struct upstream *u, uint64_t id)
{
    (void)u;
    return id > 0 && id <= n_places ? &places[id - 1] : NULL;
}

const char *upstream_start_hint(const struct upstream *u)
{
    (void)u;
    return "start-one";
}

bool upstream_would_admit(const struct upstream *u, uint64_t endpoint, str model)
{
    (void)u;
    (void)endpoint;
    (void)model;
    return true;
}

bool upstream_is_settled(const struct upstream *u)
{
    (void)u;
    return true;
}

const char *endpoint_state_name(enum endpoint_state state)
{
    (void)state;
    return "state";
}

static struct endpoint *put(const char *name, const struct provider_ops *ops, const char *origin)
{
    struct endpoint *e = &places[n_places++];
    *e = (struct endpoint){.id = n_places,
                           .name = str_from(name),
                           .ops = ops,
                           .origin = str_from(origin),
                           .state = ENDPOINT_READY};
    return e;
}

static bool get_command(str kind, str model, struct buf *out)
{
    if (!str_eq(kind, STR("shelf"))) {
        return false;
    }
    buf_appendf(out, "shelf pull " STR_FMT, STR_ARG(model));
    return true;
}

static const char *installed = "";

static bool can_run(const char *name)
{
    return strcmp(name, installed) == 0;
}

static struct doctor *doctor;

static int setup(void **state)
{
    (void)state;
    n_places = 0;
    installed = "";
    struct doctor_options options = {.get_command = get_command,
                                     .can_run = can_run,
                                     .memory = {.total = 16000000000u, .available = 8000000000u},
                                     .providers = table,
                                     .now_s = 1764115200};
    doctor = doctor_create(&options);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    doctor_destroy(doctor);
    return 0;
}

/* The finding at `idx` from the front. */
static const struct finding *finding(size_t idx)
{
    const struct finding *all;
    size_t n = doctor_findings(doctor, &all);
    assert_true(idx < n);
    return &all[idx];
}

static void assert_has(str text, const char *part)
{
    if (str_find(text, str_from(part), 0) == SIZE_MAX) {
        fail_msg("\"" STR_FMT "\" doesn't hold \"%s\"", STR_ARG(text), part);
    }
}

static void assert_finding(size_t idx, const char *id, enum finding_status status, const char *said,
                           const char *next, const char *command)
{
    const struct finding *f = finding(idx);
    assert_string_equal(f->id, id);
    assert_int_equal(f->status, status);
    assert_has(f->finding, said);
    assert_has(f->next, next);
    assert_has(f->command, command);
}

static size_t n_findings(void)
{
    const struct finding *all;
    return doctor_findings(doctor, &all);
}

/* -- findings -- */

static void findings_are_clean_lines(void **state)
{
    (void)state;
    struct endpoint *e = put("bad\x1b[31m", &plain, "https://h:443");
    e->state = ENDPOINT_DOWN;
    error_set(&e->error, ERR_PROTOCOL, "two\nlines\x1b[2J and \xe2\x80\xae more");
    doctor_check_endpoint(doctor, e, NULL, true);
    const struct finding *f = finding(0);
    assert_true(str_eq(f->subject, STR("bad")));
    assert_true(str_eq(f->finding, STR("two lines and  more")));
    assert_int_equal(doctor_count(doctor, FINDING_FAIL), 1);
}

static void json_joins_the_next_step_and_its_command(void **state)
{
    (void)state;
    struct buf out;
    struct json_writer w;
    struct endpoint *e = put("here", &single, "http://127.0.0.1:8012");
    e->state = ENDPOINT_DOWN;
    error_set(&e->error, ERR_CONNECT, "nothing");
    e->error.cause = CAUSE_NOTHING_LISTENS;
    doctor_check_endpoint(doctor, e, NULL, false);
    buf_init(&out, 4 * KIB);
    w = json_writer(&out);
    doctor_write_json(doctor, &w);
    assert_string_equal(buf_cstr(&out),
                        "[{\"id\":\"endpoint.nothing_listens\",\"status\":\"warn\",\"subject\":"
                        "\"here\",\"finding\":\"nothing listens on 127.0.0.1:8012 (single)\","
                        "\"next\":\"start its server: run-it --port 8012 now\"}]");
    buf_release(&out);
}

/* -- endpoints -- */

static void each_cause_has_its_own_remedy(void **state)
{
    (void)state;
    static const struct {
        enum error_cause cause;
        const char *id, *said, *next, *command;
    } cases[] = {
        {CAUSE_NOTHING_LISTENS, "endpoint.nothing_listens", "nothing listens on 127.0.0.1:9",
         "start its server", "--port 9 now"},
        {CAUSE_UNREACHABLE, "endpoint.unreachable", "msg", "machine is on", ""},
        {CAUSE_UNKNOWN_NAME, "endpoint.unknown_name", "msg", "host name", ""},
        {CAUSE_PROXY, "endpoint.proxy", "msg", "proxy", ""},
        {CAUSE_NO_TLS, "endpoint.no_tls", "msg", "http://", ""},
        {CAUSE_SILENT, "endpoint.silent", "msg", "restart", ""},
        {CAUSE_CERT_ISSUER, "endpoint.cert_issuer", "authority", "name it", "caFile"},
        {CAUSE_CERT_OWN, "endpoint.cert_own", "self-signed", "trust", "caFile"},
        {CAUSE_CERT_HOST, "endpoint.cert_host", "another host", "url", ""},
        {CAUSE_CERT_EXPIRED, "endpoint.cert_expired", "here it is 2025-11-26 00:00 UTC", "clock",
         ""},
        {CAUSE_CERT_EARLY, "endpoint.cert_early", "isn't valid yet", "clock", ""},
        {CAUSE_CERT_OTHER, "endpoint.cert_other", "msg", "certificate", ""},
        {CAUSE_CA_FILE, "endpoint.ca_file", "msg", "caFile (/ca.pem)", ""},
        {CAUSE_CLIENT_CERT, "endpoint.client_cert", "msg", "clientKey", ""},
        {CAUSE_KEY_MISSING, "endpoint.key_missing", "msg", "nothing else", ""},
        {CAUSE_KEY_EXPOSED, "endpoint.key_exposed", "others", "close", "chmod 600 '/a key'"},
        {CAUSE_KEY_REFUSED, "endpoint.key_refused", "(status 401)", "apiKeyFile /a key", ""},
        {CAUSE_CONSENT, "endpoint.consent", "msg", "editor's question", ""},
        {CAUSE_REDIRECT, "endpoint.redirect", "elsewhere", "trust", "\"url\": \"https://there\""},
        {CAUSE_WEB_PAGE, "endpoint.web_page", "something else listens", "stop that program", ""},
        {CAUSE_OTHER_DIALECT, "endpoint.other_dialect", "msg", "kind", ""},
        {CAUSE_NONE, "endpoint.down", "msg", "log", ""},
    };
    struct endpoint_settings es = {.api_key_file = STR("/a key"), .ca_file = STR("/ca.pem")};
    assert_int_equal(sizeof cases / sizeof cases[0], N_ERROR_CAUSES);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        n_places = 0;
        struct endpoint *e = put("e", &single, "http://127.0.0.1:9");
        e->state = ENDPOINT_DOWN;
        e->redirect = STR("https://there");
        error_set(&e->error, ERR_CONNECT, "msg");
        e->error.detail = 401;
        e->error.cause = cases[i].cause;
        doctor_check_endpoint(doctor, e, &es, true);
        assert_finding(i, cases[i].id, FINDING_FAIL, cases[i].said, cases[i].next,
                       cases[i].command);
    }
    assert_int_equal(n_findings(), sizeof cases / sizeof cases[0]);
    error_set(&places[0].error, ERR_REJECTED, "plain http isn't safe there: use https");
    doctor_check_endpoint(doctor, &places[0], &es, false);
    assert_finding(N_ERROR_CAUSES, "endpoint.refused", FINDING_WARN, "use https", "settings", "");
}

static void servers_elsewhere_are_not_started_from_here(void **state)
{
    (void)state;
    struct endpoint *e = put("far", &single, "https://far.example.test:443");
    e->state = ENDPOINT_DOWN;
    e->tier = TIER_CLOUD;
    error_set(&e->error, ERR_CONNECT, "nothing");
    e->error.cause = CAUSE_NOTHING_LISTENS;
    doctor_check_endpoint(doctor, e, NULL, false);
    assert_finding(0, "endpoint.nothing_listens", FINDING_WARN, "far.example.test:443",
                   "on that machine", "");
    assert_int_equal(finding(0)->command.len, 0);
}

static void clocks_are_compared(void **state)
{
    (void)state;
    static const int64_t fine[] = {0, 299, -300};
    struct endpoint *e = put("e", &plain, "https://h:443");
    e->knows_clock = true;
    for (size_t i = 0; i < 3; i++) {
        e->clock_ahead_s = fine[i];
        doctor_check_endpoint(doctor, e, NULL, false);
    }
    assert_int_equal(n_findings(), 3);
    e->clock_ahead_s = -7200;
    doctor_check_endpoint(doctor, e, NULL, false);
    assert_finding(4, "clock", FINDING_WARN,
                   "2025-11-25 22:00 UTC, this machine's 2025-11-26 00:00 UTC", "NTP", "");
}

static void ports_without_a_server_are_listed(void **state)
{
    (void)state;
    put("embedded", &own, "");
    struct endpoint *e = put("", &single, "http://127.0.0.1:8080");
    e->is_discovered = true;
    e->state = ENDPOINT_DOWN;
    error_set(&e->error, ERR_PROTOCOL, "a page");
    e->error.cause = CAUSE_WEB_PAGE;
    struct endpoint *closed = put("", &single, "http://127.0.0.1:8012");
    closed->is_discovered = true;
    error_set(&closed->error, ERR_CONNECT, "nothing");
    closed->error.cause = CAUSE_NOTHING_LISTENS;
    doctor_check_ports(doctor, NULL, true);
    assert_finding(0, "port.foreign", FINDING_WARN, "a web page", "another port", "");
    assert_true(str_eq(finding(0)->subject, STR("127.0.0.1:8080")));
    assert_finding(1, "port.nothing_listens", FINDING_FAIL, "8080, 8012 (single), 11434 (shelf)",
                   "start one", "start-one");
    assert_int_equal(n_findings(), 2);
    n_places = 0;
    installed = "shelf";
    doctor_check_ports(doctor, NULL, true);
    assert_finding(2, "port.nothing_listens", FINDING_FAIL, "", "the one that is installed",
                   "shelf serve");
    installed = "run-it";
    doctor_check_ports(doctor, NULL, true);
    assert_finding(3, "port.nothing_listens", FINDING_FAIL, "", "", "run-it --port 8080 now");
    doctor_check_ports(doctor, NULL, false);
    assert_finding(4, "port.nothing_listens", FINDING_OK, "nothing answers", "", "");
    assert_int_equal(finding(4)->next.len, 0);
}

static void proxies_are_not_for_this_machine(void **state)
{
    (void)state;
    static const char *const set[] = {"http_proxy", "ALL_PROXY", NULL};
    static const char *const none[] = {NULL};
    struct settings s = {.n_refs = 1};
    put("near", &plain, "http://127.0.0.1:1");
    put("far", &plain, "https://h:443")->tier = TIER_CLOUD;
    doctor_check_proxies(doctor, NULL, &s, none);
    assert_int_equal(n_findings(), 0);
    doctor_check_proxies(doctor, NULL, &s, set);
    assert_finding(0, "proxy.used", FINDING_OK, "http_proxy, ALL_PROXY", "", "");
    assert_finding(1, "proxy.ignored", FINDING_OK, "not used for servers of this machine", "", "");
}

/* -- files -- */

static void problems_are_told_by_their_path(void **state)
{
    (void)state;
    struct settings_problem problems[] = {
        {SETTINGS_USER_FILE, STR_INIT("inline.x"), STR_INIT("is not a known key")},
        {SETTINGS_USER_FILE, STR_INIT(""), STR_INIT("the file is not JSON")}};
    struct doctor_file f = {
        .path = STR("/h/config.json"), .err = ERR_OK, .problems = problems, .n_problems = 1};
    doctor_check_settings(doctor, &f);
    assert_finding(0, "settings.key", FINDING_WARN, "is not a known key", "/h/config.json", "");
    assert_true(str_eq(finding(0)->subject, STR("inline.x")));
    f = (struct doctor_file){.path = STR("/h/config.json"),
                             .err = ERR_INVALID,
                             .problems = problems + 1,
                             .n_problems = 1};
    doctor_check_settings(doctor, &f);
    assert_finding(1, "settings.file", FINDING_WARN, "not JSON", "nothing in it counts", "");
    f = (struct doctor_file){.path = STR("/x"), .err = ERR_NOT_FOUND, .named_by = "--config"};
    doctor_check_settings(doctor, &f);
    assert_finding(2, "settings.file", FINDING_WARN, "--config names it", "path", "");
    f = (struct doctor_file){.path = STR("/x"), .err = ERR_NOT_FOUND};
    doctor_check_settings(doctor, &f);
    assert_finding(3, "settings.file", FINDING_OK, "no file of your own (/x)", "", "");
}

static void what_a_project_takes_away_is_said(void **state)
{
    (void)state;
    str off = STR("c");
    struct doctor_file f = {.path = STR("/w/.crucible.json")};
    struct settings mine = {.n_refs = 1,
                            .inline_enabled = true,
                            .inline_max_tokens = 128,
                            .inline_file_bytes = 10 * MIB};
    struct settings narrowed = mine;
    doctor_check_project(doctor, &f, &mine, &narrowed);
    assert_int_equal(n_findings(), 0);
    narrowed.inline_max_tokens = 20;
    doctor_check_project(doctor, &f, &mine, &narrowed);
    assert_finding(0, "settings.project", FINDING_OK, "lowers inline.maxTokens to 20", "", "");
    narrowed.languages_off = &off;
    narrowed.n_languages_off = 1;
    doctor_check_project(doctor, &f, &mine, &narrowed);
    assert_finding(1, "settings.project", FINDING_WARN, "suggestions for c; lowers", "take it out",
                   "");
    narrowed.inline_enabled = false;
    doctor_check_project(doctor, &f, &mine, &narrowed);
    assert_finding(2, "settings.project", FINDING_FAIL, "everything in this folder", "", "");
    mine.inline_enabled = false;
    doctor_check_project(doctor, &f, &mine, &narrowed);
    assert_finding(4, "settings.off", FINDING_FAIL, "inline.enabled", "", "\"enabled\": true");
}

static void folders_are_judged(void **state)
{
    (void)state;
    static const struct {
        enum folder_state state;
        enum finding_status status;
        const char *said, *command;
    } cases[] = {
        {FOLDER_FINE, FINDING_OK, "yours alone", ""},
        {FOLDER_TO_BE_MADE, FINDING_OK, "will be made", ""},
        {FOLDER_IMPOSSIBLE, FINDING_WARN, "can't be made: it is lost", ""},
        {FOLDER_NO_FOLDER, FINDING_WARN, "is no folder", "mv '/a b' '/a b'.old"},
        {FOLDER_FOREIGN, FINDING_WARN, "somebody else", ""},
        {FOLDER_OPEN, FINDING_WARN, "others may look", "chmod 700 '/a b'"},
        {FOLDER_READ_ONLY, FINDING_WARN, "can't be written to", "chmod 700 '/a b'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct doctor_folder f = {.id = "folder.x",
                                  .what = "x folder",
                                  .lost = "it is lost",
                                  .path = STR("/a b"),
                                  .state = cases[i].state};
        doctor_check_folder(doctor, &f);
        assert_finding(i, "folder.x", cases[i].status, cases[i].said, "", cases[i].command);
    }
}

/* -- models -- */

static struct model_info model = {.abilities = MODEL_RAW};

static bool can_fill(const struct model_info *m)
{
    return (m->abilities & MODEL_INFILL) != 0;
}

static struct route route_to(struct endpoint *e, enum role role)
{
    struct route r = {.role = role,
                      .can_fill = can_fill,
                      .state = ROUTE_READY,
                      .endpoint = e->id,
                      .model = model.id,
                      .abilities = model.abilities};
    (void)snprintf(r.name, sizeof r.name, STR_FMT "/" STR_FMT, STR_ARG(e->name), STR_ARG(model.id));
    return r;
}

static struct endpoint *put_model(const struct provider_ops *ops)
{
    struct endpoint *e = put("e", ops, "http://127.0.0.1:1");
    model = (struct model_info){.id = STR("m:1b"),
                                .name = STR("m:1b"),
                                .abilities = MODEL_RAW | MODEL_CHAT,
                                .n_bytes = 3000000000u};
    e->models = &model;
    e->n_models = 1;
    return e;
}

static void missing_models_are_named_with_their_command(void **state)
{
    (void)state;
    struct endpoint *e = put_model(&shelf);
    str names[] = {STR("e/absent:1b"), STR("nosuch/x"), STR("e/m:1b"), STR("m:1b"), STR("e")};
    struct settings s = {.n_refs = 1, .models_inline = names, .n_models_inline = 5};
    struct route r = route_to(e, ROLE_INLINE);
    doctor_check_role(doctor, NULL, &s, &r);
    assert_finding(0, "model.missing", FINDING_WARN, "no model absent:1b", "get it",
                   "shelf pull absent:1b");
    assert_finding(1, "model.no_endpoint", FINDING_WARN, "no endpoint is called nosuch", "", "");
    assert_finding(2, "role.inline", FINDING_OK, "e/m:1b serves it", "", "");
    assert_int_equal(n_findings(), 3);
}

static void role_without_a_model_fails_only_for_typing(void **state)
{
    (void)state;
    struct endpoint *e = put_model(&shelf);
    struct settings s = {.n_refs = 1};
    struct route r = route_to(e, ROLE_INLINE);
    r.state = ROUTE_NONE;
    doctor_check_role(doctor, NULL, &s, &r);
    assert_finding(0, "model.cannot_fill", FINDING_FAIL, "the model of e (m:1b) can't fill",
                   "get one that can", "shelf pull qwen2.5-coder:");
    str other[] = {STR("elsewhere/x")}; /* what this endpoint has isn't asked for */
    s.models_inline = other;
    s.n_models_inline = 1;
    doctor_check_role(doctor, NULL, &s, &r);
    assert_finding(1, "model.no_endpoint", FINDING_FAIL, "elsewhere", "", "");
    assert_finding(2, "role.inline", FINDING_FAIL, "nobody serves it", "", "crucible-ls models");
    r.role = ROLE_CHAT;
    (void)snprintf(r.message, sizeof r.message, "none follows instructions");
    doctor_check_role(doctor, NULL, &s, &r);
    assert_finding(3, "role.chat", FINDING_WARN, "none follows instructions", "", "");
    str names[] = {STR("embedded")};
    s.models_inline = names;
    s.n_models_inline = 1;
    model.abilities |= MODEL_INFILL;
    r.role = ROLE_INLINE;
    doctor_check_role(doctor, NULL, &s, &r);
    assert_finding(4, "role.inline", FINDING_OK, "as configured", "", "");
}

static void context_is_compared_with_what_a_window_needs(void **state)
{
    (void)state;
    struct endpoint *e = put_model(&single);
    struct model_options options = {
        .pattern = STR("e/*"), .fim = STR("auto"), .n_ctx = 512, .temperature = -1};
    struct settings s = {.n_refs = 1, .inline_max_tokens = 128};
    struct route r = route_to(e, ROLE_INLINE);
    doctor_check_context(doctor, NULL, &s, &r); /* isn't known */
    assert_int_equal(n_findings(), 0);
    model.n_ctx = 2048; /* rendered by us: the wide window */
    doctor_check_context(doctor, NULL, &s, &r);
    assert_finding(0, "context", FINDING_WARN, "takes 2048 tokens, and a full window", "raise the",
                   "");
    assert_has(finding(0)->next, "3072 tokens or more");
    r.abilities |= MODEL_INFILL; /* by the server: the narrow one */
    doctor_check_context(doctor, NULL, &s, &r);
    assert_finding(1, "context", FINDING_OK, "2048 tokens holds", "", "");
    s.model_options = &options;
    s.n_model_options = 1;
    doctor_check_context(doctor, NULL, &s, &r);
    assert_finding(2, "context", FINDING_WARN, "takes 512", "settings",
                   "\"modelOptions\": { \"e/m:1b\": { \"numCtx\": 2048 } }");
}

static void who_only_chats_may_be_named_and_a_tokenizer_is_the_reason(void **state)
{
    (void)state;
    struct endpoint *e = put_model(&shelf);
    struct settings s = {.n_refs = 1};
    struct route r = route_to(e, ROLE_INLINE);
    r.state = ROUTE_NONE;
    model.abilities = MODEL_RAW | MODEL_CHAT;
    model.tokens_told = true;
    doctor_check_role(doctor, NULL, &s, &r);
    assert_finding(0, "model.cannot_fill", FINDING_FAIL, "tokenizer knows no tokens for holes",
                   "name e/m:1b in models.inline", "shelf pull qwen2.5-coder:");
}

static void template_of_the_settings_is_held_against_the_tokenizer(void **state)
{
    (void)state;
    struct endpoint *e = put_model(&single);
    struct model_options options = {.pattern = STR("e/*"), .fim = STR("auto"), .temperature = -1};
    struct settings s = {.n_refs = 1, .model_options = &options, .n_model_options = 1};
    struct route r = route_to(e, ROLE_INLINE);
    model.tokens_told = true;
    doctor_check_template(doctor, NULL, &s, &r); /* the model's own */
    options.fim = STR("qwen-coder");
    model.tokens = STR("<|fim_prefix|>\n<|fim_suffix|>\n<|fim_middle|>\n");
    doctor_check_template(doctor, NULL, &s, &r);
    model.tokens = STR("");
    model.tokens_told = false; /* nobody knows better */
    doctor_check_template(doctor, NULL, &s, &r);
    assert_int_equal(n_findings(), 0);
    model.tokens_told = true;
    doctor_check_template(doctor, NULL, &s, &r);
    assert_finding(0, "model.template", FINDING_FAIL,
                   "doesn't know the tokens of the template \"qwen-coder\"", "take fim out", "");
    options.fim = STR("qwne");
    doctor_check_template(doctor, NULL, &s, &r);
    assert_finding(1, "model.template", FINDING_FAIL, "\"qwne\", which names no template", "", "");
}

static void context_that_is_chosen_at_each_load_counts_once_loaded(void **state)
{
    (void)state;
    struct endpoint *e = put_model(&shelf);
    struct settings s = {.n_refs = 1, .inline_max_tokens = 128};
    struct route r = route_to(e, ROLE_INLINE);
    model.n_ctx = 131072; /* what it was trained with */
    doctor_check_context(doctor, NULL, &s, &r);
    assert_int_equal(n_findings(), 0);
    model.loaded_ctx = 1024;
    doctor_check_context(doctor, NULL, &s, &r);
    assert_finding(0, "context", FINDING_WARN, "takes 1024", "", "");
}

static void loads_are_told_by_how_they_went(void **state)
{
    (void)state;
    struct route r = route_to(put_model(&shelf), ROLE_INLINE);
    struct error error;
    struct doctor_load load = {.took_ms = 900, .is_over = true};
    doctor_check_load(doctor, &r, &load);
    assert_finding(0, "load", FINDING_OK, "in 0.9 s", "", "");
    load.took_ms = 35000;
    doctor_check_load(doctor, &r, &load);
    assert_finding(1, "load.slow", FINDING_WARN, "35 s", "keep it loaded", "modelTtl");
    load.is_over = false;
    doctor_check_load(doctor, &r, &load);
    assert_finding(2, "load.slow", FINDING_FAIL, "still loading", "", "");
    error_set(&error, ERR_STATUS, "no memory");
    load.error = &error;
    r.role = ROLE_CHAT;
    doctor_check_load(doctor, &r, &load);
    assert_finding(3, "load.failed", FINDING_WARN, "no memory", "smaller", "");
}

/* -- trials -- */

static void texts_are_judged(void **state)
{
    (void)state;
    static const struct {
        size_t hole;
        const char *text;
        enum hole_verdict verdict;
    } cases[] = {
        {0, "a + b", HOLE_RIGHT},
        {0, "b+a  # sum", HOLE_RIGHT},
        {0, "sum(a, b)", HOLE_CODE},
        {0, "the_sum", HOLE_CODE},
        {0, " \n", HOLE_NOTHING},
        {0, "", HOLE_NOTHING},
        {0, "Sure! Here is the code: a + b", HOLE_CHAT},
        {0, "```python\nreturn a + b\n```", HOLE_CHAT},
        {0, "def add(a, b):\n    return a + b", HOLE_CHAT}, /* from the beginning again */
        {0, "<think>The user", HOLE_CHAT},
        {1, "'Thursday', ", HOLE_RIGHT},
        {1, "'Donnerstag', ", HOLE_CODE},
        {2, "a : b", HOLE_RIGHT},
        {2, "b : a", HOLE_CODE},
        {2, "The larger one is returned", HOLE_CHAT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(doctor_judge(doctor_hole(cases[i].hole), str_from(cases[i].text)),
                         cases[i].verdict);
    }
    assert_non_null(doctor_hole(DOCTOR_MAX_TRIES - 1));
    assert_null(doctor_hole(DOCTOR_MAX_TRIES));
}

static struct doctor_trial trial_of(enum hole_verdict verdict, const char *text)
{
    struct doctor_trial t = {.n_tries = 1, .first_ms = 20, .total_ms = 40};
    t.tries[0].verdict = verdict;
    t.tries[0].text = str_from(text);
    return t;
}

static void trials_are_told_by_their_verdicts(void **state)
{
    (void)state;
    struct route r = route_to(put_model(&shelf), ROLE_INLINE);
    struct doctor_trial t = trial_of(HOLE_RIGHT, "a + b");
    doctor_check_trial(doctor, NULL, &r, &t);
    assert_finding(0, "trial", FINDING_OK, "(\"a + b\") in 40 ms", "", "");
    t = trial_of(HOLE_CODE, "None");
    doctor_check_trial(doctor, NULL, &r, &t);
    assert_finding(1, "trial.wrong", FINDING_WARN, "\"None\"", "better one", "shelf pull");
    t = trial_of(HOLE_CHAT, "Sure! I will now explain at great length what this function is for.");
    doctor_check_trial(doctor, NULL, &r, &t);
    assert_finding(2, "model.cannot_fill", FINDING_FAIL,
                   "\"Sure! I will now explain at great length what this function ...\"", "", "");
    t = trial_of(HOLE_NOTHING, "");
    t.why = STR("the trace says so");
    doctor_check_trial(doctor, NULL, &r, &t);
    assert_finding(3, "trial.nothing", FINDING_FAIL, "(the trace says so)", "", "");
    t.total_ms = 5001;
    doctor_check_trial(doctor, NULL, &r, &t);
    assert_finding(4, "trial.too_slow", FINDING_FAIL, "within 5 s", "smaller", "");
    assert_int_equal(n_findings(), 5);
}

static void failures_of_a_trial_have_their_own_steps(void **state)
{
    (void)state;
    static const struct {
        enum err code;
        const char *id, *next, *command;
    } cases[] = {
        {ERR_TOO_LARGE, "trial.too_large", "context", ""},
        {ERR_REJECTED, "model.cannot_fill", "get one that can", "shelf pull"},
        {ERR_NOT_FOUND, "model.missing", "get it", "shelf pull m:1b"},
        {ERR_AUTH, "trial.key_refused", "key", ""},
        {ERR_STATUS, "trial.failed", "log", ""},
    };
    struct route r = route_to(put_model(&shelf), ROLE_INLINE);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct error error;
        error_set(&error, cases[i].code, "msg");
        struct doctor_trial t = {.error = &error};
        doctor_check_trial(doctor, NULL, &r, &t);
        assert_finding(i, cases[i].id, FINDING_FAIL, "", cases[i].next, cases[i].command);
    }
}

static void slowness_is_measured_and_a_smaller_model_named(void **state)
{
    (void)state;
    struct route r = route_to(put_model(&shelf), ROLE_INLINE);
    struct doctor_trial t = trial_of(HOLE_RIGHT, "a + b");
    t.n_pauses = 10;
    t.pauses_us = 2000000;
    doctor_check_trial(doctor, NULL, &r, &t);
    assert_finding(1, "speed.slow", FINDING_WARN, "then 5.0 tokens/s", "Qwen2.5-Coder 1.5B",
                   "shelf pull qwen2.5-coder:1.5b"); /* smaller than the 3 GB of this one */
    t.pauses_us = 100000;
    doctor_check_trial(doctor, NULL, &r, &t);
    assert_finding(3, "speed", FINDING_OK, "first text after 20 ms, then 100 tokens/s", "", "");
    t.first_ms = 2500;
    doctor_check_trial(doctor, NULL, &r, &t);
    assert_finding(5, "speed.slow", FINDING_WARN, "after 2500 ms", "", "");
    model.n_bytes = 100000000; /* there is no smaller one to name */
    doctor_check_trial(doctor, NULL, &r, &t);
    assert_int_equal(finding(7)->command.len, 0);
    t.n_pauses = 1; /* says nothing about a rate */
    t.first_ms = 20;
    doctor_check_trial(doctor, NULL, &r, &t);
    assert_int_equal(n_findings(), 9);
}

static void chats_never_fail_the_main_job(void **state)
{
    (void)state;
    struct route r = route_to(put_model(&shelf), ROLE_CHAT);
    struct error error;
    struct doctor_trial t = trial_of(HOLE_CODE, "Ready.");
    doctor_check_chat(doctor, &r, &t, STR("ready"));
    assert_finding(0, "trial.chat", FINDING_OK, "40 ms", "", "");
    t = trial_of(HOLE_CODE, "def x");
    doctor_check_chat(doctor, &r, &t, STR("ready"));
    assert_finding(1, "trial.chat", FINDING_WARN, "\"def x\"", "models.chat", "");
    t = trial_of(HOLE_NOTHING, "");
    doctor_check_chat(doctor, &r, &t, STR("ready"));
    assert_finding(2, "trial.chat", FINDING_WARN, "said nothing", "", "");
    error_set(&error, ERR_TIMEOUT, "too late");
    t.error = &error;
    doctor_check_chat(doctor, &r, &t, STR("ready"));
    assert_finding(3, "trial.chat", FINDING_WARN, "too late", "", "");
}

static void two_programs_are_told_from_one(void **state)
{
    (void)state;
    static const struct {
        uint64_t wanted, before, after;
        const char *id, *said; /* NULL: nothing to say */
    } cases[] = {
        {0, 4096, 4096, NULL, NULL},
        {0, 0, 4096, NULL, NULL},
        {4096, 4096, 4096, NULL, NULL},
        {4096, 0, 4096, NULL, NULL},
        {4096, 8192, 4096, "contention", "was loaded with a context of 8192"},
        {4096, 4096, 8192, "contention", "now it is loaded with 8192"},
        {8192, 4096, 4096, "contention.given", "its server gives it no more"},
        {8192, 0, 4096, "contention.given", "loaded with 4096"},
        {0, 4096, 16384, "contention", "16384 tokens instead of 4096"},
        {0, 4096, 0, "contention.unloaded", "was unloaded"},
    };
    size_t n = 0;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct doctor_context c = {.endpoint = STR("e"),
                                   .model = STR("m"),
                                   .wanted = cases[i].wanted,
                                   .before = cases[i].before,
                                   .after = cases[i].after};
        doctor_check_contention(doctor, &c);
        if (cases[i].id != NULL) {
            assert_finding(n++, cases[i].id, FINDING_WARN, cases[i].said, "", "");
            bool is_about_numbers = strcmp(cases[i].id, "contention.unloaded") != 0;
            assert_has(finding(n - 1)->command, is_about_numbers ? "\"numCtx\": \"auto\"" : "");
        }
        assert_int_equal(n_findings(), n);
    }
}

/* -- privacy -- */

static void every_address_is_named_with_its_rule(void **state)
{
    (void)state;
    str names[] = {STR("near/fwd")};
    struct settings s = {.n_refs = 1, .privacy_redact = true};
    struct model_info forwarded = {.id = STR("fwd"), .is_remote = true};
    struct endpoint *near = put("near", &shelf, "http://127.0.0.1:1");
    near->models = &forwarded;
    near->n_models = 1;
    doctor_check_privacy(doctor, NULL, &s);
    assert_finding(0, "privacy.endpoint", FINDING_OK, "on this machine", "", "");
    assert_finding(1, "privacy.forwarded", FINDING_OK, "never used", "", "");
    assert_finding(2, "privacy.nothing_leaves", FINDING_OK, "no code leaves", "", "");
    s.models_chat = names;
    s.n_models_chat = 1;
    put("far", &plain, "https://h:443")->tier = TIER_CLOUD;
    put("shut", &plain, "https://s:443")->tier = TIER_CLOUD;
    places[2].state = ENDPOINT_BLOCKED;
    s.privacy_redact = false;
    doctor_check_privacy(doctor, NULL, &s);
    assert_finding(5, "privacy.forwarded", FINDING_OK, "your own file names it", "", "");
    assert_finding(6, "privacy.endpoint", FINDING_WARN, "on the internet", "blanked",
                   "\"redactSecrets\": true");
    assert_finding(7, "privacy.endpoint", FINDING_OK, "sent nothing, blocked", "", "");
    assert_finding(8, "privacy.exclude", FINDING_OK, ".env", "", "");
    assert_int_equal(n_findings(), 9);
}

static void running_servers_say_what_they_may_not_use(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct json stats;
    assert_int_equal(
        json_parse(STR("{\"server\":{\"pid\":12,\"editor\":\"Ed\"},\"status\":{\"kind\":"
                       "\"warning\",\"message\":\"no model\"},\"endpoints\":[{\"name\":\"t\","
                       "\"origin\":\"https://t:443\",\"state\":\"blocked\",\"cause\":\"consent\"},"
                       "{\"name\":\"k\",\"state\":\"blocked\",\"message\":\"key refused\"},"
                       "{\"name\":\"fine\",\"state\":\"ready\"}]}"),
                   &arena, &stats, NULL),
        ERR_OK);
    doctor_check_server(doctor, stats);
    assert_finding(0, "server", FINDING_WARN, "running for Ed; no model", "", "status");
    assert_finding(1, "server.consent", FINDING_WARN, "t at https://t:443", "Allow", "endpoints");
    assert_finding(2, "server.blocked", FINDING_WARN, "k: key refused", "", "");
    assert_true(str_eq(finding(0)->subject, STR("server 12")));
    assert_int_equal(n_findings(), 3);
    arena_release(&arena);
    doctor_check_server(doctor, (struct json){0}); /* whatever it says */
    assert_int_equal(n_findings(), 4);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(findings_are_clean_lines),
        TEST(json_joins_the_next_step_and_its_command),
        TEST(each_cause_has_its_own_remedy),
        TEST(servers_elsewhere_are_not_started_from_here),
        TEST(clocks_are_compared),
        TEST(ports_without_a_server_are_listed),
        TEST(proxies_are_not_for_this_machine),
        TEST(problems_are_told_by_their_path),
        TEST(what_a_project_takes_away_is_said),
        TEST(folders_are_judged),
        TEST(missing_models_are_named_with_their_command),
        TEST(role_without_a_model_fails_only_for_typing),
        TEST(context_is_compared_with_what_a_window_needs),
        TEST(context_that_is_chosen_at_each_load_counts_once_loaded),
        TEST(who_only_chats_may_be_named_and_a_tokenizer_is_the_reason),
        TEST(template_of_the_settings_is_held_against_the_tokenizer),
        TEST(loads_are_told_by_how_they_went),
        TEST(texts_are_judged),
        TEST(trials_are_told_by_their_verdicts),
        TEST(failures_of_a_trial_have_their_own_steps),
        TEST(slowness_is_measured_and_a_smaller_model_named),
        TEST(chats_never_fail_the_main_job),
        TEST(two_programs_are_told_from_one),
        TEST(every_address_is_named_with_its_rule),
        TEST(running_servers_say_what_they_may_not_use),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
