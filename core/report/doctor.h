/* doctor.h - what is wrong, in words, and what to do about it.
 *
 * A doctor collects findings. Each check is told facts and adds the findings that follow from
 * them; none of them looks at anything itself, so each can be tested without a network. FAIL is a
 * finding that keeps the main job, completing while typing, from being done; warn is everything
 * else that a person should know about. As JSON a report is an array of
 *   {"id": "endpoint.nothing_listens", "status": "ok" | "warn" | "FAIL", "subject": "here",
 *    "finding": one sentence, "next": what to do, empty where there is nothing to do}
 * whose ids are stable; members are only ever added. */
#ifndef CRUCIBLE_REPORT_DOCTOR_H
#define CRUCIBLE_REPORT_DOCTOR_H

#include "core/base/arena.h"
#include "core/base/json.h"
#include "core/base/json_write.h"
#include "core/model/hardware.h"
#include "core/model/route.h"
#include "core/settings/settings.h"

enum finding_status { FINDING_OK, FINDING_WARN, FINDING_FAIL };
/* "ok", "warn", "FAIL". */
const char *finding_status_name(enum finding_status status);

struct finding { /* strings in the doctor's arena, all of them cleaned of controls */
    const char *id;
    enum finding_status status;
    str subject; /* what was looked at */
    str finding; /* what was found */
    str next;    /* what to do, in words; empty for nothing */
    str command; /* ... and the command or setting that does it, to be pasted; may be empty */
};

struct doctor_options {
    /* Appends the command that makes `model` available to a server of that kind; false where none
     * is known. NULL: none is known of any. */
    bool (*get_command)(str kind, str model, struct buf *out);
    /* Whether a program of that name is installed. NULL: none is known to be. */
    bool (*can_run)(const char *name);
    struct hardware_memory memory;
    const struct provider_ops *const *providers; /* keeps; for the ports they are served on */
    int64_t now_s;                               /* wall clock, since 1970 */
};
struct doctor;
struct doctor *doctor_create(const struct doctor_options *options);
void doctor_destroy(struct doctor *d);
/* Findings so far, in the order in which they were made; borrowed until the next check. */
size_t doctor_findings(const struct doctor *d, const struct finding **out);
size_t doctor_count(const struct doctor *d, enum finding_status status);
void doctor_write_json(const struct doctor *d, struct json_writer *w);

/* -- doctor_settings.c: files and folders -- */
struct doctor_file {      /* of settings */
    str path;             /* empty: there is no home to look in */
    const char *named_by; /* "--config"; NULL: the usual place */
    enum err err;         /* of reading it */
    const struct settings_problem *problems;
    size_t n_problems;
};
void doctor_check_settings(struct doctor *d, const struct doctor_file *user);
/* What the workspace's file is wrong about, and what it has switched off: `own` is what is in
 * force without it, `whole` with it. */
void doctor_check_project(struct doctor *d, const struct doctor_file *project,
                          const struct settings *own, const struct settings *whole);

enum folder_state {
    FOLDER_FINE,
    FOLDER_TO_BE_MADE, /* isn't there, and can be made */
    FOLDER_IMPOSSIBLE, /* isn't there, and can't be made */
    FOLDER_NO_FOLDER,  /* something else is */
    FOLDER_FOREIGN,    /* belongs to somebody else */
    FOLDER_OPEN,       /* others may look into it or write */
    FOLDER_READ_ONLY
};
struct doctor_folder {
    const char *id;   /* "folder.cache" */
    const char *what; /* "cache folder" */
    const char *lost; /* what doesn't work without it: "answers aren't kept on disk" */
    str path;
    enum folder_state state;
};
void doctor_check_folder(struct doctor *d, const struct doctor_folder *f);

/* -- doctor_endpoint.c: is it there, does it let us in -- */
/* `es` is what the settings say of it, NULL for one that was found by itself. `is_needed`: no
 * other endpoint serves typing. */
void doctor_check_endpoint(struct doctor *d, const struct endpoint *e,
                           const struct endpoint_settings *es, bool is_needed);
/* An endpoint of a kind that this program doesn't speak. */
void doctor_check_kind(struct doctor *d, const struct endpoint_settings *es);

