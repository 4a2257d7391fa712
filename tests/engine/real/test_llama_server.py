"""test_llama_server.py - the whole way with a real engine and a real, very small model: text comes,
fits, and costs what it should. What the text says is not judged."""
import json
import time
import urllib.request

import pytest

from client import SLOWNESS, applied, items_of, position_of

TEXT = "int add(int a, int b)\n{\n    return a + b;\n}\n\nint subtract(int a, int b)\n{\n    return "
REST = "\n}\n"


@pytest.fixture
def server(config, start, llama):
    config({"endpoints": [{"name": "llama", "kind": "llamacpp", "url": llama}], "models": {"inline": ["llama/tinycode"]}})
    server = start()
    end = time.monotonic() + 10
    while "ready" not in [e["state"] for e in server.result("crucible/stats")["endpoints"] if e["name"] == "llama"]:
        assert time.monotonic() < end
        time.sleep(0.05)
    server.open("file:///w/a.c", TEXT + REST)
    return server


def ask(server, text=TEXT, trigger=2):
    return server.ask_inline("file:///w/a.c", *position_of(text, len(text), "utf-8"), trigger)


def slots(llama):
    return json.load(urllib.request.urlopen(llama + "/slots", timeout=5))


def test_text_comes_and_fits(server):
    started = time.monotonic()
    items = items_of(server.reply(ask(server))["result"])
    assert time.monotonic() - started < 5
    assert items and items[0]["insertText"].strip()
    assert applied(TEXT + REST, items[0]).startswith(TEXT)
    assert "<|" not in items[0]["insertText"]


def test_second_asking_costs_nothing(server):
    server.reply(ask(server))
    before = server.result("crucible/stats")["upstream"]["exchanges"]
    server.reply(ask(server))
    assert server.result("crucible/stats")["upstream"]["exchanges"] == before


def test_typing_keeps_the_cache_of_the_engine_warm(server):
    """All but the end of the prompt is the same at the next place: the engine has it already."""
    server.reply(ask(server))
    text, version = TEXT, 1
    for piece in ("zz", "(", "qq", ", "):
        version += 1
        line, character = position_of(text, len(text), "utf-8")
        server.change("file:///w/a.c", version, (line, character, line, character, piece))
        text += piece
        server.reply(ask(server, text))
    stats = server.result("crucible/stats")["upstream"]
    assert stats["cachedTokens"] > 0


def test_cancel_frees_the_slot(server, llama):
    for _ in range(5):
        id = ask(server, trigger=1)
        server.notify("$/cancelRequest", {"id": id})
        server.reply(id)
    end = time.monotonic() + 3 * SLOWNESS
    while any(s["is_processing"] for s in slots(llama)):
        assert time.monotonic() < end, "a slot is still busy"
        time.sleep(0.05)


def test_many_places_are_all_answered(server):
    text = TEXT + REST + "".join(f"int f{i}(int a)\n{{\n    return \n}}\n" for i in range(20))
    server.change("file:///w/a.c", 2, text)
    lines = [n for n, line in enumerate(text.split("\n")) if line == "    return "]
    for n in lines:
        message = server.reply(server.ask_inline("file:///w/a.c", n, 11), 10)
        assert "result" in message


def test_open_files_are_learned_by_a_server_of_vectors(config, start, llama, llama_of_vectors):
    """What a model this small says of them isn't judged: that each has a vector, several of one request."""
    config({"endpoints": [{"name": "llama", "kind": "llamacpp", "url": llama},
                          {"name": "vectors", "kind": "llamacpp", "url": llama_of_vectors}],
            "models": {"inline": ["llama/tinycode"], "chat": ["llama/tinycode"], "embed": ["vectors/tinycode"]}})
    server = start()
    for name in ("add", "subtract", "multiply"):
        server.open(f"file:///w/{name}.c", f"int {name}(int a, int b)\n{{\n    return a + b;\n}}\n")
    server.open("file:///w/a.c", TEXT + REST)
    server.reply(ask(server))
    server.wait(lambda: server.result("crucible/stats")["engine"]["embedded"] >= 4, 20 * SLOWNESS)
    assert server.result("crucible/stats")["engine"]["embeddings"] <= 2
    assert server.result("crucible/stats")["upstream"]["failed"] == 0
    server.result("workspace/executeCommand", {"command": "crucible.explain", "arguments": [
        {"uri": "file:///w/a.c", "range": {"start": {"line": 2, "character": 6}, "end": {"line": 2, "character": 6}}}]})
    server.wait(lambda: "explain" in [t["kind"] for t in server.result("crucible/stats")["trace"]], 20 * SLOWNESS)
