/* deadline_test.c - what is learned about waiting: spans, cold loads, prompt sizes, cancelling. */
#include "tests/unit/core/upstream/chance.h"

#include "core/base/limits.h"
#include "core/upstream/deadline.h"

#define GB 1000000000ull

static const struct deadline_call typing = {
    .kind = DEADLINE_INLINE, .n_prompt_bytes = 4000, .max_tokens = 64};
static const struct deadline_call chat = {
    .kind = DEADLINE_CHAT, .n_prompt_bytes = 6000, .max_tokens = 512};
static const struct deadline_call load = {.kind = DEADLINE_LOAD};

/* An answer of 20 tokens: the first after first_ms, the others each gap_ms later. */
static struct deadline_sample answer(unsigned first_ms, unsigned gap_ms)
{
    return (struct deadline_sample){.has_first = true,
                                    .is_whole = true,
                                    .first_us = MS_TO_US(first_ms),
                                    .gap_us = MS_TO_US(gap_ms),
                                    .total_us = MS_TO_US(first_ms + 19 * gap_ms),
                                    .n_pieces = 20,
                                    .n_prompt_tokens = -1,
                                    .n_cached_tokens = -1,
                                    .n_tokens = -1,
                                    .prompt_ms = -1,
                                    .generate_ms = -1};
}

static struct deadline_sample cancelled(unsigned after_ms)
{
    struct deadline_sample s = answer(after_ms, 0);
    s.has_first = s.is_whole = false;
    s.n_pieces = 0;
    return s;
}

static void hear(struct deadline *d, const struct deadline_call *call, struct deadline_sample s,
                 int n)
{
    for (int i = 0; i < n; i++) {
        deadline_hear(d, call, &s);
    }
}

static void before_samples_the_size_decides(void **state)
{
    (void)state;
    struct deadline *small = deadline_create(), *large = deadline_create(),
                    *unknown = deadline_create();
    deadline_describe(small, 500000000, GB / 2);
    deadline_describe(large, 0, 20 * GB);
    struct deadline_spans s = deadline_spans(small, &chat), l = deadline_spans(large, &chat),
                          u = deadline_spans(unknown, &chat);
    assert_true(s.first_us < l.first_us);
    assert_true(s.total_us < u.total_us && u.total_us <= l.total_us);
    assert_in_range(s.first_us, SEC_TO_US(60), SEC_TO_US(300)); /* a CPU's, for all we know */
    assert_true(l.first_us == SEC_TO_US(300));
    assert_true(l.total_us >= SEC_TO_US(300));
    assert_true(deadline_prompt_speed(small) > deadline_prompt_speed(large));
    assert_true(deadline_prompt_speed(unknown) == 0);
    s = deadline_spans(small, &load);
    l = deadline_spans(large, &load);
    assert_in_range(s.total_us, SEC_TO_US(30), SEC_TO_US(60));
    assert_int_equal(l.total_us, SEC_TO_US(300));
    assert_int_equal(deadline_spans(unknown, &load).total_us, SEC_TO_US(120));
    deadline_destroy(small);
    deadline_destroy(large);
    deadline_destroy(unknown);
}

static void spans_are_the_95th_percentile_and_half_of_it(void **state)
{
    (void)state;
    struct deadline *d = deadline_create();
    deadline_describe(d, 0, 5 * GB);
    assert_int_equal(deadline_late_us(d, &typing), 0);
    for (unsigned i = 1; i <= 100; i++) {
        struct deadline_sample s = answer(40 * i, 1);
        deadline_hear(d, &typing, &s);
    }
    struct deadline_spans s = deadline_spans(d, &typing);
    assert_in_range(s.first_us, MS_TO_US(95 * 40 * 3 / 2), MS_TO_US(95 * 40 * 3 / 2) * 17 / 16);
    assert_in_range(deadline_usual_us(d, &typing), MS_TO_US(2000), MS_TO_US(2125));
    assert_in_range(deadline_late_us(d, &typing), MS_TO_US(3800), MS_TO_US(3800) * 17 / 16);
    assert_int_equal(deadline_late_us(d, &chat) + deadline_late_us(d, &load), 0);
    assert_true(s.total_us >= s.first_us);
    deadline_destroy(d);
}

