"""test_settings.py - configuration from all its sources, and what is said of its mistakes."""
import json
import os
import pathlib
import socket
import stat
import time

import pytest

from client import NO_ANSWER, SLOWNESS, frame, initialize_params, items_of
from fixtures import settings_for

# (what the user's file says, the key that must be named)
MISTAKES = [({"inline": {"budget": "soon"}}, "inline.budget"), ({"inline": {"budgt": 5}}, "inline.budgt"),
            ({"inlin": {}}, "inlin"), ({"inline": {"budget": -1}}, "inline.budget"), ({"inline": 5}, "inline"),
            ({"inline": {"enabled": "yes"}}, "inline.enabled"), ({"endpoints": {}}, "endpoints"),
            ({"endpoints": [{"name": "x", "kind": "unheard-of", "url": "http://127.0.0.1:1"}]}, "endpoints"),
            ({"endpoints": [{"name": "x", "kind": "ollama", "url": "ftp://127.0.0.1"}]}, "endpoints"),
            ({"models": {"inline": "x"}}, "models.inline"), ({"cache": {"ttl": "5 parsecs"}}, "cache.ttl"),
            ({"hover": {"model": "sometimes"}}, "hover.model"), ({"privacy": {"exclude": [5]}}, "privacy.exclude")]


def told(server, word, timeout=5):
    return server.wait_for("window/showMessage", timeout, lambda p: word in p["message"])["params"]


@pytest.mark.parametrize("value,key", MISTAKES, ids=[k + " " + json.dumps(v)[:30] for v, k in MISTAKES])
def test_mistake_in_the_users_file_is_named(config, start, value, key):
    config(value)
    server = start()
    assert told(server, key)["type"] in (1, 2)


@pytest.mark.parametrize("value,key", MISTAKES[:6], ids=[k for _, k in MISTAKES[:6]])
def test_mistake_in_options_is_named(quiet, value, key):
    server = quiet(params=initialize_params(initializationOptions=value))
    told(server, key)


@pytest.mark.parametrize("value,key", MISTAKES[:6], ids=[k for _, k in MISTAKES[:6]])
def test_mistake_in_live_settings_is_named(quiet, value, key):
    server = quiet()
    server.notify("workspace/didChangeConfiguration", {"settings": {"crucible": value}})
    told(server, key)
    server.barrier()


@pytest.mark.parametrize("text", ["{", "[]", "{\"a\": }", "\x00", "x" * 100, "{" * 10_000, "\"string\""], ids=lambda t: repr(t)[:14])
def test_malformed_file_is_named(config, start, text):
    config(text=text)
    server = start()
    told(server, "config")
    server.barrier()


def test_comments_and_last_commas_are_allowed(config, start, sim, document):
    config(text=f"""// mine
{{
  /* where */ "endpoints": [{{"name": "sim", "kind": "llamacpp", "url": "{sim.url}"}},],
  "models": {{"inline": ["sim/tinycode"]}}, // which
}}""")
    server = start()
    uri, text, line, character = document("    return ", "count;")
    server.open(uri, text)
    assert sim.wait(lambda: server.inline(uri, line, character, trigger=1) or time.sleep(0.1), 10)
    assert not server.received("window/showMessage")


def test_file_larger_than_a_megabyte_is_refused(config, start):
    config(text="{" + " " * (1 << 20) + "}")
    server = start()
    told(server, "config")


def test_absent_file_says_nothing(quiet, home):
    (home / "config" / "crucible" / "config.json").unlink(missing_ok=True)
    server = quiet()
    server.barrier()
    assert not [m for m in server.received("window/showMessage") if m["params"]["type"] == 1]


def test_flag_names_another_file(start, sim, home, document):
    path = home / "other.json"
    path.write_text(json.dumps(settings_for(sim)))
    server = start(args=["--config", str(path)])
    uri, text, line, character = document("    return ", "count;")
    server.open(uri, text)
    assert sim.wait(lambda: server.inline(uri, line, character, trigger=1) or time.sleep(0.1), 10)


def test_environment_names_another_file(start, sim, home, document):
    path = home / "other.json"
    path.write_text(json.dumps(settings_for(sim)))
    server = start(env={"CRUCIBLE_CONFIG": str(path)})
    uri, text, line, character = document("    return ", "count;")
    server.open(uri, text)
    assert sim.wait(lambda: server.inline(uri, line, character, trigger=1) or time.sleep(0.1), 10)


def test_bad_value_leaves_the_good_one_in_force(served, sim, document):
    server = served(params=initialize_params(initializationOptions={"inline": {"enabled": True}}))
    server.notify("workspace/didChangeConfiguration", {"settings": {"crucible": {"inline": {"enabled": 7}}}})
    uri, text, line, character = document("    return ", "count;")
    server.open(uri, text)
    assert server.inline(uri, line, character, trigger=1)


