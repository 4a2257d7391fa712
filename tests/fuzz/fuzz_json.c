/* fuzz_json.c - any bytes as JSON: parsed, walked, written, and parsed again.
 *
 * What json_parse accepts must hold as many values as json_validate counted, survive every
 * accessor, and come out of the writer as a text that reads the same. */
#include "core/base/json.h"
#include "core/base/json_write.h"
#include "core/base/limits.h"
#include "core/base/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct open_value {
    struct json_iter it;
    bool is_object;
};

static void write_leaf(struct json_writer *w, struct json v)
{
    enum json_type type = json_type(v);
    double d = json_double(v, 0);
    if (type == JSON_STRING) {
        str s = json_str(v);
        ASSERT(utf8_is_valid(s));
        ASSERT(json_str_eq(v, s));
        json_put_str(w, s);
    } else if (type == JSON_NUMBER && json_is_int(v)) {
        json_put_int(w, json_int(v, 0));
    } else if (type == JSON_NUMBER) {
        json_put_double(w, d);
    } else {
        json_put_raw(w, json_raw(v));
    }
}

static void begin(struct json_writer *w, struct json v, struct open_value *open)
{
    open->it = json_iter(v);
    open->is_object = json_is(v, JSON_OBJECT);
    if (open->is_object) {
        json_begin_object(w);
    } else {
        json_begin_array(w);
    }
}

static void end(struct json_writer *w, bool is_object)
{
    if (is_object) {
        json_end_object(w);
    } else {
        json_end_array(w);
    }
}

static bool is_container(struct json v)
{
    return json_is(v, JSON_OBJECT) || json_is(v, JSON_ARRAY);
}

/* Writes the value anew; returns the number of values and keys in it. */
static size_t copy_value(struct json_writer *w, struct json v)
{
    struct open_value open[JSON_MAX_DEPTH];
    size_t depth = 0, n = 1;
    if (!is_container(v)) {
        write_leaf(w, v);
        return n;
    }
    begin(w, v, &open[depth++]);
    while (depth > 0) {
        struct open_value *top = &open[depth - 1];
        str key;
        if (!json_next(&top->it, &key, &v)) {
            end(w, top->is_object);
            depth--;
            continue;
        }
        n += top->is_object ? 2 : 1;
        if (top->is_object) {
            json_key(w, key); /* raw: only its length grows */
        }
        if (is_container(v)) {
            ASSERT(depth < JSON_MAX_DEPTH);
            begin(w, v, &open[depth++]);
        } else {
            write_leaf(w, v);
        }
    }
    return n;
}

static void check_parsed(struct json v, size_t n_values, struct arena *arena)
{
    struct buf out;
    struct json again;
    size_t n_again;
    buf_init(&out, 64 * MIB);
    struct json_writer w = json_writer(&out);
    ASSERT(copy_value(&w, v) == n_values);
    ASSERT(json_validate(buf_str(&out), &n_again, NULL) == ERR_OK && n_again == n_values);
    ASSERT(json_parse(buf_str(&out), arena, &again, NULL) == ERR_OK);
    ASSERT(json_type(again) == json_type(v) && json_count(again) == json_count(v));
    buf_release(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str text = str_of((const char *)data, size);
    struct arena arena = {0};
    struct error why = {0};
    struct json v, settings;
    size_t n_values = 0;
    enum err err = json_validate(text, &n_values, &why);
    ASSERT(json_parse(text, &arena, &v, NULL) == err);
    if (err == ERR_OK) {
        ASSERT(utf8_is_valid(text));
        check_parsed(v, n_values, &arena);
        ASSERT(json_parse_jsonc(text, &arena, &settings, NULL) == ERR_OK);
        ASSERT(json_count(settings) == json_count(v));
    } else {
        ASSERT(why.code == err && why.msg[0]);
        if (json_parse_jsonc(text, &arena, &settings, NULL) == ERR_OK) {
            ASSERT(!json_is(settings, JSON_NONE));
        }
    }
    arena_release(&arena);
    return 0;
}
