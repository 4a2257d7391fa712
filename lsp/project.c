/* project.c - the `.crucible.json` files of several workspace folders as one.
 *
 * Why      Those files only narrow, so what each of several folders asks for can be had by doing
 *          all of it: a folder is at worst treated more carefully than it asked for.
 * Rules    Nesting is bounded by the reader (JSON_MAX_DEPTH). */
#include "lsp/project.h"

static void join_objects(struct json a, struct json b, struct json_writer *w)
{
    json_begin_object(w);
    struct json_iter it = json_iter(a);
    str key;
    struct json value;
    while (json_next(&it, &key, &value)) {
        json_key(w, key);
        project_join(value, json_get(b, key), w);
    }
    it = json_iter(b);
    while (json_next(&it, &key, &value)) {
        if (json_is(json_get(a, key), JSON_NONE)) {
            json_key(w, key);
            json_put_raw(w, json_raw(value));
        }
    }
    json_end_object(w);
}

static void put_items(struct json array, struct json_writer *w)
{
    struct json_iter it = json_iter(array);
    struct json item;
    while (json_next(&it, NULL, &item)) {
        json_put_raw(w, json_raw(item));
    }
}

void project_join(struct json a, struct json b, struct json_writer *w)
{
    bool takes_b = json_is(a, JSON_NONE);
    if (json_type(a) == json_type(b)) {
        switch (json_type(a)) {
        case JSON_OBJECT:
            join_objects(a, b, w);
            return;
        case JSON_ARRAY:
            json_begin_array(w);
            put_items(a, w);
            put_items(b, w);
            json_end_array(w);
            return;
        case JSON_NUMBER:
            takes_b = json_double(b, 0) < json_double(a, 0);
            break;
        case JSON_BOOL:
            takes_b = !json_bool(b, true);
            break;
        case JSON_NONE:
        case JSON_NULL:
        case JSON_STRING:
            break;
        }
    }
    json_put_raw(w, json_raw(takes_b ? b : a));
}
