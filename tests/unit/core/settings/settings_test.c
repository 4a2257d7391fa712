/* settings_test.c - which source may say what, what is wrong with a value, and what comes of it. */
#include "tests/unit/core/settings/put.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "core/base/memory.h"

/* -- helpers -- */

static void assert_problem(const struct settings_builder *b, const char *path, const char *part)
{
    const struct settings_problem *p;
    size_t n = settings_builder_problems(b, &p);
    for (size_t i = 0; i < n; i++) {
        if (str_eq(p[i].path, str_from(path)) &&
            str_find(p[i].msg, str_from(part), 0) != SIZE_MAX) {
            return;
        }
    }
    fail_msg("no problem at \"%s\" saying \"%s\" among %zu, first %.*s: %.*s", path, part, n,
             n ? (int)p[0].path.len : 0, n ? p[0].path.ptr : "", n ? (int)p[0].msg.len : 0,
             n ? p[0].msg.ptr : "");
}

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

/* -- values -- */

static void settings_defaults_are_those_of_the_table(void **state)
{
    (void)state;
    struct settings_builder *b = settings_builder_create();
    struct settings *s = settings_builder_snapshot(b);
    assert_int_equal(n_problems(b), 0);
    assert_int_equal(s->n_endpoints, 0);
    assert_true(s->inline_enabled && !s->inline_manual_only && s->privacy_redact);
    assert_int_equal(s->inline_budget_ms, 250);
    assert_int_equal(s->inline_max_tokens, 128);
    assert_int_equal(s->inline_multiline, MULTILINE_AUTO);
    assert_int_equal(s->completion_enabled, TOGGLE_AUTO);
    assert_int_equal(s->hover, HOVER_CACHED);
    assert_int_equal(s->cache_entries, 500);
    assert_true(s->cache_ttl_us == 300000000u);
    assert_true(s->cache_disk && s->cache_disk_bytes == 256ull * 1024 * 1024);
    assert_int_equal(s->inline_file_bytes, 10485760);
    assert_int_equal(s->context_file_bytes, 1048576);
    assert_int_equal(s->upstream_connections, 10);
    assert_int_equal(s->upstream_retries, 3);
    assert_int_equal(s->upstream_breaker_failures, 5);
    assert_true(s->upstream_recovery_us == 60000000u);
    assert_false(s->upstream_hedge);
    assert_true(s->upstream_warm);
    assert_str(s->log_file, "");
    assert_str(s->log_level, "warn");
    settings_unref(s);
    settings_builder_destroy(b);
    settings_builder_destroy(NULL);
    settings_unref(NULL);
}

