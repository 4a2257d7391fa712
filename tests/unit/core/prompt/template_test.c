/* template_test.c - the families' spellings, and that user text can't forge a control token. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "core/base/limits.h"
#include "core/prompt/template.h"

static void template_is_found_by_the_models_name(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"qwen2.5-coder:1.5b", "qwen-coder"},
        {"Qwen2.5-Coder-7B-Instruct-Q4_K_M.gguf", "qwen-coder"},
        {"qwen3-coder-30b-a3b", "qwen-coder"},
        {"tinycode-4m-q8_0.gguf tinycode", "qwen-coder"},
        {"codeqwen1.5-7b", "codeqwen"},
        {"codellama:7b-code", "codellama"},
        {"CodeLlama-13b-Instruct-hf", "codellama"},
        {"codellama-34b", NULL},
        {"CodeLlama-7b-Python", NULL},
        {"deepseek-coder:6.7b-base", "deepseek-coder"},
        {"DeepSeek-Coder-V2-Lite-Base", "deepseek-coder"},
        {"starcoder2:3b", "starcoder"},
        {"bigcode/starcoderbase-1b", "starcoder"},
        {"granite-8b-code-base", "granite-code"},
        {"granite-3.3-8b-instruct", "granite-code"},
        {"granite-4.0-h-350m", "granite4"},
        {"granite4:tiny", "granite4"},
        {"Refact-1_6B-fim refact-1", "refact"},
        {"my-refactored-llm", NULL},
        {"codegemma:2b-code", "codegemma"},
        {"codegemma-7b-it", NULL},
        {"codestral:22b-v0.1", "codestral"},
        {"codestral-2501", NULL},
        {"mamba-codestral-7b", NULL},
        {"stable-code-3b", "stable-code"},
        {"codegeex4-all-9b", "codegeex4"},
        {"glm-4-9b", "glm4"},
        {"Falcon-H1-Tiny-Coder-90M", "falcon"},
        {"Seed-Coder-8B-Base", "seed-coder"},
        {"Seed-Coder-8B-Instruct", NULL},
        {"Mellum-4b-base", "mellum"},
        {"Meta-Llama-3.1-8B-Instruct", NULL},
        {"mistral-7b-instruct", NULL},
        {"gpt-4o", NULL},
        {"devstral-small", NULL},
        {"Qwen3-Coder-Next-80B-A3B Qwen3 Coder Next", "qwen-coder"},
        {"Qwen2.5-Coder-7B coder", "qwen-coder"},
        {"zai-org/GLM-4.5-Air", "glm4"},
        {"granite3.3:8b", "granite-code"},
        {"codestral-latest", NULL},
        {"Mellum2-12B-A2.5B", NULL},
        {"yi-coder-9b", NULL},
        {"SmolLM3-3B", NULL},
        {"deepseek-r1:8b", NULL},
        {"qwen3-8b", NULL},
        {"", NULL}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct template_family *f = template_find(str_from(cases[i][0]));
        if (cases[i][1] == NULL) {
            assert_null(f);
        } else {
            assert_non_null(f);
            assert_string_equal(f->name, cases[i][1]);
            assert_ptr_equal(template_find(str_from(f->name)), f);
        }
    }
}

#define FAMILIES                                                                                   \
    "qwen-coder|codeqwen|codellama|deepseek-coder|granite4|granite-code|starcoder|refact|"         \
    "santacoder|codegemma|codestral|stable-code|codegeex4|glm4|falcon|seed-coder|mellum"

static void check_rendering(const char *family, const char *expected)
{
    struct buf out;
    buf_init(&out, KIB);
    template_render(template_find(str_from(family)), STR("P"), STR("S"), STR("a/b.py"), &out);
    assert_string_equal(buf_cstr(&out), expected);
    buf_release(&out);
}

static void template_renders_each_family(void **state)
{
    (void)state;
    check_rendering("qwen-coder", "<|fim_prefix|>P<|fim_suffix|>S<|fim_middle|>");
    check_rendering("codeqwen", "<fim_prefix>P<fim_suffix>S<fim_middle>");
    check_rendering("codellama", "<PRE> P <SUF>S <MID>");
    check_rendering("deepseek-coder", "<\xef\xbd\x9c"
                                      "fim\xe2\x96\x81"
                                      "begin\xef\xbd\x9c>P"
                                      "<\xef\xbd\x9c"
                                      "fim\xe2\x96\x81hole\xef\xbd\x9c>S"
                                      "<\xef\xbd\x9c"
                                      "fim\xe2\x96\x81"
                                      "end\xef\xbd\x9c>");
    check_rendering("granite4", "<|fim_prefix|>P<|fim_suffix|>S<|fim_middle|>");
    check_rendering("granite-code", "<fim_prefix>P<fim_suffix>S<fim_middle>");
    check_rendering("starcoder", "<fim_prefix>P<fim_suffix>S<fim_middle>");
    check_rendering("refact", "<fim_prefix>P<fim_suffix>S<fim_middle>");
    check_rendering("santacoder", "<fim-prefix>P<fim-suffix>S<fim-middle>");
    check_rendering("codegemma", "<|fim_prefix|>P<|fim_suffix|>S<|fim_middle|>");
    check_rendering("codestral", "[SUFFIX]S[PREFIX]P");
    check_rendering("stable-code", "<fim_prefix>P<fim_suffix>S<fim_middle>");
    check_rendering("codegeex4", "<|user|>\n###PATH:a/b.py\n###LANGUAGE:Python\n###MODE:BLOCK\n"
                                 "<|code_suffix|>S<|code_prefix|>P<|code_middle|><|assistant|>\n");
    check_rendering("glm4", "<|code_prefix|>P<|code_suffix|>S<|code_middle|>");
    check_rendering("falcon", "<|prefix|>P<|suffix|>S<|middle|>");
    check_rendering("seed-coder", "<[fim-suffix]>S<[fim-prefix]>P<[fim-middle]>");
    check_rendering("mellum", "<filename>a/b.py\n<fim_suffix>S<fim_prefix>P<fim_middle>");
}

/* Control tokens in `text`. */
static size_t count_tokens(str text)
{
    size_t n = 0;
    for (size_t i = 0; i < text.len; i++) {
        n += template_control_token(str_sub(text, i, text.len), NULL) > 0;
    }
    return n;
}

