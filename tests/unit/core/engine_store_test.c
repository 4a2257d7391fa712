/* engine_store_test.c - answers of another run: what is asked of the store, and what is given it.
 *
 * The store is scripted: it knows what the test lets it know, at once or later. */
#include "tests/unit/core/engine_bed.h"

static struct {
    struct store base;
    const char *knows; /* of every key; NULL: nothing */
    unsigned char kind;
    bool is_slow;
    unsigned n_asked, n_put, n_cleared;
    struct store_lookup waiting; /* where is_slow */
    uint64_t lookup, cancelled;
    struct store_key asked, put_key;
    struct store_entry put; /* its text copied */
    char put_text[512];
} shelf;

static const struct store_entry *entry_of_shelf(void)
{
    static struct store_entry entry;
    entry = (struct store_entry){.text = str_from(shelf.knows != NULL ? shelf.knows : ""),
                                 .model = STR("far/away"),
                                 .kind = shelf.kind};
    return shelf.knows != NULL ? &entry : NULL;
}

static enum store_found shelf_get(struct store *s, const struct store_lookup *q,
                                  struct store_entry *entry, uint64_t *lookup)
{
    (void)s;
    shelf.n_asked++;
    shelf.asked = q->key;
    if (shelf.is_slow) {
        shelf.waiting = *q;
        *lookup = ++shelf.lookup;
        return STORE_LATER;
    }
    const struct store_entry *known = entry_of_shelf();
    *entry = known != NULL ? *known : (struct store_entry){.kind = 0};
    return known != NULL ? STORE_HIT : STORE_MISS;
}

static void shelf_cancel(struct store *s, uint64_t lookup)
{
    (void)s;
    shelf.cancelled = lookup;
}

static void shelf_put(struct store *s, const struct store_key *key, const struct store_entry *entry)
{
    (void)s;
    shelf.n_put++;
    shelf.put_key = *key;
    shelf.put = *entry;
    snprintf(shelf.put_text, sizeof(shelf.put_text), STR_FMT, STR_ARG(entry->text));
}

static void shelf_clear(struct store *s)
{
    (void)s;
    shelf.n_cleared++;
}

static void begin(struct bed *bed, const char *text)
{
    static const struct store_ops ops = {
        .get = shelf_get, .cancel = shelf_cancel, .put = shelf_put, .clear = shelf_clear};
    memset(&shelf, 0, sizeof(shelf));
    shelf.base.ops = &ops;
    shelf.kind = 1;
    bed_start_with(bed, text, &shelf.base);
    world.prediction = NULL;
    world.model.abilities |= MODEL_CHAT;
}

/* The store answers what it was asked last. */
static void fetch(void)
{
    shelf.waiting.on_found(entry_of_shelf(), shelf.waiting.user);
    turn();
}

static const struct chat explain = {.system = STR_INIT("be brief"),
                                    .prompt = STR_INIT("explain x"),
                                    .max_tokens = 100,
                                    .kind = "explain"};

static void put_chat(struct bed *bed, struct heard *h, const struct chat *chat, bool is_again)
{
    *h = (struct heard){.n_done = 0};
    struct question q = {
        .kind = QUESTION_CHAT, .document = bed->doc, .chat = chat, .is_again = is_again};
    struct sink sink = {.on_done = on_done, .user = h};
    engine_ask(bed->engine, &q, &sink);
    turn();
}

static void what_is_known_is_answered_without_a_model(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    begin(&bed, "int main(void)\n{\n    return \n}\n");
    shelf.knows = "count;";
    ask(&bed, &h, 28);
    assert_int_equal(n_model_calls(), 0);
    assert_string_equal(h.text, "count;");
    assert_int_equal(h.boarded, BOARDED_CACHED);
    assert_int_equal(h.source, ANSWER_MODEL);
    assert_int_equal(shelf.n_put, 0); /* it is there already */
    type(&bed, 28, "c");
    ask(&bed, &h, 29); /* rides what has landed */
    assert_string_equal(h.text, "ount;");
    assert_int_equal(shelf.n_asked, 1);
    bed_end(&bed);
}

static void what_it_says_is_trimmed_like_a_models_word(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    begin(&bed, "int main(void)\n{\n    return \n}\n");
    shelf.knows = "count;<|endoftext|>rm -rf";
    ask(&bed, &h, 28);
    assert_string_equal(h.text, "count;");
    bed_end(&bed);
}

static void what_landed_whole_is_kept_by_the_key_that_was_asked(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    begin(&bed, "int main(void)\n{\n    return \n}\n");
    ask(&bed, &h, 28);
    say("count;");
    end(FINISH_STOP);
    assert_int_equal(shelf.n_put, 1);
    assert_string_equal(shelf.put_text, "count;");
    assert_memory_equal(shelf.put_key.bytes, shelf.asked.bytes, STORE_KEY_BYTES);
    assert_true(shelf.put.kind == 1);
    struct store_key before = shelf.asked;
    type(&bed, 0, "/* other */\n");
    ask(&bed, &h, 40);
    assert_memory_not_equal(before.bytes, shelf.asked.bytes, STORE_KEY_BYTES);
    bed_end(&bed);
}

