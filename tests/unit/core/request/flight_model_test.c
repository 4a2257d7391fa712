/* flight_model_test.c - random traffic against a naive reference.
 *
 * Random edits, requests, cancels, tokens, landings, failures, acceptances and time on two small
 * documents. The reference keeps, for each flight, the whole document as it was and the whole text
 * so far, and judges with slow, obvious code:
 *   - a boarded request's place is one that the flight's text leads through;
 *   - what a rider is given, put in, leads on along the flight's text;
 *   - a rider whose text was typed straight through boards whenever nothing else changed;
 *   - every request ends exactly once, every flight ends exactly once.
 * SEED and ITERATIONS come from the environment. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/base/clock.h"
#include "core/base/limits.h"
#include "core/base/memory.h"
#include "core/request/fit.h"
#include "core/request/flight.h"

#define N_DOCS       2
#define MAX_REQUESTS 32
#define MAX_FLIGHTS  4096
#define MAX_TEXT     400

static uint64_t rng;

static uint32_t rnd(uint32_t n)
{
    rng ^= rng << 13;
    rng ^= rng >> 7;
    rng ^= rng << 17;
    return (uint32_t)((rng >> 32) % n);
}

struct known_flight { /* the reference's memory of a flight; slot = id % MAX_FLIGHTS */
    uint64_t id;
    bool is_flying;
    unsigned n_ended;
    char before[MAX_TEXT * 2], after[MAX_TEXT * 2]; /* the document around the anchor at take-off */
    char text[MAX_TEXT];
};

struct request {
    uint64_t rider; /* 0: free */
    uint64_t flight;
    size_t doc_idx, cursor;
};

struct world {
    struct documents *documents;
    struct flights *flights;
    uint64_t doc[N_DOCS];
    struct request requests[MAX_REQUESTS];
    struct known_flight *known;
    uint64_t now_us, last_rider;
    uint64_t n_asked, n_ended;
};

static void read_doc(struct world *w, size_t idx, char *out)
{
    struct buf b;
    buf_init(&b, MAX_TEXT * 2);
    struct open_document *d = documents_find(w->documents, w->doc[idx]);
    document_copy(d->text, 0, document_len(d->text), &b);
    memcpy(out, buf_cstr(&b), b.len + 1);
    buf_release(&b);
}

/* Text without blanks that follow a line end, "\r\n" and "\r" as "\n". */
static void normalise(const char *in, char *out)
{
    bool after_eol = false;
    for (; *in != '\0'; in++) {
        if (*in == '\r') {
            in += in[1] == '\n';
            *out++ = '\n';
            after_eol = true;
        } else if (*in == '\n') {
            *out++ = '\n';
            after_eol = true;
        } else if (!(after_eol && (*in == ' ' || *in == '\t'))) {
            *out++ = *in;
            after_eol = false;
        }
    }
    *out = '\0';
}

static bool leads_on(const char *longer, const char *shorter)
{
    char a[MAX_TEXT * 4], b[MAX_TEXT * 4];
    normalise(longer, a);
    normalise(shorter, b);
    return strncmp(a, b, strlen(b)) == 0;
}

static void end_request(struct world *w, struct request *r)
{
    flights_leave(w->flights, r->rider, false, w->now_us);
    r->rider = 0;
    w->n_ended++;
}

static void end_flight(struct world *w, uint64_t id)
{
    struct known_flight *k = &w->known[id % MAX_FLIGHTS];
    assert_int_equal(k->id, id);
    assert_true(k->is_flying);
    k->is_flying = false;
    k->n_ended++;
    assert_int_equal(k->n_ended, 1);
}

static void on_abort(uint64_t flight, void *user)
{
    struct world *w = user;
    for (size_t i = 0; i < MAX_REQUESTS; i++) { /* nobody may be aboard */
        assert_false(w->requests[i].rider != 0 && w->requests[i].flight == flight);
    }
    end_flight(w, flight);
}

static void on_document(const struct open_document *doc, const struct edit *edit, void *user)
{
    struct world *w = user;
    for (size_t i = 0; i < MAX_REQUESTS; i++) {
        if (w->requests[i].rider != 0 && w->doc[w->requests[i].doc_idx] == doc->id) {
            end_request(w, &w->requests[i]);
        }
    }
    if (edit != NULL) {
        flights_on_edit(w->flights, doc, edit, w->now_us);
    } else {
        flights_on_close(w->flights, doc->id);
    }
}

