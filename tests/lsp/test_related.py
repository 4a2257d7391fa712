"""test_related.py - what other open files hold goes with a person's question, where a model says that it means the
same: in one exchange, in a pause, and only to who is named for it."""
import time

from client import SLOWNESS
from test_actions import BLOCK, TEXT, URI, command, editor, fenced, shown  # noqa: F401

ADDING = "int plus(int a, int b)\n{\n    return add(a, b);\n}\n"
WINDOW = "void show(void)\n{\n    open_window();\n}\n"
RANGE = {"start": {"line": 6, "character": 10}, "end": {"line": 6, "character": 10}}
EMBED = {"models": {"inline": ["sim/tinycode"], "chat": ["sim/tinycode"], "embed": ["sim/tinycode"]}}


def asked_for_vectors(sim):
    return [e for e in sim.log if e["path"] == "/v1/embeddings"]


def learned(server, n):
    server.wait(lambda: server.result("crucible/stats")["engine"]["embedded"] >= n, 15 * SLOWNESS)


def open_all(server):
    server.open("file:///w/plus.c", ADDING)
    server.open("file:///w/show.c", WINDOW)
    server.open("file:///w/id_rsa", "add the secret\n")


def explain(server, sim):
    sim.script(text="It adds.")
    command(server, "explain", RANGE)
    server.wait(lambda: sim.generations and "messages" in sim.generations[-1]["body"], 10 * SLOWNESS)
    return sim.generations[-1]["body"]["messages"][-1]["content"]


def test_code_that_means_the_same_goes_with_the_question(editor, sim):  # noqa: F811
    server = editor(settings=EMBED)
    open_all(server)
    server.result("textDocument/hover", {"textDocument": {"uri": URI}, "position": RANGE["start"]})
    learned(server, 3)
    requests = asked_for_vectors(sim)
    assert len(requests) == 1 and len(requests[0]["body"]["input"]) >= 3, "several texts in one request"
    assert "secret" not in str(requests), "what is excluded stays out"
    message = explain(server, sim)
    assert "Code of plus.c that may belong to it" in message and ADDING in message
    assert WINDOW not in message and "secret" not in message
    stats = server.result("crucible/stats")
    assert stats["engine"]["related"] == 1
    assert "with code of other files (1)" in [t["why"] for t in stats["trace"] if t["kind"] == "explain"][0]


def test_nobody_is_asked_for_vectors_who_is_not_named(editor, sim):  # noqa: F811
    server = editor()
    open_all(server)
    server.result("textDocument/hover", {"textDocument": {"uri": URI}, "position": RANGE["start"]})
    time.sleep(3 * SLOWNESS)
    assert "may belong to it" not in explain(server, sim)
    assert not asked_for_vectors(sim)


def test_question_does_not_wait_for_vectors(editor, sim):  # noqa: F811
    server = editor(settings=EMBED)
    open_all(server)
    message = explain(server, sim)
    assert BLOCK.strip() in message and "may belong to it" not in message


def test_server_without_vectors_is_left_alone_and_the_question_answered(editor, sim):  # noqa: F811
    server = editor(settings=EMBED)
    open_all(server)
    sim.script(status=501, body={"error": {"code": 501, "message": "This server does not support embeddings"}})
    server.result("textDocument/hover", {"textDocument": {"uri": URI}, "position": RANGE["start"]})
    server.wait(lambda: asked_for_vectors(sim), 15 * SLOWNESS)
    time.sleep(1)
    assert len(asked_for_vectors(sim)) <= 2, "not again at once"
    assert BLOCK.strip() in explain(server, sim)