static void what_broke_off_or_holds_a_secret_is_not_kept(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    begin(&bed, "int main(void)\n{\n    return \n}\n");
    ask(&bed, &h, 28);
    say("cou");
    end(FINISH_NONE);
    assert_int_equal(shelf.n_put, 0);
    type(&bed, 28, " ");
    ask(&bed, &h, 29);
    say("key = \"AKIAIOSFODNN7EXAMPLE\";");
    end(FINISH_STOP);
    assert_int_equal(shelf.n_put, 0);
    bed_end(&bed);
}

static void answer_to_a_blanked_text_is_not_kept(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    begin(&bed, "char *k = \"AKIAIOSFODNN7EXAMPLE\";\nint n = \n");
    world.endpoints[0].tier = TIER_CLOUD;
    ask(&bed, &h, 42);
    say("1;");
    end(FINISH_STOP);
    assert_null(strstr(model()->prompt, "AKIA"));
    assert_int_equal(shelf.n_put, 0);
    world.endpoints[0].tier = TIER_LOOPBACK;
    type(&bed, 42, " ");
    ask(&bed, &h, 43);
    say("1;");
    end(FINISH_STOP);
    assert_int_equal(shelf.n_put, 1);
    bed_end(&bed);
}

static void slow_store_is_waited_for_and_then_the_model_is_asked(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    begin(&bed, "int main(void)\n{\n    return \n}\n");
    shelf.is_slow = true;
    ask(&bed, &h, 28);
    assert_int_equal(n_model_calls(), 0);
    fetch();
    assert_int_equal(n_model_calls(), 1);
    assert_int_equal(shelf.n_asked, 1); /* once is enough */
    bed_end(&bed);

    begin(&bed, "int main(void)\n{\n    return \n}\n");
    shelf.is_slow = true;
    ask(&bed, &h, 28);
    shelf.knows = "count;";
    fetch();
    assert_string_equal(h.text, "count;");
    assert_int_equal(n_model_calls(), 0);
    bed_end(&bed);
}

static void edit_while_the_store_looks_takes_the_question_back(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    begin(&bed, "int main(void)\n{\n    return \n}\n");
    shelf.is_slow = true;
    ask(&bed, &h, 28);
    type(&bed, 28, "x");
    assert_int_equal(h.code, ERR_CANCELLED);
    assert_int_equal(shelf.cancelled, shelf.lookup);
    ask(&bed, &h, 29);
    bed_end(&bed); /* with a lookup under way */
    assert_int_equal(shelf.cancelled, shelf.lookup);
}

static void asking_again_wants_another_answer(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    begin(&bed, "int x;\n");
    shelf.kind = 2;
    shelf.knows = "A number.";
    put_chat(&bed, &h, &explain, true);
    assert_int_equal(n_model_calls(), 1);
    assert_int_equal(shelf.n_asked, 0);
    bed_end(&bed);
}

static void explanation_outlives_the_process_also_by_its_identity(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    begin(&bed, "int x;\n");
    put_chat(&bed, &h, &explain, false);
    say("A number.");
    end(FINISH_STOP);
    assert_int_equal(shelf.n_put, 1);
    assert_true(shelf.put.kind == 2);
    struct store_key by_prompt = shelf.put_key;
    struct chat hover = explain;
    hover.identity = STR("x of a.c");
    put_chat(&bed, &h, &hover, false);
    say("A number.");
    end(FINISH_STOP);
    assert_memory_not_equal(by_prompt.bytes, shelf.put_key.bytes, STORE_KEY_BYTES);
    bed_end(&bed);

    begin(&bed, "int x;\n");
    world.endpoints[0].state = ENDPOINT_DOWN; /* what is known needs nobody */
    hover.is_recall = true;
    put_chat(&bed, &h, &hover, false);
    assert_string_equal(h.text, "");
    engine_clear_cache(bed.engine);
    assert_int_equal(shelf.n_cleared, 1);
    shelf.kind = 2;
    shelf.knows = "A number.";
    put_chat(&bed, &h, &hover, false);
    assert_string_equal(h.text, "A number.");
    shelf.is_slow = true;
    engine_clear_cache(bed.engine);
    put_chat(&bed, &h, &hover, false);
    fetch();
    assert_string_equal(h.text, "A number.");
    assert_int_equal(n_model_calls(), 0);
    bed_end(&bed);
}

static void entry_of_another_kind_is_none(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    begin(&bed, "int main(void)\n{\n    return \n}\n");
    shelf.knows = "An explanation.";
    shelf.kind = 2;
    ask(&bed, &h, 28);
    assert_int_equal(n_model_calls(), 1);
    bed_end(&bed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_known_is_answered_without_a_model),
        cmocka_unit_test(what_it_says_is_trimmed_like_a_models_word),
        cmocka_unit_test(what_landed_whole_is_kept_by_the_key_that_was_asked),
        cmocka_unit_test(what_broke_off_or_holds_a_secret_is_not_kept),
        cmocka_unit_test(answer_to_a_blanked_text_is_not_kept),
        cmocka_unit_test(slow_store_is_waited_for_and_then_the_model_is_asked),
        cmocka_unit_test(edit_while_the_store_looks_takes_the_question_back),
        cmocka_unit_test(asking_again_wants_another_answer),
        cmocka_unit_test(explanation_outlives_the_process_also_by_its_identity),
        cmocka_unit_test(entry_of_another_kind_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
