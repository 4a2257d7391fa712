/* reuse_test.c - explanations of similar code: when one serves, when it doesn't, what is learned.
 */
#include "engine_bed.h"

#define SUM(total)                                                                                 \
    "int sum(const int *numbers, int n)\n{\n    int " total " = 0;\n"                              \
    "    for (int i = 0; i < n; i++) {\n        " total " += numbers[i];\n    }\n"                 \
    "    return " total ";\n}\n"
#define OTHER "int sum(const int *numbers, int n)\n{\n    return n > 0 ? numbers[0] : -1;\n}\n"
/* One token of many isn't the same. */
#define EDITED                                                                                     \
    "int sum(const int *numbers, int n)\n{\n    int total = 0;\n"                                  \
    "    for (int i = 1; i < n; i++) {\n        total += numbers[i];\n    }\n"                     \
    "    return total;\n}\n"

enum { EXPLAIN = 1, GLANCE = 2, RECALL = 4, AGAIN = 8, EXACT = 16 };

static void start(struct bed *bed)
{
    bed_start(bed, "");
    world.model.abilities |= MODEL_CHAT;
}

static uint64_t put(struct bed *bed, struct heard *h, const char *code, unsigned how, uint64_t head)
{
    *h = (struct heard){.n_done = 0};
    struct likeness like = {.head = how & EXACT ? 0 : head};
    sketch_take(&like.sketch, str_from(code), STR("c"));
    struct buf identity;
    buf_init(&identity, KIB);
    buf_appendf(&identity, "%llu\n%s", (unsigned long long)head, code);
    struct chat chat = {.prompt = buf_str(&identity),
                        .identity = buf_str(&identity),
                        .like = &like,
                        .max_tokens = 100,
                        .is_glance = (how & (GLANCE | RECALL)) != 0,
                        .is_recall = (how & RECALL) != 0,
                        .kind = "explain"};
    struct question q = {
        .kind = QUESTION_CHAT, .document = bed->doc, .chat = &chat, .is_again = (how & AGAIN) != 0};
    struct sink sink = {.on_text = on_text, .on_done = on_done, .user = h};
    uint64_t id = engine_ask(bed->engine, &q, &sink);
    buf_release(&identity);
    assert_int_equal(h->n_done, 0);
    turn();
    return id;
}

/* Asks, and has the model answer where it is asked. */
static void told(struct bed *bed, struct heard *h, const char *code, unsigned how, const char *said)
{
    size_t n = n_model_calls();
    put(bed, h, code, how, 7);
    assert_int_equal(n_model_calls(), n + 1);
    say(said);
    end(FINISH_STOP);
    assert_int_equal(h->n_done, 1);
    assert_string_equal(h->text, said);
}

static void similar_code_is_served_and_says_so(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    start(&bed);
    told(&bed, &h, SUM("total"), EXPLAIN, "adds up");
    assert_int_equal(h.boarded, BOARDED_NONE);
    put(&bed, &h, SUM("acc"), EXPLAIN, 7);
    assert_int_equal(h.boarded, BOARDED_SIMILAR);
    assert_string_equal(h.text, "adds up");
    assert_string_equal(h.why, "similar: flight 1, 1.00");
    pass(60000);
    put(&bed, &h, EDITED, RECALL, 7);
    assert_int_equal(h.boarded, BOARDED_SIMILAR);
    assert_non_null(strstr(h.why, "similar: flight 1, 0."));
    put(&bed, &h, SUM("total"), RECALL, 7);
    assert_int_equal(h.boarded, BOARDED_CACHED);
    assert_int_equal(n_model_calls(), 1);
    assert_int_equal(engine_similar(bed.engine).n_hits, 2);
    assert_int_equal(engine_flights(bed.engine).n_boarded_similar, 2);
    bed_end(&bed);
}

static void other_code_or_head_is_asked_anew(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    start(&bed);
    told(&bed, &h, SUM("total"), EXPLAIN, "adds up");
    put(&bed, &h, OTHER, RECALL, 7);
    assert_string_equal(h.text, "");
    put(&bed, &h, SUM("acc"), RECALL, 8); /* another symbol, prompt or language */
    assert_string_equal(h.text, "");
    put(&bed, &h, SUM("acc"), RECALL | EXACT, 7);
    assert_string_equal(h.text, "");
    told(&bed, &h, OTHER, EXPLAIN, "takes the first");
    told(&bed, &h, SUM("acc"), EXPLAIN | AGAIN, "adds up again");
    assert_int_equal(engine_similar(bed.engine).n_hits, 0);
    bed_end(&bed);
}

static void what_is_in_the_air_or_broke_off_doesnt_serve(void **state)
{
    (void)state;
    struct bed bed;
    struct heard first, h;
    start(&bed);
    put(&bed, &first, SUM("total"), EXPLAIN, 7);
    say("adds");
    put(&bed, &h, SUM("acc"), RECALL, 7);
    assert_string_equal(h.text, "");
    end(FINISH_LENGTH); /* cut off */
    assert_int_equal(first.n_done, 1);
    put(&bed, &h, SUM("acc"), RECALL, 7);
    assert_string_equal(h.text, "");
    assert_int_equal(engine_similar(bed.engine).n_entries, 0);
    bed_end(&bed);
}

static void similar_answer_is_no_measure_for_the_next(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    start(&bed);
    told(&bed, &h, SUM("total"), EXPLAIN, "adds up");
    put(&bed, &h, EDITED, RECALL, 7);
    assert_int_equal(h.boarded, BOARDED_SIMILAR);
    assert_int_equal(engine_similar(bed.engine).n_entries, 1);
    engine_clear_cache(bed.engine);
    assert_int_equal(engine_similar(bed.engine).n_entries, 0);
    put(&bed, &h, EDITED, RECALL, 7);
    assert_string_equal(h.text, "");
    bed_end(&bed);
}

