/* redact_test.c - secrets are found, ordinary code is left alone.
 *
 * The secrets are made up. Each is written as prefix "|" rest, so that no scanner takes this file
 * for a leak; the bar is removed before use. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "core/base/clock.h"
#include "core/base/limits.h"
#include "core/prompt/redact.h"

#define A36 "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0eF3hJ6"
#define H32 "0a1b2c3d4e5f60718293a4b5c6d7e8f9"
#define B40 "wJalrXUtnFEMI/K7MDENG/bPxRfiCY9zQmT4kLp8"

/* The line, and in it between braces what must be gone. */
static const char *const SECRETS[] = {
    "key = \"{AKI|AIOSFODNN7EXAMPLQ}\"",
    "aws_key: {ASI|AY34FZKBOKMUTVV7A}",
    "aws_secret_access_key = {" B40 "}",
    "export AWS_SECRET_ACCESS_KEY={" B40 "}",
    "secretKey: \"{" B40 "}\",",
    "token = '{gh|p_" A36 "}'",
    "GITHUB={gh|o_" A36 "}",
    "x({gh|u_" A36 "})",
    "{gh|s_" A36 "} # actions",
    "r = {gh|r_" A36 "};",
    "auth {github|_pat_11ABCDEFG0aBcDeFgHiJkL_mNoPqRsTuVwXyZ0123456789abcdefghijklmnopqrstuvwxy}",
    "{glp|at-AbCdEf123456GhIjKl78}",
    "{gl|dt-AbCdEf123456GhIjKl78}",
    "runner: {gl|rt-AbCdEf123456GhIjKl78}",
    "OPENAI={sk|-aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0eF3hJ6kL9nP2rS5tU8}",
    "{sk|-" H32 "}",
    "client = new X('{sk|-proj-aB3dE6gH-9jK2mN5p_Q8sT1vW4yZ7bC0eF3hJ6}')",
    "{sk|-ant-api03-aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0eF3hJ6-aB3dE6}",
    "{sk|-svcacct-aB3dE6gH9jK2mN5pQ8sT1v}",
    "{sk|-or-v1-" H32 H32 "}",
    "{gs|k_" A36 A36 "}",
    "{xa|i-" A36 A36 "}",
    "{pp|lx-" A36 "}",
    "{r8|_" A36 "}",
    "HF_TOKEN={h|f_" A36 "}",
    "{AIz|aSyA1bC2dE3fG4hI5jK6lM7nO8pQ9rS0tU1v}",
    "{ya|29.a0AfH6SMBx1y2z3w4v5u6t7s8r9q0}",
    "{GOC|SPX-aB3dE6gH9jK2mN5pQ8sT1vW4}",
    "slack('{xox|b-123456789012-123456789012-aB3dE6gH9jK2mN5pQ8sT1vW4}')",
    "{xox|p-123456789012-123456789012-123456789012-" H32 "}",
    "{xox|a-2-123456789012-aB3dE6gH9jK2}",
    "{xox|r-123456789012-aB3dE6gH9jK2}",
    "{xap|p-1-A0123456789-1234567890123-" H32 "}",
    "url = 'https://{hooks.slack|.com/services/T00000000/B00000000/aB3dE6gH9jK2mN5pQ8sT1vW4}'",
    "https://{discord|.com/api/webhooks/123456789012345678/aB3dE6gH9jK2mN5pQ8sT1vW4}",
    "//registry.npmjs.org/:_authToken={np|m_" A36 "}",
    "password = {py|pi-AgEIcHlwaS5vcmcCJGFiY2RlZjEyLTM0NTYtNzg5MC1hYmNk}",
    "{ruby|gems_" H32 "0a1b2c3d4e5f6071}",
    "{dckr|_pat_aB3dE6gH9jK2mN5pQ8sT1vW4}",
    "stripe.api_key = '{sk|_live_aB3dE6gH9jK2mN5pQ8sT1vW4}'",
    "{rk|_live_aB3dE6gH9jK2mN5pQ8sT1vW4}",
    "{sk|_test_aB3dE6gH9jK2mN5pQ8sT1vW4}",
    "{wh|sec_aB3dE6gH9jK2mN5pQ8sT1vW4yZ7b}",
    "twilio {SK|" H32 "} end",
    "{key|-" H32 "}",
    "{S|G.aB3dE6gH9jK2mN5pQ8sT1v.aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0eF3hJ6kL9nP2r}",
    "{sq0|csp-aB3dE6gH9jK2mN5pQ8sT1v}",
    "{dop|_v1_" H32 H32 "}",
    "{shp|at_" H32 "}",
    "{lin|_api_" A36 "}",
    "{gls|a_" A36 "_1a2b3c4d}",
    "{hv|s.aB3dE6gH9jK2mN5pQ8sT1vW4yZ7b}",
    "{PMA|K-" H32 "-" H32 "aa}",
    "{AGE-SECRET|-KEY-1QQPQZRFRG5ZJ27RE5WAYWEV83A9NZGRJP0Z4VXGHGTXVLP3AAAAS7D5AAA}",
    "Authorization: Bearer {" A36 "}",
    "headers = {\"Authorization\": \"Basic {QWxhZGRpbjpvcGVuIHNlc2FtZTEyMzQ1}\"}",
    "cookie = "
    "'{ey|JhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P}'",
    "url = \"postgres://admin:{hunter2!x}@db.example.com/app\"",
    "https://user:{s3cr3t}@example.com/x.git",
    "redis://:{p4ss}@localhost:6379",
    "password = \"{Tr0ub4dor&3xyzQq7}\"",
    "\"db_password\": \"{xK9#mP2$vL5nQ8wR}\",",
    "const char *api_key = \"{" H32 "}\";",
    "static const char client_secret[] = \"{" A36 "}\";",
    "var token string = \"{" A36 "}\"",
    "const apiToken: string = '{" A36 "}';",
    "api_key := \"{" H32 "}\"",
    "'secret' => '{" A36 "}',",
    "config[\"password\"] = \"{xK9#mP2$vL5nQ8wR}\"",
    "<password>{xK9mP2vL5nQ8wR3t}</password>",
    "AccountKey={aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0eF3hJ6kL9nP2rS5tU8==};EndpointSuffix=x",
    "SIGNING_KEY_PASSPHRASE: {xK9mP2vL5nQ8wR3t}",
    "{-----BEGIN RSA| PRIVATE KEY-----\nMIIEpAIBAAKCAQEA1a2b3c4d5e6f7g8h9i0jKLMNOPQRSTUVWXYZabcd\n"
    "ef+/==\n-----END RSA PRIVATE KEY-----}\n",
    "char *k = \"{-----BEGIN| PRIVATE KEY-----\\n\"\n  "
    "\"MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSj\\n"
    "\"\n  \"-----END PRIVATE KEY-----}\\n\";",
    "{-----BEGIN OPENSSH| PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQ\nAAAAA}",
    "{-----BEGIN EC| PRIVATE KEY-----\nMHc}",
    "{-----BEGIN PGP| PRIVATE KEY BLOCK-----\n\nlQVYBF8abcdEFGH1234567890ijklMNOPqrst\n=abcd\n"
    "-----END PGP PRIVATE KEY BLOCK-----}\n",
    "{MIIEpAIBAAKCAQEA1a2b3c4d5e6f7g8h9i0jKLMN\nOPQR+/==\n-----END RSA| PRIVATE KEY-----}\nint x;",
    "t = \"{gh|p_aB3dE6}", /* cut by the end of the window */
    "k = {AKI|AIOSF}",
    "{ey|JhbGciOiJIUzI1NiJ9}",
};
#define N_SECRETS (sizeof SECRETS / sizeof *SECRETS)

