"""fixtures.py - a home of its own for each test, a model server that knows the truth, and servers
that are judged when the test is over."""
import json
import os
import pathlib
import shutil
import subprocess
import tempfile

import pytest

import client
from simulator import Simulator

# The file that everybody works on; the simulator knows how it goes on.
TRUTH = """#include <stddef.h>
#include <string.h>

struct list {
    struct node *head;
    size_t n_nodes;
};

size_t list_count(const struct list *list)
{
    size_t count = 0;
    for (const struct node *node = list->head; node; node = node->next) {
        count += node->weight;
    }
    return count;
}

int list_contains(const struct list *list, const char *name)
{
    for (const struct node *node = list->head; node; node = node->next) {
        if (strcmp(node->name, name) == 0) {
            return 1;
        }
    }
    return 0;
}
"""


@pytest.fixture
def home():
    """A short path, since Unix sockets have short names."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="cr-", dir="/tmp"))
    for name in ("config/crucible", "cache", "state", "data", "run", "work"):
        (path / name).mkdir(parents=True)
    (path / "run").chmod(0o700)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def env(home):
    kept = {k: v for k, v in os.environ.items() if k in ("PATH", "LANG", "LC_ALL", "ASAN_OPTIONS", "UBSAN_OPTIONS",
                                                        "TSAN_OPTIONS", "LSAN_OPTIONS", "LD_LIBRARY_PATH")}
    return {**kept, "HOME": str(home), "XDG_CONFIG_HOME": str(home / "config"), "XDG_CACHE_HOME": str(home / "cache"),
            "XDG_STATE_HOME": str(home / "state"), "XDG_DATA_HOME": str(home / "data"),
            "XDG_RUNTIME_DIR": str(home / "run"), "TMPDIR": str(home)}


@pytest.fixture
def sim():
    with Simulator([TRUTH]) as simulator:
        yield simulator


@pytest.fixture
def config(home):
    """Writes the user's file."""
    def write(value=None, text=None):
        path = home / "config" / "crucible" / "config.json"
        path.write_text(text if text is not None else json.dumps(value))
        path.chmod(0o600)
        return path
    return write


def settings_for(sim, **more):
    return {"endpoints": [{"name": "sim", "kind": "llamacpp", "url": sim.url}],
            "models": {"inline": ["sim/tinycode"]}, **more}


@pytest.fixture
def start(home, env, request):
    """Starts servers; each is stopped and judged at the end of the test."""
    servers = []

    def run(args=(), writer=os.environ.get("WRITER", "whole"), initialize=True, params=None, **more):
        server = client.Server({**env, **more.pop("env", {})}, home / "work", args, writer,
                               home / f"stderr-{len(servers)}.txt")
        servers.append(server)
        if initialize:
            server.initialize(params, **more)
        return server

    yield run
    problems = []
    for server in servers:
        try:
            code = server.stop()
            if code != server.expected_code:
                problems.append(f"exit code {code}, not {server.expected_code}; stderr: {server.stderr_text()[-2000:]}")
        except (AssertionError, subprocess.TimeoutExpired) as e:
            problems.append(f"no orderly end: {e}")
        finally:
            server.kill()
        problems += server.verdict()
    assert not problems, "\n".join(problems[:20])


@pytest.fixture
def quiet(config, start):
    """A server without any model server: for everything that needs none."""
    config({"endpoints": [{"name": "none", "kind": "llamacpp", "url": "http://127.0.0.1:1"}],
            "models": {"inline": ["none/none"]}})

    def run(**more):
        return start(**more)
    return run


def is_ready(server, name="sim"):
    endpoints = server.result("crucible/stats")["endpoints"]
    return any(e["name"] == name and e["state"] == "ready" for e in endpoints)


@pytest.fixture
def served(config, start, sim):
    """A server whose model is the simulator, once it has looked at it."""
    def run(settings=None, **more):
        config({**settings_for(sim), **(settings or {})})
        server = start(**more)
        assert sim.wait(lambda: is_ready(server), 10 * client.SLOWNESS), server.result("crucible/stats")
        return server
    return run


@pytest.fixture
def document(home):
    """The truth with a hole in it: (uri, text, line, character) for what stands before and in the hole."""
    def make(before, hole, name="list.c", truth=TRUTH):
        where = truth.index(before) + len(before)
        assert truth.startswith(hole, where)
        text = truth[:where] + truth[where + len(hole):]
        line, character = client.position_of(text, where, "utf-8")
        return (home / "work" / name).as_uri(), text, line, character
    return make
