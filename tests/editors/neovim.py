"""neovim.py - a real Neovim for tests: found, started headless in a home of its own, spoken to over its socket.

Of each version that the plugin knows the first that is there: $NVIM_PROGRAM or nvim in PATH, then the chroots
$CRUCIBLE_NVIM_ROOT (/opt/nvim-root) and $CRUCIBLE_NVIM10_ROOT (/opt/nvim10-root), which tests/editors/get-nvim makes."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("CRUCIBLE_LS", str(ROOT / "build" / "crucible-ls"))
PLUGIN = ROOT / "editors" / "nvim"
CHROOTS = [os.environ.get("CRUCIBLE_NVIM_ROOT", "/opt/nvim-root"),
           os.environ.get("CRUCIBLE_NVIM10_ROOT", "/opt/nvim10-root")]


def version_of(command):
    try:
        text = subprocess.run([*command, "--version"], capture_output=True, text=True, timeout=20, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return (0, 0)
    match = re.match(r"NVIM v(\d+)\.(\d+)", text)
    return (int(match.group(1)), int(match.group(2))) if match else (0, 0)


def candidates():
    """(command, what its root directory is called here) of every Neovim that could be there."""
    own = os.environ.get("NVIM_PROGRAM") or os.environ.get("NVIM") or shutil.which("nvim")
    if own:
        yield [own], "/"
    if os.geteuid() == 0 and "san" not in pathlib.Path(BINARY).parent.name:  # a sanitizer's library isn't in a chroot
        for chroot in CHROOTS:
            if os.access(f"{chroot}/usr/bin/nvim", os.X_OK):
                yield [shutil.which("chroot") or "/usr/sbin/chroot", chroot, "/usr/bin/nvim"], chroot


def find_all():
    """version -> (command, root)."""
    found = {}
    for command, root in candidates():
        found.setdefault(version_of(command), (command, root))
    return found


class Neovim:
    """One headless Neovim. `setup` is Lua for what setup() is told, `snippet` a file to load instead."""

    def __init__(self, command, root, url, text, setup="", snippet=None, settings=None):
        self.command = command
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="cr-", dir=f"{root.rstrip('/')}/tmp"))
        self.inside = "/" + str(self.home.relative_to(root))
        self._furnish(url, text, settings or {})
        self.env = {"PATH": f"{self.inside}:/usr/bin:/bin", "HOME": self.inside, "LANG": "C.UTF-8",
                    "XDG_RUNTIME_DIR": f"{self.inside}/run", "XDG_CONFIG_HOME": f"{self.inside}/.config",
                    "CRUCIBLE_LS": f"{self.inside}/crucible-ls", "CRUCIBLE_PLUGIN": f"{self.inside}/plugin",
                    "CRUCIBLE_SETUP": f"return {{ {setup} }}"}
        if snippet:
            shutil.copy2(snippet, self.home / "snippet.lua")
            self.env["CRUCIBLE_SNIPPET"] = f"{self.inside}/snippet.lua"
        self.socket = f"{self.inside}/nvim.sock"
        self.process = subprocess.Popen(
            [*command, "--headless", "--clean", "-u", f"{self.inside}/init.lua", "--listen", self.socket, f"{self.inside}/sum.c"],
            env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.until(lambda: (self.home / "nvim.sock").exists(), "its socket")
        self.until(lambda: self.lua("attached()") == "true", "the server to be attached")

    def _furnish(self, url, text, settings):
        config = self.home / ".config" / "crucible"
        config.mkdir(parents=True)
        (self.home / "run").mkdir(mode=0o700)
        (config / "config.json").write_text(json.dumps({
            "endpoints": [{"name": "sim", "kind": "llamacpp", "url": url}],
            "models": {"inline": ["sim/tinycode"]}, **settings}))
        shutil.copy2(BINARY, self.home / "crucible-ls")
        shutil.copy2(ROOT / "tests" / "editors" / "nvim" / "init.lua", self.home / "init.lua")
        shutil.copytree(PLUGIN, self.home / "plugin")
        (self.home / "sum.c").write_text(text, newline="")

    def remote(self, *args):
        return subprocess.run([*self.command, "--server", self.socket, *args], env=self.env, capture_output=True, text=True,
                              timeout=30, check=False)

    def lua(self, expression):
        quoted = f"tostring({expression})".replace("'", "''")
        done = self.remote("--remote-expr", f"luaeval('{quoted}')")
        return (done.stdout or done.stderr).strip("\n")

    def do(self, statements):
        """Runs Lua; what goes wrong in it fails the test."""
        answer = self.lua(f"(function() {statements} end)() or [[done]]")
        assert answer == "done", answer

    def keys(self, text):
        self.remote("--remote-send", text)

    def until(self, condition, what, timeout=20):
        end = time.monotonic() + timeout
        while not condition():
            assert time.monotonic() < end, f"waited for {what}; {self.state()}"
            assert self.process.poll() is None, f"Neovim has ended while waiting for {what}"
            time.sleep(0.05)

    def state(self):
        return (f"ghost {self.ghost()!r}; buffer {self.buffer()!r}; answer {self.lua('answer()')!r}; "
                f"messages {self.lua('vim.api.nvim_exec2([[messages]], {output = true}).output')!r}; the log says: {self.log()}")

    def log(self):
        logs = list(self.home.rglob("lsp.log"))
        return logs[0].read_text()[-1500:] if logs else "nothing"

    def ghost(self):
        return self.lua("ghost()")

    def buffer(self):
        return self.lua("buffer()") + "\n"

    def here(self):
        """The text of the window that has the focus."""
        return self.lua("here()")

    def answer(self):
        said = self.lua("answer()")
        return json.loads(said) if said.startswith("{") else None

    def told(self):
        return self.lua("table.concat(told, '|')")

    def running(self):
        """Processes that were started as this editor's server."""
        found = []
        for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
            try:
                if path.read_bytes().split(b"\0")[0].decode() == f"{self.inside}/crucible-ls":
                    found.append(path.parent.name)
            except OSError:
                continue
        return found

    def stop(self):
        self.keys("<C-Bslash><C-n>:qa!<CR>")
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.home, ignore_errors=True)
