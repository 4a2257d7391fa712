/* predict.c - the built-in predictor's front: what is learned, by which job, and who is asked.
 *
 * Why      Reading a workspace takes seconds and a suggestion may take none, so learning happens
 *          on threads and asking only looks things up.
 * How      A job owns copies of all that it reads and builds one finished index. Its `done` on the
 *          loop's thread puts that in the place of the one before; until then suggestions come
 *          from the old one. Suggestions see every workspace folder, the document's own learned
 *          copy and the documents that were learned last.
 * Rules    Three quarters of the memory are for workspaces, the rest for documents, where the ones
 *          not learned for longest go first. While a scan runs its folder's old index stays only
 *          if it is small. Destroying waits until no job is inside its work any more, since work
 *          calls the owner's is_excluded; what their `done` frees later is their own. */
#include "core/predict/predict.h"

#include <pthread.h>
#include <string.h>

#include "core/base/hash.h"
#include "core/base/limits.h"
#include "core/base/log.h"
#include "core/predict/suggest.h"
#include "core/predict/workspace.h"

#define MAX_ROOTS             16u
#define MAX_OTHER_DOCUMENTS   6u
#define MAX_SCOPE_BYTES       (1u << 20)
#define OTHER_DOCUMENT_WEIGHT 1.5f

/* Shared by the predictor and its jobs; whoever drops the last reference frees it. */
struct gate {
    pthread_mutex_t lock;
    pthread_cond_t left;
    bool is_closed;    /* guarded by lock, as is n_inside */
    unsigned n_inside; /* jobs in their work */
    unsigned n_refs;   /* the loop's thread only */
};

struct root {
    char *path; /* owned */
    struct ngrams ngrams;
    struct mix_span *hidden; /* owned: files that are open */
    size_t n_hidden;
    struct job *job; /* the scan that runs, or NULL */
};
struct learned {
    uint64_t document;
    char *path; /* owned; may be empty */
    uint64_t path_hash;
    struct ngrams ngrams;
    struct job *job; /* the one that will replace it, or NULL */
};
struct job {
    struct predictor *predictor; /* NULL once that is gone; the loop's thread only */
    struct gate *gate;
    struct job *next; /* of the predictor's */
    atomic_bool is_cancelled;
    bool is_scan;
    uint64_t document; /* whose text it is */
    char *text;        /* owned: the document's text, or the root's path */
    size_t n_text;
    uint64_t *open_paths; /* owned */
    size_t n_open_paths;
    struct predictor_options options;
    size_t max_bytes;
    struct ngrams ngrams; /* the result */
    bool is_finished;
};
struct predictor {
    struct loop *loop; /* borrowed */
    struct predictor_options options;
    struct gate *gate;
    struct job *jobs;
    struct root roots[MAX_ROOTS];
    size_t n_roots;
    struct learned **documents; /* owned; learned last first */
    size_t n_documents, cap_documents;
    struct ngrams scope;
    struct mix *mix; /* owned; made when it is first needed */
    uint64_t n_asked, n_answered;
};

static void on_work(void *user);
static void on_done(bool is_cancelled, void *user);
static void hide_open_files(struct predictor *p);

/* -- life -- */

static void gate_unref(struct gate *gate)
{
    if (--gate->n_refs > 0) {
        return;
    }
    pthread_mutex_destroy(&gate->lock);
    pthread_cond_destroy(&gate->left);
    xfree(gate);
}

struct predictor *predictor_create(struct loop *loop, const struct predictor_options *options)
{
    struct predictor *p = xcalloc(1, sizeof(*p));
    p->loop = loop;
    p->options = *options;
    p->gate = xcalloc(1, sizeof(*p->gate));
    p->gate->n_refs = 1;
    ASSERT(pthread_mutex_init(&p->gate->lock, NULL) == 0);
    ASSERT(pthread_cond_init(&p->gate->left, NULL) == 0);
    ngrams_init(&p->scope, MAX_SCOPE_BYTES);
    return p;
}

static void close_gate(struct gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    gate->is_closed = true;
    while (gate->n_inside > 0) {
        pthread_cond_wait(&gate->left, &gate->lock);
    }
    pthread_mutex_unlock(&gate->lock);
}

static void free_learned(struct learned *d)
{
    ngrams_release(&d->ngrams);
    xfree(d->path);
    xfree(d);
}