static void answer_that_is_too_old_is_forgotten(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    start(&bed);
    told(&bed, &h, SUM("total"), EXPLAIN, "adds up");
    pass(5 * 60 * 1000);
    put(&bed, &h, SUM("acc"), RECALL, 7);
    assert_string_equal(h.text, "");
    assert_int_equal(engine_similar(bed.engine).n_entries, 0);
    bed_end(&bed);
}

static void asking_again_at_once_refuses_it_and_asks_anew(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    start(&bed);
    double start = engine_similar(bed.engine).threshold;
    told(&bed, &h, SUM("total"), EXPLAIN, "adds up");
    put(&bed, &h, EDITED, EXPLAIN, 7);
    assert_int_equal(h.boarded, BOARDED_SIMILAR);
    pass(29000);
    told(&bed, &h, EDITED, EXPLAIN, "adds up all but the first");
    struct similar_stats s = engine_similar(bed.engine);
    assert_int_equal(s.n_refused, 1);
    assert_int_equal(s.n_accepted, 0);
    assert_true(s.threshold > start);
    put(&bed, &h, EDITED, EXPLAIN, 7); /* its own answer is there now */
    assert_int_equal(h.boarded, BOARDED_CACHED);
    assert_string_equal(h.text, "adds up all but the first");
    assert_int_equal(engine_similar(bed.engine).n_refused, 1);
    bed_end(&bed);
}

static void letting_it_stand_accepts_it(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    start(&bed);
    double start = engine_similar(bed.engine).threshold;
    told(&bed, &h, SUM("total"), EXPLAIN, "adds up");
    put(&bed, &h, EDITED, GLANCE, 7);
    put(&bed, &h, EDITED, GLANCE, 7); /* the pointer came back: nothing is known yet */
    assert_int_equal(h.boarded, BOARDED_SIMILAR);
    assert_int_equal(engine_similar(bed.engine).n_accepted, 0);
    put(&bed, &h, OTHER, RECALL, 8); /* goes on to another symbol */
    assert_int_equal(engine_similar(bed.engine).n_accepted, 1);
    put(&bed, &h, EDITED, EXPLAIN, 7);
    pass(31000);
    put(&bed, &h, EDITED, EXPLAIN, 7); /* much later */
    assert_int_equal(h.boarded, BOARDED_SIMILAR);
    struct similar_stats s = engine_similar(bed.engine);
    assert_int_equal(s.n_accepted, 2);
    assert_int_equal(s.n_refused, 0);
    assert_true(s.threshold <= start);
    assert_int_equal(n_model_calls(), 1);
    bed_end(&bed);
}

static void edit_has_nothing_to_be_like(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h = {.n_done = 0};
    start(&bed);
    struct likeness like = {.head = 7};
    sketch_take(&like.sketch, STR(SUM("total")), STR("c"));
    for (unsigned i = 0; i < 2; i++) {
        struct chat chat = {.prompt = i == 0 ? STR("rewrite this") : STR("rewrite that"),
                            .like = &like, /* means nothing without an identity */
                            .max_tokens = 100,
                            .kind = "edit"};
        struct question q = {.kind = QUESTION_CHAT, .document = bed.doc, .chat = &chat};
        struct sink sink = {.on_text = on_text, .on_done = on_done, .user = &h};
        engine_ask(bed.engine, &q, &sink);
        turn();
        say("int x;");
        end(FINISH_STOP);
        assert_int_equal(h.n_done, i + 1);
        assert_int_equal(h.boarded, BOARDED_NONE);
    }
    assert_int_equal(engine_similar(bed.engine).n_entries, 0);
    bed_end(&bed);
}

static void configure(struct bed *bed, const char *json)
{
    struct arena arena = {0};
    struct json value;
    struct error why;
    struct settings_builder *b = settings_builder_create();
    assert_int_equal(json_parse(str_from(json), &arena, &value, &why), ERR_OK);
    settings_builder_put(b, SETTINGS_USER_FILE, value);
    struct settings *s = settings_builder_snapshot(b);
    engine_configure(bed->engine, s);
    settings_unref(s);
    settings_builder_destroy(b);
    arena_release(&arena);
}

static void threshold_of_one_switches_it_off(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    start(&bed);
    told(&bed, &h, SUM("total"), EXPLAIN, "adds up");
    configure(&bed, "{\"dedup\": {\"similarityThreshold\": 1}}");
    assert_false(engine_similar(bed.engine).is_on);
    put(&bed, &h, SUM("acc"), RECALL, 7);
    assert_string_equal(h.text, "");
    put(&bed, &h, SUM("total"), RECALL, 7);
    assert_string_equal(h.text, "adds up");
    configure(&bed, "{\"dedup\": {\"similarityThreshold\": 0.99}}");
    put(&bed, &h, EDITED, RECALL, 7);
    assert_string_equal(h.text, "");
    put(&bed, &h, SUM("acc"), RECALL, 7);
    assert_string_equal(h.text, "adds up");
    bed_end(&bed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(similar_code_is_served_and_says_so),
        cmocka_unit_test(other_code_or_head_is_asked_anew),
        cmocka_unit_test(what_is_in_the_air_or_broke_off_doesnt_serve),
        cmocka_unit_test(similar_answer_is_no_measure_for_the_next),
        cmocka_unit_test(answer_that_is_too_old_is_forgotten),
        cmocka_unit_test(asking_again_at_once_refuses_it_and_asks_anew),
        cmocka_unit_test(letting_it_stand_accepts_it),
        cmocka_unit_test(edit_has_nothing_to_be_like),
        cmocka_unit_test(threshold_of_one_switches_it_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
