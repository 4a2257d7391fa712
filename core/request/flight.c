/* flight.c - the flights of all documents, in the air and landed.
 *
 * Why   Typing produces a request per key; a model needs a fraction of a second for one. Letting
 *       requests ride on a text that is still growing turns most keystrokes into no work at all.
 * How   Each open document keeps a short list of its most recent flights with marks (anchor,
 *       suffix, window) that edits shift. A request boards by comparing text around the marks: the
 *       marks only say where to look, the text decides. Flights that landed whole are also found
 *       by the hash of the window they were asked with, in any document.
 * Rules Riders hold copies of U and C: a view never touches a document. A rider of a document
 *       leaves before that document changes. Everything refers by id. */
#include "core/request/flight.h"

#include <string.h>

#include "core/base/clock.h"
#include "core/base/limits.h"
#include "core/base/map.h"
#include "core/request/fit.h"

enum flight_state { FLYING, LANDED };

struct rider {
    uint64_t id;
    struct flight *flight; /* same lifetime: a flight with riders isn't freed */
    struct buf typed;      /* U */
    struct buf closers;    /* C */
    UT_hash_handle hh;
};

struct flight {
    uint64_t id;
    enum flight_state state;
    bool is_complete; /* landed by itself */
    bool is_pure;     /* the window it was asked with hasn't changed under it */
    bool is_multiline;
    bool is_keyed;     /* belongs to no place: window_hash is its key */
    bool is_cut;       /* ended at a limit: there is more */
    bool is_continued; /* flies with a text that has landed before */
    uint64_t model;
    uint64_t window_hash;
    struct lane *lane; /* its document's list while it has marks; else NULL */
    size_t anchor, suffix, window_start, window_end; /* marks */
    struct buf text;                                 /* clean */
    struct buf author;                               /* empty: the model that it was asked of */
    bool is_line_whole;                              /* the text's last line is complete */
    size_t n_shown;                                  /* bytes of the text that were shown */
    char near_before[FLIGHT_NEAR_BYTES], near_after[FLIGHT_NEAR_BYTES];
    size_t n_before, n_after;
    unsigned n_riders;
    uint64_t grace_us; /* when it is aborted; CLOCK_NEVER while it has riders or has landed */
    uint64_t landed_us, used_us;
    bool is_cached;                          /* stands in by_window */
    struct flight *next_flying, **at_flying; /* in flights->flying, while FLYING */
    UT_hash_handle hh, hh_window;
};

/* The flights of one document that have marks, newest last. */
struct lane {
    uint64_t document;
    struct flight *flights[FLIGHTS_PER_DOCUMENT];
    size_t n;
    UT_hash_handle hh;
};

struct flights {
    struct flights_options options;
    struct flight *by_id;
    struct flight *by_window;
    struct flight *flying; /* the few among the hundreds that landed: looked at on every key */
    struct lane *lanes;
    struct rider *riders;
    uint64_t last_id;
    struct buf scratch; /* text taken out of a document for a comparison */
    struct flights_stats stats;
};

/* -- life cycle -- */

struct flights *flights_create(const struct flights_options *options)
{
    struct flights *f = xcalloc(1, sizeof(*f));
    f->options = *options;
    buf_init(&f->scratch, FLIGHT_MAX_TEXT_BYTES);
    return f;
}

static void rider_free(struct flights *f, struct rider *r)
{
    HASH_DELETE(hh, f->riders, r);
    buf_release(&r->typed);
    buf_release(&r->closers);
    xfree(r);
}

static void leave_lane(struct flight *fl)
{
    struct lane *lane = fl->lane;
    if (lane == NULL) {
        return;
    }
    for (size_t i = 0; i < lane->n; i++) {
        if (lane->flights[i] == fl) {
            memmove(&lane->flights[i], &lane->flights[i + 1],
                    (lane->n - i - 1) * sizeof(lane->flights[0]));
            lane->n--;
            break;
        }
    }
    fl->lane = NULL;
}

