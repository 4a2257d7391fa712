"""test_store.py - what a model has said once is known after a restart, and a bad disk harms nobody."""
import os
import time

import pytest

from client import SLOWNESS, items_of
from fixtures import is_ready


def ask(server, uri, line, character):
    return items_of(server.reply(server.ask_inline(uri, line, character), 10 * SLOWNESS).get("result"))


def store(server):
    return server.result("crucible/stats")["store"]


def wait_stored(server, n):
    for _ in range(100 * SLOWNESS):
        if store(server)["stored"] >= n:
            return
        time.sleep(0.1)
    raise AssertionError(store(server))


def folder_of(home):
    return home / "cache" / "crucible"


def test_answer_survives_a_restart(served, start, sim, document):
    uri, text, line, character = document("    return ", "count;")
    server = served()
    server.open(uri, text)
    first = ask(server, uri, line, character)
    assert first
    wait_stored(server, 1)
    server.stop()
    asked = len(sim.generations)
    again = start()
    assert sim.wait(lambda: is_ready(again) and store(again)["state"] == "open", 10 * SLOWNESS)
    again.open(uri, text)
    assert ask(again, uri, line, character) == first
    assert len(sim.generations) == asked
    assert store(again)["hits"] == 1


def test_two_editors_share_what_they_know(served, start, sim, document):
    uri, text, line, character = document("    return ", "count;")
    one = served()
    two = start()
    assert sim.wait(lambda: is_ready(two) and store(two)["state"] == "open", 10 * SLOWNESS)
    for server in (one, two):
        server.open(uri, text)
    first = ask(one, uri, line, character)
    wait_stored(one, 1)
    asked = len(sim.generations)
    assert ask(two, uri, line, character) == first
    assert len(sim.generations) == asked


def test_cleared_cache_knows_nothing_after_a_restart(served, start, sim, document):
    uri, text, line, character = document("    return ", "count;")
    server = served()
    server.open(uri, text)
    ask(server, uri, line, character)
    wait_stored(server, 1)
    server.result("workspace/executeCommand", {"command": "crucible.clearCache"})
    time.sleep(0.5 * SLOWNESS)
    server.stop()
    asked = len(sim.generations)
    again = start()
    assert sim.wait(lambda: is_ready(again), 10 * SLOWNESS)
    again.open(uri, text)
    assert ask(again, uri, line, character)
    assert len(sim.generations) > asked


@pytest.mark.parametrize("harm", ["noise", "empty", "cut", "folder", "unreadable"])
def test_damaged_cache_is_a_miss_and_delays_nobody(served, start, sim, document, home, harm):
    uri, text, line, character = document("    return ", "count;")
    server = served()
    server.open(uri, text)
    first = ask(server, uri, line, character)
    wait_stored(server, 1)
    server.stop()
    files = [f for f in folder_of(home).iterdir() if f.is_file()]
    assert files
    for f in files:
        if harm == "noise":
            f.write_bytes(os.urandom(max(f.stat().st_size, 64)))
        elif harm == "empty":
            f.write_bytes(b"")
        elif harm == "cut":
            f.write_bytes(f.read_bytes()[: f.stat().st_size // 2])
        elif harm == "folder":
            f.unlink()
            f.mkdir()
        else:
            f.chmod(0)
    again = start()
    assert sim.wait(lambda: is_ready(again), 10 * SLOWNESS)
    again.open(uri, text)
    assert ask(again, uri, line, character) == first


def test_nothing_is_written_where_it_is_off(served, sim, document, home):
    uri, text, line, character = document("    return ", "count;")
    server = served({"cache": {"disk": False}})
    server.open(uri, text)
    assert ask(server, uri, line, character)
    time.sleep(1.5)
    assert store(server)["stored"] == 0
    server.stop()
    assert not folder_of(home).exists() or not list(folder_of(home).iterdir())
