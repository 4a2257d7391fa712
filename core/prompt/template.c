/* template.c - how each model family wants the text around a hole written.
 *
 * Why      A model fills a hole only where it is shown in the spelling it was trained on; a blank
 *          too many halves the quality. And the user's text stands between control tokens: where
 *          it spells one itself, it would speak with the template's voice.
 * How      Two tables: families in order of specificity (the first that matches counts), and the
 *          control tokens of all of them and of the usual chat templates. A token in user text is
 *          broken by a space after its first character, which no tokenizer reads as the token.
 * Rules    Breaking is idempotent. Tokens start with '<', '[' or U+2581, and none is the beginning
 *          of another, so that the first that completes is the one.
 * Extending  One row in FAMILIES, its tokens in TOKENS. */
#include "core/prompt/template.h"

#include "core/base/limits.h"
#include "core/base/memory.h"
#include "core/base/visible.h"

#define BAR "\xEF\xBD\x9C" /* U+FF5C */
#define LOW "\xE2\x96\x81" /* U+2581, the blank of SentencePiece */

#define QWEN_STOPS                                                                                 \
    {                                                                                              \
        "<|endoftext|>", "<|file_sep|>", "<|fim_pad|>", "<|im_end|>", "<|fim_prefix|>",            \
            "<|fim_suffix|>", "<|fim_middle|>", "<|repo_name|>", "<|im_start|>", NULL              \
    }