static void fast_and_slow_machines_have_their_ranges(void **state)
{
    (void)state;
    struct deadline *fast = deadline_create(), *slow = deadline_create();
    hear(fast, &typing, answer(50, 5), 50);
    hear(fast, &chat, answer(300, 5), 50);
    hear(slow, &typing, answer(3000, 200), 50);
    hear(slow, &chat, answer(15000, 200), 50);
    assert_int_equal(deadline_spans(fast, &typing).first_us, SEC_TO_US(2));
    assert_int_equal(deadline_spans(fast, &typing).gap_us, SEC_TO_US(1));
    assert_int_equal(deadline_spans(fast, &chat).first_us, SEC_TO_US(10));
    assert_in_range(deadline_spans(fast, &chat).total_us, SEC_TO_US(10), SEC_TO_US(90));
    assert_int_equal(deadline_spans(slow, &typing).first_us, SEC_TO_US(15));
    assert_int_equal(deadline_spans(slow, &typing).gap_us, SEC_TO_US(3));
    assert_int_equal(deadline_spans(slow, &chat).first_us, SEC_TO_US(60));
    hear(slow, &typing, answer(600000, 200), 400);
    assert_int_equal(deadline_spans(slow, &typing).first_us, SEC_TO_US(60));
    deadline_destroy(fast);
    deadline_destroy(slow);
}

static void long_answer_at_its_usual_pace_is_not_late(void **state)
{
    (void)state;
    struct deadline *d = deadline_create();
    hear(d, &chat, answer(300, 20), 50); /* 50 tokens in a second */
    struct deadline_call book = chat;
    book.max_tokens = 8000; /* 160 s at that pace */
    assert_true(deadline_spans(d, &book).total_us >= SEC_TO_US(160));
    assert_true(deadline_spans(d, &chat).total_us <= SEC_TO_US(90));
    deadline_destroy(d);
}

static void cold_calls_get_time_to_load_and_teach_nothing_about_warm_ones(void **state)
{
    (void)state;
    struct deadline *d = deadline_create();
    struct deadline_call cold = typing;
    cold.is_cold = true;
    hear(d, &typing, answer(100, 5), 50);
    struct deadline_spans warm = deadline_spans(d, &typing);
    assert_int_equal(deadline_spans(d, &cold).first_us, warm.first_us + SEC_TO_US(120));
    hear(d, &cold, answer(40000, 5), 50);
    assert_int_equal(deadline_spans(d, &typing).first_us, warm.first_us);
    assert_in_range(deadline_spans(d, &cold).first_us, warm.first_us + SEC_TO_US(60),
                    warm.first_us + SEC_TO_US(64));
    assert_in_range(deadline_spans(d, &load).total_us, SEC_TO_US(60), SEC_TO_US(64));
    deadline_destroy(d);
}

static void classes_of_prompts_are_apart_and_small_ones_borrow_from_larger(void **state)
{
    (void)state;
    struct deadline *d = deadline_create();
    struct deadline_call small = typing, large = typing, huge = typing;
    small.n_prompt_bytes = 100;
    large.n_prompt_bytes = 30000;
    huge.n_prompt_bytes = 200000;
    deadline_describe(d, 0, GB);
    hear(d, &large, answer(20000, 10), 20);
    hear(d, &typing, answer(14000, 10), 20);
    assert_in_range(deadline_spans(d, &large).first_us, SEC_TO_US(30), SEC_TO_US(32));
    assert_in_range(deadline_spans(d, &typing).first_us, SEC_TO_US(21), SEC_TO_US(23));
    assert_in_range(deadline_spans(d, &small).first_us, SEC_TO_US(21), SEC_TO_US(23));
    assert_true(deadline_spans(d, &huge).first_us > SEC_TO_US(32)); /* by its size */
    deadline_destroy(d);
}

