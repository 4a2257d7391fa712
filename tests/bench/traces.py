#!/usr/bin/env python3
"""Makes edit scripts for bench_document out of recorded typing, or out of typing that it invents.

    traces.py OUT DIR       one trace for each DIR/*.json.gz of the editing-traces format:
                            {startContent, endContent, txns: [{patches: [[pos, del, text]]}]},
                            positions and removals in code points
    traces.py OUT           one trace for each SOURCES below, typed from nothing with typos,
                            backspaces and jumps; the same for the same SEED (environment)

A trace NAME is three files in OUT: NAME.start and NAME.end hold the text before and after, and
NAME.edits one edit a line, "offset removed text": bytes in decimal, the text with backslash, CR
and LF escaped. Nothing but the standard library is needed.
"""

import glob
import gzip
import json
import os
import random
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SOURCES = ("core/document/document.c", "core/base/json.h", "core/base/str.c")
REPEATS = 12  # an invented trace types its source so many times


class Text:
    """Code points around a cursor, with the bytes before it: moving costs the distance."""

    def __init__(self, text):
        self.left = []
        self.right = list(reversed(text))
        self.left_bytes = 0

    def move(self, pos):
        by = pos - len(self.left)
        if by > 0:
            moved = self.right[-by:][::-1]
            del self.right[-by:]
            self.left += moved
            self.left_bytes += len("".join(moved).encode())
        elif by < 0:
            moved = self.left[by:][::-1]
            del self.left[by:]
            self.right += moved
            self.left_bytes -= len("".join(moved).encode())

    def edit(self, pos, removed, text):
        """Replaces code points; returns the offset and the length of the removal in bytes."""
        self.move(pos)
        n_removed = 0
        if removed:
            n_removed = len("".join(self.right[-removed:]).encode())
            del self.right[-removed:]
        offset = self.left_bytes
        self.left += text
        self.left_bytes += len(text.encode())
        return offset, n_removed

    def value(self):
        return "".join(self.left) + "".join(reversed(self.right))


def escape(text):
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")


def write(out, name, start, end, patches):
    base = os.path.join(out, name)
    text = Text(start)
    with open(base + ".edits", "w", encoding="utf-8", newline="") as edits:
        for pos, removed, inserted in patches:
            offset, n_bytes = text.edit(pos, removed, inserted)
            edits.write(f"{offset} {n_bytes} {escape(inserted)}\n")
    if text.value() != end:
        sys.exit(f"traces.py: {name}: the edits don't lead to the text that they should")
    for suffix, content in ((".start", start), (".end", end)):
        with open(base + suffix, "w", encoding="utf-8", newline="") as file:
            file.write(content)


def recorded(path):
    with gzip.open(path, "rt", encoding="utf-8") as file:
        trace = json.load(file)
    patches = (patch for txn in trace["txns"] for patch in txn["patches"])
    return trace["startContent"], trace["endContent"], patches


def invented(source, rng):
    """Types `source` with typos that are taken back, and with jumps to earlier lines."""
    text, patches = [], []

    def edit(pos, removed, inserted):
        patches.append((pos, removed, inserted))
        text[pos:pos + removed] = inserted

    for char in source * REPEATS:
        roll = rng.random()
        if roll < 0.04:  # a typo, noticed a few keys later
            wrong = "".join(rng.choice("abcdefgh ;)€") for _ in range(rng.randint(1, 3)))
            for typed in wrong:
                edit(len(text), 0, typed)
            for _ in wrong:
                edit(len(text) - 1, 1, "")
        elif roll < 0.045 and text:  # something further up is changed and changed back
            pos = rng.randrange(len(text))
            edit(pos, 0, "x\n")
            edit(pos, 2, "")
        edit(len(text), 0, char)
    return "", "".join(text), patches


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    out = sys.argv[1]
    os.makedirs(out, exist_ok=True)
    if len(sys.argv) == 3:
        for path in sorted(glob.glob(os.path.join(sys.argv[2], "*.json.gz"))):
            write(out, os.path.basename(path)[:-len(".json.gz")], *recorded(path))
        return
    rng = random.Random(int(os.environ.get("SEED", "1")))
    for source in SOURCES:
        with open(os.path.join(ROOT, source), encoding="utf-8") as file:
            write(out, os.path.basename(source), *invented(file.read(), rng))


if __name__ == "__main__":
    main()
