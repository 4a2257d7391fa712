/* store_disk.c - the store on this machine's disk: when to open it, read it, write it, leave it.
 *
 * Why      A disk may answer in microseconds or hang; the loop's thread may not.
 * How      At most one piece of work (opening or writing) is on a thread, and at most one lookup;
 *          each takes what it needs with it and brings back what came of it. They use the two sides
 *          of store_file, so that they don't exclude each other. What is put waits in a batch. One
 *          timer looks when something is due, and `kick` starts what can be started.
 * Rules    While work that opens is on a thread, nobody else uses the file. A failure of any kind
 *          ends in `turn_off` or in opening anew, never with the caller.
 *          Whoever destroys the store waits for its jobs for EXIT_US; jobs that are still at it
 *          then keep the memory, and the last one frees it. */
#include "core/request/store_disk.h"

#include <errno.h>
#include <pthread.h>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/request/store_file.h"

#define EXIT_US       MS_TO_US(150)
#define OFF_LOOP_US   SEC_TO_US(60)
#define SLOW_LOOKUPS  3u  /* of them within OFF_LOOP_US send lookups off the loop */
#define SLOW_FACTOR   10u /* so much slower, and one is enough */
#define FLUSH_ENTRIES 64u
#define FLUSH_BYTES   (256u * KIB)
#define TOUCH_FACTOR  10u /* uses may wait this much longer than entries */
#define WAITING_MAX   64u

enum disk_state {
    DISK_CLOSED,  /* not asked for yet */
    DISK_OPENING, /* on a thread */
    DISK_OPEN,
    DISK_OFF, /* until off_until_us */
    N_DISK_STATES
};
static const char *const state_names[] = {"closed", "opening", "open", "off"};
static const bool moves[N_DISK_STATES][N_DISK_STATES] = {
    [DISK_CLOSED] = {[DISK_OPENING] = true},
    [DISK_OPENING] = {[DISK_OPEN] = true, [DISK_OFF] = true},
    [DISK_OPEN] = {[DISK_OPENING] = true, [DISK_OFF] = true},
    [DISK_OFF] = {[DISK_OPENING] = true},
};

/* What a thread does, and what came of it. The store's mutex guards the three flags. */
struct work {
    struct store_disk *s;
    struct loop_job *job;
    bool is_started, is_taken_back, is_finished;
    bool is_opening;              /* else it writes */
    struct store_file *file;      /* opening: to be closed, then what was opened; may be NULL */
    struct file_identity suspect; /* opening */
    struct store_batch batch;
    bool is_clearing; /* before writing */
    uint64_t max_bytes;
    enum err err;
    struct error error;
    uint64_t n_evicted, n_bytes;
    bool has_set_aside;
};

/* A lookup on a thread. */
struct reading {
    struct store_disk *s;
    struct loop_job *job;
    bool is_started, is_taken_back, is_finished;
    struct store_file *file;
    uint64_t lookup;
    struct store_key key;
    uint64_t wall_us, ttl_us;
    enum file_found found;
    struct store_entry entry;
    struct buf room;
    struct error error;
};

/* A lookup that will be answered later. */
struct waiting {
    uint64_t lookup;
    struct store_lookup query;
    uint64_t since_us;
    bool is_read; /* a thread is at it */
};

struct store_disk {
    struct store base;
    struct loop *loop;
    struct loop_timer *timer;
    struct store_disk_options options; /* folder is owned */
    enum disk_state state;
    struct store_file *file; /* open, or to be closed by the next opening */
    struct file_identity suspect;
    uint64_t off_until_us, set_aside_us; /* 0 for never */
    bool is_wanted;                      /* somebody has asked since it was last opened */
    bool must_reopen, must_clear;
    bool is_destroyed;
    struct store_batch pending;
    uint64_t flush_us; /* when `pending` is due; CLOCK_NEVER where it is empty */
    struct work *work;
    struct reading *reading;
    pthread_mutex_t mutex;
    pthread_cond_t finished; /* a job's work has ended */
    struct waiting waiting[WAITING_MAX];
    size_t n_waiting;
    uint64_t last_lookup;
    uint64_t off_loop_until_us, slow_since_us;
    unsigned n_slow; /* lookups since then */
    struct buf room; /* the entry that was given last */
    char reason[ERROR_MSG_BYTES];
    struct store_stats stats;
    struct histogram lookup_us;
};