static void two_deadlines_in_a_row_double_until_text_comes(void **state)
{
    (void)state;
    struct deadline *d = deadline_create();
    hear(d, &typing, answer(2000, 10), 200);
    uint64_t before = deadline_spans(d, &typing).first_us;
    struct deadline_sample late = cancelled(3100);
    late.is_late = true;
    hear(d, &typing, late, 1);
    assert_true(deadline_spans(d, &typing).first_us < before * 3 / 2);
    hear(d, &typing, cancelled(10), 1); /* says nothing for or against */
    hear(d, &typing, late, 1);
    assert_true(deadline_spans(d, &typing).first_us >= 2 * before);
    hear(d, &typing, late, 1);
    assert_true(deadline_spans(d, &typing).first_us <= 3 * before); /* once */
    hear(d, &typing, answer(2000, 10), 1);
    assert_true(deadline_spans(d, &typing).first_us < before * 3 / 2);
    deadline_destroy(d);
}

static void speed_of_reading_bounds_the_prompt(void **state)
{
    (void)state;
    struct deadline *d = deadline_create();
    assert_int_equal(deadline_prompt_bytes(d, MS_TO_US(100)), WINDOW_MAX_BYTES);
    deadline_describe(d, 0, 5 * GB);
    assert_true(deadline_prompt_bytes(d, SEC_TO_US(30)) < WINDOW_MAX_BYTES);
    /* it seems: 4000 bytes in a second, since nothing else is known */
    hear(d, &typing, answer(1000, 100), 30);
    assert_in_range(deadline_prompt_bytes(d, SEC_TO_US(2)), 7000, 8100);
    /* the server knows better: 900 of 1000 tokens of 4 bytes were there, 100 took a second */
    struct deadline_sample s = answer(1050, 100);
    s.n_prompt_tokens = 1000;
    s.n_cached_tokens = 900;
    s.prompt_ms = 1000;
    hear(d, &typing, s, 30);
    assert_true(deadline_prompt_speed(d) > 93 && deadline_prompt_speed(d) <= 100);
    assert_in_range(deadline_prompt_bytes(d, SEC_TO_US(10)), 3700, 4000);
    assert_int_equal(deadline_prompt_bytes(d, 0), KIB);
    assert_int_equal(deadline_prompt_bytes(d, SEC_TO_US(100000)), WINDOW_MAX_BYTES);
    hear(d, &typing, answer(1, 1), 100); /* what only seems so isn't heard any more */
    assert_true(deadline_prompt_speed(d) <= 100);
    deadline_destroy(d);
}

static void speed_of_writing_is_measured(void **state)
{
    (void)state;
    struct deadline *d = deadline_create();
    hear(d, &typing, answer(500, 50), 40); /* by pieces: 20 in 19 gaps of 50 ms */
    assert_true(deadline_text_speed(d) > 20 && deadline_text_speed(d) < 22);
    struct deadline_sample s = answer(500, 50);
    s.n_tokens = 100;
    s.generate_ms = 1000;
    hear(d, &typing, s, 100);
    assert_true(deadline_text_speed(d) > 99 && deadline_text_speed(d) < 101);
    deadline_destroy(d);
}

/* -- random calls -- */

static bool is_shorter(struct deadline_spans a, struct deadline_spans b)
{
    return a.first_us < b.first_us || a.gap_us < b.gap_us || a.total_us < b.total_us;
}

static struct deadline_call random_call(void)
{
    return (struct deadline_call){.kind = (enum deadline_kind)chance_below(N_DEADLINE_KINDS),
                                  .n_prompt_bytes = (size_t)chance_below(50000),
                                  .max_tokens = (unsigned)chance_below(1000),
                                  .is_cold = chance_below(10) == 0};
}

