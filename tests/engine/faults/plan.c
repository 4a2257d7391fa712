/* plan.c - reads scripts; bytes and dice. */
#include "plan.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BYTES_MAX ((size_t)64 << 20)

/* -- bytes -- */

static void grow(struct bytes *b, size_t n)
{
    if (b->len + n + 1 <= b->cap) {
        return;
    }
    size_t cap = b->cap ? b->cap : 256;
    while (cap < b->len + n + 1) {
        cap *= 2;
    }
    char *ptr = cap > BYTES_MAX ? NULL : realloc(b->ptr, cap);
    if (!ptr) {
        fprintf(stderr, "faults: out of memory\n");
        exit(1);
    }
    b->ptr = ptr;
    b->cap = cap;
}

void bytes_add(struct bytes *b, const void *from, size_t n)
{
    grow(b, n);
    memcpy(b->ptr + b->len, from, n);
    b->len += n;
    b->ptr[b->len] = '\0';
}

void bytes_addf(struct bytes *b, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    grow(b, (size_t)n);
    va_start(args, fmt);
    (void)vsnprintf(b->ptr + b->len, (size_t)n + 1, fmt, args);
    va_end(args);
    b->len += (size_t)n;
}

void bytes_free(struct bytes *b)
{
    free(b->ptr);
    *b = (struct bytes){0};
}

/* -- dice: splitmix64 -- */

static uint64_t dice_state;

void dice_seed(uint64_t seed)
{
    dice_state = seed;
}

uint64_t dice(uint64_t below)
{
    uint64_t x = dice_state += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    x ^= x >> 31;
    return below ? x % below : x;
}

/* -- scripts -- */

static int hex_of(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

static void decode(const char *value, size_t len, struct bytes *out)
{
    bytes_add(out, "", 0);
    for (size_t i = 0; i < len; i++) {
        if (value[i] == '%' && i + 2 < len && hex_of(value[i + 1]) >= 0 &&
            hex_of(value[i + 2]) >= 0) {
            char c = (char)(hex_of(value[i + 1]) * 16 + hex_of(value[i + 2]));
            bytes_add(out, &c, 1);
            i += 2;
        } else {
            bytes_add(out, value + i, 1);
        }
    }
}

static bool set_bytes(struct plan *p, const char *word, const struct bytes *value)
{
    struct {
        const char *word;
        struct bytes *to;
        bool *has;
    } known[] = {{"text", &p->text, &p->has_text}, {"body", &p->body, &p->has_body},
                 {"type", &p->type, NULL},         {"headers", &p->headers, NULL},
                 {"raw", &p->raw, NULL},           {"tail", &p->tail, NULL}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strcmp(word, known[i].word) == 0) {
            bytes_add(known[i].to, value->ptr, value->len);
            if (known[i].has) {
                *known[i].has = true;
            }
            return true;
        }
    }
    return false;
}

static bool set_flag(struct plan *p, const char *word, bool is_on)
{
    struct {
        const char *word;
        bool *to;
    } known[] = {{"echo", &p->is_echo},   {"http10", &p->is_http10},
                 {"close", &p->is_close}, {"no_end", &p->has_no_end},
                 {"sweep", &p->is_sweep}, {"cut_body", &p->is_cut_body}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strcmp(word, known[i].word) == 0) {
            *known[i].to = is_on;
            return true;
        }
    }
    return false;
}

