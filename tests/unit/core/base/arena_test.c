/* arena_test.c - memory that is dropped all at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "core/base/arena.h"
#include "core/base/memory.h"

static bool is_zero(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (p[i]) {
            return false;
        }
    }
    return true;
}

static void arena_gives_zeroed_aligned_memory(void **state)
{
    (void)state;
    struct arena a = {0};
    for (size_t n = 0; n < 3000; n += 7) {
        char *p = arena_alloc(&a, n);
        assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
        assert_true(is_zero(p, n));
        memset(p, 0xAA, n);
    }
    arena_release(&a);
    assert_int_equal(a.n_bytes, 0);
    arena_release(&a);
    arena_release(NULL);
}

static void arena_starts_small(void **state)
{
    (void)state;
    struct arena a = {0};
    arena_alloc(&a, 100);
    assert_int_equal(a.n_bytes, 1024);
    arena_alloc(&a, 700);
    assert_int_equal(a.n_bytes, 1024);
    arena_alloc(&a, 700);
    assert_int_equal(a.n_bytes, 1024 + 2048);
    arena_release(&a);
}

static void arena_takes_what_is_larger_than_a_block(void **state)
{
    (void)state;
    struct arena a = {0};
    char *p = arena_alloc(&a, 3u << 20);
    p[(3u << 20) - 1] = 1;
    char *q = arena_alloc(&a, 10);
    assert_true(is_zero(q, 10));
    arena_release(&a);
}

static void arena_strings_end_with_a_nul(void **state)
{
    (void)state;
    struct arena a = {0};
    str s = arena_dup(&a, STR("a\0b"));
    assert_int_equal(s.len, 3);
    assert_memory_equal(s.ptr, "a\0b\0", 4);
    s = arena_printf(&a, "%s-%d", "x", 7);
    assert_int_equal(s.len, 3);
    assert_string_equal(s.ptr, "x-7");
    assert_string_equal(arena_dup(&a, str_from(NULL)).ptr, "");
    assert_int_equal(arena_printf(&a, "%2000d", 1).len, 2000);
    arena_release(&a);
}

static void arena_reset_gives_zeroed_memory_again(void **state)
{
    (void)state;
    struct arena a = {0};
    char *kept = arena_alloc(&a, 64);
    memset(kept, 1, 64);
    struct arena_mark mark = arena_mark(&a);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 50; i++) {
            char *p = arena_alloc(&a, 100);
            assert_true(is_zero(p, 100));
            memset(p, 0xAA, 100);
        }
        arena_reset(&a, mark);
    }
    for (int i = 0; i < 64; i++) {
        assert_int_equal(kept[i], 1);
    }
    arena_release(&a);
}

static void arena_scratch_in_a_loop_stops_allocating(void **state)
{
    (void)state;
    struct arena a = {0};
    arena_alloc(&a, 900);
    struct arena_mark mark = arena_mark(&a);
    size_t n_bytes = 0;
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < 40; i++) {
            arena_alloc(&a, 200);
        }
        arena_reset(&a, mark);
        if (round == 3) {
            n_bytes = a.n_bytes;
        }
    }
    assert_int_equal(a.n_bytes, n_bytes);
    arena_release(&a);
}

static void arena_reset_to_the_start_keeps_little(void **state)
{
    (void)state;
    struct arena a = {0};
    struct arena_mark mark = arena_mark(&a);
    arena_alloc(&a, 100);
    arena_alloc(&a, 1u << 20);
    arena_alloc(&a, 5000);
    arena_reset(&a, mark);
    assert_true(a.n_bytes <= 64u * 1024);
    assert_true(is_zero(arena_alloc(&a, 500), 500));
    arena_release(&a);
    arena_reset(&a, (struct arena_mark){0});
    assert_int_equal(a.n_bytes, 0);
}

static void arena_marks_nest(void **state)
{
    (void)state;
    struct arena a = {0};
    struct arena_mark outer = arena_mark(&a);
    str x = arena_dup(&a, STR("x"));
    struct arena_mark inner = arena_mark(&a);
    arena_alloc(&a, 5000);
    arena_reset(&a, inner);
    assert_string_equal(x.ptr, "x");
    str y = arena_dup(&a, STR("y"));
    inner = arena_mark(&a);
    arena_alloc(&a, 90000);
    arena_alloc(&a, 90000);
    arena_reset(&a, inner);
    assert_string_equal(y.ptr, "y");
    arena_reset(&a, outer);
    arena_release(&a);
    assert_int_equal(a.n_bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arena_gives_zeroed_aligned_memory),
        cmocka_unit_test(arena_starts_small),
        cmocka_unit_test(arena_takes_what_is_larger_than_a_block),
        cmocka_unit_test(arena_strings_end_with_a_nul),
        cmocka_unit_test(arena_reset_gives_zeroed_memory_again),
        cmocka_unit_test(arena_scratch_in_a_loop_stops_allocating),
        cmocka_unit_test(arena_reset_to_the_start_keeps_little),
        cmocka_unit_test(arena_marks_nest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
