/* rhythm.c - when a model isn't asked yet, since the next key would make it unnecessary.
 *
 * Why   Who deletes goes on deleting: each key leads to a place that nothing leads through, and the
 *       next one comes before the model has said a word. Typing forward needs no such wait: what
 *       was asked for is ridden, also before its first token.
 * How   After a deletion a take-off waits for half as long again as this person usually takes from
 *       a deletion to the next key, but no longer than the model takes to begin an answer: where
 *       that is fast, little is lost by asking. A number in inline.debounce is waited for after
 *       every edit instead.
 * Rules Counted from the edit, so that an editor which waits by itself waits no longer. Riding, the
 *       cache and the predictor's sure word never wait; nor does who asked by a command. */
#include "core/base/clock.h"
#include "core/engine_internal.h"

#define GAP_MAX_US   MS_TO_US(400) /* a longer one is no rhythm but a thought */
#define GAP_USUAL_US MS_TO_US(110) /* before anything is known of the person */
#define HOLD_MAX_US  MS_TO_US(160)
#define SMOOTHING    8u /* a new value counts one part in so many */

void rhythm_on_edit(struct engine *e, uint64_t document, const struct edit *edit, uint64_t now_us)
{
    struct rhythm *r = &e->rhythm;
    uint64_t gap_us = now_us - r->edited_us;
    if (r->is_erasing && r->document == document && gap_us < GAP_MAX_US) {
        r->gap_us = metrics_smoothed(r->gap_us, gap_us, SMOOTHING);
    }
    r->document = document;
    r->edited_us = now_us;
    r->is_erasing = edit->n_removed > edit->n_inserted;
}

void rhythm_on_first(struct engine *e, uint64_t first_us)
{
    e->rhythm.first_us = metrics_smoothed(e->rhythm.first_us, first_us, SMOOTHING);
}

void rhythm_on_end(struct engine *e, uint64_t busy_us)
{
    e->rhythm.busy_us = metrics_smoothed(e->rhythm.busy_us, busy_us, SMOOTHING);
}

uint64_t rhythm_hold_us(const struct engine *e, const struct asked *a)
{
    const struct rhythm *r = &e->rhythm;
    int fixed_ms = a->settings->inline_debounce_ms;
    if (e->options.off.hold || a->is_explicit || a->kind != QUESTION_INLINE ||
        r->document != a->document) {
        return 0;
    }
    if (fixed_ms != SETTINGS_AUTO) {
        return r->edited_us + MS_TO_US(fixed_ms);
    }
    if (!r->is_erasing) {
        return 0;
    }
    uint64_t gap_us = r->gap_us > 0 ? r->gap_us : GAP_USUAL_US;
    uint64_t hold_us = gap_us + gap_us / 2;
    uint64_t most_us = r->first_us > 0 && r->first_us < HOLD_MAX_US ? r->first_us : HOLD_MAX_US;
    return r->edited_us + (hold_us < most_us ? hold_us : most_us);
}