static const char full_file[] =
    "{ // a comment\n"
    "\"endpoints\": [{\"name\": \"ollama\", \"kind\": \"ollama\", \"url\": "
    "\"http://127.0.0.1:11434\"},"
    " {\"name\": \"work\", \"kind\": \"openai\", \"url\": \"https://models.example.com/v1\","
    "  \"apiKeyFile\": \"~/work.key\", \"apiKeyCommand\": [\"pass\", \"show\", \"work\"],"
    "  \"headers\": {\"X-Team\": \"a b\"}, \"paths\": {\"chat\": \"/c\"}, \"extraBody\": {\"a\": "
    "[1]},"
    "  \"proxy\": \"\", \"caFile\": \"\", \"models\": [\"coder-7b\"]}],"
    "\"models\": {\"inline\": [\"ollama/q:1.5b\", \"embedded\"], \"inlineManual\": [],"
    "  \"chat\": [\"work/coder-7b\"], \"embed\": []},"
    "\"modelOptions\": {\"ollama/qwen*\": {\"numCtx\": \"auto\", \"temperature\": 0.1,"
    "  \"stop\": [\"\\n\\n\"], \"fim\": \"chat\", \"system\": \"\"}},"
    "\"inline\": {\"enabled\": true, \"trigger\": \"manual\", \"debounce\": \"auto\", \"budget\": "
    "\"1s\","
    "  \"maxTokens\": 64, \"multiline\": \"never\", \"prefetch\": true},"
    "\"completion\": {\"enabled\": false}, \"hover\": {\"model\": \"on\"},"
    "\"actions\": [{\"title\": \"Rust\", \"prompt\": \"a\\nb\", \"languages\": [\"c\"], "
    "\"output\": \"replace\"}],"
    "\"residency\": {\"maxLoadedModels\": \"auto\", \"modelTtl\": \"10m\", \"preloadEnabled\": "
    "true,"
    "  \"persistentModels\": [], \"vramBudgetMb\": \"auto\"},"
    "\"dedup\": {\"similarityThreshold\": 0.9, \"adaptive\": false},"
    "\"cache\": {\"entries\": 7, \"ttl\": 1500, \"disk\": true, \"diskMaxMb\": 256, \"shared\": "
    "\"\"},"
    "\"upstream\": {\"maxConnections\": 10, \"retries\": 3, \"breakerFailures\": 5,"
    "  \"breakerRecovery\": \"60s\", \"hedge\": false},"
    "\"privacy\": {\"exclude\": [\"hidden/\"], \"redactSecrets\": false},"
    "\"limits\": {\"inlineFileMb\": 2, \"contextFileMb\": 0.5}, \"statistics\": {\"enabled\": "
    "true},"
    "\"log\": {\"file\": \"/tmp/x.log\", \"level\": \"info\"},"
    "\"languages\": {\"markdown\": {\"inline\": false}}, }";

static void settings_read_every_documented_key(void **state)
{
    (void)state;
    setenv("HOME", "/home/someone", 1);
    struct settings_builder *b = settings_builder_create();
    put(b, SETTINGS_USER_FILE, full_file);
    assert_int_equal(n_problems(b), 0);
    struct settings *s = settings_builder_snapshot(b);
    assert_int_equal(s->n_endpoints, 2);
    const struct endpoint_settings *e = &s->endpoints[1];
    assert_str(e->url, "https://models.example.com/v1");
    assert_str(e->api_key_file, "/home/someone/work.key");
    assert_int_equal(e->n_api_key_command, 3);
    assert_str(e->api_key_command[2], "work");
    assert_str(e->headers[0], "X-Team: a b");
    assert_str(e->extra_body, "{\"a\": [1]}");
    assert_str(e->models[0], "coder-7b");
    assert_false(e->needs_consent);
    assert_int_equal(s->n_models_inline, 2);
    assert_str(s->models_inline[1], "embedded");
    assert_str(s->models_chat[0], "work/coder-7b");
    assert_true(s->inline_manual_only);
    assert_int_equal(s->inline_budget_ms, 1000);
    assert_true(s->similarity_threshold == 0.9);
    assert_false(s->similarity_adaptive);
    assert_int_equal(s->inline_max_tokens, 64);
    assert_int_equal(s->inline_multiline, MULTILINE_NEVER);
    assert_int_equal(s->completion_enabled, TOGGLE_OFF);
    assert_int_equal(s->hover, HOVER_ON);
    assert_int_equal(s->cache_entries, 7);
    assert_true(s->cache_ttl_us == 1500000);
    assert_false(s->privacy_redact);
    assert_int_equal(s->context_file_bytes, 524288);
    assert_str(s->log_file, "/tmp/x.log");
    assert_str(s->log_level, "info");
    assert_false(settings_language_is_on(s, STR("markdown")));
    assert_true(settings_language_is_on(s, STR("c")));
    settings_unref(s);
    settings_builder_destroy(b);
}

