"""test_doctor.py - the doctor names the right cause for each way in which a set-up can be broken, says
what to do about it, and has nothing to say of a healthy one."""
import contextlib
import http.client
import re
import socket
import ssl
import threading
import time

import pytest

from authority import authority  # noqa: F401  a fixture
from client import SLOWNESS
from simulator import Simulator
from terminal import plain, run, run_in_terminal, run_json

# What the doctor asks about, with the holes filled; and the word that a chat is told to say.
HOLES = ['def add(a, b):\n    """Return the sum of a and b."""\n    return a + b\n\n\nprint(add(1, 2))\n',
         "const days = ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday'];\n",
         "/* The larger of two numbers. */\nint max(int a, int b)\n{\n    return a > b ? a : b;\n}\n",
         "Reply with the single word ready.ready\n"]


@pytest.fixture
def good():
    with Simulator(HOLES) as sim:
        yield sim


@pytest.fixture
def ollama():
    with Simulator(HOLES, kind="ollama") as sim:
        yield sim


def endpoint(url, kind="llamacpp", **more):
    return {"endpoints": [{"name": "sim", "kind": kind, "url": url, **more}]}


@pytest.fixture
def examine(config, env, home):
    """Runs the doctor on such settings: (exit code, findings by id; the first of each)."""
    def check(settings=None, text=None, args=(), timeout=60, **more):
        if settings is not None or text is not None:
            config(settings, text=text)
        code, findings, _ = run_json(["doctor", *args], {**env, **more}, home / "work", timeout=timeout)
        assert all(set(f) == {"id", "status", "subject", "finding", "next"} for f in findings)
        assert all(f["status"] in ("ok", "warn", "FAIL") and f["finding"] for f in findings), findings
        assert code == (1 if any(f["status"] == "FAIL" for f in findings) else 0)
        assert all(f["next"] for f in findings if f["status"] == "FAIL" and not f["id"].startswith("role.")), findings
        by_id = {}
        for finding in findings:
            by_id.setdefault(finding["id"], finding)
        return code, by_id
    return check


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


# -- nothing is wrong --

def test_healthy_set_up_is_said_to_be_ok(examine, good, home):
    code, found = examine(endpoint(good.url))
    assert code == 0 and {f["status"] for f in found.values()} == {"ok"}, found
    assert found["endpoint.ready"]["subject"] == "sim"
    assert '"a + b"' in found["trial"]["finding"]
    assert found["context"]["finding"].startswith("a context of 4096 tokens")
    assert good.url in found["privacy.endpoint"]["finding"] and "privacy.nothing_leaves" in found
    asked = [e for e in good.generations if e["path"] == "/infill"]
    assert len(asked) == 1 and asked[0]["body"]["input_suffix"].startswith("\n\n\nprint(")
    assert not any((home / "work").iterdir())  # the documents are nobody's files


def test_text_fits_the_terminal(config, env, home, good):
    config(endpoint(good.url))
    code, out = run_in_terminal(["doctor"], env, home / "work")
    assert code == 0 and "\x1b[32mok\x1b[0m" in out
    lines = plain(out).split("\n")
    assert all(len(line) <= 80 for line in lines) and "Everything is ok." in lines
    assert {line[:6] for line in lines if ": " in line and not line.startswith(" ")} <= {"ok    "}
    code, out = run_in_terminal(["doctor"], {**env, "NO_COLOR": "1"}, home / "work")
    assert code == 0 and "\x1b" not in out and "ok    sim: llamacpp at" in out


# -- vectors of texts --

def embedding(good, kind="llamacpp", model="tinycode"):
    url = good.url + ("/v1" if kind == "openai" else "")
    return {**endpoint(url, kind), "models": {"inline": ["embedded"], "chat": ["embedded"], "embed": [f"sim/{model}"]}}


@pytest.mark.parametrize("kind", ["llamacpp", "openai", "vllm"])
def test_model_for_vectors_is_tried_for_real(examine, good, kind):
    _, found = examine(embedding(good, kind))
    assert found["role.embed"]["status"] == "ok" and "sim/tinycode" in found["role.embed"]["finding"]
    assert found["trial.embed"]["status"] == "ok" and "2 numbers" in found["trial.embed"]["finding"], found
    asked = [e for e in good.log if e["path"] == "/v1/embeddings"]
    assert len(asked) == 1 and len(asked[0]["body"]["input"]) == 3, "three texts in one request"