/* First match wins. Sources: the model cards and reference encoders of each. */
static const struct template_family FAMILIES[] = {
    /* Qwen2.5-Coder-repolevel-fim.py, Qwen3-Coder README; tinycode has the same tokens */
    {"qwen-coder", "qwen+coder|tinycode", "<|fim_prefix|>%P<|fim_suffix|>%S<|fim_middle|>",
     QWEN_STOPS},
    /* CodeQwen1.5 card */
    {"codeqwen",
     "codeqwen|code-qwen",
     "<fim_prefix>%P<fim_suffix>%S<fim_middle>",
     {"<|endoftext|>", "<file_sep>", "<fim_pad>", "<|im_end|>", "<fim_prefix>", "<fim_suffix>",
      "<fim_middle>", NULL}},
    /* codellama llama/generation.py; the 34B, 70B and Python models have no infilling */
    {"codellama",
     "codellama|code-llama|code_llama|!34b|!70b|!python",
     "<PRE> %P <SUF>%S <MID>",
     {"<EOT>", "<PRE>", "<SUF>", "<MID>", "</s>", NULL}},
    /* DeepSeek-Coder and -V2 READMEs */
    {"deepseek-coder",
     "deepseek+coder",
     "<" BAR "fim" LOW "begin" BAR ">%P<" BAR "fim" LOW "hole" BAR ">%S<" BAR "fim" LOW "end" BAR
     ">",
     {"<" BAR "end" LOW "of" LOW "sentence" BAR ">", "<" BAR "fim" LOW "begin" BAR ">",
      "<" BAR "fim" LOW "hole" BAR ">", "<" BAR "fim" LOW "end" BAR ">", "<|EOT|>", NULL}},
    /* IBM Granite 4 documentation, fill-in-the-middle */
    {"granite4",
     "granite4|granite-4|granite_4|granite 4",
     "<|fim_prefix|>%P<|fim_suffix|>%S<|fim_middle|>",
     {"<|end_of_text|>", "<|fim_pad|>", "<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>",
      NULL}},
    /* Granite-code and Granite 3.3 cards */
    {"granite-code",
     "granite+code|granite3.3|granite-3.3|granite_3.3",
     "<fim_prefix>%P<fim_suffix>%S<fim_middle>",
     {"<|endoftext|>", "<|end_of_text|>", "<fim_pad>", "<fim_prefix>", "<fim_suffix>",
      "<fim_middle>", "<reponame>", NULL}},
    /* StarCoder 1 and 2 cards */
    {"starcoder",
     "starcoder|star-coder",
     "<fim_prefix>%P<fim_suffix>%S<fim_middle>",
     {"<|endoftext|>", "<file_sep>", "<fim_prefix>", "<fim_middle>", "<fim_suffix>", "<fim_pad>",
      "<repo_name>", "<filename>", NULL}},
    /* Refact-1.6B-fim card */
    {"refact",
     "refact-1|refact_1|refact:1|refact-ai|refactai|smallcloud",
     "<fim_prefix>%P<fim_suffix>%S<fim_middle>",
     {"<|endoftext|>", "<fim_prefix>", "<fim_suffix>", "<fim_middle>", NULL}},
    /* SantaCoder card: hyphens */
    {"santacoder",
     "santacoder",
     "<fim-prefix>%P<fim-suffix>%S<fim-middle>",
     {"<|endoftext|>", "<fim-prefix>", "<fim-suffix>", "<fim-middle>", NULL}},
    /* CodeGemma card; the instruction-tuned ones don't fill holes */
    {"codegemma",
     "codegemma|code-gemma|!-it|!_it|!instruct",
     "<|fim_prefix|>%P<|fim_suffix|>%S<|fim_middle|>",
     {"<|file_separator|>", "<eos>", "<end_of_turn>", "<|fim_prefix|>", "<|fim_suffix|>",
      "<|fim_middle|>", NULL}},
    /* mistral-common encode_fim for the weights of 22B v0.1; later ones are reached by API alone */
    {"codestral",
     "codestral|!mamba|!embed|!-25|!_25|!latest",
     "[SUFFIX]%S[PREFIX]%P",
     {"</s>", "[PREFIX]", "[SUFFIX]", "\n+++++ ", NULL}},
    /* Stable Code 3B card */
    {"stable-code",
     "stable-code|stable_code|stablecode|stable code",
     "<fim_prefix>%P<fim_suffix>%S<fim_middle>",
     {"<|endoftext|>", "<file_sep>", "<fim_prefix>", "<fim_middle>", "<fim_suffix>", "<fim_pad>",
      "</fim_middle>", "</code>", NULL}},
    /* CodeGeeX4 Infilling_guideline.md */
    {"codegeex4",
     "codegeex4|codegeex-4",
     "<|user|>\n###PATH:%F\n###LANGUAGE:%L\n###MODE:BLOCK\n<|code_suffix|>%S<|code_prefix|>%P"
     "<|code_middle|><|assistant|>\n",
     {"<|endoftext|>", "<|user|>", "<|assistant|>", "<|code_middle|>", "<|code_prefix|>",
      "<|code_suffix|>", "<|observation|>", NULL}},
    /* GLM-4 tokenizer */
    {"glm4",
     "glm-4|glm4|glm_4",
     "<|code_prefix|>%P<|code_suffix|>%S<|code_middle|>",
     {"<|endoftext|>", "<|user|>", "<|observation|>", "<|code_middle|>", "<|code_prefix|>",
      "<|code_suffix|>", NULL}},
    /* Falcon-H1-Tiny-Coder tokenizer */
    {"falcon",
     "falcon+coder",
     "<|prefix|>%P<|suffix|>%S<|middle|>",
     {"<|end_of_text|>", "<|endoftext|>", "<|prefix|>", "<|suffix|>", "<|middle|>", NULL}},
    /* Seed-Coder paper: suffix first; base models */
    {"seed-coder",
     "seed-coder|seed_coder|seedcoder|!instruct|!reasoning",
     "<[fim-suffix]>%S<[fim-prefix]>%P<[fim-middle]>",
     {"<[end" LOW "of" LOW "sentence]>", "<[fim-suffix]>", "<[fim-prefix]>", "<[fim-middle]>",
      "<[PAD" LOW "TOKEN]>", "<[SEP" LOW "TOKEN]>", "<[begin" LOW "of" LOW "sentence]>", NULL}},
    /* Mellum paper (arXiv 2510.05788): suffix, prefix, middle under the file's name */
    {"mellum",
     "mellum|!mellum2|!mellum-2",
     "<filename>%F\n<fim_suffix>%S<fim_prefix>%P<fim_middle>",
     {"<|endoftext|>", "<filename>", "<fim_suffix>", "<fim_prefix>", "<fim_middle>", "<fim_pad>",
      "<reponame>", NULL}},
};
#define N_FAMILIES (sizeof FAMILIES / sizeof *FAMILIES)

enum token_use {
    ENDS_TEXT, /* broken in prompts, and a model that writes it has left the text */
    BROKEN,    /* broken in prompts only: it also occurs in ordinary code */
    OF_FAMILY  /* broken in prompts of families that stop at it: ordinary text elsewhere */
};
struct token {
    const char *text;
    enum token_use use;
};

