/* framing.c - cuts a stream of bytes into the messages of the base protocol.
 *
 * Why      Editors, their plugins and the scripts of their users all write these headers, and one
 *          stray line on the pipe must not cost a person the session.
 * How      One state, one function per state that takes what it needs from the front of the
 *          input. Header lines are looked at as slices of the input where they lie whole in it;
 *          a line that isn't a header at all is fed, as input, to the scanner.
 * Rules    Nothing is allocated by the word of a length: a body grows as its bytes come. Memory
 *          of a large body is given back after it. What happens depends on the bytes alone, not
 *          on where the pieces were cut. */
#include "lsp/framing.h"

#include "core/base/limits.h"
#include "core/base/memory.h"

#define BODY_KEEP_BYTES (256u * KIB)
static const str length_name = {"content-length:", 15};

static void take_header(struct framing *f, str *in);
static void take_line(struct framing *f, str line);
static void end_header(struct framing *f);
static void take_body(struct framing *f, str *in);
static void end_body(struct framing *f, str body);
static void take_drain(struct framing *f, str *in);
static void take_scan(struct framing *f, str *in);
static void overflow(struct framing *f);
static void begin_header(struct framing *f);
static void begin_scan(struct framing *f, enum framing_problem problem);

void framing_init(struct framing *f, size_t max_body_bytes, const struct framing_events *events)
{
    *f = (struct framing){.events = *events, .max_body_bytes = max_body_bytes};
    buf_init(&f->line, RPC_MAX_HEADER_BYTES);
    buf_init(&f->body, max_body_bytes);
    begin_header(f);
}

void framing_release(struct framing *f)
{
    buf_release(&f->line);
    buf_release(&f->body);
}

void framing_stop(struct framing *f)
{
    f->is_stopped = true;
}

bool framing_is_between(const struct framing *f)
{
    return f->state == FRAMING_HEADER && f->n_header_bytes == 0;
}

const char *framing_problem_text(enum framing_problem problem)
{
    static const char *const texts[] = {
        [FRAMING_GARBAGE] = "bytes that are no header",
        [FRAMING_HEADER_TOO_LARGE] = "a header block that is too large",
        [FRAMING_BAD_LENGTH] = "a Content-Length that is no sensible number",
        [FRAMING_TWO_LENGTHS] = "two Content-Lengths that differ",
        [FRAMING_NO_LENGTH] = "a header block without Content-Length",
        [FRAMING_BAD_CHARSET] = "a message in another charset than UTF-8",
        [FRAMING_TOO_LARGE] = "a message that is too large",
        [FRAMING_LOST] = "header blocks without Content-Length, one after the other",
    };
    _Static_assert(sizeof texts / sizeof texts[0] == N_FRAMING_PROBLEMS, "one text each");
    return texts[problem];
}

void framing_feed(struct framing *f, str bytes)
{
    while (bytes.len > 0 && !f->is_stopped) {
        switch (f->state) {
        case FRAMING_HEADER:
            take_header(f, &bytes);
            break;
        case FRAMING_BODY:
            take_body(f, &bytes);
            break;
        case FRAMING_DRAIN:
            take_drain(f, &bytes);
            break;
        case FRAMING_SCAN:
            take_scan(f, &bytes);
            break;
        }
    }
}

/* The first n bytes of the input. */
static str cut(str *in, size_t n)
{
    str part = str_of(in->ptr, n);
    *in = str_of(in->ptr + n, in->len - n);
    return part;
}

/* -- headers -- */

static void take_header(struct framing *f, str *in)
{
    size_t n_room = RPC_MAX_HEADER_BYTES - f->n_header_bytes;
    size_t n_look = in->len < n_room ? in->len : n_room;
    const char *end = memchr(in->ptr, '\n', n_look);
    str part = cut(in, end ? (size_t)(end - in->ptr) + 1 : n_look);
    f->n_header_bytes += part.len;
    if (end && f->line.len == 0) {
        take_line(f, part);
        return;
    }
    buf_append(&f->line, part);
    if (end) {
        struct buf whole = f->line; /* take_line may begin another line */
        buf_init(&f->line, RPC_MAX_HEADER_BYTES);
        take_line(f, buf_str(&whole));
        buf_release(&whole);
    } else if (part.len == n_room) {
        overflow(f);
    }
}

static bool is_name_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
}

/* Splits "Name: value"; false where the line is nothing of that form. A line that the scanner has
 * found always is, or it would be found for ever. */
static bool split_field(str line, str *name, str *value)
{
    size_t colon = str_find_char(line, ':', 0);
    if (colon == SIZE_MAX) {
        return false;
    }
    *name = str_trim(str_sub(line, 0, colon));
    *value = str_trim(str_sub(line, colon + 1, line.len));
    for (size_t i = 0; i < name->len; i++) {
        if (!is_name_byte(name->ptr[i])) {
            return false;
        }
    }
    return name->len > 0;
}

