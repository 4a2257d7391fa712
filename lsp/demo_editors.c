/* demo_editors.c - the configuration of the editors on this machine, ready to paste.
 *
 * Why      After seeing it work the next question is how to have it in one's own editor.
 * How      The files of editors/ are assembled into the program as they are, so what is printed is
 *          what is tested, less their comments. Where crucible-ls isn't in PATH, its name is
 *          replaced by its path.
 * Rules    Prints; changes no file of the person.
 * Extending a file in editors/, one SNIPPET and one row of the table. */
#include <limits.h>
#include <unistd.h>

#include "core/base/limits.h"
#include "lsp/cli_advice.h"
#include "lsp/demo.h"

#ifdef __APPLE__
#define SNIPPET_SECTION      ".const_data\n"
#define SNIPPET_SYMBOL(name) "_" #name
#else
#define SNIPPET_SECTION      ".section .rodata\n"
#define SNIPPET_SYMBOL(name) #name
#endif
/* The bytes of `file` between the symbols name_begin and name_end. */
#define SNIPPET(name, file)                                                                        \
    __asm__(SNIPPET_SECTION SNIPPET_SYMBOL(name##_begin) ":\n.incbin \"" file                      \
                                                         "\"\n" SNIPPET_SYMBOL(                    \
                                                             name##_end) ":\n.byte 0\n.text\n");   \
    extern const char name##_begin[], name##_end[]

SNIPPET(snippet_nvim, "editors/nvim/crucible.lua");
SNIPPET(snippet_emacs, "editors/emacs/snippet.el");
SNIPPET(snippet_helix, "editors/helix/languages.toml");

static const struct {
    const char *programs[4]; /* any of them; NULL-terminated */
    const char *name;
    const char *begin, *end;
    const char *comment; /* what lines of comment begin with */
} editors[] = {
    {{"nvim"}, "Neovim: ~/.config/nvim/init.lua", snippet_nvim_begin, snippet_nvim_end, "--"},
    {{"emacs"}, "Emacs: init.el, then M-x eglot", snippet_emacs_begin, snippet_emacs_end, ";"},
    {{"hx", "helix"},
     "Helix: ~/.config/helix/languages.toml",
     snippet_helix_begin,
     snippet_helix_end,
     "#"},
    {{"code", "codium", "code-server"}, "VS Code: editors/vscode/README.md", NULL, NULL, NULL},
};

/* The path that starts this program; empty where it can't be told. */
static void own_path(struct buf *out)
{
    char path[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path);
    if (n > 0 && (size_t)n < sizeof path) {
        buf_append(out, str_of(path, (size_t)n));
    }
}

/* Appends a line with "crucible-ls" in quotes replaced by `program`. */
static void append_line(struct buf *out, str line, str program)
{
    static const char name[] = "crucible-ls";
    const size_t len = sizeof name - 1;
    size_t at = str_find(line, str_from(name), 0);
    char before = at != SIZE_MAX && at > 0 ? line.ptr[at - 1] : ' ';
    char after = at != SIZE_MAX && at + len < line.len ? line.ptr[at + len] : ' ';
    if (program.len > 0 && (before == '"' || before == '\'') && before == after) {
        buf_append(out, str_sub(line, 0, at));
        buf_append(out, program);
        line = str_sub(line, at + len, line.len);
    }
    buf_append(out, line);
    buf_append_char(out, '\n');
}

static void append_snippet(struct buf *out, str snippet, str comment, str program)
{
    str line;
    while (snippet.len > 0 && str_next(&snippet, '\n', &line)) {
        if (str_trim(line).len > 0 && !str_starts_with(line, comment)) {
            append_line(out, line, program);
        }
    }
}

void demo_editors(struct buf *out)
{
    struct buf program = {0};
    buf_init(&program, 8 * KIB);
    if (!cli_can_run("crucible-ls")) {
        own_path(&program);
    }
    bool has_any = false;
    for (size_t i = 0; i < sizeof editors / sizeof editors[0]; i++) {
        bool is_here = false;
        for (size_t p = 0; p < 4 && editors[i].programs[p] != NULL; p++) {
            is_here = is_here || cli_can_run(editors[i].programs[p]);
        }
        if (is_here) {
            buf_appendf(out, "\n-- %s --\n", editors[i].name);
            has_any = true;
            if (editors[i].begin != NULL) {
                str text = str_of(editors[i].begin, (size_t)(editors[i].end - editors[i].begin));
                append_snippet(out, text, str_from(editors[i].comment), buf_str(&program));
            }
        }
    }
    if (!has_any) {
        buf_append(out, STR("\nTo have it in your editor: README.md, section \"Editors\".\n"));
    }
    buf_release(&program);
}
