"""test_nvim_actions.py - real Neovims with the plugin: explanations, edits by the model, and what else :Crucible does."""
import json
import os
import time

import pytest

from neovim import BINARY, Neovim, find_all
from simulator import Simulator

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
WHOLE = TEXT.replace(BROKEN, FIXED)
FUNCTION = WHOLE.split("\n\n", 1)[1]  # what a place in it stands for
LOOP = WHOLE[WHOLE.index(FIXED):WHOLE.index("    return")]
PROSE = "# What it does\n\n" + "\n\n".join(f"Step {n}: it adds `numbers[{n}]` to the total." for n in range(12))
FOUND = find_all() if os.access(BINARY, os.X_OK) else {}
VERSIONS = {"0.10": (0, 10), "0.11": (0, 11), "0.12": (0, 12)}
# As another server reports it: Neovim keeps what it was told in user_data.
DIAGNOSTIC = """vim.diagnostic.set(vim.api.nvim_create_namespace('test'), 0, {{
    lnum = 5, col = 20, end_lnum = 5, end_col = 26, message = 'reads past the end', severity = 1 }})"""


def fenced(text):
    return f"```c\n{text}```\n"


@pytest.fixture(params=VERSIONS)
def nvim(request):
    if not os.access(BINARY, os.X_OK):
        pytest.skip(f"{BINARY} isn't built")
    if VERSIONS[request.param] not in FOUND:
        pytest.skip(f"no Neovim {request.param}: see tests/editors/get-nvim")
    started = []
    with Simulator([TEXT]) as sim:
        def run(text=TEXT, setup="", **more):
            started.append(Neovim(*FOUND[VERSIONS[request.param]], sim.url, text, setup, **more,
                                  settings={"models": {"chat": ["sim/tinycode"], "inline": ["embedded"]}}))
            return started[0], sim
        yield run
        for editor in started:
            editor.stop()


def asked(sim):
    """The prompts of what the model was asked for a person."""
    return [json.dumps(e["body"], ensure_ascii=False) for e in sim.generations if "messages" in e["body"]]


def is_stopped(sim):
    return [e["outcome"] for e in sim.generations if "messages" in e["body"]][:1] == ["aborted"]


def test_explanation_grows_in_a_window_and_closes(nvim):
    editor, sim = nvim()
    sim.script(text=PROSE, token_ms=8)
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


def test_closing_stops_an_answer_that_is_being_written(nvim):
    editor, sim = nvim()
    sim.script(text=PROSE, token_ms=200)
    editor.keys(":3<CR>:Crucible explain<CR>")
    editor.until(lambda: editor.answer() and editor.answer()["text"].startswith("#"), "the answer")
    editor.keys("q")
    editor.until(lambda: is_stopped(sim), "the cancel")
    time.sleep(0.3)
    assert editor.answer() is None, "it doesn't come back"


def test_another_explanation_takes_the_window_over(nvim):
    editor, sim = nvim()
    sim.script(text=PROSE, token_ms=200)
    editor.keys(":3<CR>:Crucible explain<CR>")
    editor.until(lambda: editor.answer() and editor.answer()["text"].startswith("# W"), "the answer")
    windows = editor.answer()["windows"]
    sim.script(text="Another answer.")
    editor.keys("<C-w>p:9<CR>:Crucible explain<CR>")
    editor.until(lambda: editor.answer()["text"] == "Another answer.", "the second answer")
    assert editor.answer()["windows"] == windows
    editor.until(lambda: is_stopped(sim), "the cancel of the first")


@pytest.mark.parametrize("keys", ["Go", "k"], ids=["typing", "moved"])
def test_answer_never_takes_the_focus_from_who_went_on(nvim, keys):
    editor, sim = nvim()
    sim.script(text=PROSE, first_ms=500)
    editor.keys(":3<CR>:Crucible explain<CR>")
    editor.until(lambda: asked(sim), "the question")
    editor.keys(keys)
    editor.until(lambda: editor.answer() is not None, "the answer")
    assert not editor.answer()["focused"]
    editor.keys("<Esc>ihere")
    editor.until(lambda: "here" in editor.buffer(), "the letters")


def test_answer_in_a_split(nvim):
    editor, sim = nvim(setup="answer = { window = 'split', focus = false },")
    sim.script(text=PROSE)
    editor.keys(":3<CR>:Crucible explain<CR>")
    editor.until(lambda: editor.answer() and editor.answer()["text"] == PROSE, "the answer")
    assert not editor.answer()["floats"] and not editor.answer()["focused"]


def test_fix_hears_of_the_diagnostics_and_is_undone_by_one_u(nvim):
    editor, sim = nvim()
    sim.script(text=fenced(FUNCTION))
    editor.do(DIAGNOSTIC)
    editor.keys(":6<CR>:Crucible fix<CR>")
    editor.until(lambda: editor.buffer() == WHOLE, "the fix")
    [prompt] = asked(sim)
    assert "reads past the end" in prompt
    editor.keys("u")
    editor.until(lambda: editor.buffer() == TEXT, "the text of before")


