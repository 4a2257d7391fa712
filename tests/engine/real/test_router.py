"""test_router.py - the whole way with a real llama-server in router mode: two copies of a small model, of
which one at a time may be loaded, and a file that is none."""
import http.client
import json
import shutil
import socket
import subprocess
import time

import pytest

import conftest
from client import SLOWNESS, applied, items_of, position_of

TEXT = "int add(int a, int b)\n{\n    return a + b;\n}\n\nint subtract(int a, int b)\n{\n    return "
REST = "\n}\n"


class Router:
    def __init__(self, port):
        self.port, self.url = port, f"http://127.0.0.1:{port}"

    def call(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request(method, path, json.dumps(body) if body else None, {"Content-Type": "application/json"})
        response = connection.getresponse()
        status, answer = response.status, json.loads(response.read())
        connection.close()
        return status, answer

    def states(self):
        return {m["id"]: m["status"]["value"] for m in self.call("GET", "/models")[1]["data"]}

    def take(self, model):
        """Has another model loaded, as another program would; a busy one can't make room yet."""
        end = time.monotonic() + 20
        while self.states()[model] != "loaded":
            assert time.monotonic() < end, self.states()
            self.call("POST", "/models/load", {"model": model})
            time.sleep(0.2)

    def unload(self):
        """Nothing is loaded afterwards."""
        end = time.monotonic() + 20
        while (states := self.states()) and any(state != "unloaded" for state in states.values()):
            assert time.monotonic() < end, states
            for model in (m for m, state in states.items() if state == "loaded"):
                self.call("POST", "/models/unload", {"model": model})
            time.sleep(0.05)


@pytest.fixture(scope="session")
def llama_router(tmp_path_factory, model_path):
    folder = tmp_path_factory.mktemp("models")
    for name in ("tinycode-a", "tinycode-b"):
        shutil.copy(model_path, folder / f"{name}.gguf")
    (folder / "tinycode-broken.gguf").write_bytes(b"no model")
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    process = subprocess.Popen([conftest.program, "--models-dir", folder, "--models-max", "1", "--host", "127.0.0.1",
                                "--port", str(port), "-t", "1", "-c", "4096"],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    router = Router(port)
    try:
        for _ in range(600):
            assert process.poll() is None, "llama-server has ended by itself"
            try:
                if router.call("GET", "/health")[0] == 200:
                    break
            except OSError:
                time.sleep(0.05)
        yield router
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture
def serve(config, start, llama_router, llama):
    del llama  # the fixture's name asks for a llama-server
    llama_router.unload()

    def run(*names):
        config({"endpoints": [{"name": "it", "kind": "llamacpp", "url": llama_router.url}],
                "models": {"inline": [f"it/{name}" for name in names]}})
        server = start()
        wait_until(lambda: endpoint(server)["state"] == "ready")
        server.open("file:///w/a.c", TEXT + REST)
        return server
    return run


def endpoint(server):
    return next(e for e in server.result("crucible/stats")["endpoints"] if e["name"] == "it")


def loaded(server):
    return [m["id"] for m in endpoint(server)["models"] if m["loaded"]]


def wait_until(is_so, timeout=20):
    end = time.monotonic() + timeout * SLOWNESS
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.02)


def ask(server, text=TEXT):
    return items_of(server.reply(server.ask_inline("file:///w/a.c", *position_of(text, len(text), "utf-8"), 2), 30)["result"])


def test_model_is_loaded_by_an_order_and_text_fits(serve, llama_router):
    server = serve("tinycode-a")
    wait_until(lambda: loaded(server) == ["tinycode-a"])
    assert llama_router.states()["tinycode-a"] == "loaded"
    items = ask(server)
    assert items and items[0]["insertText"].strip()
    assert applied(TEXT + REST, items[0]).startswith(TEXT)
    assert "<|" not in items[0]["insertText"]


def test_question_that_finds_its_model_gone_loads_nothing_itself(serve, llama_router):
    """Another program has had the other model loaded since: the question is refused and loads nothing; the
    order that follows does."""
    server = serve("tinycode-a")
    wait_until(lambda: loaded(server) == ["tinycode-a"])
    assert ask(server)
    llama_router.take("tinycode-b")
    assert llama_router.states()["tinycode-a"] == "unloaded"
    text = TEXT.replace("subtract", "difference")
    server.change("file:///w/a.c", 2, text + REST)
    ask(server, text)
    assert "the router has unloaded this model meanwhile" in json.dumps(server.result("crucible/stats"))
    end = time.monotonic() + 5 * SLOWNESS  # what is loaded was asked about at once
    while not (items := ask(server, text)):
        assert time.monotonic() < end
        time.sleep(0.1)
    assert applied(text + REST, items[0]).startswith(text)
    assert llama_router.states()["tinycode-a"] == "loaded"


def test_model_that_is_loaded_already_is_as_good(serve, llama_router):
    llama_router.call("POST", "/models/load", {"model": "tinycode-a"})  # under way when we look
    server = serve("tinycode-a")
    wait_until(lambda: loaded(server) == ["tinycode-a"])
    status, answer = llama_router.call("POST", "/models/load", {"model": "tinycode-a"})
    assert status == 400 and "already running" in answer["error"]["message"]
    assert ask(server)


def test_file_that_is_no_model_is_given_up_with_a_reason(serve):
    server = serve("tinycode-broken")
    wait_until(lambda: "tinycode-broken can't be loaded: the server gave up loading it" in
               server.result("crucible/status")["message"])
    assert ask(server) == []


def test_next_model_of_the_list_serves_where_the_first_is_none(serve):
    server = serve("tinycode-broken", "tinycode-b")
    wait_until(lambda: bool(ask(server)))
    assert loaded(server) == ["tinycode-b"]