static void kick(struct store_disk *s);
static void on_timer(void *user);
static void start_reading(struct store_disk *s);
static const struct store_ops disk_ops;

static void set_state(struct store_disk *s, enum disk_state next)
{
    ASSERT(moves[s->state][next]);
    log_debug(LOG_STORE, "disk: %s -> %s", state_names[s->state], state_names[next]);
    s->state = next;
}

static struct store_disk *disk_of(struct store *s)
{
    return container_of(s, struct store_disk, base);
}

/* -- life cycle -- */

void store_disk_folder(struct buf *out)
{
    str cache = str_from(getenv("XDG_CACHE_HOME"));
    str home = str_from(getenv("HOME"));
    if (cache.len > 0 && cache.ptr[0] == '/') {
        buf_appendf(out, STR_FMT "/crucible", STR_ARG(cache));
    } else if (home.len > 0 && home.ptr[0] == '/') {
        buf_appendf(out, STR_FMT "/.cache/crucible", STR_ARG(home));
    }
}

static void init_finished(pthread_cond_t *finished)
{
    pthread_condattr_t attributes;
    ASSERT(pthread_condattr_init(&attributes) == 0);
#ifdef __linux__
    ASSERT(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0);
#endif
    ASSERT(pthread_cond_init(finished, &attributes) == 0);
    (void)pthread_condattr_destroy(&attributes);
}

struct store *store_disk_create(struct loop *loop, const struct store_disk_options *options)
{
    struct store_disk *s = xcalloc(1, sizeof *s);
    str folder = str_from(options->folder);
    s->base.ops = &disk_ops;
    s->loop = loop;
    s->options = *options;
    s->options.folder = xstrndup(folder.len > 0 ? folder.ptr : "", folder.len);
    s->timer = loop_timer_create(loop, on_timer, s);
    s->flush_us = CLOCK_NEVER;
    buf_init(&s->room, STORE_MAX_SEALED_BYTES);
    ASSERT(pthread_mutex_init(&s->mutex, NULL) == 0);
    init_finished(&s->finished);
    return &s->base;
}

void store_disk_configure(struct store *s, uint64_t max_bytes, uint64_t ttl_us)
{
    ASSERT(s->ops == &disk_ops);
    disk_of(s)->options.max_bytes = max_bytes;
    disk_of(s)->options.ttl_us = ttl_us;
}

static void release(struct store_disk *s)
{
    store_file_close(s->file);
    store_batch_release(&s->pending);
    buf_release(&s->room);
    (void)pthread_cond_destroy(&s->finished);
    (void)pthread_mutex_destroy(&s->mutex);
    xfree((void *)(uintptr_t)s->options.folder);
    xfree(s);
}

/* -- failing -- */

/* Once for each reason, not each time it comes back. */
static void explain(struct store_disk *s, const char *what, const char *msg)
{
    bool is_news = strcmp(s->reason, msg) != 0;
    (void)snprintf(s->reason, sizeof s->reason, "%s", msg);
    if (is_news) {
        log_warn(LOG_STORE, "%s: %s", what, LOG_SAFE(str_from(msg)));
    }
}

static void drop_pending(struct store_disk *s)
{
    s->stats.n_dropped += s->pending.n;
    store_batch_release(&s->pending);
    s->flush_us = CLOCK_NEVER;
}

static void turn_off(struct store_disk *s, const struct error *error)
{
    explain(s, "answers aren't kept on disk for now", error->msg);
    set_state(s, DISK_OFF);
    s->off_until_us = clock_now_us() + s->options.off_us;
    s->must_reopen = false;
    drop_pending(s);
}

/* Something came back with an error while the store was open. */
static void suffer(struct store_disk *s, const struct error *error)
{
    uint64_t now_us = clock_now_us();
    bool is_again = s->set_aside_us > 0 && now_us - s->set_aside_us < s->options.off_us;
    s->stats.n_errors++;
    if (s->state != DISK_OPEN) {
        return;
    }
    if (error->code == ERR_NOT_FOUND) {
        s->must_reopen = true;
    } else if (error->code == ERR_PROTOCOL) {
        s->suspect = store_file_identity(s->file);
        s->must_reopen = !is_again;
    }
    if (!s->must_reopen) {
        turn_off(s, error);
    }
}

/* -- jobs -- */

