"""faulty.py - a server beside a model server that breaks, and what has to hold whatever breaks.

The invariants' names are those of the fault matrix: I1 it lives and goes on with its work, I2 exactly one reply
to each request in its time, I3 everything else is answered meanwhile, I4 nothing partial or wrong is kept, I5
memory and descriptors come back, I6 no secret in a log, I7 one notice for each cause, I8 the figures say it, I9
the server isn't asked more often than the budget allows."""
import gc
import json
import os
import re
import time

from client import IS_SANITIZED, REQUEST_CANCELLED, SLOWNESS, initialize_params, items_of, span
from faults import Faults

CANARY = "sk-canary-Zx81Qw7Lm2Vb90Tt"
TEXT = "count + 1;"
REQUEST_FAILED = -32803
URI = "file:///w/fault.c"
BODY = ("int sum(const int *numbers, int n)\n{\n    int total = 0;\n    for (int i = 0; i < n; i++) {\n"
        "        totl += numbers[i];\n    }\n    return total;\n}\n\nint main(void)\n{\n    return sum(0, 0);\n}\n")
FIXED = BODY[:BODY.index("\n\nint main")].replace("totl", "total")
LINE = "        total += numbers[i];\n"  # what the fix changes
FENCED = f"```c\n{FIXED}\n```\n"
PLACE = span(4, 8, 4, 12)
REPORT = [{"range": PLACE, "severity": 1, "message": "use of undeclared identifier 'totl'"}]


def usage(pid):
    """(open descriptors, resident KiB)"""
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        rss = int(re.search(r"VmRSS:\s+(\d+)", file.read()).group(1))
    return len(os.listdir(f"/proc/{pid}/fd")), rss


class Patient:
    """A server whose model server is `faults`, warm: one suggestion has been shown."""

    def __init__(self, home, config, start, faults, kind="llamacpp", url=None, model="tinycode", endpoint=None,
                 upstream=None, warm=True):
        self.faults, self.home, self.n, self.version = faults, home, 0, 1
        key = home / "work.key"
        key.write_text(CANARY)
        key.chmod(0o600)
        url = url or faults.url + ("/v1" if kind == "openai" else "")
        config({"endpoints": [{"name": "sim", "kind": kind, "url": url, "apiKeyFile": str(key), **(endpoint or {})}],
                "models": {"inline": [f"sim/{model}"], "chat": [f"sim/{model}"]}, "cache": {"disk": False},
                "upstream": upstream or {}})
        self.log = home / "log.txt"
        params = initialize_params()
        params["capabilities"]["textDocument"]["codeAction"] = {
            "dataSupport": True, "resolveSupport": {"properties": ["edit"]},
            "codeActionLiteralSupport": {"codeActionKind": {"valueSet": ["", "quickfix", "refactor"]}}}
        self.server = start(args=["--log", str(self.log), "--log-level", "debug"], params=params)
        self.server.open(URI, self.source())
        self.server.open("file:///w/sum.c", BODY)
        if warm:
            self.until(lambda: self.state() == "ready", 10, "ready")
            self.until(lambda: self.ask_typed()[0] == TEXT, 10, "a first suggestion")
            self.base = self.spare()

    # -- looking --
    def stats(self):
        return self.server.result("crucible/stats", timeout=10 * SLOWNESS)

    def state(self):
        return self.stats()["endpoints"][0]["state"]

    def spare(self):
        """(descriptors beside connections to the model server, resident KiB)"""
        gc.collect()
        fds, rss = usage(self.server.process.pid)
        return fds - (self.faults.figures()["open"] - 1 if self.faults and self.faults.process else 0), rss

    @staticmethod
    def until(condition, timeout, what):
        end = time.monotonic() + timeout * SLOWNESS
        while not condition():
            assert time.monotonic() < end, f"waited {timeout} s for {what}"
            time.sleep(0.02)

    def messages(self):
        return [m["params"]["message"] for m in self.server.received("window/showMessage")]

    # -- typing --
    def source(self):
        return f"int f(int count)\n{{\n    int total_{self.n} = \n}}\n"

    def type(self):
        """Something that nobody has asked about yet; gives where the cursor stands."""
        self.n += 1
        self.version += 1
        text = self.source()
        self.server.change(URI, self.version, text)
        return 2, len(text.split("\n")[2])

    def begin(self, trigger=2):
        return self.server.ask_inline(URI, *self.type(), trigger=trigger)

    def end(self, request, timeout=7):
        """The text that was suggested, or None; I2."""
        message = self.server.reply(request, timeout * SLOWNESS)
        assert "result" in message, message
        items = items_of(message["result"])
        assert len(items) <= 1
        return items[0]["insertText"] if items else None

    def ask_typed(self, trigger=2, timeout=7):
        started = time.monotonic()
        text = self.end(self.begin(trigger), timeout)
        return text, time.monotonic() - started

    def others_answer(self):
        """I3"""
        started = time.monotonic()
        hover = self.server.request("textDocument/hover", {"textDocument": {"uri": "file:///w/sum.c"},
                                                           "position": {"line": 0, "character": 5}})
        assert "result" in self.server.reply(hover, 2 * SLOWNESS)
        offered = self.actions()
        assert offered
        assert time.monotonic() - started < 2 * SLOWNESS

    # -- actions --
    def actions(self):
        return self.server.result("textDocument/codeAction", {
            "textDocument": {"uri": "file:///w/sum.c"}, "range": span(4, 10, 4, 10),
            "context": {"diagnostics": REPORT, "triggerKind": 1}})

    def begin_action(self):
        fix = next(a for a in self.actions() if a["title"].startswith("Fix"))
        return self.server.request("codeAction/resolve", fix)

    def end_action(self, request, timeout=15):
        """("text", new text) or ("error", message); I2."""
        message = self.server.reply(request, timeout * SLOWNESS)
        if "error" in message:
            assert message["error"]["code"] == REQUEST_FAILED, message
            return "error", message["error"]["message"]
        edit = message["result"]["edit"]["documentChanges"][0]["edits"]
        assert len(edit) == 1
        return "text", edit[0]["newText"]

    def cancel(self, request):
        self.server.notify("$/cancelRequest", {"id": request})
        message = self.server.reply(request, 2 * SLOWNESS)
        assert message["error"]["code"] == REQUEST_CANCELLED, message

    # -- afterwards --
    def check_replies(self):
        """I2: exactly one for each request that was made."""
        self.server.barrier()
        for key in self.server.methods:
            assert len(self.server.by_id.get(key, [])) == 1, (key, self.server.methods[key])

    def check_usage(self, most_kib=4096):
        """I5"""
        most_kib = most_kib if not IS_SANITIZED else 1 << 20
        end = time.monotonic() + 5 * SLOWNESS
        while True:
            fds, rss = self.spare()
            if fds <= self.base[0] and rss <= self.base[1] + most_kib:
                return
            assert time.monotonic() < end, f"descriptors {self.base[0]} -> {fds}, KiB {self.base[1]} -> {rss}"
            time.sleep(0.1)

    def check_secrets(self):
        """I6: nothing of the key anywhere but in the requests."""
        said = json.dumps([m for _, m in self.server.messages])
        for place in (said, self.log.read_text(errors="replace"), self.server.stderr_text()):
            assert CANARY[:12] not in place
            assert "total_1" not in self.log.read_text(errors="replace")  # nor document text


def faults_for(kind="llamacpp", **base):
    return Faults(kind, **{"text": TEXT, **base})
