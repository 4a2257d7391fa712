/* fuzz_predict.c - any text, any cursor: the tokenizer ends, the tables hold what they say, and a
 * suggestion is text that fits on the lines it promises. */
#include "core/base/arena.h"
#include "core/base/memory.h"
#include "core/predict/ignore.h"
#include "core/predict/suggest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct prediction *p, unsigned max_lines)
{
    unsigned n_lines = 1;
    for (size_t i = 0; i < p->text.len; i++) {
        n_lines += p->text.ptr[i] == '\n';
    }
    ASSERT(p->confidence >= 0 && p->confidence <= 1);
    ASSERT(n_lines <= max_lines);
}

/* The first bytes choose the place of the cursor and the number of lines. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3 || size > 65536) {
        return 0;
    }
    str text = str_of((const char *)data + 3, size - 3);
    size_t cursor = (size_t)(data[0] | data[1] << 8) % (text.len + 1);
    unsigned max_lines = data[2] % 8u + 1;
    struct ngrams learned;
    struct ngrams scope;
    struct arena arena = {0};
    ngrams_init(&learned, 256u << 10);
    ngrams_init(&scope, 1u << 20);
    (void)ngrams_add(&learned, STR("/a"), text, NULL, NULL);
    ASSERT(ngrams_index(&learned, NULL));
    ASSERT(ngrams_bytes(&learned) <= 256u << 10);
    struct mix *m = xcalloc(1, sizeof(*m));
    m->params = &MIX_PARAMS;
    mix_add(m, &learned, data[2] & 8 ? MIX_DOCUMENT : MIX_WORKSPACE, 1);
    struct prediction_place place = {.before = str_sub(text, 0, cursor),
                                     .after = str_sub(text, cursor, text.len),
                                     .max_lines = max_lines};
    struct prediction p = suggest(m, &scope, &place, &arena);
    check(&p, max_lines);
    struct ignore *ig = ignore_create(NULL, STR(""), str_sub(text, 0, 512));
    (void)ignore_matches(ig, STR("src/deep/file.c"), false);
    ignore_destroy(ig);
    arena_release(&arena);
    ngrams_release(&scope);
    ngrams_release(&learned);
    xfree(m);
    return 0;
}