static void leave_cache(struct flights *f, struct flight *fl)
{
    if (fl->is_cached) {
        HASH_DELETE(hh_window, f->by_window, fl);
        fl->is_cached = false;
    }
}

static void enter_flying(struct flights *f, struct flight *fl)
{
    fl->next_flying = f->flying;
    fl->at_flying = &f->flying;
    if (fl->next_flying != NULL) {
        fl->next_flying->at_flying = &fl->next_flying;
    }
    f->flying = fl;
    f->stats.n_flying++;
}

static void leave_flying(struct flights *f, struct flight *fl)
{
    *fl->at_flying = fl->next_flying;
    if (fl->next_flying != NULL) {
        fl->next_flying->at_flying = fl->at_flying;
    }
    f->stats.n_flying--;
}

static void flight_free(struct flights *f, struct flight *fl)
{
    ASSERT(fl->n_riders == 0);
    leave_lane(fl);
    leave_cache(f, fl);
    HASH_DELETE(hh, f->by_id, fl);
    f->stats.n_bytes -= fl->text.len;
    if (fl->state == FLYING) {
        leave_flying(f, fl);
    }
    f->stats.n_landed -= fl->state == LANDED;
    buf_release(&fl->text);
    buf_release(&fl->author);
    xfree(fl);
}

static void riders_free(struct flights *f, struct flight *fl)
{
    struct rider *r, *next;
    HASH_ITER(hh, f->riders, r, next)
    {
        if (r->flight == fl) {
            fl->n_riders--;
            rider_free(f, r);
        }
    }
}

void flights_destroy(struct flights *f)
{
    if (f == NULL) {
        return;
    }
    struct flight *fl, *next;
    HASH_ITER(hh, f->by_id, fl, next)
    {
        riders_free(f, fl);
        flight_free(f, fl);
    }
    struct lane *lane, *next_lane;
    HASH_ITER(hh, f->lanes, lane, next_lane)
    {
        HASH_DELETE(hh, f->lanes, lane);
        xfree(lane);
    }
    buf_release(&f->scratch);
    xfree(f);
}

static struct flight *find(const struct flights *f, uint64_t id)
{
    struct flight *fl;
    HASH_FIND(hh, f->by_id, &id, sizeof(id), fl);
    return fl;
}

static struct lane *lane_of(struct flights *f, uint64_t document, bool is_wanted)
{
    struct lane *lane;
    HASH_FIND(hh, f->lanes, &document, sizeof(document), lane);
    if (lane == NULL && is_wanted) {
        lane = xcalloc(1, sizeof(*lane));
        lane->document = document;
        HASH_ADD(hh, f->lanes, document, sizeof(lane->document), lane);
    }
    return lane;
}

/* -- eviction -- */

/* Landed flights without riders go when they are old, or the least recently used first. */
static void evict(struct flights *f, unsigned max_entries, size_t max_bytes, uint64_t now_us)
{
    struct flight *fl, *next;
    HASH_ITER(hh, f->by_id, fl, next)
    {
        bool is_old = fl->state == LANDED && now_us - fl->landed_us >= f->options.cache_ttl_us;
        if (is_old && fl->n_riders == 0) {
            flight_free(f, fl);
        }
    }
    while (f->stats.n_landed > max_entries || f->stats.n_bytes > max_bytes) {
        struct flight *oldest = NULL;
        HASH_ITER(hh, f->by_id, fl, next)
        {
            if (fl->state == LANDED && fl->n_riders == 0 &&
                (oldest == NULL || fl->used_us < oldest->used_us)) {
                oldest = fl;
            }
        }
        if (oldest == NULL) {
            return;
        }
        flight_free(f, oldest);
    }
}

void flights_configure(struct flights *f, unsigned cache_entries, uint64_t cache_ttl_us)
{
    f->options.cache_entries = cache_entries;
    f->options.cache_ttl_us = cache_ttl_us;
}

