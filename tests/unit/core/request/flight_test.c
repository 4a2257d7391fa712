/* flight_test.c - the boarding rule clause by clause, landing, the cache, the grace. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/base/clock.h"
#include "core/request/fit.h"
#include "core/request/flight.h"

struct bed {
    struct documents *documents;
    struct flights *flights;
    struct open_document *doc;
    uint64_t now_us;
    uint64_t n_aborted, last_aborted;
    uint64_t next_rider;
};

static void on_abort(uint64_t flight, void *user)
{
    struct bed *bed = user;
    bed->n_aborted++;
    bed->last_aborted = flight;
}

static void on_document(const struct open_document *doc, const struct edit *edit, void *user)
{
    struct bed *bed = user;
    if (edit != NULL) {
        flights_on_edit(bed->flights, doc, edit, bed->now_us);
    } else {
        flights_on_close(bed->flights, doc->id);
    }
}

static struct open_document *open_text(struct bed *bed, const char *text)
{
    uint64_t id = 0;
    assert_int_equal(documents_open(bed->documents, STR("/a.c"), STR("c"), str_from(text), &id), 0);
    return documents_find(bed->documents, id);
}

static struct bed bed_with(const char *text)
{
    struct bed bed = {.documents = documents_create(), .now_us = 1000, .next_rider = 1};
    bed.doc = open_text(&bed, text);
    return bed;
}

/* The bed has its final address now. */
static void bed_start(struct bed *bed)
{
    struct flights_options options = {.cache_entries = 10,
                                      .cache_bytes = 1u << 20,
                                      .cache_ttl_us = SEC_TO_US(300),
                                      .on_abort = on_abort,
                                      .user = bed};
    bed->flights = flights_create(&options);
    documents_observe(bed->documents, on_document, bed);
}

static void bed_end(struct bed *bed)
{
    flights_destroy(bed->flights);
    bed->flights = NULL;
    documents_observe(bed->documents, NULL, NULL);
    documents_destroy(bed->documents);
}

static struct boarding at(struct bed *bed, size_t cursor)
{
    return (struct boarding){.doc = bed->doc,
                             .cursor = cursor,
                             .selected_start = cursor,
                             .model = 7,
                             .is_multiline = true};
}

static uint64_t take_off(struct bed *bed, size_t cursor, uint64_t hash, uint64_t *rider)
{
    struct boarding b = at(bed, cursor);
    struct flight_spec spec = {.place = &b,
                               .window_start = 0,
                               .window_end = document_len(bed->doc->text),
                               .window_hash = hash};
    *rider = bed->next_rider++;
    return flights_take_off(bed->flights, &spec, *rider, bed->now_us);
}

static enum boarded board(struct bed *bed, size_t cursor, uint64_t *rider)
{
    struct boarding b = at(bed, cursor);
    uint64_t flight = 0;
    *rider = bed->next_rider++;
    return flights_board(bed->flights, &b, *rider, bed->now_us, &flight);
}

static void type(struct bed *bed, size_t at_offset, const char *text)
{
    assert_int_equal(
        documents_edit(bed->documents, bed->doc->id, at_offset, at_offset, str_from(text)), ERR_OK);
}

static void given(struct bed *bed, uint64_t rider, const char *want)
{
    struct flight_view v = flights_view(bed->flights, rider);
    assert_false(v.has_left);
    str text = fit_less_closers(v.text, v.closers).text;
    assert_int_equal(text.len, strlen(want));
    assert_memory_equal(text.ptr, want, text.len);
}

static void typing_what_it_says_rides(void **state)
{
    (void)state;
    struct bed bed = bed_with("int x = ;\n");
    bed_start(&bed);
    uint64_t r;
    uint64_t fl = take_off(&bed, 8, 1, &r);
    flights_feed(bed.flights, fl, STR("compute(a)"), false);
    given(&bed, r, "compute(a)");
    flights_leave(bed.flights, r, false, bed.now_us);
    type(&bed, 8, "com");
    assert_int_equal(board(&bed, 11, &r), BOARDED_FLYING);
    given(&bed, r, "pute(a)");
    flights_leave(bed.flights, r, false, bed.now_us);
    type(&bed, 11, "x");
    assert_int_equal(board(&bed, 12, &r), BOARDED_NONE);
    bed_end(&bed);
}

