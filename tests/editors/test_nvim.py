"""test_nvim.py - real Neovims, headless, with the plugin: what a person sees as ghost text.

Each test runs in every version that is there (neovim.py says where they are looked for): with the editor's own
inline completion in 0.12, with the plugin's in 0.10 and 0.11, and with the plugin's in 0.12 on request."""
import os
import random
import time

import pytest

from neovim import BINARY, PLUGIN, Neovim, find_all
from simulator import Simulator

TRUTH = """int sum(const int *numbers, int n)
{
    int total = 0;
    for (int i = 0; i < n; i++) {
        total += numbers[i];
    }
    return total;
}
"""
WIDE = """/* größer, 数を足す, 😀 */ int total = 0; /* 😀😀 */ total += numbers[i]; /* ende */
/* ü */ const char *label = "grün und 数 und 😀"; int n = 0;
"""
FOUND = find_all() if os.access(BINARY, os.X_OK) else {}
FLAVOURS = {"0.10": (0, 10), "0.11": (0, 11), "0.12": (0, 12), "0.12-own": (0, 12)}
OWN = [name for name in FLAVOURS if name != "0.12"]


@pytest.fixture
def nvim(request):
    flavour = request.param
    if not os.access(BINARY, os.X_OK):
        pytest.skip(f"{BINARY} isn't built")
    if FLAVOURS[flavour] not in FOUND:
        pytest.skip(f"no Neovim {flavour[:4]}: see tests/editors/get-nvim")
    started = []
    with Simulator([TRUTH, WIDE]) as sim:
        def run(text, setup="", **more):
            own = "ghost_text = 'own'," if flavour == "0.12-own" else ""
            started.append(Neovim(*FOUND[FLAVOURS[flavour]], sim.url, text, f"{own}{setup}", **more))
            return started[0], sim
        yield run
        for editor in started:
            editor.stop()


everywhere = pytest.mark.parametrize("nvim", FLAVOURS, indirect=True)
with_our_own = pytest.mark.parametrize("nvim", OWN, indirect=True)


def without(hole, truth=TRUTH):
    return truth.replace(hole, "", 1), truth[:truth.index(hole)].count("\n") + 1


@everywhere
def test_ghost_text_is_shown_and_accepted(nvim):
    text, line = without("numbers[i];")
    editor, _ = nvim(text)
    editor.keys(f":{line}<CR>A")
    editor.until(lambda: editor.ghost() == "numbers[i];", "ghost text")
    assert editor.buffer() == text
    editor.keys("<Tab>")
    editor.until(lambda: editor.buffer() == TRUTH, "the text to be accepted")
    editor.until(lambda: editor.ghost() == "", "the ghost text to go")


@everywhere
def test_typing_what_is_suggested_keeps_it_and_asks_once(nvim):
    text, line = without("numbers[i];")
    editor, sim = nvim(text)
    editor.keys(f":{line}<CR>A")
    editor.until(lambda: editor.ghost() == "numbers[i];", "ghost text")
    asked = len(sim.generations)
    for n, letter in enumerate("numb", 1):
        editor.keys(letter)
        editor.until(lambda n=n: editor.ghost() == "numbers[i];"[n:], f"the rest after {n} letters")
    time.sleep(0.6)  # the editor asks 200 ms after the last key
    assert len(sim.generations) == asked
    editor.keys("<Tab>")
    editor.until(lambda: editor.buffer() == TRUTH, "the text to be accepted")


@everywhere
def test_accepting_right_after_a_key_puts_in_the_rest(nvim):
    text, line = without("numbers[i];")
    editor, _ = nvim(text)
    editor.keys(f":{line}<CR>A")
    editor.until(lambda: editor.ghost() == "numbers[i];", "ghost text")
    editor.keys("num<Tab>")  # before anybody could ask again
    editor.until(lambda: "numbers[i];" in editor.buffer(), "the text to be accepted")
    assert editor.buffer() == TRUTH


