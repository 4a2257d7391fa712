/* engine_hedge_test.c - a second endpoint is asked the same where the first one is late. */
#include <stdlib.h>
#include <time.h>

#define MAX_EXCHANGES 8192
#include "tests/unit/core/engine_bed.h"
#include "tests/unit/core/upstream/chance.h"

#define EARNED  20u /* calls that one more is afforded for */
#define LATE_MS 200u

static const char on[] = "{\"upstream\":{\"hedge\":true},\"models\":{\"inline\":[\"sim/m\","
                         "\"spare/coder\"]}}";
static const char off[] = "{\"models\":{\"inline\":[\"sim/m\",\"spare/coder\"]}}";
static const char unnamed[] = "{\"upstream\":{\"hedge\":true}}";

static struct model_info coder;

static void use(struct bed *bed, const char *json)
{
    struct arena arena = {0};
    struct json v;
    struct settings_builder *b = settings_builder_create();
    assert_int_equal(json_parse(str_from(json), &arena, &v, NULL), ERR_OK);
    settings_builder_put(b, SETTINGS_USER_FILE, v);
    struct settings *s = settings_builder_snapshot(b);
    engine_configure(bed->engine, s);
    settings_unref(s);
    settings_builder_destroy(b);
    arena_release(&arena);
}

/* The text of the document becomes another. */
static void write(struct bed *bed, const char *text)
{
    const struct open_document *doc = documents_find(bed->documents, bed->doc);
    assert_int_equal(
        documents_edit(bed->documents, bed->doc, 0, document_len(doc->text), str_from(text)),
        ERR_OK);
    turn();
}

static struct scripted_exchange *of(struct scripted_exchange *x, const char *text)
{
    assert_true(x->is_open);
    x->sink.on_text(x->id, str_from(text), x->sink.user);
    return x;
}

static void over(struct scripted_exchange *x, enum err code)
{
    struct generate_end end = {.reason = FINISH_STOP};
    struct error error;
    (void)error_set(&error, code, "it broke");
    assert_true(x->is_open);
    x->is_open = false;
    x->sink.on_done(x->id, code == ERR_OK ? &end : NULL, 1.0, code == ERR_OK ? NULL : &error,
                    x->sink.user);
    turn();
}

/* A question in a text that never was there before, left open. */
static uint64_t ask_anew(struct bed *bed, struct heard *h)
{
    static unsigned n;
    char text[64];
    snprintf(text, sizeof(text), "int v%u = \n", ++n);
    write(bed, text);
    return ask(bed, h, strlen(text) - 1);
}

/* So many calls that were answered in time. */
static void earn(struct bed *bed, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        struct heard h;
        size_t n_before = n_model_calls();
        ask_anew(bed, &h);
        assert_int_equal(n_model_calls(), n_before + 1);
        say("1;\n");
        assert_string_equal(h.text, "1;");
        end(FINISH_STOP);
    }
}

/* A model of this machine, one of another, and calls enough that a second one is afforded. */
static void start_with(struct bed *bed, const char *json, struct store *store)
{
    bed_start_with(bed, "x\n", store);
    coder = (struct model_info){.id = STR("coder"),
                                .name = STR("qwen2.5-coder"),
                                .abilities = MODEL_RAW,
                                .is_loaded = true};
    world.has_spare = true;
    world.endpoints[0].origin = STR("http://127.0.0.1:8080");
    world.endpoints[2] = world.endpoints[0];
    world.endpoints[2].idx = 2;
    world.endpoints[2].id = 3;
    world.endpoints[2].name = STR("spare");
    world.endpoints[2].tier = TIER_CLOUD;
    world.endpoints[2].origin = STR("https://models.example");
    world.endpoints[2].models = &coder;
    world.late_us = MS_TO_US(LATE_MS);
    use(bed, json);
    earn(bed, EARNED - 1);
}

static void start(struct bed *bed, const char *json)
{
    start_with(bed, json, NULL);
}

/* A question whose first endpoint is late, so that a second one has been asked. */
static uint64_t ask_late(struct bed *bed, struct heard *h, struct scripted_exchange **first,
                         struct scripted_exchange **second)
{
    uint64_t id = ask_anew(bed, h);
    *first = model();
    pass(LATE_MS);
    *second = model();
    assert_int_equal((*first)->endpoint, 1);
    assert_int_equal((*second)->endpoint, 3);
    assert_true((*first)->is_open && (*second)->is_open);
    return id;
}

/* -- the race -- */

