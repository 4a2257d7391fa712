/* cli.c - the program's commands besides serving an editor.
 *
 * Why      A person who wonders what the server does, or whether it works at all, should find out
 *          without an editor in between.
 * How      One table of commands; each has a file of its own. What they share is here: reading
 *          options, and the form of messages.
 * Rules    --version and --help come before anything is opened, created or looked up. Results go
 *          to stdout, everything about them to stderr.
 * Extending one function and one line of the table per command. */
#include "lsp/cli.h"

#include <unistd.h>

#include "core/base/json_write.h"
#include "core/base/limits.h"
#include "core/settings/settings.h"
#include "lsp/terminal.h"

struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *usage;
    const char *does;
};
static const struct command commands[] = {
    {"complete", cli_complete, "FILE:LINE:COL [--model M] [--json] [--config FILE]",
     "one completion for a real file, streamed as it comes"},
    {"ask", cli_ask,
     "FILE[:LINE[-LINE]] --action explain|fix|document|tests|refactor [TEXT] [--model M] [--json]",
     "one explanation or edit of real code, streamed; --list shows the actions and their prompts"},
    {"status", cli_status, "[--json]", "what the running servers do, and why they did it"},
    {"models", cli_models, "[--json] [--config FILE]",
     "endpoints and models, what is loaded, and which serves what"},
    {"doctor", cli_doctor, "[--json] [--config FILE]",
     "tries it for real, and says what to do where something is wrong"},
    {"demo", cli_demo, "FILE [--seconds N] [--json] [--config FILE]",
     "typing replayed in a real file, with ghost text, and what it saved"},
};
#define N_COMMANDS (sizeof commands / sizeof commands[0])

static char last_failure[1024]; /* for cli_fail_json; a command fails once and ends */

__attribute__((format(printf, 1, 0))) static void fail_line(const char *fmt, va_list args)
{
    (void)vsnprintf(last_failure, sizeof last_failure, fmt, args);
    fprintf(stderr, "crucible-ls: %s\n", last_failure);
}

void cli_write_json(struct json_writer *w, const struct error *error, struct buf *out)
{
    if (error != NULL) {
        json_key(w, STR("error"));
        json_begin_object(w);
        json_key_str(w, STR("code"), str_from(err_name(error->code)));
        json_key_str(w, STR("message"), str_from(error->msg));
        json_end_object(w);
    }
    json_end_object(w);
    buf_append_char(out, '\n');
    terminal_write(buf_str(out));
    buf_release(out);
}

int cli_fail_json(int code)
{
    struct buf out = {0};
    buf_init(&out, 16 * KIB);
    struct json_writer w = json_writer(&out);
    json_begin_object(&w);
    json_key(&w, STR("error"));
    json_begin_object(&w);
    json_key_str(&w, STR("code"), code == CLI_USAGE ? STR("usage") : STR("failed"));
    json_key_str(&w, STR("message"), str_from(last_failure));
    json_end_object(&w);
    json_end_object(&w);
    buf_append_char(&out, '\n');
    terminal_write(buf_str(&out));
    buf_release(&out);
    return code;
}

int cli_fail(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    fail_line(fmt, args);
    va_end(args);
    return CLI_FAILED;
}

int cli_misused(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    fail_line(fmt, args);
    va_end(args);
    fputs("Try \"crucible-ls --help\".\n", stderr);
    return CLI_USAGE;
}

/* The option that `arg` names, with what follows its '=' (NULL for none); NULL for none of them. */
static const struct cli_option *find_option(const struct cli_option *options, const char *arg,
                                            const char **inline_value)
{
    for (const struct cli_option *o = options; o->name != NULL; o++) {
        size_t len = strlen(o->name);
        if (strncmp(arg, o->name, len) == 0 && (arg[len] == '\0' || arg[len] == '=')) {
            *inline_value = arg[len] == '=' ? arg + len + 1 : NULL;
            return o;
        }
    }
    return NULL;
}

/* Reads the option at argv[*i]. */
static int read_option(int argc, char **argv, int *i, const struct cli_option *options)
{
    const char *value = NULL;
    const struct cli_option *option = find_option(options, argv[*i], &value);
    if (option == NULL) {
        return cli_misused("%s has no option \"%s\"", argv[1], argv[*i]);
    }
    if (option->value == NULL) {
        *option->is_set = true;
        return value == NULL ? CLI_OK : cli_misused("%s takes no value", option->name);
    }
    if (value == NULL && *i + 1 < argc) {
        value = argv[++*i];
    }
    if (value == NULL || value[0] == '\0') {
        return cli_misused("%s needs a value", option->name);
    }
    *option->value = value;
    return CLI_OK;
}

int cli_parse(int argc, char **argv, const struct cli_option *options, const char **rest, int max)
{
    int n_rest = 0;
    bool is_past_options = false;
    for (int i = 2; i < argc; i++) {
        if (!is_past_options && strcmp(argv[i], "--") == 0) {
            is_past_options = true;
        } else if (!is_past_options && argv[i][0] == '-' && argv[i][1] != '\0') {
            int code = read_option(argc, argv, &i, options);
            if (code != CLI_OK) {
                return code;
            }
        } else if (n_rest == max) {
            return cli_misused("%s: what is \"%s\" for?", argv[1], argv[i]);
        } else {
            rest[n_rest++] = argv[i];
        }
    }
    return CLI_OK;
}

static int print_help(void)
{
    struct buf out = {0};
    buf_init(&out, 256 * KIB);
    buf_append(&out, STR("crucible-ls " CRUCIBLE_VERSION
                         ": a language server that asks language models.\n\n"
                         "crucible-ls [--stdio] [--config FILE] [--log FILE] [--log-level LEVEL]\n"
                         "    serve an editor on stdin and stdout\n"));
    for (size_t i = 0; i < N_COMMANDS; i++) {
        buf_appendf(&out, "crucible-ls %s %s\n    %s\n", commands[i].name, commands[i].usage,
                    commands[i].does);
    }
    buf_append(&out, STR("crucible-ls --version\ncrucible-ls --help\n\n"
                         "Lines and columns count from 1, columns in bytes. NO_COLOR, or output "
                         "that is no terminal, means plain text.\n\n"
                         "Settings, JSON with comments in $XDG_CONFIG_HOME/crucible/config.json\n"
                         "(or --config FILE, or $CRUCIBLE_CONFIG):\n\n"));
    settings_describe(&out);
    fwrite(buf_cstr(&out), 1, out.len, stdout);
    buf_release(&out);
    return fflush(stdout) == 0 ? CLI_OK : CLI_FAILED;
}

/* One write, no stream to set up. */
static int print_version(void)
{
    static const char line[] = "crucible-ls " CRUCIBLE_VERSION "\n";
    ssize_t n = write(STDOUT_FILENO, line, sizeof line - 1);
    return n == (ssize_t)(sizeof line - 1) ? CLI_OK : CLI_FAILED;
}

int cli_run(int argc, char **argv)
{
    if (argc < 2) {
        return cli_misused("no command");
    }
    if (strcmp(argv[1], "--version") == 0) {
        return print_version();
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        return print_help();
    }
    for (size_t i = 0; i < N_COMMANDS; i++) {
        if (strcmp(argv[1], commands[i].name) == 0) {
            return commands[i].run(argc, argv);
        }
    }
    return cli_misused("unknown command \"%s\"; there are complete, status, models, doctor "
                       "and demo",
                       argv[1]);
}
