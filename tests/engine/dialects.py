"""dialects.py - what servers of other kinds say beside their generations, and what they refuse.

One class per kind, for simulator.py: lists of models and their state, orders to load and to sleep, the
shapes of errors, and the checks that the real ones make of a request, so that a codec which sends too much
or too little is refused here as it would be there. Written from their documentation (see
tests/unit/providers/fixtures/README.md)."""
import json

CREATED = 1763700000


def event_of(value, name=None):
    head = f"event: {name}\n".encode() if name else b""
    return head + b"data: " + json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n\n"


class Kind:
    """What all of them have; `server` is the simulator's."""
    generations = ("/v1/completions", "/v1/chat/completions")

    def __init__(self, server):
        self.server = server

    def key_of(self, headers):
        """The key that came along, or None."""
        given = headers.get("authorization", "")
        return given[len("Bearer "):] if given.startswith("Bearer ") else None

    def error(self, status, message, kind="invalid_request_error"):
        """(status, body) of a refusal in this dialect's shape."""
        return status, {"error": {"message": message, "type": kind, "param": None, "code": None}}

    def unauthorized(self):
        return self.error(401, "Invalid API key", "authentication_error")

    def unknown(self, method, path):
        return self.error(404, f"Not Found: {method} {path}", "not_found_error")

    def is_load(self, path, body):
        return False

    async def answer(self, connection, method, path, body, headers):
        """(status, body) of everything but generations; None where there is no such address."""
        return None

    async def admit(self, connection, path, body, headers):
        """(status, body) of a refusal, or None: the generation may begin."""
        return None

    def answering(self, body):
        """The model's name as the answer gives it."""
        return str(body.get("model", ""))


class LmStudio(Kind):
    """models: by key, each with the names it is loaded under. A question about one that isn't loaded loads
    it just in time, in place of the others that were loaded so."""

    def __init__(self, server):
        super().__init__(server)
        self.models = {server.model: {"instances": [], "type": "llm"}}
        self.is_old, self.load_ms, self.load_error, self.answers_as = False, 0, None, None
        self.n_loads, self.n_jit, self.jit = 0, 0, set()

    def unknown(self, method, path):
        return 200, {"error": f"Unexpected endpoint or method. ({method} {path})"}

    def is_load(self, path, body):
        return path == "/v1/completions" and isinstance(body, dict) and not body.get("stream")

    def find(self, name):
        return next((k for k, m in self.models.items() if name == k or name in m["instances"]), None)

    def loaded(self):
        return [k for k, m in self.models.items() if m["instances"]]

    def unload(self):
        for model in self.models.values():
            model["instances"] = []

    def entry(self, key, model):
        config = {"context_length": 4096, "parallel": 4, "flash_attention": True}
        return {"type": model["type"], "publisher": "qwen", "key": key, "display_name": key.title(),
                "quantization": {"name": "Q4_K_M", "bits_per_weight": 4}, "size_bytes": 986048512,
                "params_string": "1.5B", "max_context_length": 32768, "format": "gguf",
                "loaded_instances": [{"id": name, "config": config} for name in model["instances"]]}

    def old_entry(self, key, model):
        more = {"loaded_context_length": 4096} if model["instances"] else {}
        return {"id": key, "object": "model", "type": model["type"], "publisher": "qwen", "arch": "qwen2",
                "compatibility_type": "gguf", "quantization": "Q4_K_M", "max_context_length": 32768,
                "state": "loaded" if model["instances"] else "not-loaded", **more}

    async def load(self, connection, key, name):
        self.n_loads += 1
        await connection.sleep(self.load_ms)
        if self.load_error:
            return self.error(500, f'Failed to load model "{key}". Error: {self.load_error}')
        self.models[key]["instances"].append(name)
        return None

    async def answer(self, connection, method, path, body, headers):
        if path == "/api/v1/models" and not self.is_old:
            return 200, {"models": [self.entry(k, m) for k, m in self.models.items()]}
        if path == "/api/v0/models":
            return 200, {"object": "list", "data": [self.old_entry(k, m) for k, m in self.models.items()]}
        if path == "/v1/models":
            return 200, {"object": "list", "data": [{"id": k, "object": "model"} for k in self.models]}
        if path == "/api/v1/models/load" and not self.is_old:
            key = body.get("model", "")
            if key not in self.models:
                return self.error(404, f"Model '{key}' not found", "model_not_found")
            n = len(self.models[key]["instances"])
            name = key if n == 0 else f"{key}:{n + 1}"
            failed = await self.load(connection, key, name)
            return failed or (200, {"type": "llm", "instance_id": name, "load_time_seconds": 1, "status": "loaded"})
        if path == "/api/v1/models/unload" and not self.is_old:
            key = self.find(body.get("instance_id", ""))
            self.models[key]["instances"] = []
            return 200, {"instance_id": body["instance_id"]}
        return None

    async def admit(self, connection, path, body, headers):
        key = self.find(body.get("model", ""))
        if key is None and not self.loaded():
            return self.error(404, "No models loaded. Please load a model in the developer page or use the "
                              "`lms load` command.")
        if key is not None and not self.models[key]["instances"]:
            for other in self.jit:
                self.models[other]["instances"] = []
            self.jit, self.n_jit = {key}, self.n_jit + 1
            return await self.load(connection, key, key)
        return None

    def answering(self, body):
        return self.answers_as or (body["model"] if self.find(body["model"]) else self.loaded()[0])


