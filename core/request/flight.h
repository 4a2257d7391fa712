/* flight.h - a suggestion is a growing text anchored at a prefix; requests ride on it.
 *
 * Pure: clean text, edits and a clock in; riders' texts out. Who starts exchanges, cleans their
 * text, and when a rider's text is shown, is the engine's business.
 *
 *     take_off ──▶ FLYING ──land(complete)──▶ LANDED  (serves its document; cached by its window)
 *                    │  └────land(error)────▶ gone, riders hear the error
 *                    └─no riders and no agreement: grace ─▶ on_abort; gone, or LANDED with the
 *                                                             part of its text that was shown
 *     LANDED, cut ──continue──▶ FLYING again, with the text it has; aborted or failed: LANDED
 *
 * The boarding rule (flight_board), with U the text from the anchor to the cursor, the popup's
 * selection substituted:
 *   (a) document (once landed also: any document whose window's hash is the flight's), model (with
 *       its template) and multi-line limit match, and the request isn't an explicit "again";
 *   (b) the near window before the anchor is unchanged (a farther change inside the sent window
 *       lets the flight still serve but not be cached);
 *   (c) U is the beginning of the clean text, line ends of any form equal, blanks after a line end
 *       not compared; while the text is shorter than U and agrees so far, the rider waits;
 *   (d) after the cursor stands C plus the flight's suffix, C being empty or closers that U opened.
 * A rider is given what follows U, less C. Text only grows; a rider is never given text that
 * doesn't fit its place: prefix + U + given text + suffix is prefix + clean text + suffix. */
#ifndef CRUCIBLE_REQUEST_FLIGHT_H
#define CRUCIBLE_REQUEST_FLIGHT_H

#include "core/document/documents.h"

struct flights;

/* Where a request stands, and what it asks for; borrowed for the call. */
struct boarding {
    const struct open_document *doc;
    size_t cursor;
    str selected;          /* the popup's selection, standing for [selected_start, cursor) */
    size_t selected_start; /* == cursor where there is no popup */
    uint64_t model;        /* who answers: hash of endpoint, model and template */
    bool is_multiline;     /* more than one line is wanted */
};

#define FLIGHT_NEAR_BYTES    256u /* the near window before the anchor and after the suffix mark */
#define FLIGHT_GRACE_US      250000u  /* how long a flight without riders flies on */
#define FLIGHT_AGREE_US      2000000u /* the same while what is typed agrees with its text */
#define FLIGHTS_PER_DOCUMENT 32u      /* most recent ones that keep their marks */

enum boarded {
    BOARDED_NONE,   /* take off */
    BOARDED_FLYING, /* rides one that is in the air */
    BOARDED_LANDED, /* served from one that has landed in this document */
    BOARDED_CACHED, /* served from the cache: the same window elsewhere or earlier */
    BOARDED_SIMILAR /* served from the cache: another question that was nearly this one */
};

/* What a rider can be given right now. */
struct flight_view {
    str text;           /* what follows U; "\n" line ends; valid until the next call */
    str closers;        /* C, to be taken off with fit_less_closers once the text is cut to size */
    bool is_waiting;    /* U isn't covered yet, and agrees so far */
    bool has_left;      /* the text disagrees by now: nothing will come */
    bool is_line_whole; /* the last line of `text` is complete */
    bool has_landed;
    bool is_complete; /* landed, and not broken off */
    bool is_cut;      /* it ended at a limit of ours */
    size_t text_at;   /* where `text` begins in the flight's text */
};

struct flights_options {
    unsigned cache_entries; /* landed flights kept */
    size_t cache_bytes;     /* of their texts */
    uint64_t cache_ttl_us;
    /* The flight's exchange should be closed: nobody wants its text. Only
     * from flights_take_off, flights_on_close and flights_tick. */
    void (*on_abort)(uint64_t flight, void *user);
    void *user;
};

struct flights *flights_create(const struct flights_options *options);
void flights_destroy(struct flights *f);
void flights_configure(struct flights *f, unsigned cache_entries, uint64_t cache_ttl_us);

/* Looks for a flight of this document to ride, by its mark. On success *flight is its id and
 * `rider` (the caller's id, never 0, unique) is aboard. */
enum boarded flights_board(struct flights *f, const struct boarding *b, uint64_t rider,
                           uint64_t now_us, uint64_t *flight);
/* The same by the hash of the window that would be sent: BOARDED_CACHED or BOARDED_NONE. */
enum boarded flights_board_cached(struct flights *f, const struct boarding *b, uint64_t window_hash,
                                  uint64_t rider, uint64_t now_us, uint64_t *flight);