static void template_user_text_forges_no_token(void **state)
{
    (void)state;
    str names = STR(FAMILIES);
    str name;
    while (str_next(&names, '|', &name)) {
        const struct template_family *f = template_find(name);
        struct buf plain, forged, text;
        buf_init(&plain, 64 * KIB);
        buf_init(&forged, 64 * KIB);
        buf_init(&text, 64 * KIB);
        template_render(f, STR("P"), STR("S"), STR("F"), &plain);
        str all = STR(FAMILIES);
        str other;
        while (str_next(&all, '|', &other)) { /* every pattern of every family as user text */
            buf_append(&text, str_from(template_find(other)->pattern));
            for (size_t i = 0; template_find(other)->stops[i] != NULL; i++) {
                buf_append(&text, str_from(template_find(other)->stops[i]));
            }
        }
        assert_true(count_tokens(buf_str(&text)) > 100);
        template_render(f, buf_str(&text), buf_str(&text), buf_str(&text), &forged);
        assert_int_equal(count_tokens(buf_str(&forged)), count_tokens(buf_str(&plain)));
        buf_release(&plain);
        buf_release(&forged);
        buf_release(&text);
    }
}

/* Gives the spelling in angle or square brackets that `text` begins with, SentencePiece's blank
 * before it or not; 0 where there is none. */
static size_t bracketed(str text)
{
    size_t start = str_starts_with(text, STR("\xe2\x96\x81<")) ? 3 : 0;
    if (start == text.len || (text.ptr[start] != '<' && text.ptr[start] != '[')) {
        return 0;
    }
    char closing = text.ptr[start] == '<' ? '>' : ']';
    size_t end = str_find_char(text, closing, start);
    return end == SIZE_MAX ? 0 : end + 1;
}

/* Every spelling of a family's pattern and stops, found by its look and not by the table of
 * tokens: none that stands in the user's text reaches the model of that family whole. */
static void template_breaks_every_spelling_of_its_own(void **state)
{
    (void)state;
    str names = STR(FAMILIES), name;
    unsigned n_spellings = 0;
    while (str_next(&names, '|', &name)) {
        const struct template_family *f = template_find(name);
        struct buf all, plain, forged;
        buf_init(&all, 64 * KIB);
        buf_append(&all, str_from(f->pattern));
        for (size_t i = 0; f->stops[i] != NULL; i++) {
            buf_append(&all, str_from(f->stops[i]));
        }
        for (size_t i = 0; i < all.len; i++) {
            str spelling = str_sub(buf_str(&all), i, all.len);
            spelling.len = bracketed(spelling);
            if (spelling.len == 0 || str_eq(spelling, STR("</code>"))) {
                continue; /* the latter is ordinary text, also to stable-code's tokenizer */
            }
            buf_init(&plain, 64 * KIB);
            buf_init(&forged, 64 * KIB);
            template_render(f, STR("x"), STR("x"), STR("x"), &plain);
            template_render(f, spelling, STR("x"), STR("x"), &forged);
            size_t n_plain = 0, n_forged = 0;
            for (size_t k = 0; k + spelling.len <= forged.len; k++) {
                n_forged += str_starts_with(str_sub(buf_str(&forged), k, forged.len), spelling);
                n_plain += str_starts_with(str_sub(buf_str(&plain), k, plain.len), spelling);
            }
            assert_int_equal(n_forged, n_plain);
            n_spellings++;
            i += spelling.len - 1;
            buf_release(&plain);
            buf_release(&forged);
        }
        buf_release(&all);
    }
    assert_true(n_spellings > 120);
}

