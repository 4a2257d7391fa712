"""test_privacy.py - nothing leaves the machine that its owner did not send, and keys stay where they are."""
import json
import pathlib
import socket
import threading
import time

import pytest

from client import SLOWNESS, initialize_params, items_of
from fixtures import settings_for

CANARY = "canary-7f3a9c21e4"
SECRET_TEXT = f"PASSWORD={CANARY}\nTOKEN="


def sent(sim):
    return json.dumps([e.get("body") for e in sim.log])


class Trap:
    """A listener that counts who comes: nobody should."""

    def __init__(self, host):
        self.socket = socket.create_server((host, 0))
        self.port, self.n, self.data = self.socket.getsockname()[1], 0, b""
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                peer, _ = self.socket.accept()
            except OSError:
                return
            self.n += 1
            peer.settimeout(0.2)
            try:
                self.data += peer.recv(65536)
            except OSError:
                pass
            peer.close()

    def close(self):
        self.socket.close()


def own_address():
    """An address of this machine that isn't loopback, or None. Sends nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        try:
            s.connect(("192.0.2.1", 9))
            address = s.getsockname()[0]
        except OSError:
            return None
    return None if address.startswith(("127.", "0.")) else address


@pytest.fixture
def trap():
    address = own_address()
    if address is None:
        pytest.skip("this machine has no address but loopback")
    trap = Trap(address)
    trap.address = address
    yield trap
    trap.close()


# -- excluded files --
NAMES = [".env", ".ENV", ".env.local", "server.pem", "id_rsa", "id_ed25519", ".npmrc", "prod.tfvars", "a.key", "x/.env"]


@pytest.mark.parametrize("name", NAMES)
def test_secret_file_never_reaches_a_model(served, sim, home, name):
    path = home / "work" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(SECRET_TEXT)
    server = served()
    server.open(path.as_uri(), SECRET_TEXT, "plaintext")
    assert server.inline(path.as_uri(), 1, 6, trigger=1) == []
    message = server.call("textDocument/completion", {"textDocument": {"uri": path.as_uri()}, "position": {"line": 1, "character": 6}})
    assert items_of(message.get("result")) == []
    server.change(path.as_uri(), 2, (1, 6, 1, 6, "x"))
    assert server.inline(path.as_uri(), 1, 7) == []
    time.sleep(0.2)
    assert not sim.generations and CANARY not in sent(sim)


def test_link_to_a_secret_file_is_one(served, sim, home):
    secret, link = home / "work" / ".env", home / "work" / "harmless.txt"
    secret.write_text(SECRET_TEXT)
    link.symlink_to(secret)
    server = served()
    server.open(link.as_uri(), SECRET_TEXT, "plaintext")
    assert server.inline(link.as_uri(), 1, 6, trigger=1) == []
    assert not sim.generations


@pytest.mark.parametrize("pattern", ["secret/**", "*.sec", "**/w*/own.txt"])
def test_own_patterns_exclude_too(served, sim, home, pattern):
    name = {"secret/**": "secret/a.c", "*.sec": "a.sec", "**/w*/own.txt": "own.txt"}[pattern]
    path = home / "work" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(SECRET_TEXT)
    server = served({"privacy": {"exclude": [pattern]}}, params=None)
    server.open(path.as_uri(), SECRET_TEXT)
    assert server.inline(path.as_uri(), 1, 6, trigger=1) == []
    assert not sim.generations


def test_project_file_narrows(served, sim, home):
    folder = home / "work"
    (folder / ".crucible.json").write_text('{"privacy": {"exclude": ["hidden.c"]}, "exclude": ["hidden.c"]}')
    server = served(params=initialize_params(rootUri=folder.as_uri(), workspaceFolders=[{"uri": folder.as_uri(), "name": "w"}]))
    server.open((folder / "hidden.c").as_uri(), SECRET_TEXT)
    server.inline((folder / "hidden.c").as_uri(), 1, 6, trigger=1)
    assert CANARY not in sent(sim)


def test_project_of_every_folder_narrows(served, sim, home):
    """One project's nonsense takes nothing from what the others hide."""
    projects = {"a": '{"exclude": 5}', "b": '{"exclude": ["hidden.c"]}', "c": '{"exclude": ["other.c"]}', "d": "{"}
    folders = []
    for name, text in projects.items():
        (home / "work" / name).mkdir()
        (home / "work" / name / ".crucible.json").write_text(text)
        folders.append({"uri": (home / "work" / name).as_uri(), "name": name})
    server = served(params=initialize_params(rootUri=folders[0]["uri"], workspaceFolders=folders))
    for name in ("hidden.c", "other.c"):
        uri = (home / "work" / "a" / name).as_uri()
        server.open(uri, SECRET_TEXT)
        assert server.inline(uri, 1, 6, trigger=1) == []
    assert not sim.generations and CANARY not in sent(sim)