static void settings_upstream_fills_its_fields(void **state)
{
    (void)state;
    struct settings *s = only(
        SETTINGS_USER_FILE,
        "{\"upstream\": {\"maxConnections\": 3, \"retries\": 0,"
        "\"breakerFailures\": 9, \"breakerRecovery\": \"2m\", \"hedge\": true, \"warm\": false}}");
    assert_int_equal(s->upstream_connections, 3);
    assert_int_equal(s->upstream_retries, 0);
    assert_int_equal(s->upstream_breaker_failures, 9);
    assert_true(s->upstream_recovery_us == 120000000u);
    assert_true(s->upstream_hedge);
    assert_false(s->upstream_warm);
    settings_unref(s);
}

static void settings_model_options_take_the_first_pattern(void **state)
{
    (void)state;
    struct settings *s =
        only(SETTINGS_USER_FILE, "{\"modelOptions\": {\"ollama/qwen*\": {\"temperature\": 0.5},"
                                 "\"*\": {\"fim\": \"infill\", \"stop\": [\"x\", \"y\"]}}}");
    assert_true(settings_model_options(s, STR("ollama/qwen2.5/a:7b"))->temperature > 0.4);
    const struct model_options *any = settings_model_options(s, STR("work/org/model"));
    assert_str(any->fim, "infill");
    assert_int_equal(any->n_stops, 2);
    assert_true(any->temperature < 0);
    settings_unref(s);
    s = only(SETTINGS_USER_FILE, "{}");
    assert_str(settings_model_options(s, STR("a/b"))->fim, "auto");
    settings_unref(s);
}

static void settings_later_sources_win(void **state)
{
    (void)state;
    struct settings_builder *b = settings_builder_create();
    put(b, SETTINGS_LIVE,
        "{\"inline\": {\"budget\": 300}, \"languages\": {\"c\": {\"inline\": true}}}");
    put(b, SETTINGS_USER_FILE,
        "{\"inline\": {\"budget\": 100, \"maxTokens\": 9},"
        "\"languages\": {\"c\": {\"inline\": false}, \"go\": {\"inline\": false}}}");
    put(b, SETTINGS_INIT, "{\"inline\": {\"budget\": 200, \"maxTokens\": null}}");
    struct settings *s = settings_builder_snapshot(b);
    assert_int_equal(s->inline_budget_ms, 300);
    assert_int_equal(s->inline_max_tokens, 9);
    assert_true(settings_language_is_on(s, STR("c")));
    assert_false(settings_language_is_on(s, STR("go")));
    settings_builder_put(b, SETTINGS_LIVE, (struct json){0});
    struct settings *next = settings_builder_snapshot(b);
    assert_int_equal(next->inline_budget_ms, 200);
    assert_int_equal(s->inline_budget_ms, 300); /* the old one stays as it was */
    assert_true(next->serial > s->serial);
    assert_ptr_equal(settings_ref(s), s);
    settings_unref(s);
    settings_unref(s);
    settings_unref(next);
    settings_builder_destroy(b);
}

/* -- what is wrong -- */

