#!/usr/bin/env python3
"""chaos.py - somebody types for half an hour while the model server breaks every two seconds.

usage: tests/run BUILD chaos            (make chaos)

Twenty edits a second in three documents, each asking for a suggestion, a tenth of them cancelled; now and then an
action, which is cancelled or waited for. Each document holds a word of its own that the model server repeats, so an
answer for another place is seen. Every two seconds the server breaks in another way: one of the fault matrix's, or
it is stopped, or killed and started again. In the end everything heals: no request may be lost, answered twice or
for another document, the truth must come, and memory and descriptors must be where they were after a warm-up.

DURATION=30m    also 90s, 2h         SEED=...    of the faults and the typing"""
import json
import os
import pathlib
import random
import re
import signal
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(ROOT / "tests/engine"), str(ROOT / "tests/lsp")]

import client  # noqa: E402
from faults import Faults  # noqa: E402
from faulty import CANARY, Patient, usage  # noqa: E402
from test_faults import ROWS  # noqa: E402

EVERY_S, EDITS_A_SECOND, ACTION_S = 2, 20, 3
UNHEALABLE = [name for name, r in ROWS.items() if not r.heals]  # they silence a server for longer than this runs
PLANS = {name: r.plan for name, r in ROWS.items() if r.heals}
DOCUMENTS = [f"file:///w/chaos{i}.c" for i in range(3)]
GROWN_KIB = 8192


def seconds(text):
    match = re.fullmatch(r"(\d+)([smh]?)", text)
    if not match:
        sys.exit(f"chaos.py: DURATION={text} is no duration")
    return int(match.group(1)) * {"": 1, "s": 1, "m": 60, "h": 3600}[match.group(2)]