void flights_clear_cache(struct flights *f)
{
    struct flight *fl, *next;
    HASH_ITER(hh, f->by_id, fl, next)
    {
        if (fl->state == LANDED && fl->n_riders == 0) {
            flight_free(f, fl);
        }
    }
}

/* -- boarding -- */

/* U: the text from the anchor to the cursor, the popup's selection substituted. */
static bool typed_since(const struct boarding *b, size_t anchor, struct buf *out)
{
    if (b->cursor < anchor || b->cursor - anchor > FLIGHT_MAX_TEXT_BYTES / 2) {
        return false;
    }
    size_t real_end = b->selected_start < b->cursor ? b->selected_start : b->cursor;
    if (real_end < anchor) {
        return false; /* the selection replaces text from before the anchor */
    }
    document_copy(b->doc->text, anchor, real_end, out);
    if (b->selected_start < b->cursor || b->selected.len > 0) {
        buf_append(out, b->selected);
    }
    return !out->is_full;
}

static bool is_near_same(struct flights *f, const struct document *d, const struct flight *fl)
{
    size_t len = document_len(d);
    if (fl->anchor < fl->n_before || fl->suffix + fl->n_after > len) {
        return false;
    }
    /* A window that was short because the document ended there ends there still. */
    if ((fl->n_before < FLIGHT_NEAR_BYTES && fl->anchor != fl->n_before) ||
        (fl->n_after < FLIGHT_NEAR_BYTES && fl->suffix + fl->n_after != len)) {
        return false;
    }
    buf_clear(&f->scratch);
    str before = document_slice(d, fl->anchor - fl->n_before, fl->anchor, &f->scratch);
    if (!str_eq(before, str_of(fl->near_before, fl->n_before))) {
        return false;
    }
    buf_clear(&f->scratch);
    str after = document_slice(d, fl->suffix, fl->suffix + fl->n_after, &f->scratch);
    return str_eq(after, str_of(fl->near_after, fl->n_after));
}

/* How a text fits a place: the whole of (b), (c) and (d) but for the near window. */
static enum fit judge(const struct flight *fl, str typed, str closers, size_t *rest)
{
    enum fit fit = fit_typed(buf_str(&fl->text), typed, fl->state == LANDED, rest);
    if (fit == FIT_NO || !fit_closers(typed, closers)) {
        return FIT_NO;
    }
    bool is_used_up = fit == FIT_YES && fl->state == LANDED && typed.len > 0 &&
                      str_trim(str_sub(buf_str(&fl->text), *rest, fl->text.len)).len == 0;
    return is_used_up ? FIT_NO : fit;
}

static void board(struct flights *f, struct flight *fl, uint64_t id, struct buf *typed,
                  struct buf *closers, uint64_t now_us)
{
    struct rider *r = xcalloc(1, sizeof(*r));
    r->id = id;
    r->flight = fl;
    r->typed = *typed;
    r->closers = *closers;
    HASH_ADD(hh, f->riders, id, sizeof(r->id), r);
    fl->n_riders++;
    fl->grace_us = CLOCK_NEVER;
    fl->used_us = now_us;
}

/* Boards `fl` by its marks where the rule allows it. */
static bool try_board(struct flights *f, struct flight *fl, const struct boarding *b,
                      uint64_t rider, uint64_t now_us)
{
    if (fl->model != b->model || (b->is_multiline && !fl->is_multiline) || b->cursor < fl->anchor ||
        b->cursor > fl->suffix || !is_near_same(f, b->doc->text, fl)) {
        return false;
    }
    struct buf typed, closers;
    buf_init(&typed, FLIGHT_MAX_TEXT_BYTES);
    buf_init(&closers, FLIGHT_MAX_TEXT_BYTES);
    size_t rest = 0;
    bool is_fit = typed_since(b, fl->anchor, &typed);
    document_copy(b->doc->text, b->cursor, fl->suffix, &closers);
    is_fit = is_fit && !closers.is_full &&
             judge(fl, buf_str(&typed), buf_str(&closers), &rest) != FIT_NO;
    if (is_fit) {
        board(f, fl, rider, &typed, &closers, now_us);
    } else {
        buf_release(&typed);
        buf_release(&closers);
    }
    return is_fit;
}