static void check_ranges(const struct deadline_call *call, struct deadline_spans s)
{
    static const uint64_t min_s[] = {2, 10, 30}, max_s[] = {60, 300, 300};
    uint64_t cold_us = call->is_cold && call->kind != DEADLINE_LOAD ? SEC_TO_US(300) : 0;
    assert_in_range(s.first_us, SEC_TO_US(min_s[call->kind]),
                    SEC_TO_US(max_s[call->kind]) + cold_us);
    assert_true(s.total_us >= s.first_us);
    assert_true(s.total_us < 2 * SEC_TO_US(3600) + cold_us);
    assert_in_range(s.gap_us, SEC_TO_US(1), SEC_TO_US(300));
}

/* Whoever types on never makes a deadline shorter by it, whatever was heard before. */
static void cancelling_never_shortens_a_deadline(void **state)
{
    (void)state;
    uint64_t n_events = chance_begin();
    struct deadline *d = NULL;
    unsigned speed_ms = 100;
    for (uint64_t i = 0; i < n_events; i++) {
        if (chance_below(3000) == 0 || !d) {
            deadline_destroy(d);
            d = deadline_create();
            deadline_describe(d, 0, chance_below(2) * chance_below(30 * GB));
        }
        speed_ms = chance_below(200) == 0 ? 1 + (unsigned)chance_below(20000) : speed_ms;
        struct deadline_call call = random_call(), asked = random_call();
        struct deadline_sample s =
            answer((unsigned)chance_below(2 * speed_ms), (unsigned)chance_below(speed_ms) / 10);
        bool is_cancelled = chance_below(2) == 0;
        if (is_cancelled) {
            s = cancelled((unsigned)chance_below(2 * speed_ms));
            s.is_late = chance_below(10) == 0;
        } else if (chance_below(3) == 0) {
            s.n_prompt_tokens = (int64_t)chance_below(10000);
            s.n_cached_tokens = (int64_t)chance_below(10000);
            s.n_tokens = (int64_t)chance_below(100);
            s.prompt_ms = (double)chance_below(10000);
            s.generate_ms = (double)chance_below(10000);
        }
        struct deadline_spans before = deadline_spans(d, &asked);
        deadline_hear(d, &call, &s);
        struct deadline_spans after = deadline_spans(d, &asked);
        check_ranges(&asked, after);
        assert_false(is_cancelled && is_shorter(after, before));
        assert_in_range(deadline_prompt_bytes(d, chance_below(SEC_TO_US(10))), KIB,
                        WINDOW_MAX_BYTES);
    }
    deadline_destroy(d);
}

/* -- beside a plain reference: sorted lists, and the words of the header -- */

#define N_SIZES   4u
#define SAMPLES   250u /* fewer than fade an older one */
#define ENOUGH    8u
#define TOLERANCE 0.07 /* of the sketch: 6.25 %, and rounding */

struct list { /* ascending */
    uint64_t us[SAMPLES];
    size_t n;
};
struct reference {
    struct list first[2][N_SIZES], gap[2][N_SIZES];
};

static void insert(struct list *l, uint64_t us)
{
    size_t at = l->n++;
    for (; at > 0 && l->us[at - 1] > us; at--) {
        l->us[at] = l->us[at - 1];
    }
    l->us[at] = us;
}

static unsigned size_of(size_t n_bytes)
{
    static const size_t most[] = {2048, 8192, 32768};
    unsigned i = 0;
    while (i < 3 && n_bytes > most[i]) {
        i++;
    }
    return i;
}

/* The class that is gone by: its own, or one of larger prompts; N_SIZES: none has enough. */
static unsigned known_size(const struct reference *r, const struct deadline_call *call)
{
    unsigned i = size_of(call->n_prompt_bytes);
    while (i < N_SIZES && r->first[call->kind][i].n < ENOUGH) {
        i++;
    }
    return i;
}

