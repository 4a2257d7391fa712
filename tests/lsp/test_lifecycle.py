"""test_lifecycle.py - from initialize to exit, with all the wrong turns."""
import json
import os
import pathlib
import signal
import subprocess
import time

import pytest

import client
from client import INVALID_REQUEST, NOT_INITIALIZED, SLOWNESS, initialize_params

EARLY = ["shutdown", "textDocument/inlineCompletion", "textDocument/completion", "textDocument/hover",
         "workspace/executeCommand", "crucible/stats", "no/such/method"]


@pytest.mark.parametrize("method", EARLY)
def test_request_before_initialize_is_refused(quiet, method):
    server = quiet(initialize=False)
    assert server.call(method, {})["error"]["code"] == NOT_INITIALIZED
    server.initialize()


@pytest.mark.parametrize("method", ["textDocument/didOpen", "initialized", "$/setTrace", "workspace/didChangeConfiguration"])
def test_notification_before_initialize_is_dropped(quiet, method):
    server = quiet(initialize=False)
    server.notify(method, {"textDocument": {"uri": "file:///a", "languageId": "c", "version": 1, "text": "x"},
                           "value": "off", "settings": None})
    server.initialize()
    server.barrier()


def test_exit_before_initialize_ends_with_1(quiet):
    server = quiet(initialize=False)
    server.expected_code = 1
    server.barrier()  # nothing is on its way that would come after the exit
    server.notify("exit")
    assert server.wait_exit() == 1


def test_second_initialize_is_refused(quiet):
    server = quiet()
    assert server.call("initialize", initialize_params())["error"]["code"] == INVALID_REQUEST
    server.barrier()


@pytest.mark.parametrize("method", ["shutdown", "textDocument/inlineCompletion", "initialize", "crucible/stats"])
def test_request_after_shutdown_is_refused(quiet, method):
    server = quiet()
    server.result("shutdown")
    assert server.call(method, {})["error"]["code"] == INVALID_REQUEST
    server.notify("textDocument/didOpen", {"textDocument": {"uri": "file:///a", "languageId": "c", "version": 1, "text": ""}})
    server.notify("exit")
    assert server.wait_exit() == 0


def test_exit_without_shutdown_ends_with_1(quiet):
    server = quiet()
    server.expected_code = 1
    server.barrier()  # as above
    server.notify("exit")
    assert server.wait_exit() == 1


def test_exit_is_quick(quiet):
    server = quiet()
    server.open("file:///a.c", "int a;\n" * 1000)
    server.result("shutdown")
    started = time.monotonic()
    server.notify("exit")
    assert server.wait_exit() == 0
    assert time.monotonic() - started < 0.5 * SLOWNESS


def test_exit_answers_what_is_open(served, sim, document):
    server = served()
    sim.script(first_ms=60_000)
    uri, text, line, character = document("    return ", "count;")
    server.open(uri, text)
    id = server.ask_inline(uri, line, character)
    assert sim.wait(lambda: sim.generations)
    server.result("shutdown")
    server.notify("exit")
    assert server.wait_exit() == 0
    assert len(server.replies(id)) == 1


@pytest.mark.parametrize("params", [
    {}, {"capabilities": None}, {"capabilities": {}}, {"processId": None, "capabilities": {}},
    {"capabilities": {"general": {"positionEncodings": "utf-8"}}}, {"capabilities": {"general": {"positionEncodings": [1, None, {}]}}},
    {"capabilities": {"general": None, "textDocument": [], "workspace": 5, "window": "x"}},
    {"capabilities": {"general": {"positionEncodings": ["utf-7"]}}},
    {"processId": "x", "rootUri": 5, "workspaceFolders": {"a": 1}, "initializationOptions": [], "trace": 3, "capabilities": {}},
    {"rootUri": "not a uri", "workspaceFolders": [None, {"uri": 1}, {"name": "x"}], "capabilities": {}},
    {"rootPath": "/" + "x" * 5000, "capabilities": {}},
], ids=lambda p: json.dumps(p)[:50])
def test_odd_initialize_params_are_survived(quiet, params):
    server = quiet(initialize=False)
    message = server.reply(server.request("initialize", params))
    assert message["result"]["capabilities"].get("positionEncoding", "utf-16") == "utf-16"
    server.notify("initialized", {})
    server.barrier()


