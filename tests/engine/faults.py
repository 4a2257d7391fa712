"""faults.py - the fault server (faults/*.c) for tests: built when needed, started, scripted, asked for figures.

    with Faults("llamacpp", text="count;") as server:
        server.plan(cut=137, how="rst")        # the words of faults/plan.h; several plans in a row: plans({...}, {...})
        server.figures()["generations"]"""
import json
import os
import pathlib
import random
import socket
import subprocess
import tempfile
import time
import urllib.parse

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SOURCES = sorted(p for p in (HERE / "faults").glob("*.[ch]") if p.name != "names.c")


def make(out, sources, *flags):
    """Compiles where something is newer. Several may do so at once: each makes its own and puts it in place."""
    if out.exists() and all(out.stat().st_mtime >= s.stat().st_mtime for s in sources):
        return out
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent) as folder:
        made = pathlib.Path(folder) / "made"
        subprocess.run([os.environ.get("CC", "cc"), "-std=c11", "-D_GNU_SOURCE", "-O2", "-Wall", "-Wextra", "-o", made,
                        *[s for s in sources if s.suffix == ".c"], *flags], check=True)
        os.replace(made, out)
    return out


def build():
    """The program's path."""
    return make(ROOT / "build/tests/engine/faults", SOURCES)


def build_names():
    """The library whose getaddrinfo fails, to be preloaded."""
    return make(ROOT / "build/tests/engine/names.so", [HERE / "faults/names.c"], "-shared", "-fPIC", "-ldl")


def encoded(words):
    lines = []
    for word, value in words.items():
        if value is None or value is False:
            continue
        data = value if isinstance(value, bytes) else str(int(value) if value is True else value).encode()
        lines.append(word.encode() + b"=" + urllib.parse.quote_from_bytes(data, safe=" {}[]\":,;()").encode())
    return b"\n".join(lines) + b"\n"


class Faults:
    def __init__(self, kind="llamacpp", port=0, seed=None, **base):
        self.kind, self.port, self.base = kind, port, base  # base: words of every plan for generations
        self.seed = seed if seed is not None else int(os.environ.get("SEED", random.randrange(1 << 31)))
        self.process, self.control = None, None

    def __enter__(self):
        command = [build(), "--kind", self.kind, "--port", str(self.port), "--seed", str(self.seed)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        line = self.process.stdout.readline().decode()
        print(line, end="")
        self.port = int(line.split()[2])
        self.plan()
        return self

    def __exit__(self, *_):
        if self.control:
            self.control.close()
        self.process.stdin.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def plan(self, **words):
        return self.plans(words)

    def plans(self, *plans):
        body = b"\n".join(encoded({**({} if p.get("for") == "probe" else self.base), **p}) or b"\n" for p in plans)
        return self._ask(body or b"\n")

    def figures(self):
        return self._ask(b"")

    def _ask(self, body):
        if not self.control:
            self.control = socket.create_connection(("127.0.0.1", self.port), 10)
        self.control.sendall(b"POST /_faults HTTP/1.1\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        data = b""
        while True:
            head, mark, rest = data.partition(b"\r\n\r\n")
            if mark and len(rest) >= int(head.rsplit(b"Content-Length: ", 1)[1]):
                break
            block = self.control.recv(65536)
            assert block, "the fault server has gone"
            data += block
        figures = json.loads(rest)
        assert not figures["bad"], figures["bad"]
        return figures

    def wait(self, condition, timeout=5.0):
        end = time.monotonic() + timeout
        while not condition():
            if time.monotonic() > end:
                return False
            time.sleep(0.005)
        return True
