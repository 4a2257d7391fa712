/* answers.c - shows explanations in the best place that the editor has.
 *
 * How      Our own plugins get the text as it grows. Other editors that can show a document get a
 *          private Markdown file when it is whole: most don't read a file again that grows. Where
 *          there is neither, a message must do.
 * Rules    What is shown has been written anew by core/prompt/markdown, so that nothing in it
 *          acts. Files lie in the user's runtime folder, 0600, and go with the session. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/limits.h"
#include "core/base/log.h"
#include "core/prompt/markdown.h"
#include "lsp/socket.h"
#include "lsp/task.h"

#define FRAME_US MS_TO_US(33)
#define LINE_FRAME_US                                                                              \
    MS_TO_US(16)                    /* a line that is whole needn't wait for a letter of the next  \
                                     */
#define SLOW_FRAME_US MS_TO_US(150) /* of a long text, which is sent whole each time */
#define LONG_BYTES    (8u * KIB)
#define FILES_MAX     16u

/* -- our plugins -- */

static void send_answer(struct task *t, bool is_done, str error)
{
    struct session *s = t->session;
    struct json_writer *w = rpc_notify(s->rpc, STR("crucible/answer"), !is_done);
    if (!w) {
        return;
    }
    json_begin_object(w);
    json_key_str(w, STR("id"), t->token);
    json_key_str(w, STR("title"), t->title);
    json_key_str(w, STR("uri"), t->uri);
    struct buf text;
    buf_init(&text, 4 * FLIGHT_MAX_TEXT_BYTES);
    markdown_append(&text, buf_str(&t->answer));
    json_key_str(w, STR("text"), buf_str(&text));
    buf_release(&text);
    json_key_bool(w, STR("done"), is_done);
    if (error.len > 0) {
        json_key_str(w, STR("error"), error);
    }
    json_end_object(w);
    rpc_send(s->rpc);
    t->shown_us = clock_now_us();
}

static void on_frame(void *user)
{
    struct task *t = user;
    if (t->state == TASK_ASKING) {
        send_answer(t, false, STR(""));
    }
}

static void send_soon(struct task *t)
{
    bool is_line = t->answer.len > 0 && t->answer.ptr[t->answer.len - 1] == '\n';
    uint64_t pause_us = is_line ? LINE_FRAME_US : FRAME_US;
    pause_us = t->answer.len > LONG_BYTES ? SLOW_FRAME_US : pause_us;
    uint64_t due_us = t->shown_us + pause_us;
    if (clock_now_us() >= due_us) {
        send_answer(t, false, STR(""));
        return;
    }
    if (!t->frame) {
        t->frame = loop_timer_create(t->session->options.loop, on_frame, t);
    }
    loop_timer_set(t->frame, due_us);
}

bool answers_fail(struct task *t, str message)
{
    if (t->action.output != ACTION_SHOW || !t->session->client.shows_answers ||
        t->session->state != SESSION_RUNNING) {
        return false;
    }
    send_answer(t, true, message);
    return true;
}

/* -- files -- */

static void file_path(unsigned n, struct buf *out)
{
    buf_init(out, 4 * KIB);
    socket_folder(out);
    buf_appendf(out, "/explanation-%ld-%u.md", (long)getpid(), n % FILES_MAX);
}

/* A new file that nobody else can have prepared. */
static bool write_file(const char *path, str text)
{
    (void)unlink(path);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        log_warn(LOG_LSP, "an explanation can't be written: %s", strerror(errno));
        return false;
    }
    size_t n = 0;
    while (n < text.len) {
        ssize_t k = write(fd, text.ptr + n, text.len - n);
        if (k < 0 && errno == EINTR) {
            continue;
        }
        if (k <= 0) {
            break;
        }
        n += (size_t)k;
    }
    return close(fd) == 0 && n == text.len;
}

static void append_uri(struct buf *out, str path)
{
    static const char hex[] = "0123456789ABCDEF";
    buf_append(out, STR("file://"));
    for (size_t i = 0; i < path.len; i++) {
        unsigned char c = (unsigned char)path.ptr[i];
        bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                        (c >= '0' && c <= '9') || (c != '\0' && strchr("/-._~", c) != NULL);
        if (is_plain) {
            buf_append_char(out, (char)c);
        } else {
            buf_appendf(out, "%%%c%c", hex[c >> 4], hex[c & 15]);
        }
    }
}

static void on_shown(struct json result, const struct error *error, void *user)
{
    struct session *s = user;
    if (s->state == SESSION_RUNNING) {
        session_arm_rpc(s);
        if (error || !json_bool(json_get(result, STR("success")), true)) {
            log_warn(LOG_LSP, "the editor doesn't show the explanation");
        }
    }
}

static bool show_file(struct task *t)
{
    struct session *s = t->session;
    struct buf path, text, uri;
    file_path(s->n_answer_files, &path);
    buf_init(&text, 8 * FLIGHT_MAX_TEXT_BYTES);
    buf_appendf(&text, "# " STR_FMT "\n\n", STR_ARG(t->title));
    markdown_append(&text, buf_str(&t->answer));
    bool is_written = socket_make_folder() && write_file(buf_cstr(&path), buf_str(&text));
    if (is_written) {
        s->n_answer_files++;
        buf_init(&uri, 16 * KIB);
        append_uri(&uri, buf_str(&path));
        struct json_writer *w =
            rpc_request(s->rpc, STR("window/showDocument"), CLOCK_NEVER, on_shown, s);
        json_begin_object(w);
        json_key_str(w, STR("uri"), buf_str(&uri));
        json_key_bool(w, STR("takeFocus"), true);
        json_end_object(w);
        rpc_send(s->rpc);
        buf_release(&uri);
    }
    buf_release(&path);
    buf_release(&text);
    return is_written;
}

static void show_message(struct task *t)
{
    struct buf message;
    buf_init(&message, 16 * FLIGHT_MAX_TEXT_BYTES);
    buf_appendf(&message, STR_FMT ":\n", STR_ARG(t->title));
    markdown_append(&message, buf_str(&t->answer));
    session_show(t->session, 3, str_trim_end(buf_str(&message)));
    buf_release(&message);
}

void answers_release(struct session *s)
{
    unsigned n = s->n_answer_files < FILES_MAX ? s->n_answer_files : FILES_MAX;
    for (unsigned i = 0; i < n; i++) {
        struct buf path;
        file_path(i, &path);
        (void)unlink(buf_cstr(&path));
        buf_release(&path);
    }
    s->n_answer_files = 0;
}

/* -- the place -- */

void answers_note(const struct answer *answer, struct buf *markdown)
{
    if (answer->boarded != BOARDED_SIMILAR) {
        return;
    }
    buf_truncate(markdown, str_trim_end(buf_str(markdown)).len);
    buf_append(markdown, STR("\n\n*(Said of this code before "));
    if (answer->likeness < 1) {
        buf_appendf(markdown, "it was changed: %d %% alike.", (int)(answer->likeness * 100));
    } else {
        buf_append(markdown, STR("names, comments or layout were changed."));
    }
    buf_append(markdown, STR(" Explain it again for a new answer.)*"));
}

void answers_show(struct task *t, str spoken, bool is_done)
{
    buf_clear(&t->answer);
    buf_append(&t->answer, spoken); /* made safe where it is shown, which is less often */
    const struct client *c = &t->session->client;
    if (c->shows_answers && is_done) {
        send_answer(t, true, STR(""));
    } else if (c->shows_answers) {
        send_soon(t);
    } else if (is_done && !(c->shows_documents && show_file(t))) {
        show_message(t);
    }
}
