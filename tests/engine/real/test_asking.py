"""test_asking.py - what a person asks of a real, very small model: each action from the title to the edit, an
explanation and its hover, with a real llama-server and a real Ollama. What the text says is not judged: it is
applied in its place, or refused in words, and never half of it."""
import json
import subprocess
import time

import pytest

from client import BINARY, SLOWNESS, initialize_params, offset_of, span

URI = "file:///w/list.c"
TEXT = """#include <stddef.h>

struct node {
    struct node *next;
    int value;
};

size_t list_length(const struct node *head)
{
    size_t n = 0;
    while (head != NULL) {
        head = head->nxt;
        n++;
    }
    return n;
}
"""
BLOCK = TEXT[TEXT.index("size_t list_length"):].rstrip("\n")
REPORT = [{"range": span(11, 21, 11, 24), "message": "no member named 'nxt' in 'struct node'"}]
# A very small model never ends by itself: what it is stopped by is the person's to say.
OPTIONS = {"temperature": 0, "stop": ["\n\n"]}


@pytest.fixture(params=["llama", "ollama"])
def engine(request):
    if request.param == "llama":
        return {"name": "real", "kind": "llamacpp", "url": request.getfixturevalue("llama")}, "real/tinycode"
    ollama = request.getfixturevalue("ollama")
    ollama.unload()
    return {"name": "real", "kind": "ollama", "url": ollama.url}, "real/tinychat:latest"


def settings_of(engine, **more):
    endpoint, model = engine
    return {"endpoints": [endpoint], "models": {"inline": ["real/tinycode"], "chat": [model]},
            "modelOptions": {"real/tinychat*": OPTIONS, "real/tinycode": OPTIONS}, **more}


@pytest.fixture
def server(config, start, engine):
    config(settings_of(engine))
    params = initialize_params()
    capabilities = params["capabilities"]
    capabilities["textDocument"]["codeAction"] = {
        "dataSupport": True, "resolveSupport": {"properties": ["edit", "command"]},
        "codeActionLiteralSupport": {"codeActionKind": {"valueSet": [""]}}}
    capabilities["textDocument"]["hover"] = {"contentFormat": ["markdown"]}
    capabilities["experimental"] = {"crucible": {"answers": True}}
    server = start(params=params)
    server.open(URI, TEXT)
    return server


def ended(server):
    return [m["params"]["value"] for m in server.received("$/progress") if m["params"]["value"]["kind"] == "end"]


def ask(server, name, where, **more):
    """The document after the action, or the words in which it was refused."""
    before = len(ended(server)), len(server.received("workspace/applyEdit")), len(server.received("window/showMessage"))
    server.result("workspace/executeCommand", {"command": f"crucible.{name}", "arguments": [
        {"uri": URI, "range": where, **more}]})
    server.wait(lambda: len(ended(server)) > before[0], 60 * SLOWNESS, "the end")
    server.barrier()
    edits = server.received("workspace/applyEdit")[before[1]:]
    said = server.received("window/showMessage")[before[2]:]
    assert len(edits) + len(said) == 1
    if said:
        return None, said[0]["params"]["message"]
    change = edits[0]["params"]["edit"]["documentChanges"][0]["edits"][0]
    start, end = (offset_of(TEXT, change["range"][k], "utf-8") for k in ("start", "end"))
    return TEXT[:start] + change["newText"] + TEXT[end:], None


@pytest.mark.parametrize("name, more", [("fix", {"diagnostics": REPORT}), ("refactor", {"instruction": "use a for loop"}),
                                        ("document", {}), ("tests", {})])
def test_action_is_applied_in_its_place_or_refused_in_words(server, name, more):
    text, refusal = ask(server, name, span(11, 9, 11, 9), **more)
    if text is None:
        assert refusal.startswith("Crucible, ") and ("nothing was changed" in refusal or "as it is" in refusal), refusal
        return
    head = TEXT[:TEXT.index(BLOCK)]
    assert text.startswith(head) and text.endswith("\n"), "outside of the range nothing has changed"
    assert text != TEXT and "```" not in text.replace("\\`", "")
    if name in ("document", "tests"):
        assert BLOCK in text


def test_explanation_grows_and_is_known_on_hover(server):
    server.result("workspace/executeCommand", {"command": "crucible.explain", "arguments": [
        {"uri": URI, "range": span(7, 9, 7, 9)}]})
    done = server.wait(lambda: [m["params"] for m in server.received("crucible/answer") if m["params"]["done"]],
                       60 * SLOWNESS)[0]
    assert done["text"].strip() and "error" not in done
    hover = server.result("textDocument/hover", {"textDocument": {"uri": URI}, "position": {"line": 7, "character": 9}})
    if "broke off" not in done["text"]:  # only what is whole is kept
        assert hover["contents"]["value"] == done["text"].rstrip()


def test_typing_is_served_while_an_explanation_streams(server):
    server.result("workspace/executeCommand", {"command": "crucible.explain", "arguments": [
        {"uri": URI, "range": span(0, 0, 15, 0)}]})
    id = server.ask_inline(URI, 9, 17)
    assert "result" in server.reply(id, 20)


def test_cancel_ends_it_at_the_server(server, engine):
    for _ in range(3):
        server.result("workspace/executeCommand", {"command": "crucible.explain", "arguments": [
            {"uri": URI, "range": span(0, 0, 15, 0)}]})
        token = server.wait(lambda: server.received("$/progress"), 20)[-1]["params"]["token"]
        server.notify("window/workDoneProgress/cancel", {"token": token})
        server.barrier()
    end = time.monotonic() + 20 * SLOWNESS
    while server.result("crucible/stats")["upstream"]["active"]:
        assert time.monotonic() < end
        time.sleep(0.05)


def test_ask_in_the_terminal(engine, env, home, config):
    config(settings_of(engine))
    path = home / "work" / "list.c"
    path.write_text(TEXT)
    done = subprocess.run([BINARY, "ask", f"{path}:12", "--json"], env=env, capture_output=True, text=True, timeout=120,
                          check=False)
    answer = json.loads(done.stdout)
    assert done.returncode == 0, done.stderr
    assert answer["action"] == "explain" and answer["text"].strip() and answer["model"].startswith("real/")
    assert (answer["startLine"], answer["endLine"]) == (8, 16)