static const char *const pieces[] = {"a", "b",    "(",  ")",  "{", "}",       "\n",
                                     " ", "\n  ", "ab", "\"", ";", "\xc3\xa9"};
#define N_PIECES (sizeof(pieces) / sizeof(pieces[0]))

/* Checks what the rider sees against the reference, in the slow and obvious way. */
static void check_view(struct world *w, const struct request *r)
{
    struct flight_view v = flights_view(w->flights, r->rider);
    struct known_flight *k = &w->known[r->flight % MAX_FLIGHTS];
    assert_int_equal(k->id, r->flight);
    if (v.has_left || v.is_waiting) {
        return;
    }
    char doc[MAX_TEXT * 2], result[MAX_TEXT * 4];
    read_doc(w, r->doc_idx, doc);
    size_t cut = v.text.len == 0 ? 0 : rnd((uint32_t)v.text.len + 1);
    while (cut < v.text.len && ((unsigned char)v.text.ptr[cut] & 0xc0) == 0x80) {
        cut++;
    }
    struct fit_rest given = fit_less_closers(str_sub(v.text, 0, cut), v.closers);
    snprintf(result, sizeof(result), "%.*s%.*s", (int)r->cursor, doc, (int)given.text.len,
             given.text.ptr ? given.text.ptr : "");
    /* The document up to the cursor plus what is given leads along what was there plus the text.
     * Far changes are allowed, so only compare from the near window on. */
    char whole[MAX_TEXT * 4];
    snprintf(whole, sizeof(whole), "%s%s", k->before, k->text);
    size_t n_near = strlen(k->before) < FLIGHT_NEAR_BYTES ? strlen(k->before) : FLIGHT_NEAR_BYTES;
    const char *near_whole = k->before + strlen(k->before) - n_near;
    const char *at = strlen(k->before) < FLIGHT_NEAR_BYTES ? result : NULL;
    bool is_found = false;
    for (size_t i = 0; at == NULL && result[i] != '\0' && !is_found; i++) {
        is_found = strncmp(result + i, near_whole, n_near) == 0 &&
                   leads_on(whole + strlen(k->before) - n_near, result + i);
    }
    is_found = is_found || (at != NULL && leads_on(whole, result));
    if (!is_found) {
        print_error("flight text %s|%s given %s\n", k->before, k->text, result);
    }
    assert_true(is_found);
    assert_true(given.n_replace == 0 || given.n_replace == v.closers.len);
}

static struct request *free_request(struct world *w)
{
    for (size_t i = 0; i < MAX_REQUESTS; i++) {
        if (w->requests[i].rider == 0) {
            return &w->requests[i];
        }
    }
    return NULL;
}

static uint64_t window_hash(const char *doc, size_t cursor)
{
    uint64_t h = 1469598103934665603u;
    for (size_t i = 0; doc[i] != '\0'; i++) {
        h = (h ^ (unsigned char)doc[i] ^ (i == cursor ? 0x55u : 0u)) * 1099511628211u;
    }
    return h ^ cursor;
}

/* A request at a place; like the engine: board, else the cache, else take off. */
static void ask(struct world *w, size_t idx, size_t cursor)
{
    struct request *r = free_request(w);
    if (r == NULL) {
        return;
    }
    char doc[MAX_TEXT * 2];
    read_doc(w, idx, doc);
    *r = (struct request){.rider = ++w->last_rider, .doc_idx = idx, .cursor = cursor};
    w->n_asked++;
    struct open_document *d = documents_find(w->documents, w->doc[idx]);
    struct boarding b = {
        .doc = d, .cursor = cursor, .selected_start = cursor, .model = 1, .is_multiline = true};
    uint64_t hash = window_hash(doc, cursor);
    if (flights_board(w->flights, &b, r->rider, w->now_us, &r->flight) == BOARDED_NONE &&
        flights_board_cached(w->flights, &b, hash, r->rider, w->now_us, &r->flight) ==
            BOARDED_NONE) {
        struct flight_spec spec = {
            .place = &b, .window_start = 0, .window_end = strlen(doc), .window_hash = hash};
        r->flight = flights_take_off(w->flights, &spec, r->rider, w->now_us);
        struct known_flight *k = &w->known[r->flight % MAX_FLIGHTS];
        *k = (struct known_flight){.id = r->flight, .is_flying = true};
        memcpy(k->before, doc, cursor);
        memcpy(k->after, doc + cursor, strlen(doc) - cursor);
    }
    check_view(w, r);
}