def test_switching_off_and_on_while_running(served, sim, document):
    server = served()
    uri, text, line, character = document("    return ", "count;")
    server.open(uri, text)
    server.notify("workspace/didChangeConfiguration", {"settings": {"crucible": {"inline": {"enabled": False}}}})
    assert server.inline(uri, line, character) == []
    assert not sim.generations
    server.notify("workspace/didChangeConfiguration", {"settings": {"crucible": {"inline": {"enabled": True}}}})
    assert sim.wait(lambda: server.inline(uri, line, character) or time.sleep(0.1), 5)


def test_language_that_is_off_is_silent(served, sim):
    server = served({"languages": {"markdown": {"inline": False}}})
    server.open("file:///w/a.md", "# Title\n\nThis is ", "markdown")
    assert server.inline("file:///w/a.md", 2, 8) == []
    assert not sim.generations


def test_manual_trigger_waits_to_be_asked(served, sim, document):
    server = served({"inline": {"trigger": "manual"}})
    uri, text, line, character = document("    return ", "count;")
    server.open(uri, text)
    assert server.inline(uri, line, character, trigger=2) == []
    assert not sim.generations
    assert server.inline(uri, line, character, trigger=1)


@pytest.mark.parametrize("debounce,asked", [(700, 1), (0, 4), ("auto", 4)])
def test_debounce_is_waited_for_after_each_key(served, sim, document, debounce, asked):
    server = served({"inline": {"debounce": debounce}, "models": {"inline": ["sim/tinycode"]}})
    uri, text, line, character = document("    return ", "count;")
    sim.script(first_ms=150, text="+ 1;")
    server.open(uri, text)
    for n, letter in enumerate("wxyz"):  # each disagrees with what the last key asked for
        server.change(uri, 2 + n, (line, character, line, character + (n > 0), letter))
        id = server.ask_inline(uri, line, character + 1)
        if debounce != 700:
            assert items_of(server.reply(id)["result"])
    assert items_of(server.reply(id)["result"])[0]["insertText"] == "+ 1;"
    assert len(sim.generations) == asked


@pytest.mark.parametrize("prefetch", [True, False])
def test_prefetch_continues_texts_that_are_nearly_used_up(served, sim, document, prefetch):
    server = served({"inline": {"prefetch": prefetch}})
    uri, text, line, character = document("    return ", "count;")
    sim.script(text="first(a);\n    second(b);\n    third(c);\n    fourth(d);")
    server.open(uri, text)
    assert server.inline(uri, line, character)[0]["insertText"] == "first(a);"
    server.change(uri, 2, (line, character, line, character, "first(a);"))
    assert server.inline(uri, line, character + 9)[0]["insertText"].startswith("\n    second")
    assert sim.wait(lambda: len(sim.generations) == 2, 5 if prefetch else 1) == prefetch
    assert server.result("crucible/stats")["engine"]["ahead"] == prefetch


def configured_client(**more):
    params = initialize_params(**more)
    params["capabilities"]["workspace"]["configuration"] = True
    return params


def test_section_crucible_is_asked_for_once(quiet):
    server = quiet(initialize=False)
    asked = []

    def answer(params):
        asked.append(params)
        return [{"inline": {"budgt": 1}} if i.get("section") == "crucible" else None for i in params["items"]]
    server.answers["workspace/configuration"] = answer
    server.initialize(configured_client())
    told(server, "inline.budgt")
    assert [i.get("section") for p in asked for i in p["items"]].count("crucible") >= 1
    assert all(i.get("section") == "crucible" for p in asked for i in p["items"])


@pytest.mark.parametrize("answer", ["never", "error", None, [], [None], ["x"], [5], {}, [[], []]], ids=str)
def test_odd_answer_to_configuration_is_survived(config, start, sim, document, answer):
    config(settings_for(sim))
    server = start(initialize=False)
    server.is_lawless = True
    server.answers["workspace/configuration"] = lambda p: NO_ANSWER if answer in ("never", "error") else answer
    server.initialize(configured_client())
    if answer == "error":
        request = server.wait_for("workspace/configuration", 5)
        server.send({"jsonrpc": "2.0", "id": request["id"], "error": {"code": -32603, "message": "no"}})
    uri, text, line, character = document("    return ", "count;")
    server.open(uri, text)
    assert sim.wait(lambda: server.inline(uri, line, character, trigger=1) or time.sleep(0.1), 10)


@pytest.mark.parametrize("params", [None, {}, [], {"settings": None}, {"settings": 5}, {"settings": []}, {"settings": {"crucible": None}},
                                    {"settings": {"crucible": []}}, {"settings": {"other": {"x": 1}}}], ids=json.dumps)
