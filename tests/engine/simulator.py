#!/usr/bin/env python3
"""simulator.py - a model server that always knows the right answer, and fails exactly as told.

Why   A real model is slow, differs from run to run, and can't be made to break off at byte 137. This one
      speaks the dialects of llama-server, of OpenAI-compatible servers and of Ollama byte for byte as they do
      on the wire, on raw HTTP/1.1, so that a fault can be placed anywhere.
How   It holds the true text of some files. For a prompt it finds where the prefix ends in one of them and
      streams what really follows, up to where the suffix resumes, piece by piece (at most 4 characters).
      A script changes delays and adds faults; a log keeps what was asked and how each request ended.
Use   In a test:       with Simulator([text]) as sim: ... sim.url, sim.script(first_ms=50), sim.log
      On its own:      python3 tests/engine/simulator.py --port 8012 --file core/engine.h
      From outside:    POST /_sim/script {"first_ms": 50}     GET /_sim/log     POST /_sim/reset

The script's words, all optional; a list of scripts is used one for each generation, then the last one stays:
  first_ms, token_ms    delay before the first piece, and before each next one
  text, pieces          say this instead of the truth (pieces: cut exactly so)
  texts                 where n texts are asked for: each in turn, interleaved; without it all are the same
  ignores_n             answer with one text, however many are asked for
  vectors               give these as the vectors of texts, with their places (index) where they have any
  status, body, content_type, headers
                        answer with this status; or with 200 and another body or type
  loading               so many requests are answered 503 "Loading model" (also probes)
  cut_at, reset         close the connection after so many bytes of the response's body; reset: by RST
  stall_at              send nothing more after so many bytes of the body, and keep the connection open
  slice                 send the body in slices of so many bytes, each in a packet of its own
  header_ms             send the header block one byte at a time, so many ms apart
  error_after           after so many pieces an error event, then the end
  garbage_after         after so many pieces bytes that are no event
  endless               repeat the text for ever
  no_end                leave out the last event ("stop": true, [DONE])
  refuse                close the connection without a word
  probes                the faults above meet the probes (/props, /health, /v1/models, /tokenize) as well

Of kind ollama it has models that are loaded when they are asked for: see Shelf. What is special to the kinds
lmstudio, vllm, mistral, deepseek and anthropic stands in dialects.py."""
import argparse
import asyncio
import json
import re
import socket
import struct
import sys
import threading
import time
import urllib.parse

from dialects import KINDS, Messages

SPECIAL_TOKENS = ["<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "<|fim_pad|>", "<|repo_name|>",
                  "<|file_sep|>", "<|im_start|>", "<|im_end|>", "<|endoftext|>"]
# (before the prefix, before the suffix, before the hole), for prompts that come rendered.
FIM_MARKS = [("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"),
             ("<fim_prefix>", "<fim_suffix>", "<fim_middle>"),
             ("<PRE>", "<SUF>", "<MID>"),
             ("<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>")]
GENERATIONS = ("/infill", "/completion", "/completions", "/v1/completions", "/v1/chat/completions",
               "/api/generate", "/api/chat", "/v1/fim/completions", "/beta/completions", "/chat/completions",
               "/v1/messages")
EMBEDDINGS = ("/v1/embeddings", "/api/embed")
CHATS = ("/v1/chat/completions", "/chat/completions", "/api/chat", "/v1/messages")
LOAD_OPTIONS = ("num_ctx", "num_batch", "num_gpu", "main_gpu", "use_mmap", "num_thread", "draft_num_predict")
CREATED = "2026-11-23T02:19:34.289116347Z"
LOADING = {"error": {"message": "Loading model", "type": "unavailable_error", "code": 503}}
REASONS = {200: "OK", 301: "Moved Permanently", 302: "Found", 307: "Temporary Redirect", 400: "Bad Request",
           401: "Unauthorized", 402: "Payment Required", 404: "Not Found", 422: "Unprocessable Content",
           429: "Too Many Requests", 500: "Internal Server Error", 501: "Not Implemented", 502: "Bad Gateway",
           503: "Service Unavailable", 529: "Overloaded"}


def pieces_of(text):
    """The simplest tokeniser that looks like one: word pieces of at most 4 characters."""
    return re.findall(r"\n|[^\S\n]{1,4}|\w{1,4}|[^\w\s]{1,4}", text)