enum boarded flights_board(struct flights *f, const struct boarding *b, uint64_t rider,
                           uint64_t now_us, uint64_t *flight)
{
    struct lane *lane = lane_of(f, b->doc->id, false);
    for (size_t i = lane != NULL ? lane->n : 0; i-- > 0;) {
        struct flight *fl = lane->flights[i];
        bool is_stale = fl->state == LANDED && now_us - fl->landed_us >= f->options.cache_ttl_us;
        if (!is_stale && try_board(f, fl, b, rider, now_us)) {
            *flight = fl->id;
            bool is_flying = fl->state == FLYING;
            f->stats.n_boarded_flying += is_flying;
            f->stats.n_boarded_landed += !is_flying;
            return is_flying ? BOARDED_FLYING : BOARDED_LANDED;
        }
    }
    return BOARDED_NONE;
}

/* Boards at the beginning of its text. */
static void board_whole(struct flights *f, struct flight *fl, uint64_t rider, uint64_t now_us)
{
    struct buf none = {0};
    struct buf also_none = {0};
    board(f, fl, rider, &none, &also_none, now_us);
}

enum boarded flights_board_cached(struct flights *f, const struct boarding *b, uint64_t window_hash,
                                  uint64_t rider, uint64_t now_us, uint64_t *flight)
{
    struct flight *fl;
    HASH_FIND(hh_window, f->by_window, &window_hash, sizeof(window_hash), fl);
    if (fl == NULL || fl->is_keyed || fl->model != b->model ||
        fl->is_multiline != b->is_multiline || now_us - fl->landed_us >= f->options.cache_ttl_us ||
        b->selected.len > 0) {
        return BOARDED_NONE;
    }
    board_whole(f, fl, rider, now_us);
    f->stats.n_boarded_cached++;
    *flight = fl->id;
    return BOARDED_CACHED;
}

/* The flight of this key, flying or landed whole and not too old; or NULL. */
static struct flight *find_keyed(const struct flights *f, uint64_t key, uint64_t now_us)
{
    struct flight *fl;
    HASH_FIND(hh_window, f->by_window, &key, sizeof(key), fl);
    bool is_old =
        fl != NULL && fl->state == LANDED && now_us - fl->landed_us >= f->options.cache_ttl_us;
    return fl == NULL || !fl->is_keyed || is_old ? NULL : fl;
}

enum boarded flights_board_keyed(struct flights *f, uint64_t key, uint64_t rider, uint64_t now_us,
                                 uint64_t *flight)
{
    struct flight *fl = find_keyed(f, key, now_us);
    bool is_flying = fl != NULL && fl->state == FLYING;
    if (fl == NULL) {
        return BOARDED_NONE;
    }
    board_whole(f, fl, rider, now_us);
    f->stats.n_boarded_flying += is_flying;
    f->stats.n_boarded_cached += !is_flying;
    *flight = fl->id;
    return is_flying ? BOARDED_FLYING : BOARDED_CACHED;
}

enum boarded flights_board_similar(struct flights *f, uint64_t key, uint64_t rider, uint64_t now_us,
                                   uint64_t *flight)
{
    struct flight *fl = find_keyed(f, key, now_us);
    if (fl == NULL || fl->state == FLYING) {
        return BOARDED_NONE;
    }
    board_whole(f, fl, rider, now_us);
    f->stats.n_boarded_similar++;
    *flight = fl->id;
    return BOARDED_SIMILAR;
}

/* -- taking off and landing -- */