class Vllm(Kind):
    """One model; sleeps where has_sleep."""

    def __init__(self, server):
        super().__init__(server)
        self.has_sleep, self.is_sleeping, self.wake_ms, self.n_wakes = False, False, 0, 0

    def error(self, status, message, kind="BadRequestError"):
        return status, {"error": {"message": message, "type": kind, "param": None, "code": status}}

    def unauthorized(self):
        return 401, {"error": "Unauthorized"}

    def unknown(self, method, path):
        return 404, {"detail": "Not Found"}

    async def answer(self, connection, method, path, body, headers):
        if path == "/v1/models":
            return 200, {"object": "list", "data": [
                {"id": self.server.model, "object": "model", "created": CREATED, "owned_by": "vllm",
                 "root": self.server.model, "parent": None, "max_model_len": self.server.n_ctx, "permission": []}]}
        if path == "/version":
            return 200, {"version": "0.13.0"}
        if path == "/tokenize" and method == "POST":
            pieces = [t["piece"] for t in self.server.tokens({"content": body["prompt"], "with_pieces": True})]
            return 200, {"count": len(pieces), "max_model_len": self.server.n_ctx, "tokens": [1] * len(pieces),
                         "token_strs": pieces if body.get("return_token_strs") else None}
        if self.has_sleep and path == "/is_sleeping":
            return 200, {"is_sleeping": self.is_sleeping}
        if self.has_sleep and path == "/wake_up" and method == "POST":
            self.n_wakes += 1
            await connection.sleep(self.wake_ms)
            self.is_sleeping = False
            return 200, {}
        if self.has_sleep and path == "/sleep" and method == "POST":
            self.is_sleeping = True
            return 200, {}
        return None

    async def admit(self, connection, path, body, headers):
        if body.get("model") != self.server.model:
            return self.error(404, f"The model `{body.get('model')}` does not exist.", "NotFoundError")
        if self.is_sleeping:
            return self.error(500, "EngineCore encountered an issue", "InternalServerError")
        if len(body.get("stop") or []) > 4:
            return self.error(400, "stop: at most 4 strings are allowed")
        if "suffix" in body:
            return self.error(400, "suffix is not currently supported")
        if "max_tokens" not in body:
            return self.error(400, "a codec that leaves max_tokens out gets 16 tokens")
        return None


class Mistral(Kind):
    """models: by id, what each can do; None: no list. Unknown members are refused."""
    generations = ("/v1/fim/completions", "/v1/chat/completions")
    KNOWN = {"model", "prompt", "suffix", "messages", "temperature", "top_p", "max_tokens", "min_tokens", "stream",
             "stop", "random_seed", "metadata", "prompt_cache_key"}

    def __init__(self, server):
        super().__init__(server)
        self.models = {server.model: (True, True)}  # fills holes, chats

    def error(self, status, message, kind="invalid_request_error"):
        return status, {"object": "error", "message": message, "type": kind, "param": None, "code": "1000"}

    def unauthorized(self):
        return 401, {"detail": "Unauthorized"}

    def unknown(self, method, path):
        return 404, {"detail": "Not Found"}

    async def answer(self, connection, method, path, body, headers):
        if path == "/v1/models" and self.models is not None:
            return 200, {"object": "list", "data": [
                {"id": id, "object": "model", "owned_by": "mistralai", "max_context_length": 32768,
                 "capabilities": {"completion_fim": fim, "completion_chat": chat}}
                for id, (fim, chat) in self.models.items()]}
        return None

    async def admit(self, connection, path, body, headers):
        for name in body.keys() - self.KNOWN:
            return 422, {"detail": [{"type": "extra_forbidden", "loc": ["body", name],
                                     "msg": "Extra inputs are not permitted"}]}
        if path == "/v1/fim/completions" and not body.get("prompt"):
            return 422, {"detail": [{"type": "missing", "loc": ["body", "prompt"], "msg": "Field required"}]}
        can = (self.models or {"codestral-latest": (True, True)}).get(body.get("model"))
        if not can or path == "/v1/fim/completions" and not can[0]:
            return self.error(400, f"Invalid model: {body.get('model')}", "invalid_model")
        return None


