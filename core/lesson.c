/* lesson.c - when the text of an open document is learned by the predictor.
 *
 * Why   Learning costs a copy of the text on the loop's thread, so it waits for a pause in typing.
 * How   A document that was asked about gets a lesson: due at once the first time, after each edit
 *       as soon as the person has paused. */
#include "core/base/clock.h"
#include "core/base/limits.h"
#include "core/engine_internal.h"

#define LEARN_IDLE_US MS_TO_US(800) /* a pause in typing that is long enough to learn in */

static struct lesson *lesson_of(struct engine *e, uint64_t document)
{
    struct lesson *l;
    HASH_FIND(hh, e->lessons, &document, sizeof(document), l);
    if (l == NULL) {
        l = xcalloc(1, sizeof(*l));
        l->document = document;
        l->learned_revision = UINT64_MAX;
        l->due_us = CLOCK_NEVER;
        HASH_ADD(hh, e->lessons, document, sizeof(l->document), l);
    }
    return l;
}

static void learn(struct engine *e, struct lesson *l)
{
    struct open_document *doc = documents_find(e->options.documents, l->document);
    l->due_us = CLOCK_NEVER;
    if (doc == NULL || doc->is_excluded || e->options.predictor == NULL ||
        document_len(doc->text) > e->settings->context_file_bytes ||
        document_revision(doc->text) == l->learned_revision) {
        return;
    }
    struct buf scratch;
    buf_init(&scratch, DOCUMENT_MAX_BYTES);
    str text = document_slice(doc->text, 0, document_len(doc->text), &scratch);
    predictor_learn_document(e->options.predictor, doc->id, doc->path, text);
    l->learned_revision = document_revision(doc->text);
    buf_release(&scratch);
}

void lesson_begin(struct engine *e, uint64_t document, uint64_t now_us)
{
    struct lesson *l = lesson_of(e, document);
    if (l->learned_revision == UINT64_MAX) {
        l->due_us = now_us;
    }
}

bool lesson_on_edit(struct engine *e, uint64_t document, uint64_t now_us)
{
    struct lesson *l;
    HASH_FIND(hh, e->lessons, &document, sizeof(document), l);
    if (l == NULL) {
        return false;
    }
    bool was_idle = l->due_us == CLOCK_NEVER;
    l->due_us = now_us + LEARN_IDLE_US;
    return was_idle;
}

void lesson_forget(struct engine *e, uint64_t document)
{
    struct lesson *l;
    HASH_FIND(hh, e->lessons, &document, sizeof(document), l);
    if (e->options.predictor != NULL) {
        predictor_forget_document(e->options.predictor, document);
    }
    if (l != NULL) {
        HASH_DELETE(hh, e->lessons, l);
        xfree(l);
    }
}

uint64_t lessons_next_us(const struct engine *e)
{
    uint64_t at_us = CLOCK_NEVER;
    for (const struct lesson *l = e->lessons; l != NULL; l = l->hh.next) {
        at_us = l->due_us < at_us ? l->due_us : at_us;
    }
    return at_us;
}

void lessons_tick(struct engine *e, uint64_t now_us)
{
    struct lesson *l, *next;
    HASH_ITER(hh, e->lessons, l, next)
    {
        if (l->due_us <= now_us) {
            learn(e, l);
        }
    }
}

void lessons_release(struct engine *e)
{
    struct lesson *l, *next;
    HASH_ITER(hh, e->lessons, l, next)
    {
        HASH_DELETE(hh, e->lessons, l);
        xfree(l);
    }
}