static void set_marks(struct flights *f, struct flight *fl, const struct flight_spec *spec)
{
    const struct boarding *b = spec->place;
    const struct document *d = b->doc->text;
    fl->anchor = b->selected_start;
    fl->suffix = b->cursor;
    fl->window_start = spec->window_start;
    fl->window_end = spec->window_end;
    size_t near = FLIGHT_NEAR_BYTES;
    fl->n_before = fl->anchor < near ? fl->anchor : near;
    size_t left = document_len(d) - b->cursor;
    fl->n_after = left < near ? left : near;
    buf_clear(&f->scratch);
    str before = document_slice(d, fl->anchor - fl->n_before, fl->anchor, &f->scratch);
    memcpy(fl->near_before, before.ptr, before.len);
    buf_clear(&f->scratch);
    str after = document_slice(d, b->cursor, b->cursor + fl->n_after, &f->scratch);
    memcpy(fl->near_after, after.ptr, after.len);
}

/* Nobody feeds it any more: it lands with what was shown, which a person may be reading, and type
 * yet. There is more where that came from. */
static void land_shown(struct flights *f, struct flight *fl, uint64_t now_us)
{
    f->stats.n_bytes -= fl->text.len - fl->n_shown;
    buf_truncate(&fl->text, fl->n_shown);
    fl->state = LANDED;
    fl->is_line_whole = true;
    fl->is_complete = true;
    fl->is_continued = false;
    fl->is_cut = true;
    fl->grace_us = CLOCK_NEVER;
    fl->landed_us = now_us;
    leave_flying(f, fl);
    f->stats.n_landed++;
    if (fl->n_riders == 0 && fl->lane == NULL && !fl->is_cached) {
        flight_free(f, fl);
    }
}

static void abort_flight(struct flights *f, struct flight *fl, uint64_t now_us)
{
    uint64_t id = fl->id;
    if (fl->n_shown > 0) {
        land_shown(f, fl, now_us);
    } else {
        flight_free(f, fl);
    }
    f->stats.n_aborted++;
    f->options.on_abort(id, f->options.user);
}

/* Nobody aboard, and the newest request of the document didn't fit: their texts are unwanted. */
static void abort_idle(struct flights *f, struct lane *lane, uint64_t now_us)
{
    for (size_t i = lane->n; i-- > 0;) {
        struct flight *fl = lane->flights[i];
        if (fl->state == FLYING && fl->n_riders == 0) {
            abort_flight(f, fl, now_us);
        }
    }
}

/* The flight that gives up its marks: the oldest that has landed and carries nobody, else the
 * oldest. */
static struct flight *lane_victim(const struct lane *lane)
{
    for (size_t i = 0; i < lane->n; i++) {
        if (lane->flights[i]->state == LANDED && lane->flights[i]->n_riders == 0) {
            return lane->flights[i];
        }
    }
    return lane->flights[0];
}

static void enter_lane(struct flights *f, struct flight *fl, struct lane *lane)
{
    if (lane->n == FLIGHTS_PER_DOCUMENT) {
        struct flight *victim = lane_victim(lane);
        leave_lane(victim);
        if (victim->n_riders == 0 && !victim->is_cached && victim->state == LANDED) {
            flight_free(f, victim);
        }
    }
    lane->flights[lane->n++] = fl;
    fl->lane = lane;
}

static struct flight *flight_create(struct flights *f, uint64_t window_hash)
{
    struct flight *fl = xcalloc(1, sizeof(*fl));
    fl->id = ++f->last_id;
    fl->state = FLYING;
    fl->is_pure = true;
    fl->window_hash = window_hash;
    fl->grace_us = CLOCK_NEVER;
    buf_init(&fl->text, FLIGHT_MAX_TEXT_BYTES);
    buf_init(&fl->author, KIB);
    HASH_ADD(hh, f->by_id, id, sizeof(fl->id), fl);
    enter_flying(f, fl);
    f->stats.n_taken_off++;
    return fl;
}