static void request_before_the_first_token_waits(void **state)
{
    (void)state;
    struct bed bed = bed_with("");
    bed_start(&bed);
    uint64_t r;
    uint64_t fl = take_off(&bed, 0, 1, &r);
    flights_leave(bed.flights, r, false, bed.now_us);
    type(&bed, 0, "re");
    assert_int_equal(board(&bed, 2, &r), BOARDED_FLYING);
    assert_true(flights_view(bed.flights, r).is_waiting);
    flights_feed(bed.flights, fl, STR("r"), false);
    assert_true(flights_view(bed.flights, r).is_waiting);
    flights_feed(bed.flights, fl, STR("eturn"), false);
    given(&bed, r, "turn");
    bed_end(&bed);
}

static void rider_leaves_at_the_first_disagreement(void **state)
{
    (void)state;
    struct bed bed = bed_with("");
    bed_start(&bed);
    uint64_t r;
    uint64_t fl = take_off(&bed, 0, 1, &r);
    flights_leave(bed.flights, r, false, bed.now_us);
    type(&bed, 0, "xy");
    assert_int_equal(board(&bed, 2, &r), BOARDED_FLYING);
    flights_feed(bed.flights, fl, STR("xz"), false);
    assert_true(flights_view(bed.flights, r).has_left);
    bed_end(&bed);
}

static void auto_closed_brackets_are_agreement(void **state)
{
    (void)state;
    struct bed bed = bed_with("x = f;\n");
    bed_start(&bed);
    uint64_t r;
    uint64_t fl = take_off(&bed, 5, 1, &r);
    flights_feed(bed.flights, fl, STR("(a, b)"), false);
    flights_leave(bed.flights, r, false, bed.now_us);
    type(&bed, 5, "()"); /* cursor in between */
    assert_int_equal(board(&bed, 6, &r), BOARDED_FLYING);
    given(&bed, r, "a, b");
    flights_leave(bed.flights, r, false, bed.now_us);
    type(&bed, 6, "a");
    assert_int_equal(board(&bed, 7, &r), BOARDED_FLYING);
    given(&bed, r, ", b");
    bed_end(&bed);
}

static void text_after_the_cursor_must_be_the_suffix(void **state)
{
    (void)state;
    struct bed bed = bed_with("x = \ny\n");
    bed_start(&bed);
    uint64_t r;
    uint64_t fl = take_off(&bed, 4, 1, &r);
    flights_feed(bed.flights, fl, STR("abc"), false);
    flights_leave(bed.flights, r, false, bed.now_us);
    type(&bed, 5, "z"); /* the next line changed */
    assert_int_equal(board(&bed, 4, &r), BOARDED_NONE);
    bed_end(&bed);
}

static void near_window_before_the_anchor_must_be_unchanged(void **state)
{
    (void)state;
    struct bed bed = bed_with("x = ");
    bed_start(&bed);
    uint64_t r;
    uint64_t fl = take_off(&bed, 4, 1, &r);
    flights_feed(bed.flights, fl, STR("abc"), false);
    flights_leave(bed.flights, r, false, bed.now_us);
    type(&bed, 0, "y");
    assert_int_equal(board(&bed, 5, &r), BOARDED_NONE);
    assert_int_equal(documents_edit(bed.documents, bed.doc->id, 0, 1, STR("")), ERR_OK);
    assert_int_equal(board(&bed, 4, &r), BOARDED_FLYING); /* undo brought it back */
    bed_end(&bed);
}

static void farther_change_serves_but_isnt_cached(void **state)
{
    (void)state;
    char text[1001];
    memset(text, 'a', 1000);
    text[1000] = '\0';
    struct bed bed = bed_with(text);
    bed_start(&bed);
    uint64_t r, flight;
    uint64_t fl = take_off(&bed, 1000, 99, &r);
    flights_leave(bed.flights, r, false, bed.now_us);
    type(&bed, 10, "b");
    assert_int_equal(board(&bed, 1001, &r), BOARDED_FLYING);
    flights_feed(bed.flights, fl, STR("end"), false);
    flights_land(bed.flights, fl, true, bed.now_us);
    given(&bed, r, "end");
    struct boarding b = at(&bed, 1001);
    assert_int_equal(flights_board_cached(bed.flights, &b, 99, 500, bed.now_us, &flight),
                     BOARDED_NONE);
    bed_end(&bed);
}

