/* cli_room.c - settings, an engine and a loop in one room: what the commands work with.
 *
 * Why      They need what a session has, without an editor: the settings of the person, the
 *          engines of the machine, and where they are about a file, that file as an open document
 *          and a predictor that knows its workspace.
 * How      Everything that can be refused (the file, its place, its size) is looked at before any
 *          part is made. The document is learned before the workspace, so that the scan finds the
 *          file open and leaves what is on disk alone.
 * Rules    Without a file nothing is learned: the current folder may be anybody's home. */
#include "lsp/cli_room.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/limits.h"
#include "core/base/utf8.h"
#include "lsp/answer_store.h"
#include "lsp/cli.h"

#define WAIT_EVERY_US MS_TO_US(10)

static str folder_of(str path)
{
    size_t len = path.len;
    while (len > 1 && path.ptr[len - 1] != '/') {
        len--;
    }
    return str_sub(path, 0, len > 1 ? len - 1 : len);
}

static bool has_git(str folder)
{
    struct buf path = {0};
    buf_init(&path, 8 * KIB);
    buf_append(&path, folder);
    buf_append(&path, STR("/.git"));
    bool has = !path.is_full && access(buf_cstr(&path), F_OK) == 0;
    buf_release(&path);
    return has;
}

static str find_root(str own)
{
    for (str folder = own; folder.len > 1; folder = folder_of(folder)) {
        if (has_git(folder)) {
            return folder;
        }
    }
    return own;
}

/* Reads what fd holds into the arena, at most `size` bytes. */
static bool read_text(struct cli_room *room, int fd, size_t size)
{
    char *text = arena_alloc(&room->arena, size + 1);
    size_t len = 0;
    while (len < size) {
        ssize_t n = read(fd, text + len, size - len);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return false;
        }
        if (n == 0) {
            break;
        }
        len += (size_t)n;
    }
    room->text = str_of(text, len);
    return true;
}

static int read_file(struct cli_room *room, const char *file)
{
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0) {
        int code = cli_fail("%s: %s", file, strerror(errno));
        if (fd >= 0) {
            close(fd);
        }
        return code;
    }
    int code = CLI_OK;
    size_t max = room->settings->inline_file_bytes;
    if (!S_ISREG(st.st_mode)) {
        code = cli_fail("%s: %s; name a file of source code", file,
                        S_ISDIR(st.st_mode) ? "is a directory" : "not a regular file");
    } else if ((uint64_t)st.st_size > max) {
        code = cli_fail("%s: %.0f MB; files larger than limits.inlineFileMb (%.0f) get no "
                        "suggestions",
                        file, (double)st.st_size / MIB, (double)max / MIB);
    } else if (!read_text(room, fd, (size_t)st.st_size)) {
        code = cli_fail("%s: %s", file, strerror(errno));
    } else if (!utf8_is_valid(room->text)) {
        code = cli_fail("%s: not UTF-8 text; save it as UTF-8 to get suggestions", file);
    }
    close(fd);
    return code;
}

int cli_room_init(struct cli_room *room, const char *file, const char *config)
{
    *room = (struct cli_room){0};
    char real[PATH_MAX];
    if (realpath(file, real) == NULL) {
        return cli_fail("%s: %s", file, strerror(errno));
    }
    room->path = arena_dup(&room->arena, str_from(real));
    room->root = arena_dup(&room->arena, find_root(folder_of(room->path)));
    cli_settings_read(&room->read, config, room->root);
    room->settings = settings_ref(room->read.whole);
    int code = cli_settings_tell(&room->read);
    if (code != CLI_OK) {
        return code;
    }
    if (settings_excludes(room->settings, room->path) ||
        settings_excludes(room->settings, str_from(file))) {
        return cli_fail(
            "%s: excluded (privacy.exclude and the built-in patterns); no model sees it", file);
    }
    return read_file(room, file);
}

void cli_room_init_bare(struct cli_room *room, const char *config)
{
    *room = (struct cli_room){0};
    char here[PATH_MAX];
    str folder = getcwd(here, sizeof here) != NULL ? str_from(here) : STR("/");
    room->root = arena_dup(&room->arena, find_root(folder));
    cli_settings_read(&room->read, config, room->root);
    room->settings = settings_ref(room->read.whole);
    /* Nobody has seen this snapshot yet. Leaving would break a load off that nobody asked for. */
    room->settings->residency_preload = false;
}

static bool is_excluded(str path, void *user)
{
    return settings_excludes(user, path);
}

static void on_upstream_change(void *user)
{
    struct cli_room *room = user;
    if (room->engine != NULL) {
        engine_on_upstream(room->engine);
    }
}

