#!/usr/bin/env python3
"""Makes traces for the typing replay out of recorded typing, and out of source files that it types itself.

    typist.py OUT [DIR] [--edits N] [--seed N]        prints the names of the traces, one a line

Recorded: DIR/*.json.gz of the editing-traces format (traces.py says which), a stretch of N edits from
the middle of each. Where a recording has no clock of milliseconds its gaps are drawn, as for what is
typed here, in runs of 30 from the one that has (so that bursts stay bursts), or, without it, from
that recording's published quantiles.

Typed here: a stretch of a source file, the rest of the file standing around it. The typist makes a
typo in 2 % of the words' letters and notices it up to three keys later; has brackets and quotes
closed by the editor on the same line and types over the closers; gets the indentation of a new line
from the editor; after one line in twelve goes to an earlier one to add or take away something; and
in half of the traces takes suggestions that are right. What comes out is the stretch as it stands in the file.

A trace NAME is NAME.start (the text before) and NAME.steps: "language accepts|types", then one edit
a line, "gap_ms offset removed cursor text": bytes in decimal, the text with backslash, CR and LF
escaped. The same seed gives the same traces."""
import argparse
import datetime
import glob
import gzip
import json
import os
import pathlib
import random
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent.parent
sys.path.insert(0, str(HERE.parent))
from traces import Text, escape  # noqa: E402

TYPO, LINE_JUMP = 0.02, 1 / 12
# (name, language, whether suggestions are taken, places to look for a file; the first that will do)
SOURCES = (("c", "c", False, [ROOT / "core/request/flight.c"]),
           ("c-header", "c", True, ["/usr/include/regex.h", "/usr/include/netdb.h", ROOT / "core/upstream/upstream.h"]),
           ("python", "python", False, ["/usr/lib/python3*/argparse.py", "/usr/lib/python3*/textwrap.py",
                                 ROOT / "tests/engine/simulator.py"]),
           ("javascript", "javascript", True, [ROOT / "editors/vscode/**/*.js", "/usr/share/nodejs/**/lib/*.js",
                                         "/usr/lib/node_modules/npm/lib/**/*.js", "/usr/share/javascript/**/*.js",
                                         "/usr/share/doc/**/*.js"]))
# Gaps between keys of the recording in json-crdt-blog-post, ms, at these shares of all.
QUANTILES = ((0, 20), (0.1, 67), (0.25, 94), (0.5, 149), (0.75, 270), (0.9, 769), (0.97, 3000), (1, 20000))
PAIRS = {"(": ")", "[": "]", '"': '"', "'": "'"}
SKIPS = {"json-crdt-blog-post": 0.45, "rustcode": 0.3, "automerge-paper": 0.4}


class Gaps:
    """Draws pauses in ms."""

    def __init__(self, recorded, rng):
        self.recorded, self.rng, self.left = recorded, rng, []

    def draw(self):
        if not self.recorded:
            roll = self.rng.random()
            for (a, low), (b, high) in zip(QUANTILES, QUANTILES[1:]):
                if roll <= b:
                    return round(low + (high - low) * (roll - a) / (b - a))
        if not self.left:
            at = self.rng.randrange(max(1, len(self.recorded) - 30))
            self.left = self.recorded[at:at + 30]
        return self.left.pop()


class Writer:
    """Applies edits, in code points, and writes them down, in bytes."""

    def __init__(self, start):
        self.text, self.start, self.steps = Text(start), start, []

    def edit(self, gap, pos, removed, inserted, back=0):
        """`back`: how many code points before the end of what was inserted the cursor stands."""
        offset, n_bytes = self.text.edit(pos, removed, inserted)
        cursor = offset + len(inserted[:len(inserted) - back].encode())
        self.steps.append(f"{gap} {offset} {n_bytes} {cursor} {escape(inserted)}")

    def write(self, out, name, head):
        (out / f"{name}.start").write_text(self.start, encoding="utf-8", newline="")
        (out / f"{name}.steps").write_text("\n".join([head, *self.steps]) + "\n", encoding="utf-8", newline="")