static void late_one_is_joined_by_a_second_which_may_win(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    start(&bed, on);
    ask_anew(&bed, &h);
    struct scripted_exchange *first = model();
    size_t n = n_model_calls();
    pass(LATE_MS - 1);
    assert_int_equal(n_model_calls(), n);
    pass(1);
    assert_int_equal(n_model_calls(), n + 1);
    struct scripted_exchange *second = model();
    assert_int_equal(second->endpoint, 3);
    assert_string_equal(second->model, "coder");
    assert_int_equal(first->shape, GENERATE_INFILL);
    assert_int_equal(second->shape, GENERATE_RAW); /* as that model was taught */
    assert_string_equal(second->prompt, first->prompt);
    pass(1000);
    assert_int_equal(n_model_calls(), n + 1);
    assert_true(first->is_open && second->is_open);
    of(second, "1;\n");
    assert_true(first->was_cancelled);
    assert_true(second->is_open);
    assert_string_equal(h.text, "1;");
    assert_string_equal(h.model, "spare/coder");
    assert_non_null(strstr(h.why, "late: asking spare/coder as well; spare/coder answers"));
    over(second, ERR_OK);
    assert_int_equal(engine_stats(bed.engine)->n_hedged, 1);
    assert_int_equal(engine_stats(bed.engine)->n_hedged_won, 1);
    bed_end(&bed);
}

static void first_may_answer_yet(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    struct scripted_exchange *first, *second;
    start(&bed, on);
    ask_late(&bed, &h, &first, &second);
    of(first, "1");
    assert_true(second->was_cancelled);
    of(first, ";\n");
    assert_string_equal(h.text, "1;");
    assert_string_equal(h.model, "sim/m");
    over(first, ERR_OK);
    assert_int_equal(engine_stats(bed.engine)->n_hedged, 1);
    assert_int_equal(engine_stats(bed.engine)->n_hedged_won, 0);
    bed_end(&bed);
}

static void failure_of_one_is_not_the_flights(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        struct bed bed;
        struct heard h;
        struct scripted_exchange *first, *second;
        start(&bed, on);
        ask_late(&bed, &h, &first, &second);
        bool is_first = i % 2 == 0;
        over(is_first ? first : second, i < 2 ? ERR_CONNECT : ERR_OK); /* that one said nothing */
        assert_int_equal(h.n_done, 0);
        struct scripted_exchange *left = is_first ? second : first;
        assert_true(left->is_open && !left->was_cancelled);
        size_t n = n_model_calls();
        pass(1000);
        assert_int_equal(n_model_calls(), n); /* it has been replaced already */
        of(left, "1;\n");
        assert_string_equal(h.text, "1;");
        assert_string_equal(h.model, is_first ? "spare/coder" : "sim/m");
        assert_int_equal(engine_stats(bed.engine)->n_failed_over, 0);
        assert_int_equal(engine_stats(bed.engine)->n_hedged_won, is_first);
        bed_end(&bed);
    }
}

static void both_failing_is_one_failure_and_nobody_else_is_asked(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct bed bed;
        struct heard older, h, person;
        struct scripted_exchange *first, *second;
        start(&bed, on);
        ask_anew(&bed, &older);
        const struct open_document *doc = documents_find(bed.documents, bed.doc);
        ask_kind(&bed, &h, QUESTION_COMPLETION, document_len(doc->text) - 1);
        struct question q = {.kind = QUESTION_INLINE,
                             .document = bed.doc,
                             .cursor = document_len(doc->text) - 1,
                             .selected_start = document_len(doc->text) - 1,
                             .is_explicit = true};
        struct sink sink = {.on_done = on_done, .user = &person};
        first = model();
        pass(LATE_MS - 1);
        person = (struct heard){.n_done = 0};
        engine_ask(bed.engine, &q, &sink); /* rides along */
        pass(1);
        second = model();
        assert_int_equal(second->endpoint, 3);
        size_t n = n_model_calls();
        over(i == 0 ? first : second, ERR_CONNECT);
        assert_int_equal(h.n_done + person.n_done, 0);
        over(i == 0 ? second : first, ERR_TIMEOUT);
        assert_int_equal(h.n_done, 1);
        assert_int_equal(h.code, ERR_OK); /* silence, with the reason */
        assert_non_null(strstr(h.why, i == 0 ? "nothing from sim/m; it broke"
                                             : "nothing from spare/coder; it broke"));
        assert_int_equal(person.n_done, 1);
        assert_int_equal(person.code, ERR_TIMEOUT);
        assert_int_equal(n_model_calls(), n);
        assert_int_equal(engine_stats(bed.engine)->n_failed_over, 0);
        bed_end(&bed);
    }
}