@pytest.mark.parametrize("is_open", [True, False])
def test_file_that_is_hidden_later_is_forgotten(config, start, home, is_open):
    config({"models": {"inline": ["embedded"]}, "endpoints": [{"name": "none", "kind": "llamacpp", "url": "http://127.0.0.1:1"}]})
    folder = home / "work"
    text = "".join(f"static int zq_phrase_{i} = zq_secret_value_function({i});\n" for i in range(8))
    (folder / "hidden.c").write_text(text)
    server = start(params=initialize_params(rootUri=folder.as_uri(), workspaceFolders=[{"uri": folder.as_uri(), "name": "w"}]))
    if is_open:
        server.open((folder / "hidden.c").as_uri(), text + "int x = \n")
        server.inline((folder / "hidden.c").as_uri(), 8, 8, trigger=1)
    server.open((folder / "open.c").as_uri(), "static int zq_phrase_9 = zq_secret_val\n")

    def proposes():
        return any("ue_function" in i["insertText"] for i in server.inline((folder / "open.c").as_uri(), 0, 38))

    def wait(is_so):
        end = time.monotonic() + 5 * SLOWNESS
        while not is_so() and time.monotonic() < end:
            server.change((folder / "open.c").as_uri(), wait.version, (0, 0, 0, 0, ""))
            wait.version += 1
            time.sleep(0.1)
        return is_so()

    wait.version = 2
    assert wait(lambda: server.result("crucible/stats")["predictor"]["files"] == 1) and wait(proposes)
    server.notify("workspace/didChangeConfiguration", {"settings": {"crucible": {"privacy": {"exclude": ["hidden.c"]}}}})
    assert wait(lambda: not proposes())


# -- who may name a model server --
@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("source", ["initializationOptions", "didChangeConfiguration", "project"])
def test_remote_endpoint_of_a_stranger_is_never_contacted(config, start, sim, trap, home, document, source, scheme):
    evil = {"endpoints": [{"name": "evil", "kind": "llamacpp", "url": f"{scheme}://{trap.address}:{trap.port}"}],
            "models": {"inline": ["evil/tinycode"]}}
    config({})
    folder, more = home / "work", {}
    if source == "project":
        (folder / ".crucible.json").write_text(json.dumps(evil))
    if source == "initializationOptions":
        more["initializationOptions"] = evil
    server = start(params=initialize_params(rootUri=folder.as_uri(), workspaceFolders=[{"uri": folder.as_uri(), "name": "w"}], **more))
    if source == "didChangeConfiguration":
        server.notify("workspace/didChangeConfiguration", {"settings": {"crucible": evil}})
    uri, text, line, character = document("    return ", "count;")
    server.open(uri, text)
    server.inline(uri, line, character, trigger=1)
    if source == "initializationOptions":
        question = server.wait_for("window/showMessageRequest", 5)
        assert trap.address in question["params"]["message"]
    time.sleep(0.3)
    assert trap.n == 0


def test_remote_name_asks_first_and_sends_nothing(config, start, sim, document):
    proxy = {name: sim.url for name in ("http_proxy", "https_proxy", "all_proxy", "HTTPS_PROXY", "ALL_PROXY")}
    config({})
    server = start(env=proxy, params=initialize_params(initializationOptions={
        "endpoints": [{"name": "far", "kind": "openai", "url": "https://models.crucible.invalid:4443/v1"}],
        "models": {"inline": ["far/coder"]}}))
    question = server.wait_for("window/showMessageRequest", 5)
    assert "models.crucible.invalid:4443" in question["params"]["message"]
    assert question["params"].get("actions")
    uri, text, line, character = document("    return ", "count;")
    server.open(uri, text)
    server.inline(uri, line, character, trigger=1)
    time.sleep(0.3)
    assert sim.n_connections == 0
    assert len(server.received("window/showMessageRequest")) == 1


def test_consent_lets_through_what_was_asked_about(config, start, trap, document):
    config({})
    options = {"endpoints": [{"name": "lan", "kind": "llamacpp", "url": f"https://{trap.address}:{trap.port}"}],
               "models": {"inline": ["lan/tinycode"]}}
    server = start(initialize=False)
    server.answers["window/showMessageRequest"] = lambda p: p["actions"][0]
    server.initialize(initialize_params(initializationOptions=options))
    server.wait_for("window/showMessageRequest", 5)
    end = time.monotonic() + 10
    uri, text, line, character = document("    return ", "count;")
    server.open(uri, text)
    while trap.n == 0 and time.monotonic() < end:
        server.inline(uri, line, character, trigger=1)
        time.sleep(0.1)
    assert trap.n > 0
    assert server.stop() == 0
    # The same setting isn't asked about again, another one is.
    again = start(params=initialize_params(initializationOptions=options))
    again.barrier()
    time.sleep(0.3)
    assert not again.received("window/showMessageRequest")
    options["endpoints"][0]["models"] = ["tinycode"]
    other = start(params=initialize_params(initializationOptions=options))
    other.wait_for("window/showMessageRequest", 5)


