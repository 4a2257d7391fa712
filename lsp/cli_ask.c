/* cli_ask.c - `ask FILE[:LINE[-LINE]] --action NAME [TEXT]`: one explanation or edit, streamed.
 *
 * Why      What a model makes of an action shows best without an editor: the words that come, the
 *          text that would go into the file, or the reason why none would.
 * How      The place is what an editor would name: the lines, or what stands at the line, or the
 *          whole file. The question is the one that the code action asks. Nothing is written.
 * Rules    stdout carries the explanation or the text alone (or one JSON object), so that it can be
 *          piped. TEXT is the instruction; of `fix` it says what is wrong. */
#include "lsp/cli.h"

#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/json_write.h"
#include "core/base/limits.h"
#include "core/prompt/action.h"
#include "core/prompt/rewrite.h"
#include "lsp/cli_room.h"
#include "lsp/terminal.h"

#define SETTLE_MS 1500u
#define ANSWER_MS 1200000u /* the engine ends every question by itself before */

struct ask_run {
    struct cli_room room;
    const char *action_name, *model, *config, *instruction;
    bool is_json, is_list, is_dry;
    struct buf file;      /* owned */
    uint64_t first, last; /* lines; 0: not given */
    struct action action;
    struct action_place place;
    struct action_target target;
    struct buf symbol; /* owned: its name */
    /* the answer */
    bool is_streaming; /* text goes to the terminal as it comes */
    size_t n_written;
    bool is_done;
    int code;
};

/* -- the place -- */

/* Takes ":LINE" or ":LINE-LINE" off the end of what was given. */
static bool parse_place(struct ask_run *r, const char *arg)
{
    str given = str_from(arg);
    str lines = str_after_last(given, ':');
    size_t dash = str_find_char(lines, '-', 0);
    bool has_lines = lines.len < given.len &&
                     str_to_u64(str_sub(lines, 0, dash), UINT32_MAX, &r->first) && r->first > 0;
    if (has_lines && dash != SIZE_MAX) {
        has_lines = str_to_u64(str_sub(lines, dash + 1, lines.len), UINT32_MAX, &r->last);
    }
    r->first = has_lines ? r->first : 0;
    buf_append(&r->file, has_lines ? str_sub(given, 0, given.len - lines.len - 1) : given);
    return r->file.len > 0 && !r->file.is_full && (r->last == 0 || r->last >= r->first);
}

static struct open_document *document_of(const struct ask_run *r)
{
    return documents_find(r->room.documents, r->room.document);
}

/* The selection that the lines stand for: empty for one line, which means what stands there. */
static int find_selection(const struct ask_run *r, struct subject_range *out)
{
    const struct document *d = document_of(r)->text;
    size_t n_lines = document_line_count(d);
    if (r->first == 0) {
        *out = (struct subject_range){0, document_len(d)};
        return CLI_OK;
    }
    if (r->first > n_lines || r->last > n_lines) {
        return cli_fail("%s has lines 1 to %zu", buf_cstr(&r->file), n_lines);
    }
    size_t line = (size_t)r->first - 1;
    out->start = document_line_start(d, line);
    if (r->last > 0) {
        out->end = document_line_end(d, (size_t)r->last - 1);
        return CLI_OK;
    }
    while (out->start < document_line_end(d, line) && document_byte(d, out->start) <= ' ') {
        out->start++;
    }
    out->end = out->start;
    return CLI_OK;
}

