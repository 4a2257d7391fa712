"""test_hedge.py - a second server is asked where the first is late: only where it is another machine."""
from client import SLOWNESS, items_of
from fixtures import is_ready
from proxies import Proxy
from simulator import Simulator

EARNED = 20  # calls that one more is afforded for
SECRET = "AKIAIOSFODNN7EXAMPLQ"
CODE = "key = {secret}\nint value_{n} = \n"


def settings_of(first, second, **upstream):
    return {"endpoints": [{"name": "near", "kind": "llamacpp", "url": first.url},
                          {"name": "far", "kind": "llamacpp", **second}],
            "models": {"inline": ["near/tinycode", "far/tinycode"]}, "upstream": upstream}


def figures(server):
    return server.result("crucible/stats")["engine"]


def keystroke(server, uri, n):
    text = CODE.format(secret=SECRET, n=n)
    server.change(uri, n + 1, text)
    request = server.ask_inline(uri, 1, len(text.splitlines()[1]))
    message = server.reply(request, 20 * SLOWNESS)
    assert "result" in message, message
    return [i["insertText"] for i in items_of(message["result"])]


def type_until_one_is_late(server, uri, first, second):
    """All but one of the calls that earn one more are answered at once, and the next one never."""
    server.open(uri, CODE.format(secret=SECRET, n=0))
    first.script(text="near;\n")
    second.script(text="far;\n")
    for n in range(1, EARNED):
        assert keystroke(server, uri, n) == ["near;"]
    assert len(first.generations) == EARNED - 1 and not second.generations
    first.script(stall_at=0)
    return keystroke(server, uri, EARNED)


def both_ready(server):
    return is_ready(server, "near") and is_ready(server, "far")


def test_second_machine_is_asked_where_the_first_is_late(config, start, home):
    with Simulator([]) as first, Simulator([]) as second, Proxy(second.port) as proxy:
        config(settings_of(first, {"url": "http://models:8080", "proxy": proxy.url}, hedge=True))
        server = start()
        assert first.wait(lambda: both_ready(server), 10 * SLOWNESS), server.result("crucible/stats")
        uri = (home / "work" / "a.c").as_uri()
        assert type_until_one_is_late(server, uri, first, second) == ["far;"]
        engine = figures(server)
        assert (engine["hedged"], engine["hedgedWon"], engine["failedOver"]) == (1, 1, 0), engine
        assert len(second.generations) == 1
        trace = server.result("crucible/stats")["trace"][0]
        assert "late: asking far/tinycode as well; far/tinycode answers" in trace["why"], trace
        # what leaves this machine has its secrets blanked, and what doesn't hasn't
        assert SECRET in str(first.generations[-1]) and SECRET not in str(second.generations[0])
        # the one that wasn't waited for was cancelled, and nobody blames it
        stats = server.result("crucible/stats")["upstream"]
        assert stats["cancelled"] >= 1 and stats["failed"] == 0 and stats["breakerOpened"] == 0, stats


def test_two_servers_of_this_machine_are_never_asked_both(config, start, home):
    with Simulator([]) as first, Simulator([]) as second:
        config(settings_of(first, {"url": second.url}, hedge=True))
        server = start()
        assert first.wait(lambda: both_ready(server), 10 * SLOWNESS), server.result("crucible/stats")
        uri = (home / "work" / "a.c").as_uri()
        type_until_one_is_late(server, uri, first, second)
        engine = figures(server)
        assert (engine["hedged"], engine["hedgedWon"]) == (0, 0), engine