static size_t boundary(const char *doc, size_t at)
{
    while (at > 0 && ((unsigned char)doc[at] & 0xc0) == 0x80) {
        at--;
    }
    return at;
}

/* False where the document is full. */
static bool edit(struct world *w, size_t idx, size_t start, size_t end, const char *text)
{
    char doc[MAX_TEXT * 2];
    read_doc(w, idx, doc);
    if (strlen(doc) - (end - start) + strlen(text) >= MAX_TEXT) {
        return false;
    }
    assert_int_equal(documents_edit(w->documents, w->doc[idx], start, end, str_from(text)), ERR_OK);
    return true;
}

static void random_edit(struct world *w)
{
    size_t idx = rnd(N_DOCS);
    char doc[MAX_TEXT * 2];
    read_doc(w, idx, doc);
    size_t start = boundary(doc, rnd((uint32_t)strlen(doc) + 1));
    size_t end = boundary(doc, start + rnd((uint32_t)(strlen(doc) - start) + 1) % 4);
    end = end < start ? start : end;
    (void)edit(w, idx, start, rnd(2) ? start : end, pieces[rnd(N_PIECES)]);
}

/* Types the next character of what a rider is shown and asks again, as a person would; sometimes
 * with an auto-closed bracket. It must ride, unless the text so far is used up. */
static void type_through(struct world *w)
{
    struct request *r = &w->requests[rnd(MAX_REQUESTS)];
    if (r->rider == 0) {
        return;
    }
    struct flight_view v = flights_view(w->flights, r->rider);
    struct fit_rest given = fit_less_closers(v.text, v.closers);
    str text = given.text;
    if (v.has_left || text.len < 2 || given.n_replace > 0) {
        return; /* closers that stand there already are typed over, not typed */
    }
    char typed[8] = {0};
    size_t n = 1;
    while (n < text.len && ((unsigned char)text.ptr[n] & 0xc0) == 0x80) {
        n++;
    }
    memcpy(typed, text.ptr, n);
    bool has_more = str_trim(str_sub(text, n, text.len)).len > 0;
    struct request old = *r;
    bool is_known = w->known[old.flight % MAX_FLIGHTS].is_flying;
    if (!edit(w, old.doc_idx, old.cursor, old.cursor, typed)) {
        return;
    }
    struct open_document *d = documents_find(w->documents, w->doc[old.doc_idx]);
    struct boarding b = {.doc = d,
                         .cursor = old.cursor + n,
                         .selected_start = old.cursor + n,
                         .model = 1,
                         .is_multiline = true};
    uint64_t flight = 0, rider = ++w->last_rider;
    enum boarded how = flights_board(w->flights, &b, rider, w->now_us, &flight);
    if (has_more && is_known) {
        assert_int_not_equal(how, BOARDED_NONE);
    }
    if (how != BOARDED_NONE) {
        w->n_asked++;
        struct request *next = free_request(w);
        assert_non_null(next);
        *next = (struct request){
            .rider = rider, .flight = flight, .doc_idx = old.doc_idx, .cursor = old.cursor + n};
        check_view(w, next);
    }
}

static void token(struct world *w)
{
    struct known_flight *k = &w->known[rnd(MAX_FLIGHTS)];
    for (size_t i = 0; i < MAX_FLIGHTS && !k->is_flying; i++) {
        k = &w->known[(size_t)(k - w->known + 1) % MAX_FLIGHTS];
    }
    const char *piece = pieces[rnd(N_PIECES)];
    if (!k->is_flying || strlen(k->text) + strlen(piece) >= MAX_TEXT / 4) {
        return;
    }
    memcpy(k->text + strlen(k->text), piece, strlen(piece) + 1);
    flights_feed(w->flights, k->id, str_from(piece), false);
    if (rnd(4) == 0) {
        flights_note_shown(w->flights, k->id, strlen(k->text));
    }
}

