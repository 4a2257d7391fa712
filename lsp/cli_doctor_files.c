/* cli_doctor_files.c - `doctor`: the files and folders of the program, as they are.
 *
 * Rules    Looks and touches nothing: a folder that is to be made is only judged by whether it
 *          could be. */
#include "lsp/cli_doctor.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/limits.h"
#include "lsp/socket.h"

static struct doctor_file file_of(const struct cli_settings_file *f, const char *named_by)
{
    return (struct doctor_file){.path = f->path,
                                .named_by = named_by,
                                .err = f->err,
                                .problems = f->problems,
                                .n_problems = f->n_problems};
}

/* Whether a folder of that path could be made: the nearest one above that is there takes it. */
static bool can_be_made(str path)
{
    struct buf above;
    buf_init(&above, 8 * KIB);
    buf_append(&above, path);
    bool can = false;
    while (above.len > 1) {
        while (above.len > 1 && above.ptr[above.len - 1] != '/') {
            buf_truncate(&above, above.len - 1);
        }
        buf_truncate(&above, above.len > 1 ? above.len - 1 : above.len);
        struct stat st;
        if (stat(buf_cstr(&above), &st) == 0) {
            can = S_ISDIR(st.st_mode) && access(buf_cstr(&above), W_OK | X_OK) == 0;
            break;
        }
    }
    buf_release(&above);
    return can;
}

static enum folder_state state_of(str path)
{
    struct stat st;
    if (lstat(path.ptr, &st) != 0) {
        return can_be_made(path) ? FOLDER_TO_BE_MADE : FOLDER_IMPOSSIBLE;
    }
    if (!S_ISDIR(st.st_mode)) {
        return FOLDER_NO_FOLDER;
    }
    if (st.st_uid != geteuid()) {
        return FOLDER_FOREIGN;
    }
    /* By its mode, too: to the superuser everything can be written. */
    if (access(path.ptr, W_OK | X_OK) != 0 || (st.st_mode & S_IWUSR) == 0) {
        return FOLDER_READ_ONLY;
    }
    return (st.st_mode & 077) != 0 ? FOLDER_OPEN : FOLDER_FINE;
}

/* "$XDG_…_HOME/crucible", or below `usual` in the home; empty where there is no home. */
static str folder_of(struct checkup *c, const char *variable, const char *usual)
{
    const char *given = getenv(variable);
    const char *home = getenv("HOME");
    if (given != NULL && given[0] == '/') {
        return arena_printf(&c->room.arena, "%s/crucible", given);
    }
    return home != NULL && home[0] == '/'
               ? arena_printf(&c->room.arena, "%s/%s/crucible", home, usual)
               : STR("");
}

static void check_folders(struct checkup *c)
{
    struct buf runtime;
    buf_init(&runtime, 4 * KIB);
    socket_folder(&runtime);
    struct doctor_folder folders[] = {
        {.id = "folder.runtime",
         .what = "runtime folder",
         .lost = "running servers can't be asked (crucible-ls status)",
         .path = buf_str(&runtime)},
        {.id = "folder.cache",
         .what = "cache folder",
         .lost = "nothing is kept on disk",
         .path = folder_of(c, "XDG_CACHE_HOME", ".cache")},
        {.id = "folder.state",
         .what = "state folder",
         .lost = "consent isn't remembered",
         .path = folder_of(c, "XDG_STATE_HOME", ".local/state")},
    };
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        if (folders[i].path.len > 0) {
            folders[i].state = state_of(folders[i].path);
            doctor_check_folder(c->doctor, &folders[i]);
        }
    }
    buf_release(&runtime);
}

void checkup_files(struct checkup *c)
{
    const struct cli_settings *read = &c->room.read;
    struct doctor_file user = file_of(&read->user, read->named_by);
    struct doctor_file project = file_of(&read->project, NULL);
    doctor_check_settings(c->doctor, &user);
    doctor_check_project(c->doctor, &project, read->own, read->whole);
    check_folders(c);
}

void checkup_proxies(const char *names[CHECKUP_PROXIES_MAX])
{
    static const char *const known[] = {"http_proxy", "https_proxy", "HTTPS_PROXY",
                                        "all_proxy",  "ALL_PROXY",   "HTTP_PROXY"};
    size_t n = 0;
    for (size_t i = 0; i < sizeof known / sizeof known[0] && n + 1 < CHECKUP_PROXIES_MAX; i++) {
        const char *value = getenv(known[i]);
        if (value != NULL && value[0] != '\0') {
            names[n++] = known[i];
        }
    }
    names[n] = NULL;
}
