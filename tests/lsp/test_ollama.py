"""test_ollama.py - a server that loads models when they are asked for: nothing that is typed may load
one, and nothing that is typed may stop a load."""
import time

import pytest

from client import SLOWNESS, applied
from fixtures import TRUTH
from simulator import Simulator

HOLE = ("    return ", "count;")


@pytest.fixture
def ollama():
    with Simulator([TRUTH], kind="ollama") as simulator:
        yield simulator


def settings(sim, *models, **more):
    return {"endpoints": [{"name": "ollama", "kind": "ollama", "url": sim.url}],
            **({"models": {"inline": list(models)}} if models else {}), **more}


def endpoint(server):
    return next(e for e in server.result("crucible/stats")["endpoints"] if e["name"] == "ollama")


def models(server):
    return {m["id"]: m for m in endpoint(server)["models"]}


def is_loaded(server, model="tinycode:latest"):
    return models(server).get(model, {}).get("loaded", False)


@pytest.fixture
def server(config, start, ollama):
    """Started, and its look at the endpoints is over."""
    def run(*names, is_warm=True, **more):
        config(settings(ollama, *names, **more))
        server = start()
        assert ollama.wait(lambda: endpoint(server)["state"] == "ready", 10 * SLOWNESS)
        if is_warm:
            assert ollama.wait(lambda: is_loaded(server), 10 * SLOWNESS)
        return server
    return run


def test_suggestion_is_what_comes_next(server, ollama, document):
    server = server("ollama/tinycode")
    uri, text, line, character = document(*HOLE)
    server.open(uri, text)
    items = server.inline(uri, line, character)
    assert items and applied(text, items[0]) == TRUTH
    assert not server.inline(uri, 0, 0) or ollama.generations  # the start of a file asks as well
    for entry in ollama.generations:
        body = entry["body"]
        assert entry["path"] == "/api/generate" and body["stream"] is True
        assert body["prompt"] and body["suffix"] and body["keep_alive"] == 600
        assert set(body["options"]) <= {"num_predict", "temperature", "stop"}
    assert ollama.shelf.n_loads == 1 and ollama.shelf.n_reloads == 0


def test_model_is_loaded_before_anybody_types(server, ollama):
    server = server()
    loads = [e for e in ollama.log if e["is_load"]]
    assert [e["body"]["model"] for e in loads] == ["tinycode:latest"]
    assert "prompt" not in loads[0]["body"] and ollama.generations == []
    assert server.result("crucible/stats")["endpoints"]


def test_preloading_can_be_switched_off(server, ollama, document):
    server = server(is_warm=False, residency={"preloadEnabled": False, "modelTtl": 0})
    time.sleep(0.2)
    assert ollama.shelf.n_loads == 0
    uri, text, line, character = document(*HOLE)
    server.open(uri, text)
    items = server.inline(uri, line, character)
    assert items and applied(text, items[0]) == TRUTH  # it was loaded for this one
    assert all("keep_alive" not in e["body"] for e in ollama.log if e["path"] == "/api/generate")


def test_typing_neither_waits_for_a_load_nor_stops_it(server, ollama, document):
    ollama.shelf.load_ms = 600 * SLOWNESS
    server = server("ollama/tinycode", is_warm=False)
    uri, text, line, character = document(*HOLE)
    server.open(uri, text)
    assert ollama.wait(lambda: ollama.shelf.n_loads == 1)
    for n in range(6):
        id = server.ask_inline(uri, line, character, 1)
        server.change(uri, n + 2, (line, character, line, character, "c" if n % 2 == 0 else ""))
        if n % 2 == 1:
            server.change(uri, n + 20, (line, character, line, character + 1, ""))
        server.notify("$/cancelRequest", {"id": id})
        server.reply(id)
    assert ollama.wait(lambda: is_loaded(server), 10 * SLOWNESS)
    assert ollama.shelf.n_loads == 1 and ollama.shelf.n_aborted == 0
    assert ollama.generations == []


def test_question_waits_for_the_load_and_is_answered(server, ollama, document):
    ollama.shelf.load_ms = 400
    server = server("ollama/tinycode", is_warm=False)
    uri, text, line, character = document(*HOLE)
    server.open(uri, text)
    items = server.inline(uri, line, character)
    assert items and applied(text, items[0]) == TRUTH
    assert ollama.shelf.n_loads == 1


def test_failed_load_is_said_and_not_repeated(server, ollama, document):
    ollama.shelf.load_error = "model requires more system memory (5.6 GiB) than is available (3.2 GiB)"
    server = server("ollama/tinycode", is_warm=False)
    uri, text, line, character = document(*HOLE)
    server.open(uri, text)
    assert ollama.wait(lambda: ollama.shelf.n_loads == 1)
    for _ in range(3):
        assert server.inline(uri, line, character) == []
    assert ollama.shelf.n_loads == 1
    assert "requires more system memory" in str(server.result("crucible/stats"))