static const char *const ORDINARY[] = {
    "int main(int argc, char **argv)",
    "password = input(\"Password: \")",
    "token = get_token_from_header(request)",
    "const token = lexer.next_token();",
    "api_key = os.environ[\"OPENAI_API_KEY\"]",
    "secret: ${{ secrets.DEPLOY_KEY_PRODUCTION_2 }}",
    "password: <%= ENV['DATABASE_PASSWORD'] %>",
    "url = f\"postgres://{user}:{password}@{host}/db\"",
    "url = \"postgres://$USER:$PASSWORD@localhost/db\"",
    "see https://example.com/a/b?c=d#e and mailto:me@example.com",
    "git@github.com:someone/project.git",
    "enum token_kind { TOKEN_IDENTIFIER, TOKEN_NUMBER };",
    "if (token == TOKEN_LEFT_PARENTHESIS_2) {",
    "static const char *password_placeholder = \"enter your password here\";",
    "token->next_token_in_the_list = token->previous_token_in_the_list;",
    "secret_name = \"my-application-database-credentials\"",
    "sha256 = \"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\"",
    "commit 1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d",
    "#define AKIRA 1",
    "class=\"sk-loading-indicator sk-folding-cube\"",
    "mask-image: url(sk-circle.svg)",
    "from hf_hub_download import hf_hub_download_with_progress_bar",
    "npm_config_registry=https://registry.npmjs.org/",
    "the ghp_ prefix means a personal token, xoxb- one of Slack",
    "uint64_t key = 0x9E3779B97F4A7C15ull;",
    "eyJ is how base64 of an object begins",
    "SG.add(node); SK = 12;",
    "// -----------------------------------------------------------",
    "if (strstr(text, \"-----BEGIN PRIVATE KEY-----\") != NULL) {",
    "-----BEGIN CERTIFICATE-----\nMIIDdzCCAl+gAwIBAgIEAgAAuTANBgkqhkiG9w0B\n-----END",
    "getUserTokenFromRequestHeader(request, options);",
    "tokenizer.ggml.tokens: array of 4096 strings",
    "PASSWORD_RESET_TIMEOUT = 60 * 60 * 24 * 3",
    "csrf_token: \"{{ csrf_token }}\"",
    "max_tokens: 128, temperature: 0.1",
    "password_hash = hashlib.sha256(password.encode('utf-8')).hexdigest()",
    "x = a ? b : c; y = d == e; z >>= 2; p->q = r;",
    "Authorization: Bearer <token>",
    "#include \"core/prompt/redact.h\"",
    "AIzabc = 1; ya29 = 2; glpat = 3;",
};