uint64_t flights_take_off(struct flights *f, const struct flight_spec *spec, uint64_t rider,
                          uint64_t now_us)
{
    const struct boarding *b = spec->place;
    struct lane *lane = lane_of(f, b->doc->id, true);
    if (!spec->is_instant) {
        abort_idle(f, lane, now_us);
    }
    struct flight *fl = flight_create(f, spec->window_hash);
    fl->is_pure = b->selected.len == 0; /* a selection may never come to stand in the document */
    fl->is_multiline = b->is_multiline;
    fl->model = b->model;
    set_marks(f, fl, spec);
    enter_lane(f, fl, lane);
    struct buf typed, none = {0};
    buf_init(&typed, FLIGHT_MAX_TEXT_BYTES);
    buf_append(&typed, b->selected);
    flights_feed(f, fl->id, b->selected, false); /* the text begins with the selection, as U does */
    board(f, fl, rider, &typed, &none, now_us);
    return fl->id;
}

static void enter_cache(struct flights *f, struct flight *fl)
{
    struct flight *older;
    HASH_FIND(hh_window, f->by_window, &fl->window_hash, sizeof(fl->window_hash), older);
    if (older == fl) {
        return;
    }
    if (older != NULL) {
        leave_cache(f, older);
    }
    HASH_ADD(hh_window, f->by_window, window_hash, sizeof(fl->window_hash), fl);
    fl->is_cached = true;
}

uint64_t flights_take_off_keyed(struct flights *f, uint64_t key, uint64_t rider, uint64_t now_us)
{
    struct flight *fl = flight_create(f, key);
    fl->is_keyed = true;
    enter_cache(f, fl);
    board_whole(f, fl, rider, now_us);
    return fl->id;
}

void flights_feed(struct flights *f, uint64_t flight, str clean, bool is_line_whole)
{
    struct flight *fl = find(f, flight);
    if (fl != NULL && fl->state == FLYING) {
        size_t before = fl->text.len;
        buf_append(&fl->text, clean);
        fl->is_line_whole = is_line_whole;
        f->stats.n_bytes += fl->text.len - before;
    }
}

void flights_note_author(struct flights *f, uint64_t flight, str name)
{
    struct flight *fl = find(f, flight);
    if (fl != NULL) {
        buf_clear(&fl->author);
        buf_append(&fl->author, name);
        fl->is_pure = false;
    }
}

str flights_author(const struct flights *f, uint64_t flight)
{
    const struct flight *fl = find(f, flight);
    return fl != NULL ? buf_str(&fl->author) : STR("");
}

bool flights_place(const struct flights *f, uint64_t flight, struct flight_place *out)
{
    const struct flight *fl = find(f, flight);
    if (fl == NULL || fl->lane == NULL) {
        return false;
    }
    *out = (struct flight_place){.document = fl->lane->document,
                                 .anchor = fl->anchor,
                                 .suffix = fl->suffix,
                                 .text = buf_str(&fl->text)};
    return true;
}

void flights_land(struct flights *f, uint64_t flight, bool is_complete, uint64_t now_us)
{
    struct flight *fl = find(f, flight);
    if (fl == NULL || fl->state != FLYING) {
        return;
    }
    fl->state = LANDED;
    is_complete = is_complete || fl->is_continued; /* what landed before was */
    fl->is_complete = is_complete;
    fl->is_continued = false;
    fl->landed_us = fl->used_us = now_us;
    fl->grace_us = CLOCK_NEVER;
    leave_flying(f, fl);
    f->stats.n_landed++;
    if (!is_complete) {
        leave_lane(fl);
    }
    if (!is_complete || f->options.cache_entries == 0) {
        leave_cache(f, fl); /* where the keyed ones stand from the start */
    } else if (fl->is_pure) {
        enter_cache(f, fl);
    }
    if (fl->n_riders == 0 && fl->lane == NULL && !fl->is_cached) {
        flight_free(f, fl);
    }
    evict(f, f->options.cache_entries, f->options.cache_bytes, now_us);
}

