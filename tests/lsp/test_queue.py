"""test_queue.py - many questions at a time for a server that takes few: who waits, who doesn't, and who is told."""
import pytest

from client import SLOWNESS, items_of, span
from fixtures import TRUTH, is_ready, settings_for
from simulator import Simulator
from test_actions import IN_SUM, TEXT, URI, command, params_with

LONG = "It adds up **n** numbers, one after the other.\n" * 4


@pytest.fixture(params=[1, 2])
def busy(request, config, start):
    """A server whose model has one slot or two, and the model."""
    with Simulator([TRUTH], slots=request.param) as sim:
        config({**settings_for(sim), "models": {"inline": ["sim/tinycode"], "chat": ["sim/tinycode"]}})
        server = start(params=params_with(answers=True))
        assert sim.wait(lambda: is_ready(server), 10 * SLOWNESS)
        server.open(URI, TEXT)
        yield server, sim


def queue_of(server):
    return server.result("crucible/stats")["queue"]


def answers(server):
    return [m["params"] for m in server.received("crucible/answer") if m["params"]["done"]]


def chats(sim):
    return [e for e in sim.generations if "chat" in e["path"]]


def test_actions_wait_for_one_another_and_say_so(busy):
    server, sim = busy
    sim.script(text=LONG, token_ms=20)
    command(server, "explain", IN_SUM)
    command(server, "explain", span(0, 0, 12, 0))
    server.wait(lambda: any("waits until sim/tinycode is free" in str(m["params"]["value"].get("message"))
                            for m in server.received("$/progress")), 10 * SLOWNESS, "the word for it")
    assert sim.wait(lambda: chats(sim), 5 * SLOWNESS) and len(chats(sim)) == 1
    server.wait(lambda: len(answers(server)) == 2, 20 * SLOWNESS, "both answers")
    assert all(a["text"].strip() == LONG.strip() for a in answers(server))
    queue = queue_of(server)
    assert queue["waited"] == 1 and queue["waitedMs"]["max"] >= 20 and queue["dropped"] == 0
    assert any("for a free slot" in t["why"] for t in server.result("crucible/stats")["trace"])


def test_action_that_waits_can_be_cancelled(busy):
    server, sim = busy
    sim.script(text=LONG, token_ms=20)
    command(server, "explain", IN_SUM)
    command(server, "explain", span(0, 0, 12, 0))
    server.wait(lambda: queue_of(server)["waiting"] == 1, 10 * SLOWNESS, "the second one to wait")
    token = [m["params"]["token"] for m in server.received("$/progress") if m["params"]["value"]["kind"] == "begin"][1]
    server.notify("window/workDoneProgress/cancel", {"token": token})
    server.wait(lambda: queue_of(server)["running"] == 0 and queue_of(server)["waiting"] == 0, 20 * SLOWNESS, "the end")
    assert len(chats(sim)) == 1


def test_typing_goes_out_while_an_action_runs(busy, document):
    server, sim = busy
    uri, text, line, character = document("    return ", "count;")
    server.open(uri, text)
    sim.script({"text": LONG * 50, "token_ms": 20}, {})
    command(server, "explain", IN_SUM)
    assert sim.wait(lambda: len(chats(sim)) == 1, 10 * SLOWNESS)
    request = server.ask_inline(uri, line, character)
    assert sim.wait(lambda: len(sim.generations) == 2, 10 * SLOWNESS), "the keystroke waits for the action"
    message = server.reply(request, 10 * SLOWNESS)
    if queue_of(server)["places"] == [{"endpoint": "sim", "n": 2}]:  # else the server itself makes it wait
        assert items_of(message["result"])[0]["insertText"].startswith("count;")
    assert not answers(server)
