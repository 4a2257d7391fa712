/* chunk_test.c - where pieces of a text end, by example and by what holds for any text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "core/base/clock.h"
#include "core/base/memory.h"
#include "core/prompt/chunk.h"

/* n functions of about `size` bytes, an empty line between them and one inside. */
static void write_functions(struct buf *out, unsigned n, unsigned size)
{
    for (unsigned i = 0; i < n; i++) {
        size_t from = out->len;
        buf_appendf(out, "int f%u(void)\n{\n    int x;\n\n", i);
        while (out->len - from < size) {
            buf_append(out, STR("    x = x + 1;\n"));
        }
        buf_append(out, STR("}\n\n"));
    }
}

static void functions_are_chunks(void **state)
{
    (void)state;
    struct buf text;
    buf_init(&text, 100000);
    write_functions(&text, 5, 600);
    struct document *d = document_create(buf_str(&text));
    unsigned n = 0;
    for (size_t at = 0; at < document_len(d); n++) {
        char begins[32];
        snprintf(begins, sizeof begins, "int f%u(void)", n);
        assert_true(str_starts_with(str_sub(buf_str(&text), at, text.len), str_from(begins)));
        at = chunk_end(d, at);
    }
    assert_int_equal(n, 5);
    document_destroy(d);
    buf_release(&text);
}

static void small_ones_go_together_and_large_ones_end_at_an_empty_line(void **state)
{
    (void)state;
    struct buf text;
    buf_init(&text, 100000);
    write_functions(&text, 4, 120);
    struct document *d = document_create(buf_str(&text));
    size_t end = chunk_end(d, 0);
    assert_true(end >= CHUNK_ENOUGH_BYTES && end < document_len(d));
    assert_true(str_starts_with(str_sub(buf_str(&text), end, text.len), STR("int f3")));
    document_destroy(d);
    buf_clear(&text);
    for (int i = 0; i < 100; i++) {
        buf_append(&text, i == 60 ? STR("\n") : STR("    x = x + 1234;\n"));
    }
    d = document_create(buf_str(&text));
    assert_int_equal(chunk_end(d, 0), 60 * 18 + 1);
    document_destroy(d);
    buf_release(&text);
}

static void brackets_say_nothing(void **state)
{
    (void)state;
    struct document *d = document_create(STR("\n\t} );\n 12 + 3\nx"));
    assert_false(chunk_says_something(d, 0, 15));
    assert_true(chunk_says_something(d, 0, 16));
    document_destroy(d);
    d = document_create(STR("{ \xC3\xA9 }"));
    assert_true(chunk_says_something(d, 0, 6));
    document_destroy(d);
}

static void random_text(struct buf *out)
{
    static const char *const parts[] = {"a",    "\n", "\n\n",  "    ",    "}",
                                        "\r\n", "{",  "word ", "\xC3\xA9"};
    int n = rand() % 3000;
    for (int i = 0; i < n; i++) {
        buf_append(out, str_from(parts[(unsigned)rand() % (sizeof parts / sizeof parts[0])]));
        for (int k = rand() % 200 == 0 ? rand() % 3000 : 0; k > 0; k--) {
            buf_append_char(out, 'z');
        }
    }
}

/* Chunks are the document, in whole lines, and none is too long but a line. */
static void check(const struct document *d)
{
    for (size_t at = 0; at < document_len(d);) {
        size_t end = chunk_end(d, at), line = document_line_at(d, at);
        assert_true(end > at && end <= document_len(d));
        assert_true(end == document_len(d) ||
                    document_line_start(d, document_line_at(d, end)) == end);
        bool is_line =
            line + 1 >= document_line_count(d) || document_line_start(d, line + 1) >= end;
        assert_true(end - at <= CHUNK_MAX_BYTES || is_line);
        at = end;
    }
}

static void chunks_of_any_text_are_all_of_it(void **state)
{
    (void)state;
    unsigned seed = (unsigned)clock_wall_us();
    print_message("seed %u\n", seed);
    srand(seed);
    for (int i = 0; i < 300; i++) {
        struct buf text;
        buf_init(&text, 1000000);
        random_text(&text);
        struct document *d = document_create(buf_str(&text));
        check(d);
        document_destroy(d);
        buf_release(&text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(functions_are_chunks),
        cmocka_unit_test(small_ones_go_together_and_large_ones_end_at_an_empty_line),
        cmocka_unit_test(brackets_say_nothing),
        cmocka_unit_test(chunks_of_any_text_are_all_of_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
