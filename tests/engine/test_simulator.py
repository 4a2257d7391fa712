"""test_simulator.py - the measuring instrument is measured first."""
import http.client
import json
import socket
import time

import pytest

from simulator import Simulator, Truth, pieces_of

TEXT = "int add(int a, int b)\n{\n    return a + b;\n}\n\nint sub(int a, int b)\n{\n    return a - b;\n}\n"


@pytest.fixture
def sim():
    with Simulator([TEXT]) as simulator:
        yield simulator


def ask(sim, path, body=None, method="POST"):
    connection = http.client.HTTPConnection("127.0.0.1", sim.port, timeout=5)
    connection.request(method, path, json.dumps(body) if body is not None else None)
    response = connection.getresponse()
    data = response.read()
    connection.close()
    return response.status, response.headers, data


def events(data):
    return [e[len("data: "):] for e in data.decode().split("\n\n") if e]


def infill(stream=True, **more):
    return {"input_prefix": TEXT[:TEXT.index("a + b")], "input_suffix": "\n}\n", "stream": stream, **more}


def test_pieces_join_to_the_text_and_stay_short():
    assert "".join(pieces_of(TEXT)) == TEXT
    assert max(len(p) for p in pieces_of(TEXT)) <= 4


def test_truth_stops_where_the_suffix_resumes():
    assert Truth([TEXT]).after(TEXT[:TEXT.index("a + b")], ";\n}\n\nint sub") == "a + b"


def test_truth_knows_a_place_by_its_tail():
    assert Truth([TEXT]).after("something else\nint sub(int a, int b)\n{\n    return ", ";\n}") == "a - b"


def test_truth_is_silent_where_it_knows_nothing():
    assert Truth([TEXT]).after("\x01", "") == ""


def test_infill_streams_the_truth_and_ends_with_stop(sim):
    status, headers, data = ask(sim, "/infill", infill())
    assert status == 200 and headers["Content-Type"] == "text/event-stream"
    parts = [json.loads(e) for e in events(data)]
    assert "".join(p["content"] for p in parts) == "a + b;"
    assert parts[-1]["stop"] is True and parts[-1]["stop_type"] == "eos"
    assert b"[DONE]" not in data


def test_infill_whole_has_the_same_text(sim):
    assert json.loads(ask(sim, "/infill", infill(stream=False))[2])["content"] == "a + b;"


def test_completions_end_with_usage_and_done(sim):
    parts = events(ask(sim, "/v1/completions", {"prompt": "    return a - ", "stream": True})[2])
    assert parts[-1] == "[DONE]"
    assert json.loads(parts[-2])["usage"]["completion_tokens"] > 0
    assert "".join(json.loads(p)["choices"][0]["text"] for p in parts[:-1]) == "b;\n}\n"


def test_chat_begins_with_null_content_and_ends_with_empty_choices(sim):
    sim.script(text="hello")
    body = {"messages": [{"role": "user", "content": "say hello"}], "stream": True}
    parts = [json.loads(p) for p in events(ask(sim, "/v1/chat/completions", body)[2])[:-1]]
    assert parts[0]["choices"][0]["delta"] == {"role": "assistant", "content": None}
    assert parts[-1]["choices"] == []
    assert "".join(p["choices"][0]["delta"].get("content") or "" for p in parts[:-1]) == "hello"


def test_rendered_prompt_is_taken_apart(sim):
    prompt = f"<|fim_prefix|>{TEXT[:TEXT.index('a + b')]}<|fim_suffix|>;\n}}\n<|fim_middle|>"
    assert json.loads(ask(sim, "/completion", {"prompt": prompt})[2])["content"] == "a + b"


def test_limits_and_stops_are_kept(sim):
    limited = json.loads(ask(sim, "/infill", infill(stream=False, n_predict=1))[2])
    assert limited["content"] == "a" and limited["stop_type"] == "limit"
    stopped = json.loads(ask(sim, "/infill", infill(stream=False, stop=["+"]))[2])
    assert stopped["content"] == "a " and stopped["stop_type"] == "word"