@everywhere
def test_late_answer_never_corrupts_the_text(nvim):
    text, line = without("numbers[i];")
    editor, sim = nvim(text)
    sim.script(first_ms=1000)
    editor.keys(f":{line}<CR>A")
    for letter in "numbe":
        editor.keys(letter)
        time.sleep(0.4)
        shown = editor.ghost()
        typed = editor.buffer().split("\n")[line - 1].split("+= ")[1]
        assert shown == "" or (typed + shown) == "numbers[i];"
    editor.until(lambda: editor.ghost() == "rs[i];", "ghost text")
    editor.keys("<Tab>")
    editor.until(lambda: editor.buffer() == TRUTH, "the text to be accepted")


@everywhere
def test_whole_block_is_shown_below(nvim):
    hole = "    for (int i = 0; i < n; i++) {\n        total += numbers[i];\n    }\n"
    text, line = without(hole)
    editor, _ = nvim(text)
    editor.keys(f":{line - 1}<CR>o")
    editor.until(lambda: "for (int i" in editor.ghost(), "ghost text")
    editor.keys("<Tab>")
    editor.until(lambda: "for (int i = 0; i < n; i++) {" in editor.buffer(), "the text to be accepted")


@everywhere
def test_a_word_or_a_line_can_be_accepted(nvim):
    hole = "for (int i = 0; i < n; i++) {\n        total += numbers[i];\n    }"
    text, line = without(hole)
    editor, _ = nvim(text)
    editor.keys(f":{line}<CR>A")
    editor.until(lambda: editor.ghost().startswith("for (int i"), "ghost text")
    editor.keys("<M-Right>")
    editor.until(lambda: "    for\n" in editor.buffer(), "a word to be accepted")
    editor.until(lambda: editor.ghost().startswith(" (int i"), "the rest")
    editor.keys("<M-C-Right>")
    editor.until(lambda: "    for (int i = 0; i < n; i++) {\n" in editor.buffer(), "a line to be accepted")
    editor.until(lambda: "total += numbers[i];" in editor.ghost(), "the rest")
    editor.keys("<Tab>")
    editor.until(lambda: editor.buffer() == TRUTH, "the text to be accepted")


@everywhere
def test_positions_hold_after_wide_text(nvim):
    text, line = without("numbers[i];", WIDE)
    editor, _ = nvim(text)
    column = WIDE.split("\n", maxsplit=1)[0].index("numbers[i];")
    editor.keys(f":{line}<CR>0{column}li")
    editor.until(lambda: editor.ghost() == "numbers[i];", "ghost text")
    editor.keys("num<Tab>")
    editor.until(lambda: editor.buffer() == WIDE, "the text to be accepted")


@everywhere
def test_wide_text_is_typed_along_and_accepted_by_words(nvim):
    hole = "grün und 数 und 😀\";"
    text, _ = without(hole, WIDE)
    editor, _ = nvim(text)
    editor.keys(":2<CR>f\"a")
    editor.until(lambda: editor.ghost().startswith("grün"), "ghost text")
    editor.keys("grü")
    editor.until(lambda: editor.ghost().startswith("n und 数"), "the rest")
    editor.keys("<M-Right>")
    editor.until(lambda: "\"grün int" in editor.buffer(), "a word to be accepted")
    # The editor's own leaves out what stands after the cursor already: here a blank.
    editor.until(lambda: editor.ghost().lstrip().startswith("und 数"), "the rest")
    editor.keys("<Tab>")
    editor.until(lambda: editor.buffer() == WIDE, "the text to be accepted")


@everywhere
def test_tab_is_a_tab_where_nothing_is_shown(nvim):
    editor, sim = nvim("int x;\n", "keymaps = { accept = '<Tab>' },")
    sim.script(text="")
    editor.keys(":set expandtab shiftwidth=4<CR>O<Tab>")
    editor.until(lambda: editor.buffer() == "    \nint x;\n", "a tab")


