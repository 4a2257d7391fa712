/* engine_related_test.c - what open documents mean: when that is asked, and what is found by it. */
#define MAX_EXCHANGES 256
#include "tests/unit/core/engine_bed.h"

#include "core/prompt/chunk.h"

static enum err no_encode(const struct embed_order *o, struct http_request *out, struct error *why)
{
    (void)o;
    (void)out;
    return error_set(why, ERR_INVALID, "nothing is sent here");
}

static const struct provider_ops vector_ops = {
    .kind = "vectors", .max_stops = SIZE_MAX, .encode_embed = no_encode};

static str embed_names[] = {STR_INIT("sim/m")};

#define APPLES "int apples(void)\n{\n    return 1;\n}\n"
#define PEARS  "int pears(int n)\n{\n    return n;\n}\n"
#define STONES "int stones(int n)\n{\n    return -n;\n}\n"

static void start(struct bed *bed)
{
    bed_start(bed, APPLES);
    world.model.abilities |= MODEL_CHAT;
    world.endpoints[0].ops = &vector_ops;
    bed->settings->models_embed = embed_names;
    bed->settings->n_models_embed = 1;
}

static uint64_t open_one(struct bed *bed, const char *path, const char *text)
{
    uint64_t doc;
    assert_int_equal(documents_open(bed->documents, str_from(path), STR("c"), str_from(text), &doc),
                     ERR_OK);
    return doc;
}

static void open_many(struct bed *bed, int n)
{
    for (int i = 0; i < n; i++) {
        char path[32], text[64];
        snprintf(path, sizeof path, "/w/%d.c", i);
        snprintf(text, sizeof text, "int n%d;\n", i);
        (void)open_one(bed, path, text);
    }
}

/* The endpoints have been looked at. */
static void wake(struct bed *bed)
{
    engine_on_upstream(bed->engine);
    pass(1);
}

static struct scripted_exchange *open_exchange(void)
{
    for (size_t i = 0; i < world.n_exchanges; i++) {
        if (world.exchanges[i].n_embeds > 0 && world.exchanges[i].is_open) {
            return &world.exchanges[i];
        }
    }
    return NULL;
}

/* Fruit points one way, all else another. */
static void answer(struct scripted_exchange *x)
{
    float values[2 * 16];
    struct embedding v = {.values = values, .n_texts = x->n_embeds, .n_dims = 2};
    str rest = str_from(x->prompt);
    for (size_t i = 0; i < x->n_embeds; i++) {
        str text = str_sub(rest, 0, str_find_char(rest, '|', 0));
        bool is_fruit = str_find(text, STR("apples"), 0) != SIZE_MAX ||
                        str_find(text, STR("pears"), 0) != SIZE_MAX;
        values[2 * i] = is_fruit ? 1 : 0;
        values[2 * i + 1] = is_fruit ? 0 : 1;
        rest = str_sub(rest, text.len + 1, rest.len);
    }
    struct generate_end end = {.reason = FINISH_STOP};
    x->is_open = false;
    x->sink.on_vectors(x->id, &v, x->sink.user);
    x->sink.on_done(x->id, &end, 1, NULL, x->sink.user);
    turn();
    pass(1);
}

static size_t find(struct bed *bed, uint64_t doc, struct action_related *out)
{
    struct open_document *d = documents_find(bed->documents, doc);
    struct action_place place = {.doc = d, .start = 0, .end = document_len(d->text)};
    return engine_related(bed->engine, &place, out);
}

static void nobody_is_asked_who_is_not_named(void **state)
{
    (void)state;
    struct bed bed;
    struct action_related out[ACTION_RELATED_MAX];
    start(&bed);
    bed.settings->n_models_embed = 0;
    wake(&bed);
    pass(100000);
    assert_int_equal(world.n_exchanges, 0);
    assert_int_equal(find(&bed, bed.doc, out), 0);
    bed_end(&bed);
}