/* A new flight, anchored at the cursor (at the selection's start where there is one; its text then
 * begins with the selection), with `rider` aboard. Flights of the document that carry
 * nobody any more are aborted: whoever could have ridden them would have. Gives the id. */
struct flight_spec {
    const struct boarding *place;
    size_t window_start, window_end; /* what of the document is sent, byte offsets */
    uint64_t window_hash;            /* of that text, model and limits */
    bool is_instant; /* lands at once and needs no engine: nothing is aborted for it */
};
uint64_t flights_take_off(struct flights *f, const struct flight_spec *spec, uint64_t rider,
                          uint64_t now_us);
/* A flight that belongs to no place but to a key, which is the hash of all that it depends on: what
 * a person asks by a command rather than by typing. It is found by its key from the start, and no
 * edit ends it. */
uint64_t flights_take_off_keyed(struct flights *f, uint64_t key, uint64_t rider, uint64_t now_us);
/* Boards such a flight, flying or landed whole: BOARDED_FLYING, BOARDED_CACHED or BOARDED_NONE. */
enum boarded flights_board_keyed(struct flights *f, uint64_t key, uint64_t rider, uint64_t now_us,
                                 uint64_t *flight);
/* Boards such a flight for a question that isn't its own but like it: only one that has landed
 * whole. BOARDED_SIMILAR or BOARDED_NONE. */
enum boarded flights_board_similar(struct flights *f, uint64_t key, uint64_t rider, uint64_t now_us,
                                   uint64_t *flight);
/* Appends clean text; is_line_whole: the text's last line is known to be complete, though its line
 * end hasn't been given yet. Unknown flights are ignored. */
void flights_feed(struct flights *f, uint64_t flight, str clean, bool is_line_whole);
/* Another model writes its text than the one it is asked for by: `name`, for people. It still
 * serves its document, but no other, nor the same window later. */
void flights_note_author(struct flights *f, uint64_t flight, str name);
/* Who that is, borrowed; empty where it is the one that it is asked for by. */
str flights_author(const struct flights *f, uint64_t flight);
/* Where it is anchored by now, and its text so far, borrowed: to have it written by another model.
 * False where nobody knows. */
struct flight_place {
    uint64_t document;
    size_t anchor,
        suffix; /* byte offsets: its text goes on from one, and stands before the other */
    str text;
};
bool flights_place(const struct flights *f, uint64_t flight, struct flight_place *out);
/* Nothing more will come. is_complete: the text ended by itself or at a limit, so it may serve
 * later requests too; otherwise it broke off and only its riders see it. */
void flights_land(struct flights *f, uint64_t flight, bool is_complete, uint64_t now_us);
/* The text ends, or is about to, at a limit of ours: there is more where it came from. */
void flights_note_cut(struct flights *f, uint64_t flight);
/* One that has landed cut takes off again: it is fed further, and whoever rides it to its end waits
 * for more. Where that is aborted or dropped it has landed as before. Its stay in the air without
 * riders is as after an answer. False where it can't. */
bool flights_continue(struct flights *f, uint64_t flight, uint64_t now_us);
/* It failed: gone, or landed as before; its riders have left. */
void flights_drop(struct flights *f, uint64_t flight);

/* What the rider gets; has_left for unknown riders. */
struct flight_view flights_view(struct flights *f, uint64_t rider);
/* The first `n` bytes of the flight's text have been shown: they stay, also where the flight is
 * aborted. */
void flights_note_shown(struct flights *f, uint64_t flight, size_t n);
/* The rider got its answer (is_served), or was cancelled or gave up. A flight whose last rider was
 * served flies on for longer: the next keystroke may want its text. Unknown ids are ignored. */
void flights_leave(struct flights *f, uint64_t rider, bool is_served, uint64_t now_us);
/* Riders aboard a flight: fills up to `max` ids, gives how many there are. */
size_t flights_riders(const struct flights *f, uint64_t flight, uint64_t *out, size_t max);

/* A document was edited / is closed. Its riders have left before. */
void flights_on_edit(struct flights *f, const struct open_document *doc, const struct edit *edit,
                     uint64_t now_us);
void flights_on_close(struct flights *f, uint64_t document);

/* When flights_tick has something to do, CLOCK_NEVER for never. */
uint64_t flights_next_us(const struct flights *f);
void flights_tick(struct flights *f, uint64_t now_us);
/* Forgets everything that has landed and carries nobody. */
void flights_clear_cache(struct flights *f);

struct flights_stats {
    size_t n_flying, n_landed, n_bytes;
    uint64_t n_taken_off, n_boarded_flying, n_boarded_landed, n_boarded_cached, n_boarded_similar;
    uint64_t n_aborted, n_continued;
};
struct flights_stats flights_stats(const struct flights *f);

#endif