static int find_subject(struct ask_run *r)
{
    struct subject_range selection = {0}, symbol = {0};
    int code = find_selection(r, &selection);
    if (code != CLI_OK) {
        return code;
    }
    const struct document *d = document_of(r)->text;
    struct subject_range range = action_subject(&r->action, d, selection, &symbol);
    if (r->first > 0 && r->last == 0) { /* a line was named, not the word that it begins with */
        struct subject_range block = subject_block(d, selection.start);
        bool has_block = block.end > block.start;
        range = has_block ? block : range;
        symbol = (struct subject_range){0};
    }
    if (range.end == range.start) {
        return cli_fail(
            "there is nothing at line %llu of %s to ask about; name lines: %s:%llu-%llu",
            (unsigned long long)r->first, buf_cstr(&r->file), buf_cstr(&r->file),
            (unsigned long long)r->first, (unsigned long long)r->first + 9);
    }
    document_copy(d, symbol.start, symbol.end, &r->symbol);
    str text = str_from(r->instruction);
    bool is_fix = str_eq(r->action.name, STR("fix"));
    r->place = (struct action_place){.doc = document_of(r),
                                     .start = range.start,
                                     .end = range.end,
                                     .symbol = buf_str(&r->symbol),
                                     .instruction = is_fix ? STR("") : text,
                                     .diagnostics = is_fix ? text : STR("")};
    r->target.range = range;
    r->target.insert_at = action_insert_at(&r->action, &r->place, &r->target.is_below);
    return CLI_OK;
}

/* -- the list -- */

static void append_action(struct buf *out, const struct action *a)
{
    static const char *const outputs[] = {[ACTION_REPLACE] = "replaces the code",
                                          [ACTION_INSERT] = "is put in beside the code",
                                          [ACTION_SHOW] = "is shown"};
    str name = a->name.len > 0 ? a->name : a->title;
    buf_appendf(out, STR_FMT "  (the answer %s)\n", STR_ARG(name), outputs[a->output]);
    for (str rest = a->prompt, line; str_next(&rest, '\n', &line);) {
        buf_appendf(out, "    " STR_FMT "\n", STR_ARG(line));
    }
    buf_append_char(out, '\n');
}

static int print_list(struct ask_run *r)
{
    cli_room_init_bare(&r->room, r->config);
    const struct settings *s = r->room.settings;
    struct buf out = {0};
    buf_init(&out, MIB);
    for (size_t i = 0; i < action_count(s); i++) {
        struct action a = action_at(s, i);
        append_action(&out, &a);
    }
    buf_appendf(&out, "Before each of them models are told:\n    " STR_FMT "\n",
                STR_ARG(action_system()));
    buf_append(&out, STR("Other words: \"actions\" in the settings, with \"name\" and \"prompt\"; "
                         "modelOptions has \"system\".\n"));
    terminal_write_text(buf_str(&out));
    buf_release(&out);
    cli_room_release(&r->room);
    return CLI_OK;
}

/* -- the answer -- */

static bool is_shown(const struct ask_run *r)
{
    return r->action.output == ACTION_SHOW;
}

static void on_wait(str why, void *user)
{
    (void)user;
    fprintf(stderr, "waiting: " STR_FMT "\n", STR_ARG(why));
}

static void on_text(str text, void *user)
{
    struct ask_run *r = user;
    str shown = is_shown(r) ? rewrite_spoken(text) : rewrite_growing(text);
    if (r->is_streaming && shown.len > r->n_written) {
        terminal_write_text(str_sub(shown, r->n_written, shown.len));
        r->n_written = shown.len;
    }
}

/* The text that would go into the file; or why there is none. */
static enum err read_answer(struct ask_run *r, const struct answer *a, struct buf *out,
                            struct error *why)
{
    if (is_shown(r)) {
        buf_append(out, str_trim(rewrite_spoken(a->text)));
        return out->len > 0 ? ERR_OK
                            : error_set(why, ERR_PROTOCOL, "the model answered with nothing");
    }
    if (a->is_cut) {
        return error_set(why, ERR_PROTOCOL, "the answer broke off before its end: " STR_FMT,
                         STR_ARG(a->why));
    }
    return action_read(&r->action, r->place.doc->text, &r->target, a->text, out, why);
}

