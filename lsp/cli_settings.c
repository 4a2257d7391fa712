/* cli_settings.c - the settings as a command reads them.
 *
 * Why      Most commands want settings and a word about what is wrong with them; the one that looks
 *          for what is wrong wants every problem, and what the workspace's file changed.
 * How      One builder, read from twice; a snapshot after each file.
 * Rules    The order is that of a session. A workspace's file that is wrong narrows nothing. */
#include "lsp/cli_settings.h"

#include <errno.h>
#include <unistd.h>

#include "lsp/cli.h"

static void keep_problems(struct cli_settings *s, struct cli_settings_file *file,
                          const struct settings_builder *builder)
{
    const struct settings_problem *problems;
    size_t n = settings_builder_problems(builder, &problems);
    struct settings_problem *kept = arena_alloc(&s->arena, (n + 1) * sizeof *kept);
    for (size_t i = 0; i < n; i++) {
        kept[i].source = problems[i].source;
        kept[i].path = arena_dup(&s->arena, problems[i].path);
        kept[i].msg = arena_dup(&s->arena, problems[i].msg);
    }
    file->problems = kept;
    file->n_problems = n;
}

static void read_file(struct cli_settings *s, struct cli_settings_file *file,
                      struct settings_builder *builder, enum settings_source source)
{
    file->err =
        file->path.len > 0 ? settings_builder_read(builder, source, file->path.ptr) : ERR_NOT_FOUND;
    if (file->path.len > 0) {
        keep_problems(s, file, builder);
    }
}

void cli_settings_read(struct cli_settings *s, const char *config, str root)
{
    const char *from_env = getenv("CRUCIBLE_CONFIG");
    *s = (struct cli_settings){0};
    s->named_by = config != NULL                            ? "--config"
                  : from_env != NULL && from_env[0] != '\0' ? "$CRUCIBLE_CONFIG"
                                                            : NULL;
    s->user.path = settings_user_path(str_from(config), &s->arena);
    s->project.path = arena_printf(&s->arena, STR_FMT "/.crucible.json", STR_ARG(root));
    struct settings_builder *builder = settings_builder_create();
    read_file(s, &s->user, builder, SETTINGS_USER_FILE);
    s->own = settings_builder_snapshot(builder);
    read_file(s, &s->project, builder, SETTINGS_PROJECT);
    s->whole = settings_builder_snapshot(builder);
    settings_builder_destroy(builder);
}

int cli_settings_tell(const struct cli_settings *s)
{
    str path = s->user.path;
    if (s->named_by != NULL && access(path.ptr, R_OK) != 0) {
        return cli_fail(STR_FMT ": %s (named by %s)", STR_ARG(path), strerror(errno), s->named_by);
    }
    for (size_t i = 0; i < s->user.n_problems; i++) {
        const struct settings_problem *p = &s->user.problems[i];
        (void)cli_fail(STR_FMT ": " STR_FMT "%s" STR_FMT, STR_ARG(path), STR_ARG(p->path),
                       p->path.len > 0 ? ": " : "", STR_ARG(p->msg));
    }
    if (s->named_by == NULL || s->user.err == ERR_OK) {
        return CLI_OK;
    }
    return s->user.n_problems > 0
               ? CLI_FAILED
               : cli_fail(STR_FMT ": can't be read: %s", STR_ARG(path), err_name(s->user.err));
}

void cli_settings_release(struct cli_settings *s)
{
    settings_unref(s->own);
    settings_unref(s->whole);
    arena_release(&s->arena);
    *s = (struct cli_settings){0};
}
