"""test_providers.py - each kind of model server, the whole way: found or named, loaded where it has to be,
asked in its own dialect, and its failures told in words."""
import json
import subprocess
import time

import pytest

from client import BINARY, SLOWNESS, applied
from fixtures import TRUTH
from simulator import Simulator

HOLE = ("    return ", "count;")
MODEL = "qwen2.5-coder-7b"  # a name that tells the family
KINDS = ("lmstudio", "vllm", "mistral", "deepseek")
PATHS = {"lmstudio": "/v1/completions", "vllm": "/v1/completions", "mistral": "/v1/fim/completions",
         "deepseek": "/beta/completions"}


@pytest.fixture
def simulator():
    running = []

    def make(kind, **more):
        running.append(Simulator([TRUTH], kind=kind, model=MODEL, **more))
        return running[-1].__enter__()

    yield make
    for sim in running:
        sim.__exit__(None, None, None)


def endpoint(server, name="it"):
    return next(e for e in server.result("crucible/stats")["endpoints"] if e["name"] == name)


def models(server, name="it"):
    return {m["id"]: m for m in endpoint(server, name)["models"]}


def text_of_stats(server):
    return json.dumps(server.result("crucible/stats"), ensure_ascii=False)


@pytest.fixture
def serve(config, start):
    """Starts the server beside one of the kind; its look at it is over."""
    def run(sim, model=MODEL, state="ready", ending="", is_warm=True, settings=None, **more):
        config({"endpoints": [{"name": "it", "kind": sim.kind, "url": sim.url + ending, **more}],
                "models": {"inline": [f"it/{model}"]}, **(settings or {})})
        server = start()
        assert sim.wait(lambda: endpoint(server)["state"] == state, 10 * SLOWNESS), text_of_stats(server)
        if is_warm and state == "ready":
            assert sim.wait(lambda: models(server)[model]["loaded"], 10 * SLOWNESS), text_of_stats(server)
        return server
    return run


@pytest.fixture
def place(document):
    """Opens the file with the hole and gives where it is."""
    def run(server):
        uri, text, line, character = document(*HOLE)
        server.open(uri, text)
        return text, uri, line, character
    return run


# -- every kind --
@pytest.mark.parametrize("kind", KINDS)
def test_suggestion_is_what_comes_next(simulator, serve, place, kind):
    sim = simulator(kind)
    server = serve(sim)
    text, *where = place(server)
    items = server.inline(*where)
    assert items and applied(text, items[0]) == TRUTH
    body = sim.generations[-1]["body"]
    assert sim.generations[-1]["path"] == PATHS[kind]
    assert body["stream"] is True and body["model"] == MODEL and body["max_tokens"] > 0
    if kind in ("lmstudio", "vllm"):
        assert body["prompt"].startswith("<|fim_prefix|>") and "suffix" not in body
    else:
        assert body["prompt"].endswith("    return ") and body["suffix"].startswith("\n}")


@pytest.mark.parametrize("kind", KINDS)
def test_start_and_end_of_a_file_are_asked_about(simulator, serve, kind):
    """Nothing before or nothing after is no reason to be refused, or to be taken for something else."""
    sim = simulator(kind)
    server = serve(sim)
    for n, (text, line, character) in enumerate((("\nint x;\n", 0, 0), ("int x = ", 0, 8))):
        uri = f"file:///w/{n}.c"
        server.open(uri, text)
        sim.script(text="ok")
        server.inline(uri, line, character)
        assert [e["status"] for e in sim.generations][-1:] == [200]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("script", [{"slice": 1}, {"no_end": True}])
def test_odd_but_whole_streams_are_read(simulator, serve, place, kind, script):
    sim = simulator(kind)
    server = serve(sim)
    sim.script(**script)
    text, *where = place(server)
    items = server.inline(*where)
    assert items and applied(text, items[0]) == TRUTH


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("script", [{"error_after": 0}, {"status": 500, "body": {"error": "boom"}}, {"cut_at": 1},
                                    {"refuse": True}])
def test_failure_is_silence_with_a_reason_and_passes(simulator, serve, place, kind, script):
    sim = simulator(kind)
    server = serve(sim)
    text, *where = place(server)
    sim.script(**script)
    assert server.inline(*where) == []
    newest = server.result("crucible/stats")["trace"][0]
    assert newest["outcome"] != "shown" and newest["why"]
    sim.script()
    end = time.monotonic() + 10 * SLOWNESS
    while not (items := server.inline(*where)):
        assert time.monotonic() < end
        time.sleep(0.1)
    assert applied(text, items[0]) == TRUTH


