/* shown.h - the suggestion that stands on the screen, and what becomes of it.
 *
 * Pure: answers, edits and reports in, events out. Few editors report what was accepted, so that is
 * read from the text: an edit that puts in exactly what was shown, or its first line or word, has
 * accepted it. Answers that go on from one another (the person types what the text says) are one
 * suggestion with one fate, of which there is at most one event for each piece. */
#ifndef CRUCIBLE_REQUEST_SHOWN_H
#define CRUCIBLE_REQUEST_SHOWN_H

#include "core/document/documents.h"
#include "core/request/suppress.h"

#define SHOWN_ANSWERS   32u
#define SHOWN_MAX_BYTES (16u * 1024u) /* of a suggestion's text that is followed */

struct shown_answer { /* borrowed for the call */
    const struct open_document *doc;
    size_t cursor;
    str text; /* "\n" line ends */
    size_t n_replace;
    uint64_t trace;
    bool is_entry; /* of a popup, one among many: being passed over says nothing of it */
    uint64_t language;
    enum place_class place;
};

struct shown_event {
    bool has_happened;
    enum fate fate;
    uint64_t trace;
    size_t n_bytes;  /* put in, where it was taken */
    bool is_telling; /* to be learned from */
    uint64_t language;
    enum place_class place;
};

struct shown {
    struct {
        uint64_t id, document; /* 0: nothing stands there */
        size_t at;             /* where the rest of it begins */
        struct buf rest;       /* with the document's line ends; owned */
        size_t n_gone;         /* bytes of the text before the rest */
        size_t n_replace;
        bool is_entry, is_judged, is_reported;
        uint64_t trace, language;
        enum place_class place;
    } now;
    struct { /* answers that may still be reported on */
        uint64_t trace, suggestion;
        size_t from, n_bytes; /* what of the suggestion's text it was */
        size_t n_taken;       /* of the suggestion's text, from its beginning */
        uint64_t language;
        enum place_class place;
    } answers[SHOWN_ANSWERS];
    size_t n_answers;
    uint64_t last_id;
    bool reports; /* the editor says what it shows: what it doesn't name wasn't seen */
};

void shown_init(struct shown *s);
void shown_release(struct shown *s);
/* An answer goes to the editor. The event is of what stood there before. */
struct shown_event shown_on_answer(struct shown *s, const struct shown_answer *a);
/* An answer without text goes to the editor: nothing stands there now. */
void shown_on_silence(struct shown *s, uint64_t document);
/* After the edit. */
struct shown_event shown_on_edit(struct shown *s, const struct open_document *doc,
                                 const struct edit *edit);
/* The document closes or loses the focus. */
struct shown_event shown_leave(struct shown *s, uint64_t document);
/* The editor says that the first `n_bytes` of an answer have been taken (SIZE_MAX: all of it). */
struct shown_event shown_on_report(struct shown *s, uint64_t trace, size_t n_bytes);
/* The editor says that it shows an answer. */
void shown_on_seen(struct shown *s, uint64_t trace);

#endif