def test_garbage_as_configuration_is_survived(served, sim, document, params):
    server = served()
    server.is_lawless = True
    server.notify("workspace/didChangeConfiguration", params)
    uri, text, line, character = document("    return ", "count;")
    server.open(uri, text)
    assert server.inline(uri, line, character, trigger=1)


def test_configuration_storm_is_survived(served, sim, document):
    server = served()
    for i in range(500):
        server.notify("workspace/didChangeConfiguration", {"settings": {"crucible": {"inline": {"budget": 100 + i}}}})
    uri, text, line, character = document("    return ", "count;")
    server.open(uri, text)
    assert server.inline(uri, line, character, trigger=1)


# -- the process's own socket, and what it tells --
def sockets(home):
    return [p for p in (home / "run").rglob("*") if p.is_socket()]


def ask_socket(path, method):
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(5 * SLOWNESS)
        s.connect(str(path))
        s.sendall(frame({"jsonrpc": "2.0", "id": 1, "method": method}))
        data = b""
        while b"\r\n\r\n" not in data or len(data.partition(b"\r\n\r\n")[2]) < int(data.split(b"\r\n")[0].split(b":")[1]):
            more = s.recv(1 << 16)
            assert more, f"closed after {data[:200]!r}"
            data += more
    return json.loads(data.partition(b"\r\n\r\n")[2])


def test_socket_answers_stats(served, sim, home, document):
    server = served()
    uri, text, line, character = document("    return ", "count;")
    server.open(uri, text)
    server.inline(uri, line, character)
    assert sim.wait(lambda: sockets(home), 5)
    answer = ask_socket(sockets(home)[0], "crucible/stats")
    assert isinstance(answer["result"], dict) and answer["result"]
    assert stat.S_IMODE(os.stat(sockets(home)[0].parent).st_mode) == 0o700
    server.barrier()


def test_socket_survives_rude_visitors(served, sim, home):
    served_one = served()
    assert sim.wait(lambda: sockets(home), 5)
    path = sockets(home)[0]
    for data in (b"", b"\0" * 1000, b"GET / HTTP/1.1\r\n\r\n", b"Content-Length: 99999999\r\n\r\n", frame(b"{"),
                 frame({"jsonrpc": "2.0", "id": 1, "method": "shutdown"}), frame({"jsonrpc": "2.0", "method": "exit"})):
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(str(path))
            s.sendall(data)
            time.sleep(0.02)
    idle = []
    for _ in range(60):
        s = socket.socket(socket.AF_UNIX)
        try:
            s.connect(str(path))
            idle.append(s)
        except OSError:
            s.close()
    served_one.barrier()
    for s in idle:
        s.close()
    time.sleep(0.1)
    assert ask_socket(path, "crucible/stats")["result"]
    served_one.barrier()


def test_two_servers_have_two_sockets(served, sim, home, start):
    served()
    start()
    assert sim.wait(lambda: len(sockets(home)) == 2, 5)


def test_stats_are_figures(served, sim, document):
    server = served()
    uri, text, line, character = document("    return ", "count;")
    server.open(uri, text)
    server.inline(uri, line, character)
    stats = server.result("crucible/stats")
    numbers = [v for v in json.dumps(stats).replace(",", " ").split() if v.rstrip("}]").isdigit()]
    assert numbers


def test_status_tells_which_model_serves(served, sim, document):
    server = served()
    uri, text, line, character = document("    return ", "count;")
    server.open(uri, text)
    server.inline(uri, line, character)
    server.wait_for("crucible/status", 5, lambda p: "tinycode" in json.dumps(p))


def test_version_and_help_are_instant(env, home):
    import subprocess
    import client
    for flag in ("--version", "--help"):
        started = time.monotonic()
        done = subprocess.run([client.BINARY, flag], env=env, cwd=home, capture_output=True, timeout=10, check=True)
        assert time.monotonic() - started < 0.1 * SLOWNESS + 0.1
        assert b"crucible" in done.stdout
    makefile = (client.ROOT / "Makefile").read_text()
    version = next(line.split(":=")[1].strip() for line in makefile.splitlines() if line.startswith("VERSION"))
    done = subprocess.run([client.BINARY, "--version"], env=env, capture_output=True, timeout=10, check=True)
    assert version in done.stdout.decode()


def test_dangling_runtime_directory_is_survived(quiet, home):
    (home / "run").rmdir()
    server = quiet()
    server.barrier()
    (home / "run").mkdir(exist_ok=True)


def test_home_that_cant_be_written_is_survived(quiet, home):
    for name in ("cache", "state", "data"):
        (home / name).rmdir()
        pathlib.Path(home / name).write_text("a file")
    server = quiet()
    server.open("file:///w/a.c", "int a;\n")
    assert items_of(server.reply(server.ask_inline("file:///w/a.c", 0, 6)).get("result")) is not None
    server.barrier()
