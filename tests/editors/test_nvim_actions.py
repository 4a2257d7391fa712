"""test_nvim_actions.py - real Neovims with the plugin: explanations, edits by the model, and what else :Crucible does."""
import json
import os
import time

import pytest

from fake_server import FakeServer
from neovim import BINARY, Neovim, find_all

TEXT = """#include <stdio.h>

int sum(const int *numbers, int n)
{
    int total = 0;
    for (int i = 0; i <= n; i++) {
        total += numbers[i];
    }
    return total;
}
"""
BROKEN = "    for (int i = 0; i <= n; i++) {\n"
FIXED = "    for (int i = 0; i < n; i++) {\n"
PROSE = "# What it does\n\n" + "\n\n".join(f"Step {n}: it adds `numbers[{n}]` to the total." for n in range(12))
FOUND = find_all() if os.access(BINARY, os.X_OK) else {}
VERSIONS = {"0.10": (0, 10), "0.11": (0, 11), "0.12": (0, 12)}
DIAGNOSTIC = """vim.diagnostic.set(vim.api.nvim_create_namespace('test'), 0, {{
    lnum = 5, col = 20, end_lnum = 5, end_col = 26, message = 'reads past the end', severity = 1 }})"""


@pytest.fixture(params=VERSIONS)
def nvim(request):
    if not os.access(BINARY, os.X_OK):
        pytest.skip(f"{BINARY} isn't built")
    if VERSIONS[request.param] not in FOUND:
        pytest.skip(f"no Neovim {request.param}: see tests/editors/get-nvim")
    server = FakeServer()
    started = []

    def run(text=TEXT, setup="", **more):
        setup += f"cmd = vim.lsp.rpc.connect('127.0.0.1', {server.port}),"
        started.append(Neovim(*FOUND[VERSIONS[request.param]], "http://127.0.0.1:1", text, setup, **more))
        return started[0], server
    yield run
    for editor in started:
        editor.stop()


def test_explanation_grows_in_a_window_and_closes(nvim):
    editor, server = nvim()
    server.text, server.pieces, server.piece_s = PROSE, 20, 0.1
    editor.keys(":3<CR>:Crucible explain<CR>")
    editor.until(lambda: editor.answer() and editor.answer()["text"].startswith("# What"), "the answer")
    first = editor.answer()
    assert first["floats"] and first["focused"] and "Explain" in first["title"]
    editor.until(lambda: editor.answer()["height"] > first["height"] and len(editor.answer()["text"]) > len(first["text"]),
                 "it to grow")
    editor.until(lambda: editor.answer()["text"] == PROSE, "the whole answer")
    editor.until(lambda: not editor.answer()["title"].strip().endswith("..."), "its end")
    assert editor.lua("vim.bo.modifiable") == "false"
    editor.keys("q")
    editor.until(lambda: editor.answer() is None, "the window to close")
    assert editor.buffer() == TEXT
    assert not server.cancelled, "what is done needs no cancel"


def test_closing_stops_an_answer_that_is_being_written(nvim):
    editor, server = nvim()
    server.text, server.pieces, server.piece_s = PROSE, 200, 0.1
    editor.keys(":3<CR>:Crucible explain<CR>")
    editor.until(lambda: editor.answer() and editor.answer()["text"].startswith("#"), "the answer")
    editor.keys("q")
    editor.until(lambda: server.cancelled == {"crucible/1"}, "the cancel")
    time.sleep(0.3)
    assert editor.answer() is None, "it doesn't come back"


def test_another_explanation_takes_the_window_over(nvim):
    editor, server = nvim()
    server.text, server.pieces, server.piece_s = PROSE, 200, 0.05
    editor.keys(":3<CR>:Crucible explain<CR>")
    editor.until(lambda: editor.answer() and editor.answer()["text"].startswith("# W"), "the answer")
    windows = editor.answer()["windows"]
    server.text, server.pieces = "Another answer.", 1
    editor.keys("<C-w>p:9<CR>:Crucible explain<CR>")
    editor.until(lambda: editor.answer()["text"] == "Another answer.", "the second answer")
    assert editor.answer()["windows"] == windows
    editor.until(lambda: server.cancelled == {"crucible/1"}, "the cancel of the first")


def test_answer_never_takes_the_focus_from_who_types(nvim):
    editor, server = nvim()
    server.text, server.piece_s = PROSE, 0.1
    editor.keys(":3<CR>:Crucible explain<CR>Go")
    editor.until(lambda: editor.answer() is not None, "the answer")
    focused = editor.answer()["focused"]
    editor.keys("typed")
    if not focused:  # the answer came while typing already
        editor.until(lambda: "typed" in editor.buffer(), "the letters")
    assert editor.answer() is not None


def test_answer_in_a_split(nvim):
    editor, server = nvim(setup="answer = { window = 'split', focus = false },")
    server.text = PROSE
    editor.keys(":3<CR>:Crucible explain<CR>")
    editor.until(lambda: editor.answer() and editor.answer()["text"] == PROSE, "the answer")
    assert not editor.answer()["floats"] and not editor.answer()["focused"]