/* A document of `n` bytes before the cursor and as many behind it, a flight in between. */
static uint64_t fly_amid(struct bed *bed, size_t n, uint64_t hash, uint64_t *rider)
{
    char text[4096];
    assert_true(2 * n < sizeof text);
    memset(text, 'a', 2 * n);
    text[2 * n] = '\0';
    *bed = bed_with(text);
    bed_start(bed);
    struct boarding b = at(bed, n);
    struct flight_spec spec = {
        .place = &b, .window_start = n - 1000, .window_end = n + 1000, .window_hash = hash};
    *rider = bed->next_rider++;
    return flights_take_off(bed->flights, &spec, *rider, bed->now_us);
}

static enum boarded board_cached(struct bed *bed, size_t cursor, uint64_t hash)
{
    struct boarding b = at(bed, cursor);
    uint64_t flight = 0;
    return flights_board_cached(bed->flights, &b, hash, bed->next_rider++, bed->now_us, &flight);
}

/* One edit, `distance` bytes from the cursor, while the flight flies and once more when it has
 * landed: whether it is ridden then, and whether its text is found by its window. */
static void edit_at_distance(long distance, bool serves, bool is_cached)
{
    struct bed bed;
    uint64_t r;
    uint64_t fl = fly_amid(&bed, 1500, 99, &r);
    flights_leave(bed.flights, r, false, bed.now_us);
    size_t cursor = 1500;
    type(&bed, (size_t)((long)cursor + distance), "b");
    cursor += distance < 0;
    assert_int_equal(board(&bed, cursor, &r), serves ? BOARDED_FLYING : BOARDED_NONE);
    flights_feed(bed.flights, fl, STR("end"), false);
    flights_land(bed.flights, fl, true, bed.now_us);
    assert_int_equal(board(&bed, cursor, &r), serves ? BOARDED_LANDED : BOARDED_NONE);
    if (serves) {
        given(&bed, r, "end");
    }
    assert_int_equal(board_cached(&bed, cursor, 99), is_cached ? BOARDED_CACHED : BOARDED_NONE);
    bed_end(&bed);
}

static void near_edit_ends_it_and_a_far_one_only_the_cache(void **state)
{
    (void)state;
    const long near = FLIGHT_NEAR_BYTES;
    edit_at_distance(-near - 1, true, false); /* in the window, on both sides */
    edit_at_distance(near + 1, true, false);
    edit_at_distance(-900, true, false);
    edit_at_distance(900, true, false);
    edit_at_distance(-near + 1, false, false); /* near, on both sides */
    edit_at_distance(near - 1, false, false);
    edit_at_distance(-1, false, false);
    edit_at_distance(1, false, false);
    edit_at_distance(-1200, true, true); /* out of the window */
    edit_at_distance(1200, true, true);
}

static void far_edit_after_landing_serves_on(void **state)
{
    (void)state;
    struct bed bed;
    uint64_t r;
    uint64_t fl = fly_amid(&bed, 1500, 99, &r);
    flights_feed(bed.flights, fl, STR("end"), false);
    flights_land(bed.flights, fl, true, bed.now_us);
    flights_leave(bed.flights, r, true, bed.now_us);
    type(&bed, 1500 + 900, "b");
    type(&bed, 1500 - 900, "bcd");
    assert_int_equal(board(&bed, 1503, &r), BOARDED_LANDED);
    given(&bed, r, "end");
    /* What it was asked with is still what it was asked with. */
    assert_int_equal(board_cached(&bed, 1503, 99), BOARDED_CACHED);
    flights_leave(bed.flights, r, true, bed.now_us);
    type(&bed, 1503 - 100, "x");
    assert_int_equal(board(&bed, 1504, &r), BOARDED_NONE);
    bed_end(&bed);
}

