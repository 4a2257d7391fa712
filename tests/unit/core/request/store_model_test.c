/* store_model_test.c - 100,000 random operations on the file, beside a naive map with a clock. */
#include "tests/unit/core/request/store_bed.h"

#define N_KEYS       400u
#define N_OPERATIONS 100000u
#define TTL          HOURS(1)

/* What the file should hold. */
struct model {
    bool is_there[N_KEYS];
    uint64_t created_us[N_KEYS];
    unsigned version[N_KEYS];
};

struct bed {
    struct store_bed place;
    struct store_file *f;
    struct model model, written; /* with and without what waits in `batch` */
    struct store_batch batch;
    uint64_t wall_us, random;
    unsigned version;
    uint64_t n_hits, n_expired, n_evicted, n_reopened;
};

static void put(struct bed *b, unsigned n)
{
    struct store_key key = key_of(n);
    struct store_entry entry = entry_of(n, ++b->version, b->wall_us);
    if (store_batch_put(&b->batch, &key, &entry)) {
        b->model.is_there[n] = true;
        b->model.created_us[n] = b->wall_us;
        b->model.version[n] = b->version;
    }
}

static void flush(struct bed *b)
{
    struct error error = {0};
    if (store_file_write(b->f, &b->batch, b->wall_us, &error) != ERR_OK) {
        fail_msg("%s", error.msg);
    }
    store_batch_release(&b->batch);
    b->written = b->model;
}

/* Of the file: an entry that was put last and is young, or nothing. */
static void look(struct bed *b, unsigned n, bool may_be_evicted)
{
    struct buf room;
    struct store_entry entry;
    struct error error = {0};
    struct store_key key = key_of(n);
    const struct model *m = &b->written;
    buf_init(&room, STORE_MAX_SEALED_BYTES);
    enum file_found found = store_file_get(b->f, &key, b->wall_us, TTL, &room, &entry, &error);
    uint64_t age_us = m->created_us[n] > b->wall_us ? m->created_us[n] - b->wall_us - 1
                                                    : b->wall_us - m->created_us[n];
    if (is_hit(found)) {
        assert_true(m->is_there[n] && age_us < TTL);
        assert_true(str_eq(entry.text, text_of(n, m->version[n])));
        assert_true(entry.created_us == m->created_us[n]);
        b->n_hits++;
    } else if (found == FILE_EXPIRED) {
        assert_true(m->is_there[n] && age_us >= TTL);
        b->n_expired++;
    } else {
        assert_int_equal(found, FILE_ABSENT);
        assert_true(may_be_evicted || !m->is_there[n]);
    }
    if (found == FILE_STALE) {
        store_batch_touch(&b->batch, &key);
    }
    buf_release(&room);
}

static void trim(struct bed *b, uint64_t max_bytes)
{
    struct error error = {0};
    uint64_t n_evicted = 0;
    assert_int_equal(
        store_file_trim(b->f, max_bytes, b->batch.packed.len, b->wall_us, &n_evicted, &error),
        ERR_OK);
    assert_int_equal(store_file_settle(b->f, &error), ERR_OK);
    b->n_evicted += n_evicted;
}

static void clear(struct bed *b)
{
    struct error error = {0};
    store_batch_release(&b->batch);
    assert_int_equal(store_file_clear(b->f, &error), ERR_OK);
    memset(&b->model, 0, sizeof b->model);
    b->written = b->model;
}

static void reopen(struct bed *b)
{
    store_file_close(b->f);
    b->f = open_file(&b->place);
    assert_false(store_file_has_set_aside(b->f));
    b->n_reopened++;
}

static void step(struct bed *b, uint64_t max_bytes, bool may_be_evicted)
{
    unsigned n = next_random(&b->random) % N_KEYS, what = next_random(&b->random) % 1000;
    b->wall_us += next_random(&b->random) % SEC_TO_US(4);
    if (what < 650) {
        look(b, n, may_be_evicted);
    } else if (what < 920) {
        put(b, n);
    } else if (what < 970) {
        flush(b);
    } else if (what < 985) {
        trim(b, max_bytes);
    } else if (what < 995) {
        reopen(b);
    } else if (what < 998) { /* the clock is set */
        b->wall_us += next_random(&b->random) % HOURS(2);
        b->wall_us -= next_random(&b->random) % HOURS(2);
    } else if (next_random(&b->random) % 16 == 0) {
        clear(b);
    }
}

static void run(const char *name, uint64_t max_bytes, bool may_be_evicted)
{
    struct bed *b = xcalloc(1, sizeof *b);
    b->random = seed_of(name);
    b->wall_us = WALL;
    bed_make(&b->place);
    b->f = open_file(&b->place);
    for (unsigned i = 0; i < N_OPERATIONS / 2; i++) {
        step(b, max_bytes, may_be_evicted);
    }
    printf("%llu hits, %llu expired, %llu evicted, opened %llu times\n",
           (unsigned long long)b->n_hits, (unsigned long long)b->n_expired,
           (unsigned long long)b->n_evicted, (unsigned long long)b->n_reopened);
    assert_true(b->n_hits > N_OPERATIONS / 20 && b->n_reopened > 100);
    assert_int_equal(b->n_evicted > 0, may_be_evicted);
    store_batch_release(&b->batch);
    store_file_close(b->f);
    bed_remove(&b->place);
    xfree(b);
}

static void file_is_a_map_with_a_clock(void **state)
{
    (void)state;
    run("file_is_a_map_with_a_clock", 64 * MIB, false);
}

static void small_file_forgets_and_never_errs(void **state)
{
    (void)state;
    run("small_file_forgets_and_never_errs", 256 * KIB, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(file_is_a_map_with_a_clock),
        cmocka_unit_test(small_file_forgets_and_never_errs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