class Truth:
    """The files whose text is known."""
    MAX_TAIL = 400

    def __init__(self, texts):
        self.texts = list(texts)

    def after(self, prefix, suffix=""):
        """What follows `prefix`, up to where `suffix` resumes; "" where it isn't known."""
        best, found = 0, None
        for text in self.texts:
            length, where = self._longest_tail(text, prefix)
            if length > best:
                best, found = length, (text, where)
        if found is None:
            return ""
        text, where = found
        return text[where:self._resumes(text, where, suffix)]

    def _longest_tail(self, text, prefix):
        """(length, end) of the longest tail of `prefix` that stands in `text`."""
        low, high = 0, min(len(prefix), self.MAX_TAIL)
        while low < high:
            middle = (low + high + 1) // 2
            if prefix[len(prefix) - middle:] in text:
                low = middle
            else:
                high = middle - 1
        if low == 0:
            return 0, 0
        # A file's own beginning decides between places that look alike.
        if text.startswith(prefix):
            return len(prefix), len(prefix)
        return low, text.index(prefix[len(prefix) - low:]) + low

    @staticmethod
    def _resumes(text, where, suffix):
        for length in (200, 80, 40, 20, 10, 5, 2, 1):
            head = suffix[:length]
            if head and head.strip() and (place := text.find(head, where)) >= 0:
                return place
        return len(text)


def prompt_of(path, body):
    """(prefix, suffix) of a request."""
    if path == "/infill":
        return body.get("input_prefix", "") + body.get("prompt", ""), body.get("input_suffix", "")
    prompt = body.get("prompt", "")
    if path in CHATS:
        users = [m.get("content") or "" for m in body.get("messages", []) if m.get("role") == "user"]
        prompt = users[-1] if users else ""
        for hole in ("<|HOLE|>", "{{HOLE}}", "{{FILL_HERE}}", "<HOLE>", "<CURSOR>"):
            if hole in prompt:
                before, after = prompt.rsplit(hole, 1)
                return before, after
        return prompt, ""
    for begin, middle, end in FIM_MARKS:
        match = re.search(re.escape(begin) + "(.*?)" + re.escape(middle) + "(.*?)" + re.escape(end), prompt, re.S)
        if match:
            return match.group(1), match.group(2)
    return prompt, body.get("suffix") or ""


def is_load(path, body):
    """Whether Ollama takes it for an order to load a model and not for a question."""
    return isinstance(body, dict) and (path == "/api/generate" and not body.get("prompt") or
                                       path == "/api/chat" and not body.get("messages"))


class Shelf:
    """The models of an Ollama, and which of them are loaded: by name, with the options that decide how.

    A load takes load_ms. It is aborted when the client that wanted it goes away, and done again when a
    request comes with other options of that kind. What is loaded stays so until unload()."""

    def __init__(self, model):
        self.models = [{"name": f"{model}:latest", "capabilities": ["completion", "insert"]}]
        self.loaded, self.is_old = {}, False  # is_old: the list doesn't say what models can do
        self.load_ms, self.load_error = 0, None
        self.n_loads, self.n_reloads, self.n_aborted = 0, 0, 0

    def find(self, name):
        name = str(name)
        full = name if ":" in name.rsplit("/", 1)[-1] else name + ":latest"
        return next((m for m in self.models if m["name"] == full), None)

    def unload(self):
        self.loaded = {}

    async def load(self, connection, name, options):
        wanted = {k: v for k, v in (options or {}).items() if k in LOAD_OPTIONS}
        if self.loaded.get(name) == wanted:
            return
        self.n_reloads += name in self.loaded
        self.loaded.pop(name, None)
        self.n_loads += 1
        try:
            await connection.sleep(self.load_ms)
        except Closed:
            self.n_aborted += 1
            raise
        if not self.load_error:
            self.loaded[name] = wanted

    def entry(self, model):
        details = {"parent_model": "", "format": "gguf", "family": "llama", "families": ["llama"],
                   "parameter_size": "4.20M", "quantization_level": "Q8_0"}
        return {"name": model["name"], "model": model["name"], "size": model.get("size", 4595142),
                "digest": "c418413ebdaf1939ab49914810a5a854bd053d87894fb65ac969aa74d536b4b2", "details": details}

    def tags(self):
        entries = []
        for model in self.models:
            entry = {**self.entry(model), "modified_at": "2026-11-23T02:03:37.814044518Z"}
            entry.update({k: model[k] for k in ("remote_model", "remote_host") if k in model})
            if not self.is_old:
                entry["details"] = {**entry["details"], "context_length": 4096, "embedding_length": 256}
                entry["capabilities"] = model["capabilities"]
            entries.append(entry)
        return {"models": entries}

    def running(self):
        return {"models": [{**self.entry(self.find(name)), "expires_at": "2026-11-23T02:29:34.272016895Z",
                            "size_vram": 0, "context_length": options.get("num_ctx", 4096)}
                           for name, options in self.loaded.items()]}

    def show(self, name):
        model = self.find(name)
        if model is None:
            return None
        return {"modelfile": "FROM x\n", "parameters": "", "template": "{{ .Prompt }}", "details":
                self.entry(model)["details"], "model_info": {"general.architecture": "llama",
                "general.parameter_count": 4196608, "llama.context_length": 4096},
                "capabilities": model["capabilities"], "modified_at": "2026-11-23T02:03:37.814044518Z"}


