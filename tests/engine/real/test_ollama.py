"""test_ollama.py - the whole way with a real Ollama and a real, very small model. Skipped where there is
none: $OLLAMA names the program, else it is looked for in $PATH. What the text says is not judged."""
import time

import pytest

from client import SLOWNESS, applied, items_of, position_of
from terminal import run_json

TEXT = "int add(int a, int b)\n{\n    return a + b;\n}\n\nint subtract(int a, int b)\n{\n    return "
REST = "\n}\n"


@pytest.fixture
def server(config, start, ollama):
    ollama.unload()
    config({"endpoints": [{"name": "ollama", "kind": "ollama", "url": ollama.url}],
            "models": {"inline": ["ollama/tinycode"]}})
    server = start()
    wait_until(lambda: "tinycode:latest" in ollama.running())
    wait_until(lambda: models(server).get("tinycode:latest", {}).get("loaded"))
    server.open("file:///w/a.c", TEXT + REST)
    return server


def models(server):
    endpoint = next(e for e in server.result("crucible/stats")["endpoints"] if e["name"] == "ollama")
    return {m["id"]: m for m in endpoint["models"]}


def wait_until(is_so, timeout=20):
    end = time.monotonic() + timeout * SLOWNESS
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.02)


def ask(server, text=TEXT, trigger=2):
    return server.ask_inline("file:///w/a.c", *position_of(text, len(text), "utf-8"), trigger)


def test_model_is_loaded_at_the_start_and_text_fits(server):
    started = time.monotonic()
    items = items_of(server.reply(ask(server))["result"])
    assert time.monotonic() - started < 5
    assert items and items[0]["insertText"].strip()
    assert applied(TEXT + REST, items[0]).startswith(TEXT)
    assert "<|" not in items[0]["insertText"]


def test_what_the_server_says_of_its_models_is_known(server):
    told = models(server)
    assert told["tinycode:latest"]["params"] == 4200000 and told["tinycode:latest"]["context"] == 4096
    assert not told["tinychat:latest"]["loaded"]


def test_neither_end_of_a_file_is_taken_for_an_order_or_a_chat(server, ollama):
    for text, where in (("\nint x;\n", 0), (TEXT, len(TEXT))):
        server.open("file:///w/b.c", text)
        line, character = position_of(text, where, "utf-8")
        assert "result" in server.reply(server.ask_inline("file:///w/b.c", line, character))
        server.notify("textDocument/didClose", {"textDocument": {"uri": "file:///w/b.c"}})
    assert ollama.running() == ["tinycode:latest"]


def test_typing_doesnt_reload_and_cancels_are_harmless(server, ollama):
    began = ollama.call("GET", "/api/ps")[1][0]["models"][0]["size"]
    text, version = TEXT, 1
    for piece in "zz(qq, x)":
        version += 1
        line, character = position_of(text, len(text), "utf-8")
        server.change("file:///w/a.c", version, (line, character, line, character, piece))
        text += piece
        id = ask(server, text, 1)
        if version % 2:
            server.notify("$/cancelRequest", {"id": id})
        server.reply(id)
    assert ollama.running() == ["tinycode:latest"]
    assert ollama.call("GET", "/api/ps")[1][0]["models"][0]["size"] == began


def test_unloaded_model_is_noticed_and_loaded_again(server, ollama):
    """After a pause the server is asked first: a question never loads a model."""
    server.reply(ask(server))
    ollama.unload()
    time.sleep(21)
    text = TEXT.replace("subtract", "difference")
    server.change("file:///w/a.c", 2, text + REST)
    items = items_of(server.reply(ask(server, text), 30)["result"])
    assert items and "tinycode:latest" in ollama.running()
    assert "is ollama/tinycode:latest still loaded?" in str(server.result("crucible/stats"))


def test_doctor_sees_who_else_loads_it(config, env, home, ollama):
    """A model that another program has loaded with its own context is loaded anew for ours."""
    ollama.unload()
    ollama.call("POST", "/api/generate", {"model": "tinycode", "options": {"num_ctx": 2048}})
    settings = {"endpoints": [{"name": "ollama", "kind": "ollama", "url": ollama.url}]}
    config({**settings, "modelOptions": {"ollama/*": {"numCtx": 4096}}})
    code, findings, _ = run_json(["doctor"], env, home / "work", timeout=110)
    found = {f["id"]: f for f in findings}
    assert code == 0 and "2048 tokens" in found["contention"]["finding"] and "4096" in found["contention"]["finding"]
    ollama.unload()
    config(settings)
    code, findings, _ = run_json(["doctor"], env, home / "work", timeout=110)
    found = {f["id"]: f for f in findings}
    assert code == 0 and "loaded now" in found["load"]["finding"] and "contention" not in found
    ollama.unload()
