"""test_vscode.py - VS Code as code-server, in a headless browser, with our extension: what a person sees.

Needs code-server with the Node.js it wants, and Chromium: $CODE_SERVER names code-server's folder, $CODE_SERVER_NODE
the node (tests/editors/get-code-server makes both in /opt/code, which is looked at by itself). The extension and the
browser's driver are built with npm into build/vscode; screenshots are left in build/vscode/shots."""
import fcntl
import glob
import hashlib
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.parse
import urllib.request
import zipfile

import pytest

from simulator import Simulator

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("CRUCIBLE_LS", str(ROOT / "build" / "crucible-ls"))
BUILD = ROOT / "build" / "vscode"
SHOTS = BUILD / "shots"
CODE_SERVER = os.environ.get("CODE_SERVER", "/opt/code/node_modules/code-server")
NODES = [os.environ.get("CODE_SERVER_NODE", ""), *glob.glob("/opt/code/node_modules/node-linux-*/bin/node")]
BROWSERS = [os.environ.get("CHROMIUM", ""), "chromium", "chromium-browser", "google-chrome"]
STATUS = '.statusbar-item:has-text("Crucible:")'

# One editor at a time: each is a server, a browser and what they start, and the wait for the others counts.
pytestmark = pytest.mark.timeout(1800)

TRUTH = """int sum(const int *numbers, int n)
{
    int total = 0;
    for (int i = 0; i < n; i++) {
        total += numbers[i];
    }
    return total;
}
"""
COMMENT = "/* Adds up the first n numbers. */\n"


def find_editor():
    """(node, chromium, npm) or the reason why there is no test."""
    if "san" in pathlib.Path(BINARY).parent.name:
        return "what an editor shows is looked at with the plain build"
    node = next((n for n in NODES if n and os.access(n, os.X_OK)), None)
    if node is None or not os.access(f"{CODE_SERVER}/out/node/entry.js", os.R_OK):
        return "no code-server: set CODE_SERVER and CODE_SERVER_NODE, or run tests/editors/get-code-server"
    browser = next((found for found in (shutil.which(b) for b in BROWSERS if b) if found), None)
    npm = shutil.which("npm")
    if browser is None or npm is None:
        return f"no {'Chromium' if browser is None else 'npm'}: see tests/editors/get-code-server"
    return node, browser, npm


