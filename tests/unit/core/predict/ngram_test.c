/* ngram_test.c - the index of contexts: orders, recency, memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "core/base/hash.h"
#include "core/base/memory.h"
#include "core/predict/ngram.h"

static void make(struct ngrams *g, const char *text, bool is_chained)
{
    ngrams_init(g, 4u << 20);
    assert_true(ngrams_add(g, STR("/a"), str_from(text), NULL, NULL));
    if (is_chained) {
        ngrams_chain(g);
    } else {
        assert_true(ngrams_index(g, NULL));
    }
}

static uint32_t word(const struct ngrams *g, const char *text)
{
    return ngrams_word(g, hash_str(str_from(text)));
}

static bool next_is(const struct ngrams *g, const struct ngram_hit *hit, const char *text)
{
    return str_eq(ngrams_text(g, g->tokens[hit->place] >> 1), str_from(text));
}

static void find_prefers_the_longest_match(void **state)
{
    bool *is_chained = *state;
    struct ngrams g;
    make(&g, "a b c one; x b c two; a b c", *is_chained);
    uint32_t context[] = {word(&g, "x"), word(&g, "b"), word(&g, "c")};
    struct ngram_hit hits[NGRAM_MAX_HITS];
    size_t n = ngrams_find(&g, context, 3, hits);
    assert_int_equal(n, 2);
    size_t longest = hits[0].n_order > hits[1].n_order ? 0 : 1;
    assert_true(next_is(&g, &hits[longest], "two"));
    assert_int_equal(NGRAM_ORDERS[hits[longest].n_order], 3);
    assert_true(next_is(&g, &hits[1 - longest], "one"));
    assert_int_equal(NGRAM_ORDERS[hits[1 - longest].n_order], 2);
    ngrams_release(&g);
}

static void find_knows_nothing_of_new_words(void **state)
{
    bool *is_chained = *state;
    struct ngrams g;
    make(&g, "a b c", *is_chained);
    assert_int_equal(word(&g, "zzz"), 0);
    uint32_t context[] = {word(&g, "a"), 0};
    struct ngram_hit hits[NGRAM_MAX_HITS];
    assert_int_equal(ngrams_find(&g, context, 2, hits), 0);
    assert_int_equal(ngrams_find(&g, context, 0, hits), 0);
    ngrams_release(&g);
}

static void find_never_reaches_across_files(void **state)
{
    (void)state;
    struct ngrams g;
    ngrams_init(&g, 1u << 20);
    assert_true(ngrams_add(&g, STR("/a"), STR("p q r"), NULL, NULL));
    assert_true(ngrams_add(&g, STR("/b"), STR("s t"), NULL, NULL));
    assert_true(ngrams_index(&g, NULL));
    uint32_t context[] = {word(&g, "q"), word(&g, "r")};
    struct ngram_hit hits[NGRAM_MAX_HITS];
    size_t n = ngrams_find(&g, context, 2, hits);
    assert_int_equal(n, 1);
    assert_int_equal(g.tokens[hits[0].place], 0);
    assert_int_equal(g.n_files, 2);
    assert_string_equal(g.files[1].path, "/b");
    ngrams_release(&g);
}

/* Sorted look-up against a plain search, on texts with few words, so with many matches. */
static void find_agrees_with_plain_search(void **state)
{
    (void)state;
    const char *env = getenv("SEED");
    uint32_t seed = env ? (uint32_t)strtoul(env, NULL, 10) : 4711;
    print_message("seed %u\n", seed);
    struct buf text;
    buf_init(&text, 1u << 16);
    for (unsigned i = 0; i < 4000; i++) {
        seed = seed * 1664525u + 1013904223u;
        buf_appendf(&text, "w%u%s", (seed >> 16) % 5, (seed >> 24) % 16 == 0 ? "\n" : " ");
    }
    struct ngrams g;
    make(&g, buf_cstr(&text), false);
    for (uint32_t at = 10; at < g.n_tokens; at += 37) {
        uint32_t context[8];
        for (uint32_t k = 0; k < 8; k++) {
            context[k] = g.tokens[at - 8 + k] >> 1;
        }
        struct ngram_hit hits[NGRAM_MAX_HITS];
        size_t n = ngrams_find(&g, context, 8, hits);
        assert_true(n > 0 && n <= NGRAM_MAX_HITS);
        for (size_t i = 0; i < n; i++) {
            for (uint32_t k = 0; k < NGRAM_ORDERS[hits[i].n_order]; k++) {
                assert_int_equal(g.tokens[hits[i].place - 1 - k] >> 1, context[7 - k]);
            }
        }
        float weight = 0;
        for (size_t i = 0; i < n; i++) {
            weight += hits[i].n_order == hits[0].n_order ? hits[i].weight : 0;
        }
        unsigned n_plain = 0;
        uint32_t order = NGRAM_ORDERS[hits[0].n_order];
        for (uint32_t place = order; place < g.n_tokens; place++) {
            uint32_t k = 0;
            while (k < order && g.tokens[place - 1 - k] >> 1 == context[7 - k]) {
                k++;
            }
            n_plain += k == order;
        }
        assert_true(weight > (float)n_plain - 0.5f && weight < (float)n_plain + 0.5f);
    }
    ngrams_release(&g);
    buf_release(&text);
}