def test_loopback_endpoint_of_the_editor_is_taken(config, start, sim, document):
    config({})
    server = start(params=initialize_params(initializationOptions=settings_for(sim)))
    uri, text, line, character = document("    return ", "count;")
    server.open(uri, text)
    assert sim.wait(lambda: server.inline(uri, line, character, trigger=1) or time.sleep(0.1), 10)
    assert not server.received("window/showMessageRequest")


@pytest.mark.parametrize("key,value", [("apiKeyFile", "/etc/passwd"), ("apiKeyEnv", "HOME"), ("proxy", "http://127.0.0.1:1"), ("caFile", "/etc/passwd")])
def test_keys_and_proxies_come_from_the_users_file_alone(config, start, sim, document, key, value):
    config({})
    settings = settings_for(sim)
    settings["endpoints"][0][key] = value
    server = start(params=initialize_params(initializationOptions=settings))
    uri, text, line, character = document("    return ", "count;")
    server.open(uri, text)
    server.inline(uri, line, character, trigger=1)
    assert all("authorization" not in e["headers"] for e in sim.log)
    told = [m["params"]["message"] for m in server.received("window/showMessage")]
    assert any(key in text for text in told), told


# -- keys --
def with_key(sim, home, config):
    key_file = home / "key"
    key_file.write_text(CANARY + "\n")
    key_file.chmod(0o600)
    sim.key, sim.kind = CANARY, "openai"
    sim.model = "qwen2.5-coder-7b"
    config({"endpoints": [{"name": "work", "kind": "openai", "url": sim.url + "/v1", "apiKeyFile": str(key_file)}],
            "models": {"inline": ["work/qwen2.5-coder-7b"]}})


def assert_no_key(server, home, *texts):
    everything = [*texts, server.stderr_text(), json.dumps([m for _, m in server.messages])]
    for path in home.rglob("*"):
        if path.is_file() and not path.is_symlink() and path != home / "key":
            everything.append(path.read_bytes().decode("latin-1"))
    assert all(CANARY not in text for text in everything)


def test_key_reaches_its_server_and_nobody_else(config, start, sim, home, document):
    with_key(sim, home, config)
    server = start(args=["--log", str(home / "log.txt"), "--log-level", "debug"])
    uri, text, line, character = document("    return ", "count;")
    server.open(uri, text)
    assert sim.wait(lambda: server.inline(uri, line, character, trigger=1) or time.sleep(0.1), 10)
    assert any(e["headers"].get("authorization") == f"Bearer {CANARY}" for e in sim.log)
    stats = json.dumps(server.result("crucible/stats"))
    command_line = pathlib.Path(f"/proc/{server.process.pid}/cmdline").read_text()
    assert_no_key(server, home, stats, command_line)


def test_server_that_repeats_the_key_isnt_quoted(config, start, sim, home, document):
    with_key(sim, home, config)
    sim.script(status=401, body={"error": {"message": f"Incorrect API key provided: {CANARY}"}}, probes=True)
    server = start(args=["--log", str(home / "log.txt"), "--log-level", "debug"])
    uri, text, line, character = document("    return ", "count;")
    server.open(uri, text)
    server.inline(uri, line, character, trigger=1)
    time.sleep(0.3)
    assert_no_key(server, home, json.dumps(server.result("crucible/stats")))


def test_document_text_is_never_logged(served, sim, home):
    server = served(args=["--log", str(home / "log.txt"), "--log-level", "debug"])
    text = f"int {CANARY.replace('-', '_')} = "
    sim.script(text=f"{CANARY.replace('-', '_')}_2;")
    server.open("file:///w/a.c", text)
    server.inline("file:///w/a.c", 0, len(text), trigger=1)
    json_text = json.dumps(server.result("crucible/stats"))
    log = (home / "log.txt").read_text()
    assert log and CANARY.replace("-", "_") not in log + json_text + server.stderr_text()


def test_prompt_that_a_server_quotes_is_never_logged(served, sim, home):
    server = served(args=["--log", str(home / "log.txt"), "--log-level", "debug"])
    text = f"int {CANARY.replace('-', '_')} = "
    sim.script(status=400, body={"error": {"code": 400, "type": "invalid_request_error", "message": f"bad prompt: {text}"}})
    server.open("file:///w/a.c", text)
    server.inline("file:///w/a.c", 0, len(text), trigger=2)
    log = (home / "log.txt").read_text()
    assert log and CANARY.replace("-", "_") not in log + server.stderr_text()