static void settings_name_what_is_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *json, *path, *part;
    } rows[] = {
        {"[]", "", "must be an object"},
        {"{\"inline\": 5}", "inline", "must be an object"},
        {"{\"inline\": {\"budget\": \"soon\"}}", "inline.budget", "milliseconds from 0 to 10000"},
        {"{\"inline\": {\"budget\": 10001}}", "inline.budget", "from 0 to 10000"},
        {"{\"inline\": {\"budget\": -1}}", "inline.budget", "from 0 to 10000"},
        {"{\"inline\": {\"budget\": \"1h\"}}", "inline.budget", "from 0 to 10000"},
        {"{\"inline\": {\"budget\": \"250\"}}", "inline.budget", "a string like"},
        {"{\"inline\": {\"budget\": \"auto\"}}", "inline.budget", "milliseconds"},
        {"{\"inline\": {\"debounce\": true}}", "inline.debounce", "or \"auto\""},
        {"{\"inline\": {\"maxTokens\": 1.5}}", "inline.maxTokens", "whole number of tokens"},
        {"{\"inline\": {\"maxTokens\": 1e300}}", "inline.maxTokens", "from 1 to 8192"},
        {"{\"inline\": {\"enabled\": \"yes\"}}", "inline.enabled", "true or false"},
        {"{\"inline\": {\"multiline\": \"often\"}}", "inline.multiline", "auto|always|never"},
        {"{\"completion\": {\"enabled\": \"true\"}}", "completion.enabled", "auto|true|false"},
        {"{\"inline\": {\"bugdet\": 1}}", "inline.bugdet", "did you mean \"inline.budget\"?"},
        {"{\"inlnie\": {\"budget\": 1}}", "inlnie", "did you mean \"inline\"?"},
        {"{\"maxTokens\": 1}", "maxTokens", "did you mean \"inline.maxTokens\"?"},
        {"{\"endpoint\": []}", "endpoint", "did you mean \"endpoints\"?"},
        {"{\"zzzzzz\": 1}", "zzzzzz", "is not a known key"},
        {"{\"a\\u0007b\": 1}", "a\\x07b", "is not a known key"},
        {"{\"inline.budget\": 1}", "inline.budget", "is not a known key"},
        {"{\"log\": {\"file\": \"x.log\"}}", "log.file", "absolute path"},
        {"{\"log\": {\"file\": \"/a\\nb\"}}", "log.file", "control characters"},
        {"{\"models\": {\"chat\": \"a/b\"}}", "models.chat", "list of at most"},
        {"{\"models\": {\"chat\": [\"a\", 3]}}", "models.chat[1]", "must be a string"},
        {"{\"models\": {\"chat\": [\"\"]}}", "models.chat[0]", "must not be empty"},
        {"{\"privacy\": {\"exclude\": [\"!a\"]}}", "privacy.exclude[0]", "can't be negated"},
        {"{\"privacy\": {\"exclude\": [\"/\"]}}", "privacy.exclude[0]", "must be a path pattern"},
        {"{\"endpoints\": {}}", "endpoints", "list of at most 32"},
        {"{\"endpoints\": [{\"kind\": \"k\"}]}", "endpoints[0]", "must have a \"name\""},
        {"{\"endpoints\": [{\"name\": \"n\"}]}", "endpoints[0]", "must have a \"kind\""},
        {"{\"endpoints\": [{\"name\": \"a/b\", \"kind\": \"k\"}]}", "endpoints[0].name", "letters"},
        {"{\"endpoints\": [{\"name\": \"n\", \"kind\": \"k\", \"apikey\": \"s3cr3t\"}]}",
         "endpoints[0].apikey", "did you mean \"apiKeyFile\"?"},
        {"{\"endpoints\": [{\"name\": \"n\", \"kind\": \"k\", \"headers\": {\"A b\": \"\"}}]}",
         "endpoints[0].headers.A b", "name that can't be used"},
        {"{\"endpoints\": [{\"name\": \"n\", \"kind\": \"k\", \"headers\": {\"A\": \"x\\r\\nB: "
         "y\"}}]}",
         "endpoints[0].headers.A", "control characters"},
        {"{\"endpoints\": [{\"name\": \"n\", \"kind\": \"k\"}, {\"name\": \"n\", \"kind\": "
         "\"k\"}]}",
         "endpoints[1].name", "endpoint before it"},
        {"{\"endpoints\": [{\"name\": \"n\", \"kind\": \"k\", \"paths\": {\"chat\": \"x\"}}]}",
         "endpoints[0].paths", "begin with"},
        {"{\"endpoints\": [{\"name\": \"n\", \"kind\": \"k\", \"extraBody\": \"x\"}]}",
         "endpoints[0].extraBody", "must be an object"},
        {"{\"modelOptions\": {\"a/*\": {\"temperature\": 3}}}", "modelOptions.a/*.temperature",
         "from 0 to 2"},
        {"{\"modelOptions\": {\"a/*\": {\"numCtx\": 0}}}", "modelOptions.a/*.numCtx",
         "or \"auto\""},
        {"{\"modelOptions\": {\"a/*\": {\"temp\": 0}}}", "modelOptions.a/*.temp",
         "not a known key"},
        {"{\"actions\": [{\"title\": \"t\"}]}", "actions[0]", "\"prompt\""},
        {"{\"actions\": [{\"title\": \"t\", \"prompt\": \"p\", \"output\": \"eat\"}]}",
         "actions[0].output", "replace|insert|show"},
        {"{\"languages\": {\"c\": {\"inline\": 0}}}", "languages.c.inline", "true or false"},
        {"{\"languages\": {\"c\": false}}", "languages.c", "must be an object"},
        {"{\"hover\": {\"model\": \"on\", \"model\": \"off\"}}", "hover.model", "given twice"},
        {"{\"enable\": false}", "enable", "only be set by a project's file"},
        {"{\"upstream\": {\"breakerRecovery\": 1}}", "upstream.breakerRecovery", "from 1000"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct settings_builder *b = settings_builder_create();
        put(b, SETTINGS_USER_FILE, rows[i].json);
        assert_int_equal(n_problems(b), 1);
        assert_problem(b, rows[i].path, rows[i].part);
        const struct settings_problem *p;
        settings_builder_problems(b, &p);
        assert_true(str_find(p[0].msg, STR("s3cr3t"), 0) == SIZE_MAX);
        settings_builder_destroy(b);
    }
}

