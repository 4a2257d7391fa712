/* documents_test.c - ids, copies and the observer of the open documents. */
#include "core/document/documents.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>
#include <cmocka.h>

#include "core/base/limits.h"

struct heard {
    unsigned n_edits, n_closes;
    struct edit last;
    uint64_t last_id;
    size_t len; /* of the document, when told */
};

static void on_document(const struct open_document *doc, const struct edit *edit, void *user)
{
    struct heard *h = user;
    h->last_id = doc->id;
    h->len = document_len(doc->text);
    if (edit) {
        h->n_edits++;
        h->last = *edit;
    } else {
        h->n_closes++;
    }
}

static uint64_t open_text(struct documents *ds, const char *text)
{
    uint64_t id = 0;
    assert_int_equal(documents_open(ds, STR("/a.c"), STR("c"), str_from(text), &id), ERR_OK);
    return id;
}

static void documents_copy_what_they_keep(void **state)
{
    (void)state;
    struct documents *ds = documents_create();
    char path[] = "/tmp/a.c", language[] = "c", text[] = "int";
    uint64_t id = 0;
    assert_int_equal(documents_open(ds, str_from(path), str_from(language), str_from(text), &id),
                     ERR_OK);
    path[0] = language[0] = text[0] = '!';
    struct open_document *doc = documents_find(ds, id);
    assert_non_null(doc);
    assert_true(str_eq(doc->path, STR("/tmp/a.c")));
    assert_true(str_eq(doc->language, STR("c")));
    assert_int_equal(document_byte(doc->text, 0), 'i');
    assert_int_equal(doc->id, id);
    assert_false(doc->is_excluded);
    documents_destroy(ds);
    documents_destroy(NULL);
}

static void documents_never_use_an_id_twice(void **state)
{
    (void)state;
    struct documents *ds = documents_create();
    uint64_t first = open_text(ds, "");
    assert_true(first != 0);
    documents_close(ds, first);
    documents_close(ds, first);
    uint64_t second = open_text(ds, "");
    assert_true(second != first && second != 0);
    assert_null(documents_find(ds, first));
    assert_null(documents_find(ds, 0));
    assert_int_equal(documents_count(ds), 1);
    assert_int_equal(documents_edit(ds, first, 0, 0, STR("x")), ERR_NOT_FOUND);
    documents_destroy(ds);
}

static void documents_tell_the_observer(void **state)
{
    (void)state;
    struct documents *ds = documents_create();
    struct heard h = {0};
    documents_observe(ds, on_document, &h);
    uint64_t id = open_text(ds, "hello");
    assert_int_equal(h.n_edits + h.n_closes, 0);
    assert_int_equal(documents_edit(ds, id, 1, 3, STR("EL-")), ERR_OK);
    assert_int_equal(h.n_edits, 1);
    assert_int_equal(h.last.start, 1);
    assert_int_equal(h.last.n_removed, 2);
    assert_int_equal(h.last.n_inserted, 3);
    assert_int_equal(h.len, 6);
    str huge = {"", SIZE_MAX};
    assert_int_equal(documents_edit(ds, id, 0, 0, huge), ERR_TOO_LARGE);
    assert_int_equal(h.n_edits, 1);
    documents_close(ds, id);
    assert_int_equal(h.n_closes, 1);
    assert_int_equal(h.last_id, id);
    open_text(ds, "");
    documents_destroy(ds);
    assert_int_equal(h.n_closes, 2);
}

static void documents_open_is_limited(void **state)
{
    (void)state;
    struct documents *ds = documents_create();
    uint64_t id = 0;
    str huge = {"", (size_t)DOCUMENT_MAX_BYTES + 1};
    assert_int_equal(documents_open(ds, STR(""), STR(""), huge, &id), ERR_TOO_LARGE);
    for (unsigned i = 0; i < DOCUMENTS_MAX; i++) {
        open_text(ds, "");
    }
    assert_int_equal(documents_open(ds, STR(""), STR(""), STR(""), &id), ERR_TOO_LARGE);
    assert_int_equal(documents_count(ds), DOCUMENTS_MAX);
    documents_destroy(ds);
}