static void print_json(const struct ask_run *r, const struct answer *a, str text,
                       const struct error *error)
{
    const struct document *d = r->place.doc->text;
    bool is_insert = r->action.output == ACTION_INSERT;
    size_t start = is_insert ? r->target.insert_at : r->target.range.start;
    size_t end = is_insert ? r->target.insert_at : r->target.range.end;
    struct buf out = {0};
    buf_init(&out, 2 * MIB);
    struct json_writer w = json_writer(&out);
    json_begin_object(&w);
    json_key_str(&w, STR("file"), r->room.path);
    json_key_str(&w, STR("action"), r->action.name.len > 0 ? r->action.name : r->action.title);
    json_key_int(&w, STR("startLine"), (int64_t)document_line_at(d, start) + 1);
    json_key_int(&w, STR("endLine"), (int64_t)document_line_at(d, end) + 1);
    json_key_bool(&w, STR("inserts"), is_insert);
    json_key_bool(&w, STR("cut"), a->is_cut);
    json_key_str(&w, STR("text"), text);
    json_key_str(&w, STR("model"), a->model);
    json_key_double(&w, STR("firstMs"), (double)a->first_us / 1000);
    json_key_double(&w, STR("totalMs"), (double)a->total_us / 1000);
    json_key_str(&w, STR("why"), a->why);
    cli_write_json(&w, error, &out);
}

static void print_details(const struct ask_run *r, const struct answer *a)
{
    const struct document *d = r->place.doc->text;
    size_t first = document_line_at(d, r->target.range.start) + 1;
    size_t last = document_line_at(d, r->target.range.end) + 1;
    fprintf(stderr, "about:  lines %zu to %zu\n", first, last);
    if (r->action.output == ACTION_INSERT) {
        fprintf(stderr, "place:  %s line %zu\n", r->target.is_below ? "below" : "above",
                document_line_at(d, r->target.insert_at) + 1);
    }
    fprintf(stderr, "model:  " STR_FMT "\n", STR_ARG(a->model));
    fprintf(stderr, "time:   first text %.1f ms, whole %.1f ms\n", (double)a->first_us / 1000,
            (double)a->total_us / 1000);
    fprintf(stderr, "why:    " STR_FMT "\n", STR_ARG(a->why));
}

static void on_done(const struct answer *a, const struct error *error, void *user)
{
    struct ask_run *r = user;
    struct buf text = {0};
    struct error why;
    buf_init(&text, 8 * FLIGHT_MAX_TEXT_BYTES);
    r->is_done = true;
    if (!error && read_answer(r, a, &text, &why) != ERR_OK) {
        error = &why;
    }
    r->code = error ? CLI_FAILED : CLI_OK;
    if (r->is_json) {
        print_json(r, a, buf_str(&text), error);
    } else if (r->is_streaming) {
        on_text(a->text, r);
        terminal_write(STR("\n"));
    } else if (!error) {
        terminal_write_text(buf_str(&text));
        terminal_write(STR("\n"));
    }
    if (!r->is_json && error) {
        (void)cli_fail("%s", error->msg);
        fprintf(stderr, "why:    " STR_FMT "\n", STR_ARG(a->why));
    } else if (!r->is_json) {
        print_details(r, a);
        if (a->is_cut) {
            fprintf(stderr, "note:   the answer broke off\n");
        }
    }
    buf_release(&text);
}

static bool is_answered(struct cli_room *room, void *user)
{
    (void)room;
    return ((const struct ask_run *)user)->is_done;
}