static void settings_bad_value_keeps_the_last_good_one(void **state)
{
    (void)state;
    struct settings_builder *b = settings_builder_create();
    put(b, SETTINGS_USER_FILE, "{\"inline\": {\"budget\": 50}}");
    put(b, SETTINGS_LIVE, "{\"inline\": {\"budget\": 100, \"maxTokens\": 10}}");
    put(b, SETTINGS_LIVE, "{\"inline\": {\"budget\": \"bad\"}}");
    assert_problem(b, "inline.budget", "must be");
    struct settings *s = settings_builder_snapshot(b);
    assert_int_equal(s->inline_budget_ms, 100);  /* kept */
    assert_int_equal(s->inline_max_tokens, 128); /* absent: gone */
    settings_unref(s);
    put(b, SETTINGS_LIVE, "{\"inline\": 7}");
    put(b, SETTINGS_LIVE, "3");
    s = settings_builder_snapshot(b);
    assert_int_equal(s->inline_budget_ms, 100);
    settings_unref(s);
    put(b, SETTINGS_LIVE, "{}");
    assert_int_equal(n_problems(b), 0);
    s = settings_builder_snapshot(b);
    assert_int_equal(s->inline_budget_ms, 50);
    settings_unref(s);
    settings_builder_destroy(b);
}

static void settings_problems_are_bounded(void **state)
{
    (void)state;
    struct buf json;
    buf_init(&json, 1 << 20);
    buf_append(&json, STR("{"));
    for (unsigned i = 0; i < 5000; i++) {
        buf_appendf(&json, "\"key%u\": 1,", i);
    }
    buf_append(&json, STR("}"));
    struct settings_builder *b = settings_builder_create();
    put(b, SETTINGS_PROJECT, buf_cstr(&json));
    assert_int_equal(n_problems(b), 100);
    settings_builder_destroy(b);
    buf_release(&json);
}

/* -- exclusion -- */

