/* advice_test.c - the model that is recommended fits, and is the largest that does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/base/limits.h"
#include "core/model/advice.h"

#define GB(n) ((uint64_t)((n)*1e9))

static const char *model_for(double total_gb, double available_gb)
{
    struct hardware_memory m = {.total = GB(total_gb), .available = GB(available_gb)};
    const struct advice *a = advice_for(&m);
    return a != NULL ? a->model : "none";
}

static void table_grows_and_is_complete(void **state)
{
    (void)state;
    const struct advice *before = NULL;
    size_t n = 0;
    for (const struct advice *a; (a = advice_row(n)) != NULL; n++) {
        assert_true(a->need_bytes > a->file_bytes);
        assert_true(str_starts_with(str_from(a->command), STR("llama-server ")));
        if (before != NULL) {
            assert_true(a->file_bytes > before->file_bytes);
            assert_true(a->need_bytes > before->need_bytes);
        }
        before = a;
    }
    assert_true(n > 2);
}

static void more_memory_gets_a_larger_model(void **state)
{
    (void)state;
    assert_string_equal(model_for(2, 1), "none");
    assert_string_equal(model_for(4, 3), "Qwen2.5-Coder 0.5B");
    assert_string_equal(model_for(8, 6), "Qwen2.5-Coder 1.5B");
    assert_string_equal(model_for(16, 12), "Qwen2.5-Coder 3B");
    assert_string_equal(model_for(32, 24), "Qwen2.5-Coder 7B");
    assert_string_equal(model_for(128, 100), "Qwen3-Coder 30B-A3B");
}

static void unknown_memory_gets_the_small_model_that_serves_well(void **state)
{
    (void)state;
    assert_string_equal(model_for(0, 0), "Qwen2.5-Coder 1.5B");
    assert_string_equal(model_for(16, 0), "Qwen2.5-Coder 1.5B");
}

static void sizes_read_like_download_pages(void **state)
{
    (void)state;
    static const struct {
        uint64_t bytes;
        const char *text;
    } cases[] = {{531000000u, "531 MB"},
                 {1650000000u, "1.6 GB"},
                 {9960000000u, "10 GB"},
                 {32500000000u, "32 GB"}};
    struct buf out = {0};
    buf_init(&out, KIB);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        buf_clear(&out);
        advice_size(cases[i].bytes, &out);
        assert_string_equal(buf_cstr(&out), cases[i].text);
    }
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table_grows_and_is_complete),
        cmocka_unit_test(more_memory_gets_a_larger_model),
        cmocka_unit_test(unknown_memory_gets_the_small_model_that_serves_well),
        cmocka_unit_test(sizes_read_like_download_pages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
