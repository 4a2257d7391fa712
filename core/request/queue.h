/* queue.h - which question goes to which engine next, and which has to wait for that.
 *
 * Pure: items and a clock in, orders to start and to stop out. Who starts exchanges, and copies
 * what waits, is the caller's business. An item is in the queue from queue_add until queue_done,
 * waiting first and running after queue_next has said so.
 *
 *     add ──▶ WAITING ──next: START──▶ RUNNING ──done──▶ gone
 *               │  └──late──▶ gone        └──next: STOP──▶ STOPPING ──done──▶ gone
 *               └──done──▶ gone
 *
 * Each endpoint has a lane with a number of places, as many as the server serves at once:
 *   - what a person asked for and background work together take all of them but one, so that one is
 *     always there for typing; in a lane with a single place typing goes out beside what a person
 *     asked for (the server sees to both), unless that could make the server change models;
 *   - background work takes places that nobody else waits for, and is told to stop when a place
 *     it has is needed.
 * Of those that may start: who is overdue, oldest first; then typing, the newest first, before what
 * a person asked for, the oldest first, before background work. Within one class those whose model
 * is the one at work go first, and of those who wait in order of age the ones whose prompt begins
 * as what a slot holds. Overdue is who was overtaken QUEUE_MAX_PASSES times, or waits for longer
 * than QUEUE_PATIENCE_US having been asked for; background work never is. */
#ifndef CRUCIBLE_REQUEST_QUEUE_H
#define CRUCIBLE_REQUEST_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define QUEUE_MAX_PASSES    8u
#define QUEUE_PATIENCE_US   10000000u
#define QUEUE_MAX_WAITING   128u /* in a lane; more are too late */
#define QUEUE_MAX_SLOTS     64u  /* that are told apart */
#define QUEUE_LEARNED_MAX   4u   /* places, where the server doesn't say how many it has */
#define QUEUE_STARVED_AFTER 16u  /* pieces of text of others, until it is clear that one waits */

enum queue_class { QUEUE_TYPING, QUEUE_ASKED, QUEUE_BACKGROUND, N_QUEUE_CLASSES };

struct queue_lane {
    unsigned n_places; /* at least 1 */
    bool is_learned;   /* n_places is where to begin: the rest is learned from how text comes */
    bool has_slots;    /* items may be pinned to one of the places */
    bool may_swap;     /* asking for another model may make the server unload the one at work */
};

struct queue_item {
    uint64_t id; /* never 0, unique */
    uint64_t endpoint;
    uint64_t model;
    enum queue_class class;
    uint64_t document;    /* whose prompts a slot is kept warm for; 0: none */
    uint64_t head;        /* hash of the beginning of the prompt; 0: unknown */
    uint64_t deadline_us; /* absolute, for its first text; UINT64_MAX: none */
    uint64_t first_us;    /* how long that is expected to take from the start on */
    uint64_t takes_us;    /* how long it is expected to have its place; 0: unknown */
    unsigned n_places;    /* it takes while it runs, however many are free; 0: one */
};

struct queue;
struct queue *queue_create(void);
void queue_destroy(struct queue *q); /* whatever is in it is forgotten */

/* What an endpoint is like now. Where its places are learned, what was learned stays. */
void queue_describe(struct queue *q, uint64_t endpoint, const struct queue_lane *lane);
/* How many places it has by now; 0: never described. */
unsigned queue_places(const struct queue *q, uint64_t endpoint);

/* Whether the item's first text would come in time: at once where a place is there for it, else
 * when the first of those that run is expected to be through. Changes nothing. */
bool queue_would_take(const struct queue *q, const struct queue_item *item, uint64_t now_us);
/* Takes it, unless queue_would_take wouldn't: false then, counted as dropped. */
bool queue_add(struct queue *q, const struct queue_item *item, uint64_t now_us);
/* One that wasn't even added, since it wouldn't have been taken. */
void queue_count_dropped(struct queue *q);

enum queue_what { QUEUE_START, QUEUE_STOP };
struct queue_order {
    enum queue_what what;
    uint64_t id;
    int slot;           /* START: where it is pinned to; -1: any */
    uint64_t waited_us; /* START */
    bool is_beside;     /* START: the only place is taken, the server has it wait */
};
/* The next thing to do, to be called until it gives false. What was to STOP is in its place until
 * queue_done. */
bool queue_next(struct queue *q, uint64_t now_us, struct queue_order *out);
/* One that waits and whose text can't come in time any more: it is gone. False: there is none. */
bool queue_late(struct queue *q, uint64_t now_us, uint64_t *id);
/* When queue_late has something to give; UINT64_MAX: never. */
uint64_t queue_next_us(const struct queue *q);

/* Text has come for one that runs. */
void queue_text(struct queue *q, uint64_t id);
/* It is over, or isn't wanted any more. Unknown ids are ignored. */
void queue_done(struct queue *q, uint64_t id, uint64_t now_us);
/* Somebody else wants it, too: from now on it is of this class where that is the more urgent one,
 * and has until `deadline_us` where that is later. Unknown ids are ignored. */
void queue_raise(struct queue *q, uint64_t id, enum queue_class class, uint64_t deadline_us);

struct queue_stats {
    size_t n_waiting, n_running;
    uint64_t n_added, n_started;
    uint64_t n_dropped;       /* on arrival, or later: their text couldn't have come in time */
    uint64_t n_stopped;       /* background work that gave way */
    uint64_t n_swaps_avoided; /* one of the model at work went before one that was next */
    uint64_t n_kept_warm;     /* starts pinned to the slot that holds the document, or its head */
};
struct queue_stats queue_stats(const struct queue *q);

#endif