static void settings_exclude_secret_files(void **state)
{
    (void)state;
    static const char *const hidden[] = {"/p/.env",
                                         "/p/.ENV",
                                         "/p/.env.local",
                                         "/p/prod.env",
                                         "/p/a.pem",
                                         "/p/A.KEY",
                                         "/p/id_rsa",
                                         "/p/id_ed25519.pub",
                                         "/p/.npmrc",
                                         "/p/x.tfvars",
                                         "/p/terraform.tfstate",
                                         "/h/.aws/credentials",
                                         "/h/.aws/config",
                                         "/h/.ssh/config",
                                         "/h/.gnupg/a/b",
                                         "/h/.docker/config.json",
                                         "/h/.kube/config",
                                         "/p/credentials",
                                         "/p/secrets.yaml",
                                         "/h/.git-credentials",
                                         "/w/.htpasswd",
                                         "/p/db.kdbx",
                                         "/p/x.p12",
                                         "/h/.netrc",
                                         "/h/.pypirc",
                                         "/p/a.jks",
                                         "/proj/hidden/deep/file.c",
                                         "/x/gen/out/a.c",
                                         "/proj/one.min.js",
                                         "/proj/vendor/x"};
    static const char *const shown[] = {
        "/p/main.c",  "/p/environment.c",      "/p/keys.c",       "/p/env/a.c",
        "/p/id.c",    "/p/docker/config.json", "/p/hiddenly/a.c", "",
        "/p/gen/a.c", "/credentials.d/x.c"};
    struct settings *s = only(
        SETTINGS_USER_FILE, "{\"privacy\": {\"exclude\": [\"hidden/\", \"gen/out\", \"*.min.js\", "
                            "\"/proj/vendor\"]}}");
    for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++) {
        if (!settings_excludes(s, str_from(hidden[i]))) {
            fail_msg("%s is not hidden", hidden[i]);
        }
    }
    for (size_t i = 0; i < sizeof shown / sizeof *shown; i++) {
        if (settings_excludes(s, str_from(shown[i]))) {
            fail_msg("%s is hidden", shown[i]);
        }
    }
    settings_unref(s);
}

static void settings_exclude_looks_behind_links(void **state)
{
    (void)state;
    char dir[] = "/tmp/crucible-settings-XXXXXX";
    char env[64], link_to[64], new_file[96], ssh[64], link_dir[64];
    assert_non_null(mkdtemp(dir));
    snprintf(env, sizeof env, "%s/.env", dir);
    snprintf(link_to, sizeof link_to, "%s/notes.txt", dir);
    snprintf(ssh, sizeof ssh, "%s/.ssh", dir);
    snprintf(link_dir, sizeof link_dir, "%s/harmless", dir);
    snprintf(new_file, sizeof new_file, "%s/harmless/not-there-yet", dir);
    int fd = open(env, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0 && close(fd) == 0);
    assert_int_equal(symlink(env, link_to), 0);
    assert_int_equal(mkdir(ssh, 0700), 0);
    assert_int_equal(symlink(ssh, link_dir), 0);
    struct settings *s = only(SETTINGS_USER_FILE, "{}");
    assert_true(settings_excludes(s, str_from(link_to)));
    assert_true(settings_excludes(s, str_from(new_file)));
    assert_false(settings_excludes(s, str_from(dir)));
    settings_unref(s);
    unlink(link_dir);
    unlink(link_to);
    unlink(env);
    rmdir(ssh);
    rmdir(dir);
}

/* -- files -- */

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0 && fclose(file) == 0);
}