def test_ollamas_model_for_vectors_is_tried_for_real(examine, ollama):
    _, found = examine(embedding(ollama, "ollama", ollama.shelf.models[0]["name"]))
    assert found["trial.embed"]["status"] == "ok", found
    assert [e["path"] for e in ollama.log].count("/api/embed") == 1


@pytest.mark.parametrize("script, says", [
    ({"status": 501, "body": {"error": {"code": 501, "message": "This server does not support embeddings",
                                        "type": "not_supported_error"}}}, "makes none with this model"),
    ({"status": 404, "body": {"error": {"message": "model not found"}}}, "no such model"),
    ({"status": 500}, "failed"),
    ({"vectors": [[1, 2], [3, 4]]}, "more or fewer"),
    ({"vectors": [[1, 2], [3], [4, 5]]}, "of one length"),
    ({"vectors": [[1, "2"], [3, 4], [4, 5]]}, "rows of numbers"),
    ({"vectors": [[1, 2], [-1, -2], [1, 2.1]]}, "no nearer to each other"),
    ({"vectors": [[0, 0], [0, 0], [0, 0]]}, "no nearer to each other"),
    ({"body": "<html>"}, "not a model server|web page|broken JSON"),
    ({"cut_at": 20}, "closed|broke off|ended"),
])
def test_model_that_makes_no_vectors_is_told(examine, good, script, says):
    good.script(**script)
    code, found = examine(embedding(good))
    assert code == 0, "typing goes on without"
    assert found["trial.embed"]["status"] == "warn" and re.search(says, found["trial.embed"]["finding"]), found
    assert "models.embed" in found["trial.embed"]["next"]


def test_no_vectors_unless_they_are_asked_for(examine, good):
    _, found = examine(endpoint(good.url))
    assert not {"role.embed", "trial.embed"} & found.keys()
    assert not [e for e in good.log if "embed" in e["path"]]
    _, found = examine({**endpoint(good.url), "models": {"embed": ["sim/nowhere"]}})
    assert found["role.embed"]["status"] == "ok" or "nowhere" in str(found), "one model, whatever it is called"


def test_second_hole_is_tried_where_the_first_is_filled_wrongly(examine, good):
    good.script({"text": "None"}, {})
    code, found = examine(endpoint(good.url))
    assert code == 0 and "'Thursday'" in found["trial"]["finding"]


# -- endpoints --

def test_nothing_listens(examine):
    port = free_port()
    code, found = examine(endpoint(f"http://127.0.0.1:{port}"))
    finding = found["endpoint.nothing_listens"]
    assert code == 1 and finding["status"] == "FAIL" and f"127.0.0.1:{port}" in finding["finding"]
    assert f"llama-server --fim-qwen-1.5b-default --port {port}" in finding["next"]
    assert "built-in predictor" in found["role.inline"]["finding"]
    code, found = examine(endpoint(f"http://127.0.0.1:{port}", kind="ollama"))
    assert found["endpoint.nothing_listens"]["next"].endswith("ollama serve")


def test_command_to_paste_stands_on_a_line_of_its_own(config, env, home):
    port = free_port()
    config(endpoint(f"http://127.0.0.1:{port}"))
    code, out, _ = run(["doctor"], env, home / "work")
    assert code == 1 and "FAIL  sim: nothing listens on" in out
    assert any(line.endswith(f"llama-server --fim-qwen-1.5b-default --port {port}") for line in out.split("\n"))


def test_predictor_alone_is_enough_where_it_is_wanted(examine):
    code, found = examine({"models": {"inline": ["embedded"]}, "endpoints": [
        {"name": "none", "kind": "llamacpp", "url": f"http://127.0.0.1:{free_port()}"}]})
    assert code == 0 and found["role.inline"]["status"] == "ok" and "as configured" in found["role.inline"]["finding"]
    assert found["endpoint.nothing_listens"]["status"] == "warn"