def test_fix_hears_of_the_diagnostics_and_is_undone_by_one_u(nvim):
    editor, server = nvim()
    server.text = FIXED
    editor.do(DIAGNOSTIC)
    editor.keys(":6<CR>:Crucible fix<CR>")
    editor.until(lambda: editor.buffer() == TEXT.replace(BROKEN, FIXED), "the fix")
    [params] = server.received("workspace/executeCommand")
    assert params["command"] == "crucible.fix"
    [argument] = params["arguments"]
    assert [d["message"] for d in argument["diagnostics"]] == ["reads past the end"]
    assert argument["range"]["start"] == argument["range"]["end"]
    editor.keys("u")
    editor.until(lambda: editor.buffer() == TEXT, "the text of before")


def test_refactor_asks_for_what_shall_be_done(nvim):
    editor, server = nvim()
    server.text = FIXED
    editor.do("_G.says = 'use a while loop'")
    editor.keys(":6,8Crucible refactor<CR>")
    editor.until(lambda: editor.buffer() == TEXT.replace(BROKEN, FIXED), "the edit")
    assert editor.lua("#asked") == "1"
    [params] = server.received("workspace/executeCommand")
    [argument] = params["arguments"]
    assert argument["instruction"] == "use a while loop"
    assert (argument["range"]["start"]["line"], argument["range"]["end"]["line"]) == (5, 7)


def test_refactor_with_words_asks_nothing_and_without_an_answer_does_nothing(nvim):
    editor, server = nvim()
    server.text = FIXED
    editor.keys(":6<CR>:Crucible refactor<CR>")
    editor.until(lambda: editor.lua("#asked") == "1", "the question")
    assert not server.received("workspace/executeCommand")
    editor.keys(":Crucible refactor  use a while loop <CR>")
    editor.until(lambda: editor.buffer() == TEXT.replace(BROKEN, FIXED), "the edit")
    [params] = server.received("workspace/executeCommand")
    assert params["arguments"][0]["instruction"] == "use a while loop"


def test_selection_by_characters_after_wide_text(nvim):
    line = "/* 😀ü */ int first = 1, länge = 2;\n"
    editor, server = nvim(TEXT + line)
    editor.keys(":11<CR>fl" + "ve:Crucible explain<CR>")
    editor.until(lambda: server.received("workspace/executeCommand"), "the command")
    [argument] = server.received("workspace/executeCommand")[0]["arguments"]
    start = len(line[:line.index("länge")].encode("utf-16-le")) // 2
    assert argument["range"] == {"start": {"line": 10, "character": start}, "end": {"line": 10, "character": start + 5}}


def test_code_action_is_applied_and_undone_by_one_u(nvim):
    editor, server = nvim()
    server.text = FIXED
    editor.do(DIAGNOSTIC)
    editor.keys(":6<CR>21|")
    editor.do("vim.lsp.buf.code_action({ apply = true, filter = function(a) return a.kind == 'quickfix' end })")
    editor.until(lambda: editor.buffer() == TEXT.replace(BROKEN, FIXED), "the fix")
    editor.keys("u")
    editor.until(lambda: editor.buffer() == TEXT, "the text of before")


def test_code_action_refactor_asks_too(nvim):
    editor, server = nvim()
    server.text = FIXED
    editor.do("_G.says = 'use a while loop'")
    editor.keys(":6<CR>")
    editor.do("vim.lsp.buf.code_action({ apply = true, filter = function(a) return a.title:find('^Refactor') end })")
    editor.until(lambda: editor.buffer() == TEXT.replace(BROKEN, FIXED), "the edit")
    assert editor.lua("#asked") == "1"
    assert server.received("workspace/executeCommand")[0]["arguments"][0]["instruction"] == "use a while loop"


def test_words_are_completed_and_unknown_ones_are_named(nvim):
    editor, _ = nvim()
    assert editor.lua("table.concat(vim.fn.getcompletion('Crucible re', 'cmdline'), ' ')") == "refactor restart"
    assert editor.lua("#vim.fn.getcompletion('Crucible explain ', 'cmdline')") == "0"
    editor.keys(":Crucible improve<CR>")
    editor.until(lambda: "no such word: improve" in editor.told(), "the complaint")


def test_status_is_there_for_statuslines(nvim):
    editor, _ = nvim()
    editor.until(lambda: editor.lua("(vim.g.crucible_status or {}).message") == "ready", "the status")
    assert editor.lua("require('crucible').status()") == "tinycode"
    editor.keys(":Crucible status<CR>")
    editor.until(lambda: "Model: sim/tinycode" in editor.told(), "the status")


def test_without_a_server_it_says_where_to_look(nvim):
    editor, _ = nvim()
    editor.keys(":enew<CR>:Crucible explain<CR>")
    editor.until(lambda: ":checkhealth crucible" in editor.told(), "the complaint")


def test_capabilities_are_announced(nvim):
    _, server = nvim()
    [params] = server.received("initialize")
    assert params["capabilities"]["experimental"]["crucible"] == {"answers": True, "instructions": True}
    assert "workspace" in params["capabilities"]
    assert json.dumps(params["capabilities"]["textDocument"]["inlineCompletion"])
