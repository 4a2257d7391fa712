/* vectors_test.c - which vectors are kept, and how alike two are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/base/str.h"
#include "core/request/vectors.h"

#define MANY (64u * 1024u)

static void put(struct vectors *v, uint64_t key, float x, float y)
{
    vectors_put(v, key, (float[]){x, y}, 2);
}

static int percent(const struct vectors *v, uint64_t a, uint64_t b)
{
    double like = vectors_likeness(v, a, b) * 100;
    return (int)(like < 0 ? like - 0.5 : like + 0.5);
}

static void likeness_is_the_angle_whatever_the_length(void **state)
{
    (void)state;
    struct vectors *v = vectors_create(MANY);
    put(v, 1, 3, 0);
    put(v, 2, 0.1f, 0.1f);
    put(v, 3, 0, 1000);
    put(v, 4, -7, 0);
    put(v, 5, 0, 0);
    assert_int_equal(percent(v, 1, 1), 100);
    assert_int_equal(percent(v, 1, 2), 71);
    assert_int_equal(percent(v, 2, 1), 71);
    assert_int_equal(percent(v, 1, 3), 0);
    assert_int_equal(percent(v, 1, 4), -100);
    assert_int_equal(percent(v, 1, 5), 0);
    assert_int_equal(percent(v, 5, 5), 0);
    assert_int_equal(percent(v, 1, 99), 0);
    put(v, 3, 1, 0); /* once more */
    assert_int_equal(percent(v, 1, 3), 100);
    assert_int_equal(vectors_count(v), 5);
    vectors_destroy(v);
}

static void those_of_another_model_are_forgotten(void **state)
{
    (void)state;
    struct vectors *v = vectors_create(MANY);
    vectors_of_model(v, 7);
    put(v, 1, 1, 0);
    vectors_of_model(v, 7);
    assert_true(vectors_has(v, 1));
    vectors_of_model(v, 8);
    assert_false(vectors_has(v, 1));
    put(v, 1, 1, 0);
    vectors_put(v, 2, (float[]){1, 2, 3}, 3); /* the server has another one under that name */
    assert_false(vectors_has(v, 1));
    assert_true(vectors_has(v, 2));
    vectors_destroy(v);
}

static void who_was_not_asked_for_longest_makes_room(void **state)
{
    (void)state;
    struct vectors *v = vectors_create(MANY);
    uint64_t key = 0;
    assert_int_equal(vectors_room(v), SIZE_MAX);
    do {
        put(v, ++key, 1, 0);
        assert_true(vectors_has(v, 1));
    } while (vectors_count(v) == key && key < MANY);
    assert_in_range(key, 100, MANY / 16); /* bounded by bytes, not by number */
    assert_int_equal(vectors_count(v), vectors_room(v));
    assert_false(vectors_has(v, 2));
    assert_true(vectors_has(v, 3));
    put(v, ++key, 1, 0);
    assert_true(vectors_has(v, 1) && vectors_has(v, 3));
    assert_false(vectors_has(v, 4));
    assert_int_equal(vectors_count(v), key - 2);
    vectors_destroy(v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(likeness_is_the_angle_whatever_the_length),
        cmocka_unit_test(those_of_another_model_are_forgotten),
        cmocka_unit_test(who_was_not_asked_for_longest_makes_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