class Closed(Exception):
    """The client went away."""


class Connection(asyncio.Protocol):
    """One client; requests are served one after the other."""

    def __init__(self, server):
        self.server, self.transport, self.task = server, None, None
        self.received, self.is_closed = bytearray(), False
        self.wake, self.may_write, self.closed = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.may_write.set()

    def connection_made(self, transport):
        self.transport = transport
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.server.n_connections += 1
        self.server.connections.add(self)
        self.task = asyncio.get_running_loop().create_task(self.serve())

    def data_received(self, data):
        self.received += data
        self.wake.set()

    def eof_received(self):
        self.on_gone()
        return False

    def connection_lost(self, exc):
        self.on_gone()
        self.server.connections.discard(self)

    def pause_writing(self):
        self.may_write.clear()

    def resume_writing(self):
        self.may_write.set()

    def on_gone(self):
        self.is_closed = True
        for event in (self.wake, self.closed, self.may_write):
            event.set()

    async def serve(self):
        try:
            while await self.serve_one():
                pass
        except Closed:
            pass
        except asyncio.CancelledError:
            pass
        finally:
            self.transport.close()

    async def receive_until(self, has_enough):
        while not has_enough(self.received):
            if self.is_closed:
                raise Closed
            self.wake.clear()
            await self.wake.wait()

    async def serve_one(self):
        await self.receive_until(lambda b: b"\r\n\r\n" in b)
        head, _, rest = bytes(self.received).partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        method, target, _ = lines[0].split(" ", 2)
        headers = {k.strip().lower(): v.strip() for k, _, v in (line.partition(":") for line in lines[1:])}
        size = int(headers.get("content-length", 0))
        if headers.get("expect", "").lower() == "100-continue":
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        await self.receive_until(lambda b: len(b) >= len(head) + 4 + size)
        raw = bytes(self.received[len(head) + 4:len(head) + 4 + size])
        del self.received[:len(head) + 4 + size]
        return await self.server.answer(self, method, target, headers, raw)

    async def sleep(self, ms):
        """Waits; Closed as soon as the client goes away."""
        if ms > 0 and not self.is_closed:
            try:
                await asyncio.wait_for(self.closed.wait(), ms / 1000)
            except (asyncio.TimeoutError, TimeoutError):
                return
        elif not self.is_closed:
            await asyncio.sleep(0)
        if self.is_closed:
            raise Closed

    async def write(self, data):
        if self.is_closed:
            raise Closed
        self.transport.write(data)
        await self.may_write.wait()
        if self.is_closed:
            raise Closed

    def reset(self):
        sock = self.transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()


class Response:
    """The body of one response, with the script's faults on its way out."""

    def __init__(self, connection, script, entry):
        self.connection, self.script, self.entry = connection, script, entry
        self.n_sent, self.is_chunked = 0, False

    async def head(self, status, content_type, length=None, extra=None):
        script = self.script
        lines = [f"HTTP/1.1 {status} {REASONS.get(status, 'Status')}", "Server: llama.cpp",
                 f"Content-Type: {script.get('content_type', content_type)}"]
        lines += [f"{k}: {v}" for k, v in {**(extra or {}), **script.get("headers", {})}.items()]
        self.is_chunked = length is None
        lines += ["Transfer-Encoding: chunked" if self.is_chunked else f"Content-Length: {length}"]
        lines += ["Keep-Alive: timeout=5, max=100", "", ""]
        block = "\r\n".join(lines).encode()
        self.entry["status"] = status
        if script.get("header_ms"):
            for i in range(len(block)):
                await self.connection.write(block[i:i + 1])
                await self.connection.sleep(script["header_ms"])
        else:
            await self.connection.write(block)

    async def body(self, data):
        """Sends bytes of the body, each slice framed as a chunk of its own."""
        size = self.script.get("slice") or len(data) or 1
        for start in range(0, len(data), size):
            await self._slice(data[start:start + size])
            if self.script.get("slice"):
                await self.connection.sleep(0.05)

    async def _slice(self, data):
        script = self.script
        for word in ("cut_at", "stall_at"):
            if word in script and self.n_sent + len(data) > script[word]:
                data = data[:max(0, script[word] - self.n_sent)]
                if data:
                    await self._frame(data)
                await (self._cut() if word == "cut_at" else self._stall())
        await self._frame(data)

    async def _frame(self, data):
        self.n_sent += len(data)
        self.entry["n_bytes"] = self.n_sent
        await self.connection.write(b"%x\r\n%s\r\n" % (len(data), data) if self.is_chunked else data)

    async def _cut(self):
        await self.connection.sleep(1)
        self.entry["outcome"] = "cut"
        if self.script.get("reset"):
            self.connection.reset()
        raise Closed

    async def _stall(self):
        await self.connection.sleep(3600_000)
        raise Closed

    async def finish(self):
        if self.is_chunked:
            await self.connection.write(b"0\r\n\r\n")