static void settings_read_files(void **state)
{
    (void)state;
    char dir[] = "/tmp/crucible-settings-XXXXXX";
    char path[64];
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/config.json", dir);
    struct settings_builder *b = settings_builder_create();
    assert_int_equal(settings_builder_read(b, SETTINGS_USER_FILE, path), ERR_NOT_FOUND);
    assert_int_equal(n_problems(b), 0);
    write_file(path, "\xEF\xBB\xBF// mine\n{\"inline\": {\"budget\": 77,},}\n");
    assert_int_equal(settings_builder_read(b, SETTINGS_USER_FILE, path), ERR_OK);
    assert_int_equal(n_problems(b), 0);
    write_file(path, "{\"inline\": {\"budget\": 78,");
    assert_int_equal(settings_builder_read(b, SETTINGS_USER_FILE, path), ERR_INVALID);
    assert_problem(b, "", "not JSON");
    assert_int_equal(settings_builder_read(b, SETTINGS_USER_FILE, dir), ERR_INVALID);
    assert_problem(b, "", "can't be read");
    struct settings *s = settings_builder_snapshot(b);
    assert_int_equal(s->inline_budget_ms, 77);
    settings_unref(s);
    write_file(path, " \n");
    assert_int_equal(settings_builder_read(b, SETTINGS_USER_FILE, path), ERR_OK);
    s = settings_builder_snapshot(b);
    assert_int_equal(s->inline_budget_ms, 250);
    settings_unref(s);
    unlink(path);
    rmdir(dir);
    settings_builder_destroy(b);
}

static void settings_extra_body_is_plain_json(void **state)
{
    (void)state;
    struct settings *s = only(SETTINGS_USER_FILE,
                              "{\"endpoints\": [{\"name\": \"n\", \"kind\": \"k\", \"extraBody\": "
                              "{\"a\": 1, /* why */ \"b\": [2,],}}]}");
    struct arena arena = {0};
    struct json v;
    assert_int_equal(json_parse(s->endpoints[0].extra_body, &arena, &v, NULL), ERR_OK);
    assert_int_equal(json_count(v), 2);
    arena_release(&arena);
    settings_unref(s);
}

static void settings_user_path_follows_the_environment(void **state)
{
    (void)state;
    struct arena arena = {0};
    setenv("HOME", "/home/someone", 1);
    unsetenv("CRUCIBLE_CONFIG");
    unsetenv("XDG_CONFIG_HOME");
    assert_str(settings_user_path(STR(""), &arena), "/home/someone/.config/crucible/config.json");
    setenv("XDG_CONFIG_HOME", "relative", 1);
    assert_str(settings_user_path(STR(""), &arena), "/home/someone/.config/crucible/config.json");
    setenv("XDG_CONFIG_HOME", "/xdg", 1);
    assert_str(settings_user_path(STR(""), &arena), "/xdg/crucible/config.json");
    setenv("CRUCIBLE_CONFIG", "/c.json", 1);
    assert_str(settings_user_path(STR(""), &arena), "/c.json");
    assert_str(settings_user_path(STR("/flag.json"), &arena), "/flag.json");
    unsetenv("CRUCIBLE_CONFIG");
    unsetenv("XDG_CONFIG_HOME");
    arena_release(&arena);
}

static void settings_describe_has_a_line_per_key(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 1 << 16);
    settings_describe(&out);
    assert_false(out.is_full);
    assert_true(str_find(buf_str(&out), STR("\ninline.budget "), 0) != SIZE_MAX);
    str rest = buf_str(&out);
    str line;
    size_t n = 0;
    while (str_next(&rest, '\n', &line)) {
        assert_true(line.len > 40);
        n++;
    }
    assert_true(n > 40);
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settings_defaults_are_those_of_the_table),
        cmocka_unit_test(settings_read_every_documented_key),
        cmocka_unit_test(settings_upstream_fills_its_fields),
        cmocka_unit_test(settings_model_options_take_the_first_pattern),
        cmocka_unit_test(settings_later_sources_win),
        cmocka_unit_test(settings_name_what_is_wrong),
        cmocka_unit_test(settings_bad_value_keeps_the_last_good_one),
        cmocka_unit_test(settings_problems_are_bounded),
        cmocka_unit_test(settings_exclude_secret_files),
        cmocka_unit_test(settings_exclude_looks_behind_links),
        cmocka_unit_test(settings_read_files),
        cmocka_unit_test(settings_extra_body_is_plain_json),
        cmocka_unit_test(settings_user_path_follows_the_environment),
        cmocka_unit_test(settings_describe_has_a_line_per_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
