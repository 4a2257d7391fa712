/* task.h - one thing that a person has a model do: from the pick to the edit or the explanation.
 *
 *     ASKING --text--> HELD ----picked----> APPLYING --> gone
 *        |     |         (resolved, and the command hasn't come yet)
 *        |     +-> DECIDING ("apply anyway?") -> APPLYING
 *        +-> gone: an error told, an explanation shown, cancelled
 *
 * A task is begun by a command, or by resolving a code action. Who resolves is answered with the
 * edit where the text comes within TASK_RESOLVE_US; else with the command that goes on with the
 * same task, so that no editor stands still. Either way there is one edit, in the range that was
 * asked about, or none. Edits of the document meanwhile shift the range and make the task ask
 * before it applies anything.
 *
 * task.c begins and ends tasks, edits.c brings text into documents, answers.c shows explanations.
 */
#ifndef CRUCIBLE_LSP_TASK_H
#define CRUCIBLE_LSP_TASK_H

#include "core/prompt/action.h"
#include "lsp/progress.h"
#include "lsp/session.h"

#define TASK_RESOLVE_US SEC_TO_US(3)  /* an editor may stand still while it resolves */
#define TASK_HELD_US    SEC_TO_US(60) /* how long a finished edit waits for its command */

enum task_state { TASK_ASKING, TASK_HELD, TASK_DECIDING, TASK_APPLYING, TASK_OVER };

struct task {
    struct session *session;
    uint64_t id;
    enum task_state state;
    struct arena arena;   /* owned: the strings below */
    struct action action; /* copies in the arena */
    str token, title, uri;
    uint64_t document;
    uint64_t revision;          /* when it was asked */
    struct subject_range range; /* the text that was asked about, shifted by edits */
    size_t insert_at;           /* of inserts, shifted by edits */
    bool is_below;
    bool has_moved; /* the document was edited since */
    bool is_closed; /* it was closed */
    uint64_t prompt_hash;
    uint64_t question; /* 0: answered */

    /* of a code action that is being resolved */
    struct rpc_call *resolve; /* deferred; NULL: none, or answered */
    str item;                 /* the code action as JSON */
    struct loop_timer *timer; /* owned */
    bool is_picked;           /* a command has come for it: the edit may be applied */

    struct progress *progress; /* owned */
    struct buf text;           /* what is put into the document */
    uint64_t shown_us;         /* when an explanation was last sent */
    struct loop_timer *frame;  /* owned; for the next one */
    struct buf answer;         /* the explanation as the model says it */
    unsigned n_asked;          /* requests to the editor that aren't answered: holds the task */
    struct task *next, **at;
};

/* -- task.c -- */
/* What a command's or a code action's argument says. */
struct task_order {
    struct action action;
    str uri;
    struct session_document *doc;
    struct open_document *open;
    struct subject_range range; /* that was asked about; what stands there, where it was empty */
    struct subject_range symbol;
    str instruction;
    str diagnostics;
};
/* Reads {uri, range, version?, instruction?, diagnostics?, action?} for the action of that name.
 * Strings live in the arena or the message. */
NODISCARD enum err task_read_order(struct session *s, str name, struct json argument,
                                   struct arena *arena, struct task_order *out, struct error *why);
/* Begins a task. `resolve`: NULL, or a request to resolve the code action `item`, which is deferred
 * and will be answered. */
void task_begin(struct session *s, const struct task_order *order, struct rpc_call *resolve,
                str item);
/* The task whose id a command's argument names has been picked; false where there is none. */
bool task_go_on(struct session *s, uint64_t id);
void task_cancel(struct task *t);
/* Says what went wrong to whoever waits, and ends the task. */
void task_fail(struct task *t, const struct error *error);
/* Ends it without a word but the progress's. */
void task_end(struct task *t, str last_word);
/* A request to the editor was answered: the task may go now. */
void task_let_go(struct task *t);

/* -- edits.c -- */
/* The answer is whole: makes the text to put in of it. */
NODISCARD enum err edits_make(struct task *t, const struct open_document *doc, str answer,
                              struct error *why);
/* Applies the text, or asks first where the document has moved on. */
void edits_apply(struct task *t);
/* Writes a WorkspaceEdit with the one change. */
void edits_write(const struct task *t, const struct open_document *doc, struct json_writer *w);

/* -- answers.c -- */
/* The explanation has grown, or is whole (is_done). */
void answers_show(struct task *t, str spoken, bool is_done);
/* Appends a line where the answer was given to a similar question, so that nobody takes it for one
 * about the code as it is now. */
void answers_note(const struct answer *answer, struct buf *markdown);
/* It failed: who shows answers hears of it there. False where the person has to be told otherwise.
 */
bool answers_fail(struct task *t, str message);
/* Removes the files that explanations were shown in. */
void answers_release(struct session *s);

#endif