@everywhere
def test_acceptance_is_undone_apart_from_what_was_typed(nvim):
    text, line = without("numbers[i];")
    editor, _ = nvim(text)
    editor.keys(f":{line}<CR>Anum")
    editor.until(lambda: editor.ghost() == "bers[i];", "ghost text")
    editor.keys("<Tab>")
    editor.until(lambda: editor.buffer() == TRUTH, "the text to be accepted")
    editor.keys("<Esc>u")
    editor.until(lambda: "+= num\n" in editor.buffer(), "what was typed to be left")
    editor.keys("u")
    editor.until(lambda: editor.buffer() == text, "the text of before")


def at_the_loop(editor, line):
    editor.keys(f":{line}<CR>A")
    editor.until(lambda: "total += numbers[i];" in editor.ghost(), "the first line")


BODY = "\n        total += numbers[i];\n    }"
SLOW_BODY = ["\n        total += numbers[i];\n", "    }", "\n    return total;\n"]


@with_our_own
def test_ghost_text_grows_while_nothing_is_typed(nvim):
    text, line = without(BODY)
    editor, sim = nvim(text)
    sim.script(pieces=SLOW_BODY, token_ms=1500)
    at_the_loop(editor, line)
    assert "}" not in editor.ghost()
    editor.until(lambda: editor.ghost().endswith("    }"), "the rest of the block")
    assert len(sim.generations) == 1
    editor.keys("<Tab>")
    editor.until(lambda: editor.buffer() == TRUTH, "all of it to be accepted")


@with_our_own
def test_ghost_text_that_comes_late_is_shown(nvim):
    text, line = without("numbers[i];")
    editor, sim = nvim(text)
    sim.script(first_ms=6500)
    editor.keys(f":{line}<CR>A")
    editor.until(lambda: editor.ghost() == "numbers[i];", "ghost text")
    assert len(sim.generations) == 1
    editor.keys("<Tab>")
    editor.until(lambda: editor.buffer() == TRUTH, "the text to be accepted")


@with_our_own
def test_what_comes_late_is_left_out_where_things_have_moved_on(nvim):
    text, line = without(BODY)
    editor, sim = nvim(text)
    sim.script(pieces=SLOW_BODY, token_ms=1500)
    at_the_loop(editor, line)
    sim.script(stall_at=0)  # of what is asked from now on
    editor.keys("<Up>")
    time.sleep(3.5)
    assert "total +=" not in editor.ghost()
    assert editor.buffer() == text


@with_our_own
def test_what_disagrees_hides_it_at_once(nvim):
    text, line = without("numbers[i];")
    editor, sim = nvim(text)
    editor.keys(f":{line}<CR>A")
    editor.until(lambda: editor.ghost() == "numbers[i];", "ghost text")
    sim.script(stall_at=0)
    editor.keys("x")
    editor.until(lambda: "+= x" in editor.buffer(), "the letter")
    assert editor.ghost() == ""
    editor.keys("<Esc>")
    editor.until(lambda: editor.lua("vim.api.nvim_get_mode().mode") == "n", "normal mode")
    assert editor.ghost() == ""


@with_our_own
def test_any_typing_gives_what_was_typed_and_what_was_shown(nvim):
    """Right and wrong letters, moves and answers of any age: the buffer changes by keys and by acceptance alone."""
    seed = int(os.environ.get("SEED", random.randrange(10 ** 6)))
    print(f"SEED={seed}")
    rng = random.Random(seed)
    hole = "for (int i = 0; i < n; i++) {\n        total += numbers[i];\n    }"
    text, line = without(hole)
    editor, sim = nvim(text)
    sim.script(*({"first_ms": rng.choice([0, 0, 30, 120, 400]), "token_ms": rng.choice([0, 5, 20])} for _ in range(200)))
    editor.keys(f":{line}<CR>A")
    typed = ""
    for _ in range(30):
        letter = rng.choice([hole[len(typed)], hole[len(typed)], "x", "ü", "<BS>"]) if hole.startswith(typed) else "<BS>"
        if letter == "<BS>" and not typed or letter == "\n":
            continue
        editor.keys("<lt>" if letter == "<" else letter)
        typed = typed[:-1] if letter == "<BS>" else typed + letter
        expected = text.replace("    \n    return", f"    {typed}\n    return")
        editor.until(lambda expected=expected: editor.buffer() == expected, f"nothing but {typed!r}")
        time.sleep(rng.choice([0, 0.05, 0.15]))
        if rng.random() < 0.15:
            # In one go, so that no answer comes in between.
            shown, was_accepted = editor.lua("ghost() .. '|' .. tostring(require('crucible').accept('word'))").rsplit("|", 1)
            if was_accepted == "true":
                after = editor.buffer().split("\n")[line - 1].removeprefix(f"    {typed}")
                assert after and shown.startswith(after)
                typed += after
    editor.keys("<Esc>")
    assert editor.buffer() == text.replace("    \n    return", f"    {typed}\n    return")