/* False where whoever destroys the store has taken the work back. */
static bool is_started(struct store_disk *s, bool *started, const bool *taken_back)
{
    pthread_mutex_lock(&s->mutex);
    *started = !*taken_back;
    bool is_mine = *started;
    pthread_mutex_unlock(&s->mutex);
    return is_mine;
}

static void finish(struct store_disk *s, bool *finished)
{
    pthread_mutex_lock(&s->mutex);
    *finished = true;
    pthread_cond_broadcast(&s->finished);
    pthread_mutex_unlock(&s->mutex);
}

static void work_open(struct work *w)
{
    store_file_close(w->file);
    w->file = NULL;
    w->err = store_file_open(w->s->options.folder, &w->suspect, &w->file, &w->error);
    if (w->file) {
        w->has_set_aside = store_file_has_set_aside(w->file);
        w->n_bytes = store_file_bytes(w->file);
    }
}

static void work_write(struct work *w)
{
    w->err = w->is_clearing ? store_file_clear(w->file, &w->error) : ERR_OK;
    if (w->err == ERR_OK) {
        w->err = store_file_trim(w->file, w->max_bytes, w->batch.packed.len, clock_wall_us(),
                                 &w->n_evicted, &w->error);
    }
    if (w->err == ERR_OK) {
        w->err = store_file_write(w->file, &w->batch, clock_wall_us(), &w->error);
    }
    if (w->err == ERR_OK) {
        w->err = store_file_settle(w->file, &w->error);
    }
    w->n_bytes = store_file_bytes(w->file);
}

static void on_work(void *user)
{
    struct work *w = user;
    if (is_started(w->s, &w->is_started, &w->is_taken_back)) {
        (w->is_opening ? work_open : work_write)(w);
        finish(w->s, &w->is_finished);
    }
}

static void on_opened(struct store_disk *s, struct work *w)
{
    s->file = w->file;
    w->file = NULL;
    s->suspect = (struct file_identity){0};
    if (w->err != ERR_OK) {
        s->stats.n_errors++;
        turn_off(s, &w->error);
        return;
    }
    set_state(s, DISK_OPEN);
    if (w->has_set_aside) {
        s->set_aside_us = clock_now_us();
        s->stats.n_errors++;
        explain(s, "answers on disk", "the file was damaged; it was set aside and another begun");
    }
}

static void on_written(struct store_disk *s, struct work *w)
{
    s->stats.n_evicted += w->n_evicted;
    if (w->err == ERR_OK) {
        s->stats.n_stored += w->batch.n;
        return;
    }
    s->stats.n_dropped += w->batch.n;
    s->must_clear = s->must_clear || w->is_clearing;
    if (w->err == ERR_TIMEOUT || w->err == ERR_CANCELLED) { /* it isn't worth more than that */
        s->stats.n_errors++;
    } else {
        suffer(s, &w->error);
    }
}

static void leave_if_destroyed(struct store_disk *s)
{
    if (s->is_destroyed && !s->work && !s->reading) {
        release(s);
    }
}

static void on_worked(bool is_cancelled, void *user)
{
    struct work *w = user;
    struct store_disk *s = w->s;
    s->work = NULL;
    if (s->is_destroyed || is_cancelled) {
        if (w->is_opening) { /* nobody else knows the file that it has */
            store_file_close(w->file);
        }
    } else {
        s->stats.n_bytes = w->n_bytes;
        (w->is_opening ? on_opened : on_written)(s, w);
        kick(s);
    }
    store_batch_release(&w->batch);
    xfree(w);
    leave_if_destroyed(s);
}

static struct work *work_start(struct store_disk *s, bool is_opening)
{
    struct work *w = xcalloc(1, sizeof *w);
    w->s = s;
    w->is_opening = is_opening;
    w->file = s->file;
    w->max_bytes = s->options.max_bytes;
    s->work = w;
    return w;
}

static void start_opening(struct store_disk *s)
{
    struct work *w = work_start(s, true);
    set_state(s, DISK_OPENING);
    s->file = NULL;
    s->is_wanted = s->must_reopen = false;
    w->suspect = s->suspect;
    w->job = loop_job_start(s->loop, on_work, on_worked, w);
}

static void start_writing(struct store_disk *s)
{
    struct work *w = work_start(s, false);
    w->batch = s->pending;
    w->is_clearing = s->must_clear;
    s->pending = (struct store_batch){0};
    s->flush_us = CLOCK_NEVER;
    s->must_clear = false;
    w->job = loop_job_start(s->loop, on_work, on_worked, w);
}