/* -- doctor_ports.c: where servers are looked for -- */
/* What listens on this machine's usual ports, where the settings name no endpoints. `is_needed`:
 * they want a model server. */
void doctor_check_ports(struct doctor *d, const struct upstream *u, bool is_needed);
/* Names of the environment that send connections through a proxy. NULL-terminated, those that are
 * set. */
void doctor_check_proxies(struct doctor *d, const struct upstream *u, const struct settings *s,
                          const char *const *variables);

/* -- doctor_privacy.c: who may be sent code -- */
/* What a running server says of itself (the answer to crucible/stats): endpoints that it may not
 * use, which only it knows, since editors name endpoints as well. */
void doctor_check_server(struct doctor *d, struct json stats);
/* Who may be sent code, and by which rule; one finding for each. */
void doctor_check_privacy(struct doctor *d, const struct upstream *u, const struct settings *s);

/* -- doctor_model.c: is the model the right one, and does it do its work -- */
/* What the settings name for the role and isn't there; whether nothing serves it. */
void doctor_check_role(struct doctor *d, const struct upstream *u, const struct settings *s,
                       const struct route *r);
/* Where modelOptions.fim names a template: whether there is one, and whether the model's tokenizer,
 * as far as it was told, knows its tokens. */
void doctor_check_template(struct doctor *d, const struct upstream *u, const struct settings *s,
                           const struct route *r);
/* Whether a full window and its answer fit into what the model takes. */
void doctor_check_context(struct doctor *d, const struct upstream *u, const struct settings *s,
                          const struct route *r);

struct doctor_load { /* of the model that a role needs */
    uint64_t took_ms;
    const struct error *error; /* NULL: it is loaded */
    bool is_over;              /* else it is still loading */
};
void doctor_check_load(struct doctor *d, const struct route *r, const struct doctor_load *load);

/* -- doctor_trial.c: what it does when it is asked -- */
/* A small document with a hole whose content nobody has to guess. */
struct doctor_hole {
    const char *file; /* name, which says the language */
    const char *before, *after;
    const char *answers[3]; /* any of them in the text, blanks aside; NULL-terminated */
};
/* The hole at `idx`, NULL past the last. */
const struct doctor_hole *doctor_hole(size_t idx);
enum hole_verdict {
    HOLE_RIGHT,
    HOLE_CODE, /* something else, that may be code */
    HOLE_CHAT, /* prose, markup, or the text from before the hole again */
    HOLE_NOTHING
};
enum hole_verdict doctor_judge(const struct doctor_hole *hole, str text);

#define DOCTOR_MAX_TRIES 3u
struct doctor_trial { /* of one role: what came of asking for real */
    unsigned n_tries;
    struct {
        enum hole_verdict verdict;
        str text; /* as it would have been shown; borrowed */
    } tries[DOCTOR_MAX_TRIES];
    const struct error *error;    /* of the last one; NULL: it was answered */
    str why;                      /* the trace's line of the last one */
    uint64_t first_ms, total_ms;  /* of the last one that was answered */
    uint64_t n_pauses, pauses_us; /* of struct upstream_stats, over all tries */
};
void doctor_check_trial(struct doctor *d, const struct upstream *u, const struct route *r,
                        const struct doctor_trial *t);
/* The chat's: tries[0].text is what came, judged by whether it holds `expected`. */
void doctor_check_chat(struct doctor *d, const struct route *r, const struct doctor_trial *t,
                       str expected);

struct doctor_vectors { /* of two texts of one meaning, and a third */
    size_t n_dims;
    double alike, other; /* cosines: of the two, of the first with the third */
    uint64_t took_ms;
    const struct error *error; /* NULL: they came */
};
void doctor_check_vectors(struct doctor *d, const struct route *r, const struct doctor_vectors *v);

struct doctor_context {     /* how a model was loaded, before and after the trial */
    str endpoint, model;    /* names, for people */
    uint64_t wanted;        /* modelOptions.numCtx, 0: as the server has it */
    uint64_t before, after; /* tokens; 0: not loaded, or not said */
};
void doctor_check_contention(struct doctor *d, const struct doctor_context *c);

#endif