class DeepSeek(Kind):
    generations = ("/beta/completions", "/chat/completions")

    async def answer(self, connection, method, path, body, headers):
        if path == "/models":
            return 200, {"object": "list", "data": [
                {"id": id, "object": "model", "owned_by": "deepseek"} for id in (self.server.model, "deepseek-reasoner")]}
        return None

    async def admit(self, connection, path, body, headers):
        if body.get("model") not in (self.server.model, "deepseek-reasoner"):
            return self.error(400, "Model Not Exist")
        if path == "/beta/completions" and not 1 <= body.get("max_tokens", 4096) <= 4096:
            return self.error(400, "Invalid max_tokens value, the valid range of max_tokens is [1, 4096]")
        return None


class Anthropic(Kind):
    generations = ("/v1/messages",)

    def key_of(self, headers):
        return headers.get("x-api-key")

    def error(self, status, message, kind="invalid_request_error"):
        return status, {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"}

    def unauthorized(self):
        return self.error(401, "invalid x-api-key", "authentication_error")

    async def answer(self, connection, method, path, body, headers):
        if headers.get("anthropic-version") is None:
            return self.error(400, "anthropic-version: header is required")
        if path == "/v1/models":
            return 200, {"data": [{"type": "model", "id": self.server.model, "display_name": "Claude",
                                   "created_at": "2026-01-01T00:00:00Z"}], "has_more": False}
        return None

    async def admit(self, connection, path, body, headers):
        if headers.get("anthropic-version") is None:
            return self.error(400, "anthropic-version: header is required")
        if "max_tokens" not in body:
            return self.error(400, "max_tokens: Field required")
        if "temperature" in body:
            return self.error(400, "`temperature` is deprecated for this model.")
        if any(m["role"] == "system" for m in body["messages"]):
            return self.error(400, "messages: Unexpected role \"system\"")
        if any(not s.strip() for s in body.get("stop_sequences", [])):
            return self.error(400, "stop_sequences: each stop sequence must contain non-whitespace")
        if body.get("model") != self.server.model:
            return self.error(404, f"model: {body.get('model')}", "not_found_error")
        return None


class Messages:
    """The events of one of Anthropic's streams; the counterpart of simulator.py's Dialect."""
    is_ollama = False

    def __init__(self, model, n_prompt):
        self.model, self.n_prompt = model, n_prompt

    def begin(self):
        yield event_of({"type": "message_start", "message": {
            "id": "msg_1", "type": "message", "role": "assistant", "content": [], "model": self.model,
            "stop_reason": None, "usage": {"input_tokens": self.n_prompt, "output_tokens": 1}}}, "message_start")
        yield event_of({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
                       "content_block_start")
        yield event_of({"type": "ping"}, "ping")

    def piece(self, text, n):
        return event_of({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}},
                        "content_block_delta")

    def error(self, message):
        return event_of({"type": "error", "error": {"type": "overloaded_error", "message": message}}, "error")

    def stop_reason(self, reason):
        return {"limit": "max_tokens", "word": "stop_sequence"}.get(reason, "end_turn")

    def end(self, reason, n):
        yield event_of({"type": "content_block_stop", "index": 0}, "content_block_stop")
        yield event_of({"type": "message_delta", "delta": {"stop_reason": self.stop_reason(reason)},
                        "usage": {"output_tokens": n}}, "message_delta")
        yield event_of({"type": "message_stop"}, "message_stop")

    def whole(self, text, reason, n):
        return {"id": "msg_1", "type": "message", "role": "assistant", "model": self.model,
                "content": [{"type": "text", "text": text}], "stop_reason": self.stop_reason(reason),
                "usage": {"input_tokens": self.n_prompt, "output_tokens": n}}


KINDS = {"lmstudio": LmStudio, "vllm": Vllm, "mistral": Mistral, "deepseek": DeepSeek, "anthropic": Anthropic}
