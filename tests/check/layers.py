#!/usr/bin/env python3
"""layers.py - checks what the compiler can't: who may include whom, which names live where.

usage: tests/check/layers.py        from the root of the tree; exit status 1 where a rule is broken

Prints one line per finding, `file:line: what`, then the longest functions, so that the question
whether they must be so long is asked each time."""
import pathlib
import re
import sys

MAX_FUNCTION_LINES = 80  # past this it fails; past 60 it is a question to ask
MAX_FILE_LINES = 900
N_LONGEST = 10

# From top to bottom; a folder includes itself and what stands below it.
STAIRCASE = ["lsp", "core/report", "core/engine", "core/prompt", "core/request", "core/model",
             "core/upstream", "core/predict", "core/document", "core/settings", "core/loop", "core/base"]

# What may only stand in these places: (regular expression over code without comments, places).
FENCES = [
    (r"#\s*include\s*<uv(/|\.h)|\buv_\w+", "libuv", ["core/loop/"]),
    (r"#\s*include\s*<curl/|\bcurl_\w+|\bCURL\w*", "libcurl",
     ["core/upstream/http.c", "core/upstream/http_pool.c", "core/upstream/http_fault.c", "core/upstream/http_internal.h"]),
    (r"#\s*include\s*<jsmn\.h>|\bjsmn\w*", "jsmn", ["core/base/json.c"]),
    (r"#\s*include\s*<uthash\.h>", "uthash", ["core/base/map.h"]),
    (r"#\s*include\s*<(sqlite3|hiredis|sodium)|\bsqlite3_\w+|\bredis[A-Z]\w+|\bsodium_\w+", "a store's library",
     ["core/request/store_", "core/model/history.c"]),
    (r"#\s*include\s*<tree_sitter|\bts_(parser|tree|node|query|language)_\w+", "tree-sitter", ["core/prompt/symbols.c"]),
    (r"\bdl(open|sym)\s*\(", "dlopen", ["core/model/hardware.c"]),
    (r"\b(malloc|calloc|realloc|free|strdup|strndup|asprintf|vasprintf|posix_memalign)\s*\(",
     "the C library's allocator", ["core/base/"]),
    (r"\b(printf|puts|putchar|vprintf)\s*\(|\bstdout\b", "standard output", ["lsp/", "tests/"]),
    (r"\b(fork|vfork|execv?p?e?|execl[pe]?|system|popen|posix_spawnp?)\s*\(", "another process", []),
]
# Words that core/ must not know, in identifiers and strings.
PROTOCOL_WORDS = re.compile(r"textDocument|jsonrpc|inlineCompletion|window/|workspace/", re.I)
SERVER_WORDS = re.compile(r"ollama|lm_?studio|llama_?cpp|vllm|anthropic", re.I)
SERVER_WORDS_ALLOWED = ("core/settings/",)  # the table of configuration knows the kinds

findings = []


def finding(path, line, text):
    findings.append(f"{path}:{line}: {text}")


def without_comments(text, keep_strings=True):
    """Code with comments (and string contents) blanked, line numbers kept."""
    pattern = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)

    def blank(match):
        found = match.group(0)
        if found[0] in "\"'":
            return found if keep_strings else '""'
        return "\n" * found.count("\n") + " "
    return pattern.sub(blank, text)


def lines_matching(pattern, code):
    for number, line in enumerate(code.split("\n"), 1):
        if re.search(pattern, line):
            yield number, line.strip()


def folder_of(path):
    parts = path.split("/")
    if parts[0] != "core":
        return parts[0]
    # The files right in core/ are the engine's.
    return "core/engine" if len(parts) == 2 else "core/" + parts[1]


def includes(code):
    for number, line in enumerate(code.split("\n"), 1):
        match = re.match(r'\s*#\s*include\s*"([^"]+)"', line)
        if match:
            yield number, match.group(1)