void flights_drop(struct flights *f, uint64_t flight)
{
    struct flight *fl = find(f, flight);
    if (fl == NULL) {
        return;
    }
    riders_free(f, fl);
    if (fl->is_continued) {
        land_shown(f, fl, fl->landed_us);
    } else {
        flight_free(f, fl);
    }
}

void flights_note_cut(struct flights *f, uint64_t flight)
{
    struct flight *fl = find(f, flight);
    if (fl != NULL) {
        fl->is_cut = true;
    }
}

bool flights_continue(struct flights *f, uint64_t flight, uint64_t now_us)
{
    struct flight *fl = find(f, flight);
    if (fl == NULL || fl->state != LANDED || !fl->is_complete || !fl->is_cut || fl->is_keyed ||
        fl->lane == NULL || fl->text.len > FLIGHT_MAX_TEXT_BYTES / 4) {
        return false;
    }
    fl->state = FLYING;
    fl->is_continued = true;
    fl->is_cut = false;
    fl->n_shown = fl->text.len; /* what has landed stays, shown or not */
    fl->grace_us = fl->n_riders > 0 ? CLOCK_NEVER : now_us + FLIGHT_AGREE_US;
    enter_flying(f, fl);
    f->stats.n_landed--;
    f->stats.n_continued++;
    return true;
}

/* -- riders -- */

static struct rider *find_rider(const struct flights *f, uint64_t id)
{
    struct rider *r;
    HASH_FIND(hh, f->riders, &id, sizeof(id), r);
    return r;
}

struct flight_view flights_view(struct flights *f, uint64_t rider)
{
    const struct rider *r = find_rider(f, rider);
    if (r == NULL) {
        return (struct flight_view){.has_left = true};
    }
    const struct flight *fl = r->flight;
    struct flight_view view = {.has_landed = fl->state == LANDED,
                               .is_complete = fl->state == LANDED && fl->is_complete,
                               .is_cut = fl->is_cut,
                               .is_line_whole = fl->is_line_whole || fl->state == LANDED};
    size_t rest = 0;
    switch (fit_typed(buf_str(&fl->text), buf_str(&r->typed), view.has_landed, &rest)) {
    case FIT_NO:
        view.has_left = true;
        return view;
    case FIT_WAITING:
        view.is_waiting = true;
        return view;
    case FIT_YES:
        break;
    }
    view.text = str_sub(buf_str(&fl->text), rest, fl->text.len);
    view.text_at = rest;
    view.closers = buf_str(&r->closers);
    return view;
}

void flights_note_shown(struct flights *f, uint64_t flight, size_t n)
{
    struct flight *fl = find(f, flight);
    if (fl != NULL && n > fl->n_shown && n <= fl->text.len) {
        fl->n_shown = n;
    }
}

void flights_leave(struct flights *f, uint64_t rider, bool is_served, uint64_t now_us)
{
    struct rider *r = find_rider(f, rider);
    if (r == NULL) {
        return;
    }
    struct flight *fl = r->flight;
    rider_free(f, r);
    fl->n_riders--;
    if (fl->n_riders > 0) {
        return;
    }
    if (fl->state == FLYING) {
        fl->grace_us = now_us + (is_served ? FLIGHT_AGREE_US : FLIGHT_GRACE_US);
    } else if (fl->lane == NULL && !fl->is_cached) {
        flight_free(f, fl);
    }
}

size_t flights_riders(const struct flights *f, uint64_t flight, uint64_t *out, size_t max)
{
    size_t n = 0;
    struct rider *r, *next;
    HASH_ITER(hh, f->riders, r, next)
    {
        if (r->flight->id == flight) {
            if (n < max) {
                out[n] = r->id;
            }
            n++;
        }
    }
    return n;
}

/* -- edits -- */

/* A mark that stays before what is inserted at it. */
static size_t shift_left(size_t mark, const struct edit *e)
{
    if (mark <= e->start) {
        return mark;
    }
    size_t end = e->start + e->n_removed;
    return mark >= end ? mark - e->n_removed + e->n_inserted : e->start;
}