static void land(struct world *w)
{
    struct known_flight *k = &w->known[rnd(MAX_FLIGHTS)];
    for (size_t i = 0; i < MAX_FLIGHTS && !k->is_flying; i++) {
        k = &w->known[(size_t)(k - w->known + 1) % MAX_FLIGHTS];
    }
    if (!k->is_flying) {
        return;
    }
    if (rnd(3) == 0) { /* lands at a limit, and is continued: flies on with the same text */
        flights_note_cut(w->flights, k->id);
        flights_land(w->flights, k->id, true, w->now_us);
        if (!flights_continue(w->flights, k->id, w->now_us)) {
            end_flight(w, k->id);
        }
        return;
    }
    if (rnd(4) != 0) {
        end_flight(w, k->id);
        flights_land(w->flights, k->id, rnd(5) != 0, w->now_us);
        return;
    }
    for (size_t i = 0; i < MAX_REQUESTS; i++) {
        if (w->requests[i].rider != 0 && w->requests[i].flight == k->id) {
            end_request(w, &w->requests[i]);
        }
    }
    end_flight(w, k->id);
    flights_drop(w->flights, k->id);
}

static void accept_text(struct world *w)
{
    struct request *r = &w->requests[rnd(MAX_REQUESTS)];
    if (r->rider == 0) {
        return;
    }
    struct request old = *r;
    struct flight_view v = flights_view(w->flights, r->rider);
    struct fit_rest given = fit_less_closers(v.text, v.closers);
    char text[MAX_TEXT];
    snprintf(text, sizeof(text), "%.*s", (int)given.text.len, given.text.ptr ? given.text.ptr : "");
    (void)edit(w, old.doc_idx, old.cursor, old.cursor + given.n_replace, text);
}

static void step(struct world *w)
{
    char doc[MAX_TEXT * 2];
    switch (rnd(12)) {
    case 0:
        random_edit(w);
        break;
    case 1:
    case 2: {
        size_t idx = rnd(N_DOCS);
        read_doc(w, idx, doc);
        ask(w, idx, boundary(doc, rnd((uint32_t)strlen(doc) + 1)));
        break;
    }
    case 3:
    case 4:
    case 5:
        token(w);
        break;
    case 6:
    case 7:
    case 8:
        type_through(w);
        break;
    case 9:
        land(w);
        break;
    case 10:
        w->now_us += rnd(400000);
        flights_tick(w->flights, w->now_us);
        break;
    default:
        if (rnd(3) == 0) {
            accept_text(w);
        } else if (w->requests[rnd(MAX_REQUESTS)].rider != 0) {
            struct request *r = &w->requests[rnd(MAX_REQUESTS)];
            if (r->rider != 0) {
                end_request(w, r);
            }
        }
        break;
    }
    for (size_t i = 0; i < MAX_REQUESTS; i++) {
        if (w->requests[i].rider != 0 && rnd(8) == 0) {
            check_view(w, &w->requests[i]);
        }
    }
}

static void open_documents(struct world *w)
{
    for (size_t i = 0; i < N_DOCS; i++) {
        assert_int_equal(
            documents_open(w->documents, STR("/a"), STR("c"), STR("ab(\n  a;\n)\n"), &w->doc[i]),
            ERR_OK);
    }
}

static void random_traffic_agrees_with_the_reference(void **state)
{
    (void)state;
    const char *seed = getenv("SEED");
    const char *n = getenv("ITERATIONS");
    rng = seed != NULL ? strtoull(seed, NULL, 10) : (clock_wall_us() | 1u);
    uint64_t iterations = n != NULL ? strtoull(n, NULL, 10) : 300000;
    print_message("SEED=%llu ITERATIONS=%llu\n", (unsigned long long)rng,
                  (unsigned long long)iterations);
    struct world w = {.documents = documents_create(), .now_us = 1};
    w.known = xcalloc(MAX_FLIGHTS, sizeof(*w.known));
    struct flights_options options = {.cache_entries = 40,
                                      .cache_bytes = 4000,
                                      .cache_ttl_us = SEC_TO_US(20),
                                      .on_abort = on_abort,
                                      .user = &w};
    w.flights = flights_create(&options);
    documents_observe(w.documents, on_document, &w);
    open_documents(&w);
    for (uint64_t i = 0; i < iterations; i++) {
        step(&w);
    }
    documents_close(w.documents, w.doc[0]);
    documents_close(w.documents, w.doc[1]);
    assert_int_equal(flights_stats(w.flights).n_flying, 0);
    assert_int_equal(w.n_asked, w.n_ended);
    flights_destroy(w.flights);
    documents_observe(w.documents, NULL, NULL);
    documents_destroy(w.documents);
    xfree(w.known);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_traffic_agrees_with_the_reference)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