def test_refactor_asks_for_what_shall_be_done(nvim):
    editor, sim = nvim()
    sim.script(text=fenced(LOOP))
    editor.do("_G.says = 'use a while loop'")
    editor.keys(":6,8Crucible refactor<CR>")
    editor.until(lambda: editor.buffer() == WHOLE, "the edit")
    assert editor.lua("#asked") == "1"
    [prompt] = asked(sim)
    assert "use a while loop" in prompt


def test_refactor_with_words_asks_nothing_and_without_an_answer_does_nothing(nvim):
    editor, sim = nvim()
    sim.script(text=fenced(FUNCTION))
    editor.keys(":6<CR>:Crucible refactor<CR>")
    editor.until(lambda: editor.lua("#asked") == "1", "the question")
    assert not asked(sim)
    editor.keys(":Crucible refactor  use a while loop <CR>")
    editor.until(lambda: editor.buffer() == WHOLE, "the edit")
    [prompt] = asked(sim)
    assert "use a while loop" in prompt


def test_selection_by_characters_after_wide_text(nvim):
    line = "/* 😀ü */ int first = 1, länge = 2;\n"
    editor, sim = nvim(TEXT + line)
    editor.keys(":11<CR>fl" + "ve:Crucible explain<CR>")
    editor.until(lambda: asked(sim), "the question")
    [prompt] = asked(sim)
    assert "\\n\\nlänge\\n" in prompt.replace("```c", "")


def test_code_action_is_applied_and_undone_by_one_u(nvim):
    editor, sim = nvim()
    sim.script(text=fenced(FUNCTION))
    editor.do(DIAGNOSTIC)
    editor.keys(":6<CR>21|")
    editor.do("vim.lsp.buf.code_action({ apply = true, filter = function(a) return a.kind == 'quickfix' end })")
    editor.until(lambda: editor.buffer() == WHOLE, "the fix")
    editor.keys("u")
    editor.until(lambda: editor.buffer() == TEXT, "the text of before")


def test_code_action_refactor_asks_too(nvim):
    editor, sim = nvim()
    sim.script(text=fenced(FUNCTION))
    editor.do("_G.says = 'use a while loop'")
    editor.keys(":6<CR>")
    editor.do("vim.lsp.buf.code_action({ apply = true, filter = function(a) return a.title:find('^Refactor') end })")
    editor.until(lambda: editor.buffer() == WHOLE, "the edit")
    assert editor.lua("#asked") == "1"
    assert "use a while loop" in asked(sim)[0]


def test_code_action_of_a_slow_model_goes_on_without_a_question(nvim):
    editor, sim = nvim()
    sim.script(text=fenced(FUNCTION), first_ms=3500)  # longer than the server holds the reply to resolve
    editor.do(DIAGNOSTIC)
    editor.keys(":6<CR>21|")
    editor.do("vim.lsp.buf.code_action({ apply = true, filter = function(a) return a.kind == 'quickfix' end })")
    editor.until(lambda: editor.buffer() == WHOLE, "the fix")
    assert editor.lua("#asked") == "0"


def test_edit_for_another_text_is_never_applied(nvim):
    editor, sim = nvim()
    sim.script(text=fenced(FUNCTION), first_ms=400)
    editor.do("vim.fn.inputlist = function() table.insert(asked, 'apply?') return 2 end")
    editor.do("vim.ui.select = function(_, _, on_done) table.insert(asked, 'apply?') on_done(nil) end")
    editor.keys(":6<CR>:Crucible fix<CR>ggOint other;<Esc>")
    editor.until(lambda: editor.lua("#asked") == "1", "the question")
    time.sleep(0.2)
    assert editor.buffer() == "int other;\n" + TEXT


def test_stop_ends_what_is_being_worked_on(nvim):
    editor, sim = nvim()
    sim.script(text=fenced(FUNCTION), token_ms=300)
    editor.keys(":6<CR>:Crucible fix<CR>")
    editor.until(lambda: asked(sim), "the question")
    editor.keys(":Crucible stop<CR>")
    editor.until(lambda: is_stopped(sim), "the model's call to be closed")
    assert editor.buffer() == TEXT


def test_words_are_completed_and_unknown_ones_are_named(nvim):
    editor, _ = nvim()
    assert editor.lua("table.concat(vim.fn.getcompletion('Crucible re', 'cmdline'), ' ')") == "refactor restart"
    assert editor.lua("#vim.fn.getcompletion('Crucible explain ', 'cmdline')") == "0"
    editor.keys(":Crucible improve<CR>")
    editor.until(lambda: "no such word: improve" in editor.told(), "the complaint")


def test_status_is_there_for_statuslines(nvim):
    editor, _ = nvim()
    editor.until(lambda: editor.lua("(vim.g.crucible_status or {}).model") == "embedded", "the status")
    assert "embedded" in editor.lua("require('crucible').status()")
    editor.keys(":Crucible status<CR>")
    editor.until(lambda: "Crucible: " in editor.told(), "the status")


def test_without_a_server_it_says_where_to_look(nvim):
    editor, _ = nvim()
    editor.keys(":enew<CR>:Crucible explain<CR>")
    editor.until(lambda: ":checkhealth crucible" in editor.told(), "the complaint")
