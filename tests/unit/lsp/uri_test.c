/* uri_test.c - one normal form per document. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "core/base/limits.h"
#include "lsp/uri.h"

static const struct {
    const char *uri, *key, *path; /* key NULL: refused */
} table[] = {
    {"file:///a/b.c", "file:///a/b.c", "/a/b.c"},
    {"FILE:///a/b.c", "file:///a/b.c", "/a/b.c"},
    {"file:/a/b.c", "file:///a/b.c", "/a/b.c"},
    {"file://localhost/a", "file:///a", "/a"},
    {"file:///a%20b/%c3%a9", "file:///a b/\xc3\xa9", "/a b/\xc3\xa9"},
    {"file:///a b", "file:///a b", "/a b"},
    {"file:///c%3A/x", "file:///c:/x", "/c:/x"},
    {"file:///C:/x", "file:///c:/x", "/c:/x"},
    {"file:///a/./b//c/../d", "file:///a/b/d", "/a/b/d"},
    {"file:///a/%2e%2e/%2E/b", "file:///b", "/b"},
    {"file:///../../x", "file:///x", "/x"},
    {"file:///a/b/..", "file:///a", "/a"},
    {"file:///", "file:///", "/"},
    {"file:///a/", "file:///a/", "/a/"},
    {"file:///a#b?c", "file:///a#b?c", "/a#b?c"},
    {"file:///a%zz%4", "file:///a%zz%4", "/a%zz%4"},
    {"file://host/a", "file://host/a", ""},
    {"untitled:Untitled-1", "untitled:Untitled-1", ""},
    {"UNTITLED:a", "untitled:a", ""},
    {"git:/x/%2f%2Fy%41?%7b", "git:/x/%2F%2FyA?%7B", ""},
    {"vscode-notebook-cell:/a.ipynb#W0s", "vscode-notebook-cell:/a.ipynb#W0s", ""},
    {"file:///a%00b", NULL, ""},
    {"git:%00", NULL, ""},
    {"file://", NULL, ""},
    {"file:", NULL, ""},
    {"file:a", NULL, ""},
    {"", NULL, ""},
    {":", NULL, ""},
    {"/a/b", NULL, ""},
    {"1a:b", NULL, ""},
};

static void uri_normalises_each_spelling(void **state)
{
    (void)state;
    struct buf key;
    buf_init(&key, 4 * URI_MAX_BYTES);
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        str path;
        enum err err = uri_normalise(str_from(table[i].uri), &key, &path);
        assert_int_equal(err, table[i].key ? ERR_OK : ERR_INVALID);
        if (table[i].key) {
            assert_string_equal(buf_cstr(&key), table[i].key);
            assert_true(str_eq(path, str_from(table[i].path)));
        }
    }
    buf_release(&key);
}

static void uri_normal_forms_stay_as_they_are(void **state)
{
    (void)state;
    struct buf key, again, uri;
    buf_init(&key, 4 * URI_MAX_BYTES);
    buf_init(&again, 4 * URI_MAX_BYTES);
    buf_init(&uri, 4 * URI_MAX_BYTES);
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        str path;
        if (!table[i].key || uri_normalise(str_from(table[i].uri), &key, &path) != ERR_OK ||
            path.len == 0) {
            continue;
        }
        buf_clear(&uri);
        buf_append(&uri, STR("file://"));
        for (size_t k = 0; k < path.len; k++) { /* every byte escaped */
            if (path.ptr[k] == '/') {
                buf_append_char(&uri, '/');
            } else {
                buf_appendf(&uri, "%%%02x", (unsigned)(unsigned char)path.ptr[k]);
            }
        }
        assert_int_equal(uri_normalise(buf_str(&uri), &again, NULL), ERR_OK);
        assert_string_equal(buf_cstr(&again), buf_cstr(&key));
    }
    buf_release(&key);
    buf_release(&again);
    buf_release(&uri);
}

static void uri_refuses_what_is_too_long(void **state)
{
    (void)state;
    struct buf key, uri;
    buf_init(&key, 4 * URI_MAX_BYTES);
    buf_init(&uri, 2 * URI_MAX_BYTES);
    buf_append(&uri, STR("file:///"));
    while (uri.len < URI_MAX_BYTES) {
        buf_append_char(&uri, 'a');
    }
    assert_int_equal(uri_normalise(buf_str(&uri), &key, NULL), ERR_OK);
    buf_append_char(&uri, 'a');
    assert_int_equal(uri_normalise(buf_str(&uri), &key, NULL), ERR_INVALID);
    buf_release(&key);
    buf_release(&uri);
}

static void uri_refuses_a_raw_nul(void **state)
{
    (void)state;
    struct buf key;
    buf_init(&key, 4 * URI_MAX_BYTES);
    assert_int_equal(uri_normalise(STR("file:///a\0b"), &key, NULL), ERR_INVALID);
    assert_int_equal(uri_normalise(STR("git:a\0b"), &key, NULL), ERR_INVALID);
    buf_release(&key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(uri_normalises_each_spelling),
        cmocka_unit_test(uri_normal_forms_stay_as_they_are),
        cmocka_unit_test(uri_refuses_what_is_too_long),
        cmocka_unit_test(uri_refuses_a_raw_nul),
    };
    return cmocka_run_group_tests_name("uri", tests, NULL, NULL);
}