static bool is_due(const struct store_disk *s, uint64_t now_us)
{
    return s->must_clear || s->flush_us <= now_us || s->pending.n >= FLUSH_ENTRIES ||
           s->pending.packed.len >= FLUSH_BYTES;
}

static void set_timer(struct store_disk *s)
{
    uint64_t at_us = CLOCK_NEVER;
    if (s->state == DISK_OPEN && !s->work) {
        at_us = s->flush_us;
    } else if (s->state == DISK_OFF && s->must_clear) {
        at_us = s->off_until_us;
    }
    if (s->n_waiting > 0 && s->waiting[0].since_us + STORE_LATER_US < at_us) {
        at_us = s->waiting[0].since_us + STORE_LATER_US;
    }
    loop_timer_set(s->timer, at_us);
}

static void kick(struct store_disk *s)
{
    uint64_t now_us = clock_now_us();
    bool may_open = s->state == DISK_CLOSED ||
                    (s->state == DISK_OFF && now_us >= s->off_until_us) ||
                    (s->state == DISK_OPEN && s->must_reopen);
    if (!s->work && !s->reading && may_open && (s->is_wanted || s->must_reopen || s->must_clear)) {
        start_opening(s);
    } else if (!s->work && s->state == DISK_OPEN && !s->must_reopen && is_due(s, now_us)) {
        start_writing(s);
    }
    start_reading(s);
    set_timer(s);
}

/* Whether anything can be had or kept at all; sees to it that it can be later. */
static bool is_usable(struct store_disk *s)
{
    if (s->options.max_bytes == 0) {
        return false;
    }
    if (s->state == DISK_CLOSED || s->state == DISK_OFF) {
        s->is_wanted = true;
        kick(s);
    }
    bool is_clearing = s->must_clear || (s->work && s->work->is_clearing);
    return s->state == DISK_OPEN && !s->must_reopen && !is_clearing;
}

/* -- lookups -- */

/* Counts what a lookup found; gives whether it is an answer. */
static bool judge(struct store_disk *s, enum file_found found, const struct store_key *key,
                  const struct error *error)
{
    switch (found) {
    case FILE_STALE:
        store_batch_touch(&s->pending, key);
        if (s->flush_us == CLOCK_NEVER) {
            s->flush_us = clock_now_us() + TOUCH_FACTOR * s->options.flush_us;
        }
        set_timer(s);
        s->stats.n_hits++;
        return true;
    case FILE_HIT:
        s->stats.n_hits++;
        return true;
    case FILE_EXPIRED:
        s->stats.n_expired++;
        break;
    case FILE_FORGED:
        s->stats.n_rejected++;
        break;
    case FILE_BROKEN:
        suffer(s, error);
        kick(s);
        break;
    case FILE_BUSY:
        s->stats.n_late++;
        break;
    case FILE_ABSENT:
        break;
    }
    s->stats.n_misses++;
    return false;
}

static void on_read(void *user)
{
    struct reading *r = user;
    if (is_started(r->s, &r->is_started, &r->is_taken_back)) {
        r->found =
            store_file_get(r->file, &r->key, r->wall_us, r->ttl_us, &r->room, &r->entry, &r->error);
        finish(r->s, &r->is_finished);
    }
}

/* Takes the lookup out of those that wait; false where it doesn't wait any more. */
static bool take_waiting(struct store_disk *s, uint64_t lookup, struct waiting *out)
{
    for (size_t i = 0; i < s->n_waiting; i++) {
        if (s->waiting[i].lookup == lookup) {
            *out = s->waiting[i];
            s->n_waiting--;
            memmove(&s->waiting[i], &s->waiting[i + 1], (s->n_waiting - i) * sizeof *out);
            return true;
        }
    }
    return false;
}

static void on_read_done(bool is_cancelled, void *user)
{
    struct reading *r = user;
    struct store_disk *s = r->s;
    struct waiting w;
    s->reading = NULL;
    if (!s->is_destroyed && !is_cancelled) {
        if (take_waiting(s, r->lookup, &w)) {
            histogram_add(&s->lookup_us, clock_now_us() - w.since_us);
            bool is_hit = judge(s, r->found, &r->key, &r->error);
            w.query.on_found(is_hit ? &r->entry : NULL, w.query.user);
        } else if (r->found == FILE_BROKEN) {
            suffer(s, &r->error);
        }
        kick(s);
    }
    buf_release(&r->room);
    xfree(r);
    leave_if_destroyed(s);
}

