"""client.py - an editor made of bytes: starts the server, writes anything, reads strictly.

Everything that the server writes is recorded and judged at the end of the test (see verdict):
stdout holds frames alone, every message has the form that the protocol gives it, every request got
exactly one reply."""
import contextlib
import importlib.util
import json
import os
import pathlib
import random
import subprocess
import threading
import time

from lsprotocol import converters, types

ROOT = pathlib.Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared"  # the protocol's own description, where it is there
BINARY = os.environ.get("CRUCIBLE_LS", str(ROOT / "build" / "crucible-ls"))
# Sanitizers slow the server down; what is measured is scaled, what is decided is not.
IS_SANITIZED = "asan" in BINARY or "tsan" in BINARY
SLOWNESS = 6 if "tsan" in BINARY else 4 if "asan" in BINARY else 1

PARSE_ERROR, INVALID_REQUEST, METHOD_NOT_FOUND, INVALID_PARAMS = -32700, -32600, -32601, -32602
NOT_INITIALIZED, REQUEST_CANCELLED = -32002, -32800

_converter = converters.get_converter()


def frame(message):
    body = message if isinstance(message, bytes) else json.dumps(message, ensure_ascii=False).encode()
    return b"Content-Length: %d\r\n\r\n%s" % (len(body), body)


def _metamodel():
    script, model = SHARED / "lsp" / "validate.py", SHARED / "lsp" / "metaModel.json"
    if not script.exists() or not model.exists():
        return None
    spec = importlib.util.spec_from_file_location("validate", script)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module, module.MM(str(model))


METAMODEL = _metamodel()


