#!/usr/bin/env python3
"""run.py - what the way to a model server costs, and what it gives when servers break, in one table.

usage: tests/run BUILD reach            (make bench-upstream)

First beside libcurl alone (upstream.c), where nothing breaks. Then a whole server between an editor and two
model servers of which one, or both, reset 30 %, stall 10 % and refuse 10 % of what they are asked: how many
requests are answered in their time, how many with text, and how often the servers were asked for it.
Exit status 1 where something couldn't be measured or a request stayed without a reply, not where a goal is missed.

N=200     actions, and four times as many suggestions, of each run          SEED=...     of the faults"""
import contextlib
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
sys.path[:0] = [str(ROOT / "tests/engine"), str(ROOT / "tests/lsp")]

import client  # noqa: E402
from faults import Faults  # noqa: E402
from faulty import BODY, FENCED, REPORT, TEXT  # noqa: E402

N = int(os.environ.get("N", "200"))
SEED = int(os.environ.get("SEED", random.randrange(1 << 31)))
AT_ONCE = 8
GAP_S = 0.03  # between two suggestions: what is asked of a server that is left alone for a moment costs no time at all
MIX = {"mix_rst": 300, "mix_stall": 100, "mix_busy": 100}
INLINE_MS, ACTION_MS = 5000, 120_000  # how long an editor waits at the most
MIDWAY = ("in the middle of its answer", "text stopped coming", "broke off", "wasn't complete")
rows, problems = [], []


def row(label, figure, beside="", goal="", is_met=None):
    rows.append((label, figure, beside, goal, "" if is_met is None else "pass" if is_met else "SHORT"))


# -- beside libcurl --

def measured(reach, *args):
    done = subprocess.run([reach, *map(str, args)], capture_output=True, text=True, timeout=300, check=False)
    if done.returncode != 0:
        problems.append(f"upstream {args[0]}: {done.stderr.strip()}")
        return {}
    figures = {name: int(value) for name, value in (line.split() for line in done.stdout.splitlines())}
    if figures["failed"]:
        problems.append(f"upstream {args[0]}: {figures['failed']} requests failed")
    return figures


def beside_libcurl(reach):
    with Faults(text=TEXT, seed=SEED) as server:
        for label, plan, n in (("an instant answer", {}, 5000), ("an answer after 1 ms", {"delay_ms": 1}, 1000)):
            server.plan(**plan)
            f = measured(reach, "one", n, server.port)
            if f:
                ours, plain = f["ours_us"], f["plain_us"]
                row(f"{label}, one connection: median", f"{ours} us", f"{plain} us",
                    "<= 1.15x of libcurl easy", ours <= 1.15 * plain)
                row("  99th percentile", f"{f['ours_p99_us']} us", f"{f['plain_p99_us']} us")
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(Faults(stamps=50, token_ms=20, seed=SEED)) for _ in range(10)]
        f = measured(reach, "many", 5, *[s.port for s in servers])
        if f:
            added = f["ours_p99_us"] - f["plain_p99_us"]
            row("10 servers x 10 streams at once: age of a token, median", f"{f['ours_p50_us']} us",
                f"{f['plain_p50_us']} us")
            row("  99th percentile", f"{f['ours_p99_us']} us", f"{f['plain_p99_us']} us", "<= libcurl multi + 1000 us",
                added <= 1000)


# -- with faults --

class Editor:
    def __init__(self, binary, folder, servers):
        self.folder = pathlib.Path(tempfile.mkdtemp(dir=folder))
        for name in ("config/crucible", "cache", "state", "data", "run", "work"):
            (self.folder / name).mkdir(parents=True)
        (self.folder / "run").chmod(0o700)
        names = [f"{chr(97 + i)}/tinycode" for i in range(len(servers))]
        config = {"endpoints": [{"name": chr(97 + i), "kind": "llamacpp", "url": s.url} for i, s in enumerate(servers)],
                  "models": {"inline": names, "chat": names}, "cache": {"disk": False}}
        path = self.folder / "config/crucible/config.json"
        path.write_text(json.dumps(config))
        path.chmod(0o600)
        env = {k: v for k, v in os.environ.items() if k in ("PATH", "LANG")}
        env.update({f"XDG_{k}": str(self.folder / v) for k, v in (
            ("CONFIG_HOME", "config"), ("CACHE_HOME", "cache"), ("STATE_HOME", "state"), ("DATA_HOME", "data"),
            ("RUNTIME_DIR", "run"))}, HOME=str(self.folder))
        client.BINARY = binary
        self.server, self.n, self.servers = client.Server(env, self.folder / "work"), 0, servers
        params = client.initialize_params()
        params["capabilities"]["textDocument"]["codeAction"] = {
            "dataSupport": True, "resolveSupport": {"properties": ["edit"]},
            "codeActionLiteralSupport": {"codeActionKind": {"valueSet": ["", "quickfix", "refactor"]}}}
        self.server.initialize(params)
        self.server.wait(lambda: True)
        end = time.monotonic() + 10
        while not all(e["state"] == "ready" for e in self.server.result("crucible/stats")["endpoints"]
                      if e["kind"] == "llamacpp"):
            if time.monotonic() > end:
                sys.exit("run.py: the servers aren't ready")
            time.sleep(0.05)

    def ask_inline(self, lane):
        self.n += 1
        uri, text = f"file:///w/type{lane}.c", f"int f(int count)\n{{\n    int total_{self.n} = \n}}\n"
        self.server.open(uri, text)
        request = self.server.ask_inline(uri, 2, len(text.split("\n")[2]))
        return uri, request

    def ask_action(self, lane):
        self.n += 1
        uri = f"file:///w/act{lane}.c"
        # what stands below is shown to the model, so that no two questions are the same
        self.server.open(uri, BODY.replace("sum(0, 0)", f"sum(0, {self.n})"))
        actions = self.server.result("textDocument/codeAction", {
            "textDocument": {"uri": uri}, "range": client.span(4, 10, 4, 10),
            "context": {"diagnostics": REPORT, "triggerKind": 1}})
        return uri, self.server.request("codeAction/resolve", next(a for a in actions if a["title"].startswith("Fix")))

    def accept(self, replies):
        """As a person who likes them all: else suggestions are held back as unwanted."""
        result = replies[0].get("result") if replies else None
        for item in (result.get("items") or [])[:1] if isinstance(result, dict) else []:
            self.server.request("workspace/executeCommand", item["command"])

    def asked(self):
        return sum(s.figures()["generations"] for s in self.servers)

    def run(self, begin, n, most_ms, gap_s=0.0):
        """n requests, some at once: a record of each."""
        open_, done, left = {}, [], n
        while left or open_:
            for lane in range(AT_ONCE):
                if left and lane not in open_:
                    time.sleep(gap_s)
                    uri, request = begin(lane)
                    open_[lane] = (uri, request, time.monotonic())
                    left -= 1
            self.server.wait(lambda: any(self.server.replies(r) for _, r, _ in open_.values()) or any(
                time.monotonic() - at > most_ms / 1000 + 5 for _, _, at in open_.values()), most_ms / 1000 + 10)
            for lane, (uri, request, at) in list(open_.items()):
                replies = self.server.replies(request)
                if replies or time.monotonic() - at > most_ms / 1000 + 5:
                    took = (self.server.reply_time(request) - at) * 1000 if replies else float("inf")
                    done.append((took, replies[0] if replies else None))
                    self.accept(replies)
                    self.server.notify("textDocument/didClose", {"textDocument": {"uri": uri}})
                    del open_[lane]
        self.server.barrier()
        if any(len(self.server.replies(r)) != 1 for r in range(1, self.server.n_ids + 1)):
            problems.append("a request was answered not at all or twice")
        return done

    def close(self):
        if self.server.stop() != 0:
            problems.append("the server didn't end with 0")
        problems.extend(self.server.verdict()[:3])