static const struct token TOKENS[] = {
    /* holes */
    {"<|fim_prefix|>", ENDS_TEXT},
    {"<|fim_suffix|>", ENDS_TEXT},
    {"<|fim_middle|>", ENDS_TEXT},
    {"<|fim_pad|>", ENDS_TEXT},
    {"<|repo_name|>", ENDS_TEXT},
    {"<|file_sep|>", ENDS_TEXT},
    {"<|file_separator|>", ENDS_TEXT},
    {"<|fim_repo|>", ENDS_TEXT},
    {"<fim_prefix>", ENDS_TEXT},
    {"<fim_suffix>", ENDS_TEXT},
    {"<fim_middle>", ENDS_TEXT},
    {"</fim_middle>", ENDS_TEXT},
    {"<fim_pad>", ENDS_TEXT},
    {"<fim-prefix>", ENDS_TEXT},
    {"<fim-suffix>", ENDS_TEXT},
    {"<fim-middle>", ENDS_TEXT},
    {"<fim-pad>", ENDS_TEXT},
    {"<fim-repo>", ENDS_TEXT},
    {"<file_sep>", ENDS_TEXT},
    {"<repo_name>", ENDS_TEXT},
    {"<reponame>", ENDS_TEXT},
    {"<gh_stars>", ENDS_TEXT},
    {"<issue_start>", ENDS_TEXT},
    {"<jupyter_start>", ENDS_TEXT},
    {"<empty_output>", ENDS_TEXT},
    {"<commit_before>", ENDS_TEXT},
    {"<commit_after>", ENDS_TEXT},
    {"<filename>", OF_FAMILY},
    {"<PRE>", ENDS_TEXT},
    {"<SUF>", ENDS_TEXT},
    {"<MID>", ENDS_TEXT},
    {"<EOT>", ENDS_TEXT},
    {"<REPO>", BROKEN},
    {LOW "<PRE>", ENDS_TEXT},
    {LOW "<SUF>", ENDS_TEXT},
    {LOW "<MID>", ENDS_TEXT},
    {LOW "<EOT>", ENDS_TEXT},
    {"[PREFIX]", ENDS_TEXT},
    {"[SUFFIX]", ENDS_TEXT},
    {"[MIDDLE]", ENDS_TEXT},
    {"<|code_prefix|>", ENDS_TEXT},
    {"<|code_suffix|>", ENDS_TEXT},
    {"<|code_middle|>", ENDS_TEXT},
    {"<|prefix|>", ENDS_TEXT},
    {"<|suffix|>", ENDS_TEXT},
    {"<|middle|>", ENDS_TEXT},
    {"<" BAR "fim" LOW "begin" BAR ">", ENDS_TEXT},
    {"<" BAR "fim" LOW "hole" BAR ">", ENDS_TEXT},
    {"<" BAR "fim" LOW "end" BAR ">", ENDS_TEXT},
    {"<[fim-prefix]>", ENDS_TEXT},
    {"<[fim-suffix]>", ENDS_TEXT},
    {"<[fim-middle]>", ENDS_TEXT},
    {"<[PAD" LOW "TOKEN]>", ENDS_TEXT},
    {"<[SEP" LOW "TOKEN]>", ENDS_TEXT},
    {"<[begin" LOW "of" LOW "sentence]>", ENDS_TEXT},
    {"<[end" LOW "of" LOW "sentence]>", ENDS_TEXT},
    {"<|editable_region_start|>", ENDS_TEXT},
    {"<|editable_region_end|>", ENDS_TEXT},
    {"<|user_cursor_is_here|>", ENDS_TEXT},
    {"<|user_cursor|>", ENDS_TEXT},
    {"<|start_of_file|>", ENDS_TEXT},
    /* ends of text and turns */
    {"<|endoftext|>", ENDS_TEXT},
    {"<|begin_of_text|>", ENDS_TEXT},
    {"<|end_of_text|>", ENDS_TEXT},
    {"<|endofprompt|>", ENDS_TEXT},
    {"<|startoftext|>", ENDS_TEXT},
    {"<|EOT|>", ENDS_TEXT},
    {"<|eot_id|>", ENDS_TEXT},
    {"<|eom_id|>", ENDS_TEXT},
    {"<|start_header_id|>", ENDS_TEXT},
    {"<|end_header_id|>", ENDS_TEXT},
    {"<|python_tag|>", ENDS_TEXT},
    {"<|im_start|>", ENDS_TEXT},
    {"<|im_sep|>", ENDS_TEXT},
    {"<|im_end|>", ENDS_TEXT},
    {"<|user|>", ENDS_TEXT},
    {"<|assistant|>", ENDS_TEXT},
    {"<|system|>", ENDS_TEXT},
    {"<|observation|>", ENDS_TEXT},
    {"<|end|>", ENDS_TEXT},
    {"<|start|>", ENDS_TEXT},
    {"<|channel|>", ENDS_TEXT},
    {"<|message|>", ENDS_TEXT},
    {"<|return|>", ENDS_TEXT},
    {"<|call|>", ENDS_TEXT},
    {"<|start_of_role|>", ENDS_TEXT},
    {"<|end_of_role|>", ENDS_TEXT},
    {"<" BAR "begin" LOW "of" LOW "sentence" BAR ">", ENDS_TEXT},
    {"<" BAR "end" LOW "of" LOW "sentence" BAR ">", ENDS_TEXT},
    {"<" BAR "User" BAR ">", ENDS_TEXT},
    {"<" BAR "Assistant" BAR ">", ENDS_TEXT},
    {"<start_of_turn>", ENDS_TEXT},
    {"<end_of_turn>", ENDS_TEXT},
    {"<eos>", ENDS_TEXT},
    {"<bos>", BROKEN},
    {"<s>", BROKEN},
    {"</s>", ENDS_TEXT},
    {"[INST]", ENDS_TEXT},
    {"[/INST]", ENDS_TEXT},
    {"[TOOL_CALLS]", ENDS_TEXT},
    {"[AVAILABLE_TOOLS]", ENDS_TEXT},
    {"[SYSTEM_PROMPT]", ENDS_TEXT},
    {"[gMASK]", BROKEN},
    {"<<SYS>>", ENDS_TEXT},
    {"<</SYS>>", ENDS_TEXT},
};
#define N_TOKENS (sizeof TOKENS / sizeof *TOKENS)