/* The next of those that wait, where the reader's side is free. */
static void start_reading(struct store_disk *s)
{
    if (s->reading || s->state != DISK_OPEN || s->must_reopen) {
        return;
    }
    for (size_t i = 0; i < s->n_waiting; i++) {
        struct waiting *w = &s->waiting[i];
        if (!w->is_read) {
            struct reading *r = xcalloc(1, sizeof *r);
            r->s = s;
            r->file = s->file;
            r->lookup = w->lookup;
            r->key = w->query.key;
            r->wall_us = clock_wall_us();
            r->ttl_us = s->options.ttl_us;
            buf_init(&r->room, STORE_MAX_SEALED_BYTES);
            w->is_read = true;
            s->reading = r;
            r->job = loop_job_start(s->loop, on_read, on_read_done, r);
            return;
        }
    }
}

/* Lookups that have waited long enough are misses; the oldest stands first. */
static void give_up(struct store_disk *s)
{
    struct waiting w;
    uint64_t now_us = clock_now_us();
    while (s->n_waiting > 0 && now_us >= s->waiting[0].since_us + STORE_LATER_US &&
           take_waiting(s, s->waiting[0].lookup, &w)) {
        histogram_add(&s->lookup_us, now_us - w.since_us);
        s->stats.n_late++;
        s->stats.n_misses++;
        w.query.on_found(NULL, w.query.user);
    }
}

static void on_timer(void *user)
{
    struct store_disk *s = user;
    give_up(s);
    kick(s);
}

static enum store_found later(struct store_disk *s, const struct store_lookup *q, uint64_t now_us,
                              uint64_t *lookup)
{
    if (!q->on_found || s->n_waiting == WAITING_MAX) {
        s->stats.n_late++;
        s->stats.n_misses++;
        return STORE_MISS;
    }
    s->waiting[s->n_waiting++] =
        (struct waiting){.lookup = ++s->last_lookup, .query = *q, .since_us = now_us};
    if (lookup) {
        *lookup = s->last_lookup;
    }
    kick(s);
    return STORE_LATER;
}

/* One that takes long may have had to wait for the processor; some of them are the disk. */
static void notice_time(struct store_disk *s, uint64_t now_us, uint64_t took_us)
{
    if (took_us < s->options.slow_us) {
        return;
    }
    if (now_us - s->slow_since_us > OFF_LOOP_US) {
        s->slow_since_us = now_us;
        s->n_slow = 0;
    }
    s->n_slow++;
    if (s->n_slow >= SLOW_LOOKUPS || took_us >= SLOW_FACTOR * s->options.slow_us) {
        log_info(LOG_STORE, "a lookup took %llu us: they leave the loop for a while",
                 (unsigned long long)took_us);
        s->off_loop_until_us = now_us + OFF_LOOP_US;
    }
}

static enum store_found disk_get(struct store *base, const struct store_lookup *q,
                                 struct store_entry *entry, uint64_t *lookup)
{
    struct store_disk *s = disk_of(base);
    struct error error = {0};
    if (!is_usable(s)) {
        s->stats.n_misses++;
        return STORE_MISS;
    }
    uint64_t now_us = clock_now_us();
    if (s->reading || now_us < s->off_loop_until_us) {
        return later(s, q, now_us, lookup);
    }
    enum file_found found = store_file_get(s->file, &q->key, clock_wall_us(), s->options.ttl_us,
                                           &s->room, entry, &error);
    uint64_t took_us = clock_now_us() - now_us;
    histogram_add(&s->lookup_us, took_us);
    notice_time(s, now_us, took_us);
    return judge(s, found, &q->key, &error) ? STORE_HIT : STORE_MISS;
}

static void disk_cancel(struct store *base, uint64_t lookup)
{
    struct waiting w;
    if (take_waiting(disk_of(base), lookup, &w)) {
        set_timer(disk_of(base));
    }
}

/* -- entries -- */

static void disk_put(struct store *base, const struct store_key *key,
                     const struct store_entry *entry)
{
    struct store_disk *s = disk_of(base);
    struct store_entry dated = *entry;
    dated.created_us = entry->created_us > 0 ? entry->created_us : clock_wall_us();
    if (!is_usable(s) && (s->options.max_bytes == 0 || s->state == DISK_OFF)) {
        s->stats.n_dropped++;
        return;
    }
    if (!store_batch_put(&s->pending, key, &dated)) {
        s->stats.n_dropped++;
        return;
    }
    uint64_t due_us = clock_now_us() + s->options.flush_us;
    s->flush_us = due_us < s->flush_us ? due_us : s->flush_us;
    kick(s);
}