static void similar_question_boards_what_has_landed_whole(void **state)
{
    (void)state;
    struct bed bed = bed_with("");
    bed_start(&bed);
    uint64_t flight = 0;
    uint64_t fl = flights_take_off_keyed(bed.flights, 5, 1, bed.now_us);
    flights_feed(bed.flights, fl, STR("it adds"), false);
    assert_int_equal(flights_board_similar(bed.flights, 5, 2, bed.now_us, &flight), BOARDED_NONE);
    flights_land(bed.flights, fl, true, bed.now_us);
    assert_int_equal(flights_board_similar(bed.flights, 5, 3, bed.now_us, &flight),
                     BOARDED_SIMILAR);
    assert_int_equal(flight, fl);
    given(&bed, 3, "it adds");
    assert_int_equal(flights_board_similar(bed.flights, 6, 4, bed.now_us, &flight), BOARDED_NONE);
    bed.now_us += SEC_TO_US(300);
    assert_int_equal(flights_board_similar(bed.flights, 5, 5, bed.now_us, &flight), BOARDED_NONE);
    assert_int_equal(flights_stats(bed.flights).n_boarded_similar, 1);
    bed_end(&bed);
}

static void without_a_cache_nothing_is_kept_for_its_key(void **state)
{
    (void)state;
    struct bed bed = bed_with("");
    bed_start(&bed);
    flights_configure(bed.flights, 0, SEC_TO_US(300));
    uint64_t flight = 0;
    uint64_t fl = flights_take_off_keyed(bed.flights, 5, 1, bed.now_us);
    assert_int_equal(flights_board_keyed(bed.flights, 5, 2, bed.now_us, &flight), BOARDED_FLYING);
    flights_feed(bed.flights, fl, STR("it adds"), false);
    flights_land(bed.flights, fl, true, bed.now_us);
    given(&bed, 1, "it adds");
    given(&bed, 2, "it adds");
    assert_int_equal(flights_board_keyed(bed.flights, 5, 3, bed.now_us, &flight), BOARDED_NONE);
    flights_leave(bed.flights, 1, true, bed.now_us);
    flights_leave(bed.flights, 2, true, bed.now_us);
    assert_int_equal(flights_stats(bed.flights).n_landed, 0);
    bed_end(&bed);
}

static void window_of_typing_is_no_similar_question(void **state)
{
    (void)state;
    struct bed bed = bed_with("x = ");
    bed_start(&bed);
    uint64_t r, flight = 0;
    uint64_t fl = take_off(&bed, 4, 77, &r);
    flights_feed(bed.flights, fl, STR("1;"), false);
    flights_land(bed.flights, fl, true, bed.now_us);
    assert_int_equal(flights_board_similar(bed.flights, 77, 60, bed.now_us, &flight), BOARDED_NONE);
    bed_end(&bed);
}

static void other_model_or_limits_dont_board(void **state)
{
    (void)state;
    struct bed bed = bed_with("x");
    bed_start(&bed);
    uint64_t r, flight;
    (void)take_off(&bed, 1, 1, &r);
    struct boarding b = at(&bed, 1);
    b.model = 8;
    assert_int_equal(flights_board(bed.flights, &b, 100, bed.now_us, &flight), BOARDED_NONE);
    b.model = 7;
    b.is_multiline = false;
    assert_int_equal(flights_board(bed.flights, &b, 101, bed.now_us, &flight), BOARDED_FLYING);
    bed_end(&bed);
}

static void popup_selection_stands_for_the_typed_word(void **state)
{
    (void)state;
    struct bed bed = bed_with("obj.le");
    bed_start(&bed);
    struct boarding b = at(&bed, 6);
    b.selected = STR("length");
    b.selected_start = 4;
    struct flight_spec spec = {.place = &b, .window_end = 6, .window_hash = 3};
    uint64_t fl = flights_take_off(bed.flights, &spec, 50, bed.now_us);
    flights_feed(bed.flights, fl, STR(" - 1"), false);
    given(&bed, 50, " - 1");
    flights_leave(bed.flights, 50, false, bed.now_us);
    type(&bed, 6, "ngth");
    uint64_t r;
    assert_int_equal(board(&bed, 10, &r), BOARDED_FLYING);
    given(&bed, r, " - 1");
    bed_end(&bed);
}

