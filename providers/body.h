/* body.h - request bodies with members of the user's own: these win over ours unless ours is
 * fixed. */
#ifndef CRUCIBLE_PROVIDERS_BODY_H
#define CRUCIBLE_PROVIDERS_BODY_H

#include "core/base/json.h"
#include "core/base/json_write.h"
#include "core/upstream/provider.h"

struct body {
    struct json_writer w;
    struct json extra; /* the user's object, or JSON_NONE */
    struct arena arena;
};
/* Begins the object in out->body. ERR_INVALID where `extra` isn't a JSON object. */
NODISCARD enum err body_begin(struct body *b, struct http_request *out, str extra,
                              struct error *why);
/* Whether we write `key`: the user has no member of this name. */
bool body_wants(const struct body *b, str key);
void body_int(struct body *b, str key, int64_t n);
void body_double(struct body *b, str key, double d);
void body_bool(struct body *b, str key, bool is_set);
/* A member of which name and value are JSON already, the name without its quotation marks. */
void body_raw(struct body *b, str key, str value);
/* Asks for counts at the end of a stream, as the OpenAI dialect has it. */
void body_usage(struct body *b);
/* The list of stop strings, at most `max` of them; nothing where there are none. */
void body_stops(struct body *b, const struct generate *g, size_t max);
/* How many texts are to be drawn, where that is more than one. */
void body_texts(struct body *b, const struct generate *g);
/* `input`: the texts of an order for vectors. */
void body_input(struct body *b, const struct embed_order *o);
/* `messages` of a chat. */
void body_messages(struct body *b, const struct generate *g);
/* Appends the user's members but for those of a name in `fixed` (NULL-terminated), ends the object
 * and releases what the body holds. ERR_TOO_LARGE where it didn't fit. Always call it. */
NODISCARD enum err body_end(struct body *b, struct http_request *out, const char *const *fixed,
                            struct error *why);

#endif
