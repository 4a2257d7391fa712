"""fake_server.py - a scripted language server on TCP that keeps to what editor plugins are told, until the real one does."""
import json
import socket
import threading
import time


class FakeServer:
    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.log, self.text, self.piece_s, self.pieces = [], "", 0.02, 10
        self.cancelled, self.docs, self.n, self.peer = set(), {}, 0, None
        self.lock = threading.Lock()
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                self.peer, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.read, args=(self.peer,), daemon=True).start()

    def read(self, peer):
        file = peer.makefile("rb")
        while True:
            length = None
            while (line := file.readline()) not in (b"\r\n", b""):
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            if length is None:
                return
            message = json.loads(file.read(length))
            self.log.append(message)
            self.on(message)

    def send(self, **message):
        data = json.dumps({"jsonrpc": "2.0", **message}).encode()
        with self.lock:
            try:
                self.peer.sendall(b"Content-Length: %d\r\n\r\n%s" % (len(data), data))
            except OSError:
                pass

    def received(self, method):
        return [m["params"] for m in self.log if m.get("method") == method]

    def on(self, m):
        method, params, id = m.get("method"), m.get("params"), m.get("id")
        if method == "initialize":
            names = ["explain", "fix", "document", "tests", "refactor", "toggle", "status", "switchModel", "clearCache"]
            self.send(id=id, result={"capabilities": {
                "positionEncoding": "utf-16", "textDocumentSync": {"openClose": True, "change": 1},
                "codeActionProvider": {"resolveProvider": True},
                "executeCommandProvider": {"commands": [f"crucible.{n}" for n in names]}}})
        elif method == "initialized":
            self.send(method="crucible/status", params={"kind": "normal", "busy": False, "model": "sim/tinycode",
                                                        "endpoint": "sim", "loading": None, "message": "ready", "why": ""})
        elif method == "textDocument/didOpen":
            doc = params["textDocument"]
            self.docs[doc["uri"]] = [doc["version"], doc["text"]]
        elif method == "textDocument/didChange":
            self.docs[params["textDocument"]["uri"]] = [params["textDocument"]["version"], params["contentChanges"][-1]["text"]]
        elif method == "window/workDoneProgress/cancel":
            self.cancelled.add(params["token"])
        elif method == "workspace/executeCommand":
            self.send(id=id, result=None)
            threading.Thread(target=self.run, args=(params,), daemon=True).start()
        elif method == "textDocument/codeAction":
            self.send(id=id, result=self.actions(params))
        elif method == "codeAction/resolve":
            if "data" in params:
                params["edit"] = self.edit(params["data"])
            self.send(id=id, result=params)
        elif method == "crucible/status":
            self.send(id=id, result={"kind": "normal", "message": "ready", "model": "sim/tinycode", "why": "", "loading": None})
        elif id is not None and method:
            self.send(id=id, result=None)

    def edit(self, arg):
        version, _ = self.docs[arg["uri"]]
        line = arg["range"]["start"]["line"]
        return {"documentChanges": [{"textDocument": {"uri": arg["uri"], "version": version}, "edits": [
            {"range": {"start": {"line": line, "character": 0}, "end": {"line": line + 1, "character": 0}}, "newText": self.text}]}]}

    def actions(self, params):
        arg = {"uri": params["textDocument"]["uri"], "range": params["range"]}
        found = []
        if params["context"]["diagnostics"]:
            found.append({"title": "Fix", "kind": "quickfix", "data": arg})
        found.append({"title": "Document", "kind": "refactor.rewrite.document", "data": arg})
        found.append({"title": "Refactor", "kind": "refactor.rewrite.crucible",
                      "command": {"title": "Refactor", "command": "crucible.refactor", "arguments": [arg]}})
        found.append({"title": "Explain", "kind": "crucible.explain",
                      "command": {"title": "Explain", "command": "crucible.explain", "arguments": [arg]}})
        return found

    def run(self, params):
        name = params["command"].removeprefix("crucible.")
        if name == "explain":
            self.n += 1
            id = f"crucible/{self.n}"
            for n in range(self.pieces + 1):
                if id in self.cancelled:
                    return
                done = n == self.pieces
                self.send(method="crucible/answer", params={
                    "id": id, "title": "Explain sum", "uri": params["arguments"][0]["uri"],
                    "text": self.text[:len(self.text) * n // self.pieces], "done": done})
                time.sleep(self.piece_s)
        elif name in ("fix", "document", "tests", "refactor"):
            self.send(id=f"edit{len(self.log)}", method="workspace/applyEdit", params={"edit": self.edit(params["arguments"][0])})