static void breaking_off_after_text_asks_nobody_else(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    struct scripted_exchange *first, *second;
    start(&bed, on);
    ask_late(&bed, &h, &first, &second);
    of(second, "\n"); /* nothing that could be shown */
    size_t n = n_model_calls();
    over(second, ERR_CONNECT);
    assert_int_equal(n_model_calls(), n);
    assert_int_equal(h.n_done, 1);
    bed_end(&bed);
}

/* -- who leaves -- */

static void whatever_ends_the_flight_cancels_both(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        struct bed bed;
        struct heard h, next;
        struct scripted_exchange *first, *second;
        start(&bed, on);
        uint64_t id = ask_late(&bed, &h, &first, &second);
        switch (i) {
        case 0: /* the text goes another way */
            ask_anew(&bed, &next);
            break;
        case 1:
            engine_cancel(bed.engine, id);
            turn();
            assert_true(first->is_open && second->is_open);
            pass(FLIGHT_GRACE_US / 1000 + 1);
            break;
        case 2:
            documents_close(bed.documents, bed.doc);
            turn();
            break;
        case 3:
            break;
        }
        if (i == 3) {
            bed_end(&bed);
        }
        assert_true(first->was_cancelled && second->was_cancelled);
        assert_int_equal(h.n_done, 1);
        assert_int_equal(h.code, ERR_CANCELLED);
        if (i != 3) {
            assert_int_equal(engine_stats(bed.engine)->n_failed, 0);
            bed_end(&bed);
        }
    }
}

static void nobody_is_asked_for_a_flight_without_riders(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    start(&bed, on);
    uint64_t id = ask_anew(&bed, &h);
    size_t n = n_model_calls();
    pass(LATE_MS - 50);
    engine_cancel(bed.engine, id);
    turn();
    pass(100); /* it flies on for a while */
    assert_true(model()->is_open);
    assert_int_equal(n_model_calls(), n);
    assert_true(world.timer.at_us > world.now_us); /* and nobody is woken for it */
    bed_end(&bed);
}

static void who_types_on_meanwhile_rides_what_was_asked_first(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    start(&bed, on);
    write(&bed, "int count = ;\n");
    ask(&bed, &h, 12);
    struct scripted_exchange *first = model();
    pass(100);
    type(&bed, 12, "1");
    ask(&bed, &h, 13);
    pass(100);
    struct scripted_exchange *second = model();
    assert_int_equal(second->endpoint, 3);
    assert_string_equal(first->prompt, "int count = |;\n");
    assert_string_equal(second->prompt, first->prompt);
    of(second, "12");
    type(&bed, 13, "2");
    ask(&bed, &h, 14);
    assert_true(second->is_open);
    of(second, "3;\n");
    assert_string_equal(h.text, "3");
    assert_string_equal(h.model, "spare/coder");
    bed_end(&bed);
}

static void second_is_judged_by_the_place_it_was_asked_about(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    start(&bed, on);
    write(&bed, "{\n    \n    foo();\n}\n");
    ask(&bed, &h, 6);
    pass(100);
    type(&bed, 6, "f");
    ask(&bed, &h, 7);
    pass(100);
    assert_int_equal(model()->endpoint, 3);
    say("foo();\n}\n"); /* on a line with nothing before it: what stands below, again */
    assert_string_equal(h.text, "");
    assert_int_equal(model()->endpoint, 1); /* nothing of it fits */
    bed_end(&bed);
}

/* -- what it wrote -- */

static void answer_of_the_second_is_ridden_under_its_name_and_kept_nowhere(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    struct scripted_exchange *first, *second;
    uint64_t doc;
    start(&bed, on);
    ask_late(&bed, &h, &first, &second);
    of(second, "1 + 2;\n");
    over(second, ERR_OK);
    assert_string_equal(h.text, "1 + 2;");
    size_t n = n_model_calls();
    const struct open_document *there = documents_find(bed.documents, bed.doc);
    size_t at = document_len(there->text) - 1;
    struct buf text;
    buf_init(&text, KIB);
    document_copy(there->text, 0, at + 1, &text);
    type(&bed, at, "1");
    ask(&bed, &h, at + 1);
    assert_string_equal(h.text, " + 2;");
    assert_string_equal(h.model, "spare/coder");
    assert_int_equal(n_model_calls(), n);
    assert_int_equal(documents_open(bed.documents, STR("/w/b.c"), STR("c"), buf_str(&text), &doc),
                     ERR_OK);
    uint64_t old = bed.doc;
    bed.doc = doc; /* the same window elsewhere: the first one's answer isn't known */
    ask(&bed, &h, at);
    assert_int_equal(n_model_calls(), n + 1);
    assert_int_equal(model()->endpoint, 1);
    bed.doc = old;
    buf_release(&text);
    bed_end(&bed);
}

