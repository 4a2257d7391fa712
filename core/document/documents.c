/* documents.c - the open documents, by id.
 *
 * Why      Requests outlive documents, so they hold an id that stops resolving, never a pointer.
 * How      A hash table from id to an entry that owns the document and copies of its names.
 * Rules    Ids count up from 1. The observer hears of an edit after it was made, and of a document
 *          that closes (also by documents_destroy) while it can still be read. */
#include "core/document/documents.h"

#include "core/base/limits.h"
#include "core/base/map.h"

struct entry {
    struct open_document doc; /* path and language owned */
    UT_hash_handle hh;
};

struct documents {
    struct entry *by_id; /* owned */
    uint64_t last_id;
    documents_fn *fn; /* may be NULL */
    void *user;
    struct buf removed; /* of the edit that is being told */
};

static str dup_str(str s)
{
    return str_of(xstrndup(s.len > 0 ? s.ptr : "", s.len), s.len);
}

static struct entry *find_entry(struct documents *ds, uint64_t id)
{
    struct entry *e = NULL;
    HASH_FIND(hh, ds->by_id, &id, sizeof id, e);
    return e;
}

static void tell(const struct documents *ds, const struct open_document *doc,
                 const struct edit *edit)
{
    if (ds->fn) {
        ds->fn(doc, edit, ds->user);
    }
}

static void forget(struct documents *ds, struct entry *e)
{
    tell(ds, &e->doc, NULL);
    HASH_DEL(ds->by_id, e);
    document_destroy(e->doc.text);
    xfree((char *)(uintptr_t)e->doc.path.ptr);
    xfree((char *)(uintptr_t)e->doc.language.ptr);
    xfree(e);
}

struct documents *documents_create(void)
{
    struct documents *ds = xcalloc(1, sizeof *ds);
    buf_init(&ds->removed, EDIT_KEPT_BYTES);
    return ds;
}

void documents_destroy(struct documents *ds)
{
    if (!ds) {
        return;
    }
    struct entry *e, *next;
    HASH_ITER(hh, ds->by_id, e, next)
    {
        forget(ds, e);
    }
    buf_release(&ds->removed);
    xfree(ds);
}

void documents_observe(struct documents *ds, documents_fn *fn, void *user)
{
    ds->fn = fn;
    ds->user = user;
}

enum err documents_open(struct documents *ds, str path, str language, str text, uint64_t *out_id)
{
    if (text.len > DOCUMENT_MAX_BYTES || documents_count(ds) >= DOCUMENTS_MAX) {
        return ERR_TOO_LARGE;
    }
    struct entry *e = xcalloc(1, sizeof *e);
    e->doc.id = ++ds->last_id;
    e->doc.path = dup_str(path);
    e->doc.language = dup_str(language);
    e->doc.text = document_create(text);
    HASH_ADD(hh, ds->by_id, doc.id, sizeof e->doc.id, e);
    *out_id = e->doc.id;
    return ERR_OK;
}

void documents_close(struct documents *ds, uint64_t id)
{
    struct entry *e = find_entry(ds, id);
    if (e) {
        forget(ds, e);
    }
}

struct open_document *documents_find(struct documents *ds, uint64_t id)
{
    struct entry *e = find_entry(ds, id);
    return e ? &e->doc : NULL;
}

struct open_document *documents_next(struct documents *ds, uint64_t id)
{
    const struct entry *last = id > 0 ? find_entry(ds, id) : NULL;
    struct entry *e = id == 0 ? ds->by_id : last ? last->hh.next : NULL; /* in order of opening */
    return e ? &e->doc : NULL;
}

static bool is_inside_letter(char c)
{
    return ((unsigned char)c & 0xC0) == 0x80;
}

/* How much of `text` the document has at [start, end), which lies in at most two pieces. */
static size_t alike_before(const struct document *d, size_t start, size_t end, str text)
{
    size_t n = 0;
    for (size_t at = start; at < end && n < text.len && at == start + n;) {
        str piece = document_piece(d, at, end);
        size_t k = 0;
        while (k < piece.len && n < text.len && piece.ptr[k] == text.ptr[n]) {
            k++;
            n++;
        }
        at += piece.len;
    }
    while (n > 0 && n < text.len && is_inside_letter(text.ptr[n])) {
        n--;
    }
    while (n > 0 && start + n < end && is_inside_letter(document_byte(d, start + n))) {
        n--;
    }
    return n;
}

static size_t alike_behind(const struct document *d, size_t start, size_t end, str text)
{
    str pieces[2];
    pieces[0] = document_piece(d, start, end);
    pieces[1] = document_piece(d, start + pieces[0].len, end);
    size_t n = 0;
    for (int i = 1; i >= 0; i--) {
        size_t k = pieces[i].len;
        while (k > 0 && n < text.len && pieces[i].ptr[k - 1] == text.ptr[text.len - n - 1]) {
            k--;
            n++;
        }
        if (k > 0) {
            break;
        }
    }
    while (n > 0 && is_inside_letter(text.ptr[text.len - n])) {
        n--;
    }
    return n;
}

/* The edit without what it leaves as it was. */
static struct edit narrowed(const struct document *d, size_t start, size_t end, str text)
{
    size_t before = alike_before(d, start, end, text);
    str rest = str_sub(text, before, text.len);
    size_t behind = alike_behind(d, start + before, end, rest);
    return (struct edit){.start = start + before,
                         .n_removed = end - start - before - behind,
                         .n_inserted = rest.len - behind};
}

enum err documents_edit(struct documents *ds, uint64_t id, size_t start, size_t end, str text)
{
    struct entry *e = find_entry(ds, id);
    if (!e) {
        return ERR_NOT_FOUND;
    }
    struct edit edit = narrowed(e->doc.text, start, end, text);
    buf_clear(&ds->removed);
    if (edit.n_removed <= EDIT_KEPT_BYTES) {
        document_copy(e->doc.text, edit.start, edit.start + edit.n_removed, &ds->removed);
    }
    enum err err = document_edit(e->doc.text, start, end, text);
    if (err == ERR_OK) {
        edit.removed = buf_str(&ds->removed);
        tell(ds, &e->doc, &edit);
    }
    return err;
}

size_t documents_count(const struct documents *ds)
{
    return HASH_COUNT(ds->by_id);
}