def test_second_endpoint_that_is_down_is_a_warning(examine, good):
    settings = endpoint(good.url)
    settings["endpoints"].append({"name": "other", "kind": "openai", "url": f"http://127.0.0.1:{free_port()}/v1"})
    code, found = examine(settings)
    assert code == 0 and found["endpoint.nothing_listens"]["status"] == "warn"
    assert found["endpoint.nothing_listens"]["subject"] == "other"


def test_key_is_refused(examine, home):
    key = home / "config" / "key"
    key.write_text("wrong\n")
    key.chmod(0o600)
    with Simulator(HOLES, key="right") as sim:
        code, found = examine(endpoint(sim.url))
        assert code == 1 and "wants a key (status 401)" in found["endpoint.key_refused"]["finding"]
        assert "apiKeyFile" in found["endpoint.key_refused"]["next"]
        code, found = examine(endpoint(sim.url, apiKeyFile=str(key)))
        assert code == 1 and "refuses the key (status 401)" in found["endpoint.key_refused"]["finding"]
        assert str(key) in found["endpoint.key_refused"]["next"]
        assert "wrong" not in str(found)
        key.write_text("right\n")
        assert examine(endpoint(sim.url, apiKeyFile=str(key)))[0] == 0


def test_key_file_is_missing_or_open_to_others(examine, home, good):
    key = home / "config" / "a key"
    code, found = examine(endpoint(good.url, apiKeyFile=str(key)))
    assert code == 1 and str(key) in found["endpoint.key_missing"]["finding"]
    key.write_text("secret\n")
    key.chmod(0o644)
    code, found = examine(endpoint(good.url, apiKeyFile=str(key)))
    assert code == 1 and found["endpoint.key_exposed"]["next"].endswith(f"chmod 600 '{key}'")
    code, found = examine(endpoint(good.url, apiKeyEnv="NO_SUCH_KEY"))
    assert code == 1 and "NO_SUCH_KEY" in found["endpoint.key_missing"]["finding"]
    assert good.log == []


def test_redirect_says_where_to(examine):
    with Simulator(HOLES, kind="openai") as sim:
        sim.script(probes=True, status=301, headers={"Location": "https://models.example.test/api/v1/models"})
        code, found = examine(endpoint(sim.url + "/v1", kind="openai"))
        assert code == 1 and "sends us elsewhere" in found["endpoint.redirect"]["finding"]
        assert found["endpoint.redirect"]["next"].endswith('"url": "https://models.example.test/api/v1"')
        assert len(sim.log) == 1


def test_web_page_is_no_model_server(examine, good):
    good.script(probes=True, status=200, body="<html>hello</html>", content_type="text/html; charset=utf-8")
    code, found = examine(endpoint(good.url))
    assert code == 1 and f"something else listens on 127.0.0.1:{good.port}" in found["endpoint.web_page"]["finding"]


def test_other_kind_of_server(examine, good):
    code, found = examine(endpoint(good.url, kind="ollama"))
    assert code == 1 and "kind" in found["endpoint.other_dialect"]["next"]
    code, found = examine(endpoint(good.url, kind="nonsuch"))
    assert code == 1 and "llamacpp, ollama, lmstudio, openai" in found["endpoint.kind"]["finding"]


def test_server_that_says_nothing(examine):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(8)
        code, found = examine(endpoint(f"http://127.0.0.1:{listener.getsockname()[1]}"))
        assert code == 1 and "accepts connections but doesn't answer" in found["endpoint.silent"]["finding"]


def test_clock_that_is_off(examine, good):
    when = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 3600))
    good.script(probes=True, headers={"Date": when})
    code, found = examine(endpoint(good.url))
    assert code == 0 and found["clock"]["status"] == "warn" and "certificates" in found["clock"]["finding"]
    when = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() - 60))
    good.script(probes=True, headers={"Date": when})
    assert "clock" not in examine(endpoint(good.url))[1]


def test_proxy_of_the_environment_is_not_for_this_machine(examine, good):
    code, found = examine(endpoint(good.url), http_proxy="http://127.0.0.1:1", HTTPS_PROXY="http://127.0.0.1:1")
    assert code == 0 and "http_proxy, HTTPS_PROXY" in found["proxy.ignored"]["finding"]
    assert "proxy.ignored" not in examine()[1]


