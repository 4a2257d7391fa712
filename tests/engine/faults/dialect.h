/* dialect.h - what a model server says to each path when nothing is wrong with it. */
#ifndef CRUCIBLE_TESTS_FAULTS_DIALECT_H
#define CRUCIBLE_TESTS_FAULTS_DIALECT_H

#include "plan.h"

enum kind { KIND_LLAMACPP, KIND_OLLAMA, KIND_OPENAI };

#define STAMP        "t0000000000000000;" /* a word whose digits are put in when it is sent */
#define STAMP_DIGITS 16

struct response {
    struct bytes all; /* header and body as they go out */
    size_t body;      /* where the body begins */
    size_t *marks;    /* ends of the events of a stream, in `all` */
    size_t n_marks;
    bool is_last; /* the connection ends with it */
};
void response_free(struct response *r);

bool dialect_is_generation(const char *path, const char *body);
/* The response as the plan wants it, faults of the way not counted. */
void dialect_answer(enum kind kind, const char *path, const char *body, const struct plan *p,
                    int status, struct response *out);

#endif
