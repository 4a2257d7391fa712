/* json_write.h - writing JSON into a buffer. Commas and quotes are put by the writer; nesting is
 * the caller's, checked by ASSERT. Invalid UTF-8 in strings becomes U+FFFD. */
#ifndef CRUCIBLE_BASE_JSON_WRITE_H
#define CRUCIBLE_BASE_JSON_WRITE_H

#include "core/base/str.h"

struct json_writer {
    struct buf *out;  /* borrowed */
    bool needs_comma; /* the next value or key follows another */
    unsigned depth;   /* open objects and arrays */
};

struct json_writer json_writer(struct buf *out);
void json_begin_object(struct json_writer *w);
void json_end_object(struct json_writer *w);
void json_begin_array(struct json_writer *w);
void json_end_array(struct json_writer *w);
void json_key(struct json_writer *w, str key);
void json_put_str(struct json_writer *w, str s);
void json_put_int(struct json_writer *w, int64_t n);
void json_put_double(struct json_writer *w, double d); /* NaN and infinities as null */
void json_put_bool(struct json_writer *w, bool b);
void json_put_null(struct json_writer *w);
void json_put_raw(struct json_writer *w, str json); /* trusted JSON text */
/* Key and value in one. */
void json_key_str(struct json_writer *w, str key, str s);
void json_key_int(struct json_writer *w, str key, int64_t n);
void json_key_count(struct json_writer *w, str key, uint64_t n); /* at most INT64_MAX */
void json_key_double(struct json_writer *w, str key, double d);
void json_key_bool(struct json_writer *w, str key, bool b);
/* The JSON string for `s`, quotes included, appended to `out`. */
void json_escape(struct buf *out, str s);

#endif