static void on_engine_status(void *user)
{
    (void)user;
}

/* The language id that an editor would give, from the file's extension; empty where we can't
 * tell. Only settings per language look at it. */
static str language_of(str path)
{
    static const struct {
        const char *extension, *language;
    } known[] = {
        {".c", "c"},
        {".h", "c"},
        {".cc", "cpp"},
        {".cpp", "cpp"},
        {".hpp", "cpp"},
        {".py", "python"},
        {".js", "javascript"},
        {".ts", "typescript"},
        {".tsx", "typescriptreact"},
        {".go", "go"},
        {".rs", "rust"},
        {".java", "java"},
        {".sh", "shellscript"},
        {".lua", "lua"},
        {".md", "markdown"},
        {".rb", "ruby"},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (str_ends_with(path, str_from(known[i].extension))) {
            return str_from(known[i].language);
        }
    }
    return (str){0};
}

void cli_room_start(struct cli_room *room)
{
    room->loop = loop_create();
    room->documents = documents_create();
    struct predictor_options learning = PREDICTOR_OPTIONS_INIT;
    learning.max_file_bytes = room->settings->context_file_bytes;
    learning.is_excluded = is_excluded;
    learning.user = room->settings;
    room->predictor = predictor_create(room->loop, &learning);
    struct upstream_options reach = {.providers = provider_table,
                                     .predictor = room->predictor,
                                     .on_change = on_upstream_change,
                                     .user = room};
    room->upstream = upstream_create(room->loop, &reach);
    upstream_configure(room->upstream, room->settings);
    room->store = answer_store_create(room->loop, room->settings);
    struct engine_options parts = {.loop = room->loop,
                                   .documents = room->documents,
                                   .upstream = room->upstream,
                                   .predictor = room->predictor,
                                   .settings = room->settings,
                                   .store = room->store,
                                   .on_status = on_engine_status,
                                   .user = room};
    room->engine = engine_create(&parts);
    upstream_probe(room->upstream);
}

int cli_room_open(struct cli_room *room, str text)
{
    cli_room_start(room);
    enum err err =
        documents_open(room->documents, room->path, language_of(room->path), text, &room->document);
    if (err != ERR_OK) {
        return cli_fail(STR_FMT ": can't be opened: %s", STR_ARG(room->path), err_name(err));
    }
    predictor_learn_document(room->predictor, room->document, room->path, text);
    predictor_learn_workspace(room->predictor, room->root);
    return CLI_OK;
}

static void on_wait_timeout(void *user)
{
    struct cli_room *room = user;
    uint64_t now_us = clock_now_us();
    if (now_us >= room->wait_until_us || room->is_enough(room, room->user)) {
        loop_stop(room->loop);
        return;
    }
    uint64_t next_us = now_us + WAIT_EVERY_US;
    loop_timer_set(room->waiting, next_us < room->wait_until_us ? next_us : room->wait_until_us);
}

void cli_room_wait(struct cli_room *room, unsigned timeout_ms,
                   bool (*is_enough)(struct cli_room *room, void *user), void *user)
{
    if (room->waiting == NULL) {
        room->waiting = loop_timer_create(room->loop, on_wait_timeout, room);
    }
    uint64_t now_us = clock_now_us();
    room->is_enough = is_enough;
    room->user = user;
    room->wait_until_us = now_us + MS_TO_US(timeout_ms);
    loop_timer_set(room->waiting, now_us);
    loop_run(room->loop);
    loop_timer_set(room->waiting, CLOCK_NEVER);
}

bool cli_room_is_settled(struct cli_room *room, void *user)
{
    (void)user;
    return upstream_is_settled(room->upstream);
}

const struct endpoint *cli_room_endpoint(const struct cli_room *room, enum endpoint_state state)
{
    for (size_t i = 0; room->upstream != NULL && i < upstream_count(room->upstream); i++) {
        const struct endpoint *e = upstream_endpoint(room->upstream, i);
        if (e->state == state && (e->ops->capabilities & PROVIDER_IN_PROCESS) == 0) {
            return e;
        }
    }
    return NULL;
}

void cli_room_release(struct cli_room *room)
{
    if (room->loop != NULL) {
        loop_timer_destroy(room->waiting);
        engine_destroy(room->engine);
        store_destroy(room->store);
        upstream_destroy(room->upstream);
        predictor_destroy(room->predictor);
        documents_destroy(room->documents);
        loop_destroy(room->loop);
    }
    settings_unref(room->settings);
    cli_settings_release(&room->read);
    arena_release(&room->arena);
    *room = (struct cli_room){0};
}