static void landed_flight_is_found_by_its_window(void **state)
{
    (void)state;
    struct bed bed = bed_with("x = ");
    bed_start(&bed);
    uint64_t r, flight;
    uint64_t fl = take_off(&bed, 4, 77, &r);
    flights_feed(bed.flights, fl, STR("1;"), false);
    flights_land(bed.flights, fl, true, bed.now_us);
    flights_leave(bed.flights, r, false, bed.now_us);
    documents_close(bed.documents, bed.doc->id);
    bed.doc = open_text(&bed, "x = ");
    assert_int_equal(board(&bed, 4, &r), BOARDED_NONE);
    struct boarding b = at(&bed, 4);
    assert_int_equal(flights_board_cached(bed.flights, &b, 77, 60, bed.now_us, &flight),
                     BOARDED_CACHED);
    given(&bed, 60, "1;");
    bed.now_us += SEC_TO_US(301);
    assert_int_equal(flights_board_cached(bed.flights, &b, 77, 61, bed.now_us, &flight),
                     BOARDED_NONE);
    bed_end(&bed);
}

static void broken_off_flight_serves_nobody_else(void **state)
{
    (void)state;
    struct bed bed = bed_with("x = ");
    bed_start(&bed);
    uint64_t r, other, flight;
    uint64_t fl = take_off(&bed, 4, 77, &r);
    flights_feed(bed.flights, fl, STR("1"), false);
    flights_land(bed.flights, fl, false, bed.now_us);
    given(&bed, r, "1");
    assert_int_equal(board(&bed, 4, &other), BOARDED_NONE);
    struct boarding b = at(&bed, 4);
    assert_int_equal(flights_board_cached(bed.flights, &b, 77, 60, bed.now_us, &flight),
                     BOARDED_NONE);
    flights_leave(bed.flights, r, false, bed.now_us);
    assert_int_equal(flights_stats(bed.flights).n_landed, 0);
    bed_end(&bed);
}

static void cache_keeps_the_most_recently_used(void **state)
{
    (void)state;
    struct bed bed = bed_with("");
    bed_start(&bed);
    uint64_t r, flight;
    for (uint64_t i = 1; i <= 20; i++) {
        bed.now_us++;
        uint64_t fl = take_off(&bed, 0, i, &r);
        flights_feed(bed.flights, fl, STR("t"), false);
        flights_leave(bed.flights, r, false, bed.now_us);
        flights_land(bed.flights, fl, true, bed.now_us);
    }
    assert_int_equal(flights_stats(bed.flights).n_landed, 10);
    struct boarding b = at(&bed, 0);
    assert_int_equal(flights_board_cached(bed.flights, &b, 10, 90, bed.now_us, &flight),
                     BOARDED_NONE);
    assert_int_equal(flights_board_cached(bed.flights, &b, 11, 91, bed.now_us, &flight),
                     BOARDED_CACHED);
    bed_end(&bed);
}

static void flight_without_riders_ends_after_the_grace(void **state)
{
    (void)state;
    struct bed bed = bed_with("x");
    bed_start(&bed);
    uint64_t r;
    uint64_t fl = take_off(&bed, 1, 1, &r);
    assert_true(flights_next_us(bed.flights) == CLOCK_NEVER);
    flights_leave(bed.flights, r, false, bed.now_us);
    assert_int_equal(flights_next_us(bed.flights), bed.now_us + FLIGHT_GRACE_US);
    type(&bed, 1, "a"); /* agrees: nothing has come yet */
    assert_int_equal(flights_next_us(bed.flights), bed.now_us + FLIGHT_AGREE_US);
    flights_feed(bed.flights, fl, STR("b"), false);
    type(&bed, 2, "c"); /* disagrees */
    assert_int_equal(flights_next_us(bed.flights), bed.now_us + FLIGHT_GRACE_US);
    bed.now_us += FLIGHT_GRACE_US;
    flights_tick(bed.flights, bed.now_us);
    assert_int_equal(bed.n_aborted, 1);
    assert_int_equal(bed.last_aborted, fl);
    assert_int_equal(flights_stats(bed.flights).n_flying, 0);
    bed_end(&bed);
}