def milliseconds(trace):
    """When each transaction was, where the clock is that fine; else nothing."""
    times = []
    for txn in trace["txns"]:
        if "." not in txn.get("time", ""):
            return []
        times.append(datetime.datetime.fromisoformat(txn["time"].replace("Z", "+00:00")).timestamp() * 1000)
    gaps = sorted(b - a for a, b in zip(times, times[1:]))
    return times if gaps and gaps[len(gaps) // 2] >= 20 else []


def recorded(trace, name, n_edits, gaps):
    times = milliseconds(trace)
    edits, before = [], None
    for i, txn in enumerate(trace["txns"]):
        for k, patch in enumerate(txn["patches"]):
            known = max(0, round(times[i] - before)) if times and before is not None else None
            edits.append((0 if k else known, patch))
        before = times[i] if times else None
    first = int(len(edits) * SKIPS.get(name, 0.4))
    text = Text(trace["startContent"])
    for _, (pos, removed, inserted) in edits[:first]:
        text.edit(pos, removed, inserted)
    w = Writer(text.value())
    for gap, (pos, removed, inserted) in edits[first:first + n_edits]:
        w.edit(gaps.draw() if gap is None else gap, pos, removed, inserted)
    return w


class Typist:
    def __init__(self, writer, at, gaps, rng):
        self.w, self.at, self.gaps, self.rng, self.closers = writer, at, gaps, rng, []

    def key(self, text, removed=0, back=0):
        self.w.edit(self.gaps.draw(), self.at, removed, text, back)
        self.at += len(text) - back

    def backspace(self):
        self.at -= 1
        self.w.edit(self.gaps.draw(), self.at, 1, "")

    def typo(self, right):
        """Wrong keys, up to three before it is noticed, taken back."""
        wrong = self.rng.choice("abcdefghijklmnopqrstuvwxyz;.")
        n = 1 + self.rng.randrange(3)
        for letter in (wrong + right)[:n]:
            self.key(letter)
        for _ in range(min(n, len(wrong + right))):
            self.backspace()

    def visit(self, top):
        """Adds a word at the end of an earlier line that was typed, or takes it away again, and comes back."""
        home, text = self.at, self.w.text
        text.move(home)
        typed = "".join(text.left)
        ends = [i for i in range(top, home - 1) if typed[i] == "\n"]
        if not ends:
            return
        self.at = self.rng.choice(ends[-20:])
        word = self.rng.choice([" checked", ", too", " again", " x"])
        for letter in word:
            self.key(letter)
        for _ in word:
            self.backspace()
        self.at = home

    def type(self, stretch):
        top, i = self.at, 0
        while i < len(stretch):
            c = stretch[i]
            if c == "\n":
                n = 1
                while i + n < len(stretch) and stretch[i + n] in " \t":
                    n += 1
                self.key(stretch[i:i + n])
                self.closers = []
                i += n
                if self.rng.random() < LINE_JUMP:
                    self.visit(top)
                continue
            if c.isalpha() and self.rng.random() < TYPO:
                self.typo(stretch[i:i + 3].split("\n")[0])
            i += 1
            if self.closers and self.closers[-1] == (c, i):
                self.closers.pop()
                self.key(c, 1)
                continue
            end = self.closing(stretch, i - 1)
            if end:
                self.closers.append((PAIRS[c], end))
                self.key(c + PAIRS[c], 0, 1)
            else:
                self.key(c)

    def closing(self, stretch, at):
        """Where the closer of the opener at `at` has been passed, on the same line and nested well; else 0."""
        want, depth = PAIRS.get(stretch[at]), 0
        if not want or (self.closers and self.closers[-1][0] in "\"'"):
            return 0
        for k in range(at + 1, len(stretch)):
            c = stretch[k]
            if c == "\n" or (self.closers and k + 1 >= self.closers[-1][1]):
                return 0
            if c == want and depth == 0:
                return k + 1
            depth += (c == stretch[at]) - (c == want)
        return 0


def is_typeable(text, least):
    """Long enough, no lines that a program wrote, no control characters: nobody types those, and no model may."""
    return (len(text) >= least and max(map(len, text.split("\n"))) < 200
            and all(c.isprintable() or c in "\n\t" for c in text))


def find_source(patterns, least):
    for pattern in patterns:
        for path in sorted(glob.glob(str(pattern), recursive=True)):
            try:
                text = pathlib.Path(path).read_text(encoding="utf-8").replace("\r\n", "\n")
            except (OSError, UnicodeDecodeError):
                continue
            if is_typeable(text, least):
                return path, text
    return None, ""


def typed(source, n_edits, gaps, rng):
    n = int(n_edits * 0.85)  # typos and visits make up the rest
    start = source.index("\n", len(source) // 3 if len(source) > 3 * n else max(0, (len(source) - n) // 2)) + 1
    stretch = source[start:start + n]
    stretch = stretch[:stretch.rindex("\n")]
    w = Writer(source[:start] + source[start + len(stretch):])
    Typist(w, start, gaps, rng).type(stretch)
    if w.text.value() != source:
        sys.exit("typist.py: the edits don't lead to the text that they should")
    return w


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("dir", nargs="?")
    parser.add_argument("--edits", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=1)
    o = parser.parse_args()
    o.out.mkdir(parents=True, exist_ok=True)
    traces = {}
    for path in sorted(glob.glob(os.path.join(o.dir, "*.json.gz"))) if o.dir else []:
        with gzip.open(path, "rt", encoding="utf-8") as file:
            traces[os.path.basename(path)[:-len(".json.gz")]] = json.load(file)
    clock = next((times for times in map(milliseconds, traces.values()) if times), [])
    known = [max(0, round(b - a)) for a, b in zip(clock, clock[1:])]
    for name, trace in traces.items():
        gaps = Gaps(known, random.Random(o.seed))
        language = "rust" if "rust" in name else "latex" if "paper" in name else "markdown"
        recorded(trace, name, o.edits, gaps).write(o.out, name, f"{language} types")
        print(name)
    for name, language, accepts, patterns in SOURCES:
        path, source = find_source(patterns, o.edits)
        if path is None:
            print(f"typist.py: no file to type for {name}", file=sys.stderr)
            continue
        rng = random.Random(f"{o.seed} {name}")
        typed(source, o.edits, Gaps(known, rng), rng).write(o.out, name, f"{language} {'accepts' if accepts else 'types'}")
        print(name)
        print(f"typist.py: {name} is {path}", file=sys.stderr)


if __name__ == "__main__":
    main()