static unsigned n_put;

static enum store_found empty_get(struct store *s, const struct store_lookup *q,
                                  struct store_entry *entry, uint64_t *lookup)
{
    (void)s;
    (void)q;
    (void)lookup;
    *entry = (struct store_entry){.kind = 0};
    return STORE_MISS;
}

static void empty_put(struct store *s, const struct store_key *key, const struct store_entry *entry)
{
    (void)s;
    (void)key;
    (void)entry;
    n_put++;
}

static void only_the_first_ones_answer_goes_to_the_store(void **state)
{
    (void)state;
    static const struct store_ops ops = {.get = empty_get, .put = empty_put};
    struct store store = {.ops = &ops};
    for (unsigned i = 0; i < 2; i++) {
        struct bed bed;
        struct heard h;
        struct scripted_exchange *legs[2];
        start_with(&bed, on, &store);
        ask_late(&bed, &h, &legs[0], &legs[1]);
        n_put = 0;
        over(of(legs[i], "1;\n"), ERR_OK);
        assert_int_equal(n_put, i == 0);
        bed_end(&bed);
    }
}

static void secrets_are_blanked_for_the_one_that_is_elsewhere(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    start(&bed, on);
    write(&bed, "k = AKIAIOSFODNN7EXAMPLQ; b = \n");
    ask(&bed, &h, 30);
    struct scripted_exchange *first = model();
    pass(LATE_MS);
    struct scripted_exchange *second = model();
    assert_int_equal(second->endpoint, 3);
    assert_non_null(strstr(first->prompt, "AKIAIOSFODNN7EXAMPLQ"));
    assert_null(strstr(second->prompt, "AKIAIOSFODNN7EXAMPLQ"));
    bed_end(&bed);
}

/* -- when not -- */

static void expect_none(struct bed *bed)
{
    size_t n = n_model_calls();
    pass(4000);
    assert_int_equal(n_model_calls(), n);
    assert_int_equal(engine_stats(bed->engine)->n_hedged, 0);
}

static void nobody_is_asked_unless_it_is_on(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    start(&bed, off);
    ask_anew(&bed, &h);
    expect_none(&bed);
    bed_end(&bed);
    start(&bed, on);
    ask_anew(&bed, &h);
    use(&bed, off); /* also for what is under way */
    expect_none(&bed);
    bed_end(&bed);
}

static void nobody_is_asked_before_the_usual_is_known(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    start(&bed, on);
    world.late_us = 0;
    ask_anew(&bed, &h);
    expect_none(&bed);
    bed_end(&bed);
}

static void persons_questions_are_asked_once(void **state)
{
    (void)state;
    static const struct chat explain = {.system = STR_INIT("be brief"),
                                        .prompt = STR_INIT("explain x"),
                                        .max_tokens = 100,
                                        .kind = "explain"};
    struct bed bed;
    struct heard h = {.n_done = 0}, popup;
    struct sink sink = {.on_done = on_done, .user = &h};
    start(&bed, on);
    world.model.abilities |= MODEL_CHAT;
    coder.abilities |= MODEL_CHAT;
    write(&bed, "z = \n");
    struct question questions[] = {
        {.kind = QUESTION_INLINE,
         .document = bed.doc,
         .cursor = 4,
         .selected_start = 4,
         .is_explicit = true},
        {.kind = QUESTION_CHAT, .document = bed.doc, .chat = &explain},
    };
    for (size_t i = 0; i < 2; i++) {
        size_t n = n_model_calls();
        engine_ask(bed.engine, &questions[i], &sink);
        turn();
        assert_int_equal(n_model_calls(), n + 1);
        if (i == 0) { /* what typing asks meanwhile rides it, and it stays a person's */
            ask_kind(&bed, &popup, QUESTION_COMPLETION, 4);
            assert_int_equal(popup.boarded + n_model_calls(), n + 1);
        }
        expect_none(&bed);
        say("done");
        end(FINISH_STOP); /* else the next one waits for its place */
    }
    bed_end(&bed);
}

