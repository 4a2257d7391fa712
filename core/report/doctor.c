/* doctor.c - the findings themselves: kept, counted, written.
 *
 * Rules    Text comes from servers, file names and settings: all of it is cleaned here, once, so
 *          that no check can forget to. */
#include "core/report/doctor_internal.h"

#include "core/base/limits.h"
#include "core/base/visible.h"

#define FINDING_MAX_BYTES (2u * KIB)

struct doctor {
    struct doctor_options options;
    struct arena arena;
    struct finding *findings; /* owned */
    size_t n, n_room;
};

const char *finding_status_name(enum finding_status status)
{
    switch (status) {
    case FINDING_OK:
        return "ok";
    case FINDING_WARN:
        return "warn";
    case FINDING_FAIL:
        return "FAIL";
    }
    return "FAIL";
}

struct doctor *doctor_create(const struct doctor_options *options)
{
    struct doctor *d = xcalloc(1, sizeof *d);
    d->options = *options;
    return d;
}

void doctor_destroy(struct doctor *d)
{
    if (d == NULL) {
        return;
    }
    xfree(d->findings);
    arena_release(&d->arena);
    xfree(d);
}

const struct doctor_options *doctor_options(const struct doctor *d)
{
    return &d->options;
}

size_t doctor_findings(const struct doctor *d, const struct finding **out)
{
    *out = d->findings;
    return d->n;
}

size_t doctor_count(const struct doctor *d, enum finding_status status)
{
    size_t n = 0;
    for (size_t i = 0; i < d->n; i++) {
        n += d->findings[i].status == status;
    }
    return n;
}

/* One line of clean text in the arena. */
static str keep(struct doctor *d, str text)
{
    struct buf clean;
    buf_init(&clean, FINDING_MAX_BYTES * 3);
    visible_append(&clean, str_sub(text, 0, FINDING_MAX_BYTES));
    for (size_t i = 0; i < clean.len; i++) {
        bool is_line_end = clean.ptr[i] == '\n' || clean.ptr[i] == '\t';
        clean.ptr[i] = is_line_end ? ' ' : clean.ptr[i];
    }
    str kept = arena_dup(&d->arena, str_trim(buf_str(&clean)));
    buf_release(&clean);
    return kept;
}

__attribute__((format(printf, 2, 0))) static str format(struct doctor *d, const char *fmt,
                                                        va_list args)
{
    struct buf text;
    buf_init(&text, 4 * FINDING_MAX_BYTES);
    buf_vappendf(&text, fmt, args);
    str kept = keep(d, buf_str(&text));
    buf_release(&text);
    return kept;
}

void doctor_find(struct doctor *d, const char *id, enum finding_status status, str subject,
                 const char *fmt, ...)
{
    if (d->n == d->n_room) {
        d->n_room = d->n_room > 0 ? d->n_room * 2 : 16;
        d->findings = xrealloc(d->findings, d->n_room * sizeof *d->findings);
    }
    va_list args;
    va_start(args, fmt);
    d->findings[d->n++] = (struct finding){
        .id = id, .status = status, .subject = keep(d, subject), .finding = format(d, fmt, args)};
    va_end(args);
}

void doctor_next(struct doctor *d, const char *fmt, ...)
{
    ASSERT(d->n > 0);
    va_list args;
    va_start(args, fmt);
    d->findings[d->n - 1].next = format(d, fmt, args);
    va_end(args);
}

void doctor_command(struct doctor *d, const char *fmt, ...)
{
    ASSERT(d->n > 0);
    va_list args;
    va_start(args, fmt);
    d->findings[d->n - 1].command = format(d, fmt, args);
    va_end(args);
}

static bool is_plain(str word)
{
    for (size_t i = 0; i < word.len; i++) {
        char c = word.ptr[i];
        bool is_alnum = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!is_alnum && str_find_char(STR("._:/@+-~"), c, 0) == SIZE_MAX) {
            return false;
        }
    }
    return word.len > 0 && word.ptr[0] != '-';
}

void doctor_quote(str word, struct buf *out)
{
    if (is_plain(word)) {
        buf_append(out, word);
        return;
    }
    buf_append_char(out, '\'');
    for (size_t i = 0; i < word.len; i++) {
        if (word.ptr[i] == '\'') {
            buf_append(out, STR("'\\''"));
        } else {
            buf_append_char(out, word.ptr[i]);
        }
    }
    buf_append_char(out, '\'');
}

void doctor_write_json(const struct doctor *d, struct json_writer *w)
{
    json_begin_array(w);
    for (size_t i = 0; i < d->n; i++) {
        const struct finding *f = &d->findings[i];
        struct buf next;
        buf_init(&next, 2 * FINDING_MAX_BYTES * 3);
        buf_append(&next, f->next);
        buf_append(&next, f->next.len > 0 && f->command.len > 0 ? STR(": ") : STR(""));
        buf_append(&next, f->command);
        json_begin_object(w);
        json_key_str(w, STR("id"), str_from(f->id));
        json_key_str(w, STR("status"), str_from(finding_status_name(f->status)));
        json_key_str(w, STR("subject"), f->subject);
        json_key_str(w, STR("finding"), f->finding);
        json_key_str(w, STR("next"), buf_str(&next));
        json_end_object(w);
        buf_release(&next);
    }
    json_end_array(w);
}