static void disk_warm(struct store *base)
{
    (void)is_usable(disk_of(base));
}

static void disk_clear(struct store *base)
{
    struct store_disk *s = disk_of(base);
    drop_pending(s);
    s->must_clear = true;
    kick(s);
}

static struct store_stats disk_stats(const struct store *base)
{
    const struct store_disk *s = container_of(base, const struct store_disk, base);
    struct store_stats stats = s->stats;
    stats.name = "disk";
    stats.state = state_names[s->state];
    stats.reason = s->reason;
    stats.is_off_loop = clock_now_us() < s->off_loop_until_us;
    stats.lookup_us = &s->lookup_us;
    return stats;
}

/* -- leaving -- */

/* Takes back a job whose work hasn't begun; else waits for its end. False where it is still at it.
 */
static bool settle_job(struct store_disk *s, const bool *started, bool *taken_back,
                       const bool *finished, uint64_t until_us)
{
    struct timespec until = {.tv_sec = (time_t)(until_us / SEC_TO_US(1)),
                             .tv_nsec = (long)(until_us % SEC_TO_US(1)) * 1000};
#ifndef __linux__ /* where waiting goes by the wall clock */
    uint64_t wall_us = clock_wall_us() + EXIT_US;
    until = (struct timespec){.tv_sec = (time_t)(wall_us / SEC_TO_US(1)),
                              .tv_nsec = (long)(wall_us % SEC_TO_US(1)) * 1000};
#endif
    pthread_mutex_lock(&s->mutex);
    *taken_back = !*started;
    int rc = 0;
    while (*started && !*finished && rc != ETIMEDOUT) {
        rc = pthread_cond_timedwait(&s->finished, &s->mutex, &until);
    }
    bool is_settled = !*started || *finished;
    pthread_mutex_unlock(&s->mutex);
    return is_settled;
}

static bool settle_jobs(struct store_disk *s, uint64_t until_us)
{
    bool is_settled = true;
    struct work *w = s->work;
    struct reading *r = s->reading;
    if (w) {
        if (!w->is_opening) {
            store_file_set_deadline(w->file, until_us);
        }
        is_settled = settle_job(s, &w->is_started, &w->is_taken_back, &w->is_finished, until_us);
        loop_job_cancel(w->job);
    }
    if (r) {
        is_settled = settle_job(s, &r->is_started, &r->is_taken_back, &r->is_finished, until_us) &&
                     is_settled;
        loop_job_cancel(r->job);
    }
    return is_settled;
}

/* The last words, on the loop's thread. */
static void write_rest(struct store_disk *s, uint64_t until_us)
{
    struct error error = {0};
    enum err err = ERR_OK;
    store_file_set_deadline(s->file, until_us);
    if (s->work && !s->work->is_opening && s->work->is_taken_back) {
        if (s->work->is_clearing) {
            err = store_file_clear(s->file, &error);
        }
        err = err == ERR_OK ? store_file_write(s->file, &s->work->batch, clock_wall_us(), &error)
                            : err;
    }
    if (err == ERR_OK && s->must_clear) {
        err = store_file_clear(s->file, &error);
    }
    if (err == ERR_OK) {
        err = store_file_write(s->file, &s->pending, clock_wall_us(), &error);
    }
    if (err != ERR_OK) {
        log_debug(LOG_STORE, "the last entries weren't written: %s", error.msg);
    }
}

static void disk_destroy(struct store *base)
{
    struct store_disk *s = disk_of(base);
    uint64_t until_us = clock_now_us() + EXIT_US;
    loop_timer_destroy(s->timer);
    s->is_destroyed = true;
    if (settle_jobs(s, until_us) && s->state == DISK_OPEN && !s->must_reopen) {
        write_rest(s, until_us);
    }
    leave_if_destroyed(s);
}

static const struct store_ops disk_ops = {
    .get = disk_get,
    .cancel = disk_cancel,
    .put = disk_put,
    .warm = disk_warm,
    .clear = disk_clear,
    .destroy = disk_destroy,
    .stats = disk_stats,
};