class Chaos:
    def __init__(self, folder, seed):
        self.folder, self.random, self.problems = pathlib.Path(folder), random.Random(seed), []
        for name in ("config/crucible", "cache", "state", "data", "run", "work"):
            (self.folder / name).mkdir(parents=True)
        (self.folder / "run").chmod(0o700)
        self.servers = []
        self.faults = Faults(seed=seed, echo=1).__enter__()
        self.patient = Patient(self.folder, self.config, self.start, self.faults, warm=False)
        self.server, self.n, self.fault, self.is_garbled, self.is_stopped = self.patient.server, 0, "none", False, False
        self.versions = {uri: 1 for uri in DOCUMENTS}
        self.asked, self.actions = {}, {}  # request -> (uri, word)
        self.counts = dict.fromkeys(("faults", "edits", "suggestions", "actions", "cancelled", "texts", "edits made"), 0)
        for uri in DOCUMENTS:
            self.server.open(uri, self.text("nonce0"))

    def config(self, value):
        path = self.folder / "config/crucible/config.json"
        path.write_text(json.dumps(value))
        path.chmod(0o600)

    def start(self, args=(), params=None):
        env = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "TMPDIR": str(self.folder)}
        env.update({f"XDG_{k}": str(self.folder / v) for k, v in (
            ("CONFIG_HOME", "config"), ("CACHE_HOME", "cache"), ("STATE_HOME", "state"), ("DATA_HOME", "data"),
            ("RUNTIME_DIR", "run"))})
        server = client.Server(env, self.folder / "work", args)
        server.initialize(params)
        self.servers.append(server)
        return server

    @staticmethod
    def text(word):
        return f"int f(void)\n{{\n    int y = {word} + 0;\n    int x = \n}}\n"

    # -- the model server --
    def break_something(self):
        if self.is_stopped:
            self.faults.process.send_signal(signal.SIGCONT)
            self.is_stopped = False
        draw = self.random.random()
        self.counts["faults"] += draw >= 0.25
        self.is_garbled = False
        if draw < 0.25:
            self.fault = "none"
            self.faults.plan()
        elif draw < 0.30:
            self.fault = "stopped"
            self.faults.process.send_signal(signal.SIGSTOP)
            self.is_stopped = True
        elif draw < 0.35:
            self.fault = "killed"
            self.restart()
        else:
            self.fault = self.random.choice(list(PLANS))
            self.is_garbled = self.fault == "garbled"
            self.faults.plan(**{"echo": 1, **PLANS[self.fault]})

    def restart(self):
        port, seed = self.faults.port, self.faults.seed
        self.faults.process.kill()
        self.faults.__exit__()
        time.sleep(0.1)
        self.faults = self.patient.faults = Faults(port=port, seed=seed + self.n, echo=1).__enter__()

    # -- the person --
    def edit(self):
        self.n += 1
        uri, word = self.random.choice(DOCUMENTS), f"nonce{self.n:07d}"
        self.versions[uri] += 1
        self.counts["edits"] += 1
        self.server.change(uri, self.versions[uri], self.text(word))
        request = self.server.ask_inline(uri, 3, 12, trigger=self.random.choice((2, 2, 2, 1)))
        self.asked[request] = (uri, word)
        self.counts["suggestions"] += 1
        if self.random.random() < 0.1:
            self.server.notify("$/cancelRequest", {"id": request})
            self.counts["cancelled"] += 1

    def act(self):
        """On the one line with the document's word, selected."""
        uri = self.random.choice(DOCUMENTS)
        word = f"nonce{self.n:07d}a"
        self.versions[uri] += 1
        self.server.change(uri, self.versions[uri], self.text(word))
        offered = self.server.result("textDocument/codeAction", {
            "textDocument": {"uri": uri}, "range": client.span(2, 0, 3, 0), "context": {
                "diagnostics": [{"range": client.span(2, 8, 2, 9), "severity": 1, "message": "unused variable 'y'"}],
                "triggerKind": 1}}, timeout=10)
        request = self.server.request("codeAction/resolve", next(a for a in offered if a["title"].startswith("Fix")))
        self.actions[request] = (uri, word)
        self.counts["actions"] += 1
        if self.random.random() < 0.3:
            self.server.notify("$/cancelRequest", {"id": request})

    # -- judging --
    def judge(self, request, uri, word, said):
        found = re.findall(r"nonce\d+a?", said)
        if found and any(w != word for w in found) and not self.saw_garbled:
            self.problems.append(f"request {request} of {uri} ({word}) was answered {said!r}")

    def settle(self, timeout):
        """Waits for what is still open; actions that hang are cancelled, as a person would."""
        for request in self.actions:
            if not self.server.replies(request):
                self.server.notify("$/cancelRequest", {"id": request})
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            if all(self.server.replies(r) for r in (*self.asked, *self.actions)):
                break
            time.sleep(0.1)
        for request, (uri, word) in (*self.asked.items(), *self.actions.items()):
            replies = self.server.replies(request)
            if len(replies) != 1:
                self.problems.append(f"request {request} of {uri} has {len(replies)} replies")
                continue
            result = replies[0].get("result")
            for item in client.items_of(result) if request in self.asked and result else []:
                self.counts["texts"] += 1
                self.judge(request, uri, word, item["insertText"])
            if request in self.actions and result and "edit" in result:
                self.counts["edits made"] += 1
                self.judge(request, uri, word, json.dumps(result["edit"]))

    def spare(self):
        fds, rss = usage(self.server.process.pid)
        return fds - (self.faults.figures()["open"] - 1), rss

    def type_for(self, duration, must_break):
        started = next_fault = next_action = time.monotonic()
        n, lag, pings = 0, 0.0, []
        while (now := time.monotonic()) < started + duration:
            if must_break and now >= next_fault:
                self.break_something()
                self.saw_garbled = self.saw_garbled or self.is_garbled
                next_fault += EVERY_S
            if now >= next_action:
                self.act()
                next_action += ACTION_S
            self.edit()
            n += 1
            ping = time.monotonic()
            self.server.barrier()
            pings.append(time.monotonic() - ping)
            if pings[-1] > lag:
                lag, self.slowest = pings[-1], self.fault
            time.sleep(max(0, started + n / EDITS_A_SECOND - time.monotonic()))
        pings.sort()
        return [pings[len(pings) * k // 1000] * 1000 for k in (500, 990, 999)], lag * 1000

    def heal(self):
        if self.is_stopped:
            self.faults.process.send_signal(signal.SIGCONT)
            self.is_stopped = False
        self.faults.plan()
        end = time.monotonic() + 60
        while time.monotonic() < end:
            self.edit()
            request, (_, word) = next(reversed(self.asked.items()))
            result = self.server.reply(request, 20).get("result")
            if result and any(i["insertText"] == f"({word});" for i in client.items_of(result)):
                return
            time.sleep(0.2)
        self.problems.append("the truth didn't come back within 60 s")

    def run(self, duration):
        self.saw_garbled = False
        self.heal()
        # What it needs once for its faults it may keep: the memory is compared from here on.
        self.type_for(min(60, duration / 4), True)
        self.heal()
        self.settle(20)
        time.sleep(1)
        base = self.spare()
        turns, worst = self.type_for(duration, True)
        self.heal()
        self.settle(20)
        end = time.monotonic() + 10
        while (spare := self.spare())[0] > base[0] and time.monotonic() < end:
            time.sleep(0.2)
        if spare[0] > base[0]:
            self.problems.append(f"descriptors: {base[0]} -> {spare[0]}")
        if spare[1] > base[1] + GROWN_KIB:
            self.problems.append(f"memory: {base[1]} -> {spare[1]} KiB")
        stats = self.server.result("crucible/stats")
        notices = [m["params"]["message"] for m in self.server.received("window/showMessage")]
        log = self.patient.log.read_text(errors="replace")
        if CANARY[:12] in log:
            self.problems.append("the key stands in the log")
        print(", ".join(f"{v} {k}" for k, v in self.counts.items()))
        print(f"own turn {turns[0]:.1f} ms, p99 {turns[1]:.1f}, p99.9 {turns[2]:.1f}, longest {worst:.1f} ({self.slowest})")
        print(f"KiB {base[1]} -> {spare[1]}, descriptors {base[0]} -> {spare[0]}, {len(notices)} notices, "
              f"log {len(log) // 1024} KiB")
        print("upstream:", {k: stats["upstream"][k] for k in ("exchanges", "failed", "cancelled", "retries", "refused",
                                                              "breakerOpened", "late", "active")})

    def close(self):
        if self.server.stop() != 0:
            self.problems.append("the server didn't end with 0")
        self.problems += self.server.verdict()
        self.faults.__exit__()


def main():
    client.BINARY = os.environ.get("CRUCIBLE_LS", client.BINARY)
    duration, seed = seconds(os.environ.get("DURATION", "30m")), int(os.environ.get("SEED", random.randrange(1 << 31)))
    print(f"seed {seed}, {duration} s; left out: {', '.join(UNHEALABLE)}", flush=True)
    with tempfile.TemporaryDirectory(prefix="cr-", dir="/tmp") as folder:
        chaos = Chaos(folder, seed)
        try:
            chaos.run(duration)
        finally:
            chaos.close()
    for text in chaos.problems[:20]:
        print(f"problem: {text[:300]}")
    print(f"{int(not chaos.problems)} passed, {int(bool(chaos.problems))} failed")
    sys.exit(1 if chaos.problems else 0)


if __name__ == "__main__":
    main()