def test_initialize_without_params_gets_one_answer(quiet):
    server = quiet(initialize=False)
    message = server.call("initialize")
    assert ("result" in message) != ("error" in message)
    if "error" in message:
        server.initialize()


def test_never_initialized_is_tolerated(quiet):
    server = quiet(initialize=False)
    server.result("initialize", initialize_params())
    server.open("file:///a.c", "int a;\n")
    server.barrier()


def test_server_says_who_it_is(quiet):
    server = quiet(initialize=False)
    result = server.result("initialize", initialize_params())
    assert result["serverInfo"]["name"] == "crucible"
    assert result["serverInfo"]["version"]
    sync = result["capabilities"]["textDocumentSync"]
    assert sync["openClose"] is True and sync["change"] == 2
    assert result["capabilities"]["inlineCompletionProvider"]


# -- the real clients --
ENCODINGS = {"nvim-0.12": "utf-8", "nvim-0.7": "utf-16", "eglot-30": "utf-8", "eglot-28": "utf-16", "helix": "utf-8",
             "vscode": "utf-16"}
OWN_VARIANTS = {
    "nvim-0.12": initialize_params(("utf-8", "utf-16", "utf-32"), workDoneToken="1"),
    "nvim-0.7": initialize_params((), False),
    "eglot-30": initialize_params(("utf-32", "utf-8", "utf-16"), False),
    "eglot-28": {"processId": 1, "rootUri": "file:///w", "capabilities": {"workspace": {}, "textDocument": {}, "experimental": {}}},
    "helix": initialize_params(("utf-8", "utf-32", "utf-16"), False, workspaceFolders=[]),
    "vscode": initialize_params(("utf-16",), True),
}


@pytest.mark.parametrize("source", ["recorded", "own"])
@pytest.mark.parametrize("name", ENCODINGS)
def test_real_client_is_served(quiet, name, source):
    path = client.SHARED / "clients" / f"initialize-{name}.json"
    if source == "recorded" and not path.exists():
        pytest.skip(f"no recording of {name} here")
    params = json.loads(path.read_text()) if source == "recorded" else OWN_VARIANTS[name]
    server = quiet(params=params)
    encoding = server.capabilities.get("positionEncoding", "utf-16")
    assert encoding == ENCODINGS[name]
    server.open("file:///workspace/a.c", "int é = 1;\n", version=0)
    server.change("file:///workspace/a.c", 1, (0, 4, 0, 4, "x"))
    message = server.call("textDocument/completion", {"textDocument": {"uri": "file:///workspace/a.c"},
                                                      "position": {"line": 0, "character": 5}})
    assert "result" in message
    server.barrier()
    if "workDoneToken" not in params:
        assert not server.received("$/progress")


def test_plugin_dialect_counts_in_utf16(quiet):
    options = {"editorInfo": {"name": "Neovim", "version": "0.12"}, "editorPluginInfo": {"name": "x", "version": "1"}}
    server = quiet(initialize=False)
    capabilities = server.initialize(initialize_params(("utf-8", "utf-16")), initializationOptions=options)
    assert capabilities.get("positionEncoding", "utf-16") == "utf-16"


@pytest.mark.parametrize("offered,chosen", [(("utf-16", "utf-8"), "utf-8"), (("utf-32", "utf-16"), ("utf-32", "utf-16")),
                                            (("utf-16",), "utf-16"), ((), "utf-16"), (("utf-32",), ("utf-32", "utf-16"))])
def test_encoding_is_one_that_was_offered(quiet, offered, chosen):
    server = quiet(params=initialize_params(offered))
    assert server.capabilities.get("positionEncoding", "utf-16") in chosen


# -- the process --
@pytest.mark.parametrize("pid", [None, 0, -1, 2 ** 31 - 1, 2 ** 40, "12", 1.5])
def test_parent_that_never_was_doesnt_end_the_server(quiet, pid):
    server = quiet(params=initialize_params(processId=pid))
    time.sleep(0.3)
    server.barrier()


def test_parent_that_dies_ends_the_server(quiet):
    parent = subprocess.Popen(["sleep", "60"])
    try:
        server = quiet(params=initialize_params(processId=parent.pid))
        server.expected_code = 1
        server.barrier()
        parent.kill()
        parent.wait()
        started = time.monotonic()
        assert server.wait_exit() in (0, 1)
        server.expected_code = server.process.returncode
        assert time.monotonic() - started < 1.5 * SLOWNESS
    finally:
        parent.kill()
        parent.wait()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signal_ends_it_in_order(quiet, number):
    server = quiet()
    server.barrier()
    server.process.send_signal(number)
    code = server.wait_exit()
    assert code in (0, 1, 128 + number, -number)
    server.expected_code = code