@with_our_own
def test_suggestion_can_be_dismissed_and_asked_for(nvim):
    text, line = without("numbers[i];")
    editor, _ = nvim(text, settings={"inline": {"trigger": "manual"}})
    editor.keys(f":{line}<CR>A")
    time.sleep(0.5)
    assert editor.ghost() == ""
    editor.keys("<M-Bslash>")
    editor.until(lambda: editor.ghost() == "numbers[i];", "ghost text")
    editor.keys("<C-]>")
    editor.until(lambda: editor.ghost() == "", "it to be taken away")
    assert editor.buffer() == text


@everywhere
def test_tab_of_another_plugin_goes_on_working(nvim):
    editor, sim = nvim("int x;\n", "keymaps = (function() vim.keymap.set('i', '<Tab>', function() return 'other' end, "
                       "{ expr = true }) return { accept = '<Tab>' } end)(),")
    sim.script(text="")
    editor.keys("O<Tab>")
    editor.until(lambda: editor.buffer() == "other\nint x;\n", "the other mapping's text")


@pytest.mark.parametrize("nvim", ["0.12"], indirect=True)
def test_snippet_alone_gives_ghost_text(nvim):
    text, line = without("numbers[i];")
    editor, _ = nvim(text, snippet=PLUGIN / "crucible.lua")
    editor.keys(f":{line}<CR>A")
    editor.until(lambda: editor.ghost() == "numbers[i];", "ghost text")
    editor.keys("<Tab>")
    editor.until(lambda: editor.buffer() == TRUTH, "the text to be accepted")


@everywhere
def test_health_says_what_is_there(nvim):
    text, _ = without("numbers[i];")
    editor, _ = nvim(text)
    editor.keys(":checkhealth crucible<CR>")
    editor.until(lambda: "crucible-ls doctor" in editor.here(), "the report")
    report = editor.here()
    assert "settings: " in report.split("crucible-ls doctor")[1], "the doctor's findings"
    assert f"{editor.inside}/crucible-ls: crucible-ls " in report
    assert "client 1: 1 buffer" in report
    assert "ERROR" not in report.split("crucible-ls doctor")[0]


@everywhere
def test_health_says_that_the_program_is_missing(nvim):
    text, _ = without("numbers[i];")
    editor, _ = nvim(text)
    (editor.home / "crucible-ls").unlink()
    editor.keys(":checkhealth crucible<CR>")
    editor.until(lambda: "is not in PATH" in editor.here(), "the report")


@everywhere
def test_restart_starts_another_server_for_the_same_buffers(nvim):
    text, line = without("numbers[i];")
    editor, _ = nvim(text)
    before = editor.running()
    editor.keys(":Crucible restart<CR>")
    editor.until(lambda: editor.running() and editor.running() != before and editor.lua("attached()") == "true", "another server")
    editor.keys(f":{line}<CR>A")
    editor.until(lambda: editor.ghost() == "numbers[i];", "ghost text")


@everywhere
def test_leaving_the_editor_leaves_no_server(nvim):
    text, _ = without("numbers[i];")
    editor, _ = nvim(text)
    assert editor.running()
    editor.stop()
    end = time.monotonic() + 3
    while editor.running() and time.monotonic() < end:
        time.sleep(0.05)
    assert not editor.running()
