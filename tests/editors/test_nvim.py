"""test_nvim.py - a real Neovim, headless, with its own inline completion: what a person sees.

Needs Neovim 0.12 or newer: $NVIM names the program, or $CRUCIBLE_NVIM_ROOT a chroot that has one
(tests/editors/get-nvim makes it; /opt/nvim-root is looked at by itself)."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import time

import pytest

from simulator import Simulator

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("CRUCIBLE_LS", str(ROOT / "build" / "crucible-ls"))
CHROOT = os.environ.get("CRUCIBLE_NVIM_ROOT", "/opt/nvim-root")
TRUTH = """int sum(const int *numbers, int n)
{
    int total = 0;
    for (int i = 0; i < n; i++) {
        total += numbers[i];
    }
    return total;
}
"""


def version_of(command):
    try:
        text = subprocess.run([*command, "--version"], capture_output=True, text=True, timeout=20, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return (0, 0)
    match = re.match(r"NVIM v(\d+)\.(\d+)", text)
    return (int(match.group(1)), int(match.group(2))) if match else (0, 0)


def find_nvim():
    """(command, what its root directory is called here) or the reason why there is none."""
    own = os.environ.get("NVIM_PROGRAM") or os.environ.get("NVIM") or shutil.which("nvim")
    if own and version_of([own]) >= (0, 12):
        return [own], "/"
    if os.access(f"{CHROOT}/usr/bin/nvim", os.X_OK):
        if os.geteuid() != 0:
            return f"{CHROOT} has a Neovim, but only root can enter it"
        if "san" in pathlib.Path(BINARY).parent.name:
            return "a sanitizer's library isn't in the chroot"
        command = [shutil.which("chroot") or "/usr/sbin/chroot", CHROOT, "/usr/bin/nvim"]
        if version_of(command) >= (0, 12):
            return command, CHROOT
    return "no Neovim 0.12 or newer: set NVIM_PROGRAM, or run tests/editors/get-nvim"


class Nvim:
    """One headless Neovim in a home of its own, spoken to over its socket."""

    def __init__(self, command, root, sim, text):
        self.command = command
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="cr-", dir=f"{root.rstrip('/')}/tmp"))
        self.inside = "/" + str(self.home.relative_to(root))
        config = self.home / ".config" / "crucible"
        config.mkdir(parents=True)
        (self.home / "run").mkdir(mode=0o700)
        (config / "config.json").write_text(json.dumps({
            "endpoints": [{"name": "sim", "kind": "llamacpp", "url": sim.url}], "models": {"inline": ["sim/tinycode"]}}))
        shutil.copy2(BINARY, self.home / "crucible-ls")
        shutil.copy2(ROOT / "tests" / "editors" / "nvim" / "init.lua", self.home / "init.lua")
        (self.home / "sum.c").write_text(text)
        self.env = {"PATH": "/usr/bin:/bin", "HOME": self.inside, "LANG": "C.UTF-8", "XDG_RUNTIME_DIR": f"{self.inside}/run",
                    "XDG_CONFIG_HOME": f"{self.inside}/.config", "CRUCIBLE_LS": f"{self.inside}/crucible-ls"}
        self.socket = f"{self.inside}/nvim.sock"
        self.process = subprocess.Popen(
            [*command, "--headless", "--clean", "-u", f"{self.inside}/init.lua", "--listen", self.socket, f"{self.inside}/sum.c"],
            env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.until(lambda: (self.home / "nvim.sock").exists(), "its socket")
        self.until(lambda: self.lua("attached()") == "true", "the server to be attached")

    def remote(self, *args):
        return subprocess.run([*self.command, "--server", self.socket, *args], env=self.env, capture_output=True, text=True,
                              timeout=30, check=False)

    def lua(self, expression):
        done = self.remote("--remote-expr", f"luaeval('tostring({expression})')")
        return (done.stdout or done.stderr).strip("\n")

    def keys(self, text):
        self.remote("--remote-send", text)

    def until(self, condition, what, timeout=15):
        end = time.monotonic() + timeout
        while not condition():
            assert time.monotonic() < end, (f"waited for {what}; ghost {self.ghost()!r}; buffer {self.buffer()!r}; "
                                            f"the log says: {self.log()}")
            assert self.process.poll() is None, f"Neovim has ended while waiting for {what}"
            time.sleep(0.05)

    def log(self):
        logs = list(self.home.rglob("lsp.log"))
        return logs[0].read_text()[-1500:] if logs else "nothing"

    def ghost(self):
        return self.lua("ghost()")

    def buffer(self):
        return self.lua("buffer()") + "\n"

    def stop(self):
        self.keys("<Esc>:qa!<CR>")
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.home, ignore_errors=True)


@pytest.fixture
def nvim():
    found = find_nvim()
    if isinstance(found, str):
        pytest.skip(found)
    if not os.access(BINARY, os.X_OK):
        pytest.skip(f"{BINARY} isn't built")
    started = []
    with Simulator([TRUTH]) as sim:
        def run(text):
            started.append(Nvim(*found, sim, text))
            return started[0], sim
        yield run
        for editor in started:
            editor.stop()


def without(hole):
    return TRUTH.replace(hole, "", 1), TRUTH[:TRUTH.index(hole)].count("\n") + 1


def test_ghost_text_is_shown_and_accepted(nvim):
    text, line = without("numbers[i];")
    editor, _ = nvim(text)
    editor.keys(f":{line}<CR>A")
    editor.until(lambda: editor.ghost() == "numbers[i];", "ghost text")
    assert editor.buffer() == text
    editor.keys("<Tab>")
    editor.until(lambda: editor.buffer() == TRUTH, "the text to be accepted")


def test_typing_what_is_suggested_keeps_it_and_asks_once(nvim):
    text, line = without("numbers[i];")
    editor, sim = nvim(text)
    editor.keys(f":{line}<CR>A")
    editor.until(lambda: editor.ghost() == "numbers[i];", "ghost text")
    asked = len(sim.generations)
    for n, letter in enumerate("numb", 1):
        editor.keys(letter)
        editor.until(lambda n=n: editor.ghost() == "numbers[i];"[n:], f"the rest after {n} letters")
    time.sleep(0.6)  # Neovim asks 200 ms after the last key, and until then accepts the older answer
    assert len(sim.generations) == asked
    editor.keys("<Tab>")
    editor.until(lambda: editor.buffer() == TRUTH, "the text to be accepted")


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


def test_whole_block_is_shown_below(nvim):
    hole = "    for (int i = 0; i < n; i++) {\n        total += numbers[i];\n    }\n"
    text, line = without(hole)
    editor, _ = nvim(text)
    editor.keys(f":{line - 1}<CR>o")
    editor.until(lambda: "for (int i" in editor.ghost(), "ghost text")
    editor.keys("<Tab>")
    editor.until(lambda: "for (int i = 0; i < n; i++) {" in editor.buffer(), "the text to be accepted")


def running(editor):
    """Processes that were started as this editor's server."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if path.read_bytes().split(b"\0")[0].decode() == f"{editor.inside}/crucible-ls":
                found.append(path.parent.name)
        except OSError:
            continue
    return found


def test_leaving_the_editor_leaves_no_server(nvim):
    text, _ = without("numbers[i];")
    editor, _ = nvim(text)
    assert running(editor)
    editor.stop()
    end = time.monotonic() + 3
    while running(editor) and time.monotonic() < end:
        time.sleep(0.05)
    assert not running(editor)