static void flight_whose_rider_was_served_flies_on(void **state)
{
    (void)state;
    struct bed bed = bed_with("x");
    bed_start(&bed);
    uint64_t r;
    (void)take_off(&bed, 1, 1, &r);
    flights_leave(bed.flights, r, true, bed.now_us);
    assert_int_equal(flights_next_us(bed.flights), bed.now_us + FLIGHT_AGREE_US);
    bed_end(&bed);
}

static void one_riders_leaving_doesnt_hurt_another(void **state)
{
    (void)state;
    struct bed bed = bed_with("x");
    bed_start(&bed);
    uint64_t a, b;
    uint64_t fl = take_off(&bed, 1, 1, &a);
    assert_int_equal(board(&bed, 1, &b), BOARDED_FLYING);
    flights_leave(bed.flights, a, false, bed.now_us);
    flights_tick(bed.flights, bed.now_us + SEC_TO_US(60));
    flights_feed(bed.flights, fl, STR("yz"), false);
    given(&bed, b, "yz");
    assert_int_equal(bed.n_aborted, 0);
    bed_end(&bed);
}

static void new_flight_ends_those_nobody_can_board(void **state)
{
    (void)state;
    struct bed bed = bed_with("abc");
    bed_start(&bed);
    uint64_t r;
    uint64_t first = take_off(&bed, 1, 1, &r);
    flights_leave(bed.flights, r, false, bed.now_us);
    (void)take_off(&bed, 3, 2, &r);
    assert_int_equal(bed.last_aborted, first);
    documents_close(bed.documents, bed.doc->id);
    assert_int_equal(bed.n_aborted, 2);
    bed_end(&bed);
}

static void flight_that_landed_cut_is_continued(void **state)
{
    (void)state;
    struct bed bed = bed_with("x = \n");
    bed_start(&bed);
    uint64_t rider, later = 99, flight = 0;
    uint64_t fl = take_off(&bed, 4, 1, &rider);
    flights_feed(bed.flights, fl, STR("one"), true);
    flights_note_cut(bed.flights, fl);
    flights_land(bed.flights, fl, true, bed.now_us);
    flights_leave(bed.flights, rider, true, bed.now_us);
    assert_true(flights_continue(bed.flights, fl, bed.now_us));
    assert_false(flights_continue(bed.flights, fl, bed.now_us));
    assert_int_equal(flights_stats(bed.flights).n_flying, 1);
    assert_int_equal(documents_edit(bed.documents, bed.doc->id, 4, 4, STR("one")), ERR_OK);
    struct boarding b = at(&bed, 7);
    assert_int_equal(flights_board(bed.flights, &b, later, bed.now_us, &flight), BOARDED_FLYING);
    assert_int_equal(flights_view(bed.flights, later).text.len, 0);
    flights_feed(bed.flights, fl, STR(" two"), false);
    assert_true(str_eq(flights_view(bed.flights, later).text, STR(" two")));
    flights_drop(bed.flights, fl); /* failed: as it landed */
    assert_true(flights_view(bed.flights, later).has_left);
    assert_int_equal(flights_stats(bed.flights).n_landed, 1);
    assert_int_equal(flights_stats(bed.flights).n_bytes, 3);
    bed_end(&bed);
}

static void flight_that_ended_by_itself_isnt_continued(void **state)
{
    (void)state;
    struct bed bed = bed_with("x = \n");
    bed_start(&bed);
    uint64_t rider;
    uint64_t fl = take_off(&bed, 4, 1, &rider);
    flights_feed(bed.flights, fl, STR("one"), true);
    assert_false(flights_continue(bed.flights, fl, bed.now_us)); /* it flies */
    flights_land(bed.flights, fl, true, bed.now_us);
    assert_false(flights_continue(bed.flights, fl, bed.now_us));
    bed_end(&bed);
}