class Server:
    """What is asked, and what is answered. Everything here runs on one asyncio loop."""

    def __init__(self, texts=(), kind="llamacpp", model="tinycode", slots=4, fim=True, key="", n_ctx=4096):
        self.truth, self.kind, self.model, self.key = Truth(texts), kind, model, key
        self.slots, self.fim, self.n_ctx = slots, fim, n_ctx
        self.shelf = Shelf(model)
        self.own = KINDS[kind](self) if kind in KINDS else None
        self.free_slots = None  # a semaphore of the running loop
        self.scripts, self.n_loading = [{}], 0
        self.log, self.n_connections, self.connections = [], 0, set()

    # -- control --
    def set_script(self, script):
        self.scripts = [dict(s) for s in script] if isinstance(script, list) else [dict(script)]
        self.scripts = self.scripts or [{}]
        self.n_loading = max(s.get("loading", 0) for s in self.scripts)

    def next_script(self, is_generation):
        script = self.scripts[0]
        if not is_generation:
            return script if script.get("probes") else {}
        if len(self.scripts) > 1:
            self.scripts.pop(0)
        return script

    async def control(self, response, path, raw):
        if path == "/_sim/script":
            self.set_script(json.loads(raw or b"{}"))
        elif path == "/_sim/reset":
            self.set_script({})
            self.log.clear()
        known = path in ("/_sim/script", "/_sim/reset", "/_sim/log")
        answer = {"requests": self.log, "connections": self.n_connections} if path == "/_sim/log" else {"ok": known}
        await self.send_json(response, 200 if known else 404, answer)

    # -- requests --
    async def answer(self, connection, method, target, headers, raw):
        path = urllib.parse.urlsplit(target).path
        if path.startswith("/_sim/"):
            await self.control(Response(connection, {}, {}), path, raw)
            return True
        entry = {"n": len(self.log), "method": method, "path": path, "target": target, "headers": headers,
                 "at": time.monotonic(), "n_tokens": 0, "n_bytes": 0, "status": 0, "outcome": "open"}
        try:
            entry["body"] = json.loads(raw) if raw else None
        except ValueError:
            entry["body"] = raw.decode("utf-8", "replace")
        self.log.append(entry)
        entry["is_load"] = (self.own.is_load if self.own else is_load)(path, entry["body"])
        script = self.next_script((path in GENERATIONS or path in EMBEDDINGS) and not entry["is_load"])
        try:
            await self.dispatch(Response(connection, script, entry), method, path, entry)
            entry["outcome"] = "done"
        except Closed:
            if entry["outcome"] == "open":
                entry["outcome"] = "aborted"
            raise
        finally:
            entry["ended"] = time.monotonic()
        return True

    async def dispatch(self, response, method, path, entry):
        script, body = response.script, entry["body"]
        if script.get("refuse"):
            entry["outcome"] = "refused"
            raise Closed
        if self.n_loading > 0:
            self.n_loading -= 1
            return await self.send_json(response, 503, LOADING)
        if "status" in script or "body" in script:
            return await self.send_scripted(response)
        if path in EMBEDDINGS:
            return await self.embed(response, path, body)
        if self.own:
            return await self.serve_own(response, method, path, entry)
        if self.key and path != "/health" and entry["headers"].get("authorization") != f"Bearer {self.key}":
            return await self.send_error(response, 401, "Invalid API Key", "authentication_error")
        if self.kind == "ollama":
            return await self.serve_ollama(response, path, body)
        if path in GENERATIONS:
            if path.startswith("/api/") or self.kind != "llamacpp" and not path.startswith("/v1/"):
                return await self.send_error(response, 404, "Not Found", "not_found_error")
            return await self.generate(response, path, body)
        answer = self.probe(path, body)
        if answer is None:
            return await self.send_error(response, 404, "File Not Found", "not_found_error")
        return await self.send_json(response, 200, answer)

    def probe(self, path, body):
        if path in ("/v1/models", "/models"):
            meta = {"vocab_type": 2, "n_vocab": 4096, "n_ctx_train": 512, "n_embd": 256, "n_params": 4200000,
                    "size": 8526912}
            data = [{"id": self.model, "object": "model", "created": 1795320404,
                     "owned_by": "llamacpp" if self.kind == "llamacpp" else "simulator"}]
            if self.kind == "llamacpp":
                data[0]["meta"] = meta
            return {"object": "list", "data": data}
        if self.kind != "llamacpp":
            return None
        if path in ("/health", "/v1/health"):
            return {"status": "ok"}
        if path == "/props":
            return {"default_generation_settings": {"id": 0, "n_ctx": self.n_ctx, "params": {"n_predict": -1}},
                    "total_slots": self.slots, "model_alias": self.model, "model_path": f"/models/{self.model}.gguf",
                    "modalities": {"vision": False, "audio": False}, "chat_template": "", "bos_token": "",
                    "eos_token": "<|endoftext|>", "build_info": "b11669-Debian", "is_sleeping": False}
        if path == "/tokenize":
            return {"tokens": self.tokens(body or {})}
        return None

    async def serve_own(self, response, method, path, entry):
        own, headers = self.own, entry["headers"]
        body = entry["body"] if isinstance(entry["body"], dict) else {}
        if self.key and own.key_of(headers) != self.key:
            return await self.send_json(response, *own.unauthorized())
        if path not in own.generations:
            answer = await own.answer(response.connection, method, path, body, headers)
            return await self.send_json(response, *(answer or own.unknown(method, path)))
        refusal = await own.admit(response.connection, path, body, headers)
        if refusal:
            return await self.send_json(response, *refusal)
        return await self.generate(response, path, body)

    async def serve_ollama(self, response, path, body):
        shelf, body = self.shelf, body if isinstance(body, dict) else {}
        answers = {"/api/version": lambda: {"version": "0.33.0"}, "/api/tags": shelf.tags, "/api/ps": shelf.running}
        if path in answers:
            return await self.send_json(response, 200, answers[path]())
        if path not in ("/api/show", "/api/generate", "/api/chat"):
            await response.head(404, "text/plain", 18)
            return await response.body(b"404 page not found")
        model = shelf.find(body.get("model", ""))
        if model is None:
            return await self.send_json(response, 404, {"error": f"model '{body.get('model', '')}' not found"})
        if path == "/api/show":
            return await self.send_json(response, 200, shelf.show(model["name"]))
        if response.entry["is_load"] and body.get("keep_alive") == 0:
            shelf.loaded.pop(model["name"], None)
            return await self.send_json(response, 200, self.done_for(body, "unload"))
        if body.get("suffix") and "insert" not in model["capabilities"]:
            full = "registry.ollama.ai/library/" + model["name"]
            return await self.send_json(response, 400, {"error": f"{full} does not support insert"})
        if body.get("think") and "thinking" not in model["capabilities"]:
            return await self.send_json(response, 400, {"error": f'"{body["model"]}" does not support thinking'})
        if not model.get("remote_host"):
            await shelf.load(response.connection, model["name"], body.get("options"))
            if shelf.load_error:
                return await self.send_json(response, 500, {"error": shelf.load_error})
        if response.entry["is_load"]:
            return await self.send_json(response, 200, self.done_for(body, "load"))
        return await self.generate(response, path, body)

    @staticmethod
    def done_for(body, reason):
        return {"model": body["model"], "created_at": CREATED, "response": "", "done": True, "done_reason": reason}

    def tokens(self, body):
        text, tokens = str(body.get("content", "")), []  # (id, piece)
        special = "|".join(re.escape(t) for t in SPECIAL_TOKENS)
        is_special = self.fim and body.get("parse_special", True)
        for part in re.split(f"({special})", text) if is_special else [text]:
            if is_special and part in SPECIAL_TOKENS:
                tokens.append((SPECIAL_TOKENS.index(part), part))
            else:
                tokens += [(16 + sum(p.encode()) % 4000, p) for p in pieces_of(part)]
        if body.get("with_pieces"):
            return [{"id": id, "piece": piece} for id, piece in tokens]
        return [id for id, _ in tokens]

    # -- vectors --
    async def embed(self, response, path, body):
        """Of what a text is about: sums, windows, or neither."""
        if not (isinstance(body, dict) and isinstance(body.get("input"), list) and body.get("model")):
            return await self.send_error(response, 400, "input and model are required", "invalid_request_error")
        about = ("sum", "add"), ("window", "mouse")
        vectors = response.script.get("vectors") or [
            [1.0 if any(word in text.lower() for word in words) else 0.1 for words in about] for text in body["input"]]
        if path == "/api/embed":
            return await self.send_json(response, 200, {"model": body["model"], "embeddings": vectors,
                                                        "prompt_eval_count": 3})
        data = [v if isinstance(v, dict) else {"object": "embedding", "index": i, "embedding": v}
                for i, v in enumerate(vectors)]
        return await self.send_json(response, 200, {"object": "list", "data": data, "model": body["model"],
                                                    "usage": {"prompt_tokens": 3, "total_tokens": 3}})

    # -- generations --
    async def generate(self, response, path, body):
        if not isinstance(body, dict):
            return await self.send_error(response, 400, "invalid JSON", "invalid_request_error")
        if path == "/infill" and not ("input_prefix" in body and "input_suffix" in body):
            return await self.send_error(response, 400, '"input_prefix" is required', "invalid_request_error")
        if path == "/infill" and not self.fim:
            return await self.send_error(response, 501, "Infill is not supported by this model: prefix token "
                                         "is missing. suffix token is missing. ", "not_supported_error")
        if self.free_slots is None:
            self.free_slots = asyncio.Semaphore(self.slots)
        waiting = asyncio.ensure_future(self.free_slots.acquire())
        closing = asyncio.ensure_future(response.connection.closed.wait())
        await asyncio.wait({waiting, closing}, return_when=asyncio.FIRST_COMPLETED)
        closing.cancel()
        if not waiting.done():
            waiting.cancel()
            raise Closed
        n = 1 if response.script.get("ignores_n") else body.get("n", 1)
        try:
            if self.kind == "llamacpp" and n > self.slots:
                return await self.send_error(response, 400, f"Field 'n': Value must be between 1 <= value <= "
                                             f"{self.slots}, but got {n}", "invalid_request_error")
            await self.run(response, path, body, n)
        finally:
            self.free_slots.release()

    def plan(self, script, path, body):
        """(pieces, why it ends, prompt) of one generation."""
        prefix, suffix = prompt_of(path, body)
        if "pieces" in script:
            pieces = list(script["pieces"])
        else:
            text = script["text"] if "text" in script else self.truth.after(prefix, suffix)
            pieces = pieces_of(text)
        if path.startswith("/api/"):
            body = {"n_predict": -1, **body, **body.get("options", {})}
            body["n_predict"] = body.get("num_predict", -1)
        limit = body.get("n_predict", body.get("max_tokens", body.get("max_completion_tokens", -1)))
        if script.get("endless"):
            return pieces or ["x"], "endless", prefix
        text, reason = "".join(pieces), "eos"
        stops = body.get("stop") or []
        cuts = [text.find(s) for s in ([stops] if isinstance(stops, str) else stops) if s and s in text]
        if cuts and "pieces" not in script:
            pieces, reason = pieces_of(text[:min(cuts)]), "word"
        if isinstance(limit, int) and 0 <= limit < len(pieces):
            pieces, reason = pieces[:max(1, limit)], "limit"
        return pieces, reason, prefix

    async def run(self, response, path, body, n_texts=1):
        script, entry = response.script, response.entry
        pieces, reason, prefix = self.plan(script, path, body)
        n_prompt = len(pieces_of(prefix))
        name = self.own.answering(body) if self.own else self.model
        dialect = Messages(name, n_prompt) if path == "/v1/messages" else \
            Dialect(path, name, prefix, n_prompt, self.kind)
        await response.connection.sleep(script.get("first_ms", 0))
        entry["first"] = time.monotonic()
        if not body.get("stream", dialect.is_ollama):
            if len(pieces) > 1:
                await response.connection.sleep(script.get("token_ms", 0) * len(pieces))
            entry["n_tokens"] = len(pieces)
            return await self.send_json(response, 200, dialect.whole("".join(pieces), reason, len(pieces)))
        await response.head(200, "application/x-ndjson" if dialect.is_ollama else "text/event-stream")
        for event in dialect.begin():
            await response.body(event)
        if n_texts > 1:
            await self.stream_several(response, dialect, path, body, n_texts)
        else:
            await self.stream(response, dialect, pieces, reason)
        await response.finish()

    async def stream_several(self, response, dialect, path, body, n_texts):
        """A piece of each in turn; one that is over says so at once."""
        script, texts = response.script, response.script.get("texts")
        plans = [self.plan({**script, "text": texts[i % len(texts)]} if texts else script, path, body)
                 for i in range(n_texts)]
        n = 0
        for at in range(max(len(pieces) for pieces, _, _ in plans) + 1):
            for index, (pieces, reason, _) in enumerate(plans):
                if script.get("error_after") == n:
                    return await response.body(dialect.error("the runner has terminated"))
                if at < len(pieces):
                    n += 1
                    response.entry["n_tokens"] = n
                    await response.body(dialect.piece(pieces[at], at + 1, index))
                elif at == len(pieces):
                    for event in dialect.end(reason, at, index, is_last=False):
                        await response.body(event)
            await response.connection.sleep(script.get("token_ms", 0))
        if not script.get("no_end") and not dialect.is_native:
            await response.body(b"data: [DONE]\n\n")
        return None

    async def stream(self, response, dialect, pieces, reason):
        script, entry, n = response.script, response.entry, 0
        while True:
            for piece in pieces:
                if script.get("error_after") == n:
                    return await response.body(dialect.error("the runner has terminated"))
                if script.get("garbage_after") == n:
                    await response.body(b"data: {\"content\": \"x\x00\xff\n\nnonsense\n\ndata: [1,,2]\n\n")
                if n:
                    await response.connection.sleep(script.get("token_ms", 0))
                n += 1
                await response.body(dialect.piece(piece, n))
                entry["n_tokens"] = n
            if reason != "endless":
                break
        if not script.get("no_end"):
            for event in dialect.end(reason, n):
                await response.body(event)
        return None

    # -- answers --
    async def send_json(self, response, status, value):
        data = json.dumps(value, ensure_ascii=False).encode()
        await response.head(status, "application/json; charset=utf-8", len(data))
        await response.body(data)

    async def send_error(self, response, status, message, kind):
        await self.send_json(response, status, {"error": {"message": message, "type": kind, "code": status}})

    async def send_scripted(self, response):
        script = response.script
        status, body = script.get("status", 200), script.get("body")
        if body is None:
            return await self.send_error(response, status, REASONS.get(status, "failed").lower(), "server_error")
        data = body.encode("latin-1") if isinstance(body, str) and script.get("is_latin1") else \
            body.encode() if isinstance(body, str) else json.dumps(body).encode()
        await response.head(status, "text/event-stream" if status == 200 else "application/json", len(data))
        await response.body(data)
        return None


