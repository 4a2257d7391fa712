/* json_write.c - writing JSON into a buffer.
 *
 * How    The writer knows one thing: whether the next value follows another and so needs a comma.
 *        A string is copied in runs between the bytes that must be escaped. */
#include "core/base/json_write.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/memory.h"
#include "core/base/swar.h"
#include "core/base/utf8.h"

struct json_writer json_writer(struct buf *out)
{
    return (struct json_writer){.out = out};
}

static void separate(struct json_writer *w)
{
    if (w->needs_comma) {
        buf_append_char(w->out, ',');
    }
    w->needs_comma = true;
}

static void begin(struct json_writer *w, char bracket)
{
    separate(w);
    buf_append_char(w->out, bracket);
    w->needs_comma = false;
    w->depth++;
}

static void end(struct json_writer *w, char bracket)
{
    ASSERT(w->depth > 0);
    w->depth--;
    buf_append_char(w->out, bracket);
    w->needs_comma = true;
}

void json_begin_object(struct json_writer *w)
{
    begin(w, '{');
}

void json_end_object(struct json_writer *w)
{
    end(w, '}');
}

void json_begin_array(struct json_writer *w)
{
    begin(w, '[');
}

void json_end_array(struct json_writer *w)
{
    end(w, ']');
}

void json_key(struct json_writer *w, str key)
{
    ASSERT(w->depth > 0);
    separate(w);
    json_escape(w->out, key);
    buf_append_char(w->out, ':');
    w->needs_comma = false;
}

void json_put_str(struct json_writer *w, str s)
{
    separate(w);
    json_escape(w->out, s);
}

void json_put_int(struct json_writer *w, int64_t n)
{
    separate(w);
    buf_appendf(w->out, "%" PRId64, n);
}

void json_put_double(struct json_writer *w, double d)
{
    char text[40] = "null";
    separate(w);
    for (int digits = 15; isfinite(d) && digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, d);
        double back = strtod(text, NULL);
        if (!(back < d) && !(back > d)) { /* the shortest that reads back the same */
            break;
        }
    }
    buf_append(w->out, str_from(text));
}

void json_put_bool(struct json_writer *w, bool b)
{
    json_put_raw(w, b ? STR("true") : STR("false"));
}

void json_put_null(struct json_writer *w)
{
    json_put_raw(w, STR("null"));
}

void json_put_raw(struct json_writer *w, str json)
{
    separate(w);
    buf_append(w->out, json);
}

void json_key_str(struct json_writer *w, str key, str s)
{
    json_key(w, key);
    json_put_str(w, s);
}

void json_key_int(struct json_writer *w, str key, int64_t n)
{
    json_key(w, key);
    json_put_int(w, n);
}

void json_key_count(struct json_writer *w, str key, uint64_t n)
{
    json_key_int(w, key, n > INT64_MAX ? INT64_MAX : (int64_t)n);
}

void json_key_double(struct json_writer *w, str key, double d)
{
    json_key(w, key);
    json_put_double(w, d);
}

void json_key_bool(struct json_writer *w, str key, bool b)
{
    json_key(w, key);
    json_put_bool(w, b);
}

/* Length of the run at the front of `s` that goes out as it is. */
static size_t plain_run(str s)
{
    size_t i = 0;
    while (s.len - i >= 8) {
        uint64_t special = swar_json_special(swar_load(s.ptr + i));
        if (special) {
            return i + swar_first(special);
        }
        i += 8;
    }
    while (i < s.len) {
        unsigned char c = (unsigned char)s.ptr[i];
        if (c < 0x20 || c == '"' || c == '\\' || c >= 0x80) {
            break;
        }
        i++;
    }
    return i;
}

static void escape_byte(struct buf *out, char c)
{
    static const char shorts[] = "\"\"\\\\\nn\rr\tt\bb\ff"; /* what it is, how it is written */
    for (size_t i = 0; i < sizeof shorts - 1; i += 2) {
        if (c == shorts[i]) {
            buf_append(out, str_of((char[]){'\\', shorts[i + 1]}, 2));
            return;
        }
    }
    buf_appendf(out, "\\u%04x", (unsigned)(unsigned char)c);
}

/* The bytes from 0x80 up at the front of `s`, repaired; returns how many there were. */
static size_t append_high_run(struct buf *out, str s)
{
    size_t n = 0;
    while (n < s.len && (unsigned char)s.ptr[n] >= 0x80) {
        n++;
    }
    utf8_append_repaired(out, str_sub(s, 0, n));
    return n;
}

void json_escape(struct buf *out, str s)
{
    buf_append_char(out, '"');
    while (s.len > 0) {
        size_t n = plain_run(s);
        buf_append(out, str_sub(s, 0, n));
        s = str_sub(s, n, s.len);
        if (s.len == 0) {
            break;
        }
        if ((unsigned char)s.ptr[0] >= 0x80) {
            n = append_high_run(out, s);
        } else {
            escape_byte(out, s.ptr[0]);
            n = 1;
        }
        s = str_sub(s, n, s.len);
    }
    buf_append_char(out, '"');
}
