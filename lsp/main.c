/* main.c - decides between serving an editor and running a command.
 *
 * Rules    A first argument that is no flag is a command, as are --version and --help. Flags that
 *          nobody knows are ignored with a line in the log, since editors append their own. */
#include <unistd.h>

#include "core/base/log.h"
#include "lsp/cli.h"
#include "lsp/server.h"

/* The value of `flag` at argv[*i]: behind '=' or the next argument; NULL where it isn't that flag
 * or has no value. */
static const char *value_of(const char *flag, int argc, char **argv, int *i)
{
    str arg = str_from(argv[*i]);
    str name = str_from(flag);
    if (str_eq(arg, name)) {
        return *i + 1 < argc ? argv[++*i] : NULL;
    }
    bool has_value = str_starts_with(arg, name) && arg.ptr[name.len] == '=';
    return has_value ? arg.ptr + name.len + 1 : NULL;
}

static bool read_option(struct server_options *options, int argc, char **argv, int *i)
{
    const struct {
        const char *flag;
        const char **value;
    } known[] = {{"--config", &options->config_path},
                 {"--log", &options->log_path},
                 {"--log-level", &options->log_level}};
    for (size_t k = 0; k < sizeof known / sizeof known[0]; k++) {
        const char *value = value_of(known[k].flag, argc, argv, i);
        if (value) {
            *known[k].value = value;
            return true;
        }
    }
    return str_eq(str_from(argv[*i]), STR("--stdio"));
}

static bool is_question(const char *arg)
{
    str s = str_from(arg);
    return str_eq(s, STR("--version")) || str_eq(s, STR("--help")) || str_eq(s, STR("-h"));
}

int main(int argc, char **argv)
{
    char help[] = "--help";
    if (argc > 1 && argv[1][0] != '-') {
        return cli_run(argc, argv);
    }
    struct server_options options = {.providers = provider_table};
    for (int i = 1; i < argc; i++) {
        if (is_question(argv[i])) {
            return cli_run(2, (char *[]){argv[0], argv[i][1] == 'h' ? help : argv[i], NULL});
        }
        if (!read_option(&options, argc, argv, &i)) {
            log_info(LOG_MAIN, "unknown flag ignored: %s", LOG_SAFE(str_from(argv[i])));
        }
    }
    if (isatty(STDIN_FILENO) && isatty(STDOUT_FILENO)) {
        (void)fprintf(stderr, "crucible-ls: waiting for an editor on standard input (Ctrl-D ends); "
                              "for people: crucible-ls --help\n");
    }
    return server_run(&options);
}