static bool is_utf8_type(str type)
{
    size_t at = 0;
    for (; at < type.len && !str_eq_nocase(str_sub(type, at, at + 8), STR("charset=")); at++) {
    }
    if (at == type.len) {
        return true;
    }
    str charset = str_sub(type, at + 8, str_find_char(type, ';', at));
    charset = str_trim(charset);
    if (charset.len >= 2 && charset.ptr[0] == '"') {
        charset = str_sub(charset, 1, charset.len - 1);
    }
    return str_eq_nocase(charset, STR("utf-8")) || str_eq_nocase(charset, STR("utf8"));
}

static void take_length(struct framing *f, str value)
{
    uint64_t length = 0;
    if (!str_to_u64(value, RPC_MAX_DRAIN_BYTES, &length)) {
        begin_scan(f, FRAMING_BAD_LENGTH);
    } else if (f->has_length && length != f->length) {
        begin_scan(f, FRAMING_TWO_LENGTHS);
    } else {
        f->has_length = true;
        f->length = length;
    }
}

/* `line` with its line end. */
static void take_line(struct framing *f, str line)
{
    str text = str_sub(line, 0, line.len - 1);
    if (str_ends_with(text, STR("\r"))) {
        text.len--;
    }
    str name, value;
    if (text.len == 0) {
        end_header(f);
    } else if (!split_field(text, &name, &value)) {
        begin_scan(f, FRAMING_GARBAGE);
        framing_feed(f, line); /* a length may stand in the middle of it */
    } else {
        f->has_fields = true;
        if (str_eq_nocase(name, STR("content-length"))) {
            take_length(f, value);
        } else if (str_eq_nocase(name, STR("content-type"))) {
            f->is_foreign = f->is_foreign || !is_utf8_type(value);
        }
    }
}

static void report(struct framing *f, enum framing_problem problem)
{
    if (!f->is_stopped) {
        f->events.on_problem(problem, f->events.user);
    }
}

static void end_header(struct framing *f)
{
    if (!f->has_fields) {
        begin_header(f); /* blank lines between messages */
    } else if (!f->has_length) {
        f->n_headless++;
        begin_header(f);
        report(f, f->n_headless > FRAMING_MAX_HEADLESS ? FRAMING_LOST : FRAMING_NO_LENGTH);
    } else if (f->is_foreign || f->length > f->max_body_bytes) {
        f->state = FRAMING_DRAIN;
        f->n_left = f->length;
        take_drain(f, &(str){"", 0});
    } else if (f->length == 0) {
        end_body(f, STR(""));
    } else {
        f->state = FRAMING_BODY;
    }
}

/* The header block is full. Where its last line is garbage a length may stand in it. */
static void overflow(struct framing *f)
{
    struct buf line = f->line;
    buf_init(&f->line, RPC_MAX_HEADER_BYTES);
    begin_scan(f, FRAMING_HEADER_TOO_LARGE);
    str name, value;
    if (line.len > 0 && !split_field(buf_str(&line), &name, &value)) {
        framing_feed(f, buf_str(&line));
    }
    buf_release(&line);
}

static void begin_header(struct framing *f)
{
    f->state = FRAMING_HEADER;
    f->n_header_bytes = 0;
    f->has_length = f->has_fields = f->is_foreign = false;
    buf_clear(&f->line);
}

/* -- bodies -- */

static void take_body(struct framing *f, str *in)
{
    size_t n_left = (size_t)f->length - f->body.len;
    if (f->body.len == 0 && in->len >= n_left) {
        end_body(f, cut(in, n_left));
        return;
    }
    buf_append(&f->body, cut(in, in->len < n_left ? in->len : n_left));
    if (f->body.len == f->length) {
        end_body(f, buf_str(&f->body));
        if (f->body.cap > BODY_KEEP_BYTES) {
            buf_release(&f->body);
            buf_init(&f->body, f->max_body_bytes);
        }
        buf_clear(&f->body);
    }
}

static void end_body(struct framing *f, str body)
{
    f->n_headless = 0;
    begin_header(f);
    f->events.on_message(body, f->events.user);
}

static void take_drain(struct framing *f, str *in)
{
    uint64_t n = in->len < f->n_left ? in->len : f->n_left;
    (void)cut(in, (size_t)n);
    f->n_left -= n;
    if (f->n_left == 0) {
        enum framing_problem problem = f->is_foreign ? FRAMING_BAD_CHARSET : FRAMING_TOO_LARGE;
        f->n_headless = 0;
        begin_header(f);
        report(f, problem);
    }
}

/* -- garbage -- */

static void begin_scan(struct framing *f, enum framing_problem problem)
{
    begin_header(f);
    f->state = FRAMING_SCAN;
    f->scan_matched = 0;
    report(f, problem);
}

/* Its only 'c' is the first letter, so after a mismatch a match can begin nowhere but here. */
static void take_scan(struct framing *f, str *in)
{
    size_t i = 0;
    while (i < in->len && f->scan_matched < length_name.len) {
        char c = in->ptr[i++];
        char lower = (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
        if (lower == length_name.ptr[f->scan_matched]) {
            f->scan_matched++;
        } else {
            f->scan_matched = lower == 'c';
        }
    }
    (void)cut(in, i);
    if (f->scan_matched == length_name.len) {
        begin_header(f);
        buf_append(&f->line, length_name);
        f->n_header_bytes = length_name.len;
    }
}
