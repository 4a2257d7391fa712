/* doctor_settings.c - findings about files of settings and the program's folders. */
#include "core/report/doctor_internal.h"

#include "core/base/limits.h"

/* -- settings -- */

static void find_problems(struct doctor *d, const struct doctor_file *f, const char *id)
{
    for (size_t i = 0; i < f->n_problems; i++) {
        const struct settings_problem *p = &f->problems[i];
        doctor_find(d, id, FINDING_WARN, p->path.len > 0 ? p->path : f->path, STR_FMT,
                    STR_ARG(p->msg));
        if (p->path.len > 0) {
            doctor_next(d, "correct it in " STR_FMT "; until then it counts for nothing",
                        STR_ARG(f->path));
        } else {
            doctor_next(d, "correct it; until then nothing in it counts");
        }
    }
}

void doctor_check_settings(struct doctor *d, const struct doctor_file *user)
{
    if (user->path.len == 0) {
        doctor_find(d, "settings.file", FINDING_WARN, STR("settings"),
                    "there is no HOME to look for them in; the defaults are in force");
        return;
    }
    if (user->err == ERR_NOT_FOUND && user->named_by != NULL) {
        doctor_find(d, "settings.file", FINDING_WARN, user->path,
                    "isn't there, though %s names it; the defaults are in force", user->named_by);
        doctor_next(d, "correct the path, or make the file");
    } else if (user->err == ERR_NOT_FOUND) {
        doctor_find(d, "settings.file", FINDING_OK, STR("settings"),
                    "no file of your own (" STR_FMT "); the defaults are in force",
                    STR_ARG(user->path));
    } else if (user->n_problems == 0) {
        doctor_find(d, "settings.file", FINDING_OK, STR("settings"),
                    "read from " STR_FMT ", every key known", STR_ARG(user->path));
    }
    find_problems(d, user, user->err == ERR_OK ? "settings.key" : "settings.file");
}

/* -- the workspace's file -- */

static void list(struct buf *out, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void list(struct buf *out, const char *fmt, ...)
{
    va_list args;
    buf_append(out, out->len > 0 ? STR(", ") : STR(""));
    va_start(args, fmt);
    buf_vappendf(out, fmt, args);
    va_end(args);
}

static void list_languages(struct buf *out, const struct settings *own,
                           const struct settings *whole)
{
    for (size_t i = 0; i < whole->n_languages_off; i++) {
        if (settings_language_is_on(own, whole->languages_off[i])) {
            list(out, "suggestions for " STR_FMT, STR_ARG(whole->languages_off[i]));
        }
    }
}

void doctor_check_project(struct doctor *d, const struct doctor_file *project,
                          const struct settings *own, const struct settings *whole)
{
    struct buf off, less;
    buf_init(&off, KIB);
    buf_init(&less, KIB);
    find_problems(d, project, "settings.project");
    bool is_off = own->inline_enabled && !whole->inline_enabled;
    if (is_off) {
        list(&off, "everything in this folder (enable)");
    }
    list_languages(&off, own, whole);
    if (whole->n_privacy_exclude > own->n_privacy_exclude) {
        list(&off, "files of %zu patterns (exclude)",
             whole->n_privacy_exclude - own->n_privacy_exclude);
    }
    if (whole->inline_max_tokens < own->inline_max_tokens) {
        list(&less, "inline.maxTokens to %u", whole->inline_max_tokens);
    }
    if (whole->inline_file_bytes < own->inline_file_bytes) {
        list(&less, "limits.inlineFileMb to %.1f", (double)whole->inline_file_bytes / MIB);
    }
    if (off.len > 0) {
        doctor_find(d, "settings.project", is_off ? FINDING_FAIL : FINDING_WARN, project->path,
                    "switches off: %s%s%s", buf_cstr(&off), less.len > 0 ? "; lowers " : "",
                    buf_cstr(&less));
        doctor_next(d, "if that isn't intended, take it out of that file");
    } else if (less.len > 0) {
        doctor_find(d, "settings.project", FINDING_OK, project->path, "lowers %s", buf_cstr(&less));
    }
    buf_release(&off);
    buf_release(&less);
    if (!own->inline_enabled) {
        doctor_find(d, "settings.off", FINDING_FAIL, STR("settings"),
                    "completions are switched off (inline.enabled)");
        doctor_next(d, "in your own file");
        doctor_command(d, "\"inline\": { \"enabled\": true }");
    }
}

/* -- folders -- */

void doctor_check_folder(struct doctor *d, const struct doctor_folder *f)
{
    str subject = str_from(f->what);
    int len = (int)f->path.len;
    const char *path = f->path.len > 0 ? f->path.ptr : "";
    struct buf word;
    buf_init(&word, 16 * KIB);
    doctor_quote(f->path, &word);
    switch (f->state) {
    case FOLDER_FINE:
        doctor_find(d, f->id, FINDING_OK, subject, "%.*s: yours alone", len, path);
        break;
    case FOLDER_TO_BE_MADE:
        doctor_find(d, f->id, FINDING_OK, subject, "%.*s: will be made when it is needed", len,
                    path);
        break;
    case FOLDER_IMPOSSIBLE:
        doctor_find(d, f->id, FINDING_WARN, subject, "%.*s isn't there and can't be made: %s", len,
                    path, f->lost);
        doctor_next(d, "make the folder above it, and let yourself write there");
        break;
    case FOLDER_NO_FOLDER:
        doctor_find(d, f->id, FINDING_WARN, subject, "%.*s is no folder: %s", len, path, f->lost);
        doctor_next(d, "move away what is there");
        doctor_command(d, "mv %s %s.old", buf_cstr(&word), buf_cstr(&word));
        break;
    case FOLDER_FOREIGN:
        doctor_find(d, f->id, FINDING_WARN, subject, "%.*s belongs to somebody else: %s", len, path,
                    f->lost);
        doctor_next(d, "it is not used; remove it, or ask who made it to");
        break;
    case FOLDER_OPEN:
        doctor_find(d, f->id, FINDING_WARN, subject, "others may look into %.*s: %s", len, path,
                    f->lost);
        doctor_next(d, "close it to them");
        doctor_command(d, "chmod 700 %s", buf_cstr(&word));
        break;
    case FOLDER_READ_ONLY:
        doctor_find(d, f->id, FINDING_WARN, subject, "%.*s can't be written to: %s", len, path,
                    f->lost);
        doctor_next(d, "let yourself write there");
        doctor_command(d, "chmod 700 %s", buf_cstr(&word));
        break;
    }
    buf_release(&word);
}