def event_of(value):
    return b"data: " + json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n\n"


def line_of(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


class Dialect:
    """The events of one streamed generation, as each path words them."""

    def __init__(self, path, model, prompt, n_prompt, kind):
        self.path, self.model, self.prompt, self.n_prompt, self.kind = path, model, prompt, n_prompt, kind
        self.is_native = path in ("/infill", "/completion", "/completions")
        self.is_chat = path in CHATS or path == "/v1/fim/completions"  # Mistral's holes have a chat's shape
        self.is_ollama = path.startswith("/api/")

    def timings(self, n):
        return {"cache_n": 0, "prompt_n": self.n_prompt, "prompt_ms": 4.39, "prompt_per_token_ms": 0.14,
                "prompt_per_second": 7289.3, "predicted_n": n, "predicted_ms": 3.063,
                "predicted_per_token_ms": 1.021, "predicted_per_second": 1013.9}

    def usage(self, n):
        return {"completion_tokens": n, "prompt_tokens": self.n_prompt, "total_tokens": self.n_prompt + n,
                "prompt_tokens_details": {"cached_tokens": 0}}

    def chunk(self, choices, **more):
        kind = "chat.completion.chunk" if self.is_chat else "text_completion"
        return event_of({"choices": choices, "created": 1795320404, "model": self.model,
                         "system_fingerprint": "b11669-Debian", "object": kind, **more, "id": "chatcmpl-f361ZHximX"})

    def begin(self):
        if self.kind == "deepseek":
            yield b": keep-alive\n\n: keep-alive\n\n"
        if self.is_chat:
            yield self.chunk([{"finish_reason": None, "index": 0, "delta": {"role": "assistant", "content": None}}])

    def line(self, text, is_done, **more):
        said = {"message": {"role": "assistant", "content": text}} if self.path == "/api/chat" else {"response": text}
        return {"model": self.model, "created_at": CREATED, **said, "done": is_done, **more}

    def last_line(self, text, reason, n):
        return self.line(text, True, done_reason="length" if reason == "limit" else "stop", context=[3, 408],
                         total_duration=266412605, load_duration=259043114, prompt_eval_count=self.n_prompt,
                         prompt_eval_duration=2860000, eval_count=n, eval_duration=2644000)

    def error(self, message):
        if self.is_ollama:
            return line_of({"error": message})
        if self.kind == "lmstudio":
            return b"event: error\n" + event_of({"error": {"type": "internal_error", "message": message}})
        done = b"data: [DONE]\n\n" if self.kind == "vllm" else b""  # even then
        return event_of({"error": {"message": message, "type": "server_error", "code": 500}}) + done

    def piece(self, text, n, index=0):
        if self.is_ollama:
            return line_of(self.line(text, False))
        if self.is_native:
            return event_of({"index": index, "content": text, "tokens": [1274], "stop": False, "id_slot": -1,
                             "tokens_predicted": n, "tokens_evaluated": self.n_prompt})
        if self.is_chat:
            return self.chunk([{"finish_reason": None, "index": index, "delta": {"content": text}}])
        return self.chunk([{"text": text, "index": index, "logprobs": None, "finish_reason": None}])

    def final(self, text, reason, n, index=0):
        return {"index": index, "content": text, "tokens": [], "id_slot": 0, "stop": True, "model": self.model,
                "tokens_predicted": n, "tokens_evaluated": self.n_prompt,
                "generation_settings": {"n_predict": 128, "temperature": 0.8, "stop": [], "samplers": ["top_k"]},
                "prompt": self.prompt, "has_new_line": False, "truncated": False, "stop_type": reason,
                "stopping_word": "", "tokens_cached": self.n_prompt + n, "timings": self.timings(n)}

    def end(self, reason, n, index=0, is_last=True):
        if self.is_ollama:
            yield line_of(self.last_line("", reason, n))
            return
        if self.is_native:
            yield event_of(self.final("", reason, n, index))
            return
        finish = "length" if reason == "limit" else "stop"
        if self.is_chat:
            yield self.chunk([{"finish_reason": finish, "index": 0, "delta": {}}])
            yield self.chunk([], usage=self.usage(n), timings=self.timings(n))
        else:
            yield self.chunk([{"text": "", "index": index, "logprobs": None, "finish_reason": finish}],
                             usage=self.usage(n), timings=self.timings(n))
        if is_last:
            yield b"data: [DONE]\n\n"

    def whole(self, text, reason, n):
        if self.is_ollama:
            return self.last_line(text, reason, n)
        if self.is_native:
            return self.final(text, reason, n)
        finish = "length" if reason == "limit" else "stop"
        choice = {"message": {"role": "assistant", "content": text}} if self.is_chat else {"text": text}
        return {"choices": [{"index": 0, "finish_reason": finish, **choice}], "created": 1795320404,
                "model": self.model, "object": "text_completion", "usage": self.usage(n), "id": "chatcmpl-f361"}


class Simulator(Server):
    """A server on a thread of its own, for tests: `with Simulator([text]) as sim`."""

    def __init__(self, texts=(), port=0, tls=None, **options):
        super().__init__(texts, **options)
        self.tls = tls  # an ssl.SSLContext: speaks https, and is called localhost
        self.port, self.loop, self.listener = port, asyncio.new_event_loop(), None
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)

    def call(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(10)

    async def listen(self):
        self.listener = await self.loop.create_server(lambda: Connection(self), "127.0.0.1", self.port,
                                                        ssl=self.tls)
        self.port = self.listener.sockets[0].getsockname()[1]

    async def unlisten(self):
        self.listener.close()
        tasks = [c.task for c in self.connections if c.task]
        for connection in list(self.connections):
            connection.transport.abort()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def __enter__(self):
        self.thread.start()
        self.call(self.listen())
        return self

    def __exit__(self, *_):
        self.call(self.unlisten())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)
        self.loop.close()

    @property
    def url(self):
        return f"https://localhost:{self.port}" if self.tls else f"http://127.0.0.1:{self.port}"

    def script(self, *scripts, **words):
        """One script by its words, or several in a row."""
        self.set_script(list(scripts) if scripts else words)

    @property
    def generations(self):
        return [e for e in list(self.log) if e["path"] in GENERATIONS and not e["is_load"]]

    def wait(self, condition, timeout=5.0):
        """Waits until condition() is true; returns whether it became so."""
        end = time.monotonic() + timeout
        while not condition():
            if time.monotonic() > end:
                return False
            time.sleep(0.002)
        return True