class Server:
    """One running server. `writer`: how bytes reach it: "whole", "bytes" (one by one), "stalls"."""

    def __init__(self, env, cwd, args=(), writer="whole", stderr_path=None):
        self.stderr_path = stderr_path or pathlib.Path(cwd) / "stderr.txt"
        self.stderr = open(self.stderr_path, "wb")
        self.process = subprocess.Popen([BINARY, *args], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=self.stderr, env=env, cwd=cwd)
        self.held = None  # frames of a burst
        self.writer, self.random = writer, random.Random(int(os.environ.get("SEED", "1")))
        self.log, self.garbage, self.messages = [], b"", []
        self.by_id = {}             # replies, with when they came
        self.is_lawless = False     # the test breaks the protocol itself: judge single messages only
        self.expected_code = 0      # of the process, after the fixture's shutdown and exit
        self.n_ids, self.methods = 0, {}
        self.changed, self.may_read = threading.Condition(), threading.Event()
        self.may_read.set()
        self.answers = {"workspace/configuration": lambda p: [None] * len(p["items"]),
                        "workspace/applyEdit": lambda p: {"applied": True},
                        "window/showDocument": lambda p: {"success": True}}
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    # -- reading --
    def _read(self):
        pending = b""
        fd = self.process.stdout.fileno()
        while True:
            self.may_read.wait()
            try:
                data = os.read(fd, 1 << 16)
            except OSError:
                break
            if not data:
                break
            pending = self._parse(pending + data)
        with self.changed:
            self.garbage += pending
            self.changed.notify_all()

    def _parse(self, data):
        while True:
            head, mark, rest = data.partition(b"\r\n\r\n")
            if not mark:
                return data
            lines = head.split(b"\r\n")
            length = None
            for line in lines:
                name, _, value = line.partition(b": ")
                if name == b"Content-Length" and value.isdigit():
                    length = int(value)
                elif name != b"Content-Type":
                    self.garbage += line
            if length is None:
                return data
            if len(rest) < length:
                return data
            self._take(rest[:length])
            data = rest[length:]

    def _take(self, body):
        try:
            message = json.loads(body.decode("utf-8"))
        except ValueError:
            self.garbage += body
            return
        with self.changed:
            self.messages.append((time.monotonic(), message))
            if "method" not in message:
                self.by_id.setdefault(self.key(message.get("id")), []).append(self.messages[-1])
            self.log.append({"dir": "s2c", "msg": message})
            self.changed.notify_all()
        if "method" in message and "id" in message:
            self._answer(message)

    def _answer(self, message):
        handler = self.answers.get(message["method"], lambda p: None)
        result = handler(message.get("params"))
        if result is not NO_ANSWER:
            self.send({"jsonrpc": "2.0", "id": message["id"], "result": result})

    # -- writing --
    def send_raw(self, data):
        fd = self.process.stdin.fileno()
        if self.writer == "whole":
            self._write(fd, data)
            return
        start = 0
        while start < len(data):
            size = 1 if self.writer == "bytes" else self.random.randint(1, 40)
            self._write(fd, data[start:start + size])
            start += size
            if self.writer == "stalls" and self.random.random() < 0.2:
                time.sleep(self.random.random() * 0.004)

    @staticmethod
    def _write(fd, data):
        view = memoryview(data)
        while view:
            view = view[os.write(fd, view):]

    def send(self, message):
        with self.changed:
            self.log.append({"dir": "c2s", "msg": message})
        if self.held is None:
            self.send_raw(frame(message))
        else:
            self.held.append(frame(message))

    @contextlib.contextmanager
    def burst(self):
        """What is sent meanwhile goes out at its end, in one piece: no time passes between two messages."""
        self.held = []
        try:
            yield
        finally:
            held, self.held = self.held, None
            self.send_raw(b"".join(held))

    def notify(self, method, params=None):
        message = {"jsonrpc": "2.0", "method": method}
        if params is not None:
            message["params"] = params
        self.send(message)

    def request(self, method, params=None, id=None):
        """Sends it and gives its id."""
        self.n_ids += 1
        message = {"jsonrpc": "2.0", "id": self.n_ids if id is None else id, "method": method}
        if params is not None:
            message["params"] = params
        self.methods[self.key(message["id"])] = method
        self.send(message)
        return message["id"]

    @staticmethod
    def key(id):
        return (type(id).__name__, id if isinstance(id, (str, int)) else repr(id))

    # -- waiting --
    def wait(self, condition, timeout=10.0, what="a message"):
        end = time.monotonic() + timeout
        with self.changed:
            while True:
                found = condition()
                if found:
                    return found
                left = end - time.monotonic()
                assert left > 0, f"waited {timeout} s for {what}; got {self.summary()}"
                self.changed.wait(min(left, 0.2))

    def summary(self):
        last = [json.dumps(m)[:160] for _, m in self.messages[-6:]]
        return f"exit={self.process.poll()} stderr={self.stderr_text()[-300:]!r} last messages: {last}"

    def replies(self, id):
        return [m for _, m in self.by_id.get(self.key(id), [])]

    def reply(self, id, timeout=10.0):
        return self.wait(lambda: self.replies(id), timeout, f"a reply to {id!r}")[0]

    def reply_time(self, id):
        return self.by_id[self.key(id)][0][0]

    def call(self, method, params=None, timeout=10.0):
        return self.reply(self.request(method, params), timeout)

    def result(self, method, params=None, timeout=10.0):
        message = self.call(method, params, timeout)
        assert "result" in message, message
        return message["result"]

    def received(self, method):
        return [m for _, m in self.messages if m.get("method") == method]

    def wait_for(self, method, timeout=10.0, where=lambda params: True):
        def found():
            return [m for m in self.received(method) if where(m.get("params"))]
        return self.wait(found, timeout, method)[0]

    def barrier(self, timeout=10.0):
        """When this returns, everything sent before has been read by the server."""
        message = self.call("crucible/nothing", timeout=timeout)
        assert message.get("error", {}).get("code") in (METHOD_NOT_FOUND, NOT_INITIALIZED, INVALID_REQUEST), message

    # -- everyday life --
    def initialize(self, params=None, **more):
        self.capabilities = self.result("initialize", {**(params or initialize_params()), **more},
                                        20)["capabilities"]
        self.notify("initialized", {})
        return self.capabilities

    def open(self, uri, text, language="c", version=1):
        self.notify("textDocument/didOpen", {"textDocument": {
            "uri": uri, "languageId": language, "version": version, "text": text}})

    def change(self, uri, version, *changes):
        """Each change: (start line, start character, end line, end character, text), or a text."""
        self.notify("textDocument/didChange", {
            "textDocument": {"uri": uri, "version": version},
            "contentChanges": [{"text": c} if isinstance(c, str) else
                               {"range": span(*c[:4]), "text": c[4]} for c in changes]})

    def ask_inline(self, uri, line, character, trigger=2, **context):
        return self.request("textDocument/inlineCompletion", {
            "textDocument": {"uri": uri}, "position": {"line": line, "character": character},
            "context": {"triggerKind": trigger, **context}})

    def inline(self, uri, line, character, trigger=2, timeout=10.0, **context):
        """The items of one inline completion."""
        message = self.reply(self.ask_inline(uri, line, character, trigger, **context), timeout)
        assert "result" in message, message
        return items_of(message["result"])

    # -- the end --
    def stderr_text(self):
        return pathlib.Path(self.stderr_path).read_text(encoding="utf-8", errors="replace")

    def wait_exit(self, timeout=5.0):
        code = self.process.wait(timeout * SLOWNESS)
        self.reader.join(5)
        return code

    def close_stdin(self):
        self.process.stdin.close()

    def stop(self):
        """The orderly end; gives the exit code. A process that has ended already is left as it is."""
        if self.process.poll() is None and not self.process.stdin.closed:
            try:
                self.call("shutdown", timeout=15)
                self.notify("exit")
            except BrokenPipeError:
                pass
        try:
            return self.wait_exit()
        finally:
            self.kill()

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.may_read.set()
        self.reader.join(5)
        for stream in (self.process.stdin, self.process.stdout, self.stderr):
            try:
                stream.close()
            except OSError:
                pass

    def verdict(self):
        """What is wrong with what the server has written, as a list of texts."""
        problems = [f"stdout holds {self.garbage[:200]!r}"] if self.garbage else []
        text = self.stderr_text()
        for word in ("ERROR: AddressSanitizer", "ERROR: LeakSanitizer", "runtime error:", "WARNING: ThreadSanitizer",
                     "assertion", "Assertion"):
            if word in text:
                problems.append(f"stderr: {text[max(0, text.index(word) - 200):][:3000]}")
        for _, message in self.messages:
            problems += self._judge(message)
        if METAMODEL and not self.is_lawless:
            problems += METAMODEL[0].check_log(METAMODEL[1], [json.dumps(e) for e in self.log])[0]
        return problems

    def _judge(self, message):
        """One message against lsprotocol's types and, where it is there, the metamodel."""
        method = message.get("method")
        asked = self.methods.get(self.key(message.get("id"))) if method is None else None
        if message.get("jsonrpc") != "2.0":
            return [f"no JSON-RPC 2.0: {message!r:.200}"]
        if method is None and "error" in message:
            error = message["error"]
            good = isinstance(error.get("code"), int) and isinstance(error.get("message"), str)
            return [] if good and "result" not in message else [f"malformed error: {message!r:.200}"]
        name = method or asked
        if name is None or name.startswith("crucible/") or name not in types.METHOD_TO_TYPES:
            return []
        request, response, _, _ = types.METHOD_TO_TYPES[name]
        try:
            _converter.structure(message, response if method is None else request)
        except Exception as e:  # cattrs raises groups of many kinds
            return [f"{name}: {e!r:.300} in {message!r:.300}"]
        if not METAMODEL or name.startswith("$/"):
            return []
        check = METAMODEL[1].result(name, message["result"]) if method is None else \
            METAMODEL[1].params(name, message.get("params"))
        return [f"{name}: {p}" for p in check]


