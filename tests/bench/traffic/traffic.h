/* traffic.h - what the files of the typing replay share.
 *
 * A trace is a person's edits with the pauses between them. A policy hears of each edit, decides
 * what to ask the model server, and puts ghost text on the screen. All of them meet the same server
 * (server.c), screen (screen.c) and clock (world.c): one run is one policy over one trace.
 * Times are microseconds, offsets bytes. */
#ifndef CRUCIBLE_BENCH_TRAFFIC_H
#define CRUCIBLE_BENCH_TRAFFIC_H

#include "core/base/clock.h"
#include "core/engine.h"

#define MAX_TOKENS  128u
#define TOKEN_BYTES 4u
#define TRUTH_BYTES ((size_t)MAX_TOKENS * TOKEN_BYTES)
#define N_SAMPLES   3u /* 100, 200 and 400 ms into a pause */

/* -- typing.c: what the person does -- */
struct step {
    uint64_t gap_us; /* the pause before it */
    size_t at, n_removed;
    str text;
    size_t cursor; /* after it */
};
struct truth { /* what the person goes on to type, and for how long that could be seen */
    char *text;
    size_t len;
};
struct typing {
    char name[64], language[16];
    bool accepts; /* the person takes suggestions that are right */
    struct buf start, bytes;
    struct step *steps;
    size_t n;
    struct truth *truths; /* of the n + 1 states, NULL text where not asked for yet */
};
/* Reads NAME.start and NAME.steps of `folder`. */
bool typing_read(struct typing *t, const char *folder, const char *name);
void typing_release(struct typing *t);
/* Where the cursor stands after `i` steps. */
size_t typing_cursor(const struct typing *t, size_t i);
/* What the person types at that cursor before going elsewhere, mistakes corrected; where all of
 * it is taken back again, what was typed. Borrowed until the trace is released. */
str typing_truth(struct typing *t, size_t i);
/* How many steps from state `i` on come to inserting exactly `text` at the cursor; 0 for none. */
size_t typing_steps_to(const struct typing *t, size_t i, str text);
/* What one step does to a text that begins at `anchor`, its cursor at `*cursor` in the document.
 * False where the person goes elsewhere instead, or deletes from before the anchor. */
bool step_inside(const struct step *s, size_t anchor, struct buf *text, size_t *cursor);

/* -- server.c: one slot, and it knows the truth -- */
struct job_spec {
    str truth;
    str lead; /* text that the answer goes on from, though it doesn't stand in the document */
    str before, after;  /* the document around the place: up to NEAR_BYTES each are kept */
    unsigned max_lines; /* line ends after which the asker hangs up; 0: it does so itself */
    bool stops_at_line; /* a stop string */
    bool is_own;        /* said by the built-in predictor: counted as no request */
    void (*on_text)(uint64_t job, str text, void *user);
    void (*on_done)(uint64_t job, bool is_cut, void *user);
    void *user;
};
struct habits {
    uint64_t first_us, token_us; /* to the first token, and from one to the next */
    unsigned wrong_percent;      /* of answers */
    uint64_t seed;               /* of which are wrong, and which are taken by the person */
};
void server_begin(const struct habits *habits);
void server_end(void);
uint64_t server_ask(const struct job_spec *spec); /* gives an id, never 0 */
void server_cancel(uint64_t job);
uint64_t server_next_us(void);
void server_step(void); /* the one event that is due */
/* The text said so far, and whether no more will come. */
str server_text(uint64_t job, bool *is_done);
/* The newest answer that leads through what was typed and has something to add, 0 for none; *typed
 * is how much of it that was. */
uint64_t server_recall(str before, str after, size_t *typed);
/* Notes what of which answer is shown: `text` at the cursor, `before` and `after` around it. False
 * where it follows from no answer that was ever given for this place. */
bool server_note_shown(str before, str text, str after);
struct server_count {
    uint64_t n_requests, n_tokens, n_unshown;
};
struct server_count server_count(void);

/* -- screen.c: the ghost text that stands -- */
void screen_begin(void);
void screen_end(void);
void screen_clear(void);
void screen_show(str text);
str screen_text(void);
/* The person did this: text that was typed as suggested stays. `cursor` was the cursor before. */
void screen_on_step(const struct step *s, size_t cursor);
/* Whether the first line shown is what is typed next. */
bool screen_is_right(str truth);

/* -- the run -- */
struct client {
    const char *name;
    uint64_t delay_us; /* after the last key, before it asks */
    bool cancels;      /* older requests */
};
struct place { /* where the person is; borrowed */
    struct typing *trace;
    size_t state; /* steps done */
    size_t cursor;
    struct open_document *doc;
    struct documents *documents;
};
struct policy {
    const char *name;
    void (*begin)(const struct policy *p, const struct place *place);
    void (*end)(void);
    void (*on_step)(const struct step *s, const struct place *place); /* after it; may be NULL */
    void (*ask)(const struct place *place);                           /* the client asks */
    uint64_t (*next_us)(void); /* its own timer; may be NULL */
    void (*on_timer)(void);
    bool is_ours;               /* the engine */
    bool is_for_all;            /* runs with clients that wait before they ask, too */
    struct engine_switches off; /* of the engine */
    uint64_t delay_us;          /* of others: after the client asked */
    bool cancels, caches, streams, remembers;
};
/* policies.c; the first is the perfect rider, which the others are measured against: it knows its
 * last answer alone. The one that remembers all of them is what can be had at most. */
extern const struct policy policies[];
extern const size_t n_policies;

struct score {
    uint64_t n_steps; /* of the trace */
    uint64_t n_requests, n_tokens, n_unshown, n_wrong, n_accepted;
    uint64_t n_pauses[N_SAMPLES], n_right[N_SAMPLES];
};
extern struct score score; /* of the run */
struct score run(struct typing *t, const struct policy *p, const struct client *client,
                 const struct habits *habits);

/* A policy's answer for `place`: shown, and checked against what the server has said. */
void answer_shown(const struct place *place, str text, size_t n_replace);

/* -- world.c -- */
void world_start(void);
/* Everything that is posted. */
void world_turn(void);
/* An engine whose exchanges are jobs of the server, for the place of the person. */
struct engine *world_engine(struct documents *documents, struct settings *settings,
                            const struct place *place, const struct engine_switches *off);
void world_engine_end(struct engine *e);
/* Runs everything that is due until then. */
void world_pass_until(uint64_t at_us, const struct policy *p, void (*on_client)(void),
                      uint64_t *client_us);
/* -- ours.c: the engine as a policy -- */
void ours_begin(const struct policy *p, const struct place *place);
void ours_end(void);
void ours_ask(const struct place *place);

#endif