static bool set_number(struct plan *p, const char *word, int64_t n)
{
    struct {
        const char *word;
        uint64_t *to;
        uint64_t unit;
    } known[] = {{"times", &p->times, 1},          {"gap_us", &p->gap_us, 1},
                 {"delay_ms", &p->delay_us, 1000}, {"token_ms", &p->token_us, 1000},
                 {"token_us", &p->token_us, 1},    {"flood_bytes", &p->flood_bytes, 1}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strcmp(word, known[i].word) == 0) {
            *known[i].to = (uint64_t)n * known[i].unit;
            return true;
        }
    }
    if (strcmp(word, "status") == 0) {
        p->status = (int)n;
    } else if (strcmp(word, "cut") == 0) {
        p->cut = n;
    } else if (strcmp(word, "slice") == 0) {
        p->slice = (size_t)n;
    } else if (strcmp(word, "split") == 0) {
        p->split = (size_t)n;
    } else if (strcmp(word, "stamps") == 0) {
        p->stamps = (unsigned)n;
    } else if (strcmp(word, "chunk") == 0) {
        p->chunk = (size_t)n;
    } else if (strcmp(word, "garble") == 0) {
        p->garble = (unsigned)n;
    } else if (strcmp(word, "mix_rst") == 0) {
        p->mix_rst = (unsigned)n;
    } else if (strcmp(word, "mix_stall") == 0) {
        p->mix_stall = (unsigned)n;
    } else if (strcmp(word, "mix_busy") == 0) {
        p->mix_busy = (unsigned)n;
    } else if (strcmp(word, "seed") == 0) {
        dice_seed((uint64_t)n);
    } else {
        return false;
    }
    return true;
}

static int place_of(const char *value, const char *const *names)
{
    for (int i = 0; names[i]; i++) {
        if (strcmp(value, names[i]) == 0) {
            return i;
        }
    }
    return -1;
}

static bool set_name(struct plan *p, const char *word, const char *value)
{
    static const char *const hows[] = {"fin", "rst", "stall", NULL};
    static const char *const floods[] = {"none", "line", "events", "headers", "continues", NULL};
    static const char *const whom[] = {"gen", "probe", NULL};
    int n = -1;
    if (strcmp(word, "how") == 0 && (n = place_of(value, hows)) >= 0) {
        p->how = (enum plan_how)n;
    } else if (strcmp(word, "flood") == 0 && (n = place_of(value, floods)) >= 0) {
        p->flood = (enum plan_flood)n;
    } else if (strcmp(word, "for") == 0 && (n = place_of(value, whom)) >= 0) {
        p->is_for_probes = n == 1;
    }
    return n >= 0;
}

static bool set(struct plan *p, const char *word, const char *value, size_t len)
{
    struct bytes decoded = {0};
    decode(value, len, &decoded);
    char *end = NULL;
    int64_t n = strtoll(decoded.ptr, &end, 10);
    bool is_number = decoded.len > 0 && end == decoded.ptr + decoded.len;
    bool is_known = set_bytes(p, word, &decoded) || set_name(p, word, decoded.ptr) ||
                    (is_number && (set_flag(p, word, n != 0) || set_number(p, word, n)));
    bytes_free(&decoded);
    return is_known;
}

static struct plan *plan_create(struct plan **list)
{
    struct plan *p = calloc(1, sizeof *p);
    if (!p) {
        exit(1);
    }
    p->cut = -1;
    while (*list) {
        list = &(*list)->next;
    }
    *list = p;
    return p;
}

struct plan *plan_read(const char *script, size_t len, char bad[64])
{
    struct plan *list = NULL, *p = plan_create(&list);
    const char *end = script + len;
    bool is_empty = true;
    bad[0] = '\0';
    while (script < end) {
        const char *stop = memchr(script, '\n', (size_t)(end - script));
        stop = stop ? stop : end;
        const char *equals = memchr(script, '=', (size_t)(stop - script));
        if (stop == script && !is_empty) {
            p = plan_create(&list);
            is_empty = true;
        } else if (stop > script) {
            (void)snprintf(bad, 64, "%.*s", (int)((equals ? equals : stop) - script), script);
            if (!equals || !set(p, bad, equals + 1, (size_t)(stop - equals - 1))) {
                plan_free(list);
                return NULL;
            }
            is_empty = false;
        }
        script = stop + 1;
    }
    bad[0] = '\0';
    return list;
}

void plan_free(struct plan *list)
{
    while (list) {
        struct plan *next = list->next;
        struct bytes *all[] = {&list->text,    &list->body, &list->type,
                               &list->headers, &list->raw,  &list->tail};
        for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
            bytes_free(all[i]);
        }
        free(list);
        list = next;
    }
}