/* A mark that stays behind what is inserted at it. */
static size_t shift_right(size_t mark, const struct edit *e)
{
    if (mark < e->start) {
        return mark;
    }
    size_t end = e->start + e->n_removed;
    return mark >= end ? mark - e->n_removed + e->n_inserted : e->start + e->n_inserted;
}

static void shift(struct flight *fl, const struct edit *e)
{
    size_t end = e->start + e->n_removed;
    bool is_before = e->start < fl->anchor && end > fl->window_start;
    bool is_after = end > fl->suffix && e->start < fl->window_end;
    if (is_before || is_after) {
        fl->is_pure = false;
    }
    fl->anchor = shift_left(fl->anchor, e);
    fl->suffix = shift_right(fl->suffix, e);
    fl->window_start = shift_left(fl->window_start, e);
    fl->window_end = shift_right(fl->window_end, e);
}

/* Whether a request at the end of this edit would ride it. */
static bool agrees(struct flights *f, const struct open_document *doc, const struct flight *fl,
                   size_t cursor)
{
    if (cursor < fl->anchor || cursor > fl->suffix || !is_near_same(f, doc->text, fl)) {
        return false;
    }
    struct boarding b = {.doc = doc, .cursor = cursor, .selected_start = cursor};
    struct buf typed, closers;
    buf_init(&typed, FLIGHT_MAX_TEXT_BYTES);
    buf_init(&closers, FLIGHT_MAX_TEXT_BYTES);
    size_t rest = 0;
    bool is_fit = typed_since(&b, fl->anchor, &typed);
    document_copy(doc->text, cursor, fl->suffix, &closers);
    is_fit = is_fit && !closers.is_full &&
             judge(fl, buf_str(&typed), buf_str(&closers), &rest) != FIT_NO;
    buf_release(&typed);
    buf_release(&closers);
    return is_fit;
}

void flights_on_edit(struct flights *f, const struct open_document *doc, const struct edit *edit,
                     uint64_t now_us)
{
    struct lane *lane = lane_of(f, doc->id, false);
    for (size_t i = 0; lane != NULL && i < lane->n; i++) {
        struct flight *fl = lane->flights[i];
        shift(fl, edit);
        if (fl->state != FLYING || fl->n_riders > 0) {
            continue;
        }
        if (agrees(f, doc, fl, edit->start + edit->n_inserted)) {
            fl->grace_us = now_us + FLIGHT_AGREE_US;
        } else if (fl->grace_us > now_us + FLIGHT_GRACE_US) {
            fl->grace_us = now_us + FLIGHT_GRACE_US;
        }
    }
}

void flights_on_close(struct flights *f, uint64_t document)
{
    struct lane *lane = lane_of(f, document, false);
    if (lane == NULL) {
        return;
    }
    while (lane->n > 0) {
        struct flight *fl = lane->flights[lane->n - 1];
        leave_lane(fl);
        if (fl->state == FLYING) {
            riders_free(f, fl);
            abort_flight(f, fl, fl->used_us);
        } else if (fl->n_riders == 0 && !fl->is_cached) {
            flight_free(f, fl);
        }
    }
    HASH_DELETE(hh, f->lanes, lane);
    xfree(lane);
}

/* -- time -- */

uint64_t flights_next_us(const struct flights *f)
{
    uint64_t next_us = CLOCK_NEVER;
    for (const struct flight *fl = f->flying; fl != NULL; fl = fl->next_flying) {
        if (fl->grace_us < next_us) {
            next_us = fl->grace_us;
        }
    }
    return next_us;
}

void flights_tick(struct flights *f, uint64_t now_us)
{
    struct flight *next = NULL;
    for (struct flight *fl = f->flying; fl != NULL; fl = next) {
        next = fl->next_flying;
        if (fl->n_riders == 0 && fl->grace_us <= now_us) {
            abort_flight(f, fl, now_us);
        }
    }
}

struct flights_stats flights_stats(const struct flights *f)
{
    return f->stats;
}