# -- certificates --

@contextlib.contextmanager
def secure(pair):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*pair)
    with Simulator(HOLES, tls=context) as sim:
        yield sim


def test_certificates_are_refused_for_what_is_wrong_with_them(examine, authority):
    ca = str(authority.ca)
    for pair, more, cause, word, advice in (
            (authority.own("localhost"), {}, "own", "self-signed", "caFile"),
            (authority.signed("localhost"), {}, "issuer", "authority", "caFile"),
            (authority.signed("models.example.test"), {"caFile": ca}, "host", "another host", "url"),
            (authority.signed("localhost", -1), {"caFile": ca}, "expired", "expired", "clock")):
        with secure(pair) as sim:
            code, found = examine(endpoint(sim.url, **more))
            finding = found[f"endpoint.cert_{cause}"]
            assert code == 1 and finding["status"] == "FAIL" and word in finding["finding"], found
            assert advice in finding["next"] and f"localhost:{sim.port}" in finding["finding"]


def test_own_authority_is_trusted_when_named(examine, authority):
    with secure(authority.signed("localhost")) as sim:
        code, found = examine(endpoint(sim.url, caFile=str(authority.ca)))
        assert code == 0 and found["trial"]["status"] == "ok"
        code, found = examine(endpoint(sim.url, caFile="/nowhere/ca.pem"))
        assert code == 1 and "/nowhere/ca.pem" in found["endpoint.ca_file"]["next"]


def test_https_where_plain_http_is_spoken(examine, good):
    code, found = examine(endpoint(f"https://127.0.0.1:{good.port}"))
    assert code == 1 and "http:// in url" in found["endpoint.no_tls"]["next"]


# -- models --

def test_model_is_missing(examine, ollama):
    code, found = examine({**endpoint(ollama.url, kind="ollama"), "models": {"inline": ["sim/qwen2.5-coder:1.5b"]}})
    assert code == 1 and found["model.missing"]["status"] == "FAIL"
    assert found["model.missing"]["next"] == "get it: ollama pull qwen2.5-coder:1.5b"
    code, found = examine({**endpoint(ollama.url, kind="ollama"), "models": {"inline": ["nosuch/x", "sim"]}})
    assert code == 0 and "no endpoint is called nosuch" in found["model.no_endpoint"]["finding"]


def test_model_without_the_tokens_for_it(examine):
    with Simulator(HOLES, fim=False, model="talker") as sim:
        code, found = examine(endpoint(sim.url))
        finding = found["model.cannot_fill"]
        assert code == 1 and finding["status"] == "FAIL" and "(talker)" in finding["finding"]
        assert "llama-server" in finding["next"] or "ollama pull" in finding["next"]
        assert found["trial.chat"]["status"] == "ok" and len(sim.generations) == 1


def test_server_that_refuses_to_fill(examine, ollama):
    ollama.shelf.models[0] = {"name": "qwen2.5-coder:latest", "capabilities": ["completion"]}
    settings = {**endpoint(ollama.url, kind="ollama"), "modelOptions": {"sim/*": {"fim": "infill"}}}
    ollama.script({"status": 400, "body": {"error": "registry.ollama.ai/library/qwen2.5-coder does not support insert"}})
    code, found = examine(settings)
    assert code == 1 and "does not support insert" in found["model.cannot_fill"]["finding"]


def test_model_that_talks_is_quoted(examine, good):
    good.script(text="Sure! Here is \x1b[31mthe function that you asked for, with a long explanation of every step in it")
    code, found = examine(endpoint(good.url))
    finding = found["model.cannot_fill"]
    assert code == 1 and 'it said: "Sure! Here is the function' in finding["finding"]
    assert "\x1b" not in finding["finding"] and '..."' in finding["finding"]


def test_model_that_says_nothing(examine, good):
    good.script(text="")
    code, found = examine(endpoint(good.url))
    assert code == 1 and "said nothing in 3 places" in found["trial.nothing"]["finding"]