def test_probes_answer_as_llama_server_does(sim):
    props = json.loads(ask(sim, "/props", method="GET")[2])
    assert props["total_slots"] == 4
    assert json.loads(ask(sim, "/v1/models", method="GET")[2])["data"][0]["id"] == "tinycode"
    tokens = json.loads(ask(sim, "/tokenize", {"content": "<|fim_prefix|>", "parse_special": True})[2])["tokens"]
    assert len(tokens) == 1
    assert ask(sim, "/api/tags", method="GET")[0] == 404


def test_openai_kind_has_no_native_paths():
    with Simulator([TEXT], kind="openai", key="k") as sim:
        assert ask(sim, "/v1/models", method="GET")[0] == 401
        sim.key = ""
        assert ask(sim, "/props", method="GET")[0] == 404
        assert ask(sim, "/infill", infill())[0] == 404


@pytest.fixture
def ollama():
    with Simulator([TEXT], kind="ollama") as simulator:
        yield simulator


def generate(**more):
    return {"model": "tinycode", "prompt": TEXT[:TEXT.index("a + b")], "suffix": "\n}\n", **more}


def test_ollama_streams_lines_and_ends_with_a_reason(ollama):
    status, headers, data = ask(ollama, "/api/generate", generate())
    assert status == 200 and headers["Content-Type"] == "application/x-ndjson"
    parts = [json.loads(line) for line in data.decode().splitlines()]
    assert "".join(p["response"] for p in parts) == "a + b;"
    assert [p["done"] for p in parts[:-1]] == [False] * (len(parts) - 1)
    assert parts[-1]["done_reason"] == "stop" and parts[-1]["eval_count"] == len(parts) - 1
    limited = ask(ollama, "/api/generate", generate(stream=False, options={"num_predict": 1}))[2]
    assert json.loads(limited)["response"] == "a" and json.loads(limited)["done_reason"] == "length"
    stopped = ask(ollama, "/api/generate", generate(stream=False, options={"stop": ["+"]}))[2]
    assert json.loads(stopped)["response"] == "a "


def test_ollama_takes_an_empty_prompt_for_an_order(ollama):
    assert json.loads(ask(ollama, "/api/ps", method="GET")[2]) == {"models": []}
    order = json.loads(ask(ollama, "/api/generate", {"model": "tinycode", "suffix": "x"})[2])
    assert order["done_reason"] == "load" and ollama.generations == []
    assert json.loads(ask(ollama, "/api/ps", method="GET")[2])["models"][0]["model"] == "tinycode:latest"
    order = json.loads(ask(ollama, "/api/generate", {"model": "tinycode", "keep_alive": 0})[2])
    assert order["done_reason"] == "unload" and ollama.shelf.loaded == {}


def test_ollama_loads_again_for_other_options(ollama):
    for options in ({}, {"temperature": 1}, {"num_ctx": 8192}, {"num_ctx": 8192, "stop": ["x"]}, {}):
        ask(ollama, "/api/generate", generate(options=options))
    assert ollama.shelf.n_loads == 3 and ollama.shelf.n_reloads == 2


