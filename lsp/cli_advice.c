/* cli_advice.c - in words and commands: how a person gets a model onto this machine.
 *
 * Why      A message that ends in "no model" leaves its reader alone; one that ends in a command
 *          to paste doesn't.
 * How      The table of models says what fits; what is installed says by which program.
 * Rules    Nothing is downloaded or started here. */
#include "lsp/cli_advice.h"

#include <sys/stat.h>
#include <unistd.h>

#include "core/base/limits.h"
#include "core/model/advice.h"
#include "core/upstream/provider.h"

static const struct {
    const char *kind;    /* of the endpoint */
    const char *command; /* the model's name follows */
    bool needs_owner;    /* names are "owner/model" */
} fetches[] = {
    {"ollama", "ollama pull ", false},
    {"lmstudio", "lms get ", false},
    {"llamacpp", "llama-server --port 8012 -hf ", true},
    {"vllm", "vllm serve ", true},
};

bool cli_can_run(const char *name)
{
    str path = str_from(getenv("PATH"));
    str folder;
    struct buf full = {0};
    buf_init(&full, 8 * KIB);
    bool can = false;
    while (!can && str_next(&path, ':', &folder)) {
        buf_clear(&full);
        buf_append(&full, folder);
        buf_append_char(&full, '/');
        buf_append(&full, str_from(name));
        struct stat st;
        can = folder.len > 0 && !full.is_full && access(buf_cstr(&full), X_OK) == 0 &&
              stat(buf_cstr(&full), &st) == 0 && S_ISREG(st.st_mode);
    }
    buf_release(&full);
    return can;
}

/* Whether this version speaks to that kind of server. */
static bool speaks(const char *kind)
{
    for (const struct provider_ops *const *ops = provider_table; *ops != NULL; ops++) {
        if (strcmp((*ops)->kind, kind) == 0) {
            return true;
        }
    }
    return false;
}

/* Whether a shell takes the name as it is. */
static bool is_plain_word(str s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        bool is_alnum = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!is_alnum && str_find_char(STR("._:/@+-"), c, 0) == SIZE_MAX) {
            return false;
        }
    }
    return s.len > 0 && s.ptr[0] != '-';
}

static void append_quoted(struct buf *out, str s)
{
    buf_append_char(out, '\'');
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] == '\'') {
            buf_append(out, STR("'\\''"));
        } else {
            buf_append_char(out, s.ptr[i]);
        }
    }
    buf_append_char(out, '\'');
}

bool cli_advise_get(str kind, str model, struct buf *out)
{
    for (size_t i = 0; i < sizeof fetches / sizeof fetches[0]; i++) {
        bool is_owned = str_find_char(model, '/', 0) != SIZE_MAX;
        if (!str_eq(kind, str_from(fetches[i].kind)) || (fetches[i].needs_owner && !is_owned)) {
            continue;
        }
        buf_append(out, str_from(fetches[i].command));
        if (is_plain_word(model)) {
            buf_append(out, model);
        } else {
            append_quoted(out, model);
        }
        return true;
    }
    return false;
}

static void advise_command(const struct advice *a, struct buf *out)
{
    bool has_server = cli_can_run("llama-server");
    bool is_in_ollama = a->tag != NULL && speaks("ollama");
    bool has_ollama = is_in_ollama && cli_can_run("ollama");
    if (has_ollama && !has_server) {
        buf_appendf(out, "  ollama pull %s\n", a->tag);
        return;
    }
    buf_appendf(out, "  %s\n", a->command);
    if (has_ollama) {
        buf_appendf(out, "or  ollama pull %s\n", a->tag);
    } else if (!has_server) {
        buf_append(out,
                   STR("llama-server is part of llama.cpp: brew install llama.cpp, or a release "
                       "from\ngithub.com/ggml-org/llama.cpp"));
        if (is_in_ollama) {
            buf_appendf(out, "\nWith Ollama:  ollama pull %s", a->tag);
        }
        buf_append_char(out, '\n');
    }
}

void cli_advise(struct buf *out)
{
    struct hardware_memory memory = hardware_memory();
    const struct advice *a = advice_for(&memory);
    if (a == NULL) {
        buf_append(out, STR("No model of the list fits this machine's free memory ("));
        advice_size(memory.available, out);
        buf_append(out, STR("); the built-in predictor goes on serving.\n"));
        return;
    }
    buf_append(out, STR("This machine's memory ("));
    if (memory.available != 0) {
        advice_size(memory.available, out);
        buf_append(out, STR(" free of "));
    }
    advice_size(memory.total, out);
    buf_appendf(out, "%s) takes %s, ", memory.is_limited ? " allowed here" : "", a->model);
    advice_size(a->file_bytes, out);
    buf_append(out, STR(":\n"));
    advise_command(a, out);
    const struct advice *small = advice_row(1);
    if (a->file_bytes > small->file_bytes) {
        buf_appendf(out, "Without a GPU smaller ones answer sooner:  %s\n", small->command);
    }
}