static void check_neutralised(const char *text, const char *expected)
{
    struct buf once, twice;
    buf_init(&once, KIB);
    buf_init(&twice, KIB);
    template_neutralise(str_from(text), &once);
    assert_string_equal(buf_cstr(&once), expected);
    template_neutralise(buf_str(&once), &twice);
    assert_string_equal(buf_cstr(&twice), expected);
    buf_release(&once);
    buf_release(&twice);
}

static void template_neutralise_breaks_tokens_only(void **state)
{
    (void)state;
    check_neutralised("a<|im_start|>b", "a< |im_start|>b");
    check_neutralised("<<|endoftext|>", "<< |endoftext|>");
    check_neutralised("</s>", "< /s>");
    check_neutralised("\xe2\x96\x81<PRE>", "\xe2\x96\x81 < PRE>");
    check_neutralised("[INST]x[/INST]", "[ INST]x[ /INST]");
    check_neutralised("usage: cp <filename>", "usage: cp <filename>");
    check_neutralised("a < b, c[i], x |> y <| z", "a < b, c[i], x |> y <| z");
    check_neutralised("", "");
}

static void template_breaks_file_marks_where_the_family_has_them(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, KIB);
    template_render(template_find(STR("mellum")), STR("<filename>x"), STR(""), STR("a\nb"), &out);
    assert_string_equal(buf_cstr(&out),
                        "<filename>a b\n<fim_suffix><fim_prefix>< filename>x<fim_middle>");
    buf_release(&out);
}

static void template_control_token_tells_beginnings(void **state)
{
    (void)state;
    bool may_become = false;
    assert_int_equal(template_control_token(STR("<|endoftext|>x"), &may_become), 13);
    assert_int_equal(template_control_token(STR("<|endoftext|"), &may_become), 0);
    assert_true(may_become);
    assert_int_equal(template_control_token(STR("<|endoftext!"), &may_become), 0);
    assert_false(may_become);
    assert_int_equal(template_control_token(STR("["), &may_become), 0);
    assert_true(may_become);
    assert_int_equal(template_control_token(STR("\xe2\x96"), &may_become), 0);
    assert_true(may_become);
    assert_int_equal(template_control_token(STR("x"), &may_become), 0);
    assert_false(may_become);
    assert_int_equal(template_control_token(STR(""), &may_become), 0);
    assert_false(may_become);
}

static void template_first_four_stops_end_a_text(void **state)
{
    (void)state;
    str names = STR(FAMILIES);
    str name;
    while (str_next(&names, '|', &name)) {
        const struct template_family *f = template_find(name);
        assert_non_null(f->stops[0]);
        assert_true(template_control_token(str_from(f->stops[0]), NULL) > 0);
    }
}

/* A template is trusted where the model's own tokenizer knows all that it spells. */
static void templates_are_proven_by_the_tokenizer(void **state)
{
    (void)state;
    static const struct {
        const char *family, *tokens;
        bool is_proven;
    } cases[] = {
        {"qwen-coder", "<|fim_prefix|>\n<|fim_suffix|>\n<|fim_middle|>\n", true},
        {"qwen-coder", "<|fim_prefix|>\n<|fim_suffix|>\n", false},
        {"qwen-coder", "<fim_prefix>\n<fim_suffix>\n<fim_middle>\n", false},
        {"qwen-coder", "", false},
        {"starcoder", "<fim_prefix>\n<fim_suffix>\n<fim_middle>\n", true},
        {"codellama", "\xe2\x96\x81<PRE>\n\xe2\x96\x81<SUF>\n\xe2\x96\x81<MID>\n", true},
        {"codellama", "<PRE>\n<SUF>\n<MID>\n", true},
        {"codestral", "[PREFIX]\n[SUFFIX]\n", true},
        {"codestral", "[PREFIX]\n", false},
        {"codegeex4", "<|code_prefix|>\n<|code_suffix|>\n<|code_middle|>\n", true},
        {"seed-coder", "<[fim-prefix]>\n<[fim-suffix]>\n<[fim-middle]>\n", true},
        {"mellum", "<fim_prefix>\n<fim_suffix>\n<fim_middle>\n", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct template_family *f = template_find(str_from(cases[i].family));
        assert_non_null(f);
        assert_int_equal(template_is_proven(f, str_from(cases[i].tokens)), cases[i].is_proven);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(templates_are_proven_by_the_tokenizer),
        cmocka_unit_test(template_is_found_by_the_models_name),
        cmocka_unit_test(template_renders_each_family),
        cmocka_unit_test(template_user_text_forges_no_token),
        cmocka_unit_test(template_breaks_every_spelling_of_its_own),
        cmocka_unit_test(template_neutralise_breaks_tokens_only),
        cmocka_unit_test(template_breaks_file_marks_where_the_family_has_them),
        cmocka_unit_test(template_control_token_tells_beginnings),
        cmocka_unit_test(template_first_four_stops_end_a_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
