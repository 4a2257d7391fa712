/* consent_test.c - answers are bound to an origin and to all of a setting, and kept safely. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/limits.h"
#include "lsp/consent.h"

static char root[] = "/tmp/consent-test-XXXXXX";
static struct buf path; /* of the file, two folders below root */

static int make_root(void **state)
{
    (void)state;
    buf_init(&path, KIB);
    if (!mkdtemp(root)) {
        return -1;
    }
    buf_appendf(&path, "%s/state/crucible/consent.json", root);
    return 0;
}

static int remove_one(const char *name, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(name);
}

static int drop_root(void **state)
{
    (void)state;
    buf_release(&path);
    return nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static int drop_file(void **state)
{
    (void)state;
    (void)unlink(buf_cstr(&path));
    return 0;
}

static struct endpoint_settings endpoint;
static struct settings snapshot;

static struct settings *fresh(const char *url)
{
    endpoint = (struct endpoint_settings){
        .name = STR("work"), .kind = STR("openai"), .url = str_from(url), .needs_consent = true};
    snapshot = (struct settings){.endpoints = &endpoint, .n_endpoints = 1};
    return &snapshot;
}

static void answer(const char *url, enum consent_answer given)
{
    struct consent *c = consent_create(buf_str(&path));
    struct consent_question q;
    assert_true(consent_next(c, fresh(url), &q));
    assert_string_equal(q.name, "work");
    assert_int_equal(consent_answer(c, &q, given), ERR_OK);
    consent_destroy(c);
}

static bool needs_consent(struct settings *s)
{
    struct consent *c = consent_create(buf_str(&path));
    consent_apply(c, s);
    consent_destroy(c);
    return endpoint.needs_consent;
}

static bool would_ask(struct settings *s)
{
    struct consent *c = consent_create(buf_str(&path));
    struct consent_question q;
    consent_apply(c, s);
    bool asks = consent_next(c, s, &q);
    consent_destroy(c);
    return asks;
}

static void consent_is_needed_until_it_is_given(void **state)
{
    (void)state;
    assert_true(needs_consent(fresh("https://a.example/v1")));
    answer("https://a.example/v1", CONSENT_ALLOW);
    assert_false(needs_consent(fresh("https://a.example/v1")));
    assert_false(would_ask(fresh("https://a.example/v1")));
}

static void consent_refused_is_not_asked_for_again(void **state)
{
    (void)state;
    answer("https://a.example/v1", CONSENT_NEVER);
    assert_true(needs_consent(fresh("https://a.example/v1")));
    assert_false(would_ask(fresh("https://a.example/v1")));
}

static void consent_is_bound_to_every_part_of_the_setting(void **state)
{
    (void)state;
    answer("https://a.example/v1", CONSENT_ALLOW);
    assert_true(would_ask(fresh("https://a.example/v2")));
    assert_true(would_ask(fresh("https://a.example:8443/v1")));
    assert_true(would_ask(fresh("http://a.example/v1")));
    static const str header[] = {{"X-To: elsewhere", 15}};
    for (int part = 0; part < 10; part++) {
        struct settings *s = fresh("https://a.example/v1");
        struct endpoint_settings *e = &endpoint;
        str *const parts[] = {&e->name,        &e->kind,        &e->api_key_file,
                              &e->api_key_env, &e->proxy,       &e->ca_file,
                              &e->extra_body,  &e->client_cert, &e->client_key};
        if (part < 9) {
            *parts[part] = STR("other");
        } else {
            e->headers = header;
            e->n_headers = 1;
        }
        assert_true(would_ask(s));
        assert_true(needs_consent(s));
    }
    assert_false(needs_consent(fresh("https://a.example/v1")));
}

static void consent_withdrawn_in_the_file_is_asked_for_again(void **state)
{
    (void)state;
    struct consent *c = consent_create(buf_str(&path));
    struct consent_question q;
    assert_true(consent_next(c, fresh("https://a.example/v1"), &q));
    assert_int_equal(consent_answer(c, &q, CONSENT_ALLOW), ERR_OK);
    consent_apply(c, fresh("https://a.example/v1"));
    assert_false(endpoint.needs_consent);
    assert_int_equal(unlink(buf_cstr(&path)), 0);
    consent_apply(c, fresh("https://a.example/v1"));
    assert_true(endpoint.needs_consent);
    assert_true(consent_next(c, &snapshot, &q));
    consent_destroy(c);
}

static void consent_question_closed_is_asked_once(void **state)
{
    (void)state;
    struct consent *c = consent_create(buf_str(&path));
    struct consent_question q;
    assert_true(consent_next(c, fresh("https://a.example/v1"), &q));
    assert_false(consent_next(c, fresh("https://a.example/v1"), &q));
    consent_apply(c, fresh("https://a.example/v1"));
    assert_true(endpoint.needs_consent);
    consent_destroy(c);
}

static void consent_file_is_closed_to_others(void **state)
{
    (void)state;
    answer("https://a.example/v1", CONSENT_ALLOW);
    struct stat st;
    assert_int_equal(stat(buf_cstr(&path), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    buf_truncate(&path, path.len - strlen("/consent.json"));
    assert_int_equal(stat(buf_cstr(&path), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    buf_append(&path, STR("/consent.json"));
}

static void consent_file_that_others_can_write_is_not_believed(void **state)
{
    (void)state;
    answer("https://a.example/v1", CONSENT_ALLOW);
    assert_int_equal(chmod(buf_cstr(&path), 0666), 0);
    assert_true(needs_consent(fresh("https://a.example/v1")));
}

static void consent_file_behind_a_link_is_not_believed(void **state)
{
    (void)state;
    answer("https://a.example/v1", CONSENT_ALLOW);
    struct buf other;
    buf_init(&other, KIB);
    buf_appendf(&other, "%s/elsewhere", root);
    assert_int_equal(rename(buf_cstr(&path), buf_cstr(&other)), 0);
    assert_int_equal(symlink(buf_cstr(&other), buf_cstr(&path)), 0);
    assert_true(needs_consent(fresh("https://a.example/v1")));
    buf_release(&other);
}

static void consent_file_of_nonsense_counts_as_none(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "{", "[]", "{\"consents\":5}",
                                        "{\"consents\":[1,{},{\"answer\":\"allow\"}]}"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        answer("https://a.example/v1", CONSENT_ALLOW);
        FILE *file = fopen(buf_cstr(&path), "w");
        assert_non_null(file);
        (void)fputs(texts[i], file);
        (void)fclose(file);
        assert_true(needs_consent(fresh("https://a.example/v1")));
        (void)unlink(buf_cstr(&path));
    }
}

static void consent_without_a_place_to_keep_it_lasts_for_the_process(void **state)
{
    (void)state;
    struct consent *c = consent_create(STR(""));
    struct consent_question q;
    assert_true(consent_next(c, fresh("https://a.example/v1"), &q));
    assert_int_equal(consent_answer(c, &q, CONSENT_ALLOW), ERR_INVALID);
    consent_apply(c, fresh("https://a.example/v1"));
    assert_false(endpoint.needs_consent);
    consent_destroy(c);
}

static void digest_is_that_of_the_standard(void **state)
{
    (void)state;
    char hex[DIGEST_HEX_BYTES];
    digest_sha256(STR(""), hex);
    assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    digest_sha256(STR("abc"), hex);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    digest_sha256(STR("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"), hex);
    assert_string_equal(hex, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    char block[64];
    memset(block, 'a', sizeof block);
    digest_sha256(str_of(block, 64), hex);
    assert_string_equal(hex, "ffe054fe7ae0cb6dc65c3af9b61d5209f439851db43d0ba5997337df154668eb");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(consent_is_needed_until_it_is_given, drop_file),
        cmocka_unit_test_teardown(consent_refused_is_not_asked_for_again, drop_file),
        cmocka_unit_test_teardown(consent_is_bound_to_every_part_of_the_setting, drop_file),
        cmocka_unit_test_teardown(consent_withdrawn_in_the_file_is_asked_for_again, drop_file),
        cmocka_unit_test_teardown(consent_question_closed_is_asked_once, drop_file),
        cmocka_unit_test_teardown(consent_file_is_closed_to_others, drop_file),
        cmocka_unit_test_teardown(consent_file_that_others_can_write_is_not_believed, drop_file),
        cmocka_unit_test_teardown(consent_file_behind_a_link_is_not_believed, drop_file),
        cmocka_unit_test_teardown(consent_file_of_nonsense_counts_as_none, drop_file),
        cmocka_unit_test(consent_without_a_place_to_keep_it_lasts_for_the_process),
        cmocka_unit_test(digest_is_that_of_the_standard),
    };
    return cmocka_run_group_tests_name("consent", tests, make_root, drop_root);
}