void predictor_destroy(struct predictor *p)
{
    if (p == NULL) {
        return;
    }
    for (struct job *job = p->jobs; job != NULL; job = job->next) {
        atomic_store(&job->is_cancelled, true);
        job->predictor = NULL;
    }
    close_gate(p->gate);
    gate_unref(p->gate);
    for (size_t i = 0; i < p->n_roots; i++) {
        ngrams_release(&p->roots[i].ngrams);
        xfree(p->roots[i].path);
        xfree(p->roots[i].hidden);
    }
    for (size_t i = 0; i < p->n_documents; i++) {
        free_learned(p->documents[i]);
    }
    xfree(p->documents);
    ngrams_release(&p->scope);
    xfree(p->mix);
    xfree(p);
}

/* -- memory -- */

static size_t roots_bytes(const struct predictor *p)
{
    size_t n = 0;
    for (size_t i = 0; i < p->n_roots; i++) {
        n += ngrams_bytes(&p->roots[i].ngrams) + p->roots[i].n_hidden * sizeof(struct mix_span);
    }
    return n;
}

static size_t documents_bytes(const struct predictor *p)
{
    size_t n = p->cap_documents * sizeof(*p->documents);
    for (size_t i = 0; i < p->n_documents; i++) {
        n += sizeof(*p->documents[i]) + ngrams_bytes(&p->documents[i]->ngrams);
    }
    return n;
}

static size_t roots_share(const struct predictor *p)
{
    return p->options.max_bytes / 4 * 3;
}

static size_t documents_share(const struct predictor *p)
{
    return p->options.max_bytes - roots_share(p);
}

static void drop_oldest_documents(struct predictor *p)
{
    for (size_t i = p->n_documents; i-- > 1 && documents_bytes(p) > documents_share(p);) {
        ngrams_release(&p->documents[i]->ngrams);
    }
}

/* -- jobs -- */

static struct job *start_job(struct predictor *p, str text, bool is_scan)
{
    struct job *job = xcalloc(1, sizeof(*job));
    job->predictor = p;
    job->gate = p->gate;
    job->gate->n_refs++;
    job->options = p->options;
    job->is_scan = is_scan;
    job->text = xstrndup(text.ptr, text.len);
    job->n_text = text.len;
    job->next = p->jobs;
    p->jobs = job;
    return job;
}

static void cancel_job(struct job *job)
{
    if (job != NULL) {
        atomic_store(&job->is_cancelled, true);
    }
}

static void work_scan(struct job *job)
{
    struct workspace_scan scan = {
        .root = str_of(job->text, job->n_text),
        .max_bytes = job->max_bytes,
        .max_file_bytes = job->options.max_file_bytes,
        .max_files = job->options.max_files,
        .max_scan_ms = job->options.max_scan_ms,
        .is_excluded = job->options.is_excluded,
        .user = job->options.user,
        .open_paths = job->open_paths,
        .n_open_paths = job->n_open_paths,
        .is_cancelled = &job->is_cancelled,
    };
    job->is_finished = workspace_learn(&scan, &job->ngrams);
}

static void work_document(struct job *job)
{
    ngrams_init(&job->ngrams, job->max_bytes);
    str text = str_of(job->text, job->n_text);
    if (workspace_is_text(text)) {
        (void)ngrams_add(&job->ngrams, STR(""), text, &job->is_cancelled, NULL);
    }
    job->is_finished = ngrams_index(&job->ngrams, &job->is_cancelled);
}

static void on_work(void *user)
{
    struct job *job = user;
    pthread_mutex_lock(&job->gate->lock);
    bool is_closed = job->gate->is_closed;
    job->gate->n_inside += !is_closed;
    pthread_mutex_unlock(&job->gate->lock);
    if (is_closed) {
        return;
    }
    if (job->is_scan) {
        work_scan(job);
    } else {
        work_document(job);
    }
    pthread_mutex_lock(&job->gate->lock);
    job->gate->n_inside--;
    pthread_cond_signal(&job->gate->left);
    pthread_mutex_unlock(&job->gate->lock);
}

static void unlink_job(struct predictor *p, const struct job *job)
{
    struct job **at = &p->jobs;
    while (*at != job) {
        at = &(*at)->next;
    }
    *at = job->next;
}