static void texts_continued_before_somebody_asks_are_asked_for_once(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    start(&bed, on);
    write(&bed, "x =\n\nint y;\n");
    type(&bed, 3, " "); /* nobody is asked about what was pasted */
    ask(&bed, &h, 4);
    say("one();\nsecond();\nt");
    type(&bed, 4, "one();");
    ask(&bed, &h, 10);
    size_t n = n_model_calls();
    pass(151);
    assert_int_equal(n_model_calls(), n + 1);
    assert_int_equal(engine_stats(bed.engine)->n_ahead, 1);
    type(&bed, 10, "\nsecond();");
    ask(&bed, &h, 20); /* and waits for it */
    expect_none(&bed);
    bed_end(&bed);
}

static void only_another_machine_is_asked(void **state)
{
    (void)state;
    static const struct {
        const char *first, *second;
        enum tier first_tier, second_tier;
        unsigned n_more;
    } cases[] = {
        {"http://127.0.0.1:8080", "http://127.0.0.1:8081", TIER_LOOPBACK, TIER_LOOPBACK, 0},
        {"http://127.0.0.1:8080", "http://localhost:8081", TIER_LOOPBACK, TIER_LOOPBACK, 0},
        {"http://127.0.0.1:8080", "http://[::1]:8080", TIER_LOOPBACK, TIER_LOOPBACK, 0},
        {"http://box.lan:8080", "http://BOX.lan:8081", TIER_LAN, TIER_LAN, 0},
        {"http://[fd00::1]:8080", "http://[fd00::1]:80", TIER_LAN, TIER_LAN, 0},
        {"https://a.example", "https://a.example:8443", TIER_CLOUD, TIER_CLOUD, 0},
        {"http://[fd00::1]:8080", "http://[fd00::2]:8080", TIER_LAN, TIER_LAN, 1},
        {"http://box.lan:8080", "http://127.0.0.1:8080", TIER_LAN, TIER_LOOPBACK, 1},
        {"https://a.example", "https://b.example", TIER_CLOUD, TIER_CLOUD, 1},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct bed bed;
        struct heard h;
        start(&bed, on);
        world.endpoints[0].origin = str_from(cases[i].first);
        world.endpoints[0].tier = cases[i].first_tier;
        world.endpoints[2].origin = str_from(cases[i].second);
        world.endpoints[2].tier = cases[i].second_tier;
        ask_anew(&bed, &h);
        size_t n = n_model_calls();
        pass(1000);
        assert_int_equal(n_model_calls(), n + cases[i].n_more);
        bed_end(&bed);
    }
}

static void next_machine_of_the_list_is_asked(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    start(&bed, "{\"upstream\":{\"hedge\":true},\"models\":{\"inline\":[\"sim/m\",\"spare/coder\","
                "\"third/coder\"]}}");
    world.endpoints[3] = world.endpoints[2];
    world.endpoints[3].idx = 3;
    world.endpoints[3].id = 4;
    world.endpoints[3].name = STR("third");
    world.endpoints[2].tier = TIER_LOOPBACK; /* shares the first one's hardware */
    world.endpoints[2].origin = STR("http://127.0.0.1:8081");
    world.has_third = true;
    ask_anew(&bed, &h);
    size_t n = n_model_calls();
    pass(LATE_MS + 50);
    assert_int_equal(n_model_calls(), n + 1);
    assert_int_equal(model()->endpoint, 4);
    bed_end(&bed);
}

static void nobody_is_asked_whom_no_list_names(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    start(&bed, unnamed); /* another tier */
    ask_anew(&bed, &h);
    expect_none(&bed);
    bed_end(&bed);
}

static void one_that_may_have_unloaded_its_model_is_looked_at_first(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    start(&bed, on);
    ask_anew(&bed, &h);
    size_t n = n_model_calls();
    world.is_doubtful = true;
    pass(LATE_MS + 50);
    assert_int_equal(n_model_calls(), n);
    assert_true(world.timer.at_us > world.now_us);
    world.is_doubtful = false;
    engine_on_upstream(bed.engine);
    pass(1);
    assert_int_equal(n_model_calls(), n + 1);
    assert_int_equal(model()->endpoint, 3);
    coder.is_loaded = false;
    bed_end(&bed);
}