static void documents_tell_only_what_differs(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t start, end;
        const char *by;
        size_t at, n_removed, n_inserted;
        const char *removed;
    } cases[] = {
        {"hello world", 0, 11, "hello, world", 5, 0, 1, ""},
        {"hello world", 0, 11, "hello word", 9, 1, 0, "l"},
        {"aaa", 0, 3, "aaaa", 3, 0, 1, ""},
        {"abc", 0, 3, "abc", 3, 0, 0, ""},
        {"x = fo;", 4, 6, "foobar", 6, 0, 4, ""},
        {"a \xc3\xa9 b", 0, 6, "a \xc3\xa8 b", 2, 2, 2, "\xc3\xa9"},
        {"\xc3\xa9", 0, 2, "\xc4\xa9", 0, 2, 2, "\xc3\xa9"},
        {"one two", 4, 7, "", 4, 3, 0, "two"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct documents *ds = documents_create();
        struct heard h = {0};
        uint64_t id = open_text(ds, cases[i].text);
        assert_int_equal(documents_edit(ds, id, 1, 1, STR("")), ERR_OK); /* moves the gap there */
        documents_observe(ds, on_document, &h);
        assert_int_equal(
            documents_edit(ds, id, cases[i].start, cases[i].end, str_from(cases[i].by)), ERR_OK);
        assert_int_equal(h.last.start, cases[i].at);
        assert_int_equal(h.last.n_removed, cases[i].n_removed);
        assert_int_equal(h.last.n_inserted, cases[i].n_inserted);
        assert_true(str_eq(h.last.removed, str_from(cases[i].removed)));
        documents_observe(ds, NULL, NULL);
        documents_destroy(ds);
    }
}

/* What is told of any edit leads from the text before it to the text after it. */
static void documents_told_edits_lead_from_text_to_text(void **state)
{
    (void)state;
    unsigned seed = (unsigned)time(NULL);
    print_message("seed %u\n", seed);
    srand(seed);
    static const char *const parts[] = {"a", "ab", "\xc3\xa9", "\xc3\xa8", "\n", "\r\n", "aab", ""};
    struct documents *ds = documents_create();
    struct heard h = {0};
    documents_observe(ds, on_document, &h);
    uint64_t id = open_text(ds, "aabab\n");
    struct document *d = documents_find(ds, id)->text;
    for (int i = 0; i < 5000; i++) {
        struct buf before, by, told;
        buf_init(&before, MIB);
        buf_init(&by, MIB);
        buf_init(&told, MIB);
        size_t len = document_len(d);
        document_copy(d, 0, len, &before);
        size_t start = document_floor(d, (size_t)rand() % (len + 1));
        size_t end = document_floor(d, start + (size_t)rand() % (len + 1 - start));
        end = end < start ? start : end;
        for (int k = rand() % 4; k > 0; k--) {
            buf_append(&by, str_from(parts[rand() % 8]));
        }
        assert_int_equal(documents_edit(ds, id, start, end, buf_str(&by)), ERR_OK);
        struct buf after;
        buf_init(&after, MIB);
        document_copy(d, 0, document_len(d), &after);
        assert_true(document_floor(d, h.last.start) == h.last.start);
        buf_append(&told, buf_str(&before));
        buf_splice(&told, h.last.start, h.last.start + h.last.n_removed,
                   str_sub(buf_str(&after), h.last.start, h.last.start + h.last.n_inserted));
        assert_true(str_eq(buf_str(&told), buf_str(&after)));
        buf_release(&before);
        buf_release(&by);
        buf_release(&told);
        buf_release(&after);
    }
    documents_observe(ds, NULL, NULL);
    documents_destroy(ds);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(documents_tell_only_what_differs),
        cmocka_unit_test(documents_told_edits_lead_from_text_to_text),
        cmocka_unit_test(documents_copy_what_they_keep),
        cmocka_unit_test(documents_never_use_an_id_twice),
        cmocka_unit_test(documents_tell_the_observer),
        cmocka_unit_test(documents_open_is_limited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