static void open_documents_go_in_one_exchange_and_what_is_alike_is_found(void **state)
{
    (void)state;
    struct bed bed;
    struct action_related out[ACTION_RELATED_MAX];
    start(&bed);
    uint64_t pears = open_one(&bed, "/w/pears.c", PEARS);
    (void)open_one(&bed, "/w/stones.c", STONES);
    documents_find(bed.documents, open_one(&bed, "/w/.env", "apples=secret\n"))->is_excluded = true;
    (void)open_one(&bed, "/w/empty.c", "\n}\n");
    wake(&bed);
    struct scripted_exchange *x = open_exchange();
    assert_non_null(x);
    assert_int_equal(x->n_embeds, 3);
    assert_null(strstr(x->prompt, "secret"));
    assert_int_equal(find(&bed, bed.doc, out), 0); /* nobody waits for it */
    answer(x);
    assert_null(open_exchange());
    assert_int_equal(find(&bed, bed.doc, out), 1);
    assert_int_equal(out[0].doc->id, pears);
    assert_int_equal(out[0].range.end, strlen(PEARS));
    pass(100000);
    assert_null(open_exchange()); /* all is known */
    assert_int_equal(engine_stats(bed.engine)->n_embedded, 3);
    assert_int_equal(engine_stats(bed.engine)->n_related, 1);
    documents_close(bed.documents, pears);
    assert_int_equal(find(&bed, bed.doc, out), 0);
    bed_end(&bed);
}

static void what_changes_is_sent_after_a_pause_and_the_rest_is_not(void **state)
{
    (void)state;
    struct bed bed;
    start(&bed);
    uint64_t pears = open_one(&bed, "/w/pears.c", PEARS);
    wake(&bed);
    answer(open_exchange());
    for (int i = 0; i < 5; i++) {
        assert_int_equal(documents_edit(bed.documents, pears, 0, 0, STR("/* x */\n")), ERR_OK);
        pass(1500);
        assert_null(open_exchange());
    }
    pass(600);
    struct scripted_exchange *x = open_exchange();
    assert_non_null(x);
    assert_int_equal(x->n_embeds, 1);
    assert_non_null(strstr(x->prompt, "pears"));
    bed_end(&bed);
}

static void many_take_several_exchanges_one_after_the_other(void **state)
{
    (void)state;
    struct bed bed;
    start(&bed);
    open_many(&bed, 40);
    wake(&bed);
    unsigned n_exchanges = 0;
    for (struct scripted_exchange *x; (x = open_exchange()) != NULL; n_exchanges++) {
        answer(x);
    }
    assert_int_equal(n_exchanges, 3);
    assert_int_equal(engine_stats(bed.engine)->n_embeddings, 3);
    assert_int_equal(engine_stats(bed.engine)->n_embedded, 41);
    bed_end(&bed);
}

static void it_gives_way_to_typing(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    start(&bed);
    world.endpoints[0].n_slots = 1;
    wake(&bed);
    struct scripted_exchange *x = open_exchange();
    assert_non_null(x);
    bed.doc = open_one(&bed, "/w/b.c", "x = \n");
    ask(&bed, &h, 4);
    assert_true(x->was_cancelled);
    assert_true(model()->is_open && model()->n_embeds == 0);
    pass(2100);
    assert_null(open_exchange()); /* the place is taken */
    say(" and pears\n");
    end(FINISH_STOP);
    pass(1);
    assert_non_null(open_exchange());
    bed_end(&bed);
}

static void failure_is_tried_again_after_a_minute(void **state)
{
    (void)state;
    struct bed bed;
    struct error why;
    start(&bed);
    wake(&bed);
    struct scripted_exchange *x = open_exchange();
    (void)error_set(&why, ERR_STATUS, "no");
    x->is_open = false;
    x->sink.on_done(x->id, NULL, 0, &why, x->sink.user);
    pass(50000);
    assert_int_equal(documents_edit(bed.documents, bed.doc, 0, 0, STR("/* x */\n")), ERR_OK);
    pass(5000); /* a pause alone is no reason */
    wake(&bed);
    assert_null(open_exchange());
    pass(5500);
    assert_non_null(open_exchange());
    bed_end(&bed);
}

/* More than there is room for: some stay unknown, and it ends. */
static void too_many_are_not_sent_for_ever(void **state)
{
    (void)state;
    struct bed bed;
    struct buf text;
    start(&bed);
    buf_init(&text, 1000000);
    for (int doc = 0; doc < 6; doc++) {
        char path[32];
        buf_clear(&text);
        for (int i = 0; i < 400; i++) {
            buf_appendf(&text, "int n%d_%d;\n\n%0420d\n\n", doc, i, 0);
        }
        snprintf(path, sizeof path, "/w/%d.c", doc);
        (void)open_one(&bed, path, buf_cstr(&text));
    }
    wake(&bed);
    for (struct scripted_exchange *x; (x = open_exchange()) != NULL;) {
        answer(x);
    }
    assert_in_range(engine_stats(bed.engine)->n_embedded, 1900, 2000);
    buf_release(&text);
    bed_end(&bed);
}