/* Takes the marks out: `line` gets the text, `secret` what stood between the braces. The braces
 * around the secret are those next to the bar. */
static void unmark(const char *marked, struct buf *line, struct buf *secret)
{
    str text = str_from(marked);
    size_t bar = str_find_char(text, '|', 0);
    size_t open = bar == SIZE_MAX ? str_find_char(text, '{', 0) : bar;
    while (bar != SIZE_MAX && text.ptr[open] != '{') {
        open--;
    }
    if (bar == SIZE_MAX && str_find(text, STR(": \"Basic {"), 0) != SIZE_MAX) {
        open = str_find(text, STR("Basic {"), 0) + 6;
    }
    size_t close = str_find_char(text, '}', open);
    for (size_t i = 0; i < text.len; i++) {
        if (i != open && i != bar && i != close) {
            buf_append_char(line, text.ptr[i]);
            if (i > open && i < close) {
                buf_append_char(secret, text.ptr[i]);
            }
        }
    }
}

static void redact_finds_each_shape(void **state)
{
    (void)state;
    size_t n_missed = 0;
    assert_true(N_SECRETS >= 60);
    for (size_t i = 0; i < N_SECRETS; i++) {
        struct buf line, secret, out;
        buf_init(&line, 4 * KIB);
        buf_init(&secret, 4 * KIB);
        buf_init(&out, 4 * KIB);
        unmark(SECRETS[i], &line, &secret);
        assert_true(secret.len > 3);
        size_t n = redact(buf_str(&line), &out);
        bool is_gone = str_find(buf_str(&out), buf_str(&secret), 0) == SIZE_MAX;
        bool is_marked = str_find(buf_str(&out), STR("REDACTED"), 0) != SIZE_MAX;
        /* what stands around it stays */
        size_t n_around = line.len - secret.len;
        if (n != 1 || !is_gone || !is_marked || out.len != n_around + STR("REDACTED").len) {
            print_message("n=%zu %s\n  -> %s\n", n, buf_cstr(&line), buf_cstr(&out));
            n_missed++;
        }
        buf_release(&line);
        buf_release(&secret);
        buf_release(&out);
    }
    assert_int_equal(n_missed, 0);
}

static void redact_leaves_code_alone(void **state)
{
    (void)state;
    size_t n_hit = 0;
    for (size_t i = 0; i < sizeof ORDINARY / sizeof *ORDINARY; i++) {
        struct buf out;
        buf_init(&out, 4 * KIB);
        if (redact(str_from(ORDINARY[i]), &out) != 0 ||
            !str_eq(buf_str(&out), str_from(ORDINARY[i]))) {
            print_message("%s\n  -> %s\n", ORDINARY[i], buf_cstr(&out));
            n_hit++;
        }
        buf_release(&out);
    }
    assert_int_equal(n_hit, 0);
}

static void redact_finds_all_of_a_text(void **state)
{
    (void)state;
    struct buf text, out;
    buf_init(&text, MIB);
    buf_init(&out, MIB);
    for (size_t i = 0; i < 40; i++) {
        struct buf secret;
        buf_init(&secret, 4 * KIB);
        buf_append(&text, str_from(ORDINARY[i % 10]));
        buf_append(&text, STR("\n"));
        unmark(SECRETS[i], &text, &secret);
        buf_append(&text, STR("\n"));
        buf_release(&secret);
    }
    assert_int_equal(redact(buf_str(&text), &out), 40);
    buf_clear(&text);
    assert_int_equal(redact(buf_str(&out), &text), 0);
    buf_release(&text);
    buf_release(&out);
}

