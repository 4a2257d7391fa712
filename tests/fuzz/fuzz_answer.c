/* fuzz_answer.c - what a person's question brings back: code found in it, Markdown written anew,
 * and the text that the question was about. */
#include <stdint.h>
#include <stdlib.h>

#include "core/base/limits.h"
#include "core/prompt/markdown.h"
#include "core/prompt/rewrite.h"
#include "core/prompt/subject.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool is_true)
{
    if (!is_true) {
        abort();
    }
}

/* Outside of code nothing that begins a link, an image or HTML stands unescaped. */
static void check_markdown(str text)
{
    struct buf out;
    buf_init(&out, 16 * KIB + 8 * text.len);
    markdown_append(&out, text);
    char fence = '\0';
    size_t n_fence = 0;
    for (str rest = buf_str(&out), line; str_next(&rest, '\n', &line);) {
        size_t n = 0;
        while (n < line.len && line.ptr[n] == line.ptr[0] &&
               (line.ptr[0] == '`' || line.ptr[0] == '~')) {
            n++;
        }
        if (n >= 3 && (n_fence == 0 || (line.ptr[0] == fence && n >= n_fence && n == line.len))) {
            fence = line.ptr[0];
            n_fence = n_fence == 0 ? n : 0;
            continue;
        }
        for (size_t i = 0; n_fence == 0 && i < line.len; i++) {
            if (line.ptr[i] == '\\') {
                i++;
            } else if (line.ptr[i] == '`') { /* a span, which ends on its line */
                size_t k = 0;
                while (i + k < line.len && line.ptr[i + k] == '`') {
                    k++;
                }
                size_t end = i + k;
                size_t run = 0;
                while (end < line.len && !(run == k && line.ptr[end] != '`')) {
                    run = line.ptr[end] == '`' ? run + 1 : 0;
                    end++;
                }
                check(run == k);
                i = end - 1;
            } else {
                check(line.ptr[i] != '[' && line.ptr[i] != '<' && line.ptr[i] != '!');
            }
        }
    }
    check(n_fence == 0);
    buf_release(&out);
}

static void check_rewrite(str text, bool is_insert, bool is_whole_lines)
{
    struct rewrite_spec spec = {.original = STR("    int a;\n    return a;\n"),
                                .before = STR("int f(void)\n{\n"),
                                .after = STR("}\n\nint main(void)\n{\n}\n"),
                                .is_insert = is_insert,
                                .is_whole_lines = is_whole_lines,
                                .indent = STR("  ")};
    struct buf out;
    struct error why = {0};
    buf_init(&out, 64 * KIB + 8 * text.len);
    enum err err = rewrite_read(&spec, text, &out, &why);
    check(err == ERR_OK ? out.len > 0 : err == ERR_PROTOCOL && why.msg[0] != '\0');
    str growing = rewrite_growing(text);
    check(growing.len <= text.len);
    buf_release(&out);
}

static void check_subject(str text)
{
    struct document *d = document_create(text);
    struct buf comment;
    buf_init(&comment, 64 * KIB + text.len);
    size_t at = text.len / 2;
    struct subject_range ranges[] = {subject_block(d, at), subject_symbol(d, at),
                                     subject_definition(d, STR("f"), at)};
    for (size_t i = 0; i < 3; i++) {
        check(ranges[i].start <= ranges[i].end && ranges[i].end <= document_len(d));
    }
    check(subject_head_end(d, ranges[0]) <= document_len(d));
    subject_comment(d, 0, document_len(d), &comment);
    buf_release(&comment);
    document_destroy(d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || size > 64 * KIB) {
        return 0;
    }
    for (size_t i = 0; i < size; i++) { /* text has passed the trimmer before */
        if (data[i] >= 0x80 || data[i] == 0) {
            return 0;
        }
    }
    str text = str_of((const char *)data, size);
    check_markdown(text);
    check_rewrite(text, false, true);
    check_rewrite(text, true, false);
    check_subject(text);
    return 0;
}
