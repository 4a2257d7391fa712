/* settings_guard_test.c - what each source may say: guarded keys, consent, and projects that may
 * only narrow. */
#include "tests/unit/core/settings/put.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <unistd.h>

#include "core/base/memory.h"

/* -- helpers -- */

/* A snapshot of `json` from one source alone, for the caller to unref. */
static struct settings *only(enum settings_source source, const char *json)
{
    struct settings_builder *b = settings_builder_create();
    put(b, source, json);
    struct settings *s = settings_builder_snapshot(b);
    settings_builder_destroy(b);
    return s;
}

#define assert_str(got, want) assert_true(str_eq((got), str_from(want)))

/* -- who may say what -- */

enum verdict { TAKEN, REFUSED };

static void settings_guarded_keys_by_source(void **state)
{
    (void)state;
#define EP(member)                                                                                 \
    "{\"endpoints\": [{\"name\": \"n\", \"kind\": \"k\", \"url\": \"http://[::1]:1\", " member "}" \
    "]"                                                                                            \
    "}"
    static const struct {
        const char *json, *path;
        enum verdict by[N_SETTINGS_SOURCES]; /* user's file, init, live, project */
    } rows[] = {
        {"{\"endpoints\": []}", "endpoints", {TAKEN, TAKEN, TAKEN, REFUSED}},
        {EP("\"apiKeyFile\": \"/k\""), "apiKeyFile", {TAKEN, REFUSED, REFUSED, REFUSED}},
        {EP("\"apiKeyEnv\": \"K\""), "apiKeyEnv", {TAKEN, REFUSED, REFUSED, REFUSED}},
        {EP("\"apiKeyCommand\": [\"k\"]"), "apiKeyCommand", {TAKEN, REFUSED, REFUSED, REFUSED}},
        {EP("\"headers\": {\"X\": \"y\"}"), "headers", {TAKEN, REFUSED, REFUSED, REFUSED}},
        {EP("\"extraBody\": {\"x\": 1}"), "extraBody", {TAKEN, REFUSED, REFUSED, REFUSED}},
        {EP("\"proxy\": \"http://p\""), "proxy", {TAKEN, REFUSED, REFUSED, REFUSED}},
        {EP("\"caFile\": \"/ca\""), "caFile", {TAKEN, REFUSED, REFUSED, REFUSED}},
        {EP("\"clientCert\": \"/c\""), "clientCert", {TAKEN, REFUSED, REFUSED, REFUSED}},
        {EP("\"clientKey\": \"/k\""), "clientKey", {REFUSED, REFUSED, REFUSED, REFUSED}},
        {EP("\"proxy\": \"socks5h://u:p@p:1\""), "proxy", {TAKEN, REFUSED, REFUSED, REFUSED}},
        {EP("\"proxy\": \"p:3128\""), "proxy", {TAKEN, REFUSED, REFUSED, REFUSED}},
        {EP("\"proxy\": \"ftp://p\""), "proxy", {REFUSED, REFUSED, REFUSED, REFUSED}},
        {EP("\"proxy\": \"\", \"headers\": {}"), "", {TAKEN, TAKEN, TAKEN, REFUSED}},
        {EP("\"models\": [\"m\"]"), "", {TAKEN, TAKEN, TAKEN, REFUSED}},
        {"{\"models\": {\"inline\": [\"a/b\"]}}", "", {TAKEN, TAKEN, TAKEN, REFUSED}},
        {"{\"models\": {\"inlineManual\": [\"a/b\"]}}", "", {TAKEN, TAKEN, TAKEN, REFUSED}},
        {"{\"models\": {\"chat\": [\"a/b\"]}}", "", {TAKEN, TAKEN, TAKEN, REFUSED}},
        {"{\"models\": {\"embed\": [\"a/b\"]}}", "", {TAKEN, TAKEN, TAKEN, REFUSED}},
        {"{\"modelOptions\": {\"*\": {}}}", "", {TAKEN, TAKEN, TAKEN, REFUSED}},
        {"{\"actions\": []}", "", {TAKEN, TAKEN, TAKEN, REFUSED}},
        {"{\"cache\": {\"shared\": \"valkey://h\"}}", "", {TAKEN, REFUSED, REFUSED, REFUSED}},
        {"{\"cache\": {\"sharedKeyFile\": \"/k\"}}", "", {TAKEN, REFUSED, REFUSED, REFUSED}},
        {"{\"log\": {\"file\": \"/l\"}}", "", {TAKEN, REFUSED, REFUSED, REFUSED}},
        {"{\"log\": {\"level\": \"debug\"}}", "", {TAKEN, TAKEN, TAKEN, REFUSED}},
        {"{\"dashboard\": {\"enabled\": true}}", "", {TAKEN, REFUSED, REFUSED, REFUSED}},
        {"{\"dashboard\": {\"port\": 80}}", "", {TAKEN, REFUSED, REFUSED, REFUSED}},
        {"{\"privacy\": {\"redactSecrets\": false}}", "", {TAKEN, REFUSED, REFUSED, REFUSED}},
        {"{\"privacy\": {\"redactSecrets\": true}}", "", {TAKEN, TAKEN, TAKEN, TAKEN}},
        {"{\"privacy\": {\"exclude\": [\"x\"]}}", "", {TAKEN, TAKEN, TAKEN, TAKEN}},
        {"{\"exclude\": [\"x\"]}", "", {REFUSED, REFUSED, REFUSED, TAKEN}},
        {"{\"enable\": false}", "", {REFUSED, REFUSED, REFUSED, TAKEN}},
        {"{\"enable\": true}", "", {REFUSED, REFUSED, REFUSED, REFUSED}},
        {"{\"languages\": {\"c\": {\"inline\": false}}}", "", {TAKEN, TAKEN, TAKEN, TAKEN}},
        {"{\"languages\": {\"c\": {\"inline\": true}}}", "", {TAKEN, TAKEN, TAKEN, REFUSED}},
        {"{\"limits\": {\"inlineFileMb\": 1}}", "", {TAKEN, TAKEN, TAKEN, TAKEN}},
        {"{\"inline\": {\"enabled\": false}}", "", {TAKEN, TAKEN, TAKEN, REFUSED}},
        {"{\"inline\": {\"maxTokens\": 5}}", "", {TAKEN, TAKEN, TAKEN, TAKEN}},
        {"{\"cache\": {\"disk\": true}}", "", {TAKEN, TAKEN, TAKEN, REFUSED}},
        {"{\"upstream\": {\"retries\": 1}}", "", {TAKEN, TAKEN, TAKEN, TAKEN}},
        {"{\"statistics\": {\"enabled\": true}}", "", {TAKEN, TAKEN, TAKEN, REFUSED}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (unsigned source = 0; source < N_SETTINGS_SOURCES; source++) {
            struct settings_builder *b = settings_builder_create();
            put(b, (enum settings_source)source, rows[i].json);
            if (n_problems(b) != (rows[i].by[source] == REFUSED ? 1 : 0)) {
                fail_msg("%s by source %u: %zu problems", rows[i].json, source, n_problems(b));
            }
            const struct settings_problem *p;
            for (size_t j = settings_builder_problems(b, &p); j > 0; j--) {
                assert_int_equal(p[j - 1].source, source);
            }
            settings_builder_destroy(b);
        }
    }
}

static void settings_endpoint_members_are_left_out(void **state)
{
    (void)state;
    static const char json[] =
        EP("\"apiKeyFile\": \"/k\", \"apiKeyEnv\": \"K\", \"apiKeyCommand\": "
           "[\"c\"], \"headers\": {\"A\": \"b\"}, \"proxy\": \"http://p\", "
           "\"caFile\": \"/ca\", \"clientCert\": \"/c\", \"clientKey\": \"/k\", "
           "\"extraBody\": {\"x\": 1}");
    for (unsigned source = SETTINGS_INIT; source <= SETTINGS_LIVE; source++) {
        struct settings *s = only((enum settings_source)source, json);
        assert_int_equal(s->n_endpoints, 1);
        const struct endpoint_settings *e = s->endpoints;
        assert_str(e->url, "http://[::1]:1");
        assert_int_equal(e->api_key_file.len + e->api_key_env.len + e->n_api_key_command, 0);
        assert_int_equal(e->n_headers + e->proxy.len + e->ca_file.len + e->extra_body.len, 0);
        assert_int_equal(e->client_cert.len + e->client_key.len, 0);
        assert_false(e->needs_consent);
        settings_unref(s);
    }
}

static void settings_remote_endpoints_need_consent(void **state)
{
    (void)state;
    static const struct {
        const char *url;
        int place; /* 0 invalid, 1 loopback, 2 remote */
    } rows[] = {
        {"http://127.0.0.1:11434", 1},
        {"http://127.255.3.4", 1},
        {"https://localhost/v1", 1},
        {"http://LOCALHOST:1", 1},
        {"http://[::1]:8080/x", 1},
        {"http://127.0.0.1.evil.com", 2},
        {"http://localhost.evil.com", 2},
        {"http://localhost.", 2},
        {"http://127.1", 2},
        {"http://0127.0.0.1", 2},
        {"http://127.0.0.01", 2},
        {"http://127.0.0.256", 2},
        {"http://127.0.0.1.", 2},
        {"http://2130706433", 2},
        {"http://0.0.0.0", 2},
        {"http://[::ffff:127.0.0.1]", 2},
        {"http://[::1%25lo]", 0},
        {"http://192.168.1.2", 2},
        {"https://models.example.com/v1", 2},
        {"", 2}, /* the default address of its kind, whatever that is */
        {"http://user@127.0.0.1", 0},
        {"http://127.0.0.1:80@evil.com", 0},
        {"http://", 0},
        {"http:///x", 0},
        {"ftp://127.0.0.1", 0},
        {"file:///etc/passwd", 0},
        {"HTTP://127.0.0.1", 0},
        {"http://127.0.0.1\\\\@evil.com", 0},
        {"http://127.0.0.1?x=y", 0},
        {"http://127.0.0.1#@evil.com", 0},
        {"http://127.0.0.1:0", 0},
        {"http://127.0.0.1:65536", 0},
        {"http://127.0.0.1:", 0},
        {"http://a b", 0},
        {"http://127.0.0.1%2eevil.com", 0},
        {"http://[::1", 0},
        {"http://[::1]x", 0},
        {"http://b\xC3\xBC.de", 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char json[256];
        snprintf(json, sizeof json,
                 "{\"endpoints\": [{\"name\": \"n\", \"kind\": \"k\", \"url\": \"%s\"}]}",
                 rows[i].url);
        for (unsigned source = 0; source <= SETTINGS_LIVE; source++) {
            struct settings *s = only((enum settings_source)source, json);
            if (s->n_endpoints != (rows[i].place != 0) ||
                (s->n_endpoints > 0 &&
                 s->endpoints[0].needs_consent != (rows[i].place == 2 && source > 0))) {
                fail_msg("%s from source %u: %zu endpoints", rows[i].url, source, s->n_endpoints);
            }
            settings_unref(s);
        }
    }
}

static void settings_project_only_narrows(void **state)
{
    (void)state;
    struct settings_builder *b = settings_builder_create();
    put(b, SETTINGS_USER_FILE,
        "{\"limits\": {\"inlineFileMb\": 5}, \"inline\": {\"maxTokens\": 50},"
        "\"cache\": {\"entries\": 100, \"ttl\": \"1m\"}, \"hover\": {\"model\": \"on\"},"
        "\"privacy\": {\"exclude\": [\"a\"], \"redactSecrets\": false}}");
    put(b, SETTINGS_PROJECT,
        "{\"limits\": {\"inlineFileMb\": 6, \"contextFileMb\": 0.5},"
        "\"inline\": {\"maxTokens\": 60}, \"cache\": {\"entries\": 10, \"ttl\": 1},"
        "\"exclude\": [\"b\"], \"privacy\": {\"exclude\": [\"c\"], \"redactSecrets\": true},"
        "\"languages\": {\"c\": {\"inline\": false}}, \"enable\": false}");
    assert_int_equal(n_problems(b), 0);
    struct settings *s = settings_builder_snapshot(b);
    assert_int_equal(s->inline_file_bytes, 5 << 20);
    assert_int_equal(s->context_file_bytes, 1 << 19);
    assert_int_equal(s->inline_max_tokens, 50);
    assert_int_equal(s->cache_entries, 10);
    assert_true(s->cache_ttl_us == 1000);
    assert_int_equal(s->n_privacy_exclude, 3);
    assert_true(s->privacy_redact);
    assert_false(settings_language_is_on(s, STR("c")));
    assert_false(s->inline_enabled);
    assert_int_equal(s->completion_enabled, TOGGLE_OFF);
    assert_int_equal(s->hover, HOVER_OFF);
    settings_unref(s);
    settings_builder_destroy(b);
}

static void settings_project_that_names_a_language_switches_nothing_on(void **state)
{
    (void)state;
    static const char *const projects[] = {
        "{\"languages\": {\"c\": {}}}", "{\"languages\": {\"c\": {\"inline\": null}}}",
        "{\"languages\": {\"c\": {\"inline\": true}}}", "{\"languages\": {\"c\": {\"x\": 1}}}"};
    for (size_t i = 0; i < sizeof projects / sizeof *projects; i++) {
        struct settings_builder *b = settings_builder_create();
        put(b, SETTINGS_USER_FILE, "{\"languages\": {\"c\": {\"inline\": false}}}");
        put(b, SETTINGS_PROJECT, projects[i]);
        struct settings *s = settings_builder_snapshot(b);
        assert_false(settings_language_is_on(s, STR("c")));
        settings_unref(s);
        settings_builder_destroy(b);
    }
}

/* -- the projects of several folders -- */

#define N_FOLDERS 3

struct folders {
    char paths[N_FOLDERS][64];
    str list[N_FOLDERS];
    struct settings_builder *b;
};

static void write_project(struct folders *f, size_t i, const char *json)
{
    char path[128];
    (void)snprintf(path, sizeof path, "%s/.crucible.json", f->paths[i]);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(json, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void folders_setup(struct folders *f)
{
    f->b = settings_builder_create();
    for (size_t i = 0; i < N_FOLDERS; i++) {
        (void)snprintf(f->paths[i], sizeof f->paths[i], "/tmp/crucible-settings-XXXXXX");
        assert_non_null(mkdtemp(f->paths[i]));
        f->list[i] = str_from(f->paths[i]);
    }
}

static void folders_teardown(struct folders *f)
{
    char path[128];
    for (size_t i = 0; i < N_FOLDERS; i++) {
        (void)snprintf(path, sizeof path, "%s/.crucible.json", f->paths[i]);
        (void)unlink(path);
        assert_int_equal(rmdir(f->paths[i]), 0);
    }
    settings_builder_destroy(f->b);
}

static void settings_projects_of_all_folders_narrow(void **state)
{
    (void)state;
    struct folders f;
    folders_setup(&f);
    /* What one says wrongly takes nothing from the others, wherever it stands. */
    write_project(&f, 0, "{\"exclude\": 5, \"limits\": [], \"inline\": {\"maxTokens\": 90}}");
    write_project(&f, 1, "{\"exclude\": [\"own\"], \"limits\": {\"inlineFileMb\": 2}}");
    write_project(&f, 2,
                  "{\"exclude\": [\"other\"], \"limits\": {\"inlineFileMb\": 3},"
                  "\"languages\": {\"c\": {\"inline\": false}}}");
    settings_builder_read_projects(f.b, f.list, N_FOLDERS);
    assert_int_equal(n_problems(f.b), 2);
    struct settings *s = settings_builder_snapshot(f.b);
    assert_true(settings_excludes(s, STR("/w/own")) && settings_excludes(s, STR("/w/other")));
    assert_int_equal(s->inline_file_bytes, 2 << 20);
    assert_int_equal(s->inline_max_tokens, 90);
    assert_false(settings_language_is_on(s, STR("c")));
    settings_unref(s);
    folders_teardown(&f);
}

static void settings_folder_that_goes_takes_its_project_along(void **state)
{
    (void)state;
    struct folders f;
    folders_setup(&f);
    write_project(&f, 0, "{\"exclude\": [\"a\"]}");
    write_project(&f, 1, "{\"exclude\": [\"b\"]}");
    settings_builder_read_projects(f.b, f.list, N_FOLDERS);
    write_project(&f, 1, "{\"exclude\": ["); /* malformed: the last good one holds */
    settings_builder_read_projects(f.b, f.list + 1, N_FOLDERS - 1);
    assert_int_equal(n_problems(f.b), 1);
    struct settings *s = settings_builder_snapshot(f.b);
    assert_int_equal(s->n_privacy_exclude, 1);
    assert_true(settings_excludes(s, STR("/w/b")));
    settings_unref(s);
    settings_builder_read_projects(f.b, NULL, 0);
    s = settings_builder_snapshot(f.b);
    assert_int_equal(s->n_privacy_exclude, 0);
    settings_unref(s);
    folders_teardown(&f);
}

static void settings_larger_than_a_file_may_be_are_refused(void **state)
{
    (void)state;
    struct buf json;
    struct settings_builder *b = settings_builder_create();
    buf_init(&json, 8 << 20);
    buf_append(&json, STR("{\"inline\": {\"maxTokens\": 5}"));
    for (unsigned i = 0; i < 100000; i++) {
        buf_appendf(&json, ", \"unknown.%u\": 0", i);
    }
    buf_append(&json, STR("}"));
    put(b, SETTINGS_INIT, "{\"inline\": {\"maxTokens\": 7}}");
    put(b, SETTINGS_INIT, buf_cstr(&json));
    assert_int_equal(n_problems(b), 1);
    struct settings *s = settings_builder_snapshot(b);
    assert_int_equal(s->inline_max_tokens, 7);
    settings_unref(s);
    settings_builder_destroy(b);
    buf_release(&json);
}

/* -- a random project changes nothing that is guarded -- */

static uint64_t rng_state;

static size_t rng_below(size_t n)
{
    uint64_t z = (rng_state += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return (size_t)((z ^ (z >> 31)) % n);
}

static const char user_file[] =
    "{\"endpoints\": [{\"name\": \"work\", \"kind\": \"k\", \"url\": "
    "\"https://models.example.com\","
    "\"apiKeyEnv\": \"KEY\", \"headers\": {\"X-Team\": \"a\"}, \"proxy\": \"http://p\","
    "\"caFile\": \"/ca\", \"models\": [\"m\"]}], \"models\": {\"inline\": [\"work/m\"]},"
    "\"modelOptions\": {\"work/*\": {\"temperature\": 0}}, \"log\": {\"file\": \"/l\"},"
    "\"cache\": {\"entries\": 50}, \"languages\": {\"c\": {\"inline\": false}},"
    "\"privacy\": {\"exclude\": [\"x\"], \"redactSecrets\": false}}";

static const char evil_endpoint[] =
    "[{\"name\": \"work\", \"kind\": \"openai\", \"url\": \"http://evil.example\", "
    "\"apiKeyFile\": \"/home/someone/work.key\"}]";

static void random_value(struct buf *out)
{
    static const char *const values[] = {"true",
                                         "false",
                                         "null",
                                         "0",
                                         "1",
                                         "100000",
                                         "-5",
                                         "0.1",
                                         "\"auto\"",
                                         "\"/tmp/evil\"",
                                         "\"http://evil.example\"",
                                         "[]",
                                         "[\"evil/model\"]",
                                         "{}",
                                         "\"off\"",
                                         "\"debug\"",
                                         evil_endpoint,
                                         "[{\"name\": \"l\", \"kind\": \"ollama\", \"url\": "
                                         "\"http://127.0.0.1:1\", \"proxy\": \"http://evil\"}]",
                                         "{\"*\": {\"system\": \"evil\"}}",
                                         "{\"c\": {\"inline\": true}}",
                                         "{\"c\": {}}",
                                         "[\"**\"]",
                                         "\"1d\""};
    buf_append(out, str_from(values[rng_below(sizeof values / sizeof *values)]));
}

static void random_project(struct buf *out)
{
    static const char *const groups[] = {
        "models",   "inline",  "completion", "hover",      "residency", "dedup", "cache",
        "upstream", "privacy", "limits",     "statistics", "dashboard", "log"};
    static const char *const leaves[] = {
        "inline",        "inlineManual",  "chat",    "embed",        "enabled",       "trigger",
        "budget",        "maxTokens",     "model",   "entries",      "ttl",           "shared",
        "sharedKeyFile", "redactSecrets", "exclude", "inlineFileMb", "contextFileMb", "file",
        "level",         "port",          "proxy",   "retries",      "maxConnections"};
    static const char *const tops[] = {"endpoints", "modelOptions", "actions",    "languages",
                                       "enable",    "exclude",      "apiKeyFile", "proxy"};
    buf_clear(out);
    buf_append(out, STR("{"));
    for (size_t n = rng_below(12); n > 0; n--) {
        if (rng_below(3) == 0) {
            buf_appendf(out, "\"%s\": ", tops[rng_below(sizeof tops / sizeof *tops)]);
            random_value(out);
        } else {
            buf_appendf(out, "\"%s\": {", groups[rng_below(sizeof groups / sizeof *groups)]);
            for (size_t m = rng_below(4); m > 0; m--) {
                buf_appendf(out, "\"%s\": ", leaves[rng_below(sizeof leaves / sizeof *leaves)]);
                random_value(out);
                buf_append(out, STR(","));
            }
            buf_append(out, STR("}"));
        }
        buf_append(out, STR(","));
    }
    buf_append(out, STR("}"));
}

static void assert_same_strs(const str *a, size_t n_a, const str *b, size_t n_b)
{
    assert_int_equal(n_a, n_b);
    for (size_t i = 0; i < n_a; i++) {
        assert_true(str_eq(a[i], b[i]));
    }
}

static void assert_same_endpoints(const struct settings *a, const struct settings *b)
{
    assert_int_equal(a->n_endpoints, b->n_endpoints);
    for (size_t i = 0; i < a->n_endpoints; i++) {
        const struct endpoint_settings *x = &a->endpoints[i], *y = &b->endpoints[i];
        const str xs[] = {x->name,  x->kind,    x->url,        x->api_key_file, x->api_key_env,
                          x->proxy, x->ca_file, x->extra_body, x->client_cert,  x->client_key};
        const str ys[] = {y->name,  y->kind,    y->url,        y->api_key_file, y->api_key_env,
                          y->proxy, y->ca_file, y->extra_body, y->client_cert,  y->client_key};
        assert_same_strs(xs, 10, ys, 10);
        assert_same_strs(x->headers, x->n_headers, y->headers, y->n_headers);
        assert_same_strs(x->models, x->n_models, y->models, y->n_models);
        assert_same_strs(x->api_key_command, x->n_api_key_command, y->api_key_command,
                         y->n_api_key_command);
        assert_int_equal(x->needs_consent, y->needs_consent);
    }
}

static void assert_not_wider(const struct settings *a, const struct settings *b)
{
    assert_same_strs(a->models_inline, a->n_models_inline, b->models_inline, b->n_models_inline);
    assert_same_strs(a->models_chat, a->n_models_chat, b->models_chat, b->n_models_chat);
    assert_same_strs(a->models_inline_manual, a->n_models_inline_manual, b->models_inline_manual,
                     b->n_models_inline_manual);
    assert_int_equal(a->n_model_options, b->n_model_options);
    assert_true(str_eq(a->log_file, b->log_file) && str_eq(a->log_level, b->log_level));
    assert_true(b->inline_file_bytes <= a->inline_file_bytes);
    assert_true(b->context_file_bytes <= a->context_file_bytes);
    assert_true(b->inline_max_tokens <= a->inline_max_tokens);
    assert_true(b->cache_entries <= a->cache_entries && b->cache_ttl_us <= a->cache_ttl_us);
    assert_true(b->upstream_connections <= a->upstream_connections);
    assert_true(b->upstream_retries <= a->upstream_retries);
    assert_int_equal(b->upstream_breaker_failures, a->upstream_breaker_failures);
    assert_true(b->upstream_recovery_us == a->upstream_recovery_us);
    assert_int_equal(b->upstream_hedge, a->upstream_hedge);
    assert_int_equal(b->upstream_warm, a->upstream_warm);
    assert_true(b->n_privacy_exclude >= a->n_privacy_exclude);
    assert_true(b->n_languages_off >= a->n_languages_off);
    assert_true(b->privacy_redact >= a->privacy_redact);
    assert_true(b->inline_enabled <= a->inline_enabled);
}

static void settings_random_project_widens_nothing(void **state)
{
    (void)state;
    const char *seed = getenv("SEED"), *n = getenv("ITERATIONS");
    rng_state = seed ? strtoull(seed, NULL, 10) : 7;
    print_message("SEED=%llu\n", (unsigned long long)rng_state);
    struct settings_builder *b = settings_builder_create();
    put(b, SETTINGS_USER_FILE, user_file);
    struct settings *before = settings_builder_snapshot(b);
    struct buf json;
    buf_init(&json, 1 << 16);
    for (uint64_t left = n ? strtoull(n, NULL, 10) : 1000; left > 0; left--) {
        random_project(&json);
        put(b, SETTINGS_PROJECT, buf_cstr(&json));
        struct settings *after = settings_builder_snapshot(b);
        assert_same_endpoints(before, after);
        assert_not_wider(before, after);
        settings_unref(after);
    }
    buf_release(&json);
    settings_unref(before);
    settings_builder_destroy(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settings_guarded_keys_by_source),
        cmocka_unit_test(settings_endpoint_members_are_left_out),
        cmocka_unit_test(settings_remote_endpoints_need_consent),
        cmocka_unit_test(settings_project_only_narrows),
        cmocka_unit_test(settings_project_that_names_a_language_switches_nothing_on),
        cmocka_unit_test(settings_projects_of_all_folders_narrow),
        cmocka_unit_test(settings_folder_that_goes_takes_its_project_along),
        cmocka_unit_test(settings_larger_than_a_file_may_be_are_refused),
        cmocka_unit_test(settings_random_project_widens_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