static void who_has_failed_already_is_not_asked_again(void **state)
{
    (void)state;
    struct bed bed;
    struct heard h;
    start(&bed, on);
    ask_anew(&bed, &h);
    break_off(ERR_CONNECT, "nobody is there");
    assert_int_equal(model()->endpoint, 3);
    expect_none(&bed);
    bed_end(&bed);
}

/* -- how often -- */

/* The reference: every call of a keystroke earns a twentieth of one more, at most two of them. */
struct purse {
    unsigned n_twentieths;
    uint64_t n_spent, n_calls;
};

static void one_in_twenty_is_asked_twice_at_most(void **state)
{
    (void)state;
    const char *seed = getenv("SEED");
    chance_state = seed != NULL ? strtoull(seed, NULL, 10) : (uint64_t)time(NULL);
    print_message("SEED=%llu\n", (unsigned long long)chance_state);
    struct bed bed;
    start(&bed, on);
    struct purse purse = {.n_twentieths = EARNED - 1, .n_calls = EARNED - 1};
    struct heard h; /* also of the one before, until its document is edited */
    for (unsigned i = 0; i < 2000; i++) {
        world.late_us = MS_TO_US(chance_below(4) * 100);
        uint64_t late_ms = world.late_us < MS_TO_US(150) ? 150 : world.late_us / 1000;
        bool is_known = world.late_us > 0;
        size_t n_before = n_model_calls();
        ask_anew(&bed, &h);
        purse.n_calls++;
        purse.n_twentieths += purse.n_twentieths < 40;
        assert_int_equal(n_model_calls(), n_before + 1);
        struct scripted_exchange *first = model();
        uint64_t waited_ms = chance_below(400);
        pass(waited_ms);
        bool is_asked = is_known && waited_ms >= late_ms && purse.n_twentieths >= 20;
        assert_int_equal(n_model_calls(), n_before + 1 + is_asked);
        if (is_asked) {
            purse.n_twentieths -= 20;
            purse.n_spent++;
        }
        if (chance_below(3) > 0) { /* else the next one's edit ends it */
            bool is_first = chance_below(2) == 0;
            struct scripted_exchange *x = is_first ? first : model();
            if (chance_below(4) == 0) {
                over(x, ERR_TIMEOUT);
                purse.n_calls += !is_asked && h.n_done == 0; /* another one was asked instead */
                purse.n_twentieths += !is_asked && h.n_done == 0 && purse.n_twentieths < 40;
            } else {
                over(of(x, "1;\n"), ERR_OK);
                assert_string_equal(h.text, "1;");
            }
        }
        assert_int_equal(engine_stats(bed.engine)->n_hedged, purse.n_spent);
        assert_true(engine_stats(bed.engine)->n_hedged * 20 <= purse.n_calls);
    }
    assert_true(purse.n_spent > 30); /* of 100 */
    bed_end(&bed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(late_one_is_joined_by_a_second_which_may_win),
        cmocka_unit_test(first_may_answer_yet),
        cmocka_unit_test(failure_of_one_is_not_the_flights),
        cmocka_unit_test(both_failing_is_one_failure_and_nobody_else_is_asked),
        cmocka_unit_test(breaking_off_after_text_asks_nobody_else),
        cmocka_unit_test(whatever_ends_the_flight_cancels_both),
        cmocka_unit_test(nobody_is_asked_for_a_flight_without_riders),
        cmocka_unit_test(who_types_on_meanwhile_rides_what_was_asked_first),
        cmocka_unit_test(second_is_judged_by_the_place_it_was_asked_about),
        cmocka_unit_test(answer_of_the_second_is_ridden_under_its_name_and_kept_nowhere),
        cmocka_unit_test(only_the_first_ones_answer_goes_to_the_store),
        cmocka_unit_test(secrets_are_blanked_for_the_one_that_is_elsewhere),
        cmocka_unit_test(nobody_is_asked_unless_it_is_on),
        cmocka_unit_test(nobody_is_asked_before_the_usual_is_known),
        cmocka_unit_test(persons_questions_are_asked_once),
        cmocka_unit_test(texts_continued_before_somebody_asks_are_asked_for_once),
        cmocka_unit_test(only_another_machine_is_asked),
        cmocka_unit_test(next_machine_of_the_list_is_asked),
        cmocka_unit_test(nobody_is_asked_whom_no_list_names),
        cmocka_unit_test(one_that_may_have_unloaded_its_model_is_looked_at_first),
        cmocka_unit_test(who_has_failed_already_is_not_asked_again),
        cmocka_unit_test(one_in_twenty_is_asked_twice_at_most),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