static void abort_leaves_what_was_shown(void **state)
{
    (void)state;
    struct bed bed = bed_with("x = \n");
    bed_start(&bed);
    uint64_t rider, later = 99, flight = 0;
    uint64_t fl = take_off(&bed, 4, 1, &rider);
    flights_feed(bed.flights, fl, STR("one\ntw"), false);
    flights_note_shown(bed.flights, fl, 3);
    flights_leave(bed.flights, rider, true, bed.now_us);
    bed.now_us += FLIGHT_AGREE_US;
    flights_tick(bed.flights, bed.now_us);
    assert_int_equal(bed.last_aborted, fl);
    struct boarding b = at(&bed, 4);
    assert_int_equal(flights_board(bed.flights, &b, later, bed.now_us, &flight), BOARDED_LANDED);
    assert_int_equal(flight, fl);
    assert_true(str_eq(flights_view(bed.flights, later).text, STR("one")));
    assert_true(flights_view(bed.flights, later).is_cut);
    flights_leave(bed.flights, later, true, bed.now_us);
    documents_close(bed.documents, bed.doc->id);
    assert_int_equal(flights_stats(bed.flights).n_landed, 0);
    bed_end(&bed);
}

/* What another model wrote: found by its place, under its name, and not by its window. */
static void text_of_another_author_serves_its_document_alone(void **state)
{
    (void)state;
    struct bed bed = bed_with("/* above */\nint x = ;\n");
    bed_start(&bed);
    uint64_t r, flight = 0;
    uint64_t fl = take_off(&bed, 20, 5, &r);
    struct flight_place place;
    assert_int_equal(flights_author(bed.flights, fl).len, 0);
    flights_leave(bed.flights, r, false, bed.now_us);
    type(&bed, 20, "12");
    assert_true(flights_place(bed.flights, fl, &place));
    assert_int_equal(place.document, bed.doc->id);
    assert_int_equal(place.anchor, 20);
    assert_int_equal(place.suffix, 22);
    assert_int_equal(place.text.len, 0);
    flights_note_author(bed.flights, fl, STR("far/coder"));
    flights_feed(bed.flights, fl, STR("123"), false);
    assert_int_equal(board(&bed, 22, &r), BOARDED_FLYING);
    flights_land(bed.flights, fl, true, bed.now_us);
    given(&bed, r, "3");
    assert_true(str_eq(flights_author(bed.flights, fl), STR("far/coder")));
    struct boarding b = at(&bed, 20);
    assert_int_equal(flights_board_cached(bed.flights, &b, 5, bed.next_rider++, 1, &flight),
                     BOARDED_NONE);
    flights_leave(bed.flights, r, true, bed.now_us);
    documents_close(bed.documents, bed.doc->id);
    assert_false(flights_place(bed.flights, fl, &place));
    assert_int_equal(flights_author(bed.flights, fl).len, 0);
    bed_end(&bed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(typing_what_it_says_rides),
        cmocka_unit_test(request_before_the_first_token_waits),
        cmocka_unit_test(rider_leaves_at_the_first_disagreement),
        cmocka_unit_test(auto_closed_brackets_are_agreement),
        cmocka_unit_test(text_after_the_cursor_must_be_the_suffix),
        cmocka_unit_test(near_window_before_the_anchor_must_be_unchanged),
        cmocka_unit_test(farther_change_serves_but_isnt_cached),
        cmocka_unit_test(near_edit_ends_it_and_a_far_one_only_the_cache),
        cmocka_unit_test(far_edit_after_landing_serves_on),
        cmocka_unit_test(similar_question_boards_what_has_landed_whole),
        cmocka_unit_test(without_a_cache_nothing_is_kept_for_its_key),
        cmocka_unit_test(window_of_typing_is_no_similar_question),
        cmocka_unit_test(other_model_or_limits_dont_board),
        cmocka_unit_test(popup_selection_stands_for_the_typed_word),
        cmocka_unit_test(landed_flight_is_found_by_its_window),
        cmocka_unit_test(broken_off_flight_serves_nobody_else),
        cmocka_unit_test(cache_keeps_the_most_recently_used),
        cmocka_unit_test(flight_without_riders_ends_after_the_grace),
        cmocka_unit_test(flight_whose_rider_was_served_flies_on),
        cmocka_unit_test(one_riders_leaving_doesnt_hurt_another),
        cmocka_unit_test(new_flight_ends_those_nobody_can_board),
        cmocka_unit_test(flight_that_landed_cut_is_continued),
        cmocka_unit_test(flight_that_ended_by_itself_isnt_continued),
        cmocka_unit_test(abort_leaves_what_was_shown),
        cmocka_unit_test(text_of_another_author_serves_its_document_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