static void hand_over(struct predictor *p, struct job *job)
{
    bool is_wanted = job->is_finished && !atomic_load(&job->is_cancelled);
    for (size_t i = 0; job->is_scan && i < p->n_roots; i++) {
        struct root *root = &p->roots[i];
        if (root->job != job) {
            continue;
        }
        root->job = NULL;
        if (is_wanted) {
            ngrams_release(&root->ngrams);
            root->ngrams = job->ngrams;
            job->ngrams = (struct ngrams){0};
            log_info(LOG_PREDICT, "workspace learned files=%u tokens=%u kib=%zu",
                     root->ngrams.n_files, root->ngrams.n_tokens,
                     ngrams_bytes(&root->ngrams) / KIB);
            hide_open_files(p);
        }
        return;
    }
    for (size_t i = 0; !job->is_scan && i < p->n_documents; i++) {
        struct learned *d = p->documents[i];
        if (d->job != job) {
            continue;
        }
        d->job = NULL;
        if (is_wanted) {
            ngrams_release(&d->ngrams);
            d->ngrams = job->ngrams;
            job->ngrams = (struct ngrams){0};
            drop_oldest_documents(p);
        }
        return;
    }
}

static void on_done(bool is_cancelled, void *user)
{
    struct job *job = user;
    if (job->predictor != NULL) {
        unlink_job(job->predictor, job);
        if (!is_cancelled) {
            hand_over(job->predictor, job);
        }
    }
    gate_unref(job->gate);
    ngrams_release(&job->ngrams);
    xfree(job->open_paths);
    xfree(job->text);
    xfree(job);
}

bool predictor_is_learning(const struct predictor *p)
{
    return p->jobs != NULL;
}

/* -- workspaces -- */

static bool is_open_path(const struct predictor *p, uint64_t hash)
{
    for (size_t i = 0; i < p->n_documents; i++) {
        if (p->documents[i]->path_hash == hash && p->documents[i]->path[0] != '\0') {
            return true;
        }
    }
    return false;
}

static void hide_open_files(struct predictor *p)
{
    for (size_t i = 0; i < p->n_roots; i++) {
        struct root *root = &p->roots[i];
        xfree(root->hidden);
        root->hidden = NULL;
        root->n_hidden = 0;
        for (uint32_t k = 0; k < root->ngrams.n_files; k++) {
            const struct ngram_file *file = &root->ngrams.files[k];
            if (is_open_path(p, file->hash)) {
                root->hidden = xrealloc(root->hidden, (root->n_hidden + 1) * sizeof(*root->hidden));
                root->hidden[root->n_hidden++] = (struct mix_span){file->start, file->end};
            }
        }
    }
}

static struct root *find_root(struct predictor *p, str path)
{
    for (size_t i = 0; i < p->n_roots; i++) {
        if (str_eq(str_from(p->roots[i].path), path)) {
            return &p->roots[i];
        }
    }
    if (p->n_roots == MAX_ROOTS) {
        return NULL;
    }
    struct root *root = &p->roots[p->n_roots++];
    *root = (struct root){.path = xstrndup(path.ptr, path.len)};
    return root;
}

void predictor_forget_workspaces(struct predictor *p)
{
    for (size_t i = 0; i < p->n_roots; i++) {
        cancel_job(p->roots[i].job);
        p->roots[i].job = NULL;
        ngrams_release(&p->roots[i].ngrams);
    }
    hide_open_files(p);
}

void predictor_learn_workspace(struct predictor *p, str path)
{
    while (path.len > 1 && path.ptr[path.len - 1] == '/') {
        path.len--;
    }
    struct root *root = path.len > 1 && path.ptr[0] == '/' ? find_root(p, path) : NULL;
    if (root == NULL) {
        log_info(LOG_PREDICT, "workspace not learned: %s",
                 path.len > 1 && path.ptr[0] == '/' ? "too many folders" : "no folder");
        return;
    }
    cancel_job(root->job);
    size_t own = ngrams_bytes(&root->ngrams);
    size_t others = roots_bytes(p) - own;
    size_t share = roots_share(p);
    struct job *job = start_job(p, path, true);
    job->max_bytes = share > others ? share - others : 0;
    if (own > job->max_bytes / 2) {
        ngrams_release(&root->ngrams);
        hide_open_files(p);
    }
    job->open_paths = xcalloc(p->n_documents + 1, sizeof(*job->open_paths));
    for (size_t i = 0; i < p->n_documents; i++) {
        job->open_paths[job->n_open_paths++] = p->documents[i]->path_hash;
    }
    root->job = job;
    (void)loop_job_start(p->loop, on_work, on_done, job);
}

/* -- documents -- */

