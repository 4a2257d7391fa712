/* client.h - what the parts of the measuring client share: one server, one conversation.
 *
 * A message is put together by put*(), sent by flush_out(), and the newest one that came stays
 * readable through find() until drop_message(). Whatever goes wrong ends the program. */
#ifndef CRUCIBLE_BENCH_CLIENT_H
#define CRUCIBLE_BENCH_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define URI "file:///bench/bench.txt"

/* What the client says of itself in initialize. */
struct setup {
    const char *folder; /* the workspace's; NULL: none */
    bool is_full;       /* takes code actions, progress and answers, as our own plugins do */
    bool is_floor;      /* the server answers everything with nothing */
};
extern struct setup setup;
extern char **server;       /* its command */
extern int last_id;         /* of the request that was put last */
extern uint64_t arrived_ns; /* when the first byte of the newest message was read */

void die(const char *what) __attribute__((noreturn));
uint64_t now_ns(void);
void sleep_ms(unsigned ms);
/* The time that the engine stamps, mapped from its file. */
const volatile uint64_t *map_stamp(const char *path);

/* -- messages out -- */

/* Appends a message to what is sent next. */
void put(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void flush_out(void);
void put_echo(void);
void put_open(const char *language, const char *text);
void put_change(unsigned line, unsigned column, const char *text);
void put_inline(unsigned line, unsigned column);
/* The command that explains what stands at a place. */
void put_explain(unsigned line, unsigned column);

/* -- messages in -- */

/* Reads the next message that is no request of the server's; those are answered with null. */
void next_message(void);
/* Reads up to the reply to `id`. */
void await(int id);
void drop_message(void);
/* Where `text` stands in the message; NULL where it doesn't. */
const char *find(const char *text);
/* Whether the message is a notification of this method. */
bool is_notification(const char *method);
/* Copies the reply's first insertText; false where there is none. */
bool suggestion(char *text, size_t cap);

/* -- the server's life -- */

void spawn_server(void);
void initialize(void);
void initialized(void);
void start_session(void);
/* A round trip of a request that nobody knows. */
void echo(void);
/* Ends in the protocol's way; dies where the server doesn't. */
void end_server(void);
/* Waits for a server that ends by itself. */
void await_exit(void);

/* -- figures, as "name value" lines -- */

/* NAME_n, NAME_us (the median), NAME_p99_us and NAME_most_us; sorts `us`. */
void print_quantiles(const char *name, double *us, size_t n);
void print_memory(const char *name);

/* -- client_ask.c -- */

void measure_action(void);
void measure_hover(void);
void measure_first(const char *stamp_path);
/* Has the open document's first line explained, and returns when the answer has begun to stream. */
void explain_meanwhile(void);
/* Has the workspace learned anew where that is over. */
void learn_meanwhile(void);

#endif