def test_ollama_aborts_a_load_with_its_client(ollama):
    ollama.shelf.load_ms = 5000
    client = socket.create_connection(("127.0.0.1", ollama.port))
    body = json.dumps(generate()).encode()
    client.sendall(b"POST /api/generate HTTP/1.1\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
    assert ollama.wait(lambda: ollama.shelf.n_loads == 1)
    client.close()
    assert ollama.wait(lambda: ollama.shelf.n_aborted == 1)
    assert ollama.shelf.loaded == {}


def test_ollama_says_what_is_wrong(ollama):
    ollama.shelf.models.append({"name": "chat:7b", "capabilities": ["completion"]})
    assert ask(ollama, "/api/generate", generate(model="nope"))[0] == 404
    assert b"does not support insert" in ask(ollama, "/api/generate", generate(model="chat:7b"))[2]
    assert ask(ollama, "/api/generate", generate(model="chat:7b", think=True))[0] == 400
    assert ask(ollama, "/props", method="GET")[2] == b"404 page not found"
    ollama.script(error_after=1)
    assert b'{"error":"the runner has terminated"}\n' in ask(ollama, "/api/generate", generate())[2]


@pytest.fixture
def kind():
    running = []

    def make(name, **more):
        running.append(Simulator([TEXT], kind=name, **more))
        return running[-1].__enter__()

    yield make
    for server in running:
        server.__exit__(None, None, None)


PROMPT = TEXT[:TEXT.index("a + b")]
FIM = f"<|fim_prefix|>{PROMPT}<|fim_suffix|>;\n}}\n<|fim_middle|>"


def test_lmstudio_loads_just_in_time_and_lets_the_other_go(kind):
    sim = kind("lmstudio")
    sim.own.models["other"] = {"instances": [], "type": "llm"}
    body = {"prompt": FIM, "stream": True}
    for name in ("tinycode", "other", "tinycode"):
        assert b'"text":"a"' in ask(sim, "/v1/completions", {**body, "model": name})[2]
        assert sim.own.loaded() == [name]
    assert sim.own.n_jit == 3
    loaded = json.loads(ask(sim, "/api/v1/models/load", {"model": "other"})[2])
    assert loaded["instance_id"] == "other" and set(sim.own.loaded()) == {"tinycode", "other"}
    assert ask(sim, "/api/v1/models/load", {"model": "x"})[0] == 404
    status, _, data = ask(sim, "/props", method="GET")
    assert status == 200 and b"Unexpected endpoint or method. (GET /props)" in data
    states = {m["id"]: m["state"] for m in json.loads(ask(sim, "/api/v0/models", method="GET")[2])["data"]}
    assert states == {"tinycode": "loaded", "other": "loaded"}
    ask(sim, "/api/v1/models/unload", {"instance_id": "other"})
    assert sim.own.loaded() == ["tinycode"]


def test_lmstudio_answers_with_what_is_loaded(kind):
    sim = kind("lmstudio")
    body = {"prompt": FIM, "model": "unknown", "stream": True}
    assert ask(sim, "/v1/completions", body)[0] == 404
    ask(sim, "/api/v1/models/load", {"model": "tinycode"})
    assert json.loads(events(ask(sim, "/v1/completions", body)[2])[0])["model"] == "tinycode"


def test_vllm_refuses_what_it_cant_and_sleeps(kind):
    sim = kind("vllm")
    body = {"prompt": FIM, "model": "tinycode", "stream": True, "max_tokens": 9}
    assert events(ask(sim, "/v1/completions", body)[2])[-1] == "[DONE]"
    assert ask(sim, "/v1/completions", {**body, "stop": ["a"] * 5})[0] == 400
    assert ask(sim, "/v1/completions", {**body, "suffix": ""})[0] == 400
    assert ask(sim, "/v1/completions", {**body, "model": "x"})[0] == 404
    assert ask(sim, "/is_sleeping", method="GET")[0] == 404
    sim.own.has_sleep = True
    ask(sim, "/sleep?level=1")
    assert ask(sim, "/v1/completions", body)[0] == 500
    ask(sim, "/wake_up")
    assert ask(sim, "/v1/completions", body)[0] == 200
    sim.script(error_after=1)
    assert b'"error"' in ask(sim, "/v1/completions", body)[2].split(b"data: [DONE]")[0].split(b"\n\n")[-2]


def test_mistral_fills_holes_in_the_shape_of_a_chat(kind):
    sim = kind("mistral")
    body = {"model": "tinycode", "prompt": PROMPT, "suffix": ";\n}", "stream": True}
    parts = [json.loads(e) for e in events(ask(sim, "/v1/fim/completions", body)[2])[:-1]]
    assert "".join(p["choices"][0]["delta"].get("content") or "" for p in parts if p["choices"]) == "a + b"
    assert ask(sim, "/v1/fim/completions", {**body, "stream_options": {}})[0] == 422
    assert ask(sim, "/v1/fim/completions", {**body, "prompt": ""})[0] == 422
    assert ask(sim, "/v1/completions", body)[0] == 404


def test_deepseek_keeps_alive_and_limits_holes(kind):
    sim = kind("deepseek")
    body = {"model": "tinycode", "prompt": PROMPT, "suffix": ";\n}", "stream": True, "max_tokens": 99}
    data = ask(sim, "/beta/completions", body)[2]
    assert data.startswith(b": keep-alive\n\n") and b'"text":"a"' in data
    assert ask(sim, "/beta/completions", {**body, "max_tokens": 5000})[0] == 400


def test_anthropic_wants_its_headers_and_streams_messages(kind):
    sim = kind("anthropic", key="k")
    body = {"model": "tinycode", "max_tokens": 9, "messages": [{"role": "user", "content": "x"}], "stream": True}
    assert ask(sim, "/v1/messages", body)[0] == 401
    sim.key = ""
    assert b"anthropic-version" in ask(sim, "/v1/messages", body)[2]
    sim.script(text="hello")
    connection = http.client.HTTPConnection("127.0.0.1", sim.port, timeout=5)
    connection.request("POST", "/v1/messages", json.dumps(body), {"anthropic-version": "2023-06-01"})
    data = connection.getresponse().read().decode()
    connection.close()
    names = [line[len("event: "):] for line in data.split("\n") if line.startswith("event: ")]
    assert names[:3] == ["message_start", "content_block_start", "ping"] and names[-1] == "message_stop"
    assert "[DONE]" not in data


def test_loading_counts_down(sim):
    sim.script(loading=2)
    assert [ask(sim, "/health", method="GET")[0] for _ in range(3)] == [503, 503, 200]


def test_cut_at_ends_after_exactly_that_many_bytes(sim):
    for k in (1, 17, 100):
        sim.script(cut_at=k)
        with pytest.raises(http.client.IncompleteRead):
            ask(sim, "/infill", infill())
        assert sim.generations[-1]["n_bytes"] == k and sim.generations[-1]["outcome"] == "cut"


def test_slices_change_nothing_but_the_packets(sim):
    plain = ask(sim, "/infill", infill())[2]
    sim.script(slice=3)
    assert ask(sim, "/infill", infill())[2] == plain


def test_scripts_in_a_row_are_used_up_but_the_last(sim):
    sim.script({"status": 500}, {"status": 429, "headers": {"Retry-After": "1"}}, {})
    assert [ask(sim, "/infill", infill())[0] for _ in range(4)] == [500, 429, 200, 200]


def test_client_that_closes_is_logged_with_what_it_got(sim):
    sim.script(token_ms=20, text="abcd " * 100)
    client = socket.create_connection(("127.0.0.1", sim.port))
    body = json.dumps(infill()).encode()
    client.sendall(b"POST /infill HTTP/1.1\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
    assert sim.wait(lambda: sim.generations and sim.generations[0]["n_tokens"] >= 3)
    closed = time.monotonic()
    client.close()
    assert sim.wait(lambda: sim.generations[0]["outcome"] == "aborted")
    assert 3 <= sim.generations[0]["n_tokens"] < 20
    assert sim.generations[0]["ended"] - closed < 0.2


def test_control_paths_script_and_show_the_log(sim):
    assert ask(sim, "/_sim/script", {"status": 502})[0] == 200
    assert ask(sim, "/infill", infill())[0] == 502
    log = json.loads(ask(sim, "/_sim/log", method="GET")[2])
    assert [r["path"] for r in log["requests"]] == ["/infill"]
    ask(sim, "/_sim/reset", {})
    assert sim.log == []


def test_one_slot_serves_one_after_the_other():
    with Simulator([TEXT], slots=1) as sim:
        sim.script(first_ms=80)
        body = json.dumps(infill()).encode()
        clients = [socket.create_connection(("127.0.0.1", sim.port)) for _ in range(2)]
        for client in clients:
            client.sendall(b"POST /infill HTTP/1.1\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        assert sim.wait(lambda: len([e for e in sim.generations if e["outcome"] == "done"]) == 2)
        first, second = sim.generations
        assert second["first"] - first["first"] > 0.07
        for client in clients:
            client.close()
