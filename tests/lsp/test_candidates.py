"""test_candidates.py - several suggestions to choose from, where one is asked for once more."""
import pytest

from client import REQUEST_CANCELLED, items_of
from fixtures import is_ready, settings_for

TEXT = "int x = ;\n"
URI = "file:///w/several.c"
PLACE = (0, 8)


@pytest.fixture
def ask(start, config, sim):
    """A function that asks by a command, in a document where `first` is on the screen already, if any."""
    def begin(first=None, kind="llamacpp", server=None, **more):
        source = server or sim
        config({**settings_for(source), "endpoints": [{"name": "sim", "kind": kind, "models": ["qwen2.5-coder"],
                                                       "url": source.url + ("" if kind == "llamacpp" else "/v1")}],
                "models": {"inline": ["sim/tinycode" if kind == "llamacpp" else "sim/qwen2.5-coder"]}, **more})
        own = start()
        assert sim.wait(lambda: is_ready(own), 10)
        own.open(URI, TEXT)
        if first is not None:
            source.script(text=first)
            assert texts(own.inline(URI, *PLACE)) == [first]
        own.ask = lambda **context: texts(own.inline(URI, *PLACE, trigger=1, **context))
        return own
    return begin


def texts(items):
    return [item["insertText"] for item in items]


def asked(sim):
    return [e["body"].get("n") for e in sim.generations]


@pytest.mark.parametrize("kind", ["llamacpp", "openai", "vllm"])
def test_more_gives_what_is_shown_and_others(ask, sim, kind):
    server = ask(first="1", kind=kind)
    sim.script(texts=["2", "1", "3"])
    assert server.ask() == ["1", "2", "3"]
    assert asked(sim) == [None, 3]
    sim.script(texts=["4", "5", "5"])
    assert server.ask() == ["4", "5"], "asked by a command once more: what was shown isn't wanted"
    stats = server.result("crucible/stats")["engine"]
    assert stats["choices"] == 2 and stats["others"] == 3, stats


def test_first_of_all_comes_alone_and_at_once(ask, sim):
    server = ask()
    sim.script(texts=["2", "1", "3"], text="7")
    assert server.ask() == ["7"] and asked(sim) == [None]


def test_each_item_is_accepted_by_its_command(ask, sim):
    server = ask(first="1")
    sim.script(texts=["2", "3", "4"])
    items = items_of(server.reply(server.ask_inline(URI, *PLACE, trigger=1))["result"])
    assert len(items) == 4 and all(item["range"]["start"] == item["range"]["end"] for item in items)
    command = items[2]["command"]
    server.result("workspace/executeCommand", {"command": command["command"], "arguments": command["arguments"]})
    assert server.result("crucible/stats")["engine"]["accepted"] == 1


def test_server_that_refuses_is_asked_for_one(ask, sim):
    server = ask(first="1", kind="openai")
    sim.script({"status": 400, "body": {"error": {"message": "n must be 1"}}}, {"text": "2"})
    assert server.ask() == ["1", "2"]
    sim.script(text="3")
    assert server.ask() == ["3"]
    assert asked(sim) == [None, 3, None, None], "refused once, it isn't asked for several again"


def test_server_that_gives_one_all_the_same(ask, sim):
    server = ask(first="1", kind="openai")
    sim.script(text="2", ignores_n=True)
    assert server.ask() == ["1", "2"]


@pytest.mark.parametrize("script, given", [
    ({"texts": ["2", "", "3"]}, ["1", "2", "3"]),
    ({"texts": ["", "", ""]}, ["1"]),
    ({"texts": ["1", "1", "1"]}, ["1"]),
    ({"texts": ["<|endoftext|>", "\u202e", "3"]}, ["1", "3"]),
    ({"texts": ["22", "33", "44"], "error_after": 2}, ["1"]),
    ({"texts": ["22", "33", "44"], "cut_at": 200}, ["1"]),
    ({"status": 500}, ["1"]),
    ({"status": 429}, ["1"]),
], ids=["one is empty", "all are", "all the same", "no text", "an error between", "cut", "500", "429"])
def test_nothing_that_fails_costs_what_is_shown(ask, sim, script, given):
    server = ask(first="1")
    sim.script(**script)
    assert server.ask() == given


def test_as_many_as_the_server_has_slots(ask, sim):
    sim.slots = 2
    server = ask(first="1")
    sim.script(texts=["2", "3"])
    assert server.ask() == ["1", "2", "3"] and asked(sim) == [None, 2]


@pytest.mark.parametrize("more", [{"inline": {"candidates": 1}}, {}], ids=["switched off", "one slot"])
def test_one_at_a_time(ask, sim, more):
    sim.slots = 4 if more else 1
    server = ask(first="1", **more)
    assert server.ask() == ["1"], "what is there is given at once"
    sim.script(text="2")
    assert server.ask() == ["2"] and asked(sim) == [None, None]


def test_a_key_ends_it(ask, sim):
    server = ask(first="1")
    sim.script(texts=["2222 + 2222", "3333 + 3333", "4"], token_ms=300)
    waiting = server.ask_inline(URI, *PLACE, trigger=1)
    assert sim.wait(lambda: asked(sim)[-1] == 3)
    server.change(URI, 2, (0, 8, 0, 8, "9"))
    assert server.reply(waiting)["error"]["code"] == REQUEST_CANCELLED
    assert sim.wait(lambda: sim.generations[-1]["outcome"] == "aborted", 10)


def test_last_that_never_ends_isnt_waited_for(ask, sim):
    server = ask(first="1")
    sim.script(texts=["2", "3\n", "4" * 40], token_ms=400)
    assert server.ask()[:3] == ["1", "2", "3"]