def main():
    parser = argparse.ArgumentParser(description="a model server that knows the right answer")
    parser.add_argument("--port", type=int, default=8012)
    parser.add_argument("--file", nargs="*", default=[], help="files whose text is known")
    parser.add_argument("--kind", choices=["llamacpp", "openai", "ollama", *KINDS], default="llamacpp")
    parser.add_argument("--model", default="tinycode")
    parser.add_argument("--slots", type=int, default=4)
    parser.add_argument("--no-fim", action="store_true", help="the model has no fill-in-the-middle tokens")
    parser.add_argument("--key", default="", help="the key to ask for")
    parser.add_argument("--first-ms", type=float, default=0)
    parser.add_argument("--token-ms", type=float, default=0)
    parser.add_argument("--script", default="{}", help="JSON")
    args = parser.parse_args()
    texts = []
    for name in args.file:
        with open(name, encoding="utf-8", newline="") as file:
            texts.append(file.read())
    sim = Simulator(texts, args.port, kind=args.kind, model=args.model, slots=args.slots, fim=not args.no_fim,
                    key=args.key)
    script = json.loads(args.script)
    sim.set_script(script if isinstance(script, list) else
                   {"first_ms": args.first_ms, "token_ms": args.token_ms, **script})
    with sim:
        print(f"listening on {sim.url}", flush=True)
        try:
            sim.thread.join()
        except KeyboardInterrupt:
            pass


if __name__ == "__main__":
    sys.exit(main())