/* Whether some piece of `secret` of ten bytes (or the whole of a shorter one) stands in `text`. */
static bool has_piece(str text, str secret)
{
    size_t n = secret.len < 10 ? secret.len : 10;
    for (size_t i = 0; i + n <= secret.len; i++) {
        if (str_find(text, str_sub(secret, i, i + n), 0) != SIZE_MAX) {
            return true;
        }
    }
    return false;
}

static void redact_finds_secrets_around_the_cursor(void **state)
{
    (void)state;
    struct buf line, secret, before, after;
    buf_init(&line, MIB);
    buf_init(&secret, MIB);
    buf_init(&before, MIB);
    buf_init(&after, MIB);
    for (size_t i = 0; i < N_SECRETS; i++) {
        buf_clear(&line);
        buf_clear(&secret);
        unmark(SECRETS[i], &line, &secret);
        str text = buf_str(&line);
        for (size_t at = 0; at <= text.len; at++) {
            buf_clear(&before);
            buf_clear(&after);
            str left = str_sub(text, 0, at), right = str_sub(text, at, text.len);
            assert_int_not_equal(redact_around(left, right, &before, &after), 0);
            if (has_piece(buf_str(&before), buf_str(&secret)) ||
                has_piece(buf_str(&after), buf_str(&secret))) {
                fail_msg("at %zu: %s | %s", at, buf_cstr(&before), buf_cstr(&after));
            }
        }
    }
    buf_release(&line);
    buf_release(&secret);
    buf_release(&before);
    buf_release(&after);
}

static void redact_keeps_the_cursor_where_it_was(void **state)
{
    (void)state;
    static const char *const rows[][4] = {
        {"int x = ", "1;\n", "int x = ", "1;\n"},
        {"", "", "", ""},
        {"", "a", "", "a"},
        {"a", "", "a", ""},
        {"k = AKIAIOSFOD", "NN7EXAMPLQ; b", "k = REDACTED", "; b"},
        {"k = ", "AKIAIOSFODNN7EXAMPLQ; b", "k = ", "REDACTED; b"},
        {"k = AKIAIOSFODNN7EXAMPLQ", "; b", "k = REDACTED", "; b"},
        {"k = AKIAIOSFODNN7EXAMPLQ; a", "b", "k = REDACTED; a", "b"},
        {"k = AKIAIOSF", "\n", "k = REDACTED", "\n"}, /* half typed */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf before, after;
        buf_init(&before, KIB);
        buf_init(&after, KIB);
        (void)redact_around(str_from(rows[i][0]), str_from(rows[i][1]), &before, &after);
        assert_string_equal(buf_cstr(&before), rows[i][2]);
        assert_string_equal(buf_cstr(&after), rows[i][3]);
        buf_release(&before);
        buf_release(&after);
    }
}

/* Time for `n` repetitions of `piece`. */
static uint64_t time_of(const char *piece, size_t n)
{
    struct buf text, out;
    buf_init(&text, 64 * MIB);
    buf_init(&out, 64 * MIB);
    for (size_t i = 0; i < n; i++) {
        buf_append(&text, str_from(piece));
    }
    uint64_t start = clock_now_us();
    (void)redact(buf_str(&text), &out);
    uint64_t took = clock_now_us() - start;
    buf_release(&text);
    buf_release(&out);
    return took;
}

static void redact_takes_linear_time(void **state)
{
    (void)state;
    static const char *const pieces[] = {"SG.",
                                         "eyJaaaaaaaa.",
                                         "token=",
                                         "://",
                                         "-----BEGIN PRIVATE KEY-----",
                                         "-----",
                                         "sk-",
                                         "password: ",
                                         "Bearer ",
                                         "a:b@",
                                         "xoxb-",
                                         "-----END PRIVATE KEY-----",
                                         "[",
                                         "\"",
                                         "glpat-."};
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        uint64_t small = time_of(pieces[i], 20000);
        uint64_t large = time_of(pieces[i], 80000);
        assert_true(large < 12 * small + 100000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(redact_finds_each_shape),
        cmocka_unit_test(redact_leaves_code_alone),
        cmocka_unit_test(redact_finds_all_of_a_text),
        cmocka_unit_test(redact_finds_secrets_around_the_cursor),
        cmocka_unit_test(redact_keeps_the_cursor_where_it_was),
        cmocka_unit_test(redact_takes_linear_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