static size_t find_document(const struct predictor *p, uint64_t document)
{
    size_t i = 0;
    while (i < p->n_documents && p->documents[i]->document != document) {
        i++;
    }
    return i;
}

/* The document's entry, moved to the front; NULL where there are too many. */
static struct learned *touch_document(struct predictor *p, uint64_t document)
{
    size_t i = find_document(p, document);
    if (i == p->n_documents) {
        if (p->n_documents >= DOCUMENTS_MAX) {
            return NULL;
        }
        if (p->n_documents == p->cap_documents) {
            p->cap_documents = p->cap_documents == 0 ? 16 : p->cap_documents * 2;
            p->documents = xrealloc(p->documents, p->cap_documents * sizeof(*p->documents));
        }
        struct learned *d = xcalloc(1, sizeof(*d));
        d->document = document;
        d->path = xstrndup("", 0);
        p->documents[p->n_documents++] = d;
    }
    struct learned *d = p->documents[i];
    memmove(p->documents + 1, p->documents, i * sizeof(*p->documents));
    p->documents[0] = d;
    return d;
}

void predictor_learn_document(struct predictor *p, uint64_t document, str path, str text)
{
    struct learned *d = touch_document(p, document);
    if (d == NULL) {
        return;
    }
    if (!str_eq(str_from(d->path), path)) {
        xfree(d->path);
        d->path = xstrndup(path.ptr, path.len);
        d->path_hash = hash_str(path);
        hide_open_files(p);
    }
    cancel_job(d->job);
    if (text.len > p->options.max_file_bytes) {
        d->job = NULL;
        ngrams_release(&d->ngrams);
        return;
    }
    d->job = start_job(p, text, false);
    d->job->document = document;
    d->job->max_bytes = documents_share(p) / 2;
    (void)loop_job_start(p->loop, on_work, on_done, d->job);
}

void predictor_forget_document(struct predictor *p, uint64_t document)
{
    size_t i = find_document(p, document);
    if (i == p->n_documents) {
        return;
    }
    struct learned *d = p->documents[i];
    cancel_job(d->job);
    p->n_documents--;
    memmove(p->documents + i, p->documents + i + 1, (p->n_documents - i) * sizeof(*p->documents));
    free_learned(d);
    hide_open_files(p);
}

/* -- asking -- */

static void add_sources(struct predictor *p, uint64_t document)
{
    struct mix *m = p->mix;
    m->params = &MIX_PARAMS;
    m->n_sources = 0;
    m->n_ids = 0;
    for (size_t i = 0; i < p->n_roots; i++) {
        size_t n = m->n_sources;
        mix_add(m, &p->roots[i].ngrams, MIX_WORKSPACE, 1);
        if (m->n_sources > n) {
            m->sources[n].hidden = p->roots[i].hidden;
            m->sources[n].n_hidden = p->roots[i].n_hidden;
        }
    }
    size_t n_others = 0;
    for (size_t i = 0; i < p->n_documents; i++) {
        struct learned *d = p->documents[i];
        if (d->document == document && document != 0) {
            mix_add(m, &d->ngrams, MIX_DOCUMENT, 1);
        } else if (d->ngrams.n_tokens > 0 && n_others < MAX_OTHER_DOCUMENTS) {
            mix_add(m, &d->ngrams, MIX_WORKSPACE, OTHER_DOCUMENT_WEIGHT);
            n_others++;
        }
    }
}

struct prediction predictor_suggest(struct predictor *p, const struct prediction_place *place,
                                    struct arena *arena)
{
    if (p->mix == NULL) {
        p->mix = xcalloc(1, sizeof(*p->mix));
    }
    add_sources(p, place->document);
    struct prediction out = suggest(p->mix, &p->scope, place, arena);
    p->n_asked++;
    p->n_answered += out.text.len > 0;
    return out;
}

struct predictor_stats predictor_stats(const struct predictor *p)
{
    struct predictor_stats s = {.n_asked = p->n_asked, .n_answered = p->n_answered};
    for (size_t i = 0; i < p->n_roots; i++) {
        s.n_files += p->roots[i].ngrams.n_files;
        s.n_tokens += p->roots[i].ngrams.n_tokens;
    }
    s.n_bytes = roots_bytes(p) + documents_bytes(p) + ngrams_bytes(&p->scope) + sizeof(*p) +
                (p->mix != NULL ? sizeof(*p->mix) : 0);
    return s;
}
