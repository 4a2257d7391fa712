/* gesture.h - what the person's newest edit of a document was: typed, taken back, pasted, ...
 *
 * Pure: edits in, a word out. An editor sends all of these as plain changes of text; what tells
 * them apart is what the document looked like before. Each open document keeps its last edits, the
 * removed text with them. Editing several documents by turns is told apart, up to
 * GESTURE_DOCUMENTS of them. */
#ifndef CRUCIBLE_REQUEST_GESTURE_H
#define CRUCIBLE_REQUEST_GESTURE_H

#include "core/document/documents.h"

enum gesture {
    GESTURE_NONE,     /* nothing is known of the document */
    GESTURE_TYPED,    /* a key: a letter, a line end with its indentation, a pair of brackets */
    GESTURE_ERASED,   /* text went, and the document hadn't looked so before */
    GESTURE_RETYPED,  /* typed: what stood there until it was deleted, from its beginning */
    GESTURE_INSERTED, /* more than a key and less than a paste: an editor's own completion, say */
    GESTURE_PASTED,   /* several lines at once, or a long piece of one */
    GESTURE_UNDONE /* more than a letter, and the document looks as it did before: undo or redo */
};

#define GESTURE_DOCUMENTS 8u
#define GESTURE_EDITS     32u

struct past_edit {
    size_t start, n_inserted, n_removed;
    struct buf removed; /* empty where it was longer than EDIT_KEPT_BYTES; owned */
    bool is_taken;      /* it put in a suggestion */
};
struct gestures {
    struct gesture_lane { /* of one document */
        uint64_t document;
        uint64_t used; /* a count: the least recently edited document gives its lane up */
        enum gesture newest;
        size_t start, end; /* of the text that the newest edit left */
        struct past_edit edits[GESTURE_EDITS];
        size_t n; /* edits so far */
    } lanes[GESTURE_DOCUMENTS];
    uint64_t n_used;
};

void gestures_release(struct gestures *g);
/* Notes an edit that was made, and gives what it was. */
enum gesture gestures_on_edit(struct gestures *g, const struct open_document *doc,
                              const struct edit *edit);
void gestures_forget(struct gestures *g, uint64_t document);
/* The newest edit put in a suggestion, whatever it looked like. */
void gestures_accepted(struct gestures *g, uint64_t document);
/* What the newest edit of the document was, where it left the cursor's place: GESTURE_NONE where
 * the cursor has gone elsewhere since. */
enum gesture gestures_at(const struct gestures *g, uint64_t document, size_t cursor);
/* Whether `typed`, put in at once, is what one key does. */
bool gesture_is_key(str typed);

#endif