def test_text_that_is_only_wrong_is_a_warning(examine, good):
    good.script(text="x;")
    code, found = examine(endpoint(good.url))
    assert code == 0 and found["trial.wrong"]["status"] == "warn" and '"x;"' in found["trial.wrong"]["finding"]
    assert found["trial.chat"]["status"] == "warn"


def test_context_that_is_too_small(examine):
    with Simulator(HOLES, n_ctx=512) as sim:
        code, found = examine(endpoint(sim.url))
        assert code == 0 and found["context"]["status"] == "warn" and "takes 512 tokens" in found["context"]["finding"]
        assert "-c" in found["context"]["next"]
        sim.script({"status": 400, "body": {"error": {"code": 400, "type": "exceed_context_size_error", "message":
                    "the request exceeds the available context size"}}})
        code, found = examine()
        assert code == 1 and "larger -c" in found["trial.too_large"]["next"]


def test_context_that_the_settings_ask_for_is_too_small(examine, ollama):
    code, found = examine({**endpoint(ollama.url, kind="ollama"), "modelOptions": {"sim/*": {"numCtx": 512}}})
    assert code == 0 and found["context"]["status"] == "warn" and '"numCtx": 2048' in found["context"]["next"]


def test_slow_answers_name_a_smaller_model(examine, good):
    good.script({"first_ms": 2300, "token_ms": 350}, {})
    code, found = examine(endpoint(good.url))
    finding = found["speed.slow"]
    assert code == 0 and finding["status"] == "warn" and "tokens/s" in finding["finding"]
    assert "smaller" in finding["next"]


def test_answers_that_come_too_late(examine, good):
    good.script({"first_ms": 20000}, {})
    code, found = examine(endpoint(good.url))
    assert code == 1 and "within 5 s" in found["trial.too_slow"]["finding"]


def test_load_is_waited_for_and_told(examine, ollama):
    ollama.shelf.load_ms = 1200
    code, found = examine({**endpoint(ollama.url, kind="ollama"), "residency": {"preloadEnabled": False}})
    assert code == 0 and re.search(r"loaded now, in [\d.]+ s", found["load"]["finding"]) and found["trial"]["status"] == "ok"
    assert ollama.shelf.n_loads == 1 and ollama.shelf.n_aborted == 0


def test_load_that_fails(examine, ollama):
    ollama.shelf.load_error = "model requires more system memory (5.6 GiB) than is available (3.2 GiB)"
    code, found = examine(endpoint(ollama.url, kind="ollama"))
    assert code == 1 and "more system memory (5.6 GiB)" in found["load.failed"]["finding"]


def test_two_programs_want_another_context(examine, ollama):
    ollama.shelf.loaded["tinycode:latest"] = {"num_ctx": 8192}
    code, found = examine({**endpoint(ollama.url, kind="ollama"), "modelOptions": {"sim/*": {"numCtx": 4096}}})
    finding = found["contention"]
    assert code == 0 and finding["status"] == "warn" and "8192" in finding["finding"] and "4096" in finding["finding"]
    assert '"numCtx": "auto"' in finding["next"] and ollama.shelf.n_reloads == 1


def test_model_is_reloaded_by_another_program_meanwhile(examine, ollama):
    ollama.shelf.loaded["tinycode:latest"] = {}
    ollama.script(first_ms=1500)

    def other_program():
        assert ollama.wait(lambda: len(ollama.generations) == 1, 20)
        body = b'{"model": "tinycode", "options": {"num_ctx": 16384}}'
        connection = http.client.HTTPConnection("127.0.0.1", ollama.port)
        connection.request("POST", "/api/generate", body)
        connection.getresponse().read()
        ollama.shelf.load = keep_loaded

    async def keep_loaded(connection, name, options):
        """What asks from now on takes the model as it is: the other program has come last."""
    thread = threading.Thread(target=other_program)
    thread.start()
    code, found = examine(endpoint(ollama.url, kind="ollama"))
    thread.join()
    assert code == 0 and "16384 tokens instead of 4096" in found["contention"]["finding"]


# -- settings and folders --