static int put_question(struct ask_run *r)
{
    struct buf prompt, identity, original;
    struct error why;
    buf_init(&prompt, PROMPT_MAX_BYTES);
    buf_init(&identity, PROMPT_MAX_BYTES);
    buf_init(&original, PROMPT_MAX_BYTES);
    str model = str_from(r->model);
    unsigned max_tokens = action_max_tokens(&r->action, &r->place);
    size_t room = engine_chat_room(r->room.engine, model, max_tokens);
    int code = CLI_OK;
    if (action_render(&r->action, &r->place, room, &prompt, &why) != ERR_OK) {
        code = cli_fail("%s", why.msg);
    } else if (r->is_dry) {
        terminal_write_text(buf_str(&prompt));
        terminal_write(STR("\n"));
    } else {
        action_identity(&r->action, &r->place, &identity, NULL);
        struct chat chat = {.system = action_system(),
                            .prompt = buf_str(&prompt),
                            .max_tokens = max_tokens,
                            .identity = buf_str(&identity),
                            .kind = "ask"};
        if (r->action.output == ACTION_REPLACE) {
            document_copy(r->place.doc->text, r->place.start, r->place.end, &original);
            chat.rewrites = buf_str(&original);
        }
        struct question q = {
            .kind = QUESTION_CHAT, .document = r->room.document, .model = model, .chat = &chat};
        struct sink sink = {.on_wait = on_wait, .on_text = on_text, .on_done = on_done, .user = r};
        engine_ask(r->room.engine, &q, &sink);
        cli_room_wait(&r->room, ANSWER_MS, is_answered, r);
        code = r->is_done ? r->code : cli_fail("no answer within %u minutes", ANSWER_MS / 60000);
    }
    buf_release(&prompt);
    buf_release(&identity);
    buf_release(&original);
    return code;
}

/* -- the command -- */

static int choose_action(struct ask_run *r)
{
    str name = str_from(r->action_name != NULL ? r->action_name : "explain");
    if (!action_find(r->room.settings, name, &r->action)) {
        return cli_misused("no action is called \"" STR_FMT "\"; crucible-ls ask --list shows them",
                           STR_ARG(name));
    }
    bool needs_text = str_eq(r->action.name, STR("refactor"));
    if (needs_text && (r->instruction == NULL || r->instruction[0] == '\0')) {
        return cli_misused("refactor needs to be told what to do: ask %s --action refactor \"use a "
                           "hash table\"",
                           buf_cstr(&r->file));
    }
    return CLI_OK;
}

static int run(struct ask_run *r, const char *place)
{
    if (!parse_place(r, place)) {
        return cli_misused("\"%s\" is no FILE, FILE:LINE or FILE:LINE-LINE, such as main.c:12-20",
                           place);
    }
    int code = cli_room_init(&r->room, buf_cstr(&r->file), r->config);
    if (code == CLI_OK) {
        code = choose_action(r);
    }
    if (code == CLI_OK) {
        code = cli_room_open(&r->room, r->room.text);
    }
    if (code == CLI_OK) {
        code = find_subject(r);
    }
    if (code == CLI_OK) {
        cli_room_wait(&r->room, SETTLE_MS, cli_room_is_settled, NULL);
        code = put_question(r);
    }
    return code;
}

int cli_ask(int argc, char **argv)
{
    struct ask_run r = {.instruction = ""};
    struct cli_option options[] = {{"--action", &r.action_name, NULL},
                                   {"--model", &r.model, NULL},
                                   {"--config", &r.config, NULL},
                                   {"--json", NULL, &r.is_json},
                                   {"--list", NULL, &r.is_list},
                                   {"--dry-run", NULL, &r.is_dry},
                                   {NULL, NULL, NULL}};
    const char *rest[2] = {NULL, NULL};
    int code = cli_parse(argc, argv, options, rest, 2);
    if (code != CLI_OK) {
        return code;
    }
    if (r.is_list) {
        return print_list(&r);
    }
    if (rest[0] == NULL) {
        return cli_misused("ask needs FILE, FILE:LINE or FILE:LINE-LINE, such as main.c:12-20");
    }
    r.instruction = rest[1] != NULL ? rest[1] : "";
    r.is_streaming = !r.is_json && isatty(STDOUT_FILENO) == 1;
    buf_init(&r.file, 8 * KIB);
    buf_init(&r.symbol, KIB);
    code = run(&r, rest[0]);
    if (r.is_json && !r.is_done && code != CLI_OK) {
        (void)cli_fail_json(code);
    }
    cli_room_release(&r.room);
    buf_release(&r.file);
    buf_release(&r.symbol);
    return code;
}