def test_output_that_is_closed_ends_it_without_a_signal(home, env):
    out, into = os.pipe()
    process = subprocess.Popen([client.BINARY], stdin=subprocess.PIPE, stdout=into, stderr=subprocess.DEVNULL,
                               env=env, cwd=home / "work")
    os.close(into)
    os.close(out)
    message = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": initialize_params()}
    process.stdin.write(client.frame(message))
    process.stdin.flush()
    try:
        assert process.wait(5 * SLOWNESS) == 1
    finally:
        process.kill()
        process.stdin.close()


def test_editor_that_doesnt_read_loses_no_answer(quiet):
    server = quiet()
    server.may_read.clear()
    ids = [server.request("crucible/nothing") for _ in range(3000)]
    server.may_read.set()
    for id in ids:
        assert server.reply(id, 20)["error"]


# What `language servers` are started with by editors.
@pytest.mark.parametrize("args", [["--stdio"], ["--stdio", "--clientProcessId=1"], ["--node-ipc", "--unheard-of=1"], ["--log-level", "debug"]],
                         ids=" ".join)
def test_flags_of_editors_are_taken(quiet, args):
    server = quiet(args=args)
    server.barrier()


def test_started_with_closed_stderr_still_serves(quiet, home):
    server = quiet()
    server.stderr.close()
    server.stderr = open(os.devnull, "wb")
    server.barrier()


def test_normal_work_writes_nothing_to_stderr(quiet):
    server = quiet()
    server.open("file:///a.c", "int a;\n")
    server.change("file:///a.c", 2, (0, 0, 0, 0, "x"))
    server.ask_inline("file:///a.c", 0, 1)
    server.barrier()
    assert server.stop() == 0
    assert server.stderr_text() == ""


def test_nothing_is_left_behind(quiet, home):
    server = quiet()
    server.open("file:///a.c", "int a;\n")
    server.barrier()
    assert server.stop() == 0
    left = [p for p in (home / "run").rglob("*") if not p.is_dir()]
    assert left == []


def test_workspace_is_left_alone(quiet, home):
    folder = home / "work" / "project"
    folder.mkdir()
    (folder / "a.c").write_text("int a;\n")
    server = quiet(params=initialize_params(rootUri=folder.as_uri(),
                                            workspaceFolders=[{"uri": folder.as_uri(), "name": "project"}]))
    server.open((folder / "a.c").as_uri(), "int a;\n")
    server.barrier()
    server.stop()
    assert sorted(p.name for p in folder.iterdir()) == ["a.c"]


def test_document_of_100_mb_is_taken(quiet):
    server = quiet()
    text = "int value_of_something = 1;\n" * 3_700_000
    started = time.monotonic()
    server.open("file:///big.c", text)
    server.barrier(60 * SLOWNESS)
    assert time.monotonic() - started < 10 * SLOWNESS
    server.change("file:///big.c", 2, (1_000_000, 0, 1_000_000, 0, "x"))
    started = time.monotonic()
    message = server.reply(server.ask_inline("file:///big.c", 1_000_000, 1), 20)
    assert "result" in message or "error" in message
    server.barrier()
    assert time.monotonic() - started < 6 * SLOWNESS
    rss = next(line for line in pathlib.Path(f"/proc/{server.process.pid}/status").read_text().splitlines()
               if line.startswith("VmRSS"))
    if not client.IS_SANITIZED:
        assert int(rss.split()[1]) < 2.5 * len(text) / 1024 + 64 * 1024


def test_one_line_of_20_mb_is_taken(quiet):
    server = quiet()
    server.open("file:///line.js", "x" * 20_000_000)
    for version in range(2, 30):
        server.change("file:///line.js", version, (0, 10_000_000, 0, 10_000_000, "y"))
    server.barrier(30 * SLOWNESS)


def test_ten_thousand_documents_and_one_more(quiet):
    server = quiet()
    for i in range(10_001):
        server.open(f"file:///d{i}.c", "x")
    server.barrier(30 * SLOWNESS)
    for i in range(10_001):
        server.notify("textDocument/didClose", {"textDocument": {"uri": f"file:///d{i}.c"}})
    server.barrier(30 * SLOWNESS)