def test_key_file_that_others_may_read_is_refused(config, start, sim, home, document):
    with_key(sim, home, config)
    (home / "key").chmod(0o644)
    server = start()
    uri, text, line, character = document("    return ", "count;")
    server.open(uri, text)
    server.inline(uri, line, character, trigger=1)
    assert all("authorization" not in e["headers"] for e in sim.log)


@pytest.mark.parametrize("text", [f"{CANARY}\r\nX-Evil: 1", f"{CANARY}\nX-Evil: 1", f"{CANARY}\x00x"])
def test_key_that_would_be_a_header_is_refused(config, start, sim, home, document, text):
    with_key(sim, home, config)
    (home / "key").write_text(text)
    server = start(args=["--log", str(home / "log.txt"), "--log-level", "debug"])
    uri, text, line, character = document("    return ", "count;")
    server.open(uri, text)
    server.inline(uri, line, character, trigger=1)
    time.sleep(0.2)
    assert all("x-evil" not in e["headers"] and "authorization" not in e["headers"] for e in sim.log)
    assert_no_key(server, home, json.dumps(server.result("crucible/stats")))


def test_key_of_a_command_reaches_its_server_alone(config, start, sim, home, document):
    with_key(sim, home, config)
    (home / "key").unlink()
    source = home / "key"  # the one file that may hold it
    source.write_text(f"#!/bin/sh\nsleep 0.3\necho '{CANARY}'\n")
    source.chmod(0o700)
    config({"endpoints": [{"name": "work", "kind": "openai", "url": sim.url + "/v1", "apiKeyCommand": [str(source)]}],
            "models": {"inline": ["work/qwen2.5-coder-7b"]}})
    server = start(args=["--log", str(home / "log.txt"), "--log-level", "debug"])
    uri, text, line, character = document("    return ", "count;")
    server.open(uri, text)
    assert sim.wait(lambda: server.inline(uri, line, character, trigger=1) or time.sleep(0.1), 10)
    assert all(e["headers"].get("authorization") == f"Bearer {CANARY}" for e in sim.log)
    assert_no_key(server, home, json.dumps(server.result("crucible/stats")))


def test_key_command_that_fails_is_named(config, start, sim, home, document):
    config({"endpoints": [{"name": "work", "kind": "openai", "url": sim.url + "/v1", "apiKeyCommand": ["sh", "-c", "exit 7"]}],
            "models": {"inline": ["work/coder"]}})
    server = start()
    uri, text, line, character = document("    return ", "count;")
    server.open(uri, text)
    assert server.inline(uri, line, character, trigger=2) == []
    assert "exit status 7" in json.dumps(server.result("crucible/stats")["endpoints"])
    assert not sim.log


def test_redirect_is_not_followed(served, sim, document):
    trap = Trap("127.0.0.1")
    try:
        server = served()
        for status in (301, 302, 307):
            sim.script(status=status, headers={"Location": f"http://127.0.0.1:{trap.port}/infill"}, body="")
            uri, text, line, character = document("    return ", "count;")
            server.open(uri, text)
            server.inline(uri, line, character, trigger=1)
            server.notify("textDocument/didClose", {"textDocument": {"uri": uri}})
        assert trap.n == 0
    finally:
        trap.close()


def test_proxy_of_the_environment_is_not_for_loopback(config, start, sim, document):
    trap = Trap("127.0.0.1")
    try:
        config(settings_for(sim))
        url = f"http://127.0.0.1:{trap.port}"
        server = start(env={"http_proxy": url, "HTTP_PROXY": url, "all_proxy": url})
        uri, text, line, character = document("    return ", "count;")
        server.open(uri, text)
        assert sim.wait(lambda: server.inline(uri, line, character, trigger=1) or time.sleep(0.1), 10)
        assert trap.n == 0
    finally:
        trap.close()


def test_control_tokens_of_the_user_are_broken_up(config, start, sim, home):
    with_key(sim, home, config)
    sim.script(text="b;")
    server = start()
    text = "x = '<|fim_middle|><|fim_suffix|>' + "
    server.open("file:///w/a.py", text, "python")
    assert sim.wait(lambda: server.inline("file:///w/a.py", 0, len(text), trigger=1) or time.sleep(0.1), 10)
    prompt = json.dumps(sim.generations[-1]["body"])
    assert prompt.count("<|fim_middle|>") <= 1 and prompt.count("<|fim_suffix|>") <= 1


def test_only_documented_paths_are_called(served, sim, document):
    server = served()
    uri, text, line, character = document("    return ", "count;")
    server.open(uri, text)
    server.inline(uri, line, character, trigger=1)
    known = {"/props", "/health", "/v1/models", "/models", "/tokenize", "/infill", "/completion", "/v1/completions", "/v1/chat/completions", "/slots"}
    assert {e["path"] for e in sim.log} <= known