static double in_range(double us, uint64_t min_s, uint64_t max_s)
{
    double min_us = (double)SEC_TO_US(min_s), max_us = (double)SEC_TO_US(max_s);
    return us < min_us ? min_us : us > max_us ? max_us : us;
}

static bool is_near(uint64_t us, double expected)
{
    return (double)us >= expected * (1 - TOLERANCE) && (double)us <= expected * (1 + TOLERANCE);
}

/* 95 of 100 took so long at most, and half of it on top; within the range of a machine of either
 * pace, since how fast it is is measured apart. */
static bool agrees(const struct list *l, uint64_t us, const uint64_t slow_s[2],
                   const uint64_t fast_s[2])
{
    double expected = 1.5 * (double)l->us[(l->n * 95 + 99) / 100 - 1];
    return is_near(us, in_range(expected, slow_s[0], slow_s[1])) ||
           is_near(us, in_range(expected, fast_s[0], fast_s[1]));
}

static void check_beside(const struct reference *r, const struct deadline *d)
{
    static const uint64_t slow_s[2][2] = {{15, 60}, {60, 300}}, fast_s[2][2] = {{2, 15}, {10, 90}};
    static const uint64_t slow_gap_s[] = {3, 30}, fast_gap_s[] = {1, 10};
    struct deadline_call call = random_call();
    call.kind = chance_below(2) == 0 ? DEADLINE_INLINE : DEADLINE_CHAT;
    call.is_cold = false;
    unsigned size = known_size(r, &call);
    if (size < N_SIZES) {
        struct deadline_spans s = deadline_spans(d, &call);
        assert_true(
            agrees(&r->first[call.kind][size], s.first_us, slow_s[call.kind], fast_s[call.kind]));
        assert_true(agrees(&r->gap[call.kind][size], s.gap_us, slow_gap_s, fast_gap_s));
    }
}

static void spans_agree_with_a_plain_reference(void **state)
{
    (void)state;
    uint64_t n_events = chance_begin(), pace_us = 1000;
    struct reference *r = calloc(1, sizeof *r);
    struct deadline *d = NULL;
    unsigned n = 0;
    for (uint64_t i = 0; i < n_events; i++, n++) {
        if (!d || n == SAMPLES) {
            deadline_destroy(d);
            d = deadline_create();
            *r = (struct reference){.first = {{{.n = 0}}}};
            n = 0;
            pace_us = 1 + chance_below(SEC_TO_US(1 + chance_below(60)));
        }
        struct deadline_call call = random_call();
        call.kind = chance_below(2) == 0 ? DEADLINE_INLINE : DEADLINE_CHAT;
        call.is_cold = false;
        struct deadline_sample s = answer(0, 0);
        s.first_us = 1 + chance_below(2 * pace_us);
        s.gap_us = 1 + chance_below(pace_us);
        s.total_us = s.first_us + 19 * s.gap_us;
        deadline_hear(d, &call, &s);
        unsigned size = size_of(call.n_prompt_bytes);
        insert(&r->first[call.kind][size], s.first_us);
        insert(&r->gap[call.kind][size], s.gap_us);
        check_beside(r, d);
    }
    deadline_destroy(d);
    free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(before_samples_the_size_decides),
        cmocka_unit_test(spans_are_the_95th_percentile_and_half_of_it),
        cmocka_unit_test(fast_and_slow_machines_have_their_ranges),
        cmocka_unit_test(long_answer_at_its_usual_pace_is_not_late),
        cmocka_unit_test(cold_calls_get_time_to_load_and_teach_nothing_about_warm_ones),
        cmocka_unit_test(classes_of_prompts_are_apart_and_small_ones_borrow_from_larger),
        cmocka_unit_test(two_deadlines_in_a_row_double_until_text_comes),
        cmocka_unit_test(speed_of_reading_bounds_the_prompt),
        cmocka_unit_test(speed_of_writing_is_measured),
        cmocka_unit_test(cancelling_never_shortens_a_deadline),
        cmocka_unit_test(spans_agree_with_a_plain_reference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
