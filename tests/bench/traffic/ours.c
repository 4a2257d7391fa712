/* ours.c - the engine as a policy: the editor's requests become questions, as lsp/inline.c has it.
 *
 * Rules What the engine shows is checked here too: an answer that comes after a later edit is as
 *       wrong as one that doesn't fit. */
#include "core/base/memory.h"
#include "tests/bench/traffic/traffic.h"

static struct {
    struct engine *engine;
    struct settings *settings;
    const struct place *place;
    uint64_t question; /* the open one, 0 for none */
    bool cancels;
} ours;

/* What the sink of one question knows. */
struct asked_for {
    size_t state;
};

void ours_begin(const struct policy *p, const struct place *place)
{
    struct settings_builder *b = settings_builder_create();
    ours.settings = settings_builder_snapshot(b);
    settings_builder_destroy(b);
    ours.place = place;
    ours.question = 0;
    ours.engine = world_engine(place->documents, ours.settings, place, &p->off);
}

void ours_end(void)
{
    world_engine_end(ours.engine);
    settings_unref(ours.settings);
}

static void on_done(const struct answer *answer, const struct error *error, void *user)
{
    struct asked_for *a = user;
    if (a->state == ours.place->state) {
        ours.question = 0;
        if (error == NULL && answer->text.len > 0) {
            answer_shown(ours.place, answer->text, answer->n_replace);
        } else if (error == NULL) {
            screen_clear();
        }
    } else if (error == NULL) {
        score.n_wrong++; /* older than the newest edit */
    }
    xfree(a);
}

void ours_ask(const struct place *place)
{
    if (ours.question != 0) {
        engine_cancel(ours.engine, ours.question);
        world_turn();
    }
    struct asked_for *a = xcalloc(1, sizeof *a);
    a->state = place->state;
    struct question q = {.kind = QUESTION_INLINE,
                         .document = place->doc->id,
                         .cursor = place->cursor,
                         .selected_start = place->cursor};
    struct sink sink = {.on_done = on_done, .user = a};
    ours.question = engine_ask(ours.engine, &q, &sink);
    world_turn();
}
