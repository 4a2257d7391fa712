"""test_in_editors.py - every action in a real Neovim and a real VS Code with a real, very small model: applied to
the file, and undone in one step. What the text says is not judged. Screens are kept in build/editors."""
import fcntl
import pathlib
import sys
import time
import types

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests" / "editors"))

import neovim  # noqa: E402
import test_vscode as vscode  # noqa: E402

SHOTS = ROOT / "build" / "editors"
TEXT = """#include <stddef.h>

int sum(const int *numbers, int n)
{
    int total = 0;
    for (int i = 0; i < n; i++) {
        totl += numbers[i];
    }
    return total;
}
"""
# A very small model never ends by itself: what it is stopped by is the person's to say.
OPTIONS = {"modelOptions": {"sim/*": {"temperature": 0, "stop": ["\n\n", ";\n"]}}}
ACTIONS = ["fix", "document", "tests", "refactor"]


def keep(name, text):
    SHOTS.mkdir(parents=True, exist_ok=True)
    (SHOTS / name).write_text(text)


@pytest.fixture
def nvim(llama):
    found = [pair for version, pair in sorted(neovim.find_all().items(), reverse=True) if version >= (0, 10)]
    if not found:
        pytest.skip("no Neovim: run tests/editors/get-nvim")
    editor = neovim.Neovim(*found[0], llama, TEXT, settings={**OPTIONS, "models": {"chat": ["sim/tinycode"]}})
    yield editor
    editor.stop()


@pytest.mark.parametrize("action", ACTIONS)
def test_neovim_applies_and_undoes(nvim, action):
    nvim.keys(":7<CR>")
    nvim.keys(f":Crucible {action}{' use a while loop' if action == 'refactor' else ''}<CR>")
    nvim.until(lambda: nvim.buffer() != TEXT, "the edit", 60)
    time.sleep(0.3)
    keep(f"nvim-{action}.txt", nvim.buffer())
    after = nvim.buffer()
    assert after.startswith(TEXT[:TEXT.index("int sum")]), "above the function nothing has changed"
    assert action not in ("document", "tests") or TEXT[TEXT.index("int sum"):].rstrip() in after
    nvim.keys("u")
    nvim.until(lambda: nvim.buffer() == TEXT, "one undo")


def test_neovim_explains(nvim):
    nvim.keys(":3<CR>w")
    nvim.keys(":Crucible explain<CR>")
    nvim.until(lambda: nvim.answer() and nvim.answer().get("text"), "the explanation", 60)
    keep("nvim-explain.txt", str(nvim.answer()))
    assert nvim.buffer() == TEXT


@pytest.fixture
def code(llama):
    found = vscode.find_editor()
    if isinstance(found, str):
        pytest.skip(found)
    node, browser, npm = found
    kit = vscode.Kit(node, npm)
    with open(vscode.BUILD / "one.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        editor = vscode.Code(node, browser, kit, types.SimpleNamespace(url=llama))
        editor.write(".config/crucible/config.json", {
            "endpoints": [{"name": "sim", "kind": "llamacpp", "url": llama}],
            "models": {"inline": ["sim/tinycode"], "chat": ["sim/tinycode"]}, **OPTIONS})
        try:
            yield editor
        finally:
            editor.stop()


def shot(code, name):
    SHOTS.mkdir(parents=True, exist_ok=True)
    code.do("shot", path=str(SHOTS / name))


@pytest.mark.timeout(1800)
def test_vscode_applies_and_undoes_each(code):
    titles = {"fix": "Crucible: Fix", "document": "Crucible: Document", "tests": "Crucible: Write Tests",
              "refactor": "Crucible: Refactor"}
    code.start("sum.c", TEXT)
    for action in ACTIONS:
        code.go(7, 12)
        before = code.buffer()
        code.command(titles[action])
        if action == "refactor":
            code.until(code.box, "the box for the instruction")
            code.type("use a while loop")
            code.press("Enter")
        code.until(lambda before=before: code.buffer() != before, f"the edit of {action}", 90)
        time.sleep(0.5)
        shot(code, f"vscode-{action}.png")
        code.do("click", selector=".monaco-editor .view-lines")
        code.press("Control+z")
        code.save("sum.c", TEXT)  # one undo, and it is as it was
    code.command("Crucible: Explain")
    code.until(code.webview, "the explanation", 90)
    shot(code, "vscode-explain.png")
    assert (code.folder / "sum.c").read_text() == TEXT
