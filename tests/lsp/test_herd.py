"""test_herd.py - many editors at one model server: when it comes back they don't trample it."""
import socket
import time

from client import SLOWNESS, applied
from fixtures import TRUTH, is_ready
from simulator import Simulator

N = 8
LOOK = 4  # requests that a look takes: /props, /v1/models, /tokenize, and one that may come with a new connection


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def test_a_server_that_comes_back_is_looked_at_and_asked_by_each_once(config, start, document):
    port = free_port()
    config({"endpoints": [{"name": "sim", "kind": "llamacpp", "url": f"http://127.0.0.1:{port}"}],
            "models": {"inline": ["sim/tinycode"]}})
    uri, text, line, character = document("    return ", "count;")
    editors = [start() for _ in range(N)]
    for editor in editors:
        editor.open(uri, text)
        assert editor.inline(uri, line, character) == [], "nobody is there, and nobody waits"
    with Simulator([TRUTH], port=port) as sim:
        came = time.monotonic()
        assert sim.wait(lambda: all(is_ready(e) for e in editors), 12), "all know within its time"
        took = time.monotonic() - came
        for editor in editors:
            items = editor.inline(uri, line, character, trigger=1)
            assert items and applied(text, items[0]) == TRUTH
        looks = [e for e in sim.log if e not in sim.generations]
        assert took < 12 * SLOWNESS and len(looks) <= N * LOOK, [e["path"] for e in looks]
        assert len(sim.generations) <= N, "what one has heard of the others on this machine may serve it too"
        time.sleep(1)
        assert len(sim.log) <= N * (LOOK + 1), "and then there is quiet"


def test_many_that_ask_a_busy_server_at_once_are_all_answered(config, start, sim, document):
    """It serves one at a time: who would come too late isn't sent, or is silent in time."""
    sim.slots = 1
    sim.script(first_ms=150)
    config({"endpoints": [{"name": "sim", "kind": "llamacpp", "url": sim.url}], "models": {"inline": ["sim/tinycode"]},
            "cache": {"disk": False}})
    uri, text, line, character = document("    return ", "count;")
    editors = [start() for _ in range(N)]
    for editor in editors:
        editor.open(uri, text)
    assert sim.wait(lambda: all(is_ready(e) for e in editors), 12)
    asked = [(editor, editor.ask_inline(uri, line, character, trigger=1)) for editor in editors]
    answers = [editor.reply(request, 15) for editor, request in asked]
    assert all("result" in a for a in answers), answers
    assert len(sim.generations) == N and all(e["outcome"] == "done" for e in sim.generations if e["ended"])