NO_ANSWER = object()


def span(line, character, end_line, end_character):
    return {"start": {"line": line, "character": character}, "end": {"line": end_line, "character": end_character}}


def items_of(result):
    return [] if result is None else result["items"] if isinstance(result, dict) else result


def initialize_params(encodings=("utf-8", "utf-16"), inline=True, **more):
    capabilities = {
        "general": {"positionEncodings": list(encodings)} if encodings else {},
        "workspace": {"configuration": False, "applyEdit": True, "workspaceFolders": True,
                      "workspaceEdit": {"documentChanges": True}},
        "textDocument": {"synchronization": {"didSave": True},
                         "completion": {"completionItem": {"snippetSupport": False}, "contextSupport": True}},
        "window": {"workDoneProgress": True, "showMessage": {"messageActionItem": {"additionalPropertiesSupport": False}},
                   "showDocument": {"support": True}},
    }
    if inline:
        capabilities["textDocument"]["inlineCompletion"] = {"dynamicRegistration": False}
    return {"processId": os.getpid(), "clientInfo": {"name": "pytest", "version": "1"}, "rootUri": None,
            "workspaceFolders": None, "capabilities": capabilities, **more}


# -- text as an editor sees it --
def units(text, encoding):
    if encoding == "utf-8":
        return len(text.encode("utf-8"))
    if encoding == "utf-32":
        return len(text)
    return len(text.encode("utf-16-le")) // 2


def line_starts(text):
    """Offsets (code points) of the lines of `text`; line ends are \\n, \\r\\n and \\r."""
    starts, i = [0], 0
    while i < len(text):
        if text[i] == "\r":
            i += 2 if text[i + 1:i + 2] == "\n" else 1
            starts.append(i)
        else:
            i += 1
            if text[i - 1] == "\n":
                starts.append(i)
    return starts


def position_of(text, offset, encoding):
    starts = line_starts(text)
    line = max(i for i, s in enumerate(starts) if s <= offset)
    return line, units(text[starts[line]:offset], encoding)


def offset_of(text, position, encoding):
    starts = line_starts(text)
    offset = starts[position["line"]]
    while units(text[starts[position["line"]]:offset], encoding) < position["character"]:
        offset += 1
    return offset


def applied(text, item, encoding="utf-8"):
    """`text` after the item has been accepted."""
    start = offset_of(text, item["range"]["start"], encoding)
    end = offset_of(text, item["range"]["end"], encoding)
    return text[:start] + item["insertText"] + text[end:]