static void switched_off_it_ends(void **state)
{
    (void)state;
    struct bed bed;
    start(&bed);
    wake(&bed);
    struct scripted_exchange *x = open_exchange();
    engine_switch(bed.engine, false);
    assert_true(x->was_cancelled);
    assert_int_equal(documents_edit(bed.documents, bed.doc, 0, 0, STR("/* x */\n")), ERR_OK);
    wake(&bed);
    pass(100000);
    assert_null(open_exchange());
    engine_switch(bed.engine, true);
    pass(2100);
    assert_non_null(open_exchange());
    bed_end(&bed);
}

/* Of a file with a secret what stands near it is neither sent nor found, but the rest is. */
static void what_stands_near_a_secret_stays_out(void **state)
{
    (void)state;
    struct bed bed;
    struct buf text;
    start(&bed);
    buf_init(&text, 100000);
    buf_append(&text, STR("-----BEGIN RSA PRIVATE KEY-----\n"));
    for (int i = 0; i < 60; i++) { /* more than a chunk: the middle looks like nothing */
        buf_append(&text,
                   STR("MIIEpAIBAAKCAQEAx7Vq0mZ0tT3kqE5b8vW1nQ9rY2sD4fG6hJ8kL0zX2cV4bN6m\n"));
    }
    buf_append(&text, STR("-----END RSA PRIVATE KEY-----\n"));
    for (int i = 0; i < 20000 / 12; i++) {
        buf_append(&text, STR("far away;\n\n"));
    }
    (void)open_one(&bed, "/w/key.c", buf_cstr(&text));
    wake(&bed);
    bool was_far = false;
    for (struct scripted_exchange *x; (x = open_exchange()) != NULL;) {
        assert_null(strstr(x->prompt, "MIIE"));
        assert_null(strstr(x->prompt, "PRIVATE"));
        was_far = was_far || strstr(x->prompt, "far away") != NULL;
        answer(x);
    }
    assert_true(was_far);
    buf_release(&text);
    bed_end(&bed);
}

/* What may not be said is decided anew when the settings say so. */
static void settings_that_change_are_heard(void **state)
{
    (void)state;
    struct bed bed;
    struct action_related out[ACTION_RELATED_MAX];
    start(&bed);
    bed.settings->privacy_redact = false;
    (void)open_one(&bed, "/w/pears.c",
                   "/* pears */ char *k = \"ghp_0123456789abcdefABCDEF0123456789abcd\";\n");
    wake(&bed);
    answer(open_exchange());
    assert_int_equal(find(&bed, bed.doc, out), 1);
    bed.settings->privacy_redact = true;
    engine_configure(bed.engine, bed.settings);
    assert_int_equal(find(&bed, bed.doc, out), 0);
    bed_end(&bed);
}

static void the_likest_three_are_given_in_order(void **state)
{
    (void)state;
    struct bed bed;
    struct action_related out[ACTION_RELATED_MAX];
    float values[2 * 16];
    start(&bed);
    open_many(&bed, 5);
    wake(&bed);
    struct scripted_exchange *x = open_exchange();
    assert_int_equal(x->n_embeds, 6);
    const float off[] = {0, 0.3f, 0.1f, 5, 0.2f, 0.4f}; /* from the first's direction */
    for (int i = 0; i < 6; i++) {
        values[2 * i] = 1;
        values[2 * i + 1] = off[i];
    }
    struct embedding v = {.values = values, .n_texts = 6, .n_dims = 2};
    struct generate_end end = {.reason = FINISH_STOP};
    x->is_open = false;
    x->sink.on_vectors(x->id, &v, x->sink.user);
    x->sink.on_done(x->id, &end, 1, NULL, x->sink.user);
    turn();
    assert_int_equal(find(&bed, bed.doc, out), 3);
    assert_true(str_eq(out[0].doc->path, STR("/w/1.c")));
    assert_true(str_eq(out[1].doc->path, STR("/w/3.c")));
    assert_true(str_eq(out[2].doc->path, STR("/w/0.c")));
    bed_end(&bed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_is_asked_who_is_not_named),
        cmocka_unit_test(open_documents_go_in_one_exchange_and_what_is_alike_is_found),
        cmocka_unit_test(what_changes_is_sent_after_a_pause_and_the_rest_is_not),
        cmocka_unit_test(many_take_several_exchanges_one_after_the_other),
        cmocka_unit_test(it_gives_way_to_typing),
        cmocka_unit_test(failure_is_tried_again_after_a_minute),
        cmocka_unit_test(too_many_are_not_sent_for_ever),
        cmocka_unit_test(switched_off_it_ends),
        cmocka_unit_test(what_stands_near_a_secret_stays_out),
        cmocka_unit_test(settings_that_change_are_heard),
        cmocka_unit_test(the_likest_three_are_given_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