def test_settings_are_wrong_by_path(examine, good):
    code, found = examine({**endpoint(good.url), "inline": {"budgett": 3, "maxTokens": "many"}})
    assert code == 0 and found["settings.key"]["status"] == "warn"
    code, _ = examine({**endpoint(good.url), "inline": {"maxTokens": "many"}})
    found = examine()[1]
    assert found["settings.key"]["subject"] == "inline.maxTokens" and "whole number" in found["settings.key"]["finding"]
    assert "config.json" in found["settings.key"]["next"]


def test_settings_that_are_no_json(examine, home):
    _, found = examine(text='{"endpoints": [')
    assert found["settings.file"]["status"] == "warn" and "not JSON" in found["settings.file"]["finding"]
    _, found = examine(args=["--config", str(home / "nowhere.json")])
    assert "--config names it" in found["settings.file"]["finding"]


def test_project_switches_off(examine, good, home):
    (home / "work" / ".crucible.json").write_text('{"enable": false, "languages": {"c": {"inline": false}}}')
    code, found = examine(endpoint(good.url))
    finding = found["settings.project"]
    assert code == 1 and finding["status"] == "FAIL" and "everything in this folder" in finding["finding"]
    assert "suggestions for c" in finding["finding"] and ".crucible.json" in finding["subject"]
    (home / "work" / ".crucible.json").write_text('{"inline": {"maxTokens": 20}}')
    code, found = examine()
    assert code == 0 and "inline.maxTokens to 20" in found["settings.project"]["finding"]


def test_completions_are_switched_off(examine, good):
    code, found = examine({**endpoint(good.url), "inline": {"enabled": False}})
    assert code == 1 and "inline.enabled" in found["settings.off"]["finding"] and "trial" not in found


def test_folders_that_cannot_be_used(examine, good, home):
    (home / "run" / "crucible").mkdir(mode=0o755)
    (home / "cache" / "crucible").write_text("no folder")
    (home / "state" / "crucible").mkdir(mode=0o500)
    code, found = examine(endpoint(good.url))
    assert code == 0
    assert found["folder.runtime"]["next"].endswith(f"chmod 700 {home}/run/crucible")
    assert "no folder" in found["folder.cache"]["finding"] and found["folder.cache"]["status"] == "warn"
    assert "can't be written" in found["folder.state"]["finding"]
    _, found = examine(XDG_CACHE_HOME=str(home / "cache" / "crucible"))
    assert "can't be made" in found["folder.cache"]["finding"]


# -- who may be sent code --

def test_running_server_that_waits_for_consent(examine, good, config, start):
    config(endpoint(good.url))
    server = start(params={"endpoints": [{"name": "team", "kind": "openai", "url": "https://models.example.test/v1"}]},
                   initialize=False)
    server.initialize({"initializationOptions": {"endpoints": [
        {"name": "team", "kind": "openai", "url": "https://models.example.test/v1"}]}})
    assert good.wait(lambda: any(e["state"] == "blocked" for e in server.result("crucible/stats")["endpoints"]),
                     10 * SLOWNESS)
    code, found = examine()
    assert code == 0 and "team at https://models.example.test" in found["server.consent"]["finding"]
    assert "Allow" in found["server.consent"]["next"]


def test_running_server_is_asked(examine, served, good):
    served()
    _, found = examine()
    assert found["server"]["status"] == "ok" and "sim/tinycode" in found["server"]["finding"]


def test_models_that_are_forwarded_are_named(examine, ollama):
    ollama.shelf.models.append({"name": "huge:480b-cloud", "capabilities": ["completion"],
                                "remote_host": "https://ollama.com:443", "remote_model": "huge:480b"})
    _, found = examine(endpoint(ollama.url, kind="ollama"))
    assert "never used" in found["privacy.forwarded"]["finding"] and "privacy.nothing_leaves" in found
    _, found = examine({**endpoint(ollama.url, kind="ollama"), "models": {"chat": ["sim/huge:480b-cloud"]}})
    assert "your own file names it" in found["privacy.forwarded"]["finding"]
    assert "privacy.nothing_leaves" not in found


def test_usage(env, home):
    assert run(["doctor", "--nonsense"], env, home / "work")[0] == 2
    assert run(["doctor", "file.c"], env, home / "work")[0] == 2