/* Whether every part of `word`, joined by '+', occurs in `name`. */
static bool word_matches(str word, str name)
{
    str part;
    bool has_part = false;
    while (str_next(&word, '+', &part)) {
        if (part.len == 0 || !str_contains_nocase(name, part)) {
            return false;
        }
        has_part = true;
    }
    return has_part;
}

static bool family_matches(const struct template_family *f, str name)
{
    bool is_match = false;
    str rest = str_from(f->matches);
    str word;
    while (str_next(&rest, '|', &word)) {
        if (word.len > 0 && word.ptr[0] == '!') {
            if (str_contains_nocase(name, str_sub(word, 1, word.len))) {
                return false;
            }
        } else if (word_matches(word, name)) {
            is_match = true;
        }
    }
    return is_match;
}

const struct template_family *template_find(str model_name)
{
    for (size_t i = 0; i < N_FAMILIES; i++) {
        if (str_eq_nocase(str_from(FAMILIES[i].name), model_name)) {
            return &FAMILIES[i];
        }
    }
    for (size_t i = 0; i < N_FAMILIES; i++) {
        if (family_matches(&FAMILIES[i], model_name)) {
            return &FAMILIES[i];
        }
    }
    return NULL;
}

static bool may_start_token(char c)
{
    return c == '<' || c == '[' || c == LOW[0];
}

/* The token that `text` begins with, or NULL. *is_beginning (may be NULL) tells whether the whole
 * of `text` is a proper beginning of one that ends text. */
static const struct token *token_at(str text, bool *is_beginning)
{
    const struct token *found = NULL;
    if (is_beginning != NULL) {
        *is_beginning = false;
    }
    if (text.len == 0 || !may_start_token(text.ptr[0])) {
        return NULL;
    }
    for (size_t i = 0; i < N_TOKENS; i++) {
        str token = str_from(TOKENS[i].text);
        if (str_starts_with(text, token)) {
            found = &TOKENS[i];
        } else if (is_beginning != NULL && TOKENS[i].use == ENDS_TEXT &&
                   str_starts_with(token, text)) {
            *is_beginning = true;
        }
    }
    return found;
}

size_t template_control_token(str text, bool *may_become)
{
    const struct token *token = token_at(text, may_become);
    return token != NULL && token->use == ENDS_TEXT ? str_from(token->text).len : 0;
}

static bool stops_at(const struct template_family *f, const char *token)
{
    for (size_t i = 0; f != NULL && f->stops[i] != NULL; i++) {
        if (str_eq(str_from(f->stops[i]), str_from(token))) {
            return true;
        }
    }
    return false;
}

