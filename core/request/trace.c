/* trace.c - the ring of decisions; see trace.h. */
#include "core/request/trace.h"

#include <stdio.h>
#include <string.h>

static void copy_cut(char *out, size_t size, str s)
{
    size_t n = s.len < size - 1 ? s.len : size - 1;
    memcpy(out, s.ptr ? s.ptr : "", n);
    out[n] = '\0';
}

static struct trace_entry *entry_of(struct trace *t, uint64_t serial)
{
    struct trace_entry *e = &t->entries[serial % TRACE_ENTRIES];
    return serial != 0 && e->serial == serial ? e : NULL;
}

uint64_t trace_begin(struct trace *t, const char *kind, str path, uint64_t now_us, uint64_t wall_us)
{
    uint64_t serial = ++t->n;
    struct trace_entry *e = &t->entries[serial % TRACE_ENTRIES];
    *e = (struct trace_entry){.serial = serial, .asked_us = now_us, .wall_us = wall_us};
    copy_cut(e->kind, sizeof(e->kind), str_from(kind));
    copy_cut(e->file, sizeof(e->file), str_after_last(path, '/'));
    return serial;
}

void trace_why(struct trace *t, uint64_t serial, const char *fmt, ...)
{
    struct trace_entry *e = entry_of(t, serial);
    if (e == NULL) {
        return;
    }
    size_t used = strlen(e->why);
    if (used > 0 && used + 3 < sizeof(e->why)) {
        e->why[used++] = ';';
        e->why[used++] = ' ';
        e->why[used] = '\0';
    }
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(e->why + used, sizeof(e->why) - used, fmt, args);
    va_end(args);
}

void trace_end(struct trace *t, uint64_t serial, const char *outcome, uint64_t now_us)
{
    struct trace_entry *e = entry_of(t, serial);
    if (e != NULL) {
        copy_cut(e->outcome, sizeof(e->outcome), str_from(outcome));
        e->answered_us = now_us;
    }
}

const struct trace_entry *trace_find(const struct trace *t, uint64_t serial)
{
    const struct trace_entry *e = &t->entries[serial % TRACE_ENTRIES];
    return serial != 0 && e->serial == serial ? e : NULL;
}

static void write_entry(const struct trace_entry *e, struct json_writer *w)
{
    json_begin_object(w);
    json_key_int(w, STR("serial"), (int64_t)e->serial);
    json_key_int(w, STR("wallMs"), (int64_t)(e->wall_us / 1000));
    json_key_str(w, STR("kind"), str_from(e->kind));
    json_key_str(w, STR("file"), str_from(e->file));
    json_key_str(w, STR("outcome"), str_from(e->outcome[0] ? e->outcome : "open"));
    json_key_str(w, STR("why"), str_from(e->why));
    if (e->answered_us != 0) {
        json_key_double(w, STR("ms"), (double)(e->answered_us - e->asked_us) / 1000.0);
    }
    json_end_object(w);
}

void trace_write(const struct trace *t, struct json_writer *w, size_t max)
{
    json_begin_array(w);
    for (uint64_t back = 0; back < max && back < TRACE_ENTRIES && back < t->n; back++) {
        const struct trace_entry *e = trace_find(t, t->n - back);
        if (e != NULL) {
            write_entry(e, w);
        }
    }
    json_end_array(w);
}