static void longest_finds_the_same_place(void **state)
{
    (void)state;
    struct ngrams g;
    make(&g, "a b c d e f; g b c d e f; h b c d e f", false);
    uint32_t context[] = {word(&g, "g"), word(&g, "b"), word(&g, "c"), word(&g, "d")};
    uint32_t n_match;
    uint32_t place = ngrams_longest(&g, context, 4, &n_match);
    assert_int_equal(n_match, 4);
    assert_int_equal(g.tokens[place - 4] >> 1, word(&g, "g"));
    ngrams_release(&g);
}

static void prefix_finds_words(void **state)
{
    bool *is_chained = *state;
    struct ngrams g;
    make(&g, "alpha alphabet beta alp gamma", *is_chained);
    uint32_t words[4];
    assert_int_equal(ngrams_with_prefix(&g, STR("alph"), words, 4), 2);
    assert_int_equal(ngrams_with_prefix(&g, STR("alp"), words, 2), SIZE_MAX);
    assert_int_equal(ngrams_with_prefix(&g, STR("z"), words, 4), 0);
    ngrams_release(&g);
}

static void memory_stays_within_bounds(void **state)
{
    (void)state;
    struct buf text;
    buf_init(&text, 8u << 20);
    for (unsigned i = 0; i < 200000; i++) {
        buf_appendf(&text, "name%u = call(%u);\n", i % 7919, i);
    }
    struct ngrams g;
    ngrams_init(&g, 300000);
    assert_false(ngrams_add(&g, STR("/big"), buf_str(&text), NULL, NULL));
    assert_true(ngrams_index(&g, NULL));
    assert_true(ngrams_bytes(&g) <= 300000);
    assert_true(g.n_tokens > 1000);
    ngrams_release(&g);
    buf_release(&text);
}

static void index_stops_when_cancelled(void **state)
{
    (void)state;
    atomic_bool is_cancelled = true;
    struct ngrams g;
    ngrams_init(&g, 1u << 20);
    (void)ngrams_add(&g, STR("/a"), STR("a b c d"), NULL, NULL);
    assert_false(ngrams_index(&g, &is_cancelled));
    ngrams_release(&g);
}

static void empty_is_harmless(void **state)
{
    (void)state;
    struct ngrams g;
    make(&g, "", false);
    uint32_t words[2];
    struct ngram_hit hits[NGRAM_MAX_HITS];
    uint32_t context[] = {0};
    assert_int_equal(ngrams_with_prefix(&g, STR("a"), words, 2), 0);
    assert_int_equal(ngrams_find(&g, context, 1, hits), 0);
    ngrams_release(&g);
    ngrams_release(&g);
}

int main(void)
{
    static bool chained = true;
    static bool sorted = false;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(find_prefers_the_longest_match, &sorted),
        cmocka_unit_test_prestate(find_prefers_the_longest_match, &chained),
        cmocka_unit_test_prestate(find_knows_nothing_of_new_words, &sorted),
        cmocka_unit_test_prestate(find_knows_nothing_of_new_words, &chained),
        cmocka_unit_test(find_never_reaches_across_files),
        cmocka_unit_test(find_agrees_with_plain_search),
        cmocka_unit_test(longest_finds_the_same_place),
        cmocka_unit_test_prestate(prefix_finds_words, &sorted),
        cmocka_unit_test_prestate(prefix_finds_words, &chained),
        cmocka_unit_test(memory_stays_within_bounds),
        cmocka_unit_test(index_stops_when_cancelled),
        cmocka_unit_test(empty_is_harmless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