static bool is_around_hole(str token)
{
    static const char *const WORDS[] = {"prefix", "suffix", "middle", "fim",
                                        "pre>",   "suf>",   "mid>"};
    for (size_t i = 0; i < sizeof WORDS / sizeof *WORDS; i++) {
        if (str_contains_nocase(token, str_from(WORDS[i]))) {
            return true;
        }
    }
    return false;
}

/* SentencePiece spells a token behind its blank. */
static bool has_line(str lines, str token)
{
    str line;
    while (str_next(&lines, '\n', &line)) {
        str bare = str_starts_with(line, STR(LOW)) ? str_sub(line, sizeof LOW - 1, line.len) : line;
        if (str_eq(line, token) || str_eq(bare, token)) {
            return true;
        }
    }
    return false;
}

bool template_is_proven(const struct template_family *f, str tokens)
{
    str pattern = str_from(f->pattern);
    for (size_t i = 0; i < pattern.len; i++) {
        const struct token *token = token_at(str_sub(pattern, i, pattern.len), NULL);
        if (token != NULL && is_around_hole(str_from(token->text)) &&
            !has_line(tokens, str_from(token->text))) {
            return false;
        }
    }
    return true;
}

/* Bytes of the character that starts a token. */
static size_t first_char_len(char c)
{
    return c == LOW[0] ? sizeof LOW - 1 : 1;
}

static void neutralise(const struct template_family *f, str text, struct buf *out)
{
    size_t given = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (!may_start_token(text.ptr[i])) {
            continue;
        }
        const struct token *token = token_at(str_sub(text, i, text.len), NULL);
        if (token != NULL && (token->use != OF_FAMILY || stops_at(f, token->text))) {
            size_t split = i + first_char_len(text.ptr[i]);
            buf_append(out, str_sub(text, given, split));
            buf_append_char(out, ' ');
            given = split;
        }
    }
    buf_append(out, str_sub(text, given, text.len));
}

void template_neutralise(str text, struct buf *out)
{
    neutralise(NULL, text, out);
}

/* A file name stands on a line of its own: one line of visible characters, no token. */
static void render_name(const struct template_family *f, str name, struct buf *out)
{
    struct buf line;
    buf_init(&line, URI_MAX_BYTES);
    visible_append(&line, name);
    for (size_t i = 0; i < line.len; i++) {
        if (line.ptr[i] == '\n' || line.ptr[i] == '\t') {
            line.ptr[i] = ' ';
        }
    }
    neutralise(f, buf_str(&line), out);
    buf_release(&line);
}

void template_append_name(str file_name, struct buf *out)
{
    render_name(NULL, file_name, out);
}

str template_language(str file_name)
{
    static const char *const NAMES[][2] = {
        {"c", "C"},           {"h", "C"},
        {"cc", "C++"},        {"cpp", "C++"},
        {"hpp", "C++"},       {"py", "Python"},
        {"js", "JavaScript"}, {"jsx", "JavaScript"},
        {"ts", "TypeScript"}, {"tsx", "TypeScript"},
        {"rs", "Rust"},       {"go", "Go"},
        {"java", "Java"},     {"kt", "Kotlin"},
        {"rb", "Ruby"},       {"php", "PHP"},
        {"cs", "C#"},         {"swift", "Swift"},
        {"sh", "Shell"},      {"lua", "Lua"},
        {"sql", "SQL"},       {"html", "HTML"},
        {"css", "CSS"},       {"md", "Markdown"},
    };
    size_t dot = file_name.len;
    while (dot > 0 && file_name.ptr[dot - 1] != '.' && file_name.ptr[dot - 1] != '/') {
        dot--;
    }
    if (dot == 0 || file_name.ptr[dot - 1] != '.') {
        return STR("Text");
    }
    str extension = str_sub(file_name, dot, file_name.len);
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++) {
        if (str_eq_nocase(extension, str_from(NAMES[i][0]))) {
            return str_from(NAMES[i][1]);
        }
    }
    return extension;
}

void template_render(const struct template_family *f, str prefix, str suffix, str file_name,
                     struct buf *out)
{
    for (const char *p = f->pattern; *p != '\0'; p++) {
        if (*p != '%') {
            buf_append_char(out, *p);
            continue;
        }
        p++;
        switch (*p) {
        case 'P':
            neutralise(f, prefix, out);
            break;
        case 'S':
            neutralise(f, suffix, out);
            break;
        case 'F':
            render_name(f, file_name, out);
            break;
        default:
            ASSERT(*p == 'L');
            render_name(f, template_language(file_name), out);
        }
    }
}