def judge(done, most_ms):
    """(answered in time, with text, cut midway, longest ms)"""
    in_time = sum(took <= most_ms for took, _ in done)
    text = midway = 0
    for _, message in done:
        result = (message or {}).get("result")
        has_text = isinstance(result, dict) and (bool(result.get("items")) or "edit" in result)
        text += has_text
        why = (message or {}).get("error", {}).get("message", "")
        midway += not has_text and any(word in why for word in MIDWAY)
    return in_time, text, midway, max(took for took, _ in done)


def with_faults(binary, folder, label, mixes, clean):
    """One run; `clean` is how often the servers are asked where nothing breaks: {} to find out."""
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(Faults(seed=SEED + i)) for i in range(len(mixes))]
        editor = Editor(binary, folder, servers)
        for s, mix in zip(servers, mixes):
            s.plan(text=TEXT, **mix)
        editor.run(editor.ask_inline, 20, INLINE_MS)
        for kind, begin, n, most_ms, text in (("suggestions", editor.ask_inline, 4 * N, INLINE_MS, TEXT),
                                              ("actions", editor.ask_action, N, ACTION_MS, FENCED)):
            for s, mix in zip(servers, mixes):
                s.plan(text=text, **mix)
            before = editor.asked()
            done = editor.run(begin, n, most_ms, GAP_S if kind == "suggestions" else 0)
            load = editor.asked() - before
            in_time, with_text, midway, longest = judge(done, most_ms + 250)
            row(f"{label}: {kind} answered in time", f"{in_time} of {n}", "", "all", in_time == n)
            rate, whole = with_text / n, (with_text + midway) / n
            is_goal = any(mixes) and not all(mixes) and kind == "actions"
            row("  with text", f"{rate:.1%}", f"{whole:.1%} with those cut midway",
                ">= 99 %, cut ones apart" if is_goal else "", whole >= 0.99 if is_goal else None)
            row("  longest", f"{longest:.0f} ms")
            most = 1.10 if kind == "suggestions" else 1.20
            if clean.get(kind):
                row("  requests to the servers", f"{load}", f"{load / clean[kind]:.2f}x of no faults", f"<= {most}x",
                    load <= most * clean[kind])
            else:
                clean[kind] = load
                row("  requests to the servers", f"{load}")
        stats = editor.server.result("crucible/stats")
        counts = stats["engine"].get("failedOver", "-"), stats["upstream"]["retries"], stats["upstream"]["breakerOpened"]
        row("  failed over / retried / breaker opened", " / ".join(map(str, counts)))
        editor.close()


def main():
    binary, reach = (os.path.abspath(a) for a in sys.argv[1:3])
    print(f"seed {SEED}, {os.cpu_count()} CPUs", flush=True)
    with tempfile.TemporaryDirectory(prefix="cr-", dir="/tmp") as folder, contextlib.redirect_stdout(sys.stderr):
        clean = {}
        beside_libcurl(reach)
        with_faults(binary, folder, "no faults, two servers", [{}, {}], clean)
        with_faults(binary, folder, "one of two servers breaks", [MIX, {}], clean)
        with_faults(binary, folder, "both servers break", [MIX, MIX], clean)
    head = ("measure", "crucible", "beside", "goal", "")
    widths = [max(len(r[i]) for r in [head, *rows]) for i in range(5)]
    for r in [head, *rows]:
        print("  ".join(c.ljust(w) for c, w in zip(r, widths)).rstrip())
    for text in problems:
        print(f"problem: {text}")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