REFUSALS = [
    ("lmstudio", 404, {"error": {"type": "model_not_found", "message": "Model 'x' not found"}}, "lms get"),
    ("lmstudio", 500, {"error": "Failed to load model. Error: insufficient system resources"}, "isn't enough memory"),
    ("vllm", 400, {"object": "error", "message": "This model's maximum context length is 4096 tokens.",
                   "type": "BadRequestError", "code": 400}, "longer than the model's context"),
    ("vllm", 500, {"error": {"message": "EngineCore encountered an issue", "type": "InternalServerError"}},
     "EngineCore encountered an issue"),
    ("mistral", 429, {"object": "error", "message": "Rate limit exceeded", "type": "rate_limited", "code": "1300"},
     "quota is used up"),
    ("mistral", 422, {"detail": [{"loc": ["body", "x"], "msg": "Extra inputs are not permitted"}]},
     "Extra inputs are not"),
    ("deepseek", 402, {"error": {"message": "Insufficient Balance", "type": "unknown_error"}}, "no credit left"),
    ("deepseek", 503, {"error": {"message": "Server overloaded", "type": "service_unavailable"}}, "overloaded"),
]


@pytest.mark.parametrize("kind,status,body,words", REFUSALS)
def test_refusal_is_told_in_words(simulator, serve, place, kind, status, body, words):
    sim = simulator(kind)
    server = serve(sim)
    _, *where = place(server)
    sim.script(status=status, body=body)
    assert server.inline(*where) == []
    assert words in server.result("crucible/stats")["trace"][0]["why"]


@pytest.mark.parametrize("kind", (*KINDS, "anthropic"))
def test_key_goes_where_the_dialect_wants_it(simulator, serve, home, kind):
    key = home / "key"
    key.write_text("canary-5d1\n")
    key.chmod(0o600)
    sim = simulator(kind, key="canary-5d1")
    serve(sim, apiKeyFile=str(key))
    for entry in sim.log:
        sent = {k: v for k, v in entry["headers"].items() if "canary" in v}
        assert sent == ({"x-api-key": "canary-5d1"} if kind == "anthropic" else {"authorization": "Bearer canary-5d1"})


@pytest.mark.parametrize("kind", (*KINDS, "anthropic"))
def test_refused_key_is_said_once_and_not_tried_again(simulator, serve, place, kind):
    sim = simulator(kind, key="another")
    server = serve(sim, state="blocked")
    _, *where = place(server)
    n = len(sim.log)
    assert server.inline(*where) == [] and server.inline(*where) == []
    assert len(sim.log) == n
    assert "refuses the key, or wants one" in text_of_stats(server)


@pytest.mark.parametrize("kind", ("lmstudio", "vllm", "mistral", "deepseek", "anthropic"))
def test_url_may_end_in_v1(simulator, serve, kind):
    serve(simulator(kind), ending="/v1")


# -- LM Studio --
def test_lmstudio_loads_by_order_before_anybody_types(simulator, serve, place):
    sim = simulator("lmstudio")
    server = serve(sim)
    orders = [e for e in sim.log if e["path"] == "/api/v1/models/load"]
    assert [e["body"] for e in orders] == [{"model": MODEL}]
    _, *where = place(server)
    assert server.inline(*where)
    assert sim.own.n_loads == 1 and sim.own.n_jit == 0
    assert sim.generations[-1]["body"]["ttl"] == 600


def test_lmstudio_typing_neither_waits_for_a_load_nor_starts_one(simulator, serve, place):
    sim = simulator("lmstudio")
    sim.own.load_ms = 600 * SLOWNESS
    server = serve(sim, is_warm=False)
    _, uri, line, character = place(server)
    assert sim.wait(lambda: sim.own.n_loads == 1)
    for n in range(4):
        id = server.ask_inline(uri, line, character, 1)
        server.change(uri, n + 2, (line, character, line, character, "c"))
        character += 1
        server.notify("$/cancelRequest", {"id": id})
        server.reply(id)
    assert sim.wait(lambda: models(server)[MODEL]["loaded"], 10 * SLOWNESS)
    assert sim.own.n_loads == 1 and sim.own.n_jit == 0 and sim.generations == []


def test_lmstudio_context_and_own_load_options_go_with_the_order(simulator, serve):
    sim = simulator("lmstudio")
    serve(sim, extraBody={"load": {"flash_attention": True}},
          settings={"modelOptions": {"it/*": {"numCtx": 8192}}})
    order = next(e["body"] for e in sim.log if e["path"] == "/api/v1/models/load")
    assert order == {"model": MODEL, "context_length": 8192, "flash_attention": True}


