/* fuzz_document.c - a script of edits on a document, checked against a flat copy.
 *
 * Three bytes of input make an edit: where (on a scale of the document), how much to remove, and
 * which text to insert. After the last one, text and line index must equal those of a document
 * that is made from the flat copy. */
#include <stdint.h>

#include "core/document/document.h"
#include "core/base/limits.h"
#include "core/base/memory.h"
#include "lsp/position.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const texts[] = {"",
                                    "a",
                                    "\n",
                                    "\r",
                                    "\r\n",
                                    "\n\n",
                                    "b",
                                    "\xC3\xA9",
                                    "\xE2\x82\xAC",
                                    "\xF0\x9F\x98\x80",
                                    "long line of text that fills more than one word\n"};

static void check(const struct document *d, const struct buf *flat)
{
    struct document *fresh = document_create(buf_str(flat));
    ASSERT(document_len(d) == flat->len);
    ASSERT(document_line_count(d) == document_line_count(fresh));
    for (size_t i = 0; i < document_line_count(d); i++) {
        ASSERT(document_line_start(d, i) == document_line_start(fresh, i));
        ASSERT(document_line_end(d, i) == document_line_end(fresh, i));
    }
    for (size_t at = 0; at < flat->len;) {
        str piece = document_piece(d, at, flat->len);
        ASSERT(piece.len > 0 && memcmp(piece.ptr, flat->ptr + at, piece.len) == 0);
        at += piece.len;
    }
    document_destroy(fresh);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf flat;
    buf_init(&flat, 1 * MIB);
    buf_append(&flat, STR("int main(void)\n{\r\n}\r"));
    struct document *d = document_create(buf_str(&flat));
    for (size_t i = 0; i + 3 <= size && i < 3000; i += 3) {
        size_t start = document_floor(d, document_len(d) * data[i] / 255);
        size_t end = document_floor(d, start + data[i + 1] % 32u);
        str text = str_from(texts[data[i + 2] % (sizeof texts / sizeof *texts)]);
        ASSERT(document_edit(d, start, end, text) == ERR_OK);
        buf_splice(&flat, start, end, text);
        struct position pos = {data[i], data[i + 1]};
        size_t offset = position_to_offset(d, pos, POSITION_UTF16);
        pos = position_from_offset(d, offset, POSITION_UTF16);
        ASSERT(position_to_offset(d, pos, POSITION_UTF16) == offset);
    }
    check(d, &flat);
    document_destroy(d);
    buf_release(&flat);
    return 0;
}