def test_forwarded_model_is_left_alone_unless_the_users_file_names_it(server, ollama, document):
    ollama.shelf.models = [{"name": "tinycode:cloud", "capabilities": ["completion", "insert"],
                            "remote_model": "tinycode", "remote_host": "https://ollama.com:443"}]
    found = server(is_warm=False)
    uri, text, line, character = document(*HOLE)
    found.open(uri, text)
    assert found.inline(uri, line, character) == []
    assert ollama.generations == [] and ollama.shelf.n_loads == 0
    named = server("ollama/tinycode:cloud", is_warm=False)
    named.open(uri, text)
    assert named.inline(uri, line, character)
    assert ollama.shelf.n_loads == 0  # there is nothing to load


def test_forwarded_model_of_a_project_is_not_used(config, start, ollama, document):
    ollama.shelf.models = [{"name": "tinycode:cloud", "capabilities": ["completion", "insert"],
                            "remote_model": "tinycode", "remote_host": "https://ollama.com:443"}]
    config(settings(ollama))
    server = start(initializationOptions={"models": {"inline": ["ollama/tinycode:cloud"]}})
    assert ollama.wait(lambda: endpoint(server)["state"] == "ready", 10 * SLOWNESS)
    uri, text, line, character = document(*HOLE)
    server.open(uri, text)
    assert server.inline(uri, line, character) == []
    assert ollama.generations == []


def test_model_without_a_place_for_the_suffix_gets_a_rendered_prompt(server, ollama, document):
    ollama.shelf.models = [{"name": "qwen2.5-coder:1.5b", "capabilities": ["completion", "thinking"]}]
    server = server(is_warm=False)
    assert ollama.wait(lambda: is_loaded(server, "qwen2.5-coder:1.5b"), 10 * SLOWNESS)
    uri, text, line, character = document(*HOLE)
    server.open(uri, text)
    items = server.inline(uri, line, character)
    assert items and applied(text, items[0]) == TRUTH
    body = ollama.generations[0]["body"]
    assert body["raw"] is True and body["think"] is False and "suffix" not in body
    assert body["prompt"].startswith("<|fim_prefix|>")


def test_control_tokens_of_the_text_arent_sent_as_such(server, ollama, document):
    server = server("ollama/tinycode")
    text = 'static const char *token = "<|fim_middle|>";\nint x = ;\n'
    server.open("file:///w/t.c", text)
    server.inline("file:///w/t.c", 1, 8)
    assert ollama.generations and "<|fim_middle|>" not in ollama.generations[0]["body"]["prompt"]


def test_older_servers_are_asked_about_each_model(server, ollama):
    ollama.shelf.is_old = True
    ollama.shelf.models.append({"name": "chat:7b", "capabilities": ["completion"]})
    server()
    assert [e["body"]["model"] for e in ollama.log if e["path"] == "/api/show"] == ["tinycode:latest", "chat:7b"]


def test_new_model_is_found_when_one_is_missed(server, ollama, document):
    missed, ollama.shelf.models = ollama.shelf.models, []
    server = server(is_warm=False)
    uri, text, line, character = document(*HOLE)
    server.open(uri, text)
    assert server.inline(uri, line, character) == []
    assert "ollama pull" in str(server.result("crucible/stats"))
    ollama.shelf.models = missed
    end = time.monotonic() + 10 + 5 * SLOWNESS
    while not models(server):  # at most every ten seconds
        assert time.monotonic() < end
        server.inline(uri, line, character)
        time.sleep(0.5)
    assert server.inline(uri, line, character)


@pytest.mark.parametrize("script,is_answered", [({"no_end": True}, True), ({"error_after": 2}, False),
                                                ({"slice": 3}, True), ({"cut_at": 120}, False)])
def test_faults_of_the_stream(server, ollama, document, script, is_answered):
    server = server("ollama/tinycode")
    ollama.script(**script)
    uri, text, line, character = document(*HOLE)
    server.open(uri, text)
    items = server.inline(uri, line, character)
    if is_answered:
        assert items and applied(text, items[0]) == TRUTH
    ollama.script()
    assert ollama.wait(lambda: bool(server.inline(uri, line, character)), 5 * SLOWNESS)


def test_context_is_the_same_in_everything_that_is_asked(server, ollama, document):
    """Another number than the one that it was loaded with loads a model anew."""
    server = server("ollama/tinycode", modelOptions={"ollama/*": {"numCtx": 8192}})
    uri, text, line, character = document(*HOLE)
    server.open(uri, text)
    assert server.inline(uri, line, character)
    server.notify("workspace/executeCommand", {"command": "crucible.explain", "arguments": [
        {"uri": uri, "range": {"start": {"line": line, "character": 6}, "end": {"line": line, "character": 6}}}]})
    assert ollama.wait(lambda: any(e["path"] == "/api/chat" for e in ollama.generations), 10 * SLOWNESS)
    asked = [e["body"] for e in ollama.log if e["path"] in ("/api/generate", "/api/chat")]
    assert len(asked) >= 3 and {b["options"]["num_ctx"] for b in asked} == {8192}
    assert ollama.shelf.n_reloads == 0


def test_context_isnt_sent_unless_it_is_set(server, ollama, document):
    server = server("ollama/tinycode")
    uri, text, line, character = document(*HOLE)
    server.open(uri, text)
    assert server.inline(uri, line, character)
    assert not any("num_ctx" in (e["body"] or {}).get("options", {}) for e in ollama.log if isinstance(e["body"], dict))