def test_lmstudio_model_is_asked_by_the_name_it_is_loaded_under(simulator, serve, place):
    sim = simulator("lmstudio")
    sim.own.models[MODEL]["instances"] = ["mine"]
    server = serve(sim)
    text, *where = place(server)
    items = server.inline(*where)
    assert items and applied(text, items[0]) == TRUTH
    assert sim.generations[-1]["body"]["model"] == "mine" and sim.own.n_loads == 0 and sim.own.n_jit == 0


def test_lmstudio_answer_of_another_model_isnt_shown(simulator, serve, place):
    sim = simulator("lmstudio")
    server = serve(sim)
    sim.own.answers_as = "gemma-3-1b-it-qat:2"
    _, *where = place(server)
    assert server.inline(*where) == []
    assert "another model answered" in server.result("crucible/stats")["trace"][0]["why"]


def test_lmstudio_failed_load_is_said_and_not_repeated(simulator, serve, place):
    sim = simulator("lmstudio")
    sim.own.load_error = "Model loading aborted due to insufficient system resources."
    server = serve(sim, is_warm=False)
    _, *where = place(server)
    assert sim.wait(lambda: sim.own.n_loads == 1)
    for _ in range(3):
        assert server.inline(*where) == []
    assert sim.own.n_loads == 1
    assert "isn't enough memory" in text_of_stats(server)


def test_lmstudio_of_old_is_loaded_by_one_token(simulator, serve, place):
    """Before 0.4 there is no order; unknown addresses answer with status 200."""
    sim = simulator("lmstudio")
    sim.own.is_old = True
    server = serve(sim)
    loads = [e["body"] for e in sim.log if e["is_load"]]
    assert [(b["model"], b["max_tokens"], b["ttl"]) for b in loads] == [(MODEL, 1, 600)]
    text, *where = place(server)
    items = server.inline(*where)
    assert items and applied(text, items[0]) == TRUTH
    assert sim.own.n_jit == 1  # the order, and nothing else


# -- vLLM --
def test_vllm_that_sleeps_is_woken_by_order(simulator, serve, place):
    sim = simulator("vllm")
    sim.own.has_sleep = sim.own.is_sleeping = True
    sim.own.wake_ms = 300
    server = serve(sim, is_warm=False)
    text, *where = place(server)
    items = server.inline(*where)
    assert items and applied(text, items[0]) == TRUTH
    assert sim.own.n_wakes == 1
    assert all(e["status"] == 200 for e in sim.generations)


def test_vllm_without_sleep_is_neither_woken_nor_asked_about_it_twice(simulator, serve, place):
    sim = simulator("vllm")
    server = serve(sim)
    _, *where = place(server)
    assert server.inline(*where)
    assert len([e for e in sim.log if e["path"] == "/is_sleeping"]) == 1
    assert sim.generations[-1]["body"]["skip_special_tokens"] is False
    assert len(sim.generations[-1]["body"]["stop"]) == 4


# -- Mistral --
def test_mistral_host_without_a_list_serves_codestral(simulator, serve, place):
    sim = simulator("mistral")
    sim.own.models = None
    server = serve(sim, model="codestral-latest")
    text, *where = place(server)
    items = server.inline(*where)
    assert items and applied(text, items[0]) == TRUTH


def test_mistral_model_that_only_chats_isnt_asked_about_holes(simulator, serve, place):
    sim = simulator("mistral")
    sim.own.models = {"mistral-large": (False, True)}
    server = serve(sim, model="mistral-large", settings={"models": {"inline": ["it"]}})
    _, *where = place(server)
    assert server.inline(*where) == [] and sim.generations == []
    assert "can't fill in the middle" in text_of_stats(server)


def test_mistral_key_of_codestral_alone_is_pointed_to_its_host(simulator, serve):
    server = serve(simulator("mistral", key="another"), state="blocked")
    assert "https://codestral.mistral.ai" in text_of_stats(server)


# -- tokenizers --
@pytest.mark.parametrize("kind", ("vllm", "llamacpp"))
def test_name_of_a_family_isnt_believed_against_the_tokenizer(simulator, serve, place, kind):
    sim = simulator(kind, fim=False)
    server = serve(sim, settings={"models": {"inline": ["it"]}})
    _, *where = place(server)
    assert server.inline(*where) == [] and sim.generations == []
    assert "can't fill in the middle" in text_of_stats(server)
    assert len([e for e in sim.log if e["path"] == "/tokenize"]) == 1