def check_include(path, line, target):
    source, into = folder_of(path), folder_of(target)
    if not pathlib.Path(target).exists():
        return finding(path, line, f'includes "{target}", which is no path from the root')
    if path == "lsp/main.c":
        return None
    if source == "providers":
        if not (target == "core/upstream/provider.h" or into in ("core/base", "providers")):
            finding(path, line, f"a provider sees provider.h and base alone, not {target}")
        return None
    if into == "providers":
        return finding(path, line, f"only lsp/main.c knows the providers, not {path}")
    if source == "lsp" and target == "core/upstream/http.h":
        return finding(path, line, "the editor's side knows no HTTP")
    for folder in (source, into):
        if folder not in STAIRCASE:
            return finding(path, line, f"{folder} has no place on the staircase (tests/check/layers.py)")
    if STAIRCASE.index(into) < STAIRCASE.index(source):
        finding(path, line, f"{source} stands below {into} and must not include it")
    return None


def check_circles(graph):
    state = {}

    def visit(node, trail):
        state[node] = "open"
        for target in graph.get(node, []):
            if state.get(target) == "open":
                circle = trail[trail.index(target):] if target in trail else trail
                finding(node, 1, "a circle of includes: " + " -> ".join([*circle, target]))
            elif target not in state:
                visit(target, [*trail, target])
        state[node] = "done"
    for node in sorted(graph):
        if node not in state:
            visit(node, [node])


def check_fences(path, code):
    for pattern, name, places in FENCES:
        if any(path.startswith(place) for place in places):
            continue
        for number, line in lines_matching(pattern, code):
            finding(path, number, f"{name} is fenced into {', '.join(places) or 'nothing'}: {line[:60]}")


def check_words(path, code):
    if not path.startswith("core/"):
        return
    for number, line in lines_matching(PROTOCOL_WORDS, code):
        finding(path, number, f"core/ knows no editor protocol: {line[:60]}")
    if not path.startswith(SERVER_WORDS_ALLOWED):
        for number, line in lines_matching(SERVER_WORDS, code):
            finding(path, number, f"core/ knows no model server by name: {line[:60]}")


def check_form(path, text):
    name = path.rsplit("/", 1)[-1]
    if not text.startswith(f"/* {name} - "):
        finding(path, 1, f'the file begins with a comment "/* {name} - what it is"')
    if text.count("\n") > MAX_FILE_LINES:
        finding(path, 1, f"{text.count(chr(10))} lines, at most {MAX_FILE_LINES}")
    for number, line in lines_matching("[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\U000e0000-\U000e007f]", text):
        finding(path, number, "an invisible or bidirectional character")
    for number, line in lines_matching(r"\bTODO\b|\bFIXME\b|\bXXX\b|\bHACK\b", text):
        finding(path, number, line[:70])


def functions(path, code):
    """(lines, path, line, name): the house style puts a function's braces into column 0."""
    lines = code.split("\n")
    start = None
    for number, line in enumerate(lines, 1):
        if line == "{" and number > 1:
            start = number
        elif line == "}" and start:
            head = " ".join(lines[max(0, start - 6):start - 1])
            names = re.findall(r"(\w+)\s*\(", head.rsplit(";", 1)[-1].rsplit("}", 1)[-1])
            yield number - start + 1, path, start, names[0] if names else "?"
            start = None


def main():
    paths = sorted(str(p) for top in ("core", "lsp", "providers", "tests")
                   for p in pathlib.Path(top).rglob("*.[ch]"))
    graph, all_functions = {}, []
    for path in paths:
        text = pathlib.Path(path).read_text(encoding="utf-8")
        code, bare = without_comments(text), without_comments(text, keep_strings=False)
        check_form(path, text)
        all_functions += functions(path, code)
        if path.startswith("tests/"):
            continue
        graph[path] = [target for _, target in includes(code)]
        for line, target in includes(code):
            check_include(path, line, target)
        check_fences(path, bare if not re.search(r"#\s*include", code) else
                     "\n".join(c if "#" in c and "include" in c else b
                               for c, b in zip(code.split("\n"), bare.split("\n"))))
        check_words(path, code)
    check_circles(graph)
    all_functions.sort(reverse=True)
    for lines, path, line, name in all_functions:
        if lines > MAX_FUNCTION_LINES:
            finding(path, line, f"{name} has {lines} lines, at most {MAX_FUNCTION_LINES}")
    for text in findings:
        print(text)
    print("longest functions: " + ", ".join(f"{name} {lines}" for lines, _, _, name in all_functions[:N_LONGEST]))
    print(f"{len(paths)} files, {len(all_functions)} functions, {len(findings)} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
