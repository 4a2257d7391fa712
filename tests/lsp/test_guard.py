"""test_guard.py - a model server that fails, is busy, goes and comes back, as its user sees it."""
import time

from client import SLOWNESS, items_of
from fixtures import TRUTH, is_ready
from simulator import Simulator


def figures(server):
    return server.result("crucible/stats")["upstream"]


def keystrokes(server, uri, text, line, character, n):
    """Types a character and asks, n times; every request is answered."""
    for i in range(n):
        text = text[:1] + "/" + text[1:]
        server.notify("textDocument/didChange", {"textDocument": {"uri": uri, "version": i + 2},
                                                 "contentChanges": [{"text": text}]})
        message = server.reply(server.ask_inline(uri, line, character), 10 * SLOWNESS)
        assert "result" in message or "error" in message, message


def test_server_that_keeps_failing_is_left_alone(served, sim, document):
    server = served()
    uri, text, line, character = document("    return ", "count;")
    server.open(uri, text)
    sim.script(status=500)
    started = time.monotonic()
    keystrokes(server, uri, text, line, character, 40)
    took = time.monotonic() - started
    asked = len(sim.generations)
    # five until it is left alone, then one trial for each pause: 0.5, 1, 1.5 s ... a fifth less or more
    assert 5 <= asked <= 5 + 3 + took / 0.4, (asked, took)
    upstream = figures(server)
    assert upstream["breakerOpened"] >= 1 and upstream["failed"] == asked, upstream
    sim.script({})
    assert sim.wait(lambda: items_of(server.reply(server.ask_inline(uri, line, character, trigger=1), 10).get("result"))
                    or time.sleep(0.2), 20), "no recovery"


def test_cancelling_never_counts(served, sim, document):
    server = served()
    uri, text, line, character = document("    return ", "count;")
    server.open(uri, text)
    sim.script(stall_at=0)
    keystrokes(server, uri, text, line, character, 3)
    for _ in range(30):
        request = server.ask_inline(uri, line, character)
        server.notify("$/cancelRequest", {"id": request})
        server.reply(request, 10 * SLOWNESS)
    assert figures(server)["breakerOpened"] == 0


def test_server_that_was_gone_is_back_while_one_types(config, start, document):
    with Simulator([TRUTH]) as sim:
        port = sim.port
        config({"endpoints": [{"name": "sim", "kind": "llamacpp", "url": sim.url}], "models": {"inline": ["sim/tinycode"]}})
        server = start()
        assert sim.wait(lambda: is_ready(server), 10 * SLOWNESS)
    uri, text, line, character = document("    return ", "count;")
    server.open(uri, text)
    end = time.monotonic() + 14  # long enough for looks in vain to be 20 s apart by themselves
    while time.monotonic() < end:
        server.reply(server.ask_inline(uri, line, character), 10 * SLOWNESS)
        time.sleep(0.2)
    with Simulator([TRUTH], port) as sim:
        back = time.monotonic()
        assert sim.wait(lambda: (server.reply(server.ask_inline(uri, line, character), 10 * SLOWNESS), is_ready(server))[1]
                        or time.sleep(0.1), 4 * SLOWNESS), f"not back {time.monotonic() - back:.1f} s later"