# -- Anthropic --
def test_anthropic_is_not_asked_about_holes_unless_its_model_is_named(simulator, serve, place):
    sim = simulator("anthropic")
    server = serve(sim, settings={"models": {"inline": ["it"]}})
    _, *where = place(server)
    assert server.inline(*where) == [] and sim.generations == []
    assert "can't fill in the middle" in text_of_stats(server)


def test_anthropic_fills_holes_by_chat_where_its_model_is_named(simulator, serve, place):
    sim = simulator("anthropic")
    server = serve(sim)
    text, *where = place(server)
    sim.script(text="```c\n    return count;\n```", slice=3)
    items = server.inline(*where)
    assert items and applied(text, items[0]) == TRUTH
    body = sim.generations[-1]["body"]
    assert sim.generations[-1]["path"] == "/v1/messages" and body["max_tokens"] > 0
    assert "<CURSOR>" in body["system"] and "return <CURSOR>\n}" in body["messages"][0]["content"]


# -- holes by chat --
TALKER = "gpt-talks"  # a name that tells no family


@pytest.fixture
def talker():
    with Simulator([TRUTH], kind="openai", model=TALKER) as sim:
        yield sim


@pytest.mark.parametrize("answer", ["count;", "```c\ncount;\n```\nIt returns the number.", "    return count;",
                                    "```\n    return count;\n```"])
def test_model_that_only_chats_fills_holes_where_it_is_named(talker, serve, place, answer):
    server = serve(talker, model=TALKER, ending="/v1")
    text, *where = place(server)
    talker.script(text=answer, slice=2)
    items = server.inline(*where)
    assert items and applied(text, items[0]) == TRUTH
    sent = talker.generations[-1]
    system, user = (m["content"] for m in sent["body"]["messages"])
    assert sent["path"] == "/v1/chat/completions" and sent["body"]["stream"] is True
    assert "<CURSOR>" in system and user.startswith("File: list.c\nLanguage: c\n")
    assert user.count("<CURSOR>") == 1 and "    return <CURSOR>\n}" in user


def test_model_that_explains_instead_is_silent(talker, serve, place):
    server = serve(talker, model=TALKER, ending="/v1")
    _, *where = place(server)
    talker.script(text="Sure! Here is the code:\n```c\ncount;\n```")
    assert server.inline(*where) == [] and len(talker.generations) == 1


@pytest.mark.parametrize("names", [["it"], []])
def test_model_that_only_chats_is_never_chosen_unnamed(talker, serve, place, names):
    server = serve(talker, model=TALKER, ending="/v1", settings={"models": {"inline": names}})
    _, *where = place(server)
    assert server.inline(*where) == [] and talker.generations == []


def test_who_fills_by_chat_is_said(talker, config, env):
    for names, told in (([f"it/{TALKER}"], f"it/{TALKER}, by chat"), (["it"], "can't fill in the middle")):
        config({"endpoints": [{"name": "it", "kind": "openai", "url": talker.url + "/v1"}],
                "models": {"inline": names}})
        run = subprocess.run([BINARY, "models"], env=env, capture_output=True, text=True, timeout=60)
        role = next(line for line in run.stdout.splitlines() if line.startswith("inline "))
        assert told in " ".join(run.stdout[run.stdout.index(role):].split()), run.stdout
        assert "can't fill" in next(line for line in run.stdout.splitlines() if line.strip().startswith(TALKER))


def test_anthropic_that_is_overloaded_is_looked_at_again(simulator, serve):
    sim = simulator("anthropic")
    sim.script(status=529, body={"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}},
               probes=True)
    server = serve(sim, state="down")
    assert "it is overloaded, or fails; it is looked at again" in text_of_stats(server)


# -- settings --
def test_unknown_kind_is_named_with_those_there_are(config, start):
    config({"endpoints": [{"name": "it", "kind": "lmstudoi", "url": "http://127.0.0.1:1"}]})
    server = start()
    told = server.wait_for("window/showMessage", where=lambda p: "lmstudoi" in p["message"])
    for kind in ("ollama", "lmstudio", "llamacpp", "openai", "vllm", "mistral", "deepseek", "anthropic"):
        assert kind in str(told), told
    server.barrier()


def test_service_without_a_url_is_only_used_where_the_users_file_names_it(config, start):
    """From elsewhere it stays blocked, and nothing is asked on its behalf."""
    config({"models": {"inline": ["it/x"]}})
    server = start(initializationOptions={"endpoints": [{"name": "it", "kind": "mistral"}]})
    assert endpoint(server)["state"] == "blocked"
    assert "consent" in text_of_stats(server)
