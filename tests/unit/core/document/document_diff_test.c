/* document_diff_test.c - random edits against a flat buffer that recomputes everything.
 *
 * Rounds of edits on one document and its oracle: most near the last one, some anywhere, over code
 * points of one to four bytes and all forms of line ends. Cheap facts are compared after each
 * edit; text, line index and positions in three encodings every few edits. SEED and ITERATIONS
 * come from the environment. */
#include "core/document/document.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "core/base/memory.h"
#include "lsp/position.h"

#define EDITS_PER_ROUND 2000u
#define ORACLE_BYTES    40000u

static uint64_t rng_state;

static uint64_t rng_next(void) /* splitmix64, Steele et al. 2014 */
{
    uint64_t z = (rng_state += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

static size_t rng_below(size_t n)
{
    return n == 0 ? 0 : (size_t)(rng_next() % n);
}

/* -- the oracle: every answer by walking the flat text from its start -- */

struct oracle {
    char text[ORACLE_BYTES];
    size_t len;
    size_t starts[ORACLE_BYTES + 1];
    size_t ends[ORACLE_BYTES + 1];
    size_t n_lines;
};

static void oracle_edit(struct oracle *o, size_t start, size_t end, str text)
{
    memmove(o->text + start + text.len, o->text + end, o->len - end);
    memcpy(o->text + start, text.ptr, text.len);
    o->len = o->len - (end - start) + text.len;
}

static void oracle_index(struct oracle *o)
{
    o->n_lines = 0;
    o->starts[0] = 0;
    for (size_t i = 0; i < o->len; i++) {
        bool is_pair = o->text[i] == '\r' && i + 1 < o->len && o->text[i + 1] == '\n';
        if (o->text[i] == '\n' || o->text[i] == '\r') {
            o->ends[o->n_lines++] = i;
            i += is_pair ? 1 : 0;
            o->starts[o->n_lines] = i + 1;
        }
    }
    o->ends[o->n_lines++] = o->len;
}

static size_t sequence_len(char c)
{
    unsigned char u = (unsigned char)c;
    return u < 0x80 ? 1 : u < 0xE0 ? 2 : u < 0xF0 ? 3 : 4;
}

static size_t units_of(size_t sequence, enum position_encoding encoding)
{
    switch (encoding) {
    case POSITION_UTF8:
        return sequence;
    case POSITION_UTF16:
        return sequence == 4 ? 2 : 1;
    case POSITION_UTF32:
    case N_POSITION_ENCODINGS:
        break;
    }
    return 1;
}

static size_t oracle_offset(const struct oracle *o, struct position pos, enum position_encoding e)
{
    if (pos.line >= o->n_lines) {
        return o->len;
    }
    size_t at = o->starts[pos.line];
    size_t units = 0;
    while (at < o->ends[pos.line]) {
        size_t n = sequence_len(o->text[at]);
        units += units_of(n, e);
        if (units > pos.character) {
            break;
        }
        at += n;
    }
    return at;
}

static struct position oracle_position(const struct oracle *o, size_t offset,
                                       enum position_encoding e)
{
    size_t line = o->n_lines - 1;
    while (o->starts[line] > offset) {
        line--;
    }
    size_t units = 0;
    for (size_t at = o->starts[line]; at < o->ends[line];) {
        size_t n = sequence_len(o->text[at]);
        if (at + n > offset) {
            break;
        }
        units += units_of(n, e);
        at += n;
    }
    return (struct position){(uint32_t)line, (uint32_t)units};
}

static size_t oracle_floor(const struct oracle *o, size_t offset)
{
    while (offset > 0 && offset < o->len && ((unsigned char)o->text[offset] & 0xC0) == 0x80) {
        offset--;
    }
    return offset;
}

/* -- random edits -- */

static size_t random_text(char *out, size_t max)
{
    static const char *const parts[] = {
        "a",  "b ",   "\t",           "\n",           "\r",
        "\n", "\r\n", "\xC3\xA9",     "\xE2\x82\xAC", "\xF0\x9F\x98\x80",
        "x",  "y",    "\xE6\xBC\xA2", "foo(bar)",     "\n    "};
    size_t len = 0;
    size_t n = rng_below(8) == 0 ? rng_below(max) : rng_below(3);
    for (size_t i = 0; i < n; i++) {
        const char *part = parts[rng_below(sizeof parts / sizeof *parts)];
        size_t part_len = strlen(part);
        if (len + part_len > max) {
            break;
        }
        memcpy(out + len, part, part_len);
        len += part_len;
    }
    return len;
}

static size_t random_place(const struct oracle *o, size_t last)
{
    if (rng_below(4) != 0) {
        size_t near = last + rng_below(9);
        near = near < 4 ? 0 : near - 4;
        return oracle_floor(o, near < o->len ? near : o->len);
    }
    return oracle_floor(o, rng_below(o->len + 1));
}

/* -- comparing -- */

static void check_lines(const struct document *d, const struct oracle *o)
{
    assert_int_equal(document_line_count(d), o->n_lines);
    for (size_t i = 0; i < o->n_lines; i++) {
        if (document_line_start(d, i) != o->starts[i] || document_line_end(d, i) != o->ends[i]) {
            fail_msg("line %zu: %zu-%zu, expected %zu-%zu", i, document_line_start(d, i),
                     document_line_end(d, i), o->starts[i], o->ends[i]);
        }
    }
}

static void check_text(const struct document *d, const struct oracle *o)
{
    size_t at = 0;
    while (at < o->len) {
        str piece = document_piece(d, at, o->len);
        assert_true(piece.len > 0);
        assert_memory_equal(piece.ptr, o->text + at, piece.len);
        at += piece.len;
    }
}

static void check_positions(const struct document *d, const struct oracle *o)
{
    for (unsigned i = 0; i < N_POSITION_ENCODINGS; i++) {
        enum position_encoding e = (enum position_encoding)i;
        struct position pos = {(uint32_t)rng_below(o->n_lines + 2), (uint32_t)rng_below(24)};
        assert_int_equal(position_to_offset(d, pos, e), oracle_offset(o, pos, e));
        size_t offset = rng_below(o->len + 1);
        struct position got = position_from_offset(d, offset, e);
        struct position want = oracle_position(o, offset, e);
        assert_int_equal(got.line, want.line);
        assert_int_equal(got.character, want.character);
    }
}

static void check_cheaply(const struct document *d, const struct oracle *o, size_t start)
{
    assert_int_equal(document_len(d), o->len);
    if (o->len > 0) {
        size_t at = start < o->len ? start : o->len - 1;
        assert_int_equal(document_byte(d, at), o->text[at]);
        size_t line = document_line_at(d, at);
        assert_true(document_line_start(d, line) <= at);
        assert_true(line + 1 == document_line_count(d) || document_line_start(d, line + 1) > at);
    }
}

static void run_round(struct oracle *o, size_t max_bytes, unsigned full_every, unsigned n_edits)
{
    char text[512];
    o->len = 0;
    while (o->len + sizeof text <= max_bytes) {
        o->len += random_text(o->text + o->len, sizeof text);
    }
    struct document *d = document_create(str_of(o->text, o->len));
    size_t last = 0;
    for (unsigned i = 0; i < n_edits; i++) {
        size_t start = random_place(o, last);
        size_t reach = rng_below(200) == 0 ? o->len : 6;
        size_t end = rng_below(2) == 0 ? start : start + rng_below(reach);
        end = oracle_floor(o, end < o->len ? end : o->len);
        end = end < start ? start : end;
        size_t n = random_text(text, sizeof text);
        n = o->len - (end - start) + n > max_bytes ? 0 : n;
        oracle_edit(o, start, end, str_of(text, n));
        assert_int_equal(document_edit(d, start, end, str_of(text, n)), ERR_OK);
        last = start + n;
        check_cheaply(d, o, start);
        if (i % full_every == 0) {
            oracle_index(o);
            check_lines(d, o);
            check_text(d, o);
            check_positions(d, o);
        }
    }
    assert_int_equal(document_revision(d), n_edits);
    document_destroy(d);
}

static uint64_t from_env(const char *name, uint64_t fallback)
{
    const char *value = getenv(name);
    return value ? strtoull(value, NULL, 10) : fallback;
}

static void document_equals_a_recompute(void **state)
{
    (void)state;
    uint64_t n_left = from_env("ITERATIONS", 1000000);
    rng_state = from_env("SEED", 20240607);
    print_message("SEED=%llu ITERATIONS=%llu\n", (unsigned long long)rng_state,
                  (unsigned long long)n_left);
    struct oracle *o = xcalloc(1, sizeof *o);
    for (unsigned round = 0; n_left > 0; round++) {
        unsigned n = (unsigned)(n_left < EDITS_PER_ROUND ? n_left : EDITS_PER_ROUND);
        if (round % 16 == 15) {
            run_round(o, ORACLE_BYTES, 200, n);
        } else {
            run_round(o, 32 + rng_below(1000), 4, n);
        }
        n_left -= n;
    }
    xfree(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(document_equals_a_recompute)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