class Kit:
    """What is built once: the extension, and the driver with its browser library."""

    def __init__(self, node, npm):
        self.npm = npm
        self.env = {**os.environ, "PATH": f"{pathlib.Path(node).parent}:{os.environ.get('PATH', '/usr/bin:/bin')}"}
        BUILD.mkdir(parents=True, exist_ok=True)
        SHOTS.mkdir(exist_ok=True)
        self.extension, self.driver = BUILD / "editors" / "vscode", BUILD / "driver"
        with open(BUILD / "kit.lock", "w", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            shutil.copy2(ROOT / "LICENSE", BUILD / "LICENSE")
            self.make(ROOT / "editors" / "vscode", self.extension, ["run", "package"])
            self.make(ROOT / "tests" / "editors" / "vscode", self.driver)

    def make(self, source, target, then=None):
        """A copy of `source` with what its lock file names, made anew when a file of it has changed."""
        files = [p for p in sorted(source.rglob("*")) if p.is_file()
                 and not {"node_modules", "dist"} & set(p.relative_to(source).parts) and p.suffix != ".vsix"]
        mark = hashlib.sha256(b"".join(p.name.encode() + p.read_bytes() for p in files)).hexdigest()
        packages = hashlib.sha256((source / "package-lock.json").read_bytes()).hexdigest()
        made, installed = target / ".made", target / "node_modules" / ".installed"
        if made.exists() and made.read_text() == mark:
            return
        for path in files:
            copy = target / path.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, copy)
        if not installed.exists() or installed.read_text() != packages:
            self.run(target, "ci", "--ignore-scripts", "--no-audit", "--no-fund")
            installed.write_text(packages)
        if then:
            self.run(target, *then)
        made.write_text(mark)

    def run(self, folder, *args):
        done = subprocess.run([self.npm, *args], cwd=folder, env=self.env, stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=400, check=False)
        assert done.returncode == 0, f"npm {' '.join(args)}: {done.stdout[-2000:]}{done.stderr[-2000:]}"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Code:
    """One code-server in a home of its own with one browser on it."""

    def __init__(self, node, browser, kit, sim):
        self.node, self.browser, self.kit, self.sim = node, browser, kit, sim
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="cr-", dir="/tmp"))
        self.folder = self.home / "work"
        for name in ("work", "run", "data/User", "data/Machine", ".config/crucible"):
            (self.home / name).mkdir(parents=True)
        (self.home / "run").chmod(0o700)
        self.write(".config/crucible/config.json", {
            "endpoints": [{"name": "sim", "kind": "llamacpp", "url": sim.url}],
            "models": {"inline": ["sim/tinycode"], "chat": ["sim/tinycode"]}})
        self.write("data/User/settings.json", {
            "chat.disableAIFeatures": True, "files.hotExit": "off", "workbench.secondarySideBar.defaultVisibility": "hidden",
            "workbench.startupEditor": "none", "workbench.welcome.enabled": False, "telemetry.telemetryLevel": "off",
            "extensions.autoCheckUpdates": False, "window.restoreWindows": "none", "editor.minimap.enabled": False})
        self.set(path=BINARY)
        extension = self.home / "ext" / "crucible.crucible-0.1.0"
        with zipfile.ZipFile(next(kit.extension.glob("*.vsix"))) as vsix:  # what people install, not our folder
            for name in vsix.namelist():
                if name.startswith("extension/"):
                    target = extension / name.removeprefix("extension/")
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.write_bytes(vsix.read(name))
        self.env = {"PATH": "/usr/bin:/bin", "HOME": str(self.home), "LANG": "C.UTF-8", "XDG_RUNTIME_DIR": str(self.home / "run"),
                    **{k: v for k, v in os.environ.items() if k in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS")}}
        self.port, self.processes, self.page, self.n_shots = 0, [], None, 0

    def write(self, name, value):
        (self.home / name).write_text(json.dumps(value))

    def set(self, **settings):
        """Settings of the machine, such as the program's path."""
        self.write("data/Machine/settings.json", {f"crucible.{k}": v for k, v in settings.items()})

    def start(self, name, text, wait_for="Crucible: ready"):
        (self.folder / name).write_text(text)
        self.port = free_port()
        log = open(self.home / "code-server.log", "wb")
        self.spawn([self.node, f"{CODE_SERVER}/out/node/entry.js", "--auth", "none", "--bind-addr", f"127.0.0.1:{self.port}",
                    "--user-data-dir", str(self.home / "data"), "--extensions-dir", str(self.home / "ext"), "--disable-telemetry",
                    "--disable-update-check", "--disable-workspace-trust"], stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        self.page = self.spawn([self.node, str(self.kit.driver / "drive.js"), self.browser], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, stderr=log, text=True)
        self.until(self.is_healthy, "code-server", 60)
        file = f"vscode-remote://127.0.0.1:{self.port}{self.folder}/{name}"
        self.do("open", url=f"http://127.0.0.1:{self.port}/?" + urllib.parse.urlencode(
            {"folder": str(self.folder), "payload": json.dumps([["openFile", file]])}))
        self.until(lambda: self.texts(".monaco-editor .view-lines"), "the file", 90)
        if wait_for:
            self.until(lambda: wait_for in self.status(), f"the status {wait_for!r}", 60)
        return self

    def spawn(self, command, **options):
        process = subprocess.Popen(command, env=self.env, start_new_session=True, **options)
        self.processes.append(process)
        return process

    def is_healthy(self):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=5) as answer:
                return answer.status == 200
        except OSError:
            return False

    # -- what a person does --
    def do(self, word, **more):
        self.page.stdin.write(json.dumps({"do": word, **more}) + "\n")
        self.page.stdin.flush()
        timer = threading.Timer(100, self.page.kill)  # a browser that hangs ends the test, not the run
        timer.start()
        line = self.page.stdout.readline()
        timer.cancel()
        assert line, f"the browser has ended at {word}: {self.log()}"
        answer = json.loads(line)
        assert "error" not in answer, f"{word} {more}: {answer['error']}"
        return answer["result"]

    def press(self, *keys):
        self.do("press", keys=list(keys))

    def type(self, text):
        self.do("type", text=text)

    def command(self, title):
        self.press("F1")
        self.until(self.box, "the palette")
        self.type(title)
        self.until(lambda: any(title in row for row in self.picks()), f"the command {title!r}")
        self.press("Enter")

    def go(self, line, column=1):
        self.do("click", selector=".monaco-editor .view-lines")
        self.press("Control+g")
        self.until(self.box, "the box for a line")
        self.type(f"{line}:{column}")
        self.press("Enter")
        time.sleep(0.4)  # VS Code asks for code actions only when the cursor has stood still

    def save(self, name, expected):
        """Ctrl+S; then this is on disk."""
        self.press("Control+s")
        self.until(lambda: (self.folder / name).read_text() == expected, f"{expected!r} on disk")

    # -- what a person sees --
    def texts(self, selector):
        return [t.replace("\u00a0", " ") for t in self.do("texts", selector=selector)]

    def status(self):
        return " ".join(self.texts(STATUS)).strip()

    def ghost(self):
        return "".join(self.texts(".ghost-text-decoration, .ghost-text-decoration-preview, .ghost-text"))

    def box(self):
        """The words of the box for a choice or a text, once it takes keys."""
        has_focus = self.do("eval", expression="!!document.activeElement?.closest('.quick-input-widget')")
        return " ".join(self.texts(".quick-input-widget:visible")) if has_focus else ""

    def picks(self):
        return self.texts(".quick-input-widget:visible .monaco-list-row") if self.box() else []

    def toasts(self):
        return " ".join(self.texts(".notification-toast"))

    def webview(self):
        return "\n".join(self.do("webviews"))

    def tabs(self):
        return self.texts(".tab")

    def buffer(self):
        return "\n".join(self.texts(".monaco-editor .view-line"))

    def shot(self, name):
        self.do("shot", path=str(SHOTS / f"{name}.png"))

    def log(self):
        lines = (self.home / "code-server.log").read_text(errors="replace").splitlines()
        return "\n".join(line for line in lines if line.startswith("["))[-1500:]

    def until(self, condition, what, timeout=30):
        end = time.monotonic() + timeout
        while True:
            found = condition()
            if found:
                return found
            if time.monotonic() > end:
                if self.page and self.page.poll() is None:
                    self.shot("failed")
                    seen = f"status {self.status()!r}, toasts {self.toasts()!r}, tabs {self.tabs()}, text {self.buffer()!r}"
                pytest.fail(f"waited for {what}; {seen}; the log says: {self.log()}")
            time.sleep(0.1)

    def stop(self):
        for process in reversed(self.processes):
            for signal_ in (signal.SIGTERM, signal.SIGKILL):
                try:
                    os.killpg(process.pid, signal_)
                    process.wait(1)
                except (ProcessLookupError, subprocess.TimeoutExpired):
                    continue
        shutil.rmtree(self.home, ignore_errors=True)


@pytest.fixture
def code():
    found = find_editor()
    if isinstance(found, str):
        pytest.skip(found)
    if not os.access(BINARY, os.X_OK):
        pytest.skip(f"{BINARY} isn't built")
    node, browser, npm = found
    kit = Kit(node, npm)
    with open(BUILD / "one.lock", "w", encoding="ascii") as lock, Simulator([TRUTH]) as sim:
        fcntl.flock(lock, fcntl.LOCK_EX)
        editor = Code(node, browser, kit, sim)
        try:
            yield editor
        finally:
            editor.stop()


def without(hole):
    return TRUTH.replace(hole, "", 1), TRUTH[:TRUTH.index(hole)].count("\n") + 1


# -- ghost text --

def test_ghost_text_appears_and_tab_accepts_it(code):
    text, line = without("numbers[i];")
    code.start("sum.c", text)
    code.go(line, 99)
    code.type(" ")
    code.press("Backspace")
    code.until(lambda: code.ghost() == "numbers[i];", "ghost text")
    code.shot("ghost")
    code.press("Tab")
    code.until(lambda: "numbers[i];" in code.buffer() and not code.ghost(), "the text to be accepted")
    code.save("sum.c", TRUTH)


def test_slow_models_are_waited_for(code):
    """Stock VS Code gives up after 750 ms; the extension's default of quickSuggestions is there for this."""
    text, line = without("numbers[i];")
    code.sim.script(first_ms=1600)
    code.start("sum.c", text)
    code.go(line, 99)
    code.type(" ")
    code.press("Backspace")
    code.until(lambda: code.ghost() == "numbers[i];", "ghost text that comes late")


def test_ghost_text_that_comes_after_its_answer_is_shown(code):
    text, line = without("numbers[i];")
    code.sim.script(first_ms=6500)  # the server answers after 5 s: with nothing
    code.start("sum.c", text)
    asked = len(code.sim.generations)
    code.go(line, 99)
    code.type(" ")
    code.press("Backspace")
    code.until(lambda: code.ghost() == "numbers[i];", "ghost text that comes after the answer")
    assert len(code.sim.generations) <= asked + 2  # of the blank and of its deletion
    code.press("Tab")
    code.until(lambda: "numbers[i];" in code.buffer() and not code.ghost(), "the text to be accepted")
    code.save("sum.c", TRUTH)


def test_other_suggestions_are_there_to_choose_from(code):
    text, line = without("numbers[i];")
    code.start("sum.c", text)
    code.go(line, 99)
    code.type(" ")
    code.press("Backspace")
    code.until(lambda: code.ghost() == "numbers[i];", "ghost text")
    code.sim.script(texts=["numbers[0];", "i;", "numbers[i];"])
    code.press("Alt+]")
    code.until(lambda: code.ghost() and code.ghost() != "numbers[i];", "another suggestion")
    code.shot("other")
    assert code.sim.generations[-1]["body"]["n"] == 3
    other = code.ghost()
    code.press("Alt+[")
    code.until(lambda: code.ghost() == "numbers[i];", "the first one again")
    code.press("Alt+]")
    code.until(lambda: code.ghost() == other, "the other one again")
    code.press("Tab")
    code.until(lambda: other in code.buffer() and not code.ghost(), "the text to be accepted")


# -- state --

def test_status_is_said_in_words_and_its_menu_toggles(code):
    code.start("sum.c", TRUTH)
    code.do("hover", selector=STATUS)
    code.until(lambda: "Click for what you can do" in " ".join(code.texts(".monaco-hover")), "the tooltip")
    code.shot("status")
    assert not code.toasts(), code.toasts()  # nothing that was sent was unknown to the server
    code.do("click", selector=STATUS)
    code.until(lambda: any("Switch off" in row for row in code.picks()), "the menu")
    code.shot("menu")
    assert any("Explain last decision" in row for row in code.picks())
    assert any("Switch model" in row for row in code.picks())
    code.press("Enter")
    code.until(lambda: "Crucible: off" in code.status(), "the status 'off'")
    code.command("Crucible: Toggle")
    code.until(lambda: "Crucible: ready" in code.status(), "the status 'ready'")


def test_settings_that_nobody_set_leave_the_users_file_alone(code):
    """inline.enabled is true by default in VS Code, and false in this person's own file."""
    path = ".config/crucible/config.json"
    own = json.loads((code.home / path).read_text())
    code.write(path, {**own, "inline": {"enabled": False}})
    text, line = without("numbers[i];")
    code.start("sum.c", text, "Crucible: off")
    code.go(line, 99)
    code.type(" ")
    code.press("Backspace")
    time.sleep(2)
    assert code.ghost() == ""
    code.set(path=BINARY, **{"inline.enabled": True})
    code.until(lambda: "Crucible: ready" in code.status(), "the status 'ready'")
    code.type(" ")
    code.press("Backspace")
    code.until(lambda: code.ghost() == "numbers[i];", "ghost text once it is switched on")


def test_missing_program_is_said_with_what_to_do(code):
    code.set(path="/nowhere/crucible-ls")
    code.start("sum.c", TRUTH, "Crucible: not found")
    code.until(lambda: "wasn't found" in code.toasts() and "/nowhere/crucible-ls" in code.toasts(), "the message")
    code.shot("missing")
    code.do("click", selector=".notification-toast .monaco-button:has-text('Open Settings')")
    code.until(lambda: any("Path" in name for name in code.texts(".setting-item-label")), "the setting")
    code.shot("settings")
    code.set(path=BINARY)  # no restart of the window is needed
    code.until(lambda: "Crucible: ready" in code.status(), "the server", 60)


def test_server_that_is_killed_comes_back(code):
    code.start("sum.c", TRUTH)
    servers = [int(p.parent.name) for p in pathlib.Path("/proc").glob("[0-9]*/cmdline") if is_server_of(p, code)]
    assert len(servers) == 1
    os.kill(servers[0], signal.SIGKILL)
    code.until(lambda: [p for p in pathlib.Path("/proc").glob("[0-9]*/cmdline")
                        if is_server_of(p, code) and int(p.parent.name) != servers[0]], "another server")
    code.until(lambda: "Crucible: ready" in code.status(), "the status 'ready'")


def is_server_of(cmdline, code):
    try:
        is_ours = cmdline.read_bytes().split(b"\0")[0].decode() == BINARY
        return is_ours and f"HOME={code.home}".encode() in (cmdline.parent / "environ").read_bytes().split(b"\0")
    except OSError:
        return False


# -- what a person asks for --

EXPLANATION = "# What it does\n\nIt adds up **numbers**.\n\n```c\ntotal += numbers[i];\n```\n\n" + "".join(
    f"{i}. This is sentence number {i} of it.\n" for i in range(1, 31)) + "\nThat is all.\n"


def fenced(text, language="c"):
    return f"```{language}\n{text}```\n"


def test_explanation_grows_beside_the_code(code):
    code.sim.script(text=EXPLANATION, first_ms=1000, token_ms=15)
    code.start("sum.c", TRUTH)
    code.go(5, 12)
    code.command("Crucible: Explain")
    code.until(lambda: "Explain" in code.toasts() and "Cancel" in code.toasts(), "a word before the first text")
    code.until(lambda: "sentence number 3 " in code.webview(), "the first sentences")
    seen = code.webview()
    assert "That is all." not in seen
    code.until(lambda: not code.toasts(), "the message to go")
    assert any("Stop" in item for item in code.texts(".statusbar-item"))
    code.shot("explain-growing")
    code.until(lambda: "That is all." in code.webview(), "the whole text")
    assert "sentence number 30 " in code.webview() and "**" not in code.webview()
    assert any("Explain" in tab for tab in code.tabs()) and code.texts(".statusbar-item:has-text('Ln 5')")
    code.until(lambda: not any("Stop" in item for item in code.texts(".statusbar-item")), "the Stop to go")
    code.shot("explain")
    # The next one takes its place, and the cursor stays in the code.
    code.sim.script(text="Quite another one.\n")
    code.go(1, 6)
    code.press("Control+k", "Alt+e")
    code.until(lambda: "Quite another one." in code.webview(), "the next explanation")
    code.until(lambda: sum("Explain" in tab for tab in code.tabs()) == 1, "one tab for both")
    assert code.texts(".statusbar-item:has-text('Ln 1')")
    code.type("x")
    code.until(lambda: "int sxum(" in code.buffer(), "the key in the code")


@pytest.mark.parametrize("way", ["button", "close"])
def test_explanation_is_stopped(code, way):
    code.sim.script(text=EXPLANATION * 40, token_ms=20)
    code.start("sum.c", TRUTH)
    code.go(5, 12)
    code.command("Crucible: Explain")
    code.until(lambda: "sentence number 2 " in code.webview(), "the first sentences")
    if way == "button":
        code.do("click", selector='.statusbar-item:has-text("Stop")')
        code.until(lambda: "ended early" in code.webview(), "the end")
        code.shot("explain-stopped")
    else:
        code.do("click", selector=".tab:has-text('Explain')", button="middle")
        code.until(lambda: not any("Explain" in tab for tab in code.tabs()), "the tab to close")
    assert code.sim.wait(lambda: code.sim.generations[-1]["outcome"] == "aborted", 10), code.sim.generations[-1]["outcome"]
    time.sleep(0.5)
    assert any("Explain" in tab for tab in code.tabs()) == (way == "button")


def test_document_is_one_edit_and_one_undo(code):
    code.sim.script(text=fenced(COMMENT), token_ms=5)
    code.start("sum.c", TRUTH)
    code.go(1, 6)
    code.command("Crucible: Document")
    code.until(lambda: "Adds up the first n numbers" in code.buffer(), "the comment")
    code.shot("document")
    code.save("sum.c", COMMENT + TRUTH)
    code.press("Control+z")
    code.until(lambda: "Adds up" not in code.buffer(), "the undo")
    code.save("sum.c", TRUTH)


@pytest.mark.parametrize("way", ["light bulb", "slow model", "palette"])
def test_fix_is_one_edit_and_one_undo(code, way):
    """Quick: the edit comes with the resolved action. Slow: by the command that goes on with the work."""
    broken = '{\n    "name": "sum",\n    "count": 1,\n}\n'
    fixed = broken.replace("1,", "1")
    code.sim.script(text=fenced('    "count": 1\n', "json"), first_ms=5000 if way == "slow model" else 0)
    code.start("sum.json", broken)
    code.go(3, 15)
    code.until(lambda: code.texts(".squiggly-error"), "VS Code's own complaint")
    if way == "palette":
        code.command("Crucible: Fix")
    else:
        code.press("Control+.")
        code.until(lambda: any("(Crucible)" in row for row in code.texts(".action-widget .monaco-list-row")), "the offer")
        code.shot("fix-offer")
        code.do("click", selector=".action-widget .monaco-list-row:has-text('Fix:')")
    code.until(lambda: '"count": 1\n' in code.buffer() + "\n", "the fix")
    code.save("sum.json", fixed)
    asked = json.dumps(code.sim.generations[-1]["body"])
    assert "railing comma" in asked, asked
    code.press("Control+z")
    code.until(lambda: '"count": 1,' in code.buffer(), "the undo")
    code.save("sum.json", broken)


def test_refactor_asks_what_to_do_and_a_closed_box_sends_nothing(code):
    renamed = TRUTH.replace("total", "result")
    code.sim.script(text=fenced(renamed))
    code.start("sum.c", TRUTH)
    code.go(1, 6)
    code.press("Control+k", "Alt+r")
    code.until(lambda: "What should become of it" in code.box(), "the box")
    code.shot("refactor")
    code.press("Escape")
    time.sleep(1)
    assert not code.sim.generations
    code.press("Control+k", "Alt+r")
    code.until(lambda: "What should become of it" in code.box(), "the box")
    code.type("call the total result")
    code.press("Enter")
    code.until(lambda: "return result;" in code.buffer(), "the edit")
    assert "call the total result" in json.dumps(code.sim.generations[-1]["body"])
    code.save("sum.c", renamed)


def test_refactor_of_the_editors_menu_asks_too(code):
    """The server's own command, which comes with the code action, goes through the same box."""
    code.sim.script(text=fenced(TRUTH.replace("total", "result")))
    code.start("sum.c", TRUTH)
    code.go(1, 6)
    code.press("Control+.")
    code.until(lambda: any("Refactor" in row for row in code.texts(".action-widget .monaco-list-row")), "the offer")
    code.shot("actions")
    code.do("click", selector=".action-widget .monaco-list-row:has-text('Refactor')")
    code.until(lambda: "What should become of it" in code.box(), "the box")
    code.type("call the total result")
    code.press("Enter")
    code.until(lambda: "return result;" in code.buffer(), "the edit")
    assert len(code.sim.generations) == 1


def test_model_is_switched_by_picking(code):
    code.start("sum.c", TRUTH)
    code.command("Crucible: Switch Model")
    code.until(lambda: any("Explanations and edits" in row for row in code.picks()), "the roles")
    code.press("ArrowDown", "Enter")
    code.until(lambda: any("sim/tinycode" in row for row in code.picks()), "the models")
    code.shot("models")
    code.press("Enter")
    code.until(lambda: "sim/tinycode" in code.toasts(), "the server's word on it")
    code.command("Crucible: Explain Last Decision")
    code.until(lambda: code.picks(), "the decisions")
