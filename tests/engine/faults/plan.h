/* plan.h - what the fault server shall do with the next requests.
 *
 * A script is lines "word=value", values percent-encoded; an empty line begins the next plan. A
 * plan is used `times` times, then the next one is; the last one stays. */
#ifndef CRUCIBLE_TESTS_FAULTS_PLAN_H
#define CRUCIBLE_TESTS_FAULTS_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum plan_how { HOW_FIN, HOW_RST, HOW_STALL }; /* what follows a cut */
enum plan_flood { FLOOD_NONE, FLOOD_LINE, FLOOD_EVENTS, FLOOD_HEADERS, FLOOD_CONTINUES };

struct bytes { /* {0} is empty; never more than 64 MiB */
    char *ptr;
    size_t len, cap;
};
void bytes_add(struct bytes *b, const void *from, size_t n);
void bytes_addf(struct bytes *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void bytes_free(struct bytes *b);

struct plan {
    bool is_for_probes; /* for=probe: everything that isn't a generation */
    uint64_t times;     /* 0: for ever */
    int status;         /* 0: as the dialect has it */
    struct bytes text;  /* what a generation says */
    struct bytes body, type, headers;
    struct bytes raw;  /* the whole response instead */
    struct bytes tail; /* behind the response */
    bool has_text, has_body;
    bool is_echo;     /* the text is the last word "nonce..." of the request */
    unsigned stamps;  /* the text is so many words, each the time (us) at which it was sent */
    bool is_http10;   /* no length, no chunks: the end of the connection is the end */
    bool is_close;    /* close after the response without having said so */
    bool has_no_end;  /* the dialect's last event is left out */
    size_t chunk;     /* a `body` goes out in chunks of so many bytes; 0: with its length */
    int64_t cut;      /* after so many bytes of the response; < 0: none */
    bool is_cut_body; /* ... of its body */
    bool is_sweep; /* each use cuts, or splits, one byte later; at the end of the response it begins
                      anew */
    enum plan_how how;
    size_t slice; /* bytes in one write; 0: all */
    size_t split; /* > 0: so many bytes in the first write, gap_us later the rest */
    uint64_t gap_us, delay_us, token_us;
    unsigned garble; /* so many of 1000 bytes are changed at random */
    enum plan_flood flood;
    uint64_t flood_bytes;
    unsigned mix_rst, mix_stall, mix_busy; /* of 1000 generations */
    struct plan *next;
};

/* Gives a list, or NULL with *bad the word that makes no sense. */
struct plan *plan_read(const char *script, size_t len, char bad[64]);
void plan_free(struct plan *list);

/* Numbers that the seed decides. */
void dice_seed(uint64_t seed);
uint64_t dice(uint64_t below);

#endif
