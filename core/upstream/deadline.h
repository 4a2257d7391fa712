/* deadline.h - how long one model of one endpoint is waited for, learned from how long it took.
 *
 * Three spans: until the first text, between two pieces of text, and for the whole; each the 95th
 * percentile plus half of it, by kind of call and size of prompt, kept within what is published
 * for servers of that pace: fast ones 2 to 15 s for typing and 10 to 90 s for chat, CPU engines 15
 * to 60 s and 60 to 300 s. Until there are samples the model's size is what they are guessed from.
 * A model that has to be loaded first is given the time for that on top, which is learned apart.
 * Calls that were cancelled count as "at least that long" (sketch.h), so cancelling never makes a
 * deadline shorter. Pure: durations in, durations out, all in microseconds. */
#ifndef CRUCIBLE_UPSTREAM_DEADLINE_H
#define CRUCIBLE_UPSTREAM_DEADLINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum deadline_kind { DEADLINE_INLINE, DEADLINE_CHAT, DEADLINE_LOAD, N_DEADLINE_KINDS };
/* "inline", "chat", "load". */
const char *deadline_kind_name(enum deadline_kind kind);

struct deadline; /* what is known of one model at one endpoint */

struct deadline_call { /* what is asked */
    enum deadline_kind kind;
    size_t n_prompt_bytes;
    unsigned max_tokens; /* 0: unknown */
    bool is_cold;        /* the model may have to be loaded for it */
};
struct deadline_spans {
    uint64_t first_us; /* from the start to the first text */
    uint64_t gap_us;   /* from one piece of text to the next */
    uint64_t total_us; /* from the start to the end */
};
struct deadline_sample { /* how it went; of calls that failed there is none */
    bool has_first;      /* text came */
    bool is_whole;       /* it came to its own end: false where it was cancelled or timed out */
    bool is_late;        /* a deadline ended it */
    uint64_t first_us;   /* until the first text; of those without, until they ended */
    uint64_t gap_us;     /* the longest between two pieces, the one that was cut off included */
    uint64_t total_us;
    unsigned n_pieces; /* of text */
    /* what the server says itself; -1: nothing */
    int64_t n_prompt_tokens, n_cached_tokens, n_tokens;
    double prompt_ms, generate_ms;
};

struct deadline *deadline_create(void);
void deadline_destroy(struct deadline *d);
/* What the model's list says of its size; 0: unknown. May be told again at any time. */
void deadline_describe(struct deadline *d, uint64_t n_params, uint64_t n_bytes);
/* gap_us of a load is its total. */
struct deadline_spans deadline_spans(const struct deadline *d, const struct deadline_call *call);
void deadline_hear(struct deadline *d, const struct deadline_call *call,
                   const struct deadline_sample *sample);

/* What an answer usually takes to begin: the median; 0 where too few came. */
uint64_t deadline_usual_us(const struct deadline *d, const struct deadline_call *call);
/* What 95 of 100 answers take to begin at most; 0 where too few came. */
uint64_t deadline_late_us(const struct deadline *d, const struct deadline_call *call);
/* Tokens in a second: of the prompt while it is read, of text while it is made. Where nothing was
 * measured, what is to be feared of the model's size; 0 where that is unknown, too. */
double deadline_prompt_speed(const struct deadline *d);
double deadline_text_speed(const struct deadline *d);
/* How large a prompt this machine reads within so long, 1 KiB to WINDOW_MAX_BYTES; the latter
 * where nothing is known. A slow machine is to get short prompts, not long waits. */
size_t deadline_prompt_bytes(const struct deadline *d, uint64_t within_us);

#endif
